(* SPDX-License-Identifier: Apache-2.0 *)
(* The whole of `trap`: what is claimed of it, and the host's calls that the claim covers. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.call.host_call nie.generated.trap.trap nie.generated.trap.quick nie.generated.call.vcpu_run.
From nie.spec Require Import Core.
From nie.proof.refine Require Import statements.
From nie.proof.refine Require Export host_trap_refines vcpu_run_steps.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** The claim. *)

(* Calls of the host that it leaves out: each has, or will have, a theorem of its own. *)
Definition other_call (f : Z) : bool := existsb (Z.eqb f)
  [NIE_VM_INFO; NIE_VM_CREATE; NIE_VM_ACTIVATE; NIE_VM_STOP; NIE_VM_DESTROY; NIE_VCPU_CREATE; NIE_VCPU_DESTROY; NIE_TABLE_ADD; NIE_TABLE_REMOVE;
   NIE_PAGE_ADD; NIE_PAGE_ADD_ZERO; NIE_PAGE_REMOVE; NIE_PAGE_SHARED_ADD].
(* A vCPU runs on the CPU, or x0 names none of those. *)
Definition covered (c : Z) (a : state) (gl : globals) : Prop :=
  cpu_vm (cpu_at a c) <> CPU_HOST \/ other_call (Z.land (at1 cpus_x gl (c * 31)) 0xffffffff) = false.

(* For every exception that is covered: kind, syndrome, addresses, registers, inputs, other CPUs are all arbitrary. [R] of the
   result holds [ok]: no obligation was violated and every state met, in mid-handler too, was [safe]. [steps]: who owns, maps and
   runs what changes by the named steps alone; what registers and saved contexts hold is left open. *)
Definition trap_safe (P : program gvar) : Prop := forall a s kind, let c := me (hw s) in
  R a s -> manifest_ok (glob s) -> x_ok c (glob s) -> covered c a (glob s) ->
  exists r b s', run_of P "trap" [c; kind] s = Some ([r], s') /\ steps c a b /\ R b s' /\ manifest_ok (glob s').
Definition quick_safe (P : program gvar) : Prop := forall a s kind, let c := me (hw s) in
  R a s -> manifest_ok (glob s) ->
  exists r b s', run_of P "quick" [c; kind] s = Some ([r], s') /\ registers_only c a b /\ R b s' /\ manifest_ok (glob s').

(** The proof. *)

