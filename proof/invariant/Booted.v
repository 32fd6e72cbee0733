(* SPDX-License-Identifier: Apache-2.0 *)
(* The state after boot: what its maps say, point by point, and that it is well formed for a manifest that boot accepts. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec.trap Require boot.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Adding.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation first_mode := nie.spec.trap.boot.first_mode.

(* The engine's range is the engine's, all else the host's; there is no VM. *)
Record fresh (a : state) : Prop := {
  fr_own : forall p, own a p = if (engine_first (cfg a) <=? p) && (p <? engine_first (cfg a) + engine_count (cfg a)) then Engine else Host;
  fr_mode : forall g, managed a g -> mode_at a g = first_mode a g;
  fr_unmapped : forall g, ~ managed a g -> mode_at a g = Unmapped;
  fr_slot : forall v l k, slot_at a v l k = Empty;
  fr_vm : forall v, vm_at a v = no_vm;
  fr_vcpu : forall v i, vcpu_at a v i = no_vcpu;
  fr_last : forall v c, last_at a v c = 0;
}.

Lemma word_in : forall (f : Z -> bool) j, is_word j = true -> forallb (fun i => f (Z.of_nat i)) (seq 0 512) = true -> f j = true.
Proof.
  intros f j J H. rewrite forallb_forall in H. unfold is_word in J. specialize (H (Z.to_nat j)). rewrite Z2Nat.id in H by lia. apply H, in_seq. lia.
Qed.
Lemma word_some : forall (f : Z -> bool) j, is_word j = true -> f j = true -> existsb (fun i => f (Z.of_nat i)) (seq 0 512) = true.
Proof.
  intros f j J H. apply existsb_exists. unfold is_word in J. exists (Z.to_nat j). rewrite Z2Nat.id by lia. split; auto. apply in_seq. lia.
Qed.

Section Fresh.
Variable a : state.
Hypothesis F : fresh a.
Hypothesis C : wf_cfg a.

Lemma fresh_access : forall p, in_ram a p = true -> host_may_access a p = true <-> own a p <> Engine.
Proof.
  intros p R. unfold host_may_access. rewrite R, (fr_own _ F). destruct (_ && _); split; intro H; try discriminate; try reflexivity; now destruct H.
Qed.
Lemma fresh_none : forall f v, f no_vcpu = false -> how_many a v f = 0.
Proof.
  intros f v N. unfold how_many. assert (E : forall l, filter (fun i => f (vcpu_at a v (Z.of_nat i))) l = []).
  { induction l as [|i l IH]; auto. cbn [filter]. now rewrite (fr_vcpu _ F), N, IH. }
  now rewrite E.
Qed.

Lemma fresh_wf : (forall c, 0 <= c < NIE_MAX_CPUS -> cpu_vm (cpu_at a c) = CPU_HOST) -> wf a.
Proof.
  intro HO. constructor; auto.
  - intros p P. rewrite (fr_own _ F). now replace ((engine_first (cfg a) <=? p) && (p <? engine_first (cfg a) + engine_count (cfg a))) with true by lia.
  - intros g N. destruct (in_ram a (g * 512)) eqn:R.
    + unfold managed. rewrite R. split; [|auto]. unfold in_ram in R. pose proof (c_ram _ C). lia.
    + destruct (Z.leb_spec 0 g), (Z.leb_spec (dev_first (cfg a)) (g * 512)), (Z.ltb_spec (g * 512) (dev_first (cfg a) + dev_count (cfg a)));
        try (split; auto; fail); exfalso; apply N, (fr_unmapped _ F); unfold managed; rewrite R; intros [G [D|D]]; try discriminate; lia.
  - intros g j M J. assert (MG : managed a g).
    { destruct (in_ram a (g * 512)) eqn:R.
      - unfold managed. rewrite R. split; [|auto]. unfold in_ram in R. pose proof (c_ram _ C). lia.
      - destruct (Z.leb_spec 0 g), (Z.leb_spec (dev_first (cfg a)) (g * 512)), (Z.ltb_spec (g * 512) (dev_first (cfg a) + dev_count (cfg a)));
          try (split; auto; fail); exfalso; rewrite (fr_unmapped _ F) in M; try discriminate; unfold managed; rewrite R; intros [G [D|D]]; try discriminate; lia. }
    rewrite (fr_mode _ F g MG) in M. unfold nie.spec.trap.boot.first_mode in M.
    destruct (forallb _ _) eqn:E; [exact (word_in (fun i => host_may_access a (g * 512 + i)) j J E)|destruct (existsb _ _); discriminate].
  - intros p R N. apply fresh_access in N; auto. pose proof (c_ram _ C) as CR. assert (MG : managed a (p / 512)).
    { unfold managed, in_ram in *. split; [lia|]. left. lia. }
    rewrite (fr_mode _ F _ MG). unfold nie.spec.trap.boot.first_mode. destruct (forallb _ _); [discriminate|].
    assert (E : existsb (fun i => host_may_access a (p / 512 * 512 + Z.of_nat i)) (seq 0 512) = true).
    { apply (word_some (fun i => host_may_access a (p / 512 * 512 + i)) (p mod 512)); [unfold is_word; lia|]. replace (p / 512 * 512 + p mod 512) with p by lia. exact N. }
    rewrite E. discriminate.
  - intros v l k p. rewrite (fr_slot _ F). discriminate.
  - intros v l k p. rewrite (fr_slot _ F). discriminate.
  - intros v l k p. rewrite (fr_slot _ F). discriminate.
  - intros v l k p. rewrite (fr_slot _ F). discriminate.
  - intros v l k. rewrite (fr_slot _ F). now intros [].
  - intros v _. rewrite (fr_vm _ F). now intros [].
  - constructor.
    + intros v _ _. split; [apply F|]. intros. apply F.
    + intros v _. rewrite (fr_vm _ F). now intros [].
    + intros v _. rewrite (fr_vm _ F). split; discriminate.
    + intros v _. rewrite (fr_vm _ F), fresh_none; reflexivity.
    + intros v _. rewrite (fr_vm _ F), fresh_none; reflexivity.
    + intros v c _ _. rewrite (fr_last _ F). unfold NIE_MAX_VCPUS. lia.
  - constructor.
    + intros. apply F.
    + intros v i _ _. rewrite (fr_vcpu _ F). now intros [].
    + intros v i _ _. rewrite (fr_vcpu _ F). discriminate.
    + intros c H N. now apply HO in H.
Qed.

Lemma fresh_onto : onto a.
Proof.
  constructor; intros p v; [intro k|intro k|intros l k|intro i|intro i]; rewrite (fr_own _ F); destruct (_ && _); discriminate.
Qed.
End Fresh.

(** spec/trap/boot.v says so. *)

Lemma set_mode_at : forall a g m g', mode_at (set_mode g m a) g' = if g' =? g then m else mode_at a g'.
Proof. intros a g m g'. exact (Map.get_set _ (modes a) g m g'). Qed.

Lemma first_mode_same : forall a b g, cfg b = cfg a -> owners b = owners a -> first_mode b g = first_mode a g.
Proof. intros a b g E1 E2. unfold nie.spec.trap.boot.first_mode, host_may_access, in_ram, own. now rewrite E1, E2. Qed.

Lemma modes_put : forall a b g m, b = a <| modes := modes b |> -> set_mode g m b = a <| modes := modes (set_mode g m b) |>.
Proof. intros [] [] g m E. cbn in E. injection E as -> -> -> -> -> -> -> -> -> ->. reflexivity. Qed.
Lemma owners_put : forall a b p o, b = a <| owners := owners b |> -> set_own p o b = a <| owners := owners (set_own p o b) |>.
Proof. intros [] [] p o E. cbn in E. injection E as -> -> -> -> -> -> -> -> -> ->. reflexivity. Qed.

(* All but the modes, of which those of [n] places from [first] on are new. *)
Record modes_from (first n : Z) (a b : state) : Prop := {
  mf_rest : b = a <| modes := modes b |>;
  mf_mode : forall g, mode_at b g = if (first <=? g) && (g <? first + n) then first_mode a g else mode_at a g;
}.
Lemma set_modes_at : forall first count a, 0 <= count -> modes_from (first / 512) (count / 512) a (nie.spec.trap.boot.set_modes first count a).
Proof.
  intros first count a N. unfold nie.spec.trap.boot.set_modes. set (n := count / 512). assert (0 <= n) by (subst n; apply Z.div_pos; lia).
  pattern n. apply natlike_ind; auto.
  - rewrite each_0. constructor; [now destruct a|]. intro g. now replace ((first / 512 <=? g) && (g <? first / 512 + 0)) with false by lia.
  - intros i I [R M]. replace (Z.succ i) with (i + 1) by lia. rewrite each_next by auto.
    set (b := each i _ a) in *. constructor.
    + now apply modes_put.
    + intro g. rewrite set_mode_at, M. rewrite (first_mode_same a b) by (rewrite R; reflexivity). destruct (Z.eqb_spec g (first / 512 + i)) as [->|].
      * now replace ((first / 512 <=? first / 512 + i) && (first / 512 + i <? first / 512 + (i + 1))) with true by lia.
      * now replace (g <? first / 512 + (i + 1)) with (g <? first / 512 + i) by (apply eq_true_iff_eq; lia).
Qed.

Lemma set_owners_at : forall first n a, 0 <= n -> let b := each n (fun i => set_own (first + i) Engine) a in
  b = a <| owners := owners b |> /\ forall p, own b p = if (first <=? p) && (p <? first + n) then Engine else own a p.
Proof.
  intros first n a N. pattern n. apply natlike_ind; auto; cbn zeta.
  - rewrite each_0. split; [now destruct a|]. intro p. now replace ((first <=? p) && (p <? first + 0)) with false by lia.
  - intros i I [R M]. replace (Z.succ i) with (i + 1) by lia. rewrite each_next by auto. set (b := each i _ a) in *. split.
    + now apply owners_put.
    + intro p. transitivity (if p =? first + i then Engine else own b p); [exact (Map.get_set _ (owners b) (first + i) Engine p)|]. rewrite M.
      destruct (Z.eqb_spec p (first + i)) as [->|].
      * now replace ((first <=? first + i) && (first + i <? first + (i + 1))) with true by lia.
      * now replace (p <? first + (i + 1)) with (p <? first + i) by (apply eq_true_iff_eq; lia).
Qed.

Section Boot.
Variables (c : config) (entry argument : Z).
Hypothesis RAM : 0 <= ram_first c /\ ram_first c mod 512 = 0 /\ 0 <= ram_count c /\ ram_count c mod 512 = 0.
Hypothesis DEV : 0 <= dev_first c /\ dev_first c mod 512 = 0 /\ 0 <= dev_count c /\ dev_count c mod 512 = 0.
Hypothesis ENG : 0 <= engine_count c.
Let a := nie.spec.trap.boot.boot c entry argument.
Let cpu0 := nie.spec.trap.boot.host_cpu <| start_entry := entry |> <| start_argument := argument |> <| started := 1 |>.

(* All but the map is as it is written there. *)
Lemma boot_parts : cfg a = c /\ slots a = Map.const (Map.const (Map.const Empty)) /\ vms a = Map.const no_vm /\ vcpus a = Map.const no_vcpu /\
  cpus a = Map.set (Map.const nie.spec.trap.boot.host_cpu) 0 cpu0 /\ lasts a = Map.const 0 /\
  (forall p, own a p = if (engine_first c <=? p) && (p <? engine_first c + engine_count c) then Engine else Host) /\
  (forall g, mode_at a g = if (ram_first c / 512 <=? g) && (g <? ram_first c / 512 + ram_count c / 512) ||
                              (dev_first c / 512 <=? g) && (g <? dev_first c / 512 + dev_count c / 512) then first_mode a g else Unmapped).
Proof.
  unfold a, nie.spec.trap.boot.boot.
  match goal with |- context [each (engine_count c) _ ?s] => set (a0 := s) end.
  destruct (set_owners_at (engine_first c) (engine_count c) a0 ENG) as [R1 O1]. set (a1 := each _ _ a0) in *.
  destruct (set_modes_at (dev_first c) (dev_count c) a1) as [R2 M2]; [lia|]. set (a2 := nie.spec.trap.boot.set_modes (dev_first c) (dev_count c) a1) in *.
  destruct (set_modes_at (ram_first c) (ram_count c) a2) as [R3 M3]; [lia|]. set (a3 := nie.spec.trap.boot.set_modes (ram_first c) (ram_count c) a2) in *.
  assert (OW : owners a3 = owners a1) by (rewrite R3, R2; reflexivity).
  assert (CF : cfg a3 = cfg a1) by (rewrite R3, R2; reflexivity).
  repeat split; try (rewrite R3, R2, R1; reflexivity).
  - intro p. transitivity (own a1 p); [unfold own; now rewrite OW|]. rewrite O1. unfold own, a0. cbn. now rewrite Map.get_const.
  - intro g. rewrite M3, M2. rewrite (first_mode_same a1 a2) by (rewrite R2; reflexivity). rewrite (first_mode_same a1 a3) by auto.
    destruct (_ && _); cbn [orb]; auto. destruct (_ && _); auto. unfold mode_at. rewrite R1. cbn. apply Map.get_const.
Qed.

Lemma boot_fresh : fresh a.
Proof.
  destruct boot_parts as (E1 & E2 & E3 & E4 & E5 & E6 & OW & MO).
  assert (MG : forall g, managed a g <-> ram_first c / 512 <= g < ram_first c / 512 + ram_count c / 512 \/ dev_first c / 512 <= g < dev_first c / 512 + dev_count c / 512).
  { intro g. unfold managed, in_ram. rewrite E1. rewrite andb_true_iff, Z.leb_le, Z.ltb_lt. lia. }
  constructor.
  - rewrite E1. exact OW.
  - intros g M. rewrite MO. apply MG in M.
    match goal with |- (if ?x then _ else _) = _ => replace x with true; auto end. symmetry. apply orb_true_iff. rewrite !andb_true_iff, !Z.leb_le, !Z.ltb_lt. exact M.
  - intros g M. rewrite MO. match goal with |- (if ?x then _ else _) = _ => destruct x eqn:X; auto end. exfalso. apply M, MG.
    rewrite orb_true_iff, !andb_true_iff, !Z.leb_le, !Z.ltb_lt in X. exact X.
  - intros v l k. unfold slot_at. now rewrite E2, !Map.get_const.
  - intro v. unfold vm_at. now rewrite E3, Map.get_const.
  - intros v i. unfold vcpu_at. now rewrite E4, Map.get_const.
  - intros v d. unfold last_at. now rewrite E6, Map.get_const.
Qed.
Lemma boot_hosts : forall d, cpu_vm (cpu_at a d) = CPU_HOST.
Proof.
  intro d. destruct boot_parts as (_ & _ & _ & _ & E & _). unfold cpu_at. rewrite E, Map.get_set. destruct (d =? 0); [reflexivity|]. now rewrite Map.get_const.
Qed.
End Boot.

(** A manifest that boot accepts. *)

Section Manifest.
Import nie.spec.trap.boot.
Variable w : Z -> Z.
Hypothesis SMALL : forall i, 0 <= i < MAN_END -> 0 <= w i < 2 ^ 64.
Hypothesis OK : manifest_check w = BOOT_OK.
Let c := config_of w.

Lemma accepted : ram_ok w = true /\ cpus_ok w = true /\ devices_ok w = true /\ engine_ok w = true /\ host_ok w = true.
Proof.
  unfold manifest_check in OK. destruct (_ =? magic); [|discriminate].
  destruct (ram_ok w); [|discriminate]. destruct (cpus_ok w); [|discriminate]. destruct (devices_ok w); [|discriminate].
  destruct (engine_ok w); [|discriminate]. destruct (host_ok w); [|discriminate]. auto.
Qed.

Lemma accepted_ram : 2 ^ 18 <= w MAN_RAM_BASE /\ w MAN_RAM_BASE mod 512 = 0 /\ 512 <= w MAN_RAM_PAGES <= GRANULES_MAX /\ w MAN_RAM_PAGES mod 512 = 0 /\
  w MAN_RAM_BASE + w MAN_RAM_PAGES <= 2 ^ 27.
Proof.
  destruct accepted as (H & _). unfold ram_ok, multiple, PAGES_2MIB, PAGES_GIB, PAGES_MAX, GRANULES_MAX in *.
  rewrite !andb_true_iff, !Z.eqb_eq, !Z.leb_le in H. lia.
Qed.
Lemma accepted_dev : 512 <= w MAN_DEV_BASE /\ w MAN_DEV_BASE mod 512 = 0 /\ 0 <= w MAN_DEV_PAGES /\ w MAN_DEV_PAGES mod 512 = 0 /\
  w MAN_DEV_BASE + w MAN_DEV_PAGES <= 2 ^ 18 /\ 0 <= w MAN_DEVICES <= MAN_MAX_DEVICES.
Proof.
  destruct accepted as (_ & _ & H & _). unfold devices_ok, multiple, inside, PAGES_2MIB, PAGES_GIB in *.
  rewrite !andb_true_iff, !Z.eqb_eq, !Z.leb_le in H. pose proof (SMALL MAN_DEVICES ltac:(split; reflexivity || discriminate)).
  pose proof (SMALL MAN_DEV_PAGES ltac:(split; reflexivity || discriminate)). lia.
Qed.
Lemma accepted_cfg : forall a, cfg a = c -> wf_cfg a.
Proof.
  intros a E. pose proof accepted_ram as HR. pose proof accepted_dev as HD. destruct accepted as (_ & _ & D & EN & _).
  unfold engine_ok, multiple, inside, PAGES_2MIB, PAGES_GIB, tables_size in *. rewrite !andb_true_iff, !Z.eqb_eq, !Z.leb_le in EN.
  constructor; unfold level3_first, gib_count; rewrite E; unfold c, config_of; cbn [ram_first ram_count engine_first engine_count host_tables dev_first dev_count device].
  - lia.
  - lia.
  - intros p P. apply andb_prop in P as [_ P]. unfold listed in P. apply existsb_exists in P as (i & I & P). cbn zeta in P.
    rewrite andb_true_iff, Z.leb_le, Z.ltb_lt in P. unfold devices_ok in D. rewrite !andb_true_iff in D. destruct D as [[_ D] _].
    rewrite forallb_forall in D. specialize (D i I). unfold inside in D. rewrite !andb_true_iff, !Z.leb_le in D. lia.
  - lia.
  - unfold PAGES_GIB in *. lia.
Qed.
End Manifest.
