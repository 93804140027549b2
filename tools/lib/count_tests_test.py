"""What tools/lib/count-tests makes of programs that end in different ways."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

COUNT = pathlib.Path(__file__).with_name("count-tests")
STATED = "conformance emulated: 9 statements, %s not on this host\n"


def count(*results):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as log:
        for result, output in results:
            print(json.dumps({"result": result, "stdout": output}), file=log)
        log.flush()
        return subprocess.run([sys.executable, COUNT, log.name], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.strip()


class CountTests(unittest.TestCase):
    def test_statements_are_counted_by_the_program(self):
        self.assertEqual(count(("OK", STATED % "7 agree, 0 differ, 2")), "7 passed, 0 failed, 2 skipped")
        self.assertEqual(count(("FAIL", STATED % "6 agree, 1 differ, 2")), "6 passed, 1 failed, 2 skipped")

    def test_argued_differences_are_not_tried(self):
        self.assertEqual(count(("OK", (STATED % "6 agree, 0 differ, 2").replace("\n", ", 1 argued\n"))),
                         "6 passed, 0 failed, 3 skipped")

    def test_a_crash_after_the_last_line_is_a_failure(self):
        self.assertEqual(count(("FAIL", STATED % "9 agree, 0 differ, 0")), "9 passed, 1 failed")
        self.assertEqual(count(("FAIL", "[  PASSED  ] 5 tests.\n")), "5 passed, 1 failed")
        self.assertEqual(count(("FAIL", "Ran 4 tests in 1s\n\nOK\n")), "3 passed, 1 failed")

    def test_cases_of_one_program_are_counted(self):
        self.assertEqual(count(("OK", "[  PASSED  ] 5 tests.\n[  SKIPPED ] 2 tests, listed below:\n"),
                               ("OK", "Ran 3 tests in 1s\n\nOK\n"), ("SKIP", "")),
                         "8 passed, 0 failed, 3 skipped")


if __name__ == "__main__":
    unittest.main()
