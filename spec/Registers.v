(* SPDX-License-Identifier: Apache-2.0 *)
(* Registers of the context that is on a CPU; what its instructions look like to the engine; exceptions that the
   engine takes to EL1 on behalf of hardware. engine/core/state/inject.c, trap/mmio.c *)
From Coq Require Import ZArith Bool List.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

(** 64-bit numbers. *)

Definition wrap64 (x : Z) : Z := x mod 2 ^ 64.
Definition without (x bits : Z) : Z := Z.land x (wrap64 (Z.lnot bits)).
(* Some bit of [bits] is set in x. *)
Definition has (x bits : Z) : bool := negb (Z.land x bits =? 0).
Definition field (x low size : Z) : Z := x / 2 ^ low mod 2 ^ size.

(** Registers. x0..x30 of CPU [c]; system registers of the CPU that runs the engine. *)

Definition x_of (a : state) (c i : Z) : Z := Map.get (cpu_x (cpu_at a c)) i.
Definition set_x (c i v : Z) (a : state) : state := set_cpu c (cpu_at a c <| cpu_x ::= fun m => Map.set m i v |>) a.
(* x0, x1, ... become the words of the list. *)
Fixpoint answer_from (c i : Z) (l : list Z) (a : state) : state :=
  match l with [] => a | w :: l' => answer_from c (i + 1) l' (set_x c i w a) end.
Definition answer (c : Z) (l : list Z) (a : state) : state := answer_from c 0 l a.
(* Register 31 reads as 0 and cannot be written. *)
Definition gpr (a : state) (c r : Z) : Z := if r <? 31 then x_of a c r else 0.
Definition set_gpr (c r v : Z) (a : state) : state := if r <? 31 then set_x c r v a else a.

Definition reg_of (a : state) (r : Z) : Z := Map.get (here a) r.
Definition set_regs (l : list (Z * Z)) (a : state) : state := fold_left (fun a rv => set_here (fst rv) (snd rv) a) l a.

(* An argument of a call: those of the 32-bit functions are 32 bits wide. *)
Definition smccc_argument (function x : Z) : Z := if negb (field function 30 1 =? 0) then x else x mod 2 ^ 32.

(** Syndromes [ArmARM, D19.2.40]. *)

Definition exception_class (esr : Z) : Z := field esr 26 6.
(* IPA page of a stage 2 translation fault. *)
Definition fault_page (hpfar : Z) : Z := field hpfar 4 44.
Definition is_translation (esr : Z) : bool := Z.land esr FSC_TYPE =? FSC_TRANSLATION.
(* The syndrome of a data abort names one register and a width. *)
Definition mmio_decodable (esr : Z) : bool := has esr ISS_ISV && negb (has esr ISS_S1PTW) && negb (has esr ISS_CM).
Definition mmio_register (esr : Z) : Z := field esr 16 5.
Definition mmio_width (esr : Z) : Z := 2 ^ field esr 22 2.                              (* bytes *)
Definition mmio_truncate (value bytes : Z) : Z := if bytes =? 8 then value else value mod 2 ^ (8 * bytes).
(* What a load leaves in its register: sign- or zero-extended, to 32 or 64 bits. *)
Definition mmio_extend (value syndrome : Z) : Z :=
  let bytes := mmio_width syndrome in
  let value := mmio_truncate value bytes in
  let sign := 2 ^ (8 * bytes - 1) in
  let value := if has syndrome ISS_SSE then wrap64 (Z.lxor value sign - sign) else value in
  if has syndrome ISS_SF then value else value mod 2 ^ 32.

(** Exceptions. *)

Definition skip_instruction (a : state) : state :=
  set_regs [(REG_ELR_EL2, wrap64 (reg_of a REG_ELR_EL2 + 4));
            (REG_SPSR_EL2, without (reg_of a REG_SPSR_EL2) SPSR_BTYPE_SS)] a.

Definition vector_offset (pstate : Z) : Z :=
  if has pstate SPSR_AARCH32 then 0x600
  else if negb (has pstate SPSR_FROM_EL0) then 0x400
  else if has pstate 1 then 0x200 else 0.
Definition handler_pstate (pstate sctlr : Z) : Z :=
  let next := Z.lor (Z.land pstate SPSR_KEPT) PSTATE_EL1H_MASKED in
  let next := if field sctlr 23 1 =? 0 then Z.lor next SPSR_PAN else next in            (* SPAN *)
  if negb (field sctlr 44 1 =? 0) then Z.lor next SPSR_SSBS else next.                  (* DSSBS *)

(* A synchronous exception to EL1 in the running context. *)
Definition inject (esr far : Z) (a : state) : state :=
  let pstate := reg_of a REG_SPSR_EL2 in
  set_regs [(REG_ESR_EL1, esr); (REG_FAR_EL1, far); (REG_ELR_EL1, reg_of a REG_ELR_EL2); (REG_SPSR_EL1, pstate);
            (REG_ELR_EL2, wrap64 (reg_of a REG_VBAR_EL1 + vector_offset pstate));
            (REG_SPSR_EL2, handler_pstate pstate (reg_of a REG_SCTLR_EL1))] a.
Definition inject_undefined (a : state) : state := inject (2 ^ 25) (reg_of a REG_FAR_EL1) a.
(* The abort that came to EL2, taken to EL1 instead: its class is the next one when it comes from EL1 itself. *)
Definition inject_abort (esr fsc : Z) (a : state) : state :=
  let class := Z.land (esr / 2 ^ 26) 0x3e in
  let class := if has (reg_of a REG_SPSR_EL2) 0xf then class + 1 else class in
  inject (Z.lor (Z.lor (Z.lor (class * 2 ^ 26) (Z.land esr ESR_IL)) (Z.land esr 0x140)) fsc) (reg_of a REG_FAR_EL2) a.
