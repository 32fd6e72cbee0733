(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_SHARED_ADD (vm, ipa, pa, count): HOST => SHARED(vm, ipa), in the upper half of the IPA space.
   engine/core/call/page_shared_add.c *)
From Coq Require Import ZArith Bool List.
From nie.generated Require Import Constants.
From nie.spec Require Import Measure State Donation Actions.
Import ListNotations.
Open Scope Z_scope.

Definition in_upper_half (ipa : Z) : bool := negb (ipa <? 2 ^ (NIE_IPA_BITS - 1)).

Definition page_shared_add_check (a : state) (vm ipa pa count : Z) : Z :=
  require vm_exists vm else NIE_E_VM;
  require vm_is a vm NIE_VM_BUILDING NIE_VM_ACTIVE else NIE_E_VM_STATE;
  let status := check_ipa_range ipa count in require status =? NIE_OK else status;
  require in_upper_half ipa else NIE_E_IPA;
  let status := check_donation a pa count in require status =? NIE_OK else status;
  check_empty a vm LEVEL_PAGE (page_of ipa) count.

Definition page_shared_add (vm ipa pa count : Z) (a : state) : Z * state :=
  let status := page_shared_add_check a vm ipa pa count in
  if status =? NIE_OK then
    let x := page_of ipa in
    let p := page_of pa in
    let a := hand_over vm p count (fun i => Shared vm (x + i)) a in
    let a := each count (mapped vm x (fun i => ToShared (p + i))) a in
    (NIE_OK, measured_if_building vm (record MEASURE_SHARED ipa count 0) a)
  else (status, a).
