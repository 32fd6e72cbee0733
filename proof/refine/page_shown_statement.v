(* SPDX-License-Identifier: Apache-2.0 *)
(* What a page holds when somebody looks at it for the first time since the engine took it from the host: a claim about every
   hardware state that a run meets (spec/Step.v's log), others acting in it. *)
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

(* As long as nobody has reached page p, and in the first state in which somebody does, it holds c. *)
Definition first_shows (p : Z) (c : Z -> Z) (g : log) : Prop := forall past m rest, g = past ++ m :: rest ->
  (forall n, In n past -> private p (fst n)) -> holds p c (fst m).
(* Nobody reaches it in the first state. *)
Definition starts_private (p : Z) (g : log) : Prop := exists m rest, g = m :: rest /\ private p (fst m).

(* PAGE_ADD_ZERO that answers NIE_OK: there is a moment in the run from which on nobody sees anything but zeros in the pages. In the
   first state after it nobody reaches them, under whatever VMID; in every state until somebody does, that one included, and in the
   last one if nobody does before the call is over, every word of them is 0. LESS: of a VM that does not run meanwhile it says what
   the pages hold when the call is over, not yet when the VM is entered. *)
Definition page_add_zero_shows (P : program gvar) : Prop := forall a gl h vm ipa pa count level,
  R a (Mach gl h) -> u64 vm -> u64 ipa -> u64 pa -> u64 count -> u64 level ->
  fst (page_add_zero.page_add_zero vm ipa pa count level a) = NIE_OK ->
  exists gl' h' before after,
    call P "call_page_add_zero" [vm; ipa; pa; count; level] (Mach gl (h, [])) = Some ([NIE_OK], Mach gl' (h', before ++ after)) /\
    R (snd (page_add_zero.page_add_zero vm ipa pa count level a)) (Mach gl' h') /\
    forall i, 0 <= i < count -> let seen := after ++ [(h', None)] in
      starts_private (page_of pa + i) seen /\ first_shows (page_of pa + i) (fun _ => 0) seen.

(* PAGE_ADD: the same of [content], which is what goes into the VM's measurement. *)
Definition page_add_shows (P : program gvar) : Prop := forall a gl h vm ipa pa count,
  R a (Mach gl h) -> u64 vm -> u64 ipa -> u64 pa -> u64 count ->
  page_add.page_add_check a vm ipa pa count = NIE_OK ->
  exists content gl' h' before after,
    call P "call_page_add" [vm; ipa; pa; count] (Mach gl (h, [])) = Some ([NIE_OK], Mach gl' (h', before ++ after)) /\
    R (snd (page_add.page_add vm ipa pa count content a)) (Mach gl' h') /\
    forall i, 0 <= i < count -> let seen := after ++ [(h', None)] in
      starts_private (page_of pa + i) seen /\ first_shows (page_of pa + i) (content i) seen.
