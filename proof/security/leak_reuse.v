(* SPDX-License-Identifier: Apache-2.0 *)
(* An engine that gives a vCPU's context back unscrubbed is not confidential: the VM of leak_exit leaves CPU 1, so that its
   registers are in its context page; then the host, on CPU 0, stops the VM, destroys the vCPU and finds one of them in the page that it has back. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.security Require Import page_remove_witness leak_scrub leak_exit.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

Fixpoint unscrubbed (s : stmt gvar) : stmt gvar :=
  match s with
  | Seq a b => Seq (unscrubbed a) (unscrubbed b)
  | Calls [] "give_back"%string [vm; p] => Seq (Calls [] "release"%string [vm; p]) (Calls [] "host_show"%string [p])
  | _ => s
  end.
Definition reuses (P : program gvar) : program gvar :=
  map (fun f => if String.eqb (fname f) "call_vcpu_destroy" then Function (fname f) (params f) (results f) (unscrubbed (C.body f)) else f) P.

Definition destroys : list label :=
  exits ++ [Do (Gpr 0 0 NIE_VM_STOP); Do (Gpr 0 1 0); Trap 0 by_hvc (fun _ => 0) []; Do (Gpr 0 0 NIE_VCPU_DESTROY);
    Do (Gpr 0 1 0); Do (Gpr 0 2 0); Trap 0 by_hvc (fun _ => 0) []].

Definition context_word : Z := CTX_X0 + 5.
Definition finds (t : Step.machine) : list Z :=
  let m w := Map.get (Machine.mem (Step.hw t)) w in
  [vttbr (Step.hw t) 0; m (512 * 512); m (513 * 512 + 1); m (514 * 512 + 12); m (524 * 512 + context_word)].
Definition found_by (P : program gvar) (s : Step.machine) (tr : list label) : option (list Z) := option_map finds (end_of P s tr).
Definition finds_then (y : Z) : list Z := [512 * 4096; 513 * 4096 + 3; 514 * 4096 + 3; 524 * 4096 + 2047; y].

Lemma host_has : forall t y, finds t = finds_then y -> observe victim t (WordIs 524 context_word y).
Proof.
  intros t y F. unfold finds, finds_then in F. injection F as V M1 M2 M3 W. split; [|split; [reflexivity|exact W]].
  exists 0. split; [discriminate|]. set (h := Step.hw t) in *.
  assert (A0 : avail h 0 0 0 (512 * 4096)).
  { pose proof (av_root h 0) as A. unfold root_vmid, root_desc in A. rewrite V in A. exact A. }
  assert (see : forall w d, Map.get (Machine.mem h) w = d -> visible h w d = true).
  { intros u d E. unfold visible. now rewrite E, Z.eqb_refl. }
  pose proof (av_step h 0 0 0 _ 0 (513 * 4096 + 3) A0 eq_refl eq_refl eq_refl (see _ _ M1)) as A1.
  pose proof (av_step h 0 _ _ _ 1 (514 * 4096 + 3) A1 eq_refl eq_refl eq_refl (see _ _ M2)) as A2.
  pose proof (av_step h 0 _ _ _ 12 (524 * 4096 + 2047) A2 eq_refl eq_refl eq_refl (see _ _ M3)) as A3.
  eexists _, _, _. split; [exact A3|]. split; [reflexivity|]. cbn. lia.
Qed.

(* For any two machines: with these at hand nothing is computed. *)
Lemma found_refutes : forall P s s' tr y z (start : Step.machine -> Prop), start s -> start s' -> (forall f, observe victim s f <-> observe victim s' f) ->
  found_by P s tr = Some (finds_then y) -> found_by P s' tr = Some (finds_then z) -> y <> z ->
  shown P victim no_ram s [] tr s = shown P victim no_ram s' [] tr s' -> ~ confidential start P.
Proof.
  intros P s s' tr y z start B B' A S5 S6 N S H. unfold found_by, end_of in S5, S6.
  destruct (Step.run P s tr) as [t g| |] eqn:R5; try discriminate S5. destruct (Step.run P s' tr) as [u g'| |] eqn:R6; try discriminate S6.
  cbn [option_map] in S5, S6. assert (X : finds t = finds_then y) by congruence. assert (Y : finds u = finds_then z) by congruence.
  destruct (H s s' victim no_ram tr tr _ _ _ _ ltac:(vm_compute; split; congruence) B B' A R5 R6 S) as [O _].
  destruct (proj1 (O _) (host_has t y X)) as (_ & _ & E1). destruct (host_has u z Y) as (_ & _ & E2). apply N. congruence.
Qed.

Theorem reuse_leaks : ~ confidential froms (reuses Program.core).
Proof.
  apply (found_refutes (reuses Program.core) (from 5) (from 6) destroys 5 6 froms (ex_intro _ 5 eq_refl) (ex_intro _ 6 eq_refl)
    (fun f => conj (cannot_tell 5 6 f) (cannot_tell 6 5 f))); [vm_compute; reflexivity|vm_compute; reflexivity|discriminate|vm_compute; reflexivity].
Qed.
(* On the same runs the engine as it is gives zeros. *)
Theorem core_reuses_zeros : found_by Program.core (from 5) destroys = Some (finds_then 0) /\ found_by Program.core (from 6) destroys = Some (finds_then 0).
Proof. split; vm_compute; reflexivity. Qed.
