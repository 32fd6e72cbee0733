(* SPDX-License-Identifier: Apache-2.0 *)
(* A vCPU comes to a CPU: the C does what enter_vcpu of spec/Switch.v says, register for register. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning trap_steps.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.state.world nie.generated.state.inject nie.generated.trap.mmio.
From nie.spec Require Import Core.
From nie.proof.refine Require Export world_enters Holds.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation said := Switch.said.
Notation MACH := (mach globals Machine.hw).

(** One register. *)

Lemma hold_x : forall a gl c i w, globals_hold a gl -> 0 <= c < NIE_MAX_CPUS -> 0 <= i < 31 ->
  globals_hold (Registers.set_x c i w a) (put1 cpus_x (c * 31 + i) w gl).
Proof.
  intros a gl c i w G C I. unfold Registers.set_x. eapply hold_cpu; [exact G|exact C| | |].
  - intros g F. apply field_set_other. now intros ->.
  - intros g j F J. rewrite at_put by reflexivity. destruct (gvar_dec g cpus_x) as [->|]; auto. destruct (Z.eqb_spec j (c * 31 + i)); auto.
    unfold cpu_word in J. lia.
  - destruct (g_cpus _ _ G c C). constructor; try (intros; rewrite at_put by reflexivity; cbn; auto; fail).
    intros j J. rewrite at_put by reflexivity. transitivity (if c * 31 + j =? c * 31 + i then w else at1 cpus_x gl (c * 31 + j)); [reflexivity|].
    transitivity (Map.get (Map.set (cpu_x (cpu_at a c)) i w) j); [|reflexivity]. rewrite Map.get_set. replace (c * 31 + j =? c * 31 + i) with (j =? i) by lia.
    destruct (j =? i); auto.
Qed.

Section Answer.
Variables (h0 : Machine.hw) (c : Z) (A : aset) (m : Z -> Z) (f : Map.t Z) (n : nat) (v i : Z).
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis I : 0 <= i < NIE_MAX_VCPUS.
Notation LIVE rg := (live h0 c A m (now m) rg f n).
Notation k := (v * NIE_MAX_VCPUS + i).

Lemma skip_wp : forall a gl h (Q : unit -> MACH -> Prop), LIVE (here a) h -> globals_hold a gl ->
  (forall h', LIVE (here (Registers.skip_instruction a)) h' -> globals_hold (Registers.skip_instruction a) gl -> Q tt (Mach gl h')) ->
  wp skip_instruction Q (Mach gl h).
Proof.
  intros a gl h Q L G H. unfold skip_instruction, REG_ELR_EL2, REG_SPSR_EL2 in *.
  w_bind. eapply x_read; [exact L|lia|]. intros h1 L1. cbn beta. w_bind. eapply x_read; [exact L1|lia|]. intros h2 L2. cbn beta.
  w_bind. eapply x_write; [exact L2|lia|discriminate|]. intros h3 L3. cbn beta. w_bind. eapply x_write; [exact L3|lia|discriminate|]. intros h4 L4. cbn beta.
  apply wp_ret. apply H; [exact L4|]. eapply holds_of; [exact G|reflexivity..].
Qed.

Lemma gpr_write_wp : forall a gl h r w (Q : unit -> MACH -> Prop), 0 <= r -> globals_hold a gl ->
  (forall gl', globals_hold (Registers.set_gpr c r w a) gl' -> only_run gl gl' -> Q tt (Mach gl' h)) -> wp (gpr_write c r w) Q (Mach gl h).
Proof.
  intros a gl h r w Q R G H. unfold gpr_write, Registers.set_gpr in *. unfold NIE_MAX_CPUS in C. destruct (Z.ltb_spec r 31); [|apply wp_ret, H; auto using or_refl].
  w_bind. eapply x_store2; [reflexivity|lia|lia|]. apply wp_ret. apply H; [apply hold_x; auto|]. apply or_put; auto using or_refl.
Qed.

Lemma mmio_answer_wp : forall a gl h (Q : unit -> MACH -> Prop), LIVE (here a) h -> globals_hold a gl ->
  (forall gl' h', let b := Switch.take_answer c v i a in LIVE (here b) h' -> globals_hold b gl' -> only_run gl gl' -> Q tt (Mach gl' h')) ->
  wp (mmio_answer c v i) Q (Mach gl h).
Proof.
  intros a gl h Q L G H. cbn zeta in H. pose proof C as C8. pose proof V as V64. pose proof I as I8. unfold NIE_MAX_CPUS, NIE_MAX_VMS, NIE_MAX_VCPUS in C8, V64, I8.
  assert (KB : 0 <= k < 512) by (unfold NIE_MAX_VCPUS; lia). destruct (g_vcpus _ _ G v i V I) as [U1 U2 U3 U4 U5 U6].
  unfold mmio_answer. rewrite (wrap32 (v * NIE_MAX_VCPUS)), wrap32 by (unfold NIE_MAX_VCPUS in *; lia).
  w_bind. unfold index at 1. replace ((0 <=? k) && (k <? 512))%bool with true by lia. apply wp_ret.
  w_bind. eapply wp_load1; [reflexivity|exact KB|]. cbn beta. rewrite U5. w_bind. eapply wp_load1; [reflexivity|exact KB|]. cbn beta. rewrite U6.
  w_bind. eapply wp_store1; [reflexivity|exact KB|]. cbn beta. w_bind. eapply wp_store1; [reflexivity|exact KB|]. cbn beta.
  set (g1 := put1 vcpus_syndrome k 0 (put1 vcpus_pending k PENDING_NONE gl)).
  unfold Switch.take_answer in H. set (p := pending (vcpu_at a v i)) in *. set (s := syndrome (vcpu_at a v i)) in *.
  set (a1 := set_vcpu v i _ a) in H.
  assert (G1 : globals_hold a1 g1).
  { unfold a1. eapply hold_vcpu; [exact G|exact V|exact I| | |].
    - intros g F. unfold g1, put1. rewrite !field_set_other by (intros ->; discriminate). reflexivity.
    - intros g j F J. unfold g1. rewrite !at_put by reflexivity. destruct (Z.eqb_spec j k); [contradiction|]. now destruct (gvar_dec g vcpus_syndrome), (gvar_dec g vcpus_pending).
    - unfold g1. constructor; rewrite !at_put by reflexivity; cbn; rewrite ?Z.eqb_refl; auto. }
  assert (SAID : forall w, 0 <= w < RUN_IN_END -> at1 cpus_in g1 (c * 10 + w) = said a1 c w).
  { intros w W. exact (h_in _ _ _ (g_cpus _ _ G1 c C) w W). }
  assert (OR : only_run gl g1) by (unfold g1; do 2 (apply or_put; [reflexivity|]); apply or_refl). clearbody g1. unfold RUN_IN_END in SAID.
  assert (L1 : LIVE (here a1) h) by exact L. clearbody a1. clear L.
  destruct (p =? PENDING_CALL).
  { w_bind. apply wp_loop with (I := fun j _ s => s = Mach (putn j cpus_x (c * 31) (fun j => said a1 c (RUN_IN_X0 + j)) g1) h); [lia|reflexivity| |].
    - intros j u st J ->. unfold RUN_IN_X0 in *. rewrite wrap32 by lia. w_bind. eapply x_load2; [reflexivity|lia|lia|]. cbn beta. w_bind. eapply x_store2; [reflexivity|lia|lia|]. apply wp_ret.
      rewrite putn_other by discriminate. rewrite SAID by lia. now rewrite putn_next by lia.
    - intros u st ->. cbn beta. apply wp_ret. apply H; [exact L1| |apply or_putn; [reflexivity|exact OR]].
      change (putn 4 cpus_x (c * 31) (fun j => said a1 c (RUN_IN_X0 + j)) g1) with
        (put1 cpus_x (c * 31 + 3) (said a1 c (RUN_IN_X0 + 3)) (put1 cpus_x (c * 31 + 2) (said a1 c (RUN_IN_X0 + 2))
          (put1 cpus_x (c * 31 + 1) (said a1 c (RUN_IN_X0 + 1)) (put1 cpus_x (c * 31 + 0) (said a1 c (RUN_IN_X0 + 0)) g1)))).
      unfold Registers.answer. cbn [Registers.answer_from]. do 4 (apply hold_x; [|exact C|lia]). exact G1. }
  unfold Registers.has in H.
  assert (F0 : at1 cpus_in g1 (c * 10 + RUN_IN_FLAGS) = said a1 c RUN_IN_FLAGS) by (apply SAID; unfold RUN_IN_FLAGS; lia).
  assert (X0 : at1 cpus_in g1 (c * 10 + RUN_IN_X0) = said a1 c RUN_IN_X0) by (apply SAID; unfold RUN_IN_X0; lia).
  w_bind. rewrite negb_involutive in H.
  assert (GO : forall t, t = ((p =? PENDING_NONE) || (Z.land (said a1 c RUN_IN_FLAGS) NIE_IN_ANSWER =? 0))%bool ->
    wp (if t then ret tt else (if p =? PENDING_READ then
      t4 <- load cpus_in [c; RUN_IN_X0] ;; t5 <- extend t4 s ;; gpr_write c (Z.land (Z.shiftr s 16) 31) t5 ;;; ret tt else ret tt) ;;; skip_instruction ;;; ret tt) Q (Mach g1 h)).
  { intros t ->. destruct (_ || _)%bool; [apply wp_ret; apply H; auto|]. w_bind.
    assert (SK : forall a2 g2, LIVE (here a2) h -> globals_hold a2 g2 -> only_run gl g2 -> a2 = (if p =? PENDING_READ then
        Registers.set_gpr c (Registers.mmio_register s) (Registers.mmio_extend (said a1 c RUN_IN_X0) s) a1 else a1) ->
      wp (skip_instruction ;;; ret tt) Q (Mach g2 h)).
    { intros a2 g2 L2 G2 O2 E2. w_bind. eapply (skip_wp a2); eauto. intros h3 L3 G3. cbn beta. apply wp_ret. apply H; try rewrite <- E2; auto. }
    destruct (p =? PENDING_READ).
    - w_bind. eapply x_load2; [reflexivity|lia|unfold RUN_IN_X0; lia|]. cbn beta. w_bind. rewrite X0. w_known extend_run. w_bind.
      assert (RE : Z.land (Z.shiftr s 16) 31 = Registers.mmio_register s).
      { unfold Registers.mmio_register, Registers.field. rewrite <- Z.shiftr_div_pow2 by lia. exact (ones_land _ 5 ltac:(lia)). }
      rewrite RE. eapply gpr_write_wp; [|exact G1|].
      { unfold Registers.mmio_register, Registers.field. apply Z.mod_pos_bound. lia. }
      intros g2 G2 O2. cbn beta. apply wp_ret. eapply SK; [|exact G2|eapply or_trans; eauto|reflexivity]. unfold Registers.set_gpr. destruct (_ <? 31); exact L1.
    - apply wp_ret. eapply SK; [exact L1|exact G1|exact OR|reflexivity]. }
  destruct (p =? PENDING_NONE) eqn:PN.
  - apply wp_ret. exact (GO true eq_refl).
  - w_bind. eapply x_load2; [reflexivity|lia|unfold RUN_IN_FLAGS; lia|]. cbn beta. apply wp_ret. rewrite F0. exact (GO _ eq_refl).
Qed.
End Answer.

(** The whole. *)

Lemma live_ext : forall h0 c A m V rg rg' f f' n h, live h0 c A m V rg f n h -> rg = rg' -> f = f' -> live h0 c A m V rg' f' n h.
Proof. intros. now subst. Qed.

Section Enter.
Variables (h0 : Machine.hw) (c : Z) (A : aset) (m : Z -> Z) (n : nat) (v i : Z).
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis I : 0 <= i < NIE_MAX_VCPUS.
Notation LIVE rg f := (live h0 c A m (now m) rg f n).
Notation k := (v * NIE_MAX_VCPUS + i).

(* The CPU has a vCPU. *)
Definition taken_up (a : state) : state :=
  let a := set_vcpu v i (vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |>) a in
  let a := set_vm v (vm_at a v <| running ::= fun n => n + 1 |>) a in
  set_cpu c (cpu_at a c <| cpu_vm := v |> <| cpu_vcpu := i |>) a.
Definition taken_gl (a : state) (gl : globals) : globals :=
  put1 cpus_vcpu c i (put1 cpus_vm c v (put1 vms_running v (running (vm_at a v) + 1) (put1 vcpus_cpu k c (put1 vcpus_state k VCPU_RUNNING gl)))).
Lemma taken_holds : forall a gl, globals_hold a gl -> globals_hold (taken_up a) (taken_gl a gl).
Proof.
  intros a gl G. unfold taken_up, taken_gl. set (a1 := set_vcpu v i _ a). set (g1 := put1 vcpus_cpu k c (put1 vcpus_state k VCPU_RUNNING gl)).
  assert (G1 : globals_hold a1 g1).
  { unfold a1. eapply hold_vcpu; [exact G|exact V|exact I| | |].
    - intros g F. unfold g1, put1. rewrite !field_set_other by (intros ->; discriminate). reflexivity.
    - intros g j F J. unfold g1. rewrite !at_put by reflexivity. destruct (Z.eqb_spec j k); [contradiction|]. now destruct (gvar_dec g vcpus_cpu), (gvar_dec g vcpus_state).
    - destruct (g_vcpus _ _ G v i V I). unfold g1. constructor; rewrite !at_put by reflexivity; cbn; rewrite ?Z.eqb_refl; auto. }
  change (vm_at a1 v) with (vm_at a v). set (g2 := put1 vms_running v _ g1).
  assert (G2 : globals_hold (set_vm v (vm_at a1 v <| running ::= fun n => n + 1 |>) a1) g2) by (apply (hold_running a1 g1 g2 G1); auto).
  change (vm_at a1 v) with (vm_at a v) in G2. set (a2 := set_vm v _ a1) in *.
  eapply hold_cpu; [exact G2|exact C| | |].
  - intros g F. unfold put1. rewrite !field_set_other by (intros ->; discriminate). reflexivity.
  - intros g j F J. rewrite !at_put by reflexivity. destruct (Z.eqb_spec j c) as [->|]; [|now destruct (gvar_dec g cpus_vcpu), (gvar_dec g cpus_vm)].
    destruct (gvar_dec g cpus_vcpu) as [->|]; [cbn [cpu_word] in J; rewrite Z.eqb_refl in J; discriminate|].
    destruct (gvar_dec g cpus_vm) as [->|]; [cbn [cpu_word] in J; rewrite Z.eqb_refl in J; discriminate|reflexivity].
  - destruct (g_cpus _ _ G2 c C). constructor; intros; rewrite !at_put by reflexivity; cbn; rewrite ?Z.eqb_refl; auto.
Qed.

Lemma saved_holds : forall a gl, globals_hold a gl -> globals_hold (Switch.save_host c a) (host_saved c (here a) gl).
Proof.
  intros a gl G. unfold Switch.save_host, host_saved. unfold NIE_MAX_CPUS in C. eapply hold_cpu; [exact G|exact C| | |].
  - intros g F. rewrite !putn_field by (intros ->; discriminate). reflexivity.
  - intros g j F J. destruct (gvar_dec g cpus_host_sysreg) as [->|N].
    + rewrite at_putn by (try reflexivity; unfold REG_SWITCHED; lia). cbn [cpu_word] in J. rewrite J. now apply putn_other.
    + rewrite putn_other by auto. destruct (gvar_dec g cpus_host_x) as [->|N']; [|now rewrite putn_other].
      rewrite at_putn by (try reflexivity; lia). cbn [cpu_word] in J. now rewrite J.
  - destruct (g_cpus _ _ G c C). constructor; intros; try (rewrite !putn_other by discriminate; auto; fail).
    + rewrite putn_other by discriminate. rewrite at_putn by (try reflexivity; lia). replace ((c * 31 <=? c * 31 + i0) && (c * 31 + i0 <? c * 31 + 31))%bool with true by lia.
      replace (c * 31 + (c * 31 + i0 - c * 31)) with (c * 31 + i0) by lia. now apply h_x.
    + unfold REG_SWITCHED in *. rewrite at_putn by (try reflexivity; lia). replace ((c * 28 <=? c * 28 + i0) && (c * 28 + i0 <? c * 28 + 28))%bool with true by lia.
      change (Map.get (here a) (c * 28 + i0 - c * 28) = Map.get (here a) i0). f_equal. lia.
Qed.

Lemma loaded_holds : forall a gl p, globals_hold a gl -> (forall j, is_word j = true -> m (p * 512 + j) = saved_at a v i j) ->
  globals_hold (Switch.load_vcpu c v i a) (putn 31 cpus_x (c * 31) (fun j => m (p * 512 + j)) gl) /\
  here (Switch.load_vcpu c v i a) = loaded m p (here a) /\ fp_here (Switch.load_vcpu c v i a) = loaded_fp m p.
Proof.
  intros a gl p G S. unfold NIE_MAX_CPUS in C. split; [|split].
  - eapply holds_of with (a := set_cpu c (cpu_at a c <| cpu_x := fill 31 0 (fun n => saved_at a v i (CTX_X0 + n)) (Map.const 0) |>) a); try reflexivity.
    eapply hold_cpu; [exact G|exact C| | |].
    + intros g F. apply putn_field. intros ->. discriminate.
    + intros g j F J. destruct (gvar_dec g cpus_x) as [->|N]; [|now apply putn_other]. rewrite at_putn by (try reflexivity; lia). cbn [cpu_word] in J. now rewrite J.
    + destruct (g_cpus _ _ G c C). constructor; intros; try (rewrite !putn_other by discriminate; auto; fail).
      rewrite at_putn by (try reflexivity; lia). replace ((c * 31 <=? c * 31 + i0) && (c * 31 + i0 <? c * 31 + 31))%bool with true by lia.
      transitivity (Map.get (fill 31 0 (fun n => saved_at a v i (CTX_X0 + n)) (Map.const 0)) i0); [|reflexivity].
      rewrite get_fill by lia. replace ((0 <=? i0) && (i0 <? 0 + 31))%bool with true by lia. unfold CTX_X0. rewrite S by (unfold is_word; lia). f_equal. lia.
  - unfold loaded. change (here (Switch.load_vcpu c v i a)) with
      (Map.set (fill CTX_ICH_COUNT REG_ICH_VMCR_EL2 (fun r => saved_at a v i (CTX_ICH + r)) (fill REG_SWITCHED 0 (fun r => saved_at a v i (CTX_SYSREG + r)) (here a)))
        REG_VDISR_EL2 (saved_at a v i CTX_VDISR)).
    unfold CTX_ICH_COUNT, REG_SWITCHED, CTX_ICH, CTX_SYSREG, CTX_VDISR. rewrite (S 88) by reflexivity. f_equal.
    rewrite (fill_ext 3 REG_ICH_VMCR_EL2 (fun r => m (p * 512 + (80 + r))) (fun r => saved_at a v i (80 + r))) by (try lia; intros; apply S; unfold is_word; lia).
    f_equal. apply fill_ext; [lia|]. intros. symmetry. apply S. unfold is_word. lia.
  - unfold loaded_fp. change (fp_here (Switch.load_vcpu c v i a)) with (fill 66 0 (fun n => saved_at a v i (CTX_FP + n)) (Map.const 0)).
    apply fill_ext; [lia|]. intros. symmetry. apply S. unfold is_word, CTX_FP. lia.
Qed.

Definition with_lrs (a : state) : state := Switch.load_regs NIE_LRS REG_ICH_LR0_EL2 (fun n => said a c (RUN_IN_LR0 + n)) a.
Definition with_hcr (a : state) : state := set_here REG_ICH_HCR_EL2 (Z.lor ICH_HCR_EN (Z.land (said a c RUN_IN_ICH_HCR) ICH_HCR_ENABLES)) a.

(* The words of the run record that are loaded, and the controls. *)
Lemma lists_wp : forall a gl h f (rest : M MACH unit) (Q : unit -> MACH -> Prop), LIVE (here a) f h -> globals_hold a gl ->
  (forall h', LIVE (here (with_hcr (with_lrs a))) f h' -> wp rest Q (Mach gl h')) ->
  wp ((loop 0 NIE_LRS tt (fun i _ => t3 <- load cpus_in [c; wrap U32 (RUN_IN_LR0 + i)] ;; sysreg_write (wrap U32 (REG_ICH_LR0_EL2 + i)) t3 ;;; ret tt)) ;;;
      t4 <- load cpus_in [c; RUN_IN_ICH_HCR] ;; sysreg_write REG_ICH_HCR_EL2 (Z.lor ICH_HCR_EN (Z.land t4 ICH_HCR_ENABLES)) ;;; rest) Q (Mach gl h).
Proof.
  intros a gl h f rest Q L G H. unfold NIE_MAX_CPUS in C.
  assert (SAID : forall w, 0 <= w < 10 -> at1 cpus_in gl (c * 10 + w) = said a c w) by (intros w W; exact (h_in _ _ _ (g_cpus _ _ G c C) w W)).
  unfold NIE_LRS, RUN_IN_LR0, REG_ICH_LR0_EL2, RUN_IN_ICH_HCR in *. w_bind.
  apply wp_loop with (I := fun j _ s => exists h', LIVE (fill j 32 (fun n => said a c (6 + n)) (here a)) f h' /\ s = Mach gl h'); [lia|eauto| |].
  { intros j u s J (h1 & L1 & ->). rewrite !wrap32 by lia. w_bind. eapply x_load2; [reflexivity|lia|lia|]. cbn beta. rewrite SAID by lia.
    w_bind. eapply x_write; [exact L1|lia|unfold REG_VTTBR_EL2; lia|]. intros h2 L2. apply wp_ret. exists h2. split; auto. rewrite fill_next by lia. exact L2. }
  intros u s (h1 & L1 & ->). cbn beta. w_bind. eapply x_load2; [reflexivity|lia|lia|]. cbn beta. rewrite SAID by lia.
  w_bind. eapply x_write; [exact L1|unfold REG_ICH_HCR_EL2; lia|discriminate|]. intros h2 L2. cbn beta. apply H. exact L2.
Qed.

(* No entries of another vCPU of the VM are left to this one. *)
Lemma lasts_wp : forall a gl h rg f (rest : M MACH unit) (Q : unit -> MACH -> Prop), LIVE rg f h -> globals_hold a gl ->
  (forall gl' h', LIVE rg f h' -> globals_hold (set_last v c (i + 1) a) gl' -> only_run gl gl' -> wp rest Q (Mach gl' h')) ->
  wp (t5 <- load lasts_vcpu [v; c] ;;
      (if negb (t5 =? wrap U32 (i + 1)) then tlbi_vmid_local (wrap U32 (v + 1)) ;;; ic_invalidate ;;; dsb_ish ;;; isb ;;;
         store lasts_vcpu [v; c] (wrap U8 (wrap U32 (i + 1))) ;;; ret tt else ret tt) ;;; rest) Q (Mach gl h).
Proof.
  intros a gl h rg f rest Q L G H. pose proof C as C8. pose proof V as V64. pose proof I as I8. unfold NIE_MAX_CPUS, NIE_MAX_VMS, NIE_MAX_VCPUS in C8, V64, I8.
  w_bind. eapply x_load2; [reflexivity|lia|lia|]. cbn beta.
  assert (LA : at1 lasts_vcpu gl (v * 8 + c) = last_at a v c) by exact (g_lasts _ _ G v c V C). rewrite LA.
  rewrite (wrap32 (i + 1)) by lia. replace (wrap U8 (i + 1)) with (i + 1) by (unfold wrap; cbn [width]; lia).
  w_bind. destruct (Z.eqb_spec (last_at a v c) (i + 1)) as [E|N]; cbn [negb].
  - apply wp_ret. eapply H; [exact L| |apply or_refl]. destruct G. constructor; try assumption. intros w d W D.
    transitivity (Map.get (Map.set (lasts a) (v * NIE_MAX_CPUS + c) (i + 1)) (w * NIE_MAX_CPUS + d)); [|reflexivity]. rewrite Map.get_set.
    destruct (Z.eqb_spec (w * NIE_MAX_CPUS + d) (v * NIE_MAX_CPUS + c)) as [X|X]; [|exact (g_lasts w d W D)].
    rewrite <- E. unfold NIE_MAX_CPUS in *. replace w with v by lia. replace d with c by lia. now apply g_lasts.
  - w_bind. eapply x_tlbi_local; [exact L|]. intros h1 L1. cbn beta. w_bind. eapply x_ic; [exact L1|]. intros h2 L2. cbn beta.
    w_bind. eapply x_dsb; [exact L2|]. intros h3 L3. cbn beta. w_bind. eapply x_isb; [exact L3|]. intros h4 L4. cbn beta.
    w_bind. eapply x_store2; [reflexivity|lia|lia|]. apply wp_ret. eapply H; [exact L4|eapply hold_last; eauto|]. apply or_put; auto using or_refl.
Qed.

Definition controlled (a : state) : state := Switch.controls_vcpu v i (with_hcr (with_lrs (Switch.load_vcpu c v i (Switch.save_host c (taken_up a))))).
Lemma enter_stages : forall a, Switch.enter_vcpu c v i a = Switch.take_answer c v i (set_last v c (i + 1) (controlled a)).
Proof. intro a. unfold Switch.enter_vcpu, controlled, with_hcr, with_lrs, taken_up. cbv zeta. reflexivity. Qed.
Lemma here_last : forall n a, here (set_last v c n a) = here a.
Proof. reflexivity. Qed.
Lemma fp_last : forall n a, fp_here (set_last v c n a) = fp_here a.
Proof. reflexivity. Qed.
Lemma answer_fp : forall a, fp_here (Switch.take_answer c v i a) = fp_here a.
Proof.
  intro a. unfold Switch.take_answer. cbv zeta. destruct (_ =? PENDING_CALL); [reflexivity|]. destruct (_ || _)%bool; [reflexivity|].
  destruct (_ =? PENDING_READ); [|reflexivity]. unfold Registers.set_gpr. destruct (_ <? 31); reflexivity.
Qed.

Theorem enter_vcpu_wp : forall a gl h (Q : unit -> MACH -> Prop), LIVE (here a) (fp_here a) h -> globals_hold a gl ->
  let p := context_page (vcpu_at a v i) in Machine.in_ram h0 p = true -> ~ touch A p -> (forall j, is_word j = true -> m (p * 512 + j) = saved_at a v i j) ->
  0 <= running (vm_at a v) < 2 ^ 31 -> 0 <= root (vm_at a v) < 2 ^ 36 -> A (v + 1) 0 0 (root (vm_at a v) * 4096) ->
  (forall gl' h', let b := Switch.enter_vcpu c v i a in LIVE (here b) (fp_here b) h' -> globals_hold b gl' -> only_run gl gl' -> Q tt (Mach gl' h')) ->
  wp (enter_vcpu c v i) Q (Mach gl h).
Proof.
  intros a gl h Q L G p PR NT SV RN RT HA H. cbn zeta in H. pose proof C as C8. pose proof V as V64. pose proof I as I8. unfold NIE_MAX_CPUS, NIE_MAX_VMS, NIE_MAX_VCPUS in C8, V64, I8.
  assert (KB : 0 <= k < 512) by (unfold NIE_MAX_VCPUS; lia). unfold enter_vcpu.
  rewrite (wrap32 (v * NIE_MAX_VCPUS)), wrap32 by (unfold NIE_MAX_VCPUS in *; lia).
  w_bind. unfold index at 1. replace ((0 <=? k) && (k <? 512))%bool with true by lia. apply wp_ret.
  do 2 (w_bind; eapply wp_store1; [reflexivity|exact KB|]; cbn beta).
  w_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite !at_put by reflexivity.
  replace (if gvar_dec vms_running vcpus_cpu then _ else _) with (running (vm_at a v)) by (symmetry; exact (h_running _ _ _ (g_vms _ _ G v V))).
  rewrite (wrap32 (_ + 1)) by lia. w_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta. do 2 (w_bind; eapply wp_store1; [reflexivity|lia|]; cbn beta).
  fold (taken_gl a gl). pose proof (taken_holds a gl G) as G1. set (a3 := taken_up a) in *.
  w_bind. eapply save_host_wp; [exact C8|exact L|]. intros h1 L1. cbn beta.
  pose proof (saved_holds _ _ G1) as G4. change (here a3) with (here a) in G4. set (g4 := host_saved c (here a) (taken_gl a gl)) in *. set (a4 := Switch.save_host c a3) in *.
  w_bind. eapply wp_load1; [reflexivity|exact KB|]. cbn beta.
  assert (VC : vcpu_at a4 v i = vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |>).
  { transitivity (vcpu_at (set_vcpu v i (vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |>) a) v i); [reflexivity|]. rewrite vcpu_at_put by auto. now rewrite !Z.eqb_refl. }
  replace (at1 vcpus_context g4 k) with p.
  2:{ symmetry. rewrite (h_context _ _ _ (g_vcpus _ _ G4 v i V I)), VC. reflexivity. }
  w_bind. eapply load_vcpu_wp; [exact C8|exact PR|exact NT|exact L1|]. intros h2 L2. cbn beta.
  destruct (loaded_holds a4 g4 p G4 SV) as (G5 & E5 & F5). change (here a4) with (here a) in E5. set (g5 := putn 31 _ _ _ g4) in *. set (a5 := Switch.load_vcpu c v i a4) in *.
  rewrite <- E5, <- F5 in L2. eapply lists_wp; [exact L2|exact G5|]. intros h3 L3.
  assert (RA : vm_at a5 v = vm_at a v <| running ::= fun n => n + 1 |>).
  { transitivity (vm_at (set_vm v (vm_at a v <| running ::= fun n => n + 1 |>) a) v); [reflexivity|]. now rewrite vm_at_put, Z.eqb_refl. }
  assert (R1 : at1 vms_root g5 v = root (vm_at a v)) by (destruct (g_vm _ _ G5 v V) as (_ & -> & _); now rewrite RA).
  assert (R2 : at1 vms_cntvoff g5 v = cntvoff (vm_at a5 v)) by (apply (h_cntvoff _ _ _ (g_vms _ _ G5 v V))).
  assert (O5 : only_run gl g5).
  { unfold g5, g4, host_saved, taken_gl. do 3 (apply or_putn; [reflexivity|]). do 5 (apply or_put; [reflexivity|]). apply or_refl. }
  clearbody g5. assert (RT' : 0 <= at1 vms_root g5 v < 2 ^ 36) by (rewrite R1; exact RT).
  assert (HA' : A (v + 1) 0 0 (at1 vms_root g5 v * 4096)) by (rewrite R1; exact HA).
  w_bind. eapply world_enters.controls_vcpu_wp with (v := v) (i := i); [exact L3|exact V64|exact I8|exact RT'|exact HA'|]. intros h4 L4. cbn beta.
  set (a7 := with_hcr (with_lrs a5)) in *. set (a8 := Switch.controls_vcpu v i a7).
  assert (L5 : LIVE (here a8) (fp_here a8) h4).
  { eapply live_ext; [exact L4| |reflexivity]. rewrite R1, R2. unfold a8, Switch.controls_vcpu. cbn [Registers.set_regs fold_left fst snd].
    change (vm_at a7 v) with (vm_at a5 v). rewrite RA. reflexivity. }
  eapply (lasts_wp a8); [exact L5|eapply holds_of; [exact G5|reflexivity..]|]. intros g6 h5 L6 G6 O6. rewrite <- (here_last (i + 1) a8) in L6.
  w_bind. eapply (mmio_answer_wp h0 c A m (fp_here a8) n v i C V I (set_last v c (i + 1) a8)); [exact L6|exact G6|]. intros g7 h6. cbn zeta. intros L7 G7 O7. cbn beta. apply wp_ret.
  rewrite enter_stages in H. change (controlled a) with a8 in H. apply H; [|exact G7|eapply or_trans; [exact O5|eapply or_trans; eauto]]. eapply live_ext; [exact L7|reflexivity|].
  now rewrite answer_fp, fp_last.
Qed.
End Enter.
