#include "tests/differential/subject.h"

#include <algorithm>
#include <cstring>

#include "emulated-host/cpu/instruction_set.h"

namespace lethe::differential {
namespace {

using emulated::Psw;

// Real locations of the prefix area.
constexpr std::uint64_t kSvcCode = 0x8a;
constexpr std::uint64_t kProgramLength = 0x8d;
constexpr std::uint64_t kProgramCode = 0x8e;
constexpr std::uint64_t kDataExceptionCode = 0x93;
constexpr std::uint64_t kSvcOldPsw = 0x140;
constexpr std::uint64_t kProgramOldPsw = 0x150;
constexpr std::uint64_t kSvcNewPsw = 0x1c0;
constexpr std::uint64_t kProgramNewPsw = 0x1d0;
// Where the disabled waits behind the two point to.
constexpr std::uint64_t kAfterSvc = 0x100;
constexpr std::uint64_t kAfterProgram = 0x200;

constexpr std::uint64_t k64Bit = Psw::kExtendedAddressing | Psw::kBasicAddressing;
constexpr std::uint64_t kConditionAndMask = Psw::kConditionCodeMask | Psw::kProgramMask;
constexpr std::uint64_t kAfpControl = Psw::Bit(45);

}  // namespace

emulated::CpuModel EverythingOffered() {
  emulated::CpuModel model = emulated::CpuModel::Default();
  for (const auto chapter : emulated::AllChapters()) {
    for (const emulated::Instruction& instruction : chapter) {
      model.facilities.Set(instruction.facility, true);
    }
  }
  // Not facilities of rows, but of operands.
  for (const emulated::Facility facility : {22, 24, 26, 30}) model.facilities.Set(facility, true);
  return model;
}

class Subject::Host : public emulated::CpuHost {
 public:
  Verdict ResolveSecureFault(emulated::Cpu&, std::uint64_t, emulated::SecureFault) override {
    return Verdict::kLeave;
  }
  Verdict OnAttention(emulated::Cpu&) override { return Verdict::kContinue; }
};

Subject::Area::Area(std::uint64_t at, std::uint64_t size)
    : address(at),
      bytes(size),
      keys(size / emulated::kPageSize),
      states(size / emulated::kPageSize),
      code(size / emulated::kPageSize) {}

emulated::GuestStorage::Slot Subject::Area::Slot() {
  return {.absolute = address,
          .size = bytes.size(),
          .bytes = bytes.data(),
          .keys = keys.data(),
          .states = states.data(),
          .code = code.data()};
}

Subject::Subject()
    : model_(EverythingOffered()),
      low_(0, 0x2000),
      code_(kCodeAddress, kMaxStubs * kStubBytes),
      data_(kDataAddress, kDataBytes),
      host_(std::make_unique<Host>()) {
  storage_.Replace({low_.Slot(), code_.Slot(), data_.Slot()});
  cpu_ = std::make_unique<emulated::Cpu>(model_, 0, storage_, group_, *host_);
  cpu_->ClearReset();
  cpu_->SetControl(0, cpu_->registers().control[0] | kAfpControl);
  for (std::uint64_t i = 0; i < kTableBytes; ++i) {
    data_.bytes[kTableAddress - kDataAddress + i] = FarTableByte(i);
  }
  const auto put_wait = [this](std::uint64_t at, std::uint64_t address) {
    StoreBigEndian<std::uint64_t>(&low_.bytes[at], Psw::kWait | k64Bit);
    StoreBigEndian<std::uint64_t>(&low_.bytes[at + 8], address);
  };
  put_wait(kSvcNewPsw, kAfterSvc);
  put_wait(kProgramNewPsw, kAfterProgram);
}

Subject::~Subject() = default;

void Subject::Load(const std::vector<Sample>& samples) {
  constexpr std::uint8_t kSvc = 0x0a;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Stub& stub = samples[i].stub;
    std::uint8_t* const at = &code_.bytes[i * kStubBytes];
    std::size_t length = emulated::LengthOfInstruction(stub.instruction[0]);
    std::memcpy(at + kInstruction, stub.instruction.data(), length);
    if (stub.repeat != 0) {
      std::ranges::copy(RepeatBranch(length), at + kInstruction + length);
      length += RepeatBranch(length).size();
    }
    at[kInstruction + length] = kSvc;
    at[kInstruction + length + 1] = Outcome::kFellThrough;
    at[kTaken] = kSvc;
    at[kTaken + 1] = Outcome::kBranched;
    std::memcpy(at + kTarget, stub.target.data(), stub.target.size());
  }
  group_.NoteOutsideStores();
}

void Subject::StoreState(const State& state) {
  emulated::Registers& registers = cpu_->registers();
  std::ranges::copy(state.general, registers.general.begin());
  std::ranges::copy(state.floating, registers.floating_point.begin());
  std::ranges::copy(state.access, registers.access.begin());
  registers.floating_point_control = state.floating_control;
  std::memcpy(&data_.bytes[kWindowAddress - kDataAddress], state.window.data(), kWindowBytes);
}

void Subject::GatherState(State& state, std::uint64_t old_mask) {
  const emulated::Registers& registers = cpu_->registers();
  std::ranges::copy(registers.general, state.general.begin());
  std::ranges::copy(registers.floating_point, state.floating.begin());
  std::ranges::copy(registers.access, state.access.begin());
  state.floating_control = registers.floating_point_control;
  state.condition = static_cast<std::uint32_t>((old_mask & kConditionAndMask) >> 40 << 24);
  std::memcpy(state.window.data(), &data_.bytes[kWindowAddress - kDataAddress], kWindowBytes);
}

void Subject::Execute(const Case& request, SubjectResult& result) {
  StoreState(request.state);
  Psw psw;
  psw.mask = Psw::kProblemState | k64Bit | std::uint64_t{request.state.condition >> 24} << 40;
  psw.address = kCodeAddress + request.stub * kStubBytes + kInstruction;
  cpu_->SetPsw(psw);
  const emulated::Exit exit = cpu_->Run();
  result.lost = false;
  const std::uint64_t stopped_at = cpu_->registers().psw.address;
  const auto* const low = low_.bytes.data();
  if (exit.reason != emulated::Exit::Reason::kWait) {
    result.lost = true;
  } else if (stopped_at == kAfterSvc) {
    result.outcome = LoadBigEndian<std::uint16_t>(low + kSvcCode);
    GatherState(result.state, LoadBigEndian<std::uint64_t>(low + kSvcOldPsw));
  } else if (stopped_at == kAfterProgram) {
    result.outcome = Outcome::kTrapped;
    result.program =
        static_cast<emulated::ProgramCode>(LoadBigEndian<std::uint16_t>(low + kProgramCode));
    result.data_exception = low[kDataExceptionCode];
    result.instruction_length = low[kProgramLength];
    result.psw_address = LoadBigEndian<std::uint64_t>(low + kProgramOldPsw + 8);
    GatherState(result.state, LoadBigEndian<std::uint64_t>(low + kProgramOldPsw));
  } else {
    result.lost = true;
  }
}

}  // namespace lethe::differential
