(* SPDX-License-Identifier: Apache-2.0 *)
(* An exception of the host's, and a CPU that starts, on two machines that differ in what a VM keeps to itself: they go on to do so. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.lib Require Import World Wp.
From nie.spec Require Import State Step Isolation.
From nie.spec Require Import Core.
From nie.proof Require Import Theorems.
From nie.proof.invariant Require Import Meaning.
From nie.proof.refine Require Import Relation statements GiveBack Midway trap_is_safe boot_is_safe.
From nie.proof.security Require Import Alike noninterference host_traps_tell_nothing Watched core_is_safe owners_change Twins.
From nie.model Require Import C Machine.
From nie.spec Require Import Core Step Isolation.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** Owners, by the engine's granule table. *)

Definition windowed (a : state) : Prop := forall p v x, State.in_ram a p = true -> 0 <= v -> own a p = Data v x -> x < 2 ^ 26.

Lemma same_ram : forall a b g, globals_hold a g -> globals_hold b g -> forall p, State.in_ram b p = State.in_ram a p.
Proof. intros a b g A B p. unfold State.in_ram. now rewrite <- (g_base _ _ A), <- (g_base _ _ B), <- (g_pages _ _ A), <- (g_pages _ _ B). Qed.
Lemma same_owner : forall a b g p, globals_hold a g -> globals_hold b g -> State.in_ram a p = true -> own b p = own a p.
Proof.
  intros a b g p A B R. pose proof (same_ram _ _ _ A B p) as R'. rewrite R in R'. destruct (g_own _ _ A p R) as [E _]. destruct (g_own _ _ B p R') as [F _].
  rewrite <- (g_base _ _ A) in E. rewrite <- (g_base _ _ B), E in F.
  destruct (own a p), (own b p); cbn [owner_words] in F; try discriminate F; try reflexivity; injection F as -> ->; subst; reflexivity.
Qed.

Section Owners.
Variables (w : who) (a : state).
Hypothesis VW : 0 <= vm w.
Hypothesis SO : trap_steps_preserve.sound a.

Lemma low_own : forall p, windowed a -> low w a p -> own_page a w p.
Proof.
  intros p WI (l & k & d & A & M & U). destruct (Aset_maps a (so_wf _ SO) _ _ _ _ _ A M) as [(E & _)|(i & E & I & R & O)]; [unfold vmid_of in E; lia|].
  unfold vmid_of in E. assert (i = vm w) as -> by lia. destruct O as [(x & O)|(L & _ & K)]; [|elim U; split; assumption].
  split; [exact R|]. exists x. split; [exact O|]. eapply WI; eauto.
Qed.
Lemma own_low : forall p, own_page a w p -> low w a p.
Proof.
  intros p O. destruct (phantom_for a w 0 (so_wf _ SO) (so_onto _ SO) p O) as (e & (_ & V & _ & A & U) & M).
  exists (level e), (key e), (desc e). rewrite <- V. auto.
Qed.
End Owners.

(** Who runs where, by VTTBR_EL2. *)

Lemma root_is : forall a s c, good a s -> root_vmid (hw s) c =
  if (0 <=? c) && (c <? NIE_MAX_CPUS) && negb (cpu_vm (cpu_at a c) =? CPU_HOST) then cpu_vm (cpu_at a c) + 1 else 0.
Proof.
  intros a s c G. pose proof (so_wf _ (go_sound _ _ G)) as W. unfold root_vmid. rewrite (go_vttbr _ _ G). unfold vttbr_of.
  destruct ((0 <=? c) && (c <? NIE_MAX_CPUS) && negb (cpu_vm (cpu_at a c) =? CPU_HOST)) eqn:D.
  - destruct (u_runs _ (wf_u _ W) c ltac:(lia) ltac:(lia)) as (I & IV & RU & _).
    destruct (u_some _ (wf_u _ W) _ _ I IV ltac:(rewrite RU; discriminate)) as (F & _).
    destruct (wf_root _ W _ I F) as [R _]. apply (ram_small a W) in R. lia.
  - pose proof (c_tables _ (wf_c _ W)) as X. pose proof (c_ram _ (wf_c _ W)). pose proof (c_engine _ (wf_c _ W)). unfold level3_first in X.
    pose proof (gibs_small a W). pose proof (c_dev _ (wf_c _ W)). lia.
Qed.

(** A function of the engine, on both. *)

(* Pages that the victim reaches in the lower half of its IPA space, by a walk or a TLB entry. *)
Definition has (w : who) (s : Step.machine) (p : Z) : Prop := exists l k d, avail (hw s) (vmid_of w) l k d /\ maps l d p /\ ~ upper l k.
Lemma has_low : forall w a s p, good a s -> has w s p -> low w a p.
Proof. intros w a s p G (l & k & d & A & M & U). exists l, k, d. split; auto. eapply avail_map; eauto. Qed.

Lemma fine_weak : forall w (P Q : Z -> Prop) l, (forall p, P p -> Q p) -> Forall (fine w P) l -> Forall (fine w Q) l.
Proof.
  intros w P Q l H. apply Forall_impl. intros [h [a|]]; cbn [fine]; auto. intros [A B]. split; auto. destruct a; cbn [stays] in *; auto.
  destruct (nth_error (tlb h) n); auto.
Qed.

(* How one machine ends: what is known of it alone. *)
Record went (c : Z) (a b : state) (s' : Step.machine) : Prop := {
  we_good : good b s';
  we_mild : mild a b;
  we_cfg : cfg b = cfg a;
  we_others : forall d, 0 <= d < NIE_MAX_CPUS -> d <> c -> cpu_vm (cpu_at b d) = cpu_vm (cpu_at a d);
}.

Lemma thirty_one : forall r, In r (numbers 31) <-> 0 <= r < 31.
Proof.
  intro r. unfold numbers. rewrite in_map_iff. split.
  - intros (n & <- & I). apply in_seq in I. lia.
  - intro R. exists (Z.to_nat r). split; [lia|]. apply in_seq. lia.
Qed.
Lemma vectors_same : forall c s1 s2 g, (forall r, 0 <= r < 31 -> x s2 c r = x s1 c r) -> vectors_save c s2 g = vectors_save c s1 g.
Proof.
  intros c s1 s2 g H. unfold vectors_save. assert (K : forall l g, (forall r, In r l -> 0 <= r < 31) ->
    fold_left (fun g r => set_field cpus_x (Map.set (field cpus_x g) (c * 31 + r) (x s2 c r mod 2 ^ 64)) g) l g =
    fold_left (fun g r => set_field cpus_x (Map.set (field cpus_x g) (c * 31 + r) (x s1 c r mod 2 ^ 64)) g) l g).
  { induction l as [|r l IH]; intros g' L; [reflexivity|]. cbn [fold_left]. rewrite H by (apply L; now left). apply IH. intros q Q. apply L. now right. }
  apply K. intros r I. now apply thirty_one.
Qed.
Lemma loaded : forall c g m d r, 0 <= r < 31 -> Map.get (vectors_load c g m) (d * 32 + r) =
  if d =? c then Map.get (field cpus_x g) (c * 31 + r) else Map.get m (d * 32 + r).
Proof.
  intros c g m d r R. unfold vectors_load. assert (K : forall l m, (forall q, In q l -> 0 <= q < 31) ->
    Map.get (fold_left (fun m r => Map.set m (c * 32 + r) (Map.get (field cpus_x g) (c * 31 + r))) l m) (d * 32 + r) =
    if (d =? c) && existsb (Z.eqb r) l then Map.get (field cpus_x g) (c * 31 + r) else Map.get m (d * 32 + r)).
  { induction l as [|q l IH]; intros m' L; cbn [fold_left existsb]; [now rewrite andb_false_r|]. rewrite IH by (intros; apply L; now right).
    specialize (L q (or_introl eq_refl)). rewrite Map.get_set.
    destruct (Z.eqb_spec d c) as [->|N]; cbn [andb].
    - destruct (Z.eqb_spec r q) as [->|NQ]; cbn [orb].
      + rewrite Z.eqb_refl. destruct (existsb (Z.eqb q) l); reflexivity.
      + destruct (Z.eqb_spec (c * 32 + r) (c * 32 + q)); [lia|]. destruct (existsb (Z.eqb r) l); reflexivity.
    - destruct (Z.eqb_spec (d * 32 + r) (c * 32 + q)); [lia|reflexivity]. }
  rewrite (K (numbers 31) m) by (intros q I; now apply thirty_one). replace (existsb (Z.eqb r) (numbers 31)) with true; [now rewrite andb_true_r|].
  symmetry. apply existsb_exists. exists r. split; [now apply thirty_one|apply Z.eqb_refl].
Qed.

Section Engine.
Local Opaque vectors_save vectors_load.
Variables (P : program gvar) (w : who) (c : Z) (f : string) (args : list Z) (pre : globals -> Z -> list Z -> Prop).
Hypothesis VW : 0 <= vm w.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis KS : keeps_step (call P f) pre.
Variables (T Cs : Z -> Prop) (a b : state) (s1 s2 : Step.machine) (h1 h2 : Machine.hw).
Hypothesis TW : twins w T Cs a b s1 s2.
Hypothesis WA : windowed a.
Hypothesis WB : windowed b.
Hypothesis NOT : ~ Cs c.                    (* registers of the CPU are the same: it does not run the victim, or they happen to be *)
Hypothesis A1 : core_is_safe.alike (hw s1) h1.
Hypothesis AL : Alike.alike T Cs h1 h2.
Hypothesis ME : me h1 = c.
Hypothesis PRE : let g := vectors_save c s1 (glob s1) in manifest_ok g -> vcpu_traps.x_ok c g -> at1 cpus_vm g c = cpu_vm (cpu_at a c) -> pre g c args.
Variables (same : bool) (s1' s2' : Step.machine) (l1 l2 : log).
Hypothesis SAME : if same then during h2 = during h1 else tell w l1 = tell w l2.
Hypothesis F1 : Forall (fine w (has w s1)) l1.
Hypothesis F2 : Forall (fine w (has w s2)) l2.
Hypothesis E1 : engine P f args c s1 h1 = Ok s1' l1.
Hypothesis E2 : engine P f args c s2 h2 = Ok s2' l2.
Variables (a' b' : state).
Hypothesis W1 : went c a a' s1'.
Hypothesis W2 : went c b b' s2'.

Let g := vectors_save c s1 (glob s1).
Let G1 := tw_good1 _ _ _ _ _ _ _ TW.
Let G2 := tw_good2 _ _ _ _ _ _ _ TW.
Let a1 := snapshot a (C_store.glob (Mach g h1)) (C_store.hw (Mach g h1)).

Lemma not_its : ~ Cs c.
Proof. exact NOT. Qed.
Lemma same_vectors : vectors_save c s2 (glob s2) = g.
Proof.
  unfold g. rewrite (tw_glob _ _ _ _ _ _ _ TW). apply vectors_same. intros r R. apply (tw_gpr _ _ _ _ _ _ _ TW); auto.
Qed.
Lemma begins : mid c (vttbr_of a) a (Mach g h1).
Proof. apply (good_mid a s1); auto. apply vectors_quiet. Qed.
Lemma begins_R : R a1 (Mach g h1) /\ registers_only c a a1.
Proof. exact (R_of_mid _ _ _ begins). Qed.

Lemma own_a1 : forall p, own_page a w p -> own_page a1 w p.
Proof. intros p [R (y & O & L)]. split; [exact R|exists y; split; [exact O|exact L]]. Qed.
Lemma a1_own : forall p, own_page a1 w p -> own_page a w p.
Proof. intros p [R (y & O & L)]. split; [exact R|exists y; split; [exact O|exact L]]. Qed.
Lemma other_own : forall p, own_page b w p -> own_page a w p.
Proof.
  intros p [R (y & O & L)]. pose proof (go_globals _ _ G1) as GA. pose proof (go_globals _ _ G2) as GB. rewrite (tw_glob _ _ _ _ _ _ _ TW) in GB.
  assert (RA : State.in_ram a p = true) by (now rewrite <- (same_ram _ _ _ GA GB)). split; [exact RA|]. exists y. split; auto. now rewrite <- (same_owner _ _ _ _ GA GB RA).
Qed.


(* How [engine] ends. *)
Lemma engine_is : forall s h s' l, engine P f args c s h = Ok s' l -> exists rs g' h',
  call P f args (Mach (vectors_save c s (glob s)) (h, [])) = Some (rs, Mach g' (h', l)) /\
  glob s' = g' /\ hw s' = h' <| me := nobody |> <| during := [] |> /\ gpr s' = vectors_load c g' (gpr s) /\
  off s' = Map.set (off s) c (match rs with [r] => r =? TRAP_CPU_OFF | _ => false end).
Proof.
  intros s h s' l E. unfold engine in E. destruct (call P f args (Mach (vectors_save c s (glob s)) (h, []))) as [[rs [g' [h' l']]]|] eqn:Q; [|discriminate].
  cbn [C_store.hw C_store.glob] in E. injection E as <- <-. exists rs, g', h'. repeat split; reflexivity.
