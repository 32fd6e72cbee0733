(* SPDX-License-Identifier: Apache-2.0 *)
(* The premises of the theorem on PAGE_REMOVE can hold: a machine of 2 MiB on which VM 0 runs on CPU 1 and owns
   a page that holds a secret. CPU 1 walks to it and goes on writing to it while CPU 0 takes it away. *)
From Coq Require Import ZArith List Bool Lia String.
From nie.model Require Import Machine.
From RecordUpdate Require Import RecordSet.
From nie.spec Require Import State.
From nie.lib Require Import World Wp.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* Pages: 512..514 the host's tables, 520 root, 521 and 522 tables, 523 the page at IPA page 2^18 (1 GiB); 524 and 525 the context
   and the run record of vCPU 0. *)
Definition the_config : config := Config 512 512 512 3 512 0 0 (fun _ => false) 0 2.
Definition no_slots : Map.t slot := Map.const Empty.
Definition the_slots : Map.t (Map.t slot) :=
  Map.set (Map.set (Map.set (Map.const no_slots)
    1 (Map.set no_slots 1 (ToTable 521))) 2 (Map.set no_slots 512 (ToTable 522))) 3 (Map.set no_slots 262144 (ToPage 523)).
Definition the_owners : Map.t owner :=
  Map.set (Map.set (Map.set (Map.set (Map.set (Map.set (Map.set (Map.set (Map.set (Map.const Host) 512 Engine) 513 Engine) 514 Engine)
    520 (Table 0 1 0)) 521 (Table 0 2 1)) 522 (Table 0 3 512)) 523 (Data 0 262144)) 524 (Vcpu 0 0)) 525 (Run 0 0).
Definition the_vm : vm := Vm NIE_VM_ACTIVE 520 262144 1 0 6 1 1 1 [] true.
Definition the_vcpu : vcpu := Vcpu_record VCPU_RUNNING 524 525 1 0 0.
Definition no_words : Map.t Z := Map.const 0.
Definition of_host : processor := Processor no_words no_words no_words no_words 0 0 CPU_HOST 0 0.
Definition of_guest : processor := of_host <| cpu_vm := 0 |>.
Definition the_state : state := State the_config the_owners
  (Map.set (Map.const (Map.const no_slots)) 0 the_slots) (Map.set (Map.const Unmapped) 1 Split)
  (Map.set (Map.const no_vm) 0 the_vm) (Map.set (Map.const no_vcpu) 0 the_vcpu) (Map.const no_words)
  (Map.set (Map.const of_host) 1 of_guest) no_words (Map.const (512 * 4096)) no_words.

