(* SPDX-License-Identifier: Apache-2.0 *)
(* Two machines that differ in what a VM keeps to itself, each on a CPU that runs a vCPU of it, take exceptions there that release the
   same, the same being heard meanwhile: whoever else runs finds the same afterwards, in registers and memory, if the handlers are alike
   from their end on in what is not hidden.
   LESS than the goal: that last premise ([leaves_trail], security/Trail.v), and so that the words of the run record stand at the same
   primitives, counted from the end, is not proved of the engine here. trap_tells_released says which words they are, in which order;
   they are told by C that is the same for every exit. And as in trap_tells_released: 64-bit registers, CNTVOFF_EL2 the VM's; as in
   Alike.v: what others do has its effect. *)
From Coq Require Import ZArith List Bool Lia String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.spec Require Import State.
From nie.spec.trap Require trap.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.proof Require Theorems.
From nie.proof.invariant Require Import Meaning.
From nie.proof.refine Require Import Relation statements Described.
From nie.proof.security Require core_is_safe core_is_correct.
From nie.proof.security Require Import Alike Handler noninterference trace_statement Twins twins_trap Apart Parted Trail.
From nie.proof.security Require Import trap_tells exit_registers exit_pages exits_alike.
From nie.model Require Import Machine.
From nie.spec Require Import Core Step Isolation.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
#[local] Opaque Step.vectors_save Step.vectors_load run_of Step.call Step.next.

