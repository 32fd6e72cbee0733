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
From nie.lib Require Import World.
From nie.proof.refine Require Export page_shown_log.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.

Section Text.
Variables (S : Z -> Prop) (U : aset) (T : Z -> Z).
Notation same f := (quiet S U T (f watching) (f Core.machine)).

Lemma q_page_read : forall q i, same (fun P => @page_read _ P q i).
Proof. intros q i. apply q_hw; [apply mild_word; intros; now apply mild_alone|intros; apply leaves_read]. Qed.
Lemma q_page_write : forall q i v, ~ S q -> (is_word i = true -> expected U q i v) -> same (fun P => @page_write _ P q i v).
Proof.
  intros q i v N X. apply q_hw; [|intros p Y; apply leaves_write; congruence]. apply mild_word. intro W. apply mild_alone. intros h B.
  apply bounded_store; auto.
Qed.
Lemma q_page_zero : forall q, ~ S q -> same (fun P => @page_zero _ P q).
Proof.
  intros q N. apply q_hw.
  - apply mild_word. intro W. apply mild_alone. intros h B. cbn [snd]. apply bounded_scrub.
    replace (q * 512) with (q * 512 + 0) by lia. apply bounded_zero; [lia|lia|exact B].
  - intros p Y. apply leaves_zero. congruence.
Qed.
Lemma q_page_clean : forall q, same (fun P => @page_clean _ P q).
Proof. intro q. apply q_hw; [apply mild_word; intros; apply mild_does, bounded_complete|intros; apply leaves_word, leaves_does; reflexivity]. Qed.
Lemma q_dsb : same (fun P => @dsb_ish _ P).
Proof. apply q_hw; [apply mild_does, bounded_complete|intros; now apply leaves_does]. Qed.
Lemma q_isb : same (fun P => @isb _ P).
Proof. apply q_hw; [now apply mild_does|intros; now apply leaves_does]. Qed.
Lemma q_tlbi : forall v, same (fun P => @tlbi_vmid _ P v).
Proof. intro v. apply q_hw; [apply mild_does, bounded_doom|intros; now apply leaves_does]. Qed.
Lemma q_ic : same (fun P => @ic_invalidate _ P).
Proof. apply q_hw; [apply mild_does, bounded_complete|intros; now apply leaves_does]. Qed.
Lemma q_erase : forall q i, ~ S q -> same (fun P => @page_write _ P q i DESC_EMPTY).
Proof. intros q i N. apply q_page_write; auto. intros _ V. discriminate. Qed.
End Text.

(* No page is to be left alone. *)
Definition none (q : Z) : Prop := False.
Lemma not_none : forall q, ~ none q.
Proof. exact (fun _ X => X). Qed.

(* By the shape of the text alone: to compare terms that run is dear. *)
Ltac head m := match m with ?f _ => head f | ?f => f end.
Ltac step := match goal with
  | |- quiet _ _ _ (ret _) _ => apply q_ret
  | |- quiet _ _ _ (lift _) _ => apply q_lift
  | |- quiet _ _ _ crash _ => intro; reflexivity
  | |- quiet _ _ _ (load _ _) _ => apply q_load
  | |- quiet _ _ _ (store _ _ _) _ => apply q_store
  | |- quiet _ _ _ (bind _ _) _ => apply q_bind; [|intro]
  | |- quiet _ _ _ (loop _ _ _ _) _ => apply q_loop; intros
  | |- quiet _ _ _ (loop_ret _ _ _ _) _ => apply q_loop_ret; intros
  | |- quiet _ _ _ (page_read _ _) _ => apply q_page_read
  | |- quiet _ _ _ (page_clean _) _ => apply q_page_clean
  | |- quiet _ _ _ dsb_ish _ => apply q_dsb
  | |- quiet _ _ _ isb _ => apply q_isb
  | |- quiet _ _ _ (tlbi_vmid _) _ => apply q_tlbi
  | |- quiet _ _ _ ic_invalidate _ => apply q_ic
  | |- quiet none _ _ (page_write _ _ DESC_EMPTY) _ => apply q_erase, not_none
  | |- quiet none _ _ (page_zero _) _ => apply q_page_zero, not_none
  | |- quiet _ _ _ (match ?x with _ => _ end) _ => destruct x
  | |- quiet _ _ _ ?m _ => let f := head m in unfold f
  end.
Ltac quiet := cbv beta; repeat (step; cbv beta).

