(* SPDX-License-Identifier: Apache-2.0 *)
(* No exception changes which machine the specification speaks of. *)
From Coq Require Import ZArith List Bool.
From RecordUpdate Require Import RecordSet.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Measure Donation Actions.
From nie.spec.call Require Import page_add page_add_zero page_remove page_shared_add table_add table_remove vcpu_create
  vcpu_destroy vcpu_run vm_activate vm_create vm_destroy vm_info vm_stop host_call.
From nie.spec.trap Require Import sysreg host_abort host_smc vcpu_abort vcpu_call trap.
Import ListNotations.
Open Scope Z_scope.

Lemma each_cfg : forall n f a, (forall i b, cfg (f i b) = cfg b) -> cfg (each n f a) = cfg a.
Proof. intros n f a H. unfold each. induction (Z.to_nat n) as [|m IH]; cbn [each_nat]; [reflexivity|now rewrite H]. Qed.
Lemma set_regs_cfg : forall l a, cfg (set_regs l a) = cfg a.
Proof. unfold set_regs. induction l as [|[r v] l IH]; intro a; cbn [fold_left fst snd]; [reflexivity|]. rewrite IH. reflexivity. Qed.
Lemma answer_cfg : forall l c a, cfg (answer c l a) = cfg a.
Proof. unfold answer. intros l c. generalize 0. induction l as [|w l IH]; intros i a; cbn [answer_from]; [reflexivity|]. rewrite IH. reflexivity. Qed.
Lemma set_gpr_cfg : forall c r v a, cfg (set_gpr c r v a) = cfg a.
Proof. intros. unfold set_gpr. now destruct (r <? 31). Qed.

Ltac same := repeat first [reflexivity | rewrite set_regs_cfg | rewrite answer_cfg | rewrite set_gpr_cfg | rewrite each_cfg by (intros; reflexivity)
  | match goal with |- context [if ?b then _ else _] => destruct b end].

Lemma skip_cfg : forall a, cfg (skip_instruction a) = cfg a.
Proof. intro. unfold skip_instruction. same. Qed.
Lemma inject_cfg : forall e f a, cfg (inject e f a) = cfg a.
Proof. intros. unfold inject. same. Qed.
Lemma undefined_cfg : forall a, cfg (inject_undefined a) = cfg a.
Proof. intro. unfold inject_undefined. now rewrite inject_cfg. Qed.
Lemma abort_cfg : forall e f a, cfg (inject_abort e f a) = cfg a.
Proof. intros. unfold inject_abort. now rewrite inject_cfg. Qed.
Lemma hand_over_cfg : forall v p n o a, cfg (hand_over v p n o a) = cfg a.
Proof. intros. unfold hand_over. change (cfg (each n (owned p o) a) = cfg a). same. Qed.
Lemma donate_cfg : forall v p n o a, cfg (donate v p n o a) = cfg a.
Proof. intros. unfold donate. exact (hand_over_cfg v p n o a). Qed.

(** Entry and exit. *)

Lemma exit_cfg : forall c e a, cfg (snd (exit_vcpu c e a)) = cfg a.
Proof. intros. unfold exit_vcpu, controls_host. cbn [snd]. rewrite set_regs_cfg. reflexivity. Qed.
(* A chain of definitions: each keeps it. *)
Ltac chain := repeat match goal with
  | |- cfg (let b := ?x in @?f b) = _ =>
      lazymatch type of x with
      | state => transitivity (cfg x); [change (cfg (f x) = cfg x); generalize x; intro; cbv beta|]
      | _ => let e := match goal with |- _ = ?e => e end in change (cfg (f x) = e); generalize x; intro; cbv beta
      end
  end.
Lemma take_answer_cfg : forall c v i a, cfg (take_answer c v i a) = cfg a.
Proof.
  intros. cbv beta delta [take_answer]. chain; try reflexivity. destruct (_ =? PENDING_CALL); [apply answer_cfg|]. destruct (_ || _)%bool; [reflexivity|].
  chain; [apply skip_cfg|]. destruct (_ =? PENDING_READ); [apply set_gpr_cfg|reflexivity].
Qed.
Lemma load_vcpu_cfg : forall c v i a, cfg (load_vcpu c v i a) = cfg a.
Proof. intros. cbv beta delta [load_vcpu]. chain; reflexivity. Qed.
Lemma enter_cfg : forall c v i a, cfg (enter_vcpu c v i a) = cfg a.
Proof.
  intros. cbv beta delta [enter_vcpu]. chain; try reflexivity; try (unfold controls_vcpu; rewrite set_regs_cfg; reflexivity); try (rewrite load_vcpu_cfg; reflexivity).
  rewrite take_answer_cfg. reflexivity.
Qed.

(** The calls. *)

