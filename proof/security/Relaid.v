(* SPDX-License-Identifier: Apache-2.0 *)
(* Tables come and go, a VM opens a place again, a VM ends: what becomes of where a VM's pages are. A call for another VM moves none. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Measure Donation Actions.
From nie.spec.call Require Import page_add page_add_zero page_remove page_shared_add table_add table_remove vm_create vm_destroy.
From nie.spec.trap Require Import vcpu_call.
From nie.proof.invariant Require Import Meaning.
From nie.proof.invariant Require Adding.
From nie.proof.security Require Import Places.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.
Ltac required E := match type of E with (if ?c then _ else _) = _ => let Q := fresh "Q" in destruct c eqn:Q; [|try discriminate E] end.

Lemma forget_at : forall a v l key n i k, 0 <= n -> slot_at (each n (forget v l key) a) v i k =
  if (i =? l) && (key * 512 <=? k) && (k <? key * 512 + n) then Empty else slot_at a v i k.
Proof.
  intros a v l key n i k N. pattern n. apply natlike_ind; [|intros m M IH|exact N].
  - rewrite Adding.each_0. destruct ((i =? l) && (key * 512 <=? k) && (k <? key * 512 + 0)) eqn:E; [lia|reflexivity].
  - replace (Z.succ m) with (m + 1) by lia. rewrite Adding.each_next by exact M. unfold forget at 1. rewrite Adding.slot_set, IH, Z.eqb_refl. destruct (Z.eqb_spec i l); cbn [andb]; [|reflexivity].
    destruct (Z.eqb_spec k (key * 512 + m)) as [->|E]; [now replace ((key * 512 <=? key * 512 + m) && (key * 512 + m <? key * 512 + (m + 1))) with true by lia|].
    now replace ((key * 512 <=? k) && (k <? key * 512 + (m + 1))) with ((key * 512 <=? k) && (k <? key * 512 + m)) by lia.
Qed.
#[local] Opaque each donate hand_over.
Section Calls.
Variables (a : state) (v : Z).
Hypothesis W : wf a.

(* The page that a split block has at y is the one it had. *)
Lemma table_add_places : forall ipa l pa, same_places a v (snd (table_add v ipa l pa a)).
Proof.
  intros ipa l pa y. unfold table_add. cbv zeta. destruct (Z.eqb_spec (table_add_check a v ipa l pa) NIE_OK) as [E|]; [|reflexivity]. cbn [snd].
  unfold table_add_check in E. cbv zeta in E. required E. required E. required E. required E. required E. required E; [|rewrite E in *; discriminate]. required E.
  set (key := page_of ipa / pages_below (l - 1)) in *. set (t := page_of pa). set (d := donate _ _ _ _ _).
  assert (SA : forall i k, slot_at d v i k = slot_at a v i k) by (intros; unfold slot_at, d; now rewrite slots_donated). clearbody d. apply orb_prop in Q1.
  destruct Q1 as [L|L]; apply Z.eqb_eq in L; subst l; [change (2 - 1) with 1 in *|change (3 - 1) with 2 in *].
  - destruct (slot_at a v 1 key) eqn:S; try discriminate E.
    + unfold at_ipa. rewrite !Adding.slot_set, !SA, Z.eqb_refl. reflexivity.
    + destruct (wf_blk _ W _ _ _ _ S) as (X & _). discriminate X.
  - destruct (slot_at a v 2 key) eqn:S; try discriminate E.
    + unfold at_ipa at 1. rewrite !Adding.slot_set, !SA, Z.eqb_refl. change (3 =? 2) with false. change (2 =? 2) with true. cbn [andb].
      destruct (Z.eqb_spec (y / 512) key) as [Y|]; [|reflexivity]. unfold at_ipa. rewrite Y, S.
      destruct (slot_at a v 3 y) eqn:F; try reflexivity; exfalso; destruct (leaf_below a v W y ltac:(rewrite F; discriminate)) as (q & T); rewrite Y, S in T; discriminate T.
    + unfold at_ipa at 1. rewrite !Adding.slot_set, !Adding.mapped_at, !SA, !Z.eqb_refl by lia. change (3 =? 2) with false. change (2 =? 2) with true. change (3 =? 3) with true. change (2 =? 3) with false. cbn [andb].
      destruct (Z.eqb_spec (y / 512) key) as [Y|Y].
      * replace ((key * 512 <=? y) && (y <? key * 512 + 512)) with true by lia. unfold at_ipa. rewrite Y, S.
        destruct (slot_at a v 3 y) eqn:F; try (f_equal; lia); exfalso; destruct (leaf_below a v W y ltac:(rewrite F; discriminate)) as (q & T); rewrite Y, S in T; discriminate T.
      * replace ((key * 512 <=? y) && (y <? key * 512 + 512)) with false by lia. reflexivity.
Qed.

Lemma entries_free_at : forall l too n k j, entries_free a v l k too n = true -> k <= j < k + Z.of_nat n ->
  slot_at a v l j = Empty \/ slot_at a v l j = Spent /\ too = true.
Proof.
  intros l too. induction n as [|n IH]; intros k j E J; [lia|]. cbn [entries_free] in E. apply andb_prop in E as [E1 E2].
  destruct (Z.eq_dec j k) as [->|N]; [|apply (IH (k + 1)); [exact E2|lia]]. destruct (slot_at a v l k); try discriminate E1; auto.
Qed.
Lemma entries_free_512 : forall l too k j, entries_free a v l k too 512 = true -> k <= j < k + 512 -> slot_at a v l j = Empty \/ slot_at a v l j = Spent /\ too = true.
Proof. intros l too k j E J. exact (entries_free_at l too 512 k j E J). Qed.
Lemma removed_at : forall n t l key i k, 0 <= n -> slot_at (add_granules v (-1) (set_own t Host (set_slot v (l - 1) key Empty (each n (forget v l key) a)))) v i k =
  if (i =? l - 1) && (k =? key) then Empty else if (i =? l) && (key * 512 <=? k) && (k <? key * 512 + n) then Empty else slot_at a v i k.
Proof.
  intros n t l key i k N. transitivity (slot_at (set_slot v (l - 1) key Empty (each n (forget v l key) a)) v i k); [reflexivity|]. now rewrite Adding.slot_set, forget_at, Z.eqb_refl by exact N.
Qed.
Lemma table_remove_fades : forall ipa l, fades a v (snd (table_remove v ipa l a)).
Proof.
  intros ipa l. unfold table_remove. cbv zeta. destruct (Z.eqb_spec (table_remove_check a v ipa l) NIE_OK) as [E|]; [|apply fades_same; intro y; reflexivity].
  unfold table_remove_check in E. cbv zeta in E. required E. required E. required E. required E. required E.
  set (key := page_of ipa / pages_below (l - 1)) in *. destruct (slot_at a v (l - 1) key) as [| |t|t|t|t] eqn:S; cbn [snd]; try (apply fades_same; intro y; reflexivity). required E. intro y.
  unfold at_ipa. rewrite !removed_at by lia. pose proof (fun j => entries_free_512 l _ _ j Q4) as F. clear Q4. apply orb_prop in Q1.
  destruct Q1 as [L|L]; apply Z.eqb_eq in L; subst l; [change (2 - 1) with 1 in *|change (3 - 1) with 2 in *].
  - change (3 =? 1) with false. change (3 =? 2) with false. change (2 =? 1) with false. change (2 =? 2) with true. cbn [andb]. left.
    destruct ((key * 512 <=? y / 512) && (y / 512 <? key * 512 + 512)) eqn:I; [|reflexivity]. destruct (F (y / 512) ltac:(lia)) as [G|[G _]]; rewrite G; reflexivity.
  - change (3 =? 2) with false. change (3 =? 3) with true. change (2 =? 2) with true. change (2 =? 3) with false. cbn [andb]. destruct (Z.eqb_spec (y / 512) key) as [Y|Y].
    + replace ((key * 512 <=? y) && (y <? key * 512 + 512)) with true by lia. rewrite Y, S. destruct (F y ltac:(lia)) as [-> | [-> T]]; [now left|]. right. split; [reflexivity|]. split; [reflexivity|]. now apply Z.eqb_eq.
    + replace ((key * 512 <=? y) && (y <? key * 512 + 512)) with false by lia. now left.
Qed.

Lemma reopen_places : forall ipa, let r := page_reopen v ipa a in
  (fst r = NIE_OK /\ at_ipa a v (page_of ipa) = Gone /\ forall y, at_ipa (snd r) v y = if y =? page_of ipa then Nothing else at_ipa a v y) \/ (fst r <> NIE_OK /\ snd r = a).
Proof.
  intros ipa. cbv zeta. unfold page_reopen. destruct (negb (aligned ipa)); [right; split; [discriminate|reflexivity]|]. destruct (negb (in_ipa_space ipa)); [right; split; [discriminate|reflexivity]|].
  destruct (slot_at a v 3 (page_of ipa)) eqn:S; try (right; split; [discriminate|reflexivity]). left. split; [reflexivity|]. cbn [fst snd]. split; [unfold at_ipa; now rewrite S|].
  intro y. unfold at_ipa. rewrite !Adding.slot_set, !Z.eqb_refl. change (2 =? 3) with false. cbn [andb]. destruct (Z.eqb_spec y (page_of ipa)) as [->|]; [|reflexivity].
  destruct (leaf_below a v W _ ltac:(rewrite S; discriminate)) as (t & T). now rewrite T.
Qed.

Lemma reopen_there : forall z ipa y p, slots z = slots a -> at_ipa (snd (page_reopen v ipa z)) v y = There p -> at_ipa z v y = There p.
Proof.
  intros z ipa y p SZ. unfold page_reopen. destruct (negb _); [auto|]. destruct (negb _); [auto|]. destruct (slot_at z v 3 (page_of ipa)) eqn:S; auto. cbn [snd].
  unfold at_ipa. rewrite !Adding.slot_set, !Z.eqb_refl. change (2 =? 3) with false. cbn [andb]. change (3 =? 3) with true. cbn [andb]. destruct (Z.eqb_spec y (page_of ipa)) as [->|]; [|auto].
  assert (E : forall l k, slot_at z v l k = slot_at a v l k) by (intros; unfold slot_at; now rewrite SZ). rewrite E in S. destruct (leaf_below a v W _ ltac:(rewrite S; discriminate)) as (t & T). rewrite E, T. discriminate.
Qed.
(* An index that nobody uses has nothing anywhere. *)
Lemma free_nothing : vm_state (vm_at a v) = NIE_VM_FREE -> forall y, at_ipa a v y = Nothing.
Proof.
  intros F y. assert (E : forall l k, slot_at a v l k = Empty).
  { intros l k. destruct (slot_at a v l k) eqn:S; [reflexivity|..]; exfalso; destruct (wf_slot _ W v l k ltac:(rewrite S; discriminate)) as (_ & N & _); contradiction. }
  unfold at_ipa. now rewrite !E.
Qed.
End Calls.

(** A call for another VM. *)

Section Others.
Variables (a : state) (u v : Z).
Hypothesis N : v <> u.
Notation same b := (same_places a v b).
Lemma same_slots : forall b, (forall l k, slot_at b v l k = slot_at a v l k) -> same b.
Proof. intros b E y. now apply at_slots. Qed.
Lemma set_elsewhere : forall l k e b i j, slot_at (set_slot u l k e b) v i j = slot_at b v i j.
Proof. intros. rewrite Adding.slot_set, (proj2 (Z.eqb_neq v u) N). reflexivity. Qed.
Lemma each_elsewhere : forall n f b i j, (forall m x, slot_at (f m x) v i j = slot_at x v i j) -> slot_at (each n f b) v i j = slot_at b v i j.
Proof. Transparent each. intros n f b i j F. unfold each. induction (Z.to_nat n) as [|m IH]; cbn [each_nat]; [reflexivity|]. now rewrite F. Qed.
#[local] Opaque each.
Lemma via : forall b c i j, slots b = slots c -> slot_at b v i j = slot_at c v i j.
Proof. intros b c i j E. unfold slot_at. now rewrite E. Qed.

Lemma slots_given : forall w t b, slots (add_granules w (-1) (set_own t Host b)) = slots b.
Proof. reflexivity. Qed.
Lemma slots_vm : forall w r b, slots (set_vm w r b) = slots b.
Proof. reflexivity. Qed.
Lemma slots_last : forall w n b, slots (each n (fun c => set_last w c 0) b) = slots b.
Proof. intros. apply slots_each. reflexivity. Qed.
Lemma slots_cleared : forall b i j, slot_at (b <| slots ::= fun m => Map.set m u (Map.const (Map.const Empty)) |>) v i j = slot_at b v i j.
Proof.
  intros b i j. change (Map.get (Map.get (Map.get (Map.set (slots b) u (Map.const (Map.const Empty))) v) i) j = slot_at b v i j). rewrite Map.get_set, (proj2 (Z.eqb_neq v u) N). reflexivity.
Qed.

Lemma page_add_others : forall ipa pa n content, same (snd (page_add u ipa pa n content a)).
Proof.
  intros. apply same_slots. intros i j. unfold page_add. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|reflexivity]. rewrite each_elsewhere by (intros; apply set_elsewhere). apply via.
  rewrite slots_each by reflexivity. apply slots_donated.
