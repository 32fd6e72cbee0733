(* SPDX-License-Identifier: Apache-2.0 *)
(* Two machines that differ in a victim's secrets alone, and a third that shadows the first: what keeps them so. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core Step Isolation.
From nie.model Require Import Machine.                (* again: its names first *)
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** What is told of a handler: what the others did. It is the list in [meanwhile] of spec/Isolation.v. *)

Definition told (w : who) (m : Machine.hw * option act) : list (option event) :=
  match m with (h, Some a) => map Some (heard w h a) | (_, None) => [None] end.
Definition tell (w : who) (g : log) : list (option event) := flat_map (told w) g.

(* It has an effect: a walk finds what its label says, an entry that is forgotten was there. *)
Definition happens (h : Machine.hw) (a : act) : bool :=
  match a with
  | Step n i d => match nth_error (tlb h) n with Some e => visible h (frame (desc e) * 512 + i) d | None => false end
  | Evict n => match nth_error (tlb h) n with Some _ => true | None => false end
  | _ => true
  end.
(* A secret store goes to one of these pages. *)
Definition stays (w : who) (Own : Z -> Prop) (h : Machine.hw) (a : act) : Prop :=
  match a with
  | Write n o i _ => match nth_error (tlb h) n with
                     | Some e => whose_act w h a = Secret -> stores h n o i = true -> Own (first_page (level e) (desc e) + o)
                     | None => True end
  | _ => True
  end.
(* LESS: both are premises here of what others do in mid-handler. That a walk finds the same in both runs would have to be proved; and
   a victim could store to a page that it gets in this very handler. *)
Definition fine (w : who) (Own : Z -> Prop) (m : Machine.hw * option act) : Prop :=
  match m with (h, Some a) => happens h a = true /\ stays w Own h a | _ => True end.

Lemma tell_app : forall w g g', tell w (g ++ g') = tell w g ++ tell w g'.
Proof. intros. apply flat_map_app. Qed.

Lemma tell_acting : forall w l h, exists x, tell w (acting l h) = map Some x ++ [None].
Proof.
  intros w l. induction l as [|a l IH]; intro h; cbn [acting].
  - now exists [].
  - destruct (IH (met (act_step a h))) as [x E]. exists (heard w h a ++ x).
    cbn [tell flat_map told] in *. fold (tell w (acting l (met (act_step a h)))). rewrite E, map_app, app_assoc. reflexivity.
Qed.

Lemma split_at_none : forall A (x y : list A) r r', map Some x ++ None :: r = map Some y ++ None :: r' -> x = y.
Proof.
  induction x as [|a x IH]; intros [|b y] r r' H; cbn in H; try discriminate; auto.
  injection H as <- H. f_equal. eauto.
Qed.

(** What walks depend on. *)

