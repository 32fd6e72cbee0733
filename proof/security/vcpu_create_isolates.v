(* SPDX-License-Identifier: Apache-2.0 *)
(* VCPU_CREATE, in the words of spec/Isolation.v. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import State Step Isolation.
From nie.spec.call Require Import vcpu_create.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.refine Require Import Relation statements.
From nie.proof.security Require Import Does.
Import ListNotations.
Open Scope Z_scope.

Definition six_words (args : list Z) : Prop := exists vm vcpu context run entry argument, args = [vm; vcpu; context; run; entry; argument] /\
  u64 vm /\ u64 vcpu /\ u64 context /\ u64 run /\ u64 entry.
Definition vcpu_create_spec (args : list Z) (a : state) : list Z * state :=
  match args with
  | [vm; vcpu; context; run; entry; argument] => let '(st, a') := vcpu_create vm vcpu context run entry argument a in ([st], a')
  | _ => ([], a)
  end.

Theorem vcpu_create_does : does R Program.core "call_vcpu_create" six_words vcpu_create_spec.
Proof.
  apply run_does. intros a s args HR (vm & vcpu & context & run & entry & argument & -> & V & U & C & N & E).
  destruct (vcpu_create_is_correct a s vm vcpu context run entry argument HR V U C N E) as (st & a' & s' & S & X & HR' & _).
  unfold vcpu_create_spec. rewrite S. eauto.
Qed.
