(* SPDX-License-Identifier: Apache-2.0 *)
(* engine/core/state/sha256.c computes FIPS 180-4's block function, in any state of the machine: it uses no
   primitive, so that nobody else can act on what it reads. *)
From Coq Require Import ZArith List Bool Lia.
From nie.spec Require Sha256.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.model Require Import Map.
Require Import nie.generated.state.sha256.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.

#[local] Arguments at1 : simpl never.
#[local] Arguments put1 : simpl never.

(** What the measurement of a VM may change. *)

Definition of_measure (g : gvar) : bool := match g with sha_schedule | vms_hash | vms_hashed => true | _ => false end.
Record only_measure (vm : Z) (gl gl' : globals) : Prop := {
  o_field : forall g, of_measure g = false -> field g gl' = field g gl;
  o_hash : forall i, i / 8 <> vm -> at1 vms_hash gl' i = at1 vms_hash gl i;
  o_hashed : forall i, i <> vm -> at1 vms_hashed gl' i = at1 vms_hashed gl i;
}.

Lemma only_measure_refl : forall vm gl, only_measure vm gl gl.
Proof. split; auto. Qed.
Lemma only_measure_trans : forall vm a b c, only_measure vm a b -> only_measure vm b c -> only_measure vm a c.
Proof.
  intros vm a b c [F H D] [F' H' D']. split; intros.
  - now rewrite F', F.
  - now rewrite H', H.
  - now rewrite D', D.
Qed.
Lemma only_schedule : forall vm i v gl, only_measure vm gl (put1 sha_schedule i v gl).
Proof.
  intros. split; intros; try now rewrite at_put by reflexivity.
  unfold put1. apply field_set_other. intros ->. discriminate.
Qed.
Lemma only_hash : forall vm i v gl, 0 <= i < 8 -> only_measure vm gl (put1 vms_hash (vm * 8 + i) v gl).
Proof.
  intros vm i v gl I. split; intros.
  - unfold put1. apply field_set_other. intros ->. discriminate.
  - rewrite at_put by reflexivity. cbn. destruct (Z.eqb_spec i0 (vm * 8 + i)); auto. destruct H. subst.
    rewrite Z.div_add_l by lia. rewrite Z.div_small by lia. lia.
  - now rewrite at_put by reflexivity.
Qed.
Lemma only_hashed : forall vm v gl, only_measure vm gl (put1 vms_hashed vm v gl).
Proof.
  intros. split; intros.
  - unfold put1. apply field_set_other. intros ->. discriminate.
  - now rewrite at_put by reflexivity.
  - rewrite at_put by reflexivity. cbn. now destruct (Z.eqb_spec i vm).
Qed.

Definition hash_word (gl : globals) (vm i : Z) : Z := at1 vms_hash gl (vm * 8 + i).
Definition hash_of (gl : globals) (vm : Z) : Sha256.words8 :=
  (hash_word gl vm 0, hash_word gl vm 1, hash_word gl vm 2, hash_word gl vm 3,
   hash_word gl vm 4, hash_word gl vm 5, hash_word gl vm 6, hash_word gl vm 7).

Lemma hash_same : forall gl vm i v, hash_word (put1 vms_hash (vm * 8 + i) v gl) vm i = v.
Proof. intros. unfold hash_word. rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl. Qed.
Lemma hash_other : forall gl vm i j v, i <> j -> hash_word (put1 vms_hash (vm * 8 + i) v gl) vm j = hash_word gl vm j.
Proof.
  intros gl vm i j v N. unfold hash_word. rewrite at_put by reflexivity. cbn.
  destruct (Z.eqb_spec (vm * 8 + j) (vm * 8 + i)); auto. lia.
Qed.

(* The first [n] words of sha_schedule. *)
Definition schedule_of (gl : globals) (n : nat) : list Z := map (fun i => at1 sha_schedule gl (Z.of_nat i)) (seq 0 n).

Lemma schedule_length : forall gl n, length (schedule_of gl n) = n.
Proof. intros. unfold schedule_of. now rewrite map_length, seq_length. Qed.
Lemma schedule_word : forall gl n t, 0 <= t < Z.of_nat n -> Sha256.word (schedule_of gl n) t = at1 sha_schedule gl t.
Proof.
  intros gl n t T. unfold Sha256.word, schedule_of.
  rewrite (nth_indep _ _ (at1 sha_schedule gl (Z.of_nat 0))) by (rewrite map_length, seq_length; lia).
  rewrite (map_nth (fun i => at1 sha_schedule gl (Z.of_nat i))), seq_nth by lia. f_equal. lia.
Qed.
Lemma schedule_put : forall gl n v, schedule_of (put1 sha_schedule (Z.of_nat n) v gl) (S n) = schedule_of gl n ++ [v].
Proof.
  intros. unfold schedule_of. rewrite seq_S, map_app. cbn [map Nat.add]. f_equal.
  - apply map_ext_in. intros i I. apply in_seq in I. rewrite at_put by reflexivity. cbn.
    destruct (Z.eqb_spec (Z.of_nat i) (Z.of_nat n)); auto; lia.
  - rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl.
Qed.

Lemma extend_length : forall n W, length (Sha256.extend n W) = (n + length W)%nat.
Proof. induction n; intro W; cbn [Sha256.extend]; auto. rewrite app_length, IHn. cbn [length]. lia. Qed.

(** Constant tables. *)

Lemma of_list_get : forall l k i, k <= i -> Map.get (of_list_from k l 0) i = nth (Z.to_nat (i - k)) l 0.
Proof.
  induction l as [|a l IH]; intros k i I; cbn [of_list_from].
  - rewrite Map.get_const. now destruct (Z.to_nat (i - k)).
  - rewrite Map.get_set. destruct (Z.eqb_spec i k) as [->|N].
    + now rewrite Z.sub_diag.
    + rewrite IH by lia. replace (Z.to_nat (i - k)) with (S (Z.to_nat (i - Z.succ k))) by lia. reflexivity.
Qed.
Lemma k_word : forall gl t, 0 <= t -> at1 sha_k gl t = Sha256.word Sha256.K t.
Proof.
  intros gl t T. unfold at1. change (field sha_k gl) with table_sha_k. unfold table_sha_k, of_list, Sha256.word.
  rewrite of_list_get by auto. now rewrite Z.sub_0_r.
Qed.

Lemma add_assoc : forall x y z, Sha256.add (Sha256.add x y) z = Sha256.add x (Sha256.add y z).
Proof.
  intros. unfold Sha256.add. rewrite Zplus_mod_idemp_l, Zplus_mod_idemp_r. f_equal. lia.
Qed.

Lemma wrap_add : forall x y, wrap U32 (x + y) = Sha256.add x y.
Proof. reflexivity. Qed.
Lemma wrap_not : forall x, wrap U32 (Z.lnot x) = Sha256.not x.
Proof. reflexivity. Qed.

(** The code. *)

Section Block.
Context {H : Type} {P : prims H}.

Lemma hash_load : forall vm i gl (h : H) (Q : Z -> mach globals H -> Prop), 0 <= vm < 64 -> 0 <= i < 8 ->
  Q (hash_word gl vm i) (Mach gl h) -> wp (load vms_hash [vm; i]) Q (Mach gl h).
Proof.
  intros vm i gl h Q V I HQ. unfold wp, load. change (dims vms_hash) with [64; 8]; cbn [place glob].
  replace ((0 <=? vm) && (vm <? 64)) with true by lia. replace ((0 <=? i) && (i <? 8)) with true by lia.
  replace ((0 * 64 + vm) * 8 + i) with (vm * 8 + i) by lia. exact HQ.
Qed.
Lemma hash_store : forall vm i v gl (h : H) (Q : unit -> mach globals H -> Prop), 0 <= vm < 64 -> 0 <= i < 8 ->
  Q tt (Mach (put1 vms_hash (vm * 8 + i) v gl) h) -> wp (store vms_hash [vm; i] v) Q (Mach gl h).
Proof.
  intros vm i v gl h Q V I HQ. unfold wp, store. change (dims vms_hash) with [64; 8]; cbn [place glob hw].
  replace ((0 <=? vm) && (vm <? 64)) with true by lia. replace ((0 <=? i) && (i <? 8)) with true by lia.
  replace ((0 * 64 + vm) * 8 + i) with (vm * 8 + i) by lia. exact HQ.
Qed.

Lemma rotr_run : forall n x (s : mach globals H), 0 < n < 32 -> rotr x n s = Some (Sha256.rotr n x, s).
Proof.
  intros n x s N. unfold rotr, bind, lift, binary. cbn [width signed andb].
  rewrite wrap32 by lia.
  replace ((n <? 0) || (32 <=? n)) with false by lia. replace ((32 - n <? 0) || (32 <=? 32 - n)) with false by lia.
  reflexivity.
Qed.
Ltac ret_ := apply wp_ret; cbn beta iota.
Ltac bind_ := apply wp_bind; cbn beta.
Ltac rotr_ := bind_; eapply wp_known; [apply rotr_run; lia|cbn beta iota].
Ltac get_ := bind_; eapply wp_load1; [reflexivity|rewrite ?wrap32 by lia; lia|cbn beta; rewrite ?wrap32 by lia].

Lemma schedule_next_wp : forall t gl (h : H) (Q : Z -> mach globals H -> Prop), 16 <= t < 64 ->
  Q (Sha256.next_word (schedule_of gl (Z.to_nat t))) (Mach gl h) -> wp (schedule_next t) Q (Mach gl h).
Proof.
  intros t gl h Q T HQ. unfold schedule_next. get_. get_. rotr_. rotr_. bind_. ret_. rotr_. rotr_. bind_. ret_.
  get_. get_. ret_. unfold Sha256.next_word in HQ. rewrite schedule_length in HQ. cbv zeta in HQ.
  rewrite Z2Nat.id, !schedule_word in HQ by lia. rewrite !wrap_add.
  unfold Sha256.sigma0, Sha256.sigma1, Sha256.xor, Sha256.shr in HQ. exact HQ.
Qed.

(* The fields of a value, in the order of the C. *)
Lemma sha_round_wp : forall a b c d e f g k t gl (h : H) (Q : _ -> mach globals H -> Prop), 0 <= t < 64 ->
  Q (Sha256.round (schedule_of gl 64) t (a, b, c, d, e, f, g, k)) (Mach gl h) ->
  wp (sha_round a b c d e f g k t) Q (Mach gl h).
Proof.
  intros a b c d e f g k t gl h Q T HQ. unfold sha_round. rotr_. rotr_. rotr_. bind_. ret_. bind_. ret_. get_. get_.
  bind_. ret_. rotr_. rotr_. rotr_. bind_. ret_. bind_. ret_. ret_.
  unfold Sha256.round in HQ. cbv zeta in HQ. rewrite schedule_word, <- add_assoc in HQ by lia.
  rewrite k_word, !wrap_not, !wrap_add by lia.
  unfold Sha256.Sum0, Sha256.Sum1, Sha256.Ch, Sha256.Maj, Sha256.xor, Sha256.and in HQ. exact HQ.
Qed.

(* The last step: the eight sums. *)
Lemma add_hash_wp : forall vm gl (h : H) a b c d e f g k (Q : unit -> mach globals H -> Prop), 0 <= vm < 64 ->
  (forall gl', only_measure vm gl gl' -> hash_of gl' vm = Sha256.add8 (hash_of gl vm) (a, b, c, d, e, f, g, k) ->
     field vms_hashed gl' = field vms_hashed gl -> Q tt (Mach gl' h)) ->
  wp (t2 <- load vms_hash [vm; 0] ;; store vms_hash [vm; 0] (wrap U32 (t2 + a)) ;;;
      t3 <- load vms_hash [vm; 1] ;; store vms_hash [vm; 1] (wrap U32 (t3 + b)) ;;;
      t4 <- load vms_hash [vm; 2] ;; store vms_hash [vm; 2] (wrap U32 (t4 + c)) ;;;
      t5 <- load vms_hash [vm; 3] ;; store vms_hash [vm; 3] (wrap U32 (t5 + d)) ;;;
      t6 <- load vms_hash [vm; 4] ;; store vms_hash [vm; 4] (wrap U32 (t6 + e)) ;;;
      t7 <- load vms_hash [vm; 5] ;; store vms_hash [vm; 5] (wrap U32 (t7 + f)) ;;;
      t8 <- load vms_hash [vm; 6] ;; store vms_hash [vm; 6] (wrap U32 (t8 + g)) ;;;
      t9 <- load vms_hash [vm; 7] ;; store vms_hash [vm; 7] (wrap U32 (t9 + k)) ;;; ret tt) Q (Mach gl h).
