(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_ACTIVATE: the C does what spec/call/vm_activate.v says; the hash becomes the measurement of the build log. It
   uses no primitive, so the hardware is as before. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec.call Require vm_activate.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Lifecycle vm_activate_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.checks nie.generated.state.measure nie.generated.call.vm_activate.
From nie.spec Require Import Core.
From nie.proof.refine Require Export life_refines page_remove_checks.
From nie.proof.refine Require Import sha256_refines measure_refines measure_record_refines.
Import RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.

Notation spec_vm_activate := nie.spec.call.vm_activate.vm_activate.

(* The C's hash of a VM that is being built. *)
Lemma building_measured : forall gl v r, vm_holds gl v r -> vm_state r = NIE_VM_BUILDING -> sealed r = false ->
  exists n, measured gl v (build_log r) n.
Proof.
  intros gl v r H B S. destruct (h_hashed _ _ _ H) as (n & L & D). exists n. split; auto.
  rewrite (h_hash _ _ _ H). unfold hash_of_vm, hash_so_far. rewrite B, S, L. change (NIE_VM_BUILDING =? NIE_VM_FREE) with false. cbn iota.
  rewrite Nat.mul_comm, Nat.div_mul by discriminate. reflexivity.
Qed.

Theorem vm_activate_refines : forall a s vm, R a s -> 0 <= vm < 2 ^ 64 ->
  wp (call_vm_activate vm) (fun r s' => r = fst (spec_vm_activate vm a) /\ R (snd (spec_vm_activate vm a)) s' /\
    only_life vm (glob s) (glob s') /\ hw s' = hw s) s.
Proof.
  intros a [gl h] vm HR V. pose proof (R_wf _ _ HR) as W. pose proof (R_globals _ _ HR) as G. cbn [glob hw] in *.
  unfold call_vm_activate, nie.spec.call.vm_activate.vm_activate, nie.spec.call.vm_activate.vm_activate_check.
  skip. w_known check_vm_run; [eauto|lia|].
  destruct (vm_exists vm) eqn:E1; [|cbn; go; auto using life_refl].
  destruct (vm_is a vm NIE_VM_BUILDING NIE_VM_BUILDING) eqn:E2; [|cbn; go; auto using life_refl].
  change (NIE_OK =? NIE_OK) with true. cbn [negb].
  unfold vm_exists in E1. assert (V' : 0 <= vm < NIE_MAX_VMS) by lia. pose proof (g_vms _ _ G vm V') as VH.
  assert (B : vm_state (vm_at a vm) = NIE_VM_BUILDING) by (unfold vm_is in E2; lia).
  skip. w_load. rewrite (h_created _ _ _ VH). skip. w_load. rewrite (h_vcpus _ _ _ VH). skip.
  destruct (created (vm_at a vm) =? vcpu_count (vm_at a vm)) eqn:E3; cbn [negb]; [|cbn; go; auto using life_refl].
  change (NIE_OK =? NIE_OK) with true. cbn iota.
  destruct (building_measured _ _ _ VH B) as (n & M); [apply (v_sealed _ (wf_v _ W) vm V'); exact B|].
  skip. rewrite wrap32 by (unfold NIE_MAX_VMS in V'; lia). eapply measure_finish_wp; [exact V'|exact M|].
  intros gl1 O1 H1 D1. cbn beta. go. cbn [fst snd glob hw].
  assert (OL : only_life vm gl (put1 vms_state vm NIE_VM_ACTIVE gl1)) by (eapply life_trans; [apply life_measure; exact O1|apply life_state]).
  split; [auto|]. split; [|auto].
  pose proof (activate_lives a vm W V' B) as LV.
  eapply R_lives; eauto. apply life_globals with gl; auto.
  - rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl.
  - assert (S : forall g i, g <> vms_state -> at1 g (put1 vms_state vm NIE_VM_ACTIVE gl1) i = at1 g gl1 i).
    { intros g i N. rewrite at_put by reflexivity. now destruct (gvar_dec g vms_state). }
    assert (F : forall g i, of_measure g = false -> at1 g gl1 i = at1 g gl i) by (intros g i D; unfold at1; now rewrite (o_field _ _ _ O1)).
    destruct VH. constructor; rewrite ?S by discriminate; rewrite ?F by reflexivity; auto.
    destruct h_hashed as (k & L & D). exists k. split; [exact L|]. unfold at1 in *. now rewrite D1.
Qed.
