(* SPDX-License-Identifier: Apache-2.0 *)
(* What it means that nobody but a VM changes a page that it has to itself. Of hardware only. *)
From Coq Require Import ZArith List Bool String.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import Step.
From nie.spec Require Isolation.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* Under VMID [v] page [p] is reached, in the half of the IPA space that is not for sharing. *)
Definition had_alone (v p : Z) (h : Machine.hw) : Prop := exists l k d, avail h v l k d /\ maps l d p /\ ~ upper l k.

(* Word [i] of page [p] after what a moment of a log says, if it held [w]: a store of VMID [v]'s counts, nothing else does. *)
Definition after_act (v p i : Z) (m : Machine.hw * option act) (w : Z) : Z :=
  match m with
  | (h, Some (Write n o j x)) =>
      match nth_error (tlb h) n with
      | Some e => if (Machine.vmid e =? v) && Isolation.stores h n o j && (first_page (Machine.level e) (Machine.desc e) + o =? p) && (j =? i) then x else w
      | None => w
      end
  | _ => w
  end.
Definition after_log (v p i : Z) (g : log) (w : Z) : Z := fold_left (fun w m => after_act v p i m w) g w.

(* Along a trace. What software does between handlers is a log of one moment. *)
Definition moments (s : machine) (l : label) (g : log) : log := match l with Do (Hardware a) => [(hw s, Some a)] | Do _ => [] | _ => g end.
Fixpoint after_trace (P : program gvar) (v p i : Z) (s : machine) (tr : list label) (w : Z) : Z :=
  match tr with
  | [] => w
  | l :: tr' => match next P s l with
                | Ok s' g => after_trace P v p i s' tr' (after_log v p i (moments s l g) w)
                | _ => w
                end
  end.

(* In any part of any run: a page that VMID [v], not the host's, has to itself in each state that is met, in mid-handler too, holds
   what it held before and what the VM itself stored since. The engine writes nothing into it, nor does anyone else.
   LESS than integrity: a page comes into this at its first such state (see [page_add_zero_shows_zeros]) and leaves it when it is taken,
   or for a moment while a block is broken into pages; registers are not in it (spec/Answers.v). *)
Definition keeps_to_itself (start : machine -> Prop) (P : program gvar) : Prop := forall s0 tr0 s g0 tr t g v p i,
  start s0 -> run P s0 tr0 = Ok s g0 -> run P s tr = Ok t g -> v <> 0 -> is_word i = true ->
  (forall h, states P s tr h -> had_alone v p h) ->
  Map.get (Machine.mem (hw t)) (p * 512 + i) = after_trace P v p i s tr (Map.get (Machine.mem (hw s)) (p * 512 + i)).
