"""An unmodified s390x QEMU as client of the emulated KVM: each step that it takes is counted.

Needs what tools/qemu-client fetches and builds. The last line says how many steps passed."""

import gzip
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

from qemu import CACHE, LETHE, ROOT, Qemu

PROGRAMS = pathlib.Path(os.environ.get("LETHE_TEST_PROGRAMS", "build/tests"))
TEARDOWN_GUEST = PROGRAMS / "teardown_guest.bin"
CLIENT_GUEST = PROGRAMS / "client" / "client_guest.elf"
GUESTS = pathlib.Path(os.environ.get("LETHE_GUESTS", CACHE / "guests"))
PREPARE, PERFORM = 9, 10  # of KVM_S390_PV_COMMAND
SKIPPED = 77  # Meson's exit status
# Linux takes its time: an emulated CPU in an emulated process.
LINUX_PATIENCE = float(os.environ.get("LETHE_TEST_PATIENCE", "900"))


class Steps:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def passes(self, what):
        self.passed += 1
        print(f"ok: {what}", flush=True)

    def run(self, scenario, *arguments):
        """Of a scenario that fails, the steps before that count."""
        try:
            scenario(self, *arguments)
        except AssertionError as error:
            self.failed += 1
            print(f"FAILED: {scenario.__name__}: {error}", flush=True)


def start(steps):
    with Qemu("-S") as qemu:
        steps.passes("start-up to the first CPU, stopped")
        kvm = qemu.command("query-kvm")
        assert kvm == {"enabled": True, "present": True}, kvm
        steps.passes("query-kvm says enabled and present")
        cpus = qemu.command("query-cpus-fast")
        assert len(cpus) == 2, cpus
        steps.passes("two CPUs")
        model = qemu.command("query-cpu-model-expansion", type="full", model={"name": "host"})
        properties = model["model"]["props"]
        assert properties["unpack"], [name for name, on in properties.items() if on]
        steps.passes("CPU model of the host, with protection")
        qemu.command("quit")
        assert qemu.wait_for_end() == 0
        steps.passes("quit")


def console(steps):
    with Qemu("-kernel", PROGRAMS / "hello.elf", cpus=1) as qemu:
        qemu.expect("hello from an ELF program")
        steps.passes("a guest's output on the SCLP console")
        qemu.wait_for_event("SHUTDOWN")
        assert qemu.wait_for_end() == 0
        steps.passes("SIGP stop of the last CPU powers off")


def monitor(steps):
    with Qemu("-kernel", CLIENT_GUEST) as qemu:
        qemu.expect("started")
        steps.passes("an ELF guest starts")
        qemu.expect("second CPU runs")
        steps.passes("SIGP restart starts the second CPU")
        qemu.command("stop")
        assert qemu.command("query-status")["status"] == "paused"
        steps.passes("stop: both CPUs leave KVM_RUN, one busy and one waiting")
        qemu.command("cont")
        qemu.command("inject-nmi")
        qemu.expect("restart interruption")
        steps.passes("cont, and inject-nmi is a restart interruption")
        qemu.command("system_reset")
        qemu.wait_for_event("RESET")
        qemu.expect("started")
        qemu.expect("second CPU runs")
        steps.passes("system_reset: both CPUs start anew")
        registers = qemu.command("human-monitor-command", **{"command-line": "info registers"})
        assert "PSW=" in registers, registers
        steps.passes("registers of a running guest")
        qemu.command("quit")
        assert qemu.wait_for_end() == 0
        steps.passes("quit of a running guest")


def kernel_file(directory):
    """The benchmark's guest as a kernel's file, which is loaded from address 0 on."""
    path = pathlib.Path(directory) / "kernel"
    path.write_bytes(bytes(0x10000) + TEARDOWN_GUEST.read_bytes())
    return path


def conversation(steps, directory):
    with Qemu("-kernel", kernel_file(directory), cpus=1, memory="1G") as qemu:
        qemu.expect("memory 1024 MiB")
        qemu.expect("ready")
        steps.passes("SCP information and console input")
        qemu.type("t\n")
        qemu.expect("touched 1024 MiB")
        qemu.expect("ready")
        steps.passes("all memory is written")
        qemu.type("r\n")
        qemu.expect("memory 1024 MiB")
        qemu.expect("ready")
        steps.passes("DIAGNOSE 308 subcode 3: reboot")
        qemu.type("p\n")
        qemu.wait_for_event("SHUTDOWN")
        steps.passes("power-off")


