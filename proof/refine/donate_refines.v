(* SPDX-License-Identifier: Apache-2.0 *)
(* donate: pages of the host get an owner in the granule table, and the host loses them unless it keeps its share. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Donation.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate.
From nie.spec Require Import Core.
From nie.proof.refine Require Export page_remove_checks host_refines.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation owned := Donation.owned.
Notation hand_over := Donation.hand_over.

Lemma owned_at : forall n p o a q, 0 <= n -> own (each n (owned p o) a) q =
  if (p <=? q) && (q <? p + n) then o (q - p) else own a q.
Proof.
  intros n p o a q N. pattern n. apply natlike_ind; auto.
  - rewrite each_0. now destruct ((p <=? q) && (q <? p + 0)) eqn:E; [lia|].
  - intros i I IH. replace (Z.succ i) with (i + 1) by lia. rewrite each_next by auto. unfold Donation.owned at 1. rewrite own_set, IH.
    destruct (Z.eqb_spec q (p + i)) as [->|E].
    + replace ((p <=? p + i) && (p + i <? p + (i + 1))) with true by lia. f_equal. lia.
    + replace ((p <=? q) && (q <? p + (i + 1))) with ((p <=? q) && (q <? p + i)) by lia. reflexivity.
Qed.

(* Nothing else of the state changes. *)
Lemma owned_same : forall n p o a, 0 <= n -> let b := each n (owned p o) a in
  cfg b = cfg a /\ slots b = slots a /\ modes b = modes a /\ vms b = vms a.
Proof.
  intros n p o a N. cbn zeta. pattern n. apply natlike_ind; auto.
  intros i I IH. replace (Z.succ i) with (i + 1) by lia. rewrite each_next by auto. exact IH.
Qed.

Lemma hand_over_at : forall v p count o a q, 0 <= count -> own (hand_over v p count o a) q =
  if (p <=? q) && (q <? p + count) then o (q - p) else own a q.
Proof. intros v p count o a q N. rewrite <- owned_at by auto. reflexivity. Qed.

Section Donate.
Variables (a : state) (vm p count st v l key : Z) (o : Z -> owner).
Hypothesis Wc : wf_cfg a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS.
Hypothesis C : 0 <= count <= 512.
Hypothesis IN : forall i, 0 <= i < count -> in_ram a (p + i) = true.
Hypothesis K : 0 <= key /\ key + count <= 2 ^ 32.
Hypothesis OW : forall i, 0 <= i < count -> owner_words (o i) = (st, v, l, key + i).

Lemma owners_wp : forall gl h (Q : unit -> mach globals Machine.hw -> Prop), globals_hold a gl ->
  (forall gl', globals_hold (each count (owned p o) a) gl' -> only_granules gl gl' -> Q tt (Mach gl' h)) ->
  wp (loop 0 count tt (fun i _ =>
      each_state <- ret st ;;
      each_vm <- ret v ;;
      each_level <- ret l ;;
      each_zero <- ret 0 ;;
      each_key <- ret key ;;
      each_key <- ret (wrap U32 (key + (wrap U32 i))) ;;
      granule_set (wrap U64 (p + i)) each_state each_vm each_level each_zero each_key ;;;
      ret tt)) Q (Mach gl h).
Proof.
  intros gl h Q G H. pose proof (c_ram _ Wc) as CR.
  apply wp_loop with (I := fun i _ s => exists gl', s = Mach gl' h /\ globals_hold (each i (owned p o) a) gl' /\ only_granules gl gl');
    [lia| | |].
  - exists gl. split; [auto|]. rewrite each_0. split; [auto|apply only_refl].
  - intros i u s I (gl1 & -> & G1 & O1). pose proof (IN i I) as R. unfold in_ram in R.
    destruct (owned_same i p o a ltac:(lia)) as (CF & _ & _ & _).
    skip. rewrite (wrap32 i), (wrap32 (key + i)), wrap64 by lia.
    eapply granule_set_wp with (a := each i (owned p o) a) (o := o i).
    + destruct Wc. constructor; unfold level3_first, gib_count in *; rewrite CF; auto.
    + exact G1.
    + unfold in_ram. rewrite CF. exact R.
    + now apply OW.
    + intros gl2 G2 O2. cbn beta. go. exists gl2. split; [auto|]. rewrite each_next by lia. split; [exact G2|].
      now apply only_trans with gl1.
  - intros u s (gl1 & -> & G1 & O1). destruct u. auto.
Qed.

(* RUN and SHARED: the host keeps its mapping, the machine is as it was. *)
Lemma donate_kept_wp : forall gl h (Q : unit -> mach globals Machine.hw -> Prop), globals_hold a gl ->
  st = GRANULE_SHARED \/ st = GRANULE_RUN ->
  (forall gl', globals_hold (hand_over vm p count o a) gl' -> only_granules gl gl' -> Q tt (Mach gl' h)) ->
  wp (donate vm p count st v l 0 key) Q (Mach gl h).
Proof.
  intros gl h Q G S H. unfold donate. w_bind. apply owners_wp; auto. intros gl1 G1 O1. cbn beta. go.
  replace (negb (st =? GRANULE_SHARED) && negb (st =? GRANULE_RUN)) with false.
  2:{ destruct S as [-> | ->]; reflexivity. }
  go. apply H.
  - unfold wrap. cbn [width]. now apply granules_hold.
  - eapply only_trans; [exact O1|]. now apply only_put.
Qed.

(* The others: the host loses the pages, on every CPU, before this returns. *)
Theorem donate_wp : forall b h0 gl m h (Q : unit -> mach globals Machine.hw -> Prop), globals_hold a gl ->
  st <> GRANULE_SHARED /\ st <> GRANULE_RUN ->
  ram h0 = ram_of a -> engine h0 = engine_of a -> hidden a p count b -> tables_hold a m ->
  world h0 (Aset a) (Aset a) m (now m) h ->
  (forall gl' m' h', globals_hold (hand_over vm p count o a) gl' -> only_granules gl gl' ->
     world h0 (Aset b) (Aset b) m' (now m') h' -> tables_hold b m' ->
     (forall q i, is_word i = true -> ~ touch (Aset a) q -> own a q <> Engine -> m' (q * 512 + i) = m (q * 512 + i)) ->
     Q tt (Mach gl' h')) ->
  wp (donate vm p count st v l 0 key) Q (Mach gl h).
Proof.
  intros b h0 gl m h Q G [S1 S2] RAM ENG B T X H. unfold donate. w_bind. apply owners_wp; auto. intros gl1 G1 O1. cbn beta. go.
  replace (negb (st =? GRANULE_SHARED) && negb (st =? GRANULE_RUN)) with true by lia. w_bind.
  assert (G2 : globals_hold (hand_over vm p count o a) (put1 vms_granules vm (wrap U64 (at1 vms_granules gl1 vm + count)) gl1))
    by (unfold wrap; cbn [width]; now apply granules_hold).
  eapply host_hide_wp with (c := hand_over vm p count o a); eauto.
  { destruct (owned_same count p o a ltac:(lia)) as (CF & _ & _ & _). exact CF. }
  intros m' h' X' T' M'. cbn beta. go. eapply H; eauto.
  eapply only_trans; [exact O1|]. now apply only_put.
Qed.
End Donate.
