(* SPDX-License-Identifier: Apache-2.0 *)
(* The core, on the machine: model/Machine.v supplies the primitives of engine/core/prim.h. *)
From Coq Require Import ZArith.
From nie.model Require Machine.
From nie.generated Require Import Prims.
Open Scope Z_scope.

#[global] Instance machine : prims Machine.hw := {|
  hw_page_read := Machine.page_read;
  hw_page_write := Machine.page_write;
  hw_page_zero := Machine.page_zero;
  hw_page_clean := Machine.page_clean;
  hw_host_read := Machine.host_read;
  hw_host_write := Machine.host_write;
  hw_manifest_read := fun _ => Machine.input;
  hw_counter_read := Machine.input;
  hw_gicr_read := fun _ _ _ => Machine.input;
  hw_gicr_write := fun _ _ _ => Machine.does (fun h => h);
  hw_engine_lock := Machine.engine_lock;
  hw_engine_unlock := Machine.engine_unlock;
  hw_dsb_ish := Machine.dsb_ish;
  hw_isb := Machine.isb;
  hw_tlbi_vmid := Machine.tlbi_vmid;
  hw_tlbi_vmid_local := Machine.tlbi_vmid_local;
  hw_ic_invalidate := Machine.ic_invalidate;
  hw_sysreg_read := Machine.sysreg_read;
  hw_sysreg_write := Machine.sysreg_write;
  hw_fp_save := Machine.fp_save;
  hw_fp_load := Machine.fp_load;
  hw_fp_zero := Machine.fp_zero;
  hw_firmware_call := fun _ _ _ _ => Machine.input;
  hw_firmware_cpu_on := fun _ => Machine.input;
|}.

(* The registers that the machine gives a meaning to are where the C says. *)
Lemma vttbr_number : REG_VTTBR_EL2 = Machine.VTTBR_EL2.
Proof. reflexivity. Qed.
