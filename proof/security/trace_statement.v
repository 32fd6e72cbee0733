(* SPDX-License-Identifier: Apache-2.0 *)
(* What is claimed of whole runs, from reset on: of every label of spec/Step.v the specification says what becomes of the machine. *)
From Coq Require Import ZArith List Bool String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers Switch.
Require nie.spec.trap.trap nie.spec.trap.boot.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation statements trap_statement boot_is_safe.
From nie.spec Require Import Step Exact.
From nie.proof.security Require Import core_is_safe.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

(* The state in which an exception on CPU [c] finds the machine: the registers of this CPU are read off it, for software has changed
   them since; all else is as the engine left it. [h]: the hardware, ELR_EL2, ESR_EL2 and their like written. *)
Definition arrives (c : Z) (s : machine) (h : Machine.hw) (a : state) : state :=
  set_cpu c (cpu_at a c <| cpu_x := fill 31 0 (fun r => x s c r mod 2 ^ 64) (Map.const 0) |>) a
    <| here := fill 128 0 (fun r => Map.get (reg h) (c * 128 + r)) (Map.const 0) |>
    <| fp_here := fill 66 0 (fun i => Map.get (fp h) (c * 128 + i)) (Map.const 0) |>.

(* What the CPU's registers are when the engine has returned. *)
Definition leaves (c : Z) (a : state) (s : machine) : Prop :=
  (forall r, 0 <= r < 31 -> x s c r = x_of a c r) /\ (forall r, 0 <= r < 128 -> sysreg s c r = reg_of a r) /\
  (forall i, 0 <= i < 66 -> Map.get (fp (hw s)) (c * 128 + i) = Map.get (fp_here a) i).

(* A run of the machine beside a run of the specification: from state [a] and machine [s], by the labels, to state [b] and machine
   [t]. What software does between handlers changes no state: its registers are read when it traps, its memory is its own. An exception
   is spec/trap/trap.v, of the inputs that it was given: result, what is told to the host of a vCPU, state. [content]: what a host's
   PAGE_ADD measured. A CPU's start is spec/trap/boot.v's. *)
Inductive specified (P : program gvar) : state -> machine -> list label -> state -> machine -> Prop :=
| Ended a s : specified P a s [] a s
| Software a s d tr b t : specified P a (do_step d s) tr b t -> specified P a s (Do d :: tr) b t
| Exception a s c e ins dur tr content m s1 g b t :
    let h := take c e (enter c ins dur (hw s)) in
    let before := Mach (vectors_save c s (glob s)) h in
    let a0 := arrives c s h a in
    let spec := nie.spec.trap.trap.trap c (kind e) (fun n => ins n) content a0 in
    run_of P "trap" [c; kind e] before = Some ([fst (fst spec)], m) ->
    (cpu_vm (cpu_at a0 c) <> CPU_HOST -> tells a0 (snd (fst spec)) before m) -> measures_held P a0 (kind e) before content ->
    next P s (Trap c e ins dur) = Ok s1 g -> glob s1 = C_store.glob m ->
    leaves c (snd spec) s1 -> Map.get (off s1) c = (fst (fst spec) =? TRAP_CPU_OFF) ->
    specified P (snd spec) s1 tr b t -> specified P a s (Trap c e ins dur :: tr) b t
| Starts a s c ins dur tr s1 g b t :
    let a1 := nie.spec.trap.boot.cpu_start c (arrives c s (enter c ins dur (hw s)) a) in
    next P s (Start c ins dur) = Ok s1 g -> leaves c a1 s1 -> Map.get (off s1) c = false ->
    specified P a1 s1 tr b t -> specified P a s (Start c ins dur :: tr) b t.

(* From reset with any memory, any manifest that boot accepts, any labels: the engine never crashes; every state that is met, in
   mid-handler too, is safe; an exception on a CPU that is on is always served to its end; and at the end the machine is exactly what the
   specification says ([exact]: walks, TLBs, granule table), which has followed it from [spec_boot] on. *)
Definition correct_from_boot (P : program gvar) : Prop := forall h s tr, at_reset h -> boots P h s ->
  run P s tr <> Crash /\ (forall h', states P s tr h' -> safe h') /\
  forall t g, run P s tr = Ok t g ->
    (exists b, specified P (spec_boot (manifest h)) s tr b t /\ exact b t) /\
    forall c e i d, is_cpu c = true -> Map.get (off t) c = false -> possible e = true -> exists t' g', run P s (tr ++ [Trap c e i d]) = Ok t' g'.
