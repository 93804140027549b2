#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "emulated-host/cpu/general_compare.h"
#include "emulated-host/cpu/general_operands.h"
#include "emulated-host/cpu/general_tables.h"

namespace lethe::emulated {
namespace {

using S16 = std::int16_t;
using S32 = std::int32_t;
using S64 = std::int64_t;
using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

// Signed T: COMPARE, unsigned T: COMPARE LOGICAL. T is the width of the comparison.
template <typename T, auto Second, auto First = &InR1<T>>
void Compare(Cpu& cpu, const Op& op) {
  using Wide = std::conditional_t<std::is_signed_v<T>, S64, U64>;
  const T first = static_cast<T>(First(cpu, op));
  const T second = static_cast<T>(Second(cpu, op));
  cpu.SetCcCompare(Wide{first}, Wide{second});
}

// CLM, CLMH: the bytes of the register that the mask selects, with as many bytes in storage.
template <bool kHigh>
void CompareCharactersUnderMask(Cpu& cpu, const Op& op) {
  const LogicalAddress from = cpu.Operand2(op);
  const U32 word = kHigh ? cpu.High(op.r1) : cpu.Low(op.r1);
  const unsigned mask = op.r3;
  if (mask == 0) {
    cpu.CheckAccess(from, 1, Access::kFetch);
    return cpu.SetCc(0);
  }
  std::array<U8, 4> bytes{};
  const std::size_t count = static_cast<std::size_t>(std::popcount(mask));
  cpu.LoadBytes(from, absl::MakeSpan(bytes).first(count));
  U32 selected = 0;
  U32 stored = 0;
  std::size_t next = 0;
  for (int byte = 0; byte < 4; ++byte) {
    if ((mask & (8u >> byte)) == 0) continue;
    selected = selected << 8 | (word >> (24 - 8 * byte) & 0xff);
    stored = stored << 8 | bytes[next++];
  }
  cpu.SetCcCompare(U64{selected}, U64{stored});
}

// A trap is a data exception with a code of its own.
constexpr U8 kCompareAndTrap = 0xff;

template <typename T, auto Second>
void CompareAndTrap(Cpu& cpu, const Op& op) {
  const T first = RegisterAs<T>(cpu, op.r1);
  const T second = static_cast<T>(Second(cpu, op));
  if (CompareSelects(op.r3, first, second)) cpu.DataException(kCompareAndTrap);
}

constexpr Instruction kTable[] = {
    // COMPARE
    {0x19, "CR", Format::kRR, kBase, Straight<&Compare<S32, &InR2<S32>>>},
    {0xb920, "CGR", Format::kRRE, kBase, Straight<&Compare<S64, &InR2<S64>>>},
    {0xb930, "CGFR", Format::kRRE, kBase, Straight<&Compare<S64, &InR2<S32>>>},
    {0x59, "C", Format::kRX_a, kBase, Straight<&Compare<S32, &InStorage<S32>>>},
    {0xe359, "CY", Format::kRXY_a, 18, Straight<&Compare<S32, &InStorage<S32>>>},
    {0xe320, "CG", Format::kRXY_a, kBase, Straight<&Compare<S64, &InStorage<S64>>>},
    {0xe330, "CGF", Format::kRXY_a, kBase, Straight<&Compare<S64, &InStorage<S32>>>},
    {0x49, "CH", Format::kRX_a, kBase, Straight<&Compare<S32, &InStorage<S16>>>},
    {0xe379, "CHY", Format::kRXY_a, 18, Straight<&Compare<S32, &InStorage<S16>>>},
    {0xe334, "CGH", Format::kRXY_a, 34, Straight<&Compare<S64, &InStorage<S16>>>},
    {0xa7e, "CHI", Format::kRI_a, kBase, Straight<&Compare<S32, &InImmediate<S16>>>},
    {0xa7f, "CGHI", Format::kRI_a, kBase, Straight<&Compare<S64, &InImmediate<S16>>>},
    {0xc2d, "CFI", Format::kRIL_a, 21, Straight<&Compare<S32, &InImmediate<S32>>>},
    {0xc2c, "CGFI", Format::kRIL_a, 21, Straight<&Compare<S64, &InImmediate<S32>>>},
    {0xc6d, "CRL", Format::kRIL_b, 34, Straight<&Compare<S32, &InRelative<S32>>>},
    {0xc68, "CGRL", Format::kRIL_b, 34, Straight<&Compare<S64, &InRelative<S64>>>},
    {0xc6c, "CGFRL", Format::kRIL_b, 34, Straight<&Compare<S64, &InRelative<S32>>>},
    {0xc65, "CHRL", Format::kRIL_b, 34, Straight<&Compare<S32, &InRelative<S16>>>},
    {0xc64, "CGHRL", Format::kRIL_b, 34, Straight<&Compare<S64, &InRelative<S16>>>},
    {0xe554, "CHHSI", Format::kSIL, 34,
     Straight<&Compare<S16, &InImmediate<S16>, &InStorage1<S16>>>},
    {0xe55c, "CHSI", Format::kSIL, 34,
     Straight<&Compare<S32, &InImmediate<S16>, &InStorage1<S32>>>},
    {0xe558, "CGHSI", Format::kSIL, 34,
     Straight<&Compare<S64, &InImmediate<S16>, &InStorage1<S64>>>},
    {0xb9cd, "CHHR", Format::kRRE, 45, Straight<&Compare<S32, &InHigh2<S32>, &InHigh1<S32>>>},
    {0xb9dd, "CHLR", Format::kRRE, 45, Straight<&Compare<S32, &InR2<S32>, &InHigh1<S32>>>},
    {0xe3cd, "CHF", Format::kRXY_a, 45, Straight<&Compare<S32, &InStorage<S32>, &InHigh1<S32>>>},
    {0xccd, "CIH", Format::kRIL_a, 45, Straight<&Compare<S32, &InImmediate<S32>, &InHigh1<S32>>>},
    // COMPARE LOGICAL
    {0x15, "CLR", Format::kRR, kBase, Straight<&Compare<U32, &InR2<U32>>>},
    {0xb921, "CLGR", Format::kRRE, kBase, Straight<&Compare<U64, &InR2<U64>>>},
    {0xb931, "CLGFR", Format::kRRE, kBase, Straight<&Compare<U64, &InR2<U32>>>},
    {0x55, "CL", Format::kRX_a, kBase, Straight<&Compare<U32, &InStorage<U32>>>},
    {0xe355, "CLY", Format::kRXY_a, 18, Straight<&Compare<U32, &InStorage<U32>>>},
    {0xe321, "CLG", Format::kRXY_a, kBase, Straight<&Compare<U64, &InStorage<U64>>>},
    {0xe331, "CLGF", Format::kRXY_a, kBase, Straight<&Compare<U64, &InStorage<U32>>>},
    {0xc2f, "CLFI", Format::kRIL_a, 21, Straight<&Compare<U32, &InImmediate<U32>>>},
    {0xc2e, "CLGFI", Format::kRIL_a, 21, Straight<&Compare<U64, &InImmediate<U32>>>},
    {0xc6f, "CLRL", Format::kRIL_b, 34, Straight<&Compare<U32, &InRelative<U32>>>},
    {0xc6a, "CLGRL", Format::kRIL_b, 34, Straight<&Compare<U64, &InRelative<U64>>>},
    {0xc6e, "CLGFRL", Format::kRIL_b, 34, Straight<&Compare<U64, &InRelative<U32>>>},
    {0xc67, "CLHRL", Format::kRIL_b, 34, Straight<&Compare<U32, &InRelative<U16>>>},
    {0xc66, "CLGHRL", Format::kRIL_b, 34, Straight<&Compare<U64, &InRelative<U16>>>},
    {0x95, "CLI", Format::kSI, kBase, Straight<&Compare<U8, &InImmediate<U8>, &InStorage1<U8>>>},
    {0xeb55, "CLIY", Format::kSIY, 18, Straight<&Compare<U8, &InImmediate<U8>, &InStorage1<U8>>>},
    {0xe555, "CLHHSI", Format::kSIL, 34,
     Straight<&Compare<U16, &InImmediate<U16>, &InStorage1<U16>>>},
    {0xe55d, "CLFHSI", Format::kSIL, 34,
     Straight<&Compare<U32, &InImmediate<U16>, &InStorage1<U32>>>},
    {0xe559, "CLGHSI", Format::kSIL, 34,
     Straight<&Compare<U64, &InImmediate<U16>, &InStorage1<U64>>>},
    {0xb9cf, "CLHHR", Format::kRRE, 45, Straight<&Compare<U32, &InHigh2<U32>, &InHigh1<U32>>>},
    {0xb9df, "CLHLR", Format::kRRE, 45, Straight<&Compare<U32, &InR2<U32>, &InHigh1<U32>>>},
    {0xe3cf, "CLHF", Format::kRXY_a, 45, Straight<&Compare<U32, &InStorage<U32>, &InHigh1<U32>>>},
    {0xccf, "CLIH", Format::kRIL_a, 45, Straight<&Compare<U32, &InImmediate<U32>, &InHigh1<U32>>>},
    {0xbd, "CLM", Format::kRS_b, kBase, Straight<&CompareCharactersUnderMask<false>>},
    {0xeb21, "CLMY", Format::kRSY_b, 18, Straight<&CompareCharactersUnderMask<false>>},
    {0xeb20, "CLMH", Format::kRSY_b, kBase, Straight<&CompareCharactersUnderMask<true>>},
    // COMPARE (LOGICAL) AND TRAP
    {0xb972, "CRT", Format::kRRF_c, 34, Straight<&CompareAndTrap<S32, &InR2<S32>>>},
    {0xb960, "CGRT", Format::kRRF_c, 34, Straight<&CompareAndTrap<S64, &InR2<S64>>>},
    {0xb973, "CLRT", Format::kRRF_c, 34, Straight<&CompareAndTrap<U32, &InR2<U32>>>},
    {0xb961, "CLGRT", Format::kRRF_c, 34, Straight<&CompareAndTrap<U64, &InR2<U64>>>},
    {0xec72, "CIT", Format::kRIE_a, 34, Straight<&CompareAndTrap<S32, &InImmediate<S16>>>},
    {0xec70, "CGIT", Format::kRIE_a, 34, Straight<&CompareAndTrap<S64, &InImmediate<S16>>>},
    {0xec73, "CLFIT", Format::kRIE_a, 34, Straight<&CompareAndTrap<U32, &InImmediate<U16>>>},
    {0xec71, "CLGIT", Format::kRIE_a, 34, Straight<&CompareAndTrap<U64, &InImmediate<U16>>>},
    {0xeb23, "CLT", Format::kRSY_b, 49, Straight<&CompareAndTrap<U32, &InStorage<U32>>>},
    {0xeb2b, "CLGT", Format::kRSY_b, 49, Straight<&CompareAndTrap<U64, &InStorage<U64>>>},
};

}  // namespace

absl::Span<const Instruction> CompareInstructions() { return kTable; }

}  // namespace lethe::emulated
