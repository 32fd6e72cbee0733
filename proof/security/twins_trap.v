(* SPDX-License-Identifier: Apache-2.0 *)
(* An exception of the host's, and a CPU that starts, on two machines that differ in what a VM keeps to itself: they go on to do so. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.lib Require Import World Wp.
From nie.spec Require Import State Step Isolation.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.invariant Require Import Meaning.
From nie.proof.refine Require Import Relation statements GiveBack Midway trap_is_safe boot_is_safe.
From nie.proof.security Require Import Alike noninterference host_traps_tell_nothing Watched core_is_safe owners_change Twins.
From nie.model Require Import C Machine.
From nie.spec Require Import Core Step Isolation.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** Owners, by the engine's granule table. *)

Definition windowed (a : state) : Prop := forall p v x, State.in_ram a p = true -> 0 <= v -> own a p = Data v x -> x < 2 ^ 26.

Lemma same_ram : forall a b g, globals_hold a g -> globals_hold b g -> forall p, State.in_ram b p = State.in_ram a p.
Proof. intros a b g A B p. unfold State.in_ram. now rewrite <- (g_base _ _ A), <- (g_base _ _ B), <- (g_pages _ _ A), <- (g_pages _ _ B). Qed.
Lemma same_owner : forall a b g p, globals_hold a g -> globals_hold b g -> State.in_ram a p = true -> own b p = own a p.
Proof.
  intros a b g p A B R. pose proof (same_ram _ _ _ A B p) as R'. rewrite R in R'. destruct (g_own _ _ A p R) as [E _]. destruct (g_own _ _ B p R') as [F _].
  rewrite <- (g_base _ _ A) in E. rewrite <- (g_base _ _ B), E in F.
  destruct (own a p), (own b p); cbn [owner_words] in F; try discriminate F; try reflexivity; injection F as -> ->; subst; reflexivity.
Qed.
