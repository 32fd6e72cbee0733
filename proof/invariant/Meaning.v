(* SPDX-License-Identifier: Apache-2.0 *)
(* How spec/State.v lies in memory, what its well-formedness is, and that a machine whose tables agree with a
   well-formed state is safe. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.lib Require Import World.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** Encodings. *)

Definition enc (s : slot) : Z :=
  match s with
  | Empty => DESC_EMPTY
  | Spent => DESC_SPENT
  | ToTable p => p * 4096 + DESC_TABLE
  | ToBlock p => p * 4096 + (DESC_NORMAL + DESC_BLOCK)
  | ToPage p => p * 4096 + (DESC_NORMAL + DESC_PAGE)
  | ToShared p => p * 4096 + (DESC_NORMAL + DESC_PAGE + DESC_XN)
  end.

Definition gib_count (a : state) : Z := (ram_first (cfg a) + ram_count (cfg a) + 262143) / 262144.
Definition level3_first (a : state) : Z := host_tables (cfg a) + 1 + gib_count a.
Definition managed (a : state) (g : Z) : Prop :=
  0 <= g /\ (in_ram a (g * 512) = true \/ dev_first (cfg a) <= g * 512 < dev_first (cfg a) + dev_count (cfg a)).
Definition level3 (a : state) (g : Z) : Z :=
  if in_ram a (g * 512) then level3_first a + dev_count (cfg a) / 512 + (g * 512 - ram_first (cfg a)) / 512
  else level3_first a + (g * 512 - dev_first (cfg a)) / 512.
Definition attributes (a : state) (p : Z) : Z := if in_ram a p then DESC_NORMAL else DESC_DEVICE.
Definition mode_at (a : state) (g : Z) : mode := Map.get (modes a) g.

Definition henc (a : state) (l k : Z) : Z :=
  if l =? 1 then if (0 <=? k) && (k <? gib_count a) then (host_tables (cfg a) + 1 + k) * 4096 + DESC_TABLE else 0
  else if l =? 2 then
    match mode_at a k with
    | Unmapped => 0
    | Split => level3 a k * 4096 + DESC_TABLE
    | Block => k * 512 * 4096 + (attributes a (k * 512) + DESC_BLOCK)
    end
  else if l =? 3 then if host_may_access a k then k * 4096 + (attributes a k + DESC_PAGE) else 0
  else 0.

(* Every entry that the map allows. *)
Definition Aset (a : state) : aset := fun v l k d =>
  (v = 0 /\ ((l = 0 /\ k = 0 /\ d = host_tables (cfg a) * 4096) \/ (1 <= l /\ d = henc a l k /\ valid d = true))) \/
  (exists i, v = i + 1 /\ 0 <= i < NIE_MAX_VMS /\
     ((l = 0 /\ k = 0 /\ d = root (vm_at a i) * 4096 /\ vm_state (vm_at a i) <> NIE_VM_FREE) \/
      (1 <= l /\ d = enc (slot_at a i l k) /\ valid d = true))).

(* The tables in memory are the map, entry for entry, and the contexts what was saved. *)
Record tables_hold (a : state) (m : Z -> Z) : Prop := {
  t_vm : forall p v l k i, in_ram a p = true -> own a p = Table v l k -> is_word i = true ->
      m (p * 512 + i) = enc (slot_at a v l (k * 512 + i));
  t_1 : forall i, is_word i = true -> m (host_tables (cfg a) * 512 + i) = henc a 1 i;
  t_2 : forall j i, 0 <= j < gib_count a -> is_word i = true ->
      m ((host_tables (cfg a) + 1 + j) * 512 + i) = henc a 2 (j * 512 + i);
  t_3 : forall g i, managed a g -> is_word i = true -> m (level3 a g * 512 + i) = henc a 3 (g * 512 + i);
  t_saved : forall p v i j, in_ram a p = true -> own a p = Vcpu v i -> is_word j = true -> m (p * 512 + j) = saved_at a v i j;
}.

(** Well-formedness. [wf]: what the map and the records name is owned so. [onto]: what is owned so is named. *)

(* Of the vCPUs of a VM, how many are as [f] says. *)
Definition how_many (a : state) (v : Z) (f : vcpu -> bool) : Z :=
  Z.of_nat (length (filter (fun i => f (vcpu_at a v (Z.of_nat i))) (seq 0 (Z.to_nat NIE_MAX_VCPUS)))).
Definition is_running (r : vcpu) : bool := vcpu_state r =? VCPU_RUNNING.
Definition is_created (r : vcpu) : bool := negb (vcpu_state r =? VCPU_NONE).

