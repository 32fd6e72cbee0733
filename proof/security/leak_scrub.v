(* SPDX-License-Identifier: Apache-2.0 *)
(* The engine without its scrub is not confidential: two runs on the whole machine (spec/Step.v), from states that the
   others cannot tell apart, in which the host makes one PAGE_REMOVE by HVC; then it reads the victim's secret. The engine as it
   is gives the host zeros in both. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.lib Require Import World Wp.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation.
From nie.proof.security Require Import page_remove_witness.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* give_back, but the page is not zeroed. *)
Definition no_scrub : function gvar := Function "give_back" ["vm"; "p"]%string 0
  (Seq (Calls [] "release" [(Var "vm"); (Var "p")]) (Calls [] "host_show" [(Var "p")])).
Definition leaky (P : program gvar) : program gvar :=
  map (fun f => if String.eqb (fname f) "give_back" then no_scrub else f) P.

(** The two states. VM 0 owns page 523 and runs on CPU 1; word 7 of the page is its secret. The host, on CPU 0, has put a
    call into its registers: PAGE_REMOVE (0, 1 GiB, 1). *)

Definition secret_word : Z := 523 * 512 + 7.
Definition memory_with (x : Z) : Map.t Z := Map.set the_memory secret_word x.
Definition hw_with (x : Z) : Machine.hw :=
  Hw (memory_with x) [] [] the_registers (Map.const 0) 0 (512, 1024) (512, 515) (fun _ => 0) 0 [] (fun _ => False) (fun _ _ _ => False) True.
Definition host_asks : Map.t Z :=
  Map.set (Map.set (Map.set (Map.set (Map.const 0) 0 NIE_PAGE_REMOVE) 1 0) 2 (262144 * 4096)) 3 1.
Definition start_with (x : Z) : Step.machine := Step.Machine the_globals (hw_with x) host_asks (Map.const false).
Definition starts (s : Step.machine) : Prop := exists x, s = start_with x.

Definition by_hvc : exception := Step.Exception TRAP_SYNC 0 0 (EC_HVC64 * 2 ^ 26) 0 0.
Definition trace : list label := [Trap 0 by_hvc (fun _ => 0) []].
Definition victim : who := Who 0 1.

(** What the host finds at the end, if anything. *)

Definition after (P : program gvar) (x : Z) : Step.machine :=
  match Step.run P (start_with x) trace with Ok t _ => t | _ => start_with x end.
Definition reads (t : Step.machine) : list Z :=
  let m w := Map.get (Machine.mem (Step.hw t)) w in
  [vttbr (Step.hw t) 0; m (512 * 512); m (513 * 512 + 1); m (514 * 512 + 11); m secret_word; Step.x t 0 0].
Definition ended (P : program gvar) (x : Z) : bool := match Step.run P (start_with x) trace with Ok _ _ => true | _ => false end.

Definition found (P : program gvar) (x : Z) : bool * list Z := (ended P x, reads (after P x)).
Definition tables_then (x : Z) : bool * list Z :=
  (true, [512 * 4096; 513 * 4096 + 3; 514 * 4096 + 3; 523 * 4096 + 2047; x; NIE_OK]).

(** The states are of those that the theorems speak of, and the others cannot tell them apart. *)

Lemma memory_is : forall x p i, p <> 523 -> is_word i = true -> Map.get (memory_with x) (p * 512 + i) = Map.get the_memory (p * 512 + i).
Proof. intros x p i P I. unfold memory_with, secret_word. apply Map.get_set_other. unfold is_word in I. lia. Qed.

Lemma tables_with : forall x, tables_hold the_state (Map.get (memory_with x)).
Proof.
  intro x. destruct the_tables as [T1 T2 T3 T4 T5]. constructor; intros; rewrite memory_is; auto;
    change (host_tables (cfg the_state)) with 512; try lia;
    try (intros ->; match goal with H : own the_state _ = _ |- _ => rewrite owners_are in H; discriminate end).
  - change (gib_count the_state) with 1 in H. lia.
  - destruct H as [G M]. rewrite ram_is in M. cbn [the_state cfg the_config dev_first dev_count] in M.
    assert (g = 1) as -> by lia. change (level3 the_state 1) with 514. lia.
