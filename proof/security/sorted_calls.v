(* SPDX-License-Identifier: Apache-2.0 *)
(* The text of the handler again, with the calls of a VM that end in an exit told apart before they are made: it does the same, and the look
   at the text (Lockstep.v) can see that nothing is read after a TLBI of a VM. *)
From Coq Require Import ZArith List Bool String Lia.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.generated Require Program.
Require nie.generated.trap.vcpu_call_deep.
From nie.spec Require Import Core Step.
From nie.proof Require Theorems.
From nie.proof.refine Require Import Relation statements trap_is_safe.
From nie.proof.security Require Import Watched Lockstep Alike Primitives noninterference calls_tell_nothing host_traps_tell_nothing.
From nie.model Require Import C.
Import ListNotations.
Open Scope string_scope.
Open Scope Z_scope.
Open Scope list_scope.
Notation MACH := (mach globals (Machine.hw * log)).
Notation DEN := (den (S := MACH) load store (prim (P := watching))).

(** One function of a program in place of another. *)

Definition idm (s : MACH) : MACH := s.
Definition no_matter (s t : MACH) : Prop := True.
Lemma follows_eq : forall A (m1 m2 : M MACH A), (forall s, m1 s = m2 s) <-> follows idm no_matter m1 m2.
Proof.
  intros A m1 m2. split.
  - intros H s. unfold idm. rewrite <- H. destruct (m1 s) as [[a t]|]; [|reflexivity]. exists t. repeat split.
  - intros H s. specialize (H s). unfold idm in H. destruct (m2 s) as [[a t]|]; [|exact H]. destruct H as (t' & E & -> & _). exact E.
Qed.
Lemma body_same : forall k1 k2 d a, (forall g a s, k1 g a s = k2 g a s) -> forall s, call_body load store k1 d a s = call_body (S := MACH) load store k2 d a s.
Proof.
  intros k1 k2 d a H. apply follows_eq. apply follow_body; try (intros; apply follows_eq; reflexivity).
  - intros s. exact Logic.I.
  - intros x y z _ _. exact Logic.I.
  - intros g b. apply follows_eq. intro s. apply H.
Qed.
Lemma swap_same : forall pre d d' post, fname d' = fname d -> (forall a s, call_body load store (DEN post) d a s = call_body load store (DEN post) d' a s) ->
  forall f a s, DEN (pre ++ d :: post) f a s = DEN (pre ++ d' :: post) f a s.
Proof.
  intros pre d d' post N H. induction pre as [|x pre IH]; intros f a s; cbn [app den].
  - rewrite N. destruct (String.eqb (fname d) f); [apply H|reflexivity].
  - destruct (String.eqb (fname x) f); [|apply IH]. apply body_same. exact IH.
Qed.
Fixpoint found (P : program gvar) (f : string) : option (function gvar * program gvar) :=
  match P with [] => None | d :: P' => if String.eqb (fname d) f then Some (d, P') else found P' f end.
Lemma found_is : forall P f d P', found P f = Some (d, P') -> forall a s, DEN P f a s = call_body load store (DEN P') d a s.
Proof.
  induction P as [|x P IH]; intros f d P' E a s; cbn [found den] in *; [discriminate|]. destruct (String.eqb (fname x) f); [|now apply IH].
  now injection E as -> ->.
Qed.

(** The function. *)

Definition is (k : Z) : expr gvar := Binop Eq U64 (Var "function") (Cast U32 U64 (Const k)).
Definition is_exit : expr gvar := LOr (LOr (is PSCI_CPU_ON_32) (is PSCI_CPU_ON)) (LOr (is PSCI_CPU_OFF)
  (LOr (LOr (is PSCI_CPU_SUSPEND_32) (is PSCI_CPU_SUSPEND)) (LOr (is PSCI_SYSTEM_OFF) (LOr (is PSCI_SYSTEM_RESET) (is NIE_VM_HOST_CALL))))).
Definition answers : stmt gvar :=
  (Seq (Assign "answer" (Call "fixed_answer" [(Var "function")]))
  (Seq (If (Binop Eq U64 (Var "answer") (Cast I32 U64 (Const 0)))
      (Assign "answer" (Call "vcpu_call_answer" [(Load cpus_vm [(Var "cpu")]); (Var "function"); (Call "smccc_argument" [(Var "function"); (Load cpus_x [(Var "cpu"); (Const 1)])]); (Call "smccc_argument" [(Var "function"); (Load cpus_x [(Var "cpu"); (Const 2)])])]))
      Skip)
  (Store cpus_x [(Var "cpu"); (Const 0)] (Var "answer")))).
Definition asked : stmt gvar := Assign "function" (Binop And U64 (Load cpus_x [(Var "cpu"); (Const 0)]) (Cast U32 U64 (Const 0xffffffff))).
Definition sorted : function gvar := Function "vcpu_call" ["cpu"] 0
  (Seq asked (Seq (Assign "answer" (Cast I32 U64 (Const 0)))
  (If is_exit (Seq (Calls ["exits"] "vcpu_call_exits" [(Var "cpu"); (Var "function")]) (Ret [])) answers))).

Definition exitb (fn : Z) : bool := ((fn =? PSCI_CPU_ON_32) || (fn =? PSCI_CPU_ON)) || ((fn =? PSCI_CPU_OFF) ||
  (((fn =? PSCI_CPU_SUSPEND_32) || (fn =? PSCI_CPU_SUSPEND)) || ((fn =? PSCI_SYSTEM_OFF) || ((fn =? PSCI_SYSTEM_RESET) || (fn =? NIE_VM_HOST_CALL))))).

Section Exits.
Variable k : string -> list Z -> M MACH (list Z).
Notation EVAL := (eval (S := MACH) load k).
Notation EXEC := (exec (S := MACH) load store k).

Lemma eval_is : forall l fn c s, l "function"%string = Some fn -> In c [PSCI_CPU_ON_32; PSCI_CPU_ON; PSCI_CPU_OFF; PSCI_CPU_SUSPEND_32; PSCI_CPU_SUSPEND; PSCI_SYSTEM_OFF; PSCI_SYSTEM_RESET; NIE_VM_HOST_CALL] ->
  EVAL l (is c) s = Some (b2z (fn =? c), s).
Proof.
  intros l fn c s L I. unfold is. cbn [eval]. unfold bind, lift, ret. rewrite L. cbn [In] in I.
  repeat (destruct I as [<-|I]; [reflexivity|]). destruct I.
Qed.
Lemma eval_or : forall a b x y l s, EVAL l a s = Some (b2z x, s) -> EVAL l b s = Some (b2z y, s) -> EVAL l (LOr a b) s = Some (b2z (x || y), s).
Proof. intros a b x y l s A B. cbn [eval]. unfold bind. rewrite A. destruct x; cbn [b2z Z.eqb]; [reflexivity|]. rewrite B. now destruct y. Qed.
Lemma eval_exit : forall l fn s, l "function"%string = Some fn -> EVAL l is_exit s = Some (b2z (exitb fn), s).
Proof. intros l fn s L. unfold is_exit, exitb. repeat apply eval_or; apply eval_is; auto; cbn [In]; tauto. Qed.

Lemma exec_if : forall c a b x l s, EVAL l c s = Some (b2z x, s) -> EXEC (If c a b) l s = if x then EXEC a l s else EXEC b l s.
Proof. intros c a b x l s E. cbn [exec]. unfold bind. rewrite E. now destruct x. Qed.
(* Text that returns 1, if it ends. *)
Definition silent (a : stmt gvar) : bool := match a with Calls _ _ _ | C.Store _ _ _ => true | _ => false end.
Inductive returns_one : stmt gvar -> Prop :=
| one_ret : returns_one (Ret [Cast I32 Bool (Const 1)])
| one_seq x y : silent x = true -> returns_one y -> returns_one (Seq x y).
Lemma silent_next : forall a l s o t, silent a = true -> EXEC a l s = Some (o, t) -> exists l', o = Next l'.
Proof.
  intros a l s o t H E. destruct a; try discriminate H; cbn [exec] in E; unfold bind, lift, ret in E.
  - destruct (mapM _ _ _) as [[vs s1]|]; [|discriminate]. destruct (EVAL _ _ _) as [[v s2]|]; [|discriminate]. destruct (store _ _ _ _) as [[u s3]|]; [|discriminate].
    injection E as <- <-. eauto.
  - destruct (mapM _ _ _) as [[vs s1]|]; [|discriminate]. destruct (k _ _ _) as [[rs s2]|]; [|discriminate]. destruct (set_all _ _ _); [|discriminate].
    injection E as <- <-. eauto.
Qed.
Lemma one_is : forall a, returns_one a -> forall l s o t, EXEC a l s = Some (o, t) -> o = Return [1].
Proof.
  intros a H. induction H as [|x y X Y IH]; intros l s o t E.
  - cbn in E. unfold ret, bind, lift in E. cbn in E. injection E as <- <-. reflexivity.
  - cbn [exec] in E. unfold bind in E. destruct (EXEC x l s) as [[o1 s1]|] eqn:E1; [|discriminate].
    destruct (silent_next _ _ _ _ _ X E1) as (l' & ->). exact (IH _ _ _ _ E).
Qed.

Lemma exits_says : forall c fn s r t, call_body load store k vcpu_call_deep.vcpu_call_exits_deep [c; fn] s = Some (r, t) ->
  if exitb fn then r = [1] else r = [0] /\ t = s.
Proof.
  intros c fn s r t E. unfold call_body in E. cbn [params set_all option_map vcpu_call_deep.vcpu_call_exits_deep results body] in E.
  unfold bind at 1 in E. unfold lift at 1 in E. unfold ret at 1 in E.
  match type of E with bind (exec _ _ _ _ ?l) _ _ = _ => set (l0 := l) in E; assert (L : l0 "function"%string = Some fn) by reflexivity; clearbody l0 end.
  unfold exitb. unfold bind in E.
  assert (OR : forall x y, In x [PSCI_CPU_ON_32; PSCI_CPU_SUSPEND_32] -> In y [PSCI_CPU_ON; PSCI_CPU_SUSPEND] -> EVAL l0 (LOr (is x) (is y)) s = Some (b2z ((fn =? x) || (fn =? y)), s)).
  { intros x y X Y. apply eval_or; apply eval_is; auto; cbn [In] in *; tauto. }
  assert (IS : forall x, In x [PSCI_CPU_OFF; PSCI_SYSTEM_OFF; PSCI_SYSTEM_RESET; NIE_VM_HOST_CALL] -> EVAL l0 (is x) s = Some (b2z (fn =? x), s)).
  { intros x X. apply eval_is; auto. cbn [In] in *. tauto. }
  Ltac exits E X o := match type of E with context [exec load store ?k ?b ?l ?s] => destruct (exec load store k b l s) as [[o s1]|] eqn:X; [|discriminate E] end;
    apply one_is in X; [|repeat constructor]; subst o; cbn in E; unfold ret in E; now injection E as <- <-.
  change (If (LOr (Binop Eq U64 (Var "function") (Cast U32 U64 (Const PSCI_CPU_ON_32))) (Binop Eq U64 (Var "function") (Cast U32 U64 (Const PSCI_CPU_ON)))))
    with (If (gvar := gvar) (LOr (is PSCI_CPU_ON_32) (is PSCI_CPU_ON))) in E.
  rewrite (exec_if _ _ _ _ l0 s (OR PSCI_CPU_ON_32 PSCI_CPU_ON ltac:(cbn; tauto) ltac:(cbn; tauto))) in E.
  destruct ((fn =? PSCI_CPU_ON_32) || (fn =? PSCI_CPU_ON)); cbn [orb]; [exits E X o|].
  rewrite (exec_if _ _ _ _ l0 s (IS PSCI_CPU_OFF ltac:(cbn; tauto))) in E. destruct (fn =? PSCI_CPU_OFF); cbn [orb]; [exits E X o|].
  rewrite (exec_if _ _ _ _ l0 s (OR PSCI_CPU_SUSPEND_32 PSCI_CPU_SUSPEND ltac:(cbn; tauto) ltac:(cbn; tauto))) in E.
  destruct ((fn =? PSCI_CPU_SUSPEND_32) || (fn =? PSCI_CPU_SUSPEND)); cbn [orb]; [exits E X o|].
  rewrite (exec_if _ _ _ _ l0 s (IS PSCI_SYSTEM_OFF ltac:(cbn; tauto))) in E. destruct (fn =? PSCI_SYSTEM_OFF); cbn [orb]; [exits E X o|].
  rewrite (exec_if _ _ _ _ l0 s (IS PSCI_SYSTEM_RESET ltac:(cbn; tauto))) in E. destruct (fn =? PSCI_SYSTEM_RESET); cbn [orb]; [exits E X o|].
  rewrite (exec_if _ _ _ _ l0 s (IS NIE_VM_HOST_CALL ltac:(cbn; tauto))) in E. destruct (fn =? NIE_VM_HOST_CALL); cbn [orb]; [exits E X o|].
  cbn in E. unfold ret, bind, lift in E. cbn in E. now injection E as <- <-.
Qed.
(* When it is none of them, it comes back at once. *)
Lemma exits_not : forall c fn s, exitb fn = false -> call_body load store k vcpu_call_deep.vcpu_call_exits_deep [c; fn] s = Some ([0], s).
Proof.
  intros c fn s F. unfold exitb in F. repeat (apply orb_false_elim in F as [? F] || apply orb_false_elim in F).
  repeat match goal with H : (_ || _) = false |- _ => apply orb_false_elim in H as [? ?] end.
  unfold call_body. cbn [params set_all option_map vcpu_call_deep.vcpu_call_exits_deep results body].
  unfold bind at 1. unfold lift at 1. unfold ret at 1.
  match goal with |- bind (exec _ _ _ _ ?l) _ _ = _ => set (l0 := l); assert (L : l0 "function"%string = Some fn) by reflexivity; clearbody l0 end.
  unfold bind.
  assert (IS : forall x, In x [PSCI_CPU_ON_32; PSCI_CPU_ON; PSCI_CPU_OFF; PSCI_CPU_SUSPEND_32; PSCI_CPU_SUSPEND; PSCI_SYSTEM_OFF; PSCI_SYSTEM_RESET; NIE_VM_HOST_CALL] ->
    (fn =? x) = false -> EVAL l0 (is x) s = Some (b2z false, s)).
  { intros x X Y. rewrite <- Y. now apply eval_is. }
  assert (OR : forall x y, EVAL l0 x s = Some (b2z false, s) -> EVAL l0 y s = Some (b2z false, s) -> EVAL l0 (LOr x y) s = Some (b2z false, s)) by (intros x y; apply eval_or).
  change (If (LOr (Binop Eq U64 (Var "function") (Cast U32 U64 (Const PSCI_CPU_ON_32))) (Binop Eq U64 (Var "function") (Cast U32 U64 (Const PSCI_CPU_ON)))))
    with (If (gvar := gvar) (LOr (is PSCI_CPU_ON_32) (is PSCI_CPU_ON))).
  rewrite (exec_if _ _ _ false l0 s (OR (is PSCI_CPU_ON_32) (is PSCI_CPU_ON) (IS PSCI_CPU_ON_32 ltac:(cbn; tauto) ltac:(assumption)) (IS PSCI_CPU_ON ltac:(cbn; tauto) ltac:(assumption)))).
  rewrite (exec_if _ _ _ false l0 s (IS PSCI_CPU_OFF ltac:(cbn; tauto) ltac:(assumption))).
  rewrite (exec_if _ _ _ false l0 s (OR (is PSCI_CPU_SUSPEND_32) (is PSCI_CPU_SUSPEND) (IS PSCI_CPU_SUSPEND_32 ltac:(cbn; tauto) ltac:(assumption)) (IS PSCI_CPU_SUSPEND ltac:(cbn; tauto) ltac:(assumption)))).
  rewrite (exec_if _ _ _ false l0 s (IS PSCI_SYSTEM_OFF ltac:(cbn; tauto) ltac:(assumption))).
  rewrite (exec_if _ _ _ false l0 s (IS PSCI_SYSTEM_RESET ltac:(cbn; tauto) ltac:(assumption))).
  rewrite (exec_if _ _ _ false l0 s (IS NIE_VM_HOST_CALL ltac:(cbn; tauto) ltac:(assumption))).
  reflexivity.
Qed.
End Exits.

Section Same.
Variables k k2 : string -> list Z -> M MACH (list Z).
Hypothesis K : forall a s, k "vcpu_call_exits" a s = call_body load store k2 vcpu_call_deep.vcpu_call_exits_deep a s.

Lemma branch_same : forall l c fn s, l "cpu"%string = Some c -> l "function"%string = Some fn ->
  exec load store k (Seq (If (Call "vcpu_call_exits" [(Var "cpu"); (Var "function")]) (Ret []) Skip) answers) l s =
  exec load store k (If is_exit (Seq (Calls ["exits"] "vcpu_call_exits" [(Var "cpu"); (Var "function")]) (Ret [])) answers) l s.
Proof.
  intros l c fn s LC LF. rewrite (exec_if k is_exit _ _ _ l s (eval_exit k l fn s LF)).
  assert (EC : eval load k l (Call "vcpu_call_exits" [(Var "cpu"); (Var "function")]) s =
    match call_body load store k2 vcpu_call_deep.vcpu_call_exits_deep [c; fn] s with Some (rs, t) => lift (one rs) t | None => None end).
  { cbn [eval mapM]. unfold bind, lift, ret. rewrite LC, LF. rewrite K. reflexivity. }
  destruct (exitb fn) eqn:X.
  - assert (RH : exec load store k (Seq (Calls ["exits"] "vcpu_call_exits" [(Var "cpu"); (Var "function")]) (Ret [])) l s =
      match call_body load store k2 vcpu_call_deep.vcpu_call_exits_deep [c; fn] s with
      | Some ([r], t) => Some (Return [], t) | _ => None end).
    { cbn [exec mapM eval]. unfold bind, lift, ret. rewrite LC, LF. rewrite K. destruct (call_body _ _ k2 _ _ s) as [[[|r [|]] t]|]; reflexivity. }
    rewrite RH. cbn [exec]. unfold bind at 1 2. rewrite EC.
    destruct (call_body load store k2 vcpu_call_deep.vcpu_call_exits_deep [c; fn] s) as [[rs t]|] eqn:Q; [|reflexivity].
    pose proof (exits_says k2 c fn s rs t Q) as S. rewrite X in S. subst rs. reflexivity.
  - cbn [exec]. unfold bind at 1 2. rewrite EC, (exits_not k2 c fn s X). reflexivity.
Qed.

Lemma assign_is : forall x e l s l' s', exec (S := MACH) load store k (Assign x e) l s = Some (Next l', s') -> exists v, l' = set x (Some v) l.
Proof. intros x e l s l' s' E. cbn [exec] in E. unfold bind, ret in E. destruct (eval load k l e s) as [[v t]|]; [|discriminate]. injection E as <- <-. eauto. Qed.

Lemma sorted_same : forall a s, call_body load store k vcpu_call_deep.vcpu_call_deep a s = call_body load store k sorted a s.
Proof.
  intros a s. unfold call_body. change (params vcpu_call_deep.vcpu_call_deep) with (params sorted). change (results vcpu_call_deep.vcpu_call_deep) with (results sorted).
  destruct a as [|c [|]]; [reflexivity| |reflexivity]. cbn [params sorted set_all option_map]. unfold bind at 1 3. unfold lift at 1 2. unfold ret at 1 3.
  match goal with |- bind (exec _ _ _ _ ?l) ?f ?s = _ => set (l0 := l); set (f0 := f) end. assert (L0 : l0 "cpu"%string = Some c) by reflexivity. clearbody l0.
  enough (E : exec load store k (body vcpu_call_deep.vcpu_call_deep) l0 s = exec load store k (body sorted) l0 s) by (unfold bind; now rewrite E).
  cbn [body sorted vcpu_call_deep.vcpu_call_deep]. fold asked. fold answers.
  apply exec_seq. intros l1 s1 E1. apply assign_is in E1 as (v & ->). apply exec_seq. intros l2 s2 E2. apply assign_is in E2 as (v2 & ->).
  eapply branch_same; [exact L0|reflexivity].
Qed.
End Same.

(** The core. *)

Fixpoint place_of (f : string) (P : program gvar) : nat := match P with [] => O | d :: P' => if String.eqb (fname d) f then O else S (place_of f P') end.
Definition before : program gvar := firstn (place_of "vcpu_call" Program.core) Program.core.
Definition behind : program gvar := skipn (S (place_of "vcpu_call" Program.core)) Program.core.
Definition sorted_core : program gvar := before ++ sorted :: behind.
Definition after_exits : program gvar := match found behind "vcpu_call_exits" with Some (_, P) => P | None => [] end.
Lemma core_split : Program.core = before ++ vcpu_call_deep.vcpu_call_deep :: behind.
Proof. reflexivity. Qed.
Lemma exits_found : found behind "vcpu_call_exits" = Some (vcpu_call_deep.vcpu_call_exits_deep, after_exits).
Proof. reflexivity. Qed.

Theorem sorted_core_same : forall f a s, call Program.core f a s = call sorted_core f a s.
Proof.
  intros f a s. unfold call. rewrite core_split. apply swap_same; [reflexivity|]. intros b t. eapply sorted_same. apply found_is. exact exits_found.
Qed.
Lemma sorted_core_plain : forallb calls_tell_nothing.is_plain sorted_core = true.
Proof. vm_compute. reflexivity. Qed.
Lemma trap_in_step : strength strength_p sorted_core "trap" false = Some true.
Proof. vm_compute. reflexivity. Qed.

(** An exception as a whole, on a CPU that runs the host or a vCPU: two runs stay in step. *)

Definition takes_traps (g : globals) (c : Z) (args : list Z) : Prop :=
  manifest_ok g /\ vcpu_traps.x_ok c g /\ 0 <= c < NIE_MAX_CPUS /\ exists kind, args = [c; kind].
Lemma traps_end : forall P, trap_safe P -> ends_from (call P "trap") takes_traps.
Proof.
  intros P T a g h args HR UC (MO & XO & _ & kind & ->). destruct (T a (Mach g h) kind HR UC MO XO) as (r & b & s' & E & _ & HB & _). eapply run_ends; eauto.
Qed.
Theorem traps_in_step : keeps_step (call Program.core "trap") takes_traps.
Proof.
  intros same a w g h1 h2 T0 Cs0 args r1 r2 g1 g2 h1' h2' l1 l2 VW PA R1 U1 AL TO CO C1 C2 TL F1 F2. rewrite sorted_core_same in C1, C2.
  refine (one_way (call sorted_core "trap") takes_traps _ (call_stays sorted_core "trap" true (plain_if _ sorted_core_plain) trap_in_step)
    same a w g h1 h2 T0 Cs0 args r1 r2 g1 g2 h1' h2' l1 l2 VW PA R1 U1 AL TO CO C1 C2 TL F1 F2).
  intros b g' h args' HR UC PA'. destruct (traps_end _ Theorems.trap_is_safe b g' h args' HR UC PA') as (r & a' & g2' & h' & l & E & HR'). rewrite sorted_core_same in E. eauto 8.
Qed.
