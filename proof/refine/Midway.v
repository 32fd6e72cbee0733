(* SPDX-License-Identifier: Apache-2.0 *)
(* Where a trap stands between two of its named steps, and how quiet C, a change of tables and a saved context move on. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.world.
From nie.spec Require Import Core.
From nie.proof.refine Require Import GiveBack.
From nie.proof.refine Require Export Snapshot trap_quiet.
From nie.proof.invariant Require Export trap_steps_preserve.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* What boot checked of the manifest and the map does not speak of. *)
Record manifest_ok (gl : globals) : Prop := {
  mo_cpus : 1 <= at1 config_word gl MAN_CPUS <= NIE_MAX_CPUS;
  mo_devices : 0 <= at1 config_word gl MAN_DEVICES <= MAN_MAX_DEVICES;
}.

(* Registers of the other CPUs are as the state says. *)
Definition other_cpus (c : Z) (a : state) (gl : globals) : Prop := forall d, 0 <= d < NIE_MAX_CPUS -> d <> c ->
  (forall i, 0 <= i < 31 -> at1 cpus_x gl (d * 31 + i) = Map.get (cpu_x (cpu_at a d)) i /\ at1 cpus_host_x gl (d * 31 + i) = Map.get (host_x (cpu_at a d)) i) /\
  (forall i, 0 <= i < REG_SWITCHED -> at1 cpus_host_sysreg gl (d * REG_SWITCHED + i) = Map.get (host_sysreg (cpu_at a d)) i) /\
  (forall i, 0 <= i < RUN_IN_END -> at1 cpus_in gl (d * RUN_IN_END + i) = Map.get (run_in (cpu_at a d)) i).

Lemma other_quiet : forall c a gl gl', other_cpus c a gl -> only_quiet c gl gl' -> other_cpus c a gl'.
Proof.
  intros c a gl gl' O Q d D N. destruct (O d D N) as (H1 & H2 & H3). unfold REG_SWITCHED, RUN_IN_END in *. repeat split; intros.
  - rewrite (oq_word _ _ _ Q); [now apply H1|]. cbn [own_word]. lia.
  - rewrite (oq_word _ _ _ Q); [now apply H1|]. cbn [own_word]. lia.
  - rewrite (oq_word _ _ _ Q); [now apply H2|]. cbn [own_word]. lia.
  - rewrite (oq_word _ _ _ Q); [now apply H3|]. cbn [own_word]. lia.
Qed.
Lemma other_put : forall c a b gl g k x, other_cpus c a gl -> match g with cpus_x | cpus_host_x | cpus_host_sysreg | cpus_in | sha_initial | sha_k => False | _ => True end ->
  (forall d, d <> c -> cpu_at b d = cpu_at a d) -> other_cpus c b (put1 g k x gl).
Proof.
  intros c a b gl g k x O G E d D N. rewrite (E d N). destruct (O d D N) as (H1 & H2 & H3).
  assert (C : constant_table g = false) by (destruct g; auto; contradiction).
  repeat split; intros; rewrite at_put_other by (auto; intros <-; contradiction); now (apply H1 || apply H2 || apply H3).
Qed.

Definition at_page (p w : Z) : Prop := exists i, is_word i = true /\ w = p * 512 + i.

Record mid (c : Z) (vt : Z -> Z) (a : state) (s : mach globals Machine.hw) : Prop := {
  mi_sound : sound a;
  mi_rest : at_rest a (glob s);
  mi_other : other_cpus c a (glob s);
  mi_hw : exists m, settled (Aset a) m (now m) (hw s) /\ tables_hold a m;
  mi_ram : ram (hw s) = ram_of a;
  mi_engine : engine (hw s) = engine_of a;
  mi_me : me (hw s) = c;
  mi_c : 0 <= c < NIE_MAX_CPUS;
  mi_vttbr : forall d, vttbr (hw s) d = vt d;
  mi_man : manifest_ok (glob s);
  mi_claims : unclaimed (hw s);
}.

Lemma man_quiet : forall c gl gl', manifest_ok gl -> only_quiet c gl gl' -> manifest_ok gl'.
Proof. intros c gl gl' [] Q. constructor; rewrite (oq_at _ _ _ _ _ Q) by reflexivity; auto. Qed.
Lemma man_put : forall gl g k x, manifest_ok gl -> constant_table g = false -> g <> config_word -> manifest_ok (put1 g k x gl).
Proof. intros gl g k x [] C N. constructor; rewrite at_put_other by auto; auto. Qed.

(** From the relation, and back to it. *)

