(* SPDX-License-Identifier: Apache-2.0 *)
(* inject.c and id_register.c, exactly: the C leaves what spec/Registers.v and spec/trap/id_register.v say. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Registers.
From nie.spec.trap Require id_register.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.trap_h nie.generated.state.inject nie.generated.trap.id_register.
From nie.spec Require Import Core.
From nie.proof.refine Require Export Standing.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** Values. *)

Lemma field_is : forall x n k y, 0 <= n -> 0 <= k -> y = 2 ^ k - 1 -> Z.land (Z.shiftr x n) y = Registers.field x n k.
Proof. intros x n k y N K ->. unfold Registers.field. rewrite ones_land by auto. now rewrite Z.shiftr_div_pow2 by auto. Qed.
Lemma land_wrap32 : forall x y, 0 <= y < 2 ^ 32 -> Z.land (wrap U32 x) y = Z.land x y.
Proof.
  intros x y Y. unfold wrap. cbn [width]. rewrite <- (Z.land_ones x 32) by lia. rewrite <- Z.land_assoc. f_equal.
  rewrite Z.land_comm, Z.land_ones by lia. apply Z.mod_small. exact Y.
Qed.
Lemma class_run : forall e (s : MACH), exception_class e s = Some (Registers.exception_class e, s).
Proof. intros e s. unfold exception_class, ret, Registers.exception_class. rewrite land_wrap32 by lia. now rewrite (field_is e 26 6) by (lia || reflexivity). Qed.
Lemma fault_run : forall x (s : MACH), fault_page x s = Some (Registers.fault_page x, s).
Proof. intros x s. unfold fault_page, ret, Registers.fault_page. now rewrite (field_is x 4 44) by (lia || reflexivity). Qed.
Lemma argument_run : forall f x (s : MACH), smccc_argument f x s = Some (Registers.smccc_argument f x, s).
Proof.
  intros f x s. unfold smccc_argument, ret, Registers.smccc_argument. rewrite (field_is f 30 1) by (lia || reflexivity).
  rewrite (land_ones x 32) by (lia || reflexivity). reflexivity.
Qed.
Lemma offset_run : forall p (s : MACH), vector_offset p s = Some (Registers.vector_offset p, s).
Proof.
  intros p s. unfold vector_offset, Registers.vector_offset, Registers.has, ret.
  destruct (Z.land p SPSR_AARCH32 =? 0); cbn [negb]; [|reflexivity]. destruct (Z.land p SPSR_FROM_EL0 =? 0); cbn [negb]; [reflexivity|].
  now destruct (Z.land p 1 =? 0).
Qed.
Lemma handler_run : forall p x (s : MACH), handler_pstate p x s = Some (Registers.handler_pstate p x, s).
Proof.
  intros p x s. unfold handler_pstate, Registers.handler_pstate, ret, bind. rewrite (field_is x 23 1), (field_is x 44 1) by (lia || reflexivity).
  destruct (Registers.field x 23 1 =? 0); destruct (Registers.field x 44 1 =? 0); reflexivity.
Qed.
Lemma cap_run : forall x n k (s : MACH), 0 <= n <= 60 -> 0 <= k < 16 -> capped x n k s = Some (nie.spec.trap.id_register.capped x n k, s).
Proof.
  intros x n k s N K. unfold capped, nie.spec.trap.id_register.capped, field.
  assert (SH : binary Shr U64 x n = Some (Z.shiftr x n)).
  { unfold binary. cbn [width signed andb]. now replace ((n <? 0) || (64 <=? n))%bool with false by lia. }
  rewrite SH. unfold lift, bind, ret. rewrite (field_is x n 4) by (lia || reflexivity).
  assert (F : 0 <= Registers.field x n 4 < 16) by (unfold Registers.field; apply Z.mod_pos_bound; lia).
  set (f := Registers.field x n 4) in *.
  assert (P : 0 < 2 ^ n <= 2 ^ 60) by (split; [lia|apply Z.pow_le_mono_r; lia]).
  assert (SL : forall y, 0 <= y < 16 -> binary Shl U64 y n = Some (y * 2 ^ n)).
  { intros y Y. unfold binary. cbn [width signed andb]. replace ((n <? 0) || (64 <=? n))%bool with false by lia. rewrite Z.shiftl_mul_pow2 by lia.
    unfold settle. cbn [signed]. rewrite wrap64 by nia. reflexivity. }
  destruct (Z.ltb_spec f k); rewrite SL by lia; do 2 f_equal; rewrite ?Z.min_l, ?Z.min_r by lia; reflexivity.
