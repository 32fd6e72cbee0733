(* SPDX-License-Identifier: Apache-2.0 *)
(* The primitives that an exit uses when the host has been told, as trails of the watched machine: all but a barrier and the table base are
   hidden, whatever they store. NOT here yet: exit_rest of refine/vcpu_leaves.v put together of them. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.spec Require Import Core Step Isolation.
From nie.proof.security Require Import Alike Handler Apart Trail told_trail.
From nie.model Require Import Machine.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

Section Rest.
Variable w : who.
Variables T Cs : Z -> Prop.
Variables (c p tables : Z).          (* the CPU, the page where the context goes, the host's tables *)
Hypothesis CC : Cs c.
Hypothesis TP : T p.
Notation MACH := (mach globals (Machine.hw * Step.log)).
Notation at_hw s := (fst (C_store.hw s)).
Notation at_log s := (snd (C_store.hw s)).
Notation left_out := (left_out w Cs).

Record at_c (s : MACH) : Prop := {
  ac_me : me (at_hw s) = c;
  ac_left : left_out (at_hw s);
  ac_tables : Map.get (field config_word (C_store.glob s)) MAN_TABLES = tables;
}.
Definition tr {A} (m : M MACH A) (l : list effect) (Q : A -> Prop) : Prop := forall s r s', at_c s -> m s = Some (r, s') ->
  at_c s' /\ Q r /\ exists g, trail w T Cs (at_hw s) l g (at_hw s') /\ at_log s' = at_log s ++ g.
Definition any {A} (_ : A) : Prop := True.

Lemma tr_ret : forall A (a : A) (Q : A -> Prop), Q a -> tr (ret a) [] Q.
Proof. intros A a Q H s r s' AC E. injection E as <- <-. split; [exact AC|]. split; [exact H|]. exists []. split; [apply trail_end|now rewrite app_nil_r]. Qed.
Lemma tr_bind : forall A B (m : M MACH A) (k : A -> M MACH B) l1 l2 Q1 Q2, tr m l1 Q1 -> (forall a, Q1 a -> tr (k a) l2 Q2) -> tr (bind m k) (l1 ++ l2) Q2.
Proof.
  intros A B m k l1 l2 Q1 Q2 H K s r s' AC E. unfold bind in E. destruct (m s) as [[a s1]|] eqn:E1; [|discriminate].
  destruct (H _ _ _ AC E1) as (AC1 & QA & g1 & T1 & L1). destruct (K a QA _ _ _ AC1 E) as (AC2 & QR & g2 & T2 & L2).
  split; [exact AC2|]. split; [exact QR|]. exists (g1 ++ g2). split; [eapply trail_app; eauto|]. now rewrite L2, L1, app_assoc.
Qed.
Lemma tr_load : forall g i, tr (load g i) [] any.
Proof. intros g i s r s' AC E. unfold load in E. destruct (place _ _ _); [|discriminate]. injection E as <- <-. split; [exact AC|]. split; [exact I|]. exists []. split; [apply trail_end|now rewrite app_nil_r]. Qed.
Lemma tr_tables : tr (load config_word [MAN_TABLES]) [] (fun x => x = tables).
Proof.
  intros s r s' AC E. unfold load in E. change (place (dims config_word) [MAN_TABLES] 0) with (Some MAN_TABLES) in E. injection E as <- <-.
  split; [exact AC|]. split; [exact (ac_tables _ AC)|]. exists []. split; [apply trail_end|now rewrite app_nil_r].
Qed.
Lemma tr_store : forall g i x, g <> config_word -> tr (store g i x) [] any.
Proof.
  intros g i x N s r s' AC E. unfold store in E. destruct (place _ _ _); [|discriminate]. injection E as <- <-. destruct AC as [M L F].
  split; [|split; [exact I|exists []; split; [apply trail_end|now rewrite app_nil_r]]]. constructor; [exact M|exact L|]. rewrite <- F. apply (f_equal (fun m => Map.get m MAN_TABLES)). apply field_set_other. congruence.
