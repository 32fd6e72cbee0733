(* SPDX-License-Identifier: Apache-2.0 *)
(* What is claimed of an exception as a whole, as a predicate on a program. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers.
Require nie.spec.call.page_add nie.spec.trap.trap.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation statements vcpu_traps Told trap_exact boot_is_safe.
Import ListNotations.
Open Scope Z_scope.

(* Of a vCPU's exception: what went to its run record is [events], in this order, and the engine stored to no other page that is not
   its own; the machine was [s1] before the unlock, where others act once more. *)
Definition tells (a : state) (events : list nie.spec.Switch.event) (s s' : MACH) : Prop :=
  exists s1, told (own a) s s1 events /\ s' = a_moment s1.

(* Of a host's PAGE_ADD that succeeds: [content] is what the pages hold when the host has lost them, see [page_add_correct]. *)
Definition measures_held (P : program gvar) (a : state) (kind : Z) (s : MACH) (content : Z -> Z -> Z) : Prop :=
  let c := me (hw s) in let x := x_of a c in
  cpu_vm (cpu_at a c) = CPU_HOST -> kind = TRAP_SYNC -> exception_class (reg_of a REG_ESR_EL2) = EC_HVC64 -> x 0 mod 2 ^ 32 = NIE_PAGE_ADD ->
  let first := page_of (x 3) in fst (nie.spec.call.page_add.page_add (x 1) (x 2) (x 3) (x 4) (fun i => content (first + i)) a) = NIE_OK ->
  exists s2 s3, run_of P "page_add_check" [x 1; x 2; x 3; x 4] (a_moment (a_moment s)) = Some ([NIE_OK], s2) /\
    run_of P "donate" [x 1; first; x 4; GRANULE_DATA; x 1; 0; 0; page_of (x 2)] s2 = Some ([], s3) /\
    forall i, 0 <= i < x 4 -> private (first + i) (hw s3) /\
      forall k, is_word k = true -> content (first + i) k = Map.get (Machine.mem (hw s3)) ((first + i) * 512 + k).

(* An exception of any kind, of the host or of a vCPU, on the CPU that runs the engine: any syndrome, addresses, registers and inputs.
   It ends as spec/trap/trap.v says ([spec]: result, what is told, state), and the lock is free. [R] of the state says what x0..x30,
   all system registers and the vectors of this CPU hold, what is kept of the other context, what saved contexts, VMs, vCPUs, pages
   and tables are, and that no obligation was violated and every state on the way was safe. [keeps_else]: the manifest and other
   CPUs' vectors.
   LESS than everything: what goes to firmware and devices has no place in the model. Premises: the manifest that boot accepted
   describes the machine ([described], see [boot_describes]); registers have 64 bits ([x_ok]); what is taken is not claimed. *)
Definition trap_correct (P : program gvar) : Prop := forall w a s kind, let c := me (hw s) in
  R a s -> trap_spares a c kind (hw s) -> described w a (glob s) -> x_ok c (glob s) ->
  exists content r s', let spec := nie.spec.trap.trap.trap c kind (inputs_from (hw s)) content a in
    run_of P "trap" [c; kind] s = Some ([r], s') /\ r = fst (fst spec) /\ R (snd spec) s' /\ keeps_else s s' /\
    (cpu_vm (cpu_at a c) <> CPU_HOST -> tells a (snd (fst spec)) s s') /\ measures_held P a kind s content.

(* The manifest of an accepted boot describes the machine that its state speaks of. *)
Definition boot_describing (P : program gvar) : Prop := forall h s', at_reset h ->
  run_of P "boot" [] (Mach zero_globals h) = Some ([BOOT_OK], s') -> described (manifest h) (spec_boot (manifest h)) (glob s').
