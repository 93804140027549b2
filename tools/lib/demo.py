"""The demo behind tools/demo."""

import json
import os
import re
import subprocess
import sys
import tempfile


def step(title):
    print(f"\n== {title}", flush=True)


def prepare():
    """Installs, builds, fetches; the directory of the guest kernels."""
    step("Building Lethe and fetching Debian's s390x kernel")
    subprocess.run(["tools/setup", "build"], check=True)
    subprocess.run(["tools/build"], check=True)
    return subprocess.run(["tools/guests"], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.strip()


def seal(guests, directory):
    step("Sealing kernel, initial RAM disk and command line for this user's host key")
    image = os.path.join(directory, "guest.pv")
    command = ["build/cli/lethe", "seal", "--kernel", f"{guests}/linux-6.12", "--initrd",
               f"{guests}/initrd.gz", "--append", "cryptomgr.notests=1", "--output", image]
    print("$", " ".join(command), flush=True)
    subprocess.run(command, check=True)
    return image


def console_lines(process, show):
    """The guest's console, line by line, printed as it comes."""
    pending = ""
    while True:
        data = os.read(process.stdout.fileno(), 65536)
        if not data:
            return
        if show:
            sys.stdout.write(data.decode(errors="replace"))
            sys.stdout.flush()
        pending += data.decode(errors="replace").replace("\r", "")
        *lines, pending = pending.split("\n")
        yield from lines


def run(image, directory, memory, destroy, cost, touch, show):
    """One guest that fills memory, reboots itself once and powers off; its events."""
    events = os.path.join(directory, f"events-{destroy}")
    command = ["build/cli/lethe", "run", "--image", image, "--memory", memory, "--cpus", "2",
               "--destroy", destroy, "--uvc-cost", cost, "--accel", "emulated", "--events", events]
    print("$", " ".join(command), flush=True)
    log = None if show else subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    orders = iter([f"touch {touch}", "reboot", "poweroff"])
    for line in console_lines(process, show):
        if line.strip() == "guest: ready":
            process.stdin.write(next(orders).encode() + b"\n")
            process.stdin.flush()
    process.stdin.close()
    status = process.wait()
    if status != 0:
        sys.exit(f"demo: the guest ended with status {status}")
    with open(events) as file:
        return [json.loads(line) for line in file]


def at(events, name, which=0):
    return [event for event in events if event["event"] == name][which]


def seconds(nanoseconds):
    return f"{nanoseconds / 1e9:.2f} s" if nanoseconds >= 1e9 else f"{nanoseconds / 1e6:.1f} ms"


def pause(events):
    """From the guest's request to reboot until its new first instruction."""
    return at(events, "guest-restarted")["monotonic_ns"] - at(events, "reset-request")["monotonic_ns"]


def table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))


def mebibytes(memory):
    match = re.fullmatch(r"(\d+)([GM])", memory)
    if not match or int(match[1]) == 0:
        sys.exit(f"demo: '{memory}' is not a memory size; write for example 4G")
    size = int(match[1]) * (1024 if match[2] == "G" else 1)
    if size <= 2048:
        sys.exit(f"demo: lazy destroy needs a guest of more than 2G; {memory} is too small")
    return size


def main(memory):
    size = mebibytes(memory)
    touch = size * 3 // 4
    guests = prepare()
    with tempfile.TemporaryDirectory() as directory:
        image = seal(guests, directory)
        step(f"A protected guest of {memory}: boots, fills {touch} MiB, reboots itself, powers off")
        lazy = run(image, directory, memory, "lazy", "1us", touch, True)
        step("The same with synchronous destroy, to compare")
        sync = run(image, directory, memory, "sync", "1us", touch, False)

    perform = at(lazy, "perform-end")
    step("What lazy destroy saves (emulated host, 1 us per Ultravisor call)")
    start = at(lazy, "process-start")["monotonic_ns"]
    table([
        ["", "lazy", "synchronous"],
        ["first instruction after", seconds(at(lazy, "first-instruction")["monotonic_ns"] - start),
         seconds(at(sync, "first-instruction")["monotonic_ns"] - at(sync, "process-start")["monotonic_ns"])],
        ["first output after", seconds(at(lazy, "first-output")["monotonic_ns"] - start),
         seconds(at(sync, "first-output")["monotonic_ns"] - at(sync, "process-start")["monotonic_ns"])],
        ["reboot pause", seconds(pause(lazy)), seconds(pause(sync))],
        ["cleaned in the background", f"{perform['pages']} pages in {seconds(perform['duration_ns'])}",
         "nothing"],
    ])
    print(f"\nThe reboot pause is {pause(sync) / pause(lazy):.1f} times shorter.")


if __name__ == "__main__":
    main(sys.argv[1])
