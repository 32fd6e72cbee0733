(* SPDX-License-Identifier: Apache-2.0 *)
(* Each primitive keeps two machines in step that differ in a victim's secrets (Handler.v); so then does a whole program. *)
From Coq Require Import ZArith List Bool Ascii String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.lib Require Import World.
From nie.generated Require Import Prims.
From nie.spec Require Import Core Step Isolation.
From nie.proof.security Require Import Ranges Lockstep Alike Handler Switched.
From nie.model Require Import Machine.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

Section Handler.
Variable w : who.
Hypothesis V : vmid_of w <> 0.
Variable c0 : Z.
Variable Own : Z -> Prop.
Variable same : bool.
Notation inv := (inv w c0 Own same).
Notation inv0 := (inv0 w c0 Own same).
Notation kept := (kept w c0 Own same).
Notation strict := (strict w c0 Own same).
Notation MACH := (mach globals (Machine.hw * log)).
Notation Rel := (Rel w c0 Own same).
Notation Pre := (Pre w Own same).
Notation lock := (lock Rel le Pre).

(** What is said of each primitive. [true]: entries of the victim's may go, so that nothing may be read from here on. *)

Definition quiet_prims : list string :=
  ["page_write"; "page_zero"; "page_clean"; "host_read"; "host_write"; "manifest_read"; "counter_read"; "gicr_read"; "gicr_write";
   "engine_lock"; "engine_unlock"; "dsb_ish"; "isb"; "ic_invalidate"; "fp_save"; "fp_zero"; "firmware_call"; "firmware_cpu_on";
   "tlbi_vmid 0"; "sysreg_read <"; "sysreg_write <"]%string.
Definition strength_p (f : string) (d : bool) : option bool :=
  if existsb (String.eqb f) ["page_read"; "fp_load <"]%string then (if d then None else Some false)
  else if existsb (String.eqb f) ["tlbi_vmid"; "tlbi_vmid_local"]%string then Some true
  else if existsb (String.eqb f) quiet_prims then Some d else None.

Notation PRIM := (prim (P := watching)).
Lemma step_ret : forall A B d d' (m : M MACH A) (g : A -> B), lock d d' m -> lock d d' (bind m (fun a => ret (g a))).
Proof. intros A B d d' m g H. eapply lock_bind; [exact le_refl|exact le_trans|exact (Pre_le w Own same)|exact H|intro; apply lock_ret; exact le_refl|intro; auto]. Qed.

Local Opaque zero_words save_words load_words zero_fp.
Ltac primitive := cbn [Core.machine hw_page_read hw_page_write hw_page_zero hw_page_clean hw_host_read hw_host_write hw_manifest_read hw_counter_read
    hw_gicr_read hw_gicr_write hw_engine_lock hw_engine_unlock hw_dsb_ish hw_isb hw_tlbi_vmid hw_ic_invalidate hw_fp_save hw_fp_zero hw_firmware_call hw_firmware_cpu_on];
  first [apply after_does | apply after_input | apply after_alone | apply after_word; first [apply after_does | apply after_input | apply after_alone | apply after_word; apply after_alone]].
Ltac effect := first [apply kept_same | apply kept_input | apply kept_zero | apply kept_write | apply kept_save; lia | apply kept_fp_zero | apply kept_told | apply kept_complete].
(* What [prim] is for a name and so many arguments. *)
Ltac prim_is f args := let t := eval lazy beta iota delta [prim String.eqb Ascii.eqb Bool.eqb eqb] in (PRIM f args) in change (PRIM f args) with t.

Lemma crash_lock : forall A d d', weaker d d' -> lock d d' (@crash MACH A).
Proof. intros A d d' W. split; [exact W|]. split; intros s; intros; discriminate. Qed.
Ltac crashes args := repeat (destruct args as [|? args]; cbv beta iota;
  lazymatch goal with |- Lockstep.lock _ _ _ _ _ crash => solve [apply crash_lock; intro; auto] | _ => idtac end).
Ltac one_prim := (apply (step_ret unit) || apply (step_ret Z)); (eapply (prim_lock w V c0 Own same); [solve [primitive]|cbv beta|intro; assumption]);
  solve [effect | apply kept_only; effect | do 2 apply kept_only; effect].

Lemma prims_lock : forall f d d' args, strength_p f d = Some d' -> lock d d' (PRIM f args).
Proof.
  intros f d d' args E. unfold strength_p in E.
  destruct (existsb (String.eqb f) ["page_read"; "fp_load <"]%string) eqn:Q1.
  { destruct d; [discriminate|]. injection E as <-. apply existsb_exists in Q1 as (g & IN & EQ). apply String.eqb_eq in EQ. subst g.
    destruct IN as [<-|[<-|[]]]; [|prim_is "fp_load <"%string args; exact (lock_crash Rel le Pre _ _)].
    prim_is "page_read"%string args. crashes args. apply (step_ret Z).
    eapply (prim_lock w V c0 Own same); [apply after_word, after_alone|apply (kept_read' w c0 Own same)|intro; auto]. }
  destruct (existsb (String.eqb f) ["tlbi_vmid"; "tlbi_vmid_local"]%string) eqn:Q2.
  { injection E as <-. apply existsb_exists in Q2 as (g & IN & EQ). apply String.eqb_eq in EQ. subst g. destruct IN as [<-|[<-|[]]].
    - prim_is "tlbi_vmid"%string args. crashes args. apply (step_ret unit).
      eapply (prim_lock w V c0 Own same); [apply after_does|apply kept_doom|intro; auto]. discriminate.
    - prim_is "tlbi_vmid_local"%string args. crashes args. apply (step_ret unit).
      eapply (prim_lock w V c0 Own same); [apply after_does|apply kept_doom_here|intro; auto]. }
  clear Q1 Q2. destruct (existsb (String.eqb f) quiet_prims) eqn:Q; [|discriminate]. injection E as <-.
  apply existsb_exists in Q as (g & IN & EQ). apply String.eqb_eq in EQ. subst g.
  unfold quiet_prims in IN. cbn [In] in IN.
  destruct IN as [<-|IN]; [prim_is "page_write"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "page_zero"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "page_clean"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "host_read"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "host_write"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "manifest_read"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "counter_read"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "gicr_read"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "gicr_write"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "engine_lock"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "engine_unlock"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "dsb_ish"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "isb"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "ic_invalidate"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "fp_save"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "fp_zero"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "firmware_call"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "firmware_cpu_on"%string args; crashes args; one_prim|].
  destruct IN as [<-|IN]; [prim_is "tlbi_vmid 0"%string args; exact (lock_crash Rel le Pre _ _)|].
  destruct IN as [<-|IN]; [prim_is "sysreg_read <"%string args; exact (lock_crash Rel le Pre _ _)|].
  destruct IN as [<-|[]]. prim_is "sysreg_write <"%string args. exact (lock_crash Rel le Pre _ _).
Qed.

(* Names of their own: "f 0", that of tlbi_vmid (0), the host's entries; "f <". *)
Fixpoint ends (z s : string) : bool := match s with EmptyString => false | String _ r => String.eqb s z || ends z r end.
Lemma named_ends : forall z f, z <> EmptyString -> ends z (String.append f z) = true.
Proof.
  intros [|b z] f N; [contradiction|]. induction f as [|a f IH]; [|cbn [append ends]; now rewrite IH, orb_true_r].
  cbn [append ends]. now rewrite String.eqb_refl.
Qed.
Lemma append_inj : forall z f g, String.append f z = String.append g z -> f = g.
Proof.
  assert (L : forall f z, String.length (String.append f z) = (String.length f + String.length z)%nat) by (induction f; cbn; auto).
  intros z. induction f as [|a f IH]; intros [|b g] E; cbn in E; auto.
  - apply (f_equal String.length) in E. cbn in E. rewrite L in E. lia.
  - apply (f_equal String.length) in E. cbn in E. rewrite L in E. lia.
  - injection E as -> E. f_equal. auto.
Qed.
Definition last_two (s : string) : string := substring (String.length s - 2) 2 s.
Lemma last_named : forall f a b, last_two (String.append f (String a (String b EmptyString))) = String a (String b EmptyString).
Proof.
  intros f a b. unfold last_two. assert (L : String.length (String.append f (String a (String b EmptyString))) = (String.length f + 2)%nat) by (induction f; cbn; auto).
  rewrite L. replace (String.length f + 2 - 2)%nat with (String.length f) by lia. induction f as [|x f IH]; [reflexivity|]. cbn [String.length append substring].
  apply IH. cbn in L. injection L as L. exact L.
Qed.

Lemma zero_lock : forall f d d', strength_p (zero_name f) d = Some d' -> lock d d' (PRIM f [0]).
Proof.
  intros f d d' E. assert (X : zero_name f = zero_name "tlbi_vmid" /\ d' = d).
  { pose proof (last_named f " "%char "0"%char) as LT. fold (zero_name f) in LT. unfold strength_p in E. revert E LT. generalize (zero_name f). intros g E LT.
    destruct (existsb (String.eqb g) ["page_read"; "fp_load <"]%string) eqn:Q1.
    { apply existsb_exists in Q1 as (y & IN & EQ). apply String.eqb_eq in EQ. subst y. destruct IN as [<-|[<-|[]]]; discriminate LT. }
    destruct (existsb (String.eqb g) ["tlbi_vmid"; "tlbi_vmid_local"]%string) eqn:Q2.
    { apply existsb_exists in Q2 as (y & IN & EQ). apply String.eqb_eq in EQ. subst y. destruct IN as [<-|[<-|[]]]; discriminate LT. }
    destruct (existsb (String.eqb g) quiet_prims) eqn:Q; [|discriminate]. injection E as <-. split; auto.
    apply existsb_exists in Q as (y & IN & EQ). apply String.eqb_eq in EQ. subst y. unfold quiet_prims in IN. cbn [In] in IN.
    repeat (destruct IN as [<-|IN]; [first [discriminate LT|reflexivity]|]). destruct IN. }
  destruct X as [X ->]. apply append_inj in X. subst f. prim_is "tlbi_vmid"%string [0]. apply (step_ret unit). eapply (prim_lock w V c0 Own same); [apply after_does|apply kept_doom|intro; auto].
  intros D. split; auto. intros e X. apply Z.eqb_eq in X. rewrite X. intro Y. now apply V.
Qed.

Lemma small_lock : forall f d d' args, strength_p (small_name f) d = Some d' -> small_args f args -> lock d d' (PRIM f args).
Proof.
  intros f d d' args E SM. assert (X : f = "sysreg_read"%string /\ d' = d \/ f = "sysreg_write"%string /\ d' = d \/ f = "fp_load"%string /\ d = false /\ d' = false).
  { pose proof (last_named f " "%char "<"%char) as LT. fold (small_name f) in LT. unfold strength_p in E.
    destruct (existsb (String.eqb (small_name f)) ["page_read"; "fp_load <"]%string) eqn:Q1.
    { apply existsb_exists in Q1 as (y & IN & EQ). apply String.eqb_eq in EQ. destruct IN as [<-|[<-|[]]]; [rewrite EQ in LT; discriminate LT|].
      destruct d; [discriminate|]. injection E as <-. right. right. split; auto. exact (append_inj " <" f "fp_load" EQ). }
    destruct (existsb (String.eqb (small_name f)) ["tlbi_vmid"; "tlbi_vmid_local"]%string) eqn:Q2.
    { apply existsb_exists in Q2 as (y & IN & EQ). apply String.eqb_eq in EQ. destruct IN as [<-|[<-|[]]]; rewrite EQ in LT; discriminate LT. }
    destruct (existsb (String.eqb (small_name f)) quiet_prims) eqn:Q; [|discriminate]. injection E as <-.
    apply existsb_exists in Q as (y & IN & EQ). apply String.eqb_eq in EQ. unfold quiet_prims in IN. cbn [In] in IN.
    repeat (destruct IN as [<-|IN]; [try (exfalso; rewrite EQ in LT; discriminate LT)|]); try destruct IN.
    - left. split; auto. exact (append_inj " <" f "sysreg_read" EQ).
    - right. left. split; auto. exact (append_inj " <" f "sysreg_write" EQ). }
  destruct SM as (v & N & R). destruct X as [[-> ->]|[[-> ->]|(-> & -> & ->)]]; unfold key_of, limit in *; cbn [String.eqb Ascii.eqb Bool.eqb nth_error] in N, R.
  - prim_is "sysreg_read"%string args. crashes args. injection N as <-. apply (step_ret Z). eapply (prim_lock w V c0 Own same); [apply after_gives|now apply kept_reg_read|intro; auto].
  - prim_is "sysreg_write"%string args. crashes args. injection N as <-. apply (step_ret unit). eapply (prim_lock w V c0 Own same); [apply after_does|now apply kept_reg_write|intro; auto].
  - prim_is "fp_load"%string args. crashes args. injection N as <-. apply (step_ret unit).
    eapply (prim_lock w V c0 Own same); [apply after_word, after_word, after_alone|apply kept_only, kept_only, kept_load; lia|intro; auto].
Qed.

(** Globals are the same in all. *)

Lemma loads_lock : forall d g i, lock d d (load g i : M MACH Z).
Proof.
  intros d g i. split; [intro; auto|]. split.
  - intros s a t E. unfold load in E. destruct (place _ _ _); [|discriminate]. injection E as _ <-. apply le_refl.
  - intros [g1 h1] [g2 h2] [g3 h3] a1 t1 a2 t2 a3 t3 H E1 E2 E3 P. pose proof H as (G2 & G3 & _). cbn in G2, G3. subst g2 g3.
    unfold load in *. cbn [C_store.glob] in *. destruct (place _ _ _); [|discriminate]. injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-. auto.
Qed.
Lemma stores_lock : forall d g i x, lock d d (store g i x : M MACH unit).
Proof.
  intros d g i x. split; [intro; auto|]. split.
  - intros s a t E. unfold store in E. destruct (place _ _ _); [|discriminate]. injection E as _ <-. exists []. symmetry. apply app_nil_r.
  - intros [g1 h1] [g2 h2] [g3 h3] a1 t1 a2 t2 a3 t3 H E1 E2 E3 P. pose proof H as (G2 & G3 & TL & X). cbn in G2, G3. subst g2 g3.
    unfold store in *. cbn [C_store.glob] in *. destruct (place _ _ _); [|discriminate]. injection E1 as <- <-. injection E2 as <- <-. injection E3 as <- <-.
    split; auto. split; auto. split; [reflexivity|]. split; [reflexivity|]. split; [exact TL|exact X].
Qed.

(* A whole function of a program. *)
Theorem handler_lock : forall (P : program gvar), plain strength_p P -> forall f d d' args,
  strength strength_p P f d = Some d' -> lock d d' (fun s => call P f args s).
Proof.
  intros P PL f d d' args E.
  exact (proj1 (lock_den Rel le Pre le_refl le_trans (Pre_le w Own same) (Rel_weak w c0 Own same) load store PRIM strength_p loads_lock stores_lock prims_lock small_lock zero_lock P PL) f d d' args E).
Qed.
End Handler.
