(* SPDX-License-Identifier: Apache-2.0 *)
(* host_abort, exactly: what the host touched and may not is answered as spec/trap/host_abort.v says. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.spec.trap Require boot host_abort.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning vcpu_run_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.trap_h nie.generated.state.granule nie.generated.state.host nie.generated.state.inject
  nie.generated.trap.mmio nie.generated.trap.host_abort.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation boot_map world_enters inject_exact.
From nie.proof.refine Require Export host_smc_exact.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_abort := nie.spec.trap.host_abort.host_abort.
Notation spec_gicr := nie.spec.trap.host_abort.gicr_read.
Notation spec_access := nie.spec.trap.host_abort.redistributor_access.

Lemma decodable_run : forall e (s : MACH), mmio_decodable e s = Some (b2z (Registers.mmio_decodable e), s).
Proof. intros e s. unfold mmio_decodable, Registers.mmio_decodable, Registers.has, ret. now rewrite !negb_involutive. Qed.

(** Who may access a page. *)

Lemma described_words : forall w a gl, described w a gl -> (forall i, 0 <= i < MAN_END -> 0 <= w i < 2 ^ 64) /\ (forall i, 0 <= i < MAN_END -> at1 config_word gl i = w i) /\
  w MAN_CPUS <= NIE_MAX_CPUS /\ w MAN_DEVICES <= MAN_MAX_DEVICES.
Proof.
  intros w a gl D. pose proof (described_cpus _ _ _ D) as [_ BC]. destruct D as (C & K & W). rewrite C in BC. split; [intros i I; now apply W|]. split; [intros i I; now apply W|].
  split; [apply BC|]. unfold nie.spec.trap.boot.manifest_check in K. destruct (_ =? _); [|discriminate]. destruct (nie.spec.trap.boot.ram_ok w); [|discriminate].
  destruct (nie.spec.trap.boot.cpus_ok w); [|discriminate]. destruct (nie.spec.trap.boot.devices_ok w) eqn:E; [|discriminate].
  unfold nie.spec.trap.boot.devices_ok in E. rewrite !andb_true_iff in E. lia.
Qed.
Lemma redistributor_is : forall w a gl (h : Machine.hw) p, described w a gl -> 0 <= p < 2 ^ 64 ->
  is_redistributor_base p (Mach gl h) = Some (b2z (nie.spec.trap.host_abort.is_redistributor_base a p), Mach gl h).
Proof.
  intros w a gl h p D P. destruct (described_words _ _ _ D) as (S & CW & FEW & DEV). destruct D as (C & _ & _).
  rewrite (redistributor_run w gl S FEW CW h p P). unfold nie.spec.trap.host_abort.is_redistributor_base, nie.spec.trap.boot.withheld. now rewrite C.
Qed.
Lemma access_is : forall w a gl (h : Machine.hw) p, described w a gl -> globals_hold a gl -> wf_cfg a -> 0 <= p < 2 ^ 64 ->
  nie.generated.state.host.host_may_access p (Mach gl h) = Some (b2z (State.host_may_access a p), Mach gl h).
Proof.
  intros w a gl h p D G WC P. destruct (described_words _ _ _ D) as (S & CW & FEW & DEV). destruct D as (C & _ & _).
  apply known_of_wp. unfold nie.generated.state.host.host_may_access, State.host_may_access. w_bind. w_known granule_exists_run; eauto.
  destruct (in_ram a p) eqn:R; cbn [b2z Z.eqb].
  - w_bind. w_known granule_get_run; eauto. destruct (own a p); cbn [owner_words]; w_ret; auto.
  - w_bind. eapply wp_known; [exact (device_run w a gl S FEW DEV CW C h p P)|]. cbn beta iota. w_ret. auto.
Qed.

Section Abort.
Variables (c : Z) (o : Z -> owner) (s0 : MACH).
Notation at_ := (stands c o s0).
Notation POST X := (X -> MACH -> Prop).
Notation after := (after_asking c o s0).
Notation ins := (inputs_from (hw s0)).

(** The redistributor. What is written to it has no place in the model. *)

Lemma device_wp : forall a s t f v (Q : POST unit), at_ a s -> (forall s', at_ a s' -> Q tt s') -> wp (gicr_write t f v) Q s.
Proof.
  intros a [gl h] t f v Q A H. destruct (at_live _ _ _ _ _ _ A) as (m & L & T). change (Q tt (Mach gl (others h))). apply H.
  eapply at_alike; eauto using alike_refl, ot_refl, live_others; [exact (at_globals _ _ _ _ _ A)|apply silent_others, silent_refl].
Qed.
Lemma ask_wp : forall a s t f n (Q : POST Z), at_ a s -> (forall s', after a s' -> Q (ins 0%nat) s') -> wp (gicr_read t f n) Q s.
Proof. intros a s t f n Q A H. change (wp (on_hw input) Q s). eapply at_input; [exact A|]. intros s1 A1 _ K. apply H. split; eauto. Qed.
Lemma gicr_read_wp : forall a s t f n (Q : POST Z), at_ a s -> (forall s', after a s' -> Q (spec_gicr f ins) s') -> wp (gicr_filtered_read t f n) Q s.
Proof.
  intros a s t f n Q A H. unfold gicr_filtered_read. unfold spec_gicr in H. apply wp_bind. apply wp_ret.
  destruct (_ || _ || _ || _ || _)%bool.
  { apply wp_bind. eapply ask_wp; [exact A|]. intros s1 K. apply wp_ret. now apply H. }
  destruct (f =? GICR_TYPER); [|apply wp_ret, H; now apply after_nothing].
  apply wp_bind. eapply ask_wp; [exact A|]. intros s1 K. apply wp_ret. exact (H _ K).
Qed.
Lemma gicr_write_wp : forall a s t f v (Q : POST unit), at_ a s -> (forall s', at_ a s' -> Q tt s') -> wp (gicr_filtered_write t f v) Q s.
Proof.
  intros a s t f v Q A H. unfold gicr_filtered_write. apply wp_bind.
  assert (K : forall s1, at_ a s1 -> wp (if f =? GICR_WAKER then gicr_write t f v ;;; ret tt else ret tt) Q s1).
  { intros s1 A1. destruct (f =? GICR_WAKER); [|apply wp_ret; auto]. apply wp_bind. eapply device_wp; [exact A1|]. intros s2 A2. apply wp_ret. auto. }
  destruct (f =? GICR_CTLR); [|apply wp_ret; auto]. apply wp_bind. eapply device_wp; [exact A|]. intros s2 A2. apply wp_ret. auto.
Qed.

Lemma access_wp : forall a s page esr (Q : POST unit), at_ a s -> (forall s', after (snd (spec_access c page esr ins a)) s' -> Q tt s') ->
  wp (redistributor_access c page esr) Q s.
Proof.
  intros a s page esr Q A H. unfold redistributor_access. unfold spec_access in H. cbv zeta in H.
  apply wp_bind. eapply at_read; [exact A|vm_compute; split; congruence|]. intros s1 A1 _. cbn beta.
  apply wp_bind. apply wp_ret. apply wp_bind. eapply wp_known; [apply width_run|]. cbn beta. apply wp_bind. apply wp_ret. apply wp_bind. apply wp_ret.
  rewrite !land_wrap32 by lia. rewrite (field_is esr 16 5) by (lia || reflexivity). change (Registers.field esr 16 5) with (Registers.mmio_register esr).
  replace (Z.land (Registers.reg_of a REG_FAR_EL2) 4095) with (Registers.field (Registers.reg_of a REG_FAR_EL2) 0 12) by (symmetry; apply (field_is _ 0 12); lia || reflexivity).
  assert (R0 : 0 <= Registers.mmio_register esr) by (unfold Registers.mmio_register, Registers.field; lia).
  apply wp_bind. destruct s1 as [gl1 h1]. eapply wp_load1; [reflexivity|vm_compute; split; congruence|]. cbn beta. apply wp_bind. apply wp_ret.
  apply wp_bind. change (negb (Z.land esr ISS_WNR =? 0)) with (Registers.has esr ISS_WNR). destruct (Registers.has esr ISS_WNR).
  - apply wp_bind. eapply at_gpr_read; [exact A1|exact R0|]. cbn beta. apply wp_bind. eapply gicr_write_wp; [exact A1|]. intros s2 A2. apply wp_ret.
    apply wp_bind. eapply at_skip; [exact A2|]. intros s3 A3. apply wp_ret. apply H. cbn [snd]. now apply after_nothing.
  - apply wp_bind. eapply gicr_read_wp; [exact A1|]. intros s2 K2. cbn beta. apply wp_bind.
    destruct (width_cases esr) as (e & _ & E2 & E). fold (width_exp e) in E.
    assert (W32 : wrap U32 (Registers.mmio_width esr) = 2 ^ e) by (unfold Registers.mmio_width; rewrite E2; destruct E as [-> | [-> | [-> | ->]]]; reflexivity).
    rewrite W32. eapply wp_known; [apply truncate_run; exact E|]. cbn beta. apply wp_bind.
    eapply at_gpr_write; [apply K2|exact R0|]. intros s3 A3. apply wp_ret. apply wp_bind. eapply at_skip; [exact A3|]. intros s4 A4. apply wp_ret.
    apply H. cbn [snd]. unfold Registers.mmio_width. rewrite E2. eapply after_more; [exact K2|exact A4].
Qed.

Theorem abort_exact : forall w a s esr (Q : POST unit), at_ a s -> described w a (glob s) ->
  (forall s', after (snd (spec_abort c esr ins a)) s' -> Q tt s') -> wp (host_abort c esr) Q s.
Proof.
  intros w a s esr Q A D H. unfold host_abort. unfold spec_abort in H. cbv zeta in H.
  apply wp_bind. eapply at_read; [exact A|vm_compute; split; congruence|]. intros s1 A1 G1. cbn beta.
  apply wp_bind. eapply at_read; [exact A1|vm_compute; split; congruence|]. intros s2 A2 G2. cbn beta.
  rewrite G1 in G2. rewrite <- G2 in D. destruct s2 as [gl h]. cbn [glob] in *. pose proof (at_globals _ _ _ _ _ A2) as G. cbn [glob] in G.
  assert (WC : wf_cfg a) by exact (wf_c _ (so_wf _ (at_sound _ _ _ _ _ A2))).
  apply wp_bind. eapply wp_known; [apply fault_run|]. cbn beta. set (page := Registers.fault_page (Registers.reg_of a REG_HPFAR_EL2)) in *.
  assert (P : 0 <= page < 2 ^ 64) by (unfold page, Registers.fault_page, Registers.field; lia).
  apply wp_bind. apply wp_ret. apply wp_bind. eapply wp_known; [apply class_run|]. cbn beta. apply wp_bind. apply wp_ret.
  change (Z.land esr FSC_TYPE =? FSC_TRANSLATION) with (Registers.is_translation esr). set (tr := Registers.is_translation esr) in *.
  set (da := Registers.exception_class esr =? EC_DATA_ABORT) in *.
  assert (NB : forall b, negb (b2z b =? 0) = b) by (now intros []). rewrite !NB. clearbody tr da.
  assert (FIN : wp (if tr && da && negb (Z.land (Registers.reg_of a REG_SPSR_EL2) 15 =? 0) && (Z.land esr ISS_S1PTW =? 0)
      then inject_abort esr FSC_PERMISSION_3 ;;; ret tt else inject_abort esr FSC_EXTERNAL ;;; ret tt)
    (fun _ s' => after (Registers.inject_abort esr (if tr && da && Registers.has (Registers.reg_of a REG_SPSR_EL2) 0xf && negb (Registers.has esr ISS_S1PTW)
       then FSC_PERMISSION_3 else FSC_EXTERNAL) a) s') (Mach gl h)).
  { unfold Registers.has. rewrite (negb_involutive (Z.land esr ISS_S1PTW =? 0)).
    match goal with |- wp (if ?b then _ else _) _ _ => destruct b end; apply wp_bind; (eapply at_abort; [exact A2|]; intros s3 A3; apply wp_ret; now apply after_nothing). }
  apply wp_bind. destruct tr; cbn [andb] in H |- *.
  - apply wp_bind. eapply wp_known; [exact (access_is w a gl h page D G WC P)|]. cbn beta. apply wp_ret. rewrite NB.
    destruct (State.host_may_access a page); [apply wp_ret, H; now apply after_nothing|].
    apply wp_bind. destruct da; cbn [andb] in H |- *.
    + apply wp_bind. eapply wp_known; [exact (redistributor_is w a gl h page D P)|]. cbn beta. apply wp_ret. rewrite NB.
      apply wp_bind. destruct (nie.spec.trap.host_abort.is_redistributor_base a page); cbn [andb] in H |- *.
      * apply wp_bind. eapply wp_known; [apply decodable_run|]. cbn beta. apply wp_ret. rewrite NB.
        destruct (Registers.mmio_decodable esr); [|eapply wp_weaken; [exact FIN|]; intros [] s3 K; now apply H].
        apply wp_bind. eapply access_wp; [exact A2|]. intros s3 K. apply wp_ret. now apply H.
      * apply wp_ret. eapply wp_weaken; [exact FIN|]. intros [] s3 K. now apply H.
    + apply wp_ret. apply wp_bind. apply wp_ret. eapply wp_weaken; [exact FIN|]. intros [] s3 K. now apply H.
  - apply wp_ret. apply wp_bind. apply wp_ret. apply wp_bind. apply wp_ret. eapply wp_weaken; [exact FIN|]. intros [] s3 K. now apply H.
Qed.
End Abort.
