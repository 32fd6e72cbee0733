(* SPDX-License-Identifier: Apache-2.0 *)
(* A CPU that starts, the first or by CPU_ON, exactly as spec/trap/boot.v says. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.spec.trap Require boot.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning vcpu_run_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.world nie.generated.boot.
From nie.spec Require Import Core.
From nie.proof.refine Require Import host_call_exact statements.
From nie.proof.refine Require Export vcpu_leaves.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* Registers of CPU c are those that spec/trap/boot.v says; of all else only the manifest's words and other CPUs' vectors are kept for
   others to know: [R] says the rest. The host had the CPU: it was off. *)
Definition start_correct (P : program gvar) : Prop := forall a s, let c := me (hw s) in
  R a s -> cpu_vm (cpu_at a c) = CPU_HOST ->
  exists s', run_of P "cpu_start" [c] s = Some ([], s') /\ R (nie.spec.trap.boot.cpu_start c a) s' /\ keeps_else s s'.

(** Stages of the specification. *)

Definition with_x (c : Z) (a : state) : state :=
  set_cpu c (cpu_at a c <| cpu_x := Map.set nie.spec.trap.boot.no_words 0 (start_argument (cpu_at a c)) |>) a.
Definition with_registers (c : Z) (a : state) : state :=
  Registers.set_regs [(REG_SCTLR_EL1, SCTLR_EL1_RESET); (REG_ELR_EL2, start_entry (cpu_at a c)); (REG_SPSR_EL2, PSTATE_EL1H_MASKED)]
    (Switch.load_regs REG_SWITCHED 0 (fun _ => 0) (with_x c a)) <| fp_here := nie.spec.trap.boot.no_words |>.
Lemma start_stages : forall c a, nie.spec.trap.boot.cpu_start c a = Switch.controls_host (Switch.controls_both (with_registers c a)).
Proof. reflexivity. Qed.
Lemma started_alike : forall c a, alike a (nie.spec.trap.boot.cpu_start c a).
Proof.
  intros c a. rewrite start_stages. unfold Switch.controls_host, Switch.controls_both. eapply alike_trans; [|apply alike_here]. eapply alike_trans; [|apply alike_here].
  assert (A : forall x y, alike x y -> alike x (y <| fp_here := nie.spec.trap.boot.no_words |>)) by (intros x y []; constructor; auto).
  apply A. eapply alike_trans; [|apply alike_here]. eapply alike_trans; [|apply alike_regs]. apply alike_cpu; reflexivity.
Qed.

Section Start.
Variables (h0 : Machine.hw) (c : Z) (A : aset) (m : Z -> Z) (n : nat).
Hypothesis C : 0 <= c < 8.
Notation LIVE rg f := (live h0 c A m (now m) rg f n).

Lemma controls_both_wp : forall rg f gl h (Q : unit -> mach globals Machine.hw -> Prop), LIVE rg f h ->
  (forall h', LIVE (Map.set (Map.set (Map.set (Map.set (Map.set (Map.set rg REG_MDCR_EL2 (Z.lor MDCR_BOTH (Z.land (Map.get rg REG_MDCR_EL2) MDCR_HPMN))) REG_CPTR_EL2 CPTR_BOTH)
      REG_HSTR_EL2 0) REG_VTCR_EL2 VTCR_BOTH) REG_ICC_SRE_EL2 ICC_SRE_BOTH) REG_VPIDR_EL2 (Map.get rg REG_MIDR_EL1)) f h' -> Q tt (Mach gl h')) ->
  wp controls_both Q (Mach gl h).
Proof.
  intros rg f gl h Q L H. unfold controls_both.
  w_bind. eapply x_read; [exact L|unfold REG_MDCR_EL2; lia|]. intros h1 L1. cbn beta. w_bind. apply wp_ret.
  w_bind. eapply x_read; [exact L1|unfold REG_MIDR_EL1; lia|]. intros h2 L2. cbn beta.
  w_bind. eapply x_write; [exact L2|unfold REG_MDCR_EL2; lia|discriminate|]. intros h3 L3. cbn beta.
  w_bind. eapply x_write; [exact L3|unfold REG_CPTR_EL2; lia|discriminate|]. intros h4 L4. cbn beta.
  w_bind. eapply x_write; [exact L4|unfold REG_HSTR_EL2; lia|discriminate|]. intros h5 L5. cbn beta.
  w_bind. eapply x_write; [exact L5|unfold REG_VTCR_EL2; lia|discriminate|]. intros h6 L6. cbn beta.
  w_bind. eapply x_write; [exact L6|unfold REG_ICC_SRE_EL2; lia|discriminate|]. intros h7 L7. cbn beta.
  w_bind. eapply x_write; [exact L7|unfold REG_VPIDR_EL2; lia|discriminate|]. intros h8 L8. cbn beta. apply wp_ret. apply H. exact L8.
