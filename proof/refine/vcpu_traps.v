(* SPDX-License-Identifier: Apache-2.0 *)
(* Every exception of a vCPU: its calls, its aborts, its registers, its interrupts. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning page_remove_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.stage2_h nie.generated.trap_h nie.generated.state.world nie.generated.state.inject
  nie.generated.state.context nie.generated.state.stage2 nie.generated.trap.mmio nie.generated.trap.sysreg nie.generated.trap.vcpu_call
  nie.generated.trap.vcpu_abort nie.generated.trap.trap.
From nie.spec Require Import Core.
From nie.proof.refine Require Import GiveBack.
From nie.proof.refine Require Export world_refines.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(* What a trap of CPU c leaves: a state that named steps reach. *)
Definition after (c : Z) (a : state) (s' : mach globals Machine.hw) : Prop := exists b, steps c a b /\ mid c (vttbr_of b) b s'.
(* Then the vCPU, if it still runs, is the one that trapped. *)
Definition x_ok (c : Z) (gl : globals) : Prop := forall i, 0 <= i < 31 -> 0 <= at1 cpus_x gl (c * 31 + i) < 2 ^ 64.

Lemma after_quiet : forall c a s, mid c (vttbr_of a) a s -> after c a s.
Proof. intros. exists a. split; auto. apply no_step. Qed.
Lemma after_steps : forall c a b s, steps c a b -> after c b s -> after c a s.
Proof. intros c a b s H (d & K & M). exists d. split; auto. eapply steps_trans; eauto. Qed.
Lemma after_exit : forall c a s v i r p w x (Q : unit -> mach globals Machine.hw -> Prop), mid c (vttbr_of a) a s -> runs a c v i ->
  (forall s', after c a s' -> Q tt s') -> wp (exit_vcpu c r p w x) Q s.
Proof.
  intros c a s v i r p w x Q MI RU H. eapply wp_weaken; [eapply exit_vcpu_wp; eauto|]. cbn beta. intros [] s' (b & S & _ & M). apply H. exists b. auto.
Qed.

Lemma same_glob : forall X (m : M (mach globals Machine.hw) X) P s, wp m P s -> (forall r s', m s = Some (r, s') -> glob s' = glob s) ->
  wp m (fun r s' => P r s' /\ glob s' = glob s) s.
Proof. intros X m P s W G. unfold wp in *. destruct (m s) as [[r s']|] eqn:E; auto. split; auto. now apply (G r). Qed.
Lemma on_hw_glob : forall X (p : M Machine.hw X) (s s' : mach globals Machine.hw) r, on_hw p s = Some (r, s') -> glob s' = glob s.
Proof. intros X p [gl h] s' r. unfold on_hw. cbn. destruct (p h) as [[]|]; [|discriminate]. intros [= <- <-]. reflexivity. Qed.

Section Vcpu.
Variables (c v i : Z) (a : state).
Hypothesis RU : runs a c v i.

Lemma skip_wp : forall vt s, mid c vt a s -> wp skip_instruction (fun _ s' => mid c vt a s' /\ glob s' = glob s) s.
Proof.
  intros vt s MI. apply same_glob.
  - eapply wp_weaken; [eapply (run_quiet _ _ _ _ MI) with (P := any); intros; apply q_skip; auto|]. now intros _ s' (M & _ & _).
  - intros [] s' E. unfold skip_instruction, bind in E.
    destruct (sysreg_read REG_ELR_EL2 s) as [[x1 s1]|] eqn:E1; [|discriminate]. destruct (sysreg_read REG_SPSR_EL2 s1) as [[x2 s2]|] eqn:E2; [|discriminate].
    destruct (sysreg_write REG_ELR_EL2 (wrap U64 (x1 + 4)) s2) as [[x3 s3]|] eqn:E3; [|discriminate].
    destruct (sysreg_write REG_SPSR_EL2 _ s3) as [[x4 s4]|] eqn:E4; [|discriminate]. injection E as <-.
    unfold sysreg_read, sysreg_write in *. apply on_hw_glob in E1, E2, E3, E4. congruence.
Qed.

(* What is known of the vCPU. *)
Lemma vcpu_facts : forall vt s, mid c vt a s -> on_cpu a c v i /\ 0 <= c < 8 /\ at1 cpus_vm (glob s) c = v /\ at1 cpus_vcpu (glob s) c = i /\
  1 <= vcpu_count (vm_at a v) <= 8.
Proof.
  intros vt s MI. pose proof (so_wf _ (mi_sound _ _ _ _ MI)) as W. pose proof (mi_c _ _ _ _ MI) as C. pose proof (who_runs _ _ _ _ W C RU) as OC.
  destruct (mid_runs _ _ _ _ MI) as [E1 E2]. destruct RU as (R1 & R2 & R3). destruct OC as [V I ST CP NF CX RN].
  destruct (v_used _ (wf_v _ W) v V NF) as (_ & X & _). unfold NIE_MAX_CPUS, NIE_MAX_VCPUS in *.
  split; [constructor; auto|]. split; [auto|]. split; [congruence|]. split; [congruence|auto].
Qed.

Ltac q_at MI := eapply wp_weaken; [eapply (run_quiet _ _ _ _ MI) with (P := any); intros ? ? ?|cbn beta; intros ? ? (? & _ & ?)].

(** A store to the record of a vCPU of this VM. *)

Lemma put_asks : forall vt gl h g t x r, mid c vt a (Mach gl h) -> mine a c v i t -> match g with vcpus_pending | vcpus_syndrome => True | _ => False end ->
  asks_only (vcpu_at a v t) r ->
  pending r = at1 vcpus_pending (put1 g (v * NIE_MAX_VCPUS + t) x gl) (v * NIE_MAX_VCPUS + t) ->
  syndrome r = at1 vcpus_syndrome (put1 g (v * NIE_MAX_VCPUS + t) x gl) (v * NIE_MAX_VCPUS + t) ->
  mid c vt (set_vcpu v t r a) (Mach (put1 g (v * NIE_MAX_VCPUS + t) x gl) h).
Proof.
  intros vt gl h g t x r MI MN G (A1 & A2 & A3 & A4) E1 E2. pose proof MI as [SO AR OC (m & W & T) RM EN ME CC VT MO]. cbn [glob hw] in *.
  destruct (vcpu_facts _ _ MI) as ([V I ST CP NF CX RN] & _). pose proof (mid_vcpu _ _ _ _ v t MI V (proj1 (proj2 MN))) as []. cbn [glob] in *.
  assert (CG : constant_table g = false) by (destruct g; auto; contradiction).
  constructor; cbn [glob hw]; auto.
  - eapply step_sound; [exact CC|eapply Asks; [exact MN|repeat split; auto]|exact SO].
  - apply rest_vcpu; auto; [apply MN|destruct g; auto; contradiction|].
    constructor; auto; rewrite at_put_other by (auto; intros <-; contradiction); congruence.
  - eapply other_put with (a := a); auto. destruct g; auto.
  - exists m. split; [exact W|]. destruct T. constructor; assumption.
  - apply man_put; auto. intros ->. contradiction.
Qed.

(** The walk, outside of a change. *)

Lemma mid_world : forall vt gl h h' m, mid c vt a (Mach gl h) -> world h (Aset a) (Aset a) m (now m) h' -> tables_hold a m -> mid c vt a (Mach gl h').
Proof.
  intros vt gl h h' m [SO AR OC _ RM EN ME CC VT MO CL] W T. cbn [glob hw] in *. destruct (settled_of_world _ _ _ _ _ W) as [W' []].
  constructor; cbn [glob hw]; auto; try congruence; [exists m; auto|]. intros u y p. rewrite s_claims. apply CL.
Qed.
Lemma table_private' : forall vt s p w l k, mid c vt a s -> State.in_ram a p = true -> own a p = Table w l k -> ~ touch (Aset a) p.
Proof. intros vt s p w l k MI R O. apply untouched; auto; [apply MI|]. now rewrite O. Qed.

Lemma walk_wp : forall vt gl h x (Q : Z * Z * Z * Z -> mach globals Machine.hw -> Prop), mid c vt a (Mach gl h) -> 0 <= x < 2 ^ 27 ->
  (forall h', mid c vt a (Mach gl h') -> Q (walk_end a v x 3) (Mach gl h')) -> wp (s2_walk v x LEVEL_PAGE) Q (Mach gl h).
Proof.
  intros vt gl h x Q MI X H. pose proof MI as [SO AR OC (m & W & T) RM EN ME CC VT MO]. cbn [glob hw] in *.
  destruct (vcpu_facts _ _ MI) as ([V I ST CP NF CX RN] & _). destruct (mid_vm _ _ _ _ v MI V) as (_ & _ & E2 & _). cbn [glob] in E2.
  eapply s2_walk_wp with (a := a) (m := m) (h0 := h) (A := Aset a) (B := Aset a); eauto.
  - apply SO.
  - intros p w l k R O. eapply table_private'; eauto.
  - unfold LEVEL_PAGE. lia.
  - intros h' W'. apply H. eapply mid_world; eauto.
Qed.

(** Spent => Empty. *)

Lemma enc_spent : forall e, enc e = DESC_SPENT -> e = Spent.
Proof. intros [| |p|p|p|p] E; norm; auto; lia. Qed.

Lemma reopen_map : forall x, slot_at a v 3 x = Spent -> forall w l k d, Aset (set_slot v 3 x Empty a) w l k d <-> Aset a w l k d.
Proof.
  intros x SP w l k d. unfold Aset. change (henc (set_slot v 3 x Empty a)) with (henc a). change (vm_at (set_slot v 3 x Empty a)) with (vm_at a).
  change (cfg (set_slot v 3 x Empty a)) with (cfg a).
  split; (intros [H|(j & -> & J & [H|(L & -> & VD)])]; [left; exact H|right; exists j; auto|right; exists j; split; auto; split; auto; right; split; auto]);
    rewrite slot_set in *; destruct ((j =? v) && (l =? 3) && (k =? x)) eqn:E; auto.
  - discriminate VD.
  - assert (j = v /\ l = 3 /\ k = x) as (-> & -> & ->) by lia. rewrite SP in VD. discriminate VD.
Qed.

Lemma reopen_tables : forall x t m, sound a -> slot_at a v 3 x = Spent -> slot_at a v 2 (x / 512) = ToTable t -> tables_hold a m ->
  tables_hold (set_slot v 3 x Empty a) (upd m (t * 512 + x mod 512) DESC_EMPTY).
Proof.
  intros x t m [W O] SP TT T. destruct (wf_tab _ W _ _ _ _ TT) as (_ & TR & TO). change (2 + 1) with 3 in TO.
  assert (XW : is_word (x mod 512) = true) by (unfold is_word; lia).
  assert (K : forall q j, is_word j = true -> q <> t -> upd m (t * 512 + x mod 512) DESC_EMPTY (q * 512 + j) = m (q * 512 + j)).
  { intros q j J N. unfold upd. destruct (Z.eqb_spec (q * 512 + j) (t * 512 + x mod 512)) as [E|]; auto. apply word_inj in E as [E _]; auto. congruence. }
  constructor.
  - intros p w l k j R H J. change (own a p = Table w l k) in H. change (State.in_ram a p = true) in R. rewrite slot_set.
    destruct ((w =? v) && (l =? 3) && (k * 512 + j =? x)) eqn:E.
    + assert (w = v /\ l = 3 /\ k * 512 + j = x) as (-> & -> & E') by lia.
      destruct (on_table _ O _ _ _ _ R H) as [(F & _)|F]; [discriminate|]. change (3 - 1) with 2 in F.
      replace k with (x / 512) in F by (unfold is_word in J; lia). rewrite TT in F. injection F as <-.
      unfold upd. replace (t * 512 + j =? t * 512 + x mod 512) with true by (unfold is_word in J; lia). reflexivity.
    + destruct (Z.eq_dec p t) as [->|N].
      * rewrite TO in H. injection H as <- <- <-. unfold upd.
        replace (t * 512 + j =? t * 512 + x mod 512) with false by (unfold is_word in J; lia). exact (t_vm _ _ T _ _ _ _ _ R TO J).
      * rewrite K by auto. exact (t_vm _ _ T _ _ _ _ _ R H J).
  - intros j J. destruct (low_table_page a W 0) as [R H]; [pose proof (gibs_small _ W); lia|]. rewrite Z.add_0_r in *.
    rewrite K; auto; [exact (t_1 _ _ T j J)|]. intros E. change (host_tables (cfg a) = t) in E. congruence.
  - intros y j Y J. change (gib_count (set_slot v 3 x Empty a)) with (gib_count a) in Y. destruct (low_table_page a W (1 + y)) as [R H]; [lia|]. rewrite Z.add_assoc in *.
    rewrite K; auto; [exact (t_2 _ _ T y j Y J)|]. intros E. change (host_tables (cfg a) + 1 + y = t) in E. congruence.
  - intros g j G J. destruct (level3_page a W g G) as [R H]. rewrite K; auto; [exact (t_3 _ _ T g j G J)|]. intros E. change (level3 a g = t) in E. congruence.
  - intros p w k j R H J. change (own a p = Vcpu w k) in H. rewrite K; auto; [exact (t_saved _ _ T p w k j R H J)|]. congruence.
Qed.

Lemma reopen_wp : forall gl h ipa (Q : Z -> mach globals Machine.hw -> Prop), mid c (vttbr_of a) a (Mach gl h) ->
  (forall r b h', steps c a b -> runs b c v i -> mid c (vttbr_of b) b (Mach gl h') -> Q r (Mach gl h')) -> wp (page_reopen v ipa) Q (Mach gl h).
Proof.
  intros gl h ipa Q MI H. unfold page_reopen.
  assert (H0 : forall r h', mid c (vttbr_of a) a (Mach gl h') -> Q r (Mach gl h')) by (intros; eapply H; eauto; apply no_step).
  skip. w_known aligned_run. destruct (ipa mod 4096 =? 0) eqn:AL; cbn [b2z]; [change (1 =? 0) with false|change (0 =? 0) with true]; cbn iota; [|skip; auto].
  rewrite Z.shiftr_div_pow2 by (unfold NIE_IPA_BITS; lia). unfold NIE_IPA_BITS. destruct (Z.eqb_spec (ipa / 2 ^ 39) 0) as [E|E]; cbn [negb]; [|skip; auto].
  skip. w_known page_of_run. skip. set (x := ipa / 4096). assert (X : 0 <= x < 2 ^ 27) by (subst x; lia).
  eapply walk_wp; eauto. intros h1 M1. cbn beta. destruct (walk_end a v x 3) as [[[t d] j] l] eqn:WE.
  destruct (Z.eqb_spec l LEVEL_PAGE) as [EL|EL]; cbn [negb orb]; [|skip; auto]. destruct (Z.eqb_spec d DESC_SPENT) as [ED|ED]; cbn [negb]; [|skip; auto].
  subst l d. unfold walk_end, LEVEL_PAGE in WE. change (3 =? 1) with false in WE. change (3 =? 2) with false in WE. cbn iota in WE.
  destruct (slot_at a v 1 (x / 262144)) as [| |t1|t1|t1|t1] eqn:L1; try discriminate WE.
  destruct (slot_at a v 2 (x / 512)) as [| |t3|t3|t3|t3] eqn:L2; try discriminate WE.
  injection WE as <- ES <-. apply enc_spent in ES.
  pose proof M1 as [SO AR OC (m & W & T) RM EN ME CC VT MO CL]. cbn [glob hw] in *.
  destruct (wf_tab _ (so_wf _ SO) _ _ _ _ L2) as (_ & TR & TO). change (2 + 1) with 3 in TO.
  assert (MW : m (t3 * 512 + x mod 512) = enc Spent).
  { rewrite (t_vm _ _ T _ _ _ _ _ TR TO) by (unfold is_word; lia). replace (x / 512 * 512 + x mod 512) with x by lia. now rewrite ES. }
  skip. unfold s2_write. skip. eapply (wp_page_write h1 a RM); eauto.
  - unfold is_word. lia.
  - eapply table_private'; eauto.
  - discriminate.
  - rewrite MW. discriminate.
  - intros h2 W2. cbn beta. skip. eapply wp_dsb_same; eauto. intros h3 W3. cbn beta. skip.
    eapply H with (b := set_slot v 3 x Empty a).
    + apply one_step. now apply Reopens with (i := i).
    + exact RU.
    + destruct (settled_of_world _ _ _ _ _ W3) as [W4 []]. constructor; cbn [glob hw]; auto; try congruence.
      * now apply reopen_sound.
      * destruct AR as [[] AS]. split; [constructor; assumption|exact AS].
      * eexists. split; [eapply settled_equiv; [|exact W4]; intros; symmetry; now apply reopen_map|]. now apply reopen_tables.
      * rewrite s_ram. exact RM.
      * rewrite s_engine. exact EN.
      * intro d. rewrite s_vttbr. exact (VT d).
      * intros u y p. rewrite s_claims. apply CL.
Qed.
End Vcpu.
