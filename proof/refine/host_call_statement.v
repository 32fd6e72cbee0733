(* SPDX-License-Identifier: Apache-2.0 *)
(* What is claimed of the host's calls as a whole, as a predicate on a program. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers.
Require nie.spec.call.host_call nie.spec.call.page_add.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation statements vcpu_run_refines vcpu_traps.
Import ListNotations.
Open Scope Z_scope.

(* The host on CPU c makes a call: x0 names it, x1.. are its arguments. Whatever they hold, and whatever is no call at all: what
   the call's own specification says of these arguments is done, its answer is in x0.., every other register is as it was. [R]
   of the result says so of x0..x30, all system registers and the vectors of this CPU; what it says of other CPUs is as the
   specification leaves it, as before. [ins]: host memory and counter, as the machine will answer. [content]: what PAGE_ADD
   measures, which is what the pages hold when the host has lost them, see [page_add_correct]. [x_ok]: registers have 64 bits. *)
Definition host_call_correct (P : program gvar) : Prop := forall a s, let c := me (hw s) in let x := x_of a c in let ins := inputs_from (hw s) in
  R a s -> call_spares a c (hw s) -> cpu_vm (cpu_at a c) = CPU_HOST -> x_ok c (glob s) ->
  exists content s', run_of P "host_call" [c] s = Some ([], s') /\
    R (nie.spec.call.host_call.host_call c ins content a) s' /\ field config_word (glob s') = field config_word (glob s) /\ stays (hw s) (hw s') /\
    (x 0 mod 2 ^ 32 = NIE_PAGE_ADD -> let first := page_of (x 3) in let content_at i := content (first + i) in
      fst (nie.spec.call.page_add.page_add (x 1) (x 2) (x 3) (x 4) content_at a) = NIE_OK ->
      exists s0 s1, run_of P "page_add_check" [x 1; x 2; x 3; x 4] s = Some ([NIE_OK], s0) /\
        run_of P "donate" [x 1; first; x 4; GRANULE_DATA; x 1; 0; 0; page_of (x 2)] s0 = Some ([], s1) /\
        forall i, 0 <= i < x 4 -> private (first + i) (hw s1) /\
          forall w, is_word w = true -> content (first + i) w = Map.get (Machine.mem (hw s1)) ((first + i) * 512 + w)).
