(* SPDX-License-Identifier: Apache-2.0 *)
(* That a handler leaves a VM's own pages alone, and what a new one holds: what integrity of memory rests on, as predicates on a program. *)
From Coq Require Import ZArith List Bool.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import State Core.
From nie.spec Require Import Step Released Kept.
From nie.proof.security Require Import core_is_safe.
Open Scope Z_scope.

Definition word_at (s : Step.machine) (p i : Z) : Z := Map.get (Machine.mem (hw s)) (p * 512 + i).

(* A call of the host's that takes something back: TLBIs of a VM's entries are issued in these alone. *)
Definition returning (s : Step.machine) (l : label) : Prop :=
  match l with
  | Trap c e _ _ => runs s c 0 /\ is_sync e EC_HVC64 = true /\
      let f := x s c 0 mod 2 ^ 32 in f = NIE_PAGE_REMOVE \/ f = NIE_TABLE_REMOVE \/ f = NIE_VM_DESTROY
  | _ => False
  end.

(* Page p is VM v's before and after: its words change by the stores of v itself, whether it runs anywhere or not. *)
Definition leaves_data (P : program gvar) (a : state) (s : Step.machine) (l : label) : Prop := forall b s' g v p x i,
  next P s l = Ok s' g -> good b s' -> State.in_ram a p = true -> own a p = Data v x -> own b p = Data v x -> is_word i = true ->
  word_at s' p i = after_log (v + 1) p i (moments s l g) (word_at s p i).
Definition keeps_data (P : program gvar) : Prop := forall a s l, good a s -> leaves_data P a s l.

(* A page that the host gives by PAGE_ADD_ZERO holds zeros, and what the VM has stored since. *)
Definition zeroes_data (P : program gvar) : Prop := forall w a b s l s' g p x i, 0 <= vm w < NIE_MAX_VMS ->
  good a s -> next P s l = Ok s' g -> good b s' -> succeeded NIE_PAGE_ADD_ZERO w s s' l = true ->
  State.in_ram a p = true -> own a p = Host -> own b p = Data (vm w) x -> is_word i = true ->
  word_at s' p i = after_log (vm w + 1) p i g 0.
