(* SPDX-License-Identifier: Apache-2.0 *)
(* What is claimed of VM_DESTROY, in the manner of statements.v. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation statements vm_destroy_refines.
Import ListNotations.
Open Scope Z_scope.

(* VM_DESTROY. That nothing of the VM is left for a later one of its index is in [spec_vm_destroy]: its record is [no_vm], its map
   Empty, its marks 0; and in [R]: no page names it, no walk and no TLB entry has its VMID. *)
Definition vm_destroy_correct (P : program gvar) : Prop := forall a s vm, R a s -> u64 vm ->
  exists st x1 x2 a' s', spec_vm_destroy vm a = ((st, x1, x2), a') /\ run_of P "call_vm_destroy" [vm] s = Some ([st; x1; x2], s') /\
    R a' s' /\ only_ended vm (glob s) (glob s') /\ frame_of (hw s) (hw s').
