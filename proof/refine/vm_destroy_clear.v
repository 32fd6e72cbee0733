(* SPDX-License-Identifier: Apache-2.0 *)
(* clear_vm: after it the core's objects hold a VM that is not. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning vm_destroy_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.call.vm_destroy.
From nie.spec Require Import Core.
From nie.proof.refine Require Import sha256_refines.
From nie.proof.refine Require Export Shared.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* A word of each VM. *)
Definition of_record (g : gvar) : bool :=
  match g with vms_root | vms_ram_base | vms_ram_pages | vms_cntvoff | vms_hashed | vms_vcpus | vms_state => true | _ => false end.
Record cleared_to (vm : Z) (gl gl' : globals) : Prop := {
  ct_field : forall g, of_record g = false -> g <> vms_hash -> g <> lasts_vcpu -> field g gl' = field g gl;
  ct_vm : forall g v, of_record g = true -> at1 g gl' v = if v =? vm then 0 else at1 g gl v;
  ct_hash : forall i, at1 vms_hash gl' i = if (vm * 8 <=? i) && (i <? vm * 8 + 8) then 0 else at1 vms_hash gl i;
  ct_last : forall i, at1 lasts_vcpu gl' i = if (vm * 8 <=? i) && (i <? vm * 8 + 8) then 0 else at1 lasts_vcpu gl i;
}.

Lemma field_put : forall g g' i v gl, g <> g' -> field g (put1 g' i v gl) = field g gl.
Proof. intros. unfold put1. now apply field_set_other. Qed.

(* Eight words of a VM, one after the other. *)
Lemma zero_loop : forall g gl (h : Machine.hw) vm n (Q : unit -> mach globals Machine.hw -> Prop), dims g = [64; 8] -> constant_table g = false -> n = 8 ->
  0 <= vm < 64 ->
  (forall gl', (forall g', g' <> g -> field g' gl' = field g' gl) ->
     (forall i, at1 g gl' i = if (vm * 8 <=? i) && (i <? vm * 8 + 8) then 0 else at1 g gl i) -> Q tt (Mach gl' h)) ->
  wp (loop 0 n tt (fun i _ => store g [vm; i] 0 ;;; ret tt)) Q (Mach gl h).
