(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_CREATE keeps well-formedness: the host's page is the engine's ([kept]), then the root of a VM that has nothing else. An index
   that is free has nothing: no page names it, no entry of a map is its, no vCPU. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Records Hidden Adding.
From nie.proof.invariant Require Export Counting.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Born.
Variables (a : state) (vm p : Z) (r : State.vm).
Hypothesis W : wf a.
Hypothesis O : onto a.
Hypothesis CNT : counted a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS.
Hypothesis FREE : vm_state (vm_at a vm) = NIE_VM_FREE.
Hypothesis HP : in_ram a p = true /\ own a p = Host.
Hypothesis RS : vm_state r = NIE_VM_BUILDING /\ root r = p /\ granules r = 1 /\ running r = 0 /\ created r = 0 /\ sealed r = false.
Hypothesis RW : 1 <= vcpu_count r <= NIE_MAX_VCPUS /\ 1 <= ram_base r < 2 ^ 26 /\ 1 <= ram_pages r <= 2 ^ 26 - ram_base r.

Lemma nothing : vm_at a vm = no_vm.
Proof. now destruct (v_free _ (wf_v _ W) vm V FREE). Qed.
Lemma no_page : forall q, in_ram a q = true -> names (own a q) vm = false.
Proof.
  intros q R. destruct (names (own a q) vm) eqn:E; auto. pose proof (pages_named a q vm R E) as H. rewrite <- CNT in H by exact V.
  rewrite nothing in H. cbn in H. lia.
Qed.
Lemma no_entry : forall l k, slot_at a vm l k = Empty.
Proof.
  intros l k. destruct (slot_at a vm l k) eqn:E; auto; exfalso; destruct (wf_slot _ W vm l k) as (_ & N & _); try congruence.
Qed.
Lemma no_one : forall i, 0 <= i < NIE_MAX_VCPUS -> vcpu_state (vcpu_at a vm i) = VCPU_NONE.
Proof.
  intros i I. destruct (Z.eq_dec (vcpu_state (vcpu_at a vm i)) VCPU_NONE) as [|N]; auto.
  destruct (u_some _ (wf_u _ W) vm i V I N) as (F & _). contradiction.
Qed.

Notation k := (kept p 1 a).
Lemma one : 1 <= 1 /\ p mod 512 + 1 <= 512.
Proof. lia. Qed.
Lemma host_page : forall i, 0 <= i < 1 -> in_ram a (p + i) = true /\ own a (p + i) = Host.
Proof. intros i I. replace (p + i) with p by lia. exact HP. Qed.
Lemma k_is : hidden a p 1 k.
Proof. exact (kept_is a p 1 W one host_page). Qed.
Lemma k_wf : wf k.
Proof. exact (hidden_wf k_is). Qed.
Lemma k_own : forall q, own k q = if q =? p then Engine else own a q.
Proof.
  intro q. destruct (Z.eqb_spec q p) as [->|N]; [apply (h_kept k_is); unfold given; lia|]. apply (h_own k_is). unfold given. lia.
Qed.

(* [z]: the page is the VM's root. *)
Record born (z : state) : Prop := {
  n_cfg : cfg z = cfg a;
  n_mode : forall g, mode_at z g = mode_at k g;
  n_own : forall q, own z q = if q =? p then Table vm 1 0 else own a q;
  n_slot : forall v l j, slot_at z v l j = slot_at a v l j;
  n_vm : forall v, vm_at z v = if v =? vm then r else vm_at a v;
  n_vcpus : vcpus z = vcpus a /\ saved z = saved a;
  n_cpus : cpus z = cpus a /\ lasts z = lasts a /\ here z = here a /\ fp_here z = fp_here a;
}.

Variable z : state.
Hypothesis Z0 : born z.

Lemma n_ram : forall q, in_ram z q = in_ram a q.
Proof. intro q. unfold in_ram. now rewrite (n_cfg _ Z0). Qed.
Lemma n_from : forall q o, own a q = o -> o <> Host -> own z q = o.
Proof. intros q o E N. rewrite (n_own _ Z0). destruct (Z.eqb_spec q p) as [->|]; auto. destruct HP. congruence. Qed.
Lemma n_access : forall q, host_may_access z q = host_may_access k q.
Proof.
  intro q. unfold host_may_access. rewrite n_ram, (n_cfg _ Z0), (n_own _ Z0), k_own, (h_ram k_is), (h_cfg k_is).
  destruct HP as [RP _]. destruct (Z.eqb_spec q p) as [->|]; rewrite ?RP; auto.
Qed.
Lemma n_henc : forall l j, henc z l j = henc k l j.
Proof.
  intros l j. unfold henc, gib_count, level3, attributes, level3_first, gib_count.
  now rewrite (n_mode _ Z0), !n_ram, n_access, (n_cfg _ Z0), !(h_ram k_is), (h_cfg k_is).
Qed.
Lemma n_state : forall v, vm_state (vm_at z v) = NIE_VM_FREE -> v <> vm /\ vm_at z v = vm_at a v.
Proof.
  intro v. rewrite (n_vm _ Z0). destruct (Z.eqb_spec v vm) as [->|]; auto. destruct RS as (-> & _). discriminate.
Qed.
Lemma n_many : forall v f, how_many z v f = how_many a v f.
Proof. intros v f. unfold how_many, vcpu_at. now destruct (n_vcpus _ Z0) as [-> _]. Qed.
Lemma n_none : forall f, f no_vcpu = false -> how_many a vm f = 0.
Proof.
  intros f F. unfold how_many. assert (X : forall i, (i < 8)%nat -> f (vcpu_at a vm (Z.of_nat i)) = false).
  { intros i I. rewrite (u_none _ (wf_u _ W) vm (Z.of_nat i) V); auto; [unfold NIE_MAX_VCPUS; lia|]. apply no_one. unfold NIE_MAX_VCPUS. lia. }
  change (Z.to_nat NIE_MAX_VCPUS) with 8%nat. cbn [seq filter]. rewrite !X by lia. reflexivity.
Qed.
Lemma n_last : forall v c, last_at z v c = last_at a v c.
Proof. intros. unfold last_at. now destruct (n_cpus _ Z0) as (_ & -> & _). Qed.

Lemma born_vms : wf_vms z.
Proof.
  destruct RS as (S1 & S2 & S3 & S4 & S5 & S6). pose proof (wf_v _ W) as WV. constructor; intros v; rewrite ?n_many.
  - intros H F. destruct (n_state v F) as [N E]. rewrite E in *. destruct (v_free _ WV v H F) as [F1 F2]. split; auto. intros c C. rewrite n_last. auto.
  - intros H. rewrite (n_vm _ Z0). destruct (Z.eqb_spec v vm) as [->|N]; [|now apply (v_used _ WV)]. intros _. rewrite S1. split; [split; [reflexivity|discriminate]|exact RW].
  - intros H. rewrite (n_vm _ Z0). destruct (Z.eqb_spec v vm) as [->|N]; [|now apply (v_sealed _ WV)]. rewrite S1, S6. split; auto. discriminate.
  - intros H. rewrite (n_vm _ Z0). destruct (Z.eqb_spec v vm) as [->|N]; [now rewrite n_none|]. now apply (v_running _ WV).
  - intros H. rewrite (n_vm _ Z0). destruct (Z.eqb_spec v vm) as [->|N]; [now rewrite n_none|]. now apply (v_created _ WV).
  - intros c H C. rewrite n_last. now apply (v_last _ WV).
Qed.

Lemma born_vcpus : wf_vcpus z.
Proof.
  assert (EV : forall v i, vcpu_at z v i = vcpu_at a v i) by (intros; unfold vcpu_at; now destruct (n_vcpus _ Z0) as [-> _]).
  assert (EC : forall c, cpu_at z c = cpu_at a c) by (intros; unfold cpu_at; now destruct (n_cpus _ Z0) as [-> _]).
  destruct (wf_u _ W) as [UN SO RN RU]. constructor.
  - intros v i. rewrite EV. auto.
  - intros v i H I. rewrite EV, (n_vm _ Z0). intro N. destruct (Z.eqb_spec v vm) as [->|D]; [now rewrite no_one in N|].
    destruct (SO v i H I N) as (S1 & S2 & S3 & S4 & S5 & S6 & S7). rewrite !n_ram.
    split; [exact S1|]. split; [exact S2|]. split; [exact S3|]. split; [exact S4|]. split; [apply n_from; [exact S5|discriminate]|].
    split; [exact S6|]. apply n_from; [exact S7|discriminate].
  - intros v i H I. rewrite EV. cbn zeta. rewrite EC. auto.
  - intros c C. cbn zeta. rewrite EC, EV. auto.
Qed.

Lemma born_wf : wf z.
Proof.
  pose proof k_wf as Wk. pose proof (wf_c _ W) as WC. constructor.
  - destruct WC. constructor; unfold level3_first, gib_count in *; rewrite (n_cfg _ Z0); auto.
  - rewrite (n_cfg _ Z0). intros q H. apply n_from; [now apply (wf_engine _ W)|discriminate].
  - intros g H. rewrite (n_mode _ Z0) in H. apply (wf_mode _ Wk) in H. apply (h_managed k_is) in H. unfold managed in *. now rewrite n_ram, (n_cfg _ Z0).
  - intros g j H J. rewrite (n_mode _ Z0) in H. rewrite n_access. now apply (wf_block _ Wk).
  - intros q R H. rewrite n_ram in R. rewrite (n_mode _ Z0), (h_mode k_is). destruct (Z.eqb_spec (q / 512) (p / 512)) as [E|E]; [discriminate|].
    apply (wf_mapped _ W); auto. rewrite (n_own _ Z0) in H. destruct (Z.eqb_spec q p) as [->|]; [now destruct E|auto].
  - intros v l j q H. rewrite (n_slot _ Z0) in H. destruct (wf_tab _ W _ _ _ _ H) as (L & R & E). rewrite n_ram. repeat split; auto. apply n_from; [exact E|discriminate].
  - intros v l j q H. rewrite (n_slot _ Z0) in H. destruct (wf_blk _ W _ _ _ _ H) as (L & M & E). split; [auto|split; [auto|]].
    intros i I. destruct (E i I) as [R F]. rewrite n_ram. split; auto. apply n_from; [exact F|discriminate].
  - intros v l j q H. rewrite (n_slot _ Z0) in H. destruct (wf_page _ W _ _ _ _ H) as (L & R & E). rewrite n_ram. repeat split; auto. apply n_from; [exact E|discriminate].
  - intros v l j q H. rewrite (n_slot _ Z0) in H. destruct (wf_shared _ W _ _ _ _ H) as (L & R & E & U). rewrite n_ram. repeat split; auto. apply n_from; [exact E|discriminate].
  - intros v l j H. rewrite (n_slot _ Z0) in H. destruct (wf_slot _ W _ _ _ H) as (H1 & H2 & H3 & H4 & H5 & H6).
    split; [exact H1|]. split; [intro F; destruct (n_state v F) as [_ E]; congruence|]. split; [exact H3|]. split; [exact H4|]. split; [exact H5|].
    intro L. destruct (H6 L) as [q Q]. exists q. now rewrite (n_slot _ Z0).
  - intros v H. rewrite (n_vm _ Z0), n_ram. destruct (Z.eqb_spec v vm) as [->|N].
    + intros _. destruct RS as (_ & -> & _). destruct HP as [RP _]. split; auto. rewrite (n_own _ Z0), Z.eqb_refl. reflexivity.
    + intro F. destruct (wf_root _ W v H F) as [R E]. split; auto. apply n_from; [exact E|discriminate].
  - exact born_vms.
  - exact born_vcpus.
Qed.

Lemma n_kept : forall q o, in_ram a q = true -> own z q = o -> (forall l j, o <> Table vm l j) -> own a q = o /\ names o vm = false.
Proof.
  intros q o R. rewrite (n_own _ Z0). destruct (Z.eqb_spec q p) as [->|]; intros <- N; [now destruct (N 1 0)|]. split; auto. now apply no_page.
Qed.
Lemma born_onto : onto z.
Proof.
  constructor; intros q v; rewrite n_ram.
  - intros j R H. apply n_kept in H as [H N]; [|auto|discriminate]. rewrite !(n_slot _ Z0). now apply (on_data _ O).
  - intros j R H. apply n_kept in H as [H N]; [|auto|discriminate]. rewrite !(n_slot _ Z0). now apply (on_shared _ O).
  - intros l j R. rewrite (n_own _ Z0), (n_slot _ Z0), (n_vm _ Z0). destruct (Z.eqb_spec q p) as [->|N].
    + intros [= <- <- <-]. left. rewrite Z.eqb_refl. destruct RS as (_ & -> & _). auto.
    + intro H. pose proof (no_page q R) as NP. rewrite H in NP. cbn in NP. rewrite NP. now apply (on_table _ O).
  - intros i R H. apply n_kept in H as [H N]; [|auto|discriminate]. unfold vcpu_at. destruct (n_vcpus _ Z0) as [-> _]. exact (on_vcpu _ O q v i R H).
  - intros i R H. apply n_kept in H as [H N]; [|auto|discriminate]. unfold vcpu_at. destruct (n_vcpus _ Z0) as [-> _]. exact (on_run _ O q v i R H).
Qed.

Lemma born_counted : counted z.
Proof.
  destruct RS as (_ & _ & S3 & _). apply (counted_donate a z p 1 vm); auto; [apply W|exact (n_cfg _ Z0)|lia|exact host_page| | |].
  - intros i w I. replace (p + i) with p by lia. rewrite (n_own _ Z0), Z.eqb_refl. reflexivity.
  - intros q Q. rewrite (n_own _ Z0). now replace (q =? p) with false by lia.
  - intro w. rewrite (n_vm _ Z0). destruct (Z.eqb_spec w vm) as [->|]; auto. rewrite S3, nothing. reflexivity.
Qed.

(* What walkers may hold: as before, and the new root. *)
Lemma born_sub : sub (Aset k) (Aset z).
Proof.
  intros v l j d [(-> & H)|(i & -> & I & H)].
  - left. rewrite (n_cfg _ Z0), n_henc. rewrite (h_cfg k_is) in H. auto.
  - right. exists i. split; [auto|split; [exact I|]]. rewrite (n_slot _ Z0), (n_vm _ Z0). rewrite (h_slot k_is) in H.
    destruct (same_root _ _ (h_records k_is) i) as [E1 E2]. rewrite E1, E2 in H. destruct (Z.eqb_spec i vm) as [->|]; auto.
    destruct H as [(_ & _ & _ & N)|H]; [contradiction|auto].
Qed.
Lemma born_hosts : forall q, (exists l j d, Aset z 0 l j d /\ maps l d q) -> exists l j d, Aset k 0 l j d /\ maps l d q.
Proof.
  intros q (l & j & d & H & M). exists l, j, d. split; auto. destruct H as [(_ & H)|(i & E & I & _)]; [|lia]. left. split; auto.
  rewrite (n_cfg _ Z0), n_henc in H. now rewrite (h_cfg k_is).
Qed.
Lemma born_tables : forall m, tables_hold k m -> (forall i, is_word i = true -> m (p * 512 + i) = 0) -> tables_hold z m.
Proof.
  intros m T M. constructor.
  - intros q v l j i R H I. rewrite n_ram in R. rewrite (n_slot _ Z0). rewrite (n_own _ Z0) in H. destruct (Z.eqb_spec q p) as [->|N].
    + injection H as <- <- <-. rewrite M, no_entry by exact I. reflexivity.
    + rewrite <- (h_slot k_is). apply (t_vm _ _ T q v l j i); [now rewrite (h_ram k_is)| |exact I]. rewrite k_own. now replace (q =? p) with false by lia.
  - intros i I. rewrite n_henc, (n_cfg _ Z0), <- (h_cfg k_is). now apply (t_1 _ _ T).
  - intros j i J I. rewrite n_henc, (n_cfg _ Z0), <- (h_cfg k_is). apply (t_2 _ _ T); auto. unfold gib_count in *. now rewrite (h_cfg k_is); rewrite (n_cfg _ Z0) in J.
  - intros g i G I. rewrite n_henc. replace (level3 z g) with (level3 k g).
    + apply (t_3 _ _ T); auto. apply (h_managed k_is). unfold managed in *. now rewrite n_ram, (n_cfg _ Z0) in G.
    + unfold level3, level3_first, gib_count. now rewrite n_ram, (n_cfg _ Z0), (h_ram k_is), (h_cfg k_is).
  - intros q v i j R H J. rewrite n_ram in R. unfold saved_at. destruct (n_vcpus _ Z0) as [_ ->].
    assert (H' : own k q = Vcpu v i). { rewrite (n_own _ Z0) in H. rewrite k_own. destruct (q =? p); [discriminate|auto]. }
    rewrite (t_saved _ _ T q v i j) by (exact H' || exact J || now rewrite (h_ram k_is)). exact (same_saved (h_records k_is) v i j).
Qed.
End Born.
