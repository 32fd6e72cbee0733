(* SPDX-License-Identifier: Apache-2.0 *)
(* Every exception of a vCPU ends in a state that named steps reach; the host's, but for its calls, change registers only. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.stage2_h nie.generated.trap_h nie.generated.state.world nie.generated.state.inject nie.generated.state.stage2
  nie.generated.trap.mmio nie.generated.trap.sysreg nie.generated.trap.vcpu_abort nie.generated.trap.host_abort nie.generated.trap.host_smc nie.generated.trap.trap
  nie.generated.trap.vcpu_call nie.generated.call.host_call nie.generated.trap.quick.
From nie.spec Require Import Core.
From nie.proof.refine Require Export vcpu_call_refines.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.
Notation MACH := (mach globals Machine.hw).

Lemma run_any : forall c vt a s X (code : M MACH X) (Q : X -> MACH -> Prop), mid c vt a s ->
  (forall (V : Z -> Z -> Prop) (fine : (Z -> Z) -> Prop), (forall m, fine m -> forall w d, now m w d -> V w d) -> keeps c (glob s) (hw s) (Aset a) V fine code any) ->
  (forall r s', mid c vt a s' -> Q r s') -> wp code Q s.
Proof. intros c vt a s X code Q MI K H. eapply wp_weaken; [eapply (run_quiet _ _ _ _ MI); exact K|]. cbn beta. intros r s' (M & _ & _). auto. Qed.

(** System registers, of the host and of a vCPU. *)

Lemma sysreg_wp : forall c vt a s iss (Q : unit -> MACH -> Prop), mid c vt a s ->
  (forall s', mid c vt a s' -> Q tt s') ->
  (cpu_vm (cpu_at a c) <> CPU_HOST -> forall s' x, mid c vt a s' -> wp (exit_vcpu c NIE_EXIT_SGI 0 0 x) Q s') ->
  wp (sysreg_trap c iss) Q s.
Proof.
  intros c vt a s iss Q MI H HX. pose proof (mi_c _ _ _ _ MI) as C. unfold NIE_MAX_CPUS in C. unfold sysreg_trap.
  apply wp_bind. apply wp_ret. apply wp_bind. apply wp_ret. apply wp_bind. apply wp_ret.
  set (e := Z.land iss ENC_MASK). set (b := Machine.reg). clear b. set (rd := b2z _). set (r := Z.land (wrap U32 _) 31).
  assert (R0 : 0 <= r) by (apply land_pos; lia).
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ MI) with (P := fun t => t = true -> at1 cpus_vm (glob s) c <> CPU_HOST)|].
  - intros V fine FV. destruct (_ && _)%bool; [|apply k_ret; discriminate].
    eapply k_bind; [apply q_is_guest; auto|]. cbn beta. intros x ->. apply k_ret. destruct (Z.eqb_spec (at1 cpus_vm (glob s) c) CPU_HOST); auto. cbn. discriminate.
  - cbn beta. intros t s1 (M1 & T & _). destruct t.
    + specialize (T eq_refl). rewrite (proj1 (mid_runs _ _ _ _ MI)) in T.
      apply wp_bind. eapply run_any; [exact M1|intros; now apply q_skip|]. intros _ s2 M2.
      apply wp_bind. eapply run_any; [exact M2|intros; now apply q_gpr_read|]. intros x s3 M3.
      apply wp_bind. eapply wp_weaken; [apply (HX T); exact M3|]. intros [] s4 A. now apply wp_ret.
    + eapply run_any; [exact M1| |intros [] s2 M2; auto]. intros V fine FV.
      pose proof (q_skip c (glob s1) (hw s1) (Aset a) V fine) as K1. pose proof (q_undefined c (glob s1) (hw s1) (Aset a) V fine) as K2.
      pose proof (q_mdscr c (glob s1) (hw s1) (Aset a) V fine C) as K3. pose proof (q_reads c (glob s1) (hw s1) (Aset a) V fine C) as K4.
      pose proof (q_constant c (glob s1) (hw s1) (Aset a) V fine) as K5. pose proof (q_gpr_write c (glob s1) (hw s1) (Aset a) V fine C) as K6.
      repeat (q_step || (eapply k_bind with (P := any); [first [apply K3; exact R0|apply K4|apply K5|apply K6; exact R0|apply K1|apply K2]|intros ? _])).
Qed.

(** Aborts of a vCPU. *)

Section Vcpu.
Variables (c v i : Z) (a : state).
Hypothesis RU : runs a c v i.

Lemma fault_wp : forall h (Q : Z -> MACH -> Prop) s, (forall r, 0 <= r < 2 ^ 44 -> Q r s) -> wp (fault_page h) Q s.
Proof. intros h Q s H. unfold fault_page. apply wp_ret. apply H. exact (land_small (Z.shiftr h 4) 44 ltac:(lia)). Qed.

Lemma mmio_wp : forall gl h page esr (Q : unit -> MACH -> Prop), mid c (vttbr_of a) a (Mach gl h) -> 0 <= page < 2 ^ 27 ->
  (forall s', after c a s' -> Q tt s') -> wp (mmio_exit c page esr) Q (Mach gl h).
Proof.
  intros gl h page esr Q MI PG H. destruct (vcpu_facts c v i a RU _ _ MI) as ([V I ST CP NF CX RN] & C & E1 & E2 & CNT). cbn [glob] in *.
  pose proof V as V'. unfold NIE_MAX_VMS in V'. pose proof I as I'. unfold NIE_MAX_VCPUS in I'.
  unfold mmio_exit. apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite E1. apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite E2.
  set (k := v * NIE_MAX_VCPUS + i). assert (KB : 0 <= k < 512) by (unfold k, NIE_MAX_VCPUS; lia).
  assert (KE : wrap U32 (wrap U32 (v * NIE_MAX_VCPUS) + i) = k) by (unfold k, NIE_MAX_VCPUS in *; rewrite !wrap32; rewrite ?wrap32; lia).
  rewrite KE. apply wp_bind. unfold index. replace ((0 <=? k) && (k <? 512))%bool with true by lia. apply wp_ret.
  apply wp_bind. eapply run_any; [exact MI|intros; apply k_sysreg_read|]. intros far s1 M1.
  apply wp_bind. eapply wp_known; [destruct s1; apply address_of_run; lia|]. cbn beta. apply wp_bind. apply wp_ret.
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ M1) with (P := is_width); intros; apply q_width|]. cbn beta. intros w s2 (M2 & W & _).
  apply wp_bind. eapply run_any; [exact M2|intros; apply q_gpr_read; auto; apply land_pos; lia|]. intros x [gl3 h3] M3.
  set (y := Z.land (wrap U32 esr) 0x1ffffff).
  apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta.
  set (r1 := vcpu_at a v i <| syndrome := y |>). set (a1 := set_vcpu v i r1 a).
  assert (MN : mine a c v i i) by (split; [auto|]; split; auto).
  pose proof (mid_vcpu _ _ _ _ v i M3 V I) as [_ _ _ _ HP _]. cbn [glob] in HP. fold k in HP.
  assert (M4 : mid c (vttbr_of a1) a1 (Mach (put1 vcpus_syndrome k y gl3) h3)).
  { change (vttbr_of a1) with (vttbr_of a). eapply put_asks; [exact RU|exact M3|exact MN|exact Logic.I|repeat split| |]; fold k.
    - rewrite at_put_other by (try reflexivity; discriminate). symmetry. exact HP.
    - rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl. }
  assert (E3 : vcpu_at a1 v i = r1) by (unfold a1; rewrite vcpu_at_put, !Z.eqb_refl by auto; reflexivity).
  assert (RU1 : runs a1 c v i) by exact RU. assert (MN1 : mine a1 c v i i) by (split; [auto|]; split; auto).
  assert (S1 : step c a a1) by (apply (Asks c a v i i r1 MN); repeat split).
  assert (LAST : forall p, let r2 := r1 <| pending := p |> in let a2 := set_vcpu v i r2 a1 in
    mid c (vttbr_of a2) a2 (Mach (put1 vcpus_pending k p (put1 vcpus_syndrome k y gl3)) h3) /\ steps c a a2).
  { intros p r2 a2. split.
    - change (vttbr_of a2) with (vttbr_of a1). eapply put_asks; [exact RU1|exact M4|exact MN1|exact Logic.I|rewrite E3; repeat split| |]; fold k.
      + rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl.
      + rewrite at_put_other by (try reflexivity; discriminate). rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl.
    - eapply more_steps; [exact S1|]. apply one_step. apply (Asks c a1 v i i r2 MN1). rewrite E3. repeat split. }
  destruct (negb _); apply wp_bind; (eapply wp_store1; [reflexivity|lia|]); cbn beta;
    match goal with |- context [put1 vcpus_pending k ?p _] => destruct (LAST p) as [M5 S5] end.
  - apply wp_bind. eapply run_any; [exact M5|intros; now apply q_truncate|]. intros z s6 M6.
    apply wp_bind. eapply after_exit; [exact M6|exact RU|]. intros s7 A. apply wp_ret, H. eapply after_steps; eauto.
  - apply wp_bind. eapply after_exit; [exact M5|exact RU|]. intros s7 A. apply wp_ret, H. eapply after_steps; eauto.
Qed.

Lemma abort_wp : forall gl h esr (Q : unit -> MACH -> Prop), mid c (vttbr_of a) a (Mach gl h) ->
  (forall s', after c a s' -> Q tt s') -> wp (vcpu_abort c esr) Q (Mach gl h).
Proof.
  intros gl h esr Q MI H. destruct (vcpu_facts c v i a RU _ _ MI) as ([V I ST CP NF CX RN] & C & E1 & E2 & CNT). cbn [glob] in *.
  pose proof V as V'. unfold NIE_MAX_VMS in V'.
  assert (INJ : forall s e f, mid c (vttbr_of a) a s -> wp (inject_abort e f ;;; ret tt) Q s).
  { intros s e f M. apply wp_bind. eapply run_any; [exact M|intros; now apply q_abort|]. intros _ s' M'. apply wp_ret, H. now apply after_quiet. }
  unfold vcpu_abort. apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite E1.
  apply wp_bind. eapply run_any; [exact MI|intros; apply k_sysreg_read|]. intros hp s1 M1.
  apply wp_bind. apply fault_wp. intros page PG. cbn beta.
  destruct (Z.eqb_spec (Z.shiftr page 27) 0) as [EP|EP]; cbn [negb]; [rewrite orb_false_r|rewrite orb_true_r; now apply INJ].
  rewrite Z.shiftr_div_pow2 in EP by lia. assert (PX : 0 <= page < 2 ^ 27) by lia.
  destruct (negb _); [now apply INJ|]. destruct s1 as [gl1 h1].
  apply wp_bind. eapply walk_wp; [exact RU|exact M1|exact PX|]. intros h2 M2. cbn beta. destruct (walk_end a v page 3) as [[[t d] j] l].
  apply wp_bind. eapply wp_known; [apply desc_valid_run|]. cbn beta. destruct (negb _); [apply wp_ret, H; now apply after_quiet|].
  destruct (d =? DESC_SPENT); [now apply INJ|].
  apply wp_bind. eapply run_any; [exact M2| |].
  { intros V2 fine FV. unfold in_ram_window. quiet. }
  intros t2 [gl3 h3] M3. destruct (negb _).
  { apply wp_bind. eapply wp_known; [apply address_of_run; lia|]. cbn beta. apply wp_bind. eapply after_exit; [exact M3|exact RU|]. intros s7 A. now apply wp_ret, H. }
  apply wp_bind. eapply run_any; [exact M3|intros; apply q_class|]. intros t4 s4 M4.
  apply wp_bind. eapply run_any; [exact M4| |].
  { intros V2 fine FV. pose proof (q_decodable c (glob s4) (hw s4) (Aset a) V2 fine) as K. destruct (_ =? _); [|apply k_ret; exact Logic.I].
    eapply k_bind with (P := any); [apply K|intros; apply k_ret; exact Logic.I]. }
  intros t6 [gl5 h5] M5. destruct t6; [|now apply INJ].
  apply wp_bind. eapply mmio_wp; [exact M5|exact PX|]. intros s6 A. now apply wp_ret, H.
Qed.

(** Any exception of a vCPU. *)

Theorem vcpu_trap_wp : forall gl h kind (Q : unit -> MACH -> Prop), mid c (vttbr_of a) a (Mach gl h) -> x_ok c gl ->
  (forall s', after c a s' -> Q tt s') -> wp (vcpu_trap c kind) Q (Mach gl h).
Proof.
  intros gl h kind Q MI XO H.
  assert (EX : forall s r, mid c (vttbr_of a) a s -> wp (exit_vcpu c r 0 0 0 ;;; ret tt) Q s).
  { intros s r M. apply wp_bind. eapply after_exit; [exact M|exact RU|]. intros s' A. now apply wp_ret, H. }
  unfold vcpu_trap. destruct (kind =? TRAP_SYNC); [|destruct (kind =? TRAP_SERROR); now apply EX].
  apply wp_bind. eapply wp_weaken with (Q := fun _ s' => after c a s'); [|intros [] s' A; now apply wp_ret, H].
  clear H Q EX. unfold vcpu_sync.
  apply wp_bind. eapply wp_weaken; [apply same_glob with (P := fun _ s' => mid c (vttbr_of a) a s')|].
  { eapply run_any; [exact MI|intros; apply k_sysreg_read|]. auto. }
  { intros r s' E. unfold sysreg_read in E. now apply on_hw_glob in E. }
  cbn beta. intros esr [gl1 h1] [M1 G1]. cbn [glob] in G1. subst gl1.
  apply wp_bind. eapply wp_known; [unfold exception_class; reflexivity|]. cbn beta. set (ec := Z.land _ 63).
  assert (EX : forall s r, mid c (vttbr_of a) a s -> wp (exit_vcpu c r 0 0 0 ;;; ret tt) (fun _ s' => after c a s') s).
  { intros s r M. apply wp_bind. eapply after_exit; [exact M|exact RU|]. intros s' A. now apply wp_ret. }
  assert (CALL : forall h', mid c (vttbr_of a) a (Mach gl h') -> wp (vcpu_call c ;;; ret tt) (fun _ s' => after c a s') (Mach gl h')).
  { intros h' M. apply wp_bind. eapply vcpu_call_wp; [exact RU|exact M|exact XO|]. intros s' A. now apply wp_ret. }
  destruct (ec =? EC_WFX).
  { apply wp_bind. eapply run_any; [exact M1|intros; now apply q_skip|]. intros _ s2 M2. now apply EX. }
  destruct (ec =? EC_SMC64).
  { apply wp_bind. eapply wp_weaken; [eapply skip_wp; exact M1|]. cbn beta. intros _ [gl2 h2] [M2 G2]. cbn [glob] in G2. subst gl2. now apply CALL. }
  destruct (ec =? EC_HVC64); [now apply CALL|].
  destruct (ec =? EC_SYSREG).
  { apply wp_bind. eapply sysreg_wp; [exact M1| |].
    - intros s' M. apply wp_ret. now apply after_quiet.
    - intros _ s' x M. eapply after_exit; [exact M|exact RU|]. intros s2 A. now apply wp_ret. }
  destruct (_ || _)%bool.
  { apply wp_bind. eapply abort_wp; [exact M1|]. intros s' A. now apply wp_ret. }
  apply wp_bind. eapply run_any; [exact M1|intros; now apply q_undefined|]. intros _ s2 M2. apply wp_ret. now apply after_quiet.
Qed.
End Vcpu.
