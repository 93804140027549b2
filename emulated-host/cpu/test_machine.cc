#include "emulated-host/cpu/test_machine.h"

#include <string>

#include "absl/strings/escaping.h"
#include "base/check.h"

namespace lethe::emulated {

TestMachine::TestMachine(std::uint64_t size, int cpus, CpuModel model)
    : model_(model),
      memory_(size + kPageSize),
      keys_(size / kPageSize),
      states_(size / kPageSize),
      code_(size / kPageSize) {
  // Guest pages are host pages: instructions rely on the alignment.
  const auto begin = reinterpret_cast<std::uintptr_t>(memory_.data());
  base_ = memory_.data() + (kPageSize - begin % kPageSize) % kPageSize;
  storage_.Replace({{.absolute = 0,
                     .size = size,
                     .bytes = base_,
                     .keys = keys_.data(),
                     .states = states_.data(),
                     .code = code_.data()}});
  for (int i = 0; i < cpus; ++i) {
    cpus_.push_back(
        std::make_unique<Cpu>(model_, static_cast<std::uint16_t>(i), storage_, group_, *this));
  }
}

std::uint64_t TestMachine::Program(std::uint64_t absolute,
                                   std::initializer_list<absl::string_view> lines) {
  for (const absl::string_view line : lines) {
    std::string digits;
    for (std::size_t i = 0; i < line.size() && line.substr(i, 2) != "  "; ++i) {
      if (line[i] != ' ') digits += line[i];
    }
    LETHE_CHECK(digits.size() % 2 == 0);
    for (const char byte : absl::HexStringToBytes(digits)) {
      *bytes(absolute++) = static_cast<std::uint8_t>(byte);
    }
  }
  return absolute;
}

void TestMachine::WaitOnInterruptions() {
  for (std::uint64_t location = 0x1a0; location <= 0x1f0; location += 16) {
    SetNewPsw(location, kDisabledWait, location);
  }
}

Exit TestMachine::RunFrom(std::uint64_t address, std::uint64_t mask, int cpu) {
  group_.NoteOutsideStores();  // the test has written a program
  cpus_[cpu]->SetPsw({mask, address});
  return cpus_[cpu]->Run();
}

CpuHost::Verdict TestMachine::ResolveSecureFault(Cpu& cpu, std::uint64_t absolute,
                                                 SecureFault fault) {
  return on_secure_fault ? on_secure_fault(cpu, absolute, fault) : Verdict::kContinue;
}

CpuHost::Verdict TestMachine::OnAttention(Cpu& cpu) {
  return on_attention ? on_attention(cpu) : Verdict::kContinue;
}

}  // namespace lethe::emulated
