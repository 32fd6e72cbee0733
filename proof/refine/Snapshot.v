(* SPDX-License-Identifier: Apache-2.0 *)
(* Between two steps of a trap the map, the VMs' and vCPUs' records and which vCPU is on which CPU are tracked
   exactly; the contents of registers are read off the machine at the end: [snapshot]. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.spec Require Import Core.
From nie.proof.refine Require Export Shared Quiet.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Fixpoint tab_nat {A} (n : nat) (f : Z -> A) (d : A) : Map.t A :=
  match n with O => Map.const d | S n' => Map.set (tab_nat n' f d) (Z.of_nat n') (f (Z.of_nat n')) end.
Definition tab {A} (n : Z) (f : Z -> A) (d : A) : Map.t A := tab_nat (Z.to_nat n) f d.
Lemma get_tab : forall A n (f : Z -> A) d i, 0 <= i < n -> Map.get (tab n f d) i = f i.
Proof.
  intros A n f d i I. unfold tab.
  assert (G : forall m, 0 <= i < Z.of_nat m -> Map.get (tab_nat m f d) i = f i).
  { induction m as [|m IH]; intros J; cbn [tab_nat]; [lia|]. rewrite Map.get_set. destruct (Z.eqb_spec i (Z.of_nat m)) as [->|]; auto. apply IH. lia. }
  apply G. lia.
Qed.
Global Opaque tab.

Definition no_cpu : processor := Processor (Map.const 0) (Map.const 0) (Map.const 0) (Map.const 0) 0 0 0 0 0.
Definition read_cpu (gl : globals) (c : Z) : processor :=
  Processor (tab 31 (fun i => at1 cpus_x gl (c * 31 + i)) 0) (tab 31 (fun i => at1 cpus_host_x gl (c * 31 + i)) 0)
    (tab REG_SWITCHED (fun i => at1 cpus_host_sysreg gl (c * REG_SWITCHED + i)) 0) (tab RUN_IN_END (fun i => at1 cpus_in gl (c * RUN_IN_END + i)) 0)
    (at1 cpus_entry gl c) (at1 cpus_argument gl c) (at1 cpus_vm gl c) (at1 cpus_vcpu gl c) (at1 cpus_started gl c).
Definition with_cpus (a : state) (gl : globals) : state := a <| cpus := tab NIE_MAX_CPUS (read_cpu gl) no_cpu |>.
Definition snapshot (a : state) (gl : globals) (h : Machine.hw) : state :=
  with_cpus a gl <| here := tab 128 (fun r => Map.get (reg h) (me h * 128 + r)) 0 |>
                 <| fp_here := tab 66 (fun i => Map.get (fp h) (me h * 128 + i)) 0 |>.

Definition runs_alike (a b : state) : Prop := forall c, 0 <= c < NIE_MAX_CPUS ->
  cpu_vm (cpu_at b c) = cpu_vm (cpu_at a c) /\ cpu_vcpu (cpu_at b c) = cpu_vcpu (cpu_at a c).

