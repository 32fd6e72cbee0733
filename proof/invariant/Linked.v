(* SPDX-License-Identifier: Apache-2.0 *)
(* Pages that nobody used get an owner and entries of a VM's stage 2 that lead to them: what a call that adds does in
   the end. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* What [wf] says of one entry. *)
Definition slot_ok (a : state) (v l k : Z) : Prop :=
  match slot_at a v l k with
  | ToTable p => (l = 1 \/ l = 2) /\ in_ram a p = true /\ own a p = Table v (l + 1) k
  | ToBlock p => l = 2 /\ p mod 512 = 0 /\ forall j, is_word j = true -> in_ram a (p + j) = true /\ own a (p + j) = Data v (k * 512 + j)
  | ToPage p => l = 3 /\ in_ram a p = true /\ own a p = Data v k
  | ToShared p => l = 3 /\ in_ram a p = true /\ own a p = Shared v k /\ 2 ^ 26 <= k
  | Empty | Spent => True
  end /\
  (slot_at a v l k <> Empty -> 0 <= v < NIE_MAX_VMS /\ vm_state (vm_at a v) <> NIE_VM_FREE /\
      1 <= l <= 3 /\ 0 <= k /\ (l = 1 -> k < 512) /\ (1 < l -> exists p, slot_at a v (l - 1) (k / 512) = ToTable p)).

