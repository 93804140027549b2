"""Compares abi.h with the kernel's exported headers for s390x.

Usage: abi_headers_test.py C-COMPILER C++-COMPILER ABI_H [--headers DIRECTORY]

Both are cross compilers for s390x: the one compiles <linux/kvm.h>, the other abi.h, and every
constant, every size and every field's offset and size of abi.h is compared. Without --headers
those of the cross compiler are read, whose age varies: names that they lack are counted and left
out. With --headers (linux-libc-dev of a kernel of at least 6.12, unpacked) a name that they lack
must have its reason in NOT_EXPORTED. Ends with 0 (all agree), 1, or 77 (no headers here).
"""

import argparse
import os
import re
import subprocess
import sys

SKIPPED = 77
FEWEST = 600
# Names of abi.h that no exported header has, with the reason.
NOT_EXPORTED = {
    r"ICPT_\w+": "of the kernel's own headers (asm/kvm_host.h)",
    r"BIT_UVC_\w+|BIT_UV_FEAT_\w+": "of the kernel's own headers (asm/uv.h)",
    r"KVM_PV_SEC_PARM_MAX_LENGTH|KVM_S390_MAX_LOCAL_IRQS|MAX_S390_IO_ADAPTERS":
        "a limit in the kernel's code",
    r"KVM_SYNC_BPBC_BIT|kvm_sync_regs\.bpbc": "a bit field there, which has no offset",
    r"KVM_S390_VM_CPU_UV_FEAT_AP(_INTR)?": "bit fields there",
    r"KVM_CAP_S390_(USER_OPEREXEC|KEYOP|VSIE_ESAMODE)|KVM_S390_KEYOP\w*|kvm_s390_keyop.*":
        "later than these headers",
    r"KVM_S390_AIS_MODE_\w+": "named in the kernel's own headers (asm/kvm_host.h)",
}
# Structures and unions that have no name in C: the member of which structure they are.
NAMELESS = {
    "kvm_run_s390_sieic": ("kvm_run", "s390_sieic"),
    "kvm_run_s390_ucontrol": ("kvm_run", "s390_ucontrol"),
    "kvm_run_s390_tsch": ("kvm_run", "s390_tsch"),
    "kvm_run_s390_stsi": ("kvm_run", "s390_stsi"),
    "kvm_run_debug": ("kvm_run", "debug"),
    "kvm_run_internal": ("kvm_run", "internal"),
    "kvm_run_sync": ("kvm_run", "s"),
    "kvm_s390_irq_payload": ("kvm_s390_irq", "u"),
    "kvm_irq_routing_target": ("kvm_irq_routing_entry", "u"),
}
# Those whose fields C has in the structure around them: our member of it.
INLINED = {
    "kvm_s390_mem_op_access": ("kvm_s390_mem_op", "access"),
    "kvm_sync_sdnx": ("kvm_sync_regs", "guarded_storage"),
}
OUR_MEMBERS = {f"{outer}.{member}" for outer, member in INLINED.values()}

CONSTANT = re.compile(r"inline constexpr [\w: ]+? (\w+) =\s*([^;]+);")
STRUCT = re.compile(r"^(?:struct|union) (kvm_\w+) \{.*?\n(.*?)^\};", re.M | re.S)
FIELD = re.compile(r"^\s+[\w:]+ (\w+)(?:\[\w+\])*;", re.M)
FILLER = re.compile(r"(pad|padding|reserved)\d*$")
# What the compiler says of names that it does not know, and of a bit field.
UNKNOWN = re.compile(
    r"entry:(\d+):\d+: error: .*(undeclared|incomplete type|no member named|undefined type|bit-field)")


class Entry:
    """One number: its name, and the expressions that give it in abi.h and in C."""

    def __init__(self, name, ours, theirs):
        self.name = name
        self.ours = ours
        self.theirs = theirs


def fields_of(name, body):
    for field in FIELD.findall(body):
        path = f"{name}.{field}"
        if FILLER.match(field) or path in OUR_MEMBERS:
            continue
        yield field


def struct_entries(name, body):
    size, base = f"sizeof({name})", ""
    if name in INLINED:
        outer, member = INLINED[name]
        structure, prefix, size = f"struct {outer}", "", None
        base = f"offsetof({outer}, {member}) + "
    elif name in NAMELESS:
        outer, member = NAMELESS[name]
        structure, prefix = f"struct {outer}", f"{member}."
        base = f"offsetof({outer}, {member}) + "
        yield Entry(name, size, f"sizeof((({structure}*)0)->{member})")
    else:
        structure, prefix = f"struct {name}", ""
        yield Entry(name, size, f"sizeof({structure})")
    for field in fields_of(name, body):
        yield Entry(f"{name}.{field}", f"{base}offsetof({name}, {field})",
                    f"__builtin_offsetof({structure}, {prefix}{field})")
        yield Entry(f"{name}.{field} (size)", f"sizeof((({name}*)nullptr)->{field})",
                    f"sizeof((({structure}*)0)->{prefix}{field})")


