(* SPDX-License-Identifier: Apache-2.0 *)
(* The meaning of the C in engine/core: the subset of C11 that docs/SUBSET.md lists, construct by
   construct. A program text is a value of [program]; [den] says what each of its functions does.
   Undefined behaviour is [crash]. This file is trusted: nothing proves that it is C. *)
From Coq Require Import ZArith List String Bool.
From nie.model Require Export C_monad.
Import ListNotations.
Open Scope Z_scope.

(** Integer types (C11 6.2.5, 6.3.1). A value is its mathematical integer. *)

Inductive ity := Bool | U8 | U16 | U32 | U64 | I8 | I16 | I32 | I64.

Definition width (t : ity) : Z :=
  match t with Bool => 1 | U8 | I8 => 8 | U16 | I16 => 16 | U32 | I32 => 32 | U64 | I64 => 64 end.
Definition signed (t : ity) : bool :=
  match t with I8 | I16 | I32 | I64 => true | _ => false end.
Definition lowest (t : ity) : Z := if signed t then - 2 ^ (width t - 1) else 0.
Definition highest (t : ity) : Z := if signed t then 2 ^ (width t - 1) - 1 else 2 ^ width t - 1.
Definition fits (t : ity) (v : Z) : bool := (lowest t <=? v) && (v <=? highest t).
Definition wrap (t : ity) (v : Z) : Z := v mod 2 ^ width t.

(* Does every value of [a] fit in [b]? *)
Definition within (a b : ity) : bool := (lowest b <=? lowest a) && (highest a <=? highest b).

Definition b2z (b : bool) : Z := if b then 1 else 0.

(* 6.3.1.2, 6.3.1.3. A value that does not fit a signed type is implementation-defined: refused. *)
Definition cast (from to : ity) (v : Z) : option Z :=
  if within from to then Some v
  else match to with
       | Bool => Some (b2z (negb (v =? 0)))
       | _ => if signed to then (if fits to v then Some v else None) else Some (wrap to v)
       end.

(** Operators (6.5). [t] is the type of the operands after the usual conversions, which clang's
    tree spells out; for a shift, that of the left one. Unsigned arithmetic wraps (6.2.5p9),
    signed overflow is undefined (6.5p5). *)

Inductive unop := Neg | Not.
Inductive binop := Add | Sub | Mul | Div | Mod | And | Or | Xor | Shl | Shr
  | Eq | Ne | Lt | Le | Gt | Ge.

Definition settle (t : ity) (v : Z) : option Z :=
  if signed t then (if fits t v then Some v else None) else Some (wrap t v).

Definition unary (o : unop) (t : ity) (v : Z) : option Z :=
  match o with Neg => settle t (- v) | Not => settle t (Z.lnot v) end.

Definition binary (o : binop) (t : ity) (a b : Z) : option Z :=
  match o with
  | Add => settle t (a + b)
  | Sub => settle t (a - b)
  | Mul => settle t (a * b)
  | Div => if b =? 0 then None else                                         (* 6.5.5p5, p6 *)
           if signed t then settle t (Z.quot a b) else Some (a / b)
  | Mod => if b =? 0 then None else                  (* lowest % -1: undefined, as the quotient *)
           if signed t then (if fits t (Z.quot a b) then Some (Z.rem a b) else None)
           else Some (a mod b)
  | And => Some (Z.land a b)
  | Or => Some (Z.lor a b)
  | Xor => Some (Z.lxor a b)
  | Shl => if (b <? 0) || (width t <=? b) then None                                  (* 6.5.7p3 *)
           else if signed t && (a <? 0) then None else settle t (Z.shiftl a b)       (* 6.5.7p4 *)
  | Shr => if (b <? 0) || (width t <=? b) then None
           else if signed t && (a <? 0) then None else Some (Z.shiftr a b)  (* 6.5.7p5 *)
  | Eq => Some (b2z (a =? b))
  | Ne => Some (b2z (negb (a =? b)))
  | Lt => Some (b2z (a <? b))
  | Le => Some (b2z (a <=? b))
  | Gt => Some (b2z (b <? a))
  | Ge => Some (b2z (b <=? a))
  end.

(** Syntax. Local scalars are named by strings, unique in their function; a local struct is its
    scalars. A global object is its scalars too: [g] names a member path ("vms.vcpu.state"), the
    indices say which. A function takes and returns a list of scalars. *)

