(* SPDX-License-Identifier: Apache-2.0 *)
(* A stage 2 abort of the vCPU on CPU [c]. engine/core/trap/vcpu_abort.c *)
From Coq Require Import ZArith Bool List.
From RecordUpdate Require Import RecordSet.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Definition in_ram_window (a : state) (v page : Z) : bool :=
  (ram_base (vm_at a v) <=? page) && (page - ram_base (vm_at a v) <? ram_pages (vm_at a v)).

(* What the VM's tables say of an IPA page: its entry, or that of the block or hole that it lies in. *)
Definition entry_of (a : state) (v x : Z) : slot :=
  match slot_at a v 1 (x / 512 / 512) with
  | ToTable _ => match slot_at a v 2 (x / 512) with ToTable _ => slot_at a v 3 x | e => e end
  | e => e
  end.

(* Outside of the RAM window: an access to a device that the host emulates. *)
Definition mmio_exit (c page esr : Z) (a : state) : list event * state :=
  let v := cpu_vm (cpu_at a c) in
  let i := cpu_vcpu (cpu_at a c) in
  let ipa := address_of page + field (reg_of a REG_FAR_EL2) 0 12 in
  let bytes := mmio_width esr in
  let value := gpr a c (mmio_register esr) in
  let ask p := set_vcpu v i (vcpu_at a v i <| pending := p |> <| syndrome := field esr 0 25 |>) a in
  if has esr ISS_WNR then exit_vcpu c (Exit NIE_EXIT_MMIO_WRITE ipa bytes (mmio_truncate value bytes)) (ask PENDING_WRITE)
  else exit_vcpu c (Exit NIE_EXIT_MMIO_READ ipa bytes 0) (ask PENDING_READ).

Definition vcpu_abort (c esr : Z) (a : state) : list event * state :=
  let v := cpu_vm (cpu_at a c) in
  let page := fault_page (reg_of a REG_HPFAR_EL2) in
  if negb (is_translation esr) || negb (page <? 2 ^ (NIE_IPA_BITS - NIE_PAGE_SHIFT)) then ([], inject_abort esr FSC_EXTERNAL a)
  else
    match entry_of a v page with
    | ToTable _ | ToBlock _ | ToPage _ | ToShared _ => ([], a)     (* allowed by now: again *)
    | Spent => ([], inject_abort esr FSC_EXTERNAL a)
    | Empty =>
        if in_ram_window a v page then exit_vcpu c (Exit NIE_EXIT_PAGE_MISSING (address_of page) 0 0) a
        else if (exception_class esr =? EC_DATA_ABORT) && mmio_decodable esr then mmio_exit c page esr a
        else ([], inject_abort esr FSC_EXTERNAL a)
    end.
