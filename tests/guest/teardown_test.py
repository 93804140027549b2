"""The end of a guest in two stages: the process ends at once, its reaper gives the memory back."""

import itertools
import os
import pathlib
import signal
import subprocess
import unittest

from lethe_guest import GUESTS, LETHE, PATIENCE, lethe
from teardown_site import (MIB, Qmp, TeardownTestCase, freeze, children, is_running, process_state,
                           until, wait_for_child)

TOUCHED = 64  # MiB
POWERED_OFF, FAILED, ENDED = 0, 1, 4


def power_off(guest, _):
    guest.type("p")


def quit_by_qmp(_, socket):
    with Qmp(socket) as qmp:
        qmp.execute("quit")


def terminate(guest, _):
    guest.process.terminate()


ENDS = {"power-off": (power_off, POWERED_OFF), "quit": (quit_by_qmp, ENDED),
        "SIGTERM": (terminate, ENDED)}


class TwoStagesTest(TeardownTestCase):
    def test_the_process_ends_before_its_memory_is_back(self):
        """The reaper is held up where that matters: what is seen does not depend on any speed."""
        for (how, (end, status)), protected in itertools.product(ENDS.items(), (True, False)):
            with self.subTest(how, protected=protected):
                self.see_both_stages(f"{how}-{'secret' if protected else 'plain'}", end, status,
                                     protected)
        counted = self.site.metric("lethe_teardowns_total", kind="shutdown", strategy="bulk")
        self.assertEqual(counted, 2 * len(ENDS))
        self.assert_nothing_left()

    def see_both_stages(self, name, end, status, protected):
        socket = self.site.path(f"{name}.qmp")
        guest = self.start(name, "--memory", "256M", "--qmp", f"unix:{socket}",
                           "--uvc-cost", "5us", touch=TOUCHED, protected=protected)
        self.assertEqual(self.site.state_in_list(name), "running")
        stopped = self.site.ask_in_background("wait", name, "--stopped")
        released = self.site.ask_in_background("wait", name, "--released")
        reaper = self.reaper_of(name)
        freeze(reaper)
        end(guest, socket)

        # Stage one: the end of the output and of the process, while its reaper has done nothing.
        self.assertEqual(guest.finish(), status, guest.log())
        self.assertEqual(process_state(reaper), "T")
        self.assertFalse(os.path.exists(socket))
        self.assertEqual(stopped.wait(PATIENCE), 0)
        self.assertEqual(self.site.state_in_list(name), "dying")
        entry = self.site.status(name)
        self.assertEqual(entry["state"], "dying")
        self.assertGreaterEqual(entry["owed_bytes"], TOUCHED * MIB)
        self.assertEqual(entry["returned_bytes"], 0)
        if self.site.group:
            self.assertGreaterEqual(self.site.group.held(), TOUCHED * MIB)
        late = self.site.ask("wait", name, "--released", "--timeout", "1ms")
        self.assertEqual(late.returncode, FAILED)
        self.assertRegex(late.stderr, rf"{name} is dying, .* owed")
        self.assertIsNone(released.poll())

        # Stage two.
        self.release(name, reaper)
        self.assertEqual(released.wait(PATIENCE), 0)
        self.assertIsNone(self.site.state_in_list(name))
        self.assertEqual(self.site.state_in_list(name, "--all"), "released")
        entry = self.site.status(name)
        self.assertEqual(entry["strategy"], "bulk")
        self.assertEqual(entry["owed_bytes"], 0)
        self.assertGreaterEqual(entry["returned_bytes"], TOUCHED * MIB)

    def test_a_reaper_that_nobody_holds_up_still_works_when_the_process_ends(self):
        guest = self.start("slow", "--memory", "256M", "--uvc-cost", "50us", touch=TOUCHED)
        reaper = self.reaper_of("slow")
        guest.type("p")
        self.assertEqual(guest.finish(), POWERED_OFF, guest.log())
        self.assertEqual(os.waitpid(reaper, os.WNOHANG), (0, 0))
        self.assertEqual(self.site.status("slow")["state"], "dying")
        title = pathlib.Path(f"/proc/{reaper}/cmdline").read_bytes()
        self.assertIn(b"reaper of slow", title)
        self.release("slow", reaper)
        self.assertEqual(self.site.status("slow")["state"], "released")
        self.assert_nothing_left()

    def test_power_off_while_an_earlier_life_is_being_cleaned(self):
        # Cleaning in the background takes time only above 2 GiB.
        guest = self.start("twice", "--memory", "2304M", "--destroy", "lazy", "--uvc-cost", "30us")
        self.touch_above_2_gib(guest, TOUCHED)
        reaper = self.reaper_of("twice")
        guest.type("r")
        guest.expect("memory 2304 MiB")
        freeze(reaper)
        guest.type("p")
        self.assertEqual(guest.finish(), POWERED_OFF, guest.log())
        self.assertTrue(guest.events_named("perform-begin"))
        self.assertFalse(guest.events_named("perform-end"))
        self.assertEqual(self.site.status("twice")["state"], "dying")
        self.release("twice", reaper)
        self.assertGreater(self.site.status("twice")["returned_bytes"], TOUCHED * MIB)
        self.assert_nothing_left()

    def test_a_daemon_leaves_nothing_but_its_reaper(self):
        socket, pid_file, log = map(self.site.path, ("d.qmp", "d.pid", "d.log"))
        done = subprocess.run(
            [LETHE, "run", *self.site.options(
                "daemon", "--image", self.image, "--memory", "256M", "--daemonize", "--pidfile",
                pid_file, "--qmp", f"unix:{socket}", "--console", "none", "--log-file", log)],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, text=True,
            **self.site.in_group())  # returns: nobody else holds its output
        self.assertEqual(done.returncode, 0, done.stderr)
        vmm = int(pathlib.Path(pid_file).read_text())
        self.assertTrue(is_running(vmm))
        self.assertEqual(self.site.status("daemon")["pid"], vmm)
        until(lambda: self.site.status("daemon")["state"] == "running", "state running")
        reaper = self.reaper_of("daemon")
        self.assertNotEqual(os.getsid(reaper), os.getsid(vmm))
        freeze(reaper)
        quit_by_qmp(None, socket)
        self.assertEqual(wait_for_child(vmm), ENDED)
        self.assertFalse(os.path.exists(pid_file))
        self.assertFalse(os.path.exists(socket))
        self.assertEqual(process_state(reaper), "T")
        self.assertEqual(self.site.status("daemon")["state"], "dying")
        self.release("daemon", reaper)
        self.assert_nothing_left()

    def test_the_reaper_heeds_no_signal_of_its_supervisor(self):
        guest = self.start("group", "--memory", "256M", touch=TOUCHED)
        reaper = self.reaper_of("group")
        freeze(reaper)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(reaper, number)
        guest.process.terminate()
        self.assertEqual(guest.finish(), ENDED)
        self.release("group", reaper)
        self.assertEqual(self.site.status("group")["state"], "released")
        self.assert_nothing_left()


    def test_without_a_ledger(self):
        guest = self.start("unlisted", "--memory", "256M", "--ledger", "none", touch=TOUCHED)
        guest.type("p")
        self.assertEqual(guest.finish(), POWERED_OFF, guest.log())
        self.assertEqual(self.site.entries("--all"), [])
        reaper, = children()
        self.assertEqual(wait_for_child(reaper), 0)
        self.assert_nothing_left()

    def test_the_reaper_moves_to_a_group_of_its_own(self):
        if self.site.group is None:
            self.skipTest("no control group can be made here")
        group = self.site.group.path / "reapers"
        group.mkdir()
        self.addCleanup(group.rmdir)  # before that of the site
        guest = self.start("moved", "--memory", "256M", "--reaper-cgroup", group, touch=TOUCHED)
        reaper = self.reaper_of("moved")
        self.assertEqual((group / "cgroup.procs").read_text().split(), [str(reaper)])
        self.assertEqual(self.site.group.processes(), [guest.pid])
        guest.type("p")
        self.assertEqual(guest.finish(), POWERED_OFF, guest.log())
        self.assertEqual(wait_for_child(reaper), 0)
        self.assert_nothing_left()


