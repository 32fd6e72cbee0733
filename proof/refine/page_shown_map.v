(* SPDX-License-Identifier: Apache-2.0 *)
(* The map with the added pages in it: what is new leads to pages, and the entries that the C stores are those of the map. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Donation.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding.
From nie.proof.invariant Require page_add_zero_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation Shared donate_refines page_shown_log page_shown_moment.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation zero_pages := page_add_zero_preserves.zero_pages.
Notation zero_block := page_add_zero_preserves.zero_block.

Section Map.
Variables (a z : state) (vm x p count t : Z).
Hypothesis W : wf a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at a vm) <> NIE_VM_FREE.
Hypothesis X : 0 <= x < 2 ^ 27.
Hypothesis C : 1 <= count /\ p mod 512 + count <= 512.
Hypothesis CX : 0 <= x /\ x mod 512 + count <= 512.
Hypothesis HO : forall i, 0 <= i < count -> in_ram a (p + i) = true /\ own a (p + i) = Host.
Notation k := (Adding.kept p count a).

(* What the moment's theorem asks of [z], and of the words that are stored. *)
Record adds (N : Z -> Z -> Z -> Prop) (l : Z) (entry : Z -> Z -> Prop) : Prop := {
  ad_linked : linked k p count N z;
  ad_was : forall v j y, N v j y -> Machine.valid (enc (slot_at k v j y)) = false;
  ad_is : forall v j y, N v j y -> is_table j (enc (slot_at z v j y)) = false;
  ad_own : forall q, given p count q -> in_ram z q = true /\ exists y, own z q = Data vm y;
  ad_word : let '(q, _, w, _) := walk_end a vm x l in forall m, tables_hold z m ->
      forall i e, entry i e -> expected (Aset z) q (w + i) e;
}.

Lemma ad_pages : slot_at a vm 2 (x / 512) = ToTable t -> (forall y, x <= y < x + count -> slot_at a vm 3 y = Empty) ->
  (let b := zero_pages a vm x p count in cfg z = cfg b /\ owners z = owners b /\ slots z = slots b /\ modes z = modes b /\ same_records b z) ->
  adds (page_entries vm x count) 3 (fun i e => 0 <= i < count /\ e = Z.lor (Z.lor ((p + i) * 4096) DESC_NORMAL) DESC_PAGE).
Proof.
  intros T EM (Z1 & Z2 & Z3 & Z4 & Z5). destruct (page_add_zero_preserves.zero_pages_facts a vm x p count W V C CX HO t T EM) as [L0 _].
  pose proof (linked_records _ _ _ _ _ _ L0 Z1 Z2 Z3 Z4 Z5) as L. pose proof (linked_wf L) as WZ.
  assert (P0 : 0 < p /\ p + count <= 2 ^ 27 + 1).
  { pose proof (c_ram _ (wf_c _ W)). destruct (HO 0) as [R0 _]; [lia|]. destruct (HO (count - 1)) as [R1 _]; [lia|]. unfold in_ram in *. lia. }
  assert (SL : forall i, 0 <= i < count -> slot_at z vm 3 (x + i) = ToPage (p + i)).
  { intros i I. unfold slot_at. rewrite Z3. fold (slot_at (zero_pages a vm x p count) vm 3 (x + i)).
    now rewrite (page_add_zero_preserves.zero_pages_slot a vm x p count C HO EM). }
  constructor; auto.
  - intros v j y (-> & -> & Y). rewrite (Adding.kept_slots a p count W C HO), EM by lia. reflexivity.
  - intros v j y (-> & -> & Y). reflexivity.
  - intros q Gq. split; [rewrite (l_ram L); now apply (Adding.kept_free a p count W C HO)|]. exists (x + (q - p)).
    unfold own. rewrite Z2, (page_add_zero_preserves.zero_pages_but a vm x p count C HO EM).
    change (own (Donation.hand_over vm p count (fun i => Data vm (x + i)) a) q = Data vm (x + (q - p))).
    rewrite hand_over_at by lia. unfold given in Gq. now replace ((p <=? q) && (q <? p + count)) with true by lia.
  - destruct (wf_slot _ W vm 2 (x / 512)) as (_ & _ & _ & _ & _ & PT); [congruence|]. destruct PT as [t1 T1]; [lia|].
    change (2 - 1) with 1 in T1. replace (x / 512 / 512) with (x / 262144) in T1 by lia.
    destruct (wf_tab _ W _ _ _ _ T) as (_ & RT & OT). change (2 + 1) with 3 in OT.
    unfold walk_end. change (3 =? 1) with false. change (3 =? 2) with false. cbv iota. rewrite T1, T. intros m TH i e (I & ->).
    assert (EE : Z.lor (Z.lor ((p + i) * 4096) DESC_NORMAL) DESC_PAGE = enc (slot_at z vm 3 (x / 512 * 512 + (x mod 512 + i)))).
    { replace (x / 512 * 512 + (x mod 512 + i)) with (x + i) by lia. rewrite SL by lia.
      rewrite <- Z.lor_assoc. change (Z.lor DESC_NORMAL DESC_PAGE) with 2047. norm. apply lor_page; lia. }
    rewrite EE. apply (expected_entry z m); auto.
    + rewrite (l_ram L), (h_ram (Adding.kept_is a p count W C HO)). exact RT.
    + apply (l_kept L); try discriminate. rewrite (h_own (Adding.kept_is a p count W C HO)); auto. intro Gq. destruct (HO (t - p)) as [_ H]; [unfold given in Gq; lia|].
      replace (p + (t - p)) with t in H by lia. congruence.
    + unfold is_word. lia.
Qed.

Lemma ad_block : count = 512 /\ p mod 512 = 0 /\ x mod 512 = 0 -> slot_at a vm 1 (x / 512 / 512) = ToTable t -> slot_at a vm 2 (x / 512) = Empty ->
  (let b := zero_block a vm x p count in cfg z = cfg b /\ owners z = owners b /\ slots z = slots b /\ modes z = modes b /\ same_records b z) ->
  adds (one_entry vm 2 (x / 512)) 2 (fun i e => i = 0 /\ e = Z.lor (Z.lor (p * 4096) DESC_NORMAL) DESC_BLOCK).
Proof.
  intros BL T EM (Z1 & Z2 & Z3 & Z4 & Z5). destruct (page_add_zero_preserves.zero_block_facts a vm x p count W V C CX HO BL t T EM) as [L0 _].
  pose proof (linked_records _ _ _ _ _ _ L0 Z1 Z2 Z3 Z4 Z5) as L. pose proof (linked_wf L) as WZ.
  assert (P0 : 0 < p /\ p + count <= 2 ^ 27 + 1).
  { pose proof (c_ram _ (wf_c _ W)). destruct (HO 0) as [R0 _]; [lia|]. destruct (HO (count - 1)) as [R1 _]; [lia|]. unfold in_ram in *. lia. }
  assert (SL : slot_at z vm 2 (x / 512) = ToBlock p).
  { unfold slot_at. rewrite Z3. fold (slot_at (zero_block a vm x p count) vm 2 (x / 512)).
    unfold page_add_zero_preserves.zero_block. now rewrite slot_set, !Z.eqb_refl. }
  constructor; auto.
  - intros v j y (-> & -> & ->). rewrite (Adding.kept_slots a p count W C HO), EM. reflexivity.
  - intros v j y (-> & -> & ->). rewrite SL. norm. unfold is_table. rewrite mod4_of_desc. reflexivity.
  - intros q Gq. split; [rewrite (l_ram L); now apply (Adding.kept_free a p count W C HO)|]. exists (x + (q - p)).
    unfold own. rewrite Z2.
    change (own (Donation.hand_over vm p count (fun i => Data vm (x + i)) a) q = Data vm (x + (q - p))).
    rewrite hand_over_at by lia. unfold given in Gq. now replace ((p <=? q) && (q <? p + count)) with true by lia.
  - destruct (wf_tab _ W _ _ _ _ T) as (_ & RT & OT). change (1 + 1) with 2 in OT.
    unfold walk_end. change (2 =? 1) with false. change (2 =? 2) with true. cbv iota.
    replace (x / 262144) with (x / 512 / 512) by lia. rewrite T. intros m TH i e (-> & ->).
    assert (EE : Z.lor (Z.lor (p * 4096) DESC_NORMAL) DESC_BLOCK = enc (slot_at z vm 2 (x / 512 / 512 * 512 + (x / 512 mod 512 + 0)))).
    { replace (x / 512 / 512 * 512 + (x / 512 mod 512 + 0)) with (x / 512) by lia. rewrite SL.
      rewrite <- Z.lor_assoc. change (Z.lor DESC_NORMAL DESC_BLOCK) with 2045. norm. apply lor_page; lia. }
    rewrite EE. apply (expected_entry z m); auto.
    + rewrite (l_ram L), (h_ram (Adding.kept_is a p count W C HO)). exact RT.
    + apply (l_kept L); try discriminate. rewrite (h_own (Adding.kept_is a p count W C HO)); auto. intro Gq. destruct (HO (t - p)) as [_ H]; [unfold given in Gq; lia|].
      replace (p + (t - p)) with t in H by lia. congruence.
    + unfold is_word. lia.
Qed.
End Map.
