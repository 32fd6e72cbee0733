# SPDX-License-Identifier: Apache-2.0
"""Random programs of the subset. They end (loops are short) and mostly avoid undefined behaviour; when they
do not, both ways of running must say so. No right shift of a signed value and no conversion to a signed type:
these are implementation-defined, and refused or a crash in Coq only."""

TYPES = ["uint8_t", "uint16_t", "uint32_t", "uint64_t", "bool"]
GLOBALS = """enum { LEN = 5, TAG = 9, WIDE = 1ULL << 33 };

struct point {
	uint64_t x;
	uint16_t y;
};

struct item {
	uint32_t kind;
	uint8_t bytes[3];
	struct point at;
	struct point marks[2];
};

static struct item items[LEN];
static uint32_t words[8];
static uint64_t total;
static bool flag;
static const uint32_t primes[6] = { 2, 3, 5, 7, 11, TAG };
"""


class Generator:
    def __init__(self, rng, name):
        self.rng, self.name = rng, name
        self.helpers, self.lines = [], []

    # --- expressions; `pure` forbids what reads or changes state

    def leaf(self, pure):
        r = self.rng
        local = r.choice(self.locals)
        choices = [local, local, local, str(r.choice([0, 1, 2, 3, 7, 12, 255, 65535])), "LEN", "TAG",
                   f"{r.getrandbits(r.choice([4, 16, 32, 63]))}ULL", "(uint64_t)WIDE"]
        if not pure:
            choices += ["total", "flag", f"words[{self.index(8)}]", f"items[{self.index(5)}].kind", "primes[5]",
                        f"items[{self.index(5)}].bytes[{self.index(3)}]", f"primes[{self.index(6)}]",
                        f"items[{self.index(5)}].at.y", f"items[{self.index(5)}].marks[{self.index(2)}].x"]
            choices += [f"{a}->{m}" for a in self.aliases for m in ("kind", "at.x", "bytes[2]")]
        return r.choice(choices)

    # Never out of bounds for a whole struct: there clang's sanitizer lets the index one past the end pass.
    def index(self, length, whole=False):
        r = self.rng
        if not whole and r.random() < 0.01:
            return r.choice(self.locals)
        return r.choice([str(r.randrange(length)), f"{r.choice(self.locals)} % {length}"])

    def expr(self, depth, pure=False):
        r = self.rng
        if depth == 0 or r.random() < 0.15:
            return self.leaf(pure)
        a, b = self.expr(depth - 1, pure), self.expr(depth - 1, pure)
        kind = r.randrange(13)
        if kind < 5:
            return f"({a} {r.choice(['+', '-', '*', '&', '|', '^'])} {b})"
        if kind == 5:
            divisor = b if r.random() < 0.05 else r.choice(["7", f"(({b} & 15) + 1)"])
            return f"((uint64_t){a} {r.choice(['/', '%'])} {divisor})"
        if kind == 6:
            amount = b if r.random() < 0.02 else r.choice([str(r.randrange(32)), f"({b} & 31)"])
            return f"(({r.choice(['uint32_t', 'uint64_t'])}){a} {r.choice(['<<', '>>'])} {amount})"
        if kind == 7:
            return f"({r.choice(['~', '-'])}(uint64_t){a})"
        if kind == 8:
            return f"(({r.choice(TYPES)}){a})"
        if kind == 9:
            return f"({a} {r.choice(['<', '<=', '>', '>=', '==', '!='])} {b})"
        if kind == 10:
            return f"({a} {r.choice(['&&', '||'])} {b})"
        if kind == 11:
            return f"(!{a})"
        return f"({self.expr(depth - 1, pure)} ? {a} : {b})"

    # --- statements

    def say(self, depth, text):
        self.lines.append("\t" * depth + text)

    def fresh(self, kind="v"):
        self.count += 1
        return f"{kind}{self.count}"

    def call(self):
        """A call that may change state, its operands free of state."""
        r = self.rng
        args = [self.expr(1, pure=True) for _ in range(2)]
        names = ["input({0})"] + [f"{h}({{0}}, {{1}})" for h in self.helpers]
        return r.choice(names).format(*args)

    def target(self):
        r = self.rng
        writable = [v for v in self.locals if v not in self.fixed]
        choices = [r.choice(writable)] * 5 + ["total", "flag", f"words[{r.randrange(8)}]", f"words[{self.index(8)}]",
                   f"items[{self.index(5)}].bytes[1]", f"items[{self.index(5)}].at.y",
                   f"items[{self.index(5)}].marks[{self.index(2)}].x"]
        return r.choice(choices + [f"{a}->at.x" for a in self.aliases])

    def block(self, depth, size):
        held = list(self.locals), list(self.aliases)
        for _ in range(size):
            self.statement(depth)
        self.locals, self.aliases = held

    def statement(self, depth):
        r = self.rng
        kinds = ["declare"] * 3 + ["assign"] * 5 + ["compound", "step", "output", "call", "alias", "copy", "if", "if"]
        kinds += ["for", "switch", "late"] if depth < 4 else []
        kinds += ["return"] if depth > 1 and r.random() < 0.3 else []
        getattr(self, "do_" + r.choice(kinds))(depth)

    def do_declare(self, depth):
        value, name = self.expr(2), self.fresh()
        self.say(depth, f"{self.rng.choice(TYPES)} {name} = {value};")
        self.locals.append(name)

    def do_late(self, depth):
        name = self.fresh()
        self.say(depth, f"uint64_t {name};")
        self.say(depth, f"if ({self.expr(1)})")
        self.say(depth + 1, f"{name} = {self.expr(1)};")
        self.say(depth, "else")
        self.say(depth + 1, f"{name} = {self.expr(2)};")
        self.locals.append(name)

    def do_assign(self, depth):
        self.say(depth, f"{self.target()} = {self.expr(3)};")

    def do_compound(self, depth):
        op = self.rng.choice(["+=", "-=", "*=", "&=", "|=", "^="])
        self.say(depth, f"{self.target()} {op} (uint64_t){self.expr(2)};")

    def do_step(self, depth):
        target = next(t for t in iter(self.target, None) if t != "flag" and t not in self.bools)
        self.say(depth, f"{target}{self.rng.choice(['++', '--'])};")

    def do_output(self, depth):
        self.say(depth, f"output({self.expr(2)});")

    def do_call(self, depth):
        writable = [v for v in self.locals if v not in self.fixed]
        self.say(depth, f"{self.rng.choice(writable)} = {self.call()};")

    def do_alias(self, depth):
        name = self.fresh("p")
        self.say(depth, f"struct item *{name} = &items[{self.rng.choice(self.locals)} % LEN];")
        self.aliases.append(name)

    def do_copy(self, depth):
        r, name = self.rng, self.fresh("s")
        source = r.choice([f"{{ {self.expr(1)}, (uint16_t){self.expr(1)} }}", f"items[{self.index(5, True)}].at",
                           f"mix_{self.name}(items[{r.randrange(5)}].at)"])
        self.say(depth, f"struct point {name} = {source};")
        self.say(depth, f"{name}.y = (uint16_t){self.expr(1)};")
        self.say(depth, f"items[{self.index(5, True)}].marks[{self.index(2, True)}] = {name};")
        self.locals += [f"{name}.x", f"{name}.y"]

    def do_if(self, depth):
        self.say(depth, f"if ({self.expr(2)}) {{")
        self.block(depth + 1, self.rng.randrange(1, 4))
        if self.rng.random() < 0.5:
            self.say(depth, "} else {")
            self.block(depth + 1, self.rng.randrange(1, 4))
        self.say(depth, "}")

    def do_for(self, depth):
        r, i = self.rng, self.fresh("i")
        bound = r.choice([str(r.randrange(6)), "LEN"])
        test = f"{i} < {bound}" if r.random() < 0.8 else f"{i} <= {r.randrange(4)}"
        self.say(depth, f"for ({r.choice(['uint32_t', 'uint64_t'])} {i} = {r.randrange(2)}; {test}; {i}++) {{")
        held = list(self.locals)
        self.locals.append(i)
        self.fixed.add(i)
        self.block(depth + 1, r.randrange(1, 4))
        self.locals = held
        self.say(depth, "}")

    def do_switch(self, depth):
        r = self.rng
        self.say(depth, f"switch ({self.expr(1)} & 7) {{")
        labels = r.sample(range(8), 5)
        for group in (labels[:1], labels[1:3], labels[3:]):
            for label in group[:-1]:
                self.say(depth, f"case {label}:")
            self.say(depth, f"case {group[-1]}: {{")
            self.block(depth + 1, r.randrange(0, 3))
            self.say(depth, "}")
            self.say(depth + 1, "break;")
        if r.random() < 0.6:
            self.say(depth, "default: {")
            self.block(depth + 1, 1)
            self.say(depth, "}")
            self.say(depth + 1, r.choice(["break;", f"return {self.expr(1)};"]))
        self.say(depth, "}")

    def do_return(self, depth):
        self.say(depth, f"return {self.expr(2)};")

    # --- programs

    def function(self, head, size):
        self.locals, self.aliases, self.fixed, self.bools, self.count = ["a", "b"], [], set(), set(), 0
        self.lines += ["", head, "{"]
        self.block(1, size)
        self.say(1, f"return {self.expr(2)};")
        self.lines.append("}")

    def program(self):
        r = self.rng
        self.lines += ["", f"static struct point mix_{self.name}(struct point p)", "{",
                       "\treturn (struct point){ p.x + p.y, (uint16_t)p.x };", "}"]
        for k in range(r.randrange(3)):
            name = f"help{k}_{self.name}"
            self.function(f"static uint64_t {name}(uint64_t a, uint32_t b)", r.randrange(1, 5))
            self.helpers.append(name)
        self.function(f"uint64_t body_{self.name}(uint64_t a, uint64_t b)", r.randrange(3, 11))
        # What the program left in the globals is compared too.
        self.lines += ["", f"uint64_t program_{self.name}(uint64_t a, uint64_t b)", "{",
                       f"\tuint64_t r = body_{self.name}(a, b);", "",
                       "\tfor (uint32_t i = 0; i < 8; i++)", "\t\toutput(words[i]);",
                       "\tfor (uint32_t i = 0; i < LEN; i++) {", "\t\toutput(items[i].kind);",
                       "\t\tfor (uint32_t j = 0; j < 3; j++)", "\t\t\toutput(items[i].bytes[j]);",
                       "\t\toutput(items[i].at.x + items[i].at.y);",
                       "\t\toutput(items[i].marks[0].x + 3 * items[i].marks[1].x + items[i].marks[1].y);", "\t}",
                       "\toutput(total);", "\toutput(flag);", "\treturn r;", "}"]
        return "\n".join(self.lines) + "\n"


def file(rng, names):
    """One C file of several programs, which share their globals."""
    head = "/* SPDX-License-Identifier: Apache-2.0 */\n/* Generated by test/c2coq/generate.py. */\n"
    parts = [Generator(rng, n).program() for n in names]
    return f'{head}#include "prim.h"\n\n{GLOBALS}' + "".join(parts)
