(* SPDX-License-Identifier: Apache-2.0 *)
(* The measurement of a VM: SHA-256 of its build log. The log is a list of 64-bit words, eight for each block
   of the stream; as bytes, each word has its least significant byte first. engine/core/measure.h *)
From Coq Require Import ZArith List.
From nie.spec Require Import Sha256.
Import ListNotations.
Open Scope Z_scope.

Definition little_endian64 (x : Z) : list Z := map (fun i => x / 2 ^ i mod 256) [0; 8; 16; 24; 32; 40; 48; 56].
Definition bytes_of (log : list Z) : list Z := flat_map little_endian64 log.

(* A step of the build is a record of one block; a page's record is followed by the page's 512 words. *)
Definition record (kind a b c : Z) : list Z := [kind; a; b; c; 0; 0; 0; 0].
Definition page (content : Z -> Z) : list Z := map (fun i => content (Z.of_nat i)) (seq 0 512).

Definition measurement (log : list Z) : words8 := sha256 (bytes_of log).
