(* SPDX-License-Identifier: Apache-2.0 *)
(* The way out, exactly: what an exit writes to the run record, what it saves, and what the host finds. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning trap_steps.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.state.world.
From nie.spec Require Import Core.
From nie.proof.refine Require Export world_enters Holds.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation MACH := (mach globals Machine.hw).

(** The run record. [tell p l h]: the machine after a sequence of primitives, the others acting before each; [Some (w, x)]
    is a store of x to word w of page p, None one that changes nothing. *)

Definition tell1 (p : Z) (h : Machine.hw) (o : option (Z * Z)) : Machine.hw :=
  match o with None => others h | Some (w, x) => told_word p w x (others h) end.
Definition tell (p : Z) (l : list (option (Z * Z))) (h : Machine.hw) : Machine.hw := fold_left (tell1 p) l h.
Lemma tell_app : forall p l l' h, tell p (l ++ l') h = tell p l' (tell p l h).
Proof. intros. unfold tell. apply fold_left_app. Qed.
Fixpoint each_log (n : nat) (f : Z -> list (option (Z * Z))) : list (option (Z * Z)) :=
  match n with O => [] | S n' => each_log n' f ++ f (Z.of_nat n') end.
Lemma log_next : forall i f, 0 <= i -> each_log (Z.to_nat (i + 1)) f = each_log (Z.to_nat i) f ++ f i.
Proof. intros i f I. rewrite Z2Nat.inj_add by lia. rewrite Nat.add_1_r. cbn [each_log]. now rewrite Z2Nat.id by lia. Qed.

Section Told.
Variables (h0 : Machine.hw) (c : Z) (A : aset) (m : Z -> Z) (V : Z -> Z -> Prop) (rg f : Map.t Z) (n : nat) (p : Z).
Hypothesis P : Machine.in_ram h0 p = true.
Hypothesis T : hosts A p.
Notation LIVE := (live h0 c A m V rg f n).

Lemma x_read_at : forall gl h r (Q : Z -> MACH -> Prop), LIVE h -> 0 <= r < 128 ->
  (LIVE (tell1 p h None) -> Q (Map.get rg r) (Mach gl (tell1 p h None))) -> wp (sysreg_read r) Q (Mach gl h).
Proof.
  intros gl h r Q L R H. unfold sysreg_read. apply wp_hw. unfold wp. cbn. pose proof (live_others _ _ _ _ _ _ _ _ h L) as L1.
  rewrite (lv_me _ _ _ _ _ _ _ _ _ L1), (lv_reg _ _ _ _ _ _ _ _ _ L1) by auto. auto.
Qed.
Lemma live_store : forall h i x, LIVE h -> is_word i = true -> LIVE (told_word p i x h).
Proof.
  intros h i x L I. destruct (host_store_settled A V m h p i x (lv_settled _ _ _ _ _ _ _ _ _ L) I T) as [S _].
  eapply live_same; [exact L|exact S|reflexivity..].
Qed.
Lemma x_host_write_at : forall gl h i x (Q : unit -> MACH -> Prop), LIVE h -> is_word i = true ->
  (LIVE (tell1 p h (Some (i, x))) -> Q tt (Mach gl (tell1 p h (Some (i, x))))) -> wp (host_write p i x) Q (Mach gl h).
Proof.
  intros gl h i x Q L I H. change (wp (on_hw (Machine.host_write p i x)) Q (Mach gl h)). apply wp_hw. unfold Machine.host_write.
  eapply x_word; [exact L|exact P|exact I|]. unfold wp, does. apply H. cbn [tell1]. apply live_store; auto. eapply live_others; eauto.
Qed.

Definition common_log (off : Z) : list (option (Z * Z)) :=
  each_log 4 (fun n => [None; Some (RUN_OUT_LR0 + n, Map.get rg (REG_ICH_LR0_EL2 + n))]) ++
  [None; None; None; None; None;
   Some (RUN_OUT_MISR, Map.get rg REG_ICH_MISR_EL2); Some (RUN_OUT_VMCR, Z.land (Map.get rg REG_ICH_VMCR_EL2) ICH_VMCR_SHOWN);
   Some (RUN_OUT_EOICOUNT, Registers.field (Map.get rg REG_ICH_HCR_EL2) 27 5); Some (RUN_OUT_CNTV_CTL, Map.get rg REG_CNTV_CTL_EL0);
   Some (RUN_OUT_CNTV_CVAL, Registers.wrap64 (Map.get rg REG_CNTV_CVAL_EL0 + off))].
Definition exit_log (reason ipa width value : Z) (x : Z -> Z) : list (option (Z * Z)) :=
  [Some (RUN_OUT_REASON, reason); Some (RUN_OUT_IPA, ipa); Some (RUN_OUT_WIDTH, width); Some (RUN_OUT_VALUE, value)] ++
  each_log 7 (fun n => [Some (RUN_OUT_X0 + n, if reason =? NIE_EXIT_HOST_CALL then x n else 0)]).

Lemma write_common_wp : forall gl h vm (Q : unit -> MACH -> Prop), LIVE h -> 0 <= vm < 64 ->
  (LIVE (tell p (common_log (at1 vms_cntvoff gl vm)) h) -> Q tt (Mach gl (tell p (common_log (at1 vms_cntvoff gl vm)) h))) -> wp (write_common p vm) Q (Mach gl h).
Proof.
  intros gl h vm Q L VM H. unfold write_common, common_log, NIE_LRS, RUN_OUT_LR0, REG_ICH_LR0_EL2 in *. rewrite tell_app in H.
  set (lg := fun n => [None; Some (75 + n, Map.get rg (32 + n))]) in *. w_bind.
  apply wp_loop with (I := fun i _ s => let h' := tell p (each_log (Z.to_nat i) lg) h in LIVE h' /\ s = Mach gl h'); [lia|split; [exact L|reflexivity]| |].
  { intros i u s I (L1 & ->). rewrite !wrap32 by lia. cbn zeta. rewrite log_next, tell_app by lia. set (h1 := tell p (each_log (Z.to_nat i) lg) h) in *.
    w_bind. eapply x_read_at; [exact L1|lia|]. intro L2. w_bind. eapply x_host_write_at; [exact L2|unfold is_word; lia|]. intro L3. apply wp_ret. split; [exact L3|reflexivity]. }
  intros u s (L1 & ->). cbn beta zeta. change (Z.to_nat 4) with 4%nat. change (Z.to_nat 4) with 4%nat in L1. set (h1 := tell p (each_log 4 lg) h) in *. clearbody h1. clear L.
  w_bind. eapply x_read_at; [exact L1|unfold REG_ICH_MISR_EL2; lia|]. intro L2. w_bind. eapply x_read_at; [exact L2|unfold REG_ICH_VMCR_EL2; lia|]. intro L3.
  w_bind. eapply x_read_at; [exact L3|unfold REG_ICH_HCR_EL2; lia|]. intro L4. w_bind. eapply x_read_at; [exact L4|unfold REG_CNTV_CTL_EL0; lia|]. intro L5.
  w_bind. eapply x_read_at; [exact L5|unfold REG_CNTV_CVAL_EL0; lia|]. intro L6.
  assert (EO : Z.land (Z.shiftr (Map.get rg REG_ICH_HCR_EL2) 27) 31 = Registers.field (Map.get rg REG_ICH_HCR_EL2) 27 5).
  { unfold Registers.field. rewrite <- Z.shiftr_div_pow2 by lia. exact (ones_land _ 5 ltac:(lia)). }
  rewrite EO. w_bind. eapply x_host_write_at; [exact L6|reflexivity|]. intro L7. w_bind. eapply x_host_write_at; [exact L7|reflexivity|]. intro L8.
  w_bind. eapply x_host_write_at; [exact L8|reflexivity|]. intro L9. w_bind. eapply x_host_write_at; [exact L9|reflexivity|]. intro L10.
  w_bind. eapply wp_load1; [reflexivity|exact VM|]. cbn beta. w_bind. eapply x_host_write_at; [exact L10|reflexivity|]. intro L11. apply wp_ret. apply H. exact L11.
Qed.

Lemma write_exit_wp : forall gl h reason ipa width value (Q : unit -> MACH -> Prop), LIVE h -> 0 <= c < 8 ->
  (let l := exit_log reason ipa width value (fun i => at1 cpus_x gl (c * 31 + i)) in LIVE (tell p l h) -> Q tt (Mach gl (tell p l h))) ->
  wp (write_exit c p reason ipa width value) Q (Mach gl h).
Proof.
  intros gl h reason ipa width value Q L C H. unfold write_exit, exit_log in *. cbn zeta in H. rewrite tell_app in H.
  w_bind. eapply x_host_write_at; [exact L|reflexivity|]. intro L1. w_bind. eapply x_host_write_at; [exact L1|reflexivity|]. intro L2.
  w_bind. eapply x_host_write_at; [exact L2|reflexivity|]. intro L3. w_bind. eapply x_host_write_at; [exact L3|reflexivity|]. intro L4.
  match type of L4 with LIVE ?h4 => change (tell p [Some (RUN_OUT_REASON, reason); Some (RUN_OUT_IPA, ipa); Some (RUN_OUT_WIDTH, width); Some (RUN_OUT_VALUE, value)] h) with h4 in H;
    set (h1 := h4) in *; clearbody h1 end. clear L L1 L2 L3.
  unfold RUN_OUT_X0 in *. set (lg := fun n => [Some (68 + n, if reason =? NIE_EXIT_HOST_CALL then at1 cpus_x gl (c * 31 + n) else 0)]) in *. w_bind.
  apply wp_loop with (I := fun i _ s => let h' := tell p (each_log (Z.to_nat i) lg) h1 in LIVE h' /\ s = Mach gl h'); [lia|split; [exact L4|reflexivity]| |].
  - intros i u s I (L5 & ->). rewrite wrap32 by lia. cbn zeta. rewrite log_next, tell_app by lia. set (h2 := tell p (each_log (Z.to_nat i) lg) h1) in *. w_bind.
    assert (K : forall x, x = (if reason =? NIE_EXIT_HOST_CALL then at1 cpus_x gl (c * 31 + i) else 0) ->
      wp (host_write p (68 + i) x ;;; ret tt) (fun _ s' => LIVE (tell p (lg i) h2) /\ s' = Mach gl (tell p (lg i) h2)) (Mach gl h2)).
    { intros x ->. w_bind. eapply x_host_write_at; [exact L5|unfold is_word; lia|]. intro L6. apply wp_ret. split; [exact L6|reflexivity]. }
    destruct (reason =? NIE_EXIT_HOST_CALL).
    + w_bind. eapply x_load2; [reflexivity|lia|lia|]. apply wp_ret. apply K. reflexivity.
    + apply wp_ret. apply K. reflexivity.
  - intros u s (L5 & ->). apply wp_ret. apply H. exact L5.
Qed.
End Told.

(** The context is written. *)

(* Page p holds M, the rest is as it was. *)
Definition paged (p : Z) (M : Map.t Z) (m : Z -> Z) : Z -> Z := fun w => if (p * 512 <=? w) && (w <? p * 512 + 512) then Map.get M (w - p * 512) else m w.
Definition beside (p : Z) (m : Z -> Z) : Z -> Z -> Prop := fun w d => now m w d \/ p * 512 <= w < p * 512 + 512.

Lemma live_mem : forall h0 c A m m' V rg f n h, live h0 c A m V rg f n h -> (forall w, m' w = m w) -> live h0 c A m' V rg f n h.
Proof.
  intros h0 c A m m' V rg f n h [LS LR LE LM LI LT LV LG LF LX] E. constructor; auto. exact (world_mem _ _ _ _ m' _ _ LS (fun p i _ _ => E (p * 512 + i))).
Qed.

Section Saved.
Variables (h0 : Machine.hw) (c : Z) (A : aset) (m : Z -> Z) (n : nat) (p : Z).
Hypothesis C : 0 <= c < 8.
Hypothesis P : Machine.in_ram h0 p = true.
Hypothesis N : ~ touch A p.
Notation V := (beside p m).
Notation LIVE M rg f := (live h0 c A (paged p M m) V rg f n).

Lemma live_word : forall M rg f h i x, LIVE M rg f h -> is_word i = true -> LIVE (Map.set M i x) rg f (store_word (p * 512 + i) x h).
Proof.
  intros M rg f h i x L I. pose proof (lv_settled _ _ _ _ _ _ _ _ _ L) as S. assert (IP : p * 512 <= p * 512 + i < p * 512 + 512) by (unfold is_word in I; lia).
  assert (W : world h A A (upd (paged p M m) (p * 512 + i) x) V (store_word (p * 512 + i) x h)) by (apply world_store; auto; intros _; now right).
  destruct (settled_of_world _ _ _ _ _ W) as [S' _]. eapply live_mem with (m := upd (paged p M m) (p * 512 + i) x).
  - destruct L. constructor; auto.
  - intro w. unfold paged, upd. rewrite Map.get_set. destruct (Z.eqb_spec w (p * 512 + i)) as [->|D].
    + replace ((p * 512 <=? p * 512 + i) && (p * 512 + i <? p * 512 + 512))%bool with true by lia. replace (p * 512 + i - p * 512 =? i) with true by lia. reflexivity.
    + destruct (_ && _)%bool; auto. now replace (w - p * 512 =? i) with false by lia.
Qed.
Lemma x_page_write : forall M rg f gl h i x (Q : unit -> MACH -> Prop), LIVE M rg f h -> is_word i = true ->
  (forall h', LIVE (Map.set M i x) rg f h' -> Q tt (Mach gl h')) -> wp (page_write p i x) Q (Mach gl h).
Proof.
  intros M rg f gl h i x Q L I H. change (wp (on_hw (Machine.page_write p i x)) Q (Mach gl h)). unfold Machine.page_write.
  eapply x_alone; [exact L|exact P|exact I|exact N|]. intros h' L'. cbn [fst snd]. apply H. now apply live_word.
Qed.

Lemma save_words_live : forall k M rg f h i r, LIVE M rg f h -> 0 <= i -> i + Z.of_nat k <= 512 -> 0 <= r -> r + Z.of_nat k <= 66 ->
  LIVE (fill (Z.of_nat k) i (fun j => Map.get f (r + j)) M) rg f (save_words k (p * 512 + i) (c * 128 + r) h).
Proof.
  induction k as [|k IH]; intros M rg f h i r L I1 I2 R1 R2; [exact L|]. cbn [save_words].
  assert (L1 : LIVE (Map.set M i (Map.get (fp h) (c * 128 + r))) rg f (store_word (p * 512 + i) (Map.get (fp h) (c * 128 + r)) h)).
  { apply live_word; auto. unfold is_word. lia. }
  rewrite (lv_fp _ _ _ _ _ _ _ _ _ L r) in * by lia.
  replace (p * 512 + i + 1) with (p * 512 + (i + 1)) by lia. replace (c * 128 + r + 1) with (c * 128 + (r + 1)) by lia.
  assert (L2 := IH _ rg f _ (i + 1) (r + 1) L1 ltac:(lia) ltac:(lia) ltac:(lia) ltac:(lia)).
  eapply live_mem; [exact L2|]. intro w. unfold paged. destruct (_ && _)%bool; auto. rewrite !get_fill, Map.get_set by lia. generalize (w - p * 512). intro j.
  clear - I1 R1. rewrite Nat2Z.inj_succ.
  destruct (Z.eqb_spec j i), (Z.leb_spec (i + 1) j), (Z.ltb_spec j (i + 1 + Z.of_nat k)), (Z.leb_spec i j), (Z.ltb_spec j (i + Z.succ (Z.of_nat k)));
    cbn [andb]; try lia; try reflexivity; f_equal; lia.
Qed.
Lemma x_fp_save : forall M rg f gl h i (Q : unit -> MACH -> Prop), LIVE M rg f h -> 0 <= i <= 446 ->
  (forall h', LIVE (fill 66 i (Map.get f) M) rg f h' -> Q tt (Mach gl h')) -> wp (fp_save p i) Q (Mach gl h).
Proof.
  intros M rg f gl h i Q L I H. change (wp (on_hw (Machine.fp_save p i)) Q (Mach gl h)). unfold Machine.fp_save.
  eapply x_inner; [exact L|exact P|unfold is_word; lia|].
  eapply x_alone; [exact L|exact P|unfold is_word; lia|exact N|]. intros h' L'. cbv beta. cbn [fst snd]. apply H.
  rewrite (lv_me _ _ _ _ _ _ _ _ _ L'). rewrite <- (Z.add_0_r (c * 128)).
  pose proof (save_words_live 66 M rg f h' i 0 L' ltac:(lia) ltac:(lia) ltac:(lia) ltac:(lia)) as L2. change (Z.of_nat 66) with 66 in L2.
  rewrite (fill_ext 66 i (fun j => Map.get f (0 + j)) (Map.get f)) in L2 by (try lia; intros; f_equal; lia). exact L2.
Qed.

Lemma zero_fp_live : forall k m' V' rg f h r, live h0 c A m' V' rg f n h -> 0 <= r -> r + Z.of_nat k <= 66 ->
  live h0 c A m' V' rg (fill (Z.of_nat k) r (fun _ => 0) f) n (zero_fp k (c * 128 + r) h).
Proof.
  induction k as [|k IH]; intros m' V' rg f h r L R1 R2; [exact L|]. cbn [zero_fp].
  assert (L1 : live h0 c A m' V' rg (Map.set f r 0) n (h <| fp ::= fun g => Map.set g (c * 128 + r) 0 |>)).
  { destruct (fp_settled A m' V' h (h <| fp ::= fun g => Map.set g (c * 128 + r) 0 |>) (lv_settled _ _ _ _ _ _ _ _ _ L)) as [S _]; [eexists; reflexivity|].
    destruct L. constructor; auto.
    - intros i I. transitivity (Map.get (Map.set (fp h) (c * 128 + r) 0) (c * 128 + i)); [reflexivity|]. rewrite !Map.get_set.
      replace (c * 128 + i =? c * 128 + r) with (i =? r) by lia. destruct (i =? r); auto.
    - intros w W. transitivity (Map.get (Map.set (fp h) (c * 128 + r) 0) w); [reflexivity|]. rewrite get_set_other by lia. auto. }
  replace (c * 128 + r + 1) with (c * 128 + (r + 1)) by lia. assert (L2 := IH _ _ rg _ _ (r + 1) L1 ltac:(lia) ltac:(lia)).
  destruct L2 as [LS LR LE LM LI LT LV LG LF LX]. constructor; auto. intros i I. rewrite LF by auto. rewrite !get_fill, Map.get_set by lia.
  clear - R1. rewrite Nat2Z.inj_succ.
  destruct (Z.eqb_spec i r), (Z.leb_spec (r + 1) i), (Z.ltb_spec i (r + 1 + Z.of_nat k)), (Z.leb_spec r i), (Z.ltb_spec i (r + Z.succ (Z.of_nat k)));
    cbn [andb]; try lia; reflexivity.
Qed.
Lemma x_fp_zero : forall m' V' rg f gl h (Q : unit -> MACH -> Prop), live h0 c A m' V' rg f n h ->
  (forall h', live h0 c A m' V' rg (Map.const 0) n h' -> Q tt (Mach gl h')) -> wp fp_zero Q (Mach gl h).
Proof.
  intros m' V' rg f gl h Q L H. change (wp (on_hw Machine.fp_zero) Q (Mach gl h)). unfold Machine.fp_zero. eapply x_does; [exact L|]. intros h' L'. apply H.
  rewrite (lv_me _ _ _ _ _ _ _ _ _ L'). rewrite <- (Z.add_0_r (c * 128)). pose proof (zero_fp_live 66 m' V' rg f h' 0 L' ltac:(lia) ltac:(lia)) as [LS LR LE LM LI LT LV LG LF LX]. constructor; auto.
  intros i I. rewrite LF by auto. rewrite get_fill by lia. change (Z.of_nat 66) with 66. replace ((0 <=? i) && (i <? 0 + 66))%bool with true by lia. now rewrite Map.get_const.
Qed.

Definition saved_words (rg f : Map.t Z) (x : Z -> Z) (M : Map.t Z) : Map.t Z :=
  fill 66 CTX_FP (Map.get f) (Map.set (fill CTX_ICH_COUNT CTX_ICH (fun r => Map.get rg (REG_ICH_VMCR_EL2 + r)) (fill REG_SWITCHED CTX_SYSREG (Map.get rg) (fill 31 CTX_X0 x M)))
    CTX_VDISR (Map.get rg REG_VDISR_EL2)).

Lemma save_general_wp : forall M rg f gl h (Q : unit -> MACH -> Prop), LIVE M rg f h ->
  (forall h', LIVE (fill 31 CTX_X0 (fun i => at1 cpus_x gl (c * 31 + i)) M) rg f h' -> Q tt (Mach gl h')) -> wp (save_general c p) Q (Mach gl h).
Proof.
  intros M rg f gl h Q L H. unfold save_general, CTX_X0 in *. set (x := fun i => at1 cpus_x gl (c * 31 + i)) in *. w_bind.
  apply wp_loop with (I := fun i _ s => exists h', LIVE (fill (2 * i) 0 x M) rg f h' /\ s = Mach gl h'); [lia|eauto| |].
  { intros i u s I (h1 & L1 & ->). rewrite !(wrap32 (2 * i)), !(wrap32 (0 + 2 * i)), (wrap32 (0 + 2 * i + 1)), (wrap32 (2 * i + 1)) by lia.
    w_bind. eapply x_load2; [reflexivity|lia|lia|]. w_bind. eapply x_load2; [reflexivity|lia|lia|]. cbn beta.
    w_bind. eapply x_page_write; [exact L1|unfold is_word; lia|]. intros h2 L2. cbn beta.
    w_bind. eapply x_page_write; [exact L2|unfold is_word; lia|]. intros h3 L3. cbn beta. apply wp_ret. exists h3. split; auto.
    replace (2 * (i + 1)) with (2 * i + 1 + 1) by lia. rewrite !fill_next by lia. exact L3. }
  intros u s (h1 & L1 & ->). cbn beta. w_bind. eapply x_load2; [reflexivity|lia|lia|]. cbn beta.
  w_bind. eapply x_page_write; [exact L1|reflexivity|]. intros h2 L2. cbn beta. apply wp_ret. apply H.
  change 31 with (30 + 1) at 1. rewrite fill_next by lia. exact L2.
Qed.

Lemma save_vcpu_wp : forall M rg f gl h (Q : unit -> MACH -> Prop), LIVE M rg f h ->
  (forall h', LIVE (saved_words rg f (fun i => at1 cpus_x gl (c * 31 + i)) M) rg (Map.const 0) h' -> Q tt (Mach gl h')) -> wp (save_vcpu c p) Q (Mach gl h).
Proof.
  intros M rg f gl h Q L H. unfold save_vcpu. w_bind. eapply save_general_wp; [exact L|]. clear L h. intros h L. cbn beta. unfold saved_words in H.
  set (M1 := fill 31 CTX_X0 _ M) in *. unfold CTX_SYSREG, CTX_ICH, CTX_ICH_COUNT, REG_SWITCHED, REG_ICH_VMCR_EL2, CTX_VDISR in *. w_bind.
  apply wp_loop with (I := fun i _ s => exists h', LIVE (fill i 32 (Map.get rg) M1) rg f h' /\ s = Mach gl h'); [lia|eauto| |].
  { intros i u s I (h1 & L1 & ->). rewrite wrap32 by lia. w_bind. eapply x_read; [exact L1|lia|]. intros h2 L2. cbn beta.
    w_bind. eapply x_page_write; [exact L2|unfold is_word; lia|]. intros h3 L3. apply wp_ret. exists h3. split; auto. rewrite fill_next by lia. exact L3. }
  intros u s (h1 & L1 & ->). cbn beta. w_bind. set (M2 := fill 28 32 _ M1) in *.
  apply wp_loop with (I := fun i _ s => exists h', LIVE (fill i 80 (fun r => Map.get rg (28 + r)) M2) rg f h' /\ s = Mach gl h'); [lia|eauto| |].
  { intros i u' s I (h2 & L2 & ->). rewrite !wrap32 by lia. w_bind. eapply x_read; [exact L2|lia|]. intros h3 L3. cbn beta.
    w_bind. eapply x_page_write; [exact L3|unfold is_word; lia|]. intros h4 L4. apply wp_ret. exists h4. split; auto. rewrite fill_next by lia. exact L4. }
  intros u' s (h2 & L2 & ->). cbn beta. w_bind. eapply x_read; [exact L2|unfold REG_VDISR_EL2; lia|]. intros h3 L3. cbn beta.
  w_bind. eapply x_page_write; [exact L3|reflexivity|]. intros h4 L4. cbn beta.
  w_bind. eapply x_fp_save; [exact L4|unfold CTX_FP; lia|]. intros h5 L5. cbn beta.
  w_bind. eapply x_fp_zero; [exact L5|]. intros h6 L6. cbn beta. apply wp_ret. apply H. exact L6.
Qed.
End Saved.

(** The host comes back. *)

Section Host.
Variables (h0 : Machine.hw) (c : Z) (A : aset) (m : Z -> Z) (V : Z -> Z -> Prop) (f : Map.t Z) (n : nat).
Hypothesis C : 0 <= c < 8.
Notation LIVE rg := (live h0 c A m V rg f n).

Lemma load_host_wp : forall rg gl h (Q : unit -> MACH -> Prop), LIVE rg h ->
  (forall h', LIVE (fill REG_SWITCHED 0 (fun r => at1 cpus_host_sysreg gl (c * REG_SWITCHED + r)) rg) h' ->
     Q tt (Mach (putn 31 cpus_x (c * 31) (fun i => at1 cpus_host_x gl (c * 31 + i)) gl) h')) -> wp (load_host c) Q (Mach gl h).
Proof.
  intros rg gl h Q L H. unfold load_host, REG_SWITCHED in *. w_bind.
  apply wp_loop with (I := fun i _ s => s = Mach (putn i cpus_x (c * 31) (fun i => at1 cpus_host_x gl (c * 31 + i)) gl) h); [lia|reflexivity| |].
  { intros i u s I ->. w_bind. eapply x_load2; [reflexivity|lia|lia|]. w_bind. eapply x_store2; [reflexivity|lia|lia|]. apply wp_ret.
    rewrite putn_other by discriminate. now rewrite putn_next by lia. }
  intros u s ->. cbn beta. w_bind. set (g1 := putn 31 _ _ _ gl) in *.
  apply wp_loop with (I := fun i _ s => exists h', LIVE (fill i 0 (fun r => at1 cpus_host_sysreg gl (c * 28 + r)) rg) h' /\ s = Mach g1 h'); [lia|eauto| |].
  { intros i u' s I (h1 & L1 & ->). w_bind. eapply x_load2; [reflexivity|lia|lia|]. cbn beta. unfold g1 at 1. rewrite putn_other by discriminate.
    w_bind. eapply x_write; [exact L1|lia|unfold REG_VTTBR_EL2; lia|]. intros h2 L2. apply wp_ret. exists h2. split; auto. rewrite fill_next by lia. exact L2. }
  intros u' s (h1 & L1 & ->). cbn beta. apply wp_ret. now apply H.
Qed.

Lemma controls_host_wp : forall rg gl h (Q : unit -> MACH -> Prop), LIVE rg h -> 0 <= at1 config_word gl MAN_TABLES < 2 ^ 36 ->
  A 0 0 0 (at1 config_word gl MAN_TABLES * 4096) ->
  (forall h', LIVE (Map.set (Map.set (Map.set (Map.set (Map.set (Map.set rg REG_HCR_EL2 HCR_HOST) REG_VTTBR_EL2 (at1 config_word gl MAN_TABLES * 4096))
      REG_VMPIDR_EL2 (Map.get rg REG_MPIDR_EL1)) REG_CNTVOFF_EL2 0) REG_CNTHCTL_EL2 CNTHCTL_HOST) REG_ICH_HCR_EL2 0) h' -> Q tt (Mach gl h')) ->
  wp controls_host Q (Mach gl h).
Proof.
  intros rg gl h Q L RT HA H. unfold controls_host. set (r := at1 config_word gl MAN_TABLES) in *.
  w_bind. eapply x_read; [exact L|unfold REG_MPIDR_EL1; lia|]. intros h1 L1. cbn beta. w_bind. eapply x_write; [exact L1|unfold REG_HCR_EL2; lia|discriminate|]. intros h2 L2. cbn beta.
  w_bind. eapply wp_load1; [reflexivity|unfold MAN_TABLES; lia|]. cbn beta. fold r. w_bind. eapply wp_known; [apply address_of_run; lia|]. cbn beta.
  w_bind. eapply x_vttbr; [exact L2| |].
  { replace (r * 4096 / 2 ^ 48) with 0 by lia. replace (r * 4096 mod 2 ^ 48) with (r * 4096) by lia. exact HA. }
  intros h3 L3. cbn beta. w_bind. eapply x_write; [exact L3|unfold REG_VMPIDR_EL2; lia|discriminate|]. intros h4 L4. cbn beta.
  w_bind. eapply x_write; [exact L4|unfold REG_CNTVOFF_EL2; lia|discriminate|]. intros h5 L5. cbn beta.
  w_bind. eapply x_write; [exact L5|unfold REG_CNTHCTL_EL2; lia|discriminate|]. intros h6 L6. cbn beta.
  w_bind. eapply x_write; [exact L6|unfold REG_ICH_HCR_EL2; lia|discriminate|]. intros h7 L7. cbn beta.
  w_bind. eapply x_isb; [exact L7|]. intros h8 L8. cbn beta. apply wp_ret. apply H. exact L8.
Qed.
End Host.
