#ifndef LETHE_EMULATED_HOST_CPU_ADDRESS_SPACES_H_
#define LETHE_EMULATED_HOST_CPU_ADDRESS_SPACES_H_

#include <cstdint>
#include <optional>

#include "emulated-host/cpu/asn_translation.h"
#include "emulated-host/cpu/cpu.h"

namespace lethe::emulated {

// The primary and secondary address spaces in control registers 1, 3, 4, 5 and 7, which PROGRAM
// CALL, PROGRAM RETURN and PROGRAM TRANSFER replace. Values are prepared here while exceptions can
// still occur, and loaded at once.
class AddressSpaces {
 public:
  explicit AddressSpaces(Cpu& cpu);

  std::uint16_t primary_asn() const { return static_cast<std::uint16_t>(cr4_); }
  std::uint16_t secondary_asn() const { return static_cast<std::uint16_t>(cr3_); }
  std::uint16_t key_mask() const { return static_cast<std::uint16_t>(cr3_ >> 16); }
  std::uint16_t authorization_index() const { return static_cast<std::uint16_t>(cr4_ >> 16); }

  void set_key_mask(std::uint16_t mask);
  // The space of `entry`, by its number, becomes the primary one.
  void SetPrimary(std::uint16_t asn, const AsnSecondTableEntry& entry);
  void SetSecondary(std::uint16_t asn, std::uint64_t asce);
  void SetSecondaryToPrimary() { SetSecondary(primary_asn(), cr1_); }

  void Load() const;
  // The space-switch event that is to be presented now that the instruction is complete: one of the
  // two spaces asks for it, or a PER event is to be indicated.
  std::optional<ProgramInterruption> Event() const;

 private:
  Cpu& cpu_;
  std::uint64_t cr1_;
  std::uint64_t cr3_;
  std::uint64_t cr4_;
  std::uint64_t cr5_;
  std::uint64_t cr7_;
  std::optional<ProgramInterruption> switch_;  // the event, should it occur
  bool is_asked_for_ = false;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_ADDRESS_SPACES_H_
