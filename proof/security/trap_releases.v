(* SPDX-License-Identifier: Apache-2.0 *)
(* What an exception of a vCPU tells the host is what spec/Released.v releases, which knows nothing of the engine: which exit it is,
   its fields, and the words of every exit; nothing when the VM goes on. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Step Released Registers Switch Actions.
From nie.spec.trap Require id_register sysreg vcpu_abort vcpu_call trap.
From nie.proof.invariant Require Import Meaning vcpu_run_preserves.
From nie.proof.refine Require Import vcpu_run_refines inject_exact vcpu_abort_exact vcpu_call_exact.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** The run record of a release: word and value, in the order in which they are told. *)

Definition words_with (reason ipa width value : Z) (xs : list Z) (k : Released.always) : list (Z * Z) :=
  map (fun n => (RUN_OUT_LR0 + n, nth (Z.to_nat n) (Released.lrs k) 0)) [0; 1; 2; 3] ++
  [(RUN_OUT_MISR, Released.misr k); (RUN_OUT_VMCR, Released.vmcr k); (RUN_OUT_EOICOUNT, Released.eoicount k); (RUN_OUT_CNTV_CTL, Released.timer_on k);
   (RUN_OUT_CNTV_CVAL, Released.deadline k); (RUN_OUT_REASON, reason); (RUN_OUT_IPA, ipa); (RUN_OUT_WIDTH, width); (RUN_OUT_VALUE, value)] ++
  map (fun n => (RUN_OUT_X0 + n, nth (Z.to_nat n) xs 0)) [0; 1; 2; 3; 4; 5; 6].
Definition record_of (r : Released.release) : list (Z * Z) :=
  match r with
  | Released.Stays => []
  | Released.Exit x k => match x with
    | Released.Preempted serror => words_with (if serror then NIE_EXIT_SERROR else NIE_EXIT_IRQ) 0 0 0 [] k
    | Released.Waits => words_with NIE_EXIT_WFI 0 0 0 [] k
    | Released.Reads ipa width => words_with NIE_EXIT_MMIO_READ ipa width 0 [] k
    | Released.Writes ipa width value => words_with NIE_EXIT_MMIO_WRITE ipa width value [] k
    | Released.Misses ipa => words_with NIE_EXIT_PAGE_MISSING ipa 0 0 [] k
    | Released.Calls args => words_with NIE_EXIT_HOST_CALL 0 0 0 args k
    | Released.Sends value => words_with NIE_EXIT_SGI 0 0 value [] k
    | Released.TurnsOn vcpu => words_with NIE_EXIT_CPU_ON 0 0 vcpu [] k
    | Released.TurnsOff => words_with NIE_EXIT_CPU_OFF 0 0 0 [] k
    | Released.Ends reset => words_with (if reset then NIE_EXIT_SYSTEM_RESET else NIE_EXIT_SYSTEM_OFF) 0 0 0 [] k
    | Released.Reopens _ => []                                        (* it goes on running: no exit is told *)
    end
  end.

(* PSCI CPU_ON is accepted. *)
Definition on_ok (a : state) (c : Z) : bool :=
  let v := cpu_vm (cpu_at a c) in
  let f := Registers.x_of a c 0 mod 2 ^ 32 in
  let target := Registers.smccc_argument f (Registers.x_of a c 1) in
  let page := page_of (Registers.smccc_argument f (Registers.x_of a c 2)) in
  (target <? vcpu_count (vm_at a v)) && (vcpu_state (vcpu_at a v target) =? VCPU_OFF) &&
  ((ram_base (vm_at a v) <=? page) && (page - ram_base (vm_at a v) <? ram_pages (vm_at a v))).
Definition in_ram (a : state) (c : Z) : Z -> bool := nie.spec.trap.vcpu_abort.in_ram_window a (cpu_vm (cpu_at a c)).

