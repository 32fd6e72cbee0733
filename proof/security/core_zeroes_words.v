(* SPDX-License-Identifier: Apache-2.0 *)
(* A page that PAGE_ADD_ZERO gives holds, when the exception is over, zeros and what its VM has stored since. *)
From Coq Require Import ZArith List Bool String Lia.
From Coq Require Znumtheory.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.lib Require Import World.
From nie.spec Require Import State.
From nie.spec Require Registers.
From nie.spec.call Require page_add page_add_zero host_call.
From nie.spec.trap Require trap.
From nie.proof.invariant Require Import Meaning trap_steps_preserve.
From nie.generated Require Import Prims.
From nie.generated Require Program.
Require nie.generated.trap.trap.
From nie.spec Require Import Core.
From nie.spec Require Import Step Released Kept.
From nie.spec Require Isolation.
From nie.proof.refine Require Import Relation statements page_kept_log page_shown_zero trap_statement.
From nie.proof Require Theorems.
From nie.proof.security Require Import core_is_safe trace_statement core_is_correct Followed Places kept_words core_keeps_words page_add_zero_kept.
From nie.proof.security Require core_keeps_registers core_measures twins_trap.
From nie.proof.refine Require page_shown_moment.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* For any program whose exceptions are the readable text's: its name is kept apart, for it is long. *)
Definition reads_as_trap (P : program gvar) : Prop := forall c k s r s', @nie.generated.trap.trap.trap _ watching c k s = Some (r, s') -> call P "trap" [c; k] s = Some ([r], s').
Lemma core_reads_as_trap : reads_as_trap Program.core.
Proof. intros c k s r s' E. exact (Program.core_means "trap"%string nie.generated.trap.trap.trap_sem eq_refl [c; k] s r s' E). Qed.
#[local] Opaque vectors_save vectors_load run_of call.

Lemma Forall_forall_none : forall w g, (forall h a, In (h, Some a) g -> Isolation.own_store w h a = []) -> Isolation.own_stores w g = [].
Proof.
  intros w g H. unfold Isolation.own_stores. induction g as [|[h [a|]] g IH]; [reflexivity| |]; cbn [flat_map]; [rewrite (H h a (or_introl eq_refl))|]; apply IH; intros h' a' IN; apply H; now right.