class LinuxTest(TeardownTestCase):
    def test_both_stages_of_linux(self):
        if not (GUESTS / "linux-6.12").is_file():
            self.skipTest("no guest kernels; run tools/guests and set LETHE_GUESTS")
        image = self.site.path("linux.pv")
        done = lethe("seal", "--kernel", GUESTS / "linux-6.12", "--initrd", GUESTS / "initrd.gz",
                     "--append", "cryptomgr.notests=1 quiet", "--output", image)
        self.assertEqual(done.returncode, 0, done.stderr)
        guest = self.site.start("linux", "--image", image, "--memory", "3G", "--cpus", "2")
        guest.expect("guest: ready")
        reaper = self.reaper_of("linux")
        freeze(reaper)
        guest.type("poweroff")
        self.assertEqual(guest.finish(), POWERED_OFF, guest.log())
        self.assertEqual(self.site.state_in_list("linux"), "dying")
        self.assertGreater(self.site.status("linux")["owed_bytes"], TOUCHED * MIB)
        self.release("linux", reaper)
        self.assert_nothing_left()


class FailedStartTest(TeardownTestCase):
    def refused(self, name, *arguments):
        """One line of error, and no file that was not there before."""
        before = self.files()
        done = subprocess.run(
            [LETHE, "run", *self.site.options(name, "--memory", "256M", *arguments)],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, text=True,
            **self.site.in_group())
        self.assertEqual(done.returncode, FAILED)
        self.assertEqual(done.stderr.count("error:"), 1, done.stderr)
        self.assertEqual(self.files(), before)
        return done.stderr

    def files(self):
        return set(os.listdir(self.site.directory)) - {"ledger"}

    def test_a_file_that_is_not_there(self):
        files = ("--pidfile", self.site.path("f.pid"), "--qmp", f"unix:{self.site.path('f.qmp')}")
        for what in ("--kernel", "--image"):
            for how in ((), ("--daemonize", "--console", "none")):
                with self.subTest(what, how=how):
                    error = self.refused("never", what, "/nonexistent/file", *files, *how)
                    self.assertIn("/nonexistent/file", error)
        self.assert_nothing_left()

    def test_paths_that_belong_to_a_guest_that_runs(self):
        socket, pid_file = map(self.site.path, ("r.qmp", "r.pid"))
        guest = self.start("runs", "--memory", "256M", "--qmp", f"unix:{socket}", "--pidfile",
                           pid_file)
        self.assertIn(pid_file, self.refused("second", "--image", self.image, "--pidfile",
                                             pid_file))
        self.assertIn(socket, self.refused("third", "--image", self.image, "--qmp",
                                           f"unix:{socket}"))
        self.assertEqual(pathlib.Path(pid_file).read_text(), f"{guest.pid}\n")
        quit_by_qmp(guest, socket)
        self.assertEqual(guest.finish(), ENDED)
        self.assert_nothing_left()


