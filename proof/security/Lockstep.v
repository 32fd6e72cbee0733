(* SPDX-License-Identifier: Apache-2.0 *)
(* Runs of one program from related states stay in step, if each primitive keeps them so. The relation has two strengths,
   [Rel false] and [Rel true]; what a primitive needs of it, and what it leaves, is found by looking at the text:
   [strength]. Two of the three runs are compared; the third is a witness of what the first may read. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C.
From nie.lib Require Import C_const_sound.
From nie.proof.security Require Import Ranges.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** What the text does to the strength: [None]: it is not known to be safe; else the strength that it leaves. *)

Section Text.
Context {gvar : Type}.
Variable callee : string -> bool -> option bool.
Definition both (x y : option bool) : option bool := match x, y with Some d, Some d' => Some (d || d') | _, _ => None end.

(* A primitive's argument that is known to be small gives it a name of its own. *)
Definition small_name (f : string) : string := String.append f " <".
Definition callee_of (F : facts) (f : string) (args : list (expr gvar)) (d : bool) : option bool :=
  if small F f args then match callee (small_name f) d with Some d' => Some d' | None => callee f d end else callee f d.

Section Facts.
Variable F : facts.
Fixpoint strength_e (e : expr gvar) (d : bool) {struct e} : option bool :=
  let all := fix all (l : list (expr gvar)) (d : bool) {struct l} :=
    match l with [] => Some d | a :: l' => match strength_e a d with Some d' => all l' d' | None => None end end in
  match e with
  | Const _ | Var _ => Some d
  | Load _ idx => all idx d
  | Cast _ _ a | Unop _ _ a | LNot a => strength_e a d
  | Binop _ _ a b | LAnd a b | LOr a b => match strength_e a d with Some d' => strength_e b d' | None => None end
  | Cond c a b => match strength_e c d with Some d' => both (strength_e a d') (strength_e b d') | None => None end
  | Call f args => match all args d with Some d' => callee_of F f args d' | None => None end
  end.
Fixpoint strength_es (l : list (expr gvar)) (d : bool) : option bool :=
  match l with [] => Some d | a :: l' => match strength_e a d with Some d' => strength_es l' d' | None => None end end.
End Facts.

(* A call whose argument is the number 0 has a name of its own. *)
Definition zero_name (f : string) : string := String.append f " 0".
Definition is_zero (args : list (expr gvar)) : bool :=
  match args with [Cast I32 U32 (Const 0)] => true | _ => false end.

Fixpoint strength_s (F : facts) (s : stmt gvar) (d : bool) : option bool :=
  match s with
  | Skip | Decl _ => Some d
  | Seq a b => match strength_s F a d with Some d' => strength_s (without (assigns a) F) b d' | None => None end
  | Assign _ e | Alias _ _ e => strength_e F e d
  | Store _ idx e => match strength_es F idx d with Some d' => strength_e F e d' | None => None end
  | Calls _ f args => if is_zero args then match callee (zero_name f) d with Some d' => Some d' | None => callee f d end
                      else match strength_es F args d with Some d' => callee_of F f args d' | None => None end
  | If c a b => match strength_e F c d with Some d' => both (strength_s F a d') (strength_s F b d') | None => None end
  | For x lo hi b =>
      match strength_es F [lo; hi] d with
      | Some d' => let F' := counted F x lo hi b in
                   match strength_s F' b d' with
                   | Some d2 => if Bool.eqb d2 d' then Some d' else both (Some true) (strength_s F' b true)
                   | None => None end
      | None => None end
  | Ret es => strength_es F es d
  end.
End Text.

Fixpoint strength {gvar} (prim : string -> bool -> option bool) (P : program gvar) (f : string) (d : bool) : option bool :=
  match P with
  | [] => prim f d
  | x :: P' => if String.eqb (fname x) f then strength_s (strength prim P') [] (body x) d else strength prim P' f d
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
(* The rest needs to be locked for what the first can give. *)
Lemma lock_then : forall A B d d1 d2 (m : M S A) (f : A -> M S B),
  lock d d1 m -> (forall a s t, m s = Some (a, t) -> lock d1 d2 (f a)) -> weaker d1 d2 -> lock d d2 (bind m f).
Proof.
  intros A B d d1 d2 m f (W & G & L) F W'. split; [intro; auto|]. split.
  - intros s b t E. unfold bind in E. destruct (m s) as [[a s']|] eqn:X; [|discriminate].
    destruct (F a _ _ X) as (_ & G' & _). eapply le_trans; eauto.
  - intros s1 s2 s3 b1 u1 b2 u2 b3 u3 H E1 E2 E3 P. unfold bind in *.
    destruct (m s1) as [[a1 t1]|] eqn:X1; [|discriminate]. destruct (m s2) as [[a2 t2]|] eqn:X2; [|discriminate].
    destruct (m s3) as [[a3 t3]|] eqn:X3; [|discriminate].
    assert (P' : Pre t1 t2).
    { destruct (F a1 _ _ X1) as (_ & G1 & _). destruct (F a2 _ _ X2) as (_ & G2 & _). eapply Pre_le; eauto. }
    destruct (L _ _ _ _ _ _ _ _ _ H X1 X2 X3 P') as (-> & -> & H'). destruct (F a1 _ _ X1) as (_ & _ & L'). eapply L'; eauto.
Qed.
Lemma lock_bind : forall A B d d1 d2 (m : M S A) (f : A -> M S B),
  lock d d1 m -> (forall a, lock d1 d2 (f a)) -> weaker d1 d2 -> lock d d2 (bind m f).
Proof. intros. eapply lock_then; eauto. Qed.
Lemma lock_if : forall A d d1 d2 (b : bool) (m n : M S A), lock d d1 m -> lock d d2 n -> lock d (d1 || d2) (if b then m else n).
Proof.
  intros A d d1 d2 b m n H K. destruct b; eapply lock_to; eauto; intros ->; [reflexivity|apply orb_true_r].
Qed.
Lemma lock_rounds : forall A R (I : A -> Prop) d d' n i (a : A) (b : Z -> A -> M S (C_monad.outcome A R)),
  (forall j a, i <= j < i + Z.of_nat n -> I a -> lock d d' (b j a) /\ lock d' d' (b j a)) ->
  (forall j a s a' t, I a -> b j a s = Some (Next a', t) -> I a') -> I a -> weaker d d' -> lock d d' (rounds n i a b).
Proof.
  intros A R I d d' n. revert d. induction n as [|n IH]; intros d i a b H K IA W; cbn [rounds].
  - eapply lock_to; [apply lock_ret|exact W].
  - eapply lock_then; [apply H; [lia|exact IA]| |intro; auto]. intros [a'|r] s t E; [|apply lock_ret].
    apply IH; [|exact K|eapply K; eauto|intro; auto]. intros j a2 J IA2. destruct (H j a2 ltac:(lia) IA2) as [_ H2]. auto.
Qed.

Variable load : gvar -> list Z -> M S Z.
Variable store : gvar -> list Z -> Z -> M S unit.
Variable prim : string -> list Z -> M S (list Z).
Variable strength_p : string -> bool -> option bool.
Hypothesis L : forall d g i, lock d d (load g i).
Hypothesis St : forall d g i v, lock d d (store g i v).
Hypothesis Pr : forall f d d' args, strength_p f d = Some d' -> lock d d' (prim f args).
Hypothesis PrS : forall f d d' args, strength_p (small_name f) d = Some d' -> small_args f args -> lock d d' (prim f args).
Hypothesis Pr0 : forall f d d', strength_p (zero_name f) d = Some d' -> lock d d' (prim f [0]).

Section Body.
Variable c : string -> list Z -> M S (list Z).
Variable ck : string -> bool -> option bool.
Hypothesis C : forall f d d' args, ck f d = Some d' -> lock d d' (c f args).
Hypothesis CS : forall f d d' args, ck (small_name f) d = Some d' -> small_args f args -> lock d d' (c f args).
Hypothesis C0 : forall f d d', ck (zero_name f) d = Some d' -> lock d d' (c f [0]).

Lemma both_some : forall x y d, both x y = Some d -> exists d1 d2, x = Some d1 /\ y = Some d2 /\ d = d1 || d2.
Proof. intros [d1|] [d2|] d H; try discriminate. injection H as <-. eauto. Qed.

Lemma lock_callee : forall F f (args : list (expr gvar)) d d' vs, callee_of ck F f args d = Some d' -> (small F f args = true -> small_args f vs) -> lock d d' (c f vs).
Proof.
  intros F f args d d' vs E SM. unfold callee_of in E. destruct (small F f args); [|eauto]. destruct (ck (small_name f) d) eqn:X; [injection E as <-|]; eauto.
Qed.

Definition good (F : facts) (e : expr gvar) : Prop := forall l d d', fits F l -> strength_e ck F e d = Some d' -> lock d d' (eval load c l e).
Lemma lock_all : forall F (es : list (expr gvar)), Forall (good F) es -> forall l d d', fits F l -> strength_es ck F es d = Some d' -> lock d d' (mapM (eval load c l) es).
Proof.
  intros F es H. induction H as [|e es G _ IH]; intros l d d' FI E; cbn [strength_es mapM] in *.
  - injection E as <-. apply lock_ret.
  - destruct (strength_e ck F e d) as [d1|] eqn:X; [|discriminate]. pose proof (IH l _ _ FI E) as K.
    eapply lock_bind; [exact (G l _ _ FI X)| |apply K]. intro a. eapply lock_bind; [exact K| |intro; auto]. intro. apply lock_ret.
Qed.

(* What a call may do to the strength does not depend on what its arguments are, but for those that are small. *)
Lemma callee_weaker : forall F f (args : list (expr gvar)) d d', callee_of ck F f args d = Some d' -> weaker d d'.
Proof.
  intros F f args d d' E. unfold callee_of in E. destruct (small F f args); [|apply (C _ _ _ [] E)].
  destruct (ck (small_name f) d) eqn:X; [injection E as ->|apply (C _ _ _ [] E)].
  apply (CS _ _ _ (repeat 0 2) X). unfold small_args, key_of, limit. destruct (String.eqb f "fp_load"); exists 0; (split; [reflexivity|lia]).
Qed.

Lemma weaker_es : forall F (es : list (expr gvar)), Forall (fun e => forall d d', strength_e ck F e d = Some d' -> weaker d d') es -> forall d d', strength_es ck F es d = Some d' -> weaker d d'.
Proof.
  intros F es H. induction H as [|e es H _ IH]; intros d d' E; cbn [strength_es] in E; [injection E as <-; intro; auto|].
  destruct (strength_e ck F e d) as [d1|] eqn:X; [|discriminate]. intro Q. exact (IH _ _ E (H _ _ X Q)).
Qed.
Lemma weaker_e : forall F (e : expr gvar) d d', strength_e ck F e d = Some d' -> weaker d d'.
Proof.
  intro F. induction e using expr_rect'; intros d d' E; cbn [strength_e] in E;
    try (match type of E with match ?x with _ => _ end = _ => change x with (strength_es ck F args d) in E end;
         destruct (strength_es ck F args d) as [d1|] eqn:X; [|discriminate]; intro Q; exact (callee_weaker _ _ _ _ _ E (weaker_es _ _ H _ _ X Q)));
    try (injection E as <-; intro; auto; fail); try (eapply weaker_es; eauto; fail); try (eauto; fail).
  all: match type of E with match strength_e _ _ ?e ?d with _ => _ end = _ => destruct (strength_e ck F e d) as [d1|] eqn:X; [|discriminate] end.
  all: intro Q; try exact (IHe2 _ _ E (IHe1 _ _ X Q)).
  apply both_some in E as (da & db & A & B & ->). apply orb_true_intro. left. exact (IHe2 _ _ A (IHe1 _ _ X Q)).
Qed.
Lemma weaker_es' : forall F (es : list (expr gvar)) d d', strength_es ck F es d = Some d' -> weaker d d'.
Proof. intros F es d d'. apply weaker_es, Forall_forall. intros e _. apply weaker_e. Qed.
Lemma weaker_s : forall (s : stmt gvar) F d d', strength_s ck F s d = Some d' -> weaker d d'.
Proof.
  induction s; intros F d d' E; cbn [strength_s] in E; try (injection E as <-; intro; auto; fail); try (eapply weaker_e; eauto; fail); try (eapply weaker_es'; eauto; fail).
  - destruct (strength_s ck F s1 d) as [d1|] eqn:X; [|discriminate]. intro Q. exact (IHs2 _ _ _ E (IHs1 _ _ _ X Q)).
  - destruct (strength_es ck F idx d) as [d1|] eqn:X; [|discriminate]. intro Q. exact (weaker_e _ _ _ _ E (weaker_es' _ _ _ _ X Q)).
  - destruct (is_zero args).
    + destruct (ck (zero_name f) d) as [d1|] eqn:X; [injection E as <-; exact (proj1 (C0 _ _ _ X))|exact (proj1 (C _ _ _ [] E))].
    + destruct (strength_es ck F args d) as [d1|] eqn:X; [|discriminate]. intro Q. exact (callee_weaker _ _ _ _ _ E (weaker_es' _ _ _ _ X Q)).
  - destruct (strength_e ck F c0 d) as [d1|] eqn:X; [|discriminate]. apply both_some in E as (da & db & A & B & ->).
    intro Q. apply orb_true_intro. left. exact (IHs1 _ _ _ A (weaker_e _ _ _ _ X Q)).
  - destruct (strength_es ck F [lo; hi] d) as [d1|] eqn:X; [|discriminate]. apply weaker_es' in X. cbv zeta in E.
    destruct (strength_s ck (counted F x lo hi s) s d1) as [d2|] eqn:Z; [|discriminate]. destruct (Bool.eqb d2 d1); [injection E as <-; exact X|].
    apply both_some in E as (da & db & A & B & ->). injection A as <-. intro; reflexivity.
Qed.

Lemma lock_eval : forall F e, good F e.
Proof.
  intro F. induction e using expr_rect'; intros l d d' FI E; cbn [strength_e eval] in *.
  - injection E as <-. apply lock_ret.
  - injection E as <-. apply lock_lift.
  - pose proof (lock_all _ _ H l _ _ FI E) as K. eapply lock_bind; [exact K|intro; apply L|intro; auto].
  - eapply lock_bind; [eauto|intro; apply lock_lift|intro; auto].
  - eapply lock_bind; [eauto|intro; apply lock_lift|intro; auto].
  - destruct (strength_e ck F e1 d) as [d1|] eqn:X; [|discriminate]. pose proof (IHe2 l _ _ FI E) as K.
    eapply lock_bind; [eauto| |apply K]. intro v. eapply lock_bind; [exact K|intro; apply lock_lift|intro; auto].
  - eapply lock_bind; [eauto|intro; apply lock_ret|intro; auto].
  - destruct (strength_e ck F e1 d) as [d1|] eqn:X; [|discriminate]. pose proof (IHe2 l _ _ FI E) as K.
    eapply lock_bind; [eauto| |apply K]. intro v. destruct (v =? 0); [eapply lock_to; [apply lock_ret|apply K]|].
    eapply lock_bind; [exact K|intro; apply lock_ret|intro; auto].
  - destruct (strength_e ck F e1 d) as [d1|] eqn:X; [|discriminate]. pose proof (IHe2 l _ _ FI E) as K.
    eapply lock_bind; [eauto| |apply K]. intro v. destruct (v =? 0); [|eapply lock_to; [apply lock_ret|apply K]].
    eapply lock_bind; [exact K|intro; apply lock_ret|intro; auto].
  - destruct (strength_e ck F e1 d) as [d1|] eqn:X; [|discriminate]. apply both_some in E as (da & db & A & B & ->).
    pose proof (IHe2 l _ _ FI A) as KA. pose proof (IHe3 l _ _ FI B) as KB.
    eapply lock_bind; [eauto| |intro Z; apply orb_true_intro; left; now apply KA].
    intro v. rewrite orb_comm. now apply lock_if.
  - match type of E with match ?x with _ => _ end = _ => change x with (strength_es ck F args d) in E end.
    destruct (strength_es ck F args d) as [d1|] eqn:X; [|discriminate].
    eapply lock_then; [exact (lock_all _ _ H l _ _ FI X)| |exact (callee_weaker _ _ _ _ _ E)]. intros vs s t M.
    assert (KC : lock d1 d' (c f vs)) by (eapply lock_callee; [exact E|intro SM; eapply small_sound; eauto]).
    eapply lock_bind; [exact KC|intro; apply lock_lift|intro; auto].
Qed.

Lemma lock_evals : forall F (es : list (expr gvar)) l d d', fits F l -> strength_es ck F es d = Some d' -> lock d d' (mapM (eval load c l) es).
Proof. intros F es l d d' FI E. eapply lock_all; eauto. apply Forall_forall. intros. apply lock_eval. Qed.

Lemma lock_exec : forall (s : stmt gvar) F l d d', fits F l -> strength_s ck F s d = Some d' -> lock d d' (exec load store c s l).
Proof.
  induction s; intros F l d d' FI E; cbn [strength_s exec] in *.
  - injection E as <-. apply lock_ret.
  - destruct (strength_s ck F s1 d) as [d1|] eqn:X; [|discriminate].
    pose proof (weaker_s _ _ _ _ E) as W.
    eapply lock_then; [eauto| |exact W].
    intros [l'|r] st st' EX; [eapply IHs2; [eapply fits_without; eauto|exact E]|]. eapply lock_to; [apply lock_ret|exact W].
  - injection E as <-. apply lock_ret.
  - eapply lock_bind; [eapply lock_eval; eauto|intro; apply lock_ret|intro; auto].
  - destruct (strength_es ck F idx d) as [d1|] eqn:X; [|discriminate]. pose proof (lock_eval F e l _ _ FI E) as K.
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
    + destruct (strength_es ck F args d) as [d1|] eqn:X; [|discriminate].
      eapply lock_then; [eapply lock_evals; eauto| |exact (callee_weaker _ _ _ _ _ E)].
      intros vs s t M. apply K. eapply lock_callee; [exact E|intro SM; eapply small_sound; eauto].
  - eapply lock_bind; [eapply lock_eval; eauto| |intro; auto]. intro v.
    eapply lock_bind; [|intro; apply lock_ret|intro; auto]. unfold index. destruct (_ && _); [apply lock_ret|apply lock_crash].
  - destruct (strength_e ck F c0 d) as [d1|] eqn:X; [|discriminate]. apply both_some in E as (da & db & A & B & ->).
    pose proof (IHs1 _ l _ _ FI A) as KA. pose proof (IHs2 _ l _ _ FI B) as KB.
    eapply lock_bind; [eapply lock_eval; eauto| |intro Z; apply orb_true_intro; left; now apply KA].
    intro v. rewrite orb_comm. now apply lock_if.
  - cbn [strength_es] in E. destruct (strength_e ck F lo d) as [d0|] eqn:X; [|discriminate].
    destruct (strength_e ck F hi d0) as [d1|] eqn:Y; [|discriminate]. destruct (strength_s ck (counted F x lo hi s) s d1) as [d2|] eqn:Z; [|discriminate].
    assert (G : weaker d1 d' /\ forall l', fits (counted F x lo hi s) l' -> lock d1 d' (exec load store c s l') /\ lock d' d' (exec load store c s l')).
    { destruct (Bool.eqb d2 d1) eqn:Q.
      - injection E as <-. apply eqb_prop in Q. subst d2. split; [intro; auto|]. split; eauto.
      - apply both_some in E as (da & db & A & B & ->). injection A as <-. cbn [orb] in *.
        split; [intro; reflexivity|]. intros l' FL. pose proof (IHs _ l' _ _ FL B) as KB.
        split; [eapply lock_to; [eapply IHs; eauto|intro; reflexivity]|].
        eapply lock_to; [exact KB|intro; reflexivity]. }
    destruct G as [W G]. pose proof (lock_eval F hi l _ _ FI Y) as KH.
    eapply lock_then; [eapply lock_eval; eauto| |intro Q; apply W, KH; exact Q]. intros i si ti EI.
    eapply lock_then; [exact KH| |exact W]. intros n sn tn EN. unfold loop_ret. apply lock_rounds with (I := before F x s); auto.
    + intros j a J B. apply G. eapply fits_counted; eauto. lia.
    + intros j a st a' st' B EX. eapply before_next; eauto.
    + now apply before_first.
  - eapply lock_bind; [eapply lock_evals; eauto|intro; apply lock_ret|intro; auto].
Qed.

Lemma lock_body : forall x args d d', strength_s ck [] (body x) d = Some d' -> lock d d' (call_body load store c x args).
Proof.
  intros x args d d' E. unfold call_body. pose proof (fun l => lock_exec (body x) [] l _ _ (fun y n I => match I with end) E) as K.
  eapply lock_bind; [apply lock_lift| |apply (K (fun _ => None))]. intro l. eapply lock_bind; [apply K| |intro; auto].
  intros [l'|r]; [destruct (Nat.eqb _ _)|destruct (Nat.eqb _ _)]; apply lock_ret || apply lock_crash.
Qed.
End Body.

(* A name with a blank is no function's, and only a primitive has one of its own. *)
Definition plain (P : program gvar) : Prop := forall x, In x P ->
  (forall f, fname x <> zero_name f /\ fname x <> small_name f) /\
  (forall d, strength_p (zero_name (fname x)) d = None /\ strength_p (small_name (fname x)) d = None).

Lemma zero_strength : forall (P : program gvar), plain P -> forall f d, strength strength_p P (zero_name f) d = strength_p (zero_name f) d /\
  strength strength_p P (small_name f) d = strength_p (small_name f) d.
Proof.
  induction P as [|x P IH]; intros N f d; cbn [strength]; auto. destruct (N x (or_introl eq_refl)) as [Q _]. destruct (Q f) as [Q1 Q2].
  destruct (String.eqb_spec (fname x) (zero_name f)); [contradiction|]. destruct (String.eqb_spec (fname x) (small_name f)); [contradiction|].
  apply IH. intros y I. apply N. now right.
Qed.

Theorem lock_den : forall (P : program gvar), plain P ->
  (forall f d d' args, strength strength_p P f d = Some d' -> lock d d' (den load store prim P f args)) /\
  (forall f d d' args, strength strength_p P (small_name f) d = Some d' -> small_args f args -> lock d d' (den load store prim P f args)) /\
  (forall f d d', strength strength_p P (zero_name f) d = Some d' -> lock d d' (den load store prim P f [0])).
Proof.
  induction P as [|x P IH]; intro N; cbn [strength den]; [split; [|split]; eauto|].
  assert (N' : plain P) by (intros y I; apply N; now right). destruct (IH N') as (I1 & IS & I2). destruct (N x (or_introl eq_refl)) as [Q1 Q2]. split; [|split].
  - intros f d d' args E. destruct (String.eqb_spec (fname x) f) as [Q|Q]; [|auto]. eapply lock_body; eauto.
  - intros f d d' args E SM. destruct (String.eqb_spec (fname x) (small_name f)); [now elim (proj2 (Q1 f))|].
    destruct (String.eqb_spec (fname x) f) as [<-|]; [|auto]. destruct (zero_strength P N' (fname x) d) as [_ Z]. rewrite Z, (proj2 (Q2 d)) in E. discriminate.
  - intros f d d' E. destruct (String.eqb_spec (fname x) (zero_name f)); [now elim (proj1 (Q1 f))|].
    destruct (String.eqb_spec (fname x) f) as [<-|]; [|auto]. destruct (zero_strength P N' (fname x) d) as [Z _]. rewrite Z, (proj1 (Q2 d)) in E. discriminate.
Qed.
End Lock.
