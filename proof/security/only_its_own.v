(* SPDX-License-Identifier: Apache-2.0 *)
(* A page that a VM has to itself changes by its own stores alone: of any program, when no obligation was violated. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.spec Require Import Step Kept.
From nie.spec Require Isolation.
From nie.proof.security Require Import Watched.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Page.
Variables (v p i : Z).
Hypothesis I : is_word i = true.
Let w := p * 512 + i.
Notation word h := (Map.get (Machine.mem h) w).
(* What makes the page the VM's: that it has it to itself (below), or claims it (claim_kept.v). *)
Variable mine : Machine.hw -> Prop.
Hypothesis entry_mine : forall h e, safe h -> mine h -> In e (tlb h) -> maps (Machine.level e) (Machine.desc e) p -> Machine.vmid e = v.
Hypothesis mine_not_free : forall h q, mine h -> free q h -> q <> p.
Hypothesis mine_not_told : forall h q, mine (met h) -> ~ secret (met h) q -> ~ claimed q (met h) -> q <> p.

(** What others do. *)

Lemma word_other : forall q j, is_word j = true -> (q * 512 + j =? w) = (q =? p) && (j =? i).
Proof. intros q j J. unfold w, is_word in *. lia. Qed.

Lemma act_word : forall a h, safe h -> mine h -> word (act_step a h) = after_act v p i (h, Some a) (word h).
Proof.
  intros a h S MI. destruct a; cbn [act_step after_act]; try reflexivity.
  - destruct (nth_error (tlb h) n); auto. now destruct (is_table _ _ && _ && _ && _)%bool.
  - destruct (nth_error (tlb h) n) as [e|] eqn:E; auto. unfold Isolation.stores. rewrite E.
    destruct (is_leaf (Machine.level e) (Machine.desc e) && is_word i0 && (0 <=? o) && (o <? covers (Machine.level e)) && (root_vmid h (Machine.cpu e) =? Machine.vmid e) &&
      negb (Machine.cpu e =? me h))%bool eqn:B; [|now rewrite andb_false_r].
    rewrite andb_true_r. change (Machine.mem (h <| Machine.mem ::= fun m => Map.set m ((first_page (Machine.level e) (Machine.desc e) + o) * 512 + i0) v0 |>))
      with (Map.set (Machine.mem h) ((first_page (Machine.level e) (Machine.desc e) + o) * 512 + i0) v0).
    repeat match goal with H : (_ && _)%bool = true |- _ => apply andb_prop in H as [H ?] end.
    rewrite Map.get_set, Z.eqb_sym, word_other by assumption. destruct (Z.eqb_spec (first_page (Machine.level e) (Machine.desc e) + o) p) as [EP|]; [|now rewrite andb_false_r].
    rewrite (entry_mine h e S MI); [now rewrite Z.eqb_refl|eapply nth_error_In; eauto|]. split; [assumption|]. lia.
  - now destruct ((0 <=? c) && _ && _ && _)%bool.
Qed.

Definition all_mine (g : log) : Prop := forall h a, In (h, a) g -> mine h.

Lemma acting_word : forall l h, all_safe (acting l h) -> all_mine (acting l h) ->
  word (fold_left (fun h a => met (act_step a h)) l h) = after_log v p i (acting l h) (word h) /\ mine (fold_left (fun h a => met (act_step a h)) l h).
Proof.
  induction l as [|a l IH]; intros h S M; cbn [fold_left acting] in *.
  - split; [reflexivity|]. apply (M h None). now left.
  - inversion S as [|x y S1 S2]. subst. cbn [fst] in S1. destruct (IH (met (act_step a h)) S2) as [E MI]; [intros h' a' IN; apply (M h' a'); now right|].
    split; [|exact MI]. rewrite E. unfold after_log. cbn [fold_left]. f_equal. change (word (met (act_step a h))) with (word (act_step a h)). apply act_word; auto. apply (M h (Some a)). now left.
Qed.
Lemma way_word : forall h, all_safe (way h) -> all_mine (way h) -> word (others h) = after_log v p i (way h) (word h) /\ mine (others h).
Proof.
  intros h S M. unfold way, others in *. destruct (during h) as [|l rest].
  - split; [reflexivity|]. apply (M (met h) None). now left.
  - exact (acting_word l (met (h <| during := rest |>)) S M).
Qed.

(** Primitives. *)

(* Met obligations leave the page alone. *)
Definition leaves_it {A} (m : M Machine.hw A) : Prop := forall h a h', m h = Some (a, h') -> ok h' -> mine (others h) -> word h' = word (others h).

Lemma leaves_does : forall f, (forall h, word (f h) = word h) -> leaves_it (does f).
Proof. intros f H h a h' E _ _. injection E as _ <-. apply H. Qed.
Lemma leaves_gives : forall f, leaves_it (gives f).
Proof. intros f h a h' E _ _. injection E as _ <-. reflexivity. Qed.
Lemma leaves_input : leaves_it input.
Proof. intros h a h' E _ _. injection E as _ <-. reflexivity. Qed.
Lemma leaves_word : forall A q j (m : M Machine.hw A), (is_word j = true -> leaves_it m) -> leaves_it (word_of q j m).
Proof. intros A q j m H h a h' E. unfold word_of in E. destruct (Machine.in_ram h q && is_word j)%bool eqn:B; [|discriminate]. apply andb_prop in B as [_ B]. exact (H B h a h' E). Qed.
(* What is stored goes to a page that nobody reaches. *)
Lemma leaves_alone : forall A q (f : Machine.hw -> A * Machine.hw), (forall h, ok (snd (f h)) = ok h) ->
  (forall h, q <> p -> word (snd (f h)) = word h) -> leaves_it (alone q f).
