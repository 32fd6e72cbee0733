(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_REMOVE (vm, ipa, count). Arguments are 64-bit numbers. engine/core/call/page_remove.c *)
From Coq Require Import ZArith Bool.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
Open Scope Z_scope.

(* The pages at IPA pages x, x + 1, ... are there, and are first, first + 1, ... *)
Fixpoint pages_from (a : state) (vm x first : Z) (n : nat) (i : Z) : Z :=
  match n with
  | O => NIE_OK
  | S n' =>
      match page_at a vm (x + i) with
      | None => NIE_E_UNMAPPED
      | Some p => require p =? first + i else NIE_E_NOT_CONTIGUOUS;
                  pages_from a vm x first n' (i + 1)
      end
  end.

Definition first_of (a : state) (vm x : Z) : Z := match page_at a vm x with Some p => p | None => 0 end.

Definition page_remove_check (a : state) (vm ipa count : Z) : Z :=
  let x := page_of ipa in
  require vm_exists vm else NIE_E_VM;
  require vm_is a vm NIE_VM_ACTIVE NIE_VM_STOPPED else NIE_E_VM_STATE;
  require aligned ipa else NIE_E_ALIGN;
  require range_ok x count else NIE_E_COUNT;
  require in_ipa_space ipa else NIE_E_IPA;
  match slot_at a vm 2 (x / 512) with
  | ToTable _ => pages_from a vm x (first_of a vm x) (Z.to_nat count) 0
  | ToBlock _ => NIE_E_BLOCK
  | _ => NIE_E_NO_TABLE
  end.

Definition spend (vm x : Z) (i : Z) (a : state) : state := set_slot vm 3 (x + i) Spent a.
Definition take_back (vm first : Z) (i : Z) (a : state) : state := add_granules vm (-1) (set_own (first + i) Host a).

(* Status, x1, x2, and the state afterwards. *)
Definition page_remove (vm ipa count : Z) (a : state) : (Z * Z * Z) * state :=
  let status := page_remove_check a vm ipa count in
  if status =? NIE_OK then
    let x := page_of ipa in
    let first := first_of a vm x in
    ((NIE_OK, address_of first, 0), each count (take_back vm first) (each count (spend vm x) a))
  else ((status, 0, 0), a).
