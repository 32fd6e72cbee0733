(* SPDX-License-Identifier: Apache-2.0 *)
(* host_call: the C reads, does and answers what spec/call/host_call.v says. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.call.host_call.
From nie.spec Require Import Core.
From nie.proof.refine Require Import page_remove_refines table_remove_refines page_add_zero_refines page_shared_add_refines vm_stop_refines vm_activate_refines Built
  life_refines table_add_refines page_add_refines vcpu_destroy_refines vcpu_create_refines vm_destroy_refines vm_create_refines vm_info_refines vcpu_run_refines.
From nie.proof.refine Require Export host_call_exact.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Lemma pair_one : forall c (r : Z * state), (let '(st, b) := r in answer c [st] b) = answer c [fst r] (snd r).
Proof. now intros c []. Qed.
Lemma pair_three : forall c (r : (Z * Z * Z) * state),
  (let '((st, x1, x2), b) := r in answer c [st; x1; x2] b) = answer c [fst (fst (fst r)); snd (fst (fst r)); snd (fst r)] (snd r).
Proof. now intros c [[[]]]. Qed.

(* The pages are named by address there, by place here. *)
Definition by_page (p : Z) (f : Z -> Z -> Z) : Z -> Z -> Z := fun q => f (q - p).
Lemma read_there_ext : forall s vm ipa pa n f g, (forall i w, f i w = g i w) -> read_there s vm ipa pa n f -> read_there s vm ipa pa n g.
Proof.
  intros s vm ipa pa n f g E (s0 & s1 & H1 & H2 & H3). exists s0, s1. split; [auto|]. split; [auto|]. intros i I. destruct (H3 i I) as [P W].
  split; auto. intros w X. rewrite <- E. auto.
Qed.

Section Call.
Variables (a : state) (s : MACH).
Let c := me (hw s).
Notation x := (x_of a c).
Hypothesis HR : R a s.
Hypothesis HO : cpu_vm (cpu_at a c) = CPU_HOST.
Hypothesis XO : x_ok c (glob s).

Lemma x_here : forall i, 0 <= i < 31 -> at1 cpus_x (glob s) (c * 31 + i) = x i.
Proof. intros i I. exact (h_x _ _ _ (g_cpus _ _ (R_globals _ _ HR) c (r_me _ _ (R_regs _ _ HR))) i I). Qed.
Lemma x_u64 : forall i, 0 <= i < 31 -> 0 <= x i < 2 ^ 64.
Proof. intros i I. rewrite <- x_here by auto. now apply XO. Qed.

Definition measured_there (content : Z -> Z -> Z) : Prop :=
  x 0 mod 2 ^ 32 = NIE_PAGE_ADD ->
  fst (nie.spec.call.page_add.page_add (x 1) (x 2) (x 3) (x 4) (fun i => content (page_of (x 3) + i)) a) = NIE_OK -> measures s x content.
End Call.

(* Registers are read before the call and are as the state says. *)
Ltac load XH := apply wp_bind; eapply wp_load2; [reflexivity|lia|lia|]; cbn beta; rewrite XH by lia.
Ltac loads XH := repeat load XH.
(* A call's own theorem; then its answer is put where it belongs. *)
Ltac kept O1 F1 := split; [first [now apply O1|apply O1; easy|now apply (ol_field _ _ _ O1)]|first [now apply stays_frame|rewrite F1; apply stays_refl]].
Ltac by_three thm :=
  match goal with a : state, HR : R ?a (Mach ?gl ?h), XU : forall i, 0 <= i < 31 -> 0 <= _ < _, nothing : Z -> Z -> Z,
    NOT : forall k content, ?f = k -> k <> NIE_PAGE_ADD -> _, E : ?f = ?k |- _ =>
    eapply wp_weaken; [apply thm; apply XU; lia|]; cbn beta zeta; rewrite pair_three; cbn [hw glob]; intros [[r1 r2] r3] s1 (Er & R1 & O1 & F1); apply wp_ret;
    eapply wp_weaken; [refine (three a (Mach gl h) HR _ s1 r1 r2 r3 _); split; [exact R1|kept O1 F1]|];
    rewrite <- Er; cbn beta; cbn [fst snd]; intros [] s2 D; exists nothing; split; [exact D|now apply (NOT _ _ E)] end.
Ltac by_one thm :=
  match goal with a : state, HR : R ?a (Mach ?gl ?h), XU : forall i, 0 <= i < 31 -> 0 <= _ < _, nothing : Z -> Z -> Z,
    NOT : forall k content, ?f = k -> k <> NIE_PAGE_ADD -> _, E : ?f = ?k |- _ =>
    eapply wp_weaken; [apply thm; apply XU; lia|]; cbn beta zeta; rewrite pair_one; cbn [hw glob]; intros r s1 (Er & R1 & O1 & F1); apply wp_ret;
    eapply wp_weaken; [refine (one a (Mach gl h) HR _ s1 r _); split; [exact R1|kept O1 F1]|];
    rewrite <- Er; cbn beta; intros [] s2 D; exists nothing; split; [exact D|now apply (NOT _ _ E)] end.

Theorem host_call_refines : forall a s, let c := me (hw s) in R a s -> call_spares a c (hw s) -> cpu_vm (cpu_at a c) = CPU_HOST -> x_ok c (glob s) ->
  wp (host_call c) (fun _ s' => exists content, done s (spec_host_call c (inputs_from (hw s)) content a) s' /\ measured_there a s content) s.
Proof.
  intros a [gl h] c HR CS HO XO. pose proof (r_me _ _ (R_regs _ _ HR)) as C. cbn [hw] in C, c. fold c in C. unfold NIE_MAX_CPUS in C.
  pose proof (x_here a _ HR) as XH. pose proof (x_u64 a _ HR XO) as XU. cbn [hw glob] in XH, XU |- *. fold c in XH, XU.
  unfold host_call, spec_host_call. cbv zeta. load XH. apply wp_bind. apply wp_ret.
  change 4294967295 with (Z.ones 32). rewrite Z.land_ones by lia.
  unfold call_returning, call_simple. set (f := x_of a c 0 mod 2 ^ 32).
  assert (SELF : done (Mach gl h) a (Mach gl h)) by (split; [exact HR|split; [reflexivity|apply stays_refl]]).
  assert (NOT : forall k content, f = k -> k <> NIE_PAGE_ADD -> measured_there a (Mach gl h) content).
  { intros k content E N F. exfalso. apply N. cbn [hw] in F. fold c f in F. congruence. }
  set (nothing := fun _ _ : Z => 0).
  destruct (Z.eqb_spec f NIE_VERSION) as [E|N0].
  { unfold call_version. apply wp_bind. eapply wp_weaken; [exact (three a _ HR _ _ NIE_OK NIE_ABI_VERSION 0 SELF)|]. cbn beta. intros [] s' D.
    apply wp_ret. exists nothing. split; [exact D|]. now apply (NOT _ _ E). }
  destruct (Z.eqb_spec f NIE_VM_INFO) as [E|N1].
  { apply wp_bind. eapply wp_weaken; [exact (vm_info_refines a _ c HR C (XU 1 ltac:(lia)))|]. cbn beta. intros _ s' (R1 & O & F).
    apply wp_ret. exists nothing. split; [|now apply (NOT _ _ E)]. split; [exact R1|]. split; [now apply (ox_field _ _ _ _ O)|]. rewrite F. apply stays_refl. }
  destruct (Z.eqb_spec f NIE_VCPU_RUN) as [E|N2].
  { unfold host_vcpu_run. apply wp_bind. loads XH. apply wp_bind.
    eapply wp_weaken; [exact (vcpu_run_refines a (Mach gl h) (x_of a c 1) (x_of a c 2) HR HO (XU 1 ltac:(lia)) (XU 2 ltac:(lia)))|]. cbn beta zeta.
    cbn [hw glob]. fold c. destruct (spec_vcpu_run c (x_of a c 1) (x_of a c 2) (inputs_from h) a) as [st b]. cbn [fst snd]. intros r s1 (-> & R1 & O1 & S1).
    assert (D : done (Mach gl h) b s1) by (split; [exact R1|split; [now apply O1|exact S1]]).
    destruct (st =? NIE_OK); cbn [negb].
    - apply wp_ret. apply wp_ret. exists nothing. split; [exact D|now apply (NOT _ _ E)].
    - eapply wp_weaken; [exact (one a _ HR _ _ st D)|]. cbn beta. intros [] s2 D2. apply wp_ret. exists nothing. split; [exact D2|now apply (NOT _ _ E)]. }
  assert (IX : index 8 c = ret (S := MACH) c) by (unfold index; now replace ((0 <=? c) && (c <? 8))%bool with true by lia).
  destruct (Z.eqb_spec f NIE_VM_DESTROY) as [E|N3]; cbn [orb].
  { do 2 apply wp_bind. rewrite IX. apply wp_ret. loads XH. apply wp_bind. by_three (vm_destroy_refines a (Mach gl h) (x_of a c 1) HR). }
  destruct (Z.eqb_spec f NIE_VCPU_DESTROY) as [E|N4]; cbn [orb].
  { do 2 apply wp_bind. rewrite IX. apply wp_ret. loads XH. apply wp_bind. by_three (vcpu_destroy_refines a (Mach gl h) (x_of a c 1) (x_of a c 2) HR). }
  destruct (Z.eqb_spec f NIE_TABLE_REMOVE) as [E|N5]; cbn [orb].
  { do 2 apply wp_bind. rewrite IX. apply wp_ret. loads XH. apply wp_bind. by_three (table_remove_refines a (Mach gl h) (x_of a c 1) (x_of a c 2) (x_of a c 3) HR). }
  destruct (Z.eqb_spec f NIE_PAGE_REMOVE) as [E|N6]; cbn [orb].
  { do 2 apply wp_bind. rewrite IX. apply wp_ret. loads XH. apply wp_bind. by_three (page_remove_refines a (Mach gl h) (x_of a c 1) (x_of a c 2) (x_of a c 3) HR (CS HO E)). }
  do 2 apply wp_bind. rewrite IX. apply wp_ret.
  destruct (Z.eqb_spec f NIE_VM_CREATE) as [E|N7].
  { loads XH. apply wp_bind. replace (inputs_from h 0%nat) with (inputs h (taken h)) by (unfold inputs_from; now rewrite Nat.add_0_r).
    by_one (vm_create_refines a (Mach gl h) (x_of a c 1) (x_of a c 2) (x_of a c 3) (x_of a c 4) (x_of a c 5) HR). }
  destruct (Z.eqb_spec f NIE_VM_ACTIVATE) as [E|N8].
  { loads XH. apply wp_bind. by_one (vm_activate_refines a (Mach gl h) (x_of a c 1) HR). }
  destruct (Z.eqb_spec f NIE_VM_STOP) as [E|N9].
  { loads XH. apply wp_bind. by_one (vm_stop_refines a (Mach gl h) (x_of a c 1) HR). }
  destruct (Z.eqb_spec f NIE_VCPU_CREATE) as [E|N10].
  { loads XH. apply wp_bind. by_one (vcpu_create_refines a (Mach gl h) (x_of a c 1) (x_of a c 2) (x_of a c 3) (x_of a c 4) (x_of a c 5) (x_of a c 6) HR). }
  destruct (Z.eqb_spec f NIE_TABLE_ADD) as [E|N11].
  { loads XH. apply wp_bind. by_one (table_add_refines a (Mach gl h) (x_of a c 1) (x_of a c 2) (x_of a c 3) (x_of a c 4) HR). }
  destruct (Z.eqb_spec f NIE_PAGE_ADD) as [E|N12].
  { loads XH. apply wp_bind. eapply wp_weaken.
    { apply (page_add_refines a (Mach gl h) (x_of a c 1) (x_of a c 2) (x_of a c 3) (x_of a c 4) HR); apply XU; lia. }
    cbn beta. cbn [hw glob]. intros r s1 (content & Er & R1 & O1 & F1 & M). apply wp_ret.
    eapply wp_weaken; [apply (one a _ HR (snd (nie.spec.call.page_add.page_add (x_of a c 1) (x_of a c 2) (x_of a c 3) (x_of a c 4) content a)) s1 r)|].
    { split; [exact R1|]. split; [now apply O1|now apply stays_frame]. }
    cbn beta. intros [] s2 D. exists (by_page (page_of (x_of a c 3)) content).
    assert (EX : forall i w, by_page (page_of (x_of a c 3)) content (page_of (x_of a c 3) + i) w = content i w).
    { intros i w. unfold by_page. now replace (page_of (x_of a c 3) + i - page_of (x_of a c 3)) with i by lia. }
    rewrite (page_add_ext _ _ _ _ _ content a EX), pair_one. split; [rewrite <- Er; exact D|].
    intros _ OK. cbn [hw] in OK. fold c in OK. rewrite (page_add_ext _ _ _ _ _ content a EX), <- Er in OK.
    unfold measures. cbn [hw]. fold c. eapply read_there_ext; [|exact (M OK)]. intros i w. symmetry. apply EX. }
  destruct (Z.eqb_spec f NIE_PAGE_ADD_ZERO) as [E|N13].
  { loads XH. apply wp_bind. by_one (page_add_zero_refines a (Mach gl h) (x_of a c 1) (x_of a c 2) (x_of a c 3) (x_of a c 4) (x_of a c 5) HR). }
  destruct (Z.eqb_spec f NIE_PAGE_SHARED_ADD) as [E|N14].
  { loads XH. apply wp_bind. by_one (page_shared_add_refines a (Mach gl h) (x_of a c 1) (x_of a c 2) (x_of a c 3) (x_of a c 4) HR). }
  apply wp_ret. eapply wp_weaken; [exact (one a _ HR _ _ NIE_E_CALL SELF)|]. cbn beta. intros [] s2 D. exists nothing. split; [exact D|].
  intro F. exfalso. apply N12. cbn [hw] in F. exact F.
Qed.
