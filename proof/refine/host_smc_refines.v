(* SPDX-License-Identifier: Apache-2.0 *)
(* host_smc: the result, the answer in x0 and the state are those of spec/trap/host_smc.v. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.spec.trap Require host_smc.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.trap_h nie.generated.trap.host_smc.
From nie.spec Require Import Core.
From nie.proof.refine Require Import inject_exact.
From nie.proof.refine Require Export host_smc_exact.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Smc.
Variables (c : Z) (o : Z -> owner) (s0 : MACH).
Notation at_ := (stands c o s0).
Notation POST X := (X -> MACH -> Prop).
Notation after := (after_asking c o s0).
Notation ins := (inputs_from (hw s0)).
Notation spec_answer := nie.spec.trap.host_smc.host_smc_answer.

Lemma call_wp : forall a s f x y z (Q : POST Z), at_ a s -> (forall s', after a s' -> Q (ins 0%nat) s') -> wp (firmware_call f x y z) Q s.
Proof. intros a s f x y z Q A H. unfold firmware_call. eapply at_input; [exact A|]. intros s1 A1 _ K. apply H. split; eauto. Qed.
Lemma system_wp : forall a s f (Q : POST Z), at_ a s ->
  (forall s', after (snd (nie.spec.trap.host_smc.host_system f ins a)) s' -> Q (fst (fst (nie.spec.trap.host_smc.host_system f ins a))) s') ->
  wp (host_system f) Q s.
Proof.
  intros a s f Q A H. unfold host_system. unfold nie.spec.trap.host_smc.host_system in H. apply wp_bind. eapply any_vm_wp; [exact A|].
  destruct (nie.spec.trap.host_smc.all_free a); cbn [negb b2z fst snd] in H |- *; [change (0 =? 0) with true|change (1 =? 0) with false]; cbn [negb];
    [|apply wp_ret, H; now apply after_nothing].
  apply wp_bind. eapply call_wp; [exact A|]. intros s' K. apply wp_ret. now apply H.
Qed.

Lemma answer_wp : forall w a s (Q : POST Z), at_ a s -> described w a (glob s) -> 0 <= Registers.x_of a c 1 ->
  (forall s', after (snd (spec_answer c ins a)) s' -> Q (fst (fst (spec_answer c ins a))) s') -> wp (host_smc_answer c) Q s.
Proof.
  intros w a s Q A D X H. pose proof (at_cpu _ _ _ _ _ A) as C. unfold NIE_MAX_CPUS in C. unfold host_smc_answer. unfold spec_answer in H. cbv zeta in H.
  apply wp_bind. unfold index. replace ((0 <=? c) && (c <? 8))%bool with true by lia. apply wp_ret. apply wp_bind. eapply at_x_load; [exact A|lia|]. cbn beta.
  apply wp_bind. apply wp_ret. change 4294967295 with (Z.ones 32). rewrite Z.land_ones by lia. set (f := Registers.x_of a c 0 mod 2 ^ 32) in *.
  destruct (f =? PSCI_VERSION); [apply wp_ret, H; now apply after_nothing|].
  destruct (f =? SMCCC_VERSION); [apply wp_ret, H; now apply after_nothing|].
  destruct (f =? PSCI_FEATURES).
  { apply wp_bind. eapply at_x_load; [exact A|lia|]. cbn beta. apply wp_bind. eapply wp_known; [apply argument_run|]. cbn beta.
    apply wp_bind. eapply wp_known; [apply features_run|]. cbn beta. apply wp_ret, H. now apply after_nothing. }
  destruct (f =? PSCI_CPU_ON).
  { do 3 (apply wp_bind; eapply at_x_load; [exact A|lia|]; cbn beta). apply wp_bind. eapply cpu_on_wp; [exact A|exact D|exact X|]. intros s' K. apply wp_ret. now apply H. }
  destruct (f =? PSCI_AFFINITY_INFO).
  { do 2 (apply wp_bind; eapply at_x_load; [exact A|lia|]; cbn beta). apply wp_bind. eapply call_wp; [exact A|]. intros s' K. apply wp_ret. now apply H. }
  destruct (f =? PSCI_MIGRATE_INFO_TYPE); [apply wp_ret, H; now apply after_nothing|].
  destruct (Z.eqb_spec f PSCI_SYSTEM_OFF) as [E|N]; cbn [orb] in H.
  { apply wp_bind. eapply system_wp; [exact A|]. rewrite E in H. intros s' K. apply wp_ret. now apply H. }
  destruct (Z.eqb_spec f PSCI_SYSTEM_RESET) as [E|N']; cbn [orb] in H.
  { apply wp_bind. eapply system_wp; [exact A|]. rewrite E in H. intros s' K. apply wp_ret. now apply H. }
  apply wp_ret, H. now apply after_nothing.
Qed.

Theorem smc_exact : forall w a s (Q : POST Z), at_ a s -> described w a (glob s) -> 0 <= Registers.x_of a c 1 ->
  (forall s', after (snd (spec_smc c ins a)) s' -> Q (fst (fst (spec_smc c ins a))) s') -> wp (host_smc c) Q s.
Proof.
  intros w a s Q A D X H. pose proof (at_cpu _ _ _ _ _ A) as C. pose proof C as C8. unfold NIE_MAX_CPUS in C8. unfold host_smc. unfold spec_smc in H.
  apply wp_bind. eapply at_x_load; [exact A|lia|]. cbn beta. change 4294967295 with (Z.ones 32). rewrite Z.land_ones by lia.
  destruct (_ =? PSCI_CPU_OFF).
  { destruct s as [gl h]. apply wp_bind. eapply wp_store1; [reflexivity|exact C8|]. cbn beta. apply wp_ret, H. apply after_nothing.
    pose proof (g_cpus _ _ (at_globals _ _ _ _ _ A) c C) as HC. cbn [glob] in HC. eapply at_start; [exact A|exact C|reflexivity|reflexivity| | |].
    - intros g N1 N2 N3. apply field_set_other; congruence.
    - intros g j N. rewrite Wp.at_put by reflexivity. destruct (gvar_dec _ _); [now replace (j =? c) with false by lia|reflexivity].
    - destruct HC. constructor; intros; rewrite ?Wp.at_put by reflexivity; repeat match goal with |- context [gvar_dec ?x ?y] =>
        let E := fresh in destruct (gvar_dec x y) as [E|E]; [try discriminate E|try (exfalso; now apply E)] end; rewrite ?Z.eqb_refl; cbn; auto. }
  apply wp_bind. eapply answer_wp; [exact A|exact D|exact X|]. destruct (spec_answer c ins a) as [[r ev] b]. cbn [fst snd] in *. intros s1 K.
  apply wp_bind. eapply at_x_store; [apply K|lia|]. intros s2 A2. apply wp_ret, H. eapply after_more; eauto.
Qed.
End Smc.
