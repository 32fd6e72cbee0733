(* SPDX-License-Identifier: Apache-2.0 *)
(* Calls that move pages leave the records of VMs, vCPUs and CPUs alone, but for the count of granules and the build
   log: what is well formed of them stays so. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.generated Require Import Constants.
From nie.spec Require Import State.
From nie.proof.invariant Require Import Meaning.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

Definition rest_of (r : vm) : vm := r <| granules := 0 |> <| build_log := [] |>.

Record same_records (a b : state) : Prop := {
  s_vm : forall v, rest_of (vm_at b v) = rest_of (vm_at a v);
  s_free : forall v, 0 <= v < NIE_MAX_VMS -> vm_state (vm_at a v) = NIE_VM_FREE -> vm_at b v = vm_at a v;
  s_vcpus : vcpus b = vcpus a /\ saved b = saved a;
  s_cpus : cpus b = cpus a /\ lasts b = lasts a;
  s_here : here b = here a /\ fp_here b = fp_here a;
}.
Arguments s_vm {a b}. Arguments s_free {a b}. Arguments s_vcpus {a b}. Arguments s_cpus {a b}. Arguments s_here {a b}.

Lemma same_refl : forall a, same_records a a.
Proof. intro a. constructor; auto. Qed.

Lemma same_of_eq : forall a b, vms b = vms a -> vcpus b = vcpus a -> saved b = saved a -> cpus b = cpus a -> lasts b = lasts a ->
  here b = here a -> fp_here b = fp_here a -> same_records a b.
Proof. intros a b E **. constructor; auto; unfold vm_at; now rewrite E. Qed.

Lemma same_fields : forall a b, same_records a b -> forall v, vm_state (vm_at b v) = vm_state (vm_at a v) /\ root (vm_at b v) = root (vm_at a v) /\
  ram_base (vm_at b v) = ram_base (vm_at a v) /\
  ram_pages (vm_at b v) = ram_pages (vm_at a v) /\ vcpu_count (vm_at b v) = vcpu_count (vm_at a v) /\
  running (vm_at b v) = running (vm_at a v) /\ created (vm_at b v) = created (vm_at a v) /\ sealed (vm_at b v) = sealed (vm_at a v).
Proof. intros a b S v. pose proof (s_vm S v) as E. destruct (vm_at b v), (vm_at a v). injection E; intros; subst. cbn. auto 10. Qed.

Lemma same_root : forall a b, same_records a b -> forall v, root (vm_at b v) = root (vm_at a v) /\ vm_state (vm_at b v) = vm_state (vm_at a v).
Proof. intros a b S v. destruct (same_fields _ _ S v) as (-> & -> & _). auto. Qed.

Lemma same_trans : forall a b c, same_records a b -> same_records b c -> same_records a c.
Proof.
  intros a b c S T. constructor.
  - intro v. now rewrite (s_vm T), (s_vm S).
  - intros v V F. rewrite (s_free T), (s_free S); auto. now destruct (same_root _ _ S v) as [_ ->].
  - destruct (s_vcpus S), (s_vcpus T). split; congruence.
  - destruct (s_cpus S), (s_cpus T). split; congruence.
  - destruct (s_here S), (s_here T). split; congruence.
Qed.

Lemma same_sym : forall a b, same_records a b -> same_records b a.
Proof.
  intros a b S. constructor; try (destruct S as [_ _ [] [] []]; auto; fail).
  - intro v. symmetry. apply (s_vm S).
  - intros v V F. destruct (same_root _ _ S v) as [_ E]. rewrite E in F. symmetry. now apply (s_free S).
Qed.

Section Same.
Context {a b : state}.
Hypothesis S : same_records a b.

Lemma same_vcpu : forall v i, vcpu_at b v i = vcpu_at a v i.
Proof. intros. unfold vcpu_at. now destruct (s_vcpus S) as [-> _]. Qed.
Lemma same_saved : forall v i w, saved_at b v i w = saved_at a v i w.
Proof. intros. unfold saved_at. now destruct (s_vcpus S) as [_ ->]. Qed.
Lemma same_cpu : forall c, cpu_at b c = cpu_at a c.
Proof. intros. unfold cpu_at. now destruct (s_cpus S) as [-> _]. Qed.
Lemma same_last : forall v c, last_at b v c = last_at a v c.
Proof. intros. unfold last_at. now destruct (s_cpus S) as [_ ->]. Qed.
Lemma same_many : forall v f, how_many b v f = how_many a v f.
Proof. intros v f. unfold how_many. f_equal. f_equal. apply filter_ext. intro. now rewrite same_vcpu. Qed.

Lemma same_wf_vms : wf_vms a -> wf_vms b.
Proof.
  intros [F U SE R CR L]. constructor; intros v; destruct (same_fields _ _ S v) as (E1 & E0 & E2 & E3 & E4 & E5 & E6 & E7);
    rewrite ?E1, ?E2, ?E3, ?E4, ?E5, ?E6, ?E7, ?same_many; auto.
  - intros H1 H2. destruct (F v H1 H2) as [E K]. split; [|intros; rewrite same_last; auto]. rewrite (s_free S); auto.
  - intros c H1 H2. rewrite same_last. auto.
Qed.

Lemma same_wf_vcpus : cfg b = cfg a -> (forall p v i, own a p = Vcpu v i \/ own a p = Run v i -> own b p = own a p) ->
  wf_vcpus a -> wf_vcpus b.
Proof.
  intros CF K [UN SO RN RS].
  assert (RB : forall p, in_ram b p = in_ram a p) by (intro p; unfold in_ram; now rewrite CF). constructor.
  - intros v k. rewrite same_vcpu. auto.
  - intros v k V I. rewrite same_vcpu. intro H. destruct (same_fields _ _ S v) as (E1 & _ & _ & _ & E4 & _). rewrite E1, E4, !RB.
    destruct (SO v k V I H) as (S1 & S2 & S3 & S4 & S5 & S6 & S7). rewrite !(K _ v k) by auto. auto 10.
  - intros v k V I. rewrite same_vcpu. cbn zeta. rewrite same_cpu. auto.
  - intros c. cbn zeta. rewrite same_cpu, same_vcpu. auto.
Qed.
End Same.
