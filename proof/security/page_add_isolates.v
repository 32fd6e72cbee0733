(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_ADD, in the words of spec/Isolation.v. Its specification takes what was measured, so that [does] is written out; what that
   is, page_add_correct says. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import State Step Isolation.
From nie.spec.call Require page_add.
From nie.lib Require Import World.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.refine Require Import Relation statements.
From nie.proof.security Require Import Watched.
Import ListNotations.
Open Scope Z_scope.

Definition add_words (args : list Z) : Prop := exists vm ipa pa count, args = [vm; ipa; pa; count] /\ u64 vm /\ u64 ipa /\ u64 pa /\ u64 count.
Definition page_add_spec (content : Z -> Z -> Z) (args : list Z) (a : state) : list Z * state :=
  match args with
  | [vm; ipa; pa; count] => let '(st, a') := page_add.page_add vm ipa pa count content a in ([st], a')
  | _ => ([], a)
  end.
Definition adds (P : program gvar) : Prop := forall a g h args, R a (C_store.Mach g h) -> add_words args ->
  exists content g' h' l, let spec := page_add_spec content args a in
    call P "call_page_add" args (C_store.Mach g (h, [])) = Some (fst spec, C_store.Mach g' (h', l)) /\
    R (snd spec) (C_store.Mach g' h') /\ ok h' /\ (forall h1 act, In (h1, act) l -> safe h1).

(* For any program: the names are kept apart from the text, which is long. *)
Lemma correct_adds : forall P, page_add_correct P -> adds P.
Proof.
  intros P H a g h args HR (vm & ipa & pa & count & -> & V & I & A & C).
  destruct (H a (C_store.Mach g h) vm ipa pa count HR V I A C) as (content & st & a' & [g' h'] & S & E & HR' & _).
  exists content. unfold page_add_spec. rewrite S. cbn [fst snd].
  destruct (related_is_safe _ _ HR') as [_ O].
  destruct (watched_run P "call_page_add" [vm; ipa; pa; count] g h [st] g' h' E O) as (l & W & F).
  exists g', h', l. split; [exact W|]. split; [exact HR'|]. split; [exact O|].
  intros h1 act IL. unfold all_safe in F. rewrite Forall_forall in F. exact (F _ IL).
Qed.

Theorem page_add_does : adds Program.core.
Proof. exact (correct_adds Program.core page_add_is_correct). Qed.
