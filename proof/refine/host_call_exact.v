(* SPDX-License-Identifier: Apache-2.0 *)
(* The host's calls, from register to register: x0 names the call, x1.. are its arguments, x0.. take the answer. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers.
From nie.spec.call Require host_call page_add.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.call.host_call.
From nie.spec Require Import Core.
From nie.proof.refine Require page_remove_refines table_remove_refines page_add_zero_refines page_shared_add_refines vm_stop_refines vm_activate_refines Built life_refines
  table_add_refines page_add_refines vcpu_destroy_refines vcpu_create_refines vm_destroy_refines vm_create_refines.
From nie.proof.refine Require Import vm_info_refines vcpu_run_refines.
From nie.proof.refine Require Export vcpu_traps.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_host_call := nie.spec.call.host_call.host_call.
Notation MACH := (mach globals Machine.hw).

(** What is measured matters page by page. *)

Lemma each_ext : forall n f g a, (forall i b, 0 <= i -> f i b = g i b) -> State.each n f a = State.each n g a.
Proof.
  intros n f g a E. unfold State.each. induction (Z.to_nat n) as [|k IH]; cbn [each_nat]; auto. rewrite IH. apply E. lia.
Qed.
Lemma page_add_ext : forall vm ipa pa n f g a, (forall i w, f i w = g i w) ->
  nie.spec.call.page_add.page_add vm ipa pa n f a = nie.spec.call.page_add.page_add vm ipa pa n g a.
Proof.
  intros vm ipa pa n f g a E. unfold nie.spec.call.page_add.page_add. destruct (_ =? NIE_OK); auto. do 2 f_equal. apply each_ext.
  intros i b _. unfold nie.spec.call.page_add.measure_page. do 2 f_equal. unfold Measure.page. apply map_ext. intro. apply E.
Qed.

(* What the machine keeps beside [R]: the manifest, other CPUs' vectors, the inputs. *)
Definition keeps_else (s s' : MACH) : Prop := field config_word (glob s') = field config_word (glob s) /\ stays (hw s) (hw s').
Lemma stays_frame : forall h h', frame_of h h' -> stays h h'.
Proof. intros h h' []. constructor; auto. intros. now rewrite f_fp. Qed.
Lemma stays_refl : forall h, stays h h.
Proof. now constructor. Qed.

(* PAGE_ADD measured what the pages held when [donate] had taken them from the host. *)
Definition measures (s : MACH) (x : Z -> Z) (content : Z -> Z -> Z) : Prop :=
  page_add_refines.read_there s (x 1) (x 2) (x 3) (x 4) (fun i => content (page_of (x 3) + i)).

Section Call.
Variables (a : state) (s : MACH).
Let c := me (hw s).
Notation x := (x_of a c).
Hypothesis HR : R a s.
Hypothesis HO : cpu_vm (cpu_at a c) = CPU_HOST.
Hypothesis XO : x_ok c (glob s).

Definition done (b : state) (s' : MACH) : Prop := R b s' /\ keeps_else s s'.

Lemma put_x : forall b s1 i w, done b s1 -> 0 <= i < 31 -> done (set_x c i w b) (Mach (put1 cpus_x (c * 31 + i) w (glob s1)) (hw s1)).
Proof.
  intros b [gl1 h1] i w [R1 [K S]] I. cbn [glob hw] in *. pose proof (r_me _ _ (R_regs _ _ HR)) as C. fold c in C. split.
  - now apply R_set_x.
  - split; cbn [glob hw]; auto.
Qed.
Lemma one : forall b s1 r, done b s1 -> wp (store cpus_x [c; 0] r ;;; ret tt) (fun _ s' => done (answer c [r] b) s') s1.
Proof.
  intros b [gl1 h1] r D. pose proof (r_me _ _ (R_regs _ _ HR)) as C. fold c in C. unfold NIE_MAX_CPUS in C.
  apply wp_bind. eapply wp_store2; [reflexivity|lia|lia|]. apply wp_ret. exact (put_x b _ 0 r D ltac:(lia)).
Qed.
Lemma three : forall b s1 r x1 x2, done b s1 -> wp (put_answer c r x1 x2 ;;; ret tt) (fun _ s' => done (answer c [r; x1; x2] b) s') s1.
Proof.
  intros b [gl1 h1] r x1 x2 D. pose proof (r_me _ _ (R_regs _ _ HR)) as C. fold c in C. unfold NIE_MAX_CPUS in C.
  apply wp_bind. unfold put_answer. apply wp_bind. eapply wp_store2; [reflexivity|lia|lia|]. apply (put_x b _ 0 r) in D; [|lia]. cbn beta.
  apply wp_bind. eapply wp_store2; [reflexivity|lia|lia|]. apply (put_x _ _ 1 x1) in D; [|lia]. cbn beta.
  apply wp_bind. eapply wp_store2; [reflexivity|lia|lia|]. apply (put_x _ _ 2 x2) in D; [|lia]. apply wp_ret. apply wp_ret. exact D.
Qed.

(* A call's own theorem says [done]; its answer is put where it belongs. *)
Lemma ends_one : forall (code : M MACH Z) (spec : Z * state) (Q : unit -> MACH -> Prop),
  wp code (fun r s' => r = fst spec /\ done (snd spec) s') s -> (forall s', done (answer c [fst spec] (snd spec)) s' -> Q tt s') ->
  wp code (fun r s' => wp (store cpus_x [c; 0] r ;;; ret tt) Q s') s.
Proof.
  intros code [st b] Q W H. eapply wp_weaken; [exact W|]. cbn [fst snd]. intros r s1 (-> & D1).
  eapply wp_weaken; [apply one; exact D1|]. cbn beta. intros [] s2 D. now apply H.
Qed.
Lemma ends_three : forall (code : M MACH (Z * Z * Z)) (spec : (Z * Z * Z) * state) (Q : unit -> MACH -> Prop),
  wp code (fun r s' => r = fst spec /\ done (snd spec) s') s ->
  (forall s', done (answer c [fst (fst (fst spec)); snd (fst (fst spec)); snd (fst spec)] (snd spec)) s' -> Q tt s') ->
  wp code (fun '(r1, r2, r3) s' => wp (put_answer c r1 r2 r3 ;;; ret tt) Q s') s.
Proof.
  intros code [[[r1 r2] r3] b] Q W H. eapply wp_weaken; [exact W|]. cbn [fst snd]. intros r s1 (-> & D1).
  eapply wp_weaken; [apply three; exact D1|]. cbn beta. intros [] s2 D. now apply H.
Qed.
End Call.