(* [c'] is [c] with other owners of pages p, p + 1, ... and other entries, those of [N]. *)
Record linked (c : state) (p n : Z) (N : Z -> Z -> Z -> Prop) (c' : state) : Prop := {
  l_wf : wf c;
  l_cfg : cfg c' = cfg c;
  l_mode : modes c' = modes c;
  l_records : same_records c c';
  l_dec : forall v l k, N v l k \/ ~ N v l k;
  l_slot : forall v l k, ~ N v l k -> slot_at c' v l k = slot_at c v l k;
  l_was : forall v l k, N v l k -> forall t, slot_at c v l k <> ToTable t;
  l_is : forall v l k, N v l k -> slot_ok c' v l k;
  l_own : forall q, ~ given p n q -> own c' q = own c q;
  l_free : forall q, given p n q -> in_ram c q = true /\ (own c q = Host \/ own c q = Engine) /\ ~ engine_range c q /\
      mode_at c (q / 512) <> Unmapped;
  l_access : forall q, given p n q -> host_may_access c' q = host_may_access c q;
}.
Arguments l_wf {c p n N c'}. Arguments l_cfg {c p n N c'}. Arguments l_mode {c p n N c'}. Arguments l_records {c p n N c'}.
Arguments l_dec {c p n N c'}. Arguments l_slot {c p n N c'}. Arguments l_was {c p n N c'}. Arguments l_is {c p n N c'}.
Arguments l_own {c p n N c'}. Arguments l_free {c p n N c'}. Arguments l_access {c p n N c'}.

Section Linked.
Context {c c' : state} {p n : Z} {N : Z -> Z -> Z -> Prop}.
Hypothesis L : linked c p n N c'.
Notation W := (l_wf L).

Lemma l_root : forall v, root (vm_at c' v) = root (vm_at c v) /\ vm_state (vm_at c' v) = vm_state (vm_at c v).
Proof. exact (same_root _ _ (l_records L)). Qed.

Lemma l_ram : forall q, in_ram c' q = in_ram c q.
Proof. intro q. unfold in_ram. now rewrite (l_cfg L). Qed.
Lemma l_gibs : gib_count c' = gib_count c.
Proof. unfold gib_count. now rewrite (l_cfg L). Qed.
Lemma l_managed : forall g, managed c' g <-> managed c g.
Proof. intro g. unfold managed. rewrite l_ram, (l_cfg L). reflexivity. Qed.
Lemma l_level3 : forall g, level3 c' g = level3 c g.
Proof. intro g. unfold level3, level3_first. now rewrite l_ram, l_gibs, (l_cfg L). Qed.
Lemma l_mode_at : forall g, mode_at c' g = mode_at c g.
Proof. intro g. unfold mode_at. now rewrite (l_mode L). Qed.

Lemma l_same_access : forall q, host_may_access c' q = host_may_access c q.
Proof.
  intro q. destruct (given_dec p n q) as [G|G]; [now apply (l_access L)|].
  unfold host_may_access. now rewrite l_ram, (l_cfg L), (l_own L q G).
Qed.

Lemma l_henc : forall l k, henc c' l k = henc c l k.
Proof.
  intros l k. unfold henc, attributes. now rewrite l_gibs, (l_cfg L), l_mode_at, l_level3, !l_ram, l_same_access.
Qed.

Lemma l_kept : forall q o, own c q = o -> o <> Host -> o <> Engine -> own c' q = o.
Proof.
  intros q o E H1 H2. rewrite (l_own L); auto. intro G. destruct (l_free L q G) as (_ & [F|F] & _); congruence.
Qed.

Lemma l_parent : forall v l k t, slot_at c v l k = ToTable t -> slot_at c' v l k = ToTable t.
Proof.
  intros v l k t E. rewrite (l_slot L); auto. intro H. now apply (l_was L v l k H t).
Qed.

Lemma l_slot_ok : forall v l k, slot_ok c' v l k.
Proof.
  intros v l k. destruct (l_dec L v l k) as [H|H]; [now apply (l_is L)|]. unfold slot_ok. rewrite (l_slot L v l k H).
  destruct (l_root v) as [_ ->]. split.
  - destruct (slot_at c v l k) as [| |q|q|q|q] eqn:E; auto; rewrite ?l_ram.
    + destruct (wf_tab _ W _ _ _ _ E) as (? & ? & O). repeat split; auto. apply l_kept; auto; discriminate.
    + destruct (wf_blk _ W _ _ _ _ E) as (? & ? & O). repeat split; auto; rewrite ?l_ram; destruct (O j); auto. apply l_kept; auto; discriminate.
    + destruct (wf_page _ W _ _ _ _ E) as (? & ? & O). repeat split; auto. apply l_kept; auto; discriminate.
    + destruct (wf_shared _ W _ _ _ _ E) as (? & ? & O & ?). repeat split; auto. apply l_kept; auto; discriminate.
  - intro E. destruct (wf_slot _ W _ _ _ E) as (H1 & H2 & H3 & H4 & H5 & H6). repeat split; auto; try lia.
    intro L1. destruct (H6 L1) as [t T]. exists t. now apply l_parent.
Qed.

Lemma linked_wf : wf c'.
Proof.
  pose proof (wf_c _ W) as WC. constructor.
  - destruct WC. constructor; unfold level3_first, gib_count in *; rewrite (l_cfg L); auto.
  - rewrite (l_cfg L). intros q H. rewrite (l_own L); [now apply (wf_engine _ W)|]. intro G. destruct (l_free L q G) as (_ & _ & F & _).
    now apply F.
  - intros g H. apply l_managed. rewrite l_mode_at in H. now apply (wf_mode _ W).
  - intros g j H J. rewrite l_mode_at in H. rewrite l_same_access. now apply (wf_block _ W).
  - intros q R H. rewrite l_ram in R. rewrite l_mode_at. destruct (given_dec p n q) as [G|G]; [now apply (l_free L q G)|].
    apply (wf_mapped _ W); auto. now rewrite <- (l_own L q G).
  - intros v l k q H. pose proof (l_slot_ok v l k) as [K _]. now rewrite H in K.
  - intros v l k q H. pose proof (l_slot_ok v l k) as [K _]. now rewrite H in K.
  - intros v l k q H. pose proof (l_slot_ok v l k) as [K _]. now rewrite H in K.
  - intros v l k q H. pose proof (l_slot_ok v l k) as [K _]. now rewrite H in K.
  - intros v l k H. now apply (l_slot_ok v l k).
  - intros v V S. destruct (l_root v) as [E1 E2]. rewrite E1, l_ram. rewrite E2 in S. destruct (wf_root _ W v V S) as [R O].
    split; auto. apply l_kept; auto; discriminate.
  - exact (same_wf_vms (l_records L) (wf_v _ W)).
  - apply (same_wf_vcpus (l_records L)); [apply (l_cfg L)| |apply (wf_u _ W)]. intros q v i [E|E]; rewrite E; apply l_kept; auto; discriminate.
Qed.

(* More is reached, nothing less, when the entries led nowhere. *)
Lemma linked_sub : (forall v l k, N v l k -> valid (enc (slot_at c v l k)) = false) -> sub (Aset c) (Aset c').
Proof.
  intros E v l k d [(-> & H)|(i & -> & I & H)].
  - left. split; auto. rewrite (l_cfg L), l_henc. exact H.
  - right. exists i. split; auto. split; auto. destruct (l_root i) as [-> ->]. destruct H as [H|(L1 & -> & V)]; auto. right. split; auto.
    destruct (l_dec L i l k) as [K|K]; [now rewrite (E i l k K) in V|]. now rewrite (l_slot L i l k K).
Qed.

Lemma linked_host : forall l k d, Aset c' 0 l k d <-> Aset c 0 l k d.
Proof.
  intros l k d. split; (intros [(_ & H)|(j & E & J & _)]; [|lia]); left; split; auto; rewrite (l_cfg L), l_henc in *; exact H.
Qed.

(* Of other VMs, nothing changes; of this one, not the root. *)
Lemma linked_other : forall v l k d, v <> 0 -> (forall l k, ~ N (v - 1) l k) -> Aset c v l k d -> Aset c' v l k d.
Proof.
  intros v l k d V E [(-> & _)|(i & -> & I & H)]; [lia|]. right. exists i. split; auto. split; auto. destruct (l_root i) as [-> ->].
  rewrite (l_slot L); auto. specialize (E l k). now replace (i + 1 - 1) with i in E by lia.
Qed.
Lemma linked_root : forall v d, v <> 0 -> Aset c v 0 0 d -> Aset c' v 0 0 d.
Proof.
  intros v d V [(-> & _)|(i & -> & I & H)]; [lia|]. right. exists i. split; auto. split; auto. destruct (l_root i) as [-> ->].
  destruct H as [H|(? & _)]; [auto|lia].
Qed.

Lemma linked_onto : onto c ->
  (forall q v l k, slot_at c v l k = ToPage q \/ slot_at c v l k = ToShared q -> ~ N v l k) ->
  (forall q v k, slot_at c v 2 k = ToBlock q -> N v 2 k -> forall j, is_word j = true -> slot_at c' v 3 (k * 512 + j) = ToPage (q + j)) ->
  (forall q, given p n q -> match own c' q with
     | Data v k => slot_at c' v 3 k = ToPage q \/ slot_at c' v 2 (k / 512) = ToBlock (q - k mod 512)
     | Shared v k => slot_at c' v 3 k = ToShared q
     | Table v l k => (l = 1 /\ k = 0 /\ root (vm_at c' v) = q) \/ slot_at c' v (l - 1) k = ToTable q
     | Host | Engine => True
     | _ => False
     end) -> onto c'.
Proof.
  intros O PG BK ON. constructor; intros q v.
  - intros k R H. rewrite l_ram in R. destruct (given_dec p n q) as [G|G]; [specialize (ON q G); now rewrite H in ON|].
    rewrite (l_own L q G) in H. destruct (on_data _ O _ _ _ R H) as [E|E].
    + left. rewrite (l_slot L); auto. eapply PG; eauto.
    + destruct (l_dec L v 2 (k / 512)) as [D|D].
      * left. pose proof (BK _ _ _ E D (k mod 512)) as F. replace (k / 512 * 512 + k mod 512) with k in F by lia.
        rewrite F; [f_equal; lia|]. unfold is_word. lia.
      * right. now rewrite (l_slot L).
  - intros k R H. rewrite l_ram in R. destruct (given_dec p n q) as [G|G]; [specialize (ON q G); now rewrite H in ON|].
    rewrite (l_own L q G) in H. pose proof (on_shared _ O _ _ _ R H) as E. rewrite (l_slot L); auto. eapply PG; eauto.
  - intros l k R H. rewrite l_ram in R. destruct (given_dec p n q) as [G|G]; [specialize (ON q G); now rewrite H in ON|].
    rewrite (l_own L q G) in H. destruct (l_root v) as [-> _]. destruct (on_table _ O _ _ _ _ R H) as [E|E]; auto. right. now apply l_parent.
  - intros i R H. rewrite l_ram in R. destruct (given_dec p n q) as [G|G]; [specialize (ON q G); now rewrite H in ON|].
    rewrite (l_own L q G) in H. rewrite (same_vcpu (l_records L)). now apply (on_vcpu _ O).
  - intros i R H. rewrite l_ram in R. destruct (given_dec p n q) as [G|G]; [specialize (ON q G); now rewrite H in ON|].
    rewrite (l_own L q G) in H. rewrite (same_vcpu (l_records L)). now apply (on_run _ O).
Qed.

(* The tables: the words of the entries, the tables that are new, and the rest as it was. *)
Lemma linked_tables : forall m m', tables_hold c m -> (forall q v i, given p n q -> own c' q <> Vcpu v i) ->
  (forall q i v l k, in_ram c q = true -> own c' q = Table v l k -> is_word i = true -> given p n q \/ N v l (k * 512 + i) ->
     m' (q * 512 + i) = enc (slot_at c' v l (k * 512 + i))) ->
  (forall q i, engine_range c q -> is_word i = true -> m' (q * 512 + i) = m (q * 512 + i)) ->
  (forall q i v l k, in_ram c q = true -> own c q = Table v l k -> is_word i = true -> ~ N v l (k * 512 + i) ->
     m' (q * 512 + i) = m (q * 512 + i)) ->
  (forall q i v k, in_ram c q = true -> own c q = Vcpu v k -> is_word i = true -> m' (q * 512 + i) = m (q * 512 + i)) ->
  tables_hold c' m'.
Proof.
  intros m m' T NV H1 H2 H3 H4. pose proof (gibs_small _ W). pose proof (c_dev _ (wf_c _ W)). pose proof (c_ram _ (wf_c _ W)).
  pose proof (c_tables _ (wf_c _ W)). constructor.
  - intros q v l k i R O I. rewrite l_ram in R. destruct (given_dec p n q) as [G|G]; [eapply H1; eauto|].
    destruct (l_dec L v l (k * 512 + i)) as [D|D]; [eapply H1; eauto|]. rewrite (l_own L q G) in O.
    rewrite (l_slot L _ _ _ D), <- (t_vm _ _ T _ _ _ _ _ R O I). eapply H3; eauto.
  - intros i I. rewrite (l_cfg L), l_henc. rewrite H2; auto; [now apply (t_1 _ _ T)|]. unfold engine_range, level3_first in *. lia.
  - intros j i J I. rewrite (l_cfg L), l_henc. rewrite l_gibs in J. rewrite H2; auto; [now apply (t_2 _ _ T)|]. unfold engine_range, level3_first in *. lia.
  - intros g i M I. apply l_managed in M. rewrite l_level3, l_henc. rewrite H2; auto; [now apply (t_3 _ _ T)|].
    pose proof (level3_range _ W _ M). unfold engine_range, level3_first in *. lia.
  - intros q v i j R O I. rewrite l_ram in R. rewrite (same_saved (l_records L)).
    destruct (given_dec p n q) as [G|G]; [now destruct (NV q v i G)|]. rewrite (l_own L q G) in O.
    rewrite <- (t_saved _ _ T _ _ _ _ R O I). eapply H4; eauto.
Qed.
End Linked.
