(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_INFO, in the words of spec/Isolation.v. Registers and counts are 64-bit numbers, which [R] does not say. *)
From Coq Require Import ZArith List String Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import State Registers Step Isolation.
From nie.spec.call Require Import vm_info.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.invariant Require Import Meaning trap_steps.
From nie.proof.refine Require Import Relation vm_info_refines statements.
From nie.proof.security Require Import Does Watched.
Import ListNotations.
Open Scope Z_scope.

Definition wide (a : state) : Prop :=
  (forall c i, 0 <= c < NIE_MAX_CPUS -> 0 <= i < 31 -> u64 (x_of a c i)) /\ (forall v, u64 (granules (vm_at a v))).
Definition R_wide (a : state) (s : mach globals Machine.hw) : Prop := R a s /\ wide a.

Lemma x_set : forall c i w a d j, x_of (set_x c i w a) d j = if (d =? c) && (j =? i) then w else x_of a d j.
Proof.
  intros. unfold x_of, set_x. rewrite cpu_at_put. destruct (Z.eqb_spec d c) as [->|]; cbn [andb]; auto. apply Map.get_set.
Qed.

Lemma answer_wide : forall l c i a, Forall u64 l -> wide a -> wide (answer_from c i l a).
Proof.
  induction l as [|w l IH]; intros c i a F W; cbn [answer_from]; auto. inversion F; subst. apply IH; auto.
  destruct W as [X G]. split; auto. intros d j D J. rewrite x_set. destruct ((d =? c) && (j =? i)); auto.
Qed.

Lemma words_wide : forall v a s, R a s -> wide a -> 0 <= v -> Forall u64 (vm_info_words v a).
Proof.
  intros v a s HR [X G] V. unfold vm_info_words, vm_exists. destruct (Z.ltb_spec v NIE_MAX_VMS).
  2:{ repeat constructor; unfold NIE_E_VM; lia. }
  assert (V' : 0 <= v < NIE_MAX_VMS) by lia. destruct (record_small a s v HR V') as [S1 S2]. pose proof (hash_ok (vm_at a v)) as HK.
  destruct (hash_of_vm (vm_at a v)) as [[[[[[[w0 w1] w2] w3] w4] w5] w6] w7]. unfold words_ok in HK.
  repeat match goal with K : Forall _ (_ :: _) |- _ => let K1 := fresh "B" in let K2 := fresh "K" in inversion K as [|? ? K1 K2]; subst; clear K end.
  cbn [app hash_words]. repeat constructor; try apply G; unfold u64, NIE_OK; lia.
Qed.

Definition one_cpu (args : list Z) : Prop := exists c, args = [c] /\ 0 <= c < NIE_MAX_CPUS.
Definition vm_info_spec (args : list Z) (a : state) : list Z * state := match args with [c] => ([], vm_info c a) | _ => ([], a) end.

(* For any program: the names are kept apart from the text, which is long. *)
Lemma info_does : forall P, vm_info_correct P -> does R_wide P "call_vm_info" one_cpu vm_info_spec.
Proof.
  intros P H a g h args [HR W] (c & -> & C). pose proof (proj1 W c 1 C ltac:(lia)) as X.
  destruct (H a (C_store.Mach g h) c HR C X) as ([g' h'] & E & HR' & _).
  destruct (related_is_safe _ _ HR') as [_ O].
  destruct (watched_run P "call_vm_info" [c] g h _ g' h' E O) as (l & W1 & F).
  exists g', h', l. split; [exact W1|]. split; [|split; [exact O|]].
  - split; [exact HR'|]. apply answer_wide; [|exact W]. apply (words_wide _ a _ HR W). apply X.
  - intros h1 act I. unfold all_safe in F. rewrite Forall_forall in F. exact (F _ I).
Qed.

Theorem vm_info_does : does R_wide Program.core "call_vm_info" one_cpu vm_info_spec.
Proof. exact (info_does Program.core vm_info_is_correct). Qed.