(* Exception e is taken on CPU c of machine s, where a vCPU runs; the state a is what the engine finds. *)
Record taken_as (a : state) (c : Z) (e : Step.exception) (s : Step.machine) : Prop := {
  ta_x : forall i, 0 <= i < 31 -> Step.x s c i = Registers.x_of a c i;
  ta_x64 : x64 a c;
  ta_reg : forall r, 0 <= r < 128 -> ~ In r [REG_HPFAR_EL2; REG_FAR_EL2; REG_ESR_EL2; REG_SPSR_EL2; REG_ELR_EL2] -> Step.sysreg s c r = Registers.reg_of a r;
  ta_esr : Registers.reg_of a REG_ESR_EL2 = Step.esr e;
  ta_far : Registers.reg_of a REG_FAR_EL2 = Step.far e;
  ta_hpfar : Registers.reg_of a REG_HPFAR_EL2 = Step.hpfar e;
  ta_offset : Registers.reg_of a REG_CNTVOFF_EL2 = cntvoff (vm_at a (cpu_vm (cpu_at a c)));
  ta_found : let x := Registers.fault_page (Step.hpfar e) in x < 2 ^ 27 -> Released.found s c e = enc (entry_of a (cpu_vm (cpu_at a c)) x);
}.

(* What the handler changes before the exit is no part of what is told. *)
Record tells_same (c : Z) (a b : state) : Prop := {
  ts_reg : forall r, In r [REG_ICH_LR0_EL2 + 0; REG_ICH_LR0_EL2 + 1; REG_ICH_LR0_EL2 + 2; REG_ICH_LR0_EL2 + 3; REG_ICH_MISR_EL2; REG_ICH_VMCR_EL2;
    REG_ICH_HCR_EL2; REG_CNTV_CTL_EL0; REG_CNTV_CVAL_EL0] -> Registers.reg_of b r = Registers.reg_of a r;
  ts_vm : cpu_vm (cpu_at b c) = cpu_vm (cpu_at a c);
  ts_vcpu : cpu_vcpu (cpu_at b c) = cpu_vcpu (cpu_at a c);
  ts_offset : cntvoff (vm_at b (cpu_vm (cpu_at a c))) = cntvoff (vm_at a (cpu_vm (cpu_at a c)));
  ts_page : run_page (vcpu_at b (cpu_vm (cpu_at a c)) (cpu_vcpu (cpu_at a c))) = run_page (vcpu_at a (cpu_vm (cpu_at a c)) (cpu_vcpu (cpu_at a c)));
}.
Lemma ts_trans : forall c a b d, tells_same c a b -> tells_same c b d -> tells_same c a d.
Proof. intros c a b d [R1 V1 U1 O1 P1] [R2 V2 U2 O2 P2]. rewrite V1, U1 in *. constructor; try congruence. intros r I. rewrite R2, R1; auto. Qed.
Lemma ts_refl : forall c a, tells_same c a a.
Proof. constructor; auto. Qed.
Lemma ts_skip : forall c a, tells_same c a (Registers.skip_instruction a).
Proof.
  intros c a. constructor; try reflexivity. intros r I. unfold Registers.reg_of.
  transitivity (Map.get (Map.set (Map.set (here a) REG_ELR_EL2 (Registers.wrap64 (Map.get (here a) REG_ELR_EL2 + 4))) REG_SPSR_EL2
    (Registers.without (Map.get (here a) REG_SPSR_EL2) SPSR_BTYPE_SS)) r); [reflexivity|].
  rewrite !get_set_other; auto; intros ->; cbn in I; repeat destruct I as [I|I]; discriminate || auto.
Qed.
Lemma ts_x : forall c i x a, tells_same c a (Registers.set_x c i x a).
Proof.
  intros c i x a. pose proof (alike_x c i x a) as [E1 E2 E3 E4 E5 E6 E7 E8 ER]. destruct (ER c) as [V U]. constructor; auto; unfold vm_at, vcpu_at; rewrite ?E5, ?E6; reflexivity.
Qed.
Lemma ts_vcpu' : forall c a v t r, run_page r = run_page (vcpu_at a v t) -> tells_same c a (set_vcpu v t r a).
Proof.
  intros c a v t r H. constructor; try reflexivity.
  set (w := cpu_vm (cpu_at a c)). set (i := cpu_vcpu (cpu_at a c)). transitivity (run_page (Map.get (Map.set (vcpus a) (v * NIE_MAX_VCPUS + t) r) (w * NIE_MAX_VCPUS + i))); [reflexivity|].
  rewrite Map.get_set. destruct (Z.eqb_spec (w * NIE_MAX_VCPUS + i) (v * NIE_MAX_VCPUS + t)) as [E|E]; [|reflexivity]. rewrite H. unfold vcpu_at. now rewrite E.
Qed.

(** Bits of a syndrome. *)

