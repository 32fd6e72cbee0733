(* SPDX-License-Identifier: Apache-2.0 *)
(* VCPU_RUN keeps well-formedness and the map. What registers hold is in no invariant. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Registers Switch.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.proof.invariant Require Export trap_steps_preserve.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

(* The states differ in registers alone. *)
Record alike (a b : state) : Prop := {
  al_cfg : cfg b = cfg a; al_owners : owners b = owners a; al_slots : slots b = slots a; al_modes : modes b = modes a;
  al_vms : vms b = vms a; al_vcpus : vcpus b = vcpus a; al_saved : saved b = saved a; al_lasts : lasts b = lasts a;
  al_runs : forall d, cpu_vm (cpu_at b d) = cpu_vm (cpu_at a d) /\ cpu_vcpu (cpu_at b d) = cpu_vcpu (cpu_at a d);
}.
Lemma alike_refl : forall a, alike a a.
Proof. constructor; auto. Qed.
Lemma alike_trans : forall a b c, alike a b -> alike b c -> alike a c.
Proof. intros a b c [] []. constructor; try congruence. intro d. destruct (al_runs0 d), (al_runs1 d). split; congruence. Qed.
Lemma alike_cpu : forall c r a, cpu_vm r = cpu_vm (cpu_at a c) -> cpu_vcpu r = cpu_vcpu (cpu_at a c) -> alike a (set_cpu c r a).
Proof. intros c r a H K. constructor; try reflexivity. intro d. rewrite cpu_at_put. destruct (Z.eqb_spec d c) as [->|]; auto. Qed.
Lemma alike_x : forall c i w a, alike a (Registers.set_x c i w a).
Proof. intros. apply alike_cpu; reflexivity. Qed.
Lemma alike_set_here : forall r x a, alike a (set_here r x a).
Proof. intros. constructor; auto. Qed.
Lemma alike_here : forall l a, alike a (Registers.set_regs l a).
Proof.
  unfold Registers.set_regs. induction l as [|[r x] l IH]; intro a; cbn [fold_left]; [apply alike_refl|]. eapply alike_trans; [|apply IH].
  apply alike_set_here.
Qed.
Lemma alike_regs : forall n to f a, alike a (Switch.load_regs n to f a).
Proof. intros. constructor; auto. Qed.
Lemma alike_save : forall c a, alike a (Switch.save_host c a).
Proof. intros. apply alike_cpu; reflexivity. Qed.
Lemma alike_load : forall c v i a, alike a (Switch.load_vcpu c v i a).
Proof.
  intros c v i a. eapply alike_trans; [apply (alike_cpu c (cpu_at a c <| cpu_x := Switch.fill 31 0 (fun n => saved_at a v i (CTX_X0 + n)) (Map.const 0) |>) a); reflexivity|].
  constructor; auto.
Qed.
Lemma alike_gpr : forall c r w a, alike a (Registers.set_gpr c r w a).
Proof. intros. unfold Registers.set_gpr. destruct (r <? 31); [apply alike_x|apply alike_refl]. Qed.

Lemma alike_sound : forall a b, alike a b -> sound a -> sound b.
Proof. intros a b [] SO. eapply quiet_sound with (a := a); auto. Qed.
Lemma alike_map : forall a b, alike a b -> same_map a b.
Proof. intros a b []. constructor; auto. intro v. unfold vm_at. rewrite al_vms0. split; tauto. Qed.
Lemma alike_tables : forall a b m, alike a b -> tables_hold a m -> tables_hold b m.
Proof.
  intros a b m [] [].
  assert (HE : forall l k, henc b l k = henc a l k).
  { intros. unfold henc, gib_count, level3, level3_first, gib_count, attributes, host_may_access, mode_at, own, in_ram. now rewrite al_cfg0, al_owners0, al_modes0. }
  assert (IR : forall p, in_ram b p = in_ram a p) by (intro; unfold in_ram; now rewrite al_cfg0).
  assert (OW : forall p, own b p = own a p) by (intro; unfold own; now rewrite al_owners0).
  assert (GC : gib_count b = gib_count a) by (unfold gib_count; now rewrite al_cfg0).
  assert (L3 : forall g, level3 b g = level3 a g) by (intro; unfold level3, level3_first, gib_count; now rewrite IR, al_cfg0).
  constructor.
  - intros p v l k i. rewrite IR, OW. unfold slot_at. rewrite al_slots0. apply t_vm.
  - intros i. rewrite HE, al_cfg0. apply t_1.
  - intros j i. rewrite HE, GC, al_cfg0. apply t_2.
  - intros g i. rewrite HE, L3. unfold managed. rewrite IR, al_cfg0. apply t_3.
  - intros p v i j. rewrite IR, OW. unfold saved_at. rewrite al_saved0. apply t_saved.
Qed.

Lemma same_map_trans : forall p q r, same_map p q -> same_map q r -> same_map p r.
Proof. intros p q r [] []. constructor; try congruence. intro w. destruct (sm_root w) as [<- <-]. apply sm_root0. Qed.

(* The answer to the pending exit is taken, and is registers beside that. *)
Definition asked (v i : Z) (a : state) : state := set_vcpu v i (vcpu_at a v i <| pending := PENDING_NONE |> <| syndrome := 0 |>) a.
Lemma answer_alike : forall c v i a, alike (asked v i a) (Switch.take_answer c v i a).
Proof.
  intros c v i a. unfold Switch.take_answer. cbv zeta. fold (asked v i a). generalize (asked v i a). intro b.
  destruct (_ =? PENDING_CALL).
  - unfold Registers.answer. cbn [Registers.answer_from]. repeat first [apply alike_x | eapply alike_trans; [|apply alike_x]].
  - destruct (_ || _); [apply alike_refl|]. unfold Registers.skip_instruction. eapply alike_trans; [|apply alike_here].
    destruct (_ =? PENDING_READ); [apply alike_gpr|apply alike_refl].
Qed.
Lemma answer_here : forall c v i a r, r <> REG_ELR_EL2 -> r <> REG_SPSR_EL2 -> Map.get (here (Switch.take_answer c v i a)) r = Map.get (here a) r.
Proof.
  intros c v i a r N1 N2. unfold Switch.take_answer. cbv zeta. fold (asked v i a). transitivity (Map.get (here (asked v i a)) r); [|reflexivity].
  generalize (asked v i a). intro b. destruct (_ =? PENDING_CALL); [reflexivity|]. destruct (_ || _); [reflexivity|].
  assert (G : forall x w d, here (Registers.set_gpr c x w d) = here d) by (intros; unfold Registers.set_gpr; destruct (_ <? 31); reflexivity).
  assert (K : forall d, Map.get (here (Registers.skip_instruction d)) r = Map.get (here d) r).
  { intro d. transitivity (Map.get (Map.set (Map.set (here d) REG_ELR_EL2 (Registers.wrap64 (Registers.reg_of d REG_ELR_EL2 + 4))) REG_SPSR_EL2
      (Registers.without (Registers.reg_of d REG_SPSR_EL2) SPSR_BTYPE_SS)) r); [reflexivity|]. now rewrite !get_set_other by auto. }
  rewrite K. destruct (_ =? PENDING_READ); [now rewrite G|reflexivity].
Qed.

Section Run.
Variables (c v i : Z) (a : state).
Hypothesis SO : sound a.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis HO : cpu_vm (cpu_at a c) = CPU_HOST.
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis I : 0 <= i < NIE_MAX_VCPUS.
Hypothesis RD : vcpu_state (vcpu_at a v i) = VCPU_READY.

(* The vCPU is there; its registers are not yet. *)
Definition come : state := set_last v c (i + 1) (enter c v i a).
Lemma come_runs : runs (enter c v i a) c v i.
Proof.
  unfold runs, enter. rewrite cpu_at_put, Z.eqb_refl. split; [reflexivity|]. split; [|reflexivity]. unfold NIE_MAX_VMS, CPU_HOST in *. cbn. intro. lia.
Qed.
Lemma come_sound : sound come.
Proof.
  pose proof (enter_sound a c v i SO C HO V I RD) as SE. apply last_sound; auto. exact (who_runs _ _ _ _ (so_wf _ SE) C come_runs).
Qed.
Lemma come_map : same_map a come.
Proof.
  constructor; try reflexivity. intro w.
  assert (E : vm_at come w = if w =? v then vm_at a v <| running ::= fun n => n + 1 |> else vm_at a w) by exact (vm_at_put v _ _ w).
  rewrite E. clear E. destruct (Z.eqb_spec w v) as [E|E]; [rewrite E|]; split; try reflexivity; split; auto.
Qed.
Lemma come_tables : forall m, tables_hold a m -> tables_hold come m.
Proof. intros m T. destruct T. constructor; assumption. Qed.

Variable x : state.
Hypothesis X : alike come x.
Notation b := (Switch.take_answer c v i x).
Lemma come_vcpu : vcpu_at x v i = vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |>.
Proof.
  unfold vcpu_at at 1. rewrite (al_vcpus _ _ X). fold (vcpu_at come v i).
  transitivity (vcpu_at (set_vcpu v i (vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |>) a) v i); [reflexivity|].
  rewrite vcpu_at_put by auto. now rewrite !Z.eqb_refl.
Qed.
Lemma ran_sound : sound b.
Proof.
  apply alike_sound with (asked v i x); [apply answer_alike|]. pose proof come_vcpu as E. unfold asked. rewrite E. apply put_sound; auto; rewrite ?E.
  - apply alike_sound with come; auto. apply come_sound.
  - auto.
  - cbn. unfold VCPU_NONE, VCPU_RUNNING. lia.
  - cbn. discriminate.
  - reflexivity.
  - reflexivity.
Qed.
Lemma ran_map : same_map a b.
Proof.
  eapply same_map_trans; [apply come_map|]. eapply same_map_trans; [apply alike_map, X|]. eapply same_map_trans; [|apply alike_map, answer_alike]. apply put_map.
Qed.
Lemma ran_tables : forall m, tables_hold a m -> tables_hold b m.
Proof.
  intros m T. apply alike_tables with (asked v i x); [apply answer_alike|]. assert (TX : tables_hold x m) by (eapply alike_tables; [exact X|now apply come_tables]).
  destruct TX. constructor; assumption.
Qed.
Lemma ran_runs : forall d, cpu_vm (cpu_at b d) = (if d =? c then v else cpu_vm (cpu_at a d)).
Proof.
  intro d. destruct (al_runs _ _ (answer_alike c v i x) d) as [-> _]. transitivity (cpu_vm (cpu_at x d)); [reflexivity|].
  destruct (al_runs _ _ X d) as [-> _]. change (cpu_at come d) with (cpu_at (enter c v i a) d). unfold enter. rewrite cpu_at_put. destruct (d =? c); reflexivity.
Qed.
End Run.
