(* SPDX-License-Identifier: Apache-2.0 *)
(* host_tables_init: the host's stage 2 in memory is the map of the state after boot, entry for entry, whatever was there. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec.trap Require boot.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Booted.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation host_refines.
From nie.proof.refine Require measure_refines.
From nie.proof.refine Require Export boot_dark.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* A page address, bits below it and bits above it do not overlap. *)
Lemma lor_far : forall p x y, 0 <= p < 2 ^ 36 -> 0 <= x < 4096 -> 0 <= y -> Z.lor (p * 4096) (x + y * 2 ^ 48) = p * 4096 + x + y * 2 ^ 48.
Proof.
  intros p x y P X Y. rewrite (Z.add_comm x), <- (measure_refines.lor_add 48 y x) by lia.
  rewrite Z.lor_assoc, lor_page by lia. rewrite (measure_refines.lor_add 48) by lia. lia.
Qed.

Definition attribute (b : bool) : Z := if b then DESC_NORMAL else DESC_DEVICE.
Lemma leaf_bits : forall p b l, 0 <= p < 2 ^ 36 -> l = 1 \/ l = 3 -> Z.lor (Z.lor (p * 4096) (attribute b)) l = p * 4096 + (attribute b + l).
Proof.
  intros p b l P L. rewrite <- Z.lor_assoc. unfold attribute, DESC_NORMAL, DESC_DEVICE.
  destruct b; [|replace 0x400000000004c4 with (1220 + 64 * 2 ^ 48) by reflexivity]; destruct L as [-> | ->].
  - change (Z.lor 2044 1) with (2045 + 0 * 2 ^ 48). rewrite lor_far by lia. lia.
  - change (Z.lor 2044 3) with (2047 + 0 * 2 ^ 48). rewrite lor_far by lia. lia.
  - change (Z.lor (1220 + 64 * 2 ^ 48) 1) with (1221 + 64 * 2 ^ 48). rewrite lor_far by lia. lia.
  - change (Z.lor (1220 + 64 * 2 ^ 48) 3) with (1223 + 64 * 2 ^ 48). rewrite lor_far by lia. lia.
Qed.

Section Map.
Variables (w : Z -> Z) (a : state) (gl : globals) (h0 : Machine.hw).
Hypothesis SMALL : forall i, 0 <= i < MAN_END -> 0 <= w i < 2 ^ 64.
Hypothesis FEW : w MAN_CPUS <= NIE_MAX_CPUS.
Hypothesis DEVS : w MAN_DEVICES <= MAN_MAX_DEVICES.
Hypothesis CW : forall i, 0 <= i < MAN_END -> at1 config_word gl i = w i.
Hypothesis CF : cfg a = nie.spec.trap.boot.config_of w.
Hypothesis C : wf_cfg a.
Hypothesis G : globals_hold a gl.
Hypothesis F : fresh a.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis OFF : inert h0.

(** Who may access a page. *)


Lemma word_run : forall (h : Machine.hw) i, 0 <= i < 32 -> load config_word [i] (Mach gl h) = Some (w i, Mach gl h).
Proof. intros h i I. rewrite <- CW by exact I. now apply load1 with 32. Qed.
Ltac c_load := match goal with |- wp (load config_word [?k]) _ _ => eapply (wp_known _ _ _ _ _ _ (word_run _ k ltac:(first [lia | vm_compute; split; congruence]))); cbn beta iota end.
Ltac cgo := repeat first [w_bind | w_ret | c_load].

Lemma redistributor_run : forall (h : Machine.hw) p, 0 <= p < 2 ^ 64 -> is_redistributor_base p (Mach gl h) = Some (b2z (nie.spec.trap.boot.withheld w p), Mach gl h).
Proof.
  intros h p P. apply known_of_wp. unfold is_redistributor_base, nie.spec.trap.boot.withheld.
  pose proof (SMALL MAN_GICR ltac:(split; reflexivity || discriminate)) as S1. pose proof (SMALL MAN_CPUS ltac:(split; reflexivity || discriminate)) as S2.
  unfold NIE_MAX_CPUS in FEW.
  cgo. destruct (Z.leb_spec (w MAN_GICR) p) as [L|L]; cbn [andb]; cgo; [|auto].
  rewrite !wrap64 by lia. destruct (Z.ltb_spec (p - w MAN_GICR) (32 * w MAN_CPUS)); cbn [andb]; cgo; auto.
  rewrite !wrap64 by lia. auto.
Qed.

