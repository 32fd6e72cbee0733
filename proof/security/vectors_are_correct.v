(* SPDX-License-Identifier: Apache-2.0 *)
(* From reset on, with the vectors as they are, quick before trap: the machine does what the specification says, label by label. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers Switch.
Require nie.spec.trap.trap nie.spec.trap.boot.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation statements trap_statement trap_is_safe boot_is_safe Described cpu_start_exact quick_exact.
From nie.proof Require Theorems.
From nie.generated Require Program.
From nie.spec Require Import Step Exact Vectors.
From nie.proof.security Require Import core_is_safe good_is_exact trace_statement core_is_correct vectors_quick vectors_step.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** What is claimed. *)

(* As [specified] of trace_statement.v. An exception is spec/trap/trap.v whether quick serves it or trap does. The state from which the
   specification goes on is the one that it says, but for what the frame of the CPU holds, which its next exception writes anew. *)
Inductive followed (P : program gvar) : state -> machine -> list label -> state -> machine -> Prop :=
| Ended a s : followed P a s [] a s
| Software a s d tr b t : followed P a (do_step d s) tr b t -> followed P a s (Do d :: tr) b t
| Exception a s c e ins dur tr content s1 g a1 b t :
    let h := take c e (enter c ins dur (hw s)) in
    let a0 := arrives c s h a in
    let spec := nie.spec.trap.trap.trap c (kind e) (fun n => ins n) content a0 in
    next_of_vectors P s (Trap c e ins dur) = Ok s1 g -> leaves_of_vectors c (snd spec) s s1 -> Map.get (off s1) c = (fst (fst spec) =? TRAP_CPU_OFF) ->
    way_taken P a0 c e content spec (Mach (save first_saved c s (glob s)) h) s1 -> but_frame c (snd spec) a1 ->
    followed P a1 s1 tr b t -> followed P a s (Trap c e ins dur :: tr) b t
| Starts a s c ins dur tr s1 g b t :
    let a1 := nie.spec.trap.boot.cpu_start c (arrives c s (enter c ins dur (hw s)) a) in
    next_of_vectors P s (Start c ins dur) = Ok s1 g -> leaves c a1 s1 -> Map.get (off s1) c = false ->
    followed P a1 s1 tr b t -> followed P a s (Start c ins dur :: tr) b t.

