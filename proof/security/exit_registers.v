(* SPDX-License-Identifier: Apache-2.0 *)
(* What is in the registers of a CPU when a vCPU has left it: the host's own, as they were when it called VCPU_RUN, x0 alone set to
   NIE_OK, and vectors of zeros; nothing of the vCPU, whatever its exit, registers and memory. By the deep term, from spec/Step.v on. *)
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
From nie.proof.refine Require Import Relation Shared statements vcpu_trap_statement Told inject_exact.
From nie.proof Require Theorems.
From nie.proof.refine Require Import trap_exact trap_statement.
From nie.proof.security Require core_is_safe core_is_correct Watched twins_trap.
From nie.proof.security Require Import trace_statement trap_tells exit_state.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.
#[local] Opaque Step.vectors_save Step.vectors_load run_of Step.call.

(* The host is on CPU [c], as state [a] keeps it. *)
Record host_back (a : state) (c : Z) (s : Step.machine) : Prop := {
  hb_runs : root_vmid (Step.hw s) c = 0;
  hb_x : forall r, 0 <= r < 31 -> Step.x s c r = if r =? 0 then NIE_OK else Map.get (host_x (cpu_at a c)) r;
  hb_reg : forall r, 0 <= r < REG_SWITCHED -> Step.sysreg s c r = Map.get (host_sysreg (cpu_at a c)) r;
  hb_fp : forall r, 0 <= r < 66 -> Map.get (fp (Step.hw s)) (c * 128 + r) = 0;
}.

(* Who runs where, by the state. *)
Lemma root_of : forall a h c, wf a -> vttbr h c = vttbr_of a c -> root_vmid h c =
  if ((0 <=? c) && (c <? NIE_MAX_CPUS) && negb (cpu_vm (cpu_at a c) =? CPU_HOST))%bool then cpu_vm (cpu_at a c) + 1 else 0.
Proof.
  intros a h c W V. unfold root_vmid. rewrite V. unfold vttbr_of.
  destruct ((0 <=? c) && (c <? NIE_MAX_CPUS) && negb (cpu_vm (cpu_at a c) =? CPU_HOST))%bool eqn:D.
  - destruct (u_runs _ (wf_u _ W) c ltac:(lia) ltac:(lia)) as (I & IV & RU & _).
    destruct (u_some _ (wf_u _ W) _ _ I IV ltac:(rewrite RU; discriminate)) as (F & _).
    destruct (wf_root _ W _ I F) as [R _]. apply (ram_small a W) in R. lia.
  - pose proof (c_tables _ (wf_c _ W)) as X. pose proof (c_ram _ (wf_c _ W)). pose proof (c_engine _ (wf_c _ W)). unfold level3_first in X.
    pose proof (gibs_small a W). pose proof (c_dev _ (wf_c _ W)). lia.
Qed.

