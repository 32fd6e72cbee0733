(* SPDX-License-Identifier: Apache-2.0 *)
(* An exception of a vCPU changes the owner of no page, by spec/trap/. *)
From Coq Require Import ZArith List Bool.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Registers Switch.
From nie.spec.trap Require sysreg vcpu_abort vcpu_call trap.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Definition same_pages (a b : state) : Prop := owners b = owners a /\ cfg b = cfg a.
Lemma sp_answer : forall v f x y a, same_pages a (snd (nie.spec.trap.vcpu_call.vcpu_call_answer v f x y a)).
Proof.
  intros v f x y a. unfold nie.spec.trap.vcpu_call.vcpu_call_answer. repeat match goal with |- context [if ?b then _ else _] => destruct b; [try (now split)|] end; try (now split).
  unfold nie.spec.trap.vcpu_call.page_reopen. destruct (negb _); [now split|]. destruct (negb _); [now split|]. destruct (slot_at _ _ _ _); now split.
Qed.
Lemma sp_gpr : forall a c r v, same_pages a (Registers.set_gpr c r v a).
Proof. intros. unfold Registers.set_gpr. destruct (_ <? _); now split. Qed.
Lemma sp_call : forall c a, same_pages a (snd (nie.spec.trap.vcpu_call.vcpu_call c a)).
Proof.
  intros c a. unfold nie.spec.trap.vcpu_call.vcpu_call. cbn zeta. generalize (Registers.x_of a c 0 mod 2 ^ 32). intro f.
  destruct (_ || _)%bool.
  { unfold nie.spec.trap.vcpu_call.vcpu_on. destruct (negb _); [now split|]. destruct (negb _); [now split|]. destruct (negb _); now split. }
  destruct (_ =? _); [now split|]. destruct (_ || _)%bool; [now split|]. do 3 (destruct (_ =? _); [now split|]).
  match goal with |- context [nie.spec.trap.vcpu_call.vcpu_call_answer ?v ?f ?x ?y ?s] => pose proof (sp_answer v f x y s) as E; destruct (nie.spec.trap.vcpu_call.vcpu_call_answer v f x y s) as [r b] end.
  exact E.
Qed.
Lemma sp_abort : forall c y a, same_pages a (snd (nie.spec.trap.vcpu_abort.vcpu_abort c y a)).
Proof.
  intros c y a. unfold nie.spec.trap.vcpu_abort.vcpu_abort. cbn zeta. destruct (_ || _)%bool; [now split|].
  destruct (nie.spec.trap.vcpu_abort.entry_of _ _ _); try (now split). destruct (nie.spec.trap.vcpu_abort.in_ram_window _ _ _); [now split|].
  destruct (_ && _)%bool; [|now split]. unfold nie.spec.trap.vcpu_abort.mmio_exit. destruct (Registers.has _ _); now split.
Qed.
Lemma sp_sysreg : forall c y a, same_pages a (snd (nie.spec.trap.sysreg.sysreg_trap c y a)).
Proof.
  intros c y a. unfold nie.spec.trap.sysreg.sysreg_trap. cbn zeta. destruct (_ && _ && _)%bool; [now split|]. destruct (_ =? ENC_MDSCR).
  - destruct (Registers.has _ _); [exact (sp_gpr a _ _ _)|now split].
  - destruct (nie.spec.trap.sysreg.reads_constant _ _ _); [|now split]. destruct (Registers.has _ _); [exact (sp_gpr a _ _ _)|now split].
Qed.
Theorem trap_keeps_pages : forall c kind a, same_pages a (snd (nie.spec.trap.trap.vcpu_trap c kind a)).
Proof.
  intros c kind a. unfold nie.spec.trap.trap.vcpu_trap. destruct (kind =? TRAP_SYNC); [|now split].
  unfold nie.spec.trap.trap.vcpu_sync. cbn zeta. destruct (_ =? EC_WFX); [now split|].
  destruct (_ =? EC_SMC64); [exact (sp_call c (Registers.skip_instruction a))|]. destruct (_ =? EC_HVC64); [apply sp_call|]. destruct (_ =? EC_SYSREG); [apply sp_sysreg|].
  destruct (_ || _)%bool; [apply sp_abort|now split].
Qed.
