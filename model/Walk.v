(* SPDX-License-Identifier: Apache-2.0 *)
(* The stage 2 walk as a function, as the manual's pseudocode has it: it finds exactly what model/Machine.v says can be
   reached when no TLB holds anything and every store is seen. test/walk compares it with a machine's AT instructions. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Walk.
Variables (memory : Z -> Z) (root : Z).

(* The descriptor of [level] for [key], when the walk gets there. Level 0 stands for VTTBR_EL2. *)
Fixpoint descriptor (level : nat) (key : Z) : option Z :=
  match level with
  | O => if key =? 0 then Some root else None
  | S above =>
      match descriptor above (key / 512) with
      | Some d =>
          if is_table (Z.of_nat above) d then
            let next := memory (frame d * 512 + key mod 512) in if valid next then Some next else None
          else None
      | None => None
      end
  end.

Definition leaf_at (level : nat) (ipa : Z) : option Z :=
  let l := Z.of_nat level in
  match descriptor level (ipa / covers l) with
  | Some d => if is_leaf l d then Some (first_page l d + ipa mod covers l) else None
  | None => None
  end.

(* The page that IPA page [ipa] is translated to. *)
Definition walk (ipa : Z) : option Z :=
  match leaf_at 1 ipa with
  | Some p => Some p
  | None => match leaf_at 2 ipa with Some p => Some p | None => leaf_at 3 ipa end
  end.
End Walk.

Definition walk_of (h : hw) (c : Z) : Z -> option Z := walk (Map.get (mem h)) (root_desc h c).

Section Exact.
Variable h : hw.
Hypothesis NO_TLB : tlb h = nil.
Hypothesis ALL_SEEN : unseen h = nil.

Lemma seen_word : forall w d, visible h w d = true <-> Map.get (mem h) w = d.
Proof. intros. unfold visible. rewrite ALL_SEEN. cbn. rewrite orb_false_r. apply Z.eqb_eq. Qed.

Definition got (c : Z) (n : nat) (k : Z) : option Z := descriptor (Map.get (mem h)) (root_desc h c) n k.

Lemma got_avail : forall c n k d, got c n k = Some d -> avail h (root_vmid h c) (Z.of_nat n) k d.
Proof.
  unfold got. intros c n. induction n as [|n IH]; intros k d E; cbn [descriptor] in E.
  - destruct (Z.eqb_spec k 0) as [->|]; [|discriminate]. injection E as <-. apply av_root.
  - destruct (descriptor _ _ n (k / 512)) as [t|] eqn:T; [|discriminate].
    destruct (is_table (Z.of_nat n) t) eqn:L; [|discriminate].
    destruct (valid (Map.get (mem h) (frame t * 512 + k mod 512))) eqn:V; [|discriminate]. injection E as <-.
    pose proof (Z.mod_pos_bound k 512 ltac:(lia)) as B.
    replace k with (k / 512 * 512 + k mod 512) at 1 by (pose proof (Z.div_mod k 512); lia).
    rewrite Nat2Z.inj_succ. unfold Z.succ. eapply av_step; eauto.
    + unfold is_word. lia.
    + now apply seen_word.
Qed.

Lemma avail_got : forall v l k d, avail h v l k d -> 0 <= l /\ exists c, v = root_vmid h c /\ got c (Z.to_nat l) k = Some d.
Proof.
  intros v l k d A. induction A as [e I|c|v l k d i d' A [L (c & -> & G)] T I V SN].
  - rewrite NO_TLB in I. destruct I.
  - split; [lia|]. exists c. split; reflexivity.
  - split; [lia|]. exists c. split; [reflexivity|]. unfold got in *. unfold is_word in I.
    replace (Z.to_nat (l + 1)) with (S (Z.to_nat l)) by lia. cbn [descriptor].
    replace ((k * 512 + i) / 512) with k by (apply Z.div_unique with i; lia).
    replace ((k * 512 + i) mod 512) with i by (apply Z.mod_unique with k; lia).
    rewrite G, Z2Nat.id, T by lia. apply seen_word in SN. now rewrite SN, V.
Qed.

Lemma leaf_level : forall l d, is_leaf l d = true -> l = 1 \/ l = 2 \/ l = 3.
Proof. intros l d H. unfold is_leaf in H. lia. Qed.

Lemma covers_cases : covers 1 = 262144 /\ covers 2 = 512 /\ covers 3 = 1.
Proof. repeat split. Qed.

Lemma parent : forall c n k d, got c (S n) k = Some d -> exists t, got c n (k / 512) = Some t /\ is_table (Z.of_nat n) t = true.
Proof.
  unfold got. intros c n k d G. cbn [descriptor] in G. destruct (descriptor _ _ n (k / 512)) as [t|]; [|discriminate].
  exists t. destruct (is_table (Z.of_nat n) t); [auto|discriminate].
Qed.

Lemma table_no_leaf : forall l d, 1 <= l -> is_table l d = true -> is_leaf l d = false.
Proof. intros l d L T. unfold is_table, is_leaf in *. lia. Qed.

(* What the walk of some CPU finds is what is reached. *)
Theorem walk_is_exact : forall v p, reached h v p <-> exists c ipa, v = root_vmid h c /\ walk_of h c ipa = Some p.
Proof.
  intros v p. unfold walk_of, walk, leaf_at. change (Z.of_nat 1) with 1. change (Z.of_nat 2) with 2. change (Z.of_nat 3) with 3.
  destruct covers_cases as (C1 & C2 & C3). split.
  - intros (l & k & d & A & M & R). destruct (avail_got _ _ _ _ A) as (_ & c & -> & G).
    exists c, (k * covers l + (p - first_page l d)). split; auto. set (ipa := k * covers l + (p - first_page l d)).
    destruct (leaf_level _ _ M) as [->|[->| ->]]; rewrite ?C1, ?C2, ?C3 in *.
    + assert (K : ipa / 262144 = k /\ first_page 1 d + ipa mod 262144 = p) by (unfold ipa; lia). destruct K as [K1 K2]. clearbody ipa. rewrite K1.
      unfold got in G. change (Z.to_nat 1) with 1%nat in G. rewrite G, M. now f_equal.
    + assert (K : ipa / 512 = k /\ first_page 2 d + ipa mod 512 = p /\ ipa / 262144 = k / 512) by (unfold ipa; lia).
      destruct K as (K1 & K2 & K3). clearbody ipa. rewrite K1, K3. change (Z.to_nat 2) with 2%nat in G.
      destruct (parent _ _ _ _ G) as (t & T & TT). unfold got in *. rewrite T, (table_no_leaf 1 t) by (auto; lia). rewrite G, M. now f_equal.
    + assert (K : ipa / 1 = k /\ first_page 3 d + ipa mod 1 = p /\ ipa / 512 = k / 512 /\ ipa / 262144 = k / 512 / 512)
        by (unfold ipa; lia).
      destruct K as (K1 & K2 & K3 & K4). clearbody ipa. rewrite K1, K3, K4. change (Z.to_nat 3) with 3%nat in G.
      destruct (parent _ _ _ _ G) as (t & T & TT). destruct (parent _ _ _ _ T) as (u & U & UT). unfold got in *.
      rewrite U, (table_no_leaf 1 u) by (auto; lia). rewrite T, (table_no_leaf 2 t) by (auto; lia). rewrite G, M. now f_equal.
  - intros (c & ipa & -> & H).
    assert (F : forall n k d, descriptor (Map.get (mem h)) (root_desc h c) n k = Some d -> is_leaf (Z.of_nat n) d = true ->
      first_page (Z.of_nat n) d <= p < first_page (Z.of_nat n) d + covers (Z.of_nat n) -> reached h (root_vmid h c) p).
    { intros n k d G L M. exists (Z.of_nat n), k, d. split; [now apply got_avail|split; auto]. }
    destruct (descriptor _ _ 1 _) as [d1|] eqn:G1; [destruct (is_leaf 1 d1) eqn:L1|].
    1: { injection H as <-. apply (F _ _ _ G1 L1). change (Z.of_nat 1) with 1. rewrite C1. lia. }
    all: destruct (descriptor _ _ 2 _) as [d2|] eqn:G2; [destruct (is_leaf 2 d2) eqn:L2|].
    1, 4: injection H as <-; apply (F _ _ _ G2 L2); change (Z.of_nat 2) with 2; rewrite C2; lia.
    all: destruct (descriptor _ _ 3 _) as [d3|] eqn:G3; [|discriminate]; destruct (is_leaf 3 d3) eqn:L3; [|discriminate].
    all: injection H as <-; apply (F _ _ _ G3 L3); change (Z.of_nat 3) with 3; rewrite C3; lia.
Qed.
End Exact.
