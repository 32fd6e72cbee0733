(* SPDX-License-Identifier: Apache-2.0 *)
(* check_config answers what spec/trap/boot.v says of the manifest's words. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec.trap Require boot.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Booted.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.boot.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_inside := nie.spec.trap.boot.inside.
Notation u64 x := (0 <= x < 2 ^ 64).

Lemma b2z_zero : forall b, (b2z b =? 0) = negb b.
Proof. now intros []. Qed.

Section Checks.
Variables (w : Z -> Z) (gl : globals) (h : Machine.hw).
Hypothesis SMALL : forall i, 0 <= i < MAN_END -> u64 (w i).
Hypothesis CW : forall i, 0 <= i < MAN_END -> at1 config_word gl i = w i.
Let s := Mach gl h.

Lemma man_run : forall i, 0 <= i < 32 -> load config_word [i] s = Some (w i, s).
Proof. intros i I. rewrite <- CW by exact I. now apply load1 with 32. Qed.
Ltac c_load := match goal with |- wp (load config_word [?k]) _ _ => eapply (wp_known _ _ _ _ _ _ (man_run k ltac:(first [lia | vm_compute; split; congruence]))); cbn beta iota end.
Ltac cgo := repeat first [w_bind | w_ret | c_load].
Ltac word k := pose proof (SMALL k ltac:(vm_compute; split; congruence)).

Lemma inside_run : forall f n o z, u64 f -> u64 n -> u64 o -> u64 z -> inside f n o z s = Some (b2z (spec_inside f n o z), s).
Proof.
  intros f n o z F N O Z0. unfold inside, ret, nie.spec.trap.boot.inside. do 3 f_equal.
  destruct (Z.leb_spec o f), (Z.leb_spec n z); cbn [andb]; auto. now rewrite !wrap64 by lia.
Qed.
Lemma multiple_run : forall x, is_multiple x s = Some (b2z (nie.spec.trap.boot.multiple x), s).
Proof. reflexivity. Qed.
Lemma base_run : ram_base s = Some (w MAN_RAM_BASE, s).
Proof. apply known_of_wp. unfold ram_base. cgo. auto. Qed.
Lemma pages_run : ram_pages s = Some (w MAN_RAM_PAGES, s).
Proof. apply known_of_wp. unfold ram_pages. cgo. auto. Qed.

(* Each test is the specification's; what fails the first time decides. *)
Ltac known := match goal with
  | |- wp (is_multiple _) _ _ => w_known multiple_run
  | |- wp ram_base _ _ => w_known base_run
  | |- wp ram_pages _ _ => w_known pages_run
  end.
Ltac bgo := repeat first [w_bind | w_ret | c_load | known | rewrite b2z_zero | rewrite negb_involutive].
Ltac split_if := match goal with |- wp (if ?b then _ else _) _ _ => destruct b end.

Lemma ram_ok_run : ram_ok s = Some (b2z (nie.spec.trap.boot.ram_ok w), s).
Proof.
  apply known_of_wp. unfold ram_ok, nie.spec.trap.boot.ram_ok. change (PAGES_MAX - GRANULES_MAX) with 0x7e00000.
  bgo. destruct (nie.spec.trap.boot.multiple (w MAN_RAM_BASE)); cbn [andb]; bgo; [|auto].
  destruct (nie.spec.trap.boot.multiple (w MAN_RAM_PAGES)); cbn [andb]; bgo; [|auto].
  destruct (PAGES_GIB <=? w MAN_RAM_BASE); cbn [andb]; bgo; [|auto].
  destruct (w MAN_RAM_BASE <=? 0x7e00000); cbn [andb]; bgo; [|auto].
  destruct (PAGES_2MIB <=? w MAN_RAM_PAGES); cbn [andb]; bgo; auto.
Qed.

Section Ram.
Hypothesis RAM : nie.spec.trap.boot.ram_ok w = true.
Lemma ram_known : 2 ^ 18 <= w MAN_RAM_BASE /\ w MAN_RAM_PAGES <= GRANULES_MAX /\ w MAN_RAM_BASE + w MAN_RAM_PAGES <= 2 ^ 27.
Proof.
  unfold nie.spec.trap.boot.ram_ok, PAGES_2MIB, PAGES_GIB, PAGES_MAX, GRANULES_MAX in *.
  rewrite !andb_true_iff, !Z.leb_le in RAM. lia.
Qed.

Section Cpus.
Hypothesis CPUS : nie.spec.trap.boot.cpus_ok w = true.

Lemma devices_ok_run : devices_ok s = Some (b2z (nie.spec.trap.boot.devices_ok w), s).
Proof.
  apply known_of_wp. unfold devices_ok, nie.spec.trap.boot.devices_ok. word MAN_DEV_BASE. word MAN_DEV_PAGES. word MAN_DEVICES. word MAN_GICR. word MAN_CPUS.
  unfold nie.spec.trap.boot.cpus_ok in CPUS. rewrite andb_true_iff, !Z.leb_le in CPUS. unfold NIE_MAX_CPUS in CPUS.
  bgo. rewrite Z.ltb_antisym. destruct (Z.leb_spec (w MAN_DEVICES) MAN_MAX_DEVICES) as [L|L]; cbn [andb negb]; bgo; [|auto].
  destruct (nie.spec.trap.boot.multiple (w MAN_DEV_BASE)); cbn [andb negb]; bgo; [|cbn [orb]; bgo; auto].
  destruct (nie.spec.trap.boot.multiple (w MAN_DEV_PAGES)); cbn [andb negb orb]; bgo; [|auto].
  rewrite Z.ltb_antisym. destruct (PAGES_2MIB <=? w MAN_DEV_BASE); cbn [andb negb]; bgo; [|auto].
  w_known inside_run; auto; [lia|unfold PAGES_GIB; lia|]. bgo. destruct (spec_inside (w MAN_DEV_BASE) _ 0 _); cbn [andb negb]; bgo; [|auto].
  set (span := fun i : nat => spec_inside (w (MAN_DEVICE0 + 2 * Z.of_nat i)) (w (MAN_DEVICE0 + 2 * Z.of_nat i + 1)) (w MAN_DEV_BASE) (w MAN_DEV_PAGES)).
  unfold MAN_MAX_DEVICES in L.
  eapply wp_loop_ret with (I := fun i _ s' => s' = s /\ forallb span (seq 0 (Z.to_nat i)) = true)
    (P := fun r s' => s' = s /\ r = 0 /\ forallb span (seq 0 (Z.to_nat (w MAN_DEVICES))) = false); [lia|split; reflexivity| | |].
  - intros i _ s' I [-> N]. unfold MAN_DEVICE0 in *.
    assert (SW : forall k, 0 <= k < 32 -> u64 (w k)) by (intros; apply SMALL; unfold MAN_END; lia).
    pose proof (SW (16 + 2 * i) ltac:(lia)) as B1. pose proof (SW (16 + 2 * i + 1) ltac:(lia)) as B2.
    rewrite !(wrap64 (2 * i)), !(wrap64 (16 + 2 * i)), !(wrap64 (16 + 2 * i + 1)) by lia. bgo. w_known inside_run; auto. bgo.
    assert (HI : span (Z.to_nat i) = spec_inside (w (16 + 2 * i)) (w (16 + 2 * i + 1)) (w MAN_DEV_BASE) (w MAN_DEV_PAGES)).
    { unfold span. now rewrite Z2Nat.id by lia. }
    destruct (spec_inside (w (16 + 2 * i)) (w (16 + 2 * i + 1)) (w MAN_DEV_BASE) (w MAN_DEV_PAGES)) eqn:E; cbn [negb]; bgo.
    + split; auto. replace (Z.to_nat (i + 1)) with (Z.to_nat i + 1)%nat by lia. rewrite seq_app, forallb_app, N. cbn [andb seq forallb Nat.add]. now rewrite HI.
    + split; auto. split; auto. apply not_true_is_false. intro T. rewrite forallb_forall in T. specialize (T (Z.to_nat i)). rewrite HI in T.
      assert (X : false = true) by (apply T, in_seq; lia). discriminate.
  - intros [] s' [-> N]. rewrite N. cbn [andb]. bgo. rewrite wrap64 by lia. w_known inside_run; auto; [lia|]. bgo. auto.
  - intros r s' (-> & -> & N). rewrite N. cbn [andb]. bgo. auto.
Qed.

Section Devices.
Hypothesis DEV : nie.spec.trap.boot.devices_ok w = true.
Lemma dev_known : w MAN_DEV_BASE + w MAN_DEV_PAGES <= 2 ^ 18.
Proof.
  unfold nie.spec.trap.boot.devices_ok, nie.spec.trap.boot.inside, PAGES_GIB in *. rewrite !andb_true_iff, !Z.leb_le in DEV. lia.
Qed.

Lemma tables_size_run : host_tables_pages s = Some (nie.spec.trap.boot.tables_size w, s) /\ u64 (nie.spec.trap.boot.tables_size w).
Proof.
  pose proof ram_known. pose proof dev_known. word MAN_DEV_BASE. word MAN_DEV_PAGES. word MAN_RAM_BASE. word MAN_RAM_PAGES. unfold GRANULES_MAX in *.
  split.
  - apply known_of_wp. unfold host_tables_pages, gibs, nie.spec.trap.boot.tables_size. unfold PAGES_PER_GIB, PAGES_GIB. cgo. split; auto.
    repeat match goal with |- context [wrap U64 ?x] => match x with context [wrap U64 _] => fail 1 | _ => rewrite (wrap64 x) by lia end end. lia.
  - unfold nie.spec.trap.boot.tables_size, PAGES_GIB. lia.
Qed.

Lemma engine_ok_run : engine_ok s = Some (b2z (nie.spec.trap.boot.engine_ok w), s).
Proof.
  apply known_of_wp. unfold engine_ok, nie.spec.trap.boot.engine_ok. word MAN_ENGINE_BASE. word MAN_ENGINE_PAGES. word MAN_RAM_BASE. word MAN_RAM_PAGES. word MAN_TABLES.
  bgo. destruct (nie.spec.trap.boot.multiple (w MAN_ENGINE_BASE)); cbn [andb]; bgo; [|cbn [andb]; bgo; auto].
  destruct (nie.spec.trap.boot.multiple (w MAN_ENGINE_PAGES)); cbn [andb]; bgo; cbn [andb]; [|bgo; auto].
  destruct (PAGES_2MIB <=? w MAN_ENGINE_PAGES); cbn [andb]; bgo; [|auto].
  w_known inside_run; auto. bgo. destruct (spec_inside (w MAN_ENGINE_BASE) _ _ _); cbn [andb]; bgo; [|auto].
  destruct tables_size_run as [TR TS]. w_known TR. bgo. w_known inside_run; auto. bgo. auto.
Qed.

Section Engine.
Hypothesis ENG : nie.spec.trap.boot.engine_ok w = true.
Lemma engine_known : w MAN_ENGINE_BASE + w MAN_ENGINE_PAGES <= 2 ^ 27.
Proof.
  pose proof ram_known. unfold nie.spec.trap.boot.engine_ok in ENG. rewrite !andb_true_iff in ENG. destruct ENG as [[_ E] _].
  unfold nie.spec.trap.boot.inside in E. rewrite !andb_true_iff, !Z.leb_le in E. lia.
Qed.
Lemma kept_run : forall x, u64 x -> host_address_ok x s = Some (b2z (spec_inside (State.page_of x) 1 (w MAN_KEEP_BASE) (w MAN_KEEP_PAGES)), s).
Proof.
  intros x X. apply known_of_wp. unfold host_address_ok. word MAN_KEEP_BASE. word MAN_KEEP_PAGES. w_bind. w_known page_of_run. cgo.
  w_known inside_run; auto; [lia|lia|]. cgo. auto.
Qed.
Lemma keep_ok_run : forall P : Prop, (forall b, keep_ok s = Some (b2z b, s) ->
  b = (spec_inside (w MAN_KEEP_BASE) (w MAN_KEEP_PAGES) (w MAN_RAM_BASE) (w MAN_RAM_PAGES) &&
       ((w MAN_ENGINE_BASE + w MAN_ENGINE_PAGES <=? w MAN_KEEP_BASE) || (w MAN_KEEP_BASE + w MAN_KEEP_PAGES <=? w MAN_ENGINE_BASE)))%bool -> P) -> P.
Proof.
  intros P H. eapply H; [|reflexivity]. apply known_of_wp. unfold keep_ok. pose proof ram_known. pose proof engine_known.
  word MAN_KEEP_BASE. word MAN_KEEP_PAGES. word MAN_ENGINE_BASE. word MAN_ENGINE_PAGES. word MAN_RAM_BASE. word MAN_RAM_PAGES.
  bgo. w_known inside_run; auto. bgo. destruct (spec_inside (w MAN_KEEP_BASE) _ _ _) eqn:E; cbn [andb negb]; bgo; [|auto].
  unfold nie.spec.trap.boot.inside in E. rewrite !andb_true_iff, !Z.leb_le in E. rewrite !wrap64 by lia. auto.
Qed.
End Engine.
End Devices.
End Cpus.
End Ram.

Theorem check_run : check_config s = Some (nie.spec.trap.boot.manifest_check w, s).
Proof.
  apply known_of_wp. unfold check_config, nie.spec.trap.boot.manifest_check. change nie.spec.trap.boot.magic with 0x316e616d2d65696e.
  bgo. destruct (w MAN_MAGIC =? _); cbn [negb]; [|bgo; auto].
  bgo. w_known ram_ok_run. rewrite b2z_zero. destruct (nie.spec.trap.boot.ram_ok w) eqn:R; cbn [negb]; [|bgo; auto].
  bgo. assert (CP : (if w MAN_CPUS <? 1 then true else NIE_MAX_CPUS <? w MAN_CPUS) = negb (nie.spec.trap.boot.cpus_ok w)).
  { unfold nie.spec.trap.boot.cpus_ok. rewrite negb_andb, <- !Z.ltb_antisym. now destruct (w MAN_CPUS <? 1). }
  assert (CR : wp (if w MAN_CPUS <? 1 then ret true else t4 <- load config_word [MAN_CPUS] ;; ret (NIE_MAX_CPUS <? t4)) (fun r s' => r = negb (nie.spec.trap.boot.cpus_ok w) /\ s' = s) s).
  { rewrite <- CP. destruct (w MAN_CPUS <? 1); cgo; auto. }
  eapply wp_weaken; [exact CR|]. intros b s' [-> ->]. clear CP CR. destruct (nie.spec.trap.boot.cpus_ok w) eqn:C; cbn [negb]; [|bgo; auto].
  bgo. w_known devices_ok_run; auto. rewrite b2z_zero. destruct (nie.spec.trap.boot.devices_ok w) eqn:D; cbn [negb]; [|bgo; auto].
  bgo. w_known engine_ok_run; auto. rewrite b2z_zero. destruct (nie.spec.trap.boot.engine_ok w) eqn:E; cbn [negb]; [|bgo; auto].
  bgo. apply (keep_ok_run R E). intros b KR KB. w_known KR. rewrite b2z_zero. unfold nie.spec.trap.boot.host_ok. rewrite <- KB.
  word MAN_HOST_ENTRY. word MAN_HOST_DTB. destruct b; cbn [negb andb].
  - bgo. w_known kept_run; auto. bgo. destruct (spec_inside (State.page_of (w MAN_HOST_ENTRY)) _ _ _); cbn [negb andb]; bgo; auto.
    w_known kept_run; auto. bgo. destruct (spec_inside (State.page_of (w MAN_HOST_DTB)) _ _ _); cbn [negb andb]; bgo; auto.
  - bgo. auto.
Qed.
End Checks.
