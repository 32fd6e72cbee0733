(* SPDX-License-Identifier: Apache-2.0 *)
(* A VM's count of granules is the number of pages that name it: [counted], a part of the relation. It tells VM_DESTROY
   that nothing is left but the root. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Actions Donation.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Records trap_steps.
Import RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Definition names (o : owner) (v : Z) : bool :=
  match o with Host | Engine => false | Table w _ _ | Vcpu w _ | Data w _ | Shared w _ | Run w _ => w =? v end.

(* How many pages of RAM name the VM. *)
Definition pages_of (a : state) (v : Z) : Z :=
  Z.of_nat (length (filter (fun i => names (own a (ram_first (cfg a) + Z.of_nat i)) v) (seq 0 (Z.to_nat (ram_count (cfg a)))))).
Definition counted (a : state) : Prop := forall v, 0 <= v < NIE_MAX_VMS -> granules (vm_at a v) = pages_of a v.

Lemma filter_most : forall f l, (length (filter f l) <= @length nat l)%nat.
Proof. intros f l. induction l as [|x l IH]; cbn [filter length]; auto. destruct (f x); cbn [length]; lia. Qed.

Lemma pages_range : forall a v, wf_cfg a -> 0 <= pages_of a v <= GRANULES_MAX.
Proof.
  intros a v W. pose proof (c_ram _ W). unfold pages_of.
  pose proof (filter_most (fun i => names (own a (ram_first (cfg a) + Z.of_nat i)) v) (seq 0 (Z.to_nat (ram_count (cfg a))))) as L.
  rewrite seq_length in L. lia.
Qed.

(* The same owners, the same counts. *)
Lemma pages_same : forall a b v, cfg b = cfg a -> (forall p, in_ram a p = true -> names (own b p) v = names (own a p) v) ->
  pages_of b v = pages_of a v.
Proof.
  intros a b v C E. unfold pages_of. rewrite C. f_equal. f_equal. apply filter_ext_in. intros i I. apply in_seq in I.
  apply E. unfold in_ram. lia.
Qed.
Lemma counted_same : forall a b, counted a -> cfg b = cfg a -> (forall p, own b p = own a p) ->
  (forall v, granules (vm_at b v) = granules (vm_at a v)) -> counted b.
Proof. intros a b N C E G v V. rewrite G, N by auto. symmetry. apply pages_same; auto. intros. now rewrite E. Qed.

(* One page changes hands. *)
Lemma pages_one : forall a b q v, cfg b = cfg a -> in_ram a q = true -> (forall p, p <> q -> own b p = own a p) ->
  pages_of b v = pages_of a v - ind (names (own a q) v) + ind (names (own b q) v).
Proof.
  intros a b q v C R E. unfold pages_of. rewrite C. unfold in_ram in R. set (n := Z.to_nat (q - ram_first (cfg a))).
  rewrite (count_one (fun i => names (own a (ram_first (cfg a) + Z.of_nat i)) v)
    (fun i => names (own b (ram_first (cfg a) + Z.of_nat i)) v) n).
  - unfold n. rewrite !Z2Nat.id by lia. replace (ram_first (cfg a) + (q - ram_first (cfg a))) with q by lia. reflexivity.
  - lia.
  - intros m M. now rewrite E by lia.
Qed.

Lemma own_put : forall p o a q, own (set_own p o a) q = if q =? p then o else own a q.
Proof. intros p o a q. exact (Map.get_set _ (owners a) p o q). Qed.

Lemma pages_named : forall a q v, in_ram a q = true -> names (own a q) v = true -> 1 <= pages_of a v.
Proof.
  intros a q v R N. pose proof (pages_one a (set_own q Host a) q v eq_refl R) as H.
  assert (P : 0 <= pages_of (set_own q Host a) v) by (unfold pages_of; lia).
  rewrite own_put, Z.eqb_refl, N in H. cbn [names ind] in H. specialize (H ltac:(intros p D; rewrite own_put; now replace (p =? q) with false by lia)). lia.
Qed.

(* A VM that has one page has no other. *)
Lemma only_page : forall a v p q, pages_of a v = 1 -> in_ram a p = true -> names (own a p) v = true ->
  in_ram a q = true -> names (own a q) v = true -> p = q.
Proof.
  intros a v p q E R N R' N'. destruct (Z.eq_dec q p) as [->|D]; auto. exfalso.
  pose proof (pages_one a (set_own q Host a) q v eq_refl R') as H.
  rewrite own_put, Z.eqb_refl, N' in H. cbn [names ind] in H. specialize (H ltac:(intros x X; rewrite own_put; now replace (x =? q) with false by lia)).
  assert (1 <= pages_of (set_own q Host a) v); [|lia]. apply pages_named with p; [exact R|].
  rewrite own_put. now replace (p =? q) with false by lia.
Qed.

(* A page goes back. *)
Lemma counted_back : forall a b q v, wf_cfg a -> counted a -> cfg b = cfg a -> in_ram a q = true -> 0 <= v < NIE_MAX_VMS ->
  (forall w, names (own a q) w = (v =? w)) ->
  (forall p, own b p = if p =? q then Host else own a p) ->
  (forall w, granules (vm_at b w) = if w =? v then (granules (vm_at a v) + -1) mod 2 ^ 64 else granules (vm_at a w)) -> counted b.
Proof.
  intros a b q v W N C R V O E G w V'. rewrite G, (pages_one a b q w C R) by (intros p D; rewrite E; now replace (p =? q) with false by lia).
  rewrite O, E, Z.eqb_refl. cbn [names ind]. pose proof (pages_range a v W) as P. destruct (Z.eqb_spec w v) as [->|D].
  - rewrite Z.eqb_refl, N by auto. assert (1 <= pages_of a v) by (apply pages_named with q; [exact R|rewrite O; apply Z.eqb_refl]).
    unfold GRANULES_MAX in P. cbn [ind]. lia.
  - replace (v =? w) with false by lia. rewrite N by auto. cbn [ind]. lia.
Qed.

Lemma counted_gives : forall a q v, wf_cfg a -> counted a -> in_ram a q = true -> 0 <= v < NIE_MAX_VMS ->
  (forall w, names (own a q) w = (v =? w)) -> counted (Actions.give_back v q a).
Proof.
  intros a q v W N R V O. apply counted_back with a q v; auto.
  - intro p. exact (Map.get_set _ (owners a) q Host p).
  - intro w. transitivity (granules (if w =? v then vm_at a v <| granules ::= fun g => (g + -1) mod 2 ^ 64 |> else vm_at a w));
      [f_equal; exact (Map.get_set _ (vms a) v _ w)|]. now destruct (w =? v).
Qed.

(* Pages of the host go to the VM. *)
Lemma counted_donate : forall a b p count v, wf_cfg a -> counted a -> cfg b = cfg a -> 0 <= v < NIE_MAX_VMS -> 0 <= count ->
  (forall i, 0 <= i < count -> in_ram a (p + i) = true /\ own a (p + i) = Host) ->
  (forall i w, 0 <= i < count -> names (own b (p + i)) w = (v =? w)) -> (forall q, ~ p <= q < p + count -> own b q = own a q) ->
  (forall w, granules (vm_at b w) = if w =? v then (granules (vm_at a v) + count) mod 2 ^ 64 else granules (vm_at a w)) -> counted b.
Proof.
  intros a b p count v W N C V K H O E G w V'.
  assert (P : forall w, pages_of b w = pages_of a w + if w =? v then count else 0).
  { clear - C K H O E. assert (X : forall n, 0 <= n -> n <= count -> forall w, exists c, cfg c = cfg a /\
      (forall q, own c q = if (p <=? q) && (q <? p + n) then own b q else own a q) /\ pages_of c w = pages_of a w + if w =? v then n else 0).
    { intros n Hn. pattern n. apply natlike_ind; auto.
      - intros _ w. exists a. repeat split; [|destruct (w =? v); lia]. intro q. now destruct ((p <=? q) && (q <? p + 0)) eqn:F; [lia|].
      - intros i I IH. replace (Z.succ i) with (i + 1) by lia. intros L w. destruct (IH ltac:(lia) w) as (c & Cc & Oc & Pc). exists (set_own (p + i) (own b (p + i)) c).
        split; [exact Cc|]. split.
        + intro q. rewrite own_put, Oc. destruct (Z.eqb_spec q (p + i)) as [->|D].
          * now replace ((p <=? p + i) && (p + i <? p + (i + 1))) with true by lia.
          * now replace ((p <=? q) && (q <? p + (i + 1))) with ((p <=? q) && (q <? p + i)) by lia.
        + destruct (H i) as [R Ho]; [lia|].
          rewrite (pages_one c (set_own (p + i) (own b (p + i)) c) (p + i) w), Pc.
          * rewrite own_put, Z.eqb_refl, O, Oc by lia. replace ((p <=? p + i) && (p + i <? p + i)) with false by lia. rewrite Ho.
            cbn [names ind]. destruct (Z.eqb_spec w v) as [->|D]; [rewrite Z.eqb_refl; cbn [ind]; lia|].
            replace (v =? w) with false by lia. cbn [ind]. lia.
          * reflexivity.
          * unfold in_ram in *. now rewrite Cc.
          * intros q D. rewrite own_put. now replace (q =? p + i) with false by lia. }
    intro w. destruct (X count K ltac:(lia) w) as (c & Cc & Oc & Pc). rewrite <- Pc. apply pages_same; [congruence|].
    intros q _. rewrite Oc. destruct ((p <=? q) && (q <? p + count)) eqn:F; auto. now rewrite E by lia. }
  rewrite G, P. pose proof (P v) as Pv. rewrite Z.eqb_refl in Pv.
  assert (Wb : 0 <= pages_of b v <= GRANULES_MAX).
  { pose proof (c_ram _ W) as CR. unfold pages_of. rewrite C.
    pose proof (filter_most (fun i => names (own b (ram_first (cfg a) + Z.of_nat i)) v) (seq 0 (Z.to_nat (ram_count (cfg a))))) as L.
    rewrite seq_length in L. lia. }
  pose proof (pages_range a v W). unfold GRANULES_MAX in *.
  destruct (Z.eqb_spec w v) as [->|D]; rewrite N by auto; [|lia]. rewrite Z.mod_small; lia.
Qed.
