(* SPDX-License-Identifier: Apache-2.0 *)
(* Operators, constants, and expressions that run no step. *)
From Coq Require Import ZArith List String Bool Lia.
From nie.lib Require Import C_text C_order.
Import ListNotations.
Open Scope Z_scope.

Section Sound.
Context {St : Type}.
Context {gvar : Type}.
Variable load : gvar -> list Z -> M St Z.
Variable store : gvar -> list Z -> Z -> M St unit.
Variable callee : string -> list Z -> M St (list Z).
Variable table : list (string * fsem St).

(** Operators and constants. *)

Lemma bof_zof : forall v, (zof v =? 0) = negb (bof v).
Proof. intros [z|[]]; simpl; trivial. now rewrite negb_involutive. Qed.

Lemma fits_wrap : forall t n, signed t = false -> fits t n = true -> wrap t n = n.
Proof.
  unfold fits, wrap, lowest, highest. intros t n -> H. apply andb_prop in H. destruct H as [a b].
  apply Z.leb_le in a, b. apply Z.mod_small. lia.
Qed.

Lemma binary_total : forall o t (b : expr gvar) v w,
  total o t b = true -> (forall n, constant b = Some n -> w = n) ->
  binary o t v w = Some (zof (pure o t v w)).
Proof.
  intros o t b v w T C. destruct o; simpl in *; unfold settle; trivial;
    try (apply negb_true_iff in T; rewrite T; reflexivity);
    destruct (constant b) as [n|]; try discriminate; rewrite (C n eq_refl);
    repeat (apply andb_prop in T; destruct T as [T ?]); apply negb_true_iff in T; rewrite T; simpl.
  - replace (n =? 0) with false; trivial. symmetry. apply Z.eqb_neq. lia.
  - replace (n =? 0) with false; trivial. symmetry. apply Z.eqb_neq. lia.
  - replace (n <? 0) with false by lia. now replace (width t <=? n) with false by lia.
  - replace (n <? 0) with false by lia. now replace (width t <=? n) with false by lia.
Qed.