Record same_walks (h h' : Machine.hw) : Prop := {
  sw_mem : mem h' = mem h; sw_unseen : unseen h' = unseen h; sw_tlb : tlb h' = tlb h; sw_reg : reg h' = reg h;
}.
Lemma avail_walks : forall h h' v l k d, same_walks h h' -> avail h v l k d -> avail h' v l k d.
Proof.
  intros h h' v l k d [M U T G] H. induction H as [e I|c|v l k d i d' H IH TB W V Z].
  - apply av_tlb. now rewrite T.
  - pose proof (av_root h' c) as A. unfold root_vmid, root_desc, vttbr in *. now rewrite G in A.
  - eapply av_step; eauto. unfold visible in *. now rewrite M, U.
Qed.

Definition settled (h : Machine.hw) : Prop := forall p, become_secret h p -> secret h p.
Lemma met_settled : forall h, settled (met h).
Proof.
  intros h p [S|(v & l & k & d & N & H & M & U)]; [exact S|]. right. exists v, l, k, d. split; auto. split; auto.
  eapply avail_walks; [|exact H]. now constructor.
Qed.

Section Alike.
Variable w : who.
Let v := vmid_of w.
Hypothesis V : v <> 0.
Variable c0 : Z.                                   (* the CPU that runs the engine *)
Variable Own : Z -> Prop.                          (* pages that the victim had when the handler began *)
Variable same : bool.                              (* the others, and the victim, do the same in both *)

(* Memory is equal but on the pages of [T], registers but those of the CPUs of [Cs] that EL1 may write. *)
Record alike (T Cs : Z -> Prop) (h1 h2 : Machine.hw) : Prop := {
  al_mem : forall p i, is_word i = true -> ~ T p -> Map.get (mem h2) (p * 512 + i) = Map.get (mem h1) (p * 512 + i);
  al_tlb : tlb h2 = tlb h1;
  al_reg : forall c r, 0 <= r < 128 -> (Cs c -> REG_EL2 <= r) -> Map.get (reg h2) (c * 128 + r) = Map.get (reg h1) (c * 128 + r);
  al_fp : forall c r, 0 <= r < 128 -> ~ Cs c -> Map.get (fp h2) (c * 128 + r) = Map.get (fp h1) (c * 128 + r);
  al_me : me h2 = me h1;
  al_inputs : inputs h2 = inputs h1;
  al_taken : taken h2 = taken h1;
}.

(* The third machine has entries in its TLB that stand for pages: nobody can use them. As long as no invalidation of the victim's
   entries was issued, there is one for each page of [Own]. *)
Definition phantom (e : entry) : Prop := is_leaf (level e) (desc e) = true /\ cpu e = c0.
Definition holding (X : list entry) : Prop := forall p, Own p -> exists e, In e X /\ vmid e = v /\ doomed e = false /\ maps (level e) (desc e) p.
Record shadow (d : bool) (h1 h3 : Machine.hw) : Prop := {
  sh_mem : mem h3 = mem h1; sh_unseen : unseen h3 = unseen h1; sh_reg : reg h3 = reg h1; sh_fp : fp h3 = fp h1; sh_me : me h3 = me h1;
  sh_during : during h3 = during h1; sh_inputs : inputs h3 = inputs h1; sh_taken : taken h3 = taken h1;
  sh_tlb : exists X, tlb h3 = tlb h1 ++ X /\ Forall phantom X /\ (d = false -> holding X);
}.

Record inv (d : bool) (T Cs : Z -> Prop) (h1 h2 h3 : Machine.hw) : Prop := {
  i_alike : alike T Cs h1 h2;
  i_shadow : shadow d h1 h3;
  i_me : me h1 = c0;
  i_cs : forall c, Cs c -> c <> c0 /\ root_vmid h1 c = v;
  i_secret : forall p, T p -> secret h3 p;
  i_settled : settled h3;
  i_own : forall p, T p -> Own p;
  i_during : same = true -> during h2 = during h1;
}.
(* Between two primitives. *)
Record inv0 (d : bool) (T Cs : Z -> Prop) (h1 h2 h3 : Machine.hw) : Prop := {
  j_alike : alike T Cs h1 h2;
  j_shadow : shadow d h1 h3;
  j_me : me h1 = c0;
  j_cs : forall c, Cs c -> c <> c0 /\ root_vmid h1 c = v;
  j_secret : forall p, T p -> become_secret h3 p;
  j_own : forall p, T p -> Own p;
  j_during : same = true -> during h2 = during h1;
}.

Lemma inv0_of : forall d T Cs h1 h2 h3, inv d T Cs h1 h2 h3 -> inv0 d T Cs h1 h2 h3.
Proof. intros d T Cs h1 h2 h3 []. constructor; auto. intros p P. left. auto. Qed.
Lemma shadow_weak : forall h1 h3, shadow false h1 h3 -> shadow true h1 h3.
Proof. intros h1 h3 []. constructor; auto. destruct sh_tlb0 as (X & E & P & _). exists X. split; auto. split; auto. discriminate. Qed.
Lemma inv_weak : forall T Cs h1 h2 h3, inv0 false T Cs h1 h2 h3 -> inv0 true T Cs h1 h2 h3.
Proof. intros T Cs h1 h2 h3 []. constructor; auto. now apply shadow_weak. Qed.

Lemma met_all : forall d T Cs h1 h2 h3, inv0 d T Cs h1 h2 h3 -> inv d T Cs (met h1) (met h2) (met h3).
Proof.
  intros d T Cs h1 h2 h3 [[] [] ? ? ? ? ?]. constructor; auto; try (constructor; auto; fail). apply met_settled.
Qed.
Lemma met_13 : forall d T Cs h1 h2 h3, inv0 d T Cs h1 h2 h3 -> inv d T Cs (met h1) h2 (met h3).
Proof.
  intros d T Cs h1 h2 h3 [[] [] ? ? ? ? ?]. constructor; auto; try (constructor; auto; fail). apply met_settled.
Qed.
Lemma met_2 : forall d T Cs h1 h2 h3, inv d T Cs h1 h2 h3 -> inv d T Cs h1 (met h2) h3.
Proof. intros d T Cs h1 h2 h3 [[] ? ? ? ? ? ? ?]. constructor; auto. constructor; auto. Qed.

(** One act. *)

Lemma vttbr_alike : forall d T Cs h1 h2 h3 c, inv d T Cs h1 h2 h3 -> vttbr h2 c = vttbr h1 c.
Proof.
  intros d T Cs h1 h2 h3 c I. unfold vttbr, VTTBR_EL2. apply (al_reg _ _ _ _ (i_alike _ _ _ _ _ _ I)); [lia|]. unfold REG_EL2. lia.
Qed.
Lemma root_alike : forall d T Cs h1 h2 h3 c, inv d T Cs h1 h2 h3 -> root_vmid h2 c = root_vmid h1 c.
Proof. intros. unfold root_vmid. now erewrite vttbr_alike by eauto. Qed.

Lemma stores_alike : forall d T Cs h1 h2 h3 n o i, inv d T Cs h1 h2 h3 -> stores h2 n o i = stores h1 n o i.
Proof.
  intros d T Cs h1 h2 h3 n o i I. unfold stores. rewrite (al_tlb _ _ _ _ (i_alike _ _ _ _ _ _ I)).
  destruct (nth_error (tlb h1) n); auto. erewrite root_alike by eauto. now rewrite (al_me _ _ _ _ (i_alike _ _ _ _ _ _ I)).
Qed.
Lemma whose_alike : forall d T Cs h1 h2 h3 a, inv d T Cs h1 h2 h3 -> whose_act w h2 a = whose_act w h1 a.
Proof.
  intros d T Cs h1 h2 h3 a I. destruct a; cbn [whose_act]; auto.
  - erewrite stores_alike by eauto. now rewrite (al_tlb _ _ _ _ (i_alike _ _ _ _ _ _ I)).
  - now erewrite root_alike by eauto.
Qed.

(* [Write], by what [stores] says. *)
Lemma write_step : forall n o i x h, act_step (Write n o i x) h =
  if stores h n o i then match nth_error (tlb h) n with
    | Some e => h <| mem ::= fun m => Map.set m ((first_page (level e) (desc e) + o) * 512 + i) x |> | None => h end else h.
Proof. intros. cbn [act_step]. unfold stores. destruct (nth_error (tlb h) n); auto. Qed.

Lemma leaf_no_table : forall l d, is_leaf l d = true -> is_table l d = false.
Proof. intros l d H. unfold is_leaf, is_table in *. lia. Qed.

(* The shadow does what the first does. *)
Lemma remove_app : forall (l x : list entry) n e, nth_error l n = Some e -> remove n (l ++ x) = remove n l ++ x.
Proof.
  induction l as [|b l IH]; intros x [|n] e H; try discriminate; [reflexivity|]. unfold remove in *. cbn [firstn skipn app]. f_equal. exact (IH x n e H).
Qed.
Lemma shadow_act : forall d h1 h3 a, shadow d h1 h3 -> me h1 = c0 -> happens h1 a = true -> shadow d (act_step a h1) (act_step a h3).
Proof.
  intros d h1 h3 a S M NE. pose proof S as [E1 E2 E3 EF E4 E5 E6 E7 (X & E8 & PX & HX)].
  assert (PH : forall n, nth_error (tlb h1) n = None -> match nth_error (tlb h3) n with Some e => phantom e | None => True end).
  { intros n N. rewrite E8, nth_error_app2 by (now apply nth_error_None). destruct (nth_error X _) eqn:Q; auto.
    rewrite Forall_forall in PX. eapply PX, nth_error_In; eauto. }
  assert (SM : forall n e, nth_error (tlb h1) n = Some e -> nth_error (tlb h3) n = Some e).
  { intros n e N. rewrite E8, nth_error_app1; auto. apply nth_error_Some. congruence. }
  assert (RV : forall c, root_vmid h3 c = root_vmid h1 c) by (intro; unfold root_vmid, vttbr; now rewrite E3).
  destruct a as [c|n i x|n|n o i x|c r x].
  - cbn [act_step]. constructor; auto. exists X. split; auto. cbn. rewrite E8. unfold root_vmid, root_desc, vttbr. now rewrite E3.
  - cbn [act_step]. specialize (PH n). specialize (SM n). destruct (nth_error (tlb h1) n) as [e|] eqn:N.
    + rewrite (SM _ eq_refl). unfold visible. rewrite E1, E2. destruct (is_table _ _ && _ && _ && _); [|exact S].
      constructor; auto. exists X. split; auto. cbn. now rewrite E8.
    + destruct (nth_error (tlb h3) n) as [e|]; [|exact S]. destruct (PH eq_refl) as [L _]. rewrite (leaf_no_table _ _ L). exact S.
  - cbn [act_step happens] in *. destruct (nth_error (tlb h1) n) as [e|] eqn:N; [|discriminate]. constructor; auto. exists X. split; auto.
    cbn. rewrite E8. now apply remove_app with (e := e).
  - rewrite !write_step. unfold stores. specialize (PH n). specialize (SM n). destruct (nth_error (tlb h1) n) as [e|] eqn:N.
    + rewrite (SM _ eq_refl). rewrite RV, E4. destruct (_ && _ && _ && _ && _ && _); [|exact S].
      constructor; auto; cbn; [now rewrite E1|]. exists X. auto.
    + destruct (nth_error (tlb h3) n) as [e|]; [|exact S]. destruct (PH eq_refl) as [_ L]. rewrite L, E4, M, Z.eqb_refl.
      cbn [negb]. rewrite andb_false_r. exact S.
  - cbn [act_step]. rewrite E4. destruct (_ && _ && _ && _); [|exact S]. constructor; auto; cbn; [now rewrite E3|]. exists X. auto.
Qed.

Lemma act_same : forall a h, me (act_step a h) = me h /\ during (act_step a h) = during h /\ inputs (act_step a h) = inputs h /\ taken (act_step a h) = taken h.
Proof.
  intros a h. destruct a; cbn [act_step]; auto.
  - destruct (nth_error (tlb h) n); auto. now destruct (is_table _ _ && _ && _ && _).
  - destruct (nth_error (tlb h) n); auto. now destruct (is_leaf _ _ && _ && _ && _ && _ && _).
  - now destruct ((0 <=? c) && _ && _ && _).
Qed.
Lemma act_root : forall a h c, root_vmid (act_step a h) c = root_vmid h c.
Proof.
  intros a h c. destruct a as [c'|n i d|n|n o i x|c' r x]; cbn [act_step]; auto.
  - destruct (nth_error (tlb h) n); auto. now destruct (is_table _ _ && _ && _ && _).
  - destruct (nth_error (tlb h) n); auto. now destruct (is_leaf _ _ && _ && _ && _ && _ && _).
  - destruct ((0 <=? c') && (0 <=? r) && (r <? REG_EL2) && negb (c' =? me h)) eqn:C; auto. unfold REG_EL2 in C.
    unfold root_vmid, vttbr, VTTBR_EL2. cbn. rewrite Map.get_set_other by lia. reflexivity.
Qed.
(* [inv] after an act of the first and the third: all but [alike], and what is in [T]. *)
Lemma inv_13 : forall d T T' Cs Cs' h1 h2 h3 h2' a, inv d T Cs h1 h2 h3 -> happens h1 a = true ->
  alike T' Cs' (act_step a h1) h2' -> (forall c, Cs' c -> c <> c0 /\ root_vmid h1 c = v) ->
  (forall p, T' p -> secret h3 p) -> (forall p, T' p -> Own p) -> (same = true -> during h2' = during h1) ->
  inv0 d T' Cs' (act_step a h1) h2' (act_step a h3).
Proof.
  intros d T T' Cs Cs' h1 h2 h3 h2' a I NE AL HC HS HO HD. destruct (act_same a h1) as (A1 & A2 & A3 & A4). constructor; auto.
  - apply shadow_act; auto; apply I.
  - rewrite A1. apply I.
  - intros c C. rewrite act_root. auto.
  - intros p P. left. rewrite act_secret. auto.
  - intro Y. rewrite A2. auto.
Qed.

Definition with_page (T : Z -> Prop) (q p : Z) : Prop := T p \/ p = q.

Lemma word_page : forall p i q j, is_word i = true -> is_word j = true -> p * 512 + i = q * 512 + j -> p = q /\ i = j.
Proof. unfold is_word; intros; lia. Qed.

(* What a page of a secret store is. *)
Lemma secret_write : forall d T Cs h1 h2 h3 n o i x, inv d T Cs h1 h2 h3 -> whose_act w h1 (Write n o i x) = Secret ->
  stores h1 n o i = true -> exists e, nth_error (tlb h1) n = Some e /\ is_word i = true /\
    let q := first_page (level e) (desc e) + o in secret h3 q /\ vmid e = v /\ maps (level e) (desc e) q /\ In e (tlb h3).
Proof.
  intros d T Cs h1 h2 h3 n o i x I S ST. cbn [whose_act] in S. pose proof ST as ST'. unfold stores in ST'.
  destruct (nth_error (tlb h1) n) as [e|] eqn:N; [|discriminate]. rewrite ST in S. cbn [andb] in S.
  destruct (Z.eqb_spec (vmid e) (vmid_of w)) as [E|]; [|discriminate]. exists e. split; auto.
  do 5 apply andb_prop in ST' as [ST' ?]. split; auto. cbn zeta.
  assert (M : maps (level e) (desc e) (first_page (level e) (desc e) + o)) by (split; auto; lia).
  assert (IN : In e (tlb h3)).
  { destruct (sh_tlb _ _ _ (i_shadow _ _ _ _ _ _ I)) as (X & -> & _). apply in_or_app. left. eapply nth_error_In; eauto. }
  split; [|auto]. apply (i_settled _ _ _ _ _ _ I). right. exists (vmid e), (level e), (key e), (desc e).
  split; [fold v in E; now rewrite E|]. split; [now apply av_tlb|]. split; auto. intros [U1 U2].
  destruct ((level e =? 3) && (2 ^ 26 <=? key e)) eqn:Q; [discriminate|]. lia.
