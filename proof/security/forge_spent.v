(* SPDX-License-Identifier: Apache-2.0 *)
(* An engine that lets a page be put where one was taken is not integral: from before VM 1 exists, the host creates it, builds,
   activates, takes its one page away, puts a page of zeros there, and runs it. The VM then finds zeros where the lone machine has
   nothing. The engine as it is refuses the second page. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation Placed.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.security Require Import page_remove_witness leak_scrub leak_exit.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* call_page_remove: Empty for Spent. *)
Definition forgets (e : expr gvar) : expr gvar :=
  match e with Cast f t (Const n) => if n =? DESC_SPENT then Cast f t (Const DESC_EMPTY) else e | _ => e end.
Definition forging : program gvar -> program gvar := edited none forgets "call_page_remove".

(* A call of the host's on CPU 0. *)
Definition asks (l : list Z) : list label :=
  map (fun p => Do (Gpr 0 (Z.of_nat (fst p)) (snd p))) (combine (seq 0 (List.length l)) l) ++ [Trap 0 by_hvc (fun _ => 0) []].
Definition ipa : Z := 262144 * 4096.
Definition life : list label :=
  asks [NIE_VM_CREATE; 1; 600 * 4096; ipa; 1; 1] ++ asks [NIE_TABLE_ADD; 1; ipa; 2; 601 * 4096] ++ asks [NIE_TABLE_ADD; 1; ipa; 3; 602 * 4096] ++
  asks [NIE_VCPU_CREATE; 1; 0; 603 * 4096; 604 * 4096; ipa; 0] ++ asks [NIE_PAGE_ADD_ZERO; 1; ipa; 605 * 4096; 1; 3] ++
  asks [NIE_VM_ACTIVATE; 1] ++ asks [NIE_PAGE_REMOVE; 1; ipa; 1] ++ asks [NIE_PAGE_ADD_ZERO; 1; ipa; 606 * 4096; 1; 3] ++ asks [NIE_VCPU_RUN; 1; 0].
Definition owner_of_it : who := Who 1 1.

(* VM 1 runs on CPU 0, and these are its tables' entries for its page. *)
Definition entries (t : Step.machine) : list Z :=
  let m w := Map.get (Machine.mem (Step.hw t)) w in [vttbr (Step.hw t) 0; m (600 * 512 + 1); m (601 * 512); m (602 * 512)].
Definition entries_with (d : Z) : list Z := [2 * 2 ^ 48 + 600 * 4096; 601 * 4096 + 3; 602 * 4096 + 3; d].
Definition zeros_there : Z := 606 * 4096 + 2047.
Definition same_list (l m : list Z) : bool := if list_eq_dec Z.eq_dec l m then true else false.
Definition forged (P : program gvar) (s : Step.machine) : bool :=
  match end_of P s life with
  | Some t => same_list (entries t) (entries_with zeros_there) && live P s life owner_of_it &&
              match ideal (inputs_to P owner_of_it s [] life s) 262144 with Isolation.Spent => true | _ => false end
  | None => false
  end.

Lemma it_can_load : forall t, entries t = entries_with zeros_there -> avail (Step.hw t) (vmid_of owner_of_it) 3 262144 zeros_there.
Proof.
  intros t F. unfold entries, entries_with in F. set (h := Step.hw t) in *.
  assert (V : vttbr h 0 = 2 * 2 ^ 48 + 600 * 4096) by congruence. assert (M1 : Map.get (Machine.mem h) (600 * 512 + 1) = 601 * 4096 + 3) by congruence.
  assert (M2 : Map.get (Machine.mem h) (601 * 512) = 602 * 4096 + 3) by congruence. assert (M3 : Map.get (Machine.mem h) (602 * 512) = zeros_there) by congruence.
  assert (A0 : avail h 2 0 0 (600 * 4096)).
  { pose proof (av_root h 0) as A. unfold root_vmid, root_desc in A. rewrite V in A. exact A. }
  assert (see : forall w d, Map.get (Machine.mem h) w = d -> visible h w d = true).
  { intros u d E. unfold visible. now rewrite E, Z.eqb_refl. }
  pose proof (av_step h 2 0 0 _ 1 (601 * 4096 + 3) A0 eq_refl eq_refl eq_refl (see _ _ M1)) as A1.
  pose proof (av_step h 2 _ _ _ 0 (602 * 4096 + 3) A1 eq_refl eq_refl eq_refl (see _ _ M2)) as A2.
  exact (av_step h 2 _ _ _ 0 zeros_there A2 eq_refl eq_refl eq_refl (see _ _ M3)).
Qed.

(* For any machine: with this at hand nothing is computed. *)
Lemma memory_has_map : forall start P, memory_integral start P -> map_integral start P.
Proof. intros start P H s tr t g w S R L l k d o A D O U. destruct (H s tr t g w S R L l k d o A D O U) as (words & E & _). now exists words. Qed.
Lemma forged_refutes : forall P s (start : Step.machine -> Prop), start s -> forged P s = true -> ~ map_integral start P.
Proof.
  intros P s start B F H. unfold forged, end_of in F. destruct (Step.run P s life) as [t g| |] eqn:R; try discriminate F.
  apply andb_prop in F as [F I]. apply andb_prop in F as [F L]. unfold same_list in F.
  destruct (list_eq_dec Z.eq_dec (entries t) (entries_with zeros_there)) as [E|]; [|discriminate F].
  destruct (H s life t g owner_of_it B R L 3 262144 zeros_there 0 (it_can_load t E) eq_refl ltac:(vm_compute; split; congruence)
    ltac:(intros [_ U]; revert U; vm_compute; intro U; now apply U)) as (words & X).
  change (262144 * covers 3 + 0) with 262144 in X. rewrite X in I. discriminate I.
Qed.

Theorem spent_moves_map : ~ map_integral starts (forging Program.core).
Proof. apply (forged_refutes _ (start_with 0)); [now exists 0|]. vm_cast_no_check (eq_refl true). Qed.
Theorem spent_forges : ~ memory_integral starts (forging Program.core).
Proof. exact (fun H => spent_moves_map (memory_has_map starts (forging Program.core) H)). Qed.

(* The engine as it is: the entry stays Spent. *)
Theorem core_refuses : option_map entries (end_of Program.core (start_with 0) life) = Some (entries_with DESC_SPENT).
Proof. vm_cast_no_check (eq_refl (Some (entries_with DESC_SPENT))). Qed.
