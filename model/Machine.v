(* SPDX-License-Identifier: Apache-2.0 *)
(* The machine below the core: memory, stage 2 walks, TLBs, the other CPUs, and what each primitive of
   engine/core/prim.h does to them. Nothing here knows of ownership. Trusted; model/Assumptions.v lists,
   by id, what it takes for granted. *)
From Coq Require Import ZArith List Bool String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Export C_monad Map.
Import ListNotations RecordSetNotations.
Open Scope Z_scope.

(** Descriptors of stage 2, 4 KiB granule, 39-bit IPA: levels 1 to 3 [ArmARM, D8.3]. Level 0 is the
    table that VTTBR_EL2 names. A key is the number of an entry among those of its level: IPA page
    number divided by the pages that one entry covers. *)

Definition valid (d : Z) : bool := Z.odd d.
Definition is_table (l d : Z) : bool := (l =? 0) || ((l <? 3) && (d mod 4 =? 3)).
Definition is_leaf (l d : Z) : bool := ((l =? 3) && (d mod 4 =? 3)) || ((0 <? l) && (l <? 3) && (d mod 4 =? 1)).
Definition frame (d : Z) : Z := (d / 4096) mod 2 ^ 36.             (* output address bits, as a page number *)
Definition covers (l : Z) : Z := 512 ^ (3 - l).                     (* pages below one entry *)
Definition first_page (l d : Z) : Z := frame d / covers l * covers l.

(** What a CPU may hold of a walk: a table that it has got to, or a page or block. An entry may serve any
    virtual address (combined entries), so no invalidation by address is modelled. [doomed]: a TLBI has
    been issued for it and has not completed. *)
Record entry := Entry { cpu : Z; vmid : Z; level : Z; key : Z; desc : Z; doomed : bool }.

(** What another CPU does while the engine runs on one of them. A memory access is a use of an entry of
    its TLB, which it may have had for long or got by the walk just before. *)
Inductive act :=
| Begin (c : Z)                     (* the walker of c starts at its VTTBR_EL2 *)
| Step (n : nat) (i d : Z)          (* it reads d in word i of the table that TLB entry n names *)
| Evict (n : nat)                   (* hardware forgets entry n *)
| Write (n : nat) (o i v : Z)       (* a store through entry n: page o of what it maps, word i *)
| SetReg (c r v : Z).               (* a register of EL1 or EL0 changes *)

Record hw := Hw {
  mem : Map.t Z;                    (* 64-bit words, by PA / 8 *)
  unseen : list (Z * Z);            (* stores that walkers need not see yet: word, an older value *)
  tlb : list entry;                 (* of all CPUs *)
  reg : Map.t Z;                    (* CPU * 128 + enum sysreg *)
  fp : Map.t Z;                     (* CPU * 128 + 0..65 *)
  me : Z;                           (* the CPU that runs the engine *)
  ram : Z * Z;                      (* first page, and the page after the last *)
  engine : Z * Z;                   (* likewise, of what the engine alone may touch *)
  inputs : nat -> Z;                (* what host memory, devices, counters and firmware will answer *)
  taken : nat;
  during : list (list act);         (* what the other CPUs do before each coming primitive *)
  secret : Z -> Prop;               (* pages that a VM has had to itself since they were last scrubbed *)
  claims : Z -> Z -> Z -> Prop;     (* VMID, IPA page, page: what a proof wants kept so; nothing reads or changes it *)
  ok : Prop;                        (* every obligation so far was met, and every state was [safe] *)
}.
#[export] Instance eta_hw : Settable _ :=
  settable! Hw <mem; unseen; tlb; reg; fp; me; ram; engine; inputs; taken; during; secret; claims; ok>.

(* Numbers of enum sysreg that matter to walks; proof/Constants.v checks them against the C. *)
Definition VTTBR_EL2 : Z := 41.
Definition REG_EL2 : Z := 37.                                   (* from here on EL1 cannot write *)

Definition vttbr (h : hw) (c : Z) : Z := Map.get (reg h) (c * 128 + VTTBR_EL2).
Definition root_vmid (h : hw) (c : Z) : Z := vttbr h c / 2 ^ 48.
Definition root_desc (h : hw) (c : Z) : Z := vttbr h c mod 2 ^ 48.

(** Values that a walker may read [ArmARM, D8.2.6]: of each store since the last DSB, either side. *)
Definition visible (h : hw) (w d : Z) : bool :=
  (Map.get (mem h) w =? d) || existsb (fun u => (fst u =? w) && (snd u =? d)) (unseen h).

Definition is_word (i : Z) : bool := (0 <=? i) && (i <? 512).
Definition in_ram (h : hw) (p : Z) : bool := (fst (ram h) <=? p) && (p <? snd (ram h)).

Definition remove {A} (n : nat) (l : list A) : list A := firstn n l ++ skipn (S n) l.

