(* SPDX-License-Identifier: Apache-2.0 *)
(* Whole runs: two that show the others the same leave them the same to observe, as long as the victim does not come out. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.proof Require Theorems.
From nie.spec Require Import State Step Isolation.
From nie.spec Require Import Core.
From nie.proof.invariant Require Import Meaning Booted.
From nie.proof.refine Require Import Relation statements boot_refines trap_is_safe boot_is_safe.
From nie.proof.security Require Import Alike noninterference host_traps_tell_nothing sorted_calls core_is_safe Twins software_tells_nothing twins_trap twins_next.
From nie.model Require Import C Machine.
From nie.spec Require Import Core Step Isolation.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** The premise on each run. *)

(* LESS than every run: no exception is taken by a CPU that runs the victim, or runs another incarnation of its index, so that a victim which
   is entered goes on to run. And in mid-handler [fine] holds (Alike.v): walks find what their labels say, a TLB entry that is forgotten was
   there, and the victim's secret stores go to pages that it had when the handler began. *)
Definition calm_label (w : who) (s : Step.machine) (l : label) (g : log) : Prop :=
  match l with
  | Do _ => True
  | Trap c _ _ _ => ~ runs s c (vmid_of w) /\ Forall (fine w (has w s)) g
  | Start _ _ _ => Forall (fine w (has w s)) g
  end.
Fixpoint calm (P : program gvar) (w : who) (s : Step.machine) (tr : list label) : Prop :=
  match tr with
  | [] => True
  | l :: tr' => match next P s l with Ok s' g => calm_label w s l g /\ calm P w s' tr' | _ => True end
  end.

(** What a label shows. *)

Section Runs.
Variable P : program gvar.
Variable w : who.
Hypothesis VW : 0 <= vm w.
Variable ram : Z -> bool.
Lemma not_host : vmid_of w <> 0.
Proof. unfold vmid_of. lia. Qed.
Let V := not_host.

Inductive looks (s : Step.machine) (g : log) : label -> list event -> Prop :=
| Hidden y : its_own w s y -> looks s g (Do y) []
| Done y : looks s g (Do y) [Seen (Do y)]
| Shared d p i v : heard w (hw s) d = [Stored p i v] -> looks s g (Do (Hardware d)) [Stored p i v]
| Took c e i d : looks s g (Trap c e i d) [Seen (Trap c e i []); meanwhile w g]
| TookAll c e i d : looks s g (Trap c e i d) [Seen (Trap c e i d)]
| Started c i d : looks s g (Start c i d) [Seen (Start c i []); meanwhile w g]
| StartedAll c i d : looks s g (Start c i d) [Seen (Start c i d)].

Lemma it_looks : forall (b : bool) s s' g l, calm_label w s l g -> looks s g l (if b then show w ram s s' g l else [Seen l]).
Proof.
  intros [] s s' g l CA; [|destruct l; constructor]. destruct l as [y|c e i d|c i d]; cbn [show].
  - destruct y as [d|c r v|c r v|n o i r].
    + unfold heard at 1. destruct (whose_act w (hw s) d) as [| |ev] eqn:E.
      * constructor.
      * constructor. exact E.
      * destruct (public_is w _ _ _ E) as (p & i & v & ->). constructor. unfold heard. now rewrite E.
    + unfold runs_b. destruct (Z.eqb_spec (root_vmid (hw s) c) (vmid_of w)) as [E|N]; constructor. exact E.
    + unfold runs_b. destruct (Z.eqb_spec (root_vmid (hw s) c) (vmid_of w)) as [E|N]; constructor. exact E.
    + destruct (nth_error (tlb (hw s)) n) as [e|] eqn:E; [|constructor]. destruct (Z.eqb_spec (vmid e) (vmid_of w)) as [F|N]; constructor. exists e. auto.
  - destruct CA as [R _]. unfold runs_b. destruct (Z.eqb_spec (root_vmid (hw s) c) (vmid_of w)) as [E|_]; [now elim R|]. constructor.
  - constructor.
Qed.

