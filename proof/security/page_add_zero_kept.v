(* SPDX-License-Identifier: Apache-2.0 *)
(* A PAGE_ADD_ZERO from exception to return, watched: each word of the pages is what the log of all of it makes of 0 by the VM's own
   stores. Before the call no VM reaches the pages; after it nobody but this one. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Registers Donation.
From nie.spec.call Require page_add_zero page_add.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.trap_h nie.generated.trap.trap nie.generated.call.host_call nie.generated.call.page_add_zero nie.generated.call.page_add.
From nie.generated Require Program.
From nie.spec Require Import Core Step Kept.
From nie.spec Require Isolation.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding.
From nie.proof.refine Require Import page_kept_log page_shown_log page_shown_moment page_shown_zero page_shown_measured.
From nie.proof.refine Require Import statements trap_statement page_shown_map Standing Exact inject_exact host_call_exact host_call_refines host_trap_exact trap_exact.
From nie.proof.security Require Import core_is_safe kept_words claim_kept Places.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Open Scope list_scope.

Lemma host_unreached : forall a T h q v, wf a -> bounded (Aset a) T h -> in_ram a q = true -> own a q = Host -> 0 <= v -> ~ reached h (v + 1) q.
Proof.
  intros a T h q v W B R O V H. destruct (bounded_reached _ _ _ _ _ B H) as (l & k & d & A & M).
  destruct (Aset_maps _ W _ _ _ _ _ A M) as [(E & _)|(i & _ & _ & _ & [(j & E)|(_ & E & _)])]; [lia|congruence|congruence].
Qed.

Lemma after_app : forall v p i g g' w, after_log v p i (g ++ g') w = after_log v p i g' (after_log v p i g w).
Proof. intros. unfold after_log. apply fold_left_app. Qed.

(** Where stores went. *)

