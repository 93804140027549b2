"""Compares abi.h with the kernel headers of an s390x cross compiler.

Usage: abi_headers_test.py COMPILER ABI_H

Every constant, and every size and offset that abi.h asserts, becomes an assertion in C over
<linux/kvm.h>. Names that the installed headers do not know yet are counted and left out.
"""

import re
import subprocess
import sys

CONSTANT = re.compile(r"inline constexpr [\w: ]+ ([A-Z]\w+) =\s*([^;]+);")
SIZE = re.compile(r"sizeof\((kvm_\w+)\) == (\d+)")
OFFSET = re.compile(r"offsetof\((kvm_\w+), (\w+)\) == (\d+)")
# What the compiler says of names it does not know, and of our one byte that is a bit field there.
UNKNOWN = re.compile(
    r":(\d+):\d+: error: .*(undeclared|incomplete type|no member named|undefined type|bit-field)"
)
FEWEST = 250
SKIPPED = 77


def c_expression(text):
    return re.sub(r"std::uint64_t\{(\w+)\}", r"((unsigned long long)\1)", text)


def assertions(source):
    for name, value in CONSTANT.findall(source):
        if not value.startswith("'"):
            number = c_expression(value)
            yield name, f"(unsigned long long)({name}) == (unsigned long long)({number})"
    for struct, size in SIZE.findall(source):
        yield struct, f"sizeof(struct {struct}) == {size}"
    for struct, field, offset in OFFSET.findall(source):
        yield f"{struct}.{field}", f"__builtin_offsetof(struct {struct}, {field}) == {offset}"


def compile_errors(compiler, lines):
    program = "#define U64_MAX (~0ULL)\n#include <linux/kvm.h>\n#line 1\n" + "\n".join(lines)
    command = [compiler, "-x", "c", "-fsyntax-only", "-fmax-errors=0", "-"]
    return subprocess.run(command, input=program, text=True, capture_output=True).stderr


def main(compiler, header):
    with open(header, encoding="utf-8") as file:
        pairs = list(dict.fromkeys(assertions(file.read())))
    lines = [f'_Static_assert({condition}, "{name}");' for name, condition in pairs]
    errors = compile_errors(compiler, lines)
    if "linux/kvm.h: No such file" in errors:
        print("the cross compiler has no kernel headers")
        return SKIPPED
    unknown = {int(line) - 1 for line, _ in UNKNOWN.findall(errors)}
    known = [line for index, line in enumerate(lines) if index not in unknown]
    errors = compile_errors(compiler, known)
    print(f"{len(known)} compared, not in these headers: "
          + ", ".join(sorted(pairs[index][0] for index in unknown)))
    if errors:
        print(errors)
        return 1
    if len(known) < FEWEST:
        print(f"fewer than {FEWEST}: the headers were not read")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
