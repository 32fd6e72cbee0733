(* SPDX-License-Identifier: Apache-2.0 *)
(* What is claimed of VCPU_RUN and of the way out, as predicates on a program. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec.call Require vcpu_run.
From nie.spec Require Switch.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.invariant Require Import trap_steps.
From nie.proof.refine Require Import Relation statements vcpu_run_refines vcpu_leaves.
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

(* The way out. Registers and state are those of the specification. The host is told the words of [told_log], which are
   [Switch.exit_words] ([told_words]): the run is that of a machine to which the stores of these words, the others acting
   before each primitive, happened first ([tell]), and then [exit_rest], which writes none of them. *)
Definition exit_vcpu_correct (P : program gvar) : Prop := forall a s v i e, R a s -> runs a (me (hw s)) v i ->
  let c := me (hw s) in
  exists s', run_of P "exit_vcpu" [c; Switch.exit_reason e; Switch.exit_ipa e; Switch.exit_width e; Switch.exit_value e] s = Some ([], s') /\
    R (snd (Switch.exit_vcpu c e a)) s' /\ only_run (glob s) (glob s') /\ stays (hw s) (hw s') /\
    exit_rest c v (v * NIE_MAX_VCPUS + i) (Switch.exit_reason e)
      (Mach (glob s) (tell (run_page (vcpu_at a v i)) (told_log a c e) (hw s))) = Some (tt, s').
