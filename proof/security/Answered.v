(* SPDX-License-Identifier: Apache-2.0 *)
(* What the engine keeps of a vCPU that left, and that an entry then gives it what spec/Answers.v says: of the specified world switch. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers.
From nie.spec Require Import Switch.
From nie.spec Require Step Released Answers.
From nie.proof.refine Require Import inject_exact.
From nie.proof.security Require Import registers_switched entry_forgets.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Notation eq64 a b := (a mod 2 ^ 64 = b mod 2 ^ 64).

(** Numbers. *)

Lemma lxor_eq64 : forall a b s, eq64 a b -> eq64 (Z.lxor a s) (Z.lxor b s).
Proof.
  intros a b s E. rewrite <- !(Z.land_ones _ 64) in * by lia. apply Z.bits_inj'. intros n N. rewrite !Z.land_spec, !Z.lxor_spec.
  apply (f_equal (fun x => Z.testbit x n)) in E. rewrite !Z.land_spec in E. destruct (Z.testbit (Z.ones 64) n); [|now rewrite !andb_false_r].
  rewrite !andb_true_r in *. now rewrite E.
Qed.
Lemma sub_eq64 : forall a b s, eq64 a b -> eq64 (a - s) (b - s).
Proof. intros a b s E. now rewrite Zminus_mod, E, <- Zminus_mod. Qed.

Lemma low_half : forall a b, eq64 a b -> a mod 2 ^ 32 = b mod 2 ^ 32.
Proof.
  intros a b E. change (2 ^ 64) with 18446744073709551616 in E. change (2 ^ 32) with 4294967296.
  assert (D : (4294967296 | 18446744073709551616)) by (exists 4294967296; reflexivity).
  rewrite (Znumtheory.Zmod_div_mod 4294967296 18446744073709551616 a eq_refl eq_refl D), (Znumtheory.Zmod_div_mod 4294967296 18446744073709551616 b eq_refl eq_refl D), E.
  reflexivity.
Qed.

(* Extension by the sign of n + 1 bits. *)
Lemma extends : forall n x, 0 <= n -> 0 <= x < 2 ^ (n + 1) -> Z.lxor x (2 ^ n) - 2 ^ n = if 2 ^ n <=? x then x - 2 ^ (n + 1) else x.
Proof.
  intros n x N X. rewrite Z.pow_add_r in * by lia. change (2 ^ 1) with 2 in *.
  assert (D : forall y, 0 <= y < 2 ^ n -> Z.land y (2 ^ n) = 0).
  { intros y Y. apply Z.bits_inj'. intros m M. rewrite Z.land_spec, Z.bits_0, Z.pow2_bits_eqb by lia. destruct (Z.eqb_spec n m) as [<-|]; [|now rewrite andb_false_r].
    destruct (Z.eq_dec y 0) as [->|NZ]; [now rewrite Z.bits_0|]. rewrite Z.bits_above_log2; [reflexivity|lia|]. apply Z.log2_lt_pow2; lia. }
  destruct (Z.leb_spec (2 ^ n) x) as [L|L].
  - assert (E : x = Z.lxor (x - 2 ^ n) (2 ^ n)) by (rewrite <- Z.add_nocarry_lxor by (apply D; lia); lia). rewrite E at 1.
    rewrite Z.lxor_assoc, Z.lxor_nilpotent, Z.lxor_0_r. lia.
  - rewrite <- Z.add_nocarry_lxor by (apply D; lia). lia.
Qed.

Lemma field_range : forall x n k, 0 <= k -> 0 <= field x n k < 2 ^ k.
Proof. intros. unfold field. apply Z.mod_pos_bound. now apply Z.pow_pos_nonneg. Qed.
Lemma field_field : forall x n k, 0 <= n -> 0 <= k -> n + k <= 25 -> field (field x 0 25) n k = field x n k.
Proof.
  intros x n k N K L. unfold field. change (2 ^ 0) with 1. rewrite Z.div_1_r. rewrite <- !Z.land_ones, <- !Z.shiftr_div_pow2 by lia.
  rewrite Z.shiftr_land, <- Z.land_assoc. f_equal. apply Z.bits_inj'. intros m M. rewrite Z.land_spec, Z.shiftr_spec, !Z.testbit_ones_nonneg by lia.
  destruct (Z.ltb_spec m k), (Z.ltb_spec (m + n) 25); try reflexivity; lia.
Qed.
Lemma bit_field : forall x n, 0 <= n -> n < 25 -> Z.testbit (field x 0 25) n = Z.testbit x n.
Proof. intros x n N L. unfold field. change (2 ^ 0) with 1. rewrite Z.div_1_r. apply Z.mod_pow2_bits_low. lia. Qed.
Lemma has_bit : forall x n, 0 <= n -> has x (2 ^ n) = Z.testbit x n.
Proof.
  intros x n N. unfold has. destruct (Z.testbit x n) eqn:B.
  - destruct (Z.eqb_spec (Z.land x (2 ^ n)) 0) as [E|]; [|reflexivity]. apply (f_equal (fun y => Z.testbit y n)) in E.
    rewrite Z.land_spec, B, Z.pow2_bits_true, Z.bits_0 in E by lia. discriminate.
  - replace (Z.land x (2 ^ n)) with 0; [reflexivity|]. symmetry. apply Z.bits_inj'. intros m M. rewrite Z.land_spec, Z.bits_0, Z.pow2_bits_eqb by lia.
    destruct (Z.eqb_spec n m) as [<-|]; [now rewrite B|now rewrite andb_false_r].
Qed.

Definition width_of (esr : Z) : Z := 2 ^ Z.land (Z.shiftr esr 22) 3.
Lemma loaded_is : forall e value, eq64 (mmio_extend value (field (Step.esr e) 0 25)) (Answers.loaded e (width_of (Step.esr e)) value).
Proof.
  intros e value. unfold mmio_extend, Answers.loaded, mmio_width, width_of. set (y := Step.esr e). cbv zeta.
  rewrite field_field, (field_is y 22 2) by (lia || reflexivity). change ISS_SSE with (2 ^ 21). change ISS_SF with (2 ^ 15). rewrite !has_bit, !bit_field by lia.
  pose proof (field_range y 22 2 ltac:(lia)) as K. set (k := field y 22 2) in *. clearbody k.
  assert (V : eq64 (if Z.testbit y 21 then wrap64 (Z.lxor (mmio_truncate value (2 ^ k)) (2 ^ (8 * 2 ^ k - 1)) - 2 ^ (8 * 2 ^ k - 1)) else mmio_truncate value (2 ^ k))
    (if Z.testbit y 21 && (2 ^ (8 * 2 ^ k - 1) <=? value mod 2 ^ (8 * 2 ^ k)) then value mod 2 ^ (8 * 2 ^ k) - 2 ^ (8 * 2 ^ k) else value mod 2 ^ (8 * 2 ^ k))).
  { assert (N : 0 <= 8 * 2 ^ k - 1) by (assert (0 < 2 ^ k) by (apply Z.pow_pos_nonneg; lia); lia).
    assert (T : eq64 (mmio_truncate value (2 ^ k)) (value mod 2 ^ (8 * 2 ^ k))).
    { unfold mmio_truncate. destruct (Z.eqb_spec (2 ^ k) 8) as [->|]; [|reflexivity]. change (8 * 8) with 64. now rewrite Z.mod_mod by (vm_compute; discriminate). }
    destruct (Z.testbit y 21); cbn [andb]; [|exact T].
    unfold wrap64. rewrite Z.mod_mod by (vm_compute; discriminate). rewrite (sub_eq64 _ _ _ (lxor_eq64 _ _ (2 ^ (8 * 2 ^ k - 1)) T)).
    pose proof (extends (8 * 2 ^ k - 1) (value mod 2 ^ (8 * 2 ^ k)) N) as X. replace (8 * 2 ^ k - 1 + 1) with (8 * 2 ^ k) in X by lia.
    rewrite X by (apply Z.mod_pos_bound, Z.pow_pos_nonneg; lia). reflexivity. }
  destruct (Z.testbit y 15).
  - rewrite Z.mod_mod by (vm_compute; discriminate). exact V.
  - revert V. generalize (if Z.testbit y 21 then wrap64 (Z.lxor (mmio_truncate value (2 ^ k)) (2 ^ (8 * 2 ^ k - 1)) - 2 ^ (8 * 2 ^ k - 1)) else mmio_truncate value (2 ^ k)).
    intros a V. f_equal.
    revert V. generalize (if Z.testbit y 21 && (2 ^ (8 * 2 ^ k - 1) <=? value mod 2 ^ (8 * 2 ^ k)) then value mod 2 ^ (8 * 2 ^ k) - 2 ^ (8 * 2 ^ k) else value mod 2 ^ (8 * 2 ^ k)).
    intros b V. exact (low_half a b V).
Qed.

(** What is kept of vCPU [i] of VM [v], which left in [s] on CPU [c] by exception [e]. *)

Section Left.
Variables (ram : Z -> bool) (s : Step.machine) (c : Z) (e : Step.exception).
Notation was := (Released.exit_of s c e ram true).

Definition asks_for (x : option Released.exit) : Z :=
  match x with
  | Some (Released.Reads _ _) => PENDING_READ | Some (Released.Writes _ _ _) => PENDING_WRITE | Some (Released.Calls _) => PENDING_CALL
  | _ => PENDING_NONE
  end.
(* x0 as the engine answers PSCI, all else as it was. *)
Definition had (x : option Released.exit) (r : Z) : Z :=
  match x with
  | Some Released.Waits => if (r =? 0) && negb (Released.is_sync e EC_WFX) then PSCI_SUCCESS else Step.x s c r
  | Some (Released.TurnsOn _) => if r =? 0 then PSCI_SUCCESS else Step.x s c r
  | _ => Step.x s c r
  end.
Definition stepped (x : option Released.exit) : bool :=
  match x with
  | Some (Released.Reads _ _) | Some (Released.Writes _ _ _) => false
  | _ => Released.is_sync e EC_WFX || Released.is_sync e EC_SMC64 || Released.is_sync e EC_SYSREG
  end.

Record left_in (a : state) (v i : Z) : Prop := {
  li_pending : pending (vcpu_at a v i) = asks_for was;
  li_syndrome : asks_for was = PENDING_READ -> syndrome (vcpu_at a v i) = field (Step.esr e) 0 25;
  li_x : forall r, 0 <= r < 31 -> eq64 (saved_at a v i (CTX_X0 + r)) (had was r);
  li_pc : eq64 (saved_at a v i (CTX_SYSREG + REG_ELR_EL2)) (Step.elr e + if stepped was then 4 else 0);
}.

Definition width_read (x : option Released.exit) : bool * Z := match x with Some (Released.Reads _ w) => (true, w) | _ => (false, 0) end.
Lemma reads_width : forall p w, was = Some (Released.Reads p w) -> w = width_of (Step.esr e).
Proof.
  intros p w. unfold Released.exit_of. cbv zeta.
  repeat match goal with |- (if ?b then _ else _) = _ -> _ => destruct b end; try discriminate.
  destruct (Z.testbit (Step.esr e) 6); intro E; [apply (f_equal width_read) in E; apply (f_equal (@fst bool Z)) in E; discriminate E|].
  apply (f_equal width_read), (f_equal (@snd bool Z)) in E. symmetry. exact E.
Qed.

(* It comes to CPU [d], with [ins] in its record. *)
Variables (ins : nat -> Z) (a : state) (v i d : Z).
Hypothesis L : left_in a v i.
Hypothesis IN : forall w, 0 <= w < RUN_IN_END -> said a d w = ins (Z.to_nat w).

Lemma x_set_x : forall n x b r, x_of (set_x d n x b) d r = if r =? n then x else x_of b d r.
Proof. intros. unfold x_of, set_x. rewrite cpu_same. apply Map.get_set. Qed.
Lemma x_skip : forall b r, x_of (skip_instruction b) d r = x_of b d r.
Proof. reflexivity. Qed.
Lemma reg_set_x : forall n x b r, reg_of (set_x d n x b) r = reg_of b r.
Proof. reflexivity. Qed.
Lemma reg_skip : forall b, reg_of (skip_instruction b) REG_ELR_EL2 = wrap64 (reg_of b REG_ELR_EL2 + 4).
Proof. intro b. unfold skip_instruction, set_regs. cbn [fold_left fst snd]. rewrite !reg_set_here. reflexivity. Qed.

Lemma elr_brought : reg_of (brought d v i a) REG_ELR_EL2 = saved_at a v i (CTX_SYSREG + REG_ELR_EL2).
Proof. rewrite reg_of_brought. reflexivity. Qed.
Lemma again_pc : forall x y , eq64 x (y + 0) -> eq64 (wrap64 (x + 4)) (y + 4).
Proof. intros x y E. rewrite Z.add_0_r in E. unfold wrap64. rewrite Z.mod_mod by (vm_compute; discriminate). now rewrite Zplus_mod, E, <- Zplus_mod. Qed.
Lemma asked_alike : forall r b, let b' := set_vcpu v i r b in (forall n, x_of b' d n = x_of b d n) /\ (forall n, reg_of b' n = reg_of b n) /\ (forall n, said b' d n = said b d n).
Proof. repeat split. Qed.

