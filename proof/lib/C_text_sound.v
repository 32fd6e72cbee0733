(* SPDX-License-Identifier: Apache-2.0 *)
(* The readable text means what model/C.v says: whenever it succeeds, so does the deep term's
   denotation, with the same result and state. *)
From Coq Require Import ZArith List String Bool Lia.
From nie.lib Require Import C_text C_const_sound C_expr_sound C_join.
From nie.lib Require Export C_order.
Import ListNotations.
Open Scope Z_scope.

Lemma known_get : forall en x, known en x = false -> get x en = None.
Proof. unfold known; intros en x H. now destruct (get x en). Qed.

Lemma mem_filter : forall f x l, mem x (filter f l) = mem x l && f x.
Proof.
  induction l as [|y l IH]; simpl; trivial. destruct (f y) eqn:F; simpl; rewrite IH;
    destruct (String.eqb_spec x y) as [->|]; simpl; rewrite ?F; trivial. now rewrite andb_false_r.
Qed.

Lemma sides_known : forall en x v p q, get x en = Some v -> (known en x || p) && (known en x || q) = true.
Proof. unfold known; intros en x v p q ->. reflexivity. Qed.

Section Sound.
Context {St : Type}.
Context {gvar : Type}.
Variable load : gvar -> list Z -> M St Z.
Variable store : gvar -> list Z -> Z -> M St unit.
Variable callee : string -> list Z -> M St (list Z).
Variable table : list (string * fsem St).
Hypothesis callees : agrees callee table.
Notation exec' := (exec load store callee).
Notation ex_ok := (ex_ok load store callee table).
Let ev_sound := ev_sound load callee table callees.
Let each_ok := each_ok load callee table.
Let join_sound := @join_sound St.
Let frame := frame load store callee.
Let rounds_ok := rounds_ok load store callee table.
Let rounds'_ok := rounds'_ok load store callee table.

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
