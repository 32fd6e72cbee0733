(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_INFO (vm): nothing changes but the caller's registers. engine/core/call/vm_info.c *)
From Coq Require Import ZArith Bool List.
From nie.generated Require Import Constants.
From nie.spec Require Import Sha256 State Registers.
Import ListNotations.
Open Scope Z_scope.

(* Two words of the hash in a register. *)
Definition hash_words (h : words8) : list Z :=
  let '(h0, h1, h2, h3, h4, h5, h6, h7) := h in
  [h0 * 2 ^ 32 + h1; h2 * 2 ^ 32 + h3; h4 * 2 ^ 32 + h5; h6 * 2 ^ 32 + h7].

(* x0, ..., x6; of a VM that cannot be, x0 alone. *)
Definition vm_info_words (vm : Z) (a : state) : list Z :=
  let r := vm_at a vm in
  if vm_exists vm then [NIE_OK; vm_state r + 256 * running r; granules r] ++ hash_words (hash_of_vm r) else [NIE_E_VM].

(* On CPU [c], which asks in x1. *)
Definition vm_info (c : Z) (a : state) : state := answer c (vm_info_words (x_of a c 1) a) a.
