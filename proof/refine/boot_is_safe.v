(* SPDX-License-Identifier: Apache-2.0 *)
(* From reset to the first entry of the host: the relation [R] is no premise, boot establishes it. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec.trap Require boot.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Booted Counting.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.boot nie.generated.state.world.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation Midway world_refines vcpu_trap_refines statements.
From nie.proof.refine Require Export boot_refines Described.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** What is claimed. *)

(* The machine that starts [SOUNDNESS, M-reset]: one CPU runs, at EL2; the others are off and do nothing; no TLB entry is left, and
   what VTTBR_EL2 names, if it names anything, is no table. Memory and registers hold anything. The manifest's words are what
   the first inputs answer; [ram] and [engine], of which safety speaks, are what it says. *)
Record at_reset (h : Machine.hw) : Prop := {
  rs_tlb : tlb h = [];
  rs_during : during h = [];
  rs_unseen : unseen h = [];
  rs_secret : forall p, ~ secret h p;
  rs_claims : forall v x p, ~ claims h v x p;
  rs_ok : ok h;
  rs_inert : inert h;
  rs_words : forall i, 0 <= i < MAN_END -> 0 <= manifest h i < 2 ^ 64;
  rs_ram : ram h = (manifest h MAN_RAM_BASE, manifest h MAN_RAM_BASE + manifest h MAN_RAM_PAGES);
  rs_engine : engine h = (manifest h MAN_ENGINE_BASE, manifest h MAN_ENGINE_BASE + manifest h MAN_ENGINE_PAGES);
}.

(* From here on every CPU counts as walking the host's tables, though each does so only when its own cpu_start has written VTTBR_EL2:
   more walks than there are. Registers, inputs and what others do next are anything. *)
Record woken (tables : Z) (h h' : Machine.hw) : Prop := {
  wk_mem : Machine.mem h' = Machine.mem h; wk_unseen : unseen h' = unseen h; wk_tlb : tlb h' = tlb h;
  wk_ram : ram h' = ram h; wk_engine : engine h' = engine h; wk_secret : secret h' = secret h; wk_ok : ok h' = ok h;
  wk_me : 0 <= me h' < NIE_MAX_CPUS;
  wk_vttbr : forall c, vttbr h' c = tables * 4096;
  wk_claims : unclaimed h';
}.

