(* SPDX-License-Identifier: Apache-2.0 *)
(* What a vCPU finds in its general registers when it runs again, and where it goes on: what it left there, and of the host's answer what
   its exit asked for. Hardware and the interface alone, as in spec/Isolation.v: the exit's syndrome, what spec/Released.v says was released, the
   host's call, and the words that the run record's first part supplies.

   LESS than a VM's integrity: not the system registers, PSTATE, vectors, list registers and timer; and nothing
   of the first entry of a vCPU, nor of the first after it was turned off. *)
From Coq Require Import ZArith List Bool.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import Step Released.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** 1. One vCPU that left in state [s] by exception [e] on CPU [c], and comes back. [ram]: the pages of its window. [ins]: the words of the
    run record, each read once, from the first: the first ten answers that the entry is given. *)

Section Again.
Variables (ram : Z -> bool) (s : machine) (c : Z) (e : exception) (ins : nat -> Z).
Let was : option exit := exit_of s c e ram true.      (* true: a CPU_ON that is refused does not leave *)
Let word (i : Z) : Z := ins (Z.to_nat i).
Let served : bool := negb (Z.land (word RUN_IN_FLAGS) NIE_IN_ANSWER =? 0).

(* What a load of [width] bytes leaves in its register: extended with zeros or the sign (ISS.SSE), to 32 or 64 bits (ISS.SF). *)
Definition loaded (width value : Z) : Z :=
  let v := value mod 2 ^ (8 * width) in
  (if Z.testbit (esr e) 21 && (2 ^ (8 * width - 1) <=? v) then v - 2 ^ (8 * width) else v) mod 2 ^ (if Z.testbit (esr e) 15 then 64 else 32).

(* Of the host's words: one register of a device load that it says is served; x0 to x3 of a host call. PSCI's answers are the engine's. *)
Definition again (r : Z) : Z :=
  let left := x s c r in
  match was with
  | Some (Reads _ width) => if served && (r =? Z.land (Z.shiftr (esr e) 16) 31) then loaded width (word RUN_IN_X0) else left
  | Some (Calls _) => if r <? 4 then word (RUN_IN_X0 + r) else left
  | Some Waits => if (r =? 0) && negb (is_sync e EC_WFX) then PSCI_SUCCESS else left
  | Some (TurnsOn _) => if r =? 0 then PSCI_SUCCESS else left
  | _ => left
  end.

(* An access that is not served runs again, and so does one that missed a page. HVC alone leaves the address of the next instruction. *)
Definition goes_on : Z :=
  let next_one := match was with
    | Some (Reads _ _) | Some (Writes _ _ _) => served
    | _ => is_sync e EC_WFX || is_sync e EC_SMC64 || is_sync e EC_SYSREG
    end in
  elr e + if next_one then 4 else 0.

Definition same64 (a b : Z) : bool := a mod 2 ^ 64 =? b mod 2 ^ 64.      (* the model's numbers have no width *)
Definition as_left (s' : machine) (c' : Z) : bool :=
  forallb (fun r => same64 (x s' c' r) (again r)) (numbers 31) && same64 (sysreg s' c' REG_ELR_EL2) goes_on.
End Again.

(** 2. Which vCPU of VM [w] that is. The host names it when it enters: VCPU_RUN (vm, vcpu). *)

Record book := Book {
  window : Z -> bool;                                 (* of the IPA space: VM_CREATE (vm, root, base, pages, ...) *)
  on : Z -> Z;                                        (* which vCPU a CPU runs *)
  stood : Z -> option (machine * Z * exception);      (* how a vCPU left last; None: it never did, or turned itself off *)
}.
#[export] Instance eta_book : Settable _ := settable! Book <window; on; stood>.
Definition no_book : book := Book (fun _ => false) (fun _ => 0) (fun _ => None).
Definition at_ {A : Type} (i : Z) (v : A) (f : Z -> A) : Z -> A := fun j => if j =? i then v else f j.

Definition enters (w : who) (s s' : machine) (c : Z) : bool := negb (runs_b s c (vmid_of w)) && runs_b s' c (vmid_of w).
Definition leaves (w : who) (s s' : machine) (c : Z) : bool := runs_b s c (vmid_of w) && negb (runs_b s' c (vmid_of w)).
Definition turned_off (k : book) (s : machine) (c : Z) (e : exception) : bool :=
  match exit_of s c e (window k) true with Some TurnsOff => true | _ => false end.

Definition follow (w : who) (k : book) (s s' : machine) (l : label) : book :=
  let k := if succeeded NIE_VM_CREATE w s s' l
           then match l with
                | Trap c _ _ _ => let base := x s c 3 mod 2 ^ 64 / 4096 in
                             no_book <| window := fun p => (base <=? p) && (p <? base + x s c 4 mod 2 ^ 64) |>
                | _ => k end
           else k in
  match l with
  | Trap c e _ _ =>
      if enters w s s' c then k <| on ::= at_ c (x s c 2 mod 2 ^ 64) |>
      else if leaves w s s' c then k <| stood ::= at_ (on k c) (if turned_off k s c e then None else Some (s, c, e)) |> else k
  | _ => k
  end.

(* One verdict for each entry of a vCPU that had left. *)
Definition verdict (w : who) (k : book) (s s' : machine) (l : label) : list bool :=
  match l with
  | Trap c _ ins _ =>
      if enters w s s' c
      then match stood k (x s c 2 mod 2 ^ 64) with Some (at_exit, c1, e) => [as_left (window k) at_exit c1 e ins s' c] | None => [] end
      else []
  | _ => []
  end.

(** 3. On traces. [created], [destroyed]: how often the index was, so far. *)

Definition once (f : Z) (w : who) (s s' : machine) (l : label) : nat := if succeeded f w s s' l then 1 else 0.
Fixpoint verdicts (P : program gvar) (w : who) (k : book) (s : machine) (created destroyed : nat) (tr : list label) : list bool :=
  match tr with
  | [] => []
  | l :: tr' =>
      match next P s l with
      | Ok s' _ => (if Nat.eqb created (inc w) && Nat.ltb destroyed (inc w) then verdict w k s s' l else []) ++
                   verdicts P w (follow w k s s' l) s' (created + once NIE_VM_CREATE w s s' l) (destroyed + once NIE_VM_DESTROY w s s' l) tr'
      | _ => []
      end
  end.

(* Whatever the host answers, and to what. *)
Definition registers_integral (start : machine -> Prop) (P : program gvar) : Prop := forall s tr w, 0 <= vm w < NIE_MAX_VMS ->
  start s -> forall b, In b (verdicts P w no_book s 0 0 tr) -> b = true.
