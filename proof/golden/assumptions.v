(* SPDX-License-Identifier: Apache-2.0 *)
(* What the headlines rest on; `./nie prove` compares it with assumptions.txt. *)
From nie.proof Require Theorems.
Print Assumptions Theorems.vm_info_is_correct.
Print Assumptions Theorems.vcpu_run_is_correct.
Print Assumptions Theorems.exit_vcpu_is_correct.
Print Assumptions Theorems.vcpu_create_is_correct.
Print Assumptions Theorems.vcpu_destroy_is_correct.
Print Assumptions Theorems.vm_create_is_correct.
Print Assumptions Theorems.vm_destroy_is_correct.
Print Assumptions Theorems.vm_stop_is_correct.
Print Assumptions Theorems.vm_activate_is_correct.
Print Assumptions Theorems.page_remove_is_correct.
Print Assumptions Theorems.table_remove_is_correct.
Print Assumptions Theorems.page_add_zero_is_correct.
Print Assumptions Theorems.page_shared_add_is_correct.
Print Assumptions Theorems.table_add_is_correct.
Print Assumptions Theorems.page_add_is_correct.
Print Assumptions Theorems.host_call_is_correct.
Print Assumptions Theorems.vcpu_trap_is_correct.
Print Assumptions Theorems.trap_is_correct.
Print Assumptions Theorems.boot_describes.
Print Assumptions Theorems.trap_is_safe.
Print Assumptions Theorems.quick_is_safe.
Print Assumptions Theorems.quick_is_correct.
Print Assumptions Theorems.boot_is_correct.
Print Assumptions Theorems.start_is_safe.
Print Assumptions Theorems.start_is_correct.
From nie.proof.refine Require page_shown page_kept.
Print Assumptions page_shown.page_add_zero_shows_zeros.
Print Assumptions page_shown.page_add_shows_measured.
Print Assumptions page_kept.page_add_zero_keeps_zeros.
From nie.proof.security Require witness scrub_before_flush flush_mutants.
Print Assumptions witness.witness.
Print Assumptions scrub_before_flush.scrub_before_flush.
Print Assumptions flush_mutants.without_tlbi.
Print Assumptions flush_mutants.with_wrong_vmid.
Print Assumptions flush_mutants.without_dsb_before_tlbi.
From nie.proof.security Require Watched page_remove_isolates table_remove_isolates page_add_zero_isolates page_shared_add_isolates table_add_isolates page_remove_witness.
Print Assumptions page_remove_isolates.page_remove_does.
Print Assumptions table_remove_isolates.table_remove_does.
Print Assumptions page_add_zero_isolates.page_add_zero_does.
Print Assumptions page_shared_add_isolates.page_shared_add_does.
Print Assumptions table_add_isolates.table_add_does.
Print Assumptions page_remove_witness.it_runs.
From nie.proof.security Require hide_mutants.
Print Assumptions hide_mutants.without_host_hide.
Print Assumptions hide_mutants.hide_without_tlbi.
Print Assumptions hide_mutants.hide_with_wrong_vmid.
From nie.proof.security Require page_shown_mutants.
Print Assumptions page_shown_mutants.without_scrub.
Print Assumptions page_shown_mutants.with_late_scrub.
From nie.proof.security Require vm_info_isolates vm_stop_isolates vm_activate_isolates.
Print Assumptions vm_info_isolates.vm_info_does.
Print Assumptions vm_stop_isolates.vm_stop_does.
Print Assumptions vm_activate_isolates.vm_activate_does.
From nie.proof.security Require page_add_isolates vm_create_isolates vm_destroy_isolates.
Print Assumptions page_add_isolates.page_add_does.
Print Assumptions vm_create_isolates.vm_create_does.
Print Assumptions vm_destroy_isolates.vm_destroy_does.
Print Assumptions vm_destroy_isolates.free_is_nowhere.
From nie.proof.security Require vcpu_create_isolates vcpu_destroy_isolates vcpu_run_isolates.
Print Assumptions vcpu_run_isolates.entry_shows_no_host.
Print Assumptions vcpu_run_isolates.exit_shows_no_vm.
From nie.proof.security Require exit_releases.
Print Assumptions exit_releases.exit_tells_always.
Print Assumptions exit_releases.entry_brings_offset.
From nie.proof.security Require trap_tells.
Print Assumptions trap_tells.trap_tells_released.
From nie.proof.security Require offset_traces.
Print Assumptions offset_traces.runs_tell_what_is_released.
From nie.proof.security Require exit_registers exit_shown exits_alike Parted exits_tell.
Print Assumptions exit_registers.exit_brings_host_back.
Print Assumptions exit_shown.exit_shows_released.
Print Assumptions exits_alike.exits_look_alike.
Print Assumptions Parted.parted_look_alike.
Print Assumptions exits_tell.exits_tell_alike.
Print Assumptions vcpu_create_isolates.vcpu_create_does.
Print Assumptions vcpu_destroy_isolates.vcpu_destroy_does.
From nie.proof.refine Require sha256_refines measure_record_refines measure_page_refines.
Print Assumptions sha256_refines.sha256_block_wp.
Print Assumptions measure_record_refines.measure_record_wp.
Print Assumptions measure_record_refines.measure_finish_wp.
Print Assumptions measure_page_refines.measure_page_wp.
From nie.proof.security Require leak_scrub.
Print Assumptions leak_scrub.scrub_leaks.
Print Assumptions leak_scrub.core_gives_zeros.
From nie.proof.security Require calls_tell_nothing.
Print Assumptions calls_tell_nothing.page_remove_tells_nothing.
Print Assumptions calls_tell_nothing.table_remove_tells_nothing.
Print Assumptions calls_tell_nothing.page_add_zero_tells_nothing.
Print Assumptions calls_tell_nothing.page_shared_add_tells_nothing.
Print Assumptions calls_tell_nothing.table_add_tells_nothing.
Print Assumptions calls_tell_nothing.vcpu_create_tells_nothing.
Print Assumptions calls_tell_nothing.vcpu_destroy_tells_nothing.
Print Assumptions calls_tell_nothing.vm_stop_tells_nothing.
Print Assumptions calls_tell_nothing.vm_activate_tells_nothing.
Print Assumptions calls_tell_nothing.vm_destroy_tells_nothing.
Print Assumptions calls_tell_nothing.vm_create_tells_nothing.
Print Assumptions calls_tell_nothing.page_add_tells_nothing.
From nie.proof.security Require host_traps_tell_nothing.
Print Assumptions host_traps_tell_nothing.host_traps_tell_nothing.
Print Assumptions host_traps_tell_nothing.starts_tell_nothing.
From nie.proof.security Require confidential_of_memory memory_witness.
Print Assumptions confidential_of_memory.confidential_of_memory.
Print Assumptions memory_witness.memory_not_vacuous.
From nie.proof.security Require confidential_while_it_runs.
Print Assumptions confidential_while_it_runs.confidential_while_it_runs.
Print Assumptions confidential_while_it_runs.cores_twins_stay_alike.
From nie.proof.security Require calm_witness.
Print Assumptions calm_witness.calm_not_vacuous.
From nie.proof.security Require leak_while_it_runs.
Print Assumptions leak_while_it_runs.scrub_leaks_while_it_runs.
From nie.proof.security Require tells_nothing_witness.
Print Assumptions tells_nothing_witness.they_are_alike.
Print Assumptions tells_nothing_witness.no_scrub_tells.
Print Assumptions tells_nothing_witness.keeping_a_word_tells.
From nie.proof.security Require core_is_safe.
Print Assumptions core_is_safe.core_is_safe.
Print Assumptions core_is_safe.core_stays_safe.
Print Assumptions core_is_safe.no_page_has_two_owners.
Print Assumptions core_is_safe.engine_is_reached_by_nobody.
Print Assumptions core_is_safe.host_finds_nothing_unscrubbed.
Print Assumptions core_is_safe.boot_happens.
From nie.proof.security Require core_is_correct.
Print Assumptions core_is_correct.core_is_correct.
Print Assumptions core_is_correct.a_machine_boots.
From nie.proof.security Require vectors_are_correct.
Print Assumptions vectors_are_correct.vectors_are_correct.
From nie.proof.security Require core_keeps_to_itself.
Print Assumptions core_keeps_to_itself.core_keeps_to_itself.
From nie.proof.security Require keeps_witness.
Print Assumptions keeps_witness.a_page_is_kept.
From nie.proof.security Require core_is_sound.
Print Assumptions core_is_sound.core_is_sound.
From nie.proof.security Require leak_exit.
Print Assumptions leak_exit.register_leaks.
Print Assumptions leak_exit.syndrome_leaks.
Print Assumptions leak_exit.list_register_leaks.
Print Assumptions leak_exit.vector_leaks.
Print Assumptions leak_exit.core_shows_the_same.
From nie.proof.security Require leak_reuse.
Print Assumptions leak_reuse.reuse_leaks.
Print Assumptions leak_reuse.core_reuses_zeros.
From nie.proof.security Require forge_spent.
Print Assumptions forge_spent.spent_forges.
Print Assumptions forge_spent.spent_moves_map.
Print Assumptions forge_spent.core_refuses.
From nie.proof.security Require leak_timer.
Print Assumptions leak_timer.timer_leaks.
Print Assumptions leak_timer.core_restores_timer.
From nie.proof.security Require leak_share.
Print Assumptions leak_share.share_leaks.
Print Assumptions leak_share.core_does_not_share.
From nie.proof.security Require leak_flush.
Print Assumptions leak_flush.tlbi_leaks.
Print Assumptions leak_flush.dsb_leaks.
Print Assumptions leak_flush.core_flushes.
From nie.proof.security Require leak_late.
Print Assumptions leak_late.late_flush_leaks.
Print Assumptions leak_late.core_scrubs_last.
From nie.proof.security Require not_vacuous.
Print Assumptions not_vacuous.not_vacuous.
Print Assumptions not_vacuous.reuse_not_vacuous.
From nie.proof.security Require forge_answer.
Print Assumptions forge_answer.memory_answer_forges.
Print Assumptions forge_answer.whole_answer_forges.
Print Assumptions forge_answer.core_answers.
From nie.proof.security Require core_keeps_registers.
Print Assumptions core_keeps_registers.core_keeps_registers.
From nie.proof.security Require core_measures measures_witness.
Print Assumptions core_measures.core_measures.
Print Assumptions measures_witness.a_hash_is_told.
From nie.proof.security Require core_keeps_map map_witness.
Print Assumptions core_keeps_map.core_keeps_map.
Print Assumptions map_witness.map_not_vacuous.
From nie.proof.security Require core_keeps_words core_zeroes_words core_keeps_memory.
Print Assumptions core_keeps_words.core_keeps_words.
Print Assumptions core_zeroes_words.core_zeroes_words.
Print Assumptions core_zeroes_words.core_adds_quietly.
Print Assumptions core_keeps_memory.core_keeps_memory.
From nie.model Require Walk.
Print Assumptions Walk.walk_is_exact.
From nie.proof.security Require registers_switched.
Print Assumptions registers_switched.register_file_is_the_census.
Print Assumptions registers_switched.model_lets_el1_write.
Print Assumptions registers_switched.vcpu_finds_what_it_left.
Print Assumptions registers_switched.vcpu_leaves_what_it_had.
Print Assumptions registers_switched.host_finds_what_it_left.
From nie.proof.security Require entry_forgets.
Print Assumptions entry_forgets.entry_forgets.
Print Assumptions entry_forgets.leaving_one_out_remembers.
