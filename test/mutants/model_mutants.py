# SPDX-License-Identifier: Apache-2.0
"""Model obligations made too kind (or too harsh), one at a time: a proof, or the proof that a bad C fails, must break."""

MACHINE = "model/Machine.v"
# name: file, old text, new text
MODEL_MUTANTS = {
    "zero_without_obligation": (
        MACHINE, "word_of p 0 (alone p (fun h => (tt, scrub p (zero_words 512 (p * 512) h)))).",
        "word_of p 0 (fun h => let h := others h in Some (tt, scrub p (zero_words 512 (p * 512) h))).",
    ),
    "write_without_obligation": (
        MACHINE, "word_of p i (alone p (fun h => (tt, store_word (p * 512 + i) v h))).",
        "word_of p i (does (store_word (p * 512 + i) v)).",
    ),
    "others_never_act": (
        MACHINE, "fold_left (fun h a => met (act_step a h)) l (met (h <| during := rest |>))",
        "met (h <| during := rest |>)",
    ),
    "stores_seen_at_once": (
        MACHINE, "(Map.get (mem h) w =? d) || existsb (fun u => (fst u =? w) && (snd u =? d)) (unseen h).",
        "(Map.get (mem h) w =? d).",
    ),
    "tlbi_of_all": (MACHINE, "does (doom (fun e => vmid e =? v)).", "does (doom (fun _ => true))."),
    "tlbi_of_one_cpu": (
        MACHINE, "does (doom (fun e => vmid e =? v)).",
        "does (fun h => doom (fun e => (vmid e =? v) && (cpu e =? me h)) h).",
    ),
    "tlbi_is_lost": (
        MACHINE, "h <| unseen := [] |> <| tlb ::= filter (fun e => negb (doomed e)) |>.", "h <| unseen := [] |>.",
    ),
    "host_may_see_secrets": (MACHINE, "(forall p, secret h p -> ~ reached h 0 p) /\\\n", ""),
    "engine_may_be_reached": (
        MACHINE, "(forall v p, reached h v p -> ~ fst (engine h) <= p < snd (engine h)) /\\", "",
    ),
    "two_vms_may_share": (
        MACHINE, "v <> v' -> (v = 0 /\\ upper l' k') \\/ (v' = 0 /\\ upper l k)) /\\",
        "v <> v' -> v <> 0 \\/ v' <> 0) /\\",
    ),
    "scrub_cleans_nothing": (
        MACHINE, "h <| secret := fun q => secret h q /\\ q <> p |>.", "h.",
    ),
    "el1_writes_el2": (MACHINE, "(r <? REG_EL2) && ", ""),
    "told_anywhere": (MACHINE, "store_word (p * 512 + i) v (oblige (fun h => ~ secret h p /\\ ~ claimed p h) h).", "store_word (p * 512 + i) v h."),
    "claimed_pages_may_be_stored_to": (MACHINE, "Prop := private p h /\\ ~ claimed p h.", "Prop := private p h /\\ True."),
    "claimed_pages_may_be_reached": (MACHINE, "(p' = p <-> v' = v /\\ x' = x)).\n", "True).\n"),
    "vectors_run_on": (
        MACHINE, "word_of p (i + 65) (word_of p i (alone p (fun h => (tt, save_words 66 (p * 512 + i) (me h * 128) h)))).",
        "word_of p i (alone p (fun h => (tt, save_words 66 (p * 512 + i) (me h * 128) h))).",
    ),
}
