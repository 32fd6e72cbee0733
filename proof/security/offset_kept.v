(* SPDX-License-Identifier: Apache-2.0 *)
(* CNTVOFF_EL2 on a CPU that runs a vCPU is its VM's: no exception ends otherwise. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Measure Donation Actions.
From nie.spec.call Require Import page_add page_add_zero page_remove page_shared_add table_add table_remove vcpu_create
  vcpu_destroy vcpu_run vm_activate vm_create vm_destroy vm_info vm_stop host_call.
From nie.spec.trap Require Import sysreg host_abort host_smc vcpu_abort vcpu_call trap.
From nie.proof.invariant Require Import vcpu_run_preserves.
From nie.proof.security Require exit_releases.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Section Calm.
Variable K : Z -> Prop.               (* VMs that run *)

(* Nobody comes or goes. *)
Record calm (a b : state) : Prop := {
  cm_vm : forall d, cpu_vm (cpu_at b d) = cpu_vm (cpu_at a d);
  cm_off : forall v, K v -> cntvoff (vm_at b v) = cntvoff (vm_at a v);
  cm_reg : reg_of b REG_CNTVOFF_EL2 = reg_of a REG_CNTVOFF_EL2;
}.
Lemma calm_refl : forall a, calm a a.
Proof. constructor; auto. Qed.
Lemma calm_trans : forall a b c, calm a b -> calm b c -> calm a c.
Proof. intros a b c [A B C] [A' B' C']. constructor; intros; rewrite ?A', ?B', ?C'; auto. Qed.
Lemma calm_eq : forall a b, vms b = vms a -> cpus b = cpus a -> here b = here a -> calm a b.
Proof. intros a b V C H. constructor; intros; unfold cpu_at, vm_at, reg_of; now rewrite ?V, ?C, ?H. Qed.
Lemma vm_put : forall v r a w, vm_at (set_vm v r a) w = if w =? v then r else vm_at a w.
Proof. intros v r a w. exact (Map.get_set _ (vms a) v r w). Qed.
Lemma cpu_put : forall c r a d, cpu_at (set_cpu c r a) d = if d =? c then r else cpu_at a d.
Proof. intros c r a d. exact (Map.get_set _ (cpus a) c r d). Qed.
Lemma calm_set_vm : forall v r a, (~ K v \/ cntvoff r = cntvoff (vm_at a v)) -> calm a (set_vm v r a).
Proof.
  intros v r a H. constructor; try reflexivity. intros w KW. rewrite vm_put. destruct (Z.eqb_spec w v) as [->|]; auto. destruct H as [N|E]; [contradiction|exact E].
Qed.
Lemma calm_set_cpu : forall c r a, cpu_vm r = cpu_vm (cpu_at a c) -> calm a (set_cpu c r a).
Proof. intros c r a H. constructor; try reflexivity. intro d. rewrite cpu_put. destruct (Z.eqb_spec d c) as [->|]; auto. Qed.
Lemma calm_set_here : forall r x a, (r =? REG_CNTVOFF_EL2) = false -> calm a (set_here r x a).
Proof. intros r x a N. constructor; try reflexivity. unfold reg_of. transitivity (Map.get (Map.set (here a) r x) REG_CNTVOFF_EL2); [reflexivity|]. rewrite Map.get_set, Z.eqb_sym, N. reflexivity. Qed.
Lemma calm_each : forall n f a, (forall i b, calm b (f i b)) -> calm a (each n f a).
Proof.
  intros n f a H. unfold each. induction (Z.to_nat n) as [|m IH]; cbn [each_nat]; [apply calm_refl|]. eapply calm_trans; [exact IH|apply H].
Qed.
Lemma calm_set_x : forall c i w a, calm a (set_x c i w a).
Proof. intros. apply calm_set_cpu. reflexivity. Qed.
Lemma calm_answer : forall l c a, calm a (answer c l a).
Proof. unfold answer. intros l c. generalize 0. induction l as [|w l IH]; intros i a; cbn [answer_from]; [apply calm_refl|]. eapply calm_trans; [apply calm_set_x|apply IH]. Qed.
Lemma calm_gpr : forall c r w a, calm a (set_gpr c r w a).
Proof. intros. unfold set_gpr. destruct (r <? 31); [apply calm_set_x|apply calm_refl]. Qed.
Lemma calm_regs : forall l a, forallb (fun rv => negb (fst rv =? REG_CNTVOFF_EL2)) l = true -> calm a (set_regs l a).
Proof.
  unfold set_regs. induction l as [|[r v] l IH]; intros a H; cbn [fold_left fst snd forallb] in *; [apply calm_refl|]. apply andb_prop in H as [N H].
  eapply calm_trans; [|apply IH; exact H]. apply calm_set_here. now apply negb_true_iff.
Qed.
Lemma calm_skip : forall a, calm a (skip_instruction a).
Proof. intro a. apply calm_regs. reflexivity. Qed.
Lemma calm_undefined : forall a, calm a (inject_undefined a).
Proof. intro a. unfold inject_undefined, inject. repeat match goal with |- context [if ?b then _ else _] => destruct b end; apply calm_regs; reflexivity. Qed.
Lemma calm_abort : forall e f a, calm a (inject_abort e f a).
Proof. intros e f a. unfold inject_abort, inject. repeat match goal with |- context [if ?b then _ else _] => destruct b end; try (eapply calm_trans; [|apply calm_regs; reflexivity]); try apply calm_refl; try (apply calm_set_here; reflexivity). Qed.
Lemma calm_granules : forall v n a, calm a (add_granules v n a).
Proof. intros. apply calm_set_vm. right. reflexivity. Qed.
Lemma calm_measured : forall v w a, calm a (measured v w a).
Proof. intros. apply calm_set_vm. right. reflexivity. Qed.
Lemma calm_building : forall v w a, calm a (measured_if_building v w a).
Proof. intros. unfold measured_if_building. destruct (_ =? _); [apply calm_measured|apply calm_refl]. Qed.
Lemma calm_hand_over : forall v p n o a, calm a (hand_over v p n o a).
Proof. intros. unfold hand_over. eapply calm_trans; [|apply calm_granules]. apply calm_each. intros. apply calm_eq; reflexivity. Qed.
Lemma calm_donate : forall v p n o a, calm a (donate v p n o a).
Proof. intros. unfold donate. eapply calm_trans; [apply calm_hand_over|]. apply calm_eq; reflexivity. Qed.
Lemma calm_give_back : forall v p a, calm a (give_back v p a).
Proof. intros. unfold give_back. eapply calm_trans; [|apply calm_granules]. apply calm_eq; reflexivity. Qed.

(** The calls. *)

(* What lies below is not looked at. *)
Tactic Notation "to" constr(b) tactic3(L) := apply (calm_trans _ b); [|generalize b; intro; L].
Ltac peel := cbv beta zeta; cbn [snd fst]; match goal with
  | |- calm ?a ?a => apply calm_refl
  | |- calm _ (set_own _ _ ?b) => to b ltac:(apply calm_eq; reflexivity)
  | |- calm _ (set_slot _ _ _ _ ?b) => to b ltac:(apply calm_eq; reflexivity)
  | |- calm _ (set_mode _ _ ?b) => to b ltac:(apply calm_eq; reflexivity)
  | |- calm _ (set_vcpu _ _ _ ?b) => to b ltac:(apply calm_eq; reflexivity)
  | |- calm _ (set_saved _ _ _ ?b) => to b ltac:(apply calm_eq; reflexivity)
  | |- calm _ (set_last _ _ _ ?b) => to b ltac:(apply calm_eq; reflexivity)
  | |- calm _ (mapped _ _ _ _ ?b) => to b ltac:(apply calm_eq; reflexivity)
  | |- calm _ (forget _ _ _ _ ?b) => to b ltac:(apply calm_eq; reflexivity)
  | |- calm _ (take_back _ _ _ ?b) => unfold take_back
  | |- calm _ (measure_page _ _ _ _ ?b) => unfold measure_page
  | |- calm _ (spend _ _ _ ?b) => unfold spend
  | |- calm _ (add_granules _ _ ?b) => to b ltac:(apply calm_granules)
  | |- calm _ (measured _ _ ?b) => to b ltac:(apply calm_measured)
  | |- calm _ (measured_if_building _ _ ?b) => to b ltac:(apply calm_building)
  | |- calm _ (donate _ _ _ _ ?b) => to b ltac:(apply calm_donate)
  | |- calm _ (hand_over _ _ _ _ ?b) => to b ltac:(apply calm_hand_over)
  | |- calm _ (give_back _ _ ?b) => to b ltac:(apply calm_give_back)
  | |- calm _ (set_x _ _ _ ?b) => to b ltac:(apply calm_set_x)
  | |- calm _ (set_gpr _ _ _ ?b) => to b ltac:(apply calm_gpr)
  | |- calm _ (skip_instruction ?b) => to b ltac:(apply calm_skip)
  | |- calm _ (answer _ _ ?b) => to b ltac:(apply calm_answer)
  | |- calm _ (each _ _ ?b) => to b ltac:(apply calm_each; intros)
  | |- calm _ (set_vm _ _ ?b) => to b ltac:(apply calm_set_vm; right; reflexivity)
  | |- calm _ (set_cpu _ _ ?b) => to b ltac:(apply calm_set_cpu; reflexivity)
  | |- calm _ (set_here _ _ ?b) => to b ltac:(apply calm_set_here; reflexivity)
  | |- calm _ (snd (if ?b then _ else _)) => destruct b
  | |- calm _ (if ?b then _ else _) => destruct b
  | |- calm _ (snd (match ?e with _ => _ end)) => destruct e
  | |- calm _ (match ?e with _ => _ end) => destruct e
  end.
Ltac peels := repeat peel.

Lemma page_add_calm : forall v i p n w a, calm a (snd (page_add v i p n w a)).
Proof. intros. unfold page_add. peels. Qed.
Lemma page_add_zero_calm : forall v i p n l a, calm a (snd (page_add_zero v i p n l a)).
Proof. intros. unfold page_add_zero, add_zero. peels. Qed.
Lemma page_remove_calm : forall v i n a, calm a (snd (page_remove v i n a)).
Proof. intros. unfold page_remove. peels. Qed.
Lemma page_shared_add_calm : forall v i p n a, calm a (snd (page_shared_add v i p n a)).
Proof. intros. unfold page_shared_add. peels. Qed.
Lemma table_add_calm : forall v i l p a, calm a (snd (table_add v i l p a)).
Proof. intros. unfold table_add. peels. Qed.
Lemma table_remove_calm : forall v i l a, calm a (snd (table_remove v i l a)).
Proof. intros. unfold table_remove. peels. Qed.
Lemma vcpu_create_calm : forall v i x r e g a, calm a (snd (vcpu_create v i x r e g a)).
Proof. intros. unfold vcpu_create. peels. Qed.
Lemma vcpu_destroy_calm : forall v i a, calm a (snd (vcpu_destroy v i a)).
Proof. intros. unfold vcpu_destroy. peels. Qed.
Lemma vm_stop_calm : forall v a, calm a (snd (vm_stop v a)).
Proof. intros. unfold vm_stop. peels. Qed.
Lemma vm_activate_calm : forall v a, calm a (snd (vm_activate v a)).
Proof. intros. unfold vm_activate. peels. Qed.
Lemma vm_info_calm : forall c a, calm a (vm_info c a).
Proof. intros. unfold vm_info. apply calm_answer. Qed.

(* A VM that runs is neither made nor ended. *)
Definition busy (a : state) : Prop := forall v, K v -> vm_state (vm_at a v) <> NIE_VM_FREE /\ running (vm_at a v) <> 0.
Lemma vm_create_calm : forall v r b p n t a, busy a -> calm a (snd (vm_create v r b p n t a)).
Proof.
  intros v r b p n t a B. unfold vm_create. cbv zeta. destruct (_ =? NIE_OK) eqn:E; [|apply calm_refl]. cbn [snd].
  assert (N : ~ K v).
  { intro KV. destruct (B v KV) as [F _]. apply F. apply Z.eqb_eq in E. unfold vm_create_check in E. destruct (vm_exists v); [|discriminate].
    destruct (vm_is a v NIE_VM_FREE NIE_VM_FREE) eqn:I; [|discriminate]. unfold vm_is in I. lia. }
  peel. peel. eapply calm_trans; [apply calm_refl|]. apply calm_set_vm. now left.
Qed.
Lemma vm_destroy_calm : forall v a, busy a -> calm a (snd (vm_destroy v a)).
Proof.
  intros v a B. unfold vm_destroy. cbv zeta. destruct (_ =? NIE_OK) eqn:E; [|apply calm_refl]. cbn [snd].
  assert (N : ~ K v).
  { intro KV. destruct (B v KV) as [_ F]. apply F. apply Z.eqb_eq in E. unfold vm_destroy_check in E. destruct (vm_exists v); [|discriminate].
    destruct (vm_is a v _ _); [|discriminate]. destruct (Z.eqb_spec (running (vm_at a v)) 0); [auto|discriminate]. }
  unfold clear_vm. cbv zeta. eapply calm_trans; [|apply calm_set_vm; now left]. peel; [|peel; peel].
  eapply calm_trans; [apply calm_give_back|]. apply calm_eq; reflexivity.
Qed.
End Calm.
