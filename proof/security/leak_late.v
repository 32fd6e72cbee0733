(* SPDX-License-Identifier: Apache-2.0 *)
(* An engine that scrubs a page before it flushes the TLB is not confidential. While the host takes VM 1's page, CPU 0,
   which runs VM 1, walks to the page in mid-handler, for a walker need not see the store yet; and VM 1 stores its secret there between
   the scrub and the flush. On the same acts the engine as it is scrubs last. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.security Require Import page_remove_witness leak_scrub Found.
From nie.proof.security Require scrub_before_flush.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

Definition scrubs_early : program gvar -> program gvar := scrub_before_flush.leaky.

(* Before the twelfth primitive, page_clean, the page has been scrubbed and its entry is still to be seen. *)
Definition takes_page (v : Z) : list label :=
  built ++ page_given ++ vcpu_and_run ++
  asks 2 [NIE_PAGE_REMOVE; 1; ipa; 1] (repeat [] 11 ++ [walks_to 0 (605 * 4096 + 2047) ++ [Write 0 0 7 v]]).

Definition look : Step.machine -> option fact := host_reads 605 7.
Lemma look_observes : forall t f, look t = Some f -> observe the_victim t f.
Proof. apply host_observes; [discriminate|lia|reflexivity]. Qed.
Definition read_by (P : program gvar) (v : Z) : option (fact * Z) :=
  match found_by look P (start_with 0) (takes_page v) with Some f => value_of f | None => None end.

Theorem late_flush_leaks : ~ confidential starts (scrubs_early Program.core).
Proof.
  apply (found_refutes the_victim look (WordIs 605 7 0) 5 6 (scrubs_early Program.core) (start_with 0) (start_with 0) (fun _ => true)
    (takes_page 5) (takes_page 6) starts ltac:(vm_compute; split; congruence) look_observes (ex_intro _ 0 eq_refl) (ex_intro _ 0 eq_refl) (fun f => conj (fun H => H) (fun H => H)));
    [vm_compute; reflexivity|vm_compute; reflexivity|discriminate|vm_compute; reflexivity].
Qed.
Theorem core_scrubs_last : read_by Program.core 5 = Some (WordIs 605 7 0, 0) /\ read_by Program.core 6 = Some (WordIs 605 7 0, 0).
Proof. split; vm_compute; reflexivity. Qed.
