#ifndef LETHE_EMULATED_HOST_CPU_CPU_PRIVATE_H_
#define LETHE_EMULATED_HOST_CPU_CPU_PRIVATE_H_

// What only the files of the CPU core share.

#include "emulated-host/cpu/code_cache.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/cpu_group.h"
#include "emulated-host/cpu/instruction_set.h"

namespace lethe::emulated {

// Thrown when CpuHost said kLeave in the middle of an instruction, which has done nothing.
struct LeaveRun {};

// Bits of control register 0.
inline constexpr std::uint64_t kLowAddressProtection = Psw::Bit(35);
inline constexpr std::uint64_t kFetchProtectionOverride = Psw::Bit(38);
inline constexpr std::uint64_t kStorageProtectionOverride = Psw::Bit(39);
inline constexpr std::uint64_t kEnhancedDat = Psw::Bit(40);
inline constexpr std::uint64_t kAfpRegisters = Psw::Bit(45);
inline constexpr std::uint64_t kClockComparatorMask = Psw::Bit(52);
inline constexpr std::uint64_t kCpuTimerMask = Psw::Bit(53);

// Bits of an address-space-control element.
inline constexpr std::uint64_t kPrivateSpace = 0x100;
inline constexpr std::uint64_t kRealSpace = 0x20;

// Bits of a storage key as ISKE shows it.
inline constexpr std::uint8_t kKeyFetchProtected = 0x08;
inline constexpr std::uint8_t kKeyReferenced = 0x04;
inline constexpr std::uint8_t kKeyChanged = 0x02 | kLoggedStore;

// Facilities that the core itself knows.
inline constexpr Facility kEnhancedDatFacility = 8;
inline constexpr Facility kFetchStoreIndicationFacility = 75;

// Early PSW specification exceptions: bits that must be zero, modes that do not exist, an address
// beyond the addressing mode.
bool IsValid(const Psw& psw);

struct Cpu::CodePageEntry {
  std::uint64_t address = 1;  // of the logical page; odd: empty
  std::uint32_t context = 0;
  CodeCache::Page* page = nullptr;
};

class Cpu::Inside {
 public:
  explicit Inside(Cpu& cpu) : cpu_(cpu), entered_(!cpu.inside_) {
    if (entered_) cpu_.EnterGuest();
  }
  ~Inside() {
    if (entered_) cpu_.LeaveGuest();
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  Cpu& cpu_;
  const bool entered_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_CPU_PRIVATE_H_
