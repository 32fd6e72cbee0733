/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The calls of the engine, their status codes and the run record: the one contract between the
 * engine, the host's module and monitor, the guests and the proofs. Arm SMC Calling Convention
 * (DEN0028): HVC #0, function id in x0, arguments in x1.., result in x0 and after; x4-x17 that
 * carry no result are preserved. Addresses are in bytes and aligned to a page unless said.
 */
#ifndef NIE_ABI_H
#define NIE_ABI_H

/* clang-format off */
enum nie_limit {
	NIE_MAX_VMS = 64,      /* VM indices 0..63, picked by the host */
	NIE_MAX_VCPUS = 8,     /* vCPU indices 0..7 in each VM */
	NIE_MAX_CPUS = 8,      /* physical CPUs */
	NIE_PAGE_SHIFT = 12,
	NIE_PAGE_SIZE = 4096,
	NIE_RANGE_MAX = 512,   /* granules in one range call; a range stays in one 2 MiB, IPA and PA */
	NIE_PAGE_ADD_MAX = 16, /* granules in one PAGE_ADD: they are hashed under the lock */
	NIE_LRS = 4,           /* list registers of the virtual interrupt controller */
	NIE_IPA_BITS = 39,     /* a VM's IPA space; the upper half (from bit 38) is for SHARED pages */
	NIE_ABI_VERSION = 1,
};

/* The host's calls (vendor-specific hypervisor service, fast, SMC64). */
enum nie_call {
	NIE_VERSION = 0xC6000000,   /* () -> x1 NIE_ABI_VERSION */
	NIE_VM_INFO,                /* (vm) -> x1 state | running << 8, x2 granules, x3-x6 SHA-256 */
	NIE_VM_CREATE,              /* (vm, root PA, RAM base IPA, RAM pages, vCPUs) */
	NIE_VM_ACTIVATE,            /* (vm) */
	NIE_VM_STOP,                /* (vm) */
	NIE_VM_DESTROY,             /* (vm) -> x1 root PA, given back */
	NIE_VCPU_CREATE,            /* (vm, vcpu, context PA, run record PA, entry IPA, x0) */
	NIE_VCPU_DESTROY,           /* (vm, vcpu) -> x1 context PA, x2 run record PA, given back */
	NIE_VCPU_RUN,               /* (vm, vcpu): answers and reasons are in the run record */
	NIE_TABLE_ADD,              /* (vm, IPA, level, PA); level 2 or 3; over a block: splits it */
	NIE_TABLE_REMOVE,           /* (vm, IPA, level) -> x1 PA, given back */
	NIE_PAGE_ADD,               /* (vm, IPA, PA, count): the host's content, measured */
	NIE_PAGE_ADD_ZERO,          /* (vm, IPA, PA, count, level); level 3, or 2 with count 512 */
	NIE_PAGE_REMOVE,            /* (vm, IPA, count) -> x1 PA of the first; they are contiguous */
	NIE_PAGE_SHARED_ADD,        /* (vm, IPA, PA, count): IPA in the upper half */
	NIE_CALL_END,
};

/* A VM's own calls, by HVC or SMC. */
enum nie_vm_call {
	NIE_VM_VERSION = 0xC6000100, /* () -> x0 NIE_ABI_VERSION */
	NIE_VM_PAGE_REOPEN,          /* (IPA): a Spent IPA is Empty again -> x0 status */
	NIE_VM_HOST_CALL,            /* (x1..x6): goes to the host, which answers x0..x3 */
};

