(* SPDX-License-Identifier: Apache-2.0 *)
(* Four engines that leak at an exit are not confidential: a general register in the run record, a whole word of a store of one
   byte, hidden bits of the virtual interrupt interface, a vector register that the host finds. One trace for all: VM 0 on CPU 1
   stores a byte to a device. Two runs from states that differ in the VM's registers; on both the engine as it is shows the same. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.security Require Import page_remove_witness leak_scrub.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** Changed texts. *)

Section Edit.
Variables (drop : string -> bool) (change : expr gvar -> expr gvar).
Fixpoint edit (s : stmt gvar) : stmt gvar :=
  match s with
  | Seq a b => Seq (edit a) (edit b)
  | Assign y e => Assign y (change e)
  | Calls xs f args => if drop f then Skip else Calls xs f (map change args)
  | If c a b => If c (edit a) (edit b)
  | For y lo hi b => For y lo hi (edit b)
  | _ => s
  end.
Definition edited (name : string) (P : program gvar) : program gvar :=
  map (fun f => if String.eqb (fname f) name then Function (fname f) (params f) (results f) (edit (C.body f)) else f) P.
End Edit.
Definition none (f : string) : bool := false.

(* write_exit: the registers in the record whatever the exit was. *)
Definition always_first (e : expr gvar) : expr gvar := match e with Cond _ a _ => a | _ => e end.
Definition shows_registers : program gvar -> program gvar := edited none always_first "write_exit".
(* write_common: all of VMCR. *)
Definition unmasked (e : expr gvar) : expr gvar :=
  match e with Binop And _ a (Cast _ _ (Const n)) => if n =? ICH_VMCR_SHOWN then a else e | _ => e end.
Definition shows_vmcr : program gvar -> program gvar := edited none unmasked "write_common".
(* save_vcpu: the vectors stay. *)
Definition leaves_vectors : program gvar -> program gvar := edited (String.eqb "fp_zero") (fun e => e) "save_vcpu".
(* What is stored to a device, with what lies above it in the register. *)
Definition shows_value : program gvar -> program gvar :=
  map (fun f => if String.eqb (fname f) "mmio_truncate" then Function "mmio_truncate" ["value"; "width"]%string 1 (Ret [Var "value"%string]) else f).

(** The states and the trace. *)

Definition gprs (y : Z) : Map.t Z := Map.set (Map.set (Map.const 0) (1 * 32 + 3) (256 * y + 65)) (1 * 32 + 5) y.
Definition fps (y : Z) : Map.t Z := Map.set (Map.const 0) (1 * 128) y.
Definition regs (y : Z) : Map.t Z :=
  Map.set (Map.set the_registers (1 * 128 + REG_CNTKCTL_EL1) y) (1 * 128 + REG_ICH_VMCR_EL2) (16 * y).
Definition hw_of (y : Z) : Machine.hw :=
  Hw the_memory [] [] (regs y) (fps y) 0 (512, 1024) (512, 515) (fun _ => 0) 0 [] (fun _ => False) (fun _ _ _ => False) True.
Definition from (y : Z) : Step.machine := Step.Machine the_globals (hw_of y) (gprs y) (Map.const false).
Definition froms (s : Step.machine) : Prop := exists y, s = from y.
(* STRB W3, with the fault at page 0x9000 of the IPA space. *)
Definition stores_a_byte : exception :=
  Step.Exception TRAP_SYNC 0 0 (EC_DATA_ABORT * 2 ^ 26 + 2 ^ 25 + 2 ^ 24 + 3 * 2 ^ 16 + 2 ^ 6 + 7) 0x123 (0x9000 * 16).
Definition exits : list label := [Trap 1 stores_a_byte (fun _ => 0) []].
Definition no_ram (page : Z) : bool := page =? 262144.

Definition end_of (P : program gvar) (s : Step.machine) (tr : list label) : option Step.machine := match Step.run P s tr with Ok t _ => Some t | _ => None end.
Definition tables_at (t : Step.machine) : list Z :=
  let m w := Map.get (Machine.mem (Step.hw t)) w in
  [vttbr (Step.hw t) 0; m (512 * 512); m (513 * 512 + 1); m (514 * 512 + 13); vttbr (Step.hw t) 1].
Definition record_word (t : Step.machine) (i : Z) : Z := Map.get (Machine.mem (Step.hw t)) (525 * 512 + i).
(* x5, the value, VMCR; V0 of the CPU. *)
Definition shows (t : Step.machine) : list Z :=
  [record_word t (RUN_OUT_X0 + 5); record_word t RUN_OUT_VALUE; record_word t RUN_OUT_VMCR; Map.get (Machine.fp (Step.hw t)) (1 * 128)].
Definition seen_from (P : program gvar) (s : Step.machine) (tr : list label) : option (list Z * list Z) :=
  option_map (fun t => (tables_at t, shows t)) (end_of P s tr).
Definition seen_by (P : program gvar) (y : Z) : option (list Z * list Z) := seen_from P (from y) exits.
Definition tables_then : list Z := [512 * 4096; 513 * 4096 + 3; 514 * 4096 + 3; 525 * 4096 + 2047; 512 * 4096].

(** The others cannot tell the states apart: what differs is of CPU 1, which runs the victim. *)

Lemma roots_are : forall y c, vttbr (hw_of y) c = vttbr (hw_with 0) c.
Proof.
  intros y c. unfold vttbr, hw_of, regs, hw_with, VTTBR_EL2. cbn [reg].
  unfold REG_ICH_VMCR_EL2, REG_CNTKCTL_EL1. rewrite !Map.get_set_other by lia. reflexivity.
Qed.
Lemma victim_cpu : forall y, runs (from y) 1 (vmid_of victim).
Proof. intro y. unfold runs, root_vmid. change (Step.hw (from y)) with (hw_of y). rewrite roots_are. vm_compute. reflexivity. Qed.

Lemma avail_of : forall y z v l k d, avail (hw_of y) v l k d -> avail (hw_of z) v l k d.
Proof.
  intros y z v l k d H. induction H as [e I|c|v l k d i d' H IH T I D S].
  - destruct I.
  - pose proof (av_root (hw_of z) c) as A. unfold root_vmid, root_desc in *. rewrite roots_are in *. exact A.
  - exact (av_step (hw_of z) v l k d i d' IH T I D S).
Qed.
Lemma reached_of : forall y z v p, by_other victim (from y) v p -> by_other victim (from z) v p.
Proof. intros y z v p (N & l & k & d & H & M). split; [exact N|]. exists l, k, d. split; [exact (avail_of y z _ _ _ _ H)|exact M]. Qed.

Lemma cannot_tell : forall y z f, observe victim (from y) f -> observe victim (from z) f.
Proof.
  assert (C1 : forall y c, ~ runs (from y) c (vmid_of victim) -> c <> 1) by (intros y c N ->; now apply N, victim_cpu).
  assert (RR : forall y z c v, runs (from y) c v -> runs (from z) c v).
  { intros y z c v. unfold runs, root_vmid. change (Step.hw (from y)) with (hw_of y). change (Step.hw (from z)) with (hw_of z). now rewrite !roots_are. }
  intros y z [c v|c r v|c r v|c r v|v p|p i v]; cbn [observe].
  - apply RR.
  - intros (N & R & X). pose proof (C1 _ _ N). split; [intro Q; apply N; eauto|]. split; [exact R|]. rewrite <- X.
    unfold Step.x, from, gprs. cbn [gpr]. rewrite !Map.get_set_other by lia. reflexivity.
  - intros (N & R & X). pose proof (C1 _ _ N). split; [intro Q; apply N; eauto|]. split; [exact R|]. rewrite <- X.
    change (Map.get (fps z) (c * 128 + r) = Map.get (fps y) (c * 128 + r)). unfold fps. rewrite !Map.get_set_other by lia. reflexivity.
  - intros (N & R & X). pose proof (C1 _ _ N). split; [intro Q; apply N; eauto|]. split; [exact R|]. rewrite <- X. unfold sysreg.
    change (Map.get (regs z) (c * 128 + r) = Map.get (regs y) (c * 128 + r)). unfold regs. unfold REG_SWITCHED, REG_ICH_VMCR_EL2, REG_CNTKCTL_EL1 in *.
    rewrite !Map.get_set_other by lia. reflexivity.
  - apply reached_of.
  - intros ((u & U) & I & X). split; [exists u; exact (reached_of y z _ _ U)|]. split; [exact I|exact X].
Qed.

(** After the exit the host runs on both CPUs, and reaches the run record. *)

Lemma host_sees_record : forall t, tables_at t = tables_then -> forall i, is_word i = true -> observe victim t (WordIs 525 i (record_word t i)).
Proof.
  intros t F i I. unfold tables_at, tables_then in F. injection F as V M1 M2 M3 _. split; [|split; [exact I|reflexivity]].
  exists 0. split; [discriminate|]. set (h := Step.hw t) in *.
  assert (A0 : avail h 0 0 0 (512 * 4096)).
  { pose proof (av_root h 0) as A. unfold root_vmid, root_desc in A. rewrite V in A. exact A. }
  assert (see : forall w d, Map.get (Machine.mem h) w = d -> visible h w d = true).
  { intros u d E. unfold visible. now rewrite E, Z.eqb_refl. }
  pose proof (av_step h 0 0 0 _ 0 (513 * 4096 + 3) A0 eq_refl eq_refl eq_refl (see _ _ M1)) as A1.
  pose proof (av_step h 0 _ _ _ 1 (514 * 4096 + 3) A1 eq_refl eq_refl eq_refl (see _ _ M2)) as A2.
  pose proof (av_step h 0 _ _ _ 13 (525 * 4096 + 2047) A2 eq_refl eq_refl eq_refl (see _ _ M3)) as A3.
  eexists _, _, _. split; [exact A3|]. split; [reflexivity|]. cbn. lia.
Qed.
Lemma host_sees_vector : forall t, tables_at t = tables_then -> observe victim t (FpIs 1 0 (Map.get (Machine.fp (Step.hw t)) (1 * 128))).
Proof.
  intros t F. unfold tables_at, tables_then in F. injection F as _ _ _ _ V. split; [|split; [lia|reflexivity]].
  unfold runs, root_vmid. rewrite V. discriminate.
Qed.

(* What is seen, as facts. *)
Definition facts (t : Step.machine) : list fact :=
  [WordIs 525 (RUN_OUT_X0 + 5) (record_word t (RUN_OUT_X0 + 5)); WordIs 525 RUN_OUT_VALUE (record_word t RUN_OUT_VALUE);
   WordIs 525 RUN_OUT_VMCR (record_word t RUN_OUT_VMCR); FpIs 1 0 (Map.get (Machine.fp (Step.hw t)) (1 * 128))].
Lemma facts_seen : forall t, tables_at t = tables_then -> Forall (observe victim t) (facts t).
Proof.
  intros t F. unfold facts. apply Forall_cons; [now apply host_sees_record|]. apply Forall_cons; [now apply host_sees_record|].
  apply Forall_cons; [now apply host_sees_record|]. apply Forall_cons; [now apply host_sees_vector|]. apply Forall_nil.
Qed.

Lemma facts_told : forall t u, tables_at u = tables_then -> Forall (observe victim u) (facts t) -> shows u = shows t.
Proof.
  intros t u F H. unfold facts in H. inversion H as [|? ? A H1]; subst. inversion H1 as [|? ? B H2]; subst.
  inversion H2 as [|? ? C H3]; subst. inversion H3 as [|? ? D _]; subst.
  destruct A as (_ & _ & A), B as (_ & _ & B), C as (_ & _ & C), D as (_ & _ & D). unfold shows, record_word in *. cbn [Z.mul Z.add] in D.
  f_equal; [exact A|]. f_equal; [exact B|]. f_equal; [exact C|]. f_equal. exact D.
Qed.

(* For any two machines: with these at hand nothing is computed. *)
Lemma refuted_from : forall P s s' tr l m (start : Step.machine -> Prop), start s -> start s' -> (forall f, observe victim s f <-> observe victim s' f) ->
  seen_from P s tr = Some (tables_then, l) -> seen_from P s' tr = Some (tables_then, m) -> l <> m ->
  shown P victim no_ram s [] tr s = shown P victim no_ram s' [] tr s' -> ~ confidential start P.
Proof.
  intros P s s' tr l m start B B' A S5 S6 N S H. unfold seen_from, end_of in S5, S6.
  destruct (Step.run P s tr) as [t g| |] eqn:R5; try discriminate S5. destruct (Step.run P s' tr) as [u g'| |] eqn:R6; try discriminate S6.
  cbn [option_map] in S5, S6. assert (X : (tables_at t, shows t) = (tables_then, l)) by congruence.
  assert (Y : (tables_at u, shows u) = (tables_then, m)) by congruence.
  pose proof (f_equal fst X) as T5. pose proof (f_equal fst Y) as T6. apply (f_equal snd) in X, Y. cbn [fst snd] in *.
  destruct (H s s' victim no_ram tr tr _ _ _ _ ltac:(vm_compute; split; congruence) B B' A R5 R6 S) as [O _].
  apply N. rewrite <- X, <- Y. symmetry. apply facts_told; [exact T6|]. eapply Forall_impl; [|exact (facts_seen _ T5)]. intro f. apply (proj1 (O f)).
Qed.
Lemma refuted : forall P l m, seen_by P 5 = Some (tables_then, l) -> seen_by P 6 = Some (tables_then, m) -> l <> m ->
  shown P victim no_ram (from 5) [] exits (from 5) = shown P victim no_ram (from 6) [] exits (from 6) -> ~ confidential froms P.
Proof.
  intros P l m S5 S6 N S. exact (refuted_from P (from 5) (from 6) exits l m froms (ex_intro _ 5 eq_refl) (ex_intro _ 6 eq_refl)
    (fun f => conj (cannot_tell 5 6 f) (cannot_tell 6 5 f)) S5 S6 N S).
Qed.

Theorem register_leaks : ~ confidential froms (shows_registers Program.core).
Proof. apply refuted with (l := [5; 65; 0; 0]) (m := [6; 65; 0; 0]); [vm_compute; reflexivity|vm_compute; reflexivity|discriminate|vm_compute; reflexivity]. Qed.
Theorem syndrome_leaks : ~ confidential froms (shows_value Program.core).
Proof. apply refuted with (l := [0; 1345; 0; 0]) (m := [0; 1601; 0; 0]); [vm_compute; reflexivity|vm_compute; reflexivity|discriminate|vm_compute; reflexivity]. Qed.
Theorem list_register_leaks : ~ confidential froms (shows_vmcr Program.core).
Proof. apply refuted with (l := [0; 65; 80; 0]) (m := [0; 65; 96; 0]); [vm_compute; reflexivity|vm_compute; reflexivity|discriminate|vm_compute; reflexivity]. Qed.
Theorem vector_leaks : ~ confidential froms (leaves_vectors Program.core).
Proof. apply refuted with (l := [0; 65; 0; 5]) (m := [0; 65; 0; 6]); [vm_compute; reflexivity|vm_compute; reflexivity|discriminate|vm_compute; reflexivity]. Qed.

(* The engine as it is. *)
Theorem core_shows_the_same : seen_by Program.core 5 = Some (tables_then, [0; 65; 0; 0]) /\ seen_by Program.core 6 = Some (tables_then, [0; 65; 0; 0]).
Proof. split; vm_compute; reflexivity. Qed.
