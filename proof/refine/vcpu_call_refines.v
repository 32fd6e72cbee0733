(* SPDX-License-Identifier: Apache-2.0 *)
(* What a VM asks for by HVC or SMC: PSCI, its pages, the host. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.trap_h nie.generated.state.world nie.generated.state.context nie.generated.state.stage2
  nie.generated.trap.vcpu_call.
From nie.spec Require Import Core.
From nie.proof.refine Require Export vcpu_traps.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** PSCI CPU_ON. *)

(* A vCPU's state goes from OFF to READY. *)
Lemma put_ready : forall c v i a vt gl h t, runs a c v i -> mid c vt a (Mach gl h) -> 0 <= t < NIE_MAX_VCPUS -> vcpu_state (vcpu_at a v t) = VCPU_OFF ->
  mid c vt (set_vcpu v t (vcpu_at a v t <| vcpu_state := VCPU_READY |>) a) (Mach (put1 vcpus_state (v * NIE_MAX_VCPUS + t) VCPU_READY gl) h).
Proof.
  intros c v i a vt gl h t RU MI T OFF. pose proof MI as [SO AR OC (m & W & TH) RM EN ME CC VT MO]. cbn [glob hw] in *.
  destruct (vcpu_facts c v i a RU _ _ MI) as ([V I ST CP NF CX RN] & _). pose proof (mid_vcpu _ _ _ _ v t MI V T) as []. cbn [glob] in *.
  constructor; cbn [glob hw]; auto.
  - eapply step_sound; [exact CC|eapply TurnsOn; eauto|exact SO].
  - apply rest_vcpu; auto. constructor; rewrite at_put by reflexivity; cbn; rewrite ?Z.eqb_refl; auto.
  - exists m. split; [exact W|]. destruct TH. constructor; assumption.
  - apply man_put; auto; discriminate.
Qed.

Lemma reset_wp : forall c v i a gl h t entry x (Q : unit -> mach globals Machine.hw -> Prop), runs a c v i -> mid c (vttbr_of a) a (Mach gl h) ->
  0 <= t < NIE_MAX_VCPUS -> vcpu_state (vcpu_at a v t) = VCPU_OFF ->
  (forall b s', steps c a b -> runs b c v i -> vcpu_state (vcpu_at b v t) = VCPU_OFF -> mid c (vttbr_of b) b s' -> Q tt s') ->
  wp (context_reset v t entry x) Q (Mach gl h).
Proof.
  intros c v i a gl h t entry x Q RU MI T OFF H.
  destruct (vcpu_facts c v i a RU _ _ MI) as ([V I ST CP NF CX RN] & C & _).
  pose proof (mi_sound _ _ _ _ MI) as [WF ON]. unfold NIE_MAX_VMS in V. pose proof T as T'. unfold NIE_MAX_VCPUS in T'.
  destruct (u_some _ (wf_u _ WF) v t V T) as (_ & _ & _ & X1 & X2 & _); [rewrite OFF; discriminate|].
  assert (MN : mine a c v i t) by (split; [auto|]; split; auto).
  unfold context_reset. set (k := v * NIE_MAX_VCPUS + t). assert (KB : 0 <= k < 512) by (unfold k, NIE_MAX_VCPUS; lia).
  assert (KE : wrap U32 (wrap U32 (v * NIE_MAX_VCPUS) + t) = k) by (unfold k, NIE_MAX_VCPUS in *; rewrite !wrap32; rewrite ?wrap32; lia).
  rewrite KE. apply wp_bind. unfold index. replace ((0 <=? k) && (k <? 512))%bool with true by lia. apply wp_ret.
  apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta.
  pose proof (mid_vcpu _ _ _ _ v t MI V T) as [_ HC _ _ HP HS]. cbn [glob] in *. fold k in HC, HP, HS. rewrite HC.
  apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta.
  set (r1 := vcpu_at a v t <| pending := PENDING_NONE |>). set (a1 := set_vcpu v t r1 a).
  assert (M1 : mid c (vttbr_of a1) a1 (Mach (put1 vcpus_pending k PENDING_NONE gl) h)).
  { change (vttbr_of a1) with (vttbr_of a). eapply put_asks; [exact RU|exact MI|exact MN|exact Logic.I|repeat split| |]; fold k.
    - rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl.
    - rewrite at_put_other by (try reflexivity; discriminate). symmetry. exact HS. }
  assert (E1 : vcpu_at a1 v t = r1) by (unfold a1; rewrite vcpu_at_put, !Z.eqb_refl by auto; reflexivity).
  assert (RU1 : runs a1 c v i) by exact RU.
  assert (MN1 : mine a1 c v i t). { split; [auto|]. split; auto. right. rewrite E1. exact OFF. }
  apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta.
  set (r2 := r1 <| syndrome := 0 |>). set (a2 := set_vcpu v t r2 a1).
  assert (M2 : mid c (vttbr_of a2) a2 (Mach (put1 vcpus_syndrome k 0 (put1 vcpus_pending k PENDING_NONE gl)) h)).
  { change (vttbr_of a2) with (vttbr_of a1). eapply put_asks; [exact RU1|exact M1|exact MN1|exact Logic.I|rewrite E1; repeat split| |]; fold k.
    - rewrite at_put_other by (try reflexivity; discriminate). rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl.
    - rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl. }
  assert (E2 : vcpu_at a2 v t = r2) by (unfold a2; rewrite vcpu_at_put, !Z.eqb_refl by auto; reflexivity).
  assert (RU2 : runs a2 c v i) by exact RU.
  assert (MN2 : mine a2 c v i t). { split; [auto|]. split; auto. right. rewrite E2. exact OFF. }
  set (p := context_page (vcpu_at a v t)) in *.
  assert (EQ : wp (bind (page_zero p ;;; page_write p CTX_X0 x ;;; page_write p 32 SCTLR_EL1_RESET ;;; page_write p 58 entry ;;; page_write p 59 PSTATE_EL1H_MASKED)
      (fun _ => dsb_ish)) Q (Mach (put1 vcpus_syndrome k 0 (put1 vcpus_pending k PENDING_NONE gl)) h)).
  { eapply (saved_wp c (vttbr_of a2) a2 _ v t p); eauto.
    - split; [auto|]. split; [auto|]. rewrite E2. reflexivity.
    - intros V2 fine FV FP. assert (IR := in_ram_hw _ _ _ _ M2 p X1). cbn [hw] in *. assert (NT := context_untouched _ _ _ _ M2 p v t X1 X2).
      eapply k_bind with (P := any); [now apply k_page_zero|intros _ _].
      do 3 (eapply k_bind with (P := any); [apply k_page_write; auto; reflexivity|intros _ _]). apply k_page_write; auto; reflexivity.
    - intros w s' M3 _. apply (H (set_saved v t w a2)); auto.
      + eapply more_steps; [apply (Asks c a v i t r1 MN); repeat split|]. eapply more_steps; [apply (Asks c a1 v i t r2 MN1); rewrite E1; repeat split|].
        apply one_step. apply (Saves c a2 v i t w MN2).
      + change (vcpu_state (vcpu_at a2 v t) = VCPU_OFF). rewrite E2. exact OFF. }
  clear - EQ. revert EQ. unfold wp, bind, ret.
  repeat match goal with |- context [match ?m ?s with _ => _ end] => destruct (m s) as [[[] ?]|]; auto end.
Qed.
