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

(* Page [p] is VM [v]'s before and after, whether it runs anywhere or not: its words change by the stores of [v] to that IPA page alone. *)
Definition keeps_words (P : program gvar) : Prop := forall z a b s l s' g v p x, good a s -> described z a (glob s) -> next P s l = Ok s' g -> good b s' ->
  State.in_ram a p = true -> 0 <= v < NIE_MAX_VMS -> x < 2 ^ 26 -> own a p = Data v x -> own b p = Data v x ->
  at_its_ipa v x p (moments s l g) /\ forall i, is_word i = true -> word_at s' p i = after_log (v + 1) p i (moments s l g) (word_at s p i).

(* A page that PAGE_ADD_ZERO gives holds zeros, and what the VM has stored since. *)
Definition zeroes_words (P : program gvar) : Prop := forall z w a b s l s' g p x, 0 <= vm w < NIE_MAX_VMS -> good a s -> described z a (glob s) -> next P s l = Ok s' g -> good b s' ->
  succeeded NIE_PAGE_ADD_ZERO w s s' l = true -> State.in_ram a p = true -> x < 2 ^ 26 -> own a p = Host -> own b p = Data (vm w) x ->
  at_its_ipa (vm w) x p g /\ forall i, is_word i = true -> word_at s' p i = after_log (vm w + 1) p i g 0.
