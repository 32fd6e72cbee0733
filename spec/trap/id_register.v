(* SPDX-License-Identifier: Apache-2.0 *)
(* What identification register S3_0_C0_C<crm>_<op2> reads as, for the host and for VMs: only features that add no
   register which the engine would have to switch. engine/core/trap/id_register.c *)
From Coq Require Import ZArith Bool.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers.
Open Scope Z_scope.

(* The field of four bits at [low], in place, but no more than [cap]. *)
Definition capped (value low cap : Z) : Z := Z.min (field value low 4) cap * 2 ^ low.

Definition id_register (a : state) (crm op2 : Z) : Z :=
  let kept r mask := Z.land (reg_of a r) mask in
  match crm, op2 with
  | 4, 0 => Z.lor (Z.lor (kept REG_ID_AA64PFR0_EL1 PFR0_KEEP) (capped (reg_of a REG_ID_AA64PFR0_EL1) 56 1)) PFR0_EL1_EL0_AARCH64
  | 4, 1 => kept REG_ID_AA64PFR1_EL1 PFR1_KEEP
  | 5, 0 => DFR0_FIXED
  | 6, 0 => kept REG_ID_AA64ISAR0_EL1 ISAR0_KEEP
  | 6, 1 => kept REG_ID_AA64ISAR1_EL1 ISAR1_KEEP
  | 6, 2 => kept REG_ID_AA64ISAR2_EL1 ISAR2_KEEP
  | 7, 0 => Z.lor (kept REG_ID_AA64MMFR0_EL1 MMFR0_KEEP) (capped (reg_of a REG_ID_AA64MMFR0_EL1) 0 MMFR0_PARANGE_40)
  | 7, 1 => kept REG_ID_AA64MMFR1_EL1 MMFR1_KEEP
  | 7, 2 => kept REG_ID_AA64MMFR2_EL1 MMFR2_KEEP
  | _, _ => 0
  end.
