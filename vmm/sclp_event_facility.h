#ifndef LETHE_VMM_SCLP_EVENT_FACILITY_H_
#define LETHE_VMM_SCLP_EVENT_FACILITY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/big_endian.h"
#include "base/file.h"

namespace lethe::vmm {

enum class SclpResponse : std::uint16_t {
  kNormalReadCompletion = 0x0010,
  kNormalCompletion = 0x0020,
  kBoundaryViolation = 0x0100,
  kInvalidCommand = 0x01f0,
  kInsufficientLength = 0x0300,
  kInvalidFunction = 0x40f0,
  kNoEventBuffers = 0x60f0,
  kInvalidSelectionMask = 0x70f0,
  kInconsistentLengths = 0x72f0,
  kEventBufferSyntax = 0x73f0,
  kInvalidMaskLength = 0x74f0,
};

// What every service call control block begins with.
struct SccbHeader {
  Be16 length;  // of the whole block
  std::uint8_t function_code = 0;
  std::array<std::uint8_t, 3> control_mask{};
  Be16 response_code;
};
static_assert(sizeof(SccbHeader) == 8);

struct EventBufferHeader {
  Be16 length;  // of this buffer, header included
  std::uint8_t type = 0;
  std::uint8_t flags = 0;  // 0x80: processed
  Be16 reserved;
};
static_assert(sizeof(EventBufferHeader) == 6);

// Events of one type that wait for the guest. Safe for concurrent use.
class SclpEventSource {
 public:
  virtual ~SclpEventSource() = default;
  virtual bool Pending() const = 0;
  // The content (what follows the header) of the next event buffer, at most `room` bytes; the event
  // is gone then. Nothing when no event waits or the next one needs more room.
  virtual std::optional<Bytes> Take(std::size_t room) = 0;
};

// Takes events of one type from the guest. Safe for concurrent use.
class SclpEventSink {
 public:
  virtual ~SclpEventSink() = default;
  // `content`: what follows the event buffer's header. Ill-formed content is ignored.
  virtual void Accept(absl::Span<const std::uint8_t> content) = 0;
};

// One row per event type that the machine offers.
struct SclpEventType {
  std::uint8_t number;
  absl::string_view name;
  SclpEventSource* source;  // null: the guest never receives this type
  SclpEventSink* sink;      // null: the guest may not send this type
};

// The event part of the service-call logical processor: masks that say who wants which events, and
// the exchange of event buffers. Each function works on a whole control block (header included, as
// long as the header's length field says) in place, and returns its response code. Safe for
// concurrent use.
class SclpEventFacility {
 public:
  explicit SclpEventFacility(std::vector<SclpEventType> types) : types_(std::move(types)) {}

  SclpResponse WriteEventMask(absl::Span<std::uint8_t> sccb);
  SclpResponse ReadEventData(absl::Span<std::uint8_t> sccb);
  SclpResponse WriteEventData(absl::Span<std::uint8_t> sccb);

  // Whether an event waits that the guest has asked for.
  bool EventPending() const;
  // Whether the guest has asked for events of this type.
  bool Listening(std::uint8_t type) const;
  // Back to the state of a system reset: the guest listens to nothing. Events stay.
  void Reset();

 private:
  std::uint64_t OfferedToGuest() const;
  std::uint64_t AcceptedFromGuest() const;
  SclpResponse AcceptBuffer(absl::Span<std::uint8_t> buffer);

  const std::vector<SclpEventType> types_;
  mutable std::mutex mutex_;
  std::uint64_t guest_receives_ = 0;  // bit number-1 from the left: event type
  std::size_t mask_length_ = 4;       // bytes, as the guest last used it
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_SCLP_EVENT_FACILITY_H_
