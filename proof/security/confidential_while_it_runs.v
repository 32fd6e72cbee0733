(* SPDX-License-Identifier: Apache-2.0 *)
(* Runs in which the victim does not come out: confidential_of_memory.v without a premise on its registers. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core Step Isolation.
From nie.proof.security Require Import Alike core_is_safe twins_trap.
From nie.proof.security Require Export twins_next confidential_of_memory.
From nie.model Require Import C Machine.
From nie.spec Require Import Core Step Isolation.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* LESS than every run: no exception is taken by a CPU that runs the victim, or runs another incarnation of its index, so that a victim which
   is entered goes on to run. And in mid-handler [fine] holds (Alike.v). *)
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
Lemma calm_gentle : forall P w tr s, calm P w s tr -> gentle P w s tr /\ outs P w s tr = [].
Proof.
  intros P w. induction tr as [|l tr IH]; intros s C; cbn [calm gentle outs] in *; [auto|]. destruct (next P s l) as [s' g| |]; auto. destruct C as [CL C].
  destruct (IH s' C) as [G O]. rewrite O, app_nil_r. split; [split; [|exact G]|]; destruct l as [y|c e i d|c i d]; cbn [calm_label gentle_label out] in *; auto; [apply CL|].
  destruct CL as [N _]. unfold runs_b. unfold runs in N. now rewrite (proj2 (Z.eqb_neq _ _) N).
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
  intros s w ram tr1 tr2 t1 t2 g1 g2 VW B R1 R2 C1 C2 E. destruct (calm_gentle _ _ _ _ C1) as [G1 O1]. destruct (calm_gentle _ _ _ _ C2) as [G2 O2].
  refine (confidential_of_memory s w ram tr1 tr2 t1 t2 g1 g2 VW B R1 R2 G1 G2 _ E). rewrite O1, O2. constructor.
Qed.

(* The same from two machines that differ already in what the victim keeps to itself. *)
Definition twins_stay_alike (P : program gvar) : Prop := forall w ram s1 s2 tr1 tr2 t1 t2 g1 g2, 0 <= vm w -> paired w s1 s2 ->
  run P s1 tr1 = Ok t1 g1 -> run P s2 tr2 = Ok t2 g2 -> calm P w s1 tr1 -> calm P w s2 tr2 ->
  shown P w ram s1 [] tr1 s1 = shown P w ram s2 [] tr2 s2 -> forall f, observe w t1 f <-> observe w t2 f.
Theorem cores_twins_stay_alike : twins_stay_alike Program.core.
Proof.
  intros w ram s1 s2 tr1 tr2 t1 t2 g1 g2 VW PA R1 R2 C1 C2 E. destruct (calm_gentle _ _ _ _ C1) as [G1 O1]. destruct (calm_gentle _ _ _ _ C2) as [G2 O2].
  refine (proj1 (runs_alike w ram s1 s2 tr1 tr2 t1 t2 g1 g2 VW PA R1 R2 G1 G2 _ E)). rewrite O1, O2. constructor.
Qed.
