(* SPDX-License-Identifier: Apache-2.0 *)
(* Calls whose answer never changes: exceptions that the engine serves without its lock. What it does then is what spec/trap/trap.v
   says; of any other exception it says that it is not one of these, and changes nothing. engine/core/trap/quick.c *)
From Coq Require Import ZArith Bool List.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers.
Import ListNotations.
Open Scope Z_scope.

Definition quick (c kind : Z) (a : state) : bool :=
  let class := exception_class (reg_of a REG_ESR_EL2) in
  let function := x_of a c 0 mod 2 ^ 32 in
  (kind =? TRAP_SYNC) &&
  if cpu_vm (cpu_at a c) =? CPU_HOST then (class =? EC_HVC64) && (function =? NIE_VERSION)
  else ((class =? EC_HVC64) || (class =? EC_SMC64)) && existsb (Z.eqb function) [NIE_VM_VERSION; PSCI_VERSION; SMCCC_VERSION].
