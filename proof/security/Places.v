(* SPDX-License-Identifier: Apache-2.0 *)
(* Where a VM's pages are, of the specification's state, and how each call of the host's that changes the map changes that. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Measure Donation Actions.
From nie.spec.call Require Import page_add page_add_zero page_remove page_shared_add table_add table_remove vm_destroy.
From nie.proof.invariant Require Import Meaning.
From nie.proof.invariant Require Adding table_remove_preserves.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* [There p]: private to the VM, on page p. *)
Inductive place := Nothing | Gone | There (p : Z).
Definition at_ipa (a : state) (v x : Z) : place :=
  match slot_at a v 3 x with
  | ToPage p => There p
  | Spent => Gone
  | _ => match slot_at a v 2 (x / 512) with ToBlock p => There (p + x mod 512) | _ => Nothing end
  end.

Lemma at_same : forall a b v x, slots b = slots a -> at_ipa b v x = at_ipa a v x.
Proof. intros a b v x E. unfold at_ipa, slot_at. now rewrite E. Qed.
Lemma at_slots : forall a b v x, (forall l k, slot_at b v l k = slot_at a v l k) -> at_ipa b v x = at_ipa a v x.
Proof. intros a b v x E. unfold at_ipa. now rewrite !E. Qed.

Section Calls.
Variables (a : state) (v : Z).
Hypothesis W : wf a.

Lemma leaf_below : forall x, slot_at a v 3 x <> Empty -> exists t, slot_at a v 2 (x / 512) = ToTable t.
Proof. intros x N. destruct (wf_slot _ W v 3 x N) as (_ & _ & _ & _ & _ & H). exact (H ltac:(lia)). Qed.

Lemma all_empty_at : forall u l n k j, all_empty a u l k n = NIE_OK -> k <= j < k + Z.of_nat n -> slot_at a u l j = Empty.
Proof.
  intros u l. induction n as [|n IH]; intros k j E J; [lia|]. cbn [all_empty] in E. destruct (slot_at a u l k) eqn:S; try discriminate E.
  destruct (Z.eq_dec j k) as [->|N]; [exact S|]. apply (IH (k + 1)); [exact E|lia].
Qed.
Lemma range_in : forall x n y, range_ok x n = true -> x <= y < x + n -> y / 512 = x / 512.
Proof. intros x n y R Y. unfold range_ok in R. lia. Qed.

(* Slots are all that counts: pages change hands, the log grows. *)
Lemma slots_handed : forall u p n o b, slots (hand_over u p n o b) = slots b.
Proof.
  intros. unfold hand_over. change (slots (each n (owned p o) b) = slots b). unfold each. induction (Z.to_nat n) as [|m IH]; cbn [each_nat]; [reflexivity|exact IH].
Qed.
Lemma slots_donated : forall u p n o b, slots (donate u p n o b) = slots b.
Proof. intros. unfold donate. change (slots (hand_over u p n o b) = slots b). apply slots_handed. Qed.
Lemma slots_if_building : forall u l b, slots (measured_if_building u l b) = slots b.
Proof. intros. unfold measured_if_building. now destruct (_ =? _). Qed.
Lemma slots_each : forall n f b, (forall i y, slots (f i y) = slots y) -> slots (each n f b) = slots b.
Proof. intros n f b F. unfold each. induction (Z.to_nat n) as [|m IH]; cbn [each_nat]; [reflexivity|]. now rewrite F. Qed.

(** What a call makes of the map. *)

(* Pages p, p + 1, ... are at x, x + 1, ..., where nothing was. *)
Definition brings (b : state) (x n p : Z) : Prop := forall y,
  if (x <=? y) && (y <? x + n) then at_ipa a v y = Nothing /\ at_ipa b v y = There (p + (y - x)) else at_ipa b v y = at_ipa a v y.
Definition takes (b : state) (x n : Z) : Prop := forall y, if (x <=? y) && (y <? x + n) then at_ipa b v y = Gone else at_ipa b v y = at_ipa a v y.
Definition same_places (b : state) : Prop := forall y, at_ipa b v y = at_ipa a v y.
(* Of a VM that is stopped, that a page was taken may be forgotten. *)
Definition fades (b : state) : Prop := forall y, at_ipa b v y = at_ipa a v y \/
  at_ipa a v y = Gone /\ at_ipa b v y = Nothing /\ vm_state (vm_at a v) = NIE_VM_STOPPED.

