(* SPDX-License-Identifier: Apache-2.0 *)
(* From reset on the machine of spec/Step.v does what the specification says, label by label. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers Switch.
Require nie.spec.trap.trap nie.spec.trap.boot.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning trap_steps configuration_kept.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation Midway statements trap_statement trap_is_safe boot_is_safe Described host_call_exact cpu_start_exact.
From nie.proof.refine Require Exact.
From nie.proof.security Require Import Watched Claimed.
From nie.proof Require Theorems.
From nie.generated Require Program.
From nie.spec Require Import Step Exact.
From nie.proof.security Require Import core_is_safe good_is_exact trace_statement.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** The registers, on the way in and out. *)

Lemma saved_field : forall c s g gl, g <> cpus_x -> field g (vectors_save c s gl) = field g gl.
Proof.
  intros c s g gl N. unfold vectors_save. generalize (numbers 31). intro l. revert gl. induction l as [|r l IH]; intro gl; cbn [fold_left]; [reflexivity|].
  rewrite IH. now apply field_set_other.
Qed.
Lemma loaded_x : forall c g m r, 0 <= r < 31 -> Map.get (vectors_load c g m) (c * 32 + r) = at1 cpus_x g (c * 31 + r).
Proof.
  intros c g m r R. unfold vectors_load.
  assert (F : forall l m, In r l \/ Map.get m (c * 32 + r) = at1 cpus_x g (c * 31 + r) ->
    Map.get (fold_left (fun m r => Map.set m (c * 32 + r) (Map.get (field cpus_x g) (c * 31 + r))) l m) (c * 32 + r) = at1 cpus_x g (c * 31 + r)).
  { induction l as [|q l IH]; intros m0 H; cbn [fold_left]; [destruct H as [[]|]; auto|]. apply IH. destruct (in_dec Z.eq_dec r l) as [I|N]; [now left|]. right.
    rewrite Map.get_set. destruct (Z.eqb_spec (c * 32 + r) (c * 32 + q)) as [E|E]; [now replace q with r by lia|]. destruct H as [[->|I]|A]; auto; [now destruct E|contradiction]. }
  apply F. left. unfold numbers. apply in_map_iff. exists (Z.to_nat r). split; [lia|]. apply in_seq. lia.
Qed.

Section Arrives.
Variables (a : state) (s : Step.machine) (c : Z) (h : Machine.hw).
Hypothesis G : good a s.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis AL : alike (hw s) h.
Hypothesis ME : me h = c.
Let a0 := arrives c s h a.
Let gl := vectors_save c s (glob s).

Lemma arrives_cpu : forall d, cpu_at a0 d = if d =? c then cpu_at a c <| cpu_x := fill 31 0 (fun r => x s c r mod 2 ^ 64) (Map.const 0) |> else cpu_at a d.
Proof. intro d. exact (cpu_at_set c _ a d). Qed.
Lemma arrives_only : registers_only c a a0.
Proof.
  constructor; try reflexivity.
  - intros d D. rewrite arrives_cpu. destruct (Z.eqb_spec d c) as [->|N]; auto.
  - intros d D N. rewrite arrives_cpu. replace (d =? c) with false by lia. auto.
Qed.
Lemma arrives_holds : globals_hold a0 gl.
Proof.
  pose proof (g_cpus _ _ (go_globals _ _ G)) as GC. destruct (rest_quiet _ _ _ _ (rest_of _ _ (go_globals _ _ G)) (vectors_quiet c s (glob s))) as [[] _]. constructor; try assumption.
  intros d D. rewrite arrives_cpu. destruct (GC d D) as [H1 H2 H3 H4 H5 H6 H7 H8 H9].
  assert (F : forall g, g <> cpus_x -> forall i, at1 g gl i = at1 g (glob s) i) by (intros g N i; unfold at1, gl; now rewrite saved_field).
  destruct (Z.eqb_spec d c) as [->|N].
  - constructor; cbn [cpu_x host_x host_sysreg run_in start_entry start_argument cpu_vm cpu_vcpu started]; intros; try (rewrite F by discriminate; auto).
    unfold gl. rewrite vectors_at by auto. match goal with |- _ = Map.get ?m _ => change m with (fill 31 0 (fun r => x s c r mod 2 ^ 64) (Map.const 0)) end.
    rewrite Exact.get_fill by lia. replace ((0 <=? i) && (i <? 0 + 31))%bool with true by lia. now rewrite Z.sub_0_r.
  - constructor; intros; try (rewrite F by discriminate; auto).
    unfold gl. rewrite (oq_word _ _ _ (vectors_quiet c s (glob s))); [now apply H1|]. cbn [own_word]. apply Z.eqb_neq. Z.to_euclidean_division_equations; lia.
