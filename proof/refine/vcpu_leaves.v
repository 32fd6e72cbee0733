(* SPDX-License-Identifier: Apache-2.0 *)
(* A vCPU leaves its CPU: the C does what exit_vcpu of spec/Switch.v says, register for register, and tells the host the
   words that it says, in their order. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning vcpu_run_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.world.
From nie.spec Require Import Core.
From nie.proof.refine Require Import GiveBack.
From nie.proof.refine Require Export world_leaves vcpu_run_refines.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* What an exit tells: the run record's words between the engine's other primitives. *)
Definition told_log (a : state) (c : Z) (e : Switch.exit) : list (option (Z * Z)) :=
  common_log (here a) (cntvoff (vm_at a (cpu_vm (cpu_at a c)))) ++
  exit_log (Switch.exit_reason e) (Switch.exit_ipa e) (Switch.exit_width e) (Switch.exit_value e) (Registers.x_of a c).
Definition words_of (l : list (option (Z * Z))) : list (Z * Z) := flat_map (fun o => match o with Some w => [w] | None => [] end) l.
Lemma told_words : forall a c e, words_of (told_log a c e) = Switch.exit_words a c e.
Proof. intros a c [r i w x]. unfold told_log, Switch.exit_words. cbn. reflexivity. Qed.

(* What is left when the host has been told: no word of the run record is written any more. *)
Definition exit_rest (c vm k reason : Z) : M MACH unit :=
  t4 <- load vcpus_context [k] ;; save_vcpu c t4 ;;; dsb_ish ;;;
  store vcpus_state [k] (wrap U32 (if reason =? NIE_EXIT_CPU_OFF then VCPU_OFF else VCPU_READY)) ;;;
  t5 <- load vms_running [vm] ;; store vms_running [vm] (wrap U32 (t5 - 1)) ;;;
  store cpus_vm [c] CPU_HOST ;;; load_host c ;;; store cpus_x [c; 0] NIE_OK ;;; controls_host ;;; ret tt.

Section Exit.
Variables (c v i : Z) (a : state) (e : Switch.exit).
Hypothesis SO : sound a.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis RU : runs a c v i.
Let p := context_page (vcpu_at a v i).
Let q := run_page (vcpu_at a v i).
Let k := v * NIE_MAX_VCPUS + i.
Let off := Switch.exit_reason e =? NIE_EXIT_CPU_OFF.
Let a1 := Switch.save_vcpu c v i a.
Let M0 := Map.get (saved a) k.
Let M1 := saved_words (here a) (fp_here a) (Registers.x_of a c) M0.
Let b := snd (Switch.exit_vcpu c e a).

Lemma on_it : on_cpu a c v i.
Proof. exact (who_runs _ _ _ _ (so_wf _ SO) C RU). Qed.

Lemma save_is : forall d, saved (Switch.save_vcpu c v i d) = Map.set (saved d) k (saved_words (here d) (fp_here d) (Registers.x_of d c) (Map.get (saved d) k)).
Proof. reflexivity. Qed.

