(* SPDX-License-Identifier: Apache-2.0 *)
(* What an exception leaves of a VM's build log, on the specification's side: all but the building calls leave it, sealed or not, as it is. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Measure Donation Actions.
From nie.spec.call Require Import page_add page_add_zero page_remove page_shared_add table_add table_remove vcpu_create
  vcpu_destroy vcpu_run vm_activate vm_create vm_destroy vm_info vm_stop.
From nie.spec.trap Require Import sysreg host_abort host_smc vcpu_abort vcpu_call trap.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Definition log_view (r : vm) : list Z * bool := (build_log r, sealed r).
Record keeps (v : Z) (a b : state) : Prop := {
  kp_log : log_view (vm_at b v) = log_view (vm_at a v);
  kp_state : vm_state (vm_at b v) = vm_state (vm_at a v) \/ vm_state (vm_at b v) = NIE_VM_STOPPED /\ vm_state (vm_at a v) <> NIE_VM_FREE;
}.
Section Vm.
Variable v : Z.
Lemma keeps_refl : forall a, keeps v a a.
Proof. constructor; auto. Qed.
Lemma keeps_trans : forall a b c, keeps v a b -> keeps v b c -> keeps v a c.
Proof. intros a b c [L1 S1] [L2 S2]. constructor; [congruence|]. destruct S1 as [S1|[S1 N1]], S2 as [S2|[S2 N2]]; [left|right|right|right]; rewrite ?S1, ?S2 in *; auto. Qed.
Lemma keeps_vms : forall a b, vms b = vms a -> keeps v a b.
Proof. intros a b E. constructor; unfold vm_at; rewrite E; auto. Qed.

Section Steps.
Variables a b : state.
Hypothesis H : keeps v a b.
Lemma k_same : forall c, vms c = vms b -> keeps v a c.
Proof. intros c E. eapply keeps_trans; [exact H|now apply keeps_vms]. Qed.
Lemma k_slot : forall u l k e, keeps v a (set_slot u l k e b). Proof. intros. now apply k_same. Qed.
Lemma k_own : forall p o, keeps v a (set_own p o b). Proof. intros. now apply k_same. Qed.
Lemma k_vcpu : forall u i r, keeps v a (set_vcpu u i r b). Proof. intros. now apply k_same. Qed.
Lemma k_saved : forall u i m, keeps v a (set_saved u i m b). Proof. intros. now apply k_same. Qed.
Lemma k_cpu : forall c r, keeps v a (set_cpu c r b). Proof. intros. now apply k_same. Qed.
Lemma k_slots : forall f, keeps v a (b <| slots ::= f |>). Proof. intros. now apply k_same. Qed.
Lemma k_vm : forall u r, log_view r = log_view (vm_at b u) -> vm_state r = vm_state (vm_at b u) -> keeps v a (set_vm u r b).
Proof.
  intros u r L S. eapply keeps_trans; [exact H|]. constructor; change (vm_at (set_vm u r b) v) with (Map.get (Map.set (vms b) u r) v); rewrite Map.get_set;
    destruct (Z.eqb_spec v u) as [->|]; auto.
Qed.
Lemma k_stop : forall u, vm_state (vm_at b u) <> NIE_VM_FREE -> keeps v a (set_vm u (vm_at b u <| vm_state := NIE_VM_STOPPED |>) b).
Proof.
  intros u N. eapply keeps_trans; [exact H|]. set (r := vm_at b u <| vm_state := NIE_VM_STOPPED |>).
  constructor; change (vm_at (set_vm u r b) v) with (Map.get (Map.set (vms b) u r) v); rewrite Map.get_set; destruct (Z.eqb_spec v u) as [->|]; auto.
Qed.
Lemma k_granules : forall u n, keeps v a (add_granules u n b).
Proof. intros. now apply k_vm. Qed.
End Steps.
Lemma k_each : forall a b n f, (forall i x, keeps v x (f i x)) -> keeps v a b -> keeps v a (each n f b).
Proof. intros a b n f F H. unfold each. induction (Z.to_nat n) as [|m IH]; cbn [each_nat]; [exact H|]. eapply keeps_trans; [exact IH|apply F]. Qed.
Lemma k_handed : forall a b u p n o, keeps v a b -> keeps v a (hand_over u p n o b).
Proof. intros. unfold hand_over. apply k_granules, k_each; [|assumption]. intros i x. apply keeps_vms; reflexivity. Qed.
Lemma k_donated : forall a b u p n o, keeps v a b -> keeps v a (donate u p n o b).
Proof. intros a b u p n o H. unfold donate. apply (k_same a (hand_over u p n o b)); [now apply k_handed|reflexivity]. Qed.
Lemma k_back : forall a b u p, keeps v a b -> keeps v a (give_back u p b).
Proof. intros a b u p H. unfold give_back. now apply k_granules, k_own. Qed.
Lemma k_mapped : forall a u x f i, keeps v a (mapped u x f i a).
Proof. intros. apply keeps_vms; reflexivity. Qed.
End Vm.

(** Registers are no VM's record. *)

Lemma vms_regs : forall l a, vms (set_regs l a) = vms a.
Proof. unfold set_regs. induction l as [|[r w] l IH]; intro a; cbn [fold_left fst snd]; [reflexivity|]. now rewrite IH. Qed.
Lemma vms_answer : forall l c i a, vms (answer_from c i l a) = vms a.
Proof. induction l as [|w l IH]; intros; cbn [answer_from]; [reflexivity|]. now rewrite IH. Qed.
Lemma vms_gpr : forall c r w a, vms (set_gpr c r w a) = vms a.
Proof. intros. unfold set_gpr. now destruct (r <? 31). Qed.
Lemma vms_skip : forall a, vms (skip_instruction a) = vms a.
Proof. intro. unfold skip_instruction. apply vms_regs. Qed.
Lemma vms_undefined : forall a, vms (inject_undefined a) = vms a.
Proof. intro. unfold inject_undefined, inject. apply vms_regs. Qed.
Lemma vms_abort : forall e f a, vms (inject_abort e f a) = vms a.
Proof. intros. unfold inject_abort, inject. apply vms_regs. Qed.

(** What the host does, but for building. *)

#[local] Opaque each donate hand_over give_back set_last.
Section Calls.
Variables (v : Z) (a : state).

Lemma page_remove_keeps : forall u i n, keeps v a (snd (page_remove u i n a)).
Proof.
  intros. unfold page_remove. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|apply keeps_refl].
  apply k_each; [intros; unfold take_back; apply k_granules, keeps_vms; reflexivity|]. apply k_each; [intros; apply keeps_vms; reflexivity|apply keeps_refl].
Qed.
Lemma table_add_keeps : forall u i l p, keeps v a (snd (table_add u i l p a)).
Proof.
  intros. unfold table_add. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|apply keeps_refl]. apply k_slot.
  destruct (slot_at _ _ _ _); try (apply k_donated, keeps_refl). apply k_each; [intros; apply k_mapped|apply k_donated, keeps_refl].
