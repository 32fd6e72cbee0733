(* SPDX-License-Identifier: Apache-2.0 *)
(* What several calls do beside spec/Donation.v: pages go back, contexts begin, registers are answered. *)
From Coq Require Import ZArith Bool List.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
Import ListNotations RecordSetNotations.
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

(* x0, x1, ... of the context that is on a CPU. *)
Fixpoint put_words (m : Map.t Z) (i : Z) (l : list Z) : Map.t Z :=
  match l with [] => m | w :: l' => put_words (Map.set m i w) (i + 1) l' end.
Definition answer (c : Z) (l : list Z) (a : state) : state :=
  set_cpu c (cpu_at a c <| cpu_x ::= fun m => put_words m 0 l |>) a.
Definition x_of (a : state) (c i : Z) : Z := Map.get (cpu_x (cpu_at a c)) i.