(* An act that is not possible changes nothing. *)
Definition act_step (a : act) (h : hw) : hw :=
  match a with
  | Begin c => h <| tlb ::= cons (Entry c (root_vmid h c) 0 0 (root_desc h c) false) |>
  | Step n i d =>
      match nth_error (tlb h) n with
      | Some e => if is_table (level e) (desc e) && is_word i && valid d
                     && visible h (frame (desc e) * 512 + i) d
                  then h <| tlb ::= cons (Entry (cpu e) (vmid e) (level e + 1) (key e * 512 + i) d (doomed e)) |>
                  else h
      | None => h
      end
  | Evict n => h <| tlb ::= remove n |>
  | Write n o i v =>
      match nth_error (tlb h) n with
      | Some e => if is_leaf (level e) (desc e) && is_word i && (0 <=? o) && (o <? covers (level e))
                     && (root_vmid h (cpu e) =? vmid e) && negb (cpu e =? me h)
                  then h <| mem ::= fun m => Map.set m ((first_page (level e) (desc e) + o) * 512 + i) v |>
                  else h
      | None => h
      end
  | SetReg c r v =>
      if (0 <=? c) && (0 <=? r) && (r <? REG_EL2) && negb (c =? me h)
      then h <| reg ::= fun m => Map.set m (c * 128 + r) v |> else h
  end.

