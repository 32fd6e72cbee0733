(* SPDX-License-Identifier: Apache-2.0 *)
(* The C's functions that PAGE_ADD_ZERO and PAGE_ADD are made of, watched: they do what they do unwatched, and what comes after
   the pages have been taken from the host stores to none of them. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.stage2 nie.generated.state.checks nie.generated.state.pages nie.generated.state.sha256 nie.generated.state.measure
  nie.generated.call.page_add_zero nie.generated.call.page_add.
From nie.spec Require Import Core Step.
From nie.proof.refine Require Export page_shown_log.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.

Section Text.
Variable S : Z -> Prop.
Notation same f := (quiet S (f watching) (f Core.machine)).

Lemma q_page_read : forall q i, same (fun P => @page_read _ P q i).
Proof. intros q i. apply q_hw. intros. apply leaves_read. Qed.
Lemma q_page_write : forall q i v, ~ S q -> same (fun P => @page_write _ P q i v).
Proof. intros q i v N. apply q_hw. intros p Y. apply leaves_write. congruence. Qed.
Lemma q_page_clean : forall q, same (fun P => @page_clean _ P q).
Proof. intro q. apply q_hw. intros. apply leaves_word, leaves_does. reflexivity. Qed.
Lemma q_dsb : same (fun P => @dsb_ish _ P).
Proof. apply q_hw. intros. now apply leaves_does. Qed.
Lemma q_isb : same (fun P => @isb _ P).
Proof. apply q_hw. intros. now apply leaves_does. Qed.
Lemma q_tlbi : forall v, same (fun P => @tlbi_vmid _ P v).
Proof. intro v. apply q_hw. intros. now apply leaves_does. Qed.
Lemma q_ic : same (fun P => @ic_invalidate _ P).
Proof. apply q_hw. intros. now apply leaves_does. Qed.
End Text.

(* No page is to be left alone: any primitive will do. *)
(* No page is to be left alone: any primitive will do. *)
Definition none (q : Z) : Prop := False.
Lemma q_any_write : forall q i v, quiet none (@page_write _ watching q i v) (@page_write _ Core.machine q i v).
Proof. intros q i v. apply q_page_write. exact (fun X => X). Qed.
Lemma q_any_zero : forall q, quiet none (@page_zero _ watching q) (@page_zero _ Core.machine q).
Proof. intro q. apply q_hw. intros p []. Qed.

(* By the shape of the text alone: to compare terms that run is dear. *)
Ltac head m := match m with ?f _ => head f | ?f => f end.
Ltac step := match goal with
  | |- quiet _ (ret _) _ => apply q_ret
  | |- quiet _ (lift _) _ => apply q_lift
  | |- quiet _ crash _ => intro; reflexivity
  | |- quiet _ (load _ _) _ => apply q_load
  | |- quiet _ (store _ _ _) _ => apply q_store
  | |- quiet _ (bind _ _) _ => apply q_bind; [|intro]
  | |- quiet _ (loop _ _ _ _) _ => apply q_loop; intros
  | |- quiet _ (loop_ret _ _ _ _) _ => apply q_loop_ret; intros
  | |- quiet _ (page_read _ _) _ => apply q_page_read
  | |- quiet _ (page_clean _) _ => apply q_page_clean
  | |- quiet _ dsb_ish _ => apply q_dsb
  | |- quiet _ isb _ => apply q_isb
  | |- quiet _ (tlbi_vmid _) _ => apply q_tlbi
  | |- quiet _ ic_invalidate _ => apply q_ic
  | |- quiet none (page_write _ _ _) _ => apply q_any_write
  | |- quiet none (page_zero _) _ => apply q_any_zero
  | |- quiet _ (match ?x with _ => _ end) _ => destruct x
  | |- quiet _ ?m _ => let f := head m in unfold f
  end.
Ltac quiet := cbv beta; repeat (step; cbv beta).

Section Reads.
Variable S : Z -> Prop.
Notation same f := (quiet S (f watching) (f Core.machine)).
Lemma q_page_of : forall x, same (fun P => @page_of _ x).
Proof. intros. quiet. Qed.
Lemma q_address_of : forall x, same (fun P => @address_of _ x).
Proof. intros. quiet. Qed.
Lemma q_walk : forall v x l, same (fun P => @s2_walk _ P v x l).
Proof. intros. quiet. Qed.
Lemma q_record : forall v k a b c, same (fun P => @measure_record _ v k a b c).
Proof. intros. quiet. Qed.
Lemma q_measure_page : forall v q, same (fun P => @measure_page _ P v q).
Proof. intros. quiet. Qed.
Lemma q_write : forall t d w l e, ~ S t -> same (fun P => @s2_write _ P t d w l e).
Proof. intros. unfold s2_write. apply q_bind; [now apply q_page_write|intro]. quiet. Qed.
End Reads.

Lemma q_zero_check : forall v x p c l, quiet none (@page_add_zero_check _ watching v x p c l) (@page_add_zero_check _ Core.machine v x p c l).
Proof. intros. quiet. Qed.
Lemma q_add_check : forall v x p c, quiet none (@page_add_check _ watching v x p c) (@page_add_check _ Core.machine v x p c).
Proof. intros. quiet. Qed.
Lemma q_donate : forall v p c s w l z k, quiet none (@donate _ watching v p c s w l z k) (@donate _ Core.machine v p c s w l z k).
Proof. intros. quiet. Qed.
Lemma q_scrub : forall p c, quiet none (@pages_scrub _ watching p c) (@pages_scrub _ Core.machine p c).
Proof. intros. quiet. Qed.

(* Entries are written in the table that the walk has found. *)
Lemma run_map : forall S s v x p c e, (forall r t, s2_walk v x LEVEL_PAGE (Watched.drop s) = Some (r, t) -> let '(q, _, _, _) := r in ~ S q) ->
  runs S s (@pages_map _ watching v x p c e) (@pages_map _ Core.machine v x p c e).
Proof.
  intros S s v x p c e H. unfold pages_map. apply run_bind; [apply q_walk|]. intros [[[q d] w] l] s' E. specialize (H _ _ E). cbn beta iota in *.
  apply q_bind; [|intro; quiet]. apply q_loop. intros i u. apply q_bind; [apply q_address_of|intro].
  apply q_bind; [now apply q_page_write|intro; apply q_ret].
Qed.