Lemma set_own_cfg : forall p o a, cfg (set_own p o a) = cfg a. Proof. reflexivity. Qed.
Lemma set_slot_cfg : forall v l k e a, cfg (set_slot v l k e a) = cfg a. Proof. reflexivity. Qed.
Lemma set_mode_cfg : forall g m a, cfg (set_mode g m a) = cfg a. Proof. reflexivity. Qed.
Lemma set_vm_cfg : forall v r a, cfg (set_vm v r a) = cfg a. Proof. reflexivity. Qed.
Lemma set_vcpu_cfg : forall v i r a, cfg (set_vcpu v i r a) = cfg a. Proof. reflexivity. Qed.
Lemma set_saved_cfg : forall v i m a, cfg (set_saved v i m a) = cfg a. Proof. reflexivity. Qed.
Lemma set_cpu_cfg : forall c r a, cfg (set_cpu c r a) = cfg a. Proof. reflexivity. Qed.
Lemma set_last_cfg : forall v c n a, cfg (set_last v c n a) = cfg a. Proof. reflexivity. Qed.
Lemma add_granules_cfg : forall v n a, cfg (add_granules v n a) = cfg a. Proof. reflexivity. Qed.
Lemma measured_cfg : forall v w a, cfg (measured v w a) = cfg a. Proof. reflexivity. Qed.
#[local] Hint Rewrite set_own_cfg set_slot_cfg set_mode_cfg set_vm_cfg set_vcpu_cfg set_saved_cfg set_cpu_cfg set_last_cfg add_granules_cfg
  measured_cfg donate_cfg hand_over_cfg set_regs_cfg answer_cfg set_gpr_cfg enter_cfg : kept.
#[local] Hint Rewrite each_cfg using (intros; reflexivity) : kept.
#[local] Opaque each donate hand_over set_regs answer set_gpr.

(* Of a call that refuses nothing changes. *)
Ltac kept := match goal with |- context [if ?b then _ else _] => destruct b; [|reflexivity] end;
  repeat match goal with
  | |- context [match ?t with _ => _ end] => destruct t
  end; cbn [snd]; autorewrite with kept; reflexivity.
Lemma page_add_cfg : forall v i p n w a, cfg (snd (page_add v i p n w a)) = cfg a.
Proof. intros. unfold page_add. kept. Qed.
Lemma page_add_zero_cfg : forall v i p n l a, cfg (snd (page_add_zero v i p n l a)) = cfg a.
Proof. intros. unfold page_add_zero. unfold add_zero, measured_if_building. kept. Qed.
Lemma page_remove_cfg : forall v i n a, cfg (snd (page_remove v i n a)) = cfg a.
Proof. intros. unfold page_remove. kept. Qed.
Lemma page_shared_add_cfg : forall v i p n a, cfg (snd (page_shared_add v i p n a)) = cfg a.
Proof. intros. unfold page_shared_add. unfold measured_if_building. kept. Qed.
Lemma table_add_cfg : forall v i l p a, cfg (snd (table_add v i l p a)) = cfg a.
Proof. intros. unfold table_add. kept. Qed.
Lemma table_remove_cfg : forall v i l a, cfg (snd (table_remove v i l a)) = cfg a.
Proof. intros. unfold table_remove. kept. Qed.
Lemma vcpu_create_cfg : forall v i x r e g a, cfg (snd (vcpu_create v i x r e g a)) = cfg a.
Proof. intros. unfold vcpu_create. kept. Qed.
Lemma vcpu_destroy_cfg : forall v i a, cfg (snd (vcpu_destroy v i a)) = cfg a.
Proof. intros. unfold vcpu_destroy. kept. Qed.
Lemma vm_create_cfg : forall v r b p n t a, cfg (snd (vm_create v r b p n t a)) = cfg a.
Proof. intros. unfold vm_create. kept. Qed.
Lemma vm_destroy_cfg : forall v a, cfg (snd (vm_destroy v a)) = cfg a.
Proof. intros. unfold vm_destroy. unfold clear_vm. kept. Qed.
Lemma vm_stop_cfg : forall v a, cfg (snd (vm_stop v a)) = cfg a.
Proof. intros. unfold vm_stop. kept. Qed.
Lemma vm_activate_cfg : forall v a, cfg (snd (vm_activate v a)) = cfg a.
Proof. intros. unfold vm_activate. kept. Qed.
Lemma vcpu_run_cfg : forall c v i w a, cfg (snd (vcpu_run c v i w a)) = cfg a.
Proof. intros. unfold vcpu_run. kept. Qed.

