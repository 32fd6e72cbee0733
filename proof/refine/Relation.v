(* SPDX-License-Identifier: Apache-2.0 *)
(* The relation between the machine that runs the C and spec/State.v, and contracts of the functions that
   several calls use. It speaks of memory that the engine alone reaches; nothing is said of the rest. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Registers.
From nie.spec.call Require page_remove.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.proof.invariant Require Counting.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
(* The C's functions hide those of the same name in the spec, which are then State.f. *)
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate nie.generated.state.stage2 nie.generated.state.checks.
From nie.spec Require Import Core.
From nie.proof.refine Require sha256_refines measure_refines.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation valid := Machine.valid.
Notation frame := Machine.frame.
#[global] Arguments at1 : simpl never.
#[global] Arguments put1 : simpl never.

Definition owner_words (o : owner) : Z * Z * Z * Z :=                    (* state, vm, level, key *)
  match o with
  | Host => (GRANULE_HOST, 0, 0, 0)
  | Engine => (GRANULE_ENGINE, 0, 0, 0)
  | Table v l k => (GRANULE_TABLE, v, l, k)
  | Vcpu v i => (GRANULE_VCPU, v, 0, i)
  | Data v x => (GRANULE_DATA, v, 0, x)
  | Shared v x => (GRANULE_SHARED, v, 0, x)
  | Run v i => (GRANULE_RUN, v, 0, i)
  end.

(* Records of a VM, a vCPU and a CPU in the C's arrays. *)
Record vm_holds (gl : globals) (v : Z) (r : vm) : Prop := {
  h_cntvoff : at1 vms_cntvoff gl v = cntvoff r;
  h_vcpus : at1 vms_vcpus gl v = vcpu_count r;
  h_running : at1 vms_running gl v = running r;
  h_created : at1 vms_created gl v = created r;
  h_hash : sha256_refines.hash_of gl v = hash_of_vm r;
  h_hashed : exists n, length (build_log r) = (8 * n)%nat /\ at1 vms_hashed gl v = (64 * Z.of_nat n) mod 2 ^ 64;
}.
Record vcpu_holds (gl : globals) (k : Z) (r : vcpu) : Prop := {
  h_vcpu_state : at1 vcpus_state gl k = vcpu_state r;
  h_context : at1 vcpus_context gl k = context_page r;
  h_run : at1 vcpus_run gl k = run_page r;
  h_vcpu_cpu : at1 vcpus_cpu gl k = vcpu_cpu r;
  h_pending : at1 vcpus_pending gl k = pending r;
  h_syndrome : at1 vcpus_syndrome gl k = syndrome r;
}.
Record cpu_holds (gl : globals) (c : Z) (r : processor) : Prop := {
  h_x : forall i, 0 <= i < 31 -> at1 cpus_x gl (c * 31 + i) = Map.get (cpu_x r) i;
  h_host_x : forall i, 0 <= i < 31 -> at1 cpus_host_x gl (c * 31 + i) = Map.get (host_x r) i;
  h_host_sysreg : forall i, 0 <= i < REG_SWITCHED -> at1 cpus_host_sysreg gl (c * REG_SWITCHED + i) = Map.get (host_sysreg r) i;
  h_in : forall i, 0 <= i < RUN_IN_END -> at1 cpus_in gl (c * RUN_IN_END + i) = Map.get (run_in r) i;
  h_entry : at1 cpus_entry gl c = start_entry r;
  h_argument : at1 cpus_argument gl c = start_argument r;
  h_cpu_vm : at1 cpus_vm gl c = cpu_vm r;
  h_cpu_vcpu : at1 cpus_vcpu gl c = cpu_vcpu r;
  h_started : at1 cpus_started gl c = started r;
}.

Record globals_hold (a : state) (gl : globals) : Prop := {
  g_base : at1 config_word gl MAN_RAM_BASE = ram_first (cfg a);
  g_pages : at1 config_word gl MAN_RAM_PAGES = ram_count (cfg a);
  g_tables : at1 config_word gl MAN_TABLES = host_tables (cfg a);
  g_dev_base : at1 config_word gl MAN_DEV_BASE = dev_first (cfg a);
  g_dev_pages : at1 config_word gl MAN_DEV_PAGES = dev_count (cfg a);
  g_own : forall p, in_ram a p = true ->
    let i := p - ram_first (cfg a) in
    (at1 granules_state gl i, at1 granules_vm gl i, at1 granules_level gl i, at1 granules_key gl i) = owner_words (own a p) /\
    at1 granules_zero gl i = 0;
  g_vm : forall v, 0 <= v < NIE_MAX_VMS ->
    at1 vms_state gl v = vm_state (vm_at a v) /\ at1 vms_root gl v = root (vm_at a v) /\
    at1 vms_ram_base gl v = ram_base (vm_at a v) /\ at1 vms_ram_pages gl v = ram_pages (vm_at a v) /\
    at1 vms_granules gl v = granules (vm_at a v);
  g_vms : forall v, 0 <= v < NIE_MAX_VMS -> vm_holds gl v (vm_at a v);
  g_vcpus : forall v i, 0 <= v < NIE_MAX_VMS -> 0 <= i < NIE_MAX_VCPUS -> vcpu_holds gl (v * NIE_MAX_VCPUS + i) (vcpu_at a v i);
  g_cpus : forall c, 0 <= c < NIE_MAX_CPUS -> cpu_holds gl c (cpu_at a c);
  g_lasts : forall v c, 0 <= v < NIE_MAX_VMS -> 0 <= c < NIE_MAX_CPUS -> at1 lasts_vcpu gl (v * NIE_MAX_CPUS + c) = last_at a v c;
}.

(* What these say depends on a few arrays. *)
Definition same_on (f : gvar -> bool) (gl gl' : globals) : Prop := forall g, f g = true -> field g gl' = field g gl.
Definition of_vm (g : gvar) : bool :=
  match g with vms_cntvoff | vms_vcpus | vms_running | vms_created | vms_hash | vms_hashed => true | _ => false end.
Definition of_vcpu (g : gvar) : bool :=
  match g with vcpus_state | vcpus_context | vcpus_run | vcpus_cpu | vcpus_pending | vcpus_syndrome => true | _ => false end.
Definition of_cpu (g : gvar) : bool :=
  match g with cpus_x | cpus_host_x | cpus_host_sysreg | cpus_in | cpus_entry | cpus_argument | cpus_vm | cpus_vcpu | cpus_started => true
  | _ => false end.
Lemma vm_same : forall gl gl' v r, same_on of_vm gl gl' -> vm_holds gl v r -> vm_holds gl' v r.
Proof. intros gl gl' v r S []. constructor; unfold sha256_refines.hash_of, sha256_refines.hash_word, at1 in *; rewrite ?S by reflexivity; auto. Qed.
Lemma vcpu_same : forall gl gl' k r, same_on of_vcpu gl gl' -> vcpu_holds gl k r -> vcpu_holds gl' k r.
Proof. intros gl gl' k r S []. constructor; unfold at1 in *; rewrite S by reflexivity; auto. Qed.
Lemma cpu_same : forall gl gl' c r, same_on of_cpu gl gl' -> cpu_holds gl c r -> cpu_holds gl' c r.
Proof. intros gl gl' c r S []. constructor; unfold at1 in *; intros; rewrite S by reflexivity; auto. Qed.

Definition ram_of (a : state) : Z * Z := (ram_first (cfg a), ram_first (cfg a) + ram_count (cfg a)).
Definition engine_of (a : state) : Z * Z := (engine_first (cfg a), engine_first (cfg a) + engine_count (cfg a)).

(* VTTBR_EL2 of a CPU: the VMID and root of the VM that runs there, or the host's. *)
Definition vttbr_of (a : state) (c : Z) : Z :=
  if (0 <=? c) && (c <? NIE_MAX_CPUS) && negb (cpu_vm (cpu_at a c) =? CPU_HOST)
  then (cpu_vm (cpu_at a c) + 1) * 2 ^ 48 + root (vm_at a (cpu_vm (cpu_at a c))) * 4096
  else host_tables (cfg a) * 4096.

(* Registers of machine [h]: those of the CPU that runs the engine, and which tables each CPU walks. *)
Record registers_hold (a : state) (h : Machine.hw) : Prop := {
  r_me : 0 <= me h < NIE_MAX_CPUS;
  r_here : forall r, 0 <= r < 128 -> Map.get (reg h) (me h * 128 + r) = Map.get (here a) r;
  r_fp : forall i, 0 <= i < 66 -> Map.get (fp h) (me h * 128 + i) = Map.get (fp_here a) i;
  r_vttbr : forall c, vttbr h c = vttbr_of a c;
}.

(* The machine is in state [a], the lock being free. *)
Record R (a : state) (s : mach globals Machine.hw) : Prop := {
  R_wf : wf a;
  R_onto : onto a;
  R_globals : globals_hold a (glob s);
  R_hw : exists m, world (hw s) (Aset a) (Aset a) m (now m) (hw s) /\ tables_hold a m;
  R_ram : ram (hw s) = ram_of a;
  R_engine : engine (hw s) = engine_of a;
  R_regs : registers_hold a (hw s);
  R_counted : Counting.counted a;
}.

(* No VM claims a page; none of these IPA pages of VM [v]. What a PAGE_REMOVE takes nobody may claim. *)
Definition unclaimed (h : Machine.hw) : Prop := forall v x p, ~ claims h v x p.
Definition spared (h : Machine.hw) (v x n : Z) : Prop := forall y p, claims h (v + 1) y p -> ~ x <= y < x + n.
Definition R0 (a : state) (s : mach globals Machine.hw) : Prop := R a s /\ unclaimed (hw s).
Lemma unclaimed_spared : forall h v x n, unclaimed h -> spared h v x n.
Proof. intros h v x n U y p C. now elim (U _ _ _ C). Qed.

(* A PAGE_REMOVE that the host is about to make on CPU [c] takes nothing that is claimed. *)
Definition call_spares (a : state) (c : Z) (h : Machine.hw) : Prop := let x := Registers.x_of a c in
  cpu_vm (cpu_at a c) = CPU_HOST -> x 0 mod 2 ^ 32 = NIE_PAGE_REMOVE -> page_remove.page_remove_check a (x 1) (x 2) (x 3) = NIE_OK -> spared h (x 1) (State.page_of (x 2)) (x 3).
(* The same of an exception: whether it is a call is in its syndrome. *)
Definition trap_spares (a : state) (c kind : Z) (h : Machine.hw) : Prop :=
  kind = TRAP_SYNC -> Registers.exception_class (Registers.reg_of a REG_ESR_EL2) = EC_HVC64 -> call_spares a c h.
Lemma unclaimed_spares : forall a c kind h, unclaimed h -> trap_spares a c kind h.
Proof. intros a c kind h U _ _. cbv zeta delta [call_spares]. intros _ _ _. now apply unclaimed_spared. Qed.

Lemma registers_frame : forall a h0 h, registers_hold a h0 -> frame_of h0 h -> registers_hold a h.
Proof.
  intros a h0 h [] F. constructor; intros.
  - now rewrite (f_me _ _ F).
  - rewrite (f_me _ _ F), (f_here _ _ F) by auto. auto.
  - rewrite (f_me _ _ F), (f_fp _ _ F). auto.
  - rewrite (f_vttbr _ _ F). auto.
Qed.
Lemma registers_same : forall a b h, registers_hold a h -> cfg b = cfg a -> cpus b = cpus a -> here b = here a -> fp_here b = fp_here a ->
  (forall v, root (vm_at b v) = root (vm_at a v)) -> registers_hold b h.
Proof.
  intros a b h [] E1 E2 E3 E4 E5. constructor; rewrite ?E3, ?E4; auto.
  intro c. rewrite r_vttbr0. unfold vttbr_of, cpu_at. now rewrite E1, E2, E5.
Qed.

Lemma vm_measured : forall gl v r, vm_holds gl v r -> vm_state r = NIE_VM_BUILDING -> sealed r = false ->
  exists n, measure_refines.measured gl v (build_log r) n.
Proof.
  intros gl v r H B S. destruct (h_hashed _ _ _ H) as (n & L & E). exists n. constructor; auto.
  rewrite (h_hash _ _ _ H). unfold hash_of_vm, hash_so_far. rewrite B, S, L. change (NIE_VM_BUILDING =? NIE_VM_FREE) with false.
  cbn iota. f_equal. rewrite Nat.mul_comm. now apply Nat.div_mul.
Qed.

Ltac consts := unfold MAN_RAM_BASE, MAN_RAM_PAGES, MAN_TABLES, MAN_DEV_BASE, MAN_DEV_PAGES, PAGES_PER_GIB, NIE_PAGE_SHIFT,
  DESC_TABLE, LEVEL_ROOT, LEVEL_PAGE, NIE_MAX_VMS, GRANULES_MAX in *.

Lemma known_of_wp : forall S A (m : M S A) v s, wp m (fun r s' => r = v /\ s' = s) s -> m s = Some (v, s).
Proof. unfold wp. intros S A m v s H. destruct (m s) as [[]|]; [|easy]. now destruct H as [-> ->]. Qed.

Ltac w_ret := match goal with |- wp (ret _) _ _ => apply wp_ret; cbn beta iota end.
Ltac w_bind := match goal with |- wp (bind _ _) _ _ => apply wp_bind; cbn beta end.
(* Up to the next step that is neither. *)
Ltac skip := repeat first [w_bind | w_ret].
Ltac w_known H := eapply wp_known; [apply H|cbn beta iota].
(* The manifest's words, by what they mean. *)
Ltac cfgs := repeat match goal with
  | G : globals_hold _ ?gl |- context [at1 config_word ?gl MAN_RAM_BASE] => rewrite (g_base _ _ G)
  | G : globals_hold _ ?gl |- context [at1 config_word ?gl MAN_RAM_PAGES] => rewrite (g_pages _ _ G)
  | G : globals_hold _ ?gl |- context [at1 config_word ?gl MAN_TABLES] => rewrite (g_tables _ _ G)
  | G : globals_hold _ ?gl |- context [at1 config_word ?gl MAN_DEV_BASE] => rewrite (g_dev_base _ _ G)
  | G : globals_hold _ ?gl |- context [at1 config_word ?gl MAN_DEV_PAGES] => rewrite (g_dev_pages _ _ G)
  end.
Ltac arith := consts; lia.
Ltac wraps := repeat match goal with
  | |- context [wrap U64 ?x] => rewrite (wrap64 x) by arith
  | |- context [wrap U32 ?x] => rewrite (wrap32 x) by arith
  end.
Ltac w_load := eapply wp_load1; [reflexivity | try arith | cbn beta; cfgs].
Ltac w_store := eapply wp_store1; [reflexivity | try arith | cbn beta].
(* The word of a page, however the C writes its number. *)
Ltac w_index e := match goal with
  | |- wp (page_read _ ?j) _ _ => replace j with e by (wraps; lia)
  | |- wp (page_write _ ?j _) _ _ => replace j with e by (wraps; lia)
  end.
(* The C's test is the one of [spec], whichever way round; what is left: the two ways to go on. *)
Ltac w_same spec := match goal with
  | |- context [?u =? ?v] => destruct (Z.eqb_spec u v), spec; try (exfalso; lia); cbn [negb]
  end.
(* Shifts and masks by constants, as arithmetic. *)
Ltac bits := repeat match goal with
  | |- context [Z.shiftr ?x ?n] => rewrite (Z.shiftr_div_pow2 x n) by lia; let k := eval vm_compute in (2 ^ n) in change (2 ^ n) with k
  | |- context [Z.shiftl ?x ?n] =>
      first [ let v := eval vm_compute in (Z.shiftl x n) in match v with Zpos _ => change (Z.shiftl x n) with v end
            | rewrite (Z.shiftl_mul_pow2 x n) by lia; let k := eval vm_compute in (2 ^ n) in change (2 ^ n) with k ]
  | |- context [wrap ?t (Zpos ?k)] => let v := eval vm_compute in (wrap t (Zpos k)) in change (wrap t (Zpos k)) with v
  end.
(* A test of the C that is decided by what is known. *)
Ltac w_if := repeat match goal with
  | |- context [if ?c then _ else _] => first [replace c with true by lia | replace c with false by lia]; cbn iota
  end.
(* Steps that need no thought. *)
Ltac w_step := match goal with
  | |- wp (bind _ _) _ _ => w_bind
  | |- wp (ret _) _ _ => w_ret
  | |- wp (load _ [_]) _ _ => w_load
  | |- wp (store _ [_] _) _ _ => w_store
  end.
Ltac go := repeat (w_step; wraps).

(** Primitives. *)

Section Prim.
Variables (h0 : Machine.hw) (a : state).
Hypothesis RAM : ram h0 = ram_of a.

Lemma has_word : forall A B m V h p i, world h0 A B m V h -> in_ram a p = true -> is_word i = true ->
  (Machine.in_ram h p && is_word i)%bool = true.
Proof.
  intros A B m V h p i W P I. rewrite I, andb_true_r. unfold Machine.in_ram.
  rewrite (f_ram _ _ (w_frame _ _ _ _ _ _ W)), RAM. exact P.
Qed.

Lemma not_held : forall A B m V h p, world h0 A B m V h -> ~ touch B p -> held h p = false.
Proof.
  intros A B m V h p W N. unfold held. apply not_true_is_false. intro H. apply existsb_exists in H as (e & I & E).
  apply N. exists (vmid e), (level e), (key e), (desc e). split; [now apply (w_tlb _ _ _ _ _ _ W)|].
  apply andb_prop in E as [E E3]. apply andb_prop in E as [E1 E2]. split; auto. lia.
Qed.

Section Rules.
Variables (A B : aset) (m : Z -> Z) (V : Z -> Z -> Prop) (h : Machine.hw) (gl : globals).
Hypothesis W : world h0 A B m V h.

Lemma wp_page_read : forall p i (Q : Z -> mach globals Machine.hw -> Prop),
  in_ram a p = true -> is_word i = true -> ~ touch B p ->
  (forall h', world h0 A B m V h' -> Q (m (p * 512 + i)) (Mach gl h')) -> wp (page_read p i) Q (Mach gl h).
Proof.
  intros p i Q P I N H. unfold page_read. apply wp_hw. cbn. unfold Machine.page_read, word_of, alone, wp.
  rewrite (has_word _ _ _ _ _ _ _ W P I). cbn beta iota.
  rewrite (not_held _ _ _ _ _ p (world_others _ _ _ _ _ _ W) N).
  assert (W' : world h0 A B m V (oblige (free p) (others h))) by now apply world_oblige, N; apply world_others.
  pose proof (w_mem _ _ _ _ _ _ W' p i I N) as E. cbn in E. cbn. rewrite E. now apply H.
Qed.

Lemma wp_page_write : forall p i v (Q : unit -> mach globals Machine.hw -> Prop),
  in_ram a p = true -> is_word i = true -> ~ touch B p ->
  (valid v = true -> V (p * 512 + i) v) -> (valid (m (p * 512 + i)) = true -> V (p * 512 + i) (m (p * 512 + i))) ->
  (forall h', world h0 A B (upd m (p * 512 + i) v) V h' -> Q tt (Mach gl h')) -> wp (page_write p i v) Q (Mach gl h).
Proof.
  intros p i v Q P I N Hv Hm H. unfold page_write. apply wp_hw. cbn. unfold Machine.page_write, word_of, alone, wp.
  rewrite (has_word _ _ _ _ _ _ _ W P I). cbn beta iota.
  rewrite (not_held _ _ _ _ _ p (world_others _ _ _ _ _ _ W) N). apply H, world_store; auto.
  apply world_oblige; auto. now apply world_others.
Qed.

Lemma wp_dsb : forall (Q : unit -> mach globals Machine.hw -> Prop),
  (forall m' h', (forall p i, is_word i = true -> ~ touch B p -> m' (p * 512 + i) = m (p * 512 + i)) ->
     world h0 A A m' (now m') h' -> Q tt (Mach gl h')) -> wp dsb_ish Q (Mach gl h).
Proof.
  intros Q H. unfold dsb_ish. apply wp_hw. cbn. unfold wp.
  destruct (world_complete _ _ _ _ _ _ (world_others _ _ _ _ _ _ W)) as (m' & E & W'). eauto.
Qed.

Lemma wp_isb : forall (Q : unit -> mach globals Machine.hw -> Prop),
  (forall h', world h0 A B m V h' -> Q tt (Mach gl h')) -> wp isb Q (Mach gl h).
Proof. intros Q H. unfold isb. apply wp_hw. cbn. unfold wp. apply H. now apply world_others. Qed.
End Rules.

Lemma wp_dsb_same : forall A m V h gl (Q : unit -> mach globals Machine.hw -> Prop), world h0 A A m V h ->
  (forall h', world h0 A A m (now m) h' -> Q tt (Mach gl h')) -> wp dsb_ish Q (Mach gl h).
Proof.
  intros A m V h gl Q W H. unfold dsb_ish. apply wp_hw. cbn. unfold wp.
  apply H, world_complete_same with V. now apply world_others.
Qed.

Lemma wp_ic : forall A m V h gl (Q : unit -> mach globals Machine.hw -> Prop), world h0 A A m V h ->
  (forall h', world h0 A A m (now m) h' -> Q tt (Mach gl h')) -> wp ic_invalidate Q (Mach gl h).
Proof.
  intros A m V h gl Q W H. unfold ic_invalidate. apply wp_hw. cbn. unfold wp.
  apply H, world_complete_same with V. now apply world_others.
Qed.

Lemma wp_tlbi : forall A B m V h gl v (Q : unit -> mach globals Machine.hw -> Prop), world h0 B B m V h -> sub A B ->
  (forall v' l k d, v' <> v -> B v' l k d -> A v' l k d) -> (forall d, B v 0 0 d -> A v 0 0 d) -> closed A V ->
  (forall x p, claims h0 v x p -> keeps B v x p -> keeps A v x p) ->
  (forall h', world h0 A B m V h' -> Q tt (Mach gl h')) -> wp (tlbi_vmid v) Q (Mach gl h).
Proof.
  intros A B m V h gl v Q W S O Z C CL H. unfold tlbi_vmid. apply wp_hw. cbn. unfold wp.
  apply H, world_doom; auto. now apply world_others.
Qed.

(* Scrub a page that nobody reaches, and wait for it. *)
Lemma wp_zero : forall A m h gl p (Q : unit -> mach globals Machine.hw -> Prop), world h0 A A m (now m) h ->
  in_ram a p = true -> ~ touch A p ->
  (forall m' h', (forall w, m' w = if (p * 512 <=? w) && (w <? p * 512 + 512) then 0 else m w) ->
     world h0 A A m' (now m) h' -> ~ secret h' p -> Q tt (Mach gl h')) ->
  wp (page_zero p) Q (Mach gl h).
Proof.
  intros A m h gl p Q W P N H. unfold page_zero. apply wp_hw. cbn. unfold Machine.page_zero, word_of, alone, wp.
  rewrite (has_word _ _ _ _ _ _ 0 W P eq_refl). cbn beta iota.
  rewrite (not_held _ _ _ _ _ p (world_others _ _ _ _ _ _ W) N).
  destruct (world_zero h0 512 A A m (now m) (oblige (free p) (others h)) p 0) as (m' & W' & E); auto; try lia.
  - apply world_oblige; auto. now apply world_others.
  - intros. reflexivity.
  - rewrite Z.add_0_r in *. revert W'. generalize (zero_words 512 (p * 512) (oblige (free p) (others h))). intros z W'.
    apply (H m').
    + intro w. apply E.
    + now apply world_scrub.
    + change (~ (secret z p /\ p <> p)). tauto.
Qed.

Lemma wp_clean : forall A m V h gl p q (Q : unit -> mach globals Machine.hw -> Prop), world h0 A A m V h ->
  in_ram a p = true -> ~ touch A q -> ~ secret h q ->
  (forall h', world h0 A A m (now m) h' -> ~ secret h' q -> Q tt (Mach gl h')) -> wp (page_clean p) Q (Mach gl h).
Proof.
  intros A m V h gl p q Q W P N S H. unfold page_clean. apply wp_hw. cbn. unfold Machine.page_clean, word_of, does, wp.
  rewrite (has_word _ _ _ _ _ _ 0 W P eq_refl). cbn beta iota.
  apply H; [apply world_complete_same with V; now apply world_others|].
  change (~ secret (others h) q). eapply others_not_secret; eauto.
Qed.
End Prim.

(** Functions that read globals only. *)

Section Pure.
Variables (a : state) (gl : globals) (h : Machine.hw).
Hypothesis Wc : wf_cfg a.
Hypothesis G : globals_hold a gl.
Let s := Mach gl h.

Lemma granule_exists_run : forall p, 0 <= p < 2 ^ 64 ->
  granule_exists p s = Some (b2z (in_ram a p), s).
Proof.
  intros p P. apply known_of_wp. pose proof (c_ram _ Wc) as C. unfold granule_exists, s.
  go. unfold in_ram. destruct (Z.leb_spec (ram_first (cfg a)) p); go; split; auto. f_equal. apply eq_true_iff_eq. lia.
Qed.

Lemma gibs_run : gibs s = Some (gib_count a, s).
Proof.
  apply known_of_wp. pose proof (c_ram _ Wc) as C. unfold gibs, s, PAGES_PER_GIB. go.
  split; auto. unfold gib_count. f_equal. lia.
Qed.

Lemma level3_of_run : forall p, in_ram a p = true -> level3_of p s = Some (level3 a (p / 512), s).
Proof.
  intros p P. apply known_of_wp. pose proof (c_ram _ Wc) as C. pose proof (c_dev _ Wc) as D.
  pose proof (c_tables _ Wc) as T. pose proof (c_engine _ Wc) as E. unfold in_ram in P.
  unfold level3_first in T.
  assert (GB : 1 <= gib_count a <= 512) by (unfold gib_count; arith).
  unfold level3_of, s. go. w_known gibs_run. go. w_known granule_exists_run; [arith|].
  unfold in_ram. rewrite P. cbn [b2z negb Z.eqb]. go.
  split; auto. unfold level3, level3_first, in_ram.
  replace ((ram_first (cfg a) <=? p / 512 * 512) && (p / 512 * 512 <? ram_first (cfg a) + ram_count (cfg a))) with true by lia.
  lia.
Qed.

Lemma granule_get_run : forall p, in_ram a p = true ->
  granule_get p s =
  Some ((let '(st, v, l, k) := owner_words (own a p) in (st, v, l, 0, k)), s).
Proof.
  intros p P. apply known_of_wp. pose proof (c_ram _ Wc) as C. pose proof (g_own _ _ G p P) as [O Z0].
  unfold in_ram in P. unfold granule_get, s. go. rewrite <- O, Z0. auto.
Qed.

Lemma desc_page_run : forall d, desc_page d s = Some (frame d, s).
Proof. intro d. unfold stage2_h.desc_page, ret. consts. now rewrite shiftr_12, land_36. Qed.
Lemma desc_is_table_run : forall d, desc_is_table d s = Some (b2z (d mod 4 =? 3), s).
Proof. intro d. unfold stage2_h.desc_is_table, ret. consts. now rewrite land_3. Qed.
Lemma desc_valid_run : forall d, desc_valid d s = Some (b2z (valid d), s).
Proof.
  intro d. unfold stage2_h.desc_valid, ret. rewrite land_1, valid_mod.
  match goal with |- Some (b2z ?c, _) = Some (b2z ?e, _) => replace c with e; [reflexivity|apply eq_true_iff_eq; lia] end.
Qed.
Lemma page_of_run : forall x, page_of x s = Some (x / 4096, s).
Proof. intro x. unfold granule_h.page_of, ret, NIE_PAGE_SIZE. consts. now bits. Qed.
Lemma address_of_run : forall p, 0 <= p < 2 ^ 52 -> address_of p s = Some (p * 4096, s).
Proof. intros p P. unfold granule_h.address_of, ret, NIE_PAGE_SIZE. consts. bits. now wraps. Qed.
Lemma aligned_run : forall x, aligned x 1 s = Some (b2z (x mod 4096 =? 0), s).
Proof. intro x. unfold granule_h.aligned, ret. change (wrap U64 (wrap U64 (1 * NIE_PAGE_SIZE) - 1)) with 4095. now rewrite land_4095. Qed.
Lemma range_ok_run : forall x n, 0 <= n < 2 ^ 64 -> range_ok x n s = Some (b2z (State.range_ok x n), s).
Proof.
  intros x n N. unfold state.granule.range_ok, ret, State.range_ok. rewrite land_511. do 3 f_equal. unfold NIE_RANGE_MAX.
  destruct (Z.leb_spec 1 n); cbn; auto. destruct (Z.leb_spec n 512); cbn.
  - rewrite wrap64 by lia. auto.
  - symmetry. lia.
Qed.
End Pure.
