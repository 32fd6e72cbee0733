(* SPDX-License-Identifier: Apache-2.0 *)
(* spec/Isolation.v takes it from x0 after the handler whether CPU_ON was accepted: that says what the engine's state says. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Step Released Registers Switch.
From nie.spec.trap Require vcpu_call trap.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.lib Require Import Wp.
From nie.spec Require Import Core.
From nie.proof.invariant Require Import Meaning vcpu_run_preserves.
From nie.proof.refine Require Import Relation Shared statements vcpu_trap_statement Told inject_exact.
From nie.proof Require Theorems.
From nie.proof.refine Require Import trap_exact trap_statement.
From nie.proof.security Require core_is_safe.
From nie.proof.security Require Import trace_statement trap_tells exit_state exit_registers.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
#[local] Opaque Step.vectors_save Step.vectors_load run_of Step.call.

(* PSCI CPU_ON, by HVC or SMC. *)
Definition is_on (s : Step.machine) (c : Z) (e : Step.exception) : bool :=
  let f := Z.land (Step.x s c 0) 0xffffffff in
  (Step.kind e =? TRAP_SYNC) && ((Released.class e =? EC_HVC64) || (Released.class e =? EC_SMC64)) && ((f =? PSCI_CPU_ON) || (f =? PSCI_CPU_ON_32)).

Lemma only_on : forall s c e ram p q, is_on s c e = false -> Released.released s c e ram p = Released.released s c e ram q.
Proof.
  intros s c e ram p q H. unfold Released.released, Released.exit_of, is_on in *. destruct (Step.kind e =? TRAP_SYNC); cbn [negb andb] in *; [|reflexivity].
  destruct (Released.class e =? EC_WFX); [reflexivity|].
  destruct ((Released.class e =? EC_HVC64) || (Released.class e =? EC_SMC64))%bool; cbn [andb] in *; [|reflexivity]. rewrite H. reflexivity.
Qed.

Section On.
Variables (a : state) (c : Z) (e : Step.exception) (s : Step.machine).
Hypothesis T : taken_as a c e s.
Hypothesis ON : is_on s c e = true.

(* What the specification says of it. *)
Lemma on_is : exists b, (b = a \/ b = Registers.skip_instruction a) /\
  nie.spec.trap.trap.vcpu_trap c (Step.kind e) a = nie.spec.trap.vcpu_call.vcpu_on c (Registers.x_of a c 0 mod 2 ^ 32) b.
Proof.
  unfold is_on in ON. apply andb_prop in ON as [H F]. apply andb_prop in H as [K CL]. unfold nie.spec.trap.trap.vcpu_trap. rewrite K.
  unfold nie.spec.trap.trap.vcpu_sync. rewrite (ta_esr _ _ _ _ T).
  assert (EC : Released.class e = Registers.exception_class (Step.esr e)) by (unfold Released.class; now rewrite (field_is (Step.esr e) 26 6) by (lia || reflexivity)).
  rewrite EC in CL. rewrite (function_is a c e s T) in F. set (k := Registers.exception_class (Step.esr e)) in *.
  assert (D : forall b, Registers.x_of b c 0 = Registers.x_of a c 0 -> nie.spec.trap.vcpu_call.vcpu_call c b = nie.spec.trap.vcpu_call.vcpu_on c (Registers.x_of a c 0 mod 2 ^ 32) b).
  { intros b X. unfold nie.spec.trap.vcpu_call.vcpu_call. rewrite X. rewrite orb_comm in F. rewrite F. reflexivity. }
  destruct (Z.eqb_spec k EC_WFX) as [E|N]; [rewrite E in CL; discriminate CL|].
  destruct (Z.eqb_spec k EC_SMC64) as [E|N1]; [exists (Registers.skip_instruction a); split; [now right|now apply D]|].
  rewrite orb_false_r in CL. rewrite CL. exists a. split; [now left|now apply D].
Qed.

Lemma on_ends_so : let r := nie.spec.trap.trap.vcpu_trap c (Step.kind e) a in
  if on_ok a c then exists x b, r = Switch.exit_vcpu c x b else exists n b, r = ([], Registers.set_x c 0 n b) /\ n <> PSCI_SUCCESS.
Proof.
  destruct on_is as (b & B & E). cbn zeta. rewrite E. clear E. unfold on_ok, nie.spec.trap.vcpu_call.vcpu_on.
  assert (EX : forall n, Registers.x_of b c n = Registers.x_of a c n) by (destruct B as [-> | ->]; reflexivity).
  assert (EC : cpu_at b c = cpu_at a c) by (destruct B as [-> | ->]; reflexivity). assert (EV : forall v, vm_at b v = vm_at a v) by (destruct B as [-> | ->]; reflexivity).
  assert (EU : forall v t, vcpu_at b v t = vcpu_at a v t) by (destruct B as [-> | ->]; reflexivity).
  rewrite !EX, !EC, !EV, !EU. set (t := Registers.smccc_argument _ (Registers.x_of a c 1)). set (n := Registers.smccc_argument _ (Registers.x_of a c 2)).
  destruct (t <? _); cbn [negb andb]; [|do 2 eexists; split; [reflexivity|discriminate]]. destruct (_ =? VCPU_OFF); cbn [negb andb]; [|do 2 eexists; split; [reflexivity|discriminate]].
  destruct (_ && _)%bool; cbn [negb andb]; [|do 2 eexists; split; [reflexivity|discriminate]]. do 2 eexists. reflexivity.
Qed.
End On.

(* The release that a trace shows ([show], spec/Isolation.v) is that of trap_tells_released. *)
Definition exits_show_released (P : program gvar) : Prop := forall w a s c e ins dur s' g,
  core_is_safe.good a s -> described w a (Step.glob s) -> cpu_vm (cpu_at a c) <> CPU_HOST ->
  (forall r, 0 <= r < 31 -> 0 <= Step.x s c r < 2 ^ 64) -> Step.sysreg s c REG_CNTVOFF_EL2 = cntvoff (vm_at a (cpu_vm (cpu_at a c))) ->
  Step.next P s (Step.Trap c e ins dur) = Step.Ok s' g -> forall ram,
  Released.released s c e ram (Step.x s' c 0 =? PSCI_SUCCESS) = Released.released s c e ram (on_ok (arrives c s (hw (trapped s c e ins dur)) a) c).

Lemma shown_of_correct : forall P, trap_correct P -> exits_show_released P.
Proof.
  intros P TC w a s c e ins dur s' g G D GU X64 CV N ram. destruct (is_on s c e) eqn:ON; [|now apply only_on]. f_equal.
  destruct (next_ended P TC w a s c e ins dur s' g G D GU X64 CV N) as (m & [C T HB ME EH _ EX]).
  rewrite (x_after _ s s' c m C HB EX 0) by lia. pose proof (on_ends_so _ c e s T ON) as K. cbn zeta in K.
  destruct (on_ok _ c).
  - destruct K as (x & b & K). rewrite K, left_cpu, Z.eqb_refl.
    change (Map.get (Map.set (host_x (cpu_at b c)) 0 NIE_OK) 0 =? PSCI_SUCCESS = true). rewrite Map.get_set. reflexivity.
  - destruct K as (n & b & K & NE). rewrite K. cbn [snd].
    change (Map.get (cpu_x (Map.get (Map.set (cpus b) c (cpu_at b c <| cpu_x ::= fun m => Map.set m 0 n |>)) c)) 0 =? PSCI_SUCCESS = false). rewrite Map.get_set, Z.eqb_refl.
    change (Map.get (Map.set (cpu_x (cpu_at b c)) 0 n) 0 =? PSCI_SUCCESS = false). rewrite Map.get_set, Z.eqb_refl. now apply Z.eqb_neq.
Qed.
Theorem exit_shows_released : exits_show_released Program.core.
Proof. exact (shown_of_correct Program.core Theorems.trap_is_correct). Qed.
