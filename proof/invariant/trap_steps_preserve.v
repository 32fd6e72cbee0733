(* SPDX-License-Identifier: Apache-2.0 *)
(* Each named step of a trap keeps well-formedness. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning page_remove_preserves.
From nie.proof.invariant Require Export Counting.
From nie.proof.invariant Require Export trap_steps.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Record sound (a : state) : Prop := { so_wf : wf a; so_onto : onto a; so_counted : counted a }.

(* What is known of the vCPU on a CPU. *)
Record on_cpu (a : state) (c v i : Z) : Prop := {
  oc_v : 0 <= v < NIE_MAX_VMS; oc_i : 0 <= i < NIE_MAX_VCPUS;
  oc_state : vcpu_state (vcpu_at a v i) = VCPU_RUNNING; oc_cpu : vcpu_cpu (vcpu_at a v i) = c;
  oc_vm : vm_state (vm_at a v) <> NIE_VM_FREE;
  oc_context : in_ram a (context_page (vcpu_at a v i)) = true /\ own a (context_page (vcpu_at a v i)) = Vcpu v i;
  oc_run : in_ram a (run_page (vcpu_at a v i)) = true /\ own a (run_page (vcpu_at a v i)) = Run v i;
}.
Lemma who_runs : forall a c v i, wf a -> 0 <= c < NIE_MAX_CPUS -> runs a c v i -> on_cpu a c v i.
Proof.
  intros a c v i W C (V & N & I). pose proof (wf_u _ W) as U. pose proof (u_runs _ U c C) as H. cbn zeta in H. rewrite V, I in H.
  destruct (H N) as (H1 & H2 & H3 & H4). destruct (u_some _ U v i H1 H2) as (S1 & S2 & S3 & S4 & S5 & S6 & S7); [rewrite H3; discriminate|].
  constructor; auto.
Qed.

(* A change of one vCPU's record that keeps its pages. *)
Section Vcpu.
Variables (a : state) (v i : Z) (r : vcpu).
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis I : 0 <= i < NIE_MAX_VCPUS.
Hypothesis P : context_page r = context_page (vcpu_at a v i) /\ run_page r = run_page (vcpu_at a v i).
Hypothesis S : VCPU_NONE < vcpu_state r <= VCPU_RUNNING.
Hypothesis S' : vcpu_state (vcpu_at a v i) <> VCPU_NONE.
Let b := set_vcpu v i r a.

Lemma put_map : same_map a b.
Proof. constructor; auto. intro w. split; [reflexivity|]. split; auto. Qed.
Lemma put_onto : onto a -> onto b.
Proof.
  apply onto_parts; [apply put_map|]. intros w j W J. unfold b. rewrite vcpu_at_put by auto.
  destruct (Z.eqb_spec w v) as [->|]; auto. destruct (Z.eqb_spec j i) as [->|]; auto. cbn [andb]. destruct P as [-> ->].
  repeat split; auto. unfold VCPU_NONE in *. lia.
Qed.
Lemma put_created : forall w, how_many b w is_created = how_many a w is_created.
Proof.
  intro w. unfold b. rewrite many_put by auto. unfold is_created. destruct (w =? v); [|lia].
  replace (vcpu_state r =? VCPU_NONE) with false by (unfold VCPU_NONE in *; lia).
  replace (vcpu_state (vcpu_at a v i) =? VCPU_NONE) with false by (unfold VCPU_NONE in *; lia). cbn. lia.
Qed.
Lemma put_some : forall w j, 0 <= w < NIE_MAX_VMS -> 0 <= j < NIE_MAX_VCPUS -> wf_vcpus a -> vcpu_state (vcpu_at b w j) <> VCPU_NONE ->
  vm_state (vm_at b w) <> NIE_VM_FREE /\ j < vcpu_count (vm_at b w) /\ VCPU_NONE < vcpu_state (vcpu_at b w j) <= VCPU_RUNNING /\
  in_ram b (context_page (vcpu_at b w j)) = true /\ own b (context_page (vcpu_at b w j)) = Vcpu w j /\
  in_ram b (run_page (vcpu_at b w j)) = true /\ own b (run_page (vcpu_at b w j)) = Run w j.
Proof.
  intros w j W J U. unfold b. rewrite vcpu_at_put by auto. destruct (Z.eqb_spec w v) as [->|]; [destruct (Z.eqb_spec j i) as [->|]|]; cbn [andb];
    try (intro; now apply (u_some _ U)). intros _. destruct P as [-> ->]. destruct (u_some _ U v i V I S') as (A1 & A2 & A3 & A4). auto.
Qed.
Lemma put_none : forall w j, 0 <= w < NIE_MAX_VMS -> 0 <= j < NIE_MAX_VCPUS -> wf_vcpus a -> vcpu_state (vcpu_at b w j) = VCPU_NONE -> vcpu_at b w j = no_vcpu.
Proof.
  intros w j W J U. unfold b. rewrite vcpu_at_put by auto. destruct (Z.eqb_spec w v) as [->|]; [destruct (Z.eqb_spec j i) as [->|]|]; cbn [andb];
    try now apply (u_none _ U). unfold VCPU_NONE in *. lia.
Qed.
End Vcpu.

Lemma vms_same : forall a b, vms b = vms a -> lasts b = lasts a -> (forall v, how_many b v is_running = how_many a v is_running) ->
  (forall v, how_many b v is_created = how_many a v is_created) -> wf_vms a -> wf_vms b.
Proof.
  intros a b E L N M []. assert (EV : forall v, vm_at b v = vm_at a v) by (intro; unfold vm_at; now rewrite E).
  assert (EL : forall v c, last_at b v c = last_at a v c) by (intros; unfold last_at; now rewrite L).
  constructor; intros v; rewrite ?EV, ?N, ?M; auto.
  - intros H1 H2. destruct (v_free v H1 H2). split; auto. intros. rewrite EL. auto.
  - intro c. rewrite EL. auto.
Qed.

(* Neither who runs nor any state changes: pending and syndrome, or the way from OFF to READY. *)
Lemma put_sound : forall a v i r, sound a -> 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS ->
  context_page r = context_page (vcpu_at a v i) /\ run_page r = run_page (vcpu_at a v i) ->
  VCPU_NONE < vcpu_state r <= VCPU_RUNNING -> vcpu_state (vcpu_at a v i) <> VCPU_NONE ->
  (vcpu_state r = VCPU_RUNNING <-> vcpu_state (vcpu_at a v i) = VCPU_RUNNING) -> vcpu_cpu r = vcpu_cpu (vcpu_at a v i) ->
  sound (set_vcpu v i r a).
Proof.
  intros a v i r [W O CN] V I P S S' RU CP. pose proof (wf_u _ W) as U. split; [|now apply put_onto|now apply counted_same with a].
  apply wf_parts with a; auto; [apply put_map| |].
  - apply vms_same with a; auto; try reflexivity; [|intro; now apply put_created|apply W].
    intro w. rewrite many_put by auto. destruct (w =? v); [|lia]. unfold is_running.
    destruct (Z.eqb_spec (vcpu_state r) VCPU_RUNNING), (Z.eqb_spec (vcpu_state (vcpu_at a v i)) VCPU_RUNNING); cbn; tauto || lia.
  - constructor.
    + intros. now apply put_none.
    + intros. now apply put_some.
    + intros w j H1 H2. change (cpu_at (set_vcpu v i r a)) with (cpu_at a). rewrite vcpu_at_put by auto.
      destruct (Z.eqb_spec w v) as [->|]; [destruct (Z.eqb_spec j i) as [->|]|]; cbn [andb]; try now apply (u_running _ U).
      rewrite CP. intro E. apply (u_running _ U); tauto.
    + intros c C N. change (cpu_at (set_vcpu v i r a)) with (cpu_at a) in *. cbn zeta. destruct (u_runs _ U c C N) as (H1 & H2 & H3 & H4).
      rewrite vcpu_at_put by auto. repeat split; try tauto; try lia.
      all: destruct (Z.eqb_spec (cpu_vm (cpu_at a c)) v) as [E|]; [destruct (Z.eqb_spec (cpu_vcpu (cpu_at a c)) i) as [F|]|]; cbn [andb]; auto.
      * rewrite E, F in H3. tauto.
      * rewrite E, F in H4. congruence.
Qed.

(* Saved words, and registers, are in no invariant. *)
Lemma quiet_sound : forall a b, cfg b = cfg a -> owners b = owners a -> slots b = slots a -> modes b = modes a -> vms b = vms a ->
  vcpus b = vcpus a -> lasts b = lasts a ->
  (forall d, 0 <= d < NIE_MAX_CPUS -> cpu_vm (cpu_at b d) = cpu_vm (cpu_at a d) /\ cpu_vcpu (cpu_at b d) = cpu_vcpu (cpu_at a d)) ->
  sound a -> sound b.
Proof.
  intros a b E1 E2 E3 E4 E5 E6 E7 RU [W O CN].
  assert (SM : same_map a b) by (constructor; auto; intro; unfold vm_at; rewrite E5; split; tauto).
  assert (EV : forall v i, vcpu_at b v i = vcpu_at a v i) by (intros; unfold vcpu_at; now rewrite E6).
  assert (EM : forall v, vm_at b v = vm_at a v) by (intros; unfold vm_at; now rewrite E5).
  assert (OW : forall p, own b p = own a p) by (intro; unfold own; now rewrite E2).
  assert (RA : forall p, in_ram b p = in_ram a p) by (intros; unfold in_ram; now rewrite E1).
  split; [apply wf_parts with a; auto| |].
  - apply vms_same with a; auto; [| |apply W]; intro v; unfold how_many; do 2 f_equal; apply filter_ext; intro; now rewrite EV.
  - pose proof (wf_u _ W) as []. constructor.
    + intros v i. rewrite EV. auto.
    + intros v i. rewrite EV, EM. intros H1 H2 H3. rewrite !RA, !OW. auto.
    + intros v i H1 H2. rewrite EV. intro H3. destruct (u_running v i H1 H2 H3) as (H4 & H5 & H6). cbn zeta. destruct (RU _ H4) as [-> ->]. auto.
    + intros c C. cbn zeta. destruct (RU c C) as [-> ->]. rewrite EV. now apply u_runs.
  - apply onto_parts with a; auto. intros v i _ _. now rewrite EV.
  - apply counted_same with a; auto. intro v. now rewrite EM.
Qed.

Lemma last_sound : forall a c v i, sound a -> 0 <= c < NIE_MAX_CPUS -> on_cpu a c v i -> sound (set_last v c (i + 1) a).
Proof.
  intros a c v i [W O CN] C H. destruct H.
  assert (EL : forall w d, last_at (set_last v c (i + 1) a) w d = if w * NIE_MAX_CPUS + d =? v * NIE_MAX_CPUS + c then i + 1 else last_at a w d).
  { intros w d. exact (Map.get_set _ (lasts a) (v * NIE_MAX_CPUS + c) (i + 1) (w * NIE_MAX_CPUS + d)). }
  split; [apply wf_parts with a; auto| |now apply counted_same with a].
  - constructor; auto. intro w. split; [reflexivity|]. split; auto.
  - pose proof (wf_v _ W) as []. constructor; auto.
    + intros w H1 H2. destruct (v_free w H1 H2) as [E1 E2]. split; auto. intros d D. rewrite EL.
      destruct (Z.eqb_spec (w * NIE_MAX_CPUS + d) (v * NIE_MAX_CPUS + c)) as [E|]; auto.
      exfalso. apply oc_vm0. replace v with w; auto. unfold NIE_MAX_CPUS in *. lia.
    + intros w d H1 H2. rewrite EL. destruct (_ =? _); auto. unfold NIE_MAX_VCPUS in *. lia.
  - destruct (wf_u _ W). constructor; auto.
  - apply onto_parts with a; auto. constructor; auto. intro w. split; [reflexivity|]. split; auto.
Qed.

(* A vCPU comes to a CPU, or leaves it. *)
Section Switch.
Variables (a : state) (c v i : Z) (r : vcpu) (n : Z) (p : processor).
Hypothesis SO : sound a.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis V : 0 <= v < NIE_MAX_VMS.
Hypothesis I : 0 <= i < NIE_MAX_VCPUS.
Hypothesis P : context_page r = context_page (vcpu_at a v i) /\ run_page r = run_page (vcpu_at a v i).
Hypothesis S : VCPU_NONE < vcpu_state r <= VCPU_RUNNING.
Hypothesis S' : vcpu_state (vcpu_at a v i) <> VCPU_NONE.
Hypothesis N : n = running (vm_at a v) + (ind (is_running r) - ind (is_running (vcpu_at a v i))).
Let b := set_cpu c p (set_vm v (vm_at a v <| running := n |>) (set_vcpu v i r a)).
Hypothesis RUN : forall w j, 0 <= w < NIE_MAX_VMS -> 0 <= j < NIE_MAX_VCPUS -> vcpu_state (vcpu_at b w j) = VCPU_RUNNING ->
      let d := vcpu_cpu (vcpu_at b w j) in 0 <= d < NIE_MAX_CPUS /\ cpu_vm (cpu_at b d) = w /\ cpu_vcpu (cpu_at b d) = j.
Hypothesis RUNS : forall d, 0 <= d < NIE_MAX_CPUS -> cpu_vm (cpu_at b d) <> CPU_HOST ->
      let w := cpu_vm (cpu_at b d) in let j := cpu_vcpu (cpu_at b d) in
      0 <= w < NIE_MAX_VMS /\ 0 <= j < NIE_MAX_VCPUS /\ vcpu_state (vcpu_at b w j) = VCPU_RUNNING /\ vcpu_cpu (vcpu_at b w j) = d.

Lemma sw_vm : forall w, vm_at b w = if w =? v then vm_at a v <| running := n |> else vm_at a w.
Proof. intro w. exact (vm_at_put v _ (set_vcpu v i r a) w). Qed.
Lemma sw_map : same_map a b.
Proof. constructor; auto. intro w. rewrite sw_vm. destruct (Z.eqb_spec w v) as [->|]; split; try reflexivity; split; auto. Qed.

Lemma switch_sound : sound b.
Proof.
  destruct SO as [W O CN]. pose proof (wf_u _ W) as U. pose proof (wf_v _ W) as VM.
  destruct (u_some _ U v i V I S') as (NF & _).
  split; [apply wf_parts with a; auto; [apply sw_map| |]| |
    apply counted_same with a; auto; intro w; rewrite sw_vm; now destruct (Z.eqb_spec w v) as [->|]].
  - constructor.
    + intros w H1. rewrite sw_vm. destruct (Z.eqb_spec w v) as [->|]; [intro H2; now apply NF in H2|]. exact (v_free _ VM w H1).
    + intros w H1. rewrite sw_vm. destruct (Z.eqb_spec w v) as [->|]; [exact (v_used _ VM v H1)|exact (v_used _ VM w H1)].
    + intros w H1. rewrite sw_vm. destruct (Z.eqb_spec w v) as [->|]; [exact (v_sealed _ VM v H1)|exact (v_sealed _ VM w H1)].
    + intros w H1. rewrite sw_vm. change (how_many b w is_running) with (how_many (set_vcpu v i r a) w is_running). rewrite many_put by auto.
      destruct (Z.eqb_spec w v) as [->|]; [change (n = how_many a v is_running + (ind (is_running r) - ind (is_running (vcpu_at a v i))))|];
        rewrite <- (v_running _ VM) by auto; [exact N|lia].
    + intros w H1. rewrite sw_vm. change (how_many b w is_created) with (how_many (set_vcpu v i r a) w is_created). rewrite put_created by auto.
      rewrite <- (v_created _ VM) by auto. destruct (Z.eqb_spec w v) as [->|]; reflexivity.
    + intros w d H1 H2. exact (v_last _ VM w d H1 H2).
  - constructor; [| |exact RUN|exact RUNS].
    + intros w j H1 H2. exact (put_none a v i r I S w j H1 H2 U).
    + intros w j H1 H2 H3. pose proof (put_some a v i r V I P S S' w j H1 H2 U H3) as X. rewrite sw_vm.
      destruct (Z.eqb_spec w v) as [->|]; exact X.
  - apply onto_parts with a; auto; [apply sw_map|]. intros w j H1 H2. change (vcpu_at b w j) with (vcpu_at (set_vcpu v i r a) w j). rewrite vcpu_at_put by auto.
    destruct (Z.eqb_spec w v) as [->|]; auto. destruct (Z.eqb_spec j i) as [->|]; auto.
    cbn [andb]. destruct P as [-> ->]. repeat split; auto. unfold VCPU_NONE in *. lia.
Qed.
End Switch.

Lemma leave_sound : forall a c v i off, sound a -> 0 <= c < NIE_MAX_CPUS -> runs a c v i -> sound (leave c v i off a).
Proof.
  intros a c v i off SO C RU. pose proof (who_runs _ _ _ _ (so_wf _ SO) C RU) as []. pose proof (wf_u _ (so_wf _ SO)) as U.
  unfold leave. set (st := if off then VCPU_OFF else VCPU_READY). assert (ST : VCPU_NONE < st < VCPU_RUNNING) by (subst st; destruct off; split; reflexivity).
  set (r := vcpu_at a v i <| vcpu_state := st |>).
  set (b := set_cpu c _ _). destruct RU as (R1 & R2 & R3).
  assert (BU : forall w j, 0 <= j < NIE_MAX_VCPUS -> vcpu_at b w j = if (w =? v) && (j =? i) then r else vcpu_at a w j).
  { intros w j J. change (vcpu_at b w j) with (vcpu_at (set_vcpu v i r a) w j). now apply vcpu_at_put. }
  assert (BC : forall d, cpu_at b d = if d =? c then cpu_at a c <| cpu_vm := CPU_HOST |> else cpu_at a d) by (intro d; exact (cpu_at_put c _ _ d)).
  change b with (set_cpu c (cpu_at a c <| cpu_vm := CPU_HOST |>) (set_vm v (vm_at a v <| running := running (vm_at a v) - 1 |>) (set_vcpu v i r a))).
  apply switch_sound; auto.
  - change (vcpu_state r) with st. lia.
  - rewrite oc_state0. discriminate.
  - unfold is_running. rewrite oc_state0. change (vcpu_state r) with st. replace (st =? VCPU_RUNNING) with false by lia. reflexivity.
  - intros w j H1 H2 H3. change (vcpu_state (vcpu_at b w j) = VCPU_RUNNING) in H3.
    change (let d := vcpu_cpu (vcpu_at b w j) in 0 <= d < NIE_MAX_CPUS /\ cpu_vm (cpu_at b d) = w /\ cpu_vcpu (cpu_at b d) = j).
    rewrite BU in * by auto. destruct ((w =? v) && (j =? i)) eqn:E; [change (st = VCPU_RUNNING) in H3; lia|].
    destruct (u_running _ U w j H1 H2 H3) as (H4 & H5 & H6). cbn zeta. rewrite BC.
    destruct (Z.eqb_spec (vcpu_cpu (vcpu_at a w j)) c) as [F|]; [|auto]. rewrite F in *. lia.
  - intros d D H. change (cpu_vm (cpu_at b d) <> CPU_HOST) in H.
    change (let w := cpu_vm (cpu_at b d) in let j := cpu_vcpu (cpu_at b d) in
      0 <= w < NIE_MAX_VMS /\ 0 <= j < NIE_MAX_VCPUS /\ vcpu_state (vcpu_at b w j) = VCPU_RUNNING /\ vcpu_cpu (vcpu_at b w j) = d).
    rewrite BC in *. destruct (Z.eqb_spec d c) as [->|N]; [now destruct H|]. destruct (u_runs _ U d D H) as (H1 & H2 & H3 & H4). cbn zeta.
    rewrite BU by auto. destruct ((cpu_vm (cpu_at a d) =? v) && (cpu_vcpu (cpu_at a d) =? i)) eqn:E; auto.
    assert (E' : cpu_vm (cpu_at a d) = v /\ cpu_vcpu (cpu_at a d) = i) by lia. destruct E' as [E1 E2]. rewrite E1, E2 in H4. congruence.
Qed.

Lemma enter_sound : forall a c v i, sound a -> 0 <= c < NIE_MAX_CPUS -> cpu_vm (cpu_at a c) = CPU_HOST -> 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS ->
  vcpu_state (vcpu_at a v i) = VCPU_READY -> sound (enter c v i a).
Proof.
  intros a c v i SO C HO V I RD. pose proof (wf_u _ (so_wf _ SO)) as U.
  unfold enter. set (r := vcpu_at a v i <| vcpu_state := VCPU_RUNNING |> <| vcpu_cpu := c |>).
  set (b := set_cpu c _ _).
  assert (BU : forall w j, 0 <= j < NIE_MAX_VCPUS -> vcpu_at b w j = if (w =? v) && (j =? i) then r else vcpu_at a w j).
  { intros w j J. change (vcpu_at b w j) with (vcpu_at (set_vcpu v i r a) w j). now apply vcpu_at_put. }
  assert (BC : forall d, cpu_at b d = if d =? c then cpu_at a c <| cpu_vm := v |> <| cpu_vcpu := i |> else cpu_at a d) by (intro d; exact (cpu_at_put c _ _ d)).
  change b with (set_cpu c (cpu_at a c <| cpu_vm := v |> <| cpu_vcpu := i |>) (set_vm v (vm_at a v <| running := running (vm_at a v) + 1 |>) (set_vcpu v i r a))).
  apply switch_sound; auto.
  - change (VCPU_NONE < VCPU_RUNNING <= VCPU_RUNNING). split; [reflexivity|discriminate].
  - rewrite RD. discriminate.
  - unfold is_running. rewrite RD. reflexivity.
  - intros w j H1 H2 H3. change (vcpu_state (vcpu_at b w j) = VCPU_RUNNING) in H3.
    change (let d := vcpu_cpu (vcpu_at b w j) in 0 <= d < NIE_MAX_CPUS /\ cpu_vm (cpu_at b d) = w /\ cpu_vcpu (cpu_at b d) = j).
    rewrite BU in * by auto. destruct ((w =? v) && (j =? i)) eqn:E.
    + assert (w = v /\ j = i) as [-> ->] by lia. change (vcpu_cpu r) with c. cbn zeta. rewrite BC, Z.eqb_refl. auto.
    + destruct (u_running _ U w j H1 H2 H3) as (H4 & H5 & H6). cbn zeta. rewrite BC.
      destruct (Z.eqb_spec (vcpu_cpu (vcpu_at a w j)) c) as [F|]; [|auto]. rewrite F in *. rewrite HO in H5. subst w. now compute in H1.
  - intros d D H. change (cpu_vm (cpu_at b d) <> CPU_HOST) in H.
    change (let w := cpu_vm (cpu_at b d) in let j := cpu_vcpu (cpu_at b d) in
      0 <= w < NIE_MAX_VMS /\ 0 <= j < NIE_MAX_VCPUS /\ vcpu_state (vcpu_at b w j) = VCPU_RUNNING /\ vcpu_cpu (vcpu_at b w j) = d).
    rewrite BC in *. destruct (Z.eqb_spec d c) as [->|N].
    + change (0 <= v < NIE_MAX_VMS /\ 0 <= i < NIE_MAX_VCPUS /\ vcpu_state (vcpu_at b v i) = VCPU_RUNNING /\ vcpu_cpu (vcpu_at b v i) = c).
      rewrite BU by auto. rewrite !Z.eqb_refl. auto.
    + destruct (u_runs _ U d D H) as (H1 & H2 & H3 & H4). cbn zeta.
      rewrite BU by auto. destruct ((cpu_vm (cpu_at a d) =? v) && (cpu_vcpu (cpu_at a d) =? i)) eqn:E; auto.
      assert (E' : cpu_vm (cpu_at a d) = v /\ cpu_vcpu (cpu_at a d) = i) by lia. destruct E' as [E1 E2]. rewrite E1, E2, RD in H3. discriminate.
Qed.

Lemma stop_sound : forall a v, sound a -> 0 <= v < NIE_MAX_VMS -> vm_state (vm_at a v) <> NIE_VM_FREE ->
  sound (set_vm v (vm_at a v <| vm_state := NIE_VM_STOPPED |>) a).
Proof.
  intros a v [W O CN] V NF. set (b := set_vm v _ a). pose proof (wf_u _ W) as U. pose proof (wf_v _ W) as VM.
  assert (BM : forall w, vm_at b w = if w =? v then vm_at a v <| vm_state := NIE_VM_STOPPED |> else vm_at a w) by (intro w; exact (vm_at_put v _ a w)).
  assert (SM : same_map a b).
  { constructor; auto. intro w. rewrite BM. destruct (Z.eqb_spec w v) as [->|]; split; try reflexivity; split; auto; [discriminate|congruence]. }
  split; [apply wf_parts with a; auto| |apply counted_same with a; auto; intro w; rewrite BM; now destruct (Z.eqb_spec w v) as [->|]].
  - constructor.
    + intros w H1. rewrite BM. destruct (Z.eqb_spec w v) as [->|]; [discriminate|]. exact (v_free _ VM w H1).
    + intros w H1. rewrite BM. destruct (Z.eqb_spec w v) as [->|]; [|exact (v_used _ VM w H1)]. intros _. destruct (v_used _ VM v H1 NF) as (_ & X).
      split; [split; [reflexivity|discriminate]|exact X].
    + intros w H1. rewrite BM. destruct (Z.eqb_spec w v) as [->|]; [split; discriminate|exact (v_sealed _ VM w H1)].
    + intros w H1. rewrite BM. change (how_many b w is_running) with (how_many a w is_running). rewrite <- (v_running _ VM) by auto. now destruct (Z.eqb_spec w v) as [->|].
    + intros w H1. rewrite BM. change (how_many b w is_created) with (how_many a w is_created). rewrite <- (v_created _ VM) by auto. now destruct (Z.eqb_spec w v) as [->|].
    + intros w d H1 H2. exact (v_last _ VM w d H1 H2).
  - constructor; [exact (u_none _ U)| |exact (u_running _ U)|exact (u_runs _ U)].
    intros w j H1 H2 H3. pose proof (u_some _ U w j H1 H2 H3) as (X1 & X2 & X3). rewrite BM. destruct (Z.eqb_spec w v) as [->|]; [split; [discriminate|]|split; auto]; split; auto.
  - apply onto_parts with a; auto.
Qed.

(* A Spent entry, and an Empty one, are no part of the tree. *)
Lemma reopen_sound : forall a v x, sound a -> slot_at a v 3 x = Spent -> sound (set_slot v 3 x Empty a).
Proof.
  intros a v x [W O CN] SP. set (b := set_slot v 3 x Empty a).
  assert (BS : forall w l k, slot_at b w l k = if (w =? v) && (l =? 3) && (k =? x) then Empty else slot_at a w l k) by (intros; apply slot_set).
  assert (KE : forall w l k e, slot_at b w l k = e -> e <> Empty -> slot_at a w l k = e).
  { intros w l k e. rewrite BS. destruct (_ && _); congruence. }
  assert (EK : forall w l k e, slot_at a w l k = e -> e <> Spent -> slot_at b w l k = e).
  { intros w l k e E N. rewrite BS. destruct ((w =? v) && (l =? 3) && (k =? x)) eqn:T; auto. assert (w = v /\ l = 3 /\ k = x) as (-> & -> & ->) by lia. congruence. }
  destruct W. split; [| |now apply counted_same with a].
  - constructor.
    + destruct wf_c. constructor; assumption.
    + exact wf_engine.
    + exact wf_mode.
    + exact wf_block.
    + exact wf_mapped.
    + intros w l k p H. apply KE in H; [|discriminate]. exact (wf_tab _ _ _ _ H).
    + intros w l k p H. apply KE in H; [|discriminate]. exact (wf_blk _ _ _ _ H).
    + intros w l k p H. apply KE in H; [|discriminate]. exact (wf_page _ _ _ _ H).
    + intros w l k p H. apply KE in H; [|discriminate]. exact (wf_shared _ _ _ _ H).
    + intros w l k H. assert (H' : slot_at a w l k <> Empty). { intro E. apply H. rewrite BS. destruct (_ && _); auto. }
      destruct (wf_slot _ _ _ H') as (A1 & A2 & A3 & A4 & A5 & A6). split; [auto|]. split; [exact A2|]. split; [auto|]. split; [auto|]. split; [auto|].
      intro L. destruct (A6 L) as [q Q]. exists q. apply EK; auto. discriminate.
    + exact wf_root.
    + apply vms_same with a; auto.
    + destruct wf_u. constructor; assumption.
  - destruct O. constructor.
    + intros p w k R H. destruct (on_data p w k R H) as [E|E]; [left|right]; apply EK; auto; discriminate.
    + intros p w k R H. apply EK; [now apply on_shared|discriminate].
    + intros p w l k R H. destruct (on_table p w l k R H) as [E|E]; auto. right. apply EK; auto. discriminate.
    + exact on_vcpu.
    + exact on_run.
Qed.

(* A vCPU that [mine] names exists; its record may change but for pages, where it runs and whether. *)
Lemma mine_put : forall a c v i t r, sound a -> 0 <= c < NIE_MAX_CPUS -> mine a c v i t -> context_page r = context_page (vcpu_at a v t) ->
  run_page r = run_page (vcpu_at a v t) -> VCPU_NONE < vcpu_state r <= VCPU_RUNNING ->
  (vcpu_state r = VCPU_RUNNING <-> vcpu_state (vcpu_at a v t) = VCPU_RUNNING) -> vcpu_cpu r = vcpu_cpu (vcpu_at a v t) -> sound (set_vcpu v t r a).
Proof.
  intros a c v i t r SO C (RU & T & M) H1 H2 H3 H4 H5. pose proof (who_runs _ _ _ _ (so_wf _ SO) C RU) as []. apply put_sound; auto.
  destruct M as [->|M]; [rewrite oc_state0|rewrite M]; discriminate.
Qed.
Lemma mine_state : forall a c v i t, sound a -> 0 <= c < NIE_MAX_CPUS -> mine a c v i t -> VCPU_NONE < vcpu_state (vcpu_at a v t) <= VCPU_RUNNING.
Proof.
  intros a c v i t SO C (RU & T & M). pose proof (who_runs _ _ _ _ (so_wf _ SO) C RU) as []. destruct M as [->|M]; [rewrite oc_state0|rewrite M]; split; try reflexivity; discriminate.
Qed.

Theorem step_sound : forall c a b, 0 <= c < NIE_MAX_CPUS -> step c a b -> sound a -> sound b.
Proof.
  intros c a b C [x y []|x v i t r MI (A1 & A2 & A3 & A4)|x v i t w MI|x v i off RU|x v i H V I A RD|x v i RU|x v i y RU SP|x v i t RU T OFF|x v i RU] SO;
    try (pose proof (who_runs _ _ _ _ (so_wf _ SO) C RU) as OC).
  - eapply quiet_sound; eauto.
  - eapply mine_put; eauto; rewrite A1; [now apply (mine_state x c v i t)|reflexivity].
  - eapply quiet_sound with (a := x); auto; reflexivity.
  - now apply leave_sound.
  - now apply enter_sound.
  - now apply last_sound.
  - now apply reopen_sound.
  - destruct OC. apply put_sound; auto; try (cbn; split; reflexivity).
    + split; [reflexivity|discriminate].
    + rewrite OFF. discriminate.
    + rewrite OFF. split; discriminate.
  - destruct OC. now apply stop_sound.
Qed.
