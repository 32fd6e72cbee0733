(* SPDX-License-Identifier: Apache-2.0 *)
(* How a call ends: from what is known of the last machine to [R]. *)
From Coq Require Import ZArith.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.proof.invariant Require Export Counting.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Export Relation.

(* A world begins anywhere on the way. *)
Lemma world_here : forall h0 A B m V h, world h0 A B m V h -> world h A B m V h.
Proof. intros h0 A B m V h []. constructor; auto. now constructor. Qed.

Lemma R_ends : forall a gl h0 h m, wf a -> onto a -> counted a -> globals_hold a gl -> world h0 (Aset a) (Aset a) m (now m) h -> tables_hold a m ->
  ram h0 = ram_of a -> engine h0 = engine_of a -> registers_hold a h0 -> R a (Mach gl h).
Proof.
  intros a gl h0 h m W O N G X T RAM ENG REGS. pose proof (w_frame _ _ _ _ _ _ X) as F. constructor; cbn [glob hw]; auto.
  - exists m. split; auto. eapply world_here; eauto.
  - now rewrite (f_ram _ _ F).
  - now rewrite (f_engine _ _ F).
  - eapply registers_frame; eauto.
Qed.
