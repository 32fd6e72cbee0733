(* SPDX-License-Identifier: Apache-2.0 *)
(* Bounds of the C's local variables, read off the text: enough to know that the number of a register is one, where
   a loop counts it. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C.
From nie.lib Require Import C_const_sound.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* A variable has a value below this one, and not below 0. *)
Definition facts := list (string * Z).
Definition fits (F : facts) (l : locals) : Prop := forall x n, In (x, n) F -> exists i, l x = Some i /\ 0 <= i < n.

Fixpoint known (F : facts) (x : string) : option Z :=
  match F with [] => None | (y, n) :: F' => if String.eqb x y then Some n else known F' x end.
Lemma known_in : forall F x n, known F x = Some n -> In (x, n) F.
Proof.
  induction F as [|[y m] F IH]; intros x n E; cbn in E; [discriminate|]. destruct (String.eqb_spec x y) as [->|]; [injection E as ->; now left|right; auto].
Qed.

Section Text.
Context {gvar : Type}.

Fixpoint bound (F : facts) (e : expr gvar) : option Z :=
  match e with
  | Const n => if 0 <=? n then Some (n + 1) else None
  | Var x => known F x
  | Cast I32 U32 a => match bound F a with Some n => if n <=? 2 ^ 31 then Some n else None | None => None end
  | Binop Add U32 a b => match bound F a, bound F b with
                         | Some n, Some m => if n + m <=? 2 ^ 32 then Some (n + m) else None | _, _ => None end
  | _ => None
  end.

Fixpoint assigns (s : stmt gvar) : list string :=
  match s with
  | Skip | Store _ _ _ | Ret _ => []
  | Seq a b | If _ a b => assigns a ++ assigns b
  | Decl x | Assign x _ | Alias x _ _ => [x]
  | Calls xs _ _ => xs
  | For x _ _ b => x :: assigns b
  end.
Definition is_in (x : string) (l : list string) : bool := existsb (String.eqb x) l.
Definition without (l : list string) (F : facts) : facts := filter (fun p => negb (is_in (fst p) l)) F.
(* Of the body of a loop. *)
Definition counted (F : facts) (x : string) (lo hi : expr gvar) (b : stmt gvar) : facts :=
  match bound F lo, bound F hi with
  | Some _, Some n => if is_in x (assigns b) then [] else [(x, n - 1)]
  | _, _ => []
  end ++ without (x :: assigns b) F.

Lemma is_in_false : forall x l, is_in x l = false -> ~ In x l.
Proof. intros x l E I. apply not_true_iff_false in E. apply E. apply existsb_exists. exists x. split; auto. apply String.eqb_refl. Qed.
Lemma without_in : forall l F x n, In (x, n) (without l F) -> In (x, n) F /\ ~ In x l.
Proof. intros l F x n I. apply filter_In in I as [I N]. split; auto. apply is_in_false. cbn [fst] in N. now destruct (is_in x l). Qed.

Context {S : Type}.
Variable load : gvar -> list Z -> M S Z.
Variable store : gvar -> list Z -> Z -> M S unit.
Variable c : string -> list Z -> M S (list Z).

