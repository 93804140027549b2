#ifndef LETHE_EMULATED_HOST_CPU_REGISTERS_H_
#define LETHE_EMULATED_HOST_CPU_REGISTERS_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace lethe::emulated {

// Bit numbers of the manual: 0 is leftmost.
struct PswBits {
  static constexpr std::uint64_t Bit(int number) { return std::uint64_t{1} << (63 - number); }
};

// Program-status word, z/Architecture (Principles of Operation, "Control", PSW format).
struct Psw : PswBits {
  static constexpr std::uint64_t kPer = Bit(1);
  static constexpr std::uint64_t kDat = Bit(5);
  static constexpr std::uint64_t kInputOutput = Bit(6);
  static constexpr std::uint64_t kExternal = Bit(7);
  static constexpr std::uint64_t kKeyMask = std::uint64_t{0xf} << 52;  // bits 8-11
  static constexpr std::uint64_t kShort = Bit(12);
  static constexpr std::uint64_t kMachineCheck = Bit(13);
  static constexpr std::uint64_t kWait = Bit(14);
  static constexpr std::uint64_t kProblemState = Bit(15);
  static constexpr std::uint64_t kAddressSpaceMask = std::uint64_t{3} << 46;   // bits 16-17
  static constexpr std::uint64_t kConditionCodeMask = std::uint64_t{3} << 44;  // bits 18-19
  static constexpr std::uint64_t kProgramMask = std::uint64_t{0xf} << 40;      // bits 20-23
  static constexpr std::uint64_t kExtendedAddressing = Bit(31);
  static constexpr std::uint64_t kBasicAddressing = Bit(32);

  constexpr Psw() = default;
  constexpr Psw(std::uint64_t psw_mask, std::uint64_t psw_address)
      : mask(psw_mask), address(psw_address) {}

  std::uint64_t mask = 0;
  std::uint64_t address = 0;

  friend bool operator==(const Psw& a, const Psw& b) {
    return a.mask == b.mask && a.address == b.address;
  }
};

enum class AddressSpace : std::uint8_t {
  kPrimary = 0,
  kAccessRegister = 1,
  kSecondary = 2,
  kHome = 3
};

// The number that stands for "no register" in a decoded instruction's base and index fields, so
// that forming an address needs no decision.
inline constexpr int kZeroRegister = 16;

// The registers of one CPU that programs and the host can see. Host integers, no byte order.
struct Registers {
  Psw psw;  // the condition code inside is current only outside Cpu::Run
  std::array<std::uint64_t, 16> general{};
  std::uint64_t zero = 0;  // read as general register kZeroRegister: no base, no index
  std::array<std::uint32_t, 16> access{};
  std::array<std::uint64_t, 16> control{};
  std::array<std::uint64_t, 16> floating_point{};
  std::uint32_t floating_point_control = 0;
  std::uint32_t prefix = 0;
  std::uint32_t tod_programmable = 0;
  std::uint64_t clock_comparator = 0;
  std::uint64_t program_parameter = 0;
  std::uint64_t breaking_event_address = 0;
};
static_assert(offsetof(Registers, zero) ==
              offsetof(Registers, general) + kZeroRegister * sizeof(std::uint64_t));

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_REGISTERS_H_
