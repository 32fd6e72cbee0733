(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_REMOVE, in the words of spec/Isolation.v: from a state that holds an abstract one, the C does what the
   specification says, and every state that the hardware meets meanwhile, others acting in it, is safe. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import State Step Isolation.
From nie.lib Require Import World.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.refine Require Import Relation Shared page_remove_checks statements.
From nie.proof.security Require Import Watched.
Import ListNotations.
Open Scope Z_scope.

Definition three_words (args : list Z) : Prop := exists vm ipa count, args = [vm; ipa; count] /\ u64 vm /\ u64 ipa /\ u64 count.
Definition page_remove_spec (args : list Z) (a : state) : list Z * state :=
  match args with
  | [vm; ipa; count] => let '((st, x1, x2), a') := spec_page_remove vm ipa count a in ([st; x1; x2], a')
  | _ => ([], a)
  end.

(* For any program: the names are kept apart from the text, which is long. *)
Lemma correct_does : forall P, page_remove_correct P -> does R0 P "call_page_remove" three_words page_remove_spec.
Proof.
  intros P H a g h args [HR UC] (vm & ipa & count & -> & V & X & C).
  destruct (H a (C_store.Mach g h) vm ipa count HR (fun _ => unclaimed_spared _ _ _ _ UC) V X C) as (st & x1 & x2 & a' & [g' h'] & S & E & HR' & _ & FR).
  unfold page_remove_spec. rewrite S. cbn [fst snd].
  destruct (related_is_safe _ _ HR') as [_ O].
  destruct (watched_run P "call_page_remove" [vm; ipa; count] g h [st; x1; x2] g' h' E O) as (l & W & F).
  exists g', h', l. split; [exact W|]. split; [split; [exact HR'|intros v y p; cbn [hw]; rewrite (f_claims _ _ FR); apply UC]|]. split; [exact O|].
  intros h1 act I. unfold all_safe in F. rewrite Forall_forall in F. exact (F _ I).
Qed.

Theorem page_remove_does : does R0 Program.core "call_page_remove" three_words page_remove_spec.
Proof. exact (correct_does Program.core page_remove_is_correct). Qed.