def protected(steps, memory, size, directory):
    key = {**os.environ, "XDG_DATA_HOME": directory}
    image = pathlib.Path(directory) / "guest.pv"
    if not image.exists():
        subprocess.run([LETHE, "seal", "--kernel", kernel_file(directory), "--output", image],
                       env=key, check=True)
    with Qemu("-kernel", image, "-object", "s390-pv-guest,id=pv0", cpus=1, memory=memory,
              machine=",confidential-guest-support=pv0", data_home=directory) as qemu:
        version = qemu.command("query-version")["qemu"]
        can_destroy_lazily = (version["major"], version["minor"]) >= (8, 1)
        qemu.expect(f"memory {size} MiB")
        qemu.expect("ready")
        steps.passes(f"{memory}: SET_SEC_PARMS, UNPACK, VERIFY; a protected guest talks")
        qemu.type("r\n")
        qemu.expect(f"memory {size} MiB")
        qemu.expect("ready")
        steps.passes(f"{memory}: a protected guest reboots")
        qemu.command("stop")
        qemu.command("cont")
        qemu.type("x\n")
        qemu.expect("ready")
        steps.passes(f"{memory}: stop and cont of a protected guest")
        qemu.command("system_reset")
        qemu.expect("ready")
        steps.passes(f"{memory}: system_reset of a protected guest")
        qemu.type("p\n")
        qemu.wait_for_event("SHUTDOWN")
        assert qemu.wait_for_end() == 0
        steps.passes(f"{memory}: a protected guest powers off")
        assert "KVM_PV" not in qemu.log(), qemu.log()
        steps.passes(f"{memory}: no Ultravisor call was refused")
        commands = qemu.protection_commands()
        lazily = PREPARE in commands and PERFORM in commands
        assert lazily == (can_destroy_lazily and size > 2048), commands
        steps.passes(f"{memory}: the old guest was destroyed by "
                     + ("PREPARE and PERFORM" if lazily else "DISABLE"))


CHUNK = 4 << 20  # what Linux reads from the start of its disk, and writes behind it


def disk(directory):
    """A disk image, CHUNK random bytes at its start."""
    path = pathlib.Path(directory) / "disk"
    path.write_bytes(os.urandom(CHUNK) + bytes(2 * CHUNK))
    return path


def disk_options(path, **device):
    """With a thread of its own in QEMU: guest and thread meet by ioeventfd and irqfd alone."""
    options = "".join(f",{name}={value}" for name, value in device.items())
    return ["-object", "iothread,id=io0", "-drive", f"if=none,id=drive0,format=raw,file={path}",
            "-device", f"virtio-blk-ccw,drive=drive0,iothread=io0{options}"]


def initial_disk(directory):
    """The guests' initial RAM disk, and the driver behind it."""
    path = pathlib.Path(directory) / "initrd.gz"
    root = pathlib.Path(directory) / "root"
    root.mkdir(exist_ok=True)
    (root / "virtio_blk.ko").write_bytes((GUESTS / "linux-6.12-virtio_blk.ko").read_bytes())
    archive = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=root,
                             input=b"virtio_blk.ko\n", stdout=subprocess.PIPE, check=True)
    path.write_bytes((GUESTS / "initrd.gz").read_bytes() + gzip.compress(archive.stdout))
    return path


def use_disk(qemu, path, target):
    """Linux reads the first chunk right, and writes it to the chunk `target`, so far zeros."""
    image = path.read_bytes()
    logged = len(qemu.log())
    qemu.type("insmod /virtio_blk.ko\n")
    qemu.expect("guest: ready", LINUX_PATIENCE)
    qemu.type("dd if=/dev/vda bs=64k count=64 2>/dev/null | sha256sum\n")
    qemu.expect(hashlib.sha256(image[:CHUNK]).hexdigest(), LINUX_PATIENCE)
    qemu.type(f"dd if=/dev/vda of=/dev/vda bs=64k count=64 seek={64 * target} conv=fsync "
              "2>/dev/null\n")
    qemu.expect("guest: ready", LINUX_PATIENCE)  # of the command before
    qemu.expect("guest: ready", LINUX_PATIENCE)
    image = path.read_bytes()
    written = image[target * CHUNK:(target + 1) * CHUNK]
    assert written == image[:CHUNK], "the disk does not hold what was written"
    for request in ("KVM_IOEVENTFD: 0", "KVM_IRQFD: 0"):
        assert request in qemu.log()[logged:], f"no {request}"


