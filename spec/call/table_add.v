(* SPDX-License-Identifier: Apache-2.0 *)
(* TABLE_ADD (vm, ipa, level, pa): HOST => TABLE(vm, level, key), empty; over a block: filled with the block's pages.
   engine/core/call/table_add.c *)
From Coq Require Import ZArith Bool List.
From nie.generated Require Import Constants.
From nie.spec Require Import Measure State Donation Actions.
From nie.spec.call Require Import table_remove.   (* pages_below *)
Import ListNotations.
Open Scope Z_scope.

(* The VM has the table at [level] that holds entry [key]. *)
Definition has_table (a : state) (vm level key : Z) : bool :=
  (level =? 1) || match slot_at a vm (level - 1) (key / 512) with ToTable _ => true | _ => false end.

Definition table_add_check (a : state) (vm ipa level pa : Z) : Z :=
  let key := page_of ipa / pages_below (level - 1) in
  require vm_exists vm else NIE_E_VM;
  require negb (vm_state (vm_at a vm) =? NIE_VM_FREE) else NIE_E_VM_STATE;
  require (level =? 2) || (level =? 3) else NIE_E_LEVEL;
  require ipa mod (4096 * pages_below (level - 1)) =? 0 else NIE_E_ALIGN;
  require in_ipa_space ipa else NIE_E_IPA;
  let status := check_donation a pa 1 in require status =? NIE_OK else status;
  require has_table a vm (level - 1) key else NIE_E_NO_TABLE;
  match slot_at a vm (level - 1) key with
  | Empty | ToBlock _ => NIE_OK
  | _ => NIE_E_MAPPED
  end.

(* A new table over nothing is all Empty, as its entries were before it was there. *)
Definition table_add (vm ipa level pa : Z) (a : state) : Z * state :=
  let status := table_add_check a vm ipa level pa in
  if status =? NIE_OK then
    let key := page_of ipa / pages_below (level - 1) in
    let table := page_of pa in
    let entry := slot_at a vm (level - 1) key in
    let a := donate vm table 1 (fun _ => Table vm level key) a in
    let a := match entry with
             | ToBlock p => each 512 (mapped vm (key * 512) (fun i => ToPage (p + i))) a
             | _ => a
             end in
    (NIE_OK, set_slot vm (level - 1) key (ToTable table) a)
  else (status, a).
