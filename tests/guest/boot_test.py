"""Ordinary guests: Debian's kernels and a program of our own."""

import unittest

from lethe_guest import GUESTS, PROGRAMS, Guest, GuestTestCase

QUIET = "cryptomgr.notests=1"


class BootTest(GuestTestCase):
    def boot(self, kernel, cpus):
        with Guest("--kernel", GUESTS / kernel, "--initrd", GUESTS / "initrd.gz", "--memory", "512M",
                   "--cpus", cpus, "--append", QUIET) as guest:
            guest.expect(r"guest: Linux version \S+")
            guest.expect(rf"guest: {cpus} CPUs")
            guest.expect("guest: ready")
            guest.type("echo typed-$((40 + 2))")
            guest.expect("typed-42")
            guest.type("poweroff")
            self.assertEqual(guest.finish(), 0, guest.log())

    def test_linux_6_12_boots_and_takes_what_is_typed(self):
        self.boot("linux-6.12", 1)

    def test_linux_6_12_boots_with_two_cpus(self):
        self.boot("linux-6.12", 2)

    def test_linux_6_1_boots(self):
        self.boot("linux-6.1", 1)

    def test_linux_reboots(self):
        with Guest("--kernel", GUESTS / "linux-6.12", "--initrd", GUESTS / "initrd.gz",
                   "--memory", "512M", "--append", QUIET) as guest:
            guest.expect("guest: ready")
            guest.type("reboot")
            guest.expect("guest: ready")
            guest.type("poweroff")
            self.assertEqual(guest.finish(), 0, guest.log())

    def test_a_panic_ends_as_a_crash_that_names_the_psw(self):
        with Guest("--kernel", GUESTS / "linux-6.12", "--initrd", GUESTS / "initrd.gz",
                   "--memory", "512M", "--append", QUIET) as guest:
            guest.expect("guest: ready")
            guest.type("crash")
            self.assertEqual(guest.finish(), 3, guest.log())
            self.assertRegex(guest.log(), r"disabled wait.*PSW [0-9a-f]{16} [0-9a-f]{16}")


class ProgramTest(unittest.TestCase):
    def test_an_elf_program_prints_its_arguments_and_ends(self):
        with Guest("--kernel", PROGRAMS / "hello.elf", "--append", "argument text", "--memory",
                   "64M") as guest:
            guest.expect("hello from an ELF program: argument text")
            self.assertEqual(guest.finish(), 0, guest.log())


if __name__ == "__main__":
    unittest.main()
