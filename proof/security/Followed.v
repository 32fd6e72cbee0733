(* SPDX-License-Identifier: Apache-2.0 *)
(* A step of the machine is a step of the specification, and who runs where is as hardware shows it. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers Switch.
Require nie.spec.call.host_call nie.spec.trap.trap nie.spec.trap.boot nie.spec.trap.vcpu_abort.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning configuration_kept.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation Midway statements trap_statement trap_is_safe boot_is_safe Described cpu_start_exact.
From nie.proof.refine Require Exact.
From nie.proof Require Theorems.
From nie.generated Require Program.
From nie.spec Require Import Step Exact.
From nie.spec Require Released Answers.
From nie.proof.security Require Import core_is_safe good_is_exact trace_statement core_is_correct.
From nie.proof.security Require Import Answered Calm Noted Entered Called Departed Trapped Walked.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
#[local] Existing Instance Answers.eta_book.

(** Who runs, as hardware shows it. *)

Lemma runs_is : forall a s c v, good a s -> 0 <= c < NIE_MAX_CPUS -> 0 <= v < NIE_MAX_VMS -> Released.runs_b s c (v + 1) = (cpu_vm (cpu_at a c) =? v).
Proof.
  intros a s c v G C V. unfold Released.runs_b. destruct (Z.eq_dec (cpu_vm (cpu_at a c)) CPU_HOST) as [H|H].
  - assert (R : root_vmid (hw s) c = 0).
    { unfold root_vmid. rewrite (go_vttbr _ _ G). unfold vttbr_of. rewrite H. change (negb (CPU_HOST =? CPU_HOST)) with false. rewrite andb_false_r.
      pose proof (wf_c _ (so_wf _ (go_sound _ _ G))) as [].  pose proof (gibs_small a (so_wf _ (go_sound _ _ G))). unfold level3_first in *. apply Z.div_small. split; [lia|].
      assert (host_tables (cfg a) < 2 ^ 27) by (pose proof (Z.div_pos (dev_count (cfg a)) 512); pose proof (Z.div_pos (ram_count (cfg a)) 512); lia). lia. }
    rewrite R, H. unfold CPU_HOST, NIE_MAX_VMS in *. lia.
  - destruct (runs_vm a s c _ G C eq_refl H) as (_ & _ & _ & _ & _ & ->). destruct (Z.eqb_spec (cpu_vm (cpu_at a c)) v); lia.
Qed.
Lemma host_is : forall a s c, good a s -> 0 <= c < NIE_MAX_CPUS -> Released.runs_b s c 0 = (cpu_vm (cpu_at a c) =? CPU_HOST).
Proof.
  intros a s c G C. unfold Released.runs_b. destruct (Z.eqb_spec (cpu_vm (cpu_at a c)) CPU_HOST) as [H|H].
  - unfold root_vmid. rewrite (go_vttbr _ _ G). unfold vttbr_of. rewrite H. change (negb (CPU_HOST =? CPU_HOST)) with false. rewrite andb_false_r.
    pose proof (wf_c _ (so_wf _ (go_sound _ _ G))) as [].  pose proof (gibs_small a (so_wf _ (go_sound _ _ G))). unfold level3_first in *. apply Z.eqb_eq. apply Z.div_small. split; [lia|].
    assert (host_tables (cfg a) < 2 ^ 27) by (pose proof (Z.div_pos (dev_count (cfg a)) 512); pose proof (Z.div_pos (ram_count (cfg a)) 512); lia). lia.
  - destruct (runs_vm a s c _ G C eq_refl H) as (V & _ & _ & _ & _ & ->). apply Z.eqb_neq. lia.
Qed.

(** A step of the machine is a step of the specification. *)

Lemma calm_arrives : forall c s h a, calm a (arrives c s h a).
Proof. intros. unfold arrives. apply calm_bare, calm_cpu; [apply calm_refl|reflexivity]. Qed.
Lemma calm_start : forall c a b, calm a b -> calm a (nie.spec.trap.boot.cpu_start c b).
Proof.
  intros c a b H. unfold nie.spec.trap.boot.cpu_start, controls_host, controls_both. cbv zeta.
  apply calm_regs, calm_regs, calm_fpo, calm_regs, calm_lists, calm_cpu; [exact H|reflexivity].
Qed.

Section Program.
Variable P : program gvar.
Hypothesis TC : trap_correct P.
Hypothesis TS : trap_safe P.
Hypothesis SC : start_correct P.

Definition arrived (c : Z) (e : exception) (i : nat -> Z) (d : list (list act)) (s : Step.machine) (a : state) : state := arrives c s (take c e (enter c i d (hw s))) a.
Definition follows (a : state) (s : Step.machine) (l : label) (b : state) (s' : Step.machine) : Prop :=
  match l with
  | Do _ => b = a
  | Trap c e i d => 0 <= c < NIE_MAX_CPUS /\ possible e = true /\ leaves c b s' /\
      exists content, b = snd (nie.spec.trap.trap.trap c (kind e) (fun n => i n) content (arrived c e i d s a))
  | Start c i d => calm a b
  end.
Lemma next_follows : forall w a s l s' g, good a s -> described w a (glob s) -> next P s l = Ok s' g ->
  exists b, good b s' /\ described w b (glob s') /\ follows a s l b s'.
Proof.
  intros w a s l s' g G D E. pose proof (next_correct P TC TS SC w a s l G D) as N. rewrite E in N. destruct N as (b & GB & DB & K). exists b. split; [exact GB|]. split; [exact DB|].
  specialize (K [] b s' (Ended P b s')). destruct l as [x|c e i d|c i d]; cbn [follows].
  - inversion K as [|? ? ? ? ? ? K1| |]; subst. inversion K1; subst. reflexivity.
  - cbn [next] in E. destruct (is_cpu c && negb (Map.get (off s) c) && possible e)%bool eqn:B; [|discriminate E]. apply andb_prop in B as [B PO]. apply andb_prop in B as [IC _].
    split; [unfold is_cpu in IC; lia|]. split; [exact PO|]. inversion K as [| |? ? ? ? ? ? ? content m s1 g0 ? ? h before a0 spec R1 R2 R3 R4 R5 R6 R7 R8|]; subst.
    inversion R8; subst. split; [exact R6|]. exists content. reflexivity.
  - inversion K as [| | |? ? ? ? ? ? s1 g0 ? ? a1 R1 R2 R3 R4]; subst. inversion R4; subst. apply calm_start, calm_arrives.
Qed.
End Program.
