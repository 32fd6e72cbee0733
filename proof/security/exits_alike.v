(* SPDX-License-Identifier: Apache-2.0 *)
(* Two machines that differ in what a VM keeps to itself, each on a CPU that runs a vCPU of it, take an exception there, not the same one
   perhaps, that releases the same: then the same runs on each CPU, and this CPU's registers, vectors among them, are the same or
   still the VM's.
   LESS than the goal, [observe] as a whole: of registers those of the CPU that took the exception, and no word of memory. What others do
   meanwhile would have to be matched between the runs, the words of the run record with them. [twins] itself is lost: saved contexts,
   the engine's copy of x0 to x30 and a pending syndrome differ afterwards. *)
From Coq Require Import ZArith List Bool Lia String.
From nie.model Require Import Machine.
From nie.spec Require Import State Isolation.
From nie.spec Require Step Released.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.invariant Require Import Meaning vcpu_run_preserves.
From nie.proof.refine Require Import Relation statements Described.
From nie.proof.security Require core_is_safe twins_trap.
From nie.proof.security Require Import trace_statement trap_tells exit_registers exit_shown Twins.
Import ListNotations.
Open Scope Z_scope.
#[local] Opaque Step.vectors_save Step.vectors_load run_of Step.call Step.next.

Lemma released_ext : forall s c e ram ram' p, (forall x, ram x = ram' x) -> Released.released s c e ram p = Released.released s c e ram' p.
Proof. intros s c e ram ram' p H. unfold Released.released, Released.exit_of. now rewrite H. Qed.

