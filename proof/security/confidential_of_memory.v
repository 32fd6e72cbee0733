(* SPDX-License-Identifier: Apache-2.0 *)
(* Whole runs: two that show the others the same, and in which the victim comes out with the same registers, leave the others the same to
   observe, whatever the victim keeps in memory, and in registers while it runs. *)
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

(** The premises on the runs. *)

(* LESS than every run: in mid-handler [fine] holds (Alike.v): walks find what their labels say, a TLB entry that is forgotten was there, and the
   victim's secret stores go to pages that it had when the handler began. *)
Definition gentle_label (w : who) (s : Step.machine) (l : label) (g : log) : Prop :=
  match l with Do _ => True | Trap _ _ _ _ | Start _ _ _ => Forall (fine w (has w s)) g end.
Fixpoint gentle (P : program gvar) (w : who) (s : Step.machine) (tr : list label) : Prop :=
  match tr with
  | [] => True
  | l :: tr' => match next P s l with Ok s' g => gentle_label w s l g /\ gentle P w s' tr' | _ => True end
  end.

(* How CPUs that run VMs with the victim's index come out: the machine, the CPU, the exception. *)
Definition out (w : who) (s : Step.machine) (l : label) : list (Step.machine * Z * exception) :=
  match l with Trap c e _ _ => if runs_b s c (vmid_of w) then [(s, c, e)] else [] | _ => [] end.
Fixpoint outs (P : program gvar) (w : who) (s : Step.machine) (tr : list label) : list (Step.machine * Z * exception) :=
  match tr with
  | [] => []
  | l :: tr' => match next P s l with Ok s' _ => out w s l ++ outs P w s' tr' | _ => [] end
  end.
(* LESS than [confidential]: of the registers of a CPU that comes out, and of its exception, only what spec/Released.v releases need be the same. *)
Definition same_out (o1 o2 : Step.machine * Z * exception) : Prop :=
  let '(s1, c1, e1) := o1 in let '(s2, c2, e2) := o2 in c1 = c2 /\ e1 = e2 /\ same_registers s1 s2 c1.

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
| Left_it c e i d r : runs_b s c (vmid_of w) = true -> looks s g (Trap c e i d) [Left c r i; meanwhile w g]
| TookAll c e i d : looks s g (Trap c e i d) [Seen (Trap c e i d)]
| Started c i d : looks s g (Start c i d) [Seen (Start c i []); meanwhile w g]
| StartedAll c i d : looks s g (Start c i d) [Seen (Start c i d)].

Lemma it_looks : forall (b : bool) s s' g l, looks s g l (if b then show w ram s s' g l else [Seen l]).
Proof.
  intros [] s s' g l; [|destruct l; constructor]. destruct l as [y|c e i d|c i d]; cbn [show].
  - destruct y as [d|c r v|c r v|n o i r].
    + unfold heard at 1. destruct (whose_act w (hw s) d) as [| |ev] eqn:E.
      * constructor.
      * constructor. exact E.
      * destruct (public_is w _ _ _ E) as (p & i & v & ->). constructor. unfold heard. now rewrite E.
    + unfold runs_b. destruct (Z.eqb_spec (root_vmid (hw s) c) (vmid_of w)) as [E|N]; constructor. exact E.
    + unfold runs_b. destruct (Z.eqb_spec (root_vmid (hw s) c) (vmid_of w)) as [E|N]; constructor. exact E.
    + destruct (nth_error (tlb (hw s)) n) as [e|] eqn:E; [|constructor]. destruct (Z.eqb_spec (vmid e) (vmid_of w)) as [F|N]; constructor. exists e. auto.
  - destruct (runs_b s c (vmid_of w)) eqn:E; constructor. exact E.
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

Lemma uncons : forall s l tr t g past s0, run P s (l :: tr) = Ok t g -> gentle P w s (l :: tr) -> exists s' g1 g2 ev,
  next P s l = Ok s' g1 /\ run P s' tr = Ok t g2 /\ gentle_label w s l g1 /\ gentle P w s' tr /\ looks s g1 l ev /\ outs P w s (l :: tr) = out w s l ++ outs P w s' tr /\
  shown P w ram s past (l :: tr) s0 = ev ++ shown P w ram s' (past ++ [l]) tr s0.
Proof.
  intros s l tr t g past s0 R CA. cbn [run gentle shown outs] in *. destruct (next P s l) as [s' g1| |] eqn:N; try discriminate R. destruct CA as [CL CA].
  destruct (run P s' tr) as [t' g2| |] eqn:R2; try discriminate R. injection R as -> _. eexists s', g1, g2, _. split; [reflexivity|]. split; [exact R2|].
  split; [exact CL|]. split; [exact CA|]. split; [apply it_looks|]. split; reflexivity.
Qed.

Lemma hidden_steps : forall s g l s' g1, looks s g l [] -> next P s l = Ok s' g1 -> exists y, l = Do y /\ its_own w s y /\ s' = do_step y s.
Proof. intros s g l s' g1 L N. inversion L; subst. exists y. cbn [next] in N. injection N as <- _. auto. Qed.

(* An exception on both, with what is heard of others in mid-handler the same, or what they do. *)
Definition out_alike (s1 s2 : Step.machine) (l1 l2 : label) : Prop := Forall2 same_out (out w s1 l1) (out w s2 l2).
Lemma both_trap : forall same s1 s2 c e1 e2 i d1 d2 s1' s2' g1 g2, paired s1 s2 -> (root_vmid (hw s1) c <> vmid_of w -> e1 = e2) ->
  out_alike s1 s2 (Trap c e1 i d1) (Trap c e2 i d2) ->
  next P s1 (Trap c e1 i d1) = Ok s1' g1 -> next P s2 (Trap c e2 i d2) = Ok s2' g2 -> (if same : bool then d2 = d1 else tell w g1 = tell w g2) ->
  Forall (fine w (has w s1)) g1 -> Forall (fine w (has w s2)) g2 -> paired s1' s2'.
Proof.
  intros same s1 s2 c e1 e2 i d1 d2 s1' s2' g1 g2 PA EE O N1 N2 SA F1 F2. unfold out_alike, out, runs_b in O.
  assert (RT : root_vmid (hw s2) c = root_vmid (hw s1) c) by (destruct PA as (T & Cs & a & b & TW & _); exact (twins_root w _ _ _ _ _ _ c TW)). rewrite RT in O.
  assert (Q : e1 = e2 /\ (root_vmid (hw s1) c = vmid_of w -> same_registers s1 s2 c)).
  { destruct (Z.eqb_spec (root_vmid (hw s1) c) (vmid_of w)) as [E|N]; [|split; [now apply EE|contradiction]]. inversion O as [|o1 o2 r1 r2 SO _ X Y]; subst.
    destruct SO as (_ & EQ & SR). auto. }
  destruct Q as [<- SR]. exact (trap_twins P TS w VW KT same s1 s2 c e1 i d1 d2 s1' s2' g1 g2 PA SR N1 N2 SA F1 F2).
Qed.

(* What both show next is the same. *)
Lemma both_step : forall s1 s2 l1 l2 s1' s2' g1 g2 e1 e2 r1 r2, paired s1 s2 -> next P s1 l1 = Ok s1' g1 -> next P s2 l2 = Ok s2' g2 ->
  gentle_label w s1 l1 g1 -> gentle_label w s2 l2 g2 -> looks s1 g1 l1 e1 -> looks s2 g2 l2 e2 -> e1 <> [] -> e2 <> [] -> e1 ++ r1 = e2 ++ r2 ->
  (forall m r, r1 <> While m :: r) -> (forall m r, r2 <> While m :: r) -> List.length (out w s1 l1) = List.length (out w s2 l2) /\ r1 = r2 /\
  (out_alike s1 s2 l1 l2 -> paired s1' s2').
Proof.
  intros s1 s2 l1 l2 s1' s2' g1 g2 e1 e2 r1 r2 PA N1 N2 CL1 CL2 L1 L2 NE1 NE2 E H1 H2.
  assert (RT : forall c, runs_b s2 c (vmid_of w) = runs_b s1 c (vmid_of w)).
  { intro c. unfold runs_b. destruct PA as (T & Cs & a & b & TW & _). now rewrite (twins_root w _ _ _ _ _ _ c TW). }
  destruct L1 as [y O|y|d p i v HD|c e i d|c e i d r RB|c e i d|c i d|c i d]; [now elim NE1| | | | | | |];
    destruct L2 as [y' O'|y'|d' p' i' v' HD'|c' e' i' d'|c' e' i' d' r' RB'|c' e' i' d'|c' i' d'|c' i' d']; try (now elim NE2); cbn [app] in E; try discriminate E.
  - injection E as <- ER. split; [reflexivity|]. split; [exact ER|]. intros _. cbn [next] in N1, N2. injection N1 as <- _. injection N2 as <- _. now apply paired_do.
  - injection E as <- <- <- ER. split; [reflexivity|]. split; [exact ER|]. intros _. cbn [next] in N1, N2. injection N1 as <- _. injection N2 as <- _.
    destruct PA as (T & Cs & a & b & TW & WA & WB). exists T, Cs, a, b. split; auto. eapply heard_step; [exact TW|rewrite HD; discriminate|now rewrite HD, HD'].
  - injection E as <- <- <- TL ER. split; [cbn [out]; rewrite RT; now destruct (runs_b s1 c (vmid_of w))|]. split; [exact ER|]. intro SO.
    exact (both_trap false s1 s2 c e e i d d' s1' s2' g1 g2 PA (fun _ => eq_refl) SO N1 N2 TL CL1 CL2).
  - injection E as <- <- <- _ ER. elim (H2 _ _ (eq_sym ER)).
  - injection E as <- <- <- TL ER. split; [cbn [out]; rewrite RT; now destruct (runs_b s1 c (vmid_of w))|]. split; [exact ER|]. intro SO.
    refine (both_trap false s1 s2 c e e' i d d' s1' s2' g1 g2 PA _ SO N1 N2 TL CL1 CL2).
    intro Q. exfalso. apply Q. unfold runs_b in RB. now apply Z.eqb_eq.
  - injection E as <- <- <- _ ER. elim (H1 _ _ ER).
  - injection E as <- <- <- <- ER. split; [cbn [out]; rewrite RT; now destruct (runs_b s1 c (vmid_of w))|]. split; [exact ER|]. intro SO.
    exact (both_trap true s1 s2 c e e i d d s1' s2' g1 g2 PA (fun _ => eq_refl) SO N1 N2 eq_refl CL1 CL2).
  - injection E as <- <- TL ER. split; [reflexivity|]. split; [exact ER|]. intros _. exact (start_twins P SS w VW KST false s1 s2 c i d d' s1' s2' g1 g2 PA N1 N2 TL CL1 CL2).
  - injection E as <- <- _ ER. elim (H2 _ _ (eq_sym ER)).
  - injection E as <- <- _ ER. elim (H1 _ _ ER).
  - injection E as <- <- <- ER. split; [reflexivity|]. split; [exact ER|]. intros _. exact (start_twins P SS w VW KST true s1 s2 c i d d s1' s2' g1 g2 PA N1 N2 eq_refl CL1 CL2).
Qed.

Lemma split_pairs : forall A (R : A -> A -> Prop) a b c d, List.length a = List.length b -> Forall2 R (a ++ c) (b ++ d) -> Forall2 R a b /\ Forall2 R c d.
Proof.
  intros A R. induction a as [|x a IH]; intros [|y b] c d L F; try discriminate L; cbn [app] in F; [split; [constructor|exact F]|].
  inversion F as [|? ? ? ? H K]; subst. injection L as L. destruct (IH b c d L K) as [K1 K2]. split; [now constructor|exact K2].
Qed.

Theorem paired_runs : forall n tr1 tr2 s1 s2 past1 past2 s01 s02 t1 t2 g1 g2, (List.length tr1 + List.length tr2 <= n)%nat -> paired s1 s2 ->
  run P s1 tr1 = Ok t1 g1 -> run P s2 tr2 = Ok t2 g2 -> gentle P w s1 tr1 -> gentle P w s2 tr2 -> Forall2 same_out (outs P w s1 tr1) (outs P w s2 tr2) ->
  shown P w ram s1 past1 tr1 s01 = shown P w ram s2 past2 tr2 s02 -> paired t1 t2.
Proof.
  induction n as [|n IH]; intros tr1 tr2 s1 s2 past1 past2 s01 s02 t1 t2 g1 g2 LN PA R1 R2 C1 C2 O E.
  { destruct tr1, tr2; cbn [List.length] in LN; try lia. cbn [run] in R1, R2. injection R1 as <- _. injection R2 as <- _. exact PA. }
  destruct tr1 as [|l1 tr1].
  - destruct tr2 as [|l2 tr2]; [cbn [run] in R1, R2; injection R1 as <- _; injection R2 as <- _; exact PA|].
    destruct (uncons _ _ _ _ _ past2 s02 R2 C2) as (u2 & k2 & h2 & ev2 & N2 & R2' & _ & CA2 & L2 & EO2 & ES2). rewrite ES2 in E. rewrite EO2 in O. cbn [shown] in E.
    destruct ev2; [|discriminate E]. destruct (hidden_steps _ _ _ _ _ L2 N2) as (y & -> & W & ->).
    eapply (IH [] tr2 s1 _ past1 _ s01 s02); [cbn [List.length] in *; lia|apply paired_sym, paired_own; [apply paired_sym; exact PA|exact W]|exact R1|exact R2'|exact C1|exact CA2|exact O|exact E].
  - destruct (uncons _ _ _ _ _ past1 s01 R1 C1) as (u1 & k1 & h1 & ev1 & N1 & R1' & CL1 & CA1 & L1 & EO1 & ES1). rewrite EO1 in O. destruct ev1 as [|x1 ev1].
    + rewrite ES1 in E. destruct (hidden_steps _ _ _ _ _ L1 N1) as (y & -> & W & ->). cbn [app] in E.
      eapply (IH tr1 tr2); [cbn [List.length] in *; lia|apply paired_own; [exact PA|exact W]|exact R1'|exact R2|exact CA1|exact C2|exact O|exact E].
    + destruct tr2 as [|l2 tr2]; [rewrite ES1 in E; discriminate E|].
      destruct (uncons _ _ _ _ _ past2 s02 R2 C2) as (u2 & k2 & h2 & ev2 & N2 & R2' & CL2 & CA2 & L2 & EO2 & ES2). rewrite ES2 in E. destruct ev2 as [|x2 ev2].
      * rewrite EO2 in O. destruct (hidden_steps _ _ _ _ _ L2 N2) as (y & -> & W & ->). cbn [app] in E. rewrite <- EO1 in O.
        eapply (IH (l1 :: tr1) tr2); [cbn [List.length] in *; lia|apply paired_sym, paired_own; [apply paired_sym; exact PA|exact W]|exact R1|exact R2'|exact C1|exact CA2|exact O|exact E].
      * rewrite ES1 in E. rewrite EO2 in O.
        destruct (both_step s1 s2 l1 l2 u1 u2 k1 k2 _ _ _ _ PA N1 N2 CL1 CL2 L1 L2 ltac:(discriminate) ltac:(discriminate) E
          (fun m r => shown_head tr1 u1 (past1 ++ [l1]) s01 m r) (fun m r => shown_head tr2 u2 (past2 ++ [l2]) s02 m r)) as (LO & E' & PA').
        destruct (split_pairs _ _ _ _ _ _ LO O) as [O1 O2].
        eapply (IH tr1 tr2); [cbn [List.length] in *; lia|exact (PA' O1)|exact R1'|exact R2'|exact CA1|exact CA2|exact O2|exact E'].
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

End Runs.

(** From boot. *)

Lemma booted_good : forall P s, boot_correct P -> after_boot P s -> exists a, good a s /\ windowed a.
Proof.
  intros P s BC (h & RS & BO). destruct (boot_good P h s BC RS BO) as [G OK]. exists (spec_boot (manifest h)). split; [exact G|].
  destruct (first_facts (manifest h) (rs_words _ RS) OK) as (_ & _ & FR & _).
  intros p u x R U O. change (own (spec_boot (manifest h)) p = Data u x) in O. rewrite (fr_own _ FR) in O. destruct (_ && _); discriminate O.
Qed.
Lemma runs_alike : forall w ram s1 s2 tr1 tr2 t1 t2 g1 g2, 0 <= vm w -> paired w s1 s2 -> run Program.core s1 tr1 = Ok t1 g1 -> run Program.core s2 tr2 = Ok t2 g2 ->
  gentle Program.core w s1 tr1 -> gentle Program.core w s2 tr2 -> Forall2 same_out (outs Program.core w s1 tr1) (outs Program.core w s2 tr2) ->
  shown Program.core w ram s1 [] tr1 s1 = shown Program.core w ram s2 [] tr2 s2 -> (forall f, observe w t1 f <-> observe w t2 f) /\
  (forall c e i d, ~ runs t1 c (vmid_of w) -> (next Program.core t1 (Trap c e i d) = Disabled <-> next Program.core t2 (Trap c e i d) = Disabled)).
Proof.
  intros w ram s1 s2 tr1 tr2 t1 t2 g1 g2 VW PA R1 R2 C1 C2 O E. apply (paired_alike Program.core w VW ram).
  exact (paired_runs Program.core w VW ram Theorems.trap_is_safe Theorems.start_is_safe traps_in_step starts_in_step _ tr1 tr2 s1 s2 [] [] s1 s2 t1 t2 g1 g2
    (le_n _) PA R1 R2 C1 C2 O E).
Qed.

(* Two whole lives, from one end of a boot: a VM [w] is created, built, runs, comes out and is entered again, shares pages and loses some, moves, is destroyed, and its
   index and its pages are another's. If the others are shown the same of both, and its CPUs come out with the same registers, the others find the same at the end and can
   go on alike, whatever it had in memory, and in registers between its exits. It is [confidential] of spec/Isolation.v for one start, LESS [gentle] and [same_out]. *)
Theorem confidential_of_memory : forall s w ram tr1 tr2 t1 t2 g1 g2, 0 <= vm w -> after_boot Program.core s ->
  run Program.core s tr1 = Ok t1 g1 -> run Program.core s tr2 = Ok t2 g2 -> gentle Program.core w s tr1 -> gentle Program.core w s tr2 ->
  Forall2 same_out (outs Program.core w s tr1) (outs Program.core w s tr2) -> shown Program.core w ram s [] tr1 s = shown Program.core w ram s [] tr2 s ->
  (forall f, observe w t1 f <-> observe w t2 f) /\
  (forall c e i d, ~ runs t1 c (vmid_of w) -> (next Program.core t1 (Trap c e i d) = Disabled <-> next Program.core t2 (Trap c e i d) = Disabled)).
Proof.
  intros s w ram tr1 tr2 t1 t2 g1 g2 VW B R1 R2 C1 C2 O E. destruct (booted_good _ s Theorems.boot_is_correct B) as (a & G & WI).
  exact (runs_alike w ram s s tr1 tr2 t1 t2 g1 g2 VW (paired_self w a s G WI) R1 R2 C1 C2 O E).
Qed.