Qed.
Lemma tr_loop : forall A (x : A) lo hi body l, (forall i a, tr (body i a) l any) -> tr (loop lo hi x body) (concat (repeat l (Z.to_nat (hi - lo)))) any.
Proof.
  intros A x lo hi body l H. unfold loop. generalize (Z.to_nat (hi - lo)). intro n. revert lo x. induction n as [|n IH]; intros lo x; [now apply tr_ret|].
  cbn [rounds' repeat concat]. eapply tr_bind; [apply H|]. intros a _. apply IH.
Qed.

(** Primitives. *)

Lemma tr_prim : forall A (m : M Machine.hw A) e (Q : A -> Prop), (forall h a h', left_out h -> me h = c -> m h = Some (a, h') ->
    does_effect w T Cs e (others h) h' /\ left_out h' /\ me h' = c /\ Q a) -> tr (on_hw (watched m)) [e] Q.
Proof.
  intros A m e Q H [gl [h g0]] r s' [M L F] E. unfold on_hw, watched in E. cbn [C_store.hw C_store.glob fst snd] in *.
  destruct (m h) as [[a h']|] eqn:E1; [|discriminate]. injection E as <- <-. destruct (H h a h' L M E1) as (D & L' & M' & QA).
  split; [constructor; assumption|]. split; [exact QA|]. exists (way h). cbn [C_store.hw fst snd]. split; [|reflexivity].
  rewrite <- (app_nil_r (way h)) at 1. eapply trail_next; [exact D|apply trail_end].
Qed.
Lemma others_me : forall h, me (others h) = me h.
Proof.
  intro h. rewrite others_acted. assert (G : forall l h, me (acted l h) = me h).
  { induction l as [|a l IH]; intro k; [reflexivity|]. change (acted (a :: l) k) with (acted l (met (act_step a k))). rewrite IH. exact (proj1 (act_same a k)). }
  rewrite G. unfold begun. now destruct (during h).
Qed.

(* Only what is left out changes. *)
Record hides (h h' : Machine.hw) : Prop := {
  hi_mem : forall q i, is_word i = true -> q <> p -> Map.get (mem h') (q * 512 + i) = Map.get (mem h) (q * 512 + i);
  hi_tlb : tlb h' = tlb h;
  hi_reg : forall d r, 0 <= r < 128 -> (d <> c \/ r = VTTBR_EL2) -> Map.get (reg h') (d * 128 + r) = Map.get (reg h) (d * 128 + r);
  hi_fp : forall d r, 0 <= r < 128 -> d <> c -> Map.get (fp h') (d * 128 + r) = Map.get (fp h) (d * 128 + r);
  hi_me : me h' = me h;
}.
Lemma hides_root : forall h h' d, hides h h' -> vttbr h' d = vttbr h d.
Proof. intros h h' d H. apply (hi_reg _ _ H); [unfold VTTBR_EL2; lia|auto]. Qed.
Lemma tr_hidden : forall A (m : M Machine.hw A), (forall h a h', m h = Some (a, h') -> me h = c -> hides (others h) h') -> tr (on_hw (watched m)) [Hidden] any.
Proof.
  intros A m H. apply tr_prim. intros h a h' L M E. specialize (H h a h' E M). pose proof (others_left_out w Cs h L) as L1. split; [|split; [|split; [|exact I]]].
  - destruct H as [H1 H2 H3 H4 H5] eqn:Q. clear Q. constructor; auto.
    + intros q i W N. apply H1; [exact W|]. intros ->. exact (N TP).
    + intro d. apply H3; [unfold VTTBR_EL2; lia|auto].
    + intros d r R N. unfold REG_SWITCHED in R. apply H3; [lia|]. left. intros ->. exact (N CC).
    + intros d r R N. apply H4; [lia|]. intros ->. exact (N CC).
  - intros d D. apply L1. unfold root_vmid in *. now rewrite <- (hides_root _ _ d H).
  - rewrite (hi_me _ _ H), others_me. exact M.
Qed.
Lemma hides_refl : forall h, hides h h.
Proof. constructor; auto. Qed.

Lemma tr_read : forall r, tr (Prims.sysreg_read r) [Hidden] any.
Proof. intro r. apply (tr_hidden _ (Machine.sysreg_read r)). intros h a h' E _. injection E as _ <-. apply hides_refl. Qed.
Lemma tr_write : forall r x, 0 <= r < 128 -> r <> VTTBR_EL2 -> tr (Prims.sysreg_write r x) [Hidden] any.
Proof.
  intros r x B N. apply (tr_hidden _ (Machine.sysreg_write r x)). intros h a h' E M. injection E as _ <-. constructor; auto.
  intros d q Q K. cbn. rewrite others_me, M. apply get_set_other. unfold VTTBR_EL2 in *. lia.
Qed.
Lemma tr_isb : tr Prims.isb [Hidden] any.
Proof. apply (tr_hidden _ Machine.isb). intros h a h' E _. injection E as _ <-. apply hides_refl. Qed.
Lemma tr_base : forall x, tr (Prims.sysreg_write REG_VTTBR_EL2 x) [Base x] any.
Proof.
  intro x. apply (tr_prim _ (Machine.sysreg_write REG_VTTBR_EL2 x)). intros h a h' L M E. injection E as _ <-. split; [split; [now rewrite others_me, M|reflexivity]|].
  split; [|split; [cbn; now rewrite others_me|exact I]]. intros d D. change (root_vmid (based x (others h)) d = vmid_of w) in D. rewrite based_root, others_me, M in D.
  destruct (Z.eqb_spec d c) as [Q|N]; [rewrite Q; exact CC|]. exact (others_left_out w Cs h L d D).
Qed.
Lemma tr_dsb : tr Prims.dsb_ish [Barrier] any.
Proof.
  apply (tr_prim _ Machine.dsb_ish). intros h a h' L M E. injection E as _ <-. split; [reflexivity|]. split; [exact (others_left_out w Cs h L)|]. split; [cbn; now rewrite others_me|exact I].
Qed.
Lemma tr_page_write : forall i x, tr (Prims.page_write p i x) [Hidden] any.
Proof.
  intros i x. apply (tr_hidden _ (Machine.page_write p i x)). intros h a h' E _. unfold Machine.page_write, word_of, alone in E.
  destruct (Machine.in_ram h p && is_word i) eqn:W; [|discriminate]. destruct (held _ _); [discriminate|]. injection E as _ <-. apply andb_prop in W as [_ W].
  constructor; auto. intros q j J N. cbn. apply get_set_other. intro Q. apply word_page in Q as [Q _]; auto.
Qed.
Lemma saved_words : forall n k r h, tlb (save_words n k r h) = tlb h /\ reg (save_words n k r h) = reg h /\ fp (save_words n k r h) = fp h /\ me (save_words n k r h) = me h /\
  forall j, j < k \/ k + Z.of_nat n <= j -> Map.get (mem (save_words n k r h)) j = Map.get (mem h) j.
Proof.
  induction n as [|n IH]; intros k r h; cbn [save_words]; [repeat split|]. destruct (IH (k + 1) (r + 1) (store_word k (Map.get (fp h) r) h)) as (-> & -> & -> & -> & E).
  repeat split. intros j J. rewrite E by lia. cbn. apply get_set_other. lia.
Qed.
#[local] Opaque save_words.
Lemma tr_fp_save : forall i, tr (Prims.fp_save p i) [Hidden] any.
Proof.
  intro i. apply (tr_hidden _ (Machine.fp_save p i)). intros h a h' E _. unfold Machine.fp_save, word_of, alone in E.
  destruct (Machine.in_ram h p && is_word (i + 65)) eqn:W1; [|discriminate]. destruct (Machine.in_ram h p && is_word i) eqn:W2; [|discriminate]. destruct (held _ _); [discriminate|].
  apply andb_prop in W1 as [_ W1]. apply andb_prop in W2 as [_ W2]. cbv beta in E. set (h1 := oblige (free p) (others h)) in E.
  pose proof (saved_words 66 (p * 512 + i) (me h1 * 128) h1) as K. generalize dependent (save_words 66 (p * 512 + i) (me h1 * 128) h1). intros z E (E1 & E2 & E3 & E4 & E5).
  injection E as _ <-. constructor; rewrite ?E1, ?E2, ?E3, ?E4; auto.
  intros q j J N. rewrite E5; [reflexivity|]. unfold is_word in *. change (Z.of_nat 66) with 66. lia.
Qed.
Lemma zeroed : forall n r h, tlb (zero_fp n r h) = tlb h /\ reg (zero_fp n r h) = reg h /\ mem (zero_fp n r h) = mem h /\ me (zero_fp n r h) = me h /\
  forall j, j < r \/ r + Z.of_nat n <= j -> Map.get (fp (zero_fp n r h)) j = Map.get (fp h) j.
Proof.
  induction n as [|n IH]; intros r h; cbn [zero_fp]; [repeat split|]. destruct (IH (r + 1) (h <| fp ::= fun f => Map.set f r 0 |>)) as (-> & -> & -> & -> & E).
  repeat split. intros j J. rewrite E by lia. cbn. apply get_set_other. lia.
Qed.
#[local] Opaque zero_fp.
Lemma tr_fp_zero : tr Prims.fp_zero [Hidden] any.
Proof.
  apply (tr_hidden _ Machine.fp_zero). intros h a h' E M. unfold Machine.fp_zero, does in E.
  pose proof (zeroed 66 (me (others h) * 128) (others h)) as K. generalize dependent (zero_fp 66 (me (others h) * 128) (others h)). intros z E (E1 & E2 & E3 & E4 & E5). injection E as _ <-.
  constructor; rewrite ?E1, ?E2, ?E3, ?E4; auto. intros d r R N. apply E5. rewrite others_me, M. change (Z.of_nat 66) with 66. lia.
Qed.
End Rest.
