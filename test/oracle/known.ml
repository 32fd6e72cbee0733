(* SPDX-License-Identifier: Apache-2.0 *)
(* What is known: the C's side as its log tells it, the specification's state, and the exception whose lines come. *)
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
let x_before = Array.make 8 zero          (* of the CPU, before *)
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

let in_ram p = p >= !ram && p < !ram + !ram_pages
let low32 v = Z.logand v (Z.of_string "0xffffffff")
let count what = Hashtbl.replace seen what (1 + try Hashtbl.find seen what with Not_found -> 0)
let class_of (a : S.state) = Z.to_int (Z.logand (Z.shift_right (Omap.at a.S.here 37) 26) (z 63))
let vm_on (a : S.state) c = Z.to_int (S.cpu_at a (z c)).S.cpu_vm
let host = 255
let manifest w i = if Z.sign i >= 0 && Z.lt i (z 32) then w.(Z.to_int i) else zero
