(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_CREATE's parts: its checks, the counter, the words of a VM that begins, and the donation of its root while no well-formed state
   stands for the core's objects. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Measure Donation.
From nie.spec.call Require vm_create.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.checks nie.generated.call.vm_create.
From nie.spec Require Import Core.
From nie.proof.refine Require Import sha256_refines measure_refines.
From nie.proof.refine Require Export Adds vm_destroy_clear.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_vm_create := nie.spec.call.vm_create.vm_create.
Notation spec_vm_create_check := nie.spec.call.vm_create.vm_create_check.
Notation spec_window_ok := nie.spec.call.vm_create.window_ok.

(** The counter: the next input, whatever the others do before. *)

Lemma act_taken : forall x h, taken (act_step x h) = taken h.
Proof.
  intros x h. destruct x; cbn [act_step]; auto.
  - destruct (nth_error (tlb h) n); auto. now destruct (is_table _ _ && _ && _ && _).
  - destruct (nth_error (tlb h) n); auto. now destruct (is_leaf _ _ && _ && _ && _ && _ && _).
  - now destruct ((0 <=? c) && _ && _ && _).
Qed.
Lemma others_taken : forall h, taken (others h) = taken h.
Proof.
  intro h. unfold others. destruct (during h) as [|l rest]; [reflexivity|].
  assert (G : forall l h, taken (fold_left (fun h x => met (act_step x h)) l h) = taken h).
  { clear. induction l as [|x l IH]; intro h; cbn [fold_left]; auto. rewrite IH. exact (act_taken x h). }
  rewrite G. reflexivity.
Qed.
Lemma counter_wp : forall h0 A B m V h gl (Q : Z -> mach globals Machine.hw -> Prop), world h0 A B m V h ->
  (forall h', world h0 A B m V h' -> Q (inputs h0 (taken h)) (Mach gl h')) -> wp counter_read Q (Mach gl h).
Proof.
  intros h0 A B m V h gl Q W H. apply (world_others h0) in W. unfold counter_read. apply wp_hw. cbn. unfold Machine.input, wp.
  rewrite others_taken, (f_inputs _ _ (w_frame _ _ _ _ _ _ W)). apply H. destruct W. constructor; auto. destruct w_frame; constructor; auto.
Qed.

(** The checks. *)

Lemma window_run : forall base pages gl (h : Machine.hw), 0 <= base < 2 ^ 64 -> 0 <= pages < 2 ^ 64 ->
  window_ok base pages (Mach gl h) = Some (b2z (spec_window_ok base pages), Mach gl h).
Proof.
  intros base pages gl h B P. apply known_of_wp. unfold window_ok, nie.spec.call.vm_create.window_ok, State.aligned, State.page_of.
  change nie.spec.call.vm_create.half with 67108864. change (wrap U64 (Z.shiftl 1 26)) with 67108864.
  skip. w_known aligned_run. destruct (base mod 4096 =? 0); cbn [b2z andb]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn [negb].
  2:{ skip. cbn [andb]. skip. auto. }
  skip. w_known page_of_run. skip. destruct (Z.leb_spec 1 (base / 4096)) as [L|L]; cbn [andb].
  2:{ skip. cbn [andb]. skip. auto. }
  skip. w_known page_of_run. skip. destruct (Z.ltb_spec (base / 4096) 67108864) as [L2|L2]; cbn [andb].
  2:{ skip. auto. }
  destruct (1 <=? pages); cbn [andb].
  2:{ skip. auto. }
  skip. w_known page_of_run. skip. rewrite wrap64 by lia. auto.
Qed.

Lemma vm_create_check_run : forall a gl (h : Machine.hw) vm root base pages count, wf a -> globals_hold a gl -> 0 <= vm < 2 ^ 64 -> 0 <= root < 2 ^ 64 ->
  0 <= base < 2 ^ 64 -> 0 <= pages < 2 ^ 64 ->
  vm_create_check vm root base pages count (Mach gl h) = Some (spec_vm_create_check a vm root base pages count, Mach gl h).
Proof.
  intros a gl h vm root base pages count W G HV HR HB HP. apply known_of_wp. unfold vm_create_check, nie.spec.call.vm_create.vm_create_check.
  skip. w_known check_vm_run; [exact G|lia|].
  destruct (vm_exists vm); [|change (NIE_E_VM =? NIE_OK) with false; cbn [negb]; skip; auto].
  destruct (vm_is a vm NIE_VM_FREE NIE_VM_FREE); [|change (NIE_E_VM_STATE =? NIE_OK) with false; cbn [negb]; skip; auto].
  change (NIE_OK =? NIE_OK) with true. cbn [negb].
  skip. w_known window_run; auto.
  destruct (spec_window_ok base pages); cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota; [|skip; auto].
  destruct (Z.ltb_spec count 1) as [L|L]; cbn [orb]; [replace (1 <=? count) with false by lia; cbn [andb]; skip; auto|].
  replace (1 <=? count) with true by lia. cbn [andb].
  destruct (Z.ltb_spec NIE_MAX_VCPUS count) as [L2|L2]; [replace (count <=? NIE_MAX_VCPUS) with false by lia; skip; auto|].
  replace (count <=? NIE_MAX_VCPUS) with true by lia.
  skip. w_known check_donation_run; [apply W|exact G|exact HR|lia|]. skip. auto.
Qed.

(** The words of the VM, but for its hash. *)

Definition begun (vm p base pages now count : Z) (gl : globals) : globals :=
  put1 vms_state vm NIE_VM_BUILDING (put1 vms_vcpus vm count (put1 vms_cntvoff vm now (put1 vms_ram_pages vm pages
    (put1 vms_ram_base vm base (put1 vms_root vm p gl))))).
Definition record_of (a : state) (vm p base pages now count : Z) : State.vm :=
  vm_at a vm <| State.root := p |> <| ram_base := base |> <| ram_pages := pages |> <| cntvoff := now |> <| vcpu_count := count |>
    <| vm_state := NIE_VM_BUILDING |>.
Definition of_begun (g : gvar) : bool :=
  match g with vms_root | vms_ram_base | vms_ram_pages | vms_cntvoff | vms_vcpus | vms_state => true | _ => false end.

Lemma begun_field : forall vm p base pages now count gl g, of_begun g = false -> field g (begun vm p base pages now count gl) = field g gl.
Proof. intros. unfold begun. rewrite !field_put by (intros ->; discriminate). reflexivity. Qed.
Lemma begun_other : forall vm p base pages now count gl g v, of_begun g = true -> v <> vm -> at1 g (begun vm p base pages now count gl) v = at1 g gl v.
Proof.
  intros vm p base pages now count gl g v B N. unfold begun. rewrite !at_put by reflexivity. replace (v =? vm) with false by lia.
  destruct g; try discriminate B; reflexivity.
Qed.

Lemma begun_words : forall vm p base pages now count gl, let gl' := begun vm p base pages now count gl in
  at1 vms_state gl' vm = NIE_VM_BUILDING /\ at1 vms_root gl' vm = p /\ at1 vms_ram_base gl' vm = base /\ at1 vms_ram_pages gl' vm = pages /\
  at1 vms_cntvoff gl' vm = now /\ at1 vms_vcpus gl' vm = count.
Proof. intros. unfold gl', begun. rewrite !at_put by reflexivity. cbn. rewrite Z.eqb_refl. auto 10. Qed.

(* With the hash that measuring starts from. *)
Lemma begun_globals : forall a gl vm p base pages now count hm, globals_hold a gl -> vm_at a vm = no_vm -> 0 <= vm < NIE_MAX_VMS ->
  (forall i, i / 8 <> vm -> Map.get hm i = at1 vms_hash gl i) ->
  hash_of (set_field vms_hash hm gl) vm = Sha256.blocks_hash 0 Sha256.H0 [] ->
  globals_hold (set_vm vm (record_of a vm p base pages now count) a) (set_field vms_hash hm (begun vm p base pages now count gl)).
Proof.
  intros a gl vm p base pages now count hm G E V H1 H2. set (r := record_of a vm p base pages now count).
  assert (VM : forall v, vm_at (set_vm vm r a) v = if v =? vm then r else vm_at a v) by (intro v; exact (Map.get_set _ (vms a) vm r v)).
  assert (SF : forall g, of_begun g = false -> g <> vms_hash ->
    field g (set_field vms_hash hm (begun vm p base pages now count gl)) = field g gl).
  { intros g B N. rewrite field_set_other by exact N. now apply begun_field. }
  assert (FB : forall g v, of_begun g = true -> v <> vm -> at1 g (set_field vms_hash hm (begun vm p base pages now count gl)) v = at1 g gl v).
  { intros g v B N. transitivity (at1 g (begun vm p base pages now count gl) v); [|now apply begun_other]. unfold at1.
    rewrite field_set_other; auto. intros ->. discriminate B. }
  assert (T : forall g v, g <> vms_hash -> at1 g (set_field vms_hash hm (begun vm p base pages now count gl)) v = at1 g (begun vm p base pages now count gl) v).
  { intros g v N. unfold at1. now rewrite field_set_other. }
  destruct (begun_words vm p base pages now count gl) as (T1 & T2 & T3 & T4 & T5 & T6).
  rewrite <- (T vms_state) in T1 by discriminate. rewrite <- (T vms_root) in T2 by discriminate. rewrite <- (T vms_ram_base) in T3 by discriminate.
  rewrite <- (T vms_ram_pages) in T4 by discriminate. rewrite <- (T vms_cntvoff) in T5 by discriminate. rewrite <- (T vms_vcpus) in T6 by discriminate. clear T.
  assert (HW : forall i, at1 vms_hash (set_field vms_hash hm (begun vm p base pages now count gl)) i = Map.get hm i).
  { intro i. unfold at1. now rewrite field_set_same. }
  assert (H0 : hash_of (set_field vms_hash hm (begun vm p base pages now count gl)) vm = Sha256.blocks_hash 0 Sha256.H0 []).
  { rewrite <- H2. unfold hash_of, hash_word. rewrite !HW. unfold at1. now rewrite field_set_same. }
  revert SF FB T1 T2 T3 T4 T5 T6 HW H0. generalize (set_field vms_hash hm (begun vm p base pages now count gl)).
  intros gl2 SF FB T1 T2 T3 T4 T5 T6 HW H0.
  assert (FA : forall g i, of_begun g = false -> g <> vms_hash -> at1 g gl2 i = at1 g gl i) by (intros g i B N; unfold at1; now rewrite SF).
  assert (HH : forall v, v <> vm -> hash_of gl2 v = hash_of gl v).
  { intros v N. unfold hash_of, hash_word. rewrite !HW, !H1 by lia. reflexivity. }
  constructor; try (rewrite FA by (reflexivity || discriminate); apply G).
  - intros q R. cbn zeta. rewrite !FA by (reflexivity || discriminate). exact (g_own _ _ G q R).
  - intros v I. rewrite VM, (FA vms_granules) by (reflexivity || discriminate). destruct (g_vm _ _ G v I) as (S1 & S2 & S3 & S4 & S5).
    destruct (Z.eqb_spec v vm) as [->|N]; [|rewrite !FB by auto; auto]. rewrite T1, T2, T3, T4, S5. unfold r, record_of. rewrite E. auto.
  - intros v I. rewrite VM. destruct (g_vms _ _ G v I) as [K1 K2 K3 K4 K5 (n & K6 & K7)]. destruct (Z.eqb_spec v vm) as [->|N].
    + constructor; rewrite ?(FA vms_running), ?(FA vms_created), ?(FA vms_hashed) by (reflexivity || discriminate).
      * exact T5.
      * exact T6.
      * exact K3.
      * exact K4.
      * rewrite H0. unfold r, record_of. rewrite E. reflexivity.
      * exists 0%nat. unfold r, record_of. rewrite E in *. split; [reflexivity|]. cbn in K6. replace n with 0%nat in K7 by lia. exact K7.
    + constructor; rewrite ?(FA vms_running), ?(FA vms_created), ?(FA vms_hashed) by (reflexivity || discriminate);
        rewrite ?(FB vms_cntvoff), ?(FB vms_vcpus) by auto; auto.
      * now rewrite HH.
      * exists n. auto.
  - intros v i I J. eapply vcpu_same; [|exact (g_vcpus _ _ G v i I J)]. intros g D. apply SF; destruct g; try discriminate; auto.
  - intros c I. eapply cpu_same; [|exact (g_cpus _ _ G c I)]. intros g D. apply SF; destruct g; try discriminate; auto.
  - intros v c I C. rewrite FA by (reflexivity || discriminate). exact (g_lasts _ _ G v c I C).
Qed.

(** A page leaves the host: the hardware shows [a], the core's objects hold [c]. *)

Lemma donate_one_apart : forall a b c vm p o st v l h0 gl m h (Q : unit -> mach globals Machine.hw -> Prop), wf_cfg c -> cfg c = cfg a -> 0 <= vm < NIE_MAX_VMS ->
  in_ram a p = true -> owner_words o = (st, v, l, 0) -> st <> GRANULE_SHARED /\ st <> GRANULE_RUN -> globals_hold c gl ->
  ram h0 = ram_of a -> engine h0 = engine_of a -> hidden a p 1 b -> tables_hold a m -> world h0 (Aset a) (Aset a) m (now m) h ->
  (forall gl' m' h', globals_hold (hand_over vm p 1 (fun _ => o) c) gl' -> only_granules gl gl' ->
     world h0 (Aset b) (Aset b) m' (now m') h' -> tables_hold b m' -> Q tt (Mach gl' h')) ->
  wp (donate vm p 1 st v l 0 0) Q (Mach gl h).
Proof.
  intros a b c vm p o st v l h0 gl m h Q Wc CF V R OW [S1 S2] G RAM ENG B T X H. unfold donate.
  assert (RC : forall i, 0 <= i < 1 -> in_ram c (p + i) = true) by (intros i I; replace (p + i) with p by lia; unfold in_ram in *; now rewrite CF).
  w_bind. apply (owners_wp c p 1 st v l 0 (fun _ => o)); [exact Wc|lia|exact RC|lia|intros i I; rewrite OW; repeat f_equal; lia|exact G|].
  intros gl1 G1 O1. cbn beta. go.
  replace (negb (st =? GRANULE_SHARED) && negb (st =? GRANULE_RUN)) with true by lia. w_bind.
  assert (G2 : globals_hold (hand_over vm p 1 (fun _ => o) c) (put1 vms_granules vm (wrap U64 (at1 vms_granules gl1 vm + 1)) gl1))
    by (unfold wrap; cbn [width]; now apply granules_hold).
  destruct (donate_refines.owned_same 1 p (fun _ => o) c ltac:(lia)) as (CF' & _ & _ & _).
  apply (host_hide_wp a b h0 p 1 (hand_over vm p 1 (fun _ => o) c) _ m h _ RAM ENG B T (eq_trans CF' CF) G2 X).
  intros m' h' X' T' M'. cbn beta. go. eapply H; eauto.
  eapply only_trans; [exact O1|]. now apply only_put.
Qed.
