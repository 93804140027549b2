#ifndef LETHE_IMAGE_IMAGE_READER_H_
#define LETHE_IMAGE_IMAGE_READER_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/file.h"
#include "image/ipl_parameters.h"

namespace lethe {

// Where the parts of a protected image file are; offsets in the file are guest absolute addresses.
struct ProtectedImage {
  std::uint64_t ipl_address = 0;
  IplParameters parameters;  // header address and size filled in, whoever made the file
  Bytes header;              // the Secure Execution header
};

// Finds them in files of genprotimg (C, up to s390-tools 2.35) and of pvimg. NotFound: not a
// protected image at all. InvalidArgument: one, but truncated or inconsistent.
absl::StatusOr<ProtectedImage> ReadImage(absl::Span<const std::uint8_t> file);

// Does the file hold a Secure Execution header? (For messages; says nothing about its soundness.)
bool LooksProtected(absl::Span<const std::uint8_t> file);

}  // namespace lethe

#endif  // LETHE_IMAGE_IMAGE_READER_H_
