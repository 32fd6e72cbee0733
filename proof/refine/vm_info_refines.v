(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_INFO: the C writes what spec/call/vm_info.v says to the caller's registers, and nothing else. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Sha256 Measure.
From nie.spec Require Import State Registers.
From nie.spec.call Require vm_info.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning trap_steps trap_steps_preserve vm_info_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.call.vm_info.
From nie.spec Require Import Core.
From nie.proof.refine Require Export Ends.
From nie.proof.refine Require Import sha256_refines measure_refines.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation field := C_store.field.
Notation spec_vm_info := nie.spec.call.vm_info.vm_info.

Lemma place_2 : forall d e i j, 0 <= i < d -> 0 <= j < e -> place [d; e] [i; j] 0 = Some (i * e + j).
Proof.
  intros d e i j I J. cbn [place]. replace ((0 <=? i) && (i <? d))%bool with true by lia.
  now replace ((0 <=? j) && (j <? e))%bool with true by lia.
Qed.

Section Two.
Context {H : Type}.
Lemma wp_load2 : forall g d e i j gl (h : H) (Q : Z -> mach globals H -> Prop), dims g = [d; e] -> 0 <= i < d -> 0 <= j < e ->
  Q (at1 g gl (i * e + j)) (Mach gl h) -> wp (load g [i; j]) Q (Mach gl h).
Proof. intros g d e i j gl h Q E I J HQ. unfold wp, load. cbn [glob]. now rewrite E, place_2. Qed.
Lemma wp_store2 : forall g d e i j v gl (h : H) (Q : unit -> mach globals H -> Prop), dims g = [d; e] -> 0 <= i < d -> 0 <= j < e ->
  Q tt (Mach (put1 g (i * e + j) v gl) h) -> wp (store g [i; j] v) Q (Mach gl h).
Proof. intros g d e i j v gl h Q E I J HQ. unfold wp, store. cbn [glob hw]. now rewrite E, place_2. Qed.
End Two.

(* Only these registers of the caller change. *)
Record only_x (c n : Z) (gl gl' : globals) : Prop := {
  ox_field : forall g, g <> cpus_x -> field g gl' = field g gl;
  ox_word : forall i, ~ (c * 31 <= i < c * 31 + n) -> at1 cpus_x gl' i = at1 cpus_x gl i;
}.
Lemma x_refl : forall c n gl, only_x c n gl gl.
Proof. constructor; auto. Qed.
Lemma x_put : forall c n i w gl gl', only_x c n gl gl' -> 0 <= i < n -> only_x c n gl (put1 cpus_x (c * 31 + i) w gl').
Proof.
  intros c n i w gl gl' [F W] I. constructor.
  - intros g N. unfold put1. rewrite field_set_other; auto.
  - intros j N. rewrite at_put by reflexivity. cbn. destruct (Z.eqb_spec j (c * 31 + i)); auto. lia.
Qed.

Lemma R_set_x : forall a gl h c i w, R a (Mach gl h) -> 0 <= c < NIE_MAX_CPUS -> 0 <= i < 31 ->
  R (set_x c i w a) (Mach (put1 cpus_x (c * 31 + i) w gl) h).
Proof.
  intros a gl h c i w [W O G (m & X & T) RAM ENG REGS CNT] C I. cbn [glob hw] in *.
  destruct (set_x_sound c i w a) as [W' O' CNT']; [now split|].
  apply R_ends with (h0 := h) (m := m); auto using set_x_tables.
  - assert (F : forall g j, g <> cpus_x -> at1 g (put1 cpus_x (c * 31 + i) w gl) j = at1 g gl j).
    { intros g j N. rewrite at_put by reflexivity. now destruct (gvar_dec g cpus_x). }
    assert (SO : forall f, f cpus_x = false -> same_on f gl (put1 cpus_x (c * 31 + i) w gl)).
    { intros f FX g E. unfold put1. apply field_set_other. intros ->. congruence. }
    constructor; [rewrite F by discriminate; apply G ..| | | | | |].
    + intros p P. cbn zeta. rewrite !F by discriminate. exact (g_own _ _ G p P).
    + intros v V. rewrite !F by discriminate. exact (g_vm _ _ G v V).
    + intros v V. eapply vm_same; [|exact (g_vms _ _ G v V)]. now apply SO.
    + intros v j V J. eapply vcpu_same; [|exact (g_vcpus _ _ G v j V J)]. now apply SO.
    + intros d D. unfold set_x. rewrite cpu_at_put. pose proof (g_cpus _ _ G d D) as []. unfold NIE_MAX_CPUS in *.
      destruct (Z.eqb_spec d c) as [->|N]; constructor; intros; rewrite ?(F cpus_host_x), ?(F cpus_host_sysreg), ?(F cpus_in), ?(F cpus_entry),
        ?(F cpus_argument), ?(F cpus_vm), ?(F cpus_vcpu), ?(F cpus_started) by discriminate; auto.
      * rewrite at_put by reflexivity. cbn. rewrite Map.get_set. replace (c * 31 + i0 =? c * 31 + i) with (i0 =? i) by (apply eq_true_iff_eq; lia).
        destruct (i0 =? i); auto.
      * rewrite at_put by reflexivity. cbn. replace (d * 31 + i0 =? c * 31 + i) with false by lia. auto.
    + intros v d V D. rewrite F by discriminate. exact (g_lasts _ _ G v d V D).
  - destruct REGS. constructor; auto. intro d. rewrite r_vttbr. unfold vttbr_of, set_x. rewrite cpu_at_put.
    now destruct (Z.eqb_spec d c) as [->|].
Qed.

(** A hash is eight 32-bit words. *)

Definition words_ok (h : Sha256.words8) : Prop :=
  let '(a, b, c, d, e, f, g, k) := h in
  Forall (fun x => 0 <= x < 2 ^ 32) [a; b; c; d; e; f; g; k].

Lemma block_ok : forall H b, words_ok (Sha256.block_hash H b).
Proof.
  intros H b. unfold Sha256.block_hash. generalize (Sha256.rounds 64 (Sha256.schedule b) H).
  intros [[[[[[[x1 x2] x3] x4] x5] x6] x7] x8]. destruct H as [[[[[[[y1 y2] y3] y4] y5] y6] y7] y8].
  unfold words_ok, Sha256.add8, Sha256.add. repeat constructor; apply Z.mod_pos_bound; lia.
Qed.
Lemma blocks_ok : forall n H w, words_ok H -> words_ok (Sha256.blocks_hash n H w).
Proof. induction n as [|n IH]; intros H w K; cbn [Sha256.blocks_hash]; auto using block_ok. Qed.
Lemma hash_ok : forall r, words_ok (hash_of_vm r).
Proof.
  assert (K : words_ok Sha256.H0) by (unfold words_ok, Sha256.H0; repeat constructor; lia).
  intro r. unfold hash_of_vm, hash_so_far, Measure.measurement, Sha256.sha256.
  destruct (vm_state r =? NIE_VM_FREE); [unfold words_ok; repeat constructor; lia|].
  destruct (sealed r); apply blocks_ok; exact K.
Qed.

Lemma filter_most : forall A (f : A -> bool) l, (length (filter f l) <= length l)%nat.
Proof. intros A f l. induction l as [|x l IH]; cbn [filter length]; auto. destruct (f x); cbn [length]; lia. Qed.

Lemma load_hash : forall a gl h v h0 h1 h2 h3 h4 h5 h6 h7, R a (Mach gl h) -> 0 <= v < NIE_MAX_VMS -> hash_of_vm (vm_at a v) = (h0, h1, h2, h3, h4, h5, h6, h7) ->
  (at1 vms_hash gl (v * 8 + 0) = h0 /\ at1 vms_hash gl (v * 8 + 1) = h1) /\ (at1 vms_hash gl (v * 8 + 2) = h2 /\ at1 vms_hash gl (v * 8 + 3) = h3) /\
  (at1 vms_hash gl (v * 8 + 4) = h4 /\ at1 vms_hash gl (v * 8 + 5) = h5) /\ (at1 vms_hash gl (v * 8 + 6) = h6 /\ at1 vms_hash gl (v * 8 + 7) = h7).
Proof.
  intros a gl h v h0 h1 h2 h3 h4 h5 h6 h7 HR V E. pose proof (h_hash _ _ _ (g_vms _ _ (R_globals _ _ HR) v V)) as H. cbn [glob] in H.
  rewrite E in H. unfold hash_of, hash_word in H. injection H as H0 H1 H2 H3 H4 H5 H6 H7. auto 10.
Qed.

Lemma pair_word : forall x y, 0 <= x < 2 ^ 32 -> 0 <= y < 2 ^ 32 -> Z.lor (wrap U64 (Z.shiftl x 32)) y = x * 2 ^ 32 + y.
Proof. intros x y X Y. rewrite Z.shiftl_mul_pow2, wrap64 by lia. rewrite Z.lor_comm. apply lor_add; lia. Qed.

(* One register after the other: the state goes along. *)
Ltac next_x c k w C O :=
  match goal with HR : R ?b (Mach ?g ?h) |- wp _ _ (Mach (put1 cpus_x _ w ?g) ?h) =>
    let RN := fresh "RN" in let ON := fresh "ON" in
    pose proof (R_set_x b g h c k w HR C ltac:(lia)) as RN;
    assert (ON : only_x c 7 _ (put1 cpus_x (c * 31 + k) w g)) by (apply x_put; [exact O|lia]);
    clear HR; clear O; rename ON into O; revert RN O; generalize (put1 cpus_x (c * 31 + k) w g); intros ? RN O end.
(* The VM's record, where we are. *)
Ltac here_vm v V r :=
  match goal with HR : R ?b (Mach ?g ?h) |- _ =>
    let E := fresh "E" in pose proof (g_vm _ _ (R_globals _ _ HR) v V) as E; change (vm_at b v) with r in E; cbn [glob] in E end.
Lemma record_small : forall a s v, R a s -> 0 <= v < NIE_MAX_VMS -> 0 <= vm_state (vm_at a v) < 256 /\ 0 <= running (vm_at a v) < 2 ^ 32.
Proof.
  intros a s v HR V. pose proof (R_wf _ _ HR) as W. split.
  - destruct (Z.eq_dec (vm_state (vm_at a v)) NIE_VM_FREE) as [->|N]; [unfold NIE_VM_FREE; lia|]. destruct (v_used _ (wf_v _ W) v V N) as (S & _).
    unfold NIE_VM_FREE, NIE_VM_STOPPED in S. lia.
  - rewrite (v_running _ (wf_v _ W) v V). unfold how_many.
    pose proof (filter_most _ (fun i => is_running (vcpu_at a v (Z.of_nat i))) (seq 0 (Z.to_nat NIE_MAX_VCPUS))) as FL.
    rewrite seq_length in FL. unfold NIE_MAX_VCPUS in *. lia.
Qed.

(* x1 holds a 64-bit number. *)
Theorem vm_info_refines : forall a s c, R a s -> 0 <= c < NIE_MAX_CPUS -> 0 <= x_of a c 1 < 2 ^ 64 ->
  wp (call_vm_info c) (fun _ s' => R (spec_vm_info c a) s' /\ only_x c 7 (glob s) (glob s') /\ hw s' = hw s) s.
Proof.
  intros a [gl h] c HR C X. cbn [glob hw]. unfold spec_vm_info, nie.spec.call.vm_info.vm_info_words, vm_exists, answer.
  assert (C8 : 0 <= c < 8) by (unfold NIE_MAX_CPUS in C; lia).
  unfold call_vm_info, index. replace ((0 <=? c) && (c <? 8))%bool with true by lia. skip.
  eapply wp_load2; [reflexivity|lia|lia|]. pose proof (h_x _ _ _ (g_cpus _ _ (R_globals _ _ HR) c C) 1 ltac:(lia)) as HX. cbn [glob] in HX. rewrite HX. clear HX.
  fold (x_of a c 1). set (v := x_of a c 1) in *. skip.
  destruct (Z.leb_spec NIE_MAX_VMS v) as [L|L].
  { replace (v <? NIE_MAX_VMS) with false by lia. skip. eapply wp_store2; [reflexivity|lia|lia|]. go. cbn [answer_from glob hw].
    split; [now apply R_set_x; [|auto|lia]|]. split; [|auto]. apply x_put; [apply x_refl|lia]. }
  replace (v <? NIE_MAX_VMS) with true by lia. assert (V : 0 <= v < NIE_MAX_VMS) by lia. assert (V64 : 0 <= v < 64) by (unfold NIE_MAX_VMS in V; lia).
  set (r := vm_at a v). destruct (hash_of_vm r) as [[[[[[[w0 w1] w2] w3] w4] w5] w6] w7] eqn:HH.
  pose proof (hash_ok r) as HK. rewrite HH in HK. unfold words_ok in HK.
  repeat match goal with K : Forall _ (_ :: _) |- _ => let K1 := fresh "B" in let K2 := fresh "K" in inversion K as [|? ? K1 K2]; subst; clear K end.
  cbn [nie.spec.call.vm_info.hash_words app answer_from]. change (0 + 1) with 1. change (1 + 1) with 2. change (2 + 1) with 3. change (3 + 1) with 4. change (4 + 1) with 5. change (5 + 1) with 6.
  pose proof (record_small _ _ v HR V) as ST. fold r in ST.
  skip. eapply wp_store2; [reflexivity|lia|lia|]. cbn beta.
  pose proof (R_set_x _ _ _ c 0 NIE_OK HR C ltac:(lia)) as RR0.
  assert (O0 : only_x c 7 gl (put1 cpus_x (c * 31 + 0) NIE_OK gl)) by (apply x_put; [apply x_refl|lia]).
  revert RR0 O0. generalize (put1 cpus_x (c * 31 + 0) NIE_OK gl). intros gl0 RR0 O0.
  destruct (g_vm _ _ (R_globals _ _ RR0) v V) as (E1 & _). pose proof (h_running _ _ _ (g_vms _ _ (R_globals _ _ RR0) v V)) as E2.
  change (vm_at (set_x c 0 NIE_OK a) v) with r in E1, E2. cbn [glob] in E1, E2.
  skip. w_load. rewrite E1. skip. w_load. rewrite E2. skip. eapply wp_store2; [reflexivity|lia|lia|]. cbn beta.
  replace (Z.lor (vm_state r) (wrap U64 (Z.shiftl (running r) 8))) with (vm_state r + 256 * running r).
  2:{ rewrite Z.shiftl_mul_pow2, wrap64 by lia. rewrite lor_add by lia. lia. }
  clear E1 E2. next_x c 1 (vm_state r + 256 * running r) C O0.
  here_vm v V r. destruct E as (_ & _ & _ & _ & E).
  skip. w_load. rewrite E. clear E. skip. eapply wp_store2; [reflexivity|lia|lia|]. cbn beta. next_x c 2 (granules r) C O0.
  skip. unfold loop. change (Z.to_nat (4 - 0)) with 4%nat. cbn [rounds'].
  change (0 + 1) with 1. change (1 + 1) with 2. change (2 + 1) with 3.
  match goal with HR : R ?b (Mach ?g ?h) |- _ => destruct (load_hash b g h v _ _ _ _ _ _ _ _ HR V HH) as ((L1 & L2) & _) end.
  skip. eapply wp_load2; [reflexivity|exact V64|vm_compute; split; congruence|]. cbn beta. change (wrap U32 (2 * 0)) with 0. rewrite L1.
  skip. eapply wp_load2; [reflexivity|exact V64|vm_compute; split; congruence|]. cbn beta. change (wrap U32 (0 + 1)) with 1. rewrite L2. rewrite pair_word by lia.
  skip. change (wrap U32 (3 + 0)) with 3. eapply wp_store2; [reflexivity|lia|lia|]. cbn beta. clear L1 L2. next_x c 3 (w0 * 2 ^ 32 + w1) C O0.
  match goal with HR : R ?b (Mach ?g ?h) |- _ => destruct (load_hash b g h v _ _ _ _ _ _ _ _ HR V HH) as (_ & (L1 & L2) & _) end.
  skip. eapply wp_load2; [reflexivity|exact V64|vm_compute; split; congruence|]. cbn beta. change (wrap U32 (2 * 1)) with 2. rewrite L1.
  skip. eapply wp_load2; [reflexivity|exact V64|vm_compute; split; congruence|]. cbn beta. change (wrap U32 (2 + 1)) with 3. rewrite L2. rewrite pair_word by lia.
  skip. change (wrap U32 (3 + 1)) with 4. eapply wp_store2; [reflexivity|lia|lia|]. cbn beta. clear L1 L2. next_x c 4 (w2 * 2 ^ 32 + w3) C O0.
  match goal with HR : R ?b (Mach ?g ?h) |- _ => destruct (load_hash b g h v _ _ _ _ _ _ _ _ HR V HH) as (_ & _ & (L1 & L2) & _) end.
  skip. eapply wp_load2; [reflexivity|exact V64|vm_compute; split; congruence|]. cbn beta. change (wrap U32 (2 * 2)) with 4. rewrite L1.
  skip. eapply wp_load2; [reflexivity|exact V64|vm_compute; split; congruence|]. cbn beta. change (wrap U32 (4 + 1)) with 5. rewrite L2. rewrite pair_word by lia.
  skip. change (wrap U32 (3 + 2)) with 5. eapply wp_store2; [reflexivity|lia|lia|]. cbn beta. clear L1 L2. next_x c 5 (w4 * 2 ^ 32 + w5) C O0.
  match goal with HR : R ?b (Mach ?g ?h) |- _ => destruct (load_hash b g h v _ _ _ _ _ _ _ _ HR V HH) as (_ & _ & _ & (L1 & L2)) end.
  skip. eapply wp_load2; [reflexivity|exact V64|vm_compute; split; congruence|]. cbn beta. change (wrap U32 (2 * 3)) with 6. rewrite L1.
  skip. eapply wp_load2; [reflexivity|exact V64|vm_compute; split; congruence|]. cbn beta. change (wrap U32 (6 + 1)) with 7. rewrite L2. rewrite pair_word by lia.
  skip. change (wrap U32 (3 + 3)) with 6. eapply wp_store2; [reflexivity|lia|lia|]. cbn beta. clear L1 L2. next_x c 6 (w6 * 2 ^ 32 + w7) C O0.
  go. cbn [glob hw]. split; [assumption|]. split; [exact O0|reflexivity].
Qed.
