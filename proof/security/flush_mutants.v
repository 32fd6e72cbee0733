(* SPDX-License-Identifier: Apache-2.0 *)
(* More changes of the C that make the theorem about PAGE_REMOVE false: a flush, a barrier, a VMID. (The DSB after the TLBI is not
   among them: the invalidation of instruction caches that follows ends in a DSB too.) *)
From Coq Require Import ZArith List String Lia.
From nie.model Require Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
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
Definition wrong_vmid := flush (Seq dsb (Seq (tlbi (Var "vm")) (Seq dsb (Calls [] "isb" [])))).
(* As the C has it: the way of changing it is not what fails. *)
Definition same_flush := flush (Seq dsb (Seq (tlbi vm_plus_1) (Seq dsb (Calls [] "isb" [])))).

Definition crashes (P : program gvar) (s : mach globals Machine.hw) : bool :=
  match run_of P "call_page_remove" [0; 4096; 1] s with None => true | Some _ => false end.

Lemma crash_refutes : forall P s, Relation.R w_a s -> Relation.unclaimed (hw s) -> crashes P s = true -> ~ page_remove_correct P.
Proof.
  intros P s R U C H. unfold crashes in C. destruct (H w_a s 0 4096 1 R (fun _ => Relation.unclaimed_spared _ _ _ _ U)) as (st & x1 & x2 & a' & s' & _ & E & _); try (unfold u64; lia).
  rewrite E in C. discriminate.
Qed.

Theorem without_tlbi : ~ page_remove_correct (replaced no_tlbi Program.core).
Proof. apply crash_refutes with w_s; [exact witness|exact (fun _ _ _ F => F)|vm_cast_no_check (eq_refl true)]. Qed.
Theorem with_wrong_vmid : ~ page_remove_correct (replaced wrong_vmid Program.core).
Proof. apply crash_refutes with w_s; [exact witness|exact (fun _ _ _ F => F)|vm_cast_no_check (eq_refl true)]. Qed.

Lemma same_flush_runs : match run_of (replaced same_flush Program.core) "call_page_remove" [0; 4096; 1] w_s with
  | Some (r, _) => r = [0; 1027 * 4096; 0] | None => False end.
Proof. vm_compute. reflexivity. Qed.

(** A flush whose TLBI does not wait for the stores: another CPU's walker must come in between to see the difference.
    Before the tenth primitive, the DSB, the walker of CPU 1 reads the page's entry as it was before the store. *)

Definition no_dsb_before := flush (Seq (tlbi vm_plus_1) (Seq dsb (Calls [] "isb" []))).
Definition walk_in_between : list (list Machine.act) := repeat [] 9 ++
  [[Machine.Begin 1; Machine.Step 0 0 (1025 * 4096 + 3); Machine.Step 0 0 (1026 * 4096 + 3); Machine.Step 0 1 (1027 * 4096 + 2047)]].
Definition w_walking : mach globals Machine.hw :=
  let h := w_hw in
  Mach w_gl (Machine.Hw (Machine.mem h) (Machine.unseen h) (Machine.tlb h) (Machine.reg h) (Machine.fp h) (Machine.me h)
    (Machine.ram h) (Machine.engine h) (Machine.inputs h) (Machine.taken h) walk_in_between (Machine.secret h) (Machine.claims h) (Machine.ok h)).

Lemma witness_walking : Relation.R w_a w_walking.
Proof.
  destruct witness as [W O G (m & X & T) RAM ENG REGS N]. constructor; auto.
  2: { destruct REGS. now constructor. }
  exists m. split; auto. destruct X. constructor; auto. now constructor.
Qed.

Theorem without_dsb_before_tlbi : ~ page_remove_correct (replaced no_dsb_before Program.core).
Proof. apply crash_refutes with w_walking; [exact witness_walking|exact (fun _ _ _ F => F)|vm_cast_no_check (eq_refl true)]. Qed.

(* Without the walker this change goes unseen: acts in mid-handler matter. *)
Lemma unseen_without_others : match run_of (replaced no_dsb_before Program.core) "call_page_remove" [0; 4096; 1] w_s with
  | Some (r, _) => r = [0; 1027 * 4096; 0] | None => False end.
Proof. vm_compute. reflexivity. Qed.
