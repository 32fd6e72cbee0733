(* SPDX-License-Identifier: Apache-2.0 *)
(* A machine to which the theorems apply: 4 MiB of RAM, one VM with one page at IPA 0x1000, its vCPU running on CPU 1,
   whose TLB holds that page. It shows that the premise [R] can be met; security/scrub_before_flush.v starts from it. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From RecordUpdate Require Import RecordSet.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning page_remove_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Fixpoint tabulate {A} (n : nat) (i : Z) (f : Z -> A) (m : Map.t A) : Map.t A :=
  match n with O => m | S n' => Map.set (tabulate n' (i + 1) f m) i (f i) end.

Lemma get_tabulate : forall A n i (f : Z -> A) m j, Map.get (tabulate n i f m) j =
  if (i <=? j) && (j <? i + Z.of_nat n) then f j else Map.get m j.
Proof.
  induction n as [|n IH]; intros i f m j; cbn [tabulate].
  - destruct (Z.leb_spec i j), (Z.ltb_spec j (i + Z.of_nat 0)); cbn; auto; lia.
  - rewrite Map.get_set, IH. destruct (Z.eqb_spec j i) as [E|E];
      destruct (Z.leb_spec (i + 1) j), (Z.ltb_spec j (i + 1 + Z.of_nat n)), (Z.leb_spec i j), (Z.ltb_spec j (i + Z.of_nat (S n)));
      cbn; auto; try lia; now rewrite E.
Qed.

Definition w_owner (p : Z) : owner :=
  if (512 <=? p) && (p <? 1024) then Engine
  else if p =? 1024 then Table 0 1 0 else if p =? 1025 then Table 0 2 0 else if p =? 1026 then Table 0 3 0
  else if p =? 1027 then Data 0 1 else if p =? 1028 then Vcpu 0 0 else if p =? 1029 then Run 0 0 else Host.

Definition w_cfg : config := Config 512 1024 512 512 512 0 0 (fun _ => false) 0 2.
Definition w_record : vm := Vm NIE_VM_ACTIVE 1024 1 16 0 6 1 1 1 [] true.
Definition w_vcpu : vcpu := Vcpu_record VCPU_RUNNING 1028 1029 1 0 0.
Definition w_zeros : Map.t Z := Map.const 0.
Definition w_host : processor := Processor w_zeros w_zeros w_zeros w_zeros 0 0 CPU_HOST 0 0.
Definition w_guest : processor := w_host <| cpu_vm := 0 |>.
Definition w_a : state :=
  set_slot 0 1 0 (ToTable 1025) (set_slot 0 2 0 (ToTable 1026) (set_slot 0 3 1 (ToPage 1027)
    (State w_cfg (tabulate 518 512 w_owner (Map.const Host)) (Map.const (Map.const (Map.const Empty)))
       (Map.set (Map.const Unmapped) 2 Split)
       (Map.set (Map.const no_vm) 0 w_record) (Map.set (Map.const no_vcpu) 0 w_vcpu) (Map.const w_zeros)
       (Map.set (Map.const w_host) 1 w_guest) w_zeros (Map.const (512 * 4096)) w_zeros))).

