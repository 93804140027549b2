// The instructions for which a secure CPU stops: what the host gets to see of each, and what the
// Ultravisor does by itself.

#include <algorithm>
#include <array>

#include "base/big_endian.h"
#include "emulated-host/ultravisor/secure_configuration.h"
#include "emulated-host/ultravisor/secure_cpu.h"
#include "emulated-host/ultravisor/secure_instructions.h"
#include "emulated-host/ultravisor/ultravisor.h"

namespace lethe::emulated {
namespace {

using Code = SecureIntercept::Code;

// The fixed form of instructions with two register fields and a base: R1 0, R3 (R2) 2, base 5.
constexpr std::uint32_t kBase5 = 0x50000000;
constexpr std::uint32_t kRegisters0And2 = 0x00020000;
constexpr std::uint32_t kRegister2 = 0x00200000;

int FirstRegister(std::uint32_t ipb) { return ipb >> 20 & 15; }
int SecondRegister(std::uint32_t ipb) { return ipb >> 16 & 15; }
int FirstRegister(std::uint16_t ipa) { return ipa >> 4 & 15; }
int ThirdRegister(std::uint16_t ipa) { return ipa & 15; }
std::uint8_t BaseOf(std::uint32_t ipb) { return static_cast<std::uint8_t>(ipb >> 28); }

std::uint16_t OpcodeOf(std::uint16_t ipa) {
  const std::uint16_t first = ipa >> 8;
  return first == opcode::kDiagnose || first == opcode::kSignalProcessor ? first : ipa;
}

}  // namespace

// S-format instructions. `registers`: one bit per general register that the host needs, bit n for
// register n. `fetched`, `stored`: bytes of the operand that go into the SIDA, come from it.
struct SecureCpu::Form {
  std::uint16_t opcode;
  std::uint16_t registers;
  std::uint8_t fetched;
  std::uint8_t stored;
  std::uint8_t alignment;
  std::uint8_t results;  // condition codes with which the operand is stored, bit 1 << cc
};

const SecureCpu::Form* SecureCpu::FindForm(std::uint16_t number) {
  constexpr std::uint16_t kSubchannel = 1 << 1;
  constexpr std::uint16_t kTwo = 1 << 1 | 1 << 2;
  constexpr std::uint16_t kFour = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3;
  constexpr std::uint8_t kOrb = 32, kSchib = 52, kIrb = 64, kReportWord = 4, kPathStatus = 32;
  constexpr std::uint8_t kDone = 1 << 0, kDoneOrEmpty = 1 << 0 | 1 << 1;
  static constexpr Form kForms[] = {
      {0xb230, kSubchannel, 0, 0, 1, 0},                // CSCH
      {0xb231, kSubchannel, 0, 0, 1, 0},                // HSCH
      {0xb232, kSubchannel, kSchib, 0, 4, 0},           // MSCH
      {0xb233, kSubchannel, kOrb, 0, 4, 0},             // SSCH
      {0xb234, kSubchannel, 0, kSchib, 4, kDone},       // STSCH
      {0xb235, kSubchannel, 0, kIrb, 4, kDoneOrEmpty},  // TSCH
      {0xb237, kSubchannel, 0, 0, 1, 0},                // SAL
      {0xb238, kSubchannel, 0, 0, 1, 0},                // RSCH
      {0xb239, 0, 0, kReportWord, 4, kDoneOrEmpty},     // STCRW
      {0xb23a, 0, 0, kPathStatus, 32, kAnyCc},          // STCPS
      {0xb23b, kSubchannel, 0, 0, 1, 0},                // RCHP
      {0xb23c, kTwo, 0, 0, 1, 0},                       // SCHM
      {0xb274, kFour, 0, 0, 1, 0},                      // SIGA
      {0xb276, kSubchannel, 0, 0, 1, 0},                // XSCH
  };
  for (const Form& form : kForms) {
    if (form.opcode == number) return &form;
  }
  return nullptr;
}

void SecureCpu::Take(const Exit& exit) {
  const std::uint16_t number = OpcodeOf(exit.ipa);
  switch (number) {
    case opcode::kDiagnose:
      return TakeDiagnose(exit);
    case opcode::kSignalProcessor:
      return TakeSignal(exit);
    case opcode::kServiceCall:
      return TakeServiceCall(exit);
    case opcode::kTestPendingInterruption:
      return SetCc(0);  // none is pending for this instruction, ever
    case opcode::kStoreHypervisorInformation:
      return TakeHypervisorInformation(exit);
    case opcode::kChannelSubsystemCall:
      return TakeChannelSubsystemCall(exit);
    case opcode::kStoreSystemInformation:
      return TakeSystemInformation(exit);
    case opcode::kPerformTopologyFunction: {
      Outstanding& instruction = Prepare(Code::kInstruction, exit.ipa, 0, exit);
      instruction.sets_cc = true;
      instruction.from_register = 0;
      instruction.to_register = static_cast<std::int8_t>(FirstRegister(exit.ipb));
      instruction.results = kAnyCc;
      intercept_.general[0] = gr(FirstRegister(exit.ipb));
      return;
    }
    case opcode::kUltravisorCall:
      return TakeUltravisorCall(exit);
    default:
      break;
  }
  if (const Form* const form = FindForm(number)) return TakeForm(*form, exit);
  Interrupt(ProgramCode::kOperation, exit.length);
}

SecureCpu::Outstanding& SecureCpu::Prepare(Code code, std::uint16_t ipa, std::uint32_t ipb,
                                           const Exit& exit) {
  intercept_ = {code, ipa, ipb, {}};
  outstanding_ = {};
  outstanding_.opcode = OpcodeOf(exit.ipa);
  outstanding_.length = exit.length;
  outstanding_.takes_program = code == Code::kInstruction;
  sida_.fill(0);
  state_ = State::kReady;
  return outstanding_;
}

std::uint64_t SecureCpu::OperandAddress(std::uint32_t ipb) const {
  const std::uint8_t base = BaseOf(ipb);
  const std::uint64_t address = base == 0 ? 0 : cpu_.registers().general[base];
  return Wrap(address + (ipb >> 16 & 0xfff));
}

void SecureCpu::TakeForm(const Form& form, const Exit& exit) {
  const LogicalAddress operand{OperandAddress(exit.ipb), BaseOf(exit.ipb)};
  if (operand.address % form.alignment != 0) {
    return Interrupt(ProgramCode::kSpecification, exit.length);
  }
  std::array<std::uint8_t, 0x100> block;
  const auto fetched = absl::MakeSpan(block).first(form.fetched);
  if (!Fetch(operand, fetched, exit) || !Probe(operand, form.stored, exit)) return;
  Outstanding& instruction = Prepare(Code::kInstruction, exit.ipa, 0, exit);
  instruction.sets_cc = true;
  instruction.target = operand;
  instruction.size = form.stored;
  instruction.results = form.results;
  std::copy(fetched.begin(), fetched.end(), sida_.begin());
  for (int i = 0; i < 16; ++i) {
    if ((form.registers & 1 << i) != 0) intercept_.general[i] = gr(i);
  }
}

// --- DIAGNOSE ------------------------------------------------------------------------------------

void SecureCpu::TakeDiagnose(const Exit& exit) {
  constexpr std::uint16_t kYield = 0x44, kYieldTo = 0x9c, kWatchdog = 0x288, kIpl = 0x308,
                          kSetControlProgram = 0x318, kHypercall = 0x500;
  constexpr std::uint16_t kText = 0x8302;
  const auto code = static_cast<std::uint16_t>(OperandAddress(exit.ipb));
  const int r1 = FirstRegister(exit.ipa);
  const int r3 = ThirdRegister(exit.ipa);
  switch (code) {
    case kYield:
      Prepare(Code::kNotification, kText, kBase5, exit);
      break;
    case kYieldTo:
      Prepare(Code::kNotification, kText, kBase5, exit);
      intercept_.general[0] = gr(r1);
      break;
    case kWatchdog:
      if (r1 % 2 != 0) return Interrupt(ProgramCode::kSpecification, exit.length);
      // Its only result is that the parameters were wrong.
      Prepare(Code::kNotification, kText, kBase5, exit).takes_program = true;
      intercept_.general[0] = gr(r1);
      intercept_.general[1] = gr(r1 + 1);
      intercept_.general[2] = gr(r3);
      break;
    case kIpl:
      return TakeDiagnoseIpl(exit);
    case kSetControlProgram:
      Prepare(Code::kInstruction, kText, kBase5, exit);
      intercept_.general[0] = gr(r1);
      break;
    case kHypercall: {
      Outstanding& instruction = Prepare(Code::kInstruction, kText, kBase5, exit);
      for (int i = 1; i <= 4; ++i) intercept_.general[i] = gr(i);
      instruction.from_register = instruction.to_register = 2;
      instruction.results = kAnyCc;
      break;
    }
    default:
      return Interrupt(ProgramCode::kSpecification, exit.length);
  }
  outstanding_.function = code;
  intercept_.general[5] = code;
}

// Resets go to the host as they are; blocks go through the SIDA. A protected guest cannot keep its
// memory over a start that needs it uncleared, nor become protected once more.
void SecureCpu::TakeDiagnoseIpl(const Exit& exit) {
  constexpr std::uint64_t kClear = 0, kNormal = 1, kReIpl = 3, kSet = 5, kStore = 6;
  const int r1 = FirstRegister(exit.ipa);
  const std::uint64_t subcode = gr(ThirdRegister(exit.ipa));
  const std::uint64_t address = gr(r1);
  const bool reset = subcode == kClear || subcode == kNormal || subcode == kReIpl;
  const bool block = subcode == kSet || subcode == kStore;
  if (!reset && (!block || r1 % 2 != 0 || address % kPageSize != 0)) {
    return Interrupt(ProgramCode::kSpecification, exit.length);
  }
  std::array<std::uint8_t, kPageSize> content;
  if (block && !cpu_.ReadReal(address, absl::MakeSpan(content))) {
    return Interrupt(ProgramCode::kAddressing, exit.length);
  }
  const Code code = reset ? Code::kNotification : Code::kInstruction;
  Outstanding& instruction = Prepare(code, 0x8302, kBase5, exit);
  instruction.function = 0x308;
  intercept_.general[2] = subcode;
  intercept_.general[5] = 0x308;
  if (!block) return;
  instruction.from_register = 1;
  instruction.to_register = static_cast<std::int8_t>(r1 + 1);
  instruction.results = kAnyCc;
  if (subcode == kSet) {
    sida_ = content;
    return;
  }
  // What the host leaves untouched stays as it was.
  sida_ = content;
  instruction.target = {address, 0};
  instruction.to_real = true;
  instruction.size = kPageSize;
}

// --- service calls, other CPUs, information ------------------------------------------------------

void SecureCpu::TakeServiceCall(const Exit& exit) {
  constexpr std::size_t kHeader = 8;
  constexpr std::uint64_t kLowcores = 0x2000;
  const auto command = static_cast<std::uint32_t>(gr(FirstRegister(exit.ipb)));
  const std::uint64_t address = static_cast<std::uint32_t>(gr(SecondRegister(exit.ipb)));
  const std::uint64_t prefix = cpu_.registers().prefix;
  if (address % 8 != 0 || address >> 31 != 0 || address < kLowcores ||
      address - prefix < kLowcores) {
    return Interrupt(ProgramCode::kSpecification, exit.length);
  }
  std::array<std::uint8_t, kHeader> header;
  if (!cpu_.ReadReal(address, absl::MakeSpan(header))) {
    return Interrupt(ProgramCode::kAddressing, exit.length);
  }
  const std::size_t length = LoadBigEndian<std::uint16_t>(header.data());
  if (length < kHeader || address % kPageSize + length > kPageSize) {
    return Interrupt(ProgramCode::kSpecification, exit.length);
  }
  if (configuration_->service_block_ != 0) return SetCc(2);  // one at a time
  Outstanding& instruction =
      Prepare(Code::kInstruction, opcode::kServiceCall, kRegisters0And2, exit);
  cpu_.ReadReal(address, absl::MakeSpan(sida_).first(length));
  StoreBigEndian(sida_.data(),
                 static_cast<std::uint16_t>(length));  // the guest may have changed it
  instruction.sets_cc = true;
  instruction.results = 1 << 0;
  instruction.target = {address, 0};
  instruction.to_real = true;
  instruction.size = length;
  intercept_.general[0] = command;
}

void SecureCpu::TakeSignal(const Exit& exit) {
  const int r1 = FirstRegister(exit.ipa);
  const int parameter = r1 % 2 != 0 ? r1 : r1 + 1;
  Outstanding& instruction = Prepare(Code::kInstruction, 0xae02, kBase5, exit);
  instruction.sets_cc = true;
  instruction.from_register = 0;
  instruction.to_register = static_cast<std::int8_t>(r1);
  instruction.low_half = true;
  instruction.results = 1 << 1;  // status stored
  instruction.function = OperandAddress(exit.ipb) & 0xff;
  instruction.other_cpu = static_cast<std::uint16_t>(gr(ThirdRegister(exit.ipa)));
  instruction.parameter = gr(parameter);
  intercept_.general[1] = instruction.parameter;
  intercept_.general[2] = instruction.other_cpu;
  intercept_.general[5] = instruction.function;
  AnnounceSignal();
}

void SecureCpu::TakeChannelSubsystemCall(const Exit& exit) {
  const int r1 = FirstRegister(exit.ipb);
  const LogicalAddress operand{Wrap(gr(r1)), static_cast<std::uint8_t>(r1)};
  if (operand.address % kPageSize != 0) {
    return Interrupt(ProgramCode::kSpecification, exit.length);
  }
  std::array<std::uint8_t, kPageSize> block;
  if (!Fetch(operand, absl::MakeSpan(block), exit)) return;
  Outstanding& instruction = Prepare(Code::kInstruction, exit.ipa, kRegister2, exit);
  sida_ = block;
  instruction.sets_cc = true;
  instruction.target = operand;
  instruction.size = kPageSize;
  instruction.results = 1 << 0;
}

void SecureCpu::TakeHypervisorInformation(const Exit& exit) {
  const int r1 = FirstRegister(exit.ipb);
  const int r2 = SecondRegister(exit.ipb);
  if (cpu_.ProblemState()) return Interrupt(ProgramCode::kPrivilegedOperation, exit.length);
  const LogicalAddress operand{Wrap(gr(r2)), static_cast<std::uint8_t>(r2)};
  if (r1 == r2 || r1 % 2 != 0 || r2 % 2 != 0 || operand.address % kPageSize != 0) {
    return Interrupt(ProgramCode::kSpecification, exit.length);
  }
  if (gr(r1) == 0 && !Probe(operand, kPageSize, exit)) return;
  Outstanding& instruction = Prepare(Code::kInstruction, exit.ipa, kRegisters0And2, exit);
  instruction.sets_cc = true;
  instruction.from_register = 3;
  instruction.to_register = static_cast<std::int8_t>(r2 + 1);
  instruction.target = operand;
  instruction.size = gr(r1) == 0 ? kPageSize : 0;
  instruction.results = 1 << 0;
  intercept_.general[0] = gr(r1);
}

void SecureCpu::TakeSystemInformation(const Exit& exit) {
  const std::uint64_t function = gr(0) >> 28 & 15;
  const LogicalAddress operand{OperandAddress(exit.ipb), BaseOf(exit.ipb)};
  if (function != 0) {
    if (operand.address % kPageSize != 0) {
      return Interrupt(ProgramCode::kSpecification, exit.length);
    }
    if (!Probe(operand, kPageSize, exit)) return;
  }
  Outstanding& instruction = Prepare(Code::kInstruction, exit.ipa, 0, exit);
  instruction.sets_cc = true;
  instruction.from_register = instruction.to_register = 0;
  instruction.low_half = true;
  instruction.results = 1 << 0;
  instruction.target = operand;
  instruction.size = function == 0 ? 0 : kPageSize;
  intercept_.general[0] = gr(0) & 0xffffffff;
  intercept_.general[1] = gr(1) & 0xffffffff;
}

// --- ULTRAVISOR CALL -----------------------------------------------------------------------------

namespace {

constexpr std::size_t kUvcHeader = 8;
constexpr std::size_t kQueryBlock = 0x120;
constexpr std::size_t kShareBlock = 0x30;
constexpr std::size_t kShareAddress = 0x20;

}  // namespace

void SecureCpu::TakeUltravisorCall(const Exit& exit) {
  const int r2 = SecondRegister(exit.ipb);
  const LogicalAddress at{Wrap(gr(r2)), static_cast<std::uint8_t>(r2)};
  if (at.address % 8 != 0) return Interrupt(ProgramCode::kSpecification, exit.length);
  std::array<std::uint8_t, kQueryBlock> bytes{};
  const auto block = absl::MakeSpan(bytes);
  if (!Fetch(at, block.first(kUvcHeader), exit)) return;
  const std::size_t length =
      std::min<std::size_t>(LoadBigEndian<std::uint16_t>(bytes.data()), block.size());
  std::size_t stored = kUvcHeader;
  if (length > kUvcHeader) {
    // The header is not fetched again: the guest may have changed it.
    const LogicalAddress rest{Wrap(at.address + kUvcHeader), at.base};
    if (!Fetch(rest, block.subspan(kUvcHeader, length - kUvcHeader), exit)) return;
    stored = length;
  }
  bool pinned = false;
  const UvcResult result = CallUltravisor(block, pinned);
  if (pinned) {
    // The host is asked to let go; then the guest, told to try again, comes back.
    Prepare(Code::kNotification, opcode::kUltravisorCall, kRegisters0And2, exit);
    std::copy(block.begin(), block.begin() + kShareBlock, sida_.begin());
    return SetCc(2);
  }
  StoreBigEndian(bytes.data() + 4, result.rc);
  StoreBigEndian(bytes.data() + 6, result.rrc);
  const ProgramInterruption interruption = cpu_.WriteLogical(at, block.first(stored));
  if (interruption.code != ProgramCode::kNone) return Interrupt(interruption, exit.length);
  SetCc(result.cc);
}

UvcResult SecureCpu::CallUltravisor(absl::Span<std::uint8_t> block, bool& pinned) {
  const auto length = LoadBigEndian<std::uint16_t>(block.data());
  const auto command = static_cast<Uvc>(LoadBigEndian<std::uint16_t>(block.data() + 2));
  switch (command) {
    case Uvc::kQuery:
      return ultravisor_.QueryAsGuest(block.first(std::min<std::size_t>(length, block.size())));
    case Uvc::kShare:
    case Uvc::kUnshare: {
      if (length != kShareBlock) return UvcResult::Refused(UvcResult::kInvalidLength);
      const auto address = LoadBigEndian<std::uint64_t>(block.data() + kShareAddress);
      if (command == Uvc::kShare) return ultravisor_.Share(*configuration_, address);
      const UvcResult result = ultravisor_.Unshare(*configuration_, address);
      pinned = result.cc == 2;
      return result;
    }
    default:
      return UvcResult::Refused(UvcResult::kInvalidCommand);  // the host's calls, too
  }
}

}  // namespace lethe::emulated
