(* SPDX-License-Identifier: Apache-2.0 *)
(* Code that neither reads nor writes the hashes of VMs does the same whatever they are. VM_CREATE gives the VM its state before
   its hash; what it calls in between can be proved as if the hash were there. *)
From Coq Require Import ZArith List Bool Lia.
From nie.model Require Import Machine.
From nie.generated Require Import Prims.
From nie.lib Require Import Wp.
Require Import nie.generated.stage2_h nie.generated.granule_h nie.generated.state.granule nie.generated.state.host nie.generated.state.donate
  nie.generated.state.pages.
From nie.spec Require Import Core.
Import ListNotations.
Open Scope Z_scope.
Open Scope c_scope.

Notation machine := (mach globals Machine.hw).
Definition hashed_as (hm : Map.t Z) (s : machine) : machine := Mach (set_field vms_hash hm (glob s)) (hw s).
Definition blind {X} (m : M machine X) : Prop :=
  forall hm s, m (hashed_as hm s) = match m s with Some (x, s') => Some (x, hashed_as hm s') | None => None end.

Lemma blind_ret : forall X (x : X), blind (ret x).
Proof. intros X x hm s. reflexivity. Qed.
Lemma blind_bind : forall X Y (m : M machine X) (f : X -> M machine Y), blind m -> (forall x, blind (f x)) -> blind (bind m f).
Proof. intros X Y m f B F hm s. unfold bind. rewrite B. destruct (m s) as [[x s']|]; auto. apply F. Qed.
Lemma blind_load : forall g i, g <> vms_hash -> blind (load g i).
Proof.
  intros g i N hm s. unfold load. destruct (place (dims g) i 0); auto. unfold hashed_as at 1. cbn [glob]. now rewrite field_set_other.
Qed.
Lemma set_twice : forall g m hm (gl : globals), g <> vms_hash -> set_field g m (set_field vms_hash hm gl) = set_field vms_hash hm (set_field g m gl).
Proof. intros g m hm gl N. destruct g; first [reflexivity | now destruct N]. Qed.
Lemma blind_store : forall g i v, g <> vms_hash -> blind (store g i v).
Proof.
  intros g i v N hm s. unfold store. destruct (place (dims g) i 0); auto. unfold hashed_as. cbn [glob hw]. now rewrite field_set_other, set_twice.
Qed.
Lemma blind_hw : forall X (m : M Machine.hw X), blind (on_hw m).
Proof. intros X m hm s. unfold on_hw, hashed_as. cbn [glob hw]. now destruct (m (hw s)) as [[x h]|]. Qed.
Lemma blind_lift : forall X (x : option X), blind (lift x).
Proof. intros X [x|] hm s; reflexivity. Qed.
Lemma blind_loop : forall X lo hi (x : X) body, (forall i x, blind (body i x)) -> blind (loop lo hi x body).
Proof.
  intros X lo hi x body B. unfold loop. generalize (Z.to_nat (hi - lo)). intro n. revert lo x. induction n as [|n IH]; intros lo x; cbn [rounds'].
  - apply blind_ret.
  - apply blind_bind; auto.
Qed.

Ltac blind_step := match goal with
  | |- forall _, _ => intro
  | |- blind (ret _) => apply blind_ret
  | |- blind (bind _ _) => apply blind_bind
  | |- blind (load _ _) => apply blind_load; discriminate
  | |- blind (store _ _ _) => apply blind_store; discriminate
  | |- blind (on_hw _) => apply blind_hw
  | |- blind (lift _) => apply blind_lift
  | |- blind (loop _ _ _ _) => apply blind_loop
  | |- blind (if ?c then _ else _) => destruct c
  | |- blind (let '(_, _) := ?x in _) => destruct x
  | |- blind (match ?x with (_, _) => _ end) => destruct x
  end.

Lemma granule_set_blind : forall p a b c d e, blind (granule_set p a b c d e).
Proof. intros. unfold granule_set. repeat blind_step. Qed.
Lemma host_hide_blind : forall p n, blind (host_hide p n).
Proof.
  intros. unfold host_hide, level2_of, level3_of, level2_index, gibs, granule_exists, desc_is_table, address_of,
    page_read, page_write, dsb_ish, tlbi_vmid, isb. repeat blind_step.
Qed.
Lemma donate_blind : forall vm p n a b c d e, blind (donate vm p n a b c d e).
Proof. intros. unfold donate. repeat first [apply granule_set_blind | apply host_hide_blind | blind_step]. Qed.
Lemma scrub_blind : forall p n, blind (pages_scrub p n).
Proof. intros. unfold pages_scrub, page_zero, page_clean. repeat blind_step. Qed.

Lemma hash_own : forall gl : globals, set_field vms_hash (field vms_hash gl) gl = gl.
Proof. now intros []. Qed.

(* From a proof for other hashes. *)
Lemma wp_blind : forall X (m : M machine X) hm gl h (Q : X -> machine -> Prop), blind m ->
  wp m (fun x s => forall gl', glob s = set_field vms_hash hm gl' -> field vms_hash gl' = field vms_hash gl -> Q x (Mach gl' (hw s)))
    (Mach (set_field vms_hash hm gl) h) -> wp m Q (Mach gl h).
Proof.
  intros X m hm gl h Q B H. unfold wp in *. pose proof (B hm (Mach gl h)) as E. unfold hashed_as at 1 in E. cbn [glob hw] in E. rewrite E in H.
  pose proof (B (field vms_hash gl) (Mach gl h)) as F. unfold hashed_as at 1 in F. cbn [glob hw] in F. rewrite hash_own in F.
  destruct (m (Mach gl h)) as [[x [gl' h']]|]; [|exact H]. apply (H gl'); [reflexivity|]. cbn in F. injection F as F.
  rewrite F at 1. reflexivity.
Qed.
