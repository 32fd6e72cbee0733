(* SPDX-License-Identifier: Apache-2.0 *)
(* The whole handler: no exception of the host's tells it anything of what a VM keeps to itself; nor does the start of a CPU. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
Require nie.generated.trap.trap_deep.
From nie.lib Require Import Wp.
From nie.spec Require Import State Step Isolation.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.invariant Require Import Meaning.
From nie.proof.refine Require Import Relation statements trap_is_safe boot_is_safe.
From nie.proof.security Require Import Ranges Lockstep Alike Handler Primitives noninterference calls_tell_nothing Watched.
From nie.model Require Import C.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** On a CPU that runs the host the handler goes one way: the text without the other. *)

Definition host_way : function gvar := Function "trap" ["cpu"; "kind"]%string 1
  (Seq (Assign "result" (Cast I32 U32 (Const TRAP_RESUME)))
  (Seq (Calls [] "engine_lock" [])
  (Seq (Assign "result" (Call "host_trap" [(Var "cpu"); (Var "kind")]))
  (Seq (Calls [] "engine_unlock" [])
  (Ret [(Var "result")]))))).

Notation MACH := (mach globals (Machine.hw * log)).
Section Way.
Variable k : string -> list Z -> M MACH (list Z).
Hypothesis K : forall s r t, k "engine_lock" [] s = Some (r, t) -> C_store.glob t = C_store.glob s.

Lemma exec_if : forall a b (l : locals) c g h, l "cpu"%string = Some c -> at1 cpus_vm g c = CPU_HOST -> 0 <= c < NIE_MAX_CPUS ->
  exec load store k (If (Binop Eq U32 (Load cpus_vm [(Var "cpu")]) (Cast I32 U32 (Const CPU_HOST))) a b) l (Mach g h) = exec load store k a l (Mach g h).
Proof.
  intros a b l c g h LC H C. cbn [exec eval mapM]. unfold bind, lift, ret. rewrite LC. rewrite (load1 cpus_vm NIE_MAX_CPUS c g h) by auto.
  rewrite H. reflexivity.