(* The globals are those of [a], but for the contents of CPUs' registers. *)
Record at_rest (a : state) (gl : globals) : Prop := {
  ar_holds : globals_hold (with_cpus a gl) gl;
  ar_runs : runs_alike (with_cpus a gl) a;
}.

Lemma cpu_read : forall gl c, cpu_holds gl c (read_cpu gl c).
Proof. intros gl c. constructor; try reflexivity; intros; unfold read_cpu; cbn [cpu_x host_x host_sysreg run_in]; now rewrite get_tab. Qed.
Lemma with_cpus_at : forall a gl c, 0 <= c < NIE_MAX_CPUS -> cpu_at (with_cpus a gl) c = read_cpu gl c.
Proof. intros a gl c C. exact (get_tab _ _ _ _ _ C). Qed.

(* All of [globals_hold] but the CPUs. *)
Lemma rest_intro : forall a gl b glb, globals_hold b glb -> (forall g, quiet_var g = false -> field g gl = field g glb) ->
  cfg a = cfg b -> owners a = owners b -> vms a = vms b -> vcpus a = vcpus b -> lasts a = lasts b ->
  globals_hold (with_cpus a gl) gl.
Proof.
  intros a gl b glb G E E1 E2 E3 E4 E5.
  assert (F : forall g i, quiet_var g = false -> at1 g gl i = at1 g glb i) by (intros; unfold at1; now rewrite E).
  assert (SO : forall f, (forall g, f g = true -> quiet_var g = false) -> same_on f glb gl) by (intros f D g X; auto).
  destruct a as [c1 c2 c3 c4 c5 c6 c7 c8 c9 c10 c11], b as [d1 d2 d3 d4 d5 d6 d7 d8 d9 d10 d11].
  cbn [cfg owners vms vcpus lasts] in E1, E2, E3, E4, E5. subst.
  constructor.
  - rewrite F by reflexivity. exact (g_base _ _ G).
  - rewrite F by reflexivity. exact (g_pages _ _ G).
  - rewrite F by reflexivity. exact (g_tables _ _ G).
  - rewrite F by reflexivity. exact (g_dev_base _ _ G).
  - rewrite F by reflexivity. exact (g_dev_pages _ _ G).
  - intros p P. cbn zeta. rewrite !F by reflexivity. exact (g_own _ _ G p P).
  - intros v V. rewrite !F by reflexivity. exact (g_vm _ _ G v V).
  - intros v V. eapply vm_same; [|exact (g_vms _ _ G v V)]. apply SO. now intros [].
  - intros v i V I. eapply vcpu_same; [|exact (g_vcpus _ _ G v i V I)]. apply SO. now intros [].
  - intros c C. rewrite with_cpus_at by auto. apply cpu_read.
  - intros v c V C. rewrite F by reflexivity. exact (g_lasts _ _ G v c V C).
Qed.

Lemma rest_of : forall a gl, globals_hold a gl -> at_rest a gl.
Proof.
  intros a gl G. split; [now apply rest_intro with (b := a) (glb := gl)|].
  intros c C. rewrite with_cpus_at by auto. destruct (g_cpus _ _ G c C). cbn. auto.
Qed.

Lemma rest_quiet : forall c a gl gl', at_rest a gl -> only_quiet c gl gl' -> at_rest a gl'.
Proof.
  intros c a gl gl' [G S] O. split; [eapply rest_intro with (1 := G); auto; apply O|].
  intros d D. specialize (S d D). rewrite with_cpus_at in * by auto. cbn in *. rewrite !(oq_at _ _ _ _ _ O) by reflexivity. auto.
Qed.

Lemma rest_runs : forall a gl c, at_rest a gl -> 0 <= c < NIE_MAX_CPUS ->
  at1 cpus_vm gl c = cpu_vm (cpu_at a c) /\ at1 cpus_vcpu gl c = cpu_vcpu (cpu_at a c).
Proof. intros a gl c [_ S] C. destruct (S c C) as [E F]. rewrite with_cpus_at in E, F by auto. auto. Qed.

(* Of the arrays of vCPUs and CPUs only the elements count. *)
Lemma rest_vcpus : forall a gl m, at_rest a gl -> (forall v i, 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS -> Map.get m (v * NIE_MAX_VCPUS + i) = vcpu_at a v i) ->
  at_rest (a <| vcpus := m |>) gl.
Proof.
  intros a gl m [[] S] E. split; [|exact S]. constructor; try assumption.
  intros v i V I. change (vcpu_holds gl (v * NIE_MAX_VCPUS + i) (Map.get m (v * NIE_MAX_VCPUS + i))). rewrite E by auto. exact (g_vcpus v i V I).
Qed.
Lemma rest_cpus : forall a gl m, at_rest a gl -> (forall c, 0 <= c < NIE_MAX_CPUS -> cpu_vm (Map.get m c) = cpu_vm (cpu_at a c) /\ cpu_vcpu (Map.get m c) = cpu_vcpu (cpu_at a c)) ->
  at_rest (a <| cpus := m |>) gl.
Proof.
  intros a gl m [[] S] E. split; [constructor; assumption|]. intros c C. destruct (S c C) as [S1 S2]. destruct (E c C) as [E1 E2].
  change (cpu_vm (Map.get m c) = cpu_vm (cpu_at (with_cpus a gl) c) /\ cpu_vcpu (Map.get m c) = cpu_vcpu (cpu_at (with_cpus a gl) c)). split; congruence.
Qed.

(** Stores to records. *)

Definition of_cpu_vm (g : gvar) : bool := match g with cpus_vm | cpus_vcpu => true | _ => false end.

Lemma vcpu_put_other : forall g gl k j x r, of_vcpu g = true -> j <> k -> vcpu_holds gl j r -> vcpu_holds (put1 g k x gl) j r.
Proof.
  intros g gl k j x r O N []. assert (C : constant_table g = false) by (destruct g; auto; discriminate).
  constructor; rewrite at_put by auto; destruct (gvar_dec _ g); auto; destruct (Z.eqb_spec j k); congruence.
Qed.

Lemma vcpu_index_inj : forall v i v' i', 0 <= i < NIE_MAX_VCPUS -> 0 <= i' < NIE_MAX_VCPUS ->
  v * NIE_MAX_VCPUS + i = v' * NIE_MAX_VCPUS + i' -> v = v' /\ i = i'.
Proof. unfold NIE_MAX_VCPUS. intros. lia. Qed.

Lemma vcpu_at_set : forall v i r a v' i', 0 <= i < NIE_MAX_VCPUS -> 0 <= i' < NIE_MAX_VCPUS ->
  vcpu_at (set_vcpu v i r a) v' i' = if (v' =? v) && (i' =? i) then r else vcpu_at a v' i'.
Proof.
  intros v i r a v' i' I I'. transitivity (Map.get (Map.set (vcpus a) (v * NIE_MAX_VCPUS + i) r) (v' * NIE_MAX_VCPUS + i')); [reflexivity|].
  rewrite Map.get_set. destruct (Z.eqb_spec (v' * NIE_MAX_VCPUS + i') (v * NIE_MAX_VCPUS + i)) as [E|E].
  - apply vcpu_index_inj in E as [-> ->]; auto. now rewrite !Z.eqb_refl.
  - destruct (Z.eqb_spec v' v), (Z.eqb_spec i' i); subst; auto; congruence.
Qed.
Lemma vm_at_set : forall v r a v', vm_at (set_vm v r a) v' = if v' =? v then r else vm_at a v'.
Proof. intros v r a v'. exact (Map.get_set _ (vms a) v r v'). Qed.
Lemma cpu_at_set : forall c r a d, cpu_at (set_cpu c r a) d = if d =? c then r else cpu_at a d.
Proof. intros c r a d. exact (Map.get_set _ (cpus a) c r d). Qed.

