#ifndef LETHE_EMULATED_HOST_CPU_PROGRAM_EVENT_H_
#define LETHE_EMULATED_HOST_CPU_PROGRAM_EVENT_H_

#include <cstdint>

#include "emulated-host/cpu/registers.h"

namespace lethe::emulated {

// Program-event recording (Principles of Operation, "Control", the section of that name):
// successful branching, instruction fetching with or without nullification, storage alteration with
// or without the storage-alteration-space control, store using real address. Not offered:
// zero-address detection, storage-key alteration, transaction end, which come with facilities of
// later machines.

// Control register 9.
struct PerControl : PswBits {
  static constexpr std::uint64_t kBranching = Bit(32);
  static constexpr std::uint64_t kFetching = Bit(33);
  static constexpr std::uint64_t kAlteration = Bit(34);
  static constexpr std::uint64_t kStoreReal = Bit(36);      // together with kAlteration
  static constexpr std::uint64_t kNullification = Bit(39);  // together with kFetching
  static constexpr std::uint64_t kBranchAddress = Bit(40);
  static constexpr std::uint64_t kAlterationSpace = Bit(42);
};

// The PER code, real location 150.
struct PerCode {
  static constexpr std::uint8_t kBranching = 0x80;
  static constexpr std::uint8_t kFetching = 0x40;
  static constexpr std::uint8_t kAlteration = 0x20;
  static constexpr std::uint8_t kStoreReal = 0x08;
  static constexpr std::uint8_t kNullification = 0x01;
};

// Addresses [first, last]; if first > last, all but those between them.
struct AddressRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  bool Has(std::uint64_t address) const {
    return first <= last ? first <= address && address <= last
                         : address >= first || address <= last;
  }
  // [address, address + length); length is not 0. Wraps.
  bool Meets(std::uint64_t address, std::uint64_t length) const {
    return Has(address) || first - address < length;
  }
};

// What one instruction has been recorded for; as real locations 150, 151, 152 and 161 have it.
struct ProgramEvents {
  std::uint8_t code = 0;
  std::uint8_t mode = 0;  // with the address-space identification in its right two bits
  std::uint8_t access = 0;
  std::uint64_t address = 0;
};

// What the CPU's host has recorded for itself, whatever the guest's PER does (KVM_SET_GUEST_DEBUG):
// in one range, as a second set of control registers 9 to 11. Nothing that the guest can see, but
// for the clock comparator.
struct DebugRequest {
  std::uint8_t events = 0;  // PerCode: kBranching (into the range), kFetching, kAlteration
  AddressRange range{};
  bool holds_clock_comparator = false;  // it does not interrupt meanwhile

  bool Empty() const { return events == 0; }
  bool Wants(std::uint8_t event) const { return (events & event) != 0; }
};

// What one instruction has been recorded for by a DebugRequest; the CPU has stopped behind it.
struct DebugEvent {
  std::uint8_t code = 0;      // as DebugRequest::events; 0: an interruption, see StopForDebug
  std::uint64_t address = 0;  // of the instruction
  std::uint64_t next = 0;     // where the program goes on
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_PROGRAM_EVENT_H_
