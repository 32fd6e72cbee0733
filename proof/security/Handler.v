(* SPDX-License-Identifier: Apache-2.0 *)
(* A handler on two machines that differ in a victim's secrets: with the same told, the runs stay in step. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core Step Isolation.
From nie.proof.security Require Import Lockstep Alike.
From nie.model Require Import Machine.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

Section Handler.
Variable w : who.
Hypothesis V : vmid_of w <> 0.
Variable c0 : Z.
Variable Own : Z -> Prop.
Variable same : bool.
Notation inv := (inv w c0 Own same).
Notation inv0 := (inv0 w c0 Own same).
Notation fine := (fine w Own).

(** The others act. *)

Definition acted (l : list act) (h : Machine.hw) : Machine.hw := fold_left (fun h a => met (act_step a h)) l h.

Lemma acts_lock : forall d l1 l2 h1 h2 h3 T Cs, inv d T Cs h1 h2 h3 -> Forall fine (acting l1 h1) -> Forall fine (acting l2 h2) ->
  tell w (acting l1 h1) = tell w (acting l2 h2) ->
  exists T' Cs', inv d T' Cs' (acted l1 h1) (acted l2 h2) (acted l1 h3).
Proof.
  intros d. induction l1 as [|a l1 IH]; intros l2 h1 h2 h3 T Cs I F1 F2 E.
  - clear F1. revert h2 T Cs I F2 E. induction l2 as [|b l2 IH2]; intros h2 T Cs I F2 E; [eauto|]. inversion F2 as [|? ? FB FL]; subst.
    cbn [acting tell flat_map told app] in E. fold (tell w (acting l2 (met (act_step b h2)))) in E.
    assert (S : whose_act w h2 b = Secret).
    { unfold heard in E. destruct (whose_act w h2 b); cbn in E; try discriminate E; auto. }
    unfold heard in E. rewrite S in E. cbn [map app] in E.
    destruct (act_right w V c0 Own same _ _ _ _ _ _ _ I FB S) as (T' & Cs' & I'). exact (IH2 _ _ _ I' FL E).
  - cbn [acting] in F1. inversion F1 as [|? ? NA NL]; subst. cbn [acting tell flat_map told] in E. fold (tell w (acting l1 (met (act_step a h1)))) in E.
    destruct (heard w h1 a) as [|ev evs] eqn:HA.
    + assert (S : whose_act w h1 a = Secret) by (unfold heard in HA; destruct (whose_act w h1 a); try discriminate HA; auto).
      cbn [map app] in E. destruct (act_left w V c0 Own same _ _ _ _ _ _ _ I NA S) as (T' & Cs' & I'). exact (IH _ _ _ _ _ _ I' NL F2 E).
    + assert (evs = []) as -> by (unfold heard in HA; destruct (whose_act w h1 a); try discriminate HA; now injection HA as _ <-).
      revert h2 T Cs I F2 E. induction l2 as [|b l2 IH2]; intros h2 T Cs I F2 E; [discriminate E|]. inversion F2 as [|? ? FB FL]; subst.
      cbn [acting tell flat_map told] in E. fold (tell w (acting l2 (met (act_step b h2)))) in E.
      destruct (heard w h2 b) as [|ev2 evs2] eqn:HB.
      * assert (S : whose_act w h2 b = Secret) by (unfold heard in HB; destruct (whose_act w h2 b); try discriminate HB; auto).
        cbn [map app] in E. destruct (act_right w V c0 Own same _ _ _ _ _ _ _ I FB S) as (T' & Cs' & I'). exact (IH2 _ _ _ I' FL E).
      * assert (evs2 = []) as -> by (unfold heard in HB; destruct (whose_act w h2 b); try discriminate HB; now injection HB as _ <-).
        cbn [map app] in E. injection E as E1 E3.
        assert (I' : inv d T Cs (met (act_step a h1)) (met (act_step b h2)) (met (act_step a h3))).
        { destruct NA as [NA _], FB as [FB _]. eapply act_both; eauto; [now rewrite HA|]. now rewrite HA, HB, E1. }
        exact (IH _ _ _ _ _ _ I' NL FL E3).
Qed.

(* [others] and [way], in one form. *)
Definition first_acts (h : Machine.hw) : list act := match during h with [] => [] | l :: _ => l end.
Definition begun (h : Machine.hw) : Machine.hw := match during h with [] => met h | _ :: rest => met (h <| during := rest |>) end.
Lemma others_acted : forall h, others h = acted (first_acts h) (begun h).
Proof. intro h. unfold others, acted, first_acts, begun. now destruct (during h). Qed.
Lemma way_acting : forall h, way h = acting (first_acts h) (begun h).
Proof. intro h. unfold way, first_acts, begun. now destruct (during h). Qed.

Lemma begun_any2 : forall d T Cs h1 h2 h3, inv d T Cs h1 h2 h3 -> forall h, during h = during h2 -> mem h = mem h2 -> tlb h = tlb h2 -> reg h = reg h2 -> fp h = fp h2 -> me h = me h2 ->
  inputs h = inputs h2 -> taken h = taken h2 -> inv d T Cs h1 h h3.
Proof.
  intros d T Cs h1 h2 h3 [[] ? ? ? ? ? ? DU] h E0 E1 E2 E3 E4 E5 E6 E7. constructor; auto.
  - constructor; rewrite ?E1, ?E2, ?E3, ?E4, ?E5, ?E6, ?E7; auto.
  - now rewrite E0.
Qed.

Lemma begin_all : forall d T Cs h1 h2 h3, inv0 d T Cs h1 h2 h3 -> inv d T Cs (begun h1) (begun h2) (begun h3) /\ first_acts h3 = first_acts h1.
Proof.
  intros d T Cs h1 h2 h3 I. pose proof I as [AL SH M CS SE OW DU]. pose proof SH as [S1 S2 S3 SF S4 S5 S6 S7 S8].
  unfold first_acts. rewrite S5. split; [|reflexivity].
  enough (K : inv d T Cs (begun h1) (met (h2 <| during := match during h2 with [] => [] | _ :: rest => rest end |>)) (begun h3)).
  { eapply begun_any2; [exact K| | | | | | | | ]; unfold begun; destruct (during h2) eqn:X; cbn; auto. }
  unfold begun. rewrite S5. destruct (during h1) as [|l rest] eqn:D; apply met_all; constructor; auto.
  - destruct AL. now constructor.
  - intro Y. cbn. now rewrite D, (DU Y).
  - destruct AL. now constructor.
  - constructor; auto.
  - intros p P. destruct (SE p P) as [Q|(v & l' & k & d' & N & H & X & U)]; [now left|right]. exists v, l', k, d'. split; auto. split; auto.
    eapply avail_walks; [|exact H]. now constructor.
  - intro Y. cbn. now rewrite (DU Y).
Qed.

(* The same labels are heard alike. *)
Lemma acts_same : forall d l h1 h2 h3 T Cs, inv d T Cs h1 h2 h3 -> Forall fine (acting l h1) -> Forall fine (acting l h2) ->
  tell w (acting l h1) = tell w (acting l h2).
Proof.
  intros d. induction l as [|a l IH]; intros h1 h2 h3 T Cs I F1 F2; [reflexivity|]. cbn [acting] in *.
  inversion F1 as [|? ? A1 L1]; subst. inversion F2 as [|? ? A2 L2]; subst. cbn [tell flat_map told]. fold (tell w (acting l (met (act_step a h1)))). fold (tell w (acting l (met (act_step a h2)))).
  assert (HH : heard w h2 a = heard w h1 a) by (unfold heard; now erewrite whose_alike by eauto). rewrite HH. f_equal.
  destruct (heard w h1 a) as [|ev evs] eqn:HA.
  - assert (S1 : whose_act w h1 a = Secret) by (unfold heard in HA; destruct (whose_act w h1 a); try discriminate HA; auto).
    destruct (act_left w V c0 Own same _ _ _ _ _ _ _ I A1 S1) as (T1 & C1 & I1).
    assert (I1' : exists T' Cs', inv d T' Cs' (met (act_step a h1)) (met (act_step a h2)) (met (act_step a h3))).
    { eapply act_right; [exact V|exact I1|exact A2|]. unfold heard in HH. destruct (whose_act w h2 a); try discriminate HH; auto. }
    destruct I1' as (T' & Cs' & I'). exact (IH _ _ _ _ _ I' L1 L2).
  - assert (I' : inv d T Cs (met (act_step a h1)) (met (act_step a h2)) (met (act_step a h3))).
    { destruct A1 as [A1 _], A2 as [A2 _]. eapply act_both; eauto; now rewrite HA. }
    exact (IH _ _ _ _ _ I' L1 L2).
Qed.

Lemma others_lock : forall d T Cs h1 h2 h3, inv0 d T Cs h1 h2 h3 -> (same = false -> tell w (way h1) = tell w (way h2)) -> Forall fine (way h1) -> Forall fine (way h2) ->
  tell w (way h1) = tell w (way h2) /\ exists T' Cs', inv d T' Cs' (others h1) (others h2) (others h3).
Proof.
  intros d T Cs h1 h2 h3 I E F1 F2. rewrite !others_acted. pose proof (j_during _ _ _ _ _ _ _ _ _ _ I) as DU. rewrite !way_acting in *.
  destruct (begin_all _ _ _ _ _ _ I) as (I' & F). rewrite F.
  assert (E' : tell w (acting (first_acts h1) (begun h1)) = tell w (acting (first_acts h2) (begun h2))).
  { destruct same eqn:Y; [|now apply E]. assert (FA : first_acts h2 = first_acts h1) by (unfold first_acts; now rewrite (DU eq_refl)).
    rewrite FA in F2 |- *. rewrite <- Y in *. exact (acts_same _ _ _ _ _ _ _ I' F1 F2). }
  split; [exact E'|]. eapply acts_lock; eauto.
Qed.

(** One primitive: the others act, then the effect. *)

Definition after {A} (m k : M Machine.hw A) : Prop := forall h a h', m h = Some (a, h') -> k (others h) = Some (a, h').
Definition kept {A} (d d' : bool) (k : M Machine.hw A) : Prop := forall T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3, inv d T Cs h1 h2 h3 ->
  k h1 = Some (a1, t1) -> k h2 = Some (a2, t2) -> k h3 = Some (a3, t3) ->
  a2 = a1 /\ a3 = a1 /\ exists T' Cs', inv0 d' T' Cs' t1 t2 t3.

Notation MACH := (mach globals (Machine.hw * log)).
Definition the_log (s : MACH) : log := snd (C_store.hw s).
Definition the_hw (s : MACH) : Machine.hw := fst (C_store.hw s).
Definition Rel (d : bool) (s1 s2 s3 : MACH) : Prop := C_store.glob s2 = C_store.glob s1 /\ C_store.glob s3 = C_store.glob s1 /\
  tell w (the_log s1) = tell w (the_log s2) /\ exists T Cs, inv0 d T Cs (the_hw s1) (the_hw s2) (the_hw s3).
Definition le (s t : MACH) : Prop := exists g, the_log t = the_log s ++ g.
Definition Pre (s1 s2 : MACH) : Prop := exists k1 k2, (same = false -> tell w (the_log s1 ++ k1) = tell w (the_log s2 ++ k2)) /\
  Forall fine (the_log s1 ++ k1) /\ Forall fine (the_log s2 ++ k2).

Lemma le_refl : forall s, le s s.
Proof. intro s. exists []. now rewrite app_nil_r. Qed.
Lemma le_trans : forall a b c, le a b -> le b c -> le a c.
Proof. intros a b c [g E] [g' E']. exists (g ++ g'). now rewrite E', E, app_assoc. Qed.
Lemma Pre_le : forall s1 s2 t1 t2, le s1 t1 -> le s2 t2 -> Pre t1 t2 -> Pre s1 s2.
Proof. intros s1 s2 t1 t2 [g1 E1] [g2 E2] (k1 & k2 & E). exists (g1 ++ k1), (g2 ++ k2). now rewrite !app_assoc, <- E1, <- E2. Qed.
Lemma Rel_weak : forall s1 s2 s3, Rel false s1 s2 s3 -> Rel true s1 s2 s3.
Proof. intros s1 s2 s3 (A & B & C & T & Cs & I). split; auto. split; auto. split; auto. exists T, Cs. now apply inv_weak. Qed.
Notation lock := (lock Rel le Pre).

Lemma prim_lock : forall A d d' (m k : M Machine.hw A), after m k -> kept d d' k -> weaker d d' -> lock d d' (on_hw (G := globals) (watched m)).
Proof.
  intros A d d' m k MK K W. split; [exact W|]. split.
  - intros [g [h l]] a t E. unfold on_hw, watched in E. cbn in E. destruct (m h) as [[b h']|]; [|discriminate]. injection E as <- <-.
    exists (way h). reflexivity.
  - intros [g1 [h1 l1]] [g2 [h2 l2]] [g3 [h3 l3]] a1 t1 a2 t2 a3 t3 (G2 & G3 & TL & T & Cs & I) E1 E2 E3 (k1 & k2 & P & F1 & F2).
    unfold on_hw, watched in *. cbn in *. subst g2 g3.
    destruct (m h1) as [[b1 u1]|] eqn:M1; [|discriminate]. injection E1 as <- <-.
    destruct (m h2) as [[b2 u2]|] eqn:M2; [|discriminate]. injection E2 as <- <-.
    destruct (m h3) as [[b3 u3]|] eqn:M3; [|discriminate]. injection E3 as <- <-.
    change (Forall fine ((l1 ++ way h1) ++ k1)) in F1. change (Forall fine ((l2 ++ way h2) ++ k2)) in F2.
    apply Forall_app in F1 as [F1 _]. apply Forall_app in F1 as [_ F1]. apply Forall_app in F2 as [F2 _]. apply Forall_app in F2 as [_ F2].
    change (same = false -> tell w ((l1 ++ way h1) ++ k1) = tell w ((l2 ++ way h2) ++ k2)) in P. change (tell w l1 = tell w l2) in TL.
    assert (TW0 : same = false -> tell w (way h1) = tell w (way h2)).
    { intro Y. specialize (P Y). rewrite !tell_app, <- !app_assoc, TL in P. apply app_inv_head in P. rewrite !way_acting in *.
      destruct (tell_acting w (first_acts h1) (begun h1)) as [x X]. destruct (tell_acting w (first_acts h2) (begun h2)) as [y Y'].
      rewrite X, Y' in *. rewrite <- !app_assoc in P. apply split_at_none in P. now subst. }
    destruct (others_lock _ _ _ _ _ _ I TW0 F1 F2) as (TW & T' & Cs' & I').
    destruct (K _ _ _ _ _ _ _ _ _ _ _ I' (MK _ _ _ M1) (MK _ _ _ M2) (MK _ _ _ M3)) as (-> & -> & T2 & Cs2 & I2).
    split; auto. split; auto. split; [reflexivity|]. split; [reflexivity|]. split; [|exists T2, Cs2; exact I2].
    change (tell w (l1 ++ way h1) = tell w (l2 ++ way h2)). now rewrite !tell_app, TW, TL.
Qed.

(** The effects. *)

Definition only (p i : Z) {A} (k : M Machine.hw A) : M Machine.hw A := fun h => if is_word i then k h else None.
Lemma after_does : forall f, after (does f) (fun h => Some (tt, f h)).
Proof. intros f h a h' E. exact E. Qed.
Lemma after_input : after input (fun h => Some (inputs h (taken h), h <| taken ::= S |>)).
Proof. intros h a h' E. exact E. Qed.
Lemma after_word : forall A p i (m k : M Machine.hw A), after m k -> after (word_of p i m) (only p i k).
Proof.
  intros A p i m k H h a h' E. unfold word_of, only in *. destruct (Machine.in_ram h p && is_word i) eqn:C; [|discriminate].
  apply andb_prop in C as [_ ->]. auto.
Qed.
Lemma after_alone : forall A p (f : Machine.hw -> A * Machine.hw), after (alone p f) (fun h => if held h p then None else Some (f (oblige (free p) h))).
Proof. intros A p f h a h' E. exact E. Qed.

Lemma kept_only : forall A d d' p i (k : M Machine.hw A), kept d d' k -> kept d d' (only p i k).
Proof.
  intros A d d' p i k K T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3. unfold only in *. destruct (is_word i); [|discriminate]. eauto.
Qed.

(* Nothing but what is not compared. *)
Lemma inv0_oblige : forall d T Cs h1 h2 h3 P, inv0 d T Cs h1 h2 h3 -> inv0 d T Cs (oblige P h1) (oblige P h2) (oblige P h3).
Proof.
  intros d T Cs h1 h2 h3 P [[] [] ? ? SE ?]. constructor; auto; try (constructor; auto; fail).
  intros p X. destruct (SE p X) as [Q|(v & l' & k & d' & N & H & Y & U)]; [now left|right]. exists v, l', k, d'. split; auto. split; auto.
  eapply avail_walks; [|exact H]. now constructor.
Qed.

Lemma kept_same : forall d, kept d d (fun h => Some (tt, h)).
Proof.
  intros d T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3. injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-.
  split; auto. split; auto. exists T, Cs. now apply inv0_of.
Qed.

Lemma inv_store : forall d T Cs h1 h2 h3 k x, inv d T Cs h1 h2 h3 -> inv0 d T Cs (store_word k x h1) (store_word k x h2) (store_word k x h3).
Proof.
  intros d T Cs h1 h2 h3 k x [AL SH ? ? SE ST OW]. constructor; auto.
  - destruct AL. constructor; auto. intros p i W N. cbn. rewrite !Map.get_set. destruct (_ =? _); auto.
  - destruct SH. constructor; auto; cbn; congruence.
  - intros p P. left. cbn. auto.
Qed.
(* [inv] is of what hardware holds; [ok] is not. *)
Lemma inv_oblige : forall d T Cs h1 h2 h3 P, inv d T Cs h1 h2 h3 -> inv d T Cs (oblige P h1) (oblige P h2) (oblige P h3).
Proof.
  intros d T Cs h1 h2 h3 P [[] [] ? ? SE ST ?]. constructor; auto; try (constructor; auto; fail).
  intros p [Q|(v & l' & k & d' & N & H & Y & U)]; [exact Q|]. apply ST. right. exists v, l', k, d'. split; auto. split; auto.
  eapply avail_walks; [|exact H]. now constructor.
Qed.

Lemma kept_told : forall d p i x, kept d d (fun h => Some (tt, told_word p i x h)).
Proof.
  intros d p i x T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3. injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-.
  split; auto. split; auto. exists T, Cs. now apply inv_store, inv_oblige.
Qed.
Lemma kept_write : forall d p k x, kept d d (fun h => if held h p then None else Some (tt, store_word k x (oblige (free p) h))).
Proof.
  intros d p k x T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3.
  destruct (held h1 p); [discriminate|]. destruct (held h2 p); [discriminate|]. destruct (held h3 p); [discriminate|].
  injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-.
  split; auto. split; auto. exists T, Cs. now apply inv_store, inv_oblige.
Qed.

(* A page that the engine reads has no secret: the shadow's TLB has an entry for each that has. *)
Lemma not_held : forall T Cs h1 h2 h3 p, inv false T Cs h1 h2 h3 -> held h3 p = false -> ~ T p.
Proof.
  intros T Cs h1 h2 h3 p I H P. destruct (sh_tlb _ _ _ _ _ _ (i_shadow _ _ _ _ _ _ _ _ _ _ I)) as (X & E & _ & HX).
  destruct (HX eq_refl p (i_own _ _ _ _ _ _ _ _ _ _ I p P)) as (e & IN & _ & _ & M). apply not_true_iff_false in H. apply H.
  unfold held. apply existsb_exists. exists e. rewrite E. split; [apply in_or_app; now right|]. destruct M as [M1 M2]. rewrite M1. lia.
Qed.
Lemma kept_read : forall p i, is_word i = true ->
  kept false false (fun h => if held h p then None else Some (Map.get (mem h) (p * 512 + i), oblige (free p) h)).
Proof.
  intros p i W T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3.
  destruct (held h1 p); [discriminate|]. destruct (held h2 p); [discriminate|]. destruct (held h3 p) eqn:H; [discriminate|].
  injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-.
  pose proof (not_held _ _ _ _ _ _ I H) as N.
  split; [now apply (al_mem _ _ _ _ (i_alike _ _ _ _ _ _ _ _ _ _ I))|]. split; [now rewrite (sh_mem _ _ _ _ _ _ (i_shadow _ _ _ _ _ _ _ _ _ _ I))|].
  exists T, Cs. apply inv0_of. now apply inv_oblige.
Qed.
Lemma kept_read' : forall p i, kept false false (only p i (fun h => if held h p then None else Some (Map.get (mem h) (p * 512 + i), oblige (free p) h))).
Proof.
  intros p i T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3. unfold only in *. destruct (is_word i) eqn:W; [|discriminate]. eapply kept_read; eauto.
Qed.

Lemma zero_mem : forall n k h j, Map.get (mem (zero_words n k h)) j = if (k <=? j) && (j <? k + Z.of_nat n) then 0 else Map.get (mem h) j.
Proof.
  induction n as [|n IH]; intros k h j; cbn [zero_words].
  - destruct (Z.leb_spec k j), (Z.ltb_spec j (k + Z.of_nat 0)); cbn; auto; lia.
  - rewrite IH. change (mem (store_word k 0 h)) with (Map.set (mem h) k 0). rewrite Map.get_set.
    destruct (Z.eqb_spec j k), (Z.leb_spec (k + 1) j), (Z.ltb_spec j (k + 1 + Z.of_nat n)), (Z.leb_spec k j), (Z.ltb_spec j (k + Z.of_nat (S n))); cbn; auto; lia.
Qed.

Definition strict (d : bool) (T Cs : Z -> Prop) (h1 h2 h3 : Machine.hw) : Prop := inv0 d T Cs h1 h2 h3 /\ forall p, T p -> secret h3 p.
Lemma strict_of : forall d T Cs h1 h2 h3, inv d T Cs h1 h2 h3 -> strict d T Cs h1 h2 h3.
Proof. intros d T Cs h1 h2 h3 I. split; [now apply inv0_of|]. apply I. Qed.
Lemma strict_store : forall d T Cs h1 h2 h3 k x, strict d T Cs h1 h2 h3 -> strict d T Cs (store_word k x h1) (store_word k x h2) (store_word k x h3).
Proof.
  intros d T Cs h1 h2 h3 k x [[AL SH ? ? SE OW DU] SS]. split; [|exact SS]. constructor; auto.
  - destruct AL. constructor; auto. intros p i W N. cbn. rewrite !Map.get_set. destruct (_ =? _); auto.
  - destruct SH. constructor; auto; cbn; congruence.
  - intros p P. left. cbn. auto.
Qed.
Lemma strict_zero : forall n k d T Cs h1 h2 h3, strict d T Cs h1 h2 h3 -> strict d T Cs (zero_words n k h1) (zero_words n k h2) (zero_words n k h3).
Proof. induction n as [|n IH]; intros; cbn [zero_words]; auto. apply IH. now apply strict_store. Qed.

(* A page of zeros is the same page in both. *)
Lemma kept_zero_n : forall n d p, Z.of_nat n = 512 ->
  kept d d (fun h => if held h p then None else Some (tt, scrub p (zero_words n (p * 512) (oblige (free p) h)))).
Proof.
  intros n d p N512 T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3.
  destruct (held h1 p); [discriminate|]. destruct (held h2 p); [discriminate|]. destruct (held h3 p); [discriminate|].
  injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-. split; auto. split; auto.
  apply (inv_oblige _ _ _ _ _ _ (free p)) in I. apply strict_of in I. apply (strict_zero n (p * 512)) in I.
  destruct I as [[AL SH M CS SE OW DU] SS]. exists (fun q => T q /\ q <> p), Cs. constructor; auto.
  - pose proof (al_mem _ _ _ _ AL) as AM. destruct AL. constructor; auto. intros q i W N. change (Map.get (mem (zero_words n (p * 512) (oblige (free p) h2))) (q * 512 + i) =
      Map.get (mem (zero_words n (p * 512) (oblige (free p) h1))) (q * 512 + i)). destruct (Z.eq_dec q p) as [->|Q].
    + rewrite !zero_mem, N512. unfold is_word in W. replace ((p * 512 <=? p * 512 + i) && (p * 512 + i <? p * 512 + 512)) with true by lia. reflexivity.
    + apply AM; auto.
  - destruct SH. constructor; auto.
  - intros q [P N]. left. split; auto.
  - intros q [P N]. auto.
Qed.
Lemma kept_zero : forall d p, kept d d (fun h => if held h p then None else Some (tt, scrub p (zero_words 512 (p * 512) (oblige (free p) h)))).
Proof. intros d p. exact (kept_zero_n 512 d p eq_refl). Qed.

Lemma filter_phantom : forall (f : entry -> bool) X, Forall (phantom c0) X -> Forall (phantom c0) (filter f X).
Proof. intros f X H. apply Forall_forall. intros e I. apply filter_In in I as [I _]. rewrite Forall_forall in H. auto. Qed.

Lemma kept_complete : forall d, kept d d (fun h => Some (tt, complete h)).
Proof.
  intros d T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3. injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-.
  split; auto. split; auto. exists T, Cs. destruct I as [AL SH M CS SE ST OW DU]. constructor; auto.
  - destruct AL. constructor; auto. cbn. now rewrite al_tlb.
  - destruct SH. constructor; auto. destruct sh_tlb as (X & E & P & HX). exists (filter (fun e => negb (doomed e)) X). cbn. rewrite E, filter_app.
    split; auto. split; [now apply filter_phantom|]. intros D p O. destruct (HX D p O) as (e & IN & VE & DE & MP). exists e. split; auto.
    apply filter_In. split; auto. now rewrite DE.
  - intros p P. left. cbn. auto.
Qed.

Lemma kept_doom : forall d d' which, (d' = false -> d = false /\ forall e, which e = true -> vmid e <> vmid_of w) -> kept d d' (fun h => Some (tt, doom which h)).
Proof.
  intros d d' which K T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3. injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-.
  split; auto. split; auto. exists T, Cs. destruct I as [AL SH M CS SE ST OW DU].
  set (mark := fun e => if which e then Entry (cpu e) (vmid e) (level e) (key e) (desc e) true else e).
  constructor; auto.
  - destruct AL. constructor; auto. cbn. now rewrite al_tlb.
  - destruct SH. constructor; auto. destruct sh_tlb as (X & E & P & HX). exists (map mark X). cbn. rewrite E, map_app. split; auto. split.
    + apply Forall_forall. intros e IN. apply in_map_iff in IN as (e' & <- & IN). rewrite Forall_forall in P. specialize (P _ IN). unfold mark, phantom in *. now destruct (which e').
    + intros D p O. destruct (K D) as [D0 N]. destruct (HX D0 p O) as (e & IN & VE & DE & MP). exists e. split; auto. apply in_map_iff. exists e. split; auto.
      unfold mark. destruct (which e) eqn:Q; auto. now elim (N _ Q).
  - intros p P. left. cbn. auto.
Qed.

Lemma kept_input : forall d, kept d d (fun h => Some (inputs h (taken h), h <| taken ::= S |>)).
Proof.
  intros d T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3. injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-.
  pose proof I as [AL SH M CS SE ST OW DU]. split; [now rewrite (al_inputs _ _ _ _ AL), (al_taken _ _ _ _ AL)|].
  split; [now rewrite (sh_inputs _ _ _ _ _ _ SH), (sh_taken _ _ _ _ _ _ SH)|]. exists T, Cs. constructor; auto.
  - destruct AL. constructor; auto. cbn. now rewrite al_taken.
  - destruct SH. constructor; auto. cbn. now rewrite sh_taken.
  - intros p P. left. cbn. auto.
Qed.
End Handler.
