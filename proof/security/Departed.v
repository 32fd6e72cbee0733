(* SPDX-License-Identifier: Apache-2.0 *)
(* An exit keeps the book of spec/Answers.v in agreement with the specification's state: of the specified world switch. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State Registers Switch Actions.
From nie.spec Require Step Released Answers.
From nie.spec.trap Require vcpu_abort.
From nie.proof.invariant Require Import Meaning.
From nie.proof.security Require Import registers_switched Answered Calm Noted Entered.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
#[local] Existing Instance Answers.eta_book.

(* [i] of VM [v] has left CPU [c] between [a] and [b]; another vCPU may have been turned on, the VM may have ended. *)
Record departed (c v i : Z) (off : bool) (a b : state) : Prop := {
  dp_state : vcpu_state (vcpu_at b v i) = if off then VCPU_OFF else VCPU_READY;
  dp_other : forall j, 0 <= j < NIE_MAX_VCPUS -> j <> i -> (vcpu_at b v j = vcpu_at a v j /\ forall w, saved_at b v j w = saved_at a v j w) \/
    (vcpu_state (vcpu_at a v j) = VCPU_OFF /\ vcpu_state (vcpu_at b v j) = VCPU_READY);
  dp_vm : (vm_view (vm_at b v) = vm_view (vm_at a v)) \/ vm_state (vm_at b v) = NIE_VM_STOPPED;
  dp_here : cpu_vm (cpu_at b c) = CPU_HOST;
  dp_cpu : forall d, d <> c -> run_view (cpu_at b d) = run_view (cpu_at a d);
}.

Definition with_left (k : Answers.book) (i : Z) (off : bool) (s : Step.machine) (c : Z) (e : Step.exception) : Answers.book :=
  k <| Answers.stood ::= Answers.at_ i (if off then None else Some (s, c, e)) |>.

Section Departed.
Variables (v : Z) (k : Answers.book) (a b : state) (c : Z) (off : bool) (s : Step.machine) (cc : Z) (e : Step.exception).
Let i := cpu_vcpu (cpu_at a c).
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis W : wf a.
Hypothesis N : noted v k a.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis HV : cpu_vm (cpu_at a c) = v.
Hypothesis D : departed c v i off a b.
Hypothesis L : off = false -> vm_state (vm_at b v) = NIE_VM_ACTIVE -> left_in (Answers.window k) s cc e b v i.

Lemma departed_noted : noted v (with_left k i off s cc e) b.
Proof.
  assert (HN : forall d, cpu_vm (cpu_at a d) = v -> cpu_vm (cpu_at a d) <> CPU_HOST) by (intros d -> Q; exact (v_not_host v V (eq_sym Q))).
  pose proof (u_runs _ (wf_u _ W) c C (HN c HV)) as U. cbv zeta in U. fold i in U. rewrite HV in U. destruct U as (_ & I & RI & CI).
  destruct N as [N1 N2 N3 N4 N5]. destruct (N1 c C HV) as (_ & _ & NB). destruct D as [D1 D2 D3 D4 D5].
  assert (ST : forall j, Answers.stood (with_left k i off s cc e) j = if j =? i then if off then None else Some (s, cc, e) else Answers.stood k j) by reflexivity.
  assert (WI : Answers.window (with_left k i off s cc e) = Answers.window k) by reflexivity.
  assert (AC : vm_state (vm_at b v) = NIE_VM_ACTIVE -> vm_state (vm_at a v) = NIE_VM_ACTIVE /\ vm_view (vm_at b v) = vm_view (vm_at a v)).
  { intro A. destruct D3 as [Q|Q]; [|rewrite Q in A; discriminate A]. split; [|exact Q]. unfold vm_view in Q. congruence. }
  assert (NBB : vm_state (vm_at b v) <> NIE_VM_BUILDING) by (destruct D3 as [Q|Q]; [unfold vm_view in Q; congruence|rewrite Q; discriminate]).
  constructor.
  - intros d DD R. destruct (Z.eq_dec d c) as [->|ND]; [exfalso; rewrite D4 in R; exact (v_not_host v V R)|].
    pose proof (D5 d ND) as X. unfold run_view in X. injection X as X1 X2. rewrite X1 in R. rewrite X2. destruct (N1 d DD R) as (Y1 & Y2 & _).
    split; [exact Y1|]. split; [|exact NBB]. pose proof (u_runs _ (wf_u _ W) d DD (HN d R)) as U. cbv zeta in U. rewrite R in U. destruct U as (_ & J & RJ & CJ).
    destruct (D2 (cpu_vcpu (cpu_at a d)) J) as [[Q _]|[Q _]].
    + intro E. rewrite E in CJ. congruence.
    + rewrite Q. exact Y2.
    + rewrite Q in RJ. discriminate RJ.
  - intro Q. contradiction.
  - intros Q p. rewrite WI. destruct D3 as [M|M]; [|destruct Q as [Q|Q]; rewrite M in Q; discriminate Q]. unfold vm_view in M. injection M as M1 M2 M3.
    unfold lives in Q. rewrite M1 in Q. rewrite (N3 Q). unfold vcpu_abort.in_ram_window. now rewrite M2, M3.
  - intros A j s0 c0 e0 J S R. rewrite ST in S. rewrite WI. destruct (AC A) as [A0 _]. destruct (Z.eqb_spec j i) as [->|NJ].
    + destruct off; [discriminate S|]. injection S as <- <- <-. auto.
    + destruct (D2 j J NJ) as [[Q1 Q2]|[Q1 Q2]]; [|rewrite (N5 A0 j J Q1) in S; discriminate S].
      rewrite Q1 in R. eapply left_same; [exact (N4 A0 j _ _ _ J S R)|exact Q1|exact Q2].
  - intros A j J O. rewrite ST. destruct (AC A) as [A0 _]. destruct (Z.eqb_spec j i) as [->|NJ].
    + rewrite D1 in O. destruct off; [reflexivity|discriminate O].
    + destruct (D2 j J NJ) as [[Q1 Q2]|[Q1 Q2]]; [rewrite Q1 in O; auto|rewrite Q2 in O; discriminate O].
Qed.
End Departed.

(** The specified exit. *)

Lemma calm_load_host : forall a b c, calm a b -> calm a (load_host c b).
Proof. intros. unfold load_host. cbv zeta. apply calm_lists, calm_cpu; [assumption|reflexivity]. Qed.
Definition saved_words (c v i : Z) (a : state) : Map.t Z :=
  let m := Map.get (saved a) (v * NIE_MAX_VCPUS + i) in
  let m := fill 31 CTX_X0 (x_of a c) m in
  let m := fill REG_SWITCHED CTX_SYSREG (reg_of a) m in
  let m := fill CTX_ICH_COUNT CTX_ICH (fun r => reg_of a (REG_ICH_VMCR_EL2 + r)) m in
  let m := Map.set m CTX_VDISR (reg_of a REG_VDISR_EL2) in fill 66 CTX_FP (Map.get (fp_here a)) m.
Lemma save_is : forall c v i a, save_vcpu c v i a = set_saved v i (saved_words c v i a) a <| fp_here := Map.const 0 |>.
Proof. reflexivity. Qed.
Lemma saved_x : forall c v i a r, 0 <= r < 31 -> Map.get (saved_words c v i a) (CTX_X0 + r) = x_of a c r.
Proof.
  intros c v i a r R. unfold saved_words. cbv zeta. rewrite get_fill, Map.get_set, !get_fill by (unfold REG_SWITCHED, CTX_ICH_COUNT; lia).
  unfold CTX_FP, CTX_VDISR, CTX_ICH, CTX_SYSREG, CTX_X0, REG_SWITCHED, CTX_ICH_COUNT. decide_bounds; try (exfalso; lia). f_equal. lia.
Qed.
Lemma saved_pc : forall c v i a, Map.get (saved_words c v i a) (CTX_SYSREG + REG_ELR_EL2) = reg_of a REG_ELR_EL2.
Proof.
  intros c v i a. unfold saved_words. cbv zeta. rewrite get_fill, Map.get_set, !get_fill by (unfold REG_SWITCHED, CTX_ICH_COUNT; lia). reflexivity.
Qed.
#[local] Opaque saved_words load_host set_regs.

Record left_by (c v i : Z) (off : bool) (a b : state) : Prop := {
  lb_it : vcpu_at b v i = vcpu_at a v i <| vcpu_state := if off then VCPU_OFF else VCPU_READY |>;
  lb_x : forall r, 0 <= r < 31 -> saved_at b v i (CTX_X0 + r) = x_of a c r;
  lb_pc : saved_at b v i (CTX_SYSREG + REG_ELR_EL2) = reg_of a REG_ELR_EL2;
  lb_vcpu : forall u j, 0 <= j < NIE_MAX_VCPUS -> (u = v /\ j = i) \/ (vcpu_at b u j = vcpu_at a u j /\ forall w, saved_at b u j w = saved_at a u j w);
  lb_vm : forall u, vm_view (vm_at b u) = vm_view (vm_at a u);
  lb_here : cpu_vm (cpu_at b c) = CPU_HOST;
  lb_cpu : forall d, d <> c -> run_view (cpu_at b d) = run_view (cpu_at a d);
}.
Definition gone (c v i off : Z) (m : Map.t Z) (a : state) : state :=
  let a1 := set_saved v i m a <| fp_here := Map.const 0 |> in
  let a2 := set_vcpu v i (vcpu_at a1 v i <| vcpu_state := off |>) a1 in
  let a3 := set_vm v (vm_at a2 v <| running ::= fun n => n - 1 |>) a2 in
  set_cpu c (cpu_at a3 c <| cpu_vm := CPU_HOST |>) a3.
Lemma gone_vcpu : forall c v i off m a u j, 0 <= i < NIE_MAX_VCPUS -> 0 <= j < NIE_MAX_VCPUS ->
  vcpu_at (gone c v i off m a) u j = if (u =? v) && (j =? i) then vcpu_at a v i <| vcpu_state := off |> else vcpu_at a u j.
Proof. intros c v i off m a u j I J. exact (vcpu_put v i (vcpu_at a v i <| vcpu_state := off |>) a u j I J). Qed.
Lemma gone_saved : forall c v i off m a u j w, 0 <= i < NIE_MAX_VCPUS -> 0 <= j < NIE_MAX_VCPUS ->
  saved_at (gone c v i off m a) u j w = if (u =? v) && (j =? i) then Map.get m w else saved_at a u j w.
Proof. intros c v i off m a u j w I J. exact (saved_put v i m a u j w I J). Qed.
Lemma gone_vm : forall c v i off m a u, vm_view (vm_at (gone c v i off m a) u) = vm_view (vm_at a u).
Proof.
  intros. transitivity (vm_view (vm_at (set_vm v (vm_at a v <| running ::= fun n => n - 1 |>) a) u)); [reflexivity|]. rewrite vm_put.
  destruct (Z.eqb_spec u v) as [->|]; reflexivity.
Qed.
Lemma gone_cpu : forall c v i off m a d, cpu_at (gone c v i off m a) d = if d =? c then cpu_at a c <| cpu_vm := CPU_HOST |> else cpu_at a d.
Proof. intros. exact (cpu_put c (cpu_at a c <| cpu_vm := CPU_HOST |>) a d). Qed.
Lemma exit_calm : forall c x a, let v := cpu_vm (cpu_at a c) in let i := cpu_vcpu (cpu_at a c) in
  calm (gone c v i (if exit_reason x =? NIE_EXIT_CPU_OFF then VCPU_OFF else VCPU_READY) (saved_words c v i a) a) (snd (exit_vcpu c x a)).
Proof.
  intros c x a v i. unfold exit_vcpu. cbv zeta. cbn [snd]. fold v i. rewrite save_is. unfold controls_host.
  apply calm_regs, calm_x, calm_load_host. unfold gone. cbv zeta. apply calm_refl.
Qed.
Lemma left_by_gone : forall c v i (off : bool) m g a b, 0 <= i < NIE_MAX_VCPUS ->
  g = gone c v i (if off then VCPU_OFF else VCPU_READY) m a -> (forall r, 0 <= r < 31 -> Map.get m (CTX_X0 + r) = x_of a c r) ->
  Map.get m (CTX_SYSREG + REG_ELR_EL2) = reg_of a REG_ELR_EL2 -> calm g b -> left_by c v i off a b.
Proof.
  intros c v i off m g a b I -> MX MP [B1 B2 B3 B4].
  assert (SB : forall u j w, saved_at b u j w = saved_at (gone c v i (if off then VCPU_OFF else VCPU_READY) m a) u j w) by (intros; unfold saved_at; now rewrite B2).
  pose proof (same_vcpus _ _ B1) as VB. constructor.
  - rewrite VB, gone_vcpu, !Z.eqb_refl by exact I. reflexivity.
  - intros r R. rewrite SB, gone_saved, !Z.eqb_refl by exact I. cbn [andb]. auto.
  - rewrite SB, gone_saved, !Z.eqb_refl by exact I. exact MP.
  - intros u j J. destruct (Z.eq_dec u v) as [->|U]; [destruct (Z.eq_dec j i) as [->|]; [now left|]|]; right; split; intros; rewrite ?VB, ?SB, ?gone_vcpu, ?gone_saved by assumption;
      first [now replace ((v =? v) && (j =? i)) with false by lia|now replace ((u =? v) && (j =? i)) with false by lia].
  - intro u. rewrite B3. apply gone_vm.
  - pose proof (B4 c) as Q. rewrite gone_cpu, Z.eqb_refl in Q. unfold run_view in Q. injection Q as Q _. exact Q.
  - intros d ND. rewrite B4, gone_cpu. now replace (d =? c) with false by lia.
Qed.
Theorem exit_leaves : forall c x a, let v := cpu_vm (cpu_at a c) in let i := cpu_vcpu (cpu_at a c) in 0 <= i < NIE_MAX_VCPUS ->
  left_by c v i (exit_reason x =? NIE_EXIT_CPU_OFF) a (snd (exit_vcpu c x a)).
Proof.
  intros c x a v i I. eapply left_by_gone; [exact I|reflexivity|exact (saved_x c v i a)|exact (saved_pc c v i a)|exact (exit_calm c x a)].
Qed.
