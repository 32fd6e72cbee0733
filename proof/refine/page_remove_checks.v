(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_REMOVE: the C refuses what spec/call/page_remove.v refuses, with the same status. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec.call Require page_remove.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning page_remove_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.stage2 nie.generated.state.checks nie.generated.call.page_remove.
From nie.spec Require Import Core.
From nie.proof.refine Require Export GiveBack.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation each := State.each.
Notation spec_check := nie.spec.call.page_remove.page_remove_check.
Notation spec_page_remove := nie.spec.call.page_remove.page_remove.
Notation pages_from := nie.spec.call.page_remove.pages_from.
Notation first_of := nie.spec.call.page_remove.first_of.
Notation spend := nie.spec.call.page_remove.spend.
Notation spec_take_back := nie.spec.call.page_remove.take_back.

Lemma each_0 : forall f a, each 0 f a = a.
Proof. reflexivity. Qed.
Lemma each_next : forall i f a, 0 <= i -> each (i + 1) f a = f i (each i f a).
Proof.
  intros i f a I. unfold State.each. rewrite Z2Nat.inj_add by lia. rewrite Nat.add_1_r. cbn [each_nat]. now rewrite Z2Nat.id by lia.
Qed.

(** Checks. *)

Section Checks.
Variables (a : state) (gl : globals) (h : Machine.hw).
Hypothesis W : wf a.
Hypothesis G : globals_hold a gl.
Let s := Mach gl h.

Lemma check_vm_run : forall v st st', 0 <= v ->
  check_vm v st st' s = Some ((if vm_exists v then if vm_is a v st st' then NIE_OK else NIE_E_VM_STATE else NIE_E_VM), s).