Qed.

Lemma vttbr_with : forall x c, vttbr (hw_with x) c = if c =? 1 then 2 ^ 48 + 520 * 4096 else 512 * 4096.
Proof.
  intros x c. unfold vttbr, hw_with, the_registers, VTTBR_EL2. cbn [reg]. rewrite Map.get_set, Map.get_const.
  destruct (Z.eqb_spec c 1) as [->|]; [reflexivity|]. destruct (Z.eqb_spec (c * 128 + 41) (1 * 128 + 41)); [lia|auto].
Qed.

Lemma roots_with : forall x c, Aset the_state (root_vmid (hw_with x) c) 0 0 (root_desc (hw_with x) c).
Proof.
  intros x c. unfold root_vmid, root_desc. rewrite vttbr_with. destruct (c =? 1).
  - right. exists 0. change ((2 ^ 48 + 520 * 4096) / 2 ^ 48) with 1. change ((2 ^ 48 + 520 * 4096) mod 2 ^ 48) with (520 * 4096).
    split; [reflexivity|]. split; [unfold NIE_MAX_VMS; lia|]. left. rewrite vms_are. cbn. repeat split; discriminate.
  - left. change (512 * 4096 / 2 ^ 48) with 0. change ((512 * 4096) mod 2 ^ 48) with (512 * 4096). split; [reflexivity|]. left. auto.
Qed.

Lemma registers_with : forall x, registers_hold the_state (hw_with x).
Proof.
  intro x. constructor.
  - cbn. unfold NIE_MAX_CPUS. lia.
  - intros r H. change (here the_state) with (Map.const (512 * 4096)). unfold hw_with, the_registers. cbn [reg me].
    rewrite Map.get_set, !Map.get_const. unfold VTTBR_EL2. destruct (Z.eqb_spec (0 * 128 + r) (1 * 128 + 41)); [lia|auto].
  - intros i H. change (fp_here the_state) with (Map.const 0). unfold hw_with. cbn [fp]. now rewrite !Map.get_const.
  - intro c. rewrite vttbr_with. unfold vttbr_of, NIE_MAX_CPUS. rewrite cpus_are. destruct (Z.eqb_spec c 1) as [->|].
    + change (cpu_vm of_guest) with 0. rewrite vms_are. vm_compute. reflexivity.
    + change (cpu_vm of_host =? CPU_HOST) with true. cbn [negb]. now rewrite andb_false_r.
Qed.

Theorem starts_are_related : forall x, R the_state (Mach the_globals (hw_with x)).
Proof.
  intro x. constructor; try reflexivity; [exact the_wf|exact the_onto|exact the_globals_hold| |exact (registers_with x)|exact the_counted].
  exists (Map.get (memory_with x)). split; [|exact (tables_with x)]. pose proof (Aset_closed _ the_wf _ (tables_with x)) as C.
  constructor; cbn [C_store.hw].
  - intros e [].
  - intros e [].
  - exact (roots_with x).
  - now intros v l k d H.
  - exact C.
  - exact C.
  - apply Aset_apart, the_wf.
  - apply Aset_safe; [exact the_wf|cbn; lia|cbn; lia].
  - reflexivity.
  - intros p i d _ _ _ H. unfold visible in H. change (unseen (hw_with x)) with (@nil (Z * Z)) in H. cbn [existsb] in H.
    rewrite orb_false_r in H. apply Z.eqb_eq in H. exact H.
  - intros p [].
  - intros v y p [].
  - exact I.
  - now constructor.
Qed.

Lemma on_map : forall x v l k d, avail (hw_with x) v l k d -> Aset the_state v l k d.
Proof.
  intros x v l k d H. destruct (starts_are_related x) as [_ _ _ (m & W & _) _ _ _ _].
  exact (avail_sub _ _ _ _ _ _ _ _ _ _ W H).
