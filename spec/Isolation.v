(* SPDX-License-Identifier: Apache-2.0 *)
(* What isolation means. The machine is spec/Step.v; the program of the engine is a parameter, P. Nothing
   here mentions the engine's own data, its abstraction, or any relation of a proof: only hardware, and what
   crosses the interface of abi/nie.h. docs/ISOLATION.md is this file in prose.

   These are definitions. What is proved of them today: CLAIMS.md. Where one says less than the project's
   goal, it says so under LESS. *)
From Coq Require Import ZArith List Bool String.
From RecordUpdate Require Import RecordSet.
From nie.model Require Import C Machine.
From nie.generated Require Import Prims.
From nie.spec Require Import Step.
From nie.spec Require Export Released.   (* 1. Who; 2. What is released *)
Import ListNotations.
Open Scope Z_scope.
Open Scope list_scope.

Definition frame_of (e : entry) : Z := first_page (Machine.level e) (Machine.desc e).

(** 3. What the others are shown of a trace: their own labels whole; of the victim's only the releases and its
    stores to SHARED pages. LESS than the goal: which TLB entries a victim fills, that is its walks, counts as
    shown (entries are named by their place in one list for all CPUs; leaving some out would rename the
    others'), and so does the number of primitives that a handler takes. *)

Inductive event :=
| Seen (l : label)                                      (* a label of others; in [Trap]'s [during], the victim's acts are left out *)
| Stored (p i v : Z)                                    (* by the victim, to a page that is shared *)
| Left (c : Z) (r : release) (ins : nat -> Z)           (* the victim took an exception on CPU c *)
| While (l : list (option event)).                      (* what happened meanwhile; None: a primitive of the engine *)

Inductive whose := Theirs | Secret | Public (ev : event).
(* A store through TLB entry [n] is carried out. *)
Definition stores (h : Machine.hw) (n : nat) (o i : Z) : bool :=
  match nth_error (tlb h) n with
  | Some e => is_leaf (Machine.level e) (Machine.desc e) && is_word i && (0 <=? o) && (o <? covers (Machine.level e))
              && (root_vmid h (Machine.cpu e) =? Machine.vmid e) && negb (Machine.cpu e =? me h)
  | None => false
  end.
Definition whose_act (w : who) (h : Machine.hw) (a : act) : whose :=
  match a with
  | Write n o i v =>
      match nth_error (tlb h) n with
      | Some e => if Machine.vmid e =? vmid_of w
                  then if stores h n o i && (Machine.level e =? 3) && (2 ^ 26 <=? Machine.key e) then Public (Stored (frame_of e + o) i v) else Secret
                  else Theirs
      | None => Theirs
      end
  | SetReg c _ _ => if root_vmid h c =? vmid_of w then Secret else Theirs
  | _ => Theirs
  end.
Definition heard (w : who) (h : Machine.hw) (a : act) : list event :=
  match whose_act w h a with Theirs => [Seen (Do (Hardware a))] | Secret => [] | Public ev => [ev] end.

(* A handler's log: what the others did between its primitives. *)
Definition meanwhile (w : who) (g : log) : event :=
  While (flat_map (fun m => match m with (h, Some a) => map Some (heard w h a) | (_, None) => [None] end) g).

Definition show (w : who) (ram : Z -> bool) (s s' : machine) (g : log) (l : label) : list event :=
  match l with
  | Do (Hardware a) => heard w (hw s) a
  | Do (Gpr c _ _) | Do (Fp c _ _) => if runs_b s c (vmid_of w) then [] else [Seen l]
  | Do (LoadWord n _ _ _) => match nth_error (tlb (hw s)) n with
                             | Some e => if Machine.vmid e =? vmid_of w then [] else [Seen l] | None => [Seen l] end
  | Trap c e i _ =>
      [if runs_b s c (vmid_of w) then Left c (released s c e ram (x s' c 0 =? PSCI_SUCCESS)) i else Seen (Trap c e i []);
       meanwhile w g]
  | Start c i _ => [Seen (Start c i []); meanwhile w g]
  end.

Fixpoint shown (P : program gvar) (w : who) (ram : Z -> bool) (s : machine) (past tr : list label) (s0 : machine) : list event :=
  match tr with
  | [] => []
  | l :: tr' =>
      match next P s l with
      | Ok s' g => (if live P s0 past w then show w ram s s' g l else [Seen l])
                   ++ shown P w ram s' (past ++ [l]) tr' s0
      | _ => [Seen l]
      end
  end.

(** 4. What the others can observe: hardware only. Registers of the CPUs that do not run the victim, every word
    that anyone but the victim reaches, by a walk or through a TLB entry, and who runs where. *)

Inductive fact :=
| RunsOn (c v : Z)
| GprIs (c r v : Z)
| FpIs (c r v : Z)
| RegIs (c r v : Z)                                     (* of EL1 and EL0, and where the CPU resumes *)
| Reached (v p : Z)
| WordIs (p i v : Z).

Definition by_other (w : who) (s : machine) (v p : Z) : Prop := v <> vmid_of w /\ reached (hw s) v p.
Definition observe (w : who) (s : machine) (f : fact) : Prop :=
  match f with
  | RunsOn c v => runs s c v
  | GprIs c r v => ~ runs s c (vmid_of w) /\ 0 <= r < 31 /\ x s c r = v
  | FpIs c r v => ~ runs s c (vmid_of w) /\ 0 <= r < 66 /\ Map.get (fp (hw s)) (c * 128 + r) = v
  | RegIs c r v => ~ runs s c (vmid_of w) /\ 0 <= r < REG_SWITCHED /\ sysreg s c r = v
  | Reached v p => by_other w s v p
  | WordIs p i v => (exists u, by_other w s u p) /\ is_word i = true /\ Map.get (Machine.mem (hw s)) (p * 512 + i) = v
  end.

(** 5. The ideal: a lone machine's memory, fed a closed list of inputs. *)

Inductive content := Empty | Spent | Page (words : Z -> Z).
Inductive input :=
| Build (x : Z) (words : Z -> Z)    (* before activation, by the host: its content, measured *)
| AddZero (x : Z)
| Take (x : Z)
| Own (x i v : Z)                   (* a store of the victim's *)
| Reopen (x : Z).                   (* by the victim *)
Definition put (x : Z) (c : content) (m : Z -> content) : Z -> content := fun y => if y =? x then c else m y.
Definition feed (m : Z -> content) (n : input) : Z -> content :=
  match n with
  | Build x words => match m x with Empty => put x (Page words) m | _ => m end
  | AddZero x => match m x with Empty => put x (Page (fun _ => 0)) m | _ => m end
  | Take x => match m x with Page _ => put x Spent m | _ => m end
  | Own x i v => match m x with Page f => put x (Page (fun j => if j =? i then v else f j)) m | _ => m end
  | Reopen x => match m x with Spent => put x Empty m | _ => m end
  end.
Definition ideal (l : list input) : Z -> content := fold_left feed l (fun _ => Empty).

Definition page_words (s : machine) (p i : Z) : Z := Map.get (Machine.mem (hw s)) (p * 512 + i).
Definition own_store (w : who) (h : Machine.hw) (a : act) : list input :=
  match a with
  | Write n o i v => match nth_error (tlb h) n with
      | Some e => if (Machine.vmid e =? vmid_of w) && stores h n o i
                  then [Own (Machine.key e * covers (Machine.level e) + o) i v] else []
      | None => [] end
  | _ => []
  end.
Definition own_stores (w : who) (g : log) : list input :=
  flat_map (fun m => match m with (h, Some a) => own_store w h a | _ => [] end) g.

(* What a label feeds it. A page that comes is there before the victim's stores in the same handler, one that
   goes is there until after them. *)
Definition feeds (w : who) (s s' : machine) (g : log) (l : label) : list input :=
  match l with
  | Do (Hardware a) => own_store w (hw s) a
  | Do _ => []
  | _ =>
      let a i := match host_call_of s s' l with Some (_, a, _) => a i | None => 0 end in
      let pages n f := map (fun i => f (a 2 / 4096 + i) i) (numbers (Z.to_nat n)) in
      (if succeeded NIE_PAGE_ADD w s s' l then pages (a 4) (fun x i => Build x (page_words s' (a 3 / 4096 + i))) else []) ++
      (if succeeded NIE_PAGE_ADD_ZERO w s s' l then pages (a 4) (fun x _ => AddZero x) else []) ++
      own_stores w g ++
      (if succeeded NIE_PAGE_REMOVE w s s' l then pages (a 3) (fun x _ => Take x) else []) ++
      match l with
      | Trap c e _ _ => if runs_b s c (vmid_of w) && (is_sync e EC_HVC64 || is_sync e EC_SMC64) &&
                           (x s c 0 mod 2 ^ 32 =? NIE_VM_PAGE_REOPEN) && (x s' c 0 =? NIE_OK)
                        then [Reopen (x s c 1 mod 2 ^ 64 / 4096)] else []
      | _ => []
      end
  end.
Fixpoint inputs_to (P : program gvar) (w : who) (s : machine) (past tr : list label) (s0 : machine) : list input :=
  match tr with
  | [] => []
  | l :: tr' => match next P s l with
                | Ok s' g => (if live P s0 (past ++ [l]) w then feeds w s s' g l else [])
                             ++ inputs_to P w s' (past ++ [l]) tr' s0
                | _ => []
                end
  end.

(** 6. The properties of a program. [start]: where runs of one configuration begin; the claim is for each configuration
    by itself, since boots of two manifests may look alike until a call tells them apart. LESS: it should be the reset
    state, and boot in the run; a theorem must say which [start] it takes. *)

Section Properties.
Variable start : machine -> Prop.

(* No undefined behaviour of C, and no obligation of a primitive violated; every state that the hardware passes
   through, also inside a handler with others acting, is [safe] (model/Machine.v). LESS than "correct": that each
   call does what spec/call says is stated call by call, see [does]. *)
Definition sound (P : program gvar) : Prop := forall s tr, start s ->
  run P s tr <> Crash /\
  (forall s' g, run P s tr = Ok s' g -> ok (hw s')) /\
  (forall h, states P s tr h -> safe h).

(* [f] does what [spec] says, from every machine that holds an abstract state. [holds] is the one thing here
   that is chosen by a proof; what it says is checked by the other properties. *)
Definition does {A : Type} (holds : A -> mach globals Machine.hw -> Prop) (P : program gvar) (f : string)
    (args_ok : list Z -> Prop) (spec : list Z -> A -> list Z * A) : Prop :=
  forall a g h args, holds a (Mach g h) -> args_ok args ->
  exists g' h' l, call P f args (Mach g (h, [])) = Some (fst (spec args a), Mach g' (h', l)) /\
    holds (snd (spec args a)) (Mach g' h') /\ ok h' /\ (forall h1 act, In (h1, act) l -> safe h1).

(* Two runs that the others see alike leave them the same observations, whatever the victim's secrets, and let
   them do the same next. *)
Definition confidential (P : program gvar) : Prop := forall s1 s2 w ram tr1 tr2 t1 t2 g1 g2,
  0 <= vm w < NIE_MAX_VMS -> start s1 -> start s2 -> (forall f, observe w s1 f <-> observe w s2 f) ->
  run P s1 tr1 = Ok t1 g1 -> run P s2 tr2 = Ok t2 g2 ->
  shown P w ram s1 [] tr1 s1 = shown P w ram s2 [] tr2 s2 ->
  (forall f, observe w t1 f <-> observe w t2 f) /\
  (forall c e i d, ~ runs t1 c (vmid_of w) -> (next P t1 (Trap c e i d) = Disabled <-> next P t2 (Trap c e i d) = Disabled)).

(* The victim finds in its private memory what the lone machine below holds, and what it finds nowhere else
   cannot be loaded. LESS than integrity: registers, entry fields, interrupts and the measurement are not in it. *)
Definition memory_integral (P : program gvar) : Prop := forall s tr t g w,
  start s -> run P s tr = Ok t g -> live P s tr w = true ->
  forall l k d o, avail (hw t) (vmid_of w) l k d -> is_leaf l d = true -> 0 <= o < covers l -> ~ upper l k ->
  exists words, ideal (inputs_to P w s [] tr s) (k * covers l + o) = Page words /\
    forall i, is_word i = true -> Map.get (Machine.mem (hw t)) ((first_page l d + o) * 512 + i) = words i.
End Properties.
