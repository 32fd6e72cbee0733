(* SPDX-License-Identifier: Apache-2.0 *)
(* The world switch: a vCPU leaves its CPU, a vCPU comes to one. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.state.world nie.generated.trap.mmio.
From nie.spec Require Import Core.
From nie.proof.refine Require Import GiveBack.
From nie.proof.refine Require Export Midway.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** A context page is written. *)

Section Context.
Variables (c : Z) (vt : Z -> Z) (a : state) (s : mach globals Machine.hw) (v i : Z) (p : Z).
Hypothesis MI : mid c vt a s.
Hypothesis PR : State.in_ram a p = true.
Hypothesis PO : own a p = Vcpu v i.
Hypothesis PC : 0 <= v < NIE_MAX_VMS /\ 0 <= i < NIE_MAX_VCPUS /\ context_page (vcpu_at a v i) = p.

Definition loose (m : Z -> Z) : Z -> Z -> Prop := fun w d => now m w d \/ at_page p w.
Definition elsewhere (m m' : Z -> Z) : Prop := forall q j, is_word j = true -> q <> p -> m' (q * 512 + j) = m (q * 512 + j).

Lemma loose_fine : forall m m', elsewhere m m' -> forall w d, now m' w d -> loose m w d.
Proof.
  intros m m' E w d N. assert (WI : is_word (w mod 512) = true) by (unfold is_word; lia).
  destruct (Z.eq_dec (w / 512) p) as [F|F]; [right; exists (w mod 512); split; auto; lia|].
  left. unfold now in *. specialize (E (w / 512) (w mod 512) WI F). replace (w / 512 * 512 + w mod 512) with w in E by lia. congruence.
Qed.
Lemma loose_free : forall m, free_page (loose m) (elsewhere m) p.
Proof.
  intros m j J. split; [intro d; right; exists j; auto|]. intros m' x E q k K N. unfold upd.
  destruct (Z.eqb_spec (q * 512 + k) (p * 512 + j)) as [F|F]; [apply word_inj in F as [-> _]; auto; now destruct N|]. auto.
Qed.
Lemma loose_closed : forall m, tables_hold a m -> closed (Aset a) (loose m).
Proof.
  intros m T w l k d j d' H TB J VA [N|(x & X & E)]; [eapply (Aset_closed a (so_wf _ (mi_sound _ _ _ _ MI))); eauto|].
  exfalso. apply word_inj in E as [E _]; auto.
  destruct (table_target a (so_wf _ (mi_sound _ _ _ _ MI)) _ _ _ _ H TB) as [_ [(_ & O)|(z & _ & O)]]; rewrite E, PO in O; discriminate.
Qed.
Definition saved_now (m : Z -> Z) : state := set_saved v i (tab 512 (fun j => m (p * 512 + j)) 0) a.
Lemma saved_tables : forall m m', tables_hold a m -> elsewhere m m' -> tables_hold (saved_now m') m'.
Proof.
  intros m m' T E. pose proof (mi_sound _ _ _ _ MI) as [W O].
  assert (K : forall q, own a q = Engine -> q <> p) by congruence.
  constructor.
  - intros q w l k j R H J. rewrite E; auto; [exact (t_vm _ _ T q w l k j R H J)|]. intros ->. change (own a p = Table w l k) in H. congruence.
  - intros j J. destruct (low_table_page a W 0) as [R H]; [pose proof (gibs_small _ W); lia|]. rewrite Z.add_0_r in *.
    rewrite E; auto. exact (t_1 _ _ T j J).
  - intros x j X J. change (gib_count (saved_now m')) with (gib_count a) in X. destruct (low_table_page a W (1 + x)) as [R H]; [lia|]. rewrite Z.add_assoc in *.
    rewrite E; auto. exact (t_2 _ _ T x j X J).
  - intros g j G J. destruct (level3_page a W g G) as [R H]. change (level3 (saved_now m') g) with (level3 a g). rewrite E; auto. exact (t_3 _ _ T g j G J).
  - intros q w k j R H J. change (own a q = Vcpu w k) in H. change (State.in_ram a q = true) in R.
    destruct (on_vcpu _ O _ _ _ R H) as (W1 & W2 & W3 & W4). destruct PC as (V1 & V2 & V3).
    transitivity (Map.get (Map.get (Map.set (saved a) (v * NIE_MAX_VCPUS + i) (tab 512 (fun j => m' (p * 512 + j)) 0)) (w * NIE_MAX_VCPUS + k)) j); [|reflexivity].
    rewrite Map.get_set. destruct (Z.eqb_spec (w * NIE_MAX_VCPUS + k) (v * NIE_MAX_VCPUS + i)) as [F|F].
    + apply vcpu_index_inj in F as [-> ->]; auto. rewrite get_tab by (unfold is_word in J; lia). congruence.
    + rewrite E; auto; [exact (t_saved _ _ T q w k j R H J)|]. intros ->. rewrite PO in H. injection H as -> ->. congruence.
Qed.

(* Words of the context are written, then seen by all. *)
Lemma saved_wp : forall (code : M (mach globals Machine.hw) unit) (Q : unit -> mach globals Machine.hw -> Prop),
  (forall (V : Z -> Z -> Prop) (fine : (Z -> Z) -> Prop), (forall m, fine m -> forall w d, now m w d -> V w d) -> free_page V fine p -> keeps c (glob s) (hw s) (Aset a) V fine code any) ->
  (forall w s', mid c vt (set_saved v i w a) s' -> only_quiet c (glob s) (glob s') -> Q tt s') ->
  wp (bind code (fun _ => dsb_ish)) Q s.
Proof.
  intros code Q K H. destruct MI as [SO AR0 OC0 (m & W & T) RM EN ME CC VT MN CL]. apply wp_bind.
  eapply wp_weaken; [apply (K (loose m) (elsewhere m))|].
  - intros m' F. now apply loose_fine.
  - apply loose_free.
  - split; [apply oq_refl|]. split; [apply steady_refl|]. exists m. split; [now intros q j J N|].
    eapply settled_widen; eauto; [now apply loose_closed|]. intros w d N. now left.
  - cbn beta. intros r [gl h] [(O & ST & m' & F & W') _]. cbn [glob hw] in *.
    unfold dsb_ish. apply wp_hw. unfold wp. cbn.
    destruct (settled_others _ _ _ _ W') as [W1 S1].
    destruct (settled_of_world _ _ _ _ _ (world_complete_same _ _ _ _ _ W1)) as [W2 S2].
    pose proof (steady_trans _ _ _ ST (steady_trans _ _ _ S1 S2)) as []. 
    apply (H (tab 512 (fun j => m' (p * 512 + j)) 0)); [|exact O]. constructor; cbn [glob hw]; auto; try (cbn in *; congruence).
    + eapply quiet_sound with (a := a); try reflexivity; auto.
    + assert (AR : at_rest a gl) by (eapply rest_quiet; eauto). destruct AR as [[] AS]. split; [constructor; assumption|exact AS].
    + assert (OC : other_cpus c a gl) by (eapply other_quiet; eauto). exact OC.
    + exists m'. split; [exact W2|]. eapply saved_tables; eauto.
    + rewrite s_ram. exact RM.
    + rewrite s_engine. exact EN.
    + eapply man_quiet; eauto.
    + intros u y q. rewrite s_claims. apply CL.
Qed.
End Context.

(** Numbers of vCPUs. *)

Lemma filter_shorter : forall A (f : A -> bool) l, (List.length (filter f l) <= List.length l)%nat.
Proof. intros A f l. induction l as [|x l IH]; cbn [filter List.length]; [lia|]. destruct (f x); cbn [List.length]; lia. Qed.
Lemma how_many_range : forall a v f, 0 <= how_many a v f <= NIE_MAX_VCPUS.
Proof.
  intros a v f. unfold how_many. pose proof (filter_shorter _ (fun j => f (vcpu_at a v (Z.of_nat j))) (seq 0 (Z.to_nat NIE_MAX_VCPUS))) as L.
  rewrite seq_length in L. unfold NIE_MAX_VCPUS in *. lia.
Qed.
Lemma how_many_some : forall a v i f, 0 <= i < NIE_MAX_VCPUS -> f (vcpu_at a v i) = true -> 1 <= how_many a v f.
Proof.
  intros a v i f I F. unfold how_many.
  assert (H : In (Z.to_nat i) (filter (fun j => f (vcpu_at a v (Z.of_nat j))) (seq 0 (Z.to_nat NIE_MAX_VCPUS)))).
  { apply filter_In. split; [apply in_seq; unfold NIE_MAX_VCPUS in *; lia|]. now rewrite Z2Nat.id by lia. }
  destruct (filter _ _); [destruct H|]. cbn [List.length]. lia.
Qed.

Lemma mid_runs : forall c vt a s, mid c vt a s -> at1 cpus_vm (glob s) c = cpu_vm (cpu_at a c) /\ at1 cpus_vcpu (glob s) c = cpu_vcpu (cpu_at a c).
Proof. intros c vt a s []. now apply rest_runs. Qed.
Lemma mid_vcpu : forall c vt a s v i, mid c vt a s -> 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS ->
  vcpu_holds (glob s) (v * NIE_MAX_VCPUS + i) (vcpu_at a v i).
Proof. intros c vt a s v i MI V I. exact (g_vcpus _ _ (ar_holds _ _ (mi_rest _ _ _ _ MI)) v i V I). Qed.
Lemma mid_vm : forall c vt a s v, mid c vt a s -> 0 <= v < NIE_MAX_VMS ->
  vm_holds (glob s) v (vm_at a v) /\ at1 vms_state (glob s) v = vm_state (vm_at a v) /\ at1 vms_root (glob s) v = root (vm_at a v) /\
  at1 vms_ram_base (glob s) v = ram_base (vm_at a v) /\ at1 vms_ram_pages (glob s) v = ram_pages (vm_at a v).
Proof.
  intros c vt a s v MI V. pose proof (g_vms _ _ (ar_holds _ _ (mi_rest _ _ _ _ MI)) v V) as H.
  destruct (g_vm _ _ (ar_holds _ _ (mi_rest _ _ _ _ MI)) v V) as (H1 & H2 & H3 & H4 & _). auto.
Qed.
Lemma mid_eta : forall c vt vt' a s, mid c vt a s -> (forall d, vt d = vt' d) -> mid c vt' a s.
Proof. intros c vt vt' a s [] E. constructor; auto. intro d. now rewrite <- E. Qed.

Ltac w_quiet MI := eapply wp_weaken; [eapply (run_quiet _ _ _ _ MI); intros ? ? ?|cbn beta; intros ? ? (? & ? & ?)].

(** The host's controls. *)

Lemma host_root : forall a, wf a -> host_tables (cfg a) * 4096 / 2 ^ 48 = 0 /\ host_tables (cfg a) * 4096 mod 2 ^ 48 = host_tables (cfg a) * 4096 /\
  0 <= host_tables (cfg a) < 2 ^ 27.
Proof.
  intros a W. pose proof (c_ram _ (wf_c _ W)). pose proof (c_dev _ (wf_c _ W)). pose proof (c_engine _ (wf_c _ W)). pose proof (c_tables _ (wf_c _ W)).
  pose proof (gibs_small _ W). unfold level3_first in *.
  assert (0 <= host_tables (cfg a) < 2 ^ 27) by lia. rewrite Z.div_small, Z.mod_small by lia. auto.
Qed.

Lemma controls_host_wp : forall c vt a s, mid c vt a s ->
  wp controls_host (fun _ s' => mid c (fun d => if d =? c then host_tables (cfg a) * 4096 else vt d) a s' /\ only_quiet c (glob s) (glob s')) s.
Proof.
  intros c vt a s MI. pose proof (mi_c _ _ _ _ MI) as C. unfold NIE_MAX_CPUS in C. unfold controls_host.
  apply wp_bind. w_quiet MI; [apply k_sysreg_read|]. apply wp_bind. w_quiet H; [apply k_sysreg_write; q_arith|].
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ H2); intros ? ? ?; eapply k_load1; [reflexivity|q_arith]|]. cbn beta. intros t s1 (M1 & T & Q1).
  assert (TE : t = host_tables (cfg a)).
  { rewrite (T eq_refl). exact (g_tables _ _ (ar_holds _ _ (mi_rest _ _ _ _ H2))). }
  subst t. destruct (host_root a (so_wf _ (mi_sound _ _ _ _ M1))) as (R1 & R2 & R3).
  apply wp_bind. eapply wp_known; [destruct s1; apply address_of_run; lia|]. cbn beta.
  apply wp_bind. eapply wp_weaken; [apply write_vttbr; eauto|].
  { rewrite R1, R2. left. split; auto. }
  cbn beta. intros _ s2 (M2 & E2).
  eapply wp_weaken; [eapply (run_quiet _ _ _ _ M2) with (P := any); intros V fine FV; quiet|]. cbn beta. intros _ s3 (M3 & _ & Q3). split; auto.
  rewrite E2 in Q3. eauto using oq_trans.
Qed.

Lemma vm_root : forall a v, wf a -> 0 <= v < NIE_MAX_VMS -> vm_state (vm_at a v) <> NIE_VM_FREE ->
  let x := (v + 1) * 2 ^ 48 + root (vm_at a v) * 4096 in
  x / 2 ^ 48 = v + 1 /\ x mod 2 ^ 48 = root (vm_at a v) * 4096 /\ 0 < root (vm_at a v) < 2 ^ 27.
Proof.
  intros a v W V N x. destruct (wf_root _ W v V N) as [R _]. apply (ram_small _ W) in R. subst x. unfold NIE_MAX_VMS in V. lia.
Qed.

Lemma lor_high : forall x y, 0 <= x -> 0 <= y < 2 ^ 48 -> Z.lor (x * 2 ^ 48) y = x * 2 ^ 48 + y.
Proof.
  intros x y X Y. assert (L : Z.land (x * 2 ^ 48) y = 0).
  2:{ rewrite <- (Z.lxor_lor _ _ L). symmetry. now apply Z.add_nocarry_lxor. }
  apply Z.bits_inj'. intros n N. rewrite Z.land_spec, Z.bits_0. destruct (Z.ltb_spec n 48).
  - now rewrite Z.mul_pow2_bits_low by lia.
  - replace (Z.testbit y n) with false; [apply andb_false_r|]. symmetry. destruct (Z.eq_dec y 0) as [->|]; [apply Z.bits_0|].
    apply Z.bits_above_log2; [lia|]. apply Z.log2_lt_pow2; [lia|]. apply Z.lt_le_trans with (2 ^ 48); [lia|]. apply Z.pow_le_mono_r; lia.
Qed.

Lemma controls_vcpu_wp : forall c vt a s v i, mid c vt a s -> 0 <= v < NIE_MAX_VMS -> vm_state (vm_at a v) <> NIE_VM_FREE ->
  wp (controls_vcpu v i) (fun _ s' => mid c (fun d => if d =? c then (v + 1) * 2 ^ 48 + root (vm_at a v) * 4096 else vt d) a s' /\ only_quiet c (glob s) (glob s')) s.
Proof.
  intros c vt a s v i MI V NF. pose proof (mi_c _ _ _ _ MI) as C. unfold NIE_MAX_CPUS in C. unfold NIE_MAX_VMS in V. unfold controls_vcpu.
  apply wp_bind. w_quiet MI; [apply k_sysreg_write; q_arith|].
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ H); intros ? ? ?; eapply k_load1; [reflexivity|q_arith]|]. cbn beta. intros t s1 (M1 & T & Q1).
  assert (TE : t = root (vm_at a v)).
  { rewrite (T eq_refl). apply (mid_vm _ _ _ _ v H V). }
  subst t. destruct (vm_root a v (so_wf _ (mi_sound _ _ _ _ M1)) V NF) as (R1 & R2 & R3). cbn zeta in R1, R2.
  apply wp_bind. eapply wp_known; [destruct s1; apply address_of_run; lia|]. cbn beta.
  assert (E : Z.lor (wrap U64 (Z.shiftl (wrap U32 (v + 1)) 48)) (root (vm_at a v) * 4096) = (v + 1) * 2 ^ 48 + root (vm_at a v) * 4096).
  { rewrite wrap32 by lia. rewrite Z.shiftl_mul_pow2 by lia. rewrite wrap64 by lia. apply lor_high; lia. }
  rewrite E. apply wp_bind. eapply wp_weaken; [apply write_vttbr; eauto|].
  { rewrite R1, R2. right. exists v. split; [reflexivity|]. split; [unfold NIE_MAX_VMS; lia|]. left. auto. }
  cbn beta. intros _ s2 (M2 & E2).
  eapply wp_weaken; [eapply (run_quiet _ _ _ _ M2) with (P := any); intros V' fine FV; quiet|]. cbn beta. intros _ s3 (M3 & _ & Q3). split; auto.
  rewrite E2 in Q3. eauto using oq_trans.
Qed.

(** A vCPU leaves its CPU. *)

Lemma mid_leave : forall c vt a gl h v i (off : bool), mid c vt a (Mach gl h) -> runs a c v i ->
  let k := v * NIE_MAX_VCPUS + i in
  let gl1 := put1 vcpus_state k (if off then VCPU_OFF else VCPU_READY) gl in
  let gl2 := put1 vms_running v (running (vm_at a v) - 1) gl1 in
  mid c vt (leave c v i off a) (Mach (put1 cpus_vm c CPU_HOST gl2) h).
Proof.
  intros c vt a gl h v i off MI RU k gl1 gl2. pose proof MI as [SO AR OC (m & W & T) RM EN ME CC VT MN]. cbn [glob hw] in *.
  destruct (who_runs _ _ _ _ (so_wf _ SO) CC RU) as [V I ST CP NF CX RN].
  assert (SL : sound (leave c v i off a)) by now apply leave_sound.
  pose proof (mid_vcpu _ _ _ _ v i MI V I) as HV. cbn [glob] in HV.
  destruct (mid_vm _ _ _ _ v MI V) as (HM & E1 & E2 & E3 & E4). cbn [glob] in HM, E1, E2, E3, E4.
  pose proof (g_vm _ _ (ar_holds _ _ AR) v V) as (_ & _ & _ & _ & E5). change (vm_at (with_cpus a gl) v) with (vm_at a v) in E5.
  assert (A1 : at_rest (set_vcpu v i (vcpu_at a v i <| vcpu_state := if off then VCPU_OFF else VCPU_READY |>) a) gl1).
  { apply rest_vcpu; auto. fold k in HV. destruct HV. constructor; rewrite at_put by reflexivity; cbn; rewrite ?Z.eqb_refl; auto. }
  assert (A2 : at_rest (set_vm v (vm_at a v <| running ::= fun n => n - 1 |>) (set_vcpu v i (vcpu_at a v i <| vcpu_state := if off then VCPU_OFF else VCPU_READY |>) a)) gl2).
  { apply rest_vm; [exact A1|exact V|exact Logic.I| |].
    - repeat split; try reflexivity. unfold gl2, gl1. rewrite !at_put_other by (try reflexivity; discriminate). exact E1.
    - unfold gl2, gl1. destruct HM. constructor; rewrite ?at_put_other by (try reflexivity; discriminate); try assumption.
      { rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl. } }
  constructor; cbn [glob hw]; auto.
  - apply rest_cpu; auto.
    + rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl.
    + unfold gl2, gl1. rewrite !at_put_other by (try reflexivity; discriminate). symmetry. exact (proj2 (rest_runs _ _ _ AR CC)).
  - eapply other_put with (a := a); try exact Logic.I.
    + eapply other_put with (a := a); try exact Logic.I; [|reflexivity]. eapply other_put with (a := a); try exact Logic.I; [exact OC|reflexivity].
    + intros d N. unfold leave. rewrite cpu_at_put. replace (d =? c) with false by lia. reflexivity.
  - exists m. split.
    + eapply settled_equiv; [|exact W]. intros w l x d. symmetry. apply same_map_Aset. constructor; try reflexivity.
      intro w'. unfold leave. change (vm_at (set_cpu c _ ?x) w') with (vm_at x w'). rewrite vm_at_put. destruct (Z.eqb_spec w' v) as [->|]; split; try reflexivity; split; auto.
    + destruct T. constructor; assumption.
  - apply man_put; auto; try discriminate. apply man_put; auto; try discriminate. apply man_put; auto; discriminate.
Qed.

Lemma leave_vttbr : forall a c v i off d, vttbr_of (leave c v i off a) d = if d =? c then host_tables (cfg a) * 4096 else vttbr_of a d.
Proof.
  intros a c v i off d.
  assert (BC : cpu_at (leave c v i off a) d = if d =? c then cpu_at a c <| cpu_vm := CPU_HOST |> else cpu_at a d) by exact (cpu_at_put c _ _ d).
  assert (BM : forall w, root (vm_at (leave c v i off a) w) = root (vm_at a w)).
  { intro w. assert (E : vm_at (leave c v i off a) w = if w =? v then vm_at a v <| running ::= fun n => n - 1 |> else vm_at a w) by exact (vm_at_put v _ _ w).
    rewrite E. clear E. destruct (Z.eqb_spec w v) as [E|E]; [rewrite E|]; reflexivity. }
  unfold vttbr_of. change (cfg (leave c v i off a)) with (cfg a). rewrite BM, BC. clear BC BM. destruct (Z.eqb_spec d c) as [E|E]; [|reflexivity].
  change (cpu_vm (cpu_at a c <| cpu_vm := CPU_HOST |>)) with CPU_HOST. rewrite Z.eqb_refl, andb_false_r. reflexivity.
Qed.

Lemma wp_assoc : forall S X Y Z (m : M S X) (f : X -> M S Y) (g : Y -> M S Z) Q s, wp (bind (bind m f) g) Q s -> wp (bind m (fun x => bind (f x) g)) Q s.
Proof. intros S X Y Z m f g Q s. unfold wp, bind. destruct (m s) as [[]|]; auto. Qed.

Theorem exit_vcpu_wp : forall c a s v i reason ipa width value, mid c (vttbr_of a) a s -> runs a c v i ->
  wp (exit_vcpu c reason ipa width value) (fun _ s' => exists b, steps c a b /\ cpu_vm (cpu_at b c) = CPU_HOST /\ mid c (vttbr_of b) b s') s.
Proof.
  intros c a s v i reason ipa width value MI RU. pose proof (mi_c _ _ _ _ MI) as C. pose proof RU as (R1 & R2 & R3).
  destruct (who_runs _ _ _ _ (so_wf _ (mi_sound _ _ _ _ MI)) C RU) as [V I ST CP NF [CX1 CX2] [RN1 RN2]].
  pose proof C as C'. unfold NIE_MAX_CPUS in C'. pose proof V as V'. unfold NIE_MAX_VMS in V'. pose proof I as I'. unfold NIE_MAX_VCPUS in I'.
  unfold exit_vcpu.
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ MI); intros ? ? ?; eapply k_load1; [reflexivity|lia]|]. cbn beta. intros t s1 (M1 & T & Q1).
  assert (t = v) as ->. { rewrite (T eq_refl), <- R1. apply (mid_runs _ _ _ _ MI). } clear T.
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ M1); intros ? ? ?; eapply k_load1; [reflexivity|lia]|]. cbn beta. intros t s2 (M2 & T & Q2).
  assert (t = i) as ->. { rewrite (T eq_refl), <- R3. apply (mid_runs _ _ _ _ M1). } clear T.
  set (k := v * NIE_MAX_VCPUS + i). assert (KB : 0 <= k < 512) by (unfold k, NIE_MAX_VCPUS; lia).
  assert (KE : wrap U32 (wrap U32 (v * NIE_MAX_VCPUS) + i) = k) by (unfold k, NIE_MAX_VCPUS in *; rewrite !wrap32; rewrite ?wrap32; lia).
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ M2) with (P := fun r => r = k); intros ? ? ?; apply k_index; [lia|exact KE]|]. cbn beta. intros t s3 (M3 & -> & Q3).
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ M3); intros ? ? ?; eapply k_load1; [reflexivity|lia]|]. cbn beta. intros t s4 (M4 & T & Q4).
  assert (t = run_page (vcpu_at a v i)) as ->. { rewrite (T eq_refl). apply (mid_vcpu _ _ _ _ v i M3 V I). } clear T.
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ M4); intros ? ? ?; apply q_write_common; auto; [eapply in_ram_hw; eauto|eapply run_hosted; eauto]|].
  cbn beta. intros _ s5 (M5 & _ & Q5).
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ M5); intros ? ? ?; eapply k_load1; [reflexivity|lia]|]. cbn beta. intros t s6 (M6 & T & Q6).
  assert (t = run_page (vcpu_at a v i)) as ->. { rewrite (T eq_refl). apply (mid_vcpu _ _ _ _ v i M5 V I). } clear T.
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ M6); intros ? ? ?; apply q_write_exit; auto; [eapply in_ram_hw; eauto|eapply run_hosted; eauto]|].
  cbn beta. intros _ s7 (M7 & _ & Q7).
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ M7); intros ? ? ?; eapply k_load1; [reflexivity|lia]|]. cbn beta. intros t s8 (M8 & T & Q8).
  assert (t = context_page (vcpu_at a v i)) as ->. { rewrite (T eq_refl). apply (mid_vcpu _ _ _ _ v i M7 V I). } clear T.
  apply wp_assoc. apply wp_bind. eapply (saved_wp c (vttbr_of a) a s8 v i); eauto.
  { intros V1 fine FV FP. apply q_save_vcpu; auto; [eapply in_ram_hw; eauto|eapply context_untouched; eauto]. }
  intros w [gl h] M9 Q9. clear M1 M2 M3 M4 M5 M6 M7 Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8. set (a1 := set_saved v i w a) in *.
  assert (RU1 : runs a1 c v i) by exact RU.
  assert (RG : running (vm_at a1 v) = how_many a v is_running) by (apply (v_running _ (wf_v _ (so_wf _ (mi_sound _ _ _ _ MI))) v V)).
  pose proof (how_many_range a v is_running) as HR. pose proof (how_many_some a v i is_running I) as HS.
  unfold is_running at 1 in HS. rewrite ST in HS. specialize (HS eq_refl). unfold NIE_MAX_VCPUS in HR.
  apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta.
  apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite at_put_other by (try reflexivity; discriminate).
  destruct (mid_vm _ _ _ _ v M9 V) as ([_ _ HRU _ _ _] & _). cbn [glob] in HRU. rewrite HRU, RG. rewrite wrap32 by lia.
  apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta. apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta.
  set (off := reason =? NIE_EXIT_CPU_OFF).
  assert (WO : wrap U32 (if off then VCPU_OFF else VCPU_READY) = if off then VCPU_OFF else VCPU_READY) by (destruct off; reflexivity). rewrite WO.
  pose proof (mid_leave c _ a1 gl h v i off M9 RU1) as ML. cbn zeta in ML. fold k in ML. rewrite RG in ML.
  set (b := leave c v i off a1) in *.
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ ML) with (P := any); intros ? ? ?; now apply q_load_host|]. cbn beta. intros _ s10 (M10 & _ & Q10).
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ M10) with (P := any); intros ? ? ?; eapply k_store2; [reflexivity|lia|lia|reflexivity|reflexivity]|].
  cbn beta. intros _ s11 (M11 & _ & Q11).
  apply wp_bind. eapply wp_weaken; [eapply controls_host_wp, M11|]. cbn beta. intros _ s12 (M12 & Q12). apply wp_ret.
  exists b. split; [|split].
  - eapply more_steps; [apply (Saves c a v i i w); exact (conj RU (conj I (or_introl eq_refl)))|]. apply one_step. now apply Leaves.
  - unfold b, leave. rewrite cpu_at_put, Z.eqb_refl. reflexivity.
  - eapply mid_eta; eauto. intro d. unfold b. rewrite leave_vttbr. reflexivity.
Qed.
