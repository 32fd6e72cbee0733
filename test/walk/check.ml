(* SPDX-License-Identifier: Apache-2.0 *)
(* Reads what core/core.c printed, walks each table as the model does, and compares with PAR_EL1 [ArmARM, PAR_EL1].
   Last line: tables translated faulted wrong. *)
let page_of address = Z.shift_right address 12
let field = Z.extract

(* The memory that holds the three descriptors on the IPA's path, and nothing else. *)
let memory root ipa descs word =
  let at level =
    Z.add (Z.mul (Z.add (page_of root) (Z.of_int (level - 1))) (Z.of_int 512)) (field ipa (12 + (9 * (3 - level))) 9)
  in
  let rec find level = function
    | [] -> Z.zero
    | d :: rest -> if Z.equal word (at level) then d else find (level + 1) rest
  in
  find 1 descs

type verdict = Translated | Faulted | Wrong

(* A translation fault is what the model calls no translation; no other fault comes of these tables. *)
let verdict model par =
  match model, Z.testbit par 0 with
  | Some p, false -> if Z.equal p (field par 12 36) then Translated else Wrong
  | None, true when Z.equal (field par 3 4) Z.one -> Faulted
  | _ -> Wrong

let count = Hashtbl.create 4
let total v = Option.value (Hashtbl.find_opt count v) ~default:0
let add v = Hashtbl.replace count v (total v + 1)

let line root text =
  match List.map Z.of_string (String.split_on_char ' ' (String.trim text)) with
  | [ ipa; d1; d2; d3; read; write ] ->
      let model = Walk.walk (memory root ipa [ d1; d2; d3 ]) root (page_of ipa) in
      let judge par =
        let v = verdict model par in
        if v = Wrong then
          Printf.printf "DIFFERS: %s: model %s, PAR_EL1 %s\n" (String.trim text)
            (match model with Some p -> Z.format "%#x" p | None -> "none")
            (Z.format "%#x" par);
        add v
      in
      judge read;
      judge write
  | _ -> failwith ("no line of a table: " ^ text)

let () =
  let rec root () =
    let l = input_line stdin in
    if String.length l > 5 && String.sub l 0 5 = "root " then Z.of_string (String.trim (String.sub l 5 (String.length l - 5)))
    else root ()
  in
  let root = root () in
  let rec go n =
    match input_line stdin with
    | l when String.length l > 2 && String.sub l 0 2 = "0x" -> line root l; go (n + 1)
    | _ -> go n
    | exception End_of_file -> n
  in
  let n = go 0 in
  Printf.printf "%d tables, read and written: %d translated, %d translation faults, %d wrong\n" n
    (total Translated) (total Faulted) (total Wrong)