Lemma device_run : forall (h : Machine.hw) p, 0 <= p < 2 ^ 64 -> is_host_device p (Mach gl h) = Some (b2z (device (cfg a) p), Mach gl h).
Proof.
  intros h p P. apply known_of_wp. rewrite CF. cbn [device nie.spec.trap.boot.config_of]. unfold is_host_device.
  w_bind. w_known redistributor_run; [exact P|]. destruct (nie.spec.trap.boot.withheld w p); cbn [b2z negb andb Z.eqb]; [cgo; auto|].
  pose proof (SMALL MAN_DEVICES ltac:(split; reflexivity || discriminate)) as S1. unfold MAN_MAX_DEVICES in DEVS.
  w_bind. c_load. w_bind.
  set (hit := fun i : nat => let first := w (MAN_DEVICE0 + 2 * Z.of_nat i) in (first <=? p) && (p - first <? w (MAN_DEVICE0 + 2 * Z.of_nat i + 1))).
  eapply wp_loop_ret with
    (I := fun i _ s => s = Mach gl h /\ existsb hit (seq 0 (Z.to_nat i)) = false) (P := fun r s => s = Mach gl h /\ r = 1 /\ nie.spec.trap.boot.listed w p = true).
  - lia.
  - split; reflexivity.
  - intros i _ s I [-> N]. unfold MAN_DEVICE0 in *.
    assert (H : forall k, 0 <= k < 32 -> 0 <= w k < 2 ^ 64) by (intros; apply SMALL; unfold MAN_END; lia).
    pose proof (H (16 + 2 * i) ltac:(lia)) as B1. pose proof (H (16 + 2 * i + 1) ltac:(lia)) as B2.
    assert (LAST : existsb hit (seq 0 (Z.to_nat (i + 1))) = hit (Z.to_nat i)).
    { replace (Z.to_nat (i + 1)) with (Z.to_nat i + 1)%nat by lia. rewrite seq_app, existsb_app, N. cbn [orb seq existsb Nat.add]. now rewrite orb_false_r. }
    assert (HI : hit (Z.to_nat i) = (w (16 + 2 * i) <=? p) && (p - w (16 + 2 * i) <? w (16 + 2 * i + 1))).
    { unfold hit. now rewrite Z2Nat.id by lia. }
    assert (DONE : hit (Z.to_nat i) = true -> nie.spec.trap.boot.listed w p = true).
    { intro X. unfold nie.spec.trap.boot.listed. apply existsb_exists. exists (Z.to_nat i). split; [apply in_seq; lia|exact X]. }
    rewrite !(wrap64 (2 * i)), !(wrap64 (16 + 2 * i)), !(wrap64 (16 + 2 * i + 1)) by lia. cgo.
    destruct (Z.leb_spec (w (16 + 2 * i)) p) as [L|L]; cbn [andb] in HI; cgo.
    + rewrite wrap64 by lia. destruct (Z.ltb_spec (p - w (16 + 2 * i)) (w (16 + 2 * i + 1))); cgo; rewrite ?LAST; auto.
    + split; auto. now rewrite LAST, HI.
  - intros [] s [-> N]. w_ret. split; auto. unfold nie.spec.trap.boot.listed. change (existsb _ _) with (existsb hit (seq 0 (Z.to_nat (w MAN_DEVICES)))). now rewrite N.
  - intros r s (-> & -> & L). w_ret. now rewrite L.
Qed.

Lemma may_access_run : forall (h : Machine.hw) p, 0 <= p < 2 ^ 64 -> nie.generated.state.host.host_may_access p (Mach gl h) = Some (b2z (State.host_may_access a p), Mach gl h).
Proof.
  intros h p P. apply known_of_wp. unfold nie.generated.state.host.host_may_access, State.host_may_access. w_bind. w_known granule_exists_run; eauto.
  destruct (in_ram a p) eqn:R; cbn [b2z Z.eqb].
  - w_bind. w_known granule_get_run; eauto. rewrite (fr_own _ F). destruct (_ && _); cbn [owner_words]; w_ret; auto.
  - w_bind. w_known device_run; auto. w_ret. auto.
Qed.

Lemma level3_run : forall (h : Machine.hw) g, managed a g -> level3_of (g * 512) (Mach gl h) = Some (level3 a g, Mach gl h).
Proof.
  intros h g MG. destruct (in_ram a (g * 512)) eqn:R.
  { rewrite (level3_of_run a gl h C G (g * 512) R). now rewrite Z.div_mul. }
  apply known_of_wp. pose proof (c_ram _ C) as CR. pose proof (c_dev _ C) as D. pose proof (c_tables _ C) as T. pose proof (c_engine _ C) as E.
  destruct MG as [G0 [M|M]]; [congruence|]. unfold level3_first in T.
  assert (GB : 1 <= gib_count a <= 512) by (unfold gib_count; arith).
  unfold level3_of. go. w_known gibs_run; eauto. go. w_known granule_exists_run; eauto; [arith|]. rewrite R. cbn [b2z Z.eqb]. go.
  split; auto. unfold level3, level3_first. now rewrite R.
Qed.