Qed.
Lemma table_remove_keeps : forall u i l, keeps v a (snd (table_remove u i l a)).
Proof.
  intros. unfold table_remove. cbv zeta. destruct (_ =? NIE_OK); [|apply keeps_refl]. destruct (slot_at _ _ _ _); cbn [snd]; try apply keeps_refl.
  apply k_granules, k_own, k_slot, k_each; [intros; apply keeps_vms; reflexivity|apply keeps_refl].
Qed.
Lemma vm_stop_keeps : forall u, keeps v a (snd (vm_stop u a)).
Proof.
  intro. unfold vm_stop, vm_stop_check. destruct (vm_exists u); [|apply keeps_refl]. destruct (Z.eqb_spec (vm_state (vm_at a u)) NIE_VM_FREE); [apply keeps_refl|]. cbn [negb].
  change (NIE_OK =? NIE_OK) with true. apply k_stop; [apply keeps_refl|assumption].
Qed.
Lemma vcpu_destroy_keeps : forall u i, keeps v a (snd (vcpu_destroy u i a)).
Proof.
  intros. unfold vcpu_destroy. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|apply keeps_refl]. apply k_vm; [|reflexivity|reflexivity].
  now apply k_saved, k_vcpu, k_back, k_back, keeps_refl.
Qed.
Lemma enter_keeps : forall z c u i, keeps v z (enter_vcpu c u i z).
Proof.
  intros. unfold enter_vcpu. cbv zeta. set (b := set_vm u _ _). assert (B : keeps v z b) by (apply k_vm; [apply keeps_vms; reflexivity|reflexivity|reflexivity]).
  apply (k_same v z b B). generalize b. clear. intro b. unfold take_answer. cbv zeta.
  match goal with |- context [set_vcpu u i ?r ?y] => set (z := y); assert (E : vms z = vms b) by reflexivity; generalize dependent z end. intros z E.
  destruct (_ =? PENDING_CALL); [unfold answer; rewrite vms_answer; exact E|]. destruct (_ || _)%bool; [exact E|]. rewrite vms_skip. destruct (_ =? PENDING_READ); [rewrite vms_gpr|]; exact E.