Qed.

Lemma alike_grow : forall (T T' Cs Cs' : Z -> Prop) h1 h2, alike T Cs h1 h2 -> (forall p, T p -> T' p) -> (forall c, Cs c -> Cs' c) -> alike T' Cs' h1 h2.
Proof. intros T T' Cs Cs' h1 h2 [] HT HC. constructor; auto. Qed.

Lemma alike_mem1 : forall T Cs h1 h2 q i x, alike T Cs h1 h2 -> is_word i = true ->
  alike (with_page T q) Cs (h1 <| mem ::= fun m => Map.set m (q * 512 + i) x |>) h2.
Proof.
  intros T Cs h1 h2 q i x [] I. constructor; auto. intros p j J N. cbn. rewrite Map.get_set_other; [apply al_mem0; auto|].
  - intro. apply N. now left.
  - intro E. apply word_page in E as [-> _]; auto. apply N. now right.
Qed.
Lemma alike_mem2 : forall T Cs h1 h2 q i x, alike T Cs h1 h2 -> is_word i = true ->
  alike (with_page T q) Cs h1 (h2 <| mem ::= fun m => Map.set m (q * 512 + i) x |>).
Proof.
  intros T Cs h1 h2 q i x [] I. constructor; auto. intros p j J N. cbn. rewrite Map.get_set_other; [apply al_mem0; auto|].
  - intro. apply N. now left.
  - intro E. apply word_page in E as [-> _]; auto. apply N. now right.
