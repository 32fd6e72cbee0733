(* SPDX-License-Identifier: Apache-2.0 *)
(* The words that every exit tells are those that spec/Released.v releases with every exit, from hardware alone. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Step Released Registers Switch.
From nie.proof.invariant Require Import vcpu_run_preserves.
From nie.proof.refine Require Import world_enters vcpu_enters.
From nie.proof.security Require Import vcpu_run_isolates.
Import ListNotations.
Open Scope Z_scope.

(* The machine's registers of CPU c are the state's, and CNTVOFF_EL2 is that of the VM which runs there. *)
Definition shows (a : state) (c : Z) (s : Step.machine) : Prop :=
  (forall r, 0 <= r < 128 -> Step.sysreg s c r = Map.get (here a) r) /\ Map.get (here a) REG_CNTVOFF_EL2 = cntvoff (vm_at a (cpu_vm (cpu_at a c))).

Theorem exit_tells_always : forall a c e s, shows a c s -> let k := Released.always_of s c in
  map snd (firstn 9 (Switch.exit_words a c e)) =
  Released.lrs k ++ [Released.misr k; Released.vmcr k; Released.eoicount k; Released.timer_on k; Released.deadline k].
Proof.
  intros a c e s [R V] k. unfold k, Released.always_of. cbn [Released.lrs Released.misr Released.vmcr Released.eoicount Released.timer_on Released.deadline].
  rewrite !R by (unfold REG_ICH_LR0_EL2, REG_ICH_MISR_EL2, REG_ICH_VMCR_EL2, REG_ICH_HCR_EL2, REG_CNTV_CTL_EL0, REG_CNTV_CVAL_EL0, REG_CNTVOFF_EL2; lia).
  rewrite V. unfold Switch.exit_words. cbn [map firstn app snd fst]. unfold Registers.reg_of.
  assert (EO : Z.land (Z.shiftr (Map.get (here a) REG_ICH_HCR_EL2) 27) 31 = Registers.field (Map.get (here a) REG_ICH_HCR_EL2) 27 5).
  { unfold Registers.field. rewrite <- Z.shiftr_div_pow2 by lia. exact (ones_land _ 5 ltac:(lia)). }
  rewrite EO. reflexivity.
Qed.

(* The other words are what the handler says of this exit, and x0 to x6 of a call to the host, which put them there to be read. *)
Theorem exit_tells_else : forall a c e, map snd (skipn 9 (Switch.exit_words a c e)) =
  [Switch.exit_reason e; Switch.exit_ipa e; Switch.exit_width e; Switch.exit_value e] ++
  map (fun n => if Switch.exit_reason e =? NIE_EXIT_HOST_CALL then Registers.x_of a c n else 0) [0; 1; 2; 3; 4; 5; 6].
Proof. reflexivity. Qed.

(* [shows]' second half, when a vCPU comes; nothing at EL1 or EL0 writes CNTVOFF_EL2. *)
Lemma answer_vm : forall c v i x w, vm_at (Switch.take_answer c v i x) w = vm_at x w.
Proof. intros c v i x w. unfold vm_at. rewrite (al_vms _ _ (answer_alike c v i x)). reflexivity. Qed.
Lemma last_vm : forall v c n x w, vm_at (set_last v c n x) w = vm_at x w.
Proof. reflexivity. Qed.
Theorem entry_brings_offset : forall c v i a, let b := Switch.enter_vcpu c v i a in Map.get (here b) REG_CNTVOFF_EL2 = cntvoff (vm_at b v).
Proof.
  intros c v i a. cbv zeta. rewrite !enter_stages, answer_vm, last_vm, answer_here, here_last by discriminate. rewrite controlled_vm.
  unfold controlled. rewrite controls_are, get_set_other, get_set_same by discriminate. rewrite lists_vm, load_vm, save_vm, taken_vm.
  generalize (vm_at a v). intro r. reflexivity.
Qed.
