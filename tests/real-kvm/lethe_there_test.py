"""Lethe itself on a real Linux KVM: the steps of lethe_there.sh.

Prints for each kernel: Lethe on real KVM 6.12: N steps, N passed, N failed, N not on this host
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import real_kvm  # noqa: E402

PROGRAMS = pathlib.Path(os.environ.get("LETHE_TEST_PROGRAMS", real_kvm.ROOT / "build/tests"))
STEP = re.compile(r"^(passed|failed|absent) ", re.M)


def image(directory):
    """The benchmark's guest as a Linux image: that begins at 64 KiB.

    With the 64 KiB that it works in: their pages then exist before it stores there (docs/real-kvm.md)."""
    path = pathlib.Path(directory, "guest.image")
    program = (PROGRAMS / "teardown_guest.bin").read_bytes()
    path.write_bytes((bytes(0x10000) + program).ljust(0x20000, b"\0"))
    return path


def guests():
    """Where tools/guests keeps what it fetches."""
    return pathlib.Path(subprocess.run([real_kvm.ROOT / "tools/guests"], check=True, text=True,
                                       stdout=subprocess.PIPE).stdout.strip())


@real_kvm.wanted
class Lethe(unittest.TestCase):
    def steps_on(self, kernel):
        with tempfile.TemporaryDirectory() as directory:
            files = {
                "lethe": real_kvm.BUILD / "cli/lethe",
                "qmp_talk": real_kvm.BUILD / "tests/real-kvm/qmp_talk",
                "hello.elf": PROGRAMS / "hello.elf",
                "guest.image": image(directory),
            }
            if kernel == "6.1":  # why not elsewhere: docs/real-kvm.md
                files["linux"] = guests() / "linux-6.1"
                files["initrd.gz"] = guests() / "initrd.gz"
            options = [f"--file={host}:/lethe/{name}" for name, host in files.items()]
            done = real_kvm.run("--kernel", kernel, "--memory", 1500, "--timeout", 3000, "--shell", *options, "--",
                                real_kvm.ROOT / "tests/real-kvm/lethe_there.sh")
        real_kvm.keep(f"lethe-{kernel}", done.stdout + done.stderr)
        steps = STEP.findall(done.stdout)
        print(f"Lethe on real KVM {kernel}: {len(steps)} steps, {steps.count('passed')} passed, "
              f"{steps.count('failed')} failed, {steps.count('absent')} not on this host", flush=True)
        self.assertTrue(done.stdout.endswith("end of steps\n"), done.stdout[-2000:] + done.stderr)
        self.assertNotIn("failed", steps, "\n" + done.stdout)
        self.assertGreater(steps.count("passed"), 10)

    def test_steps(self):
        for kernel in real_kvm.KERNELS:
            with self.subTest(kernel=kernel):
                self.steps_on(kernel)


if __name__ == "__main__":
    unittest.main()
