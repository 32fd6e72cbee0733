(* SPDX-License-Identifier: Apache-2.0 *)
(* Whatever the host does, the book of spec/Answers.v goes on to agree with the specification's state. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Donation Actions.
From nie.spec Require Step Released Answers.
From nie.spec.call Require Import page_add page_add_zero page_remove page_shared_add table_add table_remove vcpu_create
  vcpu_destroy vcpu_run vm_activate vm_create vm_destroy vm_info vm_stop host_call.
From nie.spec.trap Require Import sysreg host_abort host_smc trap.
From nie.proof.invariant Require Import Meaning.
From nie.proof.security Require Import Answered Calm Noted Entered.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
#[local] Opaque each set_last give_back donate hand_over measured.

(* Who runs where: not changed by these. *)
Section Cpus.
Variable a : state.
Lemma donated_cpus : forall v p n o b, cpus (donate v p n o b) = cpus b.
Proof. Transparent donate hand_over each. intros. unfold donate, hand_over, each. induction (Z.to_nat n) as [|m IH]; [reflexivity|]. exact IH. Qed.
Lemma handed_cpus : forall v p n o b, cpus (hand_over v p n o b) = cpus b.
Proof. intros. unfold hand_over, each. induction (Z.to_nat n) as [|m IH]; [reflexivity|]. exact IH. Qed.
Lemma marks_cpus : forall v n b, cpus (each n (fun c => set_last v c 0) b) = cpus b.
Proof. intros. unfold each. induction (Z.to_nat n) as [|m IH]; [reflexivity|]. exact IH. Qed.
Lemma back_cpus : forall v p b, cpus (give_back v p b) = cpus b.
Proof. Transparent give_back. reflexivity. Qed.
Lemma vm_cpus : forall v r b, cpus (set_vm v r b) = cpus b.
Proof. reflexivity. Qed.
Lemma vcpu_cpus : forall v i r m b, cpus (set_saved v i m (set_vcpu v i r b)) = cpus b.
Proof. reflexivity. Qed.
Lemma slots_cpus : forall f b, cpus (b <| slots ::= f |>) = cpus b.
Proof. reflexivity. Qed.
Lemma measured_cpus : forall v w b, cpus (measured v w b) = cpus b.
Proof. Transparent measured. reflexivity. Qed.
#[local] Opaque each give_back donate hand_over measured.

Lemma vm_stop_cpus : forall u, cpus (snd (vm_stop u a)) = cpus a.
Proof. intro. unfold vm_stop. destruct (_ =? NIE_OK); reflexivity. Qed.
Lemma vm_activate_cpus : forall u, cpus (snd (vm_activate u a)) = cpus a.
Proof. intro. unfold vm_activate. cbv zeta. destruct (_ =? NIE_OK); reflexivity. Qed.
Lemma vm_destroy_cpus : forall u, cpus (snd (vm_destroy u a)) = cpus a.
Proof.
  intro. unfold vm_destroy, clear_vm. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|reflexivity].
  rewrite vm_cpus, marks_cpus, slots_cpus. apply back_cpus.
Qed.
Lemma vcpu_create_cpus : forall u i x r e g, cpus (snd (vcpu_create u i x r e g a)) = cpus a.
Proof.
  intros. unfold vcpu_create. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|reflexivity]. now rewrite measured_cpus, vm_cpus, vcpu_cpus, handed_cpus, donated_cpus.
Qed.
Lemma vcpu_destroy_cpus : forall u i, cpus (snd (vcpu_destroy u i a)) = cpus a.
Proof.
  intros. unfold vcpu_destroy. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|reflexivity]. now rewrite vm_cpus, vcpu_cpus, !back_cpus.
