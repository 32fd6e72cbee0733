(* SPDX-License-Identifier: Apache-2.0 *)
(* TABLE_REMOVE: the C does what spec/call/table_remove.v says, with the other CPUs acting before each of its
   primitives; it has no undefined behaviour, meets every obligation, and every state on the way is safe. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Records page_remove_preserves table_remove_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.stage2 nie.generated.state.checks nie.generated.call.table_remove.
From nie.spec Require Import Core.
From nie.proof.refine Require Export table_remove_checks.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** The table goes. *)

Lemma free_entries : forall a v l k sp, entries_free a v l (k * 512) sp 512 = true ->
  forall j, is_word j = true -> slot_at a v l (k * 512 + j) = Empty \/ slot_at a v l (k * 512 + j) = Spent.
Proof.
  intros a v l k sp F j J. assert (L : 0 <= j < Z.of_nat 512) by (unfold is_word in J; lia). clear J. revert L F. generalize (k * 512), 512%nat.
  intros x n. revert x j. induction n as [|n IH]; intros x j L F; [lia|]. cbn [nie.spec.call.table_remove.entries_free] in F. apply andb_prop in F as [F1 F2].
  destruct (Z.eq_dec j 0) as [->|N].
  - rewrite Z.add_0_r. destruct (slot_at a v l x); auto; discriminate.
  - replace (x + j) with (x + 1 + (j - 1)) by lia. apply IH; auto. lia.
Qed.

Section Apply.
Variables (a : state) (h0 : Machine.hw) (gl0 : globals) (m0 : Z -> Z).
Hypothesis W : wf a.
Hypothesis O : onto a.
Hypothesis G0 : globals_hold a gl0.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis ENG : engine h0 = engine_of a.
Hypothesis TH : tables_hold a m0.
Variables (vm lev key t pt pk i : Z) (b : state).
Hypothesis V : 0 <= vm < NIE_MAX_VMS.
Hypothesis T : slot_at a vm (lev - 1) key = ToTable t.
Hypothesis FREE : forall j, is_word j = true -> slot_at a vm lev (key * 512 + j) = Empty \/ slot_at a vm lev (key * 512 + j) = Spent.
Hypothesis I : is_word i = true.
Hypothesis RP : in_ram a pt = true.
Hypothesis OP : own a pt = Table vm (lev - 1) pk.
Hypothesis K : pk * 512 + i = key.
Hypothesis B : orphan a vm lev key b.
Let m1 := upd m0 (pt * 512 + i) 0.
Let b' := give vm t b.

(* One page a node of the tree. *)
Lemma table_unique : forall p q v l k, in_ram a p = true -> in_ram a q = true -> own a p = Table v l k -> own a q = Table v l k -> p = q.
Proof.
  intros p q v l k Rp Rq Ep Eq.
  destruct (on_table _ O _ _ _ _ Rp Ep) as [(-> & _ & <-)|Hp]; destruct (on_table _ O _ _ _ _ Rq Eq) as [(L & _ & <-)|Hq]; auto.
  - destruct (wf_tab _ W _ _ _ _ Hq). lia.
  - subst. destruct (wf_tab _ W _ _ _ _ Hp). lia.
  - congruence.
Qed.

