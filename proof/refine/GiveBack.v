(* SPDX-License-Identifier: Apache-2.0 *)
(* A page goes back to the host: what that does to the map, to the tables in memory, and the C that does it. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Records.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate.
From nie.spec Require Import Core.
From nie.proof.refine Require Export Shared.
From RecordUpdate Require Import RecordSet.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation host_may_access := State.host_may_access.

(* The engine keeps this page to itself for good reason: its own, a table, or a context. *)
Definition engine_kept (o : owner) : Prop := match o with Engine | Table _ _ _ | Vcpu _ _ => True | _ => False end.

Section Tables.
Variable b : state.
Hypothesis W : wf b.

Lemma level3_page : forall g, managed b g -> in_ram b (level3 b g) = true /\ own b (level3 b g) = Engine.
Proof.
  intros g M. pose proof (level3_range _ W _ M). pose proof (c_dev _ (wf_c _ W)). pose proof (c_ram _ (wf_c _ W)).
  pose proof (gibs_small _ W). apply (tables_in_ram _ W). unfold level3_first in *. lia.
Qed.

Lemma low_table_page : forall j, 0 <= j <= gib_count b ->
  in_ram b (host_tables (cfg b) + j) = true /\ own b (host_tables (cfg b) + j) = Engine.
Proof.
  intros j J. pose proof (c_dev _ (wf_c _ W)). pose proof (c_ram _ (wf_c _ W)).
  apply (tables_in_ram _ W). unfold level3_first in *. lia.
Qed.

(* Only pages that the engine keeps matter to the tables. *)
Lemma tables_mem : forall m m', tables_hold b m ->
  (forall p i, in_ram b p = true -> engine_kept (own b p) -> is_word i = true -> m' (p * 512 + i) = m (p * 512 + i)) ->
  tables_hold b m'.
Proof.
  intros m m' T E. constructor.
  - intros p v l k i R O I. rewrite E; auto; [|now rewrite O]. eapply t_vm; eauto.
  - intros i I. pose proof (gibs_small _ W). destruct (low_table_page 0) as [R O]; [lia|]. rewrite Z.add_0_r in *.
    rewrite E; auto; [|now rewrite O]. now apply (t_1 _ _ T).
  - intros j i J I. destruct (low_table_page (1 + j)) as [R O]; [lia|]. rewrite Z.add_assoc in *.
    rewrite E; auto; [|now rewrite O]. now apply (t_2 _ _ T).
  - intros g i M I. destruct (level3_page _ M) as [R O]. rewrite E; auto; [|now rewrite O]. now apply (t_3 _ _ T).
  - intros p v i j R O I. rewrite E; auto; [|now rewrite O]. eapply t_saved; eauto.
Qed.

Lemma kept_untouched : forall p, in_ram b p = true -> engine_kept (own b p) -> ~ touch (Aset b) p.
Proof. intros p R K. now apply (untouched _ W). Qed.

(* A VM's page that no entry names any more. *)
Lemma data_untouched : forall q v y, in_ram b q = true -> own b q = Data v y ->
  (forall p, slot_at b v 3 y <> ToPage p) -> (forall p, slot_at b v 2 (y / 512) <> ToBlock p) -> ~ touch (Aset b) q.
Proof.
  intros q v y R O N3 N2 (v' & l & k & d & [(-> & H)|(i & -> & I & H)] & M).
  - destruct H as [(-> & _)|(L & -> & V)]; [apply maps_level in M; lia|].
    apply (host_maps _ W) in M; auto. unfold host_may_access in M. now rewrite R, O in M.
  - destruct H as [(-> & _)|(L & -> & V)]; [apply maps_level in M; lia|].
    destruct (slot_at b i l k) as [| |p|p|p|p] eqn:E; try discriminate.
    + destruct (wf_tab _ W _ _ _ _ E) as (LL & RR & OO). destruct M as [M _]. unfold is_leaf in M.
      destruct (enc_facts (ToTable p) p) as (_ & _ & F); auto; [apply (ram_small _ W) in RR; lia|]. rewrite F in M. lia.
    + destruct (wf_blk _ W _ _ _ _ E) as (-> & Q & B). destruct (B 0) as [RR _]; [reflexivity|]. apply (ram_small _ W) in RR.
      destruct (enc_facts (ToBlock p) p) as (_ & F & _); auto; [lia|].
      destruct (first_page_2 _ _ M) as (j & J & ->); rewrite F in *; auto. destruct (B j J) as [_ O'].
      rewrite O in O'. injection O' as -> ->. apply (N2 p). rewrite <- E. f_equal. unfold is_word in J. lia.
    + destruct (wf_page _ W _ _ _ _ E) as (-> & RR & O'). destruct (enc_facts (ToPage p) p) as (_ & F & _); auto; [apply (ram_small _ W) in RR; lia|].
      apply first_page_3 in M. rewrite F in M. subst. rewrite O in O'. injection O' as -> ->. now apply (N3 p).
    + destruct (wf_shared _ W _ _ _ _ E) as (-> & RR & O' & _). destruct (enc_facts (ToShared p) p) as (_ & F & _); auto; [apply (ram_small _ W) in RR; lia|].
      apply first_page_3 in M. rewrite F in M. subst. congruence.
Qed.
End Tables.

Definition give (v q : Z) (b : state) : state := add_granules v (-1) (set_own q Host b).

Lemma give_records : forall v q b, vm_state (vm_at b v) <> NIE_VM_FREE -> same_records b (give v q b).
Proof.
  intros v q b N. constructor; auto; intro i; [|intros _]; unfold give; rewrite add_granules_vm; change (vm_at (set_own q Host b)) with (vm_at b);
    destruct (Z.eqb_spec i v) as [->|]; auto. contradiction.
Qed.

Section Give.
Variables (b : state) (v q : Z).
Hypothesis W : wf b.
Hypothesis RQ : in_ram b q = true.
Let b' := give v q b.
Hypothesis W' : wf b'.

Lemma give_own : forall p, own b' p = if p =? q then Host else own b p.
Proof. intro p. unfold b', give. change (own (set_own q Host b) p = if p =? q then Host else own b p). apply own_set. Qed.

Lemma give_access : forall p, host_may_access b' p = if p =? q then true else host_may_access b p.
Proof.
  intro p. unfold host_may_access. change (in_ram b' p) with (in_ram b p). change (cfg b') with (cfg b). rewrite give_own.
  destruct (Z.eqb_spec p q) as [->|]; auto. now rewrite RQ.
Qed.

Lemma give_henc : forall l k, henc b' l k = if (l =? 3) && (k =? q) then q * 4096 + (DESC_NORMAL + DESC_PAGE) else henc b l k.
Proof.
  intros l k. unfold henc. change (gib_count b') with (gib_count b). change (cfg b') with (cfg b). change (mode_at b' k) with (mode_at b k).
  change (level3 b' k) with (level3 b k). change (attributes b' (k * 512)) with (attributes b (k * 512)). change (attributes b' k) with (attributes b k).
  destruct (Z.eqb_spec l 1) as [->|]; auto. destruct (Z.eqb_spec l 2) as [->|]; auto. destruct (Z.eqb_spec l 3) as [->|]; auto.
  cbn [andb]. rewrite give_access. destruct (Z.eqb_spec k q) as [->|]; auto. unfold attributes. now rewrite RQ.
Qed.

Lemma give_sub : sub (Aset b) (Aset b').
Proof.
  intros v' l k d [(-> & H)|(i & -> & I & H)].
  - left. split; auto. destruct H as [H|(L & -> & V)]; auto. right. split; auto. rewrite give_henc.
    destruct ((l =? 3) && (k =? q)) eqn:E; auto. assert (l = 3 /\ k = q) as [-> ->] by lia.
    unfold henc in *. cbn [Z.eqb Pos.eqb] in *. destruct (host_may_access b q); [|discriminate].
    unfold attributes in *. now rewrite RQ in *.
  - right. exists i. repeat split; auto; try lia. change (slot_at b' i l k) with (slot_at b i l k).
    destruct (add_granules_root (set_own q Host b) v (-1) i) as [E1 E2]. fold (give v q b) in E1, E2. fold b' in E1, E2.
    rewrite E1, E2. exact H.
Qed.

Lemma give_managed : managed b (q / 512).
Proof. pose proof (c_ram _ (wf_c _ W)). unfold managed, in_ram in *. split; [|left]; lia. Qed.

Definition shown_at : Z := level3 b (q / 512) * 512 + q mod 512.
Definition shown_desc : Z := q * 4096 + (DESC_NORMAL + DESC_PAGE).

Lemma give_tables : forall m, tables_hold b m -> own b q <> Engine -> tables_hold b' (upd m shown_at shown_desc).
Proof.
  intros m T K. pose proof give_managed as MG. destruct (level3_page _ W _ MG) as [R3 O3].
  assert (IQ : is_word (q mod 512) = true) by (unfold is_word; lia).
  constructor.
  - intros p v' l k i R O I. change (in_ram b' p) with (in_ram b p) in R. rewrite give_own in O.
    change (slot_at b' v' l (k * 512 + i)) with (slot_at b v' l (k * 512 + i)).
    destruct (Z.eqb_spec p q); [discriminate|]. unfold upd, shown_at.
    destruct (Z.eqb_spec (p * 512 + i) (level3 b (q / 512) * 512 + q mod 512)) as [E|E].
    + apply word_inj in E as [-> _]; auto. congruence.
    + eapply t_vm; eauto.
  - intros i I. unfold upd, shown_at. change (cfg b') with (cfg b). rewrite give_henc. cbn [Z.eqb Pos.eqb andb].
    pose proof (level3_range _ W _ MG) as RG. pose proof (gibs_small _ W). unfold level3_first in RG.
    destruct (Z.eqb_spec (host_tables (cfg b) * 512 + i) (level3 b (q / 512) * 512 + q mod 512)) as [E|E].
    + apply word_inj in E as [E _]; auto. lia.
    + now apply (t_1 _ _ T).
  - intros j i J I. change (gib_count b') with (gib_count b) in J. unfold upd, shown_at. change (cfg b') with (cfg b). rewrite give_henc. cbn [Z.eqb Pos.eqb andb].
    pose proof (level3_range _ W _ MG) as RG. unfold level3_first in RG.
    destruct (Z.eqb_spec ((host_tables (cfg b) + 1 + j) * 512 + i) (level3 b (q / 512) * 512 + q mod 512)) as [E|E].
    + apply word_inj in E as [E _]; auto. lia.
    + now apply (t_2 _ _ T).
  - intros g i M I. change (managed b' g) with (managed b g) in M. change (level3 b' g) with (level3 b g). unfold upd, shown_at. rewrite give_henc. cbn [Z.eqb Pos.eqb andb].
    destruct (Z.eqb_spec (level3 b g * 512 + i) (level3 b (q / 512) * 512 + q mod 512)) as [E|E].
    + apply word_inj in E as [E F]; auto. apply (level3_inj _ W) in E; auto. subst.
      replace (q / 512 * 512 + q mod 512 =? q) with true by lia. reflexivity.
    + destruct (Z.eqb_spec (g * 512 + i) q) as [F|F]; [|now apply (t_3 _ _ T)].
      exfalso. apply E. unfold is_word in I. replace (q / 512) with g by lia. replace (q mod 512) with i by lia. reflexivity.
  - intros p v' i j R O I. change (in_ram b' p) with (in_ram b p) in R. rewrite give_own in O.
    change (saved_at b' v' i j) with (saved_at b v' i j).
    destruct (Z.eqb_spec p q); [discriminate|]. unfold upd, shown_at.
    destruct (Z.eqb_spec (p * 512 + j) (level3 b (q / 512) * 512 + q mod 512)) as [E|E].
    + apply word_inj in E as [-> _]; auto. congruence.
    + eapply t_saved; eauto.
Qed.

Lemma give_tables_shown : forall m, tables_hold b m -> host_may_access b q = true -> ~ engine_kept (own b q) -> tables_hold b' m.
Proof.
  intros m T H K.
  assert (E : forall l k, henc b' l k = henc b l k).
  { intros l k. rewrite give_henc. destruct ((l =? 3) && (k =? q)) eqn:E; auto. assert (l = 3 /\ k = q) as [-> ->] by lia.
    unfold henc. cbn [Z.eqb Pos.eqb]. rewrite H. unfold attributes. now rewrite RQ. }
  constructor.
  - intros p v' l k i R O I. rewrite give_own in O. destruct (Z.eqb_spec p q); [discriminate|]. eapply (t_vm _ _ T); eauto.
  - intros. rewrite E. now apply (t_1 _ _ T).
  - intros. rewrite E. now apply (t_2 _ _ T).
  - intros. rewrite E. now apply (t_3 _ _ T).
  - intros p v' i j R O I. rewrite give_own in O. destruct (Z.eqb_spec p q); [discriminate|]. eapply (t_saved _ _ T); eauto.
Qed.

(** The C. *)

Variable h0 : Machine.hw.
Hypothesis RAM : ram h0 = ram_of b.
Hypothesis ENG : engine h0 = engine_of b.

Lemma hosts_access : forall c p, wf c -> hosts (Aset c) p -> host_may_access c p = true.
Proof.
  intros c p Wc (l & k & d & H & M). destruct (Aset_maps _ Wc _ _ _ _ _ H M) as [(_ & E)|(i & E & I & _)]; [auto|lia].
Qed.

Lemma access_hosts : forall c p, wf c -> host_may_access c p = true -> hosts (Aset c) p.
Proof.
  intros c p Wc E. exists 3, p, (henc c 3 p).
  assert (EF : henc c 3 p = p * 4096 + (attributes c p + DESC_PAGE)) by (unfold henc; cbn [Z.eqb Pos.eqb]; now rewrite E).
  assert (F : Machine.valid (henc c 3 p) = true /\ henc c 3 p mod 4 = 3 /\ frame (henc c 3 p) = p).
  { rewrite EF, valid_mod. unfold host_may_access, attributes in *. destruct (in_ram c p) eqn:R.
    - apply (ram_small _ Wc) in R. norm. repeat split; [apply Z.eqb_eq; lia|lia|].
      etransitivity; [|apply (frame_of_desc p 2047 0); lia]. f_equal; lia.
    - pose proof (c_dev _ (wf_c _ Wc)). apply (c_device _ (wf_c _ Wc)) in E. norm. repeat split; [apply Z.eqb_eq; lia|lia|].
      etransitivity; [|apply (frame_of_desc p 1223 64); lia]. f_equal; lia. }
  destruct F as (V & M & F). split.
  - left. split; auto. right. split; [lia|auto].
  - split; [unfold is_leaf; rewrite M; reflexivity|]. unfold first_page, covers. rewrite F. change (512 ^ (3 - 3)) with 1. lia.
Qed.

Lemma give_grow : forall m m' (V' : Z -> Z -> Prop) h, world h0 (Aset b) (Aset b) m (now m) h ->
  (forall w d, valid d = true -> now m w d -> V' w d) -> (forall w d, valid d = true -> V' w d -> now m' w d) ->
  (host_may_access b q = true \/ ~ secret h q) ->
  tables_hold b' m' -> world h0 (Aset b') (Aset b') m V' h.
Proof.
  intros m m' V' h X S1 S2 SE T.
  assert (C : closed (Aset b') V').
  { intros v' l k d i d' H TB I V Y. eapply (Aset_closed _ W'); eauto. }
  eapply world_grow; eauto using give_sub.
  - now intros v' l k d H.
  - now apply Aset_apart.
  - rewrite (f_engine _ _ (w_frame _ _ _ _ _ _ X)), ENG. apply Aset_safe; auto; cbn; change (cfg b') with (cfg b); lia.
  - intros p S H. apply hosts_access in H; auto. rewrite give_access in H. destruct (Z.eqb_spec p q) as [->|].
    + destruct SE as [E|E]; auto. apply (w_secret _ _ _ _ _ _ X q S). now apply access_hosts.
    + apply (w_secret _ _ _ _ _ _ X p S). now apply access_hosts.
Qed.

Lemma host_show_wp : forall gl m h (Q : unit -> mach globals Machine.hw -> Prop), globals_hold b' gl ->
  world h0 (Aset b) (Aset b) m (now m) h -> tables_hold b m -> host_may_access b q = false -> own b q <> Engine -> ~ secret h q ->
  (forall m' h', world h0 (Aset b') (Aset b') m' (now m') h' -> tables_hold b' m' -> Q tt (Mach gl h')) ->
  wp (host_show q) Q (Mach gl h).
Proof.
  intros gl m h Q G X T N K SQ H. pose proof (ram_small _ W _ RQ) as QS.
  pose proof (c_ram _ (wf_c _ W')) as C. pose proof give_managed as MG. destruct (level3_page _ W _ MG) as [R3 O3].
  unfold host_show. w_bind. w_known level3_of_run; [apply W'|eassumption|exact RQ|].
  w_bind. w_known address_of_run; [lia|]. w_bind.
  rewrite wrap32 by lia. rewrite land_511.
  set (m' := upd m shown_at shown_desc).
  (* Whatever the order of the attributes. *)
  match goal with |- wp (page_write _ _ ?d) _ _ => assert (ED : d = shown_desc) end.
  { unfold shown_desc. rewrite <- Z.lor_assoc. change (DESC_NORMAL + DESC_PAGE) with 2047.
    match goal with |- Z.lor _ ?c = _ => change c with 2047 end. apply lor_page; lia. }
  rewrite ED. change (level3 b' (q / 512)) with (level3 b (q / 512)).
  assert (M0 : m shown_at = 0).
  { unfold shown_at. rewrite (t_3 _ _ T); auto; [|unfold is_word; lia]. unfold henc. cbn [Z.eqb Pos.eqb].
    replace (q / 512 * 512 + q mod 512) with q by lia. now rewrite N. }
  assert (T' : tables_hold b' m') by (apply give_tables; auto).
  assert (X1 : world h0 (Aset b') (Aset b') m (now m') h).
  { eapply give_grow; eauto. intros w d V E. unfold now, m', upd in *. destruct (Z.eqb_spec w shown_at) as [->|]; auto.
    rewrite M0 in E. subst d. discriminate. }
  eapply (wp_page_write h0 b' RAM); eauto.
  - unfold is_word. lia.
  - apply (kept_untouched _ W'); auto. rewrite give_own.
    destruct (Z.eqb_spec (level3 b (q / 512)) q) as [E|E]; [|now rewrite O3].
    exfalso. apply K. now rewrite <- E.
  - intros _. unfold now, m', upd. now rewrite Z.eqb_refl.
  - fold shown_at. rewrite M0. discriminate.
  - fold shown_at. fold m'. intros h1 X2. w_bind. eapply wp_dsb_same; eauto. intros h2 X3. cbn beta. go. eapply H; eauto.
Qed.

(* Scrubbed, then shown. Nobody reaches the page; the tables are right once it holds zeros. *)
Lemma give_back_wp : forall gl m h (Q : unit -> mach globals Machine.hw -> Prop), globals_hold b gl -> 0 <= v < NIE_MAX_VMS ->
  world h0 (Aset b) (Aset b) m (now m) h -> ~ touch (Aset b) q -> host_may_access b q = false -> own b q <> Engine ->
  (forall m', (forall w, m' w = if (q * 512 <=? w) && (w <? q * 512 + 512) then 0 else m w) -> tables_hold b m') ->
  (forall gl' m' h', globals_hold b' gl' -> only_granules gl gl' -> world h0 (Aset b') (Aset b') m' (now m') h' -> tables_hold b' m' ->
     Q tt (Mach gl' h')) ->
  wp (give_back v q) Q (Mach gl h).
Proof.
  intros gl m h Q G V X NT N K T H. unfold give_back.
  w_bind. eapply (wp_zero h0 b RAM); eauto. intros m1 h1 E1 X1 S1. cbn beta.
  w_bind. eapply (wp_clean h0 b RAM) with (q := q); eauto. intros h2 X2 S2. cbn beta.
  w_bind. eapply release_wp with (a := b); eauto; [apply W|]. intros gl1 G1 O1. cbn beta. fold (give v q b) in G1. fold b' in G1.
  w_bind. eapply host_show_wp; eauto. intros m2 h3 X3 T3. cbn beta. go. eauto.
Qed.
End Give.
