(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_DESTROY (vm): STOPPED => FREE, when only the root is left; root: TABLE => HOST, zeroed.
   engine/core/call/vm_destroy.c *)
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From Coq Require Import ZArith Bool List.
From nie.generated Require Import Constants.
From nie.spec Require Import Measure State Donation Actions.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Definition vm_destroy_check (a : state) (vm : Z) : Z :=
  require vm_exists vm else NIE_E_VM;
  require vm_is a vm NIE_VM_STOPPED NIE_VM_STOPPED else NIE_E_VM_STATE;
  require running (vm_at a vm) =? 0 else NIE_E_BUSY;
  require granules (vm_at a vm) =? 1 else NIE_E_NOT_EMPTY;
  NIE_OK.

(* A later VM of this index starts from nothing. *)
Definition clear_vm (vm : Z) (a : state) : state :=
  let a := a <| slots ::= fun m => Map.set m vm (Map.const (Map.const Empty)) |> in
  set_vm vm no_vm (each NIE_MAX_CPUS (fun c => set_last vm c 0) a).

Definition vm_destroy (vm : Z) (a : state) : (Z * Z * Z) * state :=
  let status := vm_destroy_check a vm in
  if status =? NIE_OK then
    let page := root (vm_at a vm) in
    ((NIE_OK, address_of page, 0), clear_vm vm (give_back vm page a))
  else ((status, 0, 0), a).
