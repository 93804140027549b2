#ifndef LETHE_PV_REAPER_WORKER_H_
#define LETHE_PV_REAPER_WORKER_H_

#include <cstdint>

#include "accel/kvm-s390/abi.h"
#include "pv/reaper/helper_block.h"

namespace lethe {

// The helper's second task, which sits in the kernel's long commands while the first one watches.
// Reports itself once like a task that is done.
void WorkerMain(void* block);  // never returns

// Its other end, for the first task: one thing at a time.
class Worker {
 public:
  explicit Worker(HelperBlock& block) : block_(block) {}

  void StartCommand(std::uint32_t command);
  void StartClose();
  // After done_fd() has become readable: the result of the command, 0 or a negated errno value.
  int Take();
  int done_fd() const { return block_.done_fd; }

  // The processor time that the worker has used, nanoseconds.
  std::uint64_t ProcessorTime() const;

 private:
  void Wake();

  HelperBlock& block_;
};

}  // namespace lethe

#endif  // LETHE_PV_REAPER_WORKER_H_