Proof.
  intros g gl h vm n Q D K -> V H.
  apply wp_loop with (I := fun n _ s => exists gl', s = Mach gl' h /\ (forall g', g' <> g -> field g' gl' = field g' gl) /\
    forall i, at1 g gl' i = if (vm * 8 <=? i) && (i <? vm * 8 + n) then 0 else at1 g gl i); [lia| | |].
  - exists gl. split; [reflexivity|]. split; [reflexivity|]. intro i. now destruct ((vm * 8 <=? i) && (i <? vm * 8 + 0)) eqn:E; [lia|].
  - intros n u s N (gl1 & -> & F & E). w_bind. eapply wp_known with (a := tt) (s' := Mach (put1 g (vm * 8 + n) 0 gl1) h).
    + unfold store. rewrite D. cbn [place glob hw]. replace ((0 <=? vm) && (vm <? 64)) with true by lia.
      replace ((0 <=? n) && (n <? 8)) with true by lia. replace ((0 * 64 + vm) * 8 + n) with (vm * 8 + n) by lia. reflexivity.
    + cbn beta. apply wp_ret. eexists. split; [reflexivity|]. split.
      * intros g' N'. rewrite field_put by exact N'. now apply F.
      * intro i. rewrite at_put by exact K. destruct (gvar_dec g g); [|contradiction]. rewrite E.
        destruct (Z.eqb_spec i (vm * 8 + n)) as [->|N']; [now replace ((vm * 8 <=? vm * 8 + n) && (vm * 8 + n <? vm * 8 + (n + 1))) with true by lia|].
        now replace ((vm * 8 <=? i) && (i <? vm * 8 + (n + 1))) with ((vm * 8 <=? i) && (i <? vm * 8 + n)) by lia.
  - intros u s (gl1 & -> & F & E). destruct u. auto.
Qed.

Lemma clear_wp : forall gl (h : Machine.hw) vm (Q : unit -> mach globals Machine.hw -> Prop), 0 <= vm < 64 ->
  (forall gl', cleared_to vm gl gl' -> Q tt (Mach gl' h)) -> wp (clear_vm vm) Q (Mach gl h).
Proof.
  intros gl h vm Q V H. unfold clear_vm.
  do 5 (w_bind; eapply wp_store1; [reflexivity|exact V|]; cbn beta).
  match goal with |- wp _ _ (Mach ?g _) => set (gl1 := g) end.
  w_bind. apply zero_loop; try reflexivity; [exact V|]. intros gl2 F2 H2. cbn beta.
  w_bind. eapply wp_store1; [reflexivity|exact V|]; cbn beta. set (gl3 := put1 vms_vcpus vm 0 gl2).
  w_bind. apply zero_loop; try reflexivity; [exact V|]. intros gl4 F4 H4. cbn beta.
  w_bind. eapply wp_store1; [reflexivity|exact V|]; cbn beta. apply wp_ret. apply H.
  assert (A2 : forall g i, g <> vms_hash -> at1 g gl2 i = at1 g gl1 i) by (intros g i N; unfold at1; now rewrite F2).
  assert (A4 : forall g i, g <> lasts_vcpu -> at1 g gl4 i = at1 g gl3 i) by (intros g i N; unfold at1; now rewrite F4).
  constructor.
  - intros g N1 N2 N3. rewrite field_put by (intros ->; discriminate). rewrite F4 by exact N3. unfold gl3.
    rewrite field_put by (intros ->; discriminate). rewrite F2 by exact N2. unfold gl1.
    rewrite !field_put by (intros ->; discriminate). reflexivity.
  - intros g v R. rewrite at_put by reflexivity. unfold NIE_VM_FREE.
    destruct g; try discriminate R; cbn [gvar_dec]; cbn; rewrite ?A4 by discriminate; unfold gl3; rewrite ?at_put by reflexivity; cbn;
      rewrite ?A2 by discriminate; unfold gl1; rewrite ?at_put by reflexivity; cbn; reflexivity.
  - intro i. rewrite at_put by reflexivity. cbn. rewrite A4 by discriminate. unfold gl3. rewrite at_put by reflexivity. cbn. rewrite H2.
    unfold gl1. rewrite !at_put by reflexivity. cbn. reflexivity.
  - intro i. rewrite at_put by reflexivity. cbn. rewrite H4. unfold gl3. rewrite at_put by reflexivity. cbn. rewrite A2 by discriminate.
    unfold gl1. rewrite !at_put by reflexivity. cbn. reflexivity.
Qed.

Lemma cleared_globals : forall a gl gl' vm, globals_hold a gl -> 0 <= vm < NIE_MAX_VMS -> granules (vm_at a vm) = 0 ->
  running (vm_at a vm) = 0 -> created (vm_at a vm) = 0 -> cleared_to vm gl gl' -> globals_hold (spec_clear vm a) gl'.
Proof.
  intros a gl gl' vm G V G0 R0 C0 [F VM HA LA]. destruct (clear_rest vm a) as (E1 & _ & E3 & [E4 _] & E5 & _).
  assert (FA : forall g i, of_record g = false -> g <> vms_hash -> g <> lasts_vcpu -> at1 g gl' i = at1 g gl i) by (intros; unfold at1; now rewrite F).
  constructor; rewrite ?E1; try (rewrite FA by (reflexivity || discriminate); apply G).
  - intros p R. cbn zeta. unfold in_ram in R. rewrite E1 in R. unfold own. rewrite E3, !FA by (reflexivity || discriminate). exact (g_own _ _ G p R).
  - intros v H. rewrite clear_vm_at, (VM vms_state), (VM vms_root), (VM vms_ram_base), (VM vms_ram_pages), FA by (reflexivity || discriminate).
    destruct (g_vm _ _ G v H) as (S1 & S2 & S3 & S4 & S5). destruct (Z.eqb_spec v vm) as [->|]; auto. rewrite S5, G0. auto.
  - intros v H. rewrite clear_vm_at. destruct (g_vms _ _ G v H) as [H1 H2 H3 H4 H5 (n & L & D)].
    destruct (Z.eqb_spec v vm) as [->|N]; constructor; rewrite ?(VM vms_cntvoff), ?(VM vms_vcpus), ?(VM vms_hashed), ?(FA vms_running), ?(FA vms_created) by (reflexivity || discriminate);
      rewrite ?Z.eqb_refl; try (replace (v =? vm) with false by lia); auto.
    + now rewrite H3.
    + now rewrite H4.
    + assert (Z0 : forall i, 0 <= i < 8 -> hash_word gl' vm i = 0).
      { intros i I. unfold hash_word. rewrite HA. now replace ((vm * 8 <=? vm * 8 + i) && (vm * 8 + i <? vm * 8 + 8)) with true by lia. }
      unfold hash_of. rewrite !Z0 by lia. reflexivity.
    + exists 0%nat. split; reflexivity.
    + rewrite <- H5. assert (S : forall i, 0 <= i < 8 -> hash_word gl' v i = hash_word gl v i).
      { intros i I. unfold hash_word. rewrite HA. now destruct ((vm * 8 <=? v * 8 + i) && (v * 8 + i <? vm * 8 + 8)) eqn:E; [lia|]. }
      unfold hash_of. rewrite !S by lia. reflexivity.
    + exists n. auto.
  - intros v i H I. unfold vcpu_at. rewrite E4. eapply vcpu_same; [|exact (g_vcpus _ _ G v i H I)]. intros g D. apply F; destruct g; try discriminate; auto.
  - intros c C. unfold cpu_at. rewrite E5. eapply cpu_same; [|exact (g_cpus _ _ G c C)]. intros g D. apply F; destruct g; try discriminate; auto.
  - intros v c H C. rewrite LA, clear_last by exact C. unfold NIE_MAX_CPUS in *. destruct (Z.eqb_spec v vm) as [->|N].
    + now replace ((vm * 8 <=? vm * 8 + c) && (vm * 8 + c <? vm * 8 + 8)) with true by lia.
    + replace ((vm * 8 <=? v * 8 + c) && (v * 8 + c <? vm * 8 + 8)) with false by lia. exact (g_lasts _ _ G v c H C).
Qed.