Qed.
Lemma page_add_zero_others : forall ipa pa n l, same (snd (page_add_zero u ipa pa n l a)).
Proof.
  intros. apply same_slots. intros i j. unfold page_add_zero. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|reflexivity]. rewrite (via _ _ i j (slots_if_building _ _ _)). unfold add_zero. cbv zeta.
  destruct (l =? LEVEL_PAGE); [rewrite each_elsewhere by (intros; apply set_elsewhere)|rewrite set_elsewhere]; apply via, slots_donated.
Qed.
Lemma page_shared_add_others : forall ipa pa n, same (snd (page_shared_add u ipa pa n a)).
Proof.
  intros. apply same_slots. intros i j. unfold page_shared_add. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|reflexivity]. rewrite (via _ _ i j (slots_if_building _ _ _)).
  rewrite each_elsewhere by (intros; apply set_elsewhere). apply via, slots_handed.
Qed.
Lemma page_remove_others : forall ipa n, same (snd (page_remove u ipa n a)).
Proof.
  intros. apply same_slots. intros i j. unfold page_remove. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|reflexivity]. transitivity (slot_at (each n (spend u (page_of ipa)) a) v i j).
  - apply via, slots_each. reflexivity.
  - apply each_elsewhere. intros. apply set_elsewhere.
