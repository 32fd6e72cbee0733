(* SPDX-License-Identifier: Apache-2.0 *)
(* An exception of the host's, and a CPU that starts, on two machines that differ in what a VM keeps to itself: they go on to do so. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.lib Require Import World Wp.
From nie.spec Require Import State Step Isolation.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.invariant Require Import Meaning.
From nie.proof.refine Require Import Relation statements GiveBack Midway trap_is_safe boot_is_safe.
From nie.proof.security Require Import Alike noninterference host_traps_tell_nothing Watched core_is_safe owners_change Twins.
From nie.model Require Import C Machine.
From nie.spec Require Import Core Step Isolation.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** Owners, by the engine's granule table. *)

Definition windowed (a : state) : Prop := forall p v x, State.in_ram a p = true -> 0 <= v -> own a p = Data v x -> x < 2 ^ 26.

Lemma same_ram : forall a b g, globals_hold a g -> globals_hold b g -> forall p, State.in_ram b p = State.in_ram a p.
Proof. intros a b g A B p. unfold State.in_ram. now rewrite <- (g_base _ _ A), <- (g_base _ _ B), <- (g_pages _ _ A), <- (g_pages _ _ B). Qed.
Lemma same_owner : forall a b g p, globals_hold a g -> globals_hold b g -> State.in_ram a p = true -> own b p = own a p.
Proof.
  intros a b g p A B R. pose proof (same_ram _ _ _ A B p) as R'. rewrite R in R'. destruct (g_own _ _ A p R) as [E _]. destruct (g_own _ _ B p R') as [F _].
  rewrite <- (g_base _ _ A) in E. rewrite <- (g_base _ _ B), E in F.
  destruct (own a p), (own b p); cbn [owner_words] in F; try discriminate F; try reflexivity; injection F as -> ->; subst; reflexivity.
Qed.

Section Owners.
Variables (w : who) (a : state).
Hypothesis VW : 0 <= vm w.
Hypothesis SO : trap_steps_preserve.sound a.

Lemma low_own : forall p, windowed a -> low w a p -> own_page a w p.
Proof.
  intros p WI (l & k & d & A & M & U). destruct (Aset_maps a (so_wf _ SO) _ _ _ _ _ A M) as [(E & _)|(i & E & I & R & O)]; [unfold vmid_of in E; lia|].
  unfold vmid_of in E. assert (i = vm w) as -> by lia. destruct O as [(x & O)|(L & _ & K)]; [|elim U; split; assumption].
  split; [exact R|]. exists x. split; [exact O|]. eapply WI; eauto.
Qed.
Lemma own_low : forall p, own_page a w p -> low w a p.
Proof.
  intros p O. destruct (phantom_for a w 0 (so_wf _ SO) (so_onto _ SO) p O) as (e & (_ & V & _ & A & U) & M).
  exists (level e), (key e), (desc e). rewrite <- V. auto.
Qed.
End Owners.

(** Who runs where, by VTTBR_EL2. *)

Lemma root_is : forall a s c, good a s -> root_vmid (hw s) c =
  if (0 <=? c) && (c <? NIE_MAX_CPUS) && negb (cpu_vm (cpu_at a c) =? CPU_HOST) then cpu_vm (cpu_at a c) + 1 else 0.
Proof.
  intros a s c G. pose proof (so_wf _ (go_sound _ _ G)) as W. unfold root_vmid. rewrite (go_vttbr _ _ G). unfold vttbr_of.
  destruct ((0 <=? c) && (c <? NIE_MAX_CPUS) && negb (cpu_vm (cpu_at a c) =? CPU_HOST)) eqn:D.
  - destruct (u_runs _ (wf_u _ W) c ltac:(lia) ltac:(lia)) as (I & IV & RU & _).
    destruct (u_some _ (wf_u _ W) _ _ I IV ltac:(rewrite RU; discriminate)) as (F & _).
    destruct (wf_root _ W _ I F) as [R _]. apply (ram_small a W) in R. lia.
  - pose proof (c_tables _ (wf_c _ W)) as X. pose proof (c_ram _ (wf_c _ W)). pose proof (c_engine _ (wf_c _ W)). unfold level3_first in X.
    pose proof (gibs_small a W). pose proof (c_dev _ (wf_c _ W)). lia.
Qed.
