"""The code that runs in the reaper's helper calls nothing outside itself.

  helper_symbols_test.py NM LIBRARY

Fails if an object of LIBRARY needs a symbol that no other object of it defines, or has a weak one (an
inline function, of which the linker could take somebody else's, instrumented, copy), or thread-local
or writable data.
"""

import subprocess
import sys


def main():
    nm, library = sys.argv[1:]
    listing = subprocess.run([nm, "--format=posix", library], check=True, capture_output=True, text=True)
    defined, wanted, wrong = set(), set(), set()
    for line in listing.stdout.splitlines():
        fields = line.split()
        if len(fields) < 2 or line.endswith(":"):
            continue
        name, kind = fields[0], fields[1]
        if kind == "U":
            wanted.add(name)
        elif kind in "Tt":
            defined.add(name)
        elif kind not in "Rr":
            wrong.add(f"{name} ({kind})")
    wrong |= {f"{name} (undefined)" for name in wanted - defined - {"_GLOBAL_OFFSET_TABLE_"}}
    if not defined:
        sys.exit(f"{library}: no symbols found")
    if wrong:
        sys.exit(f"{library}: not allowed in the helper: " + ", ".join(sorted(wrong)))


if __name__ == "__main__":
    main()
