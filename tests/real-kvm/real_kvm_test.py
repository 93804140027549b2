"""Every statement of tests/conformance holds on a real Linux KVM, too.

Prints for each kernel: real KVM 6.12: N statements, N agree, N differ, N not on this host
and, of what differs, everything.
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import real_kvm  # noqa: E402

PROGRAM = real_kvm.BUILD / "tests/conformance/conformance"
LAST_LINE = re.compile(r"^conformance linux: ((\d+) statements, (\d+) agree, (\d+) differ, (\d+) not on this host)$",
                       re.M)


@real_kvm.wanted
class Statements(unittest.TestCase):
    def agree_on(self, kernel):
        done = real_kvm.run("--kernel", kernel, "--", PROGRAM, "--kernel=linux", "--patience=300")
        real_kvm.keep(kernel, done.stdout + done.stderr)
        summary = LAST_LINE.search(done.stdout)
        if not summary:
            print(f"real KVM {kernel}: did not finish", flush=True)
            self.fail("\n".join([*done.stdout.splitlines()[-5:], *done.stderr.splitlines()[-5:]]))
        print(f"real KVM {kernel}: {summary[1]}", flush=True)
        self.assertGreater(int(summary[3]), 0)
        self.assertEqual(int(summary[4]), 0, "\n" + "\n".join(differences(done.stdout)))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_hold(self):
        for kernel in real_kvm.KERNELS:
            with self.subTest(kernel=kernel):
                self.agree_on(kernel)


def differences(output):
    """The lines about statements that do not hold, with their continuations."""
    told = False
    for line in output.splitlines():
        told = line.startswith("differs") or (told and line.startswith("  "))
        if told:
            yield line


if __name__ == "__main__":
    unittest.main()
