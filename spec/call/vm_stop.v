(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_STOP (vm): any state but FREE => STOPPED. What runs leaves by the host's kick. engine/core/call/vm_stop.c *)
From RecordUpdate Require Import RecordSet.
From Coq Require Import ZArith Bool List.
From nie.generated Require Import Constants.
From nie.spec Require Import Measure State Donation Actions.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Definition vm_stop_check (a : state) (vm : Z) : Z :=
  require vm_exists vm else NIE_E_VM;
  require negb (vm_state (vm_at a vm) =? NIE_VM_FREE) else NIE_E_VM_STATE;
  NIE_OK.

Definition vm_stop (vm : Z) (a : state) : Z * state :=
  let status := vm_stop_check a vm in
  if status =? NIE_OK then (NIE_OK, set_vm vm (vm_at a vm <| vm_state := NIE_VM_STOPPED |>) a)
  else (status, a).
