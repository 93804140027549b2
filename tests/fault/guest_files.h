#ifndef LETHE_TESTS_FAULT_GUEST_FILES_H_
#define LETHE_TESTS_FAULT_GUEST_FILES_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "image/host_key.h"

namespace lethe {

// The program of guest.S as assembled, to be at 0x10000.
absl::Span<const std::uint8_t> FaultGuestCode();

namespace fault {

// What the guest prints if it comes to its end.
inline constexpr absl::string_view kFirstText = "first\n";
inline constexpr absl::string_view kSecondText = "second\n";
inline constexpr absl::string_view kAgainText = "again\n";

// The guest in four files: its first life, which ends with a reboot, and its second, which ends
// with a stopped CPU; as ordinary kernels and sealed for the host of `key`.
struct GuestFiles {
  struct Lives {
    std::string first;
    std::string second;
  };
  Lives ordinary;
  Lives sealed;

  // In an existing directory, which the caller removes.
  static absl::StatusOr<GuestFiles> Make(const std::string& directory, const HostKey& key);
};

}  // namespace fault
}  // namespace lethe

#endif  // LETHE_TESTS_FAULT_GUEST_FILES_H_