Lemma fades_same : forall b, same_places b -> fades b.
Proof. intros b S y. left. apply S. Qed.
Lemma empty_nothing : forall y t, slot_at a v 3 y = Empty -> slot_at a v 2 (y / 512) = ToTable t -> at_ipa a v y = Nothing.
Proof. intros y t E T. unfold at_ipa. now rewrite E, T. Qed.
Lemma check_empty_at : forall x n, check_empty a v LEVEL_PAGE x n = NIE_OK ->
  (exists t, slot_at a v 2 (x / 512) = ToTable t) /\ forall y, x <= y < x + n -> slot_at a v 3 y = Empty.
Proof.
  intros x n E. unfold check_empty in E. change (LEVEL_PAGE - 1) with 2 in E. change LEVEL_PAGE with 3 in E. destruct (slot_at a v 2 (x / 512)); try discriminate E.
  split; [eauto|]. intros y Y. apply (all_empty_at v 3 _ _ _ E). lia.
Qed.
Lemma mapped_brings : forall x n p b, slots b = slots a -> range_ok x n = true -> check_empty a v LEVEL_PAGE x n = NIE_OK ->
  brings (each n (mapped v x (fun i => ToPage (p + i))) b) x n p.
Proof.
  intros x n p b S R E y. destruct (check_empty_at x n E) as [(t & T) F]. assert (N : 0 <= n) by (unfold range_ok in R; lia).
  assert (SA : forall l k, slot_at b v l k = slot_at a v l k) by (intros; unfold slot_at; now rewrite S).
  unfold at_ipa at 2 3. rewrite !Adding.mapped_at, !SA, Z.eqb_refl by exact N. change (3 =? 3) with true. change (2 =? 3) with false. cbn [andb].
  destruct ((x <=? y) && (y <? x + n)) eqn:I; [|reflexivity]. split; [|reflexivity]. assert (Y : x <= y < x + n) by lia.
  apply (empty_nothing y t); [now apply F|]. rewrite (range_in x n y R Y). exact T.
Qed.

Lemma check_placement_range : forall u ipa pa n, check_placement a u ipa pa n = NIE_OK -> range_ok (page_of ipa) n = true.
Proof. intros u ipa pa n E. unfold check_placement in E. destruct (aligned ipa); [|discriminate E]. now destruct (range_ok (page_of ipa) n). Qed.
Lemma state_is : forall u s1 s2, vm_is a u s1 s2 = true -> vm_state (vm_at a u) = s1 \/ vm_state (vm_at a u) = s2.
Proof. intros u s1 s2 E. unfold vm_is in E. lia. Qed.

Ltac required E := match type of E with (if ?c then _ else _) = _ => let Q := fresh "Q" in destruct c eqn:Q; [|try discriminate E] end.
Lemma page_add_brings : forall ipa pa n content, fst (page_add v ipa pa n content a) = NIE_OK ->
  vm_state (vm_at a v) = NIE_VM_BUILDING /\ 1 <= n /\ brings (snd (page_add v ipa pa n content a)) (page_of ipa) n (page_of pa).
Proof.
  intros ipa pa n content. unfold page_add. cbv zeta. destruct (Z.eqb_spec (page_add_check a v ipa pa n) NIE_OK) as [E|N]; cbn [fst snd]; [|intro Q; contradiction]. intros _.
  unfold page_add_check in E. cbv zeta in E. required E. required E. required E. required E; [|rewrite E in *; discriminate].
  apply Z.eqb_eq in Q2. apply check_placement_range in Q2. apply state_is in Q0.
  split; [tauto|]. split; [unfold range_ok in Q2; lia|]. apply mapped_brings; [|exact Q2|exact E].
  rewrite slots_each by reflexivity. apply slots_donated.
Qed.

Lemma page_add_zero_brings : forall ipa pa n l, fst (page_add_zero v ipa pa n l a) = NIE_OK ->
  vm_state (vm_at a v) <> NIE_VM_STOPPED /\ 1 <= n /\ brings (snd (page_add_zero v ipa pa n l a)) (page_of ipa) n (page_of pa).
