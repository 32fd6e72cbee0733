(* SPDX-License-Identifier: Apache-2.0 *)
(* Two machines of which nobody but a VM can tell which is which, and nothing of them is compared that only the engine or the VM sees:
   fixed sets of pages and CPUs are left out. So it holds where Alike.v's relation is lost: the CPU that runs the engine may be left out, with
   the registers that its exit is saving, and the page where they go. What others do, heard alike, keeps it. *)
From Coq Require Import ZArith List Bool Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import Core Step Isolation.
From nie.proof.security Require Import Alike Handler.
From nie.model Require Import Machine.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

Section Apart.
Variable w : who.
Variables T Cs : Z -> Prop.          (* pages and CPUs that are left out: the VM's at least *)

Record apart (h1 h2 : Machine.hw) : Prop := {
  ap_mem : forall p i, is_word i = true -> ~ T p -> Map.get (mem h2) (p * 512 + i) = Map.get (mem h1) (p * 512 + i);
  ap_tlb : tlb h2 = tlb h1;
  ap_vttbr : forall c, vttbr h2 c = vttbr h1 c;
  ap_reg : forall c r, 0 <= r < REG_SWITCHED -> ~ Cs c -> Map.get (reg h2) (c * 128 + r) = Map.get (reg h1) (c * 128 + r);
  ap_fp : forall c r, 0 <= r < 66 -> ~ Cs c -> Map.get (fp h2) (c * 128 + r) = Map.get (fp h1) (c * 128 + r);
  ap_me : me h2 = me h1;
  ap_its : forall c, root_vmid h1 c = vmid_of w -> Cs c;
}.
Notation fine := (fine w T).

Lemma apart_root : forall h1 h2 c, apart h1 h2 -> root_vmid h2 c = root_vmid h1 c.
Proof. intros h1 h2 c A. unfold root_vmid. now rewrite (ap_vttbr _ _ A). Qed.
Lemma apart_sym : forall h1 h2, apart h1 h2 -> apart h2 h1.
Proof.
  intros h1 h2 A. pose proof A as []. constructor; auto; intros; try (symmetry; auto; fail).
  apply ap_its0. now rewrite <- (apart_root _ _ _ A).
Qed.
Lemma apart_trans : forall h1 h2 h3, apart h1 h2 -> apart h2 h3 -> apart h1 h3.
Proof. intros h1 h2 h3 [] []. constructor; try congruence; auto; intros; [rewrite ap_mem1, ap_mem0|rewrite ap_reg1, ap_reg0|rewrite ap_fp1, ap_fp0]; auto. Qed.
Lemma apart_refl : forall h, (forall c, root_vmid h c = vmid_of w -> Cs c) -> apart h h.
Proof. intros h H. constructor; auto. Qed.
Lemma apart_same : forall h1 h2 h, apart h1 h2 -> mem h = mem h2 -> tlb h = tlb h2 -> reg h = reg h2 -> fp h = fp h2 -> me h = me h2 -> apart h1 h.
Proof. intros h1 h2 h [] E1 E2 E3 E4 E5. constructor; unfold vttbr in *; rewrite ?E1, ?E2, ?E3, ?E4, ?E5; auto. Qed.
Lemma apart_met : forall h1 h2, apart h1 h2 -> apart h1 (met h2).
Proof. intros h1 h2 A. eapply apart_same; [exact A|reflexivity..]. Qed.
Lemma apart_mets : forall h1 h2, apart h1 h2 -> apart (met h1) (met h2).
Proof. intros h1 h2 A. apply apart_met, apart_sym, apart_met, apart_sym. exact A. Qed.

(** One act. *)

Lemma apart_stores : forall h1 h2 n o i, apart h1 h2 -> stores h2 n o i = stores h1 n o i.
Proof.
  intros h1 h2 n o i A. unfold stores. rewrite (ap_tlb _ _ A). destruct (nth_error (tlb h1) n); auto. now rewrite (apart_root _ _ _ A), (ap_me _ _ A).
Qed.
Lemma apart_whose : forall h1 h2 a, apart h1 h2 -> whose_act w h2 a = whose_act w h1 a.
Proof.
  intros h1 h2 a A. destruct a as [c|n i x|n|n o i x|c r x]; cbn [whose_act]; auto.
  - rewrite (ap_tlb _ _ A). destruct (nth_error (tlb h1) n); auto. now rewrite (apart_stores _ _ _ _ _ A).
  - now rewrite (apart_root _ _ _ A).
Qed.

Lemma apart_store1 : forall h1 h2 q i x, apart h1 h2 -> is_word i = true -> T q -> apart (h1 <| mem ::= fun m => Map.set m (q * 512 + i) x |>) h2.
Proof.
  intros h1 h2 q i x A I Q. destruct A. constructor; auto. intros p j J N. cbn. rewrite Map.get_set_other; [auto|].
  intro E. apply word_page in E as [-> _]; auto.
Qed.
Lemma apart_reg1 : forall h1 h2 c r x, apart h1 h2 -> 0 <= r < REG_EL2 -> Cs c -> apart (h1 <| reg ::= fun m => Map.set m (c * 128 + r) x |>) h2.
Proof.
  intros h1 h2 c r x A B Q. unfold REG_EL2 in B. destruct A. constructor; auto.
  - intro d. rewrite ap_vttbr0. unfold vttbr, VTTBR_EL2. cbn. rewrite Map.get_set_other by lia. reflexivity.
  - intros d y Y N. unfold REG_SWITCHED in Y. cbn. rewrite Map.get_set_other; [apply ap_reg0; auto|]. intro E. assert (d = c) by lia. now subst d.
  - intros d E. apply ap_its0. rewrite <- E. unfold root_vmid, vttbr, VTTBR_EL2. cbn. rewrite Map.get_set_other by lia. reflexivity.
Qed.

(* A secret act of one. *)
Lemma apart_left : forall h1 h2 a, apart h1 h2 -> fine (h1, Some a) -> whose_act w h1 a = Secret -> apart (met (act_step a h1)) h2.
Proof.
  intros h1 h2 a A [_ SY] S. apply apart_sym, apart_met, apart_sym. destruct a as [c|n i x|n|n o i x|c r x]; try discriminate.
  - rewrite write_step. destruct (stores h1 n o i) eqn:P; [|exact A]. pose proof P as P'. unfold stores in P'. cbn [stays] in SY.
    destruct (nth_error (tlb h1) n) as [e|]; [|exact A]. do 4 apply andb_prop in P' as [P' ?]. apply andb_prop in P' as [_ W]. apply apart_store1; auto.
  - cbn [whose_act] in S. destruct (Z.eqb_spec (root_vmid h1 c) (vmid_of w)) as [E|]; [|discriminate]. cbn [act_step].
    destruct ((0 <=? c) && (0 <=? r) && (r <? REG_EL2) && negb (c =? me h1)) eqn:P; [|exact A]. apply apart_reg1; auto; [unfold REG_EL2 in *; lia|exact (ap_its _ _ A c E)].
