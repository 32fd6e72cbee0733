(* SPDX-License-Identifier: Apache-2.0 *)
(* Before the moment: while the host loses the pages, what anybody can reach is on the map with them or on the map without them
   (a, and b: invariant/Hidden.v). On neither does a VM reach them. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Donation.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate.
From nie.spec Require Import Core Step.
From nie.proof.security Require Import Watched.
From nie.proof.refine Require Import donate_refines page_shown_log page_shown_text.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Definition either (a b : state) : aset := fun v l k d => Aset a v l k d \/ Aset b v l k d.

Section Before.
Variables (a b : state) (h0 : Machine.hw) (p count : Z).
Hypothesis B : hidden a p count b.
Variables m mb : Z -> Z.
Hypothesis TA : tables_hold a m.
Hypothesis TB : tables_hold b mb.
Notation W := (h_wf B).
Notation g := (p / 512).
Notation t2 := (host_tables (cfg a) + 1 + p / 262144).
Notation t3 := (level3 a g).
Notation U := (either a b).

Lemma at_place : 1 <= count /\ p mod 512 + count <= 512 /\ 0 < p < 2 ^ 27 /\ 0 <= p / 262144 < gib_count a.
Proof.
  destruct (h_count B). destruct (h_host B 0) as [R _]; [lia|]. rewrite Z.add_0_r in R. pose proof (ram_small _ W _ R).
  unfold in_ram, gib_count in *. lia.
Qed.

(* Tables of the one are tables of the other, but for the host's last table, where there was a block. *)
Lemma table_kept : forall v l k d, Aset a v l k d -> is_table l d = true -> Aset b v l k d.
Proof.
  intros v l k d H T. destruct (Z.eq_dec v 0) as [->|N]; [|now apply (h_vm_entry B)].
  pose proof H as H0. destruct H as [(_ & [(-> & -> & ->)|(L & E & V)])|(i & E & I & _)]; [|left; split; auto; right; split; auto|lia].
  - now apply (h_root_entry B).
  - subst d. destruct (Z.eq_dec l 3) as [->|N3]; [unfold is_table in T; cbn in T; discriminate|].
    destruct (Z.eq_dec l 2) as [->|N2]; [|rewrite (h_henc B) by (intros; lia); auto].
    destruct (Z.eq_dec k g) as [->|NG]; [|rewrite (h_henc B) by (intros; auto; lia); auto].
    rewrite (h_henc2 B). revert T V. unfold henc. cbn [Z.eqb Pos.eqb]. destruct (mode_at a g) eqn:M; [discriminate| |].
    + intros _ V. auto.
    + intros T. exfalso. revert T. unfold is_table. rewrite mod4_of_desc. unfold attributes. now destruct (in_ram a (g * 512)).
Qed.
Lemma table_was : forall v l k d, Aset b v l k d -> is_table l d = true ->
  Aset a v l k d \/ (v = 0 /\ l = 2 /\ k = g /\ d = t3 * 4096 + DESC_TABLE).
Proof.
  intros v l k d H T. destruct (Z.eq_dec v 0) as [->|N]; [|left; now apply (h_vm_entry B)].
  destruct H as [(_ & [(-> & -> & ->)|(L & E & V)])|(i & E & I & _)]; [left; left; split; auto; left; now rewrite (h_cfg B)| |lia].
  subst d. destruct (Z.eq_dec l 3) as [->|N3]; [unfold is_table in T; cbn in T; discriminate|].
  destruct (Z.eq_dec l 2) as [->|N2]; [|left; left; split; auto; right; rewrite (h_henc B) in * by (intros; lia); auto].
  destruct (Z.eq_dec k g) as [->|NG]; [right; repeat split; auto; apply (h_henc2 B)|].
  left; left; split; auto; right; rewrite (h_henc B) in * by (intros; auto; lia); auto.
Qed.

Lemma t3_at : frame (t3 * 4096 + DESC_TABLE) = t3 /\ ~ touch (Aset a) t3 /\ 0 <= t3 < 2 ^ 27.
Proof.
  destruct (level3_page _ W g (managed_given B)) as [R O]. pose proof (ram_small _ W _ R). split.
  - destruct (enc_facts (ToTable t3) t3) as (_ & F & _); auto. lia.
  - split; [apply (kept_untouched _ W); auto; now rewrite O|lia].
Qed.

Lemma either_bounded : forall h, world h0 (Aset a) (Aset a) m (now m) h -> bounded U (vttbr h0) h.
Proof.
  intros h X. pose proof (world_bounded _ _ _ _ _ _ X) as BA. destruct t3_at as (F3 & N3 & _). constructor.
  - intros e I. left. now apply (b_tlb _ _ _ BA).
  - intro c. left. now apply (b_root _ _ _ BA).
  - intros v l k d H T TU.
    assert (TT : touch (Aset a) (frame d) \/ touch (Aset b) (frame d)).
    { destruct TU as (v' & l' & k' & d' & [K|K] & M); [left|right]; exists v', l', k', d'; auto. }
    assert (HB : Aset b v l k d) by (destruct H as [H|H]; auto; now apply table_kept).
    destruct TT as [TT|TT]; [|now apply (Aset_apart _ (hidden_wf B) v l k d)].
    destruct (table_was v l k d HB T) as [HA|(_ & _ & _ & ->)]; [now apply (Aset_apart _ W v l k d)|]. rewrite F3 in TT. auto.
  - intros v l k d i d' H T I V S. left. destruct H as [H|H]; [now apply (b_vis _ _ _ BA) with d|].
    destruct (table_was v l k d H T) as [HA|(-> & -> & -> & ->)]; [now apply (b_vis _ _ _ BA) with d|]. rewrite F3 in S.
    pose proof (w_vis _ _ _ _ _ _ X _ _ _ I N3 V S) as E. unfold now in E. rewrite (t_3 _ _ TA _ _ (managed_given B) I) in E.
    left. split; auto. right. split; [lia|]. change (2 + 1) with 3. auto.
  - apply (b_vttbr _ _ _ BA).
Qed.

Lemma either_expected : expected U t2 (g mod 512) (t3 * 4096 + DESC_TABLE).
Proof.
  intros V v l k d H T F. assert (HB : Aset b v l k d) by (destruct H as [H|H]; auto; now apply table_kept).
  pose proof at_place as P. right. apply (Aset_closed _ (hidden_wf B) _ TB v l k d (g mod 512)); auto; [unfold is_word; lia|].
  unfold now. rewrite F. replace (host_tables (cfg a)) with (host_tables (cfg b)) by now rewrite (h_cfg B).
  rewrite (t_2 _ _ TB); [|rewrite (h_gibs B); lia|unfold is_word; lia].
  replace (p / 262144 * 512 + g mod 512) with g by lia. apply (h_henc2 B).
Qed.

Lemma no_vm_reaches : forall T h v q, bounded U T h -> given p count q -> reached h (v + 1) q -> 0 <= v -> False.
Proof.
  intros T h v q BU Gq H V. destruct (bounded_reached _ _ _ _ _ BU H) as (l & k & d & A & M).
  assert (HA : Aset a (v + 1) l k d) by (destruct A as [A|A]; auto; apply (h_vm_entry B) in A; auto; lia).
  destruct (h_host B (q - p)) as [R O]; [unfold given in Gq; lia|]. replace (p + (q - p)) with q in * by lia.
  destruct (Aset_maps _ W _ _ _ _ _ HA M) as [(E & _)|(i & _ & _ & _ & [(j & E)|(_ & E & _)])]; [lia|congruence|congruence].
Qed.

(* host_hide, wherever the granule table may be. *)
Lemma either_hides : forall c gl h gs, cfg c = cfg a -> globals_hold c gl ->
  runs none U (vttbr h0) (Mach gl (h, gs)) (@host_hide _ watching p count) (@host_hide _ Core.machine p count).
Proof.
  intros c gl h gs CF G. pose proof at_place as P. destruct t3_at as (_ & _ & S3).
  assert (WC : wf_cfg c) by (destruct (wf_c _ W); constructor; unfold level3_first, gib_count in *; rewrite CF; auto).
  assert (RC : in_ram c p = true) by (destruct (h_host B 0) as [R _]; [lia|]; rewrite Z.add_0_r in R; unfold in_ram in *; now rewrite CF).
  apply run_hide. intros x2 x3 ad u u' [gl1 h1] u2 E2 E3 E4. change (drop (Mach gl (h, gs))) with (Mach gl h) in E2.
  rewrite (level2_of_run c gl h WC G) in E2 by lia. injection E2 as <- <-. rewrite (level3_of_run c gl h WC G) in E3 by exact RC. injection E3 as <- _.
  assert (EL : level3 c g = t3) by (unfold level3, level3_first, gib_count, in_ram; now rewrite CF). rewrite EL in *.
  rewrite address_of_run in E4 by lia. injection E4 as <- _. rewrite wrap32, land_511, CF by lia.
  change DESC_TABLE with 3. rewrite lor_page by lia. exact either_expected.
Qed.

(* donate: the granule table first, then that. *)
Lemma either_donates : forall gl h gs vm key, globals_hold a gl -> 0 <= vm < NIE_MAX_VMS -> 0 <= key /\ key + count <= 2 ^ 32 ->
  runs none U (vttbr h0) (Mach gl (h, gs)) (@donate _ watching vm p count GRANULE_DATA vm 0 0 key) (@donate _ Core.machine vm p count GRANULE_DATA vm 0 0 key).
Proof.
  intros gl h gs vm key G V K. pose proof at_place as P. set (o := fun i => Data vm (key + i)).
  unfold donate. apply run_bind.
  { match goal with |- runs _ _ _ _ ?m1 ?m2 => assert (X : quiet none U (vttbr h0) m1 m2) by quiet; apply X end. }
  intros [] s1 E1. change (drop (Mach gl (h, gs))) with (Mach gl h) in E1.
  assert (G1 : exists gl1, drop s1 = Mach gl1 h /\ globals_hold (each count (owned p o) a) gl1).
  { match type of E1 with ?l _ = _ => assert (X : wp l (fun _ s => exists gl1, s = Mach gl1 h /\ globals_hold (each count (owned p o) a) gl1) (Mach gl h)) end.
    { apply (owners_wp a p count GRANULE_DATA vm 0 key o); auto; [apply W|lia|intros i I; now apply (h_host B)|eauto]. }
    unfold wp in X. rewrite E1 in X. exact X. }
  destruct G1 as (gl1 & D1 & G1). apply run_bind; [apply q_load|]. intros t1 s2 E2. rewrite D1 in E2.
  rewrite (load1 vms_granules 64) in E2 by (auto; unfold NIE_MAX_VMS in V; lia). assert (D2 : drop s2 = Mach gl1 h) by congruence. assert (t1 = at1 vms_granules gl1 vm) as -> by congruence.
  apply run_bind; [apply q_store|]. intros [] s3 E3. rewrite D2 in E3.
  rewrite (store1 vms_granules 64) in E3 by (auto; unfold NIE_MAX_VMS in V; lia). assert (D3 : drop s3 = Mach (put1 vms_granules vm (wrap U64 (at1 vms_granules gl1 vm + count)) gl1) h) by congruence.
  change (negb (GRANULE_DATA =? GRANULE_SHARED) && negb (GRANULE_DATA =? GRANULE_RUN)) with true. cbv iota.
  apply run_bind; [|intros; apply q_ret]. destruct s3 as [gl3 [h3 gs3]]. unfold drop in D3. cbn [C_store.glob C_store.hw fst] in D3. injection D3 as E4 <-.
  apply either_hides with (c := hand_over vm p count o a).
  - destruct (owned_same count p o a ltac:(lia)) as (CF & _ & _ & _). exact CF.
  - rewrite E4. unfold wrap. cbn [width]. now apply granules_hold.
Qed.
End Before.
