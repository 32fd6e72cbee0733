(* SPDX-License-Identifier: Apache-2.0 *)
(* An engine that shares a page in the half of the IPA space that a VM has to itself is not confidential: from before VM 1
   exists the host creates, builds, activates and runs it, and puts a page of its own at a free IPA page next to the VM's; what the VM stores
   there the host reads. The engine as it is refuses. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.security Require Import page_remove_witness leak_scrub Found.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* page_shared_add_check without the test of the half. *)
Fixpoint anywhere (s : stmt gvar) : stmt gvar :=
  match s with
  | Seq a b => Seq (anywhere a) (anywhere b)
  | If _ (Ret [Cast _ _ (Const n)]) b => if n =? NIE_E_IPA then b else s
  | _ => s
  end.
Definition shares_anywhere (P : program gvar) : program gvar :=
  map (fun f => if String.eqb (fname f) "page_shared_add_check" then Function (fname f) (params f) (results f) (anywhere (C.body f)) else f) P.

(* The host's page 606 at IPA page 2^18 + 1: DESC_NORMAL, DESC_XN. The VM stores [v] there. *)
Definition shared_entry : Z := 606 * 4096 + DESC_NORMAL + DESC_XN + DESC_PAGE.
Definition shares (v : Z) : list label :=
  built ++ page_given ++ vcpu_and_run ++ asks 2 [NIE_PAGE_SHARED_ADD; 1; ipa + 4096; 606 * 4096; 1] [] ++
  does_all (walks_to 1 shared_entry ++ [Write 0 0 7 v]).

Definition look : Step.machine -> option fact := host_reads 606 7.
Lemma look_observes : forall t f, look t = Some f -> observe the_victim t f.
Proof. apply host_observes; [discriminate|lia|reflexivity]. Qed.
Definition read_by (P : program gvar) (v : Z) : option (fact * Z) :=
  match found_by look P (start_with 0) (shares v) with Some f => value_of f | None => None end.

Theorem share_leaks : ~ confidential starts (shares_anywhere Program.core).
Proof.
  apply (found_refutes the_victim look (WordIs 606 7 0) 5 6 (shares_anywhere Program.core) (start_with 0) (start_with 0) (fun _ => true) (shares 5) (shares 6) starts
    ltac:(vm_compute; split; congruence) look_observes (ex_intro _ 0 eq_refl) (ex_intro _ 0 eq_refl) (fun f => conj (fun H => H) (fun H => H)));
    [vm_cast_no_check (eq_refl (Some (WordIs 606 7 0, 5)))|vm_cast_no_check (eq_refl (Some (WordIs 606 7 0, 6)))|discriminate|vm_compute; reflexivity].
Qed.

(* The engine as it is: the VM has no way to the page, which holds what it held. *)
Theorem core_does_not_share : read_by Program.core 5 = Some (WordIs 606 7 0, 0) /\ read_by Program.core 6 = Some (WordIs 606 7 0, 0).
Proof. split; vm_cast_no_check (eq_refl (Some (WordIs 606 7 0, 0))). Qed.
