(* SPDX-License-Identifier: Apache-2.0 *)
(* TABLE_REMOVE, in the words of spec/Isolation.v: from a state that holds an abstract one, the C does what the
   specification says, and every state that the hardware meets meanwhile, others acting in it, is safe. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import State Step Isolation.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.refine Require Import Relation table_remove_checks statements.
From nie.proof.security Require Import Does page_remove_isolates.
Import ListNotations.
Open Scope Z_scope.

Definition table_remove_spec (args : list Z) (a : state) : list Z * state :=
  match args with
  | [vm; ipa; level] => let '((st, x1, x2), a') := spec_table_remove vm ipa level a in ([st; x1; x2], a')
  | _ => ([], a)
  end.

Theorem table_remove_does : does R Program.core "call_table_remove" three_words table_remove_spec.
Proof.
  apply run_does. intros a s args HR (vm & ipa & level & -> & V & X & C).
  destruct (table_remove_is_correct a s vm ipa level HR V X C) as (st & x1 & x2 & a' & s' & S & E & HR' & _).
  unfold table_remove_spec. rewrite S. eauto.
Qed.
