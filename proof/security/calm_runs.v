(* SPDX-License-Identifier: Apache-2.0 *)
(* That a run is calm (confidential_while_it_runs.v), by looking at it; and of two beginnings of a VM's life (Lifetime.v), which keep
   different secrets in a private page and in registers while the host takes another page, that they are. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.refine Require Import statements.
From nie.proof.security Require Import Alike core_is_safe Lifetime Summed confidential_while_it_runs.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

Definition a_beginning (v : Z) : list label := two_cpus ++ build all_kinds ++ works v ++ asks 1 [NIE_PAGE_REMOVE; 1; low; 1].
(* Exceptions of the host's, and nobody acts in mid-handler. *)
Definition alone (m : Machine.hw * option act) : bool := match m with (_, None) => true | _ => false end.
Definition calm_b1 (w : who) (s : Step.machine) (l : label) (g : log) : bool :=
  match l with Do _ => true | Trap c _ _ _ => negb (root_vmid (Step.hw s) c =? vmid_of w) && forallb alone g | Start _ _ _ => forallb alone g end.
Fixpoint calm_b (P : program gvar) (w : who) (s : Step.machine) (tr : list label) : bool :=
  match tr with
  | [] => true
  | l :: tr' => match next P s l with Ok s' g => calm_b1 w s l g && calm_b P w s' tr' | _ => true end
  end.
Lemma alone_fine : forall w Own l, forallb alone l = true -> Forall (fine w Own) l.
Proof.
  intros w Own l H. rewrite forallb_forall in H. apply Forall_forall. intros [h [a|]] I; [discriminate (H _ I)|exact Logic.I].
Qed.
Lemma calm_is : forall P w tr s, calm_b P w s tr = true -> calm P w s tr.
Proof.
  intros P w. induction tr as [|l tr IH]; intros s E; cbn [calm calm_b] in *; [exact I|]. destruct (next P s l) as [s' g| |]; auto.
  apply andb_prop in E as [E1 E2]. split; [|now apply IH]. destruct l as [y|c e i d|c i d]; cbn [calm_b1 calm_label] in *; auto using alone_fine.
  apply andb_prop in E1 as [R F]. split; [|now apply alone_fine]. intro Q. unfold runs in Q. rewrite Q, Z.eqb_refl in R. discriminate R.
Qed.
Definition calm_from_boot (P : program gvar) (tr : list label) : bool :=
  match booted P with Some (_, s1) => calm_b P the_vm (of_boot the_tables_at s1) tr | None => false end.

Lemma calm_5 : calm_from_boot Program.core (a_beginning 5) = true.
Proof. vm_cast_no_check (eq_refl true). Qed.
Lemma calm_6 : calm_from_boot Program.core (a_beginning 6) = true.
Proof. vm_cast_no_check (eq_refl true). Qed.
