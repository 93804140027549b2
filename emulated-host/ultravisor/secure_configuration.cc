#include "emulated-host/ultravisor/secure_configuration.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/big_endian.h"
#include "base/check.h"
#include "emulated-host/ultravisor/cipher.h"

namespace lethe::emulated {
namespace {

// Which page an encrypted page is: it cannot stand for another one.
struct PageIdentity {
  Be64 absolute;
  Be64 configuration;
};

GcmIv IvOf(std::uint64_t number) {
  GcmIv iv{};
  StoreBigEndian(iv.data() + iv.size() - sizeof(number), number);
  return iv;
}

}  // namespace

SecureConfiguration::SecureConfiguration(ConfigurationId id, const GuestStorage& storage,
                                         HostMapping& mapping)
    : id_(id), mapping_(mapping), page_cipher_(RandomCipher()) {
  for (const GuestStorage::Slot& slot : storage.slots()) {
    View view{slot.absolute, slot.size, mapping.FindByBytes(slot.bytes), 0, nullptr};
    LETHE_CHECK(view.region != nullptr);
    view.first_page = static_cast<std::size_t>(slot.bytes - view.region->bytes()) / kPageSize;
    for (const View& other : views_) {
      if (other.region == view.region) view.records = other.records;
    }
    if (!view.records) view.records = std::make_shared<ExportRecords>(view.region->pages());
    views_.push_back(std::move(view));
  }
}

SecureConfiguration::~SecureConfiguration() {
  if (header_.has_value()) {
    Cleanse(absl::MakeSpan(reinterpret_cast<std::uint8_t*>(&header_->secrets),
                           sizeof(header_->secrets)));
  }
}

bool SecureConfiguration::DumpAllowed() const {
  return phase() == Phase::kVerified && (header_->plaintext_flags & kDumpAllowed) != 0;
}

SecureConfiguration::Place SecureConfiguration::Find(std::uint64_t absolute) const {
  for (const View& view : views_) {
    const std::uint64_t offset = absolute - view.absolute;
    if (offset < view.size) return {&view, view.first_page + offset / kPageSize};
  }
  return {};
}

const SecureConfiguration::View& SecureConfiguration::ViewOf(const HostRegion& region,
                                                             std::size_t page) const {
  const auto shows = [&](const View& view) {
    return view.region == &region && page - view.first_page < view.size / kPageSize;
  };
  const auto view = std::find_if(views_.begin(), views_.end(), shows);
  LETHE_CHECK(view != views_.end());
  return *view;
}

void SecureConfiguration::Seal(HostRegion& region, std::size_t page) {
  const View& view = ViewOf(region, page);
  const auto bytes = absl::MakeSpan(region.bytes(page), kPageSize);
  const std::uint64_t number = ++exports_;
  const PageIdentity identity{AbsoluteOf(view, page), id_};
  const GcmTag tag = page_cipher_->Encrypt(IvOf(number), AsBytes(identity), bytes, bytes);
  view.records->FindOrMake(page) = {number, tag, true};
}

bool SecureConfiguration::Open(HostRegion& region, std::size_t page) {
  const View& view = ViewOf(region, page);
  ExportRecord* const record = view.records->Find(page);
  std::uint8_t* const bytes = region.bytes(page);
  if (record == nullptr || !record->exported) {
    if (view.records->owned.Has(page)) return false;
    std::memset(bytes, 0, kPageSize);
    view.records->owned.Set(page);
    return true;
  }
  // A copy: a client whose memory is private could change the page meanwhile.
  std::array<std::uint8_t, kPageSize> plain;
  std::memcpy(plain.data(), bytes, kPageSize);
  const PageIdentity identity{AbsoluteOf(view, page), id_};
  if (!page_cipher_->Decrypt(IvOf(record->number), AsBytes(identity), plain, record->tag,
                             absl::MakeSpan(plain))) {
    return false;
  }
  std::memcpy(bytes, plain.data(), kPageSize);
  record->exported = false;
  return true;
}

}  // namespace lethe::emulated
