(* SPDX-License-Identifier: Apache-2.0 *)
(* model/Walk.v as a program. Trusted here: Coq's extraction, its ExtrOcaml files, and the two lines below. *)
From Coq Require Import ZArith.
From Coq Require Extraction ExtrOcamlBasic ExtrOcamlNatInt ExtrOcamlZBigInt.
From nie.model Require Import Walk.
Extraction Language OCaml.
Extract Constant Z.odd => "Z.is_odd".
Extract Constant Z.pow => "(fun x n -> if Z.sign n < 0 then Z.zero else Z.pow x (Z.to_int n))".
Extract Constant Z.leb => "Z.leq".
Extract Constant Z.ltb => "Z.lt".
Extract Constant Z.of_nat => "Z.of_int".
Extraction "walk.ml" walk.
