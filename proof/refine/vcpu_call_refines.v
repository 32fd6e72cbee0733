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

Lemma wp_load2 : forall (H : Type) g d e i j gl (h : H) (Q : Z -> mach globals H -> Prop), dims g = [d; e] -> 0 <= i < d -> 0 <= j < e ->
  Q (at1 g gl (i * e + j)) (Mach gl h) -> wp (load g [i; j]) Q (Mach gl h).
Proof. intros H g d e i j gl h Q E I J X. eapply wp_known; [|exact X]. unfold load. rewrite E, place2 by auto. reflexivity. Qed.

Section Calls.
Variables (c v i : Z) (a : state).
Hypothesis RU : runs a c v i.
Notation MACH := (mach globals Machine.hw).

Lemma argument_wp : forall f x (Q : Z -> MACH -> Prop) s, 0 <= x < 2 ^ 64 -> (forall r, 0 <= r < 2 ^ 64 -> Q r s) -> wp (smccc_argument f x) Q s.
Proof.
  intros f x Q s X H. unfold smccc_argument. destruct (negb _); apply wp_ret; apply H; auto.
  change 0xffffffff with (Z.ones 32). rewrite Z.land_ones by lia. assert (0 <= x mod 2 ^ 32 < 2 ^ 32) by (apply Z.mod_pos_bound; lia). lia.
Qed.

Lemma put_x : forall vt s x (Q : unit -> MACH -> Prop), mid c vt a s -> (forall s', mid c vt a s' -> Q tt s') -> wp (store cpus_x [c; 0] x) Q s.
Proof.
  intros vt s x Q MI H. pose proof (mi_c _ _ _ _ MI) as C. unfold NIE_MAX_CPUS in C.
  eapply wp_weaken; [eapply (run_quiet _ _ _ _ MI) with (P := any); intros; eapply k_store2; [reflexivity|lia|lia|reflexivity|reflexivity]|].
  cbn beta. intros [] s' (M & _ & _). auto.
Qed.

Lemma flush_quiet : forall cc gl0 hw0 A (V : Z -> Z -> Prop) (fine : (Z -> Z) -> Prop) (w : Z), (forall m, fine m -> forall x d, now m x d -> V x d) -> keeps cc gl0 hw0 A V fine (s2_flush w) any.
Proof. intros cc gl0 hw0 A V fine w FV. pose proof (q_dsb cc gl0 hw0 A V fine FV). unfold s2_flush. quiet. Qed.

Lemma vcpu_on_wp : forall gl h f (Q : unit -> MACH -> Prop), mid c (vttbr_of a) a (Mach gl h) -> x_ok c gl ->
  (forall s', after c a s' -> Q tt s') -> wp (vcpu_on c f) Q (Mach gl h).
Proof.
  intros gl h f Q MI XO H. destruct (vcpu_facts c v i a RU _ _ MI) as ([V I ST CP NF CX RN] & C & E1 & E2 & CNT). cbn [glob] in *.
  pose proof V as V'. unfold NIE_MAX_VMS in V'. destruct (mid_vm _ _ _ _ v MI V) as ([_ HV _ _ _ _] & _ & _ & E3 & E4). cbn [glob] in *.
  assert (HQ : forall s', mid c (vttbr_of a) a s' -> Q tt s') by (intros; apply H; now apply after_quiet).
  unfold vcpu_on. apply wp_bind. unfold index. replace ((0 <=? c) && (c <? 8))%bool with true by lia. apply wp_ret.
  apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite E1.
  apply wp_bind. eapply wp_load2; [reflexivity|lia|lia|]. cbn beta. apply wp_bind. apply argument_wp; [apply XO; lia|]. intros target HT. cbn beta.
  apply wp_bind. eapply wp_load2; [reflexivity|lia|lia|]. cbn beta. apply wp_bind. apply argument_wp; [apply XO; lia|]. intros entry HE. cbn beta.
  apply wp_bind. eapply wp_load2; [reflexivity|lia|lia|]. cbn beta. apply wp_bind. apply argument_wp; [apply XO; lia|]. intros arg HA. cbn beta.
  apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite HV.
  destruct (Z.leb_spec (vcpu_count (vm_at a v)) target) as [L|L].
  { apply wp_bind. eapply put_x; [exact MI|]. intros s' M. apply wp_ret. auto. }
  assert (T : 0 <= target < NIE_MAX_VCPUS) by (unfold NIE_MAX_VCPUS; lia).
  set (k := v * NIE_MAX_VCPUS + target). assert (KB : 0 <= k < 512) by (unfold k, NIE_MAX_VCPUS; lia).
  assert (KE : wrap U64 (wrap U32 (v * NIE_MAX_VCPUS) + target) = k) by (unfold k, NIE_MAX_VCPUS in *; rewrite wrap32 by lia; rewrite wrap64; lia).
  rewrite KE. apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta.
  pose proof (mid_vcpu _ _ _ _ v target MI V T) as [HST _ _ _ _ _]. cbn [glob] in HST. fold k in HST. rewrite HST.
  destruct (Z.eqb_spec (vcpu_state (vcpu_at a v target)) VCPU_OFF) as [OFF|OFF]; cbn [negb].
  2:{ apply wp_bind. eapply put_x; [exact MI|]. intros s' M. apply wp_ret. auto. }
  apply wp_bind. eapply wp_known; [apply page_of_run|]. cbn beta.
  apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta.
  destruct (_ <=? wrap U64 _).
  { apply wp_bind. eapply put_x; [exact MI|]. intros s' M. apply wp_ret. auto. }
  rewrite (wrap32 target) by (unfold NIE_MAX_VCPUS in T; lia).
  apply wp_bind. eapply reset_wp; eauto. intros b [gl1 h1] SB RB OB MB. cbn beta.
  apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta.
  pose proof (put_ready c v i b _ gl1 h1 target RB MB T OB) as MR. fold k in MR.
  set (d := set_vcpu v target _ b) in MR. change (vttbr_of b) with (vttbr_of d) in MR. assert (RD : runs d c v i) by exact RB.
  assert (SD : steps c a d) by (eapply steps_trans; [exact SB|]; apply one_step; eapply TurnsOn; eauto).
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ MR) with (P := any); intros; now apply flush_quiet|]. cbn beta. intros _ s3 (M3 & _ & _).
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ M3) with (P := any); intros; now apply k_ic|]. cbn beta. intros _ s4 (M4 & _ & _).
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ M4) with (P := any); intros; eapply k_store2; [reflexivity|lia|lia|reflexivity|reflexivity]|].
  cbn beta. intros _ s6 (M6 & _ & _).
  apply wp_bind. eapply after_exit; eauto. intros s7 A7. apply wp_ret. apply H. eapply after_steps; eauto.