(** What hardware can still get at: through a TLB entry, or by any walk in any CPU's translation regime. *)
Inductive avail (h : hw) : Z -> Z -> Z -> Z -> Prop :=
| av_tlb e : In e (tlb h) -> avail h (vmid e) (level e) (key e) (desc e)
| av_root c : avail h (root_vmid h c) 0 0 (root_desc h c)
| av_step v l k d i d' : avail h v l k d -> is_table l d = true -> is_word i = true -> valid d' = true ->
    visible h (frame d * 512 + i) d' = true -> avail h v (l + 1) (k * 512 + i) d'.

Definition maps (l d p : Z) : Prop := is_leaf l d = true /\ first_page l d <= p < first_page l d + covers l.
Definition reached (h : hw) (v p : Z) : Prop := exists l k d, avail h v l k d /\ maps l d p.
Definition private (p : Z) (h : hw) : Prop := forall v, ~ reached h v p.
(* An entry leads from IPA page [x] to page [p]. *)
Definition leads (l k d x p : Z) : Prop := is_leaf l d = true /\ 0 <= x - k * covers l < covers l /\ p = first_page l d + (x - k * covers l).
Definition claimed (p : Z) (h : hw) : Prop := exists v x, claims h v x p.

(** The safety property, of hardware alone: a page that is reached under two VMIDs is reached by the host
    (VMID 0) and by a VM in the upper half of its IPA space; what is the engine's is reached by none;
    the host does not reach a page that a VM had to itself before it was scrubbed; and a claimed page is
    reached at its IPA alone, which leads nowhere else. *)
Definition upper (l k : Z) : Prop := l = 3 /\ 2 ^ 26 <= k.
Definition safe (h : hw) : Prop :=
  (forall v l k d v' l' k' d' p, avail h v l k d -> avail h v' l' k' d' -> maps l d p -> maps l' d' p ->
     v <> v' -> (v = 0 /\ upper l' k') \/ (v' = 0 /\ upper l k)) /\
  (forall v p, reached h v p -> ~ fst (engine h) <= p < snd (engine h)) /\
  (forall p, secret h p -> ~ reached h 0 p) /\
  (forall v x p, claims h v x p -> forall v' l k d x' p', avail h v' l k d -> leads l k d x' p' -> (p' = p <-> v' = v /\ x' = x)).

(** The others act; every state that is met on the way counts. *)
Definition become_secret (h : hw) (p : Z) : Prop :=
  secret h p \/ exists v l k d, v <> 0 /\ avail h v l k d /\ maps l d p /\ ~ upper l k.
Definition met (h : hw) : hw :=
  let h := h <| secret := become_secret h |> in h <| ok := ok h /\ safe h |>.
Definition others (h : hw) : hw :=
  match during h with
  | [] => met h
  | l :: rest => fold_left (fun h a => met (act_step a h)) l (met (h <| during := rest |>))
  end.

(** Primitives. [oblige]: the obligation that engine/core/prim.h states; when it does not hold the run
    counts as a crash. *)
Definition oblige (P : hw -> Prop) (h : hw) : hw := h <| ok := ok h /\ P h |>.

Definition store_word (w v : Z) (h : hw) : hw :=
  h <| unseen ::= cons (w, Map.get (mem h) w) |> <| mem ::= fun m => Map.set m w v |>.
Fixpoint zero_words (n : nat) (w : Z) (h : hw) : hw :=
  match n with O => h | S n' => zero_words n' (w + 1) (store_word w 0 h) end.

Definition scrub (p : Z) (h : hw) : hw := h <| secret := fun q => secret h q /\ q <> p |>.

(* Completion: every store is seen, every invalidated entry is gone [ArmARM, D8.17.5; B2.3.10]. *)
Definition complete (h : hw) : hw := h <| unseen := [] |> <| tlb ::= filter (fun e => negb (doomed e)) |>.
Definition doom (which : entry -> bool) (h : hw) : hw :=
  h <| tlb ::= map (fun e => if which e then Entry (cpu e) (vmid e) (level e) (key e) (desc e) true else e) |>.

Fixpoint save_words (n : nat) (w r : Z) (h : hw) : hw :=
  match n with O => h | S n' => save_words n' (w + 1) (r + 1) (store_word w (Map.get (fp h) r) h) end.
Fixpoint load_words (n : nat) (w r : Z) (h : hw) : hw :=
  match n with O => h | S n' => load_words n' (w + 1) (r + 1)
    (h <| fp ::= fun f => Map.set f r (Map.get (mem h) w) |>) end.
Fixpoint zero_fp (n : nat) (r : Z) (h : hw) : hw :=
  match n with O => h | S n' => zero_fp n' (r + 1) (h <| fp ::= fun f => Map.set f r 0 |>) end.

(* First the others act, then the effect. A word that does not exist is a crash. *)
Definition does (f : hw -> hw) : M hw unit := fun h => Some (tt, f (others h)).
Definition gives (f : hw -> Z) : M hw Z := fun h => Some (f (others h), others h).
Definition word_of (p i : Z) {A} (m : M hw A) : M hw A := fun h => if in_ram h p && is_word i then m h else None.
Definition input : M hw Z := fun h => let h := others h in Some (inputs h (taken h), h <| taken ::= S |>).

(* Pages that the engine alone can reach, and no VM claims. The obligation is checked when the others have acted: a TLB entry for
   the page stops the run at once; that no walk reaches it cannot be computed, and goes to [ok]. *)
Definition held (h : hw) (p : Z) : bool :=
  existsb (fun e => is_leaf (level e) (desc e) && (first_page (level e) (desc e) <=? p)
                    && (p <? first_page (level e) (desc e) + covers (level e))) (tlb h).
Definition free (p : Z) (h : hw) : Prop := private p h /\ ~ claimed p h.
Definition alone {A} (p : Z) (f : hw -> A * hw) : M hw A := fun h =>
  let h := others h in if held h p then None else Some (f (oblige (free p) h)).

Definition page_read (p i : Z) : M hw Z := word_of p i (alone p (fun h => (Map.get (mem h) (p * 512 + i), h))).
Definition page_write (p i v : Z) : M hw unit := word_of p i (alone p (fun h => (tt, store_word (p * 512 + i) v h))).
Definition page_zero (p : Z) : M hw unit :=
  word_of p 0 (alone p (fun h => (tt, scrub p (zero_words 512 (p * 512) h)))).
Definition page_clean (p : Z) : M hw unit := word_of p 0 (does complete).          (* ends in DSB SY *)

(* Pages that the host can write: any value at each read. The obligation: a VM has not had it to itself since it was scrubbed, nor claims it. *)
Definition told_word (p i v : Z) (h : hw) : hw := store_word (p * 512 + i) v (oblige (fun h => ~ secret h p /\ ~ claimed p h) h).
Definition host_read (p i : Z) : M hw Z := word_of p i input.
Definition host_write (p i v : Z) : M hw unit := word_of p i (does (told_word p i v)).

Definition dsb_ish : M hw unit := does complete.
Definition isb : M hw unit := does (fun h => h).
Definition ic_invalidate : M hw unit := does complete.                             (* ends in DSB ISH *)
Definition tlbi_vmid (v : Z) : M hw unit := does (doom (fun e => vmid e =? v)).
Definition tlbi_vmid_local (v : Z) : M hw unit := does (fun h => doom (fun e => (vmid e =? v) && (cpu e =? me h)) h).
Definition engine_lock : M hw unit := does (fun h => h).
Definition engine_unlock : M hw unit := does (fun h => h).

Definition sysreg_read (r : Z) : M hw Z := gives (fun h => Map.get (reg h) (me h * 128 + r)).
Definition sysreg_write (r v : Z) : M hw unit := does (fun h => h <| reg ::= fun m => Map.set m (me h * 128 + r) v |>).
Definition fp_save (p i : Z) : M hw unit :=
  word_of p (i + 65) (word_of p i (alone p (fun h => (tt, save_words 66 (p * 512 + i) (me h * 128) h)))).
Definition fp_load (p i : Z) : M hw unit :=
  word_of p (i + 65) (word_of p i (alone p (fun h => (tt, load_words 66 (p * 512 + i) (me h * 128) h)))).
Definition fp_zero : M hw unit := does (fun h => zero_fp 66 (me h * 128) h).
