(* SPDX-License-Identifier: Apache-2.0 *)
(* TABLE_ADD, once it is allowed, with the other CPUs acting before each primitive: a table over nothing is linked.
   Over a block: the table is filled while nobody reaches it, the block is broken, flushed, and the table put there. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Donation.
From nie.spec.call Require table_add.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding.
From nie.proof.invariant Require table_add_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.stage2 nie.generated.state.checks nie.generated.state.pages nie.generated.call.table_add.
From nie.spec Require Import Core.
From nie.proof.refine Require stage2_refines.
From nie.proof.refine Require Export table_add_checks.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation new_table := table_add_preserves.new_table.
Notation split_table := table_add_preserves.split_table.
Notation split_entries := table_add_preserves.split_entries.

Lemma clear_low : forall d, 0 <= d < 2 ^ 64 -> Z.land d (wrap U64 (Z.lnot 3)) = d / 4 * 4.
Proof.
  intros d D. change (wrap U64 (Z.lnot 3)) with (Z.shiftl (Z.ones 62) 2).
  replace (d / 4 * 4) with (Z.shiftl (Z.shiftr d 2) 2) by (rewrite Z.shiftl_mul_pow2, Z.shiftr_div_pow2 by lia; reflexivity).
  apply Z.bits_inj'. intros i I. rewrite Z.land_spec, !Z.shiftl_spec by auto. destruct (Z.ltb_spec i 2).
  - rewrite !(Z.testbit_neg_r _ (i - 2)) by lia. apply andb_false_r.
  - rewrite Z.shiftr_spec by lia. replace (i - 2 + 2) with i by lia. destruct (Z.ltb_spec (i - 2) 62).
    + rewrite Z.ones_spec_low by lia. apply andb_true_r.
    + rewrite Z.ones_spec_high by lia. rewrite andb_false_r. symmetry. destruct (Z.eq_dec d 0) as [->|]; [apply Z.bits_0|].
      apply Z.bits_above_log2; [lia|]. apply Z.log2_lt_pow2; [lia|]. apply Z.lt_le_trans with (2 ^ 64); [lia|]. apply Z.pow_le_mono_r; lia.
Qed.

Section Apply.
Variables (a : state) (h0 : Machine.hw) (gl : globals) (vm l key p t : Z).
Hypothesis W : wf a.
Hypothesis O : onto a.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis ENG : engine h0 = engine_of a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at a vm) <> NIE_VM_FREE.
Hypothesis LK : 1 <= l <= 2 /\ 0 <= key /\ (l = 1 -> key < 512).
Hypothesis HO : in_ram a p = true /\ own a p = Host.
Hypothesis T : 1 < l -> exists t, slot_at a vm (l - 1) (key / 512) = ToTable t.
Hypothesis RT : in_ram a t = true.
Hypothesis OT : own a t = Table vm l (key / 512).

Notation k := (Adding.kept p 1 a).
Notation KH := (table_add_preserves.kept_one a p W HO).

Lemma k_facts : ram h0 = ram_of k /\ engine h0 = engine_of k /\ wf k /\ onto k /\ in_ram k t = true /\ own k t = Table vm l (key / 512) /\
  in_ram k p = true /\ own k p = Engine /\ ~ engine_range k p /\ (forall v l x, slot_at k v l x = slot_at a v l x).
Proof.
  pose proof KH as B. destruct (Adding.kept_free a p 1 W (table_add_preserves.one_page p) (table_add_preserves.one_host a p HO) p ltac:(unfold given; lia)) as (F1 & F2 & F3 & _).
  split; [rewrite RAM; unfold ram_of; now rewrite (h_cfg B)|]. split; [rewrite ENG; unfold engine_of; now rewrite (h_cfg B)|].
  split; [exact (hidden_wf B)|]. split; [exact (hidden_onto B O)|]. split; [now rewrite (h_ram B)|].
  split; [apply (h_kept_own B); [exact OT|discriminate]|]. split; [auto|]. split; [auto|]. split; [auto|]. exact (h_slot B).
Qed.

Lemma t_unique : forall q, in_ram k q = true -> own k q = Table vm l (key / 512) -> q = t.
Proof.
  destruct k_facts as (_ & _ & WK & OK & RK & OTK & _). intros q R E.
  destruct (on_table _ OK _ _ _ _ R E) as [(L1 & _ & F)|F], (on_table _ OK _ _ _ _ RK OTK) as [(L1' & _ & F')|F']; try congruence.
  - rewrite L1 in F'. destruct (wf_tab _ WK _ _ _ _ F'). lia.
  - rewrite L1' in F. destruct (wf_tab _ WK _ _ _ _ F). lia.
