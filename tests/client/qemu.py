"""Debian's own s390x QEMU with the emulated host as its KVM, driven over QMP and its console."""

import json
import os
import pathlib
import re
import select
import socket
import subprocess
import tempfile
import time

LETHE = os.environ.get("LETHE", "build/cli/lethe")
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "lethe"
ROOT = pathlib.Path(os.environ.get("LETHE_QEMU_CLIENT", CACHE / "qemu-client-bookworm-backports"))
# A generous bound on anything a guest does; tests never measure time.
PATIENCE = float(os.environ.get("LETHE_TEST_PATIENCE", "240"))


class Qemu:
    """One QEMU. Ended by its own process id when the with block is left."""

    def __init__(self, *arguments, memory="1G", cpus=2, machine="", data_home=None):
        self._directory = tempfile.TemporaryDirectory()
        path = pathlib.Path(self._directory.name)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path / "qmp"))
        listener.listen(1)
        self._log = open(path / "log", "w+")
        program = ROOT / "usr/bin/qemu-system-s390x"
        environment = {**os.environ, "XDG_DATA_HOME": str(data_home or path)}
        self.process = subprocess.Popen(
            [LETHE, "emulate", "--log", "debug", "--sysroot", ROOT, "--", program, "-L", ROOT / "usr/share/qemu",
             "-accel", "kvm", "-machine", "s390-ccw-virtio" + machine, "-cpu", "host",
             "-m", memory, "-smp", str(cpus), "-nodefaults", "-display", "none",
             "-chardev", f"socket,id=qmp,path={path}/qmp", "-mon", "chardev=qmp,mode=control",
             "-chardev", "stdio,id=console,signal=off", "-device", "sclpconsole,chardev=console",
             *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=environment)
        self.output = ""       # of the console, not yet looked at by expect()
        self.transcript = ""   # all of it
        self.events = []
        self._received = b""
        self._monitor = None
        try:
            self._wait(lambda: select.select([listener], [], [], 0)[0], "connected to the monitor")
            self._monitor = listener.accept()[0]
            self._message(lambda message: "QMP" in message)
            self.command("qmp_capabilities")
        except BaseException:
            self.__exit__()
            raise
        finally:
            listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        if self._monitor is not None:
            self._monitor.close()
        self._log.close()
        self._directory.cleanup()

    def log(self):
        self._log.flush()
        return pathlib.Path(self._log.name).read_text(errors="replace")

    def protection_commands(self):
        """Those of KVM_S390_PV_COMMAND so far that succeeded, by number."""
        return [int(number) for number in
                re.findall(r"KVM_S390_PV_COMMAND (\d+): 0,", self.log())]

    def _wait(self, done, what, patience=PATIENCE):
        """Until done() says yes; collects what the console says meanwhile."""
        deadline = time.monotonic() + patience
        while not done():
            ended = self.process.poll() is not None
            said = self._read_console()
            if ended and not said and not done():
                raise AssertionError(f"QEMU ended (status {self.process.returncode}) before it "
                                     f"{what}: {self.log()}{self.transcript}")
            if time.monotonic() > deadline:
                raise AssertionError(f"QEMU never {what}: {self.log()}{self.transcript}")

    def _read_console(self):
        if not select.select([self.process.stdout], [], [], 0.02)[0]:
            return False
        piece = os.read(self.process.stdout.fileno(), 65536).decode(errors="replace")
        self.output += piece
        self.transcript += piece
        return bool(piece)

    def expect(self, text, patience=PATIENCE):
        """Waits until the console says `text`; what came before it is gone."""
        self._wait(lambda: text in self.output, f"said {text!r}", patience)
        self.output = self.output.split(text, 1)[1]

    def type(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def _messages(self):
        """Messages of the monitor that are there."""
        while select.select([self._monitor], [], [], 0)[0]:
            try:
                piece = self._monitor.recv(65536)
            except ConnectionResetError:
                piece = b""
            if not piece:
                break
            self._received += piece
        *lines, self._received = self._received.split(b"\n")
        return [json.loads(line) for line in lines if line.strip()]

    def _message(self, wanted):
        found = []

        def look():
            for message in self._messages():
                if "event" in message:
                    self.events.append(message["event"])
                if wanted(message):
                    found.append(message)
            return found

        self._wait(look, "answered on its monitor")
        return found[0]

    def command(self, name, **arguments):
        request = {"execute": name, "arguments": arguments}
        self._monitor.sendall(json.dumps(request).encode() + b"\n")
        answer = self._message(lambda message: "return" in message or "error" in message)
        if "error" in answer:
            raise AssertionError(f"{name}: {answer['error']}")
        return answer["return"]

    def wait_for_event(self, name):
        if name not in self.events:
            self._message(lambda message: message.get("event") == name)
        self.events.remove(name)

    def wait_for_end(self):
        """The exit status."""
        self._wait(lambda: self.process.poll() is not None, "ended")
        while self._read_console():
            pass
        return self.process.returncode