Qed.
Lemma vcpu_run_keeps : forall c u i ins, keeps v a (snd (vcpu_run c u i ins a)).
Proof.
  intros. unfold vcpu_run. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|apply keeps_refl].
  match goal with |- context [if ?t then _ else _] => destruct t end; cbn [snd]; [|apply keeps_vms; reflexivity].
  eapply keeps_trans; [|apply enter_keeps]. now apply k_cpu, keeps_refl.
Qed.
Lemma vm_destroy_keeps : forall u, keeps v a (snd (vm_destroy u a)) \/ vm_state (vm_at (snd (vm_destroy u a)) v) = NIE_VM_FREE.
Proof.
  intro. unfold vm_destroy. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|left; apply keeps_refl]. unfold clear_vm. cbv zeta.
  match goal with |- context [set_vm u no_vm ?y] => set (z := y) end. assert (B : keeps v a z).
  { apply k_each; [intros; apply keeps_vms; reflexivity|]. now apply k_slots, k_back, keeps_refl. }
  destruct (Z.eqb_spec v u) as [E|N].
  - right. subst u. change (vm_state (Map.get (Map.set (vms z) v no_vm) v) = NIE_VM_FREE). rewrite Map.get_set, Z.eqb_refl. reflexivity.
  - left. eapply keeps_trans; [exact B|]. constructor; change (vm_at (set_vm u no_vm z) v) with (Map.get (Map.set (vms z) u no_vm) v); rewrite Map.get_set, (proj2 (Z.eqb_neq v u) N); auto.
Qed.
Lemma host_smc_keeps : forall c ins, keeps v a (snd (host_smc c ins a)).
Proof.
  intros. unfold host_smc. destruct (_ =? PSCI_CPU_OFF); [apply keeps_vms; reflexivity|].
  assert (E : vms (snd (host_smc_answer c ins a)) = vms a).
  { unfold host_smc_answer, host_cpu_on, host_system. repeat match goal with |- context [if ?b then _ else _] => destruct b end; reflexivity. }
  destruct (host_smc_answer c ins a) as [[r e] b]. apply keeps_vms. exact E.
Qed.
Lemma host_abort_keeps : forall c e ins, keeps v a (snd (host_abort c e ins a)).
Proof.
  intros. apply keeps_vms. unfold host_abort. cbv zeta. destruct (_ && _)%bool; [reflexivity|]. destruct (_ && _)%bool; cbn [snd]; [|apply vms_abort].
  unfold redistributor_access. cbv zeta. destruct (has _ _); cbn [snd]; rewrite vms_skip; [reflexivity|apply vms_gpr].
Qed.
End Calls.

(** What a vCPU does. *)

Section Vcpu.
Variables (v : Z) (a : state).
Lemma exit_keeps : forall c e b, keeps v a b -> keeps v a (snd (exit_vcpu c e b)).
Proof.
  intros c e b H. unfold exit_vcpu. cbv zeta. cbn [snd]. unfold controls_host.
  match goal with |- keeps v a (set_regs ?l ?z) => apply (k_same v a z); [|apply vms_regs] end. unfold load_host, load_regs. cbv zeta. unfold set_x.
  apply k_cpu. match goal with |- keeps v a (?z <| here ::= _ |>) => apply (k_same v a z); [|reflexivity] end. apply k_cpu, k_cpu.
  apply k_vm; [|reflexivity|reflexivity]. apply k_vcpu. unfold save_vcpu. cbv zeta.
  match goal with |- keeps v a (?z <| fp_here := _ |>) => apply (k_same v a z); [|reflexivity] end. now apply k_saved.
Qed.
Lemma x_keeps : forall c i w b, keeps v a b -> keeps v a (set_x c i w b).
Proof. intros. now apply k_cpu. Qed.
Lemma skip_keeps : forall b, keeps v a b -> keeps v a (skip_instruction b).
Proof. intros b H. apply (k_same v a b H), vms_skip. Qed.
Lemma sysreg_keeps : forall c i, keeps v a (snd (sysreg_trap c i a)).
Proof.
  intros. unfold sysreg_trap. cbv zeta. destruct (_ && _ && _)%bool; [now apply exit_keeps, skip_keeps, keeps_refl|].
  destruct (_ =? ENC_MDSCR); cbn [snd]; [apply skip_keeps; destruct (has i ISS_READ); apply keeps_vms; [apply vms_gpr|reflexivity]|].
  destruct (reads_constant _ _ _); cbn [snd]; [|apply keeps_vms, vms_undefined]. apply skip_keeps. destruct (has i ISS_READ); apply keeps_vms; [apply vms_gpr|reflexivity].
