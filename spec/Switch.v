(* SPDX-License-Identifier: Apache-2.0 *)
(* The world switch: what a vCPU brings to a CPU and leaves there, and what its exit tells the host.
   engine/core/state/world.c *)
From Coq Require Import ZArith Bool List.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

(* Words f 0, ..., f (n - 1) at place [to] on. *)
Fixpoint fill_nat (n : nat) (to : Z) (f : Z -> Z) (m : Map.t Z) : Map.t Z :=
  match n with O => m | S n' => Map.set (fill_nat n' to f m) (to + Z.of_nat n') (f (Z.of_nat n')) end.
Definition fill (n to : Z) (f : Z -> Z) (m : Map.t Z) : Map.t Z := fill_nat (Z.to_nat n) to f m.
Definition load_regs (n to : Z) (f : Z -> Z) (a : state) : state := a <| here ::= fill n to f |>.

(** Constants of EL2: of both worlds, once a CPU; of the host; of a vCPU. *)

Definition controls_both (a : state) : state :=
  set_regs [(REG_MDCR_EL2, Z.lor MDCR_BOTH (Z.land (reg_of a REG_MDCR_EL2) MDCR_HPMN)); (REG_CPTR_EL2, CPTR_BOTH);
            (REG_HSTR_EL2, 0); (REG_VTCR_EL2, VTCR_BOTH); (REG_ICC_SRE_EL2, ICC_SRE_BOTH);
            (REG_VPIDR_EL2, reg_of a REG_MIDR_EL1)] a.
Definition controls_host (a : state) : state :=
  set_regs [(REG_HCR_EL2, HCR_HOST); (REG_VTTBR_EL2, address_of (host_tables (cfg a))); (REG_VMPIDR_EL2, reg_of a REG_MPIDR_EL1);
            (REG_CNTVOFF_EL2, 0); (REG_CNTHCTL_EL2, CNTHCTL_HOST); (REG_ICH_HCR_EL2, 0)] a.
Definition controls_vcpu (v i : Z) (a : state) : state :=
  set_regs [(REG_HCR_EL2, HCR_GUEST); (REG_VTTBR_EL2, (v + 1) * 2 ^ 48 + address_of (root (vm_at a v))); (REG_VMPIDR_EL2, 2 ^ 31 + i);
            (REG_CNTVOFF_EL2, cntvoff (vm_at a v)); (REG_CNTHCTL_EL2, CNTHCTL_GUEST)] a.

(** Entry: vCPU [i] of VM [v] comes to CPU [c], which runs the host. *)

Definition save_host (c : Z) (a : state) : state :=
  let r := cpu_at a c in
  set_cpu c (r <| host_x := cpu_x r |> <| host_sysreg := here a |>) a.
Definition load_vcpu (c v i : Z) (a : state) : state :=
  let word := saved_at a v i in
  let a := set_cpu c (cpu_at a c <| cpu_x := fill 31 0 (fun n => word (CTX_X0 + n)) (Map.const 0) |>) a in
  let a := load_regs REG_SWITCHED 0 (fun r => word (CTX_SYSREG + r)) a in
  let a := load_regs CTX_ICH_COUNT REG_ICH_VMCR_EL2 (fun r => word (CTX_ICH + r)) a in
  let a := set_here REG_VDISR_EL2 (word CTX_VDISR) a in
  a <| fp_here := fill 66 0 (fun n => word (CTX_FP + n)) (Map.const 0) |>.

