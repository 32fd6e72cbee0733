(* SPDX-License-Identifier: Apache-2.0 *)
(* A whole life on the machine of spec/Step.v, from the end of boot: the host starts two CPUs and creates, builds, measures, activates and
   runs a VM, which has a secret, shares a page, stores to a device and moves to the other CPU; the host takes a page from it. Then its end: it
   is stopped and destroyed, and its index and the page of its secret go to another VM. *)
From Coq Require Import ZArith List Bool String Lia.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.spec Require Import State Step Isolation.
From nie.generated Require Import Prims.
From nie.generated Require Program.
From nie.spec Require Import Core.
From nie.proof.refine Require Import statements boot_is_safe.
From nie.proof.security Require Import Claimed core_is_safe.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.
Open Scope list_scope.

(** The end of boot: 4 MiB at 1 GiB, the lower half the engine's; two CPUs; no device but their redistributors. *)

Definition engine_base : Z := 2 ^ 18.
Definition the_tables_at : Z := engine_base + 100.
Definition host_base : Z := engine_base + 512.
Definition manifest_words : list Z := [nie.spec.trap.boot.magic; engine_base; 512; engine_base; 1024; the_tables_at; 2; host_base * 4096; host_base * 4096;
  0x80a0; 0; 0; host_base; 512; 0x8000; 0x1200].
Definition before : Machine.hw := {| Machine.mem := Map.const 0; unseen := []; tlb := []; reg := Map.const 0; fp := Map.const 0; me := 0;
  ram := (engine_base, engine_base + 1024); Machine.engine := (engine_base, host_base); inputs := fun n => nth n manifest_words 0; taken := O; during := [];
  secret := fun _ => False; claims := fun _ _ _ => False; ok := True |}.

Lemma before_resets : at_reset before.
Proof.
  constructor; try reflexivity; try exact Logic.I.
  - intros p [].
  - intros v x p [].
  - intro c. unfold root_desc, vttbr. cbn. rewrite Map.get_const. split; [reflexivity|]. intros i _. now rewrite Map.get_const.
  - intros i I. unfold MAN_END in I. unfold manifest. cbn [taken before inputs Nat.add].
    assert (F : Forall (fun v => 0 <= v < 2 ^ 64) manifest_words) by (repeat constructor; vm_compute; congruence).
    destruct (Nat.ltb_spec (Z.to_nat i) (List.length manifest_words)) as [L|L].
    + rewrite Forall_forall in F. apply F, nth_In. exact L.
    + rewrite nth_overflow by exact L. lia.
Qed.

(* Every CPU is off, and would walk the host's tables. *)
Definition of_boot (tables : Z) (s : mach globals Machine.hw) : Step.machine :=
  Step.Machine (C_store.glob s) (C_store.hw s <| me := 0 |> <| reg := Map.const (tables * 4096) |> <| me := nobody |> <| during := [] |>)
    (Map.const 0) (Map.const true).
(* Of any machine: nothing is computed. *)
Lemma of_boot_is : forall P h s1 t, at_reset h -> manifest h MAN_TABLES = t ->
  run_of P "boot" [] (Mach zero_globals h) = Some ([BOOT_OK], s1) -> after_boot P (of_boot t s1).
Proof.
  intros P h s1 t A T E. subst t. exists h. split; [exact A|]. exists s1. split; [exact E|]. split; [reflexivity|].
  exists (C_store.hw s1 <| me := 0 |> <| reg := Map.const (manifest h MAN_TABLES * 4096) |>). split; [|reflexivity].
  constructor; try reflexivity; [cbn; unfold NIE_MAX_CPUS; lia| |].
  - intro c. exact (Map.get_const _ _ _).
  - apply (run_unclaimed _ _ _ _ _ _ E). exact (rs_claims _ A).
Qed.
Definition booted (P : program gvar) : option (list Z * mach globals Machine.hw) := run_of P "boot" [] (Mach zero_globals before).
Lemma tables_are : manifest before MAN_TABLES = the_tables_at.
Proof. vm_compute. reflexivity. Qed.
Lemma booted_is : forall P s1, booted P = Some ([BOOT_OK], s1) -> after_boot P (of_boot the_tables_at s1).
Proof. intros P s1 E. unfold booted in E. exact (of_boot_is P before s1 the_tables_at before_resets tables_are E). Qed.
#[global] Opaque booted.

(** Labels. *)

Definition sync (ec : Z) : exception := Step.Exception TRAP_SYNC 0 0 (ec * 2 ^ 26) 0 0.
Definition sets (c : Z) (l : list Z) : list label := map (fun p => Do (Gpr c (Z.of_nat (fst p)) (snd p))) (combine (seq 0 (List.length l)) l).
Definition asks_in (c : Z) (ins : nat -> Z) (l : list Z) : list label := sets c l ++ [Trap c (sync EC_HVC64) ins []].
Definition asks (c : Z) : list Z -> list label := asks_in c (fun _ => 0).
Definition does_all (l : list act) : list label := map (fun a => Do (Hardware a)) l.

(* The host's pages, and where they go. *)
Definition root : Z := host_base + 8.
Definition lower2 : Z := host_base + 9.      Definition lower3 : Z := host_base + 10.
Definition upper2 : Z := host_base + 11.     Definition upper3 : Z := host_base + 12.
Definition measured : Z := host_base + 13.   Definition zeroed : Z := host_base + 14.
Definition shared : Z := host_base + 15.     Definition context : Z := host_base + 16.
Definition record : Z := host_base + 17.
Definition low : Z := 2 ^ 30.                (* IPA of its window *)
Definition high : Z := 2 ^ 38.               (* of its upper half *)
Definition table (p : Z) : Z := p * 4096 + DESC_TABLE.
Definition page (p : Z) : Z := p * 4096 + DESC_NORMAL + DESC_PAGE.

Definition two_cpus : list label :=
  [Start 0 (fun _ => 0) []] ++ sets 0 [PSCI_CPU_ON; 1; host_base * 4096; 0] ++ [Trap 0 (sync EC_SMC64) (fun _ => 0) []; Start 1 (fun _ => 0) []].
Definition build (pages : list label) : list label :=
  asks 0 [NIE_VM_CREATE; 1; root * 4096; low; 4; 1] ++ asks 0 [NIE_TABLE_ADD; 1; low; 2; lower2 * 4096] ++ asks 0 [NIE_TABLE_ADD; 1; low; 3; lower3 * 4096] ++
  pages ++ asks 0 [NIE_VCPU_CREATE; 1; 0; context * 4096; record * 4096; low; 0] ++ asks 0 [NIE_VM_ACTIVATE; 1] ++ asks 0 [NIE_VCPU_RUN; 1; 0].
Definition all_kinds : list label :=
  asks 0 [NIE_TABLE_ADD; 1; high; 2; upper2 * 4096] ++ asks 0 [NIE_TABLE_ADD; 1; high; 3; upper3 * 4096] ++
  asks 0 [NIE_PAGE_ADD; 1; low; measured * 4096; 1] ++ asks 0 [NIE_PAGE_ADD_ZERO; 1; low + 4096; zeroed * 4096; 1; 3] ++
  asks 0 [NIE_PAGE_SHARED_ADD; 1; high; shared * 4096; 1].

(* [v]: its secret, in two pages and registers. Its store of a byte to a device shows the low byte of w3. *)
Definition to_lower (i p : Z) : list act := [Begin 0; Machine.Step 0 1 (table lower2); Machine.Step 0 0 (table lower3); Machine.Step 0 i (page p)].
Definition to_shared : list act := [Begin 0; Machine.Step 0 256 (table upper2); Machine.Step 0 0 (table upper3); Machine.Step 0 0 (page shared + DESC_XN)].
Definition works (v : Z) : list label :=
  does_all (to_lower 0 measured ++ [Write 0 0 7 v] ++ to_lower 1 zeroed ++ [Write 0 0 7 v] ++ to_shared ++ [Write 0 0 0 99]) ++
  [Do (Gpr 0 3 (256 * v + 65)); Do (Gpr 0 5 v); Do (Fp 0 1 v); Do (Hardware (SetReg 0 REG_CNTKCTL_EL1 v))].
Definition stores_a_byte : exception :=
  Step.Exception TRAP_SYNC 0 0 (EC_DATA_ABORT * 2 ^ 26 + 2 ^ 25 + 2 ^ 24 + 3 * 2 ^ 16 + 2 ^ 6 + 7) 0x123 (0x9000 * 16).
Definition moves : list label := [Trap 0 stores_a_byte (fun _ => 0) []] ++ asks_in 1 (fun n => match n with O => NIE_IN_ANSWER | _ => 0 end) [NIE_VCPU_RUN; 1; 0].
Definition a_life (v : Z) : list label := two_cpus ++ build all_kinds ++ works v ++ moves ++ asks 0 [NIE_PAGE_REMOVE; 1; low; 1].

(* Its end, on CPU 1; then another VM of its index, with its secret's page, which looks for the secret, on CPU 0. *)
Definition its_end : list label :=
  [Trap 1 (Step.Exception TRAP_IRQ 0 0 0 0 0) (fun _ => 0) []] ++ asks 1 [NIE_VM_STOP; 1] ++
  asks 1 [NIE_PAGE_REMOVE; 1; low + 4096; 1] ++ asks 1 [NIE_PAGE_REMOVE; 1; high; 1] ++
  asks 1 [NIE_TABLE_REMOVE; 1; low; 3] ++ asks 1 [NIE_TABLE_REMOVE; 1; low; 2] ++
  asks 1 [NIE_TABLE_REMOVE; 1; high; 3] ++ asks 1 [NIE_TABLE_REMOVE; 1; high; 2] ++ asks 1 [NIE_VCPU_DESTROY; 1; 0] ++ asks 1 [NIE_VM_DESTROY; 1].
Definition another : list label :=
  its_end ++ build (asks 0 [NIE_PAGE_ADD_ZERO; 1; low; zeroed * 4096; 1; 3]) ++ does_all (to_lower 0 zeroed) ++ [Do (LoadWord 0 0 7 5)].
