(* SPDX-License-Identifier: Apache-2.0 *)
(* The theorems, about the deep terms of the C files that the image is built from. What they do not cover is in
   proof/README.md. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World Wp C_text_sound.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.invariant Require Import Meaning.
From nie.proof.refine Require Import Relation Shared page_remove_checks page_remove_refines table_remove_refines page_add_zero_refines page_shared_add_refines table_add_refines page_add_refines statements.
Require nie.generated.call.page_remove nie.generated.call.table_remove nie.generated.call.page_add_zero nie.generated.call.page_shared_add nie.generated.call.table_add nie.generated.call.page_add.
From nie.proof.refine Require Import vm_stop_refines vm_activate_refines vm_info_refines vcpu_destroy_refines.
Require nie.generated.call.vcpu_destroy nie.generated.call.vm_info nie.generated.call.vm_stop nie.generated.call.vm_activate.
From nie.proof.refine Require Import vcpu_create_refines vcpu_create_statement vcpu_run_refines vcpu_run_statement.
From nie.proof.refine Require vcpu_leaves.
From nie.spec Require Switch.
Require nie.generated.call.vcpu_run nie.generated.state.world nie.generated.call.vcpu_create.
From nie.proof.refine Require Import vm_create_refines vm_create_statement vm_destroy_refines vm_destroy_statement.
Require nie.generated.call.vm_create nie.generated.call.vm_destroy.
From nie.proof.refine Require Import trap_is_safe boot_is_safe host_call_refines host_call_statement trap_exact trap_statement cpu_start_exact vcpu_trap_statement quick_exact.
From nie.proof.refine Require Export related.
From nie.proof.refine Require Standing vcpu_trap_exact.
Require nie.spec.trap.trap nie.generated.call.host_call nie.generated.boot nie.generated.trap.trap nie.generated.trap.quick.
Import ListNotations.
Open Scope Z_scope.

(* A vCPU leaves its CPU exactly as spec/Switch.v says, and tells the host what it says. *)
Theorem exit_vcpu_is_correct : exit_vcpu_correct Program.core.
Proof.
  intros a s v i e HR RU. destruct (vcpu_leaves.exit_vcpu_exact a s v i e HR RU) as (s' & E & H). exists s'. split; [|exact H].
  exact (Program.core_means "exit_vcpu"%string nie.generated.state.world.exit_vcpu_sem eq_refl
    [me (hw s); Switch.exit_reason e; Switch.exit_ipa e; Switch.exit_width e; Switch.exit_value e] s tt s' E).
Qed.

(* VCPU_RUN does exactly what spec/call/vcpu_run.v says, register for register. *)
Theorem vcpu_run_is_correct : vcpu_run_correct Program.core.
Proof.
  intros a s vm vcpu HR HO HV HU. pose proof (vcpu_run_refines a s vm vcpu HR HO HV HU) as H. unfold wp in H. cbn zeta in H.
  destruct (nie.generated.call.vcpu_run.call_vcpu_run (me (hw s)) vm vcpu s) as [[st s']|] eqn:E; [|easy].
  destruct H as (F & HR' & O & Fr). destruct (spec_vcpu_run (me (hw s)) vm vcpu (inputs_from (hw s)) a) as [r a'] eqn:S. cbn [fst snd] in *. subst r.
  exists st, a', s'. split; [reflexivity|]. split; [|auto].
  exact (Program.core_means "call_vcpu_run"%string nie.generated.call.vcpu_run.call_vcpu_run_sem eq_refl [me (hw s); vm; vcpu] s st s' E).
Qed.

(* VCPU_CREATE does exactly what spec/call/vcpu_create.v says. *)
Theorem vcpu_create_is_correct : vcpu_create_correct Program.core.
Proof.
  intros a s vm vcpu context run entry argument HR HV HU HC HN HE.
  pose proof (vcpu_create_refines a s vm vcpu context run entry argument HR HV HU HC HN HE) as H. unfold wp in H. cbn zeta in H.
  destruct (nie.generated.call.vcpu_create.call_vcpu_create vm vcpu context run entry argument s) as [[st s']|] eqn:E; [|easy].
  destruct H as (F & HR' & O & Fr). destruct (spec_vcpu_create vm vcpu context run entry argument a) as [r a'] eqn:S. cbn [fst snd] in *. subst r.
  exists st, a', s'. split; [reflexivity|]. split; [|auto].
  exact (Program.core_means "call_vcpu_create"%string nie.generated.call.vcpu_create.call_vcpu_create_sem eq_refl
    [vm; vcpu; context; run; entry; argument] s st s' E).
Qed.

(* VCPU_DESTROY does exactly what spec/call/vcpu_destroy.v says. *)
Theorem vcpu_destroy_is_correct : vcpu_destroy_correct Program.core.
Proof.
  intros a s vm vcpu HR HV HU. pose proof (vcpu_destroy_refines a s vm vcpu HR HV HU) as H. unfold wp in H.
  destruct (nie.generated.call.vcpu_destroy.call_vcpu_destroy vm vcpu s) as [[[[st x1] x2] s']|] eqn:E; [|easy].
  destruct H as (F & HR' & O & Fr). destruct (spec_vcpu_destroy vm vcpu a) as [r a'] eqn:S. cbn [fst snd] in *. subst r.
  exists st, x1, x2, a', s'. split; [reflexivity|]. split; [|auto].
  exact (Program.core_means "call_vcpu_destroy"%string nie.generated.call.vcpu_destroy.call_vcpu_destroy_sem eq_refl
    [vm; vcpu] s (st, x1, x2) s' E).
Qed.

(* VM_CREATE does exactly what spec/call/vm_create.v says, for the counter that it read. *)
Theorem vm_create_is_correct : vm_create_correct Program.core.
Proof.
  intros a s vm root base pages count HR HV HT HB HP HC now. pose proof (vm_create_refines a s vm root base pages count HR HV HT HB HP HC) as H.
  cbv zeta in H. fold now in H. unfold wp in H.
  destruct (nie.generated.call.vm_create.call_vm_create vm root base pages count s) as [[st s']|] eqn:E; [|easy].
  destruct H as (F & HR' & O & Fr). destruct (spec_vm_create vm root base pages count now a) as [r a'] eqn:S. cbn [fst snd] in *. subst r.
  exists st, a', s'. split; [reflexivity|]. split; [|auto].
  exact (Program.core_means "call_vm_create"%string nie.generated.call.vm_create.call_vm_create_sem eq_refl
    [vm; root; base; pages; count] s st s' E).
Qed.

(* VM_DESTROY does exactly what spec/call/vm_destroy.v says. *)
Theorem vm_destroy_is_correct : vm_destroy_correct Program.core.
Proof.
  intros a s vm HR HV. pose proof (vm_destroy_refines a s vm HR HV) as H. unfold wp in H.
  destruct (nie.generated.call.vm_destroy.call_vm_destroy vm s) as [[[[st x1] x2] s']|] eqn:E; [|easy].
  destruct H as (F & HR' & O & Fr). destruct (spec_vm_destroy vm a) as [r a'] eqn:S. cbn [fst snd] in *. subst r.
  exists st, x1, x2, a', s'. split; [reflexivity|]. split; [|auto].
  exact (Program.core_means "call_vm_destroy"%string nie.generated.call.vm_destroy.call_vm_destroy_sem eq_refl [vm] s (st, x1, x2) s' E).
Qed.

(* VM_INFO does exactly what spec/call/vm_info.v says. *)
Theorem vm_info_is_correct : vm_info_correct Program.core.
Proof.
  intros a s c HR C X. pose proof (vm_info_refines a s c HR C X) as H. unfold wp in H.
  destruct (nie.generated.call.vm_info.call_vm_info c s) as [[u s']|] eqn:E; [|easy]. exists s'. split; [|exact H].
  exact (Program.core_means "call_vm_info"%string nie.generated.call.vm_info.call_vm_info_sem eq_refl [c] s u s' E).
Qed.

(* VM_STOP does exactly what spec/call/vm_stop.v says. *)
Theorem vm_stop_is_correct : vm_stop_correct Program.core.
Proof.
  intros a s vm HR HV. pose proof (vm_stop_refines a s vm HR HV) as H. unfold wp in H.
  destruct (nie.generated.call.vm_stop.call_vm_stop vm s) as [[st s']|] eqn:E; [|easy].
  destruct H as (F & HR' & O & Fr). destruct (spec_vm_stop vm a) as [r a'] eqn:S. cbn [fst snd] in *. subst r.
  exists st, a', s'. split; [reflexivity|]. split; [|auto].
  exact (Program.core_means "call_vm_stop"%string nie.generated.call.vm_stop.call_vm_stop_sem eq_refl [vm] s st s' E).
Qed.

(* VM_ACTIVATE does exactly what spec/call/vm_activate.v says. *)
Theorem vm_activate_is_correct : vm_activate_correct Program.core.
Proof.
  intros a s vm HR HV. pose proof (vm_activate_refines a s vm HR HV) as H. unfold wp in H.
  destruct (nie.generated.call.vm_activate.call_vm_activate vm s) as [[st s']|] eqn:E; [|easy].
  destruct H as (F & HR' & O & Fr). destruct (spec_vm_activate vm a) as [r a'] eqn:S. cbn [fst snd] in *. subst r.
  exists st, a', s'. split; [reflexivity|]. split; [|auto].
  exact (Program.core_means "call_vm_activate"%string nie.generated.call.vm_activate.call_vm_activate_sem eq_refl [vm] s st s' E).
Qed.

(* PAGE_REMOVE does exactly what spec/call/page_remove.v says, whatever the other CPUs do meanwhile. *)
Theorem page_remove_is_correct : page_remove_correct Program.core.
Proof.
  intros a s vm ipa count HR SP HV HI HC.
  pose proof (page_remove_refines a s vm ipa count HR SP HV HI HC) as H. unfold wp in H.
  destruct (nie.generated.call.page_remove.call_page_remove vm ipa count s) as [[[[st x1] x2] s']|] eqn:E; [|easy].
  destruct H as (F & HR' & O & Fr). destruct (spec_page_remove vm ipa count a) as [r a'] eqn:S. cbn [fst snd] in *. subst r.
  exists st, x1, x2, a', s'. split; [reflexivity|]. split; [|auto].
  unfold run_of.
  exact (Program.core_means "call_page_remove"%string nie.generated.call.page_remove.call_page_remove_sem eq_refl
    [vm; ipa; count] s (st, x1, x2) s' E).
Qed.

(* TABLE_REMOVE does exactly what spec/call/table_remove.v says. *)
Theorem table_remove_is_correct : table_remove_correct Program.core.
Proof.
  intros a s vm ipa level HR HV HI HL.
  pose proof (table_remove_refines a s vm ipa level HR HV HI HL) as H. unfold wp in H.
  destruct (nie.generated.call.table_remove.call_table_remove vm ipa level s) as [[[[st x1] x2] s']|] eqn:E; [|easy].
  destruct H as (F & HR' & O & Fr). destruct (spec_table_remove vm ipa level a) as [r a'] eqn:S. cbn [fst snd] in *. subst r.
  exists st, x1, x2, a', s'. split; [reflexivity|]. split; [|auto].
  exact (Program.core_means "call_table_remove"%string nie.generated.call.table_remove.call_table_remove_sem eq_refl
    [vm; ipa; level] s (st, x1, x2) s' E).
Qed.

(* PAGE_ADD_ZERO does exactly what spec/call/page_add_zero.v says. *)
Theorem page_add_zero_is_correct : page_add_zero_correct Program.core.
Proof.
  intros a s vm ipa pa count level HR HV HI HP HC HL.
  pose proof (page_add_zero_refines a s vm ipa pa count level HR HV HI HP HC HL) as H. unfold wp in H.
  destruct (nie.generated.call.page_add_zero.call_page_add_zero vm ipa pa count level s) as [[st s']|] eqn:E; [|easy].
  destruct H as (F & HR' & O & Fr). destruct (spec_page_add_zero vm ipa pa count level a) as [r a'] eqn:S. cbn [fst snd] in *. subst r.
  exists st, a', s'. split; [reflexivity|]. split; [|auto].
  exact (Program.core_means "call_page_add_zero"%string nie.generated.call.page_add_zero.call_page_add_zero_sem eq_refl
    [vm; ipa; pa; count; level] s st s' E).
Qed.

(* PAGE_SHARED_ADD does exactly what spec/call/page_shared_add.v says. *)
Theorem page_shared_add_is_correct : page_shared_add_correct Program.core.
Proof.
  intros a s vm ipa pa count HR HV HI HP HC.
  pose proof (page_shared_add_refines a s vm ipa pa count HR HV HI HP HC) as H. unfold wp in H.
  destruct (nie.generated.call.page_shared_add.call_page_shared_add vm ipa pa count s) as [[st s']|] eqn:E; [|easy].
  destruct H as (F & HR' & O & Fr). destruct (spec_page_shared_add vm ipa pa count a) as [r a'] eqn:S. cbn [fst snd] in *. subst r.
  exists st, a', s'. split; [reflexivity|]. split; [|auto].
  exact (Program.core_means "call_page_shared_add"%string nie.generated.call.page_shared_add.call_page_shared_add_sem eq_refl
    [vm; ipa; pa; count] s st s' E).
Qed.

(* TABLE_ADD does exactly what spec/call/table_add.v says. *)
Theorem table_add_is_correct : table_add_correct Program.core.
Proof.
  intros a s vm ipa level pa HR HV HI HL HP.
  pose proof (table_add_refines a s vm ipa level pa HR HV HI HL HP) as H. unfold wp in H.
  destruct (nie.generated.call.table_add.call_table_add vm ipa level pa s) as [[st s']|] eqn:E; [|easy].
  destruct H as (F & HR' & O & Fr). destruct (spec_table_add vm ipa level pa a) as [r a'] eqn:S. cbn [fst snd] in *. subst r.
  exists st, a', s'. split; [reflexivity|]. split; [|auto].
  exact (Program.core_means "call_table_add"%string nie.generated.call.table_add.call_table_add_sem eq_refl
    [vm; ipa; level; pa] s st s' E).
Qed.

(* PAGE_ADD does what spec/call/page_add.v says, for what the pages held when it had taken them from the host. *)
Theorem page_add_is_correct : page_add_correct Program.core.
Proof.
  intros a s vm ipa pa count HR HV HI HP HC.
  pose proof (page_add_refines a s vm ipa pa count HR HV HI HP HC) as H. unfold wp in H.
  destruct (nie.generated.call.page_add.call_page_add vm ipa pa count s) as [[st s']|] eqn:E; [|easy].
  destruct H as (content & F & HR' & O & Fr & There). destruct (spec_page_add vm ipa pa count content a) as [r a'] eqn:S. cbn [fst snd] in *. subst r.
  exists content, st, a', s'. split; [exact S|]. split.
  { exact (Program.core_means "call_page_add"%string nie.generated.call.page_add.call_page_add_sem eq_refl
      [vm; ipa; pa; count] s st s' E). }
  split; [exact HR'|]. split; [exact O|]. split; [exact Fr|]. intro K. destruct (There K) as (s0 & s1 & C0 & C1 & M). exists s0, s1.
  split; [exact (Program.core_means "page_add_check"%string nie.generated.call.page_add.page_add_check_sem eq_refl
    [vm; ipa; pa; count] s NIE_OK s0 C0)|].
  split; [|exact M].
  exact (Program.core_means "donate"%string nie.generated.state.donate.donate_sem eq_refl
    [vm; State.page_of pa; count; GRANULE_DATA; vm; 0; 0; State.page_of ipa] s0 tt s1 C1).
Qed.

(* The host's calls, from register to register. *)
Theorem host_call_is_correct : host_call_correct Program.core.
Proof.
  intros a s c x ins HR CS HO XO. pose proof (host_call_refines a s HR CS HO XO) as H. unfold wp in H. fold c in H.
  destruct (nie.generated.call.host_call.host_call c s) as [[[] s']|] eqn:E; [|easy].
  destruct H as (content & [R1 [K S]] & M). exists content, s'.
  split; [exact (Program.core_means "host_call"%string nie.generated.call.host_call.host_call_sem eq_refl [c] s tt s' E)|].
  split; [exact R1|]. split; [exact K|]. split; [exact S|]. intros F first content_at OK. destruct (M F OK) as (s0 & s1 & C0 & C1 & W). exists s0, s1.
  split; [exact (Program.core_means "page_add_check"%string nie.generated.call.page_add.page_add_check_sem eq_refl [x 1; x 2; x 3; x 4] s NIE_OK s0 C0)|].
  split; [|exact W].
  exact (Program.core_means "donate"%string nie.generated.state.donate.donate_sem eq_refl
    [x 1; first; x 4; GRANULE_DATA; x 1; 0; 0; State.page_of (x 2)] s0 tt s1 C1).
Qed.

(* Any exception, of the host or of a vCPU, ends as spec/trap/trap.v says, register for register. *)
Theorem trap_is_correct : trap_correct Program.core.
Proof.
  intros w a s kind c HR CS D XO. set (x := Registers.x_of a c). pose proof (trap_exact w a s kind HR CS D XO) as H. unfold wp in H. fold c in H.
  destruct (nie.generated.trap.trap.trap c kind s) as [[r s']|] eqn:E; [|easy]. destruct H as (content & s1 & [TR R1 K T M] & ->).
  destruct (R_moment _ _ R1) as [R2 K2]. exists content, r, (a_moment s1). cbv zeta.
  split; [exact (Program.core_means "trap"%string nie.generated.trap.trap.trap_sem eq_refl [c; kind] s r (a_moment s1) E)|].
  split; [exact TR|]. split; [exact R2|]. split; [eapply keeps_trans; eauto|]. split; [intro GU; exists s1; auto|]. unfold measures_held. cbv zeta. fold c x. intros HO EK EC EF OK.
  assert (ME : me (hw (a_moment (a_moment s))) = c).
  { pose proof (at_moment _ _ _ _ _ (at_moment _ _ _ _ _ (Standing.stands_now a s HR))) as A. exact (Standing.sd_me _ _ _ _ _ A). }
  pose proof (M HO EK EC) as MT. unfold measured_there, measures in MT. rewrite ME in MT. fold x in MT. destruct (MT EF OK) as (s2 & s3 & C0 & C1 & W). exists s2, s3.
  split; [exact (Program.core_means "page_add_check"%string nie.generated.call.page_add.page_add_check_sem eq_refl [x 1; x 2; x 3; x 4] _ NIE_OK s2 C0)|].
  split; [|exact W].
  exact (Program.core_means "donate"%string nie.generated.state.donate.donate_sem eq_refl
    [x 1; State.page_of (x 3); x 4; GRANULE_DATA; x 1; 0; 0; State.page_of (x 2)] s2 tt s3 C1).
Qed.

(* What it asks of the manifest holds from boot on. *)
Theorem boot_describes : boot_describing Program.core.
Proof.
  intros h s' RS E. pose proof (boot_describes_run h RS) as H. unfold wp in H.
  destruct (nie.generated.boot.boot (Mach zero_globals h)) as [[r s1]|] eqn:B; [|easy].
  pose proof (Program.core_means "boot"%string nie.generated.boot.boot_sem eq_refl [] (Mach zero_globals h) r s1 B) as F.
  assert (K : Some ([BOOT_OK], s') = Some ([r], s1)) by (etransitivity; [symmetry; exact E|exact F]).
  injection K as K1 K2. rewrite K2. apply H. now symmetry.
Qed.

(* Every exception: no undefined behaviour, an end, every state on the way safe; who owns, maps and runs
   what changes by the named steps of invariant/trap_steps.v and the calls above alone. What registers hold is not said. *)
Theorem trap_is_safe : trap_safe Program.core.
Proof.
  intros a s kind c HR UC MO XO. pose proof (trap_steps_wp a s kind HR UC MO XO) as H. unfold wp in H. fold c in H.
  destruct (nie.generated.trap.trap.trap c kind s) as [[r s']|] eqn:E; [|easy]. destruct H as (b & S & HR' & MO' & UC' & OFF).
  exists r, b, s'. split; [|auto 6].
  exact (Program.core_means "trap"%string nie.generated.trap.trap.trap_sem eq_refl [c; kind] s r s' E).
Qed.

(* Every exception of a vCPU ends exactly as spec/trap/trap.v says, and tells the host what it says. *)
Theorem vcpu_trap_is_correct : vcpu_trap_correct Program.core.
Proof.
  intros a s kind HR c GU XO.
  assert (H : wp (nie.generated.trap.trap.vcpu_trap c kind) (fun _ s' => Told.ends (own a) s (nie.spec.trap.trap.vcpu_trap c kind a) s') s).
  { eapply vcpu_trap_exact.vcpu_trap_exact; [apply Standing.stands_now, HR|exact GU|exact XO|auto]. }
  unfold wp in H. destruct (nie.generated.trap.trap.vcpu_trap c kind s) as [[[] s']|] eqn:E; [|easy]. exists s'. split; [|exact H].
  exact (Program.core_means "vcpu_trap"%string nie.generated.trap.trap.vcpu_trap_sem eq_refl [c; kind] s tt s' E).
Qed.

(* The shorter way, before the lock: only registers change. *)
Theorem quick_is_safe : quick_safe Program.core.
Proof.
  intros a s kind c HR UC MO. pose proof (quick_wp a s kind HR UC MO) as H. unfold wp in H. fold c in H.
  destruct (nie.generated.trap.quick.quick c kind s) as [[r s']|] eqn:E; [|easy]. destruct H as (b & S & HR' & MO').
  exists r, b, s'. split; [|auto].
  exact (Program.core_means "quick"%string nie.generated.trap.quick.quick_sem eq_refl [c; kind] s r s' E).
Qed.

(* What it serves it serves as trap would have, and of any other exception it changes nothing. *)
Theorem quick_is_correct : quick_correct Program.core.
Proof.
  intros a s kind c HR. pose proof (quick_run a s kind HR) as H. unfold wp in H. fold c in H.
  destruct (nie.generated.trap.quick.quick c kind s) as [[r s']|] eqn:E; [|easy]. destruct H as [ER H]. subst r. exists s'. split; [|exact H].
  exact (Program.core_means "quick"%string nie.generated.trap.quick.quick_sem eq_refl [c; kind] s _ s' E).
Qed.

(* From reset on: [R] is no premise. boot answers what spec/trap/boot.v says of any manifest; of an accepted one it makes that state. *)
Theorem boot_is_correct : boot_correct Program.core.
Proof.
  intros h RS w. pose proof (boot_run h RS) as H. unfold wp in H. fold w in H.
  destruct (nie.generated.boot.boot (Mach zero_globals h)) as [[r s']|] eqn:E; [|easy]. exists r, s'. split; [|exact H].
  exact (Program.core_means "boot"%string nie.generated.boot.boot_sem eq_refl [] (Mach zero_globals h) r s' E).
Qed.

(* A CPU that starts, the first or by CPU_ON. *)
Theorem start_is_safe : start_safe Program.core.
Proof.
  intros a s c HR UC MO HO. pose proof (start_wp a s HR UC MO HO) as H. unfold wp in H. fold c in H.
  destruct (nie.generated.boot.cpu_start c s) as [[u s']|] eqn:E; [|easy]. destruct H as (b & S & HR' & MO').
  exists b, s'. split; [|auto].
  exact (Program.core_means "cpu_start"%string nie.generated.boot.cpu_start_sem eq_refl [c] s u s' E).
Qed.

(* What it has in its registers then is what spec/trap/boot.v says. *)
Theorem start_is_correct : start_correct Program.core.
Proof.
  intros a s c HR HO. pose proof (cpu_start_exact a s HR HO) as H. unfold wp in H. fold c in H.
  destruct (nie.generated.boot.cpu_start c s) as [[[] s']|] eqn:E; [|easy]. exists s'. split; [|exact H].
  exact (Program.core_means "cpu_start"%string nie.generated.boot.cpu_start_sem eq_refl [c] s tt s' E).
Qed.
