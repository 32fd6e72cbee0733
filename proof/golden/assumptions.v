(* SPDX-License-Identifier: Apache-2.0 *)
(* What the headlines rest on; `./nie prove` compares it with assumptions.txt. *)
From nie.proof Require Theorems.
Print Assumptions Theorems.page_remove_is_correct.
Print Assumptions Theorems.related_is_safe.
Print Assumptions Theorems.related_is_exact.
Print Assumptions Theorems.reached_by_owner.
