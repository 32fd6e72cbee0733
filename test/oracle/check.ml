(* SPDX-License-Identifier: Apache-2.0 *)
(* Reads the log of the native core (README.md) and runs the specification on the same exceptions: how each ends, what
   goes out, and what has changed must be the same. *)
open Known
open Compare

let check_end () = if not !Replay.replays then Option.iter check_all !state

(** One exception, when all its lines are there. *)

(* What was done, for the summary: calls by status, traps of vCPUs and of the host by class. *)
let note (a : S.state) (b : S.state) c kind =
  let f = Z.to_int (low32 x_before.(0)) in
  let cls = class_of a in
  let how =
    if kind <> 0 then Printf.sprintf "interrupt %d" kind
    else if List.mem cls [ 0x01; 0x16; 0x17; 0x18; 0x20; 0x24 ] then Printf.sprintf "class %02x" cls
    else "another class" in
  if vm_on a c <> host then count (Printf.sprintf "vcpu, %s, %s" how (if vm_on b c = host then "exit" else "resumes"))
  else if kind = 0 && cls = 0x16 && f >= 0xc6000000 && f < 0xc600000f then
    count (Printf.sprintf "call %08x %s" f (if vm_on b c <> host then "runs" else Z.to_string (Omap.at (S.cpu_at b (z c)).S.cpu_x 0)))
  else count ("host, " ^ how)

let finish_trap c kind =
  let given = Array.of_list (List.rev !inputs) in
  let asked = ref 0 in
  let ins n = asked := max !asked (n + 1); if n < Array.length given then given.(n) else zero in
  let page p w = try Hashtbl.find content (Z.to_int p, Z.to_int w) with Not_found -> zero in
  let a = { (the ()) with S.here = here.(c); S.fp_here = fp.(c) } in
  let (r, told), b = S.on_trap (z c) (z kind) ins page a in
  equal "result" 0 !result r;
  check_events 0 (List.rev !events) told;
  (* It may have looked further: arguments are evaluated first. What it is not given is 0, and would show. *)
  if !asked < Array.length given then differ "the C reads %d inputs, the specification %d" (Array.length given) !asked;
  let adds = Z.equal (low32 x_before.(0)) S.nIE_PAGE_ADD in
  check_changes a b adds;
  check_registers a b c;
  note a b c kind;
  if Replay.emit then Replay.emit_lines a b c kind told;
  here.(c) <- b.S.here; fp.(c) <- b.S.fp_here;
  state := Some b

let finish_start c =
  let a = { (the ()) with S.here = here.(c); S.fp_here = fp.(c) } in
  let b = S.cpu_start (z c) a in
  check_changes a b false;
  check_registers a b c;
  here.(c) <- b.S.here; fp.(c) <- b.S.fp_here;
  state := Some b

let finish () =
  (match !what with
  | Nothing -> ()
  | Boot w ->
      let r = S.manifest_check (manifest w) in
      equal "boot's result" 0 !result r;
      count (Printf.sprintf "boot %s" (Z.to_string r));
      if Z.equal r zero then begin
        let _, a = S.on_boot (manifest w) in
        check_all a;
        state := Some a
      end
  | Trap (c, k) -> incr exceptions; finish_trap c k
  | Start c -> finish_start c);
  what := Nothing; after := false;
  inputs := []; events := []; dirty := []; touched := []; written := [];
  if Hashtbl.length zeroed > 0 then Hashtbl.reset zeroed;
  if Hashtbl.length content > 0 then Hashtbl.reset content

(** Lines. *)

let begin_boot w =
  if Replay.emit then print_endline ("b " ^ String.concat " " (Array.to_list (Array.map (Z.format "%x") w)));
  check_end ();
  Array.iter (fun f -> Array.fill f 0 (Array.length f) zero) fields;
  Array.iter (fun f -> Array.fill f 0 128 zero) regs;
  Array.iter (fun f -> Array.fill f 0 66 zero) vectors;
  Array.fill here 0 cpus (Omap.const zero);
  Array.fill fp 0 cpus (Omap.const zero);
  let small v = if Z.fits_int v && Z.to_int v <= 1 lsl 28 then Z.to_int v else 0 in
  ram := small w.(3); ram_pages := small w.(4);
  memory := Array.make !ram_pages zeros;
  state := None;
  what := Boot w

let software f i v =
  if f = 23 then state := Some (S.set_x (z (i / 31)) (z (i mod 31)) v (the ()))
  else differ "%s[%d] changes between exceptions" names.(f) i

