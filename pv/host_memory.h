#ifndef LETHE_PV_HOST_MEMORY_H_
#define LETHE_PV_HOST_MEMORY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace lethe {

// How much memory the host has to spare; what cannot be learnt has no value.
struct HostMemory {
  std::optional<std::uint64_t> total_bytes = std::nullopt;
  std::optional<std::uint64_t> available_bytes = std::nullopt;
  // Share of the last ten seconds in which some task waited for memory, in percent.
  std::optional<double> pressure = std::nullopt;
};

// From the text of /proc/meminfo and /proc/pressure/memory (Documentation/accounting/psi.rst).
HostMemory ParseHostMemory(absl::string_view meminfo, absl::string_view pressure);

// As of now. `proc` is where procfs is mounted.
HostMemory ReadHostMemory(const std::string& proc = "/proc");

// How much memory of this process exists (RssAnon, RssShmem), in bytes: an upper limit of what its
// guest has touched, at the price of reading three counters.
std::optional<std::uint64_t> ReadResidentMemory(const std::string& proc = "/proc");

}  // namespace lethe

#endif  // LETHE_PV_HOST_MEMORY_H_
