(* SPDX-License-Identifier: Apache-2.0 *)
(* The whole machine, step by step: everybody's software, and a program of the engine. The program is a
   parameter: a text of model/C.v; what the engine does at an exception is what that text means, and
   nothing else. All that is not determined is in the labels, so that a run is a function of them.

   NOT here yet: boot. A run starts in a state that its theorem names. CPUs start by [Start]. *)
From Coq Require Import ZArith List Bool String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.   (* which primitive of the machine has which name in the C *)
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** Every state that is met while the engine runs, with what another CPU did in it, newest last. *)

Definition log := list (Machine.hw * option act).
Fixpoint acting (l : list act) (h : Machine.hw) : log :=
  match l with [] => [(h, None)] | a :: l' => (h, Some a) :: acting l' (met (act_step a h)) end.
(* [others h] is the last state of this. *)
Definition way (h : Machine.hw) : log :=
  match during h with [] => acting [] (met h) | l :: rest => acting l (met (h <| during := rest |>)) end.

(* A primitive is what model/Machine.v says; the log only watches. *)
Definition watched {A} (m : M Machine.hw A) : M (Machine.hw * log) A := fun s =>
  match m (fst s) with Some (a, h) => Some (a, (h, snd s ++ way (fst s))) | None => None end.

#[global] Instance watching : prims (Machine.hw * log) := {|
  hw_page_read p i := watched (hw_page_read p i);
  hw_page_write p i v := watched (hw_page_write p i v);
  hw_page_zero p := watched (hw_page_zero p);
  hw_page_clean p := watched (hw_page_clean p);
  hw_host_read p i := watched (hw_host_read p i);
  hw_host_write p i v := watched (hw_host_write p i v);
  hw_manifest_read i := watched (hw_manifest_read i);
  hw_counter_read := watched hw_counter_read;
  hw_gicr_read c o w := watched (hw_gicr_read c o w);
  hw_gicr_write c o v := watched (hw_gicr_write c o v);
  hw_engine_lock := watched hw_engine_lock;
  hw_engine_unlock := watched hw_engine_unlock;
  hw_dsb_ish := watched hw_dsb_ish;
  hw_isb := watched hw_isb;
  hw_tlbi_vmid v := watched (hw_tlbi_vmid v);
  hw_tlbi_vmid_local v := watched (hw_tlbi_vmid_local v);
  hw_ic_invalidate := watched hw_ic_invalidate;
  hw_sysreg_read r := watched (hw_sysreg_read r);
  hw_sysreg_write r v := watched (hw_sysreg_write r v);
  hw_fp_save p i := watched (hw_fp_save p i);
  hw_fp_load p i := watched (hw_fp_load p i);
  hw_fp_zero := watched hw_fp_zero;
  hw_firmware_call f a b c := watched (hw_firmware_call f a b c);
  hw_firmware_cpu_on c := watched (hw_firmware_cpu_on c);
|}.

(* What a function of the program does, by its name. *)
Definition call (P : program gvar) (f : string) (args : list Z) :=
  den (S := mach globals (Machine.hw * log)) load store prim P f args.

(** The machine between two steps. *)