Lemma shown_head : forall tr s past s0 m r, shown P w ram s past tr s0 <> While m :: r.
Proof.
  induction tr as [|l tr IH]; intros s past s0 m r; cbn [shown]; [discriminate|]. destruct (next P s l) as [s' g| |]; try discriminate.
  destruct (live P s0 past w); [|discriminate]. destruct l as [y|c e i d|c i d]; cbn [show]; [| |discriminate].
  - destruct y as [d|c r' v|c r' v|n o i r'].
    + unfold heard. destruct (whose_act w (hw s) d) as [| |ev] eqn:E; [discriminate|apply IH|]. destruct (public_is w _ _ _ E) as (p & i & v & ->). discriminate.
    + destruct (runs_b s c (vmid_of w)); [apply IH|discriminate].
    + destruct (runs_b s c (vmid_of w)); [apply IH|discriminate].
    + destruct (nth_error (tlb (hw s)) n) as [e|]; [|discriminate]. destruct (vmid e =? vmid_of w); [apply IH|discriminate].
  - destruct (runs_b s c (vmid_of w)); discriminate.
Qed.

(** One label of each. *)

Notation paired := (paired w).
Lemma paired_sym : forall s1 s2, paired s1 s2 -> paired s2 s1.
Proof. intros s1 s2 (T & Cs & a & b & TW & WA & WB). exists T, Cs, b, a. split; auto. now apply twins_sym. Qed.
Lemma paired_own : forall s1 s2 y, paired s1 s2 -> its_own w s1 y -> paired (do_step y s1) s2.
Proof.
  intros s1 s2 y (T & Cs & a & b & TW & WA & WB) O. destruct (its_own_step w _ _ _ _ _ _ _ TW O) as (T' & Cs' & TW'). exists T', Cs', a, b. auto.
Qed.
Lemma its_own_dec : forall s y, its_own w s y \/ ~ its_own w s y.
Proof.
  intros s [d|c r v|c r v|n o i r]; cbn [its_own].
  - destruct (whose_act w (hw s) d); auto; right; discriminate.
  - unfold runs. destruct (Z.eq_dec (root_vmid (hw s) c) (vmid_of w)); auto.
  - unfold runs. destruct (Z.eq_dec (root_vmid (hw s) c) (vmid_of w)); auto.
  - destruct (nth_error (tlb (hw s)) n) as [e|]; [|right; intros (e & E & _); discriminate].
    destruct (Z.eq_dec (vmid e) (vmid_of w)); [left; eauto|]. right. intros (e' & E & F). injection E as <-. contradiction.
Qed.
Lemma its_own_too : forall s1 s2 y, paired s1 s2 -> its_own w s1 y -> its_own w s2 y.
Proof.
  intros s1 s2 y (T & Cs & a & b & TW & _) O. destruct y as [d|c r v|c r v|n o i r]; cbn [its_own] in *.
  - now rewrite (twins_whose w _ _ _ _ _ _ _ TW).
  - unfold runs in *. now rewrite (twins_root w _ _ _ _ _ _ _ TW).
  - unfold runs in *. now rewrite (twins_root w _ _ _ _ _ _ _ TW).
  - now rewrite (Alike.al_tlb _ _ _ _ (tw_hw _ _ _ _ _ _ _ TW)).
Qed.
Lemma paired_do : forall s1 s2 y, paired s1 s2 -> paired (do_step y s1) (do_step y s2).
Proof.
  intros s1 s2 y PA. destruct (its_own_dec s1 y) as [O|N].
  - pose proof (its_own_too _ _ _ PA O) as O2. apply paired_sym, paired_own; [apply paired_sym, paired_own; auto|exact O2].
  - destruct PA as (T & Cs & a & b & TW & WA & WB). exists T, Cs, a, b. split; auto. now apply same_step.
Qed.

(** All of them. *)

Hypothesis TS : trap_safe P.
Hypothesis SS : start_safe P.
Hypothesis KT : keeps_step (call P "trap") takes_traps.
Hypothesis KST : keeps_step (call P "cpu_start") starts_cpu.

Lemma uncons : forall s l tr t g past s0, run P s (l :: tr) = Ok t g -> calm P w s (l :: tr) -> exists s' g1 g2 ev,
  next P s l = Ok s' g1 /\ run P s' tr = Ok t g2 /\ calm_label w s l g1 /\ calm P w s' tr /\ looks s g1 l ev /\
  shown P w ram s past (l :: tr) s0 = ev ++ shown P w ram s' (past ++ [l]) tr s0.
Proof.
  intros s l tr t g past s0 R CA. cbn [run calm shown] in *. destruct (next P s l) as [s' g1| |] eqn:N; try discriminate R. destruct CA as [CL CA].
  destruct (run P s' tr) as [t' g2| |] eqn:R2; try discriminate R. injection R as -> _. eexists s', g1, g2, _. split; [reflexivity|]. split; [exact R2|].
  split; [exact CL|]. split; [exact CA|]. split; [apply it_looks; exact CL|reflexivity].
Qed.

Lemma hidden_steps : forall s g l s' g1, looks s g l [] -> next P s l = Ok s' g1 -> exists y, l = Do y /\ its_own w s y /\ s' = do_step y s.
Proof. intros s g l s' g1 L N. inversion L; subst. exists y. cbn [next] in N. injection N as <- _. auto. Qed.

(* What both show next is the same. *)
Lemma both_step : forall s1 s2 l1 l2 s1' s2' g1 g2 e1 e2 r1 r2, paired s1 s2 -> next P s1 l1 = Ok s1' g1 -> next P s2 l2 = Ok s2' g2 ->
  calm_label w s1 l1 g1 -> calm_label w s2 l2 g2 -> looks s1 g1 l1 e1 -> looks s2 g2 l2 e2 -> e1 <> [] -> e2 <> [] -> e1 ++ r1 = e2 ++ r2 ->
  (forall m r, r1 <> While m :: r) -> (forall m r, r2 <> While m :: r) -> paired s1' s2' /\ r1 = r2.
Proof.
  intros s1 s2 l1 l2 s1' s2' g1 g2 e1 e2 r1 r2 PA N1 N2 CL1 CL2 L1 L2 NE1 NE2 E H1 H2.
  destruct L1 as [y O|y|d p i v HD|c e i d|c e i d|c i d|c i d]; [now elim NE1| | | | | |];
    destruct L2 as [y' O'|y'|d' p' i' v' HD'|c' e' i' d'|c' e' i' d'|c' i' d'|c' i' d']; try (now elim NE2); cbn [app] in E; try discriminate E.
  - injection E as <- ER. split; [|exact ER]. cbn [next] in N1, N2. injection N1 as <- _. injection N2 as <- _. now apply paired_do.
  - injection E as <- <- <- ER. split; [|exact ER]. cbn [next] in N1, N2. injection N1 as <- _. injection N2 as <- _.
    destruct PA as (T & Cs & a & b & TW & WA & WB). exists T, Cs, a, b. split; auto. eapply heard_step; [exact TW|rewrite HD; discriminate|now rewrite HD, HD'].
  - injection E as <- <- <- TL ER. split; [|exact ER]. destruct CL1 as [R1 F1], CL2 as [_ F2].
    exact (trap_twins P TS w VW KT false s1 s2 c e i d d' s1' s2' g1 g2 PA R1 N1 N2 TL F1 F2).
  - injection E as <- <- <- _ ER. elim (H2 _ _ (eq_sym ER)).
  - injection E as <- <- <- _ ER. elim (H1 _ _ ER).
  - injection E as <- <- <- <- ER. split; [|exact ER]. destruct CL1 as [R1 F1], CL2 as [_ F2].
    exact (trap_twins P TS w VW KT true s1 s2 c e i d d s1' s2' g1 g2 PA R1 N1 N2 eq_refl F1 F2).
  - injection E as <- <- TL ER. split; [|exact ER]. exact (start_twins P SS w VW KST false s1 s2 c i d d' s1' s2' g1 g2 PA N1 N2 TL CL1 CL2).
  - injection E as <- <- _ ER. elim (H2 _ _ (eq_sym ER)).
  - injection E as <- <- _ ER. elim (H1 _ _ ER).
  - injection E as <- <- <- ER. split; [|exact ER]. exact (start_twins P SS w VW KST true s1 s2 c i d d s1' s2' g1 g2 PA N1 N2 eq_refl CL1 CL2).
Qed.

Theorem paired_runs : forall n tr1 tr2 s1 s2 past1 past2 s01 s02 t1 t2 g1 g2, (List.length tr1 + List.length tr2 <= n)%nat -> paired s1 s2 ->
  run P s1 tr1 = Ok t1 g1 -> run P s2 tr2 = Ok t2 g2 -> calm P w s1 tr1 -> calm P w s2 tr2 ->
  shown P w ram s1 past1 tr1 s01 = shown P w ram s2 past2 tr2 s02 -> paired t1 t2.
Proof.
  induction n as [|n IH]; intros tr1 tr2 s1 s2 past1 past2 s01 s02 t1 t2 g1 g2 LN PA R1 R2 C1 C2 E.
  { destruct tr1, tr2; cbn [List.length] in LN; try lia. cbn [run] in R1, R2. injection R1 as <- _. injection R2 as <- _. exact PA. }
  destruct tr1 as [|l1 tr1].
  - destruct tr2 as [|l2 tr2]; [cbn [run] in R1, R2; injection R1 as <- _; injection R2 as <- _; exact PA|].
    destruct (uncons _ _ _ _ _ past2 s02 R2 C2) as (u2 & k2 & h2 & ev2 & N2 & R2' & _ & CA2 & L2 & ES2). rewrite ES2 in E. cbn [shown] in E.
    destruct ev2; [|discriminate E]. destruct (hidden_steps _ _ _ _ _ L2 N2) as (y & -> & O & ->).
    eapply (IH [] tr2 s1 _ past1 _ s01 s02); [cbn [List.length] in *; lia|apply paired_sym, paired_own; [apply paired_sym; exact PA|exact O]|exact R1|exact R2'|exact C1|exact CA2|exact E].
  - destruct (uncons _ _ _ _ _ past1 s01 R1 C1) as (u1 & k1 & h1 & ev1 & N1 & R1' & CL1 & CA1 & L1 & ES1). destruct ev1 as [|x1 ev1].
    + rewrite ES1 in E. destruct (hidden_steps _ _ _ _ _ L1 N1) as (y & -> & O & ->). cbn [app] in E.
      eapply (IH tr1 tr2); [cbn [List.length] in *; lia|apply paired_own; [exact PA|exact O]|exact R1'|exact R2|exact CA1|exact C2|exact E].
    + destruct tr2 as [|l2 tr2]; [rewrite ES1 in E; discriminate E|].
      destruct (uncons _ _ _ _ _ past2 s02 R2 C2) as (u2 & k2 & h2 & ev2 & N2 & R2' & CL2 & CA2 & L2 & ES2). rewrite ES2 in E. destruct ev2 as [|x2 ev2].
      * destruct (hidden_steps _ _ _ _ _ L2 N2) as (y & -> & O & ->). cbn [app] in E.
        eapply (IH (l1 :: tr1) tr2); [cbn [List.length] in *; lia|apply paired_sym, paired_own; [apply paired_sym; exact PA|exact O]|exact R1|exact R2'|exact C1|exact CA2|exact E].
      * rewrite ES1 in E.
        destruct (both_step s1 s2 l1 l2 u1 u2 k1 k2 _ _ _ _ PA N1 N2 CL1 CL2 L1 L2 ltac:(discriminate) ltac:(discriminate) E
          (fun m r => shown_head tr1 u1 (past1 ++ [l1]) s01 m r) (fun m r => shown_head tr2 u2 (past2 ++ [l2]) s02 m r)) as [PA' E'].
        eapply (IH tr1 tr2); [cbn [List.length] in *; lia|exact PA'|exact R1'|exact R2'|exact CA1|exact CA2|exact E'].
Qed.

(* What the others can observe, and do next. *)
Lemma paired_alike : forall s1 s2, paired s1 s2 -> (forall f, observe w s1 f <-> observe w s2 f) /\
  (forall c e i d, ~ runs s1 c (vmid_of w) -> (next P s1 (Trap c e i d) = Disabled <-> next P s2 (Trap c e i d) = Disabled)).
Proof.
  intros s1 s2 (T & Cs & a & b & TW & _). split; [exact (twins_look_alike w V T Cs a b s1 s2 TW)|]. intros c e i d _. cbn [next]. rewrite (tw_off _ _ _ _ _ _ _ TW).
  assert (NE : forall s h, engine P "trap" [c; kind e] c s h <> Disabled).
  { intros s h Q. unfold engine in Q. destruct (call P "trap" _ _) as [[rs [g [k l]]]|]; discriminate Q. }
  destruct (is_cpu c && negb (Map.get (off s1) c) && possible e); [|tauto]. split; intro Q; now apply NE in Q.
Qed.
Lemma paired_self : forall a s, good a s -> windowed a -> paired s s.
Proof.
  intros a s G WA. exists (fun _ => False), (fun _ => False), a, a. split; [|auto]. constructor; auto; try contradiction. constructor; auto.
Qed.

Definition alike_from (s : Step.machine) : Prop := forall tr1 tr2 t1 t2 g1 g2,
  run P s tr1 = Ok t1 g1 -> run P s tr2 = Ok t2 g2 -> calm P w s tr1 -> calm P w s tr2 -> shown P w ram s [] tr1 s = shown P w ram s [] tr2 s ->
  (forall f, observe w t1 f <-> observe w t2 f) /\
  (forall c e i d, ~ runs t1 c (vmid_of w) -> (next P t1 (Trap c e i d) = Disabled <-> next P t2 (Trap c e i d) = Disabled)).
Lemma runs_alike : forall a s, good a s -> windowed a -> alike_from s.
Proof.
  intros a s G WA tr1 tr2 t1 t2 g1 g2 R1 R2 C1 C2 E. apply paired_alike.
  eapply (paired_runs _ tr1 tr2 s s [] [] s s); [apply le_n|eapply paired_self; eauto|exact R1|exact R2|exact C1|exact C2|exact E].
Qed.
End Runs.

(** From boot. *)

Lemma booted_good : forall P s, boot_correct P -> after_boot P s -> exists a, good a s /\ windowed a.
Proof.
  intros P s BC (h & RS & BO). destruct (boot_good P h s BC RS BO) as [G OK]. exists (spec_boot (manifest h)). split; [exact G|].
  destruct (first_facts (manifest h) (rs_words _ RS) OK) as (_ & _ & FR & _).
  intros p u x R U O. change (own (spec_boot (manifest h)) p = Data u x) in O. rewrite (fr_own _ FR) in O. destruct (_ && _); discriminate O.
Qed.

(* Two runs of the engine as it is, from one end of a boot, in which a VM [w] that the host creates and runs keeps different secrets: if
   the others are shown the same, they find the same at the end, and can go on alike. It is [confidential] of spec/Isolation.v for one
   start, LESS what [calm] leaves out: runs in which a vCPU of the victim takes an exception. *)
Theorem confidential_while_it_runs : forall s w ram tr1 tr2 t1 t2 g1 g2, 0 <= vm w -> after_boot Program.core s ->
  run Program.core s tr1 = Ok t1 g1 -> run Program.core s tr2 = Ok t2 g2 -> calm Program.core w s tr1 -> calm Program.core w s tr2 ->
  shown Program.core w ram s [] tr1 s = shown Program.core w ram s [] tr2 s ->
  (forall f, observe w t1 f <-> observe w t2 f) /\
  (forall c e i d, ~ runs t1 c (vmid_of w) -> (next Program.core t1 (Trap c e i d) = Disabled <-> next Program.core t2 (Trap c e i d) = Disabled)).
Proof.
  intros s w ram tr1 tr2 t1 t2 g1 g2 VW B. destruct (booted_good _ s Theorems.boot_is_correct B) as (a & G & WI).
  exact (runs_alike Program.core w VW ram Theorems.trap_is_safe Theorems.start_is_safe traps_in_step starts_in_step a s G WI tr1 tr2 t1 t2 g1 g2).
Qed.

(* The same from two machines that differ already in what the victim keeps to itself. *)
Definition twins_stay_alike (P : program gvar) : Prop := forall w ram s1 s2 tr1 tr2 t1 t2 g1 g2, 0 <= vm w -> paired w s1 s2 ->
  run P s1 tr1 = Ok t1 g1 -> run P s2 tr2 = Ok t2 g2 -> calm P w s1 tr1 -> calm P w s2 tr2 ->
  shown P w ram s1 [] tr1 s1 = shown P w ram s2 [] tr2 s2 -> forall f, observe w t1 f <-> observe w t2 f.
Theorem cores_twins_stay_alike : twins_stay_alike Program.core.
Proof.
  intros w ram s1 s2 tr1 tr2 t1 t2 g1 g2 VW PA R1 R2 C1 C2 E. refine (proj1 (paired_alike Program.core w VW ram t1 t2 _)).
  exact (paired_runs Program.core w VW ram Theorems.trap_is_safe Theorems.start_is_safe traps_in_step starts_in_step _ tr1 tr2 s1 s2 [] [] s1 s2 t1 t2 g1 g2
    (le_n _) PA R1 R2 C1 C2 E).
Qed.
