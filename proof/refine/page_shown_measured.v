(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_ADD, watched: up to the end of [donate], and from there on. From there on nobody else reaches the pages, they are hashed,
   and nothing that follows stores to them. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Donation.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.stage2 nie.generated.state.checks nie.generated.state.pages nie.generated.state.measure nie.generated.call.page_add.
From nie.spec Require Import Core Step.
From nie.proof.security Require Import Watched.
From nie.proof.refine Require Import page_shown_log page_shown_text page_shown_moment page_shown_before page_shown_map page_shown_zero.
From nie.proof.refine Require Export page_add_refines.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Measured.
Variables (a : state) (gl : globals) (h : Machine.hw) (vm ipa pa count : Z).
Hypothesis HR : R a (Mach gl h).
Hypothesis HV : 0 <= vm < 2 ^ 64.
Hypothesis HI : 0 <= ipa < 2 ^ 64.
Hypothesis HP : 0 <= pa < 2 ^ 64.
Hypothesis HC : 0 <= count < 2 ^ 64.
Hypothesis E : spec_add_check a vm ipa pa count = NIE_OK.
Notation p := (State.page_of pa).
Notation x := (State.page_of ipa).
Notation k := (Adding.kept p count a).
Notation d := (Donation.donate vm p count (fun i => Data vm (x + i)) a).

Lemma add_checked : vm_state (vm_at a vm) = NIE_VM_BUILDING /\ 0 <= vm < NIE_MAX_VMS /\ Donation.check_placement a vm ipa pa count = NIE_OK.
Proof.
  pose proof E as F. unfold nie.spec.call.page_add.page_add_check in F. cbv zeta in F.
  destruct (vm_exists vm) eqn:E1; [|discriminate].
  destruct (vm_is a vm NIE_VM_BUILDING NIE_VM_BUILDING) eqn:E2; [|discriminate].
  destruct (count <=? NIE_PAGE_ADD_MAX); [|discriminate].
  destruct (Donation.check_placement a vm ipa pa count =? NIE_OK) eqn:E5; [|apply Z.eqb_neq in E5; congruence].
  apply Z.eqb_eq in E5. split; [unfold vm_is in E2; lia|]. split; [unfold vm_exists in E1; lia|auto].
Qed.

(* Up to where the host has lost the pages. *)
Lemma taken_there : forall s0 s1, page_add_check vm ipa pa count (Mach gl h) = Some (NIE_OK, s0) ->
  donate vm p count GRANULE_DATA vm 0 0 x s0 = Some (tt, s1) ->
  globals_hold d (C_store.glob s1) /\ exists m, world h (Aset k) (Aset k) m (now m) (C_store.hw s1) /\ tables_hold k m.
Proof.
  intros s0 s1 E0 E1. destruct add_checked as (ST & V & PL). destruct HR as [W O G (m & X & TH) RAM ENG REGS CNT]. cbn [C_store.glob C_store.hw] in *.
  destruct (placement_ok a vm ipa pa count W ltac:(lia) ltac:(lia) PL) as (F1 & F2 & F3 & F4 & F5 & F6 & F7).
  assert (K : wp (page_add_check vm ipa pa count) (fun _ s => exists h0, s = Mach gl h0 /\ world h (Aset a) (Aset a) m (now m) h0) (Mach gl h)).
  { eapply page_add_check_wp; eauto. }
  unfold wp in K. rewrite E0 in K. destruct K as (h0 & -> & X0).
  assert (K : wp (donate vm p count GRANULE_DATA vm 0 0 x) (fun _ s => globals_hold d (C_store.glob s) /\
    exists m, world h (Aset k) (Aset k) m (now m) (C_store.hw s) /\ tables_hold k m) (Mach gl h0)).
  { eapply (donate_wp a vm p count GRANULE_DATA vm 0 x (fun i => Data vm (x + i))) with (b := k);
      [apply W|exact V|lia|intros i I; now apply F7|lia|auto|exact G|split; discriminate|exact RAM|exact ENG|exact (kept_is a p count W ltac:(lia) F7)|exact TH|exact X0|].
    intros gl2 m2 h2 G2 O2 X2 T2 _. split; [|eauto]. cbn [C_store.glob]. eapply globals_of; [exact G2| | | | | |]; reflexivity. }
  unfold wp in K. now rewrite E1 in K.
Qed.

(* What the call makes of the map, and the entries that it stores. *)
Lemma add_adds : forall content, adds a (snd (spec_page_add vm ipa pa count content a)) vm x p count (page_entries vm x count) 3
  (fun i e => 0 <= i < count /\ e = Z.lor (Z.lor ((p + i) * 4096) DESC_NORMAL) DESC_PAGE).
Proof.
  intro content. destruct add_checked as (BU & V & PL). pose proof (R_wf _ _ HR) as W.
  assert (ST : vm_state (vm_at a vm) <> NIE_VM_FREE) by (rewrite BU; discriminate).
  destruct (placement_ok a vm ipa pa count W ltac:(lia) ltac:(lia) PL) as (F1 & F2 & F3 & F4 & F5 & F6 & F7).
  assert (C : 1 <= count /\ p mod 512 + count <= 512) by lia.
  pose proof E as EE. unfold nie.spec.call.page_add.page_add_check in EE. cbv zeta in EE.
  destruct (vm_exists vm); [|discriminate]. destruct (vm_is a vm NIE_VM_BUILDING NIE_VM_BUILDING); [|discriminate].
  destruct (count <=? NIE_PAGE_ADD_MAX); [|discriminate]. rewrite PL in EE. change (NIE_OK =? NIE_OK) with true in EE. cbv iota in EE.
  unfold Donation.check_empty in EE. change (LEVEL_PAGE - 1) with 2 in EE. change LEVEL_PAGE with 3 in EE.
  destruct (slot_at a vm 2 (x / 512)) as [| |t|t|t|t] eqn:T; try discriminate.
  apply ad_pages with (t := t); auto; try lia; [intros y Y; eapply all_empty_ok; eauto; lia|].
  unfold nie.spec.call.page_add.page_add. rewrite E. change (NIE_OK =? NIE_OK) with true. cbv zeta iota. cbn [snd].
  pose proof (kept_is a p count W C F7) as B. pose proof (donated_linked a vm x p count W (conj V ST) C F7) as LD.
  assert (SD : same_records a d) by (eapply same_trans; [exact (h_records B)|exact (l_records LD)]).
  assert (BD : vm_state (vm_at d vm) = NIE_VM_BUILDING) by (destruct (same_root _ _ SD vm) as [_ ->]; exact BU).
  set (dm := each count (spec_measure vm x content) d) in *.
  assert (ED : dm = d <| vms := vms dm |>) by (apply measure_but; lia).
  assert (SM : same_records d dm) by (apply measure_records; [lia|rewrite BD; discriminate]).
  set (z := each count (mapped vm x (fun i => ToPage (p + i))) dm).
  assert (EZ : z = dm <| slots := slots z |>) by (apply mapped_but; lia).
  assert (EB : page_add_zero_preserves.zero_pages a vm x p count = d <| slots := slots (page_add_zero_preserves.zero_pages a vm x p count) |>)
    by (apply mapped_but; lia).
  assert (SZ : same_records dm z) by (rewrite EZ; now apply same_of_eq).
  split; [|split; [|split; [|split]]].
  - rewrite EZ, EB, ED. reflexivity.
  - rewrite EZ, EB, ED. reflexivity.
  - apply slots_of_mapped; [lia|]. rewrite ED. reflexivity.
  - rewrite EZ, EB, ED. reflexivity.
  - rewrite EB. eapply same_trans; [apply same_sym; apply same_of_eq with (a := d); reflexivity|]. eapply same_trans; [exact SM|exact SZ].
Qed.

(* The whole of it, watched. *)
Theorem measured_shown : forall l0, exists content g' h' before after,
  @call_page_add _ watching vm ipa pa count (Mach gl (h, l0)) = Some (NIE_OK, Mach g' (h', l0 ++ before ++ after)) /\
  R (snd (spec_page_add vm ipa pa count content a)) (Mach g' h') /\
  @call_page_add _ Core.machine vm ipa pa count (Mach gl h) = Some (NIE_OK, Mach g' h') /\ read_there (Mach gl h) vm ipa pa count content /\
  (forall i, 0 <= i < count -> shows a vm (p + i) (content i) before (after ++ [(h', None)])) /\
  Forall (fun n => bounded (either a k) (vttbr h) (fst n)) before /\ Forall (fun n => bounded (Aset (snd (spec_page_add vm ipa pa count content a))) (vttbr h) (fst n)) after /\
  bounded (Aset (snd (spec_page_add vm ipa pa count content a))) (vttbr h) h'.
Proof.
  intro l0. set (run := @call_page_add _ Core.machine vm ipa pa count (Mach gl h)).
  destruct add_checked as (BU & V & PL). assert (ST : vm_state (vm_at a vm) <> NIE_VM_FREE) by (rewrite BU; discriminate).
  destruct (run_of_wp _ _ _ _ _ (page_add_refines a (Mach gl h) vm ipa pa count HR HV HI HP HC)) as (r & s' & U & content & Er & R' & _ & _ & RT).
  assert (HS : fst (spec_page_add vm ipa pa count content a) = NIE_OK).
  { unfold nie.spec.call.page_add.page_add. cbv zeta. now rewrite E. }
  rewrite HS in Er. subst r. pose proof (RT eq_refl) as RD. destruct (RT eq_refl) as (s0 & s1 & E0 & E1 & PC). clear RT. pose proof U as U0.
  destruct (taken_there s0 s1 E0 E1) as (G1 & m & X1 & T1).
  assert (S0 : exists h0, s0 = Mach gl h0).
  { destruct HR as [W O G (m0 & X & TH) RAM _ _ _]. cbn [C_store.glob C_store.hw] in *.
    assert (K : wp (page_add_check vm ipa pa count) (fun _ s => exists h0, s = Mach gl h0) (Mach gl h)) by (eapply page_add_check_wp; eauto).
    unfold wp in K. now rewrite E0 in K. }
  destruct S0 as (h0 & ->). destruct s1 as [gl1 h1].
  destruct HR as [W O G (m0 & X0 & TA0) RAM _ REGS _]. cbn [C_store.glob C_store.hw] in *.
  destruct (placement_ok a vm ipa pa count W ltac:(lia) ltac:(lia) PL) as (F1 & F2 & F3 & F4 & F5 & F6 & F7).
  assert (C : 1 <= count /\ p mod 512 + count <= 512) by lia.
  assert (VB : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V; lia).
  pose proof (Adding.kept_is a p count W C F7) as B0.
  (* The unwatched run, after [donate]. *)
  unfold call_page_add in U. rewrite (bind_known _ _ _ _ _ _ _ _ E0) in U. cbv beta in U. change (negb (NIE_OK =? NIE_OK)) with false in U. cbv iota in U.
  rewrite (bind_known _ _ _ (ret (wrap U32 vm)) _ _ _ _ eq_refl) in U. rewrite (wrap32 vm) in U by lia.
  rewrite (bind_known _ _ _ _ _ _ _ _ (page_of_run gl h0 pa)) in U. rewrite (bind_known _ _ _ _ _ _ _ _ (page_of_run gl h0 ipa)) in U.
  change (pa / 4096) with p in U. change (ipa / 4096) with x in U.
  replace (wrap U8 vm) with vm in U by (unfold wrap; cbn [width]; lia). rewrite (wrap32 x) in U by lia.
  rewrite (bind_known _ _ _ _ _ _ _ _ E1) in U.
  (* The watched one, up to there. *)
  unfold call_page_add.
  destruct (goes none (either a k) (vttbr h) _ (Mach gl (h, l0)) _ _ _ _ (q_add_check none (either a k) (vttbr h) vm ipa pa count _) E0) as (w0 & A0 & D0 & L0).
  rewrite (bind_known _ _ _ _ _ _ _ _ A0). change (negb (NIE_OK =? NIE_OK)) with false. cbv iota.
  rewrite (bind_known _ _ _ (ret (wrap U32 vm)) _ _ _ _ eq_refl). rewrite (wrap32 vm) by lia.
  assert (K0 : forall y w, drop w = Mach gl h0 -> @page_of _ y (drop w) = Some (y / 4096, Mach gl h0)) by (intros y w ->; apply page_of_run).
  destruct (goes none (either a k) (vttbr h) _ w0 _ _ _ _ (q_page_of none (either a k) (vttbr h) pa _) (K0 pa w0 D0)) as (w1 & A1 & D1 & L1). rewrite (bind_known _ _ _ _ _ _ _ _ A1).
  destruct (goes none (either a k) (vttbr h) _ w1 _ _ _ _ (q_page_of none (either a k) (vttbr h) ipa _) (K0 ipa w1 D1)) as (w2 & A2 & D2 & L2). rewrite (bind_known _ _ _ _ _ _ _ _ A2).
  change (pa / 4096) with p. change (ipa / 4096) with x.
  replace (wrap U8 vm) with vm by (unfold wrap; cbn [width]; lia). rewrite (wrap32 x) by lia.
  destruct w2 as [gw [hw2 gs]]. injection D2 as -> ->.
  destruct (goes none (either a k) (vttbr h) _ _ _ _ _ _ (either_donates a k h p count B0 m T1 gl h0 gs vm x G V ltac:(lia)) E1) as ([gl4 [h4 l4]] & A3 & D3 & L3). rewrite (bind_known _ _ _ _ _ _ _ _ A3).
  injection D3 as -> ->.
  destruct (looks_trans _ _ _ _ _ _ (looks_trans _ _ _ _ _ _ (looks_trans _ _ _ _ _ _ L0 L1) L2) L3) as (before & EQ & FB & _).
  cbn [C_store.hw fst snd] in EQ, FB. subst l4.
  assert (NB : forall n q, In n before -> given p count q -> ~ reached (fst n) (vm + 1) q).
  { intros n q I Gq. destruct (FB (either_bounded a k h p count B0 m0 TA0 h X0)) as [_ FA]. rewrite Forall_forall in FA.
    intro RE. exact (no_vm_reaches a k p count B0 _ _ vm q (FA n I) Gq RE (proj1 V)). }
  destruct (R_hw _ _ R') as (mf & XF & TF). pose proof (R_wf _ _ R') as WZ. pose proof (add_adds content) as AD.
  set (z := snd (spec_page_add vm ipa pa count content a)) in *.
  assert (P0 : 0 < p /\ p + count <= 2 ^ 27 + 1).
  { pose proof (c_ram _ (wf_c _ W)). destruct (F7 0) as [R0 _]; [lia|]. destruct (F7 (count - 1)) as [R1 _]; [lia|]. unfold in_ram in *. lia. }
  match goal with |- exists content g' h' before after, ?m1 _ = _ /\ _ => match type of U with ?m2 _ = _ =>
    assert (RUN : runs (given p count) (Aset z) (vttbr h) (Mach gl1 (h1, l0 ++ before)) m1 m2) end end.
  { apply run_bind.
    { apply q_measuring. }
    intros [] w5 E5. change (drop (Mach gl1 (h1, l0 ++ before))) with (Mach gl1 h1) in E5.
    assert (Y5 : exists gl5 h5, drop w5 = Mach gl5 h5 /\ at1 vms_root gl5 vm = root (vm_at a vm) /\ world h (Aset k) (Aset k) m (now m) h5).
    { clear U. revert E5. match goal with |- ?l _ = _ -> _ => set (loops := l) end. intro E5.
      assert (K : wp loops (fun _ s => exists gl5 h5, s = Mach gl5 h5 /\ at1 vms_root gl5 vm = root (vm_at a vm) /\ world h (Aset k) (Aset k) m (now m) h5) (Mach gl1 h1)).
      { pose proof (Adding.kept_is a p count W C F7) as B. pose proof (hidden_wf B) as WK.
        pose proof (donated_linked a vm x p count W (conj V ST) C F7) as LD.
        assert (SD : same_records a d) by (eapply same_trans; [exact (h_records B)|exact (l_records LD)]).
        assert (BD : vm_state (vm_at d vm) = NIE_VM_BUILDING) by (destruct (same_root _ _ SD vm) as [_ ->]; exact BU).
        eapply (measure_loop h k d vm x p count m); [rewrite RAM; unfold ram_of; now rewrite (h_cfg B)| |exact V|exact BD|lia| |exact G1|exact X1|].
        - intros i I. apply (measured_wf a vm x p count W (conj V ST) C F7). apply I.
        - intros i I. destruct (kept_free a p count W C F7 (p + i)) as (K1 & K2 & _); [unfold given; lia|]. split; auto.
          apply (kept_untouched _ WK); auto. now rewrite K2.
        - intros gl3 h3 G3 _ X3. exists gl3, h3. split; [auto|]. split; [|exact X3].
          destruct (g_vm _ _ G3 vm V) as (_ & -> & _).
          destruct (same_root _ _ (measure_records count vm x (fun i w => m ((p + i) * 512 + w)) d ltac:(lia) ltac:(rewrite BD; discriminate)) vm) as [-> _].
          now destruct (same_root _ _ SD vm). }
      unfold wp in K. now rewrite E5 in K. }
    destruct Y5 as (gl5 & h5 & D5 & G5 & X5). apply run_bind; [apply q_ic|]. intros [] w6 E6.
    assert (Y6 : exists h6, drop w6 = Mach gl5 h6 /\ world h (Aset k) (Aset k) m (now m) h6).
    { rewrite D5 in E6. assert (K : wp ic_invalidate (fun _ s => exists h6, s = Mach gl5 h6 /\ world h (Aset k) (Aset k) m (now m) h6) (Mach gl5 h5)).
      { eapply wp_ic; [exact X5|]. eauto. }
      unfold wp in K. now rewrite E6 in K. }
    destruct Y6 as (h6 & D6 & X6). apply run_bind; [|intros; apply q_ret]. apply run_map. intros r t E7. rewrite D6 in E7.
    destruct (walks_to a h vm x p count W RAM (conj V ST) F4 C F7 gl5 h6 m LEVEL_PAGE r t ltac:(unfold LEVEL_PAGE; lia) G5 X6 T1 E7) as [ER N].
    pose proof (ad_word _ _ _ _ _ _ _ _ _ AD) as AW. change 3 with LEVEL_PAGE in AW. rewrite <- ER in AW. pose proof (walk_index a vm x LEVEL_PAGE F4) as WI. rewrite <- ER in WI.
    destruct r as [[[q e] w] l]. split; [exact N|]. intros i t1 u u' I EA.
    destruct (entry_word p w i DESC_NORMAL t1 u u' WI ltac:(lia) ltac:(lia) EA) as [-> ->]. now apply (AW mf TF). }
  destruct (goes _ _ _ _ _ _ _ _ _ RUN U) as ([gl8 [h8 l8]] & A8 & D8 & after & L8 & S8). cbn [C_store.hw fst snd] in *.
  destruct s' as [gl9 h9]. injection D8 as -> ->. subst l8. exists content, gl9, h9, before, after. split; [rewrite app_assoc; exact A8|]. split; [exact R'|].
  split; [exact U0|]. split; [exact RD|].
  destruct S8 as [B8 S8].
  assert (B2 : bounded (Aset z) (vttbr h) h1).
  { eapply linked_bounded; [exact (ad_linked _ _ _ _ _ _ _ _ _ AD)|exact (ad_was _ _ _ _ _ _ _ _ _ AD)|exact (ad_is _ _ _ _ _ _ _ _ _ AD)|exact X1]. }
  split; [|split; [exact (proj2 (FB (either_bounded a k h p count B0 m0 TA0 h X0)))|split; [exact (proj2 (B8 B2))|exact (proj1 (B8 B2))]]].
  intros i I. destruct (PC i I) as [P1 C1].
  destruct (ad_own _ _ _ _ _ _ _ _ _ AD (p + i)) as (RQ & y & OQ); [unfold given; lia|].
  eapply (shown a z h vm (p + i) y (content i) h1); eauto; [lia|apply (r_vttbr _ _ REGS)| | |].
  - intros w J. symmetry. now apply C1.
  - apply S8. unfold given. lia.
  - intros n J. apply (NB n); auto. unfold given. lia.
Qed.
End Measured.
