(* SPDX-License-Identifier: Apache-2.0 *)
(* A page that nobody but one VM reaches, whether that VM runs or not, changes by the VM's stores alone as long as the engine's own
   effects leave it: of a log (spec/Step.v), and of hardware only. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import Step Kept.
From nie.spec Require Isolation.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* Nobody else reaches it. Unlike had_alone (spec/Kept.v) it holds of a VM that runs nowhere, and while a block is being split. *)
Definition at_most (v p : Z) (h : Machine.hw) : Prop := forall v', reached h v' p -> v' = v.
Definition log_at_most (v p : Z) (g : log) : Prop := forall n, In n g -> at_most v p (fst n).

Section Page.
Variables (v p i : Z).
Hypothesis I : is_word i = true.
Notation word h := (Map.get (Machine.mem h) (p * 512 + i)).

Lemma act_kept : forall a h, at_most v p h -> word (act_step a h) = after_act v p i (h, Some a) (word h).
Proof.
  intros a h M. destruct a; cbn [act_step after_act]; try reflexivity.
  - destruct (nth_error (tlb h) n); auto. now destruct (is_table _ _ && _ && _ && _)%bool.
  - destruct (nth_error (tlb h) n) as [e|] eqn:E; auto. unfold Isolation.stores. rewrite E.
    destruct (is_leaf (Machine.level e) (Machine.desc e) && is_word i0 && (0 <=? o) && (o <? covers (Machine.level e)) && (root_vmid h (Machine.cpu e) =? Machine.vmid e) &&
      negb (Machine.cpu e =? me h))%bool eqn:B; [|now rewrite andb_false_r].
    rewrite andb_true_r. change (Machine.mem (h <| Machine.mem ::= fun m => Map.set m ((first_page (Machine.level e) (Machine.desc e) + o) * 512 + i0) v0 |>))
      with (Map.set (Machine.mem h) ((first_page (Machine.level e) (Machine.desc e) + o) * 512 + i0) v0).
    repeat match goal with H : (_ && _)%bool = true |- _ => apply andb_prop in H as [H ?] end.
    assert (WO : forall q j, is_word j = true -> (q * 512 + j =? p * 512 + i) = (q =? p) && (j =? i)) by (intros q j J; unfold is_word in *; lia).
    rewrite Map.get_set, Z.eqb_sym, WO by assumption. destruct (Z.eqb_spec (first_page (Machine.level e) (Machine.desc e) + o) p) as [EP|]; [|now rewrite andb_false_r].
    rewrite (M (Machine.vmid e)); [now rewrite Z.eqb_refl|].
    exists (Machine.level e), (Machine.key e), (Machine.desc e). split; [apply av_tlb; eapply nth_error_In; eauto|]. split; [assumption|]. lia.
  - now destruct ((0 <=? c) && _ && _ && _)%bool.
Qed.

Lemma acting_kept : forall l h, log_at_most v p (acting l h) ->
  word (fold_left (fun h a => met (act_step a h)) l h) = after_log v p i (acting l h) (word h).
Proof.
  induction l as [|a l IH]; intros h M; cbn [fold_left acting] in *; [reflexivity|].
  rewrite IH by (intros n IN; apply M; now right). unfold after_log. cbn [fold_left]. f_equal.
  change (word (met (act_step a h))) with (word (act_step a h)). apply act_kept, (M (h, Some a)). now left.
Qed.

Lemma way_kept : forall h, log_at_most v p (way h) -> word (others h) = after_log v p i (way h) (word h).
Proof.
  intros h M. unfold way, others in *. destruct (during h) as [|l rest]; [reflexivity|]. exact (acting_kept l (met (h <| during := rest |>)) M).
Qed.
End Page.

(* From one state to another, by a log. *)
Definition kept_by (p : Z) (h : Machine.hw) (g : log) (h' : Machine.hw) : Prop := forall v i, is_word i = true -> log_at_most v p g ->
  Map.get (Machine.mem h') (p * 512 + i) = after_log v p i g (Map.get (Machine.mem h) (p * 512 + i)).
Lemma kept_nil : forall p h, kept_by p h [] h.
Proof. intros p h v i _ _. reflexivity. Qed.
Lemma kept_app : forall p h g h' g' h2, kept_by p h g h' -> kept_by p h' g' h2 -> kept_by p h (g ++ g') h2.
Proof.
  intros p h g h' g' h2 A B v i I M. rewrite (B v i I), (A v i I) by (intros n N; apply M, in_or_app; auto).
  unfold after_log. now rewrite fold_left_app.
Qed.

(* Before the VM reaches the page nothing of the log is a store of its own there. *)
Lemma unreached_log : forall v p i g w, (forall n, In n g -> ~ reached (fst n) v p) -> after_log v p i g w = w.
Proof.
  intros v p i. induction g as [|[h a] g IH]; intros w N; [reflexivity|]. unfold after_log. cbn [fold_left].
  replace (after_act v p i (h, a) w) with w; [apply IH; intros n M; apply N; now right|]. specialize (N (h, a) (or_introl eq_refl)). cbn [fst] in N.
  destruct a as [[| | |n o j x|]|]; try reflexivity. cbn [after_act]. destruct (nth_error (tlb h) n) as [e|] eqn:E; [|reflexivity].
  destruct (_ && _ && _ && _)%bool eqn:B; [|reflexivity]. exfalso. apply N. unfold Isolation.stores in B. rewrite E in B.
  repeat match goal with H : (_ && _)%bool = true |- _ => apply andb_prop in H as [H ?] end.
  assert (V : Machine.vmid e = v) by lia. rewrite <- V. exists (Machine.level e), (Machine.key e), (Machine.desc e).
  split; [apply av_tlb; eapply nth_error_In; eauto|]. split; [assumption|]. lia.
Qed.

(* After a log a page holds what it held when it was given, and what its VM has stored since. *)
Definition kept_from (v p : Z) (c : Z -> Z) (g : log) (h : Machine.hw) : Prop := forall i, is_word i = true ->
  Map.get (Machine.mem h) (p * 512 + i) = after_log v p i g (c i).