class ForegroundTest(TeardownTestCase):
    """The process gives back everything itself."""

    def see_one_stage(self, name, guest, protected=True):
        guest.type("p")
        self.assertEqual(guest.finish(), POWERED_OFF, guest.log())
        self.assertEqual({pid: title for pid, title in children().items() if "reaper" in title}, {})
        entry = self.site.status(name)
        self.assertEqual(entry["state"], "released")
        self.assertEqual(entry["owed_bytes"], 0)
        names = [event["event"] for event in guest.events()]
        self.assertLess(names.index("released"), names.index("exit"))
        if protected:
            self.assertLess(names.index("disable"), names.index("released"))
            self.assertEqual(entry["strategy"], "sync")
            self.assertEqual(self.site.metric("lethe_teardowns_total", kind="shutdown",
                                              strategy="sync"), 1)

    def test_as_asked_for(self):
        guest = self.start("sync", "--memory", "256M", "--destroy", "sync", touch=TOUCHED)
        self.see_one_stage("sync", guest)
        self.assertIn("synchronous destroy was asked for", guest.log())
        self.assert_nothing_left()

    def test_as_asked_for_at_run_time(self):
        socket = self.site.path("late.qmp")
        guest = self.start("late", "--memory", "256M", "--destroy", "reboot=auto,shutdown=lazy",
                           "--qmp", f"unix:{socket}", touch=TOUCHED)
        with Qmp(socket) as qmp:
            qmp.execute("x-lethe-set-destroy-policy", shutdown="sync")
        self.see_one_stage("late", guest)
        self.assert_nothing_left()

    def test_without_a_reaper(self):
        guest = self.start("alone", "--memory", "256M", "--reaper", "off", touch=TOUCHED)
        self.assertIsNone(self.site.status("alone")["reaper_pid"])
        self.see_one_stage("alone", guest)
        self.assertRegex(guest.log(), "shutdown: sync .*there is no reaper")
        self.assert_nothing_left()

    def test_without_a_reaper_or_anything_to_clean(self):
        guest = self.start("plain", "--memory", "256M", "--reaper", "off", touch=TOUCHED,
                           protected=False)
        self.see_one_stage("plain", guest, protected=False)
        self.assert_nothing_left()

    def test_when_the_reaper_was_killed(self):
        for protected in (True, False):
            with self.subTest(protected=protected):
                name = f"bereft-{protected}"
                socket = self.site.path(f"{name}.qmp")
                guest = self.start(name, "--memory", "256M", "--destroy", "lazy", "--qmp",
                                   f"unix:{socket}", touch=TOUCHED, protected=protected)
                os.kill(self.reaper_of(name), signal.SIGKILL)
                with Qmp(socket) as qmp:
                    until(lambda: not qmp.execute("x-lethe-query-teardown")["reaper-alive"],
                          "the reaper's end told")
                self.see_one_stage(name, guest, protected)
                self.assertIn("there is no reaper", guest.log())
        self.assertEqual(self.site.metric("lethe_fallbacks_total", reason="no-reaper"), 1)
        self.assert_nothing_left()

    def test_when_the_reaper_is_killed_at_its_work(self):
        guest = self.start("orphan", "--memory", "256M", touch=TOUCHED)
        reaper = self.reaper_of("orphan")
        freeze(reaper)
        guest.type("p")
        self.assertEqual(guest.finish(), POWERED_OFF, guest.log())
        os.kill(reaper, signal.SIGKILL)
        self.assertEqual(wait_for_child(reaper), -signal.SIGKILL)
        # Nobody says so any more, but whoever asks learns that nothing is owed.
        self.assertEqual(self.site.ask("wait", "orphan", "--released").returncode, 0)
        self.assertEqual(self.site.state_in_list("orphan", "--all"), "died")
        self.assert_nothing_left()