Record wf_vms (a : state) : Prop := {
  v_free : forall v, 0 <= v < NIE_MAX_VMS -> vm_state (vm_at a v) = NIE_VM_FREE ->
      vm_at a v = no_vm /\ forall c, 0 <= c < NIE_MAX_CPUS -> last_at a v c = 0;
  v_used : forall v, 0 <= v < NIE_MAX_VMS -> vm_state (vm_at a v) <> NIE_VM_FREE ->
      NIE_VM_FREE < vm_state (vm_at a v) <= NIE_VM_STOPPED /\ 1 <= vcpu_count (vm_at a v) <= NIE_MAX_VCPUS /\
      1 <= ram_base (vm_at a v) < 2 ^ 26 /\ 1 <= ram_pages (vm_at a v) <= 2 ^ 26 - ram_base (vm_at a v);
  v_sealed : forall v, 0 <= v < NIE_MAX_VMS ->
      (vm_state (vm_at a v) = NIE_VM_BUILDING -> sealed (vm_at a v) = false) /\
      (vm_state (vm_at a v) = NIE_VM_ACTIVE -> sealed (vm_at a v) = true);
  v_running : forall v, 0 <= v < NIE_MAX_VMS -> running (vm_at a v) = how_many a v is_running;
  v_created : forall v, 0 <= v < NIE_MAX_VMS -> created (vm_at a v) = how_many a v is_created;
  v_last : forall v c, 0 <= v < NIE_MAX_VMS -> 0 <= c < NIE_MAX_CPUS -> 0 <= last_at a v c <= NIE_MAX_VCPUS;
}.

(* Of vCPUs that are, and that are not. *)
Record wf_vcpus (a : state) : Prop := {
  u_none : forall v i, 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS -> vcpu_state (vcpu_at a v i) = VCPU_NONE -> vcpu_at a v i = no_vcpu;
  u_some : forall v i, 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS -> vcpu_state (vcpu_at a v i) <> VCPU_NONE ->
      vm_state (vm_at a v) <> NIE_VM_FREE /\ i < vcpu_count (vm_at a v) /\ VCPU_NONE < vcpu_state (vcpu_at a v i) <= VCPU_RUNNING /\
      in_ram a (context_page (vcpu_at a v i)) = true /\ own a (context_page (vcpu_at a v i)) = Vcpu v i /\
      in_ram a (run_page (vcpu_at a v i)) = true /\ own a (run_page (vcpu_at a v i)) = Run v i;
  u_running : forall v i, 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS -> vcpu_state (vcpu_at a v i) = VCPU_RUNNING ->
      let c := vcpu_cpu (vcpu_at a v i) in 0 <= c < NIE_MAX_CPUS /\ cpu_vm (cpu_at a c) = v /\ cpu_vcpu (cpu_at a c) = i;
  u_runs : forall c, 0 <= c < NIE_MAX_CPUS -> cpu_vm (cpu_at a c) <> CPU_HOST ->
      let v := cpu_vm (cpu_at a c) in let i := cpu_vcpu (cpu_at a c) in
      0 <= v < NIE_MAX_VMS /\ 0 <= i < NIE_MAX_VCPUS /\ vcpu_state (vcpu_at a v i) = VCPU_RUNNING /\ vcpu_cpu (vcpu_at a v i) = c;
}.

Record wf_cfg (a : state) : Prop := {
  c_ram : 0 < ram_first (cfg a) /\ ram_first (cfg a) mod 512 = 0 /\ 0 < ram_count (cfg a) <= GRANULES_MAX /\
      ram_count (cfg a) mod 512 = 0 /\ ram_first (cfg a) + ram_count (cfg a) <= 2 ^ 27;
  c_dev : 0 <= dev_first (cfg a) /\ dev_first (cfg a) mod 512 = 0 /\ 0 <= dev_count (cfg a) /\
      dev_count (cfg a) mod 512 = 0 /\ dev_first (cfg a) + dev_count (cfg a) <= 2 ^ 18 /\
      (dev_first (cfg a) + dev_count (cfg a) <= ram_first (cfg a) \/
       ram_first (cfg a) + ram_count (cfg a) <= dev_first (cfg a));
  c_device : forall p, device (cfg a) p = true -> dev_first (cfg a) <= p < dev_first (cfg a) + dev_count (cfg a);
  c_engine : ram_first (cfg a) <= engine_first (cfg a) /\
      engine_first (cfg a) + engine_count (cfg a) <= ram_first (cfg a) + ram_count (cfg a);
  c_tables : engine_first (cfg a) <= host_tables (cfg a) /\
      level3_first a + dev_count (cfg a) / 512 + ram_count (cfg a) / 512 <= engine_first (cfg a) + engine_count (cfg a);
}.

