"""The work behind tools/prove: a table of parts, each of them a program with a last line to show."""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

NOT_HERE = 77  # a witness is missing
SUMMARY = re.compile(r"\d+ (statements|entries|steps|cases|rows)\b")


class Part:
    """One comparison with one witness."""

    def __init__(self, name, claim, quick, whole=None):
        self.name = name
        self.claim = claim
        self.quick = quick  # command, or None: not among the quick ones
        self.whole = whole or quick

    def command(self, only_quick):
        return self.quick if only_quick else self.whole


def conformance(build, cross):
    program = f"{build}/tests/conformance/conformance"
    yield Part("conformance", "statements about KVM, on the emulated kernel", [program])
    yield Part("conformance-s390x", "the same on the s390x build under user-mode emulation",
               ["qemu-s390x-static", "-cpu", "max", f"{cross}/tests/conformance/conformance"])


def real_kvm(cross, results):
    """All that a statement's run prints is kept in `results`, so that runs can be compared."""
    for kernel in ("6.12", "6.1"):
        environment = ["env", "LETHE_REAL_KVM=1", f"LETHE_REAL_KVM_KERNELS={kernel}",
                       f"LETHE_S390X={cross}", f"LETHE_REAL_KVM_RESULTS={results}"]
        statements = [*environment, sys.executable, "-B", "tests/real-kvm/real_kvm_test.py"]
        yield Part(f"real-kvm-{kernel}", f"the same on the real KVM of Linux {kernel}", None,
                   statements)
        yield Part(f"lethe-on-{kernel}", f"Lethe itself on the real KVM of Linux {kernel}", None,
                   [*environment, sys.executable, "-B", "tests/real-kvm/lethe_there_test.py"])


def processor(build):
    """The emulated CPU beside others; the whole has more than 10^9 cases."""
    differential = [f"{build}/tests/differential/differential",
                    f"--oracle={build}/tests/differential/oracle", f"--jobs={os.cpu_count()}"]
    yield Part("cpu-user", "single instructions beside QEMU's user-mode CPU",
               [*differential, "--rounds=2", "--cases=64"],
               [*differential, "--rounds=260", "--cases=400"])
    for witness, chapter in (("qemu", "control"), ("qemu", "execute"), ("hercules", "control"),
                             ("hercules", "execute"), ("hercules", "general"),
                             ("hercules", "float"), ("hercules", "hexfloat"),
                             ("hercules", "decimal")):
        system_mode = [f"{build}/tests/system-mode/system_mode", f"--witness={witness}",
                       f"--oracle={build}/tests/system-mode/machine_oracle.bin",
                       f"--chapter={chapter}"]
        yield Part(f"cpu-{witness}-{chapter}", f"the machine beside {witness}: {chapter}",
                   system_mode)
    properties = f"{build}/emulated-host/cpu/emulated_cpu_properties_test"
    yield Part("cpu-properties", "what the architecture promises of every instruction", [properties])


def ultravisor(build):
    program = f"{build}/emulated-host/ultravisor/ultravisor_properties_test"
    yield Part("ultravisor", "the Ultravisor beside an executable model of it, code by code",
               [program], ["env", "LETHE_UV_STEPS=3000000", "LETHE_UV_LIVES=10000", program])


def client(build):
    environment = ["env", f"LETHE={build}/cli/lethe", f"LETHE_TEST_PROGRAMS={build}/tests"]
    program = [sys.executable, "-B", "tests/client/qemu_client_test.py"]
    yield Part("qemu-client", "Debian's s390x QEMU with the emulated host as its KVM",
               [*environment, *program])
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    older = cache / "lethe" / "qemu-client-bookworm"
    yield Part("qemu-7.2-client", "the same with QEMU 7.2", None,
               [*environment, f"LETHE_QEMU_CLIENT={older}", *program])


def parts(build, cross, results):
    """In the order in which they are shown."""
    return [
        Part("abi", "our copy of the KVM ABI against the kernel's headers", ["tools/abi"]),
        *conformance(build, cross),
        *real_kvm(cross, results),
        *processor(build),
        *ultravisor(build),
        *client(build),
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
        """The last line with numbers that say what was compared."""
        telling = [line for line in self.lines if SUMMARY.search(line)]
        last = telling[-1] if telling else self.lines[-1] if self.lines else "nothing printed"
        return re.sub(r"(left out \d+): .*", r"\1", last)  # each with its reason: too long here

    @property
    def verdict(self):
        return {0: "ok", NOT_HERE: "no witness here"}.get(self.status, "FAILED")

    def agreeing(self, results):
        """The statements of a conformance run that hold."""
        lines = list(self.lines)
        kept = results / (self.part.name.removeprefix("real-kvm-") + ".txt")
        if self.part.name.startswith("real-kvm-") and kept.exists():
            lines = kept.read_text(errors="replace").splitlines()
        return {line.split()[1] for line in lines if line.startswith("agrees ")}

    def cases(self):
        found = re.search(r"(\d+) cases", self.summary) if self.part.name.startswith("cpu-") else None
        return int(found[1]) if found else 0


def prove(part, only_quick):
    command = part.command(only_quick)
    print(f"== {part.claim}\n   $ {' '.join(command)}", flush=True)
    start = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          errors="replace")
    proof = Proof(part, done.returncode, done.stdout, time.monotonic() - start)
    shown = [proof.summary] if proof.status in (0, NOT_HERE) else proof.lines[-60:]
    for line in shown:
        print(f"   {line}")
    print(f"   {proof.verdict}, {proof.seconds:.0f} s", flush=True)
    return proof


def tell(proofs, results):
    print("\n" + "-" * 80)
    width = max(len(proof.part.name) for proof in proofs)
    for proof in proofs:
        print(f"{proof.part.name.ljust(width)}  {proof.summary}  [{proof.verdict}, "
              f"{proof.seconds:.0f} s]")
    held = {proof.part.name: proof.agreeing(results) for proof in proofs}
    emulated = held.pop("conformance", set())
    for name, statements in held.items():
        if statements:
            print(f"{name}: {len(statements & emulated)} statements hold there and on the emulated "
                  "kernel")
    print(f"CPU: {sum(proof.cases() for proof in proofs)} cases compared")


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
    parser.add_argument("--build", metavar="DIRECTORY", default="build")
    arguments = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        results = pathlib.Path(directory)
        wanted = chosen(parts(arguments.build, "build-s390x", results), arguments)
        proofs = [prove(part, arguments.quick) for part in wanted]
        tell(proofs, results)
    if arguments.json:
        write_json(arguments.json, proofs)
    failed = sum(proof.status not in (0, NOT_HERE) for proof in proofs)
    passed = sum(proof.status == 0 for proof in proofs)
    print(f"time taken: {time.monotonic() - start:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
