(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_ADD_ZERO keeps well-formedness: from pages that the engine keeps to pages, or a block, of the VM. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Donation.
From nie.spec.call Require Import page_add_zero.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked.
From nie.proof.invariant Require Export Adding.
Import RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Zero.
Variables (a : state) (vm x p count : Z).
Hypothesis W : wf a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at a vm) <> NIE_VM_FREE.
Hypothesis C : 1 <= count /\ p mod 512 + count <= 512.
Hypothesis CX : 0 <= x /\ x mod 512 + count <= 512.
Hypothesis HO : forall i, 0 <= i < count -> in_ram a (p + i) = true /\ own a (p + i) = Host.

Notation k := (kept p count a).
Notation o := (fun i => Data vm (x + i)).
Notation d := (Donation.donate vm p count o a).

Lemma kept_state : 0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at k vm) <> NIE_VM_FREE.
Proof. destruct (h_root (kept_is a p count W C HO) vm) as [_ ->]. exact V. Qed.

(* As pages. *)
Section Pages.
Variable t : Z.
Hypothesis T : slot_at a vm 2 (x / 512) = ToTable t.
Hypothesis EM : forall y, x <= y < x + count -> slot_at a vm 3 y = Empty.

Definition zero_pages : state := each count (mapped vm x (fun i => ToPage (p + i))) d.

Lemma zero_pages_but : zero_pages = d <| slots := slots zero_pages |>.
Proof. unfold zero_pages. apply mapped_but. lia. Qed.
Lemma zero_pages_slot : forall i, 0 <= i < count -> slot_at zero_pages vm 3 (x + i) = ToPage (p + i).
Proof.
  intros i I. unfold zero_pages. rewrite mapped_at by lia. replace ((vm =? vm) && (3 =? 3) && ((x <=? x + i) && (x + i <? x + count))) with true by lia.
  f_equal. lia.
Qed.

Lemma zero_pages_facts : linked k p count (page_entries vm x count) zero_pages /\ (onto k -> onto zero_pages).
Proof.
  destruct (donated_parts a p count W C HO vm o (proj2 V)) as (D1 & D2 & D3 & D4 & D5).
  pose proof (mapped_but count vm x (fun i => ToPage (p + i)) d ltac:(lia)) as E. fold zero_pages in E.
  pose proof (hidden_wf (kept_is a p count W C HO)) as WK. pose proof kept_state as VK. pose proof (kept_slots a p count W C HO) as KS.
  assert (TK : slot_at k vm 2 (x / 512) = ToTable t) by (rewrite KS; exact T).
  assert (EK : forall y, x <= y < x + count -> slot_at k vm 3 y = Empty) by (intros y Y; rewrite KS; auto).
  assert (SL : forall v' l y, slot_at zero_pages v' l y =
    if (v' =? vm) && (l =? 3) && ((x <=? y) && (y <? x + count)) then ToPage (p + (y - x)) else slot_at k v' l y).
  { intros. unfold zero_pages. rewrite mapped_at by lia. now rewrite D4. }
  assert (OW : forall q, own zero_pages q = if (p <=? q) && (q <? p + count) then Data vm (x + (q - p)) else own k q).
  { intro q. rewrite E. exact (D5 q). }
  assert (FR : forall q, given p count q -> in_ram k q = true /\ (own k q = Host \/ own k q = Engine) /\ ~ engine_range k q /\ mode_at k (q / 512) <> Unmapped).
  { intros q G. destruct (kept_free a p count W C HO q G) as (F1 & F2 & F3 & F4). auto. }
  assert (AC : forall q, given p count q -> host_may_access k q = match own zero_pages q with Shared _ _ => true | _ => false end).
  { intros q G. rewrite (kept_access a p count W C HO q G), OW. unfold given in G. now replace ((p <=? q) && (q <? p + count)) with true by lia. }
  assert (CF : cfg zero_pages = cfg k) by (rewrite E; exact D1). assert (MO : modes zero_pages = modes k) by (rewrite E; exact D2).
  assert (RE : same_records k zero_pages) by (rewrite E; eapply same_trans; [exact D3|now apply same_of_eq]).
  assert (K : page_kind vm x p count o (fun i => ToPage (p + i))) by (left; auto).
  split.
  - apply pages_linked with (t := t) (o := o) (e := fun i => ToPage (p + i)); auto; lia.
  - apply pages_onto with (t := t) (o := o) (e := fun i => ToPage (p + i)) (v := vm) (x := x) (p := p) (count := count); auto; lia.
Qed.
End Pages.

(* As a block. *)
Section Block.
Hypothesis B : count = 512 /\ p mod 512 = 0 /\ x mod 512 = 0.
Hypothesis X : x < 2 ^ 27.
Variable t : Z.
Hypothesis T : slot_at a vm 1 (x / 512 / 512) = ToTable t.
Hypothesis EM : slot_at a vm 2 (x / 512) = Empty.

Definition zero_block : state := set_slot vm 2 (x / 512) (ToBlock p) d.

Lemma zero_block_facts : linked k p count (one_entry vm 2 (x / 512)) zero_block /\ (onto k -> onto zero_block).
Proof.
  destruct (donated_parts a p count W C HO vm o (proj2 V)) as (D1 & D2 & D3 & D4 & D5).
  pose proof (hidden_wf (kept_is a p count W C HO)) as WK. pose proof kept_state as VK. pose proof (kept_slots a p count W C HO) as KS.
  assert (SL : forall v' l y, slot_at zero_block v' l y = if (v' =? vm) && (l =? 2) && (y =? x / 512) then ToBlock p else slot_at k v' l y).
  { intros. unfold zero_block. rewrite slot_set. now rewrite D4. }
  assert (FR := kept_free a p count W C HO).
  assert (RE : same_records k zero_block) by (eapply same_trans; [exact D3|now apply same_of_eq]).
  assert (K : (count = 512 /\ p mod 512 = 0 /\ 2 = 2 /\ ToBlock p = ToBlock p /\ forall i, o i = Data vm (x / 512 * 512 + i)) \/
    (count = 1 /\ ToBlock p = ToTable p /\ forall i, o i = Table vm (2 + 1) (x / 512))).
  { left. repeat split; try apply B. intro i. f_equal. lia. }
  assert (TK : 1 < 2 -> exists t, slot_at k vm (2 - 1) (x / 512 / 512) = ToTable t) by (intros _; exists t; rewrite KS; exact T).
  assert (EK : slot_at k vm 2 (x / 512) = Empty) by (rewrite KS; exact EM).
  split.
  - apply one_linked with (o := o) (e := ToBlock p); auto; lia.
  - apply one_onto with (o := o) (e := ToBlock p) (v := vm) (l := 2) (k := x / 512) (p := p) (count := count); auto; lia.
Qed.
End Block.
End Zero.
