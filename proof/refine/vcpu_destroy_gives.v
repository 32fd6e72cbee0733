(* SPDX-License-Identifier: Apache-2.0 *)
(* Pages go back while the engine's records still name their vCPU: the contracts of GiveBack.v with what the hardware
   shows (state [b]) apart from what the core's objects hold (state [c]). *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Records.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate.
From nie.spec Require Import Core.
From nie.proof.refine Require Export GiveBack.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Apart.
Variables (b c : state) (v q : Z).
Hypothesis W : wf b.
Hypothesis W' : wf (give v q b).
Hypothesis CF : cfg c = cfg b.
Hypothesis RQ : in_ram b q = true.
Variable h0 : Machine.hw.
Hypothesis RAM : ram h0 = ram_of b.
Hypothesis ENG : engine h0 = engine_of b.
Let b' := give v q b.
Let c' := give v q c.

Lemma cfg_wf : wf_cfg c.
Proof. destruct (wf_c _ W). constructor; unfold level3_first, gib_count in *; rewrite CF; auto. Qed.
Lemma cfg_wf' : wf_cfg c'.
Proof. destruct cfg_wf. now constructor. Qed.
Lemma cfg_ram : forall p, in_ram c p = in_ram b p.
Proof. intro p. unfold in_ram. now rewrite CF. Qed.
Lemma cfg_level3 : forall g, level3 c g = level3 b g.
Proof. intro g. unfold level3, level3_first, gib_count. now rewrite cfg_ram, CF. Qed.

Lemma host_show_apart : forall gl m h (Q : unit -> mach globals Machine.hw -> Prop), globals_hold c' gl ->
  world h0 (Aset b) (Aset b) m (now m) h -> tables_hold b m -> host_may_access b q = false -> own b q <> Engine -> ~ secret h q ->
  (forall m' h', world h0 (Aset b') (Aset b') m' (now m') h' -> tables_hold b' m' -> Q tt (Mach gl h')) ->
  wp (host_show q) Q (Mach gl h).
Proof.
  intros gl m h Q G X T N K SQ H. pose proof (ram_small _ W _ RQ) as QS.
  pose proof (c_ram _ (wf_c _ W')) as C. pose proof (give_managed b q W RQ) as MG. destruct (level3_page _ W _ MG) as [R3 O3].
  unfold host_show. w_bind. w_known level3_of_run; [exact cfg_wf'|eassumption|change (in_ram c q = true); now rewrite cfg_ram|].
  w_bind. w_known address_of_run; [lia|]. w_bind.
  rewrite wrap32 by lia. rewrite land_511.
  set (m' := upd m (shown_at b q) (shown_desc q)).
  (* Whatever the order of the attributes. *)
  match goal with |- wp (page_write _ _ ?d) _ _ => assert (ED : d = shown_desc q) end.
  { unfold shown_desc. rewrite <- Z.lor_assoc. change (DESC_NORMAL + DESC_PAGE) with 2047.
    match goal with |- Z.lor _ ?c = _ => change c with 2047 end. apply lor_page; lia. }
  rewrite ED. change (level3 c' (q / 512)) with (level3 c (q / 512)). rewrite cfg_level3.
  assert (M0 : m (shown_at b q) = 0).
  { unfold shown_at. rewrite (t_3 _ _ T); auto; [|unfold is_word; lia]. unfold henc. cbn [Z.eqb Pos.eqb].
    replace (q / 512 * 512 + q mod 512) with q by lia. now rewrite N. }
  assert (T' : tables_hold b' m') by (apply give_tables; auto).
  assert (X1 : world h0 (Aset b') (Aset b') m (now m') h).
  { eapply give_grow with (m' := m'); eauto. intros w d V E. unfold now, m', upd in *. destruct (Z.eqb_spec w (shown_at b q)) as [->|]; auto.
    rewrite M0 in E. subst d. discriminate. }
  eapply (wp_page_write h0 b' RAM); eauto.
  - unfold is_word. lia.
  - apply (kept_untouched _ W'); auto. unfold b'. rewrite give_own.
    destruct (Z.eqb_spec (level3 b (q / 512)) q) as [E|E]; [|now rewrite O3].
    exfalso. apply K. now rewrite <- E.
  - intros _. unfold now, m', upd. fold (shown_at b q). now rewrite Z.eqb_refl.
  - fold (shown_at b q). rewrite M0. discriminate.
  - fold (shown_at b q). fold m'. intros h1 X2. w_bind. eapply wp_dsb_same; eauto. intros h2 X3. cbn beta. go. eapply H; eauto.
Qed.

Lemma give_back_apart : forall gl m h (Q : unit -> mach globals Machine.hw -> Prop), globals_hold c gl -> 0 <= v < NIE_MAX_VMS ->
  world h0 (Aset b) (Aset b) m (now m) h -> ~ touch (Aset b) q -> host_may_access b q = false -> own b q <> Engine ->
  (forall m', (forall w, m' w = if (q * 512 <=? w) && (w <? q * 512 + 512) then 0 else m w) -> tables_hold b m') ->
  (forall gl' m' h', globals_hold c' gl' -> only_granules gl gl' -> world h0 (Aset b') (Aset b') m' (now m') h' -> tables_hold b' m' ->
     Q tt (Mach gl' h')) ->
  wp (give_back v q) Q (Mach gl h).
Proof.
  intros gl m h Q G V X NT N K T H. unfold give_back.
  w_bind. eapply (wp_zero h0 b RAM); eauto. intros m1 h1 E1 X1 S1. cbn beta.
  w_bind. eapply (wp_clean h0 b RAM) with (q := q); eauto. intros h2 X2 S2. cbn beta.
  w_bind. eapply release_wp with (a := c); eauto; [exact cfg_wf|now rewrite cfg_ram|]. intros gl1 G1 O1. cbn beta. fold (give v q c) in G1.
  w_bind. eapply host_show_apart; eauto. intros m2 h3 X3 T3. cbn beta. go. eauto.
Qed.
End Apart.