(** Tables: of which 2 MiB the host's are done. *)

Record built (D : Z -> bool) (m : Z -> Z) : Prop := {
  b_1 : forall i, is_word i = true -> m (host_tables (cfg a) * 512 + i) = henc a 1 i;
  b_2 : forall j i, 0 <= j < gib_count a -> is_word i = true ->
      m ((host_tables (cfg a) + 1 + j) * 512 + i) = if D (j * 512 + i) then henc a 2 (j * 512 + i) else 0;
  b_3 : forall g i, managed a g -> D g = true -> is_word i = true -> m (level3 a g * 512 + i) = henc a 3 (g * 512 + i);
}.
Definition a_table (p : Z) : Prop := host_tables (cfg a) <= p < level3_first a + dev_count (cfg a) / 512 + ram_count (cfg a) / 512.
Definition elsewhere (m m' : Z -> Z) : Prop := forall p i, is_word i = true -> ~ a_table p -> m' (p * 512 + i) = m (p * 512 + i).
Lemma elsewhere_refl : forall m, elsewhere m m.
Proof. intros m p i _ _. reflexivity. Qed.
Lemma elsewhere_trans : forall m m' m'', elsewhere m m' -> elsewhere m' m'' -> elsewhere m m''.
Proof. intros m m' m'' A B p i I N. rewrite B, A; auto. Qed.
Lemma elsewhere_put : forall m p i v, a_table p -> is_word i = true -> elsewhere m (upd m (p * 512 + i) v).
Proof.
  intros m p i v T I q j J N. unfold upd. destruct (Z.eqb_spec (q * 512 + j) (p * 512 + i)) as [E|]; auto.
  apply word_inj in E as [-> _]; auto. contradiction.
Qed.

Lemma table_page : forall p, a_table p -> ram_page h0 p.
Proof.
  intros p T. unfold Machine.in_ram. rewrite RAM. unfold ram_of, a_table in *. cbn [fst snd]. pose proof (c_tables _ C). pose proof (c_engine _ C). lia.
Qed.
Lemma gibs_few : 1 <= gib_count a <= 512.
Proof. unfold gib_count. pose proof (c_ram _ C). lia. Qed.
Lemma level3_table : forall g, managed a g -> level3_first a <= level3 a g /\ a_table (level3 a g).
Proof.
  intros g [G0 M]. pose proof (c_ram _ C). pose proof (c_dev _ C). unfold a_table, level3. pose proof gibs_few. unfold level3_first.
  destruct (in_ram a (g * 512)) eqn:E; unfold in_ram in E; [|destruct M as [M|M]; [congruence|]]; lia.
Qed.
Lemma level3_other : forall g g', managed a g -> managed a g' -> level3 a g = level3 a g' -> g = g'.
Proof.
  intros g g' [G0 M] [G0' M'] H. pose proof (c_ram _ C). pose proof (c_dev _ C). unfold level3 in H.
  destruct (in_ram a (g * 512)) eqn:E, (in_ram a (g' * 512)) eqn:E'; unfold in_ram in E, E';
    destruct M as [M|M]; try congruence; destruct M' as [M'|M']; try congruence; lia.
Qed.
Lemma managed_small : forall g, managed a g -> 0 <= g < 2 ^ 18 /\ 0 <= g / 512 < gib_count a /\ (forall i, is_word i = true -> in_ram a (g * 512 + i) = in_ram a (g * 512)).
Proof.
  intros g [G0 M]. pose proof (c_ram _ C). pose proof (c_dev _ C). unfold gib_count. unfold in_ram in M.
  assert (X : 0 <= g < 2 ^ 18 /\ 0 <= g / 512 < (ram_first (cfg a) + ram_count (cfg a) + 262143) / 262144).
  { destruct M as [M|M]; [apply andb_prop in M|]; lia. }
  repeat split; try lia. intros i I. unfold is_word, in_ram in *. apply eq_true_iff_eq. lia.
Qed.

(** One 2 MiB. *)

Section Big.
Variables (g : Z) (D : Z -> bool) (m : Z -> Z) (n : nat).
Hypothesis MG : managed a g.
Hypothesis NEW : D g = false.
Hypothesis B : built D m.
Let may i := State.host_may_access a (g * 512 + Z.of_nat i).
Let t3 := level3 a g.
Let t2 := host_tables (cfg a) + 1 + g / 512.

(* The first [i] entries of its level 3 table are written. *)
Definition part (i : Z) (m' : Z -> Z) : Prop := forall p j, is_word j = true ->
  m' (p * 512 + j) = if (p =? t3) && (j <? i) then henc a 3 (g * 512 + j) else m (p * 512 + j).

Lemma part_next : forall i m', is_word i = true -> part i m' -> part (i + 1) (upd m' (t3 * 512 + i) (henc a 3 (g * 512 + i))).
Proof.
  intros i m' I P p j J. unfold upd. destruct (Z.eqb_spec (p * 512 + j) (t3 * 512 + i)) as [E|N].
  - apply word_inj in E as [-> ->]; auto. now replace ((t3 =? t3) && (i <? i + 1))%bool with true by lia.
  - rewrite P by auto. destruct (Z.eqb_spec p t3) as [->|]; cbn [andb]; auto. assert (j <> i) by congruence. now replace (j <? i + 1) with (j <? i) by lia.
Qed.

Lemma t2_table : a_table t2 /\ t2 < level3_first a.
Proof. destruct (managed_small g MG) as (_ & H & _). pose proof (c_ram _ C). pose proof (c_dev _ C). unfold a_table, t2, level3_first. lia. Qed.

(* Then its level 2 entry; of an unmapped one it is zero already. *)
Lemma part_done : forall m', part 512 m' -> built (fun x => (x =? g) || D x) (upd m' (t2 * 512 + g mod 512) (henc a 2 g)) /\
  (henc a 2 g = 0 -> built (fun x => (x =? g) || D x) m').
Proof.
  intros m' P. destruct (managed_small g MG) as (G1 & G2 & _). destruct (level3_table g MG) as [L3 _]. pose proof gibs_few as GF. destruct t2_table as [_ T2].
  assert (LF : level3_first a = host_tables (cfg a) + 1 + gib_count a) by reflexivity.
  assert (K : forall p j, is_word j = true -> p < level3_first a -> m' (p * 512 + j) = m (p * 512 + j)).
  { intros p j J L. rewrite P by auto. fold t3 in L3. now replace (p =? t3) with false by lia. }
  assert (K3 : forall x j, managed a x -> D x = true -> is_word j = true -> m' (level3 a x * 512 + j) = m (level3 a x * 512 + j)).
  { intros x j M X J. rewrite P by auto. destruct (Z.eqb_spec (level3 a x) t3) as [E|]; auto. apply level3_other in E; auto. congruence. }
  assert (KG : forall j, is_word j = true -> m' (t3 * 512 + j) = henc a 3 (g * 512 + j)).
  { intros j J. rewrite P by auto. unfold is_word in J. now replace ((t3 =? t3) && (j <? 512))%bool with true by lia. }
  assert (W : is_word (g mod 512) = true) by (unfold is_word; lia).
  split; [|intro Z0]; constructor.
  - intros i I. unfold upd. destruct (Z.eqb_spec (host_tables (cfg a) * 512 + i) (t2 * 512 + g mod 512)) as [E|]; [apply word_inj in E as [E _]; auto; unfold t2 in E; lia|].
    rewrite K by (auto; lia). now apply (b_1 _ _ B).
  - intros j i J I. unfold upd. destruct (Z.eqb_spec ((host_tables (cfg a) + 1 + j) * 512 + i) (t2 * 512 + g mod 512)) as [E|N].
    + apply word_inj in E as [E1 E2]; auto. replace (j * 512 + i) with g by (unfold t2 in E1; lia). now rewrite Z.eqb_refl.
    + rewrite K by (auto; lia). rewrite (b_2 _ _ B) by auto. replace (j * 512 + i =? g) with false; [reflexivity|].
      symmetry. apply Z.eqb_neq. intro E. apply N. unfold is_word in I. unfold t2. lia.
  - intros x j M X J. unfold upd. destruct (level3_table x M) as [LX _]. destruct (Z.eqb_spec (level3 a x * 512 + j) (t2 * 512 + g mod 512)) as [E|_]; [apply word_inj in E as [E _]; auto; lia|].
    destruct (Z.eqb_spec x g) as [->|]; [now apply KG|]. cbn [orb] in X. rewrite K3 by auto. now apply (b_3 _ _ B).
  - intros i I. rewrite K by (auto; lia). now apply (b_1 _ _ B).
  - intros j i J I. rewrite K by (auto; lia). rewrite (b_2 _ _ B) by auto. destruct (Z.eqb_spec (j * 512 + i) g) as [E|]; auto. cbn [orb].
    rewrite E, NEW. auto.
  - intros x j M X J. destruct (Z.eqb_spec x g) as [->|]; [now apply KG|]. cbn [orb] in X. rewrite K3 by auto. now apply (b_3 _ _ B).
Qed.

Lemma part_elsewhere : forall i m', part i m' -> elsewhere m m'.
Proof.
  intros i m' P p j J N. rewrite P by auto. destruct (Z.eqb_spec p t3) as [->|]; auto. destruct N. apply (level3_table g MG).
Qed.

Lemma init_wp : forall h (Q : unit -> mach globals Machine.hw -> Prop), dark h0 n m h ->
  (forall m' h', dark h0 n m' h' -> built (fun x => (x =? g) || D x) m' -> elsewhere m m' -> Q tt (Mach gl h')) ->
  wp (init_2mib (g * 512) (attribute (in_ram a (g * 512)))) Q (Mach gl h).
Proof.
  intros h Q DA HQ. destruct (managed_small g MG) as (G1 & G2 & IR). destruct (level3_table g MG) as [_ T3]. destruct t2_table as [T2 _].
  unfold init_2mib. w_bind. w_ret. w_bind. w_ret. w_bind. w_known level3_run; [exact MG|]. fold t3. w_bind.
  eapply wp_loop with (I := fun i x s => exists m' h', s = Mach gl h' /\ dark h0 n m' h' /\ part i m' /\
    x = (b2z (existsb may (seq 0 (Z.to_nat i))), b2z (forallb may (seq 0 (Z.to_nat i))))).
  - unfold ENTRIES. lia.
  - exists m, h. split; [reflexivity|]. split; [exact DA|]. split; [|reflexivity]. intros p j J. unfold is_word in J. now replace ((p =? t3) && (j <? 0))%bool with false by lia.
  - intros i [any all] s I (m' & h' & -> & DA' & P & X). pose proof (f_equal fst X) as XA. pose proof (f_equal snd X) as XB. cbn [fst snd] in XA, XB. subst any all. clear X. unfold ENTRIES in I.
    assert (LAST : Z.to_nat (i + 1) = (Z.to_nat i + 1)%nat) by lia.
    assert (MI : may (Z.to_nat i) = State.host_may_access a (g * 512 + i)) by (unfold may; now rewrite Z2Nat.id by lia).
    assert (WI : is_word i = true) by (unfold is_word; lia).
    w_bind. w_ret. w_bind. rewrite (wrap64 (g * 512 + i)) by lia. w_known may_access_run; [lia|]. w_bind.
    assert (H3 : henc a 3 (g * 512 + i) = if State.host_may_access a (g * 512 + i) then Z.lor (Z.lor ((g * 512 + i) * 4096) (attribute (in_ram a (g * 512)))) DESC_PAGE else 0).
    { unfold henc. cbn [Z.eqb Pos.eqb]. destruct (State.host_may_access a (g * 512 + i)); auto. unfold DESC_PAGE. rewrite leaf_bits by lia. unfold attributes, attribute. now rewrite IR. }
    destruct (State.host_may_access a (g * 512 + i)) eqn:MAY; cbn [b2z negb Z.eqb].
    + w_bind. w_known address_of_run; [lia|]. w_bind. w_ret. w_bind. w_ret. w_ret. w_bind. eapply dark_write; [exact OFF|exact DA'|now apply table_page|exact WI|].
      intros h2 D2. w_ret. rewrite <- H3 in D2. eexists _, h2. split; [reflexivity|]. split; [exact D2|]. split; [now apply part_next|].
      rewrite LAST, seq_app, existsb_app, forallb_app. cbn [seq existsb forallb Nat.add]. rewrite MI. now rewrite !orb_true_r, !andb_true_r.
    + w_bind. w_ret. w_ret. w_bind. eapply dark_write; [exact OFF|exact DA'|now apply table_page|exact WI|].
      intros h2 D2. w_ret. unfold DESC_EMPTY in D2. rewrite <- H3 in D2. eexists _, h2. split; [reflexivity|]. split; [exact D2|]. split; [now apply part_next|].
      rewrite LAST, seq_app, existsb_app, forallb_app. cbn [seq existsb forallb Nat.add]. rewrite MI. now rewrite !orb_false_r, !andb_false_r.
  - intros [any all] s (m' & h' & -> & DA' & P & X). change ENTRIES with 512 in P, X. change (Z.to_nat 512) with 512%nat in X.
    pose proof (f_equal fst X) as XA. pose proof (f_equal snd X) as XB. cbn [fst snd] in XA, XB. clear X.
    pose proof (part_elsewhere _ _ P) as EW. destruct (part_done m' P) as [B1 B2].
    assert (W : is_word (g mod 512) = true) by (unfold is_word; lia).
    assert (H2 : henc a 2 g = if forallb may (seq 0 512) then Z.lor (Z.lor (g * 512 * 4096) (attribute (in_ram a (g * 512)))) DESC_BLOCK
      else if existsb may (seq 0 512) then Z.lor (t3 * 4096) DESC_TABLE else 0).
    { unfold henc. cbn [Z.eqb Pos.eqb]. rewrite (fr_mode _ F g MG). unfold nie.spec.trap.boot.first_mode. fold may.
      destruct (forallb may (seq 0 512)); [unfold DESC_BLOCK; rewrite leaf_bits by lia; reflexivity|]. destruct (existsb may (seq 0 512)); auto.
      unfold DESC_TABLE. rewrite lor_page; [reflexivity| |lia]. pose proof (c_tables _ C). pose proof (c_engine _ C). pose proof (c_ram _ C). unfold a_table in T3. lia. }
    assert (PUT : forall (Q' : unit -> mach globals Machine.hw -> Prop), (forall h2, dark h0 n (upd m' (t2 * 512 + g mod 512) (henc a 2 g)) h2 -> Q' tt (Mach gl h2)) ->
      wp (page_write t2 (g mod 512) (henc a 2 g)) Q' (Mach gl h')).
    { intros Q' K. eapply dark_write; [exact OFF|exact DA'|now apply table_page|exact W|exact K]. }
    assert (E2 : elsewhere m (upd m' (t2 * 512 + g mod 512) (henc a 2 g))) by (eapply elsewhere_trans; [exact EW|now apply elsewhere_put]).
    revert XA XB H2. generalize (forallb may (seq 0 512)) (existsb may (seq 0 512)). intros al an -> -> H2. cbn beta iota.
    destruct al; cbn [b2z negb Z.eqb].
    + w_bind. w_known level2_of_run; eauto; [lia|]. w_bind. w_known level2_index_run; [lia|]. w_bind. w_known address_of_run; [lia|]. w_bind.
      replace (g * 512 / 262144) with (g / 512) by lia. replace (g * 512 / 512) with g by lia. rewrite <- H2. apply PUT. intros h2 D2. w_ret. eapply HQ; eauto.
    + destruct an; cbn [b2z negb Z.eqb]; [|w_ret; eapply HQ; eauto].
      w_bind. w_known level2_of_run; eauto; [lia|]. w_bind. w_known level2_index_run; [lia|]. w_bind. w_known address_of_run; [|w_bind].
      { pose proof (c_tables _ C). pose proof (c_engine _ C). pose proof (c_ram _ C). unfold a_table in T3. fold t3 in T3. lia. }
      replace (g * 512 / 262144) with (g / 512) by lia. replace (g * 512 / 512) with g by lia. rewrite <- H2. apply PUT. intros h2 D2. w_ret. eapply HQ; eauto.
Qed.
End Big.

(** All of it. *)

Lemma built_ext : forall D D' m, (forall g, D' g = D g) -> built D m -> built D' m.
Proof. intros D D' m E []. constructor; auto; intros; rewrite E in *; auto. Qed.

Lemma cfg_words : dev_first (cfg a) = w MAN_DEV_BASE /\ dev_count (cfg a) = w MAN_DEV_PAGES /\ ram_first (cfg a) = w MAN_RAM_BASE /\
  ram_count (cfg a) = w MAN_RAM_PAGES /\ host_tables (cfg a) = w MAN_TABLES.
Proof. rewrite CF. repeat split. Qed.

(* Root and level 2, empty. *)
Definition roots (i : Z) (m' : Z -> Z) : Prop :=
  (forall j, is_word j = true -> m' (host_tables (cfg a) * 512 + j) = if j <? i then henc a 1 j else 0) /\
  (forall j k, 0 <= j < i -> is_word k = true -> m' ((host_tables (cfg a) + 1 + j) * 512 + k) = 0).
Lemma roots_next : forall i m1 m2, 0 <= i < gib_count a -> roots i m1 ->
  (forall x, m2 x = if ((host_tables (cfg a) + 1 + i) * 512 <=? x) && (x <? (host_tables (cfg a) + 1 + i) * 512 + 512) then 0 else m1 x) ->
  roots (i + 1) (upd m2 (host_tables (cfg a) * 512 + i) (henc a 1 i)).
Proof.
  intros i m1 m2 I [R1 R2] E. pose proof gibs_few. split.
  - intros j J. unfold upd. destruct (Z.eqb_spec (host_tables (cfg a) * 512 + j) (host_tables (cfg a) * 512 + i)) as [X|X].
    + replace j with i by lia. now replace (i <? i + 1) with true by lia.
    + rewrite E. unfold is_word in J. replace ((host_tables (cfg a) + 1 + i) * 512 <=? host_tables (cfg a) * 512 + j) with false by lia. cbn [andb].
      rewrite R1 by (unfold is_word; lia). now replace (j <? i + 1) with (j <? i) by lia.
  - intros j k J K. unfold upd, is_word in *. replace ((host_tables (cfg a) + 1 + j) * 512 + k =? host_tables (cfg a) * 512 + i) with false by lia.
    rewrite E. destruct (Z.eq_dec j i) as [->|N].
    + now replace (((host_tables (cfg a) + 1 + i) * 512 <=? (host_tables (cfg a) + 1 + i) * 512 + k) && ((host_tables (cfg a) + 1 + i) * 512 + k <? (host_tables (cfg a) + 1 + i) * 512 + 512))%bool with true by lia.
    + match goal with |- (if ?x then _ else _) = 0 => destruct x; auto end. apply R2; [lia|exact K].
Qed.
Lemma elsewhere_zero : forall m m' p, a_table p -> (forall x, m' x = if (p * 512 <=? x) && (x <? p * 512 + 512) then 0 else m x) -> elsewhere m m'.
Proof.
  intros m m' p T E q i I N. rewrite E. unfold is_word in I. assert (q <> p) by congruence.
  destruct (Z.leb_spec (p * 512) (q * 512 + i)), (Z.ltb_spec (q * 512 + i) (p * 512 + 512)); cbn [andb]; auto. exfalso. lia.
Qed.

Definition span (first n x : Z) : bool := (first <=? x) && (x <? first + n).

(* A loop over the 2 MiB of a span. *)
Lemma span_wp : forall first pages base attr D n m h (Q : unit -> mach globals Machine.hw -> Prop),
  0 <= first -> 0 <= pages -> at1 config_word gl base = first * 512 -> 0 <= base < 32 ->
  (forall i, 0 <= i < pages -> managed a (first + i) /\ D (first + i) = false /\ attr = attribute (in_ram a ((first + i) * 512))) ->
  dark h0 n m h -> built D m ->
  (forall m' h', dark h0 n m' h' -> built (fun x => span first pages x || D x) m' -> elsewhere m m' -> Q tt (Mach gl h')) ->
  wp (loop 0 pages tt (fun i _ => t <- load config_word [base] ;; init_2mib (wrap U64 (t + wrap U64 (512 * i))) attr ;;; ret tt)) Q (Mach gl h).
Proof.
  intros first pages base attr D n m h Q F0 P0 EB RB HM DA B HQ.
  eapply wp_loop with (I := fun i _ s => exists m' h', s = Mach gl h' /\ dark h0 n m' h' /\ built (fun x => span first i x || D x) m' /\ elsewhere m m'); [lia| | |].
  - exists m, h. split; auto. split; auto. split; [|apply elsewhere_refl]. eapply built_ext; [|exact B]. intro g. unfold span.
    destruct (Z.leb_spec first g), (Z.ltb_spec g (first + 0)); cbn [andb orb]; auto; lia.
  - intros i _ s I (m' & h' & -> & DA' & B' & EW). destruct (HM i I) as (MG & ND & ->). destruct (managed_small _ MG) as (G1 & _).
    w_bind. eapply wp_known; [now apply load1 with 32|]. cbn beta iota. rewrite EB. w_bind. rewrite (wrap64 (512 * i)) by lia. rewrite wrap64 by lia.
    replace (first * 512 + 512 * i) with ((first + i) * 512) by lia. eapply init_wp; [exact MG| |exact B'|exact DA'|].
    + unfold span. rewrite ND. destruct (Z.leb_spec first (first + i)), (Z.ltb_spec (first + i) (first + i)); cbn [andb orb]; auto; lia.
    + intros m2 h2 D2 B2 E2. w_ret. exists m2, h2. split; auto. split; auto. split; [|eapply elsewhere_trans; eauto].
      eapply built_ext; [|exact B2]. intro g. cbn beta. unfold span. rewrite orb_assoc. f_equal.
      destruct (Z.eqb_spec g (first + i)) as [->|]; cbn [orb]; destruct (Z.leb_spec first (first + i)), (Z.ltb_spec (first + i) (first + (i + 1))); cbn [andb]; auto; try lia.
      all: destruct (Z.leb_spec first g), (Z.ltb_spec g (first + i)), (Z.ltb_spec g (first + (i + 1))); cbn [andb]; auto; lia.
  - intros [] s (m' & h' & -> & DA' & B' & EW). eauto.
Qed.

Lemma tables_init_wp : forall n m h (Q : unit -> mach globals Machine.hw -> Prop), dark h0 n m h ->
  (forall m' h', dark h0 n m' h' -> unseen h' = [] -> tables_hold a m' -> elsewhere m m' -> Q tt (Mach gl h')) -> wp host_tables_init Q (Mach gl h).
Proof.
  intros n m h Q DA HQ. destruct cfg_words as (E1 & E2 & E3 & E4 & E5). pose proof gibs_few as GF. pose proof (c_ram _ C) as CR. pose proof (c_dev _ C) as CD.
  pose proof (c_tables _ C) as CT. pose proof (c_engine _ C) as CE.
  assert (TB : forall j, 0 <= j <= gib_count a -> a_table (host_tables (cfg a) + j)) by (intros; unfold a_table, level3_first; lia).
  assert (HB : 0 < host_tables (cfg a) /\ host_tables (cfg a) + 1 + gib_count a <= 2 ^ 27) by (unfold level3_first in CT; lia).
  unfold host_tables_init. w_bind. c_load. rewrite <- E5. w_bind. w_known gibs_run; eauto. w_bind.
  eapply dark_page_zero; [exact OFF|exact DA|apply table_page; replace (host_tables (cfg a)) with (host_tables (cfg a) + 0) by lia; apply TB; lia|].
  intros m1 h1 Z1 D1. w_bind.
  eapply wp_loop with (I := fun i _ s => exists m' h', s = Mach gl h' /\ dark h0 n m' h' /\ roots i m' /\ elsewhere m m'); [lia| | |].
  { exists m1, h1. split; auto. split; auto. split.
    - split; [|intros; lia]. intros j J. rewrite Z1. unfold is_word in J. replace ((host_tables (cfg a) * 512 <=? host_tables (cfg a) * 512 + j) && (host_tables (cfg a) * 512 + j <? host_tables (cfg a) * 512 + 512))%bool with true by lia.
      now replace (j <? 0) with false by lia.
    - apply elsewhere_zero with (host_tables (cfg a)); auto. specialize (TB 0 ltac:(lia)). now rewrite Z.add_0_r in TB. }
  { intros i _ s I (m2 & h2 & -> & D2 & R2 & W2). rewrite !(wrap64 (host_tables (cfg a) + 1)) by lia. rewrite !(wrap64 (host_tables (cfg a) + 1 + i)) by lia. rewrite (wrap32 i) by lia.
    w_bind. eapply dark_page_zero; [exact OFF|exact D2|apply table_page; replace (host_tables (cfg a) + 1 + i) with (host_tables (cfg a) + (1 + i)) by lia; apply TB; lia|].
    intros m3 h3 Z3 D3. w_bind. w_known address_of_run; [lia|]. w_bind.
    assert (WI : is_word i = true) by (unfold is_word; lia).
    eapply dark_write; [exact OFF|exact D3|apply table_page; replace (host_tables (cfg a)) with (host_tables (cfg a) + 0) by lia; apply TB; lia|exact WI|].
    intros h4 D4. w_ret.
    replace (Z.lor ((host_tables (cfg a) + 1 + i) * 4096) DESC_TABLE) with (henc a 1 i) in D4.
    2:{ unfold henc. cbn [Z.eqb Pos.eqb]. replace ((0 <=? i) && (i <? gib_count a))%bool with true by lia. unfold DESC_TABLE. rewrite lor_page by lia. reflexivity. }
    eexists _, h4. split; [reflexivity|]. split; [exact D4|]. split; [now apply roots_next with m2|].
    eapply elsewhere_trans; [exact W2|]. eapply elsewhere_trans with m3; [apply (elsewhere_zero m2 m3 (host_tables (cfg a) + (1 + i))); [apply TB; lia|]|].
    - intro x. rewrite Z3. now replace (host_tables (cfg a) + (1 + i)) with (host_tables (cfg a) + 1 + i) by lia.
    - apply elsewhere_put; auto. specialize (TB 0 ltac:(lia)). now rewrite Z.add_0_r in TB. }
  intros [] s (m2 & h2 & -> & D2 & [R2 R2'] & W2).
  assert (B2 : built (fun _ => false) m2).
  { constructor; [| |discriminate].
    - intros i I. rewrite R2 by auto. unfold is_word in I. destruct (Z.ltb_spec i (gib_count a)); auto. unfold henc. cbn [Z.eqb Pos.eqb]. now replace ((0 <=? i) && (i <? gib_count a))%bool with false by lia.
    - intros j i J I. now apply R2'. }
  w_bind. c_load. w_bind. rewrite <- E2.
  assert (NR : forall x, dev_first (cfg a) / 512 <= x < dev_first (cfg a) / 512 + dev_count (cfg a) / 512 -> managed a x /\ in_ram a (x * 512) = false).
  { intros x X. unfold managed, in_ram. split; [split; [lia|right; lia]|]. apply not_true_is_false. intro T. lia. }
  eapply (span_wp (dev_first (cfg a) / 512) (dev_count (cfg a) / 512) MAN_DEV_BASE DESC_DEVICE (fun _ => false) n m2 h2);
    [lia|lia|rewrite CW by (vm_compute; split; congruence); lia|vm_compute; split; congruence| |exact D2|exact B2|].
  { intros i I. destruct (NR (dev_first (cfg a) / 512 + i) ltac:(lia)) as [MG IR]. split; auto. split; auto. now rewrite IR. }
  intros m3 h3 D3 B3 W3. w_bind. c_load. w_bind. rewrite <- E4.
  assert (YR : forall x, ram_first (cfg a) / 512 <= x < ram_first (cfg a) / 512 + ram_count (cfg a) / 512 -> managed a x /\ in_ram a (x * 512) = true).
  { intros x X. assert (IR : in_ram a (x * 512) = true) by (unfold in_ram; lia). split; auto. split; [lia|now left]. }
  eapply (span_wp (ram_first (cfg a) / 512) (ram_count (cfg a) / 512) MAN_RAM_BASE DESC_NORMAL _ n m3 h3);
    [lia|lia|rewrite CW by (vm_compute; split; congruence); lia|vm_compute; split; congruence| |exact D3|exact B3|].
  { intros i I. destruct (YR (ram_first (cfg a) / 512 + i) ltac:(lia)) as [MG IR]. split; auto. split; [|now rewrite IR].
    destruct (span _ _ _) eqn:S; auto. unfold span in S. destruct (NR (ram_first (cfg a) / 512 + i) ltac:(lia)) as [_ X]. congruence. }
  intros m4 h4 D4 B4 W4. w_bind. eapply dark_dsb; [exact OFF|exact D4|]. intros h5 D5 U5. w_ret. apply (HQ m4 h5); auto; [|eapply elsewhere_trans; [eauto|eapply elsewhere_trans; eauto]].
  assert (ALL : forall g, managed a g -> (span (ram_first (cfg a) / 512) (ram_count (cfg a) / 512) g || (span (dev_first (cfg a) / 512) (dev_count (cfg a) / 512) g || false))%bool = true).
  { intros g [G0 [M|M]]; unfold span, in_ram in *; [apply andb_prop in M|]; apply orb_true_iff; rewrite orb_false_r, !andb_true_iff, !Z.leb_le, !Z.ltb_lt; lia. }
  constructor.
  - intros p v l k i _ O. rewrite (fr_own _ F) in O. destruct (_ && _); discriminate.
  - apply (b_1 _ _ B4).
  - intros j i J I. rewrite (b_2 _ _ B4) by auto. match goal with |- (if ?x then _ else _) = _ => destruct x eqn:X; auto end.
    unfold henc. cbn [Z.eqb Pos.eqb]. rewrite (fr_unmapped _ F); auto. intro M. apply ALL in M. cbn beta in X. congruence.
  - intros g i M I. apply (b_3 _ _ B4); auto.
  - intros p v i j _ O. rewrite (fr_own _ F) in O. destruct (_ && _); discriminate.
Qed.
End Map.
