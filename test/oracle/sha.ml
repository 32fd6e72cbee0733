(* SPDX-License-Identifier: Apache-2.0 *)
(* SHA-256 [FIPS 180-4] of a log of 64-bit words, least significant byte first, natively. *)

let k =
  [| 0x428a2f98; 0x71374491; 0xb5c0fbcf; 0xe9b5dba5; 0x3956c25b; 0x59f111f1; 0x923f82a4; 0xab1c5ed5;
     0xd807aa98; 0x12835b01; 0x243185be; 0x550c7dc3; 0x72be5d74; 0x80deb1fe; 0x9bdc06a7; 0xc19bf174;
     0xe49b69c1; 0xefbe4786; 0x0fc19dc6; 0x240ca1cc; 0x2de92c6f; 0x4a7484aa; 0x5cb0a9dc; 0x76f988da;
     0x983e5152; 0xa831c66d; 0xb00327c8; 0xbf597fc7; 0xc6e00bf3; 0xd5a79147; 0x06ca6351; 0x14292967;
     0x27b70a85; 0x2e1b2138; 0x4d2c6dfc; 0x53380d13; 0x650a7354; 0x766a0abb; 0x81c2c92e; 0x92722c85;
     0xa2bfe8a1; 0xa81a664b; 0xc24b8b70; 0xc76c51a3; 0xd192e819; 0xd6990624; 0xf40e3585; 0x106aa070;
     0x19a4c116; 0x1e376c08; 0x2748774c; 0x34b0bcb5; 0x391c0cb3; 0x4ed8aa4a; 0x5b9cca4f; 0x682e6ff3;
     0x748f82ee; 0x78a5636f; 0x84c87814; 0x8cc70208; 0x90befffa; 0xa4506ceb; 0xbef9a3f7; 0xc67178f2 |]

let initial =
  [| 0x6a09e667; 0xbb67ae85; 0x3c6ef372; 0xa54ff53a; 0x510e527f; 0x9b05688c; 0x1f83d9ab; 0x5be0cd19 |]

let w32 x = x land 0xffffffff
let rotr x n = w32 ((x lsr n) lor (x lsl (32 - n)))
let w = Array.make 64 0

(* One block, its sixteen words in w. *)
let block h =
  for t = 16 to 63 do
    let a = w.(t - 15) and b = w.(t - 2) in
    let s0 = rotr a 7 lxor rotr a 18 lxor (a lsr 3) and s1 = rotr b 17 lxor rotr b 19 lxor (b lsr 10) in
    w.(t) <- w32 (s1 + w.(t - 7) + s0 + w.(t - 16))
  done;
  let a = ref h.(0) and b = ref h.(1) and c = ref h.(2) and d = ref h.(3) in
  let e = ref h.(4) and f = ref h.(5) and g = ref h.(6) and i = ref h.(7) in
  for t = 0 to 63 do
    let s1 = rotr !e 6 lxor rotr !e 11 lxor rotr !e 25 in
    let ch = (!e land !f) lxor (lnot !e land !g) in
    let t1 = w32 (!i + s1 + ch + k.(t) + w.(t)) in
    let s0 = rotr !a 2 lxor rotr !a 13 lxor rotr !a 22 in
    let maj = (!a land !b) lxor (!a land !c) lxor (!b land !c) in
    i := !g; g := !f; f := !e; e := w32 (!d + t1); d := !c; c := !b; b := !a; a := w32 (t1 + s0 + maj)
  done;
  List.iteri (fun n x -> h.(n) <- w32 (h.(n) + x)) [ !a; !b; !c; !d; !e; !f; !g; !i ]

let swap x = ((x land 0xff) lsl 24) lor ((x land 0xff00) lsl 8) lor ((x lsr 8) land 0xff00) lor (x lsr 24)
let low = Z.of_int 0xffffffff
let halves v =
  let n k = Z.to_int (Z.logand (Z.shift_right v k) low) in
  (swap (n 0), swap (n 32))

(* The whole blocks of the log; how many words they are. *)
let absorb h log =
  let n = ref 0 in
  let full = List.length log / 8 * 8 in
  List.iteri (fun i v ->
      if i < full then begin
        let a, b = halves v in
        let j = i mod 8 in
        w.(2 * j) <- a; w.((2 * j) + 1) <- b;
        incr n;
        if j = 7 then block h
      end) log;
  !n

let words h =
  let z i = Z.of_int h.(i) in
  (((((((z 0, z 1), z 2), z 3), z 4), z 5), z 6), z 7)

let so_far log =
  let h = Array.copy initial in
  ignore (absorb h log);
  words h

(* Logs are whole blocks, always: the padding is a block of its own. *)
let measurement log =
  let h = Array.copy initial in
  let n = absorb h log in
  if n <> List.length log then failwith "a log that is not whole blocks";
  Array.fill w 0 16 0;
  w.(0) <- 0x80000000;
  w.(14) <- (n * 64) lsr 32;
  w.(15) <- w32 (n * 64);
  block h;
  words h
