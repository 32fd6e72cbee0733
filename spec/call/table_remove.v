(* SPDX-License-Identifier: Apache-2.0 *)
(* TABLE_REMOVE (vm, ipa, level). Arguments are 64-bit numbers. engine/core/call/table_remove.c *)
From Coq Require Import ZArith Bool.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
Open Scope Z_scope.

(* The table at [level] is what entry [x / pages_below (level - 1)] of the level above names. *)
Definition pages_below (level : Z) : Z := 512 ^ (3 - level).

(* The n entries from [key] on hold nothing; Spent is nothing only when the VM is stopped for ever. *)
Fixpoint entries_free (a : state) (vm level key : Z) (spent_too : bool) (n : nat) : bool :=
  match n with
  | O => true
  | S n' =>
      match slot_at a vm level key with
      | Empty => true
      | Spent => spent_too
      | _ => false
      end && entries_free a vm level (key + 1) spent_too n'
  end.

Definition table_remove_check (a : state) (vm ipa level : Z) : Z :=
  let key := page_of ipa / pages_below (level - 1) in
  require vm_exists vm else NIE_E_VM;
  require vm_is a vm NIE_VM_ACTIVE NIE_VM_STOPPED else NIE_E_VM_STATE;
  require (level =? 2) || (level =? 3) else NIE_E_LEVEL;
  require ipa mod (4096 * pages_below (level - 1)) =? 0 else NIE_E_ALIGN;
  require in_ipa_space ipa else NIE_E_IPA;
  match slot_at a vm (level - 1) key with
  | ToTable _ =>
      require entries_free a vm level (key * 512) (vm_state (vm_at a vm) =? NIE_VM_STOPPED) 512 else NIE_E_NOT_EMPTY;
      NIE_OK
  | _ => NIE_E_NO_TABLE
  end.

Definition forget (vm level key : Z) (i : Z) (a : state) : state := set_slot vm level (key * 512 + i) Empty a.

(* Status, x1, x2, and the state afterwards. *)
Definition table_remove (vm ipa level : Z) (a : state) : (Z * Z * Z) * state :=
  let status := table_remove_check a vm ipa level in
  if status =? NIE_OK then
    let key := page_of ipa / pages_below (level - 1) in
    match slot_at a vm (level - 1) key with
    | ToTable t =>
        ((NIE_OK, address_of t, 0),
         add_granules vm (-1) (set_own t Host (set_slot vm (level - 1) key Empty (each 512 (forget vm level key) a))))
    | _ => ((status, 0, 0), a)
    end
  else ((status, 0, 0), a).
