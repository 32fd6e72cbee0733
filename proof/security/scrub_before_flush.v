(* SPDX-License-Identifier: Apache-2.0 *)
(* The C with one change: PAGE_REMOVE scrubs the pages before it flushes the TLB. Its theorem is false. *)
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

(* call_page_remove_deep, but [take_back] comes before [s2_flush]. *)
Definition leaky_deep : function gvar := Function "call_page_remove"
  ["vm"; "ipa"; "count"] 3
  (Seq (Assign "status" (Call "page_remove_check" [(Var "vm"); (Var "ipa"); (Var "count")]))
  (Seq (If (Binop Ne U32 (Var "status") (Cast I32 U32 (Const NIE_OK)))
      (Ret [(Cast U32 U64 (Var "status")); (Cast I32 U64 (Const 0)); (Cast I32 U64 (Const 0))])
      Skip)
  (Seq (Calls ["w_table"; "w_desc"; "w_index"; "w_level"] "s2_walk" [(Cast U64 U32 (Var "vm")); (Call "page_of" [(Var "ipa")]); (Cast I32 U32 (Const LEVEL_PAGE))])
  (Seq (Assign "first" (Call "desc_page" [(Var "w_desc")]))
  (Seq (For "i" (Cast I32 U64 (Const 0)) (Var "count")
      (Calls [] "page_write" [(Var "w_table"); (Binop Add U32 (Var "w_index") (Cast U64 U32 (Var "i"))); (Cast I32 U64 (Const DESC_SPENT))]))
  (Seq (For "i_2" (Cast I32 U64 (Const 0)) (Var "count")
      (Calls [] "take_back" [(Cast U64 U32 (Var "vm")); (Binop Add U64 (Var "first") (Var "i_2"))]))
  (Seq (Calls [] "s2_flush" [(Cast U64 U32 (Var "vm"))])
  (Seq (Calls [] "ic_invalidate" [])
  (Seq (Calls [] "dsb_ish" [])
  (Ret [(Cast I32 U64 (Const NIE_OK)); (Call "address_of" [(Var "first")]); (Cast I32 U64 (Const 0))])))))))))).

Definition leaky (P : program gvar) : program gvar :=
  map (fun f => if String.eqb (fname f) "call_page_remove" then leaky_deep else f) P.

(* The VM's CPU still holds the page in its TLB: the obligation of page_zero is violated. *)
Lemma leaky_crashes : run_of (leaky Program.core) "call_page_remove" [0; 4096; 1] w_s = None.
Proof. vm_compute. reflexivity. Qed.

(* The unchanged C, on the same machine, does what it should: it answers NIE_OK and the page's address. *)
Lemma core_does_not : match run_of Program.core "call_page_remove" [0; 4096; 1] w_s with
  | Some (r, _) => r = [0; 1027 * 4096; 0] | None => False end.
Proof. vm_compute. reflexivity. Qed.

Theorem scrub_before_flush : ~ page_remove_correct (leaky Program.core).
Proof.
  intro H. destruct (H w_a w_s 0 4096 1 witness (fun _ y p F => match F : False with end)) as (st & x1 & x2 & a' & s' & _ & E & _); try (unfold u64; lia).
  rewrite leaky_crashes in E. discriminate.
Qed.
