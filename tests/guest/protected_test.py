"""Protected guests: start, secrecy, reboot, end."""

import os
import re
import signal
import unittest

from lethe_guest import GUESTS, Guest, GuestTestCase, lethe

QUIET = "cryptomgr.notests=1"
LIFE = ["process-start", "first-instruction", "pv-enable", "pv-unpack", "pv-verify", "protected",
        "reset-request", "prepare", "guest-restarted", "perform-begin", "perform-end", "power-off",
        "exit"]


class ProtectedTest(GuestTestCase):
    def test_it_is_protected_reboots_lazily_and_powers_off(self):
        image = self.seal(QUIET)
        with Guest("--image", image, "--memory", "3G", "--cpus", 2, "--destroy", "lazy") as guest:
            guest.expect("guest: prot_virt_guest 1")
            guest.expect("guest: 2 CPUs")
            guest.type("reboot")
            guest.expect("guest: prot_virt_guest 1")
            guest.expect("guest: ready")
            guest.type("poweroff")
            self.assertEqual(guest.finish(), 0, guest.log())
            names = [event["event"] for event in guest.events()]
            for name in LIFE:
                self.assertIn(name, names)
            self.assertEqual(names.count("protected"), 2)
            self.assertNotIn("disable", names[:names.index("power-off")])
            self.assertNotIn("cut here", guest.transcript)  # the kernel warned of nothing
            times = [event["monotonic_ns"] for event in guest.events()]
            self.assertEqual(times, sorted(times))
            prepare = guest.events_named("prepare")[0]
            self.assertGreater(prepare["duration_ns"], 0)
            self.assertGreater(guest.events_named("perform-end")[0]["pages"], 0)

    def test_a_synchronous_policy_disables_instead(self):
        image = self.seal(QUIET)
        with Guest("--image", image, "--memory", "1G", "--destroy", "sync") as guest:
            guest.expect("guest: ready")
            guest.type("reboot")
            guest.expect("guest: prot_virt_guest 1")
            guest.expect("guest: ready")
            guest.type("poweroff")
            self.assertEqual(guest.finish(), 0, guest.log())
            names = [event["event"] for event in guest.events()]
            self.assertIn("disable", names)
            self.assertNotIn("prepare", names)

    def test_no_secret_of_the_guest_is_readable_in_the_vmm(self):
        image = self.seal(QUIET)
        with Guest("--image", image, "--memory", "512M") as guest:
            guest.expect("guest: ready")
            # The marker is put together inside the guest: it never crosses the console whole.
            guest.type("part=PLAINTEXT; i=0; while [ $i -lt 20000 ]; do echo SECRET-$part-$i; "
                       "i=$((i+1)); done >/tmp/secret; echo stored $(wc -l </tmp/secret)")
            guest.expect("stored 20000")
            memory = guest.events_named("memory")[0]
            found = 0
            readable = 0
            with open(f"/proc/{guest.pid}/mem", "rb", buffering=0) as file:
                for offset in range(0, memory["size"], 65536):
                    try:
                        file.seek(memory["host_address"] + offset)
                        data = file.read(65536)
                    except OSError:
                        continue
                    readable += len(data)
                    found += data.count(b"SECRET-PLAINTEXT-")
            self.assertEqual(found, 0)
            # The guest has lost nothing by our looking at it.
            guest.type("grep -c SECRET-PLAINTEXT /tmp/secret")
            guest.expect("20000")
            guest.type("poweroff")
            self.assertEqual(guest.finish(), 0, guest.log())

    def test_the_search_for_secrets_finds_them_in_an_ordinary_guest(self):
        """What shows that the test above can fail."""
        with Guest("--kernel", GUESTS / "linux-6.12", "--initrd", GUESTS / "initrd.gz", "--memory",
                   "512M", "--append", QUIET) as guest:
            guest.expect("guest: ready")
            guest.type("part=PLAINTEXT; i=0; while [ $i -lt 2000 ]; do echo SECRET-$part-$i; "
                       "i=$((i+1)); done >/tmp/secret; echo stored $(wc -l </tmp/secret)")
            guest.expect("stored 2000")
            memory = guest.events_named("memory")[0]
            with open(f"/proc/{guest.pid}/mem", "rb", buffering=0) as file:
                file.seek(memory["host_address"])
                data = b"".join(iter(lambda: file.read(1 << 20) if
                                     file.tell() < memory["host_address"] + memory["size"] else b"",
                                     b""))
            self.assertGreater(data.count(b"SECRET-PLAINTEXT-"), 1000)

    def test_a_refused_page_ends_the_guest_with_a_sentence(self):
        """The kernel tells of a page that fails its integrity check by SIGSEGV to the CPU's thread."""
        image = self.seal(QUIET)
        with Guest("--image", image, "--memory", "512M") as guest:
            guest.expect("guest: ready")
            guest.process.send_signal(signal.SIGSEGV)
            self.assertEqual(guest.finish(), 1)
            self.assertIn("the Ultravisor refused one of its pages", guest.log())

    def test_an_image_for_another_host_is_refused_with_a_reason(self):
        image = self.seal(QUIET)
        key = image + ".key"
        other = lethe("check", "--accel", "emulated", "--host-key", key)
        self.assertEqual(other.returncode, 0, other.stderr)
        with Guest("--image", image, "--memory", "512M", "--host-key", key) as guest:
            self.assertNotEqual(guest.finish(), 0)
            self.assertRegex(guest.log(), r"sealed for another host.*rc 0x0108")

    def test_one_flipped_bit_anywhere_makes_the_start_fail(self):
        image = self.seal(QUIET)
        with open(image, "rb") as file:
            content = bytearray(file.read())
        header = content.index(b"IBMSecEx")
        header_size = int.from_bytes(content[header + 12:header + 16], "big")
        self.assertEqual(content[0xc000:0xc008], b"SeImgLnx")
        address_list = int.from_bytes(content[0xc014:0xc01c], "big")
        places = {"header": header + 60, "key slot": header + 420,
                  "encrypted area": header + header_size - 40, "tag": header + header_size - 1,
                  "component": header + 0x2000 + 12345,
                  "address list": address_list + 0x88 + 8 + 5}
        for place, offset in places.items():
            with self.subTest(place):
                content[offset] ^= 1
                bad = f"{image}.{place.replace(' ', '-')}"
                with open(bad, "wb") as file:
                    file.write(content)
                content[offset] ^= 1
                with Guest("--image", bad, "--memory", "512M") as guest:
                    self.assertNotEqual(guest.finish(), 0, f"{place} {guest.log()}")
                    self.assertRegex(guest.log(), r"rc 0x[0-9a-f]+")


