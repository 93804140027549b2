// TRACE and TRACG: explicit entries of the trace table. (Implicit ones, of branches and of changes
// of the address space, are not made.)

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "base/big_endian.h"
#include "emulated-host/cpu/control_authority.h"
#include "emulated-host/cpu/control_tables.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/cpu_group.h"

namespace lethe::emulated {
namespace {

constexpr std::size_t kMostBytes = 16 + 16 * 8;
constexpr std::uint64_t kNextEntry = 0x3fff'ffff'ffff'fffc;  // of CR 12: a real address

// The place of the next entry. Entries do not reach the end of a 4 KiB block, however short this
// one may be.
std::uint64_t EntryAddress(Cpu& cpu, std::size_t most_bytes) {
  constexpr std::uint64_t kProtectedBytes = 512;
  const std::uint64_t real = cpu.cr(12) & kNextEntry;
  const bool is_low = real < 2 * kPageSize && real % kPageSize < kProtectedBytes;
  if (is_low && (cpu.cr(0) & kLowAddressProtection) != 0) {
    throw ProgramInterruption{.code = ProgramCode::kProtection,
                              .translation_exception = real & kPageMask};
  }
  cpu.AccessibleFrame(cpu.AbsoluteOf(real));  // addressing exception if there is none
  if (real % kPageSize + most_bytes >= kPageSize) cpu.Interrupt(ProgramCode::kTraceTable);
  return real;
}

// T: the width of the registers, which goes with that of the clock.
template <typename T>
void Trace(Cpu& cpu, const Op& op) {
  constexpr std::uint64_t kExplicitTracing = 1;
  constexpr std::uint32_t kNoTracing = 0x8000'0000;
  constexpr bool kLong = sizeof(T) == 8;
  constexpr std::size_t kHeader = kLong ? 16 : 12;
  const LogicalAddress operand = cpu.Operand2(op);
  cpu.SpecificationUnless(operand.address % 4 == 0);
  if ((cpu.cr(12) & kExplicitTracing) == 0) return;
  const auto word = cpu.Load<std::uint32_t>(operand);
  if ((word & kNoTracing) != 0) return;
  const std::uint64_t real = EntryAddress(cpu, kHeader + 16 * sizeof(T));

  const std::size_t count = ((op.r3 - op.r1) & 15u) + 1;
  const std::uint64_t clock = cpu.group().UniqueTod(cpu);
  std::array<std::uint8_t, kMostBytes> entry{};
  if (kLong) {
    StoreBigEndian<std::uint64_t>(&entry[2], clock);
  } else {
    StoreBigEndian<std::uint64_t>(&entry[0], clock);  // its leftmost 16 bits make room
  }
  entry[0] = static_cast<std::uint8_t>(0x70 | (count - 1));
  entry[1] = kLong ? 0x80 : 0;
  StoreBigEndian<std::uint32_t>(&entry[kHeader - 4], word);
  for (std::size_t i = 0; i < count; ++i) {
    const int number = static_cast<int>((op.r1 + i) & 15);
    StoreBigEndian<T>(&entry[kHeader + i * sizeof(T)], static_cast<T>(cpu.gr(number)));
  }
  const std::size_t size = kHeader + count * sizeof(T);
  if (!cpu.WriteReal(real, absl::MakeConstSpan(entry).first(size))) {
    cpu.Interrupt(ProgramCode::kAddressing);
  }
  cpu.SetControl(12, (cpu.cr(12) & ~kNextEntry) | ((real + size) & kNextEntry));
}

constexpr Instruction kInstructions[] = {
    {0x99, "TRACE", Format::kRS_a, kBase, Privileged<&Trace<std::uint32_t>>},
    {0xeb0f, "TRACG", Format::kRSY_a, kBase, Privileged<&Trace<std::uint64_t>>},
};

}  // namespace

absl::Span<const Instruction> TraceInstructions() { return kInstructions; }

}  // namespace lethe::emulated
