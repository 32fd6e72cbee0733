(* SPDX-License-Identifier: Apache-2.0 *)
(* The machine while only the first CPU runs, at EL2, from reset on: nobody acts, no TLB holds anything, and VTTBR_EL2 of each
   CPU names a page without an entry. Then nothing is reached, whatever memory holds. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.spec Require Import Core.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation ram_page h p := (Machine.in_ram h p = true).

(* What walkers would start from: outside RAM, and without an entry. *)
Definition inert (h : Machine.hw) : Prop := forall c, let t := Machine.frame (root_desc h c) in
  Machine.in_ram h t = false /\ forall i, is_word i = true -> Machine.valid (Map.get (Machine.mem h) (t * 512 + i)) = false.

Section Dark.
Variable h0 : Machine.hw.
Hypothesis OFF : inert h0.

(* [n] inputs were read; [m] is memory. *)
Record dark (n : nat) (m : Z -> Z) (h : Machine.hw) : Prop := {
  d_tlb : tlb h = [];
  d_during : during h = [];
  d_taken : taken h = n;
  d_ok : ok h;
  d_secret : forall p, ~ secret h p;
  d_claims : forall v x p, ~ claims h v x p;
  d_mem : forall w, Map.get (Machine.mem h) w = m w;
  d_outside : forall p i, is_word i = true -> Machine.in_ram h0 p = false -> m (p * 512 + i) = Map.get (Machine.mem h0) (p * 512 + i);
  d_unseen : forall w d, In (w, d) (unseen h) -> exists p i, w = p * 512 + i /\ is_word i = true /\ ram_page h0 p;
  d_reg : reg h = reg h0;
  d_fp : fp h = fp h0;
  d_me : me h = me h0;
  d_ram : ram h = ram h0;
  d_engine : engine h = engine h0;
  d_inputs : inputs h = inputs h0;
}.

Lemma dark_avail : forall n m h v l k d, dark n m h -> avail h v l k d -> l = 0 /\ exists c, d = root_desc h0 c.
Proof.
  intros n m h v l k d D A. induction A.
  - rewrite (d_tlb _ _ _ D) in H. destruct H.
  - split; auto. exists c. unfold root_desc, vttbr. now rewrite (d_reg _ _ _ D).
  - destruct IHA as (-> & c & ->). destruct (OFF c) as [R N]. exfalso.
    unfold visible in H2. apply orb_true_iff in H2 as [E|E].
    + apply Z.eqb_eq in E. rewrite (d_mem _ _ _ D), (d_outside _ _ _ D) in E by auto. rewrite <- E, N in H1 by auto. discriminate.
    + apply existsb_exists in E as ([w e] & I & E). cbn [fst snd] in E. apply andb_prop in E as [E _]. apply Z.eqb_eq in E.
      destruct (d_unseen _ _ _ D w e I) as (p & j & F & J & P). rewrite E in F. apply word_inj in F as [<- _]; auto. congruence.
Qed.
Lemma dark_private : forall n m h p, dark n m h -> private p h.
Proof.
  intros n m h p D v (l & k & d & A & [M _]). destruct (dark_avail _ _ _ _ _ _ _ D A) as (-> & _). unfold is_leaf in M. cbn in M. lia.
Qed.

Lemma dark_free : forall n m h p, dark n m h -> free p h.
Proof. intros n m h p D. split; [exact (dark_private _ _ _ p D)|]. intros (v & x & C). exact (d_claims _ _ _ D _ _ _ C). Qed.

Lemma dark_met : forall n m h, dark n m h -> dark n m (met h).
Proof.
  intros n m h D. assert (NR : forall v p, ~ reached h v p) by (intros v p; exact (dark_private _ _ _ p D v)).
  assert (S : forall p, ~ become_secret h p).
  { intros p [T|(v & l & k & d & _ & A & M & _)]; [exact (d_secret _ _ _ D p T)|]. apply (NR v p). exists l, k, d. auto. }
  destruct D. constructor; auto. unfold met. cbn. split; auto.
  assert (SAME : forall v l k d, avail (h <| secret := become_secret h |>) v l k d -> avail h v l k d).
  { intros v l k d A. induction A; [now apply av_tlb|now apply (av_root h)|eapply av_step; eauto]. }
  assert (NR' : forall v p, ~ reached (h <| secret := become_secret h |>) v p).
  { intros v p (l & k & d & A & M). apply (NR v p). exists l, k, d. auto. }
  split; [|split; [|split]].
  - intros v l k d v' l' k' d' p A _ M. exfalso. apply (NR' v p). exists l, k, d. auto.
  - intros v p A. now apply NR' in A.
  - intros p T. now apply S in T.
  - intros v x p C. now apply d_claims0 in C.
Qed.
Lemma dark_others : forall n m h, dark n m h -> dark n m (others h).
Proof. intros n m h D. unfold others. rewrite (d_during _ _ _ D). now apply dark_met. Qed.

Lemma dark_store : forall n m h p i v, dark n m h -> ram_page h0 p -> is_word i = true -> dark n (upd m (p * 512 + i) v) (store_word (p * 512 + i) v h).
Proof.
  intros n m h p i v [] P I. constructor; auto; unfold upd.
  - intro w. cbn. rewrite Map.get_set. now destruct (w =? p * 512 + i).
  - intros q j J Q. destruct (Z.eqb_spec (q * 512 + j) (p * 512 + i)) as [E|]; [|now apply d_outside0].
    apply word_inj in E as [-> _]; auto. congruence.
  - intros w d [E|U]; [|now apply d_unseen0 with d]. injection E as <- _. eauto.
Qed.
Lemma dark_zeros : forall k n m h p i, dark n m h -> ram_page h0 p -> 0 <= i -> i + Z.of_nat k <= 512 ->
  exists m', dark n m' (zero_words k (p * 512 + i) h) /\
    forall w, m' w = if (p * 512 + i <=? w) && (w <? p * 512 + i + Z.of_nat k) then 0 else m w.
Proof.
  induction k as [|k IH]; intros n m h p i D P I L.
  - exists m. split; auto. intro w. destruct (Z.leb_spec (p * 512 + i) w), (Z.ltb_spec w (p * 512 + i + Z.of_nat 0)); cbn [andb]; auto; lia.
  - cbn [zero_words]. pose proof (dark_store n m h p i 0 D P ltac:(unfold is_word; lia)) as D1.
    destruct (IH n _ _ p (i + 1) D1 P ltac:(lia) ltac:(lia)) as (m' & D' & E). rewrite Z.add_assoc in D'. exists m'. split; auto.
    intro w. rewrite E. unfold upd. destruct (Z.eqb_spec w (p * 512 + i)) as [->|N].
    + destruct (Z.leb_spec (p * 512 + (i + 1)) (p * 512 + i)), (Z.leb_spec (p * 512 + i) (p * 512 + i)), (Z.ltb_spec (p * 512 + i) (p * 512 + i + Z.of_nat (S k)));
        cbn [andb]; auto; lia.
    + destruct (Z.leb_spec (p * 512 + (i + 1)) w), (Z.ltb_spec w (p * 512 + (i + 1) + Z.of_nat k)), (Z.leb_spec (p * 512 + i) w), (Z.ltb_spec w (p * 512 + i + Z.of_nat (S k)));
        cbn [andb]; auto; lia.
Qed.
Lemma dark_same : forall n m m' h, dark n m h -> (forall w, m' w = m w) -> dark n m' h.
Proof. intros n m m' h [] E. constructor; auto; intros; rewrite E; auto. Qed.

(** Primitives. *)

Lemma dark_held : forall n m h p, dark n m h -> held h p = false.
Proof. intros n m h p D. unfold held. now rewrite (d_tlb _ _ _ D). Qed.

Section Rules.
Variables (n : nat) (m : Z -> Z) (h : Machine.hw) (gl : globals).
Hypothesis D : dark n m h.

Lemma dark_page : forall p, ram_page h0 p -> Machine.in_ram h p = true.
Proof. intros p P. unfold Machine.in_ram in *. now rewrite (d_ram _ _ _ D). Qed.

Lemma dark_write : forall p i v (Q : unit -> mach globals Machine.hw -> Prop), ram_page h0 p -> is_word i = true ->
  (forall h', dark n (upd m (p * 512 + i) v) h' -> Q tt (Mach gl h')) -> wp (page_write p i v) Q (Mach gl h).
Proof.
  intros p i v Q P I H. unfold page_write. apply wp_hw. cbn. unfold Machine.page_write, word_of, alone, wp.
  rewrite (dark_page p P), I. cbn [andb]. rewrite (dark_held _ _ _ p (dark_others _ _ _ D)). apply H, dark_store; auto.
  pose proof (dark_others _ _ _ D) as D1. pose proof (dark_free _ _ _ p D1) as PR. destruct D1. now constructor.
Qed.

Lemma dark_page_zero : forall p (Q : unit -> mach globals Machine.hw -> Prop), ram_page h0 p ->
  (forall m' h', (forall w, m' w = if (p * 512 <=? w) && (w <? p * 512 + 512) then 0 else m w) -> dark n m' h' -> Q tt (Mach gl h')) ->
  wp (page_zero p) Q (Mach gl h).
Proof.
  intros p Q P H. unfold page_zero. apply wp_hw. cbn. unfold Machine.page_zero, word_of, alone, wp.
  rewrite (dark_page p P). cbn [andb is_word Z.leb Z.ltb Z.compare]. rewrite (dark_held _ _ _ p (dark_others _ _ _ D)).
  pose proof (dark_others _ _ _ D) as D1. pose proof (dark_free _ _ _ p D1) as PR.
  assert (D2 : dark n m (oblige (free p) (others h))) by (destruct D1; now constructor).
  destruct (dark_zeros 512 _ _ _ p 0 D2 P) as (m' & D3 & E); try lia. rewrite Z.add_0_r in *.
  revert D3. generalize (zero_words 512 (p * 512) (oblige (free p) (others h))). intros z D3. apply (H m'); [exact E|].
  destruct D3. constructor; auto. intros q [S _]. now apply d_secret0 in S.
Qed.

Lemma dark_dsb : forall (Q : unit -> mach globals Machine.hw -> Prop),
  (forall h', dark n m h' -> unseen h' = [] -> Q tt (Mach gl h')) -> wp dsb_ish Q (Mach gl h).
Proof.
  intros Q H. unfold dsb_ish. apply wp_hw. unfold wp. cbn. apply H; [|reflexivity].
  destruct (dark_others _ _ _ D). constructor; auto; cbn; [now rewrite d_tlb0|intros w d []].
Qed.

Lemma dark_manifest : forall i (Q : Z -> mach globals Machine.hw -> Prop),
  (forall h', dark (S n) m h' -> Q (inputs h0 n) (Mach gl h')) -> wp (manifest_read i) Q (Mach gl h).
Proof.
  intros i Q H. unfold manifest_read. apply wp_hw. unfold wp. cbn. pose proof (dark_others _ _ _ D) as D1.
  rewrite (d_inputs _ _ _ D1), (d_taken _ _ _ D1). apply H. destruct D1. constructor; auto. cbn. now rewrite d_taken0.
Qed.
End Rules.
End Dark.