Qed.
Lemma apart_right : forall h1 h2 a, apart h1 h2 -> fine (h2, Some a) -> whose_act w h2 a = Secret -> apart h1 (met (act_step a h2)).
Proof. intros h1 h2 a A F S. apply apart_sym. apply apart_left; auto using apart_sym. Qed.

(* The same of both. *)
Lemma apart_store : forall h1 h2 k x, apart h1 h2 -> apart (h1 <| mem ::= fun m => Map.set m k x |>) (h2 <| mem ::= fun m => Map.set m k x |>).
Proof. intros h1 h2 k x []. constructor; auto. intros p i W N. cbn. rewrite !Map.get_set. destruct (_ =? _); auto. Qed.
Lemma apart_fill : forall h1 h2 e, apart h1 h2 -> apart (h1 <| tlb ::= cons e |>) (h2 <| tlb ::= cons e |>).
Proof. intros h1 h2 e []. constructor; auto. cbn. now rewrite ap_tlb0. Qed.
Lemma apart_reg_both : forall h1 h2 c r x, apart h1 h2 -> 0 <= r < REG_EL2 ->
  apart (h1 <| reg ::= fun m => Map.set m (c * 128 + r) x |>) (h2 <| reg ::= fun m => Map.set m (c * 128 + r) x |>).
