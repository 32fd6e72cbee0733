(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_SHARED_ADD: the C does what spec/call/page_shared_add.v says; the host keeps its mapping. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Measure Donation.
From nie.spec.call Require page_shared_add.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding.
From nie.proof.invariant Require page_shared_add_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.stage2 nie.generated.state.checks nie.generated.state.pages nie.generated.state.measure nie.generated.call.page_shared_add.
From nie.spec Require Import Core.
From nie.proof.refine Require measure_refines.
From nie.proof.refine Require Export Adds.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_shared_check := nie.spec.call.page_shared_add.page_shared_add_check.
Notation spec_page_shared_add := nie.spec.call.page_shared_add.page_shared_add.
Notation in_upper_half := nie.spec.call.page_shared_add.in_upper_half.
Notation shared_pages := page_shared_add_preserves.shared_pages.

(* The descriptor of a shared page, as the C puts it together. *)
Lemma shared_desc : forall q, 0 <= q < 2 ^ 36 -> Z.lor (Z.lor (q * 4096) (Z.lor DESC_NORMAL DESC_XN)) DESC_PAGE = enc (ToShared q).
Proof.
  intros q Q. rewrite (Z.lor_comm DESC_NORMAL), Z.lor_assoc, <- Z.lor_assoc. change (Z.lor DESC_NORMAL DESC_PAGE) with 2047.
  rewrite (Z.lor_comm (q * 4096)), <- Z.lor_assoc, lor_page by lia. change DESC_XN with (1 * 2 ^ 54). rewrite Z.lor_comm.
  rewrite (measure_refines.lor_add 54 1) by lia. norm. lia.
Qed.

(* What a passed check of IPAs means. *)
Lemma ipa_range_ok : forall ipa count, 0 <= ipa -> Donation.check_ipa_range ipa count = NIE_OK -> let x := State.page_of ipa in
  ipa = x * 4096 /\ 1 <= count /\ 0 <= x < 2 ^ 27 /\ x mod 512 + count <= 512.
Proof.
  intros ipa count I H. unfold Donation.check_ipa_range in H. destruct (State.aligned ipa) eqn:E1; [|discriminate].
  destruct (State.range_ok (State.page_of ipa) count) eqn:E2; [|discriminate]. destruct (in_ipa_space ipa) eqn:E3; [|discriminate].
  unfold State.aligned, State.range_ok, in_ipa_space, NIE_IPA_BITS, State.page_of in *. cbn zeta. lia.
Qed.

Section Check.
Variables (a : state) (h0 : Machine.hw) (gl : globals) (m : Z -> Z).
Hypothesis W : wf a.
Hypothesis G : globals_hold a gl.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis TH : tables_hold a m.
Notation A := (Aset a).

Lemma page_shared_add_check_wp : forall h vm ipa pa count (Q : Z -> mach globals Machine.hw -> Prop),
  world h0 A A m (now m) h -> 0 <= vm < 2 ^ 64 -> 0 <= ipa < 2 ^ 64 -> 0 <= pa < 2 ^ 64 -> 0 <= count < 2 ^ 64 ->
  (forall h', world h0 A A m (now m) h' -> Q (spec_shared_check a vm ipa pa count) (Mach gl h')) ->
  wp (page_shared_add_check vm ipa pa count) Q (Mach gl h).
Proof.
  intros h vm ipa pa count Q X V I P C H. unfold page_shared_add_check. unfold nie.spec.call.page_shared_add.page_shared_add_check in H. cbn zeta in H.
  skip. w_known check_vm_run; [eauto|lia|].
  destruct (vm_exists vm) eqn:E1; [|unfold NIE_OK, NIE_E_VM in *; cbn; go; auto].
  destruct (vm_is a vm NIE_VM_BUILDING NIE_VM_ACTIVE) eqn:E2; [|unfold NIE_OK, NIE_E_VM_STATE in *; cbn; go; auto].
  change (negb (NIE_OK =? NIE_OK)) with false. cbn iota.
  pose proof (is_used _ _ _ _ E2 ltac:(discriminate) ltac:(discriminate)) as ST.
  assert (V' : 0 <= vm < NIE_MAX_VMS) by (unfold vm_exists in E1; lia). assert (VB : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V'; lia).
  skip. w_known check_ipa_range_run; auto. fold (Donation.check_ipa_range ipa count).
  change (if State.aligned ipa then if State.range_ok (State.page_of ipa) count then if in_ipa_space ipa then NIE_OK else NIE_E_IPA
    else NIE_E_COUNT else NIE_E_ALIGN) with (Donation.check_ipa_range ipa count).
  destruct (Donation.check_ipa_range ipa count =? NIE_OK) eqn:IR; cbn [negb]; [|go; now apply H].
  apply Z.eqb_eq in IR. destruct (ipa_range_ok ipa count ltac:(lia) IR) as (F1 & F2 & F3 & F4).
  rewrite Z.shiftr_div_pow2 by lia. unfold nie.spec.call.page_shared_add.in_upper_half, NIE_IPA_BITS in H. change (39 - 1) with 38 in H.
  destruct (Z.eqb_spec (ipa / 2 ^ 38) 0) as [E|E].
  { replace (ipa <? 2 ^ 38) with true in H by lia. cbn [negb] in H. go. now apply H. }
  replace (ipa <? 2 ^ 38) with false in H by lia. cbn [negb] in H.
  skip. w_known check_donation_run; [apply W|exact G|lia|lia|].
  destruct (Donation.check_donation a pa count =? NIE_OK) eqn:DN; cbn [negb]; [|go; now apply H].
  skip. w_known page_of_run. rewrite (wrap32 vm) by lia. destruct (g_vm _ _ G vm V') as (_ & RT & _).
  skip. eapply check_empty_wp; eauto; cbn [Z.eqb Pos.eqb]; try lia.
Qed.
End Check.

(* For every state, every argument, whatever the others do ([during] and [inputs] of the machine). *)
Theorem page_shared_add_refines : forall a s vm ipa pa count,
  R a s -> 0 <= vm < 2 ^ 64 -> 0 <= ipa < 2 ^ 64 -> 0 <= pa < 2 ^ 64 -> 0 <= count < 2 ^ 64 ->
  wp (call_page_shared_add vm ipa pa count) (fun r s' =>
    r = fst (spec_page_shared_add vm ipa pa count a) /\
    R (snd (spec_page_shared_add vm ipa pa count a)) s' /\
    only_built (glob s) (glob s') /\ frame_of (hw s) (hw s')) s.
Proof.
  intros a [gl h] vm ipa pa count HR HV HI HP HC. destruct HR as [W O G (m & X & TH) RAM ENG REGS CNT] eqn:EHR. clear EHR. cbn [glob hw] in *.
  unfold call_page_shared_add. w_bind. eapply page_shared_add_check_wp; eauto. intros h1 X1. cbn beta.
  unfold nie.spec.call.page_shared_add.page_shared_add. cbn zeta. destruct (spec_shared_check a vm ipa pa count =? NIE_OK) eqn:E; cbn [negb].
  2:{ go. cbn [fst snd]. split; auto.
      destruct (R_after a a (Mach gl h) (Mach gl h1) HR W O CNT G) as [R' F]; auto using same_refl.
      { exists m. auto. } split; auto. split; auto using built_refl. }
  apply Z.eqb_eq in E. unfold nie.spec.call.page_shared_add.page_shared_add_check in E. cbn zeta in E.
  destruct (vm_exists vm) eqn:E1; [|discriminate].
  destruct (vm_is a vm NIE_VM_BUILDING NIE_VM_ACTIVE) eqn:E2; [|discriminate].
  destruct (Donation.check_ipa_range ipa count =? NIE_OK) eqn:E3; [|apply Z.eqb_neq in E3; congruence].
  destruct (in_upper_half ipa) eqn:E4; [|discriminate].
  destruct (Donation.check_donation a pa count =? NIE_OK) eqn:E5; [|apply Z.eqb_neq in E5; congruence].
  apply Z.eqb_eq in E3. apply Z.eqb_eq in E5.
  pose proof (is_used _ _ _ _ E2 ltac:(discriminate) ltac:(discriminate)) as ST.
  assert (V : 0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at a vm) <> NIE_VM_FREE) by (split; [unfold vm_exists in E1; lia|exact ST]).
  destruct (ipa_range_ok ipa count ltac:(lia) E3) as (F1 & F2 & F3 & F4).
  destruct (donation_ok a pa count W ltac:(lia) E5) as (F5 & _ & F6 & F7).
  remember (State.page_of ipa) as x eqn:Ex. remember (State.page_of pa) as p eqn:Ep.
  assert (U : 2 ^ 26 <= x).
  { unfold nie.spec.call.page_shared_add.in_upper_half, NIE_IPA_BITS in E4. change (39 - 1) with 38 in E4. clear - E4 F1. lia. }
  assert (C : 1 <= count /\ p mod 512 + count <= 512) by lia. assert (CX : 2 ^ 26 <= x /\ x mod 512 + count <= 512) by lia.
  assert (VB : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V; lia).
  assert (P0 : 0 < p /\ p + count <= 2 ^ 27 + 1).
  { pose proof (c_ram _ (wf_c _ W)). destruct (F7 0) as [R0 _]; [lia|]. destruct (F7 (count - 1)) as [R1 _]; [lia|]. unfold in_ram in *. lia. }
  unfold Donation.check_empty in E. change (LEVEL_PAGE - 1) with 2 in E. change LEVEL_PAGE with 3 in E.
  destruct (slot_at a vm 2 (x / 512)) as [| |t|t|t|t] eqn:T; try discriminate.
  assert (EM : forall y, x <= y < x + count -> slot_at a vm 3 y = Empty) by (intros y Y; eapply all_empty_ok; eauto; lia).
  destruct (page_shared_add_preserves.shared_pages_facts a vm x p count t W V C CX F7 T EM) as [L0 ON0].
  assert (VZ : vm_state (vm_at (shared_pages a vm x p count) vm) <> NIE_VM_FREE).
  { destruct (same_root _ _ (l_records L0) vm) as [_ ->]. apply V. }
  set (w := Measure.record MEASURE_SHARED ipa count 0). set (z := Donation.measured_if_building vm w (shared_pages a vm x p count)).
  destruct (measured_parts vm w _ VZ) as (Z1 & Z2 & Z3 & Z4 & Z5). fold z in Z1, Z2, Z3, Z4, Z5.
  pose proof (linked_records _ _ _ _ _ _ L0 Z1 Z2 Z3 Z4 Z5) as L.
  assert (OZ : onto z) by (apply (onto_records _ _ (ON0 O) Z1 Z2 Z3 Z5)).
  assert (CZ : counted z).
  { refine (counted_adds a z vm p count (fun i => Shared vm (x + i)) W CNT (proj1 V) ltac:(lia) F7 _ (l_cfg L) _ _); [intros i w' _; reflexivity| |].
    - intro q. unfold own. rewrite Z2, page_shared_add_preserves.shared_pages_but by auto. reflexivity.
    - intro v. unfold z. rewrite measured_granules, page_shared_add_preserves.shared_pages_but by auto. reflexivity. }
  assert (PD : forall q, given p count q -> exists v y, own z q = Shared v y).
  { intros q Gq. exists vm, (x + (q - p)). unfold own. rewrite Z2, page_shared_add_preserves.shared_pages_but by auto.
    change (own (hand_over vm p count (fun i => Shared vm (x + i)) a) q = Shared vm (x + (q - p))). rewrite hand_over_at by lia. unfold given in Gq.
    replace ((p <=? q) && (q <? p + count)) with true by lia. reflexivity. }
  rewrite (wrap32 vm) by lia. skip. w_known page_of_run. skip. w_known page_of_run.
  change (pa / 4096) with (State.page_of pa). change (ipa / 4096) with (State.page_of ipa). rewrite <- Ex, <- Ep.
  replace (wrap U8 vm) with vm by (unfold wrap; cbn [width]; lia). rewrite (wrap32 x) by lia.
  w_bind. eapply (donate_kept_wp a vm p count GRANULE_SHARED vm 0 x (fun i => Shared vm (x + i))); [apply W|apply V|lia|intros i I; now apply F7|lia|auto|exact G|auto|].
  intros gl2 G2 O2. cbn beta. w_bind.
  eapply (pages_map_wp a z h gl2 (page_entries vm x count) vm x p count t (Z.lor DESC_NORMAL DESC_XN) L); eauto; try lia.
  - destruct (g_vm _ _ G2 vm) as (_ & -> & _); [apply V|].
    now destruct (same_root _ _ (hand_over_records a vm p count (fun i => Shared vm (x + i)) ltac:(lia) ST) vm).
  - unfold page_entries. tauto.
  - intros i I. unfold slot_at. rewrite Z3. fold (slot_at (shared_pages a vm x p count) vm 3 (x + i)).
    rewrite page_shared_add_preserves.shared_pages_slot by auto. apply shared_desc. lia.
  - intros q v l y Gq K. destruct (PD q Gq) as (v' & y' & K'). congruence.
  - intros q v y Gq K. destruct (PD q Gq) as (v' & y' & K'). congruence.
  - intros h3 m' X3 T3. cbn beta.
    assert (GZ : globals_hold (shared_pages a vm x p count) gl2).
    { rewrite page_shared_add_preserves.shared_pages_but by auto. eapply globals_of; [exact G2| | | | | |]; reflexivity. }
    eapply finish_wp; [exact (linked_wf L0)|apply V|exact GZ|]. intros gl3 G3 O3. cbn [fst snd]. split; auto.
    destruct (R_after a z (Mach gl h) (Mach gl3 h3) HR (linked_wf L) OZ CZ G3) as [R' F];
      [exists m'; auto|exact (l_cfg L)|eapply same_trans; [exact (l_records L0)|exact Z5]|].
    split; [exact R'|]. split; [|exact F]. cbn [glob]. eapply built_trans; [apply built_granules; exact O2|exact O3].
Qed.
