// Control instructions on storage keys, and TEST BLOCK.

#include <array>
#include <atomic>
#include <cstdint>

#include "emulated-host/cpu/control_authority.h"
#include "emulated-host/cpu/control_tables.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/cpu_group.h"

namespace lethe::emulated {
namespace {

// Bits of a storage key as it stands in the rightmost byte of a register.
constexpr std::uint8_t kAccessControl = 0xf0;
constexpr std::uint8_t kFetchProtection = 0x08;
constexpr std::uint8_t kReferenced = 0x04;
constexpr std::uint8_t kChanged = 0x02;
constexpr std::uint8_t kKeyBits = 0xfe;

// The key of the 4 KiB block at the real address in R2.
std::atomic<std::uint8_t>& KeyOfRealBlock(Cpu& cpu, const Op& op) {
  return cpu.StorageKey(cpu.AbsoluteOf(cpu.WrapAddress(cpu.gr(op.r2))));
}

void SetStorageKey(Cpu& cpu, const Op& op) {
  // Without facility 10 and 14, M3 is ignored: the key is set without conditions.
  std::atomic<std::uint8_t>& key = KeyOfRealBlock(cpu, op);
  const auto wanted = static_cast<std::uint8_t>(cpu.gr(op.r1) & kKeyBits);
  std::uint8_t before = key;
  while (!key.compare_exchange_weak(before, (before & kLoggedStore) | wanted)) {
  }
  if ((before & kKeyBits) != wanted) cpu.group().PurgeAll(cpu);
}

void InsertStorageKey(Cpu& cpu, const Op& op) {
  const std::uint8_t key = KeyOfRealBlock(cpu, op).load() & kKeyBits;
  cpu.gr(op.r1) = (cpu.gr(op.r1) & ~std::uint64_t{0xff}) | key;
}

void ResetReferenceBit(Cpu& cpu, const Op& op) {
  const std::uint8_t before =
      KeyOfRealBlock(cpu, op).fetch_and(static_cast<std::uint8_t>(~kReferenced));
  // CPUs set the bit when they take the page into their translation buffers.
  if ((before & kReferenced) != 0) cpu.group().PurgeAll(cpu);
  cpu.SetCc(((before & kReferenced) != 0 ? 2 : 0) + ((before & kChanged) != 0 ? 1 : 0));
}

void InsertVirtualStorageKey(Cpu& cpu, const Op& op) {
  SpecialOperationUnless(cpu, DatIsOn(cpu));
  RequireExtractionAuthority(cpu);
  const LogicalAddress block = cpu.AddressInRegister(op.r2);
  const AddressSpace space = CurrentSpace(cpu);
  const Translation translation =
      cpu.Translate(block.address, cpu.AsceOf(space, block.base), space, block.base);
  if (translation.exception.code != ProgramCode::kNone) throw translation.exception;
  const std::uint8_t key =
      cpu.StorageKey(translation.absolute).load() & (kAccessControl | kFetchProtection);
  cpu.gr(op.r1) = (cpu.gr(op.r1) & ~std::uint64_t{0xff}) | key;
}

void TestBlock(Cpu& cpu, const Op& op) {
  static constexpr std::array<std::uint8_t, kPageSize> kZeros{};
  const std::uint64_t real = cpu.WrapAddress(cpu.gr(op.r2)) & kPageMask;
  // Low-address protection holds for the whole block: the first two blocks contain such bytes.
  if ((cpu.cr(0) & kLowAddressProtection) != 0 && real < 2 * kPageSize) {
    throw ProgramInterruption{.code = ProgramCode::kProtection, .translation_exception = real};
  }
  if (!cpu.WriteReal(real, kZeros)) cpu.Interrupt(ProgramCode::kAddressing);
  cpu.gr(0) = 0;
  cpu.SetCc(0);
}

constexpr Instruction kInstructions[] = {
    {0xb223, "IVSK", Format::kRRE, kBase, Straight<&InsertVirtualStorageKey>},
    {0xb229, "ISKE", Format::kRRE, kBase, Privileged<&InsertStorageKey>},
    {0xb22a, "RRBE", Format::kRRE, kBase, Privileged<&ResetReferenceBit>},
    {0xb22b, "SSKE", Format::kRRF_c, kBase, Privileged<&SetStorageKey>},
    {0xb22c, "TB", Format::kRRE, kBase, Privileged<&TestBlock>},
};

}  // namespace

absl::Span<const Instruction> StorageKeyInstructions() { return kInstructions; }

}  // namespace lethe::emulated