Qed.
Lemma arrives_R : R a0 (Mach gl h).
Proof.
  pose proof (good_mid a s c gl h G C AL ME (vectors_quiet c s (glob s))) as M. destruct M as [SO _ _ (m & X & T) RAM ENG _ _ VT _]. cbn [C_store.glob C_store.hw] in *.
  pose proof (step_sound _ _ _ C (Registers _ _ _ arrives_only) SO) as [W O K].
  constructor; cbn [C_store.glob C_store.hw]; auto.
  - exact arrives_holds.
  - exists m. split; [exact X|]. destruct T. constructor; assumption.
  - constructor.
    + now rewrite ME.
    + intros r Rr. rewrite ME. symmetry. change (here a0) with (fill 128 0 (fun r => Map.get (reg h) (c * 128 + r)) (Map.const 0)).
      rewrite Exact.get_fill by lia. replace ((0 <=? r) && (r <? 0 + 128))%bool with true by lia. now rewrite Z.sub_0_r.
    + intros i I. rewrite ME. symmetry. change (fp_here a0) with (fill 66 0 (fun i => Map.get (fp h) (c * 128 + i)) (Map.const 0)).
      rewrite Exact.get_fill by lia. replace ((0 <=? i) && (i <? 0 + 66))%bool with true by lia. now rewrite Z.sub_0_r.
    + intro d. rewrite VT. symmetry. apply vttbr_alike; try reflexivity. intro D. apply (ro_runs _ _ _ arrives_only d D).
Qed.
Lemma arrives_described : forall w, described w a (glob s) -> described w a0 gl.
Proof. intros w D. eapply described_same; [exact D|reflexivity|]. unfold gl. rewrite saved_field by discriminate. reflexivity. Qed.
End Arrives.

(** One step, and all of them. *)

Lemma started_elsewhere : forall c a d, d <> c -> cpu_at (nie.spec.trap.boot.cpu_start c a) d = cpu_at a d.
Proof.
  intros c a d N. unfold nie.spec.trap.boot.cpu_start, controls_host, controls_both. transitivity (cpu_at (set_cpu c (cpu_at a c <| cpu_x := Map.set nie.spec.trap.boot.no_words 0 (start_argument (cpu_at a c)) |>) a) d); [reflexivity|].
  rewrite cpu_at_set. now replace (d =? c) with false by lia.
Qed.
Lemma started_cfg : forall c a, cfg (nie.spec.trap.boot.cpu_start c a) = cfg a.
Proof. reflexivity. Qed.

(* Conversion is not to run them. *)
#[local] Opaque vectors_save vectors_load run_of call.

Section Program.
Variable P : program gvar.
Hypothesis TC : trap_correct P.
Hypothesis TS : trap_safe P.
Hypothesis SC : start_correct P.

Lemma returned : forall c s g h o s', s <| glob := g |> <| hw := h <| me := nobody |> <| during := [] |> |> <| gpr ::= vectors_load c g |>
    <| off ::= fun f => Map.set f c o |> = s' ->
  glob s' = g /\ (forall r, 0 <= r < 31 -> x s' c r = at1 cpus_x g (c * 31 + r)) /\ (reg (hw s') = reg h /\ fp (hw s') = fp h) /\ Map.get (off s') c = o.
Proof.
  intros c [gl hh gp of] g h o s' <-. cbn [glob hw off]. repeat split.
  - intros r I. exact (loaded_x c g gp r I).
  - change (Map.get (Map.set of c o) c = o). now rewrite Map.get_set, Z.eqb_refl.
Qed.

(* A function of the engine that ends in state [b]: what is known of the machine after it. *)
Lemma engine_ends : forall f args c s h g' h' rs b w, run_of P f args (Mach (vectors_save c s (glob s)) h) = Some (rs, Mach g' h') ->
  me h = c -> unclaimed h -> R b (Mach g' h') -> keeps_else (Mach (vectors_save c s (glob s)) h) (Mach g' h') -> manifest_ok (vectors_save c s (glob s)) ->
  described w b (vectors_save c s (glob s)) ->
  (forall d, 0 <= d < NIE_MAX_CPUS -> d <> c -> Map.get (off s) d = true -> cpu_vm (cpu_at b d) = CPU_HOST) ->
  (match rs with [r] => r =? TRAP_CPU_OFF | _ => false end = true -> cpu_vm (cpu_at b c) = CPU_HOST) ->
  exists s' l, engine P f args c s h = Ok s' l /\ good b s' /\ described w b (glob s') /\ glob s' = g' /\ leaves c b s' /\
    Map.get (off s') c = match rs with [r] => r =? TRAP_CPU_OFF | _ => false end.
