(* SPDX-License-Identifier: Apache-2.0 *)
(* From one function to the program, and the tactics of the generated lemmas. *)
From Coq Require Import ZArith List String Bool.
From nie.lib Require Export C_text C_order C_text_sound.
From nie.model Require Export C_store.
Import ListNotations.
Open Scope Z_scope.

Section Program.
Context {gvar St : Type}.
Variable load : gvar -> list Z -> M St Z.
Variable store : gvar -> list Z -> Z -> M St unit.
Variable prim : string -> list Z -> M St (list Z).

(* The deep term [f], its callees as in [tab], is the readable function [F]. *)
Definition means (tab : list (string * fsem St)) (f : function gvar) (F : fsem St) : Prop :=
  forall args s t s', run F args s = Some (t, s') ->
  exists t', text load store tab f args s = Some (t', s') /\ untup t' = untup t.

Lemma agrees_function : forall tab' f F p tab,
  means tab' f F -> Forall (fun c => get (fst c) tab = Some (snd c)) tab' ->
  agrees (den load store prim p) tab ->
  agrees (den load store prim (f :: p)) ((fname f, F) :: tab).
Proof.
  intros tab' f F p tab HM Sub A name G H args s t s' E. simpl in *.
  rewrite String.eqb_sym. destruct (String.eqb_spec name (fname f)) as [->|n].
  - inversion H; subst. destruct (HM _ _ _ _ E) as (t' & X & <-).
    eapply text_sound; [|exact X]. intros g G' HG. apply A. clear - Sub HG.
    induction Sub as [|[h H'] l E _ IH]; [discriminate|]. simpl in *.
    destruct (String.eqb_spec g h) as [->|]; [congruence | auto].
  - eapply A; eauto.
Qed.
End Program.

(* What computes the text unfolds before what stands in it: else the kernel would open calls. *)
#[global] Strategy expand [text ex ev evs each join run nres get known put values pack pack_from open
  open_from step zof bof pure constant total simple direct falls returns mods sets union mem within
  cast_total].
#[global] Strategy 1000 [bind ret crash lift loop loop_ret rounds rounds' index wrap binary unary cast
  Z.add Z.sub Z.mul Z.div Z.modulo Z.land Z.lor Z.lxor Z.shiftl Z.shiftr Z.lnot Z.eqb Z.ltb Z.leb negb b2z
  andb orb load store on_hw].

(* Both sides by conversion, in the kernel: the text that c2coq printed is the one that C_text
   computes. *)
Ltac same := intros; match goal with |- @eq ?T _ ?b => exact_no_check (@eq_refl T b) end.

(* The readable function succeeds, by the last hypothesis; its fsem is unfolded. *)
Ltac means eq := match goal with
  | H : run _ ?args _ = Some (?t, _) |- _ =>
      repeat (cbn [run] in H; destruct args as [|? args];
              try match type of H with crash _ = _ => discriminate H end);
      cbn [run] in H; rewrite <- eq in H; exists t; split; [exact_no_check H | reflexivity]
  end.

Ltac function lemma rest := eapply agrees_function;
  [exact lemma | repeat (constructor; [reflexivity|]); constructor | exact rest].
