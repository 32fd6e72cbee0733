(* SPDX-License-Identifier: Apache-2.0 *)
(* What is claimed of VCPU_RUN, as a predicate on a program. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec.call Require vcpu_run.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation statements vcpu_run_refines.
Import ListNotations.
Open Scope Z_scope.

(* On a CPU that runs the host: status and state are those of the specification, which reads the run record from what
   the machine will answer ([inputs_from]). With them [R] says what x0..x30, all system registers and the vectors of that
   CPU hold, and what is kept of the host. [stays]: vectors of other CPUs. *)
Definition vcpu_run_correct (P : program gvar) : Prop := forall a s vm vcpu,
  R a s -> cpu_vm (cpu_at a (me (hw s))) = CPU_HOST -> u64 vm -> u64 vcpu ->
  exists st a' s', vcpu_run.vcpu_run (me (hw s)) vm vcpu (inputs_from (hw s)) a = (st, a') /\
    run_of P "call_vcpu_run" [me (hw s); vm; vcpu] s = Some ([st], s') /\
    R a' s' /\ only_run (glob s) (glob s') /\ stays (hw s) (hw s').
