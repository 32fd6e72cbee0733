(* SPDX-License-Identifier: Apache-2.0 *)
(* VCPU_DESTROY keeps well-formedness. On the way: the vCPU is no more, then its context goes back, then its run record. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Actions.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Records trap_steps.
Import RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation gives := nie.spec.Actions.give_back.

Lemma gives_own : forall v q a p, own (gives v q a) p = if p =? q then Host else own a p.
Proof. intros v q a p. exact (Map.get_set _ (owners a) q Host p). Qed.
Lemma gives_vm : forall v q a i, vm_at (gives v q a) i = if i =? v then vm_at a v <| granules ::= fun g => (g + -1) mod 2 ^ 64 |> else vm_at a i.
Proof. intros v q a i. exact (Map.get_set _ (vms a) v (vm_at a v <| granules ::= fun g => (g + -1) mod 2 ^ 64 |>) i). Qed.
Lemma gives_records : forall v q a, vm_state (vm_at a v) <> NIE_VM_FREE -> same_records a (gives v q a).
Proof.
  intros v q a N. constructor; auto; intro i; [|intros _]; rewrite gives_vm; destruct (Z.eqb_spec i v) as [->|]; auto. contradiction.
Qed.
Lemma gives_vcpu : forall v q a w i, vcpu_at (gives v q a) w i = vcpu_at a w i.
Proof. reflexivity. Qed.

(* A page of a vCPU that is no more. *)
Definition left_over (a : state) (v i q : Z) : Prop :=
  0 <= v < NIE_MAX_VMS /\ 0 <= i < NIE_MAX_VCPUS /\ vcpu_state (vcpu_at a v i) = VCPU_NONE /\ vm_state (vm_at a v) <> NIE_VM_FREE /\
  in_ram a q = true /\ (own a q = Vcpu v i \/ own a q = Run v i).

Lemma gives_wf : forall a v i q, wf a -> left_over a v i q -> wf (gives v q a).
Proof.
  intros a v i q W (V & I & N & F & RQ & OQ). set (b := gives v q a). pose proof (gives_records v q a F) as S. fold b in S.
  assert (OB : forall p, own b p = if p =? q then Host else own a p) by (intro; apply gives_own).
  assert (K : forall p, (forall w j, own a p <> Vcpu w j /\ own a p <> Run w j) -> own b p = own a p).
  { intros p H. rewrite OB. destruct (Z.eqb_spec p q) as [->|]; auto. destruct (H v i). destruct OQ; contradiction. }
  assert (HA : forall p, host_may_access a p = true -> host_may_access b p = true).
  { intro p. unfold host_may_access. change (in_ram b p) with (in_ram a p). change (cfg b) with (cfg a). rewrite OB.
    destruct (in_ram a p); auto. now destruct (p =? q). }
  constructor.
  - destruct (wf_c _ W). now constructor.
  - intros p H. rewrite K; [now apply (wf_engine _ W)|]. rewrite (wf_engine _ W) by exact H. split; discriminate.
  - exact (wf_mode _ W).
  - intros g j H J. apply HA. now apply (wf_block _ W).
  - intros p R H. apply (wf_mapped _ W); auto. intro E. apply H. rewrite K; auto. rewrite E. split; discriminate.
  - intros w l k p H. destruct (wf_tab _ W _ _ _ _ H) as (L & R & E). repeat split; auto. rewrite K; auto. rewrite E. split; discriminate.
  - intros w l k p H. destruct (wf_blk _ W _ _ _ _ H) as (L & M & E). split; [auto|split; [auto|]]. intros j J. destruct (E j J) as [R D].
    split; auto. rewrite K; auto. rewrite D. split; discriminate.
  - intros w l k p H. destruct (wf_page _ W _ _ _ _ H) as (L & R & E). repeat split; auto. rewrite K; auto. rewrite E. split; discriminate.
  - intros w l k p H. destruct (wf_shared _ W _ _ _ _ H) as (L & R & E & U). repeat split; auto. rewrite K; auto. rewrite E. split; discriminate.
  - intros w l k H. destruct (wf_slot _ W w l k H) as (H1 & H2 & H3). split; [auto|]. destruct (same_root _ _ S w) as [_ ->]. auto.
  - intros w H. destruct (same_root _ _ S w) as [-> ->]. intro G. destruct (wf_root _ W w H G) as [R E]. split; auto. rewrite K; auto.
    rewrite E. split; discriminate.
  - apply (same_wf_vms S), W.
  - destruct (wf_u _ W) as [UN SO RN RS]. constructor; [exact UN| |exact RN|exact RS].
    intros w j WW J H. destruct (SO w j WW J H) as (S1 & S2 & S3 & S4 & S5 & S6 & S7).
    destruct (same_fields _ _ S w) as (-> & _ & _ & _ & -> & _). change (vcpu_at b w j) with (vcpu_at a w j) in *.
    assert (NQ : forall p, own a p = Vcpu w j \/ own a p = Run w j -> own b p = own a p).
    { intros p P. rewrite OB. destruct (Z.eqb_spec p q) as [->|]; auto. exfalso. apply H.
      assert (w = v /\ j = i) as [-> ->] by (destruct P as [P|P], OQ as [Q|Q]; rewrite P in Q; try discriminate; injection Q; auto). exact N. }
    rewrite !NQ by auto. auto 10.
Qed.

Section Destroy.
Variables (a : state) (vm u : Z).
Hypothesis W : wf a.
Hypothesis O : onto a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS.
Hypothesis U : 0 <= u < NIE_MAX_VCPUS.
Hypothesis FREE : vm_state (vm_at a vm) <> NIE_VM_FREE.
Hypothesis SOME : vcpu_state (vcpu_at a vm u) <> VCPU_NONE.
Hypothesis REST : vcpu_state (vcpu_at a vm u) <> VCPU_RUNNING.
Let ctx := context_page (vcpu_at a vm u).
Let run := run_page (vcpu_at a vm u).

(* The vCPU is no more; its pages are still there, the context scrubbed. *)
Definition forgotten : state := set_vm vm (vm_at a vm <| created ::= fun n => n - 1 |>) (set_saved vm u (Map.const 0) (set_vcpu vm u no_vcpu a)).

Lemma forgotten_vm : forall v, vm_at forgotten v = if v =? vm then vm_at a vm <| created ::= fun n => n - 1 |> else vm_at a v.
Proof. intro v. exact (Map.get_set _ (vms a) vm _ v). Qed.
Lemma forgotten_vcpu : forall v i, 0 <= i < NIE_MAX_VCPUS -> vcpu_at forgotten v i = if (v =? vm) && (i =? u) then no_vcpu else vcpu_at a v i.
Proof. intros v i I. change (vcpu_at forgotten v i) with (vcpu_at (set_vcpu vm u no_vcpu a) v i). now apply vcpu_at_put. Qed.
Lemma forgotten_map : same_map a forgotten.
Proof. constructor; auto. intro v. rewrite forgotten_vm. destruct (Z.eqb_spec v vm) as [->|]; split; tauto. Qed.
Lemma pages_here : in_ram a ctx = true /\ own a ctx = Vcpu vm u /\ in_ram a run = true /\ own a run = Run vm u.
Proof. destruct (u_some _ (wf_u _ W) vm u V U SOME) as (_ & _ & _ & ?). assumption. Qed.

Lemma forgotten_wf : wf forgotten.
Proof.
  pose proof (wf_v _ W) as WV. pose proof (wf_u _ W) as WU. apply wf_parts with a; auto using forgotten_map.
  - assert (HM : forall v f, how_many forgotten v f = how_many (set_vcpu vm u no_vcpu a) v f) by reflexivity.
    constructor; intros v; rewrite ?forgotten_vm; [intros V' H|intros V' H|intros V'|intros V'|intros V'|intros c V' C];
      try (change (last_at forgotten) with (last_at a)).
    + destruct (Z.eqb_spec v vm) as [->|]; [contradiction|]. now apply (v_free _ WV).
    + destruct (Z.eqb_spec v vm) as [->|]; now apply (v_used _ WV).
    + destruct (Z.eqb_spec v vm) as [->|]; now apply (v_sealed _ WV).
    + rewrite HM, many_put, <- (v_running _ WV) by auto. destruct (Z.eqb_spec v vm) as [->|]; [|lia].
      change (is_running no_vcpu) with false. unfold is_running. replace (vcpu_state (vcpu_at a vm u) =? VCPU_RUNNING) with false by lia.
      cbn. lia.
    + rewrite HM, many_put, <- (v_created _ WV) by auto. destruct (Z.eqb_spec v vm) as [->|]; [|lia].
      change (is_created no_vcpu) with false. unfold is_created. replace (vcpu_state (vcpu_at a vm u) =? VCPU_NONE) with false by lia.
      cbn. lia.
    + now apply (v_last _ WV).
  - destruct WU as [UN SO RN RS]. constructor.
    + intros v i V' I. rewrite forgotten_vcpu by auto. destruct ((v =? vm) && (i =? u)); auto.
    + intros v i V' I. rewrite forgotten_vcpu, forgotten_vm by auto. destruct ((v =? vm) && (i =? u)) eqn:E; [intro H; now destruct H|].
      intro H. change (in_ram forgotten) with (in_ram a). change (own forgotten) with (own a). specialize (SO v i V' I H).
      destruct (Z.eqb_spec v vm) as [->|]; auto.
    + intros v i V' I. rewrite forgotten_vcpu by auto. destruct ((v =? vm) && (i =? u)) eqn:E; [intro H; discriminate H|]. exact (RN v i V' I).
    + intros c C H. destruct (RS c C H) as (H1 & H2 & H3 & H4). change (cpu_at forgotten c) with (cpu_at a c). cbn zeta.
      rewrite forgotten_vcpu by auto. destruct ((cpu_vm (cpu_at a c) =? vm) && (cpu_vcpu (cpu_at a c) =? u)) eqn:E; auto.
      exfalso. apply andb_prop in E as [E1 E2]. apply Z.eqb_eq in E1, E2. rewrite E1, E2 in H3. contradiction.
Qed.

Definition without_context : state := gives vm ctx forgotten.
Definition without_both : state := gives vm run without_context.

Lemma none_left : vcpu_state (vcpu_at forgotten vm u) = VCPU_NONE.
Proof. rewrite forgotten_vcpu, !Z.eqb_refl by auto. reflexivity. Qed.
Lemma not_free : vm_state (vm_at forgotten vm) <> NIE_VM_FREE.
Proof. rewrite forgotten_vm, Z.eqb_refl. exact FREE. Qed.
Lemma without_context_wf : wf without_context.
Proof.
  destruct pages_here as (R1 & O1 & _). apply gives_wf with u; auto using forgotten_wf. repeat split; auto using none_left, not_free; try lia.
Qed.
Lemma without_both_wf : wf without_both.
Proof.
  destruct pages_here as (R1 & O1 & R2 & O2). apply gives_wf with u; auto using without_context_wf. repeat split; auto using none_left; try lia.
  - unfold without_context. rewrite gives_vm, Z.eqb_refl. exact not_free.
  - right. unfold without_context. rewrite gives_own. change (own forgotten) with (own a). destruct (Z.eqb_spec run ctx) as [E|]; auto. congruence.
Qed.
Lemma without_both_own : forall p, own without_both p = if (p =? ctx) || (p =? run) then Host else own a p.
Proof.
  intro p. unfold without_both, without_context. rewrite !gives_own. change (own forgotten) with (own a).
  destruct (p =? ctx), (p =? run); reflexivity.
Qed.

Lemma without_both_onto : onto without_both.
Proof.
  assert (OA : forall p o, own without_both p = o -> o <> Host -> own a p = o /\ p <> ctx /\ p <> run).
  { intros p o. rewrite without_both_own. destruct (Z.eqb_spec p ctx), (Z.eqb_spec p run); cbn [orb]; intros; subst; auto; congruence. }
  assert (RT : forall v, root (vm_at without_both v) = root (vm_at a v)).
  { intro v. unfold without_both, without_context. rewrite !gives_vm, !forgotten_vm.
    destruct (Z.eqb_spec v vm) as [->|]; rewrite ?Z.eqb_refl; auto. }
  constructor; intros p v.
  - intros k R H. apply OA in H as [H _]; [|discriminate]. exact (on_data _ O _ _ _ R H).
  - intros k R H. apply OA in H as [H _]; [|discriminate]. exact (on_shared _ O _ _ _ R H).
  - intros l k R H. apply OA in H as [H _]; [|discriminate]. rewrite RT. exact (on_table _ O _ _ _ _ R H).
  - intros i R H. apply OA in H as (H & N & _); [|discriminate]. destruct (on_vcpu _ O _ _ _ R H) as (H1 & H2 & H3 & H4).
    change (vcpu_at without_both v i) with (vcpu_at forgotten v i). rewrite forgotten_vcpu by auto.
    destruct ((v =? vm) && (i =? u)) eqn:E; auto. exfalso. assert (v = vm /\ i = u) as [-> ->] by lia. auto.
  - intros i R H. apply OA in H as (H & _ & N); [|discriminate]. destruct (on_run _ O _ _ _ R H) as (H1 & H2 & H3 & H4).
    change (vcpu_at without_both v i) with (vcpu_at forgotten v i). rewrite forgotten_vcpu by auto.
    destruct ((v =? vm) && (i =? u)) eqn:E; auto. exfalso. assert (v = vm /\ i = u) as [-> ->] by lia. auto.
Qed.
End Destroy.