(* One machine: what it takes, by the state that it holds. *)
Record takes (a : state) (s : Step.machine) (c : Z) (e : Step.exception) (ins : nat -> Z) (dur : list (list act)) (s' : Step.machine) (g : Step.log) : Prop := {
  tk_described : exists w, described w a (Step.glob s);
  tk_x : forall r, 0 <= r < 31 -> 0 <= Step.x s c r < 2 ^ 64;
  tk_offset : Step.sysreg s c REG_CNTVOFF_EL2 = cntvoff (vm_at a (cpu_vm (cpu_at a c)));
  tk_next : Step.next Program.core s (Step.Trap c e ins dur) = Step.Ok s' g;
}.
(* The release that [show] of spec/Isolation.v shows, with the VM's window as [ram]. *)
Definition shows (a : state) (s : Step.machine) (c : Z) (e : Step.exception) (s' : Step.machine) : Released.release :=
  Released.released s c e (in_ram a c) (Step.x s' c 0 =? PSCI_SUCCESS).

Lemma takes_so : forall a s c e ins dur s' g, core_is_safe.good a s -> cpu_vm (cpu_at a c) <> CPU_HOST -> takes a s c e ins dur s' g ->
  (forall d, d <> c -> root_vmid (Step.hw s') d = root_vmid (Step.hw s) d) /\
  (record_of (shows a s c e s') <> [] -> host_back a c s') /\
  (record_of (shows a s c e s') = [] -> root_vmid (Step.hw s') c = root_vmid (Step.hw s) c).
Proof.
  intros a s c e ins dur s' g G GU [(w & D) X O N]. unfold shows. rewrite (exit_shows_released w a s c e ins dur s' g G D GU X O N).
  exact (exit_brings_host_back w a s c e ins dur s' g G D GU X O N).
Qed.

Section Both.
Variables (w : who) (T Cs : Z -> Prop) (a b : state) (s1 s2 s1' s2' : Step.machine) (c : Z) (e1 e2 : Step.exception).
Variables (i1 i2 : nat -> Z) (d1 d2 : list (list act)) (g1 g2 : Step.log).
Hypothesis VW : 0 <= vm w.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis TW : twins w T Cs a b s1 s2.
Hypothesis RU : root_vmid (Step.hw s1) c = vmid_of w.
Hypothesis T1 : takes a s1 c e1 i1 d1 s1' g1.
Hypothesis T2 : takes b s2 c e2 i2 d2 s2' g2.
Let G1 := tw_good1 _ _ _ _ _ _ _ TW.
Let G2 := tw_good2 _ _ _ _ _ _ _ TW.
Let H1 := core_is_safe.go_globals _ _ G1.

Lemma other_globals : globals_hold b (Step.glob s1).
Proof. rewrite <- (tw_glob _ _ _ _ _ _ _ TW). exact (core_is_safe.go_globals _ _ G2). Qed.
Lemma it_runs : cpu_vm (cpu_at a c) = vm w /\ cpu_vm (cpu_at a c) <> CPU_HOST /\ cpu_vm (cpu_at b c) = cpu_vm (cpu_at a c).
Proof.
  assert (E : cpu_vm (cpu_at b c) = cpu_vm (cpu_at a c)) by (rewrite <- (h_cpu_vm _ _ _ (g_cpus _ _ other_globals c C)); exact (h_cpu_vm _ _ _ (g_cpus _ _ H1 c C))).
  pose proof RU as K. rewrite (twins_trap.root_is a s1 c G1) in K. unfold vmid_of in K.
  destruct (Z.eqb_spec (cpu_vm (cpu_at a c)) CPU_HOST) as [Q|Q]; [rewrite andb_false_r in K; lia|].
  replace ((0 <=? c) && (c <? NIE_MAX_CPUS) && negb false)%bool with true in K by lia. split; [lia|auto].
Qed.

Lemma same_window : forall y, in_ram b c y = in_ram a c y.
Proof.
  destruct it_runs as (V & GU & E). intro y. unfold in_ram, nie.spec.trap.vcpu_abort.in_ram_window. rewrite E.
  destruct (u_runs _ (wf_u _ (trap_steps_preserve.so_wf _ (core_is_safe.go_sound _ _ G1))) c C ltac:(lia)) as (B & _).
  destruct (g_vm _ _ H1 _ B) as (_ & _ & A1 & A2 & _). destruct (g_vm _ _ other_globals _ B) as (_ & _ & B1 & B2 & _). now rewrite <- A1, <- A2, <- B1, <- B2.
Qed.

(* Premise of what follows: the same is shown of the exception. *)
Hypothesis SAME : shows a s1 c e1 s1' = shows a s2 c e2 s2'.
Lemma same_shows : shows a s1 c e1 s1' = shows b s2 c e2 s2'.
Proof. rewrite SAME. unfold shows. apply released_ext. intro y. symmetry. apply same_window. Qed.

Lemma same_host_x : forall r, 0 <= r < 31 -> Map.get (host_x (cpu_at b c)) r = Map.get (host_x (cpu_at a c)) r.
Proof. intros r B. rewrite <- (h_host_x _ _ _ (g_cpus _ _ other_globals c C) r B). exact (h_host_x _ _ _ (g_cpus _ _ H1 c C) r B). Qed.
Lemma same_host_sysreg : forall r, 0 <= r < REG_SWITCHED -> Map.get (host_sysreg (cpu_at b c)) r = Map.get (host_sysreg (cpu_at a c)) r.
Proof. intros r B. rewrite <- (h_host_sysreg _ _ _ (g_cpus _ _ other_globals c C) r B). exact (h_host_sysreg _ _ _ (g_cpus _ _ H1 c C) r B). Qed.

(* Facts on who runs where, and on CPU [c]. *)
Definition told_here (f : fact) : Prop := match f with RunsOn _ _ => True | GprIs d _ _ | FpIs d _ _ | RegIs d _ _ => d = c | _ => False end.

Theorem exits_look_alike : (forall d, root_vmid (Step.hw s2') d = root_vmid (Step.hw s1') d) /\ (forall f, told_here f -> (observe w s1' f <-> observe w s2' f)).
Proof.
  destruct it_runs as (V & GU & EV). assert (GU2 : cpu_vm (cpu_at b c) <> CPU_HOST) by (now rewrite EV).
  destruct (takes_so _ _ _ _ _ _ _ _ G1 GU T1) as (O1 & B1 & S1). destruct (takes_so _ _ _ _ _ _ _ _ G2 GU2 T2) as (O2 & B2 & S2). rewrite <- same_shows in B2, S2.
  assert (RT : forall d, root_vmid (Step.hw s2) d = root_vmid (Step.hw s1) d) by (intro; eapply twins_root; eauto).
  assert (D : {record_of (shows a s1 c e1 s1') = []} + {record_of (shows a s1 c e1 s1') <> []}) by (destruct (record_of _); [now left|right; discriminate]).
  destruct D as [N|N].
  - specialize (S1 N). specialize (S2 N).
    assert (R : forall d, root_vmid (Step.hw s2') d = root_vmid (Step.hw s1') d) by (intro d; destruct (Z.eq_dec d c) as [->|F]; [now rewrite S1, S2|now rewrite O1, O2]).
    split; [exact R|]. intros f K. destruct f as [d v|d r v|d r v|d r v| |]; cbn [told_here observe] in *; unfold Released.runs; try contradiction; rewrite ?R; try (now split);
      subst d; rewrite S1, RU; split; intros (Q & _); now elim Q.
  - specialize (B1 N). specialize (B2 N). destruct B1 as [R1 X1 Y1 F1], B2 as [R2 X2 Y2 F2].
    assert (R : forall d, root_vmid (Step.hw s2') d = root_vmid (Step.hw s1') d) by (intro d; destruct (Z.eq_dec d c) as [->|F]; [congruence|now rewrite O1, O2]).
    split; [exact R|]. intros f K. destruct f as [d v|d r v|d r v|d r v| |]; cbn [told_here observe] in *; unfold Released.runs; try contradiction; rewrite ?R; try (now split); subst d.
    + split; intros (Q & B & E); (split; [exact Q|split; [exact B|]]); rewrite <- E; [rewrite X1, X2, same_host_x by exact B|rewrite X1, X2, same_host_x by exact B]; reflexivity.
    + split; intros (Q & B & E); (split; [exact Q|split; [exact B|]]); rewrite <- E, F1, F2 by exact B; reflexivity.
    + split; intros (Q & B & E); (split; [exact Q|split; [exact B|]]); rewrite <- E, Y1, Y2, same_host_sysreg by exact B; reflexivity.
Qed.
End Both.
