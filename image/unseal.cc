#include "image/unseal.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace lethe {
namespace {

struct Layout {
  std::size_t slots_offset = 0;
  std::size_t encrypted_offset = 0;
  std::size_t tag_offset = 0;
};

std::optional<HeaderRefusal> CheckLayout(const SecureHeader& header, std::size_t size,
                                         Layout& layout) {
  if (header.magic != kSecureHeaderMagic) return HeaderRefusal::kMagic;
  if (header.version != kSecureHeaderVersion) return HeaderRefusal::kVersion;
  if (header.size != size || size > kSecureHeaderLimit) return HeaderRefusal::kLength;
  if (header.key_slots == 0) return HeaderRefusal::kNoKeySlots;
  if (header.key_slots > kKeySlotLimit) return HeaderRefusal::kTooManyKeySlots;
  if (header.encrypted_size != sizeof(EncryptedArea)) return HeaderRefusal::kEncryptedSize;
  layout.slots_offset = sizeof(SecureHeader);
  layout.encrypted_offset = layout.slots_offset + header.key_slots * sizeof(KeySlot);
  layout.tag_offset = layout.encrypted_offset + header.encrypted_size;
  if (layout.tag_offset + sizeof(GcmTag) != size) return HeaderRefusal::kLength;
  if ((header.plaintext_flags & ~kSupportedPlaintextFlags) != 0) {
    return HeaderRefusal::kPlaintextFlags;
  }
  return std::nullopt;
}

std::optional<KeySlot> FindSlot(absl::Span<const std::uint8_t> slots, const Digest256& host) {
  for (; !slots.empty(); slots.remove_prefix(sizeof(KeySlot))) {
    KeySlot slot;
    std::memcpy(&slot, slots.data(), sizeof(slot));
    if (slot.host_key == host) return slot;
  }
  return std::nullopt;
}

}  // namespace

std::variant<OpenedHeader, HeaderRefusal> OpenHeader(absl::Span<const std::uint8_t> bytes,
                                                     const HostKey& host_key) {
  SecureHeader header;
  if (bytes.size() < sizeof(header)) return HeaderRefusal::kLength;
  std::memcpy(&header, bytes.data(), sizeof(header));
  Layout layout;
  if (const auto refusal = CheckLayout(header, bytes.size(), layout)) return *refusal;

  const absl::StatusOr<EllipticKey> customer = EllipticKey::FromPoint(header.customer_key);
  if (!customer.ok()) return HeaderRefusal::kCustomerKey;
  const std::optional<KeySlot> slot =
      FindSlot(bytes.subspan(layout.slots_offset, layout.encrypted_offset - layout.slots_offset),
               host_key.hash());
  if (!slot.has_value()) return HeaderRefusal::kNoSlotForHost;
  absl::StatusOr<AesKey> wrapping_key = DeriveWrappingKey(host_key.key(), *customer);
  if (!wrapping_key.ok()) return HeaderRefusal::kCustomerKey;

  AesKey header_key;
  const bool unwrapped =
      AesGcm(*wrapping_key)
          .Decrypt(GcmIv{}, {}, slot->wrapped_key, slot->tag, absl::MakeSpan(header_key));
  Cleanse(absl::MakeSpan(*wrapping_key));
  if (!unwrapped) return HeaderRefusal::kSlotTag;

  GcmTag tag;
  std::copy_n(bytes.begin() + layout.tag_offset, tag.size(), tag.begin());
  std::array<std::uint8_t, sizeof(EncryptedArea)> plain;
  const bool opened = AesGcm(header_key)
                          .Decrypt(header.iv, bytes.first(layout.encrypted_offset),
                                   bytes.subspan(layout.encrypted_offset, plain.size()), tag,
                                   absl::MakeSpan(plain));
  Cleanse(absl::MakeSpan(header_key));
  if (!opened) return HeaderRefusal::kHeaderTag;

  OpenedHeader result{header.pages,          header.plaintext_flags, header.page_digest,
                      header.address_digest, header.tweak_digest,    {}};
  std::memcpy(&result.secrets, plain.data(), plain.size());
  Cleanse(absl::MakeSpan(plain));
  if (result.secrets.optional_items != 0) return HeaderRefusal::kEncryptedSize;
  if ((result.secrets.secret_flags & ~kSupportedSecretFlags) != 0) {
    return HeaderRefusal::kSecretFlags;
  }
  return result;
}

}  // namespace lethe
