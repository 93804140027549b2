#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_TINY_IMAGE_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_TINY_IMAGE_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "base/file.h"
#include "emulated-host/storage/guest_storage.h"
#include "image/cryptography.h"
#include "image/header.h"
#include "image/host_key.h"

namespace lethe::emulated {

// For tests: an image of a few single pages, and the header that fits it (or does not, as the test
// wants).
class TinyImage {
 public:
  struct Page {
    std::uint64_t absolute;
    PageTweak tweak;
    Bytes content;  // as the host stores it: encrypted
  };
  // What a header says before it is sealed; the size is set afterwards.
  struct Parts {
    SecureHeader header;
    std::vector<KeySlot> slots;
    EncryptedArea secrets;
  };

  // One page for each address; page n is filled with the bytes of fill(n), again and again.
  TinyImage(const HostKey& host, const std::vector<std::uint64_t>& addresses,
            const std::function<std::uint64_t(std::size_t)>& fill);

  const std::vector<Page>& pages() const { return pages_; }
  // The good one.
  const Bytes& header() const { return header_; }
  // A header whose parts were changed before its tag was made: all is well but for the change.
  Bytes SealChanged(const std::function<void(Parts&)>& change) const;

 private:
  const HostKey host_;
  AesKey header_key_;
  Parts parts_{};
  std::vector<Page> pages_;
  Bytes header_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_TINY_IMAGE_H_
