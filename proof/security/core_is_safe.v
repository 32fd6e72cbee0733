(* SPDX-License-Identifier: Apache-2.0 *)
(* From the state that boot makes on: every run of the whole machine of spec/Step.v, whatever software at EL1 and EL0 does, never
   crashes in the engine, and the hardware is safe in every state that is met, in mid-handler too. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation Midway statements trap_is_safe boot_is_safe.
From nie.proof.security Require Import Watched.
From nie.proof Require Theorems.
From nie.generated Require Program.
From nie.spec Require Import Step.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** What is claimed. *)

(* The machine when boot has come back with BOOT_OK. General registers hold anything, and which CPUs are off is left open. *)
Definition boots (P : program gvar) (h : Machine.hw) (s : machine) : Prop := exists s1,
  run_of P "boot" [] (Mach zero_globals h) = Some ([BOOT_OK], s1) /\ glob s = C_store.glob s1 /\
  exists h', woken (manifest h MAN_TABLES) (C_store.hw s1) h' /\ hw s = h' <| me := nobody |> <| during := [] |>.
Definition after_boot (P : program gvar) (s : machine) : Prop := exists h, at_reset h /\ boots P h s.

Definition safe_from_boot (P : program gvar) : Prop := forall s tr, after_boot P s ->
  run P s tr <> Crash /\ forall h, states P s tr h -> safe h.

(** Between two handlers. *)

Record good (a : state) (s : machine) : Prop := {
  go_sound : sound a;
  go_globals : globals_hold a (glob s);
  go_man : manifest_ok (glob s);
  go_hw : exists m, settled (Aset a) m (now m) (hw s) /\ tables_hold a m;
  go_ram : ram (hw s) = ram_of a;
  go_engine : Machine.engine (hw s) = engine_of a;
  go_vttbr : forall d, vttbr (hw s) d = vttbr_of a d;
  go_off : forall d, 0 <= d < NIE_MAX_CPUS -> Map.get (off s) d = true -> cpu_vm (cpu_at a d) = CPU_HOST;
  go_claims : unclaimed (hw s);
}.

