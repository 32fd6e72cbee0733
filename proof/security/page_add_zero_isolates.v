(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_ADD_ZERO, in the words of spec/Isolation.v: from a state that holds an abstract one, the C does what the
   specification says, and every state that the hardware meets meanwhile, others acting in it, is safe. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import State Step Isolation.
From nie.spec.call Require Import page_add_zero.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.refine Require Import Relation statements.
From nie.proof.security Require Import Does.
Import ListNotations.
Open Scope Z_scope.

Definition five_words (args : list Z) : Prop := exists vm ipa pa count level, args = [vm; ipa; pa; count; level] /\
  u64 vm /\ u64 ipa /\ u64 pa /\ u64 count /\ u64 level.
Definition page_add_zero_spec (args : list Z) (a : state) : list Z * state :=
  match args with
  | [vm; ipa; pa; count; level] => let '(st, a') := page_add_zero vm ipa pa count level a in ([st], a')
  | _ => ([], a)
  end.

Theorem page_add_zero_does : does R Program.core "call_page_add_zero" five_words page_add_zero_spec.
Proof.
  apply run_does. intros a s args HR (vm & ipa & pa & count & level & -> & V & I & P & C & L).
  destruct (page_add_zero_is_correct a s vm ipa pa count level HR V I P C L) as (st & a' & s' & S & E & HR' & _).
  unfold page_add_zero_spec. rewrite S. eauto.
Qed.
