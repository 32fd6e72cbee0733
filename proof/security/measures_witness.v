(* SPDX-License-Identifier: Apache-2.0 *)
(* [core_measures] is not about nothing: from a boot's end a VM is built, with a page that is measured, and activated, and VM_INFO tells its hash. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core Measured.
From nie.proof.refine Require Import statements.
From nie.proof.security Require Import core_is_safe Lifetime.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* The hashes that are told along a trace, and the words that were measured for each. *)
Fixpoint hashes (P : program gvar) (v : Z) (k : building) (s : Step.machine) (tr : list label) : list (list Z * nat) :=
  match tr with
  | [] => []
  | l :: tr' => match next P s l with
                | Ok s' _ => match told_hash v k s s' l with Some h => [(h, List.length (words k))] | None => [] end ++ hashes P v (built v k s s' l) s' tr'
                | _ => []
                end
  end.
Definition one_hash (l : list (list Z * nat)) : bool := match l with [(h, n)] => Nat.eqb n (5 * 8 + 512) && forallb (fun w => negb (w =? 0)) h && Nat.eqb (List.length h) 4 | _ => false end.
Definition from_boot (P : program gvar) (v : Z) (tr : list label) : bool :=
  match booted P with
  | Some ([status], s1) => (status =? BOOT_OK) && one_hash (hashes P v unbuilt (of_boot the_tables_at s1) tr)
  | _ => false
  end.
Lemma from_boot_is : forall P v tr, from_boot P v tr = true -> exists s h, after_boot P s /\ hashes P v unbuilt s tr = [(h, 552%nat)] /\ List.length h = 4%nat /\ ~ In 0 h.
Proof.
  intros P v tr E. unfold from_boot in E. destruct (booted P) as [[[|status [|]] s1]|] eqn:B; try discriminate E. apply andb_prop in E as [S E]. apply Z.eqb_eq in S. subst status.
  exists (of_boot the_tables_at s1). destruct (hashes P v unbuilt (of_boot the_tables_at s1) tr) as [|[h n] [|]]; try discriminate E. exists h. split; [exact (booted_is P s1 B)|].
  unfold one_hash in E. apply andb_prop in E as [E L]. apply andb_prop in E as [N W]. apply Nat.eqb_eq in N. apply Nat.eqb_eq in L. split; [now rewrite N|]. split; [exact L|].
  intro Z0. rewrite forallb_forall in W. specialize (W 0 Z0). discriminate W.
Qed.

(* Created, a page measured, one of zeros, one shared, a vCPU: five records and a page. *)
Theorem a_hash_is_told : exists s tr h, after_boot Program.core s /\ hashes Program.core 1 unbuilt s tr = [(h, 552%nat)] /\ List.length h = 4%nat /\ ~ In 0 h.
Proof.
  assert (E : from_boot Program.core 1 (two_cpus ++ build all_kinds ++ asks 1 [NIE_VM_INFO; 1]) = true) by (vm_cast_no_check (eq_refl true)).
  destruct (from_boot_is _ _ _ E) as (s & h & H). exists s, (two_cpus ++ build all_kinds ++ asks 1 [NIE_VM_INFO; 1]), h. exact H.
Qed.
