(* SPDX-License-Identifier: Apache-2.0 *)
(* A claimed page (model/Machine.v) in one call of the engine: nobody stores to it but its VM, and that at its IPA page. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.lib Require Import World.
From nie.spec Require Import State.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.spec Require Import Step Kept.
From nie.spec Require Isolation.
From nie.proof.refine Require Import Relation.
From nie.proof.security Require Import Watched Claimed Ghost core_is_safe only_its_own kept_words.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** In safe states. *)

Section Claim.
Variables (v x p i : Z).
Hypothesis I : is_word i = true.
Definition its (h : Machine.hw) : Prop := claims h (v + 1) x p.

Lemma entry_leads : forall e o, is_leaf (Machine.level e) (Machine.desc e) = true -> 0 <= o < covers (Machine.level e) ->
  leads (Machine.level e) (Machine.key e) (Machine.desc e) (Machine.key e * covers (Machine.level e) + o) (first_page (Machine.level e) (Machine.desc e) + o).
Proof. intros e o L O. split; [exact L|]. lia. Qed.
Lemma its_entry : forall h e, safe h -> its h -> In e (tlb h) -> maps (Machine.level e) (Machine.desc e) p -> Machine.vmid e = v + 1.
Proof.
  intros h e (_ & _ & _ & S) C IN [L M]. pose proof (entry_leads e (p - first_page (Machine.level e) (Machine.desc e)) L ltac:(lia)) as K.
  destruct (S _ _ _ C _ _ _ _ _ _ (av_tlb _ _ IN) K) as [F _]. apply F. lia.
Qed.
Lemma its_not_free : forall h q, its h -> free q h -> q <> p.
Proof. intros h q C [_ N] ->. apply N. exists (v + 1), x. exact C. Qed.
Lemma its_not_told : forall h q, its (met h) -> ~ secret (met h) q -> ~ claimed q (met h) -> q <> p.
Proof. intros h q C _ N ->. apply N. exists (v + 1), x. exact C. Qed.

(* The log's states are safe, and the page claimed in each: so stores are where they should be. *)
Lemma its_ipa : forall g, all_safe g -> (forall h a, In (h, a) g -> its h) -> at_its_ipa v x p g.
Proof.
  intros g S M h n o j u e IN E V ST. unfold all_safe in S. rewrite Forall_forall in S. specialize (S _ IN). cbn [fst] in S. destruct S as (_ & _ & _ & S).
  unfold Isolation.stores in ST. rewrite E in ST. repeat match goal with H : (_ && _)%bool = true |- _ => apply andb_prop in H as [H ?] end.
  pose proof (S _ _ _ (M _ _ IN) _ _ _ _ _ _ (av_tlb _ _ (nth_error_In _ _ E)) (entry_leads e o ltac:(assumption) ltac:(lia))) as [F1 F2].
  split; [intro Q; now apply F1|intro Q; apply F2; auto].
Qed.

(* One call of a program's. *)
Lemma call_keeps : forall P f args g h r g' h' l, call P f args (Mach g (h, [])) = Some (r, Mach g' (h', l)) -> ok h' -> all_safe l -> (forall h1 a, In (h1, a) l -> its h1) ->
  Map.get (Machine.mem h') (p * 512 + i) = after_log (v + 1) p i l (Map.get (Machine.mem h) (p * 512 + i)).
Proof.
  intros P f args g h r g' h' l E O _ M.
  pose proof (follow_den drop (tracked (v + 1) p i its) (fun s => tracked_same (v + 1) p i its s s eq_refl) (tracked_trans (v + 1) p i its) _ _ _ _ _ _
    (track_load (v + 1) p i its) (track_store (v + 1) p i its) (track_prim (v + 1) p i I its its_entry its_not_free its_not_told) P f args (Mach g (h, []))) as F.
  change (den load store (prim (P := watching)) P f args (Mach g (h, [])) = Some (r, Mach g' (h', l))) in E.
  destruct (den load store prim P f args (drop (Mach g (h, [])))) as [[r1 t]|]; [|rewrite E in F; discriminate].
  destruct F as (s1 & E1 & _ & K). rewrite E1 in E. injection E as _ ->. destruct (K O) as (_ & g2 & EL & _ & W). cbn [C_store.hw fst snd app] in *. subst g2. exact (W M).
Qed.
End Claim.

(** Of a log claims are no part, nor what else is noted. *)

Lemma after_bare : forall v p i l w, after_log v p i (map bare_moment l) w = after_log v p i l w.
Proof.
  intros v p i. induction l as [|[h a] l IH]; intro w; [reflexivity|]. unfold after_log. cbn [map fold_left]. fold (after_log v p i (map bare_moment l)) (after_log v p i l).
  assert (E : after_act v p i (bare_moment (h, a)) w = after_act v p i (h, a) w) by (destruct a as [[]|]; reflexivity). rewrite E. apply IH.
Qed.
Lemma ipa_bare : forall v x p l l', map bare_moment l' = map bare_moment l -> at_its_ipa v x p l' -> at_its_ipa v x p l.
Proof.
  intros v x p l l' E H h n o j u e IN. assert (B : In (bare_moment (h, Some (Write n o j u))) (map bare_moment l')) by (rewrite E; now apply in_map).
  apply in_map_iff in B as ([h2 a2] & EB & IN2). unfold bare_moment in EB. cbn [fst snd] in EB. apply pair_equal_spec in EB as [EH ->].
  assert (T : tlb h2 = tlb h) by (exact (f_equal tlb EH)). assert (G : reg h2 = reg h) by (exact (f_equal reg EH)). assert (M : me h2 = me h) by (exact (f_equal me EH)).
  intros N V S. apply (H h2 n o j u e IN2); [now rewrite T|exact V|]. unfold Isolation.stores, root_vmid, vttbr in *. now rewrite T, G, M.