Record wf (a : state) : Prop := {
  wf_c : wf_cfg a;
  wf_engine : forall p, engine_first (cfg a) <= p < engine_first (cfg a) + engine_count (cfg a) -> own a p = Engine;
  wf_mode : forall g, mode_at a g <> Unmapped -> managed a g;
  wf_block : forall g j, mode_at a g = Block -> is_word j = true -> host_may_access a (g * 512 + j) = true;
  wf_mapped : forall p, in_ram a p = true -> own a p <> Engine -> mode_at a (p / 512) <> Unmapped;
  wf_tab : forall v l k p, slot_at a v l k = ToTable p ->
      (l = 1 \/ l = 2) /\ in_ram a p = true /\ own a p = Table v (l + 1) k;
  wf_blk : forall v l k p, slot_at a v l k = ToBlock p ->
      l = 2 /\ p mod 512 = 0 /\ forall j, is_word j = true -> in_ram a (p + j) = true /\ own a (p + j) = Data v (k * 512 + j);
  wf_page : forall v l k p, slot_at a v l k = ToPage p -> l = 3 /\ in_ram a p = true /\ own a p = Data v k;
  wf_shared : forall v l k p, slot_at a v l k = ToShared p ->
      l = 3 /\ in_ram a p = true /\ own a p = Shared v k /\ 2 ^ 26 <= k;
  wf_slot : forall v l k, slot_at a v l k <> Empty -> 0 <= v < NIE_MAX_VMS /\ vm_state (vm_at a v) <> NIE_VM_FREE /\
      1 <= l <= 3 /\ 0 <= k /\ (l = 1 -> k < 512) /\ (1 < l -> exists p, slot_at a v (l - 1) (k / 512) = ToTable p);
  wf_root : forall v, 0 <= v < NIE_MAX_VMS -> vm_state (vm_at a v) <> NIE_VM_FREE ->
      in_ram a (root (vm_at a v)) = true /\ own a (root (vm_at a v)) = Table v 1 0;
  wf_v : wf_vms a;
  wf_u : wf_vcpus a;
}.

Record onto (a : state) : Prop := {
  on_data : forall p v k, in_ram a p = true -> own a p = Data v k ->
      slot_at a v 3 k = ToPage p \/ slot_at a v 2 (k / 512) = ToBlock (p - k mod 512);
  on_shared : forall p v k, in_ram a p = true -> own a p = Shared v k -> slot_at a v 3 k = ToShared p;
  on_table : forall p v l k, in_ram a p = true -> own a p = Table v l k ->
      (l = 1 /\ k = 0 /\ root (vm_at a v) = p) \/ slot_at a v (l - 1) k = ToTable p;
  on_vcpu : forall p v i, in_ram a p = true -> own a p = Vcpu v i ->
      0 <= v < NIE_MAX_VMS /\ 0 <= i < NIE_MAX_VCPUS /\ vcpu_state (vcpu_at a v i) <> VCPU_NONE /\ context_page (vcpu_at a v i) = p;
  on_run : forall p v i, in_ram a p = true -> own a p = Run v i ->
      0 <= v < NIE_MAX_VMS /\ 0 <= i < NIE_MAX_VCPUS /\ vcpu_state (vcpu_at a v i) <> VCPU_NONE /\ run_page (vcpu_at a v i) = p;
}.

(** Descriptors taken apart. Addresses are below 2^48: 36 bits of page number. *)

Ltac norm := cbn [enc] in *; unfold DESC_EMPTY, DESC_SPENT, DESC_TABLE, DESC_BLOCK, DESC_PAGE, DESC_NORMAL, DESC_XN,
  DESC_DEVICE, NIE_MAX_VMS, GRANULES_MAX in *.

Lemma frame_of_desc : forall p x y, 0 <= p < 2 ^ 36 -> 0 <= x < 4096 -> 0 <= y ->
  frame (p * 4096 + (x + y * 2 ^ 48)) = p.
Proof.
  intros. unfold frame. replace (p * 4096 + (x + y * 2 ^ 48)) with (x + (p + y * 2 ^ 36) * 4096) by lia.
  rewrite Z.div_add, Z.div_small, Z.add_0_l, Z.mod_add, Z.mod_small; lia.
Qed.

Lemma mod4_of_desc : forall p x, (p * 4096 + x) mod 4 = x mod 4.
Proof. intros. replace (p * 4096 + x) with (x + (p * 1024) * 4) by lia. apply Z.mod_add. lia. Qed.

Lemma valid_mod : forall d, valid d = (d mod 2 =? 1).
Proof. intro d. unfold valid. rewrite Zodd_mod. unfold Zeq_bool. rewrite Z.eqb_compare. reflexivity. Qed.

Lemma enc_facts : forall s p, 0 <= p < 2 ^ 36 ->
  match s with ToTable q | ToBlock q | ToPage q | ToShared q => q = p | _ => True end ->
  match s with
  | Empty | Spent => valid (enc s) = false
  | ToTable _ => valid (enc s) = true /\ frame (enc s) = p /\ enc s mod 4 = 3
  | ToBlock _ => valid (enc s) = true /\ frame (enc s) = p /\ enc s mod 4 = 1
  | ToPage _ | ToShared _ => valid (enc s) = true /\ frame (enc s) = p /\ enc s mod 4 = 3
  end.
