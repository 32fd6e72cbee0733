(* SPDX-License-Identifier: Apache-2.0 *)
(* The relation of globals with the build log: what measuring leaves as it was, and what it adds. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Measure Donation.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.measure.
From nie.spec Require Import Core.
From nie.proof.refine Require Import sha256_refines measure_refines measure_record_refines measure_page_refines.
From nie.proof.refine Require Export Shared.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* Every global object but the granule table, the counts and what measuring writes is as it was. *)
Definition only_built (gl gl' : globals) : Prop :=
  forall g, of_granules g = false -> of_measure g = false -> field g gl' = field g gl.

Lemma built_refl : forall gl, only_built gl gl.
Proof. intros gl g _ _. reflexivity. Qed.
Lemma built_trans : forall a b c, only_built a b -> only_built b c -> only_built a c.
Proof. intros a b c H H' g G M. rewrite H', H; auto. Qed.
Lemma built_granules : forall gl gl', only_granules gl gl' -> only_built gl gl'.
Proof. intros gl gl' H g G _. auto. Qed.
Lemma built_measure : forall vm gl gl', only_measure vm gl gl' -> only_built gl gl'.
Proof. intros vm gl gl' [H _ _] g _ G. auto. Qed.

(* [globals_hold] speaks of some parts of the state only. *)
Lemma globals_of : forall a b gl, globals_hold a gl -> cfg b = cfg a -> (forall p, own b p = own a p) -> vms b = vms a -> vcpus b = vcpus a ->
  cpus b = cpus a -> lasts b = lasts a -> globals_hold b gl.
Proof.
  intros a b gl [] EC EO EV EU EP EL. constructor; unfold vm_at, vcpu_at, cpu_at, last_at, in_ram in *; rewrite ?EC, ?EV, ?EU, ?EP, ?EL; auto.
  intros p P. rewrite EO. auto.
Qed.

Section Log.
Variables (a : state) (vm : Z).
Hypothesis W : wf a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS.
Hypothesis B : vm_state (vm_at a vm) = NIE_VM_BUILDING.

Lemma unsealed : sealed (vm_at a vm) = false.
Proof. apply (v_sealed _ (wf_v _ W) vm V). exact B. Qed.

Lemma log_of : forall gl, globals_hold a gl -> exists n, measured gl vm (build_log (vm_at a vm)) n.
Proof. intros gl G. eapply vm_measured; [exact (g_vms _ _ G vm V)|exact B|exact unsealed]. Qed.

Lemma vm_at_measured : forall words v, vm_at (Donation.measured vm words a) v =
  if v =? vm then vm_at a vm <| build_log ::= fun l => (l ++ words)%list |> else vm_at a v.
Proof. intros words v. exact (Map.get_set _ (vms a) vm _ v). Qed.

Lemma log_goes_on : forall gl gl' words n, globals_hold a gl -> only_measure vm gl gl' ->
  measured gl' vm (build_log (vm_at a vm) ++ words) n -> globals_hold (Donation.measured vm words a) gl'.
Proof.
  intros gl gl' words n G O M. pose proof unsealed as US.
  assert (E : forall g i, of_measure g = false -> at1 g gl' i = at1 g gl i) by (intros g i F; unfold at1; now rewrite (o_field _ _ _ O)).
  constructor; rewrite ?E by reflexivity; try apply G.
  - intros p P. cbn zeta. rewrite !E by reflexivity. exact (g_own _ _ G p P).
  - intros v I. rewrite !E by reflexivity. rewrite vm_at_measured. pose proof (g_vm _ _ G v I) as K. destruct (Z.eqb_spec v vm) as [->|]; exact K.
  - intros v I. rewrite vm_at_measured. destruct (g_vms _ _ G v I) as [H1 H2 H3 H4 H5 H6]. destruct (Z.eqb_spec v vm) as [->|N].
    + constructor; rewrite ?E by reflexivity; auto.
      * rewrite (m_hash _ _ _ _ M). unfold hash_of_vm. cbn [vm_state sealed build_log set].
        change (vm_state (vm_at a vm <| build_log ::= fun l => (l ++ words)%list |>)) with (vm_state (vm_at a vm)).
        change (sealed (vm_at a vm <| build_log ::= fun l => (l ++ words)%list |>)) with (sealed (vm_at a vm)).
        change (build_log (vm_at a vm <| build_log ::= fun l => (l ++ words)%list |>)) with (build_log (vm_at a vm) ++ words)%list.
        rewrite B, US. change (NIE_VM_BUILDING =? NIE_VM_FREE) with false. cbn iota. unfold hash_so_far. rewrite (m_length _ _ _ _ M).
        f_equal. symmetry. rewrite Nat.mul_comm. now apply Nat.div_mul.
      * exists n. split; [exact (m_length _ _ _ _ M)|exact (m_hashed _ _ _ _ M)].
    + constructor; rewrite ?E by reflexivity; auto.
      * rewrite <- H5. unfold hash_of, hash_word. rewrite !(o_hash _ _ _ O) by lia. reflexivity.
      * rewrite (o_hashed _ _ _ O) by auto. exact H6.
  - intros v i I J. destruct (g_vcpus _ _ G v i I J). constructor; rewrite ?E by reflexivity; auto.
  - intros c I. destruct (g_cpus _ _ G c I). constructor; intros; rewrite ?E by reflexivity; auto.
  - intros v c I J. rewrite E by reflexivity. exact (g_lasts _ _ G v c I J).
Qed.

Lemma record_built : forall gl h kind x y z (Q : unit -> mach globals Machine.hw -> Prop), globals_hold a gl ->
  (forall gl', globals_hold (Donation.measured vm (Measure.record kind x y z) a) gl' -> only_built gl gl' -> Q tt (Mach gl' h)) ->
  wp (measure_record vm kind x y z) Q (Mach gl h).
Proof.
  intros gl h kind x y z Q G H. destruct (log_of gl G) as [n M]. eapply measure_record_wp; [exact V|exact M|].
  intros gl' O M'. apply H; [eapply log_goes_on; eauto|eapply built_measure; eauto].
Qed.
End Log.

(* The last step of what is measured only before activation. *)
Lemma finish_wp : forall z vm gl h kind x y (Q : Z -> mach globals Machine.hw -> Prop), wf z -> 0 <= vm < NIE_MAX_VMS -> globals_hold z gl ->
  (forall gl', globals_hold (Donation.measured_if_building vm (Measure.record kind x y 0) z) gl' -> only_built gl gl' -> Q NIE_OK (Mach gl' h)) ->
  wp (t1 <- load vms_state [vm] ;;
      (if t1 =? NIE_VM_BUILDING then measure_record vm kind x y 0 ;;; ret tt else ret tt) ;;; ret NIE_OK) Q (Mach gl h).
Proof.
  intros z vm gl h kind x y Q W V G H. destruct (g_vm _ _ G vm V) as (ES & _). w_bind. w_load. rewrite ES. w_bind.
  unfold Donation.measured_if_building in H. destruct (Z.eqb_spec (vm_state (vm_at z vm)) NIE_VM_BUILDING) as [B|N].
  - w_bind. eapply record_built; eauto.
  - go. apply H; auto using built_refl.
Qed.
