(* SPDX-License-Identifier: Apache-2.0 *)
(* What a machine notes for proofs alone (model/Machine.v: secret, claims, ok) is read by nothing: two watched runs that differ in it do the same. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.spec Require Import Step.
From nie.proof.security Require Import Watched.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

Definition noted (k : (Z -> Prop) * (Z -> Z -> Z -> Prop) * Prop) (h : Machine.hw) : Machine.hw :=
  h <| secret := fst (fst k) |> <| claims := snd (fst k) |> <| ok := snd k |>.
Definition bare (h : Machine.hw) : Machine.hw := noted ((fun _ => False, fun _ _ _ => False), True) h.
Definition bare_moment (m : Machine.hw * option act) : Machine.hw * option act := (bare (fst m), snd m).
Lemma bare_noted : forall k h, bare (noted k h) = bare h.
Proof. reflexivity. Qed.

(** The others. *)

Lemma act_noted : forall a k h, act_step a (noted k h) = noted k (act_step a h).
Proof.
  intros a k h. destruct a; try reflexivity; cbn [act_step].
  - change (tlb (noted k h)) with (tlb h). destruct (nth_error (tlb h) n); [|reflexivity]. match goal with |- (if ?b then _ else _) = noted _ (if ?c then _ else _) => change b with c; destruct c; reflexivity end.
  - change (tlb (noted k h)) with (tlb h). destruct (nth_error (tlb h) n); [|reflexivity]. match goal with |- (if ?b then _ else _) = noted _ (if ?c then _ else _) => change b with c; destruct c; reflexivity end.
  - match goal with |- (if ?b then _ else _) = noted _ (if ?c then _ else _) => change b with c; destruct c; reflexivity end.
Qed.
Lemma met_noted : forall k h, exists k', met (noted k h) = noted k' (met h).
Proof. intros k h. exists (become_secret (noted k h), snd (fst k), ok (met (noted k h))). reflexivity. Qed.
Lemma acts_noted : forall l k h, exists k', fold_left (fun h a => met (act_step a h)) l (noted k h) = noted k' (fold_left (fun h a => met (act_step a h)) l h) /\
  map bare_moment (acting l (noted k h)) = map bare_moment (acting l h).
Proof.
  induction l as [|a l IH]; intros k h; cbn [fold_left acting map]; [exists k; split; reflexivity|].
  rewrite act_noted. destruct (met_noted k (act_step a h)) as (k1 & E). rewrite E. destruct (IH k1 (met (act_step a h))) as (k2 & E2 & E3). exists k2. split; [exact E2|]. now rewrite E3.
Qed.
Lemma others_noted : forall k h, exists k', others (noted k h) = noted k' (others h) /\ map bare_moment (way (noted k h)) = map bare_moment (way h).
Proof.
  intros k h. unfold others, way. change (during (noted k h)) with (during h). destruct (during h) as [|l rest].
  - destruct (met_noted k h) as (k' & E). exists k'. rewrite E. split; reflexivity.
  - change (noted k h <| during := rest |>) with (noted k (h <| during := rest |>)). destruct (met_noted k (h <| during := rest |>)) as (k1 & E). rewrite E.
    destruct (acts_noted l k1 (met (h <| during := rest |>))) as (k2 & E2 & E3). exists k2. auto.
Qed.

(** Primitives. *)

(* What is noted goes along. *)
Definition along {A} (m : M Machine.hw A) : Prop := forall k h, match m h with
  | Some (a, t) => exists k', m (noted k h) = Some (a, noted k' t) | None => m (noted k h) = None end.
Lemma along_does : forall f, (forall k h, exists k', f (noted k h) = noted k' (f h)) -> along (does f).
Proof. intros f H k h. cbn. destruct (others_noted k h) as (k1 & E & _). unfold does. rewrite E. destruct (H k1 (others h)) as (k2 & E2). exists k2. now rewrite E2. Qed.
Lemma along_gives : forall f, (forall k h, f (noted k h) = f h) -> along (gives f).
Proof. intros f H k h. cbn. destruct (others_noted k h) as (k1 & E & _). unfold gives. rewrite E, H. eauto. Qed.
Lemma along_input : along input.
Proof. intros k h. cbn. destruct (others_noted k h) as (k1 & E & _). unfold input. rewrite E. exists k1. reflexivity. Qed.
Lemma along_word : forall A q j (m : M Machine.hw A), along m -> along (word_of q j m).
Proof. intros A q j m H k h. unfold word_of. change (Machine.in_ram (noted k h) q) with (Machine.in_ram h q). destruct (_ && _)%bool; [apply H|reflexivity]. Qed.
Lemma along_alone : forall A q (f : Machine.hw -> A * Machine.hw), (forall k h, exists k', f (noted k h) = (fst (f h), noted k' (snd (f h)))) -> along (alone q f).
Proof.
  intros A q f H k h. unfold alone. destruct (others_noted k h) as (k1 & E & _). rewrite E. change (held (noted k1 (others h)) q) with (held (others h) q). destruct (held (others h) q); [reflexivity|].
  set (o := oblige (free q) (others h)). assert (O : exists k2, oblige (free q) (noted k1 (others h)) = noted k2 o) by (exists (fst k1, ok (oblige (free q) (noted k1 (others h)))); destruct k1 as [[u v] w]; reflexivity).
  destruct O as (k2 & ->). destruct (H k2 o) as (k3 & E3). rewrite E3. destruct (f o) as [a t]. exists k3. reflexivity.
