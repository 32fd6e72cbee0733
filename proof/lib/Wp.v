(* SPDX-License-Identifier: Apache-2.0 *)
(* Weakest preconditions of the generated text. *)
From Coq Require Import ZArith List Bool Lia.
From nie.generated Require Import Prims.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.

Definition wp {S A} (m : M S A) (Q : A -> S -> Prop) (s : S) : Prop :=
  match m s with Some (a, s') => Q a s' | None => False end.

Section Wp.
Context {S : Type}.

Lemma wp_ret : forall A (a : A) (Q : A -> S -> Prop) (s : S), Q a s -> wp (ret a) Q s.
Proof. auto. Qed.

Lemma wp_bind : forall A B (m : M S A) (f : A -> M S B) (Q : B -> S -> Prop) s,
  wp m (fun a s' => wp (f a) Q s') s -> wp (bind m f) Q s.
Proof. unfold wp, bind. intros. destruct (m s) as [[]|]; auto. Qed.

Lemma wp_weaken : forall A (m : M S A) (Q Q' : A -> S -> Prop) s,
  wp m Q s -> (forall a s', Q a s' -> Q' a s') -> wp m Q' s.
Proof. unfold wp. intros A m Q Q' s H W. destruct (m s) as [[]|]; auto. Qed.

(* A step whose result is known. *)
Lemma wp_known : forall A (m : M S A) a s' (Q : A -> S -> Prop) s, m s = Some (a, s') -> Q a s' -> wp m Q s.
Proof. unfold wp. intros. now rewrite H. Qed.

Lemma wp_loop : forall A (I : Z -> A -> S -> Prop) lo hi a body (Q : A -> S -> Prop) s,
  lo <= hi -> I lo a s ->
  (forall i a s, lo <= i < hi -> I i a s -> wp (body i a) (fun a' s' => I (i + 1) a' s') s) ->
  (forall a s, I hi a s -> Q a s) -> wp (loop lo hi a body) Q s.
Proof.
  intros A I lo hi a body Q s L H0 HI HQ. unfold loop.
  assert (G : forall n i a s, i + Z.of_nat n = hi -> lo <= i -> I i a s ->
    wp (rounds' n i a body) (fun a s => I hi a s) s).
  { induction n as [|n IH]; intros i a' s' E Li H; cbn [rounds'].
    - apply wp_ret. now replace hi with i by lia.
    - apply wp_bind. eapply wp_weaken; [apply HI; auto; lia|]. intros a2 s2 H2. apply IH; auto; lia. }
  eapply wp_weaken; [apply G; auto; lia|]. cbn. auto.
Qed.

Lemma wp_loop_ret : forall A R (I : Z -> A -> S -> Prop) (P : R -> S -> Prop) lo hi a body
    (Q : outcome A R -> S -> Prop) s,
  lo <= hi -> I lo a s ->
  (forall i a s, lo <= i < hi -> I i a s ->
    wp (body i a) (fun o s' => match o with Next a' => I (i + 1) a' s' | Return r => P r s' end) s) ->
  (forall a s, I hi a s -> Q (Next a) s) -> (forall r s, P r s -> Q (Return r) s) ->
  wp (loop_ret lo hi a body) Q s.
Proof.
  intros A R I P lo hi a body Q s L H0 HI HQ HP. unfold loop_ret.
  assert (G : forall n i a s, i + Z.of_nat n = hi -> lo <= i -> I i a s ->
    wp (rounds n i a body) (fun o s => match o with Next a => I hi a s | Return r => P r s end) s).
  { induction n as [|n IH]; intros i a' s' E Li H; cbn [rounds].
    - apply wp_ret. now replace hi with i by lia.
    - apply wp_bind. eapply wp_weaken; [apply HI; auto; lia|]. intros [a2|r] s2 H2; [apply IH; auto; lia|now apply wp_ret]. }
  eapply wp_weaken; [apply G; auto; lia|]. intros [a2|r] s2 H2; auto.
Qed.
End Wp.

(** Global objects. *)

Definition at1 (g : gvar) (gl : globals) (i : Z) : Z := Map.get (field g gl) i.
Definition put1 (g : gvar) (i v : Z) (gl : globals) : globals := set_field g (Map.set (field g gl) i v) gl.

Definition constant_table (g : gvar) : bool := match g with sha_initial | sha_k => true | _ => false end.

Lemma field_set_other : forall g g' m (gl : globals), g <> g' -> field g (set_field g' m gl) = field g gl.
Proof. intros g g' m gl N. destruct g'; destruct g; first [reflexivity | now destruct N]. Qed.

Lemma field_set_same : forall g m (gl : globals), constant_table g = false -> field g (set_field g m gl) = m.
Proof. intros g m gl N. destruct g; first [reflexivity | discriminate]. Qed.

Lemma at_put : forall g g' i v gl j, constant_table g' = false ->
  at1 g (put1 g' i v gl) j = if gvar_dec g g' then if j =? i then v else at1 g gl j else at1 g gl j.
Proof.
  intros. unfold at1, put1. destruct (gvar_dec g g') as [<-|N].
  - rewrite field_set_same, Map.get_set; auto.
  - now rewrite field_set_other.
Qed.

Section Load.
Context {H : Type}.

Lemma load1 : forall g d i gl (h : H), dims g = [d] -> 0 <= i < d -> load g [i] (Mach gl h) = Some (at1 g gl i, Mach gl h).
Proof.
  intros g d i gl h E R. unfold load. cbn [glob]. rewrite E. cbn [place].
  replace ((0 <=? i) && (i <? d)) with true by lia. now replace (0 * d + i) with i by lia.
Qed.

Lemma store1 : forall g d i v gl (h : H), dims g = [d] -> 0 <= i < d -> store g [i] v (Mach gl h) = Some (tt, Mach (put1 g i v gl) h).
Proof.
  intros g d i v gl h E R. unfold store. cbn [glob hw]. rewrite E. cbn [place].
  replace ((0 <=? i) && (i <? d)) with true by lia. now replace (0 * d + i) with i by lia.
Qed.

Lemma wp_load1 : forall g d i gl (h : H) (Q : Z -> mach globals H -> Prop), dims g = [d] -> 0 <= i < d -> Q (at1 g gl i) (Mach gl h) -> wp (load g [i]) Q (Mach gl h).
Proof. intros. eapply wp_known; eauto. now apply load1 with d. Qed.

Lemma wp_store1 : forall g d i v gl (h : H) (Q : unit -> mach globals H -> Prop), dims g = [d] -> 0 <= i < d -> Q tt (Mach (put1 g i v gl) h) -> wp (store g [i] v) Q (Mach gl h).
Proof. intros. eapply wp_known; eauto. now apply store1 with d. Qed.

Lemma wp_hw : forall A (m : M H A) gl h (Q : A -> mach globals H -> Prop), wp m (fun a h' => Q a (Mach gl h')) h -> wp (on_hw m) Q (Mach gl h).
Proof. unfold wp, on_hw. intros. cbn. destruct (m h) as [[]|]; auto. Qed.
End Load.

(** The C's arithmetic. *)

Lemma wrap64 : forall x, 0 <= x < 2 ^ 64 -> wrap U64 x = x.
Proof. intros. unfold wrap. cbn [width]. apply Z.mod_small. lia. Qed.
Lemma wrap32 : forall x, 0 <= x < 2 ^ 32 -> wrap U32 x = x.
Proof. intros. unfold wrap. cbn [width]. apply Z.mod_small. lia. Qed.

Lemma land_3 : forall d, Z.land d 3 = d mod 4.
Proof. intro d. change 3 with (Z.ones 2). now rewrite Z.land_ones by lia. Qed.
Lemma land_511 : forall d, Z.land d 511 = d mod 512.
Proof. intro d. change 511 with (Z.ones 9). now rewrite Z.land_ones by lia. Qed.
Lemma land_4095 : forall d, Z.land d 4095 = d mod 4096.
Proof. intro d. change 4095 with (Z.ones 12). now rewrite Z.land_ones by lia. Qed.
Lemma land_1 : forall d, Z.land d 1 = d mod 2.
Proof. intro d. change 1 with (Z.ones 1). now rewrite Z.land_ones by lia. Qed.
Lemma land_36 : forall d, Z.land d 0xfffffffff = d mod 2 ^ 36.
Proof. intro d. change 0xfffffffff with (Z.ones 36). now rewrite Z.land_ones by lia. Qed.
Lemma shiftr_12 : forall d, Z.shiftr d 12 = d / 4096.
Proof. intro d. now rewrite Z.shiftr_div_pow2 by lia. Qed.
Lemma shiftl_12 : forall d, Z.shiftl d 12 = d * 4096.
Proof. intro d. now rewrite Z.shiftl_mul_pow2 by lia. Qed.

(* A page address and attribute bits below it do not overlap. *)
Lemma lor_page : forall p x, 0 <= p -> 0 <= x < 4096 -> Z.lor (p * 4096) x = p * 4096 + x.
Proof.
  intros p x P X. assert (L : Z.land (p * 4096) x = 0).
  2:{ rewrite <- (Z.lxor_lor _ _ L). symmetry. now apply Z.add_nocarry_lxor. }
  apply Z.bits_inj'. intros n N. rewrite Z.land_spec, Z.bits_0.
  change 4096 with (2 ^ 12). destruct (Z.ltb_spec n 12).
  - now rewrite Z.mul_pow2_bits_low by lia.
  - replace (Z.testbit x n) with false; [apply andb_false_r|]. symmetry. destruct (Z.eq_dec x 0) as [->|]; [apply Z.bits_0|].
    apply Z.bits_above_log2; [lia|]. apply Z.log2_lt_pow2; [lia|]. apply Z.lt_le_trans with (2 ^ 12); [lia|]. apply Z.pow_le_mono_r; lia.
Qed.
