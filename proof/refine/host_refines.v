(* SPDX-License-Identifier: Apache-2.0 *)
(* host_hide: the host loses pages, on every CPU; a 2 MiB block of it is broken and made a table, other CPUs acting
   meanwhile. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host.
From nie.spec Require Import Core.
From nie.proof.refine Require Export GiveBack.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* The tables lie in pages that VMs' tables and the engine's range hold; what else changes does not matter. *)
Definition of_tables (a : state) (p : Z) : Prop :=
  engine_range a p \/ (in_ram a p = true /\ exists v k, own a p = Vcpu v k \/ exists l, own a p = Table v l k).

Lemma host_table_range : forall a p, wf a ->
  host_tables (cfg a) <= p < level3_first a + dev_count (cfg a) / 512 + ram_count (cfg a) / 512 -> engine_range a p.
Proof. intros a p W H. pose proof (c_tables _ (wf_c _ W)). unfold engine_range. lia. Qed.

Lemma tables_mem_of : forall a m m', wf a -> tables_hold a m ->
  (forall p i, of_tables a p -> is_word i = true -> m' (p * 512 + i) = m (p * 512 + i)) -> tables_hold a m'.
Proof.
  intros a m m' W T E. pose proof (gibs_small _ W). pose proof (c_dev _ (wf_c _ W)). pose proof (c_ram _ (wf_c _ W)). constructor.
  - intros p v l k i R O I. rewrite E; [eapply t_vm; eauto| |auto]. right. eauto 6.
  - intros i I. rewrite E; [now apply (t_1 _ _ T)| |auto]. left. apply host_table_range; auto. unfold level3_first. lia.
  - intros j i J I. rewrite E; [now apply (t_2 _ _ T)| |auto]. left. apply host_table_range; auto. unfold level3_first. lia.
  - intros g i M I. rewrite E; [now apply (t_3 _ _ T)| |auto]. left. apply host_table_range; auto.
    pose proof (level3_range _ W _ M). unfold level3_first in *. lia.
  - intros p v k j R O I. rewrite E; [eapply t_saved; eauto| |auto]. right. eauto 6.
Qed.

Lemma of_tables_untouched : forall a p, wf a -> of_tables a p -> in_ram a p = true /\ ~ touch (Aset a) p.
Proof.
  intros a p W [H|(R & v & k & O)].
  - assert (R : in_ram a p = true) by (unfold in_ram, engine_range in *; pose proof (c_engine _ (wf_c _ W)); lia).
    split; auto. apply (untouched _ W); auto. now rewrite (wf_engine _ W).
  - split; auto. apply (untouched _ W); auto. now destruct O as [-> | (l & ->)].
Qed.

Section Pure.
Variables (a : state) (gl : globals) (h : Machine.hw).
Hypothesis Wc : wf_cfg a.
Hypothesis G : globals_hold a gl.

Lemma level2_of_run : forall p, 0 <= p < 2 ^ 27 ->
  level2_of p (Mach gl h) = Some (host_tables (cfg a) + 1 + p / 262144, Mach gl h).
Proof.
  intros p P. apply known_of_wp. pose proof (c_ram _ Wc) as C. pose proof (c_dev _ Wc) as D.
  pose proof (c_tables _ Wc) as T. pose proof (c_engine _ Wc) as E. unfold level3_first in T.
  assert (GB : 1 <= gib_count a <= 512) by (unfold gib_count; arith).
  unfold level2_of. go. auto.
Qed.

Lemma level2_index_run : forall p, 0 <= p < 2 ^ 27 -> level2_index p (Mach gl h) = Some (p / 512 mod 512, Mach gl h).
Proof. intros p P. unfold level2_index, ret. now rewrite wrap32, land_511 by lia. Qed.
End Pure.

Section Hide.
Variables (a b : state) (h0 : Machine.hw) (p count : Z).
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis ENG : engine h0 = engine_of a.
Hypothesis B : hidden a p count b.
Variable m0 : Z -> Z.
Hypothesis T0 : tables_hold a m0.

Notation W := (h_wf B).
Notation A := (Aset a).
Notation A' := (Aset b).
Notation AB := (between a b).
(* The 2 MiB, its level 2 table, and the words of the first entries: named by equations, which lia uses. *)
Variables g t2 t3 w2 w3 : Z.
Hypothesis Eg : g = p / 512.
Hypothesis Et2 : t2 = host_tables (cfg a) + 1 + p / 262144.
Hypothesis Et3 : t3 = level3 a g.
Hypothesis Ew2 : w2 = t2 * 512 + g mod 512.
Hypothesis Ew3 : w3 = t3 * 512 + p mod 512.

(* The last level after i pages; then the level above: broken, and made. *)
Definition gone (i : Z) : Z -> Z := fun w => if (w3 <=? w) && (w <? w3 + i) then 0 else m0 w.
Definition broken : Z -> Z := match mode_at a g with Block => upd (gone count) w2 0 | _ => gone count end.
Definition made : Z -> Z := upd (gone count) w2 (t3 * 4096 + DESC_TABLE).

Lemma Wb : wf b.
Proof. exact (hidden_wf B). Qed.
Lemma C : 1 <= count /\ p mod 512 + count <= 512.
Proof. exact (h_count B). Qed.

Lemma p_small : 0 < p < 2 ^ 27.
Proof. pose proof C. destruct (h_host B 0) as [R _]; [lia|]. rewrite Z.add_0_r in R. now apply (ram_small _ W) in R. Qed.

Lemma managed_g : managed a g.
Proof. rewrite Eg. exact (managed_given B). Qed.

Lemma gib_small : 0 <= p / 262144 < gib_count a.
Proof.
  pose proof C. destruct (h_host B 0) as [R _]; [lia|]. rewrite Z.add_0_r in R. pose proof p_small. unfold in_ram, gib_count in *. lia.
Qed.

(* Where the tables lie. *)
Lemma places : host_tables (cfg a) < t2 < level3_first a /\ level3_first a <= t3 /\ level3_first a = host_tables (cfg a) + 1 + gib_count a.
Proof.
  pose proof gib_small. pose proof (level3_range _ W _ managed_g). unfold level3_first in *. lia.
Qed.

Lemma t3_page : in_ram a t3 = true /\ own a t3 = Engine.
Proof. rewrite Et3. apply (level3_page _ W), managed_g. Qed.

Lemma t2_page : in_ram a t2 = true /\ own a t2 = Engine.
Proof. pose proof gib_small. rewrite Et2, <- Z.add_assoc. apply (low_table_page _ W). lia. Qed.

Lemma w3_word : forall i, 0 <= i < count -> is_word (p mod 512 + i) = true.
Proof. intros i I. pose proof C. unfold is_word. lia. Qed.
Lemma w2_word : is_word (g mod 512) = true.
Proof. unfold is_word. lia. Qed.

(* Which words these are. *)
Lemma word_w2 : forall q i, is_word i = true -> q * 512 + i = w2 <-> q = t2 /\ i = g mod 512.
Proof.
  intros q i I. rewrite Ew2. split; [|intros [-> ->]; auto]. intro E. apply word_inj in E; auto using w2_word.
Qed.
Lemma word_w3 : forall q i n, is_word i = true -> 0 <= n <= count ->
  w3 <= q * 512 + i < w3 + n <-> q = t3 /\ p mod 512 <= i < p mod 512 + n.
Proof. intros q i n I N. rewrite Ew3. pose proof C. unfold is_word in I. split; [|intros [-> ?]]; lia. Qed.

Lemma gone_at : forall q i n, is_word i = true -> 0 <= n <= count ->
  gone n (q * 512 + i) = if (q =? t3) && (p mod 512 <=? i) && (i <? p mod 512 + n) then 0 else m0 (q * 512 + i).
Proof.
  intros q i n I N. pose proof (word_w3 q i n I N) as E. unfold gone.
  destruct ((w3 <=? q * 512 + i) && (q * 512 + i <? w3 + n)) eqn:F.
  - destruct E as [E _]. destruct E as [-> E]; [lia|]. now replace ((t3 =? t3) && (p mod 512 <=? i) && (i <? p mod 512 + n)) with true by lia.
  - destruct ((q =? t3) && (p mod 512 <=? i) && (i <? p mod 512 + n)) eqn:K; auto. destruct E as [_ E]. lia.
Qed.

Lemma made_at : forall q i, is_word i = true ->
  made (q * 512 + i) = if (q =? t2) && (i =? g mod 512) then t3 * 4096 + DESC_TABLE else gone count (q * 512 + i).
Proof.
  intros q i I. pose proof (word_w2 q i I) as E. unfold made, upd. destruct (Z.eqb_spec (q * 512 + i) w2) as [F|F].
  - destruct E as [E _]. destruct E as [-> ->]; auto. now rewrite !Z.eqb_refl.
  - destruct ((q =? t2) && (i =? g mod 512)) eqn:K; auto. destruct E as [_ E]. destruct F. apply E. lia.
Qed.

Lemma w2_not_gone : forall n, 0 <= n <= count -> gone n w2 = m0 w2.
Proof.
  intros n N. pose proof C. pose proof places. rewrite Ew2, gone_at; auto using w2_word. now replace (t2 =? t3) with false by lia.
Qed.

Lemma m0_w2 : m0 w2 = henc a 2 g.
Proof.
  pose proof gib_small. rewrite Ew2, Et2, (t_2 _ _ T0); auto using w2_word. f_equal. lia.
Qed.

Lemma made_tables : tables_hold b made.
Proof.
  pose proof t3_page as (R3 & O3). destruct t2_page as [R2 O2]. pose proof gib_small as GS. pose proof places as PL. pose proof C as CC.
  assert (X : forall q i, is_word i = true -> q <> t2 -> q <> t3 -> made (q * 512 + i) = m0 (q * 512 + i)).
  { intros q i I N2 N3. rewrite made_at, gone_at by (auto; lia). now replace (q =? t2) with false by lia; replace (q =? t3) with false by lia. }
  assert (HE : forall l k, (l = 2 -> k <> p / 512) -> (l = 3 -> ~ given p count k) -> henc b l k = henc a l k)
    by exact (h_henc B).
  constructor.
  - intros q v l k i R O I. rewrite (h_ram B) in R. rewrite (h_slot B).
    assert (OA : own a q = Table v l k).
    { destruct (given_dec p count q) as [Gv|Gv].
      - rewrite (h_kept B q Gv) in O. discriminate.
      - now rewrite (h_own B q Gv) in O. }
    rewrite X; auto; [eapply t_vm; eauto|congruence|congruence].
  - intros i I. rewrite (h_cfg B), X, HE by (auto; intros; lia). now apply (t_1 _ _ T0).
  - intros j i J I. rewrite (h_gibs B) in J. rewrite (h_cfg B).
    destruct (Z.eq_dec (j * 512 + i) g) as [E|E].
    + assert (J' : host_tables (cfg a) + 1 + j = t2 /\ i = g mod 512) by (unfold is_word in *; lia). destruct J' as [J' I'].
      rewrite made_at, J', I', !Z.eqb_refl by auto. cbn [andb]. rewrite <- I', E, Eg, (h_henc2 B). now rewrite Et3, Eg.
    + rewrite HE by (intros; lia). rewrite <- (t_2 _ _ T0) by auto. rewrite made_at, gone_at by (auto; lia).
      replace (host_tables (cfg a) + 1 + j =? t3) with false by lia. cbn [andb].
      destruct ((host_tables (cfg a) + 1 + j =? t2) && (i =? g mod 512)) eqn:K; auto. unfold is_word in I. lia.
  - intros g' i M I. apply (h_managed B) in M. rewrite (h_level3 B). pose proof (level3_range _ W _ M) as L.
    rewrite made_at, gone_at by (auto; lia). replace (level3 a g' =? t2) with false by lia. cbn [andb].
    destruct (Z.eqb_spec (level3 a g') t3) as [E|E]; cbn [andb].
    + rewrite Et3 in E. apply (level3_inj _ W) in E; auto using managed_g. subst g'.
      destruct ((p mod 512 <=? i) && (i <? p mod 512 + count)) eqn:K.
      * symmetry. apply (h_henc3 B). unfold given. lia.
      * rewrite HE; [now apply (t_3 _ _ T0)|lia|]. intros _. unfold given. lia.
    + rewrite HE; [now apply (t_3 _ _ T0)|lia|]. intros _ K. apply E. rewrite Et3. f_equal. unfold given, is_word in *. lia.
  - intros q v i j R O I. rewrite (h_ram B) in R. rewrite (same_saved (h_records B)).
    assert (OA : own a q = Vcpu v i).
    { destruct (given_dec p count q) as [Gv|Gv].
      - rewrite (h_kept B q Gv) in O. discriminate.
      - now rewrite (h_own B q Gv) in O. }
    rewrite X; auto; [eapply t_saved; eauto|congruence|congruence].
Qed.

(** Closedness, on the way. *)

Lemma gone_old : forall i w d, Machine.valid d = true -> gone i w = d -> m0 w = d.
Proof. intros i w d V E. unfold gone in E. destruct ((w3 <=? w) && (w <? w3 + i)); auto. subst d. discriminate. Qed.

Lemma broken_gone : forall w d, Machine.valid d = true -> broken w = d -> gone count w = d.
Proof.
  intros w d V E. unfold broken in E. destruct (mode_at a g); auto. unfold upd in E. destruct (w =? w2); auto. subst d. discriminate.
Qed.

Lemma mode_g : mode_at a g = Split \/ mode_at a g = Block.
Proof. rewrite Eg. exact (mode_given B). Qed.

Lemma broken_made : forall w d, Machine.valid d = true -> broken w = d -> made w = d.
Proof.
  intros w d V E. pose proof C. unfold made, upd. destruct (Z.eqb_spec w w2) as [->|N]; [|now apply broken_gone].
  unfold broken in E. destruct mode_g as [M|M]; rewrite M in E.
  - rewrite w2_not_gone, m0_w2 in E by lia. unfold henc in E. cbn [Z.eqb Pos.eqb] in E. rewrite M in E. now rewrite Et3.
  - unfold upd in E. rewrite Z.eqb_refl in E. subst d. discriminate.
Qed.

Lemma closed_between : closed AB (now broken).
Proof.
  intros v l k d i d' [H1 H2] TB I V E. unfold now in E. split.
  - eapply (Aset_closed _ W m0 T0); eauto. unfold now. eapply gone_old; eauto. eapply broken_gone; eauto.
  - eapply (Aset_closed _ Wb made made_tables); eauto. unfold now. now apply broken_made.
Qed.

(* What the host reaches afterwards it reaches in the window too, or could. *)
Lemma leaf_between : forall l k d, A' 0 l k d -> is_leaf l d = true -> AB 0 l k d.
Proof.
  intros l k d H M. split; auto. destruct H as [(_ & H)|(j & E & J & _)]; [|lia]. left. split; auto.
  destruct H as [(-> & -> & ->)|(L & -> & V)]; [discriminate|]. right.
  assert (K : (l = 2 /\ k = p / 512) \/ (l = 3 /\ given p count k) \/ ((l = 2 -> k <> p / 512) /\ (l = 3 -> ~ given p count k)))
    by (unfold given; lia).
  destruct K as [(-> & ->)|[(-> & K)|(K2 & K3)]].
  - rewrite (h_henc2 B) in M. unfold is_leaf in M. cbn [Z.eqb Pos.eqb Z.ltb Z.compare Pos.compare Pos.compare_cont andb orb] in M.
    rewrite mod4_of_desc in M. discriminate.
  - rewrite (h_henc3 B) in V by auto. discriminate.
  - now rewrite (h_henc B) in * by auto.
Qed.

Lemma grow : forall m (V' : Z -> Z -> Prop) h, world h0 AB AB m (now m) h -> (forall w d, Machine.valid d = true -> m w = d -> V' w d) ->
  closed A' V' -> world h0 A' A' m V' h.
Proof.
  intros m V' h X S CL. pose proof (hidden_wf B) as WB. eapply world_grow; eauto.
  - now intros v l k d [_ H].
  - now intros v l k d [_ H].
  - now intros v l k d H.
  - now apply Aset_apart.
  - rewrite (f_engine _ _ (w_frame _ _ _ _ _ _ X)), ENG. apply Aset_safe; auto; cbn; rewrite (h_cfg B); lia.
  - intros q SQ (l & k & d & H & M). apply (w_secret _ _ _ _ _ _ X q SQ). exists l, k, d. split; auto. apply leaf_between; auto. apply M.
Qed.

Lemma of_tables_b : forall q, of_tables b q -> of_tables a q.
Proof.
  intros q [H|(R & O)].
  - left. unfold engine_range in *. now rewrite (h_cfg B) in H.
  - right. rewrite (h_ram B) in R. split; auto. destruct (given_dec p count q) as [Gv|Gv].
    + rewrite (h_kept B q Gv) in O. destruct O as (v & k & [O|(l & O)]); discriminate.
    + now rewrite (h_own B q Gv) in O.
Qed.

(* Memory once the flush is over: what nobody reached is as it was written. *)
Definition kept_mem (m : Z -> Z) : Prop := forall q i, is_word i = true -> ~ touch A q -> m (q * 512 + i) = broken (q * 512 + i).

Lemma final_tables : forall m m', kept_mem m -> (forall q i, is_word i = true -> q * 512 + i <> w2 -> m' (q * 512 + i) = m (q * 512 + i)) ->
  m' w2 = t3 * 4096 + DESC_TABLE -> tables_hold b m'.
Proof.
  intros m m' K N E. eapply tables_mem_of; [exact Wb|exact made_tables|]. intros q i OT I.
  apply of_tables_b in OT. destruct (of_tables_untouched _ _ W OT) as [_ NT].
  unfold made, upd. destruct (Z.eqb_spec (q * 512 + i) w2) as [F|F]; [now rewrite F|]. rewrite N, K by auto.
  unfold broken. destruct (mode_at a g); auto. unfold upd. now destruct (Z.eqb_spec (q * 512 + i) w2).
Qed.

Lemma broken_w2 : broken w2 = if match mode_at a g with Block => true | _ => false end then 0 else t3 * 4096 + DESC_TABLE.
Proof.
  pose proof C. unfold broken. destruct mode_g as [M|M]; rewrite M.
  - rewrite w2_not_gone, m0_w2 by lia. unfold henc. cbn [Z.eqb Pos.eqb]. now rewrite M, Et3.
  - unfold upd. now rewrite Z.eqb_refl.
Qed.

Lemma kept_w2 : forall m, kept_mem m -> m w2 = broken w2.
Proof.
  intros m K. destruct t2_page as [R O]. rewrite Ew2. apply K; auto using w2_word. apply (kept_untouched _ W); auto. now rewrite O.
Qed.

Lemma kept_other : forall m q i, kept_mem m -> is_word i = true -> ~ touch A q -> own a q <> Engine -> m (q * 512 + i) = m0 (q * 512 + i).
Proof.
  intros m q i K I N O. pose proof C. destruct t2_page as [_ O2]. destruct t3_page as [_ O3]. rewrite K by auto.
  assert (E : gone count (q * 512 + i) = m0 (q * 512 + i)).
  { rewrite gone_at by (auto; lia). destruct (Z.eqb_spec q t3); [congruence|auto]. }
  unfold broken. destruct (mode_at a g); auto. unfold upd. destruct (Z.eqb_spec (q * 512 + i) w2) as [F|F]; auto.
  apply word_w2 in F; auto. destruct F. congruence.
Qed.

(** The C. *)

(* Of the globals, host_hide reads the manifest only: the granule table may have changed already. *)
Variables (c : state) (gl : globals).
Hypothesis CFG : cfg c = cfg a.
Hypothesis G : globals_hold c gl.

Lemma wf_cfg_c : wf_cfg c.
Proof. destruct (wf_c _ W). constructor; unfold level3_first, gib_count in *; rewrite CFG; auto. Qed.

Lemma hide_loop : forall h (Q : unit -> mach globals Machine.hw -> Prop), world h0 A A m0 (now m0) h ->
  (forall h', world h0 A A (gone count) (now m0) h' -> Q tt (Mach gl h')) ->
  wp (loop 0 count tt (fun i _ =>
      page_write t3 (wrap U32 (p mod 512 + (wrap U32 i))) DESC_EMPTY ;;;
      ret tt)) Q (Mach gl h).
Proof.
  intros h Q X H. pose proof C. destruct t3_page as [R3 O3].
  apply wp_loop with (I := fun i _ s => exists h, s = Mach gl h /\ world h0 A A (gone i) (now m0) h); try lia.
  - exists h. split; auto. eapply world_mem; eauto. intros q i I N. rewrite gone_at by (auto; lia).
    now destruct ((q =? t3) && (p mod 512 <=? i) && (i <? p mod 512 + 0)) eqn:E; [lia|].
  - intros i u s I (h1 & -> & X1). rewrite (wrap32 i), wrap32 by lia. w_bind.
    pose proof (w3_word i ltac:(lia)) as IW.
    eapply (wp_page_write h0 a RAM); eauto.
    + apply (kept_untouched _ W); auto. now rewrite O3.
    + discriminate.
    + rewrite gone_at by (auto; lia). unfold now. now destruct ((t3 =? t3) && _ && _).
    + intros h2 X2. cbn beta. go. exists h2. split; auto. eapply world_mem; eauto. intros q j J N.
      rewrite gone_at by (auto; lia). unfold upd. destruct (Z.eqb_spec (q * 512 + j) (t3 * 512 + (p mod 512 + i))) as [E|E].
      * apply word_inj in E as [-> ->]; auto. now replace ((t3 =? t3) && (p mod 512 <=? p mod 512 + i) && (p mod 512 + i <? p mod 512 + (i + 1))) with true by lia.
      * rewrite gone_at by (auto; lia). replace ((q =? t3) && (p mod 512 <=? j) && (j <? p mod 512 + (i + 1)))
          with ((q =? t3) && (p mod 512 <=? j) && (j <? p mod 512 + i)); auto.
        apply eq_true_iff_eq. destruct (Z.eqb_spec q t3) as [->|]; cbn [andb]; [|tauto]. lia.
  - intros u s (h1 & -> & X1). destruct u. auto.
Qed.

Lemma hide_wp : forall h (Q : unit -> mach globals Machine.hw -> Prop), world h0 A A m0 (now m0) h ->
  (forall m h', world h0 A' A' m (now m) h' -> tables_hold b m ->
     (forall q i, is_word i = true -> ~ touch A q -> own a q <> Engine -> m (q * 512 + i) = m0 (q * 512 + i)) -> Q tt (Mach gl h')) ->
  wp (host_hide p count) Q (Mach gl h).
Proof.
  intros h Q X H. pose proof p_small as PS. pose proof wf_cfg_c as WC. pose proof C as CC.
  destruct t2_page as [R2 O2]. destruct t3_page as [R3 O3]. pose proof places as PL.
  assert (RC : in_ram c p = true) by (destruct (h_host B 0) as [R _]; [lia|]; rewrite Z.add_0_r in R; unfold in_ram in *; now rewrite CFG).
  assert (NT2 : ~ touch A t2) by (apply (kept_untouched _ W); auto; now rewrite O2).
  pose proof (ram_small _ W _ R3) as S3.
  assert (DT : (m0 w2 mod 4 =? 3) = match mode_at a g with Block => false | _ => true end).
  { rewrite m0_w2. unfold henc. cbn [Z.eqb Pos.eqb]. destruct mode_g as [M|M]; rewrite M; norm; rewrite mod4_of_desc; auto.
    unfold attributes. norm. now destruct (in_ram a (g * 512)). }
  unfold host_hide. w_bind. w_known level2_of_run; [exact WC|exact G|lia|]. rewrite CFG, <- Et2.
  w_bind. w_known level3_of_run; [exact WC|exact G|exact RC|].
  replace (level3 c (p / 512)) with t3 by (rewrite Et3, Eg; unfold level3, level3_first, gib_count, in_ram; now rewrite CFG).
  skip. rewrite wrap32, land_511 by lia. w_known level2_index_run; [lia|]. rewrite <- Eg.
  skip. eapply wp_page_read; eauto using w2_word. intros h1 X1. cbn beta. rewrite <- Ew2.
  skip. apply hide_loop; [exact X1|]. intros h2 X2. cbn beta. skip. w_known desc_is_table_run. rewrite DT. w_bind.
  apply wp_weaken with (Q := fun _ s => exists h, s = Mach gl h /\ world h0 A A broken (now m0) h).
  { pose proof broken_w2 as BW. unfold broken. destruct (mode_at a g); cbn [b2z]; [change (1 =? 0) with false|change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota;
      [go; eauto|go; eauto|]. skip. w_known level2_index_run; [lia|]. rewrite <- Eg. skip.
    eapply (wp_page_write h0 a RAM); eauto using w2_word; [discriminate| |].
    - rewrite <- Ew2, w2_not_gone by lia. unfold now. auto.
    - rewrite <- Ew2. intros h3 X3. cbn beta. go. eauto. }
  intros u s (h3 & -> & X3). cbn beta. skip. eapply wp_dsb_same; [exact X3|]. intros h4 X4. cbn beta. w_bind.
  eapply wp_tlbi with (A := AB); [exact X4|now intros v l k d [E _]| | | | |].
  { intros v l k d N E. split; auto. now apply (h_vm_entry B). }
  { intros d E. split; auto. now apply (h_root_entry B). }
  { exact closed_between. }
  { intros x q _ (l & k & d & _ & _ & N & _). now destruct N. }
  intros h5 X5. cbn beta. w_bind. eapply wp_dsb; [exact X5|]. intros m h6 K X6. cbn beta. fold (kept_mem m) in K.
  w_bind. eapply wp_isb; [exact X6|]. intros h7 X7. cbn beta. skip. w_known desc_is_table_run. rewrite DT.
  pose proof (kept_w2 m K) as MW. rewrite broken_w2 in MW.
  destruct (mode_at a g) eqn:M; cbn [b2z]; [destruct mode_g; congruence|change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota.
  - assert (TB : tables_hold b m) by (apply final_tables with m; auto). go. apply (H m h7); auto.
    + apply grow; auto. apply (Aset_closed _ Wb); auto.
    + intros. now apply kept_other.
  - skip. w_known level2_index_run; [lia|]. rewrite <- Eg. skip. w_known address_of_run; [lia|]. skip.
    change DESC_TABLE with 3. rewrite lor_page by lia. change 3 with DESC_TABLE.
    set (m' := upd m w2 (t3 * 4096 + DESC_TABLE)).
    assert (TB : tables_hold b m').
    { apply final_tables with m; auto; unfold m', upd; [|now rewrite Z.eqb_refl]. intros q i I N. now destruct (Z.eqb_spec (q * 512 + i) w2). }
    assert (X8 : world h0 A' A' m (now m') h7).
    { apply grow; auto; [|now apply (Aset_closed _ Wb)]. intros w d V E. unfold now, m', upd.
      destruct (Z.eqb_spec w w2) as [->|]; auto. rewrite MW in E. subst d. discriminate. }
    eapply (wp_page_write h0 a RAM); eauto using w2_word.
    + intro N. apply NT2. destruct N as (v & l & k & d & E & F). destruct (Z.eq_dec v 0) as [->|V].
      * exists 0, l, k, d. split; auto. apply leaf_between; auto. apply F.
      * exists v, l, k, d. split; auto. now apply (h_vm_entry B).
    + intros _. rewrite <- Ew2. unfold now, m', upd. now rewrite Z.eqb_refl.
    + rewrite <- Ew2, MW. discriminate.
    + rewrite <- Ew2. fold m'. intros h8 X9. w_bind. eapply wp_dsb_same; [exact X9|]. intros h9 X10. cbn beta. go.
      apply (H m' h9); auto. intros q i I N O. unfold m', upd. destruct (Z.eqb_spec (q * 512 + i) w2) as [E|E]; [|now apply kept_other].
      apply word_w2 in E; auto. destruct E. congruence.
Qed.
End Hide.

Theorem host_hide_wp : forall a b h0 p count c gl m h (Q : unit -> mach globals Machine.hw -> Prop),
  ram h0 = ram_of a -> engine h0 = engine_of a -> hidden a p count b -> tables_hold a m -> cfg c = cfg a -> globals_hold c gl ->
  world h0 (Aset a) (Aset a) m (now m) h ->
  (forall m' h', world h0 (Aset b) (Aset b) m' (now m') h' -> tables_hold b m' ->
     (forall q i, is_word i = true -> ~ touch (Aset a) q -> own a q <> Engine -> m' (q * 512 + i) = m (q * 512 + i)) ->
     Q tt (Mach gl h')) ->
  wp (host_hide p count) Q (Mach gl h).
Proof.
  intros a b h0 p count c gl m h Q RAM ENG B T CFG G X H.
  exact (hide_wp a b h0 p count RAM ENG B m T _ _ _ _ _ eq_refl eq_refl eq_refl eq_refl eq_refl c gl CFG G h Q X H).
Qed.