Proof.
  intros vm gl h a b c d e f g k Q V HQ.
  do 8 (bind_; apply hash_load; [lia|lia|cbn beta]; repeat (rewrite hash_other by lia); rewrite wrap_add;
        bind_; apply hash_store; [lia|lia|]).
  ret_. apply HQ.
  - repeat (eapply only_measure_trans; [|apply only_hash; lia]). apply only_measure_refl.
  - unfold hash_of. repeat first [rewrite hash_same | rewrite hash_other by lia]. reflexivity.
  - unfold put1. now rewrite !field_set_other by discriminate.
Qed.

Definition sha256_block_post (vm : Z) (gl gl' : globals) : Prop :=
  only_measure vm gl gl' /\ hash_of gl' vm = Sha256.block_hash (hash_of gl vm) (schedule_of gl 16) /\
  field vms_hashed gl' = field vms_hashed gl.

Theorem sha256_block_wp : forall vm gl (h : H) (Q : unit -> mach globals H -> Prop), 0 <= vm < 64 ->
  (forall gl', sha256_block_post vm gl gl' -> Q tt (Mach gl' h)) -> wp (sha256_block vm) Q (Mach gl h).
Proof.
  intros vm gl h Q V HQ. unfold sha256_block, index. bind_.
  replace ((0 <=? vm) && (vm <? 64)) with true by lia. ret_.
  do 8 (bind_; apply hash_load; [lia|lia|cbn beta]).
  bind_.
  apply wp_loop with (I := fun t _ s => exists gl1, s = Mach gl1 h /\ only_measure vm gl gl1 /\
    field vms_hash gl1 = field vms_hash gl /\ field vms_hashed gl1 = field vms_hashed gl /\
    schedule_of gl1 (Z.to_nat t) = Sha256.extend (Z.to_nat (t - 16)) (schedule_of gl 16)); [lia| | |].
  { exists gl. split; [auto|]. split; [apply only_measure_refl|]. auto. }
  { intros t _ s T (gl1 & -> & O & F & D & E). bind_. apply schedule_next_wp; [lia|]. bind_.
    eapply wp_store1; [reflexivity|lia|]. ret_. eexists. split; [reflexivity|].
    split; [eapply only_measure_trans; [exact O|apply only_schedule]|].
    split; [unfold put1; now rewrite field_set_other by discriminate|].
    split; [unfold put1; now rewrite field_set_other by discriminate|].
    replace (Z.to_nat (t + 1)) with (S (Z.to_nat t)) by lia.
    replace (Z.to_nat (t + 1 - 16)) with (S (Z.to_nat (t - 16))) by lia. cbn [Sha256.extend]. rewrite <- E.
    pose proof (schedule_put gl1 (Z.to_nat t)) as S. rewrite Z2Nat.id in S by lia. apply S. }
  intros _ s (gl1 & -> & O & F & D & E). change (Z.to_nat 64) with 64%nat in E.
  change (Z.to_nat (64 - 16)) with 48%nat in E. cbn beta.
  remember (Sha256.extend 48 (schedule_of gl 16)) as W eqn:EW.
  bind_.
  apply wp_loop with (I := fun t v s => s = Mach gl1 h /\ v = Sha256.rounds (Z.to_nat t) W (hash_of gl vm)); [lia|split; reflexivity| |].
  { intros t v s T [-> Ev]. destruct v as [[[[[[[a b] c] d] e] f] g] k]. cbn beta iota. bind_.
    apply sha_round_wp; [lia|]. rewrite E, Ev.
    replace (Z.to_nat (t + 1)) with (S (Z.to_nat t)) by lia. cbn [Sha256.rounds]. rewrite Z2Nat.id by lia.
    destruct (Sha256.round W t _) as [[[[[[[a' b'] c'] d'] e'] f'] g'] k']. ret_. auto. }
  intros v s [-> Ev]. change (Z.to_nat 64) with 64%nat in Ev. destruct v as [[[[[[[a b] c] d] e] f] g] k]. cbn beta iota.
  assert (EH : hash_of gl1 vm = hash_of gl vm) by (unfold hash_of, hash_word, at1; now rewrite F).
  apply (add_hash_wp vm gl1 h a b c d e f g k); auto. intros gl2 O2 E2 D2. apply HQ. split; [|split].
  - eapply only_measure_trans; eauto.
  - unfold Sha256.block_hash, Sha256.schedule. rewrite E2, EH, Ev, <- EW. reflexivity.
  - now rewrite D2.
Qed.
End Block.
