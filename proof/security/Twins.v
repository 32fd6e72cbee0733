(* SPDX-License-Identifier: Apache-2.0 *)
(* Two whole machines between handlers that differ in what a VM keeps to itself: nobody else can tell them apart, and what
   software does on any CPU keeps them so. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.proof.security Require Import Alike core_is_safe.
From nie.model Require Import Machine.
From nie.spec Require Import Core Step Isolation.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

Section Twins.
Variable w : who.
Hypothesis V : vmid_of w <> 0.

(* A page that the victim reaches in the lower half of its IPA space, by the map. *)
Definition low (a : state) (p : Z) : Prop := exists l k d, Aset a (vmid_of w) l k d /\ maps l d p /\ ~ upper l k.

(* Memory differs on pages of [T], which are the victim's; registers, the vectors among them, on CPUs of [Cs], which run it. LESS than
   the goal: what the victim's saved contexts hold does not differ. *)
Record twins (T Cs : Z -> Prop) (a b : state) (s1 s2 : Step.machine) : Prop := {
  tw_glob : glob s2 = glob s1;
  tw_off : off s2 = off s1;
  tw_hw : Alike.alike T Cs (hw s1) (hw s2);
  tw_gpr : forall c r, 0 <= r < 31 -> ~ Cs c -> x s2 c r = x s1 c r;
  tw_good1 : good a s1;
  tw_good2 : good b s2;
  tw_low : forall p, T p -> low a p /\ low b p;
  tw_runs : forall c, Cs c -> root_vmid (hw s1) c = vmid_of w;
}.

Lemma twins_vttbr : forall T Cs a b s1 s2 c, twins T Cs a b s1 s2 -> vttbr (hw s2) c = vttbr (hw s1) c.
Proof. intros T Cs a b s1 s2 c TW. apply (Alike.al_reg _ _ _ _ (tw_hw _ _ _ _ _ _ TW)); unfold VTTBR_EL2, REG_EL2; lia. Qed.
Lemma twins_root : forall T Cs a b s1 s2 c, twins T Cs a b s1 s2 -> root_vmid (hw s2) c = root_vmid (hw s1) c.
Proof. intros. unfold root_vmid. now erewrite twins_vttbr by eauto. Qed.

(* A machine between handlers: a walk finds in a table what memory holds, and nobody reaches the table. *)
Lemma table_apart : forall a s v l k d, good a s -> Aset a v l k d -> is_table l d = true -> ~ touch (Aset a) (frame d).
Proof. intros a s v l k d G A TB. destruct (go_hw _ _ G) as (m & W & _). exact (w_apart _ _ _ _ _ _ W v l k d A TB). Qed.
Lemma table_word : forall a s v l k d i d', good a s -> Aset a v l k d -> is_table l d = true -> is_word i = true -> valid d' = true ->
  visible (hw s) (frame d * 512 + i) d' = true -> Map.get (Machine.mem (hw s)) (frame d * 512 + i) = d'.
Proof.
  intros a s v l k d i d' G A TB W VD VI. pose proof (table_apart _ _ _ _ _ _ G A TB) as N. destruct (go_hw _ _ G) as (m & WO & _).
  rewrite (w_mem _ _ _ _ _ _ WO _ _ W N). exact (w_vis _ _ _ _ _ _ WO _ _ _ W N VD VI).
Qed.
Lemma avail_map : forall a s v l k d, good a s -> avail (hw s) v l k d -> Aset a v l k d.
Proof. intros a s v l k d G H. destruct (go_hw _ _ G) as (m & WO & _). exact (avail_sub _ _ _ _ _ _ _ _ _ _ WO H). Qed.

Lemma low_touch : forall a p, low a p -> touch (Aset a) p.
Proof. intros a p (l & k & d & A & M & _). exists (vmid_of w), l, k, d. auto. Qed.
(* Nobody but the victim reaches such a page. *)
Lemma low_alone : forall a s u p, good a s -> low a p -> reached (hw s) u p -> u = vmid_of w.
Proof.
  intros a s u p G (l & k & d & A & M & U) (l' & k' & d' & H & M'). apply (avail_map _ _ _ _ _ _ G) in H. destruct (go_hw _ _ G) as (m & WO & _).
  destruct (Z.eq_dec u (vmid_of w)) as [E|N]; auto. destruct (w_safe _ _ _ _ _ _ WO) as [S _].
  destruct (S _ _ _ _ _ _ _ _ p A H M M' (fun E => N (eq_sym E))) as [[E _]|[_ UP]]; contradiction.
Qed.

Lemma same_visible : forall T Cs a b s1 s2 v l k d i d', twins T Cs a b s1 s2 -> Aset a v l k d -> Aset b v l k d -> is_table l d = true -> is_word i = true -> valid d' = true ->
  visible (hw s1) (frame d * 512 + i) d' = visible (hw s2) (frame d * 512 + i) d'.
Proof.
  intros T Cs a b s1 s2 v l k d i d' TW A B TB W VD. pose proof TW as [_ _ AL _ G1 G2 LO _].
  assert (E : Map.get (Machine.mem (hw s2)) (frame d * 512 + i) = Map.get (Machine.mem (hw s1)) (frame d * 512 + i)).
  { apply (Alike.al_mem _ _ _ _ AL); auto. intro P. apply (table_apart _ _ _ _ _ _ G1 A TB). now apply low_touch, LO. }
  apply eq_true_iff_eq. split; intro VI.
  - unfold visible. rewrite E, (table_word _ _ _ _ _ _ _ _ G1 A TB W VD VI), Z.eqb_refl. reflexivity.
  - unfold visible. rewrite <- E, (table_word _ _ _ _ _ _ _ _ G2 B TB W VD VI), Z.eqb_refl. reflexivity.
Qed.

Lemma same_avail : forall T Cs a b s1 s2, twins T Cs a b s1 s2 -> forall v l k d, avail (hw s1) v l k d <-> avail (hw s2) v l k d.
Proof.
  intros T Cs a b s1 s2 TW. pose proof TW as [_ _ AL _ G1 G2 _ _].
  assert (RT : forall c, avail (hw s1) (root_vmid (hw s1) c) 0 0 (root_desc (hw s1) c) = avail (hw s1) (root_vmid (hw s2) c) 0 0 (root_desc (hw s2) c)).
  { intro c. unfold root_vmid, root_desc. now rewrite (twins_vttbr _ _ _ _ _ _ c TW). }
  intros v l k d. split; intro H; induction H as [e I|c|v l k d i d' H IH TB W VD VI].
  - apply av_tlb. now rewrite (Alike.al_tlb _ _ _ _ AL).
  - pose proof (av_root (hw s2) c) as A. unfold root_vmid, root_desc in *. now rewrite (twins_vttbr _ _ _ _ _ _ c TW) in A.
  - eapply av_step; eauto. rewrite <- (same_visible _ _ _ _ _ _ v l k d i d' TW); auto; [exact (avail_map _ _ _ _ _ _ G1 H)|exact (avail_map _ _ _ _ _ _ G2 IH)].
  - apply av_tlb. now rewrite <- (Alike.al_tlb _ _ _ _ AL).
  - rewrite <- RT. apply av_root.
  - eapply av_step; eauto. rewrite (same_visible _ _ _ _ _ _ v l k d i d' TW); auto; [exact (avail_map _ _ _ _ _ _ G1 IH)|exact (avail_map _ _ _ _ _ _ G2 H)].
Qed.
Lemma same_reached : forall T Cs a b s1 s2, twins T Cs a b s1 s2 -> forall v p, reached (hw s1) v p <-> reached (hw s2) v p.
Proof.
  intros T Cs a b s1 s2 TW v p. split; intros (l & k & d & H & M); exists l, k, d; (split; [now apply (same_avail _ _ _ _ _ _ TW)|exact M]).
Qed.

(* Who else runs on the machine finds the same: registers, every word that is reached, what is reached, who runs where. *)
Theorem twins_look_alike : forall T Cs a b s1 s2, twins T Cs a b s1 s2 -> forall f, observe w s1 f <-> observe w s2 f.
Proof.
  intros T Cs a b s1 s2 TW f. pose proof TW as [_ _ AL GP G1 G2 LO RU].
  assert (RT : forall c, root_vmid (hw s2) c = root_vmid (hw s1) c) by (intro; eapply twins_root; eauto).
  assert (NC : forall c, ~ runs s1 c (vmid_of w) -> ~ Cs c) by (intros c N Q; apply N; exact (RU c Q)).
  destruct f as [c v|c r v|c r v|c r v|v p|p i v]; cbn [observe]; unfold runs; rewrite ?RT; try tauto.
  - split; intros (N & R & E); (split; [exact N|split; [exact R|]]); [rewrite GP|rewrite <- GP]; auto.
  - split; intros (N & R & E); (split; [exact N|split; [exact R|]]); [rewrite (Alike.al_fp _ _ _ _ AL)|rewrite <- (Alike.al_fp _ _ _ _ AL)]; auto; lia.
  - unfold sysreg, REG_SWITCHED. assert (Q : forall r, 0 <= r < 28 -> ~ root_vmid (hw s1) c = vmid_of w -> Map.get (reg (hw s2)) (c * 128 + r) = Map.get (reg (hw s1)) (c * 128 + r)).
    { intros q R N. apply (Alike.al_reg _ _ _ _ AL); [lia|]. intro K. elim (NC c N K). }
    split; intros (N & R & E); (split; [exact N|split; [exact R|]]); [rewrite Q|rewrite <- Q]; auto.
  - unfold by_other. now rewrite (same_reached _ _ _ _ _ _ TW v p).
  - assert (Q : (exists u, by_other w s1 u p) -> is_word i = true -> Map.get (Machine.mem (hw s2)) (p * 512 + i) = Map.get (Machine.mem (hw s1)) (p * 512 + i)).
    { intros (u & N & RC) W. apply (Alike.al_mem _ _ _ _ AL); auto. intro P. apply N. exact (low_alone _ _ _ _ G1 (proj1 (LO p P)) RC). }
    assert (B : (exists u, by_other w s1 u p) <-> (exists u, by_other w s2 u p)).
    { unfold by_other. split; intros (u & N & RC); exists u; (split; [exact N|]); now apply (same_reached _ _ _ _ _ _ TW). }
    split; intros (U & W & E).
    + split; [now apply B|]. split; [exact W|]. now rewrite Q.
    + split; [now apply B|]. split; [exact W|]. rewrite <- Q; auto. now apply B.
Qed.
End Twins.
