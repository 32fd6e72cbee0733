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
From nie.proof.security Require Import Watched Claimed Ghost core_is_safe trace_statement core_is_correct only_its_own Followed kept_words claim_kept.
From nie.proof.security Require twins_trap.
From nie.proof.invariant Require configuration_kept.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.
#[local] Opaque vectors_save vectors_load run_of call.

(** PAGE_REMOVE leaves no page of its range with the VM. *)

Lemma removed_is_back : forall a vm ipa n p x, wf a -> onto a -> nie.spec.call.page_remove.page_remove_check a vm ipa n = NIE_OK -> State.in_ram a p = true -> own a p = Data vm x ->
  State.page_of ipa <= x < State.page_of ipa + n -> own (snd (nie.spec.call.page_remove.page_remove vm ipa n a)) p = Host.
Proof.
  intros a vm ipa n p x W O E R D X. pose proof E as EC. unfold nie.spec.call.page_remove.page_remove_check in EC.
  destruct (vm_exists vm); [|discriminate]. destruct (vm_is a vm NIE_VM_ACTIVE NIE_VM_STOPPED); [|discriminate]. destruct (State.aligned ipa); [|discriminate].
  destruct (State.range_ok (State.page_of ipa) n) eqn:E4; [|discriminate]. destruct (in_ipa_space ipa); [|discriminate]. unfold State.range_ok in E4.
  set (y := State.page_of ipa) in *. assert (C : 1 <= n /\ y mod 512 + n <= 512) by lia.
  destruct (slot_at a vm 2 (y / 512)) as [| |t|t|t|t] eqn:T; try discriminate.
  assert (P : forall j, 0 <= j < n -> page_at a vm (y + j) = Some (nie.spec.call.page_remove.first_of a vm y + j)) by (intros j J; eapply pages_ok; eauto; lia).
  set (first := nie.spec.call.page_remove.first_of a vm y) in *. unfold nie.spec.call.page_remove.page_remove. rewrite E. change (NIE_OK =? NIE_OK) with true. cbv zeta iota. cbn [snd].
  pose proof (mid_i a (fun _ => 0) vm y first n t C P n ltac:(lia)) as M.
  pose proof (P (x - y) ltac:(lia)) as Q. replace (y + (x - y)) with x in Q by lia. unfold page_at in Q.
  assert (Y2 : x / 512 = y / 512) by lia.
  destruct (on_data _ O p vm x R D) as [S|S]; [|rewrite Y2, T in S; discriminate S]. rewrite S in Q. injection Q as ->.
  apply (m_back _ _ _ _ _ _ _ M). unfold back. lia.
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

