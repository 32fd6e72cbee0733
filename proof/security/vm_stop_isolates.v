(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_STOP, in the words of spec/Isolation.v. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import State Step Isolation.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.refine Require Import Relation vm_stop_refines statements.
From nie.proof.security Require Import Does.
Import ListNotations.
Open Scope Z_scope.

Definition vm_stop_spec (args : list Z) (a : state) : list Z * state :=
  match args with [vm] => let '(st, a') := spec_vm_stop vm a in ([st], a') | _ => ([], a) end.

Theorem vm_stop_does : does R Program.core "call_vm_stop" one_word vm_stop_spec.
Proof.
  apply run_does. intros a s args HR (vm & -> & V).
  destruct (vm_stop_is_correct a s vm HR V) as (st & a' & s' & S & E & HR' & _).
  unfold vm_stop_spec. rewrite S. eauto.
Qed.
