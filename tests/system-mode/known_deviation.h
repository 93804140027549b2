#ifndef LETHE_TESTS_SYSTEM_MODE_KNOWN_DEVIATION_H_
#define LETHE_TESTS_SYSTEM_MODE_KNOWN_DEVIATION_H_

#include "absl/strings/string_view.h"
#include "tests/system-mode/judged.h"

namespace lethe::system_mode {

// Where a witness ("qemu", "hercules") is known to deviate from the architecture, or the
// architecture leaves it open: why; empty if neither is known. Each rule names what differs and
// under which condition; everything else must agree. Where we are interrupted and the witness is
// not, what it did is not looked at, but ours must not have done anything (OursIsUntouched).
// docs/cpu-witnesses.md has the reasons.
absl::string_view KnownDeviation(absl::string_view witness, const Judged& judged);

}  // namespace lethe::system_mode

#endif  // LETHE_TESTS_SYSTEM_MODE_KNOWN_DEVIATION_H_
