(* SPDX-License-Identifier: Apache-2.0 *)
(* What an exception of a vCPU leaves of its CPU, by spec/trap/: the vCPU goes on, or the host is back there as it was when it called
   VCPU_RUN, with x0 alone changed. No other CPU's part of the state changes. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Registers Switch.
From nie.spec.trap Require sysreg vcpu_abort vcpu_call trap.
From nie.proof.refine Require Import Exact.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

(* Who runs where, and what the engine keeps of the host on each CPU. *)
Record same_hosts (a b : state) : Prop := {
  sh_vm : forall d, cpu_vm (cpu_at b d) = cpu_vm (cpu_at a d);
  sh_x : forall d, host_x (cpu_at b d) = host_x (cpu_at a d);
  sh_sysreg : forall d, host_sysreg (cpu_at b d) = host_sysreg (cpu_at a d);
}.
Lemma sh_refl : forall a, same_hosts a a.
Proof. constructor; auto. Qed.
Lemma sh_trans : forall a b d, same_hosts a b -> same_hosts b d -> same_hosts a d.
Proof. intros a b d [V X S] [V' X' S']. constructor; intro c; congruence. Qed.
Lemma sh_cpus : forall a b, cpus b = cpus a -> same_hosts a b.
Proof. intros a b E. constructor; intro d; unfold cpu_at; now rewrite E. Qed.
Lemma sh_set_x : forall a c i v, same_hosts a (Registers.set_x c i v a).
Proof.
  intros a c i v. assert (E : forall d, cpu_at (Registers.set_x c i v a) d = if d =? c then cpu_at a c <| cpu_x ::= fun m => Map.set m i v |> else cpu_at a d).
  { intro d. exact (Map.get_set _ (cpus a) c _ d). }
  constructor; intro d; rewrite E; destruct (Z.eqb_spec d c) as [->|]; reflexivity.
Qed.
Lemma sh_set_gpr : forall a c i v, same_hosts a (Registers.set_gpr c i v a).
Proof. intros a c i v. unfold Registers.set_gpr. destruct (i <? 31); [apply sh_set_x|apply sh_refl]. Qed.
Lemma sh_skip : forall a, same_hosts a (Registers.skip_instruction a).
Proof. intro a. now apply sh_cpus. Qed.
Lemma sh_inject : forall a y f, same_hosts a (Registers.inject y f a).
Proof. intros a y f. now apply sh_cpus. Qed.
Lemma sh_inject_abort : forall a y f, same_hosts a (Registers.inject_abort y f a).
Proof. intros a y f. unfold Registers.inject_abort. apply sh_inject. Qed.

(* The two ways in which an exception ends. *)
Definition ends_so (c : Z) (a : state) (r : list Switch.event * state) : Prop :=
  (fst r = [] /\ same_hosts a (snd r)) \/ (exists e b, r = Switch.exit_vcpu c e b /\ same_hosts a b).
Lemma goes_on : forall c a b, same_hosts a b -> ends_so c a ([], b).
Proof. intros c a b S. left. split; auto. Qed.
Lemma goes_out : forall c a e b, same_hosts a b -> ends_so c a (Switch.exit_vcpu c e b).
Proof. intros c a e b S. right. exists e, b. auto. Qed.

Lemma on_ends : forall c f a, ends_so c a (nie.spec.trap.vcpu_call.vcpu_on c f a).
Proof.
  intros c f a. unfold nie.spec.trap.vcpu_call.vcpu_on.
  destruct (negb _); [apply goes_on, sh_set_x|]. destruct (negb _); [apply goes_on, sh_set_x|]. destruct (negb _); [apply goes_on, sh_set_x|].
  apply goes_out. eapply sh_trans; [|apply sh_set_x]. now apply sh_cpus.
Qed.
Lemma answer_cpus : forall v f x y a, cpus (snd (nie.spec.trap.vcpu_call.vcpu_call_answer v f x y a)) = cpus a.
Proof.
  intros v f x y a. unfold nie.spec.trap.vcpu_call.vcpu_call_answer. repeat match goal with |- context [if ?b then _ else _] => destruct b; [try reflexivity|] end; try reflexivity.
  unfold nie.spec.trap.vcpu_call.page_reopen. destruct (negb _); [reflexivity|]. destruct (negb _); [reflexivity|]. destruct (slot_at _ _ _ _); reflexivity.
Qed.
Lemma call_ends : forall c a, ends_so c a (nie.spec.trap.vcpu_call.vcpu_call c a).
Proof.
  intros c a. unfold nie.spec.trap.vcpu_call.vcpu_call. cbn zeta. generalize (Registers.x_of a c 0 mod 2 ^ 32). intro f.
  destruct (_ || _)%bool; [apply on_ends|]. destruct (_ =? _); [apply goes_out, sh_refl|]. destruct (_ || _)%bool; [apply goes_out, sh_set_x|].
  destruct (_ =? _); [apply goes_out; now apply sh_cpus|]. destruct (_ =? _); [apply goes_out; now apply sh_cpus|]. destruct (_ =? _); [apply goes_out; now apply sh_cpus|].
  match goal with |- context [nie.spec.trap.vcpu_call.vcpu_call_answer ?v ?f ?x ?y ?s] => pose proof (answer_cpus v f x y s) as E; destruct (nie.spec.trap.vcpu_call.vcpu_call_answer v f x y s) as [r b] end.
  apply goes_on. eapply sh_trans; [apply sh_cpus; exact E|apply sh_set_x].
Qed.
Lemma abort_ends : forall c y a, ends_so c a (nie.spec.trap.vcpu_abort.vcpu_abort c y a).
Proof.
  intros c y a. unfold nie.spec.trap.vcpu_abort.vcpu_abort. cbn zeta. destruct (_ || _)%bool; [apply goes_on, sh_inject_abort|].
  destruct (nie.spec.trap.vcpu_abort.entry_of _ _ _); try (apply goes_on, sh_refl); try (apply goes_on, sh_inject_abort).
  destruct (nie.spec.trap.vcpu_abort.in_ram_window _ _ _); [apply goes_out, sh_refl|]. destruct (_ && _)%bool; [|apply goes_on, sh_inject_abort].
  unfold nie.spec.trap.vcpu_abort.mmio_exit. destruct (Registers.has _ _); apply goes_out; now apply sh_cpus.
Qed.
Lemma sysreg_ends : forall c y a, ends_so c a (nie.spec.trap.sysreg.sysreg_trap c y a).
Proof.
  intros c y a. unfold nie.spec.trap.sysreg.sysreg_trap. cbn zeta. destruct (_ && _ && _)%bool; [apply goes_out, sh_skip|].
  destruct (_ =? ENC_MDSCR).
  - apply goes_on. eapply sh_trans; [|apply sh_skip]. destruct (Registers.has _ _); [apply sh_set_gpr|now apply sh_cpus].
  - destruct (nie.spec.trap.sysreg.reads_constant _ _ _); [|apply goes_on; unfold Registers.inject_undefined; apply sh_inject].
    apply goes_on. eapply sh_trans; [|apply sh_skip]. destruct (Registers.has _ _); [apply sh_set_gpr|apply sh_refl].
Qed.

Lemma after_skip : forall c a r, ends_so c (Registers.skip_instruction a) r -> ends_so c a r.
Proof.
  intros c a r [[E S]|(e & b & E & S)]; [left|right; exists e, b]; (split; [exact E|eapply sh_trans; [apply sh_skip|exact S]]).
Qed.
Theorem trap_ends : forall c kind a, ends_so c a (nie.spec.trap.trap.vcpu_trap c kind a).
Proof.
  intros c kind a. unfold nie.spec.trap.trap.vcpu_trap. destruct (kind =? TRAP_SYNC); [|apply goes_out, sh_refl].
  unfold nie.spec.trap.trap.vcpu_sync. cbn zeta. destruct (_ =? EC_WFX); [apply goes_out, sh_skip|].
  destruct (_ =? EC_SMC64); [apply after_skip, call_ends|]. destruct (_ =? EC_HVC64); [apply call_ends|]. destruct (_ =? EC_SYSREG); [apply sysreg_ends|].
  destruct (_ || _)%bool; [apply abort_ends|]. apply goes_on. unfold Registers.inject_undefined. apply sh_inject.
Qed.

(** The state after an exit. *)

Section Left.
Variables (c : Z) (e : Switch.exit) (a : state).
Let b := snd (Switch.exit_vcpu c e a).

Lemma left_cpu : forall d, cpu_at b d = if d =? c
  then cpu_at a c <| cpu_vm := CPU_HOST |> <| cpu_x := Map.set (host_x (cpu_at a c)) 0 NIE_OK |> else cpu_at a d.
Proof.
  intro d. unfold b, Switch.exit_vcpu. cbv zeta. cbn [snd].
  match goal with |- cpu_at (Switch.controls_host (Registers.set_x c 0 NIE_OK (Switch.load_host c (set_cpu c ?r ?s)))) d = _ => set (y := s); set (r0 := r) end.
  change (Map.get (Map.set (Map.set (Map.set (cpus a) c r0) c (Map.get (Map.set (cpus a) c r0) c <| cpu_x := host_x (Map.get (Map.set (cpus a) c r0) c) |>)) c
    (Map.get (Map.set (Map.set (cpus a) c r0) c (Map.get (Map.set (cpus a) c r0) c <| cpu_x := host_x (Map.get (Map.set (cpus a) c r0) c) |>)) c <| cpu_x ::= fun m => Map.set m 0 NIE_OK |>)) d = 
    if d =? c then cpu_at a c <| cpu_vm := CPU_HOST |> <| cpu_x := Map.set (host_x (cpu_at a c)) 0 NIE_OK |> else cpu_at a d).
  rewrite !Map.get_set, !Z.eqb_refl. destruct (Z.eqb_spec d c) as [->|]; reflexivity.
Qed.

Lemma left_fp : fp_here b = Map.const 0.
Proof. reflexivity. Qed.

Lemma left_regs : forall r, 0 <= r < REG_SWITCHED -> Map.get (here b) r = Map.get (host_sysreg (cpu_at a c)) r.
Proof.
  intros r B. unfold b, Switch.exit_vcpu. cbv zeta. cbn [snd].
  match goal with |- Map.get (here (Switch.controls_host (Registers.set_x c 0 NIE_OK (Switch.load_host c ?s)))) r = _ => set (y := s) end.
  assert (E : here (Switch.controls_host (Registers.set_x c 0 NIE_OK (Switch.load_host c y))) =
    Map.set (Map.set (Map.set (Map.set (Map.set (Map.set (Switch.fill REG_SWITCHED 0 (Map.get (host_sysreg (cpu_at y c))) (here y)) REG_HCR_EL2 HCR_HOST)
    REG_VTTBR_EL2 (host_tables (cfg y) * 4096)) REG_VMPIDR_EL2 (Map.get (Switch.fill REG_SWITCHED 0 (Map.get (host_sysreg (cpu_at y c))) (here y)) REG_MPIDR_EL1))
    REG_CNTVOFF_EL2 0) REG_CNTHCTL_EL2 CNTHCTL_HOST) REG_ICH_HCR_EL2 0) by reflexivity.
  rewrite E. clear E. assert (H : host_sysreg (cpu_at y c) = host_sysreg (cpu_at a c)).
  { change (cpu_at y c) with (Map.get (Map.set (cpus a) c (cpu_at a c <| cpu_vm := CPU_HOST |>)) c). rewrite Map.get_set, Z.eqb_refl. reflexivity. }
  rewrite H. clearbody y. clear H. unfold REG_SWITCHED in *.
  rewrite !get_set_other by (intros ->; destruct B as [_ B]; vm_compute in B; discriminate B).
  rewrite get_fill by lia. replace ((0 <=? r) && (r <? 0 + 28))%bool with true by lia. now rewrite Z.sub_0_r.
Qed.
End Left.
