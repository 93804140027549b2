"""Control groups of the tests' own, in which memory is limited and counted."""

import os
import pathlib
import re
import time
import unittest


def _read(path):
    try:
        return path.read_text()
    except OSError:
        return ""


def _numbers(text):
    return {key: int(value) for key, value in re.findall(r"^(\S+) (\d+)$", text, re.M)}


def _mounts():
    """(version, mount point) of each hierarchy with a memory controller."""
    for line in _read(pathlib.Path("/proc/self/mountinfo")).splitlines():
        left, _, right = line.partition(" - ")
        mount = pathlib.Path(left.split()[4])
        kind, _, options = right.split(maxsplit=2)
        if kind == "cgroup" and "memory" in options.split(","):
            yield 1, mount
        if kind == "cgroup2" and "memory" in _read(mount / "cgroup.controllers").split():
            yield 2, mount


def _own(version, mount):
    controllers = r"[^:\n]*\bmemory\b[^:\n]*" if version == 1 else ""
    found = re.search(rf"^\d+:{controllers}:(/.*)$", _read(pathlib.Path("/proc/self/cgroup")), re.M)
    return mount / found[1].lstrip("/") if found else mount


def _parents():
    """Where a group with the memory controller might be made."""
    for version, mount in _mounts():
        own = _own(version, mount)
        # A version 2 group has either processes or children with controllers.
        for parent in [mount, own] if version == 1 else [mount, own, *own.parents]:
            if parent != mount and mount not in parent.parents:
                continue
            if version == 1 or "memory" in _read(parent / "cgroup.subtree_control").split():
                yield version, parent


class MemoryGroup:
    """A control group. Removed, empty, by remove(); make() returns None where none can be made."""

    @classmethod
    def make(cls, name, limit=None):
        for version, parent in _parents():
            path = parent / name
            try:
                path.mkdir()
            except OSError:
                continue
            group = cls(version, path)
            if group._usable(limit):
                return group
            path.rmdir()
        return None

    @classmethod
    def need(cls, name, limit=None):
        group = cls.make(name, limit)
        if group is None:
            raise unittest.SkipTest("no control group with a memory controller can be made here")
        return group

    def __init__(self, version, path):
        self._version = version
        self.path = path

    def _usable(self, limit):
        try:
            open(self.path / "cgroup.procs", "w").close()
            if limit is not None:
                self._write("memory.limit_in_bytes" if self._version == 1 else "memory.max", limit)
        except OSError:
            return False
        return True

    def _write(self, name, value):
        (self.path / name).write_text(str(value))

    def enter(self):
        """Moves the calling process; for subprocess.Popen(preexec_fn=...)."""
        self._write("cgroup.procs", 0)

    def processes(self):
        return [int(pid) for pid in _read(self.path / "cgroup.procs").split()]

    def held(self):
        """Bytes of memory other than page cache of files."""
        stat = _numbers(_read(self.path / "memory.stat"))
        if self._version == 1:
            return stat["total_rss"] + stat["total_shmem"]
        return stat["anon"] + stat["shmem"]

    def oom_kills(self):
        name = "memory.oom_control" if self._version == 1 else "memory.events"
        return _numbers(_read(self.path / name))["oom_kill"]

    def peak(self):
        name = "memory.max_usage_in_bytes" if self._version == 1 else "memory.peak"
        return int(_read(self.path / name) or 0)

    def remove(self, patience):
        """Fails when a process is left in it."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return self.path.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
