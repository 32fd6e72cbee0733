(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_ADD, in part: its checks, and that each page's content goes into the build log while only the engine reaches it.
   What is left to its theorem: how the pages are mapped afterwards, which is as in page_add_zero_refines.v. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Measure Donation.
From nie.spec.call Require page_add.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding.
From nie.proof.invariant Require Export page_add_preserves.
From nie.proof.invariant Require page_add_zero_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.stage2 nie.generated.state.checks nie.generated.state.pages nie.generated.state.measure nie.generated.call.page_add.
From nie.spec Require Import Core.
From nie.proof.refine Require Import sha256_refines measure_refines measure_record_refines measure_page_refines.
From nie.proof.refine Require Export Adds.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_add_check := nie.spec.call.page_add.page_add_check.
Notation spec_page_add := nie.spec.call.page_add.page_add.

Section Check.
Variables (a : state) (h0 : Machine.hw) (gl : globals) (m : Z -> Z).
Hypothesis W : wf a.
Hypothesis G : globals_hold a gl.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis TH : tables_hold a m.
Notation A := (Aset a).

Lemma page_add_check_wp : forall h vm ipa pa count (Q : Z -> mach globals Machine.hw -> Prop),
  world h0 A A m (now m) h -> 0 <= vm < 2 ^ 64 -> 0 <= ipa < 2 ^ 64 -> 0 <= pa < 2 ^ 64 -> 0 <= count < 2 ^ 64 ->
  (forall h', world h0 A A m (now m) h' -> Q (spec_add_check a vm ipa pa count) (Mach gl h')) ->
  wp (page_add_check vm ipa pa count) Q (Mach gl h).
Proof.
  intros h vm ipa pa count Q X V I P C H. unfold page_add_check. unfold nie.spec.call.page_add.page_add_check in H. cbn zeta in H.
  skip. w_known check_vm_run; [eauto|lia|].
  destruct (vm_exists vm) eqn:E1; [|unfold NIE_OK, NIE_E_VM in *; cbn; go; auto].
  destruct (vm_is a vm NIE_VM_BUILDING NIE_VM_BUILDING) eqn:E2; [|unfold NIE_OK, NIE_E_VM_STATE in *; cbn; go; auto].
  change (negb (NIE_OK =? NIE_OK)) with false. cbn iota.
  pose proof (is_used _ _ _ _ E2 ltac:(discriminate) ltac:(discriminate)) as ST.
  assert (V' : 0 <= vm < NIE_MAX_VMS) by (unfold vm_exists in E1; lia). assert (VB : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V'; lia).
  rewrite (wrap32 vm) by lia. destruct (Z.ltb_spec NIE_PAGE_ADD_MAX count) as [E3|E3].
  { replace (count <=? NIE_PAGE_ADD_MAX) with false in H by lia. go. now apply H. }
  replace (count <=? NIE_PAGE_ADD_MAX) with true in H by lia.
  destruct (window_small a vm W V' ST) as [B1 B2].
  skip. w_known check_placement_run; [apply W|exact G|auto|auto|auto|auto|auto|auto|].
  destruct (Donation.check_placement a vm ipa pa count =? NIE_OK) eqn:PL; cbn [negb]; [|go; now apply H].
  apply Z.eqb_eq in PL. destruct (placement_ok a vm ipa pa count W) as (F1 & F2 & F3 & F4 & F5 & F6 & F7); auto; try lia.
  skip. w_known page_of_run. destruct (g_vm _ _ G vm V') as (_ & RT & _).
  skip. eapply check_empty_wp; eauto; unfold LEVEL_PAGE; cbn [Z.eqb Pos.eqb]; try lia.
Qed.
End Check.

(* Measuring page after page. *)
Lemma measure_granules : forall n vm x c a v, 0 <= n -> granules (vm_at (each n (spec_measure vm x c) a) v) = granules (vm_at a v).
Proof.
  intros n vm x c a v N. pattern n. apply natlike_ind; auto.
  intros i I IH. replace (Z.succ i) with (i + 1) by lia. rewrite each_next by auto. rewrite <- IH.
  unfold nie.spec.call.page_add.measure_page. rewrite vm_at_measured. now destruct (Z.eqb_spec v vm) as [->|].
Qed.

Lemma clean_wp : forall h0 a A m V h gl p (Q : unit -> mach globals Machine.hw -> Prop), ram h0 = ram_of a -> world h0 A A m V h ->
  in_ram a p = true -> (forall h', world h0 A A m (now m) h' -> Q tt (Mach gl h')) -> wp (page_clean p) Q (Mach gl h).
Proof.
  intros h0 a A m V h gl p Q RAM X P H. unfold page_clean. apply wp_hw. cbn. unfold Machine.page_clean, word_of, does, wp.
  rewrite (has_word h0 a RAM _ _ _ _ _ _ 0 X P eq_refl). cbn beta iota. apply H. apply (world_complete_same h0 A m V). now apply world_others.
Qed.

Section Loop.
Variables (h0 : Machine.hw) (k d : state) (vm x p count : Z) (m : Z -> Z).
Hypothesis RAM : ram h0 = ram_of k.
Hypothesis WK : wf k.
Hypothesis WD : forall i, 0 <= i <= count -> wf (each i (spec_measure vm x (fun i w => m ((p + i) * 512 + w))) d).
Hypothesis V : 0 <= vm < NIE_MAX_VMS.
Hypothesis B : vm_state (vm_at d vm) = NIE_VM_BUILDING.
Hypothesis F : 0 <= x < 2 ^ 27 /\ 0 < p /\ p + count <= 2 ^ 27 + 1 /\ 1 <= count <= 512.
Hypothesis P : forall i, 0 <= i < count -> in_ram k (p + i) = true /\ ~ touch (Aset k) (p + i).
Notation content := (fun i w => m ((p + i) * 512 + w)).
Notation after i := (each i (spec_measure vm x content) d).

Lemma measure_loop : forall gl h (Q : unit -> mach globals Machine.hw -> Prop), globals_hold d gl ->
  world h0 (Aset k) (Aset k) m (now m) h ->
  (forall gl' h', globals_hold (after count) gl' -> only_built gl gl' -> world h0 (Aset k) (Aset k) m (now m) h' -> Q tt (Mach gl' h')) ->
  wp (loop 0 count tt (fun k _ =>
      page_clean (wrap U64 (p + k)) ;;;
      t1 <- address_of (wrap U64 (x + k)) ;;
      measure_record vm MEASURE_PAGE t1 0 0 ;;;
      measure_page vm (wrap U64 (p + k)) ;;;
      ret tt)) Q (Mach gl h).
Proof.
  intros gl h Q G X H.
  apply wp_loop with (I := fun i _ s => exists gl' h', s = Mach gl' h' /\ globals_hold (after i) gl' /\ only_built gl gl' /\
    world h0 (Aset k) (Aset k) m (now m) h'); [lia| | |].
  - exists gl, h. rewrite each_0. auto using built_refl.
  - intros i u s I (gl1 & h1 & -> & G1 & O1 & X1). rewrite (wrap64 (p + i)), (wrap64 (x + i)) by lia.
    destruct (P i I) as [R NT].
    w_bind. eapply (clean_wp h0 k); [exact RAM|exact X1|exact R|]. intros h2 X2. cbn beta.
    w_bind. w_known address_of_run; [lia|]. w_bind.
    assert (BI : vm_state (vm_at (after i) vm) = NIE_VM_BUILDING).
    { assert (NF : vm_state (vm_at d vm) <> NIE_VM_FREE) by (rewrite B; discriminate).
      destruct (same_root _ _ (measure_records i vm x content d ltac:(lia) NF) vm) as [_ ->]. exact B. }
    destruct (log_of (after i) vm (WD i ltac:(lia)) V BI gl1 G1) as [n M].
    eapply measure_record_wp; [exact V|exact M|]. intros gl2 O2 M2. w_bind.
    eapply measure_page_wp with (a := k) (p := p + i); eauto. intros gl3 h3 X3 O3 M3. w_ret.
    assert (O23 : only_measure vm gl1 gl3) by (eapply only_measure_trans; eauto).
    exists gl3, h3. split; [auto|]. split; [|split; [eapply built_trans; [exact O1|eapply built_measure; exact O23]|exact X3]].
    rewrite each_next by lia. unfold nie.spec.call.page_add.measure_page at 1. rewrite <- app_assoc in M3.
    eapply (log_goes_on (after i) vm (WD i ltac:(lia)) V BI gl1 gl3); [exact G1|exact O23|exact M3].
  - intros u s (gl1 & h1 & -> & G1 & O1 & X1). destruct u. now apply (H gl1 h1).
Qed.
End Loop.
