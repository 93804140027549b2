"""What tests of the end of guests share: small guests, their ledger, proof that nothing is left.

The test process adopts orphans, so that a reaper whose VMM has ended becomes its child: it can be
waited for, and none can hide.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from lethe_guest import LETHE, PATIENCE, PROGRAMS, Guest, lethe
from memory_group import MemoryGroup

PR_SET_CHILD_SUBREAPER = 36
WAIT_FOR_ALL = 0x40000000  # __WALL
MIB = 1 << 20
HARDLY_ANY = 4 * MIB  # what the kernel may still count for a group whose processes have gone


def adopt_orphans():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def until(condition, what, patience=PATIENCE):
    """Waits for a true value and returns it."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.005)


def process_state(pid):
    """A letter ("T": stopped, "Z": ended but not waited for), or None."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[0]


def is_running(pid):
    return process_state(pid) not in (None, "Z", "X")


def children():
    """{pid: command line} of this process's children, whoever made them."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            stat = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            if int(stat[1]) == os.getpid():
                title = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes()
                found[int(entry)] = title.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def wait_for_child(pid, patience=PATIENCE):
    """The exit code of a child that subprocess does not know of; minus the signal's number."""
    def ended():
        done, status = os.waitpid(pid, os.WNOHANG | WAIT_FOR_ALL)
        return (os.waitstatus_to_exitcode(status),) if done else None

    return until(ended, f"the end of process {pid}", patience)[0]


def freeze(pid):
    """From now on until SIGCONT the process does nothing (but it can be killed)."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: process_state(pid) == "T", f"process {pid} stopped")


class Qmp:
    """A client of the control socket."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(path)
        self._file = self._socket.makefile("rwb")
        self._read()
        self.execute("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
        self._socket.close()

    def _read(self):
        line = self._file.readline()
        if not line:
            raise AssertionError("the control socket was closed")
        return json.loads(line)

    def execute(self, command, **arguments):
        request = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        self._file.write(json.dumps(request).encode() + b"\n")
        self._file.flush()
        while True:
            answer = self._read()
            if "error" in answer:
                raise AssertionError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]


class Site:
    """A directory with a ledger, where possible a control group, and the guests that live there."""

    def __init__(self, limit=None):
        adopt_orphans()
        self._scratch = tempfile.TemporaryDirectory(prefix="lethe-test-")
        self.directory = self._scratch.name
        self.ledger = self.path("ledger")
        self.group = (MemoryGroup.need if limit else MemoryGroup.make)(
            os.path.basename(self.directory), limit)
        self.guests = contextlib.ExitStack()

    def path(self, name):
        return os.path.join(self.directory, name)

    def in_group(self):
        """Options of subprocess.Popen for a process that belongs here."""
        return {"preexec_fn": self.group.enter} if self.group else {}

    def options(self, name, *arguments):
        """Of `lethe run`, independent of how much memory the host can spare at the moment; what a
        test gives has the last word."""
        options = {"--ledger": self.ledger, "--name": name, "--admission": "off",
                   "--destroy": "lazy"}
        options = {key: value for key, value in options.items() if key not in arguments}
        return [part for pair in options.items() for part in pair] + list(arguments)

    def start(self, name, *arguments):
        """A guest that is ended with the site at the latest."""
        return self.guests.enter_context(
            Guest(*self.options(name, *arguments), **self.in_group()))

    def ask(self, command, *arguments):
        return lethe(command, *arguments, "--ledger", self.ledger)

    def ask_in_background(self, command, *arguments):
        process = subprocess.Popen([LETHE, command, *arguments, "--ledger", self.ledger],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.guests.callback(process.wait)
        self.guests.callback(process.kill)
        return process

    def status(self, name):
        done = self.ask("status", name, "--json")
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return json.loads(done.stdout)

    def entries(self, *arguments):
        done = self.ask("ps", "--json", *arguments)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return json.loads(done.stdout)

    def state_in_list(self, name, *arguments):
        """What the table of `lethe ps` says of a guest; None: it is not there."""
        done = self.ask("ps", *arguments)
        found = re.search(rf"^{re.escape(name)} +\S+ +\d+ +(\S+)", done.stdout, re.M)
        return found[1] if found else None

    def metric(self, name, **labels):
        """One number of `lethe metrics`; 0 if it is not there."""
        for line in self.ask("metrics").stdout.splitlines():
            if not re.match(rf"{name}(\{{|\s)", line):
                continue
            if labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', line)).items():
                return float(line.rsplit(maxsplit=1)[1])
        return 0.0

    def close(self):
        """Ends what is left, without judging it."""
        with contextlib.suppress(OSError):
            self.guests.close()
        for pid in children():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, WAIT_FOR_ALL)
        if self.group:
            self.group.remove(PATIENCE)
        self._scratch.cleanup()


