(* SPDX-License-Identifier: Apache-2.0 *)
(* The premises of core_keeps_map can be met: from boot's end the engine as it is carries a whole life (Lifetime.v) in which a page is taken from the VM, another is
   refused in its place, and the VM, on another CPU, finds the page that it still has. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.refine Require Import statements.
From nie.proof.security Require Import core_is_safe Lifetime Summed core_keeps_map.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

Definition tries_again : list label := asks 0 [NIE_PAGE_ADD_ZERO; 1; low; measured * 4096; 1; 3].
Definition looks : list label :=
  does_all [Begin 1; Machine.Step 0 1 (table lower2); Machine.Step 0 0 (table lower3); Machine.Step 0 1 (page zeroed)] ++ [Do (LoadWord 0 0 7 5)].
Definition robbed : list label := a_life 5 ++ tries_again ++ looks.

(* What the VM finds, and what the host was told of the page that it tried to put in its place. *)
Definition found_there (P : program gvar) : bool :=
  match booted P with
  | Some ([status], s1) =>
      (status =? BOOT_OK) && match sum P the_vm no_ram (of_boot the_tables_at s1) 0 0 robbed with
      | Some r => Nat.eqb (creations r) 1 && Nat.eqb (destructions r) 0 && (List.last (statuses r) 0 =? NIE_E_SPENT) && (Step.x (Summed.last r) 1 5 =? 5) &&
                  match tlb (Step.hw (Summed.last r)) with e :: _ => (Machine.vmid e =? 2) && (Machine.level e =? 3) && (Machine.key e =? 2 ^ 18 + 1) && (Machine.desc e =? page zeroed) | [] => false end
      | None => false
      end
  | _ => false
  end.
Lemma it_is_there : forall P, found_there P = true -> exists s t g, after_boot P s /\ Step.run P s robbed = Ok t g /\ live P s robbed the_vm = true /\
  avail (Step.hw t) (vmid_of the_vm) 3 (2 ^ 18 + 1) (page zeroed) /\ List.last (answers P s robbed) 0 = NIE_E_SPENT /\ Step.x t 1 5 = 5.
Proof.
  intros P F. unfold found_there in F. destruct (booted P) as [[[|status [|]] s1]|] eqn:B; try discriminate F. apply andb_prop in F as [S F]. apply Z.eqb_eq in S. subst status.
  destruct (sum P the_vm no_ram (of_boot the_tables_at s1) 0 0 robbed) as [r|] eqn:E; [|discriminate F]. destruct (sum_is _ _ _ _ _ _ _ _ E) as ((g & R) & _ & E2 & E3 & E4).
  repeat match goal with H : (_ && _)%bool = true |- _ => apply andb_prop in H as [H ?] end. exists (of_boot the_tables_at s1), (Summed.last r), g. split; [exact (booted_is P s1 B)|]. split; [exact R|].
  cbn [Nat.add] in E3, E4. split; [unfold live; rewrite <- E3, <- E4; repeat match goal with H : Nat.eqb _ _ = true |- _ => apply Nat.eqb_eq in H; rewrite H end; reflexivity|].
  split; [|split; [rewrite <- E2; now apply Z.eqb_eq|now apply Z.eqb_eq]].
  destruct (tlb (Step.hw (Summed.last r))) as [|e l] eqn:T; [discriminate|]. repeat match goal with H : (_ && _)%bool = true |- _ => apply andb_prop in H as [H ?] end.
  repeat match goal with H : (_ =? _) = true |- _ => apply Z.eqb_eq in H end. change (vmid_of the_vm) with 2.
  assert (A : avail (Step.hw (Summed.last r)) (Machine.vmid e) (Machine.level e) (Machine.key e) (Machine.desc e)) by (apply av_tlb; rewrite T; now left).
  repeat match goal with H : _ e = _ |- _ => rewrite H in A; clear H end. exact A.
Qed.

Theorem map_not_vacuous : exists s t g, after_boot Program.core s /\ Step.run Program.core s robbed = Ok t g /\ live Program.core s robbed the_vm = true /\
  avail (Step.hw t) (vmid_of the_vm) 3 (2 ^ 18 + 1) (page zeroed) /\ List.last (answers Program.core s robbed) 0 = NIE_E_SPENT /\ Step.x t 1 5 = 5.
Proof. apply it_is_there. vm_cast_no_check (eq_refl true). Qed.