Qed.
Lemma alike_reg1 : forall T Cs h1 h2 c r x, alike T Cs h1 h2 -> 0 <= r < REG_EL2 ->
  alike T (with_page Cs c) (h1 <| reg ::= fun m => Map.set m (c * 128 + r) x |>) h2.
Proof.
  intros T Cs h1 h2 c r x [] I. unfold REG_EL2 in *. constructor; auto; [|intros c' r' R N; apply al_fp0; auto; intro Q; apply N; now left].
  intros c' r' R N. cbn. rewrite Map.get_set_other; [apply al_reg0; auto|].
  - intro. apply N. now left.
  - intro E. assert (c' = c /\ r' = r) as [-> ->] by lia. specialize (N (or_intror eq_refl)). unfold REG_EL2 in N. lia.
Qed.
Lemma alike_reg2 : forall T Cs h1 h2 c r x, alike T Cs h1 h2 -> 0 <= r < REG_EL2 ->
  alike T (with_page Cs c) h1 (h2 <| reg ::= fun m => Map.set m (c * 128 + r) x |>).
Proof.
  intros T Cs h1 h2 c r x [] I. unfold REG_EL2 in *. constructor; auto; [|intros c' r' R N; apply al_fp0; auto; intro Q; apply N; now left].
  intros c' r' R N. cbn. rewrite Map.get_set_other; [apply al_reg0; auto|].
  - intro. apply N. now left.
  - intro E. assert (c' = c /\ r' = r) as [-> ->] by lia. specialize (N (or_intror eq_refl)). unfold REG_EL2 in N. lia.
