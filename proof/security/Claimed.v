(* SPDX-License-Identifier: Apache-2.0 *)
(* No program changes what is claimed: claims are in no primitive's effect (model/Machine.v). *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation statements.
From nie.proof.security Require Import Watched.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Notation MACH := (mach globals Machine.hw).
Definition claims_stay {A} (m : M Machine.hw A) : Prop := forall h a h', m h = Some (a, h') -> claims h' = claims h.

Lemma stay_does : forall f, (forall h, claims (f h) = claims h) -> claims_stay (does f).
Proof. intros f H h a h' E. injection E as _ <-. now rewrite H, others_claims. Qed.
Lemma stay_gives : forall f, claims_stay (gives f).
Proof. intros f h a h' E. injection E as _ <-. apply others_claims. Qed.
Lemma stay_input : claims_stay input.
Proof. intros h a h' E. injection E as _ <-. change (claims (others h) = claims h). apply others_claims. Qed.
Lemma stay_word : forall A q j (m : M Machine.hw A), claims_stay m -> claims_stay (word_of q j m).
Proof. intros A q j m H h a h' E. unfold word_of in E. destruct (_ && _)%bool; [eauto|discriminate]. Qed.
Lemma stay_alone : forall A q (f : Machine.hw -> A * Machine.hw), (forall h, claims (snd (f h)) = claims h) -> claims_stay (alone q f).
Proof.
  intros A q f H h a h' E. unfold alone in E. destruct (held _ _); [discriminate|]. injection E as E. apply (f_equal snd) in E. cbn [snd] in E. subst h'. rewrite H.
  change (claims (others h) = claims h). apply others_claims.
Qed.
Lemma zero_claims : forall n w h, claims (zero_words n w h) = claims h.
Proof. induction n as [|n IH]; intros; cbn [zero_words]; auto. now rewrite IH. Qed.
Lemma save_claims : forall n w r h, claims (save_words n w r h) = claims h.
Proof. induction n as [|n IH]; intros; cbn [save_words]; auto. now rewrite IH. Qed.
Lemma load_claims : forall n w r h, claims (load_words n w r h) = claims h.
Proof. induction n as [|n IH]; intros; cbn [load_words]; auto. now rewrite IH. Qed.
Lemma zero_fp_claims : forall n r h, claims (zero_fp n r h) = claims h.
Proof. induction n as [|n IH]; intros; cbn [zero_fp]; auto. now rewrite IH. Qed.

Definition same_claims (s s' : MACH) : Prop := claims (C_store.hw s') = claims (C_store.hw s).
Lemma same_refl : forall s, same_claims s s.
Proof. reflexivity. Qed.
Lemma same_trans : forall a b c, same_claims a b -> same_claims b c -> same_claims a c.
Proof. unfold same_claims. congruence. Qed.
Notation fol := (follows (fun s : MACH => s) same_claims).
Lemma fol_hw : forall A (m : M Machine.hw A), claims_stay m -> fol (on_hw (G := globals) m) (on_hw m).
Proof. intros A m H [g h]. unfold on_hw. cbn. destruct (m h) as [[a h']|] eqn:E; [|reflexivity]. eexists. split; [reflexivity|]. split; [reflexivity|]. exact (H _ _ _ E). Qed.
#[local] Opaque zero_words save_words load_words zero_fp.
Ltac by_prims trans reflex step := unfold prim;
  repeat match goal with |- follows _ _ (if ?b then _ else _) _ => destruct b end; try apply follow_crash;
    repeat match goal with a : list Z |- _ => destruct a as [|? a]; try apply follow_crash end;
    (apply follow_bind; [exact trans| |intro; apply follow_ret; exact reflex]);
  apply step; cbn [Core.machine hw_page_read hw_page_write hw_page_zero hw_page_clean hw_host_read hw_host_write hw_manifest_read hw_counter_read
    hw_gicr_read hw_gicr_write hw_engine_lock hw_engine_unlock hw_dsb_ish hw_isb hw_tlbi_vmid hw_tlbi_vmid_local hw_ic_invalidate
    hw_sysreg_read hw_sysreg_write hw_fp_save hw_fp_load hw_fp_zero hw_firmware_call hw_firmware_cpu_on];
  unfold Machine.page_read, Machine.page_write, Machine.page_zero, Machine.page_clean, Machine.host_read, Machine.host_write,
    Machine.engine_lock, Machine.engine_unlock, Machine.dsb_ish, Machine.isb, Machine.tlbi_vmid, Machine.tlbi_vmid_local,
    Machine.ic_invalidate, Machine.sysreg_read, Machine.sysreg_write, Machine.fp_save, Machine.fp_load, Machine.fp_zero;
  repeat apply stay_word; first [apply stay_input | apply stay_gives | apply stay_alone; intro; cbn [snd] | apply stay_does; intro];
  rewrite ?zero_fp_claims, ?load_claims, ?save_claims; reflexivity.
Lemma fol_prim : forall f args, fol (prim (P := Core.machine) f args) (prim (P := Core.machine) f args).
Proof. intros f args. by_prims same_trans same_refl fol_hw. Qed.
Lemma fol_load : forall g j, fol (load g j) (load g j).
Proof. intros g j s. unfold load. destruct (place (dims g) j 0); [|reflexivity]. exists s. repeat split. Qed.
Lemma fol_store : forall g j x, fol (store g j x) (store g j x).
Proof. intros g j x s. unfold store. destruct (place (dims g) j 0); [|reflexivity]. eexists. split; [reflexivity|]. repeat split. Qed.

Theorem run_claims : forall P f args s rs s', run_of P f args s = Some (rs, s') -> claims (C_store.hw s') = claims (C_store.hw s).
Proof.
  intros P f args s rs s' E.
  pose proof (follow_den (fun s : MACH => s) same_claims (fun s => eq_refl) same_trans _ _ _ _ _ _ fol_load fol_store fol_prim P f args s) as F.
  unfold run_of in E. match type of F with match ?x with _ => _ end => change x with (den load store (prim (P := Core.machine)) P f args s) in F end.
  rewrite E in F. destruct F as (s1 & E1 & <- & K). exact K.
Qed.
Lemma run_unclaimed : forall P f args s rs s', run_of P f args s = Some (rs, s') -> unclaimed (C_store.hw s) -> unclaimed (C_store.hw s').
Proof. intros P f args s rs s' E U v x p. rewrite (run_claims _ _ _ _ _ _ E). apply U. Qed.
