(* SPDX-License-Identifier: Apache-2.0 *)
(* The premises of [core_keeps_to_itself] can be met, and the page changes: in a life of a VM (Lifetime.v) it walks to a page and stores. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core Kept.
From nie.proof.refine Require Import statements.
From nie.proof.security Require Import core_is_safe Lifetime.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* The newest TLB entry is VM 1's on CPU 1, where it runs, for the page [zeroed], of which word 7 is 5. *)
Definition there_b (t : Step.machine) : bool :=
  match tlb (Step.hw t) with
  | e :: _ => (Machine.cpu e =? 1) && (Machine.vmid e =? 2) && (Machine.level e =? 3) && (Machine.key e =? low / 4096 + 1) && (Machine.desc e =? page zeroed) &&
              (root_vmid (Step.hw t) 1 =? 2) && (me (Step.hw t) =? nobody) && (Map.get (Machine.mem (Step.hw t)) (zeroed * 512 + 7) =? 5)
  | [] => false
  end.
Definition ends (P : program gvar) (check : Step.machine -> bool) (tr : list label) : bool :=
  match booted P with
  | Some ([status], s1) =>
      if status =? BOOT_OK then match Step.run P (of_boot the_tables_at s1) tr with Ok t _ => check t | _ => false end else false
  | _ => false
  end.
Lemma ends_is : forall P check tr, ends P check tr = true -> exists s t g, after_boot P s /\ Step.run P s tr = Ok t g /\ check t = true.
Proof.
  intros P check tr E. unfold ends in E. destruct (booted P) as [[[|status [|]] s1]|] eqn:B; try discriminate E.
  destruct (Z.eqb_spec status BOOT_OK) as [->|]; [|discriminate E]. destruct (Step.run P (of_boot the_tables_at s1) tr) as [t g| |] eqn:R; try discriminate E.
  exists (of_boot the_tables_at s1), t, g. split; [exact (booted_is P s1 B)|auto].
Qed.

Definition stores : label := Do (Hardware (Write 0 0 7 9)).
Definition on_cpu_1 : list act := [Begin 1; Machine.Step 0 1 (table lower2); Machine.Step 0 0 (table lower3); Machine.Step 0 1 (page zeroed)].

Lemma entry_alone : forall h e l, tlb h = e :: l -> Machine.vmid e = 2 -> Machine.level e = 3 -> Machine.key e = low / 4096 + 1 -> Machine.desc e = page zeroed ->
  had_alone 2 zeroed h.
Proof.
  intros h e l T V L K D. exists 3, (low / 4096 + 1), (page zeroed). split; [|split].
  - rewrite <- V, <- L, <- K, <- D. apply av_tlb. rewrite T. now left.
  - split; [reflexivity|]. vm_compute. split; congruence.
  - intros [_ U]. revert U. vm_compute. congruence.
Qed.

(* Of any program and machine: nothing is computed. *)
Lemma changes : forall P t, there_b t = true -> exists u g, Step.run P t [stores] = Ok u g /\
  (forall h, states P t [stores] h -> had_alone 2 zeroed h) /\
  Map.get (Machine.mem (Step.hw t)) (zeroed * 512 + 7) = 5 /\ Map.get (Machine.mem (Step.hw u)) (zeroed * 512 + 7) = 9.
Proof.
  intros P t E. unfold there_b in E. destruct (tlb (Step.hw t)) as [|e l] eqn:T; [discriminate|].
  repeat match goal with H : (_ && _)%bool = true |- _ => apply andb_prop in H as [H ?] end.
  repeat match goal with H : (_ =? _) = true |- _ => apply Z.eqb_eq in H end.
  assert (W : act_step (Write 0 0 7 9) (Step.hw t) = Step.hw t <| Machine.mem ::= fun m => Map.set m (zeroed * 512 + 7) 9 |>).
  { cbn [act_step]. rewrite T. cbn [nth_error]. replace (Machine.level e) with 3 by congruence. replace (Machine.desc e) with (page zeroed) by congruence.
    replace (root_vmid (Step.hw t) (Machine.cpu e) =? Machine.vmid e) with true by (symmetry; apply Z.eqb_eq; congruence).
    replace (Machine.cpu e =? me (Step.hw t)) with false by (symmetry; apply Z.eqb_neq; unfold nobody in *; lia). reflexivity. }
  set (u := do_step (Hardware (Write 0 0 7 9)) t). assert (HU : Step.hw u = met (Step.hw t <| Machine.mem ::= fun m => Map.set m (zeroed * 512 + 7) 9 |>)) by (rewrite <- W; reflexivity).
  assert (A : had_alone 2 zeroed (Step.hw t)) by (eapply entry_alone; eauto). assert (B : had_alone 2 zeroed (Step.hw u)) by (rewrite HU; eapply (entry_alone _ e l); eauto).
  exists u, [(Step.hw u, None)]. split; [reflexivity|]. split; [|split; [assumption|]].
  - intros h [->|(n & s' & g & R & S)]; [exact A|]. destruct n as [|n].
    + injection R as <- <-. destruct S as [->|(x & [])]. exact A.
    + assert (R' : Step.run P t [stores] = Ok s' g) by (destruct n; exact R). injection R' as <- <-. destruct S as [->|(x & [X|[]])]; [exact B|]. injection X as <- _. exact B.
  - rewrite HU. change (Map.get (Map.set (Machine.mem (Step.hw t)) (zeroed * 512 + 7) 9) (zeroed * 512 + 7) = 9). now rewrite Map.get_set, Z.eqb_refl.
Qed.

Theorem a_page_is_kept : exists s0 tr0 s g0 tr t g v p i, after_boot Program.core s0 /\ Step.run Program.core s0 tr0 = Ok s g0 /\ Step.run Program.core s tr = Ok t g /\
  v <> 0 /\ is_word i = true /\ (forall h, states Program.core s tr h -> had_alone v p h) /\
  Map.get (Machine.mem (Step.hw s)) (p * 512 + i) = 5 /\ Map.get (Machine.mem (Step.hw t)) (p * 512 + i) = 9.
Proof.
  assert (E : ends Program.core there_b (a_life 5 ++ does_all on_cpu_1) = true) by (vm_cast_no_check (eq_refl true)).
  destruct (ends_is _ _ _ E) as (s & t & g & B & R & TH). destruct (changes Program.core t TH) as (u & k & R2 & S & W1 & W2).
  exists s, (a_life 5 ++ does_all on_cpu_1), t, g, [stores], u, k, 2, zeroed, 7. split; [exact B|]. split; [exact R|]. split; [exact R2|]. split; [discriminate|]. split; [reflexivity|].
  split; [exact S|]. split; [exact W1|exact W2].
Qed.
