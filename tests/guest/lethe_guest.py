"""Drives the lethe program as a user does: starts guests, reads and types at their console."""

import json
import os
import pathlib
import re
import select
import subprocess
import tempfile
import time
import unittest

LETHE = os.environ.get("LETHE", "build/cli/lethe")
GUESTS = pathlib.Path(os.environ.get("LETHE_GUESTS", ""))
PROGRAMS = pathlib.Path(os.environ.get("LETHE_TEST_PROGRAMS", "build/tests"))
# A generous bound on anything a guest does; tests never measure time.
PATIENCE = float(os.environ.get("LETHE_TEST_PATIENCE", "240"))


class Guest:
    """One `lethe run`. Ended by its own process id when the with block is left."""

    def __init__(self, *arguments, **options):
        """`options` are those of subprocess.Popen."""
        self._directory = tempfile.TemporaryDirectory()
        self.events_path = os.path.join(self._directory.name, "events")
        self._log = open(os.path.join(self._directory.name, "log"), "w+")
        if "--ledger" not in arguments:
            arguments = ("--ledger", os.path.join(self._directory.name, "ledger"), *arguments)
        self.process = subprocess.Popen(
            [LETHE, "run", "--events", self.events_path, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, **options)
        self.output = ""      # not yet looked at by expect()
        self.transcript = ""  # all of it

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self._log.close()
        self._directory.cleanup()

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        self._log.flush()
        return pathlib.Path(self._log.name).read_text()

    def _read(self, deadline):
        """Adds what the console says to self.output; False at its end."""
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
            raise AssertionError(
                f"no answer in time; console:\n{self.output[-3000:]}\nlog:\n{self.log()}")
        data = os.read(self.process.stdout.fileno(), 65536)
        self.output += data.decode(errors="replace")
        self.transcript += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern, patience=PATIENCE):
        """Waits until the console has said something new that matches; returns the match."""
        deadline = time.monotonic() + patience
        while True:
            found = re.search(pattern, self.output)
            if found:
                self.output = self.output[found.end():]
                return found
            if not self._read(deadline):
                raise AssertionError(
                    f"{pattern!r} never came; console:\n{self.output[-3000:]}\nlog:\n{self.log()}")

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def finish(self, patience=PATIENCE):
        """Reads to the end; the exit status."""
        deadline = time.monotonic() + patience
        while self._read(deadline):
            pass
        return self.process.wait(timeout=patience)

    def events(self):
        with open(self.events_path) as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def events_named(self, name):
        return [event for event in self.events() if event["event"] == name]


def lethe(*arguments, **options):
    """Runs lethe to its end; the completed process with text output."""
    return subprocess.run([LETHE, *map(str, arguments)], capture_output=True, text=True,
                          timeout=PATIENCE, stdin=subprocess.DEVNULL, **options)


class GuestTestCase(unittest.TestCase):
    """Tests that need Debian's kernels (tools/guests)."""

    @classmethod
    def setUpClass(cls):
        if not (GUESTS / "linux-6.12").is_file():
            raise unittest.SkipTest("no guest kernels; run tools/guests and set LETHE_GUESTS")
        cls._data = tempfile.TemporaryDirectory()
        os.environ["XDG_DATA_HOME"] = cls._data.name  # keys of the tests' own

    @classmethod
    def tearDownClass(cls):
        cls._data.cleanup()

    def seal(self, append, *, kernel="linux-6.12", initrd="initrd.gz"):
        """A protected image; the command line is sealed into it."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = os.path.join(directory.name, "guest.pv")
        done = lethe("seal", "--kernel", GUESTS / kernel, "--initrd", GUESTS / initrd,
                     "--append", append, "--output", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        return path
