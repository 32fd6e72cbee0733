(* SPDX-License-Identifier: Apache-2.0 *)
(* Along runs: on a CPU that runs a vCPU CNTVOFF_EL2 is its VM's, so that every exception of a vCPU tells the host what is released. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers Switch.
From nie.spec Require Released.
Require nie.spec.trap.trap nie.spec.trap.boot.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning trap_steps_preserve.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation statements trap_statement trap_is_safe boot_is_safe Described cpu_start_exact trap_exact.
From nie.proof Require Theorems.
From nie.generated Require Program.
From nie.spec Require Import Step.
From nie.proof.security Require Import core_is_safe trace_statement core_is_correct trap_tells offset_traps.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Definition has_offset (c : Z) (a : state) (s : Step.machine) : Prop :=
  cpu_vm (cpu_at a c) <> CPU_HOST -> sysreg s c REG_CNTVOFF_EL2 = cntvoff (vm_at a (cpu_vm (cpu_at a c))).
Definition offsets (a : state) (s : Step.machine) : Prop := forall c, 0 <= c < NIE_MAX_CPUS -> has_offset c a s.

Lemma do_offset : forall d s c, 0 <= c < NIE_MAX_CPUS -> sysreg (do_step d s) c REG_CNTVOFF_EL2 = sysreg s c REG_CNTVOFF_EL2.
Proof.
  intros d s c C. destruct d as [x|e r v|e r v|n o i r]; cbn [do_step].
  - unfold sysreg. change (Map.get (reg (met (act_step x (hw s)))) (c * 128 + REG_CNTVOFF_EL2) = Map.get (reg (hw s)) (c * 128 + REG_CNTVOFF_EL2)).
    change (Map.get (reg (act_step x (hw s))) (c * 128 + REG_CNTVOFF_EL2) = Map.get (reg (hw s)) (c * 128 + REG_CNTVOFF_EL2)).
    destruct x as [e|n i d|n|n o i v|e r v]; cbn [act_step]; try reflexivity.
    + destruct (nth_error _ _); [|reflexivity]. now destruct (is_table _ _ && _ && _ && _).
    + destruct (nth_error _ _); [|reflexivity]. now destruct (is_leaf _ _ && _ && _ && _ && _ && _).
    + destruct ((0 <=? e) && (0 <=? r) && (r <? REG_EL2) && negb (e =? me (hw s))) eqn:B; [|reflexivity].
      change (Map.get (Map.set (reg (hw s)) (e * 128 + r) v) (c * 128 + REG_CNTVOFF_EL2) = Map.get (reg (hw s)) (c * 128 + REG_CNTVOFF_EL2)).
      rewrite Map.get_set. unfold REG_CNTVOFF_EL2, REG_EL2, NIE_MAX_CPUS in *. destruct (Z.eqb_spec (c * 128 + 45) (e * 128 + r)) as [E|]; [lia|reflexivity].
  - now destruct (_ && _).
  - now destruct (_ && _).
  - destruct (nth_error _ _); [|reflexivity]. now destruct (_ && _).
Qed.

(* VMs that run. *)
Definition running_in (a : state) (v : Z) : Prop := exists d, 0 <= d < NIE_MAX_CPUS /\ cpu_vm (cpu_at a d) = v /\ v <> CPU_HOST.
Lemma all_busy : forall a, wf a -> busy (running_in a) a.
Proof.
  intros a W v (d & D & E & N). assert (RU : runs a d v (cpu_vcpu (cpu_at a d))) by (split; [exact E|split; [exact N|reflexivity]]).
  destruct (who_runs _ _ _ _ W D RU) as [V I ST _ NF _ _]. split; [exact NF|]. rewrite (v_running _ (wf_v _ W) v V). unfold how_many.
  assert (IN : In (Z.to_nat (cpu_vcpu (cpu_at a d))) (filter (fun j => is_running (vcpu_at a v (Z.of_nat j))) (seq 0 8))).
  { apply filter_In. unfold NIE_MAX_VCPUS in I. split; [apply in_seq; lia|]. unfold is_running. rewrite Z2Nat.id by lia. rewrite ST. reflexivity. }
  intro F. match type of F with Z.of_nat (List.length ?l) = 0 => assert (Z0 : l = []) by (destruct l; [reflexivity|cbn [List.length] in F; lia]); change (In (Z.to_nat (cpu_vcpu (cpu_at a d))) l) in IN; rewrite Z0 in IN; exact IN end.
Qed.

(* One step of a machine that goes beside the specification. [elsewhere]: the engine on one CPU has left this register of others alone. *)
Definition elsewhere (c : Z) (s s' : Step.machine) : Prop := forall d, 0 <= d < NIE_MAX_CPUS -> d <> c -> sysreg s' d REG_CNTVOFF_EL2 = sysreg s d REG_CNTVOFF_EL2.

Section Trap.
Variables (a : state) (s s' : Step.machine) (c : Z) (e : exception) (ins : nat -> Z) (dur : list (list act)) (content : Z -> Z -> Z).
Hypothesis G : good a s.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Let h := take c e (enter c ins dur (hw s)).
Let a0 := arrives c s h a.
Let b := snd (nie.spec.trap.trap.trap c (kind e) (fun n => ins n) content a0).
Hypothesis LV : leaves c b s'.
Lemma before_cpu : forall d, cpu_vm (cpu_at a0 d) = cpu_vm (cpu_at a d).
Proof. intro d. unfold a0. rewrite (arrives_cpu a s c h d). now destruct (Z.eqb_spec d c) as [->|]. Qed.
Lemma it_moved : moved (running_in a) c a0 b.
Proof.
  apply trap_moved. intros v KV. exact (all_busy a (so_wf _ (go_sound _ _ G)) v KV).
Qed.
Lemma trap_offset_here : has_offset c a s -> has_offset c b s'.
Proof.
  intros H N. destruct it_moved as [_ O RG]. destruct LV as (_ & LR & _). rewrite LR by (vm_compute; split; congruence). destruct (RG N) as [[E F]|E]; [|exact E].
  rewrite E, before_cpu in *. rewrite O by (exists c; auto). change (vm_at a0) with (vm_at a). rewrite <- H by exact N. rewrite F. unfold reg_of, a0.
  change (here (arrives c s h a)) with (fill 128 0 (fun r => Map.get (reg h) (c * 128 + r)) (Map.const 0)). rewrite Exact.get_fill by lia.
  change ((0 <=? REG_CNTVOFF_EL2) && (REG_CNTVOFF_EL2 <? 0 + 128)) with true. cbn iota. unfold sysreg, h, take, enter. cbn.
  unfold REG_HPFAR_EL2, REG_FAR_EL2, REG_ESR_EL2, REG_SPSR_EL2, REG_ELR_EL2, REG_CNTVOFF_EL2. rewrite !Map.get_set.
  repeat match goal with |- context [?u =? ?v] => replace (u =? v) with false by lia end. reflexivity.
Qed.
Lemma trap_offset_elsewhere : forall d, 0 <= d < NIE_MAX_CPUS -> d <> c -> sysreg s' d REG_CNTVOFF_EL2 = sysreg s d REG_CNTVOFF_EL2 -> has_offset d a s -> has_offset d b s'.
Proof.
  intros d D N E H M. destruct it_moved as [V O _]. rewrite (V d N), before_cpu in *. rewrite E, O by (exists d; auto). change (vm_at a0) with (vm_at a). auto.
Qed.
End Trap.

(** Runs. *)

Fixpoint elsewhere_along (P : program gvar) (s : Step.machine) (tr : list label) : Prop :=
  match tr with
  | [] => True
  | l :: tr' => match next P s l with
                | Ok s' _ => match l with Trap c _ _ _ | Start c _ _ => elsewhere c s s' | Do _ => True end /\ elsewhere_along P s' tr'
                | _ => True
                end
  end.

(* From reset on, whenever a vCPU takes an exception its run record gets the words that stand for what spec/Released.v releases of the machine
   as it was, in their order, and no other page gets anything from the engine ([exceptions_tell_released]).
   LESS, as premises: the general registers of that CPU hold 64-bit numbers; and the engine on one CPU does not write CNTVOFF_EL2 of another
   ([elsewhere_along]): nothing in the model keeps a program from it, for its primitive that writes a register takes any number for one. *)
Definition runs_tell_released (P : program gvar) : Prop := forall h s tr t g c e ins dur t' g', at_reset h -> boots P h s ->
  elsewhere_along P s tr -> run P s tr = Ok t g -> next P t (Trap c e ins dur) = Ok t' g' ->
  exists a, specified P (spec_boot (manifest h)) s tr a t /\
    (cpu_vm (cpu_at a c) <> CPU_HOST -> (forall r, 0 <= r < 31 -> 0 <= x t c r < 2 ^ 64) ->
     let before := trapped t c e ins dur in
     let a0 := arrives c t (C_store.hw before) a in
     exists m, run_of P "trap" [c; kind e] before = Some ([TRAP_RESUME], m) /\ glob t' = C_store.glob m /\
       hw t' = C_store.hw m <| me := nobody |> <| during := [] |> /\
       tells a0 (recorded a c (trap_releases.record_of (Released.released t c e (trap_releases.in_ram a c) (trap_releases.on_ok a0 c)))) before m).

#[local] Opaque engine run_of.

Section Program.
Variable P : program gvar.
Hypothesis TC : trap_correct P.
Hypothesis TS : trap_safe P.
Hypothesis SC : start_correct P.

Lemma step_offsets : forall a s l s' g b, good a s -> offsets a s -> next P s l = Ok s' g ->
  match l with Trap c _ _ _ | Start c _ _ => elsewhere c s s' | Do _ => True end -> specified P a s [l] b s' -> offsets b s'.
Proof.
  intros a s l s' g b G OF N EL SP.
  inversion SP as [|a1 s1 d tr b1 t1 SP1|a1 s1 c e ins dur tr content m s2 g2 b1 t1 h before a0 spec _ _ _ N1 _ LV _ SP1|a1 s1 c ins dur tr s2 g2 b1 t1 a0 N1 LV _ SP1]; subst.
  - inversion SP1; subst. intros c C H. rewrite do_offset by exact C. now apply OF.
  - rewrite N in N1. injection N1 as <- <-. inversion SP1; subst. 
    assert (C : 0 <= c < NIE_MAX_CPUS).
    { cbn [next] in N. destruct (is_cpu c) eqn:IC; [unfold is_cpu in IC; lia|discriminate]. }
    intros d D. destruct (Z.eq_dec d c) as [->|ND].
    + exact (trap_offset_here a s s' c e ins dur content G C LV (OF c C)).
    + eapply (trap_offset_elsewhere a s s' c e ins dur content); eauto.
  - rewrite N in N1. injection N1 as <- <-. inversion SP1; subst.
    assert (IC : is_cpu c = true /\ Map.get (off s) c = true).
    { cbn [next] in N. destruct (is_cpu c && Map.get (off s) c) eqn:B; [now apply andb_prop|discriminate]. }
    destruct IC as [IC IO]. assert (C : 0 <= c < NIE_MAX_CPUS) by (unfold is_cpu in IC; lia).
    intros d D H. destruct (Z.eq_dec d c) as [->|ND].
    + elim H. transitivity (cpu_vm (cpu_at a c)); [|now apply (go_off _ _ G)].
      destruct (vcpu_run_preserves.al_runs _ _ (started_alike c (arrives c s (enter c ins dur (hw s)) a)) c) as [E _]. etransitivity; [exact E|].
      rewrite (arrives_cpu a s c _ c), Z.eqb_refl. reflexivity.
    + pose proof (started_elsewhere c (arrives c s (enter c ins dur (hw s)) a) d ND) as E. rewrite (arrives_cpu a s c _ d) in E. replace (d =? c) with false in E by lia.
      assert (V : cpu_vm (cpu_at a0 d) = cpu_vm (cpu_at a d)) by (unfold a0; now rewrite E). change (cpu_vm (cpu_at a0 d) <> CPU_HOST) in H. rewrite V in H.
      change (sysreg s' d REG_CNTVOFF_EL2 = cntvoff (vm_at a0 (cpu_vm (cpu_at a0 d)))). rewrite V, (EL d D ND), (OF d D H). unfold vm_at, a0.
      now rewrite (vcpu_run_preserves.al_vms _ _ (started_alike c (arrives c s (enter c ins dur (hw s)) a))).
Qed.

Lemma run_offsets : forall w tr a s t g, good a s -> described w a (glob s) -> offsets a s -> elsewhere_along P s tr -> run P s tr = Ok t g ->
  exists b, good b t /\ described w b (glob t) /\ offsets b t /\ specified P a s tr b t.
Proof.
  intros w. induction tr as [|l tr IH]; intros a s t g G D OF EL R; cbn [run elsewhere_along] in *.
  - injection R as <- _. exists a. split; [exact G|]. split; [exact D|]. split; [exact OF|]. apply Ended.
  - pose proof (next_correct P TC TS SC w a s l G D) as N. destruct (next P s l) as [s' g1| |] eqn:E; try discriminate.
    destruct N as (b & GB & DB & K). destruct EL as [E1 EL]. destruct (run P s' tr) as [t1 g2| |] eqn:R1; try discriminate. injection R as <- _.
    pose proof (step_offsets a s l s' g1 b G OF E E1 (K [] b s' (Ended P b s'))) as OB.
    destruct (IH b s' t1 g2 GB DB OB EL R1) as (b2 & G2 & D2 & O2 & S2). exists b2. auto.
Qed.

Theorem tell_after_boot : boot_correct P -> boot_describing P -> runs_tell_released P.
Proof.
  intros BC BD h s tr t g c e ins dur t' g' RS BO EL R N.
  destruct (boot_good P h s BC RS BO) as [G OK]. pose proof (boot_described P h s BD RS BO) as D.
  destruct (first_facts (manifest h) (rs_words _ RS) OK) as (_ & _ & _ & HO).
  assert (OF : offsets (spec_boot (manifest h)) s) by (intros d _ H; elim H; apply HO).
  destruct (run_offsets (manifest h) tr _ s t g G D OF EL R) as (a & GA & DA & OA & SP). exists a. split; [exact SP|]. intros GU X64.
  assert (C : 0 <= c < NIE_MAX_CPUS).
  { cbn [next] in N. destruct (is_cpu c) eqn:IC; [unfold is_cpu in IC; lia|discriminate]. }
  exact (tells_of_correct P TC (manifest h) a t c e ins dur t' g' GA DA GU X64 (OA c C GU) N).
Qed.
End Program.

Theorem runs_tell_what_is_released : runs_tell_released Program.core.
Proof. exact (tell_after_boot Program.core Theorems.trap_is_correct Theorems.trap_is_safe Theorems.start_is_correct Theorems.boot_is_correct Theorems.boot_describes). Qed.
