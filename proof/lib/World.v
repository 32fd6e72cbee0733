(* SPDX-License-Identifier: Apache-2.0 *)
(* What stays true while other CPUs act in mid-handler, and how each primitive moves it on.

   A set of (VMID, level, key, descriptor) bounds what walkers and TLBs may hold: [A] for what is there
   to stay, [B] for what a TLBI in progress will remove. [m] is memory where no entry of [B] reaches;
   [V w d]: d is valid, and walkers may read it in word w. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Definition aset := Z -> Z -> Z -> Z -> Prop.
Definition touch (B : aset) (p : Z) : Prop := exists v l k d, B v l k d /\ maps l d p.
Definition sub (A B : aset) : Prop := forall v l k d, A v l k d -> B v l k d.
Definition closed (A : aset) (V : Z -> Z -> Prop) : Prop := forall v l k d i d',
  A v l k d -> is_table l d = true -> is_word i = true -> valid d' = true -> V (frame d * 512 + i) d' ->
  A v (l + 1) (k * 512 + i) d'.
Definition apart (B : aset) : Prop := forall v l k d, B v l k d -> is_table l d = true -> ~ touch B (frame d).
(* A VM has it to itself. *)
Definition keeps (B : aset) (v x p : Z) : Prop := exists l k d, B v l k d /\ leads l k d x p /\ v <> 0 /\ x < 2 ^ 26.
Definition safe_set (e : Z * Z) (B : aset) : Prop :=
  (forall v l k d v' l' k' d' p, B v l k d -> B v' l' k' d' -> maps l d p -> maps l' d' p ->
     v <> v' -> (v = 0 /\ upper l' k') \/ (v' = 0 /\ upper l k)) /\
  (forall p, touch B p -> ~ fst e <= p < snd e) /\
  (forall v x p, keeps B v x p -> forall v' l k d x' p', B v' l k d -> leads l k d x' p' -> (p' = p <-> v' = v /\ x' = x)).
(* The host reaches the page. *)
Definition hosts (B : aset) (p : Z) : Prop := exists l k d, B 0 l k d /\ maps l d p.
Definition now (m : Z -> Z) : Z -> Z -> Prop := fun w d => m w = d.

(* What no act of the others and no primitive but sysreg_write changes. *)
Record frame_of (h0 h : hw) : Prop := {
  f_ram : ram h = ram h0;
  f_engine : engine h = engine h0;
  f_me : me h = me h0;
  f_inputs : inputs h = inputs h0;
  f_vttbr : forall c, vttbr h c = vttbr h0 c;
  f_here : forall r, 0 <= r < 128 -> Map.get (reg h) (me h0 * 128 + r) = Map.get (reg h0) (me h0 * 128 + r);
  f_fp : fp h = fp h0;
  f_claims : claims h = claims h0;
}.

Record world (h0 : hw) (A B : aset) (m : Z -> Z) (V : Z -> Z -> Prop) (h : hw) : Prop := {
  w_tlb : forall e, In e (tlb h) -> B (vmid e) (level e) (key e) (desc e);
  w_live : forall e, In e (tlb h) -> doomed e = false -> A (vmid e) (level e) (key e) (desc e);
  w_root : forall c, A (root_vmid h c) 0 0 (root_desc h c);
  w_sub : sub A B;
  w_closed : closed A V;
  w_closed' : closed B V;
  w_apart : apart B;
  w_safe : safe_set (engine h) B;
  w_mem : forall p i, is_word i = true -> ~ touch B p -> Map.get (mem h) (p * 512 + i) = m (p * 512 + i);
  w_vis : forall p i d, is_word i = true -> ~ touch B p -> valid d = true ->
      visible h (p * 512 + i) d = true -> V (p * 512 + i) d;
  w_secret : forall p, secret h p -> ~ hosts B p;
  w_claims : forall v x p, claims h v x p -> keeps A v x p;
  w_ok : ok h;
  w_frame : frame_of h0 h;
}.

Lemma word_inj : forall p i q j, is_word i = true -> is_word j = true -> p * 512 + i = q * 512 + j -> p = q /\ i = j.
Proof. unfold is_word; intros; lia. Qed.

Lemma in_remove : forall A (x : A) n l, In x (remove n l) -> In x l.
Proof.
  unfold remove. intros A x n l H. apply in_app_or in H as [H|H].
  - rewrite <- (firstn_skipn n l). apply in_or_app. now left.
  - rewrite <- (firstn_skipn (S n) l). apply in_or_app. now right.
Qed.

Lemma visible_eq : forall h h' w d, Map.get (mem h') w = Map.get (mem h) w -> unseen h' = unseen h ->
  visible h' w d = visible h w d.
Proof. intros h h' w d E F. unfold visible. now rewrite E, F. Qed.

Lemma root_eq : forall h h' c, vttbr h' c = vttbr h c -> root_vmid h' c = root_vmid h c /\ root_desc h' c = root_desc h c.
Proof. intros h h' c E. unfold root_vmid, root_desc. now rewrite E. Qed.

Lemma keeps_sub : forall A B v x p, sub A B -> keeps A v x p -> keeps B v x p.
Proof. intros A B v x p S (l & k & d & H & M). exists l, k, d. auto. Qed.
Lemma leads_maps : forall l k d x p, leads l k d x p -> maps l d p.
Proof. intros l k d x p (L & X & ->). split; [exact L|lia]. Qed.
Lemma keeps_touch : forall A v x p, keeps A v x p -> touch A p.
Proof. intros A v x p (l & k & d & H & M & _). exists v, l, k, d. split; [exact H|]. eapply leads_maps; eauto. Qed.

Section World.
Variable h0 : hw.

Lemma avail_sub : forall A B m V h v l k d, world h0 A B m V h -> avail h v l k d -> B v l k d.
Proof.
  intros A B m V h v l k d W H. induction H as [e I|c|v l k d i d' H IH T I D S].
  - now apply (w_tlb _ _ _ _ _ _ W).
  - apply (w_sub _ _ _ _ _ _ W), (w_root _ _ _ _ _ _ W).
  - eapply (w_closed' _ _ _ _ _ _ W); eauto. eapply (w_vis _ _ _ _ _ _ W); eauto.
    eapply (w_apart _ _ _ _ _ _ W); eauto.
Qed.

Lemma reached_touch : forall A B m V h v p, world h0 A B m V h -> reached h v p -> touch B p.
Proof.
  intros A B m V h v p W (l & k & d & H & M). exists v, l, k, d. split; auto. eapply avail_sub; eauto.
Qed.

Lemma world_private : forall A B m V h p, world h0 A B m V h -> ~ touch B p -> private p h.
Proof. intros A B m V h p W N v H. apply N. eapply reached_touch; eauto. Qed.

Lemma world_unclaimed : forall A B m V h p, world h0 A B m V h -> ~ touch B p -> ~ claimed p h.
Proof.
  intros A B m V h p W N (v & x & C). apply N. apply (keeps_touch B v x). apply (keeps_sub A); [apply W|]. exact (w_claims _ _ _ _ _ _ W _ _ _ C).
Qed.
(* What the host reaches no VM has to itself. *)
Lemma hosts_unclaimed : forall A B m V h p, world h0 A B m V h -> hosts B p -> ~ claimed p h.
Proof.
  intros A B m V h p W (l & k & d & H & M) (v & x & C). pose proof (keeps_sub _ _ _ _ _ (w_sub _ _ _ _ _ _ W) (w_claims _ _ _ _ _ _ W _ _ _ C)) as K.
  destruct (w_safe _ _ _ _ _ _ W) as (_ & _ & S3). destruct M as [M1 M2].
  destruct (S3 v x p K 0 l k d (k * covers l + (p - first_page l d)) p H) as [E _]; [split; [exact M1|lia]|].
  destruct K as (_ & _ & _ & _ & _ & N & _). apply N. destruct (E eq_refl). congruence.
Qed.

Lemma secret_grows : forall A B m V h p, world h0 A B m V h -> become_secret h p -> ~ hosts B p.
Proof.
  intros A B m V h p W [S|(v & l & k & d & N & H & M & U)]; [now apply (w_secret _ _ _ _ _ _ W)|].
  intros (l' & k' & d' & H' & M'). apply U. destruct (w_safe _ _ _ _ _ _ W) as (S1 & _ & _).
  destruct (S1 v l k d 0 l' k' d' p) as [[? _]|[_ E]]; auto; [eapply avail_sub; eauto|congruence].
Qed.

Lemma world_safe : forall A B m V h, world h0 A B m V h -> safe h.
Proof.
  intros A B m V h W. destruct (w_safe _ _ _ _ _ _ W) as (S1 & S2 & S3). split; [|split; [|split]].
  - intros. eapply S1; eauto; eapply avail_sub; eauto.
  - intros v p R. apply S2. eapply reached_touch; eauto.
  - intros p S (l & k & d & H & M). apply (w_secret _ _ _ _ _ _ W p S). exists l, k, d. split; auto. eapply avail_sub; eauto.
  - intros v x p C v' l k d x' p' H. apply S3; [|eapply avail_sub; eauto]. apply (keeps_sub A); [apply W|]. exact (w_claims _ _ _ _ _ _ W _ _ _ C).
Qed.

(** The others act. *)

Lemma world_secret : forall A B m V h (s : Z -> Prop), world h0 A B m V h -> (forall p, s p -> ~ hosts B p) ->
  world h0 A B m V (h <| secret := s |>).
Proof. intros A B m V h s [] S. constructor; auto. destruct w_frame0; constructor; auto. Qed.

Lemma world_met : forall A B m V h, world h0 A B m V h -> world h0 A B m V (met h).
Proof.
  intros A B m V h W0. assert (W : world h0 A B m V (h <| secret := become_secret h |>)).
  { apply world_secret; auto. intros p. eapply secret_grows; eauto. }
  pose proof (world_safe _ _ _ _ _ W) as S. unfold met. destruct W. constructor; auto.
  - split; auto.
  - destruct w_frame0; constructor; auto.
Qed.

Lemma world_during : forall A B m V h l, world h0 A B m V h -> world h0 A B m V (h <| during := l |>).
Proof. intros A B m V h l []. constructor; auto. destruct w_frame0; constructor; auto. Qed.

(* A new entry of the TLB. *)
Lemma world_fill : forall A B m V h e, world h0 A B m V h -> B (vmid e) (level e) (key e) (desc e) ->
  (doomed e = false -> A (vmid e) (level e) (key e) (desc e)) ->
  world h0 A B m V (h <| tlb ::= cons e |>).
Proof.
  intros A B m V h e [] HB HA. constructor; auto.
  - cbn. intros e' [<-|I]; auto.
  - cbn. intros e' [<-|I]; auto.
  - destruct w_frame0; constructor; auto.
Qed.

Lemma world_act : forall A B m V h a, world h0 A B m V h -> world h0 A B m V (act_step a h).
Proof.
  intros A B m V h a W. destruct a as [c|n i d|n|n o i v|c r v]; cbn [act_step].
  - pose proof (w_root _ _ _ _ _ _ W c) as R. apply world_fill; cbn; auto. now apply (w_sub _ _ _ _ _ _ W).
  - destruct (nth_error (tlb h) n) as [e|] eqn:E; [|assumption]. apply nth_error_In in E.
    destruct (is_table (level e) (desc e) && is_word i && valid d && visible h (frame (desc e) * 512 + i) d) eqn:C;
      [|assumption].
    apply andb_prop in C as [C Vd]. apply andb_prop in C as [C Dd]. apply andb_prop in C as [T I].
    assert (Vw : V (frame (desc e) * 512 + i) d).
    { apply (w_vis _ _ _ _ _ _ W); auto.
      apply (w_apart _ _ _ _ _ _ W (vmid e) (level e) (key e)); auto. now apply (w_tlb _ _ _ _ _ _ W). }
    apply world_fill; cbn; intros; auto.
    + apply (w_closed' _ _ _ _ _ _ W) with (d := desc e); auto. now apply (w_tlb _ _ _ _ _ _ W).
    + apply (w_closed _ _ _ _ _ _ W) with (d := desc e); auto. now apply (w_live _ _ _ _ _ _ W).
  - destruct W. constructor; auto; cbn.
    + intros e I. apply in_remove in I. auto.
    + intros e I. apply in_remove in I. auto.
    + destruct w_frame0; constructor; auto.
  - destruct (nth_error (tlb h) n) as [e|] eqn:E; [|assumption]. apply nth_error_In in E.
    destruct (is_leaf (level e) (desc e) && is_word i && (0 <=? o) && (o <? covers (level e)) &&
              (root_vmid h (cpu e) =? vmid e) && negb (cpu e =? me h)) eqn:C; [|assumption].
    do 5 apply andb_prop in C as [C ?]. apply Z.leb_le in H2. apply Z.ltb_lt in H1.
    set (q := first_page (level e) (desc e) + o) in *.
    assert (TQ : touch B q).
    { exists (vmid e), (level e), (key e), (desc e). split; [now apply (w_tlb _ _ _ _ _ _ W)|]. split; auto. subst q; lia. }
    assert (U : forall p j, is_word j = true -> ~ touch B p ->
      Map.get (Map.set (mem h) (q * 512 + i) v) (p * 512 + j) = Map.get (mem h) (p * 512 + j)).
    { intros p j J N. apply get_set_other. intro F. apply word_inj in F as [-> _]; auto. }
    destruct W. constructor; auto; cbn.
    + intros. rewrite U; auto.
    + intros p j d J N D S. apply w_vis0; auto. rewrite <- S. symmetry.
      apply visible_eq; [cbn; now apply U|reflexivity].
    + destruct w_frame0; constructor; auto.
  - destruct ((0 <=? c) && (0 <=? r) && (r <? REG_EL2) && negb (c =? me h)) eqn:C; [|assumption].
    do 3 apply andb_prop in C as [C ?]. apply Z.leb_le in H1. apply Z.ltb_lt in H0. unfold REG_EL2 in H0.
    assert (U : forall c', vttbr (h <| reg ::= fun m => Map.set m (c * 128 + r) v |>) c' = vttbr h c').
    { intro c'. unfold vttbr; cbn. apply get_set_other. unfold VTTBR_EL2. lia. }
    destruct W. constructor; auto.
    + intro c'. destruct (root_eq h (h <| reg ::= fun m => Map.set m (c * 128 + r) v |>) c' (U c')) as [-> ->]. auto.
    + destruct w_frame0; constructor; auto; [intro c'; now rewrite U|].
      intros r' R'. rewrite <- f_here0 by auto. cbn. apply get_set_other. lia.
Qed.

Lemma world_acts : forall l A B m V h, world h0 A B m V h ->
  world h0 A B m V (fold_left (fun h a => met (act_step a h)) l h).
Proof.
  induction l as [|a l IH]; intros A B m V h W; cbn [fold_left]; auto.
  apply IH, world_met, world_act, W.
Qed.

Lemma world_others : forall A B m V h, world h0 A B m V h -> world h0 A B m V (others h).
Proof.
  intros A B m V h W. unfold others. destruct (during h) as [|l rest]; [now apply world_met|].
  apply world_acts, world_met, world_during, W.
Qed.

Lemma world_oblige : forall A B m V h p, world h0 A B m V h -> ~ touch B p -> world h0 A B m V (oblige (free p) h).
Proof.
  intros A B m V h p W N. assert (P : free p h) by (split; [eapply world_private|eapply world_unclaimed]; eauto). destruct W. constructor; auto.
  - split; auto.
  - destruct w_frame0; constructor; auto.
Qed.

(** Steps of the proof that change nothing in the machine. *)

(* More may be reached, and seen. *)
Lemma world_grow : forall A B A' B' m V (V' : Z -> Z -> Prop) h, world h0 A B m V h -> sub A A' -> sub B B' -> sub A' B' ->
  (forall w d, valid d = true -> V w d -> V' w d) ->
  closed A' V' -> closed B' V' -> apart B' -> safe_set (engine h) B' -> (forall p, secret h p -> ~ hosts B' p) ->
  world h0 A' B' m V' h.
Proof.
  intros A B A' B' m V V' h W SA SB S SV CA CB AP SF SE.
  assert (T : forall p, touch B p -> touch B' p).
  { intros p (v & l & k & d & H & M). exists v, l, k, d. split; auto. }
  destruct W. constructor; auto.
  - intros p i d I N D Y. apply SV; auto.
  - intros v x p C. apply (keeps_sub A); auto.
Qed.

Lemma world_mem : forall A B m m' V h, world h0 A B m V h ->
  (forall p i, is_word i = true -> ~ touch B p -> m' (p * 512 + i) = m (p * 512 + i)) -> world h0 A B m' V h.
Proof.
  intros A B m m' V h [] E. constructor; auto. intros p i I N. rewrite E; auto.
Qed.

(** Primitives. *)

Definition upd (m : Z -> Z) (w v : Z) : Z -> Z := fun x => if x =? w then v else m x.

Lemma world_store : forall A B m V h p i v, world h0 A B m V h -> is_word i = true -> ~ touch B p ->
  (valid v = true -> V (p * 512 + i) v) -> (valid (m (p * 512 + i)) = true -> V (p * 512 + i) (m (p * 512 + i))) ->
  world h0 A B (upd m (p * 512 + i) v) V (store_word (p * 512 + i) v h).
Proof.
  intros A B m V h p i v W I N HV HM. pose proof (w_mem _ _ _ _ _ _ W p i I N) as E. destruct W.
  assert (G : forall w, Map.get (mem (store_word (p * 512 + i) v h)) w =
    if w =? p * 512 + i then v else Map.get (mem h) w).
  { intro w. unfold store_word; cbn. apply Map.get_set. }
  constructor; auto.
  - intros q j J M. rewrite G. unfold upd. destruct (q * 512 + j =? p * 512 + i); auto.
  - intros q j d J M D S. unfold visible in S. rewrite G in S. cbn in S.
    destruct (Z.eqb_spec (q * 512 + j) (p * 512 + i)) as [F|F].
    + rewrite F in *. apply orb_prop in S as [S|S]; [apply Z.eqb_eq in S; subst; auto|].
      apply orb_prop in S as [S|S].
      * rewrite Z.eqb_refl in S. cbn in S. apply Z.eqb_eq in S. rewrite E in S. subst; auto.
      * rewrite <- F. apply w_vis0; auto. unfold visible. rewrite F, S. apply orb_true_r.
    + apply w_vis0; auto. unfold visible. apply orb_prop in S as [S|S]; [now rewrite S|].
      apply orb_prop in S as [S|S]; [|rewrite S; apply orb_true_r].
      apply andb_prop in S as [S _]. apply Z.eqb_eq in S. congruence.
  - destruct w_frame0; constructor; auto.
Qed.

(* [complete]: what was doomed is gone, so [A] alone bounds the rest; pages that only [B] reached become
   private, whatever they hold. *)
Lemma world_complete : forall A B m V h, world h0 A B m V h ->
  exists m', (forall p i, is_word i = true -> ~ touch B p -> m' (p * 512 + i) = m (p * 512 + i)) /\
    world h0 A A m' (now m') (complete h).
Proof.
  intros A B m V h W. exists (Map.get (mem h)). split; [apply (w_mem _ _ _ _ _ _ W)|]. destruct W.
  assert (TB : forall p, touch A p -> touch B p).
  { intros p (v & l & k & d & H & M). exists v, l, k, d. split; auto. }
  assert (CA : closed A (now (Map.get (mem h)))).
  { intros v l k d i d' H T I D S. eapply w_closed0; eauto. apply w_vis0; auto.
    - eapply w_apart0; eauto.
    - unfold visible. unfold now in S. rewrite S, Z.eqb_refl. reflexivity. }
  constructor; auto; cbn.
  - intros e I. apply filter_In in I as [I D]. apply w_live0; auto. now destruct (doomed e).
  - intros e I D. apply filter_In in I as [I _]. auto.
  - now intros v l k d H.
  - intros v l k d H T TA. apply TB in TA. eapply w_apart0; eauto.
  - destruct w_safe0 as (S1 & S2 & S3). split; [intros; eapply S1; eauto|]. split; [auto|]. intros v x p K v' l k d x' p' H. apply S3; auto. now apply (keeps_sub A).
  - intros p i d I N D S. unfold visible in S. cbn in S. rewrite orb_false_r in S. now apply Z.eqb_eq in S.
  - intros p S (l & k & d & H & M). apply (w_secret0 p S). exists l, k, d. auto.
  - destruct w_frame0; constructor; auto.
Qed.

Lemma world_complete_same : forall A m V h, world h0 A A m V h -> world h0 A A m (now m) (complete h).
Proof.
  intros A m V h W. pose proof (w_apart _ _ _ _ _ _ W) as AP.
  destruct (world_complete _ _ _ _ _ W) as (m' & E & W').
  assert (E' : forall p i, is_word i = true -> ~ touch A p -> m (p * 512 + i) = m' (p * 512 + i)).
  { intros. symmetry. auto. }
  destruct (world_mem _ _ _ m _ _ W' E'). constructor; auto.
  1,2: intros v l k d i d' H T I D S; eapply w_closed0; eauto; unfold now in *; rewrite <- E'; eauto.
  intros p i d I N D S. apply w_vis0 in S; auto. unfold now in *. rewrite E'; auto.
Qed.

(* TLBI of one VMID, all stores being complete: it will hold [A] at most. *)
Lemma world_doom : forall A B m V h v, world h0 B B m V h -> sub A B ->
  (forall v' l k d, v' <> v -> B v' l k d -> A v' l k d) -> (forall d, B v 0 0 d -> A v 0 0 d) -> closed A V ->
  (forall x p, claims h0 v x p -> keeps B v x p -> keeps A v x p) -> world h0 A B m V (doom (fun e => vmid e =? v) h).
Proof.
  intros A B m V h v [] S O R C CL.
  assert (I : forall e, In e (tlb (doom (fun e => vmid e =? v) h)) -> exists e', In e' (tlb h) /\
    vmid e = vmid e' /\ level e = level e' /\ key e = key e' /\ desc e = desc e' /\
    (doomed e = false -> vmid e' <> v /\ doomed e' = false)).
  { cbn. intros e I. apply in_map_iff in I as (e' & <- & I). exists e'. split; auto.
    destruct (Z.eqb_spec (vmid e') v); cbn; repeat split; auto; congruence. }
  constructor; auto.
  - intros e H. destruct (I e H) as (e' & H' & -> & -> & -> & -> & _). auto.
  - intros e H D. destruct (I e H) as (e' & H' & -> & -> & -> & -> & N). destruct (N D). auto.
  - intro c. specialize (w_root0 c).
    destruct (Z.eq_dec (root_vmid h c) v) as [F|F].
    + change (A (root_vmid h c) 0 0 (root_desc h c)). rewrite F in *. auto.
    + apply O; auto.
  - intros u x p K. change (claims h u x p) in K. pose proof (w_claims0 u x p K) as KB. destruct (Z.eq_dec u v) as [->|N].
    + apply CL; [|exact KB]. now rewrite <- (f_claims _ _ w_frame0).
    + destruct KB as (l & k & d & H & M). exists l, k, d. auto.
  - destruct w_frame0; constructor; auto.
Qed.

Lemma world_zero : forall n A B m V h p i, world h0 A B m V h -> 0 <= i -> i + Z.of_nat n <= 512 -> ~ touch B p ->
  (forall j, i <= j < 512 -> valid (m (p * 512 + j)) = true -> V (p * 512 + j) (m (p * 512 + j))) ->
  exists m', world h0 A B m' V (zero_words n (p * 512 + i) h) /\
    (forall w, m' w = if (p * 512 + i <=? w) && (w <? p * 512 + i + Z.of_nat n) then 0 else m w).
Proof.
  induction n as [|n IH]; intros A B m V h p i W I1 I2 N HV.
  - exists m. split; auto. intro w. destruct (Z.leb_spec (p * 512 + i) w), (Z.ltb_spec w (p * 512 + i + Z.of_nat 0)); cbn; auto; lia.
  - cbn [zero_words]. assert (WI : is_word i = true) by (unfold is_word; lia).
    assert (W1 : world h0 A B (upd m (p * 512 + i) 0) V (store_word (p * 512 + i) 0 h)).
    { apply world_store; auto; [discriminate|]. intros. apply HV; auto; lia. }
    replace (p * 512 + i + 1) with (p * 512 + (i + 1)) by lia.
    destruct (IH A B _ V _ p (i + 1) W1) as (m' & W' & E); auto; try lia.
    { intros j J. unfold upd. destruct (Z.eqb_spec (p * 512 + j) (p * 512 + i)); [lia|]. intros. apply HV; auto; lia. }
    exists m'. split; auto. intro w. rewrite E. unfold upd.
    destruct (Z.leb_spec (p * 512 + (i + 1)) w), (Z.ltb_spec w (p * 512 + (i + 1) + Z.of_nat n)),
      (Z.leb_spec (p * 512 + i) w), (Z.ltb_spec w (p * 512 + i + Z.of_nat (S n))), (Z.eqb_spec w (p * 512 + i));
      cbn; auto; lia.
Qed.

Lemma world_scrub : forall A B m V h p, world h0 A B m V h -> world h0 A B m V (scrub p h).
Proof. intros A B m V h p W. apply world_secret; auto. intros q [S _]. now apply (w_secret _ _ _ _ _ _ W). Qed.

(* A page that nobody reaches stays scrubbed. *)
Lemma met_not_secret : forall A B m V h p, world h0 A B m V h -> ~ touch B p -> ~ secret h p -> ~ secret (met h) p.
Proof.
  intros A B m V h p W N S [T|(v & l & k & d & _ & H & M & _)]; auto. apply N. exists v, l, k, d. split; auto. eapply avail_sub; eauto.
Qed.

Lemma act_secret : forall a h, secret (act_step a h) = secret h.
Proof.
  intros a h. destruct a; cbn [act_step]; auto.
  - destruct (nth_error (tlb h) n); auto. now destruct (is_table _ _ && _ && _ && _).
  - destruct (nth_error (tlb h) n); auto. now destruct (is_leaf _ _ && _ && _ && _ && _ && _).
  - now destruct ((0 <=? c) && _ && _ && _).
Qed.

(* Claims are nobody's to change. *)
Lemma act_claims : forall a h, claims (act_step a h) = claims h.
Proof.
  intros a h. destruct a; cbn [act_step]; auto.
  - destruct (nth_error (tlb h) n); auto. now destruct (is_table _ _ && _ && _ && _).
  - destruct (nth_error (tlb h) n); auto. now destruct (is_leaf _ _ && _ && _ && _ && _ && _).
  - now destruct ((0 <=? c) && _ && _ && _).
Qed.
Lemma others_claims : forall h, claims (others h) = claims h.
Proof.
  assert (G : forall l h, claims (fold_left (fun h a => met (act_step a h)) l h) = claims h).
  { induction l as [|a l IH]; intro h; cbn [fold_left]; [reflexivity|]. rewrite IH. exact (act_claims a h). }
  intro h. unfold others. destruct (during h) as [|l rest]; [reflexivity|]. rewrite G. reflexivity.
Qed.

Lemma others_not_secret : forall A B m V h p, world h0 A B m V h -> ~ touch B p -> ~ secret h p -> ~ secret (others h) p.
Proof.
  intros A B m V h p W N S. unfold others. destruct (during h) as [|l rest]; [eapply met_not_secret; eauto|].
  assert (G : forall l h, world h0 A B m V h -> ~ secret h p -> ~ secret (fold_left (fun h a => met (act_step a h)) l h) p).
  { clear - N. induction l as [|a l IH]; intros h W S; cbn [fold_left]; auto.
    apply IH; [apply world_met, world_act, W|]. eapply met_not_secret; eauto using world_act. now rewrite act_secret. }
  apply G; [apply world_met, world_during, W|]. eapply met_not_secret; eauto using world_during.
Qed.
End World.
