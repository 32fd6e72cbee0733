(* SPDX-License-Identifier: Apache-2.0 *)
(* What several calls do beside spec/Donation.v: pages go back, contexts begin. *)
From Coq Require Import ZArith.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
Open Scope Z_scope.

(* Page p is the host's again. What a VM left in a page that the host did not map is gone before. *)
Definition give_back (vm p : Z) (a : state) : state := add_granules vm (-1) (set_own p Host a).

(* The context of a vCPU as after reset, but at EL1: all registers 0 but these. *)
Definition reset_context (entry argument : Z) : Map.t Z :=
  let m := Map.const 0 in
  let m := Map.set m CTX_X0 argument in
  let m := Map.set m (CTX_SYSREG + REG_SCTLR_EL1) SCTLR_EL1_RESET in
  let m := Map.set m (CTX_SYSREG + REG_ELR_EL2) entry in
  Map.set m (CTX_SYSREG + REG_SPSR_EL2) PSTATE_EL1H_MASKED.
