(* SPDX-License-Identifier: Apache-2.0 *)
(* The named steps of which a trap on CPU [c] consists, and that each keeps well-formedness. What registers hold is left
   open here ([Registers], [Saves]); who owns what, who runs where and what the map says is exact. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Definition runs (a : state) (c v i : Z) : Prop := cpu_vm (cpu_at a c) = v /\ v <> CPU_HOST /\ cpu_vcpu (cpu_at a c) = i.

(* Only registers of CPU c change, and where the host wants CPUs to start. *)
Record registers_only (c : Z) (a b : state) : Prop := {
  ro_cfg : cfg b = cfg a; ro_owners : owners b = owners a; ro_slots : slots b = slots a; ro_modes : modes b = modes a;
  ro_vms : vms b = vms a; ro_vcpus : vcpus b = vcpus a; ro_saved : saved b = saved a; ro_lasts : lasts b = lasts a;
  ro_runs : forall d, 0 <= d < NIE_MAX_CPUS -> cpu_vm (cpu_at b d) = cpu_vm (cpu_at a d) /\ cpu_vcpu (cpu_at b d) = cpu_vcpu (cpu_at a d);
  ro_other : forall d, 0 <= d < NIE_MAX_CPUS -> d <> c ->
    (forall i, 0 <= i < 31 -> Map.get (cpu_x (cpu_at b d)) i = Map.get (cpu_x (cpu_at a d)) i /\
                              Map.get (host_x (cpu_at b d)) i = Map.get (host_x (cpu_at a d)) i) /\
    (forall i, 0 <= i < REG_SWITCHED -> Map.get (host_sysreg (cpu_at b d)) i = Map.get (host_sysreg (cpu_at a d)) i) /\
    (forall i, 0 <= i < RUN_IN_END -> Map.get (run_in (cpu_at b d)) i = Map.get (run_in (cpu_at a d)) i);
}.

Definition leave (c v i : Z) (off : bool) (a : state) : state :=
  set_cpu c (cpu_at a c <| cpu_vm := CPU_HOST |>)
    (set_vm v (vm_at a v <| running ::= fun n => n - 1 |>)
      (set_vcpu v i (vcpu_at a v i <| vcpu_state := if off then VCPU_OFF else VCPU_READY |>) a)).
Definition enter (c v i : Z) (a : state) : state :=
  set_cpu c (cpu_at a c <| cpu_vm := v |> <| cpu_vcpu := i |>)
    (set_vm v (vm_at a v <| running ::= fun n => n + 1 |>)
      (set_vcpu v i (vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |>) a)).
(* What it asks the host for may differ. *)
Definition asks_only (r r' : vcpu) : Prop := vcpu_state r' = vcpu_state r /\ context_page r' = context_page r /\ run_page r' = run_page r /\ vcpu_cpu r' = vcpu_cpu r.
(* vCPU t of the VM whose vCPU i runs on c is that one, or is OFF. *)
Definition mine (a : state) (c v i t : Z) : Prop := runs a c v i /\ 0 <= t < NIE_MAX_VCPUS /\ (t = i \/ vcpu_state (vcpu_at a v t) = VCPU_OFF).

Inductive step (c : Z) : state -> state -> Prop :=
| Registers a b : registers_only c a b -> step c a b
| Asks a v i t r : mine a c v i t -> asks_only (vcpu_at a v t) r -> step c a (set_vcpu v t r a)
| Saves a v i t w : mine a c v i t -> step c a (set_saved v t w a)
| Leaves a v i off : runs a c v i -> step c a (leave c v i off a)
| Enters a v i : cpu_vm (cpu_at a c) = CPU_HOST -> 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS ->
    vm_state (vm_at a v) = NIE_VM_ACTIVE -> vcpu_state (vcpu_at a v i) = VCPU_READY -> step c a (enter c v i a)
| Lasts a v i : runs a c v i -> step c a (set_last v c (i + 1) a)
| Reopens a v i x : runs a c v i -> slot_at a v 3 x = Spent -> step c a (set_slot v 3 x Empty a)
| TurnsOn a v i t : runs a c v i -> 0 <= t < NIE_MAX_VCPUS -> vcpu_state (vcpu_at a v t) = VCPU_OFF ->
    step c a (set_vcpu v t (vcpu_at a v t <| vcpu_state := VCPU_READY |>) a)
| Stops a v i : runs a c v i -> step c a (set_vm v (vm_at a v <| vm_state := NIE_VM_STOPPED |>) a).

Inductive steps (c : Z) : state -> state -> Prop :=
| no_step a : steps c a a
| more_steps a b d : step c a b -> steps c b d -> steps c a d.
Lemma steps_trans : forall c a b d, steps c a b -> steps c b d -> steps c a d.
Proof. intros c a b d H K. induction H; auto. eapply more_steps; eauto. Qed.
Lemma one_step : forall c a b, step c a b -> steps c a b.
Proof. intros. eapply more_steps; eauto. apply no_step. Qed.

(** Well-formedness. *)

(* The map is the same, VMs are the same but for counts; the records are well formed of themselves. *)
Record same_map (a b : state) : Prop := {
  sm_cfg : cfg b = cfg a; sm_owners : owners b = owners a; sm_slots : slots b = slots a; sm_modes : modes b = modes a;
  sm_root : forall v, root (vm_at b v) = root (vm_at a v) /\ (vm_state (vm_at b v) = NIE_VM_FREE <-> vm_state (vm_at a v) = NIE_VM_FREE);
}.

Lemma same_map_refl : forall a, same_map a a.
Proof. constructor; auto. intros. split; tauto. Qed.

Lemma same_map_Aset : forall a b, same_map a b -> forall v l k d, Aset b v l k d <-> Aset a v l k d.
Proof.
  intros a b [E1 E2 E3 E4 E5] v l k d.
  assert (H : forall l k, henc b l k = henc a l k).
  { intros l' k'. unfold henc, gib_count, level3, level3_first, gib_count, attributes, host_may_access, mode_at, own, in_ram. now rewrite E1, E2, E4. }
  unfold Aset, slot_at. rewrite E1, E3.
  split; (intros [(-> & [X|X])|(i & -> & I & X)]; [left; auto|left; split; auto; right; rewrite H in *; auto|right; exists i; repeat split; try lia]);
    destruct X as [(-> & -> & -> & N)|X]; auto; left; destruct (E5 i) as [<- T]; repeat split; auto; rewrite T in *; auto.
Qed.

Lemma wf_parts : forall a b, same_map a b -> wf_vms b -> wf_vcpus b -> wf a -> wf b.
Proof.
  intros a b [E1 E2 E3 E4 E5] WV WU W.
  assert (OW : forall p, own b p = own a p) by (intro; unfold own; now rewrite E2).
  assert (SL : forall v l k, slot_at b v l k = slot_at a v l k) by (intros; unfold slot_at; now rewrite E3).
  assert (MO : forall g, mode_at b g = mode_at a g) by (intros; unfold mode_at; now rewrite E4).
  assert (RA : forall p, in_ram b p = in_ram a p) by (intros; unfold in_ram; now rewrite E1).
  assert (HM : forall p, host_may_access b p = host_may_access a p) by (intros; unfold host_may_access; now rewrite RA, OW, E1).
  assert (MA : forall g, managed b g <-> managed a g) by (intros; unfold managed; now rewrite RA, E1).
  destruct W. constructor; auto.
  - destruct wf_c. constructor; unfold level3_first, gib_count in *; rewrite E1; auto.
  - intro p. rewrite OW, E1. auto.
  - intros g. rewrite MO. intro. apply MA. auto.
  - intros g j. rewrite MO, HM. auto.
  - intros p. rewrite RA, OW, MO. auto.
  - intros v l k p. rewrite SL, RA, OW. auto.
  - intros v l k p. rewrite SL. intro H. destruct (wf_blk _ _ _ _ H) as (A & B & C). repeat split; auto; rewrite ?RA, ?OW; now apply C.
  - intros v l k p. rewrite SL, RA, OW. auto.
  - intros v l k p. rewrite SL, RA, OW. auto.
  - intros v l k. rewrite SL. intro H. destruct (wf_slot _ _ _ H) as (A1 & A2 & A3 & A4 & A5 & A6). destruct (E5 v) as [_ T].
    repeat split; try tauto; try lia; auto. intro X. destruct (A6 X) as [p P]. exists p. now rewrite SL.
  - intros v V N. destruct (E5 v) as [R T]. rewrite RA, OW, R. apply wf_root; auto. tauto.
Qed.

Lemma onto_parts : forall a b, same_map a b -> (forall v i, 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS ->
    context_page (vcpu_at b v i) = context_page (vcpu_at a v i) /\ run_page (vcpu_at b v i) = run_page (vcpu_at a v i) /\
    (vcpu_state (vcpu_at b v i) = VCPU_NONE -> vcpu_state (vcpu_at a v i) = VCPU_NONE)) -> onto a -> onto b.
Proof.
  intros a b [E1 E2 E3 E4 E5] K [].
  assert (OW : forall p, own b p = own a p) by (intro; unfold own; now rewrite E2).
  assert (SL : forall v l k, slot_at b v l k = slot_at a v l k) by (intros; unfold slot_at; now rewrite E3).
  assert (RA : forall p, in_ram b p = in_ram a p) by (intros; unfold in_ram; now rewrite E1).
  constructor; intros p v; [intro k|intro k|intros l k|intro i|intro i]; rewrite RA, OW; rewrite ?SL; intros R H.
  - auto.
  - auto.
  - destruct (E5 v) as [-> _]. auto.
  - destruct (on_vcpu _ _ _ R H) as (A & B & C & D). destruct (K v i A B) as (-> & _ & N). repeat split; try lia; auto.
  - destruct (on_run _ _ _ R H) as (A & B & C & D). destruct (K v i A B) as (_ & -> & N). repeat split; try lia; auto.
Qed.

(** Counting. *)

Definition ind (b : bool) : Z := if b then 1 else 0.
Lemma count_one : forall (f g : nat -> bool) n l s, (s <= n < s + l)%nat -> (forall m, m <> n -> f m = g m) ->
  Z.of_nat (length (filter g (seq s l))) = Z.of_nat (length (filter f (seq s l))) - ind (f n) + ind (g n).
Proof.
  assert (S : forall (f g : nat -> bool) l s, (forall m, (s <= m < s + l)%nat -> f m = g m) -> filter g (seq s l) = filter f (seq s l)).
  { intros f g l s E. apply filter_ext_in. intros x X. apply in_seq in X. symmetry. apply E. lia. }
  intros f g n l. induction l as [|l IH]; intros s R E; [lia|]. cbn [seq filter].
  destruct (Nat.eq_dec s n) as [->|N].
  - rewrite (S f g l (Datatypes.S n)) by (intros; apply E; lia). destruct (f n), (g n); cbn [length ind]; lia.
  - rewrite (E s) by auto. specialize (IH (Datatypes.S s) ltac:(lia) E). destruct (g s); cbn [length]; lia.
Qed.

Lemma vcpu_at_put : forall v i r a v' i', 0 <= i < NIE_MAX_VCPUS -> 0 <= i' < NIE_MAX_VCPUS ->
  vcpu_at (set_vcpu v i r a) v' i' = if (v' =? v) && (i' =? i) then r else vcpu_at a v' i'.
Proof.
  intros v i r a v' i' I I'. transitivity (Map.get (Map.set (vcpus a) (v * NIE_MAX_VCPUS + i) r) (v' * NIE_MAX_VCPUS + i')); [reflexivity|].
  rewrite Map.get_set. unfold NIE_MAX_VCPUS in *. destruct (Z.eqb_spec (v' * 8 + i') (v * 8 + i)) as [E|E], (Z.eqb_spec v' v), (Z.eqb_spec i' i); cbn; auto; lia.
Qed.
Lemma vm_at_put : forall v r a v', vm_at (set_vm v r a) v' = if v' =? v then r else vm_at a v'.
Proof. intros v r a v'. exact (Map.get_set _ (vms a) v r v'). Qed.
Lemma cpu_at_put : forall c r a d, cpu_at (set_cpu c r a) d = if d =? c then r else cpu_at a d.
Proof. intros c r a d. exact (Map.get_set _ (cpus a) c r d). Qed.

Lemma many_put : forall v i r a w f, 0 <= i < NIE_MAX_VCPUS ->
  how_many (set_vcpu v i r a) w f = how_many a w f + if w =? v then ind (f r) - ind (f (vcpu_at a v i)) else 0.
Proof.
  intros v i r a w f I. unfold how_many. unfold NIE_MAX_VCPUS in *. destruct (Z.eqb_spec w v) as [->|N].
  - rewrite (count_one (fun j => f (vcpu_at a v (Z.of_nat j))) (fun j => f (vcpu_at (set_vcpu v i r a) v (Z.of_nat j))) (Z.to_nat i)).
    + rewrite !Z2Nat.id by lia. rewrite vcpu_at_put, !Z.eqb_refl by (unfold NIE_MAX_VCPUS; lia). cbn [andb]. lia.
    + lia.
    + intros m M. destruct (Z.eq_dec (Z.of_nat m) i) as [E|E]; [lia|].
      destruct (Z.ltb_spec (Z.of_nat m) 8); [|].
      * rewrite vcpu_at_put by (unfold NIE_MAX_VCPUS; lia). rewrite Z.eqb_refl. now replace (Z.of_nat m =? i) with false by lia.
      * f_equal. symmetry. transitivity (Map.get (Map.set (vcpus a) (v * 8 + i) r) (v * 8 + Z.of_nat m)); [reflexivity|]. rewrite Map.get_set.
        now replace (v * 8 + Z.of_nat m =? v * 8 + i) with false by lia.
  - rewrite Z.add_0_r. do 2 f_equal. apply filter_ext_in. intros j J. apply in_seq in J.
    rewrite vcpu_at_put by (unfold NIE_MAX_VCPUS; lia). now replace (w =? v) with false by lia.
Qed.
