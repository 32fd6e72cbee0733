(* SPDX-License-Identifier: Apache-2.0 *)
(* What a vCPU's handler may have done before the vCPU leaves, and that it then has left. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Actions.
From nie.spec Require Step Released Answers.
From nie.proof.invariant Require Import Meaning.
From nie.proof.security Require Import registers_switched entry_forgets Answered Calm Noted Entered Departed.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
#[local] Opaque exit_vcpu set_regs.

Section Near.
Variables (v i : Z) (a : state).
Hypothesis I : 0 <= i < NIE_MAX_VCPUS.

(* What a handler of vCPU [i] of VM [v] may have done before the vCPU leaves. *)
Record near (b : state) : Prop := {
  nr_cpu : forall d, run_view (cpu_at b d) = run_view (cpu_at a d);
  nr_vm : forall w, vm_view (vm_at b w) = vm_view (vm_at a w) \/ (w = v /\ vm_state (vm_at b w) = NIE_VM_STOPPED);
  nr_vcpu : forall w j, 0 <= j < NIE_MAX_VCPUS -> (w = v /\ j = i) \/ (vcpu_at b w j = vcpu_at a w j /\ forall x, saved_at b w j x = saved_at a w j x) \/
    (w = v /\ vcpu_state (vcpu_at a w j) = VCPU_OFF /\ vcpu_state (vcpu_at b w j) = VCPU_READY);
}.
Lemma near_calm : forall b d, near b -> calm b d -> near d.
Proof.
  intros b d [N1 N2 N3] [E1 E2 E3 E4]. constructor.
  - intro q. rewrite E4. apply N1.
  - intro w. pose proof (E3 w) as Q. destruct (N2 w) as [M|[M1 M2]]; [left; congruence|right]. split; [exact M1|]. unfold vm_view in Q. congruence.
  - intros w j J. unfold saved_at. rewrite E2, (same_vcpus _ _ E1). exact (N3 w j J).
Qed.
Lemma near_refl : near a.
Proof. constructor; auto. Qed.
Lemma near_ask : forall b r, near b -> near (set_vcpu v i r b).
Proof.
  intros b r [N1 N2 N3]. constructor; [exact N1|exact N2|]. intros w j J. destruct (N3 w j J) as [L|R]; [now left|].
  destruct (Z.eq_dec w v) as [->|U]; [destruct (Z.eq_dec j i) as [->|F]; [now left|]|]; right; rewrite (asked_vcpu v i r b _ j I J);
    [replace ((v =? v) && (j =? i)) with false by lia|replace ((w =? v) && (j =? i)) with false by lia]; exact R.
Qed.
Lemma near_stop : forall b r, near b -> vm_state r = NIE_VM_STOPPED -> near (set_vm v r b).
Proof.
  intros b r [N1 N2 N3] S. constructor; [exact N1| |exact N3]. intro w. rewrite vm_put. destruct (Z.eqb_spec w v) as [->|]; [right; auto|apply N2].
Qed.
Lemma near_on : forall b t r m, near b -> 0 <= t < NIE_MAX_VCPUS -> vcpu_state (vcpu_at b v t) = VCPU_OFF -> vcpu_state r = VCPU_READY ->
  near (set_saved v t m (set_vcpu v t r b)).
Proof.
  intros b t r m [N1 N2 N3] T O R. constructor; [exact N1|exact N2|]. intros w j J.
  assert (EV : vcpu_at (set_saved v t m (set_vcpu v t r b)) w j = if (w =? v) && (j =? t) then r else vcpu_at b w j) by exact (vcpu_put v t r b w j T J).
  assert (ES : forall x, saved_at (set_saved v t m (set_vcpu v t r b)) w j x = if (w =? v) && (j =? t) then Map.get m x else saved_at b w j x) by (intro x; exact (saved_put v t m (set_vcpu v t r b) w j x T J)).
  rewrite EV. destruct (Z.eqb_spec w v) as [->|U]; [destruct (Z.eqb_spec j t) as [->|F]|]; cbn [andb] in *.
  - destruct (N3 v t T) as [L|[[Q _]|(_ & Q & _)]]; [now left| |]; right; right; (split; [reflexivity|]); split; try exact R; [now rewrite <- Q|exact Q].
  - destruct (N3 v j J) as [L|[[Q1 Q2]|Q]]; [now left|right; left|right; right; exact Q]. split; [exact Q1|]. intro x. rewrite ES. apply Q2.
  - destruct (N3 w j J) as [L|[[Q1 Q2]|Q]]; [now left|right; left|right; right; exact Q]. split; [exact Q1|]. intro x. rewrite ES. apply Q2.
Qed.
End Near.

Section Leaves.
Variables (a b1 : state) (c : Z) (x : exit).
Let v := cpu_vm (cpu_at a c).
Let i := cpu_vcpu (cpu_at a c).
Hypothesis I : 0 <= i < NIE_MAX_VCPUS.
Hypothesis NR : near v i a b1.
Let b := snd (exit_vcpu c x b1).

Lemma near_left : left_by c v i (exit_reason x =? NIE_EXIT_CPU_OFF) b1 b.
Proof.
  pose proof (nr_cpu _ _ _ _ NR c) as Q. unfold run_view in Q. injection Q as Q1 Q2. pose proof (exit_leaves c x b1) as K. cbv zeta in K. rewrite Q1, Q2 in K. exact (K I).
Qed.
Lemma near_departed : departed c v i (exit_reason x =? NIE_EXIT_CPU_OFF) a b.
Proof.
  destruct near_left as [L1 L2 L3 L4 L5 L6 L7]. destruct NR as [N1 N2 N3]. constructor.
  - rewrite L1. reflexivity.
  - intros j J NJ. destruct (L4 v j J) as [[_ Q]|[Q1 Q2]]; [contradiction|]. destruct (N3 v j J) as [[_ Q]|[[Q3 Q4]|(_ & Q3 & Q4)]]; [contradiction| |].
    + left. split; [congruence|]. intro w. now rewrite Q2.
    + right. split; [exact Q3|]. now rewrite Q1.
  - destruct (N2 v) as [Q|[_ Q]]; [left; now rewrite L5|right]. pose proof (L5 v) as M. unfold vm_view in M. congruence.
  - exact L6.
  - intros d ND. rewrite L7 by exact ND. apply N1.
Qed.
Lemma near_still : forall w, 0 <= w < NIE_MAX_VMS -> w <> v -> still w a b.
Proof.
  intros w WR NW. destruct near_left as [L1 L2 L3 L4 L5 L6 L7]. destruct NR as [N1 N2 N3]. constructor.
  - intros j J. destruct (L4 w j J) as [[Q _]|[Q1 _]]; [contradiction|]. destruct (N3 w j J) as [[Q _]|[[Q3 _]|(Q & _)]]; [contradiction| |contradiction]. congruence.
  - intros j y J. destruct (L4 w j J) as [[Q _]|[_ Q1]]; [contradiction|]. destruct (N3 w j J) as [[Q _]|[[_ Q3]|(Q & _)]]; [contradiction| |contradiction]. now rewrite Q1.
  - rewrite L5. destruct (N2 w) as [Q|[Q _]]; [exact Q|contradiction].
  - intros d _ R. destruct (Z.eq_dec d c) as [->|ND]; [exfalso; rewrite L6 in R; exact (v_not_host w WR R)|]. rewrite L7 by exact ND. apply N1.
Qed.
End Leaves.
