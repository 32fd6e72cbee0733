(* SPDX-License-Identifier: Apache-2.0 *)
(* VCPU_RUN: the C does what spec/call/vcpu_run.v says, register for register, with the other CPUs acting before each of
   its primitives; it has no undefined behaviour, meets every obligation, and every state on the way is safe. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.spec.call Require vcpu_run.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning vcpu_run_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.checks nie.generated.state.world nie.generated.call.vcpu_run.
From nie.spec Require Import Core.
From nie.proof.refine Require Import life_refines page_remove_checks.
From nie.proof.refine Require Export vcpu_enters.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_vcpu_run := nie.spec.call.vcpu_run.vcpu_run.
Notation spec_vcpu_run_check := nie.spec.call.vcpu_run.vcpu_run_check.

(** Checks. *)

Lemma vcpu_run_check_run : forall a gl (h : Machine.hw) vm u, wf a -> globals_hold a gl -> 0 <= vm < 2 ^ 64 -> 0 <= u < 2 ^ 64 ->
  vcpu_run_check vm u (Mach gl h) = Some (spec_vcpu_run_check a vm u, Mach gl h).
Proof.
  intros a gl h vm u W G HV HU. apply known_of_wp. unfold vcpu_run_check, nie.spec.call.vcpu_run.vcpu_run_check.
  skip. w_known check_vm_run; [eauto|lia|].
  destruct (vm_exists vm) eqn:E1; [|cbn; go; auto].
  destruct (vm_is a vm NIE_VM_ACTIVE NIE_VM_ACTIVE) eqn:E2; [|cbn; go; auto].
  change (NIE_OK =? NIE_OK) with true. cbn [negb].
  unfold vm_exists in E1. assert (V : 0 <= vm < NIE_MAX_VMS) by lia.
  assert (S : vm_state (vm_at a vm) = NIE_VM_ACTIVE) by (unfold vm_is in E2; lia).
  destruct (v_used _ (wf_v _ W) vm V) as (_ & C & _); [rewrite S; discriminate|].
  skip. w_load. rewrite (h_vcpus _ _ _ (g_vms _ _ G vm V)).
  destruct (Z.leb_spec (vcpu_count (vm_at a vm)) u) as [L|L]; [replace (u <? vcpu_count (vm_at a vm)) with false by lia; go; auto|].
  replace (u <? vcpu_count (vm_at a vm)) with true by lia. assert (U : 0 <= u < NIE_MAX_VCPUS) by lia.
  pose proof (h_vcpu_state _ _ _ (g_vcpus _ _ G vm u V U)) as HS.
  assert (I : wrap U64 (wrap U64 (vm * NIE_MAX_VCPUS) + u) = vm * NIE_MAX_VCPUS + u) by (unfold NIE_MAX_VCPUS, NIE_MAX_VMS in *; rewrite (wrap64 (vm * 8)), wrap64 by lia; reflexivity).
  assert (B : 0 <= vm * NIE_MAX_VCPUS + u < 512) by (unfold NIE_MAX_VCPUS, NIE_MAX_VMS in *; lia).
  rewrite I. skip. eapply wp_load1; [reflexivity|exact B|]. cbn beta. rewrite HS.
  destruct (vcpu_state (vcpu_at a vm u) =? VCPU_RUNNING); cbn [negb]; [go; auto|].
  skip. eapply wp_load1; [reflexivity|exact B|]. cbn beta. rewrite HS.
  destruct (vcpu_state (vcpu_at a vm u) =? VCPU_READY); cbn [negb]; go; auto.
Qed.

Lemma land_ones : forall x n k, 0 <= n -> k = 2 ^ n - 1 -> Z.land x k = x mod 2 ^ n.
Proof. intros x n k N ->. now apply ones_land. Qed.

Lemma lr_ok_run : forall lr (s : MACH), lr_ok lr s = Some (b2z (nie.spec.call.vcpu_run.lr_ok lr), s).
Proof.
  intros lr s. unfold lr_ok, nie.spec.call.vcpu_run.lr_ok, Registers.field.
  rewrite <- !Z.shiftr_div_pow2 by lia.
  rewrite (land_ones lr 32 0xffffffff), (land_ones (Z.shiftr lr 32) 13 0x1fff), (land_ones (Z.shiftr lr 61) 1 1), (land_ones (Z.shiftr lr 45) 3 7),
    (land_ones (Z.shiftr lr 56) 4 15) by (lia || reflexivity).
  unfold bind, ret. destruct (Z.shiftr lr 62 =? 0); auto. destruct (_ || _ || _)%bool; auto.
  destruct (Z.shiftr lr 61 mod 2 ^ 1 =? 0); cbn [negb b2z]; [change (0 =? 0) with true|change (1 =? 0) with false]; cbn [negb]; reflexivity.
Qed.
Lemma lr_same_run : forall x y (s : MACH), lr_same x y s = Some (b2z (nie.spec.call.vcpu_run.lr_same x y), s).
Proof.
  intros x y s. unfold lr_same, nie.spec.call.vcpu_run.lr_same. rewrite (land_ones x 32 0xffffffff), (land_ones y 32 0xffffffff) by (lia || reflexivity). reflexivity.
Qed.

Lemma all_lrs_run : forall c gl (h : Machine.hw), 0 <= c < NIE_MAX_CPUS ->
  all_lrs_ok c (Mach gl h) = Some (b2z (nie.spec.call.vcpu_run.lrs_ok (fun n => at1 cpus_in gl (c * 10 + (RUN_IN_LR0 + n)))), Mach gl h).
Proof.
  intros c gl h C. unfold NIE_MAX_CPUS in C. apply known_of_wp. unfold all_lrs_ok, RUN_IN_LR0.
  set (lr := fun n => at1 cpus_in gl (c * 10 + (6 + n))).
  assert (LD : forall n, 0 <= n < 4 -> load cpus_in [c; wrap U32 (6 + n)] (Mach gl h) = Some (lr n, Mach gl h)).
  { intros n N. rewrite wrap32 by lia. unfold load. change (dims cpus_in) with [8; 10]. rewrite place2 by lia. reflexivity. }
  assert (ST : forall n, 0 <= n < 4 -> forall (F : M MACH (outcome unit Z)) (Q : outcome unit Z -> MACH -> Prop),
    (if nie.spec.call.vcpu_run.lr_ok (lr n) then wp F Q (Mach gl h) else Q (Return 0) (Mach gl h)) ->
    wp (t1 <- load cpus_in [c; wrap U32 (6 + n)] ;; t2 <- lr_ok t1 ;; if t2 =? 0 then ret (Return 0) else F) Q (Mach gl h)).
  { intros n N F Q H. w_bind. w_known (LD n N). w_bind. w_known lr_ok_run.
    destruct (nie.spec.call.vcpu_run.lr_ok (lr n)); cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota; auto. }
  assert (SM : forall n k, 0 <= n < 4 -> 0 <= k < 4 -> forall (Q : outcome unit Z -> MACH -> Prop),
    (if nie.spec.call.vcpu_run.lr_same (lr n) (lr k) then Q (Return 0) (Mach gl h) else Q (Next tt) (Mach gl h)) ->
    wp (t3 <- load cpus_in [c; wrap U32 (6 + n)] ;; t4 <- load cpus_in [c; wrap U32 (6 + k)] ;; t5 <- lr_same t3 t4 ;;
        if negb (t5 =? 0) then ret (Return 0) else ret (Next tt)) Q (Mach gl h)).
  { intros n k N K Q H. w_bind. w_known (LD n N). w_bind. w_known (LD k K). w_bind. w_known lr_same_run.
    destruct (nie.spec.call.vcpu_run.lr_same (lr n) (lr k)); cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn [negb]; apply wp_ret; auto. }
  set (ok n := nie.spec.call.vcpu_run.lr_ok (lr n)) in *. set (same n k := nie.spec.call.vcpu_run.lr_same (lr n) (lr k)) in *.
  assert (EQ : nie.spec.call.vcpu_run.lrs_ok lr = (ok 0 && (ok 1 && (ok 2 && (ok 3 && true))) &&
    negb (same 1 0 || (same 2 0 || (same 2 1 || (same 3 0 || (same 3 1 || (same 3 2 || false)))))))%bool) by reflexivity.
  assert (BAD : forall n, 0 <= n < 4 -> ok n = false -> nie.spec.call.vcpu_run.lrs_ok lr = false).
  { intros n N B. rewrite EQ. assert (n = 0 \/ n = 1 \/ n = 2 \/ n = 3) as [-> | [-> | [-> | ->]]] by lia; rewrite B;
      destruct (ok 0), (ok 1), (ok 2); reflexivity. }
  assert (TWO : forall n k, 0 <= n < 4 -> 0 <= k < n -> same n k = true -> nie.spec.call.vcpu_run.lrs_ok lr = false).
  { intros n k N K B. rewrite EQ. replace (negb _) with false; [apply andb_false_r|].
    assert ((n = 1 /\ k = 0) \/ (n = 2 /\ k = 0) \/ (n = 2 /\ k = 1) \/ (n = 3 /\ k = 0) \/ (n = 3 /\ k = 1) \/ (n = 3 /\ k = 2)) as
      [[-> ->] | [[-> ->] | [[-> ->] | [[-> ->] | [[-> ->] | [-> ->]]]]]] by lia; rewrite B;
      destruct (same 1 0), (same 2 0), (same 2 1), (same 3 0), (same 3 1); reflexivity. }
  assert (GOOD : (forall n, 0 <= n < 4 -> ok n = true /\ forall k, 0 <= k < n -> same n k = false) -> nie.spec.call.vcpu_run.lrs_ok lr = true).
  { intro K. rewrite EQ. destruct (K 0) as [-> _]; [lia|]. destruct (K 1) as [-> K1]; [lia|]. destruct (K 2) as [-> K2]; [lia|]. destruct (K 3) as [-> K3]; [lia|].
    rewrite !K1, !K2, !K3 by lia. reflexivity. }
  clear EQ. w_bind. unfold NIE_LRS.
  eapply wp_loop_ret with (I := fun i _ s => s = Mach gl h /\ forall n, 0 <= n < i -> ok n = true /\ forall k, 0 <= k < n -> same n k = false)
    (P := fun r s => s = Mach gl h /\ r = 0 /\ nie.spec.call.vcpu_run.lrs_ok lr = false); [lia|split; [reflexivity|intros; lia]| | |].
  - intros n u s N (-> & K). apply ST; [exact N|]. fold (ok n). destruct (ok n) eqn:ON; [|eauto].
    w_bind. eapply wp_loop_ret with (I := fun k _ s => s = Mach gl h /\ forall j, 0 <= j < k -> same n j = false)
      (P := fun r s => s = Mach gl h /\ r = 0 /\ nie.spec.call.vcpu_run.lrs_ok lr = false); [lia|split; [reflexivity|intros; lia]| | |].
    + intros k u' s KN (-> & J). apply SM; [exact N|lia|]. fold (same n k). destruct (same n k) eqn:SN; [eauto|].
      split; auto. intros j JK. destruct (Z.eq_dec j k) as [->|]; auto. apply J. lia.
    + intros u' s (-> & J). apply wp_ret. split; auto. intros j JN. destruct (Z.eq_dec j n) as [->|]; auto. apply K. lia.
    + intros r s (-> & -> & B). apply wp_ret. auto.
  - intros u s (-> & K). apply wp_ret. rewrite GOOD by exact K. auto.
  - intros r s (-> & -> & B). apply wp_ret. rewrite B. auto.
Qed.

(** The call. *)

Definition inputs_from (h : Machine.hw) : nat -> Z := fun w => inputs h (taken h + w)%nat.

(* The way from what is known of the machine to the relation. *)
Lemma R_live : forall a gl h0 c b m n gl' h, R a (Mach gl h0) -> c = me h0 -> live h0 c (Aset a) m (now m) (here b) (fp_here b) n h ->
  globals_hold b gl' -> sound b -> same_map a b -> tables_hold b m ->
  Map.get (here b) REG_VTTBR_EL2 = vttbr_of b c -> (forall d, d <> c -> vttbr_of b d = vttbr_of a d) -> R b (Mach gl' h).
Proof.
  intros a gl h0 c b m n gl' h [W O G X RAM ENG REGS CNT] -> L GB SB SM T VT VO. cbn [glob hw] in *.
  destruct L as [LS LR LE LM LI LT LV LG LF LX]. constructor; cbn [glob hw].
  - apply SB.
  - apply SB.
  - exact GB.
  - exists m. split; auto. eapply world_same; [|exact LS]. now apply same_map_Aset.
  - rewrite LR, RAM. unfold ram_of. now rewrite (sm_cfg _ _ SM).
  - rewrite LE, ENG. unfold engine_of. now rewrite (sm_cfg _ _ SM).
  - constructor; rewrite ?LM; auto; [apply REGS|]. intro d. destruct (Z.eq_dec d (me h0)) as [->|N].
    + rewrite <- VT, <- LG by (unfold REG_VTTBR_EL2; lia). reflexivity.
    + rewrite LV, VO by auto. apply REGS.
  - apply SB.
Qed.
Lemma live_of_R : forall a gl h, R a (Mach gl h) -> exists m, live h (me h) (Aset a) m (now m) (here a) (fp_here a) (taken h) h /\ tables_hold a m.
Proof.
  intros a gl h [W O G (m & X & T) RAM ENG REGS CNT]. cbn [glob hw] in *. exists m. split; auto. destruct REGS. constructor; auto.
Qed.

Lemma lrs_ext : forall f g, (forall n, 0 <= n < 4 -> f n = g n) -> nie.spec.call.vcpu_run.lrs_ok f = nie.spec.call.vcpu_run.lrs_ok g.
Proof. intros f g E. unfold nie.spec.call.vcpu_run.lrs_ok. cbn [forallb existsb fst snd]. rewrite !E by lia. reflexivity. Qed.

(* Of the machine below: registers of other CPUs' vectors, and what is to come, are as they were. *)
Record stays (h h' : Machine.hw) : Prop := {
  st_me : me h' = me h;
  st_inputs : inputs h' = inputs h;
  st_fp : forall w, ~ me h * 128 <= w < me h * 128 + 66 -> Map.get (fp h') w = Map.get (fp h) w;
}.
Lemma stays_of : forall h0 c A m V rg f n h, live h0 c A m V rg f n h -> c = me h0 -> stays h0 h.
Proof. intros h0 c A m V rg f n h [] ->. constructor; auto. Qed.

Section Entered.
Variables (c v i : Z) (a : state).
Hypothesis SO : sound a.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis HO : cpu_vm (cpu_at a c) = CPU_HOST.
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis I : 0 <= i < NIE_MAX_VCPUS.
Hypothesis RD : vcpu_state (vcpu_at a v i) = VCPU_READY.
Notation b := (Switch.enter_vcpu c v i a).

Lemma alike_last : forall w d n x y, alike x y -> alike (set_last w d n x) (set_last w d n y).
Proof. intros w d n x y []. constructor; auto. cbn. now rewrite al_lasts. Qed.
Lemma controlled_alike : alike (come c v i a) (set_last v c (i + 1) (controlled c v i a)).
Proof.
  unfold come. apply alike_last. unfold controlled. change (taken_up c v i a) with (enter c v i a). generalize (enter c v i a). intro x.
  unfold Switch.controls_vcpu. eapply alike_trans; [|apply alike_here]. unfold with_hcr. eapply alike_trans; [|apply alike_set_here].
  unfold with_lrs. eapply alike_trans; [|apply alike_regs]. eapply alike_trans; [|apply alike_load]. apply alike_save.
Qed.
Lemma entered_sound : sound b.
Proof. rewrite enter_stages. apply ran_sound with a; auto using controlled_alike. Qed.
Lemma entered_map : same_map a b.
Proof. rewrite enter_stages. apply ran_map; auto using controlled_alike. Qed.
Lemma entered_tables : forall m, tables_hold a m -> tables_hold b m.
Proof. intros m T. rewrite enter_stages. apply ran_tables with a; auto using controlled_alike. Qed.
Lemma entered_runs : forall d, cpu_vm (cpu_at b d) = if d =? c then v else cpu_vm (cpu_at a d).
Proof. intro d. rewrite enter_stages. apply (ran_runs c v i a); auto using controlled_alike. Qed.

Lemma entered_root : forall d, vttbr_of b d = if d =? c then (v + 1) * 2 ^ 48 + root (vm_at a v) * 4096 else vttbr_of a d.
Proof.
  intro d. pose proof entered_map as []. unfold vttbr_of. rewrite entered_runs, sm_cfg. destruct (Z.eqb_spec d c) as [->|N].
  - replace ((0 <=? c) && (c <? NIE_MAX_CPUS) && negb (v =? CPU_HOST))%bool with true by (unfold NIE_MAX_VMS, CPU_HOST, NIE_MAX_CPUS in *; lia).
    now destruct (sm_root v) as [-> _].
  - destruct (_ && _)%bool; auto. now destruct (sm_root (cpu_vm (cpu_at a d))) as [-> _].
Qed.
Lemma controls_here : forall x, Map.get (here (Switch.controls_vcpu v i x)) REG_VTTBR_EL2 = (v + 1) * 2 ^ 48 + root (vm_at x v) * 4096.
Proof.
  intro x. transitivity (Map.get (Map.set (Map.set (Map.set (Map.set (Map.set (here x) REG_HCR_EL2 HCR_GUEST) REG_VTTBR_EL2 ((v + 1) * 2 ^ 48 + root (vm_at x v) * 4096))
    REG_VMPIDR_EL2 (2 ^ 31 + i)) REG_CNTVOFF_EL2 (cntvoff (vm_at x v))) REG_CNTHCTL_EL2 CNTHCTL_GUEST) REG_VTTBR_EL2); [reflexivity|].
  rewrite !get_set_other by discriminate. apply get_set_same.
Qed.
Lemma entered_here : Map.get (here b) REG_VTTBR_EL2 = vttbr_of b c.
Proof.
  rewrite entered_root, Z.eqb_refl. rewrite enter_stages, answer_here by discriminate. rewrite here_last. unfold controlled. rewrite controls_here.
  f_equal. f_equal. transitivity (root (vm_at (set_vm v (vm_at a v <| running ::= fun n => n + 1 |>) a) v)); [reflexivity|]. now rewrite vm_at_put, Z.eqb_refl.
Qed.
End Entered.

Theorem vcpu_run_refines : forall a s vm u, R a s -> cpu_vm (cpu_at a (me (hw s))) = CPU_HOST -> 0 <= vm < 2 ^ 64 -> 0 <= u < 2 ^ 64 ->
  wp (call_vcpu_run (me (hw s)) vm u) (fun r s' => let spec := spec_vcpu_run (me (hw s)) vm u (inputs_from (hw s)) a in
    r = fst spec /\ R (snd spec) s' /\ only_run (glob s) (glob s') /\ stays (hw s) (hw s')) s.
Proof.
  intros a [gl h] vm u HR HO HV HU. destruct (live_of_R _ _ _ HR) as (m & L & T). pose proof HR as [W O G _ RAM ENG REGS CNT]. cbn [glob hw] in *.
  pose proof (r_me _ _ REGS) as C. set (c := me h) in *. pose proof C as C8. unfold NIE_MAX_CPUS in C8.
  unfold call_vcpu_run. w_bind. w_known vcpu_run_check_run; eauto. unfold nie.spec.call.vcpu_run.vcpu_run. cbv zeta.
  destruct (spec_vcpu_run_check a vm u =? NIE_OK) eqn:E; cbn [negb];
    [|go; cbn [fst snd]; split; [auto|split; [exact HR|split; [apply or_refl|now constructor]]]].
  apply Z.eqb_eq in E. unfold nie.spec.call.vcpu_run.vcpu_run_check in E.
  destruct (vm_exists vm) eqn:E1; [|discriminate].
  destruct (vm_is a vm NIE_VM_ACTIVE NIE_VM_ACTIVE) eqn:E2; [|discriminate].
  destruct (Z.ltb_spec u (vcpu_count (vm_at a vm))) as [LT|]; [|discriminate].
  destruct (negb (vcpu_state (vcpu_at a vm u) =? VCPU_RUNNING)); [|discriminate].
  destruct (Z.eqb_spec (vcpu_state (vcpu_at a vm u)) VCPU_READY) as [RD|]; [|discriminate]. clear E.
  unfold vm_exists in E1. assert (V : 0 <= vm < NIE_MAX_VMS) by lia. assert (V64 : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V; lia).
  assert (AC : vm_state (vm_at a vm) = NIE_VM_ACTIVE) by (unfold vm_is in E2; lia). assert (NF : vm_state (vm_at a vm) <> NIE_VM_FREE) by (rewrite AC; discriminate).
  destruct (v_used _ (wf_v _ W) vm V NF) as (_ & CN & _). assert (U : 0 <= u < NIE_MAX_VCPUS) by lia. assert (UB : 0 <= u < 8) by (unfold NIE_MAX_VCPUS in U; lia).
  clear E1 E2 LT. set (k := vm * NIE_MAX_VCPUS + u). assert (KB : 0 <= k < 512) by (unfold k, NIE_MAX_VCPUS; lia).
  destruct (u_some _ (wf_u _ W) vm u V U) as (_ & _ & _ & PR & PO & RR & RO); [rewrite RD; discriminate|].
  assert (IR : forall p, State.in_ram a p = true -> Machine.in_ram h p = true) by (intros p P; unfold Machine.in_ram; now rewrite RAM).
  rewrite (wrap64 (vm * NIE_MAX_VCPUS)), wrap64 by (unfold k, NIE_MAX_VCPUS in *; lia). fold k.
  w_bind. eapply wp_load1; [reflexivity|exact KB|]. cbn beta. replace (at1 vcpus_run gl k) with (run_page (vcpu_at a vm u)) by (symmetry; apply (g_vcpus _ _ G vm u V U)).
  set (words := fun w => inputs_from h (Z.to_nat w)). unfold RUN_IN_END in *. w_bind.
  apply wp_loop with (I := fun i _ s => exists h', live h c (Aset a) m (now m) (here a) (fp_here a) (taken h + Z.to_nat i) h' /\
      s = Mach (putn i cpus_in (c * 10) words gl) h'); [lia|exists h; split; [now rewrite Nat.add_0_r|reflexivity]| |].
  { intros i x s I (h1 & L1 & ->). w_bind. eapply x_host_read; [exact L1|apply IR; exact RR|unfold is_word; lia|]. intros h2 L2. cbn beta.
    w_bind. eapply x_store2; [reflexivity|lia|lia|]. apply wp_ret. exists h2. split.
    - replace (taken h + Z.to_nat (i + 1))%nat with (S (taken h + Z.to_nat i)) by lia. exact L2.
    - now rewrite putn_next by lia. }
  intros x s (h1 & L1 & ->). cbn beta. clear L. set (g1 := putn 10 cpus_in (c * 10) words gl).
  set (a1 := set_cpu c (cpu_at a c <| run_in := fill 10 0 words (Map.const 0) |>) a).
  change (fun w => inputs_from h (Z.to_nat w)) with words. fold a1.
  assert (AL : alike a a1) by (apply alike_cpu; reflexivity). assert (O1 : only_run gl g1) by (apply or_putn; [reflexivity|apply or_refl]).
  assert (G1 : globals_hold a1 g1).
  { eapply hold_cpu; [exact G|exact C| | |].
    - intros g F. apply putn_field. intros ->. discriminate.
    - intros g j F J. destruct (gvar_dec g cpus_in) as [->|N]; [|now apply putn_other]. unfold g1. rewrite at_putn by (try reflexivity; lia).
      unfold cpu_word, RUN_IN_END in J. now rewrite J.
    - destruct (g_cpus _ _ G c C). constructor; intros; try (unfold g1; rewrite !putn_other by discriminate; auto; fail). unfold RUN_IN_END in *.
      unfold g1. rewrite at_putn by (try reflexivity; lia). replace ((c * 10 <=? c * 10 + i) && (c * 10 + i <? c * 10 + 10))%bool with true by lia.
      transitivity (Map.get (fill 10 0 words (Map.const 0)) i); [|reflexivity]. rewrite get_fill by lia.
      replace ((0 <=? i) && (i <? 0 + 10))%bool with true by lia. f_equal. lia. }
  assert (SAID : forall n, 0 <= n < 4 -> at1 cpus_in g1 (c * 10 + (RUN_IN_LR0 + n)) = said a1 c (RUN_IN_LR0 + n)).
  { intros n N. exact (h_in _ _ _ (g_cpus _ _ G1 c C) (RUN_IN_LR0 + n) ltac:(unfold RUN_IN_LR0, RUN_IN_END; lia)). }
  w_bind. w_known all_lrs_run; [exact C|]. rewrite (lrs_ext _ _ SAID).
  assert (SO : sound a) by (constructor; auto). assert (SO1 : sound a1) by (eapply alike_sound; eauto).
  assert (HO1 : cpu_vm (cpu_at a1 c) = CPU_HOST) by (destruct (al_runs _ _ AL c) as [-> _]; exact HO).
  assert (VA : forall d, vttbr_of a1 d = vttbr_of a d).
  { intro d. unfold vttbr_of. rewrite (al_cfg _ _ AL). destruct (al_runs _ _ AL d) as [-> _]. unfold vm_at. now rewrite (al_vms _ _ AL). }
  assert (L1' : live h c (Aset a) m (now m) (here a1) (fp_here a1) (taken h + Z.to_nat 10) h1) by exact L1. clear L1.
  destruct (nie.spec.call.vcpu_run.lrs_ok (fun n => said a1 c (RUN_IN_LR0 + n))); cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota.
  2:{ apply wp_ret. cbn [fst snd]. split; [reflexivity|]. split; [|split; [exact O1|eapply stays_of; [exact L1'|reflexivity]]].
      eapply R_live; [exact HR|reflexivity|exact L1'|exact G1|exact SO1|now apply alike_map|eapply alike_tables; eauto| |].
      - rewrite VA. transitivity (Map.get (here a) REG_VTTBR_EL2); [reflexivity|]. rewrite <- (r_here _ _ REGS) by (unfold REG_VTTBR_EL2; lia). exact (r_vttbr _ _ REGS c).
      - intros d _. apply VA. }
  rewrite (wrap32 vm), (wrap32 u) by lia.
  assert (VM1 : vm_at a1 vm = vm_at a vm) by reflexivity. assert (VC1 : vcpu_at a1 vm u = vcpu_at a vm u) by reflexivity.
  destruct (wf_root _ W vm V NF) as [RTR _]. pose proof (ram_small _ W _ RTR) as RTS.
  w_bind. eapply (enter_vcpu_wp h c (Aset a) m (taken h + Z.to_nat 10) vm u C V U a1); [exact L1'|exact G1| | | | | | |]; rewrite ?VM1, ?VC1.
  - apply IR, PR.
  - apply (untouched a W); auto. now rewrite PO.
  - intros j J. exact (t_saved _ _ T _ _ _ _ PR PO J).
  - rewrite (v_running _ (wf_v _ W) vm V). unfold how_many.
    assert (F : forall f l, (length (filter f l) <= @length nat l)%nat).
    { intros f l. induction l as [|y l IH]; cbn [filter length]; auto. destruct (f y); cbn [length]; lia. }
    specialize (F (fun i => is_running (vcpu_at a vm (Z.of_nat i))) (seq 0 (Z.to_nat NIE_MAX_VCPUS))). rewrite seq_length in F. unfold NIE_MAX_VCPUS in *. lia.
  - lia.
  - right. exists vm. split; [reflexivity|]. split; [exact V|]. left. auto.
  - intros g2 h2. cbv zeta. intros L2 G2 O2. cbn beta. apply wp_ret. cbn [fst snd]. split; [reflexivity|].
    split; [|split; [eapply or_trans; eauto|eapply stays_of; [exact L2|reflexivity]]].
    eapply R_live; [exact HR|reflexivity|exact L2|exact G2| | | | |].
    + now apply entered_sound.
    + eapply same_map_trans; [apply alike_map, AL|now apply entered_map].
    + apply entered_tables; auto. eapply alike_tables; eauto.
    + now apply entered_here.
    + intros d N. rewrite entered_root by auto. replace (d =? c) with false by lia. apply VA.
Qed.
