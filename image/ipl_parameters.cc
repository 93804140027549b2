#include "image/ipl_parameters.h"

#include <cstring>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "image/header.h"

namespace lethe {
namespace {

// The block's first field does not belong to block 0.
constexpr std::uint32_t kBlockZero = offsetof(ProtectedIplHeader, block_length);

template <typename... Arguments>
absl::Status Invalid(const absl::FormatSpec<Arguments...>& format, const Arguments&... arguments) {
  return absl::InvalidArgumentError("IPL parameter block: " +
                                    absl::StrFormat(format, arguments...));
}

absl::Status CheckComponent(const ImageComponent& component, std::size_t number) {
  if (component.address % kImagePageSize != 0 || component.size % kImagePageSize != 0) {
    return Invalid("component %u (address %#x, size %#x) is not made of pages", number,
                   component.address, component.size);
  }
  if (component.size == 0) return Invalid("component %u is empty", number);
  if (component.address + component.size < component.address) {
    return Invalid("component %u (address %#x, size %#x) wraps around", number, component.address,
                   component.size);
  }
  return absl::OkStatus();
}

absl::Status CheckHeader(const ProtectedIplHeader& header, std::size_t available) {
  if (header.block_type != kProtectedIplBlock) {
    return Invalid("type %u is not that of a protected guest (5)", header.block_type);
  }
  if (header.length > kImagePageSize) return Invalid("length %u exceeds a page", +header.length);
  if (header.length > available) {
    return Invalid("length %u, but there are %u bytes", +header.length, available);
  }
  if (header.components == 0) return Invalid("no components");
  if (header.components > kIplComponentLimit ||
      sizeof(ProtectedIplHeader) + header.components * sizeof(ProtectedIplComponent) >
          header.length) {
    return Invalid("%u components do not fit into %u bytes", +header.components, +header.length);
  }
  if (header.header_size > kSecureHeaderLimit) {
    return Invalid("header size %u exceeds %u", +header.header_size, kSecureHeaderLimit);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<IplParameters> ParseIplParameters(absl::Span<const std::uint8_t> block) {
  ProtectedIplHeader header;
  if (block.size() < sizeof(header)) return Invalid("only %u bytes", block.size());
  std::memcpy(&header, block.data(), sizeof(header));
  LETHE_RETURN_IF_ERROR(CheckHeader(header, block.size()));

  IplParameters parameters;
  parameters.header_address = header.header_address;
  parameters.header_size = header.header_size;
  for (std::uint32_t i = 0; i < header.components; ++i) {
    ProtectedIplComponent raw;
    std::memcpy(&raw, block.data() + sizeof(header) + i * sizeof(raw), sizeof(raw));
    const ImageComponent component{raw.tweak_prefix, raw.address, raw.size};
    LETHE_RETURN_IF_ERROR(CheckComponent(component, i));
    if (i > 0 && component.tweak_prefix <= parameters.components.back().tweak_prefix) {
      return Invalid("tweak prefix of component %u does not grow", i);
    }
    parameters.components.push_back(component);
  }
  return parameters;
}

absl::Status CheckInside(const IplParameters& parameters, std::uint64_t end) {
  const auto inside = [end](std::uint64_t address, std::uint64_t size) {
    return size <= end && address <= end - size;
  };
  if (!inside(parameters.header_address, parameters.header_size)) {
    return Invalid("header at %#x is outside (end %#x)", parameters.header_address, end);
  }
  for (const ImageComponent& component : parameters.components) {
    if (!inside(component.address, component.size)) {
      return Invalid("component at %#x (size %#x) is outside (end %#x)", component.address,
                     component.size, end);
    }
  }
  return absl::OkStatus();
}

Bytes MakeIplBlock(const IplParameters& parameters) {
  const std::size_t count = parameters.components.size();
  ProtectedIplHeader header{};
  Bytes block(sizeof(header) + count * sizeof(ProtectedIplComponent));
  header.length = static_cast<std::uint32_t>(block.size());
  header.version = 1;
  header.block_length = static_cast<std::uint32_t>(block.size() - kBlockZero);
  header.block_type = kProtectedIplBlock;
  header.block_version = 1;
  header.components = static_cast<std::uint32_t>(count);
  header.header_address = parameters.header_address;
  header.header_size = parameters.header_size;
  std::memcpy(block.data(), &header, sizeof(header));
  std::uint8_t* next = block.data() + sizeof(header);
  for (const ImageComponent& component : parameters.components) {
    const ProtectedIplComponent raw{component.tweak_prefix, component.address, component.size};
    std::memcpy(next, &raw, sizeof(raw));
    next += sizeof(raw);
  }
  return block;
}

}  // namespace lethe
