(* SPDX-License-Identifier: Apache-2.0 *)
(* host_trap, exactly: every exception of the host ends as spec/trap/trap.v says. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.spec.trap Require trap.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.trap_h nie.generated.state.inject nie.generated.trap.sysreg nie.generated.trap.host_abort nie.generated.trap.host_smc
  nie.generated.trap.trap nie.generated.call.host_call.
From nie.spec Require Import Core.
From nie.proof.refine Require Import inject_exact sysreg_exact host_smc_refines host_abort_exact Told.
From nie.proof.refine Require Export host_call_refines.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_host_trap := nie.spec.trap.trap.host_trap.

Lemma keeps_asked : forall s n s', asked s n s' -> keeps_else s s'.
Proof. intros s n s' (O & S & _). split; [now apply O|exact S]. Qed.
Lemma keeps_ends : forall o s spec s', ends o s spec s' -> keeps_else s s'.
Proof. intros o s spec s' []. split; auto. Qed.

Section Trap.
Variables (a : state) (s0 : MACH) (w : Z -> Z).
Let c := me (hw s0).
Hypothesis HO : cpu_vm (cpu_at a c) = CPU_HOST.
Hypothesis XO : x_ok c (glob s0).
Hypothesis D : described w a (glob s0).
Notation at_ := (stands c (own a) s0).
Notation ins := (inputs_from (hw s0)).

(* A host call that is made where the trap stands at [s]. *)
Definition trap_ends (s : MACH) (kind r : Z) (s' : MACH) : Prop := exists content,
  let spec := spec_host_trap c kind ins content a in
  r = fst (fst spec) /\ R (snd spec) s' /\ keeps_else s0 s' /\
  (Registers.exception_class (Registers.reg_of a REG_ESR_EL2) = EC_HVC64 -> kind = TRAP_SYNC -> measured_there a s content).

Theorem host_trap_exact : forall s kind, at_ a s -> glob s = glob s0 -> trap_spares a c kind (hw s0) ->
  wp (host_trap c kind) (fun r s' => trap_ends (Mach (glob s) (others (hw s))) kind r s') s.
Proof.
  intros s kind A G CS. set (nothing := fun _ _ : Z => 0).
  assert (ES : wp (sysreg_read REG_ESR_EL2) (fun x s' => x = Registers.reg_of a REG_ESR_EL2 /\ at_ a s' /\ s' = Mach (glob s) (others (hw s))) s).
  { assert (K : wp (sysreg_read REG_ESR_EL2) (fun x s' => x = Registers.reg_of a REG_ESR_EL2 /\ at_ a s') s).
    { eapply at_read; [exact A|vm_compute; split; congruence|]. auto. }
    unfold wp in K |- *. change (sysreg_read REG_ESR_EL2 s) with (Some (Map.get (reg (others (hw s))) (me (others (hw s)) * 128 + REG_ESR_EL2), Mach (glob s) (others (hw s)))) in *.
    destruct K. auto. }
  unfold host_trap. apply wp_bind. eapply wp_weaken; [exact ES|]. cbn beta. intros esr s1 (-> & A1 & E1). rewrite <- E1.
  assert (G1 : glob s1 = glob s0) by (now rewrite E1). set (esr := Registers.reg_of a REG_ESR_EL2) in *.
  assert (AFTER : forall k r s', fst (fst (spec_host_trap c kind ins nothing a)) = r -> snd (spec_host_trap c kind ins nothing a) = k ->
    (kind = TRAP_SYNC -> Registers.exception_class esr <> EC_HVC64) -> R k s' -> keeps_else s0 s' -> trap_ends s1 kind r s').
  { intros k r s' E1' E2 N R' K'. exists nothing. cbn zeta. rewrite E1', E2. split; [reflexivity|]. split; [exact R'|]. split; [exact K'|]. intros X Y. now destruct (N Y). }
  unfold spec_host_trap in AFTER. cbv zeta in AFTER. fold esr in AFTER.
  destruct (Z.eqb_spec kind TRAP_SYNC) as [EK|NK]; cbn [negb] in AFTER |- *.
  2:{ apply wp_ret. eapply (AFTER a); [reflexivity|reflexivity|intro; contradiction|apply A1|eapply keeps_asked, asked_nothing; exact A1]. }
  apply wp_bind. eapply wp_known; [apply class_run|]. cbn beta. set (ec := Registers.exception_class esr) in *.
  destruct (Z.eqb_spec ec EC_HVC64) as [EH|NH].
  { clear AFTER. apply wp_bind. destruct A1 as [HR1 M1 OW1 SI1 ON1].
    assert (HO1 : cpu_vm (cpu_at a (me (hw s1))) = CPU_HOST) by (now rewrite M1).
    assert (XO1 : x_ok (me (hw s1)) (glob s1)) by (now rewrite M1, G1).
    assert (CS1 : call_spares a (me (hw s1)) (hw s1)) by (rewrite M1; intros H1 H2 H3 y p CL; apply (CS EK EH H1 H2 H3 y p); now rewrite <- (silent_claims _ _ _ SI1)).
    pose proof (host_call_refines a s1 HR1 CS1 HO1 XO1) as HC. rewrite M1 in HC. eapply wp_weaken; [exact HC|]. cbn beta.
    intros [] s' (content & [R' [K' S']] & MT). apply wp_ret. exists content. cbn zeta. unfold spec_host_trap. fold esr ec. rewrite EK, EH, !Z.eqb_refl. cbn [negb fst snd].
    assert (EI : inputs_from (hw s1) = ins).
    { unfold inputs_from. destruct (silent_stays _ _ _ SI1) as [_ -> _]. now rewrite (silent_taken _ _ _ SI1). }
    rewrite EI in R'. split; [reflexivity|]. split; [exact R'|]. split; [|intros _ _; exact MT].
    split; [now rewrite K', G1|]. eapply stays_trans; [eapply silent_stays; exact SI1|exact S']. }
  assert (NOT : kind = TRAP_SYNC -> ec <> EC_HVC64) by auto.
  assert (X1 : 0 <= Registers.x_of a c 1).
  { pose proof (h_x _ _ _ (g_cpus _ _ (at_globals _ _ _ _ _ A) c (at_cpu _ _ _ _ _ A)) 1 ltac:(lia)) as E. rewrite G in E. unfold Registers.x_of. rewrite <- E. apply XO. lia. }
  assert (DD : forall b s2, at_ b s2 -> cfg b = cfg a -> described w b (glob s2)).
  { intros b s2 [_ _ _ _ ON2] CB. eapply described_same; [exact D|exact CB|now apply ON2]. }
  destruct (ec =? EC_SMC64).
  { apply wp_bind. eapply at_skip; [exact A1|]. intros s2 A2. apply wp_bind. eapply smc_exact; [exact A2|apply DD; [exact A2|reflexivity]|exact X1|].
    intros s' [A3 (n & K)]. apply wp_ret. eapply AFTER; [reflexivity|reflexivity|exact NOT|apply A3|eapply keeps_asked; exact K]. }
  destruct (ec =? EC_SYSREG).
  { apply wp_bind. replace (Z.land esr 33554431) with (Registers.field esr 0 25) by (symmetry; apply (field_is esr 0 25); lia || reflexivity).
    eapply sysreg_exact; [exact A1|]. intros s' E'. apply wp_ret. eapply AFTER; [reflexivity|reflexivity|exact NOT|apply E'|eapply keeps_ends; exact E']. }
  destruct ((ec =? EC_INSTRUCTION_ABORT) || (ec =? EC_DATA_ABORT))%bool.
  { apply wp_bind. eapply abort_exact; [exact A1|apply DD; [exact A1|reflexivity]|]. intros s' [A3 (n & K)]. apply wp_ret.
    eapply AFTER; [reflexivity|reflexivity|exact NOT|apply A3|eapply keeps_asked; exact K]. }
  apply wp_bind. eapply at_undefined; [exact A1|]. intros s' A2. apply wp_ret.
  eapply AFTER; [reflexivity|reflexivity|exact NOT|apply A2|eapply keeps_asked, asked_nothing; exact A2].
Qed.
End Trap.
