(* SPDX-License-Identifier: Apache-2.0 *)
(* VCPU_RUN shows the VM nothing of the host: two hosts that say the same in the run record, whatever else their registers
   hold, give a vCPU the same registers. And what the host finds in its registers afterwards is its own. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Registers Switch.
From nie.proof.invariant Require Import trap_steps vcpu_run_preserves.
From nie.proof.refine Require Import Exact vcpu_enters vcpu_run_refines vcpu_leaves.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

(* Registers by which a VM can tell: those of EL1 and EL0, where it resumes, its view of the interrupt controller, and what
   EL2 shows of itself at EL1. The rest of enum sysreg is EL2's own, or the CPU's identity. *)
Definition seen_by_vm (r : Z) : Prop := 0 <= r <= REG_ICH_LR3_EL2 \/ r = REG_HCR_EL2 \/ r = REG_VTTBR_EL2 \/ r = REG_VMPIDR_EL2 \/
  r = REG_CNTVOFF_EL2 \/ r = REG_CNTHCTL_EL2 \/ r = REG_VDISR_EL2.
(* What the entry may use: the vCPU, its VM, and the host's part of the run record. *)
Record public_alike (c v i : Z) (a a' : state) : Prop := {
  pa_vcpu : pending (vcpu_at a' v i) = pending (vcpu_at a v i) /\ syndrome (vcpu_at a' v i) = syndrome (vcpu_at a v i);
  pa_saved : forall w, 0 <= w < 512 -> saved_at a' v i w = saved_at a v i w;
  pa_vm : root (vm_at a' v) = root (vm_at a v) /\ cntvoff (vm_at a' v) = cntvoff (vm_at a v);
  pa_said : forall w, 0 <= w < RUN_IN_END -> Switch.said a' c w = Switch.said a c w;
}.
Record seen_alike (c : Z) (a a' : state) : Prop := {
  sa_regs : forall r, seen_by_vm r -> Map.get (here a') r = Map.get (here a) r;
  sa_x : forall j, 0 <= j < 31 -> Registers.x_of a' c j = Registers.x_of a c j;
  sa_fp : forall j, 0 <= j < 66 -> Map.get (fp_here a') j = Map.get (fp_here a) j;
}.

Lemma alike_reg : forall c r w w' a a', seen_alike c a a' -> w' = w -> seen_alike c (set_here r w a) (set_here r w' a').
Proof.
  intros c r w w' a a' [] ->. constructor; auto. intros q Q.
  transitivity (Map.get (Map.set (here a') r w) q); [reflexivity|]. transitivity (Map.get (Map.set (here a) r w) q); [|reflexivity].
  rewrite !Map.get_set. destruct (q =? r); auto.
Qed.
Lemma alike_gp : forall c j w w' a a', seen_alike c a a' -> w' = w -> seen_alike c (Registers.set_x c j w a) (Registers.set_x c j w' a').
Proof.
  intros c j w w' a a' [] ->. constructor; auto. intros q Q. unfold Registers.x_of, Registers.set_x. rewrite !cpu_at_put, Z.eqb_refl.
  transitivity (Map.get (Map.set (cpu_x (cpu_at a' c)) j w) q); [reflexivity|]. transitivity (Map.get (Map.set (cpu_x (cpu_at a c)) j w) q); [|reflexivity].
  rewrite !Map.get_set. destruct (q =? j); auto. now apply sa_x0.
Qed.

(* The answer to the pending exit. *)
Lemma answer_seen : forall c v i a a', seen_alike c a a' -> public_alike c v i a a' ->
  seen_alike c (Switch.take_answer c v i a) (Switch.take_answer c v i a').
Proof.
  intros c v i a a' S [[PE PS] _ _ SD]. unfold Switch.take_answer. cbv zeta. rewrite PE, PS. fold (asked v i a) (asked v i a').
  assert (B : seen_alike c (asked v i a) (asked v i a')) by (destruct S; constructor; auto).
  assert (D : forall w, 0 <= w < RUN_IN_END -> Switch.said (asked v i a') c w = Switch.said (asked v i a) c w) by exact SD.
  revert B D. generalize (asked v i a) (asked v i a'). intros b b' B D. unfold RUN_IN_END in D.
  destruct (_ =? PENDING_CALL).
  - unfold Registers.answer. cbn [Registers.answer_from]. unfold RUN_IN_X0. rewrite !D by lia. do 4 (apply alike_gp; [|reflexivity]). exact B.
  - rewrite (D RUN_IN_FLAGS) by (unfold RUN_IN_FLAGS; lia). destruct (_ || _); [exact B|].
    assert (SK : forall d d', seen_alike c d d' -> seen_alike c (Registers.skip_instruction d) (Registers.skip_instruction d')).
    { intros d d' E. unfold Registers.skip_instruction, Registers.set_regs. cbn [fold_left fst snd].
      apply alike_reg; [apply alike_reg; [exact E|]|]; unfold Registers.reg_of; rewrite (sa_regs _ _ _ E); auto;
        left; unfold REG_ELR_EL2, REG_SPSR_EL2, REG_ICH_LR3_EL2; lia. }
    apply SK. destruct (_ =? PENDING_READ); [|exact B]. rewrite (D RUN_IN_X0) by (unfold RUN_IN_X0; lia). unfold Registers.set_gpr.
    destruct (_ <? 31); [|exact B]. now apply alike_gp.
Qed.

(* The registers before it: none of them is the host's. Each stage by itself. *)
Section Stages.
Variables (c v i : Z).
Lemma controls_are : forall y, here (Switch.controls_vcpu v i y) =
  Map.set (Map.set (Map.set (Map.set (Map.set (here y) REG_HCR_EL2 HCR_GUEST) REG_VTTBR_EL2 ((v + 1) * 2 ^ 48 + root (vm_at y v) * 4096))
    REG_VMPIDR_EL2 (2 ^ 31 + i)) REG_CNTVOFF_EL2 (cntvoff (vm_at y v))) REG_CNTHCTL_EL2 CNTHCTL_GUEST.
Proof. reflexivity. Qed.
Lemma lists_are : forall y, here (with_hcr c (with_lrs c y)) =
  Map.set (Switch.fill 4 32 (fun n => Switch.said y c (RUN_IN_LR0 + n)) (here y)) REG_ICH_HCR_EL2
    (Z.lor ICH_HCR_EN (Z.land (Switch.said y c RUN_IN_ICH_HCR) ICH_HCR_ENABLES)).
Proof. reflexivity. Qed.
Lemma load_is : forall e, here (Switch.load_vcpu c v i e) =
  Map.set (Switch.fill 3 28 (fun r => saved_at e v i (CTX_ICH + r)) (Switch.fill 28 0 (fun r => saved_at e v i (CTX_SYSREG + r)) (here e))) REG_VDISR_EL2 (saved_at e v i CTX_VDISR).
Proof. reflexivity. Qed.
Lemma load_fp_is : forall e, fp_here (Switch.load_vcpu c v i e) = Switch.fill 66 0 (fun n => saved_at e v i (CTX_FP + n)) (Map.const 0).
Proof. reflexivity. Qed.
Lemma load_cpu : forall e, cpu_at (Switch.load_vcpu c v i e) c = cpu_at e c <| cpu_x := Switch.fill 31 0 (fun n => saved_at e v i (CTX_X0 + n)) (Map.const 0) |>.
Proof.
  intro e. transitivity (cpu_at (set_cpu c (cpu_at e c <| cpu_x := Switch.fill 31 0 (fun n => saved_at e v i (CTX_X0 + n)) (Map.const 0) |>) e) c); [reflexivity|].
  now rewrite cpu_at_put, Z.eqb_refl.
Qed.
Lemma save_cpu : forall e, run_in (cpu_at (Switch.save_host c e) c) = run_in (cpu_at e c).
Proof. intro e. unfold Switch.save_host. rewrite cpu_at_put, Z.eqb_refl. reflexivity. Qed.
Lemma taken_cpu : forall d, run_in (cpu_at (taken_up c v i d) c) = run_in (cpu_at d c).
Proof. intro d. unfold taken_up. rewrite cpu_at_put, Z.eqb_refl. reflexivity. Qed.
Lemma taken_vm : forall d, vm_at (taken_up c v i d) v = vm_at d v <| running ::= fun n => n + 1 |>.
Proof. intro d. transitivity (vm_at (set_vm v (vm_at d v <| running ::= fun n => n + 1 |>) d) v); [reflexivity|]. now rewrite vm_at_put, Z.eqb_refl. Qed.
Lemma save_saved : forall d w, saved_at (Switch.save_host c (taken_up c v i d)) v i w = saved_at d v i w.
Proof. reflexivity. Qed.
Lemma save_vm : forall e, vm_at (Switch.save_host c e) v = vm_at e v.
Proof. reflexivity. Qed.
Lemma load_vm : forall e, vm_at (Switch.load_vcpu c v i e) v = vm_at e v.
Proof. reflexivity. Qed.
Lemma lists_vm : forall e, vm_at (with_hcr c (with_lrs c e)) v = vm_at e v.
Proof. reflexivity. Qed.
Lemma controls_vm : forall e, vm_at (Switch.controls_vcpu v i e) v = vm_at e v.
Proof. reflexivity. Qed.
Lemma lists_cpu : forall e, cpu_at (with_hcr c (with_lrs c e)) c = cpu_at e c.
Proof. reflexivity. Qed.
Lemma controls_cpu : forall e, cpu_at (Switch.controls_vcpu v i e) c = cpu_at e c.
Proof. reflexivity. Qed.
Lemma lists_fp : forall e, fp_here (with_hcr c (with_lrs c e)) = fp_here e.
Proof. reflexivity. Qed.
Lemma controls_fp : forall e, fp_here (Switch.controls_vcpu v i e) = fp_here e.
Proof. reflexivity. Qed.

Lemma last_vcpus : forall n e, vcpus (set_last v c n e) = vcpus e.
Proof. reflexivity. Qed.
Lemma controls_saved : forall e w, saved_at (Switch.controls_vcpu v i e) v i w = saved_at e v i w.
Proof. reflexivity. Qed.
Lemma lists_saved : forall e w, saved_at (with_hcr c (with_lrs c e)) v i w = saved_at e v i w.
Proof. reflexivity. Qed.
Lemma load_saved : forall e w, saved_at (Switch.load_vcpu c v i e) v i w = saved_at e v i w.
Proof. reflexivity. Qed.
Lemma controlled_saved : forall d w, saved_at (controlled c v i d) v i w = saved_at d v i w.
Proof. intros d w. unfold controlled. now rewrite controls_saved, lists_saved, load_saved, save_saved. Qed.
Lemma controlled_vm : forall d, vm_at (controlled c v i d) v = vm_at d v <| running ::= fun n => n + 1 |>.
Proof. intro d. unfold controlled. now rewrite controls_vm, lists_vm, load_vm, save_vm, taken_vm. Qed.
Lemma controlled_in : forall d, run_in (cpu_at (controlled c v i d) c) = run_in (cpu_at d c).
Proof.
  intro d. unfold controlled. rewrite controls_cpu, lists_cpu, load_cpu.
  transitivity (run_in (cpu_at (Switch.save_host c (taken_up c v i d)) c)); [reflexivity|]. now rewrite save_cpu, taken_cpu.
Qed.

Lemma controlled_seen : forall a a', public_alike c v i a a' -> seen_alike c (controlled c v i a) (controlled c v i a').
Proof.
  intros a a' [_ SV [RT CO] SD]. set (e d := Switch.save_host c (taken_up c v i d)).
  assert (SAID : forall w, 0 <= w < RUN_IN_END -> Switch.said (Switch.load_vcpu c v i (e a')) c w = Switch.said (Switch.load_vcpu c v i (e a)) c w).
  { intros w W. assert (K : forall d, Switch.said (Switch.load_vcpu c v i (e d)) c w = Switch.said d c w); [|rewrite !K; auto].
    intro d. unfold Switch.said. rewrite load_cpu. transitivity (Map.get (run_in (cpu_at (e d) c)) w); [reflexivity|]. unfold e. now rewrite save_cpu, taken_cpu. }
  assert (VM : forall d, root (vm_at (with_hcr c (with_lrs c (Switch.load_vcpu c v i (e d)))) v) = root (vm_at d v) /\
    cntvoff (vm_at (with_hcr c (with_lrs c (Switch.load_vcpu c v i (e d)))) v) = cntvoff (vm_at d v)).
  { intro d. rewrite lists_vm, load_vm. unfold e. rewrite save_vm, taken_vm. split; reflexivity. }
  assert (SE : forall w, 0 <= w < 512 -> saved_at (e a') v i w = saved_at (e a) v i w) by (intros w W; unfold e; rewrite !save_saved; auto).
  unfold RUN_IN_END in SAID. unfold controlled. fold (e a) (e a'). clearbody e. constructor.
  - intros r R. rewrite !controls_are, !lists_are, !load_is. destruct (VM a) as [-> ->], (VM a') as [-> ->]. rewrite RT, CO, (SAID RUN_IN_ICH_HCR) by (unfold RUN_IN_ICH_HCR; lia).
    rewrite (SE CTX_VDISR) by (unfold CTX_VDISR; lia). rewrite !Map.get_set.
    unfold seen_by_vm, REG_ICH_LR3_EL2, REG_HCR_EL2, REG_VTTBR_EL2, REG_VMPIDR_EL2, REG_CNTVOFF_EL2, REG_CNTHCTL_EL2, REG_VDISR_EL2, REG_ICH_HCR_EL2 in *.
    destruct (Z.eqb_spec r 46); [reflexivity|]. destruct (Z.eqb_spec r 45); [reflexivity|]. destruct (Z.eqb_spec r 43); [reflexivity|]. destruct (Z.eqb_spec r 41); [reflexivity|].
    destruct (Z.eqb_spec r 40); [reflexivity|]. destruct (Z.eqb_spec r 31); [reflexivity|]. rewrite !get_fill by lia. unfold RUN_IN_LR0, CTX_ICH, CTX_SYSREG.
    destruct ((32 <=? r) && (r <? 32 + 4)) eqn:E1; [apply SAID; lia|]. rewrite !Map.get_set. destruct (Z.eqb_spec r 62); [reflexivity|]. rewrite !get_fill by lia.
    destruct ((28 <=? r) && (r <? 28 + 3)) eqn:E2; [apply SE; lia|].
    destruct ((0 <=? r) && (r <? 0 + 28)) eqn:E3; [apply SE; lia|]. exfalso. lia.
  - intros j J. unfold Registers.x_of. rewrite !controls_cpu, !lists_cpu, !load_cpu.
    transitivity (Map.get (Switch.fill 31 0 (fun n => saved_at (e a') v i (CTX_X0 + n)) (Map.const 0)) j); [reflexivity|].
    transitivity (Map.get (Switch.fill 31 0 (fun n => saved_at (e a) v i (CTX_X0 + n)) (Map.const 0)) j); [|reflexivity]. rewrite !get_fill by lia.
    replace ((0 <=? j) && (j <? 0 + 31)) with true by lia. apply SE. unfold CTX_X0. lia.
  - intros j J. rewrite !controls_fp, !lists_fp, !load_fp_is, !get_fill by lia.
    replace ((0 <=? j) && (j <? 0 + 66)) with true by lia. apply SE. unfold CTX_FP. lia.
Qed.
Lemma last_seen : forall n a a', seen_alike c a a' -> seen_alike c (set_last v c n a) (set_last v c n a').
Proof. intros n a a' []. constructor; assumption. Qed.
Lemma last_public : forall n a a', public_alike c v i a a' -> public_alike c v i (set_last v c n a) (set_last v c n a').
Proof. intros n a a' []. constructor; assumption. Qed.
Lemma controlled_public : forall a a', 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS -> public_alike c v i a a' ->
  public_alike c v i (controlled c v i a) (controlled c v i a').
Proof.
  intros a a' V I [PV SV PM SD].
  assert (VC : forall d, pending (vcpu_at (controlled c v i d) v i) = pending (vcpu_at d v i) /\ syndrome (vcpu_at (controlled c v i d) v i) = syndrome (vcpu_at d v i)).
  { intro d. assert (E : vcpu_at (controlled c v i d) v i = vcpu_at d v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |>).
    { rewrite <- (come_vcpu c v i d I _ (controlled_alike c v i d)). unfold vcpu_at. now rewrite last_vcpus. }
    rewrite E. split; reflexivity. }
  constructor.
  - destruct (VC a) as [-> ->], (VC a') as [-> ->]. exact PV.
  - intros w W. rewrite !controlled_saved. auto.
  - rewrite !controlled_vm. exact PM.
  - intros w W. unfold Switch.said in *. rewrite !controlled_in. auto.
Qed.
End Stages.

(* Two entries with the same public part are alike to the VM. With [vcpu_run_is_correct] this is about the machine: [R] says
   that the CPU's registers are those of the state. *)
Theorem entry_shows_no_host : forall c v i a a', 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS -> public_alike c v i a a' ->
  seen_alike c (Switch.enter_vcpu c v i a) (Switch.enter_vcpu c v i a').
Proof.
  intros c v i a a' V I P. rewrite !enter_stages. apply answer_seen; [apply last_seen, controlled_seen, P|apply last_public, controlled_public; auto].
Qed.

(** The way out: registers of the host are what it left there, but x0, which is the status; the vectors are zero. What else
    it learns is in the run record: [Switch.exit_words], by [told_words] of vcpu_leaves.v. *)
Lemma host_regs : forall x r, 0 <= r < REG_SWITCHED -> Map.get (here (Switch.controls_host x)) r = Map.get (here x) r.
Proof. intros x r R. rewrite host_controls_are. unfold REG_SWITCHED in R. rewrite !get_set_other by (unfold REG_HCR_EL2, REG_VTTBR_EL2, REG_VMPIDR_EL2, REG_CNTVOFF_EL2, REG_CNTHCTL_EL2, REG_ICH_HCR_EL2; lia). reflexivity. Qed.
Lemma load_here : forall c x, here (Switch.load_host c x) = Switch.fill REG_SWITCHED 0 (Map.get (host_sysreg (cpu_at x c))) (here x).
Proof. reflexivity. Qed.
Lemma host_x_of : forall c x j, 0 <= j < 31 -> Registers.x_of (Switch.controls_host (Registers.set_x c 0 NIE_OK (Switch.load_host c x))) c j =
  if j =? 0 then NIE_OK else Map.get (host_x (cpu_at x c)) j.
Proof.
  intros c x j J. assert (K : forall y, Registers.x_of (Switch.controls_host y) c j = Registers.x_of y c j) by reflexivity. rewrite K. clear K.
  unfold Registers.x_of, Registers.set_x. rewrite cpu_at_put, Z.eqb_refl.
  transitivity (Map.get (Map.set (cpu_x (cpu_at (Switch.load_host c x) c)) 0 NIE_OK) j); [reflexivity|]. rewrite Map.get_set. destruct (j =? 0); auto.
  transitivity (Map.get (cpu_x (cpu_at (set_cpu c (cpu_at x c <| cpu_x := host_x (cpu_at x c) |>) x) c)) j); [reflexivity|]. rewrite cpu_at_put, Z.eqb_refl. reflexivity.
Qed.
Theorem exit_shows_no_vm : forall c v i e a, runs a c v i -> let b := snd (Switch.exit_vcpu c e a) in
  (forall r, 0 <= r < REG_SWITCHED -> Map.get (here b) r = Map.get (host_sysreg (cpu_at a c)) r) /\
  (forall j, 0 <= j < 31 -> Registers.x_of b c j = if j =? 0 then NIE_OK else Map.get (host_x (cpu_at a c)) j) /\
  (forall j, Map.get (fp_here b) j = 0).
Proof.
  intros c v i e a RU b. unfold b. rewrite (leave_is c v i a e RU). set (o := _ =? _). clearbody o. clear b.
  assert (K : forall x, cpu_at (leave c v i o x) c = cpu_at x c <| cpu_vm := CPU_HOST |>) by (intro x; unfold leave; rewrite cpu_at_put, Z.eqb_refl; reflexivity).
  assert (KS : cpu_at (Switch.save_vcpu c v i a) c = cpu_at a c) by reflexivity. pose proof (K (Switch.save_vcpu c v i a)) as E. rewrite KS in E.
  assert (FP : forall j, Map.get (fp_here (leave c v i o (Switch.save_vcpu c v i a))) j = 0).
  { intro j. transitivity (Map.get (Map.const 0) j); [reflexivity|]. apply Map.get_const. }
  revert E FP. generalize (leave c v i o (Switch.save_vcpu c v i a)). intros x E FP. split; [|split].
  - intros r R. rewrite host_regs by auto. transitivity (Map.get (here (Switch.load_host c x)) r); [reflexivity|]. rewrite load_here, get_fill, E by (unfold REG_SWITCHED; lia).
    unfold REG_SWITCHED in *. replace ((0 <=? r) && (r <? 0 + 28)) with true by lia. cbn. f_equal. lia.
  - intros j J. rewrite host_x_of, E by auto. reflexivity.
  - exact FP.
Qed.
