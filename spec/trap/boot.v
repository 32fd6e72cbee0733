(* SPDX-License-Identifier: Apache-2.0 *)
(* Where everything begins: the state after boot, and a CPU that starts. engine/core/boot.c *)
From Coq Require Import ZArith Bool List.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State Donation Registers Switch.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Definition no_words : Map.t Z := Map.const 0.
Definition host_cpu : processor := Processor no_words no_words no_words no_words 0 0 CPU_HOST 0 0.

(* How the host's stage 2 maps the 2 MiB of number g: at once when the host may access all of it, not at all when none. *)
Definition first_mode (a : state) (g : Z) : mode :=
  let may i := host_may_access a (g * 512 + Z.of_nat i) in
  if forallb may (seq 0 512) then Block else if existsb may (seq 0 512) then Split else Unmapped.
Definition set_modes (first count : Z) (a : state) : state :=
  each (count / 512) (fun i a => set_mode (first / 512 + i) (first_mode a (first / 512 + i)) a) a.

(* RAM is the engine's or the host's; what was not packed for the host is zero; there is no VM. *)
Definition boot (c : config) (entry argument : Z) : state :=
  let cpu0 := host_cpu <| start_entry := entry |> <| start_argument := argument |> <| started := 1 |> in
  let a := State c (Map.const Host) (Map.const (Map.const (Map.const Empty))) (Map.const Unmapped) (Map.const no_vm) (Map.const no_vcpu)
             (Map.const no_words) (Map.set (Map.const host_cpu) 0 cpu0) no_words no_words no_words in
  let a := each (engine_count c) (fun i => set_own (engine_first c + i) Engine) a in
  set_modes (ram_first c) (ram_count c) (set_modes (dev_first c) (dev_count c) a).

(* CPU [c] begins to run the host: all registers 0 but these. *)
Definition cpu_start (c : Z) (a : state) : state :=
  let r := cpu_at a c in
  let a := set_cpu c (r <| cpu_x := Map.set no_words 0 (start_argument r) |>) a in
  let a := load_regs REG_SWITCHED 0 (fun _ => 0) a in
  let a := set_regs [(REG_SCTLR_EL1, SCTLR_EL1_RESET); (REG_ELR_EL2, start_entry r); (REG_SPSR_EL2, PSTATE_EL1H_MASKED)] a in
  controls_host (controls_both (a <| fp_here := no_words |>)).
