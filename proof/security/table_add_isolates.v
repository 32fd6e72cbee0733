(* SPDX-License-Identifier: Apache-2.0 *)
(* TABLE_ADD, in the words of spec/Isolation.v: from a state that holds an abstract one, the C does what the
   specification says, and every state that the hardware meets meanwhile, others acting in it, is safe. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import State Step Isolation.
From nie.spec.call Require Import table_add.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.refine Require Import Relation statements.
From nie.proof.security Require Import Does page_shared_add_isolates.
Import ListNotations.
Open Scope Z_scope.

Definition table_add_spec (args : list Z) (a : state) : list Z * state :=
  match args with
  | [vm; ipa; level; pa] => let '(st, a') := table_add vm ipa level pa a in ([st], a')
  | _ => ([], a)
  end.

Theorem table_add_does : does R Program.core "call_table_add" four_words table_add_spec.
Proof.
  apply run_does. intros a s args HR (vm & ipa & level & pa & -> & V & I & P & C).
  destruct (table_add_is_correct a s vm ipa level pa HR V I P C) as (st & a' & s' & S & E & HR' & _).
  unfold table_add_spec. rewrite S. eauto.
Qed.
