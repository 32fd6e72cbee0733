(* SPDX-License-Identifier: Apache-2.0 *)
(* C that stores to no page but the engine's own, whatever it does there; and the walk of a VM's tables, as a trap does it. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.stage2 nie.generated.state.context nie.generated.stage2_h.
From nie.spec Require Import Core.
From nie.proof.invariant Require Import Meaning vcpu_run_preserves.
From nie.proof.refine Require Import GiveBack Shared.
From nie.proof.refine Require Export Standing.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Mute.
Variable o : Z -> owner.

(* Objects may change, but only those of [of_trap]. *)
Definition mute {X} (m : M MACH X) : Prop := forall s r s', m s = Some (r, s') -> silent o (hw s) (hw s').
Lemma mute_ret : forall X (x : X), mute (ret x).
Proof. intros X x s r s' E. injection E as <- <-. apply silent_refl. Qed.
Lemma mute_crash : forall X, mute (@crash MACH X).
Proof. intros X s r s' E. discriminate E. Qed.
Lemma mute_bind : forall X Y (m : M MACH X) (f : X -> M MACH Y), mute m -> (forall x, mute (f x)) -> mute (bind m f).
Proof.
  intros X Y m f H K s r s' E. unfold bind in E. destruct (m s) as [[x s1]|] eqn:E1; [|discriminate]. eapply silent_trans; [eapply H; eauto|eapply K; eauto].
Qed.
Lemma mute_lift : forall X (x : option X), mute (lift x).
Proof. intros X [x|]; [apply mute_ret|apply mute_crash]. Qed.
Lemma mute_index : forall n i, mute (index n i).
Proof. intros n i. unfold index. destruct (_ && _)%bool; [apply mute_ret|apply mute_crash]. Qed.
Lemma mute_load : forall g l, mute (load g l).
Proof. intros g l s r s' E. unfold load in E. destruct (place _ _ _); [|discriminate]. injection E as <- <-. apply silent_refl. Qed.
Lemma mute_store : forall g l x, mute (store g l x).
Proof. intros g l x s r s' E. unfold store in E. destruct (place _ _ _); [|discriminate]. injection E as <- <-. apply silent_refl. Qed.
Lemma mute_loop_ret : forall X Y lo hi (x : X) (body : Z -> X -> M MACH (outcome X Y)), (forall i x, mute (body i x)) -> mute (loop_ret lo hi x body).
Proof.
  intros X Y lo hi x body H. unfold loop_ret. generalize (Z.to_nat (hi - lo)). intro n. revert lo x. induction n as [|n IH]; intros lo x; cbn [rounds]; [apply mute_ret|].
  apply mute_bind; [apply H|]. intros [y|y]; [apply IH|apply mute_ret].
Qed.

Lemma mute_does : forall f, (forall h, self_step o h (f h)) -> mute (on_hw (does f)).
Proof. intros f H [gl h] r s' E. injection E as <- <-. cbn [hw]. eapply silent_self; [apply silent_others, silent_refl|apply H]. Qed.
Lemma self_refl : forall h, self_step o h h.
Proof. constructor; auto. Qed.
Lemma self_store : forall p i x h, kept (o p) = true -> is_word i = true -> self_step o h (store_word (p * 512 + i) x h).
Proof.
  intros p i x h K I. constructor; auto. intros w W. cbn. apply get_set_other. intros ->. unfold is_word in I.
  replace ((p * 512 + i) / 512) with p in W by lia. congruence.
Qed.
Lemma self_trans : forall a b c, self_step o a b -> self_step o b c -> self_step o a c.
Proof. intros a b c [M1 F1 E1 D1 I1] [M2 F2 E2 D2 I2]. constructor; try congruence. intros w W. now rewrite M2, M1. Qed.
Lemma mute_alone : forall X p i (f : Machine.hw -> X * Machine.hw), (is_word i = true -> forall h, self_step o h (snd (f h))) -> mute (on_hw (word_of p i (alone p f))).
Proof.
  intros X p i f H [gl h] r s' E. unfold on_hw, word_of, alone in E. cbn [hw glob] in E. destruct (Machine.in_ram h p && is_word i)%bool eqn:IW; [|discriminate].
  destruct (held (others h) p); [discriminate|]. destruct (f (oblige (free p) (others h))) as [x h2] eqn:F. injection E as <- <-. cbn [hw].
  apply andb_prop in IW as [_ IW]. eapply silent_self; [apply silent_others, silent_refl|]. eapply self_trans with (b := oblige (free p) (others h)); [constructor; auto|].
  specialize (H IW (oblige (free p) (others h))). rewrite F in H. exact H.
Qed.
Lemma mute_page_read : forall p i, mute (page_read p i).
Proof. intros p i. apply mute_alone. intros. apply self_refl. Qed.
Lemma mute_page_write : forall p i x, kept (o p) = true -> mute (page_write p i x).
Proof. intros p i x K. apply mute_alone. intros I h. now apply self_store. Qed.
Lemma self_zero : forall p n i h, kept (o p) = true -> 0 <= i -> i + Z.of_nat n <= 512 -> self_step o h (zero_words n (p * 512 + i) h).
Proof.
  intros p n. induction n as [|n IH]; intros i h K I N; cbn [zero_words]; [apply self_refl|]. rewrite Nat2Z.inj_succ in N.
  eapply self_trans; [apply (self_store p i 0); auto; unfold is_word; lia|]. replace (p * 512 + i + 1) with (p * 512 + (i + 1)) by lia. apply IH; auto; lia.
Qed.
Lemma mute_page_zero : forall p, kept (o p) = true -> mute (page_zero p).
Proof.
  intros p K. apply mute_alone. intros _ h. cbn [snd]. eapply self_trans; [apply (self_zero p 512 0); [exact K|lia|lia]|]. rewrite Z.add_0_r.
  generalize (zero_words 512 (p * 512) h). intro z. constructor; auto.
Qed.
Lemma mute_dsb : mute dsb_ish.
Proof. apply mute_does. intro h. constructor; auto. Qed.
Lemma mute_ic : mute ic_invalidate.
Proof. apply mute_does. intro h. constructor; auto. Qed.
Lemma mute_isb : mute isb.
Proof. apply mute_does. intro h. constructor; auto. Qed.
Lemma mute_tlbi : forall v, mute (tlbi_vmid v).
Proof. intro v. apply mute_does. intro h. constructor; auto. Qed.

Ltac mute := repeat first
  [ apply mute_ret | apply mute_load | apply mute_store | apply mute_lift | apply mute_index | apply mute_page_read | apply mute_dsb | apply mute_isb | apply mute_tlbi
  | apply mute_bind; [|intro] | apply mute_loop_ret; intros | match goal with |- mute (if ?b then _ else _) => destruct b | |- mute (match ?x with _ => _ end) => destruct x end ].
Lemma mute_walk : forall v x l, mute (s2_walk v x l).
Proof. intros. unfold s2_walk, desc_is_table, desc_page. mute. Qed.
Lemma mute_flush : forall v, mute (s2_flush v).
Proof. intros. unfold s2_flush. mute. Qed.
Lemma mute_write : forall t d i l x, kept (o t) = true -> mute (s2_write t d i l x).
Proof. intros t d i l x K. unfold s2_write. apply mute_bind; [now apply mute_page_write|]. intro. mute. Qed.

Lemma wp_mute : forall X (m : M MACH X) (Q : X -> MACH -> Prop) s, mute m -> wp m Q s -> wp m (fun r s' => Q r s' /\ silent o (hw s) (hw s')) s.
Proof. intros X m Q s U H. unfold wp in *. destruct (m s) as [[r s']|] eqn:E; auto. split; [exact H|]. eapply U; eauto. Qed.
End Mute.

Section Moves.
Variables (c : Z) (o : Z -> owner) (s0 : MACH).
Notation at_ := (stands c o s0).

(* From what is known of the machine in mid-call: the engine's own pages have changed, registers have not. *)
Lemma at_moved : forall a gl h b m gl' h', at_ a (Mach gl h) -> world h (Aset b) (Aset b) m (now m) h' -> tables_hold b m -> sound b -> globals_hold b gl' ->
  cfg b = cfg a -> here b = here a -> fp_here b = fp_here a -> (forall d, vttbr_of b d = vttbr_of a d) -> (forall p, own b p = own a p) ->
  silent o h h' -> only_trap gl gl' -> at_ b (Mach gl' h').
Proof.
  intros a gl h b m gl' h' A W T SB G EC EH EF EV EO S OT. destruct A as [HR M OW SI ON]. cbn [glob hw] in *. pose proof (w_frame _ _ _ _ _ _ W) as F.
  constructor; cbn [glob hw].
  - destruct HR as [RW RO RG RX RR RE RS RC]. cbn [glob hw] in *. destruct (registers_frame _ _ _ RS F) as [R1 R2 R3 R4]. constructor; cbn [glob hw]; [apply SB|apply SB|exact G| | | | |apply SB].
    + exists m. split; [|exact T]. now destruct (settled_of_world _ _ _ _ _ W).
    + rewrite (f_ram _ _ F), RR. unfold ram_of. now rewrite EC.
    + rewrite (f_engine _ _ F), RE. unfold engine_of. now rewrite EC.
    + constructor; rewrite ?EH, ?EF; auto. intro d. rewrite EV. apply R4.
  - now rewrite (f_me _ _ F).
  - intro p. now rewrite EO.
  - eapply silent_trans; eauto.
  - eapply ot_trans; eauto.
Qed.

Lemma at_walk : forall a s v x (Q : Z * Z * Z * Z -> MACH -> Prop), at_ a s -> 0 <= v < NIE_MAX_VMS -> vm_state (vm_at a v) <> NIE_VM_FREE -> 0 <= x < 2 ^ 27 ->
  (forall s', at_ a s' -> glob s' = glob s -> Q (walk_end a v x 3) s') -> wp (s2_walk v x LEVEL_PAGE) Q s.
Proof.
  intros a [gl h] v x Q A V NF X H. pose proof A as [[RW RO RG (m & W & T) RR RE RS RC] M OW SI ON]. cbn [glob hw] in *.
  assert (K : wp (s2_walk v x LEVEL_PAGE) (fun r s' => r = walk_end a v x 3 /\ glob s' = gl /\ world h (Aset a) (Aset a) m (now m) (hw s')) (Mach gl h)).
  { eapply (s2_walk_wp h a (Aset a) (Aset a) m (now m) gl); [exact RW|exact RR|exact T| |exact W|exact V|exact NF|apply (g_vm _ _ RG v V)|exact X|unfold LEVEL_PAGE; lia|auto].
    intros p w l k R O. apply untouched; auto. now rewrite O. }
  apply (wp_mute o) in K; [|apply mute_walk]. eapply wp_weaken; [exact K|]. cbn beta. intros r [gl' h'] ((-> & E & W') & S). cbn [glob hw] in *. subst gl'. apply H; [|reflexivity].
  eapply at_moved; eauto using ot_refl; constructor; auto.
Qed.
End Moves.
