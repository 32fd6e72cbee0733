(* SPDX-License-Identifier: Apache-2.0 *)
(* What confidential_while_it_runs says of the engine is false of one that does not scrub: from two machines that differ in a word of the
   victim's, the host takes the page while the victim runs on another CPU, and reads the word. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.lib Require Import World Wp.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation Snapshot Midway.
From nie.proof.security Require tells_nothing_witness.
From nie.proof.security Require Import page_remove_witness leak_scrub Alike noninterference core_is_safe Twins twins_trap twins_next calm_runs confidential_while_it_runs.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

Lemma the_sound : trap_steps_preserve.sound the_state.
Proof. constructor; [exact the_wf|exact the_onto|exact the_counted]. Qed.
Lemma the_windowed : windowed the_state.
Proof.
  intros p v x _ _ O. rewrite owners_are in O. repeat match type of O with (if ?b then _ else _) = _ => destruct b end; try discriminate O; injection O as <- <-; lia.
Qed.

(** The machines of leak_scrub.v, with as many CPUs in the manifest as boot would have accepted. *)

Definition the_booted : globals := put1 config_word MAN_CPUS 2 the_globals.
Lemma booted_hold : globals_hold the_state the_booted.
Proof.
  assert (SO : forall f, f config_word = false -> same_on f the_globals the_booted) by (intros f F; now apply same_put).
  assert (O : forall g i, g <> config_word -> at1 g the_booted i = at1 g the_globals i) by (intros; now apply at_put_other).
  destruct the_globals_hold. constructor.
  1-5: vm_compute; reflexivity.
  - intros p P. cbn zeta. rewrite (O granules_state), (O granules_vm), (O granules_level), (O granules_key), (O granules_zero) by discriminate. exact (g_own p P).
  - intros v W. rewrite (O vms_state), (O vms_root), (O vms_ram_base), (O vms_ram_pages), (O vms_granules) by discriminate. exact (g_vm v W).
  - intros v W. eapply vm_same; [now apply SO|exact (g_vms v W)].
  - intros v j W J. eapply vcpu_same; [now apply SO|exact (g_vcpus v j W J)].
  - intros d D. eapply cpu_same; [now apply SO|exact (g_cpus d D)].
  - intros v d W D. rewrite O by discriminate. exact (g_lasts v d W D).
Qed.
Lemma other_globals : forall a g g' h, R a (Mach g h) -> globals_hold a g' -> R a (Mach g' h).
Proof. intros a g g' h [] G. constructor; auto. Qed.
Definition begins (x : Z) : Step.machine := Step.Machine the_booted (hw_with x) host_asks (Map.const false).
Lemma start_good : forall x, core_is_safe.good the_state (begins x).
Proof.
  intro x. eapply (good_R the_state the_booted (hw_with x)); [|intros u y p F; exact F|constructor; vm_compute; split; congruence|reflexivity|apply core_is_safe.alike_refl|].
  - exact (other_globals the_state the_globals the_booted (hw_with x) (starts_are_related x) booted_hold).
  - intros d _ H. unfold begins in H. cbn [off] in H. rewrite Map.get_const in H. discriminate H.
Qed.

Lemma twins_of : forall w a g h1 h2 gp o, 0 <= vm w -> trap_steps_preserve.sound a -> core_is_safe.good a (Step.Machine g h1 gp o) -> core_is_safe.good a (Step.Machine g h2 gp o) ->
  windowed a -> Alike.alike (own_page a w) (its_cpus w h1) h1 h2 -> paired w (Step.Machine g h1 gp o) (Step.Machine g h2 gp o).
Proof.
  intros w a g h1 h2 gp o VW SO G1 G2 WI AL. exists (own_page a w), (its_cpus w h1), a, a. split; [|auto]. constructor; auto.
  - intros p O. split; now apply own_low.
  - intros c [_ R]. exact R.
Qed.
Lemma they_are_twins : forall x y, paired victim (begins x) (begins y).
Proof.
  intros x y. exact (twins_of victim the_state the_booted (hw_with x) (hw_with y) host_asks (Map.const false) (Z.le_refl 0) the_sound (start_good x) (start_good y)
    the_windowed (tells_nothing_witness.they_are_alike x y)).
Qed.

(* What the host finds. *)
Definition ends (P : program gvar) (x : Z) : option (list Z) := match Step.run P (begins x) trace with Ok t _ => Some (reads t) | _ => None end.
Lemma host_has : forall t w, reads t = snd (tables_then w) -> observe victim t (WordIs 523 7 w).
Proof.
  intros t w F. unfold tables_then, reads in F. cbn [snd] in F. injection F as V M1 M2 M3 S _.
  split; [|split; [reflexivity|exact S]]. exists 0. split; [discriminate|].
  set (h := Step.hw t) in *.
  assert (A0 : avail h 0 0 0 (512 * 4096)).
  { pose proof (av_root h 0) as A. unfold root_vmid, root_desc in A. rewrite V in A. exact A. }
  assert (see : forall w d, Map.get (Machine.mem h) w = d -> visible h w d = true).
  { intros u d E. unfold visible. now rewrite E, Z.eqb_refl. }
  pose proof (av_step h 0 0 0 _ 0 (513 * 4096 + 3) A0 eq_refl eq_refl eq_refl (see _ _ M1)) as B1.
  pose proof (av_step h 0 _ _ _ 1 (514 * 4096 + 3) B1 eq_refl eq_refl eq_refl (see _ _ M2)) as B2.
  pose proof (av_step h 0 _ _ _ 11 (523 * 4096 + 2047) B2 eq_refl eq_refl eq_refl (see _ _ M3)) as B3.
  eexists _, _, _. split; [exact B3|]. split; [reflexivity|]. cbn. lia.
Qed.

Lemma two_ends_refute : forall P, ends P 5 = Some (snd (tables_then 5)) -> ends P 6 = Some (snd (tables_then 6)) ->
  calm_b P victim (begins 5) trace = true -> calm_b P victim (begins 6) trace = true ->
  shown P victim (fun _ => true) (begins 5) [] trace (begins 5) = shown P victim (fun _ => true) (begins 6) [] trace (begins 6) -> ~ twins_stay_alike P.
Proof.
  intros P F5 F6 C5 C6 S H. unfold ends in F5, F6.
  destruct (Step.run P (begins 5) trace) as [t5 g5| |] eqn:R5; try discriminate F5. destruct (Step.run P (begins 6) trace) as [t6 g6| |] eqn:R6; try discriminate F6.
  assert (E5 : reads t5 = snd (tables_then 5)) by congruence. assert (E6 : reads t6 = snd (tables_then 6)) by congruence.
  assert (VW : 0 <= vm victim) by (vm_compute; discriminate).
  pose proof (H victim (fun _ => true) (begins 5) (begins 6) trace trace t5 t6 g5 g6 VW (they_are_twins 5 6) R5 R6
    (calm_is P victim trace (begins 5) C5) (calm_is P victim trace (begins 6) C6) S) as O.
  destruct (proj1 (O (WordIs 523 7 5)) (host_has t5 5 E5)) as (_ & _ & E). destruct (host_has t6 6 E6) as (_ & _ & E'). rewrite E in E'. discriminate.
Qed.

Theorem scrub_leaks_while_it_runs : ~ twins_stay_alike (leaky Program.core).
Proof. apply two_ends_refute; vm_compute; reflexivity. Qed.
