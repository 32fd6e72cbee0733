(* SPDX-License-Identifier: Apache-2.0 *)
(* An exception on CPU [c]: how it ends, what goes out of the engine, and the state. [ins]: what host memory, devices,
   the counter and the firmware answer, in the order in which they are asked. engine/core/trap/trap.c *)
From Coq Require Import ZArith Bool List.
From RecordUpdate Require Import RecordSet.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch.
From nie.spec.call Require Import host_call.
From nie.spec.trap Require Import sysreg host_abort host_smc vcpu_abort vcpu_call.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

(* The host takes its interrupts itself. *)
Definition host_trap (c kind : Z) (ins : nat -> Z) (content : Z -> Z -> Z) (a : state) : Z * list event * state :=
  let esr := reg_of a REG_ESR_EL2 in
  let class := exception_class esr in
  let resume (r : list event * state) := (TRAP_RESUME, fst r, snd r) in
  if negb (kind =? TRAP_SYNC) then (TRAP_RESUME, [], a)
  else if class =? EC_HVC64 then (TRAP_RESUME, [], host_call c ins content a)
  else if class =? EC_SMC64 then host_smc c ins (skip_instruction a)
  else if class =? EC_SYSREG then resume (sysreg_trap c (field esr 0 25) a)
  else if (class =? EC_INSTRUCTION_ABORT) || (class =? EC_DATA_ABORT) then resume (host_abort c esr ins a)
  else (TRAP_RESUME, [], inject_undefined a).

Definition vcpu_sync (c : Z) (a : state) : list event * state :=
  let esr := reg_of a REG_ESR_EL2 in
  let class := exception_class esr in
  if class =? EC_WFX then exit_vcpu c (Exit NIE_EXIT_WFI 0 0 0) (skip_instruction a)
  else if class =? EC_SMC64 then vcpu_call c (skip_instruction a)
  else if class =? EC_HVC64 then vcpu_call c a
  else if class =? EC_SYSREG then sysreg_trap c (field esr 0 25) a
  else if (class =? EC_INSTRUCTION_ABORT) || (class =? EC_DATA_ABORT) then vcpu_abort c esr a
  else ([], inject_undefined a).
Definition vcpu_trap (c kind : Z) (a : state) : list event * state :=
  if kind =? TRAP_SYNC then vcpu_sync c a
  else exit_vcpu c (Exit (if kind =? TRAP_SERROR then NIE_EXIT_SERROR else NIE_EXIT_IRQ) 0 0 0) a.

Definition trap (c kind : Z) (ins : nat -> Z) (content : Z -> Z -> Z) (a : state) : Z * list event * state :=
  if cpu_vm (cpu_at a c) =? CPU_HOST then host_trap c kind ins content a
  else let '(events, a) := vcpu_trap c kind a in (TRAP_RESUME, events, a).
