# SPDX-License-Identifier: Apache-2.0
"""Defects put into the core, one at a time, each by replacing one text. Used by test/unit/mutants and ./nie mutants."""

# call/page_remove.c, after the page is unlinked.
FLUSH = """\
	s2_flush((uint32_t)vm);
	/* Before the host can execute there: it must not run the VM's instructions. */
	ic_invalidate();
	dsb_ish();
"""
TAKE_BACK = """\
	for (uint64_t i = 0; i < count; i++)
		take_back((uint32_t)vm, (struct pfn){ first + i });
"""
# name: file, old text, new text
C_MUTANTS = {
    "no_scrub_on_return": ("state/donate.c", "\tpage_zero(p);\n\tpage_clean(p);\n\trelease", "\trelease"),
    "no_clean_on_return": ("state/donate.c", "\tpage_clean(p);\n", ""),
    "scrub_before_tlbi": ("call/page_remove.c", FLUSH + TAKE_BACK, TAKE_BACK + FLUSH),
    "no_tlbi_on_remove": ("call/page_remove.c", "\ts2_flush((uint32_t)vm);\n", ""),
    "no_dsb_before_tlbi": ("state/stage2.c", "\tdsb_ish();\n\ttlbi_vmid", "\ttlbi_vmid"),
    "no_dsb_after_tlbi": ("state/stage2.c", "\ttlbi_vmid(vm + 1);\n\tdsb_ish();\n", "\ttlbi_vmid(vm + 1);\n"),
    "no_tlbi": ("state/stage2.c", "\ttlbi_vmid(vm + 1);\n", ""),
    "wrong_vmid": ("state/stage2.c", "tlbi_vmid(vm + 1)", "tlbi_vmid(vm)"),
    "no_host_hide": ("state/donate.c", "\t\thost_hide(p, count);\n", "\t\t;\n"),
    "no_host_tlbi": ("state/host.c", "\ttlbi_vmid(0);\n", ""),
    "host_wrong_vmid": ("state/host.c", "\ttlbi_vmid(0);\n", "\ttlbi_vmid(1);\n"),
    "host_block_not_broken": (
        "state/host.c",
        "\t\tpage_write(level2, level2_index(p), DESC_EMPTY);\n",
        "\t\tpage_write(level2, level2_index(p), address_of(level3.n) | DESC_TABLE);\n",
    ),
    "split_without_break": ("state/stage2.c", "\tpage_write((struct pfn){ w.table }, w.index, DESC_EMPTY);\n", ""),
    "remove_leaves_empty": ("call/page_remove.c", "DESC_SPENT);", "DESC_EMPTY);"),
    "spent_table_removed": ("call/table_remove.c", "vms[vm].state == NIE_VM_STOPPED)", "true)"),
    "table_not_scrubbed": ("call/table_add.c", "\tpages_scrub(table, 1);\n", ""),
    "zero_page_not_scrubbed": ("call/page_add_zero.c", "\tpages_scrub(p, count);\n", ""),
    "no_owner_check": ("state/granule.c", "\t\tif (g.state != GRANULE_HOST)\n\t\t\treturn NIE_E_OWNER;\n", ""),
    "last_page_not_checked": ("state/granule.c", "i < count; i++) {\n\t\tstruct granule g", "i + 1 < count; i++) {\n\t\tstruct granule g"),
    "no_flush_between_vcpus": ("state/world.c", "\t\ttlbi_vmid_local(vm + 1);\n", ""),
    "last_vcpu_not_forgotten": ("state/world.c", "lasts[vm].vcpu[cpu] != vcpu + 1", "lasts[vm].vcpu[cpu] == 0"),
    "fp_not_cleared": ("state/world.c", "\tfp_zero();\n", ""),
    "host_call_registers_leak": ("state/world.c", "e.reason == NIE_EXIT_HOST_CALL ? cpus[cpu].x[i] : 0", "cpus[cpu].x[i]"),
    "vmcr_leaks": ("state/world.c", "vmcr & ICH_VMCR_SHOWN", "vmcr"),
    "mmio_value_not_truncated": ("trap/vcpu_abort.c", "mmio_truncate(value, width)", "value"),
    "mmio_answer_in_ram": ("trap/vcpu_abort.c", "\telse if (in_ram_window(vm, page))", "\telse if (false)"),
    "answer_kept": ("trap/mmio.c", "\tv->pending = PENDING_NONE;\n", ""),
    "lr_read_twice": (
        "state/world.c",
        "cpus[cpu].in[RUN_IN_LR0 + i]);",
        "host_read((struct pfn){ v->run }, RUN_IN_LR0 + i));",
    ),
    "duplicate_lr": ("call/vcpu_run.c", "a != 0 && b != 0 &&", "a == b && false &&"),
    "running_vcpu_enters": ("call/vcpu_run.c", "\t\treturn NIE_E_BUSY;\n", "\t\treturn NIE_OK;\n"),
    "lpis_enabled": ("trap/host_abort.c", "value & ~(uint32_t)GICR_CTLR_ENABLE_LPIS", "value"),
    "reset_with_a_vm": ("trap/host_smc.c", "\tif (any_vm())\n\t\treturn PSCI_DENIED;\n", ""),
    "vcpu_on_without_flush": ("trap/vcpu_call.c", "\t\ts2_flush(vm);\n", ""),
    "reopen_any": ("trap/vcpu_call.c", "|| w.desc != DESC_SPENT)", "|| false)"),
    "shared_executable": ("call/page_shared_add.c", "DESC_NORMAL | DESC_XN", "DESC_NORMAL"),
    "ic_missing_on_remove": ("call/page_remove.c", "\tic_invalidate();\n", ""),
    "hash_before_hide": (
        "call/page_add.c",
        "\tdonate(i, p, count,",
        "\tmeasure_page(i, p);\n\tdonate(i, p, count,",
    ),
    "redistributor_mapped": ("state/host.c", "\tif (is_redistributor_base(page))\n\t\treturn false;\n", ""),
    "ram_not_scrubbed": ("boot.c", "\t\t\t\tpage_zero(p);\n", "\t\t\t\t;\n"),
    "block_split_off_by_one": ("call/table_add.c", "address_of(i) + DESC_PAGE", "address_of(i + 1) + DESC_PAGE"),
    "cntvoff_not_restored": ("state/world.c", "\tsysreg_write(REG_CNTVOFF_EL2, 0);\n", ""),
    "deferred_error_kept": ("state/world.c", "\tsysreg_write(REG_VDISR_EL2, deferred);\n", "\t(void)deferred;\n"),
    "quick_smc_not_stepped": ("trap/quick.c", "\tif (class == EC_SMC64)\n\t\tskip_instruction();\n", ""),
    "quick_smc_of_host": ("trap/quick.c", "class != EC_HVC64 || (cpus", "(cpus"),
    "smc32_wide": ("trap/vcpu_call.c", "smccc_argument(function, c->x[1])", "c->x[1]"),
    "destroy_without_flush": ("call/vm_destroy.c", "\ts2_flush((uint32_t)vm);\n", ""),
}

