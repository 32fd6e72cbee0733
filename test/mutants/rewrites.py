# SPDX-License-Identifier: Apache-2.0
"""Changes of the C that mean the same: every proof script must go through as it is.

Stores that change places are not among them: a proof follows the order of the C's stores."""

# name: file below engine/core, old text, new text
REWRITES = {
    "index_after_offset": (
        "call/page_remove.c", "page_write((struct pfn){ w.table }, w.index + (uint32_t)i, DESC_SPENT);",
        "page_write((struct pfn){ w.table }, (uint32_t)i + w.index, DESC_SPENT);",
    ),
    "sum_turned": ("call/page_remove.c", "desc_page(desc) != first + i", "desc_page(desc) != i + first"),
    "comparison_turned": ("call/page_remove.c", "desc_page(desc) != first + i", "first + i != desc_page(desc)"),
    "branches_turned": (
        "call/page_remove.c", "\tif (g.state == GRANULE_SHARED)\n\t\trelease(vm, p);\n\telse\n\t\tgive_back(vm, p);\n",
        "\tif (g.state != GRANULE_SHARED)\n\t\tgive_back(vm, p);\n\telse\n\t\trelease(vm, p);\n",
    ),
    "counter_renamed": (
        "call/page_remove.c",
        "\tfor (uint64_t i = 0; i < count; i++)\n\t\tpage_write((struct pfn){ w.table }, w.index + (uint32_t)i, DESC_SPENT);",
        "\tfor (uint64_t k = 0; k < count; k++)\n\t\tpage_write((struct pfn){ w.table }, w.index + (uint32_t)k, DESC_SPENT);",
    ),
    "local_for_table": (
        "call/page_remove.c", "\tuint64_t first = desc_page(w.desc);\n\n\tfor (uint64_t i = 0; i < count; i++)\n\t\tpage_write((struct pfn){ w.table }, ",
        "\tuint64_t first = desc_page(w.desc);\n\tstruct pfn table = { w.table };\n\n\tfor (uint64_t i = 0; i < count; i++)\n\t\tpage_write(table, ",
    ),
    "limits_turned": ("state/granule.c", "count >= 1 && count <= NIE_RANGE_MAX", "1 <= count && count <= NIE_RANGE_MAX"),
    "lower_bound_turned": (
        "state/granule.c", "p.n >= config.word[MAN_RAM_BASE] &&", "config.word[MAN_RAM_BASE] <= p.n &&",
    ),
    "local_for_level3": (
        "state/host.c", "\tpage_write(level3_of(p), (uint32_t)p.n & 511, ",
        "\tstruct pfn table = level3_of(p);\n\n\tpage_write(table, (uint32_t)p.n & 511, ",
    ),
    "attributes_turned": (
        "state/host.c", "address_of(p.n) | DESC_NORMAL | DESC_PAGE);", "address_of(p.n) | DESC_PAGE | DESC_NORMAL);",
    ),
    "division_for_shift": ("granule.h", "return address >> NIE_PAGE_SHIFT;", "return address / NIE_PAGE_SIZE;"),
    "product_for_shift": ("granule.h", "return page << NIE_PAGE_SHIFT;", "return page * NIE_PAGE_SIZE;"),
    "bit_equals_one": ("stage2.h", "return (desc & 1) != 0;", "return (desc & 1) == 1;"),
    "bound_for_shift": ("state/checks.c", "ipa >> NIE_IPA_BITS != 0", "ipa >= 1ULL << NIE_IPA_BITS"),
    "states_turned": (
        "state/checks.c", "vms[vm].state != state && vms[vm].state != or_state",
        "vms[vm].state != or_state && vms[vm].state != state",
    ),
    "two_conditions": (
        "state/checks.c", "\tif (vms[vm].state != state && vms[vm].state != or_state)\n\t\treturn NIE_E_VM_STATE;\n",
        "\tif (vms[vm].state != state) {\n\t\tif (vms[vm].state != or_state)\n\t\t\treturn NIE_E_VM_STATE;\n\t}\n",
    ),
}

# They mean the same too, and stop a script: name to what stops, and why.
STOPPING = {
    "walk_condition_turned": "`level == l` for `l == level` in state/stage2.c: `s2_walk_wp` (proof/refine/Shared.v) names the test as it stands",
    "local_for_state": "`vms[vm].state` read once, into a local, in state/checks.c: `check_vm_run` (proof/refine/page_remove_checks.v) expects a load at each test",
}
