(* SPDX-License-Identifier: Apache-2.0 *)
(* One label of the whole machine but an exception of the victim's, on two machines that differ in what a VM keeps to itself. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.lib Require Import World Wp.
From nie.spec Require Import State Step Isolation.
From nie.spec Require Import Core.
From nie.proof.invariant Require Import Meaning.
From nie.proof.refine Require Import Relation statements Midway trap_is_safe boot_is_safe.
From nie.proof.security Require Import Alike noninterference host_traps_tell_nothing sorted_calls Watched core_is_safe owners_change Twins twins_trap.
From nie.model Require Import C Machine.
From nie.spec Require Import Core Step Isolation.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
Local Opaque vectors_save vectors_load.

Section Program.
Variable P : program gvar.
Hypothesis TS : trap_safe P.
Hypothesis SS : start_safe P.

Lemma trap_went : forall a s c e i d s' l, good a s -> next P s (Trap c e i d) = Ok s' l -> exists b, went c a b s'.
Proof.
  intros a s c e i d s' l G N. cbn [next] in N. destruct (is_cpu c && negb (Map.get (off s) c) && possible e)%bool eqn:B; [|discriminate]. apply andb_prop in B as [B _]. apply andb_prop in B as [IC _].
  assert (C : 0 <= c < 8) by (unfold is_cpu, NIE_MAX_CPUS in IC; lia).
  set (h := take c e (enter c i d (hw s))) in *.
  assert (AL : core_is_safe.alike (hw s) h) by (eapply alike_trans; [apply alike_enter|apply alike_take]).
  pose proof (good_mid a s c _ h G C AL eq_refl (vectors_quiet c s (glob s))) as MI. destruct (R_of_mid _ _ _ MI) as [HR RO].
  set (a1 := snapshot a (C_store.glob (Mach (vectors_save c s (glob s)) h)) (C_store.hw (Mach (vectors_save c s (glob s)) h))) in *.
  assert (XO : vcpu_traps.x_ok c (vectors_save c s (glob s))) by (intros r Rr; rewrite vectors_at by auto; apply Z.mod_pos_bound; lia).
  destruct (TS a1 (Mach (vectors_save c s (glob s)) h) (kind e) HR (mi_claims _ _ _ _ MI) (mi_man _ _ _ _ MI) XO) as (r & b & [g' h'] & E & DID & HB & MO & UC & OFF).
  assert (OT : forall d, 0 <= d < NIE_MAX_CPUS -> d <> c -> cpu_vm (cpu_at b d) = cpu_vm (cpu_at a d)).
  { intros d' D N'. rewrite (did_others _ _ _ DID d' D N'). now destruct (ro_runs _ _ _ RO d' D) as [-> _]. }
  destruct (engine_good P "trap" [c; kind e] c s h g' h' [r] b E HB UC MO) as (s2 & l2 & EQ & GB & _).
  { intros d' D N' O. rewrite (OT d' D N'). now apply (go_off _ _ G). }
  { intro X. exact (OFF (proj1 (Z.eqb_eq _ _) X)). }
  rewrite EQ in N. injection N as <- _. exists b. assert (SO : trap_steps_preserve.sound a1) by (eapply trap_steps_preserve.step_sound; [exact C|apply trap_steps.Registers; exact RO|exact (go_sound _ _ G)]).
  pose proof (did_mild c a1 b C SO DID) as [M1 M2]. constructor; auto.
  - constructor; intros p u y; unfold own in *; rewrite <- (trap_steps.ro_owners _ _ _ RO); auto.
  - rewrite (did_cfg _ _ _ DID). apply (trap_steps.ro_cfg _ _ _ RO).
Qed.
Lemma start_went : forall a s c i d s' l, good a s -> next P s (Start c i d) = Ok s' l -> exists b, went c a b s'.
Proof.
  intros a s c i d s' l G N. cbn [next] in N. destruct (is_cpu c && Map.get (off s) c)%bool eqn:B; [|discriminate]. apply andb_prop in B as [IC IO].
  assert (C : 0 <= c < 8) by (unfold is_cpu, NIE_MAX_CPUS in IC; lia).
  set (h := enter c i d (hw s)) in *.
  pose proof (good_mid a s c _ h G C (alike_enter c i d (hw s)) eq_refl (vectors_quiet c s (glob s))) as MI. destruct (R_of_mid _ _ _ MI) as [HR RO].
  set (a1 := snapshot a (C_store.glob (Mach (vectors_save c s (glob s)) h)) (C_store.hw (Mach (vectors_save c s (glob s)) h))) in *.
  assert (HO : cpu_vm (cpu_at a1 c) = CPU_HOST).
  { destruct (ro_runs _ _ _ RO c C) as [-> _]. apply (go_off _ _ G); auto. }
  destruct (SS a1 (Mach (vectors_save c s (glob s)) h) HR (mi_claims _ _ _ _ MI) (mi_man _ _ _ _ MI) HO) as (b & [g' h'] & E & RB & HB & MO & UC).
  assert (OT : forall d, 0 <= d < NIE_MAX_CPUS -> d <> c -> cpu_vm (cpu_at b d) = cpu_vm (cpu_at a d)).
  { intros d' D N'. destruct (ro_runs _ _ _ RB d' D) as [-> _]. now destruct (ro_runs _ _ _ RO d' D) as [-> _]. }
  destruct (engine_good P "cpu_start" [c] c s h g' h' [] b E HB UC MO) as (s2 & l2 & EQ & GB & _).
  { intros d' D N' O. rewrite (OT d' D N'). now apply (go_off _ _ G). }
  { discriminate. }
  rewrite EQ in N. injection N as <- _. exists b. constructor; auto.
  - apply mild_same. rewrite (trap_steps.ro_owners _ _ _ RB). exact (trap_steps.ro_owners _ _ _ RO).
  - rewrite (trap_steps.ro_cfg _ _ _ RB). exact (trap_steps.ro_cfg _ _ _ RO).
Qed.

Variable w : who.
Hypothesis VW : 0 <= vm w.
Hypothesis KT : keeps_step (call P "trap") takes_traps.
Hypothesis KST : keeps_step (call P "cpu_start") starts_cpu.

(* Twins, with whatever states. *)
Definition paired (s1 s2 : Step.machine) : Prop := exists T Cs a b, twins w T Cs a b s1 s2 /\ windowed a /\ windowed b.

Lemma alike_entered : forall T Cs h1 h2 c i d1 d2, Alike.alike T Cs h1 h2 -> Alike.alike T Cs (enter c i d1 h1) (enter c i d2 h2).
Proof. intros T Cs h1 h2 c i d1 d2 []. constructor; auto. Qed.
Lemma alike_taken : forall T Cs h1 h2 c e, Alike.alike T Cs h1 h2 -> Alike.alike T Cs (take c e h1) (take c e h2).
Proof.
  intros T Cs h1 h2 c e []. constructor; auto. intros d r R N. unfold take. cbn. rewrite !Map.get_set.
  repeat match goal with |- (if ?b then _ else _) = _ => destruct b end; auto.
Qed.

(* An exception of a CPU whose registers are the same on both. *)
Lemma trap_same : forall same T Cs a b s1 s2 c e i d1 d2 s1' s2' l1 l2, twins w T Cs a b s1 s2 -> windowed a -> windowed b -> ~ Cs c ->
  next P s1 (Trap c e i d1) = Ok s1' l1 -> next P s2 (Trap c e i d2) = Ok s2' l2 ->
  (if same : bool then d2 = d1 else tell w l1 = tell w l2) -> Forall (fine w (has w s1)) l1 -> Forall (fine w (has w s2)) l2 -> paired s1' s2'.
Proof.
  intros same T Cs a b s1 s2 c e i d1 d2 s1' s2' l1 l2 TW WA WB NC N1 N2 SA F1 F2.
  destruct (trap_went a s1 c e i d1 s1' l1 (tw_good1 _ _ _ _ _ _ _ TW) N1) as (a' & W1).
  destruct (trap_went b s2 c e i d2 s2' l2 (tw_good2 _ _ _ _ _ _ _ TW) N2) as (b' & W2).
  cbn [next] in N1, N2. destruct (is_cpu c && negb (Map.get (off s1) c) && possible e)%bool eqn:B; [|discriminate N1].
  destruct (is_cpu c && negb (Map.get (off s2) c) && possible e)%bool; [|discriminate N2].
  assert (C : 0 <= c < NIE_MAX_CPUS) by (unfold is_cpu in B; destruct ((0 <=? c) && (c <? NIE_MAX_CPUS)) eqn:Q; [lia|discriminate B]).
  destruct (engine_twins P w c "trap" [c; kind e] takes_traps VW C KT T Cs a b s1 s2 _ _ TW WA WB NC
    (alike_trans _ _ _ (alike_enter c i d1 (hw s1)) (alike_take c e _)) (alike_taken _ _ _ _ c e (alike_entered _ _ _ _ c i d1 d2 (tw_hw _ _ _ _ _ _ _ TW))) eq_refl
    (fun M X _ => conj M (conj X (conj C (ex_intro _ (kind e) eq_refl)))) same s1' s2' l1 l2 SA F1 F2 N1 N2 a' b' W1 W2) as (T' & Cs' & TW' & WA' & WB').
  exists T', Cs', a', b'. auto.
Qed.

(* Registers of a CPU, as software at EL1 and EL0 and the engine see them. *)
Definition same_registers (s1 s2 : Step.machine) (c : Z) : Prop := (forall r, 0 <= r < 31 -> x s2 c r = x s1 c r) /\
  (forall r, 0 <= r < 128 -> sysreg s2 c r = sysreg s1 c r) /\ (forall r, 0 <= r < 128 -> Map.get (fp (hw s2)) (c * 128 + r) = Map.get (fp (hw s1)) (c * 128 + r)).
(* A CPU whose registers are the same is none of those that differ. *)
Lemma leave_out : forall T Cs a b s1 s2 c, twins w T Cs a b s1 s2 -> same_registers s1 s2 c -> twins w T (fun d => Cs d /\ d <> c) a b s1 s2.
Proof.
  intros T Cs a b s1 s2 c [TG TO [AM AT AR AF AE AI AK] TX G1 G2 LO RU] (SX & SY & SF). constructor; auto.
  - constructor; auto.
    + intros d r R N. destruct (Z.eq_dec d c) as [->|D]; [exact (SY r R)|]. apply AR; [exact R|]. intro Q. apply N. auto.
    + intros d r R N. destruct (Z.eq_dec d c) as [->|D]; [exact (SF r R)|]. apply AF; [exact R|]. intro Q. apply N. auto.
  - intros d r R N. destruct (Z.eq_dec d c) as [->|D]; [exact (SX r R)|]. apply TX; [exact R|]. intro Q. apply N. auto.
  - intros d [Q _]. exact (RU d Q).
Qed.
Lemma trap_twins : forall same s1 s2 c e i d1 d2 s1' s2' l1 l2, paired s1 s2 -> (root_vmid (hw s1) c = vmid_of w -> same_registers s1 s2 c) ->
  next P s1 (Trap c e i d1) = Ok s1' l1 -> next P s2 (Trap c e i d2) = Ok s2' l2 ->
  (if same : bool then d2 = d1 else tell w l1 = tell w l2) -> Forall (fine w (has w s1)) l1 -> Forall (fine w (has w s2)) l2 -> paired s1' s2'.
Proof.
  intros same s1 s2 c e i d1 d2 s1' s2' l1 l2 (T & Cs & a & b & TW & WA & WB) SR. destruct (Z.eq_dec (root_vmid (hw s1) c) (vmid_of w)) as [E|N].
  - refine (trap_same same T _ a b s1 s2 c e i d1 d2 s1' s2' l1 l2 (leave_out _ _ _ _ _ _ c TW (SR E)) WA WB _). intros [_ Q]. now apply Q.
  - refine (trap_same same T Cs a b s1 s2 c e i d1 d2 s1' s2' l1 l2 TW WA WB _). intro Q. exact (N (tw_runs _ _ _ _ _ _ _ TW c Q)).
Qed.
Lemma start_twins : forall same s1 s2 c i d1 d2 s1' s2' l1 l2, paired s1 s2 ->
  next P s1 (Start c i d1) = Ok s1' l1 -> next P s2 (Start c i d2) = Ok s2' l2 ->
  (if same : bool then d2 = d1 else tell w l1 = tell w l2) -> Forall (fine w (has w s1)) l1 -> Forall (fine w (has w s2)) l2 -> paired s1' s2'.
Proof.
  intros same s1 s2 c i d1 d2 s1' s2' l1 l2 (T & Cs & a & b & TW & WA & WB) N1 N2 SA F1 F2.
  destruct (start_went a s1 c i d1 s1' l1 (tw_good1 _ _ _ _ _ _ _ TW) N1) as (a' & W1).
  destruct (start_went b s2 c i d2 s2' l2 (tw_good2 _ _ _ _ _ _ _ TW) N2) as (b' & W2).
  cbn [next] in N1, N2. destruct (is_cpu c && Map.get (off s1) c)%bool eqn:B; [|discriminate N1]. destruct (is_cpu c && Map.get (off s2) c)%bool; [|discriminate N2].
  apply andb_prop in B as [B O]. assert (C : 0 <= c < NIE_MAX_CPUS) by (unfold is_cpu in B; lia).
  pose proof (go_off _ _ (tw_good1 _ _ _ _ _ _ _ TW) c C O) as HC.
  assert (RH : root_vmid (hw s1) c <> vmid_of w).
  { rewrite (root_is a s1 c (tw_good1 _ _ _ _ _ _ _ TW)), HC. rewrite Z.eqb_refl. cbn [negb]. rewrite andb_false_r. unfold vmid_of. lia. }
  assert (NC : ~ Cs c) by (intro Q; exact (RH (tw_runs _ _ _ _ _ _ _ TW c Q))).
  destruct (engine_twins P w c "cpu_start" [c] starts_cpu VW C KST T Cs a b s1 s2 _ _ TW WA WB NC
    (alike_enter c i d1 (hw s1)) (alike_entered _ _ _ _ c i d1 d2 (tw_hw _ _ _ _ _ _ _ TW)) eq_refl
    (fun M X H => conj M (conj (eq_trans H HC) (conj C eq_refl))) same s1' s2' l1 l2 SA F1 F2 N1 N2 a' b' W1 W2) as (T' & Cs' & TW' & WA' & WB').
  exists T', Cs', a', b'. auto.
Qed.
End Program.
