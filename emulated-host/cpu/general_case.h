#ifndef LETHE_EMULATED_HOST_CPU_GENERAL_CASE_H_
#define LETHE_EMULATED_HOST_CPU_GENERAL_CASE_H_

// For tests: what one instruction does, as a row of a table, and how to check it.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "base/big_endian.h"
#include "base/check.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/cpu_group.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U64 = std::uint64_t;

// A CPU with 128 KiB of storage that runs one instruction, or a few, up to the supervisor call
// behind them or to a program interruption; both lead to a disabled wait.
class InstructionBench : public CpuHost {
 public:
  static constexpr U64 kSize = 128 * 1024;
  static constexpr U64 kProgram = 0x2000;
  static constexpr U64 kData = 0x4000;
  static constexpr U64 kSupervisor = Psw::kExtendedAddressing | Psw::kBasicAddressing;

  InstructionBench()
      : memory_(kSize + kPageSize),
        keys_(kSize / kPageSize),
        states_(keys_.size()),
        code_(keys_.size()),
        cpu_(model_, 0, storage_, group_, *this) {
    const auto start = reinterpret_cast<std::uintptr_t>(memory_.data());
    bytes_ = memory_.data() + (kPageSize - start % kPageSize) % kPageSize;
    storage_.Replace({{.absolute = 0,
                       .size = kSize,
                       .bytes = bytes_,
                       .keys = keys_.data(),
                       .states = states_.data(),
                       .code = code_.data()}});
    for (const U64 location : {kSupervisorCallNew, kProgramNew}) {
      Put<U64>(location, kSupervisor | Psw::kWait);
      Put<U64>(location + 8, location);
    }
  }

  Cpu& cpu() { return cpu_; }
  template <typename T>
  T Get(U64 absolute) const {
    return LoadBigEndian<T>(bytes_ + absolute);
  }
  template <typename T>
  void Put(U64 absolute, T value) {
    StoreBigEndian<T>(bytes_ + absolute, value);
  }
  void PutText(U64 absolute, absl::string_view hex) {
    for (const char byte : absl::HexStringToBytes(hex)) {
      Put<U8>(absolute++, static_cast<U8>(byte));
    }
  }

  // The code of the program interruption that ended the instructions, or kNone.
  ProgramCode Run(absl::string_view hex, U64 mask) {
    PutText(kProgram, hex);
    PutText(kProgram + hex.size() / 2, "0a00");
    group_.NoteOutsideStores();
    Psw psw;
    psw.mask = mask;
    psw.address = kProgram;
    cpu_.SetPsw(psw);
    const Exit exit = cpu_.Run();
    LETHE_CHECK(exit.reason == Exit::Reason::kWait);
    if (cpu_.registers().psw.address == kSupervisorCallNew) return ProgramCode::kNone;
    return static_cast<ProgramCode>(Get<U16>(kProgramCode));
  }
  // The PSW behind the supervisor call or of the program interruption.
  Psw EndPsw() const { return PswAt(kSupervisorCallOld); }
  Psw ProgramOldPsw() const { return PswAt(kProgramOld); }
  int Cc() const { return static_cast<int>(EndPsw().mask >> 44 & 3); }

  Verdict ResolveSecureFault(Cpu&, U64, SecureFault) override { return Verdict::kLeave; }
  Verdict OnAttention(Cpu&) override { return Verdict::kContinue; }

 private:
  static constexpr U64 kProgramCode = 0x8e;
  static constexpr U64 kSupervisorCallOld = 0x140;
  static constexpr U64 kProgramOld = 0x150;
  static constexpr U64 kSupervisorCallNew = 0x1c0;
  static constexpr U64 kProgramNew = 0x1d0;

  Psw PswAt(U64 absolute) const {
    Psw psw;
    psw.mask = Get<U64>(absolute);
    psw.address = Get<U64>(absolute + 8);
    return psw;
  }

  std::vector<U8> memory_;
  U8* bytes_ = nullptr;  // on a page boundary of memory_
  std::vector<std::atomic<U8>> keys_;
  std::vector<std::atomic<std::uint32_t>> states_;
  std::vector<std::atomic<U8>> code_;
  const CpuModel model_ = CpuModel::Default();
  GuestStorage storage_;
  CpuGroup group_;
  Cpu cpu_;
};

