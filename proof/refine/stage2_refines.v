(* SPDX-License-Identifier: Apache-2.0 *)
(* Contracts of engine/core/state/stage2.c beside the walk (Shared.v): storing one entry, and the flush of a VM. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.stage2.
From nie.spec Require Import Core.
From nie.proof.refine Require Export Shared.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Stage2.
Variables (h0 : Machine.hw) (a : state).
Hypothesis RAM : ram h0 = ram_of a.

(* An entry goes: a store that makes no entry valid. *)
Lemma s2_write_wp : forall A m h gl p d i l v (Q : unit -> mach globals Machine.hw -> Prop), world h0 A A m (now m) h ->
  in_ram a p = true -> is_word i = true -> ~ touch A p -> valid v = false ->
  (forall h', world h0 A A (upd m (p * 512 + i) v) (now (upd m (p * 512 + i) v)) h' -> Q tt (Mach gl h')) ->
  wp (s2_write p d i l v) Q (Mach gl h).
Proof.
  intros A m h gl p d i l v Q X R I N D H. unfold s2_write. w_bind.
  eapply (wp_page_write h0 a RAM); eauto; [now rewrite D|now intros _|]. intros h1 X1. cbn beta.
  w_bind. now eapply wp_dsb_same; eauto.
Qed.

(* Invalidation of what a VMID may have cached: the entries A are left. The CPUs' roots are among them. *)
Lemma doom_wp : forall A B m V h gl v (Q : unit -> mach globals Machine.hw -> Prop), world h0 B B m V h -> sub A B ->
  (forall v' l k d, v' <> v -> B v' l k d -> A v' l k d) -> (forall c, A (root_vmid h0 c) 0 0 (root_desc h0 c)) -> closed A V -> (forall x p, claims h0 v x p -> keeps B v x p -> keeps A v x p) ->
  (forall h', world h0 A B m V h' -> Q tt (Mach gl h')) -> wp (tlbi_vmid v) Q (Mach gl h).
Proof.
  intros A B m V h gl v Q W S O Z C CL H. unfold tlbi_vmid. apply wp_hw. cbn. unfold wp. apply H.
  apply (world_others h0) in W. revert W. generalize (others h). clear h H. intros h [].
  assert (I : forall e, In e (tlb (doom (fun e => vmid e =? v) h)) -> exists e', In e' (tlb h) /\
    vmid e = vmid e' /\ level e = level e' /\ key e = key e' /\ desc e = desc e' /\
    (doomed e = false -> vmid e' <> v /\ doomed e' = false)).
  { cbn. intros e I. apply in_map_iff in I as (e' & <- & I). exists e'. split; auto.
    destruct (Z.eqb_spec (vmid e') v); cbn; repeat split; auto; congruence. }
  constructor; auto.
  - intros e E. destruct (I e E) as (e' & E' & -> & -> & -> & -> & _). auto.
  - intros e E D. destruct (I e E) as (e' & E' & -> & -> & -> & -> & N). destruct (N D). auto.
  - intro c. specialize (Z c). destruct (root_eq h0 h c (f_vttbr _ _ w_frame c)) as [E1 E2].
    change (A (root_vmid h c) 0 0 (root_desc h c)). now rewrite E1, E2.
  - intros u x p K. change (claims h u x p) in K. pose proof (w_claims u x p K) as KB. destruct (Z.eq_dec u v) as [->|N].
    + apply CL; [|exact KB]. now rewrite <- (f_claims _ _ w_frame).
    + destruct KB as (l & k & d & HB & HL). exists l, k, d. auto.
  - destruct w_frame; constructor; auto.
Qed.

Lemma s2_flush_wp : forall A B m V h gl vm (Q : unit -> mach globals Machine.hw -> Prop), 0 <= vm < NIE_MAX_VMS ->
  world h0 B B m V h -> sub A B -> (forall v l k d, v <> vm + 1 -> B v l k d -> A v l k d) ->
  (forall c, A (root_vmid h0 c) 0 0 (root_desc h0 c)) -> closed A (now m) -> (forall x p, claims h0 (vm + 1) x p -> keeps B (vm + 1) x p -> keeps A (vm + 1) x p) ->
  (forall m' h', (forall p i, is_word i = true -> ~ touch B p -> m' (p * 512 + i) = m (p * 512 + i)) ->
     world h0 A A m' (now m') h' -> Q tt (Mach gl h')) ->
  wp (s2_flush vm) Q (Mach gl h).
Proof.
  intros A B m V h gl vm Q R X S O Z C CL H. unfold s2_flush. rewrite wrap32 by (unfold NIE_MAX_VMS in R; lia).
  w_bind. eapply wp_dsb_same; eauto. intros h1 X1. cbn beta.
  w_bind. eapply doom_wp with (A := A); eauto. intros h2 X2. cbn beta.
  w_bind. eapply wp_dsb; eauto. intros m' h3 E X3. cbn beta. w_bind. eapply wp_isb; eauto. intros h4 X4. cbn beta. go. eauto.
Qed.
End Stage2.

(* Walks end on the map also while a page holds what is not on it, if no entry leads to that page as a table. *)
Lemma closed_but : forall b m m' t, wf b -> tables_hold b m' ->
  (forall p i, is_word i = true -> p <> t -> m' (p * 512 + i) = m (p * 512 + i)) ->
  (forall v l k d, Aset b v l k d -> is_table l d = true -> frame d <> t) -> closed (Aset b) (now m).
Proof.
  intros b m m' t W T E N v l k d i d' H TB I V F. apply (Aset_closed _ W _ T _ _ _ _ _ _ H TB I V).
  unfold now in *. rewrite E; eauto.
Qed.