Lemma bit_is : forall x n, 0 <= n -> Registers.has x (2 ^ n) = Z.testbit x n.
Proof.
  intros x n N. unfold Registers.has. assert (E : Z.land x (2 ^ n) = if Z.testbit x n then 2 ^ n else 0).
  { apply Z.bits_inj'. intros m M. rewrite Z.land_spec, Z.pow2_bits_eqb by lia. destruct (Z.eqb_spec n m) as [->|F].
    - destruct (Z.testbit x m); [now rewrite Z.pow2_bits_true by lia|now rewrite Z.bits_0].
    - rewrite andb_false_r. destruct (Z.testbit x n); [rewrite Z.pow2_bits_false by lia|rewrite Z.bits_0]; reflexivity. }
  rewrite E. destruct (Z.testbit x n); [|reflexivity]. assert (0 < 2 ^ n) by (apply Z.pow_pos_nonneg; lia). destruct (Z.eqb_spec (2 ^ n) 0); [lia|reflexivity].
Qed.
Lemma send_is : forall y, (Z.land y 0x3ffc1f =? ENC_SGI1R) = ((Z.land (Registers.field y 0 25) ENC_MASK =? ENC_SGI1R) && negb (Registers.has (Registers.field y 0 25) ISS_READ))%bool.
Proof.
  intro y. assert (F : Registers.field y 0 25 = Z.land y 0x1ffffff) by (unfold Registers.field; now rewrite Z.div_1_r, (land_ones y 25) by (lia || reflexivity)).
  rewrite F. unfold Registers.has. rewrite <- !Z.land_assoc. change (Z.land 0x1ffffff ENC_MASK) with ENC_MASK. change (Z.land 0x1ffffff ISS_READ) with 1. rewrite negb_involutive.
  assert (E : Z.land y 0x3ffc1f = Z.land y ENC_MASK + y mod 2).
  { change 0x3ffc1f with (Z.lor ENC_MASK 1). rewrite Z.land_lor_distr_r. rewrite <- Z.lxor_lor; [rewrite <- Z.add_nocarry_lxor; [now rewrite (land_ones y 1 1) by (lia || reflexivity)|]|];
      rewrite <- Z.land_assoc, (Z.land_comm ENC_MASK), <- Z.land_assoc, (Z.land_comm y), <- Z.land_assoc; change (Z.land 1 ENC_MASK) with 0; now rewrite ?Z.land_0_r. }
  assert (O : Z.land y ENC_MASK mod 2 = 0).
  { rewrite <- (land_ones _ 1 1) by (lia || reflexivity). rewrite <- Z.land_assoc. change (Z.land ENC_MASK 1) with 0. apply Z.land_0_r. }
  rewrite E, (land_ones y 1 1) by (lia || reflexivity). change (2 ^ 1) with 2. assert (B : y mod 2 = 0 \/ y mod 2 = 1) by lia. unfold ENC_SGI1R in *.
  destruct B as [-> | ->]; [rewrite Z.add_0_r, andb_true_r; reflexivity|]. rewrite andb_false_r. apply Z.eqb_neq. lia.
Qed.

Section Released.
Variables (a : state) (c : Z) (e : Step.exception) (s : Step.machine).
Hypothesis T : taken_as a c e s.
Let v := cpu_vm (cpu_at a c).
Let i := cpu_vcpu (cpu_at a c).
Notation page := (run_page (vcpu_at a v i)).
Notation told l := (map (fun wx => Switch.Word page (fst wx) (snd wx)) l).

Lemma always_are : Released.always_of s c = Released.Always
  [Registers.reg_of a (REG_ICH_LR0_EL2 + 0); Registers.reg_of a (REG_ICH_LR0_EL2 + 1); Registers.reg_of a (REG_ICH_LR0_EL2 + 2); Registers.reg_of a (REG_ICH_LR0_EL2 + 3)]
  (Registers.reg_of a REG_ICH_MISR_EL2) (Z.land (Registers.reg_of a REG_ICH_VMCR_EL2) ICH_VMCR_SHOWN) (Registers.field (Registers.reg_of a REG_ICH_HCR_EL2) 27 5)
  (Registers.reg_of a REG_CNTV_CTL_EL0) (Registers.wrap64 (Registers.reg_of a REG_CNTV_CVAL_EL0 + cntvoff (vm_at a v))).