# Of these the proofs say more than that a script stops: with the defect the claim is false, by an explicit machine.
REFUTED = {
    "no_scrub_on_return": "leak_scrub.scrub_leaks",
    "scrub_before_tlbi": "scrub_before_flush.scrub_before_flush",
    "no_tlbi": "flush_mutants.without_tlbi",
    "wrong_vmid": "flush_mutants.with_wrong_vmid",
    "no_dsb_before_tlbi": "flush_mutants.without_dsb_before_tlbi",
    "no_host_hide": "hide_mutants.without_host_hide",
    "no_host_tlbi": "hide_mutants.hide_without_tlbi",
    "host_wrong_vmid": "hide_mutants.hide_with_wrong_vmid",
    "zero_page_not_scrubbed": "page_shown_mutants.without_scrub",
    "remove_leaves_empty": "forge_spent.spent_forges",
    "mmio_answer_in_ram": "forge_answer.memory_answer_forges",
    "fp_not_cleared": "leak_exit.vector_leaks",
    "host_call_registers_leak": "leak_exit.register_leaks",
    "vmcr_leaks": "leak_exit.list_register_leaks",
    "mmio_value_not_truncated": "leak_exit.syndrome_leaks",
}
# Seen by no run and no proof, and why that is as it should be.
EXPLAINED = {}
