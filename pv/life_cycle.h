#ifndef LETHE_PV_LIFE_CYCLE_H_
#define LETHE_PV_LIFE_CYCLE_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "accel/kvm-s390/pv_command.h"
#include "image/ipl_parameters.h"
#include "pv/event_sink.h"

namespace lethe {

// The life of a protected guest, as the kernel and the Ultravisor see it:
//
//          create        set header         unpack          verify          start
//   kNormal ----> kCreated -----> kHeaderSet ----> kUnpacked ----> kVerified ----> kProtected
//
//   kUnpacked  -- unpack ----------> kUnpacked       the next component
//   kProtected -- reset -----------> kProtected      unshare all, prepare reset; memory stays
//   kProtected -- set aside -------> kNormal         its memory is cleaned in the background
//   kProtected -- set aside fails -> kHalfDestroyed  the secure CPUs are gone
//   any of these but kNormal -- destroy -------> kNormal
//                            -- destroy fails -> kLost, from where nothing leads on
//
// A step that fails otherwise leaves the state as it was, so that destroy is the way back; create
// undoes itself.
enum class PvState {
  kNormal,         // no secure configuration
  kCreated,        // empty configuration, secure CPUs exist
  kHeaderSet,      // the header was accepted
  kUnpacked,       // at least one component is in
  kVerified,       // the image is what the header says
  kProtected,      // it runs
  kHalfDestroyed,  // the CPUs are gone and the rest is not set aside
  kLost,           // could not be destroyed
};

enum class PvStep {
  kCreate,
  kSetHeader,
  kUnpack,
  kVerify,
  kStart,
  kReset,
  kSetAside,
  kSetAsideFails,
  kDestroy,
  kDestroyFails,
};

struct PvEdge {
  PvState from;
  PvStep step;
  PvState to;
};

inline constexpr PvEdge kPvLifeCycle[] = {
    {PvState::kNormal, PvStep::kCreate, PvState::kCreated},
    {PvState::kCreated, PvStep::kSetHeader, PvState::kHeaderSet},
    {PvState::kHeaderSet, PvStep::kUnpack, PvState::kUnpacked},
    {PvState::kUnpacked, PvStep::kUnpack, PvState::kUnpacked},
    {PvState::kUnpacked, PvStep::kVerify, PvState::kVerified},
    {PvState::kVerified, PvStep::kStart, PvState::kProtected},
    {PvState::kProtected, PvStep::kReset, PvState::kProtected},
    {PvState::kProtected, PvStep::kSetAside, PvState::kNormal},
    {PvState::kProtected, PvStep::kSetAsideFails, PvState::kHalfDestroyed},
    {PvState::kCreated, PvStep::kDestroy, PvState::kNormal},
    {PvState::kHeaderSet, PvStep::kDestroy, PvState::kNormal},
    {PvState::kUnpacked, PvStep::kDestroy, PvState::kNormal},
    {PvState::kVerified, PvStep::kDestroy, PvState::kNormal},
    {PvState::kProtected, PvStep::kDestroy, PvState::kNormal},
    {PvState::kHalfDestroyed, PvStep::kDestroy, PvState::kNormal},
    {PvState::kCreated, PvStep::kDestroyFails, PvState::kLost},
    {PvState::kHeaderSet, PvStep::kDestroyFails, PvState::kLost},
    {PvState::kUnpacked, PvStep::kDestroyFails, PvState::kLost},
    {PvState::kVerified, PvStep::kDestroyFails, PvState::kLost},
    {PvState::kProtected, PvStep::kDestroyFails, PvState::kLost},
    {PvState::kHalfDestroyed, PvStep::kDestroyFails, PvState::kLost},
};

// Where `step` leads from `from`; no value: nowhere.
constexpr std::optional<PvState> Follow(PvState from, PvStep step) {
  for (const PvEdge& edge : kPvLifeCycle)
    if (edge.from == from && edge.step == step) return edge.to;
  return std::nullopt;
}
static_assert(!Follow(PvState::kCreated, PvStep::kVerify));
static_assert(!Follow(PvState::kHalfDestroyed, PvStep::kSetAside));
static_assert(!Follow(PvState::kLost, PvStep::kCreate));

absl::string_view PvStateName(PvState state);

// Issues the PV commands in the order of the table and reports each as an event. Calling a step
// that the table does not have is a bug of the caller (LETHE_CHECK). All vCPUs are out of
// Vcpu::Enter(). One thread at a time; any may ask for the state.
class PvLifeCycle {
 public:
  // `events` must outlive this.
  PvLifeCycle(kvm::PvCommand command, EventSink& events) : command_(command), events_(events) {}

  PvState state() const { return state_; }

  kvm::PvResult Create();
  kvm::PvResult SetHeader(absl::Span<const std::uint8_t> header);
  // One call for all components, in order. On failure the rest is not unpacked.
  kvm::PvResult Unpack(absl::Span<const ImageComponent> components);
  kvm::PvResult Verify();
  // The boot CPU was set going: no command of its own.
  void Start();
  // UNSHARE_ALL, then PREP_RESET: the guest stays protected and keeps its memory.
  kvm::PvResult Reset();
  // `reason` goes into the events of these two.
  kvm::PvResult SetAside(absl::string_view reason);
  kvm::PvResult Destroy(absl::string_view reason);

 private:
  void Take(PvStep step);
  bool Has(PvStep step) const { return Follow(state_, step).has_value(); }

  kvm::PvCommand command_;
  EventSink& events_;
  std::atomic<PvState> state_ = PvState::kNormal;
};

}  // namespace lethe

#endif  // LETHE_PV_LIFE_CYCLE_H_
