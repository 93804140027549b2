#!/usr/bin/env python3
"""Lethe beside QEMU (TCG) on the same guests in one run: whole boots, first output, memory.

    bench/against_qemu.py [--rounds N] [--json FILE]

Needs build/ (tools/build), the guests (tools/guests) and qemu-system-s390x (tools/setup peer).
Prints a table and, with --json, writes every sample. Runs alternate, so that a drift of the
machine's speed meets both; ratios are formed round by round and quoted as medians.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

LETHE = os.environ.get("LETHE", "build/cli/lethe")
PROGRAM = os.environ.get("LETHE_TEST_PROGRAMS", "build/tests") + "/hello.elf"
QEMU = ["qemu-system-s390x", "-accel", "tcg", "-nodefaults", "-nographic", "-no-reboot",
        "-chardev", "stdio,id=console", "-device", "sclpconsole,chardev=console"]
APPEND = "cryptomgr.notests=1 lethe=poweroff"
MEMORY = "512M"


def timed(command, until=None):
    """Seconds until the process ends, or until its output has `until` (it is then left to end)."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    seen = b""
    reached = None
    while True:
        data = os.read(process.stdout.fileno(), 65536)
        if not data:
            break
        seen += data
        if until and reached is None and until in seen:
            reached = time.perf_counter() - start
    process.stdout.close()
    process.wait()
    if until:
        if reached is None:
            sys.exit(f"{command[0]} never said {until!r}")
        return reached
    return time.perf_counter() - start


def overhead(command):
    """Resident KiB of a Lethe guest that waits at its console, without guest memory itself."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    seen = b""
    while b"guest: ready" not in seen:
        data = os.read(process.stdout.fileno(), 65536)
        if not data:
            sys.exit("the guest ended before it was ready")
        seen += data
    total = 0
    guest = False
    with open(f"/proc/{process.pid}/smaps") as maps:
        for line in maps:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                guest = "/dev/zero" in line or "memfd:lethe-guest" in line
            elif line.startswith("Rss:") and not guest:
                total += int(line.split()[1])
    process.stdin.write(b"poweroff\n")
    process.stdin.flush()
    while os.read(process.stdout.fileno(), 65536):
        pass
    process.stdin.close()
    process.stdout.close()
    process.wait()
    return total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    guests = subprocess.run(["tools/guests"], check=True, stdout=subprocess.PIPE,
                            text=True).stdout.strip()
    kernel, initrd = f"{guests}/linux-6.12", f"{guests}/initrd.gz"
    with tempfile.TemporaryDirectory() as directory:
        os.environ["XDG_DATA_HOME"] = directory
        images = {}
        for name, append in (("off", APPEND), ("ready", "cryptomgr.notests=1")):
            images[name] = f"{directory}/{name}.pv"
            subprocess.run([LETHE, "seal", "--kernel", kernel, "--initrd", initrd, "--append", append,
                            "--output", images[name]], check=True)
        lethe = [LETHE, "run", "--accel", "emulated", "--memory", MEMORY, "--log", "error"]
        boot = ["--kernel", kernel, "--initrd", initrd, "--append"]
        cases = {
            "boot, QEMU": lambda: timed(QEMU + ["-m", MEMORY, "-kernel", kernel, "-initrd", initrd,
                                                "-append", APPEND]),
            "boot, Lethe": lambda: timed(lethe + boot + [APPEND]),
            "boot, Lethe protected": lambda: timed(lethe + ["--image", images["off"]]),
            "first output, QEMU": lambda: timed(QEMU + ["-m", MEMORY, "-kernel", PROGRAM], b"hello"),
            "first output, Lethe": lambda: timed(lethe + ["--kernel", PROGRAM], b"hello"),
        }
        samples = {name: [] for name in cases}
        for _ in range(arguments.rounds):
            for name, run in cases.items():
                samples[name].append(run())
        resident = {
            "ordinary": overhead(lethe + boot + ["cryptomgr.notests=1"]),
            "protected": overhead(lethe + ["--image", images["ready"]]),
        }

    def ratio(one, other):
        return statistics.median(a / b for a, b in zip(samples[one], samples[other]))

    ratios = {
        "boot: Lethe / QEMU": ratio("boot, Lethe", "boot, QEMU"),
        "boot: protected / ordinary": ratio("boot, Lethe protected", "boot, Lethe"),
        "first output: Lethe / QEMU": ratio("first output, Lethe", "first output, QEMU"),
    }
    print(f"{'':28}  {'median':>9}  {'min':>9}  {'max':>9}")
    for name, values in samples.items():
        print(f"{name:28}  {statistics.median(values):7.3f} s  {min(values):7.3f} s  "
              f"{max(values):7.3f} s")
    for name, value in ratios.items():
        print(f"{name:28}  {value:9.2f}")
    for name, value in resident.items():
        print(f"{'resident beyond guest, ' + name:33}  {value / 1024:6.1f} MiB")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"seconds": samples, "ratios": ratios, "resident_kib": resident}, file, indent=1)


if __name__ == "__main__":
    main()