/* One status has one cause. */
enum nie_status {
	NIE_OK = 0,
	NIE_E_CALL = 1,        /* no such call */
	NIE_E_VM = 2,          /* no such VM index */
	NIE_E_VM_STATE = 3,    /* the VM is not in the state that this call needs */
	NIE_E_VCPU = 4,        /* no such vCPU index in this VM */
	NIE_E_VCPU_STATE = 5,  /* the vCPU is not in the state that this call needs */
	NIE_E_BUSY = 6,        /* the vCPU, or one of the VM, is running on a CPU */
	NIE_E_ALIGN = 7,       /* an address is not aligned to its page, block or table */
	NIE_E_COUNT = 8,       /* a count is zero, too large, or the range leaves its 2 MiB */
	NIE_E_LEVEL = 9,       /* a level that cannot be */
	NIE_E_PA = 10,         /* not RAM that the engine manages */
	NIE_E_OWNER = 11,      /* a granule is not the host's */
	NIE_E_IPA = 12,        /* the IPA is outside the space, or in the wrong half of it */
	NIE_E_WINDOW = 13,     /* the IPA is outside the VM's RAM window, or the window is invalid */
	NIE_E_NO_TABLE = 14,   /* the table that would hold the entry is missing */
	NIE_E_MAPPED = 15,     /* the IPA holds a page, a block or a table already */
	NIE_E_SPENT = 16,      /* the IPA is Spent: only the VM can reopen it */
	NIE_E_UNMAPPED = 17,   /* the IPA holds no page */
	NIE_E_BLOCK = 18,      /* the IPA lies inside a block: split it first */
	NIE_E_NOT_EMPTY = 19,  /* the table, or the VM, still holds something */
	NIE_E_LR = 20,         /* a list register that cannot be granted */
	NIE_E_NOT_CONTIGUOUS = 21, /* the pages of the range are not contiguous in memory */
	NIE_E_ALIAS = 22,      /* the same granule is given twice in one call */
	NIE_E_NOT_SPENT = 23,  /* a VM reopens an IPA that is not Spent */
};

enum nie_vm_state { NIE_VM_FREE = 0, NIE_VM_BUILDING = 1, NIE_VM_ACTIVE = 2, NIE_VM_STOPPED = 3 };

enum nie_exit {
	NIE_EXIT_IRQ = 1,          /* a physical interrupt is pending for the host */
	NIE_EXIT_WFI = 2,          /* the vCPU waits for an interrupt */
	NIE_EXIT_MMIO_READ = 3,    /* IPA, WIDTH; answer in RUN_IN_X0 with NIE_IN_ANSWER */
	NIE_EXIT_MMIO_WRITE = 4,   /* IPA, WIDTH, VALUE; NIE_IN_ANSWER when done */
	NIE_EXIT_PAGE_MISSING = 5, /* IPA (page) is Empty and inside the RAM window */
	NIE_EXIT_HOST_CALL = 6,    /* X0..X6; the answer is RUN_IN_X0..X3 */
	NIE_EXIT_SGI = 7,          /* VALUE: what the VM wrote to ICC_SGI1R_EL1 */
	NIE_EXIT_CPU_ON = 8,       /* VALUE: index of the vCPU that is now READY */
	NIE_EXIT_CPU_OFF = 9,      /* this vCPU is OFF */
	NIE_EXIT_SYSTEM_OFF = 10,  /* the VM is STOPPED at its own wish */
	NIE_EXIT_SYSTEM_RESET = 11,/* likewise; it asked to be started anew */
	NIE_EXIT_SERROR = 12,      /* a physical SError came while the vCPU ran */
};

/* The run record: one page, 512 words of 64 bits; the host writes the first part, the engine the second. */
enum nie_run_word {
	RUN_IN_FLAGS = 0,    /* NIE_IN_ANSWER: the MMIO access is served; else it runs again */
	RUN_IN_X0 = 1,       /* MMIO read value, or x0..x3 of a host call */
	RUN_IN_ICH_HCR = 5,  /* interrupt enables of ICH_HCR_EL2: bits 7..1 */
	RUN_IN_LR0 = 6,      /* list registers 0..3 in the format of ICH_LR<n>_EL2 */
	RUN_IN_END = 10,

	RUN_OUT_REASON = 64, /* enum nie_exit */
	RUN_OUT_IPA = 65,    /* bytes; MMIO: exact, PAGE_MISSING: of the page; else 0 */
	RUN_OUT_WIDTH = 66,  /* bytes of an MMIO access: 1, 2, 4 or 8; else 0 */
	RUN_OUT_VALUE = 67,  /* see enum nie_exit; else 0 */
	RUN_OUT_X0 = 68,     /* x0..x6 of a host call; else 0 */
	RUN_OUT_LR0 = 75,    /* list registers 0..3 as the VM left them */
	RUN_OUT_MISR = 79,   /* ICH_MISR_EL2 */
	RUN_OUT_VMCR = 80,   /* ICH_VMCR_EL2: priority mask and group enables only */
	RUN_OUT_EOICOUNT = 81, /* ICH_HCR_EL2.EOIcount */
	RUN_OUT_CNTV_CTL = 82, /* CNTV_CTL_EL0 */
	RUN_OUT_CNTV_CVAL = 83,/* CNTV_CVAL_EL0 plus the VM's offset: in physical ticks */
	RUN_OUT_END = 84,
};

/* clang-format on */
enum nie_in_flag { NIE_IN_ANSWER = 1 };

#endif