Qed.

(** A machine with claims. *)

Definition with_claims (K : Z -> Z -> Z -> Prop) (h : Machine.hw) : Machine.hw := h <| claims := K |>.
Lemma with_noted : forall K h, with_claims K h = noted ((secret h, K), ok h) h.
Proof. intros K h. destruct h. reflexivity. Qed.
Lemma related_with : forall a g h (K : Z -> Z -> Z -> Prop), R a (Mach g h) -> (forall v x p, K v x p -> World.keeps (Aset a) v x p) -> R a (Mach g (with_claims K h)).
Proof.
  intros a g h K [W O G (m & X & T) RAM ENG REGS N] C. cbn [C_store.glob C_store.hw] in *. constructor; auto.
  - exists m. split; [|exact T]. destruct X. constructor; auto. constructor; reflexivity.
  - destruct REGS. constructor; auto.
Qed.

(* The log of a watched run: claims as at the start. *)
Definition claims_through (s s' : mach globals (Machine.hw * log)) : Prop := claims (fst (C_store.hw s')) = claims (fst (C_store.hw s)) /\
  exists g, snd (C_store.hw s') = snd (C_store.hw s) ++ g /\ forall h a, In (h, a) g -> claims h = claims (fst (C_store.hw s)).
Lemma way_claims : forall h h1 a, In (h1, a) (way h) -> claims h1 = claims h.
Proof.
  assert (G : forall l h h1 a, In (h1, a) (acting l h) -> claims h1 = claims h).
  { induction l as [|b l IH]; intros h h1 a [E|IN]; try (injection E as <- _; reflexivity); [destruct IN|]. rewrite (IH _ _ _ IN). exact (act_claims b h). }
  intros h h1 a. unfold way. destruct (during h) as [|l rest]; intro IN; rewrite (G _ _ _ _ IN); reflexivity.
Qed.
Lemma through_same : forall s s', C_store.hw s' = C_store.hw s -> claims_through s s'.
Proof. intros s s' E. unfold claims_through. rewrite E. split; [reflexivity|]. exists []. rewrite app_nil_r. split; [reflexivity|]. intros h a []. Qed.
Lemma through_trans : forall a b c, claims_through a b -> claims_through b c -> claims_through a c.
Proof.
  intros a b c (E & g & L & F) (E' & g' & L' & F'). split; [congruence|]. exists (g ++ g'). rewrite L', L, app_assoc. split; [reflexivity|].
  intros h x IN. apply in_app_or in IN as [IN|IN]; [eauto|]. rewrite (F' _ _ IN). exact E.
Qed.
Notation fol := (follows (fun s : mach globals (Machine.hw * log) => s) claims_through).
Lemma fol_claims : forall A (m : M Machine.hw A), claims_stay m -> fol (on_hw (G := globals) (watched m)) (on_hw (watched m)).
Proof.
  intros A m H [g [h l]]. unfold on_hw, watched. cbn [C_store.hw C_store.glob fst snd]. destruct (m h) as [[a h']|] eqn:E; [|reflexivity]. eexists. split; [reflexivity|]. split; [reflexivity|].
  split; [exact (H _ _ _ E)|]. exists (way h). split; [reflexivity|]. cbn [C_store.hw fst]. apply way_claims.
Qed.
Lemma through_refl : forall s, claims_through s s.
Proof. intro s. now apply through_same. Qed.
Lemma through_prim : forall f args, fol (prim (P := watching) f args) (prim (P := watching) f args).
Proof. intros f args. by_prims through_trans through_refl fol_claims. Qed.
Lemma through_load : forall g j, fol (load g j) (load g j).
Proof. intros g j s. unfold load. generalize (place (dims g) j 0). intros [k|]; [|reflexivity]. exists s. split; [reflexivity|]. split; [reflexivity|apply through_refl]. Qed.
Lemma through_store : forall g j x, fol (store g j x) (store g j x).
Proof.
  intros g j x s. unfold store. generalize (place (dims g) j 0). intros [k|]; [|reflexivity]. generalize (set_field g (Map.set (field g (C_store.glob s)) k x) (C_store.glob s)). intro gl.
  eexists. split; [reflexivity|]. split; [reflexivity|now apply through_same].
Qed.
Lemma call_through : forall P f args g h r g' h' l, call P f args (Mach g (h, [])) = Some (r, Mach g' (h', l)) -> forall h1 a, In (h1, a) l -> claims h1 = claims h.
Proof.
  intros P f args g h r g' h' l E.
  pose proof (follow_den (fun s : mach globals (Machine.hw * log) => s) claims_through through_refl through_trans _ _ _ _ _ _ through_load through_store through_prim P f args (Mach g (h, []))) as F.
  unfold call in E. match type of F with match ?x with _ => _ end => change x with (den load store (prim (P := watching)) P f args (Mach g (h, []))) in F end.
  rewrite E in F. destruct F as (s1 & E1 & ES & _ & g1 & EL & K). subst s1. cbn [C_store.hw fst snd app] in *. subst g1. exact K.
Qed.

(* A claim that the engine's theorem covers, of a run without claims: the words of the page, and where stores went. *)
Theorem claim_kept : forall P f args g h r g' h' l v x p (K : Z -> Z -> Z -> Prop) r2 g2 h2 b, K (v + 1) x p ->
  call P f args (Mach g (h, [])) = Some (r, Mach g' (h', l)) ->
  statements.run_of P f args (Mach g (with_claims K h)) = Some (r2, Mach g2 h2) -> R b (Mach g2 h2) ->
  at_its_ipa v x p l /\ forall i, is_word i = true -> Map.get (Machine.mem h') (p * 512 + i) = after_log (v + 1) p i l (Map.get (Machine.mem h) (p * 512 + i)).
Proof.
  intros P f args g h r g' h' l v x p K r2 g2 h2 b C E E2 RB. destruct (R_hw _ _ RB) as (m & W & _). pose proof (w_ok _ _ _ _ _ _ W) as O. cbn [C_store.hw] in O.
  destruct (watched_run P f args g _ r2 g2 h2 E2 O) as (l2 & EW & S).
  pose proof EW as EN. rewrite with_noted in EN. destruct (same_but_noted P f args g _ h r g' h' l r2 g2 h2 l2 E EN) as (-> & -> & EB & EL).
  assert (M : forall h1 a, In (h1, a) l2 -> its v x p h1).
  { intros h1 a IN. unfold its. rewrite (call_through _ _ _ _ _ _ _ _ _ EW h1 a IN). exact C. }
  split; [exact (ipa_bare v x p l l2 EL (its_ipa v x p l2 S M))|]. intros i I.
  pose proof (call_keeps v x p i I P f args g _ r g' h2 l2 EW O S M) as Q. rewrite <- (after_bare _ _ _ l2), EL, after_bare in Q.
  assert (EM : Machine.mem h2 = Machine.mem h') by exact (f_equal Machine.mem EB). rewrite EM in Q. exact Q.
Qed.
