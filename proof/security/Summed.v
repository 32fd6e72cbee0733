(* SPDX-License-Identifier: Apache-2.0 *)
(* One pass over a run of the whole machine: where it ends, what was shown and answered, how often the index was created and destroyed; and how
   two such runs are compared, for any traces: nothing is computed here. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import statements.
From nie.proof.security Require Import core_is_safe Lifetime.
From nie.proof.security Require Found.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

Definition the_vm : who := Who 1 1.
Definition no_ram (p : Z) : bool := (2 ^ 18 <=? p) && (p <? 2 ^ 18 + 4).        (* its window *)

(* The statuses of the host's calls that come back to it. *)
Fixpoint answers (P : program gvar) (s : Step.machine) (tr : list label) : list Z :=
  match tr with
  | [] => []
  | l :: tr' => match next P s l with
                | Ok s' _ => match host_call_of s s' l with Some (_, _, status) => [status] | None => [] end ++ answers P s' tr'
                | _ => [] end
  end.

Record summary := Summary { last : Step.machine; events : list event; statuses : list Z; creations : nat; destructions : nat }.
Fixpoint sum (P : program gvar) (w : who) (ram : Z -> bool) (s : Step.machine) (c d : nat) (tr : list label) : option summary :=
  match tr with
  | [] => Some (Summary s [] [] c d)
  | l :: tr' =>
      match next P s l with
      | Ok s' g =>
          match sum P w ram s' (c + Found.once NIE_VM_CREATE w s s' l) (d + Found.once NIE_VM_DESTROY w s s' l) tr' with
          | Some (Summary t e a c' d') =>
              Some (Summary t ((if Nat.eqb c (inc w) && Nat.ltb d (inc w) then show w ram s s' g l else [Seen l]) ++ e)
                            (match host_call_of s s' l with Some (_, _, status) => [status] | None => [] end ++ a) c' d')
          | None => None
          end
      | _ => None
      end
  end.

Lemma sum_is : forall P w ram tr s c d r, sum P w ram s c d tr = Some r ->
  (exists g, Step.run P s tr = Ok (last r) g) /\ events r = Found.showing P w ram s c d tr /\ statuses r = answers P s tr /\
  creations r = (c + count P NIE_VM_CREATE w s tr)%nat /\ destructions r = (d + count P NIE_VM_DESTROY w s tr)%nat.
Proof.
  intros P w ram. induction tr as [|l tr IH]; intros s c d r E; cbn [sum] in E.
  - injection E as <-. cbn. repeat split; [eauto|lia|lia].
  - cbn [Step.run Found.showing answers count]. destruct (next P s l) as [s' g| |]; try discriminate E.
    destruct (sum P w ram s' _ _ tr) as [[t e a c' d']|] eqn:E2; [|discriminate E]. injection E as <-.
    destruct (IH _ _ _ _ E2) as ((g2 & R) & E3 & E4 & E5 & E6). cbn [last events statuses creations destructions] in *. rewrite R.
    unfold Found.once in *. split; [eauto|]. split; [now rewrite E3|]. split; [now rewrite E4|]. lia.
Qed.

Lemma sum_app : forall P w ram tr2 u e2 a2 c2 d2 tr s c d t e a c' d', sum P w ram s c d tr = Some (Summary t e a c' d') ->
  sum P w ram t c' d' tr2 = Some (Summary u e2 a2 c2 d2) -> sum P w ram s c d (tr ++ tr2) = Some (Summary u (e ++ e2) (a ++ a2) c2 d2).
Proof.
  intros P w ram tr2 u e2 a2 c2 d2. induction tr as [|l tr IH]; intros s c d t e a c' d' E E2; cbn [sum app] in *.
  - injection E as <- <- <- <- <-. exact E2.
  - destruct (next P s l) as [s' g| |]; try discriminate E.
    destruct (sum P w ram s' _ _ tr) as [[t1 e1 a1 c1 d1]|] eqn:E1; [|discriminate E]. injection E as <- <- <- <- <-.
    rewrite (IH _ _ _ _ _ _ _ _ E1 E2). f_equal. f_equal; apply app_assoc.
Qed.

(* What is asked of a run besides where it ends: how often the index was created and destroyed. *)
Record demand := Demand { good : Step.machine -> list event -> bool; created : nat; gone : nat }.
Definition met_by (q : demand) (t : Step.machine) (e : list event) (a : list Z) (c d : nat) : bool :=
  good q t e && forallb (Z.eqb NIE_OK) a && Nat.eqb c (created q) && Nat.eqb d (gone q).
Definition carries (P : program gvar) (q : demand) (s : Step.machine) (tr : list label) (e : list event) : Prop :=
  exists t g, Step.run P s tr = Ok t g /\ good q t e = true /\ shown P the_vm no_ram s [] tr s = e /\
    Forall (fun a => a = NIE_OK) (answers P s tr) /\
    count P NIE_VM_CREATE the_vm s tr = created q /\ count P NIE_VM_DESTROY the_vm s tr = gone q.

Lemma carries_is : forall P q s tr t e a c d, sum P the_vm no_ram s 0 0 tr = Some (Summary t e a c d) -> met_by q t e a c d = true -> carries P q s tr e.
Proof.
  intros P q s tr t e a c d S F. unfold met_by in F.
  apply andb_prop in F as [F D]. apply andb_prop in F as [F C]. apply andb_prop in F as [G A].
  destruct (sum_is _ _ _ _ _ _ _ _ S) as ((g & R) & E1 & E2 & E3 & E4). cbn [last events statuses creations destructions] in *.
  exists t, g. split; [exact R|]. split; [exact G|]. split; [rewrite E1; symmetry; apply Found.showing_is|].
  split; [rewrite <- E2; apply Forall_forall; intros x X; apply forallb_forall with (x := x) in A; [|exact X]; apply Z.eqb_eq in A; congruence|].
  apply Nat.eqb_eq in C. apply Nat.eqb_eq in D. cbn [Nat.add] in *. split; congruence.
Qed.

(** A run in two parts, from boot's end. [v], its secret, is the answer if anything is not as it should be, so that two failures are not alike. *)

Definition kept (P : program gvar) (q r : demand) (v : Z) (tr more : list label) : (list event * list event) + Z :=
  match booted P with
  | Some ([status], s1) =>
      if status =? BOOT_OK then
        match sum P the_vm no_ram (of_boot the_tables_at s1) 0 0 tr with
        | Some (Summary t e a c d) =>
            match sum P the_vm no_ram t c d more with
            | Some (Summary t2 e2 a2 c2 d2) =>
                if met_by q t e a c d && met_by r t2 (e ++ e2) (a ++ a2) c2 d2 then inl (e, e2) else inr v
            | None => inr v
            end
        | None => inr v
        end
      else inr v
  | _ => inr v
  end.

Lemma kept_is : forall P q r v tr more e e2, kept P q r v tr more = inl (e, e2) -> exists s1, booted P = Some ([BOOT_OK], s1) /\
  carries P q (of_boot the_tables_at s1) tr e /\ carries P r (of_boot the_tables_at s1) (tr ++ more) (e ++ e2).
Proof.
  intros P q r v tr more e e2 K. unfold kept in K. destruct (booted P) as [[[|status [|]] s1]|] eqn:B; try discriminate K.
  destruct (Z.eqb_spec status BOOT_OK) as [->|]; [|discriminate K]. exists s1. split; [reflexivity|].
  destruct (sum _ _ _ _ _ _ tr) as [[t e' a c d]|] eqn:S; [|discriminate K].
  destruct (sum _ _ _ _ _ _ more) as [[t2 e2' a2 c2 d2]|] eqn:S2; [|discriminate K].
  destruct (met_by q t e' a c d && _) eqn:F; [|discriminate K]. injection K as -> ->. apply andb_prop in F as [F F2].
  split; [exact (carries_is _ _ _ _ _ _ _ _ _ S F)|exact (carries_is _ _ _ _ _ _ _ _ _ (sum_app _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ S S2) F2)].
Qed.
Lemma not_kept : forall P q r v tr more z, kept P q r v tr more = inr z -> z = v.
Proof.
  intros P q r v tr more z. unfold kept. destruct (booted P) as [[[|status [|]] s1]|]; try (now intros [= <-]).
  destruct (status =? BOOT_OK); [|now intros [= <-]]. destruct (sum _ _ _ _ _ _ tr) as [[t e a c d]|]; [|now intros [= <-]].
  destruct (sum _ _ _ _ _ _ more) as [[t2 e2 a2 c2 d2]|]; [|now intros [= <-]]. destruct (_ && _); [discriminate|now intros [= <-]].
Qed.

Lemma two_runs : forall P q q' r r' v v' tr tr' more more', kept P q r v tr more = kept P q' r' v' tr' more' -> v <> v' ->
  exists s e e2, after_boot P s /\ carries P q s tr e /\ carries P q' s tr' e /\
    carries P r s (tr ++ more) (e ++ e2) /\ carries P r' s (tr' ++ more') (e ++ e2).
Proof.
  intros P q q' r r' v v' tr tr' more more' K N. destruct (kept P q r v tr more) as [[e e2]|] eqn:E.
  - destruct (kept_is _ _ _ _ _ _ _ _ E) as (s1 & B & C & C2). symmetry in K. destruct (kept_is _ _ _ _ _ _ _ _ K) as (s2 & B2 & D & D2).
    rewrite B in B2. injection B2 as <-. exists (of_boot the_tables_at s1), e, e2. split; [|auto].
    exact (booted_is P s1 B).
  - exfalso. apply N. rewrite <- (not_kept _ _ _ _ _ _ _ E). exact (not_kept _ _ _ _ _ _ _ (eq_sym K)).
Qed.
