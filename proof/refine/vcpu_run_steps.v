(* SPDX-License-Identifier: Apache-2.0 *)
(* VCPU_RUN: the run record is read, word by word, as input; a vCPU comes to the CPU. In named steps: what its registers are
   then is not said here. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.checks nie.generated.state.world nie.generated.state.inject nie.generated.trap.mmio nie.generated.call.vcpu_run.
From nie.spec Require Import Core.
From nie.proof.refine Require Export vcpu_trap_refines.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** A vCPU comes to a CPU. *)

Lemma mid_enter : forall c vt a gl h v i, mid c vt a (Mach gl h) -> cpu_vm (cpu_at a c) = CPU_HOST -> 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS ->
  vcpu_state (vcpu_at a v i) = VCPU_READY ->
  let k := v * NIE_MAX_VCPUS + i in
  let gl2 := put1 vcpus_cpu k c (put1 vcpus_state k VCPU_RUNNING gl) in
  let gl3 := put1 vms_running v (running (vm_at a v) + 1) gl2 in
  mid c vt (enter c v i a) (Mach (put1 cpus_vcpu c i (put1 cpus_vm c v gl3)) h).
Proof.
  intros c vt a gl h v i MI HO V I RD k gl2 gl3. pose proof MI as [SO AR OC (m & W & T) RM EN ME CC VT MN]. cbn [glob hw] in *.
  assert (SL : sound (enter c v i a)) by (apply enter_sound; auto).
  destruct (mid_vcpu _ _ _ _ v i MI V I) as [U1 U2 U3 U4 U5 U6]. cbn [glob] in *. fold k in U1, U2, U3, U4, U5, U6.
  destruct (mid_vm _ _ _ _ v MI V) as (HM & E1 & E2 & E3 & E4). cbn [glob] in HM, E1, E2, E3, E4.
  set (r1 := vcpu_at a v i <| vcpu_state := VCPU_RUNNING |>). set (r2 := r1 <| vcpu_cpu := c |>).
  assert (A1 : at_rest (set_vcpu v i r1 a) (put1 vcpus_state k VCPU_RUNNING gl)).
  { apply rest_vcpu; auto. fold k. constructor; rewrite at_put by reflexivity; cbn; rewrite ?Z.eqb_refl; auto. }
  assert (A2' : at_rest (set_vcpu v i r2 (set_vcpu v i r1 a)) gl2).
  { apply rest_vcpu; auto. fold k. constructor; unfold gl2; rewrite !at_put by reflexivity; cbn; rewrite ?Z.eqb_refl; auto. }
  assert (A2 : at_rest (set_vcpu v i r2 a) gl2).
  { apply (rest_vcpus _ gl2 (Map.set (vcpus a) k r2) A2'). intros w j W' J. change (Map.get (Map.set (vcpus a) k r2) (w * NIE_MAX_VCPUS + j)) with (vcpu_at (set_vcpu v i r2 a) w j).
    rewrite !vcpu_at_put by auto. destruct (_ && _)%bool; reflexivity. }
  assert (A3 : at_rest (set_vm v (vm_at a v <| running ::= fun n => n + 1 |>) (set_vcpu v i r2 a)) gl3).
  { apply rest_vm; [exact A2|exact V|exact Logic.I| |].
    - repeat split; try reflexivity. unfold gl3, gl2. rewrite !at_put_other by (try reflexivity; discriminate). exact E1.
    - unfold gl3, gl2. destruct HM. constructor; rewrite ?at_put_other by (try reflexivity; discriminate); try assumption.
      { rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl. } }
  set (a3 := set_vm v _ _) in A3.
  assert (A4 : at_rest (set_cpu c (cpu_at a c <| cpu_vm := v |>) a3) (put1 cpus_vm c v gl3)).
  { apply rest_cpu; auto.
    - rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl.
    - rewrite !at_put_other by (try reflexivity; discriminate). symmetry. exact (proj2 (rest_runs _ _ _ AR CC)). }
  assert (A5 : at_rest (set_cpu c (cpu_at a c <| cpu_vm := v |> <| cpu_vcpu := i |>) (set_cpu c (cpu_at a c <| cpu_vm := v |>) a3)) (put1 cpus_vcpu c i (put1 cpus_vm c v gl3))).
  { apply rest_cpu; auto.
    - rewrite at_put_other by (try reflexivity; discriminate). rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl.
    - rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl. }
  constructor; cbn [glob hw]; try assumption.
  - apply (rest_cpus _ _ (cpus (enter c v i a)) A5). intros d D. change (Map.get (cpus (enter c v i a)) d) with (cpu_at (enter c v i a) d).
    unfold enter. rewrite !cpu_at_put. destruct (d =? c); auto.
  - intros d D N. destruct (OC d D N) as (H1 & H2 & H3).
    assert (CE : cpu_at (enter c v i a) d = cpu_at a d) by (unfold enter; rewrite cpu_at_put; now replace (d =? c) with false by lia).
    rewrite CE. unfold gl3, gl2. repeat split; intros; rewrite !at_put_other by (try reflexivity; discriminate); now (apply H1 || apply H2 || apply H3).
  - exists m. split.
    + eapply settled_equiv; [|exact W]. intros w l x d. symmetry. apply same_map_Aset. constructor; try reflexivity.
      intro w'. assert (E : vm_at (enter c v i a) w' = if w' =? v then vm_at a v <| running ::= fun n => n + 1 |> else vm_at a w') by exact (vm_at_put v _ _ w').
      rewrite E. clear E. destruct (Z.eqb_spec w' v) as [E|E]; [rewrite E|]; split; try reflexivity; split; auto.
    + destruct T. constructor; assumption.
  - unfold gl3, gl2. repeat (apply man_put; [|reflexivity|discriminate]). exact MN.
Qed.

Lemma enter_vttbr : forall a c v i d, 0 <= c < NIE_MAX_CPUS -> 0 <= v < NIE_MAX_VMS ->
  vttbr_of (enter c v i a) d = if d =? c then (v + 1) * 2 ^ 48 + root (vm_at a v) * 4096 else vttbr_of a d.
Proof.
  intros a c v i d C V.
  assert (BC : cpu_at (enter c v i a) d = if d =? c then cpu_at a c <| cpu_vm := v |> <| cpu_vcpu := i |> else cpu_at a d) by exact (cpu_at_put c _ _ d).
  assert (BM : forall w, root (vm_at (enter c v i a) w) = root (vm_at a w)).
  { intro w. assert (E : vm_at (enter c v i a) w = if w =? v then vm_at a v <| running ::= fun n => n + 1 |> else vm_at a w) by exact (vm_at_put v _ _ w).
    rewrite E. clear E. destruct (Z.eqb_spec w v) as [E|E]; [rewrite E|]; reflexivity. }
  unfold vttbr_of. change (cfg (enter c v i a)) with (cfg a). rewrite BM, BC. clear BC BM. destruct (Z.eqb_spec d c) as [E|E]; [|reflexivity].
  change (cpu_vm (cpu_at a c <| cpu_vm := v |> <| cpu_vcpu := i |>)) with v. unfold NIE_MAX_CPUS, NIE_MAX_VMS, CPU_HOST in *.
  replace ((0 <=? d) && (d <? 8) && negb (v =? 255))%bool with true by lia. reflexivity.
Qed.

Lemma mid_last : forall c vt a gl h v i, runs a c v i -> mid c vt a (Mach gl h) ->
  mid c vt (set_last v c (i + 1) a) (Mach (put1 lasts_vcpu (v * NIE_MAX_CPUS + c) (i + 1) gl) h).
Proof.
  intros c vt a gl h v i RU MI. pose proof MI as [SO AR OC (m & W & T) RM EN ME CC VT MN]. cbn [glob hw] in *.
  pose proof (who_runs _ _ _ _ (so_wf _ SO) CC RU) as OCP. constructor; cbn [glob hw]; try assumption.
  - now apply last_sound.
  - apply rest_last; auto. apply OCP.
  - exists m. split; [exact W|]. destruct T. constructor; assumption.
  - apply man_put; [exact MN|reflexivity|discriminate].
Qed.

Lemma answer_wp : forall c a gl h v i (Q : unit -> MACH -> Prop), runs a c v i -> mid c (vttbr_of a) a (Mach gl h) ->
  (forall s', after c a s' -> Q tt s') -> wp (mmio_answer c v i) Q (Mach gl h).
Proof.
  intros c a gl h v i Q RU MI H. destruct (vcpu_facts c v i a RU _ _ MI) as ([V I ST CP NF CX RN] & C & E1 & E2 & CNT). cbn [glob] in *.
  pose proof V as V'. unfold NIE_MAX_VMS in V'. pose proof I as I'. unfold NIE_MAX_VCPUS in I'.
  unfold mmio_answer. set (k := v * NIE_MAX_VCPUS + i). assert (KB : 0 <= k < 512) by (unfold k, NIE_MAX_VCPUS; lia).
  assert (KE : wrap U32 (wrap U32 (v * NIE_MAX_VCPUS) + i) = k) by (unfold k, NIE_MAX_VCPUS in *; rewrite !wrap32; rewrite ?wrap32; lia).
  rewrite KE. apply wp_bind. unfold index. replace ((0 <=? k) && (k <? 512))%bool with true by lia. apply wp_ret.
  apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta.
  set (pend := at1 vcpus_pending gl k). set (syn := at1 vcpus_syndrome gl k).
  pose proof (mid_vcpu _ _ _ _ v i MI V I) as [_ _ _ _ HP HS]. cbn [glob] in *. fold k in HP, HS.
  apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta. apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta.
  set (r1 := vcpu_at a v i <| pending := PENDING_NONE |>). set (a1 := set_vcpu v i r1 a).
  assert (MN : mine a c v i i) by (split; [auto|]; split; auto).
  assert (M1 : mid c (vttbr_of a1) a1 (Mach (put1 vcpus_pending k PENDING_NONE gl) h)).
  { change (vttbr_of a1) with (vttbr_of a). eapply put_asks; [exact RU|exact MI|exact MN|exact Logic.I|repeat split| |]; fold k.
    - rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl.
    - rewrite at_put_other by (try reflexivity; discriminate). symmetry. exact HS. }
  assert (E3 : vcpu_at a1 v i = r1) by (unfold a1; rewrite vcpu_at_put, !Z.eqb_refl by auto; reflexivity).
  assert (RU1 : runs a1 c v i) by exact RU. assert (MN1 : mine a1 c v i i) by (split; [auto|]; split; auto).
  set (r2 := r1 <| syndrome := 0 |>). set (a2 := set_vcpu v i r2 a1).
  assert (M2 : mid c (vttbr_of a2) a2 (Mach (put1 vcpus_syndrome k 0 (put1 vcpus_pending k PENDING_NONE gl)) h)).
  { change (vttbr_of a2) with (vttbr_of a1). eapply put_asks; [exact RU1|exact M1|exact MN1|exact Logic.I|rewrite E3; repeat split| |]; fold k.
    - rewrite at_put_other by (try reflexivity; discriminate). rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl.
    - rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl. }
  assert (S2 : steps c a a2).
  { eapply more_steps; [apply (Asks c a v i i r1 MN); repeat split|]. apply one_step. apply (Asks c a1 v i i r2 MN1). rewrite E3. repeat split. }
  eapply run_any; [exact M2| |intros [] s' M; apply H; eapply after_steps; [exact S2|]; now apply after_quiet].
  intros V3 fine FV. cbn [glob hw]. clearbody pend syn.
  set (g0 := put1 _ _ _ _). pose proof (q_skip c g0 h (Aset a2) V3 fine) as K1. pose proof (q_extend c g0 h (Aset a2) V3 fine) as K2.
  pose proof (q_gpr_write c g0 h (Aset a2) V3 fine C) as K3. assert (R0 : 0 <= Z.land (Z.shiftr syn 16) 31) by (apply land_pos; lia).
  quiet.
Qed.

Theorem enter_vcpu_wp : forall c a gl h v i (Q : unit -> MACH -> Prop), mid c (vttbr_of a) a (Mach gl h) -> cpu_vm (cpu_at a c) = CPU_HOST ->
  0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS -> vm_state (vm_at a v) = NIE_VM_ACTIVE -> vcpu_state (vcpu_at a v i) = VCPU_READY ->
  (forall s', after c a s' -> Q tt s') -> wp (enter_vcpu c v i) Q (Mach gl h).
Proof.
  intros c a gl h v i Q MI HO V I AC RD H. pose proof (mi_c _ _ _ _ MI) as CC. pose proof CC as C. unfold NIE_MAX_CPUS in C.
  pose proof V as V'. unfold NIE_MAX_VMS in V'. pose proof I as I'. unfold NIE_MAX_VCPUS in I'.
  unfold enter_vcpu. set (k := v * NIE_MAX_VCPUS + i). assert (KB : 0 <= k < 512) by (unfold k, NIE_MAX_VCPUS; lia).
  assert (KE : wrap U32 (wrap U32 (v * NIE_MAX_VCPUS) + i) = k) by (unfold k, NIE_MAX_VCPUS in *; rewrite !wrap32; rewrite ?wrap32; lia).
  rewrite KE. apply wp_bind. unfold index. replace ((0 <=? k) && (k <? 512))%bool with true by lia. apply wp_ret.
  apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta. apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta.
  apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite !at_put_other by (try reflexivity; discriminate).
  destruct (mid_vm _ _ _ _ v MI V) as ([_ _ HRU _ _ _] & _). cbn [glob] in HRU. rewrite HRU.
  assert (RG : running (vm_at a v) = how_many a v is_running) by (apply (v_running _ (wf_v _ (so_wf _ (mi_sound _ _ _ _ MI))) v V)).
  pose proof (how_many_range a v is_running) as HR. unfold NIE_MAX_VCPUS in HR. rewrite wrap32 by lia.
  apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta. apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta.
  apply wp_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta.
  pose proof (mid_enter c _ a gl h v i MI HO V I RD) as ME. cbn zeta in ME. fold k in ME. set (b := enter c v i a) in *.
  set (gl5 := put1 cpus_vcpu c i _) in *. clearbody gl5.
  assert (SB : steps c a b) by (apply one_step; now apply Enters).
  assert (RB : runs b c v i). { unfold b, runs, enter. rewrite cpu_at_put, Z.eqb_refl. split; [reflexivity|]. split; [unfold CPU_HOST; lia|reflexivity]. }
  destruct (vcpu_facts c v i b RB _ _ ME) as ([_ _ _ _ NF [CX1 CX2] _] & _).
  apply wp_bind. eapply run_any; [exact ME|intros; now apply q_save_host|]. intros _ s1 M1.
  apply wp_bind. eapply wp_weaken; [eapply (run_quiet _ _ _ _ M1); intros; eapply k_load1; [reflexivity|lia]|]. cbn beta. intros t s2 (M2 & T & _).
  assert (t = context_page (vcpu_at b v i)) as ->. { rewrite (T eq_refl). apply (mid_vcpu _ _ _ _ v i M1 V I). } clear T.
  apply wp_bind. eapply run_any; [exact M2|intros; apply q_load_vcpu; auto; [eapply in_ram_hw; eauto|eapply context_untouched; eauto]|]. intros _ s3 M3.
  apply wp_bind. eapply run_any; [exact M3|intros V3 fine FV; eapply k_loop with (I := any); [q_arith|exact Logic.I|intros ? ? R _; quiet]|]. intros _ s4 M4.
  apply wp_bind. eapply run_any; [exact M4|intros V3 fine FV; eapply k_load2; [reflexivity|lia|q_arith]|]. intros t4 s5 M5.
  apply wp_bind. eapply run_any; [exact M5|intros; apply k_sysreg_write; q_arith|]. intros _ s6 M6.
  apply wp_bind. eapply wp_weaken; [eapply controls_vcpu_wp; [exact M6|exact V|exact NF]|]. cbn beta. intros _ s7 (M7' & _).
  assert (M7 : mid c (vttbr_of b) b s7).
  { eapply mid_eta; [exact M7'|]. intro d. unfold b. rewrite enter_vttbr by auto. destruct (d =? c); [|reflexivity]. f_equal. f_equal.
    assert (E : vm_at (enter c v i a) v = if v =? v then vm_at a v <| running ::= fun n => n + 1 |> else vm_at a v) by exact (vm_at_put v _ _ v).
    rewrite E, Z.eqb_refl. reflexivity. }
  clear M7' ME M1 M2 M3 M4 M5 M6.
  apply wp_bind. eapply run_any; [exact M7|intros; eapply k_load2; [reflexivity|lia|lia]|]. intros t5 s8 M8.
  apply wp_bind. eapply wp_weaken with (Q := fun _ s' => exists b', steps c a b' /\ runs b' c v i /\ mid c (vttbr_of b') b' s').
  - destruct (negb _); [|apply wp_ret; eauto].
    apply wp_bind. eapply run_any; [exact M8|intros; apply k_tlbi_local|]. intros _ s9 M9.
    apply wp_bind. eapply run_any; [exact M9|intros; now apply k_ic|]. intros _ s10 M10.
    apply wp_bind. eapply run_any; [exact M10|intros; now apply k_dsb|]. intros _ s11 M11.
    apply wp_bind. eapply run_any; [exact M11|intros; apply k_isb|]. intros _ [gl12 h12] M12.
    assert (WE : wrap U8 (wrap U32 (i + 1)) = i + 1) by (rewrite wrap32 by lia; unfold wrap; cbn [width]; apply Z.mod_small; lia). rewrite WE.
    apply wp_bind. eapply wp_known.
    { unfold store. assert (D : dims lasts_vcpu = [64; 8]) by reflexivity. rewrite D, place2 by lia. reflexivity. }
    cbn beta. apply wp_ret. exists (set_last v c (i + 1) b). split; [|split].
    + eapply steps_trans; [exact SB|]. apply one_step. now apply Lasts.
    + exact RB.
    + change (vttbr_of (set_last v c (i + 1) b)) with (vttbr_of b). exact (mid_last c _ b gl12 h12 v i RB M12).
  - cbn beta. intros _ [gl9 h9] (b' & S' & R' & M'). apply wp_bind. eapply answer_wp; [exact R'|exact M'|]. intros s' A. apply wp_ret, H. eapply after_steps; eauto.
Qed.

(** VCPU_RUN. *)

Theorem vcpu_run_wp : forall c a gl h vm vcpu (Q : Z -> MACH -> Prop), mid c (vttbr_of a) a (Mach gl h) -> cpu_vm (cpu_at a c) = CPU_HOST ->
  0 <= vm < 2 ^ 64 -> 0 <= vcpu < 2 ^ 64 -> (forall r s', after c a s' -> Q r s') -> wp (call_vcpu_run c vm vcpu) Q (Mach gl h).
Proof.
  intros c a gl h vm vcpu Q MI HO VM VC H. pose proof (mi_c _ _ _ _ MI) as CC. pose proof CC as C. unfold NIE_MAX_CPUS in C.
  assert (HQ : forall r s', mid c (vttbr_of a) a s' -> Q r s') by (intros; apply H; now apply after_quiet).
  unfold call_vcpu_run, vcpu_run_check, check_vm.
  destruct (Z.leb_spec NIE_MAX_VMS vm) as [L|L]; [apply wp_bind; apply wp_bind; apply wp_ret; apply wp_ret; change (negb (NIE_E_VM =? NIE_OK)) with true; cbn iota; apply wp_ret; auto|].
  assert (V : 0 <= vm < NIE_MAX_VMS) by lia. pose proof V as V'. unfold NIE_MAX_VMS in V'.
  destruct (mid_vm _ _ _ _ vm MI V) as ([_ HV _ _ _ _] & E1 & _). cbn [glob] in *.
  apply wp_bind. apply wp_bind. apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite E1.
  destruct (Z.eqb_spec (vm_state (vm_at a vm)) NIE_VM_ACTIVE) as [AC|AC]; cbn [negb].
  2:{ apply wp_bind. apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite E1. replace (vm_state (vm_at a vm) =? NIE_VM_ACTIVE) with false by lia.
      apply wp_ret. apply wp_ret. change (negb (NIE_E_VM_STATE =? NIE_OK)) with true. cbn iota. apply wp_ret. change (negb (NIE_E_VM_STATE =? NIE_OK)) with true. cbn iota. apply wp_ret. auto. }
  apply wp_bind. apply wp_ret. apply wp_ret. change (negb (NIE_OK =? NIE_OK)) with false. cbn iota.
  apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite HV.
  destruct (Z.leb_spec (vcpu_count (vm_at a vm)) vcpu) as [L2|L2]; [apply wp_ret; change (negb (NIE_E_VCPU =? NIE_OK)) with true; cbn iota; apply wp_ret; auto|].
  destruct (v_used _ (wf_v _ (so_wf _ (mi_sound _ _ _ _ MI))) vm V) as (_ & CNT & _); [rewrite AC; discriminate|].
  assert (I : 0 <= vcpu < NIE_MAX_VCPUS) by lia. pose proof I as I'. unfold NIE_MAX_VCPUS in I'.
  set (k := vm * NIE_MAX_VCPUS + vcpu). assert (KB : 0 <= k < 512) by (unfold k, NIE_MAX_VCPUS; lia).
  assert (KE : wrap U64 (wrap U64 (vm * NIE_MAX_VCPUS) + vcpu) = k) by (unfold k, NIE_MAX_VCPUS in *; rewrite !wrap64; rewrite ?wrap64; lia).
  destruct (mid_vcpu _ _ _ _ vm vcpu MI V I) as [U1 _ U3 _ _ _]. cbn [glob] in *. fold k in U1, U3.
  rewrite KE. apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite U1.
  destruct (Z.eqb_spec (vcpu_state (vcpu_at a vm vcpu)) VCPU_RUNNING) as [RR|RR]; [apply wp_ret; change (negb (NIE_E_BUSY =? NIE_OK)) with true; cbn iota; apply wp_ret; auto|].
  apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite U1.
  destruct (Z.eqb_spec (vcpu_state (vcpu_at a vm vcpu)) VCPU_READY) as [RD|RD]; cbn [negb];
    [apply wp_ret; change (negb (NIE_OK =? NIE_OK)) with false; cbn iota|apply wp_ret; change (negb (NIE_E_VCPU_STATE =? NIE_OK)) with true; cbn iota; apply wp_ret; auto].
  apply wp_bind. eapply wp_load1; [reflexivity|lia|]. cbn beta. rewrite U3.
  destruct (u_some _ (wf_u _ (so_wf _ (mi_sound _ _ _ _ MI))) vm vcpu V I) as (_ & _ & _ & _ & _ & RN & _); [rewrite RD; discriminate|].
  apply wp_bind. eapply run_any; [exact MI| |].
  { intros V3 fine FV. eapply k_loop with (I := any); [q_arith|exact Logic.I|]. intros j u R _. cbn [glob hw].
    eapply k_bind with (P := any); [apply k_host_read; [exact (in_ram_hw _ _ _ _ MI _ RN)|unfold is_word; q_consts; lia]|intros x _]. quiet. }
  intros _ s1 M1. apply wp_bind. eapply run_any; [exact M1|intros; now apply q_all_lrs|]. intros t [gl2 h2] M2.
  destruct (t =? 0); [apply wp_ret; auto|].
  rewrite (wrap32 vm), (wrap32 vcpu) by lia. apply wp_bind. eapply enter_vcpu_wp; [exact M2|exact HO|exact V|exact I|exact AC|exact RD|]. intros s3 A. apply wp_ret. auto.
Qed.