(* The context holds what was saved. *)
Lemma save_tables : forall m, tables_hold a m -> tables_hold a1 (paged p M1 m).
Proof.
  intros m T. pose proof on_it as [V I _ _ _ [PR PO] _]. fold p in PR, PO. pose proof (so_wf _ SO) as W. pose proof (so_onto _ SO) as O.
  assert (OUT : forall x j, is_word j = true -> x <> p -> paged p M1 m (x * 512 + j) = m (x * 512 + j)).
  { intros x j J N. unfold paged. unfold is_word in J. now replace ((p * 512 <=? x * 512 + j) && (x * 512 + j <? p * 512 + 512))%bool with false by lia. }
  assert (NE : forall x, own a x = Engine -> x <> p) by congruence.
  constructor.
  - intros x w l y j R H J. change (own a x = Table w l y) in H. rewrite OUT; [exact (t_vm _ _ T x w l y j R H J)|exact J|congruence].
  - intros j J. destruct (low_table_page a W 0) as [_ H]; [pose proof (gibs_small _ W); lia|]. rewrite Z.add_0_r in H. rewrite OUT; [exact (t_1 _ _ T j J)|exact J|now apply NE].
  - intros x j X J. destruct (low_table_page a W (1 + x)) as [_ H]; [change (gib_count a1) with (gib_count a) in X; lia|]. rewrite Z.add_assoc in H.
    rewrite OUT; [exact (t_2 _ _ T x j X J)|exact J|now apply NE].
  - intros g j G J. destruct (level3_page a W g G) as [_ H]. rewrite OUT; [exact (t_3 _ _ T g j G J)|exact J|now apply NE].
  - intros x w y j R H J. change (own a x = Vcpu w y) in H. change (State.in_ram a x = true) in R. destruct (on_vcpu _ O _ _ _ R H) as (W1 & W2 & W3 & W4).
    unfold saved_at, a1. rewrite save_is, Map.get_set. fold k. destruct (Z.eqb_spec (w * NIE_MAX_VCPUS + y) k) as [F|F].
    + assert (w = v /\ y = i) as [-> ->] by (unfold k, NIE_MAX_VCPUS in *; lia). assert (x = p) as -> by (unfold p; congruence).
      unfold paged. unfold is_word in J. replace ((p * 512 <=? p * 512 + j) && (p * 512 + j <? p * 512 + 512))%bool with true by lia.
      replace (p * 512 + j - p * 512) with j by lia. reflexivity.
    + rewrite OUT; [exact (t_saved _ _ T x w y j R H J)|exact J|]. intros ->. apply F. rewrite PO in H. injection H as -> ->. reflexivity.
Qed.

Lemma save_sound : sound a1.
Proof. eapply quiet_sound with (a := a); auto; reflexivity. Qed.
Lemma save_alike_map : same_map a a1.
Proof. constructor; try reflexivity. intro w. split; [reflexivity|split; auto]. Qed.

Lemma leave_is : b = Switch.controls_host (Registers.set_x c 0 NIE_OK (Switch.load_host c (leave c v i off a1))).
Proof. destruct RU as (<- & _ & <-). reflexivity. Qed.
Lemma leave_alike : alike (leave c v i off a1) b.
Proof.
  rewrite leave_is. generalize (leave c v i off a1). intro x. unfold Switch.controls_host. eapply alike_trans; [|apply alike_here]. eapply alike_trans; [|apply alike_x].
  unfold Switch.load_host. eapply alike_trans; [|apply alike_regs]. apply alike_cpu; reflexivity.
Qed.
Lemma left_sound : sound b.
Proof. eapply alike_sound; [exact leave_alike|]. apply leave_sound; auto using save_sound. Qed.
Lemma leave_map : forall x, same_map x (leave c v i off x).
Proof.
  intro x. constructor; try reflexivity. intro w.
  assert (E : vm_at (leave c v i off x) w = if w =? v then vm_at x v <| running ::= fun n => n - 1 |> else vm_at x w) by exact (vm_at_put v _ _ w).
  rewrite E. clear E. destruct (Z.eqb_spec w v) as [E|E]; [rewrite E|]; split; try reflexivity; split; auto.
Qed.
Lemma left_map : same_map a b.
Proof. eapply same_map_trans; [exact save_alike_map|]. eapply same_map_trans; [apply leave_map|]. apply alike_map, leave_alike. Qed.
Lemma left_tables : forall m, tables_hold a m -> tables_hold b (paged p M1 m).
Proof.
  intros m T. apply save_tables in T. eapply alike_tables; [exact leave_alike|]. destruct T. constructor; assumption.
Qed.
Lemma left_runs : forall d, cpu_vm (cpu_at b d) = if d =? c then CPU_HOST else cpu_vm (cpu_at a d).
Proof. intro d. destruct (al_runs _ _ leave_alike d) as [-> _]. unfold leave. rewrite cpu_at_put. now destruct (d =? c). Qed.
Lemma left_root : forall d, vttbr_of b d = if d =? c then host_tables (cfg a) * 4096 else vttbr_of a d.
Proof.
  intro d. pose proof left_map as []. unfold vttbr_of. rewrite left_runs, sm_cfg. destruct (Z.eqb_spec d c) as [->|N].
  - rewrite Z.eqb_refl, andb_false_r. reflexivity.
  - destruct (_ && _)%bool; auto. now destruct (sm_root (cpu_vm (cpu_at a d))) as [-> _].
