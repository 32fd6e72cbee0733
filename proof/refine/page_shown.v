(* SPDX-License-Identifier: Apache-2.0 *)
(* What a page that the host gives holds when its VM first looks: claims of page_shown_statement.v, of the deep terms. *)
From Coq Require Import ZArith List String Lia.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.generated.call Require page_add_zero page_add.
From nie.spec Require Import State.
From nie.spec Require Import Core Step.
From nie.proof.invariant Require Import Hidden.
From nie.proof.refine Require Import Relation statements page_shown_statement page_shown_zero page_shown_measured.
Import ListNotations.
Open Scope Z_scope.

Theorem page_add_zero_shows_zeros : page_add_zero_shows Program.core.
Proof.
  intros a gl h vm ipa pa count level HR HV HI HP HC HL E.
  assert (K : spec_zero_check a vm ipa pa count level = NIE_OK).
  { unfold nie.spec.call.page_add_zero.page_add_zero in E. cbv zeta in E.
    destruct (Z.eqb_spec (spec_zero_check a vm ipa pa count level) NIE_OK) as [F|F]; [exact F|now destruct F]. }
  destruct (zero_shown a gl h vm ipa pa count level HR HV HI HP HC HL K []) as (gl' & h' & before & after & U & R' & S & _).
  exists gl', h', before, after. split.
  - exact (Program.core_means "call_page_add_zero"%string nie.generated.call.page_add_zero.call_page_add_zero_sem eq_refl
      [vm; ipa; pa; count; level] _ NIE_OK _ U).
  - split; [exact R'|]. intros i I. apply S. unfold given. lia.
Qed.

Theorem page_add_shows_measured : page_add_shows Program.core.
Proof.
  intros a gl h vm ipa pa count HR HV HI HP HC E.
  destruct (measured_shown a gl h vm ipa pa count HR HV HI HP HC E []) as (content & gl' & h' & before & after & U & R' & _ & _ & S & _).
  exists content, gl', h', before, after. split; [|auto].
  exact (Program.core_means "call_page_add"%string nie.generated.call.page_add.call_page_add_sem eq_refl [vm; ipa; pa; count] _ NIE_OK _ U).
Qed.
