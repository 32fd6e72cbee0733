(* SPDX-License-Identifier: Apache-2.0 *)
(* An engine that leaves the VM's timer controls (CNTKCTL_EL1: what EL0 may do with the timer) on the CPU when the host goes on
   there is not confidential. The states and the trace are those of leak_exit. The timer's enable and compare value are
   no secret: spec/Released.v releases them with every exit, so that the host can arm a timer in its place. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.security Require Import page_remove_witness leak_scrub leak_exit Found.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* load_host, but for one register. *)
Fixpoint but_timer (s : stmt gvar) : stmt gvar :=
  match s with
  | Seq a b => Seq (but_timer a) (but_timer b)
  | For y lo hi b => For y lo hi (but_timer b)
  | Calls [] "sysreg_write"%string _ => If (Binop Eq U32 (Var "r"%string) (Cast I32 U32 (Const REG_CNTKCTL_EL1))) Skip s
  | _ => s
  end.
Definition leaves_timer (P : program gvar) : program gvar :=
  map (fun f => if String.eqb (fname f) "load_host" then Function (fname f) (params f) (results f) (but_timer (C.body f)) else f) P.

(* CPU 1 runs the host again, which reads the register. *)
Definition reads_timer (t : Step.machine) : option fact :=
  if root_vmid (Step.hw t) 1 =? 0 then Some (RegIs 1 REG_CNTKCTL_EL1 (sysreg t 1 REG_CNTKCTL_EL1)) else None.
Lemma timer_observed : forall t f, reads_timer t = Some f -> observe victim t f.
Proof.
  intros t f F. unfold reads_timer in F. destruct (Z.eqb_spec (root_vmid (Step.hw t) 1) 0) as [E|]; [|discriminate F]. injection F as <-.
  split; [unfold runs; rewrite E; discriminate|]. split; [unfold REG_CNTKCTL_EL1, REG_SWITCHED; lia|reflexivity].
Qed.

Definition read_by (P : program gvar) (y : Z) : option (fact * Z) :=
  match found_by reads_timer P (from y) exits with Some f => value_of f | None => None end.
Definition the_register : fact := RegIs 1 REG_CNTKCTL_EL1 0.

Theorem timer_leaks : ~ confidential froms (leaves_timer Program.core).
Proof.
  apply (found_refutes victim reads_timer the_register 5 6 (leaves_timer Program.core) (from 5) (from 6) no_ram exits exits froms
    ltac:(vm_compute; split; congruence) timer_observed (ex_intro _ 5 eq_refl) (ex_intro _ 6 eq_refl) (fun f => conj (cannot_tell 5 6 f) (cannot_tell 6 5 f)));
    [vm_compute; reflexivity|vm_compute; reflexivity|discriminate|vm_compute; reflexivity].
Qed.
(* On the same runs the engine as it is gives the host its own. *)
Theorem core_restores_timer : read_by Program.core 5 = Some (the_register, 0) /\ read_by Program.core 6 = Some (the_register, 0).
Proof. split; vm_compute; reflexivity. Qed.
