(* SPDX-License-Identifier: Apache-2.0 *)
(* That the book of spec/Answers.v agrees with the specification's state, and that what is none of its VM's business keeps it so. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Donation Actions.
From nie.spec Require Step Released Answers.
From nie.spec.call Require Import vcpu_create vcpu_destroy vcpu_run vm_activate vm_create vm_destroy vm_stop.
From nie.spec.trap Require vcpu_abort.
From nie.proof.invariant Require Import Meaning.
From nie.proof.security Require Import Answered Calm.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

#[local] Existing Instance Answers.eta_book.

Definition lives (v : Z) (a : state) : Prop := vm_state (vm_at a v) = NIE_VM_BUILDING \/ vm_state (vm_at a v) = NIE_VM_ACTIVE.

Record noted (v : Z) (k : Answers.book) (a : state) : Prop := {
  no_on : forall c, 0 <= c < NIE_MAX_CPUS -> cpu_vm (cpu_at a c) = v ->
    Answers.on k c = cpu_vcpu (cpu_at a c) /\ pending (vcpu_at a v (cpu_vcpu (cpu_at a c))) = PENDING_NONE /\ vm_state (vm_at a v) <> NIE_VM_BUILDING;
  no_building : vm_state (vm_at a v) = NIE_VM_BUILDING -> forall i, Answers.stood k i = None;
  no_window : lives v a -> forall p, Answers.window k p = vcpu_abort.in_ram_window a v p;
  no_left : vm_state (vm_at a v) = NIE_VM_ACTIVE -> forall i s c e, 0 <= i < NIE_MAX_VCPUS -> Answers.stood k i = Some (s, c, e) ->
    vcpu_state (vcpu_at a v i) = VCPU_READY -> left_in (Answers.window k) s c e a v i;
  no_off : vm_state (vm_at a v) = NIE_VM_ACTIVE -> forall i, 0 <= i < NIE_MAX_VCPUS -> vcpu_state (vcpu_at a v i) = VCPU_OFF -> Answers.stood k i = None;
}.

Record still (v : Z) (a b : state) : Prop := {
  sl_vcpu : forall i, 0 <= i < NIE_MAX_VCPUS -> vcpu_at b v i = vcpu_at a v i;
  sl_saved : forall i w, 0 <= i < NIE_MAX_VCPUS -> saved_at b v i w = saved_at a v i w;
  sl_vm : vm_view (vm_at b v) = vm_view (vm_at a v);
  sl_cpu : forall c, 0 <= c < NIE_MAX_CPUS -> cpu_vm (cpu_at b c) = v -> run_view (cpu_at b c) = run_view (cpu_at a c);
}.
Lemma calm_still : forall v a b, calm a b -> still v a b.
Proof. intros v a b [E1 E2 E3 E4]. constructor; intros; unfold vcpu_at, saved_at; rewrite ?E1, ?E2; auto. Qed.
Lemma still_trans : forall v a b c, still v a b -> still v b c -> still v a c.
Proof.
  intros v a b c [A1 A2 A3 A4] [B1 B2 B3 B4]. constructor; intros.
  - rewrite B1; auto. - rewrite B2; auto. - congruence.
  - rewrite (B4 _ H H0). apply A4; auto. specialize (B4 _ H H0). unfold run_view in B4. congruence.
Qed.

Lemma left_same : forall ram s c e a b v i, left_in ram s c e a v i -> vcpu_at b v i = vcpu_at a v i -> (forall w, saved_at b v i w = saved_at a v i w) ->
  left_in ram s c e b v i.
Proof. intros ram s c e a b v i [L1 L2 L3 L4] V S. constructor; intros; rewrite ?V, ?S; auto. Qed.

(* Of a running vCPU the index is in range. *)
Definition in_range (a : state) : Prop := forall c, 0 <= c < NIE_MAX_CPUS -> cpu_vm (cpu_at a c) <> CPU_HOST -> 0 <= cpu_vcpu (cpu_at a c) < NIE_MAX_VCPUS.

Definition runners (a : state) : Prop := forall c, 0 <= c < NIE_MAX_CPUS -> cpu_vm (cpu_at a c) <> CPU_HOST ->
  0 <= cpu_vcpu (cpu_at a c) < NIE_MAX_VCPUS /\ vcpu_state (vcpu_at a (cpu_vm (cpu_at a c)) (cpu_vcpu (cpu_at a c))) = VCPU_RUNNING.
Lemma wf_runners : forall a, wf a -> runners a.
Proof. intros a W c C N. pose proof (u_runs _ (wf_u _ W) c C N) as U. cbv zeta in U. tauto. Qed.
Lemma runners_range : forall a, runners a -> in_range a.
Proof. intros a R c C N. apply (R c C N). Qed.
Lemma calm_runners : forall a b, calm a b -> runners a -> runners b.
Proof.
  intros a b [E1 _ _ E4] R c C N. pose proof (E4 c) as X. unfold run_view in X. injection X as X1 X2. rewrite X1, X2 in *. unfold vcpu_at. rewrite E1. exact (R c C N).
Qed.

Lemma still_noted : forall v k a b, 0 <= v < NIE_MAX_VMS -> in_range a -> still v a b -> noted v k a -> noted v k b.
Proof.
  intros v k a b V IR [V1 S1 M1 C1] [N1 N2 N3 N4 N5].
  assert (ST : vm_state (vm_at b v) = vm_state (vm_at a v)) by (unfold vm_view in M1; congruence).
  assert (RB : ram_base (vm_at b v) = ram_base (vm_at a v) /\ ram_pages (vm_at b v) = ram_pages (vm_at a v)) by (unfold vm_view in M1; split; congruence).
  constructor.
  - intros c C R. pose proof (C1 c C R) as E. unfold run_view in E. injection E as E1 E2. rewrite R in E1.
    assert (I : 0 <= cpu_vcpu (cpu_at a c) < NIE_MAX_VCPUS) by (apply IR; auto; rewrite <- E1; unfold CPU_HOST, NIE_MAX_VMS in *; lia).
    rewrite E2, V1, ST by exact I. apply N1; auto.
  - rewrite ST. exact N2.
  - intros L p. unfold lives in L. rewrite ST in L. rewrite N3 by exact L. unfold vcpu_abort.in_ram_window. destruct RB as [-> ->]. reflexivity.
  - intros A i s c e I ST' RD. rewrite ST in A. rewrite V1 in RD by exact I. eapply left_same; [eapply N4; eauto|auto|auto].
  - intros A i I OF. rewrite ST in A. rewrite V1 in OF by exact I. auto.
Qed.

(** Updates. *)

Lemma vcpu_put : forall v i r a v' i', 0 <= i < NIE_MAX_VCPUS -> 0 <= i' < NIE_MAX_VCPUS -> vcpu_at (set_vcpu v i r a) v' i' = if (v' =? v) && (i' =? i) then r else vcpu_at a v' i'.
Proof.
  intros v i r a v' i' I I'. transitivity (Map.get (Map.set (vcpus a) (v * NIE_MAX_VCPUS + i) r) (v' * NIE_MAX_VCPUS + i')); [reflexivity|].
  rewrite Map.get_set. unfold NIE_MAX_VCPUS in *. destruct (Z.eqb_spec (v' * 8 + i') (v * 8 + i)), (Z.eqb_spec v' v), (Z.eqb_spec i' i); cbn; auto; lia.
Qed.
Lemma saved_put : forall v i m a v' i' w, 0 <= i < NIE_MAX_VCPUS -> 0 <= i' < NIE_MAX_VCPUS ->
  saved_at (set_saved v i m a) v' i' w = if (v' =? v) && (i' =? i) then Map.get m w else saved_at a v' i' w.
Proof.
  intros v i m a v' i' w I I'. transitivity (Map.get (Map.get (Map.set (saved a) (v * NIE_MAX_VCPUS + i) m) (v' * NIE_MAX_VCPUS + i')) w); [reflexivity|].
  rewrite Map.get_set. unfold NIE_MAX_VCPUS in *. destruct (Z.eqb_spec (v' * 8 + i') (v * 8 + i)), (Z.eqb_spec v' v), (Z.eqb_spec i' i); cbn; auto; lia.
Qed.
Lemma vm_put : forall v r a v', vm_at (set_vm v r a) v' = if v' =? v then r else vm_at a v'.
Proof. intros v r a v'. exact (Map.get_set _ (vms a) v r v'). Qed.
Lemma cpu_put : forall c r a d, cpu_at (set_cpu c r a) d = if d =? c then r else cpu_at a d.
Proof. intros c r a d. exact (Map.get_set _ (cpus a) c r d). Qed.

