(* SPDX-License-Identifier: Apache-2.0 *)
(* A page that nobody but the engine reaches extends the log by its content. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Machine.
From nie.spec Require Sha256 Measure State.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.state.sha256 nie.generated.state.measure.
From nie.spec Require Import Core.
From nie.proof.refine Require Import Relation sha256_refines measure_refines measure_record_refines.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.

Definition words_from (m : Z -> Z) (p : Z) (n : Z) : list Z := map (fun i => m (p * 512 + Z.of_nat i)) (seq 0 (Z.to_nat n)).
Lemma words_snoc : forall m p n, 0 <= n -> words_from m p (n + 1) = words_from m p n ++ [m (p * 512 + n)].
Proof.
  intros m p n N. unfold words_from. replace (Z.to_nat (n + 1)) with (S (Z.to_nat n)) by lia.
  rewrite seq_S, map_app. cbn [map Nat.add]. now rewrite Z2Nat.id.
Qed.

Theorem measure_page_wp : forall h0 a A B m V vm p gl h log n (Q : unit -> mach globals Machine.hw -> Prop),
  Machine.ram h0 = ram_of a -> world h0 A B m V h -> State.in_ram a p = true -> ~ touch B p -> 0 <= vm < 64 ->
  measured gl vm log n ->
  (forall gl' h', world h0 A B m V h' -> only_measure vm gl gl' ->
     measured gl' vm (log ++ Measure.page (fun i => m (p * 512 + i))) (n + 64) -> Q tt (Mach gl' h')) ->
  wp (measure_page vm p) Q (Mach gl h).
Proof.
  intros h0 a A B m V vm p gl h log n Q RAM W Pr N Hv M HQ. unfold measure_page, PAGE_BLOCKS, BLOCK_WORDS. apply wp_bind.
  apply wp_loop with (I := fun k _ s => exists gl' h', s = Mach gl' h' /\ world h0 A B m V h' /\ only_measure vm gl gl' /\
    measured gl' vm (log ++ words_from m p (8 * k)) (n + Z.to_nat k)); [lia| | |].
  - exists gl, h. split; [reflexivity|]. split; [auto|]. split; [apply only_measure_refl|].
    change (words_from m p (8 * 0)) with (@nil Z). now rewrite app_nil_r, Nat.add_0_r.
  - intros k _ s K (gl1 & h1 & -> & W1 & O1 & M1). apply wp_bind.
    apply wp_loop with (I := fun i _ s => exists gl' h' l, s = Mach gl' h' /\ world h0 A B m V h' /\ only_scratch gl1 gl' /\
      words_from m p (8 * k + i) = words_from m p (8 * k) ++ l /\ length l = Z.to_nat i /\
      schedule_of gl' (Z.to_nat (2 * i)) = flat_map halves l); [lia| | |].
    + exists gl1, h1, []. split; [reflexivity|]. split; [auto|]. split; [apply scratch_refl|].
      rewrite Z.add_0_r, app_nil_r. auto.
    + intros i _ s I (gl2 & h2 & l & -> & W2 & S2 & E2 & L2 & H2). apply wp_bind.
      rewrite (wrap32 (k * 8)), (wrap32 (k * 8 + i)) by lia.
      eapply wp_page_read; eauto; [unfold Machine.is_word; lia|]. intros h3 W3. apply wp_bind.
      eapply put_next_wp; [lia|exact S2|exact H2|]. intros gl3 S3 H3. apply wp_ret.
      exists gl3, h3. eexists. split; [reflexivity|]. split; [auto|]. split; [exact S3|].
      split; [|split; [|exact H3]].
      * replace (8 * k + (i + 1)) with (8 * k + i + 1) by lia. rewrite words_snoc, E2 by lia.
        rewrite <- app_assoc. now replace (k * 8 + i) with (8 * k + i) by lia.
      * rewrite app_length, L2. cbn [length]. lia.
    + intros _ s (gl2 & h2 & l & -> & W2 & S2 & E2 & L2 & H2). cbn beta. apply wp_bind.
      eapply next_block_wp with (b := l); [auto|eapply scratch_measured; eauto|exact L2|exact H2|].
      intros gl3 O3 M3. apply wp_ret. exists gl3, h2. split; [reflexivity|]. split; [auto|]. split.
      * eapply only_measure_trans; [exact O1|]. eapply only_measure_trans; [apply scratch_only; exact S2|exact O3].
      * replace (8 * (k + 1)) with (8 * k + 8) by lia. rewrite E2, app_assoc.
        replace (n + Z.to_nat (k + 1))%nat with (S (n + Z.to_nat k)) by lia. exact M3.
  - intros _ s (gl1 & h1 & -> & W1 & O1 & M1). cbn beta. apply wp_ret. apply HQ; auto.
Qed.
