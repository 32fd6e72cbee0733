(* SPDX-License-Identifier: Apache-2.0 *)
(* [sound] of spec/Isolation.v, from boot on: no crash, every obligation met, every state safe. *)
From Coq Require Import ZArith List.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import Step Isolation.
From nie.proof Require Theorems.
From nie.proof.security Require Import core_is_safe core_keeps_to_itself.
From nie.generated Require Program.

Theorem core_is_sound : sound (after_boot Program.core) Program.core.
Proof.
  intros s tr B. destruct (core_is_safe s tr B) as [NC SF]. split; [exact NC|]. split; [|exact SF].
  intros t g E. destruct B as (h & RS & BO). destruct (boot_good _ h s Theorems.boot_is_correct RS BO) as [G _].
  pose proof (run_good Program.core Theorems.trap_is_safe Theorems.start_is_safe tr _ s G) as X. rewrite E in X. destruct X as [(b & GB) _].
  exact (good_ok b t GB).
Qed.
