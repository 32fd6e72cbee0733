(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_CREATE (vm, root, base, pages, count): FREE => BUILDING; root: HOST => TABLE(vm, 1, 0). [now]: the counter.
   engine/core/call/vm_create.c *)
From RecordUpdate Require Import RecordSet.
From Coq Require Import ZArith Bool List.
From nie.generated Require Import Constants.
From nie.spec Require Import Measure State Donation Actions.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

(* The RAM window lies in the lower half of the IPA space; page 0 of that is never used. *)
Definition half : Z := 2 ^ (NIE_IPA_BITS - 1 - NIE_PAGE_SHIFT).
Definition window_ok (base pages : Z) : bool :=
  aligned base && (1 <=? page_of base) && (page_of base <? half) && (1 <=? pages) && (pages <=? half - page_of base).

Definition vm_create_check (a : state) (vm root base pages count : Z) : Z :=
  require vm_exists vm else NIE_E_VM;
  require vm_is a vm NIE_VM_FREE NIE_VM_FREE else NIE_E_VM_STATE;
  require window_ok base pages else NIE_E_WINDOW;
  require (1 <=? count) && (count <=? NIE_MAX_VCPUS) else NIE_E_VCPU;
  check_donation a root 1.

Definition vm_create (vm root base pages count now : Z) (a : state) : Z * state :=
  let status := vm_create_check a vm root base pages count in
  if status =? NIE_OK then
    let r := vm_at a vm <| State.root := page_of root |> <| ram_base := page_of base |> <| ram_pages := pages |>
             <| cntvoff := now |> <| vcpu_count := count |> <| vm_state := NIE_VM_BUILDING |> in
    let a := donate vm (page_of root) 1 (fun _ => Table vm 1 0) (set_vm vm r a) in
    (NIE_OK, measured vm (record MEASURE_VM base pages count) a)
  else (status, a).
