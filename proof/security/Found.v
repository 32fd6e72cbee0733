(* SPDX-License-Identifier: Apache-2.0 *)
(* How two runs refute [confidential]: the others find different things at the end, and were shown the same. What is
   found is computed from the last state; that it is observed is proved for any state, once. Also: the life of a VM up to its first run. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.security Require Import page_remove_witness leak_scrub.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

Definition found_by (look : Step.machine -> option fact) (P : program gvar) (s : Step.machine) (tr : list label) : option fact :=
  match Step.run P s tr with Ok t _ => look t | _ => None end.

(* The second fact excludes the first: they are two values of one thing. *)
Definition value_of (f : fact) : option (fact * Z) :=
  match f with
  | GprIs c r v => Some (GprIs c r 0, v) | FpIs c r v => Some (FpIs c r 0, v) | RegIs c r v => Some (RegIs c r 0, v)
  | WordIs p i v => Some (WordIs p i 0, v) | RunsOn _ _ | Reached _ _ => None
  end.
Lemma one_value : forall w t f f' k v v', observe w t f -> observe w t f' -> value_of f = Some (k, v) -> value_of f' = Some (k, v') -> v = v'.
Proof.
  intros w t f f' k v v' O O' E E'. destruct f; cbn [value_of] in E; try discriminate E; injection E as <- <-;
    destruct f'; cbn [value_of] in E'; try discriminate E'; injection E'; intros; subst;
    cbn [observe] in O, O'; destruct O as (_ & _ & O), O' as (_ & _ & O'); congruence.
Qed.

(** [shown] counts along the whole past at each label; this counts on. *)

Definition once (f : Z) (w : who) (s s' : Step.machine) (l : label) : nat := if succeeded f w s s' l then 1 else 0.
Fixpoint showing (P : program gvar) (w : who) (ram : Z -> bool) (s : Step.machine) (created destroyed : nat) (tr : list label) : list event :=
  match tr with
  | [] => []
  | l :: tr' =>
      match next P s l with
      | Ok s' g => (if Nat.eqb created (inc w) && Nat.ltb destroyed (inc w) then show w ram s s' g l else [Seen l])
                   ++ showing P w ram s' (created + once NIE_VM_CREATE w s s' l) (destroyed + once NIE_VM_DESTROY w s s' l) tr'
      | _ => [Seen l]
      end
  end.

Lemma count_on : forall P f w l past s0 s g s' g', Step.run P s0 past = Ok s g -> next P s l = Ok s' g' ->
  count P f w s0 (past ++ [l]) = (count P f w s0 past + once f w s s' l)%nat.
Proof.
  intros P f w l past. induction past as [|a past IH]; intros s0 s g s' g' R N.
  - cbn [Step.run] in R. inversion R; subst. cbn [app count]. rewrite N. unfold once. lia.
  - cbn [Step.run] in R. cbn [app count]. destruct (next P s0 a) as [s1 g1| |]; try discriminate R.
    destruct (Step.run P s1 past) as [s2 g2| |] eqn:R2; try discriminate R. inversion R; subst.
    rewrite (IH _ _ _ _ _ R2 N). lia.
Qed.
Lemma run_on : forall P l past s0 s g s' g', Step.run P s0 past = Ok s g -> next P s l = Ok s' g' -> exists g2, Step.run P s0 (past ++ [l]) = Ok s' g2.
Proof.
  intros P l past. induction past as [|a past IH]; intros s0 s g s' g' R N.
  - cbn [Step.run] in R. inversion R; subst. cbn [app Step.run]. rewrite N. eauto.
  - cbn [Step.run] in R. cbn [app Step.run]. destruct (next P s0 a) as [s1 g1| |]; try discriminate R.
    destruct (Step.run P s1 past) as [s2 g2| |] eqn:R2; try discriminate R. inversion R; subst.
    destruct (IH _ _ _ _ _ R2 N) as (g3 & ->). eauto.
Qed.
Lemma showing_from : forall P w ram s0 tr past s g, Step.run P s0 past = Ok s g ->
  showing P w ram s (count P NIE_VM_CREATE w s0 past) (count P NIE_VM_DESTROY w s0 past) tr = shown P w ram s past tr s0.
Proof.
  intros P w ram s0 tr. induction tr as [|l tr IH]; intros past s g R; [reflexivity|]. cbn [showing shown].
  destruct (next P s l) as [s' g'| |] eqn:N; [|reflexivity|reflexivity]. destruct (run_on P l past _ _ _ _ _ R N) as (g2 & R2).
  rewrite <- (count_on P NIE_VM_CREATE w l past _ _ _ _ _ R N), <- (count_on P NIE_VM_DESTROY w l past _ _ _ _ _ R N), (IH _ _ _ R2). reflexivity.
Qed.
Lemma showing_is : forall P w ram s tr, showing P w ram s 0 0 tr = shown P w ram s [] tr s.
Proof. intros. exact (showing_from P w ram s tr [] s [] eq_refl). Qed.

(* For any two machines and traces: with these at hand nothing is computed. *)
Lemma found_refutes : forall w look k y z P s s' ram tr tr' (start : Step.machine -> Prop),
  0 <= vm w < NIE_MAX_VMS -> (forall t f, look t = Some f -> observe w t f) ->
  start s -> start s' -> (forall f, observe w s f <-> observe w s' f) ->
  match found_by look P s tr with Some f => value_of f | None => None end = Some (k, y) ->
  match found_by look P s' tr' with Some f => value_of f | None => None end = Some (k, z) -> y <> z ->
  showing P w ram s 0 0 tr = showing P w ram s' 0 0 tr' -> ~ confidential start P.
Proof.
  intros w look k y z P s s' ram tr tr' start VW L B B' A F F' N S H. rewrite !showing_is in S. unfold found_by in F, F'.
  destruct (Step.run P s tr) as [t g| |] eqn:R; try discriminate F. destruct (Step.run P s' tr') as [u g'| |] eqn:R'; try discriminate F'.
  destruct (look t) as [f|] eqn:E; [|discriminate F]. destruct (look u) as [f'|] eqn:E'; [|discriminate F'].
  destruct (H s s' w ram tr tr' _ _ _ _ VW B B' A R R' S) as [O _].
  apply N. exact (one_value w u f f' k y z (proj1 (O f) (L t f E)) (L u f' E') F F').
Qed.

Lemma same_word : forall h w d, Map.get (Machine.mem h) w = d -> visible h w d = true.
Proof. intros h w d E. unfold visible. now rewrite E, Z.eqb_refl. Qed.

(** What the host, on CPU 2, reads in word [i] of page [p] of the witness's RAM. *)

Section Host.
Variables (w : who) (p i : Z).
Hypothesis V : vmid_of w <> 0.
Hypothesis P : 512 <= p < 1024.
Hypothesis I : is_word i = true.

Definition host_reads (t : Step.machine) : option fact :=
  let m x := Map.get (Machine.mem (Step.hw t)) x in
  if (vttbr (Step.hw t) 2 =? 512 * 4096) && (m (512 * 512) =? 513 * 4096 + 3) && (m (513 * 512 + 1) =? 514 * 4096 + 3) &&
     (m (514 * 512 + (p - 512)) =? p * 4096 + 2047) then Some (WordIs p i (m (p * 512 + i))) else None.

Lemma page_entry : maps 3 (p * 4096 + 2047) p.
Proof.
  assert (E : frame (p * 4096 + 2047) = p).
  { unfold frame. replace ((p * 4096 + 2047) / 4096) with p; [apply Z.mod_small; lia|].
    apply Z.div_unique with 2047; lia. }
  assert (M : (p * 4096 + 2047) mod 4 = 3) by (symmetry; apply Z.mod_unique with (p * 1024 + 511); lia).
  unfold maps, first_page, is_leaf. rewrite E, M. change (covers 3) with 1. rewrite Z.div_1_r. split; [reflexivity|lia].
Qed.
Lemma page_valid : valid (p * 4096 + 2047) = true.
Proof.
  unfold valid. replace (p * 4096 + 2047) with (1 + 2 * (p * 2048 + 1023)) by lia. rewrite Z.odd_add_mul_2. reflexivity.
Qed.

Lemma host_observes : forall t f, host_reads t = Some f -> observe w t f.
Proof.
  intros t f F. unfold host_reads in F. set (h := Step.hw t) in *. destruct (_ && _) eqn:E; [|discriminate F]. injection F as <-.
  apply andb_prop in E as [E M3]. apply andb_prop in E as [E M2]. apply andb_prop in E as [E M1].
  apply Z.eqb_eq in E. apply Z.eqb_eq in M1. apply Z.eqb_eq in M2. apply Z.eqb_eq in M3.
  split; [|split; [exact I|reflexivity]]. exists 0. split; [intro X; now apply V|].
  assert (A0 : avail h 0 0 0 (512 * 4096)).
  { pose proof (av_root h 2) as A. unfold root_vmid, root_desc in A. rewrite E in A. exact A. }
  pose proof (av_step h 0 0 0 _ 0 (513 * 4096 + 3) A0 eq_refl eq_refl eq_refl (same_word _ _ _ M1)) as A1.
  pose proof (av_step h 0 _ _ _ 1 (514 * 4096 + 3) A1 eq_refl eq_refl eq_refl (same_word _ _ _ M2)) as A2.
  assert (W : is_word (p - 512) = true) by (unfold is_word; lia).
  pose proof (av_step h 0 _ _ _ (p - 512) (p * 4096 + 2047) A2 eq_refl W page_valid (same_word _ _ _ M3)) as A3.
  eexists _, _, _. split; [exact A3|exact page_entry].
Qed.
End Host.

(** VM 1, from before it exists: a page of zeros at IPA page 2^18, run on CPU 0. The host stays on CPU 2. *)

Definition asks (c : Z) (l : list Z) (acts : list (list act)) : list label :=
  map (fun p => Do (Gpr c (Z.of_nat (fst p)) (snd p))) (combine (seq 0 (List.length l)) l) ++ [Trap c by_hvc (fun _ => 0) acts].
Definition ipa : Z := 262144 * 4096.
Definition built : list label :=
  asks 0 [NIE_VM_CREATE; 1; 600 * 4096; ipa; 1; 1] [] ++ asks 0 [NIE_TABLE_ADD; 1; ipa; 2; 601 * 4096] [] ++ asks 0 [NIE_TABLE_ADD; 1; ipa; 3; 602 * 4096] [].
Definition page_given : list label := asks 0 [NIE_PAGE_ADD_ZERO; 1; ipa; 605 * 4096; 1; 3] [].
Definition vcpu_and_run : list label :=
  asks 0 [NIE_VCPU_CREATE; 1; 0; 603 * 4096; 604 * 4096; ipa; 0] [] ++ asks 0 [NIE_VM_ACTIVATE; 1] [] ++ asks 0 [NIE_VCPU_RUN; 1; 0] [].
Definition the_victim : who := Who 1 1.
(* Its CPU's walker goes to the table of its pages, and, with [d], to one of them. *)
Definition walks_to_table : list act := [Begin 0; Machine.Step 0 1 (601 * 4096 + 3); Machine.Step 0 0 (602 * 4096 + 3)].
Definition walks_to (i d : Z) : list act := walks_to_table ++ [Machine.Step 0 i d].
Definition does_all (l : list act) : list label := map (fun a => Do (Hardware a)) l.
