(* SPDX-License-Identifier: Apache-2.0 *)
(* C that leaves the map alone, exactly: what the registers of its CPU hold, which words of the engine's pages, and which
   input is next. The rules of primitives, forward. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.spec Require Import Core.
From nie.spec Require Switch.
From nie.proof.refine Require Export Quiet.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** Maps and globals that a loop fills. *)

Lemma fill_0 : forall to f m, Switch.fill 0 to f m = m.
Proof. reflexivity. Qed.
Lemma fill_next : forall i to f m, 0 <= i -> Switch.fill (i + 1) to f m = Map.set (Switch.fill i to f m) (to + i) (f i).
Proof.
  intros i to f m I. unfold Switch.fill. rewrite Z2Nat.inj_add by lia. rewrite Nat.add_1_r. cbn [Switch.fill_nat]. now rewrite Z2Nat.id by lia.
Qed.
Lemma get_fill : forall n to f m j, 0 <= n -> Map.get (Switch.fill n to f m) j = if (to <=? j) && (j <? to + n) then f (j - to) else Map.get m j.
Proof.
  intros n to f m j N. pattern n. apply natlike_ind; auto.
  - rewrite fill_0. now replace ((to <=? j) && (j <? to + 0))%bool with false by lia.
  - intros i I IH. replace (Z.succ i) with (i + 1) by lia. rewrite fill_next, Map.get_set, IH by auto. destruct (Z.eqb_spec j (to + i)) as [->|E].
    + replace ((to <=? to + i) && (to + i <? to + (i + 1)))%bool with true by lia. f_equal. lia.
    + replace ((to <=? j) && (j <? to + (i + 1)))%bool with ((to <=? j) && (j <? to + i))%bool by lia. reflexivity.
Qed.