Qed.

(* Secret acts are writes and registers of the victim's. *)
Lemma act_left : forall d T Cs h1 h2 h3 a, inv d T Cs h1 h2 h3 -> fine w Own (h1, Some a) -> whose_act w h1 a = Secret ->
  exists T' Cs', inv d T' Cs' (met (act_step a h1)) h2 (met (act_step a h3)).
Proof.
  intros d T Cs h1 h2 h3 a I [NE SY] S. pose proof I as [AL SH M CS SE ST OW DU].
  destruct a as [c|n i x|n|n o i x|c r x]; try discriminate.
  - destruct (stores h1 n o i) eqn:P.
    + destruct (secret_write _ _ _ _ _ _ _ _ _ _ I S P) as (e & N & W & SQ & E & MQ & IN).
      exists (with_page T (first_page (level e) (desc e) + o)), Cs. apply met_13. eapply inv_13; eauto.
      * rewrite write_step, P, N. now apply alike_mem1.
      * intros p [Q| ->]; auto.
      * intros p [Q| ->]; [auto|]. cbn [stays] in SY. rewrite N in SY. exact (SY S P).
    + exists T, Cs. apply met_13. eapply inv_13; eauto. now rewrite write_step, P.
  - cbn [whose_act] in S. destruct (Z.eqb_spec (root_vmid h1 c) (vmid_of w)) as [E|]; [|discriminate].
    destruct ((0 <=? c) && (0 <=? r) && (r <? REG_EL2) && negb (c =? me h1)) eqn:P.
    + exists T, (with_page Cs c). apply met_13. eapply inv_13; eauto.
      * cbn [act_step]. rewrite P. apply alike_reg1; auto. lia.
      * intros c' [Q| ->]; auto. split; [lia|exact E].
    + exists T, Cs. apply met_13. eapply inv_13; eauto. cbn [act_step]. now rewrite P.
Qed.

Lemma act_right : forall d T Cs h1 h2 h3 a, inv d T Cs h1 h2 h3 -> fine w Own (h2, Some a) -> whose_act w h2 a = Secret ->
  exists T' Cs', inv d T' Cs' h1 (met (act_step a h2)) h3.
Proof.
  intros d T Cs h1 h2 h3 a I [_ SY] S'. pose proof S' as S. erewrite whose_alike in S by eauto. pose proof I as [AL SH M CS SE ST OW DU].
  assert (DU' : same = true -> during (act_step a h2) = during h1) by (intro Y; destruct (act_same a h2) as (_ & -> & _); auto).
  destruct a as [c|n i x|n|n o i x|c r x]; try discriminate.
  - destruct (stores h1 n o i) eqn:P.
    + destruct (secret_write _ _ _ _ _ _ _ _ _ _ I S P) as (e & N & W & SQ & E & MQ & IN).
      exists (with_page T (first_page (level e) (desc e) + o)), Cs. apply met_2. constructor; auto.
      * rewrite write_step. rewrite (stores_alike _ _ _ _ _ _ _ _ _ I), (al_tlb _ _ _ _ AL). rewrite P, N. now apply alike_mem2.
      * intros p [Q| ->]; auto.
      * intros p [Q| ->]; [auto|]. cbn [stays] in SY. rewrite (al_tlb _ _ _ _ AL), N in SY. apply (SY S'). now erewrite stores_alike by eauto.
    + exists T, Cs. apply met_2. constructor; auto. rewrite write_step. erewrite stores_alike by eauto. now rewrite P.
  - cbn [whose_act] in S. destruct (Z.eqb_spec (root_vmid h1 c) (vmid_of w)) as [E|]; [|discriminate].
    destruct ((0 <=? c) && (0 <=? r) && (r <? REG_EL2) && negb (c =? me h1)) eqn:P.
    + exists T, (with_page Cs c). apply met_2. constructor; auto.
      * cbn [act_step]. rewrite (al_me _ _ _ _ AL), P. apply alike_reg2; auto. lia.
      * intros c' [Q| ->]; auto. split; [lia|exact E].
    + exists T, Cs. apply met_2. constructor; auto. cbn [act_step]. now rewrite (al_me _ _ _ _ AL), P.
Qed.

(* The same store, register or walk on both. *)
Lemma alike_store : forall T Cs h1 h2 k x, alike T Cs h1 h2 ->
  alike T Cs (h1 <| mem ::= fun m => Map.set m k x |>) (h2 <| mem ::= fun m => Map.set m k x |>).
Proof. intros T Cs h1 h2 k x []. constructor; auto. intros p i W N. cbn. rewrite !Map.get_set. destruct (_ =? _); auto. Qed.
Lemma alike_fill : forall T Cs h1 h2 e, alike T Cs h1 h2 -> alike T Cs (h1 <| tlb ::= cons e |>) (h2 <| tlb ::= cons e |>).
Proof. intros T Cs h1 h2 e []. constructor; auto. cbn. now rewrite al_tlb0. Qed.

Lemma act_both : forall d T Cs h1 h2 h3 a a', inv d T Cs h1 h2 h3 -> happens h1 a = true -> happens h2 a' = true ->
  heard w h1 a <> [] -> heard w h2 a' = heard w h1 a ->
  inv d T Cs (met (act_step a h1)) (met (act_step a' h2)) (met (act_step a h3)).
Proof.
  intros d T Cs h1 h2 h3 a a' I NE FF NN HH. apply met_all. pose proof I as [AL SH M CS SE ST OW DU].
  assert (DU' : same = true -> during (act_step a' h2) = during h1) by (intro Y; destruct (act_same a' h2) as (_ & -> & _); auto).
  eapply inv_13; eauto. clear DU'. unfold heard in HH, NN. erewrite whose_alike in HH by eauto.
  destruct (whose_act w h1 a) as [| |ev] eqn:WA; [|now elim NN|].
  - destruct (whose_act w h1 a') as [| |ev'] eqn:WA'; try discriminate.
    2:{ exfalso. destruct a' as [c|n' i x|n'|n' o' i' x'|c r x]; cbn [whose_act] in WA'; try discriminate; [|destruct (_ =? _); discriminate].
        destruct (nth_error (tlb h1) n'); [|discriminate]. destruct (_ =? _); [|discriminate]. destruct (_ && _ && _); [|discriminate].
        injection WA' as <-. discriminate. }
    injection HH as ->.
    destruct a as [c|n i x|n|n o i x|c r x]; try discriminate.
    + cbn [act_step]. unfold root_vmid, root_desc. erewrite (vttbr_alike _ _ _ _ _ _ c I). now apply alike_fill.
    + cbn [act_step happens] in *. rewrite (al_tlb _ _ _ _ AL) in *. destruct (nth_error (tlb h1) n) as [e|]; [|exact AL].
      rewrite FF, NE. destruct (_ && _ && _ && _); [now apply alike_fill|exact AL].
    + cbn [act_step]. destruct AL. constructor; auto. cbn. now rewrite al_tlb0.
    + rewrite !write_step. rewrite (stores_alike _ _ _ _ _ _ _ _ _ I), (al_tlb _ _ _ _ AL). destruct (stores h1 n o i); [|exact AL].
      destruct (nth_error (tlb h1) n); [now apply alike_store|exact AL].
    + cbn [act_step]. rewrite (al_me _ _ _ _ AL). destruct (_ && _ && _ && _); [|exact AL].
      pose proof AL as []. constructor; auto. intros c' r' R Q. cbn. rewrite !Map.get_set. destruct (_ =? _); auto.
  - destruct a as [c|n i x|n|n o i x|c r x]; try discriminate; cbn [whose_act] in WA.
    2:{ destruct (_ =? _); discriminate. }
    destruct (nth_error (tlb h1) n) as [e|] eqn:N; [|discriminate]. destruct (vmid e =? vmid_of w) eqn:E; [|discriminate].
    destruct (stores h1 n o i && (level e =? 3) && (2 ^ 26 <=? key e)) eqn:P; [|discriminate]. injection WA as <-.
    destruct (whose_act w h1 a') as [| |ev'] eqn:WA'; try discriminate.
    destruct a' as [c|n' i' x'|n'|n' o' i' x'|c r x']; try discriminate; cbn [whose_act] in WA'.
    2:{ destruct (root_vmid h1 c =? vmid_of w); discriminate WA'. }
    destruct (nth_error (tlb h1) n') as [e'|] eqn:N'; [|discriminate]. destruct (vmid e' =? vmid_of w); [|discriminate].
    destruct (stores h1 n' o' i' && (level e' =? 3) && (2 ^ 26 <=? key e')) eqn:P'; [|discriminate]. injection WA' as <-.
    injection HH as Q -> ->. unfold frame_of in Q. rewrite !write_step. rewrite (stores_alike _ _ _ _ _ _ _ _ _ I), (al_tlb _ _ _ _ AL).
    do 2 apply andb_prop in P as [P ?]. do 2 apply andb_prop in P' as [P' ?]. rewrite P, P', N, N', Q. now apply alike_store.
Qed.
End Alike.
