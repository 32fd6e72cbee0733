(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_INFO: a register of a CPU is in no invariant. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning trap_steps trap_steps_preserve.
Import RecordSetNotations.
Open Scope Z_scope.

Lemma set_x_sound : forall c i w a, sound a -> sound (set_x c i w a).
Proof.
  intros c i w a S. apply quiet_sound with a; auto. intros d _. unfold set_x. rewrite cpu_at_put. now destruct (Z.eqb_spec d c) as [->|].
Qed.

Lemma set_x_tables : forall c i w a m, tables_hold a m -> tables_hold (set_x c i w a) m.
Proof. intros c i w a m T. constructor; [exact (t_vm _ _ T)|exact (t_1 _ _ T)|exact (t_2 _ _ T)|exact (t_3 _ _ T)|exact (t_saved _ _ T)]. Qed.
