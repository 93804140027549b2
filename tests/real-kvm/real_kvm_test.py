"""Every statement of tests/conformance holds on a real Linux KVM, too.

Prints for each kernel: real KVM 6.12: N statements, N agree, N differ, N not on this host[, N argued]
and, of what differs, everything. Argued: this kernel does otherwise, with the reason below.
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import real_kvm  # noqa: E402

PROGRAM = real_kvm.BUILD / "tests/conformance/conformance"
LAST_LINE = re.compile(r"^conformance linux: (\d+) statements, (\d+) agree, (\d+) differ, (\d+) not on this host"
                       r"(?:, (\d+) argued)?$", re.M)
DIFFERS = re.compile(r"^differs (\S+)", re.M)

# What the emulator of the machine keeps Linux from doing; docs/real-kvm.md tells more of it.
NOT_ON_THIS_MACHINE = {
    "CpuModel.TheGuestHasTheProcessorsFacilities": "STFLE of a guest stores the host's list",
    "DirtyLog.ShowsWhereTheGuestStored": "a store that faults looks like a fetch: neighbours are mapped, too",
}
# Where an older kernel does otherwise than the one that the statements follow; docs/real-kvm.md. Each
# of these must differ there.
COMPARE_EXCHANGE = "no compare and exchange before 6.3"
SECOND_SLOTS = "no second form of memory slots before 6.8"
ULTRAVISOR_FEATURES = "no attributes for Ultravisor features before 6.7"
STEPS = "steps do not end in interruptions before 6.6"
EVENTS = "of a service event both low bits are delivered"
OTHERWISE_ON = {
    "6.1": {
        "Capability.MemoryOperationsKnowKeysAbsoluteStorageAndCompareAndExchange": COMPARE_EXCHANGE,
        "Capability.WhatAllKernelsForThisArchitectureOffer": SECOND_SLOTS,
        "MemorySlot.TheSecondFormDoesTheSame": SECOND_SLOTS,
        "MemorySlot.TheSecondFormHasNoMemoryDescriptorsHere": SECOND_SLOTS,
        "VirtualMachine.StructuresThatCannotBeReadAreFaults": SECOND_SLOTS,
        "VirtualMachine.CpuAddressesEndAtTheLargestOneAnnounced": "only 32 bits of a CPU address are looked at",
        "CpuModel.HasItsAttributes": ULTRAVISOR_FEATURES,
        "CpuModel.IsAFaultWhereItCannotBeReadOrWritten": ULTRAVISOR_FEATURES,
        "CpuModel.UltravisorFeaturesAreASubsetOfTheHosts": ULTRAVISOR_FEATURES,
        "CpuModel.UltravisorFeaturesAreSettledByTheFirstCpu": ULTRAVISOR_FEATURES,
        "Delivery.ServiceEventAlone": EVENTS,
        "Delivery.ServiceEventsComeFirstAndAlone": EVENTS,
        "Flic.TheGuestTakesServiceEventsBeforeTheServiceCall": EVENTS,
        "GuestDebug.AnInterruptionThatIsTakenIsAStep": STEPS,
        "GuestDebug.AStepEndsInTheProgramInterruptionThatItMeets": STEPS,
        "GuestDebug.AStepOverAnOperationExceptionEndsInIt": STEPS,
        "GuestDebug.AStepOverWhatTheUserInterruptsEndsInTheInterruption": STEPS,
    },
}


@real_kvm.wanted
class Statements(unittest.TestCase):
    def agree_on(self, kernel):
        done = real_kvm.run("--kernel", kernel, "--", PROGRAM, "--kernel=linux", "--patience=300",
                            "--gtest_filter=-" + ":".join(NOT_ON_THIS_MACHINE))
        real_kvm.keep(kernel, done.stdout + done.stderr)
        summary = LAST_LINE.search(done.stdout)
        if not summary:
            print(f"real KVM {kernel}: did not finish", flush=True)
            self.fail("\n".join([*done.stdout.splitlines()[-5:], *done.stderr.splitlines()[-5:]]))
        statements, agree, _, absent, argued = (int(number or 0) for number in summary.groups())
        left_out = sum(map(is_stated, NOT_ON_THIS_MACHINE))
        differ = set(DIFFERS.findall(done.stdout))
        otherwise = set(OTHERWISE_ON.get(kernel, {}))
        argued += len(differ & otherwise)
        print(f"real KVM {kernel}: {statements + left_out} statements, {agree} agree, "
              f"{len(differ - otherwise)} differ, {absent + left_out} not on this host"
              + (f", {argued} argued" if argued else ""), flush=True)
        self.assertGreater(agree, 0)
        self.assertEqual(differ - otherwise, set(), "\n" + "\n".join(differences(done.stdout)))
        self.assertEqual(otherwise - differ, set(), f"Linux {kernel} does as the statements say")

    def test_hold(self):
        for kernel in real_kvm.KERNELS:
            with self.subTest(kernel=kernel):
                self.agree_on(kernel)


def is_stated(name):
    """Whether the program has that statement."""
    statement = re.compile(rf"\({name.replace('.', ', ')}\)")
    return any(statement.search(source.read_text())
               for source in (real_kvm.ROOT / "tests/conformance").glob("*_test.cc"))


def differences(output):
    """The lines about statements that do not hold, with their continuations."""
    told = False
    for line in output.splitlines():
        told = line.startswith("differs") or (told and line.startswith("  "))
        if told:
            yield line


if __name__ == "__main__":
    unittest.main()
