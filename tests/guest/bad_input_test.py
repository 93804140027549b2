"""Every bad input gets one clear line and the right status; nothing crashes or hangs."""

import os
import tempfile
import unittest

from lethe_guest import PROGRAMS, lethe

FAILURE, USAGE = 1, 2


class BadInputTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        os.environ["XDG_DATA_HOME"] = self.directory

    def file(self, name, content):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def refuses(self, status, *arguments, says):
        done = lethe(*arguments)
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stderr}")
        errors = [line for line in done.stderr.splitlines() if line]
        self.assertEqual(len(errors), 1, done.stderr)
        self.assertIn(says, errors[0])

    def test_command_lines(self):
        self.refuses(USAGE, says="a command is needed")
        self.refuses(USAGE, "run", says="--kernel or --image")
        self.refuses(USAGE, "run", "--kernel", "x", "--wrong", says="--wrong")
        self.refuses(USAGE, "run", "--kernel", "x", "--memory", "plenty", says="'plenty'")
        self.refuses(USAGE, "run", "--kernel", "x", "--cpus", "1000", says="1 to 248")

    def test_files(self):
        run = ("run", "--accel", "emulated", "--ledger", "none", "--console", "none")
        missing = os.path.join(self.directory, "missing")
        self.refuses(FAILURE, *run, "--kernel", missing, says=missing)
        self.refuses(FAILURE, *run, "--image", missing, says=missing)
        self.refuses(FAILURE, *run, "--kernel", self.directory, says="not a regular file")
        empty = self.file("empty", b"")
        self.refuses(FAILURE, *run, "--kernel", empty, says="empty")
        text = self.file("text", b"just some text\n" * 10000)
        self.refuses(FAILURE, *run, "--kernel", text, says="text")
        self.refuses(FAILURE, *run, "--image", text, says="Secure Execution image")
        # An ELF file of another machine: this very test runner's interpreter will do.
        self.refuses(FAILURE, *run, "--kernel", "/bin/true", says="s390x")
        hello = PROGRAMS / "hello.elf"
        whole = hello.read_bytes()
        cut = self.file("cut.elf", whole[:100])
        self.refuses(FAILURE, *run, "--kernel", cut, says="cut.elf")
        self.refuses(FAILURE, *run, "--kernel", hello, "--initrd", missing, says=missing)

    def test_memory(self):
        run = ("run", "--accel", "emulated", "--ledger", "none", "--console", "none", "--kernel", PROGRAMS / "hello.elf")
        self.refuses(FAILURE, *run, "--memory", "0", says="memory")
        self.refuses(FAILURE, *run, "--memory", "1000000T", says="memory")
        self.refuses(FAILURE, *run, "--memory", "1500K", says="memory")

    def test_hosts(self):
        hello = PROGRAMS / "hello.elf"
        self.refuses(FAILURE, "run", "--accel", "kvm", "--kernel", hello, says="s390x")
        key = self.file("key", b"no key\n")
        self.refuses(FAILURE, "run", "--accel", "emulated", "--kernel", hello, "--host-key", key,
                     says="key")
        self.refuses(FAILURE, "run", "--accel", "emulated", "--kernel", hello, "--console",
                     "file:/nonexistent/console", says="/nonexistent/console")
        self.refuses(FAILURE, "run", "--accel", "emulated", "--kernel", hello, "--console", "none",
                     "--events", "/nonexistent/events", says="/nonexistent/events")

    def test_sealing(self):
        text = self.file("text", b"just some text\n" * 10000)
        output = os.path.join(self.directory, "out.pv")
        self.refuses(FAILURE, "seal", "--kernel", text, "--output", output, says="text")
        self.assertFalse(os.path.exists(output))
        self.refuses(FAILURE, "seal", "--kernel", "/nonexistent", "--output", output,
                     says="/nonexistent")
        self.refuses(FAILURE, "seal", "--kernel", text, "--host-key-document", text, "--output",
                     output, says="text")


if __name__ == "__main__":
    unittest.main()
