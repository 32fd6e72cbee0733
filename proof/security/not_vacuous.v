(* SPDX-License-Identifier: Apache-2.0 *)
(* The premises of [confidential] can be met by runs that differ: from boot's end the engine as it is carries two lives of a VM (Lifetime.v)
   that hold different secrets, in private pages and registers, and show the others the same; also when the VM is destroyed, and its index
   and the page of its secret go to another VM, which runs and finds zero. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.refine Require Import statements.
From nie.proof.security Require Import core_is_safe Lifetime Summed.
From nie.proof.security Require Found.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** What differs. The VM with index 1 runs on CPU [c], has [v] in x5, and reaches a page with it, at page [i] of its window. *)

Definition finds (c i v : Z) (t : Step.machine) : Prop :=
  runs t c (vmid_of the_vm) /\ Step.x t c 5 = v /\ page_words t zeroed 7 = v /\
  exists d, avail (Step.hw t) (vmid_of the_vm) 3 (low / 4096 + i) d /\ maps 3 d zeroed.
Definition finds_b (c i v : Z) (t : Step.machine) : bool :=
  let m w := Map.get (Machine.mem (Step.hw t)) w in
  (vttbr (Step.hw t) c =? 2 * 2 ^ 48 + root * 4096) && (m (root * 512 + 1) =? table lower2) && (m (lower2 * 512) =? table lower3) &&
  (m (lower3 * 512 + i) =? page zeroed) && (Step.x t c 5 =? v) && (m (zeroed * 512 + 7) =? v).
Lemma finds_is : forall c i v t, is_word i = true -> finds_b c i v t = true -> finds c i v t.
Proof.
  intros c i v t I E. unfold finds_b in E. set (h := Step.hw t) in *.
  apply andb_prop in E as [E W]. apply andb_prop in E as [E X]. apply andb_prop in E as [E M3]. apply andb_prop in E as [E M2].
  apply andb_prop in E as [E M1]. apply Z.eqb_eq in E. apply Z.eqb_eq in M1. apply Z.eqb_eq in M2. apply Z.eqb_eq in M3. apply Z.eqb_eq in X. apply Z.eqb_eq in W.
  assert (A0 : avail h 2 0 0 (root * 4096)).
  { pose proof (av_root h c) as A. unfold root_vmid, root_desc in A. rewrite E in A. exact A. }
  pose proof (av_step h 2 0 0 _ 1 (table lower2) A0 eq_refl eq_refl eq_refl (Found.same_word _ _ _ M1)) as A1.
  assert (N2 : Map.get (Machine.mem h) (lower2 * 512 + 0) = table lower3) by (rewrite Z.add_0_r; assumption).
  pose proof (av_step h 2 _ _ _ 0 (table lower3) A1 eq_refl eq_refl eq_refl (Found.same_word _ _ _ N2)) as A2.
  pose proof (av_step h 2 _ _ _ i (page zeroed) A2 eq_refl I eq_refl (Found.same_word _ _ _ M3)) as A3.
  split; [unfold runs, root_vmid; fold h; rewrite E; reflexivity|]. split; [assumption|]. split; [assumption|].
  eexists. split; [exact A3|]. split; [reflexivity|]. vm_compute. split; congruence.
Qed.

(* The byte 65 went to the device, at IPA 0x9000123. *)
Definition is_the_store (v : event) : bool :=
  match v with Left 0 (Exit (Writes ipa width value) _) _ => (ipa =? 0x9000123) && (width =? 1) && (value =? 65) | _ => false end.
Lemma is_the_store_is : forall e, existsb is_the_store e = true -> exists a ins, In (Left 0 (Exit (Writes 0x9000123 1 65) a) ins) e.
Proof.
  intros e E. apply existsb_exists in E as (v & I & E). destruct v as [| |c r ins|]; try discriminate E. destruct c; try discriminate E.
  destruct r as [x a|]; [|discriminate E]. destruct x; try discriminate E. cbn [is_the_store] in E.
  apply andb_prop in E as [E E2]. apply andb_prop in E as [E E1]. apply Z.eqb_eq in E. apply Z.eqb_eq in E1. apply Z.eqb_eq in E2. subst. eauto.
Qed.

Definition the_next : who := Who 1 2.
Definition has_secret (v : Z) : demand := Demand (fun t e => finds_b 1 1 v t && existsb is_the_store e) 1 0.
Definition found_zero : demand := Demand (fun t _ => finds_b 0 0 0 t) 2 1.

(* All four runs, for any program, machine and traces: with these at hand nothing is computed. *)
Section Any.
Variables (P : program gvar) (v w : Z) (tr tr' more : list label).
Definition runs_of : Prop := exists s e e2, after_boot P s /\ carries P (has_secret v) s tr e /\ carries P (has_secret w) s tr' e /\
  carries P found_zero s (tr ++ more) (e ++ e2) /\ carries P found_zero s (tr' ++ more) (e ++ e2).

Lemma counts_index : forall f s l, count P f the_next s l = count P f the_vm s l.
Proof. intros f s l. revert s. induction l as [|x l IH]; intro s; [reflexivity|]. cbn [count]. destruct (next P s x); [|reflexivity|reflexivity]. now rewrite IH. Qed.