Lemma host_call_cfg : forall c ins w a, cfg (host_call c ins w a) = cfg a.
Proof.
  intros. unfold host_call, vm_info.
  repeat match goal with |- cfg (if ?b then _ else _) = _ => destruct b end;
    match goal with
    | |- context [let '(_, _) := ?t in _] =>
        assert (E : cfg (snd t) = cfg a) by
          (first [apply vcpu_run_cfg | apply vm_destroy_cfg | apply vcpu_destroy_cfg | apply table_remove_cfg | apply page_remove_cfg | apply vm_create_cfg
                 | apply vm_activate_cfg | apply vm_stop_cfg | apply vcpu_create_cfg | apply table_add_cfg | apply page_add_cfg | apply page_add_zero_cfg | apply page_shared_add_cfg]);
        revert E; destruct t; cbn [snd]; intro E
    | _ => idtac
    end; repeat match goal with |- context [let '(_, _) := ?t in _] => destruct t end; same; rewrite ?answer_cfg; assumption || reflexivity.
Qed.

(** The traps. *)

Lemma sysreg_cfg : forall c i a, cfg (snd (sysreg_trap c i a)) = cfg a.
Proof.
  intros. unfold sysreg_trap. destruct (_ && _ && _)%bool; [rewrite exit_cfg; apply skip_cfg|].
  destruct (_ =? ENC_MDSCR); cbn [snd]; [rewrite skip_cfg; same|]. destruct (reads_constant _ _ _); cbn [snd]; [rewrite skip_cfg; same|apply undefined_cfg].
Qed.
Lemma host_smc_cfg : forall c ins a, cfg (snd (host_smc c ins a)) = cfg a.
Proof.
  intros. unfold host_smc. destruct (_ =? PSCI_CPU_OFF); [reflexivity|].
  assert (E : cfg (snd (host_smc_answer c ins a)) = cfg a).
  { unfold host_smc_answer, host_cpu_on, host_system. repeat match goal with |- context [if ?b then _ else _] => destruct b end; reflexivity. }
  destruct (host_smc_answer c ins a) as [[r e] b]. exact E.
Qed.
Lemma host_abort_cfg : forall c e ins a, cfg (snd (host_abort c e ins a)) = cfg a.
Proof.
  intros. unfold host_abort. destruct (_ && _)%bool; [reflexivity|]. destruct (_ && _)%bool.
  - unfold redistributor_access. destruct (has _ _); cbn [snd]; rewrite skip_cfg; [reflexivity|apply set_gpr_cfg].
  - apply abort_cfg.
Qed.
Lemma vcpu_abort_cfg : forall c e a, cfg (snd (vcpu_abort c e a)) = cfg a.
Proof.
  intros. unfold vcpu_abort. destruct (_ || _)%bool; [apply abort_cfg|]. destruct (entry_of _ _ _); try reflexivity; try apply abort_cfg.
  destruct (in_ram_window _ _ _); [apply exit_cfg|]. destruct (_ && _)%bool; [|apply abort_cfg].
  unfold mmio_exit. destruct (has _ _); rewrite exit_cfg; reflexivity.
Qed.
Lemma vcpu_call_cfg : forall c a, cfg (snd (vcpu_call c a)) = cfg a.
Proof.
  intros. unfold vcpu_call, vcpu_on, system_end.
  repeat match goal with |- cfg (snd (if ?b then _ else _)) = _ => destruct b end; rewrite ?exit_cfg; try reflexivity.
  unfold vcpu_call_answer, page_reopen. repeat match goal with |- context [if ?b then _ else _] => destruct b end; try reflexivity.
  destruct (slot_at _ _ _ _); reflexivity.
Qed.

Theorem configuration_kept : forall c kind ins w a, cfg (snd (trap c kind ins w a)) = cfg a.
Proof.
  intros. unfold trap. destruct (_ =? CPU_HOST).
  - unfold host_trap. destruct (negb _); [reflexivity|]. destruct (_ =? EC_HVC64); [apply host_call_cfg|].
    destruct (_ =? EC_SMC64); [rewrite host_smc_cfg; apply skip_cfg|]. destruct (_ =? EC_SYSREG); [apply sysreg_cfg|].
    destruct (_ || _)%bool; [apply host_abort_cfg|apply undefined_cfg].
  - enough (E : cfg (snd (vcpu_trap c kind a)) = cfg a) by (now destruct (vcpu_trap c kind a)).
    unfold vcpu_trap. destruct (kind =? TRAP_SYNC); [|apply exit_cfg]. unfold vcpu_sync.
    destruct (_ =? EC_WFX); [rewrite exit_cfg; apply skip_cfg|]. destruct (_ =? EC_SMC64); [rewrite vcpu_call_cfg; apply skip_cfg|].
    destruct (_ =? EC_HVC64); [apply vcpu_call_cfg|]. destruct (_ =? EC_SYSREG); [apply sysreg_cfg|].
    destruct (_ || _)%bool; [apply vcpu_abort_cfg|apply undefined_cfg].
Qed.
