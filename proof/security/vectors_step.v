(* SPDX-License-Identifier: Apache-2.0 *)
(* One exception as the vectors handle it, quick first: it ends as the specification of the trap says. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers Switch.
Require nie.spec.trap.trap nie.spec.trap.boot.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning trap_steps configuration_kept.
From nie.proof.invariant Require vcpu_run_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation Midway statements trap_statement trap_is_safe boot_is_safe Described host_call_exact Standing quick_exact.
From nie.proof.refine Require Exact.
From nie.proof.security Require Import Watched Claimed.
From nie.spec Require Import Step Vectors.
From nie.proof.security Require Import core_is_safe trace_statement core_is_correct vectors_frame vectors_quick.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** What is claimed. *)

(* The CPU's registers when the vectors have returned: those of [a]. A general register that the short way never saved is as it was,
   whatever width the model's number has, and 64 bits of it are those of [a]. *)
Definition leaves_of_vectors (c : Z) (a : state) (s s1 : machine) : Prop :=
  (forall r, 0 <= r < 31 -> x s1 c r = x_of a c r \/ (In r then_saved /\ x s1 c r = x s c r /\ x_of a c r = x s c r mod 2 ^ 64)) /\
  (forall r, 0 <= r < 128 -> sysreg s1 c r = reg_of a r) /\ (forall i, 0 <= i < 66 -> Map.get (fp (hw s1)) (c * 128 + i) = Map.get (fp_here a) i).

(* How it came to the state that spec/trap/trap.v says. By the short way: no input was taken, and the engine stored to no page.
   By the long way: [m1] is the machine when [trap] is called, after [quick] has said no; then as in spec/Step.v. *)
Inductive way_taken (P : program gvar) (a : state) (c : Z) (e : exception) (content : Z -> Z -> Z) (spec : Z * list event * state) (first : MACH) (s1 : machine) : Prop :=
| Short m : spec_quick c (kind e) a = true -> fst spec = (TRAP_RESUME, []) ->
    run_of P "quick" [c; kind e] first = Some ([1], m) -> silent (own a) (C_store.hw first) (C_store.hw m) -> glob s1 = C_store.glob m -> way_taken P a c e content spec first s1
| Long m0 m1 m : spec_quick c (kind e) a = false -> run_of P "quick" [c; kind e] first = Some ([0], m0) -> silent (own a) (C_store.hw first) (C_store.hw m0) ->
    C_store.hw m1 = C_store.hw m0 -> run_of P "trap" [c; kind e] m1 = Some ([fst (fst spec)], m) ->
    (cpu_vm (cpu_at a c) <> CPU_HOST -> tells a (snd (fst spec)) m1 m) -> measures_held P a (kind e) m1 content -> glob s1 = C_store.glob m -> way_taken P a c e content spec first s1.

(* From a machine that agrees with a state: the engine comes back, every state that is met is safe, and the machine agrees with a state
   again, which but for the CPU's frame is what spec/trap/trap.v says. *)
Definition serves_right (P : program gvar) : Prop := forall w a s c e ins dur, good a s -> described w a (glob s) ->
  is_cpu c = true -> Map.get (off s) c = false ->
  let h := take c e (enter c ins dur (hw s)) in let a0 := arrives c s h a in
  exists content s1 l b, let spec := nie.spec.trap.trap.trap c (kind e) (fun n => ins n) content a0 in
    serve P c (kind e) s h = Ok s1 l /\ all_safe l /\ good b s1 /\ described w b (glob s1) /\ but_frame c (snd spec) b /\
    leaves_of_vectors c (snd spec) s s1 /\ Map.get (off s1) c = (fst (fst spec) =? TRAP_CPU_OFF) /\
    way_taken P a0 c e content spec (Mach (save first_saved c s (glob s)) h) s1.

(** The proof. *)

#[local] Opaque save load run_of call.

(* The engine has come back, and the CPU has loaded what is in [l]. *)
Lemma resumed_good : forall l c is_off g h s b, R b (Mach g h) -> unclaimed h -> manifest_ok g ->
  (forall d, 0 <= d < NIE_MAX_CPUS -> d <> c -> Map.get (off s) d = true -> cpu_vm (cpu_at b d) = CPU_HOST) -> (is_off = true -> cpu_vm (cpu_at b c) = CPU_HOST) ->
  good b (resumed l c is_off g h s).
Proof.
  intros l c is_off g h s b HR UC MO OT ON. eapply good_R; [exact HR|exact UC|exact MO|reflexivity|constructor; reflexivity|].
  intros d D O. change (Map.get (Map.set (off s) c is_off) d = true) in O. rewrite Map.get_set in O. destruct (Z.eqb_spec d c) as [->|N]; auto.
Qed.
Lemma resumed_x : forall l c is_off g h s r, x (resumed l c is_off g h s) c r = if in_dec Z.eq_dec r l then at1 cpus_x g (c * 31 + r) else x s c r.
Proof. intros. exact (load_at l c g (gpr s) r). Qed.
Lemma resumed_off : forall l c is_off g h s, Map.get (off (resumed l c is_off g h s)) c = is_off.
Proof. intros. change (Map.get (Map.set (off s) c is_off) c = is_off). now rewrite Map.get_set, Z.eqb_refl. Qed.
Lemma all_saved : forall r, 0 <= r < 31 -> In r (first_saved ++ then_saved).
Proof. intros r B. apply in_app_iff. rewrite first_range, then_range. lia. Qed.
Lemma safe_app : forall l1 l2, all_safe l1 -> all_safe l2 -> all_safe (l1 ++ l2).
Proof. intros l1 l2 H K. apply Forall_app. auto. Qed.

Section Step.
Variable P : program gvar.
Hypothesis QC : quick_correct P.
Hypothesis TC : trap_correct P.
Hypothesis TS : trap_safe P.

Theorem serve_correct : serves_right P.
Proof.
  intros w a s c e ins dur G D IC ON h a0. assert (C : 0 <= c < 8) by (unfold is_cpu, NIE_MAX_CPUS in IC; lia).
  assert (AL : core_is_safe.alike (hw s) h) by (eapply core_is_safe.alike_trans; [apply alike_enter|apply alike_take]).
  set (g1 := save first_saved c s (glob s)). set (X1 := fill 31 0 (fun r => at1 cpus_x g1 (c * 31 + r)) (Map.const 0)).
  set (X0 := fill 31 0 (fun r => x s c r mod 2 ^ 64) (Map.const 0)).
  assert (F1 : frame_only c (glob s) g1) by (apply save_frame; intros r I; apply first_range in I; lia).
  assert (GF : forall f r, 0 <= r < 31 -> Map.get (fill 31 0 f (Map.const 0)) r = f r).
  { intros f r I. rewrite Exact.get_fill by lia. replace ((0 <=? r) && (r <? 0 + 31))%bool with true by lia. now rewrite Z.sub_0_r. }
  pose proof (framed_R a s c h G C AL eq_refl X1 g1 F1 (fun r I => eq_sym (GF _ r I))) as HR1. set (a1 := framed a c h X1) in *.
  assert (EA : a0 = framed a c h X0) by reflexivity.
  destruct (QC a1 (Mach g1 h) (kind e) HR1) as ([g2 h2] & E & K & TK & SI & REST). change (me (C_store.hw (Mach g1 h))) with c in *. cbn [C_store.hw C_store.glob] in *.
  assert (X1E : forall r, 0 <= r < 31 -> x_of a1 c r = at1 cpus_x g1 (c * 31 + r)).
  { intros r I. symmetry. exact (h_x _ _ _ (g_cpus _ _ (R_globals _ _ HR1) c C) r I). }
  assert (X0E : forall r, 0 <= r < 31 -> x_of a0 c r = x s c r mod 2 ^ 64).
  { intros r I. unfold x_of. rewrite EA, framed_cpu, Z.eqb_refl. exact (GF _ r I). }
  assert (XF : forall r, In r first_saved -> x_of a1 c r = x s c r mod 2 ^ 64).
  { intros r I. assert (B : 0 <= r < 31) by (apply first_range in I; lia). rewrite X1E by exact B. now apply save_in. }
  assert (VM : forall Y d, cpu_vm (cpu_at (framed a c h Y) d) = cpu_vm (cpu_at a d)) by (intros Y d; rewrite framed_cpu; now destruct (Z.eqb_spec d c) as [->|]).
  assert (BF : but_frame c a0 a1).
  { rewrite EA. constructor; try reflexivity; [unfold a1; rewrite !framed_cpu, Z.eqb_refl; reflexivity|intros d N; unfold a1; rewrite !framed_cpu; now replace (d =? c) with false by lia]. }
  assert (RA : reads_alike c a1 a0).
  { constructor; [reflexivity| |rewrite EA; unfold a1; now rewrite !VM]. rewrite X0E, XF by (try apply first_range; lia). reflexivity. }
  pose proof (same_choice c (kind e) a1 a0 RA) as SC.
  assert (MO1 : manifest_ok g1) by (eapply man_quiet; [exact (go_man _ _ G)|apply frame_quiet; exact F1]).
  assert (MO2 : manifest_ok g2) by (destruct K as [KC _]; change (field config_word g2 = field config_word g1) in KC; destruct MO1; constructor; unfold at1 in *; rewrite KC; auto).
  assert (D2 : forall b g, cfg b = cfg a -> field config_word g = field config_word g2 -> described w b g).
  { intros b g CB GB. eapply described_same; [exact D|exact CB|]. rewrite GB. destruct K as [KC _]. change (field config_word g2 = field config_word g1) in KC. rewrite KC. apply (fo_field _ _ _ F1). discriminate. }
  assert (OK2 : ok h2).
  { destruct (spec_quick c (kind e) a1); [destruct REST as (b & HB & _)|rename REST into HB]; destruct (R_hw _ _ HB) as (m & W & _); exact (w_ok _ _ _ _ _ _ W). }
  assert (UC : unclaimed h) by exact (unclaimed_alike _ _ (go_claims _ _ G) AL).
  assert (UC2 : unclaimed h2) by exact (run_unclaimed _ _ _ _ _ _ E UC).
  assert (ME2 : me h2 = c) by (destruct K as [_ KS]; exact (vcpu_run_refines.st_me _ _ KS)).
  destruct (watched_run P "quick"%string [c; kind e] g1 h _ g2 h2 E OK2) as (l1 & W1 & S1). unfold serve. fold g1.
  destruct (spec_quick c (kind e) a1) eqn:Q.
  - destruct REST as (b & HB & SP). destruct (quick_effect c (kind e) a1 Q) as (l & k & LL & EF).
    set (none := fun _ _ : Z => 0). exists none, (resumed first_saved c false g2 h2 s), l1, b. cbv zeta.
    rewrite (EF a0 (fun n => ins n) none RA). cbn [fst snd].
    assert (EB : b = effect c l k a1).
    { pose proof (SP ins none) as E1. rewrite EF in E1 by (constructor; reflexivity). now injection E1. }
    assert (BE : but_frame c (effect c l k a0) b) by (rewrite EB; now apply bf_effect).
    pose proof (effect_alike c l k a1) as AE. rewrite <- EB in AE.
    assert (BV : forall d, cpu_vm (cpu_at b d) = cpu_vm (cpu_at a d)) by (intro d; destruct (vcpu_run_preserves.al_runs _ _ AE d) as [-> _]; apply VM).
    split; [now rewrite W1|]. split; [exact S1|].
    split; [apply resumed_good; [exact HB|exact UC2|exact MO2|intros d DD N O; rewrite BV; now apply (go_off _ _ G)|discriminate]|].
    split; [apply D2; [rewrite (vcpu_run_preserves.al_cfg _ _ AE); reflexivity|reflexivity]|]. split; [exact BE|].
    split; [|split; [apply resumed_off|]].
    + pose proof (R_regs _ _ HB) as [_ RH RF _]. cbn [C_store.hw] in RH, RF. rewrite ME2 in RH, RF. split; [|split].
      * intros r I. rewrite resumed_x. unfold effect in *. destruct (in_dec Z.eq_dec r first_saved) as [IN|NI].
        -- left. transitivity (x_of b c r); [exact (h_x _ _ _ (g_cpus _ _ (R_globals _ _ HB) c C) r I)|]. rewrite EB.
           apply x_of_answer. transitivity (x_of a1 c r); [destruct k; reflexivity|]. rewrite XF by exact IN. rewrite <- X0E by exact I. destruct k; reflexivity.
        -- right. assert (TH : 20 <= r < 29) by (rewrite first_range in NI; lia). split; [now apply then_range|]. split; [reflexivity|].
           unfold answer. rewrite x_of_beyond by lia. rewrite <- X0E by exact I. destruct k; reflexivity.
      * intros r I. transitivity (Map.get (here b) r); [exact (RH r I)|]. unfold reg_of. now rewrite (bf_here _ _ _ BE).
      * intros i I. transitivity (Map.get (fp_here b) i); [exact (RF i I)|]. now rewrite (bf_fp _ _ _ BE).
    + eapply Short; [exact SC|reflexivity|exact E|exact SI|reflexivity].
  - set (g3 := save then_saved c s g2). assert (F3 : frame_only c g2 g3) by (apply save_frame; intros r I; apply then_range in I; lia).
    assert (X3 : forall r, 0 <= r < 31 -> at1 cpus_x g3 (c * 31 + r) = Map.get X0 r).
    { intros r I. transitivity (x s c r mod 2 ^ 64); [|symmetry; exact (GF _ r I)]. destruct (in_dec Z.eq_dec r then_saved) as [IN|NI]; [now apply save_in|].
      unfold g3. rewrite save_out by (intros (q & IQ & EQ); apply NI; now replace r with q by lia).
      transitivity (x_of a1 c r); [exact (h_x _ _ _ (g_cpus _ _ (R_globals _ _ REST) c C) r I)|]. apply XF. apply first_range. rewrite then_range in NI. lia. }
    pose proof (framed_more a c h C eq_refl X1 X0 g2 h2 g3 REST F3 X3) as HR3. rewrite <- EA in HR3.
    assert (D3 : described w a0 g3) by (apply D2; [reflexivity|apply (fo_field _ _ _ F3); discriminate]).
    assert (MO3 : manifest_ok g3) by (eapply man_quiet; [exact MO2|apply frame_quiet; exact F3]).
    assert (XO : vcpu_traps.x_ok c g3) by (intros r Rr; rewrite X3 by exact Rr; unfold X0; rewrite (GF _ r Rr); apply Z.mod_pos_bound; lia).
    pose proof TC as TC'. specialize (TC' w a0 (Mach g3 h2) (kind e)). pose proof TS as TS'. specialize (TS' a0 (Mach g3 h2) (kind e)).
    change (me (C_store.hw (Mach g3 h2))) with (me h2) in *. rewrite ME2 in *. cbn [C_store.hw C_store.glob] in *.
    destruct (TC' HR3 (unclaimed_spares _ _ _ _ UC2) D3 XO) as (content & r & [g4 h4] & E4 & ER & HB & KB & TL & MS). clear TC'.
    destruct (TS' HR3 UC2 MO3 XO) as (r0 & b0 & s0 & E0 & DID & HB0 & MO0 & UC4 & OFF). clear TS'.
    assert (EE : Some ([r0], s0) = Some ([r], Mach g4 h4)) by (etransitivity; [symmetry; exact E0|exact E4]). injection EE as -> ->.
    assert (EI : vcpu_run_refines.inputs_from h2 = fun n => ins n).
    { unfold vcpu_run_refines.inputs_from. destruct K as [_ KS]. pose proof (vcpu_run_refines.st_inputs _ _ KS) as IN. change (inputs h2 = inputs h) in IN. rewrite IN, TK. reflexivity. }
    rewrite EI in ER, HB, TL. set (spec := nie.spec.trap.trap.trap c (kind e) (fun n => ins n) content a0) in *.
    assert (OK4 : ok h4) by (destruct (R_hw _ _ HB) as (m & W & _); exact (w_ok _ _ _ _ _ _ W)).
    destruct (watched_run P "trap"%string [c; kind e] g3 h2 _ g4 h4 E4 OK4) as (l2 & W2 & S2).
    exists content, (resumed (first_saved ++ then_saved) c (r =? TRAP_CPU_OFF) g4 h4 s), (l1 ++ l2), (snd spec). cbv zeta. fold spec.
    assert (MO4 : manifest_ok g4) by exact MO0.
    split; [rewrite W1; cbn [C_store.hw C_store.glob]; change (0 =? 0) with true; cbn iota; fold g3; rewrite W2; reflexivity|].
    split; [now apply safe_app|].
    assert (BV : forall d, 0 <= d < NIE_MAX_CPUS -> cpu_vm (cpu_at (snd spec) d) = cpu_vm (cpu_at b0 d)).
    { intros d DD. transitivity (at1 cpus_vm g4 d); [symmetry|]; [exact (h_cpu_vm _ _ _ (g_cpus _ _ (R_globals _ _ HB) d DD))|exact (h_cpu_vm _ _ _ (g_cpus _ _ (R_globals _ _ HB0) d DD))]. }
    split; [apply resumed_good; [exact HB|exact UC4|exact MO4| |]|].
    + intros d DD N O. rewrite BV, (did_others _ _ _ DID d DD N), EA, VM by exact DD. now apply (go_off _ _ G).
    + intro RO. rewrite BV by exact C. apply OFF. now apply Z.eqb_eq.
    + assert (KG : field config_word g4 = field config_word g3) by exact (proj1 KB).
      split; [apply D2; [unfold spec; rewrite configuration_kept; reflexivity|]; change (field config_word g4 = field config_word g2); rewrite KG; apply (fo_field _ _ _ F3); discriminate|].
      split; [constructor; try reflexivity; now destruct (cpu_at (snd spec) c)|].
      assert (ME4 : me h4 = c) by (destruct KB as [_ KS]; etransitivity; [exact (vcpu_run_refines.st_me _ _ KS)|exact ME2]).
      pose proof (R_regs _ _ HB) as [_ RH RF _]. cbn [C_store.hw] in RH, RF. rewrite ME4 in RH, RF.
      split; [split; [|split; [exact RH|exact RF]]|].
      * intros q I. left. rewrite resumed_x. destruct (in_dec Z.eq_dec q (first_saved ++ then_saved)) as [_|N]; [|destruct N; now apply all_saved].
        exact (h_x _ _ _ (g_cpus _ _ (R_globals _ _ HB) c C) q I).
      * split; [rewrite resumed_off; now rewrite ER|]. eapply Long with (m1 := Mach g3 h2); [exact SC|exact E|exact SI|reflexivity|rewrite <- ER; exact E4|exact TL|exact MS|reflexivity].
Qed.
End Step.
