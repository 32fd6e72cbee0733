(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_ADD_ZERO: the C does what spec/call/page_add_zero.v says, with the other CPUs acting before each of its
   primitives; the host has lost the pages before they are scrubbed, and they are scrubbed before the VM reaches them. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Measure Donation.
From nie.spec.call Require page_add_zero.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding.
From nie.proof.invariant Require page_add_zero_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.stage2 nie.generated.state.checks nie.generated.state.pages nie.generated.state.measure nie.generated.call.page_add_zero.
From nie.spec Require Import Core.
From nie.proof.refine Require Export Adds.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_zero_check := nie.spec.call.page_add_zero.page_add_zero_check.
Notation spec_page_add_zero := nie.spec.call.page_add_zero.page_add_zero.
Notation add_zero := nie.spec.call.page_add_zero.add_zero.

Section Check.
Variables (a : state) (h0 : Machine.hw) (gl : globals) (m : Z -> Z).
Hypothesis W : wf a.
Hypothesis G : globals_hold a gl.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis TH : tables_hold a m.
Notation A := (Aset a).

Lemma page_add_zero_check_wp : forall h vm ipa pa count level (Q : Z -> mach globals Machine.hw -> Prop),
  world h0 A A m (now m) h -> 0 <= vm < 2 ^ 64 -> 0 <= ipa < 2 ^ 64 -> 0 <= pa < 2 ^ 64 -> 0 <= count < 2 ^ 64 -> 0 <= level < 2 ^ 64 ->
  (forall h', world h0 A A m (now m) h' -> Q (spec_zero_check a vm ipa pa count level) (Mach gl h')) ->
  wp (page_add_zero_check vm ipa pa count level) Q (Mach gl h).
Proof.
  intros h vm ipa pa count level Q X V I P C L H. unfold page_add_zero_check. unfold nie.spec.call.page_add_zero.page_add_zero_check in H.
  skip. w_known check_vm_run; [eauto|lia|].
  destruct (vm_exists vm) eqn:E1; [|unfold NIE_OK, NIE_E_VM in *; cbn; go; auto].
  destruct (vm_is a vm NIE_VM_BUILDING NIE_VM_ACTIVE) eqn:E2; [|unfold NIE_OK, NIE_E_VM_STATE in *; cbn; go; auto].
  change (negb (NIE_OK =? NIE_OK)) with false. cbn iota.
  pose proof (is_used _ _ _ _ E2 ltac:(discriminate) ltac:(discriminate)) as ST.
  assert (V' : 0 <= vm < NIE_MAX_VMS) by (unfold vm_exists in E1; lia). assert (VB : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V'; lia).
  rewrite (wrap32 vm) by lia.
  destruct (level =? LEVEL_BLOCK) eqn:L2; destruct (level =? LEVEL_PAGE) eqn:L3; cbn [orb negb andb] in *; try (go; now apply H);
    [unfold LEVEL_BLOCK, LEVEL_PAGE in *; lia| |].
  - destruct (count =? ENTRIES) eqn:EN; cbn [negb andb] in *; [|go; now apply H].
    destruct (window_small a vm W V' ST) as [B1 B2].
    skip. w_known check_placement_run; [apply W|exact G|auto|auto|auto|auto|auto|auto|].
    destruct (Donation.check_placement a vm ipa pa count =? NIE_OK) eqn:PL; cbn [negb]; [|go; now apply H].
    apply Z.eqb_eq in PL. destruct (placement_ok a vm ipa pa count W) as (F1 & F2 & F3 & F4 & F5 & F6 & F7); auto; try lia.
    assert (level = 2) by (unfold LEVEL_BLOCK in L2; lia). subst level. rewrite (wrap32 2) by lia.
    skip. w_known page_of_run. destruct (g_vm _ _ G vm V') as (_ & RT & _).
    skip. eapply check_empty_wp; eauto; cbn [Z.eqb Pos.eqb]; try lia.
  - destruct (window_small a vm W V' ST) as [B1 B2].
    skip. w_known check_placement_run; [apply W|exact G|auto|auto|auto|auto|auto|auto|].
    destruct (Donation.check_placement a vm ipa pa count =? NIE_OK) eqn:PL; cbn [negb]; [|go; now apply H].
    apply Z.eqb_eq in PL. destruct (placement_ok a vm ipa pa count W) as (F1 & F2 & F3 & F4 & F5 & F6 & F7); auto; try lia.
    assert (level = 3) by (unfold LEVEL_PAGE in L3; lia). subst level. rewrite (wrap32 3) by lia.
    skip. w_known page_of_run. destruct (g_vm _ _ G vm V') as (_ & RT & _).
    skip. eapply check_empty_wp; eauto; cbn [Z.eqb Pos.eqb]; try lia.
Qed.
End Check.

Notation zero_pages := page_add_zero_preserves.zero_pages.
Notation zero_block := page_add_zero_preserves.zero_block.

Section Map.
Variables (a : state) (h0 : Machine.hw) (vm x p count : Z) (w : list Z).
Hypothesis W : wf a.
Hypothesis O : onto a.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis ENG : engine h0 = engine_of a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at a vm) <> NIE_VM_FREE.
Hypothesis X : 0 <= x < 2 ^ 27.
Hypothesis C : 1 <= count /\ p mod 512 + count <= 512.
Hypothesis CX : 0 <= x /\ x mod 512 + count <= 512.
Hypothesis HO : forall i, 0 <= i < count -> in_ram a (p + i) = true /\ own a (p + i) = Host.

Notation k := (Adding.kept p count a).
Notation o := (fun i => Data vm (x + i)).
Notation d := (Donation.donate vm p count o a).
Let B : hidden a p count k := Adding.kept_is a p count W C HO.

(* [z]: the map with the pages, whatever the build log says. *)
Lemma map_pages_wp : forall t gl m h z (Q : unit -> mach globals Machine.hw -> Prop),
  slot_at a vm 2 (x / 512) = ToTable t -> (forall y, x <= y < x + count -> slot_at a vm 3 y = Empty) ->
  at1 vms_root gl vm = root (vm_at a vm) -> world h0 (Aset k) (Aset k) m (now m) h -> tables_hold k m ->
  (let b := zero_pages a vm x p count in cfg z = cfg b /\ owners z = owners b /\ slots z = slots b /\ modes z = modes b /\ same_records b z) ->
  (forall m' h', wf z -> onto z -> world h0 (Aset z) (Aset z) m' (now m') h' -> tables_hold z m' -> Q tt (Mach gl h')) ->
  wp (pages_map vm x p count DESC_NORMAL) Q (Mach gl h).
Proof.
  intros t gl m h z Q T EM G X0 TK (Z1 & Z2 & Z3 & Z4 & Z5) H.
  destruct (page_add_zero_preserves.zero_pages_facts a vm x p count W V C CX HO t T EM) as [L0 ON0].
  pose proof (linked_records _ _ _ _ _ _ L0 Z1 Z2 Z3 Z4 Z5) as L.
  pose proof (hidden_onto B O) as OK.
  assert (OZ : onto z) by (apply (onto_records _ _ (ON0 OK) Z1 Z2 Z3 Z5)).
  assert (PD : forall q, given p count q -> exists v y, own z q = Data v y).
  { intros q Gq. exists vm, (x + (q - p)). unfold own. rewrite Z2, (page_add_zero_preserves.zero_pages_but a vm x p count C HO EM).
    change (own (hand_over vm p count o a) q = Data vm (x + (q - p))). rewrite hand_over_at by lia. unfold given in Gq.
    replace ((p <=? q) && (q <? p + count)) with true by lia. reflexivity. }
  assert (P0 : 0 < p /\ p + count <= 2 ^ 27 + 1).
  { pose proof (c_ram _ (wf_c _ W)). destruct (HO 0) as [R0 _]; [lia|]. destruct (HO (count - 1)) as [R1 _]; [lia|]. unfold in_ram in *. lia. }
  eapply (pages_map_wp k z h0 gl (page_entries vm x count) vm x p count t DESC_NORMAL L); eauto.
  - rewrite RAM. unfold ram_of. now rewrite (h_cfg B).
  - rewrite ENG. unfold engine_of. now rewrite (h_cfg B).
  - apply V.
  - rewrite G. now destruct (h_root B vm) as [-> _].
  - lia.
  - rewrite (Adding.kept_slots a p count W C HO). exact T.
  - lia.
  - unfold page_entries. tauto.
  - intros y Y. rewrite (Adding.kept_slots a p count W C HO). auto.
  - intros i I. unfold slot_at. rewrite Z3. fold (slot_at (zero_pages a vm x p count) vm 3 (x + i)).
    rewrite (page_add_zero_preserves.zero_pages_slot a vm x p count C HO EM) by auto.
    rewrite <- Z.lor_assoc. change (Z.lor DESC_NORMAL DESC_PAGE) with 2047. norm. apply lor_page; lia.
  - intros q v l y Gq E. destruct (PD q Gq) as (v' & y' & F). congruence.
  - intros q v y Gq E. destruct (PD q Gq) as (v' & y' & F). congruence.
  - destruct (h_root B vm) as [_ ->]. apply V.
  - intros h' m' X' T'. apply (H m' h'); auto. exact (linked_wf L).
Qed.

Lemma map_block_wp : forall t gl m h (Q : unit -> mach globals Machine.hw -> Prop),
  count = 512 /\ p mod 512 = 0 /\ x mod 512 = 0 ->
  slot_at a vm 1 (x / 512 / 512) = ToTable t -> slot_at a vm 2 (x / 512) = Empty ->
  globals_hold d gl -> world h0 (Aset k) (Aset k) m (now m) h -> tables_hold k m ->
  let z := Donation.measured_if_building vm w (zero_block a vm x p count) in
  (forall m' h', wf z -> onto z -> world h0 (Aset z) (Aset z) m' (now m') h' -> tables_hold z m' -> Q tt (Mach gl h')) ->
  wp ('(w_table, w_desc, w_index, w_level) <- s2_walk vm x LEVEL_BLOCK ;;
      s2_write w_table w_desc w_index w_level (Z.lor (Z.lor (p * 4096) DESC_NORMAL) DESC_BLOCK) ;;;
      ret tt) Q (Mach gl h).
Proof.
  intros t gl m h Q BL T EM G X0 TK z H.
  destruct (page_add_zero_preserves.zero_block_facts a vm x p count W V C CX HO BL t T EM) as [L0 ON0].
  assert (VZ : vm_state (vm_at (zero_block a vm x p count) vm) <> NIE_VM_FREE).
  { destruct (same_root _ _ (l_records L0) vm) as [_ ->]. destruct (h_root B vm) as [_ ->]. apply V. }
  destruct (measured_parts vm w _ VZ) as (Z1 & Z2 & Z3 & Z4 & Z5). fold z in Z1, Z2, Z3, Z4, Z5.
  pose proof (linked_records _ _ _ _ _ _ L0 Z1 Z2 Z3 Z4 Z5) as L.
  pose proof (hidden_onto B O) as OK. pose proof (hidden_wf B) as WK.
  assert (OZ : onto z) by (apply (onto_records _ _ (ON0 OK) Z1 Z2 Z3 Z5)).
  assert (PD : forall q, given p count q -> exists v y, own z q = Data v y).
  { intros q Gq. exists vm, (x + (q - p)). unfold own. rewrite Z2. unfold given in Gq.
    change (own (hand_over vm p count o a) q = Data vm (x + (q - p))). rewrite hand_over_at by lia.
    now replace ((p <=? q) && (q <? p + count)) with true by lia. }
  assert (P0 : 0 < p /\ p + count <= 2 ^ 27 + 1).
  { pose proof (c_ram _ (wf_c _ W)). destruct (HO 0) as [R0 _]; [lia|]. destruct (HO (count - 1)) as [R1 _]; [lia|]. unfold in_ram in *. lia. }
  assert (RAM' : ram h0 = ram_of k) by (rewrite RAM; unfold ram_of; now rewrite (h_cfg B)).
  pose proof (Adding.kept_slots a p count W C HO) as KS.
  assert (TK1 : slot_at k vm 1 (x / 512 / 512) = ToTable t) by (rewrite KS; exact T).
  destruct (wf_tab _ WK _ _ _ _ TK1) as (_ & RT & OT). change (1 + 1) with 2 in OT.
  w_bind. eapply (s2_walk_wp h0 k); eauto.
  { intros q v l y R E. apply (kept_untouched _ WK); auto. now rewrite E. }
  { apply V. } { destruct (h_root B vm) as [_ ->]. apply V. }
  { destruct (g_vm _ _ G vm) as (_ & -> & _); [apply V|]. destruct (Adding.donated_parts a p count W C HO vm o (proj2 V)) as (_ & _ & S & _).
    now destruct (same_root _ _ S vm). }
  { unfold LEVEL_BLOCK. lia. }
  intros h1 X1. cbn beta. unfold walk_end, LEVEL_BLOCK. change (2 =? 1) with false. change (2 =? 2) with true. cbn iota.
  replace (x / 512 / 512) with (x / 262144) in * by lia. rewrite TK1.
  w_bind. unfold s2_write.
  eapply (one_wp k z h0 gl vm 2 (x / 512) p count t L RAM'); eauto.
  - rewrite ENG. unfold engine_of. now rewrite (h_cfg B).
  - replace (x / 512 / 512) with (x / 262144) by lia. exact OT.
  - intros q R E. replace (x / 512 / 512) with (x / 262144) in E by lia. destruct (on_table _ OK _ _ _ _ R E) as [(? & _)|F]; [lia|].
    change (2 - 1) with 1 in F. congruence.
  - rewrite KS. exact EM.
  - intros q Gq E. destruct (PD q Gq) as (v' & y' & F). congruence.
  - intros q v y Gq E. destruct (PD q Gq) as (v' & y' & F). congruence.
  - intros q i v l y I Gq E. destruct (PD q Gq) as (v' & y' & F). congruence.
  - unfold slot_at. rewrite Z3. fold (slot_at (zero_block a vm x p count) vm 2 (x / 512)).
    unfold page_add_zero_preserves.zero_block. rewrite slot_set, !Z.eqb_refl. cbn [andb].
    rewrite <- Z.lor_assoc. change (Z.lor DESC_NORMAL DESC_BLOCK) with 2045. norm. apply lor_page; lia.
  - intros h' m' X' T'. go. apply (H m' h'); auto. exact (linked_wf L).
Qed.
End Map.

Lemma add_zero_records : forall a vm x p count level, 0 <= count -> vm_state (vm_at a vm) <> NIE_VM_FREE ->
  cfg (add_zero vm x p count level a) = cfg a /\ same_records a (add_zero vm x p count level a) /\
  forall gl, globals_hold (Donation.donate vm p count (fun i => Data vm (x + i)) a) gl -> globals_hold (add_zero vm x p count level a) gl.
Proof.
  intros a vm x p count level C F. set (d := Donation.donate vm p count (fun i => Data vm (x + i)) a).
  destruct (hand_over_rest a vm p count (fun i => Data vm (x + i)) C) as (E1 & _ & _).
  assert (S : same_records a d).
  { eapply same_trans; [apply (hand_over_records a vm p count (fun i => Data vm (x + i)) C F)|]. now apply same_of_eq. }
  unfold nie.spec.call.page_add_zero.add_zero. cbn zeta. fold d. destruct (level =? LEVEL_PAGE).
  - rewrite mapped_but by exact C. split; [exact E1|]. split; [eapply same_trans; [exact S|now apply same_of_eq]|].
    intros gl G. eapply globals_of; [exact G| | | | | |]; reflexivity.
  - split; [exact E1|]. split; [eapply same_trans; [exact S|now apply same_of_eq]|].
    intros gl G. eapply globals_of; [exact G| | | | | |]; reflexivity.
Qed.

(* For every state, every argument, whatever the others do ([during] and [inputs] of the machine). *)
Theorem page_add_zero_refines : forall a s vm ipa pa count level,
  R a s -> 0 <= vm < 2 ^ 64 -> 0 <= ipa < 2 ^ 64 -> 0 <= pa < 2 ^ 64 -> 0 <= count < 2 ^ 64 -> 0 <= level < 2 ^ 64 ->
  wp (call_page_add_zero vm ipa pa count level) (fun r s' =>
    r = fst (spec_page_add_zero vm ipa pa count level a) /\
    R (snd (spec_page_add_zero vm ipa pa count level a)) s' /\
    only_built (glob s) (glob s') /\ frame_of (hw s) (hw s')) s.
Proof.
  intros a [gl h] vm ipa pa count level HR HV HI HP HC HL. destruct HR as [W O G (m & X & TH) RAM ENG REGS CNT] eqn:EHR. clear EHR. cbn [glob hw] in *.
  unfold call_page_add_zero. w_bind. eapply page_add_zero_check_wp; eauto. intros h1 X1. cbn beta.
  unfold nie.spec.call.page_add_zero.page_add_zero. cbn zeta. destruct (spec_zero_check a vm ipa pa count level =? NIE_OK) eqn:E; cbn [negb].
  2:{ go. cbn [fst snd]. split; auto.
      destruct (R_after a a (Mach gl h) (Mach gl h1) HR W O CNT G) as [R' F]; auto using same_refl.
      { exists m. auto. } split; auto. split; auto using built_refl. }
  apply Z.eqb_eq in E. unfold nie.spec.call.page_add_zero.page_add_zero_check in E.
  destruct (vm_exists vm) eqn:E1; [|discriminate].
  destruct (vm_is a vm NIE_VM_BUILDING NIE_VM_ACTIVE) eqn:E2; [|discriminate].
  destruct ((level =? LEVEL_BLOCK) || (level =? LEVEL_PAGE))%bool eqn:E3; [|discriminate].
  destruct (negb (level =? LEVEL_BLOCK) || (count =? ENTRIES))%bool eqn:E4; [|discriminate].
  destruct (Donation.check_placement a vm ipa pa count =? NIE_OK) eqn:E5; [|apply Z.eqb_neq in E5; congruence].
  apply Z.eqb_eq in E5. cbn zeta in E.
  pose proof (is_used _ _ _ _ E2 ltac:(discriminate) ltac:(discriminate)) as ST.
  assert (V : 0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at a vm) <> NIE_VM_FREE) by (split; [unfold vm_exists in E1; lia|exact ST]).
  destruct (placement_ok a vm ipa pa count W ltac:(lia) ltac:(lia) E5) as (F1 & F2 & F3 & F4 & F5 & F6 & F7).
  remember (State.page_of ipa) as x eqn:Ex. remember (State.page_of pa) as p eqn:Ep.
  assert (C : 1 <= count /\ p mod 512 + count <= 512) by lia. assert (CX : 0 <= x /\ x mod 512 + count <= 512) by lia.
  assert (VB : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V; lia).
  rewrite (wrap32 vm) by lia. skip. w_known page_of_run. skip. w_known page_of_run.
  change (pa / 4096) with (State.page_of pa). change (ipa / 4096) with (State.page_of ipa). rewrite <- Ex, <- Ep.
  replace (wrap U8 vm) with vm by (unfold wrap; cbn [width]; lia). rewrite (wrap32 x) by lia.
  eapply (donated_wp a h m W RAM ENG TH vm p count (proj1 V) C F7 (fun i => Data vm (x + i)) GRANULE_DATA vm 0 x); [lia|auto|split; discriminate|exact G|exact X1|].
  intros gl2 m2 h1' G2 O2 X1' T2 _. w_bind. eapply wp_ic; [exact X1'|]. intros h2 X2. cbn beta.
  set (w := Measure.record MEASURE_ZERO ipa count 0). set (z := Donation.measured_if_building vm w (add_zero vm x p count level a)).
  destruct (add_zero_records a vm x p count level ltac:(lia) ST) as (A1 & A2 & A3).
  assert (NF : vm_state (vm_at (add_zero vm x p count level a) vm) <> NIE_VM_FREE) by (destruct (same_root _ _ A2 vm) as [_ ->]; exact ST).
  destruct (measured_parts vm w _ NF) as (Z1 & Z2 & _ & _ & Z5). fold z in Z1, Z2, Z5.
  (* What is left: the count in the log, whichever way the pages were mapped. *)
  assert (FIN : forall m3 h3, wf (add_zero vm x p count level a) -> wf z -> onto z -> world h (Aset z) (Aset z) m3 (now m3) h3 -> tables_hold z m3 ->
    wp (t1 <- load vms_state [vm] ;;
      (if t1 =? NIE_VM_BUILDING then measure_record vm MEASURE_ZERO ipa count 0 ;;; ret tt else ret tt) ;;; ret NIE_OK)
      (fun r s' => r = NIE_OK /\ R z s' /\ only_built gl (glob s') /\ frame_of h (hw s')) (Mach gl2 h3)).
  { intros m3 h3 WZ0 WZ OZ X3 T3.
    assert (CZ : counted z).
    { refine (counted_adds a z vm p count (fun i => Data vm (x + i)) W CNT (proj1 V) ltac:(lia) F7 _ (eq_trans Z1 A1) _ _); [intros i w' _; reflexivity| |].
      - intro q. unfold own. rewrite Z2. unfold nie.spec.call.page_add_zero.add_zero. cbn zeta. rewrite mapped_but by lia. now destruct (level =? LEVEL_PAGE).
      - intro v. unfold z. rewrite measured_granules. unfold nie.spec.call.page_add_zero.add_zero. cbn zeta. rewrite mapped_but by lia. now destruct (level =? LEVEL_PAGE). }
    eapply finish_wp; [exact WZ0|apply V|apply A3; exact G2|]. intros gl3 G3 O3. split; auto.
    destruct (R_after a z (Mach gl h) (Mach gl3 h3) HR WZ OZ CZ G3) as [R' F]; [exists m3; auto|congruence|eapply same_trans; eauto|].
    split; auto. split; auto. cbn [glob]. eapply built_trans; [apply built_granules; exact O2|exact O3]. }
  w_bind. cbn [fst snd]. fold w. fold z. destruct (level =? LEVEL_PAGE) eqn:LP.
  - assert (E' : Donation.check_empty a vm 3 x count = NIE_OK) by exact E. unfold Donation.check_empty in E'. change (3 - 1) with 2 in E'.
    destruct (slot_at a vm 2 (x / 512)) as [| |t|t|t|t] eqn:T; try discriminate.
    assert (EM : forall y, x <= y < x + count -> slot_at a vm 3 y = Empty) by (intros y Y; eapply all_empty_ok; eauto; lia).
    assert (EZ : z = Donation.measured_if_building vm w (zero_pages a vm x p count)).
    { unfold z, nie.spec.call.page_add_zero.add_zero. now rewrite LP. }
    assert (EA : add_zero vm x p count level a = zero_pages a vm x p count) by (unfold nie.spec.call.page_add_zero.add_zero; now rewrite LP).
    w_bind. eapply (map_pages_wp a h vm x p count W O RAM ENG V F4 C CX F7 t gl2 m2 h2 z); eauto.
    { destruct (g_vm _ _ G2 vm) as (_ & -> & _); [apply V|]. destruct (hand_over_rest a vm p count (fun i => Data vm (x + i))) as (_ & _ & _); [lia|].
      now destruct (same_root _ _ (hand_over_records a vm p count (fun i => Data vm (x + i)) ltac:(lia) ST) vm). }
    { rewrite <- EA. apply (measured_parts vm w _ NF). }
    intros m3 h3 WZ OZ X3 T3. w_ret. eapply FIN; eauto. rewrite EA.
    eapply linked_wf. eapply (page_add_zero_preserves.zero_pages_facts a vm x p count W V C CX F7 t T EM).
  - assert (LB : level = 2) by (clear - E3; unfold LEVEL_BLOCK in E3; lia). subst level.
    assert (CN : count = 512 /\ p mod 512 = 0 /\ x mod 512 = 0) by (clear - E4 F5 F6 C CX; unfold LEVEL_BLOCK, ENTRIES in E4; lia).
    assert (E' : Donation.check_empty a vm 2 (x / 512) 1 = NIE_OK) by exact E. unfold Donation.check_empty in E'. change (2 - 1) with 1 in E'.
    destruct (slot_at a vm 1 (x / 512 / 512)) as [| |t|t|t|t] eqn:T; try discriminate.
    assert (EM : slot_at a vm 2 (x / 512) = Empty) by (apply (all_empty_ok _ _ _ _ _ E'); lia).
    rewrite F2. eapply (map_block_wp a h vm x p count w W O RAM ENG V F4 C CX F7 t gl2 m2 h2); eauto.
    intros m3 h3 WZ OZ X3 T3. eapply FIN; eauto.
    eapply linked_wf. eapply (page_add_zero_preserves.zero_block_facts a vm x p count W V C CX F7 CN t T EM).
Qed.
