(* SPDX-License-Identifier: Apache-2.0 *)
(* What is claimed of a program, as predicates on its deep terms. *)
From Coq Require Import ZArith List String.
From nie.model Require Import Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation Shared page_remove_checks table_remove_checks Built.
From nie.spec.call Require page_add_zero page_shared_add table_add page_add.
From nie.spec Require Registers.
From nie.proof.refine Require Import life_refines vm_stop_refines vm_activate_refines vm_info_refines vcpu_destroy_refines.
Import ListNotations.
Open Scope Z_scope.

Definition u64 (x : Z) : Prop := 0 <= x < 2 ^ 64.
(* The meaning of the deep term, by model/C.v, on the machine of model/Machine.v. *)
Definition run_of (P : program gvar) (f : string) (args : list Z) (s : mach globals Machine.hw) :=
  den load store prim P f args s.

(* VM_INFO reads and writes the caller's registers, x0..x6. *)
Definition vm_info_correct (P : program gvar) : Prop := forall a s c, R a s -> 0 <= c < NIE_MAX_CPUS -> u64 (Registers.x_of a c 1) ->
  exists s', run_of P "call_vm_info" [c] s = Some ([], s') /\ R (spec_vm_info c a) s' /\ only_x c 7 (glob s) (glob s') /\ hw s' = hw s.

(* VCPU_DESTROY. *)
Definition vcpu_destroy_correct (P : program gvar) : Prop := forall a s vm vcpu, R a s -> u64 vm -> u64 vcpu ->
  exists st x1 x2 a' s', spec_vcpu_destroy vm vcpu a = ((st, x1, x2), a') /\
    run_of P "call_vcpu_destroy" [vm; vcpu] s = Some ([st; x1; x2], s') /\
    R a' s' /\ only_destroyed vm vcpu (glob s) (glob s') /\ frame_of (hw s) (hw s').

(* VM_STOP and VM_ACTIVATE use no primitive: the machine below the core is as it was. *)
Definition vm_stop_correct (P : program gvar) : Prop := forall a s vm, R a s -> u64 vm ->
  exists st a' s', spec_vm_stop vm a = (st, a') /\ run_of P "call_vm_stop" [vm] s = Some ([st], s') /\
    R a' s' /\ only_life vm (glob s) (glob s') /\ hw s' = hw s.
Definition vm_activate_correct (P : program gvar) : Prop := forall a s vm, R a s -> u64 vm ->
  exists st a' s', spec_vm_activate vm a = (st, a') /\ run_of P "call_vm_activate" [vm] s = Some ([st], s') /\
    R a' s' /\ only_life vm (glob s) (glob s') /\ hw s' = hw s.

(* PAGE_REMOVE. [R a s] holds [ok]: no obligation was violated, every state met was [safe]. The state [s] carries
   what the other CPUs will do before each primitive and what inputs will be read: all of it is quantified over.
   What it takes is not claimed: without claims that is no premise. *)
Definition page_remove_correct (P : program gvar) : Prop := forall a s vm ipa count,
  R a s -> (nie.spec.call.page_remove.page_remove_check a vm ipa count = NIE_OK -> spared (hw s) vm (State.page_of ipa) count) -> u64 vm -> u64 ipa -> u64 count ->
  exists st x1 x2 a' s', spec_page_remove vm ipa count a = ((st, x1, x2), a') /\
    run_of P "call_page_remove" [vm; ipa; count] s = Some ([st; x1; x2], s') /\
    R a' s' /\ only_granules (glob s) (glob s') /\ frame_of (hw s) (hw s').

(* TABLE_REMOVE. *)
Definition table_remove_correct (P : program gvar) : Prop := forall a s vm ipa level,
  R a s -> u64 vm -> u64 ipa -> u64 level ->
  exists st x1 x2 a' s', spec_table_remove vm ipa level a = ((st, x1, x2), a') /\
    run_of P "call_table_remove" [vm; ipa; level] s = Some ([st; x1; x2], s') /\
    R a' s' /\ only_granules (glob s) (glob s') /\ frame_of (hw s) (hw s').

(* PAGE_ADD_ZERO. What pages hold is not in [R]: that they are zero when the VM first looks is not said here. *)
Definition page_add_zero_correct (P : program gvar) : Prop := forall a s vm ipa pa count level,
  R a s -> u64 vm -> u64 ipa -> u64 pa -> u64 count -> u64 level ->
  exists st a' s', page_add_zero.page_add_zero vm ipa pa count level a = (st, a') /\
    run_of P "call_page_add_zero" [vm; ipa; pa; count; level] s = Some ([st], s') /\
    R a' s' /\ only_built (glob s) (glob s') /\ frame_of (hw s) (hw s').

(* PAGE_SHARED_ADD. *)
Definition page_shared_add_correct (P : program gvar) : Prop := forall a s vm ipa pa count,
  R a s -> u64 vm -> u64 ipa -> u64 pa -> u64 count ->
  exists st a' s', page_shared_add.page_shared_add vm ipa pa count a = (st, a') /\
    run_of P "call_page_shared_add" [vm; ipa; pa; count] s = Some ([st], s') /\
    R a' s' /\ only_built (glob s) (glob s') /\ frame_of (hw s) (hw s').

(* TABLE_ADD. *)
Definition table_add_correct (P : program gvar) : Prop := forall a s vm ipa level pa,
  R a s -> u64 vm -> u64 ipa -> u64 level -> u64 pa ->
  exists st a' s', table_add.table_add vm ipa level pa a = (st, a') /\
    run_of P "call_table_add" [vm; ipa; level; pa] s = Some ([st], s') /\
    R a' s' /\ only_granules (glob s) (glob s') /\ frame_of (hw s) (hw s').

(* PAGE_ADD. [content], which is what is measured, is what the pages hold when [donate], called by this very run, returns: others
   acted until then, and nobody but the engine reaches the pages from then on. Weaker than it should be: that they still hold it
   when the VM first looks is not said. *)
Definition page_add_correct (P : program gvar) : Prop := forall a s vm ipa pa count,
  R a s -> u64 vm -> u64 ipa -> u64 pa -> u64 count ->
  exists content st a' s', page_add.page_add vm ipa pa count content a = (st, a') /\
    run_of P "call_page_add" [vm; ipa; pa; count] s = Some ([st], s') /\
    R a' s' /\ only_built (glob s) (glob s') /\ frame_of (hw s) (hw s') /\
    (st = NIE_OK -> exists s0 s1, run_of P "page_add_check" [vm; ipa; pa; count] s = Some ([NIE_OK], s0) /\
      run_of P "donate" [vm; page_of pa; count; GRANULE_DATA; vm; 0; 0; page_of ipa] s0 = Some ([], s1) /\
      forall i, 0 <= i < count -> private (page_of pa + i) (hw s1) /\
        forall w, is_word w = true -> content i w = Map.get (Machine.mem (hw s1)) ((page_of pa + i) * 512 + w)).
