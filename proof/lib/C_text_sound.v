(* SPDX-License-Identifier: Apache-2.0 *)
(* The readable text means what model/C.v says: whenever it succeeds, so does the deep term's
   denotation, with the same result and state. *)
From Coq Require Import ZArith List String Bool Lia.
From nie.lib Require Import C_text.
Import ListNotations.
Open Scope Z_scope.

(** Tuples. *)

Lemma open_from_untup : forall n A R (t : tup_from A n) (k : A -> list Z -> R),
  open_from n A t k = let p := open_from n A t (fun a l => (a, l)) in k (fst p) (snd p).
Proof.
  induction n as [|n IH]; intros; simpl; trivial.
  rewrite IH, (IH _ _ t (fun p l => let (a, z) := p in (a, z :: l))). simpl.
  destruct (open_from n (A * Z) t _) as [[a z] l]; reflexivity.
Qed.

Lemma open_untup : forall n R (t : tup n) (k : list Z -> R), open n t k = k (untup t).
Proof.
  intros [|n] R t k; [reflexivity|]. unfold untup, open.
  rewrite open_from_untup, (open_from_untup _ _ _ _ (fun z l => z :: l)). reflexivity.
Qed.

Lemma pack_from_open : forall n A a l (t : tup_from A n),
  pack_from n A a l = Some t -> open_from n A t (fun a l => (a, l)) = (a, l).
Proof.
  induction n as [|n IH]; intros A a [|z l] t H; simpl in *; try discriminate.
  - now inversion H.
  - apply IH in H. rewrite open_from_untup, H. reflexivity.
Qed.

Lemma untup_pack : forall n l (t : tup n), pack n l = Some t -> untup t = l.
Proof.
  intros [|n] [|z l] t H; try discriminate; [reflexivity|].
  apply pack_from_open in H. unfold untup, open. rewrite open_from_untup, H. reflexivity.
Qed.

Lemma pack_from_untup : forall n A (t : tup_from A n),
  let p := open_from n A t (fun a l => (a, l)) in pack_from n A (fst p) (snd p) = Some t.
Proof.
  induction n as [|n IH]; intros; simpl; trivial. unfold p; clear p. simpl.
  rewrite open_from_untup. simpl. specialize (IH _ t). simpl in IH.
  destruct (open_from n (A * Z) t (fun a l => (a, l))) as [[a z] l]. exact IH.
Qed.

Lemma pack_untup : forall n (t : tup n), pack n (untup t) = Some t.
Proof.
  intros [|n] t; [now destruct t|]. unfold untup, open. rewrite open_from_untup. simpl.
  apply pack_from_untup.
Qed.

Lemma pack_from_length : forall n A a l t, pack_from n A a l = Some t -> List.length l = n.
Proof.
  induction n as [|n IH]; intros A a [|z l] t H; simpl in *; try discriminate; trivial.
  f_equal. eauto.
Qed.

Lemma untup_length : forall n (t : tup n), List.length (untup t) = n.
Proof.
  intros n t. generalize (pack_untup n t). destruct n as [|n], (untup t) as [|z l]; simpl; intros H;
    try discriminate; trivial. f_equal. eauto using pack_from_length.
Qed.

(** One program succeeds whenever the other does, and alike. *)

Section Sound.
Context {St : Type}.

