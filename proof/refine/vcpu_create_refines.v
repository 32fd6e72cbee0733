(* SPDX-License-Identifier: Apache-2.0 *)
(* VCPU_CREATE: the C does what spec/call/vcpu_create.v says, with the other CPUs acting before each of its
   primitives; it has no undefined behaviour, meets every obligation, and every state on the way is safe. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Measure Donation Actions.
From nie.spec.call Require vcpu_create.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding trap_steps vcpu_create_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.state.granule nie.generated.state.checks nie.generated.state.donate
  nie.generated.state.measure nie.generated.state.context nie.generated.call.vcpu_create.
From nie.spec Require Import Core.
From nie.proof.refine Require Import sha256_refines.
From nie.proof.refine Require Export Adds Ends life_refines.
Import RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_vcpu_create := nie.spec.call.vcpu_create.vcpu_create.
Notation spec_vcpu_create_check := nie.spec.call.vcpu_create.vcpu_create_check.

(* What the call may change beside granules and the build log: the vCPU's record, and how many there are. *)
Record only_created (vm u : Z) (gl gl' : globals) : Prop := {
  oc_field : forall g, of_granules g = false -> of_measure g = false -> of_vcpu g = false -> g <> vms_created -> field g gl' = field g gl;
  oc_vcpu : forall g j, of_vcpu g = true -> j <> vm * NIE_MAX_VCPUS + u -> at1 g gl' j = at1 g gl j;
  oc_created : forall v, v <> vm -> at1 vms_created gl' v = at1 vms_created gl v;
}.
Lemma oc_refl : forall vm u gl, only_created vm u gl gl.
Proof. constructor; auto. Qed.

Definition stored (vm u p q n : Z) (gl : globals) : globals :=
  let k := vm * NIE_MAX_VCPUS + u in
  put1 vms_created vm n (put1 vcpus_state k (if u =? 0 then VCPU_READY else VCPU_OFF) (put1 vcpus_syndrome k 0 (put1 vcpus_pending k PENDING_NONE
    (put1 vcpus_run k q (put1 vcpus_context k p gl))))).
Lemma stored_field : forall vm u p q n gl g, of_vcpu g = false -> g <> vms_created -> field g (stored vm u p q n gl) = field g gl.
Proof. intros vm u p q n gl g F N. unfold stored, put1. rewrite !field_set_other; auto; intros ->; discriminate. Qed.
Lemma stored_other : forall vm u p q n gl g j, of_vcpu g = true -> j <> vm * NIE_MAX_VCPUS + u -> at1 g (stored vm u p q n gl) j = at1 g gl j.
Proof.
  intros vm u p q n gl g j F N. unfold stored. rewrite !at_put by reflexivity.
  destruct (Z.eqb_spec j (vm * NIE_MAX_VCPUS + u)); [contradiction|]. now destruct g.
Qed.
Lemma stored_created : forall vm u p q n gl v, at1 vms_created (stored vm u p q n gl) v = if v =? vm then n else at1 vms_created gl v.
Proof. intros. unfold stored. rewrite !at_put by reflexivity. reflexivity. Qed.
Lemma stored_vcpu : forall vm u p q n gl, vcpu_holds gl (vm * NIE_MAX_VCPUS + u) no_vcpu ->
  vcpu_holds (stored vm u p q n gl) (vm * NIE_MAX_VCPUS + u) (record u p q).
Proof.
  intros vm u p q n gl []. unfold stored. constructor; rewrite !at_put by reflexivity; cbn [gvar_dec]; rewrite ?Z.eqb_refl; try reflexivity; try assumption.
Qed.

Lemma stored_globals : forall a gl vm u p q w, globals_hold (handed a vm u p q) gl -> 0 <= vm < NIE_MAX_VMS -> 0 <= u < NIE_MAX_VCPUS ->
  vcpu_at a vm u = no_vcpu -> globals_hold (born a vm u p q w) (stored vm u p q (created (vm_at (handed a vm u p q) vm) + 1) gl).
Proof.
  intros a gl vm u p q w G V U N0. set (h := handed a vm u p q) in *. set (gl' := stored vm u p q (created (vm_at h vm) + 1) gl).
  assert (F : forall g i, of_vcpu g = false -> g <> vms_created -> at1 g gl' i = at1 g gl i).
  { intros g i O N. unfold at1, gl'. now rewrite stored_field. }
  assert (VM : forall v, vm_at (born a vm u p q w) v = if v =? vm then vm_at h vm <| created ::= fun n => n + 1 |> else vm_at h v).
  { intro v. exact (Map.get_set _ (vms h) vm _ v). }
  constructor; [rewrite F by (reflexivity || discriminate); apply G ..| | | | | |].
  - intros x P. cbn zeta. rewrite !F by (reflexivity || discriminate). exact (g_own _ _ G x P).
  - intros v W. rewrite VM, !F by (reflexivity || discriminate). pose proof (g_vm _ _ G v W) as E. destruct (Z.eqb_spec v vm) as [->|]; auto.
  - intros v W. rewrite VM. pose proof (g_vms _ _ G v W) as [].
    assert (HH : sha256_refines.hash_of gl' v = sha256_refines.hash_of gl v).
    { unfold sha256_refines.hash_of, sha256_refines.hash_word. rewrite !F by (reflexivity || discriminate). reflexivity. }
    destruct (Z.eqb_spec v vm) as [->|N]; constructor; rewrite ?HH, ?(F vms_cntvoff), ?(F vms_vcpus), ?(F vms_running), ?(F vms_hashed) by (reflexivity || discriminate); auto.
    + unfold gl'. rewrite stored_created, Z.eqb_refl. reflexivity.
    + unfold gl'. rewrite stored_created. now destruct (Z.eqb_spec v vm).
  - intros v i W I. change (vcpu_at (born a vm u p q w) v i) with (vcpu_at (set_vcpu vm u (record u p q) h) v i). rewrite vcpu_at_put by auto.
    destruct ((v =? vm) && (i =? u))%bool eqn:E.
    + assert (v = vm /\ i = u) as [-> ->] by lia. apply stored_vcpu. rewrite <- N0. exact (g_vcpus _ _ G vm u V U).
    + assert (N : v * NIE_MAX_VCPUS + i <> vm * NIE_MAX_VCPUS + u) by (unfold NIE_MAX_VCPUS in *; lia).
      pose proof (g_vcpus _ _ G v i W I) as []. constructor; unfold gl'; rewrite stored_other by auto; auto.
  - intros c C. eapply cpu_same; [|exact (g_cpus _ _ G c C)]. intros g E. apply stored_field; [now destruct g|intros ->; discriminate].
  - intros v c W C. rewrite F by (reflexivity || discriminate). exact (g_lasts _ _ G v c W C).
Qed.

Lemma vcpu_create_check_run : forall a gl (h : Machine.hw) vm u ctx run entry, wf a -> globals_hold a gl -> 0 <= vm < 2 ^ 64 -> 0 <= u < 2 ^ 64 ->
  0 <= ctx < 2 ^ 64 -> 0 <= run < 2 ^ 64 -> 0 <= entry < 2 ^ 64 ->
  vcpu_create_check vm u ctx run entry (Mach gl h) = Some (spec_vcpu_create_check a vm u ctx run entry, Mach gl h).
Proof.
  intros a gl h vm u ctx run entry W G HV HU HC HR HE. apply known_of_wp. unfold vcpu_create_check, nie.spec.call.vcpu_create.vcpu_create_check. cbn zeta.
  skip. w_known check_vm_run; [eauto|lia|].
  destruct (vm_exists vm) eqn:E1; [|cbn; go; auto].
  destruct (vm_is a vm NIE_VM_BUILDING NIE_VM_BUILDING) eqn:E2; [|cbn; go; auto].
  change (NIE_OK =? NIE_OK) with true. cbn [negb].
  unfold vm_exists in E1. assert (V : 0 <= vm < NIE_MAX_VMS) by lia.
  assert (S : vm_state (vm_at a vm) = NIE_VM_BUILDING) by (unfold vm_is in E2; lia). assert (NF : vm_state (vm_at a vm) <> NIE_VM_FREE) by (rewrite S; discriminate).
  destruct (v_used _ (wf_v _ W) vm V NF) as (_ & C & _). destruct (window_small a vm W V NF) as [WB WP].
  skip. w_load. rewrite (h_vcpus _ _ _ (g_vms _ _ G vm V)).
  destruct (Z.leb_spec (vcpu_count (vm_at a vm)) u) as [L|L]; [replace (u <? vcpu_count (vm_at a vm)) with false by lia; go; auto|].
  replace (u <? vcpu_count (vm_at a vm)) with true by lia. assert (U : 0 <= u < NIE_MAX_VCPUS) by lia.
  pose proof (h_vcpu_state _ _ _ (g_vcpus _ _ G vm u V U)) as HS.
  assert (I : wrap U64 (wrap U64 (vm * NIE_MAX_VCPUS) + u) = vm * NIE_MAX_VCPUS + u) by (unfold NIE_MAX_VCPUS, NIE_MAX_VMS in *; rewrite (wrap64 (vm * 8)), wrap64 by lia; reflexivity).
  assert (Bk : 0 <= vm * NIE_MAX_VCPUS + u < 512) by (unfold NIE_MAX_VCPUS, NIE_MAX_VMS in *; lia).
  rewrite I. skip. eapply wp_load1; [reflexivity|exact Bk|]. cbn beta. rewrite HS.
  destruct (vcpu_state (vcpu_at a vm u) =? VCPU_NONE); cbn [negb]; [|go; auto].
  skip. w_known page_of_run. skip. rewrite (wrap32 vm) by (unfold NIE_MAX_VMS in V; lia).
  w_known check_window_run; [exact G|exact V|lia|lia|exact WB|exact WP|]. fold (State.page_of entry).
  destruct (Donation.in_window a vm (State.page_of entry) 1); [change (NIE_OK =? NIE_OK) with true|change (NIE_E_WINDOW =? NIE_OK) with false]; cbn [negb]; [|go; auto].
  destruct (ctx =? run); cbn [negb]; [go; auto|].
  skip. w_known check_donation_run; [apply W|exact G|lia|lia|].
  destruct (Donation.check_donation a ctx 1 =? NIE_OK); cbn [negb]; [|go; auto].
  skip. w_known check_donation_run; [apply W|exact G|lia|lia|]. go. auto.
Qed.

(** The context: scrubbed, then four words. *)

Section Reset.
Variables (a : state) (h0 : Machine.hw) (vm u p q entry argument : Z).
Hypothesis W : wf a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS.
Hypothesis B : vm_state (vm_at a vm) = NIE_VM_BUILDING.
Hypothesis U : 0 <= u < NIE_MAX_VCPUS /\ u < vcpu_count (vm_at a vm).
Hypothesis NONE : vcpu_state (vcpu_at a vm u) = VCPU_NONE.
Hypothesis PQ : p <> q.
Hypothesis HP : in_ram a p = true /\ own a p = Host.
Hypothesis HQ : in_ram a q = true /\ own a q = Host.
Hypothesis O : onto a.
Hypothesis RAM : ram h0 = ram_of a.
Notation k := (Adding.kept p 1 a).
Let b := born a vm u p q (Map.const 0).
Let c := born a vm u p q (Actions.reset_context entry argument).

Definition in_page (m : Z -> Z) : Z -> Z -> Prop := fun w d => now m w d \/ p * 512 <= w < p * 512 + 512.

Lemma b_wf : wf b.
Proof. now apply born_wf. Qed.
Lemma b_untouched : ~ touch (Aset b) p.
Proof.
  apply (kept_untouched _ b_wf); [apply HP|]. unfold b. rewrite born_own by assumption. rewrite Z.eqb_refl.
  replace (p =? q) with false by lia. exact Logic.I.
Qed.
Lemma in_page_closed : forall m, tables_hold b m -> closed (Aset b) (in_page m).
Proof.
  intros m T v l x d j d' H TB J VA [N|X]; [eapply (Aset_closed b b_wf); eauto|]. exfalso.
  assert (E : frame d = p) by (unfold is_word in J; lia).
  destruct (table_target b b_wf _ _ _ _ H TB) as [_ [(_ & F)|(z & _ & F)]]; rewrite E in F; unfold b in F; rewrite born_own in F by assumption;
    rewrite Z.eqb_refl in F; replace (p =? q) with false in F by lia; discriminate.
Qed.

Lemma context_reset_wp : forall gl m h (Q : unit -> mach globals Machine.hw -> Prop),
  world h0 (Aset k) (Aset k) m (now m) h -> tables_hold k m -> at1 vcpus_context gl (vm * NIE_MAX_VCPUS + u) = p ->
  (forall m' h', world h0 (Aset c) (Aset c) m' (now m') h' -> tables_hold c m' ->
     Q tt (Mach (put1 vcpus_syndrome (vm * NIE_MAX_VCPUS + u) 0 (put1 vcpus_pending (vm * NIE_MAX_VCPUS + u) PENDING_NONE gl)) h')) ->
  wp (context_reset vm u entry argument) Q (Mach gl h).
Proof.
  intros gl m h Q X T E H. unfold context_reset. set (n := vm * NIE_MAX_VCPUS + u) in *.
  assert (NB : 0 <= n < 512) by (unfold n, NIE_MAX_VCPUS, NIE_MAX_VMS in *; lia).
  rewrite (wrap32 (vm * NIE_MAX_VCPUS)), wrap32 by (unfold n, NIE_MAX_VCPUS in *; lia). fold n.
  w_bind. unfold index. replace ((0 <=? n) && (n <? 512))%bool with true by lia. apply wp_ret.
  w_bind. eapply wp_load1; [reflexivity|exact NB|]. cbn beta. rewrite E.
  do 2 (w_bind; eapply wp_store1; [reflexivity|exact NB|]; cbn beta).
  assert (XB : world h0 (Aset b) (Aset b) m (now m) h).
  { eapply world_same; [|exact X]. intros. now apply born_Aset. }
  w_bind. eapply (wp_zero h0 b); [exact RAM|exact XB|apply HP|exact b_untouched|]. intros m1 h1 E1 X1 _. cbn beta.
  assert (T1 : tables_hold b m1).
  { apply (born_tables a vm u p q) with (m := m); auto.
    - intros x j J N. rewrite E1. unfold is_word in J. now replace ((p * 512 <=? x * 512 + j) && (x * 512 + j <? p * 512 + 512))%bool with false by lia.
    - intros j J. rewrite E1. unfold is_word in J. replace ((p * 512 <=? p * 512 + j) && (p * 512 + j <? p * 512 + 512))%bool with true by lia.
      now rewrite Map.get_const. }
  assert (X2 : world h0 (Aset b) (Aset b) m1 (in_page m1) h1).
  { eapply world_grow; [exact X1| | | | | | | | |]; try (intros v l x d K; exact K).
    - intros w d VA N. unfold in_page, now in *. rewrite E1. destruct ((p * 512 <=? w) && (w <? p * 512 + 512))%bool eqn:F; [right; lia|now left].
    - now apply in_page_closed.
    - now apply in_page_closed.
    - exact (Aset_apart b b_wf).
    - exact (w_safe _ _ _ _ _ _ X1).
    - exact (w_secret _ _ _ _ _ _ X1). }
  clear X1. assert (IP : forall mm j d, is_word j = true -> in_page mm (p * 512 + j) d) by (intros; right; unfold is_word in *; lia).
  assert (ST : forall mm h2 j x (Q2 : unit -> mach globals Machine.hw -> Prop) gl2, world h0 (Aset b) (Aset b) mm (in_page m1) h2 -> is_word j = true ->
    (forall h3, world h0 (Aset b) (Aset b) (upd mm (p * 512 + j) x) (in_page m1) h3 -> Q2 tt (Mach gl2 h3)) -> wp (page_write p j x) Q2 (Mach gl2 h2)).
  { intros mm h2 j x Q2 gl2 Y J K. eapply (wp_page_write h0 b RAM); eauto; [apply HP|exact b_untouched]. }
  w_bind. eapply ST; [exact X2|reflexivity|]. intros h2 X3. cbn beta.
  w_bind. eapply ST; [exact X3|reflexivity|]. intros h3 X4. cbn beta.
  w_bind. eapply ST; [exact X4|reflexivity|]. intros h4 X5. cbn beta.
  w_bind. eapply ST; [exact X5|reflexivity|]. intros h5 X6. cbn beta.
  w_bind. eapply wp_dsb_same; [exact X6|]. intros h6 X7. cbn beta. apply wp_ret. eapply H.
  - eapply world_same; [|exact X7]. intros v l x d. unfold c, b. rewrite !born_Aset by assumption. reflexivity.
  - apply (born_tables a vm u p q) with (m := m); auto.
    + intros x j J N. unfold upd. assert (D : forall i, is_word i = true -> x * 512 + j =? p * 512 + i = false) by (intros i I; unfold is_word in *; lia).
      rewrite !D, E1 by reflexivity. unfold is_word in J. now replace ((p * 512 <=? x * 512 + j) && (x * 512 + j <? p * 512 + 512))%bool with false by lia.
    + intros j J. unfold upd, Actions.reset_context. rewrite !Map.get_set, Map.get_const, E1. unfold is_word in J.
      replace ((p * 512 <=? p * 512 + j) && (p * 512 + j <? p * 512 + 512))%bool with true by lia.
      assert (D : forall i, (p * 512 + j =? p * 512 + i) = (j =? i)) by (intro i; lia). rewrite !D. reflexivity.
Qed.
End Reset.

(* A call ends with a record in the build log. *)
Lemma measured_ends : forall z vm words gl h0 h m, wf z -> onto z -> counted z -> vm_state (vm_at z vm) = NIE_VM_BUILDING ->
  globals_hold (Donation.measured vm words z) gl -> world h0 (Aset z) (Aset z) m (now m) h -> tables_hold z m ->
  ram h0 = ram_of z -> engine h0 = engine_of z -> registers_hold z h0 -> R (Donation.measured vm words z) (Mach gl h).
Proof.
  intros z vm words gl h0 h m W O CNT B G X T RAM ENG REGS. set (f := Donation.measured vm words z) in *.
  destruct (measured_parts vm words z) as (Z1 & Z2 & Z3 & Z4 & Z5); [rewrite B; discriminate|].
  unfold Donation.measured_if_building in *. rewrite B in *. cbn [Z.eqb Pos.eqb NIE_VM_BUILDING] in *. fold f in Z1, Z2, Z3, Z4, Z5.
  assert (SM : same_map z f).
  { constructor; auto. intro v. destruct (same_root _ _ Z5 v) as [-> ->]. split; tauto. }
  apply R_ends with (h0 := h0) (m := m); auto.
  - apply wf_parts with z; auto; [exact (same_wf_vms Z5 (wf_v _ W))|]. apply (same_wf_vcpus Z5); auto; try apply W; intros; unfold own; now rewrite Z2.
  - eapply onto_records; eauto.
  - apply counted_same with z; [exact CNT|exact Z1|intro; unfold own; now rewrite Z2|]. intro v. unfold f. rewrite vm_at_measured. now destruct (Z.eqb_spec v vm) as [->|].
  - eapply world_same; [|exact X]. exact (same_map_Aset _ _ SM).
  - destruct T. constructor; assumption.
  - eapply registers_same; [exact REGS|reflexivity|reflexivity|reflexivity|reflexivity|]. intro v. now destruct (same_root _ _ Z5 v) as [-> _].
Qed.

Theorem vcpu_create_refines : forall a s vm u ctx run entry argument, R a s -> 0 <= vm < 2 ^ 64 -> 0 <= u < 2 ^ 64 ->
  0 <= ctx < 2 ^ 64 -> 0 <= run < 2 ^ 64 -> 0 <= entry < 2 ^ 64 ->
  wp (call_vcpu_create vm u ctx run entry argument) (fun r s' => let spec := spec_vcpu_create vm u ctx run entry argument a in
    r = fst spec /\ R (snd spec) s' /\ only_created vm u (glob s) (glob s') /\ frame_of (hw s) (hw s')) s.
Proof.
  intros a [gl h] vm u ctx run entry argument HR HV HU HC HN HE. pose proof HR as [W O G (m & X & T) RAM ENG REGS CNT]. cbn [glob hw] in *.
  unfold call_vcpu_create. w_bind. w_known vcpu_create_check_run; eauto. unfold nie.spec.call.vcpu_create.vcpu_create. cbn zeta.
  destruct (spec_vcpu_create_check a vm u ctx run entry =? NIE_OK) eqn:E; cbn [negb];
    [|go; cbn [fst snd glob hw]; split; [auto|split; [exact HR|split; [apply oc_refl|now constructor]]]].
  apply Z.eqb_eq in E. unfold nie.spec.call.vcpu_create.vcpu_create_check in E. cbn zeta in E.
  destruct (vm_exists vm) eqn:E1; [|discriminate].
  destruct (vm_is a vm NIE_VM_BUILDING NIE_VM_BUILDING) eqn:E2; [|discriminate].
  destruct (Z.ltb_spec u (vcpu_count (vm_at a vm))) as [LT|]; [|discriminate].
  destruct (Z.eqb_spec (vcpu_state (vcpu_at a vm u)) VCPU_NONE) as [NONE|]; [|discriminate].
  destruct (Donation.in_window a vm (State.page_of entry) 1); [|discriminate].
  destruct (Z.eqb_spec ctx run) as [|NE]; [discriminate|]. cbn [negb] in E.
  destruct (Z.eqb_spec (Donation.check_donation a ctx 1) NIE_OK) as [D1|]; [|contradiction].
  unfold vm_exists in E1. assert (V : 0 <= vm < NIE_MAX_VMS) by lia. assert (V64 : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V; lia).
  assert (B : vm_state (vm_at a vm) = NIE_VM_BUILDING) by (unfold vm_is in E2; lia).
  assert (NF : vm_state (vm_at a vm) <> NIE_VM_FREE) by (rewrite B; discriminate).
  destruct (v_used _ (wf_v _ W) vm V NF) as (_ & CN & _). assert (U : 0 <= u < NIE_MAX_VCPUS /\ u < vcpu_count (vm_at a vm)) by lia.
  assert (UB : 0 <= u < 8) by (unfold NIE_MAX_VCPUS in U; lia).
  destruct (donation_ok a ctx 1 W ltac:(lia) D1) as (P1 & _ & _ & P2). destruct (donation_ok a run 1 W ltac:(lia) E) as (Q1 & _ & _ & Q2).
  specialize (P2 0 ltac:(lia)). specialize (Q2 0 ltac:(lia)). rewrite Z.add_0_r in P2, Q2.
  remember (State.page_of ctx) as p eqn:Ep. remember (State.page_of run) as q eqn:Eq. assert (PQ : p <> q) by congruence.
  assert (PB : 0 <= p < 2 ^ 27) by (destruct P2 as [K _]; apply (ram_small _ W) in K; lia).
  clear E E1 E2 D1. set (n := vm * NIE_MAX_VCPUS + u). assert (NB : 0 <= n < 512) by (unfold n, NIE_MAX_VCPUS; lia).
  assert (N0 : vcpu_at a vm u = no_vcpu) by (apply (u_none _ (wf_u _ W)); auto; apply U).
  rewrite (wrap32 vm), (wrap32 u) by lia. skip.
  rewrite (wrap32 (vm * NIE_MAX_VCPUS)), wrap32 by (unfold n, NIE_MAX_VCPUS in *; lia). fold n.
  unfold index at 1. replace ((0 <=? n) && (n <? 512))%bool with true by lia. skip.
  w_known page_of_run. fold (State.page_of ctx). rewrite <- Ep. replace (wrap U8 vm) with vm by (unfold wrap; cbn [width]; lia).
  skip. eapply (donate_wp a vm p 1 GRANULE_VCPU vm 0 u (fun _ => Vcpu vm u)) with (b := Adding.kept p 1 a); try eassumption; auto; try lia.
  { apply W. } { intros i I. replace (p + i) with p by lia. apply P2. } { intros i I. replace (u + i) with u by lia. reflexivity. } { split; discriminate. }
  { apply (kept_is_hidden a p); auto. }
  intros gl1 m1 h1 G1 F1 X1 T1 _. cbn beta. set (d := hand_over vm p 1 (fun _ => Vcpu vm u) a) in *.
  assert (G1' : globals_hold (Donation.donate vm p 1 (fun _ => Vcpu vm u) a) gl1) by (eapply globals_of; [exact G1| | | | | |]; reflexivity).
  skip. w_known page_of_run. fold (State.page_of run). rewrite <- Eq.
  skip. eapply (donate_kept_wp (Donation.donate vm p 1 (fun _ => Vcpu vm u) a) vm q 1 GRANULE_RUN vm 0 u (fun _ => Run vm u)); auto; try lia.
  { destruct (wf_c _ W). now constructor. } { intros i I. replace (q + i) with q by lia. apply Q2. } { intros i I. replace (u + i) with u by lia. reflexivity. }
  intros gl2 G2 F2. cbn beta. change (hand_over vm q 1 _ _) with (handed a vm u p q) in G2.
  skip. w_known page_of_run. fold (State.page_of ctx). rewrite <- Ep. skip. eapply wp_store1; [reflexivity|exact NB|]. cbn beta.
  skip. w_known page_of_run. fold (State.page_of run). rewrite <- Eq. skip. eapply wp_store1; [reflexivity|exact NB|]. cbn beta.
  skip. eapply (context_reset_wp a h vm u p q entry argument); eauto.
  { fold n. rewrite !at_put by reflexivity. cbn [gvar_dec]. now rewrite Z.eqb_refl. }
  intros m3 h3 X3 T3. cbn beta. fold n.
  skip. eapply wp_store1; [reflexivity|exact NB|]. cbn beta.
  skip. eapply wp_load1; [reflexivity|exact V64|]. cbn beta.
  replace (at1 vms_created _ vm) with (at1 vms_created gl2 vm) by (rewrite !at_put by reflexivity; reflexivity).
  set (z := born a vm u p q (Actions.reset_context entry argument)) in *.
  pose proof (born_fields a vm u p q B U (Actions.reset_context entry argument)) as BF. fold z in BF.
  assert (NZ : vm_state (vm_at z vm) = NIE_VM_BUILDING) by (destruct (BF vm) as [-> _]; exact B).
  assert (WZ : wf z) by now apply born_wf. assert (OZ : onto z) by now apply born_onto.
  assert (CZ : counted z) by now apply born_counted.
  replace (at1 vms_created gl2 vm) with (created (vm_at (handed a vm u p q) vm)) by (symmetry; apply (h_created _ _ _ (g_vms _ _ G2 vm V))).
  assert (CR : created (vm_at (handed a vm u p q) vm) = how_many a vm is_created).
  { rewrite <- (v_created _ (wf_v _ W) vm V). pose proof (handed_vm a vm u p q B) as K.
    destruct (vm_at (handed a vm u p q) vm), (vm_at a vm). now injection K. }
  assert (CB : 0 <= how_many a vm is_created <= 8).
  { unfold how_many. assert (L : forall f l, (length (filter f l) <= @length nat l)%nat).
    { intros f l. induction l as [|y l IH]; cbn [filter length]; auto. destruct (f y); cbn [length]; lia. }
    specialize (L (fun i => is_created (vcpu_at a vm (Z.of_nat i))) (seq 0 (Z.to_nat NIE_MAX_VCPUS))). rewrite seq_length in L.
    unfold NIE_MAX_VCPUS in *. lia. }
  rewrite (wrap32 (_ + 1)) by lia. skip. eapply wp_store1; [reflexivity|exact V64|]. cbn beta.
  replace (wrap U32 (if u =? 0 then VCPU_READY else VCPU_OFF)) with (if u =? 0 then VCPU_READY else VCPU_OFF)
    by (destruct (u =? 0); reflexivity).
  fold (stored vm u p q (created (vm_at (handed a vm u p q) vm) + 1) gl2).
  skip. eapply (record_built z); [exact WZ|exact V|exact NZ| |].
  { apply stored_globals; auto; apply U. }
  intros gl3 G3 F3. cbn beta. go. cbn [fst snd glob hw]. split; [reflexivity|].
  change (R (Donation.measured vm (Measure.record MEASURE_VCPU u entry argument) z) (Mach gl3 h3) /\ only_created vm u gl gl3 /\ frame_of h h3).
  split; [|split; [|exact (w_frame _ _ _ _ _ _ X3)]].
  - apply measured_ends with (h0 := h) (m := m3); try assumption. eapply registers_same; [exact REGS|reflexivity|reflexivity|reflexivity|reflexivity|]. intro v. destruct (BF v) as (_ & E & _). exact E.
  - constructor.
    + intros g N1 N2 N3 N4. transitivity (field g (stored vm u p q (created (vm_at (handed a vm u p q) vm) + 1) gl2)); [now apply F3|].
      rewrite stored_field by auto. rewrite F2, F1 by auto. reflexivity.
    + intros g j N1 N2. assert (NM : of_granules g = false /\ of_measure g = false) by (destruct g; auto; discriminate).
      transitivity (at1 g (stored vm u p q (created (vm_at (handed a vm u p q) vm) + 1) gl2) j); [unfold at1; f_equal; now apply F3|].
      rewrite stored_other by auto. unfold at1. now rewrite F2, F1.
    + intros v N. transitivity (at1 vms_created (stored vm u p q (created (vm_at (handed a vm u p q) vm) + 1) gl2) v); [unfold at1; f_equal; now apply F3|].
      rewrite stored_created. destruct (Z.eqb_spec v vm); [contradiction|]. unfold at1. now rewrite F2, F1.
Qed.