Proof.
  intros s p R E. destruct s; norm; try reflexivity; subst.
  1: pose proof (frame_of_desc p 3 0 R) as F.
  2: pose proof (frame_of_desc p 2045 0 R) as F.
  3: pose proof (frame_of_desc p 2047 0 R) as F.
  4: pose proof (frame_of_desc p 2047 64 R) as F.
  all: (split; [rewrite valid_mod; apply Z.eqb_eq; lia|split; [etransitivity; [|apply F; lia]; f_equal; lia|lia]]).
Qed.

Lemma first_page_3 : forall d p, maps 3 d p -> p = frame d.
Proof. intros d p [_ H]. unfold first_page, covers in H. change (512 ^ (3 - 3)) with 1 in H. rewrite Z.div_1_r in H. lia. Qed.

Lemma first_page_2 : forall d p, maps 2 d p -> frame d mod 512 = 0 -> exists j, is_word j = true /\ p = frame d + j.
Proof.
  intros d p [_ H] E. unfold first_page, covers in H. change (512 ^ (3 - 2)) with 512 in H.
  exists (p - frame d). unfold is_word. lia.
Qed.

Lemma maps_level : forall l d p, maps l d p -> l = 1 \/ l = 2 \/ l = 3.
Proof. intros l d p [H _]. unfold is_leaf in H. lia. Qed.

Section Meaning.
Variable a : state.
Hypothesis W : wf a.

Lemma ram_small : forall p, in_ram a p = true -> 0 < p < 2 ^ 27.
Proof. intros p H. unfold in_ram in H. pose proof (c_ram _ (wf_c _ W)). lia. Qed.

Lemma tables_in_ram : forall p, host_tables (cfg a) <= p < level3_first a + dev_count (cfg a) / 512 + ram_count (cfg a) / 512 ->
  in_ram a p = true /\ own a p = Engine.
Proof.
  intros p H. pose proof (c_tables _ (wf_c _ W)). pose proof (c_engine _ (wf_c _ W)). split.
  - unfold in_ram. lia.
  - apply (wf_engine _ W). lia.
Qed.

Lemma gibs_small : 1 <= gib_count a <= 512.
Proof. unfold gib_count. pose proof (c_ram _ (wf_c _ W)). lia. Qed.

Lemma level3_range : forall g, managed a g ->
  level3_first a <= level3 a g < level3_first a + dev_count (cfg a) / 512 + ram_count (cfg a) / 512.
Proof.
  intros g [G M]. pose proof (c_ram _ (wf_c _ W)). pose proof (c_dev _ (wf_c _ W)). unfold level3.
  destruct (in_ram a (g * 512)) eqn:E; unfold in_ram in E; [|destruct M as [M|M]; [congruence|]]; lia.
Qed.

