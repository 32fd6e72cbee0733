(* SPDX-License-Identifier: Apache-2.0 *)
(* Changes of the C that make the theorem about PAGE_ADD_ZERO false: the host keeps its mapping of pages that it gave, or
   keeps it in a TLB. The host's CPU 2 walks to the page before the engine's first step. *)
From Coq Require Import ZArith List String Lia.
From nie.model Require Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.refine Require Relation.
From nie.proof.refine Require Import statements.
From nie.proof.security Require Import witness flush_mutants.
Import ListNotations.
Open Scope Z_scope.
Open Scope string_scope.

(* What host_hide does between its stores and its end, with another flush. *)
Definition hide (tlbi : stmt gvar) : function gvar := Function "host_hide" ["p"; "count"] 0
  (Seq (Assign "level3" (Call "level3_of" [(Var "p")]))
  (Seq (Assign "first" (Binop And U32 (Cast U64 U32 (Var "p")) (Cast I32 U32 (Const 511))))
  (Seq (For "i" (Cast I32 U64 (Const 0)) (Var "count")
      (Calls [] "page_write" [(Var "level3"); (Binop Add U32 (Var "first") (Cast U64 U32 (Var "i"))); (Cast I32 U64 (Const DESC_EMPTY))]))
  (Seq dsb (Seq tlbi (Seq dsb (Calls [] "isb" []))))))).
(* The 2 MiB of the witness is no block: without its case for blocks the C is otherwise the same. *)
Definition same_hide := hide (tlbi (Cast I32 U32 (Const 0))).
Definition hide_no_tlbi := hide Skip.
Definition hide_wrong_vmid := hide (tlbi (Cast I32 U32 (Const 1))).
Definition no_hide : function gvar := Function "host_hide" ["p"; "count"] 0 Skip.

Definition host_walk : list (list Machine.act) :=
  [[Machine.Begin 2; Machine.Step 0 0 (513 * 4096 + 3); Machine.Step 0 2 (515 * 4096 + 3); Machine.Step 0 6 (1030 * 4096 + 2047)]].
Definition w_host_walks : mach globals Machine.hw :=
  let h := w_hw in
  Mach w_gl (Machine.Hw (Machine.mem h) (Machine.unseen h) (Machine.tlb h) (Machine.reg h) (Machine.fp h) (Machine.me h)
    (Machine.ram h) (Machine.engine h) (Machine.inputs h) (Machine.taken h) host_walk (Machine.secret h) (Machine.claims h) (Machine.ok h)).

Lemma witness_host_walks : Relation.R w_a w_host_walks.
Proof.
  destruct witness as [W O G (m & X & T) RAM ENG REGS N]. constructor; auto.
  2: { destruct REGS. now constructor. }
  exists m. split; auto. destruct X. constructor; auto. now constructor.
Qed.

(* Page 1030 of the host, for IPA page 2 of VM 0. *)
Definition args : list Z := [0; 2 * 4096; 1030 * 4096; 1; 3].
Definition add_crashes (P : program gvar) : bool :=
  match run_of P "call_page_add_zero" args w_host_walks with None => true | Some _ => false end.

Lemma add_refutes : forall P, add_crashes P = true -> ~ page_add_zero_correct P.
Proof.
  intros P C H. unfold add_crashes, args in C. destruct (H w_a w_host_walks 0 (2 * 4096) (1030 * 4096) 1 3 witness_host_walks) as (st & a' & s' & _ & E & _);
    try (unfold u64; lia). rewrite E in C. discriminate.
Qed.

Theorem without_host_hide : ~ page_add_zero_correct (replaced no_hide Program.core).
Proof. apply add_refutes. vm_cast_no_check (eq_refl true). Qed.
Theorem hide_without_tlbi : ~ page_add_zero_correct (replaced hide_no_tlbi Program.core).
Proof. apply add_refutes. vm_cast_no_check (eq_refl true). Qed.
Theorem hide_with_wrong_vmid : ~ page_add_zero_correct (replaced hide_wrong_vmid Program.core).
Proof. apply add_refutes. vm_cast_no_check (eq_refl true). Qed.

(* The unchanged C, and the one rewritten so, add the page on the same machine. *)
Lemma same_hide_runs : match run_of (replaced same_hide Program.core) "call_page_add_zero" args w_host_walks with
  | Some (r, _) => r = [0] | None => False end.
Proof. vm_compute. reflexivity. Qed.
Lemma core_adds : match run_of Program.core "call_page_add_zero" args w_host_walks with
  | Some (r, _) => r = [0] | None => False end.
Proof. vm_compute. reflexivity. Qed.
