(* SPDX-License-Identifier: Apache-2.0 *)
(* VCPU_CREATE keeps well-formedness. On the way: the engine keeps the context's page, then the vCPU is there. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Donation.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Hidden Linked Adding trap_steps.
From nie.proof.invariant Require Counting.
Import RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Section Create.
Variables (a : state) (vm u p q : Z).           (* the pages: context p, run record q *)
Hypothesis W : wf a.
Hypothesis O : onto a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS.
Hypothesis B : vm_state (vm_at a vm) = NIE_VM_BUILDING.
Hypothesis U : 0 <= u < NIE_MAX_VCPUS /\ u < vcpu_count (vm_at a vm).
Hypothesis NONE : vcpu_state (vcpu_at a vm u) = VCPU_NONE.
Hypothesis PQ : p <> q.
Hypothesis HP : in_ram a p = true /\ own a p = Host.
Hypothesis HQ : in_ram a q = true /\ own a q = Host.

Notation k := (Adding.kept p 1 a).
(* Both pages have changed hands, the records have not changed yet. *)
Definition handed : state := hand_over vm q 1 (fun _ => Run vm u) (Donation.donate vm p 1 (fun _ => Vcpu vm u) a).
Definition record : vcpu := no_vcpu <| context_page := p |> <| run_page := q |> <| vcpu_state := if u =? 0 then VCPU_READY else VCPU_OFF |>.
(* The vCPU is there; its context holds [w]. *)
Definition born (w : Map.t Z) : state := let b := set_saved vm u w (set_vcpu vm u record handed) in
  set_vm vm (vm_at b vm <| created ::= fun n => n + 1 |>) b.

Lemma kept_is_hidden : hidden a p 1 k.
Proof.
  apply kept_is; auto; [lia|]. intros i I. replace (p + i) with p by lia. exact HP.
Qed.
Lemma kept_is_wf : wf k.
Proof. exact (hidden_wf kept_is_hidden). Qed.
Lemma kept_is_onto : onto k.
Proof. exact (hidden_onto kept_is_hidden O). Qed.

Section With.
Variables (w : Map.t Z).
Notation b := (born w).

Lemma born_own : forall x, own b x = if x =? q then Run vm u else if x =? p then Vcpu vm u else own k x.
Proof.
  intro x. transitivity (Map.get (Map.set (Map.set (owners a) (p + 0) (Vcpu vm u)) (q + 0) (Run vm u)) x); [reflexivity|].
  rewrite !Z.add_0_r, !Map.get_set. destruct (x =? q); auto. destruct (Z.eqb_spec x p) as [->|N]; auto.
  symmetry. apply (h_own kept_is_hidden). unfold given. lia.
Qed.
Lemma born_keeps : forall x o, own k x = o -> o <> Host -> o <> Engine -> own b x = o.
Proof.
  intros x o E H1 H2. rewrite born_own.
  destruct (Z.eqb_spec x q) as [->|]; [|destruct (Z.eqb_spec x p) as [->|]]; auto; exfalso.
  - rewrite (h_own kept_is_hidden) in E by (unfold given; lia). destruct HQ. congruence.
  - rewrite (h_kept kept_is_hidden) in E by (unfold given; lia). congruence.
Qed.
Lemma born_was : forall x o, own b x = o -> o <> Vcpu vm u -> o <> Run vm u -> own k x = o.
Proof. intros x o E H1 H2. rewrite born_own in E. destruct (x =? q); [congruence|]. destruct (x =? p); [congruence|auto]. Qed.
Lemma born_vm : forall v, vm_at b v = if v =? vm then vm_at handed vm <| created ::= fun n => n + 1 |> else vm_at a v.
Proof.
  intro v. transitivity (if v =? vm then vm_at handed vm <| created ::= fun n => n + 1 |> else vm_at handed v); [exact (Map.get_set _ (vms handed) vm _ v)|].
  destruct (Z.eqb_spec v vm) as [|N]; auto. assert (E : exists r r', vms handed = Map.set (Map.set (vms a) vm r) vm r') by (do 2 eexists; reflexivity).
  destruct E as (r & r' & E). unfold vm_at. rewrite E. now rewrite !get_set_other by auto.
Qed.
Lemma handed_vm : rest_of (vm_at handed vm) = rest_of (vm_at a vm).
Proof.
  assert (F : vm_state (vm_at a vm) <> NIE_VM_FREE) by (rewrite B; discriminate).
  pose proof (hand_over_records a vm p 1 (fun _ => Vcpu vm u) ltac:(lia) F) as S. set (c := Donation.donate vm p 1 (fun _ => Vcpu vm u) a).
  assert (Sc : rest_of (vm_at c vm) = rest_of (vm_at a vm)) by exact (s_vm S vm).
  assert (Fc : vm_state (vm_at c vm) <> NIE_VM_FREE) by (destruct (same_root _ _ S vm) as [_ E]; change (vm_state (vm_at c vm) = vm_state (vm_at a vm)) in E; now rewrite E).
  pose proof (hand_over_records c vm q 1 (fun _ => Run vm u) ltac:(lia) Fc) as S'. change handed with (hand_over vm q 1 (fun _ => Run vm u) c). now rewrite <- Sc, <- (s_vm S' vm).
Qed.
Lemma born_fields : forall v, vm_state (vm_at b v) = vm_state (vm_at a v) /\ root (vm_at b v) = root (vm_at a v) /\
  ram_base (vm_at b v) = ram_base (vm_at a v) /\ ram_pages (vm_at b v) = ram_pages (vm_at a v) /\ vcpu_count (vm_at b v) = vcpu_count (vm_at a v) /\
  running (vm_at b v) = running (vm_at a v) /\ sealed (vm_at b v) = sealed (vm_at a v) /\ created (vm_at b v) = created (vm_at a v) + (if v =? vm then 1 else 0).
Proof.
  intro v. rewrite born_vm. destruct (Z.eqb_spec v vm) as [->|N]; [|repeat split; lia].
  pose proof handed_vm as E. destruct (vm_at handed vm), (vm_at a vm). injection E; intros; subst. cbn. auto 10.
Qed.
Lemma born_vcpu : forall v i, 0 <= i < NIE_MAX_VCPUS -> vcpu_at b v i = if (v =? vm) && (i =? u) then record else vcpu_at a v i.
Proof. intros v i I. transitivity (vcpu_at (set_vcpu vm u record a) v i); [reflexivity|]. apply vcpu_at_put; [apply U|exact I]. Qed.
Lemma born_saved : forall v i j, saved_at b v i j = if v * NIE_MAX_VCPUS + i =? vm * NIE_MAX_VCPUS + u then Map.get w j else saved_at a v i j.
Proof.
  intros v i j. transitivity (Map.get (Map.get (Map.set (saved a) (vm * NIE_MAX_VCPUS + u) w) (v * NIE_MAX_VCPUS + i)) j); [reflexivity|].
  rewrite Map.get_set. now destruct (_ =? _).
Qed.
Lemma born_ram : forall x, in_ram b x = in_ram k x.
Proof. reflexivity. Qed.
Lemma born_access : forall x, host_may_access b x = host_may_access k x.
Proof.
  intro x. unfold host_may_access. rewrite born_ram, born_own. change (cfg b) with (cfg k).
  destruct (Z.eqb_spec x q) as [->|]; [|destruct (Z.eqb_spec x p) as [->|]]; auto.
  - rewrite (h_own kept_is_hidden) by (unfold given; lia). now destruct HQ as [_ ->].
  - rewrite (h_kept kept_is_hidden) by (unfold given; lia). reflexivity.
Qed.

(* What the hardware may find is what it might before: the run record stays where the host has it. *)
Lemma born_henc : forall l x, henc b l x = henc k l x.
Proof. intros l x. unfold henc. rewrite born_access. reflexivity. Qed.
Lemma born_Aset : forall v l x d, Aset b v l x d <-> Aset k v l x d.
Proof.
  intros v l x d. unfold Aset. rewrite born_henc. change (cfg b) with (cfg k).
  split; (intros [H|(i & E & I & H)]; [now left|right]); exists i; (split; [exact E|split; [exact I|]]); revert H;
    destruct (born_fields i) as (-> & -> & _); exact (fun H => H).
Qed.

Lemma record_state : vcpu_state record <> VCPU_NONE /\ VCPU_NONE < vcpu_state record < VCPU_RUNNING.
Proof. unfold record. cbn [vcpu_state set]. cbn. unfold VCPU_NONE, VCPU_READY, VCPU_OFF, VCPU_RUNNING. destruct (u =? 0); lia. Qed.

Lemma born_vms : wf_vms b.
Proof.
  pose proof (wf_v _ W) as WV. assert (HM : forall v f, how_many b v f = how_many (set_vcpu vm u record a) v f) by reflexivity.
  constructor; intros v; destruct (born_fields v) as (E1 & _ & E2 & E3 & E4 & E5 & E6 & E7); rewrite ?E1, ?E2, ?E3, ?E4, ?E5, ?E6, ?E7; clear E1 E2 E3 E4 E5 E6 E7.
  - intros V' F. destruct (v_free _ WV v V' F) as [E L]. split; [|exact L]. rewrite born_vm.
    destruct (Z.eqb_spec v vm) as [->|]; auto. rewrite B in F. discriminate.
  - apply (v_used _ WV).
  - apply (v_sealed _ WV).
  - intro V'. rewrite HM, many_put, <- (v_running _ WV) by (auto; apply U). destruct record_state as (_ & S).
    unfold is_running. rewrite NONE. replace (vcpu_state record =? VCPU_RUNNING) with false by lia. change (VCPU_NONE =? VCPU_RUNNING) with false.
    destruct (v =? vm); cbn [ind]; lia.
  - intro V'. rewrite HM, many_put, <- (v_created _ WV) by (auto; apply U). destruct record_state as (_ & S).
    unfold is_created. rewrite NONE. replace (vcpu_state record =? VCPU_NONE) with false by lia. change (VCPU_NONE =? VCPU_NONE) with true.
    destruct (v =? vm); cbn [ind negb]; lia.
  - intros c V' C. exact (v_last _ WV v c V' C).
