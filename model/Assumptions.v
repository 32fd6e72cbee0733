(* SPDX-License-Identifier: Apache-2.0 *)
(* What is taken for granted about the machine, by id. No axiom is declared: each assumption is a choice of
   model/Machine.v or model/C.v, named here with its source. "kind" marks where hardware may do more than the model.

   A-WALK    Stage 2 with 4 KiB granule, 39-bit IPA, three levels; descriptor bits as in [ArmARM, D8.3]. The model uses
             VTTBR_EL2 of each CPU; VTCR_EL2 is taken to be VTCR_BOTH everywhere, SW bits, MemAttr and S2AP are not looked
             at: every valid entry grants reads, writes and execution. Tested by test/walk: 10,240 random tables, AT instructions
             against model/Walk.v, which is proved to find exactly what Machine.reached says (no TLB, no store on its way).
   A-TLB     Entries are per CPU and VMID and may serve any virtual address; partial walks are kept. A TLBI by VMID
             dooms what is there when it is issued and what is derived from it; it is gone at the next DSB of the same CPU
             [ArmARM, D8.17.5]. Kind: one TLBI and one DSB suffice.
   A-VISIBLE A store of the engine is seen by walkers from any moment on until the DSB, in any order [ArmARM, D8.2.6].
             Stores of other CPUs are seen at once; they never reach a table, which is proved.
   A-RESET   After reset one CPU runs, at EL2, until it asks the firmware for others (PSCI); TLBs are empty (engine/arch/head.S:
             TLBI ALLE1). VTTBR_EL2 is UNKNOWN [ArmARM, D24.2] and nothing walks from it before EL1 is entered: the model, in
             which every CPU may walk at any time, has it name a page without an entry, outside RAM.
   A-HAF     Hardware updates of access flag and dirty state are off (VTCR_EL2.HA = HD = 0).
   A-CACHE   Kind: one coherent memory. page_clean and ic_invalidate are barriers and nothing else; caches that
             differ by cacheability or by instruction and data side are not modelled.
   A-LOCK    engine_lock gives one CPU the core: no other CPU runs it meanwhile, and acts of the others come before
             each primitive, not inside one.
   A-PAGE    page_read and its kin touch exactly the words named; page_zero writes 512 zeros in any order (the model
             leaves every old value visible to walkers until the barrier).
   A-DEVICE  The devices that the host may access are not bus masters: they write no memory.
   A-CTRL    EL1 and EL0 change no register from ESR_EL2 on (enum sysreg); only primitives change those.
   A-VMID    No act of EL1 or EL0 invalidates, fills or uses entries of another VMID than VTTBR_EL2 of its CPU says, but
             for filling: any CPU's walker may run at any time, in mid-handler too.

   The others have no test on QEMU of their own yet (boot state compared). *)
