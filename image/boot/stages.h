#ifndef LETHE_IMAGE_BOOT_STAGES_H_
#define LETHE_IMAGE_BOOT_STAGES_H_

#include <cstdint>

#include "absl/types/span.h"

namespace lethe {

// Boot stubs of protected images, assembled from stage3a.S and stage3b.S. Their last bytes are
// Stage3aArguments and Stage3bArguments, to be filled in.
absl::Span<const std::uint8_t> Stage3a();  // to be placed at kStage3aAddress
absl::Span<const std::uint8_t> Stage3b();  // at any address

}  // namespace lethe

#endif  // LETHE_IMAGE_BOOT_STAGES_H_