Qed.
Lemma abort_keeps : forall c esr, keeps v a (snd (vcpu_abort c esr a)).
Proof.
  intros. unfold vcpu_abort. cbv zeta. destruct (_ || _)%bool; [apply keeps_vms, vms_abort|].
  destruct (entry_of _ _ _); try apply keeps_refl; [|apply keeps_vms, vms_abort].
  destruct (in_ram_window _ _ _); [now apply exit_keeps, keeps_refl|]. destruct (_ && _)%bool; [|apply keeps_vms, vms_abort].
  unfold mmio_exit. cbv zeta. destruct (has _ _); apply exit_keeps, k_vcpu, keeps_refl.
Qed.
Lemma call_keeps : forall c b, keeps v a b -> vm_state (vm_at b (cpu_vm (cpu_at b c))) <> NIE_VM_FREE -> keeps v a (snd (vcpu_call c b)).
Proof.
  intros c b H N. unfold vcpu_call. cbv zeta. set (f := x_of b c 0 mod 2 ^ 32). set (u := cpu_vm (cpu_at b c)) in *.
  destruct (_ || _)%bool.
  { unfold vcpu_on. cbv zeta. do 3 (destruct (negb _); [apply x_keeps; exact H|]). apply exit_keeps, x_keeps, k_saved, k_vcpu, H. }
  destruct (_ =? PSCI_CPU_OFF); [apply exit_keeps; exact H|]. destruct (_ || _)%bool; [apply exit_keeps, x_keeps; exact H|].
  destruct (_ =? PSCI_SYSTEM_OFF); [unfold system_end; cbv zeta; apply exit_keeps, k_stop; assumption|].
  destruct (_ =? PSCI_SYSTEM_RESET); [unfold system_end; cbv zeta; apply exit_keeps, k_stop; assumption|].
  destruct (_ =? NIE_VM_HOST_CALL); [apply exit_keeps, k_vcpu; exact H|].
  assert (E : forall x1 x2, keeps v a (snd (vcpu_call_answer u f x1 x2 b))).
  { intros x1 x2. unfold vcpu_call_answer. destruct (f =? NIE_VM_VERSION); [exact H|]. destruct (f =? NIE_VM_PAGE_REOPEN).
    2:{ do 3 (destruct (f =? _); [exact H|]). destruct (_ || _)%bool; [exact H|]. destruct (f =? _); exact H. }
    unfold page_reopen. destruct (negb _); [exact H|]. destruct (negb _); [exact H|]. destruct (slot_at _ _ _ _); try exact H. apply k_slot. exact H. }
  specialize (E (smccc_argument f (x_of b c 1)) (smccc_argument f (x_of b c 2))).
  destruct (vcpu_call_answer _ _ _ _ _) as [r d]. cbn [snd] in *. apply x_keeps. exact E.
Qed.
Theorem vcpu_trap_keeps : forall c kind, vm_state (vm_at a (cpu_vm (cpu_at a c))) <> NIE_VM_FREE -> keeps v a (snd (vcpu_trap c kind a)).
Proof.
  intros c kind N. unfold vcpu_trap. destruct (kind =? TRAP_SYNC); [|now apply exit_keeps, keeps_refl]. unfold vcpu_sync. cbv zeta.
  destruct (_ =? EC_WFX); [now apply exit_keeps, skip_keeps, keeps_refl|]. destruct (_ =? EC_SMC64).
  { apply call_keeps; [now apply skip_keeps, keeps_refl|]. replace (cpu_at (skip_instruction a) c) with (cpu_at a c) by (unfold skip_instruction, set_regs; cbn [fold_left]; reflexivity).
    unfold vm_at. now rewrite vms_skip. }
  destruct (_ =? EC_HVC64); [now apply call_keeps; [apply keeps_refl|]|]. destruct (_ =? EC_SYSREG); [apply sysreg_keeps|].
  destruct (_ || _)%bool; [apply abort_keeps|apply keeps_vms, vms_undefined].
Qed.
End Vcpu.
