#include "pv/reaper/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/system_call.h"
#include "pv/reaper/helper_block.h"
#include "pv/reaper/raw_task.h"
#include "pv/reaper/teardown.h"
#include "pv/reaper/worker.h"

namespace lethe {
namespace {

constexpr long kAllDescriptors = ~0U;

void End(int status) {
  SystemCall(SYS_exit_group, status);
  __builtin_trap();
}

// A session of its own: signals to the VMM's process group or terminal do not reach this process.
long TakeIdentity() {
  SystemCall(SYS_prctl, PR_SET_NAME, Argument("lethe-reaper"));
  SystemCall(SYS_chdir, Argument("/"));
  return SystemCall(SYS_setsid);
}

// Closes what is not needed (a supervisor waits for the end of the output, others for locks).
long CloseOtherDescriptors(const HelperBlock& block) {
  long from = 0;
  for (std::size_t i = 0; i < block.kept_count; ++i) {
    const long kept = block.kept[i];
    if (from < kept)
      if (const long result = SystemCall(SYS_close_range, from, kept - 1); result < 0)
        return result;
    from = kept + 1;
  }
  return SystemCall(SYS_close_range, from, kAllDescriptors);
}

// The way back from SCHED_IDLE is a matter of RLIMIT_NICE, which speaks in 20 - nice, as
// getpriority(2) does. True when the way is open.
bool AllowRaisedPriority() {
  const long wanted = SystemCall(SYS_getpriority, PRIO_PROCESS, 0);
  if (wanted < 0) return false;
  const auto nice = static_cast<rlim_t>(wanted);
  rlimit limit = {};
  if (SystemCall(SYS_prlimit64, 0, RLIMIT_NICE, 0, Argument(&limit)) != 0) return false;
  if (limit.rlim_cur >= nice) return true;
  limit.rlim_cur = nice;
  if (limit.rlim_max < nice) limit.rlim_max = nice;  // takes CAP_SYS_RESOURCE
  return SystemCall(SYS_prlimit64, 0, RLIMIT_NICE, Argument(&limit), 0) == 0;
}

void ForbidCoreFile() {  // it would contain the guest
  const rlimit none = {0, 0};
  SystemCall(SYS_prlimit64, 0, RLIMIT_CORE, Argument(&none), 0);
}

long DropCapabilities() {
  const __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return SystemCall(SYS_capset, Argument(&header), Argument(none));
}

long StartWorker(HelperBlock& block) {
  constexpr unsigned long kThread =
      CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  block.worker_id = CloneTask(kThread, block.worker_stack_top, WorkerMain, &block, nullptr);
  if (block.worker_id > 0) Worker(block).Take();
  return block.worker_id;
}

long InstallFilter(const HelperBlock& block) {
  const long result = SystemCall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
                                 Argument(&block.filter));
  return result > 0 ? -ESRCH : result;  // the id of a thread that could not have it
}

void Report(HelperBlock& block, const HelperReport& report) {
  SystemCall(SYS_write, block.status_fd, Argument(&report), sizeof report);
  SystemCall(SYS_close, block.status_fd);
}

// Ends the helper when a step has failed.
void Require(HelperBlock& block, HelperStep step, long result) {
  if (result >= 0) return;
  Report(block, {step, static_cast<std::uint32_t>(-result), 0, 0});
  End(1);
}

void SetUp(HelperBlock& block) {
  Require(block, HelperStep::kSession, TakeIdentity());
  Require(block, HelperStep::kDescriptors, CloseOtherDescriptors(block));
  ForbidCoreFile();
  // Ours, not the VMM's, whose file is dead together with it.
  const long oom_score_adj =
      SystemCall(SYS_openat, AT_FDCWD, Argument("/proc/self/oom_score_adj"), O_WRONLY | O_CLOEXEC);
  block.oom_score_adj_fd = static_cast<int>(oom_score_adj);
  const bool may_raise = AllowRaisedPriority();
  Require(block, HelperStep::kCapabilities, DropCapabilities());
  Require(block, HelperStep::kNoNewPrivileges, SystemCall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1));
  Require(block, HelperStep::kWorker, StartWorker(block));
  Require(block, HelperStep::kFilter, InstallFilter(block));
  Report(block, {HelperStep::kReady, 0,
                 static_cast<std::uint32_t>(oom_score_adj < 0 ? -oom_score_adj : 0), may_raise});
}

// True: the VMM has ended. False: it wants no helper any more.
bool AwaitEndOfVmm(const HelperBlock& block) {
  while (true) {
    pollfd polled[] = {{block.vmm_pidfd, POLLIN, 0}, {block.dismiss_fd, POLLIN, 0}};
    SystemCall(SYS_ppoll, Argument(polled), 2);
    if (polled[1].revents) return false;
    if (polled[0].revents) return true;
  }
}

// The first victim when memory runs out. The kernel gives the value to all who share the memory,
// hence not while the VMM lives.
void VolunteerForOomKiller(const HelperBlock& block) {
  if (block.oom_score_adj_fd >= 0)
    SystemCall(SYS_write, block.oom_score_adj_fd, Argument("1000"), 4);
}

// What ps shows. The area belongs to the memory that this process shares, and so far it was the
// VMM's.
void ShowTitle(HelperBlock& block) {
  if (block.arguments_size == 0) return;
  const std::size_t last = block.arguments_size - 1;
  for (std::size_t i = 0; i <= last; ++i) {
    auto* to = const_cast<volatile char*>(block.arguments + i);  // a loop, not a call of memcpy
    *to = i < last && i < block.title.size() ? block.title[i] : '\0';
  }
}

}  // namespace

void HelperMain(void* argument) {
  auto& block = *static_cast<HelperBlock*>(argument);
  SetUp(block);
  if (!AwaitEndOfVmm(block)) End(0);
  VolunteerForOomKiller(block);
  ShowTitle(block);
  Teardown(block).Run();
  End(0);
}

}  // namespace lethe