(* One run of the engine's, from [h]. *)
Lemma engine_keeps : forall f args c h s' g r2 g2 h2 b2, engine P f args c s h = Ok s' g -> Machine.mem h = Machine.mem (hw s) ->
  run_of P f args (Mach (vectors_save c s (glob s)) (with_claims claim h)) = Some (r2, Mach g2 h2) -> R b2 (Mach g2 h2) ->
  at_its_ipa v x p g /\ forall i, is_word i = true -> word_at s' p i = after_log (v + 1) p i g (word_at s p i).
Proof.
  intros f args c h s' g r2 g2 h2 b2 E M RUN RB. unfold engine in E. destruct (call P f args _) as [[rs [g1 [h1 l1]]]|] eqn:EC; [|discriminate].
  cbn [C_store.hw C_store.glob] in E. injection E as <- <-.
  destruct (claim_kept P f args _ h rs g1 h1 l1 v x p claim r2 g2 h2 b2 the_claim EC RUN RB) as [A B]. split; [exact A|].
  intros i I. unfold word_at. rewrite <- M. exact (B i I).
Qed.
End Page.

Theorem keeps_words_of : keeps_words P.
Proof.
  intros z a b s l s' g v p x G D N GB RP V X OA OB. destruct l as [d|c e i d|c i d].
  - cbn [next] in N. injection N as <- _. exact (software_keeps a s v p x G RP V X OA d).
  - destruct (next_follows P TC TS SC z a s _ s' g G D N) as (b0 & GB0 & _ & C & PO & _ & content & EB).
    pose proof N as N0. cbn [next] in N0. destruct (is_cpu c && negb (Map.get (off s) c) && possible e)%bool; [|discriminate N0].
    set (h := Step.take c e (Step.enter c i d (hw s))) in *. assert (AL : alike (hw s) h) by (eapply alike_trans; [apply alike_enter|apply alike_take]).
    pose proof (arrives_R a s c h G C AL eq_refl) as HR. pose proof (arrives_described a s c h z D) as D0. set (a0 := arrives c s h a) in *.
    assert (W0 : wf a0) by exact (R_wf _ _ HR). assert (O0 : onto a0) by exact (R_onto _ _ HR).
    pose proof (related_with a0 (vectors_save c s (glob s)) h (claim v p x) HR (claim_holds v p x V X a0 W0 O0 RP OA)) as HC.
    assert (XO : vcpu_traps.x_ok c (vectors_save c s (glob s))) by (intros q Q; rewrite vectors_at by auto; apply Z.mod_pos_bound; lia).
    assert (OB0 : own b0 p = Data v x).
    { rewrite <- OB. symmetry. apply (twins_trap.same_owner b0 b (glob s') p (go_globals _ _ GB0) (go_globals _ _ GB)). rewrite EB. unfold State.in_ram.
      rewrite configuration_kept.configuration_kept. exact RP. }
    assert (SP : trap_spares a0 c (kind e) (with_claims (claim v p x) h)).
    { intros EK EC HO FN CK y q (EV & -> & ->) XR. assert (EVM : Registers.x_of a0 c 1 = v) by lia.
      assert (H : own b0 p = Host); [|rewrite OB0 in H; discriminate H]. rewrite EB. change (arrived c e i d s a) with a0. unfold nie.spec.trap.trap.trap. rewrite HO. change (CPU_HOST =? CPU_HOST) with true. cbv iota.
      unfold nie.spec.trap.trap.host_trap. cbv zeta. rewrite EK, EC. change (negb (TRAP_SYNC =? TRAP_SYNC)) with false. change (EC_HVC64 =? EC_HVC64) with true. cbv iota. cbn [snd].
      unfold nie.spec.call.host_call.host_call. cbv zeta. rewrite FN. change (NIE_PAGE_REMOVE =? NIE_VERSION) with false. change (NIE_PAGE_REMOVE =? NIE_VM_INFO) with false.
      change (NIE_PAGE_REMOVE =? NIE_VCPU_RUN) with false. change (NIE_PAGE_REMOVE =? NIE_VM_DESTROY) with false. change (NIE_PAGE_REMOVE =? NIE_VCPU_DESTROY) with false.
      change (NIE_PAGE_REMOVE =? NIE_TABLE_REMOVE) with false. change (NIE_PAGE_REMOVE =? NIE_PAGE_REMOVE) with true. cbv iota.
      pose proof (removed_is_back a0 (Registers.x_of a0 c 1) (Registers.x_of a0 c 2) (Registers.x_of a0 c 3) p x W0 O0 CK RP ltac:(rewrite EVM; exact OA) XR) as H.
      revert H. destruct (nie.spec.call.page_remove.page_remove (Registers.x_of a0 c 1) (Registers.x_of a0 c 2) (Registers.x_of a0 c 3) a0) as [[[st x1] x2] a1]. cbn [snd]. intro H. exact H. }
    destruct (TC z a0 (Mach (vectors_save c s (glob s)) (with_claims (claim v p x) h)) (kind e) HC SP D0 XO) as (ct & r & [g2 h2] & RUN & _ & RB & _).
    exact (engine_keeps s v p x _ _ c h s' g _ g2 h2 _ N0 eq_refl RUN RB).
  - destruct (next_follows P TC TS SC z a s _ s' g G D N) as (b0 & GB0 & _ & F).
    pose proof N as N0. cbn [next] in N0. destruct (is_cpu c && Map.get (off s) c)%bool eqn:B; [|discriminate N0]. apply andb_prop in B as [IC IO].
    assert (C : 0 <= c < 8) by (unfold is_cpu, NIE_MAX_CPUS in IC; lia).
    set (h := Step.enter c i d (hw s)) in *. pose proof (alike_enter c i d (hw s)) as AL. fold h in AL. pose proof (arrives_R a s c h G C AL eq_refl) as HR. set (a0 := arrives c s h a) in *.
    pose proof (related_with a0 (vectors_save c s (glob s)) h (claim v p x) HR (claim_holds v p x V X a0 (R_wf _ _ HR) (R_onto _ _ HR) RP OA)) as HC.
    assert (HO : cpu_vm (cpu_at a0 c) = CPU_HOST) by (unfold a0; rewrite (arrives_cpu a s c h c), Z.eqb_refl; exact (go_off _ _ G c C IO)).
    destruct (SC a0 (Mach (vectors_save c s (glob s)) (with_claims (claim v p x) h)) HC HO) as ([g2 h2] & RUN & RB & _).
    exact (engine_keeps s v p x _ _ c h s' g _ g2 h2 _ N0 eq_refl RUN RB).
Qed.
End Program.

Theorem core_keeps_words : keeps_words Program.core.
Proof. exact (keeps_words_of Program.core Theorems.trap_is_correct Theorems.trap_is_safe Theorems.start_is_correct). Qed.