Qed.
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
  assert (RB : State.in_ram b0 p = true) by (rewrite (twins_trap.same_ram b b0 (glob s') (go_globals _ _ GB) (go_globals _ _ GB0) p); exact RP).
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
           destruct (BD (x mod 512)) as [_ BO]; [unfold is_word; pose proof (Z.mod_pos_bound x 512 ltac:(lia)); lia|]; rewrite BR in BO; change (own a p = Data (vm w) (x / 512 * 512 + x mod 512)) in BO; apply OA; rewrite BO; f_equal; pose proof (Z.div_mod x 512 ltac:(lia)); lia).
    injection BR as ->. destruct (wf_page _ (R_wf _ _ HR) _ _ _ _ S3) as (_ & _ & BO). change (own a p = Data (vm w) x) in BO. congruence.
Qed.

(* PAGE_ADD: the VM stores nothing meanwhile, for it runs nowhere. *)
Theorem adds_quietly_of : adds_quietly P.
Proof.
  intros z w a s l s' g V G D IDLE0 N SU. unfold succeeded in SU. destruct l as [d|c e i d|c i d]; [discriminate SU| |discriminate SU]. cbn [host_call_of] in SU.
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
  assert (F0 : Registers.x_of a0 c 0 mod 2 ^ 32 = NIE_PAGE_ADD).
  { rewrite ARG by lia. rewrite <- FN. symmetry. apply Znumtheory.Zmod_div_mod; [lia|lia|exists (2 ^ 32); reflexivity]. }
  unfold is_sync in SY. apply andb_prop in SY as [EK EC]. apply Z.eqb_eq in EK, EC.
  assert (CL : Registers.exception_class (Registers.reg_of a0 REG_ESR_EL2) = EC_HVC64).
  { rewrite <- EC. unfold a0. rewrite (core_keeps_registers.reg_arrived c e i d s a) by (unfold REG_ESR_EL2; lia).
    destruct (core_keeps_registers.taken_are c e (Step.enter c i d (hw s))) as (T & _). rewrite T. unfold Registers.exception_class, class. symmetry. apply inject_exact.field_is; lia || reflexivity. }
  set (y := Registers.x_of a0 c) in *. set (r := nie.spec.call.page_add.page_add (y 1) (y 2) (y 3) (y 4) (fun j => content (State.page_of (y 3) + j)) a0) in *.
  assert (EB0 : b0 = Registers.answer c [fst r] (snd r)).
  { rewrite EB. unfold nie.spec.trap.trap.trap. rewrite HO. change (CPU_HOST =? CPU_HOST) with true. cbv iota. unfold nie.spec.trap.trap.host_trap. cbv zeta. rewrite EK, CL.
    change (negb (TRAP_SYNC =? TRAP_SYNC)) with false. change (EC_HVC64 =? EC_HVC64) with true. cbv iota. cbn [snd]. unfold nie.spec.call.host_call.host_call. cbv zeta. fold y. rewrite F0.
    change (NIE_PAGE_ADD =? NIE_VERSION) with false. change (NIE_PAGE_ADD =? NIE_VM_INFO) with false. change (NIE_PAGE_ADD =? NIE_VCPU_RUN) with false.
    change (NIE_PAGE_ADD =? NIE_VM_DESTROY) with false. change (NIE_PAGE_ADD =? NIE_VCPU_DESTROY) with false. change (NIE_PAGE_ADD =? NIE_TABLE_REMOVE) with false.
    change (NIE_PAGE_ADD =? NIE_PAGE_REMOVE) with false. change (NIE_PAGE_ADD =? NIE_VM_CREATE) with false. change (NIE_PAGE_ADD =? NIE_VM_ACTIVATE) with false.
    change (NIE_PAGE_ADD =? NIE_VM_STOP) with false. change (NIE_PAGE_ADD =? NIE_VCPU_CREATE) with false. change (NIE_PAGE_ADD =? NIE_TABLE_ADD) with false.
    change (NIE_PAGE_ADD =? NIE_PAGE_ADD) with true. cbv iota. fold r. now destruct r. }
  assert (OK : fst r = NIE_OK).
  { destruct LV as (LX & _). rewrite LX in ST by lia. rewrite <- ST, EB0. unfold Registers.answer. cbn [Registers.answer_from]. rewrite core_measures.x_set. reflexivity. }
  assert (CK : nie.spec.call.page_add.page_add_check a0 (y 1) (y 2) (y 3) (y 4) = NIE_OK).
  { revert OK. unfold r, nie.spec.call.page_add.page_add. cbv zeta. destruct (Z.eqb_spec (nie.spec.call.page_add.page_add_check a0 (y 1) (y 2) (y 3) (y 4)) NIE_OK) as [Q|Q]; [auto|cbn [fst]; auto]. }
  assert (YV : y 1 = vm w) by (unfold y; rewrite ARG by lia; exact AV).
  destruct (page_add_lets_none_run a0 _ h HR XO HO CL F0 CK) as (r1 & g1 & h1 & g0 & RUN & IDLE).
  apply RT in RUN. change (me h) with c in RUN. rewrite EK in N0. unfold engine in N0. rewrite RUN in N0. cbn [C_store.hw C_store.glob] in N0. injection N0 as _ <-.
  assert (BU : vm_state (vm_at a (vm w)) = NIE_VM_BUILDING).
  { pose proof CK as E. unfold nie.spec.call.page_add.page_add_check in E. cbv zeta in E. rewrite YV in E. destruct (vm_exists (vm w)); [|discriminate E].
    destruct (vm_is a0 (vm w) NIE_VM_BUILDING NIE_VM_BUILDING) eqn:Q; [|discriminate E]. unfold vm_is in Q. change (vm_at a0 (vm w)) with (vm_at a (vm w)) in Q. lia. }
  (* No CPU has its tables. *)
  assert (NO : forall d', vttbr h d' / 2 ^ 48 <> vmid_of w).
  { intros d' Q. rewrite (al_vttbr _ _ AL), (go_vttbr _ _ G) in Q. unfold vmid_of in Q. apply (page_shown_moment.vmid_of_cpu a d' (vm w) (so_wf _ (go_sound _ _ G)) (proj1 V)) in Q as [K Q].
    exact (IDLE0 d' K Q BU). }
  apply Forall_forall_none. intros h2 a2 IN. destruct a2 as [c2|n2 i2 d2|n2|n2 o2 j2 u2|c2 r2 v2]; try reflexivity. cbn [Isolation.own_store]. destruct (nth_error (tlb h2) n2) as [e2|] eqn:E2; [|reflexivity].
  destruct (Machine.vmid e2 =? vmid_of w) eqn:Q1; [|reflexivity]. cbn [andb]. destruct (Isolation.stores h2 n2 o2 j2) eqn:Q2; [exfalso|reflexivity].
  unfold Isolation.stores in Q2. rewrite E2 in Q2. repeat match goal with H : (_ && _)%bool = true |- _ => apply andb_prop in H as [H ?] end.
  apply (NO (Machine.cpu e2)). rewrite <- (IDLE (h2, Some (Write n2 o2 j2 u2)) (Machine.cpu e2) IN). cbn [fst]. change (root_vmid h2 (Machine.cpu e2) = vmid_of w). lia.
Qed.
End Program.

Theorem core_zeroes_words : zeroes_words Program.core.
Proof. exact (zeroes_words_of Program.core Theorems.trap_is_correct Theorems.trap_is_safe Theorems.start_is_correct core_reads_as_trap). Qed.
Theorem core_adds_quietly : adds_quietly Program.core.
Proof. exact (adds_quietly_of Program.core Theorems.trap_is_correct Theorems.trap_is_safe Theorems.start_is_correct core_reads_as_trap). Qed.
