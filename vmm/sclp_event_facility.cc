#include "vmm/sclp_event_facility.h"

#include <algorithm>
#include <cstring>

namespace lethe::vmm {
namespace {

constexpr std::size_t kMaximumMaskLength = 1021;
constexpr std::uint8_t kProcessed = 0x80;
constexpr std::uint8_t kVariableLengthResponse = 0x80;  // in the last byte of the control mask
constexpr std::uint8_t kUnconditionalRead = 0;
constexpr std::uint8_t kSelectiveRead = 1;

constexpr std::uint64_t MaskBit(std::uint8_t type) { return std::uint64_t{1} << (64 - type); }

// Masks in control blocks are as long as the guest says; the types we know fit into 64 bits.
std::uint64_t LoadMask(absl::Span<const std::uint8_t> bytes) {
  std::array<std::uint8_t, 8> head{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), head.size()), head.begin());
  return LoadBigEndian<std::uint64_t>(head.data());
}

void StoreMask(absl::Span<std::uint8_t> bytes, std::uint64_t mask) {
  std::array<std::uint8_t, 8> head;
  StoreBigEndian(head.data(), mask);
  std::fill(bytes.begin(), bytes.end(), 0);
  std::copy_n(head.begin(), std::min(bytes.size(), head.size()), bytes.begin());
}

template <typename T>
T Load(absl::Span<const std::uint8_t> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

template <typename T>
void Store(absl::Span<std::uint8_t> bytes, const T& value) {
  std::memcpy(bytes.data(), &value, sizeof(value));
}

struct EventMaskBlock {
  SccbHeader header;
  Be16 reserved;
  Be16 mask_length;
  // Then four masks: guest receives, guest sends, SCLP receives, SCLP sends.
};
static_assert(sizeof(EventMaskBlock) == 12);

}  // namespace

std::uint64_t SclpEventFacility::OfferedToGuest() const {
  std::uint64_t mask = 0;
  for (const SclpEventType& type : types_)
    if (type.source != nullptr) mask |= MaskBit(type.number);
  return mask;
}

std::uint64_t SclpEventFacility::AcceptedFromGuest() const {
  std::uint64_t mask = 0;
  for (const SclpEventType& type : types_)
    if (type.sink != nullptr) mask |= MaskBit(type.number);
  return mask;
}

SclpResponse SclpEventFacility::WriteEventMask(absl::Span<std::uint8_t> sccb) {
  if (sccb.size() < sizeof(EventMaskBlock)) return SclpResponse::kInsufficientLength;
  const std::size_t length = Load<EventMaskBlock>(sccb).mask_length;
  if (length == 0 || length > kMaximumMaskLength) return SclpResponse::kInvalidMaskLength;
  if (sccb.size() < sizeof(EventMaskBlock) + 4 * length) return SclpResponse::kInsufficientLength;

  const absl::Span<std::uint8_t> masks = sccb.subspan(sizeof(EventMaskBlock));
  {
    std::lock_guard lock(mutex_);
    guest_receives_ = LoadMask(masks.subspan(0, length));
    mask_length_ = length;
  }
  StoreMask(masks.subspan(2 * length, length), AcceptedFromGuest());
  StoreMask(masks.subspan(3 * length, length), OfferedToGuest());
  return SclpResponse::kNormalCompletion;
}

SclpResponse SclpEventFacility::ReadEventData(absl::Span<std::uint8_t> sccb) {
  auto header = Load<SccbHeader>(sccb);
  std::uint64_t selected;
  {
    std::lock_guard lock(mutex_);
    selected = guest_receives_;
    if (header.function_code == kSelectiveRead) {
      const absl::Span<const std::uint8_t> body = sccb.subspan(sizeof(SccbHeader));
      selected = LoadMask(body.subspan(0, std::min(mask_length_, body.size())));
      if (guest_receives_ == 0 || (selected & ~guest_receives_) != 0)
        return SclpResponse::kInvalidSelectionMask;
    } else if (header.function_code != kUnconditionalRead) {
      return SclpResponse::kInvalidFunction;
    }
  }
  std::size_t used = sizeof(SccbHeader);
  for (const SclpEventType& type : types_) {
    if (type.source == nullptr || (selected & MaskBit(type.number)) == 0) continue;
    if (sccb.size() - used <= sizeof(EventBufferHeader)) break;
    const auto content = type.source->Take(sccb.size() - used - sizeof(EventBufferHeader));
    if (!content) continue;
    EventBufferHeader event;
    event.length = static_cast<std::uint16_t>(sizeof(event) + content->size());
    event.type = type.number;
    event.flags = kProcessed;
    Store(sccb.subspan(used), event);
    std::copy(content->begin(), content->end(), sccb.begin() + used + sizeof(event));
    used += event.length;
  }
  if (used == sizeof(SccbHeader)) return SclpResponse::kNoEventBuffers;
  if ((header.control_mask[2] & kVariableLengthResponse) != 0) {
    header.control_mask[2] &= static_cast<std::uint8_t>(~kVariableLengthResponse);
    header.length = static_cast<std::uint16_t>(used);
    Store(sccb, header);
  }
  return SclpResponse::kNormalCompletion;
}

SclpResponse SclpEventFacility::WriteEventData(absl::Span<std::uint8_t> sccb) {
  absl::Span<std::uint8_t> rest = sccb.subspan(sizeof(SccbHeader));
  if (rest.empty()) return SclpResponse::kInsufficientLength;
  while (!rest.empty()) {
    if (rest.size() < sizeof(EventBufferHeader)) return SclpResponse::kInconsistentLengths;
    const std::size_t length = Load<EventBufferHeader>(rest).length;
    if (length < sizeof(EventBufferHeader)) return SclpResponse::kEventBufferSyntax;
    if (length > rest.size()) return SclpResponse::kInconsistentLengths;
    const SclpResponse response = AcceptBuffer(rest.subspan(0, length));
    if (response != SclpResponse::kNormalCompletion) return response;
    rest.remove_prefix(length);
  }
  return SclpResponse::kNormalCompletion;
}

SclpResponse SclpEventFacility::AcceptBuffer(absl::Span<std::uint8_t> buffer) {
  auto header = Load<EventBufferHeader>(buffer);
  const auto type = std::find_if(types_.begin(), types_.end(), [&](const SclpEventType& row) {
    return row.number == header.type && row.sink != nullptr;
  });
  if (type == types_.end()) return SclpResponse::kInvalidFunction;
  type->sink->Accept(buffer.subspan(sizeof(header)));
  header.flags |= kProcessed;
  Store(buffer, header);
  return SclpResponse::kNormalCompletion;
}

bool SclpEventFacility::EventPending() const {
  std::lock_guard lock(mutex_);
  return std::any_of(types_.begin(), types_.end(), [&](const SclpEventType& type) {
    return (guest_receives_ & MaskBit(type.number)) != 0 && type.source != nullptr &&
           type.source->Pending();
  });
}

bool SclpEventFacility::Listening(std::uint8_t type) const {
  std::lock_guard lock(mutex_);
  return (guest_receives_ & MaskBit(type)) != 0;
}

void SclpEventFacility::Reset() {
  std::lock_guard lock(mutex_);
  guest_receives_ = 0;
  mask_length_ = 4;
}

}  // namespace lethe::vmm
