(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_ADD_ZERO (vm, ipa, pa, count, level). Arguments are 64-bit numbers. engine/core/call/page_add_zero.c *)
From Coq Require Import ZArith Bool List.
From nie.generated Require Import Constants.
From nie.spec Require Import Measure State Donation.
Open Scope Z_scope.

Definition page_add_zero_check (a : state) (vm ipa pa count level : Z) : Z :=
  require vm_exists vm else NIE_E_VM;
  require vm_is a vm NIE_VM_BUILDING NIE_VM_ACTIVE else NIE_E_VM_STATE;
  require (level =? LEVEL_BLOCK) || (level =? LEVEL_PAGE) else NIE_E_LEVEL;
  require negb (level =? LEVEL_BLOCK) || (count =? ENTRIES) else NIE_E_COUNT;
  let status := check_placement a vm ipa pa count in
  require status =? NIE_OK else status;
  if level =? LEVEL_PAGE then check_empty a vm LEVEL_PAGE (page_of ipa) count
  else check_empty a vm LEVEL_BLOCK (page_of ipa / 512) 1.

(* The pages are the VM's; its entries lead to them; what they hold is zero when the VM can first look. *)
Definition add_zero (vm x p count level : Z) (a : state) : state :=
  let a := donate vm p count (fun i => Data vm (x + i)) a in
  if level =? LEVEL_PAGE then each count (mapped vm x (fun i => ToPage (p + i))) a
  else set_slot vm LEVEL_BLOCK (x / 512) (ToBlock p) a.

(* Status, and the state afterwards. *)
Definition page_add_zero (vm ipa pa count level : Z) (a : state) : Z * state :=
  let status := page_add_zero_check a vm ipa pa count level in
  if status =? NIE_OK then
    (NIE_OK, measured_if_building vm (record MEASURE_ZERO ipa count 0) (add_zero vm (page_of ipa) (page_of pa) count level a))
  else (status, a).
