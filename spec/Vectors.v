(* SPDX-License-Identifier: Apache-2.0 *)
(* The machine of spec/Step.v with the vectors as engine/arch/vectors.S has them: an exception goes to [quick] first, which needs no
   lock; what it does not serve goes to [trap]. All else is as there. *)
From Coq Require Import ZArith List Bool String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import Core Step.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* C may change x0 to x18; the vectors use x19, x29 and x30. The others hold what they held until [trap] is called [AAPCS64, 6.1.1]. *)
Definition first_saved : list Z := numbers 20 ++ [29; 30].
Definition then_saved : list Z := map (fun r => 20 + r) (numbers 9).
Definition save (l : list Z) (c : Z) (s : machine) (g : globals) : globals :=
  fold_left (fun g r => set_field cpus_x (Map.set (field cpus_x g) (c * 31 + r) (x s c r mod 2 ^ 64)) g) l g.
Definition load (l : list Z) (c : Z) (g : globals) (m : Map.t Z) : Map.t Z :=
  fold_left (fun m r => Map.set m (c * 32 + r) (Map.get (field cpus_x g) (c * 31 + r))) l m.

(* The CPU goes on with the registers in [l] as the engine left them for it. *)
Definition resumed (l : list Z) (c : Z) (is_off : bool) (g : globals) (h : Machine.hw) (s : machine) : machine :=
  s <| glob := g |> <| hw := h <| me := nobody |> <| during := [] |> |> <| gpr ::= load l c g |> <| off ::= fun o => Map.set o c is_off |>.

Definition serve (P : program gvar) (c kind : Z) (s : machine) (h : Machine.hw) : outcome :=
  match call P "quick" [c; kind] (Mach (save first_saved c s (glob s)) (h, [])) with
  | Some ([answer], m) =>
      let '(h1, l1) := C_store.hw m in
      if answer =? 0
      then match call P "trap" [c; kind] (Mach (save then_saved c s (C_store.glob m)) (h1, [])) with
           | Some ([r], m) => let '(h2, l2) := C_store.hw m in Ok (resumed (first_saved ++ then_saved) c (r =? TRAP_CPU_OFF) (C_store.glob m) h2 s) (l1 ++ l2)
           | _ => Crash
           end
      else Ok (resumed first_saved c false (C_store.glob m) h1 s) l1
  | _ => Crash
  end.

Definition next_of_vectors (P : program gvar) (s : machine) (l : label) : outcome :=
  match l with
  | Trap c e i d => if is_cpu c && negb (Map.get (off s) c) && possible e then serve P c (kind e) s (take c e (enter c i d (hw s))) else Disabled
  | _ => next P s l
  end.
Fixpoint run_of_vectors (P : program gvar) (s : machine) (tr : list label) : outcome :=
  match tr with
  | [] => Ok s []
  | l :: tr' => match next_of_vectors P s l with
                | Ok s' g => match run_of_vectors P s' tr' with Ok s2 g' => Ok s2 (g ++ g') | o => o end
                | o => o
                end
  end.
(* All hardware states that the run meets, in mid-handler too. *)
Definition states_of_vectors (P : program gvar) (s : machine) (tr : list label) (h : Machine.hw) : Prop :=
  h = hw s \/ exists n s' g, run_of_vectors P s (firstn n tr) = Ok s' g /\ (h = hw s' \/ exists a, In (h, a) g).
