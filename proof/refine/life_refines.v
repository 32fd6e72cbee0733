(* SPDX-License-Identifier: Apache-2.0 *)
(* Calls that change a VM's state and nothing else: from the new record to [R]. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Records Lifecycle.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.spec Require Import Core.
From nie.proof.refine Require Export Ends.
From nie.proof.refine Require Import sha256_refines.
Open Scope Z_scope.

Definition of_life (g : gvar) : bool := match g with vms_state | vms_hash | vms_hashed | sha_schedule => true | _ => false end.
(* What such a call may change: the VM's state and hash, and scratch. *)
Record only_life (vm : Z) (gl gl' : globals) : Prop := {
  ol_field : forall g, of_life g = false -> field g gl' = field g gl;
  ol_state : forall v, v <> vm -> at1 vms_state gl' v = at1 vms_state gl v;
  ol_hash : forall i, i / 8 <> vm -> at1 vms_hash gl' i = at1 vms_hash gl i;
  ol_hashed : forall v, v <> vm -> at1 vms_hashed gl' v = at1 vms_hashed gl v;
}.

Lemma life_refl : forall vm gl, only_life vm gl gl.
Proof. constructor; auto. Qed.
Lemma life_state : forall vm s gl, only_life vm gl (put1 vms_state vm s gl).
Proof.
  intros vm s gl. constructor.
  - intros g G. unfold put1. apply field_set_other. intros ->. discriminate.
  - intros v N. rewrite at_put by reflexivity. cbn. now destruct (Z.eqb_spec v vm).
  - intros i N. now rewrite at_put by reflexivity.
  - intros v N. now rewrite at_put by reflexivity.
Qed.
Lemma life_measure : forall vm gl gl', only_measure vm gl gl' -> only_life vm gl gl'.
Proof.
  intros vm gl gl' [F H D]. constructor; auto.
  - intros g G. apply F. destruct g; auto; discriminate.
  - intros v _. unfold at1. now rewrite F.
Qed.
Lemma life_trans : forall vm a b c, only_life vm a b -> only_life vm b c -> only_life vm a c.
Proof. intros vm a b c [F S H D] [F' S' H' D']. constructor; intros; [now rewrite F', F|now rewrite S', S|now rewrite H', H|now rewrite D', D]. Qed.

Lemma life_globals : forall a vm r gl gl', globals_hold a gl -> lives_on a vm r -> granules r = granules (vm_at a vm) ->
  only_life vm gl gl' -> at1 vms_state gl' vm = vm_state r -> vm_holds gl' vm r -> globals_hold (set_vm vm r a) gl'.
Proof.
  intros a vm r gl gl' G L E [F SO HO DO] ST VH.
  assert (FA : forall g i, of_life g = false -> at1 g gl' i = at1 g gl i) by (intros g i D; unfold at1; now rewrite F).
  destruct (l_same _ _ _ L) as (E1 & E2 & E3 & _).
  constructor; [rewrite FA by reflexivity; apply G ..| | | | | |].
  - intros p R. cbn zeta. rewrite !FA by reflexivity. apply (g_own _ _ G p R).
  - intros v V. rewrite vm_set, (FA vms_root), (FA vms_ram_base), (FA vms_ram_pages), (FA vms_granules) by reflexivity. destruct (g_vm _ _ G v V) as (S1 & S2 & S3 & S4 & S5).
    destruct (Z.eqb_spec v vm) as [->|N]; [|rewrite SO; auto]. rewrite E1, E2, E3, E. auto.
  - intros v V. rewrite vm_set. destruct (Z.eqb_spec v vm) as [->|N]; auto. destruct (g_vms _ _ G v V).
    constructor; rewrite ?(FA vms_cntvoff), ?(FA vms_vcpus), ?(FA vms_running), ?(FA vms_created), ?DO by auto; auto. rewrite <- h_hash. unfold hash_of, hash_word.
    rewrite !HO by (rewrite Z.div_add_l, ?Z.div_small by lia; lia). reflexivity.
  - intros v i V I. eapply vcpu_same; [|now apply (g_vcpus _ _ G)]. intros g D. apply F. now destruct g.
  - intros c C. eapply cpu_same; [|now apply (g_cpus _ _ G)]. intros g D. apply F. now destruct g.
  - intros v c V C. rewrite FA by reflexivity. now apply (g_lasts _ _ G).
Qed.

(* A bound is as good as one that holds the same entries. *)
Lemma world_same : forall h0 A A' m V h, (forall v l k d, A' v l k d <-> A v l k d) -> world h0 A A m V h -> world h0 A' A' m V h.
Proof.
  intros h0 A A' m V h E W.
  assert (T : forall p, touch A' p <-> touch A p).
  { intro p. split; intros (v & l & k & d & H & M); exists v, l, k, d; (split; [now apply E|exact M]). }
  destruct W. constructor; auto.
  - intros e I. apply E. auto.
  - intros e I D. apply E. auto.
  - intro c. apply E. auto.
  - now intros v l k d H.
  - intros v l k d i d' H TB I D Y. apply E. apply E in H. eapply w_closed; eauto.
  - intros v l k d i d' H TB I D Y. apply E. apply E in H. eapply w_closed; eauto.
  - intros v l k d H TB. rewrite T. apply E in H. eapply w_apart; eauto.
  - destruct w_safe as (S1 & S2 & S3). split; [|split].
    + intros v l k d v' l' k' d' p H H'. apply E in H, H'. eapply S1; eauto.
    + intros p H. apply T in H. auto.
    + intros v x p K v' l k d x' p' H. apply E in H. apply (S3 v x p); [|exact H]. apply (keeps_sub A'); [|exact K]. intros u i j y. apply E.
  - intros p i I N. apply w_mem; auto. now rewrite <- T.
  - intros p i d I N. apply w_vis; auto. now rewrite <- T.
  - intros p S (l & k & d & H & M). apply (w_secret p S). exists l, k, d. apply E in H. auto.
  - intros v x p C. apply (keeps_sub A); [|auto]. intros u i j y. apply E.
Qed.

Lemma R_lives : forall a vm r gl gl' h, R a (Mach gl h) -> lives_on a vm r -> granules r = granules (vm_at a vm) -> globals_hold (set_vm vm r a) gl' -> R (set_vm vm r a) (Mach gl' h).
Proof.
  intros a vm r gl gl' h [W O G (m & X & T) RAM ENG REGS N] L E G'. cbn [glob hw] in *.
  apply R_ends with (h0 := h) (m := m); auto.
  - now apply life_wf.
  - now apply life_onto.
  - apply counted_same with a; auto. intro v. rewrite vm_set. now destruct (Z.eqb_spec v vm) as [->|].
  - eapply world_same; [|exact X]. now apply life_entries.
  - now apply life_tables.
  - eapply registers_same; eauto. now apply life_root.
Qed.
