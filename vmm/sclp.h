#ifndef LETHE_VMM_SCLP_H_
#define LETHE_VMM_SCLP_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "vmm/sclp_event_facility.h"

namespace lethe::vmm {

inline constexpr std::size_t kSccbLimit = 4096;  // a control block lies within one page

// What the service-call logical processor tells the guest about the machine.
struct SclpConfiguration {
  std::uint64_t memory_size;       // bytes, a multiple of 1 MiB
  std::vector<std::uint8_t> cpus;  // addresses of the configured CPUs, ascending
};

// The service-call logical processor: executes a command on a control block. The instruction around
// it (where the block lies, the completion interruption) is ServiceCall's. Safe for concurrent use.
class Sclp {
 public:
  // `events` outlives this object.
  Sclp(SclpConfiguration configuration, SclpEventFacility& events)
      : configuration_(std::move(configuration)), events_(events) {}

  // Executes `command` on a copy of the control block, in place; the answer includes the response
  // code. `sccb` is at least a header long and as long as the header's length field says.
  void Execute(std::uint32_t command, absl::Span<std::uint8_t> sccb);

  // Whether the low bits of `command` name a command that is served, whatever its modifiers.
  static bool Serves(std::uint32_t command);

  SclpEventFacility& events() { return events_; }

 private:
  SclpResponse Dispatch(std::uint32_t command, absl::Span<std::uint8_t> sccb);
  SclpResponse ReadScpInfo(absl::Span<std::uint8_t> sccb) const;
  SclpResponse ReadCpuInfo(absl::Span<std::uint8_t> sccb) const;

  const SclpConfiguration configuration_;
  SclpEventFacility& events_;
};

// Stores a response code into a control block that is at least a header long.
void SetResponse(absl::Span<std::uint8_t> sccb, SclpResponse response);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_SCLP_H_
