(* SPDX-License-Identifier: Apache-2.0 *)
(* A record, and the end of the log: the hash is then SHA-256 of the log's bytes. *)
From Coq Require Import ZArith List Bool Lia.
From nie.spec Require Sha256 Measure.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.sha256 nie.generated.state.measure.
From nie.proof.refine Require Import sha256_refines measure_refines.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Lemma scratch_only : forall vm gl gl', only_scratch gl gl' -> only_measure vm gl gl'.
Proof.
  intros vm gl gl' [S]. split; intros; unfold at1; try rewrite S; auto; try discriminate.
  intros ->. discriminate.
Qed.
Lemma scratch_trans : forall a b c, only_scratch a b -> only_scratch b c -> only_scratch a c.
Proof. intros a b c [A] [B]. split. intros. now rewrite B, A. Qed.
Lemma scratch_refl : forall a, only_scratch a a.
Proof. now split. Qed.
Lemma scratch_put : forall i v gl, only_scratch gl (put1 sha_schedule i v gl).
Proof. intros. split. intros g G. unfold put1. now rewrite field_set_other. Qed.
Lemma scratch_hash : forall gl gl' vm, only_scratch gl gl' -> hash_of gl' vm = hash_of gl vm.
Proof. intros gl gl' vm [S]. unfold hash_of, hash_word, at1. now rewrite S by discriminate. Qed.
Lemma scratch_measured : forall gl gl' vm log n, only_scratch gl gl' -> measured gl vm log n -> measured gl' vm log n.
Proof.
  intros gl gl' vm log n S [L E D]. split; auto.
  - now rewrite (scratch_hash _ _ _ S).
  - destruct S as [S]. unfold at1 in *. now rewrite S by discriminate.
Qed.

Section Measure.
Context {H : Type} {P : prims H}.

(* The values put so far are [l]. *)
Lemma put_next_wp : forall i v gl0 gl (h : H) l (Q : unit -> mach globals H -> Prop), 0 <= i < 8 ->
  only_scratch gl0 gl -> schedule_of gl (Z.to_nat (2 * i)) = flat_map halves l ->
  (forall gl', only_scratch gl0 gl' -> schedule_of gl' (Z.to_nat (2 * (i + 1))) = flat_map halves (l ++ [v]) ->
     Q tt (Mach gl' h)) ->
  wp (put_word i v) Q (Mach gl h).
Proof.
  intros i v gl0 gl h l Q I S E HQ. apply put_word_wp; auto. intros gl' S' E'. apply HQ.
  - eapply scratch_trans; eauto.
  - replace (2 * (i + 1)) with (2 * i + 2) by lia. rewrite E', E, flat_map_app. cbn [flat_map]. now rewrite app_nil_r.
Qed.

Theorem measure_record_wp : forall vm kind a b c gl (h : H) log n (Q : unit -> mach globals H -> Prop), 0 <= vm < 64 ->
  measured gl vm log n ->
  (forall gl', only_measure vm gl gl' -> measured gl' vm (log ++ Measure.record kind a b c) (S n) -> Q tt (Mach gl' h)) ->
  wp (measure_record vm kind a b c) Q (Mach gl h).
Proof.
  intros vm kind a b c gl h log n Q V M HQ. unfold measure_record.
  apply wp_bind. apply put_next_wp with (gl0 := gl) (l := []); [lia|apply scratch_refl|reflexivity|]. intros gl1 S1 E1.
  apply wp_bind. eapply put_next_wp; [lia|exact S1|exact E1|]. clear E1. intros gl2 S2 E2.
  apply wp_bind. eapply put_next_wp; [lia|exact S2|exact E2|]. clear E2. intros gl3 S3 E3.
  apply wp_bind. eapply put_next_wp; [lia|exact S3|exact E3|]. clear E3. intros gl4 S4 E4.
  apply wp_bind.
  apply wp_loop with (I := fun i _ s => exists gl', s = Mach gl' h /\ only_scratch gl gl' /\
    schedule_of gl' (Z.to_nat (2 * i)) = flat_map halves ([kind; a; b; c] ++ repeat 0 (Z.to_nat (i - 4)))); unfold BLOCK_WORDS.
  - lia.
  - exists gl4. split; [reflexivity|]. split; [exact S4|]. exact E4.
  - intros i _ s I (gl' & -> & S' & E'). apply wp_bind. eapply put_next_wp; [lia|exact S'|exact E'|].
    intros gl5 S5 E5. apply wp_ret. exists gl5. split; [reflexivity|]. split; [exact S5|].
    rewrite E5. f_equal. rewrite <- app_assoc. f_equal. replace (Z.to_nat (i + 1 - 4)) with (Z.to_nat (i - 4) + 1)%nat by lia.
    now rewrite repeat_app.
  - intros _ s (gl' & -> & S' & E'). cbn beta. apply wp_bind.
    apply next_block_wp with (log := log) (n := n) (b := Measure.record kind a b c); auto.
    + eapply scratch_measured; eauto.
    + intros gl5 O5 M5. apply wp_ret. apply HQ; auto. eapply only_measure_trans; [apply scratch_only; exact S'|exact O5].
Qed.

Definition final_block (bits : Z) : list Z :=
  0x80000000 :: repeat 0 13 ++ [bits / 2 ^ 32 mod 2 ^ 32; bits mod 2 ^ 32].

Lemma padding_words : forall n, Sha256.words_of (Sha256.padding (64 * Z.of_nat n)) = final_block (512 * Z.of_nat n).
Proof.
  intro n. unfold Sha256.padding, final_block. replace ((55 - 64 * Z.of_nat n) mod 64) with 55 by lia.
  replace (8 * (64 * Z.of_nat n)) with (512 * Z.of_nat n) by lia. generalize (512 * Z.of_nat n). intro x.
  change (Z.to_nat 55) with 55%nat. unfold Sha256.big_endian64. cbn [repeat map app Sha256.words_of].
  do 14 (apply (f_equal2 cons); [reflexivity|]).
  apply (f_equal2 cons); [lia|]. apply (f_equal2 cons); [lia|reflexivity].
Qed.

Lemma schedule_get : forall gl n i, (i < n)%nat -> nth i (schedule_of gl n) 0 = at1 sha_schedule gl (Z.of_nat i).
Proof.
  intros gl n i I. rewrite <- (schedule_word gl n) by lia. unfold Sha256.word. now rewrite Nat2Z.id.
Qed.

Lemma bytes_length : forall log, length (Measure.bytes_of log) = (8 * length log)%nat.
Proof.
  unfold Measure.bytes_of. induction log; cbn [flat_map]; auto. rewrite app_length, IHlog.
  unfold Measure.little_endian64. rewrite map_length. cbn [length]. lia.
Qed.

(* [log] is everything that was measured: 64 * n bytes. *)
Theorem measure_finish_wp : forall vm gl (h : H) log n (Q : unit -> mach globals H -> Prop), 0 <= vm < 64 ->
  measured gl vm log n ->
  (forall gl', only_measure vm gl gl' -> hash_of gl' vm = Measure.measurement log -> field vms_hashed gl' = field vms_hashed gl -> Q tt (Mach gl' h)) ->
  wp (measure_finish vm) Q (Mach gl h).
Proof.
  intros vm gl h log n Q V [L E D] HQ. unfold measure_finish.
  apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. apply wp_bind. apply wp_ret. apply wp_bind.
  rewrite D. clear D. unfold wrap at 1. cbn [width].
  replace ((64 * Z.of_nat n) mod 2 ^ 64 * 8 mod 2 ^ 64) with ((512 * Z.of_nat n) mod 2 ^ 64) by lia.
  apply wp_loop with (I := fun i _ s => exists gl', s = Mach gl' h /\ only_scratch gl gl' /\ schedule_of gl' (Z.to_nat i) = repeat 0 (Z.to_nat i)); [lia| | |].
  - exists gl. split; [reflexivity|]. split; [apply scratch_refl|reflexivity].
  - intros i _ s I (gl' & -> & Sc & E'). apply wp_bind. eapply wp_store1; [reflexivity|lia|]. apply wp_ret.
    eexists. split; [reflexivity|]. split; [eapply scratch_trans; [exact Sc|apply scratch_put]|].
    replace (Z.to_nat (i + 1)) with (S (Z.to_nat i)) by lia.
    pose proof (schedule_put gl' (Z.to_nat i) 0) as A. rewrite Z2Nat.id in A by lia. rewrite A, E'.
    now rewrite <- repeat_cons.
  - intros _ s (gl' & -> & Sc & E'). cbn beta. change (Z.to_nat 14) with 14%nat in E'.
    do 3 (apply wp_bind; eapply wp_store1; [reflexivity|lia|]; cbn beta). apply wp_bind.
    match goal with |- wp _ _ (Mach ?g _) => remember g as gl2 eqn:G end.
    assert (S2 : only_scratch gl gl2).
    { rewrite G. repeat (eapply scratch_trans; [|apply scratch_put]). exact Sc. }
    assert (W : schedule_of gl2 16 = final_block (512 * Z.of_nat n)).
    { apply (nth_ext _ _ 0 0); [now rewrite schedule_length|]. rewrite schedule_length. intros i I.
      rewrite schedule_get by auto.
      assert (Z14 : forall j, 0 <= j < 14 -> at1 sha_schedule gl' j = 0).
      { intros j J. rewrite <- (Z2Nat.id j), <- (schedule_get gl' 14) by lia. rewrite E'. apply nth_repeat. }
      rewrite G, !at_put by reflexivity. unfold final_block, wrap. cbn [width]. rewrite Z.shiftr_div_pow2 by lia.
      do 14 (destruct i as [|i]; [cbn; rewrite ?Z14 by lia; reflexivity|]).
      destruct i as [|i]; [cbn -[Z.div Z.modulo Z.pow Z.mul]; lia|].
      destruct i as [|i]; [cbn -[Z.div Z.modulo Z.pow Z.mul]; lia|lia]. }
    clear G. apply sha256_block_wp; [auto|]. intros gl3 (O & E3 & HD). apply wp_ret. apply HQ; [| |rewrite HD; apply S2; discriminate].
    + eapply only_measure_trans; [apply scratch_only; exact S2|exact O].
    + rewrite E3, (scratch_hash _ _ _ S2), E, W. unfold Measure.measurement, Sha256.sha256.
      assert (LB : length (Measure.bytes_of log) = (64 * n)%nat).
      { rewrite bytes_length. lia. }
      rewrite LB. replace (Z.of_nat (64 * n)) with (64 * Z.of_nat n) by lia.
      rewrite words_of_log, padding_words.
      pose proof (words_of_log log []) as A. rewrite !app_nil_r in A. rewrite A.
      replace (length (flat_map halves log ++ final_block (512 * Z.of_nat n)) / 16)%nat with (S n).
      2:{ apply Nat.div_unique_exact; [discriminate|]. rewrite app_length, halves_length, L.
          change (length (final_block (512 * Z.of_nat n))) with 16%nat. lia. }
      rewrite blocks_snoc by (rewrite halves_length; lia).
      replace (firstn 16 (final_block (512 * Z.of_nat n))) with (final_block (512 * Z.of_nat n)) by reflexivity.
      reflexivity.
Qed.
End Measure.