Lemma host_call_wp : forall c a gl h (Q : unit -> MACH -> Prop), mid c (vttbr_of a) a (Mach gl h) -> cpu_vm (cpu_at a c) = CPU_HOST -> x_ok c gl ->
  other_call (Z.land (at1 cpus_x gl (c * 31)) 0xffffffff) = false -> (forall s', after c a s' -> Q tt s') -> wp (host_call c) Q (Mach gl h).
Proof.
  intros c a gl h Q MI HO XO OC H. pose proof (mi_c _ _ _ _ MI) as C. unfold NIE_MAX_CPUS in C.
  unfold host_call. apply wp_bind. eapply wp_load2; [reflexivity|lia|lia|]. cbn beta. rewrite Z.add_0_r. apply wp_bind. apply wp_ret.
  set (f := Z.land _ _) in *. unfold other_call in OC. cbn [existsb] in OC.
  repeat match goal with E : (_ || _)%bool = false |- _ => apply orb_false_elim in E as [? E] end.
  destruct (f =? NIE_VERSION).
  { apply wp_bind. eapply run_any; [exact MI| |intros [] s' M; apply wp_ret, H; now apply after_quiet]. intros V fine FV. unfold put_answer. quiet. }
  replace (f =? NIE_VM_INFO) with false by congruence.
  destruct (f =? NIE_VCPU_RUN).
  { apply wp_bind. unfold host_vcpu_run. apply wp_bind. eapply wp_load2; [reflexivity|lia|lia|]. cbn beta. apply wp_bind. eapply wp_load2; [reflexivity|lia|lia|]. cbn beta.
    apply wp_bind. eapply vcpu_run_wp; [exact MI|exact HO|apply XO; lia|apply XO; lia|]. intros r s1 (b & S1 & M1).
    destruct (negb _); [|apply wp_ret; apply wp_ret; apply H; exists b; auto].
    apply wp_bind. eapply run_any; [exact M1|intros; eapply k_store2; [reflexivity|lia|lia|reflexivity|reflexivity]|].
    intros _ s2 M2. apply wp_ret. apply wp_ret. apply H. exists b. auto. }
  replace (f =? NIE_VM_DESTROY) with false by congruence. replace (f =? NIE_VCPU_DESTROY) with false by congruence.
  replace (f =? NIE_TABLE_REMOVE) with false by congruence. replace (f =? NIE_PAGE_REMOVE) with false by congruence. cbn [orb]. cbn iota.
  apply wp_bind. unfold call_simple. apply wp_bind. unfold index. replace ((0 <=? c) && (c <? 8))%bool with true by lia. apply wp_ret.
  replace (f =? NIE_VM_CREATE) with false by congruence. replace (f =? NIE_VM_ACTIVATE) with false by congruence. replace (f =? NIE_VM_STOP) with false by congruence.
  replace (f =? NIE_VCPU_CREATE) with false by congruence. replace (f =? NIE_TABLE_ADD) with false by congruence. replace (f =? NIE_PAGE_ADD) with false by congruence.
  replace (f =? NIE_PAGE_ADD_ZERO) with false by congruence. replace (f =? NIE_PAGE_SHARED_ADD) with false by congruence.
  apply wp_ret. apply wp_bind. eapply run_any; [exact MI|intros; eapply k_store2; [reflexivity|lia|lia|reflexivity|reflexivity]|].
  intros _ s2 M2. apply wp_ret. apply H. now apply after_quiet.
Qed.

Theorem trap_steps_wp : forall a s kind, let c := me (hw s) in R a s -> manifest_ok (glob s) -> x_ok c (glob s) -> covered c a (glob s) ->
  wp (trap c kind) (fun _ s' => exists b, steps c a b /\ R b s' /\ manifest_ok (glob s')) s.
Proof.
  intros a [gl h] kind c HR MO XO CO. pose proof (mid_of_R _ _ HR MO) as MI. fold c in MI. cbn [glob hw] in *.
  eapply trap_wp; [exact MI|exact XO| |].
  - intros r s' (b & S & M). destruct (R_of_mid _ _ _ M) as [HR' RO]. exists (snapshot b (glob s') (hw s')).
    split; [eapply steps_trans; [exact S|]; apply one_step; now apply Registers|]. split; [exact HR'|apply M].
  - intros HO h' M. destruct CO as [N|CO]; [now destruct N|]. eapply host_call_wp; [exact M|exact HO|exact XO|exact CO|]. auto.
Qed.

Lemma q_quick : forall c gl0 hw0 A (V : Z -> Z -> Prop) (fine : (Z -> Z) -> Prop) kind, 0 <= c < 8 -> keeps c gl0 hw0 A V fine (quick c kind) any.
Proof.
  intros c gl0 hw0 A V fine kind C. pose proof (q_skip c gl0 hw0 A V fine) as K1. pose proof (q_class c gl0 hw0 A V fine) as K2.
  assert (K3 : forall f, keeps c gl0 hw0 A V fine (fixed_answer f) any) by (intro; unfold fixed_answer; quiet).
  assert (K4 : forall e, keeps c gl0 hw0 A V fine (quick_host c e) any) by (intro; unfold quick_host; quiet).
  assert (K5 : forall e, keeps c gl0 hw0 A V fine (quick_vcpu c e) any) by (intro; unfold quick_vcpu; quiet).
  unfold quick. quiet.
Qed.

Theorem quick_wp : forall a s kind, let c := me (hw s) in R a s -> manifest_ok (glob s) ->
  wp (quick c kind) (fun _ s' => exists b, registers_only c a b /\ R b s' /\ manifest_ok (glob s')) s.
Proof.
  intros a s kind c HR MO. pose proof (mid_of_R _ _ HR MO) as MI. fold c in MI.
  eapply run_any; [exact MI|intros; apply q_quick; exact (mi_c _ _ _ _ MI)|]. intros r s' M. destruct (R_of_mid _ _ _ M) as [HR' RO].
  exists (snapshot a (glob s') (hw s')). split; [exact RO|]. split; [exact HR'|apply M].
Qed.
