"""The benchmark `lethe bench teardown`: what it writes has the shape it promises. No times."""

import json
import os
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as xml

LETHE = os.environ["LETHE"]
MEMORY = 64 << 20


def bench(*arguments, timeout=240):
    return subprocess.run([LETHE, "bench", "teardown", *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=timeout, check=False)


class TeardownBench(unittest.TestCase):
    def test_small_guests(self):
        with tempfile.TemporaryDirectory() as directory:
            result_file = os.path.join(directory, "result.json")
            picture_file = os.path.join(directory, "picture.svg")
            ended = bench("--sizes", "64M", "--costs", "0,100ns", "--rounds", "2", "--qemu", "off",
                          "--json", result_file, "--svg", picture_file)
            self.assertEqual(ended.returncode, 0, ended.stderr)
            with open(result_file, encoding="utf-8") as file:
                result = json.load(file)
            picture = xml.parse(picture_file).getroot()
        self.check_rows(result)
        self.check_picture(picture)
        self.assertIn("64 MiB", ended.stdout)
        self.assertIn("plain munmap", ended.stdout)

    def check_rows(self, result):
        self.assertCountEqual([(row["vmm"], row["mode"], row["memory_bytes"], row["uvc_cost_ns"])
                               for row in result["rows"]],
                              [("lethe", mode, MEMORY, cost)
                               for mode in ("lazy", "sync") for cost in (0, 100)])
        for row in result["rows"]:
            self.assertEqual(len(row["rounds"]), 2)
            for measured in row["rounds"]:
                self.check_round(row["mode"], measured)
        self.assertEqual([plain["memory_bytes"] for plain in result["plain_release"]], [MEMORY])
        self.assertEqual(len(result["plain_release"][0]["seconds"]), 2)

    def check_round(self, mode, measured):
        reboot = measured["reboot"]
        # A guest as small as this may be destroyed at once all the same.
        self.assertIn(reboot["command"], ("prepare", "disable") if mode == "lazy" else ("disable",))
        self.assertEqual("clean_end_s" in reboot, reboot["command"] == "prepare")
        self.assertGreaterEqual(reboot["progress_bytes"][-1][1], MEMORY)
        seconds = [point[0] for point in reboot["progress_bytes"]]
        self.assertEqual(seconds, sorted(seconds))
        self.assertGreaterEqual(measured["shutdown"]["released_s"],
                                measured["shutdown"]["exit_s"])
        self.assertTrue(measured["shutdown"]["owed_bytes"])

    def check_picture(self, picture):
        self.assertEqual(picture.tag, "{http://www.w3.org/2000/svg}svg")
        words = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
        for title in ("Reboot", "Power-off", "Memory owed after a power-off",
                      "The new guest's work after a reboot"):
            self.assertIn(title, words)
        for element in picture.iter():
            for value in element.attrib.values():
                self.assertNotRegex(value, r"\b(nan|inf)\b")

    def test_wrong_input_is_one_clear_line(self):
        for arguments in (("--sizes", "1K"), ("--sizes", "4G,"), ("--modes", "eager"),
                          ("--costs", "soon"), ("--rounds", "0"),
                          ("--json", "/nonexistent/result.json"),
                          ("--sizes", "64M", "--program", "/nonexistent/lethe")):
            with self.subTest(arguments=arguments):
                ended = bench(*arguments, timeout=60)
                self.assertNotEqual(ended.returncode, 0)
                lines = [line for line in ended.stderr.splitlines()
                         if not line.startswith("lethe: measuring: ")]
                self.assertEqual(len(lines), 1, ended.stderr)
                self.assertEqual(ended.stdout, "")


if __name__ == "__main__":
    unittest.main()
