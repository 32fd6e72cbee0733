(* SPDX-License-Identifier: Apache-2.0 *)
(* SHA-256, FIPS 180-4. Section numbers are those of the standard. Words are integers below 2^32, bytes
   integers below 256; a message is a list of bytes, shorter than 2^61 (1: its bits are fewer than 2^64). *)
From Coq Require Import ZArith List.
Import ListNotations.
Open Scope Z_scope.

(** Words (2.2.2, 3.2). *)

Definition add (x y : Z) : Z := (x + y) mod 2 ^ 32.
Definition xor (x y : Z) : Z := Z.lxor x y.
Definition and (x y : Z) : Z := Z.land x y.
Definition not (x : Z) : Z := Z.lnot x mod 2 ^ 32.
Definition shr (n x : Z) : Z := Z.shiftr x n.
Definition shl (n x : Z) : Z := Z.shiftl x n mod 2 ^ 32.
Definition rotr (n x : Z) : Z := Z.lor (shr n x) (shl (32 - n) x).

(** Functions (4.1.2). [Sum], [sigma]: the standard's capital and small sigma. *)

Definition Ch (x y z : Z) : Z := xor (and x y) (and (not x) z).
Definition Maj (x y z : Z) : Z := xor (xor (and x y) (and x z)) (and y z).
Definition Sum0 (x : Z) : Z := xor (xor (rotr 2 x) (rotr 13 x)) (rotr 22 x).
Definition Sum1 (x : Z) : Z := xor (xor (rotr 6 x) (rotr 11 x)) (rotr 25 x).
Definition sigma0 (x : Z) : Z := xor (xor (rotr 7 x) (rotr 18 x)) (shr 3 x).
Definition sigma1 (x : Z) : Z := xor (xor (rotr 17 x) (rotr 19 x)) (shr 10 x).

(** Constants (4.2.2). *)

Definition K : list Z := [
  0x428a2f98; 0x71374491; 0xb5c0fbcf; 0xe9b5dba5; 0x3956c25b; 0x59f111f1; 0x923f82a4; 0xab1c5ed5;
  0xd807aa98; 0x12835b01; 0x243185be; 0x550c7dc3; 0x72be5d74; 0x80deb1fe; 0x9bdc06a7; 0xc19bf174;
  0xe49b69c1; 0xefbe4786; 0x0fc19dc6; 0x240ca1cc; 0x2de92c6f; 0x4a7484aa; 0x5cb0a9dc; 0x76f988da;
  0x983e5152; 0xa831c66d; 0xb00327c8; 0xbf597fc7; 0xc6e00bf3; 0xd5a79147; 0x06ca6351; 0x14292967;
  0x27b70a85; 0x2e1b2138; 0x4d2c6dfc; 0x53380d13; 0x650a7354; 0x766a0abb; 0x81c2c92e; 0x92722c85;
  0xa2bfe8a1; 0xa81a664b; 0xc24b8b70; 0xc76c51a3; 0xd192e819; 0xd6990624; 0xf40e3585; 0x106aa070;
  0x19a4c116; 0x1e376c08; 0x2748774c; 0x34b0bcb5; 0x391c0cb3; 0x4ed8aa4a; 0x5b9cca4f; 0x682e6ff3;
  0x748f82ee; 0x78a5636f; 0x84c87814; 0x8cc70208; 0x90befffa; 0xa4506ceb; 0xbef9a3f7; 0xc67178f2].

Definition word (l : list Z) (t : Z) : Z := nth (Z.to_nat t) l 0.

(** The hash computation (6.2.2). *)

(* Step 1: the message schedule W_0, ..., from a block's 16 words on. *)
Definition next_word (W : list Z) : Z :=
  let t := Z.of_nat (length W) in
  add (add (add (sigma1 (word W (t - 2))) (word W (t - 7))) (sigma0 (word W (t - 15)))) (word W (t - 16)).
Fixpoint extend (n : nat) (W : list Z) : list Z :=
  match n with O => W | S n' => let W' := extend n' W in W' ++ [next_word W'] end.
Definition schedule (block : list Z) : list Z := extend 48 block.

(* A hash value, and the working variables a, b, c, d, e, f, g, h. *)
Definition words8 : Type := Z * Z * Z * Z * Z * Z * Z * Z.

(* Step 3, for one t. *)
Definition round (W : list Z) (t : Z) (v : words8) : words8 :=
  let '(a, b, c, d, e, f, g, h) := v in
  let T1 := add (add (add (add h (Sum1 e)) (Ch e f g)) (word K t)) (word W t) in
  let T2 := add (Sum0 a) (Maj a b c) in
  (add T1 T2, a, b, c, add d T1, e, f, g).
Fixpoint rounds (n : nat) (W : list Z) (v : words8) : words8 :=     (* t = 0, ..., n - 1 *)
  match n with O => v | S n' => round W (Z.of_nat n') (rounds n' W v) end.

(* Step 4. *)
Definition add8 (x y : words8) : words8 :=
  let '(a, b, c, d, e, f, g, h) := x in
  let '(a', b', c', d', e', f', g', h') := y in
  (add a a', add b b', add c c', add d d', add e e', add f f', add g g', add h h').

Definition block_hash (H : words8) (block : list Z) : words8 := add8 H (rounds 64 (schedule block) H).

(* 5.3.3. *)
Definition H0 : words8 :=
  (0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19).

(* [n] blocks of 16 words, one after the other. *)
Fixpoint blocks_hash (n : nat) (H : words8) (words : list Z) : words8 :=
  match n with O => H | S n' => blocks_hash n' (block_hash H (firstn 16 words)) (skipn 16 words) end.

(** Messages (3.1, 5.1.1, 5.2.1). *)

(* Four bytes are a word, the most significant first. *)
Fixpoint words_of (bytes : list Z) : list Z :=
  match bytes with
  | b0 :: b1 :: b2 :: b3 :: rest => b0 * 2 ^ 24 + b1 * 2 ^ 16 + b2 * 2 ^ 8 + b3 :: words_of rest
  | _ => []
  end.

Definition big_endian64 (x : Z) : list Z := map (fun i => x / 2 ^ i mod 256) [56; 48; 40; 32; 24; 16; 8; 0].

(* A one bit, as few zero bits as make whole blocks, the length in bits. *)
Definition padding (length : Z) : list Z :=
  [0x80] ++ repeat 0 (Z.to_nat ((55 - length) mod 64)) ++ big_endian64 (8 * length).

Definition sha256 (message : list Z) : words8 :=
  let words := words_of (message ++ padding (Z.of_nat (length message))) in
  blocks_hash (length words / 16) H0 words.

(** NIST's examples, and the empty message. *)

From Coq Require Import String Ascii.
Definition text (s : string) : list Z := map (fun c => Z.of_nat (nat_of_ascii c)) (list_ascii_of_string s).

Example sha256_empty : sha256 (text "") =
  (0xe3b0c442, 0x98fc1c14, 0x9afbf4c8, 0x996fb924, 0x27ae41e4, 0x649b934c, 0xa495991b, 0x7852b855).
Proof. now vm_compute. Qed.
Example sha256_abc : sha256 (text "abc") =
  (0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223, 0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad).
Proof. now vm_compute. Qed.
Example sha256_two_blocks : sha256 (text "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") =
  (0x248d6a61, 0xd20638b8, 0xe5c02693, 0x0c3e6039, 0xa33ce459, 0x64ff2167, 0xf6ecedd4, 0x19db06c1).
Proof. now vm_compute. Qed.
(* 64 bytes: the padding is a block of its own, as in the measurement. Value: Python's hashlib. *)
Example sha256_whole_block : sha256 (repeat 0 64) =
  (0xf5a5fd42, 0xd16a2030, 0x2798ef6e, 0xd309979b, 0x43003d23, 0x20d9f0e8, 0xea9831a9, 0x2759fb4b).
Proof. now vm_compute. Qed.
