// Moves between floating-point registers, general registers and storage, for all radices.

#include <cstdint>

#include "emulated-host/cpu/float_operands.h"
#include "emulated-host/cpu/float_tables.h"

namespace lethe::emulated {
namespace {

using S = ShortFormat;
using L = LongFormat;
using X = ExtendedFormat;

constexpr std::uint64_t kSign = Psw::Bit(0);

template <typename Format>
void LoadRegister(Cpu& cpu, const Op& op) {
  RequireFpr(cpu, op.r1);
  RequireFpr(cpu, op.r2);
  RequireOperandRegister<Format>(cpu, op.r1);
  RequireOperandRegister<Format>(cpu, op.r2);
  SetFprBits<Format>(cpu, op.r1, FprBits<Format>(cpu, op.r2));
}

template <typename Format>
void LoadFromStorage(Cpu& cpu, const Op& op) {
  RequireFpr(cpu, op.r1);
  SetFprBits<Format>(cpu, op.r1, cpu.Load<typename Format::Bits>(cpu.Operand2(op)));
}

template <typename Format>
void StoreToStorage(Cpu& cpu, const Op& op) {
  RequireFpr(cpu, op.r1);
  cpu.Store<typename Format::Bits>(cpu.Operand2(op), FprBits<Format>(cpu, op.r1));
}

template <typename Format>
void LoadZero(Cpu& cpu, const Op& op) {
  RequireFpr(cpu, op.r1);
  RequireOperandRegister<Format>(cpu, op.r1);
  SetFprBits<Format>(cpu, op.r1, 0);
}

void LoadFprFromGr(Cpu& cpu, const Op& op) {
  RequireFpr(cpu, op.r1);
  cpu.fpr(op.r1) = cpu.gr(op.r2);
}

void LoadGrFromFpr(Cpu& cpu, const Op& op) {
  RequireFpr(cpu, op.r2);
  cpu.gr(op.r1) = cpu.fpr(op.r2);
}

// Sign operations that leave the condition code alone.
void LoadPositive(Cpu& cpu, const Op& op) {
  RequireFpr(cpu, op.r1);
  RequireFpr(cpu, op.r2);
  cpu.fpr(op.r1) = cpu.fpr(op.r2) & ~kSign;
}
void LoadNegative(Cpu& cpu, const Op& op) {
  RequireFpr(cpu, op.r1);
  RequireFpr(cpu, op.r2);
  cpu.fpr(op.r1) = cpu.fpr(op.r2) | kSign;
}
void LoadComplement(Cpu& cpu, const Op& op) {
  RequireFpr(cpu, op.r1);
  RequireFpr(cpu, op.r2);
  cpu.fpr(op.r1) = cpu.fpr(op.r2) ^ kSign;
}
void CopySign(Cpu& cpu, const Op& op) {
  RequireFpr(cpu, op.r1);
  RequireFpr(cpu, op.r2);
  RequireFpr(cpu, op.r3);
  cpu.fpr(op.r1) = (cpu.fpr(op.r2) & ~kSign) | (cpu.fpr(op.r3) & kSign);
}

constexpr Instruction kInstructions[] = {
    {0x28, "LDR", Format::kRR, kBase, Straight<&LoadRegister<L>>},
    {0x38, "LER", Format::kRR, kBase, Straight<&LoadRegister<S>>},
    {0x60, "STD", Format::kRX_a, kBase, Straight<&StoreToStorage<L>>},
    {0x68, "LD", Format::kRX_a, kBase, Straight<&LoadFromStorage<L>>},
    {0x70, "STE", Format::kRX_a, kBase, Straight<&StoreToStorage<S>>},
    {0x78, "LE", Format::kRX_a, kBase, Straight<&LoadFromStorage<S>>},
    {0xb365, "LXR", Format::kRRE, kBase, Straight<&LoadRegister<X>>},
    {0xb370, "LPDFR", Format::kRRE, kFloatSupport, Straight<&LoadPositive>},
    {0xb371, "LNDFR", Format::kRRE, kFloatSupport, Straight<&LoadNegative>},
    {0xb372, "CPSDR", Format::kRRF_b, kFloatSupport, Straight<&CopySign>},
    {0xb373, "LCDFR", Format::kRRE, kFloatSupport, Straight<&LoadComplement>},
    {0xb374, "LZER", Format::kRRE, kBase, Straight<&LoadZero<S>>},
    {0xb375, "LZDR", Format::kRRE, kBase, Straight<&LoadZero<L>>},
    {0xb376, "LZXR", Format::kRRE, kBase, Straight<&LoadZero<X>>},
    {0xb3c1, "LDGR", Format::kRRE, kFloatSupport, Straight<&LoadFprFromGr>},
    {0xb3cd, "LGDR", Format::kRRE, kFloatSupport, Straight<&LoadGrFromFpr>},
    {0xed64, "LEY", Format::kRXY_a, kLongDisplacement, Straight<&LoadFromStorage<S>>},
    {0xed65, "LDY", Format::kRXY_a, kLongDisplacement, Straight<&LoadFromStorage<L>>},
    {0xed66, "STEY", Format::kRXY_a, kLongDisplacement, Straight<&StoreToStorage<S>>},
    {0xed67, "STDY", Format::kRXY_a, kLongDisplacement, Straight<&StoreToStorage<L>>},
};

}  // namespace

absl::Span<const Instruction> FloatMoveInstructions() { return kInstructions; }

}  // namespace lethe::emulated
