(* SPDX-License-Identifier: Apache-2.0 *)
(* A system register that traps, of the host or of a vCPU. [iss]: the syndrome's low 25 bits. What is not named here
   is undefined. engine/core/trap/sysreg.c *)
From Coq Require Import ZArith Bool List.
From RecordUpdate Require Import RecordSet.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch.
From nie.spec.trap Require Import id_register.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Definition is_guest (a : state) (c : Z) : bool := negb (cpu_vm (cpu_at a c) =? CPU_HOST).
Definition is_id (encoding : Z) : bool := Z.land encoding ENC_ID_MASK =? ENC_ID.

(* Registers that read as a fixed value and ignore writes. *)
Definition reads_constant (a : state) (c encoding : Z) : bool :=
  (encoding =? ENC_ACTLR) || (encoding =? ENC_ICC_SRE) ||
  (is_guest a c && ((encoding =? ENC_SGI0R) || (encoding =? ENC_ASGI1R))) ||
  is_id encoding || (Z.land encoding ENC_DC_SW_MASK =? ENC_DC_SW) ||
  (is_guest a c && (Z.land encoding ENC_CNTP_MASK =? ENC_CNTP)) ||
  (Z.land encoding ENC_DEBUG_MASK =? ENC_DEBUG).
Definition constant_of (a : state) (encoding : Z) : Z :=
  if encoding =? ENC_ICC_SRE then ICC_SRE_BOTH
  else if is_id encoding then id_register a (field encoding 1 4) (field encoding 17 3)
  else 0.

Definition sysreg_trap (c iss : Z) (a : state) : list event * state :=
  let encoding := Z.land iss ENC_MASK in
  let read := has iss ISS_READ in
  let r := field iss 5 5 in
  if (encoding =? ENC_SGI1R) && negb read && is_guest a c then exit_vcpu c (Exit NIE_EXIT_SGI 0 0 (gpr a c r)) (skip_instruction a)
  else if encoding =? ENC_MDSCR then                  (* software single step is all of debug that a context has *)
    ([], skip_instruction (if read then set_gpr c r (reg_of a REG_MDSCR_EL1) a
                           else set_here REG_MDSCR_EL1 (Z.land (gpr a c r) MDSCR_SS) a))
  else if reads_constant a c encoding then
    ([], skip_instruction (if read then set_gpr c r (constant_of a encoding) a else a))
  else ([], inject_undefined a).