Proof.
  intros h1 h2 c r x [] B. unfold REG_EL2 in B. constructor; auto.
  - intro d. unfold vttbr, VTTBR_EL2 in *. cbn. rewrite !Map.get_set_other by lia. apply ap_vttbr0.
  - intros d y Y N. cbn. rewrite !Map.get_set. destruct (_ =? _); auto.
  - intros d E. apply ap_its0. rewrite <- E. unfold root_vmid, vttbr, VTTBR_EL2. cbn. rewrite Map.get_set_other by lia. reflexivity.
Qed.

(* Which store of the VM's to a shared page was heard. *)
Lemma public_write : forall h a ev, whose_act w h a = Public ev -> exists n o i x e, a = Write n o i x /\ nth_error (tlb h) n = Some e /\
  stores h n o i = true /\ ev = Stored (first_page (level e) (desc e) + o) i x.
Proof.
  intros h a ev H. destruct a as [c|n i x|n|n o i x|c r x]; cbn [whose_act] in H; try discriminate; [|destruct (_ =? _); discriminate].
  destruct (nth_error (tlb h) n) as [e|] eqn:N; [|discriminate]. destruct (vmid e =? vmid_of w); [|discriminate].
  destruct (stores h n o i && (level e =? 3) && (2 ^ 26 <=? key e)) eqn:P; [|discriminate]. injection H as <-.
  do 2 apply andb_prop in P as [P _]. exists n, o, i, x, e. auto.
Qed.

Lemma apart_both : forall h1 h2 a a', apart h1 h2 -> happens h1 a = true -> happens h2 a' = true ->
  heard w h1 a <> [] -> heard w h2 a' = heard w h1 a -> apart (met (act_step a h1)) (met (act_step a' h2)).