Qed.

Section Inject.
Variables (c : Z) (o : Z -> owner) (s0 : MACH).
Notation at_ := (stands c o s0).
Notation POST X := (X -> MACH -> Prop).

Ltac read A s1 A1 := w_bind; eapply at_read; [exact A|vm_compute; split; congruence|]; intros s1 A1 _; cbn beta.
Ltac write A s1 A1 := w_bind; eapply at_write; [exact A|vm_compute; split; congruence|discriminate|]; intros s1 A1 _; cbn beta.

Lemma at_skip : forall a s (Q : POST unit), at_ a s -> (forall s', at_ (Registers.skip_instruction a) s' -> Q tt s') -> wp skip_instruction Q s.
Proof.
  intros a s Q A H. unfold skip_instruction. read A s1 A1. read A1 s2 A2. write A2 s3 A3. write A3 s4 A4. apply wp_ret. apply H. exact A4.
Qed.
Lemma at_inject : forall a s e f (Q : POST unit), at_ a s -> (forall s', at_ (Registers.inject e f a) s' -> Q tt s') -> wp (inject e f) Q s.
Proof.
  intros a s e f Q A H. unfold inject. read A s1 A1. read A1 s2 A2. read A2 s3 A3. read A3 s4 A4. write A4 s5 A5. write A5 s6 A6. write A6 s7 A7. write A7 s8 A8.
  w_bind. w_known offset_run. write A8 s9 A9. w_bind. w_known handler_run. write A9 s10 A10. apply wp_ret. apply H. exact A10.
Qed.
Lemma at_undefined : forall a s (Q : POST unit), at_ a s -> (forall s', at_ (Registers.inject_undefined a) s' -> Q tt s') -> wp inject_undefined Q s.
Proof. intros a s Q A H. unfold inject_undefined. read A s1 A1. w_bind. eapply at_inject; [exact A1|]. intros s2 A2. apply wp_ret. now apply H. Qed.
Lemma at_abort : forall a s e f (Q : POST unit), at_ a s -> (forall s', at_ (Registers.inject_abort e f a) s' -> Q tt s') -> wp (inject_abort e f) Q s.
Proof.
  intros a s e f Q A H. unfold inject_abort. read A s1 A1. read A1 s2 A2. w_bind. apply wp_ret.
  assert (E : Z.land (Z.shiftr e 26) 62 = Z.land (e / 2 ^ 26) 0x3e) by (now rewrite Z.shiftr_div_pow2 by lia). rewrite E. clear E.
  unfold Registers.inject_abort, Registers.has in H. set (k := Z.land (e / 2 ^ 26) 0x3e) in *.
  assert (K : 0 <= k < 64).
  { assert (E : k = Z.land k 63) by (unfold k; now rewrite <- Z.land_assoc). rewrite E, (land_ones k 6) by (lia || reflexivity). apply Z.mod_pos_bound. lia. }
  w_bind.
  assert (GO : forall x, 0 <= x < 65 -> x = (if negb (Z.land (Registers.reg_of a REG_SPSR_EL2) 15 =? 0) then k + 1 else k) ->
    wp (inject (Z.lor (Z.lor (Z.lor (wrap U64 (Z.shiftl x 26)) (Z.land e ESR_IL)) (Z.land e 320)) f) (Registers.reg_of a REG_FAR_EL2) ;;; ret tt) Q s2).
  { intros x X ->. w_bind. eapply at_inject; [exact A2|]. intros s3 A3. apply wp_ret. apply H.
    rewrite Z.shiftl_mul_pow2 in A3 by lia. rewrite wrap64 in A3 by lia. exact A3. }
  destruct (negb _); [w_bind; apply wp_ret; rewrite wrap64 by lia|]; apply wp_ret; apply GO; auto; lia.
Qed.

(** Identification registers. *)

Notation spec_id := nie.spec.trap.id_register.id_register.
Lemma id_4 : forall a op2, op2 <> 0 -> op2 <> 1 -> spec_id a 4 op2 = 0.
Proof. intros a op2 N N'. destruct op2 as [|p|p]; try congruence; [|reflexivity]. destruct p as [p|p|]; try congruence; reflexivity. Qed.
Lemma id_5 : forall a op2, op2 <> 0 -> spec_id a 5 op2 = 0.
Proof. intros a op2 N. destruct op2 as [|p|p]; try congruence; reflexivity. Qed.
Lemma id_67 : forall a crm op2, crm = 6 \/ crm = 7 -> op2 <> 0 -> op2 <> 1 -> op2 <> 2 -> spec_id a crm op2 = 0.
Proof.
  intros a crm op2 C N N' N2. destruct op2 as [|p|p]; try congruence; [|destruct C as [-> | ->]; reflexivity].
  destruct p as [p|p|]; try congruence; [destruct C as [-> | ->]; reflexivity|]. destruct p as [p|p|]; try congruence; destruct C as [-> | ->]; reflexivity.
Qed.
Lemma id_none : forall a crm op2, crm <> 4 -> crm <> 5 -> crm <> 6 -> crm <> 7 -> spec_id a crm op2 = 0.
Proof.
  intros a crm op2 N4 N5 N6 N7. destruct crm as [|p|p]; try reflexivity. destruct p as [p|p|]; try reflexivity; destruct p as [p|p|]; try reflexivity;
    destruct p as [p|p|]; try reflexivity; congruence.
Qed.

Lemma at_id : forall a s crm op2 (Q : POST Z), at_ a s -> (forall s', at_ a s' -> Q (spec_id a crm op2) s') -> wp (id_register crm op2) Q s.
Proof.
  intros a s crm op2 Q A H. unfold id_register.
  destruct (Z.eqb_spec crm 4) as [->|N4].
  { w_bind. unfold processor_features. destruct (Z.eqb_spec op2 0) as [->|P0].
    { read A s1 A1. w_bind. w_known cap_run; try lia. go. now apply H. }
    destruct (Z.eqb_spec op2 1) as [->|P1]; [read A s1 A1; go; now apply H|]. go. rewrite id_4 in H by auto. now apply H. }
  destruct (Z.eqb_spec crm 5) as [->|N5].
  { apply wp_ret. destruct (Z.eqb_spec op2 0) as [->|P0]; [now apply H|]. rewrite id_5 in H by auto. now apply H. }
  destruct (Z.eqb_spec crm 6) as [->|N6].
  { w_bind. unfold instruction_features. destruct (Z.eqb_spec op2 0) as [->|P0]; [read A s1 A1; go; now apply H|].
    destruct (Z.eqb_spec op2 1) as [->|P1]; [read A s1 A1; go; now apply H|]. destruct (Z.eqb_spec op2 2) as [->|P2]; [read A s1 A1; go; now apply H|].
    go. rewrite id_67 in H by auto. now apply H. }
  destruct (Z.eqb_spec crm 7) as [->|N7].
  { w_bind. unfold memory_features. destruct (Z.eqb_spec op2 0) as [->|P0].
    { read A s1 A1. w_bind. w_known cap_run; try (unfold MMFR0_PARANGE_40; lia). go. now apply H. }
    destruct (Z.eqb_spec op2 1) as [->|P1]; [read A s1 A1; go; now apply H|]. destruct (Z.eqb_spec op2 2) as [->|P2]; [read A s1 A1; go; now apply H|].
    go. rewrite id_67 in H by auto. now apply H. }
  apply wp_ret. rewrite id_none in H by auto. now apply H.
Qed.
End Inject.
