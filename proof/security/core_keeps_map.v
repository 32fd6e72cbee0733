(* SPDX-License-Identifier: Apache-2.0 *)
(* Where a VM's pages are is the host's choice only within what the lone machine of spec/Isolation.v is fed: from boot's end, whatever software does
   on any CPU, what a VM can load from lies where that machine has a page. Nothing is put where the VM's pages were taken, and nothing comes but by PAGE_ADD and PAGE_ADD_ZERO. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers.
Require nie.spec.trap.trap nie.spec.trap.boot.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning configuration_kept.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation statements trap_statement trap_is_safe boot_is_safe Described cpu_start_exact.
From nie.proof Require Theorems.
From nie.generated Require Program.
From nie.spec Require Import Step Exact.
From nie.spec Require Released Isolation Placed Answers.
From nie.proof.security Require Import core_is_safe good_is_exact trace_statement core_is_correct.
From nie.proof.security Require Import Calm Noted Built Followed Fed Places Relaid Unmoved Mapped Served Sited.
From nie.proof.security Require core_keeps_registers.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
#[local] Opaque vectors_save vectors_load run_of call.

(** Any step. *)

Section Steps.
Variable P : program gvar.
Hypothesis TC : trap_correct P.
Hypothesis TS : trap_safe P.
Hypothesis SC : start_correct P.
Variable w : Released.who.
Notation v := (Released.vm w).
Hypothesis V : 0 <= v < NIE_MAX_VMS.

Definition all_noted (a : state) : Prop := forall u, 0 <= u < NIE_MAX_VMS -> exists ku, noted u ku a.
Definition step_follows (a b : state) (s s' : Step.machine) (g : log) (l : label) : Prop :=
  let ok f := Released.succeeded f w s s' l in
  let step m := shapes (fed (Isolation.feeds w s s' g l) m) in
  (ok NIE_VM_CREATE = true -> free a v /\ ~ free b v /\ (forall y, at_ipa b v y = Nothing) /\ forall m, (forall y, shapes m y = Nowhere) -> sited b v (step m)) /\
  (ok NIE_VM_DESTROY = true -> ~ free a v /\ free b v) /\
  (ok NIE_VM_CREATE = false -> ok NIE_VM_DESTROY = false -> (free b v <-> free a v) /\ (forall m, sited a v (shapes m) -> sited b v (step m)) /\ comes_and_goes w a b s s' l).
(* Where nobody calls: what is fed is the VM's own stores. *)
Lemma stays_follows : forall a b s s' g l, slots b = slots a -> vms b = vms a -> Released.host_call_of s s' l = None ->
  Forall is_own (Isolation.feeds w s s' g l) -> step_follows a b s s' g l.
Proof.
  intros a b s s' g l S E N F. unfold step_follows, Released.succeeded. cbv zeta. rewrite N. split; [discriminate|]. split; [discriminate|]. intros _ _.
  assert (GO : goes_on v a b) by (apply goes_eq; unfold vm_at; now rewrite E). split; [apply GO|]. split.
  - intros m A. apply (sited_ext v b (shapes m)); [intro y; now apply own_shape|]. apply (sited_same v a b); [exact GO|intro y; now apply at_same|exact A].
  - apply nothing_comes; [intros f K; unfold Released.succeeded in K; rewrite N in K; discriminate K|intros y p; now rewrite (at_same a b v y S)].
Qed.

Lemma arrives_same : forall c s h a, slots (arrives c s h a) = slots a /\ vms (arrives c s h a) = vms a.
Proof. intros. split; reflexivity. Qed.
Lemma start_vms : forall c a, vms (nie.spec.trap.boot.cpu_start c a) = vms a.
Proof. intros. unfold nie.spec.trap.boot.cpu_start, nie.spec.Switch.controls_host, nie.spec.Switch.controls_both. cbv zeta. now rewrite !vms_regs. Qed.
Lemma next_starts : forall z a s c i d s' g, good a s -> described z a (glob s) -> next P s (Start c i d) = Ok s' g ->
  exists b, good b s' /\ described z b (glob s') /\ slots b = slots a /\ vms b = vms a /\ calm a b.
Proof.
  intros z a s c i d s' g G D E. pose proof (next_correct P TC TS SC z a s (Start c i d) G D) as N. rewrite E in N. destruct N as (b & GB & DB & K).
  specialize (K [] b s' (Ended P b s')). exists b. split; [exact GB|]. split; [exact DB|].
  inversion K as [| | |? ? ? ? ? ? s1 g0 ? ? a1 R1 R2 R3 R4]; subst. inversion R4; subst. destruct (arrives_same c s (enter c i d (hw s)) a) as [<- <-]. split; [apply cpu_start_slots|]. split; [apply start_vms|]. unfold a1. apply calm_start, calm_arrives.
Qed.

Lemma own_only : forall s s' g l, match l with Trap _ _ _ _ => False | _ => True end -> Forall is_own (Isolation.feeds w s s' g l) /\ Released.host_call_of s s' l = None.
Proof.
  intros s s' g l T. split; [|destruct l; [reflexivity|contradiction|reflexivity]]. destruct l as [[]|c e i d|c i d]; try contradiction; cbn [Isolation.feeds]; try constructor; try apply own_store_own.
  unfold Released.succeeded. cbn. rewrite app_nil_r. apply own_stores_own.
Qed.

Lemma step_goes : forall z a s l s' g, good a s -> described z a (glob s) -> next P s l = Ok s' g ->
  exists b, good b s' /\ described z b (glob s') /\ step_follows a b s s' g l /\ (all_noted a -> all_noted b).
Proof.
  intros z a s l s' g G D E. destruct l as [x|c e i d|c i d].
  - destruct (next_follows P TC TS SC z a s _ s' g G D E) as (b & GB & DB & F). cbn [follows] in F. subst b. exists a. split; [exact GB|]. split; [exact DB|].
    destruct (own_only s s' g (Do x) Logic.I). split; [now apply stays_follows|auto].
  - destruct (next_follows P TC TS SC z a s _ s' g G D E) as (b & GB & DB & F). exists b. split; [exact GB|]. split; [exact DB|]. destruct F as (C & PO & LV & content & EB).
    split.
    2:{ intros ALL u U. destruct (ALL u U) as [ku NU]. exists (Answers.follow (Released.Who u 0) ku s s' (Trap c e i d)).
      exact (proj1 (core_keeps_registers.step_right (Released.Who u 0) ku a b s s' c e i d content U G GB NU ALL C PO LV EB)). }
    pose proof (exception_follows w a b s s' g c e i d content V G GB C LV EB) as (F1 & F2 & F3). unfold step_follows. cbv zeta.
    destruct (arrives_same c s (take c e (enter c i d (hw s))) a) as [SA VA].
    assert (FA : free (arrived c e i d s a) v <-> free a v) by (unfold free, vm_at, arrived; rewrite VA; tauto).
    split; [intro K; destruct (F1 K) as (Q1 & Q2); split; [now apply FA|exact Q2]|]. split; [intro K; destruct (F2 K) as (Q1 & Q2); split; [now rewrite <- FA|exact Q2]|].
    intros K1 K2. destruct (F3 K1 K2) as (Q1 & Q2 & Q3 & Q4). split; [now rewrite Q1|]. split.
    + intros m A. apply Q2. apply (sited_same v a); [apply goes_eq; unfold vm_at, arrived; now rewrite VA|intro y; now apply at_same|exact A].
    + split; [|exact Q4]. intros y p T. specialize (Q3 y p T). rewrite (at_same a (arrived c e i d s a) v y SA) in Q3. exact Q3.
  - destruct (next_starts z a s c i d s' g G D E) as (b & GB & DB & S & VM & CA). exists b. split; [exact GB|]. split; [exact DB|].
    destruct (own_only s s' g (Start c i d) Logic.I). split; [now apply stays_follows|]. intros ALL u U. destruct (ALL u U) as [ku NU]. exists ku.
    exact (still_noted u ku a b U (runners_range a (wf_runners a (so_wf _ (go_sound _ _ G)))) (calm_still u a b CA) NU).
Qed.

(** Runs. *)

Notation created tr s0 := (Released.count P NIE_VM_CREATE w s0 tr).
Notation destroyed tr s0 := (Released.count P NIE_VM_DESTROY w s0 tr).
Record so_far (cr de : nat) (a : state) (m : Z -> Isolation.content) : Prop := {
  sf_count : (free a v /\ cr = de) \/ (~ free a v /\ cr = S de);
  sf_before : (cr < Released.inc w)%nat -> forall y, shapes m y = Nowhere;
  sf_alive : cr = Released.inc w -> (de < Released.inc w)%nat -> sited a v (shapes m);
}.
Definition once (f : Z) (s s' : Step.machine) (l : label) : nat := if Released.succeeded f w s s' l then 1 else 0.
Lemma one_more : forall a b s s' g l cr de m, step_follows a b s s' g l -> so_far cr de a m ->
  let cr' := (cr + once NIE_VM_CREATE s s' l)%nat in let de' := (de + once NIE_VM_DESTROY s s' l)%nat in
  so_far cr' de' b (if Nat.eqb cr' (Released.inc w) && Nat.ltb de' (Released.inc w) then fed (Isolation.feeds w s s' g l) m else m).
Proof.
  intros a b s s' g l cr de m (F1 & F2 & F3) [C N A]. cbv zeta in *. unfold once.
  destruct (Released.succeeded NIE_VM_CREATE w s s' l) eqn:K1; destruct (Released.succeeded NIE_VM_DESTROY w s s' l) eqn:K2.
  - destruct (F1 eq_refl) as (Q & _). destruct (F2 eq_refl) as (Q' & _). contradiction.
  - clear F2 F3. destruct (F1 eq_refl) as (FA & FB & _ & ST). clear F1. destruct C as [[_ ->]|[NA _]]; [|contradiction]. constructor.
    + right. split; [exact FB|]. lia.
    + intros L. destruct (Nat.eqb_spec (de + 1) (Released.inc w)) as [Q|Q]; [lia|]. cbn [andb]. apply N. lia.
    + intros Q L. rewrite Q, Nat.eqb_refl. replace (Nat.ltb (de + 0) (Released.inc w)) with true by (symmetry; apply Nat.ltb_lt; lia). cbn [andb]. apply ST, N. lia.
  - clear F1 F3. destruct (F2 eq_refl) as (FA & FB). clear F2. destruct C as [[NA _]|[_ ->]]; [contradiction|]. constructor.
    + left. split; [exact FB|]. lia.
    + intros L. destruct (Nat.eqb_spec (S de + 0) (Released.inc w)) as [Q|Q]; [lia|]. cbn [andb]. apply N. lia.
    + intros Q L. lia.
  - clear F1 F2. destruct (F3 eq_refl eq_refl) as (FF & ST & _). clear F3. rewrite !Nat.add_0_r. constructor.
    + rewrite FF. exact C.
    + intros L. destruct (Nat.eqb_spec cr (Released.inc w)) as [Q|Q]; [lia|]. now apply N.
    + intros Q L. rewrite Q, Nat.eqb_refl. replace (Nat.ltb de (Released.inc w)) with true by (symmetry; now apply Nat.ltb_lt). cbn [andb]. apply ST. now apply A.
Qed.

Lemma count_on : forall f l past s0 s g s' g', Step.run P s0 past = Ok s g -> next P s l = Ok s' g' -> Released.count P f w s0 (past ++ [l]) = (Released.count P f w s0 past + once f s s' l)%nat.
Proof.
  intros f l past. induction past as [|p past IH]; intros s0 s g s' g' R N; cbn [Step.run] in R; cbn [app Released.count].
  - inversion R; subst. rewrite N. unfold once. lia.
  - destruct (next P s0 p) as [s1 g1| |]; try discriminate R. destruct (Step.run P s1 past) as [s2 g2| |] eqn:R2; try discriminate R. inversion R; subst. rewrite (IH _ _ _ _ _ R2 N). lia.
Qed.
Lemma run_on : forall l past s0 s g s' g', Step.run P s0 past = Ok s g -> next P s l = Ok s' g' -> exists g2, Step.run P s0 (past ++ [l]) = Ok s' g2.
Proof.
  intros l past. induction past as [|p past IH]; intros s0 s g s' g' R N; cbn [Step.run] in R; cbn [app Step.run].
  - inversion R; subst. rewrite N. eauto.
  - destruct (next P s0 p) as [s1 g1| |]; try discriminate R. destruct (Step.run P s1 past) as [s2 g2| |] eqn:R2; try discriminate R. inversion R; subst. destruct (IH _ _ _ _ _ R2 N) as (g3 & ->). eauto.
Qed.

Lemma run_sited : forall z s0 tr past a s g0 m t g, good a s -> described z a (glob s) -> Step.run P s0 past = Ok s g0 -> so_far (created past s0) (destroyed past s0) a m -> Step.run P s tr = Ok t g ->
  exists b, good b t /\ so_far (created (past ++ tr) s0) (destroyed (past ++ tr) s0) b (fed (Isolation.inputs_to P w s past tr s0) m).
Proof.
  intros z s0. induction tr as [|l tr IH]; intros past a s g0 m t g G D R0 A R; cbn [Step.run] in R; cbn [Isolation.inputs_to].
  - inversion R; subst. exists a. rewrite app_nil_r. auto.
  - destruct (next P s l) as [s' g1| |] eqn:E; try discriminate R. destruct (Step.run P s' tr) as [t' g2| |] eqn:R2; try discriminate R. inversion R; subst.
    destruct (step_goes z a s l s' g1 G D E) as (b & GB & DB & F & _). destruct (run_on l past s0 s g0 s' g1 R0 E) as (g3 & R3).
    pose proof (one_more a b s s' g1 l _ _ m F A) as O. cbv zeta in O. rewrite <- (count_on NIE_VM_CREATE l past s0 s g0 s' g1 R0 E), <- (count_on NIE_VM_DESTROY l past s0 s g0 s' g1 R0 E) in O.
    rewrite fold_left_app. change ((Nat.eqb (created (past ++ [l]) s0) (Released.inc w) && Nat.ltb (destroyed (past ++ [l]) s0) (Released.inc w))%bool) with (Released.live P s0 (past ++ [l]) w) in O.
    replace (fed (if Released.live P s0 (past ++ [l]) w then Isolation.feeds w s s' g1 l else []) m) with (if Released.live P s0 (past ++ [l]) w then fed (Isolation.feeds w s s' g1 l) m else m) by now destruct (Released.live P s0 (past ++ [l]) w).
    destruct (IH (past ++ [l]) b s' g3 _ t g2 GB DB R3 O R2) as (e & GE & SE). exists e. split; [exact GE|]. replace (past ++ l :: tr) with ((past ++ [l]) ++ tr) by (rewrite <- app_assoc; reflexivity). exact SE.
Qed.

Lemma none_sited : forall a, (forall u, vm_at a u = no_vm) -> so_far 0 0 a (fun _ => Isolation.Empty).
Proof.
  intros a N. constructor; [|reflexivity|lia]. left. split; [|reflexivity]. unfold free. now rewrite N.
Qed.
End Steps.

(* A VM is no host. *)
Lemma never_created : forall P w tr s, Released.vm w < 0 -> Released.count P NIE_VM_CREATE w s tr = O.
Proof.
  intros P w tr. induction tr as [|l tr IH]; intros s N; cbn [Released.count]; [reflexivity|]. destruct (next P s l) as [s' g| |]; [|reflexivity|reflexivity]. rewrite IH by exact N.
  replace (Released.succeeded NIE_VM_CREATE w s s' l) with false; [reflexivity|]. unfold Released.succeeded, Released.host_call_of. destruct l as [x|c e i d|c i d]; try reflexivity.
  destruct (_ && _ && _)%bool; [|reflexivity]. pose proof (Z.mod_pos_bound (Step.x s c 1) (2 ^ 64) eq_refl) as B. replace (Step.x s c 1 mod 2 ^ 64 =? Released.vm w) with false by lia. now rewrite andb_false_r.
Qed.

Section End_of_run.
Variables (a : state) (s : Step.machine) (v : Z).
Hypothesis G : good a s.
Let W : wf a := so_wf _ (go_sound _ _ G).
Lemma loads_there : forall l k d o, 0 <= v < NIE_MAX_VMS -> avail (hw s) (v + 1) l k d -> is_leaf l d = true -> 0 <= o < covers l -> ~ upper l k -> at_ipa a v (k * covers l + o) = There (first_page l d + o).
Proof.
  intros l k d o V A L O U. apply (on_map a s G) in A. destruct A as [(E & _)|(i & E & _ & [(-> & _)|(L1 & -> & VD)])]; [lia|discriminate L|].
  assert (i = v) by lia. subst i. destruct (slot_at a v l k) as [| |q|q|q|q] eqn:S; try discriminate VD.
  - exfalso. destruct (wf_tab _ W _ _ _ _ S) as (L2 & R & _). destruct (enc_facts (ToTable q) q) as (_ & _ & F); auto; [apply ram_small in R; auto; lia|]. unfold is_leaf in L. rewrite F in L. lia.
  - destruct (wf_blk _ W _ _ _ _ S) as (-> & M & R). destruct (R 0 eq_refl) as [R0 _]. rewrite Z.add_0_r in R0.
    destruct (enc_facts (ToBlock q) q) as (_ & F & _); auto; [apply ram_small in R0; auto; lia|]. change (covers 2) with 512 in *. unfold first_page. rewrite F. change (covers 2) with 512.
    assert (K : (k * 512 + o) / 512 = k) by (Z.to_euclidean_division_equations; lia). unfold at_ipa. rewrite K, S.
    destruct (slot_at a v 3 (k * 512 + o)) eqn:T; try (f_equal; Z.to_euclidean_division_equations; lia); exfalso; destruct (leaf_below a v W _ ltac:(rewrite T; discriminate)) as (t & X); rewrite K, S in X; discriminate X.
  - destruct (wf_page _ W _ _ _ _ S) as (-> & R & _). destruct (enc_facts (ToPage q) q) as (_ & F & _); auto; [apply ram_small in R; auto; lia|]. change (covers 3) with 1 in *.
    replace (k * 1 + o) with k by lia. unfold at_ipa. rewrite S. unfold first_page. rewrite F. change (covers 3) with 1. f_equal. Z.to_euclidean_division_equations. lia.
  - exfalso. destruct (wf_shared _ W _ _ _ _ S) as (-> & _ & _ & K). apply U. split; [reflexivity|exact K].
Qed.
End End_of_run.

Theorem keeps_map_after_boot : forall P, boot_correct P -> boot_describing P -> trap_correct P -> trap_safe P -> start_correct P -> Placed.map_integral (after_boot P) P.
Proof.
  intros P BC BD TC TS SC s tr t g w (h & RS & BO) R LV l k d o A L O U. destruct (boot_good P h s BC RS BO) as [G OK]. pose proof (boot_described P h s BD RS BO) as D.
  destruct (boot_refines.first_facts (manifest h) (rs_words _ RS) OK) as (_ & _ & FR & _).
  assert (ALL : forall u, 0 <= Released.vm u < NIE_MAX_VMS -> exists b, good b t /\ so_far u (Released.count P NIE_VM_CREATE u s tr) (Released.count P NIE_VM_DESTROY u s tr) b (Isolation.ideal (Isolation.inputs_to P u s [] tr s))).
  { intros u V. exact (run_sited P TC TS SC u V (manifest h) s tr [] _ s [] _ t g G D eq_refl (none_sited u _ (Booted.fr_vm _ FR)) R). }
  unfold Released.live in LV. apply andb_prop in LV as [LV1 LV2]. apply Nat.eqb_eq in LV1. apply Nat.ltb_lt in LV2. unfold Released.vmid_of in A.
  destruct (Z_lt_ge_dec (Released.vm w) 0) as [N|N]; [rewrite never_created in LV1 by exact N; lia|]. destruct (Z_lt_ge_dec (Released.vm w) NIE_MAX_VMS) as [V|V].
  - destruct (ALL w ltac:(lia)) as (b & GB & [_ _ ST]). specialize (ST LV1 LV2 (k * covers l + o)). rewrite (loads_there b t (Released.vm w) GB l k d o ltac:(lia) A L O U) in ST. unfold shapes in ST.
    destruct (Isolation.ideal _ _) as [| |words]; try discriminate ST. now exists words.
  - exfalso. destruct (ALL (Released.Who 0 0) ltac:(cbn; unfold NIE_MAX_VMS; lia)) as (b & GB & _). apply (on_map b t GB) in A. destruct A as [(E & _)|(i & E & I & _)]; unfold NIE_MAX_VMS in *; lia.
Qed.

Theorem core_keeps_map : Placed.map_integral (after_boot Program.core) Program.core.
Proof.
  exact (keeps_map_after_boot Program.core Theorems.boot_is_correct Theorems.boot_describes Theorems.trap_is_correct Theorems.trap_is_safe Theorems.start_is_correct).
Qed.
