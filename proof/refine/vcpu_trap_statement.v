(* SPDX-License-Identifier: Apache-2.0 *)
(* What is claimed of a vCPU's exceptions, as a predicate on a program. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec.trap Require trap.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation statements Standing Told vcpu_call_exact.
Import ListNotations.
Open Scope Z_scope.

(* On a CPU that runs a vCPU, whatever the exception's kind, syndrome and addresses: [vcpu_trap] ends; registers and state are those
   of the specification; and so are the words that the host is told, all of them, in their order ([told]). Nothing else is stored
   where anybody but the engine reaches. [x64]: general registers hold 64-bit numbers. *)
Definition vcpu_trap_correct (P : program gvar) : Prop := forall a s kind, R a s -> let c := me (hw s) in
  cpu_vm (cpu_at a c) <> CPU_HOST -> x64 a c ->
  exists s', run_of P "vcpu_trap" [c; kind] s = Some ([], s') /\ ends (own a) s (nie.spec.trap.trap.vcpu_trap c kind a) s'.
