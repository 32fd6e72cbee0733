(* SPDX-License-Identifier: Apache-2.0 *)
(* The operations of spec/Donation.v, by what they change; the map after pages were added is well formed. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Donation.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation owned := Donation.owned.
Notation hand_over := Donation.hand_over.
Notation mapped := Donation.mapped.
Notation each := State.each.

Lemma each_0 : forall f a, each 0 f a = a.
Proof. reflexivity. Qed.
Lemma each_next : forall i f a, 0 <= i -> each (i + 1) f a = f i (each i f a).
Proof.
  intros i f a I. unfold State.each. rewrite Z2Nat.inj_add by lia. rewrite Nat.add_1_r. cbn [each_nat]. now rewrite Z2Nat.id by lia.
Qed.

Lemma own_set : forall p o a q, own (set_own p o a) q = if q =? p then o else own a q.
Proof. intros p o a q. exact (Map.get_set _ (owners a) p o q). Qed.

Lemma slot_set : forall v l k e a v' l' k', slot_at (set_slot v l k e a) v' l' k' =
  if (v' =? v) && (l' =? l) && (k' =? k) then e else slot_at a v' l' k'.
Proof.
  intros. unfold slot_at.
  change (slots (set_slot v l k e a)) with (Map.set (slots a) v (Map.set (Map.get (slots a) v) l (Map.set (Map.get (Map.get (slots a) v) l) k e))).
  rewrite Map.get_set.
  destruct (Z.eqb_spec v' v) as [->|]; cbn; auto. rewrite Map.get_set.
  destruct (Z.eqb_spec l' l) as [->|]; cbn; auto. now rewrite Map.get_set.
Qed.

Lemma mode_set : forall g m a g', mode_at (set_mode g m a) g' = if g' =? g then m else mode_at a g'.
Proof. intros g m a g'. exact (Map.get_set _ (modes a) g m g'). Qed.

(* All but owners; all but entries. *)
Lemma owned_but : forall n p o a, 0 <= n -> each n (owned p o) a = a <| owners := owners (each n (owned p o) a) |>.
Proof.
  intros n p o a N. pattern n. apply natlike_ind; auto; [now destruct a|].
  intros i I IH. replace (Z.succ i) with (i + 1) by lia. rewrite each_next by auto. rewrite IH. reflexivity.
Qed.
Lemma mapped_but : forall n v x e a, 0 <= n -> each n (mapped v x e) a = a <| slots := slots (each n (mapped v x e) a) |>.
Proof.
  intros n v x e a N. pattern n. apply natlike_ind; auto; [now destruct a|].
  intros i I IH. replace (Z.succ i) with (i + 1) by lia. rewrite each_next by auto. rewrite IH. reflexivity.
Qed.

Lemma owned_at : forall n p o a q, 0 <= n -> own (each n (owned p o) a) q =
  if (p <=? q) && (q <? p + n) then o (q - p) else own a q.
Proof.
  intros n p o a q N. pattern n. apply natlike_ind; auto.
  - rewrite each_0. now destruct ((p <=? q) && (q <? p + 0)) eqn:E; [lia|].
  - intros i I IH. replace (Z.succ i) with (i + 1) by lia. rewrite each_next by auto. unfold Donation.owned at 1. rewrite own_set, IH.
    destruct (Z.eqb_spec q (p + i)) as [->|E].
    + replace ((p <=? p + i) && (p + i <? p + (i + 1))) with true by lia. f_equal. lia.
    + replace ((p <=? q) && (q <? p + (i + 1))) with ((p <=? q) && (q <? p + i)) by lia. reflexivity.
Qed.
Lemma mapped_at : forall n v x e a v' l k, 0 <= n -> slot_at (each n (mapped v x e) a) v' l k =
  if (v' =? v) && (l =? 3) && ((x <=? k) && (k <? x + n)) then e (k - x) else slot_at a v' l k.
Proof.
  intros n v x e a v' l k N. pattern n. apply natlike_ind; auto.
  - rewrite each_0. now destruct ((v' =? v) && (l =? 3) && ((x <=? k) && (k <? x + 0))) eqn:E; [lia|].
  - intros i I IH. replace (Z.succ i) with (i + 1) by lia. rewrite each_next by auto. unfold Donation.mapped at 1. rewrite slot_set, IH.
    destruct ((v' =? v) && (l =? 3)); cbn [andb]; auto. destruct (Z.eqb_spec k (x + i)) as [->|E].
    + replace ((x <=? x + i) && (x + i <? x + (i + 1))) with true by lia. f_equal. lia.
    + replace ((x <=? k) && (k <? x + (i + 1))) with ((x <=? k) && (k <? x + i)) by lia. reflexivity.
Qed.

Lemma hand_over_at : forall v p count o a q, 0 <= count -> own (hand_over v p count o a) q =
  if (p <=? q) && (q <? p + count) then o (q - p) else own a q.
Proof. intros v p count o a q N. rewrite <- owned_at by auto. reflexivity. Qed.

Lemma vm_set : forall v r a v', vm_at (set_vm v r a) v' = if v' =? v then r else vm_at a v'.
Proof. intros v r a v'. exact (Map.get_set _ (vms a) v r v'). Qed.

Lemma same_set_vm : forall v r a, rest_of r = rest_of (vm_at a v) -> (0 <= v < NIE_MAX_VMS -> vm_state (vm_at a v) <> NIE_VM_FREE) ->
  same_records a (set_vm v r a).
Proof.
  intros v r a E F. constructor; auto.
  - intro v'. rewrite vm_set. destruct (Z.eqb_spec v' v) as [->|]; auto.
  - intros v' V' F'. rewrite vm_set. destruct (Z.eqb_spec v' v) as [->|]; auto. now destruct (F V').
Qed.

Section Ops.
Variables (a : state) (v p count : Z) (o : Z -> owner).
Hypothesis C : 0 <= count.
Hypothesis F : vm_state (vm_at a v) <> NIE_VM_FREE.

Lemma owned_same_records : same_records a (each count (owned p o) a).
Proof. rewrite owned_but by exact C. now apply same_of_eq. Qed.

Lemma hand_over_records : same_records a (hand_over v p count o a).
Proof.
  eapply same_trans; [exact owned_same_records|]. unfold Donation.hand_over, add_granules. apply same_set_vm; [reflexivity|].
  intros _. rewrite owned_but by exact C. exact F.
Qed.

Lemma hand_over_rest : cfg (hand_over v p count o a) = cfg a /\ slots (hand_over v p count o a) = slots a /\
  modes (hand_over v p count o a) = modes a.
Proof.
  unfold Donation.hand_over, add_granules. change (cfg (set_vm v ?r ?x)) with (cfg x). 
  pose proof (owned_but count p o a C) as E. repeat split.
  - change (cfg (each count (owned p o) a) = cfg a). now rewrite E.
  - change (slots (each count (owned p o) a) = slots a). now rewrite E.
  - change (modes (each count (owned p o) a) = modes a). now rewrite E.
Qed.
End Ops.

(* The engine keeps the pages meanwhile. *)
Definition kept (p count : Z) (a : state) : state := set_mode (p / 512) Split (each count (owned p (fun _ => Engine)) a).

Lemma kept_hidden : forall a p count, wf a -> 1 <= count /\ p mod 512 + count <= 512 ->
  (forall i, 0 <= i < count -> in_ram a (p + i) = true /\ own a (p + i) = Host) -> hidden a p count (kept p count a).
Proof.
  intros a p count W C H. pose proof (owned_but count p (fun _ => Engine) a ltac:(lia)) as E.
  assert (OA : forall q, own (kept p count a) q = if (p <=? q) && (q <? p + count) then Engine else own a q).
  { intro q. rewrite <- (owned_at count p (fun _ => Engine)) by lia. reflexivity. }
  constructor; auto.
  - change (cfg (each count (owned p (fun _ => Engine)) a) = cfg a). now rewrite E.
  - intro g. unfold kept. rewrite mode_set, E. reflexivity.
  - eapply same_trans; [apply owned_same_records with (p := p) (count := count) (o := fun _ => Engine); lia|]. now apply same_of_eq.
  - intros v l k. change (slot_at (each count (owned p (fun _ => Engine)) a) v l k = slot_at a v l k). now rewrite E.
  - intros q G. rewrite OA. unfold given in G. now destruct ((p <=? q) && (q <? p + count)) eqn:K; [lia|].
  - intros q G. rewrite OA. unfold given in G. now replace ((p <=? q) && (q <? p + count)) with true by lia.
Qed.

(* What differs in records only is linked as well. *)
Lemma linked_records : forall c p n N c' c'', linked c p n N c' -> cfg c'' = cfg c' -> owners c'' = owners c' -> slots c'' = slots c' ->
  modes c'' = modes c' -> same_records c' c'' -> linked c p n N c''.
Proof.
  intros c p n N c' c'' L EC EO ES EM S.
  assert (OO : forall q, own c'' q = own c' q) by (intro q; unfold own; now rewrite EO).
  assert (SS : forall v l k, slot_at c'' v l k = slot_at c' v l k) by (intros; unfold slot_at; now rewrite ES).
  assert (RR : forall q, in_ram c'' q = in_ram c' q) by (intro q; unfold in_ram; now rewrite EC).
  constructor.
  - exact (l_wf L).
  - now rewrite EC, (l_cfg L).
  - now rewrite EM, (l_mode L).
  - eapply same_trans; [apply (l_records L)|exact S].
  - exact (l_dec L).
  - intros v l k H. rewrite SS. now apply (l_slot L).
  - exact (l_was L).
  - intros v l k H. destruct (l_is L v l k H) as [H1 H2]. unfold slot_ok. rewrite !SS. split.
    + destruct (slot_at c' v l k); auto; rewrite ?RR, ?OO; auto. destruct H1 as (? & ? & K). repeat split; auto; rewrite ?RR, ?OO; now apply K.
    + intro E. destruct (same_root _ _ S v) as [_ ->]. destruct (H2 E) as (? & ? & ? & ? & ? & K). repeat split; auto; try lia.
  - intros q G. rewrite OO. now apply (l_own L).
  - exact (l_free L).
  - intros q G. unfold host_may_access. rewrite RR, EC, OO. exact (l_access L q G).
Qed.

Lemma onto_records : forall a b, onto a -> cfg b = cfg a -> owners b = owners a -> slots b = slots a -> same_records a b -> onto b.
Proof.
  intros a b O EC EO ES S. constructor; intros q v; unfold own, in_ram, slot_at, vcpu_at; rewrite ?EC, ?EO, ?ES.
  - apply (on_data _ O).
  - apply (on_shared _ O).
  - intros l k. destruct (same_root _ _ S v) as [-> _]. apply (on_table _ O).
  - destruct (s_vcpus S) as [-> _]. apply (on_vcpu _ O).
  - destruct (s_vcpus S) as [-> _]. apply (on_run _ O).
Qed.

(* Measuring changes the build log of a VM that is. *)
Lemma measured_parts : forall v w a, vm_state (vm_at a v) <> NIE_VM_FREE -> let b := Donation.measured_if_building v w a in
  cfg b = cfg a /\ owners b = owners a /\ slots b = slots a /\ modes b = modes a /\ same_records a b.
Proof.
  intros v w a F. cbn zeta. unfold Donation.measured_if_building. destruct (vm_state (vm_at a v) =? NIE_VM_BUILDING).
  - repeat split. all: try (apply same_set_vm; [reflexivity|auto]).
  - repeat split.
Qed.

(** Pages at the last level. *)

Definition page_entries (v x n : Z) : Z -> Z -> Z -> Prop := fun v' l k => v' = v /\ l = 3 /\ x <= k < x + n.

(* A page for the VM alone, or one for both. *)
Definition page_kind (v x p count : Z) (o : Z -> owner) (e : Z -> slot) : Prop :=
  (forall i, 0 <= i < count -> o i = Data v (x + i) /\ e i = ToPage (p + i)) \/
  (2 ^ 26 <= x /\ forall i, 0 <= i < count -> o i = Shared v (x + i) /\ e i = ToShared (p + i)).

Section Pages.
Variables (c c' : state) (v x p count t : Z) (o : Z -> owner) (e : Z -> slot).
Hypothesis W : wf c.
Hypothesis V : 0 <= v < NIE_MAX_VMS /\ vm_state (vm_at c v) <> NIE_VM_FREE.
Hypothesis X : 0 <= x.
Hypothesis C : 1 <= count /\ x mod 512 + count <= 512.
Hypothesis T : slot_at c v 2 (x / 512) = ToTable t.
Hypothesis EM : forall k, x <= k < x + count -> slot_at c v 3 k = Empty.
Hypothesis FREE : forall q, given p count q -> in_ram c q = true /\ (own c q = Host \/ own c q = Engine) /\ ~ engine_range c q /\
      mode_at c (q / 512) <> Unmapped.
Hypothesis CF : cfg c' = cfg c.
Hypothesis MO : modes c' = modes c.
Hypothesis RE : same_records c c'.
Hypothesis SL : forall v' l k, slot_at c' v' l k = if (v' =? v) && (l =? 3) && ((x <=? k) && (k <? x + count)) then e (k - x) else slot_at c v' l k.
Hypothesis OW : forall q, own c' q = if (p <=? q) && (q <? p + count) then o (q - p) else own c q.
Hypothesis K : page_kind v x p count o e.
Hypothesis AC : forall q, given p count q -> host_may_access c q = match own c' q with Shared _ _ => true | _ => false end.

Lemma page_at_new : forall i, 0 <= i < count -> slot_at c' v 3 (x + i) = e i /\ own c' (p + i) = o i.
Proof.
  intros i I. rewrite SL, OW. replace ((v =? v) && (3 =? 3) && ((x <=? x + i) && (x + i <? x + count))) with true by lia.
  replace ((p <=? p + i) && (p + i <? p + count)) with true by lia. split; f_equal; lia.
Qed.

Lemma pages_linked : linked c p count (page_entries v x count) c'.
Proof.
  constructor; auto.
  - intros v' l k. unfold page_entries. lia.
  - intros v' l k N. rewrite SL. unfold page_entries in N. now destruct ((v' =? v) && (l =? 3) && ((x <=? k) && (k <? x + count))) eqn:E; [lia|].
  - intros v' l k (-> & -> & N) q. rewrite EM by auto. discriminate.
  - intros v' l k (-> & -> & N). destruct (page_at_new (k - x)) as [ES EO]; [lia|]. replace (x + (k - x)) with k in ES by lia.
    assert (G : given p count (p + (k - x))) by (unfold given; lia). destruct (FREE _ G) as (R & _).
    assert (R' : in_ram c' (p + (k - x)) = true) by (unfold in_ram in *; now rewrite CF).
    unfold slot_ok. rewrite ES. split.
    + destruct K as [K'|[U K']]; destruct (K' (k - x) ltac:(lia)) as [E1 E2]; rewrite E2, EO, E1; replace (x + (k - x)) with k by lia; auto 6.
      repeat split; auto. lia.
    + intros _. destruct (same_root _ _ RE v) as [_ ->]. destruct V. repeat split; auto; try lia.
      intros _. exists t. rewrite SL. replace (3 - 1) with 2 by lia. replace ((v =? v) && (2 =? 3) && ((x <=? k / 512) && (k / 512 <? x + count))) with false by lia.
      replace (k / 512) with (x / 512) by lia. exact T.
  - intros q G. rewrite OW. unfold given in G. now destruct ((p <=? q) && (q <? p + count)) eqn:E; [lia|].
  - intros q G. rewrite (AC q G). unfold host_may_access. destruct (FREE q G) as (R & _).
    assert (R' : in_ram c' q = true) by (unfold in_ram in *; now rewrite CF). rewrite R'.
    unfold given in G. destruct (page_at_new (q - p)) as [_ EO]; [lia|]. replace (p + (q - p)) with q in EO by lia. rewrite EO.
    destruct K as [K'|[U K']]; destruct (K' (q - p) ltac:(lia)) as [-> _]; auto.
Qed.

Lemma pages_onto : onto c -> onto c'.
Proof.
  intro O. apply (linked_onto pages_linked O).
  - intros q v' l k E (-> & -> & N). rewrite EM in E by auto. destruct E; discriminate.
  - intros q v' k E (_ & ? & _). lia.
  - intros q G. unfold given in G. destruct (page_at_new (q - p)) as [ES EO]; [lia|]. replace (p + (q - p)) with q in EO by lia. rewrite EO.
    destruct K as [K'|[U K']]; destruct (K' (q - p) ltac:(lia)) as [E1 E2]; rewrite E1; [left|]; rewrite ES, E2; f_equal; lia.
Qed.
End Pages.

(** One entry: a block, or a table. *)

Definition one_entry (v l k : Z) : Z -> Z -> Z -> Prop := fun v' l' k' => v' = v /\ l' = l /\ k' = k.

Section One.
Variables (c c' : state) (v l k p count : Z) (o : Z -> owner) (e : slot).
Hypothesis W : wf c.
Hypothesis V : 0 <= v < NIE_MAX_VMS /\ vm_state (vm_at c v) <> NIE_VM_FREE.
Hypothesis LK : 1 <= l <= 2 /\ 0 <= k /\ (l = 1 -> k < 512).
Hypothesis T : 1 < l -> exists t, slot_at c v (l - 1) (k / 512) = ToTable t.
Hypothesis EM : slot_at c v l k = Empty.
Hypothesis FREE : forall q, given p count q -> in_ram c q = true /\ own c q = Engine /\ ~ engine_range c q /\
      mode_at c (q / 512) <> Unmapped.
Hypothesis CF : cfg c' = cfg c.
Hypothesis MO : modes c' = modes c.
Hypothesis RE : same_records c c'.
Hypothesis SL : forall v' l' k', slot_at c' v' l' k' = if (v' =? v) && (l' =? l) && (k' =? k) then e else slot_at c v' l' k'.
Hypothesis OW : forall q, own c' q = if (p <=? q) && (q <? p + count) then o (q - p) else own c q.
Hypothesis K : (count = 512 /\ p mod 512 = 0 /\ l = 2 /\ e = ToBlock p /\ forall i, o i = Data v (k * 512 + i)) \/
  (count = 1 /\ e = ToTable p /\ forall i, o i = Table v (l + 1) k).

Lemma own_new : forall q, given p count q -> own c' q = o (q - p).
Proof. intros q G. unfold given in G. rewrite OW. now replace ((p <=? q) && (q <? p + count)) with true by lia. Qed.
Lemma slot_new : slot_at c' v l k = e.
Proof. rewrite SL. now replace ((v =? v) && (l =? l) && (k =? k)) with true by lia. Qed.

Lemma one_linked : linked c p count (one_entry v l k) c'.
Proof.
  constructor; auto.
  - intros v' l' k'. unfold one_entry. lia.
  - intros v' l' k' N. rewrite SL. unfold one_entry in N. now destruct ((v' =? v) && (l' =? l) && (k' =? k)) eqn:E; [lia|].
  - intros v' l' k' (-> & -> & ->) q. rewrite EM. discriminate.
  - intros v' l' k' (-> & -> & ->). unfold slot_ok. rewrite slot_new.
    assert (R' : forall q, given p count q -> in_ram c' q = true) by (intros q G; destruct (FREE q G); unfold in_ram in *; now rewrite CF).
    split.
    + destruct K as [(EC & PM & EL & EE & KO)|(EC & EE & KO)]; rewrite EE.
      * split; auto. split; auto. intros j J. assert (G : given p count (p + j)) by (unfold given, is_word in *; lia). split; auto.
        rewrite own_new, KO by auto. f_equal. lia.
      * assert (G : given p count p) by (unfold given; lia). split; [lia|]. split; auto. rewrite own_new, KO by auto. reflexivity.
    + intros _. destruct (same_root _ _ RE v) as [_ ->]. destruct V. repeat split; auto; try lia.
      intro L1. destruct (T L1) as [t E]. exists t. rewrite SL. now replace ((v =? v) && (l - 1 =? l) && (k / 512 =? k)) with false by lia.
  - intros q G. rewrite OW. unfold given in G. now destruct ((p <=? q) && (q <? p + count)) eqn:E; [lia|].
  - intros q G. destruct (FREE q G) as (A1 & A2 & A3 & A4). auto.
  - intros q G. unfold host_may_access. destruct (FREE q G) as (R & E & _). rewrite E, own_new by auto.
    assert (R'' : in_ram c' q = true) by (unfold in_ram in *; now rewrite CF). rewrite R, R''.
    destruct K as [(_ & _ & _ & _ & KO)|(_ & _ & KO)]; now rewrite KO.
Qed.

Lemma one_onto : onto c -> onto c'.
Proof.
  intro O. apply (linked_onto one_linked O).
  - intros q v' l' k' E (-> & -> & ->). rewrite EM in E. destruct E; discriminate.
  - intros q v' k' E (-> & <- & ->). rewrite EM in E. discriminate.
  - intros q G. rewrite own_new by auto. pose proof slot_new as SN. unfold given in G.
    destruct K as [(EC & PM & EL & EE & KO)|(EC & EE & KO)]; rewrite KO; rewrite EE in SN.
    + right. replace ((k * 512 + (q - p)) / 512) with k by lia. rewrite <- EL, SN. f_equal. lia.
    + right. replace (l + 1 - 1) with l by lia. rewrite SN. f_equal. lia.
Qed.
End One.

(** Pages that the host gives: kept by the engine, then owned. *)

Section Donated.
Variables (a : state) (p count : Z).
Hypothesis W : wf a.
Hypothesis C : 1 <= count /\ p mod 512 + count <= 512.
Hypothesis HO : forall i, 0 <= i < count -> in_ram a (p + i) = true /\ own a (p + i) = Host.

Notation k := (kept p count a).
Definition kept_is : hidden a p count k := kept_hidden a p count W C HO.

(* What the engine keeps is free for any use. *)
Lemma kept_free : forall q, given p count q -> in_ram k q = true /\ own k q = Engine /\ ~ engine_range k q /\ mode_at k (q / 512) <> Unmapped.
Proof.
  intros q G. pose proof kept_is as B. destruct (given_host B q G) as [R E]. rewrite (h_ram B), (h_kept B q G), (h_mode B).
  split; auto. split; auto. split.
  - intro X. unfold engine_range in X. rewrite (h_cfg B) in X. rewrite (wf_engine _ W) in E by exact X. discriminate.
  - unfold given in G. replace (q / 512 =? p / 512) with true by lia. discriminate.
Qed.

Lemma kept_parts : cfg k = cfg a /\ modes k = Map.set (modes a) (p / 512) Split.
Proof.
  pose proof (owned_but count p (fun _ => Engine) a ltac:(lia)) as E. unfold kept. split.
  - change (cfg (each count (owned p (fun _ => Engine)) a) = cfg a). now rewrite E.
  - change (Map.set (modes (each count (owned p (fun _ => Engine)) a)) (p / 512) Split = Map.set (modes a) (p / 512) Split). now rewrite E.
Qed.

Lemma kept_slots : forall v l x, slot_at k v l x = slot_at a v l x.
Proof. exact (h_slot kept_is). Qed.

Lemma kept_access : forall q, given p count q -> host_may_access k q = false.
Proof. intros q G. destruct (kept_free q G) as (R & E & _). unfold host_may_access. now rewrite R, E. Qed.
Variables (vm : Z) (o : Z -> owner).
Hypothesis V : vm_state (vm_at a vm) <> NIE_VM_FREE.
Notation d := (Donation.donate vm p count o a).

Lemma donated_parts : cfg d = cfg k /\ modes d = modes k /\ same_records k d /\
  (forall v l x, slot_at d v l x = slot_at k v l x) /\
  (forall q, own d q = if (p <=? q) && (q <? p + count) then o (q - p) else own k q).
Proof.
  destruct (hand_over_rest a vm p count o) as (E1 & E2 & E3); [lia|]. pose proof kept_is as B. destruct kept_parts as [K1 K2].
  unfold Donation.donate. split; [|split; [|split; [|split]]].
  - change (cfg (hand_over vm p count o a) = cfg k). congruence.
  - change (Map.set (modes (hand_over vm p count o a)) (p / 512) Split = modes k). now rewrite K2, E3.
  - eapply same_trans; [apply same_sym; exact (h_records B)|]. eapply same_trans; [apply (hand_over_records a vm p count o); [lia|exact V]|].
    now apply same_of_eq.
  - intros v l x. rewrite (h_slot B). unfold slot_at. change (slots (set_mode (p / 512) Split (hand_over vm p count o a))) with (slots (hand_over vm p count o a)).
    now rewrite E2.
  - intro q. change (own (hand_over vm p count o a) q = if (p <=? q) && (q <? p + count) then o (q - p) else own k q).
    rewrite hand_over_at by lia. destruct ((p <=? q) && (q <? p + count)) eqn:E; auto. symmetry. apply (h_own B). unfold given. lia.
Qed.
End Donated.
