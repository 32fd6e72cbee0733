(* SPDX-License-Identifier: Apache-2.0 *)
(* A page that PAGE_ADD_ZERO gives holds, when the exception is over, zeros and what its VM has stored since. *)
From Coq Require Import ZArith List Bool String Lia.
From Coq Require Znumtheory.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.lib Require Import World.
From nie.spec Require Import State.
From nie.spec Require Registers.
From nie.spec.call Require page_add_zero host_call.
From nie.spec.trap Require trap.
From nie.proof.invariant Require Import Meaning trap_steps_preserve.
From nie.generated Require Import Prims.
From nie.generated Require Program.
Require nie.generated.trap.trap.
From nie.spec Require Import Core.
From nie.spec Require Import Step Released Kept.
From nie.proof.refine Require Import Relation statements page_kept_log page_shown_zero trap_statement.
From nie.proof Require Theorems.
From nie.proof.security Require Import core_is_safe trace_statement core_is_correct Followed Places kept_words page_add_zero_kept.
From nie.proof.security Require core_keeps_registers core_measures twins_trap.
From nie.proof.invariant Require configuration_kept.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
#[local] Opaque vectors_save vectors_load run_of call.

Lemma data_at : forall a v x p, wf a -> onto a -> State.in_ram a p = true -> own a p = Data v x -> at_ipa a v x = There p.
Proof.
  intros a v x p W O R D. unfold at_ipa. destruct (on_data _ O p v x R D) as [S|S]; [now rewrite S|].
  destruct (slot_at a v 3 x) as [| |t|t|t|t] eqn:S3; try (rewrite S; f_equal; lia);
    (destruct (wf_slot _ W v 3 x) as (_ & _ & _ & _ & _ & T); [congruence|]; destruct T as [q T]; [lia|]; change (3 - 1) with 2 in T; congruence).
Qed.

