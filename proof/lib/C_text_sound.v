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

End Sound.
