(* SPDX-License-Identifier: Apache-2.0 *)
(* A host's call keeps the log that spec/Measured.v reads off the trace in agreement with the specification's state. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Measure Donation Actions.
From nie.spec Require Measured.
From nie.spec Require Step.
From nie.spec.call Require Import page_add page_add_zero page_remove page_shared_add table_add table_remove vcpu_create
  vcpu_destroy vcpu_run vm_activate vm_create vm_destroy vm_info vm_stop host_call.
From nie.spec.trap Require Import sysreg host_abort host_smc trap.
From nie.proof.invariant Require Import Meaning.
From nie.proof.security Require Import Calm Called Entered Built Logged.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
#[local] Existing Instance Measured.eta_building.
#[local] Opaque each donate hand_over measured vm_create vm_destroy vm_stop vcpu_destroy vcpu_create table_add table_remove page_remove page_add page_add_zero page_shared_add vm_activate.

Section Host.
Variables (v : Z) (k : Measured.building) (a : state) (c : Z) (ins : nat -> Z) (content : Z -> Z -> Z) (new : list Z).
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis W : wf a.
Hypothesis A : agrees k (vm_at a v).
Notation x := (x_of a c).
Let f := x 0 mod 2 ^ 32.
Let b := host_call c ins content a.
Let first := page_of (x 3).

(* [new] is what the call adds. *)
Record news : Prop := {
  nw_vcpu : f = NIE_VCPU_CREATE -> new = record MEASURE_VCPU (x 2) (x 5) (x 6);
  nw_page : f = NIE_PAGE_ADD -> fst (page_add (x 1) (x 2) (x 3) (x 4) (fun i => content (first + i)) a) = NIE_OK ->
    new = flat_map (page_words_of (page_of (x 2)) (fun i => content (first + i))) (Step.numbers (Z.to_nat (x 4)));
  nw_zero : f = NIE_PAGE_ADD_ZERO -> new = record MEASURE_ZERO (x 2) (x 4) 0;
  nw_shared : f = NIE_PAGE_SHARED_ADD -> new = record MEASURE_SHARED (x 2) (x 4) 0;
  nw_none : f <> NIE_VCPU_CREATE -> f <> NIE_PAGE_ADD -> f <> NIE_PAGE_ADD_ZERO -> f <> NIE_PAGE_SHARED_ADD -> new = [];
}.
Hypothesis NEW : news.
Notation after st := (Measured.after_call v k f x st new).

Lemma agrees_eq : forall k1 k2 r, Measured.words k1 = Measured.words k2 -> Measured.open k1 = Measured.open k2 -> agrees k1 r -> agrees k2 r.
Proof. intros k1 k2 r E F H N. rewrite <- E, <- F. exact (H N). Qed.
Lemma agrees_stays : forall d, stays v a d -> agrees k (vm_at d v).
Proof. intros d S. exact (agrees_keeps v k a d (stays_keeps _ _ _ S) A). Qed.
Lemma elsewhere : forall st d, x 1 <> v -> stays v a d -> agrees (after st) (vm_at d v).
Proof. intros st d N S. unfold Measured.after_call. rewrite (proj2 (Z.eqb_neq (x 1) v) N). now apply agrees_stays. Qed.
Lemma refused : forall st d, st <> NIE_OK -> d = a -> agrees (after st) (vm_at d v).
Proof. intros st d N ->. unfold Measured.after_call. rewrite (proj2 (Z.eqb_neq st NIE_OK) N), andb_false_r. exact A. Qed.
(* A call that adds nothing. *)
Lemma plainly : forall st d, f <> NIE_VM_CREATE -> f <> NIE_VM_ACTIVATE -> new = [] -> keeps v a d -> agrees (after st) (vm_at d v).
Proof.
  intros st d N1 N2 E K. pose proof (agrees_keeps v k a d K A) as H. unfold Measured.after_call. destruct (negb _); [exact H|].
  rewrite (proj2 (Z.eqb_neq _ _) N1), (proj2 (Z.eqb_neq _ _) N2). destruct (negb (Measured.open k)); [exact H|]. eapply agrees_eq; [| |exact H]; [|reflexivity].
  rewrite E. symmetry. apply app_nil_r.
Qed.
(* One that adds to a log that is open. *)
Lemma growing : forall d, f <> NIE_VM_CREATE -> f <> NIE_VM_ACTIVATE -> x 1 = v -> vm_state (vm_at a v) = NIE_VM_BUILDING -> grows v new a d -> agrees (after NIE_OK) (vm_at d v).
Proof.
  intros d N1 N2 E B [G1 G2 G3]. destruct (A ltac:(rewrite B; discriminate)) as (A1 & A2 & A3 & A4). unfold Measured.after_call. rewrite E, Z.eqb_refl. change (NIE_OK =? NIE_OK) with true.
  cbn [andb negb]. rewrite (proj2 (Z.eqb_neq _ _) N1), (proj2 (Z.eqb_neq _ _) N2), (A3 B). cbn [negb]. intros _. rewrite G1, G2, G3, A1, A2, (A3 B), B. split; [reflexivity|].
  split; [change (negb true = negb (Measured.open k)); now rewrite (A3 B)|]. split; [intros _; exact (A3 B)|discriminate].
Qed.
Lemma maybe_growing : forall d, f <> NIE_VM_CREATE -> f <> NIE_VM_ACTIVATE -> x 1 = v -> maybe_grows a v new d -> agrees (after NIE_OK) (vm_at d v).
Proof.
  intros d N1 N2 E [[B G]|[B S]]; [now apply growing|]. destruct (A ltac:(rewrite B; discriminate)) as (A1 & A2 & A3 & A4).
  unfold Measured.after_call. rewrite E, Z.eqb_refl. change (NIE_OK =? NIE_OK) with true. cbn [andb negb]. rewrite (proj2 (Z.eqb_neq _ _) N1), (proj2 (Z.eqb_neq _ _) N2), (A4 B). cbn [negb].
  now apply agrees_stays.
Qed.

(* Where the answer goes is no VM's record. *)
Definition right (d : state) : Prop := agrees (after (x_of d c 0)) (vm_at d v).
Lemma answered : forall l st d, agrees (after st) (vm_at d v) -> right (answer c (st :: l) d).
Proof. intros l st d H. unfold right. rewrite x0_answer. unfold vm_at, answer. rewrite vms_answer. exact H. Qed.
Lemma one : forall r : Z * state, agrees (after (fst r)) (vm_at (snd r) v) -> right (let '(status, d) := r in answer c [status] d).
Proof. intros [st d] H. now apply answered. Qed.
Lemma three : forall r : (Z * Z * Z) * state, agrees (after (fst (fst (fst r)))) (vm_at (snd r) v) -> right (let '((status, x1, x2), d) := r in answer c [status; x1; x2] d).
Proof. intros [[[st y] z] d] H. now apply answered. Qed.

Ltac other F := let Q := fresh in intro Q; fold f in F; rewrite F in Q; discriminate Q.
Ltac nothing F := apply (nw_none NEW); other F.

Lemma creates_right : f = NIE_VM_CREATE -> right (let '(status, d) := vm_create (x 1) (x 2) (x 3) (x 4) (x 5) (ins O) a in answer c [status] d).
Proof.
  intro F. apply one. destruct (Z.eq_dec (x 1) v) as [E|N]; [|apply elsewhere; [exact N|now apply vm_create_other; auto]].
  destruct (Z.eq_dec (fst (vm_create (x 1) (x 2) (x 3) (x 4) (x 5) (ins O) a)) NIE_OK) as [O|O]; [|apply refused; [exact O|now apply vm_create_refused]].
  pose proof (vm_create_grows a v (x 2) (x 3) (x 4) (x 5) (ins 0%nat) W V) as G. rewrite E in O |- *. destruct (G O) as (G1 & G2 & G3). rewrite O.
  unfold Measured.after_call. rewrite E, F, Z.eqb_refl. change (NIE_OK =? NIE_OK) with true. change (NIE_VM_CREATE =? NIE_VM_CREATE) with true. cbn [andb negb].
  intros _. rewrite G1, G2, G3. split; [reflexivity|]. split; [reflexivity|]. split; [reflexivity|discriminate].
Qed.
Lemma activates_right : f = NIE_VM_ACTIVATE -> right (let '(status, d) := vm_activate (x 1) a in answer c [status] d).
Proof.
  intro F. apply one. destruct (Z.eq_dec (x 1) v) as [E|N]; [|apply elsewhere; [exact N|now apply vm_activate_other; auto]].
  destruct (Z.eq_dec (fst (vm_activate (x 1) a)) NIE_OK) as [O|O]; [|apply refused; [exact O|now apply vm_activate_refused]].
  rewrite E in O |- *. destruct (vm_activate_seals a v O) as (B & G1 & G2 & G3). rewrite O. destruct (A ltac:(rewrite B; discriminate)) as (A1 & A2 & A3 & A4).
  unfold Measured.after_call. rewrite E, F, Z.eqb_refl. change (NIE_OK =? NIE_OK) with true. change (NIE_VM_ACTIVATE =? NIE_VM_CREATE) with false. change (NIE_VM_ACTIVATE =? NIE_VM_ACTIVATE) with true.
  cbn [andb negb]. rewrite (A3 B). cbn [negb]. intros _. rewrite G1, G2, G3. split; [exact A1|]. split; [reflexivity|]. split; [discriminate|reflexivity].
Qed.

(* Unless a vCPU runs afterwards, in which case x0 is its own. *)
Theorem host_call_measured : (f = NIE_VCPU_RUN -> agrees k (vm_at b v)) /\ (f <> NIE_VCPU_RUN -> right b).
Proof.
  unfold b, host_call. cbv zeta. fold f. split; intro R.
  { rewrite R. change (NIE_VCPU_RUN =? NIE_VERSION) with false. change (NIE_VCPU_RUN =? NIE_VM_INFO) with false. change (NIE_VCPU_RUN =? NIE_VCPU_RUN) with true. cbn iota.
    pose proof (vcpu_run_keeps v a c (x 1) (x 2) ins) as K. destruct (vcpu_run c (x 1) (x 2) ins a) as [st d]. cbn [snd] in K. destruct (st =? NIE_OK); [exact (agrees_keeps v k a d K A)|].
    unfold vm_at, answer. rewrite vms_answer. exact (agrees_keeps v k a d K A). }
  destruct (Z.eqb_spec f NIE_VERSION) as [F|_]; [apply answered, plainly; [other F|other F|nothing F|apply keeps_refl]|].
  destruct (Z.eqb_spec f NIE_VM_INFO) as [F|_].
  { unfold vm_info, vm_info_words. destruct (vm_exists _); apply answered, plainly; try (other F); try (nothing F); apply keeps_refl. }
  destruct (Z.eqb_spec f NIE_VCPU_RUN) as [F|_]; [contradiction|].
  destruct (Z.eqb_spec f NIE_VM_DESTROY) as [F|_].
  { apply three. destruct (vm_destroy_keeps v a (x 1)) as [K|K]; [apply plainly; [other F|other F|nothing F|exact K]|]. intro Q. contradiction. }
  destruct (Z.eqb_spec f NIE_VCPU_DESTROY) as [F|_]; [apply three, plainly; [other F|other F|nothing F|apply vcpu_destroy_keeps]|].
  destruct (Z.eqb_spec f NIE_TABLE_REMOVE) as [F|_]; [apply three, plainly; [other F|other F|nothing F|apply table_remove_keeps]|].
  destruct (Z.eqb_spec f NIE_PAGE_REMOVE) as [F|_]; [apply three, plainly; [other F|other F|nothing F|apply page_remove_keeps]|].
  destruct (Z.eqb_spec f NIE_VM_CREATE) as [F|_]; [now apply creates_right|].
  destruct (Z.eqb_spec f NIE_VM_ACTIVATE) as [F|_]; [now apply activates_right|].
  destruct (Z.eqb_spec f NIE_VM_STOP) as [F|_]; [apply one, plainly; [other F|other F|nothing F|apply vm_stop_keeps]|].
  destruct (Z.eqb_spec f NIE_VCPU_CREATE) as [F|_].
  { apply one. destruct (Z.eq_dec (x 1) v) as [E|N]; [|apply elsewhere; [exact N|apply vcpu_create_other; auto]].
    destruct (Z.eq_dec (fst (vcpu_create (x 1) (x 2) (x 3) (x 4) (x 5) (x 6) a)) NIE_OK) as [O|O]; [|apply refused; [exact O|now apply vcpu_create_refused]].
    rewrite O. rewrite E in O |- *. destruct (vcpu_create_grows a v _ _ _ _ _ O) as [B G]. apply growing; [other F|other F|exact E|exact B|]. rewrite (nw_vcpu NEW F). exact G. }
  destruct (Z.eqb_spec f NIE_TABLE_ADD) as [F|_]; [apply one, plainly; [other F|other F|nothing F|apply table_add_keeps]|].
  destruct (Z.eqb_spec f NIE_PAGE_ADD) as [F|_].
  { apply one. destruct (Z.eq_dec (x 1) v) as [E|N]; [|apply elsewhere; [exact N|apply page_add_other; auto]].
    destruct (Z.eq_dec (fst (page_add (x 1) (x 2) (x 3) (x 4) (fun i => content (page_of (x 3) + i)) a)) NIE_OK) as [O|O]; [|apply refused; [exact O|now apply page_add_refused]].
    pose proof (nw_page NEW F O) as NP. rewrite O. rewrite E in O |- *. destruct (page_add_grows a v _ _ _ _ O) as [B G].
    apply growing; [other F|other F|exact E|exact B|]. rewrite NP. exact G. }
  destruct (Z.eqb_spec f NIE_PAGE_ADD_ZERO) as [F|_].
  { apply one. destruct (Z.eq_dec (x 1) v) as [E|N]; [|apply elsewhere; [exact N|apply page_add_zero_other; auto]].
    destruct (Z.eq_dec (fst (page_add_zero (x 1) (x 2) (x 3) (x 4) (x 5) a)) NIE_OK) as [O|O]; [|apply refused; [exact O|now apply page_add_zero_refused]].
    rewrite O. rewrite E in O |- *. apply maybe_growing; [other F|other F|exact E|]. rewrite (nw_zero NEW F). now apply page_add_zero_grows. }
  destruct (Z.eqb_spec f NIE_PAGE_SHARED_ADD) as [F|N].
  { apply one. destruct (Z.eq_dec (x 1) v) as [E|N]; [|apply elsewhere; [exact N|apply page_shared_add_other; auto]].
    destruct (Z.eq_dec (fst (page_shared_add (x 1) (x 2) (x 3) (x 4) a)) NIE_OK) as [O|O]; [|apply refused; [exact O|now apply page_shared_add_refused]].
    rewrite O. rewrite E in O |- *. apply maybe_growing; [other F|other F|exact E|]. rewrite (nw_shared NEW F). now apply page_shared_add_grows. }
  apply answered. apply refused; [discriminate|reflexivity].
Qed.

(* Nobody comes but by VCPU_RUN. *)
Lemma run_answer : forall l d, cpus d = cpus a -> cpu_vm (cpu_at (answer c l d) c) = cpu_vm (cpu_at a c).
Proof.
  intros l d E. pose proof (ca_cpus _ _ (calm_answer l c d d (calm_refl d)) c) as Q. unfold run_view in Q. injection Q as Q _. rewrite Q. unfold cpu_at. now rewrite E.
Qed.
Lemma run_calm : forall l d, calm a d -> cpu_vm (cpu_at (answer c l d) c) = cpu_vm (cpu_at a c).
Proof. intros l d K. pose proof (ca_cpus _ _ (calm_answer l c a d K) c) as Q. unfold run_view in Q. injection Q as Q _. exact Q. Qed.
Lemma run_one : forall r : Z * state, cpus (snd r) = cpus a -> cpu_vm (cpu_at (let '(status, d) := r in answer c [status] d) c) = cpu_vm (cpu_at a c).
Proof. intros [st d] E. now apply run_answer. Qed.
Lemma run_one_calm : forall r : Z * state, calm a (snd r) -> cpu_vm (cpu_at (let '(status, d) := r in answer c [status] d) c) = cpu_vm (cpu_at a c).
Proof. intros [st d] E. now apply run_calm. Qed.
Lemma run_three : forall r : (Z * Z * Z) * state, cpus (snd r) = cpus a -> cpu_vm (cpu_at (let '((status, x1, x2), d) := r in answer c [status; x1; x2] d) c) = cpu_vm (cpu_at a c).
Proof. intros [[[st y] z] d] E. now apply run_answer. Qed.
Lemma run_three_calm : forall r : (Z * Z * Z) * state, calm a (snd r) -> cpu_vm (cpu_at (let '((status, x1, x2), d) := r in answer c [status; x1; x2] d) c) = cpu_vm (cpu_at a c).
Proof. intros [[[st y] z] d] E. now apply run_calm. Qed.
Theorem nobody_comes : f <> NIE_VCPU_RUN -> cpu_vm (cpu_at b c) = cpu_vm (cpu_at a c).
Proof.
  intro R. unfold b, host_call. cbv zeta. fold f. destruct (f =? NIE_VERSION); [apply run_calm, calm_refl|]. destruct (f =? NIE_VM_INFO); [apply run_calm, calm_refl|].
  rewrite (proj2 (Z.eqb_neq _ _) R). destruct (f =? NIE_VM_DESTROY); [apply run_three, vm_destroy_cpus|]. destruct (f =? NIE_VCPU_DESTROY); [apply run_three, vcpu_destroy_cpus|].
  destruct (f =? NIE_TABLE_REMOVE); [apply run_three_calm, table_remove_calm|]. destruct (f =? NIE_PAGE_REMOVE); [apply run_three_calm, page_remove_calm|].
  destruct (f =? NIE_VM_CREATE); [apply run_one, vm_create_cpus|]. destruct (f =? NIE_VM_ACTIVATE); [apply run_one, vm_activate_cpus|]. destruct (f =? NIE_VM_STOP); [apply run_one, vm_stop_cpus|].
  destruct (f =? NIE_VCPU_CREATE); [apply run_one, vcpu_create_cpus|]. destruct (f =? NIE_TABLE_ADD); [apply run_one_calm, table_add_calm|].
  destruct (f =? NIE_PAGE_ADD); [apply run_one_calm, page_add_calm|]. destruct (f =? NIE_PAGE_ADD_ZERO); [apply run_one_calm, page_add_zero_calm|].
  destruct (f =? NIE_PAGE_SHARED_ADD); [apply run_one_calm, page_shared_add_calm|]. apply run_calm, calm_refl.
Qed.

(* Any other exception of the host's. *)
Theorem host_trap_keeps : forall kind, negb (kind =? TRAP_SYNC) = true \/ exception_class (reg_of a REG_ESR_EL2) <> EC_HVC64 -> keeps v a (snd (host_trap c kind ins content a)).
Proof.
  intros kind Q. unfold host_trap. cbv zeta. destruct (negb (kind =? TRAP_SYNC)) eqn:K; [apply keeps_refl|]. destruct Q as [Q|Q]; [discriminate|].
  destruct (Z.eqb_spec (exception_class (reg_of a REG_ESR_EL2)) EC_HVC64); [contradiction|].
  destruct (_ =? EC_SMC64); [eapply keeps_trans; [apply skip_keeps, keeps_refl|apply host_smc_keeps]|].
  destruct (_ =? EC_SYSREG); [cbn [snd]; apply sysreg_keeps|].
  destruct (_ || _)%bool; cbn [snd]; [apply host_abort_keeps|apply keeps_vms, vms_undefined].
Qed.
End Host.
