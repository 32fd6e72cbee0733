(* SPDX-License-Identifier: Apache-2.0 *)
(* The host's SMCs: the C answers what spec/trap/host_smc.v says, for what the firmware answers. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.spec.trap Require host_smc.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning vcpu_run_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.trap_h nie.generated.state.inject nie.generated.trap.host_smc.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Midway vcpu_traps.
From nie.proof.refine Require Export Standing Described.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_smc := nie.spec.trap.host_smc.host_smc.
Notation spec_on := nie.spec.trap.host_smc.host_cpu_on.

(* Since [s0] the engine told nobody anything through memory, and asked for nothing or for one input. *)
Definition asked (s0 : MACH) (n : nat) (s : MACH) : Prop :=
  only_trap (glob s0) (glob s) /\ stays (hw s0) (hw s) /\ taken (hw s) = (taken (hw s0) + n)%nat.

Section Inputs.
Variables (c : Z) (o : Z -> owner) (s0 : MACH).
Notation at_ := (stands c o s0).

Lemma at_input : forall a s (Q : Z -> MACH -> Prop), at_ a s ->
  (forall s', stands c o s' a s' -> glob s' = glob s -> asked s0 1 s' -> Q (inputs_from (hw s0) 0) s') -> wp (on_hw input) Q s.
Proof.
  intros a [gl h] Q A H. destruct (at_live _ _ _ _ _ _ A) as (m & L & T). apply live_others in L. pose proof A as [HR M OW SI ON]. cbn [glob hw] in *.
  unfold wp, on_hw, input. cbn [hw glob]. set (h1 := others h) in *. set (h2 := h1 <| taken ::= S |>).
  assert (L2 : live h c (Aset a) m (now m) (here a) (fp_here a) (S (taken h)) h2).
  { destruct L as [LS LR LE LM LI LT LV LG LF LX]. constructor; auto; [now destruct LS|]. change (S (taken h1) = S (taken h)). now rewrite LT. }
  pose proof (silent_stays _ _ _ SI) as [E1 E2 E3]. pose proof (silent_taken _ _ _ SI) as E4.
  assert (R2 : R a (Mach gl h2)).
  { eapply R_live; [exact HR|symmetry; exact M|exact L2|exact (at_globals _ _ _ _ _ A)|exact (at_sound _ _ _ _ _ A)|apply alike_map, alike_refl|exact T|exact (at_vttbr _ _ _ _ _ A)|auto]. }
  assert (EI : inputs h1 (taken h1) = inputs_from (hw s0) 0).
  { unfold inputs_from. rewrite (lv_inputs _ _ _ _ _ _ _ _ _ L), (lv_taken _ _ _ _ _ _ _ _ _ L). rewrite E2, E4. f_equal. lia. }
  change (Q (inputs h1 (taken h1)) (Mach gl h2)). rewrite EI. apply H.
  - constructor; auto using ot_refl, silent_refl. exact (lv_me _ _ _ _ _ _ _ _ _ L2).
  - reflexivity.
  - split; [exact ON|]. pose proof (stays_of _ _ _ _ _ _ _ _ _ L2 (eq_sym M)) as [F1 F2 F3]. split.
    + constructor; cbn [hw]; [congruence|congruence|]. intros w W. rewrite F3 by (now rewrite E1). auto.
    + cbn [hw]. rewrite (lv_taken _ _ _ _ _ _ _ _ _ L2), E4. lia.
Qed.
End Inputs.

(** The allow-list. *)

(* What an exception of the host leaves: the result, the state, and at most one input asked for. What goes out to firmware and
   devices has no place in the model. *)
Record answers (s0 : MACH) (spec : Z * list Switch.event * state) (r : Z) (s' : MACH) : Prop := {
  an_result : r = fst (fst spec);
  an_R : R (snd spec) s';
  an_asked : exists n, asked s0 n s';
}.

(* A CPU's start: none of it changes who runs where. *)
Lemma at_start : forall c o s0 a gl h t r gl', stands c o s0 a (Mach gl h) -> 0 <= t < NIE_MAX_CPUS -> cpu_vm r = cpu_vm (cpu_at a t) -> cpu_vcpu r = cpu_vcpu (cpu_at a t) ->
  (forall g, g <> cpus_entry -> g <> cpus_argument -> g <> cpus_started -> field g gl' = field g gl) ->
  (forall g j, j <> t -> at1 g gl' j = at1 g gl j) -> cpu_holds gl' t r -> stands c o s0 (set_cpu t r a) (Mach gl' h).
Proof.
  intros c o s0 a gl h t r gl' A T E1 E2 F O HC. eapply at_globs; [exact A| |now apply alike_cpu|reflexivity|reflexivity|].
  - apply hold_cpu with (gl := gl); auto; [exact (at_globals _ _ _ _ _ A)| |].
    + intros g X. apply F; intros ->; discriminate X.
    + intros g j X W. destruct (Z.eq_dec j t) as [->|N]; [|now apply O]. unfold at1. rewrite F; auto; intros ->; cbn [cpu_word] in W; lia.
  - intros g X. apply F; intros ->; discriminate X.
Qed.

Section Smc.
Variables (c : Z) (o : Z -> owner) (s0 : MACH).
Notation at_ := (stands c o s0).
Notation POST X := (X -> MACH -> Prop).

Lemma asked_nothing : forall a s, at_ a s -> asked s0 0 s.
Proof. intros a s [HR M OW SI ON]. split; [auto|]. split; [eapply silent_stays; eauto|]. rewrite (silent_taken _ _ _ SI). lia. Qed.
Lemma answered_here : forall a s r, at_ a s -> answers s0 (r, [], a) r s.
Proof. intros a s r A. constructor; [reflexivity|apply A|]. exists 0%nat. eapply asked_nothing; eauto. Qed.

Lemma any_vm_wp : forall a s (Q : POST Z), at_ a s -> Q (b2z (negb (nie.spec.trap.host_smc.all_free a))) s -> wp any_vm Q s.
Proof.
  intros a [gl h] Q A H. pose proof (at_globals _ _ _ _ _ A) as G. cbn [glob] in G. unfold any_vm. apply wp_bind.
  apply wp_loop_ret with (I := fun i _ s => s = Mach gl h /\ forall j, 0 <= j < i -> vm_state (vm_at a j) = NIE_VM_FREE)
    (P := fun r s => r = 1 /\ s = Mach gl h /\ exists j, 0 <= j < NIE_MAX_VMS /\ vm_state (vm_at a j) <> NIE_VM_FREE); try (unfold NIE_MAX_VMS; lia).
  - split; [auto|]. intros. lia.
  - intros i [] s I (-> & F). apply wp_bind. eapply wp_load1; [reflexivity|unfold NIE_MAX_VMS in I; lia|]. cbn beta.
    rewrite (proj1 (g_vm _ _ G i I)). destruct (Z.eqb_spec (vm_state (vm_at a i)) NIE_VM_FREE) as [E|N]; cbn [negb]; apply wp_ret.
    + split; [auto|]. intros j J. destruct (Z.eq_dec j i) as [->|]; [auto|]. apply F. lia.
    + split; [auto|]. split; [auto|]. eauto.
  - intros [] s (-> & F). cbn beta iota. apply wp_ret. replace 0 with (b2z (negb (nie.spec.trap.host_smc.all_free a))); [exact H|].
    replace (nie.spec.trap.host_smc.all_free a) with true; [reflexivity|]. symmetry. apply forallb_forall. intros v V. apply in_seq in V. apply Z.eqb_eq, F. lia.
  - intros r s (-> & -> & j & J & N). cbn beta iota. apply wp_ret. replace 1 with (b2z (negb (nie.spec.trap.host_smc.all_free a))); [exact H|].
    replace (nie.spec.trap.host_smc.all_free a) with false; [reflexivity|]. symmetry. apply not_true_iff_false. intro F. pose proof (proj1 (forallb_forall _ _) F) as F0. clear F. rename F0 into F.
    apply N. specialize (F (Z.to_nat j)). cbn beta in F. rewrite Z2Nat.id in F by lia. apply Z.eqb_eq, F. apply in_seq. unfold NIE_MAX_VMS in J. change (Z.to_nat NIE_MAX_VMS) with 64%nat. lia.
Qed.

Lemma features_run : forall f (s : MACH), host_features f s = Some (nie.spec.trap.host_smc.host_features f, s).
Proof. intros f s. unfold host_features, nie.spec.trap.host_smc.host_features. cbn [existsb]. rewrite !orb_false_r, !orb_assoc. now destruct (_ || _)%bool. Qed.

(* Where an answer leaves the machine, for what follows. *)
Definition after_asking (b : state) (s : MACH) : Prop := stands c o s b s /\ exists n, asked s0 n s.
Lemma after_nothing : forall a s, at_ a s -> after_asking a s.
Proof. intros a s A. split; [destruct A; constructor; auto using ot_refl, silent_refl|]. exists 0%nat. eapply asked_nothing; eauto. Qed.
Lemma after_more : forall b s b' s', after_asking b s -> stands c o s b' s' -> after_asking b' s'.
Proof.
  intros b s b' s' [A (n & ON & ST & TK)] [HR M OW SI OT]. split; [constructor; auto using ot_refl, silent_refl|]. exists n. split; [eapply ot_trans; eauto|].
  split; [|rewrite (silent_taken _ _ _ SI); exact TK]. destruct ST as [E1 E2 E3]. destruct (silent_stays _ _ _ SI) as [F1 F2 F3].
  constructor; [congruence|congruence|]. intros k K. rewrite F3 by (now rewrite E1). auto.
Qed.

Lemma cpu_on_wp : forall w a s t e x (Q : POST Z), at_ a s -> described w a (glob s) -> 0 <= t ->
  (forall s', after_asking (snd (spec_on t e x (inputs_from (hw s0)) a)) s' -> Q (fst (fst (spec_on t e x (inputs_from (hw s0)) a))) s') ->
  wp (host_cpu_on t e x) Q s.
Proof.
  intros w a [gl h] t e x Q A D T H. destruct (described_cpus _ _ _ D) as [EC BC]. cbn [glob] in EC. unfold host_cpu_on. unfold spec_on, nie.spec.trap.host_smc.host_cpu_on in H.
  apply wp_bind. eapply wp_load1; [reflexivity|unfold MAN_CPUS; lia|]. cbn beta. rewrite EC.
  destruct (Z.leb_spec (cpu_count (cfg a)) t) as [L|L].
  { apply wp_ret. replace (t <? cpu_count (cfg a)) with false in H by lia. apply H. now apply after_nothing. }
  replace (t <? cpu_count (cfg a)) with true in H by lia. cbn [negb] in H. assert (T8 : 0 <= t < NIE_MAX_CPUS) by lia. pose proof T8 as T9. unfold NIE_MAX_CPUS in T9.
  pose proof (g_cpus _ _ (at_globals _ _ _ _ _ A) t T8) as HC. cbn [glob] in HC.
  apply wp_bind. eapply wp_load1; [reflexivity|exact T9|]. cbn beta. rewrite (h_started _ _ _ HC).
  destruct (started (cpu_at a t) =? 0); cbn [negb] in H |- *; [|apply wp_ret; apply H; now apply after_nothing].
  do 3 (apply wp_bind; eapply wp_store1; [reflexivity|exact T9|]; cbn beta).
  set (r := cpu_at a t <| start_entry := e |> <| start_argument := x |> <| started := 1 |>) in *.
  set (gl1 := put1 cpus_started t 1 (put1 cpus_argument t x (put1 cpus_entry t e gl))).
  assert (A1 : at_ (set_cpu t r a) (Mach gl1 h)).
  { eapply at_start; [exact A|exact T8|reflexivity|reflexivity| | |].
    - intros g N1 N2 N3. unfold gl1, put1. etransitivity; [apply field_set_other; congruence|]. etransitivity; apply field_set_other; congruence.
    - intros g j N. unfold gl1. rewrite !Wp.at_put by reflexivity. repeat match goal with |- context [gvar_dec ?x ?y] => destruct (gvar_dec x y) end; try reflexivity;
        now replace (j =? t) with false by lia.
    - destruct HC. unfold gl1. constructor; intros; rewrite ?Wp.at_put by reflexivity; repeat match goal with |- context [gvar_dec ?x ?y] =>
        let E := fresh in destruct (gvar_dec x y) as [E|E]; [try discriminate E|try (exfalso; now apply E)] end; rewrite ?Z.eqb_refl; cbn; auto. }
  apply wp_bind. unfold firmware_cpu_on. eapply at_input; [exact A1|]. intros s1 A2 G1 AS. cbn [glob] in G1.
  assert (AF : after_asking (set_cpu t r a) s1) by (split; [exact A2|eauto]).
  set (answer := inputs_from (hw s0) 0) in *. cbn [fst snd] in H. apply wp_bind.
  destruct (answer =? PSCI_SUCCESS); cbn [negb]; [apply wp_ret; apply wp_ret; now apply H|].
  destruct s1 as [gl2 h2]. cbn [glob] in G1. subst gl2.
  apply wp_bind. eapply wp_store1; [reflexivity|exact T9|]. cbn beta. apply wp_ret. apply wp_ret. apply H. eapply after_more; [exact AF|].
  pose proof (g_cpus _ _ (at_globals _ _ _ _ _ A2) t T8) as HC2. cbn [glob] in HC2.
  eapply at_start; [exact A2|exact T8|reflexivity|reflexivity| | |].
  - intros g N1 N2 N3. apply field_set_other; congruence.
  - intros g j N. rewrite Wp.at_put by reflexivity. destruct (gvar_dec _ _); [now replace (j =? t) with false by lia|reflexivity].
  - destruct HC2. constructor; intros; rewrite ?Wp.at_put by reflexivity; repeat match goal with |- context [gvar_dec ?x ?y] =>
      let E := fresh in destruct (gvar_dec x y) as [E|E]; [try discriminate E|try (exfalso; now apply E)] end; rewrite ?Z.eqb_refl; cbn; auto.
Qed.
End Smc.
