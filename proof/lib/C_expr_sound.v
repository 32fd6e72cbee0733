(* SPDX-License-Identifier: Apache-2.0 *)
(* Expressions: the readable text succeeds only where the denotation does, alike. *)
From Coq Require Import ZArith List String Bool Lia.
From nie.lib Require Import C_text C_order C_const_sound.
Import ListNotations.
Open Scope Z_scope.

Section Sound.
Context {St : Type}.
Context {gvar : Type}.
Variable load : gvar -> list Z -> M St Z.
Variable store : gvar -> list Z -> Z -> M St unit.
Variable callee : string -> list Z -> M St (list Z).
Variable table : list (string * fsem St).
Hypothesis callees : agrees callee table.

Notation ev' := (ev load table).
Notation eval' := (eval load callee).
Let eval_constant := eval_constant load callee.
Let ev_constant := ev_constant load table.
Let ev_simple := ev_simple load table.

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
