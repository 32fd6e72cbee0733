// SPDX-License-Identifier: Apache-2.0
/*
 * The device tree of a VM: nodes and properties as Linux's bindings name them
 * (Documentation/devicetree/bindings: arm/psci, arm,gic-v3, arm,arch_timer, pl011).
 */
#include "tree.h"
#include "fail.h"
#include "layout.h"

#include <libfdt.h>
#include <stdio.h>
#include <string.h>

enum {
	PHANDLE_GIC = 1,
	PHANDLE_CLOCK = 2,
	IRQ_SPI = 0, /* first cell of a GIC interrupt */
	IRQ_PPI = 1,
	IRQ_LEVEL = 4, /* third cell: active high, level */
	UART_CLOCK_HZ = 24000000,
};

/* The first error sticks, so that each step need not be checked. */
struct writer {
	void *fdt;
	int error;
};

static void keep(struct writer *w, int error)
{
	if (!w->error)
		w->error = error;
}

static void node(struct writer *w, const char *name)
{
	keep(w, fdt_begin_node(w->fdt, name));
}

static void node_at(struct writer *w, const char *name, uint64_t address)
{
	char full[64];

	snprintf(full, sizeof(full), "%s@%llx", name, (unsigned long long)address);
	node(w, full);
}

static void end(struct writer *w)
{
	keep(w, fdt_end_node(w->fdt));
}

static void bytes(struct writer *w, const char *name, const void *value, size_t size)
{
	keep(w, fdt_property(w->fdt, name, value, (int)size));
}

static void string(struct writer *w, const char *name, const char *value)
{
	bytes(w, name, value, strlen(value) + 1);
}

static void cell(struct writer *w, const char *name, uint32_t value)
{
	keep(w, fdt_property_u32(w->fdt, name, value));
}

static void flag(struct writer *w, const char *name)
{
	bytes(w, name, NULL, 0);
}

/* Pairs of 64-bit address and size, as #address-cells = #size-cells = 2 say. */
static void ranges(struct writer *w, const char *name, const uint64_t *values, size_t count)
{
	fdt64_t be[8];
	size_t i;

	for (i = 0; i < count && i < 8; i++)
		be[i] = cpu_to_fdt64(values[i]);
	bytes(w, name, be, i * sizeof(be[0]));
}

static void cells(struct writer *w, const char *name, const uint32_t *values, size_t count)
{
	fdt32_t be[16];
	size_t i;

	for (i = 0; i < count && i < 16; i++)
		be[i] = cpu_to_fdt32(values[i]);
	bytes(w, name, be, i * sizeof(be[0]));
}

static void chosen(struct writer *w, const struct tree_spec *spec)
{
	node(w, "chosen");
	string(w, "bootargs", spec->cmdline);
	string(w, "stdout-path", "/pl011@9000000");
	if (spec->initrd_size) {
		keep(w, fdt_property_u64(w->fdt, "linux,initrd-start", spec->initrd));
		keep(w, fdt_property_u64(w->fdt, "linux,initrd-end",
					 spec->initrd + spec->initrd_size));
	}
	end(w);
}

static void memory(struct writer *w, const struct tree_spec *spec)
{
	const uint64_t reg[] = { RAM_BASE, spec->ram_size };

	node_at(w, "memory", RAM_BASE);
	string(w, "device_type", "memory");
	ranges(w, "reg", reg, 2);
	end(w);
}

static void cpus(struct writer *w, const struct tree_spec *spec)
{
	unsigned i;

	node(w, "cpus");
	cell(w, "#address-cells", 1);
	cell(w, "#size-cells", 0);
	for (i = 0; i < spec->vcpus; i++) {
		node_at(w, "cpu", i);
		string(w, "device_type", "cpu");
		string(w, "compatible", "arm,armv8");
		cell(w, "reg", i);
		string(w, "enable-method", "psci");
		end(w);
	}
	end(w);
}

static void psci(struct writer *w)
{
	static const char versions[] = "arm,psci-1.0\0arm,psci-0.2";

	node(w, "psci");
	bytes(w, "compatible", versions, sizeof(versions));
	string(w, "method", "smc");
	end(w);
}

static void gic(struct writer *w, const struct tree_spec *spec)
{
	const uint64_t reg[] = { NIE_GICD_BASE, NIE_GICD_SIZE, NIE_GICR_BASE,
				 NIE_GICR_STRIDE * spec->vcpus };

	node_at(w, "intc", NIE_GICD_BASE);
	string(w, "compatible", "arm,gic-v3");
	cell(w, "#interrupt-cells", 3);
	cell(w, "#address-cells", 0);
	flag(w, "interrupt-controller");
	ranges(w, "reg", reg, 4);
	cell(w, "phandle", PHANDLE_GIC);
	end(w);
}

/* The binding lists secure, physical, virtual and hypervisor; Linux at EL1 takes the virtual one. */
static void timer(struct writer *w)
{
	static const uint32_t interrupts[] = {
		IRQ_PPI, 13, IRQ_LEVEL, IRQ_PPI, 14, IRQ_LEVEL,
		IRQ_PPI, 11, IRQ_LEVEL, IRQ_PPI, 10, IRQ_LEVEL,
	};

	node(w, "timer");
	string(w, "compatible", "arm,armv8-timer");
	cells(w, "interrupts", interrupts, 12);
	flag(w, "always-on");
	end(w);
}

static void uart(struct writer *w)
{
	static const char compatible[] = "arm,pl011\0arm,primecell";
	static const char clock_names[] = "uartclk\0apb_pclk";
	static const uint32_t interrupts[] = { IRQ_SPI, UART_SPI, IRQ_LEVEL };
	static const uint32_t clocks[] = { PHANDLE_CLOCK, PHANDLE_CLOCK };
	const uint64_t reg[] = { UART_BASE, 0x1000 };

	node(w, "apb-pclk");
	string(w, "compatible", "fixed-clock");
	cell(w, "#clock-cells", 0);
	cell(w, "clock-frequency", UART_CLOCK_HZ);
	cell(w, "phandle", PHANDLE_CLOCK);
	end(w);
	node_at(w, "pl011", UART_BASE);
	bytes(w, "compatible", compatible, sizeof(compatible));
	ranges(w, "reg", reg, 2);
	cells(w, "interrupts", interrupts, 3);
	cells(w, "clocks", clocks, 2);
	bytes(w, "clock-names", clock_names, sizeof(clock_names));
	end(w);
}

int tree_build(void *buf, size_t size, const struct tree_spec *spec)
{
	struct writer w = { .fdt = buf };

	memset(buf, 0, size);
	keep(&w, fdt_create(buf, (int)size));
	keep(&w, fdt_finish_reservemap(buf));
	node(&w, "");
	string(&w, "compatible", "linux,dummy-virt");
	string(&w, "model", "nie VM");
	cell(&w, "#address-cells", 2);
	cell(&w, "#size-cells", 2);
	cell(&w, "interrupt-parent", PHANDLE_GIC);
	chosen(&w, spec);
	memory(&w, spec);
	cpus(&w, spec);
	psci(&w);
	gic(&w, spec);
	timer(&w);
	uart(&w);
	end(&w);
	keep(&w, fdt_finish(buf));
	if (w.error == -FDT_ERR_NOSPACE)
		return fail("the kernel's command line is too long");
	if (w.error)
		return fail("the device tree: %s", fdt_strerror(w.error));
	return OK;
}