(* The run of the handler, as others see it: hidden effects, then those of [l]. *)
Definition leaves_trail (w : who) (T Cs : Z -> Prop) (s : Step.machine) (c : Z) (e : Step.exception) (ins : nat -> Z) (dur : list (list act))
    (s' : Step.machine) (g : Step.log) (l : list effect) : Prop :=
  exists n h, trail w T Cs (Step.take c e (Step.enter c ins dur (Step.hw s))) (repeat Hidden n ++ l) g h /\
    Step.hw s' = h <| me := Step.nobody |> <| during := [] |>.

(** One machine: pages stay whose they were. *)

Definition its_pages (w : who) (a : state) (p : Z) : Prop := own_page a w p \/ saves w a p.
Lemma same_its : forall w a b, (forall p, State.in_ram a p = true -> State.in_ram b p = true /\ own b p = own a p) -> forall p, its_pages w a p -> its_pages w b p.
Proof.
  intros w a b H p [(R & y & O & L)|(R & i & O)]; destruct (H p R) as [R' O']; [left|right]; (split; [exact R'|]); [exists y|exists i]; rewrite O'; auto.
Qed.
Lemma hold_its : forall w a b g, globals_hold a g -> globals_hold b g -> forall p, its_pages w a p -> its_pages w b p.
Proof. intros w a b g A B. apply same_its. intros p R. split; [now rewrite (same_ram _ _ _ A B)|exact (same_owner _ _ _ _ A B R)]. Qed.

Lemma pages_stay : forall w a s c e ins dur s' g, core_is_safe.good a s -> cpu_vm (cpu_at a c) <> CPU_HOST -> takes a s c e ins dur s' g ->
  exists b, core_is_safe.good b s' /\ forall p, its_pages w a p -> its_pages w b p.
Proof.
  intros w a s c e ins dur s' g G GU [(m & D) X O N].
  pose proof (core_is_correct.next_correct Program.core Theorems.trap_is_correct Theorems.trap_is_safe Theorems.start_is_correct m a s (Step.Trap c e ins dur) G D) as NC.
  rewrite N in NC. destruct NC as (b & GB & _). exists b. split; [exact GB|].
  destruct (next_ended Program.core Theorems.trap_is_correct m a s c e ins dur s' g G D GU X O N) as (t & [_ _ HR _ _ EG _]).
  pose proof (R_globals _ _ HR) as GR. rewrite <- EG in GR. pose proof (core_is_safe.go_globals _ _ GB) as GH.
  intros p I. apply (hold_its w _ b _ GR GH). revert p I. apply same_its. intros p R.
  destruct (trap_keeps_pages c (Step.kind e) (arrives c s (C_store.hw (trapped s c e ins dur)) a)) as [OW CF].
  unfold State.in_ram, own in *. rewrite OW, CF. split; [exact R|reflexivity].
Qed.

Section Both.
Variables (w : who) (T Cs : Z -> Prop) (a b : state) (s1 s2 s1' s2' : Step.machine) (c : Z) (e1 e2 : Step.exception).
Variables (i1 i2 : nat -> Z) (d1 d2 : list (list act)) (g1 g2 : Step.log) (l : list effect).
Hypothesis VW : 0 <= vm w.
Hypothesis C : 0 <= c < NIE_MAX_CPUS.
Hypothesis TW : twins w T Cs a b s1 s2.
Hypothesis WA : windowed a.
Hypothesis WB : windowed b.
Hypothesis RU : root_vmid (Step.hw s1) c = vmid_of w.
Hypothesis T1 : takes a s1 c e1 i1 d1 s1' g1.
Hypothesis T2 : takes b s2 c e2 i2 d2 s2' g2.
Let G1 := tw_good1 _ _ _ _ _ _ _ TW.
Let G2 := tw_good2 _ _ _ _ _ _ _ TW.
Let T0 := its_pages w a.
Let C0 (d : Z) : Prop := root_vmid (Step.hw s1) d = vmid_of w.

Lemma ran : forall d, ~ C0 d -> ~ Cs d.
Proof. intros d N Q. exact (N (tw_runs _ _ _ _ _ _ _ TW d Q)). Qed.
Lemma put_there : forall (m : Map.t Z) d r q x, d <> c -> 0 <= r < 128 -> 0 <= q < 128 -> Map.get (Map.set m (c * 128 + q) x) (d * 128 + r) = Map.get m (d * 128 + r).
Proof. intros. apply Map.get_set_other. lia. Qed.
Lemma take_reg : forall e h d r, d <> c -> 0 <= r < 128 -> Map.get (reg (Step.take c e h)) (d * 128 + r) = Map.get (reg h) (d * 128 + r).
Proof.
  intros e h d r N R. change (reg (Step.take c e h)) with (Map.set (Map.set (Map.set (Map.set (Map.set (reg h) (c * 128 + REG_ELR_EL2) (Step.elr e)) (c * 128 + REG_SPSR_EL2) (Step.spsr e))
    (c * 128 + REG_ESR_EL2) (Step.esr e)) (c * 128 + REG_FAR_EL2) (Step.far e)) (c * 128 + REG_HPFAR_EL2) (Step.hpfar e)).
  rewrite !put_there by (auto; vm_compute; split; congruence). reflexivity.
Qed.
Lemma take_vttbr : forall e h d, vttbr (Step.take c e h) d = vttbr h d.
Proof. intros e h d. exact (core_is_safe.al_vttbr _ _ (core_is_safe.alike_take c e h) d). Qed.

Lemma begin_apart : apart w T0 C0 (Step.take c e1 (Step.enter c i1 d1 (Step.hw s1))) (Step.take c e2 (Step.enter c i2 d2 (Step.hw s2))).
Proof.
  pose proof TW as [_ _ AL _ _ _ LO _]. constructor.
  - intros p i W N. apply (Alike.al_mem _ _ _ _ AL); [exact W|]. intro Q. apply N. left. apply low_own; [exact VW|exact (core_is_safe.go_sound _ _ G1)|exact WA|exact (proj1 (LO p Q))].
  - exact (Alike.al_tlb _ _ _ _ AL).
  - intro d. rewrite !take_vttbr. exact (twins_vttbr _ _ _ _ _ _ _ d TW).
  - intros d r R N. assert (D : d <> c) by (intros ->; exact (N RU)). unfold REG_SWITCHED in R. rewrite !take_reg by (auto; lia).
    apply (Alike.al_reg _ _ _ _ AL); [lia|]. intro Q. elim (ran d N Q).
  - intros d r R N. apply (Alike.al_fp _ _ _ _ AL); [lia|now apply ran].
  - reflexivity.
  - intros d D. unfold root_vmid in D. rewrite take_vttbr in D. exact D.
Qed.

Hypothesis SAME : shows a s1 c e1 s1' = shows a s2 c e2 s2'.
Hypothesis F1 : Forall (fine w (has w s1)) g1.
Hypothesis F2 : Forall (fine w (has w s2)) g2.
Hypothesis HEARD : meanwhile w g1 = meanwhile w g2.
Hypothesis L1 : leaves_trail w T0 C0 s1 c e1 i1 d1 s1' g1 l.
Hypothesis L2 : leaves_trail w T0 C0 s2 c e2 i2 d2 s2' g2 l.

Lemma end_apart : forall C1 : Z -> Prop, (forall d, root_vmid (Step.hw s1') d = vmid_of w -> C1 d) ->
  (forall d r, 0 <= r < REG_SWITCHED -> ~ C1 d -> C0 d -> sysreg s2' d r = sysreg s1' d r) ->
  (forall d r, 0 <= r < 66 -> ~ C1 d -> C0 d -> Map.get (fp (Step.hw s2')) (d * 128 + r) = Map.get (fp (Step.hw s1')) (d * 128 + r)) ->
  (forall d, C0 d \/ ~ C0 d) -> apart w T0 C1 (Step.hw s1') (Step.hw s2').
Proof.
  intros C1 IT SR SF DE. destruct L1 as (n1 & h1 & H1 & E1), L2 as (n2 & h2 & H2 & E2).
  assert (A : apart w T0 C0 h1 h2).
  { eapply ends_apart; [exact H1|exact H2|exact begin_apart| | |].
    - eapply fine_weak; [|exact F1]. intros p Q. left. apply low_own; [exact VW|exact (core_is_safe.go_sound _ _ G1)|exact WA|exact (has_low _ _ _ _ G1 Q)].
    - eapply fine_weak; [|exact F2]. intros p Q. left. eapply other_own; [exact TW|]. apply low_own; [exact VW|exact (core_is_safe.go_sound _ _ G2)|exact WB|exact (has_low _ _ _ _ G2 Q)].
    - pose proof HEARD as K. unfold meanwhile in K. injection K. auto. }
  destruct A as [A1 A2 A3 A4 A5 A6 A7]. constructor.
  - rewrite E1, E2. exact A1.
  - rewrite E1, E2. exact A2.
  - rewrite E1, E2. exact A3.
  - intros d r R N. destruct (DE d) as [D|D]; [exact (SR d r R N D)|]. rewrite E1, E2. exact (A4 d r R D).
  - intros d r R N. destruct (DE d) as [D|D]; [exact (SF d r R N D)|]. rewrite E1, E2. exact (A5 d r R D).
  - rewrite E1, E2. reflexivity.
  - exact IT.
Qed.

Theorem exits_tell_alike : forall f, observe w s1' f <-> observe w s2' f.
Proof.
  destruct (it_runs w T Cs a b s1 s2 c VW C TW RU) as (_ & GU & EV). assert (GU2 : cpu_vm (cpu_at b c) <> CPU_HOST) by (now rewrite EV).
  destruct (takes_so _ _ _ _ _ _ _ _ G1 GU T1) as (O1 & _). destruct (takes_so _ _ _ _ _ _ _ _ G2 GU2 T2) as (O2 & _).
  destruct (exits_look_alike w T Cs a b s1 s2 s1' s2' c e1 e2 i1 i2 d1 d2 g1 g2 VW C TW RU T1 T2 SAME) as [RT LK].
  destruct (pages_stay w a s1 c e1 i1 d1 s1' g1 G1 GU T1) as (a' & GA & PA). destruct (pages_stay w b s2 c e2 i2 d2 s2' g2 G2 GU2 T2) as (b' & GB & PB).
  set (C1 := fun d => root_vmid (Step.hw s1') d = vmid_of w).
  assert (ONE : forall d, ~ C1 d -> C0 d -> d = c) by (intros d N D; destruct (Z.eq_dec d c) as [E|E]; [exact E|]; elim N; unfold C1; now rewrite O1).
  assert (HB : globals_hold b (Step.glob s1)) by (rewrite <- (tw_glob _ _ _ _ _ _ _ TW); exact (core_is_safe.go_globals _ _ G2)).
  assert (V : vmid_of w <> 0) by (unfold vmid_of; lia).
  apply (veiled_look_alike w V T0 C1 a' b'). constructor.
  - apply end_apart; [auto| | |intro d; unfold C0; lia].
    + intros d r R N D. pose proof (ONE d N D) as ->. destruct (LK (RegIs c r (sysreg s1' c r)) eq_refl) as [K _]. cbn [observe] in K. apply K. auto.
    + intros d r R N D. pose proof (ONE d N D) as ->. destruct (LK (FpIs c r (Map.get (fp (Step.hw s1')) (c * 128 + r))) eq_refl) as [K _]. cbn [observe] in K. apply K. auto.
  - intros d r R N. destruct (Z.eq_dec d c) as [->|E].
    + destruct (LK (GprIs c r (x s1' c r)) eq_refl) as [K _]. cbn [observe] in K. apply K. auto.
    + assert (ND : ~ Cs d) by (apply ran; intro Q; apply N; unfold C1; now rewrite O1).
      assert (EX : forall s s' a0 e i du g, core_is_safe.good a0 s -> cpu_vm (cpu_at a0 c) <> CPU_HOST -> takes a0 s c e i du s' g -> x s' d r = x s d r).
      { intros s s' a0 e i du g G U [(m & D) X O NX].
        destruct (next_ended Program.core Theorems.trap_is_correct m a0 s c e i du s' g G D U X O NX) as (t & [_ _ _ _ _ _ EX]).
        unfold x. rewrite EX, loaded by exact R. now replace (d =? c) with false by lia. }
      rewrite (EX _ _ _ _ _ _ _ G1 GU T1), (EX _ _ _ _ _ _ _ G2 GU2 T2). exact (tw_gpr _ _ _ _ _ _ _ TW d r R ND).
  - exact GA.
  - exact GB.
  - intros p Q. assert (P1 : its_pages w a' p) by (apply PA; exact Q). assert (P2 : its_pages w b' p).
    { apply PB. exact (hold_its w a b _ (core_is_safe.go_globals _ _ G1) HB p Q). }
    split; [destruct P1 as [P1|P1]|destruct P2 as [P2|P2]]; auto; left; apply own_low; auto; [exact (core_is_safe.go_sound _ _ GA)|exact (core_is_safe.go_sound _ _ GB)].
  - auto.
Qed.
End Both.
