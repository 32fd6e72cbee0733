(* SPDX-License-Identifier: Apache-2.0 *)
(* Which call the host makes: x0 names it, x1.. are its arguments, x0.. take the answer. [content p w]: word w of
   page p, for PAGE_ADD. engine/core/call/host_call.c *)
From Coq Require Import ZArith List.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers.
From nie.spec.call Require Import page_add page_add_zero page_remove page_shared_add table_add table_remove vcpu_create
  vcpu_destroy vcpu_run vm_activate vm_create vm_destroy vm_info vm_stop.
Import ListNotations.
Open Scope Z_scope.

Definition host_call (c : Z) (ins : nat -> Z) (content : Z -> Z -> Z) (a : state) : state :=
  let x := x_of a c in
  let function := x 0 mod 2 ^ 32 in
  let status_of (r : Z * state) := let '(status, a) := r in answer c [status] a in
  let answer_of (r : (Z * Z * Z) * state) := let '((status, x1, x2), a) := r in answer c [status; x1; x2] a in
  if function =? NIE_VERSION then answer c [NIE_OK; NIE_ABI_VERSION; 0] a
  else if function =? NIE_VM_INFO then vm_info c a
  else if function =? NIE_VCPU_RUN then                         (* once the vCPU runs, x0 is its own *)
    let '(status, a) := vcpu_run c (x 1) (x 2) ins a in if status =? NIE_OK then a else answer c [status] a
  else if function =? NIE_VM_DESTROY then answer_of (vm_destroy (x 1) a)
  else if function =? NIE_VCPU_DESTROY then answer_of (vcpu_destroy (x 1) (x 2) a)
  else if function =? NIE_TABLE_REMOVE then answer_of (table_remove (x 1) (x 2) (x 3) a)
  else if function =? NIE_PAGE_REMOVE then answer_of (page_remove (x 1) (x 2) (x 3) a)
  else if function =? NIE_VM_CREATE then status_of (vm_create (x 1) (x 2) (x 3) (x 4) (x 5) (ins O) a)
  else if function =? NIE_VM_ACTIVATE then status_of (vm_activate (x 1) a)
  else if function =? NIE_VM_STOP then status_of (vm_stop (x 1) a)
  else if function =? NIE_VCPU_CREATE then status_of (vcpu_create (x 1) (x 2) (x 3) (x 4) (x 5) (x 6) a)
  else if function =? NIE_TABLE_ADD then status_of (table_add (x 1) (x 2) (x 3) (x 4) a)
  else if function =? NIE_PAGE_ADD then
    status_of (page_add (x 1) (x 2) (x 3) (x 4) (fun i => content (page_of (x 3) + i)) a)
  else if function =? NIE_PAGE_ADD_ZERO then status_of (page_add_zero (x 1) (x 2) (x 3) (x 4) (x 5) a)
  else if function =? NIE_PAGE_SHARED_ADD then status_of (page_shared_add (x 1) (x 2) (x 3) (x 4) a)
  else answer c [NIE_E_CALL] a.
