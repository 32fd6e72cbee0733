(* SPDX-License-Identifier: Apache-2.0 *)
(* A VM's measurement is of what went into it: from boot's end, whatever software does on any CPU, the hash that VM_INFO tells of an activated VM is SHA-256
   of the log that spec/Measured.v reads off the trace: the calls' arguments, and the pages' words as they were when the calls returned. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers Measure.
Require nie.spec.call.host_call nie.spec.trap.trap nie.spec.call.page_add nie.spec.call.vm_info.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning configuration_kept.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation statements trap_statement trap_is_safe boot_is_safe Described cpu_start_exact.
From nie.proof.refine Require Snapshot.
From nie.proof Require Theorems.
From nie.generated Require Program.
From nie.spec Require Import Step Exact.
From nie.spec Require Released Answers Measured Isolation.
From nie.proof.security Require Import core_is_safe trace_statement core_is_correct page_add_ends.
From nie.proof.security Require Import Calm Noted Followed Answered Built Logged Measures.
From nie.proof.security Require Watched core_keeps_registers.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
#[local] Existing Instance Measured.eta_building.
#[local] Opaque vectors_save vectors_load run_of call.

Notation before c e i d s := (Mach (vectors_save c s (glob s)) (take c e (enter c i d (hw s)))).

(** One exception. *)

Lemma x_set : forall c i w d j, x_of (set_x c i w d) c j = if j =? i then w else x_of d c j.
Proof.
  intros. unfold set_x, x_of. rewrite Snapshot.cpu_at_set, Z.eqb_refl. transitivity (Map.get (Map.set (cpu_x (cpu_at d c)) i w) j); [reflexivity|]. apply Map.get_set.
Qed.
Lemma x_answered : forall c w0 w1 w2 w3 w4 w5 w6 d, let b := answer c [w0; w1; w2; w3; w4; w5; w6] d in
  x_of b c 1 = w1 /\ x_of b c 3 = w3 /\ x_of b c 4 = w4 /\ x_of b c 5 = w5 /\ x_of b c 6 = w6.
Proof.
  intros. unfold b, answer. cbn [answer_from]. change (0 + 1) with 1. change (1 + 1) with 2. change (2 + 1) with 3. change (3 + 1) with 4. change (4 + 1) with 5. change (5 + 1) with 6.
  rewrite !x_set. auto.
Qed.

Section One.
Variable P : program gvar.
Hypothesis PH : page_add_holds P.
Variables (v : Z) (k : Measured.building) (a b : state) (s s' : Step.machine) (c : Z) (e : exception) (ins : nat -> Z) (d : list (list act)).
Variables (content : Z -> Z -> Z) (r : list Z) (m : MACH).
Let l := Trap c e ins d.
Let a0 := arrived c e ins d s a.
Notation x := (x_of a0 c).
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis G : good a s.
Hypothesis GB : good b s'.
Hypothesis ALL : forall u, 0 <= u < NIE_MAX_VMS -> exists ku, noted u ku a.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis PO : possible e = true.
Hypothesis LV : leaves c b s'.
Hypothesis EB : b = snd (nie.spec.trap.trap.trap c (kind e) (fun n => ins n) content a0).
Hypothesis RUN : run_of P "trap" [c; kind e] (before c e ins d s) = Some (r, m).
Hypothesis MEM : Machine.mem (hw s') = Machine.mem (C_store.hw m).
Hypothesis MH : measures_held P a0 (kind e) (before c e ins d s) content.
Hypothesis A : agrees k (vm_at a v).

Let AL : alike (hw s) (take c e (enter c ins d (hw s))).
Proof. eapply alike_trans; [apply alike_enter|apply alike_take]. Qed.
Lemma here_R : R a0 (before c e ins d s).
Proof. exact (arrives_R a s c _ G C AL eq_refl). Qed.
Lemma args_are : forall i, 0 <= i < 31 -> x_of a0 c i = Step.x s c i mod 2 ^ 64.
Proof. intros i I. exact (core_keeps_registers.x_arrived c e ins d s a i I). Qed.
Lemma function_is : x 0 mod 2 ^ 32 = Step.x s c 0 mod 2 ^ 32.
Proof. rewrite args_are by lia. apply low_half. apply Z.mod_mod. discriminate. Qed.
Lemma noted0 : forall u, 0 <= u < NIE_MAX_VMS -> exists ku, noted u ku a0.
Proof.
  intros u U. destruct (ALL u U) as [ku NU]. exists ku.
  exact (still_noted u ku a a0 U (runners_range a (wf_runners a (so_wf _ (go_sound _ _ G)))) (calm_still u a a0 (calm_arrives c s _ a)) NU).
Qed.
Lemma class_is : exception_class (reg_of a0 REG_ESR_EL2) = Released.class e.
Proof.
  unfold a0. rewrite (core_keeps_registers.reg_arrived c e ins d s a) by (unfold REG_ESR_EL2; lia).
  destruct (core_keeps_registers.taken_are c e (enter c ins d (hw s))) as (T & _). rewrite T. unfold exception_class, Released.class. symmetry. apply inject_exact.field_is; lia || reflexivity.
Qed.

(* What a PAGE_ADD measured is what its pages hold now. *)
Lemma held : cpu_vm (cpu_at a0 c) = CPU_HOST -> kind e = TRAP_SYNC -> exception_class (reg_of a0 REG_ESR_EL2) = EC_HVC64 -> x 0 mod 2 ^ 32 = NIE_PAGE_ADD ->
  fst (nie.spec.call.page_add.page_add (x 1) (x 2) (x 3) (x 4) (fun i => content (page_of (x 3) + i)) a0) = NIE_OK ->
  forall i j, 0 <= i < x 4 -> is_word j = true -> content (page_of (x 3) + i) j = Isolation.page_words s' (page_of (x 3) + i) j.
Proof.
  intros HO EK EC FN OK i j I J. unfold Isolation.page_words. rewrite MEM. rewrite EK in RUN, MH. pose proof here_R as HR.
  assert (CK : nie.spec.call.page_add.page_add_check a0 (x 1) (x 2) (x 3) (x 4) = NIE_OK).
  { unfold nie.spec.call.page_add.page_add in OK. cbv zeta in OK. destruct (Z.eqb_spec (nie.spec.call.page_add.page_add_check a0 (x 1) (x 2) (x 3) (x 4)) NIE_OK) as [E|N]; [exact E|contradiction]. }
  refine (PH a0 (before c e ins d s) content r m HR _ HO EC FN CK _ RUN MH i j I J).
  - intros q Q. cbn [C_store.glob]. rewrite vectors_at by auto. apply Z.mod_pos_bound. lia.
  - intros q Q X. assert (B : vm_state (vm_at a0 (x 1)) = NIE_VM_BUILDING /\ 0 <= x 1 < NIE_MAX_VMS).
    { unfold nie.spec.call.page_add.page_add_check in CK. destruct (vm_exists (x 1)) eqn:VE; [|discriminate CK].
      destruct (vm_is a0 (x 1) NIE_VM_BUILDING NIE_VM_BUILDING) eqn:VI; [|discriminate CK]. unfold vm_is in VI. unfold vm_exists in VE. split; [lia|].
      pose proof (Z.mod_pos_bound (Step.x s c 1) (2 ^ 64) ltac:(lia)) as M1. rewrite <- args_are in M1 by lia. lia. }
    destruct B as [B U]. destruct (noted0 (x 1) U) as [ku NU]. destruct (no_on _ _ _ NU q Q X) as (_ & _ & NB). contradiction.
Qed.

Let args := fun i => Step.x s c i mod 2 ^ 64.
Let fn := Step.x s c 0 mod 2 ^ 32.
Let new := Measured.added s' fn args.
Lemma pages_same : forall p q u f g n, p = q -> (forall i j, 0 <= i < Z.of_nat n -> is_word j = true -> f i j = g (u + i) j) ->
  flat_map (page_words_of p f) (numbers n) = flat_map (fun i => record MEASURE_PAGE ((q + i) * 4096) 0 0 ++ page (g (u + i))) (numbers n).
Proof.
  intros p q u f g n -> H. rewrite !flat_map_concat_map. f_equal. apply map_ext_in. intros i I. unfold page_words_of. f_equal. unfold page. apply map_ext_in. intros j J. apply in_seq in J.
  unfold numbers in I. apply in_map_iff in I as (y & <- & I). apply in_seq in I. apply H; [lia|unfold is_word; lia].
Qed.
Lemma news_are : cpu_vm (cpu_at a0 c) = CPU_HOST -> kind e = TRAP_SYNC -> exception_class (reg_of a0 REG_ESR_EL2) = EC_HVC64 -> news a0 c content new.
Proof.
  intros HO EK EC. assert (F : fn = x 0 mod 2 ^ 32) by (symmetry; exact function_is).
  assert (X : forall i, 0 <= i < 31 -> args i = x i) by (intros i I; unfold args; symmetry; now apply args_are).
  unfold new, Measured.added. rewrite F. constructor.
  - intro E. rewrite E. change (NIE_VCPU_CREATE =? NIE_VCPU_CREATE) with true. cbn iota. now rewrite !X by lia.
  - intros E OK. rewrite E. change (NIE_PAGE_ADD =? NIE_VCPU_CREATE) with false. change (NIE_PAGE_ADD =? NIE_PAGE_ADD) with true. cbn iota. rewrite !X by lia. symmetry.
    apply (pages_same (page_of (x 2)) (x 2 / 4096) (x 3 / 4096)); [reflexivity|]. intros i j I J. apply (held HO EK EC E OK); [|exact J].
    pose proof (Z.mod_pos_bound (Step.x s c 4) (2 ^ 64) ltac:(lia)) as M4. rewrite <- args_are in M4 by lia. lia.
  - intro E. rewrite E. change (NIE_PAGE_ADD_ZERO =? NIE_VCPU_CREATE) with false. change (NIE_PAGE_ADD_ZERO =? NIE_PAGE_ADD) with false.
    change (NIE_PAGE_ADD_ZERO =? NIE_PAGE_ADD_ZERO) with true. cbn iota. now rewrite !X by lia.
  - intro E. rewrite E. change (NIE_PAGE_SHARED_ADD =? NIE_VCPU_CREATE) with false. change (NIE_PAGE_SHARED_ADD =? NIE_PAGE_ADD) with false.
    change (NIE_PAGE_SHARED_ADD =? NIE_PAGE_ADD_ZERO) with false. change (NIE_PAGE_SHARED_ADD =? NIE_PAGE_SHARED_ADD) with true. cbn iota. now rewrite !X by lia.
  - intros N1 N2 N3 N4. rewrite (proj2 (Z.eqb_neq _ _) N1), (proj2 (Z.eqb_neq _ _) N2), (proj2 (Z.eqb_neq _ _) N3), (proj2 (Z.eqb_neq _ _) N4). reflexivity.
Qed.

Lemma cpus_are : Released.runs_b s c 0 = (cpu_vm (cpu_at a0 c) =? CPU_HOST) /\ Released.runs_b s' c 0 = (cpu_vm (cpu_at b c) =? CPU_HOST).
Proof.
  assert (Q : cpu_vm (cpu_at a0 c) = cpu_vm (cpu_at a c)).
  { pose proof (ca_cpus _ _ (calm_arrives c s (take c e (enter c ins d (hw s))) a) c) as Q. unfold run_view in Q. injection Q as Q _. exact Q. }
  rewrite Q, (host_is a s c G C), (host_is b s' c GB C). auto.
Qed.
Definition goes_on : Prop := agrees (Measured.built v k s s' l) (vm_at b v).
Lemma status_is : Step.x s' c 0 = x_of b c 0.
Proof. destruct LV as (LX & _). apply LX. lia. Qed.

Lemma host_goes_on : cpu_vm (cpu_at a0 c) = CPU_HOST -> goes_on.
Proof.
  intro HO. destruct cpus_are as [R1 R2]. unfold goes_on, Measured.built, Released.host_call_of, l. rewrite R1, R2, HO. change (CPU_HOST =? CPU_HOST) with true. cbn [andb].
  assert (EH : b = snd (nie.spec.trap.trap.host_trap c (kind e) (fun n => ins n) content a0)).
  { rewrite EB. unfold nie.spec.trap.trap.trap. rewrite HO. reflexivity. }
  assert (A0 : agrees k (vm_at a0 v)) by exact A.
  destruct (Released.is_sync e EC_HVC64) eqn:SY; cbn [andb].
  - unfold Released.is_sync in SY. apply andb_prop in SY as [S1 S2]. apply Z.eqb_eq in S1. rewrite <- class_is in S2. apply Z.eqb_eq in S2.
    assert (EC : b = nie.spec.call.host_call.host_call c (fun n => ins n) content a0).
    { rewrite EH. unfold nie.spec.trap.trap.host_trap. cbv zeta. rewrite S1, S2. reflexivity. }
    assert (W0 : wf a0) by exact (R_wf _ _ here_R).
    pose proof (host_call_measured v k a0 c (fun n => ins n) content new V W0 A0 (news_are HO S1 S2)) as [M1 M2]. rewrite <- EC in M1, M2.
    destruct (Z.eqb_spec (cpu_vm (cpu_at b c)) CPU_HOST) as [HB|NB].
    + fold fn args new. rewrite status_is. destruct (Z.eq_dec (x 0 mod 2 ^ 32) NIE_VCPU_RUN) as [F|F].
      * pose proof (M1 F) as H. unfold Measured.after_call. destruct (negb _); [exact H|]. unfold fn. rewrite <- function_is, F.
        change (NIE_VCPU_RUN =? NIE_VM_CREATE) with false. change (NIE_VCPU_RUN =? NIE_VM_ACTIVATE) with false. destruct (negb (Measured.open k)); [exact H|].
        assert (E : new = []) by (unfold new, Measured.added, fn; rewrite <- function_is, F; reflexivity). rewrite E.
        eapply agrees_eq; [| |exact H]; [symmetry; apply app_nil_r|reflexivity].
      * specialize (M2 F). unfold right in M2. assert (EA : Measured.after_call v k fn args (x_of b c 0) new = Measured.after_call v k (x 0 mod 2 ^ 32) (x_of a0 c) (x_of b c 0) new).
        { unfold Measured.after_call, fn. rewrite function_is. unfold args. rewrite <- !args_are by lia. reflexivity. }
        rewrite EA. exact M2.
    + destruct (Z.eq_dec (x 0 mod 2 ^ 32) NIE_VCPU_RUN) as [F|F]; [exact (M1 F)|]. exfalso. apply NB.
      rewrite EC, (nobody_comes a0 c (fun n => ins n) content F). exact HO.
  - apply (agrees_keeps v k a0 b); [|exact A0]. rewrite EH. apply host_trap_keeps.
    unfold Released.is_sync in SY. rewrite <- class_is in SY. destruct (kind e =? TRAP_SYNC); [right|now left]. cbn [andb] in SY. now apply Z.eqb_neq.
Qed.
Lemma guest_goes_on : cpu_vm (cpu_at a0 c) <> CPU_HOST -> goes_on.
Proof.
  intro GU. destruct cpus_are as [R1 R2]. unfold goes_on, Measured.built, Released.host_call_of, l. rewrite R1. rewrite (proj2 (Z.eqb_neq _ _) GU). cbn [andb].
  assert (EG : b = snd (nie.spec.trap.trap.vcpu_trap c (kind e) a0)).
  { rewrite EB. unfold nie.spec.trap.trap.trap. rewrite (proj2 (Z.eqb_neq _ _) GU). now destruct (nie.spec.trap.trap.vcpu_trap c (kind e) a0). }
  apply (agrees_keeps v k a0 b); [|exact A]. rewrite EG. apply vcpu_trap_keeps.
  pose proof (u_runs _ (wf_u _ (R_wf _ _ here_R)) c C GU) as U. cbv zeta in U. destruct U as (UR & I & RN & _).
  apply (u_some _ (wf_u _ (R_wf _ _ here_R)) _ _ UR I). rewrite RN. discriminate.
Qed.
Theorem it_goes_on : goes_on.
Proof. destruct (Z.eq_dec (cpu_vm (cpu_at a0 c)) CPU_HOST); [now apply host_goes_on|now apply guest_goes_on]. Qed.

(* VM_INFO. *)
Lemma told_right : forall h, Measured.told_hash v k s s' l = Some h -> h = nie.spec.call.vm_info.hash_words (measurement (Measured.words k)).
Proof.
  intros h T. destruct cpus_are as [R1 R2]. unfold Measured.told_hash, l in T. cbn iota in T. unfold Released.host_call_of in T. rewrite R1, R2 in T.
  destruct (Z.eqb_spec (cpu_vm (cpu_at a0 c)) CPU_HOST) as [HO|]; [|discriminate T]. destruct (Released.is_sync e EC_HVC64) eqn:SY; [|discriminate T]. cbn [andb] in T.
  destruct (cpu_vm (cpu_at b c) =? CPU_HOST); [|discriminate T]. fold fn args in T.
  match type of T with (if ?t then _ else _) = _ => destruct t eqn:Q; [|discriminate T] end. injection T as <-.
  apply andb_prop in Q as [Q Q4]. apply andb_prop in Q as [Q Q3]. apply andb_prop in Q as [Q1 Q2]. apply Z.eqb_eq in Q1. apply Z.eqb_eq in Q2.
  assert (X1 : x 1 = v) by (rewrite args_are by lia; exact Q2). assert (FN : x 0 mod 2 ^ 32 = NIE_VM_INFO) by (rewrite function_is; exact Q1).
  unfold Released.is_sync in SY. apply andb_prop in SY as [S1 S2]. apply Z.eqb_eq in S1. rewrite <- class_is in S2. apply Z.eqb_eq in S2.
  assert (EI : b = answer c (nie.spec.call.vm_info.vm_info_words v a0) a0).
  { rewrite EB. unfold nie.spec.trap.trap.trap. rewrite HO. change (CPU_HOST =? CPU_HOST) with true. cbn iota. unfold nie.spec.trap.trap.host_trap. cbv zeta. rewrite S1, S2.
    change (negb (TRAP_SYNC =? TRAP_SYNC)) with false. change (EC_HVC64 =? EC_HVC64) with true. cbn [snd]. unfold nie.spec.call.host_call.host_call. cbv zeta. rewrite FN.
    change (NIE_VM_INFO =? NIE_VERSION) with false. change (NIE_VM_INFO =? NIE_VM_INFO) with true. cbn iota. unfold nie.spec.call.vm_info.vm_info. now rewrite X1. }
  unfold nie.spec.call.vm_info.vm_info_words in EI. replace (vm_exists v) with true in EI by (unfold vm_exists; lia).
  set (z := vm_at a0 v) in EI. destruct LV as (LX & _).
  assert (SH : Step.x s' c 1 = vm_state z + 256 * running z /\ [Step.x s' c 3; Step.x s' c 4; Step.x s' c 5; Step.x s' c 6] = nie.spec.call.vm_info.hash_words (hash_of_vm z)).
  { rewrite !LX by lia. rewrite EI. destruct (hash_of_vm z) as [[[[[[[h0 h1] h2] h3] h4] h5] h6] h7]. cbn [nie.spec.call.vm_info.hash_words app].
    match goal with |- context [answer c [?w0; ?w1; ?w2; ?w3; ?w4; ?w5; ?w6] a0] => destruct (x_answered c w0 w1 w2 w3 w4 w5 w6 a0) as (-> & -> & -> & -> & ->) end. auto. }
  destruct SH as [ST HS].
  etransitivity; [exact HS|]. f_equal.
  assert (F : vm_state z = NIE_VM_FREE \/ NIE_VM_FREE < vm_state z <= NIE_VM_STOPPED).
  { destruct (Z.eq_dec (vm_state z) NIE_VM_FREE) as [E|N]; [now left|right]. apply (v_used _ (wf_v _ (R_wf _ _ here_R)) v V N). }
  rewrite ST in Q4. replace (vm_state z + 256 * running z) with (vm_state z + running z * 256) in Q4 by lia. rewrite Z.mod_add in Q4 by lia.
  rewrite Z.mod_small in Q4 by (unfold NIE_VM_FREE, NIE_VM_STOPPED in F; lia).
  assert (NF : vm_state z <> NIE_VM_FREE) by (unfold NIE_VM_FREE, NIE_VM_ACTIVE, NIE_VM_STOPPED in *; lia). destruct (A NF) as (A1 & A2 & A3 & A4). change (vm_at a v) with z in A1, A2, A3, A4.
  assert (SE : sealed z = true).
  { rewrite A2. apply orb_prop in Q4 as [E|E]; [apply Z.eqb_eq in E; now rewrite (A4 E)|]. apply andb_prop in E as [_ E]. exact E. }
  unfold hash_of_vm. rewrite (proj2 (Z.eqb_neq _ _) NF), SE, A1. reflexivity.
Qed.
End One.

(** Runs. *)

Section Runs.
Variable P : program gvar.
Hypothesis TC : trap_correct P.
Hypothesis TS : trap_safe P.
Hypothesis SC : start_correct P.
Hypothesis PH : page_add_holds P.

Lemma next_held : forall z a s c e i d s' g, good a s -> described z a (glob s) -> next P s (Trap c e i d) = Ok s' g ->
  exists b content r m, good b s' /\ described z b (glob s') /\ 0 <= c < NIE_MAX_CPUS /\ possible e = true /\ leaves c b s' /\
    b = snd (nie.spec.trap.trap.trap c (kind e) (fun n => i n) content (arrived c e i d s a)) /\
    run_of P "trap" [c; kind e] (before c e i d s) = Some (r, m) /\ Machine.mem (hw s') = Machine.mem (C_store.hw m) /\
    measures_held P (arrived c e i d s a) (kind e) (before c e i d s) content.
Proof.
  intros z a s c e i d s' g G D E. pose proof (next_correct P TC TS SC z a s (Trap c e i d) G D) as N. rewrite E in N. destruct N as (b & GB & DB & K).
  specialize (K [] b s' (Ended P b s')). pose proof E as E0. cbn [next] in E0. destruct (is_cpu c && negb (Map.get (off s) c) && possible e)%bool eqn:B; [|discriminate E0].
  apply andb_prop in B as [B PO]. apply andb_prop in B as [IC _]. assert (C : 0 <= c < NIE_MAX_CPUS) by (unfold is_cpu in IC; lia).
  inversion K as [| |? ? ? ? ? ? ? content m s1 g0 ? ? h before0 a0 spec R1 R2 R3 R4 R5 R6 R7 R8|]; subst. inversion R8; subst.
  exists (snd spec), content, [fst (fst spec)], m. do 4 (split; [assumption|]). split; [exact R6|]. split; [reflexivity|]. split; [exact R1|]. split; [|exact R3].
  assert (AL : alike (hw s) h) by (eapply alike_trans; [apply alike_enter|apply alike_take]).
  pose proof (arrives_R a s c h G C AL eq_refl) as HR. pose proof (arrives_described a s c h z D) as D0.
  assert (XO : vcpu_traps.x_ok c (vectors_save c s (glob s))) by (intros q Q; rewrite vectors_at by auto; apply Z.mod_pos_bound; lia).
  destruct (TC z a0 before0 (kind e) HR (unclaimed_spares _ _ _ _ (unclaimed_alike _ _ (go_claims _ _ G) AL)) D0 XO) as (ct & rr & mm & ET & _ & HB & _). change (me (C_store.hw before0)) with c in ET. rewrite R1 in ET. injection ET as _ <-.
  destruct m as [gm hm]. destruct (R_hw _ _ HB) as (mem0 & WD & _). cbn [C_store.hw] in WD.
  destruct (Watched.watched_run P "trap"%string [c; kind e] _ h _ gm hm R1 (w_ok _ _ _ _ _ _ WD)) as (lg & WR & _).
  unfold engine in E0. fold h in E0. rewrite WR in E0. injection E0 as <- _. reflexivity.
Qed.

Lemma next_started : forall z a s c i d s' g, good a s -> described z a (glob s) -> next P s (Start c i d) = Ok s' g ->
  exists b, good b s' /\ described z b (glob s') /\ calm a b /\ vms b = vms a.
Proof.
  intros z a s c i d s' g G D E. pose proof (next_correct P TC TS SC z a s (Start c i d) G D) as N. rewrite E in N. destruct N as (b & GB & DB & K).
  specialize (K [] b s' (Ended P b s')). exists b. split; [exact GB|]. split; [exact DB|].
  inversion K as [| | |? ? ? ? ? ? s1 g0 ? ? a1 R1 R2 R3 R4]; subst. inversion R4; subst. split; [apply calm_start, calm_arrives|].
  unfold a1, nie.spec.trap.boot.cpu_start, nie.spec.Switch.controls_host, nie.spec.Switch.controls_both. cbv zeta. rewrite !vms_regs. reflexivity.
Qed.
Definition all_noted (a : state) : Prop := forall u, 0 <= u < NIE_MAX_VMS -> exists ku, noted u ku a.
Lemma step_measured : forall z v k a s l s' g, 0 <= v < NIE_MAX_VMS -> good a s -> described z a (glob s) -> all_noted a -> agrees k (vm_at a v) -> next P s l = Ok s' g ->
  (forall h, Measured.told_hash v k s s' l = Some h -> h = nie.spec.call.vm_info.hash_words (measurement (Measured.words k))) /\
  exists b, good b s' /\ described z b (glob s') /\ all_noted b /\ agrees (Measured.built v k s s' l) (vm_at b v).
Proof.
  intros z v k a s l s' g V G D ALL A E. destruct l as [x0|c e i d|c i d].
  - destruct (next_follows P TC TS SC z a s _ s' g G D E) as (b & GB & DB & F). cbn [follows] in F. subst b. split; [discriminate|]. exists a. auto.
  - destruct (next_held z a s c e i d s' g G D E) as (b & content & r & m & GB & DB & C & PO & LV & EB & RUN & MEM & MH). split.
    + exact (told_right v k a b s s' c e i d content V G GB ALL C LV EB A).
    + exists b. split; [exact GB|]. split; [exact DB|]. split.
      * intros u U. destruct (ALL u U) as [ku NU]. exists (Answers.follow (Released.Who u 0) ku s s' (Trap c e i d)).
        exact (proj1 (core_keeps_registers.step_right (Released.Who u 0) ku a b s s' c e i d content U G GB NU ALL C PO LV EB)).
      * exact (it_goes_on P PH v k a b s s' c e i d content r m V G GB ALL C LV EB RUN MEM MH A).
  - destruct (next_started z a s c i d s' g G D E) as (b & GB & DB & F & VM). split; [discriminate|]. exists b. split; [exact GB|]. split; [exact DB|].
    pose proof (runners_range a (wf_runners a (so_wf _ (go_sound _ _ G)))) as IR. split.
    + intros u U. destruct (ALL u U) as [ku NU]. exists ku. exact (still_noted u ku a b U IR (calm_still u a b F) NU).
    + unfold vm_at. rewrite VM. exact A.
Qed.

Lemma all_measured : forall z v tr k a s, 0 <= v < NIE_MAX_VMS -> good a s -> described z a (glob s) -> all_noted a -> agrees k (vm_at a v) -> Measured.well_measured P v k s tr.
Proof.
  intros z v. induction tr as [|l tr IH]; intros k a s V G D ALL A; cbn [Measured.well_measured]; [exact Logic.I|].
  destruct (next P s l) as [s' g| |] eqn:E; [|exact Logic.I|exact Logic.I]. destruct (step_measured z v k a s l s' g V G D ALL A E) as (T & b & GB & DB & AB & KB).
  split; [destruct (Measured.told_hash v k s s' l); [now apply T|exact Logic.I]|]. exact (IH _ b s' V GB DB AB KB).
Qed.
End Runs.

Theorem measures_after_boot : forall P, boot_correct P -> boot_describing P -> trap_correct P -> trap_safe P -> start_correct P -> page_add_holds P ->
  Measured.measurement_integral (after_boot P) P.
Proof.
  intros P BC BD TC TS SC PH s tr v V (h & RS & BO). destruct (boot_good P h s BC RS BO) as [G OK]. pose proof (boot_described P h s BD RS BO) as D.
  destruct (boot_refines.first_facts (manifest h) (rs_words _ RS) OK) as (_ & _ & FR & HO).
  refine (all_measured P TC TS SC PH (manifest h) v tr Measured.unbuilt _ s V G D _ _).
  - intros u U. exists Answers.no_book. apply core_keeps_registers.nothing_noted; [exact U|exact (Booted.fr_vm _ FR)|exact HO].
  - intro F. rewrite (Booted.fr_vm _ FR) in F. now elim F.
Qed.

Theorem core_measures : Measured.measurement_integral (after_boot Program.core) Program.core.
Proof.
  exact (measures_after_boot Program.core Theorems.boot_is_correct Theorems.boot_describes Theorems.trap_is_correct Theorems.trap_is_safe Theorems.start_is_correct core_page_add_holds).
Qed.
