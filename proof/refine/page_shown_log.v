(* SPDX-License-Identifier: Apache-2.0 *)
(* What a page holds when somebody first reaches it, as a fact of the log of a run (spec/Step.v): a word changes through an entry
   that reaches it, or by the engine's own store. So from a state that nobody has looked in since, the page is as it was. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core Step.
From nie.proof.security Require Import Watched.
From nie.proof.refine Require Export page_shown_statement page_shown_bound page_kept_log.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

Lemma shows_nil : forall p c, first_shows p c [].
Proof. intros p c [|? ?] m rest E; discriminate. Qed.
Lemma shows_cons : forall p c m g, holds p c (fst m) -> (~ in_use p (fst m) -> first_shows p c g) -> first_shows p c (m :: g).
Proof.
  intros p c m g H G [|n past] x rest E P; injection E; intros; subst; auto.
  apply (G (P n (or_introl eq_refl)) past x rest eq_refl). intros y Y. apply P. now right.
Qed.
(* One log after another. *)
Lemma shows_app : forall p c g g' h e, first_shows p c (g ++ [(h, e)]) -> (holds p c h -> first_shows p c g') -> first_shows p c (g ++ g').
Proof.
  induction g as [|m g IH]; intros g' h e F K; cbn [app] in *.
  - apply K. exact (F [] (h, e) [] eq_refl (fun _ I => match I with end)).
  - apply shows_cons.
    + exact (F [] m _ eq_refl (fun _ I => match I with end)).
    + intro P. apply (IH g' h e); auto. intros past x rest E Q. apply (F (m :: past) x rest); [cbn; now rewrite E|].
      intros n [<-|I]; auto.
Qed.

(** The others. *)

Lemma act_holds : forall p c a h, ~ in_use p h -> holds p c h -> holds p c (act_step a h).
Proof.
  intros p c a h P H. destruct a as [k|n i d|n|n o i v|k r v]; cbn [act_step]; auto.
  - destruct (nth_error (tlb h) n); auto. now destruct (_ && _ && _ && _).
  - destruct (nth_error (tlb h) n) as [e|] eqn:E; auto.
    destruct (is_leaf (level e) (desc e) && is_word i && (0 <=? o) && (o <? covers (level e)) &&
              (root_vmid h (cpu e) =? vmid e) && negb (cpu e =? me h)) eqn:C; auto.
    do 5 apply andb_prop in C as [C ?]. apply Z.leb_le in H3. apply Z.ltb_lt in H2. apply Z.eqb_eq in H1. apply nth_error_In in E.
    intros w W. cbn. rewrite get_set_other; [now apply H|]. intro F. apply word_inj in F as [F _]; auto.
    apply P. exists (cpu e). rewrite H1. exists (level e), (key e), (desc e). split; [now apply av_tlb|]. split; [auto|lia].
  - now destruct ((0 <=? k) && _ && _ && _).
Qed.

Lemma acting_shows : forall p c h' l h, holds p c h -> (holds p c (fold_left (fun h a => met (act_step a h)) l h) -> holds p c h') ->
  first_shows p c (acting l h ++ [(h', None)]).
Proof.
  intros p c h'. induction l as [|a l IH]; intros h H K; cbn [acting app]; apply shows_cons; auto; intro P.
  - apply shows_cons; [now apply K|]. intros _. apply shows_nil.
  - apply IH; auto. exact (act_holds p c a h P H).
Qed.

(* A primitive whose own effect leaves the page alone. *)
Definition leaves (p : Z) {A} (m : M Machine.hw A) : Prop := forall h x h', m h = Some (x, h') ->
  forall w, is_word w = true -> Map.get (Machine.mem h') (p * 512 + w) = Map.get (Machine.mem (others h)) (p * 512 + w).

Lemma way_shows : forall p c A (m : M Machine.hw A) h x h', leaves p m -> m h = Some (x, h') -> holds p c h ->
  first_shows p c (way h ++ [(h', None)]).
Proof.
  intros p c A m h x h' L E H. specialize (L h x h' E). unfold way. unfold others in L.
  destruct (during h) as [|l rest]; apply acting_shows; auto; intros K w W; rewrite L by auto; auto.
Qed.

(* Walks do not depend on what is noted of a state. *)
Lemma private_same : forall p h h', tlb h' = tlb h -> reg h' = reg h -> Machine.mem h' = Machine.mem h -> unseen h' = unseen h ->
  private p h -> private p h'.
Proof.
  intros p h h' T G M U P v (l & k & d & A & X). apply (P v). exists l, k, d. split; auto. clear X P. induction A as [e I|c|v l k d i d' A IH B W V Z].
  - rewrite T in I. now apply av_tlb.
  - pose proof (av_root h c) as A. unfold root_vmid, root_desc, vttbr in *. now rewrite G.
  - eapply av_step; eauto. unfold visible in *. now rewrite <- M, <- U.
Qed.
Lemma way_private : forall p h, private p h -> exists m rest, way h = m :: rest /\ private p (fst m).
Proof.
  intros p h P. unfold way. destruct (during h) as [|l rest]; [|destruct l]; cbn [acting]; eexists _, _; (split; [reflexivity|]);
    cbn [fst]; (apply (private_same p h); [reflexivity|reflexivity|reflexivity|reflexivity|exact P]).
Qed.

(** Runs that leave a set of pages alone. *)

Section Looks.
Variables (S : Z -> Prop) (U : aset) (T : Z -> Z).
Notation watchedm := (mach globals (Machine.hw * log)).


Definition looks (s s' : watchedm) : Prop := exists g, snd (C_store.hw s') = snd (C_store.hw s) ++ g /\
  (bounded U T (fst (C_store.hw s)) -> bounded U T (fst (C_store.hw s')) /\ Forall (fun n => bounded U T (fst n)) g) /\
  forall p, S p ->
    (private p (fst (C_store.hw s)) -> starts_private p (g ++ [(fst (C_store.hw s'), None)])) /\
    (forall c, holds p c (fst (C_store.hw s)) -> first_shows p c (g ++ [(fst (C_store.hw s'), None)])) /\
    kept_by p (fst (C_store.hw s)) g (fst (C_store.hw s')).

Lemma looks_refl : forall s, looks s s.
Proof.
  intro s. exists []. split; [now rewrite app_nil_r|]. split; [auto|]. intros p _. split.
  - intro P. eexists _, _. split; [reflexivity|exact P].
  - split; [|apply kept_nil]. intros c H. apply shows_cons; auto. intros _. apply shows_nil.
Qed.
Lemma looks_trans : forall a b c, looks a b -> looks b c -> looks a c.
Proof.
  intros a b c (g & E & B & F) (g' & E' & B' & F'). exists (g ++ g'). split; [rewrite E', E; now rewrite app_assoc|].
  split; [intro X; destruct (B X) as [X1 X2]; destruct (B' X1); split; auto; now apply Forall_app|].
  intros p P. destruct (F p P) as (F1 & F2 & K2). destruct (F' p P) as (F3 & F4 & K4). split; [|split; [|eapply kept_app; eauto]]; rewrite <- app_assoc.
  - intro H. destruct (F1 H) as (m & rest & M & Q). destruct g as [|m' g]; cbn [app] in *; injection M as <- _; [now apply F3|].
    eexists _, _. split; [reflexivity|exact Q].
  - intros k H. eapply shows_app; [now apply F2|]. auto.
Qed.

(* The watched text does, from this state, what the other does. *)
Definition runs {A} (s : watchedm) (m1 : M watchedm A) (m2 : M (mach globals Machine.hw) A) : Prop :=
  match m2 (drop s) with
  | Some (a, t) => exists s', m1 s = Some (a, s') /\ drop s' = t /\ looks s s'
  | None => m1 s = None
  end.
Definition quiet {A} (m1 : M watchedm A) (m2 : M (mach globals Machine.hw) A) : Prop := forall s, runs s m1 m2.

Lemma run_bind : forall A B s (m1 : M watchedm A) m2 (k1 : A -> M watchedm B) k2, runs s m1 m2 ->
  (forall a s', m2 (drop s) = Some (a, drop s') -> runs s' (k1 a) (k2 a)) -> runs s (bind m1 k1) (bind m2 k2).
Proof.
  intros A B s m1 m2 k1 k2 Hm Hk. unfold runs, bind in *. destruct (m2 (drop s)) as [[a t]|] eqn:E; [|now rewrite Hm].
  destruct Hm as (s' & E1 & <- & X). rewrite E1. specialize (Hk a s' eq_refl). destruct (k2 a (drop s')) as [[b u]|]; [|exact Hk].
  destruct Hk as (s2 & -> & <- & Y). exists s2. split; auto. split; auto. eapply looks_trans; eauto.
Qed.
Lemma q_bind : forall A B (m1 : M watchedm A) m2 (k1 : A -> M watchedm B) k2, quiet m1 m2 ->
  (forall a, quiet (k1 a) (k2 a)) -> quiet (bind m1 k1) (bind m2 k2).
Proof. intros A B m1 m2 k1 k2 H K s. apply run_bind; [apply H|]. intros. apply K. Qed.
Lemma q_ret : forall A (a : A), quiet (ret a) (ret a).
Proof. intros A a s. exists s. auto using looks_refl. Qed.
Lemma q_lift : forall A (o : option A), quiet (lift o) (lift o).
Proof. intros A [a|] s; [apply q_ret|reflexivity]. Qed.
Lemma q_load : forall g i, quiet (load g i) (load g i).
Proof.
  intros g i [gl hw]. unfold runs, load, drop. cbn [C_store.glob C_store.hw]. destruct (place _ _ _); [|reflexivity].
  eexists. split; [reflexivity|]. split; [reflexivity|apply looks_refl].
Qed.
Lemma q_store : forall g i v, quiet (store g i v) (store g i v).
Proof.
  intros g i v [gl hw]. unfold runs, store, drop. cbn [C_store.glob C_store.hw]. destruct (place _ _ _) as [k|]; [|reflexivity].
  generalize (set_field g (Map.set (field g gl) k v) gl). intro gl'. eexists. split; [reflexivity|]. split; [reflexivity|].
  exact (looks_refl (Mach gl' hw)).
Qed.
Lemma q_loop : forall A lo hi (a : A) b1 b2, (forall i a, lo <= i < hi -> quiet (b1 i a) (b2 i a)) -> quiet (loop lo hi a b1) (loop lo hi a b2).
Proof.
  intros A lo hi a b1 b2 H. unfold loop. remember (Z.to_nat (hi - lo)) as n eqn:N.
  assert (K : forall i a, lo <= i < lo + Z.of_nat n -> quiet (b1 i a) (b2 i a)) by (intros; apply H; lia). clear N H. revert lo a K.
  induction n as [|n IH]; intros lo a K; cbn [rounds']; [apply q_ret|]. apply q_bind; [apply K; lia|]. intro. apply IH. intros. apply K. lia.
Qed.
Lemma q_loop_ret : forall A X lo hi (a : A) (b1 : Z -> A -> M watchedm (C_monad.outcome A X)) b2,
  (forall i a, quiet (b1 i a) (b2 i a)) -> quiet (loop_ret lo hi a b1) (loop_ret lo hi a b2).
Proof.
  intros A X lo hi a b1 b2 H. unfold loop_ret. generalize (Z.to_nat (hi - lo)) as n. intro n. revert lo a.
  induction n as [|n IH]; intros; cbn [rounds]; [apply q_ret|]. apply q_bind; auto. intros [a'|r]; auto using q_ret.
Qed.

(* A primitive whose own effect is within the bound. *)
Definition mild {B} (m : M Machine.hw B) : Prop := forall h x h', m h = Some (x, h') -> bounded U T (others h) -> bounded U T h'.

Lemma q_hw : forall B (m : M Machine.hw B), mild m -> (forall p, S p -> leaves p m) -> quiet (on_hw (G := globals) (watched m)) (on_hw m).
Proof.
  intros B m K L [gl [h g]]. unfold runs, on_hw, watched, drop. cbn [C_store.glob C_store.hw fst snd]. destruct (m h) as [[a h']|] eqn:E; [|reflexivity].
  eexists. split; [reflexivity|]. split; [reflexivity|]. exists (way h). split; [reflexivity|]. cbn [C_store.hw fst].
  split; [intro X; destruct (bounded_way U T h X); split; eauto|]. intros p P. split.
  - intro H. destruct (way_private p h H) as (x & rest & W & X). rewrite W. eexists _, _. split; [reflexivity|exact X].
  - split; [intros c H; eapply way_shows; eauto|]. intros v i I M. rewrite (L p P h a h' E i I). now apply way_kept.
Qed.

Lemma mild_does : forall f, (forall h, bounded U T h -> bounded U T (f h)) -> mild (does f).
Proof. intros f H h x h' E. injection E as _ <-. auto. Qed.
Lemma mild_word : forall q i B (m : M Machine.hw B), (is_word i = true -> mild m) -> mild (word_of q i m).
Proof. intros q i B m H h x h' E. unfold word_of in E. destruct (_ && is_word i) eqn:W; [|discriminate]. apply andb_prop in W as [_ W]. eapply H; eauto. Qed.
Lemma mild_alone : forall q B (f : Machine.hw -> B * Machine.hw), (forall h, bounded U T h -> bounded U T (snd (f h))) -> mild (alone q f).
Proof.
  intros q B f H h x h' E X. unfold alone in E. destruct (held _ _); [discriminate|].
  assert (Y : h' = snd (f (oblige (free q) (others h)))) by (injection E as E; now rewrite E). subst h'. apply H.
  revert X. apply bounded_same; reflexivity.
Qed.
End Looks.

(** The primitives that calls which add pages use. *)

Lemma leaves_does : forall p f, (forall h w, Map.get (Machine.mem (f h)) w = Map.get (Machine.mem h) w) -> leaves p (does f).
Proof. intros p f H h x h' E. injection E as _ <-. auto. Qed.
Lemma leaves_word : forall p q i A (m : M Machine.hw A), leaves p m -> leaves p (word_of q i m).
Proof. intros p q i A m H h x h' E. unfold word_of in E. destruct (_ && _); [eauto|discriminate]. Qed.
Lemma leaves_alone : forall p q A (f : Machine.hw -> A * Machine.hw),
  (forall h w, is_word w = true -> Map.get (Machine.mem (snd (f h))) (p * 512 + w) = Map.get (Machine.mem h) (p * 512 + w)) -> leaves p (alone q f).
Proof.
  intros p q A f H h x h' E w W. unfold alone in E. destruct (held _ _); [discriminate|].
  assert (X : h' = snd (f (oblige (free q) (others h)))) by (injection E as E; now rewrite E). subst h'. rewrite H by auto. reflexivity.
Qed.

Lemma leaves_read : forall p q i, leaves p (Machine.page_read q i).
Proof. intros. apply leaves_word, leaves_alone. reflexivity. Qed.
Lemma leaves_write : forall p q i v, p <> q -> leaves p (Machine.page_write q i v).
Proof.
  intros p q i v N h x h' E w W. unfold Machine.page_write, word_of in E. destruct (in_ram h q && is_word i) eqn:B; [|discriminate].
  apply andb_prop in B as [_ B]. revert h x h' E w W. change (leaves p (alone q (fun h => (tt, store_word (q * 512 + i) v h)))).
  apply leaves_alone. intros h w W. cbn. apply get_set_other. intro F. now apply word_inj in F as [? _].
Qed.
Lemma leaves_zero : forall p q, p <> q -> leaves p (Machine.page_zero q).
Proof.
  intros p q N. apply leaves_word, leaves_alone. intros h w W. cbn [snd].
  assert (Sc : forall h, Machine.mem (scrub q h) = Machine.mem h) by reflexivity. rewrite Sc.
  assert (G : forall n i h, 0 <= i -> i + Z.of_nat n <= 512 -> Map.get (Machine.mem (zero_words n (q * 512 + i) h)) (p * 512 + w) = Map.get (Machine.mem h) (p * 512 + w)).
  { clear h. induction n as [|n IH]; intros i h I J; cbn [zero_words]; auto. replace (q * 512 + i + 1) with (q * 512 + (i + 1)) by lia.
    rewrite IH by lia. cbn. apply get_set_other. intro F. apply word_inj in F as [? _]; auto. unfold is_word. lia. }
  replace (q * 512) with (q * 512 + 0) by lia. apply G; lia.
Qed.
