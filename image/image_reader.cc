#include "image/image_reader.h"

#include <cstring>
#include <optional>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "image/header.h"

namespace lethe {
namespace {

struct Places {
  std::uint64_t header = 0;
  std::uint64_t ipl = 0;
};

bool HasHeaderAt(absl::Span<const std::uint8_t> file, std::uint64_t address) {
  return address < file.size() && file.size() - address >= sizeof(SecureHeader) &&
         LoadBigEndian<std::uint64_t>(file.data() + address) == kSecureHeaderMagic;
}

// pvimg says where things are.
std::optional<Places> FromMetadata(absl::Span<const std::uint8_t> file) {
  ImageMetadata metadata;
  if (file.size() < ImageMetadata::kAddress + sizeof(metadata)) return std::nullopt;
  std::memcpy(&metadata, file.data() + ImageMetadata::kAddress, sizeof(metadata));
  if (metadata.magic != ImageMetadata::kMagic || metadata.version != 1) return std::nullopt;
  return Places{metadata.header_offset, metadata.ipl_offset};
}

bool HasIplBlockAt(absl::Span<const std::uint8_t> file, std::uint64_t address) {
  const absl::Span<const std::uint8_t> rest = file.subspan(address);
  return rest.size() >= sizeof(ProtectedIplHeader) &&
         rest[offsetof(ProtectedIplHeader, block_type)] == kProtectedIplBlock &&
         ParseIplParameters(rest.first(std::min<std::size_t>(rest.size(), kImagePageSize))).ok();
}

// The C tool puts the parameter block on the last page before the header.
std::optional<Places> FromSearch(absl::Span<const std::uint8_t> file) {
  for (std::uint64_t page = kStage3aAddress; page < file.size(); page += kImagePageSize) {
    if (!HasHeaderAt(file, page)) continue;
    for (std::uint64_t ipl = page; ipl > kStage3aAddress;) {
      ipl -= kImagePageSize;
      if (HasIplBlockAt(file, ipl)) return Places{page, ipl};
    }
    return Places{page, 0};
  }
  return std::nullopt;
}

absl::StatusOr<Bytes> CopyHeader(absl::Span<const std::uint8_t> file, std::uint64_t address) {
  if (!HasHeaderAt(file, address)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("no Secure Execution header at %#x: the file is damaged", address));
  }
  const absl::Span<const std::uint8_t> rest = file.subspan(address);
  const std::uint32_t size =
      LoadBigEndian<std::uint32_t>(rest.data() + offsetof(SecureHeader, size));
  if (size < sizeof(SecureHeader) || size > kSecureHeaderLimit) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the Secure Execution header has an impossible size (%u bytes)", size));
  }
  if (size > rest.size()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the file ends inside the Secure Execution header (%u bytes missing)", size - rest.size()));
  }
  return Bytes(rest.begin(), rest.begin() + size);
}

}  // namespace

absl::StatusOr<ProtectedImage> ReadImage(absl::Span<const std::uint8_t> file) {
  std::optional<Places> places = FromMetadata(file);
  if (!places.has_value()) places = FromSearch(file);
  if (!places.has_value()) {
    return absl::NotFoundError("not a protected image: no Secure Execution header found");
  }
  ProtectedImage image;
  LETHE_ASSIGN_OR_RETURN(image.header, CopyHeader(file, places->header));
  if (places->ipl == 0 || places->ipl >= file.size() || places->ipl % kImagePageSize != 0) {
    return absl::InvalidArgumentError(
        "the image has no IPL parameter block: the file is damaged or truncated");
  }
  image.ipl_address = places->ipl;
  absl::Span<const std::uint8_t> block = file.subspan(places->ipl);
  block = block.first(std::min<std::size_t>(block.size(), kImagePageSize));
  LETHE_ASSIGN_OR_RETURN(image.parameters, ParseIplParameters(block));
  image.parameters.header_address = places->header;
  image.parameters.header_size = image.header.size();
  LETHE_RETURN_IF_ERROR(
      Annotate(CheckInside(image.parameters, file.size()), "damaged or truncated file"));
  return image;
}

bool LooksProtected(absl::Span<const std::uint8_t> file) {
  const std::optional<Places> places = FromMetadata(file);
  if (places.has_value()) return true;
  for (std::uint64_t page = kStage3aAddress; page < file.size(); page += kImagePageSize) {
    if (HasHeaderAt(file, page)) return true;
  }
  return false;
}

}  // namespace lethe
