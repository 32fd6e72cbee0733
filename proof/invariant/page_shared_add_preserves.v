(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_SHARED_ADD keeps well-formedness: pages of the host become pages of both. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Donation.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked.
From nie.proof.invariant Require Export Adding.
Import RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Shared.
Variables (a : state) (vm x p count t : Z).
Hypothesis W : wf a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at a vm) <> NIE_VM_FREE.
Hypothesis C : 1 <= count /\ p mod 512 + count <= 512.
Hypothesis CX : 2 ^ 26 <= x /\ x mod 512 + count <= 512.
Hypothesis HO : forall i, 0 <= i < count -> in_ram a (p + i) = true /\ own a (p + i) = Host.
Hypothesis T : slot_at a vm 2 (x / 512) = ToTable t.
Hypothesis EM : forall y, x <= y < x + count -> slot_at a vm 3 y = Empty.

Notation o := (fun i => Shared vm (x + i)).
Notation e := (fun i => ToShared (p + i)).
Notation d := (hand_over vm p count o a).
Definition shared_pages : state := each count (mapped vm x e) d.

Lemma shared_pages_but : shared_pages = d <| slots := slots shared_pages |>.
Proof. unfold shared_pages. apply mapped_but. lia. Qed.
Lemma shared_pages_slot : forall i, 0 <= i < count -> slot_at shared_pages vm 3 (x + i) = ToShared (p + i).
Proof.
  intros i I. unfold shared_pages. rewrite mapped_at by lia. replace ((vm =? vm) && (3 =? 3) && ((x <=? x + i) && (x + i <? x + count))) with true by lia.
  f_equal. lia.
Qed.

Lemma shared_pages_facts : linked a p count (page_entries vm x count) shared_pages /\ (onto a -> onto shared_pages).
Proof.
  destruct (hand_over_rest a vm p count o) as (D1 & D2 & D3); [lia|].
  pose proof shared_pages_but as E.
  assert (GH : forall q, given p count q -> in_ram a q = true /\ own a q = Host).
  { intros q G. unfold given in G. replace q with (p + (q - p)) by lia. apply HO. lia. }
  assert (SL : forall v' l y, slot_at shared_pages v' l y =
    if (v' =? vm) && (l =? 3) && ((x <=? y) && (y <? x + count)) then ToShared (p + (y - x)) else slot_at a v' l y).
  { intros. unfold shared_pages. rewrite mapped_at by lia. unfold slot_at. now rewrite D2. }
  assert (OW : forall q, own shared_pages q = if (p <=? q) && (q <? p + count) then Shared vm (x + (q - p)) else own a q).
  { intro q. rewrite E. change (own d q = if (p <=? q) && (q <? p + count) then Shared vm (x + (q - p)) else own a q). rewrite hand_over_at by lia. reflexivity. }
  assert (FR : forall q, given p count q -> in_ram a q = true /\ (own a q = Host \/ own a q = Engine) /\ ~ engine_range a q /\ mode_at a (q / 512) <> Unmapped).
  { intros q G. destruct (GH q G) as [R F]. split; auto. split; auto. split.
    - intro K. rewrite (wf_engine _ W) in F by exact K. discriminate.
    - apply (wf_mapped _ W); auto. rewrite F. discriminate. }
  assert (AC : forall q, given p count q -> host_may_access a q = match own shared_pages q with Shared _ _ => true | _ => false end).
  { intros q G. destruct (GH q G) as [R F]. unfold host_may_access. rewrite R, F, OW. unfold given in G.
    now replace ((p <=? q) && (q <? p + count)) with true by lia. }
  assert (CF : cfg shared_pages = cfg a) by (rewrite E; exact D1). assert (MO : modes shared_pages = modes a) by (rewrite E; exact D3).
  assert (RE : same_records a shared_pages).
  { rewrite E. eapply same_trans; [apply (hand_over_records a vm p count o); [lia|apply V]|now apply same_of_eq]. }
  assert (K : page_kind vm x p count o e) by (right; split; [lia|auto]).
  split.
  - apply pages_linked with (t := t) (o := o) (e := e); auto; lia.
  - apply pages_onto with (t := t) (o := o) (e := e) (v := vm) (x := x) (p := p) (count := count); auto; lia.
Qed.
End Shared.
