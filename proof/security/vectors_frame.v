(* SPDX-License-Identifier: Apache-2.0 *)
(* The frame of a CPU, written in two parts: the machine holds a state whose x0..x30 are what the frame holds. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State Registers Switch.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning trap_steps.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation Midway statements trap_statement trap_is_safe boot_is_safe Described host_call_exact.
From nie.proof.refine Require Exact.
From nie.spec Require Import Step Vectors.
From nie.proof.security Require Import core_is_safe trace_statement core_is_correct.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** Saving some registers. *)

Section Save.
Variables (c : Z) (s : machine).
Lemma save_field : forall l g gl, g <> cpus_x -> field g (save l c s gl) = field g gl.
Proof.
  intros l g gl N. unfold save. revert gl. induction l as [|r l IH]; intro gl; cbn [fold_left]; [reflexivity|]. rewrite IH. now apply field_set_other.
Qed.
Lemma save_quiet : forall l g, (forall r, In r l -> 0 <= r < 31) -> only_quiet c g (save l c s g).
Proof. exact (fold_quiet c s). Qed.
Lemma save_in : forall l g r, In r l -> at1 cpus_x (save l c s g) (c * 31 + r) = x s c r mod 2 ^ 64.
Proof. intros l g r I. apply (fold_at c s l g r). now left. Qed.
Lemma save_out : forall l g k, ~ (exists r, In r l /\ k = c * 31 + r) -> at1 cpus_x (save l c s g) k = at1 cpus_x g k.
Proof.
  intros l g k. unfold save. revert g. induction l as [|q l IH]; intros g N; cbn [fold_left]; [reflexivity|]. rewrite IH by (intros (r & I & E); apply N; exists r; split; auto; now right).
  change (at1 cpus_x (put1 cpus_x (c * 31 + q) (x s c q mod 2 ^ 64) g) k = at1 cpus_x g k). rewrite at_put by reflexivity. cbn.
  destruct (Z.eqb_spec k (c * 31 + q)) as [->|]; auto. destruct N. exists q. split; auto. now left.
Qed.
End Save.
Lemma first_range : forall r, In r first_saved <-> 0 <= r < 20 \/ 29 <= r < 31.
Proof.
  intro r. unfold first_saved. rewrite in_app_iff. split.
  - intros [I|[<-|[<-|[]]]]; [|lia|lia]. unfold numbers in I. apply in_map_iff in I as (n & <- & I). apply in_seq in I. lia.
  - intros [I|I]; [left|right; cbn; lia]. unfold numbers. apply in_map_iff. exists (Z.to_nat r). split; [lia|]. apply in_seq. lia.
Qed.
Lemma then_range : forall r, In r then_saved <-> 20 <= r < 29.
Proof.
  intro r. unfold then_saved, numbers. rewrite map_map, in_map_iff. split.
  - intros (n & <- & I). apply in_seq in I. lia.
  - intro I. exists (Z.to_nat (r - 20)). split; [lia|]. apply in_seq. lia.
Qed.
Lemma load_at : forall l c g m r, Map.get (load l c g m) (c * 32 + r) = if in_dec Z.eq_dec r l then at1 cpus_x g (c * 31 + r) else Map.get m (c * 32 + r).
Proof.
  intros l c g m r. unfold load. revert m. induction l as [|q l IH]; intro m; cbn [fold_left]; [reflexivity|]. rewrite IH. rewrite Map.get_set.
  destruct (in_dec Z.eq_dec r l) as [I|N]; destruct (in_dec Z.eq_dec r (q :: l)) as [I'|N']; try reflexivity.
  - destruct N'. now right.
  - destruct I' as [->|]; [now rewrite Z.eqb_refl|contradiction].
  - destruct (Z.eqb_spec (c * 32 + r) (c * 32 + q)) as [E|]; auto. destruct N'. left. lia.
Qed.

(** A state whose CPU c holds what the machine holds. *)