Theorem entry_answers : (forall r, 0 <= r < 31 -> eq64 (x_of (Switch.enter_vcpu d v i a) d r) (Answers.again ram s c e ins r)) /\
  eq64 (reg_of (Switch.enter_vcpu d v i a) REG_ELR_EL2) (Answers.goes_on ram s c e ins).
Proof.
  rewrite enter_is. set (b := brought d v i a).
  assert (BX : forall r, 0 <= r < 31 -> eq64 (x_of b d r) (had was r)) by (intros r R; unfold b; rewrite x_of_brought by auto; now apply (li_x _ _ _ L)).
  assert (BP : eq64 (reg_of b REG_ELR_EL2) (Step.elr e + if stepped was then 4 else 0)).
  { unfold b. rewrite elr_brought. exact (li_pc _ _ _ L). }
  assert (BI : forall w, 0 <= w < RUN_IN_END -> said b d w = ins (Z.to_nat w)) by (intros w W; unfold said, b; rewrite said_of_brought; now apply IN).
  assert (BV : vcpu_at b v i = vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := d |>) by apply vcpu_of_brought.
  pose proof (li_pending _ _ _ L) as PE. pose proof (li_syndrome _ _ _ L) as SY. pose proof reads_width as RW.
  clearbody b. unfold Switch.take_answer. rewrite BV. cbv zeta.
  change (pending (vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := d |>)) with (pending (vcpu_at a v i)).
  change (syndrome (vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := d |>)) with (syndrome (vcpu_at a v i)).
  set (b' := set_vcpu v i _ b). pose proof (asked_alike _ b : let b'' := b' in _) as (EX & EP & EI). clearbody b'. rewrite PE.
  unfold Answers.again, Answers.goes_on. cbv zeta. unfold had, stepped in *.
  change (has (said b' d RUN_IN_FLAGS) NIE_IN_ANSWER) with (negb (Z.land (said b' d RUN_IN_FLAGS) NIE_IN_ANSWER =? 0)).
  rewrite (EI RUN_IN_FLAGS), (BI RUN_IN_FLAGS) by (unfold RUN_IN_FLAGS, RUN_IN_END; lia).
  destruct was as [[]|] eqn:W; cbn [asks_for] in *;
    try (match goal with |- context [PENDING_NONE =? PENDING_CALL] => change (PENDING_NONE =? PENDING_CALL) with false; change (PENDING_NONE =? PENDING_NONE) with true;
           cbn [orb] end; split; [intros r R; rewrite EX; now apply BX|rewrite EP; exact BP]).
  - change (PENDING_READ =? PENDING_CALL) with false. change (PENDING_READ =? PENDING_NONE) with false. change (PENDING_READ =? PENDING_READ) with true. cbn [orb].
    rewrite (SY eq_refl), negb_involutive. destruct (Z.land (ins (Z.to_nat RUN_IN_FLAGS)) NIE_IN_ANSWER =? 0); cbn [negb andb].
    { split; [intros r R; rewrite EX; now apply BX|rewrite EP; exact BP]. }
    set (q := set_gpr d _ _ b'). assert (QP : reg_of q REG_ELR_EL2 = reg_of b REG_ELR_EL2) by (unfold q, set_gpr; destruct (_ <? 31); [rewrite reg_set_x|]; apply EP).
    split.
    + intros r R. rewrite x_skip. unfold q, set_gpr, mmio_register. rewrite field_field, (field_is (Step.esr e) 16 5) by (lia || reflexivity).
      pose proof (field_range (Step.esr e) 16 5 ltac:(lia)) as F. destruct (Z.ltb_spec (field (Step.esr e) 16 5) 31).
      * rewrite x_set_x. destruct (r =? field (Step.esr e) 16 5); [|rewrite EX; now apply BX]. rewrite EI, (BI RUN_IN_X0) by (unfold RUN_IN_X0, RUN_IN_END; lia).
        rewrite (RW _ _ eq_refl). apply loaded_is.
      * replace (r =? field (Step.esr e) 16 5) with false by lia. rewrite EX. now apply BX.
    + rewrite reg_skip, QP. exact (again_pc _ _ BP).
  - change (PENDING_WRITE =? PENDING_CALL) with false. change (PENDING_WRITE =? PENDING_NONE) with false. change (PENDING_WRITE =? PENDING_READ) with false. cbn [orb].
    rewrite negb_involutive. destruct (Z.land (ins (Z.to_nat RUN_IN_FLAGS)) NIE_IN_ANSWER =? 0); cbn [negb].
    { split; [intros r R; rewrite EX; now apply BX|rewrite EP; exact BP]. }
    split; [intros r R; rewrite x_skip, EX; now apply BX|].
    rewrite reg_skip, EP. exact (again_pc _ _ BP).
  - change (PENDING_CALL =? PENDING_CALL) with true. cbv iota. unfold answer. cbn [answer_from]. split.
    + intros r R. rewrite !x_set_x, !EI, !BI by (unfold RUN_IN_X0, RUN_IN_END; lia). rewrite EX.
      destruct (Z.eqb_spec r (0 + 1 + 1 + 1)) as [->|]; [reflexivity|]. destruct (Z.eqb_spec r (0 + 1 + 1)) as [->|]; [reflexivity|].
      destruct (Z.eqb_spec r (0 + 1)) as [->|]; [reflexivity|]. destruct (Z.eqb_spec r 0) as [->|]; [reflexivity|].
      replace (r <? 4) with false by lia. now apply BX.
    + rewrite !reg_set_x, EP. exact BP.
Qed.
End Left.
