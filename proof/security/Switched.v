(* SPDX-License-Identifier: Apache-2.0 *)
(* Primitives on registers keep two machines in step that differ in a victim's secrets (Handler.v). *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core Step Isolation.
From nie.proof.security Require Import Ranges Lockstep Alike Handler.
From nie.model Require Import Machine.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

Section Handler.
Variable w : who.
Hypothesis V : vmid_of w <> 0.
Variable c0 : Z.
Variable Own : Z -> Prop.
Variable same : bool.
Notation inv := (inv w c0 Own same).
Notation inv0 := (inv0 w c0 Own same).
Notation kept := (kept w c0 Own same).
Notation strict := (strict w c0 Own same).
Notation MACH := (mach globals (Machine.hw * log)).
Notation Rel := (Rel w c0 Own same).
Notation Pre := (Pre w Own same).
Notation lock := (lock Rel le Pre).

(** Registers of the CPU that runs the engine, which are no secret: what is read of them, written, saved and loaded. *)

Lemma after_gives : forall f, after (gives f) (fun h => Some (f h, h)).
Proof. intros f h a h' E. exact E. Qed.

Lemma not_here : forall d T Cs h1 h2 h3, inv d T Cs h1 h2 h3 -> ~ Cs c0.
Proof. intros d T Cs h1 h2 h3 I Q. destruct (i_cs _ _ _ _ _ _ _ _ _ _ I c0 Q) as [N _]. now apply N. Qed.

Lemma kept_reg_read : forall d r, 0 <= r < 128 -> kept d d (fun h => Some (Map.get (reg h) (me h * 128 + r), h)).
Proof.
  intros d r R T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3. injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-.
  pose proof I as [AL SH M CS SE ST OW DU]. split; [|split].
  - rewrite (al_me _ _ _ _ AL), M. apply (al_reg _ _ _ _ AL); auto. intro Q. now elim (not_here _ _ _ _ _ _ I).
  - now rewrite (sh_reg _ _ _ _ _ _ SH), (sh_me _ _ _ _ _ _ SH).
  - exists T, Cs. now apply inv0_of.
Qed.

Lemma kept_reg_write : forall d r x, 0 <= r < 128 -> kept d d (fun h => Some (tt, h <| reg ::= fun m => Map.set m (me h * 128 + r) x |>)).
Proof.
  intros d r x R T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3. injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-.
  pose proof I as [AL SH M CS SE ST OW DU]. split; [reflexivity|]. split; [reflexivity|]. exists T, Cs. constructor; auto.
  - destruct AL. constructor; auto. intros c q Q N. cbn. rewrite al_me, !Map.get_set. destruct (_ =? _); auto.
  - destruct SH. constructor; auto. cbn. now rewrite sh_me, sh_reg.
  - intros c Q. destruct (CS c Q) as [N RV]. split; [exact N|]. unfold root_vmid, vttbr, VTTBR_EL2 in *. cbn. rewrite Map.get_set_other; [exact RV|]. rewrite M. lia.
  - intros p P. left. exact (SE p P).
Qed.

Lemma strict_fp : forall d T Cs h1 h2 h3 k x, strict d T Cs h1 h2 h3 ->
  strict d T Cs (h1 <| fp ::= fun m => Map.set m k x |>) (h2 <| fp ::= fun m => Map.set m k x |>) (h3 <| fp ::= fun m => Map.set m k x |>).
Proof.
  intros d T Cs h1 h2 h3 k x [[AL SH ? ? SE OW DU] SS]. split; [|exact SS]. constructor; auto.
  - destruct AL. constructor; auto. intros c r R N. cbn. rewrite !Map.get_set. destruct (_ =? _); auto.
  - destruct SH. constructor; auto. cbn. congruence.
  - intros p P. left. exact (SS p P).
Qed.
Lemma strict_fp_zero : forall n k d T Cs h1 h2 h3, strict d T Cs h1 h2 h3 -> strict d T Cs (zero_fp n k h1) (zero_fp n k h2) (zero_fp n k h3).
Proof. induction n as [|n IH]; intros; cbn [zero_fp]; auto. apply IH. now apply strict_fp. Qed.
Lemma strict_ends : forall d T Cs h1 h2 h3, strict d T Cs h1 h2 h3 -> exists T' Cs', inv0 d T' Cs' h1 h2 h3.
Proof. intros d T Cs h1 h2 h3 [I _]. eauto. Qed.

Lemma kept_fp_zero : forall n d, kept d d (fun h => Some (tt, zero_fp n (me h * 128) h)).
Proof.
  intros n d T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3. injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-.
  split; auto. split; auto. rewrite (al_me _ _ _ _ (i_alike _ _ _ _ _ _ _ _ _ _ I)), (sh_me _ _ _ _ _ _ (i_shadow _ _ _ _ _ _ _ _ _ _ I)).
  eapply strict_ends, strict_fp_zero, strict_of, I.
Qed.

Lemma strict_save : forall n k j d T Cs h1 h2 h3, 0 <= j -> j + Z.of_nat n <= 128 -> ~ Cs c0 -> strict d T Cs h1 h2 h3 ->
  strict d T Cs (save_words n k (c0 * 128 + j) h1) (save_words n k (c0 * 128 + j) h2) (save_words n k (c0 * 128 + j) h3).
Proof.
  induction n as [|n IH]; intros k j d T Cs h1 h2 h3 J N NC S; cbn [save_words]; auto.
  pose proof S as [[AL SH _ _ _ _ _] _]. rewrite (sh_fp _ _ _ _ _ _ SH), (al_fp _ _ _ _ AL c0 j) by (auto; lia).
  replace (c0 * 128 + j + 1) with (c0 * 128 + (j + 1)) by lia. apply IH; auto; try lia. now apply strict_store.
Qed.
Lemma kept_save : forall n d p k, Z.of_nat n <= 128 -> kept d d (fun h => if held h p then None else Some (tt, save_words n k (me (oblige (free p) h) * 128) (oblige (free p) h))).
Proof.
  intros n d p k N T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3.
  destruct (held h1 p); [discriminate|]. destruct (held h2 p); [discriminate|]. destruct (held h3 p); [discriminate|].
  injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-. split; auto. split; auto.
  assert (M1 : me h1 * 128 = c0 * 128 + 0) by (rewrite (i_me _ _ _ _ _ _ _ _ _ _ I); lia).
  change (me (oblige (free p) h1)) with (me h1). change (me (oblige (free p) h2)) with (me h2). change (me (oblige (free p) h3)) with (me h3).
  rewrite (al_me _ _ _ _ (i_alike _ _ _ _ _ _ _ _ _ _ I)), (sh_me _ _ _ _ _ _ (i_shadow _ _ _ _ _ _ _ _ _ _ I)), M1.
  eapply strict_ends, strict_save; [lia|lia|eapply not_here, I|apply strict_of, inv_oblige, I].
Qed.

Lemma strict_load : forall n p i k d T Cs h1 h2 h3, ~ T p -> 0 <= i -> i + Z.of_nat n <= 512 -> strict d T Cs h1 h2 h3 ->
  strict d T Cs (load_words n (p * 512 + i) k h1) (load_words n (p * 512 + i) k h2) (load_words n (p * 512 + i) k h3).
Proof.
  induction n as [|n IH]; intros p i k d T Cs h1 h2 h3 N I L S; cbn [load_words]; auto.
  pose proof S as [[AL SH _ _ _ _ _] _]. rewrite (sh_mem _ _ _ _ _ _ SH), (al_mem _ _ _ _ AL p i) by (auto; unfold is_word; lia).
  replace (p * 512 + i + 1) with (p * 512 + (i + 1)) by lia. apply IH; auto; try lia. now apply strict_fp.
Qed.
Lemma kept_load : forall n p i, 0 <= i -> i + Z.of_nat n <= 512 ->
  kept false false (fun h => if held h p then None else Some (tt, load_words n (p * 512 + i) (me (oblige (free p) h) * 128) (oblige (free p) h))).
Proof.
  intros n p i I0 I1 T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3.
  destruct (held h1 p); [discriminate|]. destruct (held h2 p); [discriminate|]. destruct (held h3 p) eqn:H; [discriminate|].
  injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-. split; auto. split; auto.
  change (me (oblige (free p) h1)) with (me h1). change (me (oblige (free p) h2)) with (me h2). change (me (oblige (free p) h3)) with (me h3).
  rewrite (al_me _ _ _ _ (i_alike _ _ _ _ _ _ _ _ _ _ I)), (sh_me _ _ _ _ _ _ (i_shadow _ _ _ _ _ _ _ _ _ _ I)).
  eapply strict_ends, strict_load; [eapply not_held; eauto|exact I0|exact I1|apply strict_of, inv_oblige, I].
Qed.
(* A TLBI of this CPU alone. *)
Lemma kept_doom_here : forall d x, kept d true (fun h => Some (tt, doom (fun e => (vmid e =? x) && (cpu e =? me h)) h)).
Proof.
  intros d x T Cs h1 h2 h3 a1 t1 a2 t2 a3 t3 I E1 E2 E3.
  rewrite (al_me _ _ _ _ (i_alike _ _ _ _ _ _ _ _ _ _ I)) in E2. rewrite (sh_me _ _ _ _ _ _ (i_shadow _ _ _ _ _ _ _ _ _ _ I)) in E3.
  eapply (kept_doom w c0 Own same d true (fun e => (vmid e =? x) && (cpu e =? me h1))); eauto. discriminate.
Qed.
End Handler.