Section Reads.
Variables (S : Z -> Prop) (U : aset) (T : Z -> Z).
Notation same f := (quiet S U T (f watching) (f Core.machine)).
Lemma q_page_of : forall x, same (fun P => @page_of _ x).
Proof. intros. quiet. Qed.
Lemma q_address_of : forall x, same (fun P => @address_of _ x).
Proof. intros. quiet. Qed.
Lemma q_walk : forall v x l, same (fun P => @s2_walk _ P v x l).
Proof. intros. quiet. Qed.
Lemma q_record : forall v k a b c, same (fun P => @measure_record _ v k a b c).
Proof. intros. quiet. Qed.
Lemma q_write : forall t d w l e, ~ S t -> (is_word w = true -> expected U t w e) -> same (fun P => @s2_write _ P t d w l e).
Proof. intros. unfold s2_write. apply q_bind; [now apply q_page_write|intro]. quiet. Qed.
Lemma q_zero_check : forall v x p c l, same (fun P => @page_add_zero_check _ P v x p c l).
Proof. intros. quiet. Qed.
Lemma q_add_check : forall v x p c, same (fun P => @page_add_check _ P v x p c).
Proof. intros. quiet. Qed.
Lemma q_measuring : forall v x p c, same (fun P => loop 0 c tt (fun k _ =>
      @page_clean _ P (wrap U64 (p + k)) ;;;
      t1 <- address_of (wrap U64 (x + k)) ;;
      measure_record v MEASURE_PAGE t1 0 0 ;;;
      measure_page v (wrap U64 (p + k)) ;;;
      ret tt)).
Proof. intros. quiet. Qed.

(* Entries are written in the table that the walk has found. *)
Lemma run_map : forall s v x p c e, (forall r t, s2_walk v x LEVEL_PAGE (Watched.drop s) = Some (r, t) -> let '(q, _, w, _) := r in ~ S q /\
    forall i t1 (u u' : mach globals Machine.hw), 0 <= i < c -> address_of (wrap U64 (p + i)) u = Some (t1, u') ->
      expected U q (wrap U32 (w + wrap U32 i)) (Z.lor (Z.lor t1 e) DESC_PAGE)) ->
  runs S U T s (@pages_map _ watching v x p c e) (@pages_map _ Core.machine v x p c e).
Proof.
  intros s v x p c e H. unfold pages_map. apply run_bind; [apply q_walk|]. intros [[[q d] w] l] s' E. destruct (H _ _ E) as [N X]. cbn beta iota in *.
  apply q_bind; [|intro; quiet]. apply q_loop. intros i u I s2. apply run_bind; [apply q_address_of|]. intros t1 s3 E3.
  apply q_bind; [|intro; apply q_ret]. apply q_page_write; eauto.
Qed.
End Reads.

Section Host.
Variables (U : aset) (T : Z -> Z).
Lemma q_scrub : forall p c, quiet none U T (@pages_scrub _ watching p c) (@pages_scrub _ Core.machine p c).
Proof. intros. quiet. Qed.

(* Of all that the host's tables are given, one word alone is an entry. *)
Lemma run_hide : forall s p c,
  (forall t2 t3 a u u' (u1 u2 : mach globals Machine.hw), level2_of p (Watched.drop s) = Some (t2, u) -> level3_of p u = Some (t3, u') ->
     address_of t3 u1 = Some (a, u2) -> expected U t2 (Z.land (wrap U32 (p / 512)) 511) (Z.lor a DESC_TABLE)) ->
  runs none U T s (@host_hide _ watching p c) (@host_hide _ Core.machine p c).
Proof.
  intros s p c H. unfold host_hide.
  apply run_bind; [assert (K : quiet none U T (@level2_of _ p) (@level2_of _ p)) by quiet; apply K|]. intros t2 s1 E1.
  apply run_bind; [assert (K : quiet none U T (@level3_of _ p) (@level3_of _ p)) by quiet; apply K|]. intros t3 s2 E2.
  match goal with |- runs _ _ _ _ ?m1 ?m2 => assert (K : quiet none U T m1 m2); [|apply K] end.
  do 11 (apply q_bind; [quiet|intro]). match goal with |- quiet _ _ _ (if ?b then _ else _) _ => destruct b end; [|quiet].
  intro s4. apply run_bind; [assert (K : quiet none U T (@level2_index _ p) (@level2_index _ p)) by quiet; apply K|]. intros x5 s5 E5.
  assert (x5 = Z.land (wrap U32 (p / 512)) 511) as -> by (unfold level2_index, ret in E5; injection E5; auto).
  apply run_bind; [apply q_address_of|]. intros x6 s6 E6. apply q_bind; [|intro; quiet]. apply q_page_write; [apply not_none|]. eauto.
Qed.
End Host.
