(* SPDX-License-Identifier: Apache-2.0 *)
(* Integrity of a VM's memory, from where its pages are and from what handlers leave in them (kept_words.v): of any program. *)
From Coq Require Import ZArith List Bool Lia ZifyBool String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning configuration_kept.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation statements trap_statement trap_is_safe boot_is_safe Described cpu_start_exact.
From nie.proof Require Theorems.
From nie.generated Require Program.
From nie.spec Require Import Step Exact.
From nie.spec Require Released Isolation Kept.
From nie.proof.security Require Import core_is_safe good_is_exact trace_statement core_is_correct.
From nie.spec Require Answers.
From nie.proof.security Require core_keeps_registers owners_change twins_next twins_trap core_keeps_words core_zeroes_words.
From nie.proof.security Require Import Noted Fed Places Mapped Served Sited core_keeps_map kept_words.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** One place of the lone machine. *)

Lemma own_content : forall w y p g m f, at_its_ipa (Released.vm w) y p g -> m y = Isolation.Page f ->
  exists f', fed (Isolation.own_stores w g) m y = Isolation.Page f' /\ forall i, f' i = Kept.after_log (Released.vm w + 1) p i g (f i).
Proof.
  intros w y p. induction g as [|[h q] g IH]; intros m f A M; [exists f; auto|].
  assert (A' : at_its_ipa (Released.vm w) y p g) by (intros h0 n o j u e I; apply (A h0 n o j u e); now right).
  unfold Isolation.own_stores. cbn [flat_map]. fold (Isolation.own_stores w g). rewrite fold_left_app. unfold Kept.after_log. cbn [fold_left].
  assert (H : exists f1, fed (match q with Some a => Isolation.own_store w h a | None => [] end) m y = Isolation.Page f1 /\ forall i, f1 i = Kept.after_act (Released.vm w + 1) p i (h, q) (f i)).
  { destruct q as [a|]; [|exists f; auto]. destruct a; cbn [Isolation.own_store Kept.after_act]; try (exists f; auto; fail).
    match goal with |- context [nth_error (tlb h) ?n] => destruct (nth_error (tlb h) n) as [e|] eqn:N; [|exists f; auto] end. unfold Released.vmid_of.
    match goal with |- context [Isolation.stores h ?n ?o ?j] => destruct (Machine.vmid e =? Released.vm w + 1) eqn:E1; [destruct (Isolation.stores h n o j) eqn:E2|]; cbn [andb]; [|exists f; auto|exists f; auto] end.
    apply Z.eqb_eq in E1. pose proof (A _ _ _ _ _ e (or_introl eq_refl) N E1 E2) as Q. cbn [fold_left]. rewrite feed_at. cbn [place_of change_of].
    match goal with |- context [y =? ?k] => destruct (Z.eqb_spec y k) as [K|K] end.
    - rewrite M. cbn [wrote]. eexists. split; [reflexivity|]. intro z. cbv beta. rewrite (proj2 (Z.eqb_eq _ _) (proj2 Q (eq_sym K))). cbn [andb]. now rewrite Z.eqb_sym.
    - exists f. split; [exact M|]. intro z. destruct (Z.eqb_spec (first_page (Machine.level e) (Machine.desc e) + o) p) as [K2|K2]; [elim K; symmetry; now apply Q|]. reflexivity. }
  destruct H as (f1 & M1 & H1). destruct (IH _ f1 A' M1) as (f2 & M2 & H2). exists f2. split; [exact M2|]. intro i. rewrite H2, H1. reflexivity.
Qed.

Definition harmless (n : Isolation.input) : Prop := match n with Isolation.Build _ _ | Isolation.AddZero _ | Isolation.Reopen _ => True | _ => False end.
Lemma harmless_page : forall l m y f, Forall harmless l -> m y = Isolation.Page f -> fed l m y = Isolation.Page f.
Proof.
  induction l as [|n l IH]; intros m y f F M; [exact M|]. apply Forall_inv in F as H. apply Forall_inv_tail in F. cbn [fold_left]. apply IH; [exact F|]. rewrite feed_at.
  destruct (_ =? _); [|exact M]. rewrite M. destruct n; try contradiction; reflexivity.
Qed.
Lemma rows_harmless : forall (f : Z -> Isolation.input) n, (forall i, harmless (f i)) -> Forall harmless (map f (numbers n)).
Proof. intros f n H. apply Forall_forall. intros q Q. apply in_map_iff in Q as (i & <- & _). apply H. Qed.
Lemma row_none : forall (f : Z -> Isolation.input) x n m y, (forall i, place_of (f i) = x + i) -> 0 <= n -> among x n y = false -> fed (map f (numbers (Z.to_nat n))) m y = m y.
Proof. intros f x n m y F N A. rewrite (row_at f x _ m y F), Z2Nat.id by exact N. unfold among in A. now rewrite A. Qed.

Section Feeds.
Variables (w : Released.who) (s s' : Step.machine) (g : log) (l : label).
Notation ok f := (Released.succeeded f w s s' l).
Notation arg := (argument s s' l).
Lemma arg_range : forall i, 0 <= arg i.
Proof.
  intro i. unfold argument, Released.host_call_of. destruct l as [|c e ins d|]; try lia. destruct (_ && _ && _)%bool; [|lia]. apply Z.mod_pos_bound. reflexivity.
Qed.
Definition comes : list Isolation.input :=
  (if ok NIE_PAGE_ADD then map (fun i => Isolation.Build (arg 2 / 4096 + i) (Isolation.page_words s' (arg 3 / 4096 + i))) (numbers (Z.to_nat (arg 4))) else []) ++
  (if ok NIE_PAGE_ADD_ZERO then map (fun i => Isolation.AddZero (arg 2 / 4096 + i)) (numbers (Z.to_nat (arg 4))) else []).
Definition goes : list Isolation.input := if ok NIE_PAGE_REMOVE then map (fun i => Isolation.Take (arg 2 / 4096 + i)) (numbers (Z.to_nat (arg 3))) else [].
Lemma feeds_are : exists last, Forall harmless last /\ Isolation.feeds w s s' g l = comes ++ Isolation.own_stores w (Kept.moments s l g) ++ goes ++ last.
Proof.
  unfold comes, goes, argument. destruct l as [[a| | |]|c e ins d|c ins d].
  1-4: exists []; split; [constructor|]; cbn; now rewrite ?app_nil_r.
  - eexists. split; [|unfold Isolation.feeds; cbv beta iota zeta; cbn [Kept.moments]; rewrite <- app_assoc; reflexivity]. destruct (_ && _ && _ && _)%bool; repeat constructor.
  - exists []. split; [constructor|]. cbn. now rewrite ?app_nil_r.
Qed.
Lemma comes_harmless : Forall harmless comes.
Proof.
  unfold comes. apply Forall_app. split; [destruct (ok NIE_PAGE_ADD)|destruct (ok NIE_PAGE_ADD_ZERO)]; try constructor; apply rows_harmless; exact (fun _ => Logic.I).
Qed.
Lemma kept_content : forall y p m f, m y = Isolation.Page f -> at_its_ipa (Released.vm w) y p (Kept.moments s l g) -> (ok NIE_PAGE_REMOVE = true -> among (arg 2 / 4096) (arg 3) y = false) ->
  exists f', fed (Isolation.feeds w s s' g l) m y = Isolation.Page f' /\ forall i, f' i = Kept.after_log (Released.vm w + 1) p i (Kept.moments s l g) (f i).
Proof.
  intros y p m f M A R. destruct feeds_are as (last & H & ->). rewrite !fold_left_app. pose proof (harmless_page _ m y f comes_harmless M) as M1.
  destruct (own_content w y p _ _ f A M1) as (f' & M2 & E). exists f'. split; [|exact E]. apply harmless_page; [exact H|]. unfold goes.
  destruct (ok NIE_PAGE_REMOVE) eqn:K; [|exact M2]. rewrite (row_none _ (arg 2 / 4096)); [exact M2|reflexivity|apply arg_range|now apply R].
Qed.
(* A page comes where nothing is. *)
Lemma only_one : forall f k, ok f = true -> ok k = true -> f = k.
Proof.
  intros f k. unfold Released.succeeded. destruct (Released.host_call_of s s' l) as [[[h a] st]|]; [|discriminate]. intros A B. apply andb_prop in A as [A _]. apply andb_prop in A as [A _]. apply andb_prop in B as [B _]. apply andb_prop in B as [B _]. lia.
Qed.
Lemma none_but : forall f k, ok f = true -> f <> k -> ok k = false.
Proof. intros f k F N. destruct (ok k) eqn:K; [|reflexivity]. elim N. now apply only_one. Qed.
Lemma new_content : forall y m f0, (ok NIE_PAGE_ADD = true /\ f0 = Isolation.page_words s' (arg 3 / 4096 + (y - arg 2 / 4096))) \/ (ok NIE_PAGE_ADD_ZERO = true /\ f0 = fun _ => 0) ->
  among (arg 2 / 4096) (arg 4) y = true -> m y = Isolation.Empty -> exists last, Forall harmless last /\ fed comes m y = Isolation.Page f0 /\
    Isolation.feeds w s s' g l = comes ++ Isolation.own_stores w (Kept.moments s l g) ++ last.
Proof.
  intros y m f0 K A M. destruct feeds_are as (last & H & E). exists last. split; [exact H|].
  assert (NR : ok NIE_PAGE_REMOVE = false) by (destruct K as [[K _]|[K _]]; apply (none_but _ _ K); discriminate). split; [|rewrite E; unfold goes; rewrite NR; reflexivity].
  unfold comes. rewrite fold_left_app. unfold among in A. destruct K as [[K ->]|[K ->]]; rewrite K.
  - rewrite (none_but _ NIE_PAGE_ADD_ZERO K) by discriminate. cbn [fold_left]. rewrite (row_at _ (arg 2 / 4096)) by reflexivity. rewrite Z2Nat.id by apply arg_range. rewrite A, M. reflexivity.
  - rewrite (none_but _ NIE_PAGE_ADD K) by discriminate. cbn [fold_left]. rewrite (row_at _ (arg 2 / 4096)) by reflexivity. rewrite Z2Nat.id by apply arg_range. rewrite A, M. reflexivity.
Qed.
Lemma from_host : forall f, ok f = true -> exists c e ins d args, l = Trap c e ins d /\ Released.host_call_of s s' l = Some (f, args, NIE_OK) /\ args 1 = Released.vm w /\
  (forall i, args i = arg i) /\ Kept.moments s l g = g.
Proof.
  intros f K. unfold Released.succeeded in K. destruct (Released.host_call_of s s' l) as [[[h args] st]|] eqn:H; [|discriminate K].
  apply andb_prop in K as [K K3]. apply andb_prop in K as [K1 K2]. apply Z.eqb_eq in K1. apply Z.eqb_eq in K2. apply Z.eqb_eq in K3. subst h st.
  destruct l as [|c e ins d|]; try discriminate H. exists c, e, ins, d, args. unfold argument. rewrite H. auto 6.
Qed.
Lemma spent_stays : forall y m, ok NIE_PAGE_ADD = true \/ ok NIE_PAGE_ADD_ZERO = true -> 0 <= Released.vm w -> m y = Isolation.Spent -> shape_of (fed (Isolation.feeds w s s' g l) m y) = Closed.
Proof.
  intros y m K V M. assert (X : exists f, ok f = true /\ (f = NIE_PAGE_ADD \/ f = NIE_PAGE_ADD_ZERO)) by (destruct K; eauto). destruct X as (f & X & F).
  destruct (from_host f X) as (c & e & ins & d & args & EL & H & A1 & AR & _). rewrite EL in *.
  assert (R : Released.runs_b s c (Released.vmid_of w) = false).
  { unfold Released.host_call_of in H. destruct (Released.runs_b s c 0) eqn:R0; [|discriminate H]. unfold Released.runs_b, Released.vmid_of in *. lia. }
  pose proof (call_feeds w s s' g c e ins d f args NIE_OK m y H ltac:(intro i; rewrite AR; rewrite <- EL; apply arg_range) R) as E. unfold shapes in E. rewrite E. unfold after. rewrite A1, Z.eqb_refl. change (NIE_OK =? NIE_OK) with true. cbn [andb negb].
  assert (Q : (f =? NIE_PAGE_ADD) || (f =? NIE_PAGE_ADD_ZERO) = true) by (destruct F as [-> | ->]; reflexivity). rewrite Q. unfold row. rewrite M. now destruct (among _ _ _).
Qed.
End Feeds.

(** Runs. *)

Lemma there_owned : forall a v y p, wf a -> at_ipa a v y = There p -> State.in_ram a p = true /\ own a p = Data v y.
Proof.
  intros a v y p W T. unfold at_ipa in T. assert (B : match slot_at a v 2 (y / 512) with ToBlock q => There (q + y mod 512) | _ => Nothing end = There p -> State.in_ram a p = true /\ own a p = Data v y).
  { clear T. intro T. destruct (slot_at a v 2 (y / 512)) as [| |q|q|q|q] eqn:S; try discriminate T. injection T as <-. destruct (wf_blk _ W _ _ _ _ S) as (_ & _ & R).
    destruct (R (y mod 512)) as [R1 R2]; [unfold is_word; Z.to_euclidean_division_equations; lia|]. split; [exact R1|]. rewrite R2. f_equal. Z.to_euclidean_division_equations; lia. }
  destruct (slot_at a v 3 y) as [| |q|q|q|q] eqn:S; try (now apply B); try discriminate T. injection T as <-. destruct (wf_page _ W _ _ _ _ S) as (_ & R & O). auto.
Qed.

Section Runs.
Variable P : program gvar.
Hypothesis TC : trap_correct P.
Hypothesis TS : trap_safe P.
Hypothesis SC : start_correct P.
Hypothesis SS : start_safe P.
Hypothesis KW : keeps_words P.
Hypothesis ZW : zeroes_words P.
Hypothesis AQ : adds_quietly P.
Variable w : Released.who.
Notation v := (Released.vm w).
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Notation created tr s0 := (Released.count P NIE_VM_CREATE w s0 tr).
Notation destroyed tr s0 := (Released.count P NIE_VM_DESTROY w s0 tr).

(* Data is in the lower half of a VM's IPA space, on any run (owners_change.v). *)
Definition low (a : state) : Prop := forall p u y, 0 <= u -> State.in_ram a p = true -> own a p = Data u y -> y < 2 ^ 26.
Lemma step_low : forall a b s l s' g, low a -> good a s -> next P s l = Ok s' g -> good b s' -> low b.
Proof.
  intros a b s l s' g L G E GB p u y U R O.
  assert (ST : exists b1, good b1 s' /\ owners_change.mild a b1 /\ cfg b1 = cfg a).
  { destruct l as [d|c e i d|c i d].
    - cbn [next] in E. injection E as <- _. exists a. split; [now apply good_do|]. split; [now apply owners_change.mild_same|reflexivity].
    - destruct (twins_next.trap_went P TS a s c e i d s' g G E) as (b1 & [GB1 M1 C1 _]). exists b1. auto.
    - destruct (twins_next.start_went P SS a s c i d s' g G E) as (b1 & [GB1 M1 C1 _]). exists b1. auto. }
  destruct ST as (b1 & GB1 & M & CF). pose proof (go_globals _ _ GB) as HB. pose proof (go_globals _ _ GB1) as H1.
  assert (R1 : State.in_ram b1 p = true) by (rewrite (twins_trap.same_ram b b1 _ HB H1 p); exact R).
  assert (O1 : own b1 p = Data u y) by (rewrite <- O; exact (twins_trap.same_owner b b1 _ p HB H1 R)).
  destruct (owners_change.mild_low _ _ M p u y U O1) as [OA|X]; [|exact X]. apply (L p u y U); [|exact OA]. unfold State.in_ram in *. now rewrite <- CF.
Qed.

Definition same_words (a : state) (s : Step.machine) (m : Z -> Isolation.content) : Prop := forall y p, at_ipa a v y = There p ->
  exists f, m y = Isolation.Page f /\ forall i, is_word i = true -> word_at s p i = f i.
Lemma idle : forall a, all_noted a -> idle_while_built a v.
Proof. intros a AN c C X. destruct (AN v V) as [k N]. destruct (no_on _ _ _ N c C X) as (_ & _ & NB). exact NB. Qed.
Lemma after_log_eq : forall u p i g z z', z = z' -> Kept.after_log u p i g z = Kept.after_log u p i g z'.
Proof. now intros u p i g z z' ->. Qed.

Lemma step_words : forall z a b s l s' g m, cfg b = cfg a -> all_noted a -> low a -> good a s -> described z a (glob s) -> next P s l = Ok s' g -> good b s' -> sited a v (shapes m) -> sited b v (shapes (fed (Isolation.feeds w s s' g l) m)) ->
  comes_and_goes w a b s s' l -> low b -> same_words a s m -> same_words b s' (fed (Isolation.feeds w s s' g l) m).
Proof.
  intros z a b s l s' g m CF AN LOW G D E GB SA SB (C1 & C2) LOW' H y p T. cbv zeta in C1, C2. pose proof (so_wf _ (go_sound _ _ G)) as W. pose proof (so_wf _ (go_sound _ _ GB)) as WB.
  destruct (there_owned b v y p WB T) as [RB OB]. destruct (C1 y p T) as [T0|(T0 & K & A & EP & OH)].
  - destruct (H y p T0) as (f & M & F). destruct (there_owned a v y p W T0) as [RA OA]. destruct (KW z a b s l s' g v p p y G D E GB RA RB V (LOW p v y ltac:(lia) RA OA) OA OB) as (_ & AT & WO).
    destruct (kept_content w s s' g l y p m f M AT) as (f' & M' & F').
    { intro K. destruct (among _ _ y) eqn:I; [|reflexivity]. rewrite (C2 K y I) in T. discriminate T. }
    exists f'. split; [exact M'|]. intros i I. rewrite F', (WO i I). apply after_log_eq. now apply F.
  - pose proof (SB y) as S. rewrite T in S. pose proof (SA y) as S0. rewrite T0 in S0. unfold shapes in S, S0.
    assert (RA : State.in_ram a p = true) by (unfold State.in_ram in *; now rewrite <- CF).
    assert (M : m y = Isolation.Empty).
    { destruct (m y) as [| |f] eqn:M; [reflexivity| |destruct S0 as [S0|[S0 _]]; discriminate S0]. exfalso. rewrite (spent_stays w s s' g l y m K ltac:(lia) M) in S. discriminate S. }
    destruct K as [K|K].
    + destruct (new_content w s s' g l y m (Isolation.page_words s' p) ltac:(left; split; [exact K|now rewrite EP]) A M) as (last & HL & MC & ->).
      rewrite !fold_left_app. assert (NO : Isolation.own_stores w (Kept.moments s l g) = []) by (destruct (from_host w s s' g l _ K) as (_ & _ & _ & _ & _ & _ & _ & _ & _ & ->); exact (AQ z w a s l s' g V G D (idle a AN) E K)). rewrite NO. cbn [fold_left].
      exists (Isolation.page_words s' p). split; [now apply harmless_page|reflexivity].
    + destruct (new_content w s s' g l y m (fun _ => 0) ltac:(right; auto) A M) as (last & HL & MC & ->). assert (LB : y < 2 ^ 26) by exact (LOW' p v y ltac:(lia) RB OB).
      destruct (ZW z w a b s l s' g p y V G D E GB K RB LB ltac:(rewrite OH; discriminate) OB) as [AT WO].
      assert (EM : Kept.moments s l g = g) by (destruct (from_host w s s' g l _ K) as (_ & _ & _ & _ & _ & _ & _ & _ & _ & Q); exact Q). rewrite EM, !fold_left_app. destruct (own_content w y p g _ _ AT MC) as (f' & M' & F'). exists f'. split; [now apply harmless_page|].
      intros i I. rewrite F'. now apply WO.
Qed.

Record with_words (cr de : nat) (a : state) (s : Step.machine) (m : Z -> Isolation.content) : Prop := {
  ww_far : so_far w cr de a m;
  ww_words : cr = Released.inc w -> (de < Released.inc w)%nat -> same_words a s m;
}.
Notation once f s s' l := (core_keeps_map.once w f s s' l).
Lemma words_go_on : forall z a b s l s' g cr de m, cfg b = cfg a -> all_noted a -> low a -> low b -> good a s -> described z a (glob s) -> next P s l = Ok s' g -> good b s' -> step_follows w a b s s' g l -> with_words cr de a s m ->
  let cr' := (cr + once NIE_VM_CREATE s s' l)%nat in let de' := (de + once NIE_VM_DESTROY s s' l)%nat in
  with_words cr' de' b s' (if Nat.eqb cr' (Released.inc w) && Nat.ltb de' (Released.inc w) then fed (Isolation.feeds w s s' g l) m else m).
Proof.
  intros z a b s l s' g cr de m CF AN LOW LOW' G D E GB F [A H] cr' de'. pose proof (one_more w a b s s' g l cr de m F A) as O. cbv zeta in O. constructor; [exact O|]. intros Q L.
  rewrite (proj2 (Nat.eqb_eq _ _) Q), (proj2 (Nat.ltb_lt _ _) L). cbn [andb]. destruct F as (F1 & F2 & F3). destruct A as [C N A]. unfold cr', de', core_keeps_map.once in Q, L.
  destruct (Released.succeeded NIE_VM_CREATE w s s' l) eqn:K1; [destruct (F1 eq_refl) as (_ & _ & NO & _); intros y p T; rewrite NO in T; discriminate T|].
  destruct (Released.succeeded NIE_VM_DESTROY w s s' l) eqn:K2; [destruct (F2 eq_refl) as (NF & _); destruct C as [[FR _]|[_ C]]; [contradiction|lia]|].
  rewrite Nat.add_0_r in Q, L. destruct (F3 eq_refl eq_refl) as (_ & ST & CG). exact (step_words z a b s l s' g m CF AN LOW G D E GB (A Q L) (ST m (A Q L)) CG LOW' (H Q L)).
Qed.

Lemma run_words : forall z s0 tr past a s g0 m t g, good a s -> described z a (glob s) -> all_noted a -> low a -> Step.run P s0 past = Ok s g0 -> with_words (created past s0) (destroyed past s0) a s m -> Step.run P s tr = Ok t g ->
  exists b, good b t /\ with_words (created (past ++ tr) s0) (destroyed (past ++ tr) s0) b t (fed (Isolation.inputs_to P w s past tr s0) m).
Proof.
  intros z s0. induction tr as [|l tr IH]; intros past a s g0 m t g G D AN LOW R0 A R; cbn [Step.run] in R; cbn [Isolation.inputs_to].
  - inversion R; subst. exists a. rewrite app_nil_r. auto.
  - destruct (next P s l) as [s' g1| |] eqn:E; try discriminate R. destruct (Step.run P s' tr) as [t' g2| |] eqn:R2; try discriminate R. inversion R; subst.
    destruct (step_goes P TC TS SC w V z a s l s' g1 G D E) as (b & GB & DB & F & BN). destruct (run_on P l past s0 s g0 s' g1 R0 E) as (g3 & R3).
    assert (CF : cfg b = cfg a) by (destruct D as [D _], DB as [DB _]; congruence).
    pose proof (step_low a b s l s' g1 LOW G E GB) as LOW'.
    pose proof (words_go_on z a b s l s' g1 _ _ m CF AN LOW LOW' G D E GB F A) as O. cbv zeta in O. rewrite <- (count_on P w NIE_VM_CREATE l past s0 s g0 s' g1 R0 E), <- (count_on P w NIE_VM_DESTROY l past s0 s g0 s' g1 R0 E) in O.
    rewrite fold_left_app. change ((Nat.eqb (created (past ++ [l]) s0) (Released.inc w) && Nat.ltb (destroyed (past ++ [l]) s0) (Released.inc w))%bool) with (Released.live P s0 (past ++ [l]) w) in O.
    replace (fed (if Released.live P s0 (past ++ [l]) w then Isolation.feeds w s s' g1 l else []) m) with (if Released.live P s0 (past ++ [l]) w then fed (Isolation.feeds w s s' g1 l) m else m) by now destruct (Released.live P s0 (past ++ [l]) w).
    destruct (IH (past ++ [l]) b s' g3 _ t g2 GB DB (BN AN) LOW' R3 O R2) as (e & GE & SE). exists e. split; [exact GE|]. replace (past ++ l :: tr) with ((past ++ [l]) ++ tr) by (rewrite <- app_assoc; reflexivity). exact SE.
Qed.
End Runs.

Theorem memory_after_boot : forall P, boot_correct P -> boot_describing P -> trap_correct P -> trap_safe P -> start_correct P -> start_safe P ->
  keeps_words P -> zeroes_words P -> adds_quietly P -> Isolation.memory_integral (after_boot P) P.
Proof.
  intros P BC BD TC TS SC SS KW ZW AQ s tr t g w ST R LV l k d o A L O U.
  destruct (keeps_map_after_boot P BC BD TC TS SC s tr t g w ST R LV l k d o A L O U) as (words & M). exists words. split; [exact M|].
  destruct ST as (h & RS & BO). destruct (boot_good P h s BC RS BO) as [G OK]. pose proof (boot_described P h s BD RS BO) as D.
  destruct (boot_refines.first_facts (manifest h) (rs_words _ RS) OK) as (_ & _ & FR & HO).
  assert (ALL : forall u, 0 <= Released.vm u < NIE_MAX_VMS -> exists b, good b t /\
    with_words u (Released.count P NIE_VM_CREATE u s tr) (Released.count P NIE_VM_DESTROY u s tr) b t (Isolation.ideal (Isolation.inputs_to P u s [] tr s))).
  { intros u V. refine (run_words P TC TS SC SS KW ZW AQ u V (manifest h) s tr [] _ s [] _ t g G D _ _ eq_refl _ R); [intros x X; exists Answers.no_book; apply core_keeps_registers.nothing_noted; [exact X|exact (Booted.fr_vm _ FR)|exact HO]| |].
    { intros p y z _ _ Q. rewrite (Booted.fr_own _ FR) in Q. match type of Q with (if ?b then _ else _) = _ => destruct b; discriminate Q end. }
    assert (N : so_far u 0 0 (spec_boot (manifest h)) (fun _ => Isolation.Empty)) by exact (none_sited u _ (Booted.fr_vm _ FR)). constructor; [exact N|]. intros E Q. cbn [Released.count app] in E, Q. lia. }
  unfold Released.live in LV. apply andb_prop in LV as [LV1 LV2]. apply Nat.eqb_eq in LV1. apply Nat.ltb_lt in LV2. unfold Released.vmid_of in A.
  destruct (Z_lt_ge_dec (Released.vm w) 0) as [N|N]; [rewrite never_created in LV1 by exact N; lia|]. destruct (Z_lt_ge_dec (Released.vm w) NIE_MAX_VMS) as [V|V].
  - destruct (ALL w ltac:(lia)) as (b & GB & [_ WW]). destruct (WW LV1 LV2 _ _ (loads_there b t (Released.vm w) GB l k d o ltac:(lia) A L O U)) as (f & M' & F).
    rewrite M in M'. injection M' as ->. exact F.
  - exfalso. destruct (ALL (Released.Who 0 0) ltac:(cbn; unfold NIE_MAX_VMS; lia)) as (b & GB & _). apply (on_map b t GB) in A. destruct A as [(E & _)|(i & E & I & _)]; unfold NIE_MAX_VMS in *; lia.
Qed.

(* With what is proved of each of the engine's handlers. *)
Theorem core_keeps_memory : Isolation.memory_integral (after_boot Program.core) Program.core.
Proof.
  exact (memory_after_boot Program.core Theorems.boot_is_correct Theorems.boot_describes Theorems.trap_is_correct Theorems.trap_is_safe Theorems.start_is_correct Theorems.start_is_safe
    core_keeps_words.core_keeps_words core_zeroes_words.core_zeroes_words core_zeroes_words.core_adds_quietly).
Qed.
