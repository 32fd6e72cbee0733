(* SPDX-License-Identifier: Apache-2.0 *)
(* The lone machine of spec/Isolation.v, place by place: what a list of its inputs makes of one IPA page. *)
From Coq Require Import ZArith List Bool Lia ZifyBool.
From nie.model Require Import Machine.
From nie.spec Require Import Step Isolation.
Import ListNotations.
Open Scope Z_scope.

(* What an input makes of its own place. *)
Definition built (f : Z -> Z) (c : content) : content := match c with Empty => Page f | _ => c end.
Definition taken (c : content) : content := match c with Page _ => Spent | _ => c end.
Definition reopened (c : content) : content := match c with Spent => Empty | _ => c end.
Definition wrote (i v : Z) (c : content) : content := match c with Page f => Page (fun j => if j =? i then v else f j) | _ => c end.

Definition place_of (n : input) : Z := match n with Build x _ | AddZero x | Take x | Own x _ _ | Reopen x => x end.
Definition change_of (n : input) : content -> content :=
  match n with Build _ f => built f | AddZero _ => built (fun _ => 0) | Take _ => taken | Own _ i v => wrote i v | Reopen _ => reopened end.
Lemma feed_at : forall m n y, feed m n y = if y =? place_of n then change_of n (m y) else m y.
Proof.
  intros m n y. destruct (Z.eqb_spec y (place_of n)) as [->|N].
  - destruct n as [x f|x|x|x i v|x]; cbn [feed place_of change_of]; destruct (m x) eqn:E; cbn; rewrite ?E; try reflexivity; unfold put; now rewrite Z.eqb_refl.
  - apply Z.eqb_neq in N. destruct n as [x f|x|x|x i v|x]; cbn [feed place_of] in *; destruct (m x); try reflexivity; unfold put; now rewrite N.
Qed.

(* Inputs for pages x, x + 1, ...: each place is changed once. *)
Lemma row_at : forall (f : Z -> input) x n m y, (forall i, place_of (f i) = x + i) ->
  fold_left feed (map f (numbers n)) m y = if (x <=? y) && (y <? x + Z.of_nat n) then change_of (f (y - x)) (m y) else m y.
Proof.
  intros f x n m y F. unfold numbers. induction n as [|n IH].
  - cbn [seq map fold_left]. destruct (Z.leb_spec x y), (Z.ltb_spec y (x + Z.of_nat 0)); try reflexivity. lia.
  - rewrite seq_S, !map_app, fold_left_app. cbn [map fold_left Nat.add]. rewrite feed_at, IH, F. destruct (Z.eqb_spec y (x + Z.of_nat n)) as [->|N].
    + replace ((x <=? x + Z.of_nat n) && (x + Z.of_nat n <? x + Z.of_nat n)) with false by lia.
      replace ((x <=? x + Z.of_nat n) && (x + Z.of_nat n <? x + Z.of_nat (S n))) with true by lia. now replace (x + Z.of_nat n - x) with (Z.of_nat n) by lia.
    + now replace ((x <=? y) && (y <? x + Z.of_nat (S n))) with ((x <=? y) && (y <? x + Z.of_nat n)) by lia.
Qed.

(** What is left when the words are forgotten. *)

Inductive shape := Nowhere | Closed | Some_page.
Definition shape_of (c : content) : shape := match c with Empty => Nowhere | Spent => Closed | Page _ => Some_page end.
Lemma wrote_shape : forall i v c, shape_of (wrote i v c) = shape_of c.
Proof. now intros i v []. Qed.
Definition is_own (n : input) : Prop := match n with Own _ _ _ => True | _ => False end.
Lemma own_shape : forall l m y, Forall is_own l -> shape_of (fold_left feed l m y) = shape_of (m y).
Proof.
  induction l as [|n l IH]; intros m y F; [reflexivity|]. apply Forall_inv in F as N. apply Forall_inv_tail in F. cbn [fold_left]. rewrite IH by exact F. rewrite feed_at.
  destruct n; try contradiction. cbn [place_of change_of]. destruct (_ =? _); [apply wrote_shape|reflexivity].
Qed.
Lemma own_store_own : forall w h a, Forall is_own (own_store w h a).
Proof. intros w h a. destruct a; cbn [own_store]; auto. destruct (nth_error _ _); [|constructor]. destruct (_ && _); repeat constructor. Qed.
Lemma own_stores_own : forall w g, Forall is_own (own_stores w g).
Proof.
  intros w g. unfold own_stores. induction g as [|[h [a|]] g IH]; cbn [flat_map]; [constructor| |exact IH]. apply Forall_app. split; [apply own_store_own|exact IH].
Qed.
