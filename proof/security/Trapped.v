(* SPDX-License-Identifier: Apache-2.0 *)
(* A vCPU's exception keeps the book of spec/Answers.v in agreement with the specification's state. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Actions.
From nie.spec Require Step Released Answers.
From nie.spec.trap Require Import sysreg vcpu_abort vcpu_call trap.
From nie.proof.invariant Require Import Meaning.
From nie.proof.refine Require inject_exact vcpu_abort_exact.
From nie.proof.security Require trap_releases.
From nie.proof.security Require Import registers_switched entry_forgets Answered Calm Noted Entered Departed Near.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
#[local] Opaque exit_vcpu set_regs.

Section Trap.
Variables (a : state) (c : Z) (e : Step.exception) (s : Step.machine) (ram : Z -> bool).
Let v := cpu_vm (cpu_at a c).
Let i := cpu_vcpu (cpu_at a c).
Hypothesis I : 0 <= i < NIE_MAX_VCPUS.
Hypothesis RUN : vcpu_state (vcpu_at a v i) = VCPU_RUNNING.
Hypothesis GUEST : v <> CPU_HOST.
Hypothesis COUNT : vcpu_count (vm_at a v) <= NIE_MAX_VCPUS.
Hypothesis PN : pending (vcpu_at a v i) = PENDING_NONE.
Hypothesis TX : forall r, 0 <= r < 31 -> x_of a c r = Step.x s c r mod 2 ^ 64.
Hypothesis TE : reg_of a REG_ESR_EL2 = Step.esr e.
Hypothesis TP : reg_of a REG_HPFAR_EL2 = Step.hpfar e.
Hypothesis TL : reg_of a REG_ELR_EL2 = Step.elr e.
Hypothesis TF : let x := fault_page (Step.hpfar e) in x < 2 ^ 27 -> Released.found s c e = enc (entry_of a v x).
Notation was := (Released.exit_of s c e ram true).
Definition is_off (x : option Released.exit) : bool := match x with Some Released.TurnsOff => true | _ => false end.

Record fits (x : option Released.exit) (b : state) : Prop := {
  ft_pending : pending (vcpu_at b v i) = asks_for x;
  ft_syndrome : asks_for x = PENDING_READ -> syndrome (vcpu_at b v i) = field (Step.esr e) 0 25;
  ft_x : forall r, 0 <= r < 31 -> eq64 (x_of b c r) (had s c e x r);
  ft_pc : eq64 (reg_of b REG_ELR_EL2) (Step.elr e + if stepped e x then 4 else 0);
}.
(* How the handler ends. *)
Definition ends_with (b : state) : Prop := calm a b \/ exists x b1, near v i a b1 /\ b = snd (exit_vcpu c x b1) /\
  (exit_reason x =? NIE_EXIT_CPU_OFF) = is_off was /\ ((forall p, ram p = in_ram_window a v p) -> fits was b1).

Lemma exits : forall x b1 w, near v i a b1 -> (exit_reason x =? NIE_EXIT_CPU_OFF) = is_off w -> was = w -> fits w b1 -> ends_with (snd (exit_vcpu c x b1)).
Proof. intros x b1 w NR O E F. right. exists x, b1. split; [exact NR|]. split; [reflexivity|]. rewrite E. split; [exact O|]. intros _. exact F. Qed.

(* Nothing is asked, and no register is written. [b]: as it was, or stepped. *)
Lemma fits_plain : forall b w (st : bool), asks_for w = PENDING_NONE -> (forall r, had s c e w r = Step.x s c r) -> stepped e w = st ->
  pending (vcpu_at b v i) = PENDING_NONE -> (forall r, 0 <= r < 31 -> x_of b c r = x_of a c r) -> reg_of b REG_ELR_EL2 = (if st then wrap64 (Step.elr e + 4) else Step.elr e) -> fits w b.
Proof.
  intros b w st A H S P X L. constructor.
  - now rewrite A.
  - rewrite A. discriminate.
  - intros r R. rewrite X, H, TX by exact R. apply Z.mod_mod. vm_compute. discriminate.
  - rewrite L, S. destruct st; [unfold wrap64; apply Z.mod_mod; vm_compute; discriminate|now rewrite Z.add_0_r].
Qed.
Lemma skipped : reg_of (skip_instruction a) REG_ELR_EL2 = wrap64 (Step.elr e + 4).
Proof. rewrite reg_skip, TL. reflexivity. Qed.
Lemma skip_x : forall r, x_of (skip_instruction a) c r = x_of a c r.
Proof. intro r. pose proof (calm_skip a a (calm_refl a)). reflexivity. Qed.
Lemma skip_vcpu : forall u j, vcpu_at (skip_instruction a) u j = vcpu_at a u j.
Proof. exact (same_vcpus _ _ (ca_vcpus _ _ (calm_skip a a (calm_refl a)))). Qed.
Lemma near_skip : near v i a (skip_instruction a).
Proof. eapply near_calm; [apply near_refl|apply calm_skip, calm_refl]. Qed.
Lemma class_is : Released.class e = exception_class (reg_of a REG_ESR_EL2).
Proof. unfold Released.class, exception_class. rewrite TE. apply inject_exact.field_is; lia || reflexivity. Qed.

Lemma interrupted : Step.kind e <> TRAP_SYNC -> ends_with (snd (vcpu_trap c (Step.kind e) a)).
Proof.
  intro K. unfold vcpu_trap. replace (Step.kind e =? TRAP_SYNC) with false by (symmetry; now apply Z.eqb_neq).
  eapply (exits _ a (Some (Released.Preempted (Step.kind e =? TRAP_SERROR)))); [apply near_refl| | |].
  - cbn [exit_reason is_off]. now destruct (Step.kind e =? TRAP_SERROR).
  - unfold Released.exit_of. cbv zeta. now replace (Step.kind e =? TRAP_SYNC) with false by (symmetry; now apply Z.eqb_neq).
  - apply (fits_plain a _ false); auto. unfold stepped, Released.is_sync. now replace (Step.kind e =? TRAP_SYNC) with false by (symmetry; now apply Z.eqb_neq).
Qed.

Section Sync.
Hypothesis K : Step.kind e = TRAP_SYNC.
Let k := exception_class (reg_of a REG_ESR_EL2).
Lemma sync_is : forall n, Released.is_sync e n = (k =? n).
Proof. intro n. unfold Released.is_sync. rewrite K, class_is. reflexivity. Qed.
Lemma kind_is : (Step.kind e =? TRAP_SYNC) = true.
Proof. now rewrite K. Qed.

Lemma waited : k = EC_WFX -> ends_with (snd (exit_vcpu c (Exit NIE_EXIT_WFI 0 0 0) (skip_instruction a))).
Proof.
  intro E. eapply (exits _ _ (Some Released.Waits)); [apply near_skip|reflexivity| |].
  - unfold Released.exit_of. cbv zeta. rewrite kind_is, class_is. fold k. rewrite E. reflexivity.
  - apply (fits_plain _ _ true); try reflexivity.
    + intro r. cbn [had]. rewrite sync_is, E. change (EC_WFX =? EC_WFX) with true. cbn [negb]. now rewrite andb_false_r.
    + cbn [stepped]. now rewrite !sync_is, E.
    + rewrite skip_vcpu. exact PN.
    + exact skipped.
Qed.
Lemma sent : k = EC_SYSREG -> ends_with (snd (sysreg_trap c (field (Step.esr e) 0 25) a)).
Proof.
  intro E. assert (G : is_guest a c = true) by (unfold is_guest; apply negb_true_iff, Z.eqb_neq; exact GUEST).
  destruct ((Z.land (field (Step.esr e) 0 25) ENC_MASK =? ENC_SGI1R) && negb (has (field (Step.esr e) 0 25) ISS_READ)) eqn:S.
  - unfold sysreg_trap. cbv zeta. rewrite S, G. cbn [andb].
    assert (EW : exists y, was = Some (Released.Sends y)).
    { unfold Released.exit_of. cbv zeta. rewrite kind_is, class_is. fold k. rewrite E. change (EC_SYSREG =? EC_WFX) with false. change (EC_SYSREG =? EC_HVC64) with false.
      change (EC_SYSREG =? EC_SMC64) with false. change (EC_SYSREG =? EC_SYSREG) with true. cbn [negb orb]. rewrite trap_releases.send_is, S. eauto. }
    destruct EW as [y EW]. eapply (exits _ _ (Some (Released.Sends y))); [apply near_skip|reflexivity|exact EW|]. apply (fits_plain _ _ true); try reflexivity.
    + cbn [stepped]. now rewrite !sync_is, E.
    + rewrite skip_vcpu. exact PN.
    + exact skipped.
  - left. apply sysreg_calm. now right.
Qed.

(* A call, by HVC or, [st], by SMC. *)
Section Call.
Variables (st : bool) (a' : state).
Hypothesis B : a' = if st then skip_instruction a else a.
Hypothesis KC : k = if st then EC_SMC64 else EC_HVC64.
Let f := x_of a c 0 mod 2 ^ 32.
Lemma b_near : near v i a a'.
Proof. rewrite B. destruct st; [exact near_skip|apply near_refl]. Qed.
Lemma b_calm : calm a a'.
Proof. rewrite B. destruct st; [apply calm_skip|]; apply calm_refl. Qed.
Lemma b_x : forall r, x_of a' c r = x_of a c r.
Proof. rewrite B. destruct st; reflexivity. Qed.
Lemma b_pc : reg_of a' REG_ELR_EL2 = if st then wrap64 (Step.elr e + 4) else Step.elr e.
Proof. rewrite B. destruct st; [exact skipped|exact TL]. Qed.
Lemma b_vcpu : forall u j, vcpu_at a' u j = vcpu_at a u j.
Proof. exact (same_vcpus _ _ (ca_vcpus _ _ b_calm)). Qed.
Lemma b_run : cpu_vm (cpu_at a' c) = v /\ cpu_vcpu (cpu_at a' c) = i.
Proof. pose proof (ca_cpus _ _ b_calm c) as Q. unfold run_view in Q. injection Q as Q1 Q2. auto. Qed.
Lemma call_stepped : forall w, asks_for w = PENDING_NONE \/ asks_for w = PENDING_CALL -> stepped e w = st.
Proof.
  intros w A. assert (E : Released.is_sync e EC_WFX || Released.is_sync e EC_SMC64 || Released.is_sync e EC_SYSREG = st) by (rewrite !sync_is, KC; now destruct st).
  destruct w as [[]|]; try exact E; destruct A as [A|A]; discriminate A.
Qed.
Lemma not_wfx : Released.is_sync e EC_WFX = false.
Proof. rewrite sync_is, KC. now destruct st. Qed.
Lemma function_is : Z.land (Step.x s c 0) 0xffffffff = f.
Proof.
  change 0xffffffff with (Z.ones 32). rewrite Z.land_ones by lia. unfold f. rewrite TX by lia. apply low_half. symmetry. apply Z.mod_mod. vm_compute. discriminate.
Qed.
Definition call_was : option Released.exit :=
  if (f =? PSCI_CPU_SUSPEND) || (f =? PSCI_CPU_SUSPEND_32) then Some Released.Waits
  else if f =? PSCI_CPU_OFF then Some Released.TurnsOff
  else if (f =? PSCI_CPU_ON) || (f =? PSCI_CPU_ON_32) then Some (Released.TurnsOn (if Z.testbit f 30 then Step.x s c 1 else Z.land (Step.x s c 1) 0xffffffff))
  else if f =? PSCI_SYSTEM_OFF then Some (Released.Ends false)
  else if f =? PSCI_SYSTEM_RESET then Some (Released.Ends true)
  else if f =? NIE_VM_HOST_CALL then Some (Released.Calls (map (Step.x s c) (Step.numbers 7)))
  else if f =? NIE_VM_PAGE_REOPEN then Some (Released.Reopens (Step.x s c 1))
  else None.
Lemma was_call : was = call_was.
Proof.
  unfold Released.exit_of. cbv zeta. rewrite kind_is, class_is. fold k. rewrite function_is. cbn [negb].
  replace (k =? EC_WFX) with false by (rewrite KC; now destruct st). replace ((k =? EC_HVC64) || (k =? EC_SMC64)) with true by (rewrite KC; now destruct st). reflexivity.
Qed.
Ltac tests := repeat match goal with |- context [?x =? ?y] =>
    let t := eval vm_compute in (x =? y) in match t with true => change (x =? y) with true | false => change (x =? y) with false end end; cbn [orb andb negb]; cbn iota.

Lemma plain_call : forall x b1 w, near v i a b1 -> (exit_reason x =? NIE_EXIT_CPU_OFF) = is_off w -> call_was = w -> asks_for w = PENDING_NONE ->
  pending (vcpu_at b1 v i) = PENDING_NONE -> (forall r, 0 <= r < 31 -> eq64 (x_of b1 c r) (had s c e w r)) -> reg_of b1 REG_ELR_EL2 = reg_of a' REG_ELR_EL2 ->
  ends_with (snd (exit_vcpu c x b1)).
Proof.
  intros x b1 w NR O E A P X L. eapply exits; [exact NR|exact O|now rewrite was_call|]. constructor.
  - now rewrite A.
  - rewrite A. discriminate.
  - exact X.
  - rewrite L, b_pc, (call_stepped w (or_introl A)). destruct st; [unfold wrap64; apply Z.mod_mod; vm_compute; discriminate|now rewrite Z.add_0_r].
Qed.
Lemma as_it_was : forall r, 0 <= r < 31 -> eq64 (x_of a' c r) (Step.x s c r).
Proof. intros r R. rewrite b_x, TX by exact R. apply Z.mod_mod. vm_compute. discriminate. Qed.
Lemma answered_x : forall b w r, 0 <= r < 31 -> (forall q, x_of b c q = x_of a' c q) -> eq64 (x_of (set_x c 0 w b) c r) (if r =? 0 then w else Step.x s c r).
Proof. intros b w r R E. rewrite x_set_x. destruct (r =? 0); [reflexivity|]. rewrite E. now apply as_it_was. Qed.

Lemma turned_on : call_was = Some (Released.TurnsOn (if Z.testbit f 30 then Step.x s c 1 else Z.land (Step.x s c 1) 0xffffffff)) -> ends_with (snd (vcpu_on c f a')).
Proof.
  intro CW. unfold vcpu_on. cbv zeta. destruct b_run as [-> _]. set (t := smccc_argument f (x_of a' c 1)).
  assert (REF : forall y, ends_with (set_x c 0 y a')) by (intro y; left; apply calm_x; exact b_calm).
  destruct (Z.ltb_spec t (vcpu_count (vm_at a' v))) as [L|]; cbn [negb]; [|apply REF]. destruct (Z.eqb_spec (vcpu_state (vcpu_at a' v t)) VCPU_OFF) as [O|]; cbn [negb]; [|apply REF].
  destruct (negb _); [apply REF|].
  assert (CB : vcpu_count (vm_at a' v) = vcpu_count (vm_at a v)) by (rewrite B; now destruct st).
  assert (T0 : 0 <= t).
  { unfold t, smccc_argument. rewrite b_x, TX by lia. pose proof (Z.mod_pos_bound (Step.x s c 1) (2 ^ 64) eq_refl). destruct (negb _); [lia|]. apply Z.mod_pos_bound. reflexivity. }
  assert (TI : t <> i) by (intro Q; rewrite Q, b_vcpu, RUN in O; discriminate O).
  set (on := vcpu_at a' v t <| vcpu_state := VCPU_READY |> <| pending := PENDING_NONE |> <| syndrome := 0 |>). set (m := reset_context _ _).
  assert (NO : near v i a (set_saved v t m (set_vcpu v t on a'))) by (apply near_on; [exact b_near|lia|exact O|reflexivity]).
  assert (PV : vcpu_at (set_saved v t m (set_vcpu v t on a')) v i = vcpu_at a v i).
  { transitivity (vcpu_at (set_vcpu v t on a') v i); [reflexivity|]. rewrite vcpu_put by (auto; lia). replace ((v =? v) && (i =? t)) with false by lia. apply b_vcpu. }
  assert (PX : forall q, x_of (set_saved v t m (set_vcpu v t on a')) c q = x_of a' c q) by reflexivity.
  assert (PR : forall q, reg_of (set_saved v t m (set_vcpu v t on a')) q = reg_of a' q) by reflexivity.
  set (d := set_saved v t m (set_vcpu v t on a')) in *. clearbody d. match type of CW with _ = ?w => refine (plain_call (Exit NIE_EXIT_CPU_ON 0 0 t) (set_x c 0 PSCI_SUCCESS d) w _ eq_refl CW eq_refl _ _ _) end.
  - eapply near_calm; [exact NO|apply calm_x, calm_refl].
  - change (vcpu_at (set_x c 0 PSCI_SUCCESS d) v i) with (vcpu_at d v i). rewrite PV. exact PN.
  - intros r R. apply answered_x; assumption.
  - rewrite reg_set_x. apply PR.
Qed.

Lemma called : ends_with (snd (vcpu_call c a')).
Proof.
  unfold vcpu_call. cbv zeta. rewrite b_x. fold f. destruct b_run as [E1 E2]. rewrite E1, E2. pose proof turned_on as ON. pose proof plain_call as PL. pose proof was_call as WC.
  unfold call_was in ON, PL, WC.
  destruct (Z.eqb_spec f PSCI_CPU_ON_32) as [F|N1]; [cbn [orb]; apply ON; rewrite F; tests; reflexivity|].
  destruct (Z.eqb_spec f PSCI_CPU_ON) as [F|N2]; [cbn [orb]; apply ON; rewrite F; tests; reflexivity|]. cbn [orb] in *. clear ON.
  assert (SAME : forall w, (forall r, had s c e w r = Step.x s c r) -> forall r, 0 <= r < 31 -> eq64 (x_of a' c r) (had s c e w r)) by (intros w H r R; rewrite H; now apply as_it_was).
  assert (P0 : pending (vcpu_at a' v i) = PENDING_NONE) by (rewrite b_vcpu; exact PN).
  destruct (Z.eqb_spec f PSCI_CPU_OFF) as [F|N3].
  { apply (PL _ a' (Some Released.TurnsOff)); auto; try exact b_near; try (rewrite F; tests; reflexivity); try (apply SAME; reflexivity). }
  destruct (Z.eqb_spec f PSCI_CPU_SUSPEND_32) as [F|N4].
  { cbn [orb]. apply (PL _ _ (Some Released.Waits)); auto; try (eapply near_calm; [exact b_near|apply calm_x, calm_refl]); try (rewrite F; tests; reflexivity).
    intros r R. cbn [had]. rewrite not_wfx, andb_true_r. now apply answered_x. }
  destruct (Z.eqb_spec f PSCI_CPU_SUSPEND) as [F|N5]; cbn [orb] in *.
  { apply (PL _ _ (Some Released.Waits)); auto; try (eapply near_calm; [exact b_near|apply calm_x, calm_refl]); try (rewrite F; tests; reflexivity).
    intros r R. cbn [had]. rewrite not_wfx, andb_true_r. now apply answered_x. }
  destruct (Z.eqb_spec f PSCI_SYSTEM_OFF) as [F|N6].
  { unfold system_end. cbv zeta. rewrite E1. apply (PL _ _ (Some (Released.Ends false))); auto; try (apply near_stop; [exact b_near|reflexivity]); try (apply SAME; reflexivity); try (rewrite F; tests; reflexivity). }
  destruct (Z.eqb_spec f PSCI_SYSTEM_RESET) as [F|N7].
  { unfold system_end. cbv zeta. rewrite E1. apply (PL _ _ (Some (Released.Ends true))); auto; try (apply near_stop; [exact b_near|reflexivity]); try (apply SAME; reflexivity); try (rewrite F; tests; reflexivity). }
  destruct (Z.eqb_spec f NIE_VM_HOST_CALL) as [F|N8].
  { set (r := vcpu_at a' v i <| pending := PENDING_CALL |>). eapply (exits _ _ (Some (Released.Calls (map (Step.x s c) (Step.numbers 7))))); [apply near_ask; [exact I|exact b_near]|reflexivity|exact WC|].
    constructor.
    - rewrite vcpu_put, !Z.eqb_refl by exact I. reflexivity.
    - discriminate.
    - intros q Q. change (x_of (set_vcpu v i r a') c q) with (x_of a' c q). cbn [had]. now apply as_it_was.
    - change (reg_of (set_vcpu v i r a') REG_ELR_EL2) with (reg_of a' REG_ELR_EL2). rewrite b_pc, (call_stepped (Some (Released.Calls _))) by (now right).
      destruct st; [unfold wrap64; apply Z.mod_mod; vm_compute; discriminate|now rewrite Z.add_0_r]. }
  left. assert (CA : calm a (snd (vcpu_call_answer v f (smccc_argument f (x_of a c 1)) (smccc_argument f (x_of a' c 2)) a'))).
  { unfold vcpu_call_answer, page_reopen. repeat match goal with |- context [if ?t then _ else _] => destruct t end; cbn [snd]; try exact b_calm.
    all: destruct (slot_at _ _ _ _); cbn [snd]; try exact b_calm; apply calm_slot; exact b_calm. }
  rewrite ?b_x in *. destruct (vcpu_call_answer _ _ _ _ _) as [w d]. cbn [snd] in *. now apply calm_x.
Qed.
End Call.

Hypothesis KA : (k =? EC_DATA_ABORT) || (k =? EC_INSTRUCTION_ABORT) = true.
Let page := fault_page (Step.hpfar e).
Lemma page_is : Z.land (Z.shiftr (Step.hpfar e) 4) 0xfffffffffff = page.
Proof. apply inject_exact.field_is; lia || reflexivity. Qed.
Definition abort_was : option Released.exit :=
  if negb (is_translation (Step.esr e)) || negb (page <? 2 ^ 27) || Machine.valid (Released.found s c e) || (Released.found s c e =? DESC_SPENT) then None
  else if ram page then Some (Released.Misses (page * 4096))
  else if (k =? EC_DATA_ABORT) && mmio_decodable (Step.esr e) then
    Some (if has (Step.esr e) ISS_WNR then Released.Writes (page * 4096 + Step.far e mod 4096) (width_of (Step.esr e)) ((if Z.land (Z.shiftr (Step.esr e) 16) 31 =? 31 then 0 else Step.x s c (Z.land (Z.shiftr (Step.esr e) 16) 31)) mod 2 ^ (8 * width_of (Step.esr e)))
          else Released.Reads (page * 4096 + Step.far e mod 4096) (width_of (Step.esr e)))
  else None.
Lemma was_abort : was = abort_was.
Proof.
  unfold Released.exit_of, abort_was. cbv zeta. rewrite kind_is, class_is. fold k. cbn [negb]. rewrite page_is.
  assert (NE : forall n, n <> EC_DATA_ABORT -> n <> EC_INSTRUCTION_ABORT -> (k =? n) = false).
  { intros n N1 N2. apply Z.eqb_neq. intro Q. rewrite Q in KA. apply orb_prop in KA as [A|A]; apply Z.eqb_eq in A; contradiction. }
  rewrite (NE EC_WFX), (NE EC_HVC64), (NE EC_SMC64), (NE EC_SYSREG), KA by discriminate. cbn [orb].
  unfold is_translation, mmio_decodable, width_of. change FSC_TYPE with 0x3c. change FSC_TRANSLATION with 4.
  change ISS_ISV with (2 ^ 24). change ISS_S1PTW with (2 ^ 7). change ISS_CM with (2 ^ 8). change ISS_WNR with (2 ^ 6). rewrite !trap_releases.bit_is by lia. reflexivity.
Qed.
Lemma abort_not_off : is_off was = false.
Proof. rewrite was_abort. unfold abort_was. repeat match goal with |- is_off (if ?t then _ else _) = _ => destruct t end; try reflexivity. now destruct (has _ _). Qed.
Lemma abort_steps : forall w, asks_for w = PENDING_NONE -> stepped e w = false.
Proof.
  intros w A. assert (E : Released.is_sync e EC_WFX || Released.is_sync e EC_SMC64 || Released.is_sync e EC_SYSREG = false).
  { rewrite !sync_is. apply orb_prop in KA as [B|B]; apply Z.eqb_eq in B; rewrite B; reflexivity. }
  destruct w as [[]|]; try exact E; discriminate A.
Qed.

Lemma aborted : ends_with (snd (vcpu_abort c (Step.esr e) a)).
Proof.
  unfold vcpu_abort. cbv zeta. rewrite TP. fold v page. change (2 ^ (NIE_IPA_BITS - NIE_PAGE_SHIFT)) with (2 ^ 27). pose proof was_abort as WA. unfold abort_was in WA.
  assert (AB : forall f, ends_with (inject_abort (Step.esr e) f a)) by (intro f; left; apply calm_abort, calm_refl).
  destruct (is_translation (Step.esr e)); cbn [negb orb] in *; [|apply AB]. destruct (Z.ltb_spec page (2 ^ 27)) as [L|L]; cbn [negb orb] in *; [|apply AB].
  cbv zeta in TF. fold page in TF. rewrite (TF L), vcpu_abort_exact.enc_maps, vcpu_abort_exact.enc_is_spent in WA.
  destruct (entry_of a v page) as [| |p|p|p|p]; cbn [vcpu_abort_exact.maps_something orb] in *; try (left; apply calm_refl); try apply AB.
  destruct (in_ram_window a v page) eqn:IW.
  { right. exists (Exit NIE_EXIT_PAGE_MISSING (address_of page) 0 0), a. split; [apply near_refl|]. split; [reflexivity|]. split; [now rewrite abort_not_off|].
    intro HW. rewrite (HW page), IW in WA. rewrite WA. apply (fits_plain a _ false); auto. now apply abort_steps. }
  unfold k in WA. rewrite TE in WA. destruct ((exception_class (Step.esr e) =? EC_DATA_ABORT) && mmio_decodable (Step.esr e)) eqn:DA; [|apply AB].
  assert (ASK : forall x p w, (exit_reason x =? NIE_EXIT_CPU_OFF) = false -> ((forall q, ram q = in_ram_window a v q) -> was = w) -> asks_for w = p -> (forall r, had s c e w r = Step.x s c r) -> stepped e w = false ->
    ends_with (snd (exit_vcpu c x (set_vcpu v i (vcpu_at a v i <| pending := p |> <| syndrome := field (Step.esr e) 0 25 |>) a)))).
  { intros x p w O E A H S. right. eexists x, _. split; [apply near_ask; [exact I|apply near_refl]|]. split; [reflexivity|]. split; [now rewrite abort_not_off|].
    intro HW. rewrite (E HW). set (r := vcpu_at a v i <| pending := p |> <| syndrome := field (Step.esr e) 0 25 |>).
    assert (EV : vcpu_at (set_vcpu v i r a) v i = r) by (rewrite vcpu_put, !Z.eqb_refl by exact I; reflexivity). constructor.
    - rewrite EV. exact (eq_sym A).
    - intros _. rewrite EV. reflexivity.
    - intros q Q. change (x_of (set_vcpu v i r a) c q) with (x_of a c q). rewrite H, TX by exact Q. apply Z.mod_mod. vm_compute. discriminate.
    - change (reg_of (set_vcpu v i r a) REG_ELR_EL2) with (reg_of a REG_ELR_EL2). rewrite S, TL, Z.add_0_r. reflexivity. }
  unfold mmio_exit. cbv zeta. fold v i. destruct (has (Step.esr e) ISS_WNR) eqn:WR.
  - eapply ASK; [reflexivity|intro HW; rewrite WA, (HW page), IW; reflexivity|reflexivity|reflexivity|reflexivity].
  - eapply ASK; [reflexivity|intro HW; rewrite WA, (HW page), IW; reflexivity|reflexivity|reflexivity|reflexivity].
Qed.
End Sync.

Theorem trap_ends : ends_with (snd (vcpu_trap c (Step.kind e) a)).
Proof.
  destruct (Z.eq_dec (Step.kind e) TRAP_SYNC) as [K|K]; [|now apply interrupted]. unfold vcpu_trap. rewrite K. change (TRAP_SYNC =? TRAP_SYNC) with true. cbv iota. unfold vcpu_sync. cbv zeta.
  destruct (Z.eqb_spec (exception_class (reg_of a REG_ESR_EL2)) EC_WFX); [now apply waited|].
  destruct (Z.eqb_spec (exception_class (reg_of a REG_ESR_EL2)) EC_SMC64); [now apply (called K true)|].
  destruct (Z.eqb_spec (exception_class (reg_of a REG_ESR_EL2)) EC_HVC64); [now apply (called K false)|].
  destruct (Z.eqb_spec (exception_class (reg_of a REG_ESR_EL2)) EC_SYSREG); [rewrite TE; now apply sent|].
  destruct ((exception_class (reg_of a REG_ESR_EL2) =? EC_INSTRUCTION_ABORT) || _)%bool eqn:A; [rewrite TE; apply aborted; [exact K|now rewrite orb_comm]|].
  left. cbn [snd]. apply calm_undefined, calm_refl.
Qed.
End Trap.