Qed.

(** The VM ends itself. *)

Lemma put_stopped : forall vt gl h, mid c vt a (Mach gl h) ->
  mid c vt (set_vm v (vm_at a v <| vm_state := NIE_VM_STOPPED |>) a) (Mach (put1 vms_state v NIE_VM_STOPPED gl) h).
Proof.
  intros vt gl h MI. pose proof MI as [SO AR OC (m & W & TH) RM EN ME CC VT MO]. cbn [glob hw] in *.
  destruct (vcpu_facts c v i a RU _ _ MI) as ([V I ST CP NF CX RN] & _).
  destruct (mid_vm _ _ _ _ v MI V) as (HM & E1 & E2 & E3 & E4). cbn [glob] in HM, E1, E2, E3, E4.
  set (r := vm_at a v <| vm_state := NIE_VM_STOPPED |>).
  assert (SM : same_map a (set_vm v r a)).
  { constructor; try reflexivity. intro w. rewrite vm_at_put. destruct (Z.eqb_spec w v) as [E|E]; [rewrite E|]; split; try reflexivity; split; auto; [discriminate|congruence]. }
  constructor; cbn [glob hw]; try assumption.
  - now apply stop_sound.
  - apply rest_vm; [exact AR|exact V|exact Logic.I| |].
    + rewrite at_put by reflexivity. cbn. rewrite Z.eqb_refl. repeat split; reflexivity.
    + destruct HM. constructor; rewrite ?at_put_other by (try reflexivity; discriminate); try assumption.
      unfold sha256_refines.hash_of, sha256_refines.hash_word in *. rewrite !at_put_other by (try reflexivity; discriminate). rewrite h_hash.
      unfold hash_of_vm. change (vm_state r) with NIE_VM_STOPPED. change (sealed r) with (sealed (vm_at a v)). change (build_log r) with (build_log (vm_at a v)).
      replace (vm_state (vm_at a v) =? NIE_VM_FREE) with false by lia. reflexivity.
  - exists m. split; [eapply settled_equiv; [|exact W]; intros; symmetry; now apply same_map_Aset|]. destruct TH. constructor; assumption.
  - apply man_put; auto; discriminate.
