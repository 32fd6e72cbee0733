(* SPDX-License-Identifier: Apache-2.0 *)
(* Stores to records of vCPUs, CPUs and VMs, each as an update of the state: [globals_hold] step by step. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.proof.invariant Require Import Meaning trap_steps.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.proof.refine Require Import Exact.
From nie.proof.refine Require Export Relation.
Import RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Holds.
Variables (a : state) (gl gl' : globals).
Hypothesis G : globals_hold a gl.

(* One vCPU's record. *)
Lemma hold_vcpu : forall v i r, 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS ->
  (forall g, of_vcpu g = false -> field g gl' = field g gl) ->
  (forall g j, of_vcpu g = true -> j <> v * NIE_MAX_VCPUS + i -> at1 g gl' j = at1 g gl j) ->
  vcpu_holds gl' (v * NIE_MAX_VCPUS + i) r -> globals_hold (set_vcpu v i r a) gl'.
Proof.
  intros v i r V I F O H. assert (E : forall g j, of_vcpu g = false -> at1 g gl' j = at1 g gl j) by (intros; unfold at1; now rewrite F).
  constructor; try (rewrite E by reflexivity; apply G).
  - intros p P. cbn zeta. rewrite !E by reflexivity. exact (g_own _ _ G p P).
  - intros w W. rewrite !E by reflexivity. exact (g_vm _ _ G w W).
  - intros w W. eapply vm_same; [|exact (g_vms _ _ G w W)]. intros g X. apply F. now destruct g.
  - intros w j W J. rewrite vcpu_at_put by auto. destruct ((w =? v) && (j =? i)) eqn:X.
    + assert (w = v /\ j = i) as [-> ->] by lia. exact H.
    + assert (N : w * NIE_MAX_VCPUS + j <> v * NIE_MAX_VCPUS + i) by (unfold NIE_MAX_VCPUS in *; lia).
      destruct (g_vcpus _ _ G w j W J). constructor; rewrite O by auto; auto.
  - intros d D. eapply cpu_same; [|exact (g_cpus _ _ G d D)]. intros g X. apply F. now destruct g.
  - intros w d W D. rewrite E by reflexivity. exact (g_lasts _ _ G w d W D).
Qed.

(* How many vCPUs of a VM run. *)
Lemma hold_running : forall v n, 0 <= v < NIE_MAX_VMS -> gl' = put1 vms_running v n gl -> globals_hold (set_vm v (vm_at a v <| running := n |>) a) gl'.
Proof.
  intros v n V ->. set (gl1 := put1 vms_running v n gl).
  assert (F : forall g, g <> vms_running -> field g gl1 = field g gl) by (intros; now apply field_set_other).
  assert (E : forall g j, g <> vms_running -> at1 g gl1 j = at1 g gl j) by (intros; unfold at1; now rewrite F).
  constructor; try (rewrite E by discriminate; apply G).
  - intros p P. cbn zeta. rewrite !E by discriminate. exact (g_own _ _ G p P).
  - intros w W. rewrite !E by discriminate. rewrite vm_at_put. pose proof (g_vm _ _ G w W) as K. destruct (Z.eqb_spec w v) as [->|]; exact K.
  - intros w W. rewrite vm_at_put. pose proof (g_vms _ _ G w W) as [].
    assert (HH : sha256_refines.hash_of gl1 w = sha256_refines.hash_of gl w).
    { unfold sha256_refines.hash_of, sha256_refines.hash_word. rewrite !E by discriminate. reflexivity. }
    assert (RR : at1 vms_running gl1 w = if w =? v then n else at1 vms_running gl w) by (unfold gl1; rewrite at_put by reflexivity; reflexivity).
    destruct (Z.eqb_spec w v) as [->|N]; constructor; rewrite ?HH, ?(E vms_cntvoff), ?(E vms_vcpus), ?(E vms_created), ?(E vms_hashed) by discriminate; auto;
      rewrite RR; auto.
  - intros w j W J. eapply vcpu_same; [|exact (g_vcpus _ _ G w j W J)]. intros g X. apply F. now intros ->.
  - intros d D. eapply cpu_same; [|exact (g_cpus _ _ G d D)]. intros g X. apply F. now intros ->.
  - intros w d W D. rewrite E by discriminate. exact (g_lasts _ _ G w d W D).
Qed.

(* One CPU's record. *)
Definition cpu_word (c : Z) (g : gvar) (j : Z) : bool := match g with
  | cpus_x | cpus_host_x => (c * 31 <=? j) && (j <? c * 31 + 31)
  | cpus_host_sysreg => (c * REG_SWITCHED <=? j) && (j <? c * REG_SWITCHED + REG_SWITCHED)
  | cpus_in => (c * RUN_IN_END <=? j) && (j <? c * RUN_IN_END + RUN_IN_END)
  | _ => j =? c end.
Lemma hold_cpu : forall c r, 0 <= c < NIE_MAX_CPUS ->
  (forall g, of_cpu g = false -> field g gl' = field g gl) ->
  (forall g j, of_cpu g = true -> cpu_word c g j = false -> at1 g gl' j = at1 g gl j) ->
  cpu_holds gl' c r -> globals_hold (set_cpu c r a) gl'.
Proof.
  intros c r C F O H. assert (E : forall g j, of_cpu g = false -> at1 g gl' j = at1 g gl j) by (intros; unfold at1; now rewrite F).
  constructor; try (rewrite E by reflexivity; apply G).
  - intros p P. cbn zeta. rewrite !E by reflexivity. exact (g_own _ _ G p P).
  - intros w W. rewrite !E by reflexivity. exact (g_vm _ _ G w W).
  - intros w W. eapply vm_same; [|exact (g_vms _ _ G w W)]. intros g X. apply F. now destruct g.
  - intros w j W J. eapply vcpu_same; [|exact (g_vcpus _ _ G w j W J)]. intros g X. apply F. now destruct g.
  - intros d D. rewrite cpu_at_put. destruct (Z.eqb_spec d c) as [->|N]; [exact H|].
    destruct (g_cpus _ _ G d D). unfold REG_SWITCHED, RUN_IN_END in *. constructor; intros; rewrite O by (try reflexivity; unfold cpu_word, REG_SWITCHED, RUN_IN_END in *; lia); auto.
  - intros w d W D. rewrite E by reflexivity. exact (g_lasts _ _ G w d W D).
Qed.

(* Which vCPU was last on a CPU. *)
Lemma hold_last : forall v c n, 0 <= v < NIE_MAX_VMS -> 0 <= c < NIE_MAX_CPUS -> gl' = put1 lasts_vcpu (v * NIE_MAX_CPUS + c) n gl ->
  globals_hold (set_last v c n a) gl'.
Proof.
  intros v c n V C ->. set (gl1 := put1 lasts_vcpu (v * NIE_MAX_CPUS + c) n gl).
  assert (F : forall g, g <> lasts_vcpu -> field g gl1 = field g gl) by (intros; now apply field_set_other).
  assert (E : forall g j, g <> lasts_vcpu -> at1 g gl1 j = at1 g gl j) by (intros; unfold at1; now rewrite F).
  constructor; try (rewrite E by discriminate; apply G).
  - intros p P. cbn zeta. rewrite !E by discriminate. exact (g_own _ _ G p P).
  - intros w W. rewrite !E by discriminate. exact (g_vm _ _ G w W).
  - intros w W. eapply vm_same; [|exact (g_vms _ _ G w W)]. intros g X. apply F. now intros ->.
  - intros w j W J. eapply vcpu_same; [|exact (g_vcpus _ _ G w j W J)]. intros g X. apply F. now intros ->.
  - intros d D. eapply cpu_same; [|exact (g_cpus _ _ G d D)]. intros g X. apply F. now intros ->.
  - intros w d W D. unfold gl1. rewrite at_put by reflexivity.
    transitivity (if w * NIE_MAX_CPUS + d =? v * NIE_MAX_CPUS + c then n else at1 lasts_vcpu gl (w * NIE_MAX_CPUS + d)); [reflexivity|].
    transitivity (Map.get (Map.set (lasts a) (v * NIE_MAX_CPUS + c) n) (w * NIE_MAX_CPUS + d)); [|reflexivity]. rewrite Map.get_set.
    destruct (_ =? _); auto. exact (g_lasts _ _ G w d W D).
Qed.
End Holds.

(* What it does not speak of. *)
Lemma holds_of : forall a b gl, globals_hold a gl -> cfg b = cfg a -> owners b = owners a -> vms b = vms a -> vcpus b = vcpus a ->
  cpus b = cpus a -> lasts b = lasts a -> globals_hold b gl.
Proof.
  intros a b gl [] EC EO EV EU EP EL. constructor; unfold own, vm_at, vcpu_at, cpu_at, last_at, in_ram in *; rewrite ?EC, ?EO, ?EV, ?EU, ?EP, ?EL; auto.
Qed.
