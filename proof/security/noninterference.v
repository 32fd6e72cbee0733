(* SPDX-License-Identifier: Apache-2.0 *)
(* A call of the host, of a function whose specification is proved, on two machines that differ in what a VM keeps to itself: the
   results are the same, and what the host can look at afterwards is. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.spec Require Import State.
From nie.lib Require Import World.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.spec Require Import Core Step Isolation.
From nie.proof.refine Require Import Relation.
From nie.proof.security Require Import Lockstep Alike Handler Primitives.
From nie.model Require Import Machine.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.
Ltac Zify.zify_post_hook ::= Z.to_euclidean_division_equations.

(** The statement. *)

(* Pages of RAM that the victim has to itself: in the lower half of its IPA space. *)
Definition own_page (a : state) (w : who) (p : Z) : Prop := State.in_ram a p = true /\ exists x, own a p = Data (vm w) x /\ x < 2 ^ 26.
(* CPUs, but for this one, on which it runs. *)
Definition its_cpus (w : who) (h : Machine.hw) (c : Z) : Prop := c <> me h /\ root_vmid h c = vmid_of w.

(* What the host has of a machine. LESS than [observe]: of memory, what the host reaches; not what other VMs reach. *)
Record host_alike (w : who) (h1 h2 : Machine.hw) : Prop := {
  ha_words : forall p i, is_word i = true -> reached h1 0 p \/ reached h2 0 p ->
      Map.get (mem h2) (p * 512 + i) = Map.get (mem h1) (p * 512 + i);
  ha_roots : forall c, root_vmid h2 c = root_vmid h1 c;
  ha_reg : forall c r, 0 <= r < 128 -> root_vmid h1 c <> vmid_of w -> Map.get (reg h2) (c * 128 + r) = Map.get (reg h1) (c * 128 + r);
  ha_fp : forall c r, 0 <= r < 128 -> root_vmid h1 c <> vmid_of w -> Map.get (fp h2) (c * 128 + r) = Map.get (fp h1) (c * 128 + r);
  ha_tlb : tlb h2 = tlb h1;
}.

(* The computation [m] tells nothing of a victim [w]. The two machines stand for one abstract state [a]: LESS than the goal, for what the
   victim's saved contexts hold is part of [a], and so is not secret here. The CPU that makes the call does not run the victim. [fine]
   (Alike.v): in mid-handler walks find what their labels say, and the victim stores in secret to pages only that it has already.
   [args_ok]: of the engine's objects, the CPU and the arguments. *)
Definition hides (m : list Z -> M (mach globals (Machine.hw * log)) (list Z)) (args_ok : globals -> Z -> list Z -> Prop) : Prop :=
  forall a w g h1 h2 args r1 r2 g1 g2 h1' h2' l1 l2, 0 <= vm w -> args_ok g (me h1) args ->
  R a (Mach g h1) -> R a (Mach g h2) -> unclaimed h1 -> unclaimed h2 -> alike (own_page a w) (its_cpus w h1) h1 h2 ->
  root_vmid h1 (me h1) <> vmid_of w ->
  m args (Mach g (h1, [])) = Some (r1, Mach g1 (h1', l1)) ->
  m args (Mach g (h2, [])) = Some (r2, Mach g2 (h2', l2)) ->
  tell w l1 = tell w l2 -> Forall (fine w (own_page a w)) l1 -> Forall (fine w (own_page a w)) l2 ->
  r2 = r1 /\ g2 = g1 /\ host_alike w h1' h2'.
(* A function of a program, whatever the engine's objects hold. *)
Definition tells_nothing (P : program gvar) (f : string) (args_ok : list Z -> Prop) : Prop := hides (call P f) (fun _ _ => args_ok).

(** A shadow of the first machine: its TLB has an entry, that nobody can use, for each page that the victim owns. If the engine
    read one of them, the shadow would stop; and it does not, by the theorem on the call. *)

Section Phantoms.
Variables (a : state) (w : who) (c0 : Z).
Hypothesis W : wf a.
Hypothesis O : onto a.

Definition good (e : entry) : Prop := phantom c0 e /\ vmid e = vmid_of w /\ doomed e = false /\
  Aset a (vmid e) (level e) (key e) (desc e) /\ ~ upper (level e) (key e).

Lemma phantom_for : forall p, own_page a w p -> exists e, good e /\ maps (level e) (desc e) p.
Proof.
  intros p (RA & x & OW & X). pose proof (ram_small _ W _ RA) as SM.
  destruct (on_data _ O _ _ _ RA OW) as [S|S].
  - destruct (wf_slot _ W _ _ _ ltac:(rewrite S; discriminate)) as (V & _ & _ & K & _).
    destruct (enc_facts (ToPage p) p ltac:(lia) eq_refl) as (E1 & E2 & E3).
    assert (L : is_leaf 3 (enc (ToPage p)) = true) by (unfold is_leaf; rewrite E3; reflexivity).
    exists (Entry c0 (vmid_of w) 3 x (enc (ToPage p)) false). unfold good, phantom. cbn [cpu vmid level key desc doomed].
    split; [|split; [exact L|]].
    + split; [auto|]. split; [reflexivity|]. split; [reflexivity|]. split.
      * right. exists (vm w). unfold vmid_of. split; auto. split; [exact V|]. right. split; [lia|]. rewrite S. auto.
      * intros [_ U]. lia.
    + unfold first_page, covers. rewrite E2. change (512 ^ (3 - 3)) with 1. lia.
  - destruct (wf_slot _ W _ _ _ ltac:(rewrite S; discriminate)) as (V & _ & _ & K & _).
    destruct (wf_blk _ W _ _ _ _ S) as (_ & Q & B). destruct (B 0 eq_refl) as [R0 _]. apply (ram_small _ W) in R0.
    set (q := p - x mod 512) in *. destruct (enc_facts (ToBlock q) q ltac:(lia) eq_refl) as (E1 & E2 & E3).
    assert (L : is_leaf 2 (enc (ToBlock q)) = true) by (unfold is_leaf; rewrite E3; reflexivity).
    exists (Entry c0 (vmid_of w) 2 (x / 512) (enc (ToBlock q)) false). unfold good, phantom. cbn [cpu vmid level key desc doomed].
    split; [|split; [exact L|]].
    + split; [auto|]. split; [reflexivity|]. split; [reflexivity|]. split.
      * right. exists (vm w). unfold vmid_of. split; auto. split; [exact V|]. right. split; [lia|]. rewrite S. auto.
      * intros [U _]. lia.
    + unfold first_page, covers. rewrite E2. change (512 ^ (3 - 2)) with 512. unfold q in *. lia.
Qed.

Lemma phantoms_to : forall n, exists X, Forall good X /\
  forall p, ram_first (cfg a) <= p < ram_first (cfg a) + Z.of_nat n -> own_page a w p -> exists e, In e X /\ maps (level e) (desc e) p.
Proof.
  induction n as [|n (X & G & H)]; [exists []; split; [constructor|intros; lia]|].
  set (q := ram_first (cfg a) + Z.of_nat n).
  assert (D : own_page a w q \/ ~ own_page a w q).
  { unfold own_page. destruct (State.in_ram a q); [|right; intros [? _]; discriminate].
    destruct (own a q) as [| | | |v x| |]; try (right; intros (_ & y & E & _); discriminate).
    destruct (Z.eq_dec v (vm w)) as [->|N]; [|right; intros (_ & y & E & _); congruence].
    destruct (Z_lt_dec x (2 ^ 26)); [left; eauto|right; intros (_ & y & E & L); injection E as ->; contradiction]. }
  destruct D as [Y|N].
  - destruct (phantom_for _ Y) as (e & GE & M). exists (e :: X). split; [now constructor|]. intros p P OP.
    destruct (Z.eq_dec p q) as [->|Q]; [exists e; split; [now left|exact M]|]. destruct (H p ltac:(lia) OP) as (e' & I & M'). exists e'. split; [now right|exact M'].
  - exists X. split; auto. intros p P OP. destruct (Z.eq_dec p q) as [->|Q]; [contradiction|]. apply H; auto. lia.
Qed.

Lemma phantoms : exists X, Forall good X /\ forall p, own_page a w p -> exists e, In e X /\ maps (level e) (desc e) p.
Proof.
  destruct (phantoms_to (Z.to_nat (ram_count (cfg a)))) as (X & G & H). exists X. split; auto. intros p OP. apply H; auto.
  destruct OP as [RA _]. unfold State.in_ram in RA. lia.
Qed.

Lemma shadow_related : forall g h X, R a (Mach g h) -> Forall good X -> R a (Mach g (h <| tlb := tlb h ++ X |>)).
Proof.
  intros g h X [W' O' G (m & WO & TH) RAM ENG REGS] GX. rewrite Forall_forall in GX. constructor; auto.
  - exists m. split; [|exact TH]. cbn [C_store.hw] in *. destruct WO. constructor; auto.
    + cbn. intros e I. apply in_app_or in I as [I|I]; [auto|]. apply GX in I. apply I.
    + cbn. intros e I D. apply in_app_or in I as [I|I]; [auto|]. apply GX in I. apply I.
    + constructor; reflexivity.
  - destruct REGS. constructor; auto.
Qed.
End Phantoms.

Lemma not_hosts : forall a g h p, R a (Mach g h) -> become_secret h p -> ~ hosts (Aset a) p.
Proof. intros a g h p [_ _ _ (m & WO & _) _ _ _] S. exact (secret_grows _ _ _ _ _ _ _ WO S). Qed.
Lemma reached_hosts : forall a g h p, R a (Mach g h) -> reached h 0 p -> hosts (Aset a) p.
Proof.
  intros a g h p [_ _ _ (m & WO & _) _ _ _] (l & k & d & H & M). exists l, k, d. split; auto. exact (avail_sub _ _ _ _ _ _ _ _ _ _ WO H).
Qed.
Lemma shadow_reaches : forall w c O b h h' v p, shadow w c O b h h' -> reached h v p -> reached h' v p.
Proof.
  intros w c O b h h' v p [M U G _ _ _ _ _ (X & T & _)] (l & k & d & H & MP). exists l, k, d. split; auto. clear MP.
  induction H as [e I|x|v l k d i d' H IH TB W V S].
  - apply av_tlb. rewrite T. apply in_or_app. now left.
  - pose proof (av_root h' x) as A. unfold root_vmid, root_desc, vttbr in *. now rewrite G in A.
  - eapply av_step; eauto. unfold visible in *. now rewrite M, U.
Qed.

(* What is needed of the theorem on a call: from every state that stands for an abstract one it ends in such a state. *)
Definition ends_from (m : list Z -> M (mach globals (Machine.hw * log)) (list Z)) (args_ok : globals -> Z -> list Z -> Prop) : Prop :=
  forall a g h args, R a (Mach g h) -> unclaimed h -> args_ok g (me h) args ->
  exists r a' g' h' l, m args (Mach g (h, [])) = Some (r, Mach g' (h', l)) /\ R a' (Mach g' h').
Definition ends_related (P : program gvar) (f : string) (args_ok : list Z -> Prop) : Prop := ends_from (call P f) (fun _ _ => args_ok).
(* And of the text. *)
Definition stays_in_step (m : list Z -> M (mach globals (Machine.hw * log)) (list Z)) : Prop :=
  forall w c0 O same args, vmid_of w <> 0 -> exists d, lock (Handler.Rel w c0 O same) le (Handler.Pre w O same) false d (m args).

Section Call.
Variables (m : list Z -> M (mach globals (Machine.hw * log)) (list Z)) (pre : globals -> Z -> list Z -> Prop).
Hypothesis D : ends_from m pre.
Hypothesis ST : stays_in_step m.

(* [T']: memory that may differ at the end; [Cs']: CPUs whose registers may. *)
Definition ends_alike (w : who) (Own : Z -> Prop) (T' Cs' : Z -> Prop) (g' : globals) (h1' h2' : Machine.hw) : Prop :=
  alike T' Cs' h1' h2' /\ (forall c, Cs' c -> root_vmid h1' c = vmid_of w) /\ (forall p, T' p -> Own p) /\
  exists a3 h3', R a3 (Mach g' h3') /\ (forall p, T' p -> ~ hosts (Aset a3) p) /\ forall p, reached h1' 0 p -> hosts (Aset a3) p.
(* [same]: the same labels in mid-handler; else those that are heard are the same. *)
Definition keeps_step : Prop := forall same a w g h1 h2 T Cs args r1 r2 g1 g2 h1' h2' l1 l2, 0 <= vm w -> pre g (me h1) args ->
  R a (Mach g h1) -> unclaimed h1 -> alike T Cs h1 h2 -> (forall p, T p -> own_page a w p) -> (forall c, Cs c -> its_cpus w h1 c) ->
  m args (Mach g (h1, [])) = Some (r1, Mach g1 (h1', l1)) ->
  m args (Mach g (h2, [])) = Some (r2, Mach g2 (h2', l2)) ->
  (if same : bool then during h2 = during h1 else tell w l1 = tell w l2) -> Forall (fine w (own_page a w)) l1 -> Forall (fine w (own_page a w)) l2 ->
  r2 = r1 /\ g2 = g1 /\ exists T' Cs', ends_alike w (own_page a w) T' Cs' g1 h1' h2'.
Lemma one_way : keeps_step.
Proof.
  intros same a w g h1 h2 T0 Cs0 args r1 r2 g1 g2 h1' h2' l1 l2 VW PA R1 U1 AL TO CO C1 C2 TL F1 F2.
  assert (V : vmid_of w <> 0) by (unfold vmid_of; lia).
  pose proof R1 as [W O _ _ _ _ _]. destruct (phantoms a w (me h1) W O) as (X & GX & PX).
  pose proof (shadow_related a w (me h1) g h1 X R1 GX) as R3. set (h3 := h1 <| tlb := tlb h1 ++ X |>) in *.
  destruct (D a g h3 args R3 U1 PA) as (r3 & a3 & g3 & h3' & l3 & C3 & R3').
  destruct (ST w (me h1) (own_page a w) same args V) as (d & _ & _ & L).
  assert (I : Handler.Rel w (me h1) (own_page a w) same false (Mach g (h1, [])) (Mach g (h2, [])) (Mach g (h3, []))).
  { split; [reflexivity|]. split; [reflexivity|]. split; [reflexivity|]. exists T0, Cs0. rewrite Forall_forall in GX.
    constructor.
    - exact AL.
    - constructor; try reflexivity. exists X. split; [reflexivity|]. split; [apply Forall_forall; intros e IN; apply (GX e IN)|].
      intros _ p Q. destruct (PX p Q) as (e & IN & M). destruct (GX e IN) as (_ & VE & DE & _). exists e. auto.
    - reflexivity.
    - exact CO.
    - intros p Q. apply TO in Q. destruct (PX p Q) as (e & IN & M). destruct (GX e IN) as (_ & VE & _ & _ & U). right.
      exists (vmid e), (level e), (key e), (desc e). split; [congruence|]. split; [|auto]. apply av_tlb. cbn. apply in_or_app. now right.
    - exact TO.
    - intros ->. exact TL. }
  destruct (L _ _ _ _ _ _ _ _ _ I C1 C2 C3) as (ER & _ & EG & EG3 & _ & T & Cs & J).
  { exists [], []. cbn. rewrite !app_nil_r. split; [intros ->; exact TL|auto]. }
  split; [exact ER|]. split; [exact EG|]. destruct J as [AL' SH' M' CS' SE' OW' _]. cbn [Handler.the_hw C_store.hw C_store.glob fst] in *. subst g3.
  exists T, Cs. split; [exact AL'|]. split; [intros c Q; now apply CS'|]. split; [exact OW'|]. exists a3, h3'. split; [exact R3'|]. split.
  - intros p Q. exact (not_hosts _ _ _ _ R3' (SE' p Q)).
  - intros p RC. exact (reached_hosts _ _ _ _ R3' (shadow_reaches _ _ _ _ _ _ _ _ SH' RC)).
Qed.

Theorem it_hides : hides m pre.
Proof.
  intros a w g h1 h2 args r1 r2 g1 g2 h1' h2' l1 l2 VW PA R1 R2 U1 U2 AL ME C1 C2 TL F1 F2.
  destruct (one_way false _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ VW PA R1 U1 AL (fun p Q => Q) (fun c Q => Q) C1 C2 TL F1 F2) as (ER & EG & T & Cs & AL' & CS & _ & a3 & h3 & _ & TN & RH).
  split; [exact ER|]. split; [exact EG|].
  assert (AS : alike (own_page a w) (its_cpus w h2) h2 h1).
  { assert (RT : forall c, root_vmid h2 c = root_vmid h1 c).
    { intro c. unfold root_vmid, vttbr, VTTBR_EL2. rewrite (al_reg _ _ _ _ AL); auto; [lia|]. unfold REG_EL2. lia. }
    assert (CC : forall c, its_cpus w h1 c -> its_cpus w h2 c) by (intros c [A B]; split; [rewrite (al_me _ _ _ _ AL)|rewrite RT]; assumption).
    constructor.
    - intros p i WI N. symmetry. now apply (al_mem _ _ _ _ AL).
    - exact (eq_sym (al_tlb _ _ _ _ AL)).
    - intros c r RR Q. symmetry. apply (al_reg _ _ _ _ AL); auto.
    - intros c r RR Q. symmetry. apply (al_fp _ _ _ _ AL); auto.
    - exact (eq_sym (al_me _ _ _ _ AL)).
    - exact (eq_sym (al_inputs _ _ _ _ AL)).
    - exact (eq_sym (al_taken _ _ _ _ AL)). }
  destruct (one_way false _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ VW ltac:(rewrite (al_me _ _ _ _ AL); exact PA) R2 U2 AS (fun p Q => Q) (fun c Q => Q) C2 C1 (eq_sym TL) F2 F1) as (_ & _ & T2 & Cs2 & AL2 & _ & _ & a4 & h4 & _ & TN2 & RH2).
  constructor.
  - intros p i WI [RC|RC].
    + apply (al_mem _ _ _ _ AL'); [exact WI|]. intro Q. exact (TN p Q (RH p RC)).
    + symmetry. apply (al_mem _ _ _ _ AL2); [exact WI|]. intro Q. exact (TN2 p Q (RH2 p RC)).
  - intro c. unfold root_vmid, vttbr, VTTBR_EL2. rewrite (al_reg _ _ _ _ AL'); auto; [lia|]. unfold REG_EL2. lia.
  - intros c r RR N. apply (al_reg _ _ _ _ AL'); [exact RR|]. intro Q. elim (N (CS c Q)).
  - intros c r RR N. apply (al_fp _ _ _ _ AL'); [exact RR|]. intro Q. elim (N (CS c Q)).
  - exact (al_tlb _ _ _ _ AL').
Qed.
End Call.

Lemma call_stays : forall P f d, plain strength_p P -> strength strength_p P f false = Some d -> stays_in_step (call P f).
Proof. intros P f d PL E w c0 O same args V. exists d. exact (handler_lock w V c0 O same P PL f false d args E). Qed.
Theorem call_tells_nothing : forall P f pre d, ends_related P f pre -> plain strength_p P -> strength strength_p P f false = Some d -> tells_nothing P f pre.
Proof. intros P f pre d D PL E. exact (it_hides _ _ D (call_stays _ _ _ PL E)). Qed.

Lemma ends_of_does : forall P f pre spec, Isolation.does R P f pre spec -> ends_related P f pre.
Proof. intros P f pre spec D a g h args HR _ PA. destruct (D a g h args HR PA) as (g' & h' & l & E & HR' & _). exists (fst (spec args a)), (snd (spec args a)), g', h', l. auto. Qed.
Lemma ends_of_does0 : forall P f pre spec, Isolation.does R0 P f pre spec -> ends_related P f pre.
Proof. intros P f pre spec D a g h args HR UC PA. destruct (D a g h args (conj HR UC) PA) as (g' & h' & l & E & [HR' _] & _). exists (fst (spec args a)), (snd (spec args a)), g', h', l. auto. Qed.