Qed.
Lemma zero_noted : forall n w k h, zero_words n w (noted k h) = noted k (zero_words n w h).
Proof. induction n as [|n IH]; intros; cbn [zero_words]; auto. rewrite <- IH. reflexivity. Qed.
Lemma save_noted : forall n w r k h, save_words n w r (noted k h) = noted k (save_words n w r h).
Proof. induction n as [|n IH]; intros; cbn [save_words]; auto. rewrite <- IH. reflexivity. Qed.
Lemma load_noted : forall n w r k h, load_words n w r (noted k h) = noted k (load_words n w r h).
Proof. induction n as [|n IH]; intros; cbn [load_words]; auto. rewrite <- IH. reflexivity. Qed.
Lemma zero_fp_noted : forall n r k h, zero_fp n r (noted k h) = noted k (zero_fp n r h).
Proof. induction n as [|n IH]; intros; cbn [zero_fp]; auto. rewrite <- IH. reflexivity. Qed.

Lemma scrub_noted : forall q k h, scrub q (noted k h) = noted (fun p => fst (fst k) p /\ p <> q, snd (fst k), snd k) (scrub q h).
Proof. reflexivity. Qed.
Lemma along_zero : forall n q, along (alone q (fun h => (tt, scrub q (zero_words n (q * 512) h)))).
Proof. intros n q. apply along_alone. intros k h. cbn [fst snd]. rewrite zero_noted, scrub_noted. eauto. Qed.
Lemma store_noted : forall w v k h, store_word w v (noted k h) = noted k (store_word w v h).
Proof. reflexivity. Qed.
Lemma oblige_noted : forall P k h, exists k', oblige P (noted k h) = noted k' (oblige P h).
Proof. intros P k h. exists (fst k, ok (oblige P (noted k h))). destruct k as [[u v] w]. reflexivity. Qed.
Lemma along_told : forall q j x, along (does (told_word q j x)).
Proof.
  intros q j x. apply along_does. intros k h. unfold told_word. destruct (oblige_noted (fun h => ~ secret h q /\ ~ claimed q h) k h) as (k' & E). rewrite E, store_noted. eauto.
Qed.

(** Runs. *)

Notation WATCHED := (mach globals (Machine.hw * log)).
Definition bared (s : WATCHED) : WATCHED := Mach (C_store.glob s) (bare (fst (C_store.hw s)), map bare_moment (snd (C_store.hw s))).
Definition barely {A} (m : M Machine.hw A) : M (Machine.hw * log) A := fun s =>
  match m (fst s) with Some (a, h) => Some (a, (bare h, snd s ++ map bare_moment (way (fst s)))) | None => None end.
#[local] Instance bare_watching : prims (Machine.hw * log) := {|
  hw_page_read p i := barely (hw_page_read p i);
  hw_page_write p i v := barely (hw_page_write p i v);
  hw_page_zero p := barely (hw_page_zero p);
  hw_page_clean p := barely (hw_page_clean p);
  hw_host_read p i := barely (hw_host_read p i);
  hw_host_write p i v := barely (hw_host_write p i v);
  hw_manifest_read i := barely (hw_manifest_read i);
  hw_counter_read := barely hw_counter_read;
  hw_gicr_read c o w := barely (hw_gicr_read c o w);
  hw_gicr_write c o v := barely (hw_gicr_write c o v);
  hw_engine_lock := barely hw_engine_lock;
  hw_engine_unlock := barely hw_engine_unlock;
  hw_dsb_ish := barely hw_dsb_ish;
  hw_isb := barely hw_isb;
  hw_tlbi_vmid v := barely (hw_tlbi_vmid v);
  hw_tlbi_vmid_local v := barely (hw_tlbi_vmid_local v);
  hw_ic_invalidate := barely hw_ic_invalidate;
  hw_sysreg_read r := barely (hw_sysreg_read r);
  hw_sysreg_write r v := barely (hw_sysreg_write r v);
  hw_fp_save p i := barely (hw_fp_save p i);
  hw_fp_load p i := barely (hw_fp_load p i);
  hw_fp_zero := barely hw_fp_zero;
  hw_firmware_call f a b c := barely (hw_firmware_call f a b c);
  hw_firmware_cpu_on c := barely (hw_firmware_cpu_on c);
|}.
Notation fol := (follows bared (fun _ _ => True)).
Lemma fol_hw : forall A (m : M Machine.hw A), along m -> fol (on_hw (G := globals) (watched m)) (on_hw (barely m)).
Proof.
  intros A m H [g [h l]]. unfold on_hw, watched, barely, bared. cbn [C_store.glob C_store.hw fst snd].
  pose proof (H ((fun _ => False, fun _ _ _ => False), True) h) as K. change (noted _ h) with (bare h) in K. destruct (m h) as [[a t]|].
  - destruct K as (k' & E). rewrite E. eexists. split; [reflexivity|]. split; [|exact Logic.I]. cbn [C_store.glob C_store.hw fst snd]. rewrite map_app.
    destruct (others_noted ((fun _ => False, fun _ _ _ => False), True) h) as (_ & _ & W). change (noted _ h) with (bare h) in W. rewrite W. reflexivity.
  - now rewrite K.
Qed.
#[local] Opaque zero_words save_words load_words zero_fp.
Lemma fol_prim : forall f args, fol (prim (P := watching) f args) (prim (P := bare_watching) f args).
Proof.
  intros f args. unfold prim.
  repeat match goal with |- follows _ _ (if ?b then _ else _) _ => destruct b end; try apply follow_crash;
    repeat (destruct args as [|? args]; try apply follow_crash);
    (apply follow_bind; [exact (fun _ _ _ _ _ => Logic.I)| |intro; apply follow_ret; intro; exact Logic.I]).
  all: apply fol_hw; cbn [Core.machine hw_page_read hw_page_write hw_page_zero hw_page_clean hw_host_read hw_host_write hw_manifest_read hw_counter_read
    hw_gicr_read hw_gicr_write hw_engine_lock hw_engine_unlock hw_dsb_ish hw_isb hw_tlbi_vmid hw_tlbi_vmid_local hw_ic_invalidate
    hw_sysreg_read hw_sysreg_write hw_fp_save hw_fp_load hw_fp_zero hw_firmware_call hw_firmware_cpu_on].
  all: unfold Machine.page_read, Machine.page_write, Machine.page_zero, Machine.page_clean, Machine.host_read, Machine.host_write,
    Machine.engine_lock, Machine.engine_unlock, Machine.dsb_ish, Machine.isb, Machine.tlbi_vmid, Machine.tlbi_vmid_local,
    Machine.ic_invalidate, Machine.sysreg_read, Machine.sysreg_write, Machine.fp_save, Machine.fp_load, Machine.fp_zero.
  all: repeat apply along_word; first [apply along_input | exact (along_zero 512 _) | apply along_told | apply along_gives; reflexivity | apply along_alone; intros k h | apply along_does; intros k h].
  all: exists k; cbn [fst snd]; rewrite ?save_noted, ?load_noted, ?zero_fp_noted; reflexivity.
Qed.
Lemma fol_load : forall g j, fol (load g j) (load g j).
Proof. intros g j s. unfold load. change (C_store.glob (bared s)) with (C_store.glob s). destruct (place (dims g) j 0); [|reflexivity]. exists s. auto. Qed.
Lemma fol_store : forall g j x, fol (store g j x) (store g j x).
Proof. intros g j x s. unfold store. change (C_store.glob (bared s)) with (C_store.glob s). destruct (place (dims g) j 0); [|reflexivity]. eexists. split; [reflexivity|]. split; [reflexivity|exact Logic.I]. Qed.

Theorem same_but_noted : forall P f args g k h r1 g1 h1 l1 r2 g2 h2 l2,
  call P f args (Mach g (h, [])) = Some (r1, Mach g1 (h1, l1)) -> call P f args (Mach g (noted k h, [])) = Some (r2, Mach g2 (h2, l2)) ->
  r2 = r1 /\ g2 = g1 /\ bare h2 = bare h1 /\ map bare_moment l2 = map bare_moment l1.
Proof.
  intros P f args g k h r1 g1 h1 l1 r2 g2 h2 l2 E1 E2.
  pose proof (follow_den bared (fun _ _ => True) (fun _ => Logic.I) (fun _ _ _ _ _ => Logic.I) _ _ _ _ _ _ fol_load fol_store fol_prim P f args) as F.
  pose proof (F (Mach g (h, []))) as F1. pose proof (F (Mach g (noted k h, []))) as F2. clear F. unfold call in E1, E2.
  change (bared (Mach g (noted k h, []))) with (bared (Mach g (h, []))) in F2.
  match type of F1 with match ?x with _ => _ end => destruct x as [[r t]|] end.
  - destruct F1 as (s1 & X1 & B1 & _). destruct F2 as (s2 & X2 & B2 & _).
    assert (Y1 : Some (r, s1) = Some (r1, Mach g1 (h1, l1))) by (etransitivity; [symmetry; exact X1|exact E1]). injection Y1 as -> ->.
    assert (Y2 : Some (r1, s2) = Some (r2, Mach g2 (h2, l2))) by (etransitivity; [symmetry; exact X2|exact E2]). injection Y2 as <- ->.
    rewrite <- B1 in B2. split; [reflexivity|]. split; [exact (f_equal C_store.glob B2)|].
    split; [exact (f_equal (fun s => fst (C_store.hw s)) B2)|exact (f_equal (fun s => snd (C_store.hw s)) B2)].
  - exfalso. assert (Y1 : @None (list Z * WATCHED) = Some (r1, Mach g1 (h1, l1))) by (etransitivity; [symmetry; exact F1|exact E1]). discriminate Y1.
Qed.