Qed.

Lemma alike_left : forall T' Cs' h h', Alike.alike T' Cs' h h' ->
  Alike.alike T' Cs' (h <| me := nobody |> <| during := [] |>) (h' <| me := nobody |> <| during := [] |>).
Proof. intros T' Cs' h h' []. constructor; auto. Qed.

Lemma still_own : forall p, own_page a w p -> ~ host_may_access a' p = true -> own_page a' w p.
Proof.
  intros p [R (y & O & L)] NH. assert (R' : State.in_ram a' p = true) by (unfold State.in_ram; rewrite (we_cfg _ _ _ _ W1); exact R).
  split; [exact R'|]. exists y. split; [|exact L]. destruct (mild_data _ _ (we_mild _ _ _ _ W1) p _ _ O) as [E|E]; [exact E|].
  elim NH. unfold host_may_access. now rewrite R', E.
Qed.
Lemma windowed_next : forall d d' t, went c d d' t -> windowed d -> windowed d'.
Proof.
  intros d d' t W0 WI p u y R U O. assert (R' : State.in_ram d p = true) by (unfold State.in_ram; rewrite <- (we_cfg _ _ _ _ W0); exact R).
  destruct (mild_low _ _ (we_mild _ _ _ _ W0) p u y U O) as [E|E]; [eapply WI; eauto|exact E].
Qed.

Theorem engine_twins : exists T' Cs', twins w T' Cs' a' b' s1' s2' /\ windowed a' /\ windowed b'.
Proof.
  destruct (engine_is _ _ _ _ E1) as (r1 & g1 & k1 & C1 & EG1 & EH1 & EX1 & EO1). destruct (engine_is _ _ _ _ E2) as (r2 & g2 & k2 & C2 & EG2 & EH2 & EX2 & EO2).
  rewrite same_vectors in C2. fold g in C1. destruct begins_R as [HR RO].
  assert (PR : pre g (me h1) args).
  { rewrite ME. apply PRE; [exact (mi_man _ _ _ _ begins)|intros r Rr; unfold g; rewrite vectors_at by auto; apply Z.mod_pos_bound; lia|].
    pose proof (h_cpu_vm _ _ _ (g_cpus _ _ (R_globals _ _ HR) c C)) as E. cbn [C_store.glob] in E. destruct (ro_runs _ _ _ RO c C) as [F _]. fold g. now rewrite E, F. }
  assert (TO : forall p, T p -> own_page a1 w p).
  { intros p Q. apply own_a1, low_own; [exact VW|exact (go_sound _ _ G1)|exact WA|apply (tw_low _ _ _ _ _ _ _ TW p Q)]. }
  assert (CO : forall d, Cs d -> its_cpus w h1 d).
  { intros d Q. split; [rewrite ME; intros ->; exact (not_its Q)|]. unfold root_vmid. rewrite (al_vttbr _ _ A1). exact (tw_runs _ _ _ _ _ _ _ TW d Q). }
  assert (K1 : Forall (fine w (own_page a1 w)) l1).
  { eapply fine_weak; [|exact F1]. intros p Q. apply own_a1, low_own; [exact VW|exact (go_sound _ _ G1)|exact WA|exact (has_low _ _ _ _ G1 Q)]. }
  assert (K2 : Forall (fine w (own_page a1 w)) l2).
  { eapply fine_weak; [|exact F2]. intros p Q. apply own_a1, other_own, low_own; [exact VW|exact (go_sound _ _ G2)|exact WB|exact (has_low _ _ _ _ G2 Q)]. }
  destruct (KS same a1 w g h1 h2 T Cs args r1 r2 g1 g2 k1 k2 l1 l2 VW PR HR (mi_claims _ _ _ _ begins) AL TO CO C1 C2 SAME K1 K2) as (-> & -> & T' & Cs' & AL' & RU' & OW' & a3 & h3 & R3 & NH & _).
  assert (OWN : forall p, T' p -> own_page a' w p).
  { intros p Q. apply still_own; [now apply a1_own, OW'|]. intro H. apply (NH p Q). apply access_hosts; [exact (R_wf _ _ R3)|].
    pose proof (go_globals _ _ (we_good _ _ _ _ W1)) as GA. rewrite EG1 in GA. pose proof (R_globals _ _ R3) as G3. cbn [C_store.glob] in G3.
    unfold host_may_access in *. rewrite (same_ram _ _ _ GA G3). destruct (State.in_ram a' p) eqn:RA; [now rewrite (same_owner _ _ _ _ GA G3 RA)|].
    exfalso. destruct (OW' p Q) as [RI _]. unfold State.in_ram in RA, RI. rewrite (we_cfg _ _ _ _ W1) in RA. change (cfg a1) with (cfg a) in RI. congruence. }
  exists T', (fun d => Cs' d \/ Cs d). split; [|split; eapply windowed_next; eauto].
  constructor.
  - congruence.
  - rewrite EO1, EO2. f_equal. exact (tw_off _ _ _ _ _ _ _ TW).
  - rewrite EH1, EH2. apply alike_left. eapply alike_grow; [exact AL'|auto|auto].
  - intros d r Rr N. unfold x. rewrite EX1, EX2, !loaded by exact Rr. destruct (Z.eqb_spec d c); [reflexivity|].
    apply (tw_gpr _ _ _ _ _ _ _ TW); [exact Rr|]. intro Q. apply N. now right.
  - exact (we_good _ _ _ _ W1).
  - exact (we_good _ _ _ _ W2).
  - intros p Q. pose proof (OWN p Q) as O. split; [apply own_low; [exact (go_sound _ _ (we_good _ _ _ _ W1))|exact O]|].
    apply own_low; [exact (go_sound _ _ (we_good _ _ _ _ W2))|]. destruct O as [RA (y & O & L)].
    pose proof (go_globals _ _ (we_good _ _ _ _ W1)) as GA. rewrite EG1 in GA. pose proof (go_globals _ _ (we_good _ _ _ _ W2)) as GB. rewrite EG2 in GB.
    split; [now rewrite (same_ram _ _ _ GA GB)|]. exists y. split; [|exact L]. now rewrite (same_owner _ _ _ _ GA GB RA).
  - intros d [Q|Q]; [rewrite EH1; exact (RU' d Q)|]. pose proof (tw_runs _ _ _ _ _ _ _ TW d Q) as R. rewrite (root_is a s1 d G1) in R. rewrite (root_is a' s1' d (we_good _ _ _ _ W1)).
    destruct ((0 <=? d) && (d <? NIE_MAX_CPUS)) eqn:D; [|cbn [andb] in R; unfold vmid_of in R; lia].
    rewrite (we_others _ _ _ _ W1 d); [exact R|lia|]. intros ->. exact (not_its Q).
Qed.
End Engine.