Qed.
Lemma vm_create_cpus : forall u r b p n t, cpus (snd (vm_create u r b p n t a)) = cpus a.
Proof. intros. unfold vm_create. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|reflexivity]. now rewrite measured_cpus, donated_cpus. Qed.
End Cpus.
Lemma same_cpus : forall a b, cpus b = cpus a -> forall q, cpu_at b q = cpu_at a q.
Proof. intros a b E q. unfold cpu_at. now rewrite E. Qed.
Lemma cpus_range : forall a b, cpus b = cpus a -> in_range a -> in_range b.
Proof. intros a b E R c C. rewrite (same_cpus a b E). exact (R c C). Qed.

Section Host.
Variables (v : Z) (k : Answers.book) (a : state) (c : Z) (ins : nat -> Z) (content : Z -> Z -> Z).
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis W : wf a.
Hypothesis N : noted v k a.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis HO : cpu_vm (cpu_at a c) = CPU_HOST.
Hypothesis X : forall r, 0 <= r < 31 -> 0 <= x_of a c r < 2 ^ 64.
Let RU : runners a := wf_runners a W.
Notation x := (x_of a c).
Notation kept := (kept_by v k a c ins).

Lemma lifely : forall (r : Z * state), x 0 mod 2 ^ 32 <> NIE_VM_CREATE -> noted v k (snd r) -> cpus (snd r) = cpus a -> kept (let '(status, b) := r in answer c [status] b).
Proof. intros r F NB E. apply plainly; auto; [apply (cpus_range a _ E), runners_range, RU|now rewrite (same_cpus a _ E)]. Qed.
Lemma lifely3 : forall (r : (Z * Z * Z) * state), x 0 mod 2 ^ 32 <> NIE_VM_CREATE -> noted v k (snd r) -> cpus (snd r) = cpus a ->
  kept (let '((status, x1, x2), b) := r in answer c [status; x1; x2] b).
Proof. intros r F NB E. apply plainly3; auto; [apply (cpus_range a _ E), runners_range, RU|now rewrite (same_cpus a _ E)]. Qed.
Lemma creating : forall r b p n t, x 0 mod 2 ^ 32 = NIE_VM_CREATE -> r = x 2 -> b = x 3 -> p = x 4 ->
  kept (let '(status, d) := vm_create (x 1) r b p n t a in answer c [status] d).
Proof.
  intros r b p n t F -> -> ->. pose proof (vm_create_noted v k a V W N (x 1) (x 2) (x 3) (x 4) n t (proj1 (X 1 ltac:(lia)))) as K. cbv zeta in K.
  pose proof (vm_create_cpus a (x 1) (x 2) (x 3) (x 4) n t) as E. destruct (vm_create (x 1) (x 2) (x 3) (x 4) n t a) as [status d]. cbn [fst snd] in *.
  pose proof (calm_answer [status] c d d (calm_refl d)) as CA. pose proof (x0_answer c [] status d) as XA.
  assert (H : cpu_vm (cpu_at (answer c [status] d) c) = CPU_HOST).
  { pose proof (ca_cpus _ _ CA c) as Q. unfold run_view in Q. injection Q as Q _. now rewrite Q, (same_cpus a d E). }
  assert (RD : in_range d) by exact (cpus_range a d E (runners_range a RU)). right. destruct K as [(U & S & NB)|(NS & NB)].
  - left. split; [repeat split; auto; congruence|]. split; [exact H|]. exact (still_noted v _ d _ V RD (calm_still v _ _ CA) NB).
  - right. split; [|split; [rewrite H; exact (v_not_host v V)|exact (still_noted v _ d _ V RD (calm_still v _ _ CA) NB)]].
    intros (_ & Q1 & Q2). apply NS. split; congruence.
Qed.

Theorem host_call_noted : kept (host_call c ins content a).
Proof.
  unfold host_call. cbv zeta. pose proof (X 1 ltac:(lia)) as [X1 _]. pose proof (X 2 ltac:(lia)) as [X2 _].
  pose proof (run_noted v k a c ins V W N C HO X) as RN. set (f := x 0 mod 2 ^ 32) in *.
  assert (PC : forall d l, f <> NIE_VM_CREATE -> calm a d -> kept (answer c l d)) by (intros d l F CD; right; right; now apply plain_calm).
  destruct (Z.eqb_spec f NIE_VERSION) as [F|_]; [apply PC; [rewrite F; discriminate|apply calm_refl]|].
  destruct (Z.eqb_spec f NIE_VM_INFO) as [F|_]; [unfold vm_info; apply PC; [rewrite F; discriminate|apply calm_refl]|].
  destruct (Z.eqb_spec f NIE_VCPU_RUN) as [F|_]; [destruct RN as [RN|RN]; [left; exact RN|right; right; apply RN; rewrite F; discriminate]|]. clear RN.
  destruct (Z.eqb_spec f NIE_VM_DESTROY) as [F|_]; [apply lifely3; [fold f; rewrite F; discriminate|now apply vm_destroy_noted; [|apply wf_runners|]|apply vm_destroy_cpus]|].
  destruct (Z.eqb_spec f NIE_VCPU_DESTROY) as [F|_]; [apply lifely3; [fold f; rewrite F; discriminate|now apply vcpu_destroy_noted|apply vcpu_destroy_cpus]|].
  destruct (Z.eqb_spec f NIE_TABLE_REMOVE) as [F|_]; [apply calmly3; auto; [fold f; rewrite F; discriminate|apply table_remove_calm]|].
  destruct (Z.eqb_spec f NIE_PAGE_REMOVE) as [F|_]; [apply calmly3; auto; [fold f; rewrite F; discriminate|apply page_remove_calm]|].
  destruct (Z.eqb_spec f NIE_VM_CREATE) as [F|NC]; [now apply creating|].
  destruct (Z.eqb_spec f NIE_VM_ACTIVATE) as [F|_]; [apply lifely; [exact NC|now apply vm_activate_noted; [|apply wf_runners|]|apply vm_activate_cpus]|].
  destruct (Z.eqb_spec f NIE_VM_STOP) as [F|_]; [apply lifely; [exact NC|now apply vm_stop_noted; [|apply wf_runners|]|apply vm_stop_cpus]|].
  destruct (Z.eqb_spec f NIE_VCPU_CREATE) as [F|_]; [apply lifely; [exact NC|now apply vcpu_create_noted|apply vcpu_create_cpus]|].
  destruct (Z.eqb_spec f NIE_TABLE_ADD) as [F|_]; [apply calmly1; auto; apply table_add_calm|].
  destruct (Z.eqb_spec f NIE_PAGE_ADD) as [F|_]; [apply calmly1; auto; apply page_add_calm|].
  destruct (Z.eqb_spec f NIE_PAGE_ADD_ZERO) as [F|_]; [apply calmly1; auto; apply page_add_zero_calm|].
  destruct (Z.eqb_spec f NIE_PAGE_SHARED_ADD) as [F|_]; [apply calmly1; auto; apply page_shared_add_calm|].
  apply PC; [exact NC|apply calm_refl].
Qed.

(* Any exception of the host's that is no call. *)
Theorem host_trap_calm : forall kind, negb (kind =? TRAP_SYNC) = true \/ exception_class (reg_of a REG_ESR_EL2) <> EC_HVC64 -> calm a (snd (host_trap c kind ins content a)).
Proof.
  intros kind Q. unfold host_trap. cbv zeta. destruct (negb (kind =? TRAP_SYNC)) eqn:K; [apply calm_refl|]. destruct Q as [Q|Q]; [discriminate|].
  destruct (Z.eqb_spec (exception_class (reg_of a REG_ESR_EL2)) EC_HVC64); [contradiction|].
  destruct (_ =? EC_SMC64); [eapply calm_trans; [apply calm_skip, calm_refl|apply smc_calm]|].
  destruct (_ =? EC_SYSREG); [cbn [snd]; apply sysreg_calm; left; unfold is_guest; now rewrite HO|].
  destruct (_ || _)%bool; cbn [snd]; [apply abort_calm|apply calm_undefined, calm_refl].
Qed.
End Host.