Lemma lives : runs_of -> exists s t t' g g', after_boot P s /\ Step.run P s tr = Ok t g /\ Step.run P s tr' = Ok t' g' /\
  shown P the_vm no_ram s [] tr s = shown P the_vm no_ram s [] tr' s /\
  (exists a ins, In (Left 0 (Exit (Writes 0x9000123 1 65) a) ins) (shown P the_vm no_ram s [] tr s)) /\
  Forall (fun a => a = NIE_OK) (answers P s tr) /\ Forall (fun a => a = NIE_OK) (answers P s tr') /\
  live P s tr the_vm = true /\ live P s tr' the_vm = true /\ finds 1 1 v t /\ finds 1 1 w t'.
Proof.
  intros (s & e & _ & B & (t & g & R & G & S & A & C & D) & (t' & g' & R' & G' & S' & A' & C' & D') & _). exists s, t, t', g, g'.
  apply andb_prop in G as [G M]. apply andb_prop in G' as [G' _]. cbn [good created gone has_secret] in *.
  unfold live. rewrite C, D, C', D', S, S'. repeat (split; [solve [reflexivity|assumption|exact (is_the_store_is _ M)]|]).
  split; now apply finds_is.
Qed.

Lemma lives_on : runs_of -> exists s t t' g g', after_boot P s /\ Step.run P s (tr ++ more) = Ok t g /\ Step.run P s (tr' ++ more) = Ok t' g' /\
  (exists u u' h h', Step.run P s tr = Ok u h /\ Step.run P s tr' = Ok u' h' /\ finds 1 1 v u /\ finds 1 1 w u') /\
  shown P the_vm no_ram s [] (tr ++ more) s = shown P the_vm no_ram s [] (tr' ++ more) s /\
  Forall (fun a => a = NIE_OK) (answers P s (tr ++ more)) /\ Forall (fun a => a = NIE_OK) (answers P s (tr' ++ more)) /\
  (live P s (tr ++ more) the_vm = false /\ live P s (tr ++ more) the_next = true) /\
  (live P s (tr' ++ more) the_vm = false /\ live P s (tr' ++ more) the_next = true) /\ finds 0 0 0 t /\ finds 0 0 0 t'.
Proof.
  intros (s & e & e2 & B & (u & h & U & V & _) & (u' & h' & U' & V' & _) & (t & g & R & G & S & A & C & D) & (t' & g' & R' & G' & S' & A' & C' & D')).
  exists s, t, t', g, g'. apply andb_prop in V as [V _]. apply andb_prop in V' as [V' _]. cbn [good created gone has_secret found_zero] in *.
  unfold live. rewrite !counts_index, C, D, C', D', S, S'. split; [exact B|]. split; [exact R|]. split; [exact R'|].
  split; [exists u, u', h, h'; split; [exact U|]; split; [exact U'|]; split; now apply finds_is|].
  repeat (split; [solve [auto]|]). split; now apply finds_is.
Qed.
End Any.

Lemma the_runs : runs_of Program.core 5 6 (a_life 5) (a_life 6) another.
Proof.
  apply (two_runs Program.core (has_secret 5) (has_secret 6) found_zero found_zero 5 6 (a_life 5) (a_life 6) another another); [|discriminate].
  assert (H : forall k, k = kept Program.core (has_secret 5) found_zero 5 (a_life 5) another -> k = kept Program.core (has_secret 6) found_zero 6 (a_life 6) another).
  { intros k E. vm_cast_no_check E. }
  exact (H _ eq_refl).
Qed.

(* One life that creates, builds, measures, activates, runs, stores to a device, shares, has a page taken and moves to the other CPU; twice. *)
Theorem not_vacuous : exists s t t' g g', after_boot Program.core s /\
  Step.run Program.core s (a_life 5) = Ok t g /\ Step.run Program.core s (a_life 6) = Ok t' g' /\
  shown Program.core the_vm no_ram s [] (a_life 5) s = shown Program.core the_vm no_ram s [] (a_life 6) s /\
  (exists a ins, In (Left 0 (Exit (Writes 0x9000123 1 65) a) ins) (shown Program.core the_vm no_ram s [] (a_life 5) s)) /\
  Forall (fun a => a = NIE_OK) (answers Program.core s (a_life 5)) /\ Forall (fun a => a = NIE_OK) (answers Program.core s (a_life 6)) /\
  live Program.core s (a_life 5) the_vm = true /\ live Program.core s (a_life 6) the_vm = true /\ finds 1 1 5 t /\ finds 1 1 6 t'.
Proof. exact (lives Program.core 5 6 (a_life 5) (a_life 6) another the_runs). Qed.

(* The same lives to their end; the next VM with that index has the page of the secret and finds zero in it, in both. *)
Theorem reuse_not_vacuous : exists s t t' g g', after_boot Program.core s /\
  Step.run Program.core s (a_life 5 ++ another) = Ok t g /\ Step.run Program.core s (a_life 6 ++ another) = Ok t' g' /\
  (exists u u' h h', Step.run Program.core s (a_life 5) = Ok u h /\ Step.run Program.core s (a_life 6) = Ok u' h' /\ finds 1 1 5 u /\ finds 1 1 6 u') /\
  shown Program.core the_vm no_ram s [] (a_life 5 ++ another) s = shown Program.core the_vm no_ram s [] (a_life 6 ++ another) s /\
  Forall (fun a => a = NIE_OK) (answers Program.core s (a_life 5 ++ another)) /\ Forall (fun a => a = NIE_OK) (answers Program.core s (a_life 6 ++ another)) /\
  (live Program.core s (a_life 5 ++ another) the_vm = false /\ live Program.core s (a_life 5 ++ another) the_next = true) /\
  (live Program.core s (a_life 6 ++ another) the_vm = false /\ live Program.core s (a_life 6 ++ another) the_next = true) /\
  finds 0 0 0 t /\ finds 0 0 0 t'.
Proof. exact (lives_on Program.core 5 6 (a_life 5) (a_life 6) another the_runs). Qed.
