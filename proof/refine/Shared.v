(* SPDX-License-Identifier: Apache-2.0 *)
(* Contracts of the C's functions that several calls use: the walk, granules, the host's stage 2. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.stage2 nie.generated.state.checks.
From nie.spec Require Import Core.
From nie.proof.refine Require Export Relation.
From RecordUpdate Require Import RecordSet.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** Granules. *)

Definition of_granules (g : gvar) : bool :=
  match g with granules_state | granules_vm | granules_level | granules_zero | granules_key | vms_granules => true | _ => false end.
(* Every other global object is as it was. *)
Definition only_granules (gl gl' : globals) : Prop := forall g, of_granules g = false -> field g gl' = field g gl.

Lemma only_refl : forall gl, only_granules gl gl.
Proof. intros gl g _. reflexivity. Qed.
Lemma only_trans : forall a b c, only_granules a b -> only_granules b c -> only_granules a c.
Proof. intros a b c H H' g G. rewrite H', H; auto. Qed.
Lemma only_put : forall g i v gl, of_granules g = true -> only_granules gl (put1 g i v gl).
Proof. intros g i v gl G g' N. unfold put1. apply field_set_other. intros ->. congruence. Qed.

(* The records of VMs, vCPUs and CPUs do not depend on granules. *)
Lemma only_on : forall f gl gl', (forall g, f g = true -> of_granules g = false) -> only_granules gl gl' -> same_on f gl gl'.
Proof. intros f gl gl' D O g G. auto. Qed.
Lemma records_hold : forall a gl gl', globals_hold a gl -> only_granules gl gl' ->
  (forall v, 0 <= v < NIE_MAX_VMS -> vm_holds gl' v (vm_at a v)) /\
  (forall v i, 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS -> vcpu_holds gl' (v * NIE_MAX_VCPUS + i) (vcpu_at a v i)) /\
  (forall c, 0 <= c < NIE_MAX_CPUS -> cpu_holds gl' c (cpu_at a c)) /\
  (forall v c, 0 <= v < NIE_MAX_VMS -> 0 <= c < NIE_MAX_CPUS -> at1 lasts_vcpu gl' (v * NIE_MAX_CPUS + c) = last_at a v c).
Proof.
  intros a gl gl' G O. split; [|split; [|split]]; intros.
  - eapply vm_same; [|now apply (g_vms _ _ G)]. apply only_on; auto. now intros [].
  - eapply vcpu_same; [|now apply (g_vcpus _ _ G)]. apply only_on; auto. now intros [].
  - eapply cpu_same; [|now apply (g_cpus _ _ G)]. apply only_on; auto. now intros [].
  - unfold at1. rewrite O by reflexivity. now apply (g_lasts _ _ G).
Qed.

Lemma own_set : forall p o a q, own (set_own p o a) q = if q =? p then o else own a q.
Proof. intros p o a q. exact (Map.get_set _ (owners a) p o q). Qed.

Lemma granule_set_wp : forall a gl h p o st v l k (Q : unit -> mach globals Machine.hw -> Prop),
  wf_cfg a -> globals_hold a gl -> in_ram a p = true -> owner_words o = (st, v, l, k) ->
  (forall gl', globals_hold (set_own p o a) gl' -> only_granules gl gl' -> Q tt (Mach gl' h)) ->
  wp (granule_set p st v l 0 k) Q (Mach gl h).
