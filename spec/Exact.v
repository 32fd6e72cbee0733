(* SPDX-License-Identifier: Apache-2.0 *)
(* When a machine is exactly what a state says: each walk and each TLB entry is on the state's map, the map is what walks find,
   and the granule table names the owners. Of hardware, and of one array of the engine's. *)
From Coq Require Import ZArith Bool.
From nie.model Require Import Map Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import State Step.
Open Scope Z_scope.

(* Under VMID [v], IPA page [ipa] is PA page [pa]: by a TLB entry that is there, or a walk that is possible. *)
Definition translates (h : Machine.hw) (v ipa pa : Z) : Prop := exists l d, avail h v l (ipa / covers l) d /\
  is_leaf l d = true /\ pa = first_page l d + ipa mod covers l.

(* What the state's map has there for VM [v]. *)
Definition mapped_to (a : state) (v ipa pa : Z) : Prop := slot_at a v 3 ipa = ToPage pa \/ slot_at a v 3 ipa = ToShared pa \/
  exists p, slot_at a v 2 (ipa / 512) = ToBlock p /\ pa = p + ipa mod 512.

Definition word_of (g : gvar) (s : machine) (i : Z) : Z := Map.get (field g (glob s)) i.
Definition granule (s : machine) (i : Z) : Z * Z * Z * Z :=
  (word_of granules_state s i, word_of granules_vm s i, word_of granules_level s i, word_of granules_key s i).
Definition owner_says (o : owner) : Z * Z * Z * Z :=                    (* state, vm, level, key *)
  match o with
  | Host => (GRANULE_HOST, 0, 0, 0)
  | Engine => (GRANULE_ENGINE, 0, 0, 0)
  | Table v l k => (GRANULE_TABLE, v, l, k)
  | Vcpu v i => (GRANULE_VCPU, v, 0, i)
  | Data v x => (GRANULE_DATA, v, 0, x)
  | Shared v x => (GRANULE_SHARED, v, 0, x)
  | Run v i => (GRANULE_RUN, v, 0, i)
  end.

(* [ex_reached]: whoever reaches a page is one whom the granule table names. [ex_found]: while a CPU has the VM's tables in VTTBR_EL2. LESS: of the host's devices only that it finds no others. *)
Record exact (a : state) (s : machine) : Prop := {
  ex_vmids : forall v l k d, avail (hw s) v l k d -> 0 <= v <= NIE_MAX_VMS;
  ex_vm : forall v ipa pa, 0 <= v < NIE_MAX_VMS -> translates (hw s) (v + 1) ipa pa -> mapped_to a v ipa pa;
  ex_found : forall v ipa pa c, 0 <= v < NIE_MAX_VMS -> root_vmid (hw s) c = v + 1 -> mapped_to a v ipa pa -> translates (hw s) (v + 1) ipa pa;
  ex_host : forall ipa pa, translates (hw s) 0 ipa pa -> pa = ipa /\ host_may_access a pa = true;
  ex_host_found : forall p, State.in_ram a p = true -> host_may_access a p = true -> translates (hw s) 0 p p;
  ex_reached : forall v p, reached (hw s) v p -> (v = 0 /\ host_may_access a p = true) \/
    (State.in_ram a p = true /\ exists x, own a p = Data (v - 1) x \/ own a p = Shared (v - 1) x);
  ex_owner : forall p, State.in_ram a p = true -> granule s (p - ram_first (cfg a)) = owner_says (own a p);
}.
