(* SPDX-License-Identifier: Apache-2.0 *)
(* A machine between two handlers that agrees with a state is exactly what the state says. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation Midway.
From nie.spec Require Import Step Exact.
From nie.proof.security Require Import core_is_safe.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Good.
Variables (a : state) (s : Step.machine).
Hypothesis G : good a s.
Let W : wf a := so_wf _ (go_sound _ _ G).

Lemma on_map : forall v l k d, avail (hw s) v l k d -> Aset a v l k d.
Proof. destruct (go_hw _ _ G) as (m & X & _). intros. eapply avail_sub; eauto. Qed.

(* Memory that the engine keeps is what the tables hold. *)
Lemma kept_word : forall p i m, settled (Aset a) m (now m) (hw s) -> State.in_ram a p = true ->
  match own a p with Engine | Table _ _ _ | Vcpu _ _ => True | _ => False end -> is_word i = true ->
  Map.get (Machine.mem (hw s)) (p * 512 + i) = m (p * 512 + i).
Proof. intros p i m X R O I. apply (w_mem _ _ _ _ _ _ X); auto. now apply untouched. Qed.

Lemma step_to : forall v l k d i d', avail (hw s) v l k d -> is_table l d = true -> is_word i = true -> valid d' = true ->
  Map.get (Machine.mem (hw s)) (frame d * 512 + i) = d' -> avail (hw s) v (l + 1) (k * 512 + i) d'.
Proof. intros v l k d i d' A T I V E. eapply av_step; eauto. unfold visible. rewrite E, Z.eqb_refl. reflexivity. Qed.

Lemma leaf_first : forall l d, is_leaf l d = true -> l = 1 \/ l = 2 \/ l = 3.
Proof. intros l d L. unfold is_leaf in L. lia. Qed.

(** Nothing more is found than is on the map. *)

Lemma vm_finds : forall v ipa pa, 0 <= v < NIE_MAX_VMS -> translates (hw s) (v + 1) ipa pa -> mapped_to a v ipa pa.
Proof.
  intros v ipa pa V (l & d & A & L & ->). apply on_map in A. destruct A as [(E & _)|(i & E & _ & [(-> & _)|(L1 & -> & VD)])]; [lia|discriminate L|].
  assert (i = v) by lia. subst i. unfold mapped_to. destruct (slot_at a v l (ipa / covers l)) as [| |q|q|q|q] eqn:S; try discriminate VD.
  - exfalso. destruct (wf_tab _ W _ _ _ _ S) as (L2 & R & _). destruct (enc_facts (ToTable q) q) as (_ & _ & F); auto; [apply ram_small in R; auto; lia|].
    unfold is_leaf in L. rewrite F in L. lia.
  - destruct (wf_blk _ W _ _ _ _ S) as (-> & M & R). destruct (R 0 eq_refl) as [R0 _]. rewrite Z.add_0_r in R0.
    destruct (enc_facts (ToBlock q) q) as (_ & F & _); auto; [apply ram_small in R0; auto; lia|]. change (covers 2) with 512 in *.
    right. right. exists q. split; auto. unfold first_page. rewrite F. change (covers 2) with 512. lia.
  - destruct (wf_page _ W _ _ _ _ S) as (-> & R & _). destruct (enc_facts (ToPage q) q) as (_ & F & _); auto; [apply ram_small in R; auto; lia|].
    change (covers 3) with 1 in *. rewrite Z.div_1_r in S. left. unfold first_page. rewrite F. change (covers 3) with 1. now replace (q / 1 * 1 + ipa mod 1) with q by lia.
  - destruct (wf_shared _ W _ _ _ _ S) as (-> & R & _). destruct (enc_facts (ToShared q) q) as (_ & F & _); auto; [apply ram_small in R; auto; lia|].
    change (covers 3) with 1 in *. rewrite Z.div_1_r in S. right. left. unfold first_page. rewrite F. change (covers 3) with 1. now replace (q / 1 * 1 + ipa mod 1) with q by lia.
Qed.

Lemma host_finds : forall ipa pa, translates (hw s) 0 ipa pa -> pa = ipa /\ host_may_access a pa = true.
Proof.
  intros ipa pa (l & d & A & L & E). apply on_map in A. destruct A as [(_ & [(-> & _)|(L1 & -> & VD)])|(i & E' & I & _)]; [discriminate L| |unfold NIE_MAX_VMS in I; lia].
  assert (M : maps l (henc a l (ipa / covers l)) pa).
  { split; auto. rewrite E. destruct (leaf_first _ _ L) as [-> | [-> | ->]]; [change (covers 1) with 262144|change (covers 2) with 512|change (covers 3) with 1]; lia. }
  pose proof (host_maps _ W _ _ _ M VD) as H. split; auto. subst pa. clear M.
  destruct (leaf_first _ _ L) as [-> | [-> | ->]]; unfold henc in *; cbn [Z.eqb Pos.eqb] in *.
  - exfalso. destruct (_ && _)%bool; [|discriminate]. unfold is_leaf in L. cbn in L. rewrite mod4_of_desc in L. discriminate.
  - change (covers 2) with 512 in *. destruct (mode_at a (ipa / 512)) eqn:MO; [discriminate| |].
    + exfalso. unfold is_leaf in L. cbn in L. rewrite mod4_of_desc in L. discriminate.
    + pose proof (wf_mode _ W (ipa / 512)) as MG. rewrite MO in MG. specialize (MG ltac:(discriminate)). destruct MG as [P MG].
      assert (B : 0 <= ipa / 512 * 512 < 2 ^ 27) by (destruct MG as [MG|MG]; [apply ram_small in MG; auto|pose proof (c_dev _ (wf_c _ W))]; lia).
      unfold first_page. change (covers 2) with 512.
      assert (F : frame (ipa / 512 * 512 * 4096 + (attributes a (ipa / 512 * 512) + DESC_BLOCK)) = ipa / 512 * 512).
      { unfold attributes. destruct (State.in_ram a _); [etransitivity; [|apply (frame_of_desc (ipa / 512 * 512) 2045 0); lia]|etransitivity; [|apply (frame_of_desc (ipa / 512 * 512) 1221 64); lia]];
          f_equal; unfold DESC_NORMAL, DESC_DEVICE, DESC_BLOCK; lia. }
      rewrite F. lia.
  - change (covers 3) with 1 in *. rewrite Z.div_1_r in *. destruct (host_may_access a ipa) eqn:E; [|discriminate].
    assert (B : 0 <= ipa < 2 ^ 27).
    { unfold host_may_access in E. destruct (State.in_ram a ipa) eqn:R; [apply ram_small in R; auto; lia|].
      apply (c_device _ (wf_c _ W)) in E. pose proof (c_dev _ (wf_c _ W)). lia. }
    unfold first_page. change (covers 3) with 1.
    assert (F : frame (ipa * 4096 + (attributes a ipa + DESC_PAGE)) = ipa).
    { unfold attributes. destruct (State.in_ram a _); [etransitivity; [|apply (frame_of_desc ipa 2047 0); lia]|etransitivity; [|apply (frame_of_desc ipa 1223 64); lia]];
        f_equal; unfold DESC_NORMAL, DESC_DEVICE, DESC_PAGE; lia. }
    rewrite F. lia.
Qed.

(** All that is on the map is found. *)

Lemma vm_root : forall v c, 0 <= v -> root_vmid (hw s) c = v + 1 ->
  avail (hw s) (v + 1) 0 0 (root (vm_at a v) * 4096) /\ 0 <= v < NIE_MAX_VMS /\ vm_state (vm_at a v) <> NIE_VM_FREE.
Proof.
  intros v c V E. pose proof (av_root (hw s) c) as A. rewrite E in A. unfold root_vmid, root_desc in *. rewrite (go_vttbr _ _ G) in *. unfold vttbr_of in *.
  destruct ((0 <=? c) && (c <? NIE_MAX_CPUS) && negb (cpu_vm (cpu_at a c) =? CPU_HOST))%bool eqn:D.
  - destruct (u_runs _ (wf_u _ W) c ltac:(lia) ltac:(lia)) as (I & IV & RU & _). set (w := cpu_vm (cpu_at a c)) in *.
    destruct (u_some _ (wf_u _ W) w _ I IV ltac:(rewrite RU; discriminate)) as (F & _).
    destruct (wf_root _ W w I F) as [R _]. apply ram_small in R; auto. assert (w = v) by lia. clearbody w. subst w.
    replace (((v + 1) * 2 ^ 48 + root (vm_at a v) * 4096) mod 2 ^ 48) with (root (vm_at a v) * 4096) in A by lia. auto.
  - exfalso. pose proof (c_tables _ (wf_c _ W)) as T. pose proof (c_ram _ (wf_c _ W)). pose proof (c_engine _ (wf_c _ W)). unfold level3_first in T.
    pose proof (gibs_small a W). pose proof (c_dev _ (wf_c _ W)). lia.
Qed.

Section Vm.
Variables (v c : Z) (m : Z -> Z).
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis RV : root_vmid (hw s) c = v + 1.
Hypothesis X : settled (Aset a) m (now m) (hw s).
Hypothesis T : tables_hold a m.

Lemma vm_step : forall l k p d, avail (hw s) (v + 1) (l - 1) (k / 512) d -> is_table (l - 1) d = true -> frame d = p ->
  State.in_ram a p = true -> own a p = Table v l (k / 512) -> valid (enc (slot_at a v l k)) = true -> avail (hw s) (v + 1) l k (enc (slot_at a v l k)).
Proof.
  intros l k p d A TB F R O VD. replace l with (l - 1 + 1) at 1 by lia. replace k with (k / 512 * 512 + k mod 512) at 1 by lia.
  assert (I : is_word (k mod 512) = true) by (unfold is_word; lia).
  eapply step_to; eauto. rewrite F, (kept_word p _ m X R ltac:(now rewrite O) I), (t_vm _ _ T _ _ _ _ _ R O I). do 2 f_equal. lia.
Qed.

Lemma vm_walk1 : forall k, valid (enc (slot_at a v 1 k)) = true -> avail (hw s) (v + 1) 1 k (enc (slot_at a v 1 k)).
Proof.
  intros k VD. destruct (vm_root v c ltac:(lia) RV) as (A & _ & F). destruct (wf_root _ W v V F) as [R O].
  assert (K : slot_at a v 1 k <> Empty) by (intro E; rewrite E in VD; discriminate VD).
  destruct (wf_slot _ W _ _ _ K) as (_ & _ & _ & K0 & K1 & _). specialize (K1 eq_refl). assert (Z0 : k / 512 = 0) by lia.
  eapply (vm_step 1 k (root (vm_at a v))); try rewrite Z0; eauto.
  etransitivity; [|apply (frame_of_desc (root (vm_at a v)) 0 0); apply ram_small in R; auto; lia]. f_equal. lia.
Qed.
Lemma vm_walk_next : forall l k, 1 < l -> (forall j, valid (enc (slot_at a v (l - 1) j)) = true -> avail (hw s) (v + 1) (l - 1) j (enc (slot_at a v (l - 1) j))) ->
  valid (enc (slot_at a v l k)) = true -> avail (hw s) (v + 1) l k (enc (slot_at a v l k)).
Proof.
  intros l k L IH VD. assert (K : slot_at a v l k <> Empty) by (intro E; rewrite E in VD; discriminate VD).
  destruct (wf_slot _ W _ _ _ K) as (_ & _ & LL & K0 & _ & U). destruct (U L) as (p & E).
  destruct (wf_tab _ W _ _ _ _ E) as (L2 & R & O). replace (l - 1 + 1) with l in O by lia.
  destruct (enc_facts (ToTable p) p) as (VT & F & M4); auto; [apply ram_small in R; auto; lia|].
  eapply (vm_step l k p (enc (ToTable p))); eauto; [rewrite <- E; apply IH; now rewrite E|]. unfold is_table. lia.
Qed.
Lemma vm_walk2 : forall k, valid (enc (slot_at a v 2 k)) = true -> avail (hw s) (v + 1) 2 k (enc (slot_at a v 2 k)).
Proof. intros k. apply vm_walk_next; [lia|exact vm_walk1]. Qed.
Lemma vm_walk3 : forall k, valid (enc (slot_at a v 3 k)) = true -> avail (hw s) (v + 1) 3 k (enc (slot_at a v 3 k)).
Proof. intros k. apply vm_walk_next; [lia|exact vm_walk2]. Qed.
End Vm.

Lemma vm_found : forall v ipa pa c, 0 <= v < NIE_MAX_VMS -> root_vmid (hw s) c = v + 1 -> mapped_to a v ipa pa -> translates (hw s) (v + 1) ipa pa.
Proof.
  intros v ipa pa c V RV M. destruct (go_hw _ _ G) as (m & X & T). unfold translates. destruct M as [E|[E|(p & E & ->)]].
  - destruct (wf_page _ W _ _ _ _ E) as (_ & R & _). destruct (enc_facts (ToPage pa) pa) as (VD & F & M4); auto; [apply ram_small in R; auto; lia|].
    exists 3, (enc (ToPage pa)). change (covers 3) with 1. rewrite Z.div_1_r. split; [rewrite <- E; eapply vm_walk3; eauto; now rewrite E|].
    split; [unfold is_leaf; lia|]. unfold first_page. rewrite F. change (covers 3) with 1. lia.
  - destruct (wf_shared _ W _ _ _ _ E) as (_ & R & _). destruct (enc_facts (ToShared pa) pa) as (VD & F & M4); auto; [apply ram_small in R; auto; lia|].
    exists 3, (enc (ToShared pa)). change (covers 3) with 1. rewrite Z.div_1_r. split; [rewrite <- E; eapply vm_walk3; eauto; now rewrite E|].
    split; [unfold is_leaf; lia|]. unfold first_page. rewrite F. change (covers 3) with 1. lia.
  - destruct (wf_blk _ W _ _ _ _ E) as (_ & M5 & B). destruct (B 0 eq_refl) as [R _]. rewrite Z.add_0_r in R.
    destruct (enc_facts (ToBlock p) p) as (VD & F & M4); auto; [apply ram_small in R; auto; lia|].
    exists 2, (enc (ToBlock p)). change (covers 2) with 512. split; [rewrite <- E; eapply vm_walk2; eauto; now rewrite E|].
    split; [unfold is_leaf; lia|]. unfold first_page. rewrite F. change (covers 2) with 512. lia.
Qed.

Section Host.
Variable m : Z -> Z.
Hypothesis X : settled (Aset a) m (now m) (hw s).
Hypothesis T : tables_hold a m.

Lemma table_frame : forall p x, 0 <= p < 2 ^ 36 -> 0 <= x < 4096 -> frame (p * 4096 + x) = p.
Proof. intros p x P Y. etransitivity; [|apply (frame_of_desc p x 0); lia]. f_equal. lia. Qed.

Lemma engine_word : forall p i, host_tables (cfg a) <= p < level3_first a + dev_count (cfg a) / 512 + ram_count (cfg a) / 512 -> is_word i = true ->
  Map.get (Machine.mem (hw s)) (p * 512 + i) = m (p * 512 + i) /\ 0 <= p < 2 ^ 27.
Proof. intros p i P I. destruct (tables_in_ram a W p P) as [R O]. split; [apply kept_word; auto; now rewrite O|]. apply ram_small in R; auto. lia. Qed.

Lemma level3_count : level3_first a = host_tables (cfg a) + 1 + gib_count a /\ 0 <= dev_count (cfg a) / 512 /\ 0 <= ram_count (cfg a) / 512.
Proof. pose proof (c_dev _ (wf_c _ W)). pose proof (c_ram _ (wf_c _ W)). unfold level3_first. repeat split; apply Z.div_pos; lia. Qed.

Lemma host_root : avail (hw s) 0 0 0 (host_tables (cfg a) * 4096).
Proof.
  pose proof (av_root (hw s) NIE_MAX_CPUS) as A. unfold root_vmid, root_desc in A. rewrite (go_vttbr _ _ G) in A. unfold vttbr_of in A.
  change ((0 <=? NIE_MAX_CPUS) && (NIE_MAX_CPUS <? NIE_MAX_CPUS) && negb (cpu_vm (cpu_at a NIE_MAX_CPUS) =? CPU_HOST))%bool with false in A. cbn beta iota in A.
  pose proof level3_count. pose proof (gibs_small a W). destruct (engine_word (host_tables (cfg a)) 0 ltac:(lia) eq_refl) as [_ B].
  rewrite Z.mod_small, Z.div_small in A by lia. exact A.
Qed.

Lemma host_walk1 : forall k, 0 <= k < gib_count a -> avail (hw s) 0 1 k ((host_tables (cfg a) + 1 + k) * 4096 + DESC_TABLE).
Proof.
  intros k K. pose proof level3_count. pose proof (gibs_small a W). assert (I : is_word k = true) by (unfold is_word; lia).
  destruct (engine_word (host_tables (cfg a)) k ltac:(lia) I) as [E B].
  change (avail (hw s) 0 (0 + 1) (0 * 512 + k) ((host_tables (cfg a) + 1 + k) * 4096 + DESC_TABLE)).
  eapply step_to; [exact host_root|reflexivity|exact I| |].
  - rewrite valid_mod. unfold DESC_TABLE. lia.
  - replace (frame _) with (host_tables (cfg a)); [|symmetry; etransitivity; [|apply (table_frame (host_tables (cfg a)) 0); lia]; f_equal; lia].
    rewrite E, (t_1 _ _ T k I). unfold henc. cbn [Z.eqb Pos.eqb]. now replace ((0 <=? k) && (k <? gib_count a))%bool with true by lia.
Qed.

Lemma host_walk2 : forall k, 0 <= k < gib_count a * 512 -> valid (henc a 2 k) = true -> avail (hw s) 0 2 k (henc a 2 k).
Proof.
  intros k K VD. pose proof level3_count. assert (I : is_word (k mod 512) = true) by (unfold is_word; lia).
  destruct (engine_word (host_tables (cfg a) + 1 + k / 512) (k mod 512) ltac:(lia) I) as [E B].
  replace k with (k / 512 * 512 + k mod 512) at 1 by lia. change 2 with (1 + 1) at 1.
  eapply step_to; [apply host_walk1; lia| |exact I|exact VD|].
  - unfold is_table. rewrite mod4_of_desc. reflexivity.
  - rewrite table_frame by (unfold DESC_TABLE; lia). rewrite E, (t_2 _ _ T) by (auto; lia). f_equal. lia.
Qed.

Lemma host_found : forall p, State.in_ram a p = true -> host_may_access a p = true -> translates (hw s) 0 p p.
Proof.
  intros p R M. pose proof (ram_small a W p R) as P. pose proof (c_ram _ (wf_c _ W)) as C.
  assert (O : own a p <> Engine) by (unfold host_may_access in M; rewrite R in M; intro E; rewrite E in M; discriminate).
  pose proof (wf_mapped _ W p R O) as MD. pose proof (wf_mode _ W _ MD) as MG. pose proof (level3_range a W _ MG) as L3.
  assert (K : 0 <= p / 512 < gib_count a * 512) by (unfold State.in_ram in R; unfold gib_count; lia).
  assert (RG : State.in_ram a (p / 512 * 512) = true) by (unfold State.in_ram in *; lia).
  pose proof level3_count as LC. pose proof (gibs_small a W) as GS.
  destruct (mode_at a (p / 512)) eqn:MO; [congruence| |].
  - assert (I : is_word (p mod 512) = true) by (unfold is_word; lia). destruct (engine_word (level3 a (p / 512)) (p mod 512) ltac:(lia) I) as [E B].
    assert (H2 : henc a 2 (p / 512) = level3 a (p / 512) * 4096 + DESC_TABLE) by (unfold henc; cbn [Z.eqb Pos.eqb]; now rewrite MO).
    assert (H3 : henc a 3 p = p * 4096 + (DESC_NORMAL + DESC_PAGE)) by (unfold henc, attributes; cbn [Z.eqb Pos.eqb]; now rewrite M, R).
    assert (A : avail (hw s) 0 (2 + 1) (p / 512 * 512 + p mod 512) (henc a 3 p)).
    { eapply (step_to 0 2 (p / 512)); [apply host_walk2; [exact K|]|rewrite H2; unfold is_table; now rewrite mod4_of_desc|exact I| |].
      - rewrite H2, valid_mod. unfold DESC_TABLE. lia.
      - rewrite H3, valid_mod. unfold DESC_NORMAL, DESC_PAGE. lia.
      - rewrite H2, table_frame by (unfold DESC_TABLE; lia). rewrite E, (t_3 _ _ T _ _ MG I). f_equal. lia. }
    exists 3, (henc a 3 p). change (covers 3) with 1. rewrite Z.div_1_r. replace (p / 512 * 512 + p mod 512) with p in A by lia.
    split; [exact A|]. rewrite H3. split; [unfold is_leaf; rewrite mod4_of_desc; reflexivity|]. unfold first_page.
    rewrite table_frame by (unfold DESC_NORMAL, DESC_PAGE; lia). change (covers 3) with 1. lia.
  - assert (H2 : henc a 2 (p / 512) = p / 512 * 512 * 4096 + (DESC_NORMAL + DESC_BLOCK)) by (unfold henc, attributes; cbn [Z.eqb Pos.eqb]; now rewrite MO, RG).
    exists 2, (henc a 2 (p / 512)). change (covers 2) with 512. split.
    + apply host_walk2; [exact K|]. rewrite H2, valid_mod. unfold DESC_NORMAL, DESC_BLOCK. lia.
    + rewrite H2. split; [unfold is_leaf; rewrite mod4_of_desc; reflexivity|]. unfold first_page. change (covers 2) with 512.
      rewrite table_frame by (unfold DESC_NORMAL, DESC_BLOCK; lia). lia.
Qed.
End Host.

Theorem good_is_exact : exact a s.
Proof.
  constructor.
  - intros v l k d A. apply on_map in A. unfold NIE_MAX_VMS. destruct A as [[-> _]|(i & -> & I & _)]; [lia|unfold NIE_MAX_VMS in I; lia].
  - exact vm_finds.
  - exact vm_found.
  - exact host_finds.
  - intros p R M. destruct (go_hw _ _ G) as (m & X & T). eapply host_found; eauto.
  - intros v p (l & k & d & A & M). apply on_map in A. destruct (Aset_maps a W v l k d p A M) as [H|(i & -> & _ & R & H)]; [now left|right]. split; [exact R|].
    replace (i + 1 - 1) with i by lia. destruct H as [(x & O)|(_ & O & _)]; eauto.
  - intros p R. destruct (g_own _ _ (go_globals _ _ G) p R) as [E _]. exact E.
Qed.
End Good.
