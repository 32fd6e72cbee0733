(* SPDX-License-Identifier: Apache-2.0 *)
(* A C that does not scrub makes page_add_zero_shows_zeros false, one that scrubs what it has measured page_add_shows_measured. On
   the machine of witness.v the host writes 7 into page 1030 and then gives the page to VM 0, whose CPU 1 runs, or to VM 1, which it builds. *)
From Coq Require Import ZArith List String Bool Lia.
From nie.model Require Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.lib Require Import World Wp.
From nie.spec Require Import State.
From nie.spec Require Import Core Step.
From nie.spec Require Measure.
From nie.spec.call Require page_add_zero page_add vm_create table_add.
From nie.proof.refine Require Relation sha256_refines.
From nie.proof.refine Require Import statements page_shown_statement vm_create_statement.
From nie.proof Require Theorems.
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
    (Machine.ram h) (Machine.engine h) (Machine.inputs h) (Machine.taken h) during (Machine.secret h) (Machine.claims h) (Machine.ok h).

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

(** PAGE_ADD: VM 1 is created with one page of RAM and given its tables; what PAGE_ADD hashed is scrubbed before it is mapped. *)

Definition scrub_late : function gvar := Function "call_page_add" ["vm"; "ipa"; "pa"; "count"] 1
  (Seq (Assign "status" (Call "page_add_check" [(Var "vm"); (Var "ipa"); (Var "pa"); (Var "count")]))
  (Seq (If (Binop Ne U32 (Var "status") (Cast I32 U32 (Const NIE_OK))) (Ret [(Cast U32 U64 (Var "status"))]) Skip)
  (Seq (Assign "i" (Cast U64 U32 (Var "vm")))
  (Seq (Assign "p" (Call "page_of" [(Var "pa")]))
  (Seq (Assign "at" (Call "page_of" [(Var "ipa")]))
  (Seq (Calls [] "donate" [(Var "i"); (Var "p"); (Var "count"); (Cast I32 U8 (Const GRANULE_DATA)); (Cast U32 U8 (Var "i")); (Cast I32 U8 (Const 0)); (Cast I32 U8 (Const 0)); (Cast U64 U32 (Var "at"))])
  (Seq (For "k" (Cast I32 U64 (Const 0)) (Var "count")
      (Seq (Calls [] "page_clean" [(Binop Add U64 (Var "p") (Var "k"))])
      (Seq (Calls [] "measure_record" [(Var "i"); (Cast I32 U64 (Const MEASURE_PAGE)); (Call "address_of" [(Binop Add U64 (Var "at") (Var "k"))]); (Cast I32 U64 (Const 0)); (Cast I32 U64 (Const 0))])
      (Calls [] "measure_page" [(Var "i"); (Binop Add U64 (Var "p") (Var "k"))]))))
  (Seq (Calls [] "pages_scrub" [(Var "p"); (Var "count")])
  (Seq (Calls [] "ic_invalidate" [])
  (Seq (Calls [] "pages_map" [(Var "i"); (Var "at"); (Var "p"); (Var "count"); (Cast I32 U64 (Const DESC_NORMAL))])
  (Ret [(Cast I32 U64 (Const NIE_OK))]))))))))))).

