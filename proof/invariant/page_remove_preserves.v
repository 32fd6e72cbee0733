(* SPDX-License-Identifier: Apache-2.0 *)
(* PAGE_REMOVE keeps well-formedness, also between its steps: n entries Spent, the first i pages given back. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec.call Require Import page_remove.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
Import RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Lemma slot_set : forall v l k e a v' l' k', slot_at (set_slot v l k e a) v' l' k' =
  if (v' =? v) && (l' =? l) && (k' =? k) then e else slot_at a v' l' k'.
Proof.
  intros. unfold slot_at.
  change (slots (set_slot v l k e a)) with (Map.set (slots a) v (Map.set (Map.get (slots a) v) l (Map.set (Map.get (Map.get (slots a) v) l) k e))).
  rewrite Map.get_set.
  destruct (Z.eqb_spec v' v) as [->|]; cbn; auto. rewrite Map.get_set.
  destruct (Z.eqb_spec l' l) as [->|]; cbn; auto. now rewrite Map.get_set.
Qed.

Section Remove.
Variables (a : state) (vm x first count : Z).
Hypothesis W : wf a.
Hypothesis O : onto a.
Hypothesis C : 1 <= count /\ x mod 512 + count <= 512.
Hypothesis T : exists t, slot_at a vm 2 (x / 512) = ToTable t.
Hypothesis P : forall j, 0 <= j < count -> page_at a vm (x + j) = Some (first + j).

Definition spent (n v l k : Z) : Prop := v = vm /\ l = 3 /\ x <= k < x + n.
Definition back (i p : Z) : Prop := first <= p < first + i.

(* State [b] is [a] with n entries Spent and i pages given back. *)
Record mid (n i : Z) (b : state) : Prop := {
  m_cfg : cfg b = cfg a;
  m_modes : modes b = modes a;
  m_root : forall v, root (vm_at b v) = root (vm_at a v) /\ vm_state (vm_at b v) = vm_state (vm_at a v);
  m_slot : forall v l k, ~ spent n v l k -> slot_at b v l k = slot_at a v l k;
  m_spent : forall v l k, spent n v l k -> slot_at b v l k = Spent;
  m_own : forall p, ~ back i p -> own b p = own a p;
  m_back : forall p, back i p -> own b p = Host;
  m_vm : forall v, vm_at b v <| granules := 0 |> = vm_at a v <| granules := 0 |>;
  m_others : forall v, v <> vm -> vm_at b v = vm_at a v;
  m_vcpus : vcpus b = vcpus a /\ saved b = saved a;
  m_cpus : cpus b = cpus a /\ lasts b = lasts a;
  m_here : here b = here a /\ fp_here b = fp_here a;
}.

Lemma mid_0 : mid 0 0 a.
Proof. constructor; auto; unfold spent, back; intros; lia. Qed.

Lemma mid_spend : forall n b, 0 <= n -> mid n 0 b -> mid (n + 1) 0 (spend vm x n b).
Proof.
  intros n b N []. unfold spend. constructor; auto.
  - intros v l k H. rewrite slot_set. destruct ((v =? vm) && (l =? 3) && (k =? x + n)) eqn:E; unfold spent in *; [lia|].
    apply m_slot0. unfold spent. lia.
  - intros v l k H. rewrite slot_set. destruct ((v =? vm) && (l =? 3) && (k =? x + n)) eqn:E; unfold spent in *; auto.
    apply m_spent0. unfold spent. lia.
Qed.

Lemma mid_back : forall n i b, 0 <= i -> mid n i b -> mid n (i + 1) (take_back vm first i b).
Proof.
  intros n i b I []. unfold take_back.
  assert (E : forall q, own (add_granules vm (-1) (set_own (first + i) Host b)) q = if q =? first + i then Host else own b q).
  { intro q. exact (Map.get_set _ (owners b) (first + i) Host q). }
  assert (G : forall v, vm_at (add_granules vm (-1) (set_own (first + i) Host b)) v =
    if v =? vm then vm_at b vm <| granules ::= fun g => (g + -1) mod 2 ^ 64 |> else vm_at b v).
  { intro v. exact (Map.get_set _ (vms b) vm _ v). }
  constructor; auto.
  - intro v. destruct (m_root0 v) as [A B]. rewrite <- A, <- B, G. destruct (Z.eqb_spec v vm) as [->|]; auto.
  - intros p H. rewrite E. unfold back in *. destruct (Z.eqb_spec p (first + i)); [lia|]. apply m_own0. unfold back. lia.
  - intros p H. rewrite E. unfold back in *. destruct (Z.eqb_spec p (first + i)); auto. apply m_back0. unfold back. lia.
  - intro v. rewrite G, <- m_vm0. destruct (Z.eqb_spec v vm) as [->|]; auto.
  - intros v N. rewrite G, <- m_others0 by auto. destruct (Z.eqb_spec v vm); [contradiction|auto].
Qed.

(* Who owned the pages: the VM, there. *)
Lemma removed_owner : forall p, back count p ->
  in_ram a p = true /\ (own a p = Data vm (x + (p - first)) \/ own a p = Shared vm (x + (p - first))).
Proof.
  intros p B. unfold back in B. specialize (P (p - first) ltac:(lia)). unfold page_at in P.
  replace (first + (p - first)) with p in P by lia.
  destruct (slot_at a vm 3 (x + (p - first))) as [| |q|q|q|q] eqn:E; try discriminate; injection P as ->.
  - destruct (wf_page _ W _ _ _ _ E) as (_ & R & OW). auto.
  - destruct (wf_shared _ W _ _ _ _ E) as (_ & R & OW & _). auto.
Qed.

Lemma not_spent_low : forall n v l k, l <> 3 -> ~ spent n v l k.
Proof. unfold spent. lia. Qed.

Section Mid.
Variables (n i : Z) (b : state).
Hypothesis I : 0 <= i <= count.
Hypothesis N : i = 0 /\ 0 <= n <= count \/ n = count.
Hypothesis B : mid n i b.

Lemma ram_b : forall p, in_ram b p = in_ram a p.
Proof. intro p. unfold in_ram. now rewrite (m_cfg _ _ _ B). Qed.

Lemma mode_b : forall g, mode_at b g = mode_at a g.
Proof. intro g. unfold mode_at. now rewrite (m_modes _ _ _ B). Qed.

Lemma managed_b : forall g, managed b g <-> managed a g.
Proof. intro g. unfold managed. rewrite ram_b, (m_cfg _ _ _ B). reflexivity. Qed.

Lemma kept : forall p, own a p = Host \/ own a p = Engine \/ (exists v l k, own a p = Table v l k) \/
  (exists v k, own a p = Vcpu v k) \/ (exists v k, own a p = Run v k) -> own b p = own a p.
Proof.
  intros p H. apply (m_own _ _ _ B). intro K. destruct (removed_owner p) as [_ [E|E]]; [unfold back in *; lia| |];
    rewrite E in H; destruct H as [H|[H|[(v & l & k & H)|[(v & k & H)|(v & k & H)]]]]; discriminate.
Qed.

(* A page that an unspent entry names has not been given back. *)
Lemma still_data : forall v k p, own a p = Data v k -> ~ spent n v 3 k -> own b p = Data v k.
Proof.
  intros v k p E S. rewrite (m_own _ _ _ B); auto. intro K. destruct (removed_owner p) as [_ [F|F]]; [unfold back in *; lia| |]; rewrite E in F; [|discriminate].
  injection F as -> ->. apply S. unfold spent, back in *. lia.
Qed.
Lemma still_shared : forall v k p, own a p = Shared v k -> ~ spent n v 3 k -> own b p = Shared v k.
Proof.
  intros v k p E S. rewrite (m_own _ _ _ B); auto. intro K. destruct (removed_owner p) as [_ [F|F]]; [unfold back in *; lia| |]; rewrite E in F; [discriminate|].
  injection F as -> ->. apply S. unfold spent, back in *. lia.
Qed.

Lemma spent_dec : forall v l k, spent n v l k \/ ~ spent n v l k.
Proof. intros. unfold spent. lia. Qed.

Lemma slot_b : forall v l k e, slot_at b v l k = e -> e <> Spent -> slot_at a v l k = e /\ ~ spent n v l k.
Proof.
  intros v l k e E F. destruct (spent_dec v l k) as [S|S].
  - rewrite (m_spent _ _ _ B _ _ _ S) in E. congruence.
  - rewrite (m_slot _ _ _ B _ _ _ S) in E. auto.
Qed.

Lemma access_b : forall p, host_may_access a p = true -> host_may_access b p = true.
Proof.
  intros p. unfold host_may_access. rewrite ram_b, (m_cfg _ _ _ B). destruct (in_ram a p); auto. intro H.
  assert (K : back i p \/ ~ back i p) by (unfold back; lia). destruct K as [K|K].
  - now rewrite (m_back _ _ _ B _ K).
  - now rewrite (m_own _ _ _ B _ K).
Qed.

(* What of a VM's record is kept: all but the count of its granules. *)
Lemma vm_fields : forall v, vm_state (vm_at b v) = vm_state (vm_at a v) /\ ram_base (vm_at b v) = ram_base (vm_at a v) /\
  ram_pages (vm_at b v) = ram_pages (vm_at a v) /\ vcpu_count (vm_at b v) = vcpu_count (vm_at a v) /\
  running (vm_at b v) = running (vm_at a v) /\ created (vm_at b v) = created (vm_at a v) /\ sealed (vm_at b v) = sealed (vm_at a v).
Proof. intro v. pose proof (m_vm _ _ _ B v) as E. destruct (vm_at b v), (vm_at a v). injection E; intros; subst. cbn. auto 10. Qed.

Lemma vcpu_b : forall v k, vcpu_at b v k = vcpu_at a v k.
Proof. intros. unfold vcpu_at. destruct (m_vcpus _ _ _ B) as [-> _]. reflexivity. Qed.
Lemma cpu_b : forall c, cpu_at b c = cpu_at a c.
Proof. intros. unfold cpu_at. destruct (m_cpus _ _ _ B) as [-> _]. reflexivity. Qed.
Lemma last_b : forall v c, last_at b v c = last_at a v c.
Proof. intros. unfold last_at. destruct (m_cpus _ _ _ B) as [_ ->]. reflexivity. Qed.
Lemma how_many_b : forall v f, how_many b v f = how_many a v f.
Proof. intros v f. unfold how_many. f_equal. f_equal. apply filter_ext. intro. now rewrite vcpu_b. Qed.

Lemma mid_vms : wf_vms b.
Proof.
  destruct (wf_v _ W) as [F U S R CR L]. constructor; intros v; destruct (vm_fields v) as (E1 & E2 & E3 & E4 & E5 & E6 & E7);
    rewrite ?E1, ?E2, ?E3, ?E4, ?E5, ?E6, ?E7, ?how_many_b; auto.
  - intros H1 H2. destruct (F v H1 H2) as [E K]. split; [|intros; rewrite last_b; auto]. rewrite (m_others _ _ _ B); auto.
    intros ->. destruct T as [t T']. destruct (wf_slot _ W vm 2 (x / 512)) as (_ & ST & _); congruence.
  - intros c H1 H2. rewrite last_b. auto.
Qed.

Lemma mid_vcpus : wf_vcpus b.
Proof.
  destruct (wf_u _ W) as [UN S RN RS]. constructor.
  - intros v k. rewrite vcpu_b. auto.
  - intros v k V K. rewrite vcpu_b. intro H. destruct (vm_fields v) as (E1 & _ & _ & E4 & _). rewrite E1, E4, !ram_b.
    destruct (S v k V K H) as (S1 & S2 & S3 & S4 & S5 & S6 & S7). rewrite !kept by eauto 12. auto 10.
  - intros v k V K. rewrite vcpu_b. cbn zeta. rewrite cpu_b. auto.
  - intros c. cbn zeta. rewrite cpu_b, vcpu_b. auto.
Qed.

Lemma mid_wf : wf b.
Proof.
  pose proof (wf_c _ W) as WC. constructor.
  - destruct WC. constructor; unfold level3_first, gib_count in *; rewrite (m_cfg _ _ _ B); auto.
  - rewrite (m_cfg _ _ _ B). intros p H. rewrite kept; [now apply (wf_engine _ W)|]. right; left. now apply (wf_engine _ W).
  - intros g H. rewrite mode_b in H. apply managed_b. now apply (wf_mode _ W).
  - intros g j H J. rewrite mode_b in H. apply access_b. now apply (wf_block _ W).
  - intros p R H. rewrite ram_b in R. rewrite mode_b. apply (wf_mapped _ W); auto. intro E. apply H. rewrite kept; auto.
  - intros v l k p H. apply slot_b in H as [H _]; [|discriminate]. destruct (wf_tab _ W _ _ _ _ H) as (L & R & E).
    rewrite ram_b. repeat split; auto. rewrite kept; eauto 12.
  - intros v l k p H. apply slot_b in H as [H _]; [|discriminate]. destruct (wf_blk _ W _ _ _ _ H) as (L & M & E).
    split; [auto|split; [auto|]]. intros j J. destruct (E j J) as [R F]. rewrite ram_b. split; auto.
    apply still_data; auto. intros (-> & _ & K). destruct T as [t T']. subst l.
    replace (x / 512) with k in T' by (unfold is_word in *; lia). congruence.
  - intros v l k p H. apply slot_b in H as [H S]; [|discriminate]. destruct (wf_page _ W _ _ _ _ H) as (-> & R & E).
    rewrite ram_b. repeat split; auto. now apply still_data.
  - intros v l k p H. apply slot_b in H as [H S]; [|discriminate]. destruct (wf_shared _ W _ _ _ _ H) as (-> & R & E & U).
    rewrite ram_b. repeat split; auto. now apply still_shared.
  - intros v l k H. assert (H' : slot_at a v l k <> Empty).
    { destruct (spent_dec v l k) as [S|S].
      - destruct S as (-> & -> & K). unfold page_at in P. specialize (P (k - x) ltac:(lia)). replace (x + (k - x)) with k in P by lia.
        intro E. now rewrite E in P.
      - now rewrite (m_slot _ _ _ B _ _ _ S) in H. }
    destruct (wf_slot _ W _ _ _ H') as (H1 & H2 & H3 & H4 & H5 & H6). destruct (m_root _ _ _ B v) as [_ ->].
    repeat split; auto; try lia. intro L. destruct (H6 L) as [p Q]. exists p. rewrite (m_slot _ _ _ B); auto. apply not_spent_low. lia.
  - intros v V. destruct (m_root _ _ _ B v) as [-> ->]. intro S. destruct (wf_root _ W v V S) as [R E].
    rewrite ram_b. split; auto. rewrite kept; eauto 12.
  - exact mid_vms.
  - exact mid_vcpus.
Qed.

(* What the host and the VMs may reach only grows by what is given back; the spent entries go. *)
Lemma mid_vm_entry : forall v l k d, v <> 0 -> Aset b v l k d -> Aset a v l k d.
Proof.
  intros v l k d V [(-> & _)|(j & -> & J & H)]; [lia|]. right. exists j. repeat split; auto; try lia.
  destruct (m_root _ _ _ B j) as [E1 E2]. rewrite E1, E2 in H. destruct H as [H|(L & -> & D)]; auto. right.
  destruct (spent_dec j l k) as [S|S].
  - rewrite (m_spent _ _ _ B _ _ _ S) in D. discriminate.
  - rewrite (m_slot _ _ _ B _ _ _ S) in *. auto.
Qed.

Lemma mid_other_vm : forall v l k d, v <> 0 -> v <> vm + 1 -> Aset a v l k d -> Aset b v l k d.
Proof.
  intros v l k d V V' [(-> & _)|(j & -> & J & H)]; [lia|]. right. exists j. repeat split; auto; try lia.
  destruct (m_root _ _ _ B j) as [E1 E2]. rewrite E1, E2. destruct H as [H|(L & -> & D)]; auto. right.
  rewrite (m_slot _ _ _ B) by (unfold spent; lia). auto.
Qed.

(* Nothing else goes. *)
Lemma mid_keeps : forall y p, ~ x <= y < x + n -> keeps (Aset a) (vm + 1) y p -> keeps (Aset b) (vm + 1) y p.
Proof.
  intros y p NS (l & k & d & [(? & _)|(j & E & J & H)] & M & V & U); [lia|]. exists l, k, d. split; [|auto]. right. exists j. split; [exact E|]. split; [exact J|].
  destruct (m_root _ _ _ B j) as [E1 E2]. rewrite E1, E2. destruct H as [H|(L & -> & D)]; auto. right. split; [exact L|].
  rewrite (m_slot _ _ _ B); [auto|]. intros (_ & -> & K). destruct M as (_ & M & _). change (covers 3) with 1 in M. lia.
Qed.

Lemma mid_root_entry : forall v d, v <> 0 -> Aset a v 0 0 d -> Aset b v 0 0 d.
Proof.
  intros v d V [(-> & _)|(j & -> & J & H)]; [lia|]. right. exists j. repeat split; auto; try lia.
  destruct (m_root _ _ _ B j) as [E1 E2]. rewrite E1, E2. destruct H as [H|(L & _)]; [auto|lia].
Qed.

Lemma henc_b : forall l k, (l = 3 -> ~ back i k) -> henc b l k = henc a l k.
Proof.
  intros l k H. unfold henc, gib_count, level3, attributes, host_may_access, level3_first, gib_count. rewrite mode_b, !ram_b, (m_cfg _ _ _ B).
  destruct (Z.eqb_spec l 3) as [->|]; auto. cbn [Z.eqb Pos.eqb]. now rewrite (m_own _ _ _ B) by auto.
Qed.
End Mid.

(* All done. *)
Lemma mid_onto : forall b, mid count count b -> onto b.
Proof.
  intros b B. assert (Bn : 0 <= count <= count) by lia.
  assert (RB : forall p, in_ram b p = in_ram a p) by (intro p; unfold in_ram; now rewrite (m_cfg _ _ _ B)).
  assert (OB : forall p o, own b p = o -> o <> Host -> own a p = o /\ ~ back count p).
  { intros p o E F. assert (K : back count p \/ ~ back count p) by (unfold back; lia). destruct K as [K|K].
    - rewrite (m_back _ _ _ B _ K) in E. congruence.
    - rewrite (m_own _ _ _ B _ K) in E. auto. }
  assert (SP : forall p v k, slot_at a v 3 k = ToPage p \/ slot_at a v 3 k = ToShared p -> ~ back count p -> ~ spent count v 3 k).
  { intros p v k H K (-> & _ & S). specialize (P (k - x) ltac:(lia)). unfold page_at in P. replace (x + (k - x)) with k in P by lia.
    apply K. unfold back. destruct H as [H|H]; rewrite H in P; injection P as ->; lia. }
  constructor; intros p v.
  - intros k R H. rewrite RB in R. apply OB in H as [H K]; [|discriminate]. destruct (on_data _ O _ _ _ R H) as [E|E].
    + left. rewrite (m_slot _ _ _ B); auto. eapply SP; eauto.
    + right. rewrite (m_slot _ _ _ B); auto. apply not_spent_low. lia.
  - intros k R H. rewrite RB in R. apply OB in H as [H K]; [|discriminate]. pose proof (on_shared _ O _ _ _ R H) as E.
    rewrite (m_slot _ _ _ B); auto. eapply SP; eauto.
  - intros l k R H. rewrite RB in R. apply OB in H as [H K]; [|discriminate]. destruct (m_root _ _ _ B v) as [-> _].
    destruct (on_table _ O _ _ _ _ R H) as [E|E]; auto. right.
    rewrite (m_slot _ _ _ B); auto. apply not_spent_low. destruct (wf_tab _ W _ _ _ _ E). lia.
  - intros k R H. rewrite RB in R. apply OB in H as [H _]; [|discriminate]. unfold vcpu_at. destruct (m_vcpus _ _ _ B) as [-> _].
    now apply (on_vcpu _ O).
  - intros k R H. rewrite RB in R. apply OB in H as [H _]; [|discriminate]. unfold vcpu_at. destruct (m_vcpus _ _ _ B) as [-> _].
    now apply (on_run _ O).
Qed.
End Remove.
