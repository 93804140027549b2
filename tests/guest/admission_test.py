"""A start that finds memory owed by a guest that has stopped: it waits, or says why it does not."""

import os
import pathlib
import re
import signal
import unittest

from teardown_site import MIB, TeardownTestCase, freeze, until, wait_for_child

LARGE = os.environ.get("LETHE_LARGE") == "1"
FIRST = 304  # MiB
SECOND = ("--memory", "320M")


class AdmissionTest(TeardownTestCase):
    """Both guests live in a control group that has room for one of them."""

    limit = 448 * MIB

    def leave_a_dying_guest(self, *arguments):
        """Its reaper is held up at its first step; the reaper's process id."""
        guest = self.start("first", "--memory", "320M", *arguments, touch=FIRST)
        reaper = self.reaper_of("first")
        freeze(reaper)
        guest.type("p")
        self.assertEqual(guest.finish(), 0, guest.log())
        self.assertEqual(self.site.state_in_list("first"), "dying")
        return reaper

    def refused(self, guest, *numbers):
        """It ended with one line of error, in which these are found."""
        self.assertEqual(guest.finish(), 1)
        errors = [line for line in guest.log().splitlines() if "error:" in line]
        self.assertEqual(len(errors), 1, guest.log())
        for number in ("not enough memory for the guest", *numbers):
            self.assertRegex(errors[0], number)

    def finish_second(self, guest):
        guest.type(f"w {FIRST // 16}")
        guest.expect("ready")
        guest.type("p")
        self.assertEqual(guest.finish(), 0, guest.log())

    def test_it_waits_until_the_memory_is_back(self):
        reaper = self.leave_a_dying_guest()
        second = self.site.start("second", "--image", self.image, *SECOND, "--admission", "wait")
        until(lambda: self.site.state_in_list("second") == "waiting", "the second guest waiting")
        progress = until(lambda: re.search(
            r"waiting for memory: (\d+) MiB of 320 MiB available, (\d+) MiB owed", second.log()),
            "its progress")
        self.assertLess(int(progress[1]), 320)
        self.assertGreaterEqual(int(progress[2]), FIRST)
        self.assertNotIn("first guest instruction", second.log())
        self.release("first", reaper)
        second.expect("ready")
        self.assertRegex(second.log(), "waited .* for memory")
        self.finish_second(second)
        self.assertEqual(self.site.metric("lethe_admissions_total", outcome="after-waiting"), 1)
        self.assertEqual(self.site.group.oom_kills(), 0)
        self.assert_nothing_left()

    def test_past_the_deadline_it_fails_with_the_numbers(self):
        reaper = self.leave_a_dying_guest()
        second = self.site.start("second", "--image", self.image, *SECOND, "--admission", "wait",
                                 "--admission-deadline", "100ms")
        self.refused(second, r"it needs 0\.31 GiB", r"0\.\d\d GiB are available \(control group",
                     r"0\.30 GiB are still owed by 1 stopped guest", "waited 0")
        self.assertEqual(self.site.metric("lethe_admissions_total", outcome="refused"), 1)
        self.release("first", reaper)
        self.assert_nothing_left()

    def test_it_starts_all_the_same_if_told_to(self):
        reaper = self.leave_a_dying_guest()
        second = self.site.start("second", "--image", self.image, *SECOND, "--admission", "start",
                                 "--admission-deadline", "100ms")
        second.expect("ready")
        self.assertRegex(second.log(), r"warning: memory is short .*: it needs 0\.31 GiB")
        self.assertEqual(self.site.metric("lethe_admissions_total", outcome="short"), 1)
        self.release("first", reaper)
        self.finish_second(second)
        self.assertEqual(self.site.group.oom_kills(), 0)
        self.assert_nothing_left()

    def test_it_can_be_called_off_while_it_waits(self):
        reaper = self.leave_a_dying_guest()
        second = self.site.start("second", "--image", self.image, *SECOND, "--admission", "wait")
        until(lambda: self.site.state_in_list("second") == "waiting", "the second guest waiting")
        second.process.terminate()
        self.assertEqual(second.finish(), 4, second.log())
        self.assertIn("called off", second.log())
        self.assertNotIn("error", second.log())
        self.assertIsNone(self.site.state_in_list("second"))
        self.release("first", reaper)
        self.assert_nothing_left()

    def test_a_small_guest_need_not_wait(self):
        reaper = self.leave_a_dying_guest()
        second = self.site.start("second", "--image", self.image, *SECOND, "--admission", "wait",
                                 "--admission-need", "32M")
        second.expect("ready")
        self.assertNotRegex(second.log(), "waiting|waited|short")
        second.type("p")
        self.assertEqual(second.finish(), 0)
        self.release("first", reaper)
        self.assert_nothing_left()

    def test_strict_refuses_also_when_nothing_is_owed(self):
        first = self.start("first", "--memory", "320M", touch=FIRST)
        second = self.site.start("second", "--image", self.image, *SECOND, "--admission", "strict")
        self.refused(second, "no stopped guest owes any")
        first.type("p")
        self.assertEqual(first.finish(), 0)
        self.assert_nothing_left()

    def test_without_admission_somebody_has_to_die(self):
        """What waiting spares the host: the reaper goes first, as it has offered. Whether that was
        enough is a matter of chance here: the kernel does not wait until the shared memory of its
        victim is free, as it does for private memory."""
        guest = self.start("first", "--memory", "320M", "--uvc-cost", "10us", touch=FIRST)
        reaper = self.reaper_of("first")
        guest.type("p")
        self.assertEqual(guest.finish(), 0, guest.log())
        # Held up at its work: it might be done before the second guest needs the memory.
        until(lambda: pathlib.Path(f"/proc/{reaper}/oom_score_adj").read_text() == "1000\n",
              "the reaper's offer")
        freeze(reaper)
        second = self.start("second", *SECOND, "--admission", "off")
        second.type(f"w {FIRST // 16}\n")
        self.assertEqual(wait_for_child(reaper), -signal.SIGKILL)
        self.assertGreaterEqual(self.site.group.oom_kills(), 1)
        self.assertEqual(self.site.state_in_list("first", "--all"), "died")
        second.process.terminate()
        self.assertIn(second.finish(), (4, -signal.SIGKILL), second.log())
        self.assert_nothing_left()


@unittest.skipUnless(LARGE, "takes 11 GiB of memory; set LETHE_LARGE=1")
class LargeAdmissionTest(TeardownTestCase):
    """As above, in full size and held up by nothing but the time that cleaning takes."""

    limit = 11 << 30

    def test_two_guests_of_10_gib_one_after_the_other(self):
        first = self.start("first", "--memory", "10G", "--uvc-cost", "1us")
        first.type("t")
        first.expect("touched 10240 MiB")
        first.expect("ready")
        reaper = self.reaper_of("first")
        first.type("p")
        self.assertEqual(first.finish(), 0, first.log())
        second = self.site.start("second", "--image", self.image, "--memory", "10G", "--admission",
                                 "wait")
        second.expect("ready")
        self.assertIn("waiting for memory", second.log())
        self.assertRegex(second.log(), "waited .* for memory")
        self.assertEqual(wait_for_child(reaper), 0)
        second.type("t")
        second.expect("touched 10240 MiB")
        second.expect("ready")
        second.type("p")
        self.assertEqual(second.finish(), 0, second.log())
        self.assertEqual(self.site.group.oom_kills(), 0)
        print(second.log())
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