Proof.
  intros A q f O H h a h' E OK M. unfold alone in E. destruct (held _ _); [discriminate|]. injection E as E. apply (f_equal snd) in E. cbn [snd] in E. subst h'.
  rewrite O in OK. destruct OK as [_ PR]. rewrite H by exact (mine_not_free _ _ M PR). reflexivity.
Qed.

Lemma store_other : forall q j x h, q <> p -> is_word j = true -> word (store_word (q * 512 + j) x h) = word h.
Proof.
  intros q j x h N J. change (Map.get (Map.set (Machine.mem h) (q * 512 + j) x) w = word h). rewrite Map.get_set, Z.eqb_sym, word_other by exact J.
  now replace (q =? p) with false by lia.
Qed.
Lemma zero_other : forall n q j h, q <> p -> 0 <= j -> j + Z.of_nat n <= 512 -> word (zero_words n (q * 512 + j) h) = word h.
Proof.
  induction n as [|n IH]; intros q j h N J L; cbn [zero_words]; auto. rewrite <- Z.add_assoc, IH by lia. apply store_other; auto. unfold is_word. lia.
Qed.
Lemma save_other : forall n q j r h, q <> p -> 0 <= j -> j + Z.of_nat n <= 512 -> word (save_words n (q * 512 + j) r h) = word h.
Proof.
  induction n as [|n IH]; intros q j r h N J L; cbn [save_words]; auto. rewrite <- Z.add_assoc, IH by lia. apply store_other; auto. unfold is_word. lia.
Qed.
Lemma load_mem : forall n a r h, Machine.mem (load_words n a r h) = Machine.mem h.
Proof. induction n as [|n IH]; intros; cbn [load_words]; auto. now rewrite IH. Qed.
Lemma zero_fp_mem : forall n r h, Machine.mem (zero_fp n r h) = Machine.mem h.
Proof. induction n as [|n IH]; intros; cbn [zero_fp]; auto. now rewrite IH. Qed.
Lemma others_met : forall h, exists h1, others h = met h1.
Proof.
  intro h. unfold others. destruct (during h) as [|l rest]; [eauto|].
  assert (G : forall l h1, exists h2, fold_left (fun h a => met (act_step a h)) l (met h1) = met h2).
  { clear. induction l as [|a l IH]; intro h1; cbn [fold_left]; eauto. }
  apply G.
Qed.
Lemma leaves_told : forall q j x, is_word j = true -> leaves_it (does (told_word q j x)).
Proof.
  intros q j x J h a h' E OK M. injection E as _ <-. destruct OK as [_ [NS NC]]. destruct (others_met h) as (h1 & E1). rewrite E1 in *.
  change (word (store_word (q * 512 + j) x (met h1)) = word (met h1)). apply store_other; [|exact J]. exact (mine_not_told h1 q M NS NC).
