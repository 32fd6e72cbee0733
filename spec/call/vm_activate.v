(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_ACTIVATE (vm): BUILDING => ACTIVE, when all its vCPUs exist; its build log is complete.
   engine/core/call/vm_activate.c *)
From RecordUpdate Require Import RecordSet.
From Coq Require Import ZArith Bool List.
From nie.generated Require Import Constants.
From nie.spec Require Import Measure State Donation Actions.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Definition vm_activate_check (a : state) (vm : Z) : Z :=
  require vm_exists vm else NIE_E_VM;
  require vm_is a vm NIE_VM_BUILDING NIE_VM_BUILDING else NIE_E_VM_STATE;
  require created (vm_at a vm) =? vcpu_count (vm_at a vm) else NIE_E_VCPU_STATE;
  NIE_OK.

Definition vm_activate (vm : Z) (a : state) : Z * state :=
  let status := vm_activate_check a vm in
  if status =? NIE_OK then (NIE_OK, set_vm vm (vm_at a vm <| sealed := true |> <| vm_state := NIE_VM_ACTIVE |>) a)
  else (status, a).
