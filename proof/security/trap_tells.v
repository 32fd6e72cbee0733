(* SPDX-License-Identifier: Apache-2.0 *)
(* From an exception of spec/Step.v on: what the deep term tells the host of a vCPU is what spec/Released.v releases of the
   machine on which the exception was taken, before the engine ran. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Step Released Registers Switch.
From nie.spec.trap Require trap.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.lib Require Import Wp.
From nie.spec Require Import Core.
From nie.proof.invariant Require Import Meaning vcpu_run_preserves.
From nie.proof.invariant Require Meaning.
From nie.proof.refine Require Import Relation Shared statements vcpu_trap_statement vcpu_abort_exact vcpu_call_exact Told inject_exact.
From nie.proof Require Theorems.
From nie.proof.refine Require Import trap_exact trap_statement.
From nie.proof.security Require core_is_safe core_is_correct Watched.
From nie.proof.security Require Import trace_statement.
From nie.proof.security Require Export exit_is_released.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* The engine's start: the vectors have saved x0 to x30, the hardware has written the syndrome. *)
Definition trapped (s : Step.machine) (c : Z) (e : Step.exception) (i : nat -> Z) (d : list (list act)) : MACH :=
  Mach (Step.vectors_save c s (Step.glob s)) (Step.take c e (Step.enter c i d (Step.hw s))).

(* Conversion is not to run them. *)
#[local] Opaque Step.vectors_save Step.vectors_load run_of Step.call.

Section Taken.
Variables (a : state) (s : Step.machine) (c : Z) (e : Step.exception) (i : nat -> Z) (d : list (list act)).
Hypothesis HR : R a (trapped s c e i d).
Hypothesis GU : cpu_vm (cpu_at a c) <> CPU_HOST.
Let v := cpu_vm (cpu_at a c).

Lemma reg_taken : forall r, 0 <= r < 128 -> Registers.reg_of a r =
  if r =? REG_HPFAR_EL2 then Step.hpfar e else if r =? REG_FAR_EL2 then Step.far e else if r =? REG_ESR_EL2 then Step.esr e
  else if r =? REG_SPSR_EL2 then Step.spsr e else if r =? REG_ELR_EL2 then Step.elr e else Step.sysreg s c r.
Proof.
  intros r B. unfold Registers.reg_of. rewrite <- (r_here _ _ (R_regs _ _ HR)) by exact B.
  transitivity (Map.get (Map.set (Map.set (Map.set (Map.set (Map.set (reg (Step.hw s)) (c * 128 + REG_ELR_EL2) (Step.elr e)) (c * 128 + REG_SPSR_EL2) (Step.spsr e))
    (c * 128 + REG_ESR_EL2) (Step.esr e)) (c * 128 + REG_FAR_EL2) (Step.far e)) (c * 128 + REG_HPFAR_EL2) (Step.hpfar e)) (c * 128 + r)); [reflexivity|].
  rewrite !Map.get_set. assert (E : forall x, (c * 128 + r =? c * 128 + x) = (r =? x)) by (intro; lia). rewrite !E. reflexivity.
Qed.

(* What the hardware's walk finds is the entry of the map. *)
Lemma found_is : let x := Registers.fault_page (Step.hpfar e) in x < 2 ^ 27 -> Released.found s c e = enc (entry_of a v x).
Proof.
  intros x X. pose proof (R_wf _ _ HR) as W. pose proof (r_me _ _ (R_regs _ _ HR)) as C. change (0 <= c < NIE_MAX_CPUS) in C.
  assert (X0 : 0 <= x) by (unfold x, Registers.fault_page, Registers.field; apply Z.mod_pos_bound; lia).
  assert (RU : trap_steps.runs a c v (cpu_vcpu (cpu_at a c))) by (split; [reflexivity|split; [exact GU|reflexivity]]).
  pose proof (who_runs _ _ _ _ W C RU) as [V I ST CP NF _ _]. destruct (wf_root _ W v V NF) as [R1 O1]. pose proof (ram_small _ W _ R1) as RS.
  destruct (R_hw _ _ HR) as (m & WD & T). cbn [hw] in WD.
  assert (RD : forall p w l k j, State.in_ram a p = true -> own a p = Table w l k -> 0 <= j < 512 -> Map.get (Machine.mem (Step.hw s)) (p * 512 + j) = enc (slot_at a w l (k * 512 + j))).
  { intros p w l k j PR PO J. rewrite <- (t_vm _ _ T _ _ _ _ _ PR PO) by (unfold is_word; lia). rewrite <- (w_mem _ _ _ _ _ _ WD p j); [reflexivity|unfold is_word; lia|].
    apply (Meaning.untouched a W); auto. now rewrite PO. }
  assert (RT : root_desc (Step.hw s) c = root (vm_at a v) * 4096).
  { assert (VT : vttbr (Step.hw s) c = vttbr_of a c).
    { rewrite <- (core_is_safe.al_vttbr _ _ (core_is_safe.alike_enter c i d (Step.hw s))), <- (core_is_safe.al_vttbr _ _ (core_is_safe.alike_take c e _)).
      exact (r_vttbr _ _ (R_regs _ _ HR) c). }
    unfold root_desc. rewrite VT. unfold vttbr_of. replace ((0 <=? c) && (c <? NIE_MAX_CPUS) && negb (cpu_vm (cpu_at a c) =? CPU_HOST))%bool with true by lia.
    fold v. unfold GRANULES_MAX in *. lia. }
  assert (PG : Z.land (Z.shiftr (Step.hpfar e) 4) 0xfffffffffff = x) by (apply field_is; lia || reflexivity).
  unfold Released.found. cbn [Released.walk]. rewrite PG, RT. change (is_table 0 (root (vm_at a v) * 4096)) with true. cbn iota. change (0 + 1) with 1. change (1 + 1) with 2.
  change (512 ^ (2 - 0)) with 262144. change (512 ^ (2 - 1)) with 512. change (512 ^ (2 - 2)) with 1. rewrite Z.div_1_r.
  assert (F0 : Machine.frame (root (vm_at a v) * 4096) = root (vm_at a v)) by (unfold Machine.frame; lia).
  rewrite F0, (RD _ _ _ _ _ R1 O1) by lia. replace (0 * 512 + x / 262144 mod 512) with (x / 262144) by lia.
  unfold nie.spec.trap.vcpu_abort.entry_of. replace (x / 512 / 512) with (x / 262144) by lia.
  assert (IT : forall l k, (l = 1 \/ l = 2) -> is_table l (enc (slot_at a v l k)) = match slot_at a v l k with ToTable _ => true | _ => false end).
  { intros l k L. unfold is_table. rewrite enc_table by (auto; lia). destruct L as [-> | ->]; reflexivity. }
  rewrite IT by auto. destruct (slot_at a v 1 (x / 262144)) as [| |t2|t2|t2|t2] eqn:E1; try reflexivity.
  rewrite (enc_frame _ _ _ _ _ W E1). destruct (wf_tab _ W _ _ _ _ E1) as (_ & R2 & O2). change (1 + 1) with 2 in O2.
  rewrite (RD _ _ _ _ _ R2 O2) by lia. replace (x / 262144 * 512 + x / 512 mod 512) with (x / 512) by lia. rewrite IT by auto.
  destruct (slot_at a v 2 (x / 512)) as [| |t3|t3|t3|t3] eqn:E2; try reflexivity.
  rewrite (enc_frame _ _ _ _ _ W E2). destruct (wf_tab _ W _ _ _ _ E2) as (_ & R3 & O3). change (2 + 1) with 3 in O3.
  rewrite (RD _ _ _ _ _ R3 O3) by lia. replace (x / 512 * 512 + x mod 512) with x by lia. reflexivity.
Qed.

Lemma is_taken : (forall r, 0 <= r < 31 -> 0 <= Step.x s c r < 2 ^ 64) -> Step.sysreg s c REG_CNTVOFF_EL2 = cntvoff (vm_at a v) -> taken_as a c e s.
Proof.
  intros HX HV. pose proof (r_me _ _ (R_regs _ _ HR)) as C. change (0 <= c < NIE_MAX_CPUS) in C.
  assert (EX : forall r, 0 <= r < 31 -> Step.x s c r = Registers.x_of a c r).
  { intros r B. rewrite <- (Z.mod_small _ _ (HX r B)). transitivity (at1 cpus_x (Step.vectors_save c s (Step.glob s)) (c * 31 + r)).
    - symmetry. exact (core_is_safe.vectors_at c s (Step.glob s) r B).
    - exact (h_x _ _ _ (g_cpus _ _ (R_globals _ _ HR) c C) r B). }
  constructor.
  - exact EX.
  - intros r B. rewrite <- EX by exact B. auto.
  - intros r B N. rewrite reg_taken by exact B. cbn [In] in N.
    repeat match goal with |- context [r =? ?x] => destruct (Z.eqb_spec r x); [subst r; tauto|] end. reflexivity.
  - rewrite reg_taken by (vm_compute; split; congruence). reflexivity.
  - rewrite reg_taken by (vm_compute; split; congruence). reflexivity.
  - rewrite reg_taken by (vm_compute; split; congruence). reflexivity.
  - rewrite reg_taken by (vm_compute; split; congruence). exact HV.
  - exact found_is.
Qed.
End Taken.

(** The theorem. *)

(* The run record's words, as they are told: page, word, value. *)
Definition recorded (a : state) (c : Z) (l : list (Z * Z)) : list Switch.event :=
  map (fun wx => Switch.Word (run_page (vcpu_at a (cpu_vm (cpu_at a c)) (cpu_vcpu (cpu_at a c)))) (fst wx) (snd wx)) l.

(* A machine that agrees with state [a] between two handlers, on a CPU that runs a vCPU, takes an exception: any kind, syndrome, addresses,
   registers, inputs, acts of others. The engine stores to the vCPU's run record the words that stand for what spec/Released.v releases
   of the machine as it was, in their order, and to no other page but its own ([tells]); the machine goes on from there.
   LESS, as premises: registers hold 64-bit numbers, as the hardware's do (in the model a word of memory, and so what is loaded from it,
   may be larger), and CNTVOFF_EL2 is the VM's, as the entry made it (entry_brings_offset): it is not carried along traces here. *)
Definition exceptions_tell_released (P : program gvar) : Prop := forall w a s c e ins dur s' g,
  core_is_safe.good a s -> described w a (Step.glob s) -> cpu_vm (cpu_at a c) <> CPU_HOST ->
  (forall r, 0 <= r < 31 -> 0 <= Step.x s c r < 2 ^ 64) -> Step.sysreg s c REG_CNTVOFF_EL2 = cntvoff (vm_at a (cpu_vm (cpu_at a c))) ->
  Step.next P s (Step.Trap c e ins dur) = Step.Ok s' g ->
  let before := trapped s c e ins dur in
  let a0 := arrives c s (hw before) a in
  exists m, run_of P "trap"%string [c; Step.kind e] before = Some ([TRAP_RESUME], m) /\ Step.glob s' = glob m /\
    Step.hw s' = hw m <| me := Step.nobody |> <| during := [] |> /\
    tells a0 (recorded a c (record_of (Released.released s c e (in_ram a c) (on_ok a0 c)))) before m.

Lemma tells_of_correct : forall P, trap_correct P -> exceptions_tell_released P.
Proof.
  intros P TC w a s c e ins dur s' g G D GU X64 CV N before a0. cbn [Step.next] in N.
  destruct (Step.is_cpu c && negb (Map.get (Step.off s) c) && Step.possible e)%bool eqn:B; [|discriminate].
  apply andb_prop in B as [B _]. apply andb_prop in B as [IC _]. assert (C : 0 <= c < 8) by (unfold Step.is_cpu, NIE_MAX_CPUS in IC; lia).
  assert (AL : core_is_safe.alike (Step.hw s) (hw before)) by (eapply core_is_safe.alike_trans; [apply core_is_safe.alike_enter|apply core_is_safe.alike_take]).
  pose proof (core_is_correct.arrives_R a s c (hw before) G C AL eq_refl) as HR. fold a0 in HR. change (R a0 before) in HR.
  pose proof (core_is_correct.arrives_described a s c (hw before) w D) as D0. fold a0 in D0.
  assert (XO : vcpu_traps.x_ok c (glob before)) by (intros r Rr; cbn [glob before trapped]; rewrite core_is_safe.vectors_at by auto; apply Z.mod_pos_bound; lia).
  assert (EV : cpu_vm (cpu_at a0 c) = cpu_vm (cpu_at a c) /\ cpu_vcpu (cpu_at a0 c) = cpu_vcpu (cpu_at a c)).
  { unfold a0. rewrite (core_is_correct.arrives_cpu a s c (hw before) c), Z.eqb_refl. auto. }
  destruct EV as [EV EI]. assert (GU0 : cpu_vm (cpu_at a0 c) <> CPU_HOST) by (now rewrite EV).
  destruct (TC w a0 before (Step.kind e) HR (unclaimed_spares _ _ _ _ (core_is_safe.unclaimed_alike _ _ (core_is_safe.go_claims _ _ G) AL)) D0 XO) as (content & r & m & E & ER & HB & K & TL & _).
  change (me (hw before)) with c in *. specialize (TL GU0).
  set (spec := nie.spec.trap.trap.trap c (Step.kind e) _ content a0) in *.
  assert (ES : spec = (TRAP_RESUME, fst (nie.spec.trap.trap.vcpu_trap c (Step.kind e) a0), snd (nie.spec.trap.trap.vcpu_trap c (Step.kind e) a0))).
  { unfold spec, nie.spec.trap.trap.trap. replace (cpu_vm (cpu_at a0 c) =? CPU_HOST) with false by lia. now destruct (nie.spec.trap.trap.vcpu_trap c (Step.kind e) a0). }
  rewrite ES in ER, TL. cbn [fst snd] in ER, TL. subst r. exists m. split; [exact E|].
  destruct m as [gm hm]. destruct (R_hw _ _ HB) as (mm & WD & _). cbn [hw] in WD.
  destruct (Watched.watched_run P "trap"%string [c; Step.kind e] _ (hw before) _ gm hm E (w_ok _ _ _ _ _ _ WD)) as (l & W & _).
  unfold Step.engine in N. unfold before, trapped in W. cbn [hw] in W.
  rewrite W in N. injection N as <- _. split; [reflexivity|]. split; [reflexivity|].
  assert (T : taken_as a0 c e s).
  { apply (is_taken a0 s c e ins dur HR GU0 X64). rewrite EV. exact CV. }
  pose proof (exit_tells_released a0 c e s T GU0) as ET. rewrite ET in TL. rewrite EV, EI in TL. unfold recorded.
  unfold in_ram in TL. rewrite EV in TL. exact TL.
Qed.

Theorem trap_tells_released : exceptions_tell_released Program.core.
Proof. exact (tells_of_correct Program.core Theorems.trap_is_correct). Qed.
