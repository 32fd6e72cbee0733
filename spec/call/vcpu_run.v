(* SPDX-License-Identifier: Apache-2.0 *)
(* VCPU_RUN (vm, vcpu): READY => RUNNING(c). [ins]: the host's words of the run record, read once, then checked.
   engine/core/call/vcpu_run.c *)
From Coq Require Import ZArith Bool List.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State Donation Registers Switch.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Definition vcpu_run_check (a : state) (vm vcpu : Z) : Z :=
  require vm_exists vm else NIE_E_VM;
  require vm_is a vm NIE_VM_ACTIVE NIE_VM_ACTIVE else NIE_E_VM_STATE;
  require vcpu <? vcpu_count (vm_at a vm) else NIE_E_VCPU;
  require negb (vcpu_state (vcpu_at a vm vcpu) =? VCPU_RUNNING) else NIE_E_BUSY;
  require vcpu_state (vcpu_at a vm vcpu) =? VCPU_READY else NIE_E_VCPU_STATE;
  NIE_OK.

(* A list register that the host may load [GIC, 12.4.7]; 0 is an unused one. HW links to a physical interrupt: only
   the virtual timer's own. *)
Definition lr_ok (lr : Z) : bool :=
  let lr_state := lr / 2 ^ 62 in
  let interrupt := lr mod 2 ^ 32 in
  let physical := field lr 32 13 in
  if lr_state =? 0 then lr =? 0
  else if (1020 <=? interrupt) || negb (field lr 45 3 =? 0) || negb (field lr 56 4 =? 0) then false
  else if negb (field lr 61 1 =? 0) then (interrupt =? 27) && (physical =? 27) && negb (lr_state =? 3)
  else Z.land physical 0x1dff =? 0.                                    (* bit 41: maintenance at end of interrupt *)
Definition lr_same (x y : Z) : bool := negb (x =? 0) && negb (y =? 0) && (x mod 2 ^ 32 =? y mod 2 ^ 32).
Definition lrs_ok (lr : Z -> Z) : bool :=
  forallb (fun i => lr_ok (lr i)) [0; 1; 2; 3] &&
  negb (existsb (fun ij => lr_same (lr (fst ij)) (lr (snd ij))) [(1, 0); (2, 0); (2, 1); (3, 0); (3, 1); (3, 2)]).

(* The status, and the state afterwards; with NIE_OK the vCPU is on CPU [c]. *)
Definition vcpu_run (c vm vcpu : Z) (ins : nat -> Z) (a : state) : Z * state :=
  let status := vcpu_run_check a vm vcpu in
  if status =? NIE_OK then
    let a := set_cpu c (cpu_at a c <| run_in := fill RUN_IN_END 0 (fun w => ins (Z.to_nat w)) (Map.const 0) |>) a in
    if lrs_ok (fun n => said a c (RUN_IN_LR0 + n)) then (NIE_OK, enter_vcpu c vm vcpu a) else (NIE_E_LR, a)
  else (status, a).
