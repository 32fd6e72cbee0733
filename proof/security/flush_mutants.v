(* SPDX-License-Identifier: Apache-2.0 *)
(* More changes of the C that make the theorem about PAGE_REMOVE false: a flush, a barrier, a VMID. *)
From Coq Require Import ZArith List String Lia.
From nie.model Require Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
Require RecordUpdate.RecordSet.
From nie.spec Require Import Core.
From nie.proof.refine Require Relation.
From nie.proof.refine Require Import statements.
From nie.proof.security Require Import witness.
Import ListNotations.
Open Scope Z_scope.
Open Scope string_scope.

Definition replaced (f : function gvar) (P : program gvar) : program gvar :=
  map (fun g => if String.eqb (fname g) (fname f) then f else g) P.

Definition flush (steps : stmt gvar) : function gvar := Function "s2_flush" ["vm"] 0 steps.
Definition dsb : stmt gvar := Calls [] "dsb_ish" [].
Definition tlbi (v : expr gvar) : stmt gvar := Calls [] "tlbi_vmid" [v].
Definition vm_plus_1 : expr gvar := Binop Add U32 (Var "vm") (Const 1).

Definition no_tlbi := flush (Seq dsb (Seq dsb (Calls [] "isb" []))).
Definition no_dsb_after := flush (Seq dsb (Seq (tlbi vm_plus_1) (Calls [] "isb" []))).
Definition wrong_vmid := flush (Seq dsb (Seq (tlbi (Var "vm")) (Seq dsb (Calls [] "isb" [])))).
(* As the C has it: the way of changing it is not what fails. *)
Definition same_flush := flush (Seq dsb (Seq (tlbi vm_plus_1) (Seq dsb (Calls [] "isb" [])))).

Lemma crash_refutes : forall P, run_of P "call_page_remove" [0; 4096; 1] w_s = None -> ~ page_remove_correct P.
Proof.
  intros P C H. destruct (H w_a w_s 0 4096 1 witness) as (st & x1 & x2 & a' & s' & _ & E & _); try (unfold u64; lia).
  rewrite C in E. discriminate.
Qed.

Theorem without_tlbi : ~ page_remove_correct (replaced no_tlbi Program.core).
Proof. apply crash_refutes. vm_compute. reflexivity. Qed.
Theorem without_dsb_after_tlbi : ~ page_remove_correct (replaced no_dsb_after Program.core).
Proof. apply crash_refutes. vm_compute. reflexivity. Qed.
Theorem with_wrong_vmid : ~ page_remove_correct (replaced wrong_vmid Program.core).
Proof. apply crash_refutes. vm_compute. reflexivity. Qed.

Lemma same_flush_runs : match run_of (replaced same_flush Program.core) "call_page_remove" [0; 4096; 1] w_s with
  | Some (r, _) => r = [0; 1027 * 4096; 0] | None => False end.
Proof. vm_compute. reflexivity. Qed.

(** A flush whose TLBI does not wait for the stores: another CPU's walker must come in between to see the difference.
    Before the tenth primitive, the DSB, the walker of CPU 1 reads the page's entry as it was before the store. *)

Definition no_dsb_before := flush (Seq (tlbi vm_plus_1) (Seq dsb (Calls [] "isb" []))).
Definition walk_in_between : list (list Machine.act) := repeat [] 9 ++
  [[Machine.Begin 1; Machine.Step 0 0 (1025 * 4096 + 3); Machine.Step 0 0 (1026 * 4096 + 3); Machine.Step 0 1 (1027 * 4096 + 2047)]].
Definition w_walking : mach globals Machine.hw :=
  Mach w_gl (RecordUpdate.RecordSet.set Machine.during (fun _ => walk_in_between) w_hw).

Lemma witness_walking : Relation.R w_a w_walking.
Proof.
  destruct witness as [W O G (m & X & T) RAM ENG]. constructor; auto.
  exists m. split; auto. destruct X. constructor; auto. now constructor.
Qed.

Theorem without_dsb_before_tlbi : ~ page_remove_correct (replaced no_dsb_before Program.core).
Proof.
  assert (C : run_of (replaced no_dsb_before Program.core) "call_page_remove" [0; 4096; 1] w_walking = None)
    by (vm_compute; reflexivity).
  intro H. destruct (H w_a w_walking 0 4096 1 witness_walking) as (st & x1 & x2 & a' & s' & _ & E & _); try (unfold u64; lia).
  rewrite C in E. discriminate.
Qed.

(* Without the walker this change goes unseen: acts in mid-handler matter. *)
Lemma unseen_without_others : match run_of (replaced no_dsb_before Program.core) "call_page_remove" [0; 4096; 1] w_s with
  | Some (r, _) => r = [0; 1027 * 4096; 0] | None => False end.
Proof. vm_compute. reflexivity. Qed.
