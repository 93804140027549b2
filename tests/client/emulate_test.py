"""`lethe emulate`: another program finds the emulated host behind /dev/kvm."""

import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

LETHE = os.environ.get("LETHE", "build/cli/lethe")
SMALL_CLIENT = os.environ.get("LETHE_SMALL_CLIENT", "build/tests/small_client")
FAILURE, USAGE = 1, 2


class EmulateTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def emulate(self, *arguments, **options):
        environment = {**os.environ, "XDG_DATA_HOME": str(self.directory)}
        return subprocess.run([LETHE, "emulate", *map(str, arguments)], env=environment,
                              capture_output=True, text=True, timeout=240, **options)

    def refuses(self, status, *arguments, says):
        done = self.emulate(*arguments)
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stderr}")
        errors = [line for line in done.stderr.splitlines() if line]
        self.assertEqual(len(errors), 1, done.stderr)
        self.assertIn(says, errors[0])

    def test_a_small_client_runs_a_guest(self):
        done = self.emulate("--uvc-cost", "1us", "--", SMALL_CLIENT)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("guest: hello from the guest\n", done.stdout)
        self.assertEqual(done.stderr, "")

    def test_a_program_without_kvm_notices_nothing(self):
        done = self.emulate("--", "sh", "-c", "cat; exit 7", input="through\n")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (7, "through\n", ""))

    def test_signals_are_the_programs(self):
        done = self.emulate("--", "sh", "-c", "kill -TERM $$")
        self.assertEqual(done.returncode, -signal.SIGTERM)

    def test_a_host_that_cannot_be_made_is_an_error_of_open(self):
        key = self.directory / "key"
        key.write_text("no key\n")
        done = self.emulate("--host-key", key, "--", SMALL_CLIENT)
        self.assertEqual((done.returncode, done.stdout), (1, "open /dev/kvm: Input/output error\n"))
        self.assertIn(str(key), done.stderr)
        os.environ["LETHE_EMULATE_UVC_COST"] = "much"
        self.addCleanup(os.environ.pop, "LETHE_EMULATE_UVC_COST")
        library = pathlib.Path(LETHE).parent.parent / "preload" / "liblethe-kvm.so"
        done = subprocess.run([SMALL_CLIENT], env={**os.environ, "LD_PRELOAD": library.absolute()},
                              capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, 1)
        self.assertIn("LETHE_EMULATE_UVC_COST: 'much'", done.stderr)

    def test_bad_input(self):
        self.refuses(USAGE, says="command is required")
        self.refuses(USAGE, "--log", "loud", "--", "true", says="'loud'")
        self.refuses(USAGE, "--uvc-cost", "much", "--", "true", says="'much'")
        self.refuses(FAILURE, "--", "no-such-program", says="no-such-program")
        self.refuses(FAILURE, "--", "/nonexistent/program", says="/nonexistent/program")
        self.refuses(FAILURE, "--", self.directory, says="not a program")
        self.refuses(FAILURE, "--library", "/nonexistent.so", "--", "true", says="/nonexistent.so")

    def test_programs_of_other_machines(self):
        program = self.directory / "program"
        header = bytearray(64)
        header[:7] = b"\x7fELF\x02\x02\x01"
        header[18:20] = b"\x00\x16"  # s390
        program.write_bytes(header)
        program.chmod(0o755)
        library = self.directory / "library.so"
        library.touch()
        emulate = ("--library", library)
        self.refuses(FAILURE, *emulate, "--", program, says="--sysroot")
        self.refuses(FAILURE, *emulate, "--sysroot", "/nonexistent", "--", program,
                     says="/nonexistent")
        header[18:20] = b"\x00\x15"  # ppc64
        program.write_bytes(header)
        self.refuses(FAILURE, *emulate, "--", program, says="ELF machine 21")


if __name__ == "__main__":
    unittest.main(verbosity=2)