Qed.

Lemma born_vcpus : wf_vcpus b.
Proof.
  destruct (wf_u _ W) as [UN SO RN RS]. destruct record_state as (S1 & S2 & S3). constructor.
  - intros v i V' I. rewrite born_vcpu by auto. destruct ((v =? vm) && (i =? u)); auto. now intros ?.
  - intros v i V' I. rewrite born_vcpu by auto. destruct (born_fields v) as (-> & _ & _ & _ & -> & _). destruct ((v =? vm) && (i =? u)) eqn:E.
    + assert (v = vm /\ i = u) as [-> ->] by lia. intros _. rewrite B. split; [discriminate|]. split; [lia|]. split; [lia|].
      change (context_page record) with p. change (run_page record) with q. rewrite !born_own, !Z.eqb_refl.
      replace (p =? q) with false by lia. destruct HP, HQ. auto.
    + intro H. destruct (SO v i V' I H) as (H1 & H2 & H3 & H4 & H5 & H6 & H7). repeat (split; auto; try lia).
      * apply born_keeps; try discriminate. rewrite <- H5. apply (h_own kept_is_hidden). unfold given. intro G.
        replace (context_page (vcpu_at a v i)) with p in H5 by lia. destruct HP. congruence.
      * apply born_keeps; try discriminate. rewrite <- H7. apply (h_own kept_is_hidden). unfold given. intro G.
        replace (run_page (vcpu_at a v i)) with p in H7 by lia. destruct HP. congruence.
  - intros v i V' I. rewrite born_vcpu by auto. destruct ((v =? vm) && (i =? u)) eqn:E; [intro; lia|]. exact (RN v i V' I).
  - intros c C H. destruct (RS c C H) as (H1 & H2 & H3 & H4). change (cpu_at b c) with (cpu_at a c). cbn zeta.
    rewrite born_vcpu by auto. destruct ((cpu_vm (cpu_at a c) =? vm) && (cpu_vcpu (cpu_at a c) =? u)) eqn:E; auto.
    exfalso. assert (cpu_vm (cpu_at a c) = vm /\ cpu_vcpu (cpu_at a c) = u) as [E1 E2] by lia. rewrite E1, E2, NONE in H3. discriminate.