Definition le {A} (m m' : M St A) : Prop := forall s r, m s = Some r -> m' s = Some r.

Lemma le_refl : forall A (m : M St A), le m m.
Proof. now unfold le. Qed.
Lemma le_trans : forall A (a b c : M St A), le a b -> le b c -> le a c.
Proof. unfold le; auto. Qed.
Lemma le_crash : forall A (m : M St A), le crash m.
Proof. unfold le, crash; discriminate. Qed.
Lemma le_bind : forall A B (m : M St A) (k k' : A -> M St B),
  (forall a, le (k a) (k' a)) -> le (bind m k) (bind m k').
Proof. unfold le, bind; intros A B m k k' H s r. destruct (m s) as [[a s']|]; auto. Qed.
Lemma le_assoc : forall A B C (m : M St C) (a : M St A) (b : A -> M St B) (c : B -> M St C),
  le m (bind a (fun x => bind (b x) c)) -> le m (bind (bind a b) c).
Proof.
  unfold le, bind; intros A B C m a b c H s r E. specialize (H s r E).
  destruct (a s) as [[x s']|]; auto.
Qed.
Lemma le_if : forall A (c : bool) (a a' b b' : M St A),
  (c = true -> le a a') -> (c = false -> le b b') -> le (if c then a else b) (if c then a' else b').
Proof. intros A []; auto. Qed.
Lemma le_lift : forall A B (o : option A) (a : A) (m : M St B) K,
  o = Some a -> le m (K a) -> le m (bind (lift o) K).
Proof. intros; subst; assumption. Qed.

Lemma bind_bool : forall A B (c : bool) (a b : M St A) (k : A -> M St B) s,
  bind (if c then a else b) k s = (if c then bind a k else bind b k) s.
Proof. now intros A B []. Qed.

Context {gvar : Type}.
Variable load : gvar -> list Z -> M St Z.
Variable store : gvar -> list Z -> Z -> M St unit.
Variable callee : string -> list Z -> M St (list Z).
Variable table : list (string * fsem St).

Definition agrees (d : string -> list Z -> M St (list Z)) (tab : list (string * fsem St)) : Prop :=
  forall f F, get f tab = Some F -> forall args s t s',
  run F args s = Some (t, s') -> d f args s = Some (untup t, s').
Hypothesis callees : agrees callee table.

Definition agree (en : env) (l : locals) : Prop := forall x v, get x en = Some v -> l x = Some v.

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

(** Expressions. *)

Definition ev_ok (e : expr gvar) : Prop := forall R en l (k : value -> M St R) (K : Z -> M St R),
  agree en l -> (forall v, le (k v) (K (zof v))) -> le (ev' e R en k) (bind (eval' l e) K).

Lemma each_ok : forall es, Forall ev_ok es ->
  forall R en l (k : list Z -> M St R) K, agree en l -> (forall vs, le (k vs) (K vs)) ->
  le (each (fun a k' => ev' a R en (fun v => k' (zof v))) es k) (bind (mapM (eval' l) es) K).
Proof.
  induction 1 as [|e es He _ IH]; intros R en l k K A HK; simpl; [apply HK|].
  apply le_assoc. apply He with (l := l); trivial. intros v.
  apply le_assoc. apply IH with (l := l); trivial.
  intros vs. apply HK.
Qed.

Lemma bof_if : forall A v (a b a' b' : M St A), le a b' -> le b a' ->
  le (if bof v then a else b) (if zof v =? 0 then a' else b').
Proof. intros A v a b a' b' H H'. rewrite bof_zof. now destruct (bof v). Qed.

Lemma if_bind : forall A B (c : bool) (a b : M St A) (k : A -> M St B) m,
  le m (if c then bind a k else bind b k) -> le m (bind (if c then a else b) k).
Proof. now intros A B []. Qed.
Lemma bind_if : forall A B (c : bool) (a b : M St A) (k : A -> M St B) m,
  le (if c then bind a k else bind b k) m -> le (bind (if c then a else b) k) m.
Proof. now intros A B []. Qed.

Lemma le_assoc_l : forall A B C (m : M St C) (a : M St A) (b : A -> M St B) (c : B -> M St C),
  le (bind a (fun x => bind (b x) c)) m -> le (bind (bind a b) c) m.
Proof.
  unfold le, bind; intros A B C m a b c H s r E. apply H.
  destruct (a s) as [[x s']|]; auto.
Qed.

(* A join: the branch runs on its own, its value goes on. *)
Lemma join_z : forall e, ev_ok e -> forall R en l (k : Z -> M St R) (K : Z -> M St R),
  agree en l -> (forall z, le (k z) (K z)) ->
  le (bind (ev' e Z en (fun v => ret (zof v))) k) (bind (eval' l e) K).
Proof.
  intros e He R en l k K A HK s r E. unfold bind in E.
  destruct (ev' e Z en _ s) as [[z s1]|] eqn:E1; [|discriminate].
  apply (He Z en l _ (fun z => ret z) A (fun v => le_refl _ _)) in E1. unfold bind in *.
  destruct (eval' l e s) as [[z' s']|]; [|discriminate]. inversion E1; subst. now apply HK.
Qed.

Lemma join_b : forall e, ev_ok e -> forall R en l (k : bool -> M St R) (K : Z -> M St R),
  agree en l -> (forall z, le (k (negb (z =? 0))) (K z)) ->
  le (bind (ev' e bool en (fun v => ret (bof v))) k) (bind (eval' l e) K).
Proof.
  intros e He R en l k K A HK s r E. unfold bind in E.
  destruct (ev' e bool en _ s) as [[b s1]|] eqn:E1; [|discriminate].
  apply (He bool en l _ (fun z => ret (negb (z =? 0))) A) in E1.
  - unfold bind in *. destruct (eval' l e s) as [[z' s']|]; [|discriminate].
    inversion E1; subst. now apply HK.
  - intros v. rewrite bof_zof, negb_involutive. apply le_refl.
Qed.

Lemma cast_wide : forall f t v, within f t = true -> cast f t v = Some v.
Proof. intros f t v H. unfold cast. now rewrite H. Qed.

Lemma step_ok : forall R (c : option Z) (o : option Z) (k : value -> M St R) K,
  (forall v, le (k v) (K (zof v))) -> le (v <- lift o ;; k (VZ v)) (bind (lift o) K).
Proof. intros R c [z|] k K H; [exact (H (VZ z)) | apply le_crash]. Qed.

Theorem ev_sound : forall e, ev_ok e.
Proof.
  induction e using expr_rect'; intros R en l k K A HK; simpl.
  - exact (HK (VZ n)).
  - destruct (get x en) as [v|] eqn:G; [|apply le_crash]. rewrite (A x v G). exact (HK (VZ v)).
  - apply le_assoc. apply each_ok with (l := l); trivial. intros vs. apply le_bind. intros v. exact (HK (VZ v)).
  - apply le_assoc. destruct (within f t) eqn:W.
    { apply IHe with (l := l); trivial. intros v. rewrite (cast_wide _ _ _ W). apply HK. }
    assert (C : forall n, constant e = Some n -> forall m, le m (bind (lift (cast f t n)) K) ->
                le m (bind (eval' l e) (fun x => bind (lift (cast f t x)) K))).
    { intros n E m H s r Hm. unfold bind at 1. rewrite (eval_constant e n E). now apply H. }
    assert (U : forall v, signed t = false -> t <> Bool -> cast f t v = Some (wrap t v)).
    { intros v S N. unfold cast. rewrite W, S. now destruct t. }
    assert (B : forall v, t = Bool -> cast f t v = Some (b2z (negb (v =? 0)))).
    { intros v ->. unfold cast. now rewrite W. }
    assert (Sg : forall v, signed t = true -> cast f t v = if fits t v then Some v else None).
    { intros v S. unfold cast. rewrite W, S. now destruct t. }
    destruct (constant e) as [n|] eqn:E.
    + assert (X : le (if fits t n then ev' e R en k
                      else if signed t then crash else k (VZ (wrap t n)))
                     (bind (eval' l e) (fun x => bind (lift (cast f t x)) K)) \/ t = Bool).
      { destruct t; auto; left; (destruct (fits _ n) eqn:F;
          [ destruct (ev_constant e n E) as (v & Z & Hv); rewrite Hv; apply (C n eq_refl)
          | destruct (signed _) eqn:S; [apply le_crash | apply (C n eq_refl)]]);
          simpl in *; try discriminate;
          first [ rewrite Sg by reflexivity; rewrite F; rewrite <- Z; apply HK
                | rewrite U by (trivial; discriminate);
                  first [ rewrite fits_wrap by trivial; rewrite <- Z; apply HK | exact (HK (VZ _)) ] ]. }
      destruct t; try (destruct X as [X|X]; [exact X | discriminate]).
      apply (C n eq_refl). rewrite B by trivial. exact (HK (VZ _)).
    + destruct t; (apply IHe with (l := l); trivial; intros v);
        first [ rewrite B by trivial; simpl; replace (b2z (negb (zof v =? 0))) with (zof (VB (bof v)));
                [apply HK | simpl; now rewrite bof_zof, negb_involutive]
              | rewrite U by (trivial; discriminate); exact (HK (VZ _))
              | simpl; apply (step_ok _ None); trivial ].
  - apply le_assoc. destruct (signed t) eqn:S.
    + destruct (match constant e with Some v => unary o t v | None => None end) as [n|] eqn:C.
      * destruct (constant e) as [m|] eqn:E; [|discriminate].
        intros s r H. unfold bind at 1. rewrite (eval_constant e m E), C. now apply (HK (VZ n)).
      * apply IHe with (l := l); trivial. intros v. now apply (step_ok _ None).
    + apply IHe with (l := l); trivial. intros v.
      apply le_lift with (a := wrap t (match o with Neg => - zof v | Not => Z.lnot (zof v) end));
        [destruct o; simpl; unfold settle; now rewrite S | exact (HK (VZ _))].
  - apply le_assoc. destruct (total o t e2) eqn:T.
    + apply IHe1 with (l := l); trivial. intros v. apply le_assoc.
      destruct (constant e2) as [n|] eqn:C.
      * destruct (ev_constant e2 n C) as (w & Z & Hw). rewrite Hw. intros s r H.
        unfold bind at 1. rewrite (eval_constant e2 n C). revert s r H. apply le_lift with (a := zof (pure o t (zof v) (zof w))); [|apply HK].
        rewrite <- Z. apply binary_total with (b := e2); trivial. intros; congruence.
      * apply IHe2 with (l := l); trivial. intros w.
        apply le_lift with (a := zof (pure o t (zof v) (zof w))); [|apply HK].
        apply binary_total with (b := e2); trivial. intros; congruence.
    + destruct (match constant e1 with Some v => match constant e2 with Some w => binary o t v w
                | None => None end | None => None end) as [n|] eqn:C.
      * destruct (constant e1) as [a|] eqn:E1; [|discriminate].
        destruct (constant e2) as [b|] eqn:E2; [|discriminate].
        intros s r H. unfold bind. rewrite (eval_constant e1 a E1), (eval_constant e2 b E2), C.
        now apply (HK (VZ n)).
      * apply IHe1 with (l := l); trivial. intros v. apply le_assoc.
        apply IHe2 with (l := l); trivial. intros w. now apply (step_ok _ None).
  - apply le_assoc. apply IHe with (l := l); trivial. intros v.
    replace (zof v =? 0) with (match v with VZ z => z =? 0 | VB b => negb b end)
      by (destruct v as [z|[]]; reflexivity).
    exact (HK (VB _)).
  - apply le_assoc. apply IHe1 with (l := l); trivial. intros v. rewrite bof_zof.
    destruct (simple e2) eqn:S.
    + destruct (bof v); simpl.
      * apply le_assoc. apply IHe2 with (l := l); trivial. intros w. rewrite bof_zof, negb_involutive.
        exact (HK (VB _)).
      * destruct (ev_simple e2 en S) as [[w H]|H]; rewrite H; [exact (HK (VB false)) | apply le_crash].
    + destruct (bof v); simpl.
      * apply le_assoc. apply join_b; trivial. intros z. exact (HK (VB _)).
      * exact (HK (VB false)).
  - apply le_assoc. apply IHe1 with (l := l); trivial. intros v. rewrite bof_zof.
    destruct (simple e2) eqn:S.
    + destruct (bof v); simpl.
      * destruct (ev_simple e2 en S) as [[w H]|H]; rewrite H; [exact (HK (VB true)) | apply le_crash].
      * apply le_assoc. apply IHe2 with (l := l); trivial. intros w. rewrite bof_zof, negb_involutive.
        exact (HK (VB _)).
    + destruct (bof v); simpl.
      * exact (HK (VB true)).
      * apply le_assoc. apply join_b; trivial. intros z. exact (HK (VB _)).
  - apply le_assoc. apply IHe1 with (l := l); trivial. intros v. rewrite bof_zof.
    destruct (simple e2 && simple e3) eqn:S.
    + apply andb_prop in S. destruct S as [S2 S3]. destruct (bof v); simpl.
      * apply IHe2 with (l := l); trivial. intros x.
        destruct (ev_simple e3 en S3) as [[w H]|H]; rewrite H; [exact (HK (VZ (zof x))) | apply le_crash].
      * destruct (ev_simple e2 en S2) as [[w H]|H]; rewrite H; [|apply le_crash].
        apply IHe3 with (l := l); trivial. intros y. exact (HK (VZ (zof y))).
    + destruct (bof v); simpl; apply join_z; trivial; intros z; exact (HK (VZ z)).
  - apply le_assoc. apply each_ok with (l := l); trivial. intros vs. apply le_assoc.
    destruct (get f table) as [F|] eqn:G; [|apply le_crash].
    intros s r E. unfold bind in E. destruct (run F vs s) as [[t s1]|] eqn:E1; [|discriminate].
    apply (callees f F G) in E1. rewrite open_untup in E. unfold bind at 1. rewrite E1.
    destruct (untup t) as [|z [|]]; try discriminate. now apply (HK (VZ z)).
Qed.

(** Locals. *)

Lemma mem_In : forall x l, mem x l = true <-> In x l.
Proof.
  unfold mem. intros x l. rewrite existsb_exists. split.
  - intros (y & H & E). apply String.eqb_eq in E. now subst.
  - intros H. exists x. now rewrite String.eqb_refl.
Qed.

Lemma mem_union : forall x b a, mem x (union a b) = mem x a || mem x b.
Proof.
  assert (App : forall x a b, mem x (a ++ b) = mem x a || mem x b).
  { intros. unfold mem. apply existsb_app. }
  induction b as [|y b IH]; intros a; simpl; [now rewrite orb_false_r|].
  destruct (mem y a) eqn:M; rewrite IH; [|rewrite App; simpl; now rewrite orb_false_r, orb_assoc].
  destruct (String.eqb_spec x y) as [->|]; simpl; [now rewrite M | trivial].
Qed.

Lemma agree_cons : forall en l x v, agree en l -> agree ((x, v) :: en) (set x (Some v) l).
Proof.
  intros en l x v A y w H. simpl in H. unfold set.
  destruct (String.eqb_spec y x) as [->|n]; [rewrite String.eqb_refl; trivial|].
  destruct (String.eqb_spec x y); [congruence | auto].
Qed.

Lemma agree_unset : forall en l x, agree en l -> agree (unset x en) (set x None l).
Proof.
  intros en l x A y w H. assert (E : x <> y /\ get y en = Some w).
  { clear A l. induction en as [|[z u] en IH]; simpl in H; [discriminate|].
    destruct (String.eqb_spec x z) as [->|n]; simpl in H.
    - destruct (IH H) as [N G]. split; trivial. simpl.
      destruct (String.eqb_spec y z); [congruence | trivial].
    - simpl. destruct (String.eqb_spec y z) as [->|]; [split; trivial | auto]. }
  destruct E as [N G]. unfold set. destruct (String.eqb_spec x y); [congruence | auto].
Qed.

Lemma agree_put : forall xs vs en l l', set_all xs vs l = Some l' -> agree en l -> agree (put xs vs en) l'.
Proof.
  induction xs as [|x xs IH]; intros [|v vs] en l l' H A; simpl in H; try discriminate.
  - now inversion H; subst.
  - destruct (set_all xs vs l) as [l1|] eqn:E; [|discriminate]. inversion H; subst.
    apply agree_cons. eauto.
Qed.

Lemma set_all_length : forall xs vs l, List.length xs = List.length vs -> exists l', set_all xs vs l = Some l'.
Proof.
  induction xs as [|x xs IH]; intros [|v vs] l H; try discriminate H; simpl.
  - eauto.
  - injection H as H. destruct (IH vs l H) as [l' ->]. simpl. eauto.
Qed.

Lemma get_put_other : forall y xs vs en, mem y xs = false -> get y (put xs vs en) = get y en.
Proof.
  induction xs as [|x xs IH]; intros [|v vs] en H; simpl in *; trivial.
  apply orb_false_elim in H. destruct H as [H1 H2]. rewrite H1. auto.
Qed.

(* [vs] hold [zs]; the other known locals are as before. *)
Lemma agree_back : forall vs zs en l, Forall2 (fun x z => l x = Some z) vs zs ->
  (forall x v, mem x vs = false -> get x en = Some v -> l x = Some v) -> agree (put vs zs en) l.
Proof.
  induction 1 as [|x z vs zs E F IH]; intros H; [exact (fun y v G => H y v eq_refl G)|].
  simpl. intros y w G. simpl in G. destruct (String.eqb_spec y x) as [->|n]; [congruence|].
  revert y w n G. assert (I : forall y w, y <> x -> get y (put vs zs en) = Some w -> l y = Some w).
  2: { intros; now apply I. }
  intros y w n G. destruct (mem y vs) eqn:M.
  - clear - F G M. induction F as [|a b vs zs E F IH]; [discriminate|]. simpl in *.
    destruct (String.eqb_spec y a) as [->|]; [congruence|]. apply IH; trivial.
  - apply H; [simpl; destruct (String.eqb_spec y x); [congruence | exact M]|].
    clear - F G M. induction F as [|a b vs zs E F IH]; simpl in *; trivial.
    destruct (String.eqb_spec y a); [discriminate|]. auto.
Qed.

Lemma values_back : forall vs en l zs, agree en l -> values vs en = Some zs ->
  Forall2 (fun x z => l x = Some z) vs zs.
Proof.
  induction vs as [|x vs IH]; simpl; intros en l zs A H; [inversion H; constructor|].
  destruct (get x en) eqn:G; [|discriminate]. destruct (values vs en) eqn:V; [|discriminate].
  inversion H; subst. constructor; eauto.
Qed.

(** Statements. *)

Notation exec' := (exec load store callee).
Notation ex' := (ex load store table).

Ltac invert H := unfold bind, ret, crash, lift in H;
  repeat match type of H with
  | match ?m with _ => _ end = Some _ => destruct m as [[? ?]|] eqn:?; [|discriminate]
  | match ?m with _ => _ end _ = Some _ => destruct m eqn:?; try discriminate
  end.

Lemma rounds_frame : forall (x : string) (b : Z -> locals -> M St (outcome locals (list Z))) n i l s l' s',
  (forall i l s l' s', b i l s = Some (Next l', s') -> l' x = l x) ->
  rounds n i l b s = Some (Next l', s') -> l' x = l x.
Proof.
  induction n as [|n IH]; intros i l s l' s' F H; simpl in H; [now inversion H|].
  unfold bind in H. destruct (b i l s) as [[[l1|r] s1]|] eqn:E; try discriminate.
  apply F in E. rewrite <- E. eapply IH; eauto.
Qed.

(* A statement changes no local but those that it names. *)
Lemma frame : forall (s : stmt gvar) l st l' st', exec' s l st = Some (Next l', st') ->
  forall x, mem x (mods s) = false -> l' x = l x.
Proof.
  assert (Set1 : forall x y v (l : locals), mem x [y] = false -> set y v l x = l x).
  { intros x y v l H. simpl in H. unfold set.
    destruct (String.eqb_spec x y); [discriminate|]. destruct (String.eqb_spec y x); congruence. }
  induction s; intros l st l' st' H z M; simpl in H, M.
  - now inversion H.
  - rewrite mem_union in M. apply orb_false_elim in M. destruct M as [M1 M2].
    unfold bind in H. destruct (exec' s1 l st) as [[[l1|r] st1]|] eqn:E; try discriminate.
    rewrite <- (IHs1 _ _ _ _ E z M1). eauto.
  - inversion H; subst. now apply Set1.
  - unfold bind in H. destruct (eval' l e st) as [[v st1]|]; [|discriminate].
    inversion H; subst. now apply Set1.
  - unfold bind in H. destruct (mapM _ idx st) as [[vs st1]|]; [|discriminate].
    destruct (eval' l e st1) as [[v st2]|]; [|discriminate].
    destruct (store g vs v st2) as [[u st3]|]; [|discriminate]. now inversion H.
  - unfold bind in H. destruct (mapM _ args st) as [[vs st1]|]; [|discriminate].
    destruct (callee f vs st1) as [[rs st2]|]; [|discriminate]. unfold lift in H.
    destruct (set_all xs rs l) as [l1|] eqn:E; [|discriminate]. inversion H; subst.
    clear - E M Set1. revert rs l' E M.
    induction xs as [|x xs IH]; intros [|r rs] l' E M; simpl in E; try discriminate; [now inversion E|].
    destruct (set_all xs rs l) as [l1|] eqn:E1; [|discriminate]. inversion E; subst.
    simpl in M. apply orb_false_elim in M. destruct M as [M1 M2].
    rewrite <- (IH rs l1 E1 M2). apply Set1. simpl. now rewrite M1.
  - unfold bind in H. destruct (eval' l e st) as [[v st1]|]; [|discriminate].
    destruct (index n v st1) as [[i st2]|]; [|discriminate]. inversion H; subst. now apply Set1.
  - rewrite mem_union in M. apply orb_false_elim in M. destruct M as [M1 M2].
    unfold bind in H. destruct (eval' l c st) as [[v st1]|]; [|discriminate].
    destruct (v =? 0); eauto.
  - rewrite mem_union in M. apply orb_false_elim in M. destruct M as [M1 M2].
    unfold bind in H. destruct (eval' l lo st) as [[i st1]|]; [|discriminate].
    destruct (eval' l hi st1) as [[n st2]|]; [|discriminate]. unfold loop_ret in H.
    eapply rounds_frame; [|exact H]. intros i' l1 s1 l2 s2 E. rewrite (IHs _ _ _ _ E z M2). now apply Set1.
  - unfold bind in H. destruct (mapM _ es st) as [[vs st1]|]; discriminate.
Qed.

Definition ex_ok (s : stmt gvar) : Prop := forall n R last en l (go : env -> M St R) leave
  (K : outcome locals (list Z) -> M St R), agree en l ->
  (forall en' l', agree en' l' -> le (go en') (K (Next l'))) ->
  (forall t : tup n, le (leave t) (K (Return (untup t)))) ->
  le (ex' n s R last en go leave) (bind (exec' s l) K).

(* What a branch or a loop's body hands back, of either kind. *)
Definition pack_at (vs : list string) (l : locals) : option (tup (List.length vs)) :=
  match mapM (S := unit) (fun x => lift (l x)) vs tt with
  | Some (zs, _) => pack (List.length vs) zs | None => None end.

Lemma mapM_values : forall vs zs (l : locals), Forall2 (fun x z => l x = Some z) vs zs ->
  mapM (S := unit) (fun x => lift (l x)) vs tt = Some (zs, tt).
Proof.
  induction 1 as [|x z vs zs E F IH]; simpl; trivial. unfold bind at 1. rewrite E. simpl.
  unfold bind. now rewrite IH.
Qed.

Lemma pack_at_values : forall vs en l zs t, agree en l -> values vs en = Some zs ->
  pack (List.length vs) zs = Some t -> pack_at vs l = Some t.
Proof. intros. unfold pack_at. now rewrite (mapM_values _ zs) by (eapply values_back; eauto). Qed.

Lemma pack_at_back : forall vs l t, pack_at vs l = Some t -> Forall2 (fun x z => l x = Some z) vs (untup t).
Proof.
  unfold pack_at. intros vs l t H. destruct (mapM _ vs tt) as [[zs u]|] eqn:E; [|discriminate].
  apply untup_pack in H. rewrite H. clear H t. destruct u.
  revert zs E. induction vs as [|x vs IH]; simpl; intros zs E; [inversion E; constructor|].
  unfold bind in E. destruct (lift (l x) tt) as [[z u]|] eqn:E1; [|discriminate]. destruct u.
  destruct (mapM _ vs tt) as [[zs' u]|] eqn:E2; [|discriminate]. inversion E; subst.
  constructor; [|auto]. unfold lift, ret, crash in E1. destruct (l x); [now inversion E1 | discriminate].
Qed.

Definition hand (n : nat) (vs : list string) (o : outcome locals (list Z))
  : M St (outcome (tup (List.length vs)) (tup n)) :=
  match o with
  | Next l => match pack_at vs l with Some t => ret (Next t) | None => crash end
  | Return r => match pack n r with Some t => ret (Return t) | None => crash end
  end.
Definition hand' (vs : list string) (o : outcome locals (list Z)) : M St (tup (List.length vs)) :=
  match o with
  | Next l => match pack_at vs l with Some t => ret t | None => crash end
  | Return _ => crash
  end.

Notation packed vs e := (match values vs e with Some zs => pack (List.length vs) zs | None => None end).

Lemma hand_next : forall n vs en l, agree en l ->
  le (match packed vs en with Some t => ret (Next t) | None => crash end) (hand n vs (Next l)).
Proof.
  intros n vs en l A. simpl. destruct (values vs en) as [zs|] eqn:V; [|apply le_crash].
  destruct (pack _ zs) as [t|] eqn:P; [|apply le_crash].
  rewrite (pack_at_values vs en l zs t); trivial. apply le_refl.
Qed.
Lemma hand_return : forall n vs (t : tup n), le (ret (Return t)) (hand n vs (Return (untup t))).
Proof. intros. simpl. rewrite pack_untup. apply le_refl. Qed.
Lemma hand'_next : forall vs en l, agree en l ->
  le (match packed vs en with Some t => ret t | None => crash end) (hand' vs (Next l)).
Proof.
  intros vs en l A. simpl. destruct (values vs en) as [zs|] eqn:V; [|apply le_crash].
  destruct (pack _ zs) as [t|] eqn:P; [|apply le_crash].
  rewrite (pack_at_values vs en l zs t); trivial. apply le_refl.
Qed.

Lemma join_sound : forall n R leaves vs en l0
  (m : forall R', (env -> M St R') -> (tup n -> M St R') -> M St R') (E : M St (outcome locals (list Z)))
  (go : env -> M St R) leave K,
  agree en l0 ->
  (forall R' go' leave' K', (forall en' l', agree en' l' -> le (go' en') (K' (Next l'))) ->
     (forall t, le (leave' t) (K' (Return (untup t)))) -> le (m R' go' leave') (bind E K')) ->
  (forall st l' st', E st = Some (Next l', st') ->
     forall x v, get x en = Some v -> mem x vs = false -> l' x = Some v) ->
  (forall en' l', agree en' l' -> le (go en') (K (Next l'))) ->
  (forall t, le (leave t) (K (Return (untup t)))) ->
  le (join leaves vs en m go leave) (bind E K).
Proof.
  intros n R leaves vs en l0 m E go leave K A Hm Fr Hgo Hl s r H. unfold join in H.
  destruct leaves; unfold bind in H.
  - destruct (m _ _ _ s) as [[o s1]|] eqn:X; [|discriminate].
    eapply (Hm _ _ _ (hand n vs)) in X; [|intros; now apply hand_next | intros; apply hand_return].
    unfold bind in *. destruct (E s) as [[[l'|q] s2]|] eqn:XE; try discriminate; simpl in X.
    + destruct (pack_at vs l') as [t|] eqn:P; [|discriminate]. inversion X; subst.
      rewrite open_untup in H. revert H. apply Hgo. apply agree_back; [now apply pack_at_back|].
      intros x v M G. eapply Fr; eauto.
    + destruct (pack n q) as [t|] eqn:P; [|discriminate]. inversion X; subst.
      apply Hl in H. now rewrite (untup_pack _ _ _ P) in H.
  - destruct (m _ _ _ s) as [[t0 s1]|] eqn:X; [|discriminate].
    eapply (Hm _ _ _ (hand' vs)) in X; [|intros; now apply hand'_next | intros; apply le_crash].
    unfold bind in *. destruct (E s) as [[[l'|q] s2]|] eqn:XE; try discriminate; simpl in X.
    destruct (pack_at vs l') as [t|] eqn:P; [|discriminate]. inversion X; subst.
    rewrite open_untup in H. revert H. apply Hgo. apply agree_back; [now apply pack_at_back|].
    intros x v M G. eapply Fr; eauto.
Qed.

(* A loop, round by round: the tuple holds what the changed locals hold. *)
Section Loop.
  Variables (n : nat) (vs : list string) (en : env) (x : string) (b : stmt gvar).
  Let n' := List.length vs.
  Hypothesis IH : ex_ok b.
  Hypothesis fresh : get x en = None.
  Hypothesis kept : forall y v, get y en = Some v -> mem y vs = false -> mem y (mods b) = false.

  Let round (i : Z) (l : locals) := exec' b (set x (Some i) l).

  Lemma round_frame : forall i (t : tup n') l s l' s',
    agree (put vs (untup t) en) l -> round i l s = Some (Next l', s') ->
    forall t' : tup n', pack_at vs l' = Some t' -> agree (put vs (untup t') en) l'.
  Proof.
    intros i t l s l' s' A E t' P. apply agree_back; [now apply pack_at_back|]. intros y v M G.
    rewrite (frame _ _ _ _ _ E) by (eapply kept; eauto). unfold set.
    destruct (String.eqb_spec x y); [congruence|]. apply A.
    now rewrite get_put_other.
  Qed.

  Definition inside (R' : Type) (j : Z) (t : tup n') go' leave' : M St R' :=
    open n' t (fun zs => ex' n b R' true ((x, j) :: put vs zs en) go' leave').

  Lemma rounds_ok : forall k i (t : tup n') l s (o : outcome (tup n') (tup n)) s',
    agree (put vs (untup t) en) l ->
    rounds k i t (fun j t => inside _ j t
      (fun e => match packed vs e with Some t => ret (Next t) | None => crash end)
      (fun r => ret (Return r))) s = Some (o, s') ->
    exists o', rounds k i l round s = Some (o', s') /\
      match o, o' with
      | Next t', Next l' => agree (put vs (untup t') en) l'
      | Return r, Return r' => r' = untup r
      | _, _ => False
      end.
  Proof.
    induction k as [|k IHk]; intros i t l s o s' A H; simpl in H.
    { inversion H; subst. exists (Next l). now split. }
    unfold bind in H. destruct (inside _ i t _ _ s) as [[o1 s1]|] eqn:E; [|discriminate].
    unfold inside in E. rewrite open_untup in E.
    eapply (IH n _ _ _ (set x (Some i) l) _ _ (hand n vs)) in E;
      [|now apply agree_cons|intros; now apply hand_next|intros; apply hand_return].
    simpl. unfold bind in *. destruct (round i l s) as [[[l1|q] s2]|] eqn:X;
      unfold round in X; rewrite X in E; try discriminate; simpl in E.
    - destruct (pack_at vs l1) as [t1|] eqn:P; [|discriminate]. inversion E; subst.
      eapply IHk in H; [exact H|]. eapply round_frame; eauto.
    - destruct (pack n q) as [t1|] eqn:P; [|discriminate]. inversion E; subst. inversion H; subst.
      exists (Return q). split; trivial. symmetry. now apply untup_pack.
  Qed.

  Lemma rounds'_ok : forall k i (t : tup n') l s (t' : tup n') s',
    agree (put vs (untup t) en) l ->
    rounds' k i t (fun j t => inside _ j t
      (fun e => match packed vs e with Some t => ret t | None => crash end)
      (fun _ => crash)) s = Some (t', s') ->
    exists l', rounds k i l round s = Some (Next l', s') /\ agree (put vs (untup t') en) l'.
  Proof.
    induction k as [|k IHk]; intros i t l s t' s' A H; simpl in H.
    { inversion H; subst. exists l. now split. }
    unfold bind in H. destruct (inside _ i t _ _ s) as [[t1 s1]|] eqn:E; [|discriminate].
    unfold inside in E. rewrite open_untup in E.
    eapply (IH n _ _ _ (set x (Some i) l) _ _ (hand' vs)) in E;
      [|now apply agree_cons|intros; now apply hand'_next|intros; apply le_crash].
    simpl. unfold bind in *. destruct (round i l s) as [[[l1|q] s2]|] eqn:X;
      unfold round in X; rewrite X in E; try discriminate; simpl in E.
    destruct (pack_at vs l1) as [t2|] eqn:P; [|discriminate]. inversion E; subst.
    eapply IHk in H; [exact H|]. eapply round_frame; eauto.
  Qed.
End Loop.

Lemma known_get : forall en x, known en x = false -> get x en = None.
Proof. unfold known; intros en x H. now destruct (get x en). Qed.

Lemma mem_filter : forall f x l, mem x (filter f l) = mem x l && f x.
Proof.
  induction l as [|y l IH]; simpl; trivial. destruct (f y) eqn:F; simpl; rewrite IH;
    destruct (String.eqb_spec x y) as [->|]; simpl; rewrite ?F; trivial. now rewrite andb_false_r.
Qed.

Lemma sides_known : forall en x v p q, get x en = Some v -> (known en x || p) && (known en x || q) = true.
Proof. unfold known; intros en x v p q ->. reflexivity. Qed.

Theorem ex_sound : forall s, ex_ok s.
Proof.
  induction s; intros m R last en l go leave K A Hgo Hl; simpl.
  - now apply Hgo.
  - apply le_assoc. apply IHs1; trivial. intros en' l' A'. apply IHs2; trivial.
  - apply Hgo. now apply agree_unset.
  - apply le_assoc. destruct (direct e); apply ev_sound with (l := l); trivial; intros v;
      apply Hgo; now apply agree_cons.
  - apply le_assoc. unfold evs. apply each_ok with (l := l); trivial;
      [apply Forall_forall; intros; apply ev_sound|]. intros vs.
    apply le_assoc. apply ev_sound with (l := l); trivial. intros v.
    apply le_assoc. apply le_bind. intros u. now apply Hgo.
  - apply le_assoc. unfold evs. apply each_ok with (l := l); trivial;
      [apply Forall_forall; intros; apply ev_sound|]. intros vs. apply le_assoc.
    destruct (get f table) as [F|] eqn:G; [|apply le_crash].
    intros s r E. unfold bind in E. destruct (run F vs s) as [[t s1]|] eqn:E1; [|discriminate].
    apply (callees f F G) in E1. rewrite open_untup in E. unfold bind. rewrite E1.
    destruct (Nat.eqb_spec (List.length xs) (nres F)) as [L|]; [|discriminate].
    destruct (set_all_length xs (untup t) l) as [l' S]; [now rewrite untup_length|].
    unfold lift. rewrite S. revert E. apply Hgo. now apply agree_put with (l := l).
  - apply le_assoc. apply ev_sound with (l := l); trivial. intros v. apply le_assoc.
    apply le_bind. intros i. apply Hgo. now apply agree_cons.
  - apply le_assoc. apply ev_sound with (l := l); trivial. intros v. rewrite bof_zof.
    destruct (falls s1 && falls s2 && negb last) eqn:J.
    + apply join_sound with (l0 := l); trivial.
      * intros R' go' leave' K' H1 H2. destruct (bof v); simpl; [apply IHs1 | apply IHs2]; trivial.
      * intros st l' st' E x w G M. rewrite mem_filter in M. cbv beta in M.
        rewrite (sides_known en x w) in M by trivial. rewrite andb_true_r, mem_union in M.
        apply orb_false_elim in M. destruct M as [M1 M2]. apply A in G. rewrite <- G.
        destruct (bof v); simpl in E; eapply frame; eauto.
    + destruct (bof v); simpl; [apply IHs1 | apply IHs2]; trivial.
  - apply le_assoc. apply ev_sound with (l := l); trivial. intros i. apply le_assoc.
    apply ev_sound with (l := l); trivial. intros k.
    destruct (known en x) eqn:Kx; [apply le_crash|]. apply known_get in Kx.
    set (vs := filter (known en) (mods s)).
    assert (Kept : forall y v, get y en = Some v -> mem y vs = false -> mem y (mods s) = false).
    { intros y v G M. unfold vs in M. rewrite mem_filter in M. unfold known in M. rewrite G in M.
      now rewrite andb_true_r in M. }
    destruct (values vs en) as [zs|] eqn:V; [|apply le_crash].
    destruct (pack _ zs) as [t0|] eqn:P; [|apply le_crash].
    assert (A0 : agree (put vs (untup t0) en) l).
    { rewrite (untup_pack _ _ _ P). apply agree_back; [eapply values_back; eauto | auto]. }
    unfold loop_ret, loop. destruct (returns s); intros st r E; unfold bind in E.
    + destruct (rounds _ _ t0 _ st) as [[o st1]|] eqn:X; [|discriminate].
      eapply (rounds_ok m vs en x s IHs Kx Kept) in X; [|exact A0]. destruct X as (o' & X & Ho).
      unfold bind. rewrite X. destruct o as [t|q], o' as [l'|q']; try contradiction.
      * rewrite open_untup in E. revert E. now apply Hgo.
      * subst q'. now apply Hl.
    + destruct (rounds' _ _ t0 _ st) as [[t st1]|] eqn:X; [|discriminate].
      eapply (rounds'_ok m vs en x s IHs Kx Kept) in X; [|exact A0]. destruct X as (l' & X & Ho).
      unfold bind. rewrite X. rewrite open_untup in E. revert E. now apply Hgo.
  - apply le_assoc. unfold evs. apply each_ok with (l := l); trivial;
      [apply Forall_forall; intros; apply ev_sound|]. intros vs.
    destruct (pack m vs) as [t|] eqn:P; [|apply le_crash].
    intros s r E. apply Hl in E. now rewrite (untup_pack _ _ _ P) in E.
Qed.

(** Functions. *)

Theorem text_sound : forall (f : function gvar) args s t s',
  text load store table f args s = Some (t, s') -> call_body load store callee f args s = Some (untup t, s').
Proof.
  intros f args s t s' H. unfold text in H.
  destruct (Nat.eqb_spec (List.length (params f)) (List.length args)) as [L|]; [|discriminate].
  destruct (set_all_length (params f) args (fun _ => None) L) as [l S]. unfold call_body, bind, lift.
  rewrite S. cbn.
  pose (K := fun o : outcome locals (list Z) => match o with
    | Return vs => if Nat.eqb (List.length vs) (results f)
                   then match pack (results f) vs with Some t => ret t | None => crash end else crash
    | Next _ => match results f as n return M St (tup n) with O => ret tt | _ => crash end end : M St (tup (results f))).
  apply (ex_sound (body f) (results f) (tup (results f)) true (put (params f) args []) l _ _ K) in H.
  - unfold bind in H. destruct (exec' (body f) l s) as [[[l'|vs] s1]|]; simpl in H; try discriminate.
    + revert t H. generalize (results f). intros [|n] t H; [now inversion H; subst | discriminate].
    + destruct (Nat.eqb (List.length vs) (results f)); [|discriminate].
      destruct (pack (results f) vs) as [t'|] eqn:P; [|discriminate]. inversion H; subst.
      now rewrite (untup_pack _ _ _ P).
  - eapply agree_put; [exact S|]. intros x v G; discriminate.
  - intros en' l' _. apply le_refl.
  - intros t'. simpl. rewrite untup_length, Nat.eqb_refl, pack_untup. apply le_refl.
Qed.

End Sound.

(* The end of a primitive's case: its tuple of results is a list. *)
Ltac prim_result t := repeat match type of t with (_ * _)%type => destruct t as [t ?] end;
  try destruct t; reflexivity.
