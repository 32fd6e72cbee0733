(* SPDX-License-Identifier: Apache-2.0 *)
(* Runs of one program from related states stay in step, if each primitive keeps them so. The relation has two strengths,
   [Rel false] and [Rel true]; what a primitive needs of it, and what it leaves, is found by looking at the text:
   [strength]. Two of the three runs are compared; the third is a witness of what the first may read. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C.
From nie.lib Require Import C_const_sound.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** What the text does to the strength: [None]: it is not known to be safe; else the strength that it leaves. *)

Section Text.
Context {gvar : Type}.
Variable callee : string -> bool -> option bool.
Definition both (x y : option bool) : option bool := match x, y with Some d, Some d' => Some (d || d') | _, _ => None end.

Fixpoint strength_e (e : expr gvar) (d : bool) {struct e} : option bool :=
  let all := fix all (l : list (expr gvar)) (d : bool) {struct l} :=
    match l with [] => Some d | a :: l' => match strength_e a d with Some d' => all l' d' | None => None end end in
  match e with
  | Const _ | Var _ => Some d
  | Load _ idx => all idx d
  | Cast _ _ a | Unop _ _ a | LNot a => strength_e a d
  | Binop _ _ a b | LAnd a b | LOr a b => match strength_e a d with Some d' => strength_e b d' | None => None end
  | Cond c a b => match strength_e c d with Some d' => both (strength_e a d') (strength_e b d') | None => None end
  | Call f args => match all args d with Some d' => callee f d' | None => None end
  end.
Fixpoint strength_es (l : list (expr gvar)) (d : bool) : option bool :=
  match l with [] => Some d | a :: l' => match strength_e a d with Some d' => strength_es l' d' | None => None end end.

(* A call whose argument is the number 0 has a name of its own. *)
Definition zero_name (f : string) : string := String.append f " 0".
Definition is_zero (args : list (expr gvar)) : bool :=
  match args with [Cast I32 U32 (Const 0)] => true | _ => false end.

Fixpoint strength_s (s : stmt gvar) (d : bool) : option bool :=
  match s with
  | Skip | Decl _ => Some d
  | Seq a b => match strength_s a d with Some d' => strength_s b d' | None => None end
  | Assign _ e | Alias _ _ e => strength_e e d
  | Store _ idx e => match strength_es idx d with Some d' => strength_e e d' | None => None end
  | Calls _ f args => if is_zero args then match callee (zero_name f) d with Some d' => Some d' | None => callee f d end
                      else match strength_es args d with Some d' => callee f d' | None => None end
  | If c a b => match strength_e c d with Some d' => both (strength_s a d') (strength_s b d') | None => None end
  | For _ lo hi b =>
      match strength_es [lo; hi] d with
      | Some d' => match strength_s b d' with
                   | Some d2 => if Bool.eqb d2 d' then Some d' else both (Some true) (strength_s b true)
                   | None => None end
      | None => None end
  | Ret es => strength_es es d
  end.
End Text.

Fixpoint strength {gvar} (prim : string -> bool -> option bool) (P : program gvar) (f : string) (d : bool) : option bool :=
  match P with
  | [] => prim f d
  | x :: P' => if String.eqb (fname x) f then strength_s (strength prim P') (body x) d else strength prim P' f d
  end.

(** The three runs. *)

Section Lock.
Context {gvar S : Type}.
Variable Rel : bool -> S -> S -> S -> Prop.
Variable le : S -> S -> Prop.                      (* a step of a run: its log grows *)
Variable Pre : S -> S -> Prop.                     (* the logs so far are the beginnings of two that look alike *)
Hypothesis le_refl : forall s, le s s.
Hypothesis le_trans : forall a b c, le a b -> le b c -> le a c.
Hypothesis Pre_le : forall s1 s2 t1 t2, le s1 t1 -> le s2 t2 -> Pre t1 t2 -> Pre s1 s2.
Hypothesis Rel_weak : forall s1 s2 s3, Rel false s1 s2 s3 -> Rel true s1 s2 s3.