Lemma mid_of_R : forall a s, R a s -> manifest_ok (glob s) -> unclaimed (hw s) -> mid (me (hw s)) (vttbr_of a) a s.
Proof.
  intros a s [] M U. destruct R_regs. constructor; auto.
  - split; auto.
  - now apply rest_of.
  - intros d D N. destruct (g_cpus _ _ R_globals d D). repeat split; auto.
Qed.

Lemma snapshot_runs : forall a gl h, at_rest a gl -> runs_alike a (snapshot a gl h).
Proof. intros a gl h [_ S] c C. destruct (S c C) as [E F]. change (cpu_at (snapshot a gl h) c) with (cpu_at (with_cpus a gl) c). auto. Qed.

Lemma snapshot_step : forall c a gl h, at_rest a gl -> other_cpus c a gl -> registers_only c a (snapshot a gl h).
Proof.
  intros c a gl h AR O. constructor; try reflexivity; [exact (snapshot_runs a gl h AR)|].
  intros d D N. change (cpu_at (snapshot a gl h) d) with (cpu_at (with_cpus a gl) d). rewrite with_cpus_at by auto.
  destruct (O d D N) as (H1 & H2 & H3). cbn [cpu_x host_x host_sysreg run_in read_cpu].
  repeat split; intros; rewrite get_tab by auto; now (apply H1 || apply H2 || apply H3).
Qed.

Lemma vttbr_alike : forall a b c, cfg b = cfg a -> (forall v, root (vm_at b v) = root (vm_at a v)) ->
  (0 <= c < NIE_MAX_CPUS -> cpu_vm (cpu_at b c) = cpu_vm (cpu_at a c)) -> vttbr_of b c = vttbr_of a c.
Proof.
  intros a b c E1 E2 E3. unfold vttbr_of. rewrite E1. destruct ((0 <=? c) && (c <? NIE_MAX_CPUS)) eqn:D; [|reflexivity].
  rewrite E3, E2 by lia. reflexivity.
Qed.

Theorem R_of_mid : forall c a s, mid c (vttbr_of a) a s ->
  R (snapshot a (glob s) (hw s)) s /\ registers_only c a (snapshot a (glob s) (hw s)).
Proof.
  intros c a [gl h] []. cbn [glob hw] in *. pose proof (snapshot_step _ _ _ h mi_rest0 mi_other0) as RO. split; auto.
  assert (SO : sound (snapshot a gl h)) by (eapply step_sound; eauto using Registers).
  destruct mi_hw0 as (m & W & T). constructor; cbn [glob hw].
  - apply SO.
  - apply SO.
  - destruct mi_rest0 as [G _]. destruct G. constructor; assumption.
  - exists m. split; [exact W|]. destruct T. constructor; assumption.
  - exact mi_ram0.
  - exact mi_engine0.
  - constructor.
    + rewrite mi_me0. auto.
    + intros r Rr. symmetry. exact (get_tab _ 128 (fun r => Map.get (reg h) (me h * 128 + r)) 0 r Rr).
    + intros i I. symmetry. exact (get_tab _ 66 (fun r => Map.get (fp h) (me h * 128 + r)) 0 i I).
    + intro d. rewrite mi_vttbr0. symmetry. apply vttbr_alike; try reflexivity. intro D. apply (snapshot_runs a gl h mi_rest0 d D).
  - apply SO.
Qed.

(** Quiet C. *)

Section Quiet.
Variables (c : Z) (vt : Z -> Z) (a : state) (s : mach globals Machine.hw).
Hypothesis MI : mid c vt a s.

