(* SPDX-License-Identifier: Apache-2.0 *)
(* Most of what the host does leaves vCPUs, their contexts, VMs' windows and who runs where as they are. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Measure Donation Actions.
From nie.spec.call Require Import page_add page_add_zero page_remove page_shared_add table_add table_remove vcpu_create
  vcpu_destroy vcpu_run vm_activate vm_create vm_destroy vm_info vm_stop host_call.
From nie.spec.trap Require Import sysreg host_abort host_smc vcpu_abort vcpu_call trap.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Definition vm_view (r : vm) : Z * Z * Z := (vm_state r, ram_base r, ram_pages r).
Definition run_view (r : processor) : Z * Z := (cpu_vm r, cpu_vcpu r).
Record calm (a b : state) : Prop := {
  ca_vcpus : vcpus b = vcpus a;
  ca_saved : saved b = saved a;
  ca_vms : forall v, vm_view (vm_at b v) = vm_view (vm_at a v);
  ca_cpus : forall c, run_view (cpu_at b c) = run_view (cpu_at a c);
}.
Lemma calm_refl : forall a, calm a a.
Proof. constructor; auto. Qed.
Lemma calm_trans : forall a b c, calm a b -> calm b c -> calm a c.
Proof. intros a b c [] []. constructor; intros; etransitivity; eauto. Qed.

(** One step after others. *)

Section Steps.
Variables a b : state.
Hypothesis H : calm a b.
Lemma calm_own : forall p o, calm a (set_own p o b). Proof. intros. destruct H. constructor; assumption. Qed.
Lemma calm_slot : forall v l k e, calm a (set_slot v l k e b). Proof. intros. destruct H. constructor; assumption. Qed.
Lemma calm_mode : forall g m, calm a (set_mode g m b). Proof. intros. destruct H. constructor; assumption. Qed.
Lemma calm_last : forall v c n, calm a (set_last v c n b). Proof. intros. destruct H. constructor; assumption. Qed.
Lemma calm_here : forall r n, calm a (set_here r n b). Proof. intros. destruct H. constructor; assumption. Qed.
Lemma calm_vm : forall v r, vm_view r = vm_view (vm_at b v) -> calm a (set_vm v r b).
Proof.
  intros v r E. destruct H as [E1 E2 E3 E4]. constructor; try assumption. intro w. rewrite <- E3.
  transitivity (vm_view (Map.get (Map.set (vms b) v r) w)); [reflexivity|]. rewrite Map.get_set. destruct (Z.eqb_spec w v) as [->|]; [exact E|reflexivity].
Qed.
Lemma calm_cpu : forall c r, run_view r = run_view (cpu_at b c) -> calm a (set_cpu c r b).
Proof.
  intros c r E. destruct H as [E1 E2 E3 E4]. constructor; try assumption. intro d. rewrite <- E4.
  transitivity (run_view (Map.get (Map.set (cpus b) c r) d)); [reflexivity|]. rewrite Map.get_set. destruct (Z.eqb_spec d c) as [->|]; [exact E|reflexivity].
Qed.
Lemma calm_granules : forall v n, calm a (add_granules v n b). Proof. intros. now apply calm_vm. Qed.
Lemma calm_measured : forall v w, calm a (measured v w b). Proof. intros. now apply calm_vm. Qed.
Lemma calm_x : forall c i w, calm a (set_x c i w b). Proof. intros. now apply calm_cpu. Qed.
Lemma calm_slots : forall f, calm a (b <| slots ::= f |>). Proof. intros. destruct H. constructor; assumption. Qed.
Lemma calm_started : forall c n, calm a (set_started c n b). Proof. intros. now apply calm_cpu. Qed.
Lemma calm_if : forall (t : bool) x y, calm a x -> calm a y -> calm a (if t then x else y). Proof. now intros []. Qed.
End Steps.
Lemma calm_gpr : forall a b c r w, calm a b -> calm a (set_gpr c r w b).
Proof. intros. unfold set_gpr. apply calm_if; [now apply calm_x|assumption]. Qed.
Lemma calm_each : forall a b n f, (forall i x, calm x (f i x)) -> calm a b -> calm a (each n f b).
Proof. intros a b n f F H. unfold each. induction (Z.to_nat n) as [|m IH]; cbn [each_nat]; [exact H|]. eapply calm_trans; [exact IH|apply F]. Qed.
Lemma calm_regs : forall l a b, calm a b -> calm a (set_regs l b).
Proof. unfold set_regs. induction l as [|[r w] l IH]; intros; cbn [fold_left fst snd]; [assumption|]. apply IH. now apply calm_here. Qed.
Lemma calm_answer_from : forall l c i a b, calm a b -> calm a (answer_from c i l b).
Proof. induction l as [|w l IH]; intros; cbn [answer_from]; [assumption|]. apply IH. now apply calm_x. Qed.
Lemma calm_answer : forall l c a b, calm a b -> calm a (answer c l b).
Proof. intros. now apply calm_answer_from. Qed.
Lemma calm_handed : forall a b v p n o, calm a b -> calm a (hand_over v p n o b).
Proof. intros. unfold hand_over. apply calm_granules, calm_each; [|assumption]. intros i x. apply calm_own, calm_refl. Qed.
Lemma calm_donated : forall a b v p n o, calm a b -> calm a (donate v p n o b).
Proof. intros. unfold donate. now apply calm_mode, calm_handed. Qed.
Lemma calm_if_building : forall a b v w, calm a b -> calm a (measured_if_building v w b).
Proof. intros. unfold measured_if_building. apply calm_if; [now apply calm_measured|assumption]. Qed.
Lemma calm_back : forall a b v p, calm a b -> calm a (give_back v p b).
Proof. intros. unfold give_back. now apply calm_granules, calm_own. Qed.
Lemma calm_skip : forall a b, calm a b -> calm a (skip_instruction b).
Proof. intros. unfold skip_instruction. now apply calm_regs. Qed.
Lemma calm_undefined : forall a b, calm a b -> calm a (inject_undefined b).
Proof. intros. unfold inject_undefined, inject. now apply calm_regs. Qed.
Lemma calm_abort : forall a b e f, calm a b -> calm a (inject_abort e f b).
Proof. intros. unfold inject_abort, inject. now apply calm_regs. Qed.

(** The calls that are. *)

#[local] Opaque each donate hand_over set_slot set_own set_mode add_granules measured measured_if_building.

Ltac calmly := repeat first [apply calm_refl | apply calm_slot | apply calm_own | apply calm_mode | apply calm_granules | apply calm_measured | apply calm_if_building
  | apply calm_donated | apply calm_handed | apply calm_each; [intros; unfold mapped, measure_page, forget, spend, take_back; repeat first [apply calm_refl | apply calm_slot | apply calm_own | apply calm_granules | apply calm_measured]|] ].
Lemma page_add_calm : forall v i p n w a, calm a (snd (page_add v i p n w a)).
Proof. intros. unfold page_add. destruct (_ =? NIE_OK); cbn [snd]; cbv zeta; calmly. Qed.
Lemma page_add_zero_calm : forall v i p n l a, calm a (snd (page_add_zero v i p n l a)).
Proof. intros. unfold page_add_zero, add_zero. destruct (_ =? NIE_OK); cbn [snd]; cbv zeta; calmly. apply calm_if; calmly. Qed.
Lemma page_remove_calm : forall v i n a, calm a (snd (page_remove v i n a)).
Proof. intros. unfold page_remove. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; calmly. Qed.
Lemma page_shared_add_calm : forall v i p n a, calm a (snd (page_shared_add v i p n a)).
Proof. intros. unfold page_shared_add. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; calmly. Qed.
Lemma table_add_calm : forall v i l p a, calm a (snd (table_add v i l p a)).
Proof. intros. unfold table_add. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; calmly. destruct (slot_at _ _ _ _); calmly. Qed.
Lemma table_remove_calm : forall v i l a, calm a (snd (table_remove v i l a)).
Proof. intros. unfold table_remove. cbv zeta. destruct (_ =? NIE_OK); [|cbn [snd]; calmly]. destruct (slot_at _ _ _ _); cbn [snd]; calmly. Qed.

(** The other exceptions of the host. *)

Lemma smc_calm : forall c ins a, calm a (snd (host_smc c ins a)).
Proof.
  intros. unfold host_smc. destruct (_ =? PSCI_CPU_OFF); [apply calm_started, calm_refl|].
  assert (E : calm a (snd (host_smc_answer c ins a))).
  { unfold host_smc_answer, host_cpu_on, host_system. repeat match goal with |- context [if ?b then _ else _] => destruct b end; cbn [snd]; cbv zeta;
      repeat first [apply calm_refl | apply calm_started | apply calm_cpu]; reflexivity. }
  destruct (host_smc_answer c ins a) as [[r e] b]. apply calm_x. exact E.
Qed.
Lemma abort_calm : forall c e ins a, calm a (snd (host_abort c e ins a)).
Proof.
  intros. unfold host_abort. cbv zeta. destruct (_ && _)%bool; [apply calm_refl|]. destruct (_ && _)%bool.
  - unfold redistributor_access. cbv zeta. destruct (has _ _); cbn [snd]; apply calm_skip; [apply calm_refl|apply calm_gpr, calm_refl].
  - apply calm_abort, calm_refl.
Qed.
Lemma sysreg_calm : forall c i a, (is_guest a c = false \/ (Z.land i ENC_MASK =? ENC_SGI1R) && negb (has i ISS_READ) = false) -> calm a (snd (sysreg_trap c i a)).
Proof.
  intros c i a N. unfold sysreg_trap. cbv zeta. replace (_ && _ && is_guest a c)%bool with false by (destruct N as [-> | ->]; now rewrite ?andb_false_r, ?andb_false_l).
  destruct (_ =? ENC_MDSCR); cbn [snd]; [apply calm_skip, calm_if; [apply calm_gpr|apply calm_here]; apply calm_refl|].
  destruct (reads_constant _ _ _); cbn [snd]; [apply calm_skip, calm_if; [apply calm_gpr|]; apply calm_refl|apply calm_undefined, calm_refl].
Qed.