Proof.
  intros ipa pa n l. unfold page_add_zero. cbv zeta. destruct (Z.eqb_spec (page_add_zero_check a v ipa pa n l) NIE_OK) as [E|N]; cbn [fst snd]; [|intro Q; contradiction]. intros _.
  unfold page_add_zero_check in E. cbv zeta in E. required E. required E. required E. required E. required E; [|rewrite E in *; discriminate].
  apply Z.eqb_eq in Q3. apply check_placement_range in Q3. apply state_is in Q0.
  split; [destruct Q0 as [-> | ->]; discriminate|]. split; [unfold range_ok in Q3; lia|].
  assert (SI : forall b, slots b = slots (add_zero v (page_of ipa) (page_of pa) n l a) ->
    brings (add_zero v (page_of ipa) (page_of pa) n l a) (page_of ipa) n (page_of pa) -> brings b (page_of ipa) n (page_of pa)).
  { intros b S B y. specialize (B y). now rewrite (at_same _ _ v y S). }
  apply (SI _ (slots_if_building _ _ _)). clear SI. unfold add_zero. cbv zeta. destruct (Z.eqb_spec l LEVEL_PAGE) as [->|NL].
  { apply mapped_brings; [apply slots_donated|exact Q3|exact E]. }
  assert (LB : l = LEVEL_BLOCK) by (destruct (Z.eqb_spec l LEVEL_BLOCK); [assumption|discriminate Q1]).
  rewrite LB in Q2. change (LEVEL_BLOCK =? LEVEL_BLOCK) with true in Q2. cbn [negb orb] in Q2. apply Z.eqb_eq in Q2. change ENTRIES with 512 in Q2. subst n.
  set (X := page_of ipa) in *. set (p := page_of pa). assert (XA : X mod 512 = 0) by (unfold range_ok in Q3; lia). clear Q3.
  assert (E2 : slot_at a v 2 (X / 512) = Empty).
  { unfold check_empty in E. destruct (slot_at a v (LEVEL_BLOCK - 1) (X / 512 / 512)); try discriminate E. apply (all_empty_at v LEVEL_BLOCK (Z.to_nat 1) _ _ E). lia. }
  intro y. set (d := donate v p 512 (fun i => Data v (X + i)) a). assert (SA : forall i k, slot_at d v i k = slot_at a v i k) by (intros; unfold slot_at, d; now rewrite slots_donated).
  clearbody d. change LEVEL_BLOCK with 2. unfold at_ipa at 2 3. rewrite !Adding.slot_set, !SA, Z.eqb_refl. change (3 =? 2) with false. change (2 =? 2) with true. cbn [andb].
  destruct ((X <=? y) && (y <? X + 512)) eqn:I.
  - assert (Y : y / 512 = X / 512) by lia. assert (E3 : slot_at a v 3 y = Empty).
    { destruct (slot_at a v 3 y) eqn:F; [reflexivity|..]; exfalso; destruct (leaf_below y ltac:(rewrite F; discriminate)) as (t & T); rewrite Y, E2 in T; discriminate T. }
    rewrite Y, Z.eqb_refl, E3. split; [unfold at_ipa; now rewrite E3, Y, E2|]. f_equal. lia.
  - replace (y / 512 =? X / 512) with false by lia. reflexivity.
Qed.

Lemma page_shared_add_places : forall ipa pa n, same_places (snd (page_shared_add v ipa pa n a)).
Proof.
  intros ipa pa n y. unfold page_shared_add. cbv zeta. destruct (Z.eqb_spec (page_shared_add_check a v ipa pa n) NIE_OK) as [E|]; [|reflexivity]. cbn [snd].
  rewrite (at_same _ _ v y (slots_if_building _ _ _)). unfold page_shared_add_check in E. cbv zeta in E. required E. required E. required E; [|rewrite E in *; discriminate]. required E.
  required E; [|rewrite E in *; discriminate]. destruct (check_empty_at _ _ E) as [(t & T) F]. apply Z.eqb_eq in Q1.
  assert (R : range_ok (page_of ipa) n = true). { unfold check_ipa_range in Q1. destruct (aligned ipa); [|discriminate Q1]. now destruct (range_ok (page_of ipa) n). }
  assert (N : 0 <= n) by (unfold range_ok in R; lia). set (d := hand_over _ _ _ _ _). assert (SA : forall i k, slot_at d v i k = slot_at a v i k) by (intros; unfold slot_at, d; now rewrite slots_handed).
  clearbody d. unfold at_ipa at 1. rewrite !Adding.mapped_at, !SA, Z.eqb_refl by exact N. change (3 =? 3) with true. change (2 =? 3) with false. cbn [andb].
  destruct ((page_of ipa <=? y) && (y <? page_of ipa + n)) eqn:I; [|reflexivity]. assert (Y : page_of ipa <= y < page_of ipa + n) by lia.
  unfold at_ipa. now rewrite (F y Y), (range_in _ _ y R Y), T.
