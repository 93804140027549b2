#include "tests/system-mode/judged.h"

#include <algorithm>

#include "emulated-host/cpu/instruction.h"
#include "emulated-host/cpu/instruction_set.h"
#include "emulated-host/cpu/registers.h"
#include "tests/system-mode/machine_comparison.h"
#include "tests/system-mode/tables.h"

namespace lethe::system_mode {

using emulated::Format;
using emulated::ProgramCode;
using emulated::Psw;

namespace {

std::uint64_t OldPswAt(const MachineResult& result) {
  return Lowcore::kOldPsws + (result.kind - 1) * 16;
}

std::uint8_t Mixed(std::uint8_t ours, std::uint8_t theirs, unsigned mask) {
  return static_cast<std::uint8_t>((ours & ~mask) | (theirs & mask));
}

}  // namespace

bool IsProgram(const MachineResult& result) {
  return result.kind == static_cast<std::uint32_t>(Kind::kProgram);
}

bool IsProgram(const MachineResult& result, ProgramCode code) {
  return IsProgram(result) && (Low<std::uint16_t>(result, Lowcore::kProgramCode) & 0xff) ==
                                  static_cast<std::uint16_t>(code);
}

bool IsAccessException(const MachineResult& result) {
  if (!IsProgram(result)) return false;
  const auto code = static_cast<ProgramCode>(Low<std::uint16_t>(result, Lowcore::kProgramCode));
  switch (code) {
    case ProgramCode::kProtection:
    case ProgramCode::kAddressing:
    case ProgramCode::kTranslationSpecification:
    case ProgramCode::kAletSpecification:
      return true;
    default:
      return emulated::Nullifies(code);
  }
}

bool IsCompleted(const MachineResult& result) {
  return result.kind == static_cast<std::uint32_t>(Kind::kSupervisorCall);
}

std::uint64_t OldPswMask(const MachineResult& result) {
  return Low<std::uint64_t>(result, OldPswAt(result));
}

std::uint64_t OldPswAddress(const MachineResult& result) {
  return Low<std::uint64_t>(result, OldPswAt(result) + 8);
}

unsigned ConditionCode(const MachineResult& result) { return OldPswMask(result) >> 44 & 3; }

bool IsNullified(const MachineResult& result) {
  return IsProgram(result) && emulated::Nullifies(static_cast<ProgramCode>(
                                  Low<std::uint16_t>(result, Lowcore::kProgramCode)));
}

std::optional<std::uint64_t> PageOfException(const MachineResult& result) {
  constexpr std::uint64_t kByTable = 0x04;
  const auto identification = Low<std::uint64_t>(result, Lowcore::kTranslationException);
  const bool names_page = IsProgram(result, ProgramCode::kProtection)
                              ? (identification & kByTable) != 0
                              : IsNullified(result);
  if (!names_page) return std::nullopt;
  return identification & ~(kPageBytes - 1);
}

bool InAccessRegisterMode(const MachineResult& result) {
  constexpr std::uint64_t kMode = Psw::kDat | Psw::Bit(17);
  const auto mask = Low<std::uint64_t>(result, Lowcore::kProgramOldPsw);
  return (mask & (Psw::kDat | Psw::kAddressSpaceMask)) == kMode;
}

unsigned Judged::Length() const {
  return emulated::LengthOfInstruction(sample.stub.instruction[0]);
}

unsigned Judged::r1() const {
  switch (sample.instruction->format) {
    case Format::kRRD:
      return text(2) >> 4;
    case Format::kRXF:
      return text(4) >> 4;
    case Format::kRRE:
    case Format::kRRF_a:
    case Format::kRRF_b:
    case Format::kRRF_c:
    case Format::kRRF_e:
      return text(3) >> 4;
    default:
      return text(1) >> 4;
  }
}

unsigned Judged::r2() const {
  switch (sample.instruction->format) {
    case Format::kRRD:
    case Format::kRRE:
    case Format::kRRF_a:
    case Format::kRRF_b:
    case Format::kRRF_c:
    case Format::kRRF_e:
      return text(3) & 0xf;
    default:
      return text(1) & 0xf;
  }
}

unsigned Judged::r3() const {
  return (sample.instruction->format == Format::kRRD ? text(3) : text(1)) >> 4;
}

std::optional<std::uint64_t> Judged::IndexedOperand() const {
  const unsigned base = text(2) >> 4;
  const unsigned index = text(1) & 0xf;
  const std::uint64_t address = (base == 0 ? 0 : general(base)) +
                                (index == 0 ? 0 : general(index)) +
                                ((text(2) & 0xf) << 8 | text(3));
  constexpr std::uint64_t kRegionBits = ~std::uint64_t{0x7fff'ffff};
  constexpr std::uint64_t kSecond = kSecondWindow - (Tables::kFrameSegment << 20) + Tables::kAlias;
  if (address >= 0xf00 && address <= 0x1400 - 8) return 0;  // the oracle clears it
  std::uint64_t offset = address - kWindow;
  if (offset >= differential::kWindowBytes) offset = (address & ~kRegionBits) - kSecond;
  if (offset > differential::kWindowBytes - 8) return std::nullopt;
  return LoadBigEndian<std::uint64_t>(&request.state.window[offset]);
}

std::uint64_t Judged::ShortAddress() const {
  const unsigned base = text(2) >> 4;
  return (base == 0 ? 0 : general(base)) + ((text(2) & 0xf) << 8 | text(3));
}

std::uint64_t Judged::FirstAddress() const {
  const unsigned base = text(2) >> 4;
  std::uint64_t displacement = (text(2) & 0xf) << 8 | text(3);
  if (sample.instruction->format == Format::kRSY_a) {
    displacement |= static_cast<std::uint64_t>(static_cast<std::int8_t>(text(4))) << 12;
  }
  return (base == 0 ? 0 : general(base)) + displacement;
}

std::uint64_t Judged::SecondAddress() const {
  const unsigned base = text(4) >> 4;
  return (base == 0 ? 0 : general(base)) + ((text(4) & 0xf) << 8 | text(5));
}

std::optional<std::uint64_t> Judged::OnlyOperandAddress() const {
  switch (sample.instruction->format) {
    case Format::kRX_a:
    case Format::kRX_b:
    case Format::kRXE:
    case Format::kRXF:
    case Format::kRXY_a:
    case Format::kRXY_b: {
      const unsigned index = text(1) & 0xf;
      const bool is_long = sample.instruction->format == Format::kRXY_a ||
                           sample.instruction->format == Format::kRXY_b;
      const auto high = is_long ? static_cast<std::int8_t>(text(4)) : std::int8_t{0};
      const std::uint64_t displacement = static_cast<std::uint64_t>(high) << 12;
      return ShortAddress() + displacement + (index == 0 ? 0 : general(index));
    }
    case Format::kSI:
    case Format::kSIL:
      return ShortAddress();
    case Format::kSIY:
      return ShortAddress() + (static_cast<std::uint64_t>(static_cast<std::int8_t>(text(4))) << 12);
    default:
      return std::nullopt;
  }
}

bool Judged::InProblemState() const { return (request.psw_mask & Psw::kProblemState) != 0; }

bool Judged::IsTranslating() const { return (request.psw_mask & Psw::kDat) != 0; }

namespace {

// What the window holds when the case begins.
auto WindowOf(const MachineCase& request) {
  auto window = request.state.window;
  for (std::uint32_t i = 0; i < request.poke_count; ++i) {
    const std::uint64_t offset = request.pokes[i].address - kWindow;
    if (offset > window.size() - sizeof(std::uint64_t)) continue;
    StoreBigEndian<std::uint64_t>(&window[offset], request.pokes[i].value);
  }
  return window;
}

bool SamePokes(const MachineCase& request, const MachineResult& result) {
  const std::size_t count = std::min<std::size_t>(request.poke_count, result.poked.size());
  return std::equal(result.poked.begin(), result.poked.begin() + count, request.pokes.begin(),
                    [](const Be64& is, const Poke& was) { return is == was.value; });
}

bool SameKeys(const MachineCase& request, const MachineResult& result) {
  constexpr unsigned kRecording = Forgiving::kReferenceBit | Forgiving::kChangeBit;
  return std::ranges::equal(request.keys, result.keys, [](std::uint8_t was, std::uint8_t is) {
    return ((was ^ is) & ~kRecording) == 0;
  });
}

}  // namespace

bool OursIsUntouched(const Judged& judged) {
  const MachineCase& request = judged.request;
  const MachineResult& ours = judged.ours;
  if (ours.kind == 0 || IsCompleted(ours)) return false;
  const bool goes_on = IsProgram(ours) && !IsNullified(ours);
  return OldPswMask(ours) == request.psw_mask &&
         OldPswAddress(ours) == request.psw_address + (goes_on ? judged.Length() : 0) &&
         ours.state.general == request.state.general &&
         ours.state.floating == request.state.floating &&
         ours.state.access == request.state.access &&
         ours.state.floating_control == request.state.floating_control &&
         ours.control == request.control && ours.clock_comparator == request.clock_comparator &&
         ours.prefix == 0 && ours.state.window == WindowOf(request) && SamePokes(request, ours) &&
         SameKeys(request, ours);
}

Forgiving& Forgiving::End() {
  made_.kind = judged_.theirs.kind;
  made_.lowcore = judged_.theirs.lowcore;
  return *this;
}

Forgiving& Forgiving::ConditionCode() {
  if (made_.kind != judged_.theirs.kind) return *this;
  return Low(OldPswAt(made_) + 2, 1, 0x30);
}

Forgiving& Forgiving::Low(std::uint64_t address, std::size_t length, unsigned mask) {
  for (std::size_t i = address - kLowcoreBegin; length > 0; ++i, --length) {
    made_.lowcore[i] = Mixed(made_.lowcore[i], judged_.theirs.lowcore[i], mask);
  }
  return *this;
}

Forgiving& Forgiving::Keys(unsigned bits) {
  for (std::size_t i = 0; i < made_.keys.size(); ++i) {
    made_.keys[i] = Mixed(made_.keys[i], judged_.theirs.keys[i], bits);
  }
  return *this;
}

Forgiving& Forgiving::General(unsigned number, std::uint64_t mask) {
  made_.state.general[number] =
      (made_.state.general[number] & ~mask) | (judged_.theirs.state.general[number] & mask);
  return *this;
}

Forgiving& Forgiving::Floating(unsigned number) {
  made_.state.floating[number] = judged_.theirs.state.floating[number];
  return *this;
}

Forgiving& Forgiving::FloatControl(std::uint32_t mask) {
  made_.state.floating_control =
      (made_.state.floating_control & ~mask) | (judged_.theirs.state.floating_control & mask);
  return *this;
}

Forgiving& Forgiving::Storage() {
  made_.state.window = judged_.theirs.state.window;
  made_.poked = judged_.theirs.poked;
  made_.frames_sum = judged_.theirs.frames_sum;
  return *this;
}

Forgiving& Forgiving::Tables() {
  made_.poked = judged_.theirs.poked;
  made_.tables_sum = judged_.theirs.tables_sum;
  return *this;
}

bool Forgiving::Agree() const { return Differences(judged_.sample, made_, judged_.theirs).empty(); }

}  // namespace lethe::system_mode