Qed.
End Start.

Lemma started_here : forall c a, here (nie.spec.trap.boot.cpu_start c a) =
  let rg := Map.set (Map.set (Map.set (Switch.fill REG_SWITCHED 0 (fun _ => 0) (here a)) REG_SCTLR_EL1 SCTLR_EL1_RESET) REG_ELR_EL2 (start_entry (cpu_at a c))) REG_SPSR_EL2 PSTATE_EL1H_MASKED in
  let rg := Map.set (Map.set (Map.set (Map.set (Map.set (Map.set rg REG_MDCR_EL2 (Z.lor MDCR_BOTH (Z.land (Map.get rg REG_MDCR_EL2) MDCR_HPMN))) REG_CPTR_EL2 CPTR_BOTH)
      REG_HSTR_EL2 0) REG_VTCR_EL2 VTCR_BOTH) REG_ICC_SRE_EL2 ICC_SRE_BOTH) REG_VPIDR_EL2 (Map.get rg REG_MIDR_EL1) in
  Map.set (Map.set (Map.set (Map.set (Map.set (Map.set rg REG_HCR_EL2 HCR_HOST) REG_VTTBR_EL2 (host_tables (cfg a) * 4096))
      REG_VMPIDR_EL2 (Map.get rg REG_MPIDR_EL1)) REG_CNTVOFF_EL2 0) REG_CNTHCTL_EL2 CNTHCTL_HOST) REG_ICH_HCR_EL2 0.
Proof. reflexivity. Qed.

