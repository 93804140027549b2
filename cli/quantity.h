#ifndef LETHE_CLI_QUANTITY_H_
#define LETHE_CLI_QUANTITY_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lethe {

// "512M", "4G", "4GiB", "1T": bytes; a plain number means MiB, as with QEMU's -m.
absl::StatusOr<std::uint64_t> ParseMemorySize(absl::string_view text);

// "0", "250ns", "1us", "2.5ms", "1s".
absl::StatusOr<std::chrono::nanoseconds> ParseDuration(absl::string_view text);

// "3.1 ms", "750 us", "12.0 s": three digits and a unit that a person reads at a glance.
std::string FormatDuration(std::chrono::nanoseconds duration);

// "2.1 GiB", "64 MiB", "4 KiB".
std::string FormatSize(std::uint64_t bytes);

}  // namespace lethe

#endif  // LETHE_CLI_QUANTITY_H_