(* For any program whose exceptions are the readable text's: its name is kept apart, for it is long. *)
Definition reads_as_trap (P : program gvar) : Prop := forall c k s r s', @nie.generated.trap.trap.trap _ watching c k s = Some (r, s') -> call P "trap" [c; k] s = Some ([r], s').
Section Program.
Variable P : program gvar.
Hypothesis TC : trap_correct P.
Hypothesis TS : trap_is_safe.trap_safe P.
Hypothesis SC : cpu_start_exact.start_correct P.
Hypothesis RT : reads_as_trap P.

Theorem zeroes_words_of : zeroes_words P.
Proof.
  intros z w a b s l s' g p x V G D N GB SU RP X OA OB. unfold succeeded in SU. destruct l as [d|c e i d|c i d]; [discriminate SU| |discriminate SU]. cbn [host_call_of] in SU.
  destruct (next_follows P TC TS SC z a s _ s' g G D N) as (b0 & GB0 & _ & C & PO & LV & content & EB).
  destruct (runs_b s c 0 && is_sync e EC_HVC64 && runs_b s' c 0)%bool eqn:HC; [|discriminate SU]. apply andb_prop in HC as [HC _]. apply andb_prop in HC as [HC SY].
  apply andb_prop in SU as [SU ST]. apply andb_prop in SU as [FN AV]. apply Z.eqb_eq in ST, FN, AV.
  pose proof N as N0. cbn [next] in N0. destruct (is_cpu c && negb (Map.get (off s) c) && possible e)%bool; [|discriminate N0].
  set (h := Step.take c e (Step.enter c i d (hw s))) in *. assert (AL : alike (hw s) h) by (eapply alike_trans; [apply alike_enter|apply alike_take]).
  pose proof (arrives_R a s c h G C AL eq_refl) as HR. set (a0 := arrives c s h a) in *. change (arrived c e i d s a) with a0 in EB.
  assert (XO : vcpu_traps.x_ok c (vectors_save c s (glob s))) by (intros q Q; rewrite vectors_at by auto; apply Z.mod_pos_bound; lia).
  rewrite (host_is a s c G C) in HC. apply Z.eqb_eq in HC.
  assert (HO : cpu_vm (cpu_at a0 c) = CPU_HOST) by (unfold a0; rewrite (arrives_cpu a s c h c), Z.eqb_refl; exact HC).
  assert (ARG : forall k, 0 <= k < 31 -> Registers.x_of a0 c k = Step.x s c k mod 2 ^ 64) by (intros k K; exact (core_keeps_registers.x_arrived c e i d s a k K)).
  assert (F0 : Registers.x_of a0 c 0 mod 2 ^ 32 = NIE_PAGE_ADD_ZERO).
  { rewrite ARG by lia. rewrite <- FN. symmetry. apply Znumtheory.Zmod_div_mod; [lia|lia|exists (2 ^ 32); reflexivity]. }
  unfold is_sync in SY. apply andb_prop in SY as [EK EC]. apply Z.eqb_eq in EK, EC.
  assert (CL : Registers.exception_class (Registers.reg_of a0 REG_ESR_EL2) = EC_HVC64).
  { rewrite <- EC. unfold a0. rewrite (core_keeps_registers.reg_arrived c e i d s a) by (unfold REG_ESR_EL2; lia).
    destruct (core_keeps_registers.taken_are c e (Step.enter c i d (hw s))) as (T & _). rewrite T. unfold Registers.exception_class, class. symmetry. apply inject_exact.field_is; lia || reflexivity. }
  set (y := Registers.x_of a0 c) in *. set (r := nie.spec.call.page_add_zero.page_add_zero (y 1) (y 2) (y 3) (y 4) (y 5) a0) in *.
  assert (EB0 : b0 = Registers.answer c [fst r] (snd r)).
  { rewrite EB. unfold nie.spec.trap.trap.trap. rewrite HO. change (CPU_HOST =? CPU_HOST) with true. cbv iota. unfold nie.spec.trap.trap.host_trap. cbv zeta. rewrite EK, CL.
    change (negb (TRAP_SYNC =? TRAP_SYNC)) with false. change (EC_HVC64 =? EC_HVC64) with true. cbv iota. cbn [snd]. unfold nie.spec.call.host_call.host_call. cbv zeta. fold y. rewrite F0.
    change (NIE_PAGE_ADD_ZERO =? NIE_VERSION) with false. change (NIE_PAGE_ADD_ZERO =? NIE_VM_INFO) with false. change (NIE_PAGE_ADD_ZERO =? NIE_VCPU_RUN) with false.
    change (NIE_PAGE_ADD_ZERO =? NIE_VM_DESTROY) with false. change (NIE_PAGE_ADD_ZERO =? NIE_VCPU_DESTROY) with false. change (NIE_PAGE_ADD_ZERO =? NIE_TABLE_REMOVE) with false.
    change (NIE_PAGE_ADD_ZERO =? NIE_PAGE_REMOVE) with false. change (NIE_PAGE_ADD_ZERO =? NIE_VM_CREATE) with false. change (NIE_PAGE_ADD_ZERO =? NIE_VM_ACTIVATE) with false.
    change (NIE_PAGE_ADD_ZERO =? NIE_VM_STOP) with false. change (NIE_PAGE_ADD_ZERO =? NIE_VCPU_CREATE) with false. change (NIE_PAGE_ADD_ZERO =? NIE_TABLE_ADD) with false.
    change (NIE_PAGE_ADD_ZERO =? NIE_PAGE_ADD) with false. change (NIE_PAGE_ADD_ZERO =? NIE_PAGE_ADD_ZERO) with true. cbv iota. fold r. now destruct r. }
  assert (OK : fst r = NIE_OK).
  { destruct LV as (LX & _). rewrite LX in ST by lia. rewrite <- ST, EB0. unfold Registers.answer. cbn [Registers.answer_from]. rewrite core_measures.x_set. reflexivity. }
  assert (CK : spec_zero_check a0 (y 1) (y 2) (y 3) (y 4) (y 5) = NIE_OK).
  { revert OK. unfold r, nie.spec.call.page_add_zero.page_add_zero. cbv zeta. destruct (Z.eqb_spec (spec_zero_check a0 (y 1) (y 2) (y 3) (y 4) (y 5)) NIE_OK) as [Q|Q]; [auto|cbn [fst]; auto]. }
  assert (YV : y 1 = vm w) by (unfold y; rewrite ARG by lia; exact AV).
  destruct (page_add_zero_kept a0 _ h HR XO HO CL F0 CK) as (r1 & g1 & h1 & g0 & RUN & KEPT).
  change (Registers.x_of a0 (me h)) with y in KEPT. apply RT in RUN. change (me h) with c in RUN. rewrite EK in N0. unfold engine in N0. rewrite RUN in N0. cbn [C_store.hw C_store.glob] in N0. injection N0 as ES <-.
  assert (EM : Machine.mem (hw s') = Machine.mem h1) by (rewrite <- ES; reflexivity).
  (* Which of the pages it is. *)
  assert (RB : State.in_ram b0 p = true) by (rewrite EB; unfold State.in_ram; rewrite configuration_kept.configuration_kept; exact RP).
  assert (OB0 : own b0 p = Data (vm w) x) by (rewrite <- OB; symmetry; exact (twins_trap.same_owner b0 b (glob s') p (go_globals _ _ GB0) (go_globals _ _ GB) RB)).
  pose proof (data_at b0 (vm w) x p (so_wf _ (go_sound _ _ GB0)) (so_onto _ (go_sound _ _ GB0)) RB OB0) as AT.
  assert (AT' : at_ipa (snd r) (vm w) x = There p) by (rewrite <- AT, EB0; reflexivity).
  pose proof (page_add_zero_brings a0 (y 1) (R_wf _ _ HR) (y 2) (y 3) (y 4) (y 5) OK) as (_ & _ & BR). fold r in BR. rewrite YV in BR. specialize (BR x).
  destruct ((State.page_of (y 2) <=? x) && (x <? State.page_of (y 2) + y 4))%bool eqn:IN.
  - destruct BR as [_ BR]. rewrite AT' in BR. injection BR as BP. destruct (KEPT (x - State.page_of (y 2)) ltac:(lia)) as [K1 K2].
    replace (State.page_of (y 3) + (x - State.page_of (y 2))) with p in K1, K2 by lia. replace (State.page_of (y 2) + (x - State.page_of (y 2))) with x in K2 by lia. rewrite YV in K1, K2.
    split; [exact (K2 X)|]. intros j J. unfold word_at. rewrite EM. exact (K1 j J).
  - exfalso. rewrite AT' in BR. symmetry in BR. unfold at_ipa in BR. destruct (slot_at a0 (vm w) 3 x) as [| |t|t|t|t] eqn:S3; try discriminate BR;
      try (destruct (slot_at a0 (vm w) 2 (x / 512)) as [| |q|q|q|q] eqn:S2; try discriminate BR; injection BR as BR; destruct (wf_blk _ (R_wf _ _ HR) _ _ _ _ S2) as (_ & _ & BD);
           destruct (BD (x mod 512)) as [_ BO]; [unfold is_word; pose proof (Z.mod_pos_bound x 512 ltac:(lia)); lia|]; rewrite BR in BO; change (own a p = Data (vm w) (x / 512 * 512 + x mod 512)) in BO; congruence).
    injection BR as ->. destruct (wf_page _ (R_wf _ _ HR) _ _ _ _ S3) as (_ & _ & BO). change (own a p = Data (vm w) x) in BO. congruence.
Qed.
End Program.

Theorem core_zeroes_words : zeroes_words Program.core.
Proof.
  refine (zeroes_words_of Program.core Theorems.trap_is_correct Theorems.trap_is_safe Theorems.start_is_correct _).
  intros c k s r s' E. exact (Program.core_means "trap"%string nie.generated.trap.trap.trap_sem eq_refl [c; k] s r s' E).
Qed.
