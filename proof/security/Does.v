(* SPDX-License-Identifier: Apache-2.0 *)
(* From the run of a function to [does] of spec/Isolation.v: the log of the run is there, and every state in it is safe. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import State Step Isolation.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.refine Require Import Relation statements.
From nie.proof.security Require Import Watched.
Import ListNotations.

(* For any program: the names are kept apart from the text, which is long. *)
Lemma run_does : forall P f (pre : list Z -> Prop) spec,
  (forall a s args, R a s -> pre args -> exists s', run_of P f args s = Some (fst (spec args a), s') /\ R (snd (spec args a)) s') ->
  does R P f pre spec.
Proof.
  intros P f pre spec H a g h args HR HA. destruct (H a (C_store.Mach g h) args HR HA) as ([g' h'] & E & HR').
  destruct (related_is_safe _ _ HR') as [_ O].
  destruct (watched_run P f args g h _ g' h' E O) as (l & W & F).
  exists g', h', l. split; [exact W|]. split; [exact HR'|]. split; [exact O|].
  intros h1 act I. unfold all_safe in F. rewrite Forall_forall in F. exact (F _ I).
Qed.

Definition one_word (args : list Z) : Prop := exists vm, args = [vm] /\ u64 vm.