Qed.
Lemma host_controls_are : forall x, here (Switch.controls_host x) = Map.set (Map.set (Map.set (Map.set (Map.set (Map.set (here x) REG_HCR_EL2 HCR_HOST)
  REG_VTTBR_EL2 (host_tables (cfg x) * 4096)) REG_VMPIDR_EL2 (Map.get (here x) REG_MPIDR_EL1)) REG_CNTVOFF_EL2 0) REG_CNTHCTL_EL2 CNTHCTL_HOST) REG_ICH_HCR_EL2 0.
Proof. reflexivity. Qed.
Lemma left_here : Map.get (here b) REG_VTTBR_EL2 = vttbr_of b c.
Proof.
  rewrite left_root, Z.eqb_refl, leave_is, host_controls_are. rewrite !get_set_other by discriminate. rewrite get_set_same. reflexivity.
Qed.
End Exit.

Lemma exit_log_ext : forall r i w x f g, (forall n, 0 <= n < 7 -> f n = g n) -> exit_log r i w x f = exit_log r i w x g.
Proof. intros r i w x f g E. unfold exit_log. cbn [each_log]. rewrite !E by (cbn; lia). reflexivity. Qed.

Section Leaves.
Variables (a : state) (gl : globals) (h : Machine.hw) (v i : Z) (e : Switch.exit).
Hypothesis HR : R a (Mach gl h).
Notation c := (me h).
Hypothesis RU : runs a c v i.
Let p := context_page (vcpu_at a v i).
Let q := run_page (vcpu_at a v i).
Notation k := (v * NIE_MAX_VCPUS + i).
Notation POST := (unit -> MACH -> Prop).
Notation reason := (Switch.exit_reason e).

Lemma leaves_sound : sound a.
Proof. destruct HR. constructor; auto. Qed.
Lemma leaves_ram : ram h = ram_of a.
Proof. exact (R_ram _ _ HR). Qed.
Lemma leaves_cpu : 0 <= c < NIE_MAX_CPUS.
Proof. exact (r_me _ _ (R_regs _ _ HR)). Qed.
Lemma leaves_on : on_cpu a c v i.
Proof. exact (who_runs _ _ _ _ (so_wf _ leaves_sound) leaves_cpu RU). Qed.

(* First the host is told, then the rest runs. *)
Lemma exit_told_wp : forall m (Q : POST), live h c (Aset a) m (now m) (here a) (fp_here a) (taken h) h ->
  (let h1 := tell q (told_log a c e) h in live h c (Aset a) m (now m) (here a) (fp_here a) (taken h) h1 -> wp (exit_rest c v k reason) Q (Mach gl h1)) ->
  wp (exit_vcpu c reason (Switch.exit_ipa e) (Switch.exit_width e) (Switch.exit_value e)) Q (Mach gl h).
Proof.
  intros m Q L H. cbn zeta in H. pose proof leaves_cpu as C. pose proof C as C8. unfold NIE_MAX_CPUS in C8. pose proof leaves_on as [V I ST CP NF _ [RR RO]]. fold q in RR, RO.
  pose proof V as V64. pose proof I as I8. unfold NIE_MAX_VMS, NIE_MAX_VCPUS in V64, I8. destruct (R_globals _ _ HR) as [_ _ _ _ _ _ _ GV GU GC _]. cbn [glob] in *.
  assert (KB : 0 <= k < 512) by (unfold NIE_MAX_VCPUS; lia). pose proof RU as (R1 & R2 & R3).
  assert (EV : at1 cpus_vm gl c = v) by (rewrite <- R1; apply (GC c C)). assert (EI : at1 cpus_vcpu gl c = i) by (rewrite <- R3; apply (GC c C)).
  assert (EQ : at1 vcpus_run gl k = q) by apply (GU v i V I).
  assert (IR : Machine.in_ram h q = true) by (unfold Machine.in_ram; rewrite leaves_ram; exact RR).
  assert (TQ : hosts (Aset a) q).
  { destruct (access_hosts a q) as (l & kk & d & HA & HM); [apply HR|unfold State.host_may_access; now rewrite RR, RO|]. exists l, kk, d. auto. }
  unfold exit_vcpu. w_bind. eapply wp_load1; [reflexivity|exact C8|]. cbn beta. rewrite EV. w_bind. eapply wp_load1; [reflexivity|exact C8|]. cbn beta. rewrite EI.
  rewrite (wrap32 (v * NIE_MAX_VCPUS)), wrap32 by (unfold NIE_MAX_VCPUS in *; lia). w_bind. unfold index at 1. replace ((0 <=? k) && (k <? 512))%bool with true by lia. apply wp_ret.
  w_bind. eapply wp_load1; [reflexivity|exact KB|]. cbn beta. rewrite EQ.
  w_bind. eapply write_common_wp; [exact IR|exact TQ|exact L|exact V64|]. replace (at1 vms_cntvoff gl v) with (cntvoff (vm_at a v)) by (symmetry; apply (GV v V)). intro L1. cbn beta.
  w_bind. eapply wp_load1; [reflexivity|exact KB|]. cbn beta. rewrite EQ.
  w_bind. eapply write_exit_wp; [exact IR|exact TQ|exact L1|exact C8|]. cbn zeta. rewrite <- tell_app.
  rewrite (exit_log_ext _ _ _ _ _ (Registers.x_of a c)) by (intros n N; apply (h_x _ _ _ (GC c C)); lia).
  assert (EL : common_log (here a) (cntvoff (vm_at a v)) ++ exit_log reason (Switch.exit_ipa e) (Switch.exit_width e) (Switch.exit_value e) (Registers.x_of a c) = told_log a c e).
  { unfold told_log. now rewrite R1. }
  rewrite EL. intro L2. cbn beta. exact (H L2).