Qed.
Lemma exec_seq : forall a b b' (l : locals) s, (forall l' s', exec load store k a l s = Some (Next l', s') -> exec load store k b l' s' = exec load store k b' l' s') ->
  exec load store k (Seq a b) l s = exec load store k (Seq a b') l s.
Proof. intros a b b' l s H. cbn [exec]. unfold bind. destruct (exec load store k a l s) as [[[l'|r] s']|]; auto. Qed.
Lemma exec_seq1 : forall a a' b (l : locals) s, exec load store k a l s = exec load store k a' l s ->
  exec load store k (Seq a b) l s = exec load store k (Seq a' b) l s.
Proof. intros a a' b l s H. cbn [exec]. unfold bind. now rewrite H. Qed.

Lemma one_way_only : forall c kind g h, at1 cpus_vm g c = CPU_HOST -> 0 <= c < NIE_MAX_CPUS ->
  call_body load store k trap_deep.trap_deep [c; kind] (Mach g h) = call_body load store k host_way [c; kind] (Mach g h).
Proof.
  intros c kind g h H C. unfold call_body. change (params trap_deep.trap_deep) with (params host_way). change (results trap_deep.trap_deep) with (results host_way).
  cbn [params host_way set_all option_map]. unfold bind at 1 3. unfold lift at 1 2. unfold ret at 1 3.
  match goal with |- bind (exec _ _ _ _ ?l) ?f ?s = _ => set (l0 := l); set (f0 := f) end.
  enough (E : exec load store k (body trap_deep.trap_deep) l0 (Mach g h) = exec load store k (body host_way) l0 (Mach g h)) by (unfold bind; now rewrite E).
  cbn [body trap_deep.trap_deep host_way]. apply exec_seq. intros l1 s1 E1.
  assert (L1 : l1 "cpu"%string = Some c /\ s1 = Mach g h).
  { cbn [exec eval] in E1. unfold bind, lift, ret in E1. cbn in E1. injection E1 as <- <-. split; reflexivity. }
  destruct L1 as [L1 ->]. apply exec_seq. intros l2 s2 E2.
  assert (L2 : l2 = l1 /\ C_store.glob s2 = g).
  { cbn [exec mapM] in E2. unfold bind, ret in E2. destruct (k "engine_lock"%string [] (Mach g h)) as [[r t]|] eqn:EK; [|discriminate].
    apply K in EK. unfold lift in E2. destruct r; cbn in E2; [|discriminate]. injection E2 as <- <-. auto. }
  destruct L2 as [-> G2]. destruct s2 as [g2 h2]. cbn in G2. subst g2. apply exec_seq1. eapply exec_if; eauto.
Qed.
End Way.

(** For any program whose handler is that text. *)

Definition takes_host_traps (g : globals) (c : Z) (args : list Z) : Prop :=
  manifest_ok g /\ vcpu_traps.x_ok c g /\ at1 cpus_vm g c = CPU_HOST /\ 0 <= c < NIE_MAX_CPUS /\ exists kind, args = [c; kind].
Definition starts_cpu (g : globals) (c : Z) (args : list Z) : Prop :=
  manifest_ok g /\ at1 cpus_vm g c = CPU_HOST /\ 0 <= c < NIE_MAX_CPUS /\ args = [c].

Lemma run_ends : forall P f args g h r b s', run_of P f args (Mach g h) = Some (r, s') -> R b s' ->
  exists r a' g' h' l, call P f args (Mach g (h, [])) = Some (r, Mach g' (h', l)) /\ R a' (Mach g' h').
Proof.
  intros P f args g h r b [g' h'] E HR. destruct (related_is_safe _ _ HR) as [_ O].
  destruct (watched_run P f args g h r g' h' E O) as (l & W & _). exists r, b, g', h', l. auto.
Qed.
Lemma trap_ends : forall P, trap_safe P -> ends_from (call P "trap") takes_host_traps.
Proof.
  intros P T a g h args HR UC (MO & XO & _ & _ & kind & ->). destruct (T a (Mach g h) kind HR UC MO XO) as (r & b & s' & E & _ & HB & _). eapply run_ends; eauto.
Qed.
Lemma start_ends : forall P, start_safe P -> ends_from (call P "cpu_start") starts_cpu.
Proof.
  intros P T a g h args HR UC (MO & H & C & ->). assert (HC : cpu_vm (cpu_at a (me h)) = CPU_HOST).
  { rewrite <- (h_cpu_vm _ _ _ (g_cpus _ _ (R_globals _ _ HR) _ C)). exact H. }
  destruct (T a (Mach g h) HR UC MO HC) as (b & s' & E & _ & HB & _). eapply run_ends; eauto.
Qed.

Section Program.
Variable P : program gvar.                          (* the functions below the handler *)
Variable d : bool.
Hypothesis PL : plain strength_p P.
Hypothesis LK : forallb (fun f => negb (String.eqb (fname f) "engine_lock")) P = true.
Hypothesis ST : strength_s (strength strength_p P) [] (body host_way) false = Some d.

Definition rest_does : string -> list Z -> M MACH (list Z) := den load store (prim (P := watching)) P.
Lemma lock_keeps : forall s r t, rest_does "engine_lock" [] s = Some (r, t) -> C_store.glob t = C_store.glob s.
Proof.
  intros s r t. unfold rest_does. revert LK. clear. intro LK. induction P as [|x Q IH]; cbn [den].
  - intro E. change (prim (P := watching) "engine_lock" []) with (bind (on_hw (G := globals) hw_engine_lock) (fun _ => ret (@nil Z))) in E.
    unfold bind, on_hw in E. destruct (hw_engine_lock (C_store.hw s)) as [[u h]|]; [|discriminate]. injection E as _ <-. reflexivity.
  - cbn [forallb] in LK. apply andb_prop in LK as [N LK']. destruct (String.eqb (fname x) "engine_lock"); [discriminate|]. auto.
Qed.
Definition one_trap (args : list Z) : M MACH (list Z) := call_body load store rest_does host_way args.
Lemma one_trap_stays : stays_in_step one_trap.
Proof.
  intros w c0 O same args V. exists d. unfold one_trap, rest_does.
  pose proof (lock_den (Handler.Rel w c0 O same) le (Handler.Pre w O same) le_refl le_trans (Pre_le w O same) (Rel_weak w c0 O same) load store (prim (P := watching)) strength_p
    (loads_lock w c0 O same) (stores_lock w c0 O same) (prims_lock w V c0 O same) (small_lock w V c0 O same) (zero_lock w V c0 O same) P PL) as (L1 & L2 & L3).
  eapply (lock_body (Handler.Rel w c0 O same) le (Handler.Pre w O same) le_refl le_trans (Pre_le w O same) (Rel_weak w c0 O same) load store (loads_lock w c0 O same) (stores_lock w c0 O same)
    (den load store (prim (P := watching)) P) (strength strength_p P) L1 L2 L3); exact ST.
Qed.
Lemma trap_is_one : forall g c h l args, takes_host_traps g c args -> call (trap_deep.trap_deep :: P) "trap" args (Mach g (h, l)) = one_trap args (Mach g (h, l)).
Proof.
  intros g c h l args (_ & _ & H & C & kind & ->). unfold one_trap. rewrite <- (one_way_only rest_does lock_keeps c kind g (h, l) H C). reflexivity.
Qed.

Theorem host_traps_keep_step : trap_safe (trap_deep.trap_deep :: P) -> keeps_step (call (trap_deep.trap_deep :: P) "trap") takes_host_traps.
Proof.
  intros T same a w g h1 h2 T0 Cs0 args r1 r2 g1 g2 h1' h2' l1 l2 VW PA R1 U1 AL TO CO C1 C2 TL F1 F2.
  rewrite (trap_is_one g (me h1)) in C1, C2 by exact PA.
  refine (one_way one_trap takes_host_traps _ one_trap_stays same a w g h1 h2 T0 Cs0 args r1 r2 g1 g2 h1' h2' l1 l2 VW PA R1 U1 AL TO CO C1 C2 TL F1 F2).
  intros b g' h args' HR UC PA'. destruct (trap_ends _ T b g' h args' HR UC PA') as (r & a' & g2' & h' & l & E & HR'). rewrite (trap_is_one g' (me h)) in E by exact PA'. eauto 8.
Qed.
Theorem host_traps_hide : trap_safe (trap_deep.trap_deep :: P) -> hides (call (trap_deep.trap_deep :: P) "trap") takes_host_traps.
Proof.
  intros T a w g h1 h2 args r1 r2 g1 g2 h1' h2' l1 l2 VW PA R1 R2 U1 U2 AL ME C1 C2 TL F1 F2.
  rewrite (trap_is_one g (me h1)) in C1, C2 by exact PA.
  refine (it_hides one_trap takes_host_traps _ one_trap_stays a w g h1 h2 args r1 r2 g1 g2 h1' h2' l1 l2 VW PA R1 R2 U1 U2 AL ME C1 C2 TL F1 F2).
  intros b g' h args' HR UC PA'. destruct (trap_ends _ T b g' h args' HR UC PA') as (r & a' & g2' & h' & l & E & HR'). rewrite (trap_is_one g' (me h)) in E by exact PA'. eauto 8.
Qed.
End Program.

(** The core. *)

Definition below : program gvar := tl Program.core.
Lemma core_is : Program.core = trap_deep.trap_deep :: below.
Proof. reflexivity. Qed.
Lemma below_in_step : strength_s (strength strength_p below) [] (body host_way) false = Some true.
Proof. vm_compute. reflexivity. Qed.
Lemma below_locks : forallb (fun f => negb (String.eqb (fname f) "engine_lock")) below = true.
Proof. vm_compute. reflexivity. Qed.
Lemma core_plain : forallb is_plain Program.core = true /\ forallb is_plain below = true.
Proof. split; vm_compute; reflexivity. Qed.
Lemma start_in_step : strength strength_p Program.core "cpu_start" false = Some true.
Proof. vm_compute. reflexivity. Qed.

Theorem host_traps_in_step : keeps_step (call Program.core "trap") takes_host_traps.
Proof.
  rewrite core_is. apply (host_traps_keep_step below true (plain_if _ (proj2 core_plain)) below_locks below_in_step). rewrite <- core_is. exact Theorems.trap_is_safe.
Qed.
Theorem starts_in_step : keeps_step (call Program.core "cpu_start") starts_cpu.
Proof. exact (one_way _ _ (start_ends _ Theorems.start_is_safe) (call_stays _ _ _ (plain_if _ (proj1 core_plain)) start_in_step)). Qed.

(* Whatever exception it is: each of the calls, VCPU_RUN of the victim and of others too, PSCI, aborts, trapped registers. *)
Theorem host_traps_tell_nothing : hides (call Program.core "trap") takes_host_traps.
Proof.
  rewrite core_is. apply (host_traps_hide below true (plain_if _ (proj2 core_plain)) below_locks below_in_step). rewrite <- core_is. exact Theorems.trap_is_safe.
Qed.
Theorem starts_tell_nothing : hides (call Program.core "cpu_start") starts_cpu.
Proof. exact (it_hides _ _ (start_ends _ Theorems.start_is_safe) (call_stays _ _ _ (plain_if _ (proj1 core_plain)) start_in_step)). Qed.
