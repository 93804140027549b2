#!/usr/bin/env python3
"""Writes a C++ source with the content of binary files: embed.py OUT HEADER NAME FILE [NAME FILE]..."""

import sys


def main():
    out, header, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
    with open(out, "w", encoding="ascii") as source:
        source.write(f'#include "{header}"\n\nnamespace lethe {{\nnamespace {{\n\n')
        names = list(zip(rest[::2], rest[1::2]))
        for name, path in names:
            with open(path, "rb") as binary:
                content = binary.read()
            source.write(f"constexpr std::uint8_t k{name}[] = {{\n")
            for i in range(0, len(content), 16):
                source.write("    " + " ".join(f"{b:#04x}," for b in content[i : i + 16]) + "\n")
            source.write("};\n\n")
        source.write("}  // namespace\n\n")
        for name, _ in names:
            source.write(f"absl::Span<const std::uint8_t> {name}() {{ return k{name}; }}\n")
        source.write("\n}  // namespace lethe\n")


main()
