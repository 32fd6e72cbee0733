(* SPDX-License-Identifier: Apache-2.0 *)
(* THEOREMS.md, point 6: the register file is complete. spec/Census.v says which registers there are, by the architecture; here:
   the model's file is exactly that, and the world switch of spec/Switch.v switches all of it.
   LESS: of the specification; that the C's switch is that, register for register, is Theorems.vcpu_run_is_correct and
   Theorems.exit_vcpu_is_correct. TLBs, which the census counts too, are the walks' (core_is_correct's [exact]). *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Map Machine.
From nie.spec Require Import State Registers Switch Census.
From nie.generated Require Import Constants.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Definition place (h : holder) : list Z := match h with Reg r => [r] | _ => [] end.
Definition held_by (hs : list holder) : list Z := flat_map place hs.
(* The places that software writes: of each context, and of those that the host and VMs have both. *)
Definition held : list Z := flat_map (fun e => held_by (snd e)) switched.
Definition shared : list Z := flat_map (fun e => match snd (fst e) with Everyone => held_by (snd e) | Guests => [] end) switched.
Definition file : list Z := held ++ map snd given ++ map snd controls ++ map snd rest.

Definition among (l : list Z) (r : Z) : bool := existsb (Z.eqb r) l.
Lemma among_spec : forall l r, among l r = true <-> In r l.
Proof.
  intros l r. unfold among. rewrite existsb_exists. split.
  - intros (x & I & E). apply Z.eqb_eq in E. now subst.
  - intro I. exists r. split; trivial. apply Z.eqb_refl.
Qed.
Lemma all_in : forall (f : Z -> bool) l, forallb f l = true -> forall r, In r l -> f r = true.
Proof. intros f l. apply (proj1 (forallb_forall f l)). Qed.

Theorem register_file_is_the_census : forall r, 0 <= r < REG_COUNT <-> In r file.
Proof.
  intro r. split; intro I.
  - apply among_spec. apply (all_in (among file) (map Z.of_nat (seq 0 (Z.to_nat REG_COUNT)))); [vm_compute; reflexivity|].
    apply in_map_iff. exists (Z.to_nat r). split; [lia|]. apply in_seq. lia.
  - pose proof (all_in (fun r => (0 <=? r) && (r <? REG_COUNT)) file ltac:(vm_compute; reflexivity) r I) as B.
    apply andb_prop in B as [B C]. apply Z.leb_le in B. apply Z.ltb_lt in C. lia.
Qed.

(** What software at EL1 can write, the model's software can write (model/Machine.v: SetReg).
    LESS: not VDISR_EL2, to which DISR_EL1 and ESB of a VM go. *)
Theorem model_lets_el1_write : forall r, In r held -> 0 <= r < REG_EL2 \/ r = REG_VDISR_EL2.
Proof.
  intros r I. pose proof (all_in (fun r => (0 <=? r) && (r <? REG_EL2) || (r =? REG_VDISR_EL2)) held ltac:(vm_compute; reflexivity) r I) as B.
  apply orb_prop in B as [B|B]; [left|right; now apply Z.eqb_eq].
  apply andb_prop in B as [B C]. apply Z.leb_le in B. apply Z.ltb_lt in C. lia.
Qed.

