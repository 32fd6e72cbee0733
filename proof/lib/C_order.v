(* SPDX-License-Identifier: Apache-2.0 *)
(* Tuples of integers; programs that succeed whenever others do; locals of both sides that agree. *)
From Coq Require Import ZArith List String Bool Lia.
From nie.lib Require Import C_text.
Import ListNotations.
Open Scope Z_scope.

(** Tuples. *)

Lemma open_from_untup : forall n A R (t : tup_from A n) (k : A -> list Z -> R),
  open_from n A t k = let p := open_from n A t (fun a l => (a, l)) in k (fst p) (snd p).
Proof.
  induction n as [|n IH]; intros; simpl; trivial.
  rewrite IH, (IH _ _ t (fun p l => let (a, z) := p in (a, z :: l))). simpl.
  destruct (open_from n (A * Z) t _) as [[a z] l]; reflexivity.
Qed.

Lemma open_untup : forall n R (t : tup n) (k : list Z -> R), open n t k = k (untup t).
Proof.
  intros [|n] R t k; [reflexivity|]. unfold untup, open.
  rewrite open_from_untup, (open_from_untup _ _ _ _ (fun z l => z :: l)). reflexivity.
Qed.

Lemma pack_from_open : forall n A a l (t : tup_from A n),
  pack_from n A a l = Some t -> open_from n A t (fun a l => (a, l)) = (a, l).
Proof.
  induction n as [|n IH]; intros A a [|z l] t H; simpl in *; try discriminate.
  - now inversion H.
  - apply IH in H. rewrite open_from_untup, H. reflexivity.
Qed.

Lemma untup_pack : forall n l (t : tup n), pack n l = Some t -> untup t = l.
Proof.
  intros [|n] [|z l] t H; try discriminate; [reflexivity|].
  apply pack_from_open in H. unfold untup, open. rewrite open_from_untup, H. reflexivity.
Qed.

Lemma pack_from_untup : forall n A (t : tup_from A n),
  let p := open_from n A t (fun a l => (a, l)) in pack_from n A (fst p) (snd p) = Some t.
Proof.
  induction n as [|n IH]; intros; simpl; trivial. unfold p; clear p. simpl.
  rewrite open_from_untup. simpl. specialize (IH _ t). simpl in IH.
  destruct (open_from n (A * Z) t (fun a l => (a, l))) as [[a z] l]. exact IH.
Qed.

Lemma pack_untup : forall n (t : tup n), pack n (untup t) = Some t.
Proof.
  intros [|n] t; [now destruct t|]. unfold untup, open. rewrite open_from_untup. simpl.
  apply pack_from_untup.
Qed.

Lemma pack_from_length : forall n A a l t, pack_from n A a l = Some t -> List.length l = n.
Proof.
  induction n as [|n IH]; intros A a [|z l] t H; simpl in *; try discriminate; trivial.
  f_equal. eauto.
Qed.

Lemma untup_length : forall n (t : tup n), List.length (untup t) = n.
Proof.
  intros n t. generalize (pack_untup n t). destruct n as [|n], (untup t) as [|z l]; simpl; intros H;
    try discriminate; trivial. f_equal. eauto using pack_from_length.
Qed.

(** One program succeeds whenever the other does, and alike. *)

Section Order.
Context {St : Type}.

