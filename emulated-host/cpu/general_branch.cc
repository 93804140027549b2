#include <atomic>
#include <cstdint>
#include <type_traits>

#include "emulated-host/cpu/general_compare.h"
#include "emulated-host/cpu/general_operands.h"
#include "emulated-host/cpu/general_tables.h"

namespace lethe::emulated {
namespace {

using S8 = std::int8_t;
using S32 = std::int32_t;
using S64 = std::int64_t;
using U8 = std::uint8_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

const Op* BranchOnCondition(Cpu& cpu, const Op& op) {
  return Selects(op.r1, cpu.Cc()) ? cpu.BranchTo(cpu.Address2(op)) : cpu.Next(op);
}

const Op* BranchOnConditionRegister(Cpu& cpu, const Op& op) {
  if (op.r2 != 0) {
    return Selects(op.r1, cpu.Cc()) ? cpu.BranchTo(cpu.WrapAddress(cpu.gr(op.r2))) : cpu.Next(op);
  }
  // BCR 15,0 serializes; BCR 14,0 does with the fast-BCR-serialization facility.
  if (op.r1 >= 14) std::atomic_thread_fence(std::memory_order_seq_cst);
  return cpu.Next(op);
}

const Op* BranchRelativeOnCondition(Cpu& cpu, const Op& op) {
  return Selects(op.r1, cpu.Cc()) ? cpu.BranchRelative(op) : cpu.Next(op);
}

constexpr U32 kMode31 = 0x80000000;

// BAS and the like: the return address and, in its bit 32, the addressing mode.
void SaveReturn(Cpu& cpu, const Op& op) {
  const U64 next = cpu.NextAddress(op);
  switch (cpu.AddressingBits()) {
    case 64:
      cpu.gr(op.r1) = next;
      break;
    case 31:
      cpu.SetLow(op.r1, static_cast<U32>(next) | kMode31);
      break;
    default:
      cpu.SetLow(op.r1, static_cast<U32>(next));
      break;
  }
}

// BAL: in the 24-bit mode the left byte holds instruction length, condition code, program mask.
void LinkReturn(Cpu& cpu, const Op& op) {
  if (cpu.AddressingBits() != 24) return SaveReturn(cpu, op);
  const U32 mask = static_cast<U32>(cpu.psw_mask() >> 40 & 0x3f);
  const U64 next = cpu.NextAddress(op);
  const U32 length = cpu.InstructionLength(op) / 2u;
  cpu.SetLow(op.r1, length << 30 | mask << 24 | static_cast<U32>(next));
}

template <auto Save>
const Op* BranchAndSave(Cpu& cpu, const Op& op) {
  const U64 target = cpu.Address2(op);
  Save(cpu, op);
  return cpu.BranchTo(target);
}

template <auto Save>
const Op* BranchAndSaveRegister(Cpu& cpu, const Op& op) {
  const U64 target = cpu.WrapAddress(cpu.gr(op.r2));
  Save(cpu, op);
  return op.r2 != 0 ? cpu.BranchTo(target) : cpu.Next(op);
}

const Op* BranchRelativeAndSave(Cpu& cpu, const Op& op) {
  SaveReturn(cpu, op);
  return cpu.BranchRelative(op);
}

void SetMode(Cpu& cpu, int bits) {
  U64 mask = cpu.psw_mask() & ~(Psw::kExtendedAddressing | Psw::kBasicAddressing);
  if (bits == 64) mask |= Psw::kExtendedAddressing;
  if (bits >= 31) mask |= Psw::kBasicAddressing;
  cpu.SetPswMask(mask);
}

const Op* BranchInMode(Cpu& cpu, int bits, U64 address) {
  SetMode(cpu, bits);
  return cpu.BranchAndResume(address);
}

// BASSM, BSM: bit 63 of the target chooses the 64-bit mode, else bit 32 the 31-bit mode.
const Op* BranchInModeOf(Cpu& cpu, U64 target) {
  if ((target & 1) != 0) return BranchInMode(cpu, 64, target & ~U64{1});
  return BranchInMode(cpu, (target & kMode31) != 0 ? 31 : 24, target);
}

const Op* BranchAndSaveAndSetMode(Cpu& cpu, const Op& op) {
  const U64 target = cpu.gr(op.r2);
  SaveReturn(cpu, op);
  if (cpu.AddressingBits() == 64) cpu.gr(op.r1) |= 1;
  return op.r2 != 0 ? BranchInModeOf(cpu, target) : cpu.Next(op);
}

const Op* BranchAndSetMode(Cpu& cpu, const Op& op) {
  const U64 target = cpu.gr(op.r2);
  if (op.r1 != 0) {
    const U32 low = cpu.Low(op.r1);
    switch (cpu.AddressingBits()) {
      case 64:
        cpu.SetLow(op.r1, low | 1);
        break;
      case 31:
        cpu.SetLow(op.r1, low | kMode31);
        break;
      default:
        cpu.SetLow(op.r1, low & ~kMode31);
        break;
    }
  }
  return op.r2 != 0 ? BranchInModeOf(cpu, target) : cpu.Next(op);
}

// SAM24, SAM31, SAM64: the instruction itself must lie where the new mode can address it.
template <int kBits>
const Op* SetAddressingMode(Cpu& cpu, const Op& op) {
  if (kBits < 64) cpu.SpecificationUnless(cpu.InstructionAddress(op) >> (kBits & 63) == 0);
  const U64 next = cpu.NextAddress(op);
  SetMode(cpu, kBits);
  return cpu.Resume(next);
}

void TestAddressingMode(Cpu& cpu, const Op&) {
  const int bits = cpu.AddressingBits();
  cpu.SetCc(bits == 64 ? 3 : bits == 31 ? 1 : 0);
}

template <typename T>
bool CountDown(Cpu& cpu, const Op& op) {
  const T count = static_cast<T>(RegisterAs<T>(cpu, op.r1) - 1);
  SetRegisterAs<T>(cpu, op.r1, count);
  return count != 0;
}

template <typename T>
const Op* BranchOnCount(Cpu& cpu, const Op& op) {
  const U64 target = cpu.Address2(op);
  return CountDown<T>(cpu, op) ? cpu.BranchTo(target) : cpu.Next(op);
}

template <typename T>
const Op* BranchOnCountRegister(Cpu& cpu, const Op& op) {
  const U64 target = cpu.WrapAddress(cpu.gr(op.r2));
  return CountDown<T>(cpu, op) && op.r2 != 0 ? cpu.BranchTo(target) : cpu.Next(op);
}

template <typename T>
const Op* BranchRelativeOnCount(Cpu& cpu, const Op& op) {
  return CountDown<T>(cpu, op) ? cpu.BranchRelative(op) : cpu.Next(op);
}

// BRCTH.
const Op* BranchRelativeOnCountHigh(Cpu& cpu, const Op& op) {
  const U32 count = cpu.High(op.r1) - 1;
  cpu.SetHigh(op.r1, count);
  return count != 0 ? cpu.BranchRelative(op) : cpu.Next(op);
}

// BXH and BXLE: R3 is the increment; R3, made odd, the comparand as it was before the addition.
template <typename T>
bool IndexIsHigh(Cpu& cpu, const Op& op) {
  using Signed = std::make_signed_t<T>;
  const Signed comparand = RegisterAs<Signed>(cpu, op.r3 | 1);
  const T sum = static_cast<T>(RegisterAs<T>(cpu, op.r1) + RegisterAs<T>(cpu, op.r3));
  SetRegisterAs<T>(cpu, op.r1, sum);
  return static_cast<Signed>(sum) > comparand;
}

template <typename T, bool kHigh>
const Op* BranchOnIndex(Cpu& cpu, const Op& op) {
  const U64 target = cpu.Address2(op);
  return IndexIsHigh<T>(cpu, op) == kHigh ? cpu.BranchTo(target) : cpu.Next(op);
}

template <typename T, bool kHigh>
const Op* BranchRelativeOnIndex(Cpu& cpu, const Op& op) {
  return IndexIsHigh<T>(cpu, op) == kHigh ? cpu.BranchRelative(op) : cpu.Next(op);
}

template <typename T>
bool ComparesWithRegister(Cpu& cpu, const Op& op) {
  return CompareSelects(op.r3, RegisterAs<T>(cpu, op.r1), RegisterAs<T>(cpu, op.r2));
}

// The immediate of RIE-c is in i5, that of RIS in i2; Byte is its signedness.
template <typename T, typename Byte>
bool ComparesWithByte(Cpu& cpu, const Op& op, std::int64_t immediate) {
  return CompareSelects(op.r3, RegisterAs<T>(cpu, op.r1),
                        static_cast<T>(static_cast<Byte>(immediate)));
}

template <typename T>
const Op* CompareAndBranch(Cpu& cpu, const Op& op) {
  return ComparesWithRegister<T>(cpu, op) ? cpu.BranchTo(cpu.Address2(op)) : cpu.Next(op);
}

template <typename T>
const Op* CompareAndBranchRelative(Cpu& cpu, const Op& op) {
  return ComparesWithRegister<T>(cpu, op) ? cpu.BranchRelative(op) : cpu.Next(op);
}

template <typename T, typename Byte>
const Op* CompareImmediateAndBranch(Cpu& cpu, const Op& op) {
  return ComparesWithByte<T, Byte>(cpu, op, op.i2) ? cpu.BranchTo(cpu.Address2(op)) : cpu.Next(op);
}

template <typename T, typename Byte>
const Op* CompareImmediateAndBranchRelative(Cpu& cpu, const Op& op) {
  return ComparesWithByte<T, Byte>(cpu, op, op.i5) ? cpu.BranchRelative(op) : cpu.Next(op);
}

// SPM: condition code and program mask from bits 34-39.
const Op* SetProgramMask(Cpu& cpu, const Op& op) {
  const U64 bits = U64{cpu.Low(op.r1) >> 24 & 0x3f} << 40;
  cpu.SetPswMask((cpu.psw_mask() & ~(Psw::kConditionCodeMask | Psw::kProgramMask)) | bits);
  return cpu.Next(op);
}

// MC: a monitor event if control register 8 enables the class.
void MonitorCall(Cpu& cpu, const Op& op) {
  const U8 monitor_class = InImmediate<U8>(cpu, op);
  cpu.SpecificationUnless(monitor_class < 16);
  if ((cpu.cr(8) & (U64{0x8000} >> monitor_class)) == 0) return;
  ProgramInterruption event;
  event.code = ProgramCode::kMonitorEvent;
  event.monitor_class = monitor_class;
  event.monitor_code = cpu.Address1(op);
  throw event;
}

void Nothing(Cpu&, const Op&) {}

// Branching<&F>, but a branch that is not taken goes on like a straight instruction, without the
// run loop: the way to the end of the page stays the bound of what runs without a poll for
// attention.
template <const Op* (*kFunction)(Cpu&, const Op&)>
const Op* MaybeBranching(Cpu& cpu, const Op* op) {
  cpu.SetCurrent(op);
  const Op* const next = kFunction(cpu, *op);
  if (next == op + 1) return next->handler(cpu, next);
  return next;
}

constexpr Instruction kTable[] = {
    {0x47, "BC", Format::kRX_b, kBase, MaybeBranching<&BranchOnCondition>},
    {0x07, "BCR", Format::kRR_c, kBase, MaybeBranching<&BranchOnConditionRegister>},
    {0xa74, "BRC", Format::kRI_c, kBase, MaybeBranching<&BranchRelativeOnCondition>},
    {0xc04, "BRCL", Format::kRIL_c, kBase, MaybeBranching<&BranchRelativeOnCondition>},
    // Linkage
    {0x45, "BAL", Format::kRX_a, kBase, Branching<&BranchAndSave<&LinkReturn>>},
    {0x05, "BALR", Format::kRR, kBase, Branching<&BranchAndSaveRegister<&LinkReturn>>},
    {0x4d, "BAS", Format::kRX_a, kBase, Branching<&BranchAndSave<&SaveReturn>>},
    {0x0d, "BASR", Format::kRR, kBase, Branching<&BranchAndSaveRegister<&SaveReturn>>},
    {0xa75, "BRAS", Format::kRI_b, kBase, Branching<&BranchRelativeAndSave>},
    {0xc05, "BRASL", Format::kRIL_b, kBase, Branching<&BranchRelativeAndSave>},
    {0x0c, "BASSM", Format::kRR, kBase, Branching<&BranchAndSaveAndSetMode>},
    {0x0b, "BSM", Format::kRR, kBase, Branching<&BranchAndSetMode>},
    {0x010c, "SAM24", Format::kE, kBase, Branching<&SetAddressingMode<24>>},
    {0x010d, "SAM31", Format::kE, kBase, Branching<&SetAddressingMode<31>>},
    {0x010e, "SAM64", Format::kE, kBase, Branching<&SetAddressingMode<64>>},
    {0x010b, "TAM", Format::kE, kBase, Straight<&TestAddressingMode>},
    // ON COUNT, ON INDEX
    {0x46, "BCT", Format::kRX_a, kBase, Branching<&BranchOnCount<U32>>},
    {0x06, "BCTR", Format::kRR, kBase, Branching<&BranchOnCountRegister<U32>>},
    {0xe346, "BCTG", Format::kRXY_a, kBase, Branching<&BranchOnCount<U64>>},
    {0xb946, "BCTGR", Format::kRRE, kBase, Branching<&BranchOnCountRegister<U64>>},
    {0xa76, "BRCT", Format::kRI_b, kBase, MaybeBranching<&BranchRelativeOnCount<U32>>},
    {0xa77, "BRCTG", Format::kRI_b, kBase, MaybeBranching<&BranchRelativeOnCount<U64>>},
    {0xcc6, "BRCTH", Format::kRIL_b, 45, Branching<&BranchRelativeOnCountHigh>},
    {0x86, "BXH", Format::kRS_a, kBase, Branching<&BranchOnIndex<U32, true>>},
    {0x87, "BXLE", Format::kRS_a, kBase, Branching<&BranchOnIndex<U32, false>>},
    {0xeb44, "BXHG", Format::kRSY_a, kBase, Branching<&BranchOnIndex<U64, true>>},
    {0xeb45, "BXLEG", Format::kRSY_a, kBase, Branching<&BranchOnIndex<U64, false>>},
    {0x84, "BRXH", Format::kRSI, kBase, MaybeBranching<&BranchRelativeOnIndex<U32, true>>},
    {0x85, "BRXLE", Format::kRSI, kBase, MaybeBranching<&BranchRelativeOnIndex<U32, false>>},
    {0xec44, "BRXHG", Format::kRIE_e, kBase, MaybeBranching<&BranchRelativeOnIndex<U64, true>>},
    {0xec45, "BRXLG", Format::kRIE_e, kBase, MaybeBranching<&BranchRelativeOnIndex<U64, false>>},
    // COMPARE (LOGICAL) AND BRANCH
    {0xecf6, "CRB", Format::kRRS, 34, MaybeBranching<&CompareAndBranch<S32>>},
    {0xece4, "CGRB", Format::kRRS, 34, MaybeBranching<&CompareAndBranch<S64>>},
    {0xecf7, "CLRB", Format::kRRS, 34, MaybeBranching<&CompareAndBranch<U32>>},
    {0xece5, "CLGRB", Format::kRRS, 34, MaybeBranching<&CompareAndBranch<U64>>},
    {0xec76, "CRJ", Format::kRIE_b, 34, MaybeBranching<&CompareAndBranchRelative<S32>>},
    {0xec64, "CGRJ", Format::kRIE_b, 34, MaybeBranching<&CompareAndBranchRelative<S64>>},
    {0xec77, "CLRJ", Format::kRIE_b, 34, MaybeBranching<&CompareAndBranchRelative<U32>>},
    {0xec65, "CLGRJ", Format::kRIE_b, 34, MaybeBranching<&CompareAndBranchRelative<U64>>},
    {0xecfe, "CIB", Format::kRIS, 34, MaybeBranching<&CompareImmediateAndBranch<S32, S8>>},
    {0xecfc, "CGIB", Format::kRIS, 34, MaybeBranching<&CompareImmediateAndBranch<S64, S8>>},
    {0xecff, "CLIB", Format::kRIS, 34, MaybeBranching<&CompareImmediateAndBranch<U32, U8>>},
    {0xecfd, "CLGIB", Format::kRIS, 34, MaybeBranching<&CompareImmediateAndBranch<U64, U8>>},
    {0xec7e, "CIJ", Format::kRIE_c, 34,
     MaybeBranching<&CompareImmediateAndBranchRelative<S32, S8>>},
    {0xec7c, "CGIJ", Format::kRIE_c, 34,
     MaybeBranching<&CompareImmediateAndBranchRelative<S64, S8>>},
    {0xec7f, "CLIJ", Format::kRIE_c, 34,
     MaybeBranching<&CompareImmediateAndBranchRelative<U32, U8>>},
    {0xec7d, "CLGIJ", Format::kRIE_c, 34,
     MaybeBranching<&CompareImmediateAndBranchRelative<U64, U8>>},
    // Program mask, monitoring, hints
    {0x04, "SPM", Format::kRR, kBase, Branching<&SetProgramMask>},
    {0xaf, "MC", Format::kSI, kBase, Straight<&MonitorCall>},
    {0xb2fa, "NIAI", Format::kIE, 49, Straight<&Nothing>},
    {0xc7, "BPP", Format::kSMI, 49, Straight<&Nothing>},
    {0xc5, "BPRP", Format::kMII, 49, Straight<&Nothing>},
};

}  // namespace

absl::Span<const Instruction> BranchInstructions() { return kTable; }

}  // namespace lethe::emulated