inline constexpr U64 kText = InstructionBench::kProgram;  // the instruction under test
inline constexpr U64 kTarget = kText + 0x100;             // of branches; also in register 12
inline constexpr U64 kOperand =
    InstructionBench::kData;  // the storage operands; also in register 14
inline constexpr absl::string_view kSupervisorCall = "0a00";  // ends a program
inline constexpr U64 kDataExceptionCode = 0x93;

inline U64& Register(InstructionBench& machine, int number) {
  return machine.cpu().registers().general[static_cast<std::size_t>(number)];
}

inline void Put(InstructionBench& machine, U64 at, absl::string_view bytes) {
  for (const char byte : bytes) machine.Put<U8>(at++, static_cast<U8>(byte));
}

inline std::string Get(const InstructionBench& machine, U64 at, std::size_t length) {
  std::string bytes(length, '\0');
  for (char& byte : bytes) byte = static_cast<char>(machine.Get<U8>(at++));
  return bytes;
}

inline ProgramCode Execute(InstructionBench& machine, absl::string_view instruction, U8 cc,
                           U64 mask = InstructionBench::kSupervisor) {
  return machine.Run(instruction, mask | U64{cc} << 44);
}

using RegisterValues = std::vector<std::pair<int, U64>>;

// What one instruction does. Registers that are not named are zero before (except 12 and 14) and
// unchanged after it.
struct Case {
  absl::string_view text;         // for people; `instruction` is what an assembler makes of it
  absl::string_view instruction;  // hexadecimal, as all storage here
  RegisterValues registers = {};
  U8 cc = 0;
  absl::string_view storage = {};
  ProgramCode expect_program = ProgramCode::kNone;
  U8 expect_dxc = 0;
  RegisterValues expect_registers = {};
  U8 expect_cc = 0;
  absl::string_view expect_storage = {};
};

struct BranchCase {
  absl::string_view text;
  absl::string_view instruction;
  RegisterValues registers = {};
  U8 cc = 0;
  bool taken = false;
  RegisterValues expect_registers = {};
};

inline void SetRegisters(InstructionBench& machine, const RegisterValues& values) {
  Register(machine, 12) = kTarget;
  Register(machine, 14) = kOperand;
  for (const auto& [number, value] : values) Register(machine, number) = value;
}

inline void ExpectRegisters(InstructionBench& machine, const RegisterValues& before,
                            const RegisterValues& changed) {
  std::vector<U64> expected(16);
  expected[12] = kTarget;
  expected[14] = kOperand;
  for (const auto& [number, value] : before) expected[static_cast<std::size_t>(number)] = value;
  for (const auto& [number, value] : changed) expected[static_cast<std::size_t>(number)] = value;
  for (int number = 0; number < 16; ++number) {
    EXPECT_EQ(Register(machine, number), expected[static_cast<std::size_t>(number)])
        << "general register " << number;
  }
}

inline void Check(const Case& instruction) {
  SCOPED_TRACE(instruction.text);
  InstructionBench machine;
  SetRegisters(machine, instruction.registers);
  Put(machine, kOperand, absl::HexStringToBytes(instruction.storage));
  ASSERT_EQ(Execute(machine, instruction.instruction, instruction.cc), instruction.expect_program);
  ExpectRegisters(machine, instruction.registers, instruction.expect_registers);
  EXPECT_EQ(absl::BytesToHexString(Get(machine, kOperand, instruction.expect_storage.size() / 2)),
            instruction.expect_storage);
  if (instruction.expect_program == ProgramCode::kNone) {
    EXPECT_EQ(machine.Cc(), instruction.expect_cc);
  } else {
    EXPECT_EQ(machine.Get<U8>(kDataExceptionCode), instruction.expect_dxc);
  }
}

inline void Check(const BranchCase& branch) {
  SCOPED_TRACE(branch.text);
  InstructionBench machine;
  machine.PutText(kTarget, kSupervisorCall);
  SetRegisters(machine, branch.registers);
  ASSERT_EQ(Execute(machine, branch.instruction, branch.cc), ProgramCode::kNone);
  ExpectRegisters(machine, branch.registers, branch.expect_registers);
  const U64 next = branch.taken ? kTarget : kText + branch.instruction.size() / 2;
  EXPECT_EQ(machine.EndPsw().address, next + 2);  // behind the supervisor call
  EXPECT_EQ(machine.Cc(), branch.cc);
}

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_GENERAL_CASE_H_