def entries(source):
    for name, value in CONSTANT.findall(source):
        yield Entry(name, f"static_cast<std::uint64_t>({name})", f"(unsigned long long)({name})")
    for name, body in STRUCT.findall(source):
        yield from struct_entries(name, body)


def compile_table(command, prologue, expressions):
    """(numbers, compiler's messages): a table of `expressions`, read from the assembly."""
    program = prologue + '#line 1 "entry"\n' + "".join(f"{text},\n" for text in expressions) + "};\n"
    done = subprocess.run([*command, "-S", "-o", "-", "-"], input=program, text=True,
                          capture_output=True)
    if done.returncode != 0:
        return [], done.stderr
    table = done.stdout[done.stdout.index("\ntable:"):]
    numbers = []
    for line in table.split("\n")[2:]:
        directive = re.match(r"\s+\.(quad|zero)\s+(-?\d+)", line)
        if not directive:
            break
        value = int(directive[2])
        numbers += [value % 2**64] if directive[1] == "quad" else [0] * (value // 8)
    return numbers, done.stderr


def our_numbers(compiler, header, wanted):
    prologue = (f'#include "{os.path.abspath(header)}"\nusing namespace lethe::abi;\n'
                'extern "C" const unsigned long long table[];\nconst unsigned long long table[] = {\n')
    return compile_table([compiler, "-std=c++20", "-w", "-x", "c++"], prologue,
                         [entry.ours for entry in wanted])


def their_numbers(compiler, headers, wanted):
    where = [f"-I{headers}/usr/include", f"-I{headers}/usr/include/s390x-linux-gnu"] if headers else []
    prologue = ("#define U64_MAX (~0ULL)\n#include <linux/kvm.h>\n"
                "const unsigned long long table[] = {\n")
    return compile_table([compiler, "-w", "-fmax-errors=0", "-x", "c", *where], prologue,
                         [entry.theirs for entry in wanted])


def reason_to_lack(name):
    bare = name.split(" ")[0]
    return next((why for names, why in NOT_EXPORTED.items() if re.fullmatch(names, bare)), None)


def compare(arguments, wanted):
    """The number of names left out that have no reason, and of those that differ."""
    _, messages = their_numbers(arguments.c, arguments.headers, wanted)
    unknown = {int(line) - 1 for line, *_ in UNKNOWN.findall(messages)}
    lacking = [entry.name for index, entry in enumerate(wanted) if index in unknown]
    known = [entry for index, entry in enumerate(wanted) if index not in unknown]
    theirs, messages = their_numbers(arguments.c, arguments.headers, known)
    ours, our_messages = our_numbers(arguments.cxx, arguments.abi, known)
    if len(ours) != len(known) or len(theirs) != len(known):
        print(messages + our_messages + "abi-headers: the tables could not be compiled")
        return None
    differ = 0
    for entry, our, their in zip(known, ours, theirs):
        if our != their:
            differ += 1
            print(f"{entry.name}: {our:#x} in abi.h, {their:#x} in the kernel's headers")
    unexplained = [name for name in lacking if reason_to_lack(name) is None]
    print(f"not in these headers, with reason: {len(lacking) - len(unexplained)}; without: "
          + (", ".join(unexplained) or "none"))
    print(f"ABI: {len(known)} entries compared, {len(known) - differ} agree, {differ} differ")
    if len(known) < FEWEST:
        print(f"fewer than {FEWEST}: abi.h or the headers were not read")
        return None
    return len(unexplained), differ


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("c")
    parser.add_argument("cxx")
    parser.add_argument("abi")
    parser.add_argument("--headers")
    arguments = parser.parse_args()
    there = subprocess.run([arguments.c, "-E", "-x", "c", "-"], input="#include <linux/kvm.h>\n",
                           text=True, capture_output=True)
    if arguments.headers is None and there.returncode != 0:
        print("the cross compiler has no kernel headers")
        return SKIPPED
    with open(arguments.abi, encoding="utf-8") as file:
        result = compare(arguments, list(entries(file.read())))
    if result is None:
        return 1
    unexplained, differ = result
    return 1 if differ or (arguments.headers and unexplained) else 0


if __name__ == "__main__":
    sys.exit(main())
