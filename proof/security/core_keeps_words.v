(* SPDX-License-Identifier: Apache-2.0 *)
(* A page that a VM has before and after a step changes by the VM's own stores alone, made at its IPA page: whether the VM runs or not, in a window in
   which its block is split or its entries are flushed as well. The engine's theorem is applied to the machine with that page claimed. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.lib Require Import World.
From nie.spec Require Import State.
From nie.spec Require Registers.
From nie.spec.call Require page_remove host_call.
From nie.spec.trap Require trap.
From nie.proof.invariant Require Import Meaning page_remove_preserves.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.spec Require Import Step Kept.
From nie.proof.refine Require Import Relation statements page_remove_refines trap_statement trap_is_safe boot_is_safe Described cpu_start_exact.
From nie.proof Require Theorems.
From nie.generated Require Program.
From nie.proof.security Require Import Watched Claimed Ghost core_is_safe trace_statement core_is_correct only_its_own Followed Places kept_words claim_kept.
From nie.proof.security Require twins_trap.
From nie.proof.invariant Require configuration_kept.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.
#[local] Opaque vectors_save vectors_load run_of call.

(* Where a VM's data is. *)
Lemma data_at : forall a v x p, wf a -> onto a -> State.in_ram a p = true -> own a p = Data v x -> at_ipa a v x = There p.
Proof.
  intros a v x p W O R D. unfold at_ipa. destruct (on_data _ O p v x R D) as [S|S]; [now rewrite S|].
  destruct (slot_at a v 3 x) as [| |t|t|t|t] eqn:S3; try (rewrite S; f_equal; lia);
    (destruct (wf_slot _ W v 3 x) as (_ & _ & _ & _ & _ & T); [congruence|]; destruct T as [q T]; [lia|]; change (3 - 1) with 2 in T; congruence).
Qed.

(** One step. *)

Section Program.
Variable P : program gvar.
Hypothesis TC : trap_correct P.
Hypothesis TS : trap_safe P.
Hypothesis SC : start_correct P.

Section Page.
Variables (a : state) (s : Step.machine) (v p x : Z).
Hypothesis G : good a s.
Hypothesis RP : State.in_ram a p = true.
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis X : x < 2 ^ 26.
Hypothesis OA : own a p = Data v x.
Definition claim : Z -> Z -> Z -> Prop := fun u y q => u = v + 1 /\ y = x /\ q = p.
Lemma the_claim : claim (v + 1) x p.
Proof. repeat split. Qed.
Lemma claim_holds : forall b, wf b -> onto b -> State.in_ram b p = true -> own b p = Data v x -> forall u y q, claim u y q -> World.keeps (Aset b) u y q.
Proof. intros b W O R D u y q (-> & -> & ->). apply keeps_data; auto. exact (on_data _ O p v x R D). Qed.

(* Software. *)
Lemma claimed_safe : safe (with_claims claim (hw s)).
Proof.
  destruct (go_hw _ _ G) as (m & W & _). assert (Y : settled (Aset a) m (now m) (with_claims claim (hw s))).
  { pose proof (claim_holds a (so_wf _ (go_sound _ _ G)) (so_onto _ (go_sound _ _ G)) RP OA) as K. destruct W. constructor; auto. constructor; reflexivity. }
  eapply world_safe. exact Y.
Qed.
Lemma software_keeps : forall d, at_its_ipa v x p (moments s (Do d) []) /\
  forall i, is_word i = true -> word_at (do_step d s) p i = after_log (v + 1) p i (moments s (Do d) []) (word_at s p i).
Proof.
  intro d. destruct d as [d|c r y|c r y|n o j r]; cbn [moments].
  - split.
    + apply (ipa_bare v x p [(hw s, Some d)] [(with_claims claim (hw s), Some d)]); [now rewrite with_noted|]. apply its_ipa.
      * constructor; [exact claimed_safe|constructor].
      * intros h b [E|[]]. injection E as <- _. exact the_claim.
    + intros i I. pose proof (act_word (v + 1) p i I (its v x p) (its_entry v x p i) (its_not_free v x p) (its_not_told v x p) d (with_claims claim (hw s)) claimed_safe the_claim) as E.
      rewrite with_noted, act_noted in E. change (word_at (do_step (Hardware d) s) p i) with (Map.get (Machine.mem (act_step d (hw s))) (p * 512 + i)).
      etransitivity; [exact E|]. unfold after_log. cbn [fold_left]. destruct d; reflexivity.
  - split; [intros h n o j u e []|]. intros i _. unfold word_at. cbn [do_step]. now destruct (_ && _ && _ && _)%bool.
  - split; [intros h n o j u e []|]. intros i _. unfold word_at. cbn [do_step]. now destruct (_ && _ && _ && _)%bool.
  - split; [intros h n' o' j' u e []|]. intros i _. unfold word_at. cbn [do_step]. destruct (nth_error _ _); auto. match goal with |- context [if ?b then _ else _] => now destruct b end.
Qed.

(* One run of the engine's, from [h]. That the claim stands at its end says that the page is where it was. *)
Lemma engine_keeps : forall f args c h s' g r2 g2 h2 b2 b q, engine P f args c s h = Ok s' g -> Machine.mem h = Machine.mem (hw s) ->
  run_of P f args (Mach (vectors_save c s (glob s)) (with_claims claim h)) = Some (r2, Mach g2 h2) -> R b2 (Mach g2 h2) ->
  good b s' -> State.in_ram b q = true -> own b q = Data v x ->
  q = p /\ at_its_ipa v x p g /\ forall i, is_word i = true -> word_at s' p i = after_log (v + 1) p i g (word_at s p i).
Proof.
  intros f args c h s' g r2 g2 h2 b2 b q E M RUN RB GB RQ OQ. unfold engine in E. destruct (call P f args _) as [[rs [g1 [h1 l1]]]|] eqn:EC; [|discriminate].
  cbn [C_store.hw C_store.glob] in E. injection E as <- <-. split.
  { pose proof (run_claims _ _ _ _ _ _ RUN) as CL. cbn [C_store.hw] in CL. change (claims (with_claims claim h)) with claim in CL.
    assert (K : World.keeps (Aset b2) (v + 1) x p).
    { destruct (R_hw _ _ RB) as (m & W & _). apply (w_claims _ _ _ _ _ _ W). cbn [C_store.hw]. rewrite CL. exact the_claim. }
    destruct (Aset_keeps b2 (R_wf _ _ RB) _ _ _ K) as (j & EJ & _ & R2 & O2 & _). replace j with v in O2 by lia.
    assert (EG : g2 = g1).
    { destruct (R_hw _ _ RB) as (m & W & _). destruct (watched_run P f args _ _ r2 g2 h2 RUN (w_ok _ _ _ _ _ _ W)) as (l2 & EW & _). rewrite with_noted in EW. exact (proj1 (proj2 (same_but_noted P f args _ _ _ _ _ _ _ _ _ _ _ EC EW))). }
    pose proof (R_globals _ _ RB) as H2. cbn [C_store.glob] in H2. rewrite EG in H2. pose proof (go_globals _ _ GB) as HB. cbn [glob] in HB. change (globals_hold b g1) in HB.
    assert (OP : own b p = Data v x) by (rewrite <- O2; exact (twins_trap.same_owner b2 b g1 p H2 HB R2)).
    assert (RPB : State.in_ram b p = true) by (rewrite (twins_trap.same_ram b2 b g1 H2 HB p); exact R2).
    pose proof (data_at b v x p (so_wf _ (go_sound _ _ GB)) (so_onto _ (go_sound _ _ GB)) RPB OP) as A1.
    pose proof (data_at b v x q (so_wf _ (go_sound _ _ GB)) (so_onto _ (go_sound _ _ GB)) RQ OQ) as A2. congruence. }
  destruct (claim_kept P f args _ h rs g1 h1 l1 v x p claim r2 g2 h2 b2 the_claim EC RUN RB) as [A B]. split; [exact A|].
  intros i I. unfold word_at. rewrite <- M. exact (B i I).
Qed.
End Page.

Theorem keeps_words_of : keeps_words P.
Proof.
  intros z a b s l s' g v p q x G D N GB RP RQ V X OA OB. destruct l as [d|c e i d|c i d].
  - cbn [next] in N. injection N as <- _. split; [|exact (software_keeps a s v p x G RP V X OA d)].
    assert (EG : glob (do_step d s) = glob s) by (destruct d; cbn [do_step]; repeat match goal with |- context [match ?y with _ => _ end] => destruct y end; reflexivity).
    pose proof (go_globals _ _ GB) as HB. rewrite EG in HB. pose proof (go_globals _ _ G) as HA.
    assert (OP : own b p = Data v x) by (rewrite <- OA; exact (twins_trap.same_owner a b (glob s) p HA HB RP)).
    assert (RPB : State.in_ram b p = true) by (rewrite (twins_trap.same_ram a b (glob s) HA HB p); exact RP).
    pose proof (data_at b v x p (so_wf _ (go_sound _ _ GB)) (so_onto _ (go_sound _ _ GB)) RPB OP) as A1.
    pose proof (data_at b v x q (so_wf _ (go_sound _ _ GB)) (so_onto _ (go_sound _ _ GB)) RQ OB) as A2. congruence.
  - destruct (next_follows P TC TS SC z a s _ s' g G D N) as (b0 & GB0 & _ & C & PO & _ & content & EB).
    pose proof N as N0. cbn [next] in N0. destruct (is_cpu c && negb (Map.get (off s) c) && possible e)%bool; [|discriminate N0].
    set (h := Step.take c e (Step.enter c i d (hw s))) in *. assert (AL : alike (hw s) h) by (eapply alike_trans; [apply alike_enter|apply alike_take]).
    pose proof (arrives_R a s c h G C AL eq_refl) as HR. pose proof (arrives_described a s c h z D) as D0. set (a0 := arrives c s h a) in *.
    assert (W0 : wf a0) by exact (R_wf _ _ HR). assert (O0 : onto a0) by exact (R_onto _ _ HR).
    pose proof (related_with a0 (vectors_save c s (glob s)) h (claim v p x) HR (claim_holds v p x V X a0 W0 O0 RP OA)) as HC.
    assert (XO : vcpu_traps.x_ok c (vectors_save c s (glob s))) by (intros j J; rewrite vectors_at by auto; apply Z.mod_pos_bound; lia).
    assert (RQ0 : State.in_ram b0 q = true) by (rewrite (twins_trap.same_ram b b0 (glob s') (go_globals _ _ GB) (go_globals _ _ GB0) q); exact RQ).
    assert (OB0 : own b0 q = Data v x) by (rewrite <- OB; exact (twins_trap.same_owner b b0 (glob s') q (go_globals _ _ GB) (go_globals _ _ GB0) RQ)).
    pose proof (data_at b0 v x q (so_wf _ (go_sound _ _ GB0)) (so_onto _ (go_sound _ _ GB0)) RQ0 OB0) as AT0.
    assert (SP : trap_spares a0 c (kind e) (with_claims (claim v p x) h)).
    { intros EK EC HO FN CK y q' (EV & -> & ->) XR. assert (EVM : Registers.x_of a0 c 1 = v) by lia.
      assert (H : at_ipa b0 v x = Gone); [|rewrite AT0 in H; discriminate H]. rewrite EB. change (arrived c e i d s a) with a0. unfold nie.spec.trap.trap.trap. rewrite HO. change (CPU_HOST =? CPU_HOST) with true. cbv iota.
      unfold nie.spec.trap.trap.host_trap. cbv zeta. rewrite EK, EC. change (negb (TRAP_SYNC =? TRAP_SYNC)) with false. change (EC_HVC64 =? EC_HVC64) with true. cbv iota. cbn [snd].
      unfold nie.spec.call.host_call.host_call. cbv zeta. rewrite FN. change (NIE_PAGE_REMOVE =? NIE_VERSION) with false. change (NIE_PAGE_REMOVE =? NIE_VM_INFO) with false.
      change (NIE_PAGE_REMOVE =? NIE_VCPU_RUN) with false. change (NIE_PAGE_REMOVE =? NIE_VM_DESTROY) with false. change (NIE_PAGE_REMOVE =? NIE_VCPU_DESTROY) with false.
      change (NIE_PAGE_REMOVE =? NIE_TABLE_REMOVE) with false. change (NIE_PAGE_REMOVE =? NIE_PAGE_REMOVE) with true. cbv iota.
      assert (ST : fst (fst (fst (nie.spec.call.page_remove.page_remove (Registers.x_of a0 c 1) (Registers.x_of a0 c 2) (Registers.x_of a0 c 3) a0))) = NIE_OK).
      { unfold nie.spec.call.page_remove.page_remove. rewrite CK. reflexivity. }
      pose proof (proj2 (page_remove_takes a0 (Registers.x_of a0 c 1) (Registers.x_of a0 c 2) (Registers.x_of a0 c 3) ST) x) as H.
      replace ((State.page_of (Registers.x_of a0 c 2) <=? x) && (x <? State.page_of (Registers.x_of a0 c 2) + Registers.x_of a0 c 3))%bool with true in H by lia. clear ST. revert H.
      destruct (nie.spec.call.page_remove.page_remove (Registers.x_of a0 c 1) (Registers.x_of a0 c 2) (Registers.x_of a0 c 3) a0) as [[[st x1] x2] a1]. cbn [snd]. rewrite EVM. intro H. exact H. }
    destruct (TC z a0 (Mach (vectors_save c s (glob s)) (with_claims (claim v p x) h)) (kind e) HC SP D0 XO) as (ct & r & [g2 h2] & RUN & _ & RB & _).
    exact (engine_keeps s v p x _ _ c h s' g _ g2 h2 _ b q N0 eq_refl RUN RB GB RQ OB).
  - destruct (next_follows P TC TS SC z a s _ s' g G D N) as (b0 & GB0 & _ & F).
    pose proof N as N0. cbn [next] in N0. destruct (is_cpu c && Map.get (off s) c)%bool eqn:B; [|discriminate N0]. apply andb_prop in B as [IC IO].
    assert (C : 0 <= c < 8) by (unfold is_cpu, NIE_MAX_CPUS in IC; lia).
    set (h := Step.enter c i d (hw s)) in *. pose proof (alike_enter c i d (hw s)) as AL. fold h in AL. pose proof (arrives_R a s c h G C AL eq_refl) as HR. set (a0 := arrives c s h a) in *.
    pose proof (related_with a0 (vectors_save c s (glob s)) h (claim v p x) HR (claim_holds v p x V X a0 (R_wf _ _ HR) (R_onto _ _ HR) RP OA)) as HC.
    assert (HO : cpu_vm (cpu_at a0 c) = CPU_HOST) by (unfold a0; rewrite (arrives_cpu a s c h c), Z.eqb_refl; exact (go_off _ _ G c C IO)).
    destruct (SC a0 (Mach (vectors_save c s (glob s)) (with_claims (claim v p x) h)) HC HO) as ([g2 h2] & RUN & RB & _).
    exact (engine_keeps s v p x _ _ c h s' g _ g2 h2 _ b q N0 eq_refl RUN RB GB RQ OB).
Qed.
End Program.

Theorem core_keeps_words : keeps_words Program.core.
Proof. exact (keeps_words_of Program.core Theorems.trap_is_correct Theorems.trap_is_safe Theorems.start_is_correct). Qed.

