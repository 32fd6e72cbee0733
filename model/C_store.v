(* SPDX-License-Identifier: Apache-2.0 *)
(* The state that the core runs on: its global objects, and the hardware, which only primitives
   touch. c2coq generates the [layout] from the declarations (proof/generated/Globals.v). *)
From Coq Require Import ZArith List Bool.
From nie.model Require Export C_monad Map.
Import ListNotations.
Open Scope Z_scope.

Record mach (G H : Type) := Mach { glob : G; hw : H }.
Arguments Mach {G H} glob hw.
Arguments glob {G H} _.
Arguments hw {G H} _.

(* One [gvar] for each scalar member path of a global object, such as vcpus[i].regs[j]; [dims] are
   its array lengths, outermost first. *)
Class layout (gvar globals : Type) := Layout {
  dims : gvar -> list Z;
  field : gvar -> globals -> Map.t Z;
  set_field : gvar -> Map.t Z -> globals -> globals;
}.

(* Where the element stands (C11 6.5.2.1p3, row-major). An index that is not below its array's
   length is undefined (6.5.6p8), also when the whole object has room. *)
Fixpoint place (ds is : list Z) (k : Z) : option Z :=
  match ds, is with
  | [], [] => Some k
  | d :: ds', i :: is' => if (0 <=? i) && (i <? d) then place ds' is' (k * d + i) else None
  | _, _ => None
  end.

Section Store.
  Context {gvar G H : Type} {L : layout gvar G}.

  Definition load (g : gvar) (idx : list Z) : M (mach G H) Z := fun s =>
    match place (dims g) idx 0 with
    | Some k => Some (Map.get (field g (glob s)) k, s)
    | None => None
    end.

  Definition store (g : gvar) (idx : list Z) (v : Z) : M (mach G H) unit := fun s =>
    match place (dims g) idx 0 with
    | Some k => Some (tt, Mach (set_field g (Map.set (field g (glob s)) k v) (glob s)) (hw s))
    | None => None
    end.

  (* A primitive: the core's own objects are out of its reach. *)
  Definition on_hw {A} (m : M H A) : M (mach G H) A := fun s =>
    match m (hw s) with Some (a, h) => Some (a, Mach (glob s) h) | None => None end.
End Store.

(* What makes a layout an honest one: its members are independent of each other. *)
Record lawful {gvar G : Type} (L : layout gvar G) : Prop := Lawful {
  field_same : forall g m s, field g (set_field g m s) = m;
  field_other : forall g g' m s, g <> g' -> field g (set_field g' m s) = field g s;
}.
