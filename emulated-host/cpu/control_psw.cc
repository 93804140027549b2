// Control instructions that load, change or show the PSW.

#include <array>
#include <cstdint>

#include "base/big_endian.h"
#include "emulated-host/cpu/control_authority.h"
#include "emulated-host/cpu/control_tables.h"
#include "emulated-host/cpu/cpu.h"

namespace lethe::emulated {
namespace {

const Op* ReplaceSystemMask(Cpu& cpu, const Op& op, std::uint8_t system_mask) {
  constexpr int kShift = 56;
  constexpr std::uint8_t kUnassigned = 0xb8;
  // The interruption masks. With them alone changed, decoded instructions stay good.
  constexpr std::uint64_t kMasks = Psw::kInputOutput | Psw::kExternal;
  const std::uint64_t before = cpu.psw_mask();
  const std::uint64_t after =
      (before & ~(std::uint64_t{0xff} << kShift)) | std::uint64_t{system_mask} << kShift;
  cpu.SetPswMask(after);
  // Early, but unlike that of a PSW that is loaded it has an instruction's length.
  if ((system_mask & kUnassigned) != 0) cpu.Interrupt(ProgramCode::kSpecification);
  return ((before ^ after) & ~kMasks) == 0 ? cpu.Next(op) : cpu.Resume(cpu.NextAddress(op));
}

std::uint8_t SystemMask(Cpu& cpu) { return static_cast<std::uint8_t>(cpu.psw_mask() >> 56); }

const Op* SetSystemMask(Cpu& cpu, const Op& op) {
  SpecialOperationUnless(cpu, (cpu.cr(0) & kSsmSuppression) == 0);
  return ReplaceSystemMask(cpu, op, cpu.Load<std::uint8_t>(cpu.Operand2(op)));
}

const Op* StoreThenAndSystemMask(Cpu& cpu, const Op& op) {
  const std::uint8_t mask = SystemMask(cpu);
  cpu.Store<std::uint8_t>(cpu.Operand1(op), mask);
  return ReplaceSystemMask(cpu, op, mask & static_cast<std::uint8_t>(op.i2));
}

const Op* StoreThenOrSystemMask(Cpu& cpu, const Op& op) {
  const std::uint8_t mask = SystemMask(cpu);
  cpu.Store<std::uint8_t>(cpu.Operand1(op), mask);
  return ReplaceSystemMask(cpu, op, mask | static_cast<std::uint8_t>(op.i2));
}

const Op* LoadShortPsw(Cpu& cpu, const Op& op) {
  const LogicalAddress operand = cpu.Operand2(op);
  cpu.SpecificationUnless(operand.address % 8 == 0);
  const std::uint64_t short_psw = cpu.Load<std::uint64_t>(operand);
  // Bit 12 is one in the short format and zero in the long one; a wrong one makes the new PSW
  // invalid, which is found before the next instruction.
  constexpr std::uint64_t kAddress = 0x7fff'ffff;
  return cpu.LoadPsw({(short_psw & ~kAddress) ^ Psw::kShort, short_psw & kAddress});
}

const Op* LoadPswExtended(Cpu& cpu, const Op& op) {
  const LogicalAddress operand = cpu.Operand2(op);
  cpu.SpecificationUnless(operand.address % 8 == 0);
  std::array<std::uint8_t, 16> bytes;
  cpu.LoadBytes(operand, absl::MakeSpan(bytes));
  return cpu.LoadPsw(
      {LoadBigEndian<std::uint64_t>(bytes.data()), LoadBigEndian<std::uint64_t>(bytes.data() + 8)});
}

void ExtractPsw(Cpu& cpu, const Op& op) {
  const std::uint64_t mask = cpu.psw_mask();
  cpu.SetLow(op.r1, static_cast<std::uint32_t>(mask >> 32));
  if (op.r2 != 0) cpu.SetLow(op.r2, static_cast<std::uint32_t>(mask));
}

const Op* SetPswKeyFromAddress(Cpu& cpu, const Op& op) {
  const auto key = static_cast<std::uint8_t>((cpu.Address2(op) >> 4) & 0xf);
  RequireKey(cpu, key);
  cpu.SetPswMask((cpu.psw_mask() & ~Psw::kKeyMask) | std::uint64_t{key} << 52);
  return cpu.Next(op);
}

void InsertPswKey(Cpu& cpu, const Op&) {
  RequireExtractionAuthority(cpu);
  cpu.gr(2) = (cpu.gr(2) & ~std::uint64_t{0xff}) | std::uint64_t{CurrentKey(cpu)} << 4;
}

constexpr Instruction kInstructions[] = {
    {0x80, "SSM", Format::kS, kBase, PrivilegedBranching<&SetSystemMask>},
    {0x82, "LPSW", Format::kS, kBase, PrivilegedBranching<&LoadShortPsw>},
    {0xac, "STNSM", Format::kSI, kBase, PrivilegedBranching<&StoreThenAndSystemMask>},
    {0xad, "STOSM", Format::kSI, kBase, PrivilegedBranching<&StoreThenOrSystemMask>},
    {0xb20a, "SPKA", Format::kS, kBase, Branching<&SetPswKeyFromAddress>},
    {0xb20b, "IPK", Format::kS, kBase, Straight<&InsertPswKey>},
    {0xb2b2, "LPSWE", Format::kS, kBase, PrivilegedBranching<&LoadPswExtended>},
    {0xb98d, "EPSW", Format::kRRE, kBase, Straight<&ExtractPsw>},
};

}  // namespace

absl::Span<const Instruction> PswInstructions() { return kInstructions; }

}  // namespace lethe::emulated
