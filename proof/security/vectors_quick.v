(* SPDX-License-Identifier: Apache-2.0 *)
(* What the short way does to a state: an answer in x0.. and perhaps the next instruction. It does the same where other registers differ. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers.
From nie.spec.call Require host_call.
From nie.spec.trap Require trap quick vcpu_call.
From nie.proof.invariant Require Import vcpu_run_preserves.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Notation spec_trap := nie.spec.trap.trap.trap.
Notation spec_quick := nie.spec.trap.quick.quick.

Record reads_alike (c : Z) (a b : state) : Prop := {
  ra_esr : reg_of b REG_ESR_EL2 = reg_of a REG_ESR_EL2;
  ra_x0 : x_of b c 0 = x_of a c 0;
  ra_vm : cpu_vm (cpu_at b c) = cpu_vm (cpu_at a c);
}.
Definition effect (c : Z) (l : list Z) (steps : bool) (a : state) : state := answer c l (if steps then skip_instruction a else a).

Lemma same_choice : forall c kind a b, reads_alike c a b -> spec_quick c kind b = spec_quick c kind a.
Proof. intros c kind a b [E X V]. unfold spec_quick. now rewrite E, X, V. Qed.

Lemma quick_effect : forall c kind a, spec_quick c kind a = true -> exists l k, (length l <= 3)%nat /\
  forall b ins content, reads_alike c a b -> spec_trap c kind ins content b = (TRAP_RESUME, [], effect c l k b).
Proof.
  intros c kind a Q. unfold spec_quick in Q. apply andb_prop in Q as [KS Q]. apply Z.eqb_eq in KS. subst kind.
  destruct (Z.eqb_spec (cpu_vm (cpu_at a c)) CPU_HOST) as [HO|GU].
  - apply andb_prop in Q as [EC EF]. apply Z.eqb_eq in EC. apply Z.eqb_eq in EF.
    exists [NIE_OK; NIE_ABI_VERSION; 0], false. split; [cbn; lia|]. intros b ins content [E X V].
    unfold spec_trap. rewrite V, HO, Z.eqb_refl. unfold nie.spec.trap.trap.host_trap. rewrite E, EC, !Z.eqb_refl. cbn [negb].
    unfold nie.spec.call.host_call.host_call. rewrite X, EF, Z.eqb_refl. reflexivity.
  - apply andb_prop in Q as [EC EF]. set (f := x_of a c 0 mod 2 ^ 32) in *.
    assert (AN : exists r, forall b, x_of b c 0 = x_of a c 0 -> nie.spec.trap.vcpu_call.vcpu_call c b = ([], answer c [r] b)).
    { cbn [existsb] in EF. repeat (apply orb_prop in EF as [EF|EF]); try discriminate EF; apply Z.eqb_eq in EF;
        eexists; intros b X; unfold nie.spec.trap.vcpu_call.vcpu_call; rewrite X; fold f; rewrite EF; reflexivity. }
    destruct AN as [r AN]. exists [r], (exception_class (reg_of a REG_ESR_EL2) =? EC_SMC64). split; [cbn; lia|]. intros b ins content [E X V].
    unfold spec_trap. rewrite V. replace (cpu_vm (cpu_at a c) =? CPU_HOST) with false by lia. unfold nie.spec.trap.trap.vcpu_trap. rewrite Z.eqb_refl.
    unfold nie.spec.trap.trap.vcpu_sync. rewrite E. set (class := exception_class (reg_of a REG_ESR_EL2)) in *. unfold effect.
    destruct (Z.eqb_spec class EC_SMC64) as [ES|NS].
    + rewrite ES. change (EC_SMC64 =? EC_WFX) with false. cbn iota. rewrite AN by exact X. reflexivity.
    + assert (EH : class = EC_HVC64) by (rewrite orb_false_r in EC; now apply Z.eqb_eq). rewrite EH. change (EC_HVC64 =? EC_WFX) with false. rewrite Z.eqb_refl. cbn iota.
      rewrite AN by exact X. reflexivity.
Qed.

(** What it leaves alone. *)

Lemma x_of_set : forall c i w a j, x_of (set_x c i w a) c j = if j =? i then w else x_of a c j.
Proof.
  intros c i w a j. unfold x_of, set_x. transitivity (Map.get (cpu_x (cpu_at a c <| cpu_x ::= fun m => Map.set m i w |>)) j).
  - do 2 f_equal. exact (Map.get_set_same _ (cpus a) c _).
  - exact (Map.get_set _ (cpu_x (cpu_at a c)) i w j).
Qed.
Lemma x_of_answer : forall l c i a b j, x_of a c j = x_of b c j -> x_of (answer_from c i l a) c j = x_of (answer_from c i l b) c j.
Proof.
  induction l as [|w l IH]; intros c i a b j E; cbn [answer_from]; [exact E|]. apply IH. rewrite !x_of_set. destruct (j =? i); auto.
Qed.
Lemma x_of_beyond : forall l c i a j, i + Z.of_nat (length l) <= j -> x_of (answer_from c i l a) c j = x_of a c j.
Proof.
  induction l as [|w l IH]; intros c i a j L; cbn [answer_from length] in *; [reflexivity|]. rewrite IH, x_of_set by lia. now replace (j =? i) with false by lia.
Qed.
Lemma answer_here : forall l c i a, here (answer_from c i l a) = here a /\ fp_here (answer_from c i l a) = fp_here a.
Proof. induction l as [|w l IH]; intros c i a; cbn [answer_from]; auto. destruct (IH c (i + 1) (set_x c i w a)) as [-> ->]. auto. Qed.
Lemma answer_alike : forall l c i a, alike a (answer_from c i l a).
Proof. induction l as [|w l IH]; intros c i a; cbn [answer_from]; [apply alike_refl|]. eapply alike_trans; [apply alike_x|apply IH]. Qed.
Lemma effect_alike : forall c l k a, alike a (effect c l k a).
Proof. intros c l k a. unfold effect. eapply alike_trans; [|apply answer_alike]. destruct k; [apply alike_here|apply alike_refl]. Qed.

(** States that differ in x0..x30 of one CPU. *)

Record but_frame (c : Z) (a b : state) : Prop := {
  bf_cfg : cfg b = cfg a; bf_owners : owners b = owners a; bf_slots : slots b = slots a; bf_modes : modes b = modes a;
  bf_vms : vms b = vms a; bf_vcpus : vcpus b = vcpus a; bf_saved : saved b = saved a; bf_lasts : lasts b = lasts a;
  bf_here : here b = here a; bf_fp : fp_here b = fp_here a;
  bf_cpu : cpu_at b c = cpu_at a c <| cpu_x := cpu_x (cpu_at b c) |>;
  bf_other : forall d, d <> c -> cpu_at b d = cpu_at a d;
}.
Lemma bf_x : forall c i w a b, but_frame c a b -> but_frame c (set_x c i w a) (set_x c i w b).
Proof.
  intros c i w a b [E1 E2 E3 E4 E5 E6 E7 E8 E9 E10 EC EO]. unfold set_x.
  assert (AT : forall r x d, cpu_at (set_cpu c r x) d = if d =? c then r else cpu_at x d) by (intros r x d; exact (Map.get_set _ (cpus x) c r d)).
  constructor; try assumption.
  - rewrite !AT, Z.eqb_refl. destruct (cpu_at a c), (cpu_at b c). cbn in EC |- *. injection EC. intros. now subst.
  - intros d N. rewrite !AT. replace (d =? c) with false by lia. auto.
Qed.
Lemma bf_set_here : forall c r x a b, but_frame c a b -> but_frame c (set_here r x a) (set_here r x b).
Proof. intros c r x a b []. constructor; try assumption. unfold set_here. cbn. now rewrite bf_here0. Qed.
Lemma bf_skip : forall c a b, but_frame c a b -> but_frame c (skip_instruction a) (skip_instruction b).
Proof.
  intros c a b F. unfold skip_instruction, set_regs. cbn [fold_left fst snd]. assert (E : forall r, reg_of b r = reg_of a r) by (intro; unfold reg_of; now rewrite (bf_here _ _ _ F)).
  rewrite !E. now repeat apply bf_set_here.
Qed.
Lemma bf_answer : forall l c i a b, but_frame c a b -> but_frame c (answer_from c i l a) (answer_from c i l b).
Proof. induction l as [|w l IH]; intros c i a b F; cbn [answer_from]; auto. apply IH. now apply bf_x. Qed.
Lemma bf_effect : forall c l k a b, but_frame c a b -> but_frame c (effect c l k a) (effect c l k b).
Proof. intros c l k a b F. unfold effect. apply bf_answer. destruct k; auto. now apply bf_skip. Qed.
