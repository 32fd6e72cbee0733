(* SPDX-License-Identifier: Apache-2.0 *)
(* boot: from arbitrary memory and any manifest, the C answers what spec/trap/boot.v says; of an accepted one the machine
   is in the state that is said there, RAM that is not kept for the host is zero, and nothing was reached on the way. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec.trap Require boot.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Booted.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.boot.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation Midway.
From nie.proof.refine Require sha256_refines.
From nie.proof.refine Require Export boot_map boot_checks.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_boot w := (nie.spec.trap.boot.boot (nie.spec.trap.boot.config_of w) (w MAN_HOST_ENTRY) (w MAN_HOST_DTB)).

(* The manifest's words are the first inputs. *)
Definition manifest (h : Machine.hw) (i : Z) : Z := inputs h (taken h + Z.to_nat i)%nat.

(* [pages] of RAM that were packed for the host. *)
Definition kept (w : Z -> Z) (p : Z) : bool := spec_inside p 1 (w MAN_KEEP_BASE) (w MAN_KEEP_PAGES).

Record booted (w : Z -> Z) (h0 : Machine.hw) (s : mach globals Machine.hw) : Prop := {
  bo_cfg : wf_cfg (spec_boot w);
  bo_globals : globals_hold (spec_boot w) (glob s);
  bo_man : manifest_ok (glob s);
  bo_words : forall i, 0 <= i < MAN_END -> at1 config_word (glob s) i = w i;
  bo_unseen : unseen (hw s) = [];
  bo_hw : exists n m, dark h0 n m (hw s) /\ tables_hold (spec_boot w) m /\
      forall p i, State.in_ram (spec_boot w) p = true -> own (spec_boot w) p = Host -> kept w p = false -> is_word i = true -> m (p * 512 + i) = 0;
}.

Lemma zero_at : forall g i, constant_table g = false -> at1 g zero_globals i = 0.
Proof. intros g i C. destruct g; try discriminate; unfold at1; cbn; apply Map.get_const. Qed.

Section Boot.
Variable h0 : Machine.hw.
Variable w : Z -> Z.
Hypothesis OFF : inert h0.
Hypothesis SMALL : forall i, 0 <= i < MAN_END -> u64 (w i).

(** Reading the manifest. *)

(* Words in [loud] may differ from zero. *)
Definition silent (loud : gvar -> bool) (gl : globals) : Prop := forall g i, constant_table g = false -> loud g = false -> at1 g gl i = 0.
Lemma silent_put : forall loud g i v gl, silent loud gl -> constant_table g = false -> loud g = true -> silent loud (put1 g i v gl).
Proof. intros loud g i v gl S C L g' j C' L'. rewrite at_put by auto. destruct (gvar_dec g' g) as [->|]; [congruence|auto]. Qed.
Definition only_config (g : gvar) : bool := match g with config_word => true | _ => false end.
Definition loud_early (g : gvar) : bool := match g with config_word | granules_state => true | _ => false end.
Definition loud_late (g : gvar) : bool := match g with config_word | granules_state | cpus_vm | cpus_started | cpus_entry | cpus_argument => true | _ => false end.

Lemma read_wp : forall n m h (Q : unit -> mach globals Machine.hw -> Prop), dark h0 n m h -> (forall i, 0 <= i < MAN_END -> w i = inputs h0 (n + Z.to_nat i)%nat) ->
  (forall gl' h' n', dark h0 n' m h' -> silent only_config gl' -> (forall i, 0 <= i < MAN_END -> at1 config_word gl' i = w i) -> Q tt (Mach gl' h')) ->
  wp (loop 0 MAN_END tt (fun i _ => value <- manifest_read i ;; store config_word [i] value ;;; ret tt)) Q (Mach zero_globals h).
Proof.
  intros n m h Q D W HQ.
  eapply wp_loop with (I := fun i _ s => exists gl' h', s = Mach gl' h' /\ dark h0 (n + Z.to_nat i)%nat m h' /\ silent only_config gl' /\ forall j, 0 <= j < i -> at1 config_word gl' j = w j).
  - unfold MAN_END. lia.
  - exists zero_globals, h. rewrite Nat.add_0_r. split; auto. split; auto. split; [|intros; lia]. intros g i C _. now apply zero_at.
  - intros i _ s I (gl' & h' & -> & D' & S & C). unfold MAN_END in I. w_bind. eapply dark_manifest; [exact OFF|exact D'|]. intros h2 D2. w_bind.
    eapply wp_store1; [reflexivity|lia|]. w_ret. eexists _, h2. split; [reflexivity|]. split; [replace (n + Z.to_nat (i + 1))%nat with (Datatypes.S (n + Z.to_nat i)) by lia; exact D2|].
    split; [now apply silent_put|]. intros j J. rewrite at_put by reflexivity. cbn. destruct (Z.eqb_spec j i) as [->|]; [symmetry; apply W; unfold MAN_END; lia|apply C; lia].
  - intros [] s (gl' & h' & -> & D' & S & C). eapply HQ; eauto.
Qed.

(** An accepted manifest. *)

Section Accepted.
Hypothesis ACC : nie.spec.trap.boot.manifest_check w = BOOT_OK.
Let a := spec_boot w.
Hypothesis RAM : ram h0 = ram_of a.
Hypothesis ENG : engine h0 = engine_of a.

Lemma first_facts : cfg a = nie.spec.trap.boot.config_of w /\ wf_cfg a /\ fresh a /\ forall d, cpu_vm (cpu_at a d) = CPU_HOST.
Proof.
  pose proof (accepted_ram w SMALL ACC) as HR. pose proof (accepted_dev w SMALL ACC) as HD. pose proof (SMALL MAN_ENGINE_PAGES ltac:(vm_compute; split; congruence)).
  assert (E : cfg a = nie.spec.trap.boot.config_of w).
  { apply boot_parts; cbn [ram_first ram_count dev_first dev_count engine_count nie.spec.trap.boot.config_of]; lia. }
  split; auto. split; [now apply (accepted_cfg w SMALL ACC)|]. split.
  - apply boot_fresh; cbn [ram_first ram_count dev_first dev_count engine_count nie.spec.trap.boot.config_of]; lia.
  - apply boot_hosts; cbn [ram_first ram_count dev_first dev_count engine_count nie.spec.trap.boot.config_of]; lia.
Qed.

(* Globals, but for what is kept of CPUs. *)
Lemma hold_but_cpus : forall b gl, cfg b = cfg a -> owners b = owners a -> vms b = vms a -> vcpus b = vcpus a -> lasts b = lasts a ->
  silent loud_late gl -> (forall i, 0 <= i < MAN_END -> at1 config_word gl i = w i) ->
  (forall j, 0 <= j < w MAN_RAM_PAGES -> at1 granules_state gl j = match own a (w MAN_RAM_BASE + j) with Engine => GRANULE_ENGINE | _ => GRANULE_HOST end) ->
  (forall c, 0 <= c < NIE_MAX_CPUS -> cpu_holds gl c (cpu_at b c)) -> globals_hold b gl.
Proof.
  intros b gl E1 E2 E3 E4 E5 S CW ST CP. destruct first_facts as (CF & WC & FR & _).
  assert (BV : forall v, vm_at b v = no_vm) by (intro v; unfold vm_at; rewrite E3; apply (fr_vm _ FR)).
  assert (BU : forall v i, vcpu_at b v i = no_vcpu) by (intros; unfold vcpu_at; rewrite E4; apply (fr_vcpu _ FR)).
  constructor; rewrite ?E1, ?CF; try (rewrite CW by (vm_compute; split; congruence); reflexivity).
  - intros p P. unfold State.in_ram in P. rewrite E1, CF in P. cbn [ram_first ram_count nie.spec.trap.boot.config_of] in *. cbn zeta.
    rewrite ST by lia. rewrite !S by reflexivity. replace (w MAN_RAM_BASE + (p - w MAN_RAM_BASE)) with p by lia. replace (own b p) with (own a p) by (unfold own; now rewrite E2).
    assert (EH : own a p = Engine \/ own a p = Host) by (rewrite (fr_own _ FR); match goal with |- context [if ?c then _ else _] => destruct c end; auto).
    destruct EH as [-> | ->]; auto.
  - intros v V. rewrite BV, !S by reflexivity. auto 6.
  - intros v V. rewrite BV. constructor; try (rewrite S by reflexivity; reflexivity).
    + unfold sha256_refines.hash_of, sha256_refines.hash_word. rewrite !S by reflexivity. reflexivity.
    + exists O. rewrite S by reflexivity. auto.
  - intros v i V I. rewrite BU. constructor; rewrite S by reflexivity; reflexivity.
  - exact CP.
  - intros v c V C. rewrite S by reflexivity. unfold last_at. rewrite E5. symmetry. apply (fr_last _ FR).
Qed.

(** Who owns what, and the scrub. *)

Definition scrubbed (i : Z) (m : Z -> Z) : Prop := forall j k, 0 <= j < i -> own a (w MAN_RAM_BASE + j) = Host -> kept w (w MAN_RAM_BASE + j) = false ->
  is_word k = true -> m ((w MAN_RAM_BASE + j) * 512 + k) = 0.

Lemma granules_wp : forall n m gl h (Q : unit -> mach globals Machine.hw -> Prop), dark h0 n m h -> silent only_config gl ->
  (forall i, 0 <= i < MAN_END -> at1 config_word gl i = w i) ->
  (forall gl' m' h', dark h0 n m' h' -> silent loud_early gl' -> (forall i, 0 <= i < MAN_END -> at1 config_word gl' i = w i) ->
    (forall j, 0 <= j < w MAN_RAM_PAGES -> at1 granules_state gl' j = match own a (w MAN_RAM_BASE + j) with Engine => GRANULE_ENGINE | _ => GRANULE_HOST end) ->
    scrubbed (w MAN_RAM_PAGES) m' -> Q tt (Mach gl' h')) -> wp init_granules Q (Mach gl h).
Proof.
  intros n m gl h Q D S CW HQ. destruct first_facts as (CF & WC & FR & _). pose proof (accepted_ram w SMALL ACC) as HR. unfold GRANULES_MAX in HR.
  unfold init_granules. w_bind. w_known (pages_run w gl h CW). w_bind.
  eapply wp_loop with (I := fun i _ s => exists gl' m' h', s = Mach gl' h' /\ dark h0 n m' h' /\ silent loud_early gl' /\ (forall j, 0 <= j < MAN_END -> at1 config_word gl' j = w j) /\
    (forall j, 0 <= j < i -> at1 granules_state gl' j = match own a (w MAN_RAM_BASE + j) with Engine => GRANULE_ENGINE | _ => GRANULE_HOST end) /\ scrubbed i m').
  - lia.
  - exists gl, m, h. split; auto. split; auto. split; [intros g i C L; apply S; auto; now destruct g|]. split; auto. split; [intros; lia|]. intros j k J. lia.
  - intros i _ s I (gl' & m' & h' & -> & D' & S' & CW' & ST & SC).
    assert (EB : u64 (w MAN_ENGINE_BASE) /\ u64 (w MAN_ENGINE_PAGES) /\ u64 (w MAN_KEEP_BASE) /\ u64 (w MAN_KEEP_PAGES)) by (repeat split; apply SMALL; vm_compute; split; congruence).
    destruct EB as (EB1 & EB2 & EB3 & EB4).
    assert (OWN : own a (w MAN_RAM_BASE + i) = if spec_inside (w MAN_RAM_BASE + i) 1 (w MAN_ENGINE_BASE) (w MAN_ENGINE_PAGES) then Engine else Host).
    { rewrite (fr_own _ FR), CF. cbn [engine_first engine_count nie.spec.trap.boot.config_of]. unfold nie.spec.trap.boot.inside.
      destruct (Z.leb_spec (w MAN_ENGINE_BASE) (w MAN_RAM_BASE + i)), (Z.ltb_spec (w MAN_RAM_BASE + i) (w MAN_ENGINE_BASE + w MAN_ENGINE_PAGES)), (Z.leb_spec 1 (w MAN_ENGINE_PAGES)),
        (Z.leb_spec (w MAN_RAM_BASE + i - w MAN_ENGINE_BASE) (w MAN_ENGINE_PAGES - 1)); cbn [andb]; auto; lia. }
    assert (SET : forall st (Q' : unit -> mach globals Machine.hw -> Prop), (forall gl2, silent loud_early gl2 -> (forall j, 0 <= j < MAN_END -> at1 config_word gl2 j = w j) ->
        (forall j, at1 granules_state gl2 j = if j =? i then st else at1 granules_state gl' j) -> Q' tt (Mach gl2 h')) ->
      wp (granule_set (w MAN_RAM_BASE + i) st 0 0 0 0) Q' (Mach gl' h')).
    { intros st Q' K. unfold granule_set. w_bind. eapply wp_known; [now apply load1 with 32|]. cbn beta iota. rewrite CW' by (vm_compute; split; congruence). w_bind. w_ret. rewrite wrap64 by lia.
      replace (w MAN_RAM_BASE + i - w MAN_RAM_BASE) with i by lia.
      do 5 (w_bind; eapply wp_store1; [reflexivity|lia|cbn beta]). w_ret. apply K.
      - intros g j C L. rewrite !at_put by reflexivity.
        destruct (gvar_dec g granules_key), (gvar_dec g granules_zero), (gvar_dec g granules_level), (gvar_dec g granules_vm), (gvar_dec g granules_state); subst; try discriminate; try destruct (j =? i); auto.
      - intros j J. rewrite !at_put by reflexivity. cbn. now apply CW'.
      - intro j. rewrite !at_put by reflexivity. cbn. reflexivity. }
    assert (NEXT : forall gl2 st, (forall j, at1 granules_state gl2 j = if j =? i then st else at1 granules_state gl' j) ->
      st = match own a (w MAN_RAM_BASE + i) with Engine => GRANULE_ENGINE | _ => GRANULE_HOST end ->
      forall j, 0 <= j < i + 1 -> at1 granules_state gl2 j = match own a (w MAN_RAM_BASE + j) with Engine => GRANULE_ENGINE | _ => GRANULE_HOST end).
    { intros gl2 st G E j J. rewrite G. destruct (Z.eqb_spec j i) as [->|]; auto. apply ST. lia. }
    w_bind. w_known (base_run w gl' h' CW'). w_bind. w_ret. rewrite wrap64 by lia. w_bind.
    unfold is_engine. w_bind. eapply wp_known; [now apply load1 with 32|]. cbn beta iota. rewrite CW' by (vm_compute; split; congruence).
    w_bind. eapply wp_known; [now apply load1 with 32|]. cbn beta iota. rewrite CW' by (vm_compute; split; congruence).
    w_bind. w_known (inside_run w gl' h' SMALL CW'); auto; [lia|lia|]. w_ret. rewrite b2z_zero, negb_involutive.
    destruct (spec_inside (w MAN_RAM_BASE + i) 1 (w MAN_ENGINE_BASE) (w MAN_ENGINE_PAGES)) eqn:IE.
    + w_bind. apply SET. intros gl2 S2 C2 G2. w_ret. exists gl2, m', h'. split; auto. split; auto. split; auto. split; auto. split; [apply (NEXT _ _ G2); now rewrite OWN|].
      intros j k J O KP K. destruct (Z.eq_dec j i) as [->|]; [congruence|]. apply SC; auto. lia.
    + w_bind. apply SET. intros gl2 S2 C2 G2.
      w_bind. eapply wp_known; [now apply load1 with 32|]. cbn beta iota. rewrite C2 by (vm_compute; split; congruence).
      w_bind. eapply wp_known; [now apply load1 with 32|]. cbn beta iota. rewrite C2 by (vm_compute; split; congruence).
      w_bind. w_known (inside_run w gl2 h' SMALL C2); auto; [lia|lia|]. rewrite b2z_zero.
      change (spec_inside (w MAN_RAM_BASE + i) 1 (w MAN_KEEP_BASE) (w MAN_KEEP_PAGES)) with (kept w (w MAN_RAM_BASE + i)). destruct (kept w (w MAN_RAM_BASE + i)) eqn:KI; cbn [negb].
      * w_ret. exists gl2, m', h'. split; auto. split; auto. split; auto. split; auto. split; [apply (NEXT _ _ G2); now rewrite OWN|].
        intros j k J O KP K. destruct (Z.eq_dec j i) as [->|]; [congruence|]. apply SC; auto. lia.
      * w_bind. eapply dark_page_zero; [exact OFF|exact D'| |].
        { unfold Machine.in_ram. rewrite RAM. unfold ram_of. rewrite CF. cbn [fst snd ram_first ram_count nie.spec.trap.boot.config_of]. lia. }
        intros m2 h2 Z2 D2. w_ret. exists gl2, m2, h2. split; auto. split; auto. split; auto. split; auto. split; [apply (NEXT _ _ G2); now rewrite OWN|].
        intros j k J O KP K. rewrite Z2. destruct (Z.eq_dec j i) as [->|].
        -- unfold is_word in K. destruct (Z.leb_spec ((w MAN_RAM_BASE + i) * 512) ((w MAN_RAM_BASE + i) * 512 + k)), (Z.ltb_spec ((w MAN_RAM_BASE + i) * 512 + k) ((w MAN_RAM_BASE + i) * 512 + 512)); cbn [andb]; auto; lia.
        -- match goal with |- (if ?x then _ else _) = 0 => destruct x; auto end. apply SC; auto. lia.
  - intros [] s (gl' & m' & h' & -> & D' & S' & CW' & ST & SC). w_ret. now apply (HQ gl' m' h').
Qed.

(** Boot as a whole. *)

(* The state while CPUs are not yet named. *)
Definition nameless : state := a <| cpus := Map.const (nie.spec.trap.boot.host_cpu <| cpu_vm := 0 |>) |>.

Lemma same_map_nameless : fresh nameless /\ wf_cfg nameless /\ (forall m, tables_hold nameless m -> tables_hold a m).
Proof.
  destruct first_facts as (_ & WC & FR & _). split; [|split].
  - destruct FR. constructor; assumption.
  - destruct WC. constructor; assumption.
  - intros m []. constructor; assumption.
Qed.

Lemma rest_wp : forall n m gl h, dark h0 n m h -> silent only_config gl -> (forall i, 0 <= i < MAN_END -> at1 config_word gl i = w i) ->
  wp (init_granules ;;; host_tables_init ;;;
      (loop 0 NIE_MAX_CPUS tt (fun i_2 _ => store cpus_vm [i_2] CPU_HOST ;;; ret tt)) ;;;
      store cpus_started [0] 1 ;;; t1 <- load config_word [MAN_HOST_ENTRY] ;; store cpus_entry [0] t1 ;;;
      t2 <- load config_word [MAN_HOST_DTB] ;; store cpus_argument [0] t2 ;;; ret BOOT_OK)
    (fun r s' => r = BOOT_OK /\ booted w h0 s') (Mach gl h).
Proof.
  intros n m gl h D S CW. destruct first_facts as (CF & WC & FR & HO). destruct same_map_nameless as (FN & WN & TN).
  pose proof (accepted_ram w SMALL ACC) as HR. pose proof (accepted_dev w SMALL ACC) as HD.
  destruct (accepted w ACC) as (_ & HC & _). unfold nie.spec.trap.boot.cpus_ok in HC. rewrite andb_true_iff, !Z.leb_le in HC.
  w_bind. eapply granules_wp; [exact D|exact S|exact CW|]. intros gl1 m1 h1 D1 S1 CW1 ST1 SC1.
  assert (GN : globals_hold nameless gl1).
  { apply hold_but_cpus; auto; try reflexivity; [intros g i C L; apply S1; auto; now destruct g|].
    intros c C. unfold nameless, cpu_at. cbn. rewrite Map.get_const. constructor; intros; rewrite S1 by reflexivity; first [reflexivity | symmetry; apply Map.get_const]. }
  w_bind. eapply (tables_init_wp w nameless gl1 h0); auto; [lia|lia|exact D1|]. intros m2 h2 D2 U2 T2 W2. w_bind.
  eapply wp_loop with (I := fun i _ s => exists gl', s = Mach gl' h2 /\ silent loud_late gl' /\ (forall j, 0 <= j < MAN_END -> at1 config_word gl' j = w j) /\
    (forall j, at1 granules_state gl' j = at1 granules_state gl1 j) /\ (forall j, 0 <= j < i -> at1 cpus_vm gl' j = CPU_HOST) /\
    forall j, at1 cpus_started gl' j = 0 /\ at1 cpus_entry gl' j = 0 /\ at1 cpus_argument gl' j = 0).
  { unfold NIE_MAX_CPUS. lia. }
  { exists gl1. split; auto. split; [intros g i C L; apply S1; auto; now destruct g|]. split; auto. split; auto. split; [intros; lia|]. intro j. rewrite !S1 by reflexivity. auto. }
  { intros i _ s I (gl' & -> & S' & CW' & ST' & CV & ZZ). w_bind. eapply wp_store1; [reflexivity|unfold NIE_MAX_CPUS in I; lia|]. w_ret. eexists. split; [reflexivity|].
    split; [now apply silent_put|]. split; [intros j J; rewrite at_put by reflexivity; cbn; now apply CW'|]. split; [intro j; rewrite at_put by reflexivity; cbn; apply ST'|].
    split; [|intro j; rewrite !at_put by reflexivity; cbn; apply ZZ]. intros j J. rewrite at_put by reflexivity. cbn. destruct (Z.eqb_spec j i); auto. apply CV. lia. }
  intros [] s (gl3 & -> & S3 & CW3 & ST3 & CV & ZZ).
  w_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta. w_bind. eapply wp_known; [now apply load1 with 32|]. cbn beta iota.
  w_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta. w_bind. eapply wp_known; [now apply load1 with 32|]. cbn beta iota.
  w_bind. eapply wp_store1; [reflexivity|lia|]. cbn beta. w_ret. rewrite !at_put by reflexivity.
  destruct (gvar_dec config_word cpus_entry); [discriminate|]. destruct (gvar_dec config_word cpus_started); [discriminate|].
  rewrite (CW3 MAN_HOST_ENTRY), (CW3 MAN_HOST_DTB) by (vm_compute; split; congruence).
  set (gl5 := put1 cpus_argument 0 _ _). split; auto.
  assert (F : forall g j, match g with cpus_started | cpus_entry | cpus_argument => False | _ => True end -> at1 g gl5 j = at1 g gl3 j).
  { intros g j N. unfold gl5. rewrite !at_put by reflexivity. destruct (gvar_dec g cpus_argument), (gvar_dec g cpus_entry), (gvar_dec g cpus_started); subst; try contradiction; auto. }
  constructor; cbn [glob hw].
  - exact WC.
  - apply hold_but_cpus; try reflexivity.
    + unfold gl5. repeat (apply silent_put; [|reflexivity|reflexivity]). exact S3.
    + intros i I. rewrite F by exact Logic.I. exact (CW3 i I).
    + intros j J. rewrite F by exact Logic.I. rewrite ST3. exact (ST1 j J).
    + intros c C. unfold NIE_MAX_CPUS in C.
      assert (CE : cpu_at a c = if c =? 0 then nie.spec.trap.boot.host_cpu <| start_entry := w MAN_HOST_ENTRY |> <| start_argument := w MAN_HOST_DTB |> <| started := 1 |> else nie.spec.trap.boot.host_cpu).
      { assert (E : cpus a = Map.set (Map.const nie.spec.trap.boot.host_cpu) 0 (nie.spec.trap.boot.host_cpu <| start_entry := w MAN_HOST_ENTRY |> <| start_argument := w MAN_HOST_DTB |> <| started := 1 |>)).
        { pose proof (SMALL MAN_ENGINE_PAGES ltac:(vm_compute; split; congruence)).
          apply boot_parts; cbn [ram_first ram_count dev_first dev_count engine_count nie.spec.trap.boot.config_of]; lia. }
        unfold cpu_at. rewrite E, Map.get_set. destruct (c =? 0); auto. now rewrite Map.get_const. }
      assert (CN : at1 cpus_vm gl3 c = CPU_HOST) by (apply CV; unfold NIE_MAX_CPUS; lia).
      destruct (ZZ c) as (Z1 & Z2 & Z3). change (cpu_at (spec_boot w) c) with (cpu_at a c). rewrite CE.
      assert (X1 : at1 cpus_started gl5 c = if c =? 0 then 1 else 0) by (unfold gl5; rewrite !at_put by reflexivity; cbn; rewrite Z1; reflexivity).
      assert (X2 : at1 cpus_entry gl5 c = if c =? 0 then w MAN_HOST_ENTRY else 0) by (unfold gl5; rewrite !at_put by reflexivity; cbn; rewrite Z2; reflexivity).
      assert (X3 : at1 cpus_argument gl5 c = if c =? 0 then w MAN_HOST_DTB else 0) by (unfold gl5; rewrite !at_put by reflexivity; cbn; rewrite Z3; reflexivity).
      destruct (c =? 0); constructor; intros; rewrite ?X1, ?X2, ?X3; try reflexivity; rewrite F by exact Logic.I; rewrite ?CN; try reflexivity;
        rewrite S3 by reflexivity; first [reflexivity | symmetry; apply Map.get_const].
  - constructor; rewrite F by exact Logic.I; rewrite CW3 by (vm_compute; split; congruence); lia.
  - intros i I. rewrite F by exact Logic.I. exact (CW3 i I).
  - exact U2.
  - exists n, m2. split; [exact D2|]. split; [now apply TN|]. intros p i P O KP I. rewrite W2; auto.
    + unfold State.in_ram in P. change (cfg (spec_boot w)) with (cfg a) in P. rewrite CF in P. cbn [ram_first ram_count nie.spec.trap.boot.config_of] in P.
      replace p with (w MAN_RAM_BASE + (p - w MAN_RAM_BASE)) in * by lia. apply SC1; auto. lia.
    + intro T. pose proof (c_tables _ WC) as CT. pose proof (wf_engine a (fresh_wf a FR WC (fun c _ => HO c)) p) as X.
      change (own (spec_boot w) p) with (own a p) in O. rewrite X in O; [discriminate|]. unfold a_table in T. change (cfg nameless) with (cfg a) in T. unfold level3_first, gib_count in *. change (cfg nameless) with (cfg a) in T. lia.
Qed.
End Accepted.

Theorem boot_wp : forall n m h, dark h0 n m h -> (forall i, 0 <= i < MAN_END -> w i = inputs h0 (n + Z.to_nat i)%nat) ->
  ram h0 = (w MAN_RAM_BASE, w MAN_RAM_BASE + w MAN_RAM_PAGES) -> engine h0 = (w MAN_ENGINE_BASE, w MAN_ENGINE_BASE + w MAN_ENGINE_PAGES) ->
  wp boot (fun r s' => r = nie.spec.trap.boot.manifest_check w /\ (r = BOOT_OK -> booted w h0 s')) (Mach zero_globals h).
Proof.
  intros n m h D W RAM ENG. unfold boot. w_bind. w_ret. w_bind. eapply read_wp; [exact D|exact W|]. intros gl h1 n1 D1 S CW.
  w_bind. w_known (check_run w gl h1 SMALL CW). destruct (nie.spec.trap.boot.manifest_check w =? BOOT_OK) eqn:E; cbn [negb].
  - apply Z.eqb_eq in E. eapply wp_weaken; [eapply rest_wp; eauto|].
    + destruct (first_facts E) as (CF & _). unfold ram_of. rewrite CF. exact RAM.
    + intros r s' [-> B]. split; auto.
  - apply Z.eqb_neq in E. w_ret. split; auto. contradiction.
Qed.
End Boot.