Lemma same_put : forall f g gl k x, f g = false -> same_on f gl (put1 g k x gl).
Proof. intros f g gl k x N g' F. apply field_set_other. intros ->. congruence. Qed.
Lemma at_put_other : forall g g' gl k x i, constant_table g' = false -> g <> g' -> at1 g (put1 g' k x gl) i = at1 g gl i.
Proof. intros g g' gl k x i C N. rewrite at_put by auto. now destruct (gvar_dec g g'). Qed.

Ltac oth G := rewrite ?at_put_other by (try reflexivity; discriminate); exact G.

Lemma rest_vcpu : forall a gl v i g x r, at_rest a gl -> 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS -> of_vcpu g = true ->
  vcpu_holds (put1 g (v * NIE_MAX_VCPUS + i) x gl) (v * NIE_MAX_VCPUS + i) r ->
  at_rest (set_vcpu v i r a) (put1 g (v * NIE_MAX_VCPUS + i) x gl).
Proof.
  intros a gl v i g x r [G S] V I O H.
  assert (C : constant_table g = false) by (destruct g; auto; discriminate).
  assert (F : forall g' j, of_vcpu g' = false -> at1 g' (put1 g (v * NIE_MAX_VCPUS + i) x gl) j = at1 g' gl j).
  { intros g' j N. apply at_put_other; auto. congruence. }
  assert (SO : forall f, (forall g, f g = true -> of_vcpu g = false) -> same_on f gl (put1 g (v * NIE_MAX_VCPUS + i) x gl)).
  { intros f D. apply same_put. destruct (f g) eqn:E; auto. apply D in E. congruence. }
  split.
  - constructor; rewrite ?F by reflexivity; try apply G.
    + intros p P. cbn zeta. rewrite !F by reflexivity. exact (g_own _ _ G p P).
    + intros w W. rewrite !F by reflexivity. exact (g_vm _ _ G w W).
    + intros w W. eapply vm_same; [|exact (g_vms _ _ G w W)]. apply SO. now intros [].
    + intros w j W J. change (vcpu_at (with_cpus (set_vcpu v i r a) (put1 g (v * NIE_MAX_VCPUS + i) x gl)) w j) with (vcpu_at (set_vcpu v i r a) w j).
      rewrite vcpu_at_set by auto. destruct (Z.eqb_spec w v) as [->|N]; [destruct (Z.eqb_spec j i) as [->|N]|]; cbn [andb]; auto.
      1,2: apply vcpu_put_other; [auto|intro E; apply vcpu_index_inj in E as [? ?]; auto; congruence|exact (g_vcpus _ _ G _ j W J)].
    + intros c D. rewrite with_cpus_at by auto. apply cpu_read.
    + intros w c W D. rewrite F by reflexivity. exact (g_lasts _ _ G w c W D).
  - intros c D. destruct (S c D) as [E1 E2]. rewrite with_cpus_at in * by auto. cbn in *. rewrite !F by reflexivity. auto.
Qed.

Lemma rest_vm : forall a gl v g x r, at_rest a gl -> 0 <= v < NIE_MAX_VMS ->
  match g with vms_running | vms_created | vms_state => True | _ => False end ->
  (at1 vms_state (put1 g v x gl) v = vm_state r /\ root r = root (vm_at a v) /\ ram_base r = ram_base (vm_at a v) /\
   ram_pages r = ram_pages (vm_at a v) /\ granules r = granules (vm_at a v)) -> vm_holds (put1 g v x gl) v r ->
  at_rest (set_vm v r a) (put1 g v x gl).
Proof.
  intros a gl v g x r [G S] V O M H.
  assert (C : constant_table g = false) by (destruct g; auto; contradiction).
  assert (F : forall g' j, match g' with vms_running | vms_created | vms_state => False | _ => True end -> at1 g' (put1 g v x gl) j = at1 g' gl j).
  { intros g' j N. apply at_put_other; auto. intros ->. destruct g; contradiction. }
  assert (SO : forall f, (forall g, f g = true -> match g with vms_running | vms_created | vms_state => False | _ => True end) -> same_on f gl (put1 g v x gl)).
  { intros f D. apply same_put. destruct (f g) eqn:E; auto. apply D in E. destruct g; contradiction. }
  assert (OT : forall g' j, j <> v -> at1 g' (put1 g v x gl) j = at1 g' gl j).
  { intros g' j N. rewrite at_put by auto. destruct (gvar_dec g' g); auto. destruct (Z.eqb_spec j v); congruence. }
  split.
  - constructor; rewrite ?F by exact Logic.I; try apply G.
    + intros p P. cbn zeta. rewrite !F by exact Logic.I. exact (g_own _ _ G p P).
    + intros w W. change (vm_at (with_cpus (set_vm v r a) (put1 g v x gl)) w) with (vm_at (set_vm v r a) w). rewrite vm_at_set.
      destruct (Z.eqb_spec w v) as [->|N].
      * destruct M as (M1 & M2 & M3 & M4 & M5). rewrite M1, M2, M3, M4, M5. split; auto. rewrite !F by exact Logic.I. apply (g_vm _ _ G v V).
      * rewrite !OT by auto. exact (g_vm _ _ G w W).
    + intros w W. change (vm_at (with_cpus (set_vm v r a) (put1 g v x gl)) w) with (vm_at (set_vm v r a) w). rewrite vm_at_set.
      destruct (Z.eqb_spec w v) as [->|N]; auto. pose proof (g_vms _ _ G w W) as []. constructor; rewrite ?OT by auto; auto.
      unfold sha256_refines.hash_of, sha256_refines.hash_word in *. now rewrite !F by exact Logic.I.
    + intros w j W J. eapply vcpu_same; [|exact (g_vcpus _ _ G w j W J)]. apply SO. now intros [].
    + intros c D. rewrite with_cpus_at by auto. apply cpu_read.
    + intros w c W D. rewrite F by exact Logic.I. exact (g_lasts _ _ G w c W D).
  - intros c D. destruct (S c D) as [E1 E2]. rewrite with_cpus_at in * by auto. cbn in *. rewrite !F by exact Logic.I. auto.
Qed.

Lemma rest_cpu : forall a gl c g x r, at_rest a gl -> 0 <= c < NIE_MAX_CPUS -> of_cpu_vm g = true ->
  cpu_vm r = at1 cpus_vm (put1 g c x gl) c -> cpu_vcpu r = at1 cpus_vcpu (put1 g c x gl) c ->
  at_rest (set_cpu c r a) (put1 g c x gl).
Proof.
  intros a gl c g x r [G S] D O H1 H2.
  assert (C : constant_table g = false) by (destruct g; auto; discriminate).
  assert (F : forall g' j, of_cpu_vm g' = false -> at1 g' (put1 g c x gl) j = at1 g' gl j).
  { intros g' j N. apply at_put_other; auto. congruence. }
  assert (SO : forall f, (forall g, f g = true -> of_cpu_vm g = false) -> same_on f gl (put1 g c x gl)).
  { intros f E. apply same_put. destruct (f g) eqn:X; auto. apply E in X. congruence. }
  split.
  - constructor; rewrite ?F by reflexivity; try apply G.
    + intros p P. cbn zeta. rewrite !F by reflexivity. exact (g_own _ _ G p P).
    + intros w W. rewrite !F by reflexivity. exact (g_vm _ _ G w W).
    + intros w W. eapply vm_same; [|exact (g_vms _ _ G w W)]. apply SO. now intros [].
    + intros w j W J. eapply vcpu_same; [|exact (g_vcpus _ _ G w j W J)]. apply SO. now intros [].
    + intros d E. rewrite with_cpus_at by auto. apply cpu_read.
    + intros w d W E. rewrite F by reflexivity. exact (g_lasts _ _ G w d W E).
  - intros d E. rewrite cpu_at_set, with_cpus_at by auto. destruct (Z.eqb_spec d c) as [->|N]; [cbn; auto|].
    destruct (S d E) as [E1 E2]. rewrite with_cpus_at in * by auto. cbn in *.
    rewrite !at_put by auto. destruct (gvar_dec cpus_vm g), (gvar_dec cpus_vcpu g); destruct (Z.eqb_spec d c); try congruence; auto.
Qed.

Lemma rest_last : forall a gl v c x, at_rest a gl -> 0 <= v < NIE_MAX_VMS -> 0 <= c < NIE_MAX_CPUS ->
  at_rest (set_last v c x a) (put1 lasts_vcpu (v * NIE_MAX_CPUS + c) x gl).
Proof.
  intros a gl v c x [G S] V C.
  assert (F : forall g' j, g' <> lasts_vcpu -> at1 g' (put1 lasts_vcpu (v * NIE_MAX_CPUS + c) x gl) j = at1 g' gl j).
  { intros g' j N. apply at_put_other; auto. }
  assert (SO : forall f, f lasts_vcpu = false -> same_on f gl (put1 lasts_vcpu (v * NIE_MAX_CPUS + c) x gl)).
  { intros f E. now apply same_put. }
  split.
  - constructor; [rewrite F by discriminate; apply G | rewrite F by discriminate; apply G | rewrite F by discriminate; apply G |
      rewrite F by discriminate; apply G | rewrite F by discriminate; apply G | | | | | |].
    + intros p P. cbn zeta. rewrite !F by discriminate. exact (g_own _ _ G p P).
    + intros w W. rewrite !F by discriminate. exact (g_vm _ _ G w W).
    + intros w W. eapply vm_same; [|exact (g_vms _ _ G w W)]. now apply SO.
    + intros w j W J. eapply vcpu_same; [|exact (g_vcpus _ _ G w j W J)]. now apply SO.
    + intros d E. rewrite with_cpus_at by auto. apply cpu_read.
    + intros w d W E. rewrite at_put by reflexivity. cbn. change (last_at (with_cpus (set_last v c x a) (put1 lasts_vcpu (v * NIE_MAX_CPUS + c) x gl)) w d) with (last_at (set_last v c x a) w d).
      transitivity (Map.get (Map.set (lasts a) (v * NIE_MAX_CPUS + c) x) (w * NIE_MAX_CPUS + d)); [|reflexivity]. rewrite Map.get_set.
      destruct (_ =? _); auto. exact (g_lasts _ _ G w d W E).
  - intros d E. destruct (S d E) as [E1 E2]. rewrite with_cpus_at in * by auto. cbn in *. rewrite !F by discriminate. auto.
Qed.
