(* SPDX-License-Identifier: Apache-2.0 *)
(* What is claimed of VCPU_CREATE, as a predicate on a program. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec.call Require vcpu_create.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation statements vcpu_create_refines.
Import ListNotations.
Open Scope Z_scope.

(* The status and the state are those of the specification; with them [R] says that the context page holds the
   registers of a reset, word for word. *)
Definition vcpu_create_correct (P : program gvar) : Prop := forall a s vm vcpu context run entry argument,
  R a s -> u64 vm -> u64 vcpu -> u64 context -> u64 run -> u64 entry ->
  exists st a' s', vcpu_create.vcpu_create vm vcpu context run entry argument a = (st, a') /\
    run_of P "call_vcpu_create" [vm; vcpu; context; run; entry; argument] s = Some ([st], s') /\
    R a' s' /\ only_created vm vcpu (glob s) (glob s') /\ frame_of (hw s) (hw s').
