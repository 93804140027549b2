// Control instructions on control registers, the prefix and real storage.

#include <array>
#include <cstdint>

#include "base/big_endian.h"
#include "emulated-host/cpu/control_tables.h"
#include "emulated-host/cpu/cpu.h"

namespace lethe::emulated {
namespace {

// Control registers R1 to R3, wrapping from 15 to 0.
int RegisterCount(const Op& op) { return ((op.r3 - op.r1) & 15) + 1; }

template <typename T>
const Op* LoadControl(Cpu& cpu, const Op& op) {
  const LogicalAddress operand = cpu.Operand2(op);
  cpu.SpecificationUnless(operand.address % sizeof(T) == 0);
  const int count = RegisterCount(op);
  std::array<std::uint8_t, 16 * sizeof(T)> bytes;
  cpu.LoadBytes(operand, absl::MakeSpan(bytes).first(count * sizeof(T)));
  for (int i = 0; i < count; ++i) {
    const int number = (op.r1 + i) & 15;
    const std::uint64_t value = LoadBigEndian<T>(bytes.data() + i * sizeof(T));
    const std::uint64_t kept = sizeof(T) == 8 ? 0 : cpu.cr(number) & ~std::uint64_t{0xffff'ffff};
    cpu.SetControl(number, kept | value);
  }
  return cpu.Resume(cpu.NextAddress(op));
}

template <typename T>
void StoreControl(Cpu& cpu, const Op& op) {
  const LogicalAddress operand = cpu.Operand2(op);
  cpu.SpecificationUnless(operand.address % sizeof(T) == 0);
  const int count = RegisterCount(op);
  std::array<std::uint8_t, 16 * sizeof(T)> bytes;
  for (int i = 0; i < count; ++i) {
    StoreBigEndian(bytes.data() + i * sizeof(T), static_cast<T>(cpu.cr((op.r1 + i) & 15)));
  }
  cpu.StoreBytes(operand, absl::MakeConstSpan(bytes).first(count * sizeof(T)));
}

const Op* SetPrefix(Cpu& cpu, const Op& op) {
  const LogicalAddress operand = cpu.Operand2(op);
  cpu.SpecificationUnless(operand.address % 4 == 0);
  constexpr std::uint32_t kPrefixBits = 0x7fff'e000;
  const std::uint32_t prefix = cpu.Load<std::uint32_t>(operand) & kPrefixBits;
  cpu.StorageKey(prefix);  // addressing exception if one of the two pages is not there
  cpu.StorageKey(prefix + kPageSize);
  cpu.SetPrefix(prefix);
  return cpu.Resume(cpu.NextAddress(op));
}

void StorePrefix(Cpu& cpu, const Op& op) {
  const LogicalAddress operand = cpu.Operand2(op);
  cpu.SpecificationUnless(operand.address % 4 == 0);
  cpu.Store<std::uint32_t>(operand, cpu.registers().prefix);
}

// The real address in R2, for an operand of type T.
template <typename T>
std::uint64_t RealOperand2(Cpu& cpu, const Op& op) {
  const std::uint64_t real = cpu.WrapAddress(cpu.gr(op.r2));
  cpu.SpecificationUnless(real % sizeof(T) == 0);
  return real;
}

void LoadUsingRealAddress(Cpu& cpu, const Op& op) {
  cpu.SetLow(op.r1, cpu.LoadReal<std::uint32_t>(RealOperand2<std::uint32_t>(cpu, op)));
}

void LoadUsingRealAddressLong(Cpu& cpu, const Op& op) {
  cpu.gr(op.r1) = cpu.LoadReal<std::uint64_t>(RealOperand2<std::uint64_t>(cpu, op));
}

void StoreUsingRealAddress(Cpu& cpu, const Op& op) {
  cpu.StoreReal<std::uint32_t>(RealOperand2<std::uint32_t>(cpu, op), cpu.Low(op.r1));
  cpu.NoteStoreUsingRealAddress();
}

void StoreUsingRealAddressLong(Cpu& cpu, const Op& op) {
  cpu.StoreReal<std::uint64_t>(RealOperand2<std::uint64_t>(cpu, op), cpu.gr(op.r1));
  cpu.NoteStoreUsingRealAddress();
}

constexpr Instruction kInstructions[] = {
    {0xb6, "STCTL", Format::kRS_a, kBase, Privileged<&StoreControl<std::uint32_t>>},
    {0xb7, "LCTL", Format::kRS_a, kBase, PrivilegedBranching<&LoadControl<std::uint32_t>>},
    {0xb210, "SPX", Format::kS, kBase, PrivilegedBranching<&SetPrefix>},
    {0xb211, "STPX", Format::kS, kBase, Privileged<&StorePrefix>},
    {0xb246, "STURA", Format::kRRE, kBase, Privileged<&StoreUsingRealAddress>},
    {0xb24b, "LURA", Format::kRRE, kBase, Privileged<&LoadUsingRealAddress>},
    {0xb905, "LURAG", Format::kRRE, kBase, Privileged<&LoadUsingRealAddressLong>},
    {0xb925, "STURG", Format::kRRE, kBase, Privileged<&StoreUsingRealAddressLong>},
    {0xeb25, "STCTG", Format::kRSY_a, kBase, Privileged<&StoreControl<std::uint64_t>>},
    {0xeb2f, "LCTLG", Format::kRSY_a, kBase, PrivilegedBranching<&LoadControl<std::uint64_t>>},
};

}  // namespace

absl::Span<const Instruction> ControlRegisterInstructions() { return kInstructions; }

}  // namespace lethe::emulated
