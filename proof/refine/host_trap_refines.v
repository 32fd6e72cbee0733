(* SPDX-License-Identifier: Apache-2.0 *)
(* The host's exceptions but its calls change registers only. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.trap_h nie.generated.state.inject nie.generated.trap.sysreg nie.generated.trap.host_abort nie.generated.trap.host_smc
  nie.generated.trap.trap nie.generated.call.host_call nie.generated.trap.quick.
From nie.spec Require Import Core.
From nie.proof.refine Require Export vcpu_trap_refines.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Host.
Variables (c : Z) (a : state).
Hypothesis HO : cpu_vm (cpu_at a c) = CPU_HOST.

Lemma smc_wp : forall vt gl h (Q : Z -> MACH -> Prop), mid c vt a (Mach gl h) -> x_ok c gl -> (forall r s', mid c vt a s' -> Q r s') -> wp (host_smc c) Q (Mach gl h).
Proof.
  intros vt gl h Q MI XO H. pose proof (mi_c _ _ _ _ MI) as C. unfold NIE_MAX_CPUS in C. pose proof (mi_man _ _ _ _ MI) as [MC MD]. cbn [glob] in *. unfold NIE_MAX_CPUS in MC.
  unfold host_smc. apply wp_bind. eapply wp_load2; [reflexivity|lia|lia|]. cbn beta.
  destruct (_ =? PSCI_CPU_OFF).
  { eapply run_any; [exact MI| |intros r s' M; auto]. intros V fine FV. quiet. }
  apply wp_bind. eapply wp_weaken with (Q := fun _ s' => mid c vt a s').
  2:{ intros r s' M. apply wp_bind. eapply run_any; [exact M|intros; eapply k_store2; [reflexivity|lia|lia|reflexivity|reflexivity]|]. intros _ s2 M2. apply wp_ret. auto. }
  unfold host_smc_answer. apply wp_bind. unfold index. replace ((0 <=? c) && (c <? 8))%bool with true by lia. apply wp_ret.
  apply wp_bind. eapply wp_load2; [reflexivity|lia|lia|]. cbn beta. apply wp_bind. apply wp_ret. set (f := Z.land _ _).
  destruct (f =? PSCI_VERSION); [apply wp_ret; exact MI|]. destruct (f =? SMCCC_VERSION); [apply wp_ret; exact MI|].
  destruct (f =? PSCI_FEATURES).
  { eapply run_any; [exact MI| |auto]. intros V fine FV.
    pose proof (q_argument c gl h (Aset a) V fine) as K1. pose proof (q_features c gl h (Aset a) V fine) as K2. cbn [glob hw]. quiet. }
  destruct (f =? PSCI_CPU_ON).
  { apply wp_bind. eapply wp_load2; [reflexivity|lia|lia|]. cbn beta. apply wp_bind. eapply wp_load2; [reflexivity|lia|lia|]. cbn beta.
    apply wp_bind. eapply wp_load2; [reflexivity|lia|lia|]. cbn beta. apply wp_bind.
    eapply run_any; [exact MI| |intros r s' M; now apply wp_ret]. intros V fine FV. cbn [glob hw]. apply q_cpu_on; [lia|]. apply XO. lia. }
  destruct (f =? PSCI_AFFINITY_INFO). { eapply run_any; [exact MI| |auto]. intros V fine FV. quiet. }
  destruct (f =? PSCI_MIGRATE_INFO_TYPE); [apply wp_ret; exact MI|].
  destruct (f =? PSCI_SYSTEM_OFF). { eapply run_any; [exact MI| |auto]. intros V fine FV. pose proof (q_system c gl h (Aset a) V fine) as K. cbn [glob hw]. quiet. }
  destruct (f =? PSCI_SYSTEM_RESET). { eapply run_any; [exact MI| |auto]. intros V fine FV. pose proof (q_system c gl h (Aset a) V fine) as K. cbn [glob hw]. quiet. }
  apply wp_ret. exact MI.
Qed.

(* What the host's exceptions need of its calls. *)
Definition calls_end (Q : unit -> MACH -> Prop) (gl : globals) : Prop :=
  forall h, mid c (vttbr_of a) a (Mach gl h) -> wp (host_call c) Q (Mach gl h).

Theorem host_trap_wp : forall gl h kind (Q : Z -> MACH -> Prop), mid c (vttbr_of a) a (Mach gl h) -> x_ok c gl ->
  (forall r s', mid c (vttbr_of a) a s' -> Q r s') -> calls_end (fun _ s' => Q TRAP_RESUME s') gl -> wp (host_trap c kind) Q (Mach gl h).
Proof.
  intros gl h kind Q MI XO H HC. pose proof (mi_man _ _ _ _ MI) as [MC MD]. cbn [glob] in MC, MD. unfold NIE_MAX_CPUS in MC. unfold MAN_MAX_DEVICES in MD.
  pose proof (mi_c _ _ _ _ MI) as C. unfold NIE_MAX_CPUS in C.
  unfold host_trap. apply wp_bind. eapply wp_weaken; [apply same_glob with (P := fun _ s' => mid c (vttbr_of a) a s')|].
  { eapply run_any; [exact MI|intros; apply k_sysreg_read|]. auto. }
  { intros r s' E. unfold sysreg_read in E. now apply on_hw_glob in E. }
  cbn beta. intros esr [gl1 h1] [M1 G1]. cbn [glob] in G1. subst gl1.
  destruct (negb (kind =? TRAP_SYNC)); [apply wp_ret; auto|].
  apply wp_bind. eapply wp_known; [unfold exception_class; reflexivity|]. cbn beta. set (ec := Z.land _ 63).
  destruct (ec =? EC_HVC64). { apply wp_bind. eapply wp_weaken; [now apply HC|]. intros [] s' X. now apply wp_ret. }
  destruct (ec =? EC_SMC64).
  { apply wp_bind. eapply wp_weaken; [eapply skip_wp; exact M1|]. cbn beta. intros _ [gl2 h2] [M2 G2]. cbn [glob] in G2. subst gl2.
    apply wp_bind. eapply smc_wp; [exact M2|exact XO|]. intros r s' M. apply wp_ret. auto. }
  destruct (ec =? EC_SYSREG).
  { apply wp_bind. eapply sysreg_wp; [exact M1| |intro N; now destruct N]. intros s' M. apply wp_ret. auto. }
  destruct (_ || _)%bool.
  { apply wp_bind. eapply run_any; [exact M1| |intros [] s' M; apply wp_ret; auto]. intros V fine FV. cbn [glob hw]. apply q_host_abort; auto; try lia.
    pose proof (g_pages _ _ (ar_holds _ _ (mi_rest _ _ _ _ MI))) as GP. cbn [glob] in GP. change (cfg (with_cpus a gl)) with (cfg a) in GP. rewrite GP.
    pose proof (c_ram _ (wf_c _ (so_wf _ (mi_sound _ _ _ _ MI)))). lia. }
  apply wp_bind. eapply run_any; [exact M1|intros; now apply q_undefined|]. intros _ s2 M2. apply wp_ret. auto.
Qed.
End Host.

(** One exception, from the lock to the unlock. *)

(* Ended in a state of [Rel]. *)
Definition ended (c : Z) (Rel : state -> Prop) (s' : MACH) : Prop := exists b, Rel b /\ mid c (vttbr_of b) b s'.

Theorem trap_wp : forall c a gl h kind (Rel : state -> Prop) (Q : Z -> MACH -> Prop), mid c (vttbr_of a) a (Mach gl h) -> x_ok c gl ->
  (forall b, steps c a b -> Rel b) -> (forall r s', ended c (fun b => Rel b /\ (r = TRAP_CPU_OFF -> cpu_vm (cpu_at b c) = CPU_HOST)) s' -> Q r s') ->
  (cpu_vm (cpu_at a c) = CPU_HOST -> calls_end c a (fun _ s' => ended c Rel s') gl) -> wp (trap c kind) Q (Mach gl h).
Proof.
  intros c a gl h kind Rel Q MI XO HS H HC.
  assert (AF : forall s', after c a s' -> ended c Rel s') by (intros s' (b & S & M); exists b; auto). pose proof (mi_c _ _ _ _ MI) as C. unfold NIE_MAX_CPUS in C. unfold trap.
  apply wp_bind. apply wp_ret. apply wp_bind. eapply wp_weaken; [apply same_glob with (P := fun _ s' => mid c (vttbr_of a) a s')|].
  { eapply run_any; [exact MI|intros; apply k_lock|]. auto. }
  { intros r s' E. unfold engine_lock in E. now apply on_hw_glob in E. }
  cbn beta. intros _ [gl1 h1] [M1 G1]. cbn [glob] in G1. subst gl1.
  assert (NR : forall s', ended c Rel s' -> ended c (fun b => Rel b /\ (TRAP_RESUME = TRAP_CPU_OFF -> cpu_vm (cpu_at b c) = CPU_HOST)) s') by (intros s' (b & X & M); exists b; split; [split; [exact X|discriminate]|exact M]).
  apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. pose proof (proj1 (mid_runs _ _ _ _ M1)) as E. cbn [glob] in E. rewrite E.
  apply wp_bind. eapply wp_weaken with (Q := fun r s' => ended c (fun b => Rel b /\ (r = TRAP_CPU_OFF -> cpu_vm (cpu_at b c) = CPU_HOST)) s').
  2:{ intros r s' (b & S & M). apply wp_bind. eapply run_any; [exact M|intros; apply k_unlock|]. intros _ s2 M2. apply wp_ret, H. exists b. auto. }
  destruct (Z.eqb_spec (cpu_vm (cpu_at a c)) CPU_HOST) as [HO|HO].
  - apply wp_bind. eapply host_trap_wp; [exact HO|exact M1|exact XO| |].
    + intros r s' M. apply wp_ret. exists a. split; [split; [apply HS, no_step|auto]|exact M].
    + intros h' M'. eapply wp_weaken; [now apply HC|]. intros [] s' A. apply wp_ret. now apply NR.
  - apply wp_bind. eapply vcpu_trap_wp with (v := cpu_vm (cpu_at a c)) (i := cpu_vcpu (cpu_at a c)); [split; auto|exact M1|exact XO|].
    intros s' A. apply wp_ret. now apply NR, AF.
Qed.
