(* SPDX-License-Identifier: Apache-2.0 *)
(* The whole of `trap`: what is claimed of it, for every exception. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.call.host_call nie.generated.trap.trap nie.generated.trap.quick nie.generated.call.vcpu_run.
Require nie.spec.call.page_remove nie.spec.call.table_remove nie.spec.call.page_add_zero nie.spec.call.page_shared_add nie.spec.call.vm_stop nie.spec.call.vm_activate
  nie.spec.call.table_add nie.spec.call.page_add nie.spec.call.vm_info nie.spec.call.vcpu_destroy nie.spec.call.vcpu_create nie.spec.call.vm_destroy nie.spec.call.vm_create.
Require nie.generated.call.page_remove nie.generated.call.table_remove nie.generated.call.page_add_zero nie.generated.call.page_shared_add
  nie.generated.call.vm_stop nie.generated.call.vm_activate nie.generated.call.table_add nie.generated.call.page_add nie.generated.call.vm_info nie.generated.call.vcpu_destroy nie.generated.call.vcpu_create nie.generated.call.vm_destroy nie.generated.call.vm_create.
From nie.spec Require Import Core.
From nie.proof.refine Require page_remove_refines table_remove_refines page_add_zero_refines page_shared_add_refines vm_stop_refines vm_activate_refines Built life_refines
  table_add_refines page_add_refines vm_info_refines vcpu_destroy_refines vcpu_create_refines vm_destroy_refines vm_create_refines.
From nie.proof.refine Require Import statements.
From nie.proof.refine Require Export host_trap_refines vcpu_run_steps.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** The claim. *)

