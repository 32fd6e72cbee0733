(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_STOP: a VM that exists may be STOPPED. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.proof.invariant Require Import Meaning Lifecycle.
Import RecordSetNotations.
Open Scope Z_scope.

Lemma stop_lives : forall a vm, wf a -> 0 <= vm < NIE_MAX_VMS -> vm_state (vm_at a vm) <> NIE_VM_FREE ->
  lives_on a vm (vm_at a vm <| vm_state := NIE_VM_STOPPED |>).
Proof.
  intros a vm W V N. constructor; auto.
  - change (NIE_VM_FREE < NIE_VM_STOPPED <= NIE_VM_STOPPED). unfold NIE_VM_FREE, NIE_VM_STOPPED. lia.
  - repeat split.
  - split; intro E; discriminate E.
Qed.
