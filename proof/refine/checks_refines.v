(* SPDX-License-Identifier: Apache-2.0 *)
(* checks.c: what the host hands over and where it shall go, refused for the same causes as spec/Donation.v. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Donation.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.stage2 nie.generated.state.checks.
From nie.spec Require Import Core.
From nie.proof.refine Require Export page_remove_checks.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Pure.
Variables (a : state) (gl : globals) (h : Machine.hw).
Hypothesis Wc : wf_cfg a.
Hypothesis G : globals_hold a gl.
Let s := Mach gl h.

Lemma owner_host : forall o, (let '(st, v, l, k) := owner_words o in st =? GRANULE_HOST) = match o with Host => true | _ => false end.
Proof. intro o. now destruct o. Qed.

Lemma host_owns_run : forall p count, 0 <= p < 2 ^ 52 -> 1 <= count /\ p mod 512 + count <= 512 ->
  host_owns p count s = Some ((if in_ram a p then if Donation.host_owns a p (Z.to_nat count) then NIE_OK else NIE_E_OWNER else NIE_E_PA), s).
Proof.
  intros p count P C. apply known_of_wp. pose proof (c_ram _ Wc) as CR. unfold host_owns, s. w_bind.
  w_known granule_exists_run; [exact Wc|exact G|lia|].
  destruct (in_ram a p) eqn:R; cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota; [|go; auto].
  w_bind. eapply wp_loop_ret with
    (I := fun i _ s => s = Mach gl h /\ Donation.host_owns a p (Z.to_nat count) = Donation.host_owns a (p + i) (Z.to_nat (count - i)))
    (P := fun r s => s = Mach gl h /\ r = NIE_E_OWNER /\ Donation.host_owns a p (Z.to_nat count) = false); try lia.
  - split; auto. now rewrite Z.add_0_r, Z.sub_0_r.
  - intros i u s0 I (-> & E).
    assert (RI : in_ram a (p + i) = true) by (unfold in_ram in *; lia). rewrite wrap64 by lia. w_bind.
    w_known granule_get_run; [exact Wc|exact G|exact RI|].
    replace (Z.to_nat (count - i)) with (S (Z.to_nat (count - (i + 1)))) in E by lia. cbn [Donation.host_owns] in E.
    replace (p + i + 1) with (p + (i + 1)) in E by lia.
    destruct (own a (p + i)); cbn [owner_words]; cbn beta iota; (match goal with |- context [negb (?x =? ?y)] => destruct (negb (x =? y)) eqn:N end);
      try discriminate N; go; auto.
  - intros u s0 (-> & E). rewrite Z.sub_diag in E. cbn [Z.to_nat Donation.host_owns] in E. rewrite E. go. auto.
  - intros r s0 (-> & -> & E). rewrite E. go. auto.
Qed.

Lemma check_donation_run : forall pa count, 0 <= pa < 2 ^ 64 -> 0 <= count < 2 ^ 64 ->
  check_donation pa count s = Some (Donation.check_donation a pa count, s).
Proof.
  intros pa count P C. apply known_of_wp. unfold check_donation, s, Donation.check_donation, State.aligned, State.page_of.
  skip. w_known aligned_run. destruct (pa mod 4096 =? 0); cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota; [|go; auto].
  skip. w_known page_of_run. skip. w_known range_ok_run; [auto|].
  destruct (State.range_ok (pa / 4096) count) eqn:RO; cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota; [|go; auto].
  skip. w_known page_of_run. unfold State.range_ok in RO. skip. w_known host_owns_run; [lia|lia|].
  go. destruct (in_ram a (pa / 4096)); auto.
Qed.

Lemma check_window_run : forall v x count, 0 <= v < NIE_MAX_VMS -> 0 <= x < 2 ^ 63 -> 0 <= count < 2 ^ 63 ->
  0 <= ram_base (vm_at a v) < 2 ^ 63 -> 0 <= ram_pages (vm_at a v) < 2 ^ 63 ->
  check_window v x count s = Some ((if Donation.in_window a v x count then NIE_OK else NIE_E_WINDOW), s).
Proof.
  intros v x count V X C B P. apply known_of_wp. unfold check_window, s, Donation.in_window.
  destruct (g_vm _ _ G v V) as (_ & _ & EB & EP & _). skip. w_load. rewrite EB.
  destruct (Z.ltb_spec x (ram_base (vm_at a v))).
  - replace (ram_base (vm_at a v) <=? x) with false by lia. go. auto.
  - replace (ram_base (vm_at a v) <=? x) with true by lia. skip. w_load. skip. w_load. rewrite EB, EP, !wrap64 by lia. go.
    destruct (Z.ltb_spec (ram_base (vm_at a v) + ram_pages (vm_at a v)) (x + count)); cbn [andb].
    + replace (x + count <=? ram_base (vm_at a v) + ram_pages (vm_at a v)) with false by lia. go. auto.
    + replace (x + count <=? ram_base (vm_at a v) + ram_pages (vm_at a v)) with true by lia. go. auto.
Qed.

Lemma check_placement_run : forall v ipa pa count, 0 <= v < NIE_MAX_VMS -> 0 <= ipa < 2 ^ 64 -> 0 <= pa < 2 ^ 64 -> 0 <= count < 2 ^ 64 ->
  0 <= ram_base (vm_at a v) < 2 ^ 63 -> 0 <= ram_pages (vm_at a v) < 2 ^ 63 ->
  check_placement v ipa pa count s = Some (Donation.check_placement a v ipa pa count, s).
Proof.
  intros v ipa pa count V I P C B RP. apply known_of_wp. unfold check_placement, s, Donation.check_placement, Donation.check_ipa_range.
  skip. w_known check_ipa_range_run; auto.
  destruct (State.aligned ipa) eqn:E3; [|unfold NIE_OK, NIE_E_ALIGN in *; cbn; go; auto].
  destruct (State.range_ok (State.page_of ipa) count) eqn:E4; [|unfold NIE_OK, NIE_E_COUNT in *; cbn; go; auto].
  destruct (in_ipa_space ipa) eqn:E5; [|unfold NIE_OK, NIE_E_IPA in *; cbn; go; auto].
  change (negb (NIE_OK =? NIE_OK)) with false. cbn iota. unfold State.range_ok, State.page_of in *. unfold in_ipa_space in E5.
  skip. w_known page_of_run. skip. w_known check_window_run; [auto|lia|lia|auto|auto|].
  destruct (Donation.in_window a v (ipa / 4096) count); [|unfold NIE_OK, NIE_E_WINDOW in *; cbn; go; auto].
  change (negb (NIE_OK =? NIE_OK)) with false. cbn iota. skip. w_known check_donation_run; auto. go. auto.
Qed.
End Pure.

Section Empty.
Variables (a : state) (h0 : Machine.hw) (gl : globals) (m : Z -> Z).
Hypothesis W : wf a.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis TH : tables_hold a m.
Notation A := (Aset a).

Lemma tables_private : forall p v l k, in_ram a p = true -> own a p = Table v l k -> ~ touch A p.
Proof. intros p v l k R E. apply kept_untouched; auto. now rewrite E. Qed.

Lemma enc_empty : forall v l k, (enc (slot_at a v l k) =? DESC_SPENT) = match slot_at a v l k with Spent => true | _ => false end /\
  (enc (slot_at a v l k) =? DESC_EMPTY) = match slot_at a v l k with Empty => true | _ => false end.
Proof.
  intros v l k. pose proof (fun q => ram_small _ W q) as S.
  destruct (slot_at a v l k) as [| |q|q|q|q] eqn:E; norm; split; auto; lia.
Qed.

Lemma enc_valid : forall v l k, Machine.valid (enc (slot_at a v l k)) = match slot_at a v l k with Empty | Spent => false | _ => true end.
Proof.
  intros v l k. destruct (slot_at a v l k) as [| |q|q|q|q] eqn:E; try reflexivity.
  - destruct (wf_tab _ W _ _ _ _ E) as (_ & R & _). apply (ram_small _ W) in R. destruct (enc_facts (ToTable q) q) as (F & _); auto. lia.
  - destruct (wf_blk _ W _ _ _ _ E) as (_ & _ & B). destruct (B 0) as [R _]; [reflexivity|]. rewrite Z.add_0_r in R.
    apply (ram_small _ W) in R. destruct (enc_facts (ToBlock q) q) as (F & _); auto. lia.
  - destruct (wf_page _ W _ _ _ _ E) as (_ & R & _). apply (ram_small _ W) in R. destruct (enc_facts (ToPage q) q) as (F & _); auto. lia.
  - destruct (wf_shared _ W _ _ _ _ E) as (_ & R & _). apply (ram_small _ W) in R. destruct (enc_facts (ToShared q) q) as (F & _); auto. lia.
Qed.

Lemma s2_all_empty_wp : forall h v l k t count d (Q : Z -> mach globals Machine.hw -> Prop),
  world h0 A A m (now m) h -> in_ram a t = true -> own a t = Table v l (k / 512) -> 1 <= count -> k mod 512 + count <= 512 ->
  (forall h', world h0 A A m (now m) h' -> Q (Donation.all_empty a v l k (Z.to_nat count)) (Mach gl h')) ->
  wp (s2_all_empty t d (k mod 512) l count) Q (Mach gl h).
Proof.
  intros h v l k t count d Q X RT OT C1 C2 H. unfold s2_all_empty. w_bind.
  set (all := Donation.all_empty a v l k (Z.to_nat count)) in *.
  eapply wp_loop_ret with
    (I := fun i _ s => exists h, s = Mach gl h /\ world h0 A A m (now m) h /\ all = Donation.all_empty a v l (k + i) (Z.to_nat (count - i)))
    (P := fun r s => exists h, s = Mach gl h /\ world h0 A A m (now m) h /\ r = all); try lia.
  - exists h. split; [auto|]. split; [auto|]. now rewrite Z.add_0_r, Z.sub_0_r.
  - intros i u s I (h1 & -> & X1 & AL). rewrite (wrap32 i), wrap32 by lia. w_bind.
    eapply read_entry with (v := v) (l := l) (k := k / 512); eauto using tables_private; [lia|]. intros h2 X2. cbn beta.
    replace (k / 512 * 512 + (k mod 512 + i)) with (k + i) by lia.
    replace (Z.to_nat (count - i)) with (S (Z.to_nat (count - (i + 1)))) in AL by lia. cbn [Donation.all_empty] in AL.
    replace (k + i + 1) with (k + (i + 1)) in AL by lia. destruct (enc_empty v l (k + i)) as [-> ->].
    destruct (slot_at a v l (k + i)); cbn [negb]; go; exists h2; auto.
  - intros u s (h1 & -> & X1 & AL). rewrite Z.sub_diag in AL. cbn [Z.to_nat Donation.all_empty] in AL. go. rewrite <- AL. auto.
  - intros r s (h1 & -> & X1 & ->). go. auto.
Qed.

(* Where the walk to [level] ends, and with what. *)
Lemma check_empty_wp : forall h v x level count (Q : Z -> mach globals Machine.hw -> Prop),
  world h0 A A m (now m) h -> 0 <= v < NIE_MAX_VMS -> vm_state (vm_at a v) <> NIE_VM_FREE -> at1 vms_root gl v = root (vm_at a v) ->
  0 <= x < 2 ^ 27 -> level = 2 \/ level = 3 ->
  let k := if level =? 3 then x else x / 512 in 1 <= count -> k mod 512 + count <= 512 ->
  (forall h', world h0 A A m (now m) h' -> Q (Donation.check_empty a v level k count) (Mach gl h')) ->
  wp (check_empty v x level count) Q (Mach gl h).
Proof.
  intros h v x level count Q X V S RT HX LV. cbn zeta. intros C1 C2 H. unfold check_empty. w_bind.
  eapply s2_walk_wp; eauto using tables_private; [lia|]. intros h1 X1. cbn beta. unfold walk_end, Donation.check_empty in *.
  replace (level =? 1) with false by lia.
  assert (S2E : slot_at a v 2 (x / 512) <> Empty -> exists p, slot_at a v 1 (x / 262144) = ToTable p).
  { intro NE. destruct (wf_slot _ W _ _ _ NE) as (_ & _ & _ & _ & _ & PR). destruct PR as [p PR]; [lia|]. exists p.
    rewrite <- PR. f_equal. lia. }
  assert (K1 : x / 512 / 512 = x / 262144) by lia.
  destruct LV as [-> | ->]; cbn [Z.eqb Pos.eqb] in *; rewrite ?K1 in *; change (2 - 1) with 1 in *; change (3 - 1) with 2 in *.
  - destruct (slot_at a v 1 (x / 262144)) as [| |t1|t1|t1|t1] eqn:L1; cbn [negb Z.eqb Pos.eqb];
      try (skip; w_known desc_valid_run; rewrite <- L1, enc_valid, L1; cbn [b2z]; go; apply H; auto; fail);
      try (destruct (wf_page _ W _ _ _ _ L1); discriminate); try (destruct (wf_shared _ W _ _ _ _ L1); discriminate).
    destruct (wf_tab _ W _ _ _ _ L1) as (_ & R1 & O1). rewrite <- K1 in O1. skip. eapply s2_all_empty_wp; eauto.
  - destruct (slot_at a v 1 (x / 262144)) as [| |t1|t1|t1|t1] eqn:L1;
      try (destruct (wf_page _ W _ _ _ _ L1); discriminate); try (destruct (wf_shared _ W _ _ _ _ L1); discriminate);
      try (destruct (wf_blk _ W _ _ _ _ L1); discriminate);
      try (destruct (slot_at a v 2 (x / 512)) eqn:L2; try (destruct S2E; [discriminate|discriminate]);
        change (negb (1 =? 3)) with true; cbn iota; skip; w_known desc_valid_run; rewrite <- L1, enc_valid, L1; cbn [b2z]; go; apply H; auto; fail).
    destruct (slot_at a v 2 (x / 512)) as [| |t2|t2|t2|t2] eqn:L2;
      try (destruct (wf_page _ W _ _ _ _ L2); discriminate); try (destruct (wf_shared _ W _ _ _ _ L2); discriminate);
      try (change (negb (2 =? 3)) with true; cbn iota; skip; w_known desc_valid_run; rewrite <- L2, enc_valid, L2; cbn [b2z]; go; apply H; auto; fail).
    destruct (wf_tab _ W _ _ _ _ L2) as (_ & R2 & O2). change (negb (3 =? 3)) with false. cbn iota.
    skip. eapply s2_all_empty_wp; eauto.
Qed.
End Empty.
