(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_ADD: the C does what spec/call/page_add.v says, for some content: what it read once the host had lost the pages
   (page_add_measure.v). That the pages still hold it when the VM first looks is not said here. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Measure Donation.
From nie.spec.call Require page_add.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding.
From nie.proof.invariant Require page_add_zero_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.stage2 nie.generated.state.checks nie.generated.state.pages nie.generated.state.measure nie.generated.call.page_add.
From nie.spec Require Import Core.
From nie.proof.refine Require page_add_zero_refines.
From nie.proof.refine Require Export page_add_measure.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Lemma slots_of_mapped : forall n v x e a b, 0 <= n -> slots a = slots b -> slots (each n (mapped v x e) a) = slots (each n (mapped v x e) b).
Proof.
  intros n v x e a b N E. pattern n. apply natlike_ind; auto.
  intros i I IH. replace (Z.succ i) with (i + 1) by lia. rewrite !each_next by auto. unfold Donation.mapped at 1 3. unfold set_slot. cbn. now rewrite IH.
Qed.

(* A step, and that it was this one. *)
Lemma wp_run : forall S X (m : M S X) (Q : X -> S -> Prop) s, wp m (fun x s' => m s = Some (x, s') -> Q x s') s -> wp m Q s.
Proof. unfold wp. intros S X m Q s H. destruct (m s) as [[x s']|]; auto. Qed.

(* What the pages hold when donate, which the call has just called, has taken them from the host: nobody else reaches them. *)
Definition read_there (s : mach globals Machine.hw) (vm ipa pa count : Z) (content : Z -> Z -> Z) : Prop := exists s0 s1,
  page_add_check vm ipa pa count s = Some (NIE_OK, s0) /\
  donate vm (State.page_of pa) count GRANULE_DATA vm 0 0 (State.page_of ipa) s0 = Some (tt, s1) /\
  forall i, 0 <= i < count -> private (State.page_of pa + i) (hw s1) /\
    forall w, is_word w = true -> content i w = Map.get (Machine.mem (hw s1)) ((State.page_of pa + i) * 512 + w).

(* For every state, every argument, whatever the others do ([during] and [inputs] of the machine). *)
Theorem page_add_refines : forall a s vm ipa pa count,
  R a s -> 0 <= vm < 2 ^ 64 -> 0 <= ipa < 2 ^ 64 -> 0 <= pa < 2 ^ 64 -> 0 <= count < 2 ^ 64 ->
  wp (call_page_add vm ipa pa count) (fun r s' => exists content,
    r = fst (spec_page_add vm ipa pa count content a) /\
    R (snd (spec_page_add vm ipa pa count content a)) s' /\
    only_built (glob s) (glob s') /\ frame_of (hw s) (hw s') /\ (r = NIE_OK -> read_there s vm ipa pa count content)) s.
Proof.
  intros a [gl h] vm ipa pa count HR HV HI HP HC. destruct HR as [W O G (m & X & TH) RAM ENG REGS CNT] eqn:EHR. clear EHR. cbn [glob hw] in *.
  unfold call_page_add. w_bind. apply wp_run. eapply page_add_check_wp; eauto. intros h1 X1. cbn beta. intro RC.
  unfold nie.spec.call.page_add.page_add. cbn zeta. destruct (spec_add_check a vm ipa pa count =? NIE_OK) eqn:E; cbn [negb].
  2:{ go. exists (fun _ _ => 0). cbn [fst snd]. split; auto.
      destruct (R_after a a (Mach gl h) (Mach gl h1) HR W O CNT G) as [R' F]; auto using same_refl.
      { exists m. auto. } split; auto. split; auto using built_refl. split; auto. intro K. rewrite K in E. discriminate. }
  apply Z.eqb_eq in E. pose proof E as E0. unfold nie.spec.call.page_add.page_add_check in E. cbn zeta in E.
  destruct (vm_exists vm) eqn:E1; [|discriminate].
  destruct (vm_is a vm NIE_VM_BUILDING NIE_VM_BUILDING) eqn:E2; [|discriminate].
  destruct (count <=? NIE_PAGE_ADD_MAX) eqn:E3; [|discriminate].
  destruct (Donation.check_placement a vm ipa pa count =? NIE_OK) eqn:E5; [|apply Z.eqb_neq in E5; congruence]. apply Z.eqb_eq in E5.
  pose proof (is_used _ _ _ _ E2 ltac:(discriminate) ltac:(discriminate)) as ST.
  assert (BU : vm_state (vm_at a vm) = NIE_VM_BUILDING) by (unfold vm_is in E2; lia).
  assert (V : 0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at a vm) <> NIE_VM_FREE) by (split; [unfold vm_exists in E1; lia|exact ST]).
  destruct (placement_ok a vm ipa pa count W ltac:(lia) ltac:(lia) E5) as (F1 & F2 & F3 & F4 & F5 & F6 & F7).
  remember (State.page_of ipa) as x eqn:Ex. remember (State.page_of pa) as p eqn:Ep.
  assert (C : 1 <= count /\ p mod 512 + count <= 512) by lia. assert (CX : 0 <= x /\ x mod 512 + count <= 512) by lia.
  assert (VB : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V; lia).
  assert (P0 : 0 < p /\ p + count <= 2 ^ 27 + 1).
  { pose proof (c_ram _ (wf_c _ W)). destruct (F7 0) as [R0 _]; [lia|]. destruct (F7 (count - 1)) as [R1 _]; [lia|]. unfold in_ram in *. lia. }
  unfold Donation.check_empty in E. change (LEVEL_PAGE - 1) with 2 in E. change LEVEL_PAGE with 3 in E.
  destruct (slot_at a vm 2 (x / 512)) as [| |t|t|t|t] eqn:T; try discriminate.
  assert (EM : forall y, x <= y < x + count -> slot_at a vm 3 y = Empty) by (intros y Y; eapply all_empty_ok; eauto; lia).
  rewrite (wrap32 vm) by lia. skip. w_known page_of_run. skip. w_known page_of_run.
  change (pa / 4096) with (State.page_of pa). change (ipa / 4096) with (State.page_of ipa). rewrite <- Ex, <- Ep.
  replace (wrap U8 vm) with vm by (unfold wrap; cbn [width]; lia). rewrite (wrap32 x) by lia.
  set (k := Adding.kept p count a). set (d := Donation.donate vm p count (fun i => Data vm (x + i)) a).
  pose proof (kept_is a p count W C F7) as B. fold k in B. pose proof (hidden_wf B) as WK.
  pose proof (donated_linked a vm x p count W V C F7) as LD. fold k d in LD.
  assert (SD : same_records a d) by (eapply same_trans; [exact (h_records B)|exact (l_records LD)]).
  assert (BD : vm_state (vm_at d vm) = NIE_VM_BUILDING) by (destruct (same_root _ _ SD vm) as [_ ->]; exact BU).
  w_bind. apply wp_run. eapply (donate_wp a vm p count GRANULE_DATA vm 0 x (fun i => Data vm (x + i))) with (b := k);
    [apply W|apply V|lia|intros i I; now apply F7|lia|auto|exact G|split; discriminate|exact RAM|exact ENG|exact B|exact TH|exact X1|].
  intros gl2 m2 h2 G2 O2 X2 T2 _. cbn beta. intro RD. w_bind.
  assert (GD : globals_hold d gl2) by (eapply globals_of; [exact G2| | | | | |]; reflexivity).
  eapply (measure_loop h k d vm x p count m2); [rewrite RAM; unfold ram_of; now rewrite (h_cfg B)| |apply V|exact BD|lia| |exact GD|exact X2|].
  { intros i I. apply (measured_wf a vm x p count W V C F7). apply I. }
  { intros i I. destruct (kept_free a p count W C F7 (p + i)) as (K1 & K2 & _); [unfold given; lia|]. split; auto.
    apply (kept_untouched _ WK); auto. fold k in K2. now rewrite K2. }
  intros gl3 h3 G3 O3 X3. cbn beta. w_bind. eapply wp_ic; [exact X3|]. intros h4 X4. cbn beta. w_bind.
  set (content := fun i w => m2 ((p + i) * 512 + w)) in *.
  set (dm := each count (spec_measure vm x content) d) in *.
  assert (ED : dm = d <| vms := vms dm |>) by (apply measure_but; lia).
  assert (SM : same_records d dm) by (apply measure_records; [lia|rewrite BD; discriminate]).
  set (z := each count (mapped vm x (fun i => ToPage (p + i))) dm).
  assert (EZ : z = dm <| slots := slots z |>) by (apply mapped_but; lia).
  assert (EB : page_add_zero_preserves.zero_pages a vm x p count = d <| slots := slots (page_add_zero_preserves.zero_pages a vm x p count) |>)
    by (apply mapped_but; lia).
  assert (SZ : same_records dm z) by (rewrite EZ; now apply same_of_eq).
  eapply (page_add_zero_refines.map_pages_wp a h vm x p count W O RAM ENG V F4 C CX F7 t gl3 m2 h4 z); eauto.
  - destruct (g_vm _ _ G3 vm) as (_ & -> & _); [apply V|]. destruct (same_root _ _ SM vm) as [-> _]. now destruct (same_root _ _ SD vm).
  - cbn zeta. split; [|split; [|split; [|split]]].
    + rewrite EZ, EB, ED. reflexivity.
    + rewrite EZ, EB, ED. reflexivity.
    + apply slots_of_mapped; [lia|]. rewrite ED. reflexivity.
    + rewrite EZ, EB, ED. reflexivity.
    + rewrite EB. eapply same_trans; [apply same_sym; apply same_of_eq with (a := d); reflexivity|]. eapply same_trans; [exact SM|exact SZ].
  - intros m5 h5 WZ OZ X5 T5. cbn beta. w_ret. exists content. cbn [fst snd]. fold d. fold dm. fold z. split; auto.
    assert (CZ : counted z).
    { refine (counted_adds a z vm p count (fun i => Data vm (x + i)) W CNT (proj1 V) ltac:(lia) F7 _ _ _ _); [intros i w' _; reflexivity| | |].
      - rewrite EZ, ED. destruct (donated_parts a p count W C F7 vm (fun i => Data vm (x + i)) ST) as (D1 & _). exact (eq_trans D1 (h_cfg B)).
      - intro q. rewrite EZ, ED. reflexivity.
      - intro v. transitivity (granules (vm_at dm v)); [now rewrite EZ|]. etransitivity; [unfold dm; apply measure_granules; lia|reflexivity]. }
    assert (GZ : globals_hold z gl3) by (rewrite EZ; eapply globals_of; [exact G3| | | | | |]; reflexivity).
    destruct (R_after a z (Mach gl h) (Mach gl3 h5) HR WZ OZ CZ GZ) as [R' F]; [exists m5; auto| |eapply same_trans; [exact SD|eapply same_trans; eauto]|].
    { rewrite EZ, ED. change (cfg d = cfg a). destruct (donated_parts a p count W C F7 vm (fun i => Data vm (x + i)) ST) as (D1 & _).
      exact (eq_trans D1 (h_cfg B)). }
    split; auto. split; [cbn [glob]; eapply built_trans; [apply built_granules; exact O2|exact O3]|]. split; [exact F|]. intros _.
    exists (Mach gl h1), (Mach gl2 h2). split; [exact (eq_trans RC (f_equal (fun st => Some (st, Mach gl h1)) E0))|]. rewrite <- Ep, <- Ex. split; [exact RD|].
    intros i I. destruct (kept_free a p count W C F7 (p + i)) as (K1 & K2 & _); [unfold given; lia|]. fold k in K1, K2.
    assert (NT : ~ touch (Aset k) (p + i)) by (apply (kept_untouched _ WK); auto; now rewrite K2).
    split; [exact (world_private _ _ _ _ _ _ _ X2 NT)|]. intros w IW. symmetry. exact (w_mem _ _ _ _ _ _ X2 (p + i) w IW NT).
Qed.
