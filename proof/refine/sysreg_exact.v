(* SPDX-License-Identifier: Apache-2.0 *)
(* A system register that traps, of the host or of a vCPU: the C does what spec/trap/sysreg.v says. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.spec.trap Require sysreg.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.inject nie.generated.state.world nie.generated.trap.mmio nie.generated.trap.sysreg.
From nie.spec Require Import Core.
From nie.proof.refine Require Export inject_exact Told.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Sysreg.
Variables (c : Z) (o : Z -> owner) (s0 : MACH).
Notation at_ := (stands c o s0).
Notation POST X := (X -> MACH -> Prop).
Notation spec_guest := nie.spec.trap.sysreg.is_guest.
Notation spec_reads := nie.spec.trap.sysreg.reads_constant.
Notation spec_constant := nie.spec.trap.sysreg.constant_of.

Lemma guest_run : forall a s, at_ a s -> is_guest c s = Some (b2z (spec_guest a c), s).
Proof.
  intros a [gl h] A. pose proof (at_cpu _ _ _ _ _ A) as C. pose proof C as C8. unfold NIE_MAX_CPUS in C8. apply known_of_wp. unfold is_guest.
  w_bind. eapply wp_load1; [reflexivity|exact C8|]. cbn beta. pose proof (h_cpu_vm _ _ _ (g_cpus _ _ (at_globals _ _ _ _ _ A) c C)) as E. cbn [glob] in E. rewrite E.
  apply wp_ret. auto.
Qed.
Lemma reads_run : forall a s e, at_ a s -> reads_constant c e s = Some (b2z (spec_reads a c e), s).
Proof.
  intros a s e A. apply known_of_wp. pose proof (guest_run a s A) as GR. unfold reads_constant, nie.spec.trap.sysreg.reads_constant, nie.spec.trap.sysreg.is_id.
  set (g := spec_guest a c) in *.
  destruct (Z.eqb_spec e ENC_ACTLR) as [->|N1]; [apply wp_ret; auto|]. destruct (Z.eqb_spec e ENC_ICC_SRE) as [->|N2]; [apply wp_ret; auto|]. cbn [orb].
  destruct (Z.eqb_spec e ENC_SGI0R) as [->|N3]; [cbn [orb]; w_bind; w_known GR; apply wp_ret; split; auto; now destruct g|].
  destruct (Z.eqb_spec e ENC_ASGI1R) as [->|N4]; [cbn [orb]; w_bind; w_known GR; apply wp_ret; split; auto; now destruct g|].
  cbn [orb]. rewrite !andb_false_r. cbn [orb].
  destruct (Z.land e ENC_ID_MASK =? ENC_ID); [apply wp_ret; auto|]. destruct (Z.land e ENC_DC_SW_MASK =? ENC_DC_SW); [apply wp_ret; auto|]. cbn [orb].
  w_bind. w_known GR. destruct g; cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn [negb andb orb].
  - destruct (Z.land e ENC_CNTP_MASK =? ENC_CNTP); apply wp_ret; auto.
  - apply wp_ret. auto.
Qed.
Lemma at_constant : forall a s e (Q : POST Z), at_ a s -> (forall s', at_ a s' -> Q (spec_constant a e) s') -> wp (constant_of e) Q s.
Proof.
  intros a s e Q A H. unfold constant_of, nie.spec.trap.sysreg.constant_of, nie.spec.trap.sysreg.is_id in *.
  destruct (e =? ENC_ICC_SRE); [apply wp_ret; auto|]. destruct (Z.land e ENC_ID_MASK =? ENC_ID); [|apply wp_ret; auto].
  rewrite !land_wrap32, (field_is e 1 4), (field_is e 17 3) by (lia || reflexivity). w_bind. eapply at_id; [exact A|]. intros s1 A1. apply wp_ret. auto.
Qed.

Theorem sysreg_exact : forall a s iss (Q : POST unit), at_ a s ->
  (forall s', ends o s0 (nie.spec.trap.sysreg.sysreg_trap c iss a) s' -> Q tt s') -> wp (sysreg_trap c iss) Q s.
Proof.
  intros a s iss Q A H. unfold sysreg_trap, nie.spec.trap.sysreg.sysreg_trap in *. set (e := Z.land iss ENC_MASK) in *.
  rewrite land_wrap32, (field_is iss 5 5) by (lia || reflexivity). set (r := Registers.field iss 5 5) in *.
  assert (R0 : 0 <= r) by (unfold r, Registers.field; apply Z.mod_pos_bound; lia).
  assert (RB : b2z (negb (Z.land iss ISS_READ =? 0)) =? 0 = negb (Registers.has iss ISS_READ)) by (unfold Registers.has; now destruct (Z.land iss ISS_READ =? 0)).
  assert (FIN : forall b, (forall s', ends o s0 ([], Registers.skip_instruction b) s' -> Q tt s') -> forall s1, at_ b s1 -> wp (skip_instruction ;;; ret tt) Q s1).
  { intros b HQ s1 A1. w_bind. eapply at_skip; [exact A1|]. intros s2 A2. apply wp_ret. apply HQ. eapply ends_here; eauto. }
  w_bind. apply wp_ret. w_bind. apply wp_ret. w_bind. apply wp_ret. rewrite RB. unfold mdscr_access. rewrite RB. rewrite negb_involutive.
  set (rd := Registers.has iss ISS_READ) in *. clearbody rd. clear RB.
  assert (GB : forall T (x y : T), (if negb (b2z (spec_guest a c) =? 0) then x else y) = (if spec_guest a c then x else y)) by (intros; now destruct (spec_guest a c)).
  assert (GO : forall t, t = ((e =? ENC_SGI1R) && negb rd && spec_guest a c)%bool -> wp (if t then
      skip_instruction ;;; t3 <- gpr_read c r ;; exit_vcpu c NIE_EXIT_SGI 0 0 t3 ;;; ret tt
    else if e =? ENC_MDSCR then
      (if rd then value <- sysreg_read REG_MDSCR_EL1 ;; gpr_write c r value ;;; ret tt
       else t1 <- gpr_read c r ;; sysreg_write REG_MDSCR_EL1 (Z.land t1 MDSCR_SS) ;;; ret tt) ;;; skip_instruction ;;; ret tt
    else t4 <- reads_constant c e ;; if negb (t4 =? 0) then
      (if rd then t5 <- constant_of e ;; gpr_write c r t5 ;;; ret tt else ret tt) ;;; skip_instruction ;;; ret tt
    else inject_undefined ;;; ret tt) Q s).
  { intros t E. rewrite <- E in H. destruct t.
    { symmetry in E. apply andb_prop in E as [_ GU]. w_bind. eapply at_skip; [exact A|]. intros s1 A1. w_bind. eapply at_gpr_read; [exact A1|exact R0|].
      w_bind. eapply at_exit; [exact A1| |].
      - unfold nie.spec.trap.sysreg.is_guest in GU. intro F. change (cpu_vm (cpu_at a c) = CPU_HOST) in F. rewrite F in GU. discriminate.
      - intros s2 E2. apply wp_ret. apply H. exact E2. }
    destruct (e =? ENC_MDSCR).
    { w_bind. destruct rd.
      - w_bind. eapply at_read; [exact A|vm_compute; split; congruence|]. intros s1 A1 _. w_bind. eapply at_gpr_write; [exact A1|exact R0|]. intros s2 A2. apply wp_ret. cbn beta. eapply FIN; eauto.
      - w_bind. eapply at_gpr_read; [exact A|exact R0|]. w_bind. eapply at_write; [exact A|vm_compute; split; congruence|discriminate|]. intros s2 A2 _. apply wp_ret. cbn beta. eapply FIN; eauto. }
    w_bind. w_known reads_run; [exact A|]. destruct (spec_reads a c e); cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn [negb].
    - w_bind. destruct rd.
      + w_bind. eapply at_constant; [exact A|]. intros s1 A1. w_bind. eapply at_gpr_write; [exact A1|exact R0|]. intros s2 A2. apply wp_ret. cbn beta. eapply FIN; eauto.
      + apply wp_ret. cbn beta. eapply FIN; eauto.
    - w_bind. eapply at_undefined; [exact A|]. intros s1 A1. apply wp_ret. apply H. eapply ends_here; eauto. }
  w_bind. destruct ((e =? ENC_SGI1R) && negb rd)%bool eqn:E1.
  - w_bind. w_known guest_run; [exact A|]. apply wp_ret. apply GO. now destruct (spec_guest a c).
  - apply wp_ret. apply (GO false). reflexivity.
Qed.
End Sysreg.
