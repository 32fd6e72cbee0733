(* SPDX-License-Identifier: Apache-2.0 *)
(* Tactics of the generated lemmas. *)
From Coq Require Import ZArith List String Bool.
From nie.lib Require Export C_text.
From nie.model Require Export C_store.

Ltac same := intros; reflexivity.
