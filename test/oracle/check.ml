(* SPDX-License-Identifier: Apache-2.0 *)
(* Reads the log of the native core (README.md) and runs the specification on the same exceptions: how each ends, what
   goes out, and what has changed must be the same. What the C's objects, registers and private memory hold is kept
   as the log tells it. *)
module S = Spec

let zero = Z.zero
let z = Z.of_int
let hex v = Z.format "%#x" v

(** The C's side: objects by the numbers of log.c, registers, memory. *)

let cpus = 8
let counts = (* elements of each field *)
  let g = 3072 and v = 64 and u = 512 in
  [| g; g; g; g; g; v; v; v; v; v; v; 8 * v; v; v; v; v; u; u; u; u; u; u; 8 * v;
     31 * cpus; 31 * cpus; 28 * cpus; 10 * cpus; cpus; cpus; cpus; cpus; cpus; cpus |]
let names =
  [| "granules.state"; "granules.vm"; "granules.level"; "granules.zero"; "granules.key"; "vms.root"; "vms.ram_base";
     "vms.ram_pages"; "vms.cntvoff"; "vms.granules"; "vms.hashed"; "vms.hash"; "vms.state"; "vms.vcpus"; "vms.running";
     "vms.created"; "vcpus.context"; "vcpus.run"; "vcpus.state"; "vcpus.cpu"; "vcpus.pending"; "vcpus.syndrome";
     "lasts.vcpu"; "cpus.x"; "cpus.host_x"; "cpus.host_sysreg"; "cpus.in"; "cpus.entry"; "cpus.argument"; "cpus.vm";
     "cpus.vcpu"; "cpus.started"; "cpus.zero" |]
let fields = Array.map (fun n -> Array.make n zero) counts
let regs = Array.make_matrix cpus 128 zero
let vectors = Array.make_matrix cpus 66 zero
let ram = ref 0 and ram_pages = ref 0
let memory : Z.t array array ref = ref [||]
let zeros = Array.make 512 zero

(** The specification's side. *)

let state : S.state option ref = ref None
let here = Array.make cpus (Omap.const zero)
let fp = Array.make cpus (Omap.const zero)
let the () = Option.get !state

(** One exception, while its lines come. *)

type what = Nothing | Boot of Z.t array | Trap of int * int | Start of int
let what = ref Nothing
let after = ref false                     (* the line '=' has come *)
let result = ref zero
let inputs : Z.t list ref = ref []        (* last first *)
let events : S.event list ref = ref []    (* last first *)
let dirty : (int * int) list ref = ref [] (* words that were written *)
let zeroed : (int, unit) Hashtbl.t = Hashtbl.create 64
let content : (int * int, Z.t) Hashtbl.t = Hashtbl.create 64
let touched : (int * int) list ref = ref [] (* field, element *)
let written : (bool * int) list ref = ref [] (* registers: of the vectors, which *)
let exceptions = ref 0
let seen : (string, int) Hashtbl.t = Hashtbl.create 64

exception Differ of string
let differ fmt = Printf.ksprintf (fun s -> raise (Differ s)) fmt
let equal where i is want =
  if not (Z.equal is want) then differ "%s[%d]: the C has %s, the specification %s" where i (hex is) (hex want)
let field f i want = equal names.(f) i fields.(f).(i) want

let word p i =
  if p < !ram || p >= !ram + !ram_pages then differ "page %x is not RAM" p else !memory.(p - !ram).(i)
let set_word p i v =
  let n = p - !ram in
  if !memory.(n) == zeros then !memory.(n) <- Array.copy zeros;
  !memory.(n).(i) <- v

(** What must be the same. *)

let in_ram p = p >= !ram && p < !ram + !ram_pages
let owner_words = function
  | S.Host -> (0, zero, zero, zero) | S.Engine -> (1, zero, zero, zero)
  | S.Table (v, l, k) -> (2, v, l, k) | S.Vcpu (v, i) -> (3, v, zero, i)
  | S.Data (v, x) -> (4, v, zero, x) | S.Shared (v, x) -> (5, v, zero, x) | S.Run (v, i) -> (6, v, zero, i)

let check_word a what p i want =
  let is = word p i in
  if not (Z.equal is want) then equal (Printf.sprintf "%s, page %x, word" what p) i is want

let check_owner (a : S.state) p =
  if in_ram p then begin
    let s, v, l, k = owner_words (S.own a (z p)) in
    let n = p - !ram in
    field 0 n (z s); field 1 n v; field 2 n l; field 3 n zero; field 4 n k;
    let t = Z.to_int (S.level3 a (z (p / 512))) in
    check_word a "the host's entry" t (p mod 512) (S.henc a (z 3) (z p))
  end
let check_mode (a : S.state) g =
  let t = Z.to_int a.S.cfg.S.host_tables + 1 + (g / 512) in
  check_word a "the host's 2 MiB" t (g mod 512) (S.henc a (z 2) (z g))

let check_vm (a : S.state) v =
  let r = S.vm_at a (z v) in
  field 5 v r.S.root; field 6 v r.S.ram_base; field 7 v r.S.ram_pages; field 8 v r.S.cntvoff; field 9 v r.S.granules;
  field 12 v r.S.vm_state; field 13 v r.S.vcpu_count; field 14 v r.S.running; field 15 v r.S.created
let check_hash (a : S.state) v =
  let r = S.vm_at a (z v) in
  field 10 v (z (8 * List.length r.S.build_log));
  let (((((((h0, h1), h2), h3), h4), h5), h6), h7) = S.hash_of_vm r in
  List.iteri (fun i h -> field 11 ((8 * v) + i) h) [ h0; h1; h2; h3; h4; h5; h6; h7 ]
let check_vcpu (a : S.state) k =
  let r = Omap.at a.S.vcpus k in
  field 16 k r.S.context_page; field 17 k r.S.run_page; field 18 k r.S.vcpu_state; field 19 k r.S.vcpu_cpu;
  field 20 k r.S.pending; field 21 k r.S.syndrome
let check_cpu (a : S.state) c =
  let r = Omap.at a.S.cpus c in
  let words f n m = for i = 0 to n - 1 do field f ((c * n) + i) (Omap.at m i) done in
  words 23 31 r.S.cpu_x; words 24 31 r.S.host_x; words 25 28 r.S.host_sysreg; words 26 10 r.S.run_in;
  field 27 c r.S.start_entry; field 28 c r.S.start_argument; field 29 c r.S.cpu_vm; field 30 c r.S.cpu_vcpu;
  field 31 c r.S.started; field 32 c zero
let check_last (a : S.state) k = field 22 k (Omap.at a.S.lasts k)

let table_of (a : S.state) v l k =
  if l = 1 then Some (S.vm_at a (z v)).S.root
  else match S.slot_at a (z v) (z (l - 1)) (z (k / 512)) with S.ToTable p -> Some p | _ -> None
let check_slot (a : S.state) v l k =
  match table_of a v l k with
  | Some p when not (Z.equal p zero) -> check_word a "a VM's entry" (Z.to_int p) (k mod 512) (S.enc (S.slot_at a (z v) (z l) (z k)))
  | _ -> if S.slot_at a (z v) (z l) (z k) <> S.Empty then differ "VM %d, level %d: entry %x without a table" v l k
let check_saved (a : S.state) k w =
  let r = Omap.at a.S.vcpus k in
  if not (Z.equal r.S.vcpu_state zero) then
    check_word a "a context" (Z.to_int r.S.context_page) w (Omap.at (Omap.at a.S.saved k) w)

(* A word that the engine wrote to a page which is nobody's secret table must be 0: what else could it tell? *)
let check_dirty (a : S.state) (p, i) =
  let tables = Z.to_int a.S.cfg.S.host_tables in
  let want =
    match S.own a (z p) with
    | S.Table (v, l, k) -> S.enc (S.slot_at a v l (Z.add (Z.mul k (z 512)) (z i)))
    | S.Vcpu (v, u) -> S.saved_at a v u (z i)
    | S.Engine when p = tables -> S.henc a (z 1) (z i)
    | S.Engine when p <= tables + Z.to_int (S.gib_count a) -> S.henc a (z 2) (z (((p - tables - 1) * 512) + i))
    | S.Engine -> word p i                                (* a level 3 table: check_owner has its entries *)
    | _ -> zero
  in
  check_word a "what was written to" p i want

(* Beyond the state: a page that comes or goes is zeroed, but for one that PAGE_ADD takes or that was not hidden. *)
let check_zeroed (a : S.state) (b : S.state) adds p =
  let need =
    match (S.own a (z p), S.own b (z p)) with
    | S.Host, (S.Table _ | S.Vcpu _) | (S.Data _ | S.Table _ | S.Vcpu _), S.Host -> true
    | S.Host, S.Data _ -> not adds
    | _ -> false
  in
  if need && not (Hashtbl.mem zeroed p) then differ "page %x changes hands and is not zeroed" p

let check_changes (a : S.state) (b : S.state) adds =
  Omap.changes (fun p -> check_owner b p; check_zeroed a b adds p) a.S.owners b.S.owners;
  Omap.changes (check_mode b) a.S.modes b.S.modes;
  Omap.changes (check_vm b) a.S.vms b.S.vms;
  Omap.changes (check_vcpu b) a.S.vcpus b.S.vcpus;
  Omap.changes (check_cpu b) a.S.cpus b.S.cpus;
  Omap.changes (check_last b) a.S.lasts b.S.lasts;
  Omap.changes (fun k -> Omap.changes (check_saved b k) (Omap.at a.S.saved k) (Omap.at b.S.saved k)) a.S.saved b.S.saved;
  Omap.changes (fun v ->
      let s = Omap.at a.S.slots v and t = Omap.at b.S.slots v in
      Omap.changes (fun l -> Omap.changes (check_slot b v l) (Omap.at s l) (Omap.at t l)) s t) a.S.slots b.S.slots;
  List.iter (check_dirty b) !dirty;
  let cpu = Array.make cpus false in
  List.iter (fun (f, i) ->
      if f < 5 then check_owner b (!ram + i) else if f < 16 then (if f <> 11 then check_vm b i)
      else if f < 22 then check_vcpu b i else if f < 23 then check_last b i
      else cpu.(i * cpus / counts.(f)) <- true) !touched;
  Array.iteri (fun c any -> if any then check_cpu b c) cpu

(* What neither side changed was the same before. *)
let check_registers (a : S.state) (b : S.state) c =
  let register r = if r >= 0 && r < 128 then equal "registers" r regs.(c).(r) (Omap.at b.S.here r) in
  let vector i = if i >= 0 && i < 66 then equal "vectors" i vectors.(c).(i) (Omap.at b.S.fp_here i) in
  Omap.changes register a.S.here b.S.here;
  if a.S.fp_here != b.S.fp_here then for i = 0 to 65 do vector i done;
  List.iter (fun (f, i) -> if f then vector i else register i) !written

(* Everything: after boot and when an episode ends. *)
let check_all (a : S.state) =
  for p = !ram to !ram + !ram_pages - 1 do check_owner a p done;
  for g = 0 to (!ram + !ram_pages) / 512 do check_mode a g done;
  for v = 0 to 63 do check_vm a v; check_hash a v done;
  for k = 0 to 511 do check_vcpu a k; check_last a k done;
  for c = 0 to cpus - 1 do check_cpu a c done;
  for p = !ram to !ram + !ram_pages - 1 do
    match S.own a (z p) with
    | S.Table _ | S.Vcpu _ -> for i = 0 to 511 do check_dirty a (p, i) done
    | _ -> ()
  done

let replays = ref false                   (* there is no C side *)
let check_end () = if not !replays then Option.iter check_all !state

(** One exception, when all its lines are there. *)

let same_event a b =
  let eq = Z.equal in
  match (a, b) with
  | S.Word (p, w, v), S.Word (p', w', v') | S.Redistributor (p, w, v), S.Redistributor (p', w', v')
  | S.Firmware (p, w, v), S.Firmware (p', w', v') -> eq p p' && eq w w' && eq v v'
  | S.FirmwareCpuOn c, S.FirmwareCpuOn c' -> eq c c'
  | _ -> false
let show_event = function
  | S.Word (p, w, v) -> Printf.sprintf "word %s of page %s = %s" (Z.to_string w) (hex p) (hex v)
  | S.Redistributor (c, o, v) -> Printf.sprintf "redistributor %s %s = %s" (hex c) (hex o) (hex v)
  | S.Firmware (f, x, y) -> Printf.sprintf "firmware %s %s %s" (hex f) (hex x) (hex y)
  | S.FirmwareCpuOn c -> Printf.sprintf "firmware starts CPU %s" (hex c)
let rec check_events i said want =
  match (said, want) with
  | [], [] -> ()
  | a :: l, b :: l' when same_event a b -> check_events (i + 1) l l'
  | a :: _, b :: _ -> differ "event %d: the C: %s; the specification: %s" i (show_event a) (show_event b)
  | a :: _, [] -> differ "event %d: only the C: %s" i (show_event a)
  | [], b :: _ -> differ "event %d: only the specification: %s" i (show_event b)

let count what = Hashtbl.replace seen what (1 + try Hashtbl.find seen what with Not_found -> 0)

let x_before = Array.make 8 zero
(* What was done, for the summary: calls by status, traps of vCPUs and of the host by class. *)
let note (a : S.state) (b : S.state) c kind =
  let on s = Z.to_int (S.cpu_at s (z c)).S.cpu_vm in
  let f = Z.to_int (Z.logand x_before.(0) (Z.of_string "0xffffffff")) in
  let cls = Z.to_int (Z.logand (Z.shift_right (Omap.at a.S.here 37) 26) (z 63)) in
  let how = if kind <> 0 then Printf.sprintf "interrupt %d" kind else if List.mem cls [ 0x01; 0x16; 0x17; 0x18; 0x20; 0x24 ] then Printf.sprintf "class %02x" cls else "another class" in
  if on a <> 255 then count (Printf.sprintf "vcpu, %s, %s" how (if on b = 255 then "exit" else "resumes"))
  else if kind = 0 && cls = 0x16 && f >= 0xc6000000 && f < 0xc600000f then
    count (Printf.sprintf "call %08x %s" f (if on b <> 255 then "runs" else Z.to_string (Omap.at (S.cpu_at b (z c)).S.cpu_x 0)))
  else count ("host, " ^ how)

(* The same exception as the lines of a replay. *)
let emit = Array.length Sys.argv > 1 && Sys.argv.(1) = "--emit"
let emit_lines (a : S.state) (b : S.state) c kind told =
  let x i = Z.format "%x" (Omap.at (S.cpu_at b (z c)).S.cpu_x i) in
  let arg i = Z.format "%x" x_before.(i) in
  let on s = Z.to_int (S.cpu_at s (z c)).S.cpu_vm in
  let ran = on b <> 255 in
  if on a <> 255 then begin
    let word n = List.fold_left (fun v -> function S.Word (_, w, u) when Z.equal w (z n) -> u | _ -> v) zero told in
    if not ran then Printf.printf "v %x %s %s\n" c (Z.format "%x" (word 64)) (Z.format "%x" (word 67))
    else begin
      let v = on a in
      let last s = Omap.at (Omap.at s.S.slots v) 3 in
      Omap.changes (fun k -> Printf.printf "o %x %x\n" v (k lsl 12)) (last a) (last b)
    end
  end
  else if kind = 0 && Z.to_int (Z.logand (Z.shift_right (Omap.at a.S.here 37) 26) (z 63)) = 0x16 then begin
    let lr i = if Z.equal (Z.logand x_before.(0) (Z.of_string "0xffffffff")) S.nIE_VCPU_RUN
      then Z.format "%x" (Omap.at (S.cpu_at b (z c)).S.run_in (3 + i)) else arg i in
    Printf.printf "c %x %s %s %s %s %s %s %s %s %s %s\n" c (arg 0) (arg 1) (arg 2) (lr 3) (lr 4) (lr 5) (lr 6)
      (if ran then "0" else x 0) (x 1) (x 2)
  end

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
  let adds = Z.equal (Z.logand x_before.(0) (Z.of_string "0xffffffff")) S.nIE_PAGE_ADD in
  check_changes a b adds;
  check_registers a b c;
  note a b c kind;
  if emit then emit_lines a b c kind told;
  here.(c) <- b.S.here; fp.(c) <- b.S.fp_here;
  state := Some b

let manifest w i = if Z.sign i >= 0 && Z.lt i (z 32) then w.(Z.to_int i) else zero

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

(** A log of calls and results alone, from the engine as it boots. *)

let answers = List.map z [ 0xc6000000; 0xc6000001; 0xc6000005; 0xc6000007; 0xc600000a; 0xc600000d ]
let low32 v = Z.logand v (Z.of_string "0xffffffff")

(* CPU, x0..x6, status, x1, x2. Of VCPU_RUN x3..x6 are the list registers that the host wrote. *)
let replay_call w =
  incr exceptions;
  let c = w.(0) in
  let a = ref (the ()) in
  for i = 0 to 6 do a := S.set_x c (z i) w.(1 + i) !a done;
  let ins n = if n >= 6 && n < 10 then w.(n - 2) else zero in
  let a = { !a with S.here = Omap.set !a.S.here (z 37) (z (0x16 lsl 26)) } in
  let _, b = S.on_trap c zero ins (fun _ _ -> zero) a in
  let x i = Omap.get (S.cpu_at b c).S.cpu_x (z i) in
  let runs = not (Z.equal (S.cpu_at b c).S.cpu_vm (z 255)) in
  equal "status" 0 w.(8) (if runs then zero else x 0);
  if List.mem (low32 w.(1)) answers && Z.equal w.(8) zero then begin equal "x1" 1 w.(9) (x 1); equal "x2" 2 w.(10) (x 2) end;
  count (Printf.sprintf "call %s %s" (hex (low32 w.(1))) (Z.to_string w.(8)));
  state := Some b

(* CPU, reason, value: the vCPU that runs there leaves. *)
let replay_exit w =
  let c = w.(0) and reason = Z.to_int w.(1) in
  let a = the () in
  let r = S.cpu_at a c in
  let v = r.S.cpu_vm in
  if Z.equal v (z 255) then differ "a vCPU leaves CPU %s, which runs the host" (hex c);
  let a = if reason = 10 || reason = 11 then S.set_vm v { (S.vm_at a v) with S.vm_state = z 3 } a else a in
  let a = if reason = 8 then S.set_vcpu v w.(2) { (S.vcpu_at a v w.(2)) with S.vcpu_state = z 2 } a else a in
  let _, b = S.exit_vcpu c { S.exit_reason = w.(1); exit_ipa = zero; exit_width = zero; exit_value = w.(2) } a in
  state := Some b

(** Lines. *)

let begin_boot w =
  if emit then print_endline ("b " ^ String.concat " " (Array.to_list (Array.map (Z.format "%x") w)));
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
  | 'c' ->
      (match !what with
      | Boot w -> state := Some (snd (S.on_boot (manifest w))); what := Nothing; replays := true
      | _ -> ());
      if Array.length w <> 11 then differ "a line c has 11 numbers, not %d" (Array.length w);
      replay_call w
  | 'v' -> if Array.length w <> 3 then differ "a line v has 3 numbers, not %d" (Array.length w); replay_exit w
  | 'o' -> (* VM, IPA: the VM reopened it *)
      let x = Z.shift_right w.(1) 12 in
      if S.slot_at (the ()) w.(0) (z 3) x <> S.Spent then differ "an IPA that is not Spent is reopened";
      state := Some (S.set_slot w.(0) (z 3) x S.Empty (the ()))
  | 'q' -> check_end ();
      if not emit then Printf.printf "%d of %d edges of the core were taken\n" (n 0) (n 1)
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
  if emit then exit 0;
  if Array.length Sys.argv > 1 then
    List.iter (fun (k, n) -> Printf.printf "%-20s %d\n" k n) (List.sort compare (Hashtbl.fold (fun k n l -> (k, n) :: l) seen []));
  Printf.printf "%d exceptions: the core and the specification agree\n" !exceptions
