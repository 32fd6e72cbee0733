(* SPDX-License-Identifier: Apache-2.0 *)
(* The host touched what its stage 2 does not let it. [ins]: what the redistributor answers.
   engine/core/trap/host_abort.c *)
From Coq Require Import ZArith Bool List.
From RecordUpdate Require Import RecordSet.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

(* The first page of a redistributor, which the host does not map: LPI tables would let it read any memory. *)
Definition is_redistributor_base (a : state) (page : Z) : bool :=
  let n := page - gicr_first (cfg a) in
  (gicr_first (cfg a) <=? page) && (n <? 32 * cpu_count (cfg a)) && (n mod 32 =? 0).

(* Only what cannot make the redistributor read or write memory is passed on. *)
Definition gicr_read (offset : Z) (ins : nat -> Z) : Z :=
  if (offset =? GICR_CTLR) || (offset =? 4) || (offset =? GICR_TYPER_HIGH) || (offset =? GICR_STATUSR) || (offset =? GICR_WAKER)
  then ins O
  else if offset =? GICR_TYPER then without (ins O) GICR_TYPER_LPIS
  else 0.
Definition gicr_write (cpu offset value : Z) : list event :=
  if offset =? GICR_CTLR then [Redistributor cpu offset (without value GICR_CTLR_ENABLE_LPIS)]
  else if offset =? GICR_WAKER then [Redistributor cpu offset value]
  else [].

Definition redistributor_access (c page esr : Z) (ins : nat -> Z) (a : state) : list event * state :=
  let offset := field (reg_of a REG_FAR_EL2) 0 12 in
  let target := (page - gicr_first (cfg a)) / 32 in
  if has esr ISS_WNR then (gicr_write target offset (gpr a c (mmio_register esr) mod 2 ^ 32), skip_instruction a)
  else ([], skip_instruction (set_gpr c (mmio_register esr) (mmio_truncate (gicr_read offset ins) (mmio_width esr)) a)).

Definition host_abort (c esr : Z) (ins : nat -> Z) (a : state) : list event * state :=
  let page := fault_page (reg_of a REG_HPFAR_EL2) in
  let data := exception_class esr =? EC_DATA_ABORT in
  (* The page came back meanwhile, or the fault came while a block was split: try again. *)
  if is_translation esr && host_may_access a page then ([], a)
  else if is_translation esr && data && is_redistributor_base a page && mmio_decodable esr then redistributor_access c page esr ins a
  else
    let fixable := is_translation esr && data && has (reg_of a REG_SPSR_EL2) 0xf && negb (has esr ISS_S1PTW) in
    ([], inject_abort esr (if fixable then FSC_PERMISSION_3 else FSC_EXTERNAL) a).
