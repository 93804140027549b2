"""tools/real-kvm itself: what it refuses, and (with LETHE_REAL_KVM=1) one program on each kernel."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import real_kvm  # noqa: E402

PROGRAM = r"""
#include <fcntl.h>
#include <sys/ioctl.h>
#include <cstdio>
int main(int count, char** words) {
  const int kvm = open("/dev/kvm", O_RDWR);
  std::printf("%s [b] {c} ~^|\\!%%$#@: api %d, vm %s\n", count > 1 ? words[1] : "",
              ioctl(kvm, 0xae00, 0), ioctl(kvm, 0xae01, 0) >= 0 ? "made" : "refused");
  for (int i = 0; i < 40; i++) std::printf("%0200d\n", i);
  return 7;
}
"""


class Refused(unittest.TestCase):
    def refuses(self, text, *arguments):
        done = real_kvm.run(*arguments)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(text, done.stderr)

    def test_no_program(self):
        self.refuses("no program given")

    def test_an_unknown_kernel(self):
        self.refuses("'5.4'", "--kernel", "5.4", "--", "/bin/true")

    def test_a_time_that_is_no_number(self):
        self.refuses("expected a number from 1 to", "--timeout", "soon", "--", "/bin/true")

    def test_a_file_without_a_place(self):
        self.refuses("expected HOST:GUEST", "--file", "/etc/passwd", "--", "/bin/true")


@unittest.skipUnless(shutil.which("hercules") and shutil.which("s390x-linux-gnu-g++"),
                     "needs hercules and g++-s390x-linux-gnu")
class Unfit(unittest.TestCase):
    def test_a_program_for_another_machine(self):
        done = real_kvm.run("--", sys.executable)
        self.assertEqual(done.returncode, 2)
        self.assertIn("not a program for s390x", done.stderr)


@real_kvm.wanted
class OneProgram(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        cls.program = os.path.join(cls.directory.name, "program")
        subprocess.run(["s390x-linux-gnu-g++", "-static", "-x", "c++", "-o", cls.program, "-"],
                       input=PROGRAM, text=True, check=True)

    def test_output_and_status_come_through(self):
        for kernel in real_kvm.KERNELS:
            with self.subTest(kernel=kernel):
                done = real_kvm.run("--kernel", kernel, "--", self.program, "a")
                self.assertEqual(done.returncode, 7, done.stderr)
                lines = ["a [b] {c} ~^|\\!%$#@: api 12, vm made"] + [f"{i:0200d}" for i in range(40)]
                self.assertEqual(done.stdout.splitlines(), lines)

    def test_nothing_is_left_when_it_is_interrupted(self):
        with tempfile.TemporaryDirectory() as place:
            tool = subprocess.Popen([real_kvm.TOOL, "--", self.program], stderr=subprocess.PIPE, text=True,
                                    env={**os.environ, "TMPDIR": place})
            for line in tool.stderr:
                if "starting" in line:
                    break
            emulator = self.child_of(tool.pid)
            tool.send_signal(signal.SIGINT)
            tool.communicate()
            self.assertEqual(tool.returncode, 128 + signal.SIGINT)
            self.assertFalse(os.path.exists(f"/proc/{emulator}"))
            self.assertEqual(os.listdir(place), [])

    @staticmethod
    def child_of(pid):
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        while not children.read_text():
            time.sleep(0.01)
        return int(children.read_text().split()[0])


if __name__ == "__main__":
    unittest.main()
