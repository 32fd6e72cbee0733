(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_DESTROY keeps well-formedness. A VM that has one page has its root and no other: no table, page or vCPU. When it has
   gone nothing of it is left under its index: a later VM of that index starts from nothing. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.spec Require Actions.
From nie.spec.call Require vm_destroy.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning Records trap_steps Adding.
From nie.proof.invariant Require Export Counting.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Notation spec_clear := nie.spec.call.vm_destroy.clear_vm.

(** What clearing changes. *)

Lemma lasts_but : forall n vm a, 0 <= n -> each n (fun c => set_last vm c 0) a = a <| lasts := lasts (each n (fun c => set_last vm c 0) a) |>.
Proof.
  intros n vm a N. unfold each. induction (Z.to_nat n) as [|k IH]; cbn [each_nat]; [now destruct a|]. rewrite IH. reflexivity.
Qed.
Lemma lasts_at : forall vm a v c, 0 <= c < 8 -> forall n, 0 <= n -> n <= 8 -> last_at (each n (fun c => set_last vm c 0) a) v c =
  if (v =? vm) && (c <? n) then 0 else last_at a v c.
Proof.
  intros vm a v c C n N. pattern n. apply natlike_ind; auto.
  - intros _. rewrite each_0. replace (c <? 0) with false by lia. now rewrite andb_false_r.
  - intros i I IH. replace (Z.succ i) with (i + 1) by lia. intro L. rewrite each_next by exact I.
    transitivity (if v * NIE_MAX_CPUS + c =? vm * NIE_MAX_CPUS + i then 0 else last_at (each i (fun c => set_last vm c 0) a) v c);
      [exact (Map.get_set _ (lasts (each i (fun c => set_last vm c 0) a)) (vm * NIE_MAX_CPUS + i) 0 (v * NIE_MAX_CPUS + c))|].
    rewrite IH by lia. unfold NIE_MAX_CPUS. destruct (Z.eqb_spec (v * 8 + c) (vm * 8 + i)) as [E|E].
    + now replace ((v =? vm) && (c <? i + 1)) with true by lia.
    + now replace ((v =? vm) && (c <? i + 1)) with ((v =? vm) && (c <? i)) by lia.
Qed.

Lemma clear_parts : forall vm a, exists l,
  spec_clear vm a = set_vm vm no_vm (a <| slots ::= fun m => Map.set m vm (Map.const (Map.const Empty)) |> <| lasts := l |>) /\
  forall v c, 0 <= c < NIE_MAX_CPUS -> Map.get l (v * NIE_MAX_CPUS + c) = if v =? vm then 0 else last_at a v c.
Proof.
  intros vm a. unfold nie.spec.call.vm_destroy.clear_vm. cbv zeta.
  set (b := a <| slots ::= fun m => Map.set m vm (Map.const (Map.const Empty)) |>).
  assert (L : forall v c, 0 <= c < NIE_MAX_CPUS -> last_at (each NIE_MAX_CPUS (fun c => set_last vm c 0) b) v c = if v =? vm then 0 else last_at a v c).
  { intros v c C. unfold NIE_MAX_CPUS in *. rewrite (lasts_at vm b v c C 8) by lia. replace (c <? 8) with true by lia. now rewrite andb_true_r. }
  pose proof (lasts_but NIE_MAX_CPUS vm b ltac:(discriminate)) as E. revert L E. generalize (each NIE_MAX_CPUS (fun c => set_last vm c 0) b).
  intros d L E. exists (lasts d). split; [now rewrite E at 1|exact L].
Qed.
Lemma clear_rest : forall vm a, let c := spec_clear vm a in cfg c = cfg a /\ modes c = modes a /\ owners c = owners a /\
  (vcpus c = vcpus a /\ saved c = saved a) /\ (cpus c = cpus a /\ here c = here a /\ fp_here c = fp_here a).
Proof. intros vm a. cbv zeta. destruct (clear_parts vm a) as (l & -> & _). repeat split. Qed.
Lemma clear_vm_at : forall vm a v, vm_at (spec_clear vm a) v = if v =? vm then no_vm else vm_at a v.
Proof. intros vm a v. destruct (clear_parts vm a) as (l & -> & _). exact (Map.get_set _ (vms a) vm no_vm v). Qed.
Lemma clear_slot : forall vm a v l k, slot_at (spec_clear vm a) v l k = if v =? vm then Empty else slot_at a v l k.
Proof.
  intros vm a v l k. destruct (clear_parts vm a) as (ls & -> & _).
  change (Map.get (Map.get (Map.get (Map.set (slots a) vm (Map.const (Map.const Empty))) v) l) k = if v =? vm then Empty else slot_at a v l k).
  rewrite Map.get_set. destruct (v =? vm); [now rewrite !Map.get_const|reflexivity].
Qed.
Lemma clear_last : forall vm a v c, 0 <= c < NIE_MAX_CPUS -> last_at (spec_clear vm a) v c = if v =? vm then 0 else last_at a v c.
Proof. intros vm a v c C. destruct (clear_parts vm a) as (l & -> & L). exact (L v c C). Qed.

(** The VM that goes. *)

Section Gone.
Variables (a : state) (vm : Z).
Hypothesis W : wf a.
Hypothesis O : onto a.
Hypothesis CNT : counted a.
Hypothesis V : 0 <= vm < NIE_MAX_VMS.
Hypothesis FREE : vm_state (vm_at a vm) <> NIE_VM_FREE.
Hypothesis ONE : granules (vm_at a vm) = 1.
Notation q := (root (vm_at a vm)).

Lemma root_here : in_ram a q = true /\ own a q = Table vm 1 0.
Proof. exact (wf_root _ W vm V FREE). Qed.
Lemma last_page : forall p, in_ram a p = true -> names (own a p) vm = true -> p = q.
Proof.
  intros p R N. destruct root_here as [RQ OQ]. apply only_page with a vm; auto; [|rewrite OQ; apply Z.eqb_refl].
  now rewrite <- CNT.
Qed.
Lemma none_there : forall i, 0 <= i < NIE_MAX_VCPUS -> vcpu_state (vcpu_at a vm i) = VCPU_NONE.
Proof.
  intros i I. destruct (Z.eq_dec (vcpu_state (vcpu_at a vm i)) VCPU_NONE) as [|N]; auto. exfalso.
  destruct (u_some _ (wf_u _ W) vm i V I N) as (_ & _ & _ & R & E & _). destruct root_here as [_ OQ].
  assert (P : context_page (vcpu_at a vm i) = q) by (apply last_page; auto; rewrite E; apply Z.eqb_refl).
  rewrite P, OQ in E. discriminate.
Qed.
Lemma none_many : forall f, f no_vcpu = false -> how_many a vm f = 0.
Proof.
  intros f F. unfold how_many. assert (X : forall i, (i < 8)%nat -> f (vcpu_at a vm (Z.of_nat i)) = false).
  { intros i I. rewrite (u_none _ (wf_u _ W) vm (Z.of_nat i) V); auto; [unfold NIE_MAX_VCPUS; lia|].
    apply none_there. unfold NIE_MAX_VCPUS. lia. }
  change (Z.to_nat NIE_MAX_VCPUS) with 8%nat. cbn [seq filter]. rewrite !X by lia. reflexivity.
Qed.
(* No CPU walks its tables. *)
Lemma runs_elsewhere : forall c, 0 <= c < NIE_MAX_CPUS -> cpu_vm (cpu_at a c) <> CPU_HOST ->
  let v := cpu_vm (cpu_at a c) in 0 <= v < NIE_MAX_VMS /\ v <> vm /\ vm_state (vm_at a v) <> NIE_VM_FREE.
Proof.
  intros c C H. destruct (u_runs _ (wf_u _ W) c C H) as (H1 & H2 & H3 & _). cbn zeta. split; [exact H1|].
  split; [|apply (u_some _ (wf_u _ W) _ _ H1 H2); rewrite H3; discriminate].
  intro E. rewrite E in H3. rewrite none_there in H3 by exact H2. discriminate.
Qed.

(* [b] is [a] without it; its root has another owner. *)
Record gone (o : owner) (b : state) : Prop := {
  e_cfg : cfg b = cfg a;
  e_modes : modes b = modes a;
  e_own : forall p, own b p = if p =? q then o else own a p;
  e_slot : forall v l k, slot_at b v l k = if v =? vm then Empty else slot_at a v l k;
  e_vm : forall v, 0 <= v < NIE_MAX_VMS -> vm_at b v = if v =? vm then no_vm else vm_at a v;
  e_root : forall v, v <> vm -> root (vm_at b v) = root (vm_at a v);
  e_last : forall v c, 0 <= v < NIE_MAX_VMS -> 0 <= c < NIE_MAX_CPUS -> last_at b v c = if v =? vm then 0 else last_at a v c;
  e_vcpus : vcpus b = vcpus a /\ saved b = saved a;
  e_cpus : cpus b = cpus a /\ here b = here a /\ fp_here b = fp_here a;
}.

Lemma cleared_gone : forall o c, cfg c = cfg a -> modes c = modes a -> (forall p, own c p = if p =? q then o else own a p) ->
  slots c = slots a -> (forall v, v <> vm -> vm_at c v = vm_at a v) -> lasts c = lasts a -> vcpus c = vcpus a /\ saved c = saved a ->
  cpus c = cpus a /\ here c = here a /\ fp_here c = fp_here a -> gone o (spec_clear vm c).
Proof.
  intros o c E1 E2 E3 E4 E5 E6 [E7 E7'] (E8 & E8' & E8''). destruct (clear_rest vm c) as (C1 & C2 & C3 & [C4 C4'] & C5 & C5' & C5'').
  constructor; [congruence|congruence| | | | | |split; congruence|repeat split; congruence].
  - intro p. unfold own. rewrite C3. apply E3.
  - intros v l k. rewrite clear_slot. unfold slot_at. now rewrite E4.
  - intros v _. rewrite clear_vm_at. destruct (Z.eqb_spec v vm); auto.
  - intros v N. rewrite clear_vm_at. replace (v =? vm) with false by lia. now rewrite E5.
  - intros v c' _ C. rewrite clear_last by exact C. unfold last_at. now rewrite E6.
Qed.

Section After.
Variables (o : owner) (b : state).
Hypothesis B : gone o b.

Lemma e_ram : forall p, in_ram b p = in_ram a p.
Proof. intro p. unfold in_ram. now rewrite (e_cfg _ _ B). Qed.
Lemma e_mode : forall g, mode_at b g = mode_at a g.
Proof. intro g. unfold mode_at. now rewrite (e_modes _ _ B). Qed.
Lemma e_managed : forall g, managed b g <-> managed a g.
Proof. intro g. unfold managed. rewrite e_ram, (e_cfg _ _ B). reflexivity. Qed.
Lemma e_other : forall p w, own a p = w -> (forall l k, w <> Table vm l k) -> own b p = w.
Proof.
  intros p w E N. rewrite (e_own _ _ B). destruct (Z.eqb_spec p q) as [->|]; auto. destruct root_here as [_ OQ]. destruct (N 1 0). congruence.
Qed.
Lemma e_access : forall p, host_may_access a p = true -> host_may_access b p = true.
Proof.
  intros p. unfold host_may_access. rewrite e_ram, (e_cfg _ _ B), (e_own _ _ B). destruct (Z.eqb_spec p q) as [->|]; auto.
  destruct root_here as [-> ->]. discriminate.
Qed.
Lemma e_many : forall v f, how_many b v f = how_many a v f.
Proof. intros v f. unfold how_many, vcpu_at. now destruct (e_vcpus _ _ B) as [-> _]. Qed.

Lemma gone_vms : wf_vms b.
Proof.
  pose proof (wf_v _ W) as WV. constructor; intros v; rewrite ?e_many.
  - intros H. rewrite (e_vm _ _ B) by exact H. destruct (Z.eqb_spec v vm) as [->|N].
    + intros _. split; auto. intros c C. rewrite (e_last _ _ B), Z.eqb_refl by auto. reflexivity.
    + intro F. destruct (v_free _ WV v H F) as [E1 E2]. split; auto. intros c C. rewrite (e_last _ _ B) by auto.
      replace (v =? vm) with false by lia. auto.
  - intros H. rewrite (e_vm _ _ B) by exact H. destruct (Z.eqb_spec v vm) as [->|N]; [intro F; now destruct F|]. now apply (v_used _ WV).
  - intros H. rewrite (e_vm _ _ B) by exact H. destruct (Z.eqb_spec v vm) as [->|N]; [split; discriminate|]. now apply (v_sealed _ WV).
  - intros H. rewrite (e_vm _ _ B) by exact H. destruct (Z.eqb_spec v vm) as [->|N]; [now rewrite none_many|]. now apply (v_running _ WV).
  - intros H. rewrite (e_vm _ _ B) by exact H. destruct (Z.eqb_spec v vm) as [->|N]; [now rewrite none_many|]. now apply (v_created _ WV).
  - intros c H C. rewrite (e_last _ _ B) by auto. destruct (v =? vm); [unfold NIE_MAX_VCPUS; lia|]. now apply (v_last _ WV).
Qed.

Lemma gone_vcpus : wf_vcpus b.
Proof.
  assert (EV : forall v i, vcpu_at b v i = vcpu_at a v i) by (intros; unfold vcpu_at; now destruct (e_vcpus _ _ B) as [-> _]).
  assert (EC : forall c, cpu_at b c = cpu_at a c) by (intros; unfold cpu_at; now destruct (e_cpus _ _ B) as [-> _]).
  destruct (wf_u _ W) as [UN SO RN RS]. constructor.
  - intros v i. rewrite EV. auto.
  - intros v i H I. rewrite EV, (e_vm _ _ B) by exact H. intro N. destruct (Z.eqb_spec v vm) as [->|D]; [now rewrite none_there in N|].
    destruct (SO v i H I N) as (S1 & S2 & S3 & S4 & S5 & S6 & S7). rewrite !e_ram.
    split; [exact S1|]. split; [exact S2|]. split; [exact S3|]. split; [exact S4|]. split; [apply e_other; [exact S5|discriminate]|].
    split; [exact S6|]. apply e_other; [exact S7|discriminate].
  - intros v i H I. rewrite EV. cbn zeta. rewrite EC. auto.
  - intros c C. cbn zeta. rewrite EC, EV. auto.
Qed.

Lemma gone_wf : wf b.
Proof.
  pose proof (wf_c _ W) as WC. destruct root_here as [RQ OQ].
  assert (SL : forall v l k e, slot_at b v l k = e -> e <> Empty -> v <> vm /\ slot_at a v l k = e).
  { intros v l k e. rewrite (e_slot _ _ B). destruct (Z.eqb_spec v vm); [congruence|auto]. }
  constructor.
  - destruct WC. constructor; unfold level3_first, gib_count in *; rewrite (e_cfg _ _ B); auto.
  - rewrite (e_cfg _ _ B). intros p H. apply e_other; [now apply (wf_engine _ W)|discriminate].
  - intros g H. rewrite e_mode in H. apply e_managed. now apply (wf_mode _ W).
  - intros g j H J. rewrite e_mode in H. apply e_access. now apply (wf_block _ W).
  - intros p R H. rewrite e_ram in R. rewrite e_mode. apply (wf_mapped _ W); auto. rewrite (e_own _ _ B) in H.
    destruct (Z.eqb_spec p q) as [->|]; auto. rewrite OQ. discriminate.
  - intros v l k p H. apply SL in H as [N H]; [|discriminate]. destruct (wf_tab _ W _ _ _ _ H) as (L & R & E). rewrite e_ram. repeat split; auto.
    apply e_other; auto. intros l' k' [=]. auto.
  - intros v l k p H. apply SL in H as [N H]; [|discriminate]. destruct (wf_blk _ W _ _ _ _ H) as (L & M & E). split; [auto|split; [auto|]].
    intros j J. destruct (E j J) as [R F]. rewrite e_ram. split; auto. apply e_other; auto. discriminate.
  - intros v l k p H. apply SL in H as [N H]; [|discriminate]. destruct (wf_page _ W _ _ _ _ H) as (L & R & E). rewrite e_ram. repeat split; auto.
    apply e_other; auto. discriminate.
  - intros v l k p H. apply SL in H as [N H]; [|discriminate]. destruct (wf_shared _ W _ _ _ _ H) as (L & R & E & U). rewrite e_ram. repeat split; auto.
    apply e_other; auto. discriminate.
  - intros v l k H. destruct (SL v l k _ eq_refl H) as [N E]. rewrite <- E in H. destruct (wf_slot _ W _ _ _ H) as (H1 & H2 & H3 & H4 & H5 & H6).
    rewrite (e_vm _ _ B) by exact H1. replace (v =? vm) with false by lia. repeat split; auto; try lia. intro L. destruct (H6 L) as [p P].
    exists p. rewrite (e_slot _ _ B). now replace (v =? vm) with false by lia.
  - intros v H. rewrite (e_vm _ _ B) by exact H. destruct (Z.eqb_spec v vm) as [->|N]; [intro F; now destruct F|]. intro F.
    destruct (wf_root _ W v H F) as [R E]. rewrite e_ram. split; auto. apply e_other; auto. intros l' k' [=]. auto.
  - exact gone_vms.
  - exact gone_vcpus.
Qed.

Hypothesis HO : o = Host.

Lemma gone_kept : forall p w, in_ram a p = true -> own b p = w -> w <> Host -> own a p = w /\ names w vm = false.
Proof.
  intros p w R. rewrite (e_own _ _ B), HO. destruct (Z.eqb_spec p q) as [|N]; [congruence|]. intros <- H. split; auto.
  destruct (names (own a p) vm) eqn:E; auto. destruct (N (last_page p R E)).
Qed.
Lemma gone_onto : onto b.
Proof.
  constructor; intros p v; rewrite e_ram.
  - intros k R H. apply gone_kept in H as [H N]; [|auto|discriminate]. cbn in N. rewrite !(e_slot _ _ B), N. now apply (on_data _ O).
  - intros k R H. apply gone_kept in H as [H N]; [|auto|discriminate]. cbn in N. rewrite !(e_slot _ _ B), N. now apply (on_shared _ O).
  - intros l k R H. apply gone_kept in H as [H N]; [|auto|discriminate]. cbn in N. rewrite !(e_slot _ _ B), N.
    destruct (on_table _ O _ _ _ _ R H) as [(L & K & E)|E]; auto. left. repeat split; auto. rewrite (e_root _ _ B); auto. lia.
  - intros i R H. apply gone_kept in H as [H _]; [|auto|discriminate]. unfold vcpu_at. destruct (e_vcpus _ _ B) as [-> _]. exact (on_vcpu _ O p v i R H).
  - intros i R H. apply gone_kept in H as [H _]; [|auto|discriminate]. unfold vcpu_at. destruct (e_vcpus _ _ B) as [-> _]. exact (on_run _ O p v i R H).
Qed.

Lemma gone_counted : counted b.
Proof.
  destruct root_here as [RQ OQ]. intros v H. rewrite (e_vm _ _ B) by exact H.
  rewrite (pages_one a b q v (e_cfg _ _ B) RQ) by (intros p D; rewrite (e_own _ _ B); now replace (p =? q) with false by lia).
  rewrite OQ, (e_own _ _ B), Z.eqb_refl, HO. cbn [names ind]. destruct (Z.eqb_spec v vm) as [->|N].
  - rewrite Z.eqb_refl, <- CNT by auto. rewrite ONE. reflexivity.
  - replace (vm =? v) with false by lia. rewrite CNT by auto. cbn [ind]. lia.
Qed.
End After.

(** What walkers may hold: all but what was the VM's. *)

Lemma kept_access_gone : forall o b p, gone o b -> o = Data NIE_MAX_VMS 0 -> host_may_access b p = host_may_access a p.
Proof.
  intros o b p B E. unfold host_may_access. rewrite (e_ram _ _ B), (e_cfg _ _ B), (e_own _ _ B). destruct (Z.eqb_spec p q) as [->|]; auto.
  destruct root_here as [-> ->]. now rewrite E.
Qed.
Lemma kept_henc_gone : forall o b l k, gone o b -> o = Data NIE_MAX_VMS 0 -> henc b l k = henc a l k.
Proof.
  intros o b l k B E. unfold henc, gib_count, level3, attributes, level3_first, gib_count.
  now rewrite (e_mode _ _ B), !(e_ram _ _ B), (kept_access_gone o b _ B E), (e_cfg _ _ B).
Qed.

Lemma gone_entry : forall o b v l k d, gone o b -> o = Data NIE_MAX_VMS 0 -> (Aset b v l k d <-> Aset a v l k d /\ v <> vm + 1).
Proof.
  intros o b v l k d B E. split.
  - intros [(-> & H)|(i & -> & I & H)].
    + split; [|lia]. left. rewrite (e_cfg _ _ B), (kept_henc_gone o b _ _ B E) in H. auto.
    + rewrite (e_vm _ _ B), (e_slot _ _ B) in H by exact I. destruct (Z.eqb_spec i vm) as [->|N].
      * destruct H as [(_ & _ & _ & F)|(_ & -> & D)]; [now destruct F|discriminate D].
      * split; [|lia]. right. exists i. auto.
  - intros [[(-> & H)|(i & -> & I & H)] N].
    + left. rewrite (e_cfg _ _ B), (kept_henc_gone o b _ _ B E). auto.
    + right. exists i. rewrite (e_vm _ _ B), (e_slot _ _ B) by exact I. replace (i =? vm) with false by lia. auto.
Qed.

(* Two states without it, its root being the same owner's, are the same map. *)
Section Same.
Variables (o : owner) (b c : state).
Hypothesis B : gone o b.
Hypothesis C : gone o c.
Lemma two_access : forall p, host_may_access b p = host_may_access c p.
Proof. intro p. unfold host_may_access. now rewrite (e_ram _ _ B), (e_ram _ _ C), (e_cfg _ _ B), (e_cfg _ _ C), (e_own _ _ B), (e_own _ _ C). Qed.
Lemma two_henc : forall l k, henc b l k = henc c l k.
Proof.
  intros l k. unfold henc, gib_count, level3, attributes, level3_first, gib_count.
  now rewrite (e_mode _ _ B), (e_mode _ _ C), !(e_ram _ _ B), !(e_ram _ _ C), two_access, (e_cfg _ _ B), (e_cfg _ _ C).
Qed.
Lemma two_slots : forall v l k, slot_at b v l k = slot_at c v l k.
Proof. intros. now rewrite (e_slot _ _ B), (e_slot _ _ C). Qed.
Lemma two_entries : forall v l k d, Aset b v l k d <-> Aset c v l k d.
Proof.
  intros v l k d. unfold Aset. rewrite (e_cfg _ _ B), (e_cfg _ _ C), two_henc.
  split; (intros [H|(i & E & I & H)]; [now left|right]; exists i; (split; [exact E|split; [exact I|]]); revert H);
    rewrite two_slots, (e_vm _ _ B), (e_vm _ _ C) by exact I; auto.
Qed.
Lemma two_tables : forall m, tables_hold b m -> tables_hold c m.
Proof.
  intros m T. constructor.
  - intros p v l k i R H I. rewrite (e_ram _ _ C) in R. rewrite <- two_slots. apply (t_vm _ _ T p v l k i); auto; [now rewrite (e_ram _ _ B)|].
    rewrite (e_own _ _ B). now rewrite (e_own _ _ C) in H.
  - intros i I. rewrite <- two_henc, (e_cfg _ _ C), <- (e_cfg _ _ B). now apply (t_1 _ _ T).
  - intros j i J I. rewrite <- two_henc, (e_cfg _ _ C), <- (e_cfg _ _ B). apply (t_2 _ _ T); auto.
    unfold gib_count in *. now rewrite (e_cfg _ _ C) in J; rewrite (e_cfg _ _ B).
  - intros g i M I. rewrite <- two_henc. replace (level3 c g) with (level3 b g).
    + apply (t_3 _ _ T); auto. apply (e_managed _ _ B). now apply (e_managed _ _ C).
    + unfold level3, level3_first, gib_count. now rewrite (e_ram _ _ B), (e_ram _ _ C), (e_cfg _ _ B), (e_cfg _ _ C).
  - intros p v i j R H J. rewrite (e_ram _ _ C) in R. unfold saved_at. destruct (e_vcpus _ _ C) as [_ ->]. destruct (e_vcpus _ _ B) as [_ <-].
    apply (t_saved _ _ T p v i j); auto; [now rewrite (e_ram _ _ B)|]. rewrite (e_own _ _ B). now rewrite (e_own _ _ C) in H.
Qed.
End Same.

(* The tables of the others are as they were. *)
Lemma kept_tables_gone : forall b m, gone (Data NIE_MAX_VMS 0) b -> tables_hold a m -> tables_hold b m.
Proof.
  intros b m B T. assert (KO : forall p w, own b p = w -> w <> Data NIE_MAX_VMS 0 -> p <> q /\ own a p = w).
  { intros p w. rewrite (e_own _ _ B). destruct (Z.eqb_spec p q); [congruence|auto]. }
  constructor.
  - intros p v l k i R H I. rewrite (e_ram _ _ B) in R. apply KO in H as [N H]; [|discriminate]. rewrite (e_slot _ _ B).
    destruct (Z.eqb_spec v vm) as [->|]; [|now apply (t_vm _ _ T)]. destruct N. apply last_page; auto. rewrite H. apply Z.eqb_refl.
  - intros i I. rewrite (kept_henc_gone _ b _ _ B eq_refl), (e_cfg _ _ B). now apply (t_1 _ _ T).
  - intros j i J I. rewrite (kept_henc_gone _ b _ _ B eq_refl), (e_cfg _ _ B). apply (t_2 _ _ T); auto.
    unfold gib_count in *. now rewrite (e_cfg _ _ B) in J.
  - intros g i M I. rewrite (kept_henc_gone _ b _ _ B eq_refl). replace (level3 b g) with (level3 a g).
    + apply (t_3 _ _ T); auto. now apply (e_managed _ _ B).
    + unfold level3, level3_first, gib_count. now rewrite (e_ram _ _ B), (e_cfg _ _ B).
  - intros p v i j R H J. rewrite (e_ram _ _ B) in R. apply KO in H as [N H]; [|discriminate]. unfold saved_at. destruct (e_vcpus _ _ B) as [_ ->].
    now apply (t_saved _ _ T).
Qed.
End Gone.