Definition w_ipa : Z := 262144 * 4096.
Definition ran (P : program gvar) (f : string) (args : list Z) (s : mach globals Machine.hw) : mach globals Machine.hw :=
  match run_of P f args s with Some (_, s') => s' | None => s end.
Definition w_created : mach globals Machine.hw := ran Program.core "call_vm_create" [1; 1040 * 4096; w_ipa; 1; 1] (Mach w_gl (w_written [])).
Definition w_tabled : mach globals Machine.hw := ran Program.core "call_table_add" [1; w_ipa; 2; 1041 * 4096] w_created.
Definition w_built : mach globals Machine.hw := ran Program.core "call_table_add" [1; w_ipa; 3; 1042 * 4096] w_tabled.
Definition a_created : state := snd (vm_create.vm_create 1 (1040 * 4096) w_ipa 1 1 0 w_a).
Definition a_tabled : state := snd (table_add.table_add 1 w_ipa 2 (1041 * 4096) a_created).
Definition a_built : state := snd (table_add.table_add 1 w_ipa 3 (1042 * 4096) a_tabled).

(* For any program: names are kept apart from the text. *)
Lemma ran_create : forall P a s vm root base pages count, vm_create_correct P -> Relation.R a s -> u64 vm -> u64 root -> u64 base -> u64 pages -> u64 count ->
  Relation.R (snd (vm_create.vm_create vm root base pages count (Machine.inputs (C_store.hw s) (Machine.taken (C_store.hw s))) a)) (ran P "call_vm_create" [vm; root; base; pages; count] s).
Proof.
  intros P a s vm root base pages count H HR V1 V2 V3 V4 V5. destruct (H a s vm root base pages count HR V1 V2 V3 V4 V5) as (st & a' & s' & Sp & E & R' & _).
  unfold ran. rewrite E. cbv zeta in Sp. now rewrite Sp.
Qed.
Lemma ran_table : forall P a s vm ipa level pa, table_add_correct P -> Relation.R a s -> u64 vm -> u64 ipa -> u64 level -> u64 pa ->
  Relation.R (snd (table_add.table_add vm ipa level pa a)) (ran P "call_table_add" [vm; ipa; level; pa] s).
Proof.
  intros P a s vm ipa level pa H HR V1 V2 V3 V4. destruct (H a s vm ipa level pa HR V1 V2 V3 V4) as (st & a' & s' & Sp & E & R' & _).
  unfold ran. rewrite E. now rewrite Sp.
Qed.
Lemma built_related : Relation.R a_built w_built.
Proof.
  unfold a_built, w_built. apply ran_table; try (unfold u64, w_ipa; lia); [exact Theorems.table_add_is_correct|].
  unfold a_tabled, w_tabled. apply ran_table; try (unfold u64, w_ipa; lia); [exact Theorems.table_add_is_correct|].
  exact (ran_create Program.core w_a (Mach w_gl (w_written [])) 1 (1040 * 4096) w_ipa 1 1 Theorems.vm_create_is_correct (written_related [])
    ltac:(unfold u64; lia) ltac:(unfold u64; lia) ltac:(unfold u64, w_ipa; lia) ltac:(unfold u64; lia) ltac:(unfold u64; lia)).
Qed.

Lemma it_may_be_added : page_add.page_add_check a_built 1 w_ipa (1030 * 4096) 1 = NIE_OK.
Proof. vm_compute. reflexivity. Qed.
Lemma it_runs_nowhere : forall k, 0 <= k < NIE_MAX_CPUS -> cpu_vm (cpu_at a_built k) <> 1.
Proof.
  assert (C : forallb (fun k => negb (cpu_vm (cpu_at a_built (Z.of_nat k)) =? 1)%Z) (seq 0 (Z.to_nat NIE_MAX_CPUS)) = true) by (vm_compute; reflexivity).
  intros k K E. rewrite forallb_forall in C. specialize (C (Z.to_nat k)). rewrite Z2Nat.id, E in C by lia.
  discriminate C. apply in_seq. lia.
Qed.

(* What is measured depends on the words of the page alone. *)
Lemma page_same : forall a vm ipa pa c c', (forall w, Machine.is_word w = true -> c 0 w = c' 0 w) ->
  snd (page_add.page_add vm ipa pa 1 c a) = snd (page_add.page_add vm ipa pa 1 c' a).
Proof.
  intros a vm ipa pa c c' H. unfold page_add.page_add. cbv zeta. destruct (_ =? _)%Z; [|reflexivity]. cbn [snd].
  assert (E : Measure.page (c 0) = Measure.page (c' 0)).
  { unfold Measure.page. apply map_ext_in. intros i I. apply in_seq in I. apply H. unfold Machine.is_word. lia. }
  assert (EM : forall x d, each 1 (page_add.measure_page vm x c) d = each 1 (page_add.measure_page vm x c') d).
  { intros x d. unfold each. change (Z.to_nat 1) with 1%nat. cbn [each_nat]. unfold page_add.measure_page. change (Z.of_nat 0) with 0. now rewrite E. }
  now rewrite EM.
Qed.

Definition first_word (h : Sha256.words8) : Z := let '(x, _, _, _, _, _, _, _) := h in x.
Definition zeros_measured : Z := first_word (hash_of_vm (vm_at (snd (page_add.page_add 1 w_ipa (1030 * 4096) 1 (fun _ _ => 0) a_built)) 1)).
Definition measured_else (P : program gvar) : bool :=
  match call P "call_page_add" [1; w_ipa; 1030 * 4096; 1] (Mach (C_store.glob w_built) (C_store.hw w_built, [])) with
  | Some (_, Mach gl (h, _)) => forallb (fun i => (Map.get (Machine.mem h) (1030 * 512 + Z.of_nat i) =? 0)%Z) (seq 0 512) &&
      negb (sha256_refines.hash_word gl 1 0 =? zeros_measured)%Z
  | None => true
  end.

Lemma else_refutes : forall P, measured_else P = true -> ~ page_add_shows P.
Proof.
  intros P K H. pose proof built_related as HR. revert K HR. unfold measured_else. destruct w_built as [gl0 h0]. cbn [C_store.glob C_store.hw]. intros K HR.
  destruct (H a_built gl0 h0 1 w_ipa (1030 * 4096) 1 HR) as (content & gl & h & before & after & E & R' & S); try (unfold u64, w_ipa; lia);
    [exact it_may_be_added|].
  rewrite E in K. apply andb_prop in K as [K N]. rewrite forallb_forall in K.
  destruct (S 0 ltac:(lia)) as (_ & _ & _ & _ & F). specialize (F it_runs_nowhere (h, None)). cbn [fst] in F.
  specialize (F ltac:(apply in_or_app; right; left; reflexivity)).
  assert (Z0 : forall w, Machine.is_word w = true -> content 0 w = (fun _ _ => 0) 0 w).
  { intros w W. rewrite <- (F w W). change (State.page_of (1030 * 4096) + 0) with 1030.
    unfold Machine.is_word in W. specialize (K (Z.to_nat w)). rewrite Z2Nat.id in K by lia. apply Z.eqb_eq, K, in_seq. lia. }
  rewrite (page_same a_built 1 w_ipa (1030 * 4096) content (fun _ _ => 0) Z0) in R'.
  destruct (Relation.g_vms _ _ (Relation.R_globals _ _ R') 1) as [_ _ _ _ HH _]; [unfold NIE_MAX_VMS; lia|]. cbn [C_store.glob] in HH.
  apply Bool.negb_true_iff, Z.eqb_neq in N. apply N. unfold zeros_measured. rewrite <- HH. reflexivity.
Qed.

Theorem with_late_scrub : ~ page_add_shows (replaced scrub_late Program.core).
Proof. apply else_refutes. vm_cast_no_check (eq_refl true). Qed.
