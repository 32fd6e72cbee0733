(* SPDX-License-Identifier: Apache-2.0 *)
(* TABLE_ADD: the C refuses what spec/call/table_add.v refuses, with the same status. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Donation.
From nie.spec.call Require table_add.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.stage2 nie.generated.state.checks
  nie.generated.call.table_add.
From nie.spec Require Import Core.
From nie.proof.refine Require table_remove_checks.
From nie.proof.refine Require Export Adds.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_table_add_check := nie.spec.call.table_add.table_add_check.
Notation spec_table_add := nie.spec.call.table_add.table_add.
Notation has_table := nie.spec.call.table_add.has_table.
Notation pages_below := nie.spec.call.table_remove.pages_below.

Section Walk.
Variable a : state.
Hypothesis W : wf a.

(* Where the walk to the level above ends: in the VM's table there, or before it. *)
Lemma walk_above : forall v x l, l = 1 \/ l = 2 -> 0 <= v < NIE_MAX_VMS -> vm_state (vm_at a v) <> NIE_VM_FREE -> 0 <= x < 2 ^ 27 ->
  let key := x / pages_below l in
  if has_table a v l key
  then exists t, walk_end a v x l = (t, enc (slot_at a v l key), key mod 512, l) /\ in_ram a t = true /\ own a t = Table v l (key / 512) /\
    (l = 1 -> key < 512)
  else exists t d i, walk_end a v x l = (t, d, i, 1) /\ l <> 1.
Proof.
  intros v x l [-> | ->] V S X; cbn zeta; unfold walk_end, nie.spec.call.table_add.has_table.
  - change (pages_below 1) with 262144. cbn [Z.eqb Pos.eqb orb]. destruct (wf_root _ W v V S) as [R O].
    exists (root (vm_at a v)). replace (x / 262144 mod 512) with (x / 262144) by lia. replace (x / 262144 / 512) with 0 by lia. repeat split; auto. lia.
  - change (pages_below 2) with 512. change (2 - 1) with 1. cbn [Z.eqb Pos.eqb orb]. replace (x / 512 / 512) with (x / 262144) by lia.
    destruct (slot_at a v 1 (x / 262144)) as [| |t|t|t|t] eqn:T; try (do 3 eexists; split; [reflexivity|lia]).
    destruct (wf_tab _ W _ _ _ _ T) as (_ & R & O). exists t. repeat split; auto. lia.
Qed.
End Walk.

Section Check.
Variables (a : state) (h0 : Machine.hw) (gl : globals) (m : Z -> Z).
Hypothesis W : wf a.
Hypothesis G : globals_hold a gl.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis TH : tables_hold a m.
Notation A := (Aset a).

Lemma table_add_check_wp : forall h vm ipa level pa (Q : Z -> mach globals Machine.hw -> Prop),
  world h0 A A m (now m) h -> 0 <= vm < 2 ^ 64 -> 0 <= ipa < 2 ^ 64 -> 0 <= level < 2 ^ 64 -> 0 <= pa < 2 ^ 64 ->
  (forall h', world h0 A A m (now m) h' -> Q (spec_table_add_check a vm ipa level pa) (Mach gl h')) ->
  wp (table_add_check vm ipa level pa) Q (Mach gl h).
Proof.
  intros h vm ipa level pa Q X V I L P H. unfold table_add_check. unfold nie.spec.call.table_add.table_add_check in H. cbn zeta in H.
  unfold vm_exists in H. destruct (Z.leb_spec NIE_MAX_VMS vm) as [E1|E1].
  { replace (vm <? NIE_MAX_VMS) with false in H by lia. go. now apply H. }
  replace (vm <? NIE_MAX_VMS) with true in H by lia.
  assert (V' : 0 <= vm < NIE_MAX_VMS) by lia. assert (VB : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V'; lia).
  destruct (g_vm _ _ G vm V') as (ES & RT & _). skip. w_load. rewrite ES.
  destruct (Z.eqb_spec (vm_state (vm_at a vm)) NIE_VM_FREE) as [E2|E2]; cbn [negb] in H; [go; now apply H|].
  rewrite <- negb_orb. destruct ((level =? 2) || (level =? 3))%bool eqn:E3; cbn [negb]; [|go; now apply H].
  assert (LV : level = 2 \/ level = 3) by (clear - E3; lia). clear E3.
  skip. w_known table_remove_checks.entry_pages_run; [exact LV|]. skip. w_known table_remove_checks.aligned_below; [exact LV|].
  destruct (ipa mod (4096 * pages_below (level - 1)) =? 0) eqn:E4; cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota; [|go; now apply H].
  rewrite Z.shiftr_div_pow2 by (unfold NIE_IPA_BITS; lia). unfold in_ipa_space, NIE_IPA_BITS in *.
  clear E4. destruct (Z.eqb_spec (ipa / 2 ^ 39) 0) as [E|E]; cbn [negb].
  2:{ replace (ipa <? 2 ^ 39) with false in H by lia. go. now apply H. }
  replace (ipa <? 2 ^ 39) with true in H by lia.
  skip. w_known check_donation_run; [apply W|exact G|lia|lia|].
  destruct (Donation.check_donation a pa 1 =? NIE_OK) eqn:DN; cbn [negb]; [|go; now apply H].
  unfold State.page_of in H. assert (HX : 0 <= ipa / 4096 < 2 ^ 27) by lia. remember (ipa / 4096) as x eqn:Ex.
  skip. w_known page_of_run. rewrite <- Ex. rewrite (wrap32 vm), (wrap32 level), wrap32, wrap64 by lia.
  skip. eapply s2_walk_wp; eauto using tables_private; [lia|]. intros h1 X1. cbn beta. specialize (H h1 X1).
  pose proof (walk_above a W vm x (level - 1) ltac:(lia) V' E2 HX) as WA. cbn zeta in WA.
  remember (x / pages_below (level - 1)) as key eqn:Ek. destruct (has_table a vm (level - 1) key).
  2:{ destruct WA as (t & d & i & -> & N). replace (1 =? level - 1) with false by lia. go. exact H. }
  destruct WA as (t & -> & R & O & _). rewrite Z.eqb_refl. cbn [negb].
  destruct (enc_empty a W vm (level - 1) key) as [_ EE].
  assert (ET : (enc (slot_at a vm (level - 1) key) mod 4 =? 3) = match slot_at a vm (level - 1) key with ToTable _ => true | _ => false end)
    by (apply enc_table; auto; lia).
  pose proof (enc_valid a W vm (level - 1) key) as EV. skip. rewrite EE.
  destruct (slot_at a vm (level - 1) key) as [| |q|q|q|q] eqn:SK; cbn [negb].
  - go. exact H.
  - skip. w_known desc_is_table_run. rewrite ET. cbn [b2z]. change (negb (0 =? 0)) with false. cbn iota. skip. w_known desc_valid_run. rewrite EV.
    cbn [b2z]. go. exact H.
  - skip. w_known desc_is_table_run. rewrite ET. cbn [b2z]. change (negb (1 =? 0)) with true. cbn iota. go. exact H.
  - skip. w_known desc_is_table_run. rewrite ET. cbn [b2z]. change (negb (0 =? 0)) with false. cbn iota. skip. w_known desc_valid_run. rewrite EV.
    cbn [b2z]. go. exact H.
  - destruct (wf_page _ W _ _ _ _ SK). lia.
  - destruct (wf_shared _ W _ _ _ _ SK). lia.
Qed.
End Check.