Qed.

(* 512 and 66 of them are not to be unrolled. *)
#[local] Opaque zero_words save_words load_words zero_fp.
Lemma leaves_page_write : forall q j x, leaves_it (Machine.page_write q j x).
Proof. intros q j x. apply leaves_word. intro J. apply leaves_alone; [reflexivity|]. intros h N. now apply store_other. Qed.
Lemma leaves_page_zero : forall q, leaves_it (Machine.page_zero q).
Proof.
  intro q. apply leaves_word. intros _. apply leaves_alone; [intro h; cbn [snd]; rewrite scrub_ok; apply zero_ok|]. intros h N. cbn [snd].
  assert (E : forall z, word (scrub q z) = word z) by reflexivity. rewrite E.
  pose proof (zero_other 512 q 0 h N ltac:(lia) ltac:(lia)) as Z. now rewrite Z.add_0_r in Z.
Qed.
Lemma leaves_fp_save : forall q j, leaves_it (Machine.fp_save q j).
Proof.
  intros q j. apply leaves_word. intro J. apply leaves_word. intro J'. apply leaves_alone; [intro h; apply save_ok|]. intros h N.
  apply save_other; auto; unfold is_word in *; lia.
Qed.
Lemma leaves_fp_load : forall q j, leaves_it (Machine.fp_load q j).
Proof. intros q j. apply leaves_word. intros _. apply leaves_word. intros _. apply leaves_alone; [intro h; apply load_ok|]. intros h _. cbn [snd]. now rewrite load_mem. Qed.
Lemma leaves_page_read : forall q j, leaves_it (Machine.page_read q j).
Proof. intros q j. apply leaves_word. intros _. apply leaves_alone; reflexivity. Qed.

(** Runs. *)

Definition tracked (s s' : mach globals (Machine.hw * log)) : Prop := ok (fst (C_store.hw s')) ->
  ok (fst (C_store.hw s)) /\ exists g, snd (C_store.hw s') = snd (C_store.hw s) ++ g /\ all_safe g /\
    (all_mine g -> word (fst (C_store.hw s')) = after_log v p i g (word (fst (C_store.hw s)))).
