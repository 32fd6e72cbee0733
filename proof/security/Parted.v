(* SPDX-License-Identifier: Apache-2.0 *)
(* Two whole machines between handlers that differ in what a VM keeps to itself and in what the engine keeps for it: saved contexts,
   the engine's copies of its registers, pending syndromes, and what is left of it in registers of EL2 that the host cannot read. Twins.v
   is lost at the VM's first exit; this is what can hold afterwards. Nobody else can tell such machines apart. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import C Machine.
From nie.spec Require Import State.
From nie.lib Require Import World Wp.
From nie.proof.invariant Require Import Meaning.
From nie.generated Require Import Prims.
From nie.proof.refine Require Import Relation.
From nie.proof.security Require Import core_is_safe Twins Apart.
From nie.proof.security Require Alike.
From nie.model Require Import Machine.
From nie.spec Require Import Core Step Isolation.
Import ListNotations.
Open Scope Z_scope.

Section Parted.
Variable w : who.
Hypothesis V : vmid_of w <> 0.

(* A page where the engine saves a vCPU of the VM. *)
Definition saves (a : state) (p : Z) : Prop := State.in_ram a p = true /\ exists i, own a p = Vcpu (vm w) i.
(* Objects that may differ: copies of x0 to x30 on CPUs that run the VM, and what its vCPUs' last aborts asked for. *)
Record globals_parted (Cs : Z -> Prop) (g1 g2 : globals) : Prop := {
  gp_field : forall o, o <> cpus_x -> o <> vcpus_syndrome -> field o g2 = field o g1;
  gp_x : forall c r, 0 <= r < 31 -> ~ Cs c -> at1 cpus_x g2 (c * 31 + r) = at1 cpus_x g1 (c * 31 + r);
  gp_syndrome : forall v i, 0 <= i < NIE_MAX_VCPUS -> v <> vm w -> at1 vcpus_syndrome g2 (v * NIE_MAX_VCPUS + i) = at1 vcpus_syndrome g1 (v * NIE_MAX_VCPUS + i);
}.
Record veiled (T Cs : Z -> Prop) (a b : state) (s1 s2 : Step.machine) : Prop := {
  pa_hw : apart w T Cs (hw s1) (hw s2);
  pa_gpr : forall c r, 0 <= r < 31 -> ~ Cs c -> x s2 c r = x s1 c r;
  pa_good1 : good a s1;
  pa_good2 : good b s2;
  pa_pages : forall p, T p -> (low w a p \/ saves a p) /\ (low w b p \/ saves b p);
  pa_runs : forall c, Cs c -> root_vmid (hw s1) c = vmid_of w;
}.
Record parted (T Cs : Z -> Prop) (a b : state) (s1 s2 : Step.machine) : Prop := {
  pa_glob : globals_parted Cs (glob s1) (glob s2);
  pa_off : off s2 = off s1;
  pa_veiled : veiled T Cs a b s1 s2;
}.

(* Nobody but the VM reaches such a page, and no walk passes through it on either machine. *)
Lemma left_out_alone : forall a s u p, good a s -> low w a p \/ saves a p -> reached (hw s) u p -> u = vmid_of w.
Proof.
  intros a s u p G [L|(R & i & O)] RC; [exact (low_alone w V _ _ _ _ G L RC)|]. exfalso. destruct RC as (l & k & d & A & M).
  apply (avail_map _ _ _ _ _ _ G) in A. apply (untouched a (trap_steps_preserve.so_wf _ (go_sound _ _ G)) p R); [now rewrite O|]. exists u, l, k, d. auto.
Qed.
Lemma no_table : forall a s v l k d, good a s -> Aset a v l k d -> is_table l d = true -> ~ (low w a (frame d) \/ saves a (frame d)).
Proof.
  intros a s v l k d G A TB [L|(R & i & O)].
  - exact (table_apart _ _ _ _ _ _ G A TB (low_touch w _ _ L)).
  - destruct (table_target a (trap_steps_preserve.so_wf _ (go_sound _ _ G)) _ _ _ _ A TB) as [_ [(_ & F)|(z & _ & F)]]; rewrite O in F; discriminate F.
Qed.

Section Two.
Variables (T Cs : Z -> Prop) (a b : state) (s1 s2 : Step.machine).
Hypothesis PT : veiled T Cs a b s1 s2.
Let A := pa_hw _ _ _ _ _ _ PT.
Let G1 := pa_good1 _ _ _ _ _ _ PT.
Let G2 := pa_good2 _ _ _ _ _ _ PT.

Lemma parted_root : forall c, root_vmid (hw s2) c = root_vmid (hw s1) c.
Proof. intro c. exact (apart_root w T Cs _ _ c A). Qed.
Lemma parted_visible : forall v l k d i d', Aset a v l k d -> Aset b v l k d -> is_table l d = true -> is_word i = true -> valid d' = true ->
  visible (hw s1) (frame d * 512 + i) d' = visible (hw s2) (frame d * 512 + i) d'.
Proof.
  intros v l k d i d' MA MB TB W VD.
  assert (E : Map.get (Machine.mem (hw s2)) (frame d * 512 + i) = Map.get (Machine.mem (hw s1)) (frame d * 512 + i)).
  { apply (ap_mem _ _ _ _ _ A); auto. intro P. exact (no_table _ _ _ _ _ _ G1 MA TB (proj1 (pa_pages _ _ _ _ _ _ PT _ P))). }
  apply eq_true_iff_eq. split; intro VI; unfold visible.
  - rewrite E, (table_word _ _ _ _ _ _ _ _ G1 MA TB W VD VI), Z.eqb_refl. reflexivity.
  - rewrite <- E, (table_word _ _ _ _ _ _ _ _ G2 MB TB W VD VI), Z.eqb_refl. reflexivity.
Qed.
Lemma parted_avail : forall v l k d, avail (hw s1) v l k d <-> avail (hw s2) v l k d.
Proof.
  assert (RD : forall c, root_desc (hw s2) c = root_desc (hw s1) c) by (intro c; unfold root_desc; now rewrite (ap_vttbr _ _ _ _ _ A)).
  intros v l k d. split; intro H; induction H as [e I|c|v l k d i d' H IH TB W VD VI].
  - apply av_tlb. now rewrite (ap_tlb _ _ _ _ _ A).
  - rewrite <- parted_root, <- RD. apply av_root.
  - eapply av_step; eauto. rewrite <- (parted_visible v l k d i d'); auto; [exact (avail_map _ _ _ _ _ _ G1 H)|exact (avail_map _ _ _ _ _ _ G2 IH)].
  - apply av_tlb. now rewrite <- (ap_tlb _ _ _ _ _ A).
  - rewrite parted_root, RD. apply av_root.
  - eapply av_step; eauto. rewrite (parted_visible v l k d i d'); auto; [exact (avail_map _ _ _ _ _ _ G1 IH)|exact (avail_map _ _ _ _ _ _ G2 H)].
Qed.
Lemma parted_reached : forall v p, reached (hw s1) v p <-> reached (hw s2) v p.
Proof. intros v p. split; intros (l & k & d & H & M); exists l, k, d; (split; [now apply parted_avail|exact M]). Qed.

(* Whoever else runs on the machine finds the same. *)
Theorem veiled_look_alike : forall f, observe w s1 f <-> observe w s2 f.
Proof.
  intro f. assert (NC : forall c, ~ runs s1 c (vmid_of w) -> ~ Cs c) by (intros c N Q; apply N; exact (pa_runs _ _ _ _ _ _ PT c Q)).
  pose proof parted_root as RT. pose proof parted_reached as RE.
  destruct f as [c v|c r v|c r v|c r v|v p|p i v]; cbn [observe]; unfold runs in *; rewrite ?RT; try tauto.
  - pose proof (pa_gpr _ _ _ _ _ _ PT) as GP. split; intros (N & R & E); (split; [exact N|split; [exact R|]]); [rewrite GP|rewrite <- GP]; auto.
  - pose proof (ap_fp _ _ _ _ _ A) as FP. split; intros (N & R & E); (split; [exact N|split; [exact R|]]); [rewrite FP|rewrite <- FP]; auto.
  - unfold sysreg. pose proof (ap_reg _ _ _ _ _ A) as RG. split; intros (N & R & E); (split; [exact N|split; [exact R|]]); [rewrite RG|rewrite <- RG]; auto.
  - unfold by_other. now rewrite RE.
  - assert (Q : (exists u, by_other w s1 u p) -> is_word i = true -> Map.get (Machine.mem (hw s2)) (p * 512 + i) = Map.get (Machine.mem (hw s1)) (p * 512 + i)).
    { intros (u & N & RC) W. apply (ap_mem _ _ _ _ _ A); auto. intro P. apply N. exact (left_out_alone _ _ _ _ G1 (proj1 (pa_pages _ _ _ _ _ _ PT p P)) RC). }
    assert (B : (exists u, by_other w s1 u p) <-> (exists u, by_other w s2 u p)).
    { unfold by_other. split; intros (u & N & RC); exists u; (split; [exact N|]); now apply RE. }
    split; intros (U & W & E).
    + split; [now apply B|]. split; [exact W|]. now rewrite Q.
    + split; [now apply B|]. split; [exact W|]. rewrite <- Q; auto. now apply B.
Qed.
End Two.
Theorem parted_look_alike : forall T Cs a b s1 s2, parted T Cs a b s1 s2 -> forall f, observe w s1 f <-> observe w s2 f.
Proof. intros T Cs a b s1 s2 [_ _ VE]. exact (veiled_look_alike _ _ _ _ _ _ VE). Qed.

(* Twins are parted, when every CPU that runs the VM is left out. *)
Lemma twins_parted : forall T Cs a b s1 s2, twins w T Cs a b s1 s2 -> parted T (fun c => root_vmid (hw s1) c = vmid_of w) a b s1 s2.
Proof.
  intros T Cs a b s1 s2 [G O AL GP G1 G2 LO RU]. assert (N : forall c, root_vmid (hw s1) c <> vmid_of w -> ~ Cs c) by (intros c Q K; exact (Q (RU c K))).
  constructor; [rewrite G; now constructor|exact O|]. constructor; auto.
  - destruct AL. constructor; auto.
    + intro c. unfold vttbr, VTTBR_EL2. apply al_reg; [lia|]. unfold REG_EL2. lia.
    + intros c r R Q. unfold REG_SWITCHED in R. apply al_reg; [lia|]. intro K. elim (N c Q K).
    + intros c r R Q. apply al_fp; [lia|auto].
  - intros p P. destruct (LO p P). auto.
Qed.
End Parted.
