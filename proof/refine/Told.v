(* SPDX-License-Identifier: Apache-2.0 *)
(* How a vCPU's exception ends: in the state that spec/trap/ says, with the events that it says told to the host. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec Require Switch Registers.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.world.
From nie.spec Require Import Core.
From nie.proof.invariant Require Import trap_steps.
From nie.proof.refine Require Export Standing vcpu_leaves.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.

(* The events of a run from [s] to [s']. None: the engine stored to no page but its own. Words of page q: it stored to no page but
   its own until [s1], then these words in this order ([tell], the others acting before each), then none ([exit_rest]). *)
Inductive told (o : Z -> owner) (s s' : MACH) : list Switch.event -> Prop :=
| told_nothing : silent o (hw s) (hw s') -> told o s s' []
| told_exit c v k reason q l s1 : silent o (hw s) (hw s1) -> exit_rest c v k reason (Mach (glob s1) (tell q l (hw s1))) = Some (tt, s') ->
    told o s s' (map (fun wx => Switch.Word q (fst wx) (snd wx)) (words_of l)).

(* [spec]: events and state. *)
Record ends (o : Z -> owner) (s : MACH) (spec : list Switch.event * state) (s' : MACH) : Prop := {
  en_R : R (snd spec) s';
  en_told : told o s s' (fst spec);
  en_only : only_trap (glob s) (glob s');
  en_stays : stays (hw s) (hw s');
}.

Lemma stays_trans : forall a b c, stays a b -> stays b c -> stays a c.
Proof. intros a b c [M I F] [M' I' F']. constructor; try congruence. intros w W. rewrite F', F by (try rewrite M; auto). reflexivity. Qed.

Section Ends.
Variables (c : Z) (o : Z -> owner) (s0 : MACH).
Notation at_ := (stands c o s0).

Lemma ends_here : forall a s, at_ a s -> ends o s0 ([], a) s.
Proof. intros a s []. constructor; cbn [fst snd]; [assumption|now apply told_nothing|assumption|eapply silent_stays; eauto]. Qed.

Definition guest (a : state) : Prop := cpu_vm (cpu_at a c) <> CPU_HOST.
Lemma at_exit : forall a s r p w x (Q : unit -> MACH -> Prop), at_ a s -> guest a ->
  (forall s', ends o s0 (Switch.exit_vcpu c (Switch.Exit r p w x) a) s' -> Q tt s') -> wp (exit_vcpu c r p w x) Q s.
Proof.
  intros a s r p w x Q A GU H. unfold guest in GU. pose proof A as [HR M OW SI ON]. rewrite <- M in GU, H |- *.
  assert (RU : runs a (me (hw s)) (cpu_vm (cpu_at a (me (hw s)))) (cpu_vcpu (cpu_at a (me (hw s))))) by (split; [reflexivity|split; [exact GU|reflexivity]]).
  destruct (exit_vcpu_exact a s _ _ (Switch.Exit r p w x) HR RU) as (s' & E & HR' & O & ST & X). unfold wp. cbn [Switch.exit_reason Switch.exit_ipa Switch.exit_width Switch.exit_value] in E.
  rewrite E. apply H. constructor; [exact HR'| | |].
  - pose proof (told_exit o s0 s' _ _ _ _ _ _ s SI X) as T. rewrite told_words in T. exact T.
  - eapply ot_trans; [exact ON|now apply ot_run].
  - eapply stays_trans; [eapply silent_stays; exact SI|exact ST].
Qed.
End Ends.
