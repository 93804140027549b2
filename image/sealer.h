#ifndef LETHE_IMAGE_SEALER_H_
#define LETHE_IMAGE_SEALER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/file.h"
#include "image/cryptography.h"
#include "image/header.h"

namespace lethe {

// What goes into a protected image.
struct SealRequest {
  Bytes kernel;  // s390x Linux image (not ELF)
  std::optional<Bytes> initrd;
  std::string command_line;            // empty: the image has none
  std::vector<EllipticKey> host_keys;  // the hosts that may run it, from their documents
  std::uint64_t plaintext_flags = kDefaultPlaintextFlags;
  std::uint64_t secret_flags = 0;
  // Demanded by the owner of the guest to open dumps; made at random without one.
  std::optional<AesKey> customer_communication_key;
};

// Makes the image, laid out as pvimg does, with boot stubs of our own. InvalidArgument: the kernel
// is not an s390x Linux image, the command line too long for it, no host key, too many.
absl::StatusOr<Bytes> Seal(const SealRequest& request);

}  // namespace lethe

#endif  // LETHE_IMAGE_SEALER_H_