Lemma ipa_app : forall v x p g g', at_its_ipa v x p g -> at_its_ipa v x p g' -> at_its_ipa v x p (g ++ g').
Proof. intros v x p g g' H H' h n o j u e IN. apply in_app_or in IN as [IN|IN]; [apply (H h n o j u e IN)|apply (H' h n o j u e IN)]. Qed.
(* As the bound has it that holds of all states. *)
Lemma ipa_bounded : forall (A : aset) T v x p g, Forall (fun n => bounded A T (fst n)) g ->
  (forall l k d x' p', A (v + 1) l k d -> leads l k d x' p' -> (p' = p <-> x' = x)) -> at_its_ipa v x p g.
Proof.
  intros A T v x p g F H h n o j u e IN E V ST. rewrite Forall_forall in F. specialize (F _ IN). cbn [fst] in F. unfold Isolation.stores in ST. rewrite E in ST.
  repeat match goal with H : (_ && _)%bool = true |- _ => apply andb_prop in H as [H ?] end.
  apply (H (Machine.level e) (Machine.key e) (Machine.desc e)); [rewrite <- V; apply (b_tlb _ _ _ F); eapply nth_error_In; eauto|]. apply entry_leads; [assumption|lia].
Qed.
(* While the page is the host's and nothing is at its IPA page, no store is either. *)
Lemma leads_nowhere : forall a v x p l k d x' p', wf a -> 0 <= v -> x < 2 ^ 26 -> own a p = Host -> at_ipa a v x = Nothing -> Aset a (v + 1) l k d -> leads l k d x' p' -> (p' = p <-> x' = x).
Proof.
  intros a v x p l k d x' p' W V X O N A L. destruct A as [(? & _)|(j & E & J & A)]; [lia|]. assert (j = v) by lia. subst j. clear E.
  destruct A as [(-> & _)|(LL & -> & D)]; [apply leads_maps, maps_level in L; lia|]. destruct (vm_leads a W _ _ _ _ _ L D) as (R & C). split.
  - intros ->. exfalso. destruct C as [(_ & O')|[(_ & _ & _ & O' & _)|(_ & O')]]; congruence.
  - intros ->. exfalso. unfold at_ipa in N. destruct C as [(S & _)|[(_ & _ & _ & _ & X')|(S & _)]]; [now rewrite S in N|lia|]. rewrite S in N.
    destruct (slot_at a v 3 x); discriminate N.
Qed.

Lemma watched_class : forall e (s : mach globals (Machine.hw * log)), exception_class e s = Some (Registers.exception_class e, s).
Proof. intros e s. unfold exception_class, ret, Registers.exception_class. rewrite land_wrap32 by lia. now rewrite (field_is e 26 6) by (lia || reflexivity). Qed.

Section Trap.
Variables (a : state) (gl : globals) (h : Machine.hw).
Let c := me h.
Notation x := (Registers.x_of a c).
Hypothesis HR : R a (Mach gl h).
Hypothesis XO : x_ok c gl.
Hypothesis HO : cpu_vm (cpu_at a c) = CPU_HOST.
Hypothesis EC : Registers.exception_class (Registers.reg_of a REG_ESR_EL2) = EC_HVC64.
Let l0 := way h ++ way (others h).

(* The way to a call and back: two primitives, registers, and one more primitive. *)
Definition simple (f : Z) : bool := negb (existsb (Z.eqb f) [NIE_VERSION; NIE_VM_INFO; NIE_VCPU_RUN; NIE_VM_DESTROY; NIE_VCPU_DESTROY; NIE_TABLE_REMOVE; NIE_PAGE_REMOVE]).
Lemma watched_calls : forall r g1 h1 l1, simple (x 0 mod 2 ^ 32) = true ->
  @call_simple _ watching c (x 0 mod 2 ^ 32) (Mach gl (others (others h), l0)) = Some (r, Mach g1 (h1, l1)) ->
  wp (@trap _ watching c TRAP_SYNC) (fun _ m => C_store.hw m = (others h1, l1 ++ way h1)) (Mach gl (h, [])).
Proof.
  intros r g1 h1 l1 SI E. pose proof (stands_now a _ HR) as A0. pose proof (at_moment _ _ _ _ _ A0) as A. cbn [C_store.hw] in A0, A. fold c in A0, A.
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
  apply wp_bind. eapply wp_known; [apply watched_class|]. cbn beta. rewrite EC. change (EC_HVC64 =? EC_HVC64) with true. cbn iota. apply wp_bind.
  pose proof (R_moment _ _ (proj1 (R_moment _ _ HR))) as [HR1 _]. cbn [a_moment C_store.glob C_store.hw] in HR1.
  assert (M1 : me (others (others h)) = c) by exact (sd_me _ _ _ _ _ (at_moment _ _ _ _ _ A)).
  pose proof (x_here a _ HR1) as XH. cbn [C_store.hw C_store.glob a_moment] in XH. rewrite M1 in XH.
  unfold host_call. load XH. apply wp_bind. apply wp_ret. change 4294967295 with (Z.ones 32). rewrite Z.land_ones by lia. set (f := x 0 mod 2 ^ 32) in *.
  unfold simple in SI. cbn [existsb] in SI. apply negb_true_iff in SI. repeat (apply orb_false_elim in SI as [? SI]).
  repeat match goal with H : (f =? _)%Z = false |- _ => rewrite H; clear H end. cbn [orb]. cbn iota. apply wp_bind. eapply wp_known; [exact E|]. cbn beta.
  apply wp_bind. eapply x_store2; [reflexivity|lia|lia|]. apply wp_ret. apply wp_ret.
  apply wp_bind. change (wp engine_unlock) with (fun (Q : unit -> mach globals (Machine.hw * log) -> Prop) s => Q tt (Mach (C_store.glob s) (others (fst (C_store.hw s)), snd (C_store.hw s) ++ way (fst (C_store.hw s))))). cbn beta. apply wp_ret. reflexivity.
Qed.

(* Registers are as the exception found them. *)
Lemma registers_there : forall i, 0 <= i < 31 -> at1 cpus_x gl (c * 31 + i) = x i /\ 0 <= x i < 2 ^ 64.
Proof.
  intros i I. pose proof (x_here a _ HR i I) as Q. cbn [C_store.hw C_store.glob] in Q. fold c in Q. split; [exact Q|]. rewrite <- Q. now apply XO.
Qed.
Lemma zero_called : forall r g1 h1 l1, x 0 mod 2 ^ 32 = NIE_PAGE_ADD_ZERO ->
  @call_page_add_zero _ watching (x 1) (x 2) (x 3) (x 4) (x 5) (Mach gl (others (others h), l0)) = Some (r, Mach g1 (h1, l1)) ->
  @call_simple _ watching c (x 0 mod 2 ^ 32) (Mach gl (others (others h), l0)) = Some (r, Mach g1 (h1, l1)).
Proof.
  intros r g1 h1 l1 FN E. pose proof (r_me _ _ (R_regs _ _ HR)) as C. cbn [C_store.hw] in C. fold c in C. unfold NIE_MAX_CPUS in C.
  assert (XH : forall i, 0 <= i < 31 -> at1 cpus_x gl (c * 31 + i) = x i) by (intros i I; now apply registers_there).
  rewrite FN. enough (K : wp (@call_simple _ watching c NIE_PAGE_ADD_ZERO) (fun q s => q = r /\ s = Mach g1 (h1, l1)) (Mach gl (others (others h), l0))).
  { unfold wp in K. destruct (@call_simple _ watching c NIE_PAGE_ADD_ZERO (Mach gl (others (others h), l0))) as [[q s]|]; [|contradiction]. destruct K as [-> ->]. reflexivity. }
  unfold call_simple. apply wp_bind.
  assert (IX : index 8 c = ret (S := mach globals (Machine.hw * log)) c) by (unfold index; now replace ((0 <=? c) && (c <? 8))%bool with true by lia). rewrite IX. apply wp_ret.
  change (NIE_PAGE_ADD_ZERO =? NIE_VM_CREATE) with false. change (NIE_PAGE_ADD_ZERO =? NIE_VM_ACTIVATE) with false. change (NIE_PAGE_ADD_ZERO =? NIE_VM_STOP) with false.
  change (NIE_PAGE_ADD_ZERO =? NIE_VCPU_CREATE) with false. change (NIE_PAGE_ADD_ZERO =? NIE_TABLE_ADD) with false. change (NIE_PAGE_ADD_ZERO =? NIE_PAGE_ADD) with false.
  change (NIE_PAGE_ADD_ZERO =? NIE_PAGE_ADD_ZERO) with true. cbn iota. loads XH. apply wp_bind. eapply wp_known; [exact E|]. apply wp_ret. auto.
Qed.
Lemma add_called : forall r g1 h1 l1, x 0 mod 2 ^ 32 = NIE_PAGE_ADD ->
  @call_page_add _ watching (x 1) (x 2) (x 3) (x 4) (Mach gl (others (others h), l0)) = Some (r, Mach g1 (h1, l1)) ->
  @call_simple _ watching c (x 0 mod 2 ^ 32) (Mach gl (others (others h), l0)) = Some (r, Mach g1 (h1, l1)).
Proof.
  intros r g1 h1 l1 FN E. pose proof (r_me _ _ (R_regs _ _ HR)) as C. cbn [C_store.hw] in C. fold c in C. unfold NIE_MAX_CPUS in C.
  assert (XH : forall i, 0 <= i < 31 -> at1 cpus_x gl (c * 31 + i) = x i) by (intros i I; now apply registers_there).
  rewrite FN. enough (K : wp (@call_simple _ watching c NIE_PAGE_ADD) (fun q s => q = r /\ s = Mach g1 (h1, l1)) (Mach gl (others (others h), l0))).
  { unfold wp in K. destruct (@call_simple _ watching c NIE_PAGE_ADD (Mach gl (others (others h), l0))) as [[q s]|]; [|contradiction]. destruct K as [-> ->]. reflexivity. }
  unfold call_simple. apply wp_bind.
  assert (IX : index 8 c = ret (S := mach globals (Machine.hw * log)) c) by (unfold index; now replace ((0 <=? c) && (c <? 8))%bool with true by lia). rewrite IX. apply wp_ret.
  change (NIE_PAGE_ADD =? NIE_VM_CREATE) with false. change (NIE_PAGE_ADD =? NIE_VM_ACTIVATE) with false. change (NIE_PAGE_ADD =? NIE_VM_STOP) with false.
  change (NIE_PAGE_ADD =? NIE_VCPU_CREATE) with false. change (NIE_PAGE_ADD =? NIE_TABLE_ADD) with false. change (NIE_PAGE_ADD =? NIE_PAGE_ADD) with true. cbn iota.
  loads XH. apply wp_bind. eapply wp_known; [exact E|]. apply wp_ret. auto.
Qed.

(** PAGE_ADD: the VM runs nowhere, so it stores nothing. *)

Section Add.
Hypothesis FN : x 0 mod 2 ^ 32 = NIE_PAGE_ADD.
Hypothesis OK : nie.spec.call.page_add.page_add_check a (x 1) (x 2) (x 3) (x 4) = NIE_OK.
Theorem page_add_lets_none_run : exists r g1 h1 g, @trap _ watching c TRAP_SYNC (Mach gl (h, [])) = Some (r, Mach g1 (h1, g)) /\
  forall n d, In n g -> vttbr (fst n) d = vttbr h d.
Proof.
  pose proof (R_moment _ _ (proj1 (R_moment _ _ HR))) as [HR1 _]. cbn [a_moment C_store.glob C_store.hw] in HR1.
  assert (XU : forall k, 0 <= k < 31 -> 0 <= x k < 2 ^ 64) by (intros k K; now apply registers_there).
  destruct (measured_shown a gl (others (others h)) (x 1) (x 2) (x 3) (x 4) HR1 (XU 1 ltac:(lia)) (XU 2 ltac:(lia)) (XU 3 ltac:(lia)) (XU 4 ltac:(lia)) OK l0) as
    (content & g' & h' & before & after & RUN & _ & _ & _ & _ & BE & AF & BZ).
  assert (SI : simple (x 0 mod 2 ^ 32) = true) by (rewrite FN; reflexivity).
  pose proof (watched_calls _ _ _ _ SI (add_called _ _ _ _ FN RUN)) as TE. unfold wp in TE. destruct (@trap _ watching c TRAP_SYNC (Mach gl (h, []))) as [[r [g1 [h1 g]]]|]; [|contradiction].
  cbn [C_store.hw] in TE. injection TE as -> ->. exists r, g1, (others h'), ((l0 ++ before ++ after) ++ way h'). split; [reflexivity|].
  destruct (R_hw _ _ HR) as (m0 & W0 & _). cbn [C_store.hw] in *.
  pose proof (bounded_way _ _ _ (world_bounded _ _ _ _ _ _ W0)) as [B1 B2]. pose proof (bounded_way _ _ _ B2) as [B3 B5].
  pose proof (bounded_way _ _ _ BZ) as [B4 _]. rewrite Forall_forall in B1, B3, B4, BE, AF.
  intros n d J. apply in_app_or in J as [J|J]; [|rewrite <- (b_vttbr _ _ _ B5 d); exact (b_vttbr _ _ _ (B4 n J) d)]. apply in_app_or in J as [J|J].
  - apply in_app_or in J as [J|J]; [exact (b_vttbr _ _ _ (B1 n J) d)|exact (b_vttbr _ _ _ (B3 n J) d)].
  - rewrite <- (b_vttbr _ _ _ B5 d). apply in_app_or in J as [J|J]; [exact (b_vttbr _ _ _ (BE n J) d)|exact (b_vttbr _ _ _ (AF n J) d)].
Qed.
End Add.

(** PAGE_ADD_ZERO. *)

Hypothesis FN : x 0 mod 2 ^ 32 = NIE_PAGE_ADD_ZERO.
Notation first := (State.page_of (x 3)).
Hypothesis OK : spec_zero_check a (x 1) (x 2) (x 3) (x 4) (x 5) = NIE_OK.
Theorem page_add_zero_kept : exists r g1 h1 g, @trap _ watching c TRAP_SYNC (Mach gl (h, [])) = Some (r, Mach g1 (h1, g)) /\
  forall i, 0 <= i < x 4 -> kept_from (x 1 + 1) (first + i) (fun _ => 0) g h1 /\
    (State.page_of (x 2) + i < 2 ^ 26 -> at_its_ipa (x 1) (State.page_of (x 2) + i) (first + i) g).
Proof.
  pose proof (R_moment _ _ (proj1 (R_moment _ _ HR))) as [HR1 _]. cbn [a_moment C_store.glob C_store.hw] in HR1.
  assert (XU : forall k, 0 <= k < 31 -> 0 <= x k < 2 ^ 64).
  { intros k K. pose proof (x_here a _ HR k K) as Q. cbn [C_store.hw C_store.glob] in Q. fold c in Q. rewrite <- Q. now apply XO. }
  destruct (zero_shown a gl (others (others h)) (x 1) (x 2) (x 3) (x 4) (x 5) HR1 (XU 1 ltac:(lia)) (XU 2 ltac:(lia)) (XU 3 ltac:(lia)) (XU 4 ltac:(lia)) (XU 5 ltac:(lia)) OK l0) as
    (g' & h' & before & after & RUN & RZ & SH & BE & AF).
  pose proof (zero_adds a gl (others (others h)) (x 1) (x 2) (x 3) (x 4) (x 5) HR1 (XU 1 ltac:(lia)) (XU 2 ltac:(lia)) (XU 3 ltac:(lia)) (XU 4 ltac:(lia)) OK) as AD.
  destruct (zero_checked a (x 1) (x 2) (x 3) (x 4) (x 5) (XU 1 ltac:(lia)) OK) as (ST & V & PL).
  assert (SI : simple (x 0 mod 2 ^ 32) = true) by (rewrite FN; reflexivity).
  pose proof (watched_calls _ _ _ _ SI (zero_called _ _ _ _ FN RUN)) as TE. unfold wp in TE. destruct (@trap _ watching c TRAP_SYNC (Mach gl (h, []))) as [[r [g1 [h1 g]]]|]; [|contradiction].
  cbn [C_store.hw] in TE. injection TE as -> ->. exists r, g1, (others h'), ((l0 ++ before ++ after) ++ way h'). split; [reflexivity|].
  intros i I. destruct (R_hw _ _ HR) as (m0 & W0 & _). destruct (R_hw _ _ RZ) as (mz & WZ & _). cbn [C_store.hw] in *.
  pose proof (bounded_way _ _ _ (world_bounded _ _ _ _ _ _ W0)) as [B1 B2]. pose proof (bounded_way _ _ _ B2) as [B3 _].
  pose proof (bounded_way _ _ _ (world_bounded _ _ _ _ _ _ WZ)) as [B4 _]. rewrite Forall_forall in B1, B3, B4.
  destruct (placement_ok a (x 1) (x 2) (x 3) (x 4) (R_wf _ _ HR) (proj1 (XU 2 ltac:(lia))) (proj1 (XU 3 ltac:(lia))) PL) as (_ & _ & F3 & _ & _ & F6 & F7). destruct (F7 i I) as [RA OA]. pose proof (conj F3 F6) as F45.
  set (z := snd _) in RZ, AD, WZ, B4. cbv zeta in AD.
  assert (exists N l e, adds a z (x 1) (State.page_of (x 2)) first (x 4) N l e) as (N & l & e & AZ) by (destruct (x 5 =? LEVEL_PAGE); eauto).
  destruct (ad_own _ _ _ _ _ _ _ _ _ AZ (first + i)) as (RQ & y & OQ); [unfold Hidden.given; lia|].
  destruct (SH (first + i)) as [_ K]; [unfold Hidden.given; lia|].
  assert (WZ' : wf z) by exact (R_wf _ _ RZ). pose proof (R_onto _ _ RZ) as OZ.
  assert (OK' : fst (spec_page_add_zero (x 1) (x 2) (x 3) (x 4) (x 5) a) = NIE_OK).
  { unfold nie.spec.call.page_add_zero.page_add_zero. cbv zeta. rewrite OK. reflexivity. }
  destruct (page_add_zero_brings a (x 1) (R_wf _ _ HR) (x 2) (x 3) (x 4) (x 5) OK') as (_ & _ & BR). specialize (BR (State.page_of (x 2) + i)).
  replace ((State.page_of (x 2) <=? State.page_of (x 2) + i) && (State.page_of (x 2) + i <? State.page_of (x 2) + x 4))%bool with true in BR by lia.
  replace (State.page_of (x 3) + (State.page_of (x 2) + i - State.page_of (x 2))) with (first + i) in BR by lia. destruct BR as [BN BT]. fold z in BT.
  split.
  - intros w W. rewrite (way_kept (x 1 + 1) (first + i) w W h').
    + rewrite (K w W), !after_app. do 3 f_equal. symmetry. apply unreached_log.
      intros n J. apply in_app_or in J as [J|J]; [exact (host_unreached a _ _ _ _ (R_wf _ _ HR) (B1 n J) RA OA (proj1 V))|exact (host_unreached a _ _ _ _ (R_wf _ _ HR) (B3 n J) RA OA (proj1 V))].
    + intros n J v RE. exact (data_reached _ _ _ _ _ _ _ (R_wf _ _ RZ) (B4 n J) RQ OQ RE).
  - intro X26. assert (KZ : World.keeps (Aset z) (x 1 + 1) (State.page_of (x 2) + i) (first + i)).
    { assert (D : own z (first + i) = Data (x 1) (State.page_of (x 2) + i) /\ (slot_at z (x 1) 3 (State.page_of (x 2) + i) = ToPage (first + i) \/
        slot_at z (x 1) 2 ((State.page_of (x 2) + i) / 512) = ToBlock (first + i - (State.page_of (x 2) + i) mod 512))).
      { assert (BK : forall q', slot_at z (x 1) 2 ((State.page_of (x 2) + i) / 512) = ToBlock q' -> There (q' + (State.page_of (x 2) + i) mod 512) = There (first + i) ->
          own z (first + i) = Data (x 1) (State.page_of (x 2) + i) /\ slot_at z (x 1) 2 ((State.page_of (x 2) + i) / 512) = ToBlock (first + i - (State.page_of (x 2) + i) mod 512)).
        { intros q' S Q. injection Q as Q. rewrite <- Q. destruct (wf_blk _ WZ' _ _ _ _ S) as (_ & _ & BD). destruct (BD ((State.page_of (x 2) + i) mod 512)) as [_ BO]; [unfold is_word; lia|].
          split; [rewrite BO; f_equal; lia|]. rewrite S. f_equal. lia. }
        unfold at_ipa in BT. destruct (slot_at z (x 1) 3 (State.page_of (x 2) + i)) as [| |t|t|t|t] eqn:S3; try discriminate BT;
          try (destruct (slot_at z (x 1) 2 ((State.page_of (x 2) + i) / 512)) as [| |q'|q'|q'|q'] eqn:S2; try discriminate BT; destruct (BK q' eq_refl BT) as [BO BS]; auto; fail).
        injection BT as ->. destruct (wf_page _ WZ' _ _ _ _ S3) as (_ & _ & PO). auto. }
      destruct D as [DO DS]. apply keeps_data; auto. }
    assert (NW : forall l' k' d' x' p', Aset a (x 1 + 1) l' k' d' -> leads l' k' d' x' p' -> (p' = first + i <-> x' = State.page_of (x 2) + i)).
    { intros l' k' d' x' p'. apply leads_nowhere; auto; [exact (R_wf _ _ HR)|lia]. }
    assert (ZW : forall l' k' d' x' p', Aset z (x 1 + 1) l' k' d' -> leads l' k' d' x' p' -> (p' = first + i <-> x' = State.page_of (x 2) + i)).
    { intros l' k' d' x' p' A L. destruct (Aset_alone z WZ' _ _ _ KZ _ _ _ _ _ _ A L) as [Z1 Z2]. split; [intro Q; now apply Z1|intro Q; apply Z2; auto]. }
    apply ipa_app; [apply ipa_app; [|apply ipa_app]|].
    + eapply (ipa_bounded (Aset a)); [|exact NW]. apply Forall_app. split; apply Forall_forall; eauto.
    + eapply (ipa_bounded _); [exact BE|]. intros l' k' d' x' p' [A|A]; [now apply NW|]. apply NW.
      apply (h_vm_entry (Adding.kept_is a first (x 4) (R_wf _ _ HR) F45 F7)) in A; [exact A|lia].
    + eapply (ipa_bounded (Aset z)); [exact AF|exact ZW].
    + eapply (ipa_bounded (Aset z)); [|exact ZW]. apply Forall_forall. exact B4.
Qed.
End Trap.
