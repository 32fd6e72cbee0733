# SPDX-License-Identifier: Apache-2.0
"""C outside the subset: each entry is refused at the line that ends in HERE, for the reason given.
(rule of docs/SUBSET.md, reason, text)"""

HEAD = """#include "prim.h"
struct pair { uint64_t a; uint32_t b; };
struct item { uint64_t n[4]; struct pair p; };
struct item items[4];
uint64_t total;
uint64_t word;
static inline uint64_t twice(uint64_t x) { return 2 * x; }
static inline uint64_t step(uint64_t x) { total = total + x; return total; }
"""
F = "uint64_t f(uint64_t a, uint64_t b)\n{{\n\t{}\n\treturn a + b;\n}}\n"

BODIES = [
    ("type-float", "IntegralToFloating is not in the subset", "float x = 0; HERE\n\t(void)x;"),
    ("type-char", "the type 'char' is not in the subset", "char x = 0; HERE\n\t(void)x;"),
    ("local-pointer", "the only pointers are aliases", "uint64_t *p = &total; HERE\n\t(void)p;"),
    ("local-array", "must not hold an array", "uint64_t x[3] = { 0 }; HERE\n\t(void)x;"),
    ("local-static", "neither volatile, static nor a pointer", "static uint64_t x; HERE\n\ta = x;"),
    ("local-volatile", "neither volatile, static nor a pointer", "volatile uint64_t x = 0; HERE\n\ta = x;"),
    ("alias-late", "must be '&object[i]', where it is declared", "struct item *p; HERE\n\tp = &items[0];"),
    ("alias-moved", "an alias is never assigned",
     "struct item *p = &items[0];\n\tp++; HERE\n\ta = p->n[0];"),
    ("alias-reassigned", "an alias is never assigned",
     "struct item *p = &items[0];\n\tp = &items[1]; HERE\n\ta = p->n[0];"),
    ("alias-local", "an alias names a global object",
     "struct pair x = { a, 1 };\n\tstruct pair *p = &x; HERE\n\ta = p->a;"),
    ("pointer-index", "only a named array can be indexed", "struct item *p = &items[0];\n\ta = p[1].n[0]; HERE"),
    ("pointer-star", "UnaryOperator", "a = (*(&items[0])).n[0]; HERE"),
    ("pointer-cast", "not in the subset", "a = (uint64_t)&total; HERE"),
    ("assign-inside", "'=' is not in the subset inside an expression", "a = (b = 3) + 1; HERE"),
    ("step-inside", "'++' is not in the subset inside an expression", "a = b++; HERE"),
    ("comma", "',' is not in the subset inside an expression", "a = (b, 3); HERE"),
    ("sizeof", "UnaryExprOrTypeTraitExpr is not in the subset", "a = sizeof(total); HERE"),
    ("statement-value", "a statement must not be a mere '+'", "a + b; HERE"),
    ("while", "WhileStmt is not in the subset", "while (a < b) HERE\n\t\ta++;"),
    ("do-while", "DoStmt is not in the subset", "do { HERE\n\t\ta++;\n\t} while (a < b);"),
    ("goto", "LabelStmt is not in the subset|GotoStmt is not in the subset", "goto end; HERE\nend:\n\ta = 1;"),
    ("for-no-counter", "a loop declares its one counter", "for (; a < b;) HERE\n\t\ta++;"),
    ("for-outer-counter", "a loop declares its one counter", "for (a = 0; a < b; a++) HERE\n\t\toutput(a);"),
    ("for-step", "a loop's step is 'i++'", "for (uint64_t i = 0; i < b; i += 2) HERE\n\t\toutput(i);"),
    ("for-down", "a loop's condition is 'i < n'", "for (uint64_t i = b; i > 0; i--) HERE\n\t\toutput(i);"),
    ("for-le-variable", "the bound of '<=' must be a constant", "for (uint64_t i = 0; i <= b; i++) HERE\n\t\toutput(i);"),
    ("for-le-highest", "the bound of '<=' must be a constant",
     "for (uint32_t i = 0; i <= 0xffffffff; i++) HERE\n\t\toutput(i);"),
    ("for-counter-narrow", "the counter is uint32_t, uint64_t or int",
     "for (uint8_t i = 0; i < 9; i++) HERE\n\t\toutput(i);"),
    ("for-counter-widened", "the counter is uint32_t, uint64_t or int",
     "for (uint32_t i = 0; i < b; i++) HERE\n\t\toutput(i);"),
    ("for-counter-assigned", "the counter and the bound must not be assigned",
     "for (uint64_t i = 0; i < 9; i++) { HERE\n\t\ti = 7;\n\t}"),
    ("for-bound-assigned", "the counter and the bound must not be assigned",
     "for (uint64_t i = 0; i < b; i++) HERE\n\t\tb = b - 1;"),
    ("for-bound-call", "the bound of a loop must not call", "for (uint64_t i = 0; i < twice(b); i++) HERE\n\t\toutput(i);"),
    ("for-break", "BreakStmt is not in the subset",
     "for (uint64_t i = 0; i < b; i++) {\n\t\tif (i == a)\n\t\t\tbreak; HERE\n\t}"),
    ("for-continue", "ContinueStmt is not in the subset",
     "for (uint64_t i = 0; i < b; i++) {\n\t\tif (i == a)\n\t\t\tcontinue; HERE\n\t\toutput(i);\n\t}"),
    ("switch-fall", "a case must end in break or return",
     "switch (a) {\n\tcase 1:\n\t\tb = 1; HERE\n\tcase 2:\n\t\tb = 2;\n\t\tbreak;\n\t}"),
    ("switch-range", "a case is one value|GNU", "switch (a) {\n\tcase 1 ... 5: HERE\n\t\tb = 1;\n\t\tbreak;\n\t}"),
    ("switch-inner-break", "BreakStmt is not in the subset",
     "switch (a) {\n\tcase 1:\n\t\tif (b == 3)\n\t\t\tbreak; HERE\n\t\tb = 1;\n\t\tbreak;\n\t}"),
    ("struct-itself", "a struct is built from members of itself",
     "struct pair x = { a, 1 };\n\tx = (struct pair){ x.b, (uint32_t)x.a }; HERE\n\ta = x.a;"),
    ("struct-array-copy", "is not used as a whole|must not hold an array", "items[0] = items[1]; HERE"),
    ("call-pointer", "the only pointers are aliases", "uint64_t (*g)(uint64_t) = 0; HERE\n\ta = b;"),
    ("builtin", "a call must name its function|which has no body|is not in the subset",
     "a = (uint64_t)__builtin_popcountll(b); HERE"),
    ("asm", "GCCAsmStmt is not in the subset", '__asm__ volatile("" ::: "memory"); HERE'),
    ("statement-expression", "StmtExpr is not in the subset", "a = ({ b; }); HERE"),
    ("to-signed-constant", "a constant does not fit its type|constant", "int x = (int)0x80000000u;\n\ta = (uint64_t)x;"),
]
WHOLE = [
    ("recursion", "recursion: f -> f", "uint64_t f(uint64_t a) HERE\n{\n\treturn a == 0 ? 0 : f(a - 1);\n}\n"),
    ("no-body", "'g', which has no body in the core", "uint64_t g(uint64_t a);\nuint64_t f(uint64_t a) HERE\n{\n\treturn g(a);\n}\n"),
    ("order-two-calls", "a call that changes state stands beside one",
     F.format("a = step(a) + step(b);")),
    ("order-call-load", "a call that changes state stands beside one", F.format("a = total + step(b);")),
    ("order-arguments", "a call that changes state stands beside one",
     "static uint64_t g(uint64_t x, uint64_t y) { return x - y; }\n" + F.format("a = g(input(1), input(2));")),
    ("order-index", "a call that changes state stands beside one", F.format("items[total & 3].n[0] = step(b);")),
    ("order-prim-read", "a call that changes state stands beside one", F.format("a = input(1) * word;")),
    ("for-bound-global", "a loop may change 'total', which its bound reads",
     F.format("for (uint64_t i = 0; i < total; i++)\n\t\ta = step(1);")),
    ("unset-read", "local 'x' may be read before it has a value",
     F.format("uint64_t x;\n\n\tif (a > b)\n\t\tx = 1;\n\ta = x;")),
    ("no-return", "can end without a return", "uint64_t f(uint64_t a)\n{\n\tif (a > 3)\n\t\treturn 1;\n}\n"),
    ("parameter-pointer", "neither volatile, static nor a pointer", "uint64_t f(struct item *p) HERE\n{\n\treturn p->n[0];\n}\n"),
    ("variadic", "variadic|number of arguments|not in the subset", "uint64_t f(uint64_t a, ...) HERE\n{\n\treturn a;\n}\n"),
    ("union", "the type 'union u' is not in the subset", "union u { uint64_t a; uint8_t b; };\nunion u either; HERE\n"),
    ("bit-field", "is a union, has bit-fields", "struct bits { uint32_t a : 3; };\nstruct bits field; HERE\n"),
    ("global-pointer", "is not in the subset", "uint64_t *where; HERE\n"),
    ("global-nonzero", "must start as zero", "uint64_t first = 5; HERE\n"),
    ("shadow-name", "the name 'load' is taken", "uint64_t load(uint64_t a) HERE\n{\n\treturn a;\n}\n"),
    ("suffix-name", "would share a name in Coq",
     "uint64_t f(uint64_t a)\n{\n\treturn a;\n}\nuint64_t f_deep(uint64_t a)\n{\n\treturn a;\n}\n"),
    ("global-volatile", "volatile", "volatile uint64_t device; HERE\n"),
]


def cases():
    for rule, reason, body in BODIES:
        yield rule, reason, HEAD + F.format(body)
    for rule, reason, text in WHOLE:
        yield rule, reason, HEAD + text
