(* SPDX-License-Identifier: Apache-2.0 *)
(* A stage 2 abort of a vCPU: the C does what spec/trap/vcpu_abort.v says, and tells the host what it says. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.spec.trap Require vcpu_abort.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning vcpu_run_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.stage2_h nie.generated.trap_h nie.generated.state.inject nie.generated.state.stage2 nie.generated.state.world
  nie.generated.trap.mmio nie.generated.trap.vcpu_abort.
From nie.spec Require Import Core.
From nie.proof.refine Require Import GiveBack Shared.
From nie.proof.refine Require Export inject_exact Told Mute.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** Values. *)

Notation entry_of := nie.spec.trap.vcpu_abort.entry_of.
Lemma walk_entry : forall a v x t d j l, walk_end a v x 3 = (t, d, j, l) -> d = enc (entry_of a v x).
Proof.
  intros a v x t d j l H. unfold walk_end, nie.spec.trap.vcpu_abort.entry_of in *. change (3 =? 1) with false in H. change (3 =? 2) with false in H. cbn iota in H.
  replace (x / 512 / 512) with (x / 262144) by lia. destruct (slot_at a v 1 (x / 262144)); try (injection H as _ <- _ _; reflexivity).
  destruct (slot_at a v 2 (x / 512)); injection H as _ <- _ _; reflexivity.
Qed.
Definition maps_something (e : slot) : bool := match e with ToTable _ | ToBlock _ | ToPage _ | ToShared _ => true | _ => false end.
Lemma enc_maps : forall e, valid (enc e) = maps_something e.
Proof. intros [| |p|p|p|p]; norm; rewrite ?valid_mod; try reflexivity; cbn [maps_something]; apply Z.eqb_eq; lia. Qed.
Lemma enc_is_spent : forall e, (enc e =? DESC_SPENT) = match e with Spent => true | _ => false end.
Proof. intros [| |p|p|p|p]; norm; try reflexivity; apply Z.eqb_neq; unfold DESC_SPENT; lia. Qed.
Lemma decodable_run : forall e (s : MACH), mmio_decodable e s = Some (b2z (Registers.mmio_decodable e), s).
Proof. intros e s. unfold mmio_decodable, ret, Registers.mmio_decodable, Registers.has. now rewrite !negb_involutive. Qed.
Lemma lor_page : forall p x, 0 <= p -> Z.lor (p * 4096) (Z.land x 4095) = p * 4096 + Registers.field x 0 12.
Proof.
  intros p x P. unfold Registers.field. rewrite Z.div_1_r, (land_ones x 12) by (lia || reflexivity). assert (B : 0 <= x mod 2 ^ 12 < 2 ^ 12) by (apply Z.mod_pos_bound; lia).
  rewrite Z.lor_comm. change 4096 with (2 ^ 12). rewrite (measure_refines.lor_add 12 p (x mod 2 ^ 12)) by lia. lia.
Qed.

Section Abort.
Variables (c : Z) (o : Z -> owner) (s0 : MACH).
Notation at_ := (stands c o s0).
Notation POST X := (X -> MACH -> Prop).

(* What is known of the VM on this CPU. *)
Lemma at_guest : forall a s, at_ a s -> guest c a -> let v := cpu_vm (cpu_at a c) in let i := cpu_vcpu (cpu_at a c) in
  runs a c v i /\ on_cpu a c v i /\ 0 <= c < 8 /\ 0 <= v < 64 /\ 0 <= i < 8 /\ at1 cpus_vm (glob s) c = v /\ at1 cpus_vcpu (glob s) c = i.
Proof.
  intros a s A GU v i. assert (RU : runs a c v i) by (split; [reflexivity|split; [exact GU|reflexivity]]). pose proof (at_cpu _ _ _ _ _ A) as C.
  pose proof (who_runs _ _ _ _ (so_wf _ (at_sound _ _ _ _ _ A)) C RU) as OC. pose proof OC as []. unfold NIE_MAX_VMS, NIE_MAX_VCPUS, NIE_MAX_CPUS in *.
  destruct (g_cpus _ _ (at_globals _ _ _ _ _ A) c C). repeat (split; [auto|]); auto.
