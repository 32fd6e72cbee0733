# SPDX-License-Identifier: Apache-2.0
"""Defects that docs/hypervisor-defects.md names, one for each test of test/unit that it relies on: that very test must fail.
Used by test/unit/mutants; ./nie mutants judges those of c_mutants.py."""

# name: file below engine/core, old text, new text, the test that must fail
CATALOGUE_MUTANTS = {
    "context_not_zeroed": ("state/context.c", "\tpage_zero(context);\n", "", "first_entry_is_a_reset"),
    "pstate_of_el2": ("state/context.c", "PSTATE_EL1H_MASKED)", "PSTATE_EL1H_MASKED + 4)", "first_entry_is_a_reset"),
    "abort_beyond_ipas_exits": (
        "trap/vcpu_abort.c", " || page >> (NIE_IPA_BITS - NIE_PAGE_SHIFT) != 0", "", "injected_aborts",
    ),
    "host_fault_forgiven": ("trap/host_abort.c", "inject_abort(esr, FSC_EXTERNAL)", "skip_instruction()", "forbidden_addresses"),
    "ram_kept": ("boot.c", "\t\t\t\tpage_zero(p);\n", "\t\t\t\t;\n", "ram_is_scrubbed"),
    "width_not_written": ("state/world.c", "\thost_write(run, RUN_OUT_WIDTH, e.width);\n", "", "record_is_written_whole"),
    "record_read_again": (
        "state/world.c", "cpus[cpu].in[RUN_IN_LR0 + i]);", "host_read((struct pfn){ v->run }, RUN_IN_LR0 + i));", "record_is_read_once",
    ),
    "turns_without_flush": ("state/world.c", "\t\ttlbi_vmid_local(vm + 1);\n", "", "vcpus_take_turns"),
    "broadcast_left_out": ("state/world.c", "REG_HCR_EL2, HCR_GUEST", "REG_HCR_EL2, HCR_GUEST & ~(uint64_t)HCR_FB", "constants_of_a_vcpu"),
    "sgi_undefined": ("trap/sysreg.c", "encoding == ENC_SGI1R && !read", "encoding == ENC_SGI1R && read", "sgi_goes_to_the_host"),
    "breakpoints_on": ("trap/sysreg.c", "gpr_read(cpu, r) & MDSCR_SS", "gpr_read(cpu, r)", "debug_is_single_step_only"),
    "sve_shown": ("trap/id_register.c", "PFR0_KEEP = 0xfULL << 16 |", "PFR0_KEEP = 0xfULL << 32 | 0xfULL << 16 |", "id_registers"),
    "vector_of_aarch32": ("state/inject.c", "(pstate & SPSR_AARCH32) != 0", "false", "vectors_by_origin"),
    "pan_left": ("state/inject.c", "\t\tnext = next | SPSR_PAN;\n", "\t\t;\n", "handler_state"),
    "class_stepped_over": (
        "trap/trap.c", "\tdefault:\n\t\tinject_undefined();\n\t\treturn;\n", "\tdefault:\n\t\tskip_instruction();\n\t\treturn;\n",
        "other_classes_are_undefined",
    ),
    "serror_ignored": (
        "trap/trap.c", "exit_vcpu(cpu, (struct exit){ NIE_EXIT_SERROR, 0, 0, 0 })", "cpus[cpu].x[0] = 0", "exits_of_interrupts",
    ),
    "smc_passed_on": (
        "trap/host_smc.c", "return host_system(PSCI_SYSTEM_RESET);\n\tdefault:\n\t\treturn PSCI_NOT_SUPPORTED;",
        "return host_system(PSCI_SYSTEM_RESET);\n\tdefault:\n\t\treturn firmware_call(c->x[0], c->x[1], c->x[2], c->x[3]);", "host_smcs",
    ),
    "answered_twice": ("trap/mmio.c", "\tv->pending = PENDING_NONE;\n", "", "unanswered_runs_again"),
    "interrupt_twice": ("call/vcpu_run.c", "a != 0 && b != 0 &&", "a == b && false &&", "same_interrupt_twice"),
    "every_device_mapped": ("state/host.c", "page - first < config.word[MAN_DEVICE0 + 2 * i + 1]", "true", "what_the_host_reaches"),
    "context_is_record": ("call/vcpu_create.c", "\tif (context == run)\n\t\treturn NIE_E_ALIAS;\n", "", "vcpu_create"),
    "device_given": ("state/granule.c", "\tif (!granule_exists(p))\n\t\treturn NIE_E_PA;\n", "", "page_add"),
    "empty_range_taken": ("state/granule.c", "count >= 1 && count", "count", "page_remove"),
    "ipa_not_bounded": ("state/checks.c", "\tif (ipa >> NIE_IPA_BITS != 0)\n\t\treturn NIE_E_IPA;\n", "", "page_remove"),
}
