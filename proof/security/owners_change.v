(* SPDX-License-Identifier: Apache-2.0 *)
(* Whose a page is: what one exception can change of it. A VM's page stays the VM's or is given back to the host; a VM gets pages in
   the lower half of its IPA space only. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State Donation Actions.
From nie.proof.invariant Require Import Meaning Adding.
From nie.proof.refine Require Import Adds trap_is_safe.
From nie.proof.invariant Require Import trap_steps trap_steps_preserve.
From nie.proof.invariant Require configuration_kept.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

Record mild (a b : state) : Prop := {
  mild_data : forall p v x, own a p = Data v x -> own b p = Data v x \/ own b p = Host;
  mild_low : forall p v x, 0 <= v -> own b p = Data v x -> own a p = Data v x \/ x < 2 ^ 26;
}.
Lemma mild_same : forall a b, owners b = owners a -> mild a b.
Proof. intros a b E. constructor; unfold own; rewrite E; auto. Qed.
Lemma mild_pages : forall a b p n o, (forall q, own b q = if (p <=? q) && (q <? p + n) then o (q - p) else own a q) ->
  (forall q, p <= q < p + n -> own a q = Host) -> (forall i v x, 0 <= i < n -> o i = Data v x -> 0 <= v -> x < 2 ^ 26) -> mild a b.
Proof.
  intros a b p n o E H L. constructor; intros q v x.
  - intro D. rewrite E. destruct ((p <=? q) && (q <? p + n)) eqn:C; [|auto]. rewrite H in D by lia. discriminate.
  - intros V D. rewrite E in D. destruct ((p <=? q) && (q <? p + n)) eqn:C; [|auto]. right. eapply L; eauto. lia.
Qed.
Lemma mild_host : forall a b, (forall q, own b q = own a q \/ own b q = Host) -> mild a b.
Proof. intros a b H. constructor; intros q v x; destruct (H q) as [E|E]; rewrite E; auto; discriminate. Qed.

Ltac refuse E C := lazymatch type of E with ?x = NIE_OK => tryif is_const x then (discriminate E || (unfold x in E; discriminate E)) else (apply Z.eqb_neq in C; now elim C) end.
Ltac pass E := repeat match type of E with
  | (if ?b then _ else _) = NIE_OK => let C := fresh "C" in destruct b eqn:C; [|try (exfalso; refuse E C)]
  end.
Lemma donation_ok : forall a pa n, check_donation a pa n = NIE_OK -> 1 <= n /\ forall q, page_of pa <= q < page_of pa + n -> own a q = Host.
Proof.
  intros a pa n E. unfold check_donation in E. cbv zeta in E. pass E. unfold range_ok in *. split; [lia|]. intros q Q.
  eapply host_owns_ok; [eassumption|lia].
Qed.
Lemma placement_ok : forall a v ipa pa n, check_placement a v ipa pa n = NIE_OK ->
  in_window a v (page_of ipa) n = true /\ check_donation a pa n = NIE_OK.
Proof. intros a v ipa pa n E. unfold check_placement in E. pass E. auto. Qed.

Lemma owners_each : forall n f a, (forall i c, owners (f i c) = owners c) -> owners (each n f a) = owners a.
Proof. intros n f a H. unfold each. induction (Z.to_nat n) as [|m IH]; cbn [each_nat]; auto. now rewrite H. Qed.
Lemma owners_building : forall v l a, owners (measured_if_building v l a) = owners a.
Proof. intros. unfold measured_if_building. now destruct (vm_state (vm_at a v) =? NIE_VM_BUILDING). Qed.
Lemma own_donate : forall v p n o a q, 0 <= n -> own (donate v p n o a) q = if (p <=? q) && (q <? p + n) then o (q - p) else own a q.
Proof. intros v p n o a q N. exact (hand_over_at v p n o a q N). Qed.

Section Window.
Variable a : state.
Hypothesis W : wf a.
Lemma window_low : forall v x n i, 0 <= v -> vm_exists v = true -> (vm_state (vm_at a v) <> NIE_VM_FREE) -> in_window a v x n = true ->
  0 <= i < n -> x + i < 2 ^ 26.
Proof.
  intros v x n i V E F I Ii. unfold vm_exists in E. destruct (v_used _ (wf_v _ W) v ltac:(lia) F) as (_ & _ & B1 & B2). unfold in_window in I. lia.
Qed.
Lemma is_used : forall v s s', vm_is a v s s' = true -> s <> NIE_VM_FREE -> s' <> NIE_VM_FREE -> vm_state (vm_at a v) <> NIE_VM_FREE.
Proof. intros v s s' H. unfold vm_is in H. lia. Qed.


Lemma new_owners : forall b p n o, owners b = owners (hand_over 0 p n o a) -> 0 <= n -> (forall q, p <= q < p + n -> own a q = Host) ->
  (forall i v x, 0 <= i < n -> o i = Data v x -> 0 <= v -> x < 2 ^ 26) -> mild a b.
Proof.
  intros b p n o E N H L. apply (mild_pages a b p n o); auto. intro q. unfold own at 1. rewrite E. exact (hand_over_at 0 p n o a q N).
Qed.

Lemma page_add_zero_mild : forall vm ipa pa n l, mild a (snd (nie.spec.call.page_add_zero.page_add_zero vm ipa pa n l a)).
Proof.
  intros vm ipa pa n l. unfold nie.spec.call.page_add_zero.page_add_zero. cbv zeta.
  destruct (_ =? NIE_OK) eqn:E; [|now apply mild_same]. apply Z.eqb_eq in E. unfold nie.spec.call.page_add_zero.page_add_zero_check in E. cbv zeta in E. 
  assert (F : vm_exists vm = true /\ vm_is a vm NIE_VM_BUILDING NIE_VM_ACTIVE = true /\ check_placement a vm ipa pa n = NIE_OK).
  { pass E; (split; [reflexivity|split; [reflexivity|now apply Z.eqb_eq]]). }
  destruct F as (VE & VI & F). apply placement_ok in F as [IW D]. apply donation_ok in D as [N D]. cbn [snd].
  eapply (new_owners _ (page_of pa) n (fun i => Data vm (page_of ipa + i))); [|lia|exact D|].
  - rewrite owners_building. unfold nie.spec.call.page_add_zero.add_zero. cbv zeta. destruct (l =? LEVEL_PAGE); [rewrite owners_each by reflexivity|]; reflexivity.
  - intros i v x I E0 V. injection E0 as <- <-. eapply window_low; eauto. eapply is_used; eauto; discriminate.
Qed.
Lemma page_add_mild : forall vm ipa pa n content, mild a (snd (nie.spec.call.page_add.page_add vm ipa pa n content a)).
Proof.
  intros vm ipa pa n content. unfold nie.spec.call.page_add.page_add. cbv zeta.
  destruct (_ =? NIE_OK) eqn:E; [|now apply mild_same]. apply Z.eqb_eq in E. unfold nie.spec.call.page_add.page_add_check in E. cbv zeta in E. pass E.
  match goal with H : (check_placement _ _ _ _ _ =? _) = true |- _ => apply Z.eqb_eq, placement_ok in H as [IW D] end. apply donation_ok in D as [N D]. cbn [snd].
  eapply (new_owners _ (page_of pa) n (fun i => Data vm (page_of ipa + i))); [|lia|exact D|].
  - rewrite !owners_each by reflexivity. reflexivity.
  - intros i v x I E0 V. injection E0 as <- <-. eapply window_low; eauto. eapply is_used; eauto; discriminate.
Qed.
Lemma page_shared_add_mild : forall vm ipa pa n, mild a (snd (nie.spec.call.page_shared_add.page_shared_add vm ipa pa n a)).
Proof.
  intros vm ipa pa n. unfold nie.spec.call.page_shared_add.page_shared_add. cbv zeta.
  destruct (_ =? NIE_OK) eqn:E; [|now apply mild_same]. apply Z.eqb_eq in E. unfold nie.spec.call.page_shared_add.page_shared_add_check in E. cbv zeta in E. pass E.
  match goal with H : (check_donation _ _ _ =? _) = true |- _ => apply Z.eqb_eq, donation_ok in H as [N D] end. cbn [snd].
  eapply (new_owners _ (page_of pa) n (fun i => Shared vm (page_of ipa + i))); [|lia|exact D|discriminate].
  rewrite owners_building, owners_each by reflexivity. reflexivity.
Qed.
Lemma table_add_mild : forall vm ipa l pa, mild a (snd (nie.spec.call.table_add.table_add vm ipa l pa a)).
Proof.
  intros vm ipa l pa. unfold nie.spec.call.table_add.table_add. cbv zeta.
  destruct (_ =? NIE_OK) eqn:E; [|now apply mild_same]. apply Z.eqb_eq in E. unfold nie.spec.call.table_add.table_add_check in E. cbv zeta in E. pass E.
  match goal with H : (check_donation _ _ _ =? _) = true |- _ => apply Z.eqb_eq, donation_ok in H as [N D] end. cbn [snd].
  eapply (new_owners _ (page_of pa) 1 (fun _ => Table vm l _)); [|lia|exact D|discriminate].
  match goal with |- owners (set_slot _ _ _ _ (match ?e with _ => _ end)) = _ => destruct e end; try reflexivity.
Qed.
Lemma vm_create_mild : forall vm root base pages n now, mild a (snd (nie.spec.call.vm_create.vm_create vm root base pages n now a)).
Proof.
  intros vm root base pages n now. unfold nie.spec.call.vm_create.vm_create. cbv zeta.
  destruct (_ =? NIE_OK) eqn:E; [|now apply mild_same]. apply Z.eqb_eq in E. unfold nie.spec.call.vm_create.vm_create_check in E. pass E.
  apply donation_ok in E as [N D]. cbn [snd].
  eapply (new_owners _ (page_of root) 1 (fun _ => Table vm 1 0)); [|lia|exact D|discriminate]. reflexivity.
Qed.
Lemma vcpu_create_mild : forall vm vcpu ctx run entry x, mild a (snd (nie.spec.call.vcpu_create.vcpu_create vm vcpu ctx run entry x a)).
Proof.
  intros vm vcpu ctx run entry x. unfold nie.spec.call.vcpu_create.vcpu_create. cbv zeta.
  destruct (_ =? NIE_OK) eqn:E; [|now apply mild_same]. apply Z.eqb_eq in E. unfold nie.spec.call.vcpu_create.vcpu_create_check in E. cbv zeta in E. pass E.
  match goal with H : (check_donation _ _ _ =? _) = true |- _ => apply Z.eqb_eq, donation_ok in H as [N1 D1] end.
  apply donation_ok in E as [N2 D2]. cbn [snd].
  set (a1 := donate vm (page_of ctx) 1 (fun _ => Vcpu vm vcpu) a).
  assert (O1 : forall q, own a1 q = if (page_of ctx <=? q) && (q <? page_of ctx + 1) then Vcpu vm vcpu else own a q) by (intro; apply own_donate; lia).
  assert (O2 : forall q, own (hand_over vm (page_of run) 1 (fun _ => Run vm vcpu) a1) q = if (page_of run <=? q) && (q <? page_of run + 1) then Run vm vcpu else own a1 q)
    by (intro; apply hand_over_at; lia).
  match goal with |- mild a ?b => assert (OB : forall q, own b q = own (hand_over vm (page_of run) 1 (fun _ => Run vm vcpu) a1) q) by (intro; reflexivity) end.
  constructor; intros q v y; rewrite OB, O2, O1.
  - intro D. destruct ((page_of run <=? q) && _) eqn:Q1; [rewrite D2 in D by lia; discriminate|].
    destruct ((page_of ctx <=? q) && _) eqn:Q2; [rewrite D1 in D by lia; discriminate|auto].
  - intros _ D. destruct ((page_of run <=? q) && _); [discriminate|]. destruct ((page_of ctx <=? q) && _); [discriminate|auto].
Qed.
Lemma own_each_host : forall n f c, (forall i d q, own (f i d) q = own d q \/ own (f i d) q = Host) -> forall q, own (each n f c) q = own c q \/ own (each n f c) q = Host.
Proof.
  intros n f c H q. unfold each. induction (Z.to_nat n) as [|m IH]; cbn [each_nat]; auto.
  destruct (H (Z.of_nat m) (each_nat m f c) q) as [->|E]; auto.
Qed.
Lemma own_back : forall p d q, own (set_own p Host d) q = own d q \/ own (set_own p Host d) q = Host.
Proof. intros p d q. rewrite own_set. destruct (q =? p); auto. Qed.

Lemma answer_owners : forall c l i b, owners (nie.spec.Registers.answer_from c i l b) = owners b.
Proof. induction l as [|y l IH]; intros i b; cbn [nie.spec.Registers.answer_from]; auto. now rewrite IH. Qed.

Lemma taken_back : forall vm first i d q, own (nie.spec.call.page_remove.take_back vm first i d) q = own d q \/ own (nie.spec.call.page_remove.take_back vm first i d) q = Host.
Proof.
  intros vm first i d q. assert (E : own (nie.spec.call.page_remove.take_back vm first i d) q = own (set_own (first + i) Host d) q) by reflexivity.
  rewrite E. apply own_back.
Qed.
Lemma page_remove_mild : forall vm ipa n, mild a (snd (nie.spec.call.page_remove.page_remove vm ipa n a)).
Proof.
  intros vm ipa n. unfold nie.spec.call.page_remove.page_remove. cbv zeta. destruct (_ =? NIE_OK); [|now apply mild_same]. cbn [snd].
  apply mild_host. intro q. set (c := each n (nie.spec.call.page_remove.spend vm (page_of ipa)) a).
  assert (EC : own c q = own a q) by (unfold own, c; now rewrite owners_each by reflexivity).
  rewrite <- EC. apply own_each_host. apply taken_back.
Qed.
Lemma table_remove_mild : forall vm ipa l, mild a (snd (nie.spec.call.table_remove.table_remove vm ipa l a)).
Proof.
  intros vm ipa l. unfold nie.spec.call.table_remove.table_remove. cbv zeta. destruct (_ =? NIE_OK); [|now apply mild_same].
  destruct (slot_at _ _ _ _) as [| |t|t|t|t]; try now apply mild_same. cbn [snd].
  match goal with |- context [each 512 ?f a] => assert (EC : owners (each 512 f a) = owners a) by (apply owners_each; reflexivity); revert EC; generalize (each 512 f a) end.
  intros c EC. apply mild_host. intro q. match goal with |- own ?b q = _ \/ _ => assert (E : own b q = if q =? t then Host else own c q) by (exact (own_set t Host c q)) end.
  rewrite E. destruct (q =? t); auto. left. unfold own. now rewrite EC.
Qed.
Lemma vcpu_destroy_mild : forall vm vcpu, mild a (snd (nie.spec.call.vcpu_destroy.vcpu_destroy vm vcpu a)).
Proof.
  intros vm vcpu. unfold nie.spec.call.vcpu_destroy.vcpu_destroy. cbv zeta. destruct (_ =? NIE_OK); [|now apply mild_same]. cbn [snd].
  apply mild_host. intro q. set (r := vcpu_at a vm vcpu).
  destruct (own_back (run_page r) (give_back vm (context_page r) a) q) as [E|E]; [|right; exact E].
  destruct (own_back (context_page r) a q) as [F|F]; [left|right]; exact (eq_trans E F).
Qed.
Lemma vm_destroy_mild : forall vm, mild a (snd (nie.spec.call.vm_destroy.vm_destroy vm a)).
Proof.
  intros vm. unfold nie.spec.call.vm_destroy.vm_destroy. cbv zeta. destruct (_ =? NIE_OK); [|now apply mild_same]. cbn [snd].
  unfold nie.spec.call.vm_destroy.clear_vm. set (c := give_back vm (root (vm_at a vm)) a).
  match goal with |- context [each NIE_MAX_CPUS ?f ?d] => assert (EC : owners (each NIE_MAX_CPUS f d) = owners c) by (rewrite owners_each; reflexivity);
    revert EC; generalize (each NIE_MAX_CPUS f d) end.
  intros d EC. apply mild_host. intro q. assert (E : own (set_vm vm no_vm d) q = own c q) by (unfold own; now rewrite <- EC).
  rewrite E. destruct (own_back (root (vm_at a vm)) a q) as [F|F]; [left|right]; exact F.
Qed.

End Window.

Lemma called_mild : forall a b, called a b -> wf a -> mild a b.
Proof.
  intros a b C W. destruct C; eauto using page_add_zero_mild, page_add_mild, page_shared_add_mild, table_add_mild, vm_create_mild, vcpu_create_mild,
    page_remove_mild, table_remove_mild, vcpu_destroy_mild, vm_destroy_mild.
  - apply mild_same. unfold nie.spec.call.vm_stop.vm_stop. cbv zeta. repeat destruct (_ =? _); try reflexivity; now destruct (_ || _).
  - apply mild_same. unfold nie.spec.call.vm_activate.vm_activate. cbv zeta. now destruct (_ =? _).
  - apply mild_same. apply answer_owners.
Qed.

(** One exception. *)

Lemma step_owners : forall c a b, step c a b -> owners b = owners a.
Proof. intros c a b S. destruct S; try reflexivity. eapply ro_owners; eauto. Qed.
Lemma steps_owners : forall c a b, steps c a b -> owners b = owners a.
Proof. intros c a b S. induction S as [|a b d S _ IH]; auto. rewrite IH. now apply step_owners in S. Qed.

Lemma called_cfg : forall a b, called a b -> cfg b = cfg a.
Proof.
  intros a b C. destruct C; auto using configuration_kept.page_remove_cfg, configuration_kept.table_remove_cfg, configuration_kept.page_add_zero_cfg,
    configuration_kept.page_shared_add_cfg, configuration_kept.vm_stop_cfg, configuration_kept.vm_activate_cfg, configuration_kept.table_add_cfg,
    configuration_kept.page_add_cfg, configuration_kept.vcpu_destroy_cfg, configuration_kept.vcpu_create_cfg, configuration_kept.vm_destroy_cfg, configuration_kept.vm_create_cfg.
  apply configuration_kept.answer_cfg.
Qed.
Lemma steps_cfg : forall c a b, steps c a b -> cfg b = cfg a.
Proof.
  intros c a b S. induction S as [|a b d S _ IH]; auto. rewrite IH. clear IH. destruct S; try reflexivity. eapply ro_cfg; eauto.
Qed.
Theorem did_cfg : forall c a b, did c a b -> cfg b = cfg a.
Proof.
  intros c a b [S|(a1 & b1 & RO & CA & _ & S)]; [eapply steps_cfg; eauto|]. rewrite (steps_cfg _ _ _ S), (called_cfg _ _ CA). apply (ro_cfg _ _ _ RO).
Qed.
Theorem did_mild : forall c a b, 0 <= c < NIE_MAX_CPUS -> sound a -> did c a b -> mild a b.
Proof.
  intros c a b C SO [S|(a1 & b1 & RO & CA & _ & S)]; [apply mild_same; eapply steps_owners; eauto|].
  pose proof (step_sound c a a1 C (Registers c a a1 RO) SO) as [W1 _ _]. pose proof (called_mild a1 b1 CA W1) as [D L].
  apply steps_owners in S. constructor; intros p v x; unfold own in *; rewrite S, <- (ro_owners _ _ _ RO); auto.
Qed.
