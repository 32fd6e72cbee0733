/* SPDX-License-Identifier: Apache-2.0 */
/* Tables made of a VM's pages, of the engine's, of another table; tables where there is one. */
#include "vm.h"

TEST(bad_table_add_of_other_vm)
{
	victim(0);
	vm_create(1, 1);
	REFUSED(OWNER, TABLE_ADD, 1, WINDOW + MIB2, 3, vm[0].data);
	REFUSED(OWNER, TABLE_ADD, 1, WINDOW + MIB2, 3, vm[0].root);
	REFUSED(OWNER, TABLE_ADD, 1, WINDOW + MIB2, 3, vm[1].root);
	REFUSED(OWNER, TABLE_ADD, 1, WINDOW + MIB2, 3, vm[0].tables[1].pa);
	REFUSED(OWNER, TABLE_ADD, 1, WINDOW + MIB2, 3, ENGINE);
	REFUSED(PA, TABLE_ADD, 1, WINDOW + MIB2, 3, UART);
	REFUSED(MAPPED, TABLE_ADD, 0, WINDOW, 3, page());
	REFUSED(MAPPED, TABLE_ADD, 0, WINDOW, 2, page());
	REFUSED(NO_TABLE, TABLE_ADD, 0, 0, 3, page());
	REFUSED(LEVEL, TABLE_ADD, 0, WINDOW, 1, page());
	REFUSED(LEVEL, TABLE_ADD, 0, WINDOW, 4, page());
	REFUSED(IPA, TABLE_ADD, 0, 1ULL << 39, 2, page());
	REFUSED(VM, TABLE_ADD, 64, WINDOW, 2, page());
	REFUSED(VM_STATE, TABLE_ADD, 2, WINDOW, 2, page());
	victim_intact(0);
}
