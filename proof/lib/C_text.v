(* SPDX-License-Identifier: Apache-2.0 *)
(* The readable text of a function, computed from its deep term: locals are Coq variables, operators
   that cannot fail stand inside expressions, a branch that leaves takes the rest of the function as
   its other side. c2coq prints this very text; proof/lib/C_text_sound.v proves that it means what
   model/C.v says. Nothing here is trusted. *)
From Coq Require Import ZArith List String Bool.
From nie.model Require Export C.
Import ListNotations.
Open Scope Z_scope.

(** Tuples of [n] integers: [unit], [Z], [Z * Z], [Z * Z * Z], ... *)

Fixpoint tup_from (A : Type) (n : nat) : Type :=
  match n with O => A | S n' => tup_from (A * Z) n' end.
Definition tup (n : nat) : Type := match n with O => unit | S n' => tup_from Z n' end.

Fixpoint open_from {R} (n : nat) (A : Type) : tup_from A n -> (A -> list Z -> R) -> R :=
  match n with
  | O => fun t k => k t []
  | S n' => fun t k => open_from n' (A * Z) t (fun p l => match p with (a, z) => k a (z :: l) end)
  end.
Definition open {R} (n : nat) : tup n -> (list Z -> R) -> R :=
  match n with
  | O => fun _ k => k []
  | S n' => fun t k => open_from n' Z t (fun z l => k (z :: l))
  end.
Definition untup {n} (t : tup n) : list Z := open n t (fun l => l).

Fixpoint pack_from (n : nat) (A : Type) (a : A) (l : list Z) : option (tup_from A n) :=
  match n, l with
  | O, [] => Some a
  | S n', z :: l' => pack_from n' (A * Z) (a, z) l'
  | _, _ => None
  end.
Definition pack (n : nat) (l : list Z) : option (tup n) :=
  match n, l with
  | O, [] => Some tt
  | S n', z :: l' => pack_from n' Z z l'
  | _, _ => None
  end.

(** What is known of an expression before it runs. *)

Section Static.
  Context {gvar : Type}.

  Fixpoint constant (e : expr gvar) : option Z :=
    let ap1 (f : Z -> option Z) a := match a with Some v => f v | None => None end in
    match e with
    | Const n => Some n
    | Cast f t a => ap1 (cast f t) (constant a)
    | Unop o t a => ap1 (unary o t) (constant a)
    | Binop o t a b => ap1 (fun v => ap1 (binary o t v) (constant b)) (constant a)
    | _ => None
    end.

  Definition bitwise (o : binop) : bool := match o with And | Or | Xor => true | _ => false end.
  Definition compare (o : binop) : bool :=
    match o with Eq | Ne | Lt | Le | Gt | Ge => true | _ => false end.

  (* This operator cannot fail, [b] being its right operand. *)
  Definition total (o : binop) (t : ity) (b : expr gvar) : bool :=
    match o with
    | Add | Sub | Mul => negb (signed t)
    | Div | Mod => match constant b with Some n => negb (signed t) && (0 <? n) | None => false end
    | Shl | Shr => match constant b with
                   | Some n => negb (signed t) && (0 <=? n) && (n <? width t)
                   | None => false end
    | _ => true
    end.

  Definition cast_total (from to : ity) : bool := within from to || negb (signed to).

  (* No load, no call, nothing that can fail. *)
  Fixpoint simple (e : expr gvar) : bool :=
    match e with
    | Const _ | Var _ => true
    | Load _ _ | Call _ _ => false
    | Cast f t a => (cast_total f t || match constant e with Some _ => true | None => false end)
                    && simple a
    | Unop _ t a => (negb (signed t) || match constant e with Some _ => true | None => false end)
                    && simple a
    | Binop o t a b => (total o t b || match constant e with Some _ => true | None => false end)
                       && simple a && simple b
    | LNot a => simple a
    | LAnd a b | LOr a b => simple a && simple b
    | Cond c a b => simple c && simple a && simple b
    end.

  (* The value of the expression comes straight out of one step, which can give it its name. *)
  Fixpoint direct (e : expr gvar) : bool :=
    match e with
    | Load _ _ | Call _ _ => true
    | Cast f t a => if within f t then direct a else false
    | Cond _ a b => negb (simple a && simple b)
    | _ => false
    end.

  Fixpoint falls (s : stmt gvar) : bool :=                    (* control may go on after it *)
    match s with
    | Ret _ => false
    | Seq a b => falls a && falls b
    | If _ a b => falls a || falls b
    | _ => true
    end.
  Fixpoint returns (s : stmt gvar) : bool :=
    match s with
    | Ret _ => true
    | Seq a b | If _ a b => returns a || returns b
    | For _ _ _ a => returns a
    | _ => false
    end.

  Definition mem (x : string) (l : list string) : bool := existsb (String.eqb x) l.
  Fixpoint union (a b : list string) : list string :=
    match b with [] => a | x :: b' => if mem x a then union a b' else union (a ++ [x]) b' end.

  Fixpoint mods (s : stmt gvar) : list string :=                     (* may be given a value *)
    match s with
    | Assign x _ | Alias x _ _ | Decl x => [x]
    | Calls xs _ _ => xs
    | Seq a b | If _ a b => union (mods a) (mods b)
    | For x _ _ a => union [x] (mods a)
    | Skip | Store _ _ _ | Ret _ => []
    end.
  Fixpoint sets (s : stmt gvar) : list string :=         (* has a value when control goes on *)
    match s with
    | Assign x _ | Alias x _ _ => [x]
    | Calls xs _ _ => xs
    | Seq a b => union (sets a) (sets b)
    | If _ a b => if falls a then if falls b then filter (fun x => mem x (sets b)) (sets a)
                                  else sets a else sets b
    | _ => []
    end.