Qed.

Definition left_gl (a : state) (gl : globals) : globals :=
  put1 cpus_vm c CPU_HOST (put1 vms_running v (running (vm_at a v) - 1) (put1 vcpus_state k (if reason =? NIE_EXIT_CPU_OFF then VCPU_OFF else VCPU_READY) gl)).
Lemma left_holds : forall x, 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS -> globals_hold x gl -> globals_hold (leave c v i (reason =? NIE_EXIT_CPU_OFF) x) (left_gl x gl).
Proof.
  intros x V I G. pose proof leaves_cpu as C. unfold leave, left_gl. set (st := if reason =? NIE_EXIT_CPU_OFF then VCPU_OFF else VCPU_READY). set (a1 := set_vcpu v i _ x). set (g1 := put1 vcpus_state k st gl).
  assert (G1 : globals_hold a1 g1).
  { unfold a1. eapply hold_vcpu; [exact G|exact V|exact I| | |].
    - intros g F. unfold g1, put1. rewrite !field_set_other by (intros ->; discriminate). reflexivity.
    - intros g j F J. unfold g1. rewrite !at_put by reflexivity. destruct (Z.eqb_spec j k); [contradiction|]. now destruct (gvar_dec g vcpus_state).
    - destruct (g_vcpus _ _ G v i V I). unfold g1. constructor; rewrite !at_put by reflexivity; cbn; rewrite ?Z.eqb_refl; auto. }
  set (g2 := put1 vms_running v _ g1).
  assert (G2 : globals_hold (set_vm v (vm_at a1 v <| running ::= fun n => n - 1 |>) a1) g2) by (apply (hold_running a1 g1 g2 G1); auto).
  change (vm_at a1 v) with (vm_at x v) in G2. set (a2 := set_vm v _ a1) in *.
  eapply hold_cpu; [exact G2|exact C| | |].
  - intros g F. unfold put1. rewrite !field_set_other by (intros ->; discriminate). reflexivity.
  - intros g j F J. rewrite !at_put by reflexivity. destruct (Z.eqb_spec j c) as [->|]; [|now destruct (gvar_dec g cpus_vm)].
    destruct (gvar_dec g cpus_vm) as [->|]; [cbn [cpu_word] in J; rewrite Z.eqb_refl in J; discriminate|reflexivity].
  - destruct (g_cpus _ _ G2 c C). constructor; intros; rewrite !at_put by reflexivity; cbn; rewrite ?Z.eqb_refl; auto.
Qed.
Lemma back_holds : forall x g, globals_hold x g ->
  globals_hold (Registers.set_x c 0 NIE_OK (Switch.load_host c x)) (put1 cpus_x (c * 31 + 0) NIE_OK (putn 31 cpus_x (c * 31) (fun j => at1 cpus_host_x g (c * 31 + j)) g)).
