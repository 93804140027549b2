#include "pv/ipl_parameter_block.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/big_endian.h"
#include "image/header.h"

namespace lethe {
namespace {

// What all blocks begin with, whatever their type.
struct BlockStart {
  Be32 length;
  std::uint8_t flags;
  std::uint8_t reserved[2];
  std::uint8_t version;
  Be32 block_length;
  std::uint8_t type;
};
static_assert(sizeof(BlockStart) == 13);

constexpr std::uint8_t kFcp = 0;
constexpr std::uint8_t kCcw = 2;
constexpr std::uint32_t kFcpLength = 384;
constexpr std::uint32_t kCcwLength = 200;

Bytes Prefix(absl::Span<const std::uint8_t> block, std::uint32_t length) {
  return Bytes(block.begin(), block.begin() + length);
}

}  // namespace

IplCode IplParameterBlocks::Refuse(std::string why) {
  refusal_ = std::move(why);
  return IplCode::kInvalidBlock;
}

IplCode IplParameterBlocks::SetOrdinary(absl::Span<const std::uint8_t> block) {
  BlockStart start;
  if (block.size() < sizeof(start)) return Refuse("IPL parameter block: too short");
  std::memcpy(&start, block.data(), sizeof(start));
  const std::uint32_t length = start.length;
  if (length > block.size() || length > kImagePageSize)
    return Refuse(absl::StrFormat("IPL parameter block: length %u", length));
  if (start.type != kFcp && start.type != kCcw)
    return Refuse(absl::StrFormat("IPL parameter block: type %u", start.type));
  if (length < (start.type == kFcp ? kFcpLength : kCcwLength))
    return Refuse(
        absl::StrFormat("IPL parameter block: type %u with length %u", start.type, length));
  ordinary_ = Prefix(block, length);
  return IplCode::kGood;
}

IplCode IplParameterBlocks::SetProtected(absl::Span<const std::uint8_t> block) {
  absl::StatusOr<IplParameters> parameters = ParseIplParameters(block);
  if (!parameters.ok()) return Refuse(std::string(parameters.status().message()));
  if (parameters->header_size == 0) return Refuse("IPL parameter block: empty header");
  if (absl::Status inside = CheckInside(*parameters, storage_size_); !inside.ok())
    return Refuse(std::string(inside.message()));
  const std::uint32_t length = LoadBigEndian<std::uint32_t>(block.data());
  protected_ = Protected{Prefix(block, length), *std::move(parameters)};
  return IplCode::kGood;
}

}  // namespace lethe
