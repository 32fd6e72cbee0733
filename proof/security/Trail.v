(* SPDX-License-Identifier: Apache-2.0 *)
(* A handler as others see it: at each primitive they act, then comes an effect, of which all but a few kinds are hidden from them. Two
   handlers whose effects that are not hidden are the same, counted from the end, and in which the same is heard, leave machines
   that differ no more than before: whatever else they did, and however long what they did before was. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import Core Step Isolation.
From nie.proof.security Require Import Alike Handler Apart.
From nie.model Require Import Machine.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* [Hidden]: nothing that another finds. [Tells]: a word that the host reads. [Base]: another table base on this CPU. [Barrier]: a DSB. *)
Inductive effect := Hidden | Tells (p i x : Z) | Base (base : Z) | Barrier.

Section Trail.
Variable w : who.
Variables T Cs : Z -> Prop.
Notation apart := (apart w T Cs).
Notation fine := (fine w T).

Definition based (base : Z) (h : Machine.hw) : Machine.hw := h <| reg ::= fun m => Map.set m (me h * 128 + VTTBR_EL2) base |>.
Definition does_effect (f : effect) (h h' : Machine.hw) : Prop :=
  match f with
  | Hidden => apart h h'
  | Tells p i x => is_word i = true /\ h' = told_word p i x h
  | Base base => Cs (me h) /\ h' = based base h
  | Barrier => h' = complete h
  end.
Inductive trail : Machine.hw -> list effect -> log -> Machine.hw -> Prop :=
| trail_end h : trail h [] [] h
| trail_next h f h1 l g h' : does_effect f (others h) h1 -> trail h1 l g h' -> trail h (f :: l) (way h ++ g) h'.

Lemma trail_app : forall h l g h1, trail h l g h1 -> forall l' g' h', trail h1 l' g' h' -> trail h (l ++ l') (g ++ g') h'.
Proof.
  intros h l g h1 H. induction H as [|h f h1 l g h2 E H IH]; intros l' g' h' K; [exact K|]. cbn [app]. rewrite <- app_assoc. eapply trail_next; eauto.
Qed.

(** Counting. *)

Definition primitives (l : list (option event)) : nat := length (filter (fun e => match e with None => true | _ => false end) l).
Lemma primitives_app : forall x y, primitives (x ++ y) = (primitives x + primitives y)%nat.
Proof. intros x y. unfold primitives. rewrite filter_app, app_length. reflexivity. Qed.
Lemma primitives_way : forall h, primitives (tell w (way h)) = 1%nat.
Proof.
  intro h. rewrite way_acting. destruct (tell_acting w (first_acts h) (begun h)) as [x ->]. rewrite primitives_app.
  assert (E : primitives (map Some x) = 0%nat) by (induction x as [|y x IH]; [reflexivity|exact IH]). now rewrite E.
Qed.
Lemma trail_counts : forall h l g h', trail h l g h' -> primitives (tell w g) = length l.
Proof.
  intros h l g h' H. induction H as [|h f h1 l g h' E H IH]; [reflexivity|]. rewrite tell_app, primitives_app, primitives_way, IH. reflexivity.
Qed.

(** Side by side. *)

Lemma based_root : forall h base d, root_vmid (based base h) d = if d =? me h then base / 2 ^ 48 else root_vmid h d.
Proof.
  intros h base d. unfold root_vmid, vttbr. change (reg (based base h)) with (Map.set (reg h) (me h * 128 + VTTBR_EL2) base). rewrite Map.get_set. unfold VTTBR_EL2.
  assert (E : (d * 128 + 41 =? me h * 128 + 41) = (d =? me h)) by lia. rewrite E. now destruct (d =? me h).
Qed.
Lemma effect_apart : forall f h1 h2 k1 k2, apart h1 h2 -> does_effect f h1 k1 -> does_effect f h2 k2 -> apart k1 k2.
Proof.
  intros f h1 h2 k1 k2 A E1 E2. destruct f as [|p i x|base|]; cbn [does_effect] in *.
  - eapply apart_trans; [apply apart_sym; exact E1|]. eapply apart_trans; [exact A|exact E2].
  - destruct E1 as [W ->], E2 as [_ ->]. destruct A. constructor; auto. intros q j J N. cbn. rewrite !Map.get_set. destruct (_ =? _); auto.
  - destruct E1 as [M ->], E2 as [_ ->]. pose proof A as []. constructor; auto.
    + intro d. unfold vttbr, based, VTTBR_EL2 in *. cbn. rewrite ap_me, !Map.get_set. destruct (_ =? _); auto.
    + intros d r R N. unfold based, VTTBR_EL2. unfold REG_SWITCHED in R. cbn. rewrite ap_me, !Map.get_set. destruct (_ =? _); auto.
    + intros d D. rewrite based_root in D. destruct (Z.eqb_spec d (me h1)) as [Q|Q]; [rewrite Q; exact M|apply ap_its; exact D].
  - subst k1 k2. destruct A. constructor; auto. cbn. now rewrite ap_tlb.
Qed.
Lemma trails_apart : forall l h1 h2 g1 g2 k1 k2, trail h1 l g1 k1 -> trail h2 l g2 k2 -> apart h1 h2 ->
  Forall fine g1 -> Forall fine g2 -> tell w g1 = tell w g2 -> apart k1 k2.
Proof.
  induction l as [|f l IH]; intros h1 h2 g1 g2 k1 k2 H1 H2 A F1 F2 E; inversion H1; subst; inversion H2; subst; [exact A|].
  apply Forall_app in F1 as [F1 F1']. apply Forall_app in F2 as [F2 F2']. apply ways_split in E as [E E'].
  match goal with E1 : does_effect f (others h1) ?x1, E2 : does_effect f (others h2) ?x2 |- _ =>
    assert (B : apart x1 x2) by (eapply (effect_apart f (others h1) (others h2)); [apply others_apart; auto|exact E1|exact E2]) end.
  eapply IH; eauto.
Qed.

(* What is done last is the same; what comes before is hidden. *)
Theorem ends_apart : forall n1 n2 l h1 h2 g1 g2 k1 k2, trail h1 (repeat Hidden n1 ++ l) g1 k1 -> trail h2 (repeat Hidden n2 ++ l) g2 k2 -> apart h1 h2 ->
  Forall fine g1 -> Forall fine g2 -> tell w g1 = tell w g2 -> apart k1 k2.
Proof.
  intros n1 n2 l h1 h2 g1 g2 k1 k2 H1 H2 A F1 F2 E. assert (n2 = n1) as ->.
  { pose proof (trail_counts _ _ _ _ H1) as C1. pose proof (trail_counts _ _ _ _ H2) as C2. rewrite E, C2, !app_length, !repeat_length in C1. lia. }
  eapply trails_apart; eauto.
Qed.
End Trail.
