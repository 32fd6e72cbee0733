(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_CREATE: the C does what spec/call/vm_create.v says, with the other CPUs acting before each of its primitives; it has no
   undefined behaviour, meets every obligation, and every state on the way is safe. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Measure Donation.
From nie.spec.call Require vm_create.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Adding vm_create_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.pages nie.generated.state.checks nie.generated.state.measure nie.generated.call.vm_create.
From nie.spec Require Import Core.
From nie.proof.refine Require Import sha256_refines measure_refines measure_record_refines.
From nie.proof.refine Require Export Blind vm_create_begins Ends.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* What the call may change beside granules and what measuring writes: words of the VM's record. *)
Record only_begun (vm : Z) (gl gl' : globals) : Prop := {
  ob_field : forall g, of_granules g = false -> of_begun g = false -> of_measure g = false -> field g gl' = field g gl;
  ob_vm : forall g v, of_begun g = true -> v <> vm -> at1 g gl' v = at1 g gl v;
  ob_hash : forall i, i / 8 <> vm -> at1 vms_hash gl' i = at1 vms_hash gl i;
  ob_hashed : forall v, v <> vm -> at1 vms_hashed gl' v = at1 vms_hashed gl v;
}.
Lemma ob_refl : forall vm gl, only_begun vm gl gl.
Proof. constructor; auto. Qed.

Lemma start_exists : forall vm gl (h : Machine.hw), 0 <= vm < 64 -> exists gm, only_measure vm gl gm /\ measured gm vm [] 0.
Proof.
  intros vm gl h V. pose proof (measure_start_wp vm gl h (fun _ _ => exists gm, only_measure vm gl gm /\ measured gm vm [] 0) V) as H.
  unfold wp in H. specialize (H (fun gm O M => ex_intro _ gm (conj O M))). destruct (measure_start vm (Mach gl h)) as [[[] s]|]; [exact H|contradiction].
Qed.

(* Fields that a change leaves alone. *)
Lemma vm_at_mode : forall g x y v, vm_at (set_mode g x y) v = vm_at y v. Proof. reflexivity. Qed.
Lemma vm_at_own : forall q o y v, vm_at (set_own q o y) v = vm_at y v. Proof. reflexivity. Qed.
Lemma own_mode : forall g x y q, own (set_mode g x y) q = own y q. Proof. reflexivity. Qed.
Lemma own_granules : forall v n y q, own (add_granules v n y) q = own y q. Proof. reflexivity. Qed.
Lemma mode_granules : forall v n y g, mode_at (add_granules v n y) g = mode_at y g. Proof. reflexivity. Qed.
Lemma rest_kept : forall g x v n q o y, let z := set_mode g x (add_granules v n (set_own q o y)) in
  cfg z = cfg y /\ slots z = slots y /\ (vcpus z = vcpus y /\ saved z = saved y) /\ (cpus z = cpus y /\ lasts z = lasts y /\ here z = here y /\ fp_here z = fp_here y) /\
  modes z = Map.set (modes y) g x.
Proof. repeat split. Qed.

Section Apply.
Variables (a : state) (h : Machine.hw) (gl : globals) (m : Z -> Z) (vm p base pages now count : Z).
Hypothesis W : wf a.
Hypothesis O : onto a.
Hypothesis CNT : counted a.
Hypothesis G : globals_hold a gl.
Hypothesis X : world h (Aset a) (Aset a) m (World.now m) h.
Hypothesis TH : tables_hold a m.
Hypothesis RAM : ram h = ram_of a.
Hypothesis ENG : engine h = engine_of a.
Hypothesis REGS : registers_hold a h.
Hypothesis V : 0 <= vm < NIE_MAX_VMS.
Hypothesis FREE : vm_state (vm_at a vm) = NIE_VM_FREE.
Hypothesis HP : in_ram a p = true /\ own a p = Host.
Hypothesis CN : 1 <= count <= NIE_MAX_VCPUS.
Hypothesis WIN : 1 <= base < 2 ^ 26 /\ 1 <= pages <= 2 ^ 26 - base.
Notation k := (Adding.kept p 1 a).
Notation root_owner := (fun _ : Z => Table vm 1 0).
Let a1 := set_vm vm (record_of a vm p base pages now count) a.
Let d := Donation.donate vm p 1 root_owner a1.

Lemma d_is : d = set_mode (p / 512) Split (add_granules vm 1 (set_own (p + 0) (Table vm 1 0) a1)).
Proof. reflexivity. Qed.
Lemma d_vm : forall v, vm_at d v = if v =? vm then record_of a vm p base pages now count <| granules := 1 |> else vm_at a v.
Proof.
  intro v. rewrite d_is, vm_at_mode, add_granules_vm, !vm_at_own. unfold a1. rewrite !Adding.vm_set, Z.eqb_refl.
  destruct (Z.eqb_spec v vm) as [->|]; auto. unfold record_of. rewrite (nothing a vm W V FREE). reflexivity.
Qed.

Lemma d_born : born a vm p (record_of a vm p base pages now count <| granules := 1 |>) d.
Proof.
  pose proof (k_is a p W HP) as B. destruct (rest_kept (p / 512) Split vm 1 (p + 0) (Table vm 1 0) a1) as (E1 & E2 & E3 & E4 & E5).
  rewrite <- d_is in E1, E2, E3, E4, E5. constructor; [exact E1| | | |exact d_vm|exact E3|exact E4].
  - intro g. rewrite (h_mode B). unfold mode_at. rewrite E5. apply Map.get_set.
  - intro q. rewrite d_is, own_mode, own_granules, Adding.own_set, Z.add_0_r. reflexivity.
  - intros v l j. unfold slot_at. now rewrite E2.
Qed.

Definition born_record (r : State.vm) : Prop := r = record_of a vm p base pages now count <| granules := 1 |> \/
  exists l, r = record_of a vm p base pages now count <| granules := 1 |> <| build_log := l |>.
Lemma born_fits : forall r, born_record r -> (vm_state r = NIE_VM_BUILDING /\ State.root r = p /\ granules r = 1 /\ running r = 0 /\ created r = 0 /\ sealed r = false) /\
  (1 <= vcpu_count r <= NIE_MAX_VCPUS /\ 1 <= ram_base r < 2 ^ 26 /\ 1 <= ram_pages r <= 2 ^ 26 - ram_base r).
Proof.
  intros r [->|[l ->]]; unfold record_of; rewrite (nothing a vm W V FREE); cbn [vm_state State.root granules running created sealed vcpu_count ram_base ram_pages set no_vm];
    (split; [repeat split|split; [exact CN|exact WIN]]).
Qed.
Lemma d_fits : born_record (record_of a vm p base pages now count <| granules := 1 |>).
Proof. now left. Qed.

Section Last.
Variables (z : state) (r : State.vm).
Hypothesis BZ : born a vm p r z.
Hypothesis RZ : born_record r.

Lemma z_wf : wf z.
Proof. destruct (born_fits r RZ) as [F1 F2]. exact (born_wf a vm p r W V FREE HP F1 F2 z BZ). Qed.

Lemma z_world : forall m' h', world h (Aset k) (Aset k) m' (World.now m') h' -> tables_hold z m' -> world h (Aset z) (Aset z) m' (World.now m') h'.
Proof.
  intros m' h' X' T. pose proof z_wf as Wz. destruct (born_fits r RZ) as [F1 _]. pose proof (born_sub a vm p r W FREE HP z BZ) as SUB.
  eapply world_grow; [exact X'|exact SUB|exact SUB|now intros v l j e|auto|now apply Aset_closed|now apply Aset_closed|now apply Aset_apart| |].
  - rewrite (f_engine _ _ (w_frame _ _ _ _ _ _ X')), ENG. apply Aset_safe; auto; cbn; rewrite (n_cfg _ _ _ _ _ BZ); lia.
  - intros q SQ HQ. apply (w_secret _ _ _ _ _ _ X' q SQ). exact (born_hosts a vm p r W HP z BZ q HQ).
Qed.

Lemma z_registers : registers_hold z h.
Proof.
  destruct (n_cpus _ _ _ _ _ BZ) as (E1 & _ & E2 & E3). destruct REGS. constructor; rewrite ?E2, ?E3; auto.
  intro c. rewrite r_vttbr. unfold vttbr_of, cpu_at. rewrite E1, (n_cfg _ _ _ _ _ BZ).
  destruct ((0 <=? c) && (c <? NIE_MAX_CPUS) && negb (cpu_vm (Map.get (cpus a) c) =? CPU_HOST)) eqn:E; auto.
  rewrite (n_vm _ _ _ _ _ BZ). destruct (Z.eqb_spec (cpu_vm (Map.get (cpus a) c)) vm) as [F|N]; auto. exfalso.
  destruct (u_runs _ (wf_u _ W) c) as (H1 & H2 & H3 & _); [lia|unfold cpu_at; lia|]. unfold cpu_at in H3. rewrite F in H3.
  rewrite (no_one a vm W V FREE) in H3 by exact H2. discriminate.
Qed.

Lemma z_related : forall gl' m' h', globals_hold z gl' -> world h (Aset k) (Aset k) m' (World.now m') h' -> tables_hold k m' ->
  (forall i, is_word i = true -> m' (p * 512 + i) = 0) -> R z (Mach gl' h').
Proof.
  intros gl' m' h' G' X' T' Z0. destruct (born_fits r RZ) as [F1 F2].
  assert (T : tables_hold z m') by exact (born_tables a vm p r W FREE HP z BZ m' T' Z0).
  apply R_ends with (h0 := h) (m := m'); auto.
  - exact z_wf.
  - exact (born_onto a vm p r W O CNT V FREE F1 z BZ).
  - exact (born_counted a vm p r W CNT V FREE HP F1 z BZ).
  - now apply z_world.
  - unfold ram_of. now rewrite (n_cfg _ _ _ _ _ BZ).
  - unfold engine_of. now rewrite (n_cfg _ _ _ _ _ BZ).
  - exact z_registers.
Qed.
End Last.
End Apply.

Lemma mode_globals : forall g x y gl, globals_hold y gl -> globals_hold (set_mode g x y) gl.
Proof. intros g x y gl []. constructor; assumption. Qed.

(* What the checks say. *)
Lemma create_checked : forall a vm root base pages count, wf a -> 0 <= vm -> 0 <= root -> spec_vm_create_check a vm root base pages count = NIE_OK ->
  0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at a vm) = NIE_VM_FREE /\ 1 <= count <= NIE_MAX_VCPUS /\
  (1 <= State.page_of base < 2 ^ 26 /\ 1 <= pages <= 2 ^ 26 - State.page_of base) /\
  root = State.page_of root * 4096 /\ in_ram a (State.page_of root) = true /\ own a (State.page_of root) = Host.
Proof.
  intros a vm root base pages count W HV HR E. unfold nie.spec.call.vm_create.vm_create_check in E.
  destruct (vm_exists vm) eqn:E1; [|discriminate]. destruct (vm_is a vm NIE_VM_FREE NIE_VM_FREE) eqn:E2; [|discriminate].
  destruct (spec_window_ok base pages) eqn:E3; [|discriminate].
  destruct ((1 <=? count) && (count <=? NIE_MAX_VCPUS))%bool eqn:E4; [|discriminate].
  destruct (donation_ok a root 1 W HR E) as (F1 & _ & _ & F2). destruct (F2 0) as [R O]; [lia|]. rewrite Z.add_0_r in *.
  unfold nie.spec.call.vm_create.window_ok in E3. change nie.spec.call.vm_create.half with 67108864 in E3. unfold vm_exists, vm_is in *.
  change (2 ^ 26) with 67108864. repeat split; auto; lia.
Qed.

Lemma created_state : forall a vm root base pages count now, spec_vm_create_check a vm root base pages count = NIE_OK ->
  spec_vm_create vm root base pages count now a = (NIE_OK, Donation.measured vm (Measure.record MEASURE_VM base pages count)
    (Donation.donate vm (State.page_of root) 1 (fun _ => Table vm 1 0)
      (set_vm vm (record_of a vm (State.page_of root) (State.page_of base) pages now count) a))).
Proof. intros a vm root base pages count now E. unfold nie.spec.call.vm_create.vm_create. cbv zeta. rewrite E. reflexivity. Qed.
Lemma not_created : forall a vm root base pages count now st, spec_vm_create_check a vm root base pages count = st -> st =? NIE_OK = false ->
  spec_vm_create vm root base pages count now a = (st, a).
Proof. intros a vm root base pages count now st E N. unfold nie.spec.call.vm_create.vm_create. cbv zeta. rewrite E, N. reflexivity. Qed.

Lemma measured_born : forall a vm p r d words, born a vm p r d ->
  born a vm p (r <| build_log ::= fun l => (l ++ words)%list |>) (Donation.measured vm words d).
Proof.
  intros a vm p r d words B. pose proof (n_vm _ _ _ _ _ B) as E. constructor; [apply B|apply B|apply B|apply B| |apply B|apply B].
  intro v. rewrite vm_at_measured, !E, Z.eqb_refl. now destruct (v =? vm).
Qed.

Theorem vm_create_refines : forall a s vm root base pages count, R a s -> 0 <= vm < 2 ^ 64 -> 0 <= root < 2 ^ 64 -> 0 <= base < 2 ^ 64 ->
  0 <= pages < 2 ^ 64 -> 0 <= count < 2 ^ 64 -> let now := inputs (hw s) (taken (hw s)) in
  wp (call_vm_create vm root base pages count) (fun r s' => r = fst (spec_vm_create vm root base pages count now a) /\
    R (snd (spec_vm_create vm root base pages count now a)) s' /\ only_begun vm (glob s) (glob s') /\ frame_of (hw s) (hw s')) s.
Proof.
  intros a [gl h] vm root base pages count HR HV HRT HB HPG HC. pose proof HR as [W O G (m & X & T) RAM ENG REGS CNT]. cbn [glob hw] in *. set (now := inputs h (taken h)).
  unfold call_vm_create. w_bind. w_known vm_create_check_run; [exact W|exact G|exact HV|exact HRT|exact HB|exact HPG|].
  destruct (spec_vm_create_check a vm root base pages count =? NIE_OK) eqn:E; cbn [negb].
  2:{ w_ret. rewrite (not_created a vm root base pages count now _ eq_refl E). cbn [fst snd].
      split; [reflexivity|split; [exact HR|split; [apply ob_refl|now constructor]]]. }
  apply Z.eqb_eq in E. destruct (create_checked a vm root base pages count W ltac:(lia) ltac:(lia) E) as (V & FREE & CN & WIN & ER & RP & OP).
  rewrite (created_state a vm root base pages count now E). clear E. cbn [fst snd].
  assert (V64 : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V; lia). pose proof (ram_small _ W _ RP) as SP.
  rewrite (wrap32 vm) by lia. w_bind. w_ret. replace (wrap U8 vm) with vm by (unfold wrap; cbn [width]; lia).
  w_bind. eapply counter_wp; [exact X|]. intros h1 X1. fold now.
  skip. w_known page_of_run. w_bind. eapply wp_store1; [reflexivity|exact V64|]. cbn beta.
  skip. w_known page_of_run. w_bind. eapply wp_store1; [reflexivity|exact V64|]. cbn beta.
  do 4 (w_bind; eapply wp_store1; [reflexivity|exact V64|]; cbn beta).
  rewrite (wrap32 count) by (unfold NIE_MAX_VCPUS in CN; lia).
  change (root / 4096) with (State.page_of root). change (base / 4096) with (State.page_of base).
  match goal with |- wp _ _ (Mach ?g _) => change g with (begun vm (State.page_of root) (State.page_of base) pages now count gl) end.
  remember (State.page_of root) as p eqn:Ep. remember (State.page_of base) as b eqn:Eb.
  destruct (start_exists vm gl h V64) as (gm & OM & MM).
  assert (G1 : globals_hold (set_vm vm (record_of a vm p b pages now count) a) (set_field vms_hash (field vms_hash gm) (begun vm p b pages now count gl))).
  { apply begun_globals; [exact G|exact (nothing a vm W V FREE)|exact V|exact (o_hash _ _ _ OM)|].
    etransitivity; [|exact (m_hash _ _ _ _ MM)]. unfold hash_of, hash_word, at1. now rewrite field_set_same. }
  set (a1 := set_vm vm (record_of a vm p b pages now count) a) in *.
  assert (Wc : wf_cfg a1) by (destruct (wf_c _ W); now constructor).
  pose proof (k_is a p W (conj RP OP)) as B. pose proof (k_wf a p W (conj RP OP)) as Wk.
  skip. w_known page_of_run. change (root / 4096) with (State.page_of root). rewrite <- Ep.
  w_bind. eapply wp_blind; [apply donate_blind|].
  eapply (donate_one_apart a (Adding.kept p 1 a) a1 vm p (Table vm 1 0)); [exact Wc|reflexivity|exact V|exact RP|reflexivity|split; discriminate|exact G1|exact RAM|exact ENG|exact B|exact T|exact X1|].
  intros gl2' m2 h2 G2 O2 X2 T2 gl2 E2 F2. cbn [glob hw] in *. subst gl2'.
  skip. w_known page_of_run. change (root / 4096) with (State.page_of root). rewrite <- Ep.
  w_bind. eapply (pages_scrub_wp h (Adding.kept p 1 a)); [rewrite RAM; unfold ram_of; now rewrite (h_cfg B)|exact Wk|exact X2|exact T2|lia| |].
  { intros q Q. unfold given in Q. assert (q = p) by lia. subst q.
    assert (KO : own (Adding.kept p 1 a) p = Engine) by (apply (h_kept B); unfold given; lia).
    assert (KR : in_ram (Adding.kept p 1 a) p = true) by (rewrite (h_ram B); exact RP).
    split; [exact KR|]. split; [apply (kept_untouched _ Wk); auto; now rewrite KO|].
    intros [F|(_ & v & l & [F|(j & F)])]; [|rewrite KO in F; discriminate|rewrite KO in F; discriminate].
    unfold engine_range in F. rewrite (h_cfg B) in F. rewrite (wf_engine _ W) in OP by exact F. discriminate. }
  intros m3 h3 X3 T3 Z3 _. cbn beta.
  w_bind. apply measure_start_wp; [exact V64|]. intros gl3 O3 M3. cbn beta.
  w_bind. eapply measure_record_wp; [exact V64|exact M3|]. intros gl4 O4 M4. cbn beta. w_ret.
  set (d := Donation.donate vm p 1 (fun _ => Table vm 1 0) a1) in *.
  assert (GD : globals_hold d (set_field vms_hash (field vms_hash gm) gl2)) by (exact (mode_globals _ _ _ _ G2)).
  pose proof (d_born a vm p b pages now count W V FREE (conj RP OP)) as BD. fold a1 in BD. fold d in BD.
  set (r := record_of a vm p b pages now count <| granules := 1 |>) in *.
  assert (FR : born_record a vm p b pages now count r) by now left.
  pose proof (z_wf a vm p b pages now count W V FREE (conj RP OP) CN WIN d r BD FR) as Wd.
  assert (LD : vm_at d vm = r) by (rewrite (n_vm _ _ _ _ _ BD), Z.eqb_refl; reflexivity).
  assert (LR : build_log r = [] /\ vm_state r = NIE_VM_BUILDING) by (unfold r, record_of; rewrite (nothing a vm W V FREE); split; reflexivity).
  assert (OM4 : only_measure vm (set_field vms_hash (field vms_hash gm) gl2) gl4).
  { split.
    - intros g D. rewrite (o_field _ _ _ O4), (o_field _ _ _ O3) by exact D. rewrite field_set_other; auto. intros ->. discriminate.
    - intros i N. rewrite (o_hash _ _ _ O4), (o_hash _ _ _ O3) by exact N. unfold at1. rewrite field_set_same by reflexivity. rewrite F2.
      rewrite begun_field by reflexivity. symmetry. exact (o_hash _ _ _ OM i N).
    - intros i N. rewrite (o_hashed _ _ _ O4), (o_hashed _ _ _ O3) by exact N. unfold at1. now rewrite field_set_other. }
  split; [reflexivity|]. split; [|split; [|exact (w_frame _ _ _ _ _ _ X3)]].
  - apply (z_related a h vm p b pages now count W O CNT RAM ENG REGS V FREE (conj RP OP) CN WIN _ _ (measured_born _ _ _ _ _ _ BD)) with (m' := m3).
    + right. eexists. reflexivity.
    + eapply log_goes_on; [exact Wd|exact V|rewrite LD; apply LR|exact GD|exact OM4|]. rewrite LD. destruct LR as [-> _]. exact M4.
    + exact X3.
    + exact T3.
    + intros i I. apply Z3; auto. unfold given. lia.
  - constructor.
    + intros g N1 N2 N3. rewrite (o_field _ _ _ O4), (o_field _ _ _ O3) by exact N3. destruct (gvar_dec g vms_hash) as [->|NH]; [discriminate|].
      rewrite <- (field_set_other g vms_hash (field vms_hash gm) gl2) by exact NH. rewrite O2 by exact N1. rewrite field_set_other by exact NH. now apply begun_field.
    + intros g v B1 N. unfold at1. rewrite (o_field _ _ _ O4), (o_field _ _ _ O3) by now destruct g.
      rewrite <- (field_set_other g vms_hash (field vms_hash gm) gl2) by (intros ->; discriminate). rewrite O2 by now destruct g.
      rewrite field_set_other by (intros ->; discriminate). now apply begun_other.
    + intros i N. rewrite (o_hash _ _ _ O4), (o_hash _ _ _ O3) by exact N. unfold at1. rewrite F2. now rewrite begun_field.
    + intros v N. rewrite (o_hashed _ _ _ O4), (o_hashed _ _ _ O3) by exact N. unfold at1.
      rewrite <- (field_set_other vms_hashed vms_hash (field vms_hash gm) gl2) by discriminate. rewrite O2 by reflexivity. rewrite field_set_other by discriminate. now rewrite begun_field.
Qed.
