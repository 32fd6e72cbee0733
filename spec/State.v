(* SPDX-License-Identifier: Apache-2.0 *)
(* What the engine's state means: who owns each page of RAM, what each IPA of each VM holds, and the VMs'
   records. spec/README.md teaches the notation. Numbers of pages, not addresses. *)
From Coq Require Import ZArith Bool List.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import Sha256 Measure.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

(* Who owns a page of RAM, and as what. *)
Inductive owner :=
| Host
| Engine
| Table (vm level key : Z)      (* the stage-2 table at [level] that covers entries key*512 .. key*512+511 *)
| Vcpu (vm vcpu : Z)
| Data (vm ipa : Z)
| Shared (vm ipa : Z)
| Run (vm vcpu : Z).

(* What an entry of a VM's stage 2 says. Entry [key] of [level] covers IPA pages from key * 512^(3-level). *)
Inductive slot :=
| Empty
| Spent                         (* a page was here and was taken: faults until the VM reopens it *)
| ToTable (p : Z)
| ToBlock (p : Z)               (* 512 pages from p *)
| ToPage (p : Z)
| ToShared (p : Z).

(* A 2 MiB of the host's own stage 2. *)
Inductive mode := Unmapped | Split | Block.

Record vm := Vm {
  vm_state : Z;                 (* enum nie_vm_state *)
  root : Z;                     (* its level 1 table *)
  ram_base : Z;                 (* RAM window *)
  ram_pages : Z;
  cntvoff : Z;                  (* CNTVOFF_EL2 while a vCPU of it runs *)
  granules : Z;                 (* pages that name it, modulo 2^64 *)
  vcpu_count : Z;               (* how many it was created with *)
  running : Z;                  (* how many are RUNNING *)
  created : Z;                  (* how many have a context *)
  build_log : list Z;           (* what was measured: spec/Measure.v *)
  sealed : bool;                (* it was activated: the log is complete *)
}.
#[export] Instance eta_vm : Settable _ :=
  settable! Vm <vm_state; root; ram_base; ram_pages; cntvoff; granules; vcpu_count; running; created; build_log; sealed>.
Definition no_vm : vm := Vm NIE_VM_FREE 0 0 0 0 0 0 0 0 [] false.

Record vcpu := Vcpu_record {
  vcpu_state : Z;               (* enum vcpu_state *)
  context_page : Z;             (* where its registers are while it does not run *)
  run_page : Z;                 (* its run record *)
  vcpu_cpu : Z;                 (* where it is RUNNING, or was *)
  pending : Z;                  (* enum pending: what its last exit asks the host for *)
  syndrome : Z;                 (* ISS of a pending MMIO access *)
}.
#[export] Instance eta_vcpu : Settable _ :=
  settable! Vcpu_record <vcpu_state; context_page; run_page; vcpu_cpu; pending; syndrome>.
Definition no_vcpu : vcpu := Vcpu_record VCPU_NONE 0 0 0 PENDING_NONE 0.

(* What the engine keeps of a physical CPU. *)
Record processor := Processor {
  cpu_x : Map.t Z;              (* x0..x30 of the context that is, or will be, on it *)
  host_x : Map.t Z;             (* the host's while a vCPU runs there *)
  host_sysreg : Map.t Z;        (* likewise: the switched system registers, by enum sysreg *)
  run_in : Map.t Z;             (* the host's part of the run record, as it was read *)
  start_entry : Z;              (* where the host wants it to start, and x0 there *)
  start_argument : Z;
  cpu_vm : Z;                   (* CPU_HOST, or the VM that runs there *)
  cpu_vcpu : Z;
  started : Z;                  (* 1: CPU_ON was accepted *)
}.
#[export] Instance eta_processor : Settable _ :=
  settable! Processor <cpu_x; host_x; host_sysreg; run_in; start_entry; start_argument; cpu_vm; cpu_vcpu; started>.

(* The machine, from the manifest. *)
Record config := Config {
  ram_first : Z; ram_count : Z;
  engine_first : Z; engine_count : Z;
  host_tables : Z;              (* root, a level 2 table for each GiB, then level 3 tables *)
  dev_first : Z; dev_count : Z; (* the span of the host's devices *)
  device : Z -> bool;           (* the host may access this page of registers *)
  gicr_first : Z;               (* redistributors: 32 pages a CPU *)
  cpu_count : Z;
}.

Record state := State {
  cfg : config;
  owners : Map.t owner;                        (* by page *)
  slots : Map.t (Map.t (Map.t slot));          (* by VM, level, key *)
  modes : Map.t mode;                          (* by page / 512 *)
  vms : Map.t vm;
  vcpus : Map.t vcpu;                          (* by VM * 8 + index *)
  saved : Map.t (Map.t Z);                     (* likewise: the words of the context page *)
  cpus : Map.t processor;
  lasts : Map.t Z;                             (* by VM * 8 + CPU: 1 + the vCPU of the VM that was last there, or 0 *)
  here : Map.t Z;                              (* the system registers of the CPU that runs the engine, by enum sysreg *)
  fp_here : Map.t Z;                           (* V0-V31, two words each, FPCR, FPSR *)
}.
#[export] Instance eta_state : Settable _ :=
  settable! State <cfg; owners; slots; modes; vms; vcpus; saved; cpus; lasts; here; fp_here>.

Definition own (a : state) (p : Z) : owner := Map.get (owners a) p.
Definition slot_at (a : state) (v l k : Z) : slot := Map.get (Map.get (Map.get (slots a) v) l) k.
Definition vm_at (a : state) (v : Z) : vm := Map.get (vms a) v.
Definition vcpu_at (a : state) (v i : Z) : vcpu := Map.get (vcpus a) (v * NIE_MAX_VCPUS + i).
Definition saved_at (a : state) (v i w : Z) : Z := Map.get (Map.get (saved a) (v * NIE_MAX_VCPUS + i)) w.
Definition cpu_at (a : state) (c : Z) : processor := Map.get (cpus a) c.
Definition last_at (a : state) (v c : Z) : Z := Map.get (lasts a) (v * NIE_MAX_CPUS + c).

Definition set_own (p : Z) (o : owner) (a : state) : state := a <| owners ::= fun m => Map.set m p o |>.
Definition set_slot (v l k : Z) (e : slot) (a : state) : state :=
  let m := Map.get (slots a) v in a <| slots := Map.set (slots a) v (Map.set m l (Map.set (Map.get m l) k e)) |>.
Definition set_mode (g : Z) (m : mode) (a : state) : state := a <| modes ::= fun ms => Map.set ms g m |>.
Definition set_vm (v : Z) (r : vm) (a : state) : state := a <| vms ::= fun m => Map.set m v r |>.
Definition set_vcpu (v i : Z) (r : vcpu) (a : state) : state := a <| vcpus ::= fun m => Map.set m (v * NIE_MAX_VCPUS + i) r |>.
Definition set_saved (v i : Z) (words : Map.t Z) (a : state) : state :=
  a <| saved ::= fun m => Map.set m (v * NIE_MAX_VCPUS + i) words |>.
Definition set_cpu (c : Z) (r : processor) (a : state) : state := a <| cpus ::= fun m => Map.set m c r |>.
Definition set_last (v c n : Z) (a : state) : state := a <| lasts ::= fun m => Map.set m (v * NIE_MAX_CPUS + c) n |>.
Definition set_here (r n : Z) (a : state) : state := a <| here ::= fun m => Map.set m r n |>.
Definition add_granules (v n : Z) (a : state) : state :=
  set_vm v (vm_at a v <| granules ::= fun g => (g + n) mod 2 ^ 64 |>) a.

(* The hash that the host may ask for. Of a VM that is being built: of the log so far, which is whole blocks. *)
Definition hash_so_far (log : list Z) : words8 := blocks_hash (length log / 8) H0 (words_of (bytes_of log)).
Definition hash_of_vm (r : vm) : words8 :=
  if vm_state r =? NIE_VM_FREE then (0, 0, 0, 0, 0, 0, 0, 0)
  else if sealed r then measurement (build_log r) else hash_so_far (build_log r).

(* f 0, f 1, ..., f (n - 1), in this order. *)
Fixpoint each_nat (n : nat) (f : Z -> state -> state) (a : state) : state :=
  match n with O => a | S n' => f (Z.of_nat n') (each_nat n' f a) end.
Definition each (n : Z) : (Z -> state -> state) -> state -> state := each_nat (Z.to_nat n).

Definition in_ram (a : state) (p : Z) : bool :=
  (ram_first (cfg a) <=? p) && (p <? ram_first (cfg a) + ram_count (cfg a)).

(* The host's stage 2 maps page p, at p. *)
Definition host_may_access (a : state) (p : Z) : bool :=
  if in_ram a p then match own a p with Host | Shared _ _ | Run _ _ => true | _ => false end
  else device (cfg a) p.

(* Checks come one after the other; the first that fails is the answer. *)
Notation "'require' c 'else' e ; k" := (if c then k else e) (at level 200, c at level 100, e at level 100, k at level 200, only parsing).

Definition page_of (address : Z) : Z := address / 4096.
Definition address_of (page : Z) : Z := page * 4096.
Definition aligned (address : Z) : bool := address mod 4096 =? 0.
Definition vm_exists (v : Z) : bool := v <? NIE_MAX_VMS.
Definition vm_is (a : state) (v s s' : Z) : bool := (vm_state (vm_at a v) =? s) || (vm_state (vm_at a v) =? s').
(* 1..512 pages that do not leave the 2 MiB of the first. *)
Definition range_ok (first count : Z) : bool := (1 <=? count) && (first mod 512 + count <=? 512).
Definition in_ipa_space (ipa : Z) : bool := ipa <? 2 ^ NIE_IPA_BITS.
Definition page_at (a : state) (v x : Z) : option Z :=
  match slot_at a v 3 x with ToPage p | ToShared p => Some p | _ => None end.
