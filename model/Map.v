(* SPDX-License-Identifier: Apache-2.0 *)
(* Sealed total maps from Z: [get], [set], [const] and their pointwise laws are all that is known.
   They are tries inside, so that they also run fast in Coq and when extracted. *)
From Coq Require Import ZArith List FMapPositive.
Import ListNotations.

Module Type MAP.
  Parameter t : Type -> Type.
  Parameter const : forall {A}, A -> t A.
  Parameter get : forall {A}, t A -> Z -> A.
  Parameter set : forall {A}, t A -> Z -> A -> t A.
  Parameter get_const : forall A (a : A) i, get (const a) i = a.
  Parameter get_set : forall A (m : t A) i a j, get (set m i a) j = if (j =? i)%Z then a else get m j.
End MAP.

Module Map <: MAP.
  Record map (A : Type) := Make { other : A; some : PositiveMap.t A }.
  Definition t := map.
  Definition key (i : Z) : positive :=
    match i with Z0 => xH | Zpos p => xO p | Zneg p => xI p end.
  Definition const {A} (a : A) : t A := Make A a (PositiveMap.empty A).
  Definition get {A} (m : t A) (i : Z) : A :=
    match PositiveMap.find (key i) (some A m) with Some a => a | None => other A m end.
  Definition set {A} (m : t A) (i : Z) (a : A) : t A :=
    Make A (other A m) (PositiveMap.add (key i) a (some A m)).

  Lemma get_const : forall A (a : A) i, get (const a) i = a.
  Proof. intros. unfold get, const; simpl. now rewrite PositiveMap.gempty. Qed.

  Lemma get_set : forall A (m : t A) i a j, get (set m i a) j = if (j =? i)%Z then a else get m j.
  Proof.
    intros. unfold get, set; simpl. destruct (Z.eqb_spec j i) as [->|n].
    - now rewrite PositiveMap.gss.
    - rewrite PositiveMap.gso; trivial. intro H; apply n. destruct j, i; simpl in H; congruence.
  Qed.
End Map.

(* Sealed for proofs; [vm_compute] still computes. *)
Global Opaque Map.t Map.const Map.get Map.set.

Lemma get_set_same : forall A (m : Map.t A) i a, Map.get (Map.set m i a) i = a.
Proof. intros. now rewrite Map.get_set, Z.eqb_refl. Qed.

Lemma get_set_other : forall A (m : Map.t A) i a j, j <> i -> Map.get (Map.set m i a) j = Map.get m j.
Proof. intros A m i a j H. rewrite Map.get_set. now destruct (Z.eqb_spec j i). Qed.

(* The map of a table: the values of the list at 0, 1, ..., [d] elsewhere. *)
Fixpoint of_list_from {A} (i : Z) (l : list A) (d : A) : Map.t A :=
  match l with [] => Map.const d | a :: l' => Map.set (of_list_from (Z.succ i) l' d) i a end.
Definition of_list {A} (l : list A) (d : A) : Map.t A := of_list_from 0 l d.
