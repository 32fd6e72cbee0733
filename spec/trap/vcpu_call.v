(* SPDX-License-Identifier: Apache-2.0 *)
(* What a VM asks for by HVC or SMC: the engine's own calls, PSCI, and nothing else. engine/core/trap/vcpu_call.c *)
From Coq Require Import ZArith Bool List.
From RecordUpdate Require Import RecordSet.
From nie.generated Require Import Constants.
From nie.spec Require Import State Actions Registers Switch.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

(* PSCI CPU_ON: OFF => READY, from the caller's arguments only. *)
Definition vcpu_on (c function : Z) (a : state) : list event * state :=
  let v := cpu_vm (cpu_at a c) in
  let r := vm_at a v in
  let target := smccc_argument function (x_of a c 1) in
  let entry := smccc_argument function (x_of a c 2) in
  let argument := smccc_argument function (x_of a c 3) in
  if negb (target <? vcpu_count r) then ([], set_x c 0 PSCI_INVALID_PARAMETERS a)
  else if negb (vcpu_state (vcpu_at a v target) =? VCPU_OFF) then ([], set_x c 0 PSCI_ALREADY_ON a)
  else if negb ((ram_base r <=? page_of entry) && (page_of entry - ram_base r <? ram_pages r)) then ([], set_x c 0 PSCI_INVALID_ADDRESS a)
  else
    let on := vcpu_at a v target <| vcpu_state := VCPU_READY |> <| pending := PENDING_NONE |> <| syndrome := 0 |> in
    let a := set_saved v target (reset_context entry argument) (set_vcpu v target on a) in
    exit_vcpu c (Exit NIE_EXIT_CPU_ON 0 0 target) (set_x c 0 PSCI_SUCCESS a).

Definition affinity_info (a : state) (v target level : Z) : Z :=
  if negb (target <? vcpu_count (vm_at a v)) || negb (level =? 0) then PSCI_INVALID_PARAMETERS
  else if vcpu_state (vcpu_at a v target) =? VCPU_OFF then PSCI_AFFINITY_OFF else PSCI_AFFINITY_ON.

Definition vcpu_features (function : Z) : Z :=
  if existsb (Z.eqb function) [PSCI_VERSION; PSCI_FEATURES; PSCI_CPU_SUSPEND_32; PSCI_CPU_SUSPEND; PSCI_CPU_OFF; PSCI_CPU_ON_32; PSCI_CPU_ON;
                               PSCI_AFFINITY_INFO_32; PSCI_AFFINITY_INFO; PSCI_MIGRATE_INFO_TYPE; PSCI_SYSTEM_OFF; PSCI_SYSTEM_RESET;
                               SMCCC_VERSION]
  then PSCI_SUCCESS else PSCI_NOT_SUPPORTED.

(* Spent => Empty, by the VM's own wish: what comes there next is a zero page. *)
Definition page_reopen (v ipa : Z) (a : state) : Z * state :=
  if negb (aligned ipa) then (NIE_E_ALIGN, a)
  else if negb (in_ipa_space ipa) then (NIE_E_IPA, a)
  else match slot_at a v 3 (page_of ipa) with
       | Spent => (NIE_OK, set_slot v 3 (page_of ipa) Empty a)
       | _ => (NIE_E_NOT_SPENT, a)
       end.

Definition system_end (c reason : Z) (a : state) : list event * state :=
  let v := cpu_vm (cpu_at a c) in
  exit_vcpu c (Exit reason 0 0 0) (set_vm v (vm_at a v <| vm_state := NIE_VM_STOPPED |>) a).

Definition vcpu_call_answer (v function x1 x2 : Z) (a : state) : Z * state :=
  if function =? NIE_VM_VERSION then (NIE_ABI_VERSION, a)
  else if function =? NIE_VM_PAGE_REOPEN then page_reopen v x1 a
  else if function =? PSCI_VERSION then (PSCI_1_1, a)
  else if function =? SMCCC_VERSION then (SMCCC_1_1, a)
  else if function =? PSCI_FEATURES then (vcpu_features x1, a)
  else if (function =? PSCI_AFFINITY_INFO_32) || (function =? PSCI_AFFINITY_INFO) then (affinity_info a v x1 x2, a)
  else if function =? PSCI_MIGRATE_INFO_TYPE then (PSCI_NO_TRUSTED_OS, a)
  else (PSCI_NOT_SUPPORTED, a).

Definition vcpu_call (c : Z) (a : state) : list event * state :=
  let v := cpu_vm (cpu_at a c) in
  let i := cpu_vcpu (cpu_at a c) in
  let function := x_of a c 0 mod 2 ^ 32 in
  if (function =? PSCI_CPU_ON_32) || (function =? PSCI_CPU_ON) then vcpu_on c function a
  else if function =? PSCI_CPU_OFF then exit_vcpu c (Exit NIE_EXIT_CPU_OFF 0 0 0) a
  else if (function =? PSCI_CPU_SUSPEND_32) || (function =? PSCI_CPU_SUSPEND) then
    exit_vcpu c (Exit NIE_EXIT_WFI 0 0 0) (set_x c 0 PSCI_SUCCESS a)
  else if function =? PSCI_SYSTEM_OFF then system_end c NIE_EXIT_SYSTEM_OFF a
  else if function =? PSCI_SYSTEM_RESET then system_end c NIE_EXIT_SYSTEM_RESET a
  else if function =? NIE_VM_HOST_CALL then
    exit_vcpu c (Exit NIE_EXIT_HOST_CALL 0 0 0) (set_vcpu v i (vcpu_at a v i <| pending := PENDING_CALL |>) a)
  else
    let '(answer, a) := vcpu_call_answer v function (smccc_argument function (x_of a c 1)) (smccc_argument function (x_of a c 2)) a in
    ([], set_x c 0 answer a).
