(* SPDX-License-Identifier: Apache-2.0 *)
(* VCPU_CREATE (vm, vcpu, context, run, entry, argument): context: HOST => VCPU; run: HOST => RUN. Before activation.
   vCPU 0 is READY, the others are OFF until the VM turns them on. engine/core/call/vcpu_create.c *)
From RecordUpdate Require Import RecordSet.
From Coq Require Import ZArith Bool List.
From nie.generated Require Import Constants.
From nie.spec Require Import Measure State Donation Actions.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Definition vcpu_create_check (a : state) (vm vcpu context run entry : Z) : Z :=
  require vm_exists vm else NIE_E_VM;
  require vm_is a vm NIE_VM_BUILDING NIE_VM_BUILDING else NIE_E_VM_STATE;
  require vcpu <? vcpu_count (vm_at a vm) else NIE_E_VCPU;
  require vcpu_state (vcpu_at a vm vcpu) =? VCPU_NONE else NIE_E_VCPU_STATE;
  require in_window a vm (page_of entry) 1 else NIE_E_WINDOW;
  require negb (context =? run) else NIE_E_ALIAS;
  let status := check_donation a context 1 in require status =? NIE_OK else status;
  check_donation a run 1.

Definition vcpu_create (vm vcpu context run entry argument : Z) (a : state) : Z * state :=
  let status := vcpu_create_check a vm vcpu context run entry in
  if status =? NIE_OK then
    let a := donate vm (page_of context) 1 (fun _ => Vcpu vm vcpu) a in
    let a := hand_over vm (page_of run) 1 (fun _ => Run vm vcpu) a in
    let r := no_vcpu <| context_page := page_of context |> <| run_page := page_of run |>
             <| vcpu_state := if vcpu =? 0 then VCPU_READY else VCPU_OFF |> in
    let a := set_saved vm vcpu (reset_context entry argument) (set_vcpu vm vcpu r a) in
    let a := set_vm vm (vm_at a vm <| created ::= fun n => n + 1 |>) a in
    (NIE_OK, measured vm (Measure.record MEASURE_VCPU vcpu entry argument) a)
  else (status, a).
