(* SPDX-License-Identifier: Apache-2.0 *)
(* A run that is watched (spec/Step.v) is the run that is not, and its log is safe when the run is ok. So a
   theorem on the machine of model/Machine.v is one on every state that the watched machine meets. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.lib Require Import C_const_sound.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.spec Require Import Step.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** Two machines of which one says more: programs do the same on both. *)

Section Follow.
Context {gvar S1 S2 : Type}.
Variable f : S1 -> S2.
Variable I : S1 -> S1 -> Prop.                     (* what one step of the first keeps *)
Hypothesis refl : forall s, I s s.
Hypothesis trans : forall a b c, I a b -> I b c -> I a c.

(* The first does what the second does. *)
Definition follows {A} (m1 : M S1 A) (m2 : M S2 A) : Prop := forall s,
  match m2 (f s) with
  | Some (a, t) => exists s', m1 s = Some (a, s') /\ f s' = t /\ I s s'
  | None => m1 s = None
  end.

Lemma follow_ret : forall A (a : A), follows (ret a) (ret a).
Proof. intros A a s. exists s. auto. Qed.
Lemma follow_crash : forall A, follows (@crash S1 A) crash.
Proof. intros A s. reflexivity. Qed.
Lemma follow_lift : forall A (o : option A), follows (lift o) (lift o).
Proof. intros A [a|]; [apply follow_ret|apply follow_crash]. Qed.
Lemma follow_bind : forall A B (m1 : M S1 A) m2 (k1 : A -> M S1 B) k2,
  follows m1 m2 -> (forall a, follows (k1 a) (k2 a)) -> follows (bind m1 k1) (bind m2 k2).
