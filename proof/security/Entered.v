(* SPDX-License-Identifier: Apache-2.0 *)
(* An entry, and whatever the host calls, keeps the book of spec/Answers.v in agreement with the specification's state. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Donation.
From nie.spec Require Step Released Answers.
From nie.spec.call Require Import page_add page_add_zero page_remove page_shared_add table_add table_remove vcpu_create
  vcpu_destroy vcpu_run vm_activate vm_create vm_destroy vm_info vm_stop host_call.
From nie.spec.trap Require vcpu_abort.
From nie.proof.invariant Require Import Meaning.
From nie.proof.security Require Import registers_switched entry_forgets Answered Calm Noted.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
#[local] Existing Instance Answers.eta_book.

Lemma calm_bare : forall a b f g, calm a b -> calm a (b <| here ::= f |> <| fp_here := g |>).
Proof. intros a b f g []. constructor; assumption. Qed.
Lemma calm_hereo : forall a b f, calm a b -> calm a (b <| here ::= f |>).
Proof. intros a b f []. constructor; assumption. Qed.
Lemma calm_fpo : forall a b f, calm a b -> calm a (b <| fp_here := f |>).
Proof. intros a b f []. constructor; assumption. Qed.
Lemma calm_loaded : forall a b c v i, calm a b -> calm a (load_vcpu c v i b).
Proof.
  intros a b c v i C. unfold load_vcpu, load_regs. cbv zeta. apply calm_fpo, calm_here, calm_hereo, calm_hereo, calm_cpu; [exact C|reflexivity].
Qed.
Lemma calm_save_host : forall a b c, calm a b -> calm a (save_host c b).
Proof. intros. unfold save_host. cbv zeta. now apply calm_cpu. Qed.
Lemma calm_lists : forall a b n t f, calm a b -> calm a (load_regs n t f b).
Proof. intros. unfold load_regs. now apply calm_hereo. Qed.
Lemma calm_controls : forall a b v i, calm a b -> calm a (controls_vcpu v i b).
Proof. intros. unfold controls_vcpu. now apply calm_regs. Qed.
#[local] Opaque load_vcpu save_host load_regs controls_vcpu set_regs set_gpr.

(** What an entry changes besides registers. *)

Definition came (c v i : Z) (a : state) : state :=
  let a := set_vcpu v i (vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |>) a in
  let a := set_vm v (vm_at a v <| running ::= fun n => n + 1 |>) a in
  set_cpu c (cpu_at a c <| cpu_vm := v |> <| cpu_vcpu := i |>) a.
Lemma brought_calm : forall c v i a, calm (came c v i a) (brought c v i a).
Proof.
  intros. unfold brought, loaded. cbv zeta. fold (came c v i a).
  apply calm_last, calm_controls, calm_here, calm_lists, calm_loaded, calm_save_host, calm_refl.
Qed.
Lemma answered_calm : forall c v i a, calm (set_vcpu v i (vcpu_at a v i <| pending := PENDING_NONE |> <| syndrome := 0 |>) a) (take_answer c v i a).
Proof.
  intros. unfold take_answer. cbv zeta. set (b := set_vcpu v i _ a). destruct (_ =? PENDING_CALL); [apply calm_answer, calm_refl|].
  destruct (_ || _)%bool; [apply calm_refl|]. apply calm_skip, calm_if; [apply calm_gpr|]; apply calm_refl.
Qed.

Record entered (c v i : Z) (a b : state) : Prop := {
  en_it : vcpu_state (vcpu_at b v i) = VCPU_RUNNING /\ pending (vcpu_at b v i) = PENDING_NONE;
  en_vcpu : forall u j, 0 <= j < NIE_MAX_VCPUS -> (u = v /\ j = i) \/ vcpu_at b u j = vcpu_at a u j;
  en_saved : saved b = saved a;
  en_vm : forall u, vm_view (vm_at b u) = vm_view (vm_at a u);
  en_cpu : forall d, run_view (cpu_at b d) = if d =? c then (v, i) else run_view (cpu_at a d);
}.
Lemma came_vcpu : forall c v i a u j, 0 <= i < NIE_MAX_VCPUS -> 0 <= j < NIE_MAX_VCPUS ->
  vcpu_at (came c v i a) u j = if (u =? v) && (j =? i) then vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |> else vcpu_at a u j.
Proof. intros c v i a u j I J. exact (vcpu_put v i (vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |>) a u j I J). Qed.
Lemma came_vm : forall c v i a u, vm_view (vm_at (came c v i a) u) = vm_view (vm_at a u).
Proof.
  intros. transitivity (vm_view (vm_at (set_vm v (vm_at a v <| running ::= fun n => n + 1 |>) a) u)); [reflexivity|]. rewrite vm_put.
  destruct (Z.eqb_spec u v) as [->|]; reflexivity.
Qed.
Lemma came_cpu : forall c v i a d, run_view (cpu_at (came c v i a) d) = if d =? c then (v, i) else run_view (cpu_at a d).
Proof.
  intros. transitivity (run_view (cpu_at (set_cpu c (cpu_at a c <| cpu_vm := v |> <| cpu_vcpu := i |>) a) d)); [reflexivity|]. rewrite cpu_put.
  destruct (d =? c); reflexivity.
Qed.
Lemma came_saved : forall c v i a, saved (came c v i a) = saved a.
Proof. reflexivity. Qed.
Lemma asked_vcpu : forall v i r b u j, 0 <= i < NIE_MAX_VCPUS -> 0 <= j < NIE_MAX_VCPUS -> vcpu_at (set_vcpu v i r b) u j = if (u =? v) && (j =? i) then r else vcpu_at b u j.
Proof. exact vcpu_put. Qed.
Lemma asked_rest : forall v i r b, saved (set_vcpu v i r b) = saved b /\ (forall u, vm_at (set_vcpu v i r b) u = vm_at b u) /\ (forall q, cpu_at (set_vcpu v i r b) q = cpu_at b q).
Proof. repeat split. Qed.
Lemma same_vcpus : forall a b, vcpus b = vcpus a -> forall u j, vcpu_at b u j = vcpu_at a u j.
Proof. intros a b E u j. unfold vcpu_at. now rewrite E. Qed.

Lemma entered_by : forall c v i a m b d r, 0 <= i < NIE_MAX_VCPUS -> (forall u j, 0 <= j < NIE_MAX_VCPUS ->
    vcpu_at m u j = if (u =? v) && (j =? i) then vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |> else vcpu_at a u j) -> saved m = saved a ->
  (forall u, vm_view (vm_at m u) = vm_view (vm_at a u)) -> (forall q, run_view (cpu_at m q) = if q =? c then (v, i) else run_view (cpu_at a q)) ->
  calm m b -> r = vcpu_at b v i <| pending := PENDING_NONE |> <| syndrome := 0 |> -> calm (set_vcpu v i r b) d -> entered c v i a d.
Proof.
  intros c v i a m b d r I M1 M2 M3 M4 [B1 B2 B3 B4] -> [A1 A2 A3 A4]. pose proof (asked_rest v i (vcpu_at b v i <| pending := PENDING_NONE |> <| syndrome := 0 |>) b) as (R1 & R2 & R3).
  pose proof (same_vcpus _ _ A1) as VD. pose proof (same_vcpus _ _ B1) as VB. constructor.
  - rewrite VD, asked_vcpu, !Z.eqb_refl by exact I. cbn [andb]. split; [|reflexivity]. transitivity (vcpu_state (vcpu_at b v i)); [reflexivity|].
    rewrite VB, M1, !Z.eqb_refl by exact I. reflexivity.
  - intros u j J. destruct (Z.eq_dec u v) as [->|U]; [destruct (Z.eq_dec j i) as [->|]; [now left|]|]; right; rewrite VD, asked_vcpu by assumption;
      [replace ((v =? v) && (j =? i)) with false by lia|replace ((u =? v) && (j =? i)) with false by lia]; rewrite VB, M1 by exact J;
      [now replace ((v =? v) && (j =? i)) with false by lia|now replace ((u =? v) && (j =? i)) with false by lia].
  - rewrite A2, R1, B2. exact M2.
  - intro u. rewrite A3, R2, B3. apply M3.
  - intro q. rewrite A4, R3, B4. apply M4.
Qed.
Lemma enters_as : forall c v i a, 0 <= i < NIE_MAX_VCPUS -> entered c v i a (enter_vcpu c v i a).
Proof.
  intros c v i a I. rewrite enter_is.
  exact (entered_by c v i a (came c v i a) (brought c v i a) _ _ I (fun u j => came_vcpu c v i a u j I) (came_saved c v i a) (came_vm c v i a) (came_cpu c v i a) (brought_calm c v i a) eq_refl (answered_calm c v i _)).
Qed.

Section Enters.
Variables (v : Z) (k : Answers.book) (a b : state) (c u i : Z).
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis RU : runners a.
Hypothesis N : noted v k a.
Hypothesis I : 0 <= i < NIE_MAX_VCPUS.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis RD : vcpu_state (vcpu_at a u i) = VCPU_READY.
Hypothesis AC : vm_state (vm_at a u) = NIE_VM_ACTIVE.
Hypothesis E : entered c u i a b.

Lemma other_entered : u <> v -> noted v k b.
Proof.
  intro U. destruct E as [E1 E2 E3 E4 E5]. eapply still_noted; [exact V|exact (runners_range a RU)| |exact N]. constructor; auto.
  - intros j J. destruct (E2 v j J) as [[]|]; [congruence|assumption].
  - intros j w J. unfold saved_at. now rewrite E3.
  - intros d D R. pose proof (E5 d) as X. destruct (Z.eqb_spec d c) as [->|]; [|exact X]. unfold run_view in X. injection X as X _. congruence.
Qed.
Lemma it_entered : u = v -> noted v (k <| Answers.on ::= Answers.at_ c i |>) b.
Proof.
  intros ->. destruct E as [[E0 E1] E2 E3 E4 E5], N as [N1 N2 N3 N4 N5]. pose proof (E4 v) as VM. unfold vm_view in VM. injection VM as M1 M2 M3.
  constructor.
  - intros d D R. pose proof (E5 d) as X. unfold run_view in X. change (Answers.on (k <| Answers.on ::= Answers.at_ c i |>) d) with (if d =? c then i else Answers.on k d).
    destruct (Z.eqb_spec d c) as [->|ND]; injection X as X1 X2; rewrite X2; [split; [reflexivity|]; split; [exact E1|rewrite M1, AC; discriminate]|]. rewrite X1 in R. destruct (N1 d D R) as (Y1 & Y2 & Y3). split; [exact Y1|]. rewrite M1. split; [|exact Y3].
    assert (J : cpu_vm (cpu_at a d) <> CPU_HOST) by (rewrite R; unfold CPU_HOST, NIE_MAX_VMS in *; lia). destruct (RU d D J) as [J1 J2]. rewrite R in J2.
    destruct (E2 v (cpu_vcpu (cpu_at a d)) J1) as [[_ Q]|Q]; [rewrite Q, RD in J2; discriminate J2|]. rewrite Q. exact Y2.
  - rewrite M1. exact N2.
  - intros L p. unfold lives in L. rewrite M1 in L. change (Answers.window (k <| Answers.on ::= Answers.at_ c i |>) p) with (Answers.window k p). rewrite (N3 L).
    unfold vcpu_abort.in_ram_window. now rewrite M2, M3.
  - intros A j s d e J S R. rewrite M1 in A. change (Answers.stood (k <| Answers.on ::= Answers.at_ c i |>) j) with (Answers.stood k j) in S.
    change (Answers.window (k <| Answers.on ::= Answers.at_ c i |>)) with (Answers.window k). destruct (E2 v j J) as [[_ ->]|Q]; [rewrite E0 in R; discriminate R|].
    rewrite Q in R. eapply left_same; [exact (N4 A j s d e J S R)|exact Q|intro w; unfold saved_at; now rewrite E3].
  - intros A j J O. rewrite M1 in A. change (Answers.stood (k <| Answers.on ::= Answers.at_ c i |>) j) with (Answers.stood k j).
    destruct (E2 v j J) as [[_ ->]|Q]; [rewrite E0 in O; discriminate O|]. rewrite Q in O. auto.
Qed.
End Enters.

(** Whatever the host calls. *)

Definition new_book (b p : Z) : Answers.book := Answers.no_book <| Answers.window := fun y => (b / 4096 <=? y) && (y <? b / 4096 + p) |>.
Definition creates (v : Z) (x : Z -> Z) (status : Z) : Prop := x 0 mod 2 ^ 32 = NIE_VM_CREATE /\ x 1 = v /\ status = NIE_OK.

Lemma x0_answer : forall c l w d, x_of (answer c (w :: l) d) c 0 = w.
Proof.
  intros c l w d. unfold answer. cbn [answer_from]. assert (G : forall l i e, 0 < i -> x_of (answer_from c i l e) c 0 = x_of e c 0).
  { intro l0. induction l0 as [|y l0 IH]; intros i e I; cbn [answer_from]; [reflexivity|]. rewrite IH by lia. unfold x_of, set_x. rewrite cpu_same.
    transitivity (Map.get (Map.set (cpu_x (cpu_at e c)) i y) 0); [reflexivity|]. apply get_set_other. lia. }
  rewrite G by lia. unfold x_of, set_x. rewrite cpu_same. transitivity (Map.get (Map.set (cpu_x (cpu_at d c)) 0 w) 0); [reflexivity|]. apply get_set_same.
Qed.

Lemma v_not_host : forall v, 0 <= v < NIE_MAX_VMS -> CPU_HOST <> v.
Proof. unfold CPU_HOST, NIE_MAX_VMS. intros. lia. Qed.

Section Host.
Variables (v : Z) (k : Answers.book) (a : state) (c : Z) (ins : nat -> Z).
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis W : wf a.
Hypothesis N : noted v k a.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis HO : cpu_vm (cpu_at a c) = CPU_HOST.
Hypothesis X : forall r, 0 <= r < 31 -> 0 <= x_of a c r < 2 ^ 64.
Let RU : runners a := wf_runners a W.
Notation x := (x_of a c).

Definition goes_in (b : state) : Prop := exists i a1, x 2 = i /\ 0 <= i < NIE_MAX_VCPUS /\ b = enter_vcpu c v i a1 /\ calm a a1 /\
  (forall w, 0 <= w < RUN_IN_END -> said a1 c w = ins (Z.to_nat w)) /\ vm_state (vm_at a v) = NIE_VM_ACTIVE /\ vcpu_state (vcpu_at a v i) = VCPU_READY /\
  noted v (k <| Answers.on ::= Answers.at_ c i |>) b.
Definition begins (b : state) : Prop := creates v x (x_of b c 0) /\ cpu_vm (cpu_at b c) = CPU_HOST /\ noted v (new_book (x 3) (x 4)) b.
Definition goes_on (b : state) : Prop := ~ creates v x (x_of b c 0) /\ cpu_vm (cpu_at b c) <> v /\ noted v k b.

Lemma plain : forall b l, x 0 mod 2 ^ 32 <> NIE_VM_CREATE -> noted v k b -> in_range b -> cpu_vm (cpu_at b c) = CPU_HOST -> goes_on (answer c l b).
Proof.
  intros b l F NB R H. split; [intros [Q _]; contradiction|]. pose proof (calm_answer l c b b (calm_refl b)) as CA. split.
  - pose proof (ca_cpus _ _ CA c) as Q. unfold run_view in Q. injection Q as Q _. rewrite Q, H. exact (v_not_host v V).
  - exact (still_noted v k b _ V R (calm_still v _ _ CA) NB).
Qed.
Lemma plain_calm : forall b l, x 0 mod 2 ^ 32 <> NIE_VM_CREATE -> calm a b -> goes_on (answer c l b).
Proof.
  intros b l F CB. apply plain; auto.
  - exact (calm_noted v k a V W N b CB).
  - apply runners_range. exact (calm_runners _ _ CB RU).
  - pose proof (ca_cpus _ _ CB c) as Q. unfold run_view in Q. injection Q as Q _. now rewrite Q.
Qed.

Lemma run_noted : goes_in (let '(status, b) := vcpu_run c (x 1) (x 2) ins a in if status =? NIE_OK then b else answer c [status] b) \/
  (x 0 mod 2 ^ 32 <> NIE_VM_CREATE -> goes_on (let '(status, b) := vcpu_run c (x 1) (x 2) ins a in if status =? NIE_OK then b else answer c [status] b)).
Proof.
  unfold vcpu_run. cbv zeta. destruct (Z.eqb_spec (vcpu_run_check a (x 1) (x 2)) NIE_OK) as [K|K].
  2:{ right. intro F. replace (vcpu_run_check a (x 1) (x 2) =? NIE_OK) with false by (symmetry; now apply Z.eqb_neq). now apply plain_calm, calm_refl. }
  set (a1 := set_cpu c _ a). assert (C1 : calm a a1) by (apply calm_cpu; [apply calm_refl|reflexivity]).
  destruct (lrs_ok _); [|right; intro F; now apply plain_calm].
  unfold vcpu_run_check in K. destruct (vm_exists (x 1)) eqn:EX; [|discriminate K]. unfold vm_exists in EX. unfold vm_is in K. rewrite orb_diag in K.
  destruct (Z.eqb_spec (vm_state (vm_at a (x 1))) NIE_VM_ACTIVE) as [A|]; [|discriminate K]. destruct (Z.ltb_spec (x 2) (vcpu_count (vm_at a (x 1)))) as [L|]; [|discriminate K].
  destruct (negb _); [|discriminate K]. destruct (Z.eqb_spec (vcpu_state (vcpu_at a (x 1) (x 2))) VCPU_READY) as [RD|]; [|discriminate K]. clear K.
  pose proof (X 1 ltac:(lia)) as X1. pose proof (X 2 ltac:(lia)) as X2. 
  assert (UC : vcpu_count (vm_at a (x 1)) <= NIE_MAX_VCPUS) by (pose proof (v_used _ (wf_v _ W) (x 1) ltac:(lia) ltac:(rewrite A; discriminate)); tauto).
  assert (I : 0 <= x 2 < NIE_MAX_VCPUS) by lia. pose proof (enters_as c (x 1) (x 2) a1 I) as E. change (NIE_OK =? NIE_OK) with true. cbv iota.
  assert (IN : forall w, 0 <= w < RUN_IN_END -> said a1 c w = ins (Z.to_nat w)).
  { intros w B. unfold said, a1. rewrite cpu_put, Z.eqb_refl. transitivity (Map.get (fill RUN_IN_END 0 (fun w => ins (Z.to_nat w)) (Map.const 0)) w); [reflexivity|].
    unfold RUN_IN_END in *. rewrite get_fill by lia. replace ((0 <=? w) && (w <? 0 + 10)) with true by lia. now rewrite Z.sub_0_r. }
  clearbody a1. pose proof (calm_noted v k a V W N a1 C1) as N1. pose proof (calm_runners _ _ C1 RU) as R1.
  assert (A1 : vm_state (vm_at a1 (x 1)) = NIE_VM_ACTIVE) by (pose proof (ca_vms _ _ C1 (x 1)) as Q; unfold vm_view in Q; injection Q as Q _ _; now rewrite Q).
  assert (RD1 : vcpu_state (vcpu_at a1 (x 1) (x 2)) = VCPU_READY) by (unfold vcpu_at in *; rewrite (ca_vcpus _ _ C1); exact RD).
  destruct (Z.eq_dec (x 1) v) as [U|U].
  - left. rewrite U in *. unfold goes_in. exists (x 2), a1. repeat (split; [first [reflexivity|assumption]|]). exact (it_entered v k a1 _ c v (x 2) V R1 N1 RD1 A1 E eq_refl).
  - right. intro F. split; [intros [Q _]; contradiction|]. pose proof (en_cpu _ _ _ _ _ E c) as Q. rewrite Z.eqb_refl in Q. unfold run_view in Q. injection Q as Q _.
    split; [rewrite Q; exact U|]. exact (other_entered v k a1 _ c (x 1) (x 2) V R1 N1 E U).
Qed.

Definition kept_by (b : state) : Prop := goes_in b \/ begins b \/ goes_on b.
Lemma plainly : forall (r : Z * state), x 0 mod 2 ^ 32 <> NIE_VM_CREATE -> noted v k (snd r) -> in_range (snd r) -> cpu_vm (cpu_at (snd r) c) = CPU_HOST ->
  kept_by (let '(status, b) := r in answer c [status] b).
Proof. intros [s b] F NB R H. right. right. now apply plain. Qed.
Lemma plainly3 : forall (r : (Z * Z * Z) * state), x 0 mod 2 ^ 32 <> NIE_VM_CREATE -> noted v k (snd r) -> in_range (snd r) -> cpu_vm (cpu_at (snd r) c) = CPU_HOST ->
  kept_by (let '((status, x1, x2), b) := r in answer c [status; x1; x2] b).
Proof. intros [[[s x1] x2] b] F NB R H. right. right. now apply plain. Qed.
Lemma calmly1 : forall (r : Z * state), x 0 mod 2 ^ 32 <> NIE_VM_CREATE -> calm a (snd r) -> kept_by (let '(status, b) := r in answer c [status] b).
Proof. intros [s b] F CB. right. right. now apply plain_calm. Qed.
Lemma calmly3 : forall (r : (Z * Z * Z) * state), x 0 mod 2 ^ 32 <> NIE_VM_CREATE -> calm a (snd r) -> kept_by (let '((status, x1, x2), b) := r in answer c [status; x1; x2] b).
Proof. intros [[[s x1] x2] b] F CB. right. right. now apply plain_calm. Qed.
End Host.