(** The host ends a VM, or lets it begin. *)

#[local] Opaque each give_back set_last donate hand_over.

Section Life.
Variables (v : Z) (k : Answers.book) (a : state).
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis RU : runners a.
Hypothesis N : noted v k a.
Let IR : in_range a := runners_range a RU.

(* Only the VM's own state changes, from and to what needs nothing. *)
Lemma state_set : forall r, ram_base r = ram_base (vm_at a v) -> ram_pages r = ram_pages (vm_at a v) ->
  (vm_state r = NIE_VM_BUILDING -> False) -> (vm_state r = NIE_VM_ACTIVE -> vm_state (vm_at a v) = NIE_VM_BUILDING) -> noted v k (set_vm v r a).
Proof.
  intros r RB RP NB AC. destruct N as [N1 N2 N3 N4 N5]. assert (E : vm_at (set_vm v r a) v = r) by (rewrite vm_put, Z.eqb_refl; reflexivity).
  constructor; try (rewrite E).
  - intros c C R. destruct (N1 c C R) as (Y1 & Y2 & _). split; [exact Y1|]. split; [exact Y2|exact NB].
  - intro B. destruct (NB B).
  - intros [L|L] p; [rewrite E in L; destruct (NB L)|]. rewrite E in L. unfold vcpu_abort.in_ram_window. rewrite E, RB, RP. rewrite N3; [reflexivity|left; auto].
  - intros A i s c e I S. rewrite (N2 (AC A)) in S. discriminate S.
  - intros A i I _. apply N2. auto.
Qed.
Lemma other_vm : forall u r, u <> v -> still v a (set_vm u r a).
Proof. intros u r U. constructor; auto. rewrite vm_put. now replace (v =? u) with false by lia. Qed.

Lemma vm_stop_noted : forall u, noted v k (snd (vm_stop u a)).
Proof.
  intro u. unfold vm_stop. destruct (_ =? NIE_OK); [|exact N]. cbn [snd]. destruct (Z.eq_dec u v) as [->|U].
  - apply state_set; try reflexivity; discriminate.
  - eapply still_noted; eauto. now apply other_vm.
Qed.
Lemma vm_activate_noted : forall u, noted v k (snd (vm_activate u a)).
Proof.
  intro u. unfold vm_activate, vm_activate_check. destruct (vm_exists u); [|exact N]. unfold vm_is. rewrite orb_diag.
  destruct (Z.eqb_spec (vm_state (vm_at a u)) NIE_VM_BUILDING) as [B|]; [|exact N]. destruct (_ =? vcpu_count _); [|exact N]. cbv zeta. change (NIE_OK =? NIE_OK) with true. cbn iota. cbn [snd].
  destruct (Z.eq_dec u v) as [->|U].
  - apply state_set; try reflexivity; [discriminate|auto].
  - eapply still_noted; eauto. now apply other_vm.
Qed.
Lemma cleared_noted : forall u b, calm a b -> noted v k (set_vm u no_vm b).
Proof.
  intros u b CA. assert (NB : noted v k b) by (eapply still_noted; eauto; now apply calm_still). destruct (Z.eq_dec u v) as [->|U].
  - destruct NB as [N1 N2 N3 N4 N5]. assert (E : vm_at (set_vm v no_vm b) v = no_vm) by (rewrite vm_put, Z.eqb_refl; reflexivity).
    constructor; try (rewrite E; discriminate).
    + intros c C R. destruct (N1 c C R) as (Y1 & Y2 & _). split; [exact Y1|]. split; [exact Y2|rewrite E; discriminate].
    + intros [L|L]; rewrite E in L; discriminate L.
  - eapply still_noted; [exact V| | |exact NB].
    + intros c C R. pose proof (ca_cpus _ _ CA c) as X. unfold run_view in X. injection X as X1 X2. rewrite X2. apply IR; auto. congruence.
    + constructor; auto. rewrite vm_put. now replace (v =? u) with false by lia.
Qed.
Lemma vm_destroy_noted : forall u, noted v k (snd (vm_destroy u a)).
Proof.
  intro u. unfold vm_destroy. cbv zeta. destruct (vm_destroy_check a u =? NIE_OK); [|exact N]. cbn [snd]. unfold clear_vm. cbv zeta. apply cleared_noted.
  apply calm_each; [intros; apply calm_last, calm_refl|]. apply calm_slots, calm_back, calm_refl.
Qed.

(* A vCPU that does not run comes or goes. *)
Lemma vcpu_set : forall u i r m, 0 <= i < NIE_MAX_VCPUS -> vcpu_state (vcpu_at a u i) <> VCPU_RUNNING -> vm_state (vm_at a u) <> NIE_VM_ACTIVE ->
  noted v k (set_saved u i m (set_vcpu u i r a)).
Proof.
  intros u i r m I NR NA. set (b := set_saved u i m (set_vcpu u i r a)).
  assert (EV : forall j, 0 <= j < NIE_MAX_VCPUS -> vcpu_at b v j = if (v =? u) && (j =? i) then r else vcpu_at a v j) by (intros; exact (vcpu_put u i r a v j I H)).
  assert (ES : forall j w, 0 <= j < NIE_MAX_VCPUS -> saved_at b v j w = if (v =? u) && (j =? i) then Map.get m w else saved_at a v j w) by (intros; exact (saved_put u i m (set_vcpu u i r a) v j w I H)).
  destruct (Z.eq_dec u v) as [->|U].
  - destruct N as [N1 N2 N3 N4 N5]. constructor; try (intro A; destruct (NA A)).
    + intros c C R. change (cpu_at b c) with (cpu_at a c) in *. destruct (N1 c C R) as (X & Y & Z0). split; [exact X|].
      assert (J : cpu_vm (cpu_at a c) <> CPU_HOST) by (rewrite R; unfold CPU_HOST, NIE_MAX_VMS in *; lia).
      destruct (RU c C J) as [J1 J2]. rewrite R in J2. rewrite EV by exact J1.
      destruct (Z.eqb_spec (cpu_vcpu (cpu_at a c)) i) as [E|]; [destruct NR; rewrite <- E; exact J2|]. rewrite andb_false_r. split; [exact Y|exact Z0].
    + exact N2.
    + exact N3.
  - eapply still_noted; [exact V|exact IR| |exact N]. constructor; auto.
    + intros j J. rewrite EV by exact J. now replace (v =? u) with false by lia.
    + intros j w J. rewrite ES by exact J. now replace (v =? u) with false by lia.
Qed.
End Life.

Section Calls.
Variables (v : Z) (k : Answers.book) (a : state).
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis W : wf a.
Hypothesis N : noted v k a.
Let RU : runners a := wf_runners a W.
Let IR : in_range a := runners_range a RU.

Lemma calm_noted : forall b, calm a b -> noted v k b.
Proof. intros b C. eapply still_noted; eauto. now apply calm_still. Qed.
Lemma after_noted : forall b d, noted v k b -> in_range b -> calm b d -> noted v k d.
Proof. intros b d NB R C. eapply still_noted; eauto. now apply calm_still. Qed.
Lemma used_count : forall u, 0 <= u < NIE_MAX_VMS -> vm_state (vm_at a u) <> NIE_VM_FREE -> vcpu_count (vm_at a u) <= NIE_MAX_VCPUS.
Proof. intros u U F. pose proof (v_used _ (wf_v _ W) u U F). tauto. Qed.

Lemma set_range : forall u i r m b, in_range b -> in_range (set_saved u i m (set_vcpu u i r b)).
Proof. intros u i r m b R. exact R. Qed.

Lemma vcpu_create_noted : forall u i x r e g, 0 <= u -> 0 <= i -> noted v k (snd (vcpu_create u i x r e g a)).
Proof.
  intros u i x r e g U I. unfold vcpu_create. cbv zeta. destruct (Z.eqb_spec (vcpu_create_check a u i x r e) NIE_OK) as [K|]; [|exact N]. cbn [snd].
  unfold vcpu_create_check in K. destruct (vm_exists u) eqn:X; [|discriminate K]. unfold vm_exists in X. unfold vm_is in K. rewrite orb_diag in K.
  destruct (Z.eqb_spec (vm_state (vm_at a u)) NIE_VM_BUILDING) as [B|]; [|discriminate K]. destruct (Z.ltb_spec i (vcpu_count (vm_at a u))) as [L|]; [|discriminate K].
  destruct (Z.eqb_spec (vcpu_state (vcpu_at a u i)) VCPU_NONE) as [E|]; [|discriminate K]. clear K.
  pose proof (used_count u ltac:(lia) ltac:(rewrite B; discriminate)) as UC.
  set (b := hand_over u (page_of r) 1 _ _). assert (CB : calm a b) by (apply calm_handed, calm_donated, calm_refl). clearbody b.
  pose proof (calm_noted b CB) as NB. pose proof (calm_runners _ _ CB RU) as RB.
  assert (ES : vcpu_state (vcpu_at b u i) <> VCPU_RUNNING) by (unfold vcpu_at in *; rewrite (ca_vcpus _ _ CB), E; discriminate).
  assert (EV : vm_state (vm_at b u) <> NIE_VM_ACTIVE) by (pose proof (ca_vms _ _ CB u) as Q; unfold vm_view in Q; injection Q as Q _ _; rewrite Q, B; discriminate).
  pose proof (vcpu_set v k b V RB NB u i (no_vcpu <| context_page := page_of x |> <| run_page := page_of r |> <| vcpu_state := if i =? 0 then VCPU_READY else VCPU_OFF |>)
    (reset_context e g) ltac:(lia) ES EV) as NS.
  eapply after_noted; [exact NS|apply set_range, runners_range; exact RB|]. apply calm_measured, calm_vm; [apply calm_refl|reflexivity].
Qed.

Lemma vcpu_destroy_noted : forall u i, 0 <= u -> 0 <= i -> noted v k (snd (vcpu_destroy u i a)).
Proof.
  intros u i U I. unfold vcpu_destroy. cbv zeta. destruct (Z.eqb_spec (vcpu_destroy_check a u i) NIE_OK) as [K|]; [|exact N]. cbn [snd].
  unfold vcpu_destroy_check in K. destruct (vm_exists u) eqn:X; [|discriminate K]. unfold vm_exists in X. unfold vm_is in K. rewrite orb_diag in K.
  destruct (Z.eqb_spec (vm_state (vm_at a u)) NIE_VM_STOPPED) as [B|]; [|discriminate K]. destruct (Z.ltb_spec i (vcpu_count (vm_at a u))) as [L|]; [|discriminate K].
  destruct (Z.eqb_spec (vcpu_state (vcpu_at a u i)) VCPU_NONE); [discriminate K|]. destruct (Z.eqb_spec (vcpu_state (vcpu_at a u i)) VCPU_RUNNING) as [|E]; [discriminate K|]. clear K.
  pose proof (used_count u ltac:(lia) ltac:(rewrite B; discriminate)) as UC.
  set (b := give_back u _ _). assert (CB : calm a b) by (apply calm_back, calm_back, calm_refl). clearbody b.
  pose proof (calm_noted b CB) as NB. pose proof (calm_runners _ _ CB RU) as RB.
  assert (ES : vcpu_state (vcpu_at b u i) <> VCPU_RUNNING) by (unfold vcpu_at in *; rewrite (ca_vcpus _ _ CB); exact E).
  assert (EV : vm_state (vm_at b u) <> NIE_VM_ACTIVE) by (pose proof (ca_vms _ _ CB u) as Q; unfold vm_view in Q; injection Q as Q _ _; rewrite Q, B; discriminate).
  pose proof (vcpu_set v k b V RB NB u i no_vcpu (Map.const 0) ltac:(lia) ES EV) as NS.
  eapply after_noted; [exact NS|apply set_range, runners_range; exact RB|]. apply calm_vm; [apply calm_refl|reflexivity].
Qed.

(* A new VM, of which nothing is in the book. *)
Lemma vm_create_noted : forall u r b p n t, 0 <= u -> let q := vm_create u r b p n t a in
  (u = v /\ fst q = NIE_OK /\ noted v (Answers.no_book <| Answers.window := fun y => (b / 4096 <=? y) && (y <? b / 4096 + p) |>) (snd q)) \/
  (~ (u = v /\ fst q = NIE_OK) /\ noted v k (snd q)).
Proof.
  intros u r b p n t U. cbv zeta. unfold vm_create. cbv zeta. destruct (Z.eqb_spec (vm_create_check a u r b p n) NIE_OK) as [K|K]; cbn [fst snd]; [|right; tauto].
  unfold vm_create_check in K. destruct (vm_exists u) eqn:X; [|discriminate K]. unfold vm_exists in X. unfold vm_is in K. rewrite orb_diag in K.
  destruct (Z.eqb_spec (vm_state (vm_at a u)) NIE_VM_FREE) as [B|]; [|discriminate K]. clear K.
  set (rec := vm_at a u <| root := _ |> <| ram_base := _ |> <| ram_pages := _ |> <| cntvoff := _ |> <| vcpu_count := _ |> <| vm_state := _ |>).
  set (d := set_vm u rec a). set (f := measured u _ _). assert (CF : calm d f) by (apply calm_measured, calm_donated, calm_refl).
  assert (RD : in_range d) by exact IR.
  destruct (Z.eq_dec u v) as [->|UV].
  - left. split; [reflexivity|]. split; [reflexivity|]. clearbody f. eapply still_noted; [exact V|exact RD|apply calm_still; exact CF|]. clear CF f.
    assert (E : vm_at d v = rec) by (unfold d; rewrite vm_put, Z.eqb_refl; reflexivity).
    constructor; try (rewrite E; discriminate).
    + intros c C R. change (cpu_at d c) with (cpu_at a c) in *. exfalso.
      assert (J : cpu_vm (cpu_at a c) <> CPU_HOST) by (rewrite R; unfold CPU_HOST, NIE_MAX_VMS in *; lia).
      destruct (RU c C J) as [J1 J2]. rewrite R in J2. destruct (u_some _ (wf_u _ W) v _ V J1 ltac:(rewrite J2; discriminate)) as [F _]. contradiction.
    + intros _ i. reflexivity.
    + intros _ y. unfold vcpu_abort.in_ram_window. rewrite E. change (ram_base rec) with (page_of b). change (ram_pages rec) with p. unfold page_of.
      change (Answers.window (Answers.no_book <| Answers.window := fun y => (b / 4096 <=? y) && (y <? b / 4096 + p) |>) y) with ((b / 4096 <=? y) && (y <? b / 4096 + p)).
      f_equal. destruct (Z.ltb_spec y (b / 4096 + p)), (Z.ltb_spec (y - b / 4096) p); auto; lia.
  - right. split; [tauto|]. eapply after_noted; [|exact RD|exact CF]. eapply still_noted; [exact V|exact IR| |exact N]. now apply other_vm.
Qed.
End Calls.