End Static.

(** The text. *)

Inductive value := VZ (z : Z) | VB (b : bool).
Definition zof (v : value) : Z := match v with VZ z => z | VB b => b2z b end.
Definition bof (v : value) : bool := match v with VZ z => negb (z =? 0) | VB b => b end.

(* The meaning of a function as the text calls it. *)
Record fsem (S : Type) := Fsem { nres : nat; run : list Z -> M S (tup nres) }.
Arguments Fsem {S} nres run.
Arguments nres {S} _.
Arguments run {S} _ _.

Section Text.
  Context {gvar St : Type}.
  Variable load : gvar -> list Z -> M St Z.
  Variable store : gvar -> list Z -> Z -> M St unit.
  Variable callee : list (string * fsem St).

  Definition env := list (string * Z).
  Fixpoint get {A} (x : string) (en : list (string * A)) : option A :=
    match en with
    | [] => None
    | (y, v) :: en' => if String.eqb x y then Some v else get x en'
    end.
  Definition known (en : env) (x : string) : bool :=
    match get x en with Some _ => true | None => false end.
  Definition unset (x : string) (en : env) : env :=
    filter (fun p => negb (String.eqb x (fst p))) en.
  Fixpoint put (xs : list string) (vs : list Z) (en : env) : env :=
    match xs, vs with x :: xs', v :: vs' => (x, v) :: put xs' vs' en | _, _ => en end.
  Fixpoint values (xs : list string) (en : env) : option (list Z) :=
    match xs with
    | [] => Some []
    | x :: xs' => match get x en, values xs' en with
                  | Some v, Some vs => Some (v :: vs) | _, _ => None end
    end.

  Definition each {A R} (f : A -> (Z -> M St R) -> M St R) : list A -> (list Z -> M St R) -> M St R :=
    fix go l k := match l with [] => k [] | a :: l' => f a (fun v => go l' (fun vs => k (v :: vs))) end.

  Definition pure (o : binop) (t : ity) (a b : Z) : value :=
    match o with
    | Add => VZ (wrap t (a + b)) | Sub => VZ (wrap t (a - b)) | Mul => VZ (wrap t (a * b))
    | Div => VZ (a / b) | Mod => VZ (a mod b)
    | And => VZ (Z.land a b) | Or => VZ (Z.lor a b) | Xor => VZ (Z.lxor a b)
    | Shl => VZ (wrap t (Z.shiftl a b)) | Shr => VZ (Z.shiftr a b)
    | Eq => VB (a =? b) | Ne => VB (negb (a =? b))
    | Lt => VB (a <? b) | Le => VB (a <=? b) | Gt => VB (b <? a) | Ge => VB (b <=? a)
    end.

  (* An operator that may fail: folded when constant, else a step of its own. *)
  Definition step {R} (c : option Z) (m : M St Z) (k : value -> M St R) : M St R :=
    match c with Some n => k (VZ n) | None => v <- m ;; k (VZ v) end.

  Fixpoint ev (e : expr gvar) (R : Type) (en : env) (k : value -> M St R) {struct e} : M St R :=
    match e with
    | Const n => k (VZ n)
    | Var x => match get x en with Some v => k (VZ v) | None => crash end
    | Load g idx => each (fun a k' => ev a R en (fun v => k' (zof v))) idx
                      (fun vs => v <- load g vs ;; k (VZ v))
    | Cast f t a =>
        if within f t then ev a R en k
        else match t with
        | Bool => match constant a with
                  | Some n => k (VZ (b2z (negb (n =? 0))))
                  | None => ev a R en (fun v => k (VB (bof v))) end
        | _ => match constant a with
               | Some n => if fits t n then ev a R en k
                           else if signed t then crash else k (VZ (wrap t n))
               | None => ev a R en (fun v => if signed t then step None (lift (cast f t (zof v))) k
                                             else k (VZ (wrap t (zof v))))
               end
        end
    | Unop o t a =>
        if signed t then match constant e with
          | Some n => k (VZ n)
          | None => ev a R en (fun v => w <- lift (unary o t (zof v)) ;; k (VZ w)) end
        else ev a R en (fun v => k (VZ (wrap t (match o with Neg => - zof v | Not => Z.lnot (zof v) end))))
    | Binop o t a b =>
        if total o t b then ev a R en (fun v => ev b R en (fun w => k (pure o t (zof v) (zof w))))
        else match constant e with
          | Some n => k (VZ n)
          | None => ev a R en (fun v => ev b R en (fun w =>
                      x <- lift (binary o t (zof v) (zof w)) ;; k (VZ x))) end
    | LNot a => ev a R en (fun v => k (VB (match v with VZ z => z =? 0 | VB b => negb b end)))
    | LAnd a b => ev a R en (fun v =>
        if simple b then ev b R en (fun w => k (VB (bof v && bof w)))
        else c <- (if bof v then ev b bool en (fun w => ret (bof w)) else ret false) ;; k (VB c))
    | LOr a b => ev a R en (fun v =>
        if simple b then ev b R en (fun w => k (VB (bof v || bof w)))
        else c <- (if bof v then ret true else ev b bool en (fun w => ret (bof w))) ;; k (VB c))
    | Cond c a b => ev c R en (fun v =>
        if simple a && simple b
        then ev a R en (fun x => ev b R en (fun y => k (VZ (if bof v then zof x else zof y))))
        else z <- (if bof v then ev a Z en (fun x => ret (zof x))
                   else ev b Z en (fun x => ret (zof x))) ;; k (VZ z))
    | Call f args => each (fun a k' => ev a R en (fun v => k' (zof v))) args
        (fun vs => match get f callee with
                   | Some F => t <- run F vs ;;
                       open (nres F) t (fun l => match l with [v] => k (VZ v) | _ => crash end)
                   | None => crash end)
    end.

  Definition evs {R} (l : list (expr gvar)) (en : env) (k : list Z -> M St R) : M St R :=
    each (fun a k' => ev a R en (fun v => k' (zof v))) l k.

  (* Both sides go on: the locals [vs] that they may have changed come out as a tuple. *)
  Definition join {n : nat} {R} (leaves : bool) (vs : list string) (en : env)
    (m : forall R', (env -> M St R') -> (tup n -> M St R') -> M St R')
    (go : env -> M St R) (leave : tup n -> M St R) : M St R :=
    let n' := List.length vs in
    let packed e := match values vs e with Some l => pack n' l | None => None end in
    if leaves then
      o <- m (outcome (tup n') (tup n))
             (fun e => match packed e with Some t => ret (Next t) | None => crash end)
             (fun r => ret (Return r)) ;;
      match o with Next t => open n' t (fun l => go (put vs l en)) | Return r => leave r end
    else
      t <- m (tup n') (fun e => match packed e with Some t => ret t | None => crash end)
             (fun _ => crash) ;;
      open n' t (fun l => go (put vs l en)).

  (* [last]: nothing but a return of the locals follows, so both sides may repeat it. *)
  Fixpoint ex (n : nat) (s : stmt gvar) (R : Type) (last : bool) (en : env)
    (go : env -> M St R) (leave : tup n -> M St R) {struct s} : M St R :=
    match s with
    | Skip => go en
    | Seq a b => ex n a R false en (fun en' => ex n b R last en' go leave) leave
    | Decl x => go (unset x en)
    | Assign x e =>
        if direct e then ev e R en (fun v => go ((x, zof v) :: en))
        else ev e R en (fun v => z <- ret (zof v) ;; go ((x, z) :: en))
    | Store g idx e => evs idx en (fun vs => ev e R en (fun v => store g vs (zof v) ;;; go en))
    | Calls xs f args => evs args en (fun vs =>
        match get f callee with
        | Some F => t <- run F vs ;; open (nres F) t (fun l =>
            if Nat.eqb (List.length xs) (nres F) then go (put xs l en) else crash)
        | None => crash
        end)
    | Alias x m e => ev e R en (fun v => i <- index m (zof v) ;; go ((x, i) :: en))
    | If c a b => ev c R en (fun v =>
        if falls a && falls b && negb last then
          let vs := filter (fun x => (known en x || mem x (sets a)) && (known en x || mem x (sets b)))
                           (union (mods a) (mods b)) in
          join (returns a || returns b) vs en
            (fun R' go' leave' => if bof v then ex n a R' true en go' leave'
                                  else ex n b R' true en go' leave') go leave
        else if bof v then ex n a R last en go leave else ex n b R last en go leave)
    | For x lo hi b => ev lo R en (fun i => ev hi R en (fun m =>
        let vs := filter (known en) (mods b) in
        let n' := List.length vs in
        let packed e := match values vs e with Some l => pack n' l | None => None end in
        match (if known en x then None else packed en) with
        | None => crash
        | Some t0 =>
          if returns b then
            o <- loop_ret (zof i) (zof m) t0 (fun j t => open n' t (fun l =>
                   ex n b (outcome (tup n') (tup n)) true ((x, j) :: put vs l en)
                      (fun e => match packed e with Some t => ret (Next t) | None => crash end)
                      (fun r => ret (Return r)))) ;;
            match o with Next t => open n' t (fun l => go (put vs l en)) | Return r => leave r end
          else
            t <- loop (zof i) (zof m) t0 (fun j t => open n' t (fun l =>
                   ex n b (tup n') true ((x, j) :: put vs l en)
                      (fun e => match packed e with Some t => ret t | None => crash end)
                      (fun _ => crash))) ;;
            open n' t (fun l => go (put vs l en))
        end))
    | Ret es => evs es en (fun vs => match pack n vs with Some t => leave t | None => crash end)
    end.

  Definition text (f : function gvar) (args : list Z) : M St (tup (results f)) :=
    if Nat.eqb (List.length (params f)) (List.length args) then
      ex (results f) (body f) (tup (results f)) true (put (params f) args [])
        (fun _ => match results f as n return M St (tup n) with O => ret tt | _ => crash end) ret
    else crash.
End Text.
