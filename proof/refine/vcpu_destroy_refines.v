(* SPDX-License-Identifier: Apache-2.0 *)
(* VCPU_DESTROY: the C does what spec/call/vcpu_destroy.v says, with the other CPUs acting before each of its
   primitives; it has no undefined behaviour, meets every obligation, and every state on the way is safe. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Actions.
From nie.spec.call Require vcpu_destroy.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Records trap_steps vcpu_destroy_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.state.granule nie.generated.state.checks nie.generated.state.donate nie.generated.call.vcpu_destroy.
From nie.spec Require Import Core.
From nie.proof.refine Require Export vcpu_destroy_gives Ends page_remove_checks life_refines.
Import RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_vcpu_destroy := nie.spec.call.vcpu_destroy.vcpu_destroy.
Notation spec_vcpu_destroy_check := nie.spec.call.vcpu_destroy.vcpu_destroy_check.

(* What the call may change beside granules: the vCPU's record, and how many there are. *)
Record only_destroyed (vm u : Z) (gl gl' : globals) : Prop := {
  od_field : forall g, of_granules g = false -> of_vcpu g = false -> g <> vms_created -> field g gl' = field g gl;
  od_vcpu : forall g j, of_vcpu g = true -> j <> vm * NIE_MAX_VCPUS + u -> at1 g gl' j = at1 g gl j;
  od_created : forall v, v <> vm -> at1 vms_created gl' v = at1 vms_created gl v;
}.
Lemma od_refl : forall vm u gl, only_destroyed vm u gl gl.
Proof. constructor; auto. Qed.

Definition stored (vm u n : Z) (gl : globals) : globals :=
  let k := vm * NIE_MAX_VCPUS + u in
  put1 vms_created vm n (put1 vcpus_state k VCPU_NONE (put1 vcpus_syndrome k 0 (put1 vcpus_pending k PENDING_NONE (put1 vcpus_cpu k 0
    (put1 vcpus_run k 0 (put1 vcpus_context k 0 gl)))))).
(* The state afterwards, of one in which the pages have gone back. *)
Definition cleared (vm u : Z) (a : state) : state :=
  set_vm vm (vm_at a vm <| created ::= fun n => n - 1 |>) (set_saved vm u (Map.const 0) (set_vcpu vm u no_vcpu a)).

Lemma stored_field : forall vm u n gl g, of_vcpu g = false -> g <> vms_created -> field g (stored vm u n gl) = field g gl.
Proof. intros vm u n gl g F N. unfold stored, put1. rewrite !field_set_other; auto; intros ->; discriminate. Qed.
Lemma stored_other : forall vm u n gl g j, of_vcpu g = true -> j <> vm * NIE_MAX_VCPUS + u -> at1 g (stored vm u n gl) j = at1 g gl j.
Proof.
  intros vm u n gl g j F N. unfold stored. rewrite !at_put by reflexivity.
  destruct (Z.eqb_spec j (vm * NIE_MAX_VCPUS + u)); [contradiction|]. now destruct g.
Qed.
Lemma stored_created : forall vm u n gl v, at1 vms_created (stored vm u n gl) v = if v =? vm then n else at1 vms_created gl v.
Proof. intros vm u n gl v. unfold stored. rewrite !at_put by reflexivity. reflexivity. Qed.
Lemma stored_vcpu : forall vm u n gl, vcpu_holds (stored vm u n gl) (vm * NIE_MAX_VCPUS + u) no_vcpu.
Proof. intros vm u n gl. unfold stored. constructor; rewrite !at_put by reflexivity; cbn; now rewrite Z.eqb_refl. Qed.

Lemma stored_globals : forall a gl vm u, globals_hold a gl -> 0 <= vm < NIE_MAX_VMS -> 0 <= u < NIE_MAX_VCPUS ->
  globals_hold (cleared vm u a) (stored vm u (created (vm_at a vm) - 1) gl).
Proof.
  intros a gl vm u G V U. set (gl' := stored vm u (created (vm_at a vm) - 1) gl).
  assert (F : forall g i, of_vcpu g = false -> g <> vms_created -> at1 g gl' i = at1 g gl i).
  { intros g i O N. unfold at1, gl'. now rewrite stored_field. }
  assert (VM : forall v, vm_at (cleared vm u a) v = if v =? vm then vm_at a vm <| created ::= fun n => n - 1 |> else vm_at a v).
  { intro v. exact (Map.get_set _ (vms a) vm _ v). }
  constructor; [rewrite F by (reflexivity || discriminate); apply G ..| | | | | |].
  - intros p P. cbn zeta. rewrite !F by (reflexivity || discriminate). exact (g_own _ _ G p P).
  - intros v W. rewrite VM, !F by (reflexivity || discriminate). pose proof (g_vm _ _ G v W) as E. destruct (Z.eqb_spec v vm) as [->|]; auto.
  - intros v W. rewrite VM. pose proof (g_vms _ _ G v W) as [].
    assert (HH : sha256_refines.hash_of gl' v = sha256_refines.hash_of gl v).
    { unfold sha256_refines.hash_of, sha256_refines.hash_word. rewrite !F by (reflexivity || discriminate). reflexivity. }
    destruct (Z.eqb_spec v vm) as [->|N]; constructor; rewrite ?HH, ?(F vms_cntvoff), ?(F vms_vcpus), ?(F vms_running), ?(F vms_hashed) by (reflexivity || discriminate); auto.
    + unfold gl'. rewrite stored_created, Z.eqb_refl. reflexivity.
    + unfold gl'. rewrite stored_created. now destruct (Z.eqb_spec v vm).
  - intros v i W I. change (vcpu_at (cleared vm u a) v i) with (vcpu_at (set_vcpu vm u no_vcpu a) v i). rewrite vcpu_at_put by auto.
    destruct ((v =? vm) && (i =? u))%bool eqn:E.
    + assert (v = vm /\ i = u) as [-> ->] by lia. apply stored_vcpu.
    + assert (N : v * NIE_MAX_VCPUS + i <> vm * NIE_MAX_VCPUS + u) by (unfold NIE_MAX_VCPUS in *; lia).
      pose proof (g_vcpus _ _ G v i W I) as []. constructor; unfold gl'; rewrite stored_other by auto; auto.
  - intros c C. eapply cpu_same; [|exact (g_cpus _ _ G c C)]. intros g E. apply stored_field; [now destruct g|intros ->; discriminate].
  - intros v c W C. rewrite F by (reflexivity || discriminate). exact (g_lasts _ _ G v c W C).
Qed.

Lemma vcpu_destroy_check_run : forall a gl (h : Machine.hw) vm u, wf a -> globals_hold a gl -> 0 <= vm < 2 ^ 64 -> 0 <= u < 2 ^ 64 ->
  vcpu_destroy_check vm u (Mach gl h) = Some (spec_vcpu_destroy_check a vm u, Mach gl h).
Proof.
  intros a gl h vm u W G HV HU. apply known_of_wp. unfold vcpu_destroy_check, nie.spec.call.vcpu_destroy.vcpu_destroy_check.
  skip. w_known check_vm_run; [eauto|lia|].
  destruct (vm_exists vm) eqn:E1; [|cbn; go; auto].
  destruct (vm_is a vm NIE_VM_STOPPED NIE_VM_STOPPED) eqn:E2; [|cbn; go; auto].
  change (NIE_OK =? NIE_OK) with true. cbn [negb].
  unfold vm_exists in E1. assert (V : 0 <= vm < NIE_MAX_VMS) by lia.
  assert (S : vm_state (vm_at a vm) = NIE_VM_STOPPED) by (unfold vm_is in E2; lia).
  destruct (v_used _ (wf_v _ W) vm V) as (_ & C & _); [rewrite S; discriminate|].
  skip. w_load. rewrite (h_vcpus _ _ _ (g_vms _ _ G vm V)).
  destruct (Z.leb_spec (vcpu_count (vm_at a vm)) u) as [L|L]; [replace (u <? vcpu_count (vm_at a vm)) with false by lia; go; auto|].
  replace (u <? vcpu_count (vm_at a vm)) with true by lia. assert (U : 0 <= u < NIE_MAX_VCPUS) by lia.
  pose proof (h_vcpu_state _ _ _ (g_vcpus _ _ G vm u V U)) as HS.
  assert (I : wrap U64 (wrap U64 (vm * NIE_MAX_VCPUS) + u) = vm * NIE_MAX_VCPUS + u) by (unfold NIE_MAX_VCPUS, NIE_MAX_VMS in *; rewrite (wrap64 (vm * 8)), wrap64 by lia; reflexivity).
  assert (B : 0 <= vm * NIE_MAX_VCPUS + u < 512) by (unfold NIE_MAX_VCPUS, NIE_MAX_VMS in *; lia).
  rewrite I. skip. eapply wp_load1; [reflexivity|exact B|]. cbn beta. rewrite HS.
  destruct (vcpu_state (vcpu_at a vm u) =? VCPU_NONE); cbn [negb]; [go; auto|].
  skip. eapply wp_load1; [reflexivity|exact B|]. cbn beta. rewrite HS.
  destruct (vcpu_state (vcpu_at a vm u) =? VCPU_RUNNING); cbn [negb]; go; auto.
Qed.

(** The state at the end is the one of the proof, field for field. *)

Section End_.
Variables (a : state) (vm u : Z).
Hypothesis W : wf a.
Hypothesis O : onto a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS.
Hypothesis U : 0 <= u < NIE_MAX_VCPUS.
Hypothesis FREE : vm_state (vm_at a vm) <> NIE_VM_FREE.
Hypothesis SOME : vcpu_state (vcpu_at a vm u) <> VCPU_NONE.
Hypothesis REST : vcpu_state (vcpu_at a vm u) <> VCPU_RUNNING.
Let ctx := context_page (vcpu_at a vm u).
Let run := run_page (vcpu_at a vm u).
Let b := without_both a vm u.
Let c := cleared vm u (gives vm run (gives vm ctx a)).

Lemma end_vm : forall v, vm_at c v = vm_at b v.
Proof.
  intro v. transitivity (if v =? vm then vm_at (gives vm run (gives vm ctx a)) vm <| created ::= fun n => n - 1 |> else vm_at (gives vm run (gives vm ctx a)) v);
    [exact (Map.get_set _ (vms (gives vm run (gives vm ctx a))) vm _ v)|].
  unfold b, without_both, without_context. rewrite !gives_vm, !forgotten_vm, !Z.eqb_refl. fold ctx run.
  destruct (Z.eqb_spec v vm) as [->|]; rewrite ?Z.eqb_refl; auto.
Qed.

Lemma end_map : same_map b c.
Proof. constructor; auto. intro v. rewrite end_vm. split; tauto. Qed.

Lemma end_wf : wf c.
Proof.
  assert (Wb : wf b) by now apply without_both_wf. apply wf_parts with b; auto using end_map.
  - pose proof (wf_v _ Wb) as WV. constructor; intros v; rewrite ?end_vm.
    + exact (v_free _ WV v).
    + exact (v_used _ WV v).
    + exact (v_sealed _ WV v).
    + exact (v_running _ WV v).
    + exact (v_created _ WV v).
    + exact (v_last _ WV v).
  - pose proof (wf_u _ Wb) as WU. constructor; [exact (u_none _ WU)| |exact (u_running _ WU)|exact (u_runs _ WU)].
    intros v i. rewrite end_vm. exact (u_some _ WU v i).
Qed.
Lemma end_onto : onto c.
Proof. apply onto_parts with b; auto using end_map. now apply without_both_onto. Qed.

Lemma end_counted : counted a -> counted c.
Proof.
  intro N. destruct (u_some _ (wf_u _ W) vm u V U SOME) as (_ & _ & _ & R1 & O1 & R2 & O2). fold ctx in R1, O1. fold run in R2, O2.
  apply counted_same with (gives vm run (gives vm ctx a)); auto.
  - apply counted_gives; auto; [destruct (wf_c _ W); now constructor| |].
    + apply counted_gives; auto; [apply W|]. intro w. now rewrite O1.
    + intro w. rewrite gives_own. destruct (Z.eqb_spec run ctx) as [E|]; [congruence|]. now rewrite O2.
  - intro v. transitivity (granules (if v =? vm then vm_at (gives vm run (gives vm ctx a)) vm <| created ::= fun n => n - 1 |> else vm_at (gives vm run (gives vm ctx a)) v));
      [f_equal; exact (Map.get_set _ (vms (gives vm run (gives vm ctx a))) vm _ v)|]. now destruct (Z.eqb_spec v vm) as [->|].
Qed.

Lemma end_tables : forall m, tables_hold b m -> tables_hold c m.
Proof.
  intros m T. constructor; [exact (t_vm _ _ T)|exact (t_1 _ _ T)|exact (t_2 _ _ T)|exact (t_3 _ _ T)|exact (t_saved _ _ T)].
Qed.
End End_.

Lemma created_some : forall a vm u, wf a -> 0 <= vm < NIE_MAX_VMS -> 0 <= u < NIE_MAX_VCPUS -> vcpu_state (vcpu_at a vm u) <> VCPU_NONE ->
  1 <= created (vm_at a vm) <= NIE_MAX_VCPUS.
Proof.
  intros a vm u W V U N. rewrite (v_created _ (wf_v _ W) vm V).
  assert (P : 0 <= how_many (set_vcpu vm u no_vcpu a) vm is_created) by (unfold how_many; lia).
  rewrite many_put, Z.eqb_refl in P by exact U. change (is_created no_vcpu) with false in P. unfold is_created at 2 in P.
  replace (vcpu_state (vcpu_at a vm u) =? VCPU_NONE) with false in P by lia. cbn in P. split; [lia|]. unfold how_many.
  assert (L : forall f l, (length (filter f l) <= @length nat l)%nat).
  { intros f l. induction l as [|x l IH]; cbn [filter length]; auto. destruct (f x); cbn [length]; lia. }
  specialize (L (fun i => is_created (vcpu_at a vm (Z.of_nat i))) (seq 0 (Z.to_nat NIE_MAX_VCPUS))). rewrite seq_length in L.
  unfold NIE_MAX_VCPUS in *. lia.
Qed.

Theorem vcpu_destroy_refines : forall a s vm u, R a s -> 0 <= vm < 2 ^ 64 -> 0 <= u < 2 ^ 64 ->
  wp (call_vcpu_destroy vm u) (fun r s' => r = fst (spec_vcpu_destroy vm u a) /\ R (snd (spec_vcpu_destroy vm u a)) s' /\
    only_destroyed vm u (glob s) (glob s') /\ frame_of (hw s) (hw s')) s.
Proof.
  intros a [gl h] vm u HR HV HU. pose proof HR as [W O G (m & X & T) RAM ENG REGS CNT]. cbn [glob hw] in *.
  unfold call_vcpu_destroy. w_bind. w_known vcpu_destroy_check_run; eauto. unfold nie.spec.call.vcpu_destroy.vcpu_destroy.
  destruct (spec_vcpu_destroy_check a vm u =? NIE_OK) eqn:E; cbn [negb]; [|go; cbn [fst snd glob hw]; split; [auto|split; [exact HR|split; [apply od_refl|now constructor]]]].
  apply Z.eqb_eq in E. unfold nie.spec.call.vcpu_destroy.vcpu_destroy_check in E.
  destruct (vm_exists vm) eqn:E1; [|discriminate].
  destruct (vm_is a vm NIE_VM_STOPPED NIE_VM_STOPPED) eqn:E2; [|discriminate].
  destruct (Z.ltb_spec u (vcpu_count (vm_at a vm))) as [LT|]; [|discriminate].
  destruct (Z.eqb_spec (vcpu_state (vcpu_at a vm u)) VCPU_NONE) as [|SOME]; [discriminate|].
  destruct (Z.eqb_spec (vcpu_state (vcpu_at a vm u)) VCPU_RUNNING) as [|REST]; [discriminate|]. clear E.
  unfold vm_exists in E1. assert (V : 0 <= vm < NIE_MAX_VMS) by lia. assert (V64 : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V; lia).
  assert (FREE : vm_state (vm_at a vm) <> NIE_VM_FREE) by (unfold vm_is in E2; unfold NIE_VM_FREE, NIE_VM_STOPPED in *; lia).
  destruct (v_used _ (wf_v _ W) vm V FREE) as (_ & CN & _). assert (U : 0 <= u < NIE_MAX_VCPUS) by lia.
  pose proof (g_vcpus _ _ G vm u V U) as HC. set (k := vm * NIE_MAX_VCPUS + u) in *.
  assert (K : 0 <= k < 512) by (unfold k, NIE_MAX_VCPUS in *; lia).
  destruct (u_some _ (wf_u _ W) vm u V U SOME) as (_ & _ & _ & R1 & O1 & R2 & O2).
  set (r := vcpu_at a vm u) in *. set (ctx := context_page r) in *. set (run := run_page r) in *.
  pose proof (ram_small _ W _ R1) as B1. pose proof (ram_small _ W _ R2) as B2.
  unfold index. replace (wrap U64 (wrap U64 (vm * NIE_MAX_VCPUS) + u)) with k by (unfold k, NIE_MAX_VCPUS in *; rewrite (wrap64 (vm * 8)), wrap64 by lia; reflexivity).
  replace ((0 <=? k) && (k <? 512))%bool with true by lia. skip.
  eapply wp_load1; [reflexivity|exact K|]. cbn beta. rewrite (h_context _ _ _ HC). fold ctx.
  w_bind. w_known address_of_run; [lia|].
  skip. eapply wp_load1; [reflexivity|exact K|]. cbn beta. rewrite (h_run _ _ _ HC). fold run.
  w_bind. w_known address_of_run; [lia|].
  skip. eapply wp_load1; [reflexivity|exact K|]. cbn beta. rewrite (h_context _ _ _ HC). fold ctx.
  rewrite wrap32 by lia.
  assert (W0 : wf (forgotten a vm u)) by now apply forgotten_wf.
  assert (W1 : wf (give vm ctx (forgotten a vm u))) by now apply without_context_wf.
  assert (W2 : wf (without_both a vm u)) by now apply without_both_wf.
  assert (EQ : forall v l k0 d, Aset (forgotten a vm u) v l k0 d <-> Aset a v l k0 d) by (intros; apply same_map_Aset; eapply forgotten_map; eauto).
  assert (X0 : world h (Aset (forgotten a vm u)) (Aset (forgotten a vm u)) m (now m) h) by (eapply world_same; eauto).
  assert (TC : ~ touch (Aset (forgotten a vm u)) ctx) by (apply (kept_untouched _ W0); [exact R1|change (own (forgotten a vm u) ctx) with (own a ctx); now rewrite O1]).
  w_bind. eapply (give_back_apart (forgotten a vm u) a vm ctx W0 W1 eq_refl R1 h RAM ENG); eauto.
  { unfold State.host_may_access. change (in_ram (forgotten a vm u) ctx) with (in_ram a ctx). change (own (forgotten a vm u) ctx) with (own a ctx). now rewrite R1, O1. }
  { change (own (forgotten a vm u) ctx) with (own a ctx). now rewrite O1. }
  { intros m' E'.
    assert (S : forall p j, own a p <> Vcpu vm u -> is_word j = true -> m' (p * 512 + j) = m (p * 512 + j)).
    { intros p j N J. rewrite E'. destruct (Z.leb_spec (ctx * 512) (p * 512 + j)), (Z.ltb_spec (p * 512 + j) (ctx * 512 + 512)); cbn; auto.
      exfalso. apply N. unfold is_word in J. replace p with ctx by lia. exact O1. }
    assert (EN : forall p j, own a p = Engine -> is_word j = true -> m' (p * 512 + j) = m (p * 512 + j)) by (intros p j E J; apply S; auto; congruence).
    constructor.
    - intros p v l k0 i R E J. change (own a p = Table v l k0) in E. rewrite S by (auto; congruence). exact (t_vm _ _ T p v l k0 i R E J).
    - intros i J. pose proof (gibs_small _ W). destruct (low_table_page _ W 0) as [R E]; [lia|]. rewrite Z.add_0_r in E.
      transitivity (m (host_tables (cfg a) * 512 + i)); [now apply EN|now apply (t_1 _ _ T)].
    - intros n i N J. destruct (low_table_page _ W (1 + n)) as [R E]; [change (0 <= n < gib_count a) in N; lia|]. rewrite Z.add_assoc in E.
      transitivity (m ((host_tables (cfg a) + 1 + n) * 512 + i)); [now apply EN|now apply (t_2 _ _ T)].
    - intros g i M J. destruct (level3_page _ W g M) as [R E].
      transitivity (m (level3 a g * 512 + i)); [now apply EN|now apply (t_3 _ _ T)].
    - intros p v i j R E J. change (own a p = Vcpu v i) in E.
      transitivity (Map.get (Map.get (Map.set (saved a) (vm * NIE_MAX_VCPUS + u) (Map.const 0)) (v * NIE_MAX_VCPUS + i)) j); [|reflexivity].
      destruct (on_vcpu _ O p v i R E) as (V' & I' & _ & P').
      destruct (Z.eq_dec p ctx) as [->|N].
      + rewrite O1 in E. injection E as <- <-. rewrite get_set_same, Map.get_const, E'.
        replace ((ctx * 512 <=? ctx * 512 + j) && (ctx * 512 + j <? ctx * 512 + 512))%bool with true; auto. unfold is_word in J. lia.
      + assert (D : v * NIE_MAX_VCPUS + i <> vm * NIE_MAX_VCPUS + u).
        { intro D. apply N. assert (v = vm /\ i = u) as [-> ->] by (unfold NIE_MAX_VCPUS in *; lia). now rewrite <- P'. }
        rewrite get_set_other by exact D. rewrite S; auto; [exact (t_saved _ _ T p v i j R E J)|].
        rewrite E. intros [= -> ->]. now apply D. }
  intros gl1 m1 h1 G1 F1 X1 T1. cbn beta.
  assert (HC1 : vcpu_holds gl1 k r) by exact (g_vcpus _ _ G1 vm u V U).
  skip. eapply wp_load1; [reflexivity|exact K|]. cbn beta. rewrite (h_run _ _ _ HC1). fold run.
  skip. eapply release_wp with (a := give vm ctx a); eauto.
  { destruct (wf_c _ W). now constructor. }
  intros gl2 G2 F2. cbn beta. fold (give vm run (give vm ctx a)) in G2.
  set (b1 := give vm ctx (forgotten a vm u)) in *.
  assert (OR : own b1 run = Run vm u).
  { unfold b1. rewrite give_own. change (own (forgotten a vm u)) with (own a). destruct (Z.eqb_spec run ctx) as [Q|]; auto. congruence. }
  assert (HR1 : State.host_may_access b1 run = true) by (unfold State.host_may_access; change (in_ram b1 run) with (in_ram a run); now rewrite R2, OR).
  assert (T2 : tables_hold (give vm run b1) m1) by (apply give_tables_shown; auto; rewrite OR; auto).
  assert (X2 : world h (Aset (give vm run b1)) (Aset (give vm run b1)) m1 (now m1) h1) by (eapply (give_grow b1 vm run); eauto).
  pose proof (g_vms _ _ G2 vm V) as HV2. set (a2 := give vm run (give vm ctx a)) in *.
  assert (CR : created (vm_at a2 vm) = created (vm_at a vm)).
  { unfold a2. unfold give. rewrite !add_granules_vm, !Z.eqb_refl. change (vm_at (set_own run Host ?x)) with (vm_at x).
    change (vm_at (set_own ctx Host a)) with (vm_at a). rewrite ?add_granules_vm, ?Z.eqb_refl. reflexivity. }
  pose proof (created_some a vm u W V U SOME) as CB.
  do 6 (skip; eapply wp_store1; [reflexivity|exact K|]; cbn beta).
  skip. eapply wp_load1; [reflexivity|exact V64|]. cbn beta. rewrite !at_put by reflexivity. cbn [gvar_dec]. 
  replace (at1 vms_created gl2 vm) with (created (vm_at a2 vm)) by (symmetry; apply (h_created _ _ _ HV2)).
  cbn. rewrite CR, (wrap32 (created (vm_at a vm) - 1)) by (unfold NIE_MAX_VCPUS in CB; lia).
  skip. eapply wp_store1; [reflexivity|exact V64|]. cbn beta. go.
  cbn [glob hw]. rewrite <- CR. fold (stored vm u (created (vm_at a2 vm) - 1) gl2).
  change (gives vm run (gives vm ctx a)) with a2. change (vm_at (set_saved vm u (Map.const 0) (set_vcpu vm u no_vcpu a2)) vm) with (vm_at a2 vm).
  fold (cleared vm u a2).
  split; [reflexivity|]. split; [|split; [|exact (w_frame _ _ _ _ _ _ X2)]].
  - assert (CW : wf (cleared vm u a2)) by now apply (end_wf a vm u).
    assert (CO : onto (cleared vm u a2)) by now apply (end_onto a vm u).
    apply R_ends with (h0 := h) (m := m1); [exact CW|exact CO|now apply (end_counted a vm u)|now apply stored_globals| | |exact RAM|exact ENG|].
    + eapply world_same; [|exact X2]. exact (same_map_Aset _ _ (end_map a vm u V U)).
    + now apply (end_tables a vm u).
    + eapply registers_same; [exact REGS|reflexivity|reflexivity|reflexivity|reflexivity|]. intro v.
      transitivity (root (vm_at (without_both a vm u) v)); [f_equal; now apply (end_vm a vm u)|].
      unfold without_both, without_context. rewrite !gives_vm, !forgotten_vm.
      destruct (Z.eqb_spec v vm) as [->|]; rewrite ?Z.eqb_refl; auto.
  - change (only_destroyed vm u gl (stored vm u (created (vm_at a2 vm) - 1) gl2)). constructor.
    + intros g N1 N2 N3. rewrite stored_field by auto. rewrite F2, F1 by auto. reflexivity.
    + intros g j N1 N2. rewrite stored_other by auto. unfold at1. rewrite F2, F1 by (destruct g; auto; discriminate). reflexivity.
    + intros v N. rewrite stored_created. destruct (Z.eqb_spec v vm); [contradiction|]. unfold at1. now rewrite F2, F1.
Qed.
