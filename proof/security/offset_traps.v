(* SPDX-License-Identifier: Apache-2.0 *)
(* Any exception: who runs elsewhere runs there still, with its VM's offset; who runs here afterwards finds its own in CNTVOFF_EL2. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch.
From nie.spec.call Require Import vcpu_run host_call.
From nie.spec.trap Require Import sysreg host_abort host_smc vcpu_abort vcpu_call trap.
From nie.proof.invariant Require Import vcpu_run_preserves.
From nie.proof.invariant Require trap_steps.
From nie.proof.refine Require vcpu_enters vcpu_run_refines.
From nie.proof.security Require exit_releases.
From nie.proof.security Require Export offset_kept.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Section Moved.
Variables (K : Z -> Prop) (c : Z).
Notation calm := (calm K).

(* The vCPU on CPU c may go, or one come. *)
Record moved (a b : state) : Prop := {
  mv_vm : forall d, d <> c -> cpu_vm (cpu_at b d) = cpu_vm (cpu_at a d);
  mv_off : forall v, K v -> cntvoff (vm_at b v) = cntvoff (vm_at a v);
  mv_reg : cpu_vm (cpu_at b c) <> CPU_HOST -> (cpu_vm (cpu_at b c) = cpu_vm (cpu_at a c) /\ reg_of b REG_CNTVOFF_EL2 = reg_of a REG_CNTVOFF_EL2) \/
    reg_of b REG_CNTVOFF_EL2 = cntvoff (vm_at b (cpu_vm (cpu_at b c)));
}.
Lemma moved_calm : forall a b, calm a b -> moved a b.
Proof. intros a b [V O R]. constructor; auto. Qed.
Lemma calm_moved : forall a b d, calm a b -> moved b d -> moved a d.
Proof.
  intros a b d [V O R] [V' O' R']. constructor.
  - intros e N. rewrite V', V; auto.
  - intros v KV. rewrite O', O; auto.
  - intro N. destruct (R' N) as [[E F]|E]; [left|now right]. now rewrite E, F, V, R.
Qed.
Lemma calm_alike : forall a b, alike a b -> (forall d, cpu_vm (cpu_at b d) = cpu_vm (cpu_at a d)) /\ (forall v, vm_at b v = vm_at a v).
Proof. intros a b A. split; [intro d; apply (al_runs _ _ A d)|]. intro v. unfold vm_at. now rewrite (al_vms _ _ A). Qed.

Lemma exit_moved : forall e a, moved a (snd (exit_vcpu c e a)).
Proof.
  intros e a. set (v := cpu_vm (cpu_at a c)). set (i := cpu_vcpu (cpu_at a c)).
  set (a1 := set_vcpu v i (vcpu_at (save_vcpu c v i a) v i <| vcpu_state := if exit_reason e =? NIE_EXIT_CPU_OFF then VCPU_OFF else VCPU_READY |>) (save_vcpu c v i a)).
  set (a2 := set_vm v (vm_at a1 v <| running ::= fun n => n - 1 |>) a1).
  set (a3 := set_cpu c (cpu_at a2 c <| cpu_vm := CPU_HOST |>) a2).
  assert (A : alike a3 (snd (exit_vcpu c e a))).
  { unfold exit_vcpu. cbv zeta. cbn [snd]. unfold controls_host, load_host. cbv zeta. eapply alike_trans; [|apply alike_here]. eapply alike_trans; [|apply alike_x].
    eapply alike_trans; [|apply alike_regs]. apply alike_cpu; reflexivity. }
  destruct (calm_alike _ _ A) as [AV AO]. constructor.
  - intros d N. rewrite AV. unfold a3. rewrite cpu_put. replace (d =? c) with false by lia. reflexivity.
  - intros w _. rewrite AO. transitivity (cntvoff (vm_at a2 w)); [reflexivity|]. unfold a2. rewrite vm_put. destruct (Z.eqb_spec w v) as [->|]; reflexivity.
  - intro N. elim N. rewrite AV. unfold a3. rewrite cpu_put, Z.eqb_refl. reflexivity.
Qed.

Lemma asked_cpu : forall v i x d, cpu_at (asked v i x) d = cpu_at x d.
Proof. reflexivity. Qed.
Lemma asked_vm : forall v i x w, vm_at (asked v i x) w = vm_at x w.
Proof. reflexivity. Qed.
Lemma last_cpu : forall v n x d, cpu_at (set_last v c n x) d = cpu_at x d.
Proof. reflexivity. Qed.
Lemma came_cpu : forall v i x d, cpu_vm (cpu_at (trap_steps.enter c v i x) d) = if d =? c then v else cpu_vm (cpu_at x d).
Proof.
  intros v i x d. unfold trap_steps.enter. rewrite cpu_put. destruct (d =? c); [reflexivity|]. reflexivity.
Qed.
Lemma came_vm : forall v i x w, cntvoff (vm_at (trap_steps.enter c v i x) w) = cntvoff (vm_at x w).
Proof.
  intros v i x w. set (y := set_vcpu v i (vcpu_at x v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |>) x).
  transitivity (cntvoff (vm_at (set_vm v (vm_at x v <| running ::= fun n => n + 1 |>) y) w)); [reflexivity|].
  rewrite vm_put. destruct (Z.eqb_spec w v) as [->|]; reflexivity.
Qed.
Lemma enter_moved : forall v i a, moved a (enter_vcpu c v i a).
Proof.
  intros v i a. pose proof (exit_releases.entry_brings_offset c v i a) as OFF. cbv zeta in OFF. rewrite vcpu_enters.enter_stages in *.
  destruct (calm_alike _ _ (vcpu_run_refines.controlled_alike c v i a)) as [BV BO]. revert OFF BV BO. unfold vcpu_run_preserves.come.
  generalize (set_last v c (i + 1) (vcpu_enters.controlled c v i a)). intros x OFF BV BO. destruct (calm_alike _ _ (answer_alike c v i x)) as [AV AO].
  revert OFF AV AO. generalize (take_answer c v i x). intros b OFF AV AO.
  assert (CV : forall d, cpu_vm (cpu_at b d) = if d =? c then v else cpu_vm (cpu_at a d)) by (intro d; rewrite AV, asked_cpu, BV, last_cpu; apply came_cpu).
  assert (CO : forall w, cntvoff (vm_at b w) = cntvoff (vm_at a w)) by (intro w; rewrite AO, asked_vm, BO, exit_releases.last_vm; apply came_vm).
  constructor; auto.
  - intros d N. rewrite CV. now replace (d =? c) with false by lia.
  - intros _. right. rewrite (CV c), Z.eqb_refl. exact OFF.
Qed.

Lemma vcpu_run_moved : forall v i ins a, moved a (snd (vcpu_run c v i ins a)).
Proof.
  intros v i ins a. unfold vcpu_run. cbv zeta. destruct (_ =? NIE_OK); [|apply moved_calm, calm_refl].
  match goal with |- context [lrs_ok ?f] => destruct (lrs_ok f) end; cbn [snd]; [eapply calm_moved; [|apply enter_moved]|apply moved_calm]; apply calm_set_cpu; reflexivity.
Qed.

Lemma answer_vms : forall l i b, vms (answer_from c i l b) = vms b.
Proof. induction l as [|w l IH]; intros i b; cbn [answer_from]; [reflexivity|]. rewrite IH. reflexivity. Qed.
Lemma moved_answer : forall l a b, moved a b -> moved a (answer c l b).
Proof.
  intros l a b M. pose proof (calm_answer K l c b) as [V O R]. destruct M as [V' O' R'].
  assert (AL : vms (answer c l b) = vms b) by apply answer_vms.
  constructor; [intros d N; rewrite V; auto|intros v KV; rewrite O; auto|]. intro N. rewrite V in *. rewrite R. unfold vm_at in *. rewrite AL. auto.
Qed.

(** The host's exceptions. *)

Variable a0 : state.
Hypothesis B : busy K a0.

Lemma host_call_moved : forall ins w, moved a0 (host_call c ins w a0).
Proof.
  intros ins w. unfold host_call. cbv zeta.
  assert (ST : forall (r : Z * state), moved a0 (snd r) -> moved a0 (let '(status, b) := r in answer c [status] b)) by (intros [x b] M; now apply moved_answer).
  assert (AN : forall (r : Z * Z * Z * state), moved a0 (snd r) -> moved a0 (let '(status, x1, x2, b) := r in answer c [status; x1; x2] b)) by (intros [[[x y] z] b] M; now apply moved_answer).
  assert (CM : forall (X : Type) (r : X * state), calm a0 (snd r) -> moved a0 (snd r)) by (intros; now apply moved_calm).
  destruct (_ =? NIE_VERSION); [apply moved_calm, calm_answer|]. destruct (_ =? NIE_VM_INFO); [apply moved_calm, vm_info_calm|].
  destruct (_ =? NIE_VCPU_RUN).
  { pose proof (vcpu_run_moved (x_of a0 c 1) (x_of a0 c 2) ins a0) as M. destruct (vcpu_run c (x_of a0 c 1) (x_of a0 c 2) ins a0) as [st b]. cbn [snd] in M.
    destruct (st =? NIE_OK); [exact M|now apply moved_answer]. }
  destruct (_ =? NIE_VM_DESTROY); [apply AN, CM, vm_destroy_calm, B|]. destruct (_ =? NIE_VCPU_DESTROY); [apply AN, CM, vcpu_destroy_calm|].
  destruct (_ =? NIE_TABLE_REMOVE); [apply AN, CM, table_remove_calm|]. destruct (_ =? NIE_PAGE_REMOVE); [apply AN, CM, page_remove_calm|].
  destruct (_ =? NIE_VM_CREATE); [apply ST, CM, vm_create_calm, B|]. destruct (_ =? NIE_VM_ACTIVATE); [apply ST, CM, vm_activate_calm|].
  destruct (_ =? NIE_VM_STOP); [apply ST, CM, vm_stop_calm|]. destruct (_ =? NIE_VCPU_CREATE); [apply ST, CM, vcpu_create_calm|].
  destruct (_ =? NIE_TABLE_ADD); [apply ST, CM, table_add_calm|]. destruct (_ =? NIE_PAGE_ADD); [apply ST, CM, page_add_calm|].
  destruct (_ =? NIE_PAGE_ADD_ZERO); [apply ST, CM, page_add_zero_calm|]. destruct (_ =? NIE_PAGE_SHARED_ADD); [apply ST, CM, page_shared_add_calm|].
  apply moved_calm, calm_answer.
Qed.

Lemma smc_calm : forall ins a, calm a (snd (host_smc c ins a)).
Proof.
  intros ins a. unfold host_smc. destruct (_ =? PSCI_CPU_OFF); [apply calm_set_cpu; reflexivity|].
  assert (E : calm a (snd (host_smc_answer c ins a))).
  { unfold host_smc_answer, host_cpu_on, host_system, set_started. cbv zeta.
    repeat match goal with |- context [if ?b then _ else _] => destruct b end; cbn [snd]; repeat first [apply calm_refl | eapply calm_trans; [|apply calm_set_cpu; reflexivity]]. }
  destruct (host_smc_answer c ins a) as [[r e] b]. cbn [snd] in *. eapply calm_trans; [exact E|apply calm_set_x].
Qed.
Lemma sysreg_moved : forall i a, moved a (snd (sysreg_trap c i a)).
Proof.
  intros i a. unfold sysreg_trap. cbv zeta. destruct (_ && _ && _)%bool; [eapply calm_moved; [apply calm_skip|apply exit_moved]|]. apply moved_calm.
  destruct (_ =? ENC_MDSCR); cbn [snd]; [eapply calm_trans; [|apply calm_skip]; destruct (has _ _); [apply calm_gpr|apply calm_set_here; reflexivity]|].
  destruct (reads_constant _ _ _); cbn [snd]; [eapply calm_trans; [|apply calm_skip]; destruct (has _ _); [apply calm_gpr|apply calm_refl]|apply calm_undefined].
Qed.
Lemma abort_calm : forall e ins a, calm a (snd (host_abort c e ins a)).
Proof.
  intros e ins a. unfold host_abort. cbv zeta. destruct (_ && _)%bool; [apply calm_refl|]. destruct (_ && _)%bool; [|cbn [snd]; apply calm_abort].
  unfold redistributor_access. cbv zeta. destruct (has _ _); cbn [snd]; [apply calm_skip|]. eapply calm_trans; [apply calm_gpr|apply calm_skip].
Qed.

(** vCPUs'. *)

Lemma vcpu_abort_moved : forall e a, moved a (snd (vcpu_abort c e a)).
Proof.
  intros e a. unfold vcpu_abort. cbv zeta. destruct (_ || _)%bool; [apply moved_calm; cbn [snd]; apply calm_abort|].
  destruct (entry_of _ _ _); cbn [snd]; try (apply moved_calm; first [apply calm_refl | apply calm_abort]).
  destruct (in_ram_window _ _ _); [apply exit_moved|]. destruct (_ && _)%bool; [|apply moved_calm; cbn [snd]; apply calm_abort].
  unfold mmio_exit. cbv zeta. destruct (has _ _); (eapply calm_moved; [|apply exit_moved]); apply calm_eq; reflexivity.
Qed.
Lemma vcpu_call_moved : forall a, moved a (snd (vcpu_call c a)).
Proof.
  intros a. unfold vcpu_call, vcpu_on, system_end. cbv zeta.
  assert (AN : moved a (snd (let '(r, b) := vcpu_call_answer (cpu_vm (cpu_at a c)) (x_of a c 0 mod 2 ^ 32) (smccc_argument (x_of a c 0 mod 2 ^ 32) (x_of a c 1))
    (smccc_argument (x_of a c 0 mod 2 ^ 32) (x_of a c 2)) a in (@nil event, set_x c 0 r b)))).
  { match goal with |- context [vcpu_call_answer ?u ?v ?w ?x a] => assert (E : calm a (snd (vcpu_call_answer u v w x a))) end.
    { unfold vcpu_call_answer, page_reopen. repeat match goal with |- context [if ?b then _ else _] => destruct b end; cbn [snd]; try apply calm_refl.
      destruct (slot_at _ _ _ _); cbn [snd]; try apply calm_refl. apply calm_eq; reflexivity. }
    destruct (vcpu_call_answer _ _ _ _ a) as [r b]. cbn [snd] in *. apply moved_calm. eapply calm_trans; [exact E|apply calm_set_x]. }
  repeat match goal with
  | |- moved a (snd (if ?b then _ else _)) => destruct b
  | |- moved a (snd (let '(_, _) := _ in _)) => exact AN
  | |- moved a (snd ([], set_x _ _ _ _)) => cbn [snd]; apply moved_calm, calm_set_x
  | |- moved a (snd (exit_vcpu _ _ ?b)) => apply (calm_moved _ b); [|apply exit_moved]
  | |- calm a a => apply calm_refl
  | |- calm a (set_x _ _ _ ?b) => apply (calm_trans _ _ b); [|apply calm_set_x]
  | |- calm a (set_vm _ _ a) => apply calm_set_vm; right; reflexivity
  | |- calm a _ => apply calm_eq; reflexivity
  end.
Qed.

Theorem trap_moved : forall kind ins w, moved a0 (snd (trap c kind ins w a0)).
Proof.
  intros kind ins w. unfold trap. destruct (_ =? CPU_HOST).
  - unfold host_trap. cbv zeta. destruct (negb _); [apply moved_calm, calm_refl|]. destruct (_ =? EC_HVC64); [apply host_call_moved|].
    destruct (_ =? EC_SMC64); [apply moved_calm; eapply calm_trans; [apply calm_skip|apply smc_calm]|]. destruct (_ =? EC_SYSREG); [cbn [snd]; apply sysreg_moved|].
    destruct (_ || _)%bool; [cbn [snd]; apply moved_calm, abort_calm|apply moved_calm, calm_undefined].
  - enough (E : moved a0 (snd (vcpu_trap c kind a0))) by (now destruct (vcpu_trap c kind a0)).
    unfold vcpu_trap. destruct (kind =? TRAP_SYNC); [|apply exit_moved]. unfold vcpu_sync. cbv zeta.
    destruct (_ =? EC_WFX); [eapply calm_moved; [apply calm_skip|apply exit_moved]|]. destruct (_ =? EC_SMC64); [eapply calm_moved; [apply calm_skip|apply vcpu_call_moved]|].
    destruct (_ =? EC_HVC64); [apply vcpu_call_moved|]. destruct (_ =? EC_SYSREG); [apply sysreg_moved|].
    destruct (_ || _)%bool; [apply vcpu_abort_moved|apply moved_calm, calm_undefined].
Qed.
End Moved.