Proof.
  intros f args c s h g' h' rs b w E ME UC HR [KC KS] MO D OT ON. cbn [C_store.glob C_store.hw] in *.
  assert (MO' : manifest_ok g') by (destruct MO; constructor; unfold at1 in *; rewrite KC; auto).
  destruct (engine_good P f args c s h g' h' rs b E HR (run_unclaimed _ _ _ _ _ _ E UC) MO' OT ON) as (s' & l & EQ & GB & _ & ES). exists s', l. split; [exact EQ|]. split; [exact GB|].
  assert (ME' : me h' = c) by (rewrite (vcpu_run_refines.st_me _ _ KS); exact ME). destruct (returned c s g' h' _ s' (eq_sym ES)) as (E1 & E2 & [E3 E5] & E4).
  rewrite E1. split; [eapply described_same; [exact D|reflexivity|exact KC]|]. split; [reflexivity|]. split; [|exact E4].
  pose proof (R_regs _ _ HR) as [RM RH RF _]. cbn [C_store.hw] in RM, RH, RF. rewrite ME' in RM, RH, RF. split; [|split].
  - intros r I. rewrite E2 by exact I. exact (h_x _ _ _ (g_cpus _ _ (R_globals _ _ HR) c RM) r I).
  - intros r I. unfold sysreg. rewrite E3. exact (RH r I).
  - intros i I. rewrite E5. exact (RF i I).
Qed.

Lemma off_elsewhere : forall a s c h f args g' h' rs b b0, good a s -> 0 <= c < NIE_MAX_CPUS -> alike (hw s) h -> me h = c ->
  run_of P f args (Mach (vectors_save c s (glob s)) h) = Some (rs, Mach g' h') ->
  (forall d, 0 <= d < NIE_MAX_CPUS -> d <> c -> cpu_vm (cpu_at b0 d) = cpu_vm (cpu_at (arrives c s h a) d)) -> R b0 (Mach g' h') -> R b (Mach g' h') ->
  forall d, 0 <= d < NIE_MAX_CPUS -> d <> c -> Map.get (off s) d = true -> cpu_vm (cpu_at b d) = CPU_HOST.
Proof.
  intros a s c h f args g' h' rs b b0 G C AL ME E OTH R0 RB d D N O.
  rewrite <- (h_cpu_vm _ _ _ (g_cpus _ _ (R_globals _ _ RB) d D)), (h_cpu_vm _ _ _ (g_cpus _ _ (R_globals _ _ R0) d D)), (OTH d D N).
  rewrite (arrives_cpu a s c h d). replace (d =? c) with false by lia. now apply (go_off _ _ G).
Qed.

Lemma next_correct : forall w a s l, good a s -> described w a (glob s) -> match next P s l with
  | Ok s' g => exists b, good b s' /\ described w b (glob s') /\ forall tr e t, specified P b s' tr e t -> specified P a s (l :: tr) e t
  | Crash => False
  | Disabled => True
  end.
Proof.
  intros w a s l G D. destruct l as [d|c e i d|c i d]; cbn [next].
  - exists a. split; [now apply good_do|]. split; [|intros; now apply Software].
    assert (E : glob (do_step d s) = glob s) by (destruct d; cbn [do_step]; repeat match goal with |- context [match ?x with _ => _ end] => destruct x end; reflexivity).
    now rewrite E.
  - destruct (is_cpu c && negb (Map.get (off s) c) && possible e)%bool eqn:B; [|exact Logic.I].
    pose proof B as B'. apply andb_prop in B' as [B' _]. apply andb_prop in B' as [IC _]. assert (C : 0 <= c < 8) by (unfold is_cpu, NIE_MAX_CPUS in IC; lia).
    set (h := take c e (enter c i d (hw s))).
    assert (AL : alike (hw s) h) by (eapply alike_trans; [apply alike_enter|apply alike_take]).
    pose proof (arrives_R a s c h G C AL eq_refl) as HR. pose proof (arrives_described a s c h w D) as D0.
    set (gl := vectors_save c s (glob s)) in *. set (a0 := arrives c s h a) in *.
    assert (XO : vcpu_traps.x_ok c gl) by (intros r Rr; unfold gl; rewrite vectors_at by auto; apply Z.mod_pos_bound; lia).
    pose proof (mi_man _ _ _ _ (good_mid a s c gl h G C AL eq_refl (vectors_quiet c s (glob s)))) as MO. cbn [C_store.glob] in MO.
    pose proof (unclaimed_alike _ _ (go_claims _ _ G) AL) as UC.
    destruct (TC w a0 (Mach gl h) (kind e) HR (unclaimed_spares _ _ _ _ UC) D0 XO) as (content & r & [g' h'] & E & ER & HB & K & TL & MS).
    destruct (TS a0 (Mach gl h) (kind e) HR UC MO XO) as (r0 & b0 & s0 & E0 & DID & HB0 & MO0 & _ & OFF).
    assert (EE : Some ([r0], s0) = Some ([r], Mach g' h')) by (etransitivity; [symmetry; exact E0|exact E]). injection EE as -> ->.
    set (spec := nie.spec.trap.trap.trap c (kind e) (fun n => i n) content a0).
    assert (SP : nie.spec.trap.trap.trap (me (C_store.hw (Mach gl h))) (kind e) (vcpu_run_refines.inputs_from (C_store.hw (Mach gl h))) content a0 = spec) by reflexivity.
    cbv zeta in E, ER, HB, TL. rewrite SP in ER, HB, TL.
    assert (DB : described w (snd spec) gl) by (eapply described_same; [exact D0|apply configuration_kept|reflexivity]).
    destruct (engine_ends "trap" [c; kind e] c s h g' h' [r] (snd spec) w E eq_refl UC HB K MO DB) as (s' & l & EQ & GB & DB' & EG & LV & OF).
    + exact (off_elsewhere a s c h "trap" _ g' h' [r] (snd spec) b0 G C AL eq_refl E (did_others _ _ _ DID) HB0 HB).
    + intro X. rewrite <- (h_cpu_vm _ _ _ (g_cpus _ _ (R_globals _ _ HB) c C)), (h_cpu_vm _ _ _ (g_cpus _ _ (R_globals _ _ HB0) c C)). apply OFF. now apply Z.eqb_eq.
    + rewrite EQ. exists (snd spec). split; [exact GB|]. split; [exact DB'|]. intros tr b t FOLLOW.
      eapply (Exception P a s c e i d tr content (Mach g' h') s' l b t); fold h gl a0 spec; auto.
      * rewrite <- ER. exact E.
      * cbn [next]. rewrite B. exact EQ.
      * rewrite <- ER. exact OF.
  - destruct (is_cpu c && Map.get (off s) c)%bool eqn:B; [|exact Logic.I]. pose proof B as B'. apply andb_prop in B' as [IC IO].
    assert (C : 0 <= c < 8) by (unfold is_cpu, NIE_MAX_CPUS in IC; lia).
    set (h := enter c i d (hw s)). pose proof (alike_enter c i d (hw s)) as AL. fold h in AL.
    pose proof (arrives_R a s c h G C AL eq_refl) as HR. pose proof (arrives_described a s c h w D) as D0.
    set (gl := vectors_save c s (glob s)) in *. set (a0 := arrives c s h a) in *.
    pose proof (mi_man _ _ _ _ (good_mid a s c gl h G C AL eq_refl (vectors_quiet c s (glob s)))) as MO. cbn [C_store.glob] in MO.
    assert (HO : cpu_vm (cpu_at a0 c) = CPU_HOST) by (unfold a0; rewrite (arrives_cpu a s c h c), Z.eqb_refl; exact (go_off _ _ G c C IO)).
    destruct (SC a0 (Mach gl h) HR HO) as ([g' h'] & E & HB & K).
    change (me (C_store.hw (Mach gl h))) with c in E, HB. set (b := nie.spec.trap.boot.cpu_start c a0) in *.
    assert (OT : forall d, d <> c -> cpu_at b d = cpu_at a0 d) by (intros d' N; unfold b; apply started_elsewhere; exact N).
    assert (DB : described w b gl) by (eapply described_same; [exact D0|apply started_cfg|reflexivity]).
    destruct (engine_ends "cpu_start" [c] c s h g' h' [] b w E eq_refl (unclaimed_alike _ _ (go_claims _ _ G) AL) HB K MO DB) as (s' & l & EQ & GB & DB' & EG & LV & OF).
    + intros d' D' N O. rewrite (OT d' N). unfold a0. rewrite (arrives_cpu a s c h d'). replace (d' =? c) with false by lia. now apply (go_off _ _ G).
    + discriminate.
    + rewrite EQ. exists b. split; [exact GB|]. split; [exact DB'|]. intros tr e t SP.
      eapply (Starts P a s c i d tr s' l e t); fold h a0 b; auto. cbn [next]. rewrite B. exact EQ.
Qed.

Lemma run_correct : forall w tr a s, good a s -> described w a (glob s) -> match run P s tr with
  | Ok t g => exists b, good b t /\ specified P a s tr b t
  | Crash => False
  | Disabled => True
  end.
Proof.
  intros w. induction tr as [|l tr IH]; intros a s G D; cbn [run]; [exists a; split; [exact G|apply Ended]|].
  pose proof (next_correct w a s l G D) as N. destruct (next P s l) as [s' g| |] eqn:E; auto. destruct N as (b & GB & DB & K).
  specialize (IH b s' GB DB). destruct (run P s' tr) as [t g2| |]; auto. destruct IH as (e & GE & SP). exists e. auto.
Qed.

Lemma run_app : forall tr s t g l, run P s tr = Ok t g -> run P s (tr ++ [l]) = match next P t l with Ok t' g' => Ok t' (g ++ (g' ++ [])) | o => o end.
Proof.
  induction tr as [|k tr IH]; intros s t g l E; cbn [run app] in *.
  - injection E as -> <-. destruct (next P t l); reflexivity.
  - destruct (next P s k) as [s' g1| |]; try discriminate. destruct (run P s' tr) as [t1 g2| |] eqn:E1; try discriminate. injection E as -> <-.
    rewrite (IH _ _ _ l E1). destruct (next P t l) as [t' g'| |]; auto. now rewrite app_assoc.
Qed.

Theorem correct_from : forall w a s tr, good a s -> described w a (glob s) ->
  run P s tr <> Crash /\ forall t g, run P s tr = Ok t g ->
    (exists b, specified P a s tr b t /\ exact b t) /\
    forall c e i d, is_cpu c = true -> Map.get (off t) c = false -> possible e = true -> exists t' g', run P s (tr ++ [Trap c e i d]) = Ok t' g'.
Proof.
  intros w a s tr G D. split.
  - pose proof (run_correct w tr a s G D) as X. intro E. now rewrite E in X.
  - intros t g E. split.
    + pose proof (run_correct w tr a s G D) as X. rewrite E in X. destruct X as (b & GB & SP). exists b. split; [exact SP|now apply good_is_exact].
    + intros c e i d IC ON PO. pose proof (run_correct w (tr ++ [Trap c e i d]) a s G D) as X. rewrite (run_app _ _ _ _ (Trap c e i d) E) in *.
      destruct (next P t (Trap c e i d)) as [t' g'| |] eqn:N; [eauto|contradiction|].
      cbn [next] in N. rewrite IC, ON, PO in N. cbn [negb andb] in N. unfold engine in N. destruct (call P "trap" _ _) as [[rs m]|]; [|discriminate].
      destruct (C_store.hw m). discriminate.
Qed.
End Program.

Lemma boot_described : forall P h s, boot_describing P -> at_reset h -> boots P h s -> described (manifest h) (spec_boot (manifest h)) (glob s).
Proof. intros P h s BD RS (s1 & E & EG & _). rewrite EG. exact (BD h s1 RS E). Qed.

Theorem correct_after_boot : forall P, boot_correct P -> boot_describing P -> trap_correct P -> trap_safe P -> start_correct P -> start_safe P -> correct_from_boot P.
Proof.
  intros P BC BD TC TS SC SS h s tr RS BO. destruct (boot_good P h s BC RS BO) as [G _]. pose proof (boot_described P h s BD RS BO) as D.
  destruct (correct_from P TC TS SC (manifest h) _ s tr G D) as [NC OKS]. split; [exact NC|]. split; [|exact OKS].
  exact (proj2 (run_safe P TS SS tr _ s G)).
Qed.

Theorem core_is_correct : correct_from_boot Program.core.
Proof.
  exact (correct_after_boot Program.core Theorems.boot_is_correct Theorems.boot_describes Theorems.trap_is_correct Theorems.trap_is_safe
    Theorems.start_is_correct Theorems.start_is_safe).
Qed.

(* A machine that starts: its premises can be met. *)
Theorem a_machine_boots : exists h s, at_reset h /\ boots Program.core h s.
Proof. destruct boot_happens as (s & h & RS & B). eauto. Qed.
