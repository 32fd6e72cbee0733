(* SPDX-License-Identifier: Apache-2.0 *)
(* The engine keeps a VM's registers: from boot's end, whatever software does on any CPU, whatever the host answers, and to what, a vCPU that
   is entered again finds in x0 to x30 what it left and what its exit asked for, and goes on where that says (spec/Answers.v). *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers Switch.
Require nie.spec.call.host_call nie.spec.trap.trap nie.spec.trap.boot nie.spec.trap.vcpu_abort.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning configuration_kept.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation Midway statements trap_statement trap_is_safe boot_is_safe Described cpu_start_exact.
From nie.proof.refine Require Exact.
From nie.proof Require Theorems.
From nie.generated Require Program.
From nie.spec Require Import Step Exact.
From nie.spec Require Released Answers.
From nie.proof.security Require Import core_is_safe good_is_exact trace_statement core_is_correct.
From nie.proof.security Require Import Answered Calm Noted Entered Called Departed Near Trapped Walked Followed.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
#[local] Existing Instance Answers.eta_book.

(** The book goes on to agree, and each verdict is right. *)

Lemma x_arrived : forall c e i d s a r, 0 <= r < 31 -> x_of (arrived c e i d s a) c r = x s c r mod 2 ^ 64.
Proof.
  intros c e i d s a r R. unfold arrived, arrives, x_of.
  transitivity (Map.get (cpu_x (cpu_at (set_cpu c (cpu_at a c <| cpu_x := Switch.fill 31 0 (fun r => x s c r mod 2 ^ 64) (Map.const 0) |>) a) c)) r); [reflexivity|].
  rewrite cpu_put, Z.eqb_refl. transitivity (Map.get (Switch.fill 31 0 (fun r => x s c r mod 2 ^ 64) (Map.const 0)) r); [reflexivity|].
  rewrite Exact.get_fill by lia. replace ((0 <=? r) && (r <? 0 + 31))%bool with true by lia. now rewrite Z.sub_0_r.
Qed.
Lemma reg_arrived : forall c e i d s a r, 0 <= r < 128 -> reg_of (arrived c e i d s a) r = Map.get (reg (take c e (enter c i d (hw s)))) (c * 128 + r).
Proof.
  intros c e i d s a r R. transitivity (Map.get (Switch.fill 128 0 (fun r => Map.get (reg (take c e (enter c i d (hw s)))) (c * 128 + r)) (Map.const 0)) r); [reflexivity|].
  rewrite Exact.get_fill by lia. replace ((0 <=? r) && (r <? 0 + 128))%bool with true by lia. now rewrite Z.sub_0_r.
Qed.
Lemma taken_are : forall c e h, Map.get (reg (take c e h)) (c * 128 + REG_ESR_EL2) = esr e /\ Map.get (reg (take c e h)) (c * 128 + REG_HPFAR_EL2) = hpfar e /\
  Map.get (reg (take c e h)) (c * 128 + REG_ELR_EL2) = elr e.
Proof.
  intros c e h. set (m := reg h).
  assert (E : reg (take c e h) = Map.set (Map.set (Map.set (Map.set (Map.set m (c * 128 + REG_ELR_EL2) (elr e)) (c * 128 + REG_SPSR_EL2) (spsr e)) (c * 128 + REG_ESR_EL2) (esr e))
    (c * 128 + REG_FAR_EL2) (far e)) (c * 128 + REG_HPFAR_EL2) (hpfar e)) by reflexivity.
  rewrite E. unfold REG_ELR_EL2, REG_SPSR_EL2, REG_ESR_EL2, REG_FAR_EL2, REG_HPFAR_EL2. rewrite !Map.get_set.
  repeat match goal with |- context [?p =? ?q] => destruct (Z.eqb_spec p q); try (exfalso; lia) end. auto.
Qed.

Section One.
Variables (w : Released.who) (k : Answers.book) (a b : state) (s s' : Step.machine) (c : Z) (e : exception) (ins : nat -> Z) (d : list (list act)) (content : Z -> Z -> Z).
Let v := Released.vm w.
Let l := Trap c e ins d.
Let a0 := arrived c e ins d s a.
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis G : good a s.
Hypothesis GB : good b s'.
Hypothesis N : noted v k a.
Hypothesis ALL : forall u, 0 <= u < NIE_MAX_VMS -> exists ku, noted u ku a.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis PO : possible e = true.
Hypothesis LV : leaves c b s'.
Hypothesis EB : b = snd (nie.spec.trap.trap.trap c (kind e) (fun n => ins n) content a0).

Let CA : calm a a0 := calm_arrives c s (take c e (enter c ins d (hw s))) a.
Lemma a0_wf : wf a0.
Proof. unfold a0, arrived. eapply so_wf. refine (step_sound c _ _ C (trap_steps.Registers _ _ _ (arrives_only a s c _)) (go_sound _ _ G)). Qed.
Lemma a0_noted : forall u ku, 0 <= u < NIE_MAX_VMS -> noted u ku a -> noted u ku a0.
Proof. intros u ku U NU. exact (still_noted u ku a a0 U (runners_range a (wf_runners a (so_wf _ (go_sound _ _ G)))) (calm_still u a a0 CA) NU). Qed.
Lemma a0_run : run_view (cpu_at a0 c) = run_view (cpu_at a c).
Proof. apply (ca_cpus _ _ CA). Qed.
Lemma runs_v : Released.runs_b s c (Released.vmid_of w) = (cpu_vm (cpu_at a0 c) =? v) /\ Released.runs_b s' c (Released.vmid_of w) = (cpu_vm (cpu_at b c) =? v) /\
  Released.runs_b s c 0 = (cpu_vm (cpu_at a0 c) =? CPU_HOST) /\ Released.runs_b s' c 0 = (cpu_vm (cpu_at b c) =? CPU_HOST).
Proof.
  pose proof a0_run as Q. unfold run_view in Q. injection Q as Q _. rewrite Q. unfold Released.vmid_of. fold v.
  rewrite (runs_is a s c v G C V), (runs_is b s' c v GB C V), (host_is a s c G C), (host_is b s' c GB C). auto.
Qed.
Lemma e64 : 0 <= hpfar e.
Proof. unfold possible in PO. apply andb_prop in PO as [_ Q]. cbn [forallb] in Q. rewrite !andb_true_iff in Q. unfold is64 in Q. lia. Qed.
Lemma esr0 : reg_of a0 REG_ESR_EL2 = esr e.
Proof. unfold a0. rewrite reg_arrived by (unfold REG_ESR_EL2; lia). apply taken_are. Qed.

(* Nothing of the VM's begins, comes or goes. *)
Lemma passes : ~ Entered.creates v (x_of a0 c) (x_of b c 0) \/ cpu_vm (cpu_at a0 c) <> CPU_HOST \/ cpu_vm (cpu_at b c) <> CPU_HOST \/ Released.is_sync e EC_HVC64 = false ->
  (cpu_vm (cpu_at b c) = v <-> cpu_vm (cpu_at a0 c) = v) -> noted v k b ->
  noted v (Answers.follow w k s s' l) b /\ forall y, In y (Answers.verdict w k s s' l) -> y = true.
Proof.
  intros NC SAME NB. destruct runs_v as (R1 & R2 & R3 & R4).
  assert (NS : Released.succeeded NIE_VM_CREATE w s s' l = false).
  { unfold Released.succeeded, Released.host_call_of, l. rewrite R3, R4. destruct (Z.eqb_spec (cpu_vm (cpu_at a0 c)) CPU_HOST) as [H1|]; [|reflexivity].
    destruct (Released.is_sync e EC_HVC64) eqn:SY; [|reflexivity]. destruct (Z.eqb_spec (cpu_vm (cpu_at b c)) CPU_HOST) as [H2|]; [|reflexivity]. cbn [andb].
    destruct NC as [NC|[NC|[NC|NC]]]; try contradiction; [|discriminate NC]. apply not_true_is_false. intro T. apply NC. apply andb_prop in T as [T T3]. apply andb_prop in T as [T1 T2].
    apply Z.eqb_eq in T1. apply Z.eqb_eq in T2. apply Z.eqb_eq in T3. destruct LV as (LX & _ & _). rewrite (LX 0 ltac:(lia)) in T3.
    unfold a0, Entered.creates. rewrite !x_arrived by lia. split; [|split; assumption].
    rewrite <- T1. apply low_half. apply Z.mod_mod. vm_compute. discriminate. }
  unfold Answers.follow. rewrite NS. unfold l. unfold Answers.verdict, Answers.enters, Answers.leaves. rewrite R1, R2.
  destruct (Z.eqb_spec (cpu_vm (cpu_at a0 c)) v) as [E1|E1], (Z.eqb_spec (cpu_vm (cpu_at b c)) v) as [E2|E2]; try (exfalso; tauto); cbn [negb andb]; (split; [exact NB|intros y []]).
Qed.

Definition right : Prop := noted v (Answers.follow w k s s' l) b /\ forall y, In y (Answers.verdict w k s s' l) -> y = true.
Let NV : CPU_HOST <> v := v_not_host v V.
Lemma x0_64 : forall r, 0 <= r < 31 -> 0 <= x_of a0 c r < 2 ^ 64.
Proof. intros r R. unfold a0. rewrite x_arrived by exact R. apply Z.mod_pos_bound. reflexivity. Qed.

Lemma it_comes : cpu_vm (cpu_at a0 c) = CPU_HOST -> goes_in v k a0 c ins b -> right.
Proof.
  intros HO (i & a1 & X2 & I & Eb & C1 & IN & AC & RD & NB). destruct runs_v as (R1 & R2 & R3 & R4).
  pose proof (en_cpu _ _ _ _ _ (enters_as c v i a1 I) c) as Q. rewrite <- Eb, Z.eqb_refl in Q. unfold run_view in Q. injection Q as Q _.
  assert (NS : Released.succeeded NIE_VM_CREATE w s s' l = false).
  { unfold Released.succeeded, Released.host_call_of, l. rewrite R4, Q. replace (v =? CPU_HOST) with false by lia. now rewrite andb_false_r. }
  assert (EN : Answers.enters w s s' c = true).
  { unfold Answers.enters. rewrite R1, R2, HO, Q, Z.eqb_refl. replace (CPU_HOST =? v) with false by lia. reflexivity. }
  assert (EI : x s c 2 mod 2 ^ 64 = i) by (rewrite <- X2; unfold a0; rewrite x_arrived by lia; reflexivity).
  unfold right, Answers.follow. rewrite NS. unfold l, Answers.verdict. rewrite EN, EI. split; [exact NB|]. intros y Y.
  destruct (Answers.stood k i) as [[[s1 c1] e1]|] eqn:S; [|destruct Y]. destruct Y as [<-|[]].
  pose proof (no_left _ _ _ (a0_noted v k V N) AC i s1 c1 e1 I S RD) as L.
  assert (L1 : left_in (Answers.window k) s1 c1 e1 a1 v i).
  { eapply left_same; [exact L|exact (same_vcpus _ _ (ca_vcpus _ _ C1) v i)|]. intro z. unfold saved_at. now rewrite (ca_saved _ _ C1). }
  destruct (entry_answers (Answers.window k) s1 c1 e1 ins a1 v i c L1 IN) as [EX EP]. rewrite <- Eb in EX, EP. destruct LV as (LX & LR & _).
  unfold Answers.as_left, Answers.same64. apply andb_true_intro. split.
  - apply forallb_forall. intros r R. assert (RR : 0 <= r < 31) by (unfold numbers in R; apply in_map_iff in R as (n & <- & R); apply in_seq in R; lia).
    rewrite LX by exact RR. apply Z.eqb_eq. now apply EX.
  - rewrite LR by (unfold REG_ELR_EL2; lia). apply Z.eqb_eq. exact EP.
Qed.
Lemma it_begins : cpu_vm (cpu_at a0 c) = CPU_HOST -> Released.is_sync e EC_HVC64 = true -> begins v a0 c b -> right.
Proof.
  intros HO SY ((F & X1 & X0) & H & NB). destruct runs_v as (R1 & R2 & R3 & R4). destruct LV as (LX & _ & _).
  assert (NS : Released.succeeded NIE_VM_CREATE w s s' l = true).
  { unfold Released.succeeded, Released.host_call_of, l. rewrite R3, R4, HO, H, SY. change (CPU_HOST =? CPU_HOST) with true. cbn [andb]. rewrite (LX 0 ltac:(lia)), X0.
    unfold a0 in F, X1. rewrite x_arrived in F, X1 by lia. fold v. rewrite X1, Z.eqb_refl. change (NIE_OK =? NIE_OK) with true. rewrite andb_true_r, andb_true_r. apply Z.eqb_eq. rewrite <- F.
    symmetry. apply low_half. apply Z.mod_mod. vm_compute. discriminate. }
  unfold right, Answers.follow. rewrite NS. unfold l, Answers.verdict, Answers.enters, Answers.leaves. rewrite R1, R2, HO, H. replace (CPU_HOST =? v) with false by lia. cbn [negb andb].
  split; [|intros y []]. unfold new_book, a0 in NB. rewrite !x_arrived in NB by lia. exact NB.
Qed.

Lemma host_does : cpu_vm (cpu_at a0 c) = CPU_HOST -> right.
Proof.
  intro HO. assert (EH : b = snd (nie.spec.trap.trap.host_trap c (kind e) (fun n => ins n) content a0)) by (rewrite EB; unfold nie.spec.trap.trap.trap; rewrite HO; reflexivity).
  assert (CL : Released.class e = exception_class (reg_of a0 REG_ESR_EL2)) by (unfold Released.class, exception_class; rewrite esr0; apply inject_exact.field_is; lia || reflexivity).
  assert (NC : cpu_vm (cpu_at a0 c) = v -> False) by (rewrite HO; exact NV).
  destruct (Released.is_sync e EC_HVC64) eqn:SY.
  - unfold Released.is_sync in SY. apply andb_prop in SY as [S1 S2]. rewrite CL in S2.
    assert (EC : b = nie.spec.call.host_call.host_call c (fun n => ins n) content a0) by (rewrite EH; unfold nie.spec.trap.trap.host_trap; cbv zeta; rewrite S1; cbn [negb]; rewrite S2; reflexivity).
    pose proof (host_call_noted v k a0 c (fun n => ins n) content V a0_wf (a0_noted v k V N) C HO x0_64) as K. rewrite <- EC in K.
    destruct K as [K|[K|(K1 & K2 & K3)]].
    + apply it_comes; assumption.
    + apply it_begins; try assumption. unfold Released.is_sync. now rewrite S1, CL, S2.
    + apply passes; [now left|tauto|exact K3].
  - assert (CB : calm a0 b).
    { rewrite EH. apply host_trap_calm; [exact HO|]. unfold Released.is_sync in SY. rewrite CL in SY. destruct (kind e =? TRAP_SYNC); [right|now left]. cbn [andb] in SY. now apply Z.eqb_neq. }
    assert (H : cpu_vm (cpu_at b c) = CPU_HOST) by (pose proof (ca_cpus _ _ CB c) as Q; unfold run_view in Q; injection Q as Q _; now rewrite Q).
    apply passes; [right; right; right; exact SY|rewrite H, HO; tauto|]. exact (calm_noted v k a0 V a0_wf (a0_noted v k V N) b CB).
Qed.

Lemma guest_does : cpu_vm (cpu_at a0 c) <> CPU_HOST -> right.
Proof.
  intro GU. assert (EG : b = snd (nie.spec.trap.trap.vcpu_trap c (kind e) a0)).
  { rewrite EB. unfold nie.spec.trap.trap.trap. replace (cpu_vm (cpu_at a0 c) =? CPU_HOST) with false by (symmetry; now apply Z.eqb_neq). now destruct (nie.spec.trap.trap.vcpu_trap c (kind e) a0). }
  pose proof (u_runs _ (wf_u _ a0_wf) c C GU) as U. cbv zeta in U. set (u := cpu_vm (cpu_at a0 c)) in *. set (i := cpu_vcpu (cpu_at a0 c)) in *. destruct U as (UR & I & RUN & _).
  destruct (u_some _ (wf_u _ a0_wf) u i UR I ltac:(rewrite RUN; discriminate)) as (FR & _). pose proof (v_used _ (wf_v _ a0_wf) u UR FR) as (_ & CO & _).
  destruct (ALL u UR) as [ku NU]. destruct (no_on _ _ _ (a0_noted u ku UR NU) c C eq_refl) as (_ & PN & _). fold i in PN.
  pose proof (taken_are c e (enter c ins d (hw s))) as (T1 & T2 & T3).
  assert (HP : reg_of a0 REG_HPFAR_EL2 = hpfar e) by (unfold a0; rewrite reg_arrived by (unfold REG_HPFAR_EL2; lia); exact T2).
  assert (EL : reg_of a0 REG_ELR_EL2 = elr e) by (unfold a0; rewrite reg_arrived by (unfold REG_ELR_EL2; lia); exact T3).
  assert (SL : cpu_vm (cpu_at a c) = u) by (pose proof a0_run as Q; unfold run_view in Q; injection Q as Q _; unfold u; now rewrite Q).
  assert (TF : let x := fault_page (hpfar e) in x < 2 ^ 27 -> Released.found s c e = enc (nie.spec.trap.vcpu_abort.entry_of a0 u x)).
  { cbv zeta. intro L. pose proof (walk_finds a s c e G C ltac:(rewrite SL; exact GU) e64) as WF. cbv zeta in WF. rewrite SL in WF. rewrite (WF L). reflexivity. }
  pose proof (trap_ends a0 c e s (Answers.window k) I RUN GU (proj2 CO) PN (fun r R => x_arrived c e ins d s a r R) esr0 HP EL TF) as T. rewrite <- EG in T. fold u i in T.
  destruct T as [CB|(x & b1 & NR & EX & OF & FT)].
  - assert (H : cpu_vm (cpu_at b c) = u) by (pose proof (ca_cpus _ _ CB c) as Q; unfold run_view in Q; injection Q as Q _; exact Q).
    apply passes; [right; left; exact GU|rewrite H; tauto|]. exact (calm_noted v k a0 V a0_wf (a0_noted v k V N) b CB).
  - pose proof (near_left a0 b1 c x I NR) as LB. rewrite <- EX in LB. fold u i in LB. pose proof (lb_here _ _ _ _ _ _ LB) as H.
    destruct (Z.eq_dec u v) as [UV|UV].
    + pose proof (near_departed a0 b1 c x I NR) as DP. rewrite <- EX in DP. fold u i in DP. rewrite OF in DP, LB. rewrite UV in DP, LB. pose proof (a0_noted v k V N) as N0. destruct runs_v as (R1 & R2 & R3 & R4).
      fold u in R1, R3. destruct (no_on _ _ _ N0 c C UV) as (ON & _ & _). fold i in ON.
      assert (NS : Released.succeeded NIE_VM_CREATE w s s' l = false).
      { unfold Released.succeeded, Released.host_call_of, l. rewrite R3. now replace (u =? CPU_HOST) with false by (symmetry; now apply Z.eqb_neq). }
      unfold right, Answers.follow. rewrite NS. unfold l, Answers.verdict, Answers.enters, Answers.leaves. rewrite R1, R2, H, UV, Z.eqb_refl. replace (CPU_HOST =? v) with false by lia. cbn [negb andb].
      split; [|intros y []]. rewrite ON.
      refine (departed_noted v k a0 b c (is_off (Released.exit_of s c e (Answers.window k) true)) s c e V a0_wf N0 C UV DP _).
      intros NO AC. destruct (dp_vm _ _ _ _ _ _ DP) as [Q|Q]; [|rewrite Q in AC; discriminate AC]. unfold vm_view in Q. injection Q as Q _ _. rewrite Q in AC.
      assert (HW : forall p, Answers.window k p = nie.spec.trap.vcpu_abort.in_ram_window a0 u p) by (intro p; rewrite UV; apply (no_window _ _ _ N0); now right).
      destruct (FT HW) as [F1 F2 F3 F4]. fold u i in F1, F2. rewrite UV in F1, F2. destruct LB as [L1 L2 L3 _ _ _ _]. fold i. constructor.
      * rewrite L1. exact F1.
      * intro Z0. rewrite L1. exact (F2 Z0).
      * intros r R. rewrite L2 by exact R. now apply F3.
      * rewrite L3. exact F4.
    + apply passes; [right; left; exact GU|rewrite H; split; intro Q; [destruct (NV Q)|contradiction]|].
      exact (still_noted v k a0 b V (runners_range a0 (wf_runners a0 a0_wf)) ltac:(rewrite EX; apply (near_still a0 b1 c x I NR v V); intro Q; apply UV; symmetry; exact Q) (a0_noted v k V N)).
Qed.
Lemma step_right : right.
Proof. destruct (Z.eq_dec (cpu_vm (cpu_at a0 c)) CPU_HOST); [now apply host_does|now apply guest_does]. Qed.
End One.

(** Runs. *)

Section Runs.
Variable P : program gvar.
Hypothesis TC : trap_correct P.
Hypothesis TS : trap_safe P.
Hypothesis SC : start_correct P.

Definition all_noted (a : state) : Prop := forall u, 0 <= u < NIE_MAX_VMS -> exists ku, noted u ku a.

Lemma step_goes : forall z w k a s l s' g, 0 <= Released.vm w < NIE_MAX_VMS -> good a s -> described z a (glob s) -> noted (Released.vm w) k a -> all_noted a -> next P s l = Ok s' g ->
  exists b, good b s' /\ described z b (glob s') /\ noted (Released.vm w) (Answers.follow w k s s' l) b /\ all_noted b /\ forall y, In y (Answers.verdict w k s s' l) -> y = true.
Proof.
  intros z w k a s l s' g V G D N ALL E. destruct (next_follows P TC TS SC z a s l s' g G D E) as (b & GB & DB & F). exists b. split; [exact GB|]. split; [exact DB|].
  pose proof (runners_range a (wf_runners a (so_wf _ (go_sound _ _ G)))) as IR.
  destruct l as [x|c e i d|c i d]; cbn [follows] in F.
  - subst b. split; [exact N|]. split; [exact ALL|]. intros y [].
  - destruct F as (C & PO & LV & content & EB).
    pose proof (step_right w k a b s s' c e i d content V G GB N ALL C PO LV EB) as [R1 R2]. split; [exact R1|]. split; [|exact R2].
    intros u U. destruct (ALL u U) as [ku NU]. exists (Answers.follow (Released.Who u 0) ku s s' (Trap c e i d)).
    exact (proj1 (step_right (Released.Who u 0) ku a b s s' c e i d content U G GB NU ALL C PO LV EB)).
  - split; [exact (still_noted _ k a b V IR (calm_still _ a b F) N)|]. split; [|intros y []].
    intros u U. destruct (ALL u U) as [ku NU]. exists ku. exact (still_noted u ku a b U IR (calm_still u a b F) NU).
Qed.

Lemma all_right : forall z w tr k a s cr de, 0 <= Released.vm w < NIE_MAX_VMS -> good a s -> described z a (glob s) -> noted (Released.vm w) k a -> all_noted a ->
  forall y, In y (Answers.verdicts P w k s cr de tr) -> y = true.
Proof.
  intros z w. induction tr as [|l tr IH]; intros k a s cr de V G D N ALL y Y; cbn [Answers.verdicts] in Y; [destruct Y|].
  destruct (next P s l) as [s' g| |] eqn:E; [|destruct Y|destruct Y]. destruct (step_goes z w k a s l s' g V G D N ALL E) as (b & GB & DB & NB & AB & R).
  apply in_app_or in Y as [Y|Y]; [|exact (IH _ b s' _ _ V GB DB NB AB y Y)]. destruct (_ && _)%bool; [now apply R|destruct Y].
Qed.

Lemma nothing_noted : forall a u, 0 <= u < NIE_MAX_VMS -> (forall v, vm_at a v = no_vm) -> (forall d, cpu_vm (cpu_at a d) = CPU_HOST) -> noted u Answers.no_book a.
Proof.
  intros a u U FV FH. constructor; try (rewrite FV; discriminate).
  - intros c _ R. rewrite FH in R. destruct (v_not_host u U R).
  - intros [L|L]; rewrite FV in L; discriminate L.
Qed.
End Runs.

Theorem keeps_registers_after_boot : forall P, boot_correct P -> boot_describing P -> trap_correct P -> trap_safe P -> start_correct P ->
  Answers.registers_integral (after_boot P) P.
Proof.
  intros P BC BD TC TS SC s tr w V (h & RS & BO). destruct (boot_good P h s BC RS BO) as [G OK]. pose proof (boot_described P h s BD RS BO) as D.
  destruct (boot_refines.first_facts (manifest h) (rs_words _ RS) OK) as (_ & _ & FR & HO).
  assert (N : forall u, 0 <= u < NIE_MAX_VMS -> noted u Answers.no_book (spec_boot (manifest h))) by (intros u U; apply nothing_noted; [exact U|exact (Booted.fr_vm _ FR)|exact HO]).
  exact (all_right P TC TS SC (manifest h) w tr Answers.no_book _ s 0 0 V G D (N _ V) (fun u U => ex_intro _ Answers.no_book (N u U))).
Qed.

Theorem core_keeps_registers : Answers.registers_integral (after_boot Program.core) Program.core.
Proof.
  exact (keeps_registers_after_boot Program.core Theorems.boot_is_correct Theorems.boot_describes Theorems.trap_is_correct Theorems.trap_is_safe Theorems.start_is_correct).
Qed.
