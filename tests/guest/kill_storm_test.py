"""kill -9 at random moments of a guest's life: nothing is left, and the next start is clean."""

import collections
import concurrent.futures
import contextlib
import os
import random
import signal
import sys
import time
import unittest

from lethe_guest import Guest
from teardown_site import TeardownTestCase, process_state, wait_for_child

ROUNDS = int(os.environ.get("LETHE_KILL_ROUNDS", "18"))
SEED = int(os.environ.get("LETHE_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
IN_FLIGHT = 4
TOUCHED = 32  # MiB
# Ultravisor calls so slow that a random moment is likely to hit one.
SLOW = ("--uvc-cost", "20us")


class Phase:
    """How a guest is brought to where it is killed, and within what time after that."""

    def __init__(self, name, arguments, approach, window, protected=True):
        self.name = name
        self.arguments = arguments
        self.approach = approach  # takes the test and the guest
        self.window = window      # seconds
        self.protected = protected


def at_once(_test, _guest):
    pass


def working(_test, guest):
    guest.expect("ready")
    guest.type("w 100000")
    guest.expect("unit 1\n")


def touched(_test, guest):
    guest.expect("ready")
    guest.type(f"w {TOUCHED // 16}")
    guest.expect("ready")


def rebooting(test, guest):
    """Something to clean for PREPARE (below 2 GiB) and for PERFORM (above)."""
    touched(test, guest)
    test.touch_above_2_gib(guest, TOUCHED)
    guest.type("r")


def restarted(test, guest):
    rebooting(test, guest)
    guest.expect("memory")


def powering_off(test, guest):
    touched(test, guest)
    guest.type("p")


def terminated(test, guest):
    touched(test, guest)
    guest.process.terminate()


PHASES = (
    Phase("boot", SLOW, at_once, 0.06),
    Phase("boot", (), at_once, 0.06, protected=False),
    Phase("run", (), working, 0.2),
    Phase("run", (), working, 0.2, protected=False),
    Phase("reboot", ("--destroy", "lazy", *SLOW), rebooting, 0.5),
    Phase("clean", ("--destroy", "lazy", *SLOW), restarted, 0.3),
    Phase("reboot", ("--destroy", "sync", *SLOW), rebooting, 0.8),
    Phase("shutdown", SLOW, powering_off, 0.012),
    Phase("shutdown", ("--destroy", "sync", *SLOW), terminated, 0.4),
)


REAPER_PHASES = (
    Phase("run", (), working, 0.2),
    Phase("end", SLOW, touched, 0.15),
    Phase("end", (), touched, 0.01, protected=False),
)


def where(guest):
    """What the guest was about when it was killed, as its events tell; None: it was not killed."""
    if not os.path.exists(guest.events_path):
        return "boot"
    if guest.process.returncode != -signal.SIGKILL:
        return None
    names = [event["event"] for event in guest.events()]
    if "stopped" in names:
        return "end, memory left to the reaper"
    if "power-off" in names or "end" in names:
        return "end, decision and DISABLE"
    if "first-output" not in names:
        return "boot"
    if names.count("reset-request") > names.count("guest-restarted"):
        return "reboot, CPUs stopped: PREPARE or DISABLE"
    if names.count("perform-begin") > names.count("perform-end"):
        return "PERFORM beside the next life"
    return "run"


class KillStormTest(TeardownTestCase):
    def setUp(self):
        super().setUp()
        self.seen = collections.Counter()

    def test_a_vmm_killed_at_any_moment_leaves_nothing(self):
        self.storm("vmm", PHASES, ROUNDS, self.kill_vmm)

    def test_a_reaper_killed_at_any_moment_leaves_nothing(self):
        self.storm("reaper", REAPER_PHASES, ROUNDS // 3, self.kill_reaper)

    def storm(self, what, phases, rounds, kill):
        chance = random.Random(SEED)
        plan = [(f"{what}-{count}", phases[count % len(phases)], chance.random())
                for count in range(rounds)]
        with concurrent.futures.ThreadPoolExecutor(IN_FLIGHT) as pool:
            jobs = {pool.submit(kill, *round_): round_ for round_ in plan}
            for job in concurrent.futures.as_completed(jobs):
                name, phase, share = jobs[job]
                with self.subTest(name, phase=phase.name, share=share, seed=SEED):
                    self.seen[job.result()] += 1
        print(f"{what} killed {rounds} times, seed {SEED}: " + "; ".join(
            f"{count} x {place}" for place, count in sorted(self.seen.items())), file=sys.stderr)
        self.assert_the_next_start_is_clean()
        self.assert_nothing_left()

    def guest(self, name, phase):
        what = ("--image", self.image) if phase.protected else ("--kernel", self.kernel)
        return Guest(*self.site.options(name, *what, "--memory", "2304M", *phase.arguments),
                     **self.site.in_group())

    def kill_vmm(self, name, phase, share):
        """Again, and sooner, where the kill came too late."""
        for attempt in range(10):
            delay = share * phase.window / 2**attempt
            place = self.kill_vmm_once(f"{name}.{attempt}", phase, delay)
            if place:
                return place
        raise AssertionError(f"{phase.name} always ended before it was killed")

    def kill_vmm_once(self, name, phase, delay):
        with self.guest(name, phase) as guest:
            phase.approach(self, guest)
            time.sleep(delay)
            guest.process.kill()
            self.assertIn(guest.finish(), (-signal.SIGKILL, 0, 4), guest.log())
            self.see_to_the_end(name)
            return where(guest)

    def kill_reaper(self, name, phase, share):
        with self.guest(name, phase) as guest:
            phase.approach(self, guest)
            reaper = self.reaper_of(name)
            if phase.name == "end":
                guest.process.terminate()
                self.assertEqual(guest.finish(), 4, guest.log())
            time.sleep(share * phase.window)
            state = self.site.status(name)["state"]
            os.kill(reaper, signal.SIGKILL)
            guest.process.terminate()
            self.assertEqual(guest.finish(), 4, guest.log())
            self.see_to_the_end(name)
            return f"while the guest was {state}"

    def see_to_the_end(self, name):
        """The entry says that all is back, and the reaper ends by itself."""
        if not any(entry["name"] == name for entry in self.site.entries("--all")):
            return  # killed before it was entered
        reaper = self.site.status(name)["reaper_pid"]
        waited = self.site.ask("wait", name, "--released")
        self.assertEqual(waited.returncode, 0, waited.stderr)
        if reaper and process_state(reaper):
            with contextlib.suppress(ChildProcessError):  # the VMM has waited for it
                wait_for_child(reaper)

    def assert_the_next_start_is_clean(self):
        guest = self.start("next", "--memory", "2304M", "--admission", "strict", "--admission-need",
                           "64M", touch=TOUCHED)
        guest.type("p")
        self.assertEqual(guest.finish(), 0, guest.log())
        self.assertNotRegex(guest.log(), "warning|error|waited|short")


if __name__ == "__main__":
    unittest.main()