Proof.
  intros v st st' V. apply known_of_wp. unfold check_vm, vm_exists, s.
  destruct (Z.leb_spec NIE_MAX_VMS v) as [L|L]; [replace (v <? NIE_MAX_VMS) with false by lia; go; auto|].
  replace (v <? NIE_MAX_VMS) with true by lia. destruct (g_vm _ _ G v) as (E & _); [lia|]. unfold vm_is.
  destruct (vm_state (vm_at a v) =? st) eqn:E1, (vm_state (vm_at a v) =? st') eqn:E2; cbn [orb];
    repeat (skip; try w_load; skip; rewrite ?E, ?E1, ?E2; cbn [negb]); go; auto.
Qed.

Lemma check_ipa_range_run : forall ipa n, 0 <= ipa < 2 ^ 64 -> 0 <= n < 2 ^ 64 ->
  check_ipa_range ipa n s = Some ((if State.aligned ipa then if State.range_ok (State.page_of ipa) n then
    if in_ipa_space ipa then NIE_OK else NIE_E_IPA else NIE_E_COUNT else NIE_E_ALIGN), s).
Proof.
  intros ipa n I N. apply known_of_wp. unfold check_ipa_range, s, State.aligned, in_ipa_space, State.page_of.
  skip. w_known aligned_run. destruct (ipa mod 4096 =? 0); cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota; [|go; auto].
  skip. w_known page_of_run. skip. w_known range_ok_run; [auto|].
  destruct (State.range_ok (ipa / 4096) n); cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota; [|go; auto].
  unfold NIE_IPA_BITS. bits. destruct (Z.ltb_spec ipa (2 ^ 39)); w_if; go; auto.
Qed.
End Checks.

Section Remove.
Variables (a : state) (h0 : Machine.hw) (gl0 : globals) (m0 : Z -> Z).
Hypothesis W : wf a.
Hypothesis O : onto a.
Hypothesis G : globals_hold a gl0.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis ENG : engine h0 = engine_of a.
Hypothesis TH : tables_hold a m0.

Notation A := (Aset a).

Lemma table_private : forall p v l k, in_ram a p = true -> own a p = Table v l k -> ~ touch A p.
Proof. intros p v l k R E. apply kept_untouched; auto. now rewrite E. Qed.

(* Entries of the last level. *)
Lemma leaf_entry : forall v k, Machine.valid (enc (slot_at a v 3 k)) = match page_at a v k with Some _ => true | None => false end /\
  forall p, page_at a v k = Some p -> frame (enc (slot_at a v 3 k)) = p /\ 0 < p < 2 ^ 27.
Proof.
  intros v k. unfold page_at. destruct (slot_at a v 3 k) as [| |p|p|p|p] eqn:E; try (split; [reflexivity|discriminate]).
  - destruct (wf_tab _ W _ _ _ _ E). lia.
  - destruct (wf_blk _ W _ _ _ _ E). lia.
  - destruct (wf_page _ W _ _ _ _ E) as (_ & R & _). apply (ram_small _ W) in R. destruct (enc_facts (ToPage p) p) as (V & F & _); auto; [lia|].
    split; auto. intros q [= <-]. auto.
  - destruct (wf_shared _ W _ _ _ _ E) as (_ & R & _). apply (ram_small _ W) in R. destruct (enc_facts (ToShared p) p) as (V & F & _); auto; [lia|].
    split; auto. intros q [= <-]. auto.
Qed.

Lemma check_pages_wp : forall h v x t l count d w (Q : Z -> mach globals Machine.hw -> Prop),
  world h0 A A m0 (now m0) h -> slot_at a v 2 (x / 512) = ToTable t -> 0 <= x < 2 ^ 27 ->
  1 <= count -> x mod 512 + count <= 512 -> d = enc (slot_at a v 3 x) -> w = x mod 512 ->
  (forall h', world h0 A A m0 (now m0) h' -> Q (pages_from a v x (first_of a v x) (Z.to_nat count) 0) (Mach gl0 h')) ->
  wp (check_pages t d w l count) Q (Mach gl0 h).
Proof.
  intros h v x t l count d w Q X E Hx C1 C2 -> -> H. destruct (wf_tab _ W _ _ _ _ E) as (_ & RT & OT). change (2 + 1) with 3 in OT.
  unfold check_pages. skip. w_known desc_page_run. skip.
  set (all := pages_from a v x (first_of a v x) (Z.to_nat count) 0) in *.
  eapply wp_loop_ret with
    (I := fun i _ s => exists h, s = Mach gl0 h /\ world h0 A A m0 (now m0) h /\
       (0 < i -> first_of a v x = frame (enc (slot_at a v 3 x))) /\
       all = pages_from a v x (first_of a v x) (Z.to_nat (count - i)) i)
    (P := fun r s => exists h, s = Mach gl0 h /\ world h0 A A m0 (now m0) h /\ r = all); try lia.
  - exists h. split; [auto|]. split; [auto|]. split; [intro; lia|]. rewrite Z.sub_0_r. reflexivity.
  - intros i u s I (h1 & -> & X1 & F & AL). skip.
    w_index (x mod 512 + i). eapply read_entry with (v := v) (l := 3) (k := x / 512); eauto using table_private; [lia|]. intros h2 X2. cbn beta.
    replace (x / 512 * 512 + (x mod 512 + i)) with (x + i) by lia.
    skip. w_known desc_valid_run. destruct (leaf_entry v (x + i)) as [LV LF]. rewrite LV.
    replace (Z.to_nat (count - i)) with (S (Z.to_nat (count - (i + 1)))) in AL by lia. cbn [pages_from] in AL.
    destruct (page_at a v (x + i)) as [p|] eqn:P; cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota.
    2:{ go. exists h2. auto. }
    skip. w_known desc_page_run. destruct (LF p eq_refl) as [-> Bp].
    assert (F' : first_of a v x = frame (enc (slot_at a v 3 x)) /\ 0 <= first_of a v x < 2 ^ 27).
    { destruct (Z.eq_dec i 0) as [->|Ni].
      - rewrite Z.add_0_r in *. unfold first_of. rewrite P. destruct (LF p eq_refl) as [-> ?]. split; auto. lia.
      - split; [apply F; lia|]. unfold first_of. destruct (page_at a v x) as [q|] eqn:Px; [|lia].
        destruct (leaf_entry v x) as [_ L0]. destruct (L0 q Px). lia. }
    destruct F' as [F' FB]. rewrite <- F'. wraps. w_same (Z.eqb_spec p (first_of a v x + i)).
    + go. exists h2. split; [auto|]. split; [auto|]. split; [intro; auto|]. exact AL.
    + go. exists h2. auto.
  - intros u s (h1 & -> & X1 & _ & AL). rewrite Z.sub_diag in AL. cbn in AL. go. rewrite <- AL. auto.
  - intros r s (h1 & -> & X1 & ->). go. auto.
Qed.

Lemma page_remove_check_wp : forall h vm ipa count (Q : Z -> mach globals Machine.hw -> Prop),
  world h0 A A m0 (now m0) h -> 0 <= vm < 2 ^ 64 -> 0 <= ipa < 2 ^ 64 -> 0 <= count < 2 ^ 64 ->
  (forall h', world h0 A A m0 (now m0) h' -> Q (spec_check a vm ipa count) (Mach gl0 h')) ->
  wp (page_remove_check vm ipa count) Q (Mach gl0 h).
Proof.
  intros h vm ipa count Q X V I C H. unfold page_remove_check. unfold spec_check in H.
  skip. w_known check_vm_run; [eauto|lia|].
  destruct (vm_exists vm) eqn:E1; [|unfold NIE_OK, NIE_E_VM in *; cbn; go; auto].
  destruct (vm_is a vm NIE_VM_ACTIVE NIE_VM_STOPPED) eqn:E2; [|unfold NIE_OK, NIE_E_VM_STATE in *; cbn; go; auto].
  change (NIE_OK =? NIE_OK) with true. cbn [negb]. skip. w_known check_ipa_range_run; auto.
  destruct (State.aligned ipa) eqn:E3; [|unfold NIE_OK, NIE_E_ALIGN in *; cbn; go; auto].
  destruct (State.range_ok (State.page_of ipa) count) eqn:E4; [|unfold NIE_OK, NIE_E_COUNT in *; cbn; go; auto].
  destruct (in_ipa_space ipa) eqn:E5; [|unfold NIE_OK, NIE_E_IPA in *; cbn; go; auto].
  change (NIE_OK =? NIE_OK) with true. cbn [negb].
  unfold vm_exists in E1. unfold State.page_of, State.range_ok, in_ipa_space, NIE_IPA_BITS in *. set (x := ipa / 4096) in *.
  assert (HX : 0 <= x < 2 ^ 27) by (subst x; lia).
  assert (V' : 0 <= vm < NIE_MAX_VMS) by lia. assert (VB : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V'; lia).
  skip. w_known page_of_run. fold x. rewrite (wrap32 vm) by lia.
  destruct (g_vm _ _ G vm V') as (S1 & S2 & _).
  skip. eapply s2_walk_wp; eauto using table_private.
  { intro F. unfold vm_is in E2. rewrite F in E2. discriminate. } { unfold LEVEL_PAGE. lia. }
  intros h1 X1. cbn beta. unfold walk_end. unfold LEVEL_PAGE. change (3 =? 1) with false. change (3 =? 2) with false. cbn iota.
  assert (S2E : slot_at a vm 2 (x / 512) <> Empty -> exists p, slot_at a vm 1 (x / 262144) = ToTable p).
  { intro NE. destruct (wf_slot _ W _ _ _ NE) as (_ & _ & _ & _ & _ & PR). destruct PR as [p PR]; [lia|]. exists p.
    rewrite <- PR. f_equal. lia. }
  assert (D0 : Machine.valid (enc Empty) = false /\ Machine.valid (enc Spent) = false) by (split; reflexivity). destruct D0 as [DE DS].
  destruct (slot_at a vm 1 (x / 262144)) as [| |t1|t1|t1|t1] eqn:L1;
    try (destruct (slot_at a vm 2 (x / 512)) eqn:L2; try (destruct S2E; [discriminate|discriminate]);
         change (negb (1 =? 3)) with true; cbn iota; skip; w_known desc_valid_run; rewrite ?DE, ?DS;
         try (destruct (wf_blk _ W _ _ _ _ L1); discriminate); try (destruct (wf_page _ W _ _ _ _ L1); discriminate);
         try (destruct (wf_shared _ W _ _ _ _ L1); discriminate); go; apply H; auto; fail).
  destruct (slot_at a vm 2 (x / 512)) as [| |t2|t2|t2|t2] eqn:L2.
  - change (negb (2 =? 3)) with true. cbn iota. skip. w_known desc_valid_run. rewrite DE. go. apply H; auto.
  - change (negb (2 =? 3)) with true. cbn iota. skip. w_known desc_valid_run. rewrite DS. go. apply H; auto.
  - change (negb (3 =? 3)) with false. cbn iota. skip. eapply check_pages_wp; eauto; try lia.
  - change (negb (2 =? 3)) with true. cbn iota. skip. w_known desc_valid_run.
    destruct (wf_blk _ W _ _ _ _ L2) as (_ & _ & B). destruct (B 0) as [R _]; [reflexivity|]. apply (ram_small _ W) in R.
    destruct (enc_facts (ToBlock t2) t2) as (-> & _); auto; [lia|]. go. apply H; auto.
  - destruct (wf_page _ W _ _ _ _ L2). discriminate.
  - destruct (wf_shared _ W _ _ _ _ L2). discriminate.
Qed.
End Remove.
