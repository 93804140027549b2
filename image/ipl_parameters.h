#ifndef LETHE_IMAGE_IPL_PARAMETERS_H_
#define LETHE_IMAGE_IPL_PARAMETERS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/file.h"

namespace lethe {

// One part of a protected image in guest absolute storage.
struct ImageComponent {
  std::uint64_t tweak_prefix = 0;
  std::uint64_t address = 0;  // a multiple of pages, as is size
  std::uint64_t size = 0;

  friend bool operator==(const ImageComponent&, const ImageComponent&) = default;
};

// What a guest that wants to become protected says about itself: IPL parameter block, type 5.
struct IplParameters {
  std::uint64_t header_address = 0;
  std::uint64_t header_size = 0;
  std::vector<ImageComponent> components;  // in the order in which they are unpacked

  friend bool operator==(const IplParameters&, const IplParameters&) = default;
};

// Parses a block and makes every check that needs no guest memory: lengths, type, number of
// components, alignment, order of tweak prefixes, address arithmetic. The message of an error says
// which check failed; towards the guest all of them are DIAGNOSE 308 code 0x0402. `block` is a copy
// that nobody changes; bytes behind the block's own length are ignored.
absl::StatusOr<IplParameters> ParseIplParameters(absl::Span<const std::uint8_t> block);

// Are header and components inside [0, end)? For the end of guest memory or of a file.
absl::Status CheckInside(const IplParameters& parameters, std::uint64_t end);

// The block as pvimg writes it.
Bytes MakeIplBlock(const IplParameters& parameters);

}  // namespace lethe

#endif  // LETHE_IMAGE_IPL_PARAMETERS_H_
