(* SPDX-License-Identifier: Apache-2.0 *)
(* A bound on who can reach what, for every state of a run: [A] holds what TLBs hold, where the CPUs' walks start, and what a
   walker may read next to it. It is lib/World.v's without memory and obligations, so that almost any primitive keeps it. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.lib Require Import World.
From nie.spec Require Import Step.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

Section Bound.
Variables (A : aset) (T : Z -> Z).

(* A store of [v] is no surprise to a walk: a word of a table of [A] becomes an entry of [A]. *)
Definition expected (q i v : Z) : Prop := valid v = true -> forall w l k d,
  A w l k d -> is_table l d = true -> frame d = q -> A w (l + 1) (k * 512 + i) v.

Record bounded (h : Machine.hw) : Prop := {
  b_tlb : forall e, In e (tlb h) -> A (vmid e) (level e) (key e) (desc e);
  b_root : forall c, A (root_vmid h c) 0 0 (root_desc h c);
  b_apart : apart A;
  b_vis : forall v l k d i d', A v l k d -> is_table l d = true -> is_word i = true -> valid d' = true ->
      visible h (frame d * 512 + i) d' = true -> A v (l + 1) (k * 512 + i) d';
  b_vttbr : forall c, vttbr h c = T c;
}.

Lemma bounded_avail : forall h v l k d, bounded h -> avail h v l k d -> A v l k d.
Proof.
  intros h v l k d B H. induction H as [e I|c|v l k d i d' H IH Tb I D S]; [now apply (b_tlb _ B)|apply (b_root _ B)|].
  eapply (b_vis _ B); eauto.
Qed.
Lemma bounded_reached : forall h v p, bounded h -> reached h v p -> exists l k d, A v l k d /\ maps l d p.
Proof. intros h v p B (l & k & d & H & M). exists l, k, d. split; auto. eapply bounded_avail; eauto. Qed.

(* What it speaks of. *)
Lemma bounded_same : forall h h', tlb h' = tlb h -> reg h' = reg h -> Machine.mem h' = Machine.mem h -> unseen h' = unseen h ->
  bounded h -> bounded h'.
Proof.
  intros h h' E1 E2 E3 E4 []. constructor; auto.
  - now rewrite E1.
  - intro c. specialize (b_root0 c). unfold root_vmid, root_desc, vttbr in *. now rewrite E2.
  - intros v l k d i d' H H' I D V. apply b_vis0 with d; auto. unfold visible in *. now rewrite <- E3, <- E4.
  - intro c. specialize (b_vttbr0 c). unfold vttbr in *. now rewrite E2.
Qed.
Lemma bounded_met : forall h, bounded h -> bounded (met h).
Proof. intro h. apply bounded_same; reflexivity. Qed.

Lemma bounded_fill : forall h e, bounded h -> A (vmid e) (level e) (key e) (desc e) -> bounded (h <| tlb ::= cons e |>).
Proof. intros h e [] H. constructor; auto. cbn. intros x [<-|I]; auto. Qed.
Lemma bounded_fewer : forall h l, bounded h -> (forall e, In e l -> In e (tlb h)) -> bounded (h <| tlb := l |>).
Proof. intros h l [] H. constructor; auto. Qed.

Lemma bounded_act : forall a h, bounded h -> bounded (act_step a h).
Proof.
  intros a h B. destruct a as [c|n i d|n|n o i v|c r v]; cbn [act_step].
  - apply bounded_fill; auto. apply (b_root _ B).
  - destruct (nth_error (tlb h) n) as [e|] eqn:E; auto. apply nth_error_In in E.
    destruct (is_table (level e) (desc e) && is_word i && valid d && visible h (frame (desc e) * 512 + i) d) eqn:C; auto.
    do 3 apply andb_prop in C as [C ?]. apply bounded_fill; auto. cbn. eapply (b_vis _ B); eauto. now apply (b_tlb _ B).
  - apply (bounded_fewer h (remove n (tlb h)) B). intros e I. now apply in_remove in I.
  - destruct (nth_error (tlb h) n) as [e|] eqn:E; auto. apply nth_error_In in E.
    destruct (is_leaf (level e) (desc e) && is_word i && (0 <=? o) && (o <? covers (level e)) &&
              (root_vmid h (cpu e) =? vmid e) && negb (cpu e =? me h)) eqn:C; auto.
    do 5 apply andb_prop in C as [C ?]. apply Z.leb_le in H2. apply Z.ltb_lt in H1.
    set (q := first_page (level e) (desc e) + o) in *.
    assert (TQ : touch A q).
    { exists (vmid e), (level e), (key e), (desc e). split; [now apply (b_tlb _ B)|]. split; auto. subst q; lia. }
    destruct B. constructor; auto. intros w l k d j d' X Y J D V. apply b_vis0 with d; auto. rewrite <- V. symmetry.
    apply visible_eq; [cbn|reflexivity]. apply get_set_other. intro F. apply word_inj in F as [F _]; auto.
    apply (b_apart0 w l k d X Y). now rewrite F.
  - destruct ((0 <=? c) && (0 <=? r) && (r <? REG_EL2) && negb (c =? me h)) eqn:C; auto.
    do 3 apply andb_prop in C as [C ?]. apply Z.leb_le in H1. apply Z.ltb_lt in H0. unfold REG_EL2 in H0.
    assert (U : forall c', vttbr (h <| reg ::= fun m => Map.set m (c * 128 + r) v |>) c' = vttbr h c').
    { intro c'. unfold vttbr; cbn. apply get_set_other. unfold VTTBR_EL2. lia. }
    destruct B. constructor; auto.
    + intro c'. destruct (root_eq h (h <| reg ::= fun m => Map.set m (c * 128 + r) v |>) c' (U c')) as [-> ->]. auto.
    + intro c'. now rewrite U.
Qed.

Lemma bounded_acting : forall l h, bounded h -> Forall (fun n => bounded (fst n)) (acting l h) /\
  bounded (fold_left (fun h a => met (act_step a h)) l h).
Proof.
  induction l as [|a l IH]; intros h B; cbn [acting fold_left]; [auto|].
  destruct (IH (met (act_step a h))) as [F G]; [now apply bounded_met, bounded_act|]. auto.
Qed.
Lemma bounded_way : forall h, bounded h -> Forall (fun n => bounded (fst n)) (way h) /\ bounded (others h).
Proof.
  intros h B. unfold way, others. destruct (during h) as [|l rest].
  - exact (bounded_acting [] (met h) (bounded_met _ B)).
  - apply bounded_acting, bounded_met. now apply (bounded_same h).
Qed.

(** Effects of primitives. *)

Lemma bounded_complete : forall h, bounded h -> bounded (complete h).
Proof.
  intros h B. assert (B' : bounded (h <| tlb := filter (fun e => negb (doomed e)) (tlb h) |>)).
  { apply bounded_fewer; auto. intros e I. now apply filter_In in I as [I _]. }
  destruct B'. constructor; auto. intros v l k d i d' X Y I D V. apply b_vis0 with d; auto. unfold visible in *. cbn in *.
  rewrite orb_false_r in V. now rewrite V.
Qed.
Lemma bounded_doom : forall f h, bounded h -> bounded (doom f h).
Proof.
  intros f h []. constructor; auto. cbn. intros e I. apply in_map_iff in I as (e' & <- & I). specialize (b_tlb0 e' I). now destruct (f e').
Qed.
Lemma bounded_store : forall q i v h, is_word i = true -> expected q i v -> bounded h -> bounded (store_word (q * 512 + i) v h).
Proof.
  intros q i v h J X B. assert (B' := B). destruct B'. constructor; auto. intros w l k d j d' Y Tb I D V. unfold visible, store_word in V. cbn in V.
  rewrite Map.get_set in V. destruct (Z.eqb_spec (frame d * 512 + j) (q * 512 + i)) as [E|E].
  - apply word_inj in E as [E ->]; auto. apply orb_prop in V as [V|V].
    + apply Z.eqb_eq in V. subst d'. now apply X with d.
    + rewrite E, Z.eqb_refl in V. cbn [andb] in V. apply b_vis0 with d; auto. unfold visible. rewrite E. exact V.
  - apply b_vis0 with d; auto. unfold visible. apply orb_prop in V as [V|V]; [now rewrite V|].
    apply orb_prop in V as [V|V]; [|rewrite V; apply orb_true_r]. apply andb_prop in V as [V _]. apply Z.eqb_eq in V. now destruct E.
Qed.
Lemma bounded_zero : forall n q i h, 0 <= i -> i + Z.of_nat n <= 512 -> bounded h -> bounded (zero_words n (q * 512 + i) h).
Proof.
  induction n as [|n IH]; intros q i h I J B; cbn [zero_words]; auto. replace (q * 512 + i + 1) with (q * 512 + (i + 1)) by lia.
  apply IH; try lia. apply bounded_store; auto; [unfold is_word; lia|]. intro V. discriminate.
Qed.
Lemma bounded_scrub : forall q h, bounded h -> bounded (scrub q h).
Proof. intros q h. apply bounded_same; reflexivity. Qed.
End Bound.

Lemma world_bounded : forall h0 A B m V h, world h0 A B m V h -> bounded B (vttbr h0) h.
Proof.
  intros h0 A B m V h W. constructor.
  - apply (w_tlb _ _ _ _ _ _ W).
  - intro c. apply (w_sub _ _ _ _ _ _ W), (w_root _ _ _ _ _ _ W).
  - apply (w_apart _ _ _ _ _ _ W).
  - intros v l k d i d' H T I D S. eapply (w_closed' _ _ _ _ _ _ W); eauto. eapply (w_vis _ _ _ _ _ _ W); eauto.
    eapply (w_apart _ _ _ _ _ _ W); eauto.
  - apply (f_vttbr _ _ (w_frame _ _ _ _ _ _ W)).
Qed.
