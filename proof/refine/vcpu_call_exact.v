(* SPDX-License-Identifier: Apache-2.0 *)
(* What a VM asks for by HVC or SMC: the C does what spec/trap/vcpu_call.v says, and tells the host what it says. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers Actions.
From nie.spec.trap Require vcpu_call.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning page_remove_preserves vcpu_run_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.trap_h nie.generated.state.world nie.generated.state.context nie.generated.state.stage2
  nie.generated.trap.vcpu_call.
From nie.spec Require Import Core.
From nie.proof.refine Require Import GiveBack Shared vcpu_traps life_refines.
From nie.proof.refine Require Export vcpu_on_exact.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* General registers hold 64-bit numbers. *)
Definition x64 (a : state) (c : Z) : Prop := forall i, 0 <= i < 31 -> 0 <= Registers.x_of a c i < 2 ^ 64.

Lemma argument_u64 : forall f x, 0 <= x < 2 ^ 64 -> 0 <= Registers.smccc_argument f x < 2 ^ 64.
Proof. intros f x X. unfold Registers.smccc_argument. destruct (negb _); auto. assert (0 <= x mod 2 ^ 32 < 2 ^ 32) by (apply Z.mod_pos_bound; lia). lia. Qed.

Section Call.
Variables (c : Z) (o : Z -> owner) (s0 : MACH).
Notation at_ := (stands c o s0).
Notation POST X := (X -> MACH -> Prop).

(** Spent => Empty. *)

