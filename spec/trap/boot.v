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

(** The manifest, word by word as abi/manifest.h numbers them: what boot refuses, and the machine that it describes. *)

(* [first, first + pages) lies in [outer, outer + size). *)
Definition inside (first pages outer size : Z) : bool := (outer <=? first) && (pages <=? size) && (first - outer <=? size - pages).
Definition multiple (pages : Z) : bool := pages mod PAGES_2MIB =? 0.

(* RAM starts at or above 1 GiB, so that devices and page 0 lie below it. *)
Definition ram_ok (w : Z -> Z) : bool :=
  multiple (w MAN_RAM_BASE) && multiple (w MAN_RAM_PAGES) && (PAGES_GIB <=? w MAN_RAM_BASE) &&
  (w MAN_RAM_BASE <=? PAGES_MAX - GRANULES_MAX) && (PAGES_2MIB <=? w MAN_RAM_PAGES) && (w MAN_RAM_PAGES <=? GRANULES_MAX).
Definition cpus_ok (w : Z -> Z) : bool := (1 <=? w MAN_CPUS) && (w MAN_CPUS <=? NIE_MAX_CPUS).
Definition devices_ok (w : Z -> Z) : bool :=
  let span first pages := inside first pages (w MAN_DEV_BASE) (w MAN_DEV_PAGES) in
  (w MAN_DEVICES <=? MAN_MAX_DEVICES) && multiple (w MAN_DEV_BASE) && multiple (w MAN_DEV_PAGES) && (PAGES_2MIB <=? w MAN_DEV_BASE) &&
  inside (w MAN_DEV_BASE) (w MAN_DEV_PAGES) 0 PAGES_GIB &&
  forallb (fun i => span (w (MAN_DEVICE0 + 2 * Z.of_nat i)) (w (MAN_DEVICE0 + 2 * Z.of_nat i + 1))) (seq 0 (Z.to_nat (w MAN_DEVICES))) &&
  span (w MAN_GICR) (32 * w MAN_CPUS).
(* The host's tables: root, a level 2 table for each GiB below the end of RAM, and a level 3 table for each 2 MiB. *)
Definition tables_size (w : Z -> Z) : Z :=
  1 + (w MAN_RAM_BASE + w MAN_RAM_PAGES + PAGES_GIB - 1) / PAGES_GIB + w MAN_DEV_PAGES / 512 + w MAN_RAM_PAGES / 512.
Definition engine_ok (w : Z -> Z) : bool :=
  multiple (w MAN_ENGINE_BASE) && multiple (w MAN_ENGINE_PAGES) && (PAGES_2MIB <=? w MAN_ENGINE_PAGES) &&
  inside (w MAN_ENGINE_BASE) (w MAN_ENGINE_PAGES) (w MAN_RAM_BASE) (w MAN_RAM_PAGES) &&
  inside (w MAN_TABLES) (tables_size w) (w MAN_ENGINE_BASE) (w MAN_ENGINE_PAGES).
(* What was packed for the host is RAM, and not the engine's; its entry and its device tree are in it. *)
Definition host_ok (w : Z -> Z) : bool :=
  let kept address := inside (page_of address) 1 (w MAN_KEEP_BASE) (w MAN_KEEP_PAGES) in
  inside (w MAN_KEEP_BASE) (w MAN_KEEP_PAGES) (w MAN_RAM_BASE) (w MAN_RAM_PAGES) &&
  ((w MAN_ENGINE_BASE + w MAN_ENGINE_PAGES <=? w MAN_KEEP_BASE) || (w MAN_KEEP_BASE + w MAN_KEEP_PAGES <=? w MAN_ENGINE_BASE)) &&
  kept (w MAN_HOST_ENTRY) && kept (w MAN_HOST_DTB).

Definition magic : Z := 0x316e616d2d65696e.                 (* "nie-man1", least significant byte first: MAN_MAGIC_VALUE *)
Definition manifest_check (w : Z -> Z) : Z :=
  require w MAN_MAGIC =? magic else BOOT_BAD_MAGIC;
  require ram_ok w else BOOT_BAD_RAM;
  require cpus_ok w else BOOT_BAD_CPUS;
  require devices_ok w else BOOT_BAD_DEVICES;
  require engine_ok w else BOOT_BAD_ENGINE;
  require host_ok w else BOOT_BAD_HOST;
  BOOT_OK.

(* The devices that it lists, but for the first pages of the redistributors. *)
Definition listed (w : Z -> Z) (page : Z) : bool :=
  existsb (fun i => let first := w (MAN_DEVICE0 + 2 * Z.of_nat i) in
                    (first <=? page) && (page - first <? w (MAN_DEVICE0 + 2 * Z.of_nat i + 1))) (seq 0 (Z.to_nat (w MAN_DEVICES))).
Definition withheld (w : Z -> Z) (page : Z) : bool :=
  (w MAN_GICR <=? page) && (page - w MAN_GICR <? 32 * w MAN_CPUS) && ((page - w MAN_GICR) mod 32 =? 0).
Definition config_of (w : Z -> Z) : config :=
  Config (w MAN_RAM_BASE) (w MAN_RAM_PAGES) (w MAN_ENGINE_BASE) (w MAN_ENGINE_PAGES) (w MAN_TABLES) (w MAN_DEV_BASE) (w MAN_DEV_PAGES)
    (fun page => negb (withheld w page) && listed w page) (w MAN_GICR) (w MAN_CPUS).

(* Boot as a whole: the result, and the state that the first CPU starts in. *)
Definition boot_with (w : Z -> Z) : Z * state :=
  (manifest_check w, boot (config_of w) (w MAN_HOST_ENTRY) (w MAN_HOST_DTB)).
