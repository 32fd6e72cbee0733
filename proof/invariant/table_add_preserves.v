(* SPDX-License-Identifier: Apache-2.0 *)
(* TABLE_ADD keeps well-formedness: a table over nothing, and one that takes the place of a block. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Donation.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked.
From nie.proof.invariant Require Export Adding.
Import RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Table.
Variables (a : state) (vm l key p : Z).
Hypothesis W : wf a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at a vm) <> NIE_VM_FREE.
Hypothesis LK : 1 <= l <= 2 /\ 0 <= key /\ (l = 1 -> key < 512).
Hypothesis HO : in_ram a p = true /\ own a p = Host.
Hypothesis T : 1 < l -> exists t, slot_at a vm (l - 1) (key / 512) = ToTable t.

Notation k := (kept p 1 a).
Notation o := (fun _ : Z => Table vm (l + 1) key).
Notation d := (Donation.donate vm p 1 o a).

Lemma one_page : 1 <= 1 /\ p mod 512 + 1 <= 512.
Proof. clear. lia. Qed.
Lemma one_host : forall i, 0 <= i < 1 -> in_ram a (p + i) = true /\ own a (p + i) = Host.
Proof. intros i I. replace (p + i) with p by (clear - I; lia). exact HO. Qed.
Definition kept_one : hidden a p 1 k := kept_is a p 1 W one_page one_host.

Lemma kept_vm : 0 <= vm < NIE_MAX_VMS /\ vm_state (vm_at k vm) <> NIE_VM_FREE.
Proof. destruct (h_root kept_one vm) as [_ ->]. exact V. Qed.

(* Over nothing. *)
Definition new_table : state := set_slot vm l key (ToTable p) d.

Lemma new_table_facts : slot_at a vm l key = Empty -> linked k p 1 (one_entry vm l key) new_table /\ (onto k -> onto new_table).
Proof.
  intro EM. destruct (donated_parts a p 1 W one_page one_host vm o (proj2 V)) as (D1 & D2 & D3 & D4 & D5).
  pose proof (hidden_wf kept_one) as WK. pose proof kept_vm as VK. pose proof (kept_slots a p 1 W one_page one_host) as KS.
  assert (SL : forall v' l' y, slot_at new_table v' l' y = if (v' =? vm) && (l' =? l) && (y =? key) then ToTable p else slot_at k v' l' y).
  { intros. unfold new_table. rewrite slot_set. now rewrite D4. }
  assert (FR := kept_free a p 1 W one_page one_host).
  assert (RE : same_records k new_table) by (eapply same_trans; [exact D3|now apply same_of_eq]).
  assert (K : (1 = 512 /\ p mod 512 = 0 /\ l = 2 /\ ToTable p = ToBlock p /\ forall i : Z, o i = Data vm (key * 512 + i)) \/
    (1 = 1 /\ ToTable p = ToTable p /\ forall i : Z, o i = Table vm (l + 1) key)) by (right; auto).
  assert (TK : 1 < l -> exists t, slot_at k vm (l - 1) (key / 512) = ToTable t) by (intro L1; rewrite KS; auto).
  assert (EK : slot_at k vm l key = Empty) by (rewrite KS; exact EM).
  split.
  - apply one_linked with (o := o) (e := ToTable p); auto.
  - apply one_onto with (o := o) (e := ToTable p) (v := vm) (l := l) (k := key) (p := p) (count := 1); auto.
Qed.

(* In the place of a block: its pages, one by one. *)
Section Split.
Variable q : Z.
Hypothesis L2 : l = 2.
Hypothesis BL : slot_at a vm l key = ToBlock q.

