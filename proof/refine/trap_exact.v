(* SPDX-License-Identifier: Apache-2.0 *)
(* trap, from the lock to the unlock, exactly as spec/trap/trap.v says. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.spec.trap Require trap.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning vcpu_run_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.trap.trap.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Told.
From nie.proof.refine Require vcpu_call_exact vcpu_trap_exact.
From nie.proof.refine Require Export Described host_trap_exact.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_trap := nie.spec.trap.trap.trap.

(* Others act, and nothing else. *)
Definition a_moment (s : MACH) : MACH := Mach (glob s) (others (hw s)).
Lemma at_moment : forall c o s0 a s, stands c o s0 a s -> stands c o s0 a (a_moment s).
Proof.
  intros c o s0 a [gl h] A. destruct (at_live _ _ _ _ _ _ A) as (m & L & T).
  eapply at_alike; eauto using alike_refl, ot_refl, live_others; [exact (at_globals _ _ _ _ _ A)|apply silent_others, silent_refl].
Qed.
Lemma R_moment : forall a s, R a s -> R a (a_moment s) /\ keeps_else s (a_moment s).
Proof.
  intros a s H. pose proof (at_moment _ _ _ _ _ (stands_now a s H)) as A. split; [apply A|]. split; [reflexivity|].
  eapply silent_stays. apply A.
Qed.
Lemma keeps_trans : forall x y z, keeps_else x y -> keeps_else y z -> keeps_else x z.
Proof. intros x y z [K S] [K' S']. split; [congruence|eapply stays_trans; eauto]. Qed.

(* What the machine is when the exception has been dealt with, and the lock is about to be free: result and state are those of the
   specification; of a vCPU's exception the host is told the events of the specification and nothing else; of a host's call that
   is PAGE_ADD, it measured what the pages held. *)
Record trap_did (s : MACH) (c kind : Z) (content : Z -> Z -> Z) (a : state) (r : Z) (s1 : MACH) : Prop := {
  td_result : r = fst (fst (spec_trap c kind (inputs_from (hw s)) content a));
  td_R : R (snd (spec_trap c kind (inputs_from (hw s)) content a)) s1;
  td_keeps : keeps_else s s1;
  td_told : cpu_vm (cpu_at a c) <> CPU_HOST -> told (own a) s s1 (snd (fst (spec_trap c kind (inputs_from (hw s)) content a)));
  td_measured : cpu_vm (cpu_at a c) = CPU_HOST -> kind = TRAP_SYNC -> Registers.exception_class (Registers.reg_of a REG_ESR_EL2) = EC_HVC64 ->
    measured_there a (a_moment (a_moment s)) content;
}.

Theorem trap_exact : forall w a s kind, let c := me (hw s) in R a s -> trap_spares a c kind (hw s) -> described w a (glob s) -> x_ok c (glob s) ->
  wp (trap c kind) (fun r s' => exists content s1, trap_did s c kind content a r s1 /\ s' = a_moment s1) s.
Proof.
  intros w a s kind c HR CS D XO. pose proof (at_moment _ _ _ _ _ (stands_now a s HR)) as A. fold c in A.
  pose proof (at_cpu _ _ _ _ _ A) as C. pose proof C as C8. unfold NIE_MAX_CPUS in C8.
  assert (X64 : vcpu_call_exact.x64 a c).
  { intros i I. unfold Registers.x_of. rewrite <- (h_x _ _ _ (g_cpus _ _ (R_globals _ _ HR) c C) i I). now apply XO. }
  unfold trap. apply wp_bind. apply wp_ret. apply wp_bind.
  change (wp engine_lock) with (fun (Q : unit -> MACH -> Prop) s => Q tt (a_moment s)). cbn beta.
  apply wp_bind. destruct (a_moment s) as [gl1 h1] eqn:E1. eapply wp_load1; [reflexivity|exact C8|]. cbn beta.
  pose proof (h_cpu_vm _ _ _ (g_cpus _ _ (at_globals _ _ _ _ _ A) c C)) as EV. cbn [glob] in EV. rewrite EV. clear EV.
  assert (LAST : forall r s1 content, trap_did s c kind content a r s1 ->
    wp (engine_unlock ;;; ret r) (fun r s' => exists content s1, trap_did s c kind content a r s1 /\ s' = a_moment s1) s1).
  { intros r s1 content T. apply wp_bind. change (wp engine_unlock) with (fun (Q : unit -> MACH -> Prop) s => Q tt (a_moment s)). cbn beta. apply wp_ret. eauto. }
  apply wp_bind. destruct (Z.eqb_spec (cpu_vm (cpu_at a c)) CPU_HOST) as [EH|NH].
  - apply wp_bind. eapply wp_weaken.
    { refine (host_trap_exact a s w EH XO D (Mach gl1 h1) kind _ _ CS); [exact A|]. now injection E1 as <- _. }
    cbn beta. intros r s1 (content & E & R1 & K & M). apply wp_ret. eapply (LAST r s1 content). constructor; auto.
    + unfold spec_trap. fold c. rewrite EH, Z.eqb_refl. exact E.
    + unfold spec_trap. fold c. rewrite EH, Z.eqb_refl. exact R1.
    + contradiction.
    + intros _ EK EC. rewrite E1. exact (M EC EK).
  - apply wp_bind. eapply vcpu_trap_exact.vcpu_trap_exact; [exact A|exact NH|exact X64|]. intros s1 EN. apply wp_ret. eapply (LAST _ s1 (fun _ _ => 0)).
    assert (ES : spec_trap c kind (inputs_from (hw s)) (fun _ _ => 0) a =
      (TRAP_RESUME, fst (nie.spec.trap.trap.vcpu_trap c kind a), snd (nie.spec.trap.trap.vcpu_trap c kind a))).
    { unfold spec_trap. replace (cpu_vm (cpu_at a c) =? CPU_HOST) with false by lia. now destruct (nie.spec.trap.trap.vcpu_trap c kind a). }
    constructor; rewrite ?ES; cbn [fst snd].
    + reflexivity.
    + apply EN.
    + eapply keeps_ends; exact EN.
    + intros _. apply EN.
    + intro. contradiction.
Qed.
