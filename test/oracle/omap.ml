(* SPDX-License-Identifier: Apache-2.0 *)
(* Total maps from integers, persistent: a big-endian Patricia tree over those that fit a machine integer, and a
   balanced tree for the rest. Subtrees that two maps share are the same in memory, so that their difference is cheap. *)

type 'a node =
  | Empty
  | Leaf of int * 'a
  | Branch of int * int * 'a node * 'a node (* prefix, branching bit, bit clear, bit set *)

module Big = Map.Make (Z)

type 'a t = { other : 'a; small : 'a node; big : 'a Big.t }

let const a = { other = a; small = Empty; big = Big.empty }

(* Bits above [m], as unsigned numbers. *)
let mask k m = k land lnot ((m lsl 1) - 1)
let clear k m = k land m = 0

let rec find d k = function
  | Empty -> d
  | Leaf (j, a) -> if j = k then a else d
  | Branch (_, m, l, r) -> find d k (if clear k m then l else r)

let highest x =
  let x = x lor (x lsr 1) in
  let x = x lor (x lsr 2) in
  let x = x lor (x lsr 4) in
  let x = x lor (x lsr 8) in
  let x = x lor (x lsr 16) in
  let x = x lor (x lsr 32) in
  x lxor (x lsr 1)

let join p s q t =
  let m = highest (p lxor q) in
  if clear p m then Branch (mask p m, m, s, t) else Branch (mask p m, m, t, s)

let rec add k a = function
  | Empty -> Leaf (k, a)
  | Leaf (j, _) as s -> if j = k then Leaf (k, a) else join k (Leaf (k, a)) j s
  | Branch (p, m, l, r) as s ->
      if mask k m <> p then join k (Leaf (k, a)) p s
      else if clear k m then Branch (p, m, add k a l, r)
      else Branch (p, m, l, add k a r)

let get m i =
  if Z.fits_int i then find m.other (Z.to_int i) m.small
  else match Big.find_opt i m.big with Some a -> a | None -> m.other

let set m i a =
  if Z.fits_int i then { m with small = add (Z.to_int i) a m.small }
  else { m with big = Big.add i a m.big }

let at m i = find m.other i m.small

let rec iter f = function
  | Empty -> ()
  | Leaf (k, _) -> f k
  | Branch (_, _, l, r) -> iter f l; iter f r

(* [f] on every small key at which the two may differ. *)
let rec differ f s t =
  if s != t then
    match (s, t) with
    | Branch (p, m, l, r), Branch (q, n, l', r') when p = q && m = n -> differ f l l'; differ f r r'
    | Leaf (k, _), Leaf (j, _) when k = j -> f k
    | _ -> iter f s; iter f t

let changes f m m' =
  if m != m' then differ f m.small m'.small
