(* SPDX-License-Identifier: Apache-2.0 *)
(* What does not change a VM's map at all: everything but the calls for tables and pages, VM_DESTROY, and a VM's own PAGE_REOPEN. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Measure Donation Actions.
From nie.spec.call Require Import vcpu_create vcpu_destroy vcpu_run vm_activate vm_create vm_stop.
From nie.spec.trap Require Import sysreg host_abort host_smc vcpu_abort vcpu_call trap boot.
From nie.proof.security Require Import Places.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

(** Registers, records and owners are not the map. *)

Lemma slots_regs : forall l a, slots (set_regs l a) = slots a.
Proof. unfold set_regs. induction l as [|[r w] l IH]; intro a; cbn [fold_left fst snd]; [reflexivity|]. now rewrite IH. Qed.
Lemma slots_answer_from : forall l c i a, slots (answer_from c i l a) = slots a.
Proof. induction l as [|w l IH]; intros; cbn [answer_from]; [reflexivity|]. now rewrite IH. Qed.
Lemma slots_answer : forall l c a, slots (answer c l a) = slots a.
Proof. intros. apply slots_answer_from. Qed.
Lemma slots_gpr : forall c r w a, slots (set_gpr c r w a) = slots a.
Proof. intros. unfold set_gpr. now destruct (r <? 31). Qed.
Lemma slots_skip : forall a, slots (skip_instruction a) = slots a.
Proof. intro. unfold skip_instruction. apply slots_regs. Qed.
Lemma slots_undefined : forall a, slots (inject_undefined a) = slots a.
Proof. intro. unfold inject_undefined, inject. apply slots_regs. Qed.
Lemma slots_abort : forall e f a, slots (inject_abort e f a) = slots a.
Proof. intros. unfold inject_abort, inject. apply slots_regs. Qed.
Lemma slots_given_back : forall v p a, slots (give_back v p a) = slots a.
Proof. reflexivity. Qed.

Lemma slots_vm : forall v r a, slots (set_vm v r a) = slots a.
Proof. reflexivity. Qed.
Lemma slots_measured : forall v l a, slots (measured v l a) = slots a.
Proof. reflexivity. Qed.
Lemma slots_record : forall v i m r a, slots (set_saved v i m (set_vcpu v i r a)) = slots a.
Proof. reflexivity. Qed.
Lemma slots_last : forall v c n a, slots (set_last v c n a) = slots a.
Proof. reflexivity. Qed.

#[local] Opaque each donate hand_over set_regs fill.

(** What the host does. *)

Section Host.
Variable a : state.
Lemma vm_create_slots : forall u r b p n t, slots (snd (vm_create u r b p n t a)) = slots a.
Proof. intros. unfold vm_create. cbv zeta. destruct (_ =? NIE_OK); [|reflexivity]. cbn [snd]. now rewrite slots_measured, slots_donated, slots_vm. Qed.
Lemma vm_activate_slots : forall u, slots (snd (vm_activate u a)) = slots a.
Proof. intros. unfold vm_activate. cbv zeta. now destruct (_ =? NIE_OK). Qed.
Lemma vm_stop_slots : forall u, slots (snd (vm_stop u a)) = slots a.
Proof. intros. unfold vm_stop. cbv zeta. now destruct (_ =? NIE_OK). Qed.
Lemma vcpu_create_slots : forall u i c r e g, slots (snd (vcpu_create u i c r e g a)) = slots a.
Proof.
  intros. unfold vcpu_create. cbv zeta. destruct (_ =? NIE_OK); [|reflexivity]. cbn [snd].
  now rewrite slots_measured, slots_vm, slots_record, slots_handed, slots_donated.
Qed.
Lemma vcpu_destroy_slots : forall u i, slots (snd (vcpu_destroy u i a)) = slots a.
Proof. intros. unfold vcpu_destroy. cbv zeta. now destruct (_ =? NIE_OK). Qed.
Lemma take_answer_slots : forall c u i b, slots (take_answer c u i b) = slots b.
Proof.
  intros. unfold take_answer. cbv zeta. match goal with |- context [set_vcpu u i ?r ?y] => set (z := set_vcpu u i r y); assert (E : slots z = slots b) by reflexivity; clearbody z end.
  destruct (_ =? PENDING_CALL); [now rewrite slots_answer|]. destruct (_ || _)%bool; [exact E|]. rewrite slots_skip. destruct (_ =? PENDING_READ); [rewrite slots_gpr|]; exact E.
Qed.
Lemma enter_slots : forall c u i b, slots (enter_vcpu c u i b) = slots b.
Proof. intros. unfold enter_vcpu. cbv zeta. rewrite take_answer_slots, slots_last. unfold controls_vcpu. rewrite slots_regs. reflexivity. Qed.
Lemma vcpu_run_slots : forall c u i ins, slots (snd (vcpu_run c u i ins a)) = slots a.
Proof.
  intros. unfold vcpu_run. cbv zeta. destruct (_ =? NIE_OK); [|reflexivity]. match goal with |- context [if ?t then _ else _] => destruct t end; cbn [snd]; [|reflexivity]. now rewrite enter_slots.
Qed.
Lemma host_smc_slots : forall c ins, slots (snd (host_smc c ins a)) = slots a.
Proof.
  intros. unfold host_smc. destruct (_ =? PSCI_CPU_OFF); [reflexivity|]. assert (E : slots (snd (host_smc_answer c ins a)) = slots a).
  { unfold host_smc_answer, host_cpu_on, host_system. repeat match goal with |- context [if ?b then _ else _] => destruct b end; reflexivity. }
  destruct (host_smc_answer c ins a) as [[r e] b]. exact E.
Qed.
Lemma host_abort_slots : forall c e ins, slots (snd (host_abort c e ins a)) = slots a.
Proof.
  intros. unfold host_abort. cbv zeta. destruct (_ && _)%bool; [reflexivity|]. destruct (_ && _)%bool; cbn [snd]; [|apply slots_abort].
  unfold redistributor_access. cbv zeta. destruct (has _ _); cbn [snd]; rewrite slots_skip; [reflexivity|apply slots_gpr].
Qed.
Lemma cpu_start_slots : forall c, slots (cpu_start c a) = slots a.
Proof. intros. unfold cpu_start, controls_host, controls_both. cbv zeta. rewrite !slots_regs. match goal with |- slots (?z <| fp_here := _ |>) = _ => transitivity (slots z); [reflexivity|] end. now rewrite slots_regs. Qed.
End Host.

(** What a vCPU does. *)

Lemma exit_slots : forall c e b, slots (snd (exit_vcpu c e b)) = slots b.
Proof. intros. unfold exit_vcpu. cbv zeta. cbn [snd]. unfold controls_host. rewrite slots_regs. reflexivity. Qed.
Lemma sysreg_slots : forall c i a, slots (snd (sysreg_trap c i a)) = slots a.
Proof.
  intros. unfold sysreg_trap. cbv zeta. destruct (_ && _ && _)%bool; [now rewrite exit_slots, slots_skip|].
  destruct (_ =? ENC_MDSCR); cbn [snd]; [rewrite slots_skip; destruct (has i ISS_READ); [apply slots_gpr|reflexivity]|].
  destruct (reads_constant _ _ _); cbn [snd]; [|apply slots_undefined]. rewrite slots_skip. destruct (has i ISS_READ); [apply slots_gpr|reflexivity].
Qed.
Lemma vcpu_abort_slots : forall c e a, slots (snd (vcpu_abort c e a)) = slots a.
Proof.
  intros. unfold vcpu_abort. cbv zeta. destruct (_ || _)%bool; [apply slots_abort|].
  destruct (entry_of _ _ _); try reflexivity; try apply slots_abort.
  destruct (in_ram_window _ _ _); [apply exit_slots|]. destruct (_ && _)%bool; [|apply slots_abort].
  unfold mmio_exit. cbv zeta. destruct (has _ _); now rewrite exit_slots.
Qed.
Notation fn a c := (x_of a c 0 mod 2 ^ 32).
Lemma answer_slots : forall v f x1 x2 a, f <> NIE_VM_PAGE_REOPEN -> slots (snd (vcpu_call_answer v f x1 x2 a)) = slots a.
Proof.
  intros v f x1 x2 a N. unfold vcpu_call_answer. destruct (f =? NIE_VM_VERSION); [reflexivity|]. rewrite (proj2 (Z.eqb_neq _ _) N). do 3 (destruct (f =? _); [reflexivity|]).
  destruct (_ || _)%bool; [reflexivity|]. now destruct (f =? _).
Qed.
Lemma call_slots : forall c a, fn a c <> NIE_VM_PAGE_REOPEN -> slots (snd (vcpu_call c a)) = slots a.
Proof.
  intros c a N. unfold vcpu_call. cbv zeta. destruct (_ || _)%bool.
  { unfold vcpu_on. cbv zeta. do 3 (destruct (negb _); [reflexivity|]). now rewrite exit_slots. }
  destruct (_ =? PSCI_CPU_OFF); [apply exit_slots|]. destruct (_ || _)%bool; [now rewrite exit_slots|].
  destruct (_ =? PSCI_SYSTEM_OFF); [unfold system_end; cbv zeta; now rewrite exit_slots|].
  destruct (_ =? PSCI_SYSTEM_RESET); [unfold system_end; cbv zeta; now rewrite exit_slots|].
  destruct (_ =? NIE_VM_HOST_CALL); [now rewrite exit_slots|].
  pose proof (answer_slots (cpu_vm (cpu_at a c)) (fn a c) (smccc_argument (fn a c) (x_of a c 1)) (smccc_argument (fn a c) (x_of a c 2)) a N) as E.
  destruct (vcpu_call_answer _ _ _ _ _) as [r d]. exact E.
Qed.
(* PAGE_REOPEN is of 64 bits, and the VM goes on running. *)
Lemma call_reopens : forall c a, fn a c = NIE_VM_PAGE_REOPEN -> snd (vcpu_call c a) = set_x c 0 (fst (page_reopen (cpu_vm (cpu_at a c)) (x_of a c 1) a)) (snd (page_reopen (cpu_vm (cpu_at a c)) (x_of a c 1) a)).
Proof.
  intros c a F. unfold vcpu_call. cbv zeta. rewrite F. change (smccc_argument NIE_VM_PAGE_REOPEN (x_of a c 1)) with (x_of a c 1).
  transitivity (snd (let '(answer, d) := vcpu_call_answer (cpu_vm (cpu_at a c)) NIE_VM_PAGE_REOPEN (x_of a c 1) (smccc_argument NIE_VM_PAGE_REOPEN (x_of a c 2)) a in (@nil event, set_x c 0 answer d))); [reflexivity|].
  change (vcpu_call_answer (cpu_vm (cpu_at a c)) NIE_VM_PAGE_REOPEN (x_of a c 1) (smccc_argument NIE_VM_PAGE_REOPEN (x_of a c 2)) a) with (page_reopen (cpu_vm (cpu_at a c)) (x_of a c 1) a).
  now destruct (page_reopen _ _ _).
Qed.

Definition calls (a : state) (kind : Z) : bool :=
  (kind =? TRAP_SYNC) && ((exception_class (reg_of a REG_ESR_EL2) =? EC_HVC64) || (exception_class (reg_of a REG_ESR_EL2) =? EC_SMC64)).
(* A call: HVC as it is, SMC after its instruction is stepped over. *)
Theorem vcpu_trap_slots : forall c kind a, calls a kind = false \/ fn a c <> NIE_VM_PAGE_REOPEN -> slots (snd (vcpu_trap c kind a)) = slots a.
Proof.
  intros c kind a H. unfold vcpu_trap. unfold calls in H. destruct (kind =? TRAP_SYNC); [|apply exit_slots]. cbn [andb] in H. unfold vcpu_sync. cbv zeta. set (k := exception_class _) in *.
  destruct (k =? EC_WFX); [now rewrite exit_slots, slots_skip|]. destruct (k =? EC_SMC64) eqn:K1.
  { destruct H as [H|H]; [rewrite orb_true_r in H; discriminate H|]. rewrite call_slots; [apply slots_skip|]. exact H. }
  destruct (k =? EC_HVC64) eqn:K2; [destruct H as [H|H]; [discriminate H|]; now apply call_slots|].
  clear H. destruct (k =? EC_SYSREG); [apply sysreg_slots|]. destruct (_ || _)%bool; [apply vcpu_abort_slots|apply slots_undefined].
Qed.
Theorem vcpu_trap_reopens : forall c kind a, calls a kind = true -> fn a c = NIE_VM_PAGE_REOPEN -> exists d, slots d = slots a /\ vms d = vms a /\
  let r := page_reopen (cpu_vm (cpu_at a c)) (x_of a c 1) d in snd (vcpu_trap c kind a) = set_x c 0 (fst r) (snd r).
Proof.
  intros c kind a H F. unfold calls in H. apply andb_prop in H as [H K]. unfold vcpu_trap. rewrite H. unfold vcpu_sync. cbv zeta. apply orb_prop in K as [K|K]; apply Z.eqb_eq in K; rewrite K.
  - exists a. split; [reflexivity|]. split; [reflexivity|]. change (EC_HVC64 =? EC_WFX) with false. change (EC_HVC64 =? EC_SMC64) with false. change (EC_HVC64 =? EC_HVC64) with true. now apply call_reopens.
  - exists (skip_instruction a). split; [apply slots_skip|]. split; [unfold skip_instruction; generalize (wrap64 (reg_of a REG_ELR_EL2 + 4)); intro; reflexivity|].
    change (EC_SMC64 =? EC_WFX) with false. change (EC_SMC64 =? EC_SMC64) with true. exact (call_reopens c (skip_instruction a) F).
Qed.

(* Any other exception of the host's. *)
Theorem host_trap_slots : forall c kind ins content a, negb (kind =? TRAP_SYNC) = true \/ exception_class (reg_of a REG_ESR_EL2) <> EC_HVC64 -> slots (snd (host_trap c kind ins content a)) = slots a.
Proof.
  intros c kind ins content a Q. unfold host_trap. cbv zeta. destruct (negb (kind =? TRAP_SYNC)) eqn:K; [reflexivity|]. destruct Q as [Q|Q]; [discriminate|].
  destruct (Z.eqb_spec (exception_class (reg_of a REG_ESR_EL2)) EC_HVC64); [contradiction|].
  destruct (_ =? EC_SMC64); [rewrite host_smc_slots; apply slots_skip|]. destruct (_ =? EC_SYSREG); [cbn [snd]; apply sysreg_slots|].
  destruct (_ || _)%bool; cbn [snd]; [apply host_abort_slots|apply slots_undefined].
Qed.
