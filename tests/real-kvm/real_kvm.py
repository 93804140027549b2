"""Runs tools/real-kvm for the tests of this directory.

They need minutes and the packages of `tools/setup prove`, so most of them run only with LETHE_REAL_KVM=1.
LETHE_S390X names the s390x build (tools/cross); LETHE_REAL_KVM_KERNELS the kernels, default both;
LETHE_REAL_KVM_RESULTS a directory where all that was printed is kept.
"""

import os
import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TOOL = str(ROOT / "tools/real-kvm")
BUILD = pathlib.Path(os.environ.get("LETHE_S390X", ROOT / "build-s390x"))
KERNELS = os.environ.get("LETHE_REAL_KVM_KERNELS", "6.12 6.1").split()

wanted = unittest.skipUnless(os.environ.get("LETHE_REAL_KVM") == "1", "needs minutes: set LETHE_REAL_KVM=1")


def run(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def keep(name, text):
    directory = os.environ.get("LETHE_REAL_KVM_RESULTS")
    if directory:
        pathlib.Path(directory, f"{name}.txt").write_text(text)
