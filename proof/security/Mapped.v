(* SPDX-License-Identifier: Apache-2.0 *)
(* A call of the host's changes where a VM's pages are as the lone machine's memory changes, and ends or begins the VM when it says so. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Measure Donation Actions.
From nie.spec.call Require Import page_add page_add_zero page_remove page_shared_add table_add table_remove vcpu_create
  vcpu_destroy vcpu_run vm_activate vm_create vm_destroy vm_info vm_stop host_call.
From nie.proof.invariant Require Import Meaning.
From nie.proof.security Require Import Calm Entered Built Logged Fed Places Relaid Unmoved.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
#[local] Opaque each donate hand_over measured vm_create vm_destroy vm_stop vcpu_destroy vcpu_create table_add table_remove page_remove page_add page_add_zero page_shared_add vm_activate.

Definition stopped (a : state) (v : Z) : Prop := vm_state (vm_at a v) = NIE_VM_STOPPED.
Definition free (a : state) (v : Z) : Prop := vm_state (vm_at a v) = NIE_VM_FREE.
(* The lone machine's memory has a page where the VM has one, and none elsewhere. Nothing is added to a VM that is stopped, so that "Spent" may be forgotten of it. *)
Definition sited (a : state) (v : Z) (q : Z -> shape) : Prop := forall y,
  match at_ipa a v y with There _ => q y = Some_page | Gone => q y <> Some_page | Nothing => q y = Nowhere \/ q y = Closed /\ stopped a v end.
(* The VM is there as before; it may have come to its end. *)
Definition goes_on (v : Z) (a b : state) : Prop := (free b v <-> free a v) /\ (stopped a v -> stopped b v).

Lemma goes_eq : forall v a b, vm_state (vm_at b v) = vm_state (vm_at a v) -> goes_on v a b.
Proof. intros v a b E. unfold goes_on, free, stopped. rewrite E. tauto. Qed.
Lemma goes_calm : forall v a b, calm a b -> goes_on v a b.
Proof. intros v a b C. apply goes_eq. pose proof (ca_vms _ _ C v) as Q. unfold vm_view in Q. now injection Q. Qed.
Lemma goes_keeps : forall v a b, keeps v a b -> goes_on v a b.
Proof.
  intros v a b [_ [S|[S N]]]; [now apply goes_eq|]. unfold goes_on, free, stopped. rewrite S. split; [|auto]. split; intro Q; [discriminate Q|contradiction].
Qed.
Lemma sited_fades : forall v a b q, goes_on v a b -> fades a v b -> sited a v q -> sited b v q.
Proof.
  intros v a b q [_ S] F A y. specialize (A y). destruct (F y) as [E|(E1 & E2 & T)].
  - rewrite E. destruct (at_ipa a v y); auto. destruct A as [A|[A T]]; auto.
  - rewrite E2. rewrite E1 in A. destruct (q y); [now left|right; auto|now elim A].
Qed.
Lemma sited_same : forall v a b q, goes_on v a b -> same_places a v b -> sited a v q -> sited b v q.
Proof. intros v a b q G S. apply sited_fades; [exact G|now apply fades_same]. Qed.
Lemma sited_ext : forall v a q q', (forall y, q' y = q y) -> sited a v q -> sited a v q'.
Proof. intros v a q q' E A y. specialize (A y). now rewrite E. Qed.

Definition among (x n y : Z) : bool := (x <=? y) && (y <? x + n).
Definition filled (s : shape) : shape := match s with Nowhere => Some_page | _ => s end.
Definition emptied (s : shape) : shape := match s with Some_page => Closed | _ => s end.
Definition opened (s : shape) : shape := match s with Closed => Nowhere | _ => s end.
Definition row (x n : Z) (f : shape -> shape) (q : Z -> shape) (y : Z) : shape := if among x n y then f (q y) else q y.
Lemma sited_brings : forall v a b x n p q, goes_on v a b -> ~ stopped a v -> brings a v b x n p -> sited a v q -> sited b v (row x n filled q).
Proof.
  intros v a b x n p q [_ S] N B A y. specialize (A y). specialize (B y). unfold row, among. destruct ((x <=? y) && (y <? x + n)).
  - destruct B as [B1 B2]. rewrite B1 in A. rewrite B2. destruct A as [->|[_ T]]; [reflexivity|contradiction].
  - rewrite B. destruct (at_ipa a v y); auto. destruct A as [A|[A T]]; auto.
Qed.
Lemma sited_takes : forall v a b x n q, goes_on v a b -> takes a v b x n -> sited a v q -> sited b v (row x n emptied q).
Proof.
  intros v a b x n q [_ S] B A y. specialize (A y). specialize (B y). unfold row, among. destruct ((x <=? y) && (y <? x + n)).
  - rewrite B. destruct (q y); discriminate.
  - rewrite B. destruct (at_ipa a v y); auto. destruct A as [A|[A T]]; auto.
Qed.
Lemma sited_opened : forall v a b x q, goes_on v a b -> at_ipa a v x = Gone -> (forall y, at_ipa b v y = if y =? x then Nothing else at_ipa a v y) -> sited a v q -> sited b v (row x 1 opened q).
Proof.
  intros v a b x q [_ S] G B A y. specialize (A y). rewrite B. unfold row, among. destruct (Z.eqb_spec y x) as [->|N].
  - replace ((x <=? x) && (x <? x + 1)) with true by lia. rewrite G in A. left. destruct (q x); [reflexivity|reflexivity|now elim A].
  - replace ((x <=? y) && (y <? x + 1)) with false by lia. destruct (at_ipa a v y); auto. destruct A as [A|[A T]]; auto.
Qed.

(** A call. *)

(* What one with these arguments, from VM_CREATE to VM_DESTROY, makes of the lone machine's memory. *)
Definition after (v f : Z) (x : Z -> Z) (st : Z) (q : Z -> shape) : Z -> shape :=
  if negb ((x 1 =? v) && (st =? NIE_OK)) then q
  else if (f =? NIE_PAGE_ADD) || (f =? NIE_PAGE_ADD_ZERO) then row (x 2 / 4096) (x 4) filled q
  else if f =? NIE_PAGE_REMOVE then row (x 2 / 4096) (x 3) emptied q
  else q.

Section Host.
Variables (v : Z) (a : state) (c : Z) (ins : nat -> Z) (content : Z -> Z -> Z).
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis W : wf a.
Notation x := (x_of a c).
Let f := x 0 mod 2 ^ 32.
Let b := host_call c ins content a.
Definition done (g st : Z) : Prop := f = g /\ x 1 = v /\ st = NIE_OK.

(* A page comes from the host alone, by the two calls that add it; of what is taken nothing is left. *)
Definition lands (st : Z) (d : state) : Prop :=
  (forall y p, at_ipa d v y = There p -> at_ipa a v y = There p \/ (at_ipa a v y = Nothing /\ (done NIE_PAGE_ADD st \/ done NIE_PAGE_ADD_ZERO st) /\
     among (x 2 / 4096) (x 4) y = true /\ p = x 3 / 4096 + (y - x 2 / 4096) /\ own a p = Host)) /\
  (done NIE_PAGE_REMOVE st -> forall y, among (x 2 / 4096) (x 3) y = true -> at_ipa d v y = Gone).
Definition right (st : Z) (d : state) : Prop :=
  (done NIE_VM_CREATE st -> free a v /\ ~ free d v /\ forall y, at_ipa d v y = Nothing) /\
  (done NIE_VM_DESTROY st -> ~ free a v /\ free d v) /\
  (~ done NIE_VM_CREATE st -> ~ done NIE_VM_DESTROY st -> (free d v <-> free a v) /\ (forall q, sited a v q -> sited d v (after v f x st q)) /\ lands st d).

Lemma right_eq : forall st d e, slots e = slots d -> vms e = vms d -> right st d -> right st e.
Proof.
  intros st d e S E (R1 & R2 & R3). assert (X : forall y, at_ipa e v y = at_ipa d v y) by (intro y; now apply at_same). assert (Z : vm_at e v = vm_at d v) by (unfold vm_at; now rewrite E).
  assert (A : forall q, sited d v q -> sited e v q).
  { intros q A y. specialize (A y). rewrite X. destruct (at_ipa d v y); auto. unfold stopped. now rewrite Z. }
  unfold right, free. rewrite Z. split; [intro D; destruct (R1 D) as (D1 & D2 & D3); split; [exact D1|split; [exact D2|intro y; now rewrite X]]|]. split; [exact R2|].
  intros N1 N2. destruct (R3 N1 N2) as (F & G & L1 & L2). split; [exact F|]. split; [intros q Q; apply A, G, Q|]. split; [intros y p; rewrite X; apply L1|intros D y; rewrite X; now apply L2].
Qed.
(* The map stays, but for what is forgotten. *)
Lemma quietly : forall st d, (forall q, after v f x st q = q) -> ~ done NIE_PAGE_REMOVE st -> ~ done NIE_VM_CREATE st -> ~ done NIE_VM_DESTROY st -> goes_on v a d -> fades a v d -> right st d.
Proof.
  intros st d Q N0 N1 N2 G F. split; [intro D; contradiction|]. split; [intro D; contradiction|]. intros _ _. split; [apply G|]. split; [intros q A; rewrite Q; now apply (sited_fades v a d)|].
  split; [|intro D; contradiction]. intros y p T. left. destruct (F y) as [E|(_ & E & _)]; rewrite E in T; [exact T|discriminate T].
Qed.
Lemma other_vm : forall st d, x 1 <> v -> goes_on v a d -> same_places a v d -> right st d.
Proof.
  intros st d N G S. apply quietly; [|intros (_ & D & _); contradiction|intros (_ & D & _); contradiction|intros (_ & D & _); contradiction|exact G|now apply fades_same].
  intro q. unfold after. now rewrite (proj2 (Z.eqb_neq _ _) N).
Qed.
Lemma refused : forall st d, st <> NIE_OK -> d = a -> right st d.
Proof.
  intros st d N ->. apply quietly; [|intros (_ & _ & D); contradiction|intros (_ & _ & D); contradiction|intros (_ & _ & D); contradiction|now apply goes_eq|apply fades_same; intro y; reflexivity].
  intro q. unfold after. now rewrite (proj2 (Z.eqb_neq _ _) N), andb_false_r.
Qed.
(* Calls that move no page. *)
Definition plain : Prop := f <> NIE_PAGE_ADD /\ f <> NIE_PAGE_ADD_ZERO /\ f <> NIE_PAGE_REMOVE /\ f <> NIE_VM_CREATE /\ f <> NIE_VM_DESTROY.
Lemma plainly : forall st d, plain -> goes_on v a d -> fades a v d -> right st d.
Proof.
  intros st d (P1 & P2 & P3 & P4 & P5) G F. apply quietly; [|intros (D & _); contradiction|intros (D & _); contradiction|intros (D & _); contradiction|exact G|exact F].
  intro q. unfold after. rewrite (proj2 (Z.eqb_neq _ _) P1), (proj2 (Z.eqb_neq _ _) P2), (proj2 (Z.eqb_neq _ _) P3). now destruct (negb _).
Qed.
Lemma moving : forall d, done NIE_PAGE_ADD NIE_OK \/ done NIE_PAGE_ADD_ZERO NIE_OK -> goes_on v a d -> ~ stopped a v -> brings a v d (page_of (x 2)) (x 4) (page_of (x 3)) ->
  (forall i, 0 <= i < x 4 -> own a (page_of (x 3) + i) = Host) -> right NIE_OK d.
Proof.
  intros d D G S B H. assert (N : forall g, g <> NIE_PAGE_ADD -> g <> NIE_PAGE_ADD_ZERO -> ~ done g NIE_OK) by (intros g N1 N2 (D1 & _); destruct D as [(D2 & _)|(D2 & _)]; congruence).
  split; [intro Q; now elim (N NIE_VM_CREATE)|]. split; [intro Q; now elim (N NIE_VM_DESTROY)|]. intros _ _. split; [apply G|]. split.
  - intros q A. assert (E : after v f x NIE_OK q = row (page_of (x 2)) (x 4) filled q) by (unfold after; destruct D as [(D1 & -> & _)|(D1 & -> & _)]; now rewrite Z.eqb_refl, D1).
    rewrite E. now apply (sited_brings v a d _ _ (page_of (x 3))).
  - split; [|intro Q; now elim (N NIE_PAGE_REMOVE)]. intros y p T. specialize (B y). change (x 2 / 4096) with (page_of (x 2)). change (x 3 / 4096) with (page_of (x 3)). unfold among.
    destruct ((page_of (x 2) <=? y) && (y <? page_of (x 2) + x 4)) eqn:I; [right|left; now rewrite <- B]. destruct B as [B1 B2]. rewrite B2 in T. injection T as <-.
    split; [exact B1|]. split; [exact D|]. split; [reflexivity|]. split; [reflexivity|]. apply H. lia.
Qed.

Lemma answered : forall l st d, right st d -> right (x_of (answer c (st :: l) d) c 0) (answer c (st :: l) d).
Proof. intros l st d H. rewrite x0_answer. apply (right_eq st d); [apply slots_answer|unfold answer; apply vms_answer|exact H]. Qed.
Lemma one : forall r : Z * state, right (fst r) (snd r) -> let d := (let '(status, d) := r in answer c [status] d) in right (x_of d c 0) d.
Proof. intros [st d] H. now apply answered. Qed.
Lemma three : forall r : (Z * Z * Z) * state, right (fst (fst (fst r))) (snd r) -> let d := (let '((status, x1, x2), d) := r in answer c [status; x1; x2] d) in right (x_of d c 0) d.
Proof. intros [[[st y] z] d] H. now apply answered. Qed.

(* The calls that move something. *)
Lemma adds : f = NIE_PAGE_ADD -> let r := page_add (x 1) (x 2) (x 3) (x 4) (fun i => content (page_of (x 3) + i)) a in right (fst r) (snd r).
Proof.
  intros F r. pose proof (goes_calm v a (snd r) (page_add_calm _ _ _ _ _ a)) as G. destruct (Z.eq_dec (x 1) v) as [E|N].
  2:{ apply other_vm; [exact N|exact G|]. now apply page_add_others; auto. }
  destruct (Z.eq_dec (fst r) NIE_OK) as [O|O].
  - unfold r in *. rewrite O. rewrite E in *. destruct (page_add_brings a v _ _ _ _ O) as (B & _ & BR). apply moving; [left; unfold done; auto|exact G|unfold stopped; rewrite B; discriminate|exact BR|exact (page_add_hosts a v _ _ _ _ O)].
  - apply refused; [exact O|]. revert O. unfold r. Transparent page_add. unfold page_add. cbv zeta. destruct (_ =? NIE_OK); [intro Q; now elim Q|reflexivity].
Qed.
Lemma adds_zero : f = NIE_PAGE_ADD_ZERO -> let r := page_add_zero (x 1) (x 2) (x 3) (x 4) (x 5) a in right (fst r) (snd r).
Proof.
  intros F r. pose proof (goes_calm v a (snd r) (page_add_zero_calm _ _ _ _ _ a)) as G. destruct (Z.eq_dec (x 1) v) as [E|N].
  2:{ apply other_vm; [exact N|exact G|]. now apply page_add_zero_others; auto. }
  destruct (Z.eq_dec (fst r) NIE_OK) as [O|O].
  - unfold r in *. rewrite O. rewrite E in *. destruct (page_add_zero_brings a v W _ _ _ _ O) as (B & _ & BR). apply moving; [right; unfold done; auto|exact G|exact B|exact BR|exact (page_add_zero_hosts a v _ _ _ _ O)].
  - apply refused; [exact O|]. revert O. unfold r. Transparent page_add_zero. unfold page_add_zero. cbv zeta. destruct (_ =? NIE_OK); [intro Q; now elim Q|reflexivity].
Qed.
Lemma removes : f = NIE_PAGE_REMOVE -> let r := page_remove (x 1) (x 2) (x 3) a in right (fst (fst (fst r))) (snd r).
Proof.
  intros F r. pose proof (goes_calm v a (snd r) (page_remove_calm _ _ _ a)) as G. destruct (Z.eq_dec (x 1) v) as [E|N].
  2:{ apply other_vm; [exact N|exact G|]. now apply page_remove_others; auto. }
  destruct (Z.eq_dec (fst (fst (fst r))) NIE_OK) as [O|O].
  - unfold r in *. rewrite O. rewrite E in *. destruct (page_remove_takes a v _ _ O) as (_ & T).
    split; [intros (D & _); rewrite F in D; discriminate D|]. split; [intros (D & _); rewrite F in D; discriminate D|]. intros _ _. split; [apply G|]. split.
    + intros q A. assert (Q : after v f x NIE_OK q = row (x 2 / 4096) (x 3) emptied q) by (unfold after; now rewrite E, Z.eqb_refl, F). rewrite Q. now apply (sited_takes v a).
    + change (page_of (x 2)) with (x 2 / 4096) in T. split.
      * intros y p X. left. specialize (T y). destruct (_ && _); [rewrite T in X; discriminate X|now rewrite <- T].
      * intros _ y I. specialize (T y). unfold among in I. now rewrite I in T.
  - apply refused; [exact O|]. revert O. unfold r. Transparent page_remove. unfold page_remove. cbv zeta. destruct (_ =? NIE_OK); [intro Q; now elim Q|reflexivity].
Qed.
#[local] Opaque page_add page_add_zero page_remove.

Lemma creates : f = NIE_VM_CREATE -> let r := vm_create (x 1) (x 2) (x 3) (x 4) (x 5) (ins O) a in right (fst r) (snd r).
Proof.
  intros F r. assert (S : slots (snd r) = slots a) by apply vm_create_slots. destruct (Z.eq_dec (x 1) v) as [E|N].
  2:{ apply other_vm; [exact N| |intro y; now apply at_same]. apply goes_eq. apply (st_state _ _ _ (vm_create_other a (x 1) v ltac:(auto) _ _ _ _ _)). }
  destruct (Z.eq_dec (fst r) NIE_OK) as [O|O]; [|apply refused; [exact O|now apply vm_create_refused]].
  assert (FR : free a v).
  { revert O. unfold r. rewrite E. Transparent vm_create. unfold vm_create. cbv zeta. destruct (Z.eqb_spec (vm_create_check a v (x 2) (x 3) (x 4) (x 5)) NIE_OK) as [Q|Q]; [|intro X; contradiction]. intros _.
    unfold vm_create_check in Q. destruct (vm_exists v); [|discriminate Q]. destruct (vm_is a v NIE_VM_FREE NIE_VM_FREE) eqn:I; [|discriminate Q]. unfold vm_is in I. unfold free. lia. }
  #[local] Opaque vm_create.
  assert (ND : ~ done NIE_VM_DESTROY (fst r)) by (intros (D & _); rewrite F in D; discriminate D).
  split; [|split; [intro D; contradiction|intros N1; elim N1; unfold done; auto]]. intros _. split; [exact FR|]. split.
  - unfold r in *. rewrite E in O |- *. destruct (vm_create_grows a v _ _ _ _ _ W V O) as (_ & _ & B). unfold free. rewrite B. discriminate.
  - intro y. rewrite (at_same _ _ v y S). now apply free_nothing.
Qed.
Lemma destroy_stays : forall u, v <> u -> stays v a (snd (vm_destroy u a)).
Proof.
  intros u N. Transparent vm_destroy. unfold vm_destroy. cbv zeta. destruct (_ =? NIE_OK); cbn [snd]; [|constructor; reflexivity]. unfold clear_vm. cbv zeta.
  eapply stays_trans; [|apply (set_other u v N)]. eapply stays_trans; [|apply stays_each; intros; apply stays_vms; reflexivity].
  apply (stays_trans v a (give_back u (root (vm_at a u)) a)); [|apply stays_vms; reflexivity]. unfold give_back, add_granules. eapply stays_trans; [|apply stays_vm; reflexivity]. apply stays_vms. reflexivity.
Qed.
Lemma destroys : f = NIE_VM_DESTROY -> let r := vm_destroy (x 1) a in right (fst (fst (fst r))) (snd r).
Proof.
  intros F r. destruct (Z.eq_dec (x 1) v) as [E|N].
  2:{ apply other_vm; [exact N| |now apply vm_destroy_others; auto]. apply goes_eq, (st_state _ _ _ (destroy_stays (x 1) ltac:(auto))). }
  assert (NC : forall st, ~ done NIE_VM_CREATE st) by (intros st (D & _); rewrite F in D; discriminate D).
  destruct (Z.eqb_spec (vm_destroy_check a (x 1)) NIE_OK) as [Q|Q].
  - assert (R : fst (fst (fst r)) = NIE_OK /\ vm_state (vm_at (snd r) v) = NIE_VM_FREE).
    { unfold r, vm_destroy. cbv zeta. rewrite Q. change (NIE_OK =? NIE_OK) with true. cbn [fst snd]. split; [reflexivity|]. unfold clear_vm. cbv zeta. rewrite at_set, <- E, Z.eqb_refl. reflexivity. }
    destruct R as [O FR]. split; [intro D; now elim (NC _ D)|]. split; [|intros _ ND; elim ND; unfold done; auto]. intros _. split; [|exact FR].
    rewrite E in Q. unfold vm_destroy_check in Q. destruct (vm_exists v); [|discriminate Q]. destruct (vm_is a v NIE_VM_STOPPED NIE_VM_STOPPED) eqn:I; [|discriminate Q]. unfold vm_is in I.
    unfold free. assert (T : vm_state (vm_at a v) = NIE_VM_STOPPED) by lia. rewrite T. discriminate.
  - assert (R : fst (fst (fst r)) = vm_destroy_check a (x 1) /\ snd r = a) by (unfold r, vm_destroy; cbv zeta; now rewrite (proj2 (Z.eqb_neq _ _) Q)). destruct R as [R1 R2].
    apply refused; [rewrite R1; exact Q|exact R2].
Qed.
#[local] Opaque vm_destroy.

Lemma same_of_slots : forall d, slots d = slots a -> fades a v d.
Proof. intros d E. apply fades_same. intro y. now apply at_same. Qed.
Ltac other F := unfold plain; rewrite F; repeat split; discriminate.
(* Unless a vCPU runs afterwards, in which case x0 is its own. *)
Theorem host_call_right : (f = NIE_VCPU_RUN -> slots b = slots a /\ (free b v <-> free a v) /\ forall q, sited a v q -> sited b v q) /\ (f <> NIE_VCPU_RUN -> right (x_of b c 0) b).
Proof.
  unfold b, host_call. cbv zeta. fold f. split; intro R.
  { rewrite R. change (NIE_VCPU_RUN =? NIE_VERSION) with false. change (NIE_VCPU_RUN =? NIE_VM_INFO) with false. change (NIE_VCPU_RUN =? NIE_VCPU_RUN) with true. cbn iota.
    pose proof (goes_keeps v _ _ (vcpu_run_keeps v a c (x 1) (x 2) ins)) as G. pose proof (vcpu_run_slots a c (x 1) (x 2) ins) as S. destruct (vcpu_run c (x 1) (x 2) ins a) as [st d]. cbn [snd] in *.
    assert (H : forall e, slots e = slots a -> goes_on v a e -> slots e = slots a /\ (free e v <-> free a v) /\ forall q, sited a v q -> sited e v q).
    { intros e SE GE. split; [exact SE|]. split; [apply GE|]. intros q A. apply (sited_fades v a); [exact GE|now apply same_of_slots|exact A]. }
    destruct (st =? NIE_OK); [now apply H|]. apply H; [now rewrite slots_answer|]. unfold goes_on, free, stopped, vm_at, answer in *. now rewrite vms_answer. }
  destruct (Z.eqb_spec f NIE_VERSION) as [F|_]; [apply answered, plainly; [other F|now apply goes_eq|now apply same_of_slots]|].
  destruct (Z.eqb_spec f NIE_VM_INFO) as [F|_].
  { unfold vm_info, vm_info_words. destruct (vm_exists _); apply answered, plainly; try (other F); try (now apply goes_eq); now apply same_of_slots. }
  destruct (Z.eqb_spec f NIE_VCPU_RUN) as [F|_]; [contradiction|].
  destruct (Z.eqb_spec f NIE_VM_DESTROY) as [F|_]; [now apply three, destroys|].
  destruct (Z.eqb_spec f NIE_VCPU_DESTROY) as [F|_]; [apply three, plainly; [other F|apply goes_keeps, vcpu_destroy_keeps|apply same_of_slots, vcpu_destroy_slots]|].
  destruct (Z.eqb_spec f NIE_TABLE_REMOVE) as [F|_].
  { apply three, plainly; [other F|apply goes_calm, table_remove_calm|]. destruct (Z.eq_dec (x 1) v) as [E|N]; [rewrite E; now apply table_remove_fades|apply fades_same, table_remove_others; auto]. }
  destruct (Z.eqb_spec f NIE_PAGE_REMOVE) as [F|_]; [now apply three, removes|].
  destruct (Z.eqb_spec f NIE_VM_CREATE) as [F|_]; [now apply one, creates|].
  destruct (Z.eqb_spec f NIE_VM_ACTIVATE) as [F|_].
  { apply one, plainly; [other F| |apply same_of_slots, vm_activate_slots]. destruct (Z.eq_dec (x 1) v) as [E|N]; [|apply goes_eq, (st_state _ _ _ (vm_activate_other a (x 1) v ltac:(auto)))].
    destruct (Z.eq_dec (fst (vm_activate (x 1) a)) NIE_OK) as [O|O]; [|rewrite vm_activate_refused by exact O; now apply goes_eq].
    rewrite E in O |- *. destruct (vm_activate_seals a v O) as (B & _ & _ & G). unfold goes_on, free, stopped. rewrite B, G. split; [split; intro Q; discriminate Q|intro Q; discriminate Q]. }
  destruct (Z.eqb_spec f NIE_VM_STOP) as [F|_]; [apply one, plainly; [other F|apply goes_keeps, vm_stop_keeps|apply same_of_slots, vm_stop_slots]|].
  destruct (Z.eqb_spec f NIE_VCPU_CREATE) as [F|_].
  { apply one, plainly; [other F| |apply same_of_slots, vcpu_create_slots]. apply goes_eq. destruct (Z.eq_dec (x 1) v) as [E|N]; [|apply (st_state _ _ _ (vcpu_create_other a (x 1) v ltac:(auto) _ _ _ _ _))].
    destruct (Z.eq_dec (fst (vcpu_create (x 1) (x 2) (x 3) (x 4) (x 5) (x 6) a)) NIE_OK) as [O|O]; [|now rewrite vcpu_create_refused by exact O].
    rewrite E in O |- *. destruct (vcpu_create_grows a v _ _ _ _ _ O) as [_ [_ _ G]]. exact G. }
  destruct (Z.eqb_spec f NIE_TABLE_ADD) as [F|_].
  { apply one, plainly; [other F|apply goes_calm, table_add_calm|]. apply fades_same. destruct (Z.eq_dec (x 1) v) as [E|N]; [rewrite E; now apply table_add_places|apply table_add_others; auto]. }
  destruct (Z.eqb_spec f NIE_PAGE_ADD) as [F|_]; [now apply one, adds|].
  destruct (Z.eqb_spec f NIE_PAGE_ADD_ZERO) as [F|_]; [now apply one, adds_zero|].
  destruct (Z.eqb_spec f NIE_PAGE_SHARED_ADD) as [F|N].
  { apply one, plainly; [other F|apply goes_calm, page_shared_add_calm|]. apply fades_same. destruct (Z.eq_dec (x 1) v) as [E|N]; [rewrite E; now apply page_shared_add_places|apply page_shared_add_others; auto]. }
  apply answered, refused; [discriminate|reflexivity].
Qed.
End Host.
