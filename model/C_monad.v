(* SPDX-License-Identifier: Apache-2.0 *)
(* Programs that read and change a state and may go wrong. [None] is undefined behaviour of C or a
   violated obligation of a primitive; it is never an answer. *)
From Coq Require Import ZArith List Bool.
Import ListNotations.
Open Scope Z_scope.

Definition M (S A : Type) : Type := S -> option (A * S).

Definition ret {S A} (a : A) : M S A := fun s => Some (a, s).
Definition crash {S A} : M S A := fun _ => None.
Definition bind {S A B} (m : M S A) (f : A -> M S B) : M S B :=
  fun s => match m s with Some (a, s') => f a s' | None => None end.
Definition lift {S A} (o : option A) : M S A := match o with Some a => ret a | None => crash end.

Declare Scope c_scope.
Delimit Scope c_scope with c.
Notation "x <- m ;; k" := (bind m (fun x => k))
  (at level 61, m at next level, right associativity, format "'[v' x  <-  m  ;; '/' k ']'") : c_scope.
Notation "' p <- m ;; k" := (bind m (fun x => match x with p => k end))
  (at level 61, p pattern, m at next level, right associativity,
   format "'[v' ' p  <-  m  ;; '/' k ']'") : c_scope.
Notation "m ;;; k" := (bind m (fun _ => k))
  (at level 61, right associativity, format "'[v' m  ;;; '/' k ']'") : c_scope.
Open Scope c_scope.

(* How a statement ends: control goes on, with the locals [a], or the function returns [r]. *)
Inductive outcome (A R : Type) := Next (a : A) | Return (r : R).
Arguments Next {A R} a.
Arguments Return {A R} r.

Definition mapM {S A B} (f : A -> M S B) : list A -> M S (list B) :=
  fix each l := match l with
  | [] => ret []
  | a :: l' => b <- f a ;; bs <- each l' ;; ret (b :: bs)
  end.

(* [n] rounds, the counter going up from [i]; a return ends the loop at once. *)
Fixpoint rounds {S A R} (n : nat) (i : Z) (a : A) (body : Z -> A -> M S (outcome A R))
  : M S (outcome A R) :=
  match n with
  | O => ret (Next a)
  | S n' => o <- body i a ;;
      match o with Next a' => rounds n' (i + 1) a' body | Return r => ret (Return r) end
  end.

(* [for (i = lo; i < hi; i++)]: with a return in its body, and without one. *)
Definition loop_ret {S A R} (lo hi : Z) (a : A) (body : Z -> A -> M S (outcome A R)) :=
  rounds (Z.to_nat (hi - lo)) lo a body.

Fixpoint rounds' {S A} (n : nat) (i : Z) (a : A) (body : Z -> A -> M S A) : M S A :=
  match n with
  | O => ret a
  | S n' => a' <- body i a ;; rounds' n' (i + 1) a' body
  end.
Definition loop {S A} (lo hi : Z) (a : A) (body : Z -> A -> M S A) : M S A :=
  rounds' (Z.to_nat (hi - lo)) lo a body.

(* The index of an element of an array of [n]: C11 6.5.6p8 makes any other undefined. *)
Definition index {S} (n i : Z) : M S Z := if (0 <=? i) && (i <? n) then ret i else crash.