Proof.
  intros A B m1 m2 k1 k2 Hm Hk s. unfold bind. specialize (Hm s). destruct (m2 (f s)) as [[a t]|].
  - destruct Hm as (s' & -> & <- & X). specialize (Hk a s'). destruct (k2 a (f s')) as [[b u]|]; [|exact Hk].
    destruct Hk as (s2 & -> & <- & Y). exists s2. eauto.
  - now rewrite Hm.
Qed.
Lemma follow_mapM : forall A B (g1 : A -> M S1 B) g2 l, Forall (fun a => follows (g1 a) (g2 a)) l -> follows (mapM g1 l) (mapM g2 l).
Proof.
  intros A B g1 g2 l H. induction H as [|a l H _ IH]; cbn; [apply follow_ret|].
  apply follow_bind; auto. intro b. apply follow_bind; auto. intro. apply follow_ret.
Qed.
Lemma follow_rounds : forall A R n i (a : A) (b1 : Z -> A -> M S1 (C_monad.outcome A R)) b2,
  (forall i a, follows (b1 i a) (b2 i a)) -> follows (rounds n i a b1) (rounds n i a b2).
Proof.
  intros A R n. induction n as [|n IH]; intros i a b1 b2 H; cbn [rounds]; [apply follow_ret|].
  apply follow_bind; auto. intros [a'|r]; auto using follow_ret.
Qed.

Variables (load1 : gvar -> list Z -> M S1 Z) (load2 : gvar -> list Z -> M S2 Z).
Variables (store1 : gvar -> list Z -> Z -> M S1 unit) (store2 : gvar -> list Z -> Z -> M S2 unit).
Variables (prim1 : string -> list Z -> M S1 (list Z)) (prim2 : string -> list Z -> M S2 (list Z)).
Hypothesis L : forall g i, follows (load1 g i) (load2 g i).
Hypothesis St : forall g i v, follows (store1 g i v) (store2 g i v).
Hypothesis P : forall p a, follows (prim1 p a) (prim2 p a).

Section Body.
Variables (c1 : string -> list Z -> M S1 (list Z)) (c2 : string -> list Z -> M S2 (list Z)).
Hypothesis C : forall g a, follows (c1 g a) (c2 g a).

Lemma follow_eval : forall e l, follows (eval load1 c1 l e) (eval load2 c2 l e).
Proof.
  induction e using expr_rect'; intro l; cbn [eval];
    repeat first
    [ apply follow_ret | apply follow_lift | apply L | apply C
    | apply follow_mapM; eapply Forall_impl; [|eassumption]; cbn; intros; solve [auto]
    | apply follow_bind; [solve [auto using follow_mapM]|intro]
    | apply follow_bind; [apply follow_mapM; eapply Forall_impl; [|eassumption]; cbn; solve [auto]|intro]
    | match goal with |- follows (if ?b then _ else _) _ => destruct b end
    | apply follow_bind; [|intro] | solve [auto] ].
Qed.

Lemma follow_evals : forall es l, follows (mapM (eval load1 c1 l) es) (mapM (eval load2 c2 l) es).
Proof. intros es l. apply follow_mapM, Forall_forall. intros. apply follow_eval. Qed.

Lemma follow_exec : forall s l, follows (exec load1 store1 c1 s l) (exec load2 store2 c2 s l).
Proof.
  induction s; intro l; cbn [exec];
    repeat first
    [ apply follow_ret | apply follow_lift | apply follow_evals | apply follow_eval | apply St | apply C
    | apply follow_rounds; intros | solve [auto]
    | match goal with |- follows (index _ ?i) _ => unfold index; destruct (_ && _); [apply follow_ret|apply follow_crash] end
    | match goal with |- follows (match ?o with Next _ => _ | Return _ => _ end) _ => destruct o end
    | match goal with |- follows (if ?b then _ else _) _ => destruct b end
    | apply follow_bind; [|intro] ].
Qed.

Lemma follow_body : forall d a, follows (call_body load1 store1 c1 d a) (call_body load2 store2 c2 d a).
Proof.
  intros d a. unfold call_body. apply follow_bind; [apply follow_lift|intro l]. apply follow_bind; [apply follow_exec|].
  intros [l'|r]; [destruct (Nat.eqb _ _)|destruct (Nat.eqb _ _)]; auto using follow_ret, follow_crash.
Qed.
End Body.

Theorem follow_den : forall (Pr : program gvar) g a, follows (den load1 store1 prim1 Pr g a) (den load2 store2 prim2 Pr g a).
Proof.
  induction Pr as [|d Pr IH]; intros g a; cbn [den]; [apply P|].
  destruct (String.eqb (fname d) g); auto. apply follow_body. exact IH.
Qed.
End Follow.

(** The watched machine. *)

Lemma avail_ok : forall h q v l k d, avail h v l k d -> avail (h <| ok := q |>) v l k d.
Proof.
  intros h q v l k d H. induction H as [e I|c|v l k d i d' H IH T W V Z].
  - apply av_tlb. exact I.
  - refine (av_root _ c).
  - eapply av_step; [exact IH|exact T|exact W|exact V|exact Z].
Qed.
Lemma avail_ok' : forall h q v l k d, avail (h <| ok := q |>) v l k d -> avail h v l k d.
Proof. intros h q v l k d H. apply (avail_ok _ (ok h)) in H. destruct h. exact H. Qed.

Lemma safe_ok : forall h q, safe h -> safe (h <| ok := q |>).
Proof.
  intros h q (A & B & C & D). split; [|split; [|split]].
  - intros v l k d v' l' k' d' p H H'. apply avail_ok' in H, H'. eauto.
  - intros v p (l & k & d & H & M). apply avail_ok' in H. apply (B v). exists l, k, d. auto.
  - intros p S (l & k & d & H & M). apply avail_ok' in H. apply (C p S). exists l, k, d. auto.
  - intros v x p K v' l k d x' p' H. apply avail_ok' in H. exact (D v x p K v' l k d x' p' H).
Qed.

Definition all_safe (g : log) : Prop := Forall (fun m => safe (fst m)) g.

Lemma met_safe : forall h, ok (met h) -> ok h /\ safe (met h).
Proof. intros h [A B]. split; [exact A|]. now apply safe_ok. Qed.

Lemma acting_safe : forall l h, safe h -> ok (fold_left (fun h a => met (act_step a h)) l h) -> ok h /\ all_safe (acting l h).
Proof.
  assert (K : forall a h, ok (act_step a h) = ok h).
  { intros a h. destruct a; cbn [act_step]; auto.
    - destruct (nth_error (tlb h) n); auto. now destruct (is_table _ _ && _ && _ && _).
    - destruct (nth_error (tlb h) n); auto. now destruct (is_leaf _ _ && _ && _ && _ && _ && _).
    - now destruct ((0 <=? c) && _ && _ && _). }
  induction l as [|a l IH]; intros h S O; cbn [fold_left acting] in *.
  - split; auto. apply Forall_cons; [exact S|constructor].
  - assert (E : safe (met (act_step a h)) /\ ok (act_step a h)).
    { assert (G : forall l h, ok (fold_left (fun h a => met (act_step a h)) l h) -> ok h).
      { clear - K. induction l as [|a l IH]; intros h O; cbn [fold_left] in O; auto. apply IH, met_safe in O as [O _]. now rewrite K in O. }
      apply G in O. apply met_safe in O. tauto. }
    destruct E as [E1 E2]. rewrite K in E2. destruct (IH _ E1 O) as [_ A]. split; auto. constructor; auto.
Qed.

Lemma way_safe : forall h, ok (others h) -> ok h /\ all_safe (way h).
Proof.
  intros h O. unfold others, way in *. destruct (during h) as [|l rest].
  - apply met_safe in O as [O S]. split; auto. apply Forall_cons; [exact S|constructor].
  - assert (G : forall l h, ok (fold_left (fun h a => met (act_step a h)) l h) -> ok h).
    { clear. induction l as [|a l IH]; intros h O; cbn [fold_left] in O; auto. apply IH, met_safe in O as [O _].
      destruct a; cbn [act_step] in O; auto.
      - destruct (nth_error (tlb h) n); auto. now destruct (is_table _ _ && _ && _ && _).
      - destruct (nth_error (tlb h) n); auto. now destruct (is_leaf _ _ && _ && _ && _ && _ && _).
      - now destruct ((0 <=? c) && _ && _ && _). }
    pose proof (G _ _ O) as O1. apply met_safe in O1 as [O1 S]. destruct (acting_safe _ _ S O) as [_ A]. auto.
Qed.

Definition fair {A} (m : M Machine.hw A) : Prop := forall h a h', m h = Some (a, h') -> ok h' -> ok (others h).

Lemma fair_does : forall f, (forall h, ok (f h) -> ok h) -> fair (does f).
Proof. intros f H h a h' E O. injection E as _ <-. auto. Qed.
Lemma fair_gives : forall f, fair (gives f).
Proof. intros f h a h' E O. injection E as _ <-. auto. Qed.
Lemma fair_input : fair input.
Proof. intros h a h' E O. injection E as _ <-. exact O. Qed.
Lemma fair_word : forall A p i (m : M Machine.hw A), fair m -> fair (word_of p i m).
Proof. intros A p i m H h a h' E O. unfold word_of in E. destruct (_ && _); [eauto|discriminate]. Qed.
Lemma fair_alone : forall A p (f : Machine.hw -> A * Machine.hw), (forall h, ok (snd (f h)) -> ok h) -> fair (alone p f).
Proof.
  intros A p f H h a h' E O. unfold alone in E. destruct (held _ _); [discriminate|]. injection E as E.
  apply (f_equal snd) in E. cbn in E. rewrite <- E in O. apply H in O. apply O.
Qed.

Lemma zero_ok : forall n w h, ok (zero_words n w h) = ok h.
Proof. induction n as [|n IH]; intros; cbn [zero_words]; auto. now rewrite IH. Qed.
Lemma save_ok : forall n w r h, ok (save_words n w r h) = ok h.
Proof. induction n as [|n IH]; intros; cbn [save_words]; auto. now rewrite IH. Qed.
Lemma load_ok : forall n w r h, ok (load_words n w r h) = ok h.
Proof. induction n as [|n IH]; intros; cbn [load_words]; auto. now rewrite IH. Qed.
Lemma fp_ok : forall n r h, ok (zero_fp n r h) = ok h.
Proof. induction n as [|n IH]; intros; cbn [zero_fp]; auto. now rewrite IH. Qed.

Definition drop (s : mach globals (Machine.hw * log)) : mach globals Machine.hw := Mach (C_store.glob s) (fst (C_store.hw s)).
Definition keeps (s s' : mach globals (Machine.hw * log)) : Prop := ok (fst (C_store.hw s')) ->
  ok (fst (C_store.hw s)) /\ exists g, snd (C_store.hw s') = snd (C_store.hw s) ++ g /\ all_safe g.

Lemma keeps_refl : forall s, keeps s s.
Proof. intros s O. split; auto. exists []. rewrite app_nil_r. split; auto. constructor. Qed.
Lemma keeps_trans : forall a b c, keeps a b -> keeps b c -> keeps a c.
Proof.
  intros a b c H K O. destruct (K O) as (O1 & g & E & G). destruct (H O1) as (O2 & g' & E' & G'). split; auto.
  exists (g' ++ g). rewrite E, E', app_assoc. split; auto. apply Forall_app. auto.
Qed.

Lemma follow_watched : forall A (m : M Machine.hw A), fair m ->
  follows drop keeps (on_hw (G := globals) (watched m)) (on_hw m).
Proof.
  intros A m F [gl [h g]]. unfold on_hw, watched, drop. cbn. destruct (m h) as [[a h']|] eqn:E; [|reflexivity].
  eexists. split; [reflexivity|]. split; [reflexivity|]. intro O. cbn in *.
  destruct (way_safe h (F _ _ _ E O)) as [O1 S]. split; auto. exists (way h). auto.
Qed.

Lemma scrub_ok : forall p h, ok (scrub p h) = ok h.
Proof. reflexivity. Qed.
Ltac fair := repeat first [apply fair_word | apply fair_gives | apply fair_input];
  try first [apply fair_does | apply fair_alone]; try (intro h; cbn [snd]; rewrite ?scrub_ok, ?zero_ok, ?save_ok, ?load_ok, ?fp_ok; first [exact (fun O => O) | exact (fun O => proj1 O)]).

Lemma follow_prim : forall p args, follows drop keeps (prim (P := watching) p args) (prim (P := Core.machine) p args).
Proof.
  intros p args. unfold prim.
  repeat match goal with |- follows _ _ (if ?b then _ else _) _ => destruct b end; try apply follow_crash;
    repeat (destruct args as [|? args]; try apply follow_crash);
    (apply follow_bind; [exact keeps_trans|apply follow_watched|intro; apply follow_ret; exact keeps_refl]).
  all: cbn [Core.machine hw_page_read hw_page_write hw_page_zero hw_page_clean hw_host_read hw_host_write hw_manifest_read hw_counter_read
    hw_gicr_read hw_gicr_write hw_engine_lock hw_engine_unlock hw_dsb_ish hw_isb hw_tlbi_vmid hw_tlbi_vmid_local hw_ic_invalidate
    hw_sysreg_read hw_sysreg_write hw_fp_save hw_fp_load hw_fp_zero hw_firmware_call hw_firmware_cpu_on].
  all: unfold Machine.page_read, Machine.page_write, Machine.page_zero, Machine.page_clean, Machine.host_read, Machine.host_write,
    Machine.engine_lock, Machine.engine_unlock, Machine.dsb_ish, Machine.isb, Machine.tlbi_vmid, Machine.tlbi_vmid_local,
    Machine.ic_invalidate, Machine.sysreg_read, Machine.sysreg_write, Machine.fp_save, Machine.fp_load, Machine.fp_zero; fair.
Qed.

(* The object's array is looked at no further. *)
Lemma follow_load : forall g j, follows drop keeps (load g j) (load g j).
Proof.
  intros g j s. unfold load. generalize (place (dims g) j 0). intros [k|]; [|reflexivity].
  exists s. split; [reflexivity|]. split; [reflexivity|apply keeps_refl].
Qed.
Lemma follow_store : forall g j x, follows drop keeps (store g j x) (store g j x).
Proof.
  intros g j x s. unfold store. change (C_store.glob (drop s)) with (C_store.glob s). generalize (place (dims g) j 0). intros [k|]; [|reflexivity].
  generalize (set_field g (Map.set (field g (C_store.glob s)) k x) (C_store.glob s)). intro gl.
  exists (Mach gl (C_store.hw s)). split; [reflexivity|]. split; [reflexivity|]. intro O; split; [exact O|]; exists []; rewrite app_nil_r; split; [reflexivity|constructor].
Qed.

(* What the program does on the machine, it does when watched; if the run ended [ok], every state met was safe. *)
Theorem watched_run : forall P f args g h r g' h',
  den load store (prim (P := Core.machine)) P f args (Mach g h) = Some (r, Mach g' h') -> ok h' ->
  exists l, call P f args (Mach g (h, [])) = Some (r, Mach g' (h', l)) /\ all_safe l.
Proof.
  intros P f args g h r g' h' E O.
  pose proof (follow_den drop keeps keeps_refl keeps_trans _ _ _ _ _ _ follow_load follow_store follow_prim P f args (Mach g (h, []))) as F.
  change (drop (Mach g (h, []))) with (Mach g h) in F. rewrite E in F. destruct F as ([g1 [h1 l]] & C & D & K).
  injection D as -> ->. exists l. split; [exact C|]. destruct (K O) as (_ & g2 & EL & S). cbn in EL. now subst.
Qed.