Definition weaker (d d' : bool) : Prop := d = true -> d' = true.
Lemma Rel_to : forall d d' s1 s2 s3, weaker d d' -> Rel d s1 s2 s3 -> Rel d' s1 s2 s3.
Proof. intros [] [] s1 s2 s3 W H; auto. now specialize (W eq_refl). Qed.

Definition grows {A} (m : M S A) : Prop := forall s a t, m s = Some (a, t) -> le s t.
Definition locked {A} (d d' : bool) (m : M S A) : Prop := forall s1 s2 s3 a1 t1 a2 t2 a3 t3, Rel d s1 s2 s3 ->
  m s1 = Some (a1, t1) -> m s2 = Some (a2, t2) -> m s3 = Some (a3, t3) -> Pre t1 t2 -> a2 = a1 /\ a3 = a1 /\ Rel d' t1 t2 t3.
Definition lock {A} (d d' : bool) (m : M S A) : Prop := weaker d d' /\ grows m /\ locked d d' m.

Lemma lock_to : forall A d d1 d2 (m : M S A), lock d d1 m -> weaker d1 d2 -> lock d d2 m.
Proof.
  intros A d d1 d2 m (W & G & L) W'. split; [intro; auto|]. split; auto. intros s1 s2 s3 a1 t1 a2 t2 a3 t3 H E1 E2 E3 P.
  destruct (L _ _ _ _ _ _ _ _ _ H E1 E2 E3 P) as (-> & -> & H'). split; auto. split; auto. eapply Rel_to; eauto.
Qed.
Lemma lock_ret : forall A d (a : A), lock d d (ret a).
Proof.
  intros A d a. split; [intro; auto|]. split.
  - intros s b t E. injection E as _ <-. apply le_refl.
  - intros s1 s2 s3 a1 t1 a2 t2 a3 t3 H E1 E2 E3 P. injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-. auto.
Qed.
Lemma lock_crash : forall A d, lock d d (@crash S A).
Proof. intros A d. split; [intro; auto|]. split; intros s; intros; discriminate. Qed.
Lemma lock_lift : forall A d (o : option A), lock d d (lift o).
Proof. intros A d [a|]; [apply lock_ret|apply lock_crash]. Qed.
Lemma lock_bind : forall A B d d1 d2 (m : M S A) (f : A -> M S B),
  lock d d1 m -> (forall a, lock d1 d2 (f a)) -> weaker d1 d2 -> lock d d2 (bind m f).
Proof.
  intros A B d d1 d2 m f (W & G & L) F W'. split; [intro; auto|]. split.
  - intros s b t E. unfold bind in E. destruct (m s) as [[a s']|] eqn:X; [|discriminate].
    destruct (F a) as (_ & G' & _). eapply le_trans; eauto.
  - intros s1 s2 s3 b1 u1 b2 u2 b3 u3 H E1 E2 E3 P. unfold bind in *.
    destruct (m s1) as [[a1 t1]|] eqn:X1; [|discriminate]. destruct (m s2) as [[a2 t2]|] eqn:X2; [|discriminate].
    destruct (m s3) as [[a3 t3]|] eqn:X3; [|discriminate].
    assert (P' : Pre t1 t2).
    { destruct (F a1) as (_ & G1 & _). destruct (F a2) as (_ & G2 & _). eapply Pre_le; eauto. }
    destruct (L _ _ _ _ _ _ _ _ _ H X1 X2 X3 P') as (-> & -> & H'). destruct (F a1) as (_ & _ & L'). eapply L'; eauto.
Qed.
Lemma lock_if : forall A d d1 d2 (b : bool) (m n : M S A), lock d d1 m -> lock d d2 n -> lock d (d1 || d2) (if b then m else n).
Proof.
  intros A d d1 d2 b m n H K. destruct b; eapply lock_to; eauto; intros ->; [reflexivity|apply orb_true_r].
Qed.
Lemma lock_rounds : forall A R d d' n i (a : A) (b : Z -> A -> M S (C_monad.outcome A R)),
  (forall i a, lock d d' (b i a)) -> (forall i a, lock d' d' (b i a)) -> weaker d d' -> lock d d' (rounds n i a b).
Proof.
  intros A R d d' n. revert d. induction n as [|n IH]; intros d i a b H K W; cbn [rounds].
  - eapply lock_to; [apply lock_ret|exact W].
  - eapply lock_bind; [apply H| |intro; auto]. intros [a'|r]; [|apply lock_ret]. apply IH; auto. intro; auto.
Qed.

Variable load : gvar -> list Z -> M S Z.
Variable store : gvar -> list Z -> Z -> M S unit.
Variable prim : string -> list Z -> M S (list Z).
Variable strength_p : string -> bool -> option bool.
Hypothesis L : forall d g i, lock d d (load g i).
Hypothesis St : forall d g i v, lock d d (store g i v).
Hypothesis Pr : forall f d d' args, strength_p f d = Some d' -> lock d d' (prim f args).
Hypothesis Pr0 : forall f d d', strength_p (zero_name f) d = Some d' -> lock d d' (prim f [0]).

Section Body.
Variable c : string -> list Z -> M S (list Z).
Variable ck : string -> bool -> option bool.
Hypothesis C : forall f d d' args, ck f d = Some d' -> lock d d' (c f args).
Hypothesis C0 : forall f d d', ck (zero_name f) d = Some d' -> lock d d' (c f [0]).

Lemma both_some : forall x y d, both x y = Some d -> exists d1 d2, x = Some d1 /\ y = Some d2 /\ d = d1 || d2.
Proof. intros [d1|] [d2|] d H; try discriminate. injection H as <-. eauto. Qed.

Definition good (e : expr gvar) : Prop := forall l d d', strength_e ck e d = Some d' -> lock d d' (eval load c l e).
Lemma lock_all : forall es, Forall good es -> forall l d d', strength_es ck es d = Some d' -> lock d d' (mapM (eval load c l) es).
Proof.
  intros es H. induction H as [|e es G _ IH]; intros l d d' E; cbn [strength_es mapM] in *.
  - injection E as <-. apply lock_ret.
  - destruct (strength_e ck e d) as [d1|] eqn:X; [|discriminate]. pose proof (IH l _ _ E) as K.
    eapply lock_bind; [exact (G l _ _ X)| |apply K]. intro a. eapply lock_bind; [exact K| |intro; auto]. intro. apply lock_ret.
Qed.

Lemma lock_eval : forall e, good e.
Proof.
  induction e using expr_rect'; intros l d d' E; cbn [strength_e eval] in *.
  - injection E as <-. apply lock_ret.
  - injection E as <-. apply lock_lift.
  - pose proof (lock_all _ H l _ _ E) as K. eapply lock_bind; [exact K|intro; apply L|intro; auto].
  - eapply lock_bind; [eauto|intro; apply lock_lift|intro; auto].
  - eapply lock_bind; [eauto|intro; apply lock_lift|intro; auto].
  - destruct (strength_e ck e1 d) as [d1|] eqn:X; [|discriminate]. pose proof (IHe2 l _ _ E) as K.
    eapply lock_bind; [eauto| |apply K]. intro v. eapply lock_bind; [exact K|intro; apply lock_lift|intro; auto].
  - eapply lock_bind; [eauto|intro; apply lock_ret|intro; auto].
  - destruct (strength_e ck e1 d) as [d1|] eqn:X; [|discriminate]. pose proof (IHe2 l _ _ E) as K.
    eapply lock_bind; [eauto| |apply K]. intro v. destruct (v =? 0); [eapply lock_to; [apply lock_ret|apply K]|].
    eapply lock_bind; [exact K|intro; apply lock_ret|intro; auto].
  - destruct (strength_e ck e1 d) as [d1|] eqn:X; [|discriminate]. pose proof (IHe2 l _ _ E) as K.
    eapply lock_bind; [eauto| |apply K]. intro v. destruct (v =? 0); [|eapply lock_to; [apply lock_ret|apply K]].
    eapply lock_bind; [exact K|intro; apply lock_ret|intro; auto].
  - destruct (strength_e ck e1 d) as [d1|] eqn:X; [|discriminate]. apply both_some in E as (da & db & A & B & ->).
    pose proof (IHe2 l _ _ A) as KA. pose proof (IHe3 l _ _ B) as KB.
    eapply lock_bind; [eauto| |intro Z; apply orb_true_intro; left; now apply KA].
    intro v. rewrite orb_comm. now apply lock_if.
  - match type of E with match ?x with _ => _ end = _ => change x with (strength_es ck args d) in E end.
    destruct (strength_es ck args d) as [d1|] eqn:X; [|discriminate]. pose proof (fun a => C _ _ _ a E) as K.
    eapply lock_bind; [exact (lock_all _ H l _ _ X)| |apply (K [])]. intro vs.
    eapply lock_bind; [apply K|intro; apply lock_lift|intro; auto].
Qed.

Lemma lock_evals : forall es l d d', strength_es ck es d = Some d' -> lock d d' (mapM (eval load c l) es).
Proof. intros es l d d' E. eapply lock_all; eauto. apply Forall_forall. intros. apply lock_eval. Qed.

Lemma lock_exec : forall s l d d', strength_s ck s d = Some d' -> lock d d' (exec load store c s l).
Proof.
  induction s; intros l d d' E; cbn [strength_s exec] in *.
  - injection E as <-. apply lock_ret.
  - destruct (strength_s ck s1 d) as [d1|] eqn:X; [|discriminate].
    eapply lock_bind; [eauto| |exact (proj1 (IHs2 l _ _ E))].
    intros [l'|r]; [eauto|]. eapply lock_to; [apply lock_ret|exact (proj1 (IHs2 l _ _ E))].
  - injection E as <-. apply lock_ret.
  - eapply lock_bind; [eapply lock_eval; eauto|intro; apply lock_ret|intro; auto].
  - destruct (strength_es ck idx d) as [d1|] eqn:X; [|discriminate]. pose proof (lock_eval e l _ _ E) as K.
    eapply lock_bind; [eapply lock_evals; eauto| |apply K]. intro vs. eapply lock_bind; [exact K| |intro; auto]. intro v.
    eapply lock_bind; [apply St|intro; apply lock_ret|intro; auto].
  - assert (K : forall a d1, lock d1 d' (c f a) -> lock d1 d' (bind (c f a) (fun rs => bind (lift (set_all xs rs l)) (fun l' => ret (Next (R := list Z) l'))))).
    { intros a d1 KC. eapply lock_bind; [exact KC| |intro; auto]. intro rs. eapply lock_bind; [apply lock_lift|intro; apply lock_ret|intro; auto]. }
    destruct (is_zero args) eqn:Z.
    + assert (A : args = [Cast I32 U32 (Const 0)]).
      { destruct args as [|[] args]; try discriminate. destruct from; try discriminate. destruct to; try discriminate.
        destruct e; try discriminate. destruct n; try discriminate. destruct args; [reflexivity|discriminate]. }
      subst args. match goal with |- lock _ _ (bind _ ?k) => change (lock d d' (k [0])) end. apply K.
      destruct (ck (zero_name f) d) as [d1|] eqn:X; [injection E as <-; eauto|eauto].
    + destruct (strength_es ck args d) as [d1|] eqn:X; [|discriminate].
      eapply lock_bind; [eapply lock_evals; eauto|intro vs; apply K; eauto|exact (proj1 (C _ _ _ [] E))].
  - eapply lock_bind; [eapply lock_eval; eauto| |intro; auto]. intro v.
    eapply lock_bind; [|intro; apply lock_ret|intro; auto]. unfold index. destruct (_ && _); [apply lock_ret|apply lock_crash].
  - destruct (strength_e ck c0 d) as [d1|] eqn:X; [|discriminate]. apply both_some in E as (da & db & A & B & ->).
    pose proof (IHs1 l _ _ A) as KA. pose proof (IHs2 l _ _ B) as KB.
    eapply lock_bind; [eapply lock_eval; eauto| |intro Z; apply orb_true_intro; left; now apply KA].
    intro v. rewrite orb_comm. now apply lock_if.
  - cbn [strength_es] in E. destruct (strength_e ck lo d) as [d0|] eqn:X; [|discriminate].
    destruct (strength_e ck hi d0) as [d1|] eqn:Y; [|discriminate]. destruct (strength_s ck s d1) as [d2|] eqn:Z; [|discriminate].
    assert (G : weaker d1 d' /\ forall i a, lock d1 d' (exec load store c s (set x (Some i) a)) /\ lock d' d' (exec load store c s (set x (Some i) a))).
    { destruct (Bool.eqb d2 d1) eqn:Q.
      - injection E as <-. apply eqb_prop in Q. subst d2. split; [intro; auto|]. split; eauto.
      - apply both_some in E as (da & db & A & B & ->). injection A as <-. cbn [orb] in *.
        split; [intro; reflexivity|]. intros i a. pose proof (IHs (set x (Some i) a) _ _ B) as KB.
        split; [eapply lock_to; [eapply IHs; eauto|intro; reflexivity]|].
        eapply lock_to; [exact KB|intro; reflexivity]. }
    destruct G as [W G]. pose proof (lock_eval hi l _ _ Y) as KH.
    eapply lock_bind; [eapply lock_eval; eauto| |intro Q; apply W, KH; exact Q]. intro i.
    eapply lock_bind; [exact KH| |exact W]. intro n. unfold loop_ret. apply lock_rounds; auto; intros; apply G.
  - eapply lock_bind; [eapply lock_evals; eauto|intro; apply lock_ret|intro; auto].
Qed.

Lemma lock_body : forall x args d d', strength_s ck (body x) d = Some d' -> lock d d' (call_body load store c x args).
Proof.
  intros x args d d' E. unfold call_body. pose proof (fun l => lock_exec (body x) l _ _ E) as K.
  eapply lock_bind; [apply lock_lift| |apply (K (fun _ => None))]. intro l. eapply lock_bind; [apply K| |intro; auto].
  intros [l'|r]; [destruct (Nat.eqb _ _)|destruct (Nat.eqb _ _)]; apply lock_ret || apply lock_crash.
Qed.
End Body.

(* A name with a blank is no function's, and only a primitive has one of its own. *)
Definition plain (P : program gvar) : Prop := forall x, In x P ->
  (forall f, fname x <> zero_name f) /\ (forall d, strength_p (zero_name (fname x)) d = None).

Lemma zero_strength : forall (P : program gvar), plain P -> forall f d, strength strength_p P (zero_name f) d = strength_p (zero_name f) d.
Proof.
  induction P as [|x P IH]; intros N f d; cbn [strength]; auto. destruct (N x (or_introl eq_refl)) as [Q _].
  destruct (String.eqb_spec (fname x) (zero_name f)); [now elim (Q f)|]. apply IH. intros y I. apply N. now right.
Qed.

Theorem lock_den : forall (P : program gvar), plain P ->
  (forall f d d' args, strength strength_p P f d = Some d' -> lock d d' (den load store prim P f args)) /\
  (forall f d d', strength strength_p P (zero_name f) d = Some d' -> lock d d' (den load store prim P f [0])).
Proof.
  induction P as [|x P IH]; intro N; cbn [strength den]; [split; eauto|].
  assert (N' : plain P) by (intros y I; apply N; now right). destruct (IH N') as [I1 I2]. destruct (N x (or_introl eq_refl)) as [Q1 Q2]. split.
  - intros f d d' args E. destruct (String.eqb_spec (fname x) f) as [Q|Q]; [|auto]. eapply lock_body; eauto.
  - intros f d d' E. destruct (String.eqb_spec (fname x) (zero_name f)); [now elim (Q1 f)|].
    destruct (String.eqb_spec (fname x) f) as [<-|]; [|auto]. now rewrite zero_strength, Q2 in E.
Qed.
End Lock.
