(* SPDX-License-Identifier: Apache-2.0 *)
(* Where a trap stands, exactly: the machine is in a state of spec/, registers included, and since the trap began the engine
   has told nobody anything. The rules of primitives that read and write registers, and of the C that consists of them. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning vcpu_run_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.inject nie.generated.trap.mmio.
From nie.spec Require Import Core.
From nie.proof.refine Require Import life_refines.
From nie.proof.refine Require Export vcpu_enters vcpu_run_refines.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** Pages that the engine has to itself; [silent]: others act, and the engine stores to no other page. *)

Definition kept (o : owner) : bool := match o with Engine | Table _ _ _ | Vcpu _ _ => true | _ => false end.
Record self_step (o : Z -> owner) (h h' : Machine.hw) : Prop := {
  ss_mem : forall w, kept (o (w / 512)) = false -> Map.get (Machine.mem h') w = Map.get (Machine.mem h) w;
  ss_fp : fp h' = fp h;
  ss_me : me h' = me h;
  ss_during : during h' = during h;
  ss_inputs : inputs h' = inputs h;
  ss_taken : taken h' = taken h;
  ss_claims : claims h' = claims h;
}.
Inductive silent (o : Z -> owner) (h : Machine.hw) : Machine.hw -> Prop :=
| silent_refl : silent o h h
| silent_others h' : silent o h h' -> silent o h (others h')
| silent_self h1 h2 : silent o h h1 -> self_step o h1 h2 -> silent o h h2.
Lemma silent_trans : forall o h1 h2 h3, silent o h1 h2 -> silent o h2 h3 -> silent o h1 h3.
Proof. intros o h1 h2 h3 S T. induction T; [exact S|now apply silent_others|eapply silent_self; eauto]. Qed.

Lemma act_keeps : forall x h, fp (act_step x h) = fp h /\ me (act_step x h) = me h /\ inputs (act_step x h) = inputs h.
Proof.
  intros x h. destruct x; cbn [act_step]; auto.
  - destruct (nth_error (tlb h) n); auto. now destruct (is_table _ _ && _ && _ && _)%bool.
  - destruct (nth_error (tlb h) n); auto. now destruct (is_leaf _ _ && _ && _ && _ && _ && _)%bool.
  - now destruct ((0 <=? c) && _ && _ && _)%bool.
Qed.
Lemma others_keep : forall h, fp (others h) = fp h /\ me (others h) = me h /\ inputs (others h) = inputs h.
Proof.
  intro h. unfold others. destruct (during h) as [|l rest]; [auto|].
  assert (G : forall l h, let h' := fold_left (fun h a => met (act_step a h)) l h in fp h' = fp h /\ me h' = me h /\ inputs h' = inputs h).
  { clear. induction l as [|a l IH]; intro h; cbn [fold_left]; cbn zeta in *; auto. destruct (IH (met (act_step a h))) as (-> & -> & ->). exact (act_keeps a h). }
  destruct (G l (met (h <| during := rest |>))) as (-> & -> & ->). auto.
Qed.
Lemma silent_stays : forall o h h', silent o h h' -> stays h h'.
Proof.
  intros o h h' S. induction S as [|h1 S [M I F]|h1 h2 S [M I F] []]; [now constructor| |].
  - destruct (others_keep h1) as (E1 & E2 & E3). constructor; [congruence|congruence|]. intros w W. rewrite E1. auto.
  - constructor; [congruence|congruence|]. intros w W. rewrite ss_fp0. auto.
Qed.

Lemma silent_claims : forall o h h', silent o h h' -> claims h' = claims h.
Proof. intros o h h' S. induction S as [|h1 S IH|h1 h2 S IH []]; [auto| |congruence]. rewrite others_claims. exact IH. Qed.
Lemma silent_taken : forall o h h', silent o h h' -> taken h' = taken h.
Proof. intros o h h' S. induction S as [|h1 S IH|h1 h2 S IH []]; [auto| |congruence]. rewrite others_taken. exact IH. Qed.

(* What a trap may write among global objects. *)
Definition of_trap (g : gvar) : bool := match g with vms_state | cpus_entry | cpus_argument | cpus_started => true | _ => of_run g end.
Definition only_trap (gl gl' : globals) : Prop := forall g, of_trap g = false -> field g gl' = field g gl.
Lemma ot_refl : forall gl, only_trap gl gl.
Proof. intros gl g _. reflexivity. Qed.
Lemma ot_trans : forall x y z, only_trap x y -> only_trap y z -> only_trap x z.
Proof. intros x y z H K g F. rewrite K, H; auto. Qed.
Lemma ot_run : forall gl gl', only_run gl gl' -> only_trap gl gl'.
Proof. intros gl gl' H g F. apply H. now destruct g. Qed.
Lemma ot_put : forall gl g k x, of_trap g = true -> only_trap gl (put1 g k x gl).
Proof. intros gl g k x O g' F. apply field_set_other. congruence. Qed.

(* The machine was [s0] when the trap began on CPU [c], with pages owned as [o] says, and is in state [a] now. *)
Record stands (c : Z) (o : Z -> owner) (s0 : MACH) (a : state) (s : MACH) : Prop := {
  sd_R : R a s;
  sd_me : me (hw s) = c;
  sd_own : forall p, own a p = o p;
  sd_silent : silent o (hw s0) (hw s);
  sd_only : only_trap (glob s0) (glob s);
}.
Lemma stands_now : forall a s, R a s -> stands (me (hw s)) (own a) s a s.
Proof. intros a s H. constructor; auto using ot_refl. apply silent_refl. Qed.

Section Stands.
Variables (c : Z) (o : Z -> owner) (s0 : MACH).
Notation at_ := (stands c o s0).
Notation POST X := (X -> MACH -> Prop).

Lemma at_cpu : forall a s, at_ a s -> 0 <= c < NIE_MAX_CPUS.
Proof. intros a s [H M]. rewrite <- M. exact (r_me _ _ (R_regs _ _ H)). Qed.
Lemma at_globals : forall a s, at_ a s -> globals_hold a (glob s).
Proof. intros a s [H]. apply H. Qed.
Lemma at_sound : forall a s, at_ a s -> sound a.
Proof. intros a s [[] _]. constructor; auto. Qed.
Lemma at_vttbr : forall a s, at_ a s -> Map.get (here a) REG_VTTBR_EL2 = vttbr_of a c.
Proof. intros a s [H M]. rewrite <- M. rewrite <- (r_here _ _ (R_regs _ _ H)) by (unfold REG_VTTBR_EL2; lia). exact (r_vttbr _ _ (R_regs _ _ H) _). Qed.
Lemma at_live : forall a gl h, at_ a (Mach gl h) -> exists m, live h c (Aset a) m (now m) (here a) (fp_here a) (taken h) h /\ tables_hold a m.
Proof. intros a gl h [H <-]. exact (live_of_R _ _ _ H). Qed.

(* From what is known of the machine: the map is the same. *)
Lemma at_again : forall a gl h b m n gl' h', at_ a (Mach gl h) -> live h c (Aset a) m (now m) (here b) (fp_here b) n h' ->
  globals_hold b gl' -> sound b -> same_map a b -> tables_hold b m -> Map.get (here b) REG_VTTBR_EL2 = Map.get (here a) REG_VTTBR_EL2 ->
  (forall d, vttbr_of b d = vttbr_of a d) -> silent o h h' -> only_trap gl gl' -> at_ b (Mach gl' h').
Proof.
  intros a gl h b m n gl' h' A L G SB SM T E VT S OT. pose proof A as [HR M OW SI ON]. cbn [glob hw] in *. constructor; cbn [glob hw].
  - eapply R_live; [exact HR|symmetry; exact M|exact L|exact G|exact SB|exact SM|exact T| |auto].
    rewrite E, VT. eapply at_vttbr; eauto.
  - exact (lv_me _ _ _ _ _ _ _ _ _ L).
  - intro p. rewrite <- OW. unfold own. now rewrite (sm_owners _ _ SM).
  - eapply silent_trans; eauto.
  - eapply ot_trans; eauto.
Qed.
Lemma alike_vttbr : forall a b, alike a b -> forall d, vttbr_of b d = vttbr_of a d.
Proof. intros a b AL d. unfold vttbr_of. rewrite (al_cfg _ _ AL). destruct (al_runs _ _ AL d) as [-> _]. unfold vm_at. now rewrite (al_vms _ _ AL). Qed.
Lemma at_alike : forall a gl h b m n gl' h', at_ a (Mach gl h) -> tables_hold a m -> live h c (Aset a) m (now m) (here b) (fp_here b) n h' ->
  globals_hold b gl' -> alike a b -> Map.get (here b) REG_VTTBR_EL2 = Map.get (here a) REG_VTTBR_EL2 -> silent o h h' -> only_trap gl gl' ->
  at_ b (Mach gl' h').
Proof.
  intros a gl h b m n gl' h' A T L G AL E S OT. eapply at_again; eauto using alike_map, alike_tables, alike_vttbr.
  eapply alike_sound; [exact AL|eapply at_sound; eauto].
Qed.

(** Registers of the system. *)

Lemma at_read : forall a s r (Q : POST Z), at_ a s -> 0 <= r < 128 -> (forall s', at_ a s' -> glob s' = glob s -> Q (Registers.reg_of a r) s') -> wp (sysreg_read r) Q s.
Proof.
  intros a [gl h] r Q A B H. destruct (at_live _ _ _ A) as (m & L & T).
  eapply wp_weaken with (Q := fun x s' => x = Map.get (here a) r /\ at_ a s' /\ glob s' = gl); [|intros x s' (-> & A' & E); auto].
  assert (K : wp (sysreg_read r) (fun x s' => x = Map.get (here a) r /\ live h c (Aset a) m (now m) (here a) (fp_here a) (taken h) (hw s')) (Mach gl h)).
  { eapply x_read; [exact L|exact B|]. auto. }
  unfold wp in K |- *. change (sysreg_read r (Mach gl h)) with (Some (Map.get (reg (others h)) (me (others h) * 128 + r), Mach gl (others h))) in *.
  destruct K as [E L']. split; [exact E|]. split; [|reflexivity]. eapply at_alike; eauto using alike_refl, ot_refl.
  - exact (at_globals _ _ A).
  - apply silent_others, silent_refl.
Qed.
Lemma at_write : forall a s r x (Q : POST unit), at_ a s -> 0 <= r < 128 -> r <> REG_VTTBR_EL2 ->
  (forall s', at_ (set_here r x a) s' -> glob s' = glob s -> Q tt s') -> wp (sysreg_write r x) Q s.
Proof.
  intros a [gl h] r x Q A B N H. destruct (at_live _ _ _ A) as (m & L & T).
  eapply wp_weaken with (Q := fun _ s' => at_ (set_here r x a) s' /\ glob s' = gl); [|intros [] s' (A' & E); auto].
  assert (K : wp (sysreg_write r x) (fun _ s' => live h c (Aset a) m (now m) (Map.set (here a) r x) (fp_here a) (taken h) (hw s')) (Mach gl h)).
  { eapply x_write; [exact L|exact B|exact N|]. auto. }
  unfold wp in K |- *. set (h1 := others h <| reg ::= fun g => Map.set g (me (others h) * 128 + r) x |>).
  change (sysreg_write r x (Mach gl h)) with (Some (tt, Mach gl h1)) in *. cbn [hw glob] in *.
  split; [|reflexivity]. eapply at_alike with (b := set_here r x a); [exact A|exact T|exact K| |apply alike_set_here| | |apply ot_refl].
  - eapply holds_of; [exact (at_globals _ _ A)|reflexivity..].
  - transitivity (Map.get (Map.set (here a) r x) REG_VTTBR_EL2); [reflexivity|]. apply get_set_other. auto.
  - eapply silent_self; [apply silent_others, silent_refl|]. now constructor.
Qed.

(** General registers of this CPU. *)

Lemma at_x_load : forall a s i (Q : POST Z), at_ a s -> 0 <= i < 31 -> Q (Registers.x_of a c i) s -> wp (load cpus_x [c; i]) Q s.
Proof.
  intros a [gl h] i Q A I H. pose proof (at_cpu _ _ A) as C. pose proof C as C8. unfold NIE_MAX_CPUS in C8.
  eapply x_load2; [reflexivity|exact C8|exact I|]. pose proof (h_x _ _ _ (g_cpus _ _ (at_globals _ _ A) c C) i I) as E. cbn [glob] in E. rewrite E. exact H.
Qed.
(* Stores to globals: nothing of the machine below changes. *)
Lemma at_globs : forall a gl h b gl', at_ a (Mach gl h) -> globals_hold b gl' -> alike a b -> here b = here a -> fp_here b = fp_here a -> only_trap gl gl' -> at_ b (Mach gl' h).
Proof.
  intros a gl h b gl' A G AL E F OT. destruct (at_live _ _ _ A) as (m & L & T). eapply at_alike; eauto using silent_refl; rewrite E; auto. rewrite F. exact L.
Qed.
Lemma at_x_store : forall a s i x (Q : POST unit), at_ a s -> 0 <= i < 31 -> (forall s', at_ (Registers.set_x c i x a) s' -> Q tt s') -> wp (store cpus_x [c; i] x) Q s.
Proof.
  intros a [gl h] i x Q A I H. pose proof (at_cpu _ _ A) as C. pose proof C as C8. unfold NIE_MAX_CPUS in C8.
  eapply x_store2; [reflexivity|exact C8|exact I|]. apply H. eapply at_globs; [exact A|apply hold_x; [exact (at_globals _ _ A)|exact C|exact I]|apply alike_x|reflexivity..|].
  now apply ot_put.
Qed.
Lemma at_gpr_read : forall a s r (Q : POST Z), at_ a s -> 0 <= r -> Q (Registers.gpr a c r) s -> wp (gpr_read c r) Q s.
Proof.
  intros a s r Q A B H. unfold gpr_read, Registers.gpr in *. destruct (Z.ltb_spec r 31); [|go; exact H].
  w_bind. w_bind. eapply at_x_load; [exact A|lia|]. go. exact H.
Qed.
Lemma at_gpr_write : forall a s r x (Q : POST unit), at_ a s -> 0 <= r -> (forall s', at_ (Registers.set_gpr c r x a) s' -> Q tt s') -> wp (gpr_write c r x) Q s.
Proof.
  intros a s r x Q A B H. unfold gpr_write, Registers.set_gpr in *. destruct (Z.ltb_spec r 31); [|go; apply H; exact A].
  w_bind. eapply at_x_store; [exact A|lia|]. intros s' A'. go. now apply H.
Qed.
End Stands.
