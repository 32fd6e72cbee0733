(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_SHARED_ADD, in the words of spec/Isolation.v: from a state that holds an abstract one, the C does what the
   specification says, and every state that the hardware meets meanwhile, others acting in it, is safe. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import State Step Isolation.
From nie.spec.call Require Import page_shared_add.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.refine Require Import Relation statements.
From nie.proof.security Require Import Does.
Import ListNotations.
Open Scope Z_scope.

Definition four_words (args : list Z) : Prop := exists vm ipa pa count, args = [vm; ipa; pa; count] /\
  u64 vm /\ u64 ipa /\ u64 pa /\ u64 count.
Definition page_shared_add_spec (args : list Z) (a : state) : list Z * state :=
  match args with
  | [vm; ipa; pa; count] => let '(st, a') := page_shared_add vm ipa pa count a in ([st], a')
  | _ => ([], a)
  end.

Theorem page_shared_add_does : does R Program.core "call_page_shared_add" four_words page_shared_add_spec.
Proof.
  apply run_does. intros a s args HR (vm & ipa & pa & count & -> & V & I & P & C).
  destruct (page_shared_add_is_correct a s vm ipa pa count HR V I P C) as (st & a' & s' & S & E & HR' & _).
  unfold page_shared_add_spec. rewrite S. eauto.
Qed.
