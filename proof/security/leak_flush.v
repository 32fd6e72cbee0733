(* SPDX-License-Identifier: Apache-2.0 *)
(* An engine that does not invalidate the TLBs, or not after its store is seen, is not confidential: VM 1 is the host's accomplice. The
   host takes a table away from it; a walker of VM 1's has kept the table, and the host, who has the page back, writes there the
   descriptor of a page of VM 0's. (PAGE_REMOVE without a flush is no leak but a crash in the model: the scrub's obligation fails first.) *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.security Require Import page_remove_witness leak_scrub leak_exit Found.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* s2_flush, or s2_write too, without some of their steps. *)
Definition no_tlbi : program gvar -> program gvar := edited (String.eqb "tlbi_vmid") (fun e => e) "s2_flush".
Fixpoint first_dropped (s : stmt gvar) : stmt gvar :=
  match s with Seq (Calls [] "dsb_ish"%string []) b => b | _ => s end.
Definition no_dsb (P : program gvar) : program gvar :=
  edited (String.eqb "dsb_ish") (fun e => e) "s2_write"
    (map (fun f => if String.eqb (fname f) "s2_flush" then Function (fname f) (params f) (results f) (first_dropped (C.body f)) else f) P).

(* VM 1 runs on CPU 0 and has walked to its table 602, which CPU 2 then asks for; [acts]: what others do meanwhile. Then CPU 2
   walks to 602 and stores a descriptor of page 523 there, and VM 1's walker reads it through TLB entry [n]. *)
Definition secret_page : Z := 523 * 4096 + 2047.
Definition takes_table (acts : list (list act)) (n : nat) : list label :=
  built ++ vcpu_and_run ++ does_all walks_to_table ++ asks 2 [NIE_TABLE_REMOVE; 1; ipa; 3] acts ++
  does_all [Begin 2; Machine.Step 0 0 (513 * 4096 + 3); Machine.Step 0 1 (514 * 4096 + 3); Machine.Step 0 90 (602 * 4096 + 2047);
    Write 0 0 0 secret_page; Machine.Step n 0 secret_page].

(* VM 1 has VM 0's page in a TLB. *)
Definition look (t : Step.machine) : option fact :=
  match tlb (Step.hw t) with
  | e :: _ => if (vmid e =? 2) && (Machine.level e =? 3) && (desc e =? secret_page)
              then Some (WordIs 523 7 (Map.get (Machine.mem (Step.hw t)) secret_word)) else None
  | [] => None
  end.
Lemma look_observes : forall t f, look t = Some f -> observe victim t f.
Proof.
  intros t f F. unfold look in F. destruct (tlb (Step.hw t)) as [|e l] eqn:T; [discriminate F|]. destruct (_ && _) eqn:E; [|discriminate F].
  injection F as <-. apply andb_prop in E as [E D]. apply andb_prop in E as [E L].
  apply Z.eqb_eq in E. apply Z.eqb_eq in L. apply Z.eqb_eq in D.
  split; [|split; [reflexivity|reflexivity]]. exists 2. split; [discriminate|].
  exists 3, (Machine.key e), secret_page. split; [|split; [reflexivity|cbn; lia]].
  rewrite <- E, <- L, <- D. apply av_tlb. rewrite T. now left.
Qed.

Definition read_by (P : program gvar) (x : Z) (tr : list label) : option (fact * Z) :=
  match found_by look P (start_with x) tr with Some f => value_of f | None => None end.
Lemma refuted : forall P tr, read_by P 5 tr = Some (WordIs 523 7 0, 5) -> read_by P 6 tr = Some (WordIs 523 7 0, 6) ->
  showing P victim (fun _ => true) (start_with 5) 0 0 tr = showing P victim (fun _ => true) (start_with 6) 0 0 tr -> ~ confidential starts P.
Proof.
  intros P tr F5 F6 S. exact (found_refutes victim look (WordIs 523 7 0) 5 6 P (start_with 5) (start_with 6) (fun _ => true) tr tr starts ltac:(vm_compute; split; congruence) look_observes
    (ex_intro _ 5 eq_refl) (ex_intro _ 6 eq_refl) (fun f => conj (alike_one_way 5 6 f) (alike_one_way 6 5 f)) F5 F6 ltac:(discriminate) S).
Qed.

Definition without_tlbi : list label := takes_table [] 4.
Theorem tlbi_leaks : ~ confidential starts (no_tlbi Program.core).
Proof. apply refuted with without_tlbi; [vm_compute; reflexivity|vm_compute; reflexivity|vm_compute; reflexivity]. Qed.

(* The walker of CPU 0 begins anew when the TLBI has been issued, before the 520th primitive, and finds the entry as it was. *)
Definition without_dsb : list label := takes_table (repeat [] 520 ++ [walks_to_table]) 4.
Theorem dsb_leaks : ~ confidential starts (no_dsb Program.core).
Proof. apply refuted with without_dsb; [vm_compute; reflexivity|vm_compute; reflexivity|vm_compute; reflexivity]. Qed.

(* On the same runs the engine as it is has left no table for VM 1 to walk on from. *)
Theorem core_flushes : read_by Program.core 5 without_tlbi = None /\ read_by Program.core 5 without_dsb = None.
Proof. split; vm_compute; reflexivity. Qed.
