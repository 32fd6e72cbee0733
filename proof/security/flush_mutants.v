(* SPDX-License-Identifier: Apache-2.0 *)
(* More changes of the C that make the theorem about PAGE_REMOVE false: a flush, a barrier, a VMID. *)
From Coq Require Import ZArith List String Lia.
From nie.model Require Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
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