(* The record tells something just when the vCPU leaves. LESS, as in exceptions_tell_released: registers hold 64-bit numbers, and CNTVOFF_EL2
   is the VM's. *)
Definition exits_bring_host_back (P : program gvar) : Prop := forall w a s c e ins dur s' g,
  core_is_safe.good a s -> described w a (Step.glob s) -> cpu_vm (cpu_at a c) <> CPU_HOST ->
  (forall r, 0 <= r < 31 -> 0 <= Step.x s c r < 2 ^ 64) -> Step.sysreg s c REG_CNTVOFF_EL2 = cntvoff (vm_at a (cpu_vm (cpu_at a c))) ->
  Step.next P s (Step.Trap c e ins dur) = Step.Ok s' g ->
  let told := record_of (Released.released s c e (in_ram a c) (on_ok (arrives c s (hw (trapped s c e ins dur)) a) c)) in
  (forall d, d <> c -> root_vmid (Step.hw s') d = root_vmid (Step.hw s) d) /\
  (told <> [] -> host_back a c s') /\
  (told = [] -> root_vmid (Step.hw s') c = root_vmid (Step.hw s) c).

Section Ends.
Variables (a b a0 : state) (s s' : Step.machine) (c : Z) (m : MACH).
Hypothesis C : 0 <= c < 8.
Hypothesis W : wf a.
Hypothesis VT : forall d, vttbr (Step.hw s) d = vttbr_of a d.
Hypothesis HB : R b m.
Hypothesis ME : me (hw m) = c.
Hypothesis EH : Step.hw s' = hw m <| me := Step.nobody |> <| during := [] |>.
Hypothesis EX : Step.gpr s' = Step.vectors_load c (glob m) (Step.gpr s).
Hypothesis OTHERS : forall d, d <> c -> cpu_at a0 d = cpu_at a d.
Hypothesis HERE : cpu_vm (cpu_at a0 c) = cpu_vm (cpu_at a c) /\ host_x (cpu_at a0 c) = host_x (cpu_at a c) /\ host_sysreg (cpu_at a0 c) = host_sysreg (cpu_at a c).

Lemma root_after : forall d, root_vmid (Step.hw s') d =
  if ((0 <=? d) && (d <? NIE_MAX_CPUS) && negb (cpu_vm (cpu_at b d) =? CPU_HOST))%bool then cpu_vm (cpu_at b d) + 1 else 0.
Proof.
  intro d. rewrite <- (root_of b (hw m) d (R_wf _ _ HB) (r_vttbr _ _ (R_regs _ _ HB) d)). rewrite EH. reflexivity.
Qed.
Lemma root_before : forall d, root_vmid (Step.hw s) d =
  if ((0 <=? d) && (d <? NIE_MAX_CPUS) && negb (cpu_vm (cpu_at a d) =? CPU_HOST))%bool then cpu_vm (cpu_at a d) + 1 else 0.
Proof. intro d. now apply root_of. Qed.

Lemma reg_after : forall r, 0 <= r < 128 -> Step.sysreg s' c r = Map.get (here b) r.
Proof. intros r B. unfold Step.sysreg. rewrite EH. pose proof (r_here _ _ (R_regs _ _ HB) r B) as E. rewrite ME in E. exact E. Qed.
Lemma fp_after : forall r, 0 <= r < 66 -> Map.get (fp (Step.hw s')) (c * 128 + r) = Map.get (fp_here b) r.
Proof. intros r B. rewrite EH. pose proof (r_fp _ _ (R_regs _ _ HB) r B) as E. rewrite ME in E. exact E. Qed.
Lemma x_after : forall r, 0 <= r < 31 -> Step.x s' c r = Map.get (cpu_x (cpu_at b c)) r.
Proof.
  intros r B. unfold Step.x. rewrite EX, twins_trap.loaded by exact B. rewrite Z.eqb_refl. exact (h_x _ _ _ (g_cpus _ _ (R_globals _ _ HB) c C) r B).
Qed.

Lemma same_runs : same_hosts a0 b -> forall d, root_vmid (Step.hw s') d = root_vmid (Step.hw s) d.
Proof.
  intros [V _ _] d. rewrite root_after, root_before, V. destruct (Z.eq_dec d c) as [->|N]; [now destruct HERE as [-> _]|now rewrite OTHERS].
Qed.
Lemma exit_runs : forall e b0, b = snd (Switch.exit_vcpu c e b0) -> same_hosts a0 b0 -> (forall d, d <> c -> root_vmid (Step.hw s') d = root_vmid (Step.hw s) d) /\ host_back a c s'.
Proof.
  intros e b0 E [V X S]. destruct HERE as (H1 & H2 & H3). pose proof (left_cpu c e b0) as L. rewrite <- E in L. split.
  - intros d N. rewrite root_after, root_before, L. replace (d =? c) with false by lia. now rewrite V, OTHERS.
  - constructor.
    + rewrite root_after, L, Z.eqb_refl. cbn [cpu_vm]. change (cpu_vm (cpu_at b0 c <| cpu_vm := CPU_HOST |> <| cpu_x := Map.set (host_x (cpu_at b0 c)) 0 NIE_OK |>)) with CPU_HOST.
      rewrite Z.eqb_refl, andb_false_r. reflexivity.
    + intros r B. rewrite x_after, L, Z.eqb_refl by exact B.
      change (Map.get (Map.set (host_x (cpu_at b0 c)) 0 NIE_OK) r = if r =? 0 then NIE_OK else Map.get (host_x (cpu_at a c)) r). rewrite Map.get_set, X, H2. reflexivity.
    + intros r B. rewrite reg_after by (unfold REG_SWITCHED in B; lia). rewrite E, left_regs, S, H3 by exact B. reflexivity.
    + intros r B. rewrite fp_after, E, left_fp by exact B. apply Map.get_const.
Qed.
End Ends.

(* How [next] ends for a vCPU's exception: in the state that spec/trap/ says. *)
Record ended (a : state) (c : Z) (e : Step.exception) (s' : MACH) (s t : Step.machine) : Prop := {
  ed_cpu : 0 <= c < 8;
  ed_taken : taken_as a c e s;
  ed_R : R (snd (nie.spec.trap.trap.vcpu_trap c (Step.kind e) a)) s';
  ed_me : me (hw s') = c;
  ed_hw : Step.hw t = hw s' <| me := Step.nobody |> <| during := [] |>;
  ed_glob : Step.glob t = glob s';
  ed_gpr : Step.gpr t = Step.vectors_load c (glob s') (Step.gpr s);
}.
Lemma next_ended : forall P, trap_correct P -> forall w a s c e ins dur s' g,
  core_is_safe.good a s -> described w a (Step.glob s) -> cpu_vm (cpu_at a c) <> CPU_HOST ->
  (forall r, 0 <= r < 31 -> 0 <= Step.x s c r < 2 ^ 64) -> Step.sysreg s c REG_CNTVOFF_EL2 = cntvoff (vm_at a (cpu_vm (cpu_at a c))) ->
  Step.next P s (Step.Trap c e ins dur) = Step.Ok s' g ->
  exists m, ended (arrives c s (hw (trapped s c e ins dur)) a) c e m s s'.
Proof.
  intros P TC w a s c e ins dur s' g G D GU X64 CV N. cbn [Step.next] in N.
  destruct (Step.is_cpu c && negb (Map.get (Step.off s) c) && Step.possible e)%bool eqn:B; [|discriminate].
  apply andb_prop in B as [B _]. apply andb_prop in B as [IC _]. assert (C : 0 <= c < 8) by (unfold Step.is_cpu, NIE_MAX_CPUS in IC; lia).
  set (before := trapped s c e ins dur) in *. set (a0 := arrives c s (hw before) a) in *.
  assert (AL : core_is_safe.alike (Step.hw s) (hw before)) by (eapply core_is_safe.alike_trans; [apply core_is_safe.alike_enter|apply core_is_safe.alike_take]).
  pose proof (core_is_correct.arrives_R a s c (hw before) G C AL eq_refl) as HR. change (R a0 before) in HR.
  pose proof (core_is_correct.arrives_described a s c (hw before) w D) as D0. fold a0 in D0.
  assert (XO : vcpu_traps.x_ok c (glob before)).
  { intros r Rr. unfold before, trapped. cbn [glob]. rewrite core_is_safe.vectors_at by auto. apply Z.mod_pos_bound. lia. }
  assert (EV : cpu_vm (cpu_at a0 c) = cpu_vm (cpu_at a c)) by (unfold a0; now rewrite (core_is_correct.arrives_cpu a s c (hw before)), Z.eqb_refl).
  assert (GU0 : cpu_vm (cpu_at a0 c) <> CPU_HOST) by (now rewrite EV).
  destruct (TC w a0 before (Step.kind e) HR (unclaimed_spares _ _ _ _ (core_is_safe.unclaimed_alike _ _ (core_is_safe.go_claims _ _ G) AL)) D0 XO) as (content & r & m & E & _ & HB & K & _ & _).
  change (me (hw before)) with c in *.
  set (spec := nie.spec.trap.trap.trap c (Step.kind e) _ content a0) in *.
  assert (ES : snd spec = snd (nie.spec.trap.trap.vcpu_trap c (Step.kind e) a0)).
  { unfold spec, nie.spec.trap.trap.trap. replace (cpu_vm (cpu_at a0 c) =? CPU_HOST) with false by lia. now destruct (nie.spec.trap.trap.vcpu_trap c (Step.kind e) a0). }
  rewrite ES in HB. clear ES. clearbody spec.
  assert (T : taken_as a0 c e s) by (apply (is_taken a0 s c e ins dur HR GU0 X64); rewrite EV; exact CV).
  assert (ME : me (hw m) = c) by (destruct K as [_ [M _ _]]; rewrite M; reflexivity).
  destruct m as [gm hm]. destruct (R_hw _ _ HB) as (mm & WD & _). cbn [hw] in WD.
  destruct (Watched.watched_run P "trap"%string [c; Step.kind e] _ (hw before) _ gm hm E (w_ok _ _ _ _ _ _ WD)) as (l & WR & _).
  unfold before, trapped in WR. cbn [hw glob] in WR.
  destruct (twins_trap.engine_is _ _ _ _ _ _ _ _ N) as (rs & g' & h' & CA & EG & EH & EX & _).
  rewrite WR in CA. injection CA as <- <- <- _. exists (Mach gm hm). constructor; auto.
Qed.

Lemma arrived : forall a s c h, let a0 := arrives c s h a in (forall d, d <> c -> cpu_at a0 d = cpu_at a d) /\
  cpu_vm (cpu_at a0 c) = cpu_vm (cpu_at a c) /\ host_x (cpu_at a0 c) = host_x (cpu_at a c) /\ host_sysreg (cpu_at a0 c) = host_sysreg (cpu_at a c).
Proof.
  intros a s c h a0. pose proof (core_is_correct.arrives_cpu a s c h) as EC. fold a0 in EC. split; [|rewrite EC, Z.eqb_refl; auto].
  intros d N. rewrite EC. now replace (d =? c) with false by lia.
Qed.

Lemma host_back_of_correct : forall P, trap_correct P -> exits_bring_host_back P.
Proof.
  intros P TC w a s c e ins dur s' g G D GU X64 CV N told.
  destruct (next_ended P TC w a s c e ins dur s' g G D GU X64 CV N) as (m & [C T HB ME EH _ EX]). revert told T HB. set (a0 := arrives c s _ a). intros told T HB.
  destruct (arrived a s c (hw (trapped s c e ins dur))) as [OT HE]. fold a0 in OT, HE.
  assert (GU0 : cpu_vm (cpu_at a0 c) <> CPU_HOST) by (destruct HE as [-> _]; exact GU).
  pose proof (exit_tells_released a0 c e s T GU0) as ET. unfold in_ram in ET. destruct HE as (EV & HE1 & HE2). rewrite EV in ET. fold (in_ram a c) in ET. change (record_of _) with told in ET.
  pose proof (so_wf _ (core_is_safe.go_sound _ _ G)) as W. pose proof (core_is_safe.go_vttbr _ _ G) as VT.
  destruct (trap_ends c (Step.kind e) a0) as [[EM SH]|(x & b0 & EB & SH)].
  - pose proof (same_runs a _ a0 s s' c m W VT HB EH OT (conj EV (conj HE1 HE2)) SH) as RT.
    split; [auto|]. split; [|auto]. intro NE. elim NE. rewrite EM in ET. symmetry in ET. now apply map_eq_nil in ET.
  - rewrite EB in HB, ET. destruct (exit_runs a _ a0 s s' c m C W VT HB ME EH EX OT (conj EV (conj HE1 HE2)) x b0 eq_refl SH) as [RT BK].
    split; [exact RT|]. split; [auto|]. intro NE. rewrite NE in ET. discriminate ET.
Qed.

Theorem exit_brings_host_back : exits_bring_host_back Program.core.
Proof. exact (host_back_of_correct Program.core Theorems.trap_is_correct). Qed.