Qed.

(* Over nothing. *)
Lemma new_table_wp : forall m h d (Q : unit -> mach globals Machine.hw -> Prop), slot_at a vm l key = Empty ->
  world h0 (Aset k) (Aset k) m (now m) h -> tables_hold k m ->
  (forall q i, is_word i = true -> given p 1 q -> m (q * 512 + i) = 0) ->
  let z := new_table a vm l key p in
  (forall m' h', wf z -> onto z -> world h0 (Aset z) (Aset z) m' (now m') h' -> tables_hold z m' -> Q tt (Mach gl h')) ->
  wp (s2_write t d (key mod 512) l (Z.lor (p * 4096) DESC_TABLE)) Q (Mach gl h).
Proof.
  intros m h d Q EM X TK Z0 z H. destruct k_facts as (RK & EK & WK & OK & RTK & OTK & RP & OP & _ & KS).
  destruct (table_add_preserves.new_table_facts a vm l key p W V LK HO T EM) as [L ON]. fold z in L, ON.
  assert (OZ : own z p = Table vm (l + 1) key).
  { change (own (Donation.donate vm p 1 (fun _ => Table vm (l + 1) key) a) p = Table vm (l + 1) key).
    change (own (hand_over vm p 1 (fun _ => Table vm (l + 1) key) a) p = Table vm (l + 1) key). rewrite hand_over_at by lia.
    now replace ((p <=? p) && (p <? p + 1)) with true by lia. }
  assert (GP : forall q, given p 1 q -> q = p) by (unfold given; intros; lia).
  assert (SZ : slot_at z vm l key = ToTable p) by (unfold z, table_add_preserves.new_table; rewrite slot_set, !Z.eqb_refl; reflexivity).
  pose proof (ram_small _ WK _ RP) as PS.
  unfold s2_write. eapply (one_wp k z h0 gl vm l key p 1 t L RK EK RTK OTK t_unique); eauto.
  - intros q Gq. rewrite (GP q Gq), OZ. intro E. injection E. lia.
  - intros q v y Gq. rewrite (GP q Gq), OZ. discriminate.
  - intros q i v l' y I Gq E. rewrite Z0 by auto. rewrite (GP q Gq), OZ in E. injection E as <- <- <-.
    destruct (slot_at z vm (l + 1) (key * 512 + i)) as [| |x|x|x|x] eqn:S; auto; exfalso;
      (assert (S' : slot_at k vm (l + 1) (key * 512 + i) <> Empty)
         by (rewrite <- (l_slot L) by (unfold one_entry; lia); rewrite S; discriminate);
       destruct (wf_slot _ WK _ _ _ S') as (_ & _ & _ & _ & _ & PT); destruct PT as [tt' PT]; [lia|];
       replace (l + 1 - 1) with l in PT by lia; replace ((key * 512 + i) / 512) with key in PT by (unfold is_word in I; lia); rewrite KS, EM in PT; discriminate).
  - rewrite SZ. norm. apply lor_page; lia.
  - intros h' m' X' T'. apply (H m' h'); auto. exact (linked_wf L).
Qed.

(* Over a block. *)
Section Block.
Variable q : Z.
Hypothesis L2 : l = 2.
Hypothesis BL : slot_at a vm l key = ToBlock q.
Notation z := (split_table a vm l key p q).
Notation word := (t * 512 + key mod 512).
Notation new := (p * 4096 + DESC_TABLE).
Notation page_descs := (fun i => enc (ToPage (q + i))).

Lemma L : linked k p 1 (split_entries vm l key) z.
Proof. exact (table_add_preserves.split_linked a vm l key p W V LK HO T q L2 BL). Qed.

Lemma q_small : 0 < q /\ q + 512 <= 2 ^ 27.
Proof.
  destruct (wf_blk _ W _ _ _ _ BL) as (_ & M & D). destruct (D 0) as [R _]; [reflexivity|]. destruct (D 511) as [R' _]; [reflexivity|].
  apply (ram_small _ W) in R. apply (ram_small _ W) in R'. lia.
Qed.

Lemma t_not_p : t <> p.
Proof. intros E. destruct k_facts as (_ & _ & _ & _ & _ & OTK & _ & OP & _). rewrite E in OTK. congruence. Qed.

Lemma split_slots : forall v' l' y, slot_at z v' l' y =
  if (v' =? vm) && (l' =? l) && (y =? key) then ToTable p
  else if (v' =? vm) && (l' =? 3) && ((key * 512 <=? y) && (y <? key * 512 + 512)) then ToPage (q + (y - key * 512)) else slot_at k v' l' y.
Proof. exact (table_add_preserves.split_slot a vm l key p W V LK HO q). Qed.

Lemma z_own : forall y, own z y = if y =? p then Table vm (l + 1) key else own k y.
Proof. exact (table_add_preserves.split_own a vm l key p W V LK HO q). Qed.

(* The table's page filled, the entry replaced. *)
Lemma split_tables : forall m, tables_hold k m -> tables_hold z (upd (filled m p 0 512 page_descs) word new).
Proof.
  intros m TK. destruct k_facts as (RK & EK & WK & OK & RTK & OTK & RP & OP & NR & KS). pose proof t_not_p as TP.
  assert (F : forall y i, is_word i = true -> upd (filled m p 0 512 page_descs) word new (y * 512 + i) =
    if (y =? t) && (i =? key mod 512) then new else if y =? p then enc (ToPage (q + i)) else m (y * 512 + i)).
  { intros y i I. unfold upd. rewrite filled_at by (auto; lia). unfold is_word in I.
    destruct (Z.eqb_spec (y * 512 + i) word) as [E|E].
    - apply word_inj in E as [-> ->]; [|unfold is_word; lia|unfold is_word; lia]. now rewrite !Z.eqb_refl.
    - replace ((y =? t) && (i =? key mod 512)) with false by (symmetry; apply not_true_is_false; intro K; apply E; lia).
      rewrite Z.sub_0_r. destruct (y =? p); cbn [andb]; auto. now replace ((0 <=? i) && (i <? 0 + 512)) with true by lia. }
  assert (GP : forall y, given p 1 y <-> y = p) by (unfold given; intros; lia).
  apply (linked_tables L m); auto.
  - intros y v i G. apply GP in G. subst y. rewrite z_own, Z.eqb_refl. discriminate.
  - intros y i v l' k' R E I H. rewrite F by auto. rewrite z_own in E. destruct (Z.eqb_spec y p) as [->|NP].
    + replace (p =? t) with false by lia. cbn [andb]. injection E as <- <- <-. rewrite split_slots. unfold is_word in I.
      replace ((vm =? vm) && (l + 1 =? l) && (key * 512 + i =? key)) with false by lia.
      replace ((vm =? vm) && (l + 1 =? 3) && ((key * 512 <=? key * 512 + i) && (key * 512 + i <? key * 512 + 512))) with true by lia.
      f_equal. f_equal. lia.
    + destruct H as [G|(-> & [(-> & K)|(-> & K)])]; [apply GP in G; contradiction| |].
      * assert (k' = key / 512 /\ i = key mod 512) as [-> ->] by (unfold is_word in I; lia). rewrite (t_unique y R E), !Z.eqb_refl. cbn [andb].
        rewrite split_slots. replace ((vm =? vm) && (l =? l) && (key / 512 * 512 + key mod 512 =? key)) with true by lia. reflexivity.
      * assert (k' = key) by (unfold is_word in I; lia). subst k'. exfalso.
        destruct (on_table _ OK _ _ _ _ R E) as [(? & _)|Q]; [lia|]. change (3 - 1) with 2 in Q. rewrite KS, <- L2, BL in Q. discriminate.
  - intros y i R I. rewrite F by auto. destruct (Z.eqb_spec y t) as [->|]; [rewrite (wf_engine _ WK) in OTK by exact R; discriminate|].
    cbn [andb]. now destruct (Z.eqb_spec y p) as [->|].
  - intros y i v l' k' R E I D. rewrite F by auto. destruct (Z.eqb_spec y p) as [->|NP]; [congruence|].
    destruct (Z.eqb_spec y t) as [->|]; auto. cbn [andb]. destruct (Z.eqb_spec i (key mod 512)) as [->|]; auto. exfalso. apply D.
    rewrite OTK in E. injection E as <- <- <-. unfold table_add_preserves.split_entries. split; auto. left. split; auto. lia.
  - intros y i v j R E I. rewrite F by auto. destruct (Z.eqb_spec y t) as [->|]; [congruence|]. cbn [andb]. destruct (Z.eqb_spec y p) as [->|]; [congruence|auto].
Qed.

(* What walkers may see: the map as it was, and anything in the page that no walk ends at. *)
Definition may_see (m : Z -> Z) : Z -> Z -> Prop := fun w d => now m w d \/ p * 512 <= w < p * 512 + 512.

Lemma may_see_closed : forall m, tables_hold k m -> closed (Aset k) (may_see m).
Proof.
  intros m TK v l' y d i d' H TB I VD [E|E].
  - destruct k_facts as (_ & _ & WK & _). eapply (Aset_closed _ WK _ TK); eauto.
  - exfalso. apply (table_add_preserves.kept_no_target a vm l key p W V LK HO v l' y d H TB). unfold is_word in I. lia.
Qed.

Lemma fill_wp : forall m h (Q : unit -> mach globals Machine.hw -> Prop),
  world h0 (Aset k) (Aset k) m (now m) h -> tables_hold k m ->
  (forall h', world h0 (Aset k) (Aset k) (filled m p 0 512 page_descs) (may_see m) h' -> Q tt (Mach gl h')) ->
  wp (fill_from_block p (enc (ToBlock q))) Q (Mach gl h).
Proof.
  intros m h Q X TK H. destruct k_facts as (RK & EK & WK & OK & RTK & OTK & RP & OP & NR & KS). pose proof q_small as QS.
  assert (X1 : world h0 (Aset k) (Aset k) m (may_see m) h).
  { eapply world_grow; [exact X|now intros ? ? ? ? K|now intros ? ? ? ? K|now intros ? ? ? ? K|now left| | | | |].
    - now apply may_see_closed.
    - now apply may_see_closed.
    - apply X.
    - apply X.
    - apply X. }
  unfold fill_from_block. w_bind.
  apply wp_loop with (I := fun n _ s => exists h, s = Mach gl h /\ world h0 (Aset k) (Aset k) (filled m p 0 n page_descs) (may_see m) h);
    unfold ENTRIES; [lia| | |].
  - exists h. split; auto. eapply world_mem; eauto. intros y i I N. rewrite filled_at by (auto; lia).
    now destruct ((y =? p) && (0 <=? i) && (i <? 0 + 0)) eqn:E; [lia|].
  - intros n u s I (h2 & -> & X2). w_bind. w_known address_of_run; [lia|].
    assert (EV : wrap U64 (wrap U64 (Z.land (enc (ToBlock q)) (wrap U64 (Z.lnot 3)) + n * 4096) + DESC_PAGE) = enc (ToPage (q + n))).
    { rewrite clear_low by (norm; lia). norm. replace ((q * 4096 + (2044 + 1)) / 4 * 4) with (q * 4096 + 2044) by lia. rewrite (wrap64 (q * 4096 + 2044 + n * 4096)) by lia. rewrite wrap64 by lia. lia. }
    rewrite EV. assert (IW : is_word n = true) by (unfold is_word; lia). w_bind.
    eapply (wp_page_write h0 k RK); eauto.
    + apply (kept_untouched _ WK); auto. now rewrite OP.
    + intros _. right. lia.
    + intros _. right. lia.
    + intros h3 X3. cbn beta. go. exists h3. split; auto. eapply world_mem; eauto. intros y i J N. unfold upd. rewrite !filled_at by (auto; lia).
      destruct (Z.eqb_spec (y * 512 + i) (p * 512 + n)) as [E|E].
      * apply word_inj in E as [-> ->]; auto. replace ((p =? p) && (0 <=? n) && (n <? 0 + (n + 1))) with true by lia. do 2 f_equal. lia.
      * replace ((y =? p) && (0 <=? i) && (i <? 0 + (n + 1))) with ((y =? p) && (0 <=? i) && (i <? 0 + n)); auto.
        apply eq_true_iff_eq. destruct (Z.eqb_spec y p) as [->|]; cbn [andb]; [|tauto]. lia.
  - intros u s (h2 & -> & X2). go. now apply H.
Qed.

(** While the block is broken its pages count as mapped one by one, though no walk finds them: a claim of such a page stands. *)

Definition leaves_of_it : aset := fun v l' y x => v = vm + 1 /\ l' = 3 /\ key * 512 <= y < key * 512 + 512 /\ x = enc (ToPage (q + (y - key * 512))).
Definition with_leaves (A : aset) : aset := fun v l' y x => A v l' y x \/ leaves_of_it v l' y x.

Lemma the_block : Aset k (vm + 1) 2 key (enc (ToBlock q)).
Proof.
  destruct k_facts as (_ & _ & _ & _ & _ & _ & _ & _ & _ & KS). right. exists vm. split; [reflexivity|]. split; [exact (proj1 V)|]. right. rewrite KS, <- L2, BL. split; [lia|]. split; [reflexivity|].
  destruct (enc_facts (ToBlock q) q) as (D & _); [pose proof q_small; lia|reflexivity|exact D].
Qed.
Lemma leaf_leads : forall v l' y x x' p', leaves_of_it v l' y x -> leads l' y x x' p' <-> x' = y /\ p' = q + (y - key * 512).
Proof.
  intros v l' y x x' p' (-> & -> & Y & ->). pose proof q_small as QS. destruct (enc_facts (ToPage (q + (y - key * 512))) (q + (y - key * 512))) as (_ & F & M); [lia|reflexivity|].
  unfold leads, first_page, is_leaf. rewrite F. change (covers 3) with 1. lia.
Qed.
Lemma block_leads : forall y, key * 512 <= y < key * 512 + 512 -> leads 2 key (enc (ToBlock q)) y (q + (y - key * 512)).
Proof.
  intros y Y. pose proof q_small as QS. destruct k_facts as (_ & _ & WK & _ & _ & _ & _ & _ & _ & KS). destruct (wf_blk _ W _ _ _ _ BL) as (_ & Q & _).
  destruct (enc_facts (ToBlock q) q) as (_ & F & M); [lia|reflexivity|]. unfold leads, first_page, is_leaf. rewrite F. change (covers 2) with 512. lia.
Qed.
(* So they lead where the block did. *)
Lemma leaf_block : forall v l' y x x' p', leaves_of_it v l' y x -> leads l' y x x' p' -> v = vm + 1 /\ leads 2 key (enc (ToBlock q)) x' p'.
Proof. intros v l' y x x' p' H M. pose proof H as (-> & _ & Y & _). apply (leaf_leads _ _ _ _ _ _ H) in M as [-> ->]. split; [reflexivity|now apply block_leads]. Qed.
Lemma maps_leads : forall l' y x p', maps l' x p' -> exists x', leads l' y x x' p'.
Proof. intros l' y x p' [M1 M2]. exists (y * covers l' + (p' - first_page l' x)). split; [exact M1|lia]. Qed.
Lemma leaf_maps : forall v l' y x p', leaves_of_it v l' y x -> maps l' x p' -> v = vm + 1 /\ maps 2 (enc (ToBlock q)) p'.
Proof. intros v l' y x p' H M. destruct (maps_leads l' y x p' M) as (x' & K). destruct (leaf_block _ _ _ _ _ _ H K) as [E K']. split; [exact E|]. eapply leads_maps; eauto. Qed.
Lemma leaf_no_table : forall v l' y x, leaves_of_it v l' y x -> is_table l' x = false.
Proof. intros v l' y x (_ & -> & _). reflexivity. Qed.
Lemma with_touch : forall p', touch (with_leaves (Aset k)) p' -> touch (Aset k) p'.
Proof.
  intros p' (v & l' & y & x & [H|H] & M); [exists v, l', y, x; auto|]. destruct (leaf_maps _ _ _ _ _ H M) as [-> M']. exists (vm + 1), 2, key, (enc (ToBlock q)). split; [exact the_block|exact M'].
Qed.
Lemma with_safe : forall e, safe_set e (Aset k) -> safe_set e (with_leaves (Aset k)).
Proof.
  intros e (S1 & S2 & S3). pose proof the_block as TB. assert (NU : ~ upper 2 key) by (intros [E _]; discriminate E). pose proof (proj1 V) as V0. split; [|split].
  - intros v l' y x v' l2 y2 x2 p' H H' M M' N.
    assert (A1 : exists l1 y1 x1, Aset k v l1 y1 x1 /\ maps l1 x1 p' /\ (v = vm + 1 /\ leaves_of_it v l' y x /\ l1 = 2 \/ l1 = l' /\ y1 = y)).
    { destruct H as [H|H]; [exists l', y, x; auto|]. destruct (leaf_maps _ _ _ _ _ H M) as [EV K]. rewrite EV in *. exists 2, key, (enc (ToBlock q)). auto 8. }
    assert (A2 : exists l1 y1 x1, Aset k v' l1 y1 x1 /\ maps l1 x1 p' /\ (v' = vm + 1 /\ leaves_of_it v' l2 y2 x2 /\ l1 = 2 \/ l1 = l2 /\ y1 = y2)).
    { destruct H' as [H'|H']; [exists l2, y2, x2; auto|]. destruct (leaf_maps _ _ _ _ _ H' M') as [EV K]. rewrite EV in *. exists 2, key, (enc (ToBlock q)). auto 8. }
    destruct A1 as (i & j & z1 & A1 & B1 & C1), A2 as (i' & j' & z2 & A2 & B2 & C2). destruct (S1 _ _ _ _ _ _ _ _ p' A1 A2 B1 B2 N) as [[E U]|[E U]].
    + destruct C2 as [(_ & _ & ->)|(-> & ->)]; [destruct U as [U _]; discriminate U|auto].
    + destruct C1 as [(_ & _ & ->)|(-> & ->)]; [destruct U as [U _]; discriminate U|auto].
  - intros p' T'. apply S2. now apply with_touch.
  - intros v x p' (l1 & y1 & d1 & H & M & N & U). assert (K : keeps (Aset k) v x p').
    { destruct H as [H|H]; [exists l1, y1, d1; auto|]. destruct (leaf_block _ _ _ _ _ _ H M) as [-> M']. exists 2, key, (enc (ToBlock q)). auto. }
    intros v' l2 y2 d2 x' p2 [H'|H'] M'; [now apply (S3 v x p' K v' l2 y2 d2)|]. destruct (leaf_block _ _ _ _ _ _ H' M') as [-> M2]. exact (S3 v x p' K _ _ _ _ _ _ TB M2).
Qed.
Lemma leaf_z : sub leaves_of_it (Aset z).
Proof.
  intros v l' y x (-> & -> & Y & ->). right. exists vm. split; [reflexivity|]. split; [exact (proj1 V)|]. right. rewrite split_slots.
  replace ((vm =? vm) && (3 =? l) && (y =? key)) with false by lia. replace ((vm =? vm) && (3 =? 3) && ((key * 512 <=? y) && (y <? key * 512 + 512))) with true by lia.
  split; [lia|]. split; [reflexivity|]. pose proof q_small. destruct (enc_facts (ToPage (q + (y - key * 512))) (q + (y - key * 512))) as (D & _); [lia|reflexivity|exact D].
Qed.
(* The block itself apart nothing that leads anywhere goes. *)
Lemma split_keeps : forall x p', keeps (with_leaves (Aset k)) (vm + 1) x p' -> keeps (with_leaves (between k z)) (vm + 1) x p'.
Proof.
  intros x p' (l1 & y1 & d1 & H & M & N & U). destruct H as [H|H]; [|exists l1, y1, d1; split; [now right|auto]].
  destruct k_facts as (_ & _ & WK & _ & _ & _ & _ & _ & _ & KS). pose proof H as [(? & _)|(j & E & J & [(-> & _)|(LL & -> & D)])]; [lia|apply leads_maps, maps_level in M; lia|].
  replace j with vm in * by lia. destruct (Z.eq_dec l1 2) as [->|NL]; [destruct (Z.eq_dec y1 key) as [->|NK]|].
  - rewrite KS, <- L2, BL in M. assert (X : key * 512 <= x < key * 512 + 512 /\ p' = q + (x - key * 512)).
    { destruct (wf_blk _ W _ _ _ _ BL) as (_ & Q & _). pose proof q_small. destruct (enc_facts (ToBlock q) q) as (_ & F & _); [lia|reflexivity|].
      destruct M as (_ & M2 & M3). unfold first_page in M3. rewrite F, L2 in M3. rewrite L2 in M2. change (covers 2) with 512 in *. lia. }
    destruct X as [X ->]. exists 3, x, (enc (ToPage (q + (x - key * 512)))). assert (LV : leaves_of_it (vm + 1) 3 x (enc (ToPage (q + (x - key * 512))))) by (repeat split; lia).
    split; [right; exact LV|]. split; [apply (leaf_leads _ _ _ _ _ _ LV); auto|auto].
  - exists 2, y1, (enc (slot_at k vm 2 y1)). split; [left; split; [exact H|]|auto]. right. exists vm. split; [reflexivity|]. split; [exact (proj1 V)|]. right. rewrite split_slots.
    replace ((vm =? vm) && (2 =? l) && (y1 =? key)) with false by lia.
    replace ((vm =? vm) && (2 =? 3) && ((key * 512 <=? y1) && (y1 <? key * 512 + 512))) with false by lia. auto.
  - exists l1, y1, (enc (slot_at k vm l1 y1)). split; [left; split; [exact H|]|auto]. right. exists vm. split; [reflexivity|]. split; [exact (proj1 V)|]. right. rewrite split_slots.
    replace ((vm =? vm) && (l1 =? l) && (y1 =? key)) with false by lia.
    destruct ((vm =? vm) && (l1 =? 3) && ((key * 512 <=? y1) && (y1 <? key * 512 + 512))) eqn:C; [exfalso|auto]. assert (L3 : l1 = 3 /\ y1 / 512 = key) by lia. destruct L3 as [-> YK].
    assert (NE : slot_at k vm 3 y1 <> Empty) by (intro F; rewrite F in D; discriminate D). destruct (wf_slot _ WK _ _ _ NE) as (_ & _ & _ & _ & _ & PT). destruct PT as [tt' PT]; [lia|].
    change (3 - 1) with 2 in PT. rewrite YK, KS, <- L2, BL in PT. discriminate PT.
Qed.

Lemma replace_wp : forall m h d (Q : unit -> mach globals Machine.hw -> Prop),
  world h0 (Aset k) (Aset k) (filled m p 0 512 page_descs) (may_see m) h -> tables_hold k m ->
  (forall m' h', wf z -> onto z -> world h0 (Aset z) (Aset z) m' (now m') h' -> tables_hold z m' -> Q tt (Mach gl h')) ->
  wp (s2_replace vm t d (key mod 512) l (Z.lor (p * 4096) DESC_TABLE)) Q (Mach gl h).
Proof.
  intros m h d Q X TK H. destruct k_facts as (RK & EK & WK & OK & RTK & OTK & RP & OP & NR & KS). pose proof t_not_p as TP.
  pose proof L as LL. pose proof (linked_wf LL) as WZ. pose proof (ram_small _ WK _ RP) as PS.
  pose proof (split_tables m TK) as TZ.
  assert (IW : is_word (key mod 512) = true) by (unfold is_word; lia).
  assert (NT : ~ touch (Aset k) t) by (apply (kept_untouched _ WK); auto; now rewrite OTK).
  assert (MW : filled m p 0 512 page_descs word = m word).
  { rewrite filled_at by (auto; lia). now replace (t =? p) with false by lia. }
  set (m3 := filled m p 0 512 page_descs) in *. set (m4 := upd m3 word 0).
  rewrite lor_page by (unfold DESC_TABLE; lia).
  unfold s2_replace. w_bind. eapply (wp_page_write h0 k RK); eauto; [discriminate|rewrite MW; intros _; now left|].
  fold m4. intros h1 X1. cbn beta. w_bind.
  assert (X1' : world h0 (with_leaves (Aset k)) (with_leaves (Aset k)) m4 (may_see m) h1).
  { eapply world_grow; [exact X1|now left|now left|now intros ? ? ? ? K|auto| | | | |].
    - intros v l' y x i x' [K|K] TB I VD E'; [left; eapply may_see_closed; eauto|rewrite (leaf_no_table _ _ _ _ K) in TB; discriminate TB].
    - intros v l' y x i x' [K|K] TB I VD E'; [left; eapply may_see_closed; eauto|rewrite (leaf_no_table _ _ _ _ K) in TB; discriminate TB].
    - intros v l' y x [K|K] TB TC; [|rewrite (leaf_no_table _ _ _ _ K) in TB; discriminate TB]. apply with_touch in TC. revert TC. exact (w_apart _ _ _ _ _ _ X1 _ _ _ _ K TB).
    - apply with_safe. apply X1.
    - intros y SY (l2 & y2 & x & [K|(K & _)] & M); [apply (w_secret _ _ _ _ _ _ X1 y SY); exists l2, y2, x; auto|pose proof (proj1 V); lia]. }
  eapply stage2_refines.s2_flush_wp with (A := with_leaves (between k z)); [apply V|exact X1'| | | | | |].
  - intros v l' y x [[K _]|K]; [now left|now right].
  - intros v l' y x N [K|K]; [left|now right]. split; auto. destruct (Z.eq_dec v 0) as [->|N0]; [now apply (linked_host LL)|].
    apply (linked_other LL); auto. intros l2 y2 (E & _). lia.
  - intro c. pose proof (w_root _ _ _ _ _ _ X c) as K. destruct (root_eq h0 h c (f_vttbr _ _ (w_frame _ _ _ _ _ _ X) c)) as [E1 E2].
    rewrite E1, E2 in K. left. split; auto. destruct (Z.eq_dec (root_vmid h0 c) 0) as [E|N]; [rewrite E in *; now apply (linked_host LL)|now apply (linked_root LL)].
  - intros v l' y x i x' [[K1 K2]|K] TB I VD E'; [left|rewrite (leaf_no_table _ _ _ _ K) in TB; discriminate TB]. assert (E : m4 (frame x * 512 + i) = x') by exact E'. clear E'.
    assert (E4 : m4 (frame x * 512 + i) = if frame x * 512 + i =? word then 0 else m3 (frame x * 512 + i)) by reflexivity.
    split.
    + eapply (Aset_closed _ WK _ TK); eauto. unfold now. rewrite E4 in E. destruct (frame x * 512 + i =? word); [subst x'; discriminate|].
      unfold m3 in E. rewrite filled_at in E by (auto; lia).
      pose proof (table_add_preserves.kept_no_target a vm l key p W V LK HO _ _ _ _ K1 TB). now replace (frame x =? p) with false in E by lia.
    + eapply (Aset_closed _ WZ _ TZ); eauto. unfold now, upd. rewrite E4 in E. destruct (frame x * 512 + i =? word); [subst x'; discriminate|exact E].
  - intros y x _. apply split_keeps.
  - intros m5 h2 E5' X2. cbn beta. w_bind.
    assert (E5 : forall y i, is_word i = true -> ~ touch (Aset k) y -> m5 (y * 512 + i) = m4 (y * 512 + i)) by (intros y i I N; apply E5'; auto; intro TC; now apply N, with_touch).
    assert (W5 : m5 word = 0) by (rewrite E5 by auto; unfold m4, upd; now rewrite Z.eqb_refl).
    assert (TF : tables_hold z (upd m5 word new)).
    { eapply tables_mem_of; [exact WZ|exact TZ|]. intros y i OF I. unfold upd. destruct (Z.eqb_spec (y * 512 + i) word) as [E|E]; auto.
      assert (NY : ~ touch (Aset k) y).
      { destruct (Z.eq_dec y p) as [->|NP]; [apply (kept_untouched _ WK); auto; now rewrite OP|].
        apply (of_tables_untouched k y WK). destruct OF as [OF|(R & v & y' & OF)].
        - left. unfold engine_range in *. now rewrite (l_cfg LL) in OF.
        - right. rewrite (l_ram LL) in R. split; auto. rewrite z_own in OF. replace (y =? p) with false in OF by lia. eauto. }
      rewrite E5 by auto. unfold m4, upd. now destruct (Z.eqb_spec (y * 512 + i) word). }
    assert (X3 : world h0 (Aset z) (Aset z) m5 (now (upd m5 word new)) h2).
    { assert (SZ : sub (with_leaves (between k z)) (Aset z)) by (intros v l' y x [[_ K]|K]; [exact K|now apply leaf_z]).
      eapply world_grow; [exact X2|exact SZ|exact SZ|now intros ? ? ? ? K| | | | | |].
      - intros w x VD E. unfold now, upd in *. destruct (Z.eqb_spec w word) as [->|]; auto. rewrite W5 in E. subst x. discriminate.
      - now apply (Aset_closed _ WZ).
      - now apply (Aset_closed _ WZ).
      - now apply Aset_apart.
      - rewrite (f_engine _ _ (w_frame _ _ _ _ _ _ X2)), ENG. apply Aset_safe; auto; rewrite (l_cfg LL), (h_cfg KH); unfold engine_of; cbn [fst snd]; lia.
      - intros y SY (l2 & y2 & x & K & M). apply (w_secret _ _ _ _ _ _ X2 y SY). exists l2, y2, x. split; auto. left. split; auto. now apply (linked_host LL). }
    assert (RZ : ram h0 = ram_of z) by (rewrite RK; unfold ram_of; now rewrite (l_cfg LL)).
    unfold s2_write. w_bind. eapply (wp_page_write h0 z RZ); eauto.
    + apply (kept_untouched _ WZ); [now rewrite (l_ram LL)|]. rewrite z_own. replace (t =? p) with false by lia. now rewrite OTK.
    + intros _. unfold now, upd. now rewrite Z.eqb_refl.
    + rewrite W5. discriminate.
    + intros h3 X4. cbn beta. w_bind. eapply wp_dsb_same; [exact X4|]. intros h4 X5. cbn beta. go. apply (H (upd m5 word new) h4); auto.
      exact (table_add_preserves.split_onto a vm l key p W V LK HO T q L2 BL OK).
Qed.
End Block.
End Apply.

