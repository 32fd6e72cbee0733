(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_CREATE, in the words of spec/Isolation.v. Its specification takes the counter, so that [does] is written out: the counter is
   the machine's next input. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import State Step Isolation.
From nie.lib Require Import World.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.refine Require Import Relation vm_create_refines vm_create_statement statements.
From nie.proof.security Require Import Watched.
Import ListNotations.
Open Scope Z_scope.

Definition create_words (args : list Z) : Prop :=
  exists vm root base pages count, args = [vm; root; base; pages; count] /\ u64 vm /\ u64 root /\ u64 base /\ u64 pages /\ u64 count.
Definition vm_create_spec (now : Z) (args : list Z) (a : state) : list Z * state :=
  match args with
  | [vm; root; base; pages; count] => let '(st, a') := spec_vm_create vm root base pages count now a in ([st], a')
  | _ => ([], a)
  end.
Definition creates (P : program gvar) : Prop := forall a g h args, R a (C_store.Mach g h) -> create_words args ->
  let spec := vm_create_spec (Machine.inputs h (Machine.taken h)) args a in
  exists g' h' l, call P "call_vm_create" args (C_store.Mach g (h, [])) = Some (fst spec, C_store.Mach g' (h', l)) /\
    R (snd spec) (C_store.Mach g' h') /\ ok h' /\ (forall h1 act, In (h1, act) l -> safe h1).

(* For any program: the names are kept apart from the text, which is long. *)
Lemma correct_creates : forall P, vm_create_correct P -> creates P.
Proof.
  intros P H a g h args HR (vm & root & base & pages & count & -> & V & T & B & N & C).
  destruct (H a (C_store.Mach g h) vm root base pages count HR V T B N C) as (st & a' & [g' h'] & S & E & HR' & _).
  cbn [C_store.hw] in S. cbn zeta. unfold vm_create_spec. rewrite S. cbn [fst snd].
  destruct (related_is_safe _ _ HR') as [_ O].
  destruct (watched_run P "call_vm_create" [vm; root; base; pages; count] g h [st] g' h' E O) as (l & W & F).
  exists g', h', l. split; [exact W|]. split; [exact HR'|]. split; [exact O|].
  intros h1 act I. unfold all_safe in F. rewrite Forall_forall in F. exact (F _ I).
Qed.

Theorem vm_create_does : creates Program.core.
Proof. exact (correct_creates Program.core vm_create_is_correct). Qed.
