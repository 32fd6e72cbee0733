(* SPDX-License-Identifier: Apache-2.0 *)
(* Sealed maps, for proofs; the definitions are the model's. *)
From nie.model Require Export Map.
