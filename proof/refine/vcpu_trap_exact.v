(* SPDX-License-Identifier: Apache-2.0 *)
(* Every exception of a vCPU: the C does what spec/trap/ says, and tells the host what it says. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.spec.trap Require vcpu_call trap.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning vm_stop_preserves vcpu_run_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.trap_h nie.generated.state.world nie.generated.state.inject nie.generated.trap.sysreg
  nie.generated.trap.vcpu_abort nie.generated.trap.vcpu_call nie.generated.trap.trap.
From nie.spec Require Import Core.
From nie.proof.refine Require Import life_refines.
From nie.proof.refine Require Export vcpu_call_exact sysreg_exact.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_call := nie.spec.trap.vcpu_call.vcpu_call.
Notation spec_answer := nie.spec.trap.vcpu_call.vcpu_call_answer.
Notation spec_trap := nie.spec.trap.trap.vcpu_trap.

Section Trap.
Variables (c : Z) (o : Z -> owner) (s0 : MACH).
Notation at_ := (stands c o s0).
Notation POST X := (X -> MACH -> Prop).

(** Answers. *)

Lemma features_run : forall f (s : MACH), vcpu_features f s = Some (nie.spec.trap.vcpu_call.vcpu_features f, s).
Proof.
  intros f s. unfold vcpu_features, nie.spec.trap.vcpu_call.vcpu_features. cbn [existsb]. rewrite orb_false_r, <- !orb_assoc. now destruct (_ || _)%bool.
Qed.
Lemma affinity_run : forall a s v t l, at_ a s -> guest c a -> v = cpu_vm (cpu_at a c) -> 0 <= t < 2 ^ 64 ->
  affinity_info v t l s = Some (nie.spec.trap.vcpu_call.affinity_info a v t l, s).
Proof.
  intros a [gl h] v t l A GU -> T. destruct (at_guest _ _ _ _ _ A GU) as (RU & [V' I' ST CP NF CX RN] & C & V & I & E1 & E2). cbn zeta in *. set (v := cpu_vm (cpu_at a c)) in *.
  pose proof (at_globals _ _ _ _ _ A) as G. cbn [glob] in G. destruct (v_used _ (wf_v _ (so_wf _ (at_sound _ _ _ _ _ A))) v V' NF) as (_ & CNT & _). unfold NIE_MAX_VCPUS in CNT.
  apply known_of_wp. unfold affinity_info, nie.spec.trap.vcpu_call.affinity_info. w_bind. eapply wp_load1; [reflexivity|exact V|]. cbn beta. rewrite (h_vcpus _ _ _ (g_vms _ _ G v V')).
  destruct (Z.leb_spec (vcpu_count (vm_at a v)) t) as [L|L]; [replace (t <? vcpu_count (vm_at a v)) with false by lia; apply wp_ret; auto|].
  replace (t <? vcpu_count (vm_at a v)) with true by lia. cbn [negb orb]. destruct (negb (l =? 0)); [apply wp_ret; auto|].
  assert (T' : 0 <= t < NIE_MAX_VCPUS) by (unfold NIE_MAX_VCPUS; lia).
  assert (KE : wrap U64 (wrap U32 (v * NIE_MAX_VCPUS) + t) = v * NIE_MAX_VCPUS + t) by (unfold NIE_MAX_VCPUS in *; rewrite wrap32 by lia; rewrite wrap64; lia).
  rewrite KE. w_bind. eapply wp_load1; [reflexivity|unfold NIE_MAX_VCPUS; lia|]. cbn beta. rewrite (h_vcpu_state _ _ _ (g_vcpus _ _ G v t V' T')).
  destruct (_ =? VCPU_OFF); apply wp_ret; auto.
Qed.
Lemma at_answer : forall a s v f x1 x2 (Q : POST Z), at_ a s -> guest c a -> v = cpu_vm (cpu_at a c) -> 0 <= x1 < 2 ^ 64 ->
  (forall s', let r := spec_answer v f x1 x2 a in at_ (snd r) s' -> Q (fst r) s') -> f <> NIE_VM_VERSION -> f <> PSCI_VERSION -> f <> SMCCC_VERSION ->
  wp (vcpu_call_answer v f x1 x2) Q s.
Proof.
  intros a s v f x1 x2 Q A GU EV X1 H N1 N2 N3. unfold spec_answer in H. cbn zeta in H. unfold vcpu_call_answer. revert H.
  destruct (Z.eqb_spec f NIE_VM_VERSION) as [|_]; [contradiction|]. destruct (Z.eqb_spec f PSCI_VERSION) as [|_]; [contradiction|]. destruct (Z.eqb_spec f SMCCC_VERSION) as [|_]; [contradiction|].
  destruct (Z.eqb_spec f NIE_VM_PAGE_REOPEN) as [F|_]; intro H.
  { w_bind. eapply reopen_here; [exact A|exact GU|exact EV|exact X1|]. cbn zeta. intros s' A'. apply wp_ret. apply H. exact A'. }
  destruct (f =? PSCI_FEATURES); [w_bind; w_known features_run; apply wp_ret; apply H; exact A|].
  destruct (_ || _)%bool; [w_bind; w_known affinity_run; [exact A|exact GU|exact EV|exact X1|]; apply wp_ret; apply H; exact A|].
  destruct (f =? PSCI_MIGRATE_INFO_TYPE); apply wp_ret; apply H; exact A.
Qed.

(** Calls that end in an exit. *)

Lemma at_end : forall a s r (Q : POST unit), at_ a s -> guest c a -> (forall s', ends o s0 (nie.spec.trap.vcpu_call.system_end c r a) s' -> Q tt s') -> wp (system_end c r) Q s.
Proof.
  intros a [gl h] r Q A GU H. destruct (at_guest _ _ _ _ _ A GU) as (RU & [V' I' ST CP NF CX RN] & C & V & I & E1 & E2). cbn zeta in *.
  unfold nie.spec.trap.vcpu_call.system_end in H. set (v := cpu_vm (cpu_at a c)) in *. cbn [glob] in E1. pose proof (at_globals _ _ _ _ _ A) as G. cbn [glob] in G.
  unfold system_end. w_bind. eapply wp_load1; [reflexivity|exact C|]. cbn beta. rewrite E1. w_bind. eapply wp_store1; [reflexivity|exact V|]. cbn beta.
  pose proof (so_wf _ (at_sound _ _ _ _ _ A)) as W. pose proof (stop_lives a v W V' NF) as LV. set (b := set_vm v (vm_at a v <| vm_state := NIE_VM_STOPPED |>) a) in *.
  assert (HR : R b (Mach (put1 vms_state v NIE_VM_STOPPED gl) h)).
  { eapply R_lives; [exact (sd_R _ _ _ _ _ A)|exact LV|reflexivity|]. apply life_globals with gl; auto; [apply life_state| |].
    - rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl.
    - assert (S : same_on of_vm gl (put1 vms_state v NIE_VM_STOPPED gl)).
      { intros g D. unfold put1. apply field_set_other. intros ->. discriminate. }
      destruct (vm_same _ _ v _ S (g_vms _ _ G v V')). constructor; auto.
      rewrite h_hash. unfold hash_of_vm. cbn. destruct (Z.eqb_spec (vm_state (vm_at a v)) NIE_VM_FREE); [contradiction|reflexivity]. }
  assert (A1 : at_ b (Mach (put1 vms_state v NIE_VM_STOPPED gl) h)).
  { destruct A as [_ M OW SI ON]. constructor; auto. eapply ot_trans; [exact ON|now apply ot_put]. }
  w_bind. eapply at_exit; [exact A1|exact GU|]. intros s' E. apply wp_ret, H. exact E.
Qed.

Definition exits (f : Z) (a : state) (otherwise : list Switch.event * state) : list Switch.event * state :=
  let v := cpu_vm (cpu_at a c) in
  let i := cpu_vcpu (cpu_at a c) in
  if (f =? PSCI_CPU_ON_32) || (f =? PSCI_CPU_ON) then spec_on c f a
  else if f =? PSCI_CPU_OFF then Switch.exit_vcpu c (Switch.Exit NIE_EXIT_CPU_OFF 0 0 0) a
  else if (f =? PSCI_CPU_SUSPEND_32) || (f =? PSCI_CPU_SUSPEND) then
    Switch.exit_vcpu c (Switch.Exit NIE_EXIT_WFI 0 0 0) (Registers.set_x c 0 PSCI_SUCCESS a)
  else if f =? PSCI_SYSTEM_OFF then nie.spec.trap.vcpu_call.system_end c NIE_EXIT_SYSTEM_OFF a
  else if f =? PSCI_SYSTEM_RESET then nie.spec.trap.vcpu_call.system_end c NIE_EXIT_SYSTEM_RESET a
  else if f =? NIE_VM_HOST_CALL then
    Switch.exit_vcpu c (Switch.Exit NIE_EXIT_HOST_CALL 0 0 0) (set_vcpu v i (vcpu_at a v i <| pending := PENDING_CALL |>) a)
  else otherwise.

Lemma guest_x : forall a i x, guest c a -> guest c (Registers.set_x c i x a).
Proof. intros a i x GU. unfold guest in *. intro F. apply GU. rewrite <- F. symmetry. exact (proj1 (al_runs _ _ (alike_x c i x a) c)). Qed.

Lemma at_exits : forall a s f other (Q : POST Z), at_ a s -> guest c a -> x64 a c -> (forall s', ends o s0 (exits f a other) s' -> Q 1 s') -> (exits f a other = other -> Q 0 s) ->
  wp (vcpu_call_exits c f) Q s.
Proof.
  intros a s f other Q A GU XO H N. unfold exits in *. cbn zeta in *. unfold vcpu_call_exits. revert H N.
  destruct (_ || _)%bool; [intros H _; w_bind; eapply at_on; [exact A|exact GU|exact XO|]; intros s' E; apply wp_ret; auto|].
  destruct (_ =? _); [intros H _; w_bind; eapply at_exit; [exact A|exact GU|]; intros s' E; apply wp_ret; auto|].
  destruct (_ || _)%bool.
  { intros H _. w_bind. eapply at_x_store; [exact A|lia|]. intros s1 A1. w_bind. eapply at_exit; [exact A1|now apply guest_x|]. intros s' E. apply wp_ret. auto. }
  destruct (_ =? _); [intros H _; w_bind; eapply at_end; [exact A|exact GU|]; intros s' E; apply wp_ret; auto|].
  destruct (_ =? _); [intros H _; w_bind; eapply at_end; [exact A|exact GU|]; intros s' E; apply wp_ret; auto|].
  destruct (_ =? _); [|intros _ N; apply wp_ret; auto]. intros H _. destruct s as [gl h].
  destruct (at_guest _ _ _ _ _ A GU) as (RU & [V' I' ST CP NF CX RN] & C & V & I & E1 & E2). cbn zeta in *. set (v := cpu_vm (cpu_at a c)) in *. set (i := cpu_vcpu (cpu_at a c)) in *.
  cbn [glob] in E1, E2. pose proof (at_globals _ _ _ _ _ A) as G. cbn [glob] in G. set (k := v * NIE_MAX_VCPUS + i). assert (KB : 0 <= k < 512) by (unfold k, NIE_MAX_VCPUS; lia).
  w_bind. eapply wp_load1; [reflexivity|exact C|]. cbn beta. rewrite E1. w_bind. eapply wp_load1; [reflexivity|exact C|]. cbn beta. rewrite E2.
  rewrite (wrap32 (v * NIE_MAX_VCPUS)), wrap32 by (unfold NIE_MAX_VCPUS in *; lia). fold k. w_bind. eapply wp_store1; [reflexivity|exact KB|]. cbn beta.
  set (b := set_vcpu v i (vcpu_at a v i <| pending := PENDING_CALL |>) a) in *.
  assert (A1 : at_ b (Mach (put1 vcpus_pending k PENDING_CALL gl) h)).
  { eapply at_vcpu; [exact A| | |now apply ot_put].
    - apply (Asks c a v i i); [split; [exact RU|split; [exact I'|now left]]|repeat split].
    - eapply hold_vcpu; [exact G|exact V'|exact I'| | |].
      + intros g F. unfold put1. rewrite !field_set_other by (intros ->; discriminate). reflexivity.
      + intros g j F J. rewrite !at_put by reflexivity. fold k in J. destruct (Z.eqb_spec j k); [contradiction|]. now destruct (gvar_dec g vcpus_pending).
      + destruct (g_vcpus _ _ G v i V' I') as [U1 U2 U3 U4 U5 U6]. fold k in U1, U2, U3, U4, U5, U6. fold k. constructor; rewrite !at_put by reflexivity; cbn; rewrite ?Z.eqb_refl; auto. }
  w_bind. eapply at_exit; [exact A1|exact GU|]. intros s' E. apply wp_ret. auto.
Qed.

Theorem vcpu_call_exact : forall a s (Q : POST unit), at_ a s -> guest c a -> x64 a c -> (forall s', ends o s0 (spec_call c a) s' -> Q tt s') -> wp (vcpu_call c) Q s.
Proof.
  intros a s Q A GU XO H. unfold spec_call in H. cbn zeta in H. unfold vcpu_call. w_bind. eapply at_x_load; [exact A|lia|]. w_bind. apply wp_ret.
  rewrite (land_ones _ 32) by (lia || reflexivity). set (f := Registers.x_of a c 0 mod 2 ^ 32) in *. clearbody f. w_bind. apply wp_ret. w_bind.
  set (other := let '(answer, a') := _ in ([], Registers.set_x c 0 answer a')) in H.
  eapply (at_exits a s f other); [exact A|exact GU|exact XO| |].
  { intros s' E. cbn beta. change (negb (1 =? 0)) with true. cbn iota. apply wp_ret, H. exact E. }
  intro E. cbn beta. change (negb (0 =? 0)) with false. cbn iota. unfold exits in E. cbn zeta in E. rewrite E in H. clear E. subst other.
  assert (FIN : forall r b s', at_ b s' -> (forall s', ends o s0 ([], Registers.set_x c 0 r b) s' -> Q tt s') -> wp (store cpus_x [c; 0] r ;;; ret tt) Q s').
  { intros r b s' A' HQ. w_bind. eapply at_x_store; [exact A'|lia|]. intros s2 A2. apply wp_ret, HQ. eapply ends_here; eauto. }
  unfold fixed_answer. w_bind.
  destruct (Z.eqb_spec f NIE_VM_VERSION) as [->|N1]; [apply wp_ret; w_bind; change (NIE_ABI_VERSION =? 0) with false; cbn iota; apply wp_ret; eapply FIN; [exact A|exact H]|].
  destruct (Z.eqb_spec f PSCI_VERSION) as [->|N2]; [apply wp_ret; w_bind; change (PSCI_1_1 =? 0) with false; cbn iota; apply wp_ret; eapply FIN; [exact A|exact H]|].
  destruct (Z.eqb_spec f SMCCC_VERSION) as [->|N3]; [apply wp_ret; w_bind; change (SMCCC_1_1 =? 0) with false; cbn iota; apply wp_ret; eapply FIN; [exact A|exact H]|].
  apply wp_ret. w_bind. change (0 =? 0) with true. cbn iota. destruct s as [gl h].
  destruct (at_guest _ _ _ _ _ A GU) as (RU & OC & C & V & I & E1 & E2). cbn zeta in *. cbn [glob] in E1.
  w_bind. eapply wp_load1; [reflexivity|exact C|]. cbn beta. rewrite E1. w_bind. eapply at_x_load; [exact A|lia|]. w_bind. w_known argument_run.
  w_bind. eapply at_x_load; [exact A|lia|]. w_bind. w_known argument_run. w_bind.
  eapply at_answer; [exact A|exact GU|reflexivity|exact (argument_u64 _ _ (XO 1 ltac:(lia)))| |exact N1|exact N2|exact N3]. cbn zeta. intros s' A'. apply wp_ret.
  destruct (spec_answer _ f _ _ a) as [r b]. cbn [fst snd] in *. eapply FIN; [exact A'|exact H].
Qed.

(** Any exception. *)

Theorem vcpu_trap_exact : forall a s kind (Q : POST unit), at_ a s -> guest c a -> x64 a c -> (forall s', ends o s0 (spec_trap c kind a) s' -> Q tt s') -> wp (vcpu_trap c kind) Q s.
Proof.
  intros a s kind Q A GU XO H. unfold spec_trap in H. unfold vcpu_trap.
  destruct (kind =? TRAP_SYNC); [|destruct (kind =? TRAP_SERROR); w_bind; (eapply at_exit; [exact A|exact GU|]); intros s' E; apply wp_ret, H; exact E].
  w_bind. eapply wp_weaken with (Q := fun _ s' => ends o s0 (nie.spec.trap.trap.vcpu_sync c a) s'); [|intros [] s' E; now apply wp_ret, H].
  clear Q H. unfold vcpu_sync, nie.spec.trap.trap.vcpu_sync. w_bind. eapply at_read; [exact A|vm_compute; split; congruence|]. intros s1 A1 _. w_bind. w_known class_run.
  set (esr := Registers.reg_of a REG_ESR_EL2). destruct (Registers.exception_class esr =? EC_WFX).
  { w_bind. eapply at_skip; [exact A1|]. intros s2 A2. w_bind. eapply at_exit; [exact A2|exact GU|]. intros s3 E. now apply wp_ret. }
  destruct (Registers.exception_class esr =? EC_SMC64).
  { w_bind. eapply at_skip; [exact A1|]. intros s2 A2. w_bind. eapply vcpu_call_exact; [exact A2|exact GU|exact XO|]. intros s3 E. now apply wp_ret. }
  destruct (Registers.exception_class esr =? EC_HVC64); [w_bind; eapply vcpu_call_exact; [exact A1|exact GU|exact XO|]; intros s3 E; now apply wp_ret|].
  destruct (Registers.exception_class esr =? EC_SYSREG).
  { assert (F : Z.land esr 0x1ffffff = Registers.field esr 0 25) by (unfold Registers.field; now rewrite Z.div_1_r, (land_ones esr 25) by (lia || reflexivity)).
    rewrite F. w_bind. eapply sysreg_exact; [exact A1|]. intros s3 E. now apply wp_ret. }
  destruct (_ || _)%bool; [w_bind; eapply vcpu_abort_exact; [exact A1|exact GU|]; intros s3 E; now apply wp_ret|].
  w_bind. eapply at_undefined; [exact A1|]. intros s2 A2. apply wp_ret. eapply ends_here; eauto.
Qed.
End Trap.