class CrashTest(TeardownTestCase):
    def test_the_reaper_cleans_up_after_a_killed_vmm(self):
        for protected in (True, False):
            with self.subTest(protected=protected):
                name = f"killed-{protected}"
                guest = self.start(name, "--memory", "256M", touch=TOUCHED, protected=protected)
                reaper = self.reaper_of(name)
                freeze(reaper)
                guest.process.kill()
                self.assertEqual(guest.finish(), -signal.SIGKILL)
                self.assertEqual(self.site.state_in_list(name), "running")  # so far nobody saw it
                self.release(name, reaper)
                entry = self.site.status(name)
                self.assertEqual(entry["state"], "released")
                self.assertGreaterEqual(entry["returned_bytes"], TOUCHED * MIB)
        self.assertEqual(self.site.metric("lethe_teardowns_total", kind="crash"), 2)
        self.assert_nothing_left()

    def test_a_supervisor_that_kills_both(self):
        for order in ("VMM first", "reaper first"):
            with self.subTest(order):
                name = order.replace(" ", "-")
                guest = self.start(name, "--memory", "256M", touch=TOUCHED)
                pids = [guest.pid, self.reaper_of(name)]
                freeze(pids[1])
                for pid in pids if order == "VMM first" else reversed(pids):
                    os.kill(pid, signal.SIGKILL)
                self.assertEqual(guest.finish(), -signal.SIGKILL)
                self.assertEqual(self.site.ask("wait", name, "--released").returncode, 0)
                self.assertEqual(self.site.state_in_list(name, "--all"), "died")
        self.assertEqual(self.site.metric("lethe_owners_died_total"), 2)
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