(** Where a vCPU's registers are while it does not run; list registers and ICH_HCR_EL2 are in the run record instead. *)
Definition saved_word (r : Z) : option Z :=
  if (0 <=? r) && (r <? REG_SWITCHED) then Some (CTX_SYSREG + r)
  else if (REG_ICH_VMCR_EL2 <=? r) && (r <? REG_ICH_VMCR_EL2 + CTX_ICH_COUNT) then Some (CTX_ICH + (r - REG_ICH_VMCR_EL2))
  else if r =? REG_VDISR_EL2 then Some CTX_VDISR else None.
Definition list_register (r : Z) : bool := (REG_ICH_LR0_EL2 <=? r) && (r <? REG_ICH_LR0_EL2 + NIE_LRS).

Lemma held_is_saved : forall r, In r held -> (exists w, saved_word r = Some w) \/ list_register r = true \/ r = REG_ICH_HCR_EL2.
Proof.
  intros r I.
  pose proof (all_in (fun r => match saved_word r with Some _ => true | None => list_register r || (r =? REG_ICH_HCR_EL2) end)
    held ltac:(vm_compute; reflexivity) r I) as B. cbv beta in B.
  destruct (saved_word r) as [w|]; [left; now exists w|right]. apply orb_prop in B as [B|B]; [now left|right; now apply Z.eqb_eq].
Qed.
Lemma shared_is_switched : forall r, In r shared -> 0 <= r < REG_SWITCHED.
Proof.
  intros r I. pose proof (all_in (fun r => (0 <=? r) && (r <? REG_SWITCHED)) shared ltac:(vm_compute; reflexivity) r I) as B.
  apply andb_prop in B as [B C]. apply Z.leb_le in B. apply Z.ltb_lt in C. lia.
Qed.

Lemma get_fill_nat : forall n to f m j,
  Map.get (fill_nat n to f m) j = if (to <=? j) && (j <? to + Z.of_nat n) then f (j - to) else Map.get m j.
Proof.
  induction n as [|n IH]; intros to f m j; cbn [fill_nat].
  - destruct (to <=? j) eqn:A, (j <? to + Z.of_nat 0) eqn:B; cbn [andb]; trivial. apply Z.leb_le in A. apply Z.ltb_lt in B. lia.
  - rewrite Map.get_set, IH.
    destruct (Z.eqb_spec j (to + Z.of_nat n)) as [->|N].
    + replace (to <=? to + Z.of_nat n) with true by (symmetry; apply Z.leb_le; lia).
      replace (to + Z.of_nat n <? to + Z.of_nat (S n)) with true by (symmetry; apply Z.ltb_lt; lia). cbn [andb]. f_equal. lia.
    + replace (j <? to + Z.of_nat (S n)) with (j <? to + Z.of_nat n); trivial.
      apply eq_true_iff_eq. rewrite !Z.ltb_lt. lia.
Qed.
Lemma get_fill : forall n to f m j, 0 <= n -> Map.get (fill n to f m) j = if (to <=? j) && (j <? to + n) then f (j - to) else Map.get m j.
Proof. intros. unfold fill. rewrite get_fill_nat. now rewrite Z2Nat.id. Qed.

Lemma here_loaded : forall c v i a, here (load_vcpu c v i a) =
  Map.set (fill CTX_ICH_COUNT REG_ICH_VMCR_EL2 (fun r => saved_at a v i (CTX_ICH + r))
    (fill REG_SWITCHED 0 (fun r => saved_at a v i (CTX_SYSREG + r)) (here a))) REG_VDISR_EL2 (saved_at a v i CTX_VDISR).
Proof. reflexivity. Qed.

Lemma inj : forall A (x y : A), Some x = Some y -> x = y.
Proof. congruence. Qed.
Ltac bounds := unfold REG_SWITCHED, REG_ICH_VMCR_EL2, CTX_ICH_COUNT, REG_VDISR_EL2, REG_ICH_LR0_EL2, NIE_LRS, REG_ICH_HCR_EL2 in *.
Ltac decide_bounds := repeat match goal with
  | |- context [?x <=? ?y] => destruct (Z.leb_spec x y); try (exfalso; lia)
  | |- context [?x <? ?y] => destruct (Z.ltb_spec x y); try (exfalso; lia)
  | |- context [?x =? ?y] => destruct (Z.eqb_spec x y); try (exfalso; lia)
  end; cbn [andb orb].

(** A vCPU that comes finds in each place what it left there. *)

Theorem vcpu_finds_what_it_left : forall c v i a r w, saved_word r = Some w ->
  reg_of (load_vcpu c v i a) r = saved_at a v i w.
Proof.
  intros c v i a r w. unfold reg_of. rewrite here_loaded, Map.get_set, !get_fill by (bounds; lia).
  unfold saved_word. bounds. rewrite !Z.add_0_l, Z.sub_0_r.
  decide_bounds; intro E; try discriminate E; apply inj in E; subst w; reflexivity.
Qed.

Lemma saved_now : forall c v i a m, saved_at (set_saved v i m a <| fp_here := c |>) v i = Map.get m.
Proof. intros. unfold saved_at, set_saved. cbn. now rewrite Map.get_set, Z.eqb_refl. Qed.

Theorem vcpu_leaves_what_it_had : forall c v i a r w, saved_word r = Some w ->
  saved_at (save_vcpu c v i a) v i w = reg_of a r.
Proof.
  intros c v i a r w. unfold save_vcpu. rewrite saved_now, get_fill, Map.get_set, !get_fill by (bounds; unfold CTX_X0; lia).
  unfold saved_word, CTX_FP, CTX_VDISR, CTX_ICH, CTX_SYSREG, CTX_X0 in *. bounds.
  decide_bounds; intro E; try discriminate E; apply inj in E; subst w; try (exfalso; lia); cbv beta; apply (f_equal (reg_of a)); lia.
Qed.

(** The host likewise: while a vCPU runs its registers are in [cpus], and come back whatever the vCPU left. *)

Lemma here_set_regs : forall l a r, ~ In r (map fst l) -> Map.get (here (set_regs l a)) r = Map.get (here a) r.
Proof.
  unfold set_regs. induction l as [|[s x] l IH]; intros a r N; cbn [fold_left]; trivial.
  rewrite IH by (intro I; apply N; now right). cbn [set_here]. change (here (set_here (fst (s, x)) (snd (s, x)) a)) with (Map.set (here a) s x).
  rewrite Map.get_set. destruct (Z.eqb_spec r s) as [->|_]; trivial. destruct N. now left.
Qed.
Lemma cpu_set : forall c p a c', cpu_at (set_cpu c p a) c' = if c' =? c then p else cpu_at a c'.
Proof. intros. unfold cpu_at. cbn. apply Map.get_set. Qed.
Lemma cpu_same : forall c p a, cpu_at (set_cpu c p a) c = p.
Proof. intros. now rewrite cpu_set, Z.eqb_refl. Qed.

Theorem host_finds_what_it_left : forall c e a r, In r shared ->
  reg_of (snd (exit_vcpu c e a)) r = Map.get (host_sysreg (cpu_at a c)) r.
Proof.
  intros c e a r I. apply shared_is_switched in I. unfold exit_vcpu. cbn [snd]. unfold reg_of, controls_host. rewrite here_set_regs.
  2:{ cbn [map fst In]. unfold REG_SWITCHED in I. intro N.
      repeat destruct N as [<-|N]; try exact N; revert I; now vm_compute. }
  unfold load_host.
  change (here (set_x c 0 NIE_OK ?b)) with (here b). change (here (load_regs ?n ?to ?f ?b)) with (fill n to f (here b)).
  rewrite get_fill by (bounds; lia). rewrite cpu_same. bounds.
  replace ((0 <=? r) && (r <? 0 + 28))%bool with true by lia. now rewrite Z.sub_0_r.
Qed.

Theorem host_leaves_what_it_had : forall c a r, Map.get (host_sysreg (cpu_at (save_host c a) c)) r = reg_of a r.
Proof. intros. unfold save_host. now rewrite cpu_same. Qed.
