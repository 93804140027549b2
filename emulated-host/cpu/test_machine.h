#ifndef LETHE_EMULATED_HOST_CPU_TEST_MACHINE_H_
#define LETHE_EMULATED_HOST_CPU_TEST_MACHINE_H_

// For tests: a machine with 2 MiB of storage, some CPUs and no devices, which runs short programs.

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "base/big_endian.h"
#include "base/check.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/cpu_group.h"
#include "emulated-host/storage/guest_storage.h"

namespace lethe::emulated {

class TestMachine final : public CpuHost {
 public:
  static constexpr std::uint64_t kSize = 2 << 20;
  static constexpr std::uint64_t kProgram = 0x2000;  // where programs are put
  static constexpr std::uint64_t kData = 0x4000;     // a page that is the test's
  static constexpr std::uint64_t kSupervisor = Psw::kExtendedAddressing | Psw::kBasicAddressing;
  static constexpr std::uint64_t kProblem = kSupervisor | Psw::kProblemState;

  explicit TestMachine(int cpus = 1, CpuModel model = CpuModel::Default())
      : model_(model),
        bytes_(kSize + kPageSize),
        keys_(std::make_unique<std::atomic<std::uint8_t>[]>(kSize / kPageSize)),
        states_(std::make_unique<std::atomic<std::uint32_t>[]>(kSize / kPageSize)),
        code_(std::make_unique<std::atomic<std::uint8_t>[]>(kSize / kPageSize)) {
    const auto start = reinterpret_cast<std::uintptr_t>(bytes_.data());
    storage_bytes_ = bytes_.data() + (kPageSize - start % kPageSize) % kPageSize;
    storage_.Replace({{.absolute = 0,
                       .size = kSize,
                       .bytes = storage_bytes_,
                       .keys = keys_.get(),
                       .states = states_.get(),
                       .code = code_.get()}});
    for (int i = 0; i < cpus; ++i) {
      cpus_.push_back(std::make_unique<Cpu>(model_, i, storage_, group_, *this));
      cpus_.back()->InitialReset();
    }
    // Supervisor calls (the end of each program) and program interruptions lead to a DIAG, which
    // the CPU leaves to its host.
    SetNewPsw(kSupervisorCallNew, kSupervisorCallHandler);
    SetNewPsw(kProgramNew, kProgramHandler);
  }

  Cpu& cpu(int number = 0) { return *cpus_[number]; }
  CpuGroup& group() { return group_; }
  std::atomic<std::uint8_t>& key(std::uint64_t absolute) { return keys_[absolute / kPageSize]; }

  template <typename T>
  T Get(std::uint64_t absolute) const {
    LETHE_CHECK(absolute + sizeof(T) <= kSize);
    return LoadBigEndian<T>(storage_bytes_ + absolute);
  }
  template <typename T>
  void Put(std::uint64_t absolute, T value) {
    LETHE_CHECK(absolute + sizeof(T) <= kSize);
    StoreBigEndian<T>(storage_bytes_ + absolute, value);
  }
  // Instructions as hexadecimal digits; spaces do not count.
  void PutText(std::uint64_t absolute, absl::string_view hex) {
    const std::string text = absl::HexStringToBytes(absl::StrReplaceAll(hex, {{" ", ""}}));
    for (const char c : text) Put<std::uint8_t>(absolute++, static_cast<std::uint8_t>(c));
  }

  // Runs a program, which stands in hexadecimal digits, with this PSW mask, up to its end. The
  // result is the code of the program interruption that ended it before, or kNone. `kInstruction`
  // exits in between are an error of the test.
  ProgramCode Run(absl::string_view hex, std::uint64_t mask = kSupervisor, int number = 0) {
    constexpr absl::string_view kEnd = "0a00";
    PutText(kProgram, std::string(hex) + std::string(kEnd));
    cpu(number).SetPsw({mask, kProgram});
    const Exit exit = cpu(number).Run();
    LETHE_CHECK(exit.reason == Exit::Reason::kInstruction && exit.ipa == 0x8300);
    const std::uint64_t end = cpu(number).registers().psw.address - 4;
    if (end == kSupervisorCallHandler) return ProgramCode::kNone;
    LETHE_CHECK(end == kProgramHandler);
    return static_cast<ProgramCode>(Get<std::uint16_t>(kProgramInterruptionCode));
  }

  // The PSW that the end of the program, or the program interruption, has stored.
  Psw EndPsw() const { return GetPsw(kSupervisorCallOld); }
  Psw ProgramOldPsw() const { return GetPsw(kProgramOld); }
  std::uint64_t TranslationException() const { return Get<std::uint64_t>(168); }
  // Condition code at the end of the program.
  int Cc() const { return static_cast<int>(EndPsw().mask >> 44 & 3); }

  Verdict ResolveSecureFault(Cpu&, std::uint64_t, SecureFault) override { return Verdict::kLeave; }
  Verdict OnAttention(Cpu&) override { return Verdict::kContinue; }

 private:
  static constexpr std::uint64_t kProgramInterruptionCode = 142;
  static constexpr std::uint64_t kSupervisorCallOld = 0x140;
  static constexpr std::uint64_t kProgramOld = 0x150;
  static constexpr std::uint64_t kSupervisorCallNew = 0x1c0;
  static constexpr std::uint64_t kProgramNew = 0x1d0;
  static constexpr std::uint64_t kSupervisorCallHandler = 0x600;
  static constexpr std::uint64_t kProgramHandler = 0x700;

  Psw GetPsw(std::uint64_t absolute) const {
    return {Get<std::uint64_t>(absolute), Get<std::uint64_t>(absolute + 8)};
  }
  void SetNewPsw(std::uint64_t absolute, std::uint64_t handler) {
    Put<std::uint64_t>(absolute, kSupervisor);
    Put<std::uint64_t>(absolute + 8, handler);
    PutText(handler, "83000000");
  }

  const CpuModel model_;
  std::vector<std::uint8_t> bytes_;
  std::uint8_t* storage_bytes_ = nullptr;
  std::unique_ptr<std::atomic<std::uint8_t>[]> keys_;
  std::unique_ptr<std::atomic<std::uint32_t>[]> states_;
  std::unique_ptr<std::atomic<std::uint8_t>[]> code_;
  GuestStorage storage_;
  CpuGroup group_;
  std::vector<std::unique_ptr<Cpu>> cpus_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_TEST_MACHINE_H_
