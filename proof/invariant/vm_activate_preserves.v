(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_ACTIVATE: a VM that is being built may be ACTIVE, its log complete. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.proof.invariant Require Import Meaning Lifecycle.
Import RecordSetNotations.
Open Scope Z_scope.

Lemma activate_lives : forall a vm, wf a -> 0 <= vm < NIE_MAX_VMS -> vm_state (vm_at a vm) = NIE_VM_BUILDING ->
  lives_on a vm (vm_at a vm <| sealed := true |> <| vm_state := NIE_VM_ACTIVE |>).
Proof.
  intros a vm W V N. constructor.
  - split; [auto|]. rewrite N. discriminate.
  - change (NIE_VM_FREE < NIE_VM_ACTIVE <= NIE_VM_STOPPED). unfold NIE_VM_FREE, NIE_VM_ACTIVE, NIE_VM_STOPPED. lia.
  - repeat split.
  - split; [intro E; discriminate E|reflexivity].
Qed.