class StormTest(GuestTestCase):
    ROUNDS = int(os.environ.get("LETHE_STORM_ROUNDS", "50"))

    def resources(self, pid):
        with open(f"/proc/{pid}/status") as file:
            status = file.read()
        return {"threads": int(re.search(r"Threads:\s+(\d+)", status)[1]),
                "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
                "resident": int(re.search(r"RssAnon:\s+(\d+)", status)[1])}

    def storm(self, rounds, cost, touch):
        """Reboots `rounds` times; the first guest fills `touch` MiB before. What happened."""
        image = self.seal(QUIET + " quiet")
        with Guest("--image", image, "--memory", "3G", "--destroy", "lazy", "--uvc-cost",
                   cost) as guest:
            early = None
            for count in range(rounds):
                guest.expect("guest: ready")
                if touch and count == 0:
                    guest.type(f"touch {touch}")
                    guest.expect("guest: touched")
                    guest.expect("guest: ready")
                if count == 5:
                    early = self.resources(guest.pid)
                guest.type("reboot")
            guest.expect("guest: ready")
            late = self.resources(guest.pid)
            guest.type("poweroff")
            self.assertEqual(guest.finish(), 0, guest.log())
            self.assertEqual(len(guest.events_named("protected")), rounds + 1)
            if early:
                self.assertLessEqual(late["threads"], early["threads"])
                self.assertLessEqual(late["descriptors"], early["descriptors"])
                self.assertLess(late["resident"], early["resident"] + 32 * 1024)
            return guest.events()

    def resets_while_cleaning(self, events):
        cleaning = resets = 0
        for event in events:
            cleaning += {"perform-begin": 1, "perform-end": -1}.get(event["event"], 0)
            resets += event["event"] == "reset-request" and cleaning > 0
        return resets

    def test_fifty_reboots_in_a_row_leave_nothing_behind(self):
        self.storm(self.ROUNDS, "0", 0)

    def test_resets_come_while_the_last_guest_is_being_cleaned(self):
        # Calls so slow that cleaning takes longer than the next guest's boot.
        events = self.storm(2, "100us", 500)
        self.assertGreater(self.resets_while_cleaning(events), 0)


if __name__ == "__main__":
    unittest.main()