(* Memory without the entry and with an empty table is what state [b] demands. *)
Lemma orphan_tables : forall m', (forall j, is_word j = true -> m' (t * 512 + j) = 0) ->
  (forall p j, is_word j = true -> in_ram a p = true -> engine_kept (own a p) -> p <> t -> m' (p * 512 + j) = m1 (p * 512 + j)) ->
  tables_hold b m'.
Proof.
  intros m' Z0 S. assert (Wb : wf b) by (eapply orphan_wf; eauto). assert (TT : in_ram a t = true /\ own a t = Table vm lev key) by (eapply table_here; eauto). destruct TT as [RT OT].
  assert (EN : forall p j, is_word j = true -> in_ram b p = true -> own b p = Engine -> m' (p * 512 + j) = m0 (p * 512 + j)).
  { intros p j J R E. rewrite (o_ram _ _ _ _ _ B) in R. rewrite (o_own _ _ _ _ _ B) in E. rewrite S; auto; [|now rewrite E|congruence].
    unfold m1, upd. destruct (Z.eqb_spec (p * 512 + j) (pt * 512 + i)) as [F|]; auto. apply word_inj in F as [-> _]; auto. congruence. }
  assert (GB : gib_count b = gib_count a) by (unfold gib_count; now rewrite (o_cfg _ _ _ _ _ B)).
  assert (L3 : forall g, level3 b g = level3 a g) by (intro g; unfold level3, level3_first; now rewrite (o_ram _ _ _ _ _ B), GB, (o_cfg _ _ _ _ _ B)).
  constructor.
  - intros p v l k j R E J. rewrite (o_ram _ _ _ _ _ B) in R. rewrite (o_own _ _ _ _ _ B) in E. destruct (Z.eq_dec p t) as [->|N].
    + rewrite OT in E. injection E as <- <- <-. rewrite Z0, (o_gone _ _ _ _ _ B) by (auto; unfold gone, is_word in *; lia). reflexivity.
    + rewrite S; auto; [|now rewrite E]. unfold m1, upd. destruct (Z.eqb_spec (p * 512 + j) (pt * 512 + i)) as [F|F].
      * apply word_inj in F as [-> ->]; auto. rewrite OP in E. injection E as <- <- <-.
        rewrite (o_gone _ _ _ _ _ B) by (unfold gone; lia). reflexivity.
      * rewrite (t_vm _ _ TH _ _ _ _ _ R E J). f_equal. symmetry. apply (o_slot _ _ _ _ _ B). intros (-> & [(L & KK)|(L & KK)]).
        -- assert (k = pk /\ j = i) as [-> ->] by (unfold is_word in *; lia). apply F. f_equal. f_equal.
           apply (table_unique _ _ vm l pk); auto. now rewrite L.
        -- apply N. apply (table_unique _ _ vm l k); auto. rewrite OT. f_equal; [lia|]. unfold is_word in *. lia.
  - intros j J. destruct (low_table_page _ Wb 0) as [R E]; [pose proof (gibs_small _ Wb); lia|]. rewrite Z.add_0_r in *.
    rewrite EN, (o_cfg _ _ _ _ _ B), (o_henc _ _ _ _ _ B) by auto. now apply (t_1 _ _ TH).
  - intros n j N J. destruct (low_table_page _ Wb (1 + n)) as [R E]; [lia|]. rewrite Z.add_assoc in *.
    rewrite EN, (o_cfg _ _ _ _ _ B), (o_henc _ _ _ _ _ B) by auto. apply (t_2 _ _ TH); auto. now rewrite <- GB.
  - intros g j M J. destruct (level3_page _ Wb _ M) as [R E]. rewrite EN, L3, (o_henc _ _ _ _ _ B) by auto.
    apply (t_3 _ _ TH); auto. now apply (o_managed _ _ _ _ _ B).
  - intros p v k j R E J. rewrite (o_ram _ _ _ _ _ B) in R. rewrite (o_own _ _ _ _ _ B) in E.
    rewrite S; auto; [|now rewrite E|congruence]. rewrite (same_saved (o_records _ _ _ _ _ B)).
    rewrite <- (t_saved _ _ TH _ _ _ _ R E J). unfold m1, upd.
    destruct (Z.eqb_spec (p * 512 + j) (pt * 512 + i)) as [F|]; auto. apply word_inj in F as [-> _]; auto. congruence.
Qed.

Lemma remove_wp : forall X0 h w_desc l (rest : M (mach globals Machine.hw) X0) (Q : X0 -> mach globals Machine.hw -> Prop), world h0 (Aset a) (Aset a) m0 (now m0) h ->
  (forall gl' m' h', globals_hold b' gl' -> only_granules gl0 gl' -> world h0 (Aset b') (Aset b') m' (now m') h' -> tables_hold b' m' ->
     wp rest Q (Mach gl' h')) ->
  wp (s2_write pt w_desc i l DESC_EMPTY ;;; s2_flush vm ;;; give_back vm t ;;; rest) Q (Mach gl0 h).
Proof.
  intros X0 h w_desc l rest Q X H. assert (Wb : wf b) by (eapply orphan_wf; eauto). assert (TT : in_ram a t = true /\ own a t = Table vm lev key) by (eapply table_here; eauto). destruct TT as [RT OT].
  assert (RTb : in_ram b t = true) by now rewrite (o_ram _ _ _ _ _ B). assert (OTb : own b t = Table vm lev key) by now rewrite (o_own _ _ _ _ _ B).
  assert (RAM' : ram h0 = ram_of b) by (unfold ram_of; now rewrite (o_cfg _ _ _ _ _ B)).
  assert (ENG' : engine h0 = engine_of b) by (unfold engine_of; now rewrite (o_cfg _ _ _ _ _ B)).
  assert (W' : wf b').
  { eapply last_wf with (a := a) (b := b) (c := b'); eauto; try reflexivity.
    - apply give_records. rewrite (o_vm _ _ _ _ _ B). destruct (wf_slot _ W vm (lev - 1) key) as (_ & ST & _); [congruence|exact ST].
    - intro p. apply give_own. }
  w_bind. eapply (s2_write_wp h0 a RAM); eauto; [eapply table_private; eauto|]. intros h1 X1. cbn beta. fold m1 in X1.
  set (zero := fun m : Z -> Z => fun w => if (t * 512 <=? w) && (w <? t * 512 + 512) then 0 else m w).
  assert (Zt : forall m j, is_word j = true -> zero m (t * 512 + j) = 0).
  { intros m j J. unfold zero. replace ((t * 512 <=? t * 512 + j) && (t * 512 + j <? t * 512 + 512)) with true; auto. unfold is_word in J. lia. }
  assert (Zo : forall m p j, is_word j = true -> p <> t -> zero m (p * 512 + j) = m (p * 512 + j)).
  { intros m p j J N. unfold zero. replace ((t * 512 <=? p * 512 + j) && (p * 512 + j <? t * 512 + 512)) with false; auto. unfold is_word in J. lia. }
  w_bind. eapply s2_flush_wp with (A := Aset b); eauto.
  - eapply orphan_sub; eauto.
  - intros v l0 k d N. eapply orphan_other; eauto.
  - intro c. destruct (root_eq h0 h c (f_vttbr _ _ (w_frame _ _ _ _ _ _ X) c)) as [<- <-]. eapply orphan_root; eauto. apply (w_root _ _ _ _ _ _ X).
  - apply closed_but with (t := t) (m' := zero m1); [exact Wb| | |].
    + apply orphan_tables; auto.
    + auto.
    + eapply orphan_unnamed with (a := a); eauto.
  - intros y q _. eapply orphan_keeps; eauto.
  - intros m2 h2 E2 X2. cbn beta. w_bind. eapply (give_back_wp b vm t); eauto.
    + destruct B as [? ? ? ? [? ? [? ?] [? ?] ?] ? ?]. now apply globals_same with a.
    + apply (kept_untouched _ Wb); auto. now rewrite OTb.
    + unfold State.host_may_access. now rewrite RTb, OTb.
    + congruence.
    + intros m3 E3. apply orphan_tables.
      * intros j J. rewrite E3. apply (Zt m2 j J).
      * intros p j J R KE N. rewrite E3. etransitivity; [apply (Zo m2 p j J N)|]. apply E2; auto. now apply kept_untouched.
Qed.
End Apply.

(* For every state, every argument, whatever the others do ([during] and [inputs] of the machine). *)
Theorem table_remove_refines : forall a s vm ipa level,
  R a s -> 0 <= vm < 2 ^ 64 -> 0 <= ipa < 2 ^ 64 -> 0 <= level < 2 ^ 64 ->
  wp (call_table_remove vm ipa level) (fun r s' =>
    r = fst (spec_table_remove vm ipa level a) /\
    R (snd (spec_table_remove vm ipa level a)) s' /\
    only_granules (glob s) (glob s') /\ frame_of (hw s) (hw s')) s.
Proof.
  intros a [gl h] vm ipa level [W O G (m & X & TH) RAM ENG REGS N] HV HI HL. cbn [glob hw] in *.
  unfold call_table_remove. w_bind. eapply table_remove_check_wp; eauto. intros h1 X1. cbn beta.
  unfold spec_table_remove. destruct (spec_table_remove_check a vm ipa level =? NIE_OK) eqn:E; cbn [negb].
  2:{ go. cbn [fst snd]. split; auto. split; [|split; [apply only_refl|apply X1]].
      eapply R_ends with (h0 := h); eauto. }
  apply Z.eqb_eq in E. unfold nie.spec.call.table_remove.table_remove_check in E.
  destruct (vm_exists vm) eqn:E1; [|discriminate].
  destruct (vm_is a vm NIE_VM_ACTIVE NIE_VM_STOPPED) eqn:E2; [|discriminate].
  destruct ((level =? 2) || (level =? 3))%bool eqn:E3; [|discriminate].
  destruct (ipa mod (4096 * pages_below (level - 1)) =? 0); [|discriminate].
  destruct (in_ipa_space ipa) eqn:E5; [|discriminate].
  unfold vm_exists in E1. unfold State.page_of, in_ipa_space, NIE_IPA_BITS in *. set (x := ipa / 4096) in *.
  assert (HX : 0 <= x < 2 ^ 27) by (subst x; lia). assert (V' : 0 <= vm < NIE_MAX_VMS) by lia.
  assert (LV : level = 2 \/ level = 3) by lia. set (key := x / pages_below (level - 1)) in *.
  destruct (slot_at a vm (level - 1) key) as [| |t|t|t|t] eqn:T; try discriminate.
  destruct (entries_free a vm level (key * 512) (vm_state (vm_at a vm) =? NIE_VM_STOPPED) 512) eqn:FR; [|discriminate].
  destruct (wf_slot _ W vm (level - 1) key) as (_ & ST & _); [congruence|].
  skip. w_known page_of_run. fold x. rewrite (wrap32 vm), (wrap32 level), wrap32 by (unfold NIE_MAX_VMS in V'; lia).
  destruct (g_vm _ _ G vm V') as (_ & SR & _).
  skip. eapply s2_walk_wp; eauto; [intros; eapply table_private; eauto|lia|].
  intros h2 X2. cbn beta. destruct (walk_to a W vm x level t LV V' HX T) as (pt & pk & i & -> & I & RP & OP & K). fold key in K.
  w_bind. w_known desc_page_run. rewrite (enc_frame _ vm (level - 1) key _ W T).
  pose proof (free_entries _ _ _ _ _ FR) as FREE.
  assert (B : orphan a vm level key (set_slot vm (level - 1) key Empty (each 512 (forget vm level key) a))) by (eapply orphan_spec; eauto).
  revert B.
  generalize (set_slot vm (level - 1) key Empty (each 512 (forget vm level key) a)). intros b B.
  eapply remove_wp with (b := b) (a := a) (h0 := h); eauto.
  intros gl' m' h' G' OG X' T'. cbn beta. fold (give vm t b).
  destruct (wf_tab _ W _ _ _ _ T) as (_ & RT & _). apply (ram_small _ W) in RT.
  go. w_known address_of_run; [lia|]. go. cbn [fst snd].
  split; [reflexivity|]. split; [|split; [exact OG|apply X']].
  pose proof (give_own b vm t) as C3. pose proof (o_cfg _ _ _ _ _ B) as CF.
  assert (C1 : same_records b (give vm t b)) by (apply give_records; now rewrite (o_vm _ _ _ _ _ B)).
  eapply R_ends with (h0 := h) (m := m'); eauto.
  - eapply last_wf with (a := a) (b := b); eauto; reflexivity.
  - eapply last_onto with (a := a) (b := b); eauto; reflexivity.
  - destruct (wf_tab _ W _ _ _ _ T) as (_ & RT' & OT). refine (counted_back a (give vm t b) t vm (wf_c _ W) N CF RT' V' _ _ _); [intro w; now rewrite OT| |].
    + intro p. rewrite C3. now rewrite (o_own _ _ _ _ _ B).
    + intro w. unfold give. rewrite add_granules_vm. change (vm_at (set_own t Host b)) with (vm_at b). rewrite !(o_vm _ _ _ _ _ B). now destruct (w =? vm).
  - rewrite RAM. unfold ram_of. change (cfg (give vm t b)) with (cfg b). now rewrite CF.
  - rewrite ENG. unfold engine_of. change (cfg (give vm t b)) with (cfg b). now rewrite CF.
  - pose proof (same_trans _ _ _ (o_records _ _ _ _ _ B) C1) as S.
    eapply registers_same; [exact REGS|exact CF|apply (s_cpus S)|apply (s_here S)|apply (s_here S)|apply (same_root _ _ S)].
Qed.
