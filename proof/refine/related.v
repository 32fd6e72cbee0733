(* SPDX-License-Identifier: Apache-2.0 *)
(* What R says of hardware. *)
From Coq Require Import ZArith.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.proof.refine Require Import Relation.
Open Scope Z_scope.

(* With the lock free: no page is reached under two VMIDs unless it is shared by the host and one VM; nobody reaches the engine's
   memory; the host reaches no page that a VM had to itself since it was last scrubbed. *)
Lemma related_is_safe : forall a s, R a s -> safe (hw s) /\ ok (hw s).
Proof. intros a s H. destruct (R_hw _ _ H) as (m & X & _). split; [eapply world_safe; eauto|apply X]. Qed.
(* What any TLB holds and any walk finds is on the map. *)
Lemma related_is_exact : forall a s v l k d, R a s -> avail (hw s) v l k d -> Aset a v l k d.
Proof. intros a s v l k d H A. destruct (R_hw _ _ H) as (m & X & _). eapply avail_sub; eauto. Qed.
