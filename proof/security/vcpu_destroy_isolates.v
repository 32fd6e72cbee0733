(* SPDX-License-Identifier: Apache-2.0 *)
(* VCPU_DESTROY, in the words of spec/Isolation.v. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import State Step Isolation.
From nie.spec.call Require Import vcpu_destroy.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.refine Require Import Relation statements.
From nie.proof.security Require Import Does.
Import ListNotations.
Open Scope Z_scope.

Definition two_words (args : list Z) : Prop := exists vm vcpu, args = [vm; vcpu] /\ u64 vm /\ u64 vcpu.
Definition vcpu_destroy_spec (args : list Z) (a : state) : list Z * state :=
  match args with
  | [vm; vcpu] => let '((st, x1, x2), a') := vcpu_destroy vm vcpu a in ([st; x1; x2], a')
  | _ => ([], a)
  end.

Theorem vcpu_destroy_does : does R Program.core "call_vcpu_destroy" two_words vcpu_destroy_spec.
Proof.
  apply run_does. intros a s args HR (vm & vcpu & -> & V & U).
  destruct (vcpu_destroy_is_correct a s vm vcpu HR V U) as (st & x1 & x2 & a' & s' & S & X & HR' & _).
  unfold vcpu_destroy_spec. rewrite S. eauto.
Qed.
