(* SPDX-License-Identifier: Apache-2.0 *)
(* The specification as a program. What Coq's text means here and is not Coq's own: README.md lists it all. *)
From Coq Require Import ZArith List.
From Coq Require Extraction ExtrOcamlBasic ExtrOcamlNatInt ExtrOcamlZBigInt.
From nie.model Require Import Map.
From nie.spec Require Import Sha256 Measure State Registers Switch.
From nie.spec.call Require Import host_call.
From nie.spec.trap Require Import trap boot.
From nie.proof.invariant Require Import Meaning.
Extraction Language OCaml.

(* Integers: what Coq's ExtrOcamlZBigInt leaves out. *)
Extract Constant Z.land => "Z.logand".
Extract Constant Z.lor => "Z.logor".
Extract Constant Z.lxor => "Z.logxor".
Extract Constant Z.lnot => "Z.lognot".
Extract Constant Z.pow => "(fun x n -> if Z.sign n < 0 then Z.zero else Z.pow x (Z.to_int n))".
Extract Constant Z.shiftl => "(fun x n -> let n = Z.to_int n in if n < 0 then Z.shift_right x (- n) else Z.shift_left x n)".
Extract Constant Z.shiftr => "(fun x n -> let n = Z.to_int n in if n < 0 then Z.shift_left x (- n) else Z.shift_right x n)".
Extract Constant Z.leb => "Z.leq".
Extract Constant Z.ltb => "Z.lt".
Extract Constant Z.of_nat => "Z.of_int".
Extract Constant Z.to_nat => "(fun x -> if Z.sign x < 0 then 0 else Z.to_int x)".
Extract Constant Z.odd => "Z.is_odd".

(* Maps: persistent ones, omap.ml. *)
Extract Constant Map.Map.t "'a" => "'a Omap.t".
Extract Constant Map.Map.const => "Omap.const".
Extract Constant Map.Map.get => "Omap.get".
Extract Constant Map.Map.set => "Omap.set".

(* Lists that may be long. *)
Extract Constant app => "(fun a b -> List.rev_append (List.rev a) b)".
Extract Constant length => "List.length".
Extract Constant seq => "(fun a n -> List.init n (fun i -> a + i))".

(* SHA-256 of a log, native: sha.ml. Its block function is checked against [block_hash], which is extracted. *)
Extract Constant State.hash_so_far => "Sha.so_far".
Extract Constant Measure.measurement => "Sha.measurement".

(* Names of files are no names of things to be extracted. *)
Definition on_trap := trap.
Definition on_boot := boot_with.

Extraction "spec.ml" on_trap on_boot manifest_check cpu_start enc henc level3 gib_count hash_of_vm vcpu_at saved_at cpu_at own slot_at vm_at last_at block_hash
  set_x exit_vcpu set_vm set_vcpu set_slot.