let ended = ref false
let current () = match !what with Trap (c, _) | Start c -> c | _ -> -1
let line kind (w : Z.t array) =
  let n i = Z.to_int w.(i) in
  match kind with
  | 'g' -> fields.(n 0).(n 1) <- w.(2);
      if !after then touched := (n 0, n 1) :: !touched else if !what = Nothing then software (n 0) (n 1) w.(2)
  | 'r' -> regs.(n 0).(n 1) <- w.(2);
      if not !after then here.(n 0) <- Omap.set here.(n 0) w.(1) w.(2)
      else if n 0 <> current () then differ "a register of CPU %d changes" (n 0)
      else written := (false, n 1) :: !written
  | 'f' -> vectors.(n 0).(n 1) <- w.(2);
      if not !after then fp.(n 0) <- Omap.set fp.(n 0) w.(1) w.(2)
      else if n 0 <> current () then differ "a vector register of CPU %d changes" (n 0)
      else written := (true, n 1) :: !written
  | 'm' -> Hashtbl.replace content (n 0, n 1) w.(2)
  | 't' -> what := Trap (n 0, n 1);
      for i = 0 to 7 do x_before.(i) <- fields.(23).((31 * n 0) + i) done
  | 's' -> what := Start (n 0)
  | 'i' -> inputs := w.(0) :: !inputs
  | 'w' -> set_word (n 0) (n 1) w.(2); dirty := (n 0, n 1) :: !dirty
  | 'z' -> !memory.(n 0 - !ram) <- zeros; Hashtbl.replace zeroed (n 0) ()
  | 'e' ->
      events := (match n 0 with
        | 0 -> S.Word (w.(1), w.(2), w.(3)) | 1 -> S.Redistributor (w.(1), w.(2), w.(3))
        | 2 -> S.Firmware (w.(1), w.(2), w.(3)) | _ -> S.FirmwareCpuOn w.(1)) :: !events
  | '=' -> after := true; result := w.(1)
  | '.' -> finish ()
  | 'b' -> begin_boot (Array.copy w)
  | 'c' -> Replay.replay_call w
  | 'v' -> Replay.replay_exit w
  | 'o' -> Replay.replay_reopen w
  | 'q' -> check_end ();
      ended := true;
      if not Replay.emit then Printf.printf "%d of %d edges of the core were taken\n" (n 0) (n 1)
  | _ -> differ "a line that begins with '%c'" kind

(* A letter, then numbers of one to sixteen hexadecimal digits, one space before each. *)
let digit c =
  match c with
  | '0' .. '9' -> Char.code c - 48
  | 'a' .. 'f' -> Char.code c - 87
  | _ -> failwith "a digit"
let numbers = Array.init 34 (fun n -> Array.make n zero)
let parse l =
  let n = String.length l in
  if n = 0 then failwith "an empty line";
  let count = ref 0 in
  for i = 1 to n - 1 do if l.[i] = ' ' then incr count done;
  if !count >= Array.length numbers || (n > 1 && l.[1] <> ' ') then failwith l;
  let w = numbers.(!count) in
  let at = ref 2 in
  for k = 0 to !count - 1 do
    let from = !at in
    let v = ref 0 in
    while !at < n && l.[!at] <> ' ' do
      v := (!v lsl 4) lor digit l.[!at];
      incr at
    done;
    let digits = !at - from in
    if digits = 0 || digits > 16 then failwith l;
    w.(k) <- (if digits < 16 then Z.of_int !v else Z.of_substring_base 16 l ~pos:from ~len:16);
    incr at
  done;
  (l.[0], w)

let self_test () =
  Random.init 1;
  for _ = 1 to 8 do
    let b = List.init 16 (fun _ -> z (Random.bits () lsl 2)) in
    let h = Array.copy Sha.initial in
    List.iteri (fun i v -> Sha.w.(i) <- Z.to_int v) b;
    Sha.block h;
    if Sha.words h <> S.block_hash (Sha.words Sha.initial) b then failwith "sha.ml is not the specification's block_hash"
  done

let () =
  self_test ();
  let number = ref 0 in
  (try
     while true do
       let l = input_line stdin in
       incr number;
       let k, w = parse l in
       line k w
     done
   with
  | End_of_file -> ()
  | (Failure _ | Invalid_argument _ | Not_found | Z.Overflow) ->
      Printf.printf "line %d is not a line of a log\n" !number; exit 2
  | Differ s ->
      Printf.printf "exception %d, line %d: %s\n" !exceptions !number s;
      (match !what with
      | Trap (c, k) -> Printf.printf "CPU %d, kind %d, ESR %s, x0-x7 %s\n" c k (hex regs.(c).(37))
          (String.concat " " (Array.to_list (Array.map hex x_before)))
      | Start c -> Printf.printf "CPU %d starts\n" c | Boot _ -> print_endline "at boot" | Nothing -> ());
      exit 1);
  if (not !Replay.replays) && not !ended then begin print_endline "the log is cut: it has no line q"; exit 2 end;
  if Replay.emit then exit 0;
  if Array.length Sys.argv > 1 then
    List.iter (fun (k, n) -> Printf.printf "%-20s %d\n" k n) (List.sort compare (Hashtbl.fold (fun k n l -> (k, n) :: l) seen []));
  Printf.printf "%d exceptions: the core and the specification agree\n" !exceptions
