#!/usr/bin/env python3
"""Checks the instruction tables against another opinion: the disassembler of GNU binutils.

Each row {opcode, "MNEMONIC", Format::k..., facility, handler} in the sources of a folder is
encoded with its format; the disassembler must give the row's mnemonic back (or an extended form of it).

usage: instruction_table_check.py OBJDUMP FOLDER
"""

import pathlib
import re
import subprocess
import sys
import tempfile

ROW = re.compile(r'\{\s*0x([0-9a-f]+),\s*"([A-Z0-9]+)",\s*Format::k(\w+),')

# Bytes behind the opcode's first part; "o" stands for the opcode's last nibble or byte. Fields that
# the disassembler wants to be zero differ between instructions of one format: all variants are
# tried.
VARIANTS = {
    'E': ['oo'], 'I': ['24'],
    'RR': ['24', '20', '26'], 'RR_c': ['24'],
    'RRE': ['oo0024', 'oo0020', 'oo0004', 'oo0026', 'oo0000'],
    'RRD': ['oo1024', 'oo2046'],
    'RRF_a': ['oo2024', 'oo2046', 'oo2146'], 'RRF_b': ['oo2024', 'oo2046', 'oo2146'],
    'RRF_c': ['oo2024', 'oo0024', 'oo1024'], 'RRF_d': ['oo0124', 'oo0024'],
    'RRF_e': ['oo1024', 'oo1124', 'oo1045'],
    'RX_a': ['24300c'], 'RX_b': ['24300c'],
    'RS_a': ['24300c', '20300c', '26300c'], 'RS_b': ['24300c'], 'RSI': ['240004'],
    'SI': ['24300c', '04300c'], 'S': ['oo300c', 'oo0000', '00300c'], 'IE': ['oo0024', 'oo0012'],
    'RI_a': ['2o0004'], 'RI_b': ['2o0004'], 'RI_c': ['2o0004'],
    'RIL_a': ['2o00000004'], 'RIL_b': ['2o00000004'], 'RIL_c': ['2o00000004'],
    'SSF': ['2o300c4010'], 'SMI': ['20300c0004'], 'MII': ['2010000004'],
    'SIL': ['oo300c0004'], 'SSE': ['oo300c4010'],
    'SS_a': ['13300c4010'], 'SS_b': ['13300c4010'], 'SS_c': ['13300c4010'],
    'SS_d': ['24300c4010'], 'SS_e': ['24300c4010'], 'SS_f': ['13300c4010'],
    'RIE_a': ['20000420oo', '22000400oo'], 'RIE_b': ['24000420oo'], 'RIE_c': ['22000405oo'],
    'RIE_d': ['24000400oo'], 'RIE_e': ['24000400oo'], 'RIE_f': ['24030709oo'],
    'RIE_g': ['22000400oo'], 'RIS': ['22300c05oo'], 'RRS': ['24300c20oo'],
    'RSL': ['20300c00oo', '20300c02oo'], 'RXE': ['24300c00oo', '24300c20oo'],
    'RXF': ['24300c10oo', '24300c20oo'],
    'RXY_a': ['24300c00oo'], 'RXY_b': ['24300c00oo'], 'RSY_a': ['24300c00oo'],
    'RSY_b': ['22300c00oo', '24300c00oo'], 'SIY': ['24300c00oo'],
}
# A condition takes the place of the mnemonic's end.
EXTENDED = {'BC': 'b', 'BCR': 'b', 'BRC': 'j', 'BRCL': 'j'}
# Published elsewhere than in the Principles of Operation, and unknown to the disassembler.
UNLISTED = {'CHSC', 'SERVC', 'STHYI', 'UVC'}


def encodings(opcode, form):
  """All byte strings to try for an opcode, which is given as hexadecimal digits."""
  width = {1: 2, 2: 2, 3: 3, 4: 4}[len(opcode)]
  opcode = opcode.zfill(width)
  for variant in VARIANTS[form]:
    rest = variant.replace('oo', opcode[2:4]).replace('o', opcode[2:3])
    yield bytes.fromhex(opcode[:2] + rest)


def disassemble(objdump, texts):
  """The mnemonic that the disassembler finds in each of the byte strings."""
  with tempfile.NamedTemporaryFile() as file:
    file.write(b''.join(text.ljust(8, b'\x07') for text in texts))
    file.flush()
    listing = subprocess.run(
        [objdump, '-b', 'binary', '-m', 's390:64-bit', '-D', '-z', file.name],
        check=True, capture_output=True, text=True).stdout
  found = {}
  for line in listing.splitlines():
    match = re.match(r'\s*([0-9a-f]+):\t[^\t]*\t(\S+)', line)
    if match:
      found[int(match[1], 16)] = match[2]
  return [found.get(8 * i, '?') for i in range(len(texts))]


def main():
  objdump, folder = sys.argv[1:]
  sources = [path for path in sorted(pathlib.Path(folder).glob('*.cc'))
             if not path.name.endswith('_test.cc')]
  rows = []
  for source in sources:
    with open(source, encoding='utf-8') as file:
      rows += [(source, *row) for row in ROW.findall(file.read())]
  texts, owners = [], []
  for row in rows:
    for text in encodings(row[1], row[3]):
      texts.append(text)
      owners.append(row)
  confirmed, seen = set(), {}
  for row, mnemonic in zip(owners, disassemble(objdump, texts)):
    seen.setdefault(row, []).append(mnemonic)
    expected = '.long' if row[2] in UNLISTED else EXTENDED.get(row[2], row[2].lower())
    if mnemonic.startswith(expected):
      confirmed.add(row)
  wrong = [row for row in rows if row not in confirmed]
  for row in wrong:
    print(f'{row[0].name}: {row[2]} 0x{row[1]} ({row[3]}): disassembled as {seen[row]}')
  opcodes = {}
  for row in rows:
    if row[1] in opcodes:
      wrong.append(row)
      print(f'0x{row[1]} is {row[2]} and {opcodes[row[1]]}')
    opcodes[row[1]] = row[2]
  print(f'{len(rows)} rows, {len(wrong)} wrong')
  sys.exit(1 if wrong or not rows else 0)


if __name__ == '__main__':
  main()