Section Frame.
Variables (a : state) (s : machine) (c : Z) (h : Machine.hw).
Hypothesis G : good a s.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis AL : alike (hw s) h.
Hypothesis ME : me h = c.
Definition framed (X : Map.t Z) : state :=
  set_cpu c (cpu_at a c <| cpu_x := X |>) a <| here := fill 128 0 (fun r => Map.get (reg h) (c * 128 + r)) (Map.const 0) |>
    <| fp_here := fill 66 0 (fun i => Map.get (fp h) (c * 128 + i)) (Map.const 0) |>.

Lemma framed_cpu : forall X d, cpu_at (framed X) d = if d =? c then cpu_at a c <| cpu_x := X |> else cpu_at a d.
Proof. intros X d. exact (cpu_at_set c _ a d). Qed.
Lemma framed_only : forall X, registers_only c a (framed X).
Proof.
  intro X. constructor; try reflexivity.
  - intros d D. rewrite framed_cpu. destruct (Z.eqb_spec d c) as [->|N]; auto.
  - intros d D N. rewrite framed_cpu. replace (d =? c) with false by lia. auto.
Qed.

(* The frame of CPU c alone was written. *)
Record frame_only (gl gl' : globals) : Prop := {
  fo_field : forall g, g <> cpus_x -> field g gl' = field g gl;
  fo_word : forall k, k / 31 <> c -> at1 cpus_x gl' k = at1 cpus_x gl k;
}.
Lemma frame_quiet : forall gl gl', frame_only gl gl' -> only_quiet c gl gl'.
Proof.
  intros gl gl' [F W]. split.
  - intros g N. apply F. intros ->. discriminate.
  - intros g k N. destruct (gvar_dec g cpus_x) as [->|D]; [|unfold at1; now rewrite F]. apply W. cbn [own_word] in N. apply Z.eqb_neq in N. exact N.
Qed.
Lemma save_frame : forall l g, (forall r, In r l -> 0 <= r < 31) -> frame_only g (save l c s g).
Proof.
  intros l g I. split; [intros; now apply save_field|]. intros k K. apply save_out. intros (r & IR & ->). specialize (I r IR). apply K. rewrite Z.add_comm, Z.div_add by lia. rewrite Z.div_small; lia.
Qed.

Lemma framed_cpus : forall X gl gl', (forall d, 0 <= d < NIE_MAX_CPUS -> cpu_holds gl d (cpu_at a d) \/ exists Y, cpu_holds gl d (cpu_at (framed Y) d)) -> frame_only gl gl' ->
  (forall r, 0 <= r < 31 -> at1 cpus_x gl' (c * 31 + r) = Map.get X r) -> forall d, 0 <= d < NIE_MAX_CPUS -> cpu_holds gl' d (cpu_at (framed X) d).
Proof.
  intros X gl gl' H [F W] XH d D. assert (FA : forall g, g <> cpus_x -> forall i, at1 g gl' i = at1 g gl i) by (intros g N i; unfold at1; now rewrite F).
  rewrite framed_cpu. destruct (Z.eqb_spec d c) as [->|N].
  - destruct (H c D) as [K|[Y K]]; [|rewrite framed_cpu, Z.eqb_refl in K]; destruct K as [H1 H2 H3 H4 H5 H6 H7 H8 H9]; cbn [cpu_x host_x host_sysreg run_in start_entry start_argument cpu_vm cpu_vcpu started] in *;
      constructor; cbn [cpu_x host_x host_sysreg run_in start_entry start_argument cpu_vm cpu_vcpu started]; intros; try (rewrite FA by discriminate; auto); now apply XH.
  - assert (K : cpu_holds gl d (cpu_at a d)).
    { destruct (H d D) as [K|[Y K]]; auto. rewrite framed_cpu in K. replace (d =? c) with false in K by lia. exact K. }
    destruct K as [H1 H2 H3 H4 H5 H6 H7 H8 H9]. constructor; intros; try (rewrite FA by discriminate; auto). rewrite W; auto. Z.to_euclidean_division_equations. lia.
