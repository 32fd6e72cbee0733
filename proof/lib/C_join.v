(* SPDX-License-Identifier: Apache-2.0 *)
(* What statements do to the locals, and how a branch or a loop hands them on as a tuple. *)
From Coq Require Import ZArith List String Bool Lia.
From nie.lib Require Import C_text C_order C_expr_sound.
Import ListNotations.
Open Scope Z_scope.

Section Sound.
Context {St : Type}.
Context {gvar : Type}.
Variable load : gvar -> list Z -> M St Z.
Variable store : gvar -> list Z -> Z -> M St unit.
Variable callee : string -> list Z -> M St (list Z).
Variable table : list (string * fsem St).

(** Statements. *)

Notation eval' := (eval load callee).
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

End Sound.
