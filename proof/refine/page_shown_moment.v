(* SPDX-License-Identifier: Apache-2.0 *)
(* From the moment at which the pages are the engine's alone: the map with them in it ([z]) bounds what anybody reaches until the
   call's end, and there the VM alone reaches them; a VM that runs nowhere does not use them. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding.
From nie.generated Require Import Prims.
From nie.spec Require Import Core Step.
From nie.spec Require Kept.
From nie.proof.refine Require Import Relation page_shown_log.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* A word of a table, as the map has it, is expected by every walk that gets to the table. *)
Lemma expected_entry : forall z m t v l k i, wf z -> tables_hold z m -> in_ram z t = true -> own z t = Table v l k -> is_word i = true ->
  expected (Aset z) t i (enc (slot_at z v l (k * 512 + i))).
Proof.
  intros z m t v l k i W T R O I V w l' k' d H Tb F. apply (Aset_closed z W m T w l' k' d i _ H Tb I V). unfold now. rewrite F.
  now apply (t_vm _ _ T).
Qed.

(* Linking adds no tables. *)
Lemma linked_bounded : forall k p n N z h0 m h, linked k p n N z -> (forall v l y, N v l y -> valid (enc (slot_at k v l y)) = false) ->
  (forall v l y, N v l y -> is_table l (enc (slot_at z v l y)) = false) ->
  world h0 (Aset k) (Aset k) m (now m) h -> bounded (Aset z) (vttbr h0) h.
Proof.
  intros k p n N z h0 m h L E NT X. pose proof (world_bounded _ _ _ _ _ _ X) as B. pose proof (linked_sub L E) as SU.
  constructor.
  - intros e I. apply SU. now apply (b_tlb _ _ _ B).
  - intro c. apply SU. now apply (b_root _ _ _ B).
  - apply Aset_apart. exact (linked_wf L).
  - intros v l y d i d' H Tb I V S. apply SU. apply (b_vis _ _ _ B) with d; auto. destruct H as [(-> & H)|(j & -> & J & H)].
    + apply (linked_host L). left. auto.
    + right. exists j. split; auto. split; auto. destruct (l_root L j) as [E1 E2]. rewrite E1, E2 in H. destruct H as [H|(L1 & -> & V1)]; auto.
      right. split; auto. destruct (l_dec L j l y) as [K|K]; [rewrite (NT j l y K) in Tb; discriminate|]. now rewrite (l_slot L j l y K) in *.
  - apply (b_vttbr _ _ _ B).
Qed.

Lemma data_reached : forall z T h v q vm y, wf z -> bounded (Aset z) T h -> in_ram z q = true -> own z q = Data vm y -> reached h v q -> v = vm + 1.
Proof.
  intros z T h v q vm y W B R O H. destruct (bounded_reached _ _ _ _ _ B H) as (l & k & d & A & M).
  destruct (Aset_maps _ W _ _ _ _ _ A M) as [(_ & E)|(i & -> & _ & _ & [(j & E)|(_ & E & _)])].
  - unfold host_may_access in E. now rewrite R, O in E.
  - congruence.
  - congruence.
Qed.

(* Which CPU walks under which VMID. *)
Lemma vmid_of_cpu : forall a c v, wf a -> 0 <= v -> vttbr_of a c / 2 ^ 48 = v + 1 -> 0 <= c < NIE_MAX_CPUS /\ cpu_vm (cpu_at a c) = v.
Proof.
  intros a c v W V E. pose proof (c_ram _ (wf_c _ W)) as CR. pose proof (c_tables _ (wf_c _ W)) as CT. pose proof (c_engine _ (wf_c _ W)) as CE.
  pose proof (gibs_small _ W). pose proof (c_dev _ (wf_c _ W)). unfold level3_first in CT.
  unfold vttbr_of in E. destruct ((0 <=? c) && (c <? NIE_MAX_CPUS) && negb (cpu_vm (cpu_at a c) =? CPU_HOST)) eqn:K; [|lia].
  assert (K1 : 0 <= c < NIE_MAX_CPUS) by lia. assert (K2 : cpu_vm (cpu_at a c) <> CPU_HOST) by lia.
  destruct (u_runs _ (wf_u _ W) c K1 K2) as (V1 & I1 & RU & _). cbv zeta in *.
  destruct (u_some _ (wf_u _ W) _ _ V1 I1) as (NF & _); [rewrite RU; discriminate|].
  destruct (wf_root _ W _ V1 NF) as [RR _]. apply (ram_small _ W) in RR. split; [exact K1|]. lia.
Qed.

Section Shown.
Variables (a z : state) (h0 : Machine.hw) (vm q y : Z) (c : Z -> Z) (h2 h8 : Machine.hw) (before after : log).
Hypothesis W : wf a.
Hypothesis V : 0 <= vm.
Hypothesis WZ : wf z.
Hypothesis RQ : in_ram z q = true.
Hypothesis O : own z q = Data vm y.
Hypothesis REG : forall d, vttbr h0 d = vttbr_of a d.
Hypothesis B2 : bounded (Aset z) (vttbr h0) h2.
Hypothesis P2 : private q h2.
Hypothesis C2 : holds q c h2.
Hypothesis B : bounded (Aset z) (vttbr h0) h2 -> bounded (Aset z) (vttbr h0) h8 /\ Forall (fun n => bounded (Aset z) (vttbr h0) (fst n)) after.
Hypothesis F : (private q h2 -> starts_private q (after ++ [(h8, None)])) /\
  (forall c, holds q c h2 -> first_shows q c (after ++ [(h8, None)])) /\ kept_by q h2 after h8.

Hypothesis NB : forall n, In n before -> ~ reached (fst n) (vm + 1) q.

Theorem shown : shows a vm q c before (after ++ [(h8, None)]).
Proof.
  destruct F as (F1 & F2 & _). destruct (B B2) as [B8 BA]. rewrite Forall_forall in BA.
  assert (BN : forall n, In n (after ++ [(h8, None)]) -> bounded (Aset z) (vttbr h0) (fst n)).
  { intros n I. apply in_app_or in I as [I|[<-|[]]]; auto. }
  split; [exact NB|]. split; [auto|]. split; [auto|]. split; [intros n v I R; exact (data_reached _ _ _ _ _ _ _ WZ (BN n I) RQ O R)|].
  intros NR n I. assert (NU : forall x, In x (after ++ [(h8, None)]) -> ~ in_use q (fst x)).
  { intros x J (d & R). pose proof (BN x J) as BX. pose proof (data_reached _ _ _ _ _ _ _ WZ BX RQ O R) as E.
    unfold root_vmid in E. rewrite (b_vttbr _ _ _ BX), REG in E. apply vmid_of_cpu in E as [K E]; auto. now apply (NR d). }
  apply in_split in I as (past & rest & S). apply (F2 c C2 past n rest S). intros x J. apply NU. rewrite S. apply in_or_app. now left.
Qed.

Theorem shown_kept : kept_from (vm + 1) q c (before ++ after) h8.
Proof.
  destruct F as (_ & _ & K). destruct (B B2) as [_ BA]. rewrite Forall_forall in BA. intros i I.
  rewrite (K (vm + 1) i I), C2 by (auto; intros n J v RE; exact (data_reached _ _ _ _ _ _ _ WZ (BA n J) RQ O RE)).
  unfold Kept.after_log. rewrite fold_left_app. f_equal. symmetry. exact (unreached_log _ _ _ _ _ NB).
Qed.
End Shown.