Proof.
  intros h1 h2 a a' A F1 F2 NN HH. apply apart_mets. unfold heard in HH, NN. rewrite (apart_whose _ _ _ A) in HH.
  destruct (whose_act w h1 a) as [| |ev] eqn:WA; [|now elim NN|].
  - destruct (whose_act w h1 a') as [| |ev'] eqn:WA'; try discriminate.
    2:{ exfalso. destruct (public_write _ _ _ WA') as (n & o & i & x & e & _ & _ & _ & ->). injection HH. discriminate. }
    injection HH as ->. destruct a as [c|n i x|n|n o i x|c r x].
    + cbn [act_step]. assert (E : root_desc h2 c = root_desc h1 c) by (unfold root_desc; now rewrite (ap_vttbr _ _ A)).
      rewrite E, (apart_root _ _ _ A). now apply apart_fill.
    + cbn [act_step happens] in *. rewrite (ap_tlb _ _ A) in *. destruct (nth_error (tlb h1) n) as [e|]; [|exact A].
      rewrite F1, F2. destruct (_ && _ && _ && _); [now apply apart_fill|exact A].
    + cbn [act_step]. destruct A. constructor; auto. cbn. now rewrite ap_tlb0.
    + rewrite !write_step, (apart_stores _ _ _ _ _ A), (ap_tlb _ _ A). destruct (stores h1 n o i); [|exact A].
      destruct (nth_error (tlb h1) n); [now apply apart_store|exact A].
    + cbn [act_step]. rewrite (ap_me _ _ A). destruct ((0 <=? c) && (0 <=? r) && (r <? REG_EL2) && negb (c =? me h1)) eqn:P; [|exact A].
      apply apart_reg_both; [exact A|lia].
  - destruct (whose_act w h1 a') as [| |ev'] eqn:WA'; try discriminate.
    { exfalso. destruct (public_write _ _ _ WA) as (n & o & i & x & e & _ & _ & _ & ->). injection HH. discriminate. }
    injection HH as ->. destruct (public_write _ _ _ WA) as (n & o & i & x & e & -> & N & S & E).
    destruct (public_write _ _ _ WA') as (n' & o' & i' & x' & e' & -> & N' & S' & E'). rewrite E' in E. injection E as Q -> ->.
    rewrite !write_step, (apart_stores _ _ _ _ _ A), (ap_tlb _ _ A), S, S', N, N', Q. now apply apart_store.
Qed.

(** Lists of acts. *)

Lemma heard_some : forall h a ev evs, heard w h a = ev :: evs -> evs = [].
Proof. intros h a ev evs H. unfold heard in H. destruct (whose_act w h a); try discriminate H; now injection H. Qed.
Lemma heard_none : forall h a, heard w h a = [] -> whose_act w h a = Secret.
Proof. intros h a H. unfold heard in H. destruct (whose_act w h a); try discriminate H; auto. Qed.

Lemma acts_apart : forall l1 l2 h1 h2, apart h1 h2 -> Forall fine (acting l1 h1) -> Forall fine (acting l2 h2) ->
  tell w (acting l1 h1) = tell w (acting l2 h2) -> apart (acted l1 h1) (acted l2 h2).
Proof.
  induction l1 as [|a l1 IH]; intros l2 h1 h2 A F1 F2 E.
  - clear F1. revert h2 A F2 E. induction l2 as [|b l2 IH2]; intros h2 A F2 E; [exact A|]. inversion F2 as [|? ? FB FL]; subst.
    cbn [acting tell flat_map told] in E. fold (tell w (acting l2 (met (act_step b h2)))) in E.
    destruct (heard w h2 b) as [|ev evs] eqn:HB; [|discriminate E]. apply IH2; auto. apply apart_right; auto using heard_none.
  - cbn [acting] in F1. inversion F1 as [|? ? NA NL]; subst. cbn [acting tell flat_map told] in E. fold (tell w (acting l1 (met (act_step a h1)))) in E.
    destruct (heard w h1 a) as [|ev evs] eqn:HA.
    + cbn [map app] in E. apply (IH l2 (met (act_step a h1))); auto. apply apart_left; auto using heard_none.
    + pose proof (heard_some _ _ _ _ HA) as ->. revert h2 A F2 E. induction l2 as [|b l2 IH2]; intros h2 A F2 E; [discriminate E|]. inversion F2 as [|? ? FB FL]; subst.
      cbn [acting tell flat_map told] in E. fold (tell w (acting l2 (met (act_step b h2)))) in E.
      destruct (heard w h2 b) as [|ev2 evs2] eqn:HB.
      * cbn [map app] in E. apply IH2; auto. apply apart_right; auto using heard_none.
      * pose proof (heard_some _ _ _ _ HB) as ->. cbn [map app] in E. injection E as E1 E3. apply (IH l2 (met (act_step a h1)) (met (act_step b h2))); auto.
        destruct NA as [NA _], FB as [FB _]. eapply apart_both; eauto; [now rewrite HA|]. now rewrite HA, HB, E1.
Qed.

Lemma begun_apart : forall h1 h2, apart h1 h2 -> apart (begun h1) (begun h2).
Proof.
  intros h1 h2 A. assert (B : forall h, mem (begun h) = mem h /\ tlb (begun h) = tlb h /\ reg (begun h) = reg h /\ fp (begun h) = fp h /\ me (begun h) = me h).
  { intro h. unfold begun. destruct (during h); repeat split. }
  destruct (B h1) as (? & ? & ? & ? & ?), (B h2) as (? & ? & ? & ? & ?).
  eapply apart_same; [|eassumption..]. apply apart_sym. eapply apart_same; [apply apart_sym; exact A|eassumption..].
Qed.
(* The moment before a primitive. *)
Lemma others_apart : forall h1 h2, apart h1 h2 -> Forall fine (way h1) -> Forall fine (way h2) -> tell w (way h1) = tell w (way h2) -> apart (others h1) (others h2).
Proof. intros h1 h2 A F1 F2 E. rewrite !others_acted. rewrite !way_acting in *. apply acts_apart; auto using begun_apart. Qed.

(* One primitive after another: what is heard in all comes apart at the primitives. *)
Lemma ways_split : forall h1 h2 k1 k2, tell w (way h1 ++ k1) = tell w (way h2 ++ k2) -> tell w (way h1) = tell w (way h2) /\ tell w k1 = tell w k2.
Proof.
  intros h1 h2 k1 k2 E. rewrite !tell_app in E. rewrite !way_acting in *. destruct (tell_acting w (first_acts h1) (begun h1)) as [x X].
  destruct (tell_acting w (first_acts h2) (begun h2)) as [y Y]. rewrite X, Y in *. rewrite <- !app_assoc in E. cbn [app] in E.
  pose proof (split_at_none _ _ _ _ _ E) as ->. split; [reflexivity|]. apply app_inv_head in E. now injection E.
Qed.
End Apart.
