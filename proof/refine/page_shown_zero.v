(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_ADD_ZERO, watched: up to the end of the scrub, and from there on. In between the pages are zero and nobody reaches them;
   what follows stores to none of them. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Donation.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.stage2 nie.generated.state.checks nie.generated.state.pages nie.generated.state.measure nie.generated.call.page_add_zero.
From nie.spec Require Import Core Step.
From nie.proof.security Require Import Watched.
From nie.proof.refine Require Import page_shown_log page_shown_text page_shown_moment page_shown_before page_shown_map.
From nie.proof.refine Require Export page_add_zero_refines.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Lemma bind_known : forall S A B (m : M S A) (k : A -> M S B) s a s', m s = Some (a, s') -> bind m k s = k a s'.
Proof. intros. unfold bind. now rewrite H. Qed.
Lemma run_of_wp : forall S A (m : M S A) Q s, wp m Q s -> exists a s', m s = Some (a, s') /\ Q a s'.
Proof. unfold wp. intros S A m Q s H. destruct (m s) as [[a s']|]; [eauto|easy]. Qed.
Lemma goes : forall S U T A s (m1 : M _ A) m2 a t, runs S U T s m1 m2 -> m2 (drop s) = Some (a, t) ->
  exists s', m1 s = Some (a, s') /\ drop s' = t /\ looks S U T s s'.
Proof. unfold runs. intros S U T A s m1 m2 a t H E. now rewrite E in H. Qed.

(** The table that a walk ends at is none of the pages that the engine has taken. *)

Lemma walk_table : forall a v x l, wf a -> 0 <= v < NIE_MAX_VMS -> vm_state (vm_at a v) <> NIE_VM_FREE ->
  let '(t, _, _, _) := walk_end a v x l in exists j y, own a t = Table v j y.
Proof.
  intros a v x l W V F. pose proof (wf_root a W v V F) as [_ R]. unfold walk_end.
  destruct (l =? 1); [eauto|]. destruct (slot_at a v 1 (x / 262144)) as [| |t2|t2|t2|t2] eqn:E1; try solve [eauto].
  destruct (wf_tab a W _ _ _ _ E1) as (_ & _ & O2). destruct (l =? 2); [eauto|].
  destruct (slot_at a v 2 (x / 512)) as [| |t3|t3|t3|t3] eqn:E2; try solve [eauto].
  destruct (wf_tab a W _ _ _ _ E2) as (_ & _ & O3). eauto.
Qed.

Lemma walk_index : forall a v x l, 0 <= x < 2 ^ 27 -> let '(_, _, w, _) := walk_end a v x l in 0 <= w < 512.
Proof.
  intros a v x l X. unfold walk_end. destruct (l =? 1); [lia|]. destruct (slot_at a v 1 (x / 262144)); try lia.
  destruct (l =? 2); [lia|]. destruct (slot_at a v 2 (x / 512)); lia.
Qed.
(* The word and the value of an entry, without the widths. *)
Lemma entry_word : forall p w i e t1 (u u' : mach globals Machine.hw), 0 <= w < 512 -> 0 <= i < 512 -> 0 <= p < 2 ^ 30 ->
  address_of (wrap U64 (p + i)) u = Some (t1, u') -> wrap U32 (w + wrap U32 i) = w + i /\ Z.lor (Z.lor t1 e) DESC_PAGE = Z.lor (Z.lor ((p + i) * 4096) e) DESC_PAGE.
Proof.
  intros p w i e t1 [gl h] u' B I P E. rewrite (wrap64 (p + i)) in E by lia. rewrite address_of_run in E by lia. injection E as <- _.
  rewrite (wrap32 i), wrap32 by lia. auto.
Qed.

Section Taken.
Variables (a : state) (h0 : Machine.hw) (vm x p count : Z).
Hypothesis W : wf a.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at a vm) <> NIE_VM_FREE.
Hypothesis X : 0 <= x < 2 ^ 27.
Hypothesis C : 1 <= count /\ p mod 512 + count <= 512.
Hypothesis HO : forall i, 0 <= i < count -> in_ram a (p + i) = true /\ own a (p + i) = Host.
Notation k := (Adding.kept p count a).

Lemma walks_to : forall gl h m l r t, 1 <= l <= 3 -> at1 vms_root gl vm = root (vm_at a vm) ->
  world h0 (Aset k) (Aset k) m (now m) h -> tables_hold k m -> s2_walk vm x l (Mach gl h) = Some (r, t) ->
  r = walk_end a vm x l /\ let '(q, _, _, _) := r in ~ given p count q.
Proof.
  intros gl h m l r t L G Y T E. pose proof (Adding.kept_is a p count W C HO) as B. pose proof (hidden_wf B) as WK.
  assert (VK : vm_state (vm_at k vm) <> NIE_VM_FREE) by (destruct (h_root B vm) as [_ ->]; apply V).
  assert (EW : walk_end k vm x l = walk_end a vm x l).
  { unfold walk_end. rewrite !(Adding.kept_slots a p count W C HO). now destruct (h_root B vm) as [-> _]. }
  assert (K : wp (s2_walk vm x l) (fun r _ => r = walk_end k vm x l) (Mach gl h)).
  { eapply (s2_walk_wp h0 k); eauto.
    - rewrite RAM. unfold ram_of. now rewrite (h_cfg B).
    - intros q v j y R O. apply (kept_untouched _ WK); auto. now rewrite O.
    - apply V.
    - rewrite G. now destruct (h_root B vm) as [-> _]. }
  unfold wp in K. rewrite E in K. subst r. split; [exact EW|]. pose proof (walk_table k vm x l WK (proj1 V) VK) as O.
  destruct (walk_end k vm x l) as [[[q d] w] j]. destruct O as (j' & y & O). intro Gq.
  destruct (Adding.kept_free a p count W C HO q Gq) as (_ & O' & _). congruence.
Qed.

Lemma taken_private : forall m h q, world h0 (Aset k) (Aset k) m (now m) h -> given p count q ->
  private q h /\ forall w, is_word w = true -> Map.get (Machine.mem h) (q * 512 + w) = m (q * 512 + w).
Proof.
  intros m h q Y Gq. pose proof (hidden_wf (Adding.kept_is a p count W C HO)) as WK.
  destruct (Adding.kept_free a p count W C HO q Gq) as (R & O & _).
  assert (NT : ~ touch (Aset k) q) by (apply (kept_untouched _ WK); auto; now rewrite O).
  split; [eapply world_private; eauto|]. intros w I. exact (w_mem _ _ _ _ _ _ Y q w I NT).
Qed.
End Taken.

Section Zero.
Variables (a : state) (gl : globals) (h : Machine.hw) (vm ipa pa count level : Z).
Hypothesis HR : R a (Mach gl h).
Hypothesis HV : 0 <= vm < 2 ^ 64.
Hypothesis HI : 0 <= ipa < 2 ^ 64.
Hypothesis HP : 0 <= pa < 2 ^ 64.
Hypothesis HC : 0 <= count < 2 ^ 64.
Hypothesis HL : 0 <= level < 2 ^ 64.
Hypothesis E : spec_zero_check a vm ipa pa count level = NIE_OK.
Notation p := (State.page_of pa).
Notation x := (State.page_of ipa).
Notation k := (Adding.kept p count a).

Lemma zero_checked : vm_state (vm_at a vm) <> NIE_VM_FREE /\ 0 <= vm < NIE_MAX_VMS /\ Donation.check_placement a vm ipa pa count = NIE_OK.
Proof.
  pose proof E as F. unfold nie.spec.call.page_add_zero.page_add_zero_check in F.
  destruct (vm_exists vm) eqn:E1; [|discriminate].
  destruct (vm_is a vm NIE_VM_BUILDING NIE_VM_ACTIVE) eqn:E2; [|discriminate].
  destruct ((level =? LEVEL_BLOCK) || (level =? LEVEL_PAGE))%bool; [|discriminate].
  destruct (negb (level =? LEVEL_BLOCK) || (count =? ENTRIES))%bool; [|discriminate].
  destruct (Donation.check_placement a vm ipa pa count =? NIE_OK) eqn:E5; [|apply Z.eqb_neq in E5; congruence].
  apply Z.eqb_eq in E5. split; [eapply is_used; eauto; discriminate|]. split; [unfold vm_exists in E1; lia|auto].
Qed.

(* Up to the scrub's end. *)
Lemma zero_there : exists h0 gl1 h1 gl2 h2, 
  page_add_zero_check vm ipa pa count level (Mach gl h) = Some (NIE_OK, Mach gl h0) /\
  donate vm p count GRANULE_DATA vm 0 0 x (Mach gl h0) = Some (tt, Mach gl1 h1) /\
  pages_scrub p count (Mach gl1 h1) = Some (tt, Mach gl2 h2) /\
  at1 vms_root gl2 vm = root (vm_at a vm) /\
  exists m, world h (Aset k) (Aset k) m (now m) h2 /\ tables_hold k m /\
    forall q i, is_word i = true -> given p count q -> m (q * 512 + i) = 0.
Proof.
  destruct zero_checked as (ST & V & PL). destruct HR as [W O G (m & X & TH) RAM ENG REGS CNT]. cbn [C_store.glob C_store.hw] in *.
  destruct (placement_ok a vm ipa pa count W ltac:(lia) ltac:(lia) PL) as (F1 & F2 & F3 & F4 & F5 & F6 & F7).
  assert (K : wp (page_add_zero_check vm ipa pa count level) (fun st s => st = NIE_OK /\ exists h0, s = Mach gl h0 /\ world h (Aset a) (Aset a) m (now m) h0) (Mach gl h)).
  { eapply page_add_zero_check_wp; eauto. }
  apply run_of_wp in K. destruct K as (st & s0 & E0 & -> & h0 & -> & X0).
  set (o := fun i => Data vm (x + i)).
  assert (K : wp (donate vm p count GRANULE_DATA vm 0 0 x ;;; pages_scrub p count ;;; ret 0) (fun _ s => exists gl' m' h',
    s = Mach gl' h' /\ at1 vms_root gl' vm = root (vm_at a vm) /\ world h (Aset k) (Aset k) m' (now m') h' /\ tables_hold k m' /\
    forall q i, is_word i = true -> given p count q -> m' (q * 512 + i) = 0) (Mach gl h0)).
  { eapply (donated_wp a h m W RAM ENG TH vm p count V ltac:(lia) F7 o GRANULE_DATA vm 0 x); [lia|auto|split; discriminate|exact G|exact X0|].
    intros gl' m' h' G' _ X' T' Z'. apply wp_ret. exists gl', m', h'. split; [auto|]. split; [|auto].
    destruct (g_vm _ _ G' vm) as (_ & -> & _); [exact V|].
    now destruct (same_root _ _ (hand_over_records a vm p count o ltac:(lia) ST) vm). }
  apply run_of_wp in K. destruct K as (z & s2 & E2 & gl2 & m2 & h2 & -> & G2 & X2 & T2 & Z2). unfold bind in E2.
  destruct (donate vm p count GRANULE_DATA vm 0 0 x (Mach gl h0)) as [[[] [gl1 h1]]|] eqn:D; [|discriminate].
  destruct (pages_scrub p count (Mach gl1 h1)) as [[[] [gl3 h3]]|] eqn:S; [|discriminate]. unfold ret in E2.
  assert (gl3 = gl2 /\ h3 = h2) as [-> ->] by (injection E2; auto).
  exists h0, gl1, h1, gl2, h2. eauto 12.
Qed.

(* What the call makes of the map, and the entries that it stores. *)
Lemma zero_adds : let z := snd (spec_page_add_zero vm ipa pa count level a) in
  if level =? LEVEL_PAGE then adds a z vm x p count (page_entries vm x count) 3 (fun i e => 0 <= i < count /\ e = Z.lor (Z.lor ((p + i) * 4096) DESC_NORMAL) DESC_PAGE)
  else adds a z vm x p count (one_entry vm 2 (x / 512)) 2 (fun i e => i = 0 /\ e = Z.lor (Z.lor (p * 4096) DESC_NORMAL) DESC_BLOCK).
Proof.
  destruct zero_checked as (ST & V & PL). pose proof (R_wf _ _ HR) as W.
  destruct (placement_ok a vm ipa pa count W ltac:(lia) ltac:(lia) PL) as (F1 & F2 & F3 & F4 & F5 & F6 & F7).
  destruct (add_zero_records a vm x p count level ltac:(lia) ST) as (A1 & A2 & _).
  assert (NF : vm_state (vm_at (add_zero vm x p count level a) vm) <> NIE_VM_FREE) by (destruct (same_root _ _ A2 vm) as [_ ->]; exact ST).
  pose proof E as EE. unfold nie.spec.call.page_add_zero.page_add_zero_check in EE.
  destruct (vm_exists vm); [|discriminate]. destruct (vm_is a vm NIE_VM_BUILDING NIE_VM_ACTIVE); [|discriminate].
  destruct ((level =? LEVEL_BLOCK) || (level =? LEVEL_PAGE))%bool eqn:E3; [|discriminate].
  destruct (negb (level =? LEVEL_BLOCK) || (count =? ENTRIES))%bool eqn:E4; [|discriminate].
  rewrite PL in EE. change (NIE_OK =? NIE_OK) with true in EE. cbv zeta iota in EE.
  unfold nie.spec.call.page_add_zero.page_add_zero. rewrite E. change (NIE_OK =? NIE_OK) with true. cbv zeta iota. cbn [snd].
  pose proof (measured_parts vm (Measure.record MEASURE_ZERO ipa count 0) _ NF) as Z. revert Z.
  unfold nie.spec.call.page_add_zero.add_zero. destruct (level =? LEVEL_PAGE) eqn:LP; intro Z; unfold Donation.check_empty in EE.
  - change (LEVEL_PAGE - 1) with 2 in EE. change LEVEL_PAGE with 3 in EE. destruct (slot_at a vm 2 (x / 512)) as [| |t|t|t|t] eqn:T; try discriminate.
    apply ad_pages with (t := t); auto; try lia. intros y Y. eapply all_empty_ok; eauto. lia.
  - assert (CN : count = 512 /\ p mod 512 = 0 /\ x mod 512 = 0) by (clear - E3 E4 F3 F5 F6 LP; unfold LEVEL_BLOCK, LEVEL_PAGE, ENTRIES in *; lia).
    change (LEVEL_BLOCK - 1) with 1 in EE. change LEVEL_BLOCK with 2 in EE. destruct (slot_at a vm 1 (x / 512 / 512)) as [| |t|t|t|t] eqn:T; try discriminate.
    apply ad_block with (t := t); auto; try lia. apply (all_empty_ok _ _ _ _ _ EE). lia.
Qed.
(* The whole of it, watched; [l0]: what has been noted so far. *)
Theorem zero_shown : forall l0, exists g' h' before after,
  @call_page_add_zero _ watching vm ipa pa count level (Mach gl (h, l0)) = Some (NIE_OK, Mach g' (h', l0 ++ before ++ after)) /\
  R (snd (spec_page_add_zero vm ipa pa count level a)) (Mach g' h') /\
  (forall q, given p count q -> shows a vm q (fun _ => 0) before (after ++ [(h', None)]) /\ kept_from (vm + 1) q (fun _ => 0) (before ++ after) h') /\
  Forall (fun n => bounded (either a k) (vttbr h) (fst n)) before /\ Forall (fun n => bounded (Aset (snd (spec_page_add_zero vm ipa pa count level a))) (vttbr h) (fst n)) after.
Proof.
  intro l0. pose proof zero_adds as AD. destruct zero_checked as (ST & V & PL). destruct zero_there as (h0 & gl1 & h1 & gl2 & h2 & E0 & E1 & E2 & G2 & m & X2 & T2 & Z2).
  assert (HS : spec_page_add_zero vm ipa pa count level a = (NIE_OK, snd (spec_page_add_zero vm ipa pa count level a))).
  { unfold nie.spec.call.page_add_zero.page_add_zero. cbn zeta. rewrite E. reflexivity. }
  destruct (run_of_wp _ _ _ _ _ (page_add_zero_refines a (Mach gl h) vm ipa pa count level HR HV HI HP HC HL)) as (r & s' & U & Er & R' & _).
  rewrite HS in Er. cbn [fst] in Er. subst r.
  destruct HR as [W O G (m0 & X0 & TA0) RAM _ REGS _]. cbn [C_store.glob C_store.hw] in *.
  destruct (placement_ok a vm ipa pa count W ltac:(lia) ltac:(lia) PL) as (F1 & F2 & F3 & F4 & F5 & F6 & F7).
  assert (C : 1 <= count /\ p mod 512 + count <= 512) by lia.
  assert (VB : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V; lia).
  assert (P0 : 0 < p /\ p + count <= 2 ^ 27 + 1).
  { pose proof (c_ram _ (wf_c _ W)). destruct (F7 0) as [R0 _]; [lia|]. destruct (F7 (count - 1)) as [R1 _]; [lia|]. unfold in_ram in *. lia. }
  pose proof (Adding.kept_is a p count W C F7) as B0.
  (* The unwatched run, after the scrub. *)
  unfold call_page_add_zero in U. rewrite (bind_known _ _ _ _ _ _ _ _ E0) in U. cbv beta in U. change (negb (NIE_OK =? NIE_OK)) with false in U. cbv iota in U.
  rewrite (bind_known _ _ _ (ret (wrap U32 vm)) _ _ _ _ eq_refl) in U. rewrite (wrap32 vm) in U by lia.
  rewrite (bind_known _ _ _ _ _ _ _ _ (page_of_run gl h0 pa)) in U. rewrite (bind_known _ _ _ _ _ _ _ _ (page_of_run gl h0 ipa)) in U.
  change (pa / 4096) with p in U. change (ipa / 4096) with x in U.
  replace (wrap U8 vm) with vm in U by (unfold wrap; cbn [width]; lia). rewrite (wrap32 x) in U by lia.
  rewrite (bind_known _ _ _ _ _ _ _ _ E1), (bind_known _ _ _ _ _ _ _ _ E2) in U.
  (* The watched one, up to there. *)
  unfold call_page_add_zero.
  destruct (goes none (either a k) (vttbr h) _ (Mach gl (h, l0)) _ _ _ _ (q_zero_check none (either a k) (vttbr h) vm ipa pa count level _) E0) as (w0 & A0 & D0 & L0).
  rewrite (bind_known _ _ _ _ _ _ _ _ A0). change (negb (NIE_OK =? NIE_OK)) with false. cbv iota.
  rewrite (bind_known _ _ _ (ret (wrap U32 vm)) _ _ _ _ eq_refl). rewrite (wrap32 vm) by lia.
  assert (K0 : forall y w, drop w = Mach gl h0 -> @page_of _ y (drop w) = Some (y / 4096, Mach gl h0)) by (intros y w ->; apply page_of_run).
  destruct (goes none (either a k) (vttbr h) _ w0 _ _ _ _ (q_page_of none (either a k) (vttbr h) pa _) (K0 pa w0 D0)) as (w1 & A1 & D1 & L1). rewrite (bind_known _ _ _ _ _ _ _ _ A1).
  destruct (goes none (either a k) (vttbr h) _ w1 _ _ _ _ (q_page_of none (either a k) (vttbr h) ipa _) (K0 ipa w1 D1)) as (w2 & A2 & D2 & L2). rewrite (bind_known _ _ _ _ _ _ _ _ A2).
  change (pa / 4096) with p. change (ipa / 4096) with x.
  replace (wrap U8 vm) with vm by (unfold wrap; cbn [width]; lia). rewrite (wrap32 x) by lia.
  destruct w2 as [gw [hw2 gs]]. injection D2 as -> ->.
  destruct (goes none (either a k) (vttbr h) _ _ _ _ _ _ (either_donates a k h p count B0 m T2 gl h0 gs vm x G V ltac:(lia)) E1) as (w3 & A3 & D3 & L3). rewrite (bind_known _ _ _ _ _ _ _ _ A3).
  rewrite <- D3 in E2.
  destruct (goes none (either a k) (vttbr h) _ w3 _ _ _ _ (q_scrub (either a k) (vttbr h) p count _) E2) as ([gl4 [h4 l4]] & A4 & D4 & L4). rewrite (bind_known _ _ _ _ _ _ _ _ A4).
  injection D4 as -> ->.
  destruct (looks_trans _ _ _ _ _ _ (looks_trans _ _ _ _ _ _ (looks_trans _ _ _ _ _ _ (looks_trans _ _ _ _ _ _ L0 L1) L2) L3) L4) as (before & EQ & FB & _).
  cbn [C_store.hw fst snd] in EQ, FB. subst l4.
  assert (NB : forall n q, In n before -> given p count q -> ~ reached (fst n) (vm + 1) q).
  { intros n q I Gq. destruct (FB (either_bounded a k h p count B0 m0 TA0 h X0)) as [_ FA]. rewrite Forall_forall in FA.
    intro RE. exact (no_vm_reaches a k p count B0 _ _ vm q (FA n I) Gq RE (proj1 V)). }
  destruct (R_hw _ _ R') as (mf & XF & TF). pose proof (R_wf _ _ R') as WZ. cbv zeta in AD. set (z := snd (spec_page_add_zero vm ipa pa count level a)) in *.
  match goal with |- exists g' h' before after, ?m1 _ = _ /\ _ => match type of U with ?m2 _ = _ =>
    assert (RUN : runs (given p count) (Aset z) (vttbr h) (Mach gl2 (h2, l0 ++ before)) m1 m2) end end.
  { apply run_bind; [apply q_ic|]. intros [] w5 E5.
    assert (Y5 : exists h5, drop w5 = Mach gl2 h5 /\ world h (Aset k) (Aset k) m (now m) h5).
    { assert (K : wp ic_invalidate (fun _ s => exists h5, s = Mach gl2 h5 /\ world h (Aset k) (Aset k) m (now m) h5) (Mach gl2 h2)).
      { eapply wp_ic; [exact X2|]. eauto. }
      unfold wp in K. change (drop (Mach gl2 (h2, l0 ++ before))) with (Mach gl2 h2) in E5. rewrite E5 in K. exact K. }
    destruct Y5 as (h5 & D5 & X5).
    assert (EL : forall l r t, 1 <= l <= 3 -> s2_walk vm x l (drop w5) = Some (r, t) -> r = walk_end a vm x l /\ let '(q, _, _, _) := r in ~ given p count q).
    { intros l r t L5 E6. rewrite D5 in E6. eapply (walks_to a h vm x p count W RAM (conj V ST) F4 C F7); eauto. }
    apply run_bind.
    - destruct (level =? LEVEL_PAGE).
      + apply run_bind; [|intros; apply q_ret]. apply run_map. intros r t E6. destruct (EL 3 r t ltac:(lia) E6) as [ER N].
        pose proof (ad_word _ _ _ _ _ _ _ _ _ AD) as AW. rewrite <- ER in AW. destruct r as [[[q d] w] l]. split; [exact N|].
        intros i t1 u u' I EA.
        pose proof (walk_index a vm x 3 F4) as WI. rewrite <- ER in WI. destruct (entry_word p w i DESC_NORMAL t1 u u' WI ltac:(lia) ltac:(lia) EA) as [-> ->].
        now apply (AW mf TF).
      + apply run_bind; [apply q_walk|]. intros r w6 E6. destruct (EL LEVEL_BLOCK r (drop w6) ltac:(unfold LEVEL_BLOCK; lia) E6) as [ER N].
        pose proof (ad_word _ _ _ _ _ _ _ _ _ AD) as AW. change 2 with LEVEL_BLOCK in AW. rewrite <- ER in AW. destruct r as [[[q d] w] l]. cbn beta iota in *.
        apply run_bind; [|intros; apply q_ret]. apply q_write; [exact N|]. intros _. replace w with (w + 0) by lia. apply (AW mf TF). split; [auto|now rewrite <- F2].
    - intros [] w6 _. apply run_bind; [apply q_load|]. intros st w7 _. apply run_bind; [|intros; apply q_ret].
      destruct (st =? NIE_VM_BUILDING); [|apply q_ret]. apply run_bind; [apply q_record|intros; apply q_ret]. }
  destruct (goes _ _ _ _ _ _ _ _ _ RUN U) as ([gl8 [h8 l8]] & A8 & D8 & after & L8 & S8). cbn [C_store.hw fst snd] in *.
  destruct s' as [gl9 h9]. injection D8 as -> ->. subst l8. exists gl9, h9, before, after. split; [rewrite app_assoc; exact A8|]. split; [exact R'|].
  destruct S8 as [B8 S8].
  assert (exists N l e, adds a z vm x p count N l e) as (N & l & e & AZ) by (destruct (level =? LEVEL_PAGE); eauto).
  assert (B2 : bounded (Aset z) (vttbr h) h2).
  { eapply linked_bounded; [exact (ad_linked _ _ _ _ _ _ _ _ _ AZ)|exact (ad_was _ _ _ _ _ _ _ _ _ AZ)|exact (ad_is _ _ _ _ _ _ _ _ _ AZ)|exact X2]. }
  split; [|split; [exact (proj2 (FB (either_bounded a k h p count B0 m0 TA0 h X0)))|exact (proj2 (B8 B2))]].
  intros q Gq. destruct (taken_private a h p count W C F7 m h2 q X2 Gq) as [P2 M2].
  destruct (ad_own _ _ _ _ _ _ _ _ _ AZ q Gq) as (RQ & y & OQ).
  assert (C2 : holds q (fun _ => 0) h2) by (intros w I; rewrite M2 by auto; now apply Z2).
  split; [eapply (shown a z h vm q y (fun _ => 0) h2); eauto; [lia|apply (r_vttbr _ _ REGS)]|].
  eapply (shown_kept z h vm q y (fun _ => 0) h2); eauto.
Qed.
End Zero.
