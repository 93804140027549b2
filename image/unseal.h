#ifndef LETHE_IMAGE_UNSEAL_H_
#define LETHE_IMAGE_UNSEAL_H_

#include <cstdint>
#include <variant>

#include "absl/types/span.h"
#include "image/cryptography.h"
#include "image/header.h"
#include "image/host_key.h"

namespace lethe {

// Why a header cannot be opened, in the order of the checks.
enum class HeaderRefusal : std::uint8_t {
  kLength,  // shorter than a header, or not as long as it says
  kMagic,
  kVersion,
  kNoKeySlots,
  kTooManyKeySlots,  // more than fit, given the size
  kEncryptedSize,    // does not fit the header's size, or an area this version does not know
  kPlaintextFlags,
  kCustomerKey,  // not a point of the curve
  kNoSlotForHost,
  kSlotTag,
  kHeaderTag,
  kSecretFlags,
};

// What a header says, once opened.
struct OpenedHeader {
  std::uint64_t pages = 0;
  std::uint64_t plaintext_flags = 0;
  Digest512 page_digest;
  Digest512 address_digest;
  Digest512 tweak_digest;
  EncryptedArea secrets;  // whoever keeps it cleanses it

  bool encrypted() const { return (plaintext_flags & kComponentsNotEncrypted) == 0; }
};

// Opens a header as the Ultravisor of the host with this key does. `header` is a copy that nobody
// changes.
std::variant<OpenedHeader, HeaderRefusal> OpenHeader(absl::Span<const std::uint8_t> header,
                                                     const HostKey& host_key);

}  // namespace lethe

#endif  // LETHE_IMAGE_UNSEAL_H_