Proof.
  intros x g G. pose proof leaves_cpu as C. pose proof C as C8. unfold NIE_MAX_CPUS in C8. apply hold_x; [|exact C|lia].
  eapply holds_of with (a := set_cpu c (cpu_at x c <| cpu_x := host_x (cpu_at x c) |>) x); try reflexivity.
  eapply hold_cpu; [exact G|exact C| | |].
  - intros g' F. apply putn_field. intros ->. discriminate.
  - intros g' j F J. destruct (gvar_dec g' cpus_x) as [->|N]; [|now apply putn_other]. rewrite at_putn by (try reflexivity; lia). cbn [cpu_word] in J. now rewrite J.
  - destruct (g_cpus _ _ G c C). constructor; intros; try (rewrite !putn_other by discriminate; auto; fail).
    rewrite at_putn by (try reflexivity; lia). replace ((c * 31 <=? c * 31 + i0) && (c * 31 + i0 <? c * 31 + 31))%bool with true by lia.
    replace (c * 31 + (c * 31 + i0 - c * 31)) with (c * 31 + i0) by lia. now apply h_host_x.
Qed.

Lemma rest_wp : forall m h1, live h c (Aset a) m (now m) (here a) (fp_here a) (taken h) h1 -> tables_hold a m ->
  wp (exit_rest c v k reason) (fun _ s' => R (snd (Switch.exit_vcpu c e a)) s' /\ only_run gl (glob s') /\ stays h (hw s')) (Mach gl h1).
