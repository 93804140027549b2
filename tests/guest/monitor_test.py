"""The control socket: QMP as its clients speak it, with a guest behind it."""

import json
import os
import socket
import stat
import tempfile
import time
import unittest

from lethe_guest import GUESTS, PATIENCE, PROGRAMS, Guest, GuestTestCase, lethe

QUIET = "cryptomgr.notests=1"


class Monitor:
    """A client of the control socket."""

    def __init__(self, path, negotiate=True):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._socket.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError):  # still starting
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        self._file = self._socket.makefile("rb")
        self.events = []  # not yet looked at
        self.greeting = self.read()
        if negotiate:
            self.do("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
        self._socket.close()

    def send(self, data):
        self._socket.sendall(data)

    def read(self):
        """The next object; None at the end of the connection."""
        line = self._file.readline()
        if not line:
            return None
        assert line.endswith(b"\r\n"), line
        return json.loads(line)

    def answer(self):
        while True:
            message = self.read()
            if message is None:
                raise AssertionError("the connection has ended")
            if "event" not in message:
                return message
            self.events.append(message)

    def ask(self, command, **arguments):
        request = {"execute": command, "id": command}
        if arguments:
            request["arguments"] = arguments
        self.send(json.dumps(request).encode())
        answer = self.answer()
        assert answer["id"] == command, answer
        return answer

    def do(self, command, **arguments):
        answer = self.ask(command, **arguments)
        assert "return" in answer, answer
        return answer["return"]

    def expect(self, name):
        """Waits for the event; what came before it is forgotten."""
        while True:
            event = self.events.pop(0) if self.events else self.read()
            if event is None:
                raise AssertionError(f"{name} never came")
            if event["event"] == name:
                return event.get("data")

    def status(self):
        return self.do("query-status")["status"]


class SocketTestCase(GuestTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "qmp")

    def linux(self, *arguments):
        return Guest("--kernel", GUESTS / "linux-6.12", "--initrd", GUESTS / "initrd.gz",
                     "--memory", "512M", "--append", QUIET, "--qmp", f"unix:{self.path}",
                     *arguments)


class LifeTest(SocketTestCase):
    def test_it_speaks_qmp_and_ends_the_guest(self):
        with self.linux("--name", "mnemosyne") as guest, Monitor(self.path, False) as monitor:
            version = monitor.greeting["QMP"]["version"]
            self.assertIn("lethe", version["package"])
            self.assertEqual(monitor.ask("query-status")["error"]["class"], "CommandNotFound")
            monitor.do("qmp_capabilities")
            self.assertEqual(monitor.do("query-version"), version)
            self.assertEqual(monitor.do("query-name"), {"name": "mnemosyne"})
            names = {command["name"] for command in monitor.do("query-commands")}
            self.assertLessEqual({"stop", "cont", "system_reset", "quit"}, names)
            self.assertTrue(stat.S_ISSOCK(os.stat(self.path).st_mode))
            self.assertEqual(os.stat(self.path).st_mode & 0o077, 0)
            monitor.do("quit")
            self.assertEqual(monitor.expect("SHUTDOWN"),
                             {"guest": False, "reason": "host-qmp-quit"})
            self.assertEqual(guest.finish(), 4, guest.log())
        self.assertFalse(os.path.exists(self.path))

    def test_a_stopped_guest_says_nothing_and_goes_on_afterwards(self):
        with self.linux() as guest, Monitor(self.path) as monitor:
            guest.expect("guest: ready")
            guest.type("i=0; while true; do i=$((i+1)); echo count $i.; done")
            guest.expect(r"count \d+\.")
            monitor.do("stop")
            monitor.expect("STOP")
            self.assertEqual(monitor.status(), "paused")
            # What the console has got is read to its end; then nothing more comes.
            with self.assertRaises(AssertionError):
                guest.expect("this is never said", patience=1)
            said = len(guest.transcript)
            with self.assertRaises(AssertionError):
                guest.expect("this is never said", patience=1)
            self.assertEqual(len(guest.transcript), said)
            monitor.do("cont")
            monitor.expect("RESUME")
            self.assertEqual(monitor.status(), "running")
            guest.expect(r"count \d+\.")

    def test_a_reset_boots_again(self):
        with self.linux() as guest, Monitor(self.path) as monitor:
            guest.expect("guest: ready")
            monitor.do("system_reset")
            self.assertEqual(monitor.expect("RESET"),
                             {"guest": False, "reason": "host-qmp-system-reset"})
            guest.expect(r"guest: Linux version")
            guest.expect("guest: ready")
            guest.type("reboot")
            self.assertEqual(monitor.expect("RESET"), {"guest": True, "reason": "guest-reset"})
            guest.expect("guest: ready")
            guest.type("poweroff")
            self.assertEqual(monitor.expect("SHUTDOWN"),
                             {"guest": True, "reason": "guest-shutdown"})
            self.assertEqual(guest.finish(), 0, guest.log())

    def test_a_guest_that_is_asked_to_shut_down_does(self):
        with self.linux() as guest, Monitor(self.path) as monitor:
            guest.expect("guest: ready")
            monitor.do("system_powerdown")
            monitor.expect("POWERDOWN")
            monitor.expect("SHUTDOWN")
            self.assertEqual(guest.finish(), 0, guest.log())

    def test_a_crash_is_told_with_its_psw(self):
        with self.linux() as guest, Monitor(self.path) as monitor:
            guest.expect("guest: ready")
            guest.type("crash")
            info = monitor.expect("GUEST_PANICKED")["info"]
            self.assertEqual((info["type"], info["reason"]), ("s390", "disabled-wait"))
            self.assertEqual(monitor.expect("SHUTDOWN"), {"guest": True, "reason": "guest-panic"})
            self.assertEqual(guest.finish(), 3, guest.log())

    def test_a_signal_is_told(self):
        with self.linux() as guest, Monitor(self.path) as monitor:
            guest.process.terminate()
            self.assertEqual(monitor.expect("SHUTDOWN"), {"guest": False, "reason": "host-signal"})
            self.assertEqual(guest.finish(), 4, guest.log())


class ProtectedTest(SocketTestCase):
    def test_a_protected_guest_stops_resets_lazily_and_ends(self):
        with Guest("--image", self.seal(QUIET), "--memory", "3G", "--destroy", "sync",
                   "--qmp", f"unix:{self.path}") as guest, Monitor(self.path) as monitor:
            guest.expect("guest: prot_virt_guest 1")
            guest.expect("guest: ready")
            self.assertEqual(monitor.do("x-lethe-query-destroy-policy"),
                             {"reboot": "sync", "shutdown": "sync"})
            monitor.do("x-lethe-set-destroy-policy", reboot="lazy")
            monitor.do("stop")
            self.assertTrue(monitor.do("x-lethe-query-teardown")["protected"])
            self.assertEqual(monitor.do("x-lethe-query-teardown")["pages-owed"], 0)
            monitor.do("system_reset")
            monitor.expect("RESET")
            self.assertEqual(monitor.status(), "paused")
            monitor.do("cont")
            guest.expect("guest: prot_virt_guest 1")
            guest.expect("guest: ready")
            decision = monitor.do("x-lethe-query-teardown")["decisions"][0]
            self.assertEqual((decision["kind"], decision["strategy"]), ("reboot", "set-aside"))
            monitor.do("quit")
            monitor.expect("SHUTDOWN")
            self.assertEqual(guest.finish(), 4, guest.log())


class ClientTest(SocketTestCase):
    def test_clients_come_and_go_whatever_they_say(self):
        with self.linux() as guest:
            for noise in [b"", b"{", b"hello\n", b"\xff\xfe\x00", b"[" * 100000, b"{\"a\":\"" * 9999,
                          b"{\"execute\":\"qmp_capabilities\"}" * 3, b"x\n" * 100000]:
                with Monitor(self.path, False) as monitor:
                    try:
                        monitor.send(noise)
                    except OSError:  # it does not have to listen to all of that
                        pass
            with Monitor(self.path) as monitor:
                monitor.send(b"{\"execute\": 7}\n")
                self.assertEqual(monitor.answer()["error"]["class"], "GenericError")
                monitor.send(b"{\"execute\": \"sto")
                monitor.send(b"p\"}")
                self.assertEqual(monitor.answer(), {"return": {}})
                monitor.do("quit")
            self.assertEqual(guest.finish(), 4, guest.log())

    def test_a_killed_program_is_replaced_and_a_living_one_is_not(self):
        with self.linux() as first:
            with Monitor(self.path):
                pass
            refused = lethe("run", "--kernel", PROGRAMS / "hello.elf", "--qmp", f"unix:{self.path}")
            self.assertEqual(refused.returncode, 1)
            self.assertIn("in use", refused.stderr)
            first.process.kill()
            first.process.wait()
            self.assertTrue(os.path.exists(self.path))
        with self.linux() as second, Monitor(self.path) as monitor:
            monitor.do("quit")
            self.assertEqual(second.finish(), 4, second.log())


class AddressTest(unittest.TestCase):
    def test_a_wrong_address_is_one_line_that_says_what_is_accepted(self):
        for address in ["tcp:localhost:4444", "unix:", "unix:/a,wait=on", "unix:" + "a" * 108]:
            done = lethe("run", "--kernel", "x", "--qmp", address)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


if __name__ == "__main__":
    unittest.main()
