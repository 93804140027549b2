#ifndef LETHE_BASE_FILE_H_
#define LETHE_BASE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace lethe {

using Bytes = std::vector<std::uint8_t>;

// The whole of a regular file. Errors name the file and say what was wrong: missing, no
// permission, not a regular file, larger than `limit` bytes.
absl::StatusOr<Bytes> ReadFile(const std::string& path, std::size_t limit);

// Writes `content` to a temporary neighbour and renames it to `path`: readers see all or nothing.
absl::Status WriteFile(const std::string& path, absl::Span<const std::uint8_t> content,
                       unsigned mode = 0644);

}  // namespace lethe

#endif  // LETHE_BASE_FILE_H_