Lemma level3_inj : forall g g', managed a g -> managed a g' -> level3 a g = level3 a g' -> g = g'.
Proof.
  intros g g' [G M] [G' M'] H. pose proof (c_ram _ (wf_c _ W)). pose proof (c_dev _ (wf_c _ W)). unfold level3 in H.
  destruct (in_ram a (g * 512)) eqn:E, (in_ram a (g' * 512)) eqn:E'; unfold in_ram in E, E';
    destruct M as [M|M]; try congruence; destruct M' as [M'|M']; try congruence; lia.
Qed.

(* A leaf of the host is the page itself, and the host may access it. *)
Lemma host_maps : forall l k p, maps l (henc a l k) p -> valid (henc a l k) = true -> host_may_access a p = true.
Proof.
  intros l k p M V. destruct (maps_level _ _ _ M) as [-> | [-> | ->]]; unfold henc in *; cbn [Z.eqb Pos.eqb] in *.
  - destruct M as [M _]. unfold is_leaf in M. cbn in M.
    destruct ((0 <=? k) && (k <? gib_count a)); [|discriminate].
    rewrite mod4_of_desc in M. discriminate.
  - destruct (mode_at a k) eqn:E; [discriminate| |].
    + destruct M as [M _]. unfold is_leaf in M. cbn in M. rewrite mod4_of_desc in M. discriminate.
    + pose proof (wf_mode _ W k) as MG. rewrite E in MG. destruct MG as [G MG]; [discriminate|].
      assert (F : frame (k * 512 * 4096 + (attributes a (k * 512) + DESC_BLOCK)) = k * 512).
      { pose proof (c_ram _ (wf_c _ W)). pose proof (c_dev _ (wf_c _ W)). unfold attributes.
        destruct (in_ram a (k * 512)) eqn:R; norm.
        - apply ram_small in R. etransitivity; [|apply (frame_of_desc (k * 512) 2045 0); lia]. f_equal; lia.
        - destruct MG as [MG|MG]; [congruence|].
          etransitivity; [|apply (frame_of_desc (k * 512) 1221 64); lia]. f_equal; lia. }
      destruct (first_page_2 _ _ M) as (j & J & ->); rewrite F in *; [apply Z.mod_mul; lia|].
      now apply (wf_block _ W).
  - destruct (host_may_access a k) eqn:E; [|discriminate].
    apply first_page_3 in M. rewrite M. clear M V.
    replace (frame _) with k; auto. symmetry. unfold host_may_access in E. unfold attributes.
    pose proof (c_dev _ (wf_c _ W)).
    destruct (in_ram a k) eqn:R; norm.
    + apply ram_small in R. etransitivity; [|apply (frame_of_desc k 2047 0); lia]. f_equal; lia.
    + apply (c_device _ (wf_c _ W)) in E. etransitivity; [|apply (frame_of_desc k 1223 64); lia]. f_equal; lia.
Qed.

(* A leaf of a VM is a page that it owns. *)
Lemma vm_maps : forall v l k p, maps l (enc (slot_at a v l k)) p -> valid (enc (slot_at a v l k)) = true ->
  in_ram a p = true /\ ((exists x, own a p = Data v x) \/ (l = 3 /\ own a p = Shared v k /\ 2 ^ 26 <= k)).
Proof.
  intros v l k p M V. destruct (slot_at a v l k) as [| |q|q|q|q] eqn:E; try discriminate.
  - destruct (wf_tab _ W _ _ _ _ E) as (L & R & O). destruct M as [M _]. unfold is_leaf in M.
    destruct (enc_facts (ToTable q) q) as (_ & _ & F); auto; [apply ram_small in R; lia|]. rewrite F in M. lia.
  - destruct (wf_blk _ W _ _ _ _ E) as (-> & Q & B). destruct (B 0) as [R _]; [reflexivity|]. apply ram_small in R.
    destruct (enc_facts (ToBlock q) q) as (_ & F & _); auto; [lia|].
    destruct (first_page_2 _ _ M) as (j & J & ->); rewrite F in *; auto. destruct (B j J). eauto.
  - destruct (wf_page _ W _ _ _ _ E) as (-> & R & O). destruct (enc_facts (ToPage q) q) as (_ & F & _); auto; [apply ram_small in R; lia|].
    apply first_page_3 in M. rewrite F in M. subst. eauto.
  - destruct (wf_shared _ W _ _ _ _ E) as (-> & R & O & U). destruct (enc_facts (ToShared q) q) as (_ & F & _); auto; [apply ram_small in R; lia|].
    apply first_page_3 in M. rewrite F in M. subst. auto.
Qed.

Lemma Aset_maps : forall v l k d p, Aset a v l k d -> maps l d p ->
  (v = 0 /\ host_may_access a p = true) \/
  (exists i, v = i + 1 /\ 0 <= i /\ in_ram a p = true /\
     ((exists x, own a p = Data i x) \/ (l = 3 /\ own a p = Shared i k /\ 2 ^ 26 <= k))).
Proof.
  intros v l k d p [(-> & H)|(i & -> & I & H)] M.
  - left. split; auto. destruct H as [(-> & _ & _)|(L & -> & V)]; [apply maps_level in M; lia|]. eapply host_maps; eauto.
  - right. exists i. repeat split; try lia.
    all: destruct H as [(-> & _ & _)|(L & -> & V)]; [apply maps_level in M; lia|].
    all: destruct (vm_maps _ _ _ _ M V); auto.
Qed.

Lemma touch_owner : forall p, touch (Aset a) p ->
  host_may_access a p = true \/ (in_ram a p = true /\ exists v x, own a p = Data v x \/ own a p = Shared v x).
Proof.
  intros p (v & l & k & d & H & M). destruct (Aset_maps _ _ _ _ _ H M) as [(_ & E)|(i & _ & _ & R & [(x & E)|(_ & E & _)])]; eauto 6.
Qed.

Lemma untouched : forall p, in_ram a p = true ->
  match own a p with Engine | Table _ _ _ | Vcpu _ _ => True | _ => False end -> ~ touch (Aset a) p.
Proof.
  intros p R O T. destruct (touch_owner _ T) as [E|(_ & v & x & [E|E])].
  - unfold host_may_access in E. rewrite R in E. destruct (own a p); try discriminate; auto.
  - now rewrite E in O.
  - now rewrite E in O.
Qed.

(* Where a table-type entry points: a page that the engine keeps. *)
Lemma table_target : forall v l k d, Aset a v l k d -> is_table l d = true ->
  in_ram a (frame d) = true /\
  ((v = 0 /\ own a (frame d) = Engine) \/ (exists i, v = i + 1 /\ own a (frame d) = Table i (l + 1) k)).
Proof.
  assert (S0 : forall p, 0 <= p < 2 ^ 36 -> frame (p * 4096) = p).
  { intros p R. etransitivity; [|apply (frame_of_desc p 0 0); lia]. f_equal; lia. }
  assert (S3 : forall p, 0 <= p < 2 ^ 36 -> frame (p * 4096 + DESC_TABLE) = p).
  { intros p R. norm. etransitivity; [|apply (frame_of_desc p 3 0); lia]. f_equal; lia. }
  pose proof (c_dev _ (wf_c _ W)) as D. pose proof (c_ram _ (wf_c _ W)) as RM. pose proof gibs_small as G.
  intros v l k d [(-> & H)|(i & -> & I & H)] T.
  - destruct H as [(-> & -> & ->)|(L & -> & V)].
    + destruct (tables_in_ram (host_tables (cfg a))) as [R O]; [unfold level3_first; lia|].
      rewrite S0 by (apply ram_small in R; lia). auto.
    + unfold henc in *. destruct (Z.eqb_spec l 1); [|destruct (Z.eqb_spec l 2); [|destruct (Z.eqb_spec l 3)]]; subst.
      * destruct ((0 <=? k) && (k <? gib_count a)) eqn:K; [|discriminate].
        destruct (tables_in_ram (host_tables (cfg a) + 1 + k)) as [R O]; [unfold level3_first; lia|].
        rewrite S3 by (apply ram_small in R; lia). auto.
      * destruct (mode_at a k) eqn:E; [discriminate| |].
        -- pose proof (wf_mode _ W k) as MG. rewrite E in MG. specialize (MG ltac:(discriminate)).
           apply level3_range in MG.
           destruct (tables_in_ram (level3 a k)) as [R O]; [unfold level3_first in *; lia|].
           rewrite S3 by (apply ram_small in R; lia). auto.
        -- unfold is_table in T. cbn in T. rewrite mod4_of_desc in T. unfold attributes in T.
           destruct (in_ram a (k * 512)); discriminate.
      * unfold is_table in T. cbn in T. discriminate.
      * discriminate.
  - destruct H as [(-> & -> & -> & N)|(L & -> & V)].
    + destruct (wf_root _ W i I N) as [R O]. rewrite S0 by (apply ram_small in R; lia). eauto.
    + unfold is_table in T. destruct (slot_at a i l k) as [| |q|q|q|q] eqn:E; try discriminate.
      * destruct (wf_tab _ W _ _ _ _ E) as (_ & R & O).
        destruct (enc_facts (ToTable q) q) as (_ & F & _); auto; [apply ram_small in R; lia|]. rewrite F. eauto.
      * destruct (wf_blk _ W _ _ _ _ E) as (-> & Q & B). destruct (B 0) as [R _]; [reflexivity|]. rewrite Z.add_0_r in R. apply ram_small in R.
        destruct (enc_facts (ToBlock q) q) as (_ & _ & F); auto; [lia|]. rewrite F in T. discriminate.
      * destruct (wf_page _ W _ _ _ _ E) as (-> & _). discriminate.
      * destruct (wf_shared _ W _ _ _ _ E) as (-> & _). discriminate.
Qed.

(* Which entry of a VM leads from an IPA page to a page. *)
Lemma vm_leads : forall v l k x p, leads l k (enc (slot_at a v l k)) x p -> valid (enc (slot_at a v l k)) = true ->
  in_ram a p = true /\ ((slot_at a v 3 x = ToPage p /\ own a p = Data v x) \/ (l = 3 /\ k = x /\ slot_at a v 3 x = ToShared p /\ own a p = Shared v x /\ 2 ^ 26 <= x) \/
    (slot_at a v 2 (x / 512) = ToBlock (p - x mod 512) /\ own a p = Data v x)).
Proof.
  intros v l k x p (M & X & P) V. destruct (slot_at a v l k) as [| |q|q|q|q] eqn:E; try discriminate.
  - destruct (wf_tab _ W _ _ _ _ E) as (L & R & O). unfold is_leaf in M.
    destruct (enc_facts (ToTable q) q) as (_ & _ & F); auto; [apply ram_small in R; lia|]. rewrite F in M. lia.
  - destruct (wf_blk _ W _ _ _ _ E) as (-> & Q & B). destruct (B 0) as [R _]; [reflexivity|]. apply ram_small in R.
    destruct (enc_facts (ToBlock q) q) as (_ & F & _); auto; [lia|]. unfold first_page in P. rewrite F in P. change (covers 2) with 512 in *.
    assert (K : k = x / 512 /\ p = q + x mod 512) by lia. clear P. destruct K as [-> ->]. destruct (B (x mod 512)) as [R1 O1]; [unfold is_word; lia|].
    split; [exact R1|]. right. right. replace (q + x mod 512 - x mod 512) with q by lia. split; [exact E|]. rewrite O1. f_equal. lia.
  - destruct (wf_page _ W _ _ _ _ E) as (-> & R & O). destruct (enc_facts (ToPage q) q) as (_ & F & _); auto; [apply ram_small in R; lia|].
    unfold first_page in P. rewrite F in P. change (covers 3) with 1 in *. assert (K : k = x /\ p = q) by lia. destruct K as [-> ->]. auto.
  - destruct (wf_shared _ W _ _ _ _ E) as (-> & R & O & U). destruct (enc_facts (ToShared q) q) as (_ & F & _); auto; [apply ram_small in R; lia|].
    unfold first_page in P. rewrite F in P. change (covers 3) with 1 in *. assert (K : k = x /\ p = q) by lia. destruct K as [-> ->]. auto 8.
Qed.
(* What a VM has to itself is its data, and back. *)
Lemma Aset_keeps : forall v x p, keeps (Aset a) v x p -> exists i, v = i + 1 /\ 0 <= i < NIE_MAX_VMS /\ in_ram a p = true /\ own a p = Data i x /\
  (slot_at a i 3 x = ToPage p \/ slot_at a i 2 (x / 512) = ToBlock (p - x mod 512)).
Proof.
  intros v x p (l & k & d & H & L & N & U). destruct H as [(-> & _)|(i & -> & I & H)]; [congruence|]. exists i. split; [reflexivity|].
  destruct H as [(-> & _ & _)|(LL & -> & V)]; [apply leads_maps, maps_level in L; lia|].
  destruct (vm_leads _ _ _ _ _ L V) as (R & [(S & O)|[(_ & _ & _ & _ & X)|(S & O)]]); [|lia|]; (split; [lia|]); auto.
Qed.
Lemma keeps_data : forall i x p, 0 <= i < NIE_MAX_VMS -> x < 2 ^ 26 -> in_ram a p = true -> own a p = Data i x ->
  slot_at a i 3 x = ToPage p \/ slot_at a i 2 (x / 512) = ToBlock (p - x mod 512) -> keeps (Aset a) (i + 1) x p.
Proof.
  intros i x p I X R O [S|S].
  - destruct (wf_page _ W _ _ _ _ S) as (_ & R' & _). apply ram_small in R'. destruct (enc_facts (ToPage p) p) as (V & F & M); [lia|reflexivity|].
    exists 3, x, (enc (ToPage p)). split; [right; exists i; split; [reflexivity|]; split; [lia|]; right; rewrite S; split; [lia|]; split; [reflexivity|exact V]|].
    split; [split; [unfold is_leaf; lia|]; unfold first_page; rewrite F; change (covers 3) with 1; lia|]. lia.
  - destruct (wf_blk _ W _ _ _ _ S) as (_ & Q & B). destruct (B 0) as [R' _]; [reflexivity|]. apply ram_small in R'.
    set (q := p - x mod 512) in *. destruct (enc_facts (ToBlock q) q) as (V & F & M); [lia|reflexivity|].
    exists 2, (x / 512), (enc (ToBlock q)). split; [right; exists i; split; [reflexivity|]; split; [lia|]; right; rewrite S; split; [lia|]; split; [reflexivity|exact V]|].
    split; [split; [unfold is_leaf; lia|]; unfold first_page; rewrite F; change (covers 2) with 512; unfold q in *; lia|]. lia.
Qed.
Lemma Aset_alone : forall v x p, keeps (Aset a) v x p -> forall v' l k d x' p', Aset a v' l k d -> leads l k d x' p' -> (p' = p <-> v' = v /\ x' = x).
Proof.
  intros v x p K v' l k d x' p' H L. destruct (Aset_keeps _ _ _ K) as (i & -> & I & R & O & S).
  destruct H as [(-> & H)|(i' & -> & I' & H)].
  - split; [|lia]. intros ->. exfalso. destruct H as [(-> & _ & _)|(LL & -> & V)]; [apply leads_maps, maps_level in L; lia|].
    apply leads_maps in L. pose proof (host_maps _ _ _ L V) as A. unfold host_may_access in A. now rewrite R, O in A.
  - destruct H as [(-> & _ & _)|(LL & -> & V)]; [apply leads_maps, maps_level in L; lia|].
    assert (ONE : forall y q, slot_at a i 3 y <> Empty -> slot_at a i 2 (y / 512) = ToBlock q -> False) by (intros y q N E; destruct (wf_slot _ W _ _ _ N) as (_ & _ & _ & _ & _ & T); destruct (T ltac:(lia)) as (t & T'); change (3 - 1) with 2 in T'; congruence).
    destruct (vm_leads _ _ _ _ _ L V) as (R' & C). split.
    + intros ->. destruct C as [(_ & O')|[(_ & _ & _ & O' & _)|(_ & O')]]; rewrite O in O'; try discriminate; injection O' as -> ->; split; lia.
    + intros [E ->]. assert (i' = i) by lia. subst i'. destruct C as [(S' & _)|[(_ & _ & S' & _)|(S' & _)]]; destruct S as [S|S]; try congruence.
      * exfalso. eapply ONE; [|exact S]. rewrite S'. discriminate.
      * exfalso. eapply ONE; [|exact S]. rewrite S'. discriminate.
      * exfalso. eapply ONE; [|exact S']. rewrite S. discriminate.
      * rewrite S in S'. injection S'. lia.
Qed.

Lemma Aset_apart : apart (Aset a).
Proof.
  intros v l k d H T. destruct (table_target _ _ _ _ H T) as [R [(_ & O)|(i & _ & O)]]; apply untouched; auto; now rewrite O.
Qed.

Lemma Aset_safe : forall e, engine_first (cfg a) <= fst e -> snd e <= engine_first (cfg a) + engine_count (cfg a) ->
  safe_set e (Aset a).
Proof.
  intros e E1 E2. split; [|split].
  - intros v l k d v' l' k' d' p H H' M M' N.
    assert (X : forall i k l, in_ram a p = true -> host_may_access a p = true ->
       (exists x, own a p = Data i x) \/ (l = 3 /\ own a p = Shared i k /\ 2 ^ 26 <= k) -> upper l k).
    { intros i x y R E [(z & O)|(-> & O & U)]; [|now split].
      unfold host_may_access in E. now rewrite R, O in E. }
    destruct (Aset_maps _ _ _ _ _ H M) as [(-> & E)|(i & -> & I & R & O)];
      destruct (Aset_maps _ _ _ _ _ H' M') as [(-> & E')|(i' & -> & I' & R' & O')]; eauto; try lia.
    exfalso. destruct O as [(x & O)|(_ & O & _)], O' as [(x' & O')|(_ & O' & _)]; rewrite O in O'; try discriminate; injection O'; intros; lia.
  - intros p T E. assert (O : own a p = Engine) by (apply (wf_engine _ W); lia).
    assert (R : in_ram a p = true) by (unfold in_ram; pose proof (c_engine _ (wf_c _ W)); lia).
    revert T. apply untouched; auto. now rewrite O.
  - exact Aset_alone.
Qed.

Lemma Aset_closed : forall m, tables_hold a m -> closed (Aset a) (now m).
Proof.
  assert (S0 : forall p, 0 <= p < 2 ^ 36 -> frame (p * 4096) = p).
  { intros p R. etransitivity; [|apply (frame_of_desc p 0 0); lia]. f_equal; lia. }
  assert (S3 : forall p, 0 <= p < 2 ^ 36 -> frame (p * 4096 + DESC_TABLE) = p).
  { intros p R. norm. etransitivity; [|apply (frame_of_desc p 3 0); lia]. f_equal; lia. }
  intros m TH v l k d i d' H T I V E. unfold now in E.
  destruct (table_target _ _ _ _ H T) as [R O]. pose proof gibs_small as G.
  destruct H as [(-> & H)|(j & -> & J & H)].
  - left. split; auto. right. destruct H as [(-> & -> & ->)|(L & -> & V')].
    + destruct (tables_in_ram (host_tables (cfg a))) as [R' _]; [pose proof (c_dev _ (wf_c _ W)); pose proof (c_ram _ (wf_c _ W)); unfold level3_first; lia|].
      rewrite S0 in E by (apply ram_small in R'; lia). rewrite (t_1 _ _ TH) in E by auto. split; [lia|]. now subst.
    + unfold henc in *. destruct (Z.eqb_spec l 1); [|destruct (Z.eqb_spec l 2); [|destruct (Z.eqb_spec l 3)]]; try subst l.
      * destruct ((0 <=? k) && (k <? gib_count a)) eqn:K; [|discriminate].
        destruct (tables_in_ram (host_tables (cfg a) + 1 + k)) as [R' _]; [pose proof (c_dev _ (wf_c _ W)); pose proof (c_ram _ (wf_c _ W)); unfold level3_first; lia|].
        rewrite S3 in E by (apply ram_small in R'; lia). rewrite (t_2 _ _ TH) in E by (auto; lia).
        split; [lia|]. now split.
      * destruct (mode_at a k) eqn:F; [discriminate| |].
        -- pose proof (wf_mode _ W k) as MG. rewrite F in MG. specialize (MG ltac:(discriminate)).
           pose proof (level3_range _ MG).
           destruct (tables_in_ram (level3 a k)) as [R' _]; [unfold level3_first in *; lia|].
           rewrite S3 in E by (apply ram_small in R'; lia). rewrite (t_3 _ _ TH) in E by auto.
           split; [lia|]. split; auto.
        -- unfold is_table in T. cbn in T. rewrite mod4_of_desc in T. unfold attributes in T.
           destruct (in_ram a (k * 512)); discriminate.
      * unfold is_table in T. cbn in T. discriminate.
      * discriminate.
  - destruct O as [(? & _)|(j' & J' & O)]; [lia|]. replace j' with j in * by lia.
    rewrite (t_vm _ _ TH _ _ _ _ _ R O I) in E.
    right. exists j. split; auto. split; auto. right. split; [|auto].
    destruct H as [(-> & _)|(L & _)]; lia.
Qed.
End Meaning.