Qed.

Lemma avail_with : forall x y v l k d, avail (hw_with x) v l k d -> avail (hw_with y) v l k d.
Proof.
  intros x y v l k d H. induction H as [e I|c|v l k d i d' H IH T I D S].
  - destruct I.
  - pose proof (av_root (hw_with y) c) as A. unfold root_vmid, root_desc in *. rewrite vttbr_with in A |- *. exact A.
  - refine (av_step (hw_with y) v l k d i d' IH T I D _).
    assert (N : frame d <> 523).
    { intro E. destruct (table_target _ the_wf _ _ _ _ (on_map _ _ _ _ _ H) T) as [_ [(_ & O)|(j & _ & O)]];
        rewrite owners_are, E in O; discriminate. }
    unfold visible, hw_with in *. cbn [unseen Machine.mem existsb] in *.
    rewrite memory_is in S by assumption. rewrite memory_is by assumption. exact S.
Qed.

Lemma reached_with : forall x y v p, by_other victim (start_with x) v p -> by_other victim (start_with y) v p.
Proof.
  intros x y v p (N & l & k & d & H & M). change (Step.hw (start_with x)) with (hw_with x) in H.
  split; [exact N|]. exists l, k, d. split; [|exact M]. change (Step.hw (start_with y)) with (hw_with y).
  exact (avail_with x y _ _ _ _ H).
Qed.

Lemma not_the_secret : forall x v p, by_other victim (start_with x) v p -> p <> 523.
Proof.
  intros x v p (N & l & k & d & H & M) ->. change (Step.hw (start_with x)) with (hw_with x) in H. apply on_map in H.
  destruct (Aset_maps _ the_wf _ _ _ _ _ H M) as [(_ & A)|(i & E & _ & _ & [(j & O)|(_ & O & _)])].
  - vm_compute in A. discriminate.
  - rewrite owners_are in O. injection O as <- _. now apply N.
  - rewrite owners_are in O. discriminate.
Qed.

(* For any two machines: with these at hand nothing is computed. *)
Lemma alike_if : forall (s t : Step.machine), vttbr (Step.hw s) = vttbr (Step.hw t) -> gpr s = gpr t -> fp (Step.hw s) = fp (Step.hw t) ->
  reg (Step.hw s) = reg (Step.hw t) -> (forall v p, by_other victim s v p -> by_other victim t v p) ->
  (forall v p i, by_other victim s v p -> is_word i = true ->
     Map.get (Machine.mem (Step.hw s)) (p * 512 + i) = Map.get (Machine.mem (Step.hw t)) (p * 512 + i)) ->
  forall f, observe victim s f -> observe victim t f.
Proof.
  intros s t V G F E B M [c v|c r v|c r v|c r v|v p|p i v]; cbn [observe]; unfold runs, root_vmid, Step.x, sysreg; rewrite ?V, ?G, ?F, ?E; auto.
  intros ((u & U) & I & X). split; [eauto|]. split; [exact I|]. rewrite <- (M u p i U I). exact X.
Qed.

Lemma vttbrs_are : forall x, vttbr (Step.hw (start_with x)) = fun c => Map.get the_registers (c * 128 + VTTBR_EL2).
Proof. reflexivity. Qed.
Lemma gprs_are : forall x, gpr (start_with x) = host_asks.
Proof. reflexivity. Qed.
Lemma fps_are : forall x, fp (Step.hw (start_with x)) = Map.const 0.
Proof. reflexivity. Qed.
Lemma regs_are : forall x, reg (Step.hw (start_with x)) = the_registers.
Proof. reflexivity. Qed.

Lemma words_alike : forall x y v p i, by_other victim (start_with x) v p -> is_word i = true ->
  Map.get (memory_with x) (p * 512 + i) = Map.get (memory_with y) (p * 512 + i).
Proof.
  intros x y v p i U I. pose proof (not_the_secret _ _ _ U) as N.
  exact (eq_trans (memory_is x p i N I) (eq_sym (memory_is y p i N I))).
Qed.

Lemma alike_one_way : forall x y f, observe victim (start_with x) f -> observe victim (start_with y) f.
Proof.
  intros x y.
  exact (alike_if (start_with x) (start_with y)
    (eq_trans (vttbrs_are x) (eq_sym (vttbrs_are y))) (eq_trans (gprs_are x) (eq_sym (gprs_are y)))
    (eq_trans (fps_are x) (eq_sym (fps_are y))) (eq_trans (regs_are x) (eq_sym (regs_are y)))
    (reached_with x y) (words_alike x y)).
Qed.

(** The host reaches the page afterwards; it reads there what it holds. *)

Lemma host_finds : forall P x w, found P x = tables_then w -> observe victim (after P x) (WordIs 523 7 w).
Proof.
  intros P x w F. unfold found, tables_then, reads in F. injection F as _ V M1 M2 M3 S _.
  split; [|split; [reflexivity|exact S]]. exists 0. split; [discriminate|].
  set (h := Step.hw (after P x)) in *.
  assert (A0 : avail h 0 0 0 (512 * 4096)).
  { pose proof (av_root h 0) as A. unfold root_vmid, root_desc in A. rewrite V in A. exact A. }
  assert (see : forall w d, Map.get (Machine.mem h) w = d -> visible h w d = true).
  { intros u d E. unfold visible. now rewrite E, Z.eqb_refl. }
  pose proof (av_step h 0 0 0 _ 0 (513 * 4096 + 3) A0 eq_refl eq_refl eq_refl (see _ _ M1)) as A1.
  pose proof (av_step h 0 _ _ _ 1 (514 * 4096 + 3) A1 eq_refl eq_refl eq_refl (see _ _ M2)) as A2.
  pose proof (av_step h 0 _ _ _ 11 (523 * 4096 + 2047) A2 eq_refl eq_refl eq_refl (see _ _ M3)) as A3.
  eexists _, _, _. split; [exact A3|]. split; [reflexivity|]. cbn. lia.
Qed.

Lemma it_ends : forall P x l, found P x = (true, l) -> exists g, Step.run P (start_with x) trace = Ok (after P x) g.
Proof.
  intros P x l F. unfold found, ended, after in *. destruct (Step.run P (start_with x) trace) as [t g| |]; [eauto|discriminate|discriminate].
Qed.

Lemma two_finds_refute : forall P, found P 5 = tables_then 5 -> found P 6 = tables_then 6 ->
  shown P victim (fun _ => true) (start_with 5) [] trace (start_with 5) = shown P victim (fun _ => true) (start_with 6) [] trace (start_with 6) ->
  ~ confidential starts P.
Proof.
  intros P F5 F6 S H. destruct (it_ends P 5 _ F5) as (g5 & R5). destruct (it_ends P 6 _ F6) as (g6 & R6).
  destruct (H (start_with 5) (start_with 6) victim (fun _ => true) trace trace _ _ _ _ ltac:(vm_compute; split; congruence) (ex_intro _ 5 eq_refl) (ex_intro _ 6 eq_refl)
    (fun f => conj (alike_one_way 5 6 f) (alike_one_way 6 5 f)) R5 R6 S) as [O _].
  destruct (proj1 (O (WordIs 523 7 5)) (host_finds P 5 5 F5)) as (_ & _ & E).
  destruct (host_finds P 6 6 F6) as (_ & _ & E'). rewrite E in E'. discriminate.
Qed.

Theorem scrub_leaks : ~ confidential starts (leaky Program.core).
Proof. apply two_finds_refute; vm_compute; reflexivity. Qed.

(* On the same runs the engine as it is gives zeros, whatever the secret was. *)
Theorem core_gives_zeros : found Program.core 5 = tables_then 0 /\ found Program.core 6 = tables_then 0.
Proof. split; vm_compute; reflexivity. Qed.
