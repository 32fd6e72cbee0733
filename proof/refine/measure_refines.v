(* SPDX-License-Identifier: Apache-2.0 *)
(* engine/core/state/measure.c: the hash of a VM is that of its build log so far. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Map.
From nie.spec Require Sha256 Measure.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.sha256 nie.generated.state.measure.
From nie.proof.refine Require Import sha256_refines.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

#[local] Arguments at1 : simpl never.
#[local] Arguments put1 : simpl never.

(* [n] whole blocks have been hashed. *)
Record measured (gl : globals) (vm : Z) (log : list Z) (n : nat) : Prop := {
  m_length : length log = (8 * n)%nat;
  m_hash : hash_of gl vm = Sha256.blocks_hash n Sha256.H0 (Sha256.words_of (Measure.bytes_of log));
  m_hashed : at1 vms_hashed gl vm = (64 * Z.of_nat n) mod 2 ^ 64;
}.

Record only_scratch (gl gl' : globals) : Prop :=
  { s_field : forall g, g <> sha_schedule -> field g gl' = field g gl }.

Section Measure.
Context {H : Type} {P : prims H}.

Lemma measure_start_wp : forall vm gl (h : H) (Q : unit -> mach globals H -> Prop), 0 <= vm < 64 ->
  (forall gl', only_measure vm gl gl' -> measured gl' vm [] 0 -> Q tt (Mach gl' h)) ->
  wp (measure_start vm) Q (Mach gl h).
Proof.
  intros vm gl h Q V HQ. unfold measure_start. apply wp_bind.
  apply wp_loop with (I := fun t _ s => exists gl1, s = Mach gl1 h /\ only_measure vm gl gl1 /\
    forall i, 0 <= i < t -> hash_word gl1 vm i = Map.get table_sha_initial i); [lia| | |].
  - exists gl. split; [auto|]. split; [apply only_measure_refl|]. intros. lia.
  - intros t _ s T (gl1 & -> & O & E). apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. apply wp_bind.
    apply hash_store; [lia|lia|]. apply wp_ret. eexists. split; [reflexivity|].
    split; [eapply only_measure_trans; [exact O|apply only_hash; lia]|].
    intros i I. destruct (Z.eq_dec t i) as [->|N].
    + rewrite hash_same. reflexivity.
    + rewrite hash_other by auto. apply E. lia.
  - intros _ s (gl1 & -> & O & E). cbn beta. apply wp_bind. eapply wp_store1; [reflexivity|lia|]. apply wp_ret. apply HQ.
    + eapply only_measure_trans; [exact O|apply only_hashed].
    + assert (F : forall i, 0 <= i < 8 -> hash_word (put1 vms_hashed vm 0 gl1) vm i = Map.get table_sha_initial i).
      { intros i I. unfold hash_word. rewrite at_put by reflexivity. now apply E. }
      split; [reflexivity| |].
      * unfold hash_of. rewrite !F by lia. unfold table_sha_initial, of_list. rewrite !of_list_get by lia. reflexivity.
      * rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl.
Qed.

(** Bytes and words. *)

Definition swap (x : Z) : Z := x mod 256 * 2 ^ 24 + x / 256 mod 256 * 2 ^ 16 + x / 2 ^ 16 mod 256 * 2 ^ 8 + x / 2 ^ 24 mod 256.

Lemma lor_add : forall n a b, 0 <= n -> 0 <= b < 2 ^ n -> Z.lor b (a * 2 ^ n) = a * 2 ^ n + b.
Proof.
  intros n a b N B. assert (L : Z.land b (a * 2 ^ n) = 0).
  2:{ rewrite <- (Z.lxor_lor _ _ L), Z.add_comm. symmetry. now apply Z.add_nocarry_lxor. }
  apply Z.bits_inj'. intros i I. rewrite Z.land_spec, Z.bits_0. destruct (Z.ltb_spec i n).
  - rewrite Z.mul_pow2_bits_low by lia. apply andb_false_r.
  - rewrite <- (Z.mod_small b (2 ^ n)) by auto.
    now rewrite Z.mod_pow2_bits_high by lia.
Qed.

Lemma land_byte : forall x n, 0 <= n -> Z.land x (255 * 2 ^ n) = x / 2 ^ n mod 256 * 2 ^ n.
Proof.
  intros x n N. change 255 with (Z.ones 8). rewrite <- !Z.shiftl_mul_pow2 by auto.
  change 256 with (2 ^ 8). rewrite <- Z.land_ones by lia. rewrite <- Z.shiftr_div_pow2 by auto.
  apply Z.bits_inj'. intros i I. rewrite Z.land_spec, !Z.shiftl_spec by auto. destruct (Z.ltb_spec i n).
  - rewrite !(Z.testbit_neg_r _ (i - n)) by lia. apply andb_false_r.
  - rewrite Z.land_spec, Z.shiftr_spec by lia. f_equal. f_equal. lia.
Qed.

Lemma byte_swap_run : forall x (s : mach globals H), 0 <= x < 2 ^ 32 -> byte_swap x s = Some (swap x, s).
Proof.
  intros x s X. unfold byte_swap, ret. do 2 f_equal. unfold wrap. cbn [width].
  change 0xff00 with (255 * 2 ^ 8). change 0xff0000 with (255 * 2 ^ 16). rewrite !land_byte by lia.
  rewrite !Z.shiftr_div_pow2, !Z.shiftl_mul_pow2 by lia.
  replace (x * 2 ^ 24 mod 2 ^ 32) with (x mod 256 * 2 ^ 24) by lia.
  rewrite (lor_add 8), (lor_add 16), (lor_add 24) by lia. unfold swap.
  replace ((x * 2 ^ 8 mod 2 ^ 32) / 2 ^ 16 mod 256) with (x / 256 mod 256) by lia.
  replace (x / 2 ^ 8 / 2 ^ 8) with (x / 2 ^ 16) by lia.
  replace (x / 2 ^ 24 mod 256) with (x / 2 ^ 24) by lia. ring.
Qed.

(* The block's words that [log] stands for, from word [i] on. *)
Definition halves (v : Z) : list Z := [swap (v mod 2 ^ 32); swap (v / 2 ^ 32 mod 2 ^ 32)].

Lemma words_of_value : forall v rest,
  Sha256.words_of (Measure.little_endian64 v ++ rest) = halves v ++ Sha256.words_of rest.
Proof.
  intros v rest. unfold Measure.little_endian64, halves, swap. cbn [map app Sha256.words_of].
  f_equal; [|f_equal]; lia.
Qed.

Lemma words_of_log : forall log rest,
  Sha256.words_of (Measure.bytes_of log ++ rest) = flat_map halves log ++ Sha256.words_of rest.
Proof.
  unfold Measure.bytes_of. induction log as [|v log IH]; intro rest; cbn [flat_map]; auto.
  now rewrite <- !app_assoc, words_of_value, IH.
Qed.

Lemma put_word_wp : forall i v gl (h : H) (Q : unit -> mach globals H -> Prop), 0 <= i < 8 ->
  (forall gl', only_scratch gl gl' ->
     schedule_of gl' (Z.to_nat (2 * i + 2)) = schedule_of gl (Z.to_nat (2 * i)) ++ halves v -> Q tt (Mach gl' h)) ->
  wp (put_word i v) Q (Mach gl h).
Proof.
  intros i v gl h Q I HQ. unfold put_word.
  rewrite (wrap32 (2 * i)) by lia. rewrite (wrap32 (2 * i + 1)) by lia.
  apply wp_bind. eapply wp_known; [apply byte_swap_run; unfold wrap; cbn [width]; lia|]. cbn beta.
  apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta.
  apply wp_bind. eapply wp_known; [apply byte_swap_run; unfold wrap; cbn [width]; lia|]. cbn beta.
  apply wp_bind. eapply wp_store1; [reflexivity|lia|]. apply wp_ret.
  unfold wrap. cbn [width]. rewrite Z.shiftr_div_pow2 by lia. apply HQ.
  - split; intros; unfold put1; rewrite !field_set_other; auto; intros ->; auto.
  - replace (Z.to_nat (2 * i + 2)) with (S (S (Z.to_nat (2 * i)))) by lia.
    pose proof (schedule_put gl (Z.to_nat (2 * i)) (swap (v mod 2 ^ 32))) as A.
    rewrite Z2Nat.id in A by lia.
    set (gl1 := put1 sha_schedule (2 * i) (swap (v mod 2 ^ 32)) gl) in *.
    pose proof (schedule_put gl1 (S (Z.to_nat (2 * i))) (swap (v / 2 ^ 32 mod 2 ^ 32))) as B.
    replace (Z.of_nat (S (Z.to_nat (2 * i)))) with (2 * i + 1) in B by lia.
    rewrite B, A. unfold halves. now rewrite <- app_assoc.
Qed.

Lemma blocks_snoc : forall n G w w', length w = (16 * n)%nat ->
  Sha256.blocks_hash (S n) G (w ++ w') = Sha256.block_hash (Sha256.blocks_hash n G w) (firstn 16 w').
Proof.
  induction n as [|n IH]; intros G w w' L.
  - destruct w; [reflexivity|discriminate].
  - cbn [Sha256.blocks_hash] in *. replace (firstn 16 (w ++ w')) with (firstn 16 w).
    2:{ rewrite firstn_app. replace (16 - length w)%nat with 0%nat by lia. now rewrite app_nil_r. }
    replace (skipn 16 (w ++ w')) with (skipn 16 w ++ w').
    2:{ rewrite skipn_app. now replace (16 - length w)%nat with 0%nat by lia. }
    apply IH. rewrite skipn_length. lia.
Qed.

Lemma halves_length : forall log, length (flat_map halves log) = (2 * length log)%nat.
Proof. induction log; cbn [flat_map]; auto. rewrite app_length, IHlog. cbn [length halves]. lia. Qed.

(* The block in sha_schedule is that of the eight words [b]. *)
Lemma next_block_wp : forall vm gl (h : H) log n b (Q : unit -> mach globals H -> Prop), 0 <= vm < 64 ->
  measured gl vm log n -> length b = 8%nat -> schedule_of gl 16 = flat_map halves b ->
  (forall gl', only_measure vm gl gl' -> measured gl' vm (log ++ b) (S n) -> Q tt (Mach gl' h)) ->
  wp (next_block vm) Q (Mach gl h).
Proof.
  intros vm gl h log n b Q V [L E D] Lb S HQ. unfold next_block. apply wp_bind.
  apply sha256_block_wp; [auto|]. intros gl1 (O & E1 & D1). apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta.
  apply wp_bind. eapply wp_store1; [reflexivity|lia|]. apply wp_ret. apply HQ.
  - eapply only_measure_trans; [exact O|apply only_hashed].
  - split.
    + rewrite app_length. lia.
    + replace (hash_of (put1 vms_hashed vm _ gl1) vm) with (hash_of gl1 vm)
        by (unfold hash_of, hash_word; now rewrite !at_put by reflexivity).
      rewrite E1, E, S.
      pose proof (words_of_log log []) as A. pose proof (words_of_log (log ++ b) []) as B.
      rewrite !app_nil_r in A, B. rewrite A, B, flat_map_app, blocks_snoc by (rewrite halves_length; lia).
      f_equal. symmetry. apply firstn_all2. rewrite halves_length. lia.
    + rewrite at_put by reflexivity. cbn. rewrite Z.eqb_refl.
      unfold at1 in *. rewrite D1, D. unfold wrap, BLOCK_BYTES. cbn [width]. lia.
Qed.
End Measure.
