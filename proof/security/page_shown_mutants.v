(* SPDX-License-Identifier: Apache-2.0 *)
(* A C that does not scrub makes page_add_zero_shows_zeros false. On the machine of witness.v the host writes 7 into page 1030
   and then gives the page to VM 0, whose CPU 1 runs. *)
From Coq Require Import ZArith List String Bool Lia.
From nie.model Require Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.lib Require Import World.
From nie.spec Require Import State.
From nie.spec Require Import Core Step.
From nie.spec.call Require page_add_zero.
From nie.proof.refine Require Relation.
From nie.proof.refine Require Import statements page_shown_statement.
From nie.proof.security Require Import witness flush_mutants hide_mutants.
Import ListNotations.
Open Scope Z_scope.
Open Scope string_scope.
Open Scope list_scope.

Definition no_scrub : function gvar := Function "pages_scrub" ["p"; "count"] 0 Skip.
Definition same_scrub : function gvar := Function "pages_scrub" ["p"; "count"] 0
  (For "i" (Cast I32 U64 (Const 0)) (Var "count")
    (Seq (Calls [] "page_zero" [(Binop Add U64 (Var "p") (Var "i"))]) (Calls [] "page_clean" [(Binop Add U64 (Var "p") (Var "i"))]))).

(* The host's CPU 2 walks to its page, and stores. *)
Definition host_writes : list Machine.act := List.concat host_walk ++ [Machine.Write 0 0 0 7].
Definition acted (l : list Machine.act) (h : Machine.hw) : Machine.hw := fold_left (fun h a => Machine.act_step a h) l h.
Definition w_written (during : list (list Machine.act)) : Machine.hw :=
  let h := acted host_writes w_hw in
  Machine.Hw (Machine.mem h) (Machine.unseen h) (Machine.tlb h) (Machine.reg h) (Machine.fp h) (Machine.me h)
    (Machine.ram h) (Machine.engine h) (Machine.inputs h) (Machine.taken h) during (Machine.secret h) (Machine.ok h).

(* What others do keeps [R]. *)
Lemma acted_related : forall l a gl h, Relation.R a (Mach gl h) -> Relation.R a (Mach gl (acted l h)).
Proof.
  induction l as [|e l IH]; intros a gl h HR; [exact HR|]. apply (IH a gl (Machine.act_step e h)).
  destruct HR as [W O G (m & X & T) RAM ENG REGS N]. cbn [C_store.hw C_store.glob] in *.
  pose proof (world_act h _ _ _ _ _ e X) as X'. pose proof (w_frame _ _ _ _ _ _ X') as F. constructor; auto; cbn [C_store.hw].
  - exists m. split; [|exact T]. destruct X'. constructor; auto. now constructor.
  - now rewrite (f_ram _ _ F).
  - now rewrite (f_engine _ _ F).
  - eapply Relation.registers_frame; eauto.
Qed.
Lemma written_related : forall during, Relation.R w_a (Mach w_gl (w_written during)).
Proof.
  intro during. pose proof (acted_related host_writes w_a w_gl w_hw witness) as HR. unfold w_written. revert HR.
  generalize (acted host_writes w_hw). intros h [W O G (m & X & T) RAM ENG REGS N]. constructor; auto.
  2: { destruct REGS. now constructor. }
  exists m. split; auto. destruct X. constructor; auto. now constructor.
Qed.

(* The premises are met. *)
Lemma it_is_added : fst (page_add_zero.page_add_zero 0 (2 * 4096) (1030 * 4096) 1 3 w_a) = NIE_OK.
Proof. vm_compute. reflexivity. Qed.

(* In no state of the run does the page hold anything but 7 in its first word. *)
Definition keeps_7 (P : program gvar) : bool :=
  match call P "call_page_add_zero" args (Mach w_gl (w_written [], [])) with
  | Some (_, Mach _ (h, l)) => forallb (fun n => (Map.get (Machine.mem (fst n)) (1030 * 512) =? 7)%Z) (l ++ [(h, None)])
  | None => true
  end.

Lemma refutes : forall P, keeps_7 P = true -> ~ page_add_zero_shows P.
Proof.
  intros P K H.
  destruct (H w_a w_gl (w_written []) 0 (2 * 4096) (1030 * 4096) 1 3 (written_related [])) as (gl & h & before & after & E & _ & S);
    try (unfold u64; lia); [exact it_is_added|].
  unfold keeps_7, args in K. rewrite E in K. rewrite <- app_assoc, forallb_app in K. apply andb_prop in K as [_ K].
  destruct (S 0 ltac:(lia)) as (_ & (m & rest & M & _) & F & _). change (State.page_of (1030 * 4096) + 0) with 1030 in F.
  pose proof (F [] m rest M (fun _ X => match X with end) 0 eq_refl) as Z0.
  rewrite M in K. cbn [forallb] in K. apply andb_prop in K as [K _]. change (1030 * 512 + 0) with (1030 * 512) in Z0. rewrite Z0 in K. discriminate.
Qed.

Theorem without_scrub : ~ page_add_zero_shows (replaced no_scrub Program.core).
Proof. apply refutes. vm_cast_no_check (eq_refl true). Qed.

(* The VM does look, in mid-call: before the last primitive, a DSB, CPU 1 walks to the page that has just been linked, and there is
   what it finds. *)
Definition vm_walks (n : nat) : list (list Machine.act) := repeat [] n ++
  [[Machine.Begin 1; Machine.Step 0 0 (1025 * 4096 + 3); Machine.Step 0 0 (1026 * 4096 + 3); Machine.Step 0 2 (1030 * 4096 + 2047)]].
Definition vm_finds (P : program gvar) (n : nat) (v : Z) : bool :=
  match call P "call_page_add_zero" args (Mach w_gl (w_written (vm_walks n), [])) with
  | Some (_, Mach _ (_, l)) => existsb (fun n => existsb (fun e => (Machine.vmid e =? 1)%Z && Machine.is_leaf (Machine.level e) (Machine.desc e)
      && (Machine.first_page (Machine.level e) (Machine.desc e) =? 1030)%Z) (Machine.tlb (fst n))
      && (Map.get (Machine.mem (fst n)) (1030 * 512) =? v)%Z) l
  | None => false
  end.
Lemma core_shows_zero : vm_finds Program.core 17 0 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.
Lemma same_scrub_shows_zero : vm_finds (replaced same_scrub Program.core) 17 0 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.
Lemma no_scrub_shows_7 : vm_finds (replaced no_scrub Program.core) 15 7 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.