Qed.
Lemma table_add_others : forall ipa l pa, same (snd (table_add u ipa l pa a)).
Proof.
  intros. apply same_slots. intros i j. unfold table_add. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|reflexivity]. rewrite set_elsewhere.
  destruct (slot_at a u _ _); try (apply via, slots_donated). rewrite each_elsewhere by (intros; apply set_elsewhere). apply via, slots_donated.
Qed.
Lemma table_remove_others : forall ipa l, same (snd (table_remove u ipa l a)).
Proof.
  intros. apply same_slots. intros i j. unfold table_remove. cbv zeta. destruct (_ =? NIE_OK); [|reflexivity]. destruct (slot_at a u _ _); cbn [snd]; try reflexivity.
  rewrite (via _ _ i j (slots_given _ _ _)).
  rewrite set_elsewhere. apply each_elsewhere. intros. apply set_elsewhere.
Qed.
Lemma vm_destroy_others : same (snd (vm_destroy u a)).
Proof.
  apply same_slots. intros i j. unfold vm_destroy. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|reflexivity]. unfold clear_vm. cbv zeta.
  rewrite (via _ _ i j (slots_vm _ _ _)), (via _ _ i j (slots_last _ _ _)), slots_cleared. unfold give_back. now rewrite (via _ _ i j (slots_given _ _ _)).
Qed.
Lemma reopen_others : forall ipa, same (snd (page_reopen u ipa a)).
Proof.
  intros. apply same_slots. intros i j. unfold page_reopen. destruct (negb _); [reflexivity|]. destruct (negb _); [reflexivity|]. destruct (slot_at a u 3 _); try reflexivity. apply set_elsewhere.
Qed.
End Others.
