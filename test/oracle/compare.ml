(* SPDX-License-Identifier: Apache-2.0 *)
(* What must be the same on both sides, after an exception: all that either of them changed. *)
open Known

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

(* The 2 MiB whose entries the level 3 table at page p has. *)
let group_of_level3 (a : S.state) p =
  let c = a.S.cfg in
  let n = p - Z.to_int c.S.host_tables - 1 - Z.to_int (S.gib_count a) in
  let devices = Z.to_int c.S.dev_count / 512 in
  if n < 0 || n >= devices + (Z.to_int c.S.ram_count / 512) then differ "page %x of the engine's own is written" p
  else if n < devices then (Z.to_int c.S.dev_first / 512) + n
  else (Z.to_int c.S.ram_first / 512) + n - devices

(* A word that the engine wrote to a page which is nobody's secret table must be 0: what else could it tell? *)
let check_dirty (a : S.state) (p, i) =
  let tables = Z.to_int a.S.cfg.S.host_tables in
  let want =
    match S.own a (z p) with
    | S.Table (v, l, k) -> S.enc (S.slot_at a v l (Z.add (Z.mul k (z 512)) (z i)))
    | S.Vcpu (v, u) -> S.saved_at a v u (z i)
    | S.Engine when p = tables -> S.henc a (z 1) (z i)
    | S.Engine when p <= tables + Z.to_int (S.gib_count a) -> S.henc a (z 2) (z (((p - tables - 1) * 512) + i))
    | S.Engine -> S.henc a (z 3) (z ((group_of_level3 a p * 512) + i))
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
