#ifndef LETHE_EMULATED_HOST_CPU_FACILITY_LIST_H_
#define LETHE_EMULATED_HOST_CPU_FACILITY_LIST_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "emulated-host/cpu/instruction.h"
#include "emulated-host/storage/page_state.h"

namespace lethe::emulated {

// Facilities whose bit depends on whether the guest is a protected one.
inline constexpr Facility kUltravisorCall = 158;  // the guest may call the Ultravisor
inline constexpr Facility kUnpack = 161;          // the guest may ask to become a protected one

// A set of facility bits, as STORE FACILITY LIST EXTENDED stores it (Principles of Operation,
// "Facility Indications"): bit 0 is the leftmost of doubleword 0.
class FacilityList {
 public:
  static constexpr std::size_t kDoublewords = 4;  // bits 0-255

  constexpr FacilityList() = default;
  constexpr FacilityList(std::initializer_list<Facility> facilities) {
    for (const Facility facility : facilities) Set(facility, true);
  }

  // Bits from 256 on are zero and stay so.
  constexpr bool Has(Facility facility) const {
    return facility < 64 * kDoublewords && (words_[facility / 64] & Mask(facility)) != 0;
  }
  constexpr void Set(Facility facility, bool offered) {
    if (facility >= 64 * kDoublewords) return;
    std::uint64_t& word = words_[facility / 64];
    word = offered ? word | Mask(facility) : word & ~Mask(facility);
  }

  // Doubleword `index` of the list; zero from kDoublewords on.
  constexpr std::uint64_t Doubleword(std::size_t index) const {
    return index < kDoublewords ? words_[index] : 0;
  }
  constexpr void SetDoubleword(std::size_t index, std::uint64_t word) {
    if (index < kDoublewords) words_[index] = word;
  }

  // How many doublewords it takes to show all bits that are one; at least 1.
  constexpr std::size_t SignificantDoublewords() const {
    std::size_t count = kDoublewords;
    while (count > 1 && words_[count - 1] == 0) --count;
    return count;
  }

  friend constexpr bool operator==(const FacilityList&, const FacilityList&) = default;

 private:
  static constexpr std::uint64_t Mask(Facility facility) {
    return std::uint64_t{1} << (63 - facility % 64);
  }

  std::array<std::uint64_t, kDoublewords> words_{};
};

// What a guest sees of `offered` (the list of its CPU model). A protected guest may call the
// Ultravisor; an ordinary one may unpack itself if the model says that the host can do it.
FacilityList FacilitiesOf(const FacilityList& offered, ConfigurationId configuration);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_FACILITY_LIST_H_
