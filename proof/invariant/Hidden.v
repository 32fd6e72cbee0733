(* SPDX-License-Identifier: Apache-2.0 *)
(* Pages leave the host: between that and their next use the engine keeps them, whatever they will be. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.proof.invariant Require Export Records.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Definition engine_range (a : state) (p : Z) : Prop := engine_first (cfg a) <= p < engine_first (cfg a) + engine_count (cfg a).

(* The pages that go. *)
Definition given (p count q : Z) : Prop := p <= q < p + count.

Lemma given_dec : forall p count q, given p count q \/ ~ given p count q.
Proof. intros p count q. unfold given. lia. Qed.

(* [b] is [a] without host pages p, p + 1, ...: the engine keeps them, and the host's 2 MiB is split. *)
Record hidden (a : state) (p count : Z) (b : state) : Prop := {
  h_wf : wf a;
  h_count : 1 <= count /\ p mod 512 + count <= 512;
  h_host : forall i, 0 <= i < count -> in_ram a (p + i) = true /\ own a (p + i) = Host;
  h_cfg : cfg b = cfg a;
  h_mode : forall g, mode_at b g = if g =? p / 512 then Split else mode_at a g;
  h_records : same_records a b;
  h_slot : forall v l k, slot_at b v l k = slot_at a v l k;
  h_own : forall q, ~ given p count q -> own b q = own a q;
  h_kept : forall q, given p count q -> own b q = Engine;
}.
Arguments h_wf {a p count b}. Arguments h_count {a p count b}. Arguments h_host {a p count b}. Arguments h_cfg {a p count b}.
Arguments h_mode {a p count b}. Arguments h_records {a p count b}. Arguments h_slot {a p count b}. Arguments h_own {a p count b}.
Arguments h_kept {a p count b}.

(* In the window between: what was there before and will be there after. *)
Definition between (a b : state) : aset := fun v l k d => Aset a v l k d /\ Aset b v l k d.

Section Hidden.
Context {a b : state} {p count : Z}.
Hypothesis B : hidden a p count b.
Notation W := (h_wf B).
Notation C := (h_count B).

Lemma h_root : forall v, root (vm_at b v) = root (vm_at a v) /\ vm_state (vm_at b v) = vm_state (vm_at a v).
Proof. exact (same_root _ _ (h_records B)). Qed.

Lemma given_host : forall q, given p count q -> in_ram a q = true /\ own a q = Host.
Proof. intros q G. unfold given in G. pose proof C. replace q with (p + (q - p)) by lia. apply (h_host B). lia. Qed.

Lemma mode_given : mode_at a (p / 512) = Split \/ mode_at a (p / 512) = Block.
Proof.
  pose proof C as CC. destruct (given_host p) as [R E]; [unfold given; lia|].
  pose proof (wf_mapped _ W p R) as N. rewrite E in N. specialize (N ltac:(discriminate)).
  destruct (mode_at a (p / 512)); [now destruct N|auto|auto].
Qed.

Lemma managed_given : managed a (p / 512).
Proof. apply (wf_mode _ W). destruct mode_given as [-> | ->]; discriminate. Qed.

Lemma h_ram : forall q, in_ram b q = in_ram a q.
Proof. intro q. unfold in_ram. now rewrite (h_cfg B). Qed.
Lemma h_gibs : gib_count b = gib_count a.
Proof. unfold gib_count. now rewrite (h_cfg B). Qed.
Lemma h_managed : forall g, managed b g <-> managed a g.
Proof. intro g. unfold managed. rewrite h_ram, (h_cfg B). reflexivity. Qed.
Lemma h_level3 : forall g, level3 b g = level3 a g.
Proof. intro g. unfold level3, level3_first. now rewrite h_ram, h_gibs, (h_cfg B). Qed.
Lemma h_attributes : forall q, attributes b q = attributes a q.
Proof. intro q. unfold attributes. now rewrite h_ram. Qed.

Lemma h_kept_own : forall q o, own a q = o -> o <> Host -> own b q = o.
Proof.
  intros q o E N. rewrite (h_own B); auto. intro G. destruct (given_host q G) as [_ F]. congruence.
Qed.

Lemma h_access : forall q, host_may_access b q = true <-> host_may_access a q = true /\ ~ given p count q.
Proof.
  intro q. unfold host_may_access. rewrite h_ram, (h_cfg B). destruct (given_dec p count q) as [G|G].
  - rewrite (h_kept B q G). destruct (given_host q G) as [-> _]. split; [discriminate|tauto].
  - rewrite (h_own B q G). tauto.
Qed.

Lemma hidden_wf : wf b.
Proof.
  pose proof (wf_c _ W) as WC. constructor.
  - destruct WC. constructor; unfold level3_first, gib_count in *; rewrite (h_cfg B); auto.
  - rewrite (h_cfg B). intros q H. apply h_kept_own; [now apply (wf_engine _ W)|discriminate].
  - intros g H. apply h_managed. rewrite (h_mode B) in H. destruct (Z.eqb_spec g (p / 512)) as [E|]; [rewrite E; apply managed_given|].
    now apply (wf_mode _ W).
  - intros g j H J. rewrite (h_mode B) in H. destruct (Z.eqb_spec g (p / 512)) as [->|N]; [discriminate|].
    apply h_access. split; [now apply (wf_block _ W)|]. pose proof C. unfold given, is_word in *. lia.
  - intros q R H. rewrite h_ram in R. rewrite (h_mode B). destruct (Z.eqb_spec (q / 512) (p / 512)); [discriminate|].
    apply (wf_mapped _ W); auto. intro E. apply H. apply h_kept_own; auto. discriminate.
  - intros v l k q H. rewrite (h_slot B) in H. destruct (wf_tab _ W _ _ _ _ H) as (L & R & E).
    rewrite h_ram. repeat split; auto. apply h_kept_own; auto. discriminate.
  - intros v l k q H. rewrite (h_slot B) in H. destruct (wf_blk _ W _ _ _ _ H) as (L & M & E).
    split; [auto|split; [auto|]]. intros j J. destruct (E j J). rewrite h_ram. split; auto. apply h_kept_own; auto. discriminate.
  - intros v l k q H. rewrite (h_slot B) in H. destruct (wf_page _ W _ _ _ _ H) as (L & R & E).
    rewrite h_ram. repeat split; auto. apply h_kept_own; auto. discriminate.
  - intros v l k q H. rewrite (h_slot B) in H. destruct (wf_shared _ W _ _ _ _ H) as (L & R & E & U).
    rewrite h_ram. repeat split; auto. apply h_kept_own; auto. discriminate.
  - intros v l k H. rewrite (h_slot B) in H. destruct (wf_slot _ W _ _ _ H) as (H1 & H2 & H3 & H4 & H5 & H6).
    destruct (h_root v) as [_ ->]. repeat split; auto; try lia. intro L. destruct (H6 L) as [q Q]. exists q. now rewrite (h_slot B).
  - intros v V. destruct (h_root v) as [-> ->]. intro S. destruct (wf_root _ W v V S) as [R E].
    rewrite h_ram. split; auto. apply h_kept_own; auto. discriminate.
  - exact (same_wf_vms (h_records B) (wf_v _ W)).
  - apply (same_wf_vcpus (h_records B)); [apply (h_cfg B)| |apply (wf_u _ W)]. intros q v i [E|E]; rewrite E; apply h_kept_own; auto; discriminate.
Qed.

Lemma hidden_onto : onto a -> onto b.
Proof.
  intro O. assert (K : forall q o, own b q = o -> o <> Engine -> own a q = o).
  { intros q o E N. rewrite <- (h_own B); auto. intro G. rewrite (h_kept B q G) in E. congruence. }
  constructor; intros q v; rewrite h_ram.
  - intros k R E. rewrite !(h_slot B). apply (on_data _ O); auto. apply K; auto. discriminate.
  - intros k R E. rewrite !(h_slot B). apply (on_shared _ O); auto. apply K; auto. discriminate.
  - intros l k R E. rewrite !(h_slot B). destruct (h_root v) as [-> _]. apply (on_table _ O); auto. apply K; auto. discriminate.
  - intros i R E. rewrite (same_vcpu (h_records B)). apply (on_vcpu _ O); auto. apply K; auto. discriminate.
  - intros i R E. rewrite (same_vcpu (h_records B)). apply (on_run _ O); auto. apply K; auto. discriminate.
Qed.

(** What is reached: the VMs' entries are as they were, the host's lose the pages. *)

Lemma h_vm_entry : forall v l k d, v <> 0 -> Aset b v l k d <-> Aset a v l k d.
Proof.
  intros v l k d V. split; (intros [(-> & _)|(j & -> & J & H)]; [lia|]); right; exists j; repeat split; auto; try lia;
    destruct (h_root j) as [E1 E2]; rewrite (h_slot B), E1, E2 in *; exact H.
Qed.

Lemma h_root_entry : forall d, Aset a 0 0 0 d -> Aset b 0 0 0 d.
Proof.
  intros d [(_ & H)|(j & E & J & _)]; [|lia]. left. split; auto. destruct H as [H|(L & _)]; [|lia]. left. now rewrite (h_cfg B).
Qed.

Lemma h_henc : forall l k, (l = 2 -> k <> p / 512) -> (l = 3 -> ~ given p count k) -> henc b l k = henc a l k.
Proof.
  intros l k H2 H3. unfold henc. rewrite h_gibs, (h_cfg B), (h_mode B), h_level3, !h_attributes.
  destruct (Z.eqb_spec l 1); auto. destruct (Z.eqb_spec l 2) as [->|].
  - destruct (Z.eqb_spec k (p / 512)); [now destruct H2|auto].
  - destruct (Z.eqb_spec l 3) as [->|]; auto. replace (host_may_access b k) with (host_may_access a k); auto.
    apply eq_true_iff_eq. rewrite h_access. tauto.
Qed.

Lemma h_henc3 : forall k, given p count k -> henc b 3 k = 0.
Proof.
  intros k G. unfold henc. cbn [Z.eqb Pos.eqb]. destruct (host_may_access b k) eqn:E; auto. apply h_access in E. tauto.
Qed.

Lemma h_henc2 : henc b 2 (p / 512) = level3 a (p / 512) * 4096 + DESC_TABLE.
Proof. unfold henc. cbn [Z.eqb Pos.eqb]. now rewrite (h_mode B), Z.eqb_refl, h_level3. Qed.
End Hidden.