Qed.

Lemma born_wf : wf b.
Proof.
  pose proof kept_is_wf as WK. constructor.
  - destruct (wf_c _ W). now constructor.
  - intros x X. rewrite born_own. change (cfg b) with (cfg a) in X. pose proof (wf_engine _ W x X) as E. destruct HP as [_ EP], HQ as [_ EQ].
    destruct (Z.eqb_spec x q) as [->|]; [congruence|]. destruct (Z.eqb_spec x p) as [->|]; [congruence|].
    rewrite (h_own kept_is_hidden); auto. unfold given. lia.
  - exact (wf_mode _ WK).
  - intros g j H J. rewrite born_access. exact (wf_block _ WK g j H J).
  - intros x R H. change (mode_at b (x / 512)) with (mode_at k (x / 512)). destruct (Z.eq_dec x p) as [->|N].
    + rewrite (h_mode kept_is_hidden), Z.eqb_refl. discriminate.
    + apply (wf_mapped _ WK); auto. intro E. rewrite born_own in H. replace (x =? p) with false in H by lia. destruct (Z.eqb_spec x q) as [->|]; [|contradiction].
      rewrite (h_own kept_is_hidden) in E by (unfold given; lia). destruct HQ. congruence.
  - intros v l x y H. destruct (wf_tab _ WK _ _ _ _ H) as (L & R & E). repeat split; auto. apply born_keeps; auto; discriminate.
  - intros v l x y H. destruct (wf_blk _ WK _ _ _ _ H) as (L & M & E). repeat split; auto; [now apply E|]. apply born_keeps; try discriminate. now apply E.
  - intros v l x y H. destruct (wf_page _ WK _ _ _ _ H) as (L & R & E). repeat split; auto. apply born_keeps; auto; discriminate.
  - intros v l x y H. destruct (wf_shared _ WK _ _ _ _ H) as (L & R & E & ?). repeat split; auto. apply born_keeps; auto; discriminate.
  - intros v l x H. destruct (wf_slot _ WK v l x H) as (H1 & H2 & H3). split; [auto|]. destruct (born_fields v) as (-> & _). auto.
  - intros v V'. destruct (born_fields v) as (-> & -> & _). intro F. destruct (wf_root _ WK v V' F) as [R E]. split; auto. apply born_keeps; auto; discriminate.
  - exact born_vms.
  - exact born_vcpus.
