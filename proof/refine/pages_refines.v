(* SPDX-License-Identifier: Apache-2.0 *)
(* pages_scrub and pages_map: pages that nobody reaches become zero; entries that lead to pages are written. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.stage2 nie.generated.state.pages.
From nie.spec Require Import Core.
From nie.proof.refine Require Export host_refines.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Lemma pages_scrub_wp : forall h0 c m h gl p count (Q : unit -> mach globals Machine.hw -> Prop),
  ram h0 = ram_of c -> wf c -> world h0 (Aset c) (Aset c) m (now m) h -> tables_hold c m -> 0 <= count <= 512 ->
  (forall q, given p count q -> in_ram c q = true /\ ~ touch (Aset c) q /\ ~ of_tables c q) ->
  (forall m' h', world h0 (Aset c) (Aset c) m' (now m') h' -> tables_hold c m' ->
     (forall q i, is_word i = true -> given p count q -> m' (q * 512 + i) = 0) ->
     (forall q i, is_word i = true -> ~ given p count q -> m' (q * 512 + i) = m (q * 512 + i)) -> Q tt (Mach gl h')) ->
  wp (pages_scrub p count) Q (Mach gl h).
Proof.
  intros h0 c m h gl p count Q RAM W X T C P H. unfold pages_scrub. w_bind.
  apply wp_loop with (I := fun n _ s => exists h m', s = Mach gl h /\ world h0 (Aset c) (Aset c) m' (now m') h /\
     (forall q i, is_word i = true -> given p n q -> m' (q * 512 + i) = 0) /\
     (forall q i, is_word i = true -> ~ given p n q -> m' (q * 512 + i) = m (q * 512 + i))); try lia.
  - exists h, m. split; [auto|]. split; [auto|]. unfold given. split; intros; [lia|auto].
  - intros n u s I (h1 & m1 & -> & X1 & Z1 & S1). destruct (P (p + n)) as (R & NT & _); [unfold given; lia|].
    pose proof (ram_small _ W _ R). rewrite wrap64 by lia. w_bind.
    eapply (wp_zero h0 c RAM); eauto. intros m2 h2 E2 X2 S2. cbn beta. w_bind.
    eapply (wp_clean h0 c RAM) with (q := p + n); eauto. intros h3 X3 _. cbn beta. go.
    exists h3, m2. split; [auto|]. split; [auto|].
    assert (E3 : forall q i, is_word i = true -> m2 (q * 512 + i) = if q =? p + n then 0 else m1 (q * 512 + i)).
    { intros q i J. rewrite E2. unfold is_word in J. destruct (Z.eqb_spec q (p + n)) as [->|N].
      - now replace (((p + n) * 512 <=? (p + n) * 512 + i) && ((p + n) * 512 + i <? (p + n) * 512 + 512)) with true by lia.
      - now replace (((p + n) * 512 <=? q * 512 + i) && (q * 512 + i <? (p + n) * 512 + 512)) with false by lia. }
    split; intros q i J Gq; rewrite E3 by auto; destruct (Z.eqb_spec q (p + n)); auto.
    + apply Z1; auto. unfold given in *. lia.
    + destruct Gq. unfold given. lia.
    + apply S1; auto. unfold given in *. lia.
  - intros u s (h1 & m1 & -> & X1 & Z1 & S1). go. apply (H m1 h1); auto.
    eapply tables_mem_of; eauto. intros q i OT I. apply S1; auto. intro Gq. now apply (P q Gq).
Qed.

(** Entries are written. From before the first store the bound is what the new map allows. *)

Lemma grow_linked : forall h0 c c' p n N m m' h, linked c p n N c' -> engine h0 = engine_of c ->
  world h0 (Aset c) (Aset c) m (now m) h -> (forall v l k, N v l k -> Machine.valid (enc (slot_at c v l k)) = false) ->
  tables_hold c' m' -> (forall p i, is_word i = true -> Machine.valid (m (p * 512 + i)) = true -> m' (p * 512 + i) = m (p * 512 + i)) ->
  world h0 (Aset c') (Aset c') m (now m') h.
Proof.
  intros h0 c c' p n N m m' h L ENG X E T S. pose proof (linked_wf L) as W'.
  eapply world_grow; eauto using linked_sub.
  - now intros v l k d H.
  - intros w d V D. unfold now in *. subst d. replace w with (w / 512 * 512 + w mod 512) in * by lia. apply S; auto. unfold is_word. lia.
  - now apply Aset_closed.
  - now apply Aset_closed.
  - now apply Aset_apart.
  - rewrite (f_engine _ _ (w_frame _ _ _ _ _ _ X)), ENG. apply Aset_safe; auto; cbn; rewrite (l_cfg L); lia.
  - intros q SQ (l & k & d & H & M). apply (w_secret _ _ _ _ _ _ X q SQ). exists l, k, d. split; auto. now apply (linked_host L).
Qed.

(* Writing [count] entries from [w] of table t on. *)
Definition filled (m : Z -> Z) (t w count : Z) (d : Z -> Z) : Z -> Z :=
  fun x => if (t * 512 + w <=? x) && (x <? t * 512 + w + count) then d (x - (t * 512 + w)) else m x.

Lemma filled_at : forall m t w count d q i, is_word i = true -> 0 <= w -> 0 <= count -> w + count <= 512 ->
  filled m t w count d (q * 512 + i) = if (q =? t) && (w <=? i) && (i <? w + count) then d (i - w) else m (q * 512 + i).
Proof.
  intros m t w count d q i I W C1 C2. unfold filled, is_word in *. destruct (Z.eqb_spec q t) as [->|N]; cbn [andb].
  - replace ((t * 512 + w <=? t * 512 + i) && (t * 512 + i <? t * 512 + w + count)) with ((w <=? i) && (i <? w + count)) by lia.
    destruct ((w <=? i) && (i <? w + count)); auto. f_equal. lia.
  - now replace ((t * 512 + w <=? q * 512 + i) && (q * 512 + i <? t * 512 + w + count)) with false by lia.
Qed.

Section Map.
Variables (c c' : state) (h0 : Machine.hw) (gl : globals) (N : Z -> Z -> Z -> Prop).
Variables (vm x p count t attributes : Z).
Hypothesis L : linked c p count N c'.
Hypothesis RAM : ram h0 = ram_of c.
Hypothesis ENG : engine h0 = engine_of c.
Hypothesis V : 0 <= vm < NIE_MAX_VMS.
Hypothesis G : at1 vms_root gl vm = root (vm_at c vm).
Hypothesis X : 0 <= x < 2 ^ 27.
Hypothesis C : 1 <= count /\ x mod 512 + count <= 512.
Hypothesis T : slot_at c vm 2 (x / 512) = ToTable t.
Hypothesis PS : 0 <= p /\ p + count <= 2 ^ 36.
Hypothesis HN : forall v l k, N v l k <-> v = vm /\ l = 3 /\ x <= k < x + count.
Hypothesis EMPTY : forall k, x <= k < x + count -> slot_at c vm 3 k = Empty.
Hypothesis ENC : forall i, 0 <= i < count -> Z.lor (Z.lor ((p + i) * 4096) attributes) DESC_PAGE = enc (slot_at c' vm 3 (x + i)).
(* New owners of the pages are not tables. *)
Hypothesis NT : forall q v l k, given p count q -> own c' q <> Table v l k.
Hypothesis NV : forall q v k, given p count q -> own c' q <> Vcpu v k.
Hypothesis O : onto c.

Definition descriptors (i : Z) : Z := enc (slot_at c' vm 3 (x + i)).
Notation W := (l_wf L).

Lemma map_table : in_ram c t = true /\ own c t = Table vm 3 (x / 512).
Proof. destruct (wf_tab _ W _ _ _ _ T) as (_ & R & E). auto. Qed.

Lemma map_tables : forall m, tables_hold c m -> tables_hold c' (filled m t (x mod 512) count descriptors).
Proof.
  intros m TH. destruct map_table as [RT OT].
  assert (F : forall q i, is_word i = true -> filled m t (x mod 512) count descriptors (q * 512 + i) =
    if (q =? t) && (x mod 512 <=? i) && (i <? x mod 512 + count) then enc (slot_at c' vm 3 (x / 512 * 512 + i)) else m (q * 512 + i)).
  { intros q i I. rewrite filled_at by (auto; lia). unfold descriptors. replace (x + (i - x mod 512)) with (x / 512 * 512 + i) by lia. reflexivity. }
  apply (linked_tables L m); auto.
  - intros q i v l k R E I [Gq|D]; [now destruct (NT q v l k Gq)|]. apply HN in D. destruct D as (-> & -> & K).
    assert (E' : own c q = Table vm 3 k).
    { destruct (given_dec p count q) as [Gq|Gq]; [now destruct (NT q vm 3 k Gq)|]. now rewrite <- (l_own L q Gq). }
    assert (K' : k = x / 512) by (unfold is_word in I; lia). subst k.
    assert (q = t).
    { destruct (on_table _ O _ _ _ _ R E') as [(? & _)|Q]; [lia|]. change (3 - 1) with 2 in Q. congruence. }
    subst q. rewrite F by auto. now replace ((t =? t) && (x mod 512 <=? i) && (i <? x mod 512 + count)) with true by lia.
  - intros q i R I. rewrite F by auto. destruct (Z.eqb_spec q t) as [->|]; auto. rewrite (wf_engine _ W) in OT by exact R. discriminate.
  - intros q i v l k R E I D. rewrite F by auto. destruct ((q =? t) && (x mod 512 <=? i) && (i <? x mod 512 + count)) eqn:B; auto.
    exfalso. apply D. apply HN. assert (q = t) by lia. subst q. rewrite OT in E. injection E as <- <- <-. lia.
  - intros q i v k R E I. rewrite F by auto. destruct (Z.eqb_spec q t) as [->|]; auto. congruence.
Qed.

Lemma map_same_valid : forall m, tables_hold c m -> forall q i, is_word i = true -> Machine.valid (m (q * 512 + i)) = true ->
  filled m t (x mod 512) count descriptors (q * 512 + i) = m (q * 512 + i).
Proof.
  intros m TH q i I E. destruct map_table as [RT OT]. rewrite filled_at by (auto; lia).
  destruct ((q =? t) && (x mod 512 <=? i) && (i <? x mod 512 + count)) eqn:B; auto. assert (q = t) by lia. subst q.
  rewrite (t_vm _ _ TH _ _ _ _ _ RT OT I), EMPTY in E by lia. discriminate.
Qed.

Lemma pages_map_wp : forall m h (Q : unit -> mach globals Machine.hw -> Prop),
  world h0 (Aset c) (Aset c) m (now m) h -> tables_hold c m -> vm_state (vm_at c vm) <> NIE_VM_FREE ->
  (forall h', let m' := filled m t (x mod 512) count descriptors in
     world h0 (Aset c') (Aset c') m' (now m') h' -> tables_hold c' m' -> Q tt (Mach gl h')) ->
  wp (pages_map vm x p count attributes) Q (Mach gl h).
Proof.
  intros m h Q X0 TH S H. destruct map_table as [RT OT]. cbn zeta in H. set (m' := filled m t (x mod 512) count descriptors) in *.
  destruct (wf_slot _ W vm 2 (x / 512)) as (_ & _ & _ & _ & _ & PT); [congruence|]. destruct PT as [t1 T1]; [lia|].
  change (2 - 1) with 1 in T1. replace (x / 512 / 512) with (x / 262144) in T1 by lia.
  unfold pages_map. w_bind. eapply (s2_walk_wp h0 c); eauto.
  { exact W. } { intros q v l k R E. apply (kept_untouched _ W); auto. now rewrite E. } { unfold LEVEL_PAGE. lia. }
  intros h1 X1. cbn beta. unfold walk_end, LEVEL_PAGE. change (3 =? 1) with false. change (3 =? 2) with false. cbn iota. rewrite T1, T.
  pose proof (map_tables m TH) as T'. fold m' in T'.
  assert (X2 : world h0 (Aset c') (Aset c') m (now m') h1).
  { eapply grow_linked; eauto; [|intros; now apply map_same_valid]. intros v l k D. apply HN in D. destruct D as (-> & -> & K).
    now rewrite EMPTY. }
  assert (RT' : in_ram c' t = true) by (now rewrite (l_ram L)).
  assert (RAM' : ram h0 = ram_of c') by (rewrite RAM; unfold ram_of; now rewrite (l_cfg L)).
  assert (NT' : ~ touch (Aset c') t).
  { apply (kept_untouched _ (linked_wf L)); auto. now rewrite (l_kept L _ _ OT). }
  assert (F : forall n q i, is_word i = true -> 0 <= n <= count -> filled m t (x mod 512) n descriptors (q * 512 + i) =
    if (q =? t) && (x mod 512 <=? i) && (i <? x mod 512 + n) then descriptors (i - x mod 512) else m (q * 512 + i)).
  { intros n q i I C'. apply filled_at; auto; lia. }
  w_bind.
  apply wp_loop with (I := fun n _ s => exists h, s = Mach gl h /\ world h0 (Aset c') (Aset c') (filled m t (x mod 512) n descriptors) (now m') h); try lia.
  - exists h1. split; auto. eapply world_mem; eauto. intros q i I NT1. rewrite F by (auto; lia).
    now destruct ((q =? t) && (x mod 512 <=? i) && (i <? x mod 512 + 0)) eqn:E; [lia|].
  - intros n u s I (h2 & -> & X3). rewrite (wrap64 (p + n)), (wrap32 n), wrap32 by lia. w_bind. w_known address_of_run; [lia|]. w_bind.
    assert (IW : is_word (x mod 512 + n) = true) by (unfold is_word; lia). rewrite ENC by lia. fold (descriptors n).
    eapply (wp_page_write h0 c' RAM'); eauto.
    + intros _. unfold now, m'. rewrite F by (auto; lia). replace ((t =? t) && (x mod 512 <=? x mod 512 + n) && (x mod 512 + n <? x mod 512 + count)) with true by lia.
      f_equal. lia.
    + rewrite F by (auto; lia). replace ((t =? t) && (x mod 512 <=? x mod 512 + n) && (x mod 512 + n <? x mod 512 + n)) with false by lia.
      intro VM. unfold now, m'. symmetry. symmetry. now apply map_same_valid.
    + intros h3 X4. cbn beta. go. exists h3. split; auto. eapply world_mem; eauto. intros q i J NT1. unfold upd.
      rewrite !F by (auto; lia). destruct (Z.eqb_spec (q * 512 + i) (t * 512 + (x mod 512 + n))) as [E|E].
      * apply word_inj in E as [-> ->]; auto. replace ((t =? t) && (x mod 512 <=? x mod 512 + n) && (x mod 512 + n <? x mod 512 + (n + 1))) with true by lia.
        f_equal. lia.
      * replace ((q =? t) && (x mod 512 <=? i) && (i <? x mod 512 + (n + 1))) with ((q =? t) && (x mod 512 <=? i) && (i <? x mod 512 + n)); auto.
        apply eq_true_iff_eq. destruct (Z.eqb_spec q t) as [->|]; cbn [andb]; [|tauto]. lia.
  - intros u s (h2 & -> & X3). w_bind. eapply wp_dsb_same; [exact X3|]. intros h3 X4. cbn beta. go. now apply (H h3).
Qed.
End Map.

(** One entry is written: a block, or a table that is in order already. *)

Section One.
Variables (c c' : state) (h0 : Machine.hw) (gl : globals) (vm l k p count t : Z).
Hypothesis L : linked c p count (one_entry vm l k) c'.
Hypothesis RAM : ram h0 = ram_of c.
Hypothesis ENG : engine h0 = engine_of c.
Hypothesis RT : in_ram c t = true.
Hypothesis OT : own c t = Table vm l (k / 512).
Hypothesis UNIQUE : forall q, in_ram c q = true -> own c q = Table vm l (k / 512) -> q = t.
Hypothesis EMPTY : slot_at c vm l k = Empty.
Hypothesis NT : forall q, given p count q -> own c' q <> Table vm l (k / 512).
Hypothesis NV : forall q v k, given p count q -> own c' q <> Vcpu v k.
Notation W := (l_wf L).
Notation word := (t * 512 + k mod 512).
Notation new := (enc (slot_at c' vm l k)).

Lemma one_word : is_word (k mod 512) = true.
Proof. unfold is_word. lia. Qed.

Lemma one_tables : forall m, tables_hold c m ->
  (forall q i v l k, is_word i = true -> given p count q -> own c' q = Table v l k -> m (q * 512 + i) = enc (slot_at c' v l (k * 512 + i))) ->
  tables_hold c' (upd m word new).
Proof.
  intros m TH Z0.
  assert (F : forall q i, is_word i = true -> q <> t \/ i <> k mod 512 -> upd m word new (q * 512 + i) = m (q * 512 + i)).
  { intros q i I N. unfold upd. destruct (Z.eqb_spec (q * 512 + i) word) as [E|E]; auto. apply word_inj in E as [-> ->]; auto using one_word. now destruct N. }
  assert (KT : ~ given p count t).
  { intro G. destruct (l_free L t G) as (_ & [E|E] & _); rewrite E in OT; discriminate. }
  apply (linked_tables L m); auto.
  - intros q i v l' k' R E I [G|(-> & -> & D)].
    + rewrite F by (auto; left; intros ->; auto). now apply Z0.
    + assert (K' : k' = k / 512 /\ i = k mod 512) by (unfold is_word in I; lia). destruct K' as [-> ->].
      assert (q = t).
      { destruct (given_dec p count q) as [G|G]; [now destruct (NT q G)|]. apply UNIQUE; auto. now rewrite <- (l_own L q G). }
      subst q. unfold upd. rewrite Z.eqb_refl. now replace (k / 512 * 512 + k mod 512) with k by lia.
  - intros q i R I. apply F; auto. left. intros ->. rewrite (wf_engine _ W) in OT by exact R. discriminate.
  - intros q i v l' k' R E I D. apply F; auto. destruct (Z.eq_dec q t) as [->|]; auto. right. intros ->. apply D.
    rewrite OT in E. injection E as <- <- <-. repeat split; auto. lia.
  - intros q i v j R E I. apply F; auto. left. intros ->. congruence.
Qed.

Lemma one_wp : forall m h (Q : unit -> mach globals Machine.hw -> Prop) d w,
  world h0 (Aset c) (Aset c) m (now m) h -> tables_hold c m ->
  (forall q i v l k, is_word i = true -> given p count q -> own c' q = Table v l k -> m (q * 512 + i) = enc (slot_at c' v l (k * 512 + i))) ->
  d = new -> w = k mod 512 ->
  (forall h', let m' := upd m word new in world h0 (Aset c') (Aset c') m' (now m') h' -> tables_hold c' m' -> Q tt (Mach gl h')) ->
  wp (page_write t w d ;;; dsb_ish ;;; ret tt) Q (Mach gl h).
Proof.
  intros m h Q d w X TH Z0 -> -> H. pose proof (one_tables m TH Z0) as T'. cbn zeta in H.
  assert (MW : m word = 0).
  { rewrite (t_vm _ _ TH _ _ _ _ _ RT OT one_word). replace (k / 512 * 512 + k mod 512) with k by lia. now rewrite EMPTY. }
  set (m' := upd m word new) in *.
  assert (X2 : world h0 (Aset c') (Aset c') m (now m') h).
  { eapply grow_linked; eauto.
    - intros v l' k' (-> & -> & ->). now rewrite EMPTY.
    - intros q i I VM. unfold m', upd. destruct (Z.eqb_spec (q * 512 + i) word) as [E|E]; auto. rewrite E, MW in VM. discriminate. }
  assert (RAM' : ram h0 = ram_of c') by (rewrite RAM; unfold ram_of; now rewrite (l_cfg L)).
  w_bind. eapply (wp_page_write h0 c' RAM'); eauto using one_word.
  - now rewrite (l_ram L).
  - apply (kept_untouched _ (linked_wf L)); [now rewrite (l_ram L)|]. now rewrite (l_kept L _ _ OT).
  - intros _. unfold now, m', upd. now rewrite Z.eqb_refl.
  - rewrite MW. discriminate.
  - fold m'. intros h3 X3. cbn beta. w_bind. eapply wp_dsb_same; [exact X3|]. intros h4 X4. cbn beta. go. now apply (H h4).
Qed.
End One.
