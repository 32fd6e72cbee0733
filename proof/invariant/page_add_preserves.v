(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_ADD keeps well-formedness. On the way: pages that are the VM's and that no entry names yet, while one after the other is
   measured. That the map is well formed afterwards is as of PAGE_ADD_ZERO. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Measure Donation.
From nie.spec.call Require page_add.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_measure := nie.spec.call.page_add.measure_page.

(* Measuring page after page. *)
Lemma measure_but : forall n vm x c a, 0 <= n -> each n (spec_measure vm x c) a = a <| vms := vms (each n (spec_measure vm x c) a) |>.
Proof.
  intros n vm x c a N. pattern n. apply natlike_ind; auto; [now destruct a|].
  intros i I IH. replace (Z.succ i) with (i + 1) by lia. rewrite each_next by auto. rewrite IH. reflexivity.
Qed.

Lemma measure_records : forall n vm x c a, 0 <= n -> vm_state (vm_at a vm) <> NIE_VM_FREE -> same_records a (each n (spec_measure vm x c) a).
Proof.
  intros n vm x c a N F. pattern n. apply natlike_ind; auto; [apply same_refl|].
  intros i I IH. replace (Z.succ i) with (i + 1) by lia. rewrite each_next by auto. eapply same_trans; [exact IH|].
  unfold nie.spec.call.page_add.measure_page, Donation.measured. apply same_set_vm; [reflexivity|]. intros _.
  intro E. apply F. destruct (same_root _ _ IH vm) as [_ K]. rewrite <- K. exact E.
Qed.

Section Donated.
Variables (a : state) (vm x p count : Z).
Hypothesis W : wf a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at a vm) <> NIE_VM_FREE.
Hypothesis C : 1 <= count /\ p mod 512 + count <= 512.
Hypothesis HO : forall i, 0 <= i < count -> in_ram a (p + i) = true /\ own a (p + i) = Host.
Notation k := (Adding.kept p count a).
Notation d := (Donation.donate vm p count (fun i => Data vm (x + i)) a).

(* The VM's pages that no entry names yet. *)
Lemma donated_linked : linked k p count (fun _ _ _ => False) d.
Proof.
  destruct (donated_parts a p count W C HO vm (fun i => Data vm (x + i)) (proj2 V)) as (D1 & D2 & D3 & D4 & D5).
  constructor; auto; try contradiction.
  - exact (hidden_wf (kept_is a p count W C HO)).
  - intros q G. rewrite D5. unfold given in G. now destruct ((p <=? q) && (q <? p + count)) eqn:E; [lia|].
  - intros q G. destruct (kept_free a p count W C HO q G) as (F1 & F2 & F3 & F4). auto.
  - intros q G. rewrite (kept_access a p count W C HO q G). unfold host_may_access. rewrite D5.
    assert (R : in_ram d q = true) by (destruct (kept_free a p count W C HO q G) as (F1 & _); unfold in_ram in *; now rewrite D1). rewrite R.
    unfold given in G. now replace ((p <=? q) && (q <? p + count)) with true by lia.
Qed.

Lemma measured_wf : forall i y c, 0 <= i -> wf (each i (spec_measure vm y c) d).
Proof.
  intros i y c I. eapply linked_wf. eapply linked_records; [exact donated_linked| | | | |]; try (rewrite measure_but by exact I; reflexivity).
  apply measure_records; auto. destruct (same_root _ _ (l_records donated_linked) vm) as [_ ->].
  destruct (h_root (kept_is a p count W C HO) vm) as [_ ->]. apply V.
Qed.
End Donated.
