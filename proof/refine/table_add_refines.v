(* SPDX-License-Identifier: Apache-2.0 *)
(* TABLE_ADD: the C does what spec/call/table_add.v says, with the other CPUs acting before each of its primitives. *)
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
From nie.proof.refine Require Export table_add_checks table_add_apply.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* For every state, every argument, whatever the others do ([during] and [inputs] of the machine). *)
Theorem table_add_refines : forall a s vm ipa level pa,
  R a s -> 0 <= vm < 2 ^ 64 -> 0 <= ipa < 2 ^ 64 -> 0 <= level < 2 ^ 64 -> 0 <= pa < 2 ^ 64 ->
  wp (call_table_add vm ipa level pa) (fun r s' =>
    r = fst (spec_table_add vm ipa level pa a) /\
    R (snd (spec_table_add vm ipa level pa a)) s' /\
    only_granules (glob s) (glob s') /\ frame_of (hw s) (hw s')) s.
Proof.
  intros a [gl h] vm ipa level pa HR HV HI HL HP. destruct HR as [W O G (m & X & TH) RAM ENG REGS CNT] eqn:EHR. clear EHR. cbn [glob hw] in *.
  unfold call_table_add. w_bind. eapply table_add_check_wp; eauto. intros h1 X1. cbn beta.
  unfold nie.spec.call.table_add.table_add. cbn zeta. destruct (spec_table_add_check a vm ipa level pa =? NIE_OK) eqn:E; cbn [negb].
  2:{ go. cbn [fst snd]. split; auto.
      destruct (R_after a a (Mach gl h) (Mach gl h1) HR W O CNT G) as [R' F]; auto using same_refl.
      { exists m. auto. } split; auto. split; auto using only_refl. }
  apply Z.eqb_eq in E. unfold nie.spec.call.table_add.table_add_check in E. cbn zeta in E.
  destruct (vm_exists vm) eqn:E1; [|discriminate].
  destruct (Z.eqb_spec (vm_state (vm_at a vm)) NIE_VM_FREE) as [E2|ST]; [discriminate|]. cbn [negb] in E.
  destruct ((level =? 2) || (level =? 3))%bool eqn:E3; [|discriminate].
  destruct (ipa mod (4096 * pages_below (level - 1)) =? 0) eqn:E4; [|discriminate].
  destruct (in_ipa_space ipa) eqn:E5; [|discriminate].
  destruct (Donation.check_donation a pa 1 =? NIE_OK) eqn:E6; [|apply Z.eqb_neq in E6; congruence]. apply Z.eqb_eq in E6.
  assert (LV : level = 2 \/ level = 3) by (clear - E3; lia). clear E3.
  assert (V : 0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at a vm) <> NIE_VM_FREE) by (split; [unfold vm_exists in E1; lia|exact ST]).
  assert (VB : 0 <= vm < 64) by (clear - V; unfold NIE_MAX_VMS in V; lia). clear E4.
  destruct (donation_ok a pa 1 W ltac:(lia) E6) as (F1 & _ & F2 & F3).
  remember (State.page_of pa) as p eqn:Ep.
  assert (HO : in_ram a p = true /\ own a p = Host) by (destruct (F3 0) as [A B]; [lia|]; rewrite Z.add_0_r in *; auto).
  assert (HX : 0 <= State.page_of ipa < 2 ^ 27) by (unfold in_ipa_space, NIE_IPA_BITS, State.page_of in *; lia).
  clear E5. remember (State.page_of ipa) as x eqn:Ex.
  pose proof (walk_above a W vm x (level - 1) ltac:(lia) (proj1 V) ST HX) as WA. cbn zeta in WA.
  destruct (has_table a vm (level - 1) (x / pages_below (level - 1))) eqn:HT; [|discriminate].
  destruct WA as (t & WE & RT & OT & K1).
  destruct (g_vm _ _ G vm (proj1 V)) as (_ & GR & _).
  skip. w_known page_of_run. skip. w_known page_of_run. change (pa / 4096) with (State.page_of pa). change (ipa / 4096) with (State.page_of ipa).
  rewrite <- Ex, <- Ep. rewrite (wrap32 vm), (wrap32 level) by lia.
  w_bind. rewrite (wrap32 (level - 1)) by lia.
  eapply s2_walk_wp; eauto using tables_private; try (apply V); try lia. intros h2 X2. cbn beta. rewrite WE. cbn beta iota.
  skip. w_known page_of_run. change (ipa / 4096) with (State.page_of ipa). rewrite <- Ex. skip.
  assert (EP : forall s : mach globals Machine.hw, entry_pages (level - 1) s = Some (pages_below (level - 1), s))
    by (intro s; destruct LV as [-> | ->]; reflexivity).
  w_known EP. w_bind.
  remember (level - 1) as l eqn:El. assert (L1 : level = l + 1) by lia.
  assert (PB : pages_below l = 262144 \/ pages_below l = 512) by (destruct LV; [left; replace l with 1 by lia|right; replace l with 2 by lia]; reflexivity).
  unfold binary. replace (pages_below l =? 0) with false by lia. cbn [signed andb lift]. w_ret.
  remember (x / pages_below l) as key eqn:Ek. assert (KB : 0 <= key < 2 ^ 27) by (clear - Ek PB HX; destruct PB as [PB|PB]; rewrite PB in Ek; subst key; lia). clear Ek PB EP.
  w_bind. w_ret. rewrite (wrap32 key) by (clear - KB; lia).
  replace (wrap U8 vm) with vm by (clear - VB; unfold wrap; cbn [width]; lia). replace (wrap U8 level) with (l + 1) by (clear - LV L1; unfold wrap; cbn [width]; lia).
  assert (LK : 1 <= l <= 2 /\ 0 <= key /\ (l = 1 -> key < 512)) by (split; [clear - LV L1; lia|split; [apply KB|exact K1]]).
  assert (TT : 1 < l -> exists t, slot_at a vm (l - 1) (key / 512) = ToTable t).
  { intro L2. unfold nie.spec.call.table_add.has_table in HT. replace (l =? 1) with false in HT by (clear - L2; lia). cbn [orb] in HT.
    destruct (slot_at a vm (l - 1) (key / 512)); try discriminate. eauto. }
  rewrite L1. set (o := fun _ : Z => Table vm (l + 1) key).
  eapply (donated_wp a h m W RAM ENG TH vm p 1 (proj1 V) (table_add_preserves.one_page p) F3 o GRANULE_TABLE vm (l + 1) key);
    [clear - KB; lia|intros i I; unfold o; cbn [owner_words]; f_equal; clear - I; lia|split; discriminate|exact G|exact X2|].
  intros gl3 m3 h3 G3 O3 X3 T3 Z3. destruct (enc_empty a W vm l key) as [_ EE]. rewrite EE.
  assert (FIN : forall z m4 h4, wf z -> onto z -> counted z -> cfg z = cfg a -> same_records a z -> globals_hold z gl3 ->
    world h (Aset z) (Aset z) m4 (now m4) h4 -> tables_hold z m4 ->
    NIE_OK = NIE_OK /\ R z (Mach gl3 h4) /\ only_granules gl gl3 /\ frame_of h h4).
  { intros z m4 h4 WZ OZ NZ CZ SZ GZ X4 T4. split; auto.
    destruct (R_after a z (Mach gl h) (Mach gl3 h4) HR WZ OZ NZ GZ) as [R' F]; [exists m4; auto|auto|auto|]. auto. }
  destruct (donated_parts a p 1 W (table_add_preserves.one_page p) F3 vm o ST) as (D1 & _ & D3 & _).
  assert (KC : cfg (Adding.kept p 1 a) = cfg a) by (exact (h_cfg (table_add_preserves.kept_one a p W HO))).
  assert (KR : same_records a (Adding.kept p 1 a)) by (exact (h_records (table_add_preserves.kept_one a p W HO))).
  assert (DR : same_records a (Donation.donate vm p 1 o a)) by (eapply same_trans; eauto).
  assert (DN : counted (Donation.donate vm p 1 o a)).
  { refine (counted_adds a _ vm p 1 o W CNT (proj1 V) ltac:(lia) F3 _ (eq_trans D1 KC) _ _); [intros i w' _; reflexivity|reflexivity|reflexivity]. }
  destruct (slot_at a vm l key) as [| |q|q|q|q] eqn:SK; try discriminate.
  - cbn [fst snd]. w_bind. w_bind. rewrite F1.
    eapply (new_table_wp a h gl3 vm l key p t W O RAM ENG V LK HO TT RT OT m3 h3 _ _ SK X3 T3 Z3).
    intros m4 h4 WZ OZ X4 T4. go. refine (FIN _ m4 h4 WZ OZ _ _ _ _ X4 T4).
    + now apply (counted_same _ _ DN).
    + exact (eq_trans D1 KC).
    + eapply same_trans; [exact DR|now apply same_of_eq].
    + eapply globals_of; [exact G3| | | | | |]; reflexivity.
  - cbn [fst snd]. w_bind. w_bind. assert (L2 : l = 2) by (destruct (wf_blk _ W _ _ _ _ SK); auto).
    eapply (fill_wp a h gl3 vm l key p t W O RAM ENG V LK HO RT OT q SK m3 h3); [exact X3|exact T3|]. intros h4 X4. cbn beta. w_bind. rewrite F1.
    eapply (replace_wp a h gl3 vm l key p t W O RAM ENG V LK HO TT RT OT q L2 SK m3 h4); [exact X4|exact T3|].
    intros m5 h5 WZ OZ X5 T5. go. refine (FIN _ m5 h5 WZ OZ _ _ _ _ X5 T5).
    + rewrite (table_add_preserves.split_but a vm l key p LK q). now apply (counted_same _ _ DN).
    + rewrite (table_add_preserves.split_but a vm l key p LK q). exact (eq_trans D1 KC).
    + rewrite (table_add_preserves.split_but a vm l key p LK q). eapply same_trans; [exact DR|now apply same_of_eq].
    + rewrite (table_add_preserves.split_but a vm l key p LK q). eapply globals_of; [exact G3| | | | | |]; reflexivity.
Qed.
