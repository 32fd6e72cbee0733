(* SPDX-License-Identifier: Apache-2.0 *)
(* A page of PAGE_ADD_ZERO's at the call's end: zeros, and what its VM has stored since it was mapped. Other than
   page_add_zero_shows_zeros this is also of a VM that runs meanwhile, and uses the page at once. *)
From Coq Require Import ZArith List String Lia.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.generated.call Require page_add_zero.
From nie.spec Require Import State.
From nie.spec Require Import Core Step Kept.
From nie.spec.call Require page_add_zero.
From nie.proof.invariant Require Import Hidden.
From nie.proof.refine Require Import Relation statements page_kept_log page_shown_statement page_shown_zero.
Import ListNotations.
Open Scope Z_scope.

(* LESS than zeroes_words (security/kept_words.v): of the call, not of the handler around it. *)
Definition page_add_zero_keeps (P : program gvar) : Prop := forall a gl h vm ipa pa count level,
  R a (Mach gl h) -> u64 vm -> u64 ipa -> u64 pa -> u64 count -> u64 level ->
  fst (page_add_zero.page_add_zero vm ipa pa count level a) = NIE_OK ->
  exists gl' h' g,
    call P "call_page_add_zero" [vm; ipa; pa; count; level] (Mach gl (h, [])) = Some ([NIE_OK], Mach gl' (h', g)) /\
    R (snd (page_add_zero.page_add_zero vm ipa pa count level a)) (Mach gl' h') /\
    forall k i, 0 <= k < count -> is_word i = true ->
      Map.get (Machine.mem h') ((page_of pa + k) * 512 + i) = after_log (vm + 1) (page_of pa + k) i g 0.

Theorem page_add_zero_keeps_zeros : page_add_zero_keeps Program.core.
Proof.
  intros a gl h vm ipa pa count level HR HV HI HP HC HL E.
  assert (K : spec_zero_check a vm ipa pa count level = NIE_OK).
  { unfold nie.spec.call.page_add_zero.page_add_zero in E. cbv zeta in E.
    destruct (Z.eqb_spec (spec_zero_check a vm ipa pa count level) NIE_OK) as [F|F]; [exact F|now destruct F]. }
  destruct (zero_shown a gl h vm ipa pa count level HR HV HI HP HC HL K []) as (gl' & h' & before & after & U & R' & S & _).
  exists gl', h', (before ++ after)%list. split.
  - exact (Program.core_means "call_page_add_zero"%string nie.generated.call.page_add_zero.call_page_add_zero_sem eq_refl
      [vm; ipa; pa; count; level] _ NIE_OK _ U).
  - split; [exact R'|]. intros j i J I. apply (S (page_of pa + j)); [unfold given; lia|exact I].
Qed.
