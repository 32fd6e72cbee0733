(* SPDX-License-Identifier: Apache-2.0 *)
(* VM_STOP: the C does what spec/call/vm_stop.v says. It uses no primitive, so the hardware is as before. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.spec.call Require vm_stop.
From nie.proof.invariant Require Import Meaning Lifecycle vm_stop_preserves.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.call.vm_stop.
From nie.spec Require Import Core.
From nie.proof.refine Require Export life_refines.
Import RecordSetNotations.
Open Scope Z_scope.
Open Scope c_scope.

Notation spec_vm_stop := nie.spec.call.vm_stop.vm_stop.

Theorem vm_stop_refines : forall a s vm, R a s -> 0 <= vm < 2 ^ 64 ->
  wp (call_vm_stop vm) (fun r s' => r = fst (spec_vm_stop vm a) /\ R (snd (spec_vm_stop vm a)) s' /\
    only_life vm (glob s) (glob s') /\ hw s' = hw s) s.
Proof.
  intros a [gl h] vm HR V. pose proof (R_wf _ _ HR) as W. pose proof (R_globals _ _ HR) as G. cbn [glob hw] in *.
  unfold call_vm_stop, nie.spec.call.vm_stop.vm_stop, nie.spec.call.vm_stop.vm_stop_check, vm_exists.
  destruct (Z.leb_spec NIE_MAX_VMS vm) as [L|L]; [replace (vm <? NIE_MAX_VMS) with false by lia; go; cbn; auto using life_refl|].
  replace (vm <? NIE_MAX_VMS) with true by lia. destruct (g_vm _ _ G vm) as (E & _); [lia|].
  skip. w_load. rewrite E. destruct (Z.eqb_spec (vm_state (vm_at a vm)) NIE_VM_FREE) as [F|F]; cbn [negb]; [go; cbn; auto using life_refl|].
  change (NIE_OK =? NIE_OK) with true. cbn iota. go. cbn [fst snd glob hw]. split; [auto|]. split; [|split; [apply life_state|auto]].
  assert (V' : 0 <= vm < NIE_MAX_VMS) by lia. pose proof (stop_lives a vm W V' F) as LV.
  eapply R_lives; eauto. apply life_globals with gl; auto; [apply life_state| |].
  - rewrite at_put by reflexivity. cbn. now rewrite Z.eqb_refl.
  - assert (S : same_on of_vm gl (put1 vms_state vm NIE_VM_STOPPED gl)).
    { intros g D. unfold put1. apply field_set_other. intros ->. discriminate. }
    destruct (vm_same _ _ vm _ S (g_vms _ _ G vm V')). constructor; auto.
    rewrite h_hash. unfold hash_of_vm. cbn. destruct (Z.eqb_spec (vm_state (vm_at a vm)) NIE_VM_FREE); [contradiction|reflexivity].
Qed.
