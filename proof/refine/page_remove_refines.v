(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_REMOVE: the C does what spec/call/page_remove.v says, with the other CPUs acting before each of its
   primitives; it has no undefined behaviour, meets every obligation, and every state on the way is safe. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning page_remove_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.stage2 nie.generated.state.checks nie.generated.call.page_remove.
From nie.spec Require Import Core.
From nie.proof.refine Require Export page_remove_checks.
From RecordUpdate Require Import RecordSet.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Lemma pages_ok : forall a v x first n i, pages_from a v x first n i = NIE_OK ->
  forall j, i <= j < i + Z.of_nat n -> page_at a v (x + j) = Some (first + j).
Proof.
  induction n as [|n IH]; intros i H j J; [lia|]. cbn [pages_from] in H.
  destruct (page_at a v (x + i)) as [p|] eqn:E; [|discriminate].
  destruct (Z.eqb_spec p (first + i)); [|discriminate].
  destruct (Z.eq_dec j i) as [->|]; [congruence|]. apply (IH (i + 1)); auto. lia.
Qed.

Section Apply.
Variables (a : state) (h0 : Machine.hw) (gl0 : globals) (m0 : Z -> Z).
Hypothesis W : wf a.
Hypothesis O : onto a.
Hypothesis G0 : globals_hold a gl0.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis ENG : engine h0 = engine_of a.
Hypothesis TH : tables_hold a m0.
Variables (vm x first count t : Z).
Hypothesis V : 0 <= vm < NIE_MAX_VMS.
Hypothesis X : 0 <= x < 2 ^ 27.
Hypothesis C : 1 <= count /\ x mod 512 + count <= 512.
Hypothesis T : slot_at a vm 2 (x / 512) = ToTable t.
Hypothesis P : forall j, 0 <= j < count -> page_at a vm (x + j) = Some (first + j).
Let T' : exists t, slot_at a vm 2 (x / 512) = ToTable t := ex_intro _ t T.

Let b0 := each count (spend vm x) a.
Let b i := each i (spec_take_back vm first) b0.
(* The last table after its entries are Spent. *)
Let at0 := t * 512 + x mod 512.
Let spent_mem n : Z -> Z := fun w => if (at0 <=? w) && (w <? at0 + n) then DESC_SPENT else m0 w.

Lemma mid_n : forall n, 0 <= n -> mid a vm x first n 0 (each n (spend vm x) a).
Proof.
  intros n N. pattern n. apply natlike_ind; auto.
  - rewrite each_0. eapply mid_0; eauto.
  - intros i I M. replace (Z.succ i) with (i + 1) by lia. rewrite each_next by auto. eapply mid_spend; eauto.
Qed.

Lemma mid_i : forall i, 0 <= i -> mid a vm x first count i (b i).
Proof.
  intros i I. pattern i. apply natlike_ind; auto.
  - unfold b. rewrite each_0. apply mid_n. lia.
  - intros j J M. unfold b. replace (Z.succ j) with (j + 1) by lia. rewrite each_next by auto. eapply mid_back; eauto.
Qed.

Lemma wf_i : forall i, 0 <= i <= count -> wf (b i).
Proof. intros i I. eapply mid_wf with (n := count); eauto. apply mid_i. lia. Qed.

Lemma b_next : forall i, 0 <= i -> b (i + 1) = give vm (first + i) (b i).
Proof. intros i I. unfold b. now rewrite each_next. Qed.

Lemma spend_but : forall n, 0 <= n -> each n (spend vm x) a = a <| slots := slots (each n (spend vm x) a) |>.
Proof.
  intros n N. pattern n. apply natlike_ind; auto; [now destruct a|].
  intros i I IH. replace (Z.succ i) with (i + 1) by lia. rewrite each_next by auto. rewrite IH. reflexivity.
Qed.
Lemma counted_i : Counting.counted a -> forall i, 0 <= i -> i <= count -> Counting.counted (b i).
Proof.
  intros CNT i I. pattern i. apply natlike_ind; auto.
  - intros _. unfold b, b0. rewrite each_0, spend_but by lia. now apply (Counting.counted_same _ _ CNT).
  - intros j J IH. replace (Z.succ j) with (j + 1) by lia. intro L. rewrite b_next by auto.
    destruct (removed_owner _ _ _ _ _ W P (first + j)) as [RQ OQ]; [unfold back; lia|]. pose proof (mid_i j J) as M.
    assert (OJ : own (b j) (first + j) = own a (first + j)) by (apply (m_own _ _ _ _ _ _ _ M); unfold back; lia).
    apply (Counting.counted_gives (b j) (first + j) vm); [apply wf_i; lia|apply IH; lia|unfold in_ram in *; now rewrite (m_cfg _ _ _ _ _ _ _ M)|exact V|].
    intro w. rewrite OJ. now destruct OQ as [-> | ->].
Qed.

Lemma table_t : in_ram a t = true /\ own a t = Table vm 3 (x / 512).
Proof. destruct (wf_tab _ W _ _ _ _ T) as (_ & R & E). auto. Qed.

Lemma cfg_same : cfg b0 = cfg a.
Proof. apply (m_cfg _ _ _ _ _ _ _ (mid_n count ltac:(lia))). Qed.

Lemma ram_same : forall p, in_ram b0 p = in_ram a p.
Proof. intro p. unfold in_ram. now rewrite cfg_same. Qed.

Lemma own_same : forall p, own b0 p = own a p.
Proof. intro p. apply (m_own _ _ _ _ _ _ _ (mid_n count ltac:(lia))). unfold back. lia. Qed.

(** 1. The entries become Spent. *)

Lemma spent_tables : tables_hold b0 (spent_mem count).
Proof.
  pose proof (mid_n count ltac:(lia)) as M. fold b0 in M. destruct table_t as [RT OT].
  assert (CFG : cfg b0 = cfg a) by apply (m_cfg _ _ _ _ _ _ _ M).
  assert (HE : forall l k, henc b0 l k = henc a l k) by (intros; eapply henc_b; eauto; unfold back; intros; lia).
  assert (GB : gib_count b0 = gib_count a) by (unfold gib_count; now rewrite CFG).
  assert (L3 : forall g, level3 b0 g = level3 a g) by (intro g; unfold level3, level3_first; now rewrite ram_same, GB, CFG).
  assert (MG : forall g, managed b0 g -> managed a g) by (intros g; unfold managed; now rewrite ram_same, CFG).
  assert (OTHER : forall p i, in_ram a p = true -> own a p = Engine -> is_word i = true -> spent_mem count (p * 512 + i) = m0 (p * 512 + i)).
  { intros p i R E I. unfold spent_mem, at0. destruct ((t * 512 + x mod 512 <=? p * 512 + i) && (p * 512 + i <? t * 512 + x mod 512 + count)) eqn:B; auto.
    assert (p = t) by (unfold is_word in I; lia). congruence. }
  constructor.
  - intros p v l k i R E I. rewrite ram_same in R. rewrite own_same in E.
    assert (SD : spent vm x count v l (k * 512 + i) \/ ~ spent vm x count v l (k * 512 + i)) by (unfold spent; lia).
    destruct SD as [S|S].
    + rewrite (m_spent _ _ _ _ _ _ _ M _ _ _ S). destruct S as (-> & -> & S).
      assert (K : k = x / 512) by (unfold is_word in I; lia). subst k.
      assert (p = t).
      { destruct (on_table _ O _ _ _ _ R E) as [(? & _)|Q]; [lia|]. change (3 - 1) with 2 in Q. congruence. }
      subst p. unfold spent_mem, at0. replace ((t * 512 + x mod 512 <=? t * 512 + i) && (t * 512 + i <? t * 512 + x mod 512 + count)) with true; auto.
      unfold is_word in I. lia.
    + rewrite (m_slot _ _ _ _ _ _ _ M _ _ _ S). rewrite <- (t_vm _ _ TH _ _ _ _ _ R E I).
      unfold spent_mem, at0. destruct ((t * 512 + x mod 512 <=? p * 512 + i) && (p * 512 + i <? t * 512 + x mod 512 + count)) eqn:B; auto.
      exfalso. apply S. assert (p = t) by (unfold is_word in I; lia). subst p. rewrite OT in E. injection E as <- <- <-.
      unfold spent. unfold is_word in I. lia.
  - intros i I. rewrite CFG, HE. pose proof (gibs_small _ W). destruct (low_table_page _ W 0) as [R E]; [lia|]. rewrite Z.add_0_r in *.
    rewrite OTHER; auto. now apply (t_1 _ _ TH).
  - intros j i J I. rewrite CFG, HE. rewrite GB in J. destruct (low_table_page _ W (1 + j)) as [R E]; [lia|]. rewrite Z.add_assoc in *.
    rewrite OTHER; auto. now apply (t_2 _ _ TH).
  - intros g i K I. rewrite L3, HE. apply MG in K. destruct (level3_page _ W _ K) as [R E].
    rewrite OTHER; auto. now apply (t_3 _ _ TH).
  - intros p v i j R E I. rewrite ram_same in R. rewrite own_same in E. unfold saved_at. destruct (m_vcpus _ _ _ _ _ _ _ M) as [_ ->].
    fold (saved_at a v i j). rewrite <- (t_saved _ _ TH _ _ _ _ R E I). unfold spent_mem, at0.
    destruct ((t * 512 + x mod 512 <=? p * 512 + j) && (p * 512 + j <? t * 512 + x mod 512 + count)) eqn:B; auto.
    assert (p = t) by (unfold is_word in I; lia). congruence.
Qed.

Lemma spend_loop : forall index h (Q : unit -> mach globals Machine.hw -> Prop), world h0 (Aset a) (Aset a) m0 (now m0) h ->
  (forall i, 0 <= i < count -> index i = x mod 512 + i) ->
  (forall h', world h0 (Aset a) (Aset a) (spent_mem count) (now m0) h' -> Q tt (Mach gl0 h')) ->
  wp (loop 0 count tt (fun i _ =>
      page_write t (index i) DESC_SPENT ;;;
      ret tt)) Q (Mach gl0 h).
Proof.
  intros index h Q X0 AT H. destruct table_t as [RT OT].
  apply wp_loop with (I := fun i _ s => exists h, s = Mach gl0 h /\ world h0 (Aset a) (Aset a) (spent_mem i) (now m0) h); try lia.
  - exists h. split; auto. eapply world_mem; eauto. intros. unfold spent_mem.
    destruct (Z.leb_spec at0 (p * 512 + i)), (Z.ltb_spec (p * 512 + i) (at0 + 0)); cbn; auto; lia.
  - intros i u s I (h1 & -> & X1). rewrite AT by lia. w_bind.
    assert (IW : is_word (x mod 512 + i) = true) by (unfold is_word; lia).
    eapply (wp_page_write h0 a RAM); eauto.
    + apply kept_untouched; auto. now rewrite OT.
    + discriminate.
    + unfold spent_mem, now. destruct ((at0 <=? t * 512 + (x mod 512 + i)) && (t * 512 + (x mod 512 + i) <? at0 + i)); [discriminate|auto].
    + intros h2 X2. cbn beta. go. exists h2. split; auto. eapply world_mem; eauto. intros p j J N. unfold upd, spent_mem, at0.
      destruct (Z.eqb_spec (p * 512 + j) (t * 512 + (x mod 512 + i))),
        (Z.leb_spec (t * 512 + x mod 512) (p * 512 + j)), (Z.ltb_spec (p * 512 + j) (t * 512 + x mod 512 + (i + 1))),
        (Z.ltb_spec (p * 512 + j) (t * 512 + x mod 512 + i)); cbn; auto; lia.
  - intros u s (h1 & -> & X1). destruct u. auto.
Qed.

(** 2. The flush: from here on nobody holds what was taken. *)

Lemma sub_b0 : sub (Aset b0) (Aset a).
Proof.
  pose proof (mid_n count ltac:(lia)) as M. fold b0 in M. intros v l k d H. destruct (Z.eq_dec v 0) as [->|N]; [|eapply mid_vm_entry; eauto].
  destruct H as [(_ & H)|(j & E & J & _)]; [|lia]. left. split; auto.
  destruct H as [(-> & -> & ->)|(L & -> & D)]; [left|right].
  - now rewrite cfg_same.
  - assert (HE : henc b0 l k = henc a l k) by (eapply henc_b; eauto; unfold back; intros; lia). rewrite HE in *. auto.
Qed.

Lemma sub_a_host : forall l k d, Aset a 0 l k d -> Aset b0 0 l k d.
Proof.
  pose proof (mid_n count ltac:(lia)) as M. fold b0 in M. intros l k d [(_ & H)|(j & E & J & _)]; [|lia]. left. split; auto.
  destruct H as [(-> & -> & ->)|(L & -> & D)]; [left|right].
  - now rewrite cfg_same.
  - assert (HE : henc b0 l k = henc a l k) by (eapply henc_b; eauto; unfold back; intros; lia). rewrite HE in *. auto.
Qed.

Lemma flush_wp : forall h (Q : unit -> mach globals Machine.hw -> Prop),
  world h0 (Aset a) (Aset a) (spent_mem count) (now m0) h ->
  spared h0 vm x count -> (forall m h', world h0 (Aset b0) (Aset b0) m (now m) h' -> tables_hold b0 m -> Q tt (Mach gl0 h')) ->
  wp (s2_flush vm) Q (Mach gl0 h).
Proof.
  intros h Q X0 SP H. pose proof (mid_n count ltac:(lia)) as M. fold b0 in M. assert (Wb : wf b0) by (apply (wf_i 0); lia).
  unfold s2_flush. rewrite wrap32 by (unfold NIE_MAX_VMS in V; lia).
  w_bind. eapply wp_dsb_same; eauto. intros h1 X1. cbn beta.
  w_bind. eapply wp_tlbi with (A := Aset b0); eauto using sub_b0.
  - intros v l k d N E. destruct (Z.eq_dec v 0) as [->|]; [now apply sub_a_host|]. eapply mid_other_vm; eauto.
  - intros d E. eapply mid_root_entry; eauto. lia.
  - apply Aset_closed; auto. apply spent_tables.
  - intros y q CL. eapply mid_keeps; eauto.
  - intros h2 X2. cbn beta. w_bind. eapply wp_dsb; eauto. intros m h3 E X3. cbn beta.
    w_bind. eapply wp_isb; eauto. intros h4 X4. cbn beta. go. apply (H m h4); auto.
    eapply tables_mem; eauto using spent_tables. intros p i R K I. apply E; auto.
    rewrite ram_same in R. rewrite own_same in K. now apply kept_untouched.
Qed.

(** 3. Page after page goes back. *)

Definition holds (i : Z) (s : mach globals Machine.hw) : Prop := exists gl h m, s = Mach gl h /\
  world h0 (Aset (b i)) (Aset (b i)) m (now m) h /\ tables_hold (b i) m /\ globals_hold (b i) gl /\ only_granules gl0 gl.

Lemma take_back_wp : forall i s (Q : unit -> mach globals Machine.hw -> Prop), 0 <= i < count -> holds i s ->
  (forall s', holds (i + 1) s' -> Q tt s') -> wp (take_back vm (first + i)) Q s.
Proof.
  intros i s Q I (gl & h & m & -> & X0 & TB & G & OG) H. pose proof (mid_i i ltac:(lia)) as M.
  assert (Wb : wf (b i)) by (apply wf_i; lia). assert (Wb' : wf (b (i + 1))) by (apply wf_i; lia).
  assert (CFG : cfg (b i) = cfg a) by apply (m_cfg _ _ _ _ _ _ _ M).
  assert (RAM' : ram h0 = ram_of (b i)) by (unfold ram_of; now rewrite CFG).
  assert (ENG' : engine h0 = engine_of (b i)) by (unfold engine_of; now rewrite CFG).
  set (q := first + i) in *.
  destruct (removed_owner _ _ _ _ _ W P q) as [RQ0 OQ0]; [unfold back; lia|].
  assert (RQ : in_ram (b i) q = true) by (unfold in_ram in *; now rewrite CFG).
  assert (OQ : own (b i) q = own a q) by (apply (m_own _ _ _ _ _ _ _ M); unfold back; lia).
  assert (NK : ~ engine_kept (own (b i) q)) by (rewrite OQ; destruct OQ0 as [-> | ->]; auto).
  assert (NX := b_next i ltac:(lia)). fold q in NX. rewrite NX in Wb'.
  unfold take_back. w_bind. w_known granule_get_run; [apply Wb|eassumption|exact RQ|].
  rewrite OQ. destruct OQ0 as [OQ0|OQ0]; rewrite OQ0; cbn [owner_words].
  - change (GRANULE_DATA =? GRANULE_SHARED) with false. try change (negb false) with true. cbn iota.
    assert (NT : ~ touch (Aset (b i)) q).
    { assert (SP : spent vm x count vm 3 (x + (q - first))) by (unfold spent; subst q; lia).
      eapply (data_untouched _ Wb); eauto; [rewrite OQ; exact OQ0| |].
      - intros p E. rewrite (m_spent _ _ _ _ _ _ _ M _ _ _ SP) in E. discriminate.
      - intros p E. rewrite (m_slot _ _ _ _ _ _ _ M) in E by (unfold spent; lia).
        replace ((x + (q - first)) / 512) with (x / 512) in E by (subst q; lia). congruence. }
    w_bind. eapply (give_back_wp (b i) vm q); eauto.
    { unfold State.host_may_access. now rewrite RQ, OQ, OQ0. } { now rewrite OQ, OQ0. }
    { intros m1 E1. eapply tables_mem; eauto. intros p j R K J. rewrite E1.
      destruct (Z.leb_spec (q * 512) (p * 512 + j)), (Z.ltb_spec (p * 512 + j) (q * 512 + 512)); cbn; auto.
      exfalso. unfold is_word in J. assert (p = q) by lia. subst p. auto. }
    intros gl1 m2 h3 G1 O1 X3 T3. cbn beta. go. apply H. exists gl1, h3, m2. rewrite NX.
    split; [auto|]. split; [auto|]. split; [auto|]. split; [auto|]. now apply only_trans with gl.
  - change (GRANULE_SHARED =? GRANULE_SHARED) with true. try change (negb true) with false. cbn iota.
    w_bind. eapply release_wp with (a := b i); eauto; [apply Wb|]. intros gl1 G1 O1. cbn beta. fold (give vm q (b i)) in G1. go.
    assert (T1 : tables_hold (give vm q (b i)) m).
    { apply give_tables_shown; auto. unfold State.host_may_access. now rewrite RQ, OQ, OQ0. }
    apply H. exists gl1, h, m. rewrite NX.
    assert (OG1 : only_granules gl0 gl1) by now apply only_trans with gl.
    assert (X1 : world h0 (Aset (give vm q (b i))) (Aset (give vm q (b i))) m (now m) h) by (eapply (give_grow (b i) vm q); eauto; left; unfold State.host_may_access; now rewrite RQ, OQ, OQ0).
    auto.
Qed.

Lemma globals_spend : forall n, 0 <= n -> globals_hold (each n (spend vm x) a) gl0.
Proof.
  intros n N. pattern n. apply natlike_ind; [now rewrite each_0| |exact N].
  intros i I []. replace (Z.succ i) with (i + 1) by lia. rewrite each_next by auto. now constructor.
Qed.

End Apply.

(* For every state, every argument, whatever the others do ([during] and [inputs] of the machine). *)
Theorem page_remove_refines : forall a s vm ipa count,
  R a s -> (spec_check a vm ipa count = NIE_OK -> spared (hw s) vm (State.page_of ipa) count) -> 0 <= vm < 2 ^ 64 -> 0 <= ipa < 2 ^ 64 -> 0 <= count < 2 ^ 64 ->
  wp (call_page_remove vm ipa count) (fun r s' =>
    r = fst (spec_page_remove vm ipa count a) /\
    R (snd (spec_page_remove vm ipa count a)) s' /\
    only_granules (glob s) (glob s') /\ frame_of (hw s) (hw s')) s.
Proof.
  intros a [gl h] vm ipa count [W O G (m & X & TH) RAM ENG REGS N] SPARED HV HI HC. cbn [glob hw] in *.
  unfold call_page_remove. w_bind. eapply page_remove_check_wp; eauto. intros h1 X1. cbn beta.
  unfold spec_page_remove. destruct (spec_check a vm ipa count =? NIE_OK) eqn:E; cbn [negb].
  2:{ go. cbn [fst snd]. split; auto. split; [|split; [apply only_refl|apply X1]].
      pose proof (w_frame _ _ _ _ _ _ X1) as F.
      constructor; cbn [glob hw]; auto; [|rewrite (f_ram _ _ F); auto|rewrite (f_engine _ _ F); auto|eapply registers_frame; eauto].
      exists m. split; auto. destruct X1. constructor; auto. now constructor. }
  apply Z.eqb_eq in E. specialize (SPARED E). unfold nie.spec.call.page_remove.page_remove_check in E.
  destruct (vm_exists vm) eqn:E1; [|discriminate].
  destruct (vm_is a vm NIE_VM_ACTIVE NIE_VM_STOPPED) eqn:E2; [|discriminate].
  destruct (State.aligned ipa) eqn:E3; [|discriminate].
  destruct (State.range_ok (State.page_of ipa) count) eqn:E4; [|discriminate].
  destruct (in_ipa_space ipa) eqn:E5; [|discriminate].
  unfold vm_exists in E1. unfold State.page_of, State.range_ok, in_ipa_space, NIE_IPA_BITS in *. set (x := ipa / 4096) in *.
  assert (HX : 0 <= x < 2 ^ 27) by (subst x; lia). assert (V' : 0 <= vm < NIE_MAX_VMS) by lia.
  assert (C : 1 <= count /\ x mod 512 + count <= 512) by lia.
  destruct (slot_at a vm 2 (x / 512)) as [| |t|t|t|t] eqn:T; try discriminate.
  assert (P : forall j, 0 <= j < count -> page_at a vm (x + j) = Some (first_of a vm x + j)).
  { intros j J. eapply pages_ok; eauto. lia. }
  destruct (wf_slot _ W vm 2 (x / 512)) as (_ & ST & _ & _ & _ & PT); [congruence|]. destruct PT as [t1 T1]; [lia|].
  change (2 - 1) with 1 in T1. replace (x / 512 / 512) with (x / 262144) in T1 by lia.
  skip. w_known page_of_run. fold x. rewrite (wrap32 vm) by (unfold NIE_MAX_VMS in V'; lia).
  destruct (g_vm _ _ G vm V') as (_ & SR & _).
  skip. eapply s2_walk_wp; eauto; [intros; eapply table_private; eauto|unfold LEVEL_PAGE; lia|].
  intros h2 X2. cbn beta. unfold walk_end, LEVEL_PAGE. change (3 =? 1) with false. change (3 =? 2) with false. cbn iota.
  rewrite T1, T. skip. w_known desc_page_run.
  assert (FF : frame (enc (slot_at a vm 3 x)) = first_of a vm x /\ 0 < first_of a vm x < 2 ^ 27).
  { destruct (leaf_entry _ W vm x) as [_ L]. specialize (P 0 ltac:(lia)). rewrite !Z.add_0_r in P. now apply L. }
  destruct FF as [-> FB]. set (first := first_of a vm x) in *.
  skip. eapply spend_loop with (a := a) (h0 := h) (x := x) (first := first) (count := count) (t := t); eauto; [intros; wraps; lia|]. intros h3 X3. cbn beta.
  skip. eapply flush_wp with (a := a) (h0 := h) (x := x) (first := first) (count := count) (t := t); eauto. intros m4 h4 X4 T4. cbn beta.
  skip. eapply wp_ic; eauto. intros h5 X5. cbn beta. skip. eapply wp_dsb_same; eauto. intros h6 X6. cbn beta. skip.
  eapply wp_loop with (I := fun i _ s => holds a h gl vm x first count i s); try lia.
  - exists gl, h6, m4. split; auto. split; [auto|]. split; [auto|]. split; [|apply only_refl].
    eapply globals_spend; eauto. lia.
  - intros i u s I HH. skip.
    assert (RG : first + i < 2 ^ 27) by (destruct (removed_owner _ _ _ _ _ W P (first + i)) as [RQ _]; [unfold back; lia|apply (ram_small _ W) in RQ; lia]).
    rewrite wrap64 by lia. eapply take_back_wp with (a := a) (h0 := h) (x := x) (first := first) (count := count) (t := t); eauto.
  - intros u s (gl' & h' & m' & -> & X' & T' & G' & OG). go. w_known address_of_run; [lia|]. go. cbn [fst snd].
    split; [reflexivity|]. split; [|split; [exact OG|apply X']].
    pose proof (w_frame _ _ _ _ _ _ X') as F.
    assert (M : mid a vm x first count count (each count (spec_take_back vm first) (each count (spend vm x) a))) by (eapply mid_i; eauto; lia).
    constructor; cbn [glob hw]; auto.
    + eapply wf_i; eauto. lia.
    + eapply mid_onto; eauto.
    + exists m'. split; auto. destruct X'. constructor; auto. now constructor.
    + rewrite (f_ram _ _ F), RAM. unfold ram_of. now rewrite (m_cfg _ _ _ _ _ _ _ M).
    + rewrite (f_engine _ _ F), ENG. unfold engine_of. now rewrite (m_cfg _ _ _ _ _ _ _ M).
    + eapply registers_same; [eapply registers_frame; eauto| | | | |]; apply M.
    + eapply counted_i; eauto; lia.
Qed.
