(* SPDX-License-Identifier: Apache-2.0 *)
(* A PAGE_ADD_ZERO from exception to return, watched: each word of the pages is what the log of all of it makes of 0 by the VM's own
   stores. Before the call no VM reaches the pages; after it nobody but this one. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Registers Donation.
From nie.spec.call Require page_add_zero.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.trap_h nie.generated.trap.trap nie.generated.call.host_call nie.generated.call.page_add_zero.
From nie.generated Require Program.
From nie.spec Require Import Core Step Kept.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding.
From nie.proof.refine Require Import page_kept_log page_shown_log page_shown_moment page_shown_zero.
From nie.proof.refine Require Import statements trap_statement page_shown_map Standing Exact inject_exact host_call_exact host_call_refines host_trap_exact trap_exact.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Open Scope list_scope.

Lemma host_unreached : forall a T h q v, wf a -> bounded (Aset a) T h -> in_ram a q = true -> own a q = Host -> 0 <= v -> ~ reached h (v + 1) q.
Proof.
  intros a T h q v W B R O V H. destruct (bounded_reached _ _ _ _ _ B H) as (l & k & d & A & M).
  destruct (Aset_maps _ W _ _ _ _ _ A M) as [(E & _)|(i & _ & _ & _ & [(j & E)|(_ & E & _)])]; [lia|congruence|congruence].
Qed.

Section Trap.
Variables (a : state) (gl : globals) (h : Machine.hw).
Let c := me h.
Notation x := (Registers.x_of a c).
Hypothesis HR : R a (Mach gl h).
Hypothesis XO : x_ok c gl.
Hypothesis HO : cpu_vm (cpu_at a c) = CPU_HOST.
Hypothesis EC : Registers.exception_class (Registers.reg_of a REG_ESR_EL2) = EC_HVC64.
Hypothesis FN : x 0 mod 2 ^ 32 = NIE_PAGE_ADD_ZERO.
Let l0 := way h ++ way (others h).

(* The way to the call and back: two primitives, registers, and one more primitive. *)
Lemma watched_calls : forall r g1 h1 l1,
  @call_page_add_zero _ watching (x 1) (x 2) (x 3) (x 4) (x 5) (Mach gl (others (others h), l0)) = Some (r, Mach g1 (h1, l1)) ->
  wp (@trap _ watching c TRAP_SYNC) (fun _ m => C_store.hw m = (others h1, l1 ++ way h1)) (Mach gl (h, [])).
Proof.
  intros r g1 h1 l1 E. pose proof (stands_now a _ HR) as A0. pose proof (at_moment _ _ _ _ _ A0) as A. cbn [C_store.hw] in A0, A. fold c in A0, A.
  pose proof (at_cpu _ _ _ _ _ A) as C. pose proof C as C8. unfold NIE_MAX_CPUS in C8.
  unfold trap. apply wp_bind. apply wp_ret. apply wp_bind.
  change (wp engine_lock) with (fun (Q : unit -> mach globals (Machine.hw * log) -> Prop) s => Q tt (Mach (C_store.glob s) (others (fst (C_store.hw s)), snd (C_store.hw s) ++ way (fst (C_store.hw s))))). cbn beta. cbn [C_store.glob C_store.hw fst snd app].
  apply wp_bind. eapply wp_load1; [reflexivity|exact C8|]. cbn beta.
  pose proof (h_cpu_vm _ _ _ (g_cpus _ _ (at_globals _ _ _ _ _ A) c C)) as EV. cbn [C_store.glob a_moment] in EV. rewrite EV, HO. clear EV.
  change (CPU_HOST =? CPU_HOST) with true. cbn iota. apply wp_bind. apply wp_bind. unfold host_trap. apply wp_bind.
  assert (ES : wp (@sysreg_read _ watching REG_ESR_EL2) (fun v s' => v = Registers.reg_of a REG_ESR_EL2 /\ s' = Mach gl (others (others h), l0)) (Mach gl (others h, way h))).
  { assert (K : wp (@sysreg_read _ Core.machine REG_ESR_EL2) (fun v s' => v = Registers.reg_of a REG_ESR_EL2) (Mach gl (others h))).
    { eapply at_read; [exact A|vm_compute; split; congruence|]. auto. }
    unfold wp in K |- *. change (@sysreg_read _ Core.machine REG_ESR_EL2 (Mach gl (others h))) with (Some (Map.get (reg (others (others h))) (me (others (others h)) * 128 + REG_ESR_EL2), Mach gl (others (others h)))) in K.
    change (@sysreg_read _ watching REG_ESR_EL2 (Mach gl (others h, way h))) with (Some (Map.get (reg (others (others h))) (me (others (others h)) * 128 + REG_ESR_EL2), Mach gl (others (others h), way h ++ way (others h)))).
    cbn beta iota in *. split; [exact K|reflexivity]. }
  eapply wp_weaken; [exact ES|]. cbn beta. intros v s2 (-> & ->). change (negb (TRAP_SYNC =? TRAP_SYNC)) with false. cbn iota.
  assert (CL : forall st : mach globals (Machine.hw * log), exception_class (Registers.reg_of a REG_ESR_EL2) st = Some (EC_HVC64, st)).
  { intro st. pose proof (class_run (Registers.reg_of a REG_ESR_EL2) (Mach gl h)) as K. unfold exception_class, ret in *. injection K as K. now rewrite K, EC. }
  apply wp_bind. eapply wp_known; [apply CL|]. cbn beta. change (EC_HVC64 =? EC_HVC64) with true. cbn iota. apply wp_bind.
  pose proof (R_moment _ _ (proj1 (R_moment _ _ HR))) as [HR1 _]. cbn [a_moment C_store.glob C_store.hw] in HR1.
  assert (M1 : me (others (others h)) = c) by exact (sd_me _ _ _ _ _ (at_moment _ _ _ _ _ A)).
  pose proof (x_here a _ HR1) as XH. cbn [C_store.hw C_store.glob a_moment] in XH. rewrite M1 in XH.
  unfold host_call. load XH. apply wp_bind. apply wp_ret. change 4294967295 with (Z.ones 32). rewrite Z.land_ones by lia. rewrite FN.
  change (NIE_PAGE_ADD_ZERO =? NIE_VERSION) with false. change (NIE_PAGE_ADD_ZERO =? NIE_VM_INFO) with false. change (NIE_PAGE_ADD_ZERO =? NIE_VCPU_RUN) with false.
  change (((NIE_PAGE_ADD_ZERO =? NIE_VM_DESTROY) || (NIE_PAGE_ADD_ZERO =? NIE_VCPU_DESTROY)) || (NIE_PAGE_ADD_ZERO =? NIE_TABLE_REMOVE) || (NIE_PAGE_ADD_ZERO =? NIE_PAGE_REMOVE))%bool with false.
  cbn iota. apply wp_bind. unfold call_simple. apply wp_bind.
  assert (IX : index 8 c = ret (S := mach globals (Machine.hw * log)) c) by (unfold index; now replace ((0 <=? c) && (c <? 8))%bool with true by lia). rewrite IX. apply wp_ret.
  change (NIE_PAGE_ADD_ZERO =? NIE_VM_CREATE) with false. change (NIE_PAGE_ADD_ZERO =? NIE_VM_ACTIVATE) with false. change (NIE_PAGE_ADD_ZERO =? NIE_VM_STOP) with false.
  change (NIE_PAGE_ADD_ZERO =? NIE_VCPU_CREATE) with false. change (NIE_PAGE_ADD_ZERO =? NIE_TABLE_ADD) with false. change (NIE_PAGE_ADD_ZERO =? NIE_PAGE_ADD) with false.
  change (NIE_PAGE_ADD_ZERO =? NIE_PAGE_ADD_ZERO) with true. cbn iota.
  loads XH. apply wp_bind. eapply wp_known; [exact E|]. apply wp_ret. apply wp_bind. eapply x_store2; [reflexivity|lia|lia|]. apply wp_ret. apply wp_ret. apply wp_ret.
  apply wp_bind. change (wp engine_unlock) with (fun (Q : unit -> mach globals (Machine.hw * log) -> Prop) s => Q tt (Mach (C_store.glob s) (others (fst (C_store.hw s)), snd (C_store.hw s) ++ way (fst (C_store.hw s))))). cbn beta. apply wp_ret. reflexivity.
Qed.

Notation first := (State.page_of (x 3)).
Hypothesis OK : spec_zero_check a (x 1) (x 2) (x 3) (x 4) (x 5) = NIE_OK.
Theorem page_add_zero_kept : exists r g1 h1 g, @trap _ watching c TRAP_SYNC (Mach gl (h, [])) = Some (r, Mach g1 (h1, g)) /\
  forall i, 0 <= i < x 4 -> kept_from (x 1 + 1) (first + i) (fun _ => 0) g h1.
Proof.
  pose proof (R_moment _ _ (proj1 (R_moment _ _ HR))) as [HR1 _]. cbn [a_moment C_store.glob C_store.hw] in HR1.
  assert (XU : forall k, 0 <= k < 31 -> 0 <= x k < 2 ^ 64).
  { intros k K. pose proof (x_here a _ HR k K) as Q. cbn [C_store.hw C_store.glob] in Q. fold c in Q. rewrite <- Q. now apply XO. }
  destruct (zero_shown a gl _ (x 1) (x 2) (x 3) (x 4) (x 5) HR1 (XU 1 ltac:(lia)) (XU 2 ltac:(lia)) (XU 3 ltac:(lia)) (XU 4 ltac:(lia)) (XU 5 ltac:(lia)) OK l0) as
    (g' & h' & before & after & RUN & RZ & SH & BE & AF).
  pose proof (zero_adds a gl _ (x 1) (x 2) (x 3) (x 4) (x 5) HR1 (XU 1 ltac:(lia)) (XU 2 ltac:(lia)) (XU 3 ltac:(lia)) (XU 4 ltac:(lia)) (XU 5 ltac:(lia)) OK) as AD.
  destruct (zero_checked a (x 1) (x 2) (x 3) (x 4) (x 5) OK) as (ST & V & PL).
  pose proof (watched_calls _ _ _ _ RUN) as TE. unfold wp in TE. destruct (@trap _ watching c TRAP_SYNC (Mach gl (h, []))) as [[r [g1 [h1 g]]]|]; [|contradiction].
  cbn [C_store.hw] in TE. injection TE as -> ->. exists r, g1, (others h'), ((l0 ++ before ++ after) ++ way h'). split; [reflexivity|].
  intros i I w W. destruct (R_hw _ _ HR) as (m0 & W0 & _). destruct (R_hw _ _ RZ) as (mz & WZ & _). cbn [C_store.hw] in *.
  pose proof (bounded_way _ _ _ (world_bounded _ _ _ _ _ _ W0)) as [B1 B2]. pose proof (bounded_way _ _ _ B2) as [B3 _].
  pose proof (bounded_way _ _ _ (world_bounded _ _ _ _ _ _ WZ)) as [B4 _]. rewrite Forall_forall in B1, B3, B4.
  destruct (placement_ok a (x 1) (x 2) (x 3) (x 4) (R_wf _ _ HR) (XU 2 ltac:(lia)) (XU 3 ltac:(lia)) PL) as (_ & _ & _ & _ & _ & _ & F7). destruct (F7 i I) as [RA OA].
  set (z := snd _) in RZ, AD, WZ, B4. cbv zeta in AD.
  assert (exists N l e, adds a z (x 1) (State.page_of (x 2)) first (x 4) N l e) as (N & l & e & AZ) by (destruct (x 5 =? LEVEL_PAGE); eauto).
  destruct (ad_own _ _ _ _ _ _ _ _ _ AZ (first + i)) as (RQ & y & OQ); [unfold Hidden.given; lia|].
  destruct (SH (first + i)) as [_ K]; [unfold Hidden.given; lia|].
  rewrite (way_kept (x 1 + 1) (first + i) w W h').
  - rewrite (K w W). unfold after_log. rewrite !fold_left_app. f_equal. f_equal. f_equal.
    assert (U : after_log (x 1 + 1) (first + i) w l0 0 = 0); [|unfold after_log, l0 in U; rewrite fold_left_app in U; now rewrite U].
    apply unreached_log. intros n J. apply in_app_or in J as [J|J]; eapply host_unreached; eauto using R_wf; lia.
  - intros n J v RE. exact (data_reached _ _ _ _ _ _ _ (R_wf _ _ RZ) (B4 n J) RQ OQ RE).
Qed.
End Trap.
