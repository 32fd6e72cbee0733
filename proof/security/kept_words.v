(* SPDX-License-Identifier: Apache-2.0 *)
(* What integrity of a VM's memory asks of each handler, as predicates on a program: what its pages hold when the handler is over. *)
From Coq Require Import ZArith List Bool.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import State Core.
From nie.spec Require Import Step.
From nie.spec Require Released Isolation Kept.
From nie.proof.security Require Import core_is_safe.
Import ListNotations.
Open Scope Z_scope.

Definition word_at (s : Step.machine) (p i : Z) : Z := Map.get (Machine.mem (hw s)) (p * 512 + i).
(* In a log VM v's stores to page p are those to IPA page x. *)
Definition at_its_ipa (v x p : Z) (g : log) : Prop := forall h n o j u e, In (h, Some (Write n o j u)) g -> nth_error (tlb h) n = Some e -> Machine.vmid e = v + 1 ->
  Isolation.stores h n o j = true -> (first_page (Machine.level e) (Machine.desc e) + o = p <-> Machine.key e * covers (Machine.level e) + o = x).

(* Page p is VM v's at IPA page x before and after: its words change by v's own stores alone, which are those to x. *)
Definition keeps_words (P : program gvar) : Prop := forall a b s l s' g v p x, good a s -> next P s l = Ok s' g -> good b s' -> State.in_ram a p = true ->
  0 <= v < NIE_MAX_VMS -> own a p = Data v x -> own b p = Data v x ->
  at_its_ipa v x p (Kept.moments s l g) /\ forall i, is_word i = true -> word_at s' p i = Kept.after_log (v + 1) p i (Kept.moments s l g) (word_at s p i).
(* A page that PAGE_ADD_ZERO gives. *)
Definition zeroes_words (P : program gvar) : Prop := forall w a b s l s' g p x, 0 <= Released.vm w < NIE_MAX_VMS -> good a s -> next P s l = Ok s' g -> good b s' ->
  Released.succeeded NIE_PAGE_ADD_ZERO w s s' l = true -> State.in_ram a p = true -> own a p = Host -> own b p = Data (Released.vm w) x ->
  at_its_ipa (Released.vm w) x p g /\ forall i, is_word i = true -> word_at s' p i = Kept.after_log (Released.vm w + 1) p i g 0.
(* While PAGE_ADD builds, the VM runs nowhere. *)
Definition idle_while_built (a : state) (v : Z) : Prop := forall c, 0 <= c < NIE_MAX_CPUS -> cpu_vm (cpu_at a c) = v -> vm_state (vm_at a v) <> NIE_VM_BUILDING.
Definition adds_quietly (P : program gvar) : Prop := forall w a b s l s' g, 0 <= Released.vm w < NIE_MAX_VMS -> good a s -> idle_while_built a (Released.vm w) ->
  next P s l = Ok s' g -> good b s' -> Released.succeeded NIE_PAGE_ADD w s s' l = true -> Isolation.own_stores w g = [].

