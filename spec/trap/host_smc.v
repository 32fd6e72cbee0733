(* SPDX-License-Identifier: Apache-2.0 *)
(* The host's SMCs: PSCI and SMCCC by an allow-list. [ins]: what the firmware answers. engine/core/trap/host_smc.c *)
From Coq Require Import ZArith Bool List.
From RecordUpdate Require Import RecordSet.
From nie.generated Require Import Constants.
From nie.spec Require Import State Donation Registers Switch.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Definition all_free (a : state) : bool :=
  forallb (fun v => vm_state (vm_at a (Z.of_nat v)) =? NIE_VM_FREE) (seq 0 (Z.to_nat NIE_MAX_VMS)).

Definition host_features (function : Z) : Z :=
  if existsb (Z.eqb function) [PSCI_VERSION; PSCI_FEATURES; PSCI_CPU_ON; PSCI_CPU_OFF; PSCI_AFFINITY_INFO; PSCI_MIGRATE_INFO_TYPE;
                               PSCI_SYSTEM_OFF; PSCI_SYSTEM_RESET; SMCCC_VERSION]
  then PSCI_SUCCESS else PSCI_NOT_SUPPORTED.

Definition set_started (t n : Z) (a : state) : state := set_cpu t (cpu_at a t <| started := n |>) a.

(* Answer, what goes to the firmware, and the state. *)
Definition host_cpu_on (target entry argument : Z) (ins : nat -> Z) (a : state) : Z * list event * state :=
  if negb (target <? cpu_count (cfg a)) then (PSCI_INVALID_PARAMETERS, [], a)
  else if negb (started (cpu_at a target) =? 0) then (PSCI_ALREADY_ON, [], a)
  else
    let a := set_cpu target (cpu_at a target <| start_entry := entry |> <| start_argument := argument |> <| started := 1 |>) a in
    (ins O, [FirmwareCpuOn target], if ins O =? PSCI_SUCCESS then a else set_started target 0 a).
(* Power off or reset would hand a VM's memory to whatever boots next. *)
Definition host_system (function : Z) (ins : nat -> Z) (a : state) : Z * list event * state :=
  if all_free a then (ins O, [Firmware function 0 0], a) else (PSCI_DENIED, [], a).

Definition host_smc_answer (c : Z) (ins : nat -> Z) (a : state) : Z * list event * state :=
  let function := x_of a c 0 mod 2 ^ 32 in
  let x1 := x_of a c 1 in
  let x2 := x_of a c 2 in
  if function =? PSCI_VERSION then (PSCI_1_1, [], a)
  else if function =? SMCCC_VERSION then (SMCCC_1_1, [], a)
  else if function =? PSCI_FEATURES then (host_features (smccc_argument PSCI_FEATURES x1), [], a)
  else if function =? PSCI_CPU_ON then host_cpu_on x1 x2 (x_of a c 3) ins a
  else if function =? PSCI_AFFINITY_INFO then (ins O, [Firmware PSCI_AFFINITY_INFO x1 x2], a)
  else if function =? PSCI_MIGRATE_INFO_TYPE then (PSCI_NO_TRUSTED_OS, [], a)
  else if (function =? PSCI_SYSTEM_OFF) || (function =? PSCI_SYSTEM_RESET) then host_system function ins a
  else (PSCI_NOT_SUPPORTED, [], a).

(* How the trap ends, what goes out, and the state. *)
Definition host_smc (c : Z) (ins : nat -> Z) (a : state) : Z * list event * state :=
  if x_of a c 0 mod 2 ^ 32 =? PSCI_CPU_OFF then (TRAP_CPU_OFF, [], set_started c 0 a)
  else let '(answer, events, a) := host_smc_answer c ins a in (TRAP_RESUME, events, set_x c 0 answer a).