Section Syntax.
  Context {gvar : Type}.

  Inductive expr :=
  | Const (n : Z)
  | Var (x : string)
  | Load (g : gvar) (idx : list expr)
  | Cast (from to : ity) (e : expr)
  | Unop (o : unop) (t : ity) (e : expr)
  | Binop (o : binop) (t : ity) (a b : expr)
  | LNot (e : expr)
  | LAnd (a b : expr)
  | LOr (a b : expr)
  | Cond (c a b : expr)
  | Call (f : string) (args : list expr).

  Inductive stmt :=
  | Skip
  | Seq (a b : stmt)
  | Decl (x : string)                                            (* a local without a value *)
  | Assign (x : string) (e : expr)
  | Store (g : gvar) (idx : list expr) (e : expr)
  | Calls (xs : list string) (f : string) (args : list expr)     (* xs := f(args) *)
  | Alias (x : string) (n : Z) (e : expr)                        (* x := index in an array of n *)
  | If (c : expr) (a b : stmt)
  | For (x : string) (lo hi : expr) (body : stmt)                (* for (x = lo; x < hi; x++) *)
  | Ret (es : list expr).

  Record function := Function
    { fname : string; params : list string; results : nat; body : stmt }.

  (* The callee stands behind its caller, so there is no recursion. *)
  Definition program := list function.
End Syntax.
Arguments expr : clear implicits.
Arguments stmt : clear implicits.
Arguments function : clear implicits.
Arguments program : clear implicits.

(** Meaning. *)

Section Meaning.
  Context {gvar S : Type}.
  Variable load : gvar -> list Z -> M S Z.                (* crash: an index out of bounds *)
  Variable store : gvar -> list Z -> Z -> M S unit.
  Variable prim : string -> list Z -> M S (list Z).       (* the machine, engine/core/prim.h *)

  Definition locals := string -> option Z.                (* None: no value yet *)
  Definition set (x : string) (v : option Z) (l : locals) : locals :=
    fun y => if String.eqb x y then v else l y.
  Fixpoint set_all (xs : list string) (vs : list Z) (l : locals) : option locals :=
    match xs, vs with
    | [], [] => Some l
    | x :: xs', v :: vs' => option_map (set x (Some v)) (set_all xs' vs' l)
    | _, _ => None
    end.

  Section Body.
    Variable callee : string -> list Z -> M S (list Z).

    Definition one (vs : list Z) : option Z := match vs with [v] => Some v | _ => None end.

    (* Operands go from left to right. C leaves the order open (6.5p3); c2coq refuses expressions
       in which it matters. *)
    Fixpoint eval (l : locals) (e : expr gvar) : M S Z :=
      match e with
      | Const n => ret n
      | Var x => lift (l x)
      | Load g idx => vs <- mapM (eval l) idx ;; load g vs
      | Cast from to a => v <- eval l a ;; lift (cast from to v)
      | Unop o t a => v <- eval l a ;; lift (unary o t v)
      | Binop o t a b => v <- eval l a ;; w <- eval l b ;; lift (binary o t v w)
      | LNot a => v <- eval l a ;; ret (b2z (v =? 0))
      | LAnd a b => v <- eval l a ;;
          if v =? 0 then ret 0 else w <- eval l b ;; ret (b2z (negb (w =? 0)))
      | LOr a b => v <- eval l a ;;
          if v =? 0 then w <- eval l b ;; ret (b2z (negb (w =? 0))) else ret 1
      | Cond c a b => v <- eval l c ;; if v =? 0 then eval l b else eval l a
      | Call f args => vs <- mapM (eval l) args ;; rs <- callee f vs ;; lift (one rs)
      end.

    Fixpoint exec (s : stmt gvar) (l : locals) : M S (outcome locals (list Z)) :=
      match s with
      | Skip => ret (Next l)
      | Seq a b => o <- exec a l ;;
          match o with Next l' => exec b l' | Return r => ret (Return r) end
      | Decl x => ret (Next (set x None l))
      | Assign x e => v <- eval l e ;; ret (Next (set x (Some v) l))
      | Store g idx e => vs <- mapM (eval l) idx ;; v <- eval l e ;;
          store g vs v ;;; ret (Next l)
      | Calls xs f args => vs <- mapM (eval l) args ;; rs <- callee f vs ;;
          l' <- lift (set_all xs rs l) ;; ret (Next l')
      | Alias x n e => v <- eval l e ;; i <- index n v ;; ret (Next (set x (Some i) l))
      | If c a b => v <- eval l c ;; if v =? 0 then exec b l else exec a l
      | For x lo hi b => i <- eval l lo ;; n <- eval l hi ;;
          loop_ret i n l (fun i l' => exec b (set x (Some i) l'))
      | Ret es => vs <- mapM (eval l) es ;; ret (Return vs)
      end.

    (* Running off the end of a function that has a result is refused (stronger than 6.9.1p12). *)
    Definition call_body (f : function gvar) (args : list Z) : M S (list Z) :=
      l <- lift (set_all (params f) args (fun _ => None)) ;;
      o <- exec (body f) l ;;
      match o with
      | Return vs => if Nat.eqb (List.length vs) (results f) then ret vs else crash
      | Next _ => if Nat.eqb (results f) 0 then ret [] else crash
      end.
  End Body.

  (* What the call of a function by its name does. *)
  Fixpoint den (p : program gvar) (f : string) : list Z -> M S (list Z) :=
    match p with
    | [] => prim f
    | d :: p' => if String.eqb (fname d) f then call_body (den p') d else den p' f
    end.
End Meaning.
