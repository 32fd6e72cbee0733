/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What nie.ko offers to a monitor, in the manner of KVM: /dev/nie makes VMs, a VM is a file
 * descriptor that makes vCPUs, a vCPU is a file descriptor that runs. The last close of a VM's
 * descriptors tears it down and gives its memory back, however the monitor ended.
 *
 * Order: CREATE_VM; LOAD as often as wanted; CREATE_VCPU for 0..vcpus-1; ACTIVATE; then one thread a
 * vCPU in RUN. Each ioctl returns -1 and errno; what each errno means is said beside it.
 */
#ifndef NIE_UAPI_H
#define NIE_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define NIE_UAPI_VERSION 1
#define NIE_NAME_MAX     32 /* bytes of a VM's name, the final 0 included */
#define NIE_EXIT_REASONS 16 /* counters of exits: enum nie_exit of abi/nie.h, 0 is unused */

/* What the VM's machine looks like; the monitor's device tree must say the same. */
#define NIE_GICD_BASE   0x08000000ULL
#define NIE_GICD_SIZE   0x00010000ULL
#define NIE_GICR_BASE   0x080A0000ULL /* vCPU i at + i * NIE_GICR_STRIDE */
#define NIE_GICR_STRIDE 0x00020000ULL
#define NIE_INTID_END   96            /* SPIs are INTID 32..95 */
#define NIE_BLOCK_SIZE  0x00200000ULL /* RAM windows are multiples of it in base and size */

/* One VM: name ends with 0, is not empty and not in use; sizes in bytes. */
struct nie_create_vm {
	char name[NIE_NAME_MAX];
	__u64 ram_base; /* IPA */
	__u64 ram_size;
	__u32 vcpus; /* 1..8 */
	__u32 zero;  /* must be 0 */
};

/* Copy `size` bytes at `from` to the VM's RAM at `ipa`; measured. Only before ACTIVATE. */
struct nie_load {
	__u64 ipa;
	__u64 size;
	__u64 from; /* address in the monitor's memory */
};

/* vCPU 0 starts at (entry, x0); entry of the others is replaced by the VM's PSCI CPU_ON. */
struct nie_create_vcpu {
	__u32 index;
	__u32 zero;  /* must be 0 */
	__u64 entry; /* IPA */
	__u64 x0;
};

/* The level of a shared peripheral interrupt's input line. */
struct nie_irq_line {
	__u32 intid; /* 32..NIE_INTID_END-1 */
	__u32 level; /* 0 or 1 */
};

struct nie_vm_info {
	__u32 index; /* LIST: in, the first index to look at; out, the index found */
	__u32 state; /* enum nie_vm_state of abi/nie.h */
	__u32 vcpus;
	__u32 running; /* vCPUs that are on a CPU now */
	__u32 pid;     /* of the monitor that created it */
	__u32 zero;
	__u64 ram_size; /* bytes */
	__u64 pages; /* granules that the engine holds for it: RAM, tables, contexts, records */
	__u64 exits[NIE_EXIT_REASONS];
	__u8 measurement[32]; /* SHA-256; what is hashed so far before ACTIVATE */
	char name[NIE_NAME_MAX];
};

/*
 * RUN's answer, one page shared by mmap of the vCPU descriptor (offset 0, 4096 bytes). RUN returns 0
 * with `reason` set, one of abi/nie.h's NIE_EXIT_MMIO_READ, NIE_EXIT_MMIO_WRITE, NIE_EXIT_HOST_CALL,
 * NIE_EXIT_SYSTEM_OFF, NIE_EXIT_SYSTEM_RESET, NIE_EXIT_PAGE_MISSING (ipa; only where the VM reopened a Spent page),
 * NIE_EXIT_SERROR or NIE_UEXIT_STOPPED. After a read put the value in answer[0], after a host call x0..x3 in
 * answer[0..3]; the next RUN completes the access.
 */
struct nie_vcpu_state {
	__u32 reason;
	__u32 width; /* bytes: 1, 2, 4 or 8 */
	__u64 ipa;
	__u64 value; /* of a write */
	__u64 x[7]; /* of a host call */
	__u64 answer[4];
};

/* The VM is stopped: by another vCPU's power off or reset, by STOP, or by an error of another vCPU. */
#define NIE_UEXIT_STOPPED 100

/* On /dev/nie. */
#define NIE_IOC_VERSION _IO('n', 0x00) /* returns NIE_UAPI_VERSION */
/*
 * Returns a VM descriptor. EINVAL: a field is out of range; EEXIST: the name is in use; ENOSPC: all 64
 * VMs are in use; ENOMEM: no memory.
 */
#define NIE_IOC_CREATE_VM _IOW('n', 0x01, struct nie_create_vm)
/*
 * The first VM with an index >= info.index. ENOENT: there is none. A VM is listed, and its name in use, until all its memory
 * is back; one whose memory the engine kept has no name and stays.
 */
#define NIE_IOC_LIST _IOWR('n', 0x02, struct nie_vm_info)

/* On a VM descriptor. EIO, of any: the engine refused a call; the kernel's log says which and why. */
/* EINVAL: outside RAM; EFAULT: bad address; EBUSY: already active; ENOMEM. */
#define NIE_VM_LOAD _IOW('n', 0x10, struct nie_load)
/* Returns a vCPU descriptor. EINVAL: no such index; EEXIST: it exists; EBUSY: already active. */
#define NIE_VM_CREATE_VCPU _IOW('n', 0x11, struct nie_create_vcpu)
/* Gives the engine all RAM. EINVAL: a vCPU is missing; EBUSY: already active; ENOMEM: too little memory. */
#define NIE_VM_DO_ACTIVATE _IO('n', 0x12)
/* EINVAL: no such interrupt. */
#define NIE_VM_IRQ_LINE _IOW('n', 0x13, struct nie_irq_line)
#define NIE_VM_GET_INFO _IOR('n', 0x14, struct nie_vm_info)
/* For ever: no vCPU runs again, RUN returns NIE_UEXIT_STOPPED. Done twice is no error. */
#define NIE_VM_DO_STOP _IO('n', 0x15)

/* On a vCPU descriptor. EINTR: a signal; EBUSY: another thread runs it; EINVAL: the VM is not active. */
#define NIE_VCPU_DO_RUN _IO('n', 0x20)

#endif
