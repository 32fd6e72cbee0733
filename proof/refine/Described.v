(* SPDX-License-Identifier: Apache-2.0 *)
(* The manifest that boot read is the machine's description: what a trap needs of it. *)
From Coq Require Import ZArith List Bool Lia.
From nie.spec Require Import State.
From nie.spec.trap Require boot.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Open Scope Z_scope.

Definition described (w : Z -> Z) (a : state) (gl : globals) : Prop :=
  cfg a = nie.spec.trap.boot.config_of w /\ nie.spec.trap.boot.manifest_check w = BOOT_OK /\
  forall i, 0 <= i < MAN_END -> 0 <= w i < 2 ^ 64 /\ at1 config_word gl i = w i.
Lemma described_same : forall w a b gl gl', described w a gl -> cfg b = cfg a -> field config_word gl' = field config_word gl -> described w b gl'.
Proof. intros w a b gl gl' (C & K & W) E F. split; [congruence|]. split; [exact K|]. intros i I. destruct (W i I) as [U X]. split; [exact U|]. unfold at1 in *. now rewrite F. Qed.
Lemma described_cpus : forall w a gl, described w a gl -> at1 config_word gl MAN_CPUS = cpu_count (cfg a) /\ 1 <= cpu_count (cfg a) <= NIE_MAX_CPUS.
Proof.
  intros w a gl (C & K & W). rewrite C. cbn [cpu_count nie.spec.trap.boot.config_of]. split; [apply W; unfold MAN_CPUS, MAN_END; lia|].
  unfold nie.spec.trap.boot.manifest_check in K. destruct (_ =? _); [|discriminate]. destruct (nie.spec.trap.boot.ram_ok w); [|discriminate].
  destruct (nie.spec.trap.boot.cpus_ok w) eqn:E; [|discriminate]. unfold nie.spec.trap.boot.cpus_ok in E. lia.
Qed.

