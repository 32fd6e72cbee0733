(* SPDX-License-Identifier: Apache-2.0 *)
(* What was in any register before an entry does not reach the vCPU: of every place of the register census.
   LESS: of spec/Switch.v's entry; Theorems.vcpu_run_is_correct says that the C's is that, register for register. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map Machine.
From nie.spec Require Import State Registers Switch Census.
From nie.generated Require Import Constants.
From nie.proof.security Require Import registers_switched.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

(** Nothing of what the registers held before an entry reaches the vCPU: not in a place of the census, not in the controls that
    differ, not in x0..x30, not in a vector register. [b]: the machine with any other contents of them. *)

Definition places : list Z := held ++ [REG_HCR_EL2; REG_VTTBR_EL2; REG_VMPIDR_EL2; REG_CNTVOFF_EL2; REG_CNTHCTL_EL2].

Record same_to (c v i : Z) (a b : state) : Prop := {
  st_reg : forall r, In r places -> reg_of a r = reg_of b r;
  st_x : forall n, 0 <= n < 31 -> x_of a c n = x_of b c n;
  st_fp : forall n, 0 <= n < 66 -> Map.get (fp_here a) n = Map.get (fp_here b) n;
  st_said : run_in (cpu_at a c) = run_in (cpu_at b c);
  st_vcpu : vcpu_at a v i = vcpu_at b v i;
}.

Lemma same_set_x : forall c v i a b n x, same_to c v i a b -> same_to c v i (set_x c n x a) (set_x c n x b).
Proof.
  intros c v i a b n x [R X F S V]. split; trivial.
  - intros m M. unfold x_of, set_x. rewrite !cpu_same. cbn. rewrite !Map.get_set. destruct (m =? n); trivial. now apply X.
  - unfold set_x. rewrite !cpu_same. exact S.
Qed.
Lemma same_set_here : forall c v i a b r x, same_to c v i a b -> same_to c v i (set_here r x a) (set_here r x b).
Proof.
  intros c v i a b r x [R X F S V]. split; trivial.
  intros q Q. unfold reg_of, set_here. cbn. rewrite !Map.get_set. destruct (q =? r); trivial. now apply R.
Qed.
Lemma same_set_vcpu : forall c v i a b p, same_to c v i a b -> same_to c v i (set_vcpu v i p a) (set_vcpu v i p b).
Proof. intros c v i a b p [R X F S V]. split; trivial. unfold vcpu_at, set_vcpu. cbn. now rewrite !get_set_same. Qed.
Lemma same_set_gpr : forall c v i a b n x, same_to c v i a b -> same_to c v i (set_gpr c n x a) (set_gpr c n x b).
Proof. intros. unfold set_gpr. destruct (n <? 31); trivial. now apply same_set_x. Qed.
Lemma same_answer : forall c v i l n a b, same_to c v i a b -> same_to c v i (answer_from c n l a) (answer_from c n l b).
Proof. intros c v i. induction l as [|x l IH]; intros; cbn [answer_from]; auto. apply IH. now apply same_set_x. Qed.
Lemma same_skip : forall c v i a b, same_to c v i a b -> same_to c v i (skip_instruction a) (skip_instruction b).
Proof.
  intros c v i a b H. unfold skip_instruction, set_regs. cbn [fold_left fst snd].
  rewrite (st_reg _ _ _ _ _ H REG_ELR_EL2), (st_reg _ _ _ _ _ H REG_SPSR_EL2) by (apply among_spec; vm_compute; reflexivity).
  now repeat apply same_set_here.
Qed.
Lemma said_same : forall c v i a b w, same_to c v i a b -> said a c w = said b c w.
Proof. intros c v i a b w H. unfold said. now rewrite (st_said _ _ _ _ _ H). Qed.

Lemma same_take_answer : forall c v i a b, same_to c v i a b -> same_to c v i (take_answer c v i a) (take_answer c v i b).
Proof.
  intros c v i a b H. unfold take_answer. rewrite (st_vcpu _ _ _ _ _ H).
  pose proof (same_set_vcpu c v i a b (vcpu_at b v i <| pending := PENDING_NONE |> <| syndrome := 0 |>) H) as H'.
  rewrite !(said_same c v i _ _ _ H').
  destruct (pending (vcpu_at b v i) =? PENDING_CALL). { now apply same_answer. }
  destruct (_ || _); trivial. apply same_skip.
  destruct (pending (vcpu_at b v i) =? PENDING_READ); trivial. now apply same_set_gpr.
Qed.

(* All of an entry but the answer to the last exit. *)
Definition loaded (c v i : Z) (a : state) : state :=
  let a := set_vcpu v i (vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |>) a in
  let a := set_vm v (vm_at a v <| running ::= fun n => n + 1 |>) a in
  let a := set_cpu c (cpu_at a c <| cpu_vm := v |> <| cpu_vcpu := i |>) a in
  let a := load_vcpu c v i (save_host c a) in
  let a := load_regs NIE_LRS REG_ICH_LR0_EL2 (fun n => said a c (RUN_IN_LR0 + n)) a in
  set_here REG_ICH_HCR_EL2 (Z.lor ICH_HCR_EN (Z.land (said a c RUN_IN_ICH_HCR) ICH_HCR_ENABLES)) a.
Definition brought (c v i : Z) (a : state) : state := set_last v c (i + 1) (controls_vcpu v i (loaded c v i a)).
Lemma enter_is : forall c v i a, enter_vcpu c v i a = take_answer c v i (brought c v i a).
Proof. reflexivity. Qed.

Lemma said_brought : forall c p a w, said (set_cpu c p a) c w = Map.get (run_in p) w.
Proof. intros. unfold said. now rewrite cpu_same. Qed.

(* The values that an entry brings, from what does not change with [here]. *)
Definition reg_brought (c v i : Z) (a : state) (r : Z) (was : Z) : Z :=
  if r =? REG_CNTHCTL_EL2 then CNTHCTL_GUEST
  else if r =? REG_CNTVOFF_EL2 then cntvoff (vm_at a v)
  else if r =? REG_VMPIDR_EL2 then 2 ^ 31 + i
  else if r =? REG_VTTBR_EL2 then (v + 1) * 2 ^ 48 + address_of (root (vm_at a v))
  else if r =? REG_HCR_EL2 then HCR_GUEST
  else if r =? REG_ICH_HCR_EL2 then Z.lor ICH_HCR_EN (Z.land (said a c RUN_IN_ICH_HCR) ICH_HCR_ENABLES)
  else if list_register r then said a c (RUN_IN_LR0 + (r - REG_ICH_LR0_EL2))
  else match saved_word r with Some w => saved_at a v i w | None => was end.

Lemma reg_set_here : forall s x a r, reg_of (set_here s x a) r = if r =? s then x else reg_of a r.
Proof. intros. unfold reg_of, set_here. cbn. apply Map.get_set. Qed.
Lemma reg_load_regs : forall n to f a r, 0 <= n -> reg_of (load_regs n to f a) r = if (to <=? r) && (r <? to + n) then f (r - to) else reg_of a r.
Proof. intros. unfold reg_of, load_regs. cbn [here]. change (here (a <| here ::= ?g |>)) with (g (here a)). now apply get_fill. Qed.
Lemma cpu_loaded : forall c v i a, cpu_at (load_vcpu c v i a) c = cpu_at a c <| cpu_x := fill 31 0 (fun n => saved_at a v i (CTX_X0 + n)) (Map.const 0) |>.
Proof. intros. apply get_set_same. Qed.
Lemma cpu_saved : forall c a, cpu_at (save_host c a) c = cpu_at a c <| host_x := cpu_x (cpu_at a c) |> <| host_sysreg := here a |>.
Proof. intros. apply get_set_same. Qed.

Lemma said_loaded : forall c v i b p w, said (load_vcpu c v i (save_host c (set_cpu c p b))) c w = Map.get (run_in p) w.
Proof. intros. unfold said. rewrite cpu_loaded, cpu_saved, cpu_same. reflexivity. Qed.
Lemma vm_loaded : forall c v i a, vm_at (loaded c v i a) v = vm_at a v <| running ::= fun n => n + 1 |>.
Proof. intros. apply get_set_same. Qed.
Lemma reg_set_last : forall v c n a r, reg_of (set_last v c n a) r = reg_of a r.
Proof. reflexivity. Qed.
Lemma said_load_regs : forall n to f b c w, said (load_regs n to f b) c w = said b c w.
Proof. reflexivity. Qed.
Lemma reg_load_vcpu : forall c v i a r, reg_of (load_vcpu c v i a) r = match saved_word r with Some w => saved_at a v i w | None => reg_of a r end.
Proof.
  intros. destruct (saved_word r) as [w|] eqn:E; [now apply vcpu_finds_what_it_left|].
  unfold reg_of. rewrite here_loaded, Map.get_set, !get_fill by (bounds; lia). revert E. unfold saved_word. bounds.
  decide_bounds; intro E; try discriminate E; reflexivity.
Qed.
Lemma reg_loaded : forall c v i a r, reg_of (loaded c v i a) r =
  if r =? REG_ICH_HCR_EL2 then Z.lor ICH_HCR_EN (Z.land (said a c RUN_IN_ICH_HCR) ICH_HCR_ENABLES)
  else if list_register r then said a c (RUN_IN_LR0 + (r - REG_ICH_LR0_EL2))
  else match saved_word r with Some w => saved_at a v i w | None => reg_of a r end.
Proof.
  intros. unfold loaded. rewrite reg_set_here, reg_load_regs by (bounds; lia). fold (list_register r).
  rewrite said_load_regs, !said_loaded, reg_load_vcpu.
  destruct (r =? REG_ICH_HCR_EL2); [reflexivity|]. destruct (list_register r); reflexivity.
Qed.
Lemma reg_of_brought : forall c v i a r, reg_of (brought c v i a) r = reg_brought c v i a r (reg_of a r).
Proof.
  intros. unfold brought, controls_vcpu, set_regs. cbn [fold_left fst snd]. rewrite reg_set_last, !reg_set_here, vm_loaded, reg_loaded. reflexivity.
Qed.
Lemma x_of_brought : forall c v i a n, 0 <= n < 31 -> x_of (brought c v i a) c n = saved_at a v i (CTX_X0 + n).
Proof.
  intros c v i a n N. unfold x_of.
  transitivity (Map.get (fill 31 0 (fun n => saved_at a v i (CTX_X0 + n)) (Map.const 0)) n).
  - unfold brought, loaded.
    assert (K : forall w b, cpu_at (set_last v c w (controls_vcpu v i b)) c = cpu_at b c) by reflexivity.
    assert (L : forall n t f b, cpu_at (load_regs n t f b) c = cpu_at b c) by reflexivity.
    assert (H : forall r x b, cpu_at (set_here r x b) c = cpu_at b c) by reflexivity.
    rewrite K, H, L, cpu_loaded. reflexivity.
  - rewrite get_fill by lia. replace ((0 <=? n) && (n <? 0 + 31))%bool with true by lia. now rewrite Z.sub_0_r.
Qed.
Lemma fp_of_brought : forall c v i a n, 0 <= n < 66 -> Map.get (fp_here (brought c v i a)) n = saved_at a v i (CTX_FP + n).
Proof.
  intros c v i a n N. transitivity (Map.get (fill 66 0 (fun n => saved_at a v i (CTX_FP + n)) (Map.const 0)) n); [reflexivity|].
  rewrite get_fill by lia. replace ((0 <=? n) && (n <? 0 + 66))%bool with true by lia. now rewrite Z.sub_0_r.
Qed.
Lemma said_of_brought : forall c v i a, run_in (cpu_at (brought c v i a) c) = run_in (cpu_at a c).
Proof.
  intros. unfold brought, loaded.
  assert (K : forall w b, cpu_at (set_last v c w (controls_vcpu v i b)) c = cpu_at b c) by reflexivity.
  assert (L : forall n t f b, cpu_at (load_regs n t f b) c = cpu_at b c) by reflexivity.
  assert (H : forall r x b, cpu_at (set_here r x b) c = cpu_at b c) by reflexivity.
  rewrite K, H, L, cpu_loaded, cpu_saved, cpu_same. reflexivity.
Qed.
Lemma vcpu_of_brought : forall c v i a, vcpu_at (brought c v i a) v i = vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |>.
Proof. intros. apply get_set_same. Qed.
Lemma brought_all : forall r, In r places -> forall c v i a was was', reg_brought c v i a r was = reg_brought c v i a r was'.
Proof.
  intros r I c v i a was was'.
  pose proof (all_in (fun r => (r =? REG_CNTHCTL_EL2) || (r =? REG_CNTVOFF_EL2) || (r =? REG_VMPIDR_EL2) || (r =? REG_VTTBR_EL2) || (r =? REG_HCR_EL2)
    || (r =? REG_ICH_HCR_EL2) || list_register r || match saved_word r with Some _ => true | None => false end) places ltac:(vm_compute; reflexivity) r I) as B.
  cbv beta in B. unfold reg_brought.
  destruct (r =? REG_CNTHCTL_EL2); trivial. destruct (r =? REG_CNTVOFF_EL2); trivial. destruct (r =? REG_VMPIDR_EL2); trivial.
  destruct (r =? REG_VTTBR_EL2); trivial. destruct (r =? REG_HCR_EL2); trivial. destruct (r =? REG_ICH_HCR_EL2); trivial.
  destruct (list_register r); trivial. destruct (saved_word r); trivial. discriminate B.
Qed.

Definition other_registers (c : Z) (m f x : Map.t Z) (a : state) : state := set_cpu c (cpu_at a c <| cpu_x := x |>) (a <| here := m |> <| fp_here := f |>).
Lemma said_other : forall c m f x a w, said (other_registers c m f x a) c w = said a c w.
Proof. intros. unfold other_registers. now rewrite said_brought. Qed.
Lemma run_other : forall c m f x a, run_in (cpu_at (other_registers c m f x a) c) = run_in (cpu_at a c).
Proof. intros. unfold other_registers. now rewrite cpu_same. Qed.
Lemma vm_other : forall c m f x a v, vm_at (other_registers c m f x a) v = vm_at a v.
Proof. reflexivity. Qed.
Lemma saved_other : forall c m f x a v i w, saved_at (other_registers c m f x a) v i w = saved_at a v i w.
Proof. reflexivity. Qed.
Lemma vcpu_other : forall c m f x a v i, vcpu_at (other_registers c m f x a) v i = vcpu_at a v i.
Proof. reflexivity. Qed.

Theorem entry_forgets : forall c v i a m f x, same_to c v i (enter_vcpu c v i a) (enter_vcpu c v i (other_registers c m f x a)).
Proof.
  intros. rewrite !enter_is. apply same_take_answer. split.
  - intros r I. rewrite !reg_of_brought, (brought_all r I c v i (other_registers c m f x a) _ (reg_of a r)).
    unfold reg_brought. rewrite !said_other, !vm_other. destruct (saved_word r); [rewrite saved_other|]; reflexivity.
  - intros n N. now rewrite !x_of_brought, saved_other.
  - intros n N. now rewrite !fp_of_brought, saved_other.
  - now rewrite !said_of_brought, run_other.
  - now rewrite !vcpu_of_brought, vcpu_other.
Qed.

(* It bites: a switch that leaves out any one of the places does not forget, whatever the state. *)
Definition leaving_out (r c v i : Z) (a : state) : state := set_here r (reg_of a r) (enter_vcpu c v i a).
Theorem leaving_one_out_remembers : forall r a c v i, In r places ->
  ~ forall m f x, same_to c v i (leaving_out r c v i a) (leaving_out r c v i (other_registers c m f x a)).
Proof.
  intros r a c v i I H. specialize (H (Map.const (reg_of a r + 1)) (Map.const 0) (Map.const 0)).
  apply st_reg with (r := r) in H; trivial. unfold leaving_out in H. rewrite !reg_set_here, Z.eqb_refl in H.
  assert (E : reg_of (other_registers c (Map.const (reg_of a r + 1)) (Map.const 0) (Map.const 0) a) r = reg_of a r + 1) by apply Map.get_const.
  lia.
Qed.
