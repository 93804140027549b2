#ifndef LETHE_PV_REAPER_TEARDOWN_H_
#define LETHE_PV_REAPER_TEARDOWN_H_

#include <cstdint>

#include "pv/reaper/guest_pages.h"
#include "pv/reaper/helper_block.h"
#include "pv/reaper/worker.h"

namespace lethe {

// What the helper does once the VMM is gone: cleans the guest's memory, and gives it back only
// after it has been cleaned.
//
//   bulk     DISABLE (EINVAL: not protected), PERFORM (EINVAL: nothing set aside), let go of the
//            VM, which makes the kernel clean what an interrupted PERFORM left over; release.
//   trickle  PREPARE, which cleans the lower 2 GiB; release these; PERFORM, and release behind it;
//            let go of the VM; release the rest. PREPARE fails: bulk.
//   exit     nothing.
//   sync     the VMM meant to clean before its end, and did not come to it: bulk, at its priority.
//
// Without a VM nothing is secure: the memory is released, but with `exit`.
//
// A command that fails leaves memory that may still be secure: then nothing (more) is released
// here. The helper ends, and the kernel destroys and frees page by page, as with `exit`.
//
// Trickle does not know where PERFORM is: the kernel does not tell. It follows an estimate: PERFORM
// goes upward through the address space, as fast per present page as PREPARE went through the lower
// 2 GiB a moment ago, in time and in processor time of the task that makes both calls; half of the
// lesser is believed. Pages that the release nevertheless overtakes are exported by the kernel
// before they are freed: slow, never wrong.
class Teardown {
 public:
  explicit Teardown(HelperBlock& block) : block_(block), pages_(block), worker_(block) {}

  void Run();

 private:
  void Bulk();
  void Trickle();

  // Has the worker do one thing and watches the pressure meanwhile.
  int Command(std::uint32_t command);
  void Close();
  void AwaitWorker();
  bool AwaitWorkerFor(long nanoseconds);  // false: not yet done; -1: no bound

  // Estimates the pages that PERFORM has passed, from what PREPARE took for `pages`.
  struct Pace {
    std::uint64_t pages;
    std::uint64_t time;
    std::uint64_t processor_time;
  };
  void ReleaseBehind(const Pace& pace);
  std::uint64_t Passed(const Pace& pace, std::uint64_t begun, std::uint64_t begun_processor) const;

  void ReleaseRest();  // ... and says that all is done
  bool ReleaseChunk(std::uint64_t end);
  void ForgetPressure();
  void RaisePriority();
  bool TakePolicy(int policy);
  void EnterCrash();
  void EnterOwed();
  void CountTeardown();
  void CountFallback(FallbackCounter reason);

  HelperBlock& block_;
  GuestPages pages_;
  Worker worker_;
  ShutdownStrategy strategy_ = ShutdownStrategy::kExit;
  bool crash_ = false;             // the VMM had not come to an end by itself
  std::uint64_t begun_ = 0;        // when the VMM was found gone
  std::uint64_t releasing_ = 0;    // time spent with releasing, nanoseconds
  std::uint64_t released_to_ = 0;  // everything below this offset was given back
  std::uint64_t returned_ = 0;     // pages
  bool watch_pressure_ = false;
};

}  // namespace lethe

#endif  // LETHE_PV_REAPER_TEARDOWN_H_
