(* SPDX-License-Identifier: Apache-2.0 *)
(* What is claimed of VM_CREATE, in the manner of statements.v. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation statements vm_create_refines.
Import ListNotations.
Open Scope Z_scope.

(* VM_CREATE. [now], which fixes the VM's virtual counter, is the next input: the counter as it was read, once. *)
Definition vm_create_correct (P : program gvar) : Prop := forall a s vm root base pages count,
  R a s -> u64 vm -> u64 root -> u64 base -> u64 pages -> u64 count -> let now := inputs (hw s) (taken (hw s)) in
  exists st a' s', spec_vm_create vm root base pages count now a = (st, a') /\
    run_of P "call_vm_create" [vm; root; base; pages; count] s = Some ([st], s') /\
    R a' s' /\ only_begun vm (glob s) (glob s') /\ frame_of (hw s) (hw s').
