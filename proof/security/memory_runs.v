(* SPDX-License-Identifier: Apache-2.0 *)
(* That a run is gentle, and that two come out with the same registers (confidential_of_memory.v), by looking at them; and of two lives of a VM
   (Lifetime.v), which keep different secrets in memory and for a while in a register, that they are and do. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.refine Require Import statements.
From nie.proof.security Require Import Alike core_is_safe Lifetime Summed not_vacuous calm_runs twins_next confidential_of_memory.
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* It clears the register before it stores to a device, and so comes out. *)
Definition works_in_memory (v : Z) : list label :=
  does_all (to_lower 0 measured ++ [Write 0 0 7 v] ++ to_lower 1 zeroed ++ [Write 0 0 7 v] ++ to_shared ++ [Write 0 0 0 99]) ++ [Do (Gpr 0 3 65); Do (Gpr 0 5 v); Do (Gpr 0 5 0)].
Definition a_life_in_memory (v : Z) : list label := two_cpus ++ build all_kinds ++ works_in_memory v ++ moves ++ asks 0 [NIE_PAGE_REMOVE; 1; low; 1].
Definition page_has (v : Z) : demand := Demand (fun t e => (Map.get (Machine.mem (Step.hw t)) (zeroed * 512 + 7) =? v) && existsb is_the_store e) 1 0.
Definition anything : demand := Demand (fun _ _ => true) 1 0.

(** That a run is gentle, and that two come out with the same registers, by looking at them. *)

Definition gentle_b1 (l : label) (g : log) : bool := match l with Do _ => true | Trap _ _ _ _ | Start _ _ _ => forallb alone g end.
Fixpoint gentle_b (P : program gvar) (s : Step.machine) (tr : list label) : bool :=
  match tr with
  | [] => true
  | l :: tr' => match next P s l with Ok s' g => gentle_b1 l g && gentle_b P s' tr' | _ => true end
  end.
Lemma gentle_is : forall P w tr s, gentle_b P s tr = true -> gentle P w s tr.
Proof.
  intros P w. induction tr as [|l tr IH]; intros s E; cbn [gentle gentle_b] in *; [exact I|]. destruct (next P s l) as [s' g| |]; auto.
  apply andb_prop in E as [E1 E2]. split; [|now apply IH]. destruct l; cbn [gentle_b1 gentle_label] in *; auto using alone_fine.
Qed.
Definition same_z (n : nat) (f g : Z -> Z) : bool := forallb (fun r => g r =? f r) (numbers n).
Lemma same_z_is : forall n f g, same_z n f g = true -> forall r, 0 <= r < Z.of_nat n -> g r = f r.
Proof.
  intros n f g E r R. unfold same_z in E. rewrite forallb_forall in E. apply Z.eqb_eq, E. unfold numbers. apply in_map_iff. exists (Z.to_nat r).
  split; [lia|]. apply in_seq. lia.
Qed.
Definition same_exception (e1 e2 : exception) : bool :=
  (kind e1 =? kind e2) && (elr e1 =? elr e2) && (spsr e1 =? spsr e2) && (esr e1 =? esr e2) && (far e1 =? far e2) && (hpfar e1 =? hpfar e2).
Definition same_out_b (o1 o2 : Step.machine * Z * exception) : bool :=
  let '(s1, c1, e1) := o1 in let '(s2, c2, e2) := o2 in (c1 =? c2) && same_exception e1 e2 &&
  same_z 31 (Step.x s1 c1) (Step.x s2 c1) && same_z 128 (sysreg s1 c1) (sysreg s2 c1) &&
  same_z 128 (fun r => Map.get (fp (Step.hw s1)) (c1 * 128 + r)) (fun r => Map.get (fp (Step.hw s2)) (c1 * 128 + r)).
Lemma same_out_is : forall o1 o2, same_out_b o1 o2 = true -> same_out o1 o2.
Proof.
  intros [[s1 c1] [k1 e1 p1 y1 f1 h1]] [[s2 c2] [k2 e2 p2 y2 f2 h2]] E. unfold same_out_b, same_exception in E. cbn [kind elr spsr esr far hpfar] in E.
  repeat match goal with H : (_ && _)%bool = true |- _ => apply andb_prop in H as [H ?] end.
  repeat match goal with H : (_ =? _) = true |- _ => apply Z.eqb_eq in H end. subst. split; [reflexivity|]. split; [reflexivity|].
  split; [|split]; intros r R; [eapply (same_z_is 31)|eapply (same_z_is 128)|refine (same_z_is 128 _ (fun r => Map.get (fp (Step.hw s2)) (c2 * 128 + r)) _ r _)]; eauto; lia.
Qed.
Fixpoint same_outs_b (l1 l2 : list (Step.machine * Z * exception)) : bool :=
  match l1, l2 with [], [] => true | o1 :: r1, o2 :: r2 => same_out_b o1 o2 && same_outs_b r1 r2 | _, _ => false end.
Lemma same_outs_is : forall l1 l2, same_outs_b l1 l2 = true -> Forall2 same_out l1 l2.
Proof.
  induction l1 as [|o1 l1 IH]; intros [|o2 l2] E; try discriminate E; [constructor|]. cbn [same_outs_b] in E. apply andb_prop in E as [E1 E2]. constructor; [now apply same_out_is|now apply IH].
Qed.
Definition from_boot_b (P : program gvar) (tr tr' : list label) : bool :=
  match booted P with
  | Some (_, s1) => let s := of_boot the_tables_at s1 in gentle_b P s tr && gentle_b P s tr' && same_outs_b (outs P the_vm s tr) (outs P the_vm s tr') &&
                    negb (Nat.eqb (List.length (outs P the_vm s tr)) 0)
  | None => false
  end.

Lemma they_come_out_alike : from_boot_b Program.core (a_life_in_memory 5) (a_life_in_memory 6) = true.
Proof. vm_cast_no_check (eq_refl true). Qed.