Qed.

(* A store to the record of a vCPU. *)
Lemma at_vcpu : forall a gl h v t r gl', at_ a (Mach gl h) -> trap_steps.step c a (set_vcpu v t r a) -> globals_hold (set_vcpu v t r a) gl' -> only_trap gl gl' ->
  at_ (set_vcpu v t r a) (Mach gl' h).
Proof.
  intros a gl h v t r gl' A S G OT. destruct (at_live _ _ _ _ _ _ A) as (m & L & T).
  eapply (at_again c o s0 a gl h (set_vcpu v t r a) m); [exact A|exact L|exact G| | | |reflexivity|reflexivity|apply silent_refl|exact OT].
  - eapply step_sound; [eapply at_cpu; eauto|exact S|eapply at_sound; eauto].
  - constructor; try reflexivity. intro w. split; [reflexivity|tauto].
  - destruct T. constructor; assumption.
Qed.

Lemma window_run : forall a s v x, at_ a s -> 0 <= v < 64 -> vm_state (vm_at a v) <> NIE_VM_FREE -> 0 <= x < 2 ^ 27 ->
  in_ram_window v x s = Some (b2z (nie.spec.trap.vcpu_abort.in_ram_window a v x), s).
Proof.
  intros a [gl h] v x A V NF X. apply known_of_wp. assert (V' : 0 <= v < NIE_MAX_VMS) by (unfold NIE_MAX_VMS; lia).
  destruct (g_vm _ _ (at_globals _ _ _ _ _ A) v V') as (_ & _ & E1 & E2 & _). cbn [glob] in *.
  destruct (v_used _ (wf_v _ (so_wf _ (at_sound _ _ _ _ _ A))) v V' NF) as (_ & _ & B1 & B2).
  unfold in_ram_window, nie.spec.trap.vcpu_abort.in_ram_window. w_bind. eapply wp_load1; [reflexivity|exact V|]. cbn beta. rewrite E1. w_bind.
  destruct (Z.leb_spec (ram_base (vm_at a v)) x); cbn [andb]; [|w_ret; w_ret; auto].
  w_bind. eapply wp_load1; [reflexivity|exact V|]. cbn beta. rewrite E1. w_bind. eapply wp_load1; [reflexivity|exact V|]. cbn beta. rewrite E2. rewrite wrap64 by lia.
  w_ret. w_ret. auto.
Qed.

Lemma at_mmio : forall a s x esr (Q : POST unit), at_ a s -> guest c a -> 0 <= x < 2 ^ 27 ->
  (forall s', ends o s0 (nie.spec.trap.vcpu_abort.mmio_exit c x esr a) s' -> Q tt s') -> wp (mmio_exit c x esr) Q s.
Proof.
  intros a s x esr Q A GU X H. destruct (at_guest a s A GU) as (RU & OC & C & V & I & E1 & E2). cbn zeta in *.
  unfold nie.spec.trap.vcpu_abort.mmio_exit in H. set (v := cpu_vm (cpu_at a c)) in *. set (i := cpu_vcpu (cpu_at a c)) in *.
  assert (V' : 0 <= v < NIE_MAX_VMS) by exact V. assert (I' : 0 <= i < NIE_MAX_VCPUS) by exact I. set (k := v * NIE_MAX_VCPUS + i). assert (KB : 0 <= k < 512) by (unfold k, NIE_MAX_VCPUS; lia).
  unfold mmio_exit. destruct s as [gl h]. cbn [glob] in *. w_bind. eapply wp_load1; [reflexivity|exact C|]. cbn beta. rewrite E1. w_bind. eapply wp_load1; [reflexivity|exact C|]. cbn beta. rewrite E2.
  rewrite (wrap32 (v * NIE_MAX_VCPUS)), wrap32 by (unfold NIE_MAX_VCPUS in *; lia). fold k. w_bind. unfold index at 1. replace ((0 <=? k) && (k <? 512))%bool with true by lia. apply wp_ret.
  w_bind. eapply at_read; [exact A|vm_compute; split; congruence|]. intros [gl1 h1] A1 G1. cbn [glob] in G1. subst gl1. cbn beta.
  w_bind. w_known address_of_run; [lia|]. w_bind. apply wp_ret. rewrite lor_page by lia. w_bind. w_known width_run.
  rewrite land_wrap32, (field_is esr 16 5) by (lia || reflexivity). change (Registers.field esr 16 5) with (Registers.mmio_register esr).
  w_bind. eapply at_gpr_read; [exact A1|unfold Registers.mmio_register, Registers.field; apply Z.mod_pos_bound; lia|]. set (value := Registers.gpr a c (Registers.mmio_register esr)) in *.
  assert (SY : Z.land (wrap U32 esr) 0x1ffffff = Registers.field esr 0 25).
  { rewrite land_wrap32 by lia. unfold Registers.field. now rewrite Z.div_1_r, (land_ones esr 25) by (lia || reflexivity). }
  rewrite SY. w_bind. eapply wp_store1; [reflexivity|exact KB|]. cbn beta. change (negb (Z.land esr ISS_WNR =? 0)) with (Registers.has esr ISS_WNR).
  pose proof (at_globals _ _ _ _ _ A1) as G. cbn [glob] in G.
  assert (P : forall p, let b := set_vcpu v i (vcpu_at a v i <| pending := p |> <| syndrome := Registers.field esr 0 25 |>) a in
    at_ b (Mach (put1 vcpus_pending k p (put1 vcpus_syndrome k (Registers.field esr 0 25) gl)) h1) /\ guest c b).
  { intros p b. split; [|exact GU]. eapply at_vcpu; [exact A1| | |].
    - apply (Asks c a v i i); [split; [exact RU|split; [exact I'|now left]]|repeat split].
    - eapply hold_vcpu; [exact G|exact V'|exact I'| | |].
      + intros g F. unfold put1. rewrite !field_set_other by (intros ->; discriminate). reflexivity.
      + intros g j F J. rewrite !at_put by reflexivity. fold k in J. destruct (Z.eqb_spec j k); [contradiction|]. now destruct (gvar_dec g vcpus_pending), (gvar_dec g vcpus_syndrome).
      + destruct (g_vcpus _ _ G v i V' I') as [U1 U2 U3 U4 U5 U6]. fold k in U1, U2, U3, U4, U5, U6. fold k. constructor; rewrite !at_put by reflexivity; cbn; rewrite ?Z.eqb_refl; auto.
    - apply ot_trans with (put1 vcpus_syndrome k (Registers.field esr 0 25) gl); now apply ot_put. }
  destruct (Registers.has esr ISS_WNR).
  - w_bind. eapply wp_store1; [reflexivity|exact KB|]. cbn beta. destruct (P PENDING_WRITE) as [A2 G2]. cbn zeta in *.
    w_bind. unfold Registers.mmio_width. destruct (width_cases esr) as (w & _ & F2 & F). unfold Registers.mmio_width in H. rewrite F2 in *. w_known truncate_run; [exact F|].
    w_bind. eapply at_exit; [exact A2|exact G2|]. intros s2 E. apply wp_ret. apply H. exact E.
  - w_bind. eapply wp_store1; [reflexivity|exact KB|]. cbn beta. destruct (P PENDING_READ) as [A2 G2]. cbn zeta in *.
    w_bind. eapply at_exit; [exact A2|exact G2|]. intros s2 E. apply wp_ret. apply H. exact E.
Qed.

Theorem vcpu_abort_exact : forall a s esr (Q : POST unit), at_ a s -> guest c a ->
  (forall s', ends o s0 (nie.spec.trap.vcpu_abort.vcpu_abort c esr a) s' -> Q tt s') -> wp (vcpu_abort c esr) Q s.
Proof.
  intros a s esr Q A GU H. destruct (at_guest a s A GU) as (RU & [V' I' ST CP NF CX RN] & C & V & I & E1 & E2). cbn zeta in *.
  unfold nie.spec.trap.vcpu_abort.vcpu_abort in H. set (v := cpu_vm (cpu_at a c)) in *.
  assert (INJ : forall s1, at_ a s1 -> (forall s', ends o s0 ([], Registers.inject_abort esr FSC_EXTERNAL a) s' -> Q tt s') -> wp (inject_abort esr FSC_EXTERNAL ;;; ret tt) Q s1).
  { intros s1 A1 HQ. w_bind. eapply at_abort; [exact A1|]. intros s2 A2. apply wp_ret. apply HQ. eapply ends_here; eauto. }
  unfold vcpu_abort. destruct s as [gl h]. cbn [glob] in *. w_bind. eapply wp_load1; [reflexivity|exact C|]. cbn beta. rewrite E1.
  w_bind. eapply at_read; [exact A|vm_compute; split; congruence|]. intros s1 A1 _. cbn beta. w_bind. w_known fault_run. set (x := Registers.fault_page (Registers.reg_of a REG_HPFAR_EL2)) in *.
  assert (XB : 0 <= x < 2 ^ 44) by (unfold x, Registers.fault_page, Registers.field; apply Z.mod_pos_bound; lia).
  change (Z.land esr FSC_TYPE =? FSC_TRANSLATION) with (Registers.is_translation esr).
  assert (XE : (Z.shiftr x 27 =? 0) = (x <? 2 ^ (NIE_IPA_BITS - NIE_PAGE_SHIFT))).
  { rewrite Z.shiftr_div_pow2 by lia. change (2 ^ (NIE_IPA_BITS - NIE_PAGE_SHIFT)) with (2 ^ 27). destruct (Z.ltb_spec x (2 ^ 27)); lia. }
  rewrite XE. destruct (negb (Registers.is_translation esr) || negb (x <? 2 ^ (NIE_IPA_BITS - NIE_PAGE_SHIFT)))%bool eqn:OUT; [now apply INJ|].
  assert (X27 : 0 <= x < 2 ^ 27).
  { apply orb_false_elim in OUT as [_ OUT]. change (2 ^ (NIE_IPA_BITS - NIE_PAGE_SHIFT)) with (2 ^ 27) in OUT. destruct (Z.ltb_spec x (2 ^ 27)); [lia|discriminate]. }
  clear XE OUT XB. w_bind. eapply at_walk; [exact A1|exact V'|exact NF|exact X27|]. intros [gl2 h2] A2 _. cbn beta. destruct (walk_end a v x 3) as [[[t d] j] l] eqn:WE.
  apply walk_entry in WE. subst d. w_bind. w_known desc_valid_run. rewrite enc_maps, enc_is_spent.
  destruct (entry_of a v x) as [| |p|p|p|p]; cbn [maps_something b2z]; [change (0 =? 0) with true|change (0 =? 0) with true|change (1 =? 0) with false ..]; cbn [negb];
    try (apply wp_ret, H; eapply ends_here; eauto).
  2:{ now apply INJ. }
  w_bind. w_known window_run; [exact A2|exact V|exact NF|exact X27|]. destruct (nie.spec.trap.vcpu_abort.in_ram_window a v x); cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn [negb].
  { w_bind. w_known address_of_run; [lia|]. w_bind. eapply at_exit; [exact A2|exact GU|]. intros s3 E. apply wp_ret, H. exact E. }
  w_bind. w_known class_run. w_bind.
  assert (GO : forall b, b = ((Registers.exception_class esr =? EC_DATA_ABORT) && Registers.mmio_decodable esr)%bool ->
    wp (if b then mmio_exit c x esr ;;; ret tt else inject_abort esr FSC_EXTERNAL ;;; ret tt) Q (Mach gl2 h2)).
  { intros b E. rewrite <- E in H. destruct b; [|now apply INJ]. w_bind. eapply at_mmio; [exact A2|exact GU|exact X27|]. intros s3 E3. now apply wp_ret, H. }
  destruct (Registers.exception_class esr =? EC_DATA_ABORT).
  - w_bind. w_known decodable_run. apply wp_ret. apply GO. cbn [andb]. now destruct (Registers.mmio_decodable esr).
  - apply wp_ret. now apply (GO false).
Qed.
End Abort.
