"""Memory runs out while a reaper works: it is the first to give way.

The kernel does not always wait until the memory of a process that it has killed is free: it looks
for another one as soon as the first has begun to exit (it no longer lists that process), which for
a large one is milliseconds before its pages are counted as free. Who asks for memory in just that
time may die as well. That is so with any large process and nothing that a reaper could prevent;
what it can do, and what is held here: nobody dies before it, and nobody after the one who asked.
"""

import pathlib
import signal
import subprocess
import sys
import unittest

from lethe_guest import PATIENCE, PROGRAMS
from teardown_site import MIB, TeardownTestCase, freeze, until, wait_for_child

GUEST = 128  # MiB
NEIGHBOUR = 192
# Takes memory, and touches all of it.
GREED = """
import sys
size = int(sys.argv[1]) << 20
memory = bytearray(size)
memory[::4096] = b"x" * len(range(0, size, 4096))
print("sated", flush=True)
sys.stdin.read()
"""


class PressureTest(TeardownTestCase):
    limit = 256 * MIB  # room for either of them

    def neighbour(self):
        process = subprocess.Popen([sys.executable, "-c", GREED, str(NEIGHBOUR)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   **self.site.in_group())
        self.site.guests.enter_context(process)
        self.site.guests.callback(process.kill)
        return process

    def dying_private_guest(self):
        """As dying_guest, in private memory, and cleaning it never ends."""
        vmm = subprocess.Popen(
            [PROGRAMS / "private_vmm", self.site.ledger, "dying", str(GUEST)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **self.site.in_group())
        self.site.guests.enter_context(vmm)
        reaper = int(vmm.stdout.readline())
        vmm.communicate(timeout=PATIENCE)
        self.assertEqual(vmm.returncode, 0)
        until(lambda: self.volunteered(reaper), "the reaper's offer")
        self.assertEqual(self.site.status("dying")["state"], "dying")
        return reaper

    def volunteered(self, reaper):
        return pathlib.Path(f"/proc/{reaper}/oom_score_adj").read_text() == "1000\n"

    def dying_guest(self):
        """The process id of a reaper that has offered itself, and is held up before the rest."""
        guest = self.start("dying", "--memory", "160M", "--uvc-cost", "40us", touch=GUEST)
        reaper = self.reaper_of("dying")
        self.assertFalse(self.volunteered(reaper))  # the VMM would share the value
        guest.type("p")
        self.assertEqual(guest.finish(), 0, guest.log())
        until(lambda: self.volunteered(reaper), "the reaper's offer")
        freeze(reaper)
        self.assertEqual(self.site.status("dying")["state"], "dying")
        return reaper

    def feed(self, neighbour):
        self.assertEqual(neighbour.stdout.readline(), "sated\n")
        neighbour.communicate(timeout=PATIENCE)
        self.assertEqual(neighbour.returncode, 0)

    def assert_gives_way(self, reaper):
        """A neighbour asks for the memory: the reaper dies first; nobody but the two is killed."""
        neighbour = self.neighbour()
        self.assertEqual(wait_for_child(reaper), -signal.SIGKILL)
        sated = bool(neighbour.stdout.readline())
        neighbour.communicate(timeout=PATIENCE)
        self.assertEqual(neighbour.returncode, 0 if sated else -signal.SIGKILL)
        self.assertEqual(self.site.group.oom_kills(), 1 if sated else 2)
        self.assert_swept()
        self.feed(self.neighbour())  # the memory is back
        self.assert_nothing_left()

    def assert_swept(self):
        """The guest's memory is back although nobody says so; who asks sweeps the entry."""
        self.assertEqual(self.site.ask("wait", "dying", "--released").returncode, 0)
        self.assertEqual(self.site.state_in_list("dying", "--all"), "died")
        self.assertEqual(self.site.status("dying")["owed_bytes"], 0)
        self.assertEqual(self.site.metric("lethe_owners_died_total"), 1)

    def test_the_reaper_of_private_memory_is_the_first_to_give_way(self):
        self.assert_gives_way(self.dying_private_guest())

    def test_the_reaper_of_shared_memory_is_the_first_to_give_way(self):
        self.assert_gives_way(self.dying_guest())

    def test_who_waits_until_it_has_finished_costs_nobody_anything(self):
        """What shows that it is the lack of memory that kills."""
        reaper = self.dying_guest()
        self.release("dying", reaper)
        self.feed(self.neighbour())
        self.assertEqual(self.site.group.oom_kills(), 0)
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