Qed.

Lemma one_page : forall c x o, in_ram c x = true -> own c x = Host -> wf_cfg c -> Counting.counted c -> (forall w', Counting.names o w' = (vm =? w')) ->
  Counting.counted (hand_over vm x 1 (fun _ => o) c).
Proof.
  intros c x o R E WC N NA.
  assert (OW : forall y, own (hand_over vm x 1 (fun _ => o) c) y = if y =? x then o else own c y).
  { intro y. transitivity (Map.get (Map.set (owners c) (x + 0) o) y); [reflexivity|]. rewrite Z.add_0_r. exact (Map.get_set _ (owners c) x o y). }
  apply Counting.counted_donate with c x 1 vm; auto; try lia.
  - intros i I. replace (x + i) with x by lia. auto.
  - intros i w' I. rewrite OW. replace (x + i =? x) with true by lia. apply NA.
  - intros y Y. rewrite OW. now replace (y =? x) with false by lia.
  - intro w'. transitivity (granules (if w' =? vm then vm_at c vm <| granules ::= fun g => (g + 1) mod 2 ^ 64 |> else vm_at c w'));
      [f_equal; exact (Map.get_set _ (vms c) vm _ w')|]. now destruct (w' =? vm).
Qed.
Lemma born_counted : Counting.counted a -> Counting.counted b.
Proof.
  intro N. set (d := Donation.donate vm p 1 (fun _ => Vcpu vm u) a).
  assert (Nd : Counting.counted d).
  { apply Counting.counted_same with (hand_over vm p 1 (fun _ => Vcpu vm u) a); auto. destruct HP. apply one_page; auto. apply W. }
  assert (Nh : Counting.counted handed).
  { apply one_page; auto; [apply HQ| |destruct (wf_c _ W); now constructor].
    transitivity (Map.get (Map.set (owners a) (p + 0) (Vcpu vm u)) q); [reflexivity|]. rewrite get_set_other by lia. apply HQ. }
  apply Counting.counted_same with handed; auto. intro v. rewrite born_vm. destruct (Z.eqb_spec v vm) as [->|D]; [reflexivity|].
  assert (E : exists r r', vms handed = Map.set (Map.set (vms a) vm r) vm r') by (do 2 eexists; reflexivity).
  destruct E as (r & r' & E). unfold vm_at. rewrite E. now rewrite !get_set_other by auto.
Qed.

Lemma born_onto : onto b.
Proof.
  pose proof kept_is_onto as OK. destruct record_state as (S1 & _). constructor; intros x v.
  - intros y R H. apply (on_data _ OK); auto. apply born_was; auto; discriminate.
  - intros y R H. apply (on_shared _ OK); auto. apply born_was; auto; discriminate.
  - intros l y R H. destruct (born_fields v) as (_ & -> & _). apply (on_table _ OK); auto. apply born_was; auto; discriminate.
  - intros i R H. destruct (Z.eqb_spec x p) as [->|N].
    + rewrite born_own, Z.eqb_refl in H. replace (p =? q) with false in H by lia. injection H as <- <-.
      rewrite born_vcpu, !Z.eqb_refl by apply U. repeat split; auto; try lia; apply U.
    + rewrite born_own in H. replace (x =? p) with false in H by lia. destruct (x =? q); [discriminate|].
      destruct (on_vcpu _ OK _ _ _ R H) as (H1 & H2 & H3 & H4). change (vcpu_at k) with (vcpu_at a) in *. rewrite born_vcpu by auto.
      destruct ((v =? vm) && (i =? u)) eqn:E; auto. exfalso. assert (v = vm /\ i = u) as [-> ->] by lia. auto.
  - intros i R H. rewrite born_own in H. destruct (Z.eqb_spec x q) as [->|N].
    + injection H as <- <-. rewrite born_vcpu, !Z.eqb_refl by apply U. repeat split; auto; try lia; apply U.
    + destruct (x =? p); [discriminate|]. destruct (on_run _ OK _ _ _ R H) as (H1 & H2 & H3 & H4). change (vcpu_at k) with (vcpu_at a) in *.
      rewrite born_vcpu by auto. destruct ((v =? vm) && (i =? u)) eqn:E; auto. exfalso. assert (v = vm /\ i = u) as [-> ->] by lia. auto.
Qed.

(* Only the context's page differs, and it holds [w]. *)
Lemma born_tables : forall m m', tables_hold k m -> (forall x j, is_word j = true -> x <> p -> m' (x * 512 + j) = m (x * 512 + j)) ->
  (forall j, is_word j = true -> m' (p * 512 + j) = Map.get w j) -> tables_hold b m'.
Proof.
  intros m m' T E EP. pose proof kept_is_wf as WK. destruct HP as [RP EH].
  assert (NE : forall x, in_ram k x = true /\ own a x = Engine -> x <> p) by (intros x [_ X] ->; congruence).
  pose proof (gibs_small _ W) as G. pose proof (c_dev _ (wf_c _ W)) as D. pose proof (c_ram _ (wf_c _ W)) as RM.
  assert (LOW : forall j, 0 <= j <= gib_count a -> host_tables (cfg a) + j <> p).
  { intros j J. apply NE. apply (tables_in_ram a W). unfold level3_first. lia. }
  constructor.
  - intros x v l y j R H J. apply born_was in H; try discriminate. rewrite E; auto; [exact (t_vm _ _ T x v l y j R H J)|].
    intros ->. rewrite (h_kept kept_is_hidden) in H by (unfold given; lia). discriminate.
  - intros j J. rewrite born_henc. rewrite E; auto; [exact (t_1 _ _ T j J)|]. rewrite <- (Z.add_0_r (host_tables _)). apply LOW. lia.
  - intros x j X J. rewrite born_henc. change (gib_count b) with (gib_count a) in X. rewrite E; auto; [exact (t_2 _ _ T x j X J)|].
    change (cfg b) with (cfg a). rewrite <- Z.add_assoc. apply LOW. lia.
  - intros g j Gm J. rewrite born_henc. rewrite E; auto; [exact (t_3 _ _ T g j Gm J)|]. apply NE.
    pose proof (level3_range a W g Gm). apply (tables_in_ram a W). change (level3 b g) with (level3 a g). unfold level3_first in *. lia.
  - intros x v i j R H J. rewrite born_saved. rewrite born_own in H. destruct (Z.eqb_spec x q) as [|_]; [discriminate|]. destruct (Z.eqb_spec x p) as [->|N].
    + injection H as <- <-. rewrite Z.eqb_refl. auto.
    + rewrite E by auto. destruct (on_vcpu _ kept_is_onto _ _ _ R H) as (H1 & H2 & H3 & H4). change (vcpu_at k) with (vcpu_at a) in *.
      destruct (Z.eqb_spec (v * NIE_MAX_VCPUS + i) (vm * NIE_MAX_VCPUS + u)) as [F|F]; [|exact (t_saved _ _ T x v i j R H J)].
      exfalso. assert (v = vm /\ i = u) as [-> ->] by (unfold NIE_MAX_VCPUS in *; lia). auto.
Qed.
End With.
End Create.
