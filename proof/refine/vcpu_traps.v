(* SPDX-License-Identifier: Apache-2.0 *)
(* Every exception of a vCPU: its calls, its aborts, its registers, its interrupts. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning page_remove_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.stage2_h nie.generated.trap_h nie.generated.state.world nie.generated.state.inject
  nie.generated.state.context nie.generated.state.stage2 nie.generated.trap.mmio nie.generated.trap.sysreg nie.generated.trap.vcpu_call
  nie.generated.trap.vcpu_abort nie.generated.trap.trap.
From nie.spec Require Import Core.
From nie.proof.refine Require Import GiveBack.
From nie.proof.refine Require Export world_refines.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* What a trap of CPU c leaves: a state that named steps reach. *)
Definition after (c : Z) (a : state) (s' : mach globals Machine.hw) : Prop := exists b, steps c a b /\ mid c (vttbr_of b) b s'.
(* Then the vCPU, if it still runs, is the one that trapped. *)
Definition x_ok (c : Z) (gl : globals) : Prop := forall i, 0 <= i < 31 -> 0 <= at1 cpus_x gl (c * 31 + i) < 2 ^ 64.

Lemma after_quiet : forall c a s, mid c (vttbr_of a) a s -> after c a s.
Proof. intros. exists a. split; auto. apply no_step. Qed.
Lemma after_steps : forall c a b s, steps c a b -> after c b s -> after c a s.
Proof. intros c a b s H (d & K & M). exists d. split; auto. eapply steps_trans; eauto. Qed.
Lemma after_exit : forall c a s v i r p w x (Q : unit -> mach globals Machine.hw -> Prop), mid c (vttbr_of a) a s -> runs a c v i ->
  (forall s', after c a s' -> Q tt s') -> wp (exit_vcpu c r p w x) Q s.
Proof.
  intros c a s v i r p w x Q MI RU H. eapply wp_weaken; [eapply exit_vcpu_wp; eauto|]. cbn beta. intros [] s' (b & S & _ & M). apply H. exists b. auto.
Qed.

Lemma same_glob : forall X (m : M (mach globals Machine.hw) X) P s, wp m P s -> (forall r s', m s = Some (r, s') -> glob s' = glob s) ->
  wp m (fun r s' => P r s' /\ glob s' = glob s) s.
Proof. intros X m P s W G. unfold wp in *. destruct (m s) as [[r s']|] eqn:E; auto. split; auto. now apply (G r). Qed.
Lemma on_hw_glob : forall X (p : M Machine.hw X) (s s' : mach globals Machine.hw) r, on_hw p s = Some (r, s') -> glob s' = glob s.
Proof. intros X p [gl h] s' r. unfold on_hw. cbn. destruct (p h) as [[]|]; [|discriminate]. intros [= <- <-]. reflexivity. Qed.

Section Vcpu.
Variables (c v i : Z) (a : state).
Hypothesis RU : runs a c v i.

Lemma skip_wp : forall vt s, mid c vt a s -> wp skip_instruction (fun _ s' => mid c vt a s' /\ glob s' = glob s) s.
Proof.
  intros vt s MI. apply same_glob.
  - eapply wp_weaken; [eapply (run_quiet _ _ _ _ MI) with (P := any); intros; apply q_skip; auto|]. now intros _ s' (M & _ & _).
  - intros [] s' E. unfold skip_instruction, bind in E.
    destruct (sysreg_read REG_ELR_EL2 s) as [[x1 s1]|] eqn:E1; [|discriminate]. destruct (sysreg_read REG_SPSR_EL2 s1) as [[x2 s2]|] eqn:E2; [|discriminate].
    destruct (sysreg_write REG_ELR_EL2 (wrap U64 (x1 + 4)) s2) as [[x3 s3]|] eqn:E3; [|discriminate].
    destruct (sysreg_write REG_SPSR_EL2 _ s3) as [[x4 s4]|] eqn:E4; [|discriminate]. injection E as <-.
    unfold sysreg_read, sysreg_write in *. apply on_hw_glob in E1, E2, E3, E4. congruence.
Qed.

(* What is known of the vCPU. *)
Lemma vcpu_facts : forall vt s, mid c vt a s -> on_cpu a c v i /\ 0 <= c < 8 /\ at1 cpus_vm (glob s) c = v /\ at1 cpus_vcpu (glob s) c = i /\
  1 <= vcpu_count (vm_at a v) <= 8.
Proof.
  intros vt s MI. pose proof (so_wf _ (mi_sound _ _ _ _ MI)) as W. pose proof (mi_c _ _ _ _ MI) as C. pose proof (who_runs _ _ _ _ W C RU) as OC.
  destruct (mid_runs _ _ _ _ MI) as [E1 E2]. destruct RU as (R1 & R2 & R3). destruct OC as [V I ST CP NF CX RN].
  destruct (v_used _ (wf_v _ W) v V NF) as (_ & X & _). unfold NIE_MAX_CPUS, NIE_MAX_VCPUS in *.
  split; [constructor; auto|]. split; [auto|]. split; [congruence|]. split; [congruence|auto].
Qed.

Ltac q_at MI := eapply wp_weaken; [eapply (run_quiet _ _ _ _ MI) with (P := any); intros ? ? ?|cbn beta; intros ? ? (? & _ & ?)].

(** A store to the record of a vCPU of this VM. *)

Lemma put_asks : forall vt gl h g t x r, mid c vt a (Mach gl h) -> mine a c v i t -> match g with vcpus_pending | vcpus_syndrome => True | _ => False end ->
  asks_only (vcpu_at a v t) r ->
  pending r = at1 vcpus_pending (put1 g (v * NIE_MAX_VCPUS + t) x gl) (v * NIE_MAX_VCPUS + t) ->
  syndrome r = at1 vcpus_syndrome (put1 g (v * NIE_MAX_VCPUS + t) x gl) (v * NIE_MAX_VCPUS + t) ->
  mid c vt (set_vcpu v t r a) (Mach (put1 g (v * NIE_MAX_VCPUS + t) x gl) h).
Proof.
  intros vt gl h g t x r MI MN G (A1 & A2 & A3 & A4) E1 E2. pose proof MI as [SO AR OC (m & W & T) RM EN ME CC VT MO]. cbn [glob hw] in *.
  destruct (vcpu_facts _ _ MI) as ([V I ST CP NF CX RN] & _). pose proof (mid_vcpu _ _ _ _ v t MI V (proj1 (proj2 MN))) as []. cbn [glob] in *.
  assert (CG : constant_table g = false) by (destruct g; auto; contradiction).
  constructor; cbn [glob hw]; auto.
  - eapply step_sound; [exact CC|eapply Asks; [exact MN|repeat split; auto]|exact SO].
  - apply rest_vcpu; auto; [apply MN|destruct g; auto; contradiction|].
    constructor; auto; rewrite at_put_other by (auto; intros <-; contradiction); congruence.
  - eapply other_put with (a := a); auto. destruct g; auto.
  - exists m. split; [exact W|]. destruct T. constructor; assumption.
  - apply man_put; auto. intros ->. contradiction.
Qed.

Lemma asks_map : forall t r, vttbr_of (set_vcpu v t r a) = vttbr_of a.
Proof. reflexivity. Qed.
End Vcpu.