Qed.
Lemma stopped_vttbr : forall d, vttbr_of (set_vm v (vm_at a v <| vm_state := NIE_VM_STOPPED |>) a) d = vttbr_of a d.
Proof.
  intro d. apply vttbr_alike; try reflexivity. intro w. rewrite vm_at_put. destruct (Z.eqb_spec w v) as [E|E]; [rewrite E|]; reflexivity.
Qed.

Lemma system_end_wp : forall gl h r (Q : unit -> MACH -> Prop), mid c (vttbr_of a) a (Mach gl h) -> (forall s', after c a s' -> Q tt s') -> wp (system_end c r) Q (Mach gl h).
Proof.
  intros gl h r Q MI H. destruct (vcpu_facts c v i a RU _ _ MI) as ([V I ST CP NF CX RN] & C & E1 & E2 & CNT). cbn [glob] in *. unfold NIE_MAX_VMS in V.
  unfold system_end. apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite E1. apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta.
  apply wp_bind. eapply (after_exit c (set_vm v (vm_at a v <| vm_state := NIE_VM_STOPPED |>) a) _ v i).
  - eapply mid_eta; [eapply put_stopped; exact MI|]. intro d. now rewrite stopped_vttbr.
  - exact RU.
  - intros s' A. apply wp_ret. apply H. eapply after_steps; [|exact A]. apply one_step. eapply Stops; eauto.
Qed.

(** All calls. *)

Lemma exits_wp : forall gl h f (Q : Z -> MACH -> Prop), mid c (vttbr_of a) a (Mach gl h) -> x_ok c gl ->
  (forall s', after c a s' -> Q 1 s') -> Q 0 (Mach gl h) -> wp (vcpu_call_exits c f) Q (Mach gl h).
Proof.
  intros gl h f Q MI XO H H0. destruct (vcpu_facts c v i a RU _ _ MI) as ([V I ST CP NF CX RN] & C & E1 & E2 & CNT). cbn [glob] in *.
  unfold vcpu_call_exits. destruct (_ || _)%bool; [apply wp_bind; eapply vcpu_on_wp; eauto; intros; now apply wp_ret, H|].
  destruct (_ =? _); [apply wp_bind; eapply after_exit; eauto; intros; now apply wp_ret, H|].
  destruct (_ || _)%bool.
  { apply wp_bind. eapply put_x; [exact MI|]. intros s' M. apply wp_bind. eapply after_exit; [exact M|exact RU|]. intros. now apply wp_ret, H. }
  destruct (_ =? _); [apply wp_bind; eapply system_end_wp; eauto; intros; now apply wp_ret, H|].
  destruct (_ =? _); [apply wp_bind; eapply system_end_wp; eauto; intros; now apply wp_ret, H|].
  destruct (_ =? _); [|now apply wp_ret].
  apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite E1, E2.
  unfold NIE_MAX_VMS in V. pose proof I as I'. unfold NIE_MAX_VCPUS in I'. set (k := v * NIE_MAX_VCPUS + i). assert (KB : 0 <= k < 512) by (unfold k, NIE_MAX_VCPUS; lia).
  assert (KE : wrap U32 (wrap U32 (v * NIE_MAX_VCPUS) + i) = k) by (unfold k, NIE_MAX_VCPUS in *; rewrite !wrap32; rewrite ?wrap32; lia).
  rewrite KE. apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta.
  set (r := vcpu_at a v i <| pending := PENDING_CALL |>).
  assert (MN : mine a c v i i) by (split; [auto|]; split; auto).
  apply wp_bind. eapply (after_exit c (set_vcpu v i r a) _ v i).
  - change (vttbr_of (set_vcpu v i r a)) with (vttbr_of a).
    eapply put_asks; [exact RU|exact MI|exact MN|exact Logic.I|repeat split| |]; fold k.
    + rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl.
    + rewrite at_put_other by (try reflexivity; discriminate). symmetry. apply (mid_vcpu _ _ _ _ v i MI V I).
  - exact RU.
  - intros s' A. apply wp_ret, H. eapply after_steps; [|exact A]. apply one_step. apply (Asks c a v i i r MN). repeat split.
Qed.

Lemma vcpu_call_wp : forall gl h (Q : unit -> MACH -> Prop), mid c (vttbr_of a) a (Mach gl h) -> x_ok c gl ->
  (forall s', after c a s' -> Q tt s') -> wp (vcpu_call c) Q (Mach gl h).
Proof.
  intros gl h Q MI XO H. destruct (vcpu_facts c v i a RU _ _ MI) as ([V I ST CP NF CX RN] & C & E1 & E2 & CNT). cbn [glob] in *.
  unfold NIE_MAX_VMS in V. unfold vcpu_call. apply wp_bind. eapply wp_load2; [reflexivity|lia|lia|]. cbn beta.
  apply wp_bind. apply wp_ret. apply wp_bind. apply wp_ret. set (f := Z.land _ _).
  apply wp_bind. eapply exits_wp; [exact MI|exact XO|intros s' A; now apply wp_ret, H|]. change (negb (0 =? 0)) with false. cbn iota.
  assert (FIN : forall r b h', steps c a b -> runs b c v i -> mid c (vttbr_of b) b (Mach gl h') ->
     wp (store cpus_x [c; 0] r ;;; ret tt) Q (Mach gl h')).
  { intros r b h' SB RB MB. apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ MB) with (P := any); intros; eapply k_store2; [reflexivity|lia|lia|reflexivity|reflexivity]|].
    cbn beta. intros _ s6 (M6 & _ & _). apply wp_ret. apply H. exists b. auto. }
  assert (FIN0 : forall r, wp (store cpus_x [c; 0] r ;;; ret tt) Q (Mach gl h)) by (intro r; eapply FIN; eauto; apply no_step).
  apply wp_bind. unfold fixed_answer.
  destruct (f =? NIE_VM_VERSION); [apply wp_ret; change (NIE_ABI_VERSION =? 0) with false; cbn iota; apply wp_bind, wp_ret; apply FIN0|].
  destruct (f =? PSCI_VERSION); [apply wp_ret; change (PSCI_1_1 =? 0) with false; cbn iota; apply wp_bind, wp_ret; apply FIN0|].
  destruct (f =? SMCCC_VERSION); [apply wp_ret; change (SMCCC_1_1 =? 0) with false; cbn iota; apply wp_bind, wp_ret; apply FIN0|].
  apply wp_ret. change (0 =? 0) with true. cbn iota. apply wp_bind.
  apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite E1.
  apply wp_bind. eapply wp_load2; [reflexivity|lia|lia|]. cbn beta. apply wp_bind. apply argument_wp; [apply XO; lia|]. intros x1 H1. cbn beta.
  apply wp_bind. eapply wp_load2; [reflexivity|lia|lia|]. cbn beta. apply wp_bind. apply argument_wp; [apply XO; lia|]. intros x2 H2. cbn beta.
  apply wp_bind. unfold vcpu_call_answer.
  destruct (f =? NIE_VM_PAGE_REOPEN); [apply wp_bind; eapply reopen_wp; eauto; intros; do 2 apply wp_ret; eapply FIN; eauto|].
  destruct (f =? PSCI_FEATURES).
  { apply wp_bind. unfold vcpu_features. match goal with |- context [if ?b then _ else _] => destruct b end; do 3 apply wp_ret; apply FIN0. }
  destruct (_ || _)%bool.
  { apply wp_bind. unfold affinity_info. apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta.
    destruct (mid_vm _ _ _ _ v MI V) as ([_ HV _ _ _ _] & _). cbn [glob] in HV. rewrite HV.
    destruct (Z.leb_spec (vcpu_count (vm_at a v)) x1) as [L|L]; cbn [orb]; [do 3 apply wp_ret; apply FIN0|].
    destruct (negb (x2 =? 0)); [do 3 apply wp_ret; apply FIN0|].
    assert (KE : 0 <= wrap U64 (wrap U32 (v * NIE_MAX_VCPUS) + x1) < 512) by (unfold NIE_MAX_VCPUS in *; rewrite wrap32 by lia; rewrite wrap64; lia).
    apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. destruct (_ =? _); do 3 apply wp_ret; apply FIN0. }
  destruct (f =? PSCI_MIGRATE_INFO_TYPE); do 2 apply wp_ret; apply FIN0.
Qed.
End Calls.
