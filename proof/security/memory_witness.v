(* SPDX-License-Identifier: Apache-2.0 *)
(* The premises of confidential_of_memory can be met by runs that differ: from boot's end the engine as it is carries two lives of a VM (Lifetime.v), in
   which it keeps different secrets in memory and for a while in a register, comes out with the same registers, is entered on another CPU and loses a
   page; and they show the others the same. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.refine Require Import statements.
From nie.proof.security Require Import Alike core_is_safe Lifetime Summed not_vacuous twins_next confidential_of_memory memory_runs.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

Section Any.
Variables (P : program gvar) (v w : Z) (tr tr' : list label).
Hypothesis N : v <> w.
Hypothesis K : kept P (page_has v) anything v tr [] = kept P (page_has w) anything w tr' [].
Hypothesis C : from_boot_b P tr tr' = true.

Lemma lives_alike : exists s t t' g g', after_boot P s /\ Step.run P s tr = Ok t g /\ Step.run P s tr' = Ok t' g' /\
  gentle P the_vm s tr /\ gentle P the_vm s tr' /\ Forall2 same_out (outs P the_vm s tr) (outs P the_vm s tr') /\ outs P the_vm s tr <> [] /\
  shown P the_vm no_ram s [] tr s = shown P the_vm no_ram s [] tr' s /\ live P s tr the_vm = true /\ live P s tr' the_vm = true /\
  page_words t zeroed 7 = v /\ page_words t' zeroed 7 = w.
Proof.
  destruct (kept P (page_has v) anything v tr []) as [[e e2]|] eqn:E.
  - destruct (kept_is _ _ _ _ _ _ _ _ E) as (s1 & B & (t & g & R & G & S & A & CC & CD) & _). symmetry in K.
    destruct (kept_is _ _ _ _ _ _ _ _ K) as (s2 & B2 & (t' & g' & R' & G' & S' & A' & CC' & CD') & _). rewrite B in B2. injection B2 as <-.
    unfold from_boot_b in C. rewrite B in C. repeat match goal with H : (_ && _)%bool = true |- _ => apply andb_prop in H as [H ?] end.
    exists (of_boot the_tables_at s1), t, t', g, g'. split; [exact (booted_is P s1 B)|].
    cbn [page_has good created gone] in *. repeat match goal with H : (_ && _)%bool = true |- _ => apply andb_prop in H as [H ?] end.
    unfold live. rewrite CC, CD, CC', CD', S, S'. repeat (split; [solve [reflexivity|assumption|now apply gentle_is|now apply same_outs_is]|]).
    split; [intro Q; match goal with H : negb (Nat.eqb (List.length _) 0) = true |- _ => rewrite Q in H; discriminate H end|].
    repeat (split; [reflexivity|]). unfold page_words. split; now apply Z.eqb_eq.
  - exfalso. apply N. rewrite <- (not_kept _ _ _ _ _ _ _ E). exact (not_kept _ _ _ _ _ _ _ (eq_sym K)).
Qed.
End Any.

Lemma the_lives : kept Program.core (page_has 5) anything 5 (a_life_in_memory 5) [] = kept Program.core (page_has 6) anything 6 (a_life_in_memory 6) [].
Proof.
  assert (H : forall k, k = kept Program.core (page_has 5) anything 5 (a_life_in_memory 5) [] -> k = kept Program.core (page_has 6) anything 6 (a_life_in_memory 6) []).
  { intros k E. vm_cast_no_check E. }
  exact (H _ eq_refl).
Qed.
Theorem memory_not_vacuous : exists s t t' g g', after_boot Program.core s /\
  Step.run Program.core s (a_life_in_memory 5) = Ok t g /\ Step.run Program.core s (a_life_in_memory 6) = Ok t' g' /\
  gentle Program.core the_vm s (a_life_in_memory 5) /\ gentle Program.core the_vm s (a_life_in_memory 6) /\
  Forall2 same_out (outs Program.core the_vm s (a_life_in_memory 5)) (outs Program.core the_vm s (a_life_in_memory 6)) /\ outs Program.core the_vm s (a_life_in_memory 5) <> [] /\
  shown Program.core the_vm no_ram s [] (a_life_in_memory 5) s = shown Program.core the_vm no_ram s [] (a_life_in_memory 6) s /\
  live Program.core s (a_life_in_memory 5) the_vm = true /\ live Program.core s (a_life_in_memory 6) the_vm = true /\
  page_words t zeroed 7 = 5 /\ page_words t' zeroed 7 = 6.
Proof. exact (lives_alike Program.core 5 6 (a_life_in_memory 5) (a_life_in_memory 6) ltac:(discriminate) the_lives they_come_out_alike). Qed.