Proof.
  intros m h1 L T. pose proof leaves_sound as SO. pose proof leaves_cpu as C. pose proof C as C8. unfold NIE_MAX_CPUS in C8. pose proof leaves_on as [V I ST CP NF [PR PO] _]. fold p in PR, PO.
  pose proof V as V64. pose proof I as I8. unfold NIE_MAX_VMS, NIE_MAX_VCPUS in V64, I8. pose proof (R_globals _ _ HR) as G. cbn [glob] in G. pose proof (so_wf _ SO) as W.
  assert (KB : 0 <= k < 512) by (unfold NIE_MAX_VCPUS; lia). set (b := snd (Switch.exit_vcpu c e a)).
  assert (IR : Machine.in_ram h p = true) by (unfold Machine.in_ram; rewrite leaves_ram; exact PR).
  assert (NT : ~ touch (Aset a) p) by (apply (untouched a W); auto; now rewrite PO).
  set (M0 := Map.get (saved a) k).
  assert (LB : live h c (Aset a) (paged p M0 m) (beside p m) (here a) (fp_here a) (taken h) h1).
  { eapply live_mem with (m := m).
    - destruct L as [LS LR LE LM LI LT LV LG LF LX]. constructor; auto. eapply settled_widen; [exact LS| |intros w d D; now left].
      intros v' l x d j d' H TB J VA [D|D]; [eapply (Aset_closed a W); eauto|]. exfalso. assert (E : Machine.frame d = p) by (unfold is_word in J; lia).
      destruct (table_target a W _ _ _ _ H TB) as [_ [(_ & F)|(z & _ & F)]]; rewrite E, PO in F; discriminate.
    - intro w. unfold paged. destruct ((p * 512 <=? w) && (w <? p * 512 + 512))%bool eqn:E; auto.
      replace w with (p * 512 + (w - p * 512)) at 2 by lia. rewrite (t_saved _ _ T p v i (w - p * 512) PR PO) by (unfold is_word; lia). reflexivity. }
  unfold exit_rest. w_bind. eapply wp_load1; [reflexivity|exact KB|]. cbn beta. replace (at1 vcpus_context gl k) with p by (symmetry; apply (g_vcpus _ _ G v i V I)).
  w_bind. eapply save_vcpu_wp; [exact C8|exact IR|exact NT|exact LB|]. intros h2 L2. cbn beta.
  set (M1 := saved_words (here a) (fp_here a) (Registers.x_of a c) M0).
  assert (EM : saved_words (here a) (fp_here a) (fun j => at1 cpus_x gl (c * 31 + j)) M0 = M1).
  { unfold M1, saved_words. do 4 f_equal. apply fill_ext; [lia|]. intros j J. exact (h_x _ _ _ (g_cpus _ _ G c C) j J). }
  rewrite EM in L2. w_bind. eapply x_dsb; [exact L2|]. intros h3 L3. cbn beta. clear L L2 LB.
  w_bind. eapply wp_store1; [reflexivity|exact KB|]. cbn beta. w_bind. eapply wp_load1; [reflexivity|exact V64|]. cbn beta. rewrite at_put by reflexivity.
  replace (if gvar_dec vms_running vcpus_state then _ else _) with (running (vm_at a v)) by (symmetry; exact (h_running _ _ _ (g_vms _ _ G v V))).
  assert (RN : 1 <= running (vm_at a v) <= 8).
  { rewrite (v_running _ (wf_v _ W) v V). split.
    - pose proof (many_put v i (vcpu_at a v i <| vcpu_state := VCPU_OFF |>) a v is_running I) as K. rewrite Z.eqb_refl in K.
      change (is_running (vcpu_at a v i <| vcpu_state := VCPU_OFF |>)) with false in K. unfold is_running at 3 in K. rewrite ST in K. cbn [ind Z.eqb Pos.eqb VCPU_RUNNING] in K.
      assert (0 <= how_many (set_vcpu v i (vcpu_at a v i <| vcpu_state := VCPU_OFF |>) a) v is_running) by (unfold how_many; lia). lia.
    - unfold how_many. assert (F : forall f l, (length (filter f l) <= @length nat l)%nat).
      { intros f l. induction l as [|y l IH]; cbn [filter length]; auto. destruct (f y); cbn [length]; lia. }
      specialize (F (fun j => is_running (vcpu_at a v (Z.of_nat j))) (seq 0 (Z.to_nat NIE_MAX_VCPUS))). rewrite seq_length in F. unfold NIE_MAX_VCPUS in *. lia. }
  rewrite (wrap32 (_ - 1)) by lia. w_bind. eapply wp_store1; [reflexivity|exact V64|]. cbn beta. w_bind. eapply wp_store1; [reflexivity|exact C8|]. cbn beta.
  replace (wrap U32 (if reason =? NIE_EXIT_CPU_OFF then VCPU_OFF else VCPU_READY)) with (if reason =? NIE_EXIT_CPU_OFF then VCPU_OFF else VCPU_READY) by (destruct (reason =? NIE_EXIT_CPU_OFF); reflexivity).
  set (a1 := Switch.save_vcpu c v i a). assert (G1 : globals_hold a1 gl) by (eapply holds_of; [exact G|reflexivity..]).
  pose proof (left_holds a1 V I G1) as G2. change (left_gl a1 gl) with (left_gl a gl) in G2. unfold left_gl in G2.
  set (g2 := put1 cpus_vm c CPU_HOST _) in *. set (a4 := leave c v i (reason =? NIE_EXIT_CPU_OFF) a1) in *.
  assert (O2 : only_run gl g2) by (unfold g2; do 3 (apply or_put; [reflexivity|]); apply or_refl). clearbody g2.
  w_bind. eapply load_host_wp; [exact C8|exact L3|]. intros h4 L4. cbn beta.
  w_bind. eapply x_store2; [reflexivity|exact C8|lia|]. cbn beta. pose proof (back_holds a4 g2 G2) as G3. set (g3 := put1 cpus_x _ _ _) in *.
  assert (O3 : only_run gl g3) by (unfold g3; apply or_put; [reflexivity|]; apply or_putn; [reflexivity|exact O2]).
  assert (EH : fill REG_SWITCHED 0 (fun r => at1 cpus_host_sysreg g2 (c * REG_SWITCHED + r)) (here a) = fill REG_SWITCHED 0 (Map.get (host_sysreg (cpu_at a4 c))) (here a)).
  { apply fill_ext; [unfold REG_SWITCHED; lia|]. exact (h_host_sysreg _ _ _ (g_cpus _ _ G2 c C)). }
  rewrite EH in L4. clearbody g3.
  assert (ET : at1 config_word g3 MAN_TABLES = host_tables (cfg a)) by exact (g_tables _ _ G3).
  pose proof (c_tables _ (wf_c _ W)) as CT. pose proof (c_engine _ (wf_c _ W)) as CE. pose proof (c_ram _ (wf_c _ W)) as CR. pose proof (gibs_small _ W) as GS. pose proof (c_dev _ (wf_c _ W)) as CD. unfold level3_first in CT.
  assert (RT' : 0 <= at1 config_word g3 MAN_TABLES < 2 ^ 36) by (rewrite ET; lia).
  assert (HA' : Aset a 0 0 0 (at1 config_word g3 MAN_TABLES * 4096)) by (rewrite ET; left; auto).
  w_bind. eapply world_leaves.controls_host_wp; [exact L4|exact RT'|exact HA'|]. intros h5 L5. cbn beta. apply wp_ret. cbn [glob hw].
  assert (EB : b = Switch.controls_host (Registers.set_x c 0 NIE_OK (Switch.load_host c a4))) by (unfold b; apply (leave_is c v i a e); exact RU).
  split; [|split; [exact O3|eapply stays_of; [exact L5|reflexivity]]].
  apply (R_live a gl h c b (paged p M1 m) (taken h) g3 h5); [exact HR|reflexivity| | |apply (left_sound c v i a e); auto|apply (left_map c v i a e); auto| | |].
  - eapply live_ext; [exact L5| |].
    + rewrite EB, host_controls_are, ET. reflexivity.
    + rewrite EB. reflexivity.
  - rewrite EB. eapply holds_of; [exact G3|reflexivity..].
  - exact (left_tables c v i a e SO C RU m T).
  - apply (left_here c v i a e); auto.
  - intros d N. unfold b. rewrite (left_root c v i a e); auto. now replace (d =? c) with false by lia.
Qed.
End Leaves.

(* The exit of a vCPU, whole: state and registers as specified; and the run is that of a machine which first tells the host
   the words of [told_log], and then writes no more of them ([exit_rest]). *)
Theorem exit_vcpu_exact : forall a s v i e, R a s -> runs a (me (hw s)) v i -> let c := me (hw s) in
  exists s', exit_vcpu c (Switch.exit_reason e) (Switch.exit_ipa e) (Switch.exit_width e) (Switch.exit_value e) s = Some (tt, s') /\
    R (snd (Switch.exit_vcpu c e a)) s' /\ only_run (glob s) (glob s') /\ stays (hw s) (hw s') /\
    exit_rest c v (v * NIE_MAX_VCPUS + i) (Switch.exit_reason e)
      (Mach (glob s) (tell (run_page (vcpu_at a v i)) (told_log a c e) (hw s))) = Some (tt, s').
Proof.
  intros a [gl h] v i e HR RU. cbn [glob hw] in *. cbn zeta. destruct (live_of_R _ _ _ HR) as (m & L & T).
  set (h1 := tell (run_page (vcpu_at a v i)) (told_log a (me h) e) h).
  assert (L1 : live h (me h) (Aset a) m (now m) (here a) (fp_here a) (taken h) h1).
  { pose proof (exit_told_wp a gl h v i e HR RU m (fun _ _ => live h (me h) (Aset a) m (now m) (here a) (fp_here a) (taken h) h1) L) as K. cbn zeta in K. fold h1 in K.
    assert (K' : wp (exit_vcpu (me h) (Switch.exit_reason e) (Switch.exit_ipa e) (Switch.exit_width e) (Switch.exit_value e))
      (fun _ _ => live h (me h) (Aset a) m (now m) (here a) (fp_here a) (taken h) h1) (Mach gl h)).
    { apply K. intro L1. eapply wp_weaken; [eapply rest_wp; eauto|]. intros. exact L1. }
    unfold wp in K'. destruct (exit_vcpu _ _ _ _ _ _) as [[x s']|]; [exact K'|destruct K']. }
  pose proof (rest_wp a gl h v i e HR RU m h1 L1 T) as B. unfold wp in B.
  destruct (exit_rest (me h) v (v * NIE_MAX_VCPUS + i) (Switch.exit_reason e) (Mach gl h1)) as [[[] s']|] eqn:E; [|destruct B].
  exists s'. destruct B as (B1 & B2 & B3).
  assert (K : wp (exit_vcpu (me h) (Switch.exit_reason e) (Switch.exit_ipa e) (Switch.exit_width e) (Switch.exit_value e)) (fun x s2 => s2 = s') (Mach gl h)).
  { eapply (exit_told_wp a gl h v i e HR RU m); [exact L|]. cbn zeta. fold h1. intros _. unfold wp. now rewrite E. }
  unfold wp in K. destruct (exit_vcpu _ _ _ _ _ (Mach gl h)) as [[[] s2]|]; [|destruct K]. subst s2. auto.
Qed.
