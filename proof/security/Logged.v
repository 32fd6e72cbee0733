(* SPDX-License-Identifier: Apache-2.0 *)
(* The calls that build a VM, on the specification's side: what each adds to its log. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Measure Donation Actions.
From nie.spec Require Measured.
From nie.spec Require Step.
From nie.spec.call Require Import page_add page_add_zero page_shared_add vcpu_create vm_activate vm_create.
From nie.proof.invariant Require Import Meaning.
From nie.proof.security Require Import Built.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
#[local] Existing Instance Measured.eta_building.

(* The log so far is the VM's; it is open as long as the VM is being built. *)
Definition agrees (k : Measured.building) (r : vm) : Prop := vm_state r <> NIE_VM_FREE ->
  build_log r = Measured.words k /\ sealed r = negb (Measured.open k) /\
  (vm_state r = NIE_VM_BUILDING -> Measured.open k = true) /\ (vm_state r = NIE_VM_ACTIVE -> Measured.open k = false).
Lemma agrees_keeps : forall v k a b, keeps v a b -> agrees k (vm_at a v) -> agrees k (vm_at b v).
Proof.
  intros v k a b [L S] A F. unfold log_view in L. injection L as L1 L2.
  assert (N : vm_state (vm_at a v) <> NIE_VM_FREE) by (destruct S as [S|[_ S]]; congruence). destruct (A N) as (A1 & A2 & A3 & A4).
  split; [congruence|]. split; [congruence|]. destruct S as [S|[S _]]; rewrite S; [split; assumption|]. split; intro Q; discriminate Q.
Qed.

(* From [a] to [b] VM [v]'s log grows by [l], and nothing else of what concerns us. *)
Record grows (v : Z) (l : list Z) (a b : state) : Prop := {
  gr_log : build_log (vm_at b v) = build_log (vm_at a v) ++ l;
  gr_sealed : sealed (vm_at b v) = sealed (vm_at a v);
  gr_state : vm_state (vm_at b v) = vm_state (vm_at a v);
}.
(* No step here changes what a VM's state is. *)
Record stays (v : Z) (a b : state) : Prop := { st_log : log_view (vm_at b v) = log_view (vm_at a v); st_state : vm_state (vm_at b v) = vm_state (vm_at a v) }.
Lemma stays_vms : forall v a b, vms b = vms a -> stays v a b.
Proof. intros v a b E. constructor; unfold vm_at; now rewrite E. Qed.
Lemma stays_trans : forall v a b c, stays v a b -> stays v b c -> stays v a c.
Proof. intros v a b c [] []. constructor; congruence. Qed.
Lemma stays_keeps : forall v a b, stays v a b -> keeps v a b.
Proof. intros v a b []. constructor; auto. Qed.
Lemma at_set : forall u r b v, vm_at (set_vm u r b) v = if v =? u then r else vm_at b v.
Proof. intros. change (Map.get (Map.set (vms b) u r) v = if v =? u then r else vm_at b v). now rewrite Map.get_set. Qed.
Lemma stays_vm : forall v u r b, log_view r = log_view (vm_at b u) -> vm_state r = vm_state (vm_at b u) -> stays v b (set_vm u r b).
Proof. intros v u r b L S. constructor; rewrite at_set; destruct (Z.eqb_spec v u) as [->|]; auto. Qed.
Lemma stays_each : forall v n f a, (forall i x, stays v x (f i x)) -> stays v a (each n f a).
Proof. intros v n f a F. unfold each. induction (Z.to_nat n) as [|m IH]; cbn [each_nat]; [constructor; reflexivity|]. eapply stays_trans; [exact IH|apply F]. Qed.
Lemma stays_handed : forall v u p n o a, stays v a (hand_over u p n o a).
Proof.
  intros. unfold hand_over, add_granules. eapply stays_trans; [|apply stays_vm; reflexivity]. apply stays_each. intros i x. apply stays_vms. reflexivity.
Qed.
Lemma stays_donated : forall v u p n o a, stays v a (donate u p n o a).
Proof. intros. unfold donate. eapply stays_trans; [apply stays_handed|]. apply stays_vms. reflexivity. Qed.
Lemma stays_mapped : forall v u x f n a, stays v a (each n (mapped u x f) a).
Proof. intros. apply stays_each. intros i y. apply stays_vms. reflexivity. Qed.

Lemma grows_stays : forall v l a b c d, stays v a b -> grows v l b c -> stays v c d -> grows v l a d.
Proof.
  intros v l a b c d [L1 S1] [G1 G2 G3] [L2 S2]. unfold log_view in *. injection L1 as L1 L1'. injection L2 as L2 L2'. constructor; congruence.
Qed.
Lemma measured_grows : forall u l a, grows u l a (measured u l a).
Proof. intros. unfold measured. constructor; rewrite at_set, Z.eqb_refl; reflexivity. Qed.
Lemma measured_stays : forall v u l a, v <> u -> stays v a (measured u l a).
Proof. intros v u l a N. unfold measured. constructor; rewrite at_set, (proj2 (Z.eqb_neq v u) N); reflexivity. Qed.
Lemma grows_nil : forall v a, grows v [] a a.
Proof. intros. constructor; [now rewrite app_nil_r|reflexivity|reflexivity]. Qed.
Lemma grows_app : forall v l l' a b c, grows v l a b -> grows v l' b c -> grows v (l ++ l') a c.
Proof. intros v l l' a b c [] []. constructor; [rewrite app_assoc|..]; congruence. Qed.

(** Each of them. *)

#[local] Opaque each donate hand_over measured.
Section Calls.
Variables (a : state) (u : Z).

Definition page_words_of (x : Z) (content : Z -> Z -> Z) (i : Z) : list Z := record MEASURE_PAGE ((x + i) * 4096) 0 0 ++ page (content i).
Lemma pages_grow : forall x content n b, grows u (flat_map (page_words_of x content) (Step.numbers (Z.to_nat n))) b (each n (measure_page u x content) b).
Proof.
  Transparent each. intros x content n b. unfold each, Step.numbers. induction (Z.to_nat n) as [|m IH]; [apply grows_nil|]. cbn [each_nat]. rewrite seq_S, map_app, flat_map_app.
  eapply grows_app; [exact IH|]. cbn [map flat_map Nat.add]. rewrite app_nil_r. apply measured_grows.
Qed.
#[local] Opaque each.
Lemma page_add_grows : forall ipa pa n content, fst (page_add u ipa pa n content a) = NIE_OK -> vm_state (vm_at a u) = NIE_VM_BUILDING /\
  grows u (flat_map (page_words_of (page_of ipa) content) (Step.numbers (Z.to_nat n))) a (snd (page_add u ipa pa n content a)).
Proof.
  intros ipa pa n content. unfold page_add. cbv zeta. destruct (Z.eqb_spec (page_add_check a u ipa pa n) NIE_OK) as [E|N]; cbn [fst snd]; [|intro Q; contradiction]. intros _. split.
  - unfold page_add_check in E. destruct (vm_exists u); [|discriminate E]. destruct (vm_is a u NIE_VM_BUILDING NIE_VM_BUILDING) eqn:B; [|discriminate E].
    unfold vm_is in B. lia.
  - eapply grows_stays; [apply stays_donated|apply pages_grow|apply stays_mapped].
Qed.
Lemma if_building : forall l b, vm_state (vm_at b u) = NIE_VM_BUILDING -> grows u l b (measured_if_building u l b).
Proof. intros l b E. unfold measured_if_building. rewrite E, Z.eqb_refl. apply measured_grows. Qed.
Lemma not_building : forall l b, vm_state (vm_at b u) <> NIE_VM_BUILDING -> measured_if_building u l b = b.
Proof. intros l b E. unfold measured_if_building. now rewrite (proj2 (Z.eqb_neq _ _) E). Qed.
(* A call that is measured while the VM is being built: it ends in [measured_if_building] of a state in which the VM's log is as it was. *)
Definition maybe_grows (l : list Z) (b : state) : Prop :=
  (vm_state (vm_at a u) = NIE_VM_BUILDING /\ grows u l a b) \/ (vm_state (vm_at a u) = NIE_VM_ACTIVE /\ stays u a b).
Lemma maybe : forall l b, stays u a b -> vm_is a u NIE_VM_BUILDING NIE_VM_ACTIVE = true -> maybe_grows l (measured_if_building u l b).
Proof.
  intros l b S I. destruct (Z.eq_dec (vm_state (vm_at a u)) NIE_VM_BUILDING) as [B|N]; [left|right].
  - split; [exact B|]. eapply grows_stays; [exact S|apply if_building; rewrite (st_state _ _ _ S); exact B|apply stays_vms; reflexivity].
  - rewrite not_building by (rewrite (st_state _ _ _ S); exact N). split; [|exact S]. unfold vm_is in I. lia.
Qed.
Lemma page_add_zero_grows : forall ipa pa n l, fst (page_add_zero u ipa pa n l a) = NIE_OK ->
  maybe_grows (record MEASURE_ZERO ipa n 0) (snd (page_add_zero u ipa pa n l a)).
Proof.
  intros ipa pa n l. unfold page_add_zero. cbv zeta. destruct (Z.eqb_spec (page_add_zero_check a u ipa pa n l) NIE_OK) as [E|N]; cbn [fst snd]; [|intro Q; contradiction]. intros _.
  apply maybe.
  - unfold add_zero. cbv zeta. destruct (l =? LEVEL_PAGE); (eapply stays_trans; [apply stays_donated|]); [apply stays_mapped|apply stays_vms; reflexivity].
  - unfold page_add_zero_check in E. destruct (vm_exists u); [|discriminate E]. destruct (vm_is a u NIE_VM_BUILDING NIE_VM_ACTIVE); [reflexivity|discriminate E].
Qed.
Lemma page_shared_add_grows : forall ipa pa n, fst (page_shared_add u ipa pa n a) = NIE_OK ->
  maybe_grows (record MEASURE_SHARED ipa n 0) (snd (page_shared_add u ipa pa n a)).
Proof.
  intros ipa pa n. unfold page_shared_add. cbv zeta. destruct (Z.eqb_spec (page_shared_add_check a u ipa pa n) NIE_OK) as [E|N]; cbn [fst snd]; [|intro Q; contradiction]. intros _.
  apply maybe; [eapply stays_trans; [apply stays_handed|apply stays_mapped]|].
  unfold page_shared_add_check in E. destruct (vm_exists u); [|discriminate E]. destruct (vm_is a u NIE_VM_BUILDING NIE_VM_ACTIVE); [reflexivity|discriminate E].
Qed.
Lemma vcpu_create_grows : forall i c r e g, fst (vcpu_create u i c r e g a) = NIE_OK -> vm_state (vm_at a u) = NIE_VM_BUILDING /\
  grows u (record MEASURE_VCPU i e g) a (snd (vcpu_create u i c r e g a)).
Proof.
  intros i c r e g. unfold vcpu_create. cbv zeta. destruct (Z.eqb_spec (vcpu_create_check a u i c r e) NIE_OK) as [E|N]; cbn [fst snd]; [|intro Q; contradiction]. intros _. split.
  - unfold vcpu_create_check in E. destruct (vm_exists u); [|discriminate E]. destruct (vm_is a u NIE_VM_BUILDING NIE_VM_BUILDING) eqn:B; [|discriminate E]. unfold vm_is in B. lia.
  - eapply grows_stays; [|apply measured_grows|apply stays_vms; reflexivity].
    eapply stays_trans; [|apply stays_vm; reflexivity].
    match goal with |- stays _ _ (set_saved _ _ _ (set_vcpu _ _ _ ?y)) => apply (stays_trans _ _ y); [|apply stays_vms; reflexivity] end.
    eapply stays_trans; [apply stays_donated|apply stays_handed].
Qed.
Lemma vm_create_grows : forall r b p n t, wf a -> 0 <= u < NIE_MAX_VMS -> fst (vm_create u r b p n t a) = NIE_OK ->
  let z := vm_at (snd (vm_create u r b p n t a)) u in build_log z = record MEASURE_VM b p n /\ sealed z = false /\ vm_state z = NIE_VM_BUILDING.
Proof.
  intros r b p n t W U. unfold vm_create. cbv zeta. destruct (Z.eqb_spec (vm_create_check a u r b p n) NIE_OK) as [E|N]; cbn [fst snd]; [|intro Q; contradiction]. intros _.
  assert (F : vm_at a u = no_vm).
  { apply (v_free _ (wf_v _ W) u U). unfold vm_create_check in E. destruct (vm_exists u); [|discriminate E].
    destruct (vm_is a u NIE_VM_FREE NIE_VM_FREE) eqn:B; [|discriminate E]. unfold vm_is in B. lia. }
  match goal with |- context [donate u ?p 1 ?o ?y] => set (d := donate u p 1 o y); pose proof (stays_donated u u p 1 o y) as [L S]; fold d in L, S end.
  destruct (measured_grows u (record MEASURE_VM b p n) d) as [G1 G2 G3]. rewrite at_set, Z.eqb_refl in L, S. rewrite F in L, S. unfold log_view in L. cbn in L, S. injection L as L1 L2.
  rewrite G1, G2, G3, L1, L2, S. auto.
Qed.
End Calls.

(** Of the other VMs, and when a call is refused. *)

Section Others.
Variables (a : state) (u v : Z).
Hypothesis N : v <> u.
Lemma stays_refl : stays v a a.
Proof. constructor; reflexivity. Qed.
Lemma if_building_other : forall l b, stays v b (measured_if_building u l b).
Proof. intros l b. unfold measured_if_building. destruct (_ =? _); [now apply measured_stays|constructor; reflexivity]. Qed.
Lemma page_add_other : forall ipa pa n content, stays v a (snd (page_add u ipa pa n content a)).
Proof.
  intros. unfold page_add. cbv zeta. destruct (_ =? NIE_OK); [|apply stays_refl]. cbn [snd]. eapply stays_trans; [|apply stays_mapped]. eapply stays_trans; [apply stays_donated|].
  apply stays_each. intros i y. now apply measured_stays.
Qed.
Lemma page_add_zero_other : forall ipa pa n l, stays v a (snd (page_add_zero u ipa pa n l a)).
Proof.
  intros. unfold page_add_zero. cbv zeta. destruct (_ =? NIE_OK); [|apply stays_refl]. cbn [snd]. eapply stays_trans; [|apply if_building_other]. unfold add_zero. cbv zeta.
  destruct (l =? LEVEL_PAGE); (eapply stays_trans; [apply stays_donated|]); [apply stays_mapped|apply stays_vms; reflexivity].
Qed.
Lemma page_shared_add_other : forall ipa pa n, stays v a (snd (page_shared_add u ipa pa n a)).
Proof.
  intros. unfold page_shared_add. cbv zeta. destruct (_ =? NIE_OK); [|apply stays_refl]. cbn [snd]. eapply stays_trans; [|apply if_building_other].
  eapply stays_trans; [apply stays_handed|apply stays_mapped].
Qed.
Lemma vcpu_create_other : forall i c r e g, stays v a (snd (vcpu_create u i c r e g a)).
Proof.
  intros. unfold vcpu_create. cbv zeta. destruct (_ =? NIE_OK); [|apply stays_refl]. cbn [snd]. eapply stays_trans; [|now apply measured_stays].
  eapply stays_trans; [|apply stays_vm; reflexivity].
  match goal with |- stays _ _ (set_saved _ _ _ (set_vcpu _ _ _ ?y)) => apply (stays_trans _ _ y); [|apply stays_vms; reflexivity] end.
  eapply stays_trans; [apply stays_donated|apply stays_handed].
Qed.
Lemma set_other : forall r b, stays v b (set_vm u r b).
Proof. intros r b. constructor; rewrite at_set, (proj2 (Z.eqb_neq v u) N); reflexivity. Qed.
Lemma vm_create_other : forall r b p n t, stays v a (snd (vm_create u r b p n t a)).
Proof.
  intros. unfold vm_create. cbv zeta. destruct (_ =? NIE_OK); [|apply stays_refl]. cbn [snd]. eapply stays_trans; [|now apply measured_stays].
  eapply stays_trans; [apply set_other|apply stays_donated].
Qed.
Lemma vm_activate_other : stays v a (snd (vm_activate u a)).
Proof. unfold vm_activate. cbv zeta. destruct (_ =? NIE_OK); [|apply stays_refl]. apply set_other. Qed.
End Others.

Section Refused.
Variables (a : state) (u : Z).
Lemma page_add_refused : forall ipa pa n content, fst (page_add u ipa pa n content a) <> NIE_OK -> snd (page_add u ipa pa n content a) = a.
Proof. intros ipa pa n content. unfold page_add. cbv zeta. destruct (_ =? NIE_OK); [intro F; now elim F|reflexivity]. Qed.
Lemma page_add_zero_refused : forall ipa pa n l, fst (page_add_zero u ipa pa n l a) <> NIE_OK -> snd (page_add_zero u ipa pa n l a) = a.
Proof. intros ipa pa n l. unfold page_add_zero. cbv zeta. destruct (_ =? NIE_OK); [intro F; now elim F|reflexivity]. Qed.
Lemma page_shared_add_refused : forall ipa pa n, fst (page_shared_add u ipa pa n a) <> NIE_OK -> snd (page_shared_add u ipa pa n a) = a.
Proof. intros ipa pa n. unfold page_shared_add. cbv zeta. destruct (_ =? NIE_OK); [intro F; now elim F|reflexivity]. Qed.
Lemma vcpu_create_refused : forall i c r e g, fst (vcpu_create u i c r e g a) <> NIE_OK -> snd (vcpu_create u i c r e g a) = a.
Proof. intros i c r e g. unfold vcpu_create. cbv zeta. destruct (_ =? NIE_OK); [intro F; now elim F|reflexivity]. Qed.
Lemma vm_create_refused : forall r b p n t, fst (vm_create u r b p n t a) <> NIE_OK -> snd (vm_create u r b p n t a) = a.
Proof. intros r b p n t. unfold vm_create. cbv zeta. destruct (_ =? NIE_OK); [intro F; now elim F|reflexivity]. Qed.
Lemma vm_activate_refused : fst (vm_activate u a) <> NIE_OK -> snd (vm_activate u a) = a.
Proof. unfold vm_activate. cbv zeta. destruct (_ =? NIE_OK); [intro F; now elim F|reflexivity]. Qed.
Lemma vm_activate_seals : fst (vm_activate u a) = NIE_OK -> vm_state (vm_at a u) = NIE_VM_BUILDING /\
  let z := vm_at (snd (vm_activate u a)) u in build_log z = build_log (vm_at a u) /\ sealed z = true /\ vm_state z = NIE_VM_ACTIVE.
Proof.
  unfold vm_activate. cbv zeta. destruct (Z.eqb_spec (vm_activate_check a u) NIE_OK) as [E|N]; cbn [fst snd]; [|intro Q; contradiction]. intros _. split.
  - unfold vm_activate_check in E. destruct (vm_exists u); [|discriminate E]. destruct (vm_is a u NIE_VM_BUILDING NIE_VM_BUILDING) eqn:B; [|discriminate E]. unfold vm_is in B. lia.
  - rewrite at_set, Z.eqb_refl. auto.
Qed.
End Refused.