(* The machine's memory: the tables, and the secret. *)
Definition word (p i : Z) : Z :=
  if p =? 512 then henc the_state 1 i else if p =? 513 then henc the_state 2 i else if p =? 514 then henc the_state 3 (512 + i)
  else if p =? 520 then enc (slot_at the_state 0 1 i) else if p =? 521 then enc (slot_at the_state 0 2 (512 + i))
  else if p =? 522 then enc (slot_at the_state 0 3 (262144 + i)) else if p =? 523 then 42 else 0.
Definition fill (p : Z) (m : Map.t Z) : Map.t Z :=
  fold_left (fun m i => Map.set m (p * 512 + i) (word p i)) (map Z.of_nat (seq 0 512)) m.
Definition the_memory : Map.t Z :=
  fill 512 (fill 513 (fill 514 (fill 520 (fill 521 (fill 522 (fill 523 (Map.const 0))))))).

Local Opaque the_memory.                                (* [cbn] must not compute it; [vm_compute] does *)

(* CPU 1 runs VM 0, VMID 1; the others run the host. *)
Definition the_registers : Map.t Z := Map.set (Map.const (512 * 4096)) (1 * 128 + VTTBR_EL2) (2 ^ 48 + 520 * 4096).
Definition the_hw (acts : list (list act)) : Machine.hw :=
  Hw the_memory [] [] the_registers (Map.const 0) 0 (512, 1024) (512, 515) (fun _ => 0) 0 acts (fun _ => False) (fun _ _ _ => False) True.

(** The abstract state, pointwise. *)

Lemma slots_are : forall v l k, slot_at the_state v l k =
  if (v =? 0) && (l =? 1) && (k =? 1) then ToTable 521 else if (v =? 0) && (l =? 2) && (k =? 512) then ToTable 522
  else if (v =? 0) && (l =? 3) && (k =? 262144) then ToPage 523 else Empty.
Proof.
  intros. unfold slot_at, the_state, the_slots, no_slots. cbn [slots]. rewrite Map.get_set.
  destruct (Z.eqb_spec v 0); cbn [andb]; [|now rewrite !Map.get_const].
  rewrite !Map.get_set. destruct (Z.eqb_spec l 3) as [->|]; [cbn; rewrite Map.get_set, Map.get_const; now destruct (k =? 262144)|].
  destruct (Z.eqb_spec l 2) as [->|]; [cbn; rewrite Map.get_set, Map.get_const; now destruct (k =? 512)|].
  destruct (Z.eqb_spec l 1) as [->|]; [cbn; rewrite Map.get_set, Map.get_const; now destruct (k =? 1)|].
  now rewrite !Map.get_const.
Qed.

Lemma owners_are : forall p, own the_state p =
  if p =? 525 then Run 0 0 else if p =? 524 then Vcpu 0 0 else if p =? 523 then Data 0 262144 else if p =? 522 then Table 0 3 512 else if p =? 521 then Table 0 2 1
  else if p =? 520 then Table 0 1 0 else if p =? 514 then Engine else if p =? 513 then Engine else if p =? 512 then Engine else Host.
Proof. intro p. unfold own, the_state, the_owners. cbn [owners]. now rewrite !Map.get_set, Map.get_const. Qed.

Lemma vms_are : forall v, vm_at the_state v = if v =? 0 then the_vm else no_vm.
Proof. intro v. unfold vm_at, the_state. cbn [vms]. now rewrite Map.get_set, Map.get_const. Qed.

Lemma vcpus_are : forall v i, vcpu_at the_state v i = if v * 8 + i =? 0 then the_vcpu else no_vcpu.
Proof. intros v i. unfold vcpu_at, the_state. cbn [vcpus]. rewrite Map.get_set, Map.get_const. reflexivity. Qed.

Lemma cpus_are : forall c, cpu_at the_state c = if c =? 1 then of_guest else of_host.
Proof. intro c. unfold cpu_at, the_state. cbn [cpus]. now rewrite Map.get_set, Map.get_const. Qed.

Lemma lasts_are : forall v c, last_at the_state v c = 0.
Proof. intros. unfold last_at, the_state. cbn [lasts]. apply Map.get_const. Qed.

Lemma modes_are : forall g, mode_at the_state g = if g =? 1 then Split else Unmapped.
Proof. intro g. unfold mode_at, the_state. cbn [modes]. now rewrite Map.get_set, Map.get_const. Qed.

Lemma ram_is : forall p, in_ram the_state p = (512 <=? p) && (p <? 1024).
Proof. reflexivity. Qed.

Ltac eqbs := repeat match goal with
  | H : context [?a =? ?b] |- _ => destruct (Z.eqb_spec a b); cbn [andb] in H
  end; try discriminate; subst.

Lemma the_cfg : wf_cfg the_state.
Proof.
  constructor; cbn [the_state cfg the_config ram_first ram_count engine_first engine_count host_tables dev_first dev_count device];
    unfold GRANULES_MAX, level3_first, gib_count; cbn [the_state cfg the_config ram_first ram_count engine_first engine_count host_tables dev_first dev_count device];
    try lia; discriminate.
Qed.

Lemma how_many_are : forall v f, 0 <= v -> f no_vcpu = false -> f the_vcpu = true -> how_many the_state v f = if v =? 0 then 1 else 0.
Proof.
  intros v f V N S. unfold how_many. destruct (Z.eqb_spec v 0) as [->|E].
  - change (Z.to_nat NIE_MAX_VCPUS) with 8%nat. cbn [seq filter]. rewrite !vcpus_are. cbn. now rewrite S, !N.
  - assert (F : filter (fun i => f (vcpu_at the_state v (Z.of_nat i))) (seq 0 (Z.to_nat NIE_MAX_VCPUS)) = []).
    { generalize (seq 0 (Z.to_nat NIE_MAX_VCPUS)). induction l as [|i l IH]; cbn [filter]; auto. rewrite vcpus_are.
      destruct (Z.eqb_spec (v * 8 + Z.of_nat i) 0); [lia|]. now rewrite N. }
    now rewrite F.
Qed.

Lemma the_wf_vms : wf_vms the_state.
Proof.
  constructor; intros v; rewrite ?vms_are; unfold NIE_MAX_VMS.
  - intros V F. destruct (v =? 0); [discriminate|]. split; auto. intros. apply lasts_are.
  - intros V F. destruct (v =? 0); [|now destruct F]. cbn. unfold NIE_VM_FREE, NIE_VM_ACTIVE, NIE_VM_STOPPED, NIE_MAX_VCPUS. lia.
  - intros V. destruct (v =? 0); split; auto; discriminate.
  - intros V. rewrite how_many_are by (auto; lia). now destruct (v =? 0).
  - intros V. rewrite how_many_are by (auto; lia). now destruct (v =? 0).
  - intros c V C. rewrite lasts_are. unfold NIE_MAX_VCPUS. lia.
Qed.

Lemma the_wf_vcpus : wf_vcpus the_state.
Proof.
  constructor.
  - intros v i V I. rewrite vcpus_are. destruct (v * 8 + i =? 0); [discriminate|auto].
  - intros v i V I. rewrite vcpus_are. destruct (v * 8 + i =? 0) eqn:E; [|intro H; now destruct H]. unfold NIE_MAX_VCPUS in I.
    assert (v = 0 /\ i = 0) as [-> ->] by lia. intros _. rewrite vms_are, !owners_are. cbn. unfold VCPU_NONE, VCPU_RUNNING.
    repeat split; try lia; discriminate.
  - intros v i V I. cbn zeta. rewrite vcpus_are. destruct (v * 8 + i =? 0) eqn:E; [|discriminate]. unfold NIE_MAX_VCPUS in I.
    assert (v = 0 /\ i = 0) as [-> ->] by lia. intros _. rewrite cpus_are. cbn. unfold NIE_MAX_CPUS. lia.
  - intros c C. cbn zeta. rewrite cpus_are. destruct (Z.eqb_spec c 1) as [->|]; [|intro H; now destruct H]. intros _. rewrite vcpus_are. cbn.
    unfold NIE_MAX_VMS, NIE_MAX_VCPUS. lia.
Qed.

Lemma the_wf : wf the_state.
Proof.
  constructor.
  - exact the_cfg.
  - cbn [the_state cfg the_config engine_first engine_count]. intros p H. rewrite owners_are.
    assert (E : p = 512 \/ p = 513 \/ p = 514) by lia. destruct E as [-> | [-> | ->]]; reflexivity.
  - intros g H. rewrite modes_are in H. destruct (Z.eqb_spec g 1) as [E|E]; [|now elim H]. rewrite E. split; [lia|]. left. reflexivity.
  - intros g j H. rewrite modes_are in H. now destruct (g =? 1).
  - intros p H _. rewrite ram_is in H. rewrite modes_are. replace (p / 512) with 1 by lia. discriminate.
  - intros v l k p H. rewrite slots_are in H. eqbs; inversion H; subst; rewrite ram_is, owners_are; repeat split; try reflexivity; lia.
  - intros v l k p H. rewrite slots_are in H. eqbs; inversion H.
  - intros v l k p H. rewrite slots_are in H. eqbs; inversion H; subst; rewrite ram_is, owners_are; repeat split; try reflexivity; lia.
  - intros v l k p H. rewrite slots_are in H. eqbs; inversion H.
  - intros v l k H. rewrite slots_are in H.
    assert (E : v = 0 /\ ((l = 1 /\ k = 1) \/ (l = 2 /\ k = 512) \/ (l = 3 /\ k = 262144))).
    { destruct (Z.eqb_spec v 0), (Z.eqb_spec l 1), (Z.eqb_spec l 2), (Z.eqb_spec l 3), (Z.eqb_spec k 1), (Z.eqb_spec k 512),
        (Z.eqb_spec k 262144); cbn in H; try congruence; lia. }
    destruct E as (-> & E). rewrite vms_are. cbn [Z.eqb vm_state].
    split; [unfold NIE_MAX_VMS; lia|]. split; [discriminate|].
    destruct E as [(-> & ->)|[(-> & ->)|(-> & ->)]]; repeat split; try lia; intros _; rewrite slots_are; eexists; reflexivity.
  - intros v _ H. rewrite vms_are in *. destruct (Z.eqb_spec v 0) as [E|E]; [|now elim H]. rewrite E.
    cbn [root the_vm]. rewrite ram_is, owners_are. auto.
  - exact the_wf_vms.
  - exact the_wf_vcpus.
Qed.

Lemma the_onto : onto the_state.
Proof.
  constructor.
  - intros p v k _ H. rewrite owners_are in H. eqbs; inversion H; subst. left. now rewrite slots_are.
  - intros p v k _ H. rewrite owners_are in H. eqbs; inversion H.
  - intros p v l k _ H. rewrite owners_are in H. eqbs; inversion H; subst; rewrite ?vms_are, ?slots_are; auto.
  - intros p v i _ H. rewrite owners_are in H. eqbs; inversion H; subst. rewrite vcpus_are. cbn. unfold NIE_MAX_VMS, NIE_MAX_VCPUS.
    repeat split; try lia. discriminate.
  - intros p v i _ H. rewrite owners_are in H. eqbs; inversion H; subst. rewrite vcpus_are. cbn. unfold NIE_MAX_VMS, NIE_MAX_VCPUS.
    repeat split; try lia. discriminate.
Qed.

(** The concrete state agrees with it. *)

Definition zeros : globals.
Proof. constructor; exact (Map.const 0). Defined.
Definition table_of (l : list (Z * Z)) : Map.t Z := fold_left (fun m e => Map.set m (fst e) (snd e)) l (Map.const 0).
Definition the_globals : globals :=
  set_field config_word (table_of [(MAN_RAM_BASE, 512); (MAN_RAM_PAGES, 512); (MAN_TABLES, 512)])
  (set_field granules_state (table_of [(0, 1); (1, 1); (2, 1); (8, 2); (9, 2); (10, 2); (11, 4); (12, GRANULE_VCPU); (13, GRANULE_RUN)])
  (set_field granules_level (table_of [(8, 1); (9, 2); (10, 3)])
  (set_field granules_key (table_of [(9, 1); (10, 512); (11, 262144)])
  (set_field vms_state (table_of [(0, 2)]) (set_field vms_root (table_of [(0, 520)])
  (set_field vms_ram_base (table_of [(0, 262144)]) (set_field vms_ram_pages (table_of [(0, 1)])
  (set_field vms_granules (table_of [(0, 6)]) (set_field vms_vcpus (table_of [(0, 1)])
  (set_field vms_running (table_of [(0, 1)]) (set_field vms_created (table_of [(0, 1)])
  (set_field vms_hash (table_of [(0, 0xe3b0c442); (1, 0x98fc1c14); (2, 0x9afbf4c8); (3, 0x996fb924); (4, 0x27ae41e4);
     (5, 0x649b934c); (6, 0xa495991b); (7, 0x7852b855)])                                    (* SHA-256 of nothing *)
  (set_field vcpus_state (table_of [(0, VCPU_RUNNING)]) (set_field vcpus_context (table_of [(0, 524)])
  (set_field vcpus_run (table_of [(0, 525)]) (set_field vcpus_cpu (table_of [(0, 1)])
  (set_field cpus_vm (table_of [(0, CPU_HOST); (1, 0); (2, CPU_HOST); (3, CPU_HOST); (4, CPU_HOST); (5, CPU_HOST); (6, CPU_HOST); (7, CPU_HOST)])
     zeros))))))))))))))))).

Lemma each_of : forall (f : Z -> bool) lo n, forallb f (map (fun i => lo + Z.of_nat i) (seq 0 n)) = true ->
  forall i, lo <= i < lo + Z.of_nat n -> f i = true.
Proof.
  intros f lo n H i I. rewrite forallb_forall in H. apply H. apply in_map_iff. exists (Z.to_nat (i - lo)).
  split; [lia|]. apply in_seq. lia.
Qed.

Definition owner_ok (p : Z) : bool :=
  let i := p - 512 in let '(s, v, l, k) := owner_words (own the_state p) in
  (at1 granules_state the_globals i =? s) && (at1 granules_vm the_globals i =? v) &&
  (at1 granules_level the_globals i =? l) && (at1 granules_key the_globals i =? k) && (at1 granules_zero the_globals i =? 0).
Definition vm_ok (v : Z) : bool :=
  let r := vm_at the_state v in
  (at1 vms_state the_globals v =? vm_state r) && (at1 vms_root the_globals v =? root r) &&
  (at1 vms_ram_base the_globals v =? ram_base r) && (at1 vms_ram_pages the_globals v =? ram_pages r) &&
  (at1 vms_granules the_globals v =? granules r).

Definition hash_same (x y : Sha256.words8) : bool :=
  let '(a, b, c, d, e, f, g, h) := x in let '(a', b', c', d', e', f', g', h') := y in
  (a =? a') && (b =? b') && (c =? c') && (d =? d') && (e =? e') && (f =? f') && (g =? g') && (h =? h').
Definition more_ok (v : Z) : bool :=
  let r := vm_at the_state v in
  (at1 vms_cntvoff the_globals v =? cntvoff r) && (at1 vms_vcpus the_globals v =? vcpu_count r) &&
  (at1 vms_running the_globals v =? running r) && (at1 vms_created the_globals v =? created r) &&
  hash_same (sha256_refines.hash_of the_globals v) (hash_of_vm r) && (at1 vms_hashed the_globals v =? 0).
Definition vcpu_ok (k : Z) : bool :=
  let r := Map.get (vcpus the_state) k in
  (at1 vcpus_state the_globals k =? vcpu_state r) && (at1 vcpus_context the_globals k =? context_page r) &&
  (at1 vcpus_run the_globals k =? run_page r) && (at1 vcpus_cpu the_globals k =? vcpu_cpu r) &&
  (at1 vcpus_pending the_globals k =? pending r) && (at1 vcpus_syndrome the_globals k =? syndrome r).

Ltac ands := repeat match goal with H : _ && _ = true |- _ => apply andb_prop in H as [H ?] end;
  repeat match goal with H : (_ =? _) = true |- _ => apply Z.eqb_eq in H end.

Lemma hash_eqb : forall x y, hash_same x y = true -> x = y.
Proof.
  intros [[[[[[[a b] c] d] e] f] g] h] [[[[[[[a' b'] c'] d'] e'] f'] g'] h'] H. unfold hash_same in H. ands. congruence.
Qed.

Lemma the_globals_hold : globals_hold the_state the_globals.
Proof.
  constructor.
  1-5: vm_compute; reflexivity.
  - intros p H i. subst i. change (ram_first (cfg the_state)) with 512.
    assert (E : owner_ok p = true).
    { apply each_of with (lo := 512) (n := 512%nat); [vm_compute; reflexivity|]. rewrite ram_is in H. lia. }
    unfold owner_ok in E. destruct (owner_words (own the_state p)) as [[[s v] l] k]. ands. split; congruence.
  - intros v V. assert (E : vm_ok v = true).
    { apply each_of with (lo := 0) (n := 64%nat); [vm_compute; reflexivity|exact V]. }
    unfold vm_ok in E. ands. auto.
  - intros v V. assert (E : more_ok v = true).
    { apply each_of with (lo := 0) (n := 64%nat); [vm_compute; reflexivity|exact V]. }
    unfold more_ok in E. ands. constructor; auto.
    + apply hash_eqb. auto.
    + exists 0%nat. split; [rewrite vms_are; now destruct (v =? 0)|auto].
  - intros v i V I. unfold NIE_MAX_VMS, NIE_MAX_VCPUS in *. assert (E : vcpu_ok (v * 8 + i) = true).
    { apply each_of with (lo := 0) (n := 512%nat); [vm_compute; reflexivity|lia]. }
    unfold vcpu_ok in E. ands. now constructor.
  - intros c C. unfold NIE_MAX_CPUS in C.
    assert (X : forall i, Map.get no_words i = 0) by (intro; apply Map.get_const).
    rewrite cpus_are. constructor; intros; try (destruct (c =? 1); cbn [of_guest of_host cpu_x host_x host_sysreg run_in];
      exact (eq_trans (Map.get_const _ 0 _) (eq_sym (X _)))); try (destruct (c =? 1); exact (Map.get_const _ 0 c)).
    apply Z.eqb_eq. apply (each_of (fun c => at1 cpus_vm the_globals c =? cpu_vm (if c =? 1 then of_guest else of_host)) 0 8);
      [vm_compute; reflexivity|lia].
  - intros v c V C. rewrite lasts_are. exact (Map.get_const _ 0 _).
Qed.

Lemma the_counted : Counting.counted the_state.
Proof.
  intros v V. unfold NIE_MAX_VMS in V. apply Z.eqb_eq.
  apply (each_of (fun v => granules (vm_at the_state v) =? Counting.pages_of the_state v) 0 64); [vm_compute; reflexivity|lia].
Qed.

Definition words_ok (p : Z) (f : Z -> Z) : bool :=
  forallb (fun i => Map.get the_memory (p * 512 + i) =? f i) (map (fun i => 0 + Z.of_nat i) (seq 0 512)).
Lemma words_are : forall p f, words_ok p f = true -> forall i, is_word i = true -> Map.get the_memory (p * 512 + i) = f i.
Proof.
  intros p f H i I. apply Z.eqb_eq. apply (each_of (fun i => Map.get the_memory (p * 512 + i) =? f i) 0 512 H).
  unfold is_word in I. lia.
Qed.

Lemma the_tables : tables_hold the_state (Map.get the_memory).
Proof.
  constructor.
  - intros p v l k i _ O. revert i. rewrite owners_are in O.
    eqbs; inversion O; subst; apply words_are; vm_compute; reflexivity.
  - apply (words_are 512 (henc the_state 1)). vm_compute. reflexivity.
  - intros j i J. change (gib_count the_state) with 1 in J. assert (j = 0) by lia. subst j. revert i.
    apply (words_are 513 (fun i => henc the_state 2 (0 * 512 + i))). vm_compute. reflexivity.
  - intros g i [G M]. assert (g = 1). { rewrite ram_is in M. cbn [the_state cfg the_config dev_first dev_count] in M. lia. }
    subst g. revert i. apply (words_are 514 (fun i => henc the_state 3 (1 * 512 + i))). vm_compute. reflexivity.
  - intros p v i j _ O. revert j. rewrite owners_are in O. eqbs; inversion O; subst.
    apply (words_are 524 (fun j => saved_at the_state 0 0 j)). vm_compute. reflexivity.
Qed.

Lemma vttbr_is : forall acts c, vttbr (the_hw acts) c = if c =? 1 then 2 ^ 48 + 520 * 4096 else 512 * 4096.
Proof.
  intros acts c. unfold vttbr, the_hw, the_registers, VTTBR_EL2. cbn [reg]. rewrite Map.get_set, Map.get_const.
  destruct (Z.eqb_spec c 1) as [->|]; [reflexivity|]. destruct (Z.eqb_spec (c * 128 + 41) (1 * 128 + 41)); [lia|auto].
Qed.

Definition the_machine (acts : list (list act)) : mach globals Machine.hw := Mach the_globals (the_hw acts).

Lemma roots_are : forall acts c, Aset the_state (root_vmid (the_hw acts) c) 0 0 (root_desc (the_hw acts) c).
Proof.
  intros acts c. unfold root_vmid, root_desc. rewrite vttbr_is. destruct (c =? 1).
  - right. exists 0. change ((2 ^ 48 + 520 * 4096) / 2 ^ 48) with 1. change ((2 ^ 48 + 520 * 4096) mod 2 ^ 48) with (520 * 4096).
    split; [reflexivity|]. split; [unfold NIE_MAX_VMS; lia|]. left. rewrite vms_are. cbn. repeat split; discriminate.
  - left. change (512 * 4096 / 2 ^ 48) with 0. change ((512 * 4096) mod 2 ^ 48) with (512 * 4096). split; [reflexivity|]. left. auto.
Qed.

Lemma the_registers_hold : forall acts, registers_hold the_state (the_hw acts).
Proof.
  intro acts. constructor.
  - cbn. unfold NIE_MAX_CPUS. lia.
  - intros r H. change (here the_state) with (Map.const (512 * 4096)). unfold the_hw, the_registers. cbn [reg me].
    rewrite Map.get_set, !Map.get_const. unfold VTTBR_EL2. destruct (Z.eqb_spec (0 * 128 + r) (1 * 128 + 41)); [lia|auto].
  - intros i H. change (fp_here the_state) with (Map.const 0). unfold the_hw. cbn [fp]. now rewrite !Map.get_const.
  - intro c. rewrite vttbr_is. unfold vttbr_of, NIE_MAX_CPUS. rewrite cpus_are. destruct (Z.eqb_spec c 1) as [->|].
    + change (cpu_vm of_guest) with 0. rewrite vms_are. vm_compute. reflexivity.
    + change (cpu_vm of_host =? CPU_HOST) with true. cbn [negb]. now rewrite andb_false_r.
Qed.

(* Whatever the others are going to do. *)
Theorem the_machine_is_related : forall acts, R the_state (the_machine acts).
Proof.
  intro acts. constructor; try reflexivity; [exact the_wf|exact the_onto|exact the_globals_hold| |exact (the_registers_hold acts)|exact the_counted].
  exists (Map.get the_memory). split; [|exact the_tables]. pose proof (Aset_closed _ the_wf _ the_tables) as C.
  constructor; cbn [hw the_machine].
  - intros e [].
  - intros e [].
  - apply roots_are.
  - now intros v l k d H.
  - exact C.
  - exact C.
  - apply Aset_apart, the_wf.
  - apply Aset_safe; [exact the_wf|cbn; lia|cbn; lia].
  - reflexivity.
  - intros p i d _ _ _ H. unfold visible in H. change (unseen (the_hw acts)) with (@nil (Z * Z)) in H. cbn [existsb] in H.
    rewrite orb_false_r in H. apply Z.eqb_eq in H. exact H.
  - intros p [].
  - intros v x p [].
  - exact I.
  - now constructor.
Qed.

(** What the others do: CPU 1 has walked to the page before the handler begins its work, and stores a new secret
    before each of its first forty primitives. *)

Definition walk_there : list act :=
  [Begin 1; Step 0 1 (enc (ToTable 521)); Step 0 0 (enc (ToTable 522)); Step 0 0 (enc (ToPage 523))].
Definition hostile : list (list act) := walk_there :: map (fun i => [Write 0 0 7 (1000 + Z.of_nat i)]) (seq 0 40).

Definition removed : option (list Z * Z * Z) :=
  match den load store prim Program.core "call_page_remove" [0; 262144 * 4096; 1] (the_machine hostile) with
  | Some (r, s) => Some (r, Map.get (Machine.mem (hw s)) (523 * 512 + 7), Map.get (Machine.mem (hw s)) (522 * 512))
  | None => None
  end.
(* The page, scrubbed, is the host's; its entry says Spent. *)
Example it_runs : removed = Some ([NIE_OK; 523 * 4096; 0], 0, DESC_SPENT).
Proof. vm_compute. reflexivity. Qed.
(* Before the handler it held a secret, and CPU 1 does reach it. *)
Example it_wrote : Map.get the_memory (523 * 512 + 7) = 42 /\
  Map.get (Machine.mem (others (others (the_hw hostile)))) (523 * 512 + 7) = 1000.
Proof. split; vm_compute; reflexivity. Qed.
