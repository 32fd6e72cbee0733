(* SPDX-License-Identifier: Apache-2.0 *)
(* What a label feeds the lone machine of spec/Isolation.v, without the words. *)
From Coq Require Import ZArith List Bool Lia ZifyBool.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import Step.
From nie.spec Require Released Isolation.
From nie.spec Require State.
From nie.proof.security Require Import Fed Places Mapped.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

Definition shapes (m : Z -> Isolation.content) (y : Z) : shape := shape_of (m y).
Notation fed l m := (fold_left Isolation.feed l m).

(** What a label feeds, without the words. *)

Lemma built_shape : forall f c, shape_of (built f c) = filled (shape_of c).
Proof. now intros f []. Qed.
Lemma taken_shape : forall c, shape_of (taken c) = emptied (shape_of c).
Proof. now intros []. Qed.
Lemma reopened_shape : forall c, shape_of (reopened c) = opened (shape_of c).
Proof. now intros []. Qed.
Lemma row_shape : forall (f : Z -> Isolation.input) h x n m y, (forall i, place_of (f i) = x + i) -> (forall i c, shape_of (change_of (f i) c) = h (shape_of c)) -> 0 <= n ->
  shapes (fed (map f (numbers (Z.to_nat n))) m) y = row x n h (shapes m) y.
Proof.
  intros f h x n m y F H N. unfold shapes, row, among. rewrite (row_at f x _ m y F), Z2Nat.id by exact N. now destruct (_ && _); rewrite ?H.
Qed.
Lemma one_shape : forall x m y, shapes (fed [Isolation.Reopen x] m) y = row x 1 opened (shapes m) y.
Proof.
  intros. cbn [fold_left]. unfold shapes, row, among. rewrite feed_at. cbn [place_of change_of]. destruct (Z.eqb_spec y x) as [->|N].
  - replace ((x <=? x) && (x <? x + 1)) with true by lia. apply reopened_shape.
  - now replace ((x <=? y) && (y <? x + 1)) with false by lia.
Qed.
Lemma row_ext : forall x n h q q' y, q y = q' y -> row x n h q y = row x n h q' y.
Proof. intros x n h q q' y E. unfold row. now rewrite E. Qed.

Section Feeds.
Variables (w : Released.who) (s s' : Step.machine) (g : log) (c : Z) (e : exception) (ins : nat -> Z) (d : list (list act)).
Let l := Trap c e ins d.
Notation feeds := (Isolation.feeds w s s' g l).
Notation own := (Isolation.own_stores w g).
Lemma own_shapes : forall m y, shapes (fed own m) y = shapes m y.
Proof. intros. unfold shapes. apply own_shape, own_stores_own. Qed.

(* Of a call that comes back to the host. *)
Lemma call_feeds : forall f a st m y, Released.host_call_of s s' l = Some (f, a, st) -> (forall i, 0 <= a i) -> Released.runs_b s c (Released.vmid_of w) = false ->
  shapes (fed feeds m) y = after (Released.vm w) f a st (shapes m) y.
Proof.
  intros f a st m y H NN R. unfold l in *. unfold Isolation.feeds. cbv beta iota zeta. unfold Released.succeeded. rewrite H, R. cbn [andb]. rewrite app_nil_r. unfold after.
  assert (E : forall k, ((f =? k) && (a 1 =? Released.vm w) && (st =? NIE_OK))%bool = (((a 1 =? Released.vm w) && (st =? NIE_OK)) && (f =? k))%bool) by (intro k; destruct (f =? k), (a 1 =? Released.vm w), (st =? NIE_OK); reflexivity).
  rewrite !E. destruct ((a 1 =? Released.vm w) && (st =? NIE_OK))%bool; cbn [andb negb app].
  2:{ rewrite app_nil_r. apply own_shapes. }
  destruct (Z.eqb_spec f NIE_PAGE_ADD) as [->|N1].
  { change (NIE_PAGE_ADD =? NIE_PAGE_ADD_ZERO) with false. change (NIE_PAGE_ADD =? NIE_PAGE_REMOVE) with false. cbn [orb app]. rewrite app_nil_r, fold_left_app, own_shapes.
    apply row_shape; [reflexivity|intros; apply built_shape|apply NN]. }
  destruct (Z.eqb_spec f NIE_PAGE_ADD_ZERO) as [->|N2].
  { change (NIE_PAGE_ADD_ZERO =? NIE_PAGE_REMOVE) with false. cbn [orb app]. rewrite app_nil_r, fold_left_app, own_shapes. apply row_shape; [reflexivity|intros; apply built_shape|apply NN]. }
  cbn [orb app]. destruct (Z.eqb_spec f NIE_PAGE_REMOVE) as [->|N3]; [|rewrite app_nil_r; apply own_shapes].
  rewrite fold_left_app. rewrite (row_shape _ emptied (a 2 / 4096)); [|reflexivity|intros; apply taken_shape|apply NN]. apply row_ext, own_shapes.
Qed.
Definition reopens : bool := Released.runs_b s c (Released.vmid_of w) && (Released.is_sync e EC_HVC64 || Released.is_sync e EC_SMC64) && (x s c 0 mod 2 ^ 32 =? NIE_VM_PAGE_REOPEN) && (x s' c 0 =? NIE_OK).
Lemma other_feeds : forall m y, Released.host_call_of s s' l = None ->
  shapes (fed feeds m) y = if reopens then row (x s c 1 mod 2 ^ 64 / 4096) 1 opened (shapes m) y else shapes m y.
Proof.
  intros m y H. unfold l in *. unfold Isolation.feeds. cbv beta iota zeta. unfold Released.succeeded. rewrite H. cbn [app]. fold reopens. destruct reopens.
  - rewrite fold_left_app, one_shape. apply row_ext, own_shapes.
  - rewrite app_nil_r. apply own_shapes.
Qed.
End Feeds.

(** Which pages come and go with a label, between two states of the specification. *)

Definition argument (s s' : Step.machine) (l : label) (i : Z) : Z := match Released.host_call_of s s' l with Some (_, a, _) => a i | None => 0 end.
Definition comes_and_goes (w : Released.who) (a b : State.state) (s s' : Step.machine) (l : label) : Prop :=
  let v := Released.vm w in let ok f := Released.succeeded f w s s' l = true in let arg := argument s s' l in
  (forall y p, at_ipa b v y = There p -> at_ipa a v y = There p \/ (at_ipa a v y = Nothing /\ (ok NIE_PAGE_ADD \/ ok NIE_PAGE_ADD_ZERO) /\
     among (arg 2 / 4096) (arg 4) y = true /\ p = arg 3 / 4096 + (y - arg 2 / 4096) /\ State.own a p = State.Host)) /\
  (ok NIE_PAGE_REMOVE -> forall y, among (arg 2 / 4096) (arg 3) y = true -> at_ipa b v y = Gone).
Lemma nothing_comes : forall w a b s s' l, (forall f, Released.succeeded f w s s' l = true -> f <> NIE_PAGE_REMOVE) ->
  (forall y p, at_ipa b (Released.vm w) y = There p -> at_ipa a (Released.vm w) y = There p) -> comes_and_goes w a b s s' l.
Proof. intros w a b s s' l N H. split; [intros y p T; left; now apply H|]. intro K. now elim (N _ K). Qed.