Record machine := Machine {
  glob : globals;                   (* the engine's own objects *)
  hw : Machine.hw;
  gpr : Map.t Z;                    (* x0..x30: CPU * 32 + number *)
  off : Map.t bool;                 (* CPUs that have not started, or turned themselves off *)
}.
#[export] Instance eta_machine : Settable _ := settable! Machine <glob; hw; gpr; off>.

Definition x (s : machine) (c r : Z) : Z := Map.get (gpr s) (c * 32 + r).
Definition sysreg (s : machine) (c r : Z) : Z := Map.get (reg (hw s)) (c * 128 + r).

(* What the hardware writes when it takes an exception to EL2 [ArmARM, D1.3.1]. *)
Record exception := Exception { kind : Z; elr : Z; spsr : Z; esr : Z; far : Z; hpfar : Z }.
Definition is64 (v : Z) : bool := (0 <=? v) && (v <? 2 ^ 64).
Definition possible (e : exception) : bool :=
  (0 <=? kind e) && (kind e <=? TRAP_SERROR) && forallb is64 [elr e; spsr e; esr e; far e; hpfar e].

(* What software at EL1 and EL0 does. A general register or a vector register is written; a word is
   loaded through TLB entry [n] into one; or an act of model/Machine.v: walks, stores, registers. *)
Inductive step :=
| Hardware (a : act)
| Gpr (c r v : Z)
| Fp (c r v : Z)
| LoadWord (n : nat) (o i r : Z).

(* [Trap], [Start]: the engine runs on CPU [c], to completion. [inputs]: what host memory, devices, counters
   and firmware answer, in the order in which they are asked. [during]: what others do before the k-th primitive. *)
Inductive label :=
| Do (a : step)
| Trap (c : Z) (e : exception) (inputs : nat -> Z) (during : list (list act))
| Start (c : Z) (inputs : nat -> Z) (during : list (list act)).

Inductive outcome := Ok (s : machine) (l : log) | Crash | Disabled.

Definition is_cpu (c : Z) : bool := (0 <=? c) && (c <? NIE_MAX_CPUS).

Definition do_step (a : step) (s : machine) : machine :=
  match a with
  | Hardware a => s <| hw ::= fun h => met (act_step a h) |>
  | Gpr c r v =>
      if is_cpu c && (0 <=? r) && (r <? 31) && is64 v then s <| gpr ::= fun m => Map.set m (c * 32 + r) v |> else s
  | Fp c r v =>
      if is_cpu c && (0 <=? r) && (r <? 66) && is64 v
      then s <| hw ::= fun h => h <| fp ::= fun m => Map.set m (c * 128 + r) v |> |> else s
  | LoadWord n o i r =>
      match nth_error (tlb (hw s)) n with
      | Some e => if is_leaf (Machine.level e) (Machine.desc e) && is_word i && (0 <=? o) && (o <? covers (Machine.level e))
                     && (root_vmid (hw s) (Machine.cpu e) =? Machine.vmid e) && (0 <=? r) && (r <? 31)
                  then s <| gpr ::= fun m => Map.set m (Machine.cpu e * 32 + r)
                            (Map.get (Machine.mem (hw s)) ((first_page (Machine.level e) (Machine.desc e) + o) * 512 + i)) |>
                  else s
      | None => s
      end
  end.

Definition numbers (n : nat) : list Z := map Z.of_nat (seq 0 n).
(* The vectors: all of x0..x30 into cpus[c].x, 64 bits of each (the model's numbers have no width), and back. *)
Definition vectors_save (c : Z) (s : machine) (g : globals) : globals :=
  fold_left (fun g r => set_field cpus_x (Map.set (field cpus_x g) (c * 31 + r) (x s c r mod 2 ^ 64)) g) (numbers 31) g.
Definition vectors_load (c : Z) (g : globals) (m : Map.t Z) : Map.t Z :=
  fold_left (fun m r => Map.set m (c * 32 + r) (Map.get (field cpus_x g) (c * 31 + r))) (numbers 31) m.

Definition take (c : Z) (e : exception) (h : Machine.hw) : Machine.hw :=
  let put r v m := Map.set m (c * 128 + r) v in
  h <| reg ::= fun m => put REG_HPFAR_EL2 (hpfar e) (put REG_FAR_EL2 (far e) (put REG_ESR_EL2 (esr e)
                 (put REG_SPSR_EL2 (spsr e) (put REG_ELR_EL2 (elr e) m)))) |>.

Definition nobody : Z := -1.
Definition enter (c : Z) (ins : nat -> Z) (acts : list (list act)) (h : Machine.hw) : Machine.hw :=
  h <| me := c |> <| inputs := ins |> <| taken := O |> <| during := acts |>.

(* One call of the program's; afterwards the CPU's registers are those that the engine left for it. *)
Definition engine (P : program gvar) (f : string) (args : list Z) (c : Z) (s : machine) (h : Machine.hw) : outcome :=
  match call P f args (Mach (vectors_save c s (glob s)) (h, [])) with
  | Some (rs, m) =>
      let '(h', l) := C_store.hw m in
      let g := C_store.glob m in
      Ok (s <| glob := g |> <| hw := h' <| me := nobody |> <| during := [] |> |>
            <| gpr ::= vectors_load c g |>
            <| off ::= fun o => Map.set o c (match rs with [r] => r =? TRAP_CPU_OFF | _ => false end) |>) l
  | None => Crash
  end.

Definition next (P : program gvar) (s : machine) (l : label) : outcome :=
  match l with
  | Do a => let s' := do_step a s in Ok s' [(hw s', None)]
  | Trap c e i d => if is_cpu c && negb (Map.get (off s) c) && possible e
                    then engine P "trap" [c; kind e] c s (take c e (enter c i d (hw s))) else Disabled
  | Start c i d => if is_cpu c && Map.get (off s) c then engine P "cpu_start" [c] c s (enter c i d (hw s)) else Disabled
  end.

Fixpoint run (P : program gvar) (s : machine) (tr : list label) : outcome :=
  match tr with
  | [] => Ok s []
  | l :: tr' => match next P s l with
                | Ok s' g => match run P s' tr' with Ok s2 g' => Ok s2 (g ++ g') | o => o end
                | o => o
                end
  end.

(* All hardware states that the run meets, in mid-handler too: those of every handler that began. *)
Definition states (P : program gvar) (s : machine) (tr : list label) (h : Machine.hw) : Prop :=
  h = hw s \/ exists n s' g, run P s (firstn n tr) = Ok s' g /\ (h = hw s' \/ exists a, In (h, a) g).