(* boot answers what spec/trap/boot.v says of the manifest. Of an accepted one: the state that is said there holds, registers apart;
   no obligation was violated, every state on the way was safe; RAM is zero but the engine's and what was packed for the host. *)
Definition boot_correct (P : program gvar) : Prop := forall h, at_reset h -> let w := manifest h in
  exists r s', run_of P "boot" [] (Mach zero_globals h) = Some ([r], s') /\ r = nie.spec.trap.boot.manifest_check w /\
    (r = BOOT_OK -> ok (hw s') /\
      (forall p i, State.in_ram (spec_boot w) p = true -> own (spec_boot w) p = Host -> kept w p = false -> is_word i = true ->
         Map.get (Machine.mem (hw s')) (p * 512 + i) = 0) /\
      forall h', woken (w MAN_TABLES) (hw s') h' -> exists x fx, let a := spec_boot w <| here := x |> <| fp_here := fx |> in
        R a (Mach (glob s') h') /\ manifest_ok (glob s')).

(* A CPU that starts, the first or by CPU_ON: only its registers change. *)
Definition start_safe (P : program gvar) : Prop := forall a s, let c := me (hw s) in
  R a s -> unclaimed (hw s) -> manifest_ok (glob s) -> cpu_vm (cpu_at a c) = CPU_HOST ->
  exists b s', run_of P "cpu_start" [c] s = Some ([], s') /\ registers_only c a b /\ R b s' /\ manifest_ok (glob s') /\ unclaimed (hw s').

(** The proof. *)

Lemma reset_dark : forall h, at_reset h -> dark h (taken h) (fun w => Map.get (Machine.mem h) w) h.
Proof.
  intros h []. constructor; auto. rewrite rs_unseen0. now intros w d [].
Qed.

Lemma booted_R : forall w h0 s h', (forall i, 0 <= i < MAN_END -> u64 (w i)) -> nie.spec.trap.boot.manifest_check w = BOOT_OK ->
  ram h0 = (w MAN_RAM_BASE, w MAN_RAM_BASE + w MAN_RAM_PAGES) -> engine h0 = (w MAN_ENGINE_BASE, w MAN_ENGINE_BASE + w MAN_ENGINE_PAGES) ->
  booted w h0 s -> woken (w MAN_TABLES) (hw s) h' -> exists x fx, R (spec_boot w <| here := x |> <| fp_here := fx |>) (Mach (glob s) h').
Proof.
  intros w h0 [gl h] h' SM ACC RAM ENG [WC G MO _ U (n & m & D & T & _)] WK. cbn [glob hw] in *. destruct WK.
  destruct (first_facts w SM ACC) as (CF & _ & FR & HO). set (b := spec_boot w) in *.
  set (x := tab 128 (fun r => Map.get (reg h') (me h' * 128 + r)) 0). set (fx := tab 66 (fun i => Map.get (fp h') (me h' * 128 + i)) 0).
  exists x, fx. set (a := b <| here := x |> <| fp_here := fx |>).
  assert (FA : fresh a) by (destruct FR; constructor; assumption).
  assert (CA : wf_cfg a) by (destruct WC; constructor; assumption).
  assert (W : wf a) by (apply fresh_wf; auto; intros c _; exact (HO c)).
  assert (TA : tables_hold a m) by (destruct T; constructor; assumption).
  assert (CFA : cfg a = nie.spec.trap.boot.config_of w) by exact CF.
  assert (VT : forall c, vttbr_of a c = w MAN_TABLES * 4096).
  { intro c. unfold vttbr_of. replace (cpu_vm (cpu_at a c)) with CPU_HOST by (symmetry; exact (HO c)). rewrite Z.eqb_refl. cbn [negb]. rewrite andb_false_r. now rewrite CFA. }
  constructor; cbn [glob hw].
  - exact W.
  - now apply fresh_onto.
  - destruct G. constructor; assumption.
  - exists m. split; [|exact TA]. destruct (host_root a W) as (R1 & R2 & _). rewrite CFA in R1, R2. cbn [host_tables nie.spec.trap.boot.config_of] in R1, R2.
    constructor; try (intros v l k d X; exact X).
    + rewrite wk_tlb0, (d_tlb _ _ _ _ D). intros e [].
    + rewrite wk_tlb0, (d_tlb _ _ _ _ D). intros e [].
    + intro c. left. unfold root_vmid, root_desc. rewrite wk_vttbr0, R1, R2. split; auto. left. split; auto. split; auto. now rewrite CFA.
    + now apply Aset_closed.
    + now apply Aset_closed.
    + now apply Aset_apart.
    + apply Aset_safe; auto; rewrite wk_engine0, (d_engine _ _ _ _ D), ENG, CFA; cbn; lia.
    + intros p i _ _. rewrite wk_mem0. apply (d_mem _ _ _ _ D).
    + intros p i d _ _ _ S. unfold now. unfold visible in S. rewrite wk_unseen0, U, wk_mem0, (d_mem _ _ _ _ D) in S. cbn [existsb] in S. rewrite orb_false_r in S. now apply Z.eqb_eq.
    + intros p S. rewrite wk_secret0 in S. now apply (d_secret _ _ _ _ D) in S.
    + intros v y p C. now apply wk_claims0 in C.
    + rewrite wk_ok0. exact (d_ok _ _ _ _ D).
    + constructor; auto.
  - rewrite wk_ram0, (d_ram _ _ _ _ D), RAM. unfold ram_of. now rewrite CFA.
  - rewrite wk_engine0, (d_engine _ _ _ _ D), ENG. unfold engine_of. now rewrite CFA.
  - constructor; auto.
    + intros r Rr. symmetry. exact (get_tab _ 128 (fun r => Map.get (reg h') (me h' * 128 + r)) 0 r Rr).
    + intros i I. symmetry. exact (get_tab _ 66 (fun i => Map.get (fp h') (me h' * 128 + i)) 0 i I).
    + intro c. now rewrite VT.
  - intros v V. rewrite (fr_vm _ FA). unfold pages_of. assert (E : forall l, filter (fun i => names (own a (ram_first (cfg a) + Z.of_nat i)) v) l = []).
    { induction l as [|i l IH]; auto. cbn [filter]. rewrite IH, (fr_own _ FA). match goal with |- context [if ?c then Engine else Host] => destruct c end; reflexivity. }
    now rewrite E.
Qed.

Theorem boot_run : forall h, at_reset h -> let w := manifest h in
  wp boot (fun r s' => r = nie.spec.trap.boot.manifest_check w /\
    (r = BOOT_OK -> ok (hw s') /\
      (forall p i, State.in_ram (spec_boot w) p = true -> own (spec_boot w) p = Host -> kept w p = false -> is_word i = true ->
         Map.get (Machine.mem (hw s')) (p * 512 + i) = 0) /\
      forall h', woken (w MAN_TABLES) (hw s') h' -> exists x fx, R (spec_boot w <| here := x |> <| fp_here := fx |>) (Mach (glob s') h') /\ manifest_ok (glob s')))
    (Mach zero_globals h).
Proof.
  intros h RS w. eapply wp_weaken; [eapply (boot_wp h w); [apply RS|apply RS|now apply reset_dark|reflexivity|apply RS|apply RS]|].
  intros r s' [E B]. split; auto. intro K. specialize (B K). destruct (bo_hw _ _ _ B) as (n & m & D & T & Z0).
  split; [apply (d_ok _ _ _ _ D)|]. split; [intros; rewrite (d_mem _ _ _ _ D); auto|].
  intros h' WK. assert (ACC : nie.spec.trap.boot.manifest_check w = BOOT_OK) by congruence.
  destruct (booted_R w h s' h' (rs_words _ RS) ACC (rs_ram _ RS) (rs_engine _ RS) B WK) as (x & fx & HR).
  exists x, fx. split; [exact HR|exact (bo_man _ _ _ B)].
Qed.

(* The machine that an accepted manifest describes is the one that the state speaks of. *)
Theorem boot_describes_run : forall h, at_reset h -> let w := manifest h in
  wp boot (fun r s' => r = BOOT_OK -> described w (spec_boot w) (glob s')) (Mach zero_globals h).
Proof.
  intros h RS w. eapply wp_weaken; [eapply (boot_wp h w); [apply RS|apply RS|now apply reset_dark|reflexivity|apply RS|apply RS]|].
  intros r s' [E B] K. specialize (B K). assert (ACC : nie.spec.trap.boot.manifest_check w = BOOT_OK) by congruence.
  destruct (first_facts w (rs_words _ RS) ACC) as (CF & _). split; [exact CF|]. split; [exact ACC|]. intros i I.
  split; [now apply (rs_words _ RS)|now apply (bo_words _ _ _ B)].
Qed.

(* One step after the other: registers of this CPU, and its VTTBR_EL2 once more. *)
Ltac s_quiet M := apply wp_bind; eapply run_any; [exact M|intros V fine FV; first [solve [quiet] | solve [eapply q_controls_both; eauto] | solve [eapply k_dsb; eauto] | eapply k_ic; eauto]|]; let M' := fresh "M" in cbn beta; intros ? ? M'; clear M; rename M' into M.
Ltac s_loop M := apply wp_bind; eapply run_any; [exact M|intros ? ? ?; eapply k_loop with (I := any); [q_arith|exact Logic.I|intros; quiet]|];
  let M' := fresh "M" in cbn beta; intros ? ? M'; clear M; rename M' into M.
Theorem start_wp : forall a s, let c := me (hw s) in R a s -> unclaimed (hw s) -> manifest_ok (glob s) -> cpu_vm (cpu_at a c) = CPU_HOST ->
  wp (cpu_start c) (fun _ s' => exists b, registers_only c a b /\ R b s' /\ manifest_ok (glob s') /\ unclaimed (hw s')) s.
Proof.
  intros a s c HR UC MO HH. pose proof (mid_of_R _ _ HR MO UC) as MI. fold c in MI. pose proof (mi_c _ _ _ _ MI) as C. unfold NIE_MAX_CPUS in C.
  assert (HO : forall d, (if d =? c then host_tables (cfg a) * 4096 else vttbr_of a d) = vttbr_of a d).
  { intro d. destruct (Z.eqb_spec d c) as [->|]; auto. unfold vttbr_of. rewrite HH, Z.eqb_refl. cbn [negb]. now rewrite andb_false_r. }
  unfold cpu_start. s_loop MI. s_quiet MI. s_quiet MI. s_loop MI.
  s_quiet MI. s_quiet MI. s_quiet MI. s_quiet MI. s_quiet MI. s_quiet MI.
  apply wp_bind. eapply wp_weaken; [apply controls_host_wp; exact MI|]. cbn beta. clear MI. intros ? s1 [MI _].
  s_quiet MI. s_quiet MI. s_quiet MI. s_quiet MI. apply wp_ret.
  match goal with M : mid c _ a ?s' |- _ => assert (ME : mid c (vttbr_of a) a s') by (destruct M; constructor; auto; intro d; rewrite mi_vttbr; apply HO);
    destruct (R_of_mid _ _ _ ME) as [HR' RO]; exists (snapshot a (glob s') (hw s')); split; [exact RO|]; split; [exact HR'|]; split; apply M end.
Qed.
