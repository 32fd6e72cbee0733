(* SPDX-License-Identifier: Apache-2.0 *)
(* A PAGE_ADD from exception to return: what was measured is what the pages hold when the host goes on. Nobody can store to them meanwhile:
   a VM that is being built runs nowhere. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Registers.
From nie.spec.call Require page_add.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.donate nie.generated.trap.trap nie.generated.call.host_call nie.generated.call.page_add.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding.
From nie.proof.refine Require Import page_shown_log page_shown_statement page_shown_moment page_shown_measured.
From nie.proof.refine Require Import statements trap_statement page_shown_map Standing Exact inject_exact host_call_exact host_call_refines host_trap_exact trap_exact.
From nie.proof.security Require Calm.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.

(* Others, as long as none of them can use the page. *)
Lemma others_hold : forall h0 A m V p c, (forall h, world h0 A A m V h -> ~ in_use p h) ->
  forall h, world h0 A A m V h -> holds p c h -> holds p c (others h).
Proof.
  intros h0 A m V p c NU h W H. assert (G : forall l h, world h0 A A m V h -> holds p c h -> holds p c (fold_left (fun h a => met (act_step a h)) l h)).
  { induction l as [|a l IH]; intros h1 W1 H1; cbn [fold_left]; [exact H1|]. apply IH; [now apply world_met, world_act|]. exact (act_holds p c a h1 (NU h1 W1) H1). }
  unfold others. destruct (during h) as [|l rest]; [exact H|]. apply G; [now apply world_met, world_during|exact H].
Qed.
Lemma idle_unused : forall a h0 p v x, wf a -> registers_hold a h0 -> in_ram a p = true -> own a p = Data v x ->
  (forall c, 0 <= c < NIE_MAX_CPUS -> cpu_vm (cpu_at a c) <> v) -> 0 <= v ->
  forall m V h, world h0 (Aset a) (Aset a) m V h -> ~ in_use p h.
Proof.
  intros a h0 p v x WF RG I O NR V0 m V h W (d & l & k & de & AV & M). pose proof (avail_sub _ _ _ _ _ _ _ _ _ _ W AV) as S.
  assert (E : root_vmid h d = v + 1).
  { destruct (Aset_maps _ WF _ _ _ _ _ S M) as [(_ & E)|(i & -> & _ & _ & [(j & E)|(_ & E & _)])]; [|congruence|congruence].
    unfold host_may_access in E. now rewrite I, O in E. }
  unfold root_vmid in E. rewrite (f_vttbr _ _ (w_frame _ _ _ _ _ _ W)), (r_vttbr _ _ RG) in E. apply vmid_of_cpu in E as [K E]; auto. now apply (NR d).
Qed.

Section Trap.
Variables (a : state) (s : mach globals Machine.hw).
Let c := me (hw s).
Notation x := (Registers.x_of a c).
Notation first := (State.page_of (x 3)).
Hypothesis HR : R a s.
Hypothesis XO : x_ok c (glob s).
Hypothesis HO : cpu_vm (cpu_at a c) = CPU_HOST.
Hypothesis EC : Registers.exception_class (Registers.reg_of a REG_ESR_EL2) = EC_HVC64.
Hypothesis FN : x 0 mod 2 ^ 32 = NIE_PAGE_ADD.
Let s1 := a_moment (a_moment s).

(* The way to the call and back: two primitives, registers, and one more primitive. *)
Lemma trap_calls : forall g1 h1, call_page_add (x 1) (x 2) (x 3) (x 4) s1 = Some (NIE_OK, Mach g1 h1) ->
  wp (trap c TRAP_SYNC) (fun _ m => hw m = others h1) s.
Proof.
  intros g1 h1 E. pose proof (stands_now a s HR) as A0. pose proof (at_moment _ _ _ _ _ A0) as A. fold c in A0, A. pose proof (at_cpu _ _ _ _ _ A) as C. pose proof C as C8. unfold NIE_MAX_CPUS in C8.
  unfold trap. apply wp_bind. apply wp_ret. apply wp_bind.
  change (wp engine_lock) with (fun (Q : unit -> MACH -> Prop) s => Q tt (a_moment s)). cbn beta.
  apply wp_bind. unfold s1 in E. destruct (a_moment s) as [gl0 h0] eqn:E1. eapply wp_load1; [reflexivity|exact C8|]. cbn beta.
  pose proof (h_cpu_vm _ _ _ (g_cpus _ _ (at_globals _ _ _ _ _ A) c C)) as EV. cbn [glob] in EV. rewrite EV, HO. clear EV.
  change (CPU_HOST =? CPU_HOST) with true. cbn iota. apply wp_bind. apply wp_bind. unfold host_trap. apply wp_bind.
  assert (ES : wp (sysreg_read REG_ESR_EL2) (fun v s' => v = Registers.reg_of a REG_ESR_EL2 /\ s' = a_moment (Mach gl0 h0)) (Mach gl0 h0)).
  { assert (K : wp (sysreg_read REG_ESR_EL2) (fun v s' => v = Registers.reg_of a REG_ESR_EL2) (Mach gl0 h0)).
    { eapply at_read; [exact A|vm_compute; split; congruence|]. auto. }
    unfold wp in K |- *. change (sysreg_read REG_ESR_EL2 (Mach gl0 h0)) with (Some (Map.get (reg (others h0)) (me (others h0) * 128 + REG_ESR_EL2), a_moment (Mach gl0 h0))) in *.
    split; [exact K|reflexivity]. }
  eapply wp_weaken; [exact ES|]. cbn beta. intros v s2 (-> & E2). change (negb (TRAP_SYNC =? TRAP_SYNC)) with false. cbn iota.
  apply wp_bind. eapply wp_known; [apply class_run|]. cbn beta. rewrite EC. change (EC_HVC64 =? EC_HVC64) with true. cbn iota. apply wp_bind.
  pose proof (R_moment _ _ (proj1 (R_moment _ _ HR))) as [HR1 _]. rewrite E1, <- E2 in HR1. rewrite <- E2 in E.
  assert (M1 : me (hw s2) = c) by (rewrite E2; exact (sd_me _ _ _ _ _ (at_moment _ _ _ _ _ A))).
  destruct s2 as [gl h]. cbn [hw glob] in *. pose proof (x_here a _ HR1) as XH. cbn [hw glob] in XH. rewrite M1 in XH.
  unfold host_call. load XH. apply wp_bind. apply wp_ret. change 4294967295 with (Z.ones 32). rewrite Z.land_ones by lia. rewrite FN.
  change (NIE_PAGE_ADD =? NIE_VERSION) with false. change (NIE_PAGE_ADD =? NIE_VM_INFO) with false. change (NIE_PAGE_ADD =? NIE_VCPU_RUN) with false.
  change (((NIE_PAGE_ADD =? NIE_VM_DESTROY) || (NIE_PAGE_ADD =? NIE_VCPU_DESTROY)) || (NIE_PAGE_ADD =? NIE_TABLE_REMOVE) || (NIE_PAGE_ADD =? NIE_PAGE_REMOVE))%bool with false.
  cbn iota. apply wp_bind. unfold call_simple. apply wp_bind.
  assert (IX : index 8 c = ret (S := MACH) c) by (unfold index; now replace ((0 <=? c) && (c <? 8))%bool with true by lia). rewrite IX. apply wp_ret.
  change (NIE_PAGE_ADD =? NIE_VM_CREATE) with false. change (NIE_PAGE_ADD =? NIE_VM_ACTIVATE) with false. change (NIE_PAGE_ADD =? NIE_VM_STOP) with false.
  change (NIE_PAGE_ADD =? NIE_VCPU_CREATE) with false. change (NIE_PAGE_ADD =? NIE_TABLE_ADD) with false. change (NIE_PAGE_ADD =? NIE_PAGE_ADD) with true. cbn iota.
  loads XH. apply wp_bind. eapply wp_known; [exact E|]. apply wp_ret. apply wp_bind. eapply x_store2; [reflexivity|lia|lia|]. apply wp_ret. apply wp_ret. apply wp_ret.
  apply wp_bind. change (wp engine_unlock) with (fun (Q : unit -> MACH -> Prop) s => Q tt (a_moment s)). cbn beta. apply wp_ret. reflexivity.
Qed.

(* The premises of the call are met, and its VM runs nowhere. *)
Hypothesis OK : nie.spec.call.page_add.page_add_check a (x 1) (x 2) (x 3) (x 4) = NIE_OK.
Hypothesis NR : forall k, 0 <= k < NIE_MAX_CPUS -> cpu_vm (cpu_at a k) <> x 1.
Definition taken (content : Z -> Z -> Z) : Prop := forall s0 s2, page_add_check (x 1) (x 2) (x 3) (x 4) s1 = Some (NIE_OK, s0) ->
  donate (x 1) first (x 4) GRANULE_DATA (x 1) 0 0 (State.page_of (x 2)) s0 = Some (tt, s2) ->
  forall i w, 0 <= i < x 4 -> is_word w = true -> content (first + i) w = Map.get (Machine.mem (hw s2)) ((first + i) * 512 + w).
Theorem page_add_ends : exists r m, trap c TRAP_SYNC s = Some (r, m) /\ forall content, taken content ->
  forall i w, 0 <= i < x 4 -> is_word w = true -> content (first + i) w = Map.get (Machine.mem (hw m)) ((first + i) * 512 + w).
Proof.
  pose proof (R_moment _ _ (proj1 (R_moment _ _ HR))) as [HR1 _]. fold s1 in HR1.
  assert (XU : forall k, 0 <= k < 31 -> 0 <= x k < 2 ^ 64).
  { intros k K. pose proof (x_here a s HR k K) as Q. fold c in Q. rewrite <- Q. now apply XO. }
  destruct (measured_shown a (glob s) (others (others (hw s))) (x 1) (x 2) (x 3) (x 4) HR1 (XU 1 ltac:(lia)) (XU 2 ltac:(lia)) (XU 3 ltac:(lia)) (XU 4 ltac:(lia)) OK []) as
    (c1 & g' & h' & before & after & _ & RZ & RUN & (s0 & s2 & E0 & E2 & RT) & SH & _).
  pose proof (trap_calls g' h' RUN) as TE. unfold wp in TE. destruct (trap c TRAP_SYNC s) as [[r m]|]; [|contradiction]. exists r, m. split; [reflexivity|].
  intros content TK i w I W. rewrite TE, (TK s0 s2 E0 E2 i w I W). destruct (RT i I) as [_ C1]. rewrite <- C1 by exact W.
  destruct (SH i I) as (_ & _ & _ & _ & HL). specialize (HL NR (h', None) ltac:(apply in_or_app; right; left; reflexivity)). cbn [fst] in HL.
  pose proof (add_adds a (glob s) (others (others (hw s))) (x 1) (x 2) (x 3) (x 4) HR1 (XU 1 ltac:(lia)) (XU 2 ltac:(lia)) (XU 3 ltac:(lia)) (XU 4 ltac:(lia)) OK c1) as AD.
  set (z := snd _) in RZ, AD. destruct (ad_own _ _ _ _ _ _ _ _ _ AD (first + i)) as (RQ & y & OQ); [unfold Hidden.given; lia|].
  destruct (R_hw _ _ RZ) as (mm & WZ & _). cbn [hw] in WZ. symmetry.
  refine (others_hold h' (Aset z) mm (now mm) (first + i) (c1 i) _ h' WZ HL w W).
  intros h1 W1. refine (idle_unused z h' (first + i) (x 1) y (R_wf _ _ RZ) (R_regs _ _ RZ) RQ OQ _ _ _ _ h1 W1).
  - intros k K. pose proof (Calm.ca_cpus _ _ (Calm.page_add_calm (x 1) (x 2) (x 3) (x 4) c1 a) k) as Q. unfold Calm.run_view in Q. injection Q as Q _. fold z in Q. rewrite Q. now apply NR.
  - apply (XU 1). lia.
Qed.
End Trap.

(* Of a program: whatever content the specification follows a run with, as long as it is what the engine took. *)
Definition page_add_holds (P : program gvar) : Prop := forall a s content r m, let c := me (hw s) in let x := Registers.x_of a c in let first := State.page_of (x 3) in
  R a s -> x_ok c (glob s) -> cpu_vm (cpu_at a c) = CPU_HOST -> Registers.exception_class (Registers.reg_of a REG_ESR_EL2) = EC_HVC64 -> x 0 mod 2 ^ 32 = NIE_PAGE_ADD ->
  nie.spec.call.page_add.page_add_check a (x 1) (x 2) (x 3) (x 4) = NIE_OK -> (forall k, 0 <= k < NIE_MAX_CPUS -> cpu_vm (cpu_at a k) <> x 1) ->
  run_of P "trap" [c; TRAP_SYNC] s = Some (r, m) -> measures_held P a TRAP_SYNC s content ->
  forall i w, 0 <= i < x 4 -> is_word w = true -> content (first + i) w = Map.get (Machine.mem (hw m)) ((first + i) * 512 + w).
Theorem core_page_add_holds : page_add_holds Program.core.
Proof.
  intros a s content r m c x first HR XO HO EC FN OK NR T MH i w I W.
  destruct (page_add_ends a s HR XO HO EC FN OK NR) as (r0 & m0 & T0 & H). fold c in T0.
  pose proof (Program.core_means "trap"%string nie.generated.trap.trap.trap_sem eq_refl [c; TRAP_SYNC] s r0 m0 T0) as T1.
  assert (T2 : run_of Program.core "trap" [c; TRAP_SYNC] s = Some ([r0], m0)) by exact T1. clear T1.
  rewrite T in T2. injection T2 as _ ->. apply H; auto. clear H T T0.
  assert (ST : fst (nie.spec.call.page_add.page_add (x 1) (x 2) (x 3) (x 4) (fun i => content (first + i)) a) = NIE_OK).
  { unfold nie.spec.call.page_add.page_add. cbv zeta. rewrite OK. reflexivity. }
  destruct (MH HO eq_refl EC FN ST) as (t0 & t2 & F0 & F2 & FT). intros s0 s2 E0 E2 j k J K. fold c in E0, E2.
  assert (D0 : run_of Program.core "page_add_check" [x 1; x 2; x 3; x 4] (a_moment (a_moment s)) = Some ([NIE_OK], s0))
    by exact (Program.core_means "page_add_check"%string nie.generated.call.page_add.page_add_check_sem eq_refl [x 1; x 2; x 3; x 4] _ NIE_OK s0 E0).
  assert (G0 : run_of Program.core "page_add_check" [x 1; x 2; x 3; x 4] (a_moment (a_moment s)) = Some ([NIE_OK], t0)) by exact F0. clear F0. rename G0 into F0.
  revert F2 D0 F0. generalize (run_of Program.core "page_add_check" [x 1; x 2; x 3; x 4] (a_moment (a_moment s))). intros o F2 D0 F0. rewrite D0 in F0. injection F0 as <-.
  assert (D2 : run_of Program.core "donate" [x 1; first; x 4; GRANULE_DATA; x 1; 0; 0; State.page_of (x 2)] s0 = Some ([], s2))
    by exact (Program.core_means "donate"%string nie.generated.state.donate.donate_sem eq_refl [x 1; first; x 4; GRANULE_DATA; x 1; 0; 0; State.page_of (x 2)] s0 tt s2 E2).
  assert (G2 : run_of Program.core "donate" [x 1; first; x 4; GRANULE_DATA; x 1; 0; 0; State.page_of (x 2)] s0 = Some ([], t2)) by exact F2. clear F2. rename G2 into F2.
  revert D2 F2. generalize (run_of Program.core "donate" [x 1; first; x 4; GRANULE_DATA; x 1; 0; 0; State.page_of (x 2)] s0). intros o2 D2 F2. rewrite D2 in F2. injection F2 as <-.
  destruct (FT j J) as [_ C]. apply C. exact K.
Qed.