Lemma tracked_same : forall s s', C_store.hw s' = C_store.hw s -> tracked s s'.
Proof. intros s s' E O. rewrite E in *. split; [exact O|]. exists []. rewrite app_nil_r. split; [reflexivity|]. split; [constructor|reflexivity]. Qed.
Lemma tracked_trans : forall a b c, tracked a b -> tracked b c -> tracked a c.
Proof.
  intros a b c H K O. destruct (K O) as (O1 & g & E & S & W). destruct (H O1) as (O2 & g' & E' & S' & W'). split; auto.
  exists (g' ++ g). rewrite E, E', app_assoc. split; [reflexivity|]. split; [apply Forall_app; auto|]. intro M.
  rewrite W, W' by (intros h x IN; apply (M h x), in_or_app; auto). unfold after_log. now rewrite fold_left_app.
Qed.
Lemma track : forall A (m : M Machine.hw A), fair m -> leaves_it m -> follows drop tracked (on_hw (G := globals) (watched m)) (on_hw m).
Proof.
  intros A m F LV [gl [h g]]. unfold on_hw, watched, drop. cbn. destruct (m h) as [[a h']|] eqn:E; [|reflexivity].
  eexists. split; [reflexivity|]. split; [reflexivity|]. intro O. cbn in *.
  destruct (way_safe h (F _ _ _ E O)) as [O1 S]. split; auto. exists (way h). split; [reflexivity|]. split; [exact S|]. intro M.
  destruct (way_word h S M) as [EW MI]. now rewrite (LV _ _ _ E O MI), EW.
Qed.

Lemma track_prim : forall f args, follows drop tracked (prim (P := watching) f args) (prim (P := Core.machine) f args).
Proof.
  intros f args. unfold prim.
  repeat match goal with |- follows _ _ (if ?b then _ else _) _ => destruct b end; try apply follow_crash;
    repeat (destruct args as [|? args]; try apply follow_crash);
    (apply follow_bind; [exact tracked_trans| |intro; apply follow_ret; intro; now apply tracked_same]).
  all: apply track; cbn [Core.machine hw_page_read hw_page_write hw_page_zero hw_page_clean hw_host_read hw_host_write hw_manifest_read hw_counter_read
    hw_gicr_read hw_gicr_write hw_engine_lock hw_engine_unlock hw_dsb_ish hw_isb hw_tlbi_vmid hw_tlbi_vmid_local hw_ic_invalidate
    hw_sysreg_read hw_sysreg_write hw_fp_save hw_fp_load hw_fp_zero hw_firmware_call hw_firmware_cpu_on].
  all: lazymatch goal with
    | |- leaves_it (Machine.page_read _ _) => apply leaves_page_read | |- leaves_it (Machine.page_write _ _ _) => apply leaves_page_write
    | |- leaves_it (Machine.page_zero _) => apply leaves_page_zero | |- leaves_it (Machine.fp_save _ _) => apply leaves_fp_save
    | |- leaves_it (Machine.fp_load _ _) => apply leaves_fp_load | |- leaves_it input => apply leaves_input
    | |- leaves_it (gives _) => apply leaves_gives | |- leaves_it (Machine.sysreg_read _) => apply leaves_gives | _ => idtac
    end.
  all: unfold Machine.page_read, Machine.page_write, Machine.page_zero, Machine.page_clean, Machine.host_read, Machine.host_write,
    Machine.engine_lock, Machine.engine_unlock, Machine.dsb_ish, Machine.isb, Machine.tlbi_vmid, Machine.tlbi_vmid_local,
    Machine.ic_invalidate, Machine.sysreg_read, Machine.sysreg_write, Machine.fp_save, Machine.fp_load, Machine.fp_zero.
  all: try (fair; fail).
  all: try (apply leaves_does; reflexivity).
  all: try (apply leaves_word; intro; first [apply leaves_input | apply leaves_told; assumption | apply leaves_does; reflexivity]).
  all: try (apply leaves_does; intro; now rewrite zero_fp_mem).
Qed.
(* The object's array is looked at no further. *)
Lemma track_load : forall g j, follows drop tracked (load g j) (load g j).
Proof.
  intros g j s. unfold load. generalize (place (dims g) j 0). intros [k|]; [|reflexivity].
  exists s. split; [reflexivity|]. split; [reflexivity|now apply tracked_same].
Qed.
Lemma track_store : forall g j x, follows drop tracked (store g j x) (store g j x).
Proof.
  intros g j x s. unfold store. change (C_store.glob (drop s)) with (C_store.glob s). generalize (place (dims g) j 0). intros [k|]; [|reflexivity].
  generalize (set_field g (Map.set (field g (C_store.glob s)) k x) (C_store.glob s)). intro gl.
  exists (Mach gl (C_store.hw s)). split; [reflexivity|]. split; [reflexivity|]. now apply tracked_same.
Qed.
End Page.

(** Of a page that a VM has to itself. *)

Section Alone.
Variables (v p : Z).
Hypothesis V : v <> 0.
Notation mine := (had_alone v p).
(* Who has an entry for the page is the VM. *)
Lemma alone_entry : forall h e, safe h -> mine h -> In e (tlb h) -> maps (Machine.level e) (Machine.desc e) p -> Machine.vmid e = v.
Proof.
  intros h e (S & _) (l & k & d & A & M & U) IN ME. destruct (Z.eq_dec (Machine.vmid e) v) as [E|N]; auto. exfalso.
  destruct (S _ _ _ _ _ _ _ _ p A (av_tlb _ _ IN) M ME ltac:(congruence)) as [[E _]|[_ E]]; auto.
Qed.
Lemma alone_not_free : forall h q, mine h -> free q h -> q <> p.
Proof. intros h q (l & k & d & A & M & _) [P _] ->. apply (P v). exists l, k, d. auto. Qed.
Lemma alone_not_told : forall h q, mine (met h) -> ~ secret (met h) q -> ~ claimed q (met h) -> q <> p.
Proof.
  intros h q (l & k & d & A & M & U) NS _ ->. apply NS. right. exists v, l, k, d. split; [exact V|]. split; [|auto]. clear - A.
  induction A as [e IN|c|v l k d j d' A IH T J W S]; [apply av_tlb; exact IN|refine (av_root _ c)|eapply av_step; [exact IH|exact T|exact J|exact W|exact S]].
Qed.
End Alone.
