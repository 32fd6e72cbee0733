(* SPDX-License-Identifier: Apache-2.0 *)
(* The way in, exactly: what each function of world.c and mmio.c leaves in the registers, in the words of spec/Switch.v. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.state.world nie.generated.state.inject nie.generated.trap.mmio.
From nie.spec Require Import Core.
From nie.proof.refine Require Export Exact Relation.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation fill := Switch.fill.

(** Values. *)

Lemma width_cases : forall s, exists e, Z.land (Z.shiftr s 22) 3 = e /\ Registers.field s 22 2 = e /\ (e = 0 \/ e = 1 \/ e = 2 \/ e = 3).
Proof.
  intro s. exists (Z.shiftr s 22 mod 4). rewrite land_3. split; [reflexivity|]. split.
  - unfold Registers.field. rewrite Z.shiftr_div_pow2 by lia. reflexivity.
  - pose proof (Z.mod_pos_bound (Z.shiftr s 22) 4). lia.
Qed.
Lemma ones_land : forall x n, 0 <= n -> Z.land x (2 ^ n - 1) = x mod 2 ^ n.
Proof. intros x n N. rewrite <- Z.land_ones by lia. now rewrite Z.ones_equiv, Z.sub_1_r. Qed.

Definition width_exp (e : Z) : Prop := e = 0 \/ e = 1 \/ e = 2 \/ e = 3.
Lemma width_run : forall (s : mach globals Machine.hw) y, mmio_width y s = Some (Registers.mmio_width y, s).
Proof.
  intros s y. destruct (width_cases y) as (e & E1 & E2 & E). unfold mmio_width, Registers.mmio_width. rewrite E1, E2.
  destruct E as [-> | [-> | [-> | ->]]]; reflexivity.
Qed.
Lemma truncate_run : forall (s : mach globals Machine.hw) v e, width_exp e -> mmio_truncate v (2 ^ e) s = Some (Registers.mmio_truncate v (2 ^ e), s).
Proof.
  intros s v e E. pose proof (ones_land v 8 ltac:(lia)) as L1. pose proof (ones_land v 16 ltac:(lia)) as L2. pose proof (ones_land v 32 ltac:(lia)) as L3.
  change (2 ^ 8 - 1) with 255 in L1. change (2 ^ 16 - 1) with 65535 in L2. change (2 ^ 32 - 1) with 4294967295 in L3. unfold Registers.mmio_truncate.
  destruct E as [-> | [-> | [-> | ->]]].
  - change (2 ^ 0 =? 8) with false. change (8 * 2 ^ 0) with 8. cbn iota. rewrite <- L1. reflexivity.
  - change (2 ^ 1 =? 8) with false. change (8 * 2 ^ 1) with 16. cbn iota. rewrite <- L2. reflexivity.
  - change (2 ^ 2 =? 8) with false. change (8 * 2 ^ 2) with 32. cbn iota. rewrite <- L3. reflexivity.
  - reflexivity.
Qed.
Lemma sign_run : forall (s : mach globals Machine.hw) e, width_exp e -> lift (binary Shl U64 1 (wrap U64 (wrap U64 (8 * 2 ^ e) - 1))) s = Some (2 ^ (8 * 2 ^ e - 1), s).
Proof. intros s e [-> | [-> | [-> | ->]]]; reflexivity. Qed.

Lemma extend_run : forall (s : mach globals Machine.hw) v y, extend v y s = Some (Registers.mmio_extend v y, s).
Proof.
  intros s v y. apply known_of_wp. destruct (width_cases y) as (e & _ & E2 & E). fold (width_exp e) in E.
  assert (L4 : forall x, Z.land x 0xffffffff = x mod 2 ^ 32) by (intro; now rewrite <- ones_land by lia).
  unfold extend, Registers.mmio_extend, Registers.has. skip. w_known width_run. unfold Registers.mmio_width. rewrite E2.
  skip. w_known truncate_run; [exact E|]. skip. w_known sign_run; [exact E|]. skip.
  destruct (negb (Z.land y ISS_SSE =? 0)); skip; cbn [wrap width]; unfold Registers.wrap64; rewrite L4; auto.
Qed.

(** Registers of the general file. *)

Section Enter.
Variables (h0 : Machine.hw) (c : Z) (A : aset) (m : Z -> Z) (p : Z).
Hypothesis C : 0 <= c < 8.
Hypothesis P : Machine.in_ram h0 p = true.
Hypothesis N : ~ touch A p.
Notation MACH := (mach globals Machine.hw).
Notation LIVE := (live h0 c A m (now m)).
Notation word i := (m (p * 512 + i)).

Definition host_saved (rg : Map.t Z) (gl : globals) : globals :=
  putn REG_SWITCHED cpus_host_sysreg (c * REG_SWITCHED) (Map.get rg) (putn 31 cpus_host_x (c * 31) (fun i => at1 cpus_x gl (c * 31 + i)) gl).

Lemma save_host_wp : forall rg f n gl h (Q : unit -> MACH -> Prop), LIVE rg f n h ->
  (forall h', LIVE rg f n h' -> Q tt (Mach (host_saved rg gl) h')) -> wp (save_host c) Q (Mach gl h).
Proof.
  intros rg f n gl h Q L H. unfold save_host. w_bind.
  apply wp_loop with (I := fun i _ s => s = Mach (putn i cpus_host_x (c * 31) (fun i => at1 cpus_x gl (c * 31 + i)) gl) h); [lia|reflexivity| |].
  { intros i u s I ->. w_bind. eapply x_load2; [reflexivity|lia|lia|]. w_bind. eapply x_store2; [reflexivity|lia|lia|]. apply wp_ret.
    rewrite putn_other by discriminate. now rewrite putn_next by lia. }
  intros u s ->. cbn beta. w_bind. set (g1 := putn 31 _ _ _ gl).
  apply wp_loop with (I := fun i _ s => exists h', LIVE rg f n h' /\ s = Mach (putn i cpus_host_sysreg (c * REG_SWITCHED) (Map.get rg) g1) h');
    [unfold REG_SWITCHED; lia|eauto| |].
  { intros i u' s I (h1 & L1 & ->). unfold REG_SWITCHED in *. w_bind. eapply x_read; [exact L1|lia|]. intros h2 L2. cbn beta. w_bind.
    eapply x_store2; [reflexivity|lia|lia|]. apply wp_ret. exists h2. split; auto. now rewrite putn_next by lia. }
  intros u' s (h1 & L1 & ->). cbn beta. apply wp_ret. now apply H.
Qed.

Lemma load_general_wp : forall rg f n gl h (Q : unit -> MACH -> Prop), LIVE rg f n h ->
  (forall h', LIVE rg f n h' -> Q tt (Mach (putn 31 cpus_x (c * 31) (fun i => word i) gl) h')) -> wp (load_general c p) Q (Mach gl h).
Proof.
  intros rg f n gl h Q L H. unfold load_general, CTX_X0. w_bind.
  apply wp_loop with (I := fun i _ s => exists h', LIVE rg f n h' /\ s = Mach (putn (2 * i) cpus_x (c * 31) (fun i => word i) gl) h'); [lia|eauto| |].
  { intros i u s I (h1 & L1 & ->). rewrite !(wrap32 (2 * i)), !(wrap32 (0 + 2 * i)), (wrap32 (0 + 2 * i + 1)), (wrap32 (2 * i + 1)) by lia.
    w_bind. eapply x_page_read; [exact L1|exact P|unfold is_word; lia|exact N|]. intros h2 L2. cbn beta.
    w_bind. eapply x_page_read; [exact L2|exact P|unfold is_word; lia|exact N|]. intros h3 L3. cbn beta.
    w_bind. eapply x_store2; [reflexivity|lia|lia|]. w_bind. eapply x_store2; [reflexivity|lia|lia|]. apply wp_ret. exists h3. split; auto.
    replace (2 * (i + 1)) with (2 * i + 1 + 1) by lia. rewrite !putn_next by lia. now rewrite !Z.add_0_l. }
  intros u s (h1 & L1 & ->). cbn beta.
  w_bind. eapply x_page_read; [exact L1|exact P|reflexivity|exact N|]. intros h2 L2. cbn beta. w_bind. eapply x_store2; [reflexivity|lia|lia|]. apply wp_ret.
  change 31 with (30 + 1) in H at 1. setoid_rewrite putn_next in H; [|lia]. apply (H h2 L2).
Qed.

Definition loaded (rg : Map.t Z) : Map.t Z :=
  Map.set (fill CTX_ICH_COUNT REG_ICH_VMCR_EL2 (fun r => word (CTX_ICH + r)) (fill REG_SWITCHED 0 (fun r => word (CTX_SYSREG + r)) rg))
    REG_VDISR_EL2 (word CTX_VDISR).
Definition loaded_fp : Map.t Z := fill 66 0 (fun i => word (CTX_FP + i)) (Map.const 0).

Lemma load_vcpu_wp : forall rg f n gl h (Q : unit -> MACH -> Prop), LIVE rg f n h ->
  (forall h', LIVE (loaded rg) loaded_fp n h' -> Q tt (Mach (putn 31 cpus_x (c * 31) (fun i => word i) gl) h')) -> wp (load_vcpu c p) Q (Mach gl h).
Proof.
  intros rg f n gl h Q L H. unfold load_vcpu. w_bind. eapply load_general_wp; [exact L|]. clear L h. intros h L. cbn beta. set (g1 := putn 31 _ _ _ gl) in *.
  unfold CTX_SYSREG, CTX_ICH, CTX_ICH_COUNT, REG_SWITCHED, REG_ICH_VMCR_EL2, CTX_VDISR in *. w_bind.
  apply wp_loop with (I := fun i _ s => exists h', LIVE (fill i 0 (fun r => word (32 + r)) rg) f n h' /\ s = Mach g1 h'); [lia|eauto| |].
  { intros i u s I (h1 & L1 & ->). rewrite wrap32 by lia.
    w_bind. eapply x_page_read; [exact L1|exact P|unfold is_word; lia|exact N|]. intros h2 L2. cbn beta.
    w_bind. eapply x_write; [exact L2|lia|unfold REG_VTTBR_EL2; lia|]. intros h3 L3. apply wp_ret. exists h3. split; auto. rewrite fill_next by lia. exact L3. }
  intros u s (h1 & L1 & ->). cbn beta. w_bind. set (r1 := fill 28 0 _ rg) in *.
  apply wp_loop with (I := fun i _ s => exists h', LIVE (fill i 28 (fun r => word (80 + r)) r1) f n h' /\ s = Mach g1 h'); [lia|eauto| |].
  { intros i u' s I (h2 & L2 & ->). rewrite !wrap32 by lia.
    w_bind. eapply x_page_read; [exact L2|exact P|unfold is_word; lia|exact N|]. intros h3 L3. cbn beta.
    w_bind. eapply x_write; [exact L3|lia|unfold REG_VTTBR_EL2; lia|]. intros h4 L4. apply wp_ret. exists h4. split; auto. rewrite fill_next by lia. exact L4. }
  intros u' s (h2 & L2 & ->). cbn beta.
  w_bind. eapply x_page_read; [exact L2|exact P|reflexivity|exact N|]. intros h3 L3. cbn beta.
  w_bind. eapply x_write; [exact L3|unfold REG_VDISR_EL2; lia|discriminate|]. intros h4 L4. cbn beta.
  w_bind. eapply x_fp_load; [exact L4|exact P|unfold CTX_FP; lia|exact N|]. intros h5 L5. cbn beta. apply wp_ret. apply H. exact L5.
Qed.

Lemma controls_vcpu_wp : forall rg f n gl h v i (Q : unit -> MACH -> Prop), LIVE rg f n h -> 0 <= v < 64 -> 0 <= i < 8 -> 0 <= at1 vms_root gl v < 2 ^ 36 ->
  A (v + 1) 0 0 (at1 vms_root gl v * 4096) ->
  (forall h', LIVE (Map.set (Map.set (Map.set (Map.set (Map.set rg REG_HCR_EL2 HCR_GUEST) REG_VTTBR_EL2 ((v + 1) * 2 ^ 48 + at1 vms_root gl v * 4096))
      REG_VMPIDR_EL2 (2 ^ 31 + i)) REG_CNTVOFF_EL2 (at1 vms_cntvoff gl v)) REG_CNTHCTL_EL2 CNTHCTL_GUEST) f n h' -> Q tt (Mach gl h')) ->
  wp (controls_vcpu v i) Q (Mach gl h).
Proof.
  intros rg f n gl h v i Q L V I RT HA H. unfold controls_vcpu. set (r := at1 vms_root gl v) in *.
  w_bind. eapply x_write; [exact L|unfold REG_HCR_EL2; lia|discriminate|]. intros h1 L1. cbn beta.
  w_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. fold r. w_bind. eapply wp_known; [apply address_of_run; lia|]. cbn beta.
  assert (LH : forall x y, 0 <= x -> 0 <= y < 2 ^ 48 -> Z.lor (x * 2 ^ 48) y = x * 2 ^ 48 + y).
  { intros x y X Y. rewrite Z.lor_comm. change (x * 2 ^ 48) with (x * 2 ^ 48). rewrite (measure_refines.lor_add 48 x y) by lia. lia. }
  assert (E : Z.lor (wrap U64 (Z.shiftl (wrap U32 (v + 1)) 48)) (r * 4096) = (v + 1) * 2 ^ 48 + r * 4096).
  { rewrite wrap32 by lia. rewrite Z.shiftl_mul_pow2 by lia. rewrite wrap64 by lia. apply LH; lia. }
  rewrite E. w_bind. eapply x_vttbr; [exact L1| |].
  { replace (((v + 1) * 2 ^ 48 + r * 4096) / 2 ^ 48) with (v + 1) by lia. replace (((v + 1) * 2 ^ 48 + r * 4096) mod 2 ^ 48) with (r * 4096) by lia. exact HA. }
  intros h2 L2. cbn beta.
  assert (E' : Z.lor (wrap U64 (Z.shiftl 1 31)) i = 2 ^ 31 + i).
  { change (wrap U64 (Z.shiftl 1 31)) with (1 * 2 ^ 31). rewrite Z.lor_comm, (measure_refines.lor_add 31 1 i) by lia. lia. }
  rewrite E'. w_bind. eapply x_write; [exact L2|unfold REG_VMPIDR_EL2; lia|discriminate|]. intros h3 L3. cbn beta.
  w_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta.
  w_bind. eapply x_write; [exact L3|unfold REG_CNTVOFF_EL2; lia|discriminate|]. intros h4 L4. cbn beta.
  w_bind. eapply x_write; [exact L4|unfold REG_CNTHCTL_EL2; lia|discriminate|]. intros h5 L5. cbn beta.
  w_bind. eapply x_isb; [exact L5|]. intros h6 L6. cbn beta. apply wp_ret. now apply H.
Qed.
End Enter.
