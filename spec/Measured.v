(* SPDX-License-Identifier: Apache-2.0 *)
(* That a VM's measurement is of what went into it: the log of its building, read off the host's calls as they stand in registers and off the
   pages as they are when a call returns, and what VM_INFO tells of it. Hardware and the interface alone (abi/nie.h; engine/core/measure.h
   has the records' form). *)
From Coq Require Import ZArith List Bool.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.generated Require Import Constants.
From nie.spec Require Import Measure Step Released.
From nie.spec.call Require vm_info.
From nie.spec Require Isolation.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* Of VM [v], as it was created last: the words so far; it is not activated yet. *)
Record building := Building { words : list Z; open : bool }.
#[export] Instance eta_building : Settable _ := settable! Building <words; open>.
Definition unbuilt : building := Building [] false.

(* What call [f] with arguments [a] adds. Page [i] of a PAGE_ADD is measured with its IPA and its words. *)
Definition added (s' : machine) (f : Z) (a : Z -> Z) : list Z :=
  if f =? NIE_VCPU_CREATE then record MEASURE_VCPU (a 2) (a 5) (a 6)
  else if f =? NIE_PAGE_ADD then
    flat_map (fun i => record MEASURE_PAGE ((a 2 / 4096 + i) * 4096) 0 0 ++ page (Isolation.page_words s' (a 3 / 4096 + i))) (numbers (Z.to_nat (a 4)))
  else if f =? NIE_PAGE_ADD_ZERO then record MEASURE_ZERO (a 2) (a 4) 0
  else if f =? NIE_PAGE_SHARED_ADD then record MEASURE_SHARED (a 2) (a 4) 0
  else [].
(* [new]: what the call adds if it is a building call. *)
Definition after_call (v : Z) (k : building) (f : Z) (a : Z -> Z) (status : Z) (new : list Z) : building :=
  if negb ((a 1 =? v) && (status =? NIE_OK)) then k
  else if f =? NIE_VM_CREATE then Building (record MEASURE_VM (a 3) (a 4) (a 5)) true
  else if negb (open k) then k
  else if f =? NIE_VM_ACTIVATE then k <| open := false |>
  else k <| words ::= fun l => l ++ new |>.
Definition built (v : Z) (k : building) (s s' : machine) (l : label) : building :=
  match host_call_of s s' l with Some (f, a, status) => after_call v k f a status (added s' f a) | None => k end.

(* VM_INFO that is answered for an activated VM, or for one that was activated before it was stopped: the hash in x3 to x6. *)
Definition told_hash (v : Z) (k : building) (s s' : machine) (l : label) : option (list Z) :=
  match l, host_call_of s s' l with
  | Trap c _ _ _, Some (f, a, status) =>
      if (f =? NIE_VM_INFO) && (a 1 =? v) && (status =? NIE_OK) &&
         ((x s' c 1 mod 256 =? NIE_VM_ACTIVE) || (x s' c 1 mod 256 =? NIE_VM_STOPPED) && negb (open k))
      then Some (map (x s' c) [3; 4; 5; 6]) else None
  | _, _ => None
  end.

(* Along a trace: each hash that is told is the measurement of the log. *)
Fixpoint well_measured (P : program gvar) (v : Z) (k : building) (s : machine) (tr : list label) : Prop :=
  match tr with
  | [] => True
  | l :: tr' =>
      match next P s l with
      | Ok s' _ => match told_hash v k s s' l with Some h => h = vm_info.hash_words (measurement (words k)) | None => True end /\
                   well_measured P v (built v k s s' l) s' tr'
      | _ => True
      end
  end.
Definition measurement_integral (start : machine -> Prop) (P : program gvar) : Prop := forall s tr v, 0 <= v < NIE_MAX_VMS ->
  start s -> well_measured P v unbuilt s tr.
