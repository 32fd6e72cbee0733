(* SPDX-License-Identifier: Apache-2.0 *)
(* What software does on any CPU, between two exceptions: machines that differ in a VM's secrets go on to do so in these alone. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.proof.security Require Import Alike core_is_safe Twins.
From nie.model Require Import Machine.
From nie.spec Require Import Core Step Isolation.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

Section Software.
Variable w : who.
Hypothesis V : vmid_of w <> 0.
Notation twins := (twins w).

(* Of the victim alone: it writes its registers or a page that it does not share, or loads from memory. *)
Definition its_own (s : Step.machine) (x : step) : Prop :=
  match x with
  | Hardware a => whose_act w (hw s) a = Secret
  | Gpr c _ _ | Fp c _ _ => runs s c (vmid_of w)
  | LoadWord n _ _ _ => exists e, nth_error (tlb (hw s)) n = Some e /\ vmid e = vmid_of w
  end.

Lemma twins_sym : forall T Cs a b s1 s2, twins T Cs a b s1 s2 -> twins T Cs b a s2 s1.
Proof.
  intros T Cs a b s1 s2 TW. pose proof TW as [E1 E2 AL GP G1 G2 LO RU]. constructor; auto.
  - destruct AL. constructor; auto; intros; symmetry; auto.
  - intros c r R N. symmetry. auto.
  - intros p P. destruct (LO p P). auto.
  - intros c Q. rewrite (twins_root w _ _ _ _ _ _ c TW). auto.
Qed.

Lemma alike_met : forall T Cs h1 h2, Alike.alike T Cs h1 h2 -> Alike.alike T Cs (met h1) h2.
Proof. intros T Cs h1 h2 []. constructor; auto. Qed.
Lemma alike_met2 : forall T Cs h1 h2, Alike.alike T Cs h1 h2 -> Alike.alike T Cs (met h1) (met h2).
Proof. intros T Cs h1 h2 []. constructor; auto. Qed.
Lemma root_kept : forall a h c, root_vmid (met (act_step a h)) c = root_vmid h c.
Proof. intros. exact (act_root w a h c). Qed.

(* The hardware of the first alone moves on. *)
Lemma twins_hw : forall T Cs T' Cs' a b s1 s2 d, twins T Cs a b s1 s2 -> Alike.alike T' Cs' (act_step d (hw s1)) (hw s2) ->
  (forall c, ~ Cs' c -> ~ Cs c) -> (forall p, T' p -> low w a p /\ low w b p) -> (forall c, Cs' c -> root_vmid (hw s1) c = vmid_of w) ->
  twins T' Cs' a b (do_step (Hardware d) s1) s2.
Proof.
  intros T Cs T' Cs' a b s1 s2 d TW AL NC LO RU. pose proof TW as [E1 E2 _ GP G1 G2 _ _].
  constructor; auto; try (apply good_do; exact G1); try exact E1; try exact E2.
  - exact (alike_met _ _ _ _ AL).
  - intros c r R N. apply GP; auto.
  - intros c Q. change (root_vmid (met (act_step d (hw s1))) c = vmid_of w). rewrite root_kept. auto.
Qed.

Lemma twins_cpu : forall T Cs a b s1 s2 s1' c, twins T Cs a b s1 s2 -> root_vmid (hw s1) c = vmid_of w -> good a s1' ->
  glob s1' = glob s1 -> off s1' = off s1 -> (forall d, root_vmid (hw s1') d = root_vmid (hw s1) d) ->
  Alike.alike T (with_page Cs c) (hw s1') (hw s2) -> (forall d r, d <> c -> 0 <= r < 31 -> x s1' d r = x s1 d r) ->
  twins T (with_page Cs c) a b s1' s2.
Proof.
  intros T Cs a b s1 s2 s1' c [E1 E2 AL GP G1 G2 LO RU] RC G EG EO ER AL' GX. constructor; auto; try congruence.
  - intros d r R N. rewrite GX; auto; [|intros ->; apply N; now right]. apply GP; auto. intro P. apply N. now left.
  - intros d [P| ->]; rewrite ER; auto.
Qed.
Lemma gpr_other : forall s d r c q v, d <> c -> 0 <= r < 31 -> 0 <= q < 31 -> x (s <| gpr ::= fun m => Map.set m (c * 32 + q) v |>) d r = x s d r.
Proof. intros s d r c q v N R Q. unfold x. cbn. apply Map.get_set_other. lia. Qed.

Lemma its_own_step : forall T Cs a b s1 s2 x, twins T Cs a b s1 s2 -> its_own s1 x -> exists T' Cs', twins T' Cs' a b (do_step x s1) s2.
Proof.
  intros T Cs a b s1 s2 x TW O. pose proof TW as [E1 E2 AL GP G1 G2 LO RU].
  assert (GR : forall c, Alike.alike T (with_page Cs c) (hw s1) (hw s2)) by (intro; eapply alike_grow; [exact AL|auto|intros; now left]).
  destruct x as [d|c r v|c r v|n o i r]; cbn [its_own] in O.
  - destruct d as [c|n i v|n|n o i v|c r v]; try discriminate.
    + destruct (stores (hw s1) n o i) eqn:S.
      * cbn [whose_act] in O. pose proof S as S'. unfold stores in S'. destruct (nth_error (tlb (hw s1)) n) as [e|] eqn:N; [|discriminate].
        rewrite S in O. cbn [andb] in O. destruct (Z.eqb_spec (vmid e) (vmid_of w)) as [E|]; [|discriminate]. do 5 apply andb_prop in S' as [S' ?].
        exists (with_page T (first_page (level e) (desc e) + o)), Cs. eapply twins_hw; eauto.
        -- rewrite write_step, S, N. now apply alike_mem1.
        -- intros p [P| ->]; [auto|]. assert (IN : In e (tlb (hw s1))) by (eapply nth_error_In; eauto).
           assert (U : ~ upper (level e) (key e)).
           { intros [U1 U2]. destruct ((level e =? 3) && (2 ^ 26 <=? key e)) eqn:Q; [discriminate|]. lia. }
           assert (M : maps (level e) (desc e) (first_page (level e) (desc e) + o)) by (split; [exact S'|lia]).
           split; exists (level e), (key e), (desc e); (split; [|split; [exact M|exact U]]); rewrite <- E.
           ++ eapply avail_map; [exact G1|now apply av_tlb].
           ++ eapply avail_map; [exact G2|apply av_tlb; now rewrite (Alike.al_tlb _ _ _ _ AL)].
      * exists T, Cs. eapply twins_hw; eauto. now rewrite write_step, S.
    + cbn [whose_act] in O. destruct (Z.eqb_spec (root_vmid (hw s1) c) (vmid_of w)) as [E|]; [|discriminate].
      destruct ((0 <=? c) && (0 <=? r) && (r <? REG_EL2) && negb (c =? me (hw s1))) eqn:Q.
      * exists T, (with_page Cs c). eapply twins_hw; eauto.
        -- cbn [act_step]. rewrite Q. apply alike_reg1; auto. lia.
        -- intros c' N P. apply N. now left.
        -- intros c' [P| ->]; auto.
      * exists T, Cs. eapply twins_hw; eauto. cbn [act_step]. now rewrite Q.
  - exists T, (with_page Cs c). pose proof (good_do a s1 (Gpr c r v) G1) as G. cbn [do_step] in *.
    destruct (is_cpu c && (0 <=? r) && (r <? 31) && is64 v) eqn:Q; (eapply twins_cpu; [exact TW|exact O|exact G|reflexivity|reflexivity|reflexivity|apply GR|]); auto.
    intros d q N R. apply gpr_other; auto. lia.
  - exists T, (with_page Cs c). pose proof (good_do a s1 (Fp c r v) G1) as G. cbn [do_step] in *.
    destruct (is_cpu c && (0 <=? r) && (r <? 66) && is64 v) eqn:Q; (eapply twins_cpu; [exact TW|exact O|exact G|reflexivity|reflexivity|reflexivity| |]); auto.
    destruct (GR c). constructor; auto. intros d q R N. cbn. rewrite Map.get_set_other; [now apply al_fp|]. intro K. apply N. right. lia.
  - destruct O as (e & N & E). pose proof (good_do a s1 (LoadWord n o i r) G1) as G. cbn [do_step] in *. rewrite N in *.
    match goal with |- context [if ?b then _ else _] => destruct b eqn:Q end; [|eauto]. do 6 apply andb_prop in Q as [Q ?].
    exists T, (with_page Cs (cpu e)). eapply twins_cpu; [exact TW|lia|exact G|reflexivity|reflexivity|reflexivity|apply GR|].
    intros d q M R. apply gpr_other; auto. lia.
Qed.

(** What is no secret, in both. *)

Lemma twins_stores : forall T Cs a b s1 s2 n o i, twins T Cs a b s1 s2 -> stores (hw s2) n o i = stores (hw s1) n o i.
Proof.
  intros T Cs a b s1 s2 n o i TW. pose proof (tw_hw _ _ _ _ _ _ _ TW) as AL. unfold stores. rewrite (Alike.al_tlb _ _ _ _ AL), (Alike.al_me _ _ _ _ AL).
  destruct (nth_error (tlb (hw s1)) n); auto. now rewrite (twins_root w _ _ _ _ _ _ _ TW).
Qed.
Lemma twins_whose : forall T Cs a b s1 s2 d, twins T Cs a b s1 s2 -> whose_act w (hw s2) d = whose_act w (hw s1) d.
Proof.
  intros T Cs a b s1 s2 d TW. pose proof (tw_hw _ _ _ _ _ _ _ TW) as AL. destruct d; cbn [whose_act]; auto.
  - now rewrite (twins_stores _ _ _ _ _ _ _ _ _ TW), (Alike.al_tlb _ _ _ _ AL).
  - now rewrite (twins_root w _ _ _ _ _ _ _ TW).
Qed.

Lemma twins_both : forall T Cs a b s1 s2 d1 d2, twins T Cs a b s1 s2 -> Alike.alike T Cs (act_step d1 (hw s1)) (act_step d2 (hw s2)) ->
  twins T Cs a b (do_step (Hardware d1) s1) (do_step (Hardware d2) s2).
Proof.
  intros T Cs a b s1 s2 d1 d2 [E1 E2 _ GP G1 G2 LO RU] AL. constructor; auto; try (apply good_do; assumption); try exact E1; try exact E2.
  - exact (alike_met2 _ _ _ _ AL).
  - intros c Q. change (root_vmid (met (act_step d1 (hw s1))) c = vmid_of w). rewrite root_kept. auto.
Qed.

Lemma act_theirs : forall T Cs a b s1 s2 d, twins T Cs a b s1 s2 -> whose_act w (hw s1) d <> Secret ->
  Alike.alike T Cs (act_step d (hw s1)) (act_step d (hw s2)).
Proof.
  intros T Cs a b s1 s2 d TW WA. pose proof TW as [E1 E2 AL GP G1 G2 LO RU]. destruct d as [c|n i v|n|n o i v|c r v].
  - cbn [act_step]. unfold root_vmid, root_desc. rewrite (twins_vttbr w _ _ _ _ _ _ c TW). now apply alike_fill.
  - cbn [act_step]. rewrite (Alike.al_tlb _ _ _ _ AL). destruct (nth_error (tlb (hw s1)) n) as [e|] eqn:N; [|exact AL].
    destruct (is_table (level e) (desc e)) eqn:TB; [|exact AL]. destruct (is_word i) eqn:W; [|exact AL]. destruct (valid v) eqn:VA; [|exact AL]. cbn [andb].
    assert (A : Aset a (vmid e) (level e) (key e) (desc e)) by (eapply avail_map; [exact G1|]; apply av_tlb; eapply nth_error_In; eauto).
    assert (B : Aset b (vmid e) (level e) (key e) (desc e)).
    { eapply avail_map; [exact G2|]. apply av_tlb. rewrite (Alike.al_tlb _ _ _ _ AL). eapply nth_error_In; eauto. }
    rewrite (same_visible w _ _ _ _ _ _ _ _ _ _ _ _ TW A B TB W VA). destruct (visible (hw s2) _ v); [now apply alike_fill|exact AL].
  - cbn [act_step]. destruct AL. constructor; auto. cbn. now rewrite al_tlb.
  - rewrite !write_step, (twins_stores _ _ _ _ _ _ _ _ _ TW), (Alike.al_tlb _ _ _ _ AL). destruct (stores (hw s1) n o i); [|exact AL].
    destruct (nth_error (tlb (hw s1)) n); [now apply alike_store|exact AL].
  - cbn [act_step]. rewrite (Alike.al_me _ _ _ _ AL). destruct (_ && _ && _ && _); [|exact AL].
    pose proof AL as []. constructor; auto. intros c' r' R Q. cbn. rewrite !Map.get_set. destruct (_ =? _); auto.
Qed.

Lemma public_is : forall h d ev, whose_act w h d = Public ev -> exists p i v, ev = Stored p i v.
Proof.
  intros h d ev H. destruct d as [c|n i v|n|n o i v|c r v]; cbn [whose_act] in H; try discriminate H.
  - destruct (nth_error (tlb h) n) as [e|]; [|discriminate H]. destruct (vmid e =? vmid_of w); [|discriminate H].
    destruct (stores h n o i && (level e =? 3) && (2 ^ 26 <=? key e)); [|discriminate H]. injection H as <-. eauto.
  - destruct (root_vmid h c =? vmid_of w); discriminate H.
Qed.

(* An act of others, the same; or the same store to a page that the victim shares, through whatever entries. *)
Lemma heard_step : forall T Cs a b s1 s2 d1 d2, twins T Cs a b s1 s2 -> heard w (hw s1) d1 <> [] -> heard w (hw s2) d2 = heard w (hw s1) d1 ->
  twins T Cs a b (do_step (Hardware d1) s1) (do_step (Hardware d2) s2).
Proof.
  intros T Cs a b s1 s2 d1 d2 TW NN HH. apply twins_both; auto. unfold heard in HH, NN. rewrite (twins_whose _ _ _ _ _ _ _ TW) in HH.
  destruct (whose_act w (hw s1) d1) as [| |ev] eqn:W1; [|now elim NN|]; destruct (whose_act w (hw s1) d2) as [| |ev2] eqn:W2; try discriminate.
  - injection HH as ->. apply (act_theirs _ _ _ _ _ _ _ TW). now rewrite W1.
  - exfalso. destruct (public_is _ _ _ W2) as (p & i & v & ->). discriminate HH.
  - exfalso. destruct (public_is _ _ _ W1) as (p & i & v & ->). discriminate HH.
  - injection HH as ->. pose proof (tw_hw _ _ _ _ _ _ _ TW) as AL.
    destruct d1 as [c|n i v|n|n o i v|c r v]; cbn [whose_act] in W1; try discriminate W1; [|destruct (root_vmid (hw s1) c =? vmid_of w); discriminate W1].
    destruct (nth_error (tlb (hw s1)) n) as [e|] eqn:N; [|discriminate]. destruct (vmid e =? vmid_of w); [|discriminate].
    destruct (stores (hw s1) n o i && (level e =? 3) && (2 ^ 26 <=? key e)) eqn:P; [|discriminate]. injection W1 as <-.
    destruct d2 as [c|n' i' v'|n'|n' o' i' v'|c r v']; cbn [whose_act] in W2; try discriminate W2; [|destruct (root_vmid (hw s1) c =? vmid_of w); discriminate W2].
    destruct (nth_error (tlb (hw s1)) n') as [e'|] eqn:N'; [|discriminate]. destruct (vmid e' =? vmid_of w); [|discriminate].
    destruct (stores (hw s1) n' o' i' && (level e' =? 3) && (2 ^ 26 <=? key e')) eqn:P'; [|discriminate]. injection W2 as Q -> ->. unfold frame_of in Q.
    do 2 apply andb_prop in P as [P ?]. do 2 apply andb_prop in P' as [P' ?].
    rewrite !write_step, (twins_stores _ _ _ _ _ _ _ _ _ TW), (Alike.al_tlb _ _ _ _ AL), P, P', N, N', Q. now apply alike_store.
Qed.

Lemma same_step : forall T Cs a b s1 s2 y, twins T Cs a b s1 s2 -> ~ its_own s1 y -> twins T Cs a b (do_step y s1) (do_step y s2).
Proof.
  intros T Cs a b s1 s2 y TW NO. pose proof TW as [E1 E2 AL GP G1 G2 LO RU].
  destruct y as [d|c r v|c r v|n o i r]; cbn [its_own] in NO.
  - apply twins_both; auto. now apply (act_theirs _ _ _ _ _ _ _ TW).
  - pose proof (good_do a s1 (Gpr c r v) G1) as H1. pose proof (good_do b s2 (Gpr c r v) G2) as H2. cbn [do_step] in *.
    destruct (is_cpu c && (0 <=? r) && (r <? 31) && is64 v); [|exact TW]. constructor; auto.
    intros c' q R N. unfold x. cbn. rewrite !Map.get_set. destruct (_ =? _); auto. now apply GP.
  - pose proof (good_do a s1 (Fp c r v) G1) as H1. pose proof (good_do b s2 (Fp c r v) G2) as H2. cbn [do_step] in *.
    destruct (is_cpu c && (0 <=? r) && (r <? 66) && is64 v); [|exact TW]. constructor; auto.
    pose proof AL as []. constructor; auto. intros c' q R N. cbn. rewrite !Map.get_set. destruct (_ =? _); auto.
  - pose proof (good_do a s1 (LoadWord n o i r) G1) as H1. pose proof (good_do b s2 (LoadWord n o i r) G2) as H2. cbn [do_step] in *.
    rewrite (Alike.al_tlb _ _ _ _ AL) in *. destruct (nth_error (tlb (hw s1)) n) as [e|] eqn:N; [|exact TW].
    rewrite (twins_root w _ _ _ _ _ _ _ TW) in *.
    match goal with |- context [if ?b then _ else _] => destruct b eqn:Q end; [|exact TW]. do 6 apply andb_prop in Q as [Q ?].
    constructor; auto. intros c' q R NC. unfold x. cbn. rewrite !Map.get_set. destruct (c' * 32 + q =? cpu e * 32 + r); [|now apply GP].
    apply (Alike.al_mem _ _ _ _ AL); auto. intro TP. apply NO. exists e. split; auto.
    apply (low_alone w V _ _ _ _ G1 (proj1 (LO _ TP))). exists (level e), (key e), (desc e). split; [apply av_tlb; eapply nth_error_In; eauto|]. split; auto. lia.
Qed.
End Software.