Proof.
  unfold Released.always_of. rewrite !(ta_reg _ _ _ _ T) by (try (vm_compute; split; congruence); intro I; cbn in I; repeat destruct I as [I|I]; discriminate || auto).
  rewrite (ta_offset _ _ _ _ T), (field_is _ 27 5) by (lia || reflexivity). reflexivity.
Qed.
Lemma exit_tells : forall b r p w x, tells_same c a b -> r <> NIE_EXIT_HOST_CALL ->
  fst (Switch.exit_vcpu c (Switch.Exit r p w x) b) = told (words_with r p w x [] (Released.always_of s c)).
Proof.
  intros b r p w x [HR HV HU HO HP] N. rewrite always_are. unfold Switch.exit_vcpu. cbn [fst]. fold v i in HO, HP. rewrite HV, HU. fold v i. rewrite HP. f_equal.
  unfold Switch.exit_words. rewrite HV. fold v. rewrite HO. cbn [Switch.exit_reason Switch.exit_ipa Switch.exit_width Switch.exit_value].
  replace (r =? NIE_EXIT_HOST_CALL) with false by (symmetry; now apply Z.eqb_neq). cbn [map app]. rewrite !HR by (cbn; tauto). reflexivity.
Qed.
Lemma call_tells : forall b, tells_same c a b -> (forall n, 0 <= n < 7 -> Registers.x_of b c n = Registers.x_of a c n) ->
  fst (Switch.exit_vcpu c (Switch.Exit NIE_EXIT_HOST_CALL 0 0 0) b) =
  told (words_with NIE_EXIT_HOST_CALL 0 0 0 (map (Step.x s c) (Step.numbers 7)) (Released.always_of s c)).
Proof.
  intros b [HR HV HU HO HP] HX. rewrite always_are. unfold Switch.exit_vcpu. cbn [fst]. fold v i in HO, HP. rewrite HV, HU. fold v i. rewrite HP. f_equal.
  unfold Switch.exit_words. rewrite HV. fold v. rewrite HO. cbn [Switch.exit_reason Switch.exit_ipa Switch.exit_width Switch.exit_value].
  change (NIE_EXIT_HOST_CALL =? NIE_EXIT_HOST_CALL) with true. cbn [map app Step.numbers seq]. rewrite !HX by lia. rewrite !(ta_x _ _ _ _ T) by lia.
  rewrite !HR by (cbn; tauto). reflexivity.
Qed.

(** Values. *)

Lemma function_is : Z.land (Step.x s c 0) 0xffffffff = Registers.x_of a c 0 mod 2 ^ 32.
Proof. rewrite (ta_x _ _ _ _ T) by lia. now rewrite (land_ones (Registers.x_of a c 0) 32 0xffffffff) by (lia || reflexivity). Qed.
Lemma argument_is : forall f n, 0 <= n < 31 -> (if Z.testbit f 30 then Step.x s c n else Z.land (Step.x s c n) 0xffffffff) = Registers.smccc_argument f (Registers.x_of a c n).
Proof.
  intros f n N. rewrite (ta_x _ _ _ _ T) by lia. rewrite (land_ones _ 32 0xffffffff) by (lia || reflexivity). unfold Registers.smccc_argument.
  assert (E : negb (Registers.field f 30 1 =? 0) = Z.testbit f 30).
  { unfold Registers.field. pose proof (Z.testbit_spec' f 30 ltac:(lia)) as B. change (2 ^ 1) with 2. rewrite <- B. now destruct (Z.testbit f 30). }
  now rewrite E.
Qed.
Lemma register_is : forall n, 0 <= n < 32 -> (if n =? 31 then 0 else Step.x s c n) = Registers.gpr a c n.
Proof.
  intros n N. unfold Registers.gpr. destruct (Z.eqb_spec n 31) as [->|F]; [reflexivity|]. replace (n <? 31) with true by lia. apply (ta_x _ _ _ _ T). lia.
Qed.
Lemma truncate_is : forall n y, 0 <= n -> Registers.mmio_truncate (Registers.gpr a c n) (Registers.mmio_width y) = Registers.gpr a c n mod 2 ^ (8 * Registers.mmio_width y).
Proof.
  intros n y N. unfold Registers.mmio_truncate. destruct (Z.eqb_spec (Registers.mmio_width y) 8) as [->|F]; [|reflexivity]. symmetry. apply Z.mod_small.
  unfold Registers.gpr. destruct (Z.ltb_spec n 31); [apply (ta_x64 _ _ _ _ T); lia|lia].
Qed.
End Released.
