(* SPDX-License-Identifier: Apache-2.0 *)
(* An engine that takes an answer for an access that missed a page of RAM does not keep a VM's registers: from boot's end, the host creates
   and runs a VM, which loads a byte from its window where no page is yet; the host says that this is served, and the VM goes on with the host's byte.
   So with an engine that gives all of the host's word for a byte of a device. On the same run, with every kind of exit, the engine as it is does right. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Released Answers.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.refine Require Import statements.
From nie.proof.security Require Import core_is_safe Lifetime.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* vcpu_abort: nothing is in the window. *)
Definition answers_for_memory : program gvar -> program gvar :=
  map (fun f => if String.eqb (fname f) "in_ram_window" then Function (fname f) (params f) (results f) (Ret [Const 0]) else f).
Definition answers_whole_words : program gvar -> program gvar :=
  map (fun f => if String.eqb (fname f) "mmio_truncate" then Function (fname f) (params f) (results f) (Ret [Var "value"%string]) else f).

(* An access of a byte by w3 at a page of the IPA space; [more]: further bits of the syndrome, SSE or WnR. *)
Definition a_byte (page more : Z) : exception :=
  Step.Exception TRAP_SYNC 0x1000 0 (EC_DATA_ABORT * 2 ^ 26 + 2 ^ 25 + 2 ^ 24 + more + 3 * 2 ^ 16 + 7) 0x123 (page * 16).
Definition of_ram : Z := low / 4096.
Definition of_device : Z := 0x9000.
Definition signed : Z := 2 ^ 21.
Definition store : Z := 2 ^ 6.
Definition class_of (ec iss : Z) : exception := Step.Exception TRAP_SYNC 0x1000 0 (ec * 2 ^ 26 + 2 ^ 25 + iss) 0 0.

(* vCPU [i] has [f] in x0 and other numbers in x1 to x30, and leaves; it is entered with the flags and, for x0 to x3, [v] and on. *)
Definition enters_with (i flags v : Z) : list label :=
  asks_in 0 (fun n => match n with O => flags | 1%nat => v | 2%nat => v + 1 | 3%nat => v + 2 | 4%nat => v + 3 | _ => 0 end) [NIE_VCPU_RUN; 1; i].
Definition leaves_by (f : Z) (l : list Z) (e : exception) : list label :=
  sets 0 (f :: l ++ map (fun i => 1000 + i) (numbers (30 - List.length l))) ++ [Trap 0 e (fun _ => 0) []].
Definition is_asked (f : Z) (l : list Z) (e : exception) : list label := leaves_by f l e ++ enters_with 0 NIE_IN_ANSWER 0x41c2.

(* Two vCPUs, no page. *)
Definition two_vcpus : list label :=
  asks 0 [NIE_VM_CREATE; 1; root * 4096; low; 4; 2] ++ asks 0 [NIE_VCPU_CREATE; 1; 0; context * 4096; record * 4096; low; 0] ++
  asks 0 [NIE_VCPU_CREATE; 1; 1; measured * 4096; zeroed * 4096; low; 0] ++ asks 0 [NIE_VM_ACTIVATE; 1] ++ enters_with 0 0 0.
Definition calls : list label :=
  is_asked NIE_VM_HOST_CALL [] (class_of EC_HVC64 0) ++ is_asked NIE_VM_HOST_CALL [] (class_of EC_SMC64 0) ++
  is_asked PSCI_CPU_SUSPEND [] (class_of EC_HVC64 0) ++ is_asked PSCI_CPU_SUSPEND [] (class_of EC_SMC64 0) ++
  is_asked PSCI_CPU_ON [1; low; 5] (class_of EC_HVC64 0).