Fixpoint putn_nat (n : nat) (g : gvar) (b : Z) (f : Z -> Z) (gl : globals) : globals :=
  match n with O => gl | S n' => put1 g (b + Z.of_nat n') (f (Z.of_nat n')) (putn_nat n' g b f gl) end.
Definition putn (n : Z) : gvar -> Z -> (Z -> Z) -> globals -> globals := putn_nat (Z.to_nat n).
Lemma putn_0 : forall g b f gl, putn 0 g b f gl = gl.
Proof. reflexivity. Qed.
Lemma putn_next : forall i g b f gl, 0 <= i -> putn (i + 1) g b f gl = put1 g (b + i) (f i) (putn i g b f gl).
Proof.
  intros i g b f gl I. unfold putn. rewrite Z2Nat.inj_add by lia. rewrite Nat.add_1_r. cbn [putn_nat]. now rewrite Z2Nat.id by lia.
Qed.
Lemma putn_field : forall n g b f gl g', g' <> g -> field g' (putn n g b f gl) = field g' gl.
Proof.
  intros n g b f gl g' N. unfold putn. induction (Z.to_nat n) as [|i IH]; cbn [putn_nat]; auto. unfold put1. rewrite field_set_other by congruence. exact IH.
Qed.
Lemma putn_other : forall n g b f gl g' j, g' <> g -> at1 g' (putn n g b f gl) j = at1 g' gl j.
Proof. intros. unfold at1. now rewrite putn_field. Qed.
Lemma at_putn : forall n g b f gl j, constant_table g = false -> 0 <= n ->
  at1 g (putn n g b f gl) j = if (b <=? j) && (j <? b + n) then f (j - b) else at1 g gl j.
Proof.
  intros n g b f gl j C N. pattern n. apply natlike_ind; auto.
  - rewrite putn_0. now replace ((b <=? j) && (j <? b + 0))%bool with false by lia.
  - intros i I IH. replace (Z.succ i) with (i + 1) by lia. rewrite putn_next, at_put, IH by auto. destruct (gvar_dec g g) as [_|]; [|congruence].
    destruct (Z.eqb_spec j (b + i)) as [->|E].
    + replace ((b <=? b + i) && (b + i <? b + (i + 1)))%bool with true by lia. f_equal. lia.
    + replace ((b <=? j) && (j <? b + (i + 1)))%bool with ((b <=? j) && (j <? b + i))%bool by lia. reflexivity.
Qed.

(** The machine between two primitives. *)

Lemma act_taken : forall a h, taken (act_step a h) = taken h.
Proof.
  intros a h. destruct a; cbn [act_step]; auto.
  - destruct (nth_error (tlb h) n); auto. now destruct (is_table _ _ && _ && _ && _)%bool.
  - destruct (nth_error (tlb h) n); auto. now destruct (is_leaf _ _ && _ && _ && _ && _ && _)%bool.
  - now destruct ((0 <=? c) && _ && _ && _)%bool.
Qed.
Lemma others_taken : forall h, taken (others h) = taken h.
Proof.
  intro h. unfold others. destruct (during h) as [|l rest]; [reflexivity|].
  assert (G : forall l h, taken (fold_left (fun h a => met (act_step a h)) l h) = taken h).
  { clear. induction l as [|a l IH]; intro h; cbn [fold_left]; auto. rewrite IH. change (taken (act_step a h) = taken h). apply act_taken. }
  rewrite G. reflexivity.
Qed.

Record live (h0 : Machine.hw) (c : Z) (A : aset) (m : Z -> Z) (V : Z -> Z -> Prop) (rg f : Map.t Z) (n : nat) (h : Machine.hw) : Prop := {
  lv_settled : settled A m V h;
  lv_ram : ram h = ram h0;
  lv_engine : engine h = engine h0;
  lv_me : me h = c;
  lv_inputs : inputs h = inputs h0;
  lv_taken : taken h = n;
  lv_vttbr : forall d, d <> c -> vttbr h d = vttbr h0 d;
  lv_reg : forall r, 0 <= r < 128 -> Map.get (reg h) (c * 128 + r) = Map.get rg r;
  lv_fp : forall i, 0 <= i < 66 -> Map.get (fp h) (c * 128 + i) = Map.get f i;
  lv_rest : forall w, ~ c * 128 <= w < c * 128 + 66 -> Map.get (fp h) w = Map.get (fp h0) w;
}.

Section Live.
Variables (h0 : Machine.hw) (c : Z) (A : aset) (m : Z -> Z) (V : Z -> Z -> Prop) (rg f : Map.t Z) (n : nat).
Notation LIVE := (live h0 c A m V rg f n).

(* What no part of it speaks of may change. *)
Lemma live_same : forall h h', LIVE h -> settled A m V h' -> ram h' = ram h -> engine h' = engine h -> me h' = me h -> inputs h' = inputs h ->
  taken h' = taken h -> reg h' = reg h -> fp h' = fp h -> LIVE h'.
Proof. intros h h' [] S. intros. constructor; try congruence; auto; intros; unfold vttbr in *; rewrite ?H4, ?H5; auto. Qed.

Lemma live_others : forall h, LIVE h -> LIVE (others h).
Proof.
  intros h L. pose proof (world_others _ _ _ _ _ _ (lv_settled _ _ _ _ _ _ _ _ _ L)) as W. destruct (settled_of_world _ _ _ _ _ W) as [S _].
  destruct (w_frame _ _ _ _ _ _ W). destruct L. constructor; auto; try congruence.
  - rewrite others_taken. auto.
  - intros d D. rewrite f_vttbr. auto.
  - intros r R. rewrite <- lv_me0, f_here, lv_me0 by auto. auto.
  - intros i I. rewrite f_fp. auto.
  - intros w W'. rewrite f_fp. auto.
Qed.

Variables (h : Machine.hw) (gl : globals).
Hypothesis L : LIVE h.
Notation POST X := (X -> mach globals Machine.hw -> Prop).

Lemma x_read : forall r (Q : POST Z), 0 <= r < 128 -> (forall h', LIVE h' -> Q (Map.get rg r) (Mach gl h')) -> wp (sysreg_read r) Q (Mach gl h).
Proof.
  intros r Q R H. unfold sysreg_read. apply wp_hw. unfold wp. cbn. pose proof (live_others h L) as L1.
  rewrite (lv_me _ _ _ _ _ _ _ _ _ L1), (lv_reg _ _ _ _ _ _ _ _ _ L1) by auto. auto.
Qed.

Lemma live_reg : forall h' r x, LIVE h' -> 0 <= r < 128 -> (forall d, root_vmid (h' <| reg ::= fun g => Map.set g (me h' * 128 + r) x |>) d = root_vmid h' d /\
    root_desc (h' <| reg ::= fun g => Map.set g (me h' * 128 + r) x |>) d = root_desc h' d \/ (d = c /\ r = REG_VTTBR_EL2 /\ A (x / 2 ^ 48) 0 0 (x mod 2 ^ 48))) ->
  live h0 c A m V (Map.set rg r x) f n (h' <| reg ::= fun g => Map.set g (me h' * 128 + r) x |>).
Proof.
  intros h' r x [] R E. assert (G : forall d r', 0 <= r' < 128 -> d <> c -> Map.get (Map.set (reg h') (me h' * 128 + r) x) (d * 128 + r') = Map.get (reg h') (d * 128 + r')).
  { intros d r' R' D. apply get_set_other. lia. }
  constructor; cbn; auto.
  - destruct lv_settled0. constructor; auto using frame_refl. intro d. destruct (E d) as [[E1 E2]|(-> & -> & HA)]; [rewrite E1, E2; auto|].
    unfold root_vmid, root_desc, vttbr. cbn. rewrite lv_me0. unfold REG_VTTBR_EL2, Machine.VTTBR_EL2. rewrite get_set_same. exact HA.
  - intros d D. rewrite <- lv_vttbr0 by auto. unfold vttbr. cbn. apply G; auto. unfold Machine.VTTBR_EL2. lia.
  - intros r' R'. rewrite lv_me0, !Map.get_set. replace (c * 128 + r' =? c * 128 + r) with (r' =? r) by lia. destruct (r' =? r); auto.
Qed.

Lemma x_write : forall r x (Q : POST unit), 0 <= r < 128 -> r <> REG_VTTBR_EL2 ->
  (forall h', live h0 c A m V (Map.set rg r x) f n h' -> Q tt (Mach gl h')) -> wp (sysreg_write r x) Q (Mach gl h).
Proof.
  intros r x Q R N H. unfold sysreg_write. apply wp_hw. unfold wp. cbn. apply H, live_reg; auto; [now apply live_others|].
  intro d. left. apply root_eq. unfold vttbr. cbn. apply get_set_other. unfold Machine.VTTBR_EL2, REG_VTTBR_EL2 in *. lia.
Qed.

(* Another table base: what the CPU walks then must be in the bound. *)
Lemma x_vttbr : forall x (Q : POST unit), A (x / 2 ^ 48) 0 0 (x mod 2 ^ 48) ->
  (forall h', live h0 c A m V (Map.set rg REG_VTTBR_EL2 x) f n h' -> Q tt (Mach gl h')) -> wp (sysreg_write REG_VTTBR_EL2 x) Q (Mach gl h).
Proof.
  intros x Q HA H. unfold sysreg_write. apply wp_hw. unfold wp. cbn. apply H, live_reg; [now apply live_others|unfold REG_VTTBR_EL2; lia|].
  intro d. destruct (Z.eq_dec d c) as [->|N]; [auto|left]. apply root_eq. unfold vttbr. cbn. apply get_set_other.
  rewrite (lv_me _ _ _ _ _ _ _ _ _ (live_others h L)). unfold Machine.VTTBR_EL2, REG_VTTBR_EL2 in *. lia.
Qed.

Lemma x_word : forall X p i (M : M Machine.hw X) (Q : X -> Machine.hw -> Prop), Machine.in_ram h0 p = true -> is_word i = true -> wp M Q h -> wp (word_of p i M) Q h.
Proof.
  intros X p i M Q P I H. unfold wp, word_of in *. replace (Machine.in_ram h p) with true by (unfold Machine.in_ram in *; now rewrite (lv_ram _ _ _ _ _ _ _ _ _ L)).
  rewrite I. exact H.
Qed.
Lemma x_inner : forall X p i (M : M Machine.hw X) (Q : POST X), Machine.in_ram h0 p = true -> is_word i = true ->
  wp (on_hw M) Q (Mach gl h) -> wp (on_hw (word_of p i M)) Q (Mach gl h).
Proof.
  intros X p i M Q P I H. apply wp_hw. apply x_word; auto. unfold wp, on_hw in H |- *. cbn [C_store.hw C_store.glob] in H. destruct (M h) as [[x h']|]; exact H.
Qed.
Lemma x_alone : forall X p i (F : Machine.hw -> X * Machine.hw) (Q : POST X), Machine.in_ram h0 p = true -> is_word i = true -> ~ touch A p ->
  (forall h', LIVE h' -> Q (fst (F h')) (Mach gl (snd (F h')))) -> wp (on_hw (word_of p i (alone p F))) Q (Mach gl h).
Proof.
  intros X p i F Q P I N H. apply wp_hw. apply x_word; auto. unfold wp, alone. pose proof (live_others h L) as L1. pose proof (lv_settled _ _ _ _ _ _ _ _ _ L1) as W.
  replace (held (others h) p) with false.
  2:{ symmetry. apply not_true_is_false. intro E. apply existsb_exists in E as (e & Ie & E). apply N. exists (vmid e), (level e), (key e), (desc e).
      split; [now apply (w_tlb _ _ _ _ _ _ W)|]. apply andb_prop in E as [E E3]. apply andb_prop in E as [E1 E2]. split; auto. lia. }
  assert (L2 : LIVE (oblige (free p) (others h))).
  { eapply live_same; [exact L1| |reflexivity..]. pose proof (world_oblige _ _ _ _ _ _ _ W N) as W2. now destruct (settled_of_world _ _ _ _ _ W2). }
  specialize (H _ L2). destruct (F (oblige (free p) (others h))). exact H.
Qed.

Lemma x_page_read : forall p i (Q : POST Z), Machine.in_ram h0 p = true -> is_word i = true -> ~ touch A p ->
  (forall h', LIVE h' -> Q (m (p * 512 + i)) (Mach gl h')) -> wp (page_read p i) Q (Mach gl h).
Proof.
  intros p i Q P I N H. change (wp (on_hw (Machine.page_read p i)) Q (Mach gl h)). unfold Machine.page_read. apply x_alone; auto. intros h' L'. cbn [fst snd].
  rewrite (w_mem _ _ _ _ _ _ (lv_settled _ _ _ _ _ _ _ _ _ L') p i I N). auto.
Qed.

Lemma x_does : forall F (Q : POST unit), (forall h', LIVE h' -> Q tt (Mach gl (F h'))) -> wp (on_hw (does F)) Q (Mach gl h).
Proof. intros F Q H. apply wp_hw. unfold wp. cbn. apply H. now apply live_others. Qed.
Lemma x_isb : forall (Q : POST unit), (forall h', LIVE h' -> Q tt (Mach gl h')) -> wp isb Q (Mach gl h).
Proof. intros Q H. change (wp (on_hw (does (fun x => x))) Q (Mach gl h)). now apply x_does. Qed.

Lemma x_tlbi_local : forall v (Q : POST unit), (forall h', LIVE h' -> Q tt (Mach gl h')) -> wp (tlbi_vmid_local v) Q (Mach gl h).
Proof.
  intros v Q H. change (wp (on_hw (Machine.tlbi_vmid_local v)) Q (Mach gl h)). unfold Machine.tlbi_vmid_local. apply x_does. intros h' L'. apply H.
  eapply live_same; [exact L'| |reflexivity..]. now apply settled_doom, L'.
Qed.

Lemma x_host_read : forall p i (Q : POST Z), Machine.in_ram h0 p = true -> is_word i = true ->
  (forall h', live h0 c A m V rg f (S n) h' -> Q (inputs h0 n) (Mach gl h')) -> wp (host_read p i) Q (Mach gl h).
Proof.
  intros p i Q P I H. unfold host_read. apply wp_hw. cbn. unfold Machine.host_read. apply x_word; auto. unfold wp, input. cbn zeta.
  pose proof (live_others h L) as []. rewrite lv_inputs0, lv_taken0. apply H. constructor; auto.
  - eapply settled_same; eauto. constructor; auto.
  - cbn. congruence.
Qed.
End Live.

(* Nothing is on its way: barriers change nothing that counts. *)
Section Still.
Variables (h0 : Machine.hw) (c : Z) (A : aset) (m : Z -> Z) (V : Z -> Z -> Prop) (rg f : Map.t Z) (n : nat) (h : Machine.hw) (gl : globals).
Hypothesis L : live h0 c A m V rg f n h.
Notation POST X := (X -> mach globals Machine.hw -> Prop).

Lemma x_complete : forall (Q : POST unit), (forall h', live h0 c A m (now m) rg f n h' -> Q tt (Mach gl h')) -> wp (on_hw (does complete)) Q (Mach gl h).
Proof.
  intros Q H. eapply x_does; [exact L|]. intros h' L'. apply H.
  assert (W : settled A m (now m) (complete h')).
  { pose proof (world_complete_same _ _ _ _ _ (lv_settled _ _ _ _ _ _ _ _ _ L')) as W. now destruct (settled_of_world _ _ _ _ _ W). }
  destruct L'. constructor; auto.
Qed.
Lemma x_dsb : forall (Q : POST unit), (forall h', live h0 c A m (now m) rg f n h' -> Q tt (Mach gl h')) -> wp dsb_ish Q (Mach gl h).
Proof. exact x_complete. Qed.
Lemma x_ic : forall (Q : POST unit), (forall h', live h0 c A m (now m) rg f n h' -> Q tt (Mach gl h')) -> wp ic_invalidate Q (Mach gl h).
Proof. exact x_complete. Qed.
End Still.

(** Vectors. *)

Lemma load_words_is : forall k w r h, exists g, load_words k w r h = h <| fp := g |> /\
  forall x, Map.get g x = if (r <=? x) && (x <? r + Z.of_nat k) then Map.get (Machine.mem h) (w + (x - r)) else Map.get (fp h) x.
Proof.
  induction k as [|k IH]; intros w r h; cbn [load_words].
  - exists (fp h). split; [now destruct h|]. intro x. destruct (Z.leb_spec r x), (Z.ltb_spec x (r + Z.of_nat 0)); cbn [andb]; auto; lia.
  - destruct (IH (w + 1) (r + 1) (h <| fp ::= fun g => Map.set g r (Map.get (Machine.mem h) w) |>)) as (g & -> & G). exists g. split; [reflexivity|].
    intro x. rewrite G. change (Machine.mem (h <| fp ::= fun g => Map.set g r (Map.get (Machine.mem h) w) |>)) with (Machine.mem h).
    change (fp (h <| fp ::= fun g => Map.set g r (Map.get (Machine.mem h) w) |>)) with (Map.set (fp h) r (Map.get (Machine.mem h) w)).
    clear G IH. rewrite Map.get_set, Nat2Z.inj_succ.
    destruct (Z.eqb_spec x r), (Z.leb_spec (r + 1) x), (Z.ltb_spec x (r + 1 + Z.of_nat k)), (Z.leb_spec r x), (Z.ltb_spec x (r + Z.succ (Z.of_nat k)));
      cbn [andb]; try lia; try reflexivity; f_equal; lia.
Qed.

Lemma x_fp_load : forall h0 c A m V rg f n h gl p i (Q : unit -> mach globals Machine.hw -> Prop), live h0 c A m V rg f n h ->
  Machine.in_ram h0 p = true -> 0 <= i <= 446 -> ~ touch A p ->
  (forall h', live h0 c A m V rg (Switch.fill 66 0 (fun j => m (p * 512 + (i + j))) (Map.const 0)) n h' -> Q tt (Mach gl h')) -> wp (fp_load p i) Q (Mach gl h).
Proof.
  intros h0 c A m V rg f n h gl p i Q L P I N H. change (wp (on_hw (Machine.fp_load p i)) Q (Mach gl h)). unfold Machine.fp_load.
  eapply x_inner; [exact L|exact P|unfold is_word; lia|].
  eapply x_alone; [exact L|exact P|unfold is_word; lia|exact N|]. intros h' L'. cbv beta. cbn [fst snd]. apply H.
  destruct (load_words_is 66 (p * 512 + i) (me h' * 128) h') as (g & -> & G). change (Z.of_nat 66) with 66 in G. destruct L'. rewrite lv_me0 in G. constructor; auto.
  - eapply settled_same; eauto. constructor; auto.
  - intros j J. rewrite get_fill by lia. change (Map.get g (c * 128 + j) = if (0 <=? j) && (j <? 0 + 66) then m (p * 512 + (i + (j - 0))) else Map.get (Map.const 0) j).
    rewrite G. replace ((c * 128 <=? c * 128 + j) && (c * 128 + j <? c * 128 + 66))%bool with true by lia. replace ((0 <=? j) && (j <? 0 + 66))%bool with true by lia.
    rewrite <- (w_mem _ _ _ _ _ _ lv_settled0 p (i + (j - 0))); auto; [f_equal; lia|unfold is_word; lia].
  - intros w W. change (Map.get g w = Map.get (fp h0) w). rewrite G. replace ((c * 128 <=? w) && (w <? c * 128 + 66))%bool with false by lia. auto.
Qed.

(** Elements of the arrays with two indices. *)

Lemma x_load2 : forall (H : Type) g d e i j gl (h : H) (Q : Z -> mach globals H -> Prop), dims g = [d; e] -> 0 <= i < d -> 0 <= j < e ->
  Q (at1 g gl (i * e + j)) (Mach gl h) -> wp (load g [i; j]) Q (Mach gl h).
Proof. intros H g d e i j gl h Q E I J X. eapply wp_known; [|exact X]. unfold load. rewrite E, place2 by auto. reflexivity. Qed.
Lemma x_store2 : forall (H : Type) g d e i j x gl (h : H) (Q : unit -> mach globals H -> Prop), dims g = [d; e] -> 0 <= i < d -> 0 <= j < e ->
  Q tt (Mach (put1 g (i * e + j) x gl) h) -> wp (store g [i; j] x) Q (Mach gl h).
Proof. intros H g d e i j x gl h Q E I J X. eapply wp_known; [|exact X]. unfold store. cbn [glob hw]. rewrite E, place2 by auto. reflexivity. Qed.

Lemma putn_ext : forall n g b f f' gl, 0 <= n -> (forall i, 0 <= i < n -> f i = f' i) -> putn n g b f gl = putn n g b f' gl.
Proof.
  intros n g b f f' gl N E. revert E. pattern n. apply natlike_ind; auto. intros i I IH E. replace (Z.succ i) with (i + 1) by lia.
  rewrite !putn_next, IH, E by (auto; intros; try apply E; lia). reflexivity.
Qed.
Lemma fill_ext : forall n to f f' m, 0 <= n -> (forall i, 0 <= i < n -> f i = f' i) -> Switch.fill n to f m = Switch.fill n to f' m.
Proof.
  intros n to f f' m N E. revert E. pattern n. apply natlike_ind; auto. intros i I IH E. replace (Z.succ i) with (i + 1) by lia.
  rewrite !fill_next, IH, E by (auto; intros; try apply E; lia). reflexivity.
Qed.

(** Global objects that a change of worlds leaves alone: all but the records of CPUs and vCPUs, and which and how many run. *)
Definition of_run (g : gvar) : bool := match g with
  | cpus_x | cpus_host_x | cpus_host_sysreg | cpus_in | cpus_vm | cpus_vcpu | vcpus_state | vcpus_cpu | vcpus_pending | vcpus_syndrome
  | vms_running | lasts_vcpu => true | _ => false end.
Definition only_run (gl gl' : globals) : Prop := forall g, of_run g = false -> field g gl' = field g gl.
Lemma or_refl : forall gl, only_run gl gl.
Proof. intros gl g _. reflexivity. Qed.
Lemma or_trans : forall x y z, only_run x y -> only_run y z -> only_run x z.
Proof. intros x y z H K g F. rewrite K, H; auto. Qed.
Lemma or_put : forall gl0 gl g k x, of_run g = true -> only_run gl0 gl -> only_run gl0 (put1 g k x gl).
Proof. intros gl0 gl g k x O H g' F. rewrite <- H by auto. apply field_set_other. congruence. Qed.
Lemma or_putn : forall gl0 gl n g b f, of_run g = true -> only_run gl0 gl -> only_run gl0 (putn n g b f gl).
Proof. intros gl0 gl n g b f O H g' F. rewrite <- H by auto. apply putn_field. congruence. Qed.