Lemma bound_eval : forall F l, fits F l -> forall e n, bound F e = Some n -> forall s v t, eval load c l e s = Some (v, t) -> 0 <= v < n.
Proof.
  intros F l FI. induction e using expr_rect'; intros b B s0 v t0 E; cbn [bound eval] in *; try discriminate.
  - destruct (Z.leb_spec 0 n); [|discriminate]. injection B as <-. injection E as <- _. lia.
  - apply known_in, FI in B as (i & L & R). unfold lift in E. rewrite L in E. injection E as <- _. lia.
  - destruct f; try discriminate. destruct t; try discriminate. destruct (bound F e) as [m|]; [|discriminate].
    destruct (Z.leb_spec m (2 ^ 31)); [|discriminate]. injection B as <-. unfold bind in E. destruct (eval load c l e s0) as [[u s']|] eqn:X; [|discriminate].
    specialize (IHe _ eq_refl _ _ _ X). change (cast I32 U32 u) with (Some (wrap U32 u)) in E. injection E as <- _.
    unfold wrap. cbn [width]. rewrite Z.mod_small; lia.
  - destruct o; try discriminate. destruct t; try discriminate. destruct (bound F e1) as [m1|]; [|discriminate]. destruct (bound F e2) as [m2|]; [|discriminate].
    destruct (Z.leb_spec (m1 + m2) (2 ^ 32)); [|discriminate]. injection B as <-. unfold bind in E.
    destruct (eval load c l e1 s0) as [[u s']|] eqn:X; [|discriminate]. destruct (eval load c l e2 s') as [[u' s2]|] eqn:Y; [|discriminate].
    specialize (IHe1 _ eq_refl _ _ _ X). specialize (IHe2 _ eq_refl _ _ _ Y). cbn in E. injection E as <- _. unfold wrap. cbn [width]. rewrite Z.mod_small; lia.
Qed.

Lemma set_all_keeps : forall xs vs l l' y, set_all xs vs l = Some l' -> ~ In y xs -> l' y = l y.
Proof.
  induction xs as [|x xs IH]; intros [|v vs] l l' y E N; cbn in E; try discriminate; [now injection E as <-|].
  destruct (set_all xs vs l) as [l2|] eqn:X; [|discriminate]. injection E as <-. unfold set.
  destruct (String.eqb_spec x y) as [->|]; [now elim N; left|]. eapply IH; eauto. intro; apply N; now right.
Qed.
Lemma set_other : forall x v l y, x <> y -> set x v l y = l y.
Proof. intros x v l y N. unfold set. now destruct (String.eqb_spec x y). Qed.

(* A statement leaves alone what it does not assign. *)
Definition leaves (s : stmt gvar) : Prop := forall l st l' st', exec load store c s l st = Some (Next l', st') ->
  forall y, ~ In y (assigns s) -> l' y = l y.
Ltac runs E := unfold bind in E; repeat (match type of E with context [match ?m with Some _ => _ | None => _ end] => destruct m as [[? ?]|]; [|discriminate] end; cbv beta iota in E).
Lemma exec_leaves : forall s, leaves s.
Proof.
  induction s; intros l st l' st' E y N; cbn [exec assigns] in *.
  - now injection E as <- _.
  - unfold bind in E. destruct (exec load store c s1 l st) as [[[l1|r] st1]|] eqn:X; try discriminate.
    rewrite (IHs2 _ _ _ _ E) by (intro; apply N, in_or_app; auto). eapply IHs1; eauto. intro; apply N, in_or_app; auto.
  - injection E as <- _. apply set_other. intro; apply N; now left.
  - runs E. injection E as <- _. apply set_other. intro; apply N; now left.
  - runs E. now injection E as <- _.
  - unfold bind in E. destruct (mapM _ _ st) as [[vs s1]|]; [|discriminate]. destruct (c f vs s1) as [[rs s2]|]; [|discriminate].
    unfold lift in E. destruct (set_all xs rs l) as [l2|] eqn:X; [|discriminate]. injection E as <- _. eapply set_all_keeps; eauto.
  - runs E. injection E as <- _. apply set_other. intro; apply N; now left.
  - unfold bind in E. destruct (eval load c l c0 st) as [[v st1]|]; [|discriminate].
    destruct (v =? 0); [eapply IHs2|eapply IHs1]; eauto; intro; apply N, in_or_app; auto.
  - unfold bind in E. destruct (eval load c l lo st) as [[i st1]|]; [|discriminate]. destruct (eval load c l hi st1) as [[n s2]|]; [|discriminate].
    unfold loop_ret in E. revert E. generalize (Z.to_nat (n - i)). intro k. revert i l s2. induction k as [|k IHk]; intros i l s2 E; cbn [rounds] in E; [now injection E as <- _|].
    unfold bind in E. destruct (exec load store c s (set x (Some i) l) s2) as [[[l1|r] s3]|] eqn:X; try discriminate.
    rewrite (IHk _ _ _ E). rewrite (IHs _ _ _ _ X) by (intro; apply N; now right). apply set_other. intro; apply N; now left.
  - runs E. discriminate.
Qed.

Lemma fits_without : forall s F l l' st st', fits F l -> exec load store c s l st = Some (Next l', st') -> fits (without (assigns s) F) l'.
Proof. intros s F l l' st st' FI E x n I. apply without_in in I as [I N]. rewrite (exec_leaves s _ _ _ _ E x N). exact (FI x n I). Qed.

(* What the body of a loop may count on, before each round. *)
Definition before (F : facts) (x : string) (b : stmt gvar) (l : locals) : Prop := fits (without (x :: assigns b) F) l.
Lemma before_first : forall F x b l, fits F l -> before F x b l.
Proof. intros F x b l FI y n I. apply without_in in I as [I _]. exact (FI y n I). Qed.
Lemma before_next : forall F x b l i st l' st', before F x b l -> exec load store c b (set x (Some i) l) st = Some (Next l', st') -> before F x b l'.
Proof.
  intros F x b l i st l' st' B E y n I. pose proof (without_in _ _ _ _ I) as [_ N]. rewrite (exec_leaves b _ _ _ _ E y) by (intro; apply N; now right).
  rewrite set_other by (intro; apply N; now left). exact (B y n I).
Qed.
Lemma fits_counted : forall F x lo hi b l i s1 s2 s3 s4 l0 vlo vhi, fits F l0 -> before F x b l ->
  eval load c l0 lo s1 = Some (vlo, s2) -> eval load c l0 hi s3 = Some (vhi, s4) -> vlo <= i < vhi -> fits (counted F x lo hi b) (set x (Some i) l).
Proof.
  intros F x lo hi b l i s1 s2 s3 s4 l0 vlo vhi FI B E1 E2 R y n I. unfold counted in I. apply in_app_or in I as [I|I].
  - destruct (bound F lo) as [m|] eqn:B1; [|destruct I]. destruct (bound F hi) as [k|] eqn:B2; [|destruct I]. destruct (is_in x (assigns b)); [destruct I|].
    destruct I as [I|[]]. injection I as <- <-. exists i. unfold set. rewrite String.eqb_refl. split; auto.
    pose proof (bound_eval F l0 FI _ _ B1 _ _ _ E1). pose proof (bound_eval F l0 FI _ _ B2 _ _ _ E2). lia.
  - pose proof (without_in _ _ _ _ I) as [_ N]. rewrite set_other by (intro; apply N; now left). exact (B y n I).
Qed.

(** Arguments. *)

(* Which argument of a primitive must be small, and how small: the number of a register, the place of the vectors' words. *)
Definition key_of (f : string) : nat := if String.eqb f "fp_load" then 1 else 0.
Definition limit (f : string) : Z := if String.eqb f "fp_load" then 256 else 128.
Definition small (F : facts) (f : string) (args : list (expr gvar)) : bool :=
  match nth_error args (key_of f) with Some e => match bound F e with Some n => n <=? limit f | None => false end | None => false end.
Definition small_args (f : string) (vs : list Z) : Prop := exists v, nth_error vs (key_of f) = Some v /\ 0 <= v < limit f.

Lemma mapM_nth : forall A B (f : A -> M S B) l s vs t, mapM f l s = Some (vs, t) -> forall k e, nth_error l k = Some e ->
  exists v s' t', nth_error vs k = Some v /\ f e s' = Some (v, t').
Proof.
  intros A B f. induction l as [|a l IH]; intros s vs t E k e N; cbn in E; [destruct k; discriminate|].
  unfold bind in E. destruct (f a s) as [[b s1]|] eqn:X; [|discriminate]. destruct (mapM f l s1) as [[bs s2]|] eqn:Y; [|discriminate]. injection E as <- <-.
  destruct k as [|k]; cbn in *; [injection N as <-; eauto|eauto].
Qed.
Lemma small_sound : forall F l f args, fits F l -> small F f args = true -> forall s vs t, mapM (eval load c l) args s = Some (vs, t) -> small_args f vs.
Proof.
  intros F l f args FI SM s vs t E. unfold small in SM. destruct (nth_error args (key_of f)) as [e|] eqn:N; [|discriminate].
  destruct (bound F e) as [n|] eqn:B; [|discriminate]. destruct (mapM_nth _ _ _ _ _ _ _ E _ _ N) as (v & s' & t' & V & X).
  exists v. split; auto. pose proof (bound_eval F l FI _ _ B _ _ _ X). lia.
Qed.
End Text.
