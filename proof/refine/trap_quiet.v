(* SPDX-License-Identifier: Apache-2.0 *)
(* What traps emulate with registers alone is quiet: injection, MMIO answers, system registers, the host's SMCs,
   the registers of a world switch. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.trap_h nie.generated.state.inject nie.generated.trap.mmio nie.generated.trap.id_register
  nie.generated.trap.host_smc nie.generated.state.world nie.generated.state.host nie.generated.trap.host_abort nie.generated.trap.sysreg
  nie.generated.state.granule nie.generated.granule_h nie.generated.call.vcpu_run nie.generated.trap.vcpu_call nie.generated.trap.vcpu_abort.
From nie.spec Require Import Core.
From nie.proof.refine Require Export Quiet.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Ltac q_consts := unfold REG_SWITCHED, NIE_LRS, RUN_IN_LR0, RUN_IN_X0, RUN_IN_FLAGS, RUN_IN_ICH_HCR, RUN_IN_END, CTX_X0, CTX_SYSREG, CTX_ICH, CTX_ICH_COUNT,
  CTX_VDISR, CTX_FP, RUN_OUT_LR0, RUN_OUT_X0, REG_ICH_VMCR_EL2, REG_ICH_LR0_EL2, REG_VTTBR_EL2, REG_VDISR_EL2, NIE_MAX_VMS, NIE_MAX_VCPUS, NIE_MAX_CPUS,
  MAN_MAX_DEVICES, MAN_DEVICE0, MAN_DEVICES, MAN_CPUS, MAN_GICR, MAN_RAM_BASE, MAN_RAM_PAGES, MAN_TABLES, NIE_MAX_CPUS in *.
Ltac q_wraps := repeat match goal with
  | |- context [wrap U64 ?x] => rewrite (wrap64 x) by lia
  | |- context [wrap U32 ?x] => rewrite (wrap32 x) by lia
  end.
Ltac q_arith := first [lia | (q_consts; q_wraps; lia) | reflexivity | discriminate | (split; [discriminate | reflexivity])].

Lemma land_pos : forall x m, 0 <= m -> 0 <= Z.land x m.
Proof. intros. apply Z.land_nonneg. auto. Qed.
Lemma land_small : forall x n, 0 <= n -> 0 <= Z.land x (Z.ones n) < 2 ^ n.
Proof. intros. rewrite Z.land_ones by lia. apply Z.mod_pos_bound. lia. Qed.

Create HintDb quiet discriminated.
#[export] Hint Constants Opaque : quiet.
Ltac q_leaf := solve [auto with quiet nocore].
Ltac q_load := first [eapply k_load1; [reflexivity | q_arith] | eapply k_any, k_load1; [reflexivity | q_arith] | eapply k_load2; [reflexivity | q_arith | q_arith]].
Ltac q_store := first [eapply k_store1; [reflexivity | q_arith | reflexivity | reflexivity] | eapply k_store2; [reflexivity | q_arith | q_arith | reflexivity | reflexivity]].
Ltac q_step := cbn beta iota; lazymatch goal with
  | |- keeps _ _ _ _ _ _ (bind (ret _) _) _ => apply k_let
  | |- keeps _ _ _ _ _ _ (bind (load _ _) _) _ => eapply k_bind; [q_load | let H := fresh "L" in intros ? H]
  | |- keeps _ _ _ _ _ _ (bind (store _ _ _) _) _ => eapply k_bind; [q_store | intros ? _]
  | |- keeps _ _ _ _ _ _ (bind (if ?b then _ else _) _) _ => eapply k_bind with (P := any); [destruct b | intros ? _]
  | |- keeps _ _ _ _ _ _ (bind (loop _ _ _ _) _) _ => eapply k_bind; [eapply k_loop with (I := any); [q_arith | exact Logic.I | let H := fresh "R" in intros ? ? H _] | intros ? _]
  | |- keeps _ _ _ _ _ _ (bind (sysreg_read _) _) _ => eapply k_bind; [apply k_sysreg_read | intros ? _]
  | |- keeps _ _ _ _ _ _ (bind (sysreg_write _ _) _) _ => eapply k_bind; [apply k_sysreg_write; q_arith | intros ? _]
  | |- keeps _ _ _ _ _ _ (bind _ _) _ => eapply k_bind with (P := any); [q_leaf | intros ? _]
  | |- keeps _ _ _ _ _ _ (if ?b then _ else _) _ => destruct b
  | |- keeps _ _ _ _ _ _ (ret _) any => apply k_ret; exact Logic.I
  | |- keeps _ _ _ _ _ _ (load _ _) any => q_load
  | |- keeps _ _ _ _ _ _ (store _ _ _) any => q_store
  | |- keeps _ _ _ _ _ _ (sysreg_write _ _) any => apply k_sysreg_write; q_arith
  | |- keeps _ _ _ _ _ _ _ _ => q_leaf
  end.
Ltac quiet := repeat q_step.
#[export] Hint Resolve k_sysreg_read k_counter k_gicr_read k_gicr_write k_firmware k_firmware_on k_isb k_lock k_unlock k_fp_zero k_tlbi k_tlbi_local : quiet.

#[export] Hint Extern 1 (0 <= _ < 512) => q_arith : quiet.

Section Quiet.
Variables (cpu : Z) (gl0 : globals) (hw0 : Machine.hw) (A : aset) (V : Z -> Z -> Prop) (fine : (Z -> Z) -> Prop).
Hypothesis FV : forall m, fine m -> forall w d, now m w d -> V w d.
Notation keeps := (keeps cpu gl0 hw0 A V fine).

Lemma q_dsb : keeps dsb_ish any.
Proof. now apply k_dsb. Qed.
Lemma q_ic : keeps ic_invalidate any.
Proof. now apply k_ic. Qed.
Hint Resolve q_dsb q_ic : quiet.

(** Pure functions: no state at all. *)

Lemma q_class : forall e, keeps (exception_class e) any.
Proof. intros. unfold exception_class. quiet. Qed.
Lemma q_argument : forall f x, keeps (smccc_argument f x) any.
Proof. intros. unfold smccc_argument. quiet. Qed.
Lemma q_fault : forall h, keeps (fault_page h) (fun r => 0 <= r < 2 ^ 44).
Proof.
  intros. unfold fault_page. apply k_ret. apply (land_small (Z.shiftr h 4) 44). lia.
Qed.
Lemma q_vector : forall p, keeps (vector_offset p) any.
Proof. intros. unfold vector_offset. quiet. Qed.
Lemma q_handler : forall p s, keeps (handler_pstate p s) any.
Proof. intros. unfold handler_pstate. quiet. Qed.
Lemma q_decodable : forall e, keeps (mmio_decodable e) any.
Proof. intros. unfold mmio_decodable. quiet. Qed.
Lemma q_shl : forall x c (P : Z -> Prop), 0 <= c < 64 -> (forall r, P r) -> keeps (lift (binary Shl U64 x c)) P.
Proof.
  intros x c P C H. unfold binary. cbn [width signed andb]. replace ((c <? 0) || (64 <=? c))%bool with false by lia.
  unfold lift. apply k_ret. auto.
Qed.
Definition is_width (w : Z) : Prop := w = 1 \/ w = 2 \/ w = 4 \/ w = 8.
Lemma q_width : forall e, keeps (mmio_width e) is_width.
Proof.
  intro e. unfold mmio_width. assert (R : 0 <= Z.land (Z.shiftr e 22) 3 < 4) by apply (land_small _ 2 ltac:(lia)).
  set (c := Z.land (Z.shiftr e 22) 3) in *. eapply k_bind with (P := is_width); [|intros r H; now apply k_ret].
  unfold binary. cbn [width signed andb]. replace ((c <? 0) || (64 <=? c))%bool with false by lia.
  unfold lift. apply k_ret. unfold is_width. assert (c = 0 \/ c = 1 \/ c = 2 \/ c = 3) as [->|[->|[->| ->]]] by lia; vm_compute; auto.
Qed.
Lemma q_truncate : forall v w, is_width w -> keeps (mmio_truncate v w) any.
Proof.
  intros v w W. unfold mmio_truncate. eapply k_bind with (P := any); [|intros; quiet].
  destruct (Z.eqb_spec w 8); [quiet|]. eapply k_bind; [apply q_shl with (P := any); [|now intros]|intros; quiet].
  unfold is_width in W. rewrite wrap64; lia.
Qed.
Lemma q_extend : forall v s, keeps (extend v s) any.
Proof.
  intros v s. unfold extend. eapply k_bind; [apply q_width|]. intros w W. eapply k_bind; [now apply q_truncate|]. intros r _.
  eapply k_bind; [apply q_shl with (P := any); [|now intros]|intros; quiet]. unfold is_width in W. rewrite !wrap64; try lia. rewrite wrap64; lia.
Qed.
Hint Resolve q_class q_argument q_vector q_handler q_decodable q_extend : quiet.

(** Injection. *)

Lemma q_skip : keeps skip_instruction any.
Proof. unfold skip_instruction. quiet. Qed.
Lemma q_inject : forall e f, keeps (inject e f) any.
Proof. intros. unfold inject. quiet. Qed.
Hint Resolve q_skip q_inject : quiet.
Lemma q_undefined : keeps inject_undefined any.
Proof. unfold inject_undefined. quiet. Qed.
Lemma q_abort : forall e f, keeps (inject_abort e f) any.
Proof. intros. unfold inject_abort. quiet. Qed.
Hint Resolve q_undefined q_abort : quiet.

(** Identification registers. *)

Lemma q_shr : forall x c, 0 <= c < 64 -> keeps (lift (binary Shr U64 x c)) any.
Proof.
  intros x c C. unfold binary. cbn [width signed andb]. replace ((c <? 0) || (64 <=? c))%bool with false by lia.
  unfold lift. apply k_ret. exact Logic.I.
Qed.
Lemma q_field : forall v s, 0 <= s < 64 -> keeps (id_register.field v s) any.
Proof. intros. unfold id_register.field. eapply k_bind; [now apply q_shr|intros; quiet]. Qed.
Lemma q_capped : forall v s c, 0 <= s < 64 -> keeps (capped v s c) any.
Proof.
  intros. unfold capped. eapply k_bind; [now apply q_field|intros f _]. eapply k_bind with (P := any).
  - destruct (f <? c); [|quiet]. eapply k_bind; [now apply q_field|intros; quiet].
  - intros x _. eapply k_bind; [now apply q_shl with (P := any)|intros; quiet].
Qed.
Lemma q_processor : forall o, keeps (processor_features o) any.
Proof. intros. unfold processor_features. quiet. eapply k_bind; [apply q_capped; lia|intros; quiet]. Qed.
Lemma q_instruction : forall o, keeps (instruction_features o) any.
Proof. intros. unfold instruction_features. quiet. Qed.
Lemma q_memory : forall o, keeps (memory_features o) any.
Proof. intros. unfold memory_features. quiet. eapply k_bind; [apply q_capped; lia|intros; quiet]. Qed.
Hint Resolve q_processor q_instruction q_memory : quiet.
Lemma q_id : forall c o, keeps (id_register c o) any.
Proof. intros. unfold id_register. quiet. Qed.
Hint Resolve q_id : quiet.

(** What the engine keeps of one CPU. *)

Section Cpu.
Hypothesis C : 0 <= cpu < 8.

Lemma q_gpr_read : forall r, 0 <= r -> keeps (gpr_read cpu r) any.
Proof. intros r R. unfold gpr_read. eapply k_bind with (P := any); [|intros; quiet]. destruct (Z.ltb_spec r 31); quiet. Qed.
Lemma q_gpr_write : forall r v, 0 <= r -> keeps (gpr_write cpu r v) any.
Proof. intros r v R. unfold gpr_write. destruct (Z.ltb_spec r 31); quiet. Qed.
Hint Resolve q_gpr_read q_gpr_write : quiet.
Lemma q_reg31 : forall x, 0 <= Z.land x 31.
Proof. intro. apply land_pos. lia. Qed.
Hint Resolve q_reg31 : quiet.

Lemma q_mdscr : forall b r, 0 <= r -> keeps (mdscr_access cpu b r) any.
Proof. intros b r R. unfold mdscr_access. quiet. Qed.
Lemma q_is_guest : keeps (is_guest cpu) (fun r => r = b2z (negb (at1 cpus_vm gl0 cpu =? CPU_HOST))).
Proof. unfold is_guest. eapply k_bind; [q_load|]. intros r L. apply k_ret. now rewrite L. Qed.
Lemma q_is_guest' : keeps (is_guest cpu) any.
Proof. eapply k_any, q_is_guest. Qed.
Hint Resolve q_is_guest' q_mdscr : quiet.
Lemma q_reads : forall e, keeps (reads_constant cpu e) any.
Proof. intro. unfold reads_constant. quiet. Qed.
Lemma q_constant : forall e, keeps (constant_of e) any.
Proof. intro. unfold constant_of. quiet. Qed.
Hint Resolve q_reads q_constant : quiet.

Lemma q_controls_both : keeps controls_both any.
Proof. unfold controls_both. quiet. Qed.
Hint Resolve q_controls_both : quiet.
Lemma q_save_host : keeps (save_host cpu) any.
Proof. unfold save_host. quiet. Qed.
Lemma q_load_host : keeps (load_host cpu) any.
Proof. unfold load_host. quiet. Qed.

(** The run record: the host reaches it. *)

Variable run : Z.
Hypothesis RR : Machine.in_ram hw0 run = true.
Hypothesis RT : hosts A run.
Lemma q_host_read : forall i, 0 <= i < 512 -> keeps (host_read run i) any.
Proof. intros i I. apply k_host_read; auto. unfold is_word. lia. Qed.
Lemma q_host_write : forall i v, 0 <= i < 512 -> keeps (host_write run i v) any.
Proof. intros i v I. apply k_host_write; auto. unfold is_word. lia. Qed.
Hint Resolve q_host_read q_host_write : quiet.

Lemma q_write_common : forall vm, 0 <= vm < 64 -> keeps (write_common run vm) any.
Proof. intros vm VM. unfold write_common. quiet. Qed.
Lemma q_write_exit : forall r i w v, keeps (write_exit cpu run r i w v) any.
Proof. intros. unfold write_exit. quiet. Qed.

(** The context page: the engine alone reaches it. *)

Variable context : Z.
Hypothesis XR : Machine.in_ram hw0 context = true.
Hypothesis XT : ~ touch A context.
Lemma q_page_read : forall i, 0 <= i < 512 -> keeps (page_read context i) any.
Proof. intros i I. apply k_page_read; auto. unfold is_word. lia. Qed.
Hint Resolve q_page_read : quiet.
Lemma q_load_general : keeps (load_general cpu context) any.
Proof. unfold load_general. quiet. Qed.
Hint Resolve q_load_general : quiet.
Lemma q_load_vcpu : keeps (load_vcpu cpu context) any.
Proof. unfold load_vcpu. quiet. eapply k_bind; [apply k_fp_load; auto; unfold CTX_FP; lia|intros; quiet]. Qed.

Hypothesis XF : free_page V fine context.
Lemma q_page_write : forall i v, 0 <= i < 512 -> keeps (page_write context i v) any.
Proof. intros i v I. apply k_page_write; auto. unfold is_word. lia. Qed.
Hint Resolve q_page_write : quiet.
Lemma q_save_general : keeps (save_general cpu context) any.
Proof. unfold save_general. quiet. Qed.
Hint Resolve q_save_general : quiet.
Lemma q_save_vcpu : keeps (save_vcpu cpu context) any.
Proof. unfold save_vcpu. quiet. eapply k_bind; [apply k_fp_save; auto; q_consts; lia|intros; quiet]. Qed.

(** VCPU_RUN's look at the list registers. *)

Lemma q_lr_ok : forall lr, keeps (lr_ok lr) any.
Proof. intros. unfold lr_ok. quiet. Qed.
Lemma q_lr_same : forall a b, keeps (lr_same a b) any.
Proof. intros. unfold lr_same. quiet. Qed.
Hint Resolve q_lr_ok q_lr_same : quiet.
Definition any_end {X Y} (o : outcome X Y) : Prop := match o with Next _ => True | Return _ => True end.
Lemma q_all_lrs : keeps (all_lrs_ok cpu) any.
Proof.
  unfold all_lrs_ok. eapply k_bind with (P := any_end).
  - eapply k_loop_ret with (I := any) (P := any); [q_arith|exact Logic.I|]. intros i a R _. quiet; try (apply k_ret; exact Logic.I).
    eapply k_bind with (P := any_end).
    + eapply k_loop_ret with (I := any) (P := any); [lia|exact Logic.I|]. intros j b R' _. quiet; apply k_ret; exact Logic.I.
    + intros [x|x] _; apply k_ret; exact Logic.I.
  - intros [x|x] _; quiet.
Qed.

(** The host's SMCs. *)

Hypothesis CPUS : at1 config_word gl0 MAN_CPUS <= 8.
Hypothesis DEVICES : 0 <= at1 config_word gl0 MAN_DEVICES <= 8.
Hypothesis PAGES : at1 config_word gl0 MAN_RAM_PAGES <= GRANULES_MAX.

Lemma q_any_vm : keeps any_vm any.
Proof.
  unfold any_vm. eapply k_bind with (P := any_end).
  - eapply k_loop_ret with (I := any) (P := any); [q_arith|exact Logic.I|]. intros i a R _. quiet; apply k_ret; exact Logic.I.
  - intros [x|x] _; quiet.
Qed.
Lemma q_cpu_on : forall t e x, 0 <= t -> keeps (host_cpu_on t e x) any.
Proof.
  intros t e x T. unfold host_cpu_on. eapply k_bind; [q_load|]. intros n N. cbn beta. specialize (N eq_refl).
  destruct (Z.leb_spec n t); quiet.
Qed.
Lemma q_features : forall f, keeps (host_features f) any.
Proof. intros. unfold host_features. quiet. Qed.
Hint Resolve q_any_vm q_features : quiet.
Lemma q_system : forall f, keeps (host_system f) any.
Proof. intros. unfold host_system. quiet. Qed.
Hint Resolve q_system : quiet.
Lemma q_index : keeps (index 8 cpu) (fun c => c = cpu).
Proof. now apply k_index. Qed.

(** The host's aborts. *)

Lemma q_exists : forall p, keeps (granule_exists p) (fun r => r <> 0 -> 0 <= wrap U64 (p - at1 config_word gl0 MAN_RAM_BASE) < GRANULES_MAX).
Proof.
  intro p. unfold granule_exists. eapply k_bind; [q_load|]. intros b B. cbn beta. specialize (B eq_refl). subst b.
  eapply k_bind with (P := fun t => t = true -> 0 <= wrap U64 (p - at1 config_word gl0 MAN_RAM_BASE) < GRANULES_MAX).
  - destruct (_ <=? p); [|apply k_ret; discriminate]. eapply k_bind; [q_load|]. intros b B. cbn beta. specialize (B eq_refl). subst b.
    eapply k_bind; [q_load|]. intros n N. cbn beta. specialize (N eq_refl). subst n. apply k_ret. intro E. apply Z.ltb_lt in E.
    assert (0 <= wrap U64 (p - at1 config_word gl0 MAN_RAM_BASE)) by (unfold wrap; apply Z.mod_pos_bound; reflexivity). lia.
  - intros t T. apply k_ret. destruct t; [intro; now apply T|cbn; congruence].
Qed.
Lemma q_redistributor : forall p, keeps (is_redistributor_base p) any.
Proof. intros. unfold is_redistributor_base. quiet. Qed.
Hint Resolve q_redistributor : quiet.
Lemma q_device : forall p, keeps (is_host_device p) any.
Proof.
  intro p. unfold is_host_device. quiet. specialize (L eq_refl). subst.
  eapply k_bind with (P := any_end).
  - eapply k_loop_ret with (I := any) (P := any); [lia|exact Logic.I|]. intros i a R _. quiet; apply k_ret; exact Logic.I.
  - intros [x|x] _; quiet.
Qed.
Hint Resolve q_device : quiet.
Lemma q_may_access : forall p, keeps (host_may_access p) any.
Proof.
  intro p. unfold host_may_access. eapply k_bind; [apply q_exists|]. intros t T. cbn beta.
  destruct (Z.eqb_spec t 0) as [E|E]; [quiet|]. specialize (T E). unfold GRANULES_MAX in T.
  eapply k_bind with (P := any).
  - unfold granule_get. eapply k_bind; [q_load|]. intros b B. cbn beta. specialize (B eq_refl). subst b. quiet.
  - intros [[[[a b] c] d] e] _. quiet.
Qed.
Hint Resolve q_may_access : quiet.
Lemma q_gicr_read' : forall t o w, keeps (gicr_filtered_read t o w) any.
Proof. intros. unfold gicr_filtered_read. quiet. Qed.
Lemma q_gicr_write' : forall t o w, keeps (gicr_filtered_write t o w) any.
Proof. intros. unfold gicr_filtered_write. quiet. Qed.
Hint Resolve q_gicr_read' q_gicr_write' : quiet.
Lemma q_redistributor_access : forall p e, keeps (redistributor_access cpu p e) any.
Proof.
  intros p e. unfold redistributor_access. quiet.
  eapply k_bind; [apply q_width|]. intros w W. quiet.
  eapply k_bind with (P := any); [apply q_truncate; unfold is_width in *; rewrite wrap32; lia|]. intros v _. quiet.
Qed.
Hint Resolve q_redistributor_access : quiet.
Lemma q_host_abort : forall e, keeps (host_abort cpu e) any.
Proof.
  intro e. unfold host_abort. quiet. eapply k_bind; [apply q_fault|]. intros p P. quiet.
Qed.
End Cpu.
End Quiet.