Lemma run_quiet : forall X (code : M (mach globals Machine.hw) X) (P : X -> Prop),
  (forall (V : Z -> Z -> Prop) (fine : (Z -> Z) -> Prop), (forall m, fine m -> forall w d, now m w d -> V w d) -> keeps c (glob s) (hw s) (Aset a) V fine code P) ->
  wp code (fun r s' => mid c vt a s' /\ P r /\ only_quiet c (glob s) (glob s')) s.
Proof.
  intros X code P K. destruct MI. destruct mi_hw0 as (m & W & T).
  eapply wp_weaken; [apply (K (now m) (fun m' => m' = m))|].
  - intros m' -> w d E. exact E.
  - split; [apply oq_refl|]. split; [apply steady_refl|]. eauto.
  - intros r s' [(O & ST & m' & -> & W') P']. split; [|split; auto]. destruct ST. constructor; auto; try congruence.
    + eapply rest_quiet; eauto.
    + eapply other_quiet; eauto.
    + eauto.
    + eapply man_quiet; eauto.
    + intros v x p. rewrite s_claims. apply mi_claims0.
Qed.

Lemma in_ram_hw : forall p, State.in_ram a p = true -> Machine.in_ram (hw s) p = true.
Proof. intros p P. unfold Machine.in_ram. rewrite (mi_ram _ _ _ _ MI). exact P. Qed.
Lemma run_hosted : forall p v i, State.in_ram a p = true -> own a p = Run v i -> hosts (Aset a) p.
Proof.
  intros p v i P O. destruct (access_hosts a p) as (l & k & d & H & T).
  - apply MI.
  - unfold State.host_may_access. now rewrite P, O.
  - exists l, k, d. auto.
Qed.
Lemma context_untouched : forall p v i, State.in_ram a p = true -> own a p = Vcpu v i -> ~ touch (Aset a) p.
Proof. intros p v i P O. apply untouched; auto; [apply MI|]. now rewrite O. Qed.
End Quiet.

(** Another table base. *)

Lemma settled_equiv : forall A B m V h, (forall v l k d, A v l k d <-> B v l k d) -> settled A m V h -> settled B m V h.
Proof.
  intros A B m V h E W. assert (T : forall p, touch A p <-> touch B p).
  { intro p. split; intros (v & l & k & d & H & N); exists v, l, k, d; split; auto; now apply E. }
  assert (HO : forall p, hosts A p <-> hosts B p).
  { intro p. split; intros (l & k & d & H & N); exists l, k, d; split; auto; now apply E. }
  destruct W. constructor; auto.
  - intros e H. apply E. auto.
  - intros e H D. apply E. auto.
  - intro c. apply E. auto.
  - now intros v l k d H.
  - intros v l k d i d' H. apply E in H. intros. apply E. eapply w_closed; eauto.
  - intros v l k d i d' H. apply E in H. intros. apply E. eapply w_closed; eauto.
  - intros v l k d H I N. apply E in H. apply T in N. eapply w_apart; eauto.
  - destruct w_safe as (S1 & S2 & S3). split; [|split].
    + intros v l k d v' l' k' d' p H H'. apply E in H. apply E in H'. eauto.
    + intros p N. apply T in N. auto.
    + intros v x p (l & k & d & H & K) v' l' k' d' x' p' H'. apply E in H. apply E in H'. apply (S3 v x p); [exists l, k, d; auto|exact H'].
  - intros p i I N. apply w_mem; auto. now rewrite T.
  - intros p i d I N. apply w_vis; auto. now rewrite T.
  - intros p S N. apply HO in N. eapply w_secret; eauto.
  - intros v x p C. destruct (w_claims v x p C) as (l & k & d & H & K). exists l, k, d. split; [now apply E|exact K].
Qed.

Lemma write_vttbr : forall c vt a s x, mid c vt a s -> Aset a (x / 2 ^ 48) 0 0 (x mod 2 ^ 48) ->
  wp (sysreg_write REG_VTTBR_EL2 x) (fun _ s' => mid c (fun d => if d =? c then x else vt d) a s' /\ glob s' = glob s) s.
Proof.
  intros c vt a [gl h] x [] AS. cbn [glob hw] in *. destruct mi_hw0 as (m & W & T).
  unfold sysreg_write. apply wp_hw. unfold wp. cbn.
  destruct (settled_others _ _ _ _ W) as [W1 []]. set (h1 := others h) in *.
  assert (VT : forall d, vttbr (h1 <| reg ::= fun f => Map.set f (me h1 * 128 + REG_VTTBR_EL2) x |>) d = if d =? c then x else vt d).
  { intro d. unfold vttbr. cbn. rewrite Map.get_set. unfold REG_VTTBR_EL2, Machine.VTTBR_EL2. rewrite s_me, mi_me0.
    destruct (Z.eqb_spec d c) as [->|N]; [now rewrite Z.eqb_refl|]. replace (d * 128 + 41 =? c * 128 + 41) with false by lia.
    rewrite <- mi_vttbr0, <- s_vttbr. reflexivity. }
  split; [|reflexivity]. constructor; auto; cbn [glob hw]; try (cbn; congruence).
  - exists m. split; auto. destruct W1. constructor; auto using frame_refl. intro d. unfold root_vmid, root_desc. rewrite VT.
    destruct (Z.eqb_spec d c) as [->|N]; auto. rewrite <- mi_vttbr0, <- s_vttbr. apply w_root.
  - intros v y p. change (~ claims h1 v y p). rewrite s_claims. apply mi_claims0.
Qed.