def linux(steps, directory):
    image = disk(directory)
    with Qemu("-kernel", GUESTS / "linux-6.12", "-initrd", initial_disk(directory), "-append",
              "cryptomgr.notests=1 console=ttysclp0", *disk_options(image),
              memory="512M") as qemu:
        qemu.expect("Linux version", LINUX_PATIENCE)
        steps.passes("Debian's Linux starts")
        qemu.expect("guest: 2 CPUs", LINUX_PATIENCE)
        qemu.expect("guest: ready", LINUX_PATIENCE)
        steps.passes("Debian's Linux runs its first process on two CPUs")
        qemu.type("echo typed-$((40 + 2))\n")
        qemu.expect("typed-42", LINUX_PATIENCE)
        steps.passes("Linux takes what is typed")
        qemu.expect("guest: ready", LINUX_PATIENCE)
        use_disk(qemu, image, 1)
        steps.passes("Linux reads and writes a virtio disk by ioeventfd and irqfd")
        qemu.type("poweroff\n")
        qemu.wait_for_event("SHUTDOWN")
        assert qemu.wait_for_end() == 0
        steps.passes("Linux powers off")


def protected_linux(steps, directory):
    image = disk(directory)
    sealed = pathlib.Path(directory) / "linux.pv"
    subprocess.run([LETHE, "seal", "--kernel", GUESTS / "linux-6.12", "--initrd",
                    initial_disk(directory), "--append",
                    "cryptomgr.notests=1 console=ttysclp0 swiotlb=4096", "--output", sealed],
                   env={**os.environ, "XDG_DATA_HOME": directory}, check=True)
    with Qemu("-kernel", sealed, "-object", "s390-pv-guest,id=pv0",
              *disk_options(image, iommu_platform="on"), memory="512M",
              machine=",confidential-guest-support=pv0", data_home=directory) as qemu:
        for target, life in ((1, "starts"), (2, "reboots")):
            qemu.expect("guest: prot_virt_guest 1", LINUX_PATIENCE)
            qemu.expect("guest: 2 CPUs", LINUX_PATIENCE)
            qemu.expect("guest: ready", LINUX_PATIENCE)
            steps.passes(f"Debian's Linux {life} as a protected guest with two CPUs")
            use_disk(qemu, image, target)
            steps.passes("protected Linux shares what it reads from and writes to a virtio disk")
            qemu.type("reboot\n" if life == "starts" else "poweroff\n")
        qemu.wait_for_event("SHUTDOWN")
        assert qemu.wait_for_end() == 0
        steps.passes("protected Linux powers off")


def main():
    library = pathlib.Path(LETHE).parent.parent / "preload/s390x-linux-gnu/liblethe-kvm.so"
    if not (ROOT / "usr/bin/qemu-system-s390x").exists() or not library.exists():
        print("skipped: no s390x QEMU here, or no liblethe-kvm.so for it (tools/qemu-client)")
        return SKIPPED
    steps = Steps()
    steps.run(start)
    steps.run(console)
    steps.run(monitor)
    with tempfile.TemporaryDirectory() as directory:
        steps.run(conversation, directory)
        steps.run(protected, "1G", 1024, directory)
        # Above 2 GiB QEMU destroys the old guest in the background, since version 8.1.
        steps.run(protected, "3G", 3072, directory)
        if (GUESTS / "linux-6.12-virtio_blk.ko").exists():
            steps.run(linux, directory)
            steps.run(protected_linux, directory)
    print(f"QEMU as client: {steps.passed} steps passed, {steps.failed} failed")
    return 1 if steps.failed else 0


if __name__ == "__main__":
    sys.exit(main())
