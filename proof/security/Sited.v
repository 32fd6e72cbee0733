(* SPDX-License-Identifier: Apache-2.0 *)
(* One exception of a run: where a VM's pages are changes as the lone machine's memory does that the label feeds. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers.
Require nie.spec.call.host_call nie.spec.trap.trap nie.spec.trap.vcpu_call.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning configuration_kept.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation statements trap_statement trap_is_safe boot_is_safe Described cpu_start_exact.
From nie.spec Require Import Step Exact.
From nie.spec Require Released Isolation.
From nie.proof.security Require Import core_is_safe good_is_exact trace_statement core_is_correct.
From nie.proof.security Require Import Calm Built Followed Answered Fed Places Relaid Unmoved Mapped Served.
From nie.proof.security Require core_keeps_registers Measures.
From nie.proof.refine Require Snapshot inject_exact.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
#[local] Opaque vectors_save vectors_load run_of call.

(** One exception. *)

Section One.
Variables (w : Released.who) (a b : state) (s s' : Step.machine) (g : log) (c : Z) (e : exception) (ins : nat -> Z) (d : list (list act)).
Variable content : Z -> Z -> Z.
Let l := Trap c e ins d.
Let v := Released.vm w.
Let a0 := arrived c e ins d s a.
Notation x := (x_of a0 c).
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis G : good a s.
Hypothesis GB : good b s'.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis LV : leaves c b s'.
Hypothesis EB : b = snd (nie.spec.trap.trap.trap c (kind e) (fun n => ins n) content a0).

Let AL : alike (hw s) (take c e (enter c ins d (hw s))).
Proof. eapply alike_trans; [apply alike_enter|apply alike_take]. Qed.
Lemma here_wf : wf a0.
Proof. exact (R_wf _ _ (arrives_R a s c _ G C AL eq_refl)). Qed.
Lemma args_are : forall i, 0 <= i < 31 -> x_of a0 c i = Step.x s c i mod 2 ^ 64.
Proof. intros i I. exact (core_keeps_registers.x_arrived c e ins d s a i I). Qed.
Lemma function_is : x 0 mod 2 ^ 32 = Step.x s c 0 mod 2 ^ 32.
Proof. rewrite args_are by lia. apply low_half. apply Z.mod_mod. discriminate. Qed.
Lemma class_is : exception_class (reg_of a0 REG_ESR_EL2) = Released.class e.
Proof.
  unfold a0. rewrite (core_keeps_registers.reg_arrived c e ins d s a) by (unfold REG_ESR_EL2; lia).
  destruct (core_keeps_registers.taken_are c e (enter c ins d (hw s))) as (T & _). rewrite T. unfold exception_class, Released.class. symmetry. apply inject_exact.field_is; lia || reflexivity.
Qed.
Lemma cpu_was : cpu_vm (cpu_at a0 c) = cpu_vm (cpu_at a c).
Proof. pose proof (ca_cpus _ _ (calm_arrives c s (take c e (enter c ins d (hw s))) a) c) as Q. unfold run_view in Q. now injection Q. Qed.
Lemma cpus_are : Released.runs_b s c 0 = (cpu_vm (cpu_at a0 c) =? CPU_HOST) /\ Released.runs_b s' c 0 = (cpu_vm (cpu_at b c) =? CPU_HOST) /\
  Released.runs_b s c (Released.vmid_of w) = (cpu_vm (cpu_at a0 c) =? v).
Proof. rewrite cpu_was, (host_is a s c G C), (host_is b s' c GB C). unfold Released.vmid_of. fold v. rewrite (runs_is a s c v G C V). auto. Qed.
Lemma status_is : Step.x s' c 0 = x_of b c 0.
Proof. destruct LV as (LX & _). apply LX. lia. Qed.

Notation ok f := (Released.succeeded f w s s' l).
Notation step m := (fed (Isolation.feeds w s s' g l) m).
Definition follows_ideal : Prop :=
  (ok NIE_VM_CREATE = true -> free a0 v /\ ~ free b v /\ (forall y, at_ipa b v y = Nothing) /\ forall m, (forall y, shapes m y = Nowhere) -> sited b v (shapes (step m))) /\
  (ok NIE_VM_DESTROY = true -> ~ free a0 v /\ free b v) /\
  (ok NIE_VM_CREATE = false -> ok NIE_VM_DESTROY = false -> (free b v <-> free a0 v) /\ (forall m, sited a0 v (shapes m) -> sited b v (shapes (step m))) /\ comes_and_goes w a0 b s s' l).
Lemma no_call : Released.host_call_of s s' l = None -> (free b v <-> free a0 v) -> (forall m, sited a0 v (shapes m) -> sited b v (shapes (step m))) -> (forall y p, at_ipa b v y = There p -> at_ipa a0 v y = There p) -> follows_ideal.
Proof.
  intros N F H T. assert (NX : forall f, Released.succeeded f w s s' l = false) by (intro f; unfold Released.succeeded; now rewrite N).
  unfold follows_ideal. rewrite !NX. split; [discriminate|]. split; [discriminate|]. intros _ _. split; [exact F|]. split; [exact H|]. apply nothing_comes; [intros f K; rewrite NX in K; discriminate K|exact T].
Qed.
Lemma not_reopened : reopens w s s' c e = false -> Released.host_call_of s s' l = None -> goes_on v a0 b -> slots b = slots a0 -> follows_ideal.
Proof.
  intros R N GO S. apply no_call; [exact N|apply GO| |intros y p; now rewrite (at_same a0 b v y S)]. intros m A. apply (sited_ext v b (shapes m)); [intro y; unfold l; rewrite (other_feeds w s s' g c e ins d m y N), R; reflexivity|].
  apply (sited_same v a0 b); [exact GO|intro y; now apply at_same|exact A].
Qed.

Lemma host_follows : cpu_vm (cpu_at a0 c) = CPU_HOST -> follows_ideal.
Proof.
  intro HO. destruct cpus_are as (R1 & R2 & R3). assert (RV : Released.runs_b s c (Released.vmid_of w) = false) by (rewrite R3, HO; unfold CPU_HOST, NIE_MAX_VMS in *; lia).
  assert (RE : reopens w s s' c e = false) by (unfold reopens; now rewrite RV).
  assert (EH : b = snd (nie.spec.trap.trap.host_trap c (kind e) (fun n => ins n) content a0)) by (rewrite EB; unfold nie.spec.trap.trap.trap; rewrite HO; reflexivity).
  destruct (Released.is_sync e EC_HVC64) eqn:SY.
  2:{ assert (NC : Released.host_call_of s s' l = None) by (unfold Released.host_call_of, l; now rewrite SY, andb_false_r).
    assert (Q : negb (kind e =? TRAP_SYNC) = true \/ exception_class (reg_of a0 REG_ESR_EL2) <> EC_HVC64).
    { unfold Released.is_sync in SY. rewrite <- class_is in SY. destruct (kind e =? TRAP_SYNC); [right|now left]. cbn [andb] in SY. now apply Z.eqb_neq. }
    apply not_reopened; [exact RE|exact NC| |]; rewrite EH; [apply goes_keeps, Measures.host_trap_keeps; exact Q|apply host_trap_slots; exact Q]. }
  pose proof SY as SY0. unfold Released.is_sync in SY. apply andb_prop in SY as [S1 S2]. apply Z.eqb_eq in S1. rewrite <- class_is in S2. apply Z.eqb_eq in S2.
  assert (EC : b = nie.spec.call.host_call.host_call c (fun n => ins n) content a0) by (rewrite EH; unfold nie.spec.trap.trap.host_trap; cbv zeta; rewrite S1, S2; reflexivity).
  destruct (host_call_right v a0 c (fun n => ins n) content V here_wf) as [M1 M2]. rewrite <- EC in M1, M2.
  destruct (Z.eq_dec (x 0 mod 2 ^ 32) NIE_VCPU_RUN) as [F|F].
  - destruct (M1 F) as (FS & F1 & F2). assert (NX : forall k, k <> NIE_VCPU_RUN -> Released.succeeded k w s s' l = false).
    { intros k K. unfold Released.succeeded, Released.host_call_of, l. destruct (_ && _ && _)%bool; [|reflexivity]. rewrite <- function_is, F. now rewrite (proj2 (Z.eqb_neq NIE_VCPU_RUN k) ltac:(auto)). }
    split; [rewrite NX by discriminate; discriminate|]. split; [rewrite NX by discriminate; discriminate|]. intros _ _. split; [exact F1|]. split.
    2:{ apply nothing_comes; [intros k K ->; rewrite NX in K by discriminate; discriminate K|intros y p; fold v; now rewrite (at_same a0 b v y FS)]. }
    intros m A. apply (sited_ext v b (shapes m)); [|now apply F2].
    intro y. destruct (Released.host_call_of s s' l) as [[[f args] st]|] eqn:H.
    + assert (EF : f = Step.x s c 0 mod 2 ^ 32 /\ args = fun i => Step.x s c i mod 2 ^ 64) by (unfold Released.host_call_of, l in H; destruct (_ && _ && _)%bool; [|discriminate H]; split; congruence).
      destruct EF as [EF EA]. rewrite <- function_is, F in EF. unfold l in *. rewrite (call_feeds w s s' g c e ins d f args st m y H); [|intro i; rewrite EA; apply Z.mod_pos_bound; reflexivity|exact RV].
      subst f. unfold after. destruct (negb _); reflexivity.
    + unfold l in *. now rewrite (other_feeds w s s' g c e ins d m y H), RE.
  - specialize (M2 F). assert (HB : cpu_vm (cpu_at b c) = CPU_HOST) by (rewrite EC, (Measures.nobody_comes a0 c (fun n => ins n) content F); exact HO).
    set (args := fun i => Step.x s c i mod 2 ^ 64). set (fn := Step.x s c 0 mod 2 ^ 32).
    assert (H : Released.host_call_of s s' l = Some (fn, args, x_of b c 0)) by (unfold Released.host_call_of, l; rewrite R1, R2, HO, HB, SY0, status_is; reflexivity).
    assert (FE : forall m y, shapes (step m) y = after v (x 0 mod 2 ^ 32) x (x_of b c 0) (shapes m) y).
    { intros m y. unfold l in *. rewrite (call_feeds w s s' g c e ins d fn args _ m y H); [|intro i; apply Z.mod_pos_bound; reflexivity|exact RV]. fold v. unfold fn. rewrite <- function_is.
      unfold after. unfold args. now rewrite <- !args_are by lia. }
    assert (DO : forall k, ok k = true <-> done v a0 c k (x_of b c 0)).
    { intro k. unfold Released.succeeded. rewrite H. unfold done. fold v. unfold fn, args. rewrite <- function_is, <- args_are by lia. rewrite !andb_true_iff, !Z.eqb_eq. tauto. }
    destruct M2 as (P1 & P2 & P3). split; [|split].
    + intro K. pose proof K as K0. apply DO in K. destruct (P1 K) as (Q1 & Q2 & Q3). split; [exact Q1|]. split; [exact Q2|]. split; [exact Q3|]. intros m N y. rewrite Q3. left. rewrite FE. destruct K as (K & _). unfold after. rewrite K.
      destruct (negb _); apply N.
    + intro K. apply P2. now apply DO.
    + intros K1 K2. destruct P3 as (Q1 & Q2 & Q3 & Q4); [intro K; apply DO in K; congruence|intro K; apply DO in K; congruence|]. split; [exact Q1|]. split; [intros m A; eapply sited_ext; [intro y; apply FE|]; now apply Q2|].
      assert (AR : forall i, 0 <= i < 31 -> argument s s' l i = x i) by (intros i I; unfold argument; rewrite H; unfold args; now rewrite <- args_are). unfold comes_and_goes. cbv zeta. fold v. rewrite !AR by lia. split.
      * intros y p T. destruct (Q3 y p T) as [T0|(T0 & T1 & T2 & T3 & T4)]; [now left|right]. split; [exact T0|]. split; [destruct T1 as [T1|T1]; [left|right]; now apply DO|]. auto.
      * intros K y. apply Q4. now apply DO.
Qed.

Lemma guest_follows : cpu_vm (cpu_at a0 c) <> CPU_HOST -> follows_ideal.
Proof.
  intro GU. destruct cpus_are as (R1 & R2 & R3).
  assert (EG : b = snd (nie.spec.trap.trap.vcpu_trap c (kind e) a0)).
  { rewrite EB. unfold nie.spec.trap.trap.trap. rewrite (proj2 (Z.eqb_neq _ _) GU). now destruct (nie.spec.trap.trap.vcpu_trap c (kind e) a0). }
  assert (NC : Released.host_call_of s s' l = None) by (unfold Released.host_call_of, l; rewrite R1, (proj2 (Z.eqb_neq _ _) GU); reflexivity).
  assert (GO : goes_on v a0 b).
  { rewrite EG. apply goes_keeps, vcpu_trap_keeps. pose proof (u_runs _ (wf_u _ here_wf) c C GU) as U. cbv zeta in U. destruct U as (UR & I & RN & _). apply (u_some _ (wf_u _ here_wf) _ _ UR I). rewrite RN. discriminate. }
  assert (CA : calls a0 (kind e) = (Released.is_sync e EC_HVC64 || Released.is_sync e EC_SMC64)%bool).
  { unfold calls, Released.is_sync. rewrite class_is. now destruct (kind e =? TRAP_SYNC). }
  destruct (calls a0 (kind e)) eqn:K; [destruct (Z.eq_dec (x 0 mod 2 ^ 32) NIE_VM_PAGE_REOPEN) as [F|F]|].
  2,3: assert (S : slots b = slots a0) by (rewrite EG; apply vcpu_trap_slots; auto); apply not_reopened; [|exact NC|exact GO|exact S]; unfold reopens; rewrite <- CA.
  2: rewrite <- function_is, (proj2 (Z.eqb_neq _ _) F); now rewrite andb_false_r.
  2: now rewrite andb_false_r.
  destruct (vcpu_trap_reopens c (kind e) a0 K F) as (z & SZ & VZ & EZ). cbv zeta in EZ. rewrite <- EG in EZ. set (u := cpu_vm (cpu_at a0 c)) in *. set (r := nie.spec.trap.vcpu_call.page_reopen u (x 1) z) in *.
  assert (BS : forall y, at_ipa b v y = at_ipa (snd r) v y) by (intro y; rewrite EZ; now apply at_same).
  assert (ZA : forall y, at_ipa z v y = at_ipa a0 v y) by (intro y; now apply at_same).
  assert (XR : Step.x s' c 0 = fst r) by (rewrite status_is, EZ; unfold x_of, set_x; rewrite Snapshot.cpu_at_set, Z.eqb_refl; transitivity (Map.get (Map.set (cpu_x (cpu_at (snd r) c)) 0 (fst r)) 0); [reflexivity|]; now rewrite Map.get_set).
  assert (FE : forall m y, shapes (step m) y = if ((u =? v) && (fst r =? NIE_OK))%bool then row (page_of (x 1)) 1 opened (shapes m) y else shapes m y).
  { intros m y. unfold l in *. rewrite (other_feeds w s s' g c e ins d m y NC). unfold reopens. rewrite R3, <- CA, <- function_is, F, XR. change (NIE_VM_PAGE_REOPEN =? NIE_VM_PAGE_REOPEN) with true. rewrite !andb_true_r.
    unfold page_of. now rewrite args_are by lia. }
  apply no_call; [exact NC|apply GO| |].
  2:{ intros y p T. rewrite BS in T. rewrite <- ZA. destruct (Z.eq_dec u v) as [UV|UV]; [|now rewrite <- (reopen_others z u v ltac:(auto) (x 1) y)].
    revert T. unfold r. rewrite UV. apply (reopen_there a0 v here_wf). exact SZ. }
  intros m A. specialize (FE m). destruct (Z.eqb_spec u v) as [UV|UV].
  - assert (WZ : forall l k, slot_at z v l k = slot_at a0 v l k) by (intros; unfold slot_at; now rewrite SZ).
    pose proof (reopen_places a0 v here_wf (x 1)) as RP. cbv zeta in RP.
    assert (RA : fst r = fst (nie.spec.trap.vcpu_call.page_reopen v (x 1) a0) /\ slots (snd r) = slots (snd (nie.spec.trap.vcpu_call.page_reopen v (x 1) a0))).
    { unfold r. rewrite UV. unfold nie.spec.trap.vcpu_call.page_reopen. destruct (negb _); [split; [reflexivity|exact SZ]|]. destruct (negb _); [split; [reflexivity|exact SZ]|]. rewrite WZ.
      destruct (slot_at a0 v 3 _); try (split; [reflexivity|exact SZ]). split; [reflexivity|]. cbn [snd]. unfold set_slot. cbv zeta. rewrite SZ. reflexivity. }
    destruct RA as [RA1 RA2]. rewrite RA1 in FE. destruct RP as [(O & GN & RP)|(O & RP)].
    + rewrite O in FE. change (NIE_OK =? NIE_OK) with true in FE. cbn [andb] in FE. eapply sited_ext; [exact FE|]. apply (sited_opened v a0 b); [exact GO|exact GN| |exact A].
      intro y. rewrite BS, (at_same _ _ v y RA2). apply RP.
    + rewrite (proj2 (Z.eqb_neq _ _) O) in FE. cbn [andb] in FE. eapply sited_ext; [exact FE|]. apply (sited_same v a0 b); [exact GO| |exact A]. intro y. rewrite BS, (at_same _ _ v y RA2). now rewrite RP.
  - cbn [andb] in FE. eapply sited_ext; [exact FE|]. apply (sited_same v a0 b); [exact GO| |exact A]. intro y. rewrite BS. unfold r. rewrite (reopen_others z u v ltac:(auto) (x 1) y). apply ZA.
Qed.
Theorem exception_follows : follows_ideal.
Proof. destruct (Z.eq_dec (cpu_vm (cpu_at a0 c)) CPU_HOST); [now apply host_follows|now apply guest_follows]. Qed.
End One.