Notation e := (fun i => ToPage (q + i)).
Definition split_table : state := set_slot vm l key (ToTable p) (each 512 (mapped vm (key * 512) e) d).
Definition split_entries : Z -> Z -> Z -> Prop := fun v' l' y => v' = vm /\ ((l' = l /\ y = key) \/ (l' = 3 /\ key * 512 <= y < key * 512 + 512)).

Lemma slots_only : forall b x v y z w, b = x <| slots := slots b |> -> set_slot v y z w b = x <| slots := slots (set_slot v y z w b) |>.
Proof. intros b x v y z w E. rewrite E. destruct x. reflexivity. Qed.
Lemma split_but : split_table = d <| slots := slots split_table |>.
Proof. unfold split_table. apply slots_only. apply mapped_but. lia. Qed.

Lemma split_slot : forall v' l' y, slot_at split_table v' l' y =
  if (v' =? vm) && (l' =? l) && (y =? key) then ToTable p
  else if (v' =? vm) && (l' =? 3) && ((key * 512 <=? y) && (y <? key * 512 + 512)) then ToPage (q + (y - key * 512)) else slot_at k v' l' y.
Proof.
  intros. destruct (donated_parts a p 1 W one_page one_host vm o (proj2 V)) as (_ & _ & _ & D4 & _).
  unfold split_table. rewrite slot_set, mapped_at by lia. now rewrite D4.
Qed.

Lemma split_own : forall y, own split_table y = if y =? p then Table vm (l + 1) key else own k y.
Proof.
  intro y. destruct (donated_parts a p 1 W one_page one_host vm o (proj2 V)) as (_ & _ & _ & _ & D5).
  rewrite split_but. change (own d y = if y =? p then Table vm (l + 1) key else own k y). rewrite D5.
  now replace ((p <=? y) && (y <? p + 1)) with (y =? p) by lia.
Qed.

Lemma split_records : same_records k split_table /\ cfg split_table = cfg k /\ modes split_table = modes k.
Proof.
  destruct (donated_parts a p 1 W one_page one_host vm o (proj2 V)) as (D1 & D2 & D3 & _ & _). rewrite split_but.
  split; [eapply same_trans; [exact D3|now apply same_of_eq]|auto].
Qed.

Lemma block_at : slot_at k vm 2 key = ToBlock q.
Proof. rewrite (kept_slots a p 1 W one_page one_host), <- L2. exact BL. Qed.

(* Below a block there are no entries. *)
Lemma below_block : forall y, key * 512 <= y < key * 512 + 512 -> slot_at k vm 3 y = Empty.
Proof.
  intros y Y. destruct (slot_at k vm 3 y) eqn:E; auto; exfalso;
    destruct (wf_slot _ (hidden_wf kept_one) vm 3 y) as (_ & _ & _ & _ & _ & PT); try congruence;
    destruct PT as [t PT]; try lia; change (3 - 1) with 2 in PT; replace (y / 512) with key in PT by lia; rewrite block_at in PT; discriminate.
Qed.

Lemma split_dec : forall v' l' y, split_entries v' l' y \/ ~ split_entries v' l' y.
Proof. intros. unfold split_entries. lia. Qed.

Lemma split_linked : linked k p 1 split_entries split_table.
Proof.
  pose proof (hidden_wf kept_one) as WK. destruct split_records as (RE & CF & MO). pose proof block_at as BK.
  destruct (wf_blk _ WK _ _ _ _ BK) as (_ & QM & QD).
  destruct (kept_free a p 1 W one_page one_host p ltac:(unfold given; lia)) as (FR & FE & FG & FM).
  assert (GP : forall y, given p 1 y -> y = p) by (unfold given; intros; lia).
  constructor; auto.
  - exact split_dec.
  - intros v' l' y N. rewrite split_slot. unfold split_entries in N.
    destruct ((v' =? vm) && (l' =? l) && (y =? key)) eqn:E1; [lia|].
    now destruct ((v' =? vm) && (l' =? 3) && ((key * 512 <=? y) && (y <? key * 512 + 512))) eqn:E2; [lia|].
  - intros v' l' y (-> & [(-> & ->)|(-> & Y)]) t; [rewrite L2, BK|rewrite below_block by auto]; discriminate.
  - intros v' l' y (-> & [(-> & ->)|(-> & Y)]).
    + unfold slot_ok. rewrite split_slot. replace ((vm =? vm) && (l =? l) && (key =? key)) with true by lia. split.
      * split; [lia|]. split; [unfold in_ram in *; now rewrite CF|]. now rewrite split_own, Z.eqb_refl.
      * intros _. destruct (same_root _ _ RE vm) as [_ ->]. destruct kept_vm. repeat split; auto; try lia.
        intro L1. destruct (T L1) as [t E]. exists t. rewrite split_slot.
        replace ((vm =? vm) && (l - 1 =? l) && (key / 512 =? key)) with false by lia.
        replace ((vm =? vm) && (l - 1 =? 3) && ((key * 512 <=? key / 512) && (key / 512 <? key * 512 + 512))) with false by lia.
        now rewrite (kept_slots a p 1 W one_page one_host).
    + unfold slot_ok. rewrite split_slot. replace ((vm =? vm) && (3 =? l) && (y =? key)) with false by lia.
      replace ((vm =? vm) && (3 =? 3) && ((key * 512 <=? y) && (y <? key * 512 + 512))) with true by lia.
      destruct (QD (y - key * 512)) as [R D]; [unfold is_word; lia|]. split.
      * split; [auto|]. split; [unfold in_ram in *; now rewrite CF|]. rewrite split_own.
        destruct (Z.eqb_spec (q + (y - key * 512)) p) as [F|F]; [rewrite F, FE in D; discriminate|]. rewrite D. f_equal. lia.
      * intros _. destruct (same_root _ _ RE vm) as [_ ->]. destruct kept_vm. repeat split; auto; try lia.
        intros _. exists p. rewrite split_slot. now replace ((vm =? vm) && (3 - 1 =? l) && (y / 512 =? key)) with true by lia.
  - intros y N. rewrite split_own. unfold given in N. now destruct (Z.eqb_spec y p); [lia|].
  - intros y N. rewrite (GP y N). auto.
  - intros y N. rewrite (GP y N). unfold host_may_access. rewrite FR, FE, split_own, Z.eqb_refl.
    assert (R' : in_ram split_table p = true) by (unfold in_ram in *; now rewrite CF). now rewrite R'.
Qed.

Lemma split_onto : onto k -> onto split_table.
Proof.
  intro O. pose proof block_at as BK. apply (linked_onto split_linked O).
  - intros y v' l' y' E (-> & [(-> & ->)|(-> & Y)]); [rewrite L2, BK in E|rewrite below_block in E by auto]; destruct E; discriminate.
  - intros y v' y' E (-> & N) j J. assert (y' = key) by (unfold is_word in J; lia). subst y'. rewrite BK in E. injection E as <-.
    rewrite split_slot. unfold is_word in J. replace ((vm =? vm) && (3 =? l) && (key * 512 + j =? key)) with false by lia.
    replace ((vm =? vm) && (3 =? 3) && ((key * 512 <=? key * 512 + j) && (key * 512 + j <? key * 512 + 512))) with true by lia. f_equal. lia.
  - intros y G. assert (y = p) by (unfold given in G; lia). subst y. rewrite split_own, Z.eqb_refl. right.
    rewrite split_slot. now replace ((vm =? vm) && (l + 1 - 1 =? l) && (key =? key)) with true by lia.
Qed.
End Split.

(* No table-type entry leads to the page while the engine keeps it. *)
Lemma kept_no_target : forall v l' y x, Aset k v l' y x -> is_table l' x = true -> frame x <> p.
Proof.
  intros v l' y x H TB F. pose proof kept_one as B. destruct HO as [RP OP].
  assert (HA : Aset a v l' y x -> False).
  { intro HA. destruct (table_target a W _ _ _ _ HA TB) as [_ [(_ & E)|(i & _ & E)]]; rewrite F in E; congruence. }
  destruct (Z.eq_dec v 0) as [->|N]; [|apply HA; now apply (h_vm_entry B)].
  destruct H as [(_ & H)|(j & E & J & _)]; [|lia]. destruct H as [(-> & -> & ->)|(L & -> & VD)].
  - apply HA. left. split; [reflexivity|]. left. now rewrite (h_cfg B).
  - assert (K : (l' = 2 /\ y = p / 512) \/ (l' = 3) \/ ((l' = 2 -> y <> p / 512) /\ l' <> 3)) by lia.
    destruct K as [(-> & ->)|[->|(K2 & K3)]].
    + rewrite (h_henc2 B) in F. pose proof (managed_given B) as MG.
      pose proof (level3_range _ W _ MG) as LR. destruct (tables_in_ram a W (level3 a (p / 512))) as [R E].
      { pose proof (gibs_small _ W). unfold level3_first in *. lia. }
      pose proof (ram_small _ W _ R) as S. replace (frame (level3 a (p / 512) * 4096 + DESC_TABLE)) with (level3 a (p / 512)) in F; [congruence|].
      symmetry. norm. etransitivity; [|apply (frame_of_desc (level3 a (p / 512)) 3 0); lia]. f_equal; lia.
    + unfold is_table in TB. cbn in TB. discriminate.
    + apply HA. left. split; [reflexivity|]. right. rewrite (h_henc B) in * by (auto; intros; lia). auto.
Qed.
End Table.