Lemma reopen_here : forall a s v ipa (Q : POST Z), at_ a s -> guest c a -> v = cpu_vm (cpu_at a c) -> 0 <= ipa < 2 ^ 64 ->
  (forall s', let r := spec_reopen v ipa a in at_ (snd r) s' -> Q (fst r) s') -> wp (page_reopen v ipa) Q s.
Proof.
  intros a [gl h] v ipa Q A GU -> IP H. destruct (at_guest _ _ _ _ _ A GU) as (RU & [V' I' ST CP NF CX RN] & C & V & I & E1 & E2). cbn zeta in *. set (v := cpu_vm (cpu_at a c)) in *.
  unfold spec_reopen, State.aligned, State.in_ipa_space in H. unfold page_reopen. w_bind. w_known aligned_run.
  destruct (ipa mod 4096 =? 0) eqn:AL; cbn [b2z negb] in *; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota; [|apply wp_ret; now apply H].
  rewrite Z.shiftr_div_pow2 by (unfold NIE_IPA_BITS; lia). unfold NIE_IPA_BITS in *.
  assert (XE : (ipa / 2 ^ 39 =? 0) = (ipa <? 2 ^ 39)) by (destruct (Z.ltb_spec ipa (2 ^ 39)); lia). rewrite XE.
  destruct (ipa <? 2 ^ 39) eqn:IN; cbn [negb] in *; [|apply wp_ret; now apply H]. w_bind. w_known page_of_run. unfold State.page_of in H. set (x := ipa / 4096) in *.
  assert (X : 0 <= x < 2 ^ 27) by (subst x; lia). w_bind. eapply at_walk; [exact A|exact V'|exact NF|exact X|]. intros [gl1 h1] A1 G1. cbn [glob] in G1. subst gl1. cbn beta.
  destruct (at_sound _ _ _ _ _ A1) as [W ON CN]. destruct (walk_end a v x 3) as [[[t d] j] l] eqn:WE. unfold walk_end in WE. change (3 =? 1) with false in WE. change (3 =? 2) with false in WE. cbn iota in WE.
  assert (NONE : (forall t3, slot_at a v 2 (x / 512) <> ToTable t3) -> slot_at a v 3 x <> Spent).
  { intros N F. destruct (wf_slot _ W v 3 x) as (_ & _ & _ & _ & _ & K); [congruence|]. destruct (K ltac:(lia)) as [p P]. exact (N p P). }
  assert (NO : slot_at a v 3 x <> Spent -> Q NIE_E_NOT_SPENT (Mach gl h1)).
  { intro N. destruct (slot_at a v 3 x); try congruence; now apply H. }
  assert (UP : (forall t1, slot_at a v 1 (x / 262144) <> ToTable t1) -> wp (ret NIE_E_NOT_SPENT) Q (Mach gl h1)).
  { intro N. apply wp_ret, NO, NONE. intros t3 F. destruct (wf_slot _ W v 2 (x / 512)) as (_ & _ & _ & _ & _ & K); [congruence|]. destruct (K ltac:(lia)) as [p P].
    replace (x / 512 / 512) with (x / 262144) in P by lia. exact (N p P). }
  destruct (slot_at a v 1 (x / 262144)) as [| |t1|t1|t1|t1] eqn:L1;
    try (injection WE as _ _ _ <-; change (1 =? LEVEL_PAGE) with false; cbn [negb orb]; apply UP; intros; discriminate).
  destruct (slot_at a v 2 (x / 512)) as [| |t3|t3|t3|t3] eqn:L2;
    try (injection WE as _ _ _ <-; change (2 =? LEVEL_PAGE) with false; cbn [negb orb]; apply wp_ret, NO, NONE; intros; discriminate).
  injection WE as <- <- <- <-. change (3 =? LEVEL_PAGE) with true. cbn [negb orb]. rewrite enc_is_spent.
  destruct (slot_at a v 3 x) as [| |p|p|p|p] eqn:L3; cbn [negb]; try (apply wp_ret, NO; discriminate).
  destruct (wf_tab _ W _ _ _ _ L2) as (_ & TR & TO). change (2 + 1) with 3 in TO. destruct (at_world _ _ _ _ _ _ A1) as (m & X1 & T).
  set (b := set_slot v 3 x Empty a) in *.
  assert (KP : kept (o t3) = true) by (rewrite <- (sd_own _ _ _ _ _ A), TO; reflexivity).
  assert (K : wp (s2_write t3 (enc Spent) (x mod 512) 3 DESC_EMPTY) (fun _ s' => glob s' = gl /\ exists m', world h1 (Aset a) (Aset a) m' (now m') (hw s') /\ tables_hold b m') (Mach gl h1)).
  { assert (RAM : ram h1 = ram_of a) by apply (R_ram _ _ (sd_R _ _ _ _ _ A1)).
    assert (MW : m (t3 * 512 + x mod 512) = enc Spent).
    { rewrite (t_vm _ _ T _ _ _ _ _ TR TO) by (unfold is_word; lia). replace (x / 512 * 512 + x mod 512) with x by lia. now rewrite L3. }
    unfold s2_write. w_bind. eapply (wp_page_write h1 a RAM); [exact X1|exact TR|unfold is_word; lia| |discriminate| |].
    - apply (untouched a W); auto. now rewrite TO.
    - rewrite MW. discriminate.
    - intros h2 X2. cbn beta. w_bind. eapply wp_dsb_same; [exact X2|]. intros h3 X3. cbn beta. apply wp_ret. cbn [glob hw]. split; [reflexivity|].
      eexists. split; [exact X3|]. apply reopen_tables; auto. eapply at_sound; eauto. }
  apply (wp_mute o) in K; [|now apply mute_write]. w_bind. eapply wp_weaken; [exact K|]. cbn beta. intros [] [gl2 h2] ((E & m' & X2 & T2) & S). cbn [glob hw] in *. subst gl2.
  apply wp_ret. apply (H (Mach gl h2)). cbn [snd].
  eapply (at_moved c o s0 a gl h1 b m'); [exact A1| |exact T2| | |reflexivity|reflexivity|reflexivity|reflexivity|reflexivity|exact S|apply ot_refl].
  - eapply world_same; [|exact X2]. intros. now apply reopen_map.
  - apply reopen_sound; auto. eapply at_sound; eauto.
  - eapply holds_of; [exact (at_globals _ _ _ _ _ A1)|reflexivity..].
Qed.

(** PSCI CPU_ON. *)

Lemma at_on : forall a s f (Q : POST unit), at_ a s -> guest c a -> x64 a c ->
  (forall s', ends o s0 (spec_on c f a) s' -> Q tt s') -> wp (vcpu_on c f) Q s.
Proof.
  intros a [gl h] f Q A GU XO H. destruct (at_guest _ _ _ _ _ A GU) as (RU & [V' I' ST CP NF CX RN] & C & V & I & E1 & E2). cbn zeta in *. unfold spec_on in H. set (v := cpu_vm (cpu_at a c)) in *.
  cbn [glob] in *. unfold vcpu_on. w_bind. unfold index. replace ((0 <=? c) && (c <? 8))%bool with true by lia. apply wp_ret.
  w_bind. eapply wp_load1; [reflexivity|exact C|]. cbn beta. rewrite E1.
  w_bind. eapply at_x_load; [exact A|lia|]. w_bind. w_known argument_run. w_bind. eapply at_x_load; [exact A|lia|]. w_bind. w_known argument_run.
  w_bind. eapply at_x_load; [exact A|lia|]. w_bind. w_known argument_run.
  pose proof (argument_u64 f _ (XO 1 ltac:(lia))) as T64. pose proof (argument_u64 f _ (XO 2 ltac:(lia))) as N64.
  set (t := Registers.smccc_argument f (Registers.x_of a c 1)) in *. set (n := Registers.smccc_argument f (Registers.x_of a c 2)) in *. set (y := Registers.smccc_argument f (Registers.x_of a c 3)) in *.
  pose proof (at_globals _ _ _ _ _ A) as G. cbn [glob] in G. pose proof (at_sound _ _ _ _ _ A) as SO. pose proof (so_wf _ SO) as W.
  destruct (v_used _ (wf_v _ W) v V' NF) as (_ & CNT & B1 & B2). destruct (g_vm _ _ G v V') as (_ & _ & E3 & E4 & _).
  assert (PUT : forall x, (forall s', ends o s0 ([], Registers.set_x c 0 x a) s' -> Q tt s') -> wp (store cpus_x [c; 0] x ;;; ret tt) Q (Mach gl h)).
  { intros x HQ. w_bind. eapply at_x_store; [exact A|lia|]. intros s' A'. apply wp_ret, HQ. eapply ends_here; eauto. }
  w_bind. eapply wp_load1; [reflexivity|exact V|]. cbn beta. rewrite (h_vcpus _ _ _ (g_vms _ _ G v V')).
  destruct (Z.leb_spec (vcpu_count (vm_at a v)) t) as [L|L]; [replace (t <? vcpu_count (vm_at a v)) with false in H by lia; now apply PUT|].
  replace (t <? vcpu_count (vm_at a v)) with true in H by lia. cbn [negb] in H. unfold NIE_MAX_VCPUS in CNT. assert (T8 : 0 <= t < 8) by lia. assert (T' : 0 <= t < NIE_MAX_VCPUS) by exact T8.
  set (k := v * NIE_MAX_VCPUS + t). assert (KB : 0 <= k < 512) by (unfold k, NIE_MAX_VCPUS; lia).
  assert (KE : wrap U64 (wrap U32 (v * NIE_MAX_VCPUS) + t) = k) by (unfold k, NIE_MAX_VCPUS in *; rewrite wrap32 by lia; rewrite wrap64; lia).
  rewrite KE. w_bind. eapply wp_load1; [reflexivity|exact KB|]. cbn beta. pose proof (g_vcpus _ _ G v t V' T') as [U1 U2 U3 U4 U5 U6]. fold k in U1, U2, U3, U4, U5, U6. rewrite U1.
  destruct (Z.eqb_spec (vcpu_state (vcpu_at a v t)) VCPU_OFF) as [OFF|OFF]; cbn [negb] in *; [|now apply PUT].
  w_bind. w_known page_of_run. change (n / 4096) with (State.page_of n). w_bind. eapply wp_load1; [reflexivity|exact V|]. cbn beta. rewrite E3. w_bind. eapply wp_load1; [reflexivity|exact V|]. cbn beta. rewrite E4.
  assert (WE : (ram_pages (vm_at a v) <=? wrap U64 (State.page_of n - ram_base (vm_at a v))) =
    negb ((ram_base (vm_at a v) <=? State.page_of n) && (State.page_of n - ram_base (vm_at a v) <? ram_pages (vm_at a v)))).
  { assert (PN : 0 <= State.page_of n < 2 ^ 52) by (unfold State.page_of; lia). destruct (Z.leb_spec (ram_base (vm_at a v)) (State.page_of n)); cbn [andb negb].
    - rewrite wrap64 by lia. destruct (Z.ltb_spec (State.page_of n - ram_base (vm_at a v)) (ram_pages (vm_at a v))); cbn [negb]; lia.
    - unfold wrap. cbn [width]. rewrite <- (Z.mod_add _ 1) by lia. rewrite Z.mod_small by lia. lia. }
  rewrite WE. destruct (negb ((ram_base (vm_at a v) <=? State.page_of n) && _)%bool); [now apply PUT|]. clear WE.
  rewrite (wrap32 t) by lia. w_bind. eapply reset_world; [exact A|exact V|exact T8|exact OFF|]. intros m' h1 X1 T1 S1. cbn beta. fold k.
  w_bind. eapply wp_store1; [reflexivity|exact KB|]. cbn beta.
  set (on := vcpu_at a v t <| vcpu_state := VCPU_READY |> <| pending := PENDING_NONE |> <| syndrome := 0 |>) in *. set (b := set_saved v t (Actions.reset_context n y) (set_vcpu v t on a)) in *.
  set (g1 := put1 vcpus_state k VCPU_READY (put1 vcpus_syndrome k 0 (put1 vcpus_pending k PENDING_NONE gl))).
  assert (SM : same_map a b) by (constructor; try reflexivity; intro w; split; [reflexivity|tauto]).
  assert (SB0 : sound (set_vcpu v t on a)).
  { apply put_sound; auto; unfold on; cbn; try rewrite OFF; try (split; reflexivity); try (split; [reflexivity|discriminate]); try discriminate; try (split; discriminate); reflexivity. }
  assert (SB : sound b) by (eapply quiet_sound with (a := set_vcpu v t on a); auto; reflexivity).
  assert (A2 : at_ b (Mach g1 h1)).
  { eapply (at_moved c o s0 a gl h b m'); [exact A| | |exact SB| |reflexivity|reflexivity|reflexivity|reflexivity|reflexivity|exact S1|].
    - eapply world_same; [|exact X1]. now apply same_map_Aset.
    - destruct T1. constructor; assumption.
    - eapply holds_of with (a := set_vcpu v t on a); try reflexivity. eapply hold_vcpu; [exact G|exact V'|exact T'| | |].
      + intros g F. unfold g1, put1. rewrite !field_set_other by (intros ->; discriminate). reflexivity.
      + intros g j F J. unfold g1. rewrite !at_put by reflexivity. fold k in J. destruct (Z.eqb_spec j k); [contradiction|].
        now destruct (gvar_dec g vcpus_state), (gvar_dec g vcpus_pending), (gvar_dec g vcpus_syndrome).
      + unfold g1. fold k. constructor; rewrite !at_put by reflexivity; cbn; rewrite ?Z.eqb_refl; auto.
    - unfold g1. apply ot_trans with (put1 vcpus_pending k PENDING_NONE gl); [now apply ot_put|].
      apply ot_trans with (put1 vcpus_syndrome k 0 (put1 vcpus_pending k PENDING_NONE gl)); now apply ot_put. }
  assert (FL : wp (s2_flush v ;;; ic_invalidate) (fun _ s' => at_ b s') (Mach g1 h1)) by (eapply at_flush; [exact A2|auto]).
  assert (FIN : forall s2, at_ b s2 -> wp (store cpus_x [c; 0] PSCI_SUCCESS ;;; exit_vcpu c NIE_EXIT_CPU_ON 0 0 t ;;; ret tt) Q s2).
  { intros s2 A3. w_bind. eapply at_x_store; [exact A3|lia|]. intros s3 A4. w_bind. eapply at_exit; [exact A4| |].
    - unfold guest in *. intro F. apply GU. rewrite <- F. symmetry. exact (proj1 (al_runs _ _ (alike_x c 0 PSCI_SUCCESS b) c)).
    - intros s4 E. apply wp_ret, H. exact E. }
  unfold wp, bind in FL |- *. destruct (s2_flush v (Mach g1 h1)) as [[[] s2]|]; [|destruct FL]. destruct (ic_invalidate s2) as [[[] s3]|]; [|destruct FL]. exact (FIN s3 FL).
Qed.
End Call.
