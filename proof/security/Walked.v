(* SPDX-License-Identifier: Apache-2.0 *)
(* The walk of spec/Released.v finds, on a machine between two handlers, what the state's map says of the page. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation Midway.
From nie.spec Require Import Step.
From nie.spec Require Released Registers.
From nie.spec.trap Require vcpu_abort.
From nie.proof.refine Require inject_exact.
From nie.proof.security Require Import core_is_safe good_is_exact.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Walk.
Variables (a : state) (s : Step.machine) (c v : Z).
Hypothesis G : good a s.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis HV : cpu_vm (cpu_at a c) = v.
Hypothesis GU : v <> CPU_HOST.
Let W : wf a := so_wf _ (go_sound _ _ G).

Lemma runs_vm : 0 <= v < NIE_MAX_VMS /\ vm_state (vm_at a v) <> NIE_VM_FREE /\ State.in_ram a (root (vm_at a v)) = true /\ own a (root (vm_at a v)) = Table v 1 0 /\
  root_desc (hw s) c = root (vm_at a v) * 4096 /\ root_vmid (hw s) c = v + 1.
Proof.
  pose proof (u_runs _ (wf_u _ W) c C ltac:(rewrite HV; exact GU)) as U. cbv zeta in U. rewrite HV in U. destruct U as (V & IV & RU & _).
  destruct (u_some _ (wf_u _ W) v _ V IV ltac:(rewrite RU; discriminate)) as (F & _). destruct (wf_root _ W v V F) as [R O].
  repeat (split; [assumption|]). unfold root_desc, root_vmid. rewrite (go_vttbr _ _ G). unfold vttbr_of. rewrite HV.
  replace ((0 <=? c) && (c <? NIE_MAX_CPUS) && negb (v =? CPU_HOST))%bool with true by (symmetry; rewrite !andb_true_iff, negb_true_iff; repeat split; lia).
  apply ram_small in R; auto. lia.
Qed.

Definition table_of (e : slot) : bool := match e with ToTable _ => true | _ => false end.
Lemma tables_only : forall l k, l = 1 \/ l = 2 -> is_table l (enc (slot_at a v l k)) = table_of (slot_at a v l k).
Proof.
  intros l k L. unfold is_table. destruct (slot_at a v l k) as [| |p|p|p|p] eqn:E; cbn [table_of].
  - destruct L as [-> | ->]; reflexivity.
  - destruct L as [-> | ->]; reflexivity.
  - destruct (wf_tab _ W _ _ _ _ E) as (_ & R & _). destruct (enc_facts (ToTable p) p) as (_ & _ & M); auto; [apply ram_small in R; auto; lia|]. rewrite M. lia.
  - destruct (wf_blk _ W _ _ _ _ E) as (_ & _ & R). destruct (R 0 eq_refl) as [R0 _]. rewrite Z.add_0_r in R0.
    destruct (enc_facts (ToBlock p) p) as (_ & _ & M); auto; [apply ram_small in R0; auto; lia|]. rewrite M. lia.
  - destruct (wf_page _ W _ _ _ _ E) as (Q & _). lia.
  - destruct (wf_shared _ W _ _ _ _ E) as (Q & _). lia.
Qed.

Variable m : Z -> Z.
Hypothesis X : settled (Aset a) m (now m) (hw s).
Hypothesis T : tables_hold a m.
Lemma word_is : forall p l k j, State.in_ram a p = true -> own a p = Table v l k -> is_word j = true -> Map.get (Machine.mem (hw s)) (p * 512 + j) = enc (slot_at a v l (k * 512 + j)).
Proof. intros p l k j R O J. rewrite (kept_word a s G p j m X R ltac:(now rewrite O) J). now apply (t_vm _ _ T). Qed.
Lemma frame_is : forall l k p, slot_at a v l k = ToTable p -> frame (enc (ToTable p)) = p /\ State.in_ram a p = true /\ own a p = Table v (l + 1) k.
Proof.
  intros l k p E. destruct (wf_tab _ W _ _ _ _ E) as (_ & R & O). destruct (enc_facts (ToTable p) p) as (_ & F & _); auto. apply ram_small in R; auto. lia.
Qed.
End Walk.

Theorem walk_finds : forall a s c e, good a s -> 0 <= c < NIE_MAX_CPUS -> cpu_vm (cpu_at a c) <> CPU_HOST ->
  0 <= Step.hpfar e -> let x := Registers.fault_page (Step.hpfar e) in x < 2 ^ 27 -> Released.found s c e = enc (vcpu_abort.entry_of a (cpu_vm (cpu_at a c)) x).
Proof.
  intros a s c e G C GU HP x L. destruct (go_hw _ _ G) as (m & X & T). set (v := cpu_vm (cpu_at a c)) in *.
  destruct (runs_vm a s c v G C eq_refl GU) as (V & F & R & O & RD & _). pose proof (so_wf _ (go_sound _ _ G)) as W.
  assert (PX : Z.land (Z.shiftr (Step.hpfar e) 4) 0xfffffffffff = x) by (apply inject_exact.field_is; lia || reflexivity).
  assert (X0 : 0 <= x) by (unfold x, Registers.fault_page, Registers.field; apply Z.mod_pos_bound; lia).
  unfold Released.found. rewrite RD. cbn [Released.walk]. rewrite PX. change (is_table 0 (root (vm_at a v) * 4096)) with true. cbv iota.
  change (512 ^ (2 - 0)) with 262144. change (0 + 1) with 1. change (512 ^ (2 - 1)) with 512. change (1 + 1) with 2. change (512 ^ (2 - 2)) with 1. rewrite Z.div_1_r.
  replace (frame (root (vm_at a v) * 4096)) with (root (vm_at a v)).
  2:{ symmetry. etransitivity; [|apply (frame_of_desc (root (vm_at a v)) 0 0); apply ram_small in R; auto; lia]. f_equal. lia. }
  rewrite (word_is a s v G m X T _ 1 0 ((x / 262144) mod 512) R O) by (unfold is_word; lia).
  replace (0 * 512 + (x / 262144) mod 512) with (x / 512 / 512) by lia. unfold vcpu_abort.entry_of.
  rewrite (tables_only a s v G) by (now left). destruct (slot_at a v 1 (x / 512 / 512)) as [| |p|p|p|p] eqn:E1; cbn [table_of]; cbv iota; try reflexivity.
  destruct (frame_is a s v G _ _ _ E1) as (F1 & R1 & O1). rewrite F1. change (1 + 1) with 2 in O1.
  rewrite (word_is a s v G m X T _ 2 _ ((x / 512) mod 512) R1 O1) by (unfold is_word; lia). replace (x / 512 / 512 * 512 + (x / 512) mod 512) with (x / 512) by lia.
  rewrite (tables_only a s v G) by (now right). destruct (slot_at a v 2 (x / 512)) as [| |q|q|q|q] eqn:E2; cbn [table_of]; cbv iota; try reflexivity.
  destruct (frame_is a s v G _ _ _ E2) as (F2 & R2 & O2). rewrite F2. change (2 + 1) with 3 in O2.
  rewrite (word_is a s v G m X T _ 3 _ (x mod 512) R2 O2) by (unfold is_word; lia). replace (x / 512 * 512 + x mod 512) with x by lia. reflexivity.
Qed.
