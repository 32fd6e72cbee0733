(* SPDX-License-Identifier: Apache-2.0 *)
(* C that leaves the map alone: it reads and writes registers, run records and the words of [quiet_var] objects.
   For such C a triple with one invariant is enough: the machine stays in a world with the same bound. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.spec Require Import Core.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.

(** Hardware: a world that is its own frame. *)

Record steady (h h' : Machine.hw) : Prop := {
  s_ram : ram h' = ram h;
  s_engine : engine h' = engine h;
  s_me : me h' = me h;
  s_vttbr : forall c, vttbr h' c = vttbr h c;
  s_claims : claims h' = claims h;
}.
Lemma steady_refl : forall h, steady h h.
Proof. constructor; auto. Qed.
Lemma steady_trans : forall a b c, steady a b -> steady b c -> steady a c.
Proof. intros a b c [] []. constructor; congruence. Qed.
Lemma frame_refl : forall h, frame_of h h.
Proof. constructor; auto. Qed.
Lemma frame_steady : forall h h', frame_of h h' -> steady h h'.
Proof. intros h h' []. constructor; auto. Qed.

Definition settled (A : aset) (m : Z -> Z) (V : Z -> Z -> Prop) (h : Machine.hw) : Prop := world h A A m V h.

Lemma settled_of_world : forall h0 A m V h, world h0 A A m V h -> settled A m V h /\ steady h0 h.
Proof.
  intros h0 A m V h W. split; [|eapply frame_steady, w_frame; eauto]. destruct W. constructor; auto using frame_refl.
Qed.

(* What the bound speaks of is unchanged. *)
Lemma settled_same : forall A m V h h', settled A m V h -> Machine.mem h' = Machine.mem h -> unseen h' = unseen h -> tlb h' = tlb h ->
  secret h' = secret h -> ok h' = ok h -> steady h h' -> settled A m V h'.
Proof.
  intros A m V h h' W E1 E2 E3 E4 E5 []. destruct W. constructor; auto using frame_refl; rewrite ?E1, ?E3, ?E4, ?E5, ?s_engine0, ?s_claims0; auto.
  - intro c. destruct (root_eq h h' c (s_vttbr0 c)) as [-> ->]. auto.
  - intros p i d I N D S. apply w_vis; auto. rewrite <- S. symmetry. apply visible_eq; [now rewrite E1|auto].
Qed.

Lemma settled_others : forall A m V h, settled A m V h -> settled A m V (others h) /\ steady h (others h).
Proof. intros A m V h W. apply settled_of_world with (h0 := h). now apply world_others. Qed.

Lemma settled_widen : forall A m (V V' : Z -> Z -> Prop) h, settled A m V h -> closed A V' -> (forall w d, V w d -> V' w d) -> settled A m V' h.
Proof. intros A m V V' h W C S. destruct W. constructor; auto. Qed.

(* A TLBI of this or that, where nothing has to go. *)
Lemma settled_doom : forall A m V h which, settled A m V h -> settled A m V (doom which h) /\ steady h (doom which h).
Proof.
  intros A m V h which W. split; [|constructor; auto].
  assert (I : forall e, In e (tlb (doom which h)) -> exists e', In e' (tlb h) /\
    vmid e = vmid e' /\ level e = level e' /\ key e = key e' /\ desc e = desc e').
  { cbn. intros e I. apply in_map_iff in I as (e' & <- & I). exists e'. split; auto. now destruct (which e'). }
  destruct W. constructor; auto using frame_refl.
  - intros e H. destruct (I e H) as (e' & H' & -> & -> & -> & ->). auto.
  - intros e H _. destruct (I e H) as (e' & H' & -> & -> & -> & ->). auto.
Qed.

Lemma place2 : forall d e i j, 0 <= i < d -> 0 <= j < e -> place [d; e] [i; j] 0 = Some (i * e + j).
Proof.
  intros d e i j I J. cbn [place]. replace ((0 <=? i) && (i <? d)) with true by lia.
  replace ((0 <=? j) && (j <? e)) with true by lia. reflexivity.
Qed.
Lemma place1 : forall d i, 0 <= i < d -> place [d] [i] 0 = Some i.
Proof. intros d i I. cbn [place]. replace ((0 <=? i) && (i <? d)) with true by lia. reflexivity. Qed.

(** Global objects that no invariant speaks of: registers and inputs of this CPU, and where CPUs start. *)

Definition quiet_var (g : gvar) : bool := match g with
  | cpus_x | cpus_host_x | cpus_host_sysreg | cpus_in | cpus_entry | cpus_argument | cpus_started => true
  | _ => false end.
Definition own_word (cpu : Z) (g : gvar) (k : Z) : bool := match g with
  | cpus_x | cpus_host_x => k / 31 =? cpu
  | cpus_host_sysreg => k / 28 =? cpu
  | cpus_in => k / 10 =? cpu
  | cpus_entry | cpus_argument | cpus_started => true
  | _ => false end.
Record only_quiet (cpu : Z) (gl gl' : globals) : Prop := {
  oq_field : forall g, quiet_var g = false -> field g gl' = field g gl;
  oq_word : forall g k, own_word cpu g k = false -> at1 g gl' k = at1 g gl k;
}.
Lemma oq_refl : forall c gl, only_quiet c gl gl.
Proof. split; reflexivity. Qed.
Lemma oq_trans : forall c x y z, only_quiet c x y -> only_quiet c y z -> only_quiet c x z.
Proof. intros c x y z [A B] [A' B']. split; intros; [rewrite A', A|rewrite B', B]; auto. Qed.
Lemma oq_at : forall c gl gl' g i, only_quiet c gl gl' -> quiet_var g = false -> at1 g gl' i = at1 g gl i.
Proof. intros c gl gl' g i H S. unfold at1. now rewrite (oq_field _ _ _ H). Qed.
Lemma oq_put : forall c g k v gl, quiet_var g = true -> own_word c g k = true -> only_quiet c gl (put1 g k v gl).
Proof.
  intros c g k v gl S W. split.
  - intros g' N. apply field_set_other. intros ->. congruence.
  - intros g' j N. rewrite at_put by (destruct g; auto; discriminate). destruct (gvar_dec g' g) as [->|]; auto.
    destruct (Z.eqb_spec j k) as [->|]; auto. congruence.
Qed.

Section Keeps.
Variables (cpu : Z) (gl0 : globals) (hw0 : Machine.hw) (A : aset) (V : Z -> Z -> Prop) (fine : (Z -> Z) -> Prop).
Hypothesis FV : forall m, fine m -> forall w d, now m w d -> V w d.

Definition inv (s : mach globals Machine.hw) : Prop :=
  only_quiet cpu gl0 (glob s) /\ steady hw0 (hw s) /\ exists m, fine m /\ settled A m V (hw s).
Definition keeps {X} (c : M (mach globals Machine.hw) X) (P : X -> Prop) : Prop :=
  forall s, inv s -> wp c (fun r s' => inv s' /\ P r) s.
Definition any {X} (_ : X) : Prop := True.

Lemma k_weaken : forall X (c : M _ X) (P P' : X -> Prop), keeps c P -> (forall r, P r -> P' r) -> keeps c P'.
Proof. intros X c P P' H W s I. eapply wp_weaken; [now apply H|]. cbn. intros r s' [J Q]. auto. Qed.
Lemma k_any : forall X (c : M _ X) (P : X -> Prop), keeps c P -> keeps c any.
Proof. intros. eapply k_weaken; eauto. now intros. Qed.
Lemma k_ret : forall X (r : X) (P : X -> Prop), P r -> keeps (ret r) P.
Proof. intros X r P H s I. apply wp_ret. auto. Qed.
Lemma k_bind : forall X Y (c : M _ X) (f : X -> M _ Y) (P : X -> Prop) (Q : Y -> Prop),
  keeps c P -> (forall r, P r -> keeps (f r) Q) -> keeps (bind c f) Q.
Proof. intros X Y c f P Q H K s I. apply wp_bind. eapply wp_weaken; [now apply H|]. cbn. intros r s' [J R]. now apply K. Qed.
Lemma k_let : forall X Y (r : X) (f : X -> M _ Y) (Q : Y -> Prop), keeps (f r) Q -> keeps (bind (ret r) f) Q.
Proof. intros. eapply k_bind with (P := fun x => x = r); [now apply k_ret|]. now intros x ->. Qed.
Lemma k_index : forall n i (P : Z -> Prop), 0 <= i < n -> P i -> keeps (index n i) P.
Proof. intros n i P I H. unfold index. replace ((0 <=? i) && (i <? n)) with true by lia. now apply k_ret. Qed.

Lemma k_loop : forall X (I : X -> Prop) lo hi a (body : Z -> X -> M _ X), lo <= hi -> I a ->
  (forall i a, lo <= i < hi -> I a -> keeps (body i a) I) -> keeps (loop lo hi a body) I.
Proof.
  intros X I lo hi a body L H0 H s J. eapply wp_loop with (I := fun _ a s => inv s /\ I a); auto.
  intros i a' s' R [J' I']. eapply wp_weaken; [now apply H|]. auto.
Qed.
Lemma k_loop_ret : forall X R (I : X -> Prop) (P : R -> Prop) lo hi a (body : Z -> X -> M _ (outcome X R)), lo <= hi -> I a ->
  (forall i a, lo <= i < hi -> I a -> keeps (body i a) (fun o => match o with Next a' => I a' | Return r => P r end)) ->
  keeps (loop_ret lo hi a body) (fun o => match o with Next a' => I a' | Return r => P r end).
Proof.
  intros X R I P lo hi a body L H0 H s J.
  eapply wp_loop_ret with (I := fun _ a s => inv s /\ I a) (P := fun r s => inv s /\ P r); auto.
  intros i a' s' R' [J' I']. eapply wp_weaken; [now apply H|]. cbn. intros [x|r] s2; auto.
Qed.

Lemma k_load : forall g is k, place (dims g) is 0 = Some k ->
  keeps (load g is) (fun r => quiet_var g = false -> r = Map.get (field g gl0) k).
Proof.
  intros g is k E [gl h] I. eapply wp_known; [unfold load; rewrite E; reflexivity|]. split; auto.
  intro S. destruct I as [O _]. cbn [glob] in *. now rewrite (oq_field _ _ _ O).
Qed.
Lemma k_load1 : forall g d i, dims g = [d] -> 0 <= i < d -> keeps (load g [i]) (fun r => quiet_var g = false -> r = at1 g gl0 i).
Proof. intros g d i E I. apply (k_load g [i] i). rewrite E. now apply place1. Qed.
Lemma k_load2 : forall g d e i j, dims g = [d; e] -> 0 <= i < d -> 0 <= j < e -> keeps (load g [i; j]) any.
Proof. intros g d e i j E I J. eapply k_any, k_load. rewrite E. now apply place2. Qed.

Lemma k_store : forall g is k v, place (dims g) is 0 = Some k -> quiet_var g = true -> own_word cpu g k = true -> keeps (store g is v) any.
Proof.
  intros g is k v E S W [gl h] (O & T & M). eapply wp_known; [unfold store; rewrite E; reflexivity|]. split; [|exact Logic.I].
  cbn [glob hw] in *. split; [|split; auto]. eapply oq_trans; [exact O|]. now apply oq_put.
Qed.
Lemma k_store1 : forall g d i v, dims g = [d] -> 0 <= i < d -> quiet_var g = true -> own_word cpu g i = true -> keeps (store g [i] v) any.
Proof. intros g d i v E I S W. eapply k_store; eauto. rewrite E. now apply place1. Qed.
Lemma k_store2 : forall g d e j v, dims g = [d; e] -> 0 <= cpu < d -> 0 <= j < e -> quiet_var g = true ->
  match g with cpus_x | cpus_host_x => 31 | cpus_host_sysreg => 28 | cpus_in => 10 | _ => 0 end = e -> keeps (store g [cpu; j] v) any.
Proof.
  intros g d e j v E I J S W. eapply k_store; eauto; [rewrite E; now apply place2|].
  assert (D : (cpu * e + j) / e = cpu) by (rewrite Z.add_comm, Z.div_add, Z.div_small; lia).
  destruct g; try discriminate S; subst e; cbn [own_word]; try (rewrite D; lia); try lia; auto.
Qed.

(** Primitives. *)

Lemma k_hw : forall X (p : M Machine.hw X) (P : X -> Prop),
  (forall m h, fine m -> settled A m V h -> steady hw0 h ->
    match p h with Some (r, h') => (exists m', fine m' /\ settled A m' V h') /\ steady hw0 h' /\ P r | None => False end) ->
  keeps (on_hw p) P.
Proof.
  intros X p P H [gl h] (O & T & m & F & W). unfold wp, on_hw. cbn in *. specialize (H m h F W T).
  destruct (p h) as [[r h']|]; auto. destruct H as (E & S & R). split; auto. split; auto.
Qed.

Lemma k_does : forall f, (forall m h, fine m -> settled A m V h -> (exists m', fine m' /\ settled A m' V (f h)) /\ steady h (f h)) ->
  keeps (on_hw (does f)) any.
Proof.
  intros f H. apply k_hw. intros m h F W T. cbn. destruct (settled_others _ _ _ _ W) as [W1 S1].
  destruct (H _ _ F W1) as [W2 S2]. split; auto. split; [|exact Logic.I]. eauto using steady_trans.
Qed.

Lemma k_complete : forall m h, fine m -> settled A m V h -> (exists m', fine m' /\ settled A m' V (complete h)) /\ steady h (complete h).
Proof.
  intros m h F W. destruct (settled_of_world _ _ _ _ _ (world_complete_same _ _ _ _ _ W)) as [W' S]. split; auto.
  exists m. split; auto. eapply settled_widen; eauto. apply W.
Qed.

Lemma k_sysreg_read : forall r, keeps (sysreg_read r) any.
Proof.
  intro r. apply k_hw. intros m h F W T. cbn. destruct (settled_others _ _ _ _ W) as [W1 S1].
  split; eauto. split; [eauto using steady_trans|exact Logic.I].
Qed.

Lemma put_reg_steady : forall h r v, 0 <= r < 128 -> r <> Machine.VTTBR_EL2 ->
  steady h (h <| reg ::= fun m => Map.set m (me h * 128 + r) v |>).
Proof.
  intros h r v R N. constructor; auto. intro c. unfold vttbr. cbn. apply get_set_other. unfold Machine.VTTBR_EL2 in *. lia.
Qed.

Lemma k_sysreg_write : forall r v, 0 <= r < 128 -> r <> REG_VTTBR_EL2 -> keeps (sysreg_write r v) any.
Proof.
  intros r v R N. apply k_does. intros m h F W. pose proof (put_reg_steady h r v R N) as S. split; auto.
  exists m. split; auto. eapply settled_same; eauto.
Qed.

Lemma k_input : forall (P : Z -> Prop), (forall r, P r) -> keeps (on_hw input) P.
Proof.
  intros P H. apply k_hw. intros m h F W T. cbn. destruct (settled_others _ _ _ _ W) as [W1 S1].
  assert (S2 : steady (others h) (others h <| taken ::= S |>)) by (constructor; auto).
  split; [exists m; split; auto; eapply settled_same; eauto|]. split; eauto using steady_trans.
Qed.

Lemma k_counter : keeps counter_read any.
Proof. now apply k_input. Qed.
Lemma k_gicr_read : forall a b c, keeps (gicr_read a b c) any.
Proof. intros. now apply k_input. Qed.
Lemma k_firmware : forall a b c d, keeps (firmware_call a b c d) any.
Proof. intros. now apply k_input. Qed.
Lemma k_firmware_on : forall a, keeps (firmware_cpu_on a) any.
Proof. intros. now apply k_input. Qed.

Lemma k_nothing : keeps (on_hw (does (fun h => h))) any.
Proof. apply k_does. intros m h F W. split; eauto using steady_refl. Qed.
Lemma k_gicr_write : forall a b c, keeps (gicr_write a b c) any.
Proof. intros. apply k_nothing. Qed.
Lemma k_isb : keeps isb any.
Proof. apply k_nothing. Qed.
Lemma k_lock : keeps engine_lock any.
Proof. apply k_nothing. Qed.
Lemma k_unlock : keeps engine_unlock any.
Proof. apply k_nothing. Qed.
Lemma k_dsb : keeps dsb_ish any.
Proof. apply k_does, k_complete. Qed.
Lemma k_ic : keeps ic_invalidate any.
Proof. apply k_does, k_complete. Qed.

Lemma k_tlbi : forall v, keeps (tlbi_vmid v) any.
Proof. intro v. apply k_does. intros m h F W. edestruct settled_doom; eauto. Qed.
Lemma k_tlbi_local : forall v, keeps (tlbi_vmid_local v) any.
Proof. intro v. apply k_does. intros m h F W. edestruct settled_doom; eauto. Qed.

Lemma fp_settled : forall A m V h h', settled A m V h -> (exists f, h' = h <| fp := f |>) -> settled A m V h' /\ steady h h'.
Proof. intros A' m V' h h' W (f & ->). assert (S : steady h (h <| fp := f |>)) by (constructor; auto). split; auto. eapply settled_same; eauto. Qed.
Lemma zero_fp_only : forall n r h, exists f, zero_fp n r h = h <| fp := f |>.
Proof.
  induction n as [|n IH]; intros r h; cbn [zero_fp]; [exists (fp h); now destruct h|].
  destruct (IH (r + 1) (h <| fp ::= fun f => Map.set f r 0 |>)) as (f & ->). exists f. reflexivity.
Qed.
Lemma load_words_only : forall n w r h, exists f, load_words n w r h = h <| fp := f |>.
Proof.
  induction n as [|n IH]; intros w r h; cbn [load_words]; [exists (fp h); now destruct h|].
  destruct (IH (w + 1) (r + 1) (h <| fp ::= fun f => Map.set f r (Map.get (Machine.mem h) w) |>)) as (f & ->). exists f. reflexivity.
Qed.
Lemma k_fp_zero : keeps fp_zero any.
Proof. apply k_does. intros m h F W. destruct (fp_settled A m V h _ W (zero_fp_only 66 (me h * 128) h)). eauto. Qed.

(* Pages that the engine alone reaches. *)
Lemma k_alone : forall X p i (f : Machine.hw -> X * Machine.hw) (P : X -> Prop),
  Machine.in_ram hw0 p = true -> is_word i = true -> ~ touch A p ->
  (forall m h, fine m -> settled A m V h -> (exists m', fine m' /\ settled A m' V (snd (f h))) /\ steady h (snd (f h)) /\ P (fst (f h))) ->
  keeps (on_hw (word_of p i (alone p f))) P.
Proof.
  intros X p i f P R I N H. apply k_hw. intros m h F W T. unfold word_of, alone.
  replace (Machine.in_ram h p) with true by (unfold Machine.in_ram in *; now rewrite (s_ram _ _ T)). rewrite I. cbn [andb].
  destruct (settled_others _ _ _ _ W) as [W1 S1].
  assert (D : held (others h) p = false).
  { apply not_true_is_false. unfold held. intro E. apply existsb_exists in E as (e & J & E).
    apply N. exists (vmid e), (level e), (key e), (desc e). split; [now apply (w_tlb _ _ _ _ _ _ W1)|].
    apply andb_prop in E as [E E3]. apply andb_prop in E as [E1 E2]. split; auto. lia. }
  rewrite D. assert (W2 : settled A m V (oblige (free p) (others h)) /\ steady (others h) (oblige (free p) (others h))).
  { apply settled_of_world. apply world_oblige; auto. }
  destruct W2 as [W2 S2]. destruct (H _ _ F W2) as (W3 & S3 & Q). destruct (f (oblige (free p) (others h))) as [r h'].
  cbn in *. split; auto. split; eauto using steady_trans.
Qed.

Lemma k_page_read : forall p i, Machine.in_ram hw0 p = true -> is_word i = true -> ~ touch A p -> keeps (page_read p i) any.
Proof. intros p i R I N. apply k_alone; auto. intros m h F W. cbn. split; eauto. split; [apply steady_refl|exact Logic.I]. Qed.
(* A check that is met. *)
Lemma k_inner : forall X p i (M : M Machine.hw X) Q, Machine.in_ram hw0 p = true -> is_word i = true -> keeps (on_hw M) Q -> keeps (on_hw (word_of p i M)) Q.
Proof.
  intros X p i M Q R I K s J. specialize (K s J). unfold wp, on_hw, word_of in *.
  destruct J as (_ & T & _). replace (Machine.in_ram (hw s) p) with true by (unfold Machine.in_ram in *; now rewrite (s_ram _ _ T)). rewrite I. exact K.
Qed.
Lemma k_fp_load : forall p i, Machine.in_ram hw0 p = true -> 0 <= i <= 446 -> ~ touch A p -> keeps (fp_load p i) any.
Proof.
  intros p i R I N. apply k_inner; [exact R|unfold is_word; lia|]. apply k_alone; auto; [unfold is_word; lia|]. intros m h F W. cbn [fst snd].
  destruct (fp_settled A m V h _ W (load_words_only 66 (p * 512 + i) (me h * 128) h)). split; eauto. split; [auto|exact Logic.I].
Qed.

(* Words of an engine page that no walker uses: [V] allows any value there. *)
Definition free_page (p : Z) : Prop := forall i, is_word i = true ->
  (forall d, V (p * 512 + i) d) /\ forall m v, fine m -> fine (upd m (p * 512 + i) v).
Lemma store_settled : forall m h p i v, fine m -> settled A m V h -> is_word i = true -> ~ touch A p -> free_page p ->
  (exists m', fine m' /\ settled A m' V (store_word (p * 512 + i) v h)) /\ steady h (store_word (p * 512 + i) v h).
Proof.
  intros m h p i v F W I N FP. destruct (FP i I) as [D U].
  destruct (settled_of_world h A (upd m (p * 512 + i) v) V (store_word (p * 512 + i) v h)) as [W' S]; [|eauto].
  apply world_store; auto.
Qed.
Lemma k_page_write : forall p i v, Machine.in_ram hw0 p = true -> is_word i = true -> ~ touch A p -> free_page p -> keeps (page_write p i v) any.
Proof.
  intros p i v R I N FP. apply k_alone; auto. intros m h F W. cbn [fst snd].
  destruct (store_settled m h p i v F W I N FP). split; auto. split; [auto|exact Logic.I].
Qed.
Lemma save_words_settled : forall n p i r m h, fine m -> settled A m V h -> 0 <= i -> i + Z.of_nat n <= 512 -> ~ touch A p -> free_page p ->
  (exists m', fine m' /\ settled A m' V (save_words n (p * 512 + i) r h)) /\ steady h (save_words n (p * 512 + i) r h).
Proof.
  induction n as [|n IH]; intros p i r m h F W I1 I2 N FP; cbn [save_words]; [eauto using steady_refl|].
  destruct (store_settled m h p i (Map.get (fp h) r) F W) as [(m' & F' & W') S]; auto; [unfold is_word; lia|].
  replace (p * 512 + i + 1) with (p * 512 + (i + 1)) by lia.
  destruct (IH p (i + 1) (r + 1) m' _ F' W') as [E S']; auto; try lia. split; eauto using steady_trans.
Qed.
Lemma zero_words_settled : forall n p i m h, fine m -> settled A m V h -> 0 <= i -> i + Z.of_nat n <= 512 -> ~ touch A p -> free_page p ->
  (exists m', fine m' /\ settled A m' V (zero_words n (p * 512 + i) h)) /\ steady h (zero_words n (p * 512 + i) h).
Proof.
  induction n as [|n IH]; intros p i m h F W I1 I2 N FP; cbn [zero_words]; [eauto using steady_refl|].
  destruct (store_settled m h p i 0 F W) as [(m' & F' & W') S]; auto; [unfold is_word; lia|].
  replace (p * 512 + i + 1) with (p * 512 + (i + 1)) by lia.
  destruct (IH p (i + 1) m' _ F' W') as [E S']; auto; try lia. split; eauto using steady_trans.
Qed.
Lemma k_page_zero : forall p, Machine.in_ram hw0 p = true -> ~ touch A p -> free_page p -> keeps (page_zero p) any.
Proof.
  intros p R N FP. apply k_alone; auto. intros m h F W. cbn [fst snd].
  destruct (zero_words_settled 512 p 0 m h F W) as [(m' & F' & W') S]; auto; try lia. rewrite Z.add_0_r in *.
  revert W' S. generalize (zero_words 512 (p * 512) h). intros z W' S.
  destruct (settled_of_world z A m' V (scrub p z)) as [W2 S2]; [now apply world_scrub|].
  split; [eauto|]. split; [eauto using steady_trans|exact Logic.I].
Qed.
Lemma k_fp_save : forall p i, Machine.in_ram hw0 p = true -> 0 <= i <= 446 -> ~ touch A p -> free_page p -> keeps (fp_save p i) any.
Proof.
  intros p i R I N FP. apply k_inner; [exact R|unfold is_word; lia|]. apply k_alone; auto; [unfold is_word; lia|]. intros m h F W. cbn [fst snd].
  destruct (save_words_settled 66 p i (me h * 128) m h F W) as [E S]; auto; try lia. split; auto. split; [auto|exact Logic.I].
Qed.

(* Pages that the host reaches. *)
Lemma k_host_read : forall p i, Machine.in_ram hw0 p = true -> is_word i = true -> keeps (host_read p i) any.
Proof.
  intros p i R I s J. unfold host_read. cbn. pose proof (k_input any (fun _ => Logic.I) s J) as H. unfold wp, on_hw in *. unfold Machine.host_read, word_of.
  destruct J as (_ & T & _). replace (Machine.in_ram (hw s) p) with true by (unfold Machine.in_ram in *; now rewrite (s_ram _ _ T)).
  rewrite I. cbn [andb]. exact H.
Qed.

Lemma host_store_settled : forall m h p i v, settled A m V h -> is_word i = true -> hosts A p ->
  settled A m V (told_word p i v h) /\ steady h (told_word p i v h).
Proof.
  intros m h p i v W I HO. split; [|constructor; auto]. pose proof (hosts_unclaimed _ _ _ _ _ _ _ W HO) as NC. assert (T : touch A p) by (destruct HO as (l & k & d & H & M); exists 0, l, k, d; auto).
  assert (U : forall q j, is_word j = true -> ~ touch A q -> q * 512 + j =? p * 512 + i = false).
  { intros q j J N. apply Z.eqb_neq. intro E. apply word_inj in E as [-> _]; auto. }
  destruct W. constructor; auto using frame_refl; cbn.
  - intros q j J N. rewrite Map.get_set, U; auto.
  - intros q j d J N D S. apply w_vis; auto. pose proof (U q j J N) as E. unfold visible in *. cbn in S.
    rewrite Map.get_set, E, (Z.eqb_sym (p * 512 + i)), E in S. exact S.
  - split; [exact w_ok|]. split; [intro S; now apply (w_secret p S)|exact NC].
Qed.
Lemma k_host_write : forall p i v, Machine.in_ram hw0 p = true -> is_word i = true -> hosts A p -> keeps (host_write p i v) any.
Proof.
  intros p i v R I T s J. pose proof (k_does (told_word p i v)) as H.
  assert (K : keeps (on_hw (does (told_word p i v))) any).
  { apply H. intros m h F W. destruct (host_store_settled m h p i v W I T). eauto. }
  specialize (K s J). unfold host_write. cbn. unfold wp, on_hw in *. unfold Machine.host_write, word_of.
  destruct J as (_ & T' & _). replace (Machine.in_ram (hw s) p) with true by (unfold Machine.in_ram in *; now rewrite (s_ram _ _ T')).
  rewrite I. cbn [andb]. exact K.
Qed.
End Keeps.
