(* SPDX-License-Identifier: Apache-2.0 *)
(* Where a VM's pages are: [memory_integral] of spec/Isolation.v without the words. Nothing is put where the VM's pages were taken,
   and nothing comes but by the calls that the lone machine is fed. LESS than [memory_integral]: of what the pages hold, nothing. *)
From Coq Require Import ZArith List Bool.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import Step Isolation.
Import ListNotations.
Open Scope Z_scope.

Definition map_integral (start : machine -> Prop) (P : program gvar) : Prop := forall s tr t g w,
  start s -> run P s tr = Ok t g -> live P s tr w = true ->
  forall l k d o, avail (hw t) (vmid_of w) l k d -> is_leaf l d = true -> 0 <= o < covers l -> ~ upper l k ->
  exists words, ideal (inputs_to P w s [] tr s) (k * covers l + o) = Page words.