Qed.

Lemma framed_R : forall X gl, frame_only (glob s) gl -> (forall r, 0 <= r < 31 -> at1 cpus_x gl (c * 31 + r) = Map.get X r) -> R (framed X) (Mach gl h).
Proof.
  intros X gl FO XH. pose proof (good_mid a s c gl h G C AL ME (frame_quiet _ _ FO)) as M. destruct M as [SO _ _ (m & W & T) RAM ENG _ _ VT _]. cbn [C_store.glob C_store.hw] in *.
  pose proof (step_sound _ _ _ C (Registers _ _ _ (framed_only X)) SO) as [WF O K].
  constructor; cbn [C_store.glob C_store.hw]; auto.
  - pose proof (framed_cpus X (glob s) gl (fun d D => or_introl (g_cpus _ _ (go_globals _ _ G) d D)) FO XH) as CP.
    destruct (rest_quiet _ _ _ _ (rest_of _ _ (go_globals _ _ G)) (frame_quiet _ _ FO)) as [[] _]. constructor; assumption.
  - exists m. split; [exact W|]. destruct T. constructor; assumption.
  - constructor.
    + now rewrite ME.
    + intros r Rr. rewrite ME. symmetry. change (here (framed X)) with (fill 128 0 (fun r => Map.get (reg h) (c * 128 + r)) (Map.const 0)).
      rewrite Exact.get_fill by lia. replace ((0 <=? r) && (r <? 0 + 128))%bool with true by lia. now rewrite Z.sub_0_r.
    + intros i I. rewrite ME. symmetry. change (fp_here (framed X)) with (fill 66 0 (fun i => Map.get (fp h) (c * 128 + i)) (Map.const 0)).
      rewrite Exact.get_fill by lia. replace ((0 <=? i) && (i <? 0 + 66))%bool with true by lia. now rewrite Z.sub_0_r.
    + intro d. rewrite VT. symmetry. apply vttbr_alike; try reflexivity. intro D. apply (ro_runs _ _ _ (framed_only X) d D).
Qed.

(* More of the frame is written, when the engine has run. *)
Lemma framed_more : forall X Y g1 h1 g2, R (framed X) (Mach g1 h1) -> frame_only g1 g2 -> (forall r, 0 <= r < 31 -> at1 cpus_x g2 (c * 31 + r) = Map.get Y r) ->
  R (framed Y) (Mach g2 h1).
Proof.
  intros X Y g1 h1 g2 HR FO XH. pose proof HR as [WF O GL (m & W & T) RAM ENG RG CN]. cbn [C_store.glob C_store.hw] in *.
  assert (RO : registers_only c (framed X) (framed Y)).
  { constructor; try reflexivity; intros d D; rewrite !framed_cpu; [destruct (d =? c); auto|]. intro N. replace (d =? c) with false by lia. auto. }
  assert (SO : sound (framed X)) by (constructor; assumption).
  pose proof (step_sound _ _ _ C (Registers _ _ _ RO) SO) as [WF' O' K'].
  constructor; cbn [C_store.glob C_store.hw]; auto.
  - pose proof (framed_cpus Y g1 g2 (fun d D => or_intror (ex_intro _ X (g_cpus _ _ GL d D))) FO XH) as CP.
    destruct (rest_quiet _ _ _ _ (rest_of _ _ GL) (frame_quiet _ _ FO)) as [[] _]. constructor; assumption.
  - exists m. split; [exact W|]. destruct T. constructor; assumption.
  - destruct RG as [RM RH RF RV]. constructor; auto. intro d. rewrite RV. symmetry. apply vttbr_alike; try reflexivity. intro D. apply (ro_runs _ _ _ RO d D).
Qed.
End Frame.
