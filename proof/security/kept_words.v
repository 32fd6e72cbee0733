(* SPDX-License-Identifier: Apache-2.0 *)
(* What an exception does to the pages of a VM, and to what they hold: what integrity of memory rests on, as predicates on a program. *)
From Coq Require Import ZArith List Bool.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import State Core.
From nie.spec Require Import Step Released Kept.
From nie.spec Require Isolation.
From nie.proof.refine Require Import Described.
From nie.proof.security Require Import core_is_safe.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

Definition word_at (s : Step.machine) (p i : Z) : Z := Map.get (Machine.mem (hw s)) (p * 512 + i).

(* In a log VM [v]'s stores to page [p] are those to its IPA page [x]. *)
Definition at_its_ipa (v x p : Z) (g : log) : Prop := forall h n o j u e, In (h, Some (Write n o j u)) g -> nth_error (tlb h) n = Some e -> Machine.vmid e = v + 1 ->
  Isolation.stores h n o j = true -> (first_page (Machine.level e) (Machine.desc e) + o = p <-> Machine.key e * covers (Machine.level e) + o = x).

(* VM [v] has page [p] at [x] before, and a page there after, whether it runs anywhere or not: it is the same, and its words change by the stores of [v] to
   that IPA page alone. *)
Definition keeps_words (P : program gvar) : Prop := forall z a b s l s' g v p q x, good a s -> described z a (glob s) -> next P s l = Ok s' g -> good b s' ->
  State.in_ram a p = true -> State.in_ram b q = true -> 0 <= v < NIE_MAX_VMS -> x < 2 ^ 26 -> own a p = Data v x -> own b q = Data v x ->
  q = p /\ at_its_ipa v x p (moments s l g) /\ forall i, is_word i = true -> word_at s' p i = after_log (v + 1) p i (moments s l g) (word_at s p i).

(* A page that PAGE_ADD_ZERO gives holds zeros, and what the VM has stored since. *)
Definition zeroes_words (P : program gvar) : Prop := forall z w a b s l s' g p x, 0 <= vm w < NIE_MAX_VMS -> good a s -> described z a (glob s) -> next P s l = Ok s' g -> good b s' ->
  succeeded NIE_PAGE_ADD_ZERO w s s' l = true -> State.in_ram b p = true -> x < 2 ^ 26 -> own a p <> Data (vm w) x -> own b p = Data (vm w) x ->
  at_its_ipa (vm w) x p g /\ forall i, is_word i = true -> word_at s' p i = after_log (vm w + 1) p i g 0.

(* A VM that is given a page with content stores nothing meanwhile: while it is built it runs nowhere. *)
Definition idle_while_built (a : state) (v : Z) : Prop := forall c, 0 <= c < NIE_MAX_CPUS -> cpu_vm (cpu_at a c) = v -> vm_state (vm_at a v) <> NIE_VM_BUILDING.
Definition adds_quietly (P : program gvar) : Prop := forall z w a s l s' g, 0 <= vm w < NIE_MAX_VMS -> good a s -> described z a (glob s) -> idle_while_built a (vm w) ->
  next P s l = Ok s' g -> succeeded NIE_PAGE_ADD w s s' l = true -> Isolation.own_stores w g = [].
