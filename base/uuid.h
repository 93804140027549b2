#ifndef LETHE_BASE_UUID_H_
#define LETHE_BASE_UUID_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lethe {

using Uuid = std::array<std::uint8_t, 16>;

// "6ba7b810-9dad-41d1-80b4-00c04fd430c8", in either case.
absl::StatusOr<Uuid> ParseUuid(absl::string_view text);
std::string FormatUuid(const Uuid& uuid);
// Version 4 (RFC 4122).
Uuid RandomUuid();

}  // namespace lethe

#endif  // LETHE_BASE_UUID_H_