Definition le {A} (m m' : M St A) : Prop := forall s r, m s = Some r -> m' s = Some r.

Lemma le_refl : forall A (m : M St A), le m m.
Proof. now unfold le. Qed.
Lemma le_trans : forall A (a b c : M St A), le a b -> le b c -> le a c.
Proof. unfold le; auto. Qed.
Lemma le_crash : forall A (m : M St A), le crash m.
Proof. unfold le, crash; discriminate. Qed.
Lemma le_bind : forall A B (m : M St A) (k k' : A -> M St B),
  (forall a, le (k a) (k' a)) -> le (bind m k) (bind m k').
Proof. unfold le, bind; intros A B m k k' H s r. destruct (m s) as [[a s']|]; auto. Qed.
Lemma le_assoc : forall A B C (m : M St C) (a : M St A) (b : A -> M St B) (c : B -> M St C),
  le m (bind a (fun x => bind (b x) c)) -> le m (bind (bind a b) c).
Proof.
  unfold le, bind; intros A B C m a b c H s r E. specialize (H s r E).
  destruct (a s) as [[x s']|]; auto.
Qed.
Lemma le_if : forall A (c : bool) (a a' b b' : M St A),
  (c = true -> le a a') -> (c = false -> le b b') -> le (if c then a else b) (if c then a' else b').
Proof. intros A []; auto. Qed.
Lemma le_lift : forall A B (o : option A) (a : A) (m : M St B) K,
  o = Some a -> le m (K a) -> le m (bind (lift o) K).
Proof. intros; subst; assumption. Qed.

Lemma bind_bool : forall A B (c : bool) (a b : M St A) (k : A -> M St B) s,
  bind (if c then a else b) k s = (if c then bind a k else bind b k) s.
Proof. now intros A B []. Qed.


Definition agrees (d : string -> list Z -> M St (list Z)) (tab : list (string * fsem St)) : Prop :=
  forall f F, get f tab = Some F -> forall args s t s',
  run F args s = Some (t, s') -> d f args s = Some (untup t, s').
End Order.

Definition agree (en : env) (l : locals) : Prop := forall x v, get x en = Some v -> l x = Some v.

(** Locals. *)

Lemma mem_In : forall x l, mem x l = true <-> In x l.
Proof.
  unfold mem. intros x l. rewrite existsb_exists. split.
  - intros (y & H & E). apply String.eqb_eq in E. now subst.
  - intros H. exists x. now rewrite String.eqb_refl.
Qed.

Lemma mem_union : forall x b a, mem x (union a b) = mem x a || mem x b.
Proof.
  assert (App : forall x a b, mem x (a ++ b) = mem x a || mem x b).
  { intros. unfold mem. apply existsb_app. }
  induction b as [|y b IH]; intros a; simpl; [now rewrite orb_false_r|].
  destruct (mem y a) eqn:M; rewrite IH; [|rewrite App; simpl; now rewrite orb_false_r, orb_assoc].
  destruct (String.eqb_spec x y) as [->|]; simpl; [now rewrite M | trivial].
Qed.

Lemma agree_cons : forall en l x v, agree en l -> agree ((x, v) :: en) (set x (Some v) l).
Proof.
  intros en l x v A y w H. simpl in H. unfold set.
  destruct (String.eqb_spec y x) as [->|n]; [rewrite String.eqb_refl; trivial|].
  destruct (String.eqb_spec x y); [congruence | auto].
Qed.

Lemma agree_unset : forall en l x, agree en l -> agree (unset x en) (set x None l).
Proof.
  intros en l x A y w H. assert (E : x <> y /\ get y en = Some w).
  { clear A l. induction en as [|[z u] en IH]; simpl in H; [discriminate|].
    destruct (String.eqb_spec x z) as [->|n]; simpl in H.
    - destruct (IH H) as [N G]. split; trivial. simpl.
      destruct (String.eqb_spec y z); [congruence | trivial].
    - simpl. destruct (String.eqb_spec y z) as [->|]; [split; trivial | auto]. }
  destruct E as [N G]. unfold set. destruct (String.eqb_spec x y); [congruence | auto].
Qed.

Lemma agree_put : forall xs vs en l l', set_all xs vs l = Some l' -> agree en l -> agree (put xs vs en) l'.
Proof.
  induction xs as [|x xs IH]; intros [|v vs] en l l' H A; simpl in H; try discriminate.
  - now inversion H; subst.
  - destruct (set_all xs vs l) as [l1|] eqn:E; [|discriminate]. inversion H; subst.
    apply agree_cons. eauto.
Qed.

Lemma set_all_length : forall xs vs l, List.length xs = List.length vs -> exists l', set_all xs vs l = Some l'.
Proof.
  induction xs as [|x xs IH]; intros [|v vs] l H; try discriminate H; simpl.
  - eauto.
  - injection H as H. destruct (IH vs l H) as [l' ->]. simpl. eauto.
Qed.

Lemma get_put_other : forall y xs vs en, mem y xs = false -> get y (put xs vs en) = get y en.
Proof.
  induction xs as [|x xs IH]; intros [|v vs] en H; simpl in *; trivial.
  apply orb_false_elim in H. destruct H as [H1 H2]. rewrite H1. auto.
Qed.

(* [vs] hold [zs]; the other known locals are as before. *)
Lemma agree_back : forall vs zs en l, Forall2 (fun x z => l x = Some z) vs zs ->
  (forall x v, mem x vs = false -> get x en = Some v -> l x = Some v) -> agree (put vs zs en) l.
Proof.
  induction 1 as [|x z vs zs E F IH]; intros H; [exact (fun y v G => H y v eq_refl G)|].
  simpl. intros y w G. simpl in G. destruct (String.eqb_spec y x) as [->|n]; [congruence|].
  revert y w n G. assert (I : forall y w, y <> x -> get y (put vs zs en) = Some w -> l y = Some w).
  2: { intros; now apply I. }
  intros y w n G. destruct (mem y vs) eqn:M.
  - clear - F G M. induction F as [|a b vs zs E F IH]; [discriminate|]. simpl in *.
    destruct (String.eqb_spec y a) as [->|]; [congruence|]. apply IH; trivial.
  - apply H; [simpl; destruct (String.eqb_spec y x); [congruence | exact M]|].
    clear - F G M. induction F as [|a b vs zs E F IH]; simpl in *; trivial.
    destruct (String.eqb_spec y a); [discriminate|]. auto.
Qed.

Lemma values_back : forall vs en l zs, agree en l -> values vs en = Some zs ->
  Forall2 (fun x z => l x = Some z) vs zs.
Proof.
  induction vs as [|x vs IH]; simpl; intros en l zs A H; [inversion H; constructor|].
  destruct (get x en) eqn:G; [|discriminate]. destruct (values vs en) eqn:V; [|discriminate].
  inversion H; subst. constructor; eauto.
Qed.

(* The end of a primitive's case: its tuple of results is a list. *)
Ltac prim_result t := repeat match type of t with (_ * _)%type => destruct t as [t ?] end;
  try destruct t; reflexivity.
