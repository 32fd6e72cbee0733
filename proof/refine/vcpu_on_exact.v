(* SPDX-License-Identifier: Apache-2.0 *)
(* PSCI CPU_ON and the reopening of a page: what they do to the engine's own pages, exactly. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers Actions.
From nie.spec.trap Require vcpu_call.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning page_remove_preserves vcpu_run_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.trap_h nie.generated.state.world nie.generated.state.context nie.generated.state.stage2
  nie.generated.trap.vcpu_call.
From nie.spec Require Import Core.
From nie.proof.refine Require Import GiveBack Shared vcpu_traps.
From nie.proof.refine Require Export vcpu_abort_exact.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_on := nie.spec.trap.vcpu_call.vcpu_on.
Notation spec_reopen := nie.spec.trap.vcpu_call.page_reopen.

(* The words of a context, when another page holds none of them. *)
Lemma saved_tables : forall a v t p M m m', wf a -> onto a -> context_page (vcpu_at a v t) = p -> 0 <= v < NIE_MAX_VMS -> 0 <= t < NIE_MAX_VCPUS ->
  own a p = Vcpu v t -> tables_hold a m ->
  (forall x j, is_word j = true -> x <> p -> m' (x * 512 + j) = m (x * 512 + j)) -> (forall j, is_word j = true -> m' (p * 512 + j) = Map.get M j) ->
  tables_hold (set_saved v t M a) m'.
Proof.
  intros a v t p M m m' W O CP V I PO T OUT IN. assert (NE : forall x, own a x = Engine -> x <> p) by congruence. constructor.
  - intros x w l y j R H J. change (own a x = Table w l y) in H. rewrite OUT; [exact (t_vm _ _ T x w l y j R H J)|exact J|congruence].
  - intros j J. destruct (low_table_page a W 0) as [_ H]; [pose proof (gibs_small _ W); lia|]. rewrite Z.add_0_r in H. rewrite OUT; [exact (t_1 _ _ T j J)|exact J|now apply NE].
  - intros x j X J. destruct (low_table_page a W (1 + x)) as [_ H]; [change (gib_count (set_saved v t M a)) with (gib_count a) in X; lia|]. rewrite Z.add_assoc in H.
    rewrite OUT; [exact (t_2 _ _ T x j X J)|exact J|now apply NE].
  - intros g j G J. destruct (level3_page a W g G) as [_ H]. rewrite OUT; [exact (t_3 _ _ T g j G J)|exact J|now apply NE].
  - intros x w y j R H J. change (own a x = Vcpu w y) in H. change (State.in_ram a x = true) in R. destruct (on_vcpu _ O _ _ _ R H) as (W1 & W2 & W3 & W4).
    transitivity (Map.get (Map.get (Map.set (saved a) (v * NIE_MAX_VCPUS + t) M) (w * NIE_MAX_VCPUS + y)) j); [|reflexivity]. rewrite Map.get_set.
    destruct (Z.eqb_spec (w * NIE_MAX_VCPUS + y) (v * NIE_MAX_VCPUS + t)) as [F|F].
    + assert (w = v /\ y = t) as [-> ->] by (unfold NIE_MAX_VCPUS in *; lia). assert (x = p) as -> by congruence. auto.
    + rewrite OUT; [exact (t_saved _ _ T x w y j R H J)|exact J|]. intros ->. apply F. rewrite PO in H. injection H as -> ->. reflexivity.
Qed.

Section On.
Variables (c : Z) (o : Z -> owner) (s0 : MACH).
Notation at_ := (stands c o s0).
Notation POST X := (X -> MACH -> Prop).

Lemma at_world : forall a gl h, at_ a (Mach gl h) -> exists m, world h (Aset a) (Aset a) m (now m) h /\ tables_hold a m.
Proof. intros a gl h [[_ _ _ X]]. exact X. Qed.

Lemma flush_world : forall a A m gl h h1 v (Q : POST unit), wf a -> (forall w l k d, A w l k d <-> Aset a w l k d) -> tables_hold a m -> world h A A m (now m) h1 ->
  (forall h2, world h A A m (now m) h2 -> Q tt (Mach gl h2)) -> wp (s2_flush v) Q (Mach gl h1).
Proof.
  intros a A m gl h h1 v Q W EA T X H. unfold s2_flush. w_bind. eapply wp_dsb_same; [exact X|]. intros h2 X2. cbn beta.
  w_bind. eapply (wp_tlbi h A A); [exact X2|intros ? ? ? ? K; exact K|auto|auto|exact (w_closed _ _ _ _ _ _ X2)|auto|]. intros h3 X3. cbn beta.
  w_bind. eapply wp_dsb_same; [exact X3|]. intros h4 X4. cbn beta. w_bind. eapply wp_isb; [exact X4|]. intros h5 X5. cbn beta. apply wp_ret. auto.
Qed.
Lemma at_flush : forall a s v (Q : POST unit), at_ a s -> (forall s', at_ a s' -> Q tt s') -> wp (s2_flush v ;;; ic_invalidate) Q s.
Proof.
  intros a [gl h] v Q A H. destruct (at_world _ _ _ A) as (m & X & T).
  assert (K : wp (s2_flush v ;;; ic_invalidate) (fun _ s' => glob s' = gl /\ world h (Aset a) (Aset a) m (now m) (hw s')) (Mach gl h)).
  { w_bind. eapply flush_world; [apply (at_sound _ _ _ _ _ A)|intros; reflexivity|exact T|exact X|]. intros h2 X2. eapply wp_ic; [exact X2|]. auto. }
  apply (wp_mute o) in K; [|apply mute_bind; [apply mute_flush|intro; apply mute_ic]].
  eapply wp_weaken; [exact K|]. cbn beta. intros [] [gl' h'] ((E & X') & S). cbn [glob hw] in *. subst gl'. apply H.
  eapply at_moved; eauto using ot_refl; [eapply at_sound; eauto|exact (at_globals _ _ _ _ _ A)].
Qed.

(** A context is made anew: scrubbed, then four words. *)

Lemma reset_world : forall a gl h v t entry x (Q : POST unit), at_ a (Mach gl h) -> 0 <= v < 64 -> 0 <= t < 8 -> vcpu_state (vcpu_at a v t) = VCPU_OFF ->
  (forall m' h', world h (Aset a) (Aset a) m' (now m') h' -> tables_hold (set_saved v t (Actions.reset_context entry x) a) m' -> silent o h h' ->
     Q tt (Mach (put1 vcpus_syndrome (v * NIE_MAX_VCPUS + t) 0 (put1 vcpus_pending (v * NIE_MAX_VCPUS + t) PENDING_NONE gl)) h')) ->
  wp (context_reset v t entry x) Q (Mach gl h).
Proof.
  intros a gl h v t entry x Q A V I OFF H. set (k := v * NIE_MAX_VCPUS + t) in *. assert (KB : 0 <= k < 512) by (unfold k, NIE_MAX_VCPUS; lia).
  pose proof (at_sound _ _ _ _ _ A) as [W O _]. pose proof (at_globals _ _ _ _ _ A) as G. cbn [glob] in G. destruct (at_world _ _ _ A) as (m & X & T).
  assert (V' : 0 <= v < NIE_MAX_VMS) by exact V. assert (I' : 0 <= t < NIE_MAX_VCPUS) by exact I. set (p := context_page (vcpu_at a v t)).
  destruct (u_some _ (wf_u _ W) v t V' I') as (_ & _ & _ & PR & PO & _); [rewrite OFF; discriminate|]. fold p in PR, PO.
  assert (NT : ~ touch (Aset a) p) by (apply (untouched a W); auto; now rewrite PO).
  assert (KP : kept (o p) = true) by (rewrite <- (sd_own _ _ _ _ _ A), PO; reflexivity).
  assert (RAM : ram h = ram_of a) by apply (R_ram _ _ (sd_R _ _ _ _ _ A)).
  set (gl1 := put1 vcpus_syndrome k 0 (put1 vcpus_pending k PENDING_NONE gl)) in *.
  assert (K : wp (page_zero p ;;; page_write p CTX_X0 x ;;; page_write p 32 SCTLR_EL1_RESET ;;; page_write p 58 entry ;;; page_write p 59 PSTATE_EL1H_MASKED ;;; dsb_ish ;;; ret tt)
      (fun _ s' => glob s' = gl1 /\ exists m', world h (Aset a) (Aset a) m' (now m') (hw s') /\ tables_hold (set_saved v t (Actions.reset_context entry x) a) m') (Mach gl1 h)).
  { w_bind. eapply (wp_zero h a); [exact RAM|exact X|exact PR|exact NT|]. intros m1 h1 E1 X1 _. cbn beta.
    set (V1 := fun w d => now m w d \/ p * 512 <= w < p * 512 + 512).
    assert (CL : closed (Aset a) V1).
    { intros v' l y d j d' HA TB J VA [D|D].
      - eapply (w_closed _ _ _ _ _ _ X1); eauto.
      - exfalso. assert (E : Machine.frame d = p) by (unfold is_word in J; lia).
        destruct (table_target a W _ _ _ _ HA TB) as [_ [(_ & F)|(z & _ & F)]]; rewrite E, PO in F; discriminate. }
    assert (X2 : world h (Aset a) (Aset a) m1 V1 h1).
    { eapply world_grow; [exact X1| | | | | | | | |]; try (intros v' l y d K; exact K).
      - intros w d ? N. left. exact N.
      - exact CL.
      - exact CL.
      - exact (Aset_apart a W).
      - exact (w_safe _ _ _ _ _ _ X1).
      - exact (w_secret _ _ _ _ _ _ X1). }
    assert (IP' : forall j d, is_word j = true -> V1 (p * 512 + j) d) by (intros; right; unfold is_word in *; lia).
    assert (ST : forall mm h2 j y (Q2 : POST unit), world h (Aset a) (Aset a) mm V1 h2 -> is_word j = true ->
      (forall h3, world h (Aset a) (Aset a) (upd mm (p * 512 + j) y) V1 h3 -> Q2 tt (Mach gl1 h3)) -> wp (page_write p j y) Q2 (Mach gl1 h2)).
    { intros mm h2 j y Q2 Y J K. eapply (wp_page_write h a RAM); eauto. }
    w_bind. eapply ST; [exact X2|reflexivity|]. intros h2 X3. cbn beta.
    w_bind. eapply ST; [exact X3|reflexivity|]. intros h3 X4. cbn beta.
    w_bind. eapply ST; [exact X4|reflexivity|]. intros h4 X5. cbn beta.
    w_bind. eapply ST; [exact X5|reflexivity|]. intros h5 X6. cbn beta.
    w_bind. eapply wp_dsb_same; [exact X6|]. intros h6 X7. cbn beta. apply wp_ret. cbn [glob hw]. split; [reflexivity|]. eexists. split; [exact X7|].
    apply (saved_tables a v t p) with (m := m); auto.
    - intros y j J N. unfold upd. assert (D : forall i, is_word i = true -> y * 512 + j =? p * 512 + i = false) by (intros i D; unfold is_word in *; lia).
      rewrite !D, E1 by reflexivity. unfold is_word in J. now replace ((p * 512 <=? y * 512 + j) && (y * 512 + j <? p * 512 + 512))%bool with false by lia.
    - intros j J. unfold upd, Actions.reset_context. rewrite !Map.get_set, Map.get_const, E1. unfold is_word in J.
      replace ((p * 512 <=? p * 512 + j) && (p * 512 + j <? p * 512 + 512))%bool with true by lia.
      assert (D : forall i, (p * 512 + j =? p * 512 + i) = (j =? i)) by (intro i; lia). rewrite !D. reflexivity. }
  apply (wp_mute o) in K.
  2:{ apply mute_bind; [now apply mute_page_zero|intro]. do 4 (apply mute_bind; [now apply mute_page_write|intro]). apply mute_bind; [apply mute_dsb|intro; apply mute_ret]. }
  unfold context_reset. rewrite (wrap32 (v * NIE_MAX_VCPUS)), wrap32 by (unfold NIE_MAX_VCPUS in *; lia). fold k.
  w_bind. unfold index at 1. replace ((0 <=? k) && (k <? 512))%bool with true by lia. apply wp_ret.
  w_bind. eapply wp_load1; [reflexivity|exact KB|]. cbn beta. replace (at1 vcpus_context gl k) with p by (symmetry; apply (g_vcpus _ _ G v t V' I')).
  do 2 (w_bind; eapply wp_store1; [reflexivity|exact KB|]; cbn beta). fold gl1.
  eapply wp_weaken; [exact K|]. cbn beta. intros [] [gl2 h2] ((E & m' & X' & T') & S). cbn [glob hw] in *. subst gl2. eapply H; eauto.
Qed.
End On.
