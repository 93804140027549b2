#include "emulated-host/ultravisor/tiny_image.h"

#include <cstring>

#include "base/big_endian.h"
#include "base/check.h"
#include "emulated-host/ultravisor/cipher.h"

namespace lethe::emulated {
namespace {

template <typename T>
void Append(Bytes& to, const T& value) {
  const ByteSpan bytes = AsBytes(value);
  to.insert(to.end(), bytes.begin(), bytes.end());
}

KeySlot MakeSlot(const EllipticKey& customer, const HostKey& host, const AesKey& header_key) {
  const absl::StatusOr<AesKey> wrapping_key = DeriveWrappingKey(customer, host.key());
  LETHE_CHECK(wrapping_key.ok());
  KeySlot slot;
  slot.host_key = host.hash();
  slot.tag =
      AesGcm(*wrapping_key).Encrypt(GcmIv{}, {}, header_key, absl::MakeSpan(slot.wrapped_key));
  return slot;
}

}  // namespace

TinyImage::TinyImage(const HostKey& host, const std::vector<std::uint64_t>& addresses,
                     const std::function<std::uint64_t(std::size_t)>& fill)
    : host_(host) {
  FillRandom(absl::MakeSpan(header_key_));
  FillRandom(absl::MakeSpan(parts_.secrets.component_key));
  const EllipticKey customer = EllipticKey::Generate();
  SecureHeader& header = parts_.header;
  header.magic = kSecureHeaderMagic;
  header.version = kSecureHeaderVersion;
  header.encrypted_size = sizeof(EncryptedArea);
  header.pages = addresses.size();
  header.plaintext_flags = kDefaultPlaintextFlags;
  header.customer_key = customer.point();
  RunningSha512 contents, places, tweaks;
  const AesXts cipher(parts_.secrets.component_key);
  for (std::size_t n = 0; n < addresses.size(); ++n) {
    Page page{addresses[n], {std::uint64_t{n + 1} << 48, 0}, Bytes(kPageSize)};
    for (std::size_t at = 0; at < kPageSize; at += 8) {
      StoreBigEndian(page.content.data() + at, fill(n));
    }
    LETHE_CHECK(cipher.Encrypt(page.tweak, page.content, absl::MakeSpan(page.content)));
    contents.Update(page.content);
    places.Update(AsBytes(Be64(page.absolute)));
    tweaks.Update(AsBytes(page.tweak));
    pages_.push_back(std::move(page));
  }
  header.page_digest = contents.Value();
  header.address_digest = places.Value();
  header.tweak_digest = tweaks.Value();
  parts_.slots = {MakeSlot(customer, host, header_key_)};
  header_ = SealChanged([](Parts&) {});
}

Bytes TinyImage::SealChanged(const std::function<void(Parts&)>& change) const {
  Parts parts = parts_;
  FillRandom(absl::MakeSpan(parts.header.iv));
  parts.header.key_slots = parts.slots.size();
  parts.header.size =
      static_cast<std::uint32_t>(sizeof(SecureHeader) + parts.slots.size() * sizeof(KeySlot) +
                                 sizeof(EncryptedArea) + sizeof(GcmTag));
  change(parts);
  Bytes bytes;
  Append(bytes, parts.header);
  for (const KeySlot& slot : parts.slots) Append(bytes, slot);
  EncryptedArea sealed;
  const GcmTag tag =
      AesGcm(header_key_)
          .Encrypt(parts.header.iv, bytes, AsBytes(parts.secrets),
                   absl::MakeSpan(reinterpret_cast<std::uint8_t*>(&sealed), sizeof(sealed)));
  Append(bytes, sealed);
  Append(bytes, tag);
  return bytes;
}

}  // namespace lethe::emulated
