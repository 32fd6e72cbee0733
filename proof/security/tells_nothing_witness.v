(* SPDX-License-Identifier: Apache-2.0 *)
(* [tells_nothing] is not empty: its premises hold of machines with different secrets. And it sees what the specification of the
   call does not look at: a C that keeps a word of the page over its scrub answers here as specified, and is refuted. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.lib Require Import World Wp.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation.
From nie.proof.security Require Import page_remove_witness leak_scrub Lockstep Alike Handler Primitives noninterference Does page_remove_isolates calls_tell_nothing.
From nie.model Require Import Machine.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* The machines of leak_scrub: VM 0 runs on CPU 1 and has a word in page 523, [x] or [y]. *)
Lemma alike_memory : forall T Cs m m' u t r f c ra e i n d s k o,
  (forall p j, is_word j = true -> ~ T p -> Map.get m' (p * 512 + j) = Map.get m (p * 512 + j)) ->
  alike T Cs (Hw m u t r f c ra e i n d s k o) (Hw m' u t r f c ra e i n d s k o).
Proof. intros. constructor; auto. Qed.
Lemma they_are_alike : forall x y, alike (own_page the_state victim) (its_cpus victim (hw_with x)) (hw_with x) (hw_with y).
Proof.
  intros x y. unfold hw_with. apply alike_memory. intros p i I N. assert (P : p <> 523).
  { intros ->. apply N. split; [reflexivity|]. exists 262144. rewrite owners_are. split; [reflexivity|lia]. }
  exact (eq_trans (memory_is y p i P I) (eq_sym (memory_is x p i P I))).
Qed.

Definition its_args : list Z := [0; 262144 * 4096; 1].
Definition ends_as (P : program gvar) (x : Z) : option (list Z * Z) :=
  match call P "call_page_remove" its_args (Mach the_globals (hw_with x, [])) with
  | Some (r, m) => Some (r, Map.get (mem (fst (C_store.hw m))) secret_word)
  | None => None
  end.

(* The engine as it is gives zeros. *)
Theorem page_remove_gives_zeros : ends_as Program.core 5 = Some ([0; 523 * 4096; 0], 0) /\ ends_as Program.core 6 = Some ([0; 523 * 4096; 0], 0).
Proof. split; vm_compute; reflexivity. Qed.

(** A C that tells. *)

(* give_back, but word 7 of the page is kept over the scrub. *)
Definition keeps_a_word : function gvar := Function "give_back" ["vm"; "p"]%string 0
  (Seq (Calls ["kept"%string] "page_read" [Var "p"; Const 7])
  (Seq (Calls [] "page_zero" [Var "p"])
  (Seq (Calls [] "page_write" [Var "p"; Const 7; Var "kept"])
  (Seq (Calls [] "page_clean" [Var "p"])
  (Seq (Calls [] "release" [Var "vm"; Var "p"]) (Calls [] "host_show" [Var "p"])))))).
Definition telling (P : program gvar) : program gvar := map (fun f => if String.eqb (fname f) "give_back" then keeps_a_word else f) P.

(* What the host then finds, by the tables that are in memory. *)
Definition tables_of (P : program gvar) (x : Z) : option (list Z) :=
  match call P "call_page_remove" its_args (Mach the_globals (hw_with x, [])) with
  | Some (_, m) => let h := fst (C_store.hw m) in
      Some [vttbr h 0; Map.get (mem h) (512 * 512); Map.get (mem h) (513 * 512 + 1); Map.get (mem h) (514 * 512 + 11); Map.get (mem h) secret_word]
  | None => None
  end.
Definition tables_are (x : Z) : option (list Z) := Some [512 * 4096; 513 * 4096 + 3; 514 * 4096 + 3; 523 * 4096 + 2047; x].
(* Nobody acts meanwhile. *)
Definition alone (m : Machine.hw * option act) : bool := match m with (_, None) => true | _ => false end.
Definition told_of (P : program gvar) (x : Z) : option (list (option event) * bool) :=
  match call P "call_page_remove" its_args (Mach the_globals (hw_with x, [])) with
  | Some (_, m) => let l := snd (C_store.hw m) in Some (tell victim l, forallb alone l) | None => None end.
Lemma alone_fine : forall w Own l, forallb alone l = true -> Forall (fine w Own) l.
Proof.
  intros w Own l H. rewrite forallb_forall in H. apply Forall_forall. intros [h [a|]] I; [discriminate (H _ I)|exact Logic.I].
Qed.

Lemma host_reaches : forall h, vttbr h 0 = 512 * 4096 -> Map.get (mem h) (512 * 512) = 513 * 4096 + 3 ->
  Map.get (mem h) (513 * 512 + 1) = 514 * 4096 + 3 -> Map.get (mem h) (514 * 512 + 11) = 523 * 4096 + 2047 -> reached h 0 523.
Proof.
  intros h V M1 M2 M3. assert (A0 : avail h 0 0 0 (512 * 4096)).
  { pose proof (av_root h 0) as A. unfold root_vmid, root_desc in A. rewrite V in A. exact A. }
  assert (see : forall w d, Map.get (mem h) w = d -> visible h w d = true).
  { intros u d E. unfold visible. now rewrite E, Z.eqb_refl. }
  pose proof (av_step h 0 0 0 _ 0 (513 * 4096 + 3) A0 eq_refl eq_refl eq_refl (see _ _ M1)) as A1.
  pose proof (av_step h 0 _ _ _ 1 (514 * 4096 + 3) A1 eq_refl eq_refl eq_refl (see _ _ M2)) as A2.
  pose proof (av_step h 0 _ _ _ 11 (523 * 4096 + 2047) A2 eq_refl eq_refl eq_refl (see _ _ M3)) as A3.
  eexists _, _, _. split; [exact A3|]. split; [reflexivity|]. cbn. lia.
Qed.

Lemma refuted_by : forall P, tables_of P 5 = tables_are 5 -> tables_of P 6 = tables_are 6 -> told_of P 5 = told_of P 6 -> option_map snd (told_of P 5) = Some true ->
  ~ tells_nothing P "call_page_remove" three_words.
Proof.
  intros P F5 F6 TL AL H. unfold tables_of, tables_are, told_of in *.
  destruct (call P "call_page_remove" its_args (Mach the_globals (hw_with 5, []))) as [[r1 [g1 [h1 l1]]]|] eqn:E1; [|discriminate].
  destruct (call P "call_page_remove" its_args (Mach the_globals (hw_with 6, []))) as [[r2 [g2 [h2 l2]]]|] eqn:E2; [|discriminate].
  cbn [C_store.hw fst snd] in *. injection F5 as V A1 A2 A3 S1. injection F6 as _ _ _ _ S2. injection TL as TL TA. cbn [option_map snd] in AL. injection AL as AL. pose proof (eq_trans (eq_sym TA) AL) as AL2.
  assert (ARGS : three_words its_args).
  { exists 0, (262144 * 4096), 1. unfold its_args, statements.u64. repeat split; lia. }
  destruct (H the_state victim the_globals (hw_with 5) (hw_with 6) its_args _ _ _ _ _ _ _ _ ltac:(cbn; lia) ARGS (starts_are_related 5) (starts_are_related 6) (fun _ _ _ F => F) (fun _ _ _ F => F)
    (they_are_alike 5 6) ltac:(vm_compute; discriminate) E1 E2 TL (alone_fine _ _ _ AL) (alone_fine _ _ _ AL2)) as (_ & _ & HA).
  pose proof (ha_words _ _ _ HA 523 7 eq_refl (or_introl (host_reaches _ V A1 A2 A3))) as Q.
  change (523 * 512 + 7) with secret_word in Q. congruence.
Qed.

Theorem keeping_a_word_tells : ~ tells_nothing (telling Program.core) "call_page_remove" three_words.
Proof. apply refuted_by; vm_compute; reflexivity. Qed.
Theorem no_scrub_tells : ~ tells_nothing (leaky Program.core) "call_page_remove" three_words.
Proof. apply refuted_by; vm_compute; reflexivity. Qed.
Theorem it_answers_as_specified : ends_as (telling Program.core) 5 = Some ([0; 523 * 4096; 0], 5).
Proof. vm_compute. reflexivity. Qed.
(* The look at the text refuses the first, as it must. *)
Theorem the_text_is_refused : strength strength_p (telling Program.core) "call_page_remove" false = None.
Proof. vm_compute. reflexivity. Qed.
