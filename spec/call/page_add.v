(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_ADD (vm, ipa, pa, count): HOST => DATA(vm, ipa) with the host's content, measured. Before activation.
   [content i w]: word w of page i, when the host can write it no more. engine/core/call/page_add.c *)
From Coq Require Import ZArith Bool List.
From nie.generated Require Import Constants.
From nie.spec Require Import Measure State Donation Actions.
Import ListNotations.
Open Scope Z_scope.

Definition page_add_check (a : state) (vm ipa pa count : Z) : Z :=
  require vm_exists vm else NIE_E_VM;
  require vm_is a vm NIE_VM_BUILDING NIE_VM_BUILDING else NIE_E_VM_STATE;
  require count <=? NIE_PAGE_ADD_MAX else NIE_E_COUNT;
  let status := check_placement a vm ipa pa count in require status =? NIE_OK else status;
  check_empty a vm LEVEL_PAGE (page_of ipa) count.

Definition measure_page (vm x : Z) (content : Z -> Z -> Z) (i : Z) (a : state) : state :=
  measured vm (record MEASURE_PAGE (address_of (x + i)) 0 0 ++ page (content i)) a.

Definition page_add (vm ipa pa count : Z) (content : Z -> Z -> Z) (a : state) : Z * state :=
  let status := page_add_check a vm ipa pa count in
  if status =? NIE_OK then
    let x := page_of ipa in
    let p := page_of pa in
    let a := donate vm p count (fun i => Data vm (x + i)) a in
    let a := each count (measure_page vm x content) a in
    (NIE_OK, each count (mapped vm x (fun i => ToPage (p + i))) a)
  else (status, a).