(* vCPU 1 is entered, turns itself off, and 0 goes on, turns it on again; 1 is entered anew. *)
Definition off_and_on : list label :=
  leaves_by 0 [] (class_of EC_WFX 0) ++ enters_with 1 1 7 ++ leaves_by PSCI_CPU_OFF [] (class_of EC_HVC64 0) ++ enters_with 0 1 7 ++
  is_asked PSCI_CPU_ON [1; low; 6] (class_of EC_SMC64 0) ++ leaves_by 0 [] (class_of EC_WFX 0) ++ enters_with 1 1 7 ++
  leaves_by 0 [] (class_of EC_WFX 0) ++ enters_with 0 1 7.
Definition waits : list label :=
  is_asked 0 [] (Step.Exception TRAP_IRQ 0x1000 0 0 0 0) ++ is_asked 0 [] (class_of EC_WFX 0) ++ is_asked 0 [] (class_of EC_SYSREG (ENC_SGI1R + 3 * 2 ^ 5)).
Definition devices : list label :=
  is_asked 0 [] (a_byte of_device 0) ++ is_asked 0 [] (a_byte of_device signed) ++ is_asked 0 [] (a_byte of_device store) ++
  leaves_by 0 [] (a_byte of_device 0) ++ enters_with 0 0 7 ++ leaves_by 0 [] (a_byte of_device store) ++ enters_with 0 0 7.
Definition misses : list label := is_asked 0 [] (a_byte of_ram 0) ++ is_asked 0 [] (a_byte of_ram store).
Definition the_run : list label := [Start 0 (fun _ => 0) []] ++ two_vcpus ++ calls ++ off_and_on ++ waits ++ devices ++ misses.

Definition the_vm : who := Who 1 1.

(* For any program and trace: with these at hand nothing is computed. *)
Section Any.
Variables (P : program gvar) (w : who) (tr : list label).
Definition judged : option (list bool) :=
  match booted P with
  | Some ([status], s1) => if status =? BOOT_OK then Some (verdicts P w no_book (of_boot the_tables_at s1) 0 0 tr) else None
  | _ => None
  end.
Lemma judged_is : forall l, judged = Some l -> exists s, after_boot P s /\ verdicts P w no_book s 0 0 tr = l.
Proof.
  intros l J. unfold judged in J. destruct (booted P) as [[[|status [|]] s1]|] eqn:B; try discriminate J.
  destruct (Z.eqb_spec status BOOT_OK) as [->|]; [|discriminate J]. injection J as J.
  exists (of_boot the_tables_at s1). split; [exact (booted_is P s1 B)|exact J].
Qed.
Lemma forges : forall l, 0 <= vm w < NIE_MAX_VMS -> judged = Some l -> In false l -> ~ registers_integral (after_boot P) P.
Proof. intros l V J F H. destruct (judged_is l J) as (s & B & E). rewrite <- E in F. discriminate (H s tr w V B false F). Qed.
End Any.

Definition right (n : nat) : list bool := repeat true n.

Theorem memory_answer_forges : ~ registers_integral (after_boot (answers_for_memory Program.core)) (answers_for_memory Program.core).
Proof. refine (forges _ the_vm the_run (right 16 ++ [false; false]) _ _ _); [vm_compute; split; congruence|vm_cast_no_check (eq_refl (Some (right 16 ++ [false; false])))|cbn; tauto]. Qed.
Theorem whole_answer_forges : ~ registers_integral (after_boot (answers_whole_words Program.core)) (answers_whole_words Program.core).
Proof. refine (forges _ the_vm the_run (right 11 ++ [false; false] ++ right 5) _ _ _); [vm_compute; split; congruence|vm_cast_no_check (eq_refl (Some (right 11 ++ [false; false] ++ right 5)))|cbn; tauto]. Qed.

(* The engine as it is: eighteen times a vCPU is entered again, and finds what it should. *)
Theorem core_answers : exists s, after_boot Program.core s /\ verdicts Program.core the_vm no_book s 0 0 the_run = right 18.
Proof. refine (judged_is Program.core the_vm the_run (right 18) _). vm_cast_no_check (eq_refl (Some (right 18))). Qed.
