(* SPDX-License-Identifier: Apache-2.0 *)
(* The part of an exit that tells the host, as a trail: its effects are fixed by the words alone, since which primitives tell and which do
   not is the same for every exit. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.proof.refine Require Import world_leaves vcpu_leaves.
From nie.spec Require State Switch.
From nie.spec Require Import Core Step Isolation.
From nie.proof.security Require Import Alike Handler Apart Trail.
From nie.model Require Import Machine.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

Definition effect_of (q : Z) (o : option (Z * Z)) : effect := match o with Some (i, x) => Tells q i x | None => Hidden end.
Definition same_shape (l l' : list (option (Z * Z))) : Prop := map (fun o => match o with Some wx => Some (fst wx) | None => None end) l = map (fun o => match o with Some wx => Some (fst wx) | None => None end) l'.

Lemma shape_words : forall l l', same_shape l l' -> words_of l = words_of l' -> l = l'.
Proof.
  unfold same_shape. induction l as [|o l IH]; intros [|o' l'] S W; try discriminate S; [reflexivity|]. cbn [map] in S. injection S as S1 S.
  destruct o as [[i x]|], o' as [[i' x']|]; try discriminate S1; cbn [words_of flat_map app] in W; fold (words_of l) in W; fold (words_of l') in W.
  - injection W as <- <- W. f_equal. auto.
  - f_equal. auto.
Qed.
Lemma told_shape : forall a c e a' c' e', same_shape (told_log a c e) (told_log a' c' e').
Proof. intros. reflexivity. Qed.
(* Exits with the same words tell them at the same primitives. *)
Theorem same_told : forall a c e a' c' e', Switch.exit_words a c e = Switch.exit_words a' c' e' -> told_log a c e = told_log a' c' e'.
Proof. intros a c e a' c' e' H. apply shape_words; [apply told_shape|]. now rewrite !told_words. Qed.

Section Told.
Variable w : who.
Variables T Cs : Z -> Prop.
Definition left_out (h : Machine.hw) : Prop := forall c, root_vmid h c = vmid_of w -> Cs c.

Lemma acted_root : forall l h c, root_vmid (acted l h) c = root_vmid h c.
Proof.
  induction l as [|a l IH]; intros h c; [reflexivity|]. change (acted (a :: l) h) with (acted l (met (act_step a h))). rewrite IH.
  change (root_vmid (met (act_step a h)) c) with (root_vmid (act_step a h) c). exact (act_root w a h c).
Qed.
Lemma others_root : forall h c, root_vmid (others h) c = root_vmid h c.
Proof. intros h c. rewrite others_acted, acted_root. unfold begun. now destruct (during h). Qed.
Lemma others_left_out : forall h, left_out h -> left_out (others h).
Proof. intros h H c E. rewrite others_root in E. auto. Qed.

Theorem tell_trail : forall l q h, left_out h -> Forall (fun o => match o with Some wx => is_word (fst wx) = true | None => True end) l ->
  exists g, trail w T Cs h (map (effect_of q) l) g (world_leaves.tell q l h).
Proof.
  induction l as [|o l IH]; intros q h LO F; [exists []; apply trail_end|]. inversion F as [|? ? FO FL]; subst.
  assert (L1 : left_out (tell1 q h o)).
  { intros c E. apply (others_left_out h LO c). destruct o as [[i x]|]; exact E. }
  destruct (IH q (tell1 q h o) L1 FL) as (g & H). exists (way h ++ g). cbn [map]. eapply trail_next; [|exact H].
  destruct o as [[i x]|]; cbn [effect_of does_effect tell1].
  - split; [exact FO|reflexivity].
  - apply apart_refl. exact (others_left_out h LO).
Qed.
End Told.
