(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_DESTROY: the C does what spec/call/vm_destroy.v says, with the other CPUs acting before each of its primitives; it
   has no undefined behaviour, meets every obligation, and every state on the way is safe. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec.call Require vm_destroy.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Records trap_steps vcpu_destroy_preserves vm_destroy_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.state.granule nie.generated.state.checks nie.generated.state.donate nie.generated.state.stage2
  nie.generated.call.vm_destroy.
From nie.spec Require Import Core.
From nie.proof.refine Require Export vm_destroy_clear vcpu_destroy_gives stage2_refines Ends page_remove_checks life_refines.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_vm_destroy := nie.spec.call.vm_destroy.vm_destroy.
Notation spec_vm_destroy_check := nie.spec.call.vm_destroy.vm_destroy_check.

(* The kernel need not compute it. *)
Local Opaque nie.spec.call.vm_destroy.clear_vm.

(* What the call may change beside granules: words of the VM's record, hash and marks. *)
Record only_ended (vm : Z) (gl gl' : globals) : Prop := {
  oe_field : forall g, of_granules g = false -> of_record g = false -> g <> vms_hash -> g <> lasts_vcpu -> field g gl' = field g gl;
  oe_vm : forall g v, of_record g = true -> v <> vm -> at1 g gl' v = at1 g gl v;
  oe_hash : forall i, i / 8 <> vm -> at1 vms_hash gl' i = at1 vms_hash gl i;
  oe_last : forall i, i / 8 <> vm -> at1 lasts_vcpu gl' i = at1 lasts_vcpu gl i;
}.
Lemma oe_refl : forall vm gl, only_ended vm gl gl.
Proof. constructor; auto. Qed.
Lemma oe_cleared : forall vm gl gl1 gl', only_granules gl gl1 -> cleared_to vm gl1 gl' -> only_ended vm gl gl'.
Proof.
  intros vm gl gl1 gl' O [F VM H L]. constructor.
  - intros g N1 N2 N3 N4. rewrite F by auto. now apply O.
  - intros g v R N. rewrite VM by exact R. replace (v =? vm) with false by lia. unfold at1. rewrite O; auto. now destruct g.
  - intros i N. rewrite H. replace ((vm * 8 <=? i) && (i <? vm * 8 + 8)) with false by lia. unfold at1. now rewrite O.
  - intros i N. rewrite L. replace ((vm * 8 <=? i) && (i <? vm * 8 + 8)) with false by lia. unfold at1. now rewrite O.
Qed.

(* An index that no VM has is in no object of the core. *)
Lemma globals_beside : forall a q gl, globals_hold (give NIE_MAX_VMS q a) gl <-> globals_hold (set_own q Host a) gl.
Proof.
  intros a q gl. set (b := give NIE_MAX_VMS q a). set (c := set_own q Host a).
  assert (E : forall v, 0 <= v < NIE_MAX_VMS -> vm_at b v = vm_at c v).
  { intros v V. unfold b, give. rewrite add_granules_vm. now replace (v =? NIE_MAX_VMS) with false by lia. }
  split; intros []; constructor; auto; intros v V; try (rewrite <- E by exact V; auto); try (rewrite E by exact V; auto).
Qed.

Lemma kept_gone : forall a vm o, gone a vm o (spec_clear vm (set_own (root (vm_at a vm)) o a)).
Proof. intros a vm o. apply cleared_gone; auto. intro p. apply own_set. Qed.
Lemma given_gone : forall a vm, gone a vm Host (spec_clear vm (nie.spec.Actions.give_back vm (root (vm_at a vm)) a)).
Proof.
  intros a vm. apply cleared_gone; auto.
  - intro p. exact (own_set (root (vm_at a vm)) Host a p).
  - intros v N. unfold nie.spec.Actions.give_back. rewrite add_granules_vm. now replace (v =? vm) with false by lia.
Qed.

Section Apply.
Variables (a : state) (h : Machine.hw) (gl : globals) (m : Z -> Z) (vm : Z).
Hypothesis W : wf a.
Hypothesis O : onto a.
Hypothesis CNT : counted a.
Hypothesis G : globals_hold a gl.
Hypothesis X : world h (Aset a) (Aset a) m (now m) h.
Hypothesis TH : tables_hold a m.
Hypothesis RAM : ram h = ram_of a.
Hypothesis ENG : engine h = engine_of a.
Hypothesis REGS : registers_hold a h.
Hypothesis V : 0 <= vm < NIE_MAX_VMS.
Hypothesis FREE : vm_state (vm_at a vm) <> NIE_VM_FREE.
Hypothesis ONE : granules (vm_at a vm) = 1.
Notation q := (root (vm_at a vm)).
(* The VM has gone, its root is not yet the host's: a page of a VM that cannot be. *)
Notation nobody := (Data NIE_MAX_VMS 0).
Variables (b c : state).
Hypothesis b_gone : gone a vm nobody b.
Hypothesis c_gone : gone a vm Host c.
Let b' := give NIE_MAX_VMS q b.

Lemma b'_gone : gone a vm Host b'.
Proof.
  pose proof b_gone as []. constructor; auto.
  - intro p. unfold b'. rewrite give_own. rewrite e_own. now destruct (p =? q).
  - intros v I. unfold b', give. rewrite add_granules_vm. replace (v =? NIE_MAX_VMS) with false by lia. now apply e_vm.
  - intros v N. destruct (add_granules_root (set_own q Host b) NIE_MAX_VMS (-1) v) as [E _]. unfold b', give. rewrite E. now apply e_root.
Qed.
Lemma b_wf : wf b.
Proof. now apply (gone_wf a vm W CNT V FREE ONE nobody b b_gone). Qed.
Lemma b'_wf : wf b'.
Proof. now apply (gone_wf a vm W CNT V FREE ONE Host b' b'_gone). Qed.
Lemma b_root : in_ram b q = true /\ own b q = nobody /\ State.host_may_access b q = false.
Proof.
  destruct (root_here a vm W V FREE) as [R _]. assert (RB : in_ram b q = true) by (rewrite (e_ram _ _ _ _ b_gone); exact R).
  assert (OB : own b q = nobody) by (rewrite (e_own _ _ _ _ b_gone), Z.eqb_refl; reflexivity).
  repeat split; auto. unfold State.host_may_access. now rewrite RB, OB.
Qed.
Lemma b_untouched : ~ touch (Aset b) q.
Proof.
  destruct b_root as (R & OB & _). apply (data_untouched b b_wf q NIE_MAX_VMS 0 R OB); intros p E.
  - destruct (wf_slot _ b_wf NIE_MAX_VMS 3 0) as (I & _); [congruence|lia].
  - destruct (wf_slot _ b_wf NIE_MAX_VMS 2 (0 / 512)) as (I & _); [congruence|lia].
Qed.

(* No CPU walks the VM's tables. *)
Lemma roots_stay : forall d, Aset b (root_vmid h d) 0 0 (root_desc h d).
Proof.
  intro d. apply (gone_entry a vm W V FREE nobody b _ _ _ _ b_gone eq_refl). split; [apply (w_root _ _ _ _ _ _ X)|].
  unfold root_vmid. rewrite (r_vttbr _ _ REGS). unfold vttbr_of. pose proof (c_ram _ (wf_c _ W)) as CR.
  pose proof (c_engine _ (wf_c _ W)). pose proof (c_tables _ (wf_c _ W)). pose proof (gibs_small _ W). pose proof (c_dev _ (wf_c _ W)). unfold level3_first in *.
  destruct ((0 <=? d) && (d <? NIE_MAX_CPUS) && negb (cpu_vm (cpu_at a d) =? CPU_HOST)) eqn:E; [|lia].
  destruct (runs_elsewhere a vm W CNT V FREE ONE d) as (I & N & F); [lia|lia|].
  destruct (wf_root _ W _ I F) as [R _]. apply (ram_small _ W) in R. lia.
Qed.

(* Only words of pages that the engine keeps matter, and the flush leaves those; so does what happens to the root. *)
Lemma b_tables : forall m', (forall p i, is_word i = true -> ~ touch (Aset a) p -> p <> q -> m' (p * 512 + i) = m (p * 512 + i)) -> tables_hold b m'.
Proof.
  intros m' E. apply (tables_mem b b_wf m); [now apply (kept_tables_gone a vm W CNT V FREE ONE b m b_gone)|].
  intros p i R K I. rewrite (e_ram _ _ _ _ b_gone) in R. rewrite (e_own _ _ _ _ b_gone) in K. destruct (Z.eqb_spec p q) as [->|N]; [destruct K|].
  apply E; auto. now apply (kept_untouched _ W).
Qed.

Lemma apply_wp : forall h1 (rest : M (mach globals Machine.hw) (Z * Z * Z)) (Q : Z * Z * Z -> mach globals Machine.hw -> Prop), world h (Aset a) (Aset a) m (now m) h1 ->
  (forall gl' m' h', globals_hold (nie.spec.Actions.give_back vm q a) gl' -> only_granules gl gl' -> world h (Aset c) (Aset c) m' (now m') h' ->
     tables_hold c m' -> wp rest Q (Mach gl' h')) ->
  wp (s2_flush vm ;;; give_back vm q ;;; rest) Q (Mach gl h1).
Proof.
  intros h1 rest Q X1 H. destruct b_root as (RB & OB & AB). pose proof (e_cfg _ _ _ _ b_gone) as CB.
  assert (RAM' : ram h = ram_of b) by (unfold ram_of; now rewrite CB).
  assert (ENG' : engine h = engine_of b) by (unfold engine_of; now rewrite CB).
  destruct (root_here a vm W V FREE) as [RQ OQ].
  assert (TQ : tables_hold b m) by (apply b_tables; auto).
  w_bind. eapply (s2_flush_wp h (Aset b) (Aset a)); [exact V|exact X1| | |exact roots_stay|now apply (Aset_closed _ b_wf)| |].
  { intros v l k d E. now apply (gone_entry a vm W V FREE nobody b v l k d b_gone eq_refl). }
  { intros v l k d N E. now apply (gone_entry a vm W V FREE nobody b v l k d b_gone eq_refl). }
  { intros y p _ K. exfalso. destruct (Aset_keeps a W _ _ _ K) as (i & Ei & _ & R & O' & _). replace i with vm in O' by lia.
    assert (E : p = q) by (apply (last_page a vm W CNT V FREE ONE); [exact R|rewrite O'; cbn; apply Z.eqb_refl]). rewrite E, OQ in O'. discriminate O'. }
  intros m2 h2 E2 X2. cbn beta. w_bind. unfold give_back.
  w_bind. eapply (wp_zero h b RAM'); [exact X2|exact RB|exact b_untouched|]. intros m3 h3 E3 X3 S3. cbn beta.
  w_bind. eapply (wp_clean h b RAM') with (q := q); [exact X3|exact RB|exact b_untouched|exact S3|]. intros h4 X4 S4. cbn beta.
  w_bind. eapply release_wp with (a := a); [apply W|exact G|exact RQ|exact V|]. intros gl1 G1 O1. cbn beta. fold (give vm q a) in G1.
  w_bind. eapply (host_show_apart b (give vm q a) NIE_MAX_VMS q b_wf b'_wf (eq_sym CB) RB h RAM' ENG'); [|exact X4| |exact AB|rewrite OB; discriminate|exact S4|].
  { apply globals_beside. destruct G1. constructor; auto. intros p P. destruct (g_own p P) as [E Z0]. split; [|exact Z0].
    cbn zeta in *. rewrite own_set. change (own (give vm q a) p) with (own (set_own q Host a) p) in E. rewrite own_set in E.
    change (own (give vm q a) p) with (own (set_own q Host a) p). rewrite own_set. now destruct (p =? q). }
  { apply b_tables. intros p i I N NQ. rewrite E3. assert (I' := I). unfold is_word in I'.
    replace ((q * 512 <=? p * 512 + i) && (p * 512 + i <? q * 512 + 512)) with false by lia. now apply E2. }
  intros m5 h5 X5 T5. cbn beta. go. eapply H; [exact G1|exact O1| |].
  - eapply world_same; [|exact X5]. intros v l k d. exact (two_entries a vm Host c b' c_gone b'_gone v l k d).
  - exact (two_tables a vm Host b' c b'_gone c_gone _ T5).
Qed.

Lemma c_registers : registers_hold c h.
Proof.
  destruct (e_cpus _ _ _ _ c_gone) as (E1 & E2 & E3). destruct REGS. constructor; rewrite ?E2, ?E3; auto.
  intro d. rewrite r_vttbr. unfold vttbr_of, cpu_at. rewrite E1, (e_cfg _ _ _ _ c_gone).
  destruct ((0 <=? d) && (d <? NIE_MAX_CPUS) && negb (cpu_vm (Map.get (cpus a) d) =? CPU_HOST)) eqn:E; auto.
  destruct (runs_elsewhere a vm W CNT V FREE ONE d) as (I & N & F); [lia|unfold cpu_at; lia|]. unfold cpu_at in N.
  now rewrite (e_root _ _ _ _ c_gone) by exact N.
Qed.

Lemma c_related : forall gl' m' h', globals_hold c gl' -> world h (Aset c) (Aset c) m' (now m') h' -> tables_hold c m' -> R c (Mach gl' h').
Proof.
  intros gl' m' h' G' X' T'. pose proof (e_cfg _ _ _ _ c_gone) as CC. apply R_ends with (h0 := h) (m := m'); auto.
  - exact (gone_wf a vm W CNT V FREE ONE Host c c_gone).
  - exact (gone_onto a vm W O CNT V FREE ONE Host c c_gone eq_refl).
  - exact (gone_counted a vm W CNT V FREE ONE Host c c_gone eq_refl).
  - unfold ram_of. now rewrite CC.
  - unfold engine_of. now rewrite CC.
  - exact c_registers.
Qed.
End Apply.

Lemma refused : forall a vm st, spec_vm_destroy_check a vm = st -> st =? NIE_OK = false -> spec_vm_destroy vm a = ((st, 0, 0), a).
Proof. intros a vm st E N. unfold nie.spec.call.vm_destroy.vm_destroy. cbv zeta. rewrite E, N. reflexivity. Qed.
Lemma accepted : forall a vm, spec_vm_destroy_check a vm = NIE_OK -> spec_vm_destroy vm a =
  ((NIE_OK, root (vm_at a vm) * 4096, 0), spec_clear vm (nie.spec.Actions.give_back vm (root (vm_at a vm)) a)).
Proof. intros a vm E. unfold nie.spec.call.vm_destroy.vm_destroy. cbv zeta. rewrite E. reflexivity. Qed.

Lemma ended_globals : forall a vm gl gl', 0 <= vm < NIE_MAX_VMS -> granules (vm_at a vm) = 1 -> running (vm_at a vm) = 0 -> created (vm_at a vm) = 0 ->
  globals_hold (nie.spec.Actions.give_back vm (root (vm_at a vm)) a) gl -> cleared_to vm gl gl' ->
  globals_hold (spec_clear vm (nie.spec.Actions.give_back vm (root (vm_at a vm)) a)) gl'.
Proof.
  intros a vm gl gl' V E4 E3 CR G C. set (a1 := nie.spec.Actions.give_back vm (root (vm_at a vm)) a) in *.
  assert (E : vm_at a1 vm = vm_at a vm <| granules ::= fun g => (g + -1) mod 2 ^ 64 |>).
  { unfold a1, nie.spec.Actions.give_back. now rewrite add_granules_vm, Z.eqb_refl. }
  apply cleared_globals with gl; auto; rewrite E.
  - cbn. rewrite E4. reflexivity.
  - exact E3.
  - exact CR.
Qed.

Lemma check_loads : forall a gl h vm (rest : M (mach globals Machine.hw) (Z * Z * Z)) (Q : Z * Z * Z -> mach globals Machine.hw -> Prop), globals_hold a gl -> 0 <= vm < 2 ^ 64 ->
  (forall st, spec_vm_destroy_check a vm = st -> st =? NIE_OK = false -> Q (st, 0, 0) (Mach gl h)) ->
  (spec_vm_destroy_check a vm = NIE_OK -> 0 <= vm < NIE_MAX_VMS -> vm_state (vm_at a vm) = NIE_VM_STOPPED -> running (vm_at a vm) = 0 -> granules (vm_at a vm) = 1 ->
     wp rest Q (Mach gl h)) ->
  wp (status <- check_vm vm NIE_VM_STOPPED NIE_VM_STOPPED ;;
      if negb (status =? NIE_OK) then ret (status, 0, 0) else
      t1 <- load vms_running [vm] ;; if negb (t1 =? 0) then ret (NIE_E_BUSY, 0, 0) else
      t2 <- load vms_granules [vm] ;; if negb (t2 =? 1) then ret (NIE_E_NOT_EMPTY, 0, 0) else rest) Q (Mach gl h).
Proof.
  intros a gl h vm rest Q G HV NO YES. unfold nie.spec.call.vm_destroy.vm_destroy_check in NO, YES.
  w_bind. w_known check_vm_run; [exact G|lia|].
  destruct (vm_exists vm) eqn:E1; [|change (NIE_E_VM =? NIE_OK) with false; cbn [negb]; go; now apply NO].
  destruct (vm_is a vm NIE_VM_STOPPED NIE_VM_STOPPED) eqn:E2; [|change (NIE_E_VM_STATE =? NIE_OK) with false; cbn [negb]; go; now apply NO].
  change (NIE_OK =? NIE_OK) with true. cbn [negb].
  unfold vm_exists in E1. assert (V : 0 <= vm < NIE_MAX_VMS) by lia. assert (V64 : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V; lia).
  destruct (g_vm _ _ G vm V) as (_ & _ & _ & _ & SG). pose proof (h_running _ _ _ (g_vms _ _ G vm V)) as SU.
  w_bind. eapply wp_load1; [reflexivity|exact V64|]. cbn beta. rewrite SU.
  destruct (Z.eqb_spec (running (vm_at a vm)) 0) as [E3|E3]; cbn [negb]; [|go; now apply NO].
  w_bind. eapply wp_load1; [reflexivity|exact V64|]. cbn beta. rewrite SG.
  destruct (Z.eqb_spec (granules (vm_at a vm)) 1) as [E4|E4]; cbn [negb]; [|go; now apply NO].
  apply YES; auto. unfold vm_is in E2. lia.
Qed.

Theorem vm_destroy_refines : forall a s vm, R a s -> 0 <= vm < 2 ^ 64 ->
  wp (call_vm_destroy vm) (fun r s' => r = fst (spec_vm_destroy vm a) /\ R (snd (spec_vm_destroy vm a)) s' /\
    only_ended vm (glob s) (glob s') /\ frame_of (hw s) (hw s')) s.
Proof.
  intros a [gl h] vm HR HV. pose proof HR as [W O G (m & X & T) RAM ENG REGS CNT]. cbn [glob hw] in *.
  unfold call_vm_destroy. apply (check_loads a gl h vm _ _ G HV).
  { intros st E N. rewrite (refused a vm st E N). cbn [fst snd glob hw]. split; [reflexivity|split; [exact HR|split; [apply oe_refl|now constructor]]]. }
  intros OK V ST E3 E4. rewrite (accepted a vm OK). cbn [fst snd].
  assert (FREE : vm_state (vm_at a vm) <> NIE_VM_FREE) by (rewrite ST; discriminate).
  assert (V64 : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V; lia).
  destruct (g_vm _ _ G vm V) as (_ & SR & _).
  w_bind. eapply wp_load1; [reflexivity|exact V64|]. cbn beta. rewrite SR.
  destruct (root_here a vm W V FREE) as [RQ _]. apply (ram_small _ W) in RQ.
  rewrite wrap32 by lia.
  apply (apply_wp a h gl m vm W CNT G X T RAM ENG REGS V FREE E4 _ _ (kept_gone a vm _) (given_gone a vm)); [exact X|]. intros gl1 m1 h1 G1 O1 X1 T1. w_bind.
  apply clear_wp; [exact V64|]. intros gl2 C2. cbn beta. w_bind. w_known address_of_run; [lia|]. w_ret.
  assert (CR : created (vm_at a vm) = 0) by (rewrite (v_created _ (wf_v _ W) vm V); exact (none_many a vm W CNT V FREE E4 is_created eq_refl)).
  split; [reflexivity|]. split; [|split; [exact (oe_cleared vm gl gl1 gl2 O1 C2)|exact (w_frame _ _ _ _ _ _ X1)]].
  apply (c_related a h vm W O CNT RAM ENG REGS V FREE E4 _ (given_gone a vm) gl2 m1 h1); [|exact X1|exact T1].
  exact (ended_globals a vm gl1 gl2 V E4 E3 CR G1 C2).
Qed.
