(* SPDX-License-Identifier: Apache-2.0 *)
(* The theorem: the events of a vCPU's exception are the run record of what spec/Released.v releases, word for word. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Step Released Registers Switch Actions.
From nie.spec.trap Require sysreg vcpu_abort vcpu_call trap.
From nie.proof.invariant Require Import Meaning vcpu_run_preserves.
From nie.proof.refine Require Import inject_exact vcpu_abort_exact.
From nie.proof.security Require Export trap_releases.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Lemma ts_saved : forall c a v t m, tells_same c a (set_saved v t m a).
Proof. intros. constructor; reflexivity. Qed.
Lemma ts_vm' : forall c a v r, cntvoff r = cntvoff (vm_at a v) -> tells_same c a (set_vm v r a).
Proof. intros c a v r H. constructor; try reflexivity. rewrite vm_at_put. destruct (Z.eqb_spec (cpu_vm (cpu_at a c)) v) as [->|]; auto. Qed.

(* Tests between constants. *)
Ltac closed := repeat match goal with |- context [?x =? ?y] =>
    let b := eval vm_compute in (x =? y) in match b with true => change (x =? y) with true | false => change (x =? y) with false end end; cbn [orb andb negb]; cbn iota.

Section Released.
Variables (a : state) (c : Z) (e : Step.exception) (s : Step.machine).
Hypothesis T : taken_as a c e s.
Hypothesis GU : cpu_vm (cpu_at a c) <> CPU_HOST.
Let v := cpu_vm (cpu_at a c).
Let i := cpu_vcpu (cpu_at a c).
Notation page := (run_page (vcpu_at a v i)).
Notation told l := (map (fun wx => Switch.Word page (fst wx) (snd wx)) l).
Definition outcome (k : option Released.exit) : list Switch.event :=
  told (record_of (match k with Some k => Released.Exit k (Released.always_of s c) | None => Released.Stays end)).

Lemma stays_is : [] = outcome None.
Proof. reflexivity. Qed.

(** Calls. *)

Definition call_exit : option Released.exit :=
  let r := Step.x s c in
  let fn := Z.land (r 0) 0xffffffff in
  if (fn =? PSCI_CPU_SUSPEND) || (fn =? PSCI_CPU_SUSPEND_32) then Some Released.Waits
  else if fn =? PSCI_CPU_OFF then Some Released.TurnsOff
  else if (fn =? PSCI_CPU_ON) || (fn =? PSCI_CPU_ON_32) then
    if on_ok a c then Some (Released.TurnsOn (if Z.testbit fn 30 then r 1 else Z.land (r 1) 0xffffffff)) else None
  else if fn =? PSCI_SYSTEM_OFF then Some (Released.Ends false)
  else if fn =? PSCI_SYSTEM_RESET then Some (Released.Ends true)
  else if fn =? NIE_VM_HOST_CALL then Some (Released.Calls (map r (Step.numbers 7)))
  else if fn =? NIE_VM_PAGE_REOPEN then Some (Released.Reopens (r 1))
  else None.

Lemma on_tells : forall b f, b = a \/ b = Registers.skip_instruction a -> f = Registers.x_of a c 0 mod 2 ^ 32 ->
  fst (nie.spec.trap.vcpu_call.vcpu_on c f b) = outcome (if on_ok a c then Some (Released.TurnsOn (Registers.smccc_argument f (Registers.x_of a c 1))) else None).
Proof.
  intros b f B F. unfold on_ok. rewrite <- F. unfold nie.spec.trap.vcpu_call.vcpu_on.
  assert (EX : forall n, Registers.x_of b c n = Registers.x_of a c n) by (destruct B as [-> | ->]; reflexivity).
  assert (EC : cpu_at b c = cpu_at a c) by (destruct B as [-> | ->]; reflexivity). assert (EV : vm_at b v = vm_at a v) by (destruct B as [-> | ->]; reflexivity).
  assert (EU : forall t, vcpu_at b v t = vcpu_at a v t) by (destruct B as [-> | ->]; reflexivity).
  assert (TS : tells_same c a b) by (destruct B as [-> | ->]; [apply ts_refl|apply ts_skip]).
  rewrite !EX, !EC. fold v. rewrite !EV, !EU. set (t := Registers.smccc_argument f (Registers.x_of a c 1)). set (n := Registers.smccc_argument f (Registers.x_of a c 2)).
  destruct (t <? vcpu_count (vm_at a v)); cbn [negb andb]; [|reflexivity]. destruct (_ =? VCPU_OFF); cbn [negb andb]; [|reflexivity].
  destruct (_ && _)%bool; cbn [negb]; [|reflexivity]. cbn [outcome]. unfold outcome. cbn [record_of]. apply (exit_tells a c e s T); [|discriminate].
  eapply ts_trans; [exact TS|]. eapply ts_trans; [|apply ts_x]. eapply ts_trans; [|apply ts_saved]. apply ts_vcpu'. rewrite EU. reflexivity.
Qed.

Lemma call_tells_all : forall b, b = a \/ b = Registers.skip_instruction a -> fst (nie.spec.trap.vcpu_call.vcpu_call c b) = outcome call_exit.
Proof.
  intros b B. unfold call_exit. cbn zeta. rewrite (function_is a c e s T), (argument_is a c e s T) by lia.
  assert (EX : forall n, Registers.x_of b c n = Registers.x_of a c n) by (destruct B as [-> | ->]; reflexivity).
  assert (EC : cpu_at b c = cpu_at a c) by (destruct B as [-> | ->]; reflexivity). assert (EV : vm_at b v = vm_at a v) by (destruct B as [-> | ->]; reflexivity).
  assert (EU : forall t, vcpu_at b v t = vcpu_at a v t) by (destruct B as [-> | ->]; reflexivity).
  assert (TS : tells_same c a b) by (destruct B as [-> | ->]; [apply ts_refl|apply ts_skip]).
  pose proof (on_tells b) as ON. unfold nie.spec.trap.vcpu_call.vcpu_call. cbn zeta. rewrite !EX, !EC. fold v i. set (f := Registers.x_of a c 0 mod 2 ^ 32) in *.
  specialize (ON f B eq_refl). clearbody f.
  assert (EXIT : forall r b', tells_same c a b' -> r <> NIE_EXIT_HOST_CALL -> fst (Switch.exit_vcpu c (Switch.Exit r 0 0 0) b') = told (words_with r 0 0 0 [] (Released.always_of s c))).
  { intros. now apply (exit_tells a c e s T). }
  assert (END : forall r, r <> NIE_EXIT_HOST_CALL -> fst (nie.spec.trap.vcpu_call.system_end c r b) = told (words_with r 0 0 0 [] (Released.always_of s c))).
  { intros r N. unfold nie.spec.trap.vcpu_call.system_end. apply EXIT; [|exact N]. eapply ts_trans; [exact TS|]. apply ts_vm'. reflexivity. }
  destruct (Z.eqb_spec f PSCI_CPU_ON_32) as [->|N1]; [closed; exact ON|].
  destruct (Z.eqb_spec f PSCI_CPU_ON) as [->|N2]; [closed; exact ON|]. cbn [orb]. clear ON.
  destruct (Z.eqb_spec f PSCI_CPU_OFF) as [->|N3]; [closed; apply EXIT; [exact TS|discriminate]|].
  destruct (Z.eqb_spec f PSCI_CPU_SUSPEND_32) as [->|N4]; [closed; apply EXIT; [eapply ts_trans; [exact TS|apply ts_x]|discriminate]|].
  destruct (Z.eqb_spec f PSCI_CPU_SUSPEND) as [->|N5]; [closed; apply EXIT; [eapply ts_trans; [exact TS|apply ts_x]|discriminate]|]. cbn [orb].
  destruct (f =? PSCI_SYSTEM_OFF); [apply END; discriminate|]. destruct (f =? PSCI_SYSTEM_RESET); [apply END; discriminate|].
  destruct (f =? NIE_VM_HOST_CALL).
  - rewrite EU. apply (call_tells a c e s T).
    + eapply ts_trans; [exact TS|]. apply ts_vcpu'. rewrite EU. reflexivity.
    + intros n _. rewrite <- EX. reflexivity.
  - destruct (nie.spec.trap.vcpu_call.vcpu_call_answer _ _ _ _ _) as [r b']. cbn [fst]. destruct (f =? NIE_VM_PAGE_REOPEN); reflexivity.
Qed.

(** Aborts. *)

Definition abort_exit : option Released.exit :=
  let y := Step.esr e in
  let r n := if n =? 31 then 0 else Step.x s c n in
  let width := 2 ^ (Z.land (Z.shiftr y 22) 3) in
  let x := Z.land (Z.shiftr (Step.hpfar e) 4) 0xfffffffffff in
  let ipa := x * 4096 + Step.far e mod 4096 in
  if negb (Z.land y 0x3c =? 4) || negb (x <? 2 ^ 27) || Machine.valid (Released.found s c e) || (Released.found s c e =? DESC_SPENT) then None
  else if in_ram a c x then Some (Released.Misses (x * 4096))
  else if (Released.class e =? EC_DATA_ABORT) && (Z.testbit y 24 && negb (Z.testbit y 7) && negb (Z.testbit y 8)) then
    Some (if Z.testbit y 6 then Released.Writes ipa width (r (Z.land (Z.shiftr y 16) 31) mod 2 ^ (8 * width)) else Released.Reads ipa width)
  else None.

Lemma abort_tells : fst (nie.spec.trap.vcpu_abort.vcpu_abort c (Step.esr e) a) = outcome abort_exit.
Proof.
  unfold abort_exit, nie.spec.trap.vcpu_abort.vcpu_abort, in_ram. cbn zeta. rewrite (ta_hpfar _ _ _ _ T). fold v.
  rewrite (field_is (Step.hpfar e) 4 44), (field_is (Step.esr e) 22 2), (field_is (Step.esr e) 16 5) by (lia || reflexivity).
  change (Registers.field (Step.hpfar e) 4 44) with (Registers.fault_page (Step.hpfar e)). change (Registers.field (Step.esr e) 16 5) with (Registers.mmio_register (Step.esr e)).
  change (2 ^ Registers.field (Step.esr e) 22 2) with (Registers.mmio_width (Step.esr e)). change (Z.land (Step.esr e) 0x3c =? 4) with (Registers.is_translation (Step.esr e)).
  pose proof (ta_found _ _ _ _ T) as FO. cbn zeta in FO. fold v in FO. set (x := Registers.fault_page (Step.hpfar e)) in *. change (2 ^ (NIE_IPA_BITS - NIE_PAGE_SHIFT)) with (2 ^ 27).
  destruct (Registers.is_translation (Step.esr e)); cbn [negb orb]; [|reflexivity]. destruct (Z.ltb_spec x (2 ^ 27)) as [X|X]; cbn [negb orb]; [|reflexivity].
  rewrite (FO X), enc_maps, enc_is_spent. clear FO. destruct (entry_of a v x); cbn [maps_something orb]; try reflexivity.
  destruct (nie.spec.trap.vcpu_abort.in_ram_window a v x).
  { apply (exit_tells a c e s T); [apply ts_refl|discriminate]. }
  unfold Released.class. rewrite (field_is (Step.esr e) 26 6) by (lia || reflexivity). change (Registers.field (Step.esr e) 26 6) with (Registers.exception_class (Step.esr e)).
  destruct (Registers.exception_class (Step.esr e) =? EC_DATA_ABORT); cbn [andb]; [|reflexivity].
  unfold Registers.mmio_decodable. change ISS_ISV with (2 ^ 24). change ISS_S1PTW with (2 ^ 7). change ISS_CM with (2 ^ 8). rewrite !bit_is by lia.
  destruct (_ && _ && _)%bool; [|reflexivity]. unfold nie.spec.trap.vcpu_abort.mmio_exit. change ISS_WNR with (2 ^ 6). rewrite bit_is by lia. rewrite (ta_far _ _ _ _ T).
  assert (IPA : State.address_of x + Registers.field (Step.far e) 0 12 = x * 4096 + Step.far e mod 4096) by (unfold State.address_of, Registers.field; now rewrite Z.div_1_r).
  assert (RB : 0 <= Registers.mmio_register (Step.esr e) < 32) by (unfold Registers.mmio_register, Registers.field; apply Z.mod_pos_bound; lia).
  rewrite IPA, (register_is a c e s T), (truncate_is a c e s T) by lia. destruct (Z.testbit (Step.esr e) 6); apply (exit_tells a c e s T); try discriminate; now apply ts_vcpu'.
Qed.

(** All. *)

Theorem exit_tells_released : fst (nie.spec.trap.trap.vcpu_trap c (Step.kind e) a) = told (record_of (Released.released s c e (in_ram a c) (on_ok a c))).
Proof.
  change (fst (nie.spec.trap.trap.vcpu_trap c (Step.kind e) a) = outcome (Released.exit_of s c e (in_ram a c) (on_ok a c))).
  unfold nie.spec.trap.trap.vcpu_trap, Released.exit_of. destruct (Step.kind e =? TRAP_SYNC); cbn [negb].
  2:{ unfold outcome. cbn [record_of]. destruct (Step.kind e =? TRAP_SERROR); apply (exit_tells a c e s T); try apply ts_refl; discriminate. }
  fold call_exit. fold abort_exit.
  unfold nie.spec.trap.trap.vcpu_sync. rewrite (ta_esr _ _ _ _ T).
  assert (CL : Released.class e = Registers.exception_class (Step.esr e)) by (unfold Released.class; now rewrite (field_is (Step.esr e) 26 6) by (lia || reflexivity)).
  rewrite CL. set (k := Registers.exception_class (Step.esr e)) in *.
  destruct (k =? EC_WFX); [apply (exit_tells a c e s T); [apply ts_skip|discriminate]|].
  destruct (Z.eqb_spec k EC_SMC64) as [E|N1]; [rewrite orb_true_r; apply call_tells_all; now right|]. rewrite orb_false_r.
  destruct (k =? EC_HVC64); [apply call_tells_all; now left|].
  destruct (k =? EC_SYSREG).
  { rewrite send_is. unfold nie.spec.trap.sysreg.sysreg_trap. set (iss := Registers.field (Step.esr e) 0 25).
    assert (G : nie.spec.trap.sysreg.is_guest a c = true) by (unfold nie.spec.trap.sysreg.is_guest; apply negb_true_iff; now apply Z.eqb_neq).
    rewrite G, andb_true_r. destruct (_ && _)%bool.
    - assert (RR : Registers.field iss 5 5 = Registers.field (Step.esr e) 5 5) by (unfold iss, Registers.field; change (2 ^ 0) with 1; change (2 ^ 25) with 33554432; change (2 ^ 5) with 32; lia).
      rewrite RR, (field_is (Step.esr e) 5 5) by (lia || reflexivity).
      assert (RB : 0 <= Registers.field (Step.esr e) 5 5 < 32) by (unfold Registers.field; apply Z.mod_pos_bound; lia).
      rewrite (register_is a c e s T) by exact RB. change (Registers.gpr (Registers.skip_instruction a) c) with (Registers.gpr a c). apply (exit_tells a c e s T); [apply ts_skip|discriminate].
    - destruct (_ =? ENC_MDSCR); [reflexivity|]. destruct (nie.spec.trap.sysreg.reads_constant _ _ _); reflexivity. }
  rewrite (orb_comm (k =? EC_DATA_ABORT)). destruct (_ || _)%bool; [apply abort_tells|reflexivity].
Qed.
End Released.