(* One of the host's calls, as specified, with whatever arguments. *)
Inductive called : state -> state -> Prop :=
| By_page_remove a vm ipa n : called a (snd (nie.spec.call.page_remove.page_remove vm ipa n a))
| By_table_remove a vm ipa level : called a (snd (nie.spec.call.table_remove.table_remove vm ipa level a))
| By_page_add_zero a vm ipa pa n level : called a (snd (nie.spec.call.page_add_zero.page_add_zero vm ipa pa n level a))
| By_page_shared_add a vm ipa pa n : called a (snd (nie.spec.call.page_shared_add.page_shared_add vm ipa pa n a))
| By_vm_stop a vm : called a (snd (nie.spec.call.vm_stop.vm_stop vm a))
| By_vm_activate a vm : called a (snd (nie.spec.call.vm_activate.vm_activate vm a))
| By_table_add a vm ipa level pa : called a (snd (nie.spec.call.table_add.table_add vm ipa level pa a))
| By_page_add a vm ipa pa n content : called a (snd (nie.spec.call.page_add.page_add vm ipa pa n content a))
| By_vm_info a c : called a (nie.spec.call.vm_info.vm_info c a)
| By_vcpu_destroy a vm vcpu : called a (snd (nie.spec.call.vcpu_destroy.vcpu_destroy vm vcpu a))
| By_vcpu_create a vm vcpu ctx run entry x : called a (snd (nie.spec.call.vcpu_create.vcpu_create vm vcpu ctx run entry x a))
| By_vm_destroy a vm : called a (snd (nie.spec.call.vm_destroy.vm_destroy vm a))
| By_vm_create a vm root base pages n now : called a (snd (nie.spec.call.vm_create.vm_create vm root base pages n now a)).
(* On no CPU another vCPU than before. *)
Definition same_runs (a b : state) : Prop := forall d, 0 <= d < NIE_MAX_CPUS -> cpu_vm (cpu_at b d) = cpu_vm (cpu_at a d).
(* Named steps, or such a call between steps. *)
Definition did (c : Z) (a b : state) : Prop := steps c a b \/ exists a1 b1, registers_only c a a1 /\ called a1 b1 /\ same_runs a1 b1 /\ steps c b1 b.

(* For every exception: kind, syndrome, addresses, registers, inputs, other CPUs are all arbitrary. [R] of the
   result holds [ok]: no obligation was violated and every state met, in mid-handler too, was [safe]. [did]: who owns, maps and
   runs what changes by the named steps and calls alone; what registers and saved contexts hold is left open. A CPU that is
   turned off runs no vCPU. *)
Definition trap_safe (P : program gvar) : Prop := forall a s kind, let c := me (hw s) in
  R a s -> unclaimed (hw s) -> manifest_ok (glob s) -> x_ok c (glob s) ->
  exists r b s', run_of P "trap" [c; kind] s = Some ([r], s') /\ did c a b /\ R b s' /\ manifest_ok (glob s') /\ unclaimed (hw s') /\
    (r = TRAP_CPU_OFF -> cpu_vm (cpu_at b c) = CPU_HOST).
Definition quick_safe (P : program gvar) : Prop := forall a s kind, let c := me (hw s) in
  R a s -> unclaimed (hw s) -> manifest_ok (glob s) ->
  exists r b s', run_of P "quick" [c; kind] s = Some ([r], s') /\ registers_only c a b /\ R b s' /\ manifest_ok (glob s') /\ unclaimed (hw s').

(** The proof. *)

(* What the dispatch needs of a call's theorem. *)
Definition kept (s s' : MACH) : Prop := field config_word (glob s') = field config_word (glob s) /\ field cpus_vm (glob s') = field cpus_vm (glob s) /\ me (hw s') = me (hw s) /\
  claims (hw s') = claims (hw s).
Definition call_ok {X} (code : M MACH X) (s : MACH) : Prop := forall a, R a s -> wp code (fun _ s' => exists b, called a b /\ R b s' /\ kept s s') s.

Lemma plug : forall X (code : M MACH X) c a s (Q : X -> MACH -> Prop), mid c (vttbr_of a) a s -> call_ok code s ->
  (forall r s' b, did c a b -> mid c (vttbr_of b) b s' -> Q r s') -> wp code Q s.
Proof.
  intros X code c a s Q MI CO H. destruct (R_of_mid _ _ _ MI) as [HR RO]. eapply wp_weaken; [exact (CO _ HR)|].
  cbn beta. intros r s' (b & CB & HB & KC & KV & KM & KL). apply (H r s' b).
  - right. eexists. exists b. split; [exact RO|]. split; [exact CB|]. split; [|apply no_step]. intros d D.
    rewrite <- (h_cpu_vm _ _ _ (g_cpus _ _ (R_globals _ _ HB) d D)), <- (h_cpu_vm _ _ _ (g_cpus _ _ (R_globals _ _ HR) d D)). unfold at1. now rewrite KV.
  - assert (MO : manifest_ok (glob s')) by (pose proof (mi_man _ _ _ _ MI) as []; constructor; unfold at1 in *; rewrite KC; auto).
    assert (UC : unclaimed (hw s')) by (intros v x p; rewrite KL; apply (mi_claims _ _ _ _ MI)).
    pose proof (mid_of_R _ _ HB MO UC) as MB. rewrite KM, (mi_me _ _ _ _ MI) in MB. exact MB.
Qed.

Section Calls.
Variable s : MACH.
Notation u x := (0 <= x < 2 ^ 64).
Lemma page_remove_ok : forall vm ipa n, unclaimed (hw s) -> u vm -> u ipa -> u n -> call_ok (nie.generated.call.page_remove.call_page_remove vm ipa n) s.
Proof.
  intros vm ipa n U H1 H2 H3 a HR. eapply wp_weaken; [exact (page_remove_refines.page_remove_refines a s vm ipa n HR (fun _ => unclaimed_spared _ _ _ _ U) H1 H2 H3)|].
  cbn beta. intros r s' (_ & HB & O & F). eexists. split; [apply By_page_remove|]. split; [exact HB|]. split; [now apply O|split; [now apply O|split; apply F]].
Qed.
Lemma table_remove_ok : forall vm ipa l, u vm -> u ipa -> u l -> call_ok (nie.generated.call.table_remove.call_table_remove vm ipa l) s.
Proof.
  intros vm ipa n H1 H2 H3 a HR. eapply wp_weaken; [exact (table_remove_refines.table_remove_refines a s vm ipa n HR H1 H2 H3)|].
  cbn beta. intros r s' (_ & HB & O & F). eexists. split; [apply By_table_remove|]. split; [exact HB|]. split; [now apply O|split; [now apply O|split; apply F]].
Qed.
Lemma page_add_zero_ok : forall vm ipa pa n l, u vm -> u ipa -> u pa -> u n -> u l -> call_ok (nie.generated.call.page_add_zero.call_page_add_zero vm ipa pa n l) s.
Proof.
  intros vm ipa pa n l H1 H2 H3 H4 H5 a HR. eapply wp_weaken; [exact (page_add_zero_refines.page_add_zero_refines a s vm ipa pa n l HR H1 H2 H3 H4 H5)|].
  cbn beta. intros r s' (_ & HB & O & F). eexists. split; [apply By_page_add_zero|]. split; [exact HB|]. split; [now apply O|split; [now apply O|split; apply F]].
Qed.
Lemma page_shared_add_ok : forall vm ipa pa n, u vm -> u ipa -> u pa -> u n -> call_ok (nie.generated.call.page_shared_add.call_page_shared_add vm ipa pa n) s.
Proof.
  intros vm ipa pa n H1 H2 H3 H4 a HR. eapply wp_weaken; [exact (page_shared_add_refines.page_shared_add_refines a s vm ipa pa n HR H1 H2 H3 H4)|].
  cbn beta. intros r s' (_ & HB & O & F). eexists. split; [apply By_page_shared_add|]. split; [exact HB|]. split; [now apply O|split; [now apply O|split; apply F]].
Qed.
Lemma vm_stop_ok : forall vm, u vm -> call_ok (nie.generated.call.vm_stop.call_vm_stop vm) s.
Proof.
  intros vm H1 a HR. eapply wp_weaken; [exact (vm_stop_refines.vm_stop_refines a s vm HR H1)|].
  cbn beta. intros r s' (_ & HB & O & F). eexists. split; [apply By_vm_stop|]. split; [exact HB|]. split; [now apply (life_refines.ol_field _ _ _ O)|split; [now apply (life_refines.ol_field _ _ _ O)|split; now rewrite F]].
Qed.
Lemma vm_activate_ok : forall vm, u vm -> call_ok (nie.generated.call.vm_activate.call_vm_activate vm) s.
Proof.
  intros vm H1 a HR. eapply wp_weaken; [exact (vm_activate_refines.vm_activate_refines a s vm HR H1)|].
  cbn beta. intros r s' (_ & HB & O & F). eexists. split; [apply By_vm_activate|]. split; [exact HB|]. split; [now apply (life_refines.ol_field _ _ _ O)|split; [now apply (life_refines.ol_field _ _ _ O)|split; now rewrite F]].
Qed.
Lemma table_add_ok : forall vm ipa l pa, u vm -> u ipa -> u l -> u pa -> call_ok (nie.generated.call.table_add.call_table_add vm ipa l pa) s.
Proof.
  intros vm ipa l pa H1 H2 H3 H4 a HR. eapply wp_weaken; [exact (table_add_refines.table_add_refines a s vm ipa l pa HR H1 H2 H3 H4)|].
  cbn beta. intros r s' (_ & HB & O & F). eexists. split; [apply By_table_add|]. split; [exact HB|]. split; [now apply O|split; [now apply O|split; apply F]].
Qed.
Lemma page_add_ok : forall vm ipa pa n, u vm -> u ipa -> u pa -> u n -> call_ok (nie.generated.call.page_add.call_page_add vm ipa pa n) s.
Proof.
  intros vm ipa pa n H1 H2 H3 H4 a HR. eapply wp_weaken; [exact (page_add_refines.page_add_refines a s vm ipa pa n HR H1 H2 H3 H4)|].
  cbn beta. intros r s' (content & _ & HB & O & F). eexists. split; [apply By_page_add|]. split; [exact HB|]. split; [now apply O|split; [now apply O|split; apply F]].
Qed.
Lemma vcpu_destroy_ok : forall vm i, u vm -> u i -> call_ok (nie.generated.call.vcpu_destroy.call_vcpu_destroy vm i) s.
Proof.
  intros vm i H1 H2 a HR. eapply wp_weaken; [exact (vcpu_destroy_refines.vcpu_destroy_refines a s vm i HR H1 H2)|].
  cbn beta. intros r s' (_ & HB & O & F). eexists. split; [apply By_vcpu_destroy|]. split; [exact HB|]. split; [apply O; easy|split; [apply O; easy|split; apply F]].
Qed.
Lemma vcpu_create_ok : forall vm i ctx run entry x, u vm -> u i -> u ctx -> u run -> u entry -> call_ok (nie.generated.call.vcpu_create.call_vcpu_create vm i ctx run entry x) s.
Proof.
  intros vm i ctx run entry x H1 H2 H3 H4 H5 a HR. eapply wp_weaken; [exact (vcpu_create_refines.vcpu_create_refines a s vm i ctx run entry x HR H1 H2 H3 H4 H5)|].
  cbn beta. intros r s' (_ & HB & O & F). eexists. split; [apply By_vcpu_create|]. split; [exact HB|]. split; [apply O; easy|split; [apply O; easy|split; apply F]].
Qed.
Lemma vm_destroy_ok : forall vm, u vm -> call_ok (nie.generated.call.vm_destroy.call_vm_destroy vm) s.
Proof.
  intros vm H1 a HR. eapply wp_weaken; [exact (vm_destroy_refines.vm_destroy_refines a s vm HR H1)|].
  cbn beta. intros r s' (_ & HB & O & F). eexists. split; [apply By_vm_destroy|]. split; [exact HB|]. split; [apply O; easy|split; [apply O; easy|split; apply F]].
Qed.
Lemma vm_create_ok : forall vm root base pages n, u vm -> u root -> u base -> u pages -> u n -> call_ok (nie.generated.call.vm_create.call_vm_create vm root base pages n) s.
Proof.
  intros vm root base pages n H1 H2 H3 H4 H5 a HR. eapply wp_weaken; [exact (vm_create_refines.vm_create_refines a s vm root base pages n HR H1 H2 H3 H4 H5)|].
  cbn beta. intros r s' (_ & HB & O & F). eexists. split; [apply By_vm_create|]. split; [exact HB|]. split; [apply O; easy|split; [apply O; easy|split; apply F]].
Qed.
(* It reads and writes the caller's registers itself. *)
Lemma vm_info_ok : forall c, 0 <= c < NIE_MAX_CPUS -> x_ok c (glob s) -> call_ok (nie.generated.call.vm_info.call_vm_info c) s.
Proof.
  intros c C XO a HR. pose proof (h_x _ _ _ (g_cpus _ _ (R_globals _ _ HR) c C) 1 ltac:(lia)) as E.
  eapply wp_weaken; [apply (vm_info_refines.vm_info_refines a s c HR C); unfold nie.spec.Registers.x_of; rewrite <- E; apply XO; lia|].
  cbn beta. intros r s' (HB & O & F). eexists. split; [apply By_vm_info|]. split; [exact HB|]. split; [apply O; easy|split; [apply O; easy|split; now rewrite F]].
Qed.
End Calls.

Ltac x_load := apply wp_bind; eapply wp_load2; [reflexivity|lia|lia|]; cbn beta.

Lemma host_call_wp : forall c a gl h (Q : unit -> MACH -> Prop), mid c (vttbr_of a) a (Mach gl h) -> cpu_vm (cpu_at a c) = CPU_HOST -> x_ok c gl ->
  (forall s', ended c (did c a) s' -> Q tt s') -> wp (host_call c) Q (Mach gl h).
Proof.
  intros c a gl h Q MI HO XO H. pose proof (mi_c _ _ _ _ MI) as C. unfold NIE_MAX_CPUS in C.
  assert (HQ : forall s', mid c (vttbr_of a) a s' -> Q tt s') by (intros s' M; apply H; exists a; split; [left; apply no_step|auto]).
  unfold host_call. apply wp_bind. eapply wp_load2; [reflexivity|lia|lia|]. cbn beta. rewrite Z.add_0_r. apply wp_bind. apply wp_ret.
  set (f := Z.land _ _) in *.
  assert (PUT : forall r1 r2 r3 s' b, did c a b -> mid c (vttbr_of b) b s' -> wp (put_answer c r1 r2 r3 ;;; ret tt) Q s').
  { intros r1 r2 r3 s' b D M. apply wp_bind. eapply run_any; [exact M| |intros [] s2 M2; apply wp_ret, H; exists b; auto]. intros V fine FV. unfold put_answer. quiet. }
  assert (ONE : forall r s' b, did c a b -> mid c (vttbr_of b) b s' -> wp (store cpus_x [c; 0] r ;;; ret tt) Q s').
  { intros r s' b D M. apply wp_bind. eapply run_any; [exact M|intros; eapply k_store2; [reflexivity|lia|lia|reflexivity|reflexivity]|].
    intros [] s2 M2. apply wp_ret, H. exists b. auto. }
  destruct (f =? NIE_VERSION); [apply wp_bind; eapply wp_weaken; [eapply PUT; [left; apply no_step|exact MI]|intros [] s' H'; now apply wp_ret]|].
  destruct (f =? NIE_VM_INFO).
  { apply wp_bind. eapply plug; [exact MI|apply vm_info_ok; auto|]. intros [] s' b D M. apply wp_ret. apply H. exists b. auto. }
  destruct (f =? NIE_VCPU_RUN).
  { apply wp_bind. unfold host_vcpu_run. x_load. x_load.
    apply wp_bind. eapply vcpu_run_wp; [exact MI|exact HO|apply XO; lia|apply XO; lia|]. intros r s1 (b & S1 & M1).
    destruct (negb _); [|apply wp_ret; apply wp_ret; apply H; exists b; split; [left|]; auto].
    apply wp_bind. eapply run_any; [exact M1|intros; eapply k_store2; [reflexivity|lia|lia|reflexivity|reflexivity]|].
    intros _ s2 M2. apply wp_ret. apply wp_ret. apply H. exists b. split; [left|]; auto. }
  destruct ((f =? NIE_VM_DESTROY) || (f =? NIE_VCPU_DESTROY) || (f =? NIE_TABLE_REMOVE) || (f =? NIE_PAGE_REMOVE))%bool eqn:RET.
  { apply wp_bind. unfold call_returning. apply wp_bind. unfold index. replace ((0 <=? c) && (c <? 8))%bool with true by lia. apply wp_ret.
    destruct (f =? NIE_VM_DESTROY); [|destruct (f =? NIE_VCPU_DESTROY); [|destruct (f =? NIE_TABLE_REMOVE); [|cbn [orb] in RET; rewrite RET]]].
    - x_load. apply wp_bind. eapply plug; [exact MI|apply vm_destroy_ok; apply XO; lia|].
      intros [[r1 r2] r3] s' b D M. apply wp_ret. eapply PUT; eauto.
    - x_load. x_load. apply wp_bind. eapply plug; [exact MI|apply vcpu_destroy_ok; apply XO; lia|].
      intros [[r1 r2] r3] s' b D M. apply wp_ret. eapply PUT; eauto.
    - x_load. x_load. x_load. apply wp_bind. eapply plug; [exact MI|apply table_remove_ok; apply XO; lia|].
      intros [[r1 r2] r3] s' b D M. apply wp_ret. eapply PUT; eauto.
    - x_load. x_load. x_load. apply wp_bind. eapply plug; [exact MI|apply page_remove_ok; [exact (mi_claims _ _ _ _ MI)|..]; apply XO; lia|].
      intros [[r1 r2] r3] s' b D M. apply wp_ret. eapply PUT; eauto. }
  apply wp_bind. unfold call_simple. apply wp_bind. unfold index. replace ((0 <=? c) && (c <? 8))%bool with true by lia. apply wp_ret.
  destruct (f =? NIE_VM_CREATE).
  { x_load. x_load. x_load. x_load. x_load. apply wp_bind. eapply plug; [exact MI|apply vm_create_ok; apply XO; lia|]. intros r s' b D M. apply wp_ret. eapply ONE; eauto. }
  destruct (f =? NIE_VM_ACTIVATE).
  { x_load. apply wp_bind. eapply plug; [exact MI|apply vm_activate_ok; apply XO; lia|]. intros r s' b D M. apply wp_ret. eapply ONE; eauto. }
  destruct (f =? NIE_VM_STOP).
  { x_load. apply wp_bind. eapply plug; [exact MI|apply vm_stop_ok; apply XO; lia|]. intros r s' b D M. apply wp_ret. eapply ONE; eauto. }
  destruct (f =? NIE_VCPU_CREATE).
  { x_load. x_load. x_load. x_load. x_load. x_load. apply wp_bind. eapply plug; [exact MI|apply vcpu_create_ok; apply XO; lia|]. intros r s' b D M. apply wp_ret. eapply ONE; eauto. }
  destruct (f =? NIE_TABLE_ADD).
  { x_load. x_load. x_load. x_load. apply wp_bind. eapply plug; [exact MI|apply table_add_ok; apply XO; lia|]. intros r s' b D M. apply wp_ret. eapply ONE; eauto. }
  destruct (f =? NIE_PAGE_ADD).
  { x_load. x_load. x_load. x_load. apply wp_bind. eapply plug; [exact MI|apply page_add_ok; apply XO; lia|]. intros r s' b D M. apply wp_ret. eapply ONE; eauto. }
  destruct (f =? NIE_PAGE_ADD_ZERO).
  { x_load. x_load. x_load. x_load. x_load. apply wp_bind. eapply plug; [exact MI|apply page_add_zero_ok; apply XO; lia|]. intros r s' b D M. apply wp_ret. eapply ONE; eauto. }
  destruct (f =? NIE_PAGE_SHARED_ADD).
  { x_load. x_load. x_load. x_load. apply wp_bind. eapply plug; [exact MI|apply page_shared_add_ok; apply XO; lia|]. intros r s' b D M. apply wp_ret. eapply ONE; eauto. }
  apply wp_ret. eapply ONE; [left; apply no_step|exact MI].
Qed.

Lemma did_registers : forall c a b d, did c a b -> registers_only c b d -> did c a d.
Proof.
  intros c a b d [S|(a1 & b1 & X & Y & Z & S)] RO; [left|right; exists a1, b1; split; auto; split; auto; split; auto];
    (eapply steps_trans; [exact S|]; apply one_step; now apply Registers).
Qed.

(* On other CPUs the same runs. *)
Lemma steps_others : forall c a b, steps c a b -> forall d, 0 <= d < NIE_MAX_CPUS -> d <> c -> cpu_vm (cpu_at b d) = cpu_vm (cpu_at a d).
Proof.
  assert (PUT : forall c r a d, d <> c -> cpu_at (set_cpu c r a) d = cpu_at a d).
  { intros c r a d N. rewrite cpu_at_put. now replace (d =? c) with false by lia. }
  intros c a b S. induction S as [|a b e ST S IH]; intros d D N; auto. rewrite IH by auto. destruct ST; auto.
  - destruct H. now apply ro_runs.
  - unfold leave. now rewrite PUT.
  - unfold enter. now rewrite PUT.
Qed.
Lemma did_others : forall c a b, did c a b -> forall d, 0 <= d < NIE_MAX_CPUS -> d <> c -> cpu_vm (cpu_at b d) = cpu_vm (cpu_at a d).
Proof.
  intros c a b [S|(a1 & b1 & X & _ & Z & S)] d D N; [eapply steps_others; eauto|].
  rewrite (steps_others _ _ _ S d D N), (Z d D). destruct X. now apply ro_runs.
Qed.

Theorem trap_steps_wp : forall a s kind, let c := me (hw s) in R a s -> unclaimed (hw s) -> manifest_ok (glob s) -> x_ok c (glob s) ->
  wp (trap c kind) (fun r s' => exists b, did c a b /\ R b s' /\ manifest_ok (glob s') /\ unclaimed (hw s') /\ (r = TRAP_CPU_OFF -> cpu_vm (cpu_at b c) = CPU_HOST)) s.
Proof.
  intros a [gl h] kind c HR UC MO XO. pose proof (mid_of_R _ _ HR MO UC) as MI. fold c in MI. cbn [glob hw] in *.
  eapply trap_wp with (Rel := did c a); [exact MI|exact XO|now left| |].
  - intros r s' (b & [S OFF] & M). destruct (R_of_mid _ _ _ M) as [HR' RO]. exists (snapshot b (glob s') (hw s')).
    split; [eapply did_registers; eauto|]. split; [exact HR'|]. split; [apply M|]. split; [apply M|]. intro X. destruct (ro_runs _ _ _ RO c (mi_c _ _ _ _ M)) as [-> _]. auto.
  - intros HO h' M. eapply host_call_wp; [exact M|exact HO|exact XO|]. auto.
Qed.

Lemma q_quick : forall c gl0 hw0 A (V : Z -> Z -> Prop) (fine : (Z -> Z) -> Prop) kind, 0 <= c < 8 -> keeps c gl0 hw0 A V fine (quick c kind) any.
Proof.
  intros c gl0 hw0 A V fine kind C. pose proof (q_skip c gl0 hw0 A V fine) as K1. pose proof (q_class c gl0 hw0 A V fine) as K2.
  assert (K3 : forall f, keeps c gl0 hw0 A V fine (vcpu_call.fixed_answer f) any) by (intro; unfold vcpu_call.fixed_answer; quiet).
  assert (K6 : forall s x y, keeps c gl0 hw0 A V fine (put_answer c s x y) any) by (intros; unfold put_answer; quiet).
  assert (K7 : keeps c gl0 hw0 A V fine (call_version c) any) by (unfold call_version; quiet).
  assert (K4 : forall e, keeps c gl0 hw0 A V fine (quick_host c e) any) by (intro; unfold quick_host; quiet).
  assert (K5 : forall e, keeps c gl0 hw0 A V fine (quick_vcpu c e) any) by (intro; unfold quick_vcpu; quiet).
  unfold quick. quiet.
Qed.

Theorem quick_wp : forall a s kind, let c := me (hw s) in R a s -> unclaimed (hw s) -> manifest_ok (glob s) ->
  wp (quick c kind) (fun _ s' => exists b, registers_only c a b /\ R b s' /\ manifest_ok (glob s') /\ unclaimed (hw s')) s.
Proof.
  intros a s kind c HR UC MO. pose proof (mid_of_R _ _ HR MO UC) as MI. fold c in MI.
  eapply run_any; [exact MI|intros; apply q_quick; exact (mi_c _ _ _ _ MI)|]. intros r s' M. destruct (R_of_mid _ _ _ M) as [HR' RO].
  exists (snapshot a (glob s') (hw s')). split; [exact RO|]. split; [exact HR'|]. split; apply M.
Qed.
