#include "pv/reaper/reaper.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "accel/kvm-s390/abi.h"
#include "base/status_macros.h"
#include "base/system_call.h"
#include "base/thread_sanitizer.h"
#include "pv/reaper/helper.h"
#include "pv/reaper/raw_task.h"
#include "pv/reaper/system_call_filter.h"

namespace lethe {
namespace {

constexpr std::size_t kGuard = 64 << 10;
constexpr std::size_t kStack = 256 << 10;
constexpr std::size_t kBlockSize = (sizeof(HelperBlock) + 4095) / 4096 * 4096;
// From below: guard, stack of the master, guard, stack of the worker, guard, block.
constexpr std::size_t kMemorySize = 3 * kGuard + 2 * kStack + kBlockSize;

constexpr std::uint32_t kHelperSystemCalls[] = {
    SYS_read,
    SYS_write,
    SYS_close,
    SYS_ppoll,
    SYS_mincore,
    SYS_madvise,
    SYS_munmap,
    SYS_fallocate,
    SYS_statx,
    SYS_clock_gettime,
    SYS_exit_group,
    SYS_sched_setscheduler,
    SYS_restart_syscall,
};

absl::string_view StepName(HelperStep step) {
  switch (step) {
    case HelperStep::kSession:
      return "setsid";
    case HelperStep::kDescriptors:
      return "close_range";
    case HelperStep::kCapabilities:
      return "capset";
    case HelperStep::kNoNewPrivileges:
      return "prctl(PR_SET_NO_NEW_PRIVS)";
    case HelperStep::kWorker:
      return "clone of the worker";
    case HelperStep::kFilter:
      return "seccomp";
    case HelperStep::kReady:
      return "ready";
  }
  return "start";
}

std::vector<sock_filter> MakeFilter(const kvm::Survivor::Needs& needs) {
  std::vector<std::uint32_t> allowed(std::begin(kHelperSystemCalls), std::end(kHelperSystemCalls));
  allowed.insert(allowed.end(), needs.system_calls.begin(), needs.system_calls.end());
  // The helper is built without sanitizers, survivors are not.
  if (ThreadSanitizerIsHere()) allowed.insert(allowed.end(), {SYS_mmap, SYS_futex});
  return MakeSystemCallFilter(allowed, static_cast<std::uint32_t>(abi::KVM_S390_PV_COMMAND));
}

ssize_t ReadPatiently(int fd, void* to, std::size_t size) {
  ssize_t got;
  do {
    got = ::read(fd, to, size);
  } while (got < 0 && errno == EINTR);
  return got;
}

absl::Status Check(const ReaperOptions& options) {
  const auto whole_pages = [](std::uint64_t value) { return value % kLedgerPageBytes == 0; };
  if (!whole_pages(reinterpret_cast<std::uintptr_t>(options.memory.data())) ||
      !whole_pages(options.memory.size()))
    return absl::InvalidArgumentError("reaper: the guest's memory is not made of whole pages");
  if (options.chunk_size == 0 || !whole_pages(options.chunk_size))
    return absl::InvalidArgumentError(absl::StrCat("reaper: chunk size ", options.chunk_size,
                                                   ": a nonzero multiple of 4096 is accepted"));
  if (options.pressure_triggers.size() > kMaxPressureTriggers)
    return absl::InvalidArgumentError(absl::StrCat("reaper: ", options.pressure_triggers.size(),
                                                   " pressure triggers, at most ",
                                                   kMaxPressureTriggers, " are accepted"));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Reaper::Memory> Reaper::Memory::Map() {
  void* base = ::mmap(nullptr, kMemorySize, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (base == MAP_FAILED) return absl::ErrnoToStatus(errno, "memory of the reaper");
  Memory memory(base);
  auto* bytes = static_cast<char*>(base);
  for (const std::size_t guard : {std::size_t{0}, kGuard + kStack, 2 * (kGuard + kStack)})
    if (::mprotect(bytes + guard, kGuard, PROT_NONE) != 0)
      return absl::ErrnoToStatus(errno, "guard page of the reaper");
  // A fork of the VMM would make the helper's next write copy the page.
  if (::madvise(base, kMemorySize, MADV_DONTFORK) != 0)
    return absl::ErrnoToStatus(errno, "memory of the reaper");
  new (&memory.block()) HelperBlock;
  return memory;
}

Reaper::Memory::Memory(Memory&& other) noexcept : base_(std::exchange(other.base_, nullptr)) {}

Reaper::Memory::~Memory() {
  if (base_ != nullptr) ::munmap(base_, kMemorySize);
}

HelperBlock& Reaper::Memory::block() const {
  return *reinterpret_cast<HelperBlock*>(static_cast<char*>(worker_stack_top()) + kGuard);
}

void* Reaper::Memory::master_stack_top() const {
  return static_cast<char*>(base_) + kGuard + kStack;
}

void* Reaper::Memory::worker_stack_top() const {
  return static_cast<char*>(master_stack_top()) + kGuard + kStack;
}

Reaper::Reaper(Memory memory, std::unique_ptr<kvm::Survivor> survivor,
               std::vector<sock_filter> filter)
    : memory_(std::move(memory)), survivor_(std::move(survivor)), filter_(std::move(filter)) {}

Reaper::~Reaper() { Dismiss(); }

absl::StatusOr<std::unique_ptr<Reaper>> Reaper::Start(ReaperOptions options) {
  LETHE_RETURN_IF_ERROR(Check(options));
  LETHE_ASSIGN_OR_RETURN(Memory memory, Memory::Map());
  const kvm::Survivor::Needs needs =
      options.survivor != nullptr ? options.survivor->needs() : kvm::Survivor::Needs();
  options.descriptors.insert(options.descriptors.end(), needs.descriptors.begin(),
                             needs.descriptors.end());
  std::unique_ptr<Reaper> reaper(
      new Reaper(std::move(memory), std::move(options.survivor), MakeFilter(needs)));
  LETHE_RETURN_IF_ERROR(reaper->OpenDescriptors(options));
  reaper->FillBlock(options);
  LETHE_RETURN_IF_ERROR(reaper->KeepDescriptors(options));
  LETHE_RETURN_IF_ERROR(reaper->Clone());
  LETHE_RETURN_IF_ERROR(reaper->AwaitReady());
  if (options.record != nullptr)
    options.record->reaper_pid.store(static_cast<std::uint32_t>(reaper->pid_),
                                     std::memory_order_relaxed);
  if (options.cgroup) reaper->MoveToCgroup(*options.cgroup);
  return reaper;
}

absl::Status Reaper::OpenDescriptors(const ReaperOptions& options) {
  HelperBlock& block = memory_.block();
  const auto give = [this](long fd) {
    of_the_helper_.emplace_back(static_cast<int>(fd));
    return static_cast<int>(fd);
  };
  block.vmm_pidfd = give(SystemCall(SYS_pidfd_open, ::getpid()));
  block.work_fd = give(SystemCall(SYS_eventfd2, 0, EFD_CLOEXEC));
  block.done_fd = give(SystemCall(SYS_eventfd2, 0, EFD_CLOEXEC));
  dismiss_.reset(::eventfd(0, EFD_CLOEXEC));
  block.dismiss_fd = dismiss_.get();
  int status[2] = {-1, -1};
  const int piped = ::pipe2(status, O_CLOEXEC);
  status_.reset(status[0]);
  block.status_fd = give(status[1]);
  for (const UniqueFd& fd : of_the_helper_)
    if (fd.get() < 0) return absl::ErrnoToStatus(-fd.get(), "descriptors of the reaper");
  if (piped != 0 || !dismiss_) return absl::ErrnoToStatus(errno, "descriptors of the reaper");
  std::copy(options.pressure_triggers.begin(), options.pressure_triggers.end(),
            block.pressure_fds.begin());
  block.pressure_count = options.pressure_triggers.size();
  return absl::OkStatus();
}

void Reaper::FillBlock(const ReaperOptions& options) {
  HelperBlock& block = memory_.block();
  block.survivor = survivor_.get();
  block.memory = options.memory.data();
  block.memory_size = options.memory.size();
  block.memory_fd = options.memory_fd;
  block.chunk_size = options.chunk_size;
  block.priority = options.priority;
  block.filter = {static_cast<unsigned short>(filter_.size()), filter_.data()};
  block.worker_stack_top = memory_.worker_stack_top();
  const std::string title = absl::StrCat("lethe: reaper of ", options.name);
  title.copy(block.title.data(), block.title.size() - 1);
  block.arguments = options.arguments.data();
  block.arguments_size = options.arguments.size();
  block.record = options.record != nullptr ? options.record : &block.unlisted;
  block.totals = options.totals;
  block.strategy = options.strategy;
}

absl::Status Reaper::KeepDescriptors(const ReaperOptions& options) {
  HelperBlock& block = memory_.block();
  std::vector<int> kept = options.descriptors;
  kept.insert(kept.end(), options.pressure_triggers.begin(), options.pressure_triggers.end());
  for (const UniqueFd& fd : of_the_helper_) kept.push_back(fd.get());
  kept.push_back(block.dismiss_fd);
  kept.push_back(block.memory_fd);
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  kept.erase(kept.begin(), std::lower_bound(kept.begin(), kept.end(), 0));
  if (kept.size() > block.kept.size())
    return absl::InvalidArgumentError(absl::StrCat(
        "reaper: ", kept.size(), " descriptors, at most ", block.kept.size(), " are accepted"));
  std::copy(kept.begin(), kept.end(), block.kept.begin());
  block.kept_count = kept.size();
  return absl::OkStatus();
}

absl::Status Reaper::Clone() {
  // The helper begins with this mask. The C library would leave out the signals that it uses.
  const std::uint64_t all = ~std::uint64_t{0};
  std::uint64_t previous = 0;
  SystemCall(SYS_rt_sigprocmask, SIG_SETMASK, Argument(&all), Argument(&previous), sizeof all);
  int pidfd = -1;
  const long result = CloneTask(CLONE_VM | CLONE_PIDFD, memory_.master_stack_top(), HelperMain,
                                &memory_.block(), &pidfd);
  SystemCall(SYS_rt_sigprocmask, SIG_SETMASK, Argument(&previous), 0, sizeof previous);
  if (result < 0)
    return absl::ErrnoToStatus(static_cast<int>(-result), "clone of the reaper (CLONE_VM)");
  pid_ = static_cast<pid_t>(result);
  pidfd_.reset(pidfd);
  of_the_helper_.clear();
  return absl::OkStatus();
}

absl::Status Reaper::AwaitReady() {
  HelperReport report;
  const ssize_t got = ReadPatiently(status_.get(), &report, sizeof report);
  char none;
  ReadPatiently(status_.get(), &none, sizeof none);  // until the helper has closed its end
  status_.reset();
  if (got != static_cast<ssize_t>(sizeof report))
    return absl::InternalError("reaper: the helper ended during its start");
  if (report.step != HelperStep::kReady)
    return absl::ErrnoToStatus(static_cast<int>(report.error),
                               absl::StrCat("reaper: ", StepName(report.step)));
  if (report.oom_score_adj_error != 0)
    warnings_.push_back(absl::StrCat("reaper: oom_score_adj will not be raised: ",
                                     std::strerror(static_cast<int>(report.oom_score_adj_error))));
  if (memory_.block().priority == ReaperPriority::kIdle && !report.may_raise_priority)
    warnings_.push_back(
        "reaper: idle priority will not be raised under memory pressure: RLIMIT_NICE is too low");
  if (memory_.block().priority == ReaperPriority::kIdle && memory_.block().pressure_count == 0)
    warnings_.push_back(
        "the reaper does not notice memory pressure: no pressure trigger could be opened");
  return absl::OkStatus();
}

void Reaper::MoveToCgroup(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/cgroup.procs");
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string text = absl::StrCat(pid_);
  if (!file || ::write(file.get(), text.data(), text.size()) < 0)
    warnings_.push_back(
        absl::StrCat("reaper: not moved to its cgroup: ", path, ": ", std::strerror(errno)));
}

bool Reaper::alive() const {
  pollfd polled = {pidfd_.get(), POLLIN, 0};
  return ::poll(&polled, 1, 0) <= 0;  // an error (EINTR) tells nothing
}

void Reaper::SetStrategy(ShutdownStrategy strategy) {
  memory_.block().strategy.store(strategy, std::memory_order_release);
}

void Reaper::Dismiss() {
  if (pid_ < 0 || reaped_) return;
  ::eventfd_write(dismiss_.get(), 1);
  Reap();
}

void Reaper::Reap() {
  siginfo_t info;
  // It has no exit signal, hence __WALL.
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | __WALL) < 0 && errno == EINTR) {
  }
  reaped_ = true;
}

}  // namespace lethe
