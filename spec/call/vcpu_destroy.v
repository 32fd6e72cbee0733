(* SPDX-License-Identifier: Apache-2.0 *)
(* VCPU_DESTROY (vm, vcpu): context: VCPU => HOST, zeroed; run: RUN => HOST. Of a stopped VM.
   engine/core/call/vcpu_destroy.c *)
From RecordUpdate Require Import RecordSet.
From Coq Require Import ZArith Bool List.
From nie.generated Require Import Constants.
From nie.spec Require Import Measure State Donation Actions.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

From nie.model Require Import Map.

Definition vcpu_destroy_check (a : state) (vm vcpu : Z) : Z :=
  require vm_exists vm else NIE_E_VM;
  require vm_is a vm NIE_VM_STOPPED NIE_VM_STOPPED else NIE_E_VM_STATE;
  require vcpu <? vcpu_count (vm_at a vm) else NIE_E_VCPU;
  require negb (vcpu_state (vcpu_at a vm vcpu) =? VCPU_NONE) else NIE_E_VCPU_STATE;
  require negb (vcpu_state (vcpu_at a vm vcpu) =? VCPU_RUNNING) else NIE_E_BUSY;
  NIE_OK.

(* Status, x1 and x2, and the state afterwards, in which nothing of the vCPU is left. *)
Definition vcpu_destroy (vm vcpu : Z) (a : state) : (Z * Z * Z) * state :=
  let status := vcpu_destroy_check a vm vcpu in
  if status =? NIE_OK then
    let r := vcpu_at a vm vcpu in
    let a := give_back vm (run_page r) (give_back vm (context_page r) a) in
    let a := set_saved vm vcpu (Map.const 0) (set_vcpu vm vcpu no_vcpu a) in
    let a := set_vm vm (vm_at a vm <| created ::= fun n => n - 1 |>) a in
    ((NIE_OK, address_of (context_page r), address_of (run_page r)), a)
  else ((status, 0, 0), a).