(* What the host's part of the run record says on CPU [c]. *)
Definition said (a : state) (c w : Z) : Z := Map.get (run_in (cpu_at a c)) w.

(* What the last exit asked for: an MMIO access that is not answered runs again and asks again. *)
Definition take_answer (c v i : Z) (a : state) : state :=
  let p := pending (vcpu_at a v i) in
  let s := syndrome (vcpu_at a v i) in
  let a := set_vcpu v i (vcpu_at a v i <| pending := PENDING_NONE |> <| syndrome := 0 |>) a in
  if p =? PENDING_CALL then answer c [said a c RUN_IN_X0; said a c (RUN_IN_X0 + 1); said a c (RUN_IN_X0 + 2); said a c (RUN_IN_X0 + 3)] a
  else if (p =? PENDING_NONE) || negb (has (said a c RUN_IN_FLAGS) NIE_IN_ANSWER) then a
  else let a := if p =? PENDING_READ then set_gpr c (mmio_register s) (mmio_extend (said a c RUN_IN_X0) s) a else a in
       skip_instruction a.

(* Another vCPU of the VM that was on this CPU before leaves no TLB entries to this one. *)
Definition enter_vcpu (c v i : Z) (a : state) : state :=
  let a := set_vcpu v i (vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |>) a in
  let a := set_vm v (vm_at a v <| running ::= fun n => n + 1 |>) a in
  let a := set_cpu c (cpu_at a c <| cpu_vm := v |> <| cpu_vcpu := i |>) a in
  let a := load_vcpu c v i (save_host c a) in
  let a := load_regs NIE_LRS REG_ICH_LR0_EL2 (fun n => said a c (RUN_IN_LR0 + n)) a in
  let a := set_here REG_ICH_HCR_EL2 (Z.lor ICH_HCR_EN (Z.land (said a c RUN_IN_ICH_HCR) ICH_HCR_ENABLES)) a in
  let a := controls_vcpu v i a in
  take_answer c v i (set_last v c (i + 1) a).

(** Exit: the vCPU on CPU [c] leaves it to the host. *)

(* What an exit tells beside the words that every exit has. *)
Record exit := Exit { exit_reason : Z; exit_ipa : Z; exit_width : Z; exit_value : Z }.

(* What goes out of the engine: words of a page that the host reads, and requests to a redistributor or the firmware. *)
Inductive event :=
| Word (page w value : Z)
| Redistributor (cpu offset value : Z)
| Firmware (function x1 x2 : Z)
| FirmwareCpuOn (cpu : Z).

(* The words 64..83 of the run record: all of them, at every exit. Also registers of the VM only as far as the exit
   needs them: spec/Released.v. *)
Definition exit_words (a : state) (c : Z) (e : exit) : list (Z * Z) :=
  let v := cpu_vm (cpu_at a c) in
  let x n := if exit_reason e =? NIE_EXIT_HOST_CALL then x_of a c n else 0 in
  map (fun n => (RUN_OUT_LR0 + n, reg_of a (REG_ICH_LR0_EL2 + n))) [0; 1; 2; 3] ++
  [(RUN_OUT_MISR, reg_of a REG_ICH_MISR_EL2); (RUN_OUT_VMCR, Z.land (reg_of a REG_ICH_VMCR_EL2) ICH_VMCR_SHOWN);
   (RUN_OUT_EOICOUNT, field (reg_of a REG_ICH_HCR_EL2) 27 5); (RUN_OUT_CNTV_CTL, reg_of a REG_CNTV_CTL_EL0);
   (RUN_OUT_CNTV_CVAL, wrap64 (reg_of a REG_CNTV_CVAL_EL0 + cntvoff (vm_at a v)));
   (RUN_OUT_REASON, exit_reason e); (RUN_OUT_IPA, exit_ipa e); (RUN_OUT_WIDTH, exit_width e); (RUN_OUT_VALUE, exit_value e)] ++
  map (fun n => (RUN_OUT_X0 + n, x n)) [0; 1; 2; 3; 4; 5; 6].

Definition save_vcpu (c v i : Z) (a : state) : state :=
  let m := Map.get (saved a) (v * NIE_MAX_VCPUS + i) in
  let m := fill 31 CTX_X0 (x_of a c) m in
  let m := fill REG_SWITCHED CTX_SYSREG (reg_of a) m in
  let m := fill CTX_ICH_COUNT CTX_ICH (fun r => reg_of a (REG_ICH_VMCR_EL2 + r)) m in
  let m := Map.set m CTX_VDISR (reg_of a REG_VDISR_EL2) in
  let m := fill 66 CTX_FP (Map.get (fp_here a)) m in
  set_saved v i m a <| fp_here := Map.const 0 |>.
Definition load_host (c : Z) (a : state) : state :=
  let r := cpu_at a c in
  load_regs REG_SWITCHED 0 (Map.get (host_sysreg r)) (set_cpu c (r <| cpu_x := host_x r |>) a).

Definition exit_vcpu (c : Z) (e : exit) (a : state) : list event * state :=
  let v := cpu_vm (cpu_at a c) in
  let i := cpu_vcpu (cpu_at a c) in
  let told := map (fun wv => Word (run_page (vcpu_at a v i)) (fst wv) (snd wv)) (exit_words a c e) in
  let a := save_vcpu c v i a in
  let a := set_vcpu v i (vcpu_at a v i <| vcpu_state := if exit_reason e =? NIE_EXIT_CPU_OFF then VCPU_OFF else VCPU_READY |>) a in
  let a := set_vm v (vm_at a v <| running ::= fun n => n - 1 |>) a in
  let a := load_host c (set_cpu c (cpu_at a c <| cpu_vm := CPU_HOST |>) a) in
  (told, controls_host (set_x c 0 NIE_OK a)).
