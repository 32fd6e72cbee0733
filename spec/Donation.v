(* SPDX-License-Identifier: Apache-2.0 *)
(* What the calls that add something share: checks on pages that the host hands over and on the place that they go
   to, and how pages change hands. Numbers of pages, unless a name says address. engine/core/state/checks.c, donate.c *)
From Coq Require Import ZArith Bool List.
From RecordUpdate Require Import RecordSet.
From nie.generated Require Import Constants.
From nie.spec Require Import Measure State.
Import RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** Checks. *)

(* Pages p, p + 1, ... are the host's and nobody else uses them. *)
Fixpoint host_owns (a : state) (p : Z) (n : nat) : bool :=
  match n with
  | O => true
  | S n' => match own a p with Host => host_owns a (p + 1) n' | _ => false end
  end.

Definition check_donation (a : state) (pa count : Z) : Z :=
  let p := page_of pa in
  require aligned pa else NIE_E_ALIGN;
  require range_ok p count else NIE_E_COUNT;
  require in_ram a p else NIE_E_PA;
  require host_owns a p (Z.to_nat count) else NIE_E_OWNER;
  NIE_OK.

Definition check_ipa_range (ipa count : Z) : Z :=
  require aligned ipa else NIE_E_ALIGN;
  require range_ok (page_of ipa) count else NIE_E_COUNT;
  require in_ipa_space ipa else NIE_E_IPA;
  NIE_OK.

(* IPA pages x, x + 1, ... lie in the VM's RAM window. *)
Definition in_window (a : state) (v x count : Z) : bool :=
  (ram_base (vm_at a v) <=? x) && (x + count <=? ram_base (vm_at a v) + ram_pages (vm_at a v)).

Definition check_placement (a : state) (v ipa pa count : Z) : Z :=
  require aligned ipa else NIE_E_ALIGN;
  require range_ok (page_of ipa) count else NIE_E_COUNT;
  require in_ipa_space ipa else NIE_E_IPA;
  require in_window a v (page_of ipa) count else NIE_E_WINDOW;
  check_donation a pa count.

(* Entries k, k + 1, ... of a level hold nothing; the first that holds something is the answer. *)
Fixpoint all_empty (a : state) (v level k : Z) (n : nat) : Z :=
  match n with
  | O => NIE_OK
  | S n' =>
      match slot_at a v level k with
      | Empty => all_empty a v level (k + 1) n'
      | Spent => NIE_E_SPENT
      | _ => NIE_E_MAPPED
      end
  end.

(* There is a table for these entries, and room in it. *)
Definition check_empty (a : state) (v level k count : Z) : Z :=
  match slot_at a v (level - 1) (k / 512) with
  | ToTable _ => all_empty a v level k (Z.to_nat count)
  | ToBlock _ => NIE_E_MAPPED
  | _ => NIE_E_NO_TABLE
  end.

(** Pages change hands. *)

(* Page p + i is now [o i]. *)
Definition owned (p : Z) (o : Z -> owner) (i : Z) (a : state) : state := set_own (p + i) (o i) a.
(* The VM names [count] pages more. The host keeps its mapping. *)
Definition hand_over (v p count : Z) (o : Z -> owner) (a : state) : state := add_granules v count (each count (owned p o) a).
(* The host loses its mapping, so that its 2 MiB is no block any more. *)
Definition donate (v p count : Z) (o : Z -> owner) (a : state) : state := set_mode (p / 512) Split (hand_over v p count o a).
(* IPA page x + i leads to page p + i. *)
Definition mapped (v x : Z) (e : Z -> slot) (i : Z) (a : state) : state := set_slot v 3 (x + i) (e i) a.

(* The build log of a VM goes on: spec/Measure.v. *)
Definition measured (v : Z) (words : list Z) (a : state) : state := set_vm v (vm_at a v <| build_log ::= fun l => l ++ words |>) a.
(* What is added to a VM that runs already is not measured. *)
Definition measured_if_building (v : Z) (words : list Z) (a : state) : state :=
  if vm_state (vm_at a v) =? NIE_VM_BUILDING then measured v words a else a.
