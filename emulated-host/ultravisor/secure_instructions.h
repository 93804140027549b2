#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_SECURE_INSTRUCTIONS_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_SECURE_INSTRUCTIONS_H_

#include <cstdint>

namespace lethe::emulated::opcode {

// Instructions that stop a secure CPU: the one-byte opcode, or both bytes.
inline constexpr std::uint16_t kDiagnose = 0x83;
inline constexpr std::uint16_t kSignalProcessor = 0xae;
inline constexpr std::uint16_t kServiceCall = 0xb220;
inline constexpr std::uint16_t kTestPendingInterruption = 0xb236;
inline constexpr std::uint16_t kStoreHypervisorInformation = 0xb256;
inline constexpr std::uint16_t kChannelSubsystemCall = 0xb25f;
inline constexpr std::uint16_t kStoreSystemInformation = 0xb27d;
inline constexpr std::uint16_t kPerformTopologyFunction = 0xb9a2;
inline constexpr std::uint16_t kUltravisorCall = 0xb9a4;

}  // namespace lethe::emulated::opcode

namespace lethe::emulated {

// SIGP orders.
inline constexpr std::uint16_t kRestartOrder = 6;
inline constexpr std::uint16_t kStopAndStoreStatus = 9;
inline constexpr std::uint16_t kSetPrefixOrder = 13;
inline constexpr std::uint16_t kStoreStatusAtAddress = 14;
inline constexpr std::uint64_t kPrefixMask = 0x7fffe000;
inline constexpr std::uint64_t kStatusAddressMask = 0x7ffffe00;
inline constexpr std::uint64_t kStatusArea = 0x1200;  // absolute, of STOP AND STORE STATUS

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_SECURE_INSTRUCTIONS_H_