(* The induction principle that goes into argument lists. *)
Section Induction.
  Variable P : expr gvar -> Prop.
  Hypothesis const : forall n, P (Const n).
  Hypothesis var : forall x, P (Var x).
  Hypothesis ld : forall g idx, Forall P idx -> P (Load g idx).
  Hypothesis cst : forall f t a, P a -> P (Cast f t a).
  Hypothesis un : forall o t a, P a -> P (Unop o t a).
  Hypothesis bin : forall o t a b, P a -> P b -> P (Binop o t a b).
  Hypothesis lnot : forall a, P a -> P (LNot a).
  Hypothesis land : forall a b, P a -> P b -> P (LAnd a b).
  Hypothesis lor : forall a b, P a -> P b -> P (LOr a b).
  Hypothesis cond : forall c a b, P c -> P a -> P b -> P (Cond c a b).
  Hypothesis call : forall f args, Forall P args -> P (Call f args).
  Fixpoint expr_rect' (e : expr gvar) : P e :=
    let all := fix all l : Forall P l :=
      match l with [] => Forall_nil _ | a :: l' => Forall_cons _ (expr_rect' a) (all l') end in
    match e with
    | Const n => const n
    | Var x => var x
    | Load g idx => ld g idx (all idx)
    | Cast f t a => cst f t a (expr_rect' a)
    | Unop o t a => un o t a (expr_rect' a)
    | Binop o t a b => bin o t a b (expr_rect' a) (expr_rect' b)
    | LNot a => lnot a (expr_rect' a)
    | LAnd a b => land a b (expr_rect' a) (expr_rect' b)
    | LOr a b => lor a b (expr_rect' a) (expr_rect' b)
    | Cond c a b => cond c a b (expr_rect' c) (expr_rect' a) (expr_rect' b)
    | Call f args => call f args (all args)
    end.
End Induction.

Notation ev' := (ev load table).
Notation eval' := (eval load callee).

(* A constant expression gives its value to the continuation. *)
Lemma ev_constant : forall e n, constant e = Some n ->
  exists v, zof v = n /\ forall R en k, ev' e R en k = k v.
Proof.
  induction e using expr_rect'; intros m E; simpl in E; try discriminate.
  - inversion E; subst. now exists (VZ m).
  - destruct (constant e) as [n|] eqn:C; [|discriminate].
    destruct (IHe n eq_refl) as (v & Z & K). unfold cast in E. simpl.
    destruct (within f t).
    + inversion E; subst. exists v; auto.
    + rewrite C.
      assert (X : signed t = false -> t <> Bool -> fits t n = true -> zof v = wrap t n)
        by (intros; rewrite Z; symmetry; now apply fits_wrap).
      destruct t; simpl in *; try (destruct (fits _ n) eqn:F); inversion E; subst m;
        first [ exists v; split; [first [exact Z | apply X; trivial; discriminate] | exact K]
              | eexists; split; [|intros; reflexivity]; reflexivity ].
  - simpl. destruct (constant e) as [n|] eqn:C; [|discriminate]. destruct (signed t) eqn:S.
    + rewrite E. now exists (VZ m).
    + destruct (IHe n eq_refl) as (v & Z & K). subst n.
      exists (VZ (wrap t (match o with Neg => - zof v | Not => Z.lnot (zof v) end))).
      split; [|intros; now rewrite K].
      destruct o; simpl in *; unfold settle in E; rewrite S in E; now inversion E.
  - simpl. destruct (constant e1) as [a|]; [|discriminate].
    destruct (constant e2) as [b|] eqn:C2; [|discriminate].
    destruct (IHe1 a eq_refl) as (v & Z & K). destruct (IHe2 b eq_refl) as (w & Z' & K').
    destruct (total o t e2) eqn:T.
    + exists (pure o t (zof v) (zof w)). split; [|intros; now rewrite K, K'].
      rewrite (binary_total o t e2) in E; trivial.
      * subst; now inversion E.
      * intros; congruence.
    + rewrite E. now exists (VZ m).
Qed.

Lemma eval_constant : forall e n, constant e = Some n -> forall l s, eval' l e s = Some (n, s).
Proof.
  induction e using expr_rect'; intros m E l s; simpl in *; try discriminate.
  - now inversion E.
  - destruct (constant e) as [n|]; [|discriminate]. unfold bind. rewrite (IHe n); trivial.
    unfold lift. now rewrite E.
  - destruct (constant e) as [n|]; [|discriminate]. unfold bind. rewrite (IHe n); trivial.
    unfold lift. now rewrite E.
  - destruct (constant e1) as [a|]; [|discriminate]. destruct (constant e2) as [b|]; [|discriminate].
    unfold bind. rewrite (IHe1 a), (IHe2 b); trivial. unfold lift. now rewrite E.
Qed.

(* A simple expression runs no step: it gives one value, or reads a local without one. *)
Definition still (e : expr gvar) (en : env) : Prop :=
  (exists v, forall R k, ev' e R en k = k v) \/ (forall R k, ev' e R en k = crash).

Lemma still_constant : forall e n en, constant e = Some n -> still e en.
Proof. intros e n en H. apply ev_constant in H. destruct H as (v & _ & H). left. eauto. Qed.

Ltac crashes := right; intros; simpl;
  repeat match goal with
  | H : forall R k, ev' _ R _ k = _ |- _ => rewrite H
  | |- context [if ?c then _ else _] => destruct c
  | |- context [match constant ?e with _ => _ end] => destruct (constant e)
  end; trivial.

Lemma ev_simple : forall e en, simple e = true -> still e en.
Proof.
  induction e using expr_rect'; intros en S; simpl in S; try discriminate.
  - left. now exists (VZ n).
  - unfold still; simpl. destruct (get x en); [left; eauto | right; auto].
  - destruct (constant (Cast f t e)) as [n|] eqn:C; [eapply still_constant; eauto|].
    simpl in C. rewrite C, orb_false_r in S. apply andb_prop in S. destruct S as [T S].
    unfold still; simpl. destruct (within f t) eqn:W; [now apply IHe|].
    unfold cast_total in T. rewrite W in T. simpl in T. apply negb_true_iff in T.
    destruct (constant e) as [n|] eqn:E.
    { unfold cast in C. rewrite W, T in C. destruct t; discriminate. }
    destruct (IHe en S) as [[v H]|H].
    + left. destruct t; simpl in T; try discriminate; eexists; intros; rewrite H; reflexivity.
    + right. intros. destruct t; apply H.
  - destruct (constant (Unop o t e)) as [n|] eqn:C; [eapply still_constant; eauto|].
    simpl in C. rewrite C, orb_false_r in S. apply andb_prop in S. destruct S as [T S].
    apply negb_true_iff in T. unfold still; simpl. rewrite T.
    destruct (IHe en S) as [[v H]|H]; [left; eexists; intros; now rewrite H | right; intros; apply H].
  - destruct (constant (Binop o t e1 e2)) as [n|] eqn:C; [eapply still_constant; eauto|].
    simpl in C. rewrite C, orb_false_r in S. apply andb_prop in S. destruct S as [S S2].
    apply andb_prop in S. destruct S as [T S1]. unfold still; simpl. rewrite T.
    destruct (IHe1 en S1) as [[v H]|H]; [|right; intros; apply H].
    destruct (IHe2 en S2) as [[w H']|H']; [left; eexists; intros; now rewrite H, H'|].
    right; intros; rewrite H; apply H'.
  - unfold still; simpl.
    destruct (IHe en S) as [[v H]|H]; [left; eexists; intros; now rewrite H | right; intros; apply H].
  - apply andb_prop in S. destruct S as [S1 S2]. unfold still; simpl.
    destruct (IHe1 en S1) as [[v H]|H]; [|right; intros; apply H]. rewrite S2.
    destruct (IHe2 en S2) as [[w H']|H']; [left; eexists; intros; now rewrite H, H'|].
    right; intros; rewrite H; apply H'.
  - apply andb_prop in S. destruct S as [S1 S2]. unfold still; simpl.
    destruct (IHe1 en S1) as [[v H]|H]; [|right; intros; apply H]. rewrite S2.
    destruct (IHe2 en S2) as [[w H']|H']; [left; eexists; intros; now rewrite H, H'|].
    right; intros; rewrite H; apply H'.
  - apply andb_prop in S. destruct S as [S S3]. apply andb_prop in S. destruct S as [S1 S2].
    unfold still; simpl. rewrite S2, S3. simpl.
    destruct (IHe1 en S1) as [[v H]|H]; [|right; intros; apply H].
    destruct (IHe2 en S2) as [[w H']|H']; [|right; intros; rewrite H; apply H'].
    destruct (IHe3 en S3) as [[u H'']|H'']; [left; eexists; intros; now rewrite H, H', H''|].
    right; intros; rewrite H, H'; apply H''.
Qed.

End Sound.
