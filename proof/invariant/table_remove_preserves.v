(* SPDX-License-Identifier: Apache-2.0 *)
(* TABLE_REMOVE keeps well-formedness: the state in which nothing names the table any more, and the last one. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec.call Require Import table_remove.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Records page_remove_preserves.
Import RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Orphan.
Variables (a : state) (vm lev key t : Z).
Hypothesis W : wf a.
Hypothesis O : onto a.
Hypothesis T : slot_at a vm (lev - 1) key = ToTable t.
Hypothesis FREE : forall i, is_word i = true -> slot_at a vm lev (key * 512 + i) = Empty \/ slot_at a vm lev (key * 512 + i) = Spent.

(* The entry that names the table, and its own entries. *)
Definition gone (v l k : Z) : Prop := v = vm /\ ((l = lev - 1 /\ k = key) \/ (l = lev /\ key * 512 <= k < key * 512 + 512)).

(* [b] is [a] without them: who owns what is as before. *)
Record orphan (b : state) : Prop := {
  o_cfg : cfg b = cfg a;
  o_modes : modes b = modes a;
  o_vms : vms b = vms a;
  o_owners : owners b = owners a;
  o_records : same_records a b;
  o_gone : forall v l k, gone v l k -> slot_at b v l k = Empty;
  o_slot : forall v l k, ~ gone v l k -> slot_at b v l k = slot_at a v l k;
}.

Lemma gone_dec : forall v l k, gone v l k \/ ~ gone v l k.
Proof. intros. unfold gone. lia. Qed.

Lemma forget_slots : forall n v l k, 0 <= n -> slot_at (each n (forget vm lev key) a) v l k =
  if (v =? vm) && (l =? lev) && (key * 512 <=? k) && (k <? key * 512 + n) then Empty else slot_at a v l k.
Proof.
  intros n v l k N. unfold each. rewrite <- (Z2Nat.id n) at 2 by exact N. clear N. induction (Z.to_nat n) as [|m IH]; cbn [each_nat].
  - destruct (Z.leb_spec (key * 512) k), (Z.ltb_spec k (key * 512 + Z.of_nat 0)); rewrite ?andb_false_r; auto. lia.
  - unfold forget at 1. rewrite slot_set, IH.
    destruct (Z.eqb_spec v vm), (Z.eqb_spec l lev), (Z.eqb_spec k (key * 512 + Z.of_nat m)), (Z.leb_spec (key * 512) k),
      (Z.ltb_spec k (key * 512 + Z.of_nat m)), (Z.ltb_spec k (key * 512 + Z.of_nat (S m))); cbn; auto; lia.
Qed.

Lemma forget_rest : forall n, let b := each n (forget vm lev key) a in
  cfg b = cfg a /\ modes b = modes a /\ vms b = vms a /\ owners b = owners a /\ same_records a b.
Proof.
  intro n. unfold each. cbn zeta. induction (Z.to_nat n) as [|m (E1 & E2 & E3 & E4 & E5)]; cbn [each_nat]; auto 6 using same_refl.
  split; [auto|]. split; [auto|]. split; [auto|]. split; [auto|]. eapply same_trans; [exact E5|]. now apply same_of_eq.
Qed.

Lemma orphan_spec : orphan (set_slot vm (lev - 1) key Empty (each 512 (forget vm lev key) a)).
Proof.
  pose proof (forget_slots 512) as FS. destruct (forget_rest 512) as (E1 & E2 & E3 & E4 & E5). revert FS E1 E2 E3 E4 E5.
  generalize (each 512 (forget vm lev key) a). intros c FS E1 E2 E3 E4 E5. constructor; auto; [eapply same_trans; [exact E5|now apply same_of_eq]| |].
  - intros v l k G. rewrite slot_set, FS by lia. unfold gone in G.
    destruct ((v =? vm) && (l =? lev - 1) && (k =? key)) eqn:E; auto.
    replace ((v =? vm) && (l =? lev) && (key * 512 <=? k) && (k <? key * 512 + 512)) with true by lia. auto.
  - intros v l k G. rewrite slot_set, FS by lia. unfold gone in G.
    replace ((v =? vm) && (l =? lev - 1) && (k =? key)) with false by lia.
    now replace ((v =? vm) && (l =? lev) && (key * 512 <=? k) && (k <? key * 512 + 512)) with false by lia.
Qed.

Lemma table_here : (lev = 2 \/ lev = 3) /\ in_ram a t = true /\ own a t = Table vm lev key.
Proof.
  destruct (wf_tab _ W _ _ _ _ T) as (L & R & E). replace (lev - 1 + 1) with lev in E by lia. repeat split; auto. lia.
Qed.

Section Orphaned.
Variable b : state.
Hypothesis B : orphan b.

Lemma o_ram : forall p, in_ram b p = in_ram a p.
Proof. intro p. unfold in_ram. now rewrite (o_cfg _ B). Qed.
Lemma o_own : forall p, own b p = own a p.
Proof. intro p. unfold own. now rewrite (o_owners _ B). Qed.
Lemma o_vm : forall v, vm_at b v = vm_at a v.
Proof. intro v. unfold vm_at. now rewrite (o_vms _ B). Qed.
Lemma o_mode : forall g, mode_at b g = mode_at a g.
Proof. intro g. unfold mode_at. now rewrite (o_modes _ B). Qed.
Lemma o_managed : forall g, managed b g <-> managed a g.
Proof. intro g. unfold managed. rewrite o_ram, (o_cfg _ B). reflexivity. Qed.
Lemma o_access : forall p, host_may_access b p = host_may_access a p.
Proof. intro p. unfold host_may_access. now rewrite o_ram, o_own, (o_cfg _ B). Qed.
Lemma o_henc : forall l k, henc b l k = henc a l k.
Proof.
  intros l k. unfold henc, gib_count, level3, attributes, level3_first, gib_count. now rewrite o_mode, !o_ram, o_access, (o_cfg _ B).
Qed.

Lemma slot_kept : forall v l k e, slot_at b v l k = e -> e <> Empty -> slot_at a v l k = e /\ ~ gone v l k.
Proof.
  intros v l k e E N. destruct (gone_dec v l k) as [G|G].
  - rewrite (o_gone _ B _ _ _ G) in E. congruence.
  - rewrite (o_slot _ B _ _ _ G) in E. auto.
Qed.

Lemma entry_free : forall l k, l = lev -> key * 512 <= k < key * 512 + 512 -> slot_at a vm l k = Empty \/ slot_at a vm l k = Spent.
Proof.
  intros l k -> K. replace k with (key * 512 + (k - key * 512)) by lia. apply FREE. unfold is_word. lia.
Qed.

Lemma orphan_wf : wf b.
Proof.
  pose proof (wf_c _ W) as WC. constructor.
  - destruct WC. constructor; unfold level3_first, gib_count in *; rewrite (o_cfg _ B); auto.
  - rewrite (o_cfg _ B). intros p H. rewrite o_own. now apply (wf_engine _ W).
  - intros g H. rewrite o_mode in H. apply o_managed. now apply (wf_mode _ W).
  - intros g j H J. rewrite o_mode in H. rewrite o_access. now apply (wf_block _ W).
  - intros p R H. rewrite o_ram in R. rewrite o_own in H. rewrite o_mode. now apply (wf_mapped _ W).
  - intros v l k p H. apply slot_kept in H as [H _]; [|discriminate]. rewrite o_ram, o_own. now apply (wf_tab _ W).
  - intros v l k p H. apply slot_kept in H as [H _]; [|discriminate]. destruct (wf_blk _ W _ _ _ _ H) as (L & M & E).
    split; [auto|split; [auto|]]. intros j J. rewrite o_ram, o_own. now apply E.
  - intros v l k p H. apply slot_kept in H as [H _]; [|discriminate]. rewrite o_ram, o_own. now apply (wf_page _ W).
  - intros v l k p H. apply slot_kept in H as [H _]; [|discriminate]. rewrite o_ram, o_own. now apply (wf_shared _ W).
  - intros v l k H. destruct (slot_kept v l k _ eq_refl H) as [E G]. rewrite <- E in H.
    destruct (wf_slot _ W _ _ _ H) as (H1 & H2 & H3 & H4 & H5 & H6). rewrite o_vm. repeat split; auto; try lia.
    intro L. destruct (H6 L) as [p Q]. exists p. rewrite (o_slot _ B); auto. unfold gone in *.
    intros (-> & [(E1 & E2)|(E1 & E2)]); [lia|]. destruct (entry_free (l - 1) (k / 512)); auto; congruence.
  - intros v V S. rewrite o_vm in *. rewrite o_ram, o_own. now apply (wf_root _ W).
  - apply (same_wf_vms (o_records _ B)), W.
  - apply (same_wf_vcpus (o_records _ B)); [apply (o_cfg _ B)|intros; apply o_own|apply W].
Qed.

(* What walkers may hold is what they might, without the VM's entries that are gone. *)
Lemma orphan_sub : sub (Aset b) (Aset a).
Proof.
  intros v l k d [(-> & H)|(j & -> & J & H)].
  - left. rewrite (o_cfg _ B), o_henc in H. auto.
  - right. exists j. rewrite o_vm in H. repeat split; auto; try lia. destruct H as [H|(L & -> & D)]; auto. right.
    destruct (gone_dec j l k) as [G|G]; [rewrite (o_gone _ B _ _ _ G) in D; discriminate|]. now rewrite (o_slot _ B _ _ _ G) in *.
Qed.

Lemma orphan_other : forall v l k d, v <> vm + 1 -> Aset a v l k d -> Aset b v l k d.
Proof.
  intros v l k d N [(-> & H)|(j & -> & J & H)].
  - left. rewrite (o_cfg _ B), o_henc. auto.
  - right. exists j. rewrite o_vm. repeat split; auto; try lia. destruct H as [H|(L & -> & D)]; auto. right.
    rewrite (o_slot _ B); auto. unfold gone. lia.
Qed.

(* Nothing that leads anywhere goes. *)
Lemma orphan_keeps : forall v x p, keeps (Aset a) v x p -> keeps (Aset b) v x p.
Proof.
  intros v x p (l & k & d & H & M & N & U). exists l, k, d. split; [|auto]. destruct (Z.eq_dec v (vm + 1)) as [->|NV]; [|now apply orphan_other].
  destruct H as [(? & _)|(j & E & J & H)]; [lia|]. right. exists j. split; [exact E|]. split; [exact J|]. rewrite o_vm. destruct H as [H|(L & -> & D)]; auto. right. split; [exact L|].
  rewrite (o_slot _ B); auto. intros (_ & [(-> & ->)|(-> & K)]).
  - replace j with vm in * by lia. destruct M as (M & _). rewrite T in M. destruct (wf_tab _ W _ _ _ _ T) as (LT & R & _). apply (ram_small _ W) in R.
    destruct (enc_facts (ToTable t) t) as (_ & _ & F); [lia|reflexivity|]. unfold is_leaf in M. lia.
  - replace j with vm in * by lia. destruct (entry_free lev k eq_refl K) as [F|F]; rewrite F in D; discriminate D.
Qed.

Lemma orphan_root : forall v d, Aset a v 0 0 d -> Aset b v 0 0 d.
Proof.
  intros v d [(-> & H)|(j & -> & J & H)]; [left|right].
  - rewrite (o_cfg _ B), o_henc. auto.
  - exists j. rewrite o_vm. destruct H as [H|(L & _)]; [|lia]. repeat split; auto; lia.
Qed.

(* No walk leads to it. *)
Lemma orphan_unnamed : forall v l k d, Aset b v l k d -> is_table l d = true -> frame d <> t.
Proof.
  intros v l k d H TB E. destruct table_here as (L & R & OT). pose proof orphan_wf as Wb.
  destruct (wf_slot _ W vm (lev - 1) key) as (V & _); [congruence|].
  destruct (table_target _ Wb _ _ _ _ H TB) as [_ [(_ & F)|(i & -> & F)]]; rewrite E, o_own, OT in F; [discriminate|].
  injection F as <- -> <-. destruct H as [(? & _)|(j & EJ & J & H)]; [lia|]. replace j with vm in * by lia.
  destruct H as [(-> & _)|(L' & -> & D)]; [lia|]. rewrite (o_gone _ B) in D; [discriminate|]. unfold gone. lia.
Qed.
End Orphaned.

Section Last.
Variables (b c : state).
Hypothesis B : orphan b.
Hypothesis C_cfg : cfg c = cfg b.
Hypothesis C_modes : modes c = modes b.
Hypothesis C_slots : slots c = slots b.
Hypothesis C_records : same_records b c.
Hypothesis C_own : forall p, own c p = if p =? t then Host else own b p.

Lemma l_ram : forall p, in_ram c p = in_ram a p.
Proof. intro p. unfold in_ram. now rewrite C_cfg, (o_cfg _ B). Qed.
Lemma l_slot : forall v l k, slot_at c v l k = slot_at b v l k.
Proof. intros. unfold slot_at. now rewrite C_slots. Qed.
Lemma l_own : forall p o, own a p = o -> o <> Table vm lev key -> own c p = o.
Proof.
  intros p o E N. rewrite C_own, (o_own _ B). destruct (Z.eqb_spec p t) as [->|]; auto.
  destruct table_here as (_ & _ & OT). congruence.
Qed.

Lemma last_wf : wf c.
Proof.
  pose proof (orphan_wf _ B) as Wb. pose proof (wf_c _ Wb) as WC. destruct table_here as (LV & RT & OT).
  assert (RM : forall p, in_ram c p = in_ram b p) by (intro p; unfold in_ram; now rewrite C_cfg).
  assert (MD : forall g, mode_at c g = mode_at b g) by (intro g; unfold mode_at; now rewrite C_modes).
  assert (OC : forall p, own b p <> Table vm lev key -> own c p = own b p).
  { intros p N. apply l_own; [now rewrite (o_own _ B)|auto]. }
  constructor.
  - destruct WC. constructor; unfold level3_first, gib_count in *; rewrite C_cfg; auto.
  - rewrite C_cfg. intros p H. pose proof (wf_engine _ Wb p H) as E. rewrite OC; auto. now rewrite E.
  - intros g H. rewrite MD in H. apply (wf_mode _ Wb) in H. unfold managed in *. now rewrite RM, C_cfg.
  - intros g j H J. rewrite MD in H. apply (wf_block _ Wb _ _ H) in J. unfold host_may_access in *. rewrite RM, C_cfg, C_own.
    destruct (Z.eqb_spec (g * 512 + j) t); auto. destruct (in_ram b (g * 512 + j)); auto.
  - intros p R H. rewrite RM in R. rewrite MD. apply (wf_mapped _ Wb); auto. intro E. apply H. rewrite OC; auto. now rewrite E.
  - intros v l k p H. rewrite l_slot in H. destruct (wf_tab _ Wb _ _ _ _ H) as (L & R & E). rewrite RM. repeat split; auto.
    rewrite C_own. destruct (Z.eqb_spec p t) as [->|]; auto. exfalso.
    rewrite (o_own _ B), OT in E. injection E as <- -> <-. rewrite (o_gone _ B) in H; [discriminate|]. unfold gone. lia.
  - intros v l k p H. rewrite l_slot in H. destruct (wf_blk _ Wb _ _ _ _ H) as (L & M & E). split; [auto|split; [auto|]].
    intros j J. destruct (E j J) as [R F]. rewrite RM. split; auto. rewrite OC; auto. now rewrite F.
  - intros v l k p H. rewrite l_slot in H. destruct (wf_page _ Wb _ _ _ _ H) as (L & R & E). rewrite RM. repeat split; auto.
    rewrite OC; auto. now rewrite E.
  - intros v l k p H. rewrite l_slot in H. destruct (wf_shared _ Wb _ _ _ _ H) as (L & R & E & U). rewrite RM. repeat split; auto.
    rewrite OC; auto. now rewrite E.
  - intros v l k H. rewrite l_slot in H. destruct (wf_slot _ Wb _ _ _ H) as (H1 & H2 & H3 & H4 & H5 & H6).
    destruct (same_root _ _ C_records v) as [_ ->]. repeat split; auto; try lia. intro L. destruct (H6 L) as [p Q]. exists p. now rewrite l_slot.
  - intros v V. destruct (same_root _ _ C_records v) as [-> ->]. intro S. destruct (wf_root _ Wb v V S) as [R E]. rewrite RM. split; auto.
    rewrite OC; auto. rewrite E. intros [=]. lia.
  - apply (same_wf_vms C_records), Wb.
  - apply (same_wf_vcpus C_records C_cfg); [|apply Wb]. intros p v i H. apply OC. destruct H as [H|H]; rewrite H; discriminate.
Qed.

Lemma last_onto : onto c.
Proof.
  destruct table_here as (LV & RT & OT).
  assert (OA : forall p o, own c p = o -> o <> Host -> own a p = o /\ p <> t).
  { intros p o E N. rewrite C_own, (o_own _ B) in E. destruct (Z.eqb_spec p t); [congruence|auto]. }
  (* What an entry of the VM holds is still there, but for the table itself. *)
  assert (K : forall v l k e, slot_at a v l k = e -> e <> Empty -> e <> Spent -> e <> ToTable t -> slot_at c v l k = e).
  { intros v l k e E N1 N2 N3. rewrite l_slot, (o_slot _ B); auto. intros (-> & [(L & ->)|(L & R)]).
    - rewrite L in E. congruence.
    - destruct (entry_free l k L R); congruence. }
  constructor; intros p v.
  - intros k R H. rewrite l_ram in R. apply OA in H as [H _]; [|discriminate].
    destruct (on_data _ O _ _ _ R H) as [E|E]; [left|right]; apply K; auto; discriminate.
  - intros k R H. rewrite l_ram in R. apply OA in H as [H _]; [|discriminate]. apply K; try discriminate. now apply (on_shared _ O).
  - intros l k R H. rewrite l_ram in R. apply OA in H as [H N]; [|discriminate].
    destruct (same_root _ _ C_records v) as [-> _]. rewrite (o_vm _ B). destruct (on_table _ O _ _ _ _ R H) as [E|E]; auto. right.
    apply K; auto; congruence.
  - intros k R H. rewrite l_ram in R. apply OA in H as [H _]; [|discriminate]. rewrite (same_vcpu C_records), (same_vcpu (o_records _ B)).
    now apply (on_vcpu _ O).
  - intros k R H. rewrite l_ram in R. apply OA in H as [H _]; [|discriminate]. rewrite (same_vcpu C_records), (same_vcpu (o_records _ B)).
    now apply (on_run _ O).
Qed.
End Last.
End Orphan.
