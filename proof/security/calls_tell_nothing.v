(* SPDX-License-Identifier: Apache-2.0 *)
(* The host's calls that are proved against their specifications, and tell the host nothing of what a VM keeps to itself. *)
From Coq Require Import ZArith List Bool String.
From nie.model Require Import C.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Isolation.
From nie.proof Require Import Theorems.
From nie.proof.refine Require Import Relation statements.
From nie.proof.security Require Import Lockstep Handler Primitives noninterference Does Watched.
From nie.proof.security Require page_remove_isolates table_remove_isolates page_add_zero_isolates page_shared_add_isolates table_add_isolates
  vcpu_create_isolates vcpu_destroy_isolates vm_stop_isolates vm_activate_isolates vm_destroy_isolates vm_create_isolates.
Import ListNotations.

Definition is_none (o : option bool) : bool := match o with None => true | _ => false end.
Definition is_plain (x : function gvar) : bool :=
  negb (ends " 0" (fname x)) && negb (ends " <" (fname x)) &&
  forallb (fun d => is_none (strength_p (zero_name (fname x)) d) && is_none (strength_p (small_name (fname x)) d)) [true; false].
Lemma plain_if : forall P, forallb is_plain P = true -> plain strength_p P.
Proof.
  assert (N : forall o, is_none o = true -> o = None) by (intros [b|] E; [discriminate|reflexivity]).
  intros P H x I. rewrite forallb_forall in H. apply H in I. apply andb_prop in I as [E Z]. apply andb_prop in E as [E0 E1]. split.
  - intros f. split; intro Q; rewrite Q in *; unfold zero_name, small_name in *; rewrite named_ends in *; discriminate.
  - intro d. rewrite forallb_forall in Z. assert (I : In d [true; false]) by (destruct d; cbn; auto). apply Z, andb_prop in I as [A B]. split; auto.
Qed.

Lemma tells : forall P f pre, ends_related P f pre -> forallb is_plain P = true ->
  match strength strength_p P f false with Some _ => true | None => false end = true -> tells_nothing P f pre.
Proof.
  intros P f pre D PL S. destruct (strength strength_p P f false) as [d|] eqn:E; [|discriminate].
  exact (call_tells_nothing P f pre d D (plain_if P PL) E).
Qed.
Ltac by_end D := refine (tells _ _ _ D _ _); vm_compute; reflexivity.
Ltac by_text D := by_end (ends_of_does _ _ _ _ D).

Theorem page_remove_tells_nothing : tells_nothing Program.core "call_page_remove" page_remove_isolates.three_words.
Proof. by_end (ends_of_does0 _ _ _ _ page_remove_isolates.page_remove_does). Qed.
Theorem table_remove_tells_nothing : tells_nothing Program.core "call_table_remove" page_remove_isolates.three_words.
Proof. by_text table_remove_isolates.table_remove_does. Qed.
Theorem page_add_zero_tells_nothing : tells_nothing Program.core "call_page_add_zero" page_add_zero_isolates.five_words.
Proof. by_text page_add_zero_isolates.page_add_zero_does. Qed.
Theorem page_shared_add_tells_nothing : tells_nothing Program.core "call_page_shared_add" page_shared_add_isolates.four_words.
Proof. by_text page_shared_add_isolates.page_shared_add_does. Qed.
Theorem table_add_tells_nothing : tells_nothing Program.core "call_table_add" page_shared_add_isolates.four_words.
Proof. by_text table_add_isolates.table_add_does. Qed.
Theorem vcpu_create_tells_nothing : tells_nothing Program.core "call_vcpu_create" vcpu_create_isolates.six_words.
Proof. by_text vcpu_create_isolates.vcpu_create_does. Qed.
Theorem vcpu_destroy_tells_nothing : tells_nothing Program.core "call_vcpu_destroy" vcpu_destroy_isolates.two_words.
Proof. by_text vcpu_destroy_isolates.vcpu_destroy_does. Qed.
Theorem vm_stop_tells_nothing : tells_nothing Program.core "call_vm_stop" one_word.
Proof. by_text vm_stop_isolates.vm_stop_does. Qed.
Theorem vm_activate_tells_nothing : tells_nothing Program.core "call_vm_activate" one_word.
Proof. by_text vm_activate_isolates.vm_activate_does. Qed.
Theorem vm_destroy_tells_nothing : tells_nothing Program.core "call_vm_destroy" one_word.
Proof. by_text vm_destroy_isolates.vm_destroy_does. Qed.
(* VM_CREATE reads the counter; PAGE_ADD the pages' content. *)
Lemma create_ends : forall P, vm_create_isolates.creates P -> ends_related P "call_vm_create" vm_create_isolates.create_words.
Proof. intros P H a g h args HR _ PA. destruct (H a g h args HR PA) as (g' & h' & l & E & HR' & _). eexists _, _, g', h', l. eauto.
Qed.
Theorem vm_create_tells_nothing : tells_nothing Program.core "call_vm_create" vm_create_isolates.create_words.
Proof. by_end (create_ends _ vm_create_isolates.vm_create_does). Qed.
Definition add_words (args : list Z) : Prop := exists vm ipa pa count, args = [vm; ipa; pa; count] /\ u64 vm /\ u64 ipa /\ u64 pa /\ u64 count.
Lemma add_ends : forall P, page_add_correct P -> ends_related P "call_page_add" add_words.
Proof.
  intros P H a g h args HR _ (vm & ipa & pa & count & -> & V & I & A & C).
  destruct (H a (C_store.Mach g h) vm ipa pa count HR V I A C) as (content & st & a' & [g' h'] & S & E & HR' & _).
  destruct (related_is_safe _ _ HR') as [_ O].
  destruct (watched_run P "call_page_add" [vm; ipa; pa; count] g h [st] g' h' E O) as (l & W & _). exists [st], a', g', h', l. auto.
Qed.
Theorem page_add_tells_nothing : tells_nothing Program.core "call_page_add" add_words.
Proof. by_end (add_ends _ page_add_is_correct). Qed.
