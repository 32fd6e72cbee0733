(* SPDX-License-Identifier: Apache-2.0 *)
(* A VM that exists goes from one state of its life to another: only its record changes, the map does not. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Records.
Open Scope Z_scope.

Lemma vm_set : forall vm r a v, vm_at (set_vm vm r a) v = if v =? vm then r else vm_at a v.
Proof. intros vm r a v. exact (Map.get_set _ (vms a) vm r v). Qed.

(* The record [r] may take the place of the VM's. *)
Record lives_on (a : state) (vm : Z) (r : State.vm) : Prop := {
  l_exists : 0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at a vm) <> NIE_VM_FREE;
  l_state : NIE_VM_FREE < vm_state r <= NIE_VM_STOPPED;
  l_same : root r = root (vm_at a vm) /\ ram_base r = ram_base (vm_at a vm) /\ ram_pages r = ram_pages (vm_at a vm) /\
      vcpu_count r = vcpu_count (vm_at a vm) /\ running r = running (vm_at a vm) /\ created r = created (vm_at a vm);
  l_sealed : (vm_state r = NIE_VM_BUILDING -> sealed r = false) /\ (vm_state r = NIE_VM_ACTIVE -> sealed r = true);
}.

Section Life.
Variables (a : state) (vm : Z) (r : State.vm).
Hypothesis W : wf a.
Hypothesis L : lives_on a vm r.
Let b := set_vm vm r a.

Lemma life_root : forall v, root (vm_at b v) = root (vm_at a v).
Proof. intro v. unfold b. rewrite vm_set. destruct (Z.eqb_spec v vm) as [->|]; auto. apply (l_same _ _ _ L). Qed.
Lemma life_free : forall v, vm_state (vm_at b v) = NIE_VM_FREE <-> vm_state (vm_at a v) = NIE_VM_FREE.
Proof.
  intro v. unfold b. rewrite vm_set. destruct (Z.eqb_spec v vm) as [->|]; [|reflexivity].
  pose proof (l_exists _ _ _ L). pose proof (l_state _ _ _ L). split; [lia|tauto].
Qed.

Lemma life_vms : wf_vms b.
Proof.
  destruct L as [[V N] S (E1 & E2 & E3 & E4 & E5 & E6) SE]. destruct (wf_v _ W) as [F U SL R C LA].
  constructor; intros v; unfold b; rewrite ?vm_set; try (destruct (Z.eqb_spec v vm) as [->|]; [|solve [auto|exact (F v)|exact (R v)|exact (C v)|exact (LA v)]]).
  - intros _ H. exfalso. lia.
  - intros _ _. destruct (U vm V N) as (_ & U2 & U3 & U4). rewrite E2, E3, E4. auto.
  - auto.
  - intros _. rewrite E5. now apply R.
  - intros _. rewrite E6. now apply C.
  - exact (LA vm).
Qed.

Lemma life_vcpus : wf_vcpus b.
Proof.
  destruct (wf_u _ W) as [UN S RN RS]. constructor; auto.
  intros v i V I H. destruct (S v i V I H) as (S1 & S2 & S3). split; [now rewrite life_free|]. split; [|exact S3].
  unfold b. rewrite vm_set. destruct (Z.eqb_spec v vm) as [->|]; auto. destruct (l_same _ _ _ L) as (_ & _ & _ & -> & _). auto.
Qed.

Lemma life_wf : wf b.
Proof.
  constructor; [destruct (wf_c _ W); now constructor|exact (wf_engine _ W)|exact (wf_mode _ W)|exact (wf_block _ W)|exact (wf_mapped _ W)|exact (wf_tab _ W)|
    exact (wf_blk _ W)|exact (wf_page _ W)|exact (wf_shared _ W)| | |exact life_vms|exact life_vcpus].
  - intros v l k H. destruct (wf_slot _ W v l k H) as (H1 & H2 & H3). split; [auto|]. split; [now rewrite life_free|auto].
  - intros v V. rewrite life_free, life_root. exact (wf_root _ W v V).
Qed.

Lemma life_onto : onto a -> onto b.
Proof.
  intro O. constructor; [exact (on_data _ O)|exact (on_shared _ O)| |exact (on_vcpu _ O)|exact (on_run _ O)].
  intros p v l k. rewrite life_root. exact (on_table _ O p v l k).
Qed.

Lemma life_entries : forall v l k d, Aset b v l k d <-> Aset a v l k d.
Proof.
  intros v l k d. unfold Aset. change (cfg b) with (cfg a). change (henc b l k) with (henc a l k).
  split; (intros [H|(i & E & I & H)]; [now left|right]); exists i; (split; [exact E|split; [exact I|]]); revert H;
    rewrite life_root, life_free; auto.
Qed.

Lemma life_tables : forall m, tables_hold a m -> tables_hold b m.
Proof. intros m T. constructor; [exact (t_vm _ _ T)|exact (t_1 _ _ T)|exact (t_2 _ _ T)|exact (t_3 _ _ T)|exact (t_saved _ _ T)]. Qed.
End Life.
