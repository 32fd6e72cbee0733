(* SPDX-License-Identifier: Apache-2.0 *)
(* What a page holds when its VM looks at it for the first time: a claim about every hardware state that a run meets (spec/Step.v's
   log), others acting in it. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import State.
From nie.spec Require Import Core Step.
From nie.spec.call Require page_add_zero page_add.
From nie.proof.refine Require Import Relation statements.
Import ListNotations.
Open Scope Z_scope.

Definition holds (p : Z) (c : Z -> Z) (h : Machine.hw) : Prop :=
  forall w, is_word w = true -> Map.get (Machine.mem h) (p * 512 + w) = c w.

(* A CPU's VMID is one under which the page is reached: it can load from the page, and store to it. *)
Definition in_use (p : Z) (h : Machine.hw) : Prop := exists c, reached h (root_vmid h c) p.
(* As long as no CPU can use page p, and in the first state in which one can, it holds c. *)
Definition first_shows (p : Z) (c : Z -> Z) (g : log) : Prop := forall past m rest, g = past ++ m :: rest ->
  (forall n, In n past -> ~ in_use p (fst n)) -> holds p c (fst m).
(* Nobody reaches it in the first state. *)
Definition starts_private (p : Z) (g : log) : Prop := exists m rest, g = m :: rest /\ private p (fst m).

(* VM [vm] gets page p in the course of a run that started in state a. [before] some moment of it the VM does not reach the page. In
   the states [after] it nobody does at first, and then the VM alone; the page holds [c] until a CPU can use it, that state included;
   and to the end, if the VM ran nowhere when the run began. *)
Definition shows (a : state) (vm p : Z) (c : Z -> Z) (before after : log) : Prop :=
  (forall n, In n before -> ~ reached (fst n) (vm + 1) p) /\
  starts_private p after /\ first_shows p c after /\
  (forall n v, In n after -> reached (fst n) v p -> v = vm + 1) /\
  ((forall k, 0 <= k < NIE_MAX_CPUS -> cpu_vm (cpu_at a k) <> vm) -> forall n, In n after -> holds p c (fst n)).

(* PAGE_ADD_ZERO that answers NIE_OK: nobody sees anything but zeros in the pages, from a moment of the run on at which nobody
   reaches them. LESS: it ends with the call. Of a VM that runs later it does not say that the pages are still so when it is entered. *)
Definition page_add_zero_shows (P : program gvar) : Prop := forall a gl h vm ipa pa count level,
  R a (Mach gl h) -> u64 vm -> u64 ipa -> u64 pa -> u64 count -> u64 level ->
  fst (page_add_zero.page_add_zero vm ipa pa count level a) = NIE_OK ->
  exists gl' h' before after,
    call P "call_page_add_zero" [vm; ipa; pa; count; level] (Mach gl (h, [])) = Some ([NIE_OK], Mach gl' (h', before ++ after)) /\
    R (snd (page_add_zero.page_add_zero vm ipa pa count level a)) (Mach gl' h') /\
    forall i, 0 <= i < count -> shows a vm (page_of pa + i) (fun _ => 0) before (after ++ [(h', None)]).

(* PAGE_ADD: the same of [content], which is what goes into the VM's measurement. *)
Definition page_add_shows (P : program gvar) : Prop := forall a gl h vm ipa pa count,
  R a (Mach gl h) -> u64 vm -> u64 ipa -> u64 pa -> u64 count ->
  page_add.page_add_check a vm ipa pa count = NIE_OK ->
  exists content gl' h' before after,
    call P "call_page_add" [vm; ipa; pa; count] (Mach gl (h, [])) = Some ([NIE_OK], Mach gl' (h', before ++ after)) /\
    R (snd (page_add.page_add vm ipa pa count content a)) (Mach gl' h') /\
    forall i, 0 <= i < count -> shows a vm (page_of pa + i) (content i) before (after ++ [(h', None)]).
