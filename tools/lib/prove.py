"""The work behind tools/prove: a table of parts, each of them a program with a last line to show."""

import argparse
import json
import os
import re
import subprocess
import sys
import time

NOT_HERE = 77  # a witness is missing


class Part:
    """One comparison with one witness."""

    def __init__(self, name, claim, quick, whole=None):
        self.name = name
        self.claim = claim
        self.quick = quick  # command, or None: not among the quick ones
        self.whole = whole or quick

    def command(self, only_quick):
        return self.quick if only_quick else self.whole


def parts(build, cross):
    """In the order in which they are shown."""
    conformance = f"{build}/tests/conformance/conformance"
    ultravisor = f"{build}/emulated-host/ultravisor/ultravisor_properties_test"
    return [
        Part("abi", "our copy of the KVM ABI against the kernel's headers", ["tools/abi"]),
        Part("conformance", "statements about KVM, on the emulated kernel", [conformance]),
        Part("conformance-s390x", "the same on the s390x build under user-mode emulation",
             ["qemu-s390x-static", "-cpu", "max", f"{cross}/tests/conformance/conformance"]),
        Part("ultravisor", "the Ultravisor beside an executable model of it, code by code",
             [ultravisor],
             ["env", "LETHE_UV_STEPS=3000000", "LETHE_UV_LIVES=10000", ultravisor]),
    ]


class Proof:
    """What a part printed and how it ended."""

    def __init__(self, part, status, output, seconds):
        self.part = part
        self.status = status
        self.lines = output.rstrip().splitlines()
        self.seconds = seconds

    @property
    def summary(self):
        return self.lines[-1] if self.lines else "nothing printed"

    @property
    def verdict(self):
        return {0: "ok", NOT_HERE: "no witness here"}.get(self.status, "FAILED")

    def agreeing(self):
        """The statements of a conformance run that hold."""
        return {line.split()[1] for line in self.lines if line.startswith("agrees ")}

    def number(self, unit):
        found = re.search(rf"(\d+) {unit}", self.summary)
        return int(found[1]) if found else 0


def prove(part, only_quick):
    command = part.command(only_quick)
    print(f"== {part.claim}\n   $ {' '.join(command)}", flush=True)
    start = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          errors="replace")
    proof = Proof(part, done.returncode, done.stdout, time.monotonic() - start)
    shown = proof.lines[-1:] if proof.status in (0, NOT_HERE) else proof.lines[-60:]
    for line in shown:
        print(f"   {line}")
    print(f"   {proof.verdict}, {proof.seconds:.0f} s", flush=True)
    return proof


def statements_on_several(proofs):
    """How many statements hold on the emulated kernel and on a real one."""
    held = {proof.part.name: proof.agreeing() for proof in proofs}
    emulated = held.get("conformance", set())
    for name, statements in held.items():
        if name.startswith("real-kvm") and statements:
            yield name, len(statements & emulated)


def tell(proofs):
    print("\n" + "-" * 80)
    width = max(len(proof.part.name) for proof in proofs)
    for proof in proofs:
        print(f"{proof.part.name.ljust(width)}  {proof.summary}  [{proof.verdict}, "
              f"{proof.seconds:.0f} s]")
    for name, count in statements_on_several(proofs):
        print(f"{name}: {count} statements hold on it and on the emulated kernel")


def write_json(path, proofs):
    with open(path, "w", encoding="utf-8") as file:
        json.dump([{"part": proof.part.name, "claim": proof.part.claim, "result": proof.summary,
                    "verdict": proof.verdict, "seconds": round(proof.seconds, 1)}
                   for proof in proofs], file, indent=2)
        file.write("\n")


def chosen(every, arguments):
    names = [part.name for part in every]
    if arguments.only and arguments.only not in names:
        sys.exit(f"prove: there is no part '{arguments.only}'; there are {', '.join(names)}")
    return [part for part in every
            if (not arguments.only or part.name == arguments.only) and part.command(arguments.quick)]


def main():
    parser = argparse.ArgumentParser(prog="prove", add_help=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", metavar="PART")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("build", nargs="?", default="build")
    arguments = parser.parse_args()
    wanted = chosen(parts(arguments.build, "build-s390x"), arguments)
    start = time.monotonic()
    proofs = [prove(part, arguments.quick) for part in wanted]
    tell(proofs)
    if arguments.json:
        write_json(arguments.json, proofs)
    failed = sum(proof.status not in (0, NOT_HERE) for proof in proofs)
    passed = sum(proof.status == 0 for proof in proofs)
    print(f"time taken: {time.monotonic() - start:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