Proof.
  intros a gl h p o st v l k Q Wc G P E H. pose proof (c_ram _ Wc) as C.
  assert (P' := P). unfold in_ram in P'. unfold granule_set. go.
  match goal with |- Q tt (Mach ?g h) => assert (OG : only_granules gl g) end.
  { repeat (eapply only_trans; [|apply only_put; reflexivity]). apply only_refl. }
  destruct (records_hold _ _ _ G OG) as (RV & RU & RC & RL).
  apply H; auto.
  - constructor; auto.
    + rewrite !at_put by reflexivity. apply (g_base _ _ G).
    + rewrite !at_put by reflexivity. apply (g_pages _ _ G).
    + rewrite !at_put by reflexivity. apply (g_tables _ _ G).
    + rewrite !at_put by reflexivity. apply (g_dev_base _ _ G).
    + rewrite !at_put by reflexivity. apply (g_dev_pages _ _ G).
    + intros q Q0. cbn zeta. change (in_ram a q = true) in Q0. change (cfg (set_own p o a)) with (cfg a).
      rewrite !at_put by reflexivity. cbn.
      rewrite own_set. replace (q - ram_first (cfg a) =? p - ram_first (cfg a)) with (q =? p) by (apply eq_true_iff_eq; lia).
      destruct (q =? p); [now rewrite E|]. apply (g_own _ _ G q Q0).
    + intros i I. rewrite !at_put by reflexivity. apply (g_vm _ _ G i I).
Qed.

Lemma add_granules_vm : forall a v n i, vm_at (add_granules v n a) i =
  if i =? v then vm_at a v <| granules ::= fun g => (g + n) mod 2 ^ 64 |> else vm_at a i.
Proof. intros a v n i. exact (Map.get_set _ (vms a) v (vm_at a v <| granules ::= fun g => (g + n) mod 2 ^ 64 |>) i). Qed.

Lemma add_granules_root : forall a v n i, root (vm_at (add_granules v n a) i) = root (vm_at a i) /\
  vm_state (vm_at (add_granules v n a) i) = vm_state (vm_at a i).
Proof. intros. rewrite add_granules_vm. destruct (Z.eqb_spec i v); subst; auto. Qed.

Lemma granules_hold : forall a gl v n, globals_hold a gl -> 0 <= v < NIE_MAX_VMS ->
  globals_hold (add_granules v n a) (put1 vms_granules v ((at1 vms_granules gl v + n) mod 2 ^ 64) gl).
Proof.
  intros a gl v n G V. set (gl' := put1 vms_granules v ((at1 vms_granules gl v + n) mod 2 ^ 64) gl).
  assert (OG : only_granules gl gl') by (apply only_put; reflexivity).
  destruct (records_hold _ _ _ G OG) as (RV & RU & RC & RL). subst gl'.
  constructor; auto.
  - rewrite !at_put by reflexivity. apply (g_base _ _ G).
  - rewrite !at_put by reflexivity. apply (g_pages _ _ G).
  - rewrite !at_put by reflexivity. apply (g_tables _ _ G).
  - rewrite !at_put by reflexivity. apply (g_dev_base _ _ G).
  - rewrite !at_put by reflexivity. apply (g_dev_pages _ _ G).
  - intros q Q0. cbn zeta. rewrite !at_put by reflexivity. apply (g_own _ _ G q Q0).
  - intros i I. rewrite !at_put by reflexivity. cbn. rewrite add_granules_vm.
    destruct (g_vm _ _ G i I) as (A & B & C & D & E). destruct (Z.eqb_spec i v); subst; cbn; repeat split; auto.
    now rewrite E.
  - intros i I. rewrite add_granules_vm. destruct (Z.eqb_spec i v) as [->|]; auto. destruct (RV v I). now constructor.
Qed.

Lemma release_wp : forall a gl h v p (Q : unit -> mach globals Machine.hw -> Prop),
  wf_cfg a -> globals_hold a gl -> in_ram a p = true -> 0 <= v < NIE_MAX_VMS ->
  (forall gl', globals_hold (add_granules v (-1) (set_own p Host a)) gl' -> only_granules gl gl' -> Q tt (Mach gl' h)) ->
  wp (release v p) Q (Mach gl h).
Proof.
  intros a gl h v p Q Wc G P V H. unfold release. w_bind.
  eapply granule_set_wp with (o := Host); eauto. intros gl1 G1 O1. cbn beta. go.
  apply H.
  - unfold wrap. cbn [width]. change (2 ^ 64) with (2 ^ 64). rewrite <- Z.add_opp_r. now apply granules_hold.
  - eapply only_trans; [exact O1|]. now apply only_put.
Qed.

(** The walk. *)

(* Table, descriptor, index and level at which the C's walk to [level] ends. *)
Definition walk_end (a : state) (v x level : Z) : Z * Z * Z * Z :=
  let e1 := slot_at a v 1 (x / 262144) in
  let e2 := slot_at a v 2 (x / 512) in
  let end1 := (root (vm_at a v), enc e1, x / 262144, 1) in
  if level =? 1 then end1 else
  match e1 with
  | ToTable t2 =>
      let end2 := (t2, enc e2, x / 512 mod 512, 2) in
      if level =? 2 then end2 else
      match e2 with ToTable t3 => (t3, enc (slot_at a v 3 x), x mod 512, 3) | _ => end2 end
  | _ => end1
  end.

Lemma enc_table : forall a v l k, wf a -> l < 3 ->
  (enc (slot_at a v l k) mod 4 =? 3) = match slot_at a v l k with ToTable _ => true | _ => false end.
Proof.
  intros a v l k W L. destruct (slot_at a v l k) as [| |p|p|p|p] eqn:E; auto.
  - norm. rewrite mod4_of_desc. reflexivity.
  - norm. rewrite mod4_of_desc. reflexivity.
  - destruct (wf_page _ W _ _ _ _ E). lia.
  - destruct (wf_shared _ W _ _ _ _ E). lia.
Qed.

Lemma enc_frame : forall a v l k p, wf a -> slot_at a v l k = ToTable p -> frame (enc (ToTable p)) = p.
Proof.
  intros a v l k p W E. destruct (wf_tab _ W _ _ _ _ E) as (_ & R & _). apply (ram_small _ W) in R.
  destruct (enc_facts (ToTable p) p) as (_ & F & _); auto. lia.
Qed.

Lemma wp_shr : forall x c (Q : Z -> mach globals Machine.hw -> Prop) s, 0 <= c < 64 -> Q (x / 2 ^ c) s ->
  wp (lift (binary Shr U64 x c)) Q s.
Proof.
  intros x c Q s C H. unfold binary. cbn [width signed andb].
  replace ((c <? 0) || (64 <=? c))%bool with false by lia. unfold lift. apply wp_ret.
  now rewrite Z.shiftr_div_pow2 by lia.
Qed.

Section Walk.
Variables (h0 : Machine.hw) (a : state) (A B : aset) (m : Z -> Z) (V : Z -> Z -> Prop) (gl : globals).
Hypothesis WF : wf a.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis TH : tables_hold a m.
Hypothesis PR : forall p v l k, in_ram a p = true -> own a p = Table v l k -> ~ touch B p.

(* Reading entry [i] of the table at level [l], key [k]. *)
Lemma read_entry : forall h p v l k i (Q : Z -> mach globals Machine.hw -> Prop), world h0 A B m V h ->
  in_ram a p = true -> own a p = Table v l k -> 0 <= i < 512 ->
  (forall h', world h0 A B m V h' -> Q (enc (slot_at a v l (k * 512 + i))) (Mach gl h')) ->
  wp (page_read p i) Q (Mach gl h).
Proof.
  intros h p v l k i Q W P O I H. eapply wp_page_read; eauto; [unfold is_word; lia|].
  intros h' W'. rewrite (t_vm _ _ TH _ _ _ _ _ P O) by (unfold is_word; lia). auto.
Qed.

Lemma s2_walk_wp : forall h v x level (Q : Z * Z * Z * Z -> mach globals Machine.hw -> Prop), world h0 A B m V h ->
  0 <= v < NIE_MAX_VMS -> vm_state (vm_at a v) <> NIE_VM_FREE -> at1 vms_root gl v = root (vm_at a v) ->
  0 <= x < 2 ^ 27 -> 1 <= level <= 3 ->
  (forall h', world h0 A B m V h' -> Q (walk_end a v x level) (Mach gl h')) ->
  wp (s2_walk v x level) Q (Mach gl h).
Proof.
  intros h v x level Q W Hv Hs Hr Hx Hl H. destruct (wf_root _ WF v Hv Hs) as [R1 O1].
  unfold s2_walk. skip. w_load. rewrite Hr. skip.
  unfold loop_ret. change (Z.to_nat (LEVEL_PAGE + 1 - LEVEL_ROOT)) with 3%nat. cbn [rounds].
  unfold LEVEL_ROOT, LEVEL_PAGE. change (1 + 1) with 2. change (2 + 1) with 3.
  skip. apply wp_shr; [now vm_compute|]. skip.
  change (2 ^ wrap U32 (9 * wrap U32 (3 - 1))) with 262144.
  rewrite (wrap32 (x / 262144)), land_511, (Z.mod_small (x / 262144)) by lia.
  eapply read_entry; eauto; [lia|]. intros h1 W1. cbn beta.
  change (0 * 512 + x / 262144) with (x / 262144).
  unfold walk_end in H. destruct (Z.eqb_spec level 1) as [->|L1].
  { cbn [Z.eqb Pos.eqb]. go. auto. }
  replace (1 =? level) with false by lia. skip. w_known desc_is_table_run. skip.
  rewrite enc_table by (auto; lia).
  destruct (slot_at a v 1 (x / 262144)) as [| |t2|t2|t2|t2] eqn:E1; cbn [b2z]; change (1 =? 0) with false; change (0 =? 0) with true; cbn iota;
    try (go; auto; fail).
  skip. w_known desc_page_run. rewrite (enc_frame _ _ _ _ _ WF E1).
  destruct (wf_tab _ WF _ _ _ _ E1) as (_ & R2 & O2). change (1 + 1) with 2 in O2.
  skip. apply wp_shr; [now vm_compute|]. skip.
  change (2 ^ wrap U32 (9 * wrap U32 (3 - 2))) with 512.
  rewrite (wrap32 (x / 512)), land_511 by lia.
  eapply read_entry; eauto; [lia|]. intros h2 W2. cbn beta.
  replace (x / 262144 * 512 + x / 512 mod 512) with (x / 512) by lia.
  destruct (Z.eqb_spec level 2) as [->|L2].
  { cbn [Z.eqb Pos.eqb]. go. auto. }
  replace (2 =? level) with false by lia. skip. w_known desc_is_table_run. skip.
  rewrite enc_table by (auto; lia).
  destruct (slot_at a v 2 (x / 512)) as [| |t3|t3|t3|t3] eqn:E2; cbn [b2z]; change (1 =? 0) with false; change (0 =? 0) with true; cbn iota;
    try (go; auto; fail).
  skip. w_known desc_page_run. rewrite (enc_frame _ _ _ _ _ WF E2).
  destruct (wf_tab _ WF _ _ _ _ E2) as (_ & R3 & O3). change (2 + 1) with 3 in O3.
  skip. apply wp_shr; [now vm_compute|]. skip.
  change (2 ^ wrap U32 (9 * wrap U32 (3 - 3))) with 1. rewrite Z.div_1_r.
  rewrite (wrap32 x), land_511 by lia.
  eapply read_entry; eauto; [lia|]. intros h3 W3. cbn beta.
  replace (x / 512 * 512 + x mod 512) with x by lia.
  replace (3 =? level) with true by lia. go. auto.
Qed.
End Walk.