(* As [correct_from_boot]. *)
Definition correct_with_vectors (P : program gvar) : Prop := forall h s tr, at_reset h -> boots P h s ->
  run_of_vectors P s tr <> Crash /\ (forall h', states_of_vectors P s tr h' -> safe h') /\
  forall t g, run_of_vectors P s tr = Ok t g ->
    (exists b, followed P (spec_boot (manifest h)) s tr b t /\ exact b t) /\
    forall c e i d, is_cpu c = true -> Map.get (off t) c = false -> possible e = true -> exists t' g', run_of_vectors P s (tr ++ [Trap c e i d]) = Ok t' g'.

(** The proof. *)


Lemma served_somehow : forall P c k s h, serve P c k s h <> Disabled.
Proof.
  intros P c k s h. unfold serve. repeat match goal with |- context [match ?x with _ => _ end] => destruct x end; discriminate.
Qed.

#[local] Opaque serve engine.

Section Program.
Variable P : program gvar.
Hypothesis QC : quick_correct P.
Hypothesis TC : trap_correct P.
Hypothesis TS : trap_safe P.
Hypothesis SC : start_correct P.
Hypothesis SS : start_safe P.

Lemma next_right : forall w a s l, good a s -> described w a (glob s) -> match next_of_vectors P s l with
  | Ok s' g => exists b, good b s' /\ described w b (glob s') /\ (forall h o, In (h, o) g -> safe h) /\
                 forall tr e t, followed P b s' tr e t -> followed P a s (l :: tr) e t
  | Crash => False
  | Disabled => True
  end.
Proof.
  intros w a s l G D. pose proof (next_correct P TC TS SC w a s l G D) as N. pose proof (next_good P TS SS a s l G) as S.
  destruct l as [d|c e i d|c i d].
  - change (next_of_vectors P s (Do d)) with (Ok (do_step d s) [(hw (do_step d s), None)]). change (next P s (Do d)) with (Ok (do_step d s) [(hw (do_step d s), None)]) in N, S.
    destruct N as (b & GB & DB & _). exists a. split; [now apply good_do|]. split.
    + assert (E : glob (do_step d s) = glob s) by (destruct d; cbn [do_step]; repeat match goal with |- context [match ?x with _ => _ end] => destruct x end; reflexivity). now rewrite E.
    + split; [apply S|]. intros. now apply Software.
  - clear N S. cbn [next_of_vectors]. destruct (is_cpu c && negb (Map.get (off s) c) && possible e)%bool eqn:B; [|exact Logic.I].
    pose proof B as B'. apply andb_prop in B' as [B' _]. apply andb_prop in B' as [IC ON]. apply negb_true_iff in ON.
    destruct (serve_correct P QC TC TS w a s c e i d G D IC ON) as (content & s1 & l & b & EQ & F & GB & DB & BF & LV & OF & WY). cbv zeta in *. rewrite EQ.
    exists b. split; [exact GB|]. split; [exact DB|]. split; [intros h o I; eapply all_safe_in; eauto|]. intros tr f t FO.
    eapply (Exception P a s c e i d tr content s1 l b f t); auto. cbn [next_of_vectors]. rewrite B. exact EQ.
  - change (next_of_vectors P s (Start c i d)) with (next P s (Start c i d)). destruct (next P s (Start c i d)) as [s1 g| |] eqn:EN; auto.
    destruct N as (b & GB & DB & K). destruct S as [_ S]. pose proof (K [] b s1 (trace_statement.Ended P b s1)) as SP.
    inversion SP as [| | |a' s' c' i' d' tr' s2 g2 b' t' a1 E1 LV OF FO]; subst. inversion FO; subst.
    exists a1. split; [exact GB|]. split; [exact DB|]. split; [exact S|]. intros tr e t X. eapply Starts; eauto.
Qed.

Lemma run_right : forall w tr a s, good a s -> described w a (glob s) -> match run_of_vectors P s tr with
  | Ok t g => exists b, good b t /\ followed P a s tr b t /\ forall h o, In (h, o) g -> safe h
  | Crash => False
  | Disabled => True
  end.
Proof.
  intros w. induction tr as [|l tr IH]; intros a s G D; cbn [run_of_vectors]; [exists a; split; [exact G|split; [apply Ended|intros h o []]]|].
  pose proof (next_right w a s l G D) as N. destruct (next_of_vectors P s l) as [s' g| |] eqn:E; auto. destruct N as (b & GB & DB & F & K).
  specialize (IH b s' GB DB). destruct (run_of_vectors P s' tr) as [t g2| |]; auto. destruct IH as (e & GE & SP & F2). exists e. split; [exact GE|]. split; [auto|].
  intros h o I. apply in_app_or in I as [I|I]; eauto.
Qed.

Lemma vectors_app : forall tr s t g l, run_of_vectors P s tr = Ok t g ->
  run_of_vectors P s (tr ++ [l]) = match next_of_vectors P t l with Ok t' g' => Ok t' (g ++ (g' ++ [])) | o => o end.
Proof.
  induction tr as [|k tr IH]; intros s t g l E; cbn [run_of_vectors app] in *.
  - injection E as -> <-. destruct (next_of_vectors P t l); reflexivity.
  - destruct (next_of_vectors P s k) as [s' g1| |]; try discriminate. destruct (run_of_vectors P s' tr) as [t1 g2| |] eqn:E1; try discriminate. injection E as -> <-.
    rewrite (IH _ _ _ l E1). destruct (next_of_vectors P t l) as [t' g'| |]; auto. now rewrite app_assoc.
Qed.

Theorem right_from : forall w a s tr, good a s -> described w a (glob s) ->
  run_of_vectors P s tr <> Crash /\ (forall h', states_of_vectors P s tr h' -> safe h') /\
  forall t g, run_of_vectors P s tr = Ok t g ->
    (exists b, followed P a s tr b t /\ exact b t) /\
    forall c e i d, is_cpu c = true -> Map.get (off t) c = false -> possible e = true -> exists t' g', run_of_vectors P s (tr ++ [Trap c e i d]) = Ok t' g'.
Proof.
  intros w a s tr G D. split; [|split].
  - pose proof (run_right w tr a s G D) as X. intro E. now rewrite E in X.
  - intros h' [->|(n & s' & g & E & S)]; [eapply good_safe; eauto|].
    pose proof (run_right w (firstn n tr) a s G D) as X. rewrite E in X. destruct X as (b & GB & _ & F). destruct S as [->|(o & I)]; [eapply good_safe; eauto|eauto].
  - intros t g E. split.
    + pose proof (run_right w tr a s G D) as X. rewrite E in X. destruct X as (b & GB & SP & _). exists b. split; [exact SP|now apply good_is_exact].
    + intros c e i d IC ON PO. pose proof (run_right w tr a s G D) as X. rewrite E in X. destruct X as (b & GB & _ & _).
      rewrite (vectors_app _ _ _ _ (Trap c e i d) E). cbn [next_of_vectors]. rewrite IC, ON, PO. cbn [negb andb].
      pose proof (run_right w (tr ++ [Trap c e i d]) a s G D) as Y. rewrite (vectors_app _ _ _ _ (Trap c e i d) E) in Y. cbn [next_of_vectors] in Y. rewrite IC, ON, PO in Y. cbn [negb andb] in Y.
      destruct (serve P c (kind e) t _) as [t' g'| |] eqn:SV; [eauto|contradiction|].
      exfalso. exact (served_somehow _ _ _ _ _ SV).
Qed.
End Program.

Theorem right_after_boot : forall P, boot_correct P -> boot_describing P -> quick_correct P -> trap_correct P -> trap_safe P -> start_correct P -> start_safe P ->
  correct_with_vectors P.
Proof.
  intros P BC BD QC TC TS SC SS h s tr RS BO. destruct (boot_good P h s BC RS BO) as [G _]. pose proof (boot_described P h s BD RS BO) as D.
  exact (right_from P QC TC TS SC SS (manifest h) _ s tr G D).
Qed.

Theorem vectors_are_correct : correct_with_vectors Program.core.
Proof.
  exact (right_after_boot Program.core Theorems.boot_is_correct Theorems.boot_describes Theorems.quick_is_correct Theorems.trap_is_correct Theorems.trap_is_safe
    Theorems.start_is_correct Theorems.start_is_safe).
Qed.
