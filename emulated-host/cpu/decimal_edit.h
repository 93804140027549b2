#ifndef LETHE_EMULATED_HOST_CPU_DECIMAL_EDIT_H_
#define LETHE_EMULATED_HOST_CPU_DECIMAL_EDIT_H_

// EDIT: digits of a packed source take the places that a pattern leaves for them (Principles of
// Operation, "EDIT").

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"

namespace lethe::emulated {

class EditSource {
 public:
  virtual ~EditSource() = default;
  // From left to right; called only for bytes that the pattern asks for.
  virtual std::uint8_t NextByte() = 0;
};

struct EditResult {
  bool valid = true;  // false: a source digit is not a digit; the pattern is half done
  std::uint8_t condition_code = 0;
  // Where in the result the last field's first significant digit is that significance was not
  // forced for.
  std::optional<std::size_t> first_significant;
};

// The result replaces the pattern.
EditResult Edit(absl::Span<std::uint8_t> pattern, EditSource& source);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_DECIMAL_EDIT_H_
