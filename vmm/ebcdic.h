#ifndef LETHE_VMM_EBCDIC_H_
#define LETHE_VMM_EBCDIC_H_

#include <string>

#include "absl/strings/string_view.h"

namespace lethe::vmm {

// Between ISO 8859-1 (of which ASCII is the lower half) and EBCDIC code page 500, byte by byte:
// the text of line-mode messages and of names in system information blocks.
std::string FromEbcdic(absl::string_view text);
std::string ToEbcdic(absl::string_view text);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_EBCDIC_H_
