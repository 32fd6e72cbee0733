(* SPDX-License-Identifier: Apache-2.0 *)
(* Who a victim is, and what is released of it: from its architectural state and the kind of exit, without the
   engine. spec/Isolation.v builds on it. *)
From Coq Require Import ZArith List Bool String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import Step.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** 1. Who. A victim is an incarnation of a VM index: the [inc]-th VM that was created with it. The next user
    of the index, or of a page, belongs to the others. *)

Record who := Who { vm : Z; inc : nat }.
Definition vmid_of (w : who) : Z := vm w + 1.
Definition runs (s : machine) (c v : Z) : Prop := root_vmid (hw s) c = v.
Definition runs_b (s : machine) (c v : Z) : bool := root_vmid (hw s) c =? v.

Definition class (e : exception) : Z := Z.land (Z.shiftr (esr e) 26) 63.
Definition is_sync (e : exception) (k : Z) : bool := (kind e =? TRAP_SYNC) && (class e =? k).

(* What the host asked and got, as both stand in its registers: function (32 bits of x0, whatever the others are [DEN0028, 2.5]), arguments
   (64 bits, for the model's numbers have no width), status. *)
Definition host_call_of (s s' : machine) (l : label) : option (Z * (Z -> Z) * Z) :=
  match l with
  | Trap c e _ _ => if runs_b s c 0 && is_sync e EC_HVC64 && runs_b s' c 0
                    then Some (x s c 0 mod 2 ^ 32, fun i => x s c i mod 2 ^ 64, x s' c 0) else None
  | _ => None
  end.
Definition succeeded (f : Z) (w : who) (s s' : machine) (l : label) : bool :=
  match host_call_of s s' l with
  | Some (g, a, status) => (g =? f) && (a 1 =? vm w) && (status =? NIE_OK)
  | None => false
  end.

(* How often the index was created and destroyed along a trace. *)
Fixpoint count (P : program gvar) (f : Z) (w : who) (s : machine) (tr : list label) : nat :=
  match tr with
  | [] => O
  | l :: tr' => match next P s l with
                | Ok s' _ => (if succeeded f w s s' l then 1 else 0) + count P f w s' tr'
                | _ => O
                end
  end.
Definition live (P : program gvar) (s : machine) (tr : list label) (w : who) : bool :=
  Nat.eqb (count P NIE_VM_CREATE w s tr) (inc w) && Nat.ltb (count P NIE_VM_DESTROY w s tr) (inc w).

(** 2. What is released of a victim, from its architectural state at the exit and the kind of exit. Not from
    the engine: that the run record carries exactly this is something to prove. *)

Inductive exit :=
| Preempted (serror : bool)         (* an interrupt for the host, or an SError: nothing of the victim *)
| Waits              (* WFI, WFE, CPU_SUSPEND: that it waits; the host may then run others *)
| Reads (ipa width : Z)             (* a device that the host emulates: it must know which register *)
| Writes (ipa width value : Z)      (* likewise; the low [width] bytes of one register, no more *)
| Misses (ipa : Z)                  (* the page of its RAM that is not there yet; not the offset *)
| Calls (args : list Z)             (* NIE_VM_HOST_CALL: x0..x6, which it put there to be read *)
| Sends (value : Z)                 (* ICC_SGI1R_EL1: the host delivers interrupts between vCPUs *)
| TurnsOn (vcpu : Z)                (* PSCI CPU_ON: the host must schedule it *)
| TurnsOff                          (* PSCI CPU_OFF: it need not schedule this one *)
| Ends (reset : bool)               (* PSCI SYSTEM_OFF, SYSTEM_RESET *)
| Reopens (ipa : Z).                (* a Spent page of its IPA space may be given again. It goes on running *)

(* With every exit. The interrupt controller is emulated by the host, and the timer is armed by it. *)
Record always := Always {
  lrs : list Z;                     (* list registers: what became of the interrupts that the host gave it *)
  misr : Z; vmcr : Z; eoicount : Z; (* maintenance status; priority mask and group enables; EOI count *)
  timer_on : Z; deadline : Z;       (* CNTV_CTL; compare value, in the host's ticks *)
}.
Inductive release := Exit (x : exit) (a : always) | Stays.   (* Stays: the engine serves it alone; nothing is released *)

Section Victim.
Variables (s : machine) (c : Z) (e : exception).
Let r i := x s c i.
Let fn := Z.land (r 0) 0xffffffff.                       (* SMCCC: functions are 32 bits wide [DEN0028, 2.5] *)
Let arg i := if Z.testbit fn 30 then r i else Z.land (r i) 0xffffffff.
Let rt n := if n =? 31 then 0 else r n.
Let width := 2 ^ (Z.land (Z.shiftr (esr e) 22) 3).                        (* ISS.SAS *)
Let stores := Z.testbit (esr e) 6.                                        (* ISS.WnR *)
Let decodes := Z.testbit (esr e) 24 && negb (Z.testbit (esr e) 7) && negb (Z.testbit (esr e) 8).  (* ISV, S1PTW, CM *)
Let page := Z.land (Z.shiftr (hpfar e) 4) 0xfffffffffff.
Let ipa := page * 4096 + far e mod 4096.
Let translation := Z.land (esr e) 0x3c =? 4.

Definition always_of : always :=
  let sr := sysreg s c in
  Always [sr REG_ICH_LR0_EL2; sr (REG_ICH_LR0_EL2 + 1); sr (REG_ICH_LR0_EL2 + 2); sr (REG_ICH_LR0_EL2 + 3)]
    (sr REG_ICH_MISR_EL2) (Z.land (sr REG_ICH_VMCR_EL2) ICH_VMCR_SHOWN) (Z.land (Z.shiftr (sr REG_ICH_HCR_EL2) 27) 31)
    (sr REG_CNTV_CTL_EL0) ((sr REG_CNTV_CVAL_EL0 + sr REG_CNTVOFF_EL2) mod 2 ^ 64).

(* What the hardware's walk of the victim's tables finds at a page: memory only, all stores seen. *)
Fixpoint walk (n : nat) (l : Z) (d : Z) : Z :=
  match n with
  | O => d
  | S n' => if is_table l d
            then walk n' (l + 1) (Map.get (Machine.mem (hw s)) (Machine.frame d * 512 + (page / 512 ^ (2 - l)) mod 512)) else d
  end.
Definition found : Z := walk 3 0 (root_desc (hw s) c).

(* [ram]: the page lies in the window that VM_CREATE fixed. [on_ok]: CPU_ON is accepted (target OFF, entry in
   the window): both are known to the host that created the VM and its vCPUs. *)
Definition exit_of (ram : Z -> bool) (on_ok : bool) : option exit :=
  if negb (kind e =? TRAP_SYNC) then Some (Preempted (kind e =? TRAP_SERROR))
  else if class e =? EC_WFX then Some Waits
  else if (class e =? EC_HVC64) || (class e =? EC_SMC64) then
    if (fn =? PSCI_CPU_SUSPEND) || (fn =? PSCI_CPU_SUSPEND_32) then Some Waits
    else if fn =? PSCI_CPU_OFF then Some TurnsOff
    else if (fn =? PSCI_CPU_ON) || (fn =? PSCI_CPU_ON_32) then if on_ok then Some (TurnsOn (arg 1)) else None
    else if fn =? PSCI_SYSTEM_OFF then Some (Ends false)
    else if fn =? PSCI_SYSTEM_RESET then Some (Ends true)
    else if fn =? NIE_VM_HOST_CALL then Some (Calls (map r (numbers 7)))
    else if fn =? NIE_VM_PAGE_REOPEN then Some (Reopens (r 1))
    else None
  else if class e =? EC_SYSREG then
    if (Z.land (esr e) 0x3ffc1f =? ENC_SGI1R) then Some (Sends (rt (Z.land (Z.shiftr (esr e) 5) 31))) else None
  else if (class e =? EC_DATA_ABORT) || (class e =? EC_INSTRUCTION_ABORT) then
    if negb translation || negb (page <? 2 ^ 27) || Machine.valid found || (found =? DESC_SPENT) then None
    else if ram page then Some (Misses (page * 4096))
    else if (class e =? EC_DATA_ABORT) && decodes then
      Some (if stores then Writes ipa width (rt (Z.land (Z.shiftr (esr e) 16) 31) mod 2 ^ (8 * width)) else Reads ipa width)
    else None
  else None.

Definition released (ram : Z -> bool) (on_ok : bool) : release :=
  match exit_of ram on_ok with Some k => Exit k always_of | None => Stays end.
End Victim.
