(* SPDX-License-Identifier: Apache-2.0 *)
(* On whole runs, from reset on: a page that a VM has to itself changes by the VM's own stores alone. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation boot_is_safe.
From nie.spec Require Import Step Kept.
From nie.proof.security Require Import Watched core_is_safe only_its_own.
From nie.proof Require Theorems.
From nie.generated Require Program.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(* One call of the program's. *)
Lemma call_word : forall P f args g h r g' h' l v p i, v <> 0 -> is_word i = true ->
  call P f args (Mach g (h, [])) = Some (r, Mach g' (h', l)) -> ok h' -> (forall h1 a, In (h1, a) l -> had_alone v p h1) ->
  Map.get (Machine.mem h') (p * 512 + i) = after_log v p i l (Map.get (Machine.mem h) (p * 512 + i)).
Proof.
  intros P f args g h r g' h' l v p i V I E O M.
  pose proof (follow_den drop (tracked v p i (had_alone v p)) (fun s => tracked_same v p i (had_alone v p) s s eq_refl) (tracked_trans v p i (had_alone v p)) _ _ _ _ _ _ (track_load v p i (had_alone v p)) (track_store v p i (had_alone v p))
    (track_prim v p i I (had_alone v p) (alone_entry v p V) (alone_not_free v p) (alone_not_told v p V)) P f args (Mach g (h, []))) as F.
  change (den load store (prim (P := watching)) P f args (Mach g (h, [])) = Some (r, Mach g' (h', l))) in E.
  destruct (den load store prim P f args (drop (Mach g (h, [])))) as [[r1 t]|]; [|rewrite E in F; discriminate].
  destruct F as (s1 & E1 & _ & K). rewrite E1 in E. injection E as _ ->. destruct (K O) as (_ & g2 & EL & _ & W). cbn [C_store.hw fst snd app] in *. subst g2. exact (W M).
Qed.

Section Program.
Variable P : program gvar.
Hypothesis TS : trap_is_safe.trap_safe P.
Hypothesis SS : boot_is_safe.start_safe P.

Lemma engine_word : forall f args c s h t g v p i, v <> 0 -> is_word i = true -> engine P f args c s h = Ok t g -> ok (hw t) ->
  (forall h1 a, In (h1, a) g -> had_alone v p h1) ->
  Map.get (Machine.mem (hw t)) (p * 512 + i) = after_log v p i g (Map.get (Machine.mem h) (p * 512 + i)).
Proof.
  intros f args c s h t g v p i V I E O M. unfold engine in E. destruct (call P f args _) as [[rs [g1 [h1 l1]]]|] eqn:EC; [|discriminate].
  cbn [C_store.hw C_store.glob] in E. injection E as <- <-. exact (call_word P f args _ h rs g1 h1 l1 v p i V I EC O M).
Qed.

Lemma good_ok : forall a s, good a s -> ok (hw s).
Proof. intros a s G. destruct (go_hw _ _ G) as (m & X & _). exact (w_ok _ _ _ _ _ _ X). Qed.

Lemma software_word : forall d a s v p i, v <> 0 -> is_word i = true -> good a s -> had_alone v p (hw s) ->
  Map.get (Machine.mem (hw (do_step d s))) (p * 512 + i) = after_log v p i (moments s (Do d) []) (Map.get (Machine.mem (hw s)) (p * 512 + i)).
Proof.
  intros d a s v p i V I G M. destruct d as [d|c r x|c r x|n o j r]; cbn [do_step moments].
  - exact (act_word v p i I (had_alone v p) (alone_entry v p V) (alone_not_free v p) (alone_not_told v p V) d (hw s) (good_safe a s G) M).
  - now destruct (_ && _ && _ && _)%bool.
  - now destruct (_ && _ && _ && _)%bool.
  - destruct (nth_error _ _); auto. match goal with |- context [if ?b then _ else _] => now destruct b end.
Qed.

Lemma next_word : forall a s l t g v p i, v <> 0 -> is_word i = true -> good a s -> next P s l = Ok t g ->
  had_alone v p (hw s) -> (forall h x, In (h, x) g -> had_alone v p h) ->
  Map.get (Machine.mem (hw t)) (p * 512 + i) = after_log v p i (moments s l g) (Map.get (Machine.mem (hw s)) (p * 512 + i)).
Proof.
  intros a s l t g v p i V I G E MS MG. pose proof (next_good P TS SS a s l G) as N. rewrite E in N. destruct N as [(b & GB) _]. apply good_ok in GB.
  destruct l as [d|c e ins d|c ins d]; cbn [next moments] in *.
  - injection E as <- <-. exact (software_word d a s v p i V I G MS).
  - destruct (_ && _ && _)%bool; [|discriminate]. exact (engine_word _ _ _ _ _ _ _ _ _ _ V I E GB MG).
  - destruct (_ && _)%bool; [|discriminate]. exact (engine_word _ _ _ _ _ _ _ _ _ _ V I E GB MG).
Qed.

Theorem run_word : forall tr a s t g v p i, v <> 0 -> is_word i = true -> good a s -> run P s tr = Ok t g ->
  (forall h, states P s tr h -> had_alone v p h) ->
  Map.get (Machine.mem (hw t)) (p * 512 + i) = after_trace P v p i s tr (Map.get (Machine.mem (hw s)) (p * 512 + i)).
Proof.
  induction tr as [|l tr IH]; intros a s t g v p i V I G E M; cbn [run after_trace] in *; [injection E as <- _; reflexivity|].
  pose proof (next_good P TS SS a s l G) as N. destruct (next P s l) as [s' g1| |] eqn:EN; try discriminate.
  destruct N as [(b & GB) _]. destruct (run P s' tr) as [t2 g2| |] eqn:ER; try discriminate. injection E as -> _.
  rewrite <- (next_word a s l s' g1 v p i V I G EN).
  - apply (IH b s' t g2); auto. intros h S. apply M. right. destruct S as [->|(n & s2 & g3 & E3 & ST)].
    + exists 1%nat, s', (g1 ++ []). cbn [firstn run]. rewrite EN. auto.
    + exists (Datatypes.S n), s2, (g1 ++ g3). cbn [firstn run]. rewrite EN, E3. split; [reflexivity|]. destruct ST as [->|(x & IN)]; [now left|right]. exists x. apply in_or_app. now right.
  - apply M. now left.
  - intros h x IN. apply M. right. exists 1%nat, s', (g1 ++ []). cbn [firstn run]. rewrite EN. split; [reflexivity|]. right. exists x. apply in_or_app. now left.
Qed.
End Program.

Theorem core_keeps_to_itself : keeps_to_itself (after_boot Program.core) Program.core.
Proof.
  intros s0 tr0 s g0 tr t g v p i (h & RS & BO) E0 E V I M. destruct (boot_good _ h s0 Theorems.boot_is_correct RS BO) as [G _].
  pose proof (run_good Program.core Theorems.trap_is_safe Theorems.start_is_safe tr0 _ s0 G) as X. rewrite E0 in X. destruct X as [(b & GB) _].
  exact (run_word Program.core Theorems.trap_is_safe Theorems.start_is_safe tr b s t g v p i V I GB E M).
Qed.
