(* SPDX-License-Identifier: Apache-2.0 *)
(* Logs of calls and results alone, from the engine as it boots: read, and made of a whole log. *)
open Known

let replays = ref false                   (* there is no C side *)
let emit = Array.length Sys.argv > 1 && Sys.argv.(1) = "--emit"
(* The same exception as the lines of a replay. *)
let emit_lines (a : S.state) (b : S.state) c kind told =
  let x i = Z.format "%x" (Omap.at (S.cpu_at b (z c)).S.cpu_x i) in
  let arg i = Z.format "%x" x_before.(i) in
  let ran = vm_on b c <> host in
  if vm_on a c <> host then begin
    let word n = List.fold_left (fun v -> function S.Word (_, w, u) when Z.equal w (z n) -> u | _ -> v) zero told in
    if not ran then Printf.printf "v %x %s %s\n" c (Z.format "%x" (word 64)) (Z.format "%x" (word 67))
    else begin
      let v = vm_on a c in
      let last s = Omap.at (Omap.at s.S.slots v) 3 in
      Omap.changes (fun k -> Printf.printf "o %x %x\n" v (k lsl 12)) (last a) (last b)
    end
  end
  else if kind = 0 && class_of a = 0x16 then begin
    let lr i = if Z.equal (low32 x_before.(0)) S.nIE_VCPU_RUN
      then Z.format "%x" (Omap.at (S.cpu_at b (z c)).S.run_in (3 + i)) else arg i in
    Printf.printf "c %x %s %s %s %s %s %s %s %s %s %s\n" c (arg 0) (arg 1) (arg 2) (lr 3) (lr 4) (lr 5) (lr 6)
      (if ran then "0" else x 0) (x 1) (x 2)
  end

let answers = List.map z [ 0xc6000000; 0xc6000001; 0xc6000005; 0xc6000007; 0xc600000a; 0xc600000d ]

(* CPU, x0..x6, status, x1, x2. Of VCPU_RUN x3..x6 are the list registers that the host wrote. *)
let replay_call w =
  (match !what with
  | Boot w -> state := Some (snd (S.on_boot (manifest w))); what := Nothing; replays := true
  | _ -> ());
  if Array.length w <> 11 then differ "a line c has 11 numbers, not %d" (Array.length w);
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
  if Array.length w <> 3 then differ "a line v has 3 numbers, not %d" (Array.length w);
  let c = w.(0) and reason = Z.to_int w.(1) in
  let a = the () in
  let r = S.cpu_at a c in
  let v = r.S.cpu_vm in
  if Z.equal v (z 255) then differ "a vCPU leaves CPU %s, which runs the host" (hex c);
  let a = if reason = 10 || reason = 11 then S.set_vm v { (S.vm_at a v) with S.vm_state = z 3 } a else a in
  let a = if reason = 8 then S.set_vcpu v w.(2) { (S.vcpu_at a v w.(2)) with S.vcpu_state = z 2 } a else a in
  let _, b = S.exit_vcpu c { S.exit_reason = w.(1); exit_ipa = zero; exit_width = zero; exit_value = w.(2) } a in
  state := Some b

(* VM, IPA: the VM reopened it. *)
let replay_reopen w =
  let x = Z.shift_right w.(1) 12 in
  if S.slot_at (the ()) w.(0) (z 3) x <> S.Spent then differ "an IPA that is not Spent is reopened";
  state := Some (S.set_slot w.(0) (z 3) x S.Empty (the ()))