(* The same memory, TLBs and table bases: [me], inputs and other registers do not matter. *)
Record alike (h h' : Machine.hw) : Prop := {
  al_mem : Machine.mem h' = Machine.mem h; al_unseen : unseen h' = unseen h; al_tlb : tlb h' = tlb h; al_secret : secret h' = secret h;
  al_ok : ok h' = ok h; al_ram : ram h' = ram h; al_engine : Machine.engine h' = Machine.engine h; al_vttbr : forall c, vttbr h' c = vttbr h c;
  al_claims : claims h' = claims h;
}.
Lemma settled_alike : forall A m V h h', settled A m V h -> alike h h' -> settled A m V h'.
Proof.
  intros A m V h h' W [E1 E2 E3 E4 E5 E6 E7 E8 E9]. destruct W. constructor; auto using frame_refl; rewrite ?E1, ?E3, ?E4, ?E5, ?E7, ?E9; auto.
  - intro c. destruct (root_eq h h' c (E8 c)) as [-> ->]. auto.
  - intros p i d I N D S. apply w_vis; auto. rewrite <- S. symmetry. apply visible_eq; [now rewrite E1|auto].
Qed.
Lemma settled_own : forall h0 A m V h, world h0 A A m V h -> settled A m V h.
Proof. intros. eapply settled_of_world; eauto. Qed.

Lemma unclaimed_alike : forall h h', unclaimed h -> alike h h' -> unclaimed h'.
Proof. intros h h' U AL v x p. rewrite (al_claims _ _ AL). apply U. Qed.
Lemma good_R : forall b g h s, R b (Mach g h) -> unclaimed h -> manifest_ok g -> glob s = g -> alike h (hw s) ->
  (forall d, 0 <= d < NIE_MAX_CPUS -> Map.get (off s) d = true -> cpu_vm (cpu_at b d) = CPU_HOST) -> good b s.
Proof.
  intros b g h s [W O G (m & X & T) RAM ENG [] N] UC MO EG AL OF. cbn [C_store.glob C_store.hw] in *. constructor; rewrite ?EG; try exact OF.
  - constructor; assumption.
  - exact G.
  - exact MO.
  - exists m. split; auto. eapply settled_alike; [eapply settled_own; eauto|exact AL].
  - now rewrite (al_ram _ _ AL).
  - now rewrite (al_engine _ _ AL).
  - intro d. now rewrite (al_vttbr _ _ AL).
  - eapply unclaimed_alike; eauto.
Qed.

Lemma good_mid : forall a s c gl h, good a s -> 0 <= c < NIE_MAX_CPUS -> alike (hw s) h -> me h = c -> only_quiet c (glob s) gl -> mid c (vttbr_of a) a (Mach gl h).
Proof.
  intros a s c gl h [] C AL ME Q. destruct go_hw0 as (m & X & T). constructor; cbn [C_store.glob C_store.hw]; auto.
  - eapply rest_quiet; eauto. now apply rest_of.
  - eapply other_quiet; eauto. intros d D N. destruct (g_cpus _ _ go_globals0 d D). repeat split; auto.
  - exists m. split; auto. eapply settled_alike; eauto.
  - now rewrite (al_ram _ _ AL).
  - now rewrite (al_engine _ _ AL).
  - intro d. now rewrite (al_vttbr _ _ AL).
  - eapply man_quiet; eauto.
  - eapply unclaimed_alike; eauto.
Qed.

Lemma good_safe : forall a s, good a s -> safe (hw s).
Proof. intros a s []. destruct go_hw0 as (m & X & T). eapply world_safe; eauto. Qed.

(** Software at EL1 and EL0. *)

Lemma alike_refl : forall h, alike h h.
Proof. constructor; auto. Qed.
Lemma good_same : forall a s s', good a s -> glob s' = glob s -> off s' = off s -> alike (hw s) (hw s') -> good a s'.
Proof.
  intros a s s' [] EG EO AL. destruct go_hw0 as (m & X & T). constructor; rewrite ?EG, ?EO; auto.
  - exists m. split; auto. eapply settled_alike; eauto.
  - now rewrite (al_ram _ _ AL).
  - now rewrite (al_engine _ _ AL).
  - intro d. now rewrite (al_vttbr _ _ AL).
  - eapply unclaimed_alike; eauto.
Qed.