Qed.

Lemma spent_at : forall x n l k, 0 <= n -> slot_at (each n (spend v x) a) v l k = if (l =? 3) && ((x <=? k) && (k <? x + n)) then Spent else slot_at a v l k.
Proof.
  intros x n l k N. pose proof (Adding.mapped_at n v x (fun _ => Spent) a v l k N) as M. rewrite Z.eqb_refl in M. exact M.
Qed.
Lemma page_remove_takes : forall ipa n, fst (fst (fst (page_remove v ipa n a))) = NIE_OK -> 1 <= n /\ takes (snd (page_remove v ipa n a)) (page_of ipa) n.
Proof.
  intros ipa n. unfold page_remove. cbv zeta. destruct (Z.eqb_spec (page_remove_check a v ipa n) NIE_OK) as [E|N]; cbn [fst snd]; [|intro Q; contradiction]. intros _.
  unfold page_remove_check in E. cbv zeta in E. required E. required E. required E. required E. assert (N : 1 <= n) by (unfold range_ok in Q2; lia). split; [exact N|].
  intro y. rewrite (at_same (each n (spend v (page_of ipa)) a)) by (apply slots_each; reflexivity). unfold at_ipa at 1 2. rewrite !spent_at by lia. change (3 =? 3) with true. change (2 =? 3) with false. cbn [andb].
  now destruct ((page_of ipa <=? y) && (y <? page_of ipa + n)).
Qed.

(* The pages that are added were the host's. *)
Lemma host_owns_at : forall n p i, host_owns a p n = true -> 0 <= i < Z.of_nat n -> own a (p + i) = Host.
Proof.
  induction n as [|n IH]; intros p i E I; [lia|]. cbn [host_owns] in E. destruct (own a p) eqn:O; try discriminate E. destruct (Z.eq_dec i 0) as [->|N]; [now rewrite Z.add_0_r|].
  replace (p + i) with ((p + 1) + (i - 1)) by lia. apply IH; [exact E|lia].
Qed.
Lemma check_placement_hosts : forall u ipa pa n, check_placement a u ipa pa n = NIE_OK -> forall i, 0 <= i < n -> own a (page_of pa + i) = Host.
Proof.
  intros u ipa pa n E i I. unfold check_placement in E. required E. required E. required E. required E. unfold check_donation in E. cbv zeta in E. required E. required E. required E. required E.
  apply (host_owns_at (Z.to_nat n)); [assumption|lia].
Qed.
Lemma page_add_hosts : forall ipa pa n content, fst (page_add v ipa pa n content a) = NIE_OK -> forall i, 0 <= i < n -> own a (page_of pa + i) = Host.
Proof.
  intros ipa pa n content. unfold page_add. cbv zeta. destruct (Z.eqb_spec (page_add_check a v ipa pa n) NIE_OK) as [E|N]; cbn [fst snd]; [|intro Q; contradiction]. intros _.
  unfold page_add_check in E. cbv zeta in E. required E. required E. required E. required E; [|rewrite E in *; discriminate]. apply Z.eqb_eq in Q2. exact (check_placement_hosts _ _ _ _ Q2).
Qed.
Lemma page_add_zero_hosts : forall ipa pa n l, fst (page_add_zero v ipa pa n l a) = NIE_OK -> forall i, 0 <= i < n -> own a (page_of pa + i) = Host.
Proof.
  intros ipa pa n l. unfold page_add_zero. cbv zeta. destruct (Z.eqb_spec (page_add_zero_check a v ipa pa n l) NIE_OK) as [E|N]; cbn [fst snd]; [|intro Q; contradiction]. intros _.
  unfold page_add_zero_check in E. cbv zeta in E. required E. required E. required E. required E. required E; [|rewrite E in *; discriminate]. apply Z.eqb_eq in Q3. exact (check_placement_hosts _ _ _ _ Q3).
Qed.
End Calls.