Theorem cpu_start_exact : forall a s, let c := me (hw s) in R a s -> cpu_vm (cpu_at a c) = CPU_HOST ->
  wp (cpu_start c) (fun _ s' => R (nie.spec.trap.boot.cpu_start c a) s' /\ keeps_else s s') s.
Proof.
  intros a [gl h] c HR HO. destruct (live_of_R _ _ _ HR) as (m & L & T). pose proof HR as [W O G _ RAM ENG REGS CNT]. cbn [glob hw] in *. subst c.
  set (c := me h) in *. pose proof (r_me _ _ REGS : 0 <= c < NIE_MAX_CPUS) as CB. pose proof CB as C8. unfold NIE_MAX_CPUS in C8.
  destruct (g_cpus _ _ G c CB) as [_ _ _ _ HE HA' _ _ _]. unfold cpu_start.
  w_bind. apply wp_loop with (I := fun i _ s => s = Mach (putn i cpus_x (c * 31) (fun _ => 0) gl) h); [lia|reflexivity| |].
  { intros i u s I ->. w_bind. eapply x_store2; [reflexivity|lia|lia|]. apply wp_ret. now rewrite putn_next by lia. }
  intros u s ->. cbn beta. w_bind. eapply wp_load1; [reflexivity|exact C8|]. cbn beta. rewrite putn_other by discriminate. rewrite HA'.
  w_bind. eapply x_store2; [reflexivity|exact C8|lia|]. cbn beta. set (g1 := put1 cpus_x _ _ _).
  assert (G1 : globals_hold (with_x c a) g1).
  { unfold with_x. eapply hold_cpu; [exact G|exact CB| | |].
    - intros g F. assert (N : g <> cpus_x) by (intros ->; discriminate). unfold g1, put1. rewrite field_set_other by congruence. now apply putn_field.
    - intros g j F J. destruct (gvar_dec g cpus_x) as [->|N].
      + unfold g1. rewrite at_put by reflexivity. destruct (gvar_dec _ _); [|congruence]. unfold cpu_word in J.
        replace (j =? c * 31 + 0) with false by (apply Z.eqb_neq in J || idtac; lia). rewrite at_putn by (try reflexivity; lia). now replace ((c * 31 <=? j) && (j <? c * 31 + 31))%bool with false by lia.
      + unfold g1. rewrite at_put_other by (destruct g; auto; discriminate). now apply putn_other.
    - destruct (g_cpus _ _ G c CB) as [H1 H2 H3 H4 H5 H6 H7 H8 H9]. constructor; intros; try (unfold g1; rewrite at_put_other by (reflexivity || discriminate); rewrite putn_other by discriminate; auto; fail).
      match goal with |- _ = Map.get ?x _ => change x with (Map.set (Map.const 0) 0 (start_argument (cpu_at a c))) end.
      unfold g1. rewrite at_put by reflexivity. destruct (gvar_dec cpus_x cpus_x) as [_|]; [|congruence]. rewrite Map.get_set.
      replace (c * 31 + i =? c * 31 + 0) with (i =? 0) by lia. destruct (i =? 0); auto. rewrite at_putn by (try reflexivity; lia). rewrite Map.get_const.
      now replace ((c * 31 <=? c * 31 + i) && (c * 31 + i <? c * 31 + 31))%bool with true by lia. }
  assert (K1 : field config_word g1 = field config_word gl) by (unfold g1, put1; rewrite field_set_other by discriminate; apply putn_field; discriminate).
  assert (E1 : at1 cpus_entry g1 c = start_entry (cpu_at a c)) by (unfold g1; rewrite at_put_other by (reflexivity || discriminate); rewrite putn_other by discriminate; exact HE).
  clearbody g1. w_bind.
  apply wp_loop with (I := fun i _ s => exists h', live h c (Aset a) m (now m) (Switch.fill i 0 (fun _ => 0) (here a)) (fp_here a) (taken h) h' /\ s = Mach g1 h'); [unfold REG_SWITCHED; lia|eauto| |].
  { unfold REG_SWITCHED. intros i u' s I (h1 & L1 & ->). w_bind. eapply x_write; [exact L1|lia|unfold REG_VTTBR_EL2; lia|]. intros h2 L2. apply wp_ret. exists h2. split; auto. rewrite fill_next by lia. exact L2. }
  intros u' s (h1 & L1 & ->). cbn beta.
  w_bind. eapply x_write; [exact L1|unfold REG_SCTLR_EL1; lia|discriminate|]. intros h2 L2. cbn beta.
  w_bind. eapply wp_load1; [reflexivity|exact C8|]. cbn beta. rewrite E1.
  w_bind. eapply x_write; [exact L2|unfold REG_ELR_EL2; lia|discriminate|]. intros h3 L3. cbn beta.
  w_bind. eapply x_write; [exact L3|unfold REG_SPSR_EL2; lia|discriminate|]. intros h4 L4. cbn beta.
  w_bind. eapply (x_fp_zero h c (Aset a) m (taken h) 0); [exact L4|]. intros h5 L5. cbn beta.
  w_bind. eapply controls_both_wp; [exact L5|]. intros h6 L6. cbn beta.
  assert (ET : at1 config_word g1 MAN_TABLES = host_tables (cfg a)) by exact (g_tables _ _ G1).
  pose proof (c_tables _ (wf_c _ W)) as CT. pose proof (c_engine _ (wf_c _ W)) as CE. pose proof (c_ram _ (wf_c _ W)) as CR. pose proof (gibs_small _ W) as GS. pose proof (c_dev _ (wf_c _ W)) as CD. unfold level3_first in CT.
  w_bind. eapply world_leaves.controls_host_wp; [exact L6|rewrite ET; lia|rewrite ET; left; auto|]. intros h7 L7. cbn beta. rewrite ET in L7.
  w_bind. eapply x_tlbi_local; [exact L7|]. intros h8 L8. cbn beta. w_bind. eapply x_ic; [exact L8|]. intros h9 L9. cbn beta.
  w_bind. eapply x_dsb; [exact L9|]. intros h10 L10. cbn beta. w_bind. eapply x_isb; [exact L10|]. intros h11 L11. cbn beta. apply wp_ret.
  split; [|split; [exact K1|eapply stays_of; [exact L11|reflexivity]]].
  pose proof (started_alike c a) as AL. set (b := nie.spec.trap.boot.cpu_start c a) in *.
  assert (VA : forall d, vttbr_of b d = vttbr_of a d).
  { intro d. unfold vttbr_of. rewrite (al_cfg _ _ AL). destruct (al_runs _ _ AL d) as [-> _]. unfold vm_at. now rewrite (al_vms _ _ AL). }
  apply (R_live a gl h c b m (taken h) g1 h11); [exact HR|reflexivity| | |eapply alike_sound; [exact AL|constructor; auto]|now apply alike_map|eapply alike_tables; eauto| |].
  - eapply live_ext; [exact L11| |].
    + unfold b. rewrite started_here. reflexivity.
    + reflexivity.
  - unfold b. rewrite start_stages. eapply holds_of; [exact G1|reflexivity..].
  - rewrite VA. unfold b. rewrite started_here. cbv zeta. rewrite !get_set_other by discriminate. rewrite get_set_same. unfold vttbr_of. rewrite HO, Z.eqb_refl. cbn [negb]. now rewrite andb_false_r.
  - intros d _. apply VA.
Qed.
