(* SPDX-License-Identifier: Apache-2.0 *)
(* The premises of confidential_while_it_runs can be met by runs that differ: from boot's end the engine as it is carries two beginnings of a VM's
   life (Lifetime.v), which keep different secrets in a private page and in registers and show the others the same; the host takes another page. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.refine Require Import statements.
From nie.proof.security Require Import Alike core_is_safe Lifetime Summed not_vacuous confidential_while_it_runs calm_runs.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

Definition keeps_secret (v : Z) : demand := Demand (fun t _ => finds_b 0 1 v t) 1 0.
Definition anything : demand := Demand (fun _ _ => true) 1 0.

Section Any.
Variables (P : program gvar) (v w : Z) (tr tr' : list label).
Hypothesis N : v <> w.
Hypothesis K : kept P (keeps_secret v) anything v tr [] = kept P (keeps_secret w) anything w tr' [].
Hypothesis C : calm_from_boot P tr = true.
Hypothesis C' : calm_from_boot P tr' = true.

Lemma begins_alike : exists s t t' g g', after_boot P s /\ Step.run P s tr = Ok t g /\ Step.run P s tr' = Ok t' g' /\
  calm P the_vm s tr /\ calm P the_vm s tr' /\ shown P the_vm no_ram s [] tr s = shown P the_vm no_ram s [] tr' s /\
  Forall (fun a => a = NIE_OK) (answers P s tr) /\ Forall (fun a => a = NIE_OK) (answers P s tr') /\
  live P s tr the_vm = true /\ live P s tr' the_vm = true /\ finds 0 1 v t /\ finds 0 1 w t'.
Proof.
  destruct (kept P (keeps_secret v) anything v tr []) as [[e e2]|] eqn:E.
  - destruct (kept_is _ _ _ _ _ _ _ _ E) as (s1 & B & (t & g & R & G & S & A & CC & CD) & _). symmetry in K.
    destruct (kept_is _ _ _ _ _ _ _ _ K) as (s2 & B2 & (t' & g' & R' & G' & S' & A' & CC' & CD') & _). rewrite B in B2. injection B2 as <-.
    unfold calm_from_boot in C, C'. rewrite B in C, C'. exists (of_boot the_tables_at s1), t, t', g, g'. split; [exact (booted_is P s1 B)|].
    cbn [keeps_secret good created gone] in *. unfold live. rewrite CC, CD, CC', CD', S, S'.
    repeat (split; [solve [reflexivity|assumption|now apply calm_is]|]). split; now apply finds_is.
  - exfalso. apply N. rewrite <- (not_kept _ _ _ _ _ _ _ E). exact (not_kept _ _ _ _ _ _ _ (eq_sym K)).
Qed.
End Any.

Lemma the_beginnings : kept Program.core (keeps_secret 5) anything 5 (a_beginning 5) [] = kept Program.core (keeps_secret 6) anything 6 (a_beginning 6) [].
Proof.
  assert (H : forall k, k = kept Program.core (keeps_secret 5) anything 5 (a_beginning 5) [] -> k = kept Program.core (keeps_secret 6) anything 6 (a_beginning 6) []).
  { intros k E. vm_cast_no_check E. }
  exact (H _ eq_refl).
Qed.
Theorem calm_not_vacuous : exists s t t' g g', after_boot Program.core s /\
  Step.run Program.core s (a_beginning 5) = Ok t g /\ Step.run Program.core s (a_beginning 6) = Ok t' g' /\
  calm Program.core the_vm s (a_beginning 5) /\ calm Program.core the_vm s (a_beginning 6) /\
  shown Program.core the_vm no_ram s [] (a_beginning 5) s = shown Program.core the_vm no_ram s [] (a_beginning 6) s /\
  Forall (fun a => a = NIE_OK) (answers Program.core s (a_beginning 5)) /\ Forall (fun a => a = NIE_OK) (answers Program.core s (a_beginning 6)) /\
  live Program.core s (a_beginning 5) the_vm = true /\ live Program.core s (a_beginning 6) the_vm = true /\ finds 0 1 5 t /\ finds 0 1 6 t'.
Proof. exact (begins_alike Program.core 5 6 (a_beginning 5) (a_beginning 6) ltac:(discriminate) the_beginnings calm_5 calm_6). Qed.
