(* SPDX-License-Identifier: Apache-2.0 *)
(* The short way, before the lock: what it serves it serves as trap would, and nothing else. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.spec.call Require host_call.
From nie.spec.trap Require trap quick vcpu_call.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.trap_h nie.generated.state.inject nie.generated.call.host_call nie.generated.trap.vcpu_call nie.generated.trap.quick.
From nie.spec Require Import Core.
From nie.proof.refine Require Import inject_exact Told vcpu_traps statements.
From nie.proof.refine Require Export trap_exact.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_quick := nie.spec.trap.quick.quick.

(* An exception of any kind, of the host or of a vCPU, before the lock is taken. Answer 1: it is served, and ended as spec/trap/trap.v
   says of it, whatever inputs there are: CPU resumed, host told nothing, state. Answer 0: the state is as it was. In either case no input
   was taken, and the engine stored to no page. *)
Definition quick_correct (P : program gvar) : Prop := forall a s kind, let c := me (hw s) in R a s ->
  exists s', run_of P "quick" [c; kind] s = Some ([b2z (spec_quick c kind a)], s') /\
    keeps_else s s' /\ taken (hw s') = taken (hw s) /\ silent (own a) (hw s) (hw s') /\
    if spec_quick c kind a
    then exists b, R b s' /\ forall ins content, spec_trap c kind ins content a = (TRAP_RESUME, [], b)
    else R a s'.

Section Quick.
Variables (c : Z) (o : Z -> owner) (s0 : MACH).
Notation at_ := (stands c o s0).
Notation POST X := (X -> MACH -> Prop).

Lemma at_version : forall a s (Q : POST unit), at_ a s ->
  (forall s', at_ (Registers.answer c [NIE_OK; NIE_ABI_VERSION; 0] a) s' -> Q tt s') -> wp (call_version c) Q s.
Proof.
  intros a s Q A H. unfold call_version, put_answer. w_bind.
  w_bind. eapply at_x_store; [exact A|lia|]. intros s1 A1. w_bind. eapply at_x_store; [exact A1|lia|]. intros s2 A2. w_bind. eapply at_x_store; [exact A2|lia|]. intros s3 A3.
  apply wp_ret. apply wp_ret. apply H. exact A3.
Qed.

Definition ends_quick (kind : Z) (a : state) (r : Z) (s' : MACH) : Prop :=
  exists b, at_ b s' /\ r = b2z (spec_quick c kind a) /\
    if spec_quick c kind a then forall ins content, spec_trap c kind ins content a = (TRAP_RESUME, [], b) else b = a.

Theorem quick_ends : forall a s kind, at_ a s -> wp (quick c kind) (ends_quick kind a) s.
Proof.
  intros a s kind A. unfold quick. w_bind. eapply at_read; [exact A|vm_compute; split; congruence|]. intros s1 A1 _. clear A s. rename A1 into A, s1 into s.
  w_bind. w_known class_run. unfold ends_quick, nie.spec.trap.quick.quick. cbn zeta. unfold nie.spec.trap.trap.trap, nie.spec.trap.trap.host_trap, nie.spec.trap.trap.vcpu_trap, nie.spec.trap.trap.vcpu_sync. cbn zeta.
  set (class := Registers.exception_class (Registers.reg_of a REG_ESR_EL2)). set (f := Registers.x_of a c 0 mod 2 ^ 32).
  pose proof (at_cpu _ _ _ _ _ A) as C. pose proof C as C8. unfold NIE_MAX_CPUS in C8.
  assert (NO : wp (ret 0) (fun r s' => exists b, at_ b s' /\ r = b2z false /\ b = a) s) by (apply wp_ret; eauto).
  destruct (Z.eqb_spec kind TRAP_SYNC) as [EK|NK]; cbn [negb orb andb]; [|exact NO].
  cbn [negb orb andb]. destruct s as [gl h]. destruct (Z.eqb_spec (cpu_vm (cpu_at a c)) CPU_HOST) as [HO|GU].
  - assert (VM : forall (Q : POST Z), wp (t2 <- quick_host c class ;; ret t2) Q (Mach gl h) ->
      wp (t1 <- load cpus_vm [c] ;; if t1 =? CPU_HOST then t2 <- quick_host c class ;; ret t2 else t3 <- quick_vcpu c class ;; ret t3) Q (Mach gl h)).
    { intros Q H. w_bind. eapply wp_load1; [reflexivity|exact C8|]. cbn beta. pose proof (h_cpu_vm _ _ _ (g_cpus _ _ (at_globals _ _ _ _ _ A) c C)) as EV. cbn [glob] in EV.
      rewrite EV, HO, Z.eqb_refl. exact H. }
    destruct (Z.eqb_spec class EC_HVC64) as [EH|NH]; cbn [negb andb].
    + apply VM. unfold quick_host. w_bind. w_bind. rewrite EH, Z.eqb_refl. cbn [negb]. w_bind. eapply at_x_load; [exact A|lia|]. apply wp_ret.
      rewrite (land_ones _ 32) by (lia || reflexivity). fold f. destruct (Z.eqb_spec f NIE_VERSION) as [EF|NF]; cbn [negb].
      * w_bind. eapply at_version; [exact A|]. intros s1 A1. apply wp_ret. apply wp_ret. eexists. split; [exact A1|]. split; [reflexivity|]. intros ins content.
        unfold nie.spec.call.host_call.host_call. fold f. rewrite EF. reflexivity.
      * apply wp_ret. exact NO.
    + destruct (class =? EC_SMC64); cbn [negb andb]; [|exact NO]. apply VM. unfold quick_host. w_bind. w_bind.
      replace (class =? EC_HVC64) with false by lia. cbn [negb]. apply wp_ret. apply wp_ret. exact NO.
  - assert (VM : forall (Q : POST Z), wp (t3 <- quick_vcpu c class ;; ret t3) Q (Mach gl h) ->
      wp (t1 <- load cpus_vm [c] ;; if t1 =? CPU_HOST then t2 <- quick_host c class ;; ret t2 else t3 <- quick_vcpu c class ;; ret t3) Q (Mach gl h)).
    { intros Q H. w_bind. eapply wp_load1; [reflexivity|exact C8|]. cbn beta. pose proof (h_cpu_vm _ _ _ (g_cpus _ _ (at_globals _ _ _ _ _ A) c C)) as EV. cbn [glob] in EV.
      rewrite EV. replace (cpu_vm (cpu_at a c) =? CPU_HOST) with false by lia. exact H. }
    destruct ((class =? EC_HVC64) || (class =? EC_SMC64))%bool eqn:EC.
    2:{ apply orb_false_elim in EC as [-> ->]. exact NO. }
    rewrite <- negb_orb, EC. cbn [negb]. apply VM. clear VM. unfold quick_vcpu. w_bind. w_bind. eapply at_x_load; [exact A|lia|].
    rewrite (land_ones _ 32) by (lia || reflexivity). fold f. set (answers := existsb _ _).
    assert (FX : wp (fixed_answer f) (fun r s' => s' = Mach gl h /\ (if answers then r <> 0 else r = 0) /\ forall (b : state), answers = true ->
      (b = a \/ b = Registers.skip_instruction a) -> nie.spec.trap.vcpu_call.vcpu_call c b = ([], Registers.set_x c 0 r b)) (Mach gl h)).
    { assert (CALL : forall b, (b = a \/ b = Registers.skip_instruction a) -> Registers.x_of b c 0 mod 2 ^ 32 = f) by (intros b [-> | ->]; reflexivity).
      subst answers. unfold fixed_answer. cbn [existsb].
      destruct (Z.eqb_spec f NIE_VM_VERSION) as [E|_]; cbn [orb];
        [apply wp_ret; split; [reflexivity|]; split; [discriminate|]; intros b _ B; unfold nie.spec.trap.vcpu_call.vcpu_call; rewrite (CALL b B), E; reflexivity|].
      destruct (Z.eqb_spec f PSCI_VERSION) as [E|_]; cbn [orb];
        [apply wp_ret; split; [reflexivity|]; split; [discriminate|]; intros b _ B; unfold nie.spec.trap.vcpu_call.vcpu_call; rewrite (CALL b B), E; reflexivity|].
      destruct (Z.eqb_spec f SMCCC_VERSION) as [E|_]; cbn [orb];
        [apply wp_ret; split; [reflexivity|]; split; [discriminate|]; intros b _ B; unfold nie.spec.trap.vcpu_call.vcpu_call; rewrite (CALL b B), E; reflexivity|].
      apply wp_ret. split; [reflexivity|]. split; [reflexivity|]. discriminate. }
    w_bind. eapply wp_weaken; [exact FX|]. cbn beta. clear FX. intros r s1 (-> & AN & CALL). destruct answers; cbn [andb].
    2:{ subst r. change (0 =? 0) with true. cbn iota. apply wp_ret. apply wp_ret. exact NO. }
    replace (r =? 0) with false by lia. w_bind.
    destruct (Z.eqb_spec class EC_SMC64) as [ES|NS].
    + w_bind. eapply at_skip; [exact A|]. intros s2 A2. apply wp_ret. w_bind. eapply at_x_store; [exact A2|lia|]. intros s3 A3. apply wp_ret. apply wp_ret.
      eexists. split; [exact A3|]. split; [reflexivity|]. intros _ _. rewrite ES. change (EC_SMC64 =? EC_WFX) with false. cbn iota. rewrite CALL by auto. reflexivity.
    + apply wp_ret. w_bind. eapply at_x_store; [exact A|lia|]. intros s3 A3. apply wp_ret. apply wp_ret.
      eexists. split; [exact A3|]. split; [reflexivity|]. intros _ _. assert (EH : class = EC_HVC64) by lia. rewrite EH. change (EC_HVC64 =? EC_WFX) with false.
      rewrite Z.eqb_refl. cbn iota. rewrite CALL by auto. reflexivity.
Qed.
End Quick.

Theorem quick_run : forall a s kind, let c := me (hw s) in R a s -> wp (quick c kind) (fun r s' => r = b2z (spec_quick c kind a) /\
    keeps_else s s' /\ taken (hw s') = taken (hw s) /\ silent (own a) (hw s) (hw s') /\
    if spec_quick c kind a then exists b, R b s' /\ forall ins content, spec_trap c kind ins content a = (TRAP_RESUME, [], b) else R a s') s.
Proof.
  intros a s kind c HR. eapply wp_weaken; [apply quick_ends with (o := own a) (s0 := s); apply stands_now, HR|]. cbn beta. fold c.
  intros r s' (b & [RB _ _ SI ON] & E & H). split; [exact E|]. split; [split; [now apply ON|eapply silent_stays; exact SI]|].
  split; [eapply silent_taken; exact SI|]. split; [exact SI|]. destruct (spec_quick c kind a); [eauto|now subst b].
Qed.
