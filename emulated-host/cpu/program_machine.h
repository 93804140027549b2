#ifndef LETHE_EMULATED_HOST_CPU_PROGRAM_MACHINE_H_
#define LETHE_EMULATED_HOST_CPU_PROGRAM_MACHINE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "emulated-host/cpu/test_machine.h"

namespace lethe::emulated {

// For tests of instructions: a machine that runs a short program up to its end, or up to the
// program interruption that ends it before.
class ProgramMachine final : public TestMachine {
 public:
  static constexpr std::uint64_t kSize = 2 << 20;
  static constexpr std::uint64_t kProgram = 0x2000;  // where programs are put
  static constexpr std::uint64_t kData = 0x4000;     // a page that is the test's

  explicit ProgramMachine(int cpus = 1) : TestMachine(kSize, cpus) {
    for (int i = 0; i < cpus; ++i) cpu(i).InitialReset();
    // Supervisor calls (the end of each program) and program interruptions lead to a DIAG, which
    // the CPU leaves to its host.
    SetNewPsw(kSupervisorCallNew, kSupervisor, kSupervisorCallHandler);
    Put<std::uint32_t>(kSupervisorCallHandler, kDiagnose);
    SetNewPsw(kProgramNew, kSupervisor, kProgramHandler);
    Put<std::uint32_t>(kProgramHandler, kDiagnose);
  }

  template <typename T>
  void Put(std::uint64_t absolute, T value) {
    Set<T>(absolute, value);
  }
  // Instructions as hexadecimal digits; blanks do not count.
  void PutText(std::uint64_t absolute, absl::string_view hex) {
    const std::string text = absl::HexStringToBytes(absl::StrReplaceAll(hex, {{" ", ""}}));
    for (const char c : text) Put<std::uint8_t>(absolute++, static_cast<std::uint8_t>(c));
  }

  // Runs a program, which stands in hexadecimal digits, with this PSW mask. The result is the code
  // of the program interruption that ended it, or kNone.
  ProgramCode Run(absl::string_view hex, std::uint64_t mask = kSupervisor, int number = 0) {
    constexpr absl::string_view kEnd = "0a00";
    PutText(kProgram, absl::StrCat(hex, kEnd));
    const Exit exit = RunFrom(kProgram, mask, number);
    const std::uint64_t end = cpu(number).registers().psw.address;
    EXPECT_EQ(exit.reason, Exit::Reason::kInstruction);
    EXPECT_EQ(exit.ipa, kDiagnose >> 16) << std::hex << exit.ipa << " before " << end;
    if (end == kSupervisorCallHandler + 4) return ProgramCode::kNone;
    EXPECT_EQ(end, kProgramHandler + 4);
    return static_cast<ProgramCode>(Get<std::uint16_t>(kProgramInterruptionCode));
  }

  // The PSW that the end of the program, or the program interruption, has stored.
  Psw EndPsw() { return GetPsw(kSupervisorCallOld); }
  Psw ProgramOldPsw() { return GetPsw(kProgramOld); }
  std::uint64_t TranslationException() {
    return Get<std::uint64_t>(kTranslationExceptionIdentification);
  }
  // Condition code at the end of the program.
  int Cc() { return static_cast<int>(EndPsw().mask >> 44 & 3); }

 private:
  static constexpr std::uint32_t kDiagnose = 0x8300'0000;
  static constexpr std::uint64_t kProgramInterruptionCode = 142;
  static constexpr std::uint64_t kTranslationExceptionIdentification = 168;
  static constexpr std::uint64_t kSupervisorCallOld = 0x140;
  static constexpr std::uint64_t kProgramOld = 0x150;
  static constexpr std::uint64_t kSupervisorCallNew = 0x1c0;
  static constexpr std::uint64_t kProgramNew = 0x1d0;
  static constexpr std::uint64_t kSupervisorCallHandler = 0x600;
  static constexpr std::uint64_t kProgramHandler = 0x700;

  Psw GetPsw(std::uint64_t absolute) {
    return {Get<std::uint64_t>(absolute), Get<std::uint64_t>(absolute + 8)};
  }
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_PROGRAM_MACHINE_H_
