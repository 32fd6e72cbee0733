(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_DESTROY, in the words of spec/Isolation.v; and that a destroyed VM is nowhere: no walk and no TLB entry has its VMID. *)
From Coq Require Import ZArith List String Lia.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program Constants.
From nie.spec Require Import State Step Isolation.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.invariant Require Import Meaning.
From nie.proof.refine Require Import Relation vm_destroy_refines vm_destroy_statement statements.
From nie.proof.security Require Import Does.
Import ListNotations.
Open Scope Z_scope.

Definition vm_destroy_spec (args : list Z) (a : state) : list Z * state :=
  match args with
  | [vm] => let '((st, x1, x2), a') := spec_vm_destroy vm a in ([st; x1; x2], a')
  | _ => ([], a)
  end.

Theorem vm_destroy_does : does R Program.core "call_vm_destroy" one_word vm_destroy_spec.
Proof.
  apply run_does. intros a s args HR (vm & -> & V).
  destruct (vm_destroy_is_correct a s vm HR V) as (st & x1 & x2 & a' & s' & S & X & HR' & _).
  unfold vm_destroy_spec. rewrite S. eauto.
Qed.

(* Whoever comes next under an index that is free finds nothing: nothing walks and nothing is cached under its VMID. *)
Theorem free_is_nowhere : forall a s v l k d, R a s -> 0 <= v < Constants.NIE_MAX_VMS -> vm_state (vm_at a v) = Constants.NIE_VM_FREE ->
  ~ avail (C_store.hw s) (v + 1) l k d.
Proof.
  intros a s v l k d HR V F A. pose proof (R_wf _ _ HR) as W.
  destruct (related_is_exact a s _ _ _ _ HR A) as [(E & _)|(i & E & I & H)]; [lia|]. replace i with v in * by lia.
  destruct H as [(_ & _ & _ & N)|(_ & -> & D)]; [contradiction|].
  destruct (slot_at a v l k) eqn:S; try discriminate D; destruct (wf_slot _ W v l k) as (_ & N & _); try congruence.
Qed.
