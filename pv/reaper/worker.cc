#include "pv/reaper/worker.h"

#include <linux/prctl.h>
#include <sys/syscall.h>

#include "base/system_call.h"
#include "pv/reaper/raw_time.h"

namespace lethe {
namespace {

// Linux, include/linux/posix-timers_types.h: the id of the clock of a task's processor time.
constexpr long kPerThread = 4;
constexpr long kScheduledTime = 2;

void Add(int eventfd) {
  const std::uint64_t one = 1;
  SystemCall(SYS_write, eventfd, Argument(&one), sizeof one);
}

// Waits until the eventfd is not zero.
bool Subtract(int eventfd) {
  std::uint64_t count;
  return SystemCall(SYS_read, eventfd, Argument(&count), sizeof count) ==
         static_cast<long>(sizeof count);
}

void Do(HelperBlock& block) {
  switch (block.task) {
    case WorkerTask::kCommand:
      block.result = block.survivor->Command(block.command);
      return;
    case WorkerTask::kClose:
      block.survivor->Close();
      block.result = 0;
      return;
  }
}

}  // namespace

void WorkerMain(void* argument) {
  auto& block = *static_cast<HelperBlock*>(argument);
  SystemCall(SYS_prctl, PR_SET_NAME, Argument("lethe-cleaner"));
  Add(block.done_fd);  // before the filter is installed, which this call would not pass
  while (Subtract(block.work_fd)) {
    Do(block);
    Add(block.done_fd);
  }
  SystemCall(SYS_exit_group, 1);
  __builtin_trap();
}

void Worker::StartCommand(std::uint32_t command) {
  block_.task = WorkerTask::kCommand;
  block_.command = {};
  block_.command.cmd = command;
  Wake();
}

void Worker::StartClose() {
  block_.task = WorkerTask::kClose;
  Wake();
}

void Worker::Wake() {
  std::atomic_thread_fence(std::memory_order_release);
  Add(block_.work_fd);
}

int Worker::Take() {
  Subtract(block_.done_fd);
  std::atomic_thread_fence(std::memory_order_acquire);
  return block_.result;
}

std::uint64_t Worker::ProcessorTime() const {
  const long clock = (~block_.worker_id << 3) | kPerThread | kScheduledTime;
  return RawTime(clock);
}

}  // namespace lethe