class TeardownTestCase(unittest.TestCase):
    """Tests with guests that need milliseconds to start, in a site that has to be left clean."""

    limit = None  # bytes of memory for all at the site

    @classmethod
    def setUpClass(cls):
        program = PROGRAMS / "teardown_guest.bin"
        if not program.is_file():
            raise unittest.SkipTest(f"no guest program {program}")
        cls._data = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls._data.cleanup)
        os.environ["XDG_DATA_HOME"] = cls._data.name  # keys of the tests' own
        cls.kernel = os.path.join(cls._data.name, "guest")
        cls.image = cls.kernel + ".pv"
        with open(cls.kernel, "wb") as file:
            file.write(bytes(0x10000) + program.read_bytes())
        done = lethe("seal", "--kernel", cls.kernel, "--append", "-", "--output", cls.image)
        if done.returncode != 0:
            raise AssertionError(done.stderr)

    def setUp(self):
        self.site = Site(self.limit)
        self.addCleanup(self.site.close)

    def start(self, name, *arguments, touch=0, protected=True):
        """A guest that waits for a line at its console; it has touched that many MiB."""
        what = ("--image", self.image) if protected else ("--kernel", self.kernel)
        guest = self.site.start(name, *what, *arguments)
        guest.expect("ready")
        if touch:
            guest.type(f"w {touch // 16}")
            guest.expect("ready")
        return guest

    def touch_above_2_gib(self, guest, mebibytes):
        """Where alone cleaning in the background takes time."""
        for line in ("s 2048", f"w {mebibytes // 16}"):
            guest.type(line)
            guest.expect("ready")

    def reaper_of(self, name):
        """Waits for the entry and its reaper."""
        return until(lambda: next((entry["reaper_pid"] for entry in self.site.entries("--all")
                                   if entry["name"] == name), None), f"a reaper of {name}")

    def release(self, name, reaper):
        """Lets a frozen reaper go on, and sees it through."""
        os.kill(reaper, signal.SIGCONT)
        self.assertEqual(self.site.ask("wait", name, "--released").returncode, 0)
        self.assertEqual(wait_for_child(reaper), 0)

    def assert_nothing_left(self):
        """After the last guest: no process, no memory, nothing owed, no file but the ledger's."""
        self.site.guests.close()
        until(lambda: self._reap() or not children(),
              f"the end of {children()}", min(PATIENCE, 60))
        for entry in self.site.entries("--all"):
            self.assertIn(entry["state"], ("released", "died"), entry)
            self.assertEqual(entry["owed_bytes"], 0, entry)
        self.assertEqual(self.site.entries(), [])
        group = self.site.group
        if group:
            self.assertEqual(group.processes(), [])
            until(lambda: group.held() < HARDLY_ANY, f"memory back, {group.held()} bytes held", 30)
        for path in pathlib.Path(self.site.directory).rglob("*"):
            self.assertFalse(path.is_socket() or path.suffix == ".pid", f"{path} is left")

    @staticmethod
    def _reap():
        """Waits for children that have ended."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG | WAIT_FOR_ALL)[0]:
                pass
