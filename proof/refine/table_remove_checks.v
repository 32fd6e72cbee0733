(* SPDX-License-Identifier: Apache-2.0 *)
(* TABLE_REMOVE: the C refuses what spec/call/table_remove.v refuses, with the same status. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec.call Require table_remove.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning page_remove_preserves table_remove_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.stage2 nie.generated.state.checks nie.generated.call.table_remove.
From nie.spec Require Import Core.
From nie.proof.refine Require Export page_remove_checks stage2_refines Ends.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_table_remove_check := nie.spec.call.table_remove.table_remove_check.
Notation spec_table_remove := nie.spec.call.table_remove.table_remove.
Notation entries_free := nie.spec.call.table_remove.entries_free.
Notation pages_below := nie.spec.call.table_remove.pages_below.
Notation forget := nie.spec.call.table_remove.forget.

Lemma globals_same : forall a b gl, cfg b = cfg a -> owners b = owners a -> vms b = vms a -> vcpus b = vcpus a -> cpus b = cpus a -> lasts b = lasts a ->
  globals_hold a gl -> globals_hold b gl.
Proof.
  intros a b gl E1 E2 E3 E4 E5 E6 G. constructor; try rewrite E1; try apply G.
  - intros p R. unfold in_ram, own in *. rewrite E1, E2 in *. now apply (g_own _ _ G).
  - intros v V. unfold vm_at. rewrite E3. now apply (g_vm _ _ G).
  - intros v V. unfold vm_at. rewrite E3. now apply (g_vms _ _ G).
  - intros v i V I. unfold vcpu_at. rewrite E4. now apply (g_vcpus _ _ G).
  - intros c C. unfold cpu_at. rewrite E5. now apply (g_cpus _ _ G).
  - intros v c V C. unfold last_at. rewrite E6. now apply (g_lasts _ _ G).
Qed.

(** Checks. *)

Section Checks.
Variables (a : state) (h0 : Machine.hw) (gl0 : globals) (m0 : Z -> Z).
Hypothesis W : wf a.
Hypothesis G : globals_hold a gl0.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis TH : tables_hold a m0.
Notation A := (Aset a).

Lemma entry_valid : forall v l k, valid (enc (slot_at a v l k)) = match slot_at a v l k with Empty | Spent => false | _ => true end.
Proof.
  intros v l k. destruct (slot_at a v l k) as [| |p|p|p|p] eqn:E; [reflexivity|reflexivity| | | |].
  - destruct (wf_tab _ W _ _ _ _ E) as (_ & R & _). apply (ram_small _ W) in R. apply (enc_facts (ToTable p) p); auto. lia.
  - destruct (wf_blk _ W _ _ _ _ E) as (_ & _ & B). destruct (B 0) as [R _]; [reflexivity|]. apply (ram_small _ W) in R. apply (enc_facts (ToBlock p) p); auto. lia.
  - destruct (wf_page _ W _ _ _ _ E) as (_ & R & _). apply (ram_small _ W) in R. apply (enc_facts (ToPage p) p); auto. lia.
  - destruct (wf_shared _ W _ _ _ _ E) as (_ & R & _). apply (ram_small _ W) in R. apply (enc_facts (ToShared p) p); auto. lia.
Qed.

Lemma table_empty_wp : forall h v l k t (spent_too : bool) (Q : Z -> mach globals Machine.hw -> Prop),
  world h0 A A m0 (now m0) h -> in_ram a t = true -> own a t = Table v l k ->
  (forall h', world h0 A A m0 (now m0) h' -> Q (b2z (entries_free a v l (k * 512) spent_too 512)) (Mach gl0 h')) ->
  wp (table_empty t (b2z spent_too)) Q (Mach gl0 h).
Proof.
  intros h v l k t sp Q X R O H. unfold table_empty. skip.
  remember (entries_free a v l (k * 512) sp 512) as all eqn:ALL.
  eapply wp_loop_ret with
    (I := fun i _ s => exists h, s = Mach gl0 h /\ world h0 A A m0 (now m0) h /\
       all = entries_free a v l (k * 512 + i) sp (Z.to_nat (512 - i)))
    (P := fun r s => exists h, s = Mach gl0 h /\ world h0 A A m0 (now m0) h /\ r = 0 /\ all = false); [unfold ENTRIES; lia| | | |].
  - exists h. split; [auto|]. split; [auto|]. rewrite Z.add_0_r. exact ALL.
  - unfold ENTRIES. intros i u s I (h1 & -> & X1 & AL). skip.
    eapply read_entry with (v := v) (l := l) (k := k); eauto using table_private. intros h2 X2. cbn beta.
    skip. w_known desc_valid_run. skip.
    replace (Z.to_nat (512 - i)) with (S (Z.to_nat (512 - (i + 1)))) in AL by lia. cbn [nie.spec.call.table_remove.entries_free] in AL.
    replace (k * 512 + i + 1) with (k * 512 + (i + 1)) in AL by lia.
    match goal with |- wp (if ?c then _ else _) _ _ =>
      replace c with (negb match slot_at a v l (k * 512 + i) with Empty => true | Spent => sp | _ => false end) end.
    2:{ pose proof (entry_valid v l (k * 512 + i)) as EV. destruct (slot_at a v l (k * 512 + i)); rewrite EV; auto. now destruct sp. }
    destruct (match slot_at a v l (k * 512 + i) with Empty => true | Spent => sp | _ => false end); cbn [negb andb] in *; go.
    + exists h2. auto.
    + exists h2. auto.
  - unfold ENTRIES. intros u s (h1 & -> & X1 & AL). change (all = true) in AL. go. rewrite AL in H. auto.
  - intros r s (h1 & -> & X1 & -> & AL). go. rewrite AL in H. auto.
Qed.

Lemma entry_pages_run : forall (s : mach globals Machine.hw) level, level = 2 \/ level = 3 ->
  entry_pages (wrap U32 (wrap U32 level - 1)) s = Some (pages_below (level - 1), s).
Proof. intros s level [-> | ->]; reflexivity. Qed.

Lemma aligned_below : forall (s : mach globals Machine.hw) x level, level = 2 \/ level = 3 ->
  aligned x (pages_below (level - 1)) s = Some (b2z (x mod (4096 * pages_below (level - 1)) =? 0), s).
Proof.
  intros s x level [-> | ->]; unfold granule_h.aligned, ret; do 3 f_equal.
  - change (wrap U64 (wrap U64 (pages_below (2 - 1) * NIE_PAGE_SIZE) - 1)) with (Z.ones 30). now rewrite Z.land_ones by lia.
  - change (wrap U64 (wrap U64 (pages_below (3 - 1) * NIE_PAGE_SIZE) - 1)) with (Z.ones 21). now rewrite Z.land_ones by lia.
Qed.

(* The entry that names the table is in a table of the VM, which the walk finds. *)
Lemma walk_to : forall v x level t, level = 2 \/ level = 3 -> 0 <= v < NIE_MAX_VMS -> 0 <= x < 2 ^ 27 ->
  slot_at a v (level - 1) (x / pages_below (level - 1)) = ToTable t ->
  exists pt pk i, walk_end a v x (level - 1) = (pt, enc (ToTable t), i, level - 1) /\ is_word i = true /\
    in_ram a pt = true /\ own a pt = Table v (level - 1) pk /\ pk * 512 + i = x / pages_below (level - 1).
Proof.
  intros v x level t [-> | ->] V X T; unfold walk_end.
  - change (2 - 1) with 1 in *. change (pages_below 1) with 262144 in *. cbn [Z.eqb Pos.eqb]. rewrite T.
    destruct (wf_slot _ W v 1 (x / 262144)) as (_ & S & _); [congruence|]. destruct (wf_root _ W v V S) as [R O].
    exists (root (vm_at a v)), 0, (x / 262144). repeat split; auto; unfold is_word; lia.
  - change (3 - 1) with 2 in *. change (pages_below 2) with 512 in *. cbn [Z.eqb Pos.eqb].
    destruct (wf_slot _ W v 2 (x / 512)) as (_ & _ & _ & _ & _ & PR); [congruence|]. destruct PR as [p PR]; [lia|].
    change (2 - 1) with 1 in PR. replace (x / 512 / 512) with (x / 262144) in PR by lia. rewrite PR, T.
    destruct (wf_tab _ W _ _ _ _ PR) as (_ & R & O).
    exists p, (x / 262144), (x / 512 mod 512). repeat split; auto; unfold is_word; lia.
Qed.

Lemma walk_misses : forall v x level, level = 2 \/ level = 3 ->
  (forall t, slot_at a v (level - 1) (x / pages_below (level - 1)) <> ToTable t) ->
  exists pt d i l, walk_end a v x (level - 1) = (pt, d, i, l) /\ (l = level - 1 -> d mod 4 <> 3) /\ 1 <= l <= 3.
Proof.
  intros v x level [-> | ->] N; unfold walk_end.
  - change (2 - 1) with 1 in *. change (pages_below 1) with 262144 in *. cbn [Z.eqb Pos.eqb].
    exists (root (vm_at a v)), (enc (slot_at a v 1 (x / 262144))), (x / 262144), 1. split; [auto|]. split; [|lia]. intros _ E.
    pose proof (enc_table a v 1 (x / 262144) W ltac:(lia)) as F. rewrite E in F. destruct (slot_at a v 1 (x / 262144)); try discriminate. now apply (N p).
  - change (3 - 1) with 2 in *. change (pages_below 2) with 512 in *. cbn [Z.eqb Pos.eqb].
    destruct (slot_at a v 1 (x / 262144)) as [| |t2|t2|t2|t2]; try (do 4 eexists; split; [reflexivity|split; [discriminate|lia]]).
    do 4 eexists. split; [reflexivity|]. split; [|lia]. intros _ E.
    pose proof (enc_table a v 2 (x / 512) W ltac:(lia)) as F. rewrite E in F. destruct (slot_at a v 2 (x / 512)); try discriminate. now apply (N p).
Qed.

Lemma table_remove_check_wp : forall h vm ipa level (Q : Z -> mach globals Machine.hw -> Prop),
  world h0 A A m0 (now m0) h -> 0 <= vm < 2 ^ 64 -> 0 <= ipa < 2 ^ 64 -> 0 <= level < 2 ^ 64 ->
  (forall h', world h0 A A m0 (now m0) h' -> Q (spec_table_remove_check a vm ipa level) (Mach gl0 h')) ->
  wp (table_remove_check vm ipa level) Q (Mach gl0 h).
Proof.
  intros h vm ipa level Q X V I L H. unfold table_remove_check. unfold spec_table_remove_check in H.
  skip. w_known check_vm_run; [eauto|lia|].
  destruct (vm_exists vm) eqn:E1; [|unfold NIE_OK, NIE_E_VM in *; cbn; go; auto].
  destruct (vm_is a vm NIE_VM_ACTIVE NIE_VM_STOPPED) eqn:E2; [|unfold NIE_OK, NIE_E_VM_STATE in *; cbn; go; auto].
  change (NIE_OK =? NIE_OK) with true. cbn [negb]. rewrite <- negb_orb.
  destruct ((level =? 2) || (level =? 3))%bool eqn:E3; cbn [negb]; [|go; auto].
  assert (LV : level = 2 \/ level = 3) by lia.
  skip. w_known entry_pages_run; [exact LV|]. skip. w_known aligned_below; [exact LV|].
  destruct (ipa mod (4096 * pages_below (level - 1)) =? 0) eqn:E4; cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota; [|go; auto].
  clear E3 E4.
  rewrite Z.shiftr_div_pow2 by (unfold NIE_IPA_BITS; lia). unfold in_ipa_space, NIE_IPA_BITS in *.
  destruct (Z.eqb_spec (ipa / 2 ^ 39) 0) as [E|E]; cbn [negb].
  2:{ replace (ipa <? 2 ^ 39) with false in H by lia. go. auto. }
  replace (ipa <? 2 ^ 39) with true in H by lia. unfold State.page_of, vm_exists in *. set (x := ipa / 4096) in *.
  assert (HX : 0 <= x < 2 ^ 27) by (subst x; lia).
  assert (V' : 0 <= vm < NIE_MAX_VMS) by lia. assert (VB : 0 <= vm < 64) by (unfold NIE_MAX_VMS in V'; lia).
  skip. w_known page_of_run. fold x. rewrite (wrap32 vm), (wrap32 level), wrap32, wrap64 by lia.
  destruct (g_vm _ _ G vm V') as (S1 & S2 & _).
  skip. eapply s2_walk_wp; eauto using table_private; [|lia|].
  { intro F. unfold vm_is in E2. rewrite F in E2. discriminate. }
  intros h1 X1. cbn beta.
  destruct (slot_at a vm (level - 1) (x / pages_below (level - 1))) as [| |t|t|t|t] eqn:T.
  3:{ destruct (walk_to vm x level t LV V' HX T) as (pt & pk & i & -> & _). rewrite Z.eqb_refl. cbn [negb].
      destruct (wf_tab _ W _ _ _ _ T) as (_ & R & O). replace (level - 1 + 1) with level in O by lia.
      skip. w_known desc_is_table_run. skip. rewrite <- T, enc_table, T by (auto; lia). change (b2z true =? 0) with false. cbn iota.
      skip. w_known desc_page_run. rewrite (enc_frame _ _ _ _ _ W T). skip. w_load. rewrite S1. skip.
      eapply table_empty_wp; eauto. intros h2 X2. cbn beta. specialize (H _ X2).
      destruct (entries_free _ _ _ _ _ _); cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota; go; auto. }
  all: destruct (walk_misses vm x level LV) as (pt & d & i & l & -> & N & LB); [intros q; congruence|].
  all: destruct (Z.eqb_spec l (level - 1)) as [->|NE]; cbn [negb]; skip; [w_known desc_is_table_run; skip|go; auto].
  all: destruct (Z.eqb_spec (d mod 4) 3) as [D|D]; [now apply N in D|change (b2z false =? 0) with true; cbn iota; go; auto].
Qed.
End Checks.