Lemma good_do : forall a s d, good a s -> good a (do_step d s).
Proof.
  intros a s d G. destruct d as [d|c r v|c r v|n o i r]; cbn [do_step].
  - destruct G. destruct go_hw0 as (m & X & T).
    assert (X' : world (hw s) (Aset a) (Aset a) m (now m) (met (act_step d (hw s)))) by (apply world_met, world_act; exact X).
    pose proof (w_frame _ _ _ _ _ _ X') as F.
    destruct s as [g h gp of]. change (good a (Step.Machine g (met (act_step d h)) gp of)). cbn [hw glob off] in *. revert X' F. generalize (met (act_step d h)). intros h' X' F.
    constructor; cbn [hw glob off]; auto.
    + exists m. split; auto. eapply settled_own; eauto.
    + now rewrite (f_ram _ _ F).
    + now rewrite (f_engine _ _ F).
    + intro c. now rewrite (f_vttbr _ _ F).
    + intros v x p. rewrite (f_claims _ _ F). apply go_claims0.
  - destruct (is_cpu c && (0 <=? r) && (r <? 31) && is64 v)%bool; auto. eapply good_same; [exact G|reflexivity|reflexivity|apply alike_refl].
  - destruct (is_cpu c && (0 <=? r) && (r <? 66) && is64 v)%bool; auto. eapply good_same; [exact G|reflexivity|reflexivity|constructor; reflexivity].
  - destruct (nth_error (tlb (hw s)) n); auto. match goal with |- good a (if ?b then _ else _) => destruct b end; auto.
    eapply good_same; [exact G|reflexivity|reflexivity|apply alike_refl].
Qed.

(** The vectors. *)

Section Vectors.
Variables (c : Z) (s : machine).

Let put := fun (g : globals) (r : Z) => put1 cpus_x (c * 31 + r) (x s c r mod 2 ^ 64) g.
Lemma fold_quiet : forall l g, (forall r, In r l -> 0 <= r < 31) -> only_quiet c g (fold_left put l g).
Proof.
  induction l as [|r l IH]; intros g H; cbn [fold_left]; [apply oq_refl|]. eapply oq_trans; [|apply IH; intros; apply H; now right].
  apply oq_put; [reflexivity|]. cbn [own_word]. specialize (H r (or_introl eq_refl)). apply Z.eqb_eq. rewrite Z.add_comm, Z.div_add by lia. rewrite Z.div_small by lia. lia.
Qed.
Lemma fold_at : forall l g r, In r l \/ at1 cpus_x g (c * 31 + r) = x s c r mod 2 ^ 64 -> at1 cpus_x (fold_left put l g) (c * 31 + r) = x s c r mod 2 ^ 64.
Proof.
  induction l as [|q l IH]; intros g r H; cbn [fold_left]; [destruct H as [[]|]; auto|]. apply IH. destruct (in_dec Z.eq_dec r l) as [I|N]; [now left|]. right.
  unfold put. rewrite at_put by reflexivity. cbn. destruct (Z.eqb_spec (c * 31 + r) (c * 31 + q)) as [E|E]; [now replace q with r by lia|].
  destruct H as [[->|I]|A]; auto; [now destruct E|contradiction].
Qed.
Lemma numbers_in : forall r, In r (numbers 31) <-> 0 <= r < 31.
Proof.
  intro r. unfold numbers. rewrite in_map_iff. split.
  - intros (n & <- & I). apply in_seq in I. lia.
  - intro R. exists (Z.to_nat r). split; [lia|]. apply in_seq. lia.
Qed.
Lemma vectors_quiet : forall g, only_quiet c g (vectors_save c s g).
Proof. intro g. apply fold_quiet. intros r I. now apply numbers_in. Qed.
Lemma vectors_at : forall g r, 0 <= r < 31 -> at1 cpus_x (vectors_save c s g) (c * 31 + r) = x s c r mod 2 ^ 64.
Proof. intros g r R. apply (fold_at (numbers 31) g r). left. now apply numbers_in. Qed.
End Vectors.

Lemma alike_enter : forall c i d h, alike h (enter c i d h).
Proof. constructor; reflexivity. Qed.
Lemma alike_take : forall c e h, alike h (take c e h).
Proof.
  intros c e h. constructor; try reflexivity. intro d. unfold vttbr, take. cbn. unfold Machine.VTTBR_EL2, REG_HPFAR_EL2, REG_FAR_EL2, REG_ESR_EL2, REG_SPSR_EL2, REG_ELR_EL2.
  rewrite !Map.get_set. repeat match goal with |- context [?u =? ?v] => replace (u =? v) with false by lia end. reflexivity.
Qed.
Lemma alike_trans : forall a b c, alike a b -> alike b c -> alike a c.
Proof. intros a b c [] []. constructor; congruence. Qed.

(** One step, and all of them. *)

Section Program.
Variable P : program gvar.
Hypothesis TS : trap_safe P.
Hypothesis SS : start_safe P.

Lemma all_safe_in : forall l h a, all_safe l -> In (h, a) l -> safe h.
Proof. intros l h a F I. unfold all_safe in F. rewrite Forall_forall in F. exact (F _ I). Qed.

(* A function of the engine that keeps [R], on CPU [c]. *)
Lemma engine_good : forall f args c s h g' h' rs b, run_of P f args (Mach (vectors_save c s (glob s)) h) = Some (rs, Mach g' h') ->
  R b (Mach g' h') -> unclaimed h' -> manifest_ok g' ->
  (forall d, 0 <= d < NIE_MAX_CPUS -> d <> c -> Map.get (off s) d = true -> cpu_vm (cpu_at b d) = CPU_HOST) ->
  (match rs with [r] => r =? TRAP_CPU_OFF | _ => false end = true -> cpu_vm (cpu_at b c) = CPU_HOST) ->
  exists s' l, engine P f args c s h = Ok s' l /\ good b s' /\ all_safe l /\
    s' = s <| glob := g' |> <| hw := h' <| me := nobody |> <| during := [] |> |> <| gpr ::= vectors_load c g' |>
           <| off ::= fun o => Map.set o c (match rs with [r] => r =? TRAP_CPU_OFF | _ => false end) |>.
Proof.
  intros f args c s h g' h' rs b E HR UC MO OT ON. destruct (R_hw _ _ HR) as (m & X & _).
  destruct (watched_run P f args _ h rs g' h' E (w_ok _ _ _ _ _ _ X)) as (l & W & F).
  unfold engine. rewrite W. cbn [C_store.hw C_store.glob]. eexists. exists l. split; [reflexivity|]. split; [|split; [exact F|reflexivity]].
  eapply good_R; [exact HR|exact UC|exact MO|reflexivity|constructor; reflexivity|].
  intros d D O. change (Map.get (Map.set (off s) c (match rs with [r] => r =? TRAP_CPU_OFF | _ => false end)) d = true) in O. rewrite Map.get_set in O.
  destruct (Z.eqb_spec d c) as [->|N]; auto.
Qed.

Lemma next_good : forall a s l, good a s -> match next P s l with
  | Ok s' g => (exists b, good b s') /\ forall h d, In (h, d) g -> safe h
  | Crash => False
  | Disabled => True
  end.
Proof.
  intros a s l G. destruct l as [d|c e i d|c i d]; cbn [next].
  - pose proof (good_do a s d G) as G'. split; [eauto|]. intros h o [E|[]]. injection E as <- _. eapply good_safe; eauto.
  - destruct (is_cpu c && negb (Map.get (off s) c) && possible e)%bool eqn:B; [|exact Logic.I]. apply andb_prop in B as [B _]. apply andb_prop in B as [IC _].
    assert (C : 0 <= c < 8) by (unfold is_cpu, NIE_MAX_CPUS in IC; lia).
    set (h := take c e (enter c i d (hw s))).
    assert (AL : alike (hw s) h) by (eapply alike_trans; [apply alike_enter|apply alike_take]).
    pose proof (good_mid a s c _ h G C AL eq_refl (vectors_quiet c s (glob s))) as MI. destruct (R_of_mid _ _ _ MI) as [HR RO].
    set (a1 := snapshot a (C_store.glob (Mach (vectors_save c s (glob s)) h)) (C_store.hw (Mach (vectors_save c s (glob s)) h))) in *.
    assert (XO : vcpu_traps.x_ok c (vectors_save c s (glob s))) by (intros r Rr; rewrite vectors_at by auto; apply Z.mod_pos_bound; lia).
    destruct (TS a1 (Mach (vectors_save c s (glob s)) h) (kind e) HR (mi_claims _ _ _ _ MI) (mi_man _ _ _ _ MI) XO) as (r & b & [g' h'] & E & DID & HB & MO & UC & OFF).
    assert (OT : forall d, 0 <= d < NIE_MAX_CPUS -> d <> c -> Map.get (off s) d = true -> cpu_vm (cpu_at b d) = CPU_HOST).
    { intros d' D N O. rewrite (did_others _ _ _ DID d' D N). destruct (ro_runs _ _ _ RO d' D) as [-> _]. now apply (go_off _ _ G). }
    destruct (engine_good "trap" [c; kind e] c s h g' h' [r] b E HB UC MO OT (fun X => OFF (proj1 (Z.eqb_eq _ _) X))) as (s' & l & EQ & GB & F & _). rewrite EQ. split; eauto using all_safe_in.
  - destruct (is_cpu c && Map.get (off s) c)%bool eqn:B; [|exact Logic.I]. apply andb_prop in B as [IC IO].
    assert (C : 0 <= c < 8) by (unfold is_cpu, NIE_MAX_CPUS in IC; lia).
    set (h := enter c i d (hw s)).
    pose proof (good_mid a s c _ h G C (alike_enter c i d (hw s)) eq_refl (vectors_quiet c s (glob s))) as MI. destruct (R_of_mid _ _ _ MI) as [HR RO].
    set (a1 := snapshot a (C_store.glob (Mach (vectors_save c s (glob s)) h)) (C_store.hw (Mach (vectors_save c s (glob s)) h))) in *.
    assert (HO : cpu_vm (cpu_at a1 c) = CPU_HOST).
    { destruct (ro_runs _ _ _ RO c C) as [-> _]. apply (go_off _ _ G); auto. }
    destruct (SS a1 (Mach (vectors_save c s (glob s)) h) HR (mi_claims _ _ _ _ MI) (mi_man _ _ _ _ MI) HO) as (b & [g' h'] & E & RB & HB & MO & UC).
    assert (OT : forall d, 0 <= d < NIE_MAX_CPUS -> d <> c -> Map.get (off s) d = true -> cpu_vm (cpu_at b d) = CPU_HOST).
    { intros d' D N O. destruct (ro_runs _ _ _ RB d' D) as [-> _]. destruct (ro_runs _ _ _ RO d' D) as [-> _]. now apply (go_off _ _ G). }
    destruct (engine_good "cpu_start" [c] c s h g' h' [] b E HB UC MO OT) as (s' & l & EQ & GB & F & _); [discriminate|]. rewrite EQ. split; eauto using all_safe_in.
Qed.

Lemma run_good : forall tr a s, good a s -> match run P s tr with
  | Ok s' g => (exists b, good b s') /\ forall h d, In (h, d) g -> safe h
  | Crash => False
  | Disabled => True
  end.
Proof.
  induction tr as [|l tr IH]; intros a s G; cbn [run]; [split; eauto; intros h d []|].
  pose proof (next_good a s l G) as N. destruct (next P s l) as [s' g| |] eqn:E; auto. destruct N as [[b GB] F].
  specialize (IH b s' GB). destruct (run P s' tr) as [s2 g2| |]; auto. destruct IH as [GB' F']. split; auto.
  intros h d I. apply in_app_or in I as [I|I]; eauto.
Qed.

Theorem run_safe : forall tr a s, good a s -> run P s tr <> Crash /\ forall h, states P s tr h -> safe h.
Proof.
  intros tr a s G. split.
  - pose proof (run_good tr a s G) as X. intro E. now rewrite E in X.
  - intros h [->|(n & s' & g & E & S)]; [eapply good_safe; eauto|].
    pose proof (run_good (firstn n tr) a s G) as X. rewrite E in X. destruct X as [[b GB] F]. destruct S as [->|(d & I)]; [eapply good_safe; eauto|eauto].
Qed.
End Program.

(* Registers are no part of what holds between handlers. *)
Lemma good_bare : forall a s x fx, good (a <| here := x |> <| fp_here := fx |>) s -> good a s.
Proof.
  intros a s x fx [SO GL MO HW RAM ENG VT OF UC]. constructor; try assumption.
  - refine (step_sound 0 _ a _ _ SO); [unfold NIE_MAX_CPUS; lia|]. apply Registers. constructor; try reflexivity; auto.
  - destruct GL. constructor; assumption.
  - destruct HW as (m & X & T). exists m. split; [exact X|]. destruct T. constructor; assumption.
Qed.

(* Where every run from boot begins. *)
Lemma boot_good : forall P h s, boot_correct P -> at_reset h -> boots P h s ->
  good (spec_boot (manifest h)) s /\ nie.spec.trap.boot.manifest_check (manifest h) = BOOT_OK.
Proof.
  intros P h s BC RS (s1 & E & EG & h' & WK & EH). destruct (BC h RS) as (r & s2 & E2 & EQ & K). rewrite E in E2. injection E2 as <- <-.
  split; [|symmetry; exact EQ]. destruct (K eq_refl) as (_ & _ & K'). destruct (K' h' WK) as (y & fy & HR & MO).
  eapply good_bare. eapply good_R; [exact HR|exact (wk_claims _ _ _ WK)|exact MO|exact EG|rewrite EH; constructor; reflexivity|].
  intros d _ _. destruct (first_facts (manifest h) (rs_words _ RS) (eq_sym EQ)) as (_ & _ & _ & HO). exact (HO d).
Qed.

Theorem from_boot : forall P, boot_correct P -> trap_safe P -> start_safe P -> safe_from_boot P.
Proof.
  intros P BC TS SS s tr (h & RS & BO). destruct (boot_good P h s BC RS BO) as [G _]. exact (run_safe P TS SS tr _ s G).
Qed.

(* The same from any state between two handlers that agrees with a well-formed one. *)
Theorem core_stays_safe : forall tr a s, good a s ->
  run Program.core s tr <> Crash /\ forall h, states Program.core s tr h -> safe h.
Proof. exact (run_safe Program.core Theorems.trap_is_safe Theorems.start_is_safe). Qed.

Theorem core_is_safe : safe_from_boot Program.core.
Proof. exact (from_boot Program.core Theorems.boot_is_correct Theorems.trap_is_safe Theorems.start_is_safe). Qed.

(** In words of a user: in every state that a run from reset meets, in mid-handler too, with any TLB content and any walk. *)

Section Words.
Variables (s : machine) (tr : list label) (h : Machine.hw).
Hypothesis B : after_boot Program.core s.
Hypothesis ST : states Program.core s tr h.
Let SF : safe h := proj2 (core_is_safe s tr B) h ST.

(* Two different VMs never reach the same page; the host and a VM only where the VM's upper half has it. *)
Theorem no_page_has_two_owners : forall v v' p, reached h v p -> reached h v' p -> v <> v' -> v = 0 \/ v' = 0.
Proof. intros v v' p (l & k & d & A & M) (l' & k' & d' & A' & M') N. destruct (proj1 SF v l k d v' l' k' d' p A A' M M' N) as [[E _]|[E _]]; auto. Qed.
Theorem engine_is_reached_by_nobody : forall v p, reached h v p -> ~ fst (Machine.engine h) <= p < snd (Machine.engine h).
Proof. exact (proj1 (proj2 SF)). Qed.
(* A page that a VM had to itself is not the host's before it was scrubbed. *)
Theorem host_finds_nothing_unscrubbed : forall p, secret h p -> ~ reached h 0 p.
Proof. exact (proj1 (proj2 (proj2 SF))). Qed.
End Words.

(** The premise can be met: a machine of 16 MiB at 1 GiB, one CPU, no device but its redistributor. *)

Definition small_words : list Z := [nie.spec.trap.boot.magic; 2 ^ 18; 512; 2 ^ 18; 4096; 2 ^ 18 + 100; 1; (2 ^ 18 + 512) * 4096; (2 ^ 18 + 512) * 4096;
  0x80a0; 0; 0; 2 ^ 18 + 512; 512; 0x8000; 0x1200].
Definition small : Machine.hw := {| Machine.mem := Map.const 0; unseen := []; tlb := []; reg := Map.const 0; fp := Map.const 0; me := 0;
  ram := (2 ^ 18, 2 ^ 18 + 4096); Machine.engine := (2 ^ 18, 2 ^ 18 + 512); inputs := fun n => nth n small_words 0; taken := O; during := [];
  secret := fun _ => False; claims := fun _ _ _ => False; ok := True |}.

Lemma small_resets : at_reset small.
Proof.
  constructor; try reflexivity; try exact Logic.I.
  - intros p [].
  - intros v x p [].
  - intro c. unfold root_desc, vttbr. cbn. rewrite Map.get_const. split; [reflexivity|]. intros i _. now rewrite Map.get_const.
  - intros i I. unfold MAN_END in I. unfold manifest. cbn [taken small inputs Nat.add].
    assert (F : Forall (fun v => 0 <= v < 2 ^ 64) small_words) by (repeat constructor; vm_compute; congruence).
    destruct (Nat.ltb_spec (Z.to_nat i) (List.length small_words)) as [L|L].
    + rewrite Forall_forall in F. apply F, nth_In. exact L.
    + rewrite nth_overflow by exact L. lia.
Qed.

Theorem boot_happens : exists s, after_boot Program.core s.
Proof.
  destruct (Theorems.boot_is_correct small small_resets) as (r & s1 & E & EQ & _).
  assert (OK : nie.spec.trap.boot.manifest_check (manifest small) = BOOT_OK) by (vm_compute; reflexivity). rewrite OK in EQ. subst r.
  set (h' := C_store.hw s1 <| me := 0 |> <| reg := Map.const ((2 ^ 18 + 100) * 4096) |> <| claims := fun _ _ _ => False |>).
  exists (Step.Machine (C_store.glob s1) (h' <| me := nobody |> <| during := [] |>) (Map.const 0) (Map.const true)).
  exists small. split; [exact small_resets|]. exists s1. split; [exact E|]. split; [reflexivity|]. exists h'. split; [|reflexivity].
  constructor; try reflexivity; [cbn; unfold NIE_MAX_CPUS; lia| |intros v x p []]. intro c. exact (Map.get_const _ _ _).
Qed.