(* The host's last table, for the second 2 MiB of RAM. *)
Definition w_shown (w : Z) : Z := let p := 1024 + (w - 515 * 512) in if p <? 1029 then 0 else p * 4096 + 2047.
Definition w_mem : Map.t Z :=
  tabulate 512 (515 * 512) w_shown
    (Map.set (Map.set (Map.set (Map.set (Map.set (Map.const 0) (512 * 512) (513 * 4096 + 3)) (513 * 512 + 2) (515 * 4096 + 3))
      (1024 * 512) (1025 * 4096 + 3)) (1025 * 512) (1026 * 4096 + 3)) (1026 * 512 + 1) (1027 * 4096 + 2047)).

Definition w_entry : entry := Entry 1 1 3 1 (1027 * 4096 + 2047) false.
Definition w_hw : Machine.hw :=
  Hw w_mem [] [w_entry] (Map.set (Map.const (512 * 4096)) (1 * 128 + 41) (1 * 2 ^ 48 + 1024 * 4096)) (Map.const 0) 0
     (512, 1536) (512, 1024) (fun _ => 0) 0 [] (fun _ => False) (fun _ _ _ => False) True.

Definition g_of (f : Z * Z * Z * Z -> Z) : Map.t Z := tabulate 518 0 (fun i => f (owner_words (w_owner (i + 512)))) (Map.const 0).
(* SHA-256 of nothing. *)
Definition w_hash : Map.t Z :=
  of_list [0xe3b0c442; 0x98fc1c14; 0x9afbf4c8; 0x996fb924; 0x27ae41e4; 0x649b934c; 0xa495991b; 0x7852b855] 0.
Definition w_gl : globals :=
  let put g i v gl := put1 g i v gl in
  put config_word MAN_RAM_BASE 512 (put config_word MAN_RAM_PAGES 1024 (put config_word MAN_TABLES 512
  (put vms_state 0 NIE_VM_ACTIVE (put vms_root 0 1024 (put vms_ram_base 0 1 (put vms_ram_pages 0 16 (put vms_granules 0 6
  (put vms_vcpus 0 1 (put vms_running 0 1 (put vms_created 0 1 (set_field vms_hash w_hash
  (put vcpus_state 0 VCPU_RUNNING (put vcpus_context 0 1028 (put vcpus_run 0 1029 (put vcpus_cpu 0 1
  (set_field cpus_vm (Map.set (Map.const CPU_HOST) 1 0)
  (set_field granules_state (g_of (fun w => fst (fst (fst w)))) (set_field granules_vm (g_of (fun w => snd (fst (fst w))))
  (set_field granules_level (g_of (fun w => snd (fst w))) (set_field granules_key (g_of snd) zero_globals)))))))))))))))))))).

Definition w_s : mach globals Machine.hw := Mach w_gl w_hw.

Lemma w_own : forall p, own w_a p = w_owner p.
Proof.
  intro p. change (own w_a p) with (Map.get (tabulate 518 512 w_owner (Map.const Host)) p). rewrite get_tabulate, Map.get_const.
  change (512 + Z.of_nat 518) with 1030. destruct ((512 <=? p) && (p <? 1030)) eqn:E; auto.
  unfold w_owner. replace ((512 <=? p) && (p <? 1024)) with false by lia.
  replace (p =? 1024) with false by lia. replace (p =? 1025) with false by lia.
  replace (p =? 1026) with false by lia. replace (p =? 1027) with false by lia.
  replace (p =? 1028) with false by lia. now replace (p =? 1029) with false by lia.
Qed.

Lemma w_slot : forall v l k, slot_at w_a v l k =
  if (v =? 0) && (l =? 1) && (k =? 0) then ToTable 1025 else
  if (v =? 0) && (l =? 2) && (k =? 0) then ToTable 1026 else
  if (v =? 0) && (l =? 3) && (k =? 1) then ToPage 1027 else Empty.
Proof.
  intros. unfold w_a. rewrite !slot_set.
  destruct ((v =? 0) && (l =? 1) && (k =? 0)); auto. destruct ((v =? 0) && (l =? 2) && (k =? 0)); auto.
  destruct ((v =? 0) && (l =? 3) && (k =? 1)); auto. unfold slot_at. cbn [slots]. now rewrite !Map.get_const.
Qed.

Lemma w_mode : forall g, mode_at w_a g = if g =? 2 then Split else Unmapped.
Proof. intro g. change (mode_at w_a g) with (Map.get (Map.set (Map.const Unmapped) 2 Split) g). now rewrite Map.get_set, Map.get_const. Qed.

Lemma w_vm : forall v, vm_at w_a v = if v =? 0 then w_record else no_vm.
Proof. intro v. change (vm_at w_a v) with (Map.get (Map.set (Map.const no_vm) 0 w_record) v). now rewrite Map.get_set, Map.get_const. Qed.
Lemma w_vcpu_at : forall v i, vcpu_at w_a v i = if v * 8 + i =? 0 then w_vcpu else no_vcpu.
Proof.
  intros v i. change (vcpu_at w_a v i) with (Map.get (Map.set (Map.const no_vcpu) 0 w_vcpu) (v * 8 + i)). now rewrite Map.get_set, Map.get_const.
Qed.
Lemma w_cpu : forall c, cpu_at w_a c = if c =? 1 then w_guest else w_host.
Proof. intro c. change (cpu_at w_a c) with (Map.get (Map.set (Map.const w_host) 1 w_guest) c). now rewrite Map.get_set, Map.get_const. Qed.
Lemma w_last : forall v c, last_at w_a v c = 0.
Proof. intros. change (last_at w_a v c) with (Map.get w_zeros (v * 8 + c)). apply Map.get_const. Qed.

Lemma w_ram : forall p, in_ram w_a p = (512 <=? p) && (p <? 1536).
Proof. reflexivity. Qed.

Ltac cases := repeat match goal with
  | H : context [if ?b then _ else _] |- _ => destruct b eqn:?; try discriminate
  end.
Ltac slots := repeat match goal with H : context [slot_at w_a _ _ _] |- _ => rewrite w_slot in H end; cases.

Lemma owner_is : forall p, 512 <= p < 1024 /\ w_owner p = Engine \/ p = 1024 /\ w_owner p = Table 0 1 0 \/ p = 1025 /\ w_owner p = Table 0 2 0 \/
  p = 1026 /\ w_owner p = Table 0 3 0 \/ p = 1027 /\ w_owner p = Data 0 1 \/ p = 1028 /\ w_owner p = Vcpu 0 0 \/ p = 1029 /\ w_owner p = Run 0 0 \/
  (p < 512 \/ 1030 <= p) /\ w_owner p = Host.
Proof.
  intro p. unfold w_owner. destruct ((512 <=? p) && (p <? 1024)) eqn:?; [left; split; auto; lia|].
  destruct (Z.eqb_spec p 1024); [auto 6|]. destruct (Z.eqb_spec p 1025); [auto 6|]. destruct (Z.eqb_spec p 1026); [auto 8|].
  destruct (Z.eqb_spec p 1027); [auto 8|]. destruct (Z.eqb_spec p 1028); [auto 10|]. destruct (Z.eqb_spec p 1029); [auto 12|].
  do 7 right. split; auto. lia.
Qed.

Ltac owner_of p := destruct (owner_is p) as [[? ?]|[[? ?]|[[? ?]|[[? ?]|[[? ?]|[[? ?]|[[? ?]|[? ?]]]]]]]].

Lemma w_how_many : forall v f, 0 <= v -> f no_vcpu = false -> f w_vcpu = true -> how_many w_a v f = if v =? 0 then 1 else 0.
Proof.
  intros v f V N S. unfold how_many. destruct (Z.eqb_spec v 0) as [->|E].
  - cbn [Z.to_nat NIE_MAX_VCPUS Pos.to_nat]. change (Pos.to_nat 8) with 8%nat. cbn [seq filter]. rewrite !w_vcpu_at. cbn. now rewrite S, !N.
  - assert (F : filter (fun i => f (vcpu_at w_a v (Z.of_nat i))) (seq 0 (Z.to_nat NIE_MAX_VCPUS)) = []).
    { generalize (seq 0 (Z.to_nat NIE_MAX_VCPUS)). induction l as [|i l IH]; cbn [filter]; auto. rewrite w_vcpu_at.
      destruct (Z.eqb_spec (v * 8 + Z.of_nat i) 0); [lia|]. now rewrite N. }
    now rewrite F.
Qed.

Lemma w_wf_vms : wf_vms w_a.
Proof.
  constructor; intros v; rewrite ?w_vm; unfold NIE_MAX_VMS.
  - intros V F. destruct (v =? 0); [discriminate|]. split; auto. intros. apply w_last.
  - intros V F. destruct (v =? 0); [|now destruct F]. cbn. unfold NIE_VM_FREE, NIE_VM_ACTIVE, NIE_VM_STOPPED, NIE_MAX_VCPUS. lia.
  - intros V. destruct (v =? 0); split; auto; discriminate.
  - intros V. rewrite w_how_many by (auto; lia). now destruct (v =? 0).
  - intros V. rewrite w_how_many by (auto; lia). now destruct (v =? 0).
  - intros c V C. rewrite w_last. unfold NIE_MAX_VCPUS. lia.
Qed.

Lemma w_wf_vcpus : wf_vcpus w_a.
Proof.
  constructor.
  - intros v i V I. rewrite w_vcpu_at. destruct (v * 8 + i =? 0); [discriminate|auto].
  - intros v i V I. rewrite w_vcpu_at. destruct (v * 8 + i =? 0) eqn:E; [|intro H; now destruct H]. unfold NIE_MAX_VCPUS in I.
    assert (v = 0 /\ i = 0) as [-> ->] by lia. intros _. rewrite w_vm, !w_own. cbn. unfold VCPU_NONE, VCPU_RUNNING. repeat split; try lia; discriminate.
  - intros v i V I. cbn zeta. rewrite w_vcpu_at. destruct (v * 8 + i =? 0) eqn:E; [|discriminate]. unfold NIE_MAX_VCPUS in I.
    assert (v = 0 /\ i = 0) as [-> ->] by lia. intros _. rewrite w_cpu. cbn. unfold NIE_MAX_CPUS. lia.
  - intros c C. cbn zeta. rewrite w_cpu. destruct (Z.eqb_spec c 1) as [->|]; [|intro H; now destruct H]. intros _. rewrite w_vcpu_at. cbn.
    unfold NIE_MAX_VMS, NIE_MAX_VCPUS. lia.
Qed.

Lemma w_wf : wf w_a.
Proof.
  constructor.
  - constructor; cbn; unfold GRANULES_MAX; try lia; try discriminate.
  - cbn. intros p H. rewrite w_own. owner_of p; auto; lia.
  - intros g H. rewrite w_mode in H. destruct (g =? 2) eqn:E; [|congruence]. apply Z.eqb_eq in E. rewrite E. split; [lia|]. left. reflexivity.
  - intros g j H. rewrite w_mode in H. cases.
  - intros p H N. rewrite w_own in N. rewrite w_mode. rewrite w_ram in H.
    owner_of p; try congruence;
      (replace (p / 512 =? 2) with true by lia); discriminate.
  - intros v l k p H. slots; injection H as <-.
    + assert (v = 0 /\ l = 1 /\ k = 0) as (-> & -> & ->) by lia. repeat split; auto; try lia; now rewrite w_own.
    + assert (v = 0 /\ l = 2 /\ k = 0) as (-> & -> & ->) by lia. repeat split; auto; try lia; now rewrite w_own.
  - intros v l k p H. slots.
  - intros v l k p H. slots. injection H as <-.
    assert (v = 0 /\ l = 3 /\ k = 1) as (-> & -> & ->) by lia. repeat split; auto; try lia; now rewrite w_own.
  - intros v l k p H. slots.
  - intros v l k H. rewrite w_slot in H. unfold NIE_MAX_VMS.
    destruct ((v =? 0) && (l =? 1) && (k =? 0)) eqn:E1; [|destruct ((v =? 0) && (l =? 2) && (k =? 0)) eqn:E2;
      [|destruct ((v =? 0) && (l =? 3) && (k =? 1)) eqn:E3; [|congruence]]].
    + assert (v = 0 /\ l = 1 /\ k = 0) as (-> & -> & ->) by lia. rewrite w_vm. repeat split; try lia. discriminate.
    + assert (v = 0 /\ l = 2 /\ k = 0) as (-> & -> & ->) by lia. rewrite w_vm. repeat split; try lia; [discriminate|].
      intros _. exists 1025. rewrite w_slot. reflexivity.
    + assert (v = 0 /\ l = 3 /\ k = 1) as (-> & -> & ->) by lia. rewrite w_vm. repeat split; try lia; [discriminate|].
      intros _. exists 1026. rewrite w_slot. reflexivity.
  - intros v V N. rewrite w_vm in *. destruct (Z.eqb_spec v 0) as [->|]; [|now destruct N].
    split; [reflexivity|]. rewrite w_own. reflexivity.
  - exact w_wf_vms.
  - exact w_wf_vcpus.
Qed.

Lemma w_onto : onto w_a.
Proof.
  constructor; intros p v; intros;
    match goal with H : own w_a p = _ |- _ => rewrite w_own in H;
      destruct (owner_is p) as [[? E]|[[? E]|[[? E]|[[? E]|[[? E]|[[? E]|[[? E]|[? E]]]]]]]]; rewrite E in H; try discriminate; injection H; intros; subst end.
  - left. rewrite w_slot. reflexivity.
  - left. rewrite w_vm. auto.
  - right. rewrite w_slot. reflexivity.
  - right. rewrite w_slot. reflexivity.
  - rewrite w_vcpu_at. cbn. unfold NIE_MAX_VMS, NIE_MAX_VCPUS. repeat split; try lia. discriminate.
  - rewrite w_vcpu_at. cbn. unfold NIE_MAX_VMS, NIE_MAX_VCPUS. repeat split; try lia. discriminate.
Qed.

Lemma w_counted : Counting.counted w_a.
Proof.
  assert (C : forallb (fun v => granules (vm_at w_a v) =? Counting.pages_of w_a v) (map Z.of_nat (seq 0 64)) = true) by (vm_compute; reflexivity).
  intros v V. unfold NIE_MAX_VMS in V. apply Z.eqb_eq. rewrite forallb_forall in C. apply C. apply in_map_iff.
  exists (Z.to_nat v). split; [lia|]. apply in_seq. lia.
Qed.

Lemma w_globals : globals_hold w_a w_gl.
Proof.
  constructor.
  1-5: vm_compute; reflexivity.
  - intros p H. rewrite w_ram in H. cbn zeta. rewrite w_own. change (ram_first (cfg w_a)) with 512.
    assert (G : forall f, Map.get (g_of f) (p - 512) = f (owner_words (w_owner p)) \/ (p >= 1030 /\ Map.get (g_of f) (p - 512) = 0)).
    { intro f. unfold g_of. rewrite get_tabulate, Map.get_const.
      change (0 + Z.of_nat 518) with 518. destruct ((0 <=? p - 512) && (p - 512 <? 518)) eqn:E; [left; do 3 f_equal; lia|right; split; auto; lia]. }
    assert (HH : p >= 1030 -> w_owner p = Host).
    { intro L. owner_of p; auto; lia. }
    change (at1 granules_zero w_gl (p - 512)) with (Map.get (Map.const 0) (p - 512)).
    change (at1 granules_state w_gl (p - 512)) with (Map.get (g_of (fun w => fst (fst (fst w)))) (p - 512)).
    change (at1 granules_vm w_gl (p - 512)) with (Map.get (g_of (fun w => snd (fst (fst w)))) (p - 512)).
    change (at1 granules_level w_gl (p - 512)) with (Map.get (g_of (fun w => snd (fst w))) (p - 512)).
    change (at1 granules_key w_gl (p - 512)) with (Map.get (g_of snd) (p - 512)).
    split; [|apply Map.get_const].
    destruct (G (fun w => fst (fst (fst w)))) as [-> |[L ->]], (G (fun w => snd (fst (fst w)))) as [-> |[L' ->]],
      (G (fun w => snd (fst w))) as [-> |[L'' ->]], (G snd) as [-> |[L''' ->]];
      try (rewrite HH by lia; reflexivity); destruct (owner_words (w_owner p)) as [[[? ?] ?] ?]; reflexivity.
  - intros v V. rewrite w_vm.
    change (at1 vms_state w_gl v) with (Map.get (Map.set (Map.const 0) 0 NIE_VM_ACTIVE) v).
    change (at1 vms_root w_gl v) with (Map.get (Map.set (Map.const 0) 0 1024) v).
    change (at1 vms_ram_base w_gl v) with (Map.get (Map.set (Map.const 0) 0 1) v).
    change (at1 vms_ram_pages w_gl v) with (Map.get (Map.set (Map.const 0) 0 16) v).
    change (at1 vms_granules w_gl v) with (Map.get (Map.set (Map.const 0) 0 6) v).
    rewrite !Map.get_set, !Map.get_const. destruct (v =? 0); auto.
  - intros v V. rewrite w_vm. constructor.
    + change (at1 vms_cntvoff w_gl v) with (Map.get (Map.const 0) v). rewrite Map.get_const. now destruct (v =? 0).
    + change (at1 vms_vcpus w_gl v) with (Map.get (Map.set (Map.const 0) 0 1) v). rewrite Map.get_set, Map.get_const. now destruct (v =? 0).
    + change (at1 vms_running w_gl v) with (Map.get (Map.set (Map.const 0) 0 1) v). rewrite Map.get_set, Map.get_const. now destruct (v =? 0).
    + change (at1 vms_created w_gl v) with (Map.get (Map.set (Map.const 0) 0 1) v). rewrite Map.get_set, Map.get_const. now destruct (v =? 0).
    + assert (N : forall k, 0 <= k < 8 -> sha256_refines.hash_word w_gl v k = if v =? 0 then Map.get w_hash k else 0).
      { intros k K. unfold sha256_refines.hash_word. change (at1 vms_hash w_gl (v * 8 + k)) with (Map.get w_hash (v * 8 + k)).
        destruct (Z.eqb_spec v 0) as [->|]; [reflexivity|]. unfold w_hash, of_list. cbn [of_list_from]. rewrite !Map.get_set, Map.get_const.
        repeat match goal with |- context [?x =? ?y] => destruct (Z.eqb_spec x y); [lia|] end. reflexivity. }
      unfold sha256_refines.hash_of. rewrite !N by lia. destruct (v =? 0); [vm_compute|]; reflexivity.
    + exists 0%nat. change (at1 vms_hashed w_gl v) with (Map.get (Map.const 0) v). rewrite Map.get_const. now destruct (v =? 0).
  - intros v i V I. rewrite w_vcpu_at. constructor.
    1: change (at1 vcpus_state w_gl (v * NIE_MAX_VCPUS + i)) with (Map.get (Map.set (Map.const 0) 0 VCPU_RUNNING) (v * 8 + i)).
    2: change (at1 vcpus_context w_gl (v * NIE_MAX_VCPUS + i)) with (Map.get (Map.set (Map.const 0) 0 1028) (v * 8 + i)).
    3: change (at1 vcpus_run w_gl (v * NIE_MAX_VCPUS + i)) with (Map.get (Map.set (Map.const 0) 0 1029) (v * 8 + i)).
    4: change (at1 vcpus_cpu w_gl (v * NIE_MAX_VCPUS + i)) with (Map.get (Map.set (Map.const 0) 0 1) (v * 8 + i)).
    5: change (at1 vcpus_pending w_gl (v * NIE_MAX_VCPUS + i)) with (Map.get (Map.const 0) (v * 8 + i)).
    6: change (at1 vcpus_syndrome w_gl (v * NIE_MAX_VCPUS + i)) with (Map.get (Map.const 0) (v * 8 + i)).
    all: rewrite ?Map.get_set, Map.get_const; now destruct (v * 8 + i =? 0).
  - intros c C. rewrite w_cpu.
    assert (X : forall i, Map.get w_zeros i = 0) by (intro; apply Map.get_const).
    constructor; intros; try (destruct (c =? 1); cbn [w_guest w_host cpu_x host_x host_sysreg run_in]; exact (eq_trans (Map.get_const _ 0 _) (eq_sym (X _))));
      try (destruct (c =? 1); exact (Map.get_const _ 0 c)).
    change (at1 cpus_vm w_gl c) with (Map.get (Map.set (Map.const CPU_HOST) 1 0) c). rewrite Map.get_set, Map.get_const. now destruct (c =? 1).
  - intros v c V C. rewrite w_last. exact (Map.get_const _ 0 _).
Qed.

Lemma get_mem : forall w, Map.get w_mem w =
  if (515 * 512 <=? w) && (w <? 516 * 512) then w_shown w else
  if w =? 1026 * 512 + 1 then 1027 * 4096 + 2047 else if w =? 1025 * 512 then 1026 * 4096 + 3 else
  if w =? 1024 * 512 then 1025 * 4096 + 3 else if w =? 513 * 512 + 2 then 515 * 4096 + 3 else
  if w =? 512 * 512 then 513 * 4096 + 3 else 0.
Proof.
  intro w. unfold w_mem. rewrite get_tabulate, !Map.get_set, Map.get_const.
  change (515 * 512 + Z.of_nat 512) with (516 * 512). reflexivity.
Qed.

Lemma w_access : forall p, State.host_may_access w_a p = (1029 <=? p) && (p <? 1536).
Proof.
  intro p. unfold State.host_may_access. rewrite w_ram, w_own. change (device (cfg w_a) p) with false.
  destruct ((512 <=? p) && (p <? 1536)) eqn:E; [|symmetry; lia].
  destruct (owner_is p) as [[? ->]|[[? ->]|[[? ->]|[[? ->]|[[? ->]|[[? ->]|[[? ->]|[? ->]]]]]]]]; symmetry; lia.
Qed.

Ltac by_word := rewrite get_mem; unfold is_word in *; repeat match goal with
  | |- context [(?a <=? ?b) && (?c <? ?d)] => destruct ((a <=? b) && (c <? d)) eqn:?
  | |- context [?a =? ?b] => destruct (a =? b) eqn:?
  end; try lia; try reflexivity.

Lemma w_tables : tables_hold w_a (Map.get w_mem).
Proof.
  constructor.
  - intros p v l k i H O I. rewrite w_own in O.
    destruct (owner_is p) as [[? E]|[[? E]|[[? E]|[[? E]|[[? E]|[[? E]|[[? E]|[? E]]]]]]]]; rewrite E in O; try discriminate; injection O; intros; subst;
      rewrite w_slot; cbn [Z.eqb Pos.eqb andb]; by_word; norm; lia.
  - intros i I. change (host_tables (cfg w_a)) with 512. unfold henc. change (gib_count w_a) with 1. change (host_tables (cfg w_a)) with 512.
    cbn [Z.eqb Pos.eqb]. by_word; norm; lia.
  - intros j i J I. change (gib_count w_a) with 1 in J. assert (j = 0) by lia. subst j. change (host_tables (cfg w_a) + 1 + 0) with 513.
    unfold henc. cbn [Z.eqb Pos.eqb]. rewrite w_mode. change (0 * 512 + i) with i.
    destruct (Z.eqb_spec i 2) as [->|]; [reflexivity|]. by_word.
  - intros g i [G [M|M]] I; [|cbn in M; lia]. rewrite w_ram in M. assert (g = 1 \/ g = 2) as [-> | ->] by lia.
    + change (level3 w_a 1) with 514. unfold henc. cbn [Z.eqb Pos.eqb]. rewrite w_access. by_word.
    + change (level3 w_a 2) with 515. unfold henc. cbn [Z.eqb Pos.eqb]. rewrite w_access, get_mem. unfold is_word in I.
      replace ((515 * 512 <=? 515 * 512 + i) && (515 * 512 + i <? 516 * 512)) with true by lia. unfold w_shown.
      replace (1024 + (515 * 512 + i - 515 * 512)) with (2 * 512 + i) by lia. unfold attributes. rewrite w_ram.
      destruct (Z.ltb_spec (2 * 512 + i) 1029).
      * replace ((1029 <=? 2 * 512 + i) && (2 * 512 + i <? 1536)) with false by lia. reflexivity.
      * replace ((1029 <=? 2 * 512 + i) && (2 * 512 + i <? 1536)) with true by lia.
        replace ((512 <=? 2 * 512 + i) && (2 * 512 + i <? 1536)) with true by lia. reflexivity.
  - intros p v i j H O I. rewrite w_own in O.
    destruct (owner_is p) as [[? E]|[[? E]|[[? E]|[[? E]|[[? E]|[[? E]|[[? E]|[? E]]]]]]]]; rewrite E in O; try discriminate. subst p.
    change (saved_at w_a v i j) with (Map.get (Map.get (Map.const w_zeros) (v * 8 + i)) j). rewrite !Map.get_const.
    injection O as <- <-. change (Map.get w_zeros j) with (Map.get (Map.const 0) j). rewrite Map.get_const. by_word.
Qed.

Lemma w_registers : registers_hold w_a w_hw.
Proof.
  constructor.
  - cbn. unfold NIE_MAX_CPUS. lia.
  - intros r H. change (here w_a) with (Map.const (512 * 4096)). unfold w_hw. cbn [reg me]. rewrite Map.get_set, !Map.get_const.
    now replace (0 * 128 + r =? 1 * 128 + 41) with false by lia.
  - intros i H. change (fp_here w_a) with (Map.const 0). unfold w_hw. cbn [fp]. now rewrite !Map.get_const.
  - intro c. unfold vttbr, w_hw, VTTBR_EL2. cbn [reg]. rewrite Map.get_set, Map.get_const. unfold vttbr_of, NIE_MAX_CPUS. rewrite w_cpu.
    replace (c * 128 + 41 =? 1 * 128 + 41) with (c =? 1) by (apply eq_true_iff_eq; lia).
    destruct (Z.eqb_spec c 1) as [->|]; cbn [cpu_vm w_guest w_host Z.eqb negb andb].
    + change (cpu_vm w_guest) with 0. rewrite w_vm. vm_compute. reflexivity.
    + change (cpu_vm w_host =? CPU_HOST) with true. cbn [negb]. rewrite andb_false_r. reflexivity.
Qed.

(* The premise of the theorems can be met. *)
Theorem witness : R w_a w_s.
Proof.
  pose proof (Aset_closed _ w_wf _ w_tables) as C.
  constructor; auto using w_wf, w_onto, w_globals, w_registers, w_counted.
  exists (Map.get w_mem). split; [|exact w_tables]. constructor; auto.
  - intros e [<-|[]]. right. exists 0. cbn. unfold NIE_MAX_VMS. split; [auto|]. split; [lia|]. right. split; [lia|]. rewrite w_slot. auto.
  - intros e [<-|[]] _. right. exists 0. cbn. unfold NIE_MAX_VMS. split; [auto|]. split; [lia|]. right. split; [lia|]. rewrite w_slot. auto.
  - intro c. unfold root_vmid, root_desc, vttbr, w_s, w_hw. cbn [hw reg]. rewrite Map.get_set, Map.get_const. unfold VTTBR_EL2.
    destruct (c * 128 + 41 =? 1 * 128 + 41).
    + right. exists 0. unfold NIE_MAX_VMS. split; [reflexivity|]. split; [lia|]. left. repeat split; try reflexivity. rewrite w_vm. discriminate.
    + left. split; [reflexivity|]. left. auto.
  - now intros v l k d H.
  - apply Aset_apart, w_wf.
  - apply Aset_safe; [apply w_wf|cbn; lia|cbn; lia].
  - intros p i d I N V S. unfold visible in S. apply orb_prop in S as [S|S]; [now apply Z.eqb_eq in S|discriminate].
  - intros v x p [].
  - constructor; auto.
  - constructor; auto.
Qed.
