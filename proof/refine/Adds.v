(* SPDX-License-Identifier: Apache-2.0 *)
(* What the calls that add pages or tables share: what their checks mean, pages that leave the host and are scrubbed,
   and how such a call ends. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Measure Donation.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding.
From nie.proof.invariant Require Export Counting.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.stage2 nie.generated.state.checks nie.generated.state.pages.
From nie.spec Require Import Core.
From nie.proof.refine Require Export checks_refines donate_refines pages_refines Built.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Lemma window_small : forall a v, wf a -> 0 <= v < NIE_MAX_VMS -> vm_state (vm_at a v) <> NIE_VM_FREE ->
  0 <= ram_base (vm_at a v) < 2 ^ 63 /\ 0 <= ram_pages (vm_at a v) < 2 ^ 63.
Proof. intros a v W V F. destruct (v_used _ (wf_v _ W) v V F) as (_ & _ & A & B). lia. Qed.

Lemma is_used : forall a v s s', vm_is a v s s' = true -> s <> NIE_VM_FREE -> s' <> NIE_VM_FREE -> vm_state (vm_at a v) <> NIE_VM_FREE.
Proof. intros a v s s' E N N' F. unfold vm_is in E. rewrite F in E. unfold NIE_VM_FREE in *. lia. Qed.

Lemma all_empty_ok : forall a v l n k, Donation.all_empty a v l k n = NIE_OK ->
  forall y, k <= y < k + Z.of_nat n -> slot_at a v l y = Empty.
Proof.
  induction n as [|n IH]; intros k H y Y; [lia|]. cbn [Donation.all_empty] in H.
  destruct (slot_at a v l k) eqn:E; try discriminate. destruct (Z.eq_dec y k) as [->|]; auto. apply (IH (k + 1)); auto. lia.
Qed.

Lemma host_owns_ok : forall a n p, Donation.host_owns a p n = true -> forall q, p <= q < p + Z.of_nat n -> own a q = Host.
Proof.
  induction n as [|n IH]; intros p H q Q; [lia|]. cbn [Donation.host_owns] in H.
  destruct (own a p) eqn:E; try discriminate. destruct (Z.eq_dec q p) as [->|]; auto. apply (IH (p + 1)); auto. lia.
Qed.

(* What a passed check of pages means. *)
Lemma donation_ok : forall a pa count, wf a -> 0 <= pa -> Donation.check_donation a pa count = NIE_OK -> let p := State.page_of pa in
  pa = p * 4096 /\ 1 <= count /\ p mod 512 + count <= 512 /\ forall i, 0 <= i < count -> in_ram a (p + i) = true /\ own a (p + i) = Host.
Proof.
  intros a pa count W P H. unfold Donation.check_donation, State.aligned, State.range_ok, State.page_of in *.
  destruct (Z.eqb_spec (pa mod 4096) 0) as [E|E]; [|discriminate].
  destruct ((1 <=? count) && (pa / 4096 mod 512 + count <=? 512)) eqn:C; [|discriminate].
  destruct (in_ram a (pa / 4096)) eqn:R; [|discriminate]. destruct (Donation.host_owns a (pa / 4096) (Z.to_nat count)) eqn:O; [|discriminate].
  cbn zeta. split; [lia|]. split; [lia|]. split; [lia|]. intros i I. split.
  - pose proof (c_ram _ (wf_c _ W)). unfold in_ram in *. lia.
  - eapply host_owns_ok; eauto. lia.
Qed.

Lemma placement_ok : forall a v ipa pa count, wf a -> 0 <= ipa -> 0 <= pa -> Donation.check_placement a v ipa pa count = NIE_OK ->
  let x := State.page_of ipa in let p := State.page_of pa in
  ipa = x * 4096 /\ pa = p * 4096 /\ 1 <= count /\ 0 <= x < 2 ^ 27 /\ x mod 512 + count <= 512 /\ p mod 512 + count <= 512 /\
  forall i, 0 <= i < count -> in_ram a (p + i) = true /\ own a (p + i) = Host.
Proof.
  intros a v ipa pa count W I P H. unfold Donation.check_placement in H.
  destruct (State.aligned ipa) eqn:E1; [|discriminate]. destruct (State.range_ok (State.page_of ipa) count) eqn:E2; [|discriminate].
  destruct (in_ipa_space ipa) eqn:E3; [|discriminate]. destruct (Donation.in_window a v (State.page_of ipa) count); [|discriminate].
  destruct (donation_ok a pa count W P H) as (H1 & H2 & H3 & H4). unfold State.aligned, State.range_ok, in_ipa_space, NIE_IPA_BITS, State.page_of in *.
  cbn zeta. repeat split; auto; try lia; now apply H4.
Qed.

Section Apply.
Variables (a : state) (h0 : Machine.hw) (m0 : Z -> Z).
Hypothesis W : wf a.
Hypothesis O : onto a.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis ENG : engine h0 = engine_of a.
Hypothesis TH : tables_hold a m0.
Variables (vm p count : Z).
Hypothesis V : 0 <= vm < NIE_MAX_VMS.
Hypothesis C : 1 <= count /\ p mod 512 + count <= 512.
Hypothesis HO : forall i, 0 <= i < count -> in_ram a (p + i) = true /\ own a (p + i) = Host.

Notation k := (Adding.kept p count a).
Variables (o : Z -> owner) (st v l key : Z).
Hypothesis KEY : 0 <= key /\ key + count <= 2 ^ 32.
Hypothesis OW : forall i, 0 <= i < count -> owner_words (o i) = (st, v, l, key + i).
Hypothesis ST : st <> GRANULE_SHARED /\ st <> GRANULE_RUN.

(* From the check to pages that are scrubbed: nobody but the engine reaches them. *)
Lemma donated_wp : forall gl h (rest : M (mach globals Machine.hw) Z) (Q : Z -> mach globals Machine.hw -> Prop), globals_hold a gl -> world h0 (Aset a) (Aset a) m0 (now m0) h ->
  (forall gl' m h', globals_hold (Donation.donate vm p count o a) gl' -> only_granules gl gl' ->
     world h0 (Aset k) (Aset k) m (now m) h' -> tables_hold k m ->
     (forall q i, is_word i = true -> given p count q -> m (q * 512 + i) = 0) -> wp rest Q (Mach gl' h')) ->
  wp (donate vm p count st v l 0 key ;;; pages_scrub p count ;;; rest) Q (Mach gl h).
Proof.
  intros gl h rest Q G X0 H. pose proof (Adding.kept_is a p count W C HO) as B.
  assert (WK : wf k) by (exact (hidden_wf B)).
  assert (RAM' : ram h0 = ram_of k) by (rewrite RAM; unfold ram_of; now rewrite (h_cfg B)).
  w_bind. eapply donate_wp with (o := o) (a := a) (b := k); eauto.
  - apply W.
  - lia.
  - intros i I. now apply HO.
  - intros gl1 m1 h1 G1 O1 X1 T1 _. cbn beta. w_bind.
    eapply pages_scrub_wp with (c := k); eauto; [lia| |].
    + intros q Gq. destruct (Adding.kept_free a p count W C HO q Gq) as (F1 & F2 & F3 & F4).
      split; auto. split; [apply (kept_untouched _ WK); auto; now rewrite F2|].
      intros [F|(_ & v' & l' & [F|(l2 & F)])]; [auto|rewrite F2 in F; discriminate|rewrite F2 in F; discriminate].
    + intros m2 h2 X2 T2 Z2 _. cbn beta. apply (H gl1 m2 h2); auto.
      eapply globals_of; [exact G1| | | | | | ]; reflexivity.
Qed.
End Apply.

(* Pages that come to the VM are counted. *)
Lemma counted_adds : forall a z vm p count o, wf a -> counted a -> 0 <= vm < NIE_MAX_VMS -> 0 <= count ->
  (forall i, 0 <= i < count -> in_ram a (p + i) = true /\ own a (p + i) = Host) ->
  (forall i w, 0 <= i < count -> names (o i) w = (vm =? w)) ->
  cfg z = cfg a -> (forall q, own z q = own (hand_over vm p count o a) q) ->
  (forall v, granules (vm_at z v) = granules (vm_at (hand_over vm p count o a) v)) -> counted z.
Proof.
  intros a z vm p count o W N V C H O E EO EG. apply counted_donate with a p count vm; auto; [apply W| | |].
  - intros i w I. rewrite EO, hand_over_at by auto. replace ((p <=? p + i) && (p + i <? p + count)) with true by lia.
    replace (p + i - p) with i by lia. auto.
  - intros q Q. rewrite EO, hand_over_at by auto. now replace ((p <=? q) && (q <? p + count)) with false by lia.
  - intro w. rewrite EG. unfold Donation.hand_over. rewrite add_granules_vm. destruct (owned_same count p o a C) as (_ & _ & _ & EV).
    unfold vm_at. rewrite EV. now destruct (w =? vm).
Qed.
Lemma measured_granules : forall vm words z v, granules (vm_at (Donation.measured_if_building vm words z) v) = granules (vm_at z v).
Proof.
  intros vm words z v. unfold Donation.measured_if_building. destruct (_ =? _); auto. rewrite vm_at_measured.
  now destruct (Z.eqb_spec v vm) as [->|].
Qed.

(* Every state that carries out the change of [R] a later state: what is not named is as it was. *)
Lemma R_after : forall a a' s s', R a s -> wf a' -> onto a' -> counted a' -> globals_hold a' (glob s') ->
  (exists m, world (hw s) (Aset a') (Aset a') m (now m) (hw s') /\ tables_hold a' m) -> cfg a' = cfg a -> same_records a a' ->
  R a' s' /\ frame_of (hw s) (hw s').
Proof.
  intros a a' s s' [W O G (m & X & TH) RAM ENG REGS N] W' O' N' G' (m' & X' & T') CF SR.
  pose proof (w_frame _ _ _ _ _ _ X') as F. split; [|exact F]. constructor; auto.
  - exists m'. split; auto. destruct X'. constructor; auto. now constructor.
  - rewrite (f_ram _ _ F), RAM. unfold ram_of. now rewrite CF.
  - rewrite (f_engine _ _ F), ENG. unfold engine_of. now rewrite CF.
  - eapply registers_same; [eapply registers_frame; eauto|exact CF|apply SR|apply SR|apply SR|].
    intro v. now destruct (same_root _ _ SR v).
Qed.
