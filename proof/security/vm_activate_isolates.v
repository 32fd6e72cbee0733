(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_ACTIVATE, in the words of spec/Isolation.v. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import State Step Isolation.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.refine Require Import Relation vm_activate_refines statements.
From nie.proof.security Require Import Does.
Import ListNotations.
Open Scope Z_scope.

Definition vm_activate_spec (args : list Z) (a : state) : list Z * state :=
  match args with [vm] => let '(st, a') := spec_vm_activate vm a in ([st], a') | _ => ([], a) end.

Theorem vm_activate_does : does R Program.core "call_vm_activate" one_word vm_activate_spec.
Proof.
  apply run_does. intros a s args HR (vm & -> & V).
  destruct (vm_activate_is_correct a s vm HR V) as (st & a' & s' & S & E & HR' & _).
  unfold vm_activate_spec. rewrite S. eauto.
Qed.
