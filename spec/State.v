(* SPDX-License-Identifier: Apache-2.0 *)
(* What the engine's state means: who owns each page of RAM, what each IPA of each VM holds, and the VMs'
   records. spec/README.md teaches the notation. Numbers of pages, not addresses. *)
From Coq Require Import ZArith Bool.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
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
  granules : Z;                 (* pages that name it, modulo 2^64 *)
}.

(* The machine, from the manifest. *)
Record config := Config {
  ram_first : Z; ram_count : Z;
  engine_first : Z; engine_count : Z;
  host_tables : Z;              (* root, a level 2 table for each GiB, then level 3 tables *)
  dev_first : Z; dev_count : Z; (* the span of the host's devices *)
  device : Z -> bool;           (* the host may access this page of registers *)
}.

Record state := State {
  cfg : config;
  owners : Map.t owner;                        (* by page *)
  slots : Map.t (Map.t (Map.t slot));          (* by VM, level, key *)
  modes : Map.t mode;                          (* by page / 512 *)
  vms : Map.t vm;
}.

Definition own (a : state) (p : Z) : owner := Map.get (owners a) p.
Definition slot_at (a : state) (v l k : Z) : slot := Map.get (Map.get (Map.get (slots a) v) l) k.
Definition vm_at (a : state) (v : Z) : vm := Map.get (vms a) v.

Definition set_own (p : Z) (o : owner) (a : state) : state :=
  State (cfg a) (Map.set (owners a) p o) (slots a) (modes a) (vms a).
Definition set_slot (v l k : Z) (e : slot) (a : state) : state :=
  let m := Map.get (slots a) v in
  State (cfg a) (owners a) (Map.set (slots a) v (Map.set m l (Map.set (Map.get m l) k e))) (modes a) (vms a).
Definition set_mode (g : Z) (m : mode) (a : state) : state :=
  State (cfg a) (owners a) (slots a) (Map.set (modes a) g m) (vms a).
Definition set_vm (v : Z) (r : vm) (a : state) : state :=
  State (cfg a) (owners a) (slots a) (modes a) (Map.set (vms a) v r).
Definition add_granules (v n : Z) (a : state) : state :=
  let r := vm_at a v in
  set_vm v (Vm (vm_state r) (root r) (ram_base r) (ram_pages r) ((granules r + n) mod 2 ^ 64)) a.

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
