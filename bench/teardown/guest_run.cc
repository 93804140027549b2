#include "bench/teardown/guest_run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"
#include "bench/teardown/life_events.h"
#include "bench/teardown/memory_reading.h"

namespace lethe::bench {
namespace {

// Of guest.S.
constexpr char kReady[] = "ready";
constexpr std::uint64_t kUnitBytes = std::uint64_t{16} << 20;

// How much a rebooted guest works through at least; up to all of its memory while the old one is
// being cleaned.
constexpr std::uint64_t kLeastWork = std::uint64_t{4} << 30;
constexpr unsigned kUnitsAtOnce = 4;

constexpr std::uint64_t kLowMemory = std::uint64_t{2} << 30;  // what PREPARE destroys

constexpr std::chrono::minutes kPatienceForCleaning{10};
constexpr int kLookMilliseconds = 10;

constexpr std::chrono::seconds kPatienceForMemory{5};

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

Clock::time_point TimeOf(const LifeEvent& event) {
  return Clock::time_point(std::chrono::duration_cast<Clock::duration>(event.monotonic));
}

absl::Status Missing(absl::string_view event) {
  return absl::DataLossError(absl::StrCat("the event '", event, "' was not reported"));
}

// The number in a line "touched 256 MiB"; 0: it is another line.
std::uint64_t NumberIn(absl::string_view line, absl::string_view prefix) {
  std::uint64_t number = 0;
  if (!absl::ConsumePrefix(&line, prefix)) return 0;
  return absl::SimpleAtoi(line.substr(0, line.find(' ')), &number) ? number : 0;
}

// A guest and what is measured of it.
class Measurement {
 public:
  Measurement(const GuestCommand& command, std::uint64_t size, const Interruption& interruption,
              const OnTouched& on_touched)
      : command_(command), size_(size), interruption_(interruption), on_touched_(on_touched) {}

  absl::StatusOr<Round> Run() {
    const MemoryReading before = ReadMemory();
    LETHE_ASSIGN_OR_RETURN(child_, ChildProcess::Start(command_.arguments, interruption_));
    LETHE_RETURN_IF_ERROR(child_->ReadUntil(kReady).status());
    Round round;
    LETHE_ASSIGN_OR_RETURN(round.touch, Touch());
    if (command_.reboots) {
      LETHE_RETURN_IF_ERROR(UseLowMemory());
      LETHE_ASSIGN_OR_RETURN(round.reboot, Reboot());
      LETHE_RETURN_IF_ERROR(Touch().status());
    }
    LETHE_ASSIGN_OR_RETURN(round.end, End(before));
    return round;
  }

 private:
  absl::StatusOr<double> Touch() {
    const Clock::time_point begin = Clock::now();
    LETHE_RETURN_IF_ERROR(child_->Say("t"));
    const auto lines = child_->ReadUntil(kReady, [this](const ConsoleLine& line) {
      const double touched = static_cast<double>(NumberIn(line.text, "touched ") << 20);
      if (touched > 0 && on_touched_) on_touched_(touched / static_cast<double>(size_));
    });
    if (!lines.ok()) return lines.status();
    return Seconds(lines->back().when - begin);
  }

  // Filling a large memory takes so long that a virtual host may have lost what was filled first to
  // its own host. A guest that is asked to reboot has used its low memory lately: its kernel.
  absl::Status UseLowMemory() {
    LETHE_RETURN_IF_ERROR(
        child_->Say(absl::StrCat("w ", std::min(size_, kLowMemory) / kUnitBytes)));
    return child_->ReadUntil(kReady).status();
  }

  absl::StatusOr<RebootTimes> Reboot() {
    LETHE_RETURN_IF_ERROR(child_->Say("r"));
    LETHE_ASSIGN_OR_RETURN(const std::vector<ConsoleLine> greeting, child_->ReadUntil(kReady));
    std::vector<ConsoleLine> work;
    LETHE_ASSIGN_OR_RETURN(std::vector<LifeEvent> events, ReadLifeEvents(command_.events));
    while (work.size() * kUnitBytes < std::min(size_, kLeastWork) ||
           (IsCleaning(events) && work.size() * kUnitBytes < size_)) {
      LETHE_RETURN_IF_ERROR(child_->Say(absl::StrCat("w ", kUnitsAtOnce)));
      LETHE_ASSIGN_OR_RETURN(const std::vector<ConsoleLine> lines, child_->ReadUntil(kReady));
      for (const ConsoleLine& line : lines)
        if (NumberIn(line.text, "unit ") != 0) work.push_back(line);
      LETHE_ASSIGN_OR_RETURN(events, ReadLifeEvents(command_.events));
    }
    LETHE_RETURN_IF_ERROR(AwaitCleaning(events));
    LETHE_ASSIGN_OR_RETURN(RebootTimes times, TimesOf(events));
    const Clock::time_point begin = TimeOf(events[LastEvent(events, "reset-request")]);
    times.first_output = Seconds(greeting.front().when - begin);
    times.progress.push_back({times.first_output, 0});
    for (std::size_t i = 0; i < work.size(); ++i)
      times.progress.push_back(
          {Seconds(work[i].when - begin), static_cast<double>((i + 1) * kUnitBytes)});
    return times;
  }

  static bool IsCleaning(const std::vector<LifeEvent>& events) {
    const std::size_t reset = LastEvent(events, "reset-request");
    const LifeEvent* const prepare = FindEvent(events, "prepare", reset);
    return prepare != nullptr && FindEvent(events, "disable", reset) == nullptr &&
           FindEvent(events, "perform-end", reset) == nullptr;
  }

  // Until the old guest is clean, with the new one at rest.
  absl::Status AwaitCleaning(std::vector<LifeEvent>& events) const {
    const Clock::time_point deadline = Clock::now() + kPatienceForCleaning;
    while (IsCleaning(events)) {
      pollfd waiting{interruption_.fd(), POLLIN, 0};
      if (poll(&waiting, 1, kLookMilliseconds) > 0) return absl::CancelledError("interrupted");
      if (Clock::now() > deadline)
        return absl::DeadlineExceededError("the old guest has not been cleaned for ten minutes");
      LETHE_ASSIGN_OR_RETURN(events, ReadLifeEvents(command_.events));
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<RebootTimes> TimesOf(const std::vector<LifeEvent>& events) {
    const std::size_t reset = LastEvent(events, "reset-request");
    if (reset == events.size()) return Missing("reset-request");
    const Clock::time_point begin = TimeOf(events[reset]);
    const auto since = [begin](const LifeEvent& event) { return Seconds(TimeOf(event) - begin); };
    RebootTimes times;
    const LifeEvent* const restarted = FindEvent(events, "guest-restarted", reset);
    const LifeEvent* const is_protected = FindEvent(events, "protected", reset);
    if (restarted == nullptr) return Missing("guest-restarted");
    if (is_protected == nullptr) return Missing("protected");
    times.pause = since(*restarted);
    times.is_protected = since(*is_protected);
    for (const char* const command : {"prepare", "disable"}) {
      const LifeEvent* const event = FindEvent(events, command, reset);
      if (event == nullptr) continue;
      times.command = command;
      if (event->duration) times.destroy += Seconds(*event->duration);
      times.uvcs = event->uvcs.value_or(0);
    }
    if (times.command.empty()) return Missing("prepare");
    times.own = times.pause - times.destroy;
    if (const LifeEvent* const event = FindEvent(events, "perform-begin", reset))
      times.clean_begin = since(*event);
    if (const LifeEvent* const event = FindEvent(events, "perform-end", reset))
      times.clean_end = since(*event);
    return times;
  }

  absl::StatusOr<EndTimes> End(const MemoryReading& before) {
    MemorySampler sampler;
    const MemoryReading full = ReadMemory();
    std::uint64_t MemoryReading::*const kind = full.shared - before.shared >= size_ / 2
                                                   ? &MemoryReading::shared
                                                   : &MemoryReading::anonymous;
    const Clock::time_point asked = Clock::now();
    LETHE_RETURN_IF_ERROR(child_->Say("p"));
    LETHE_ASSIGN_OR_RETURN(const Clock::time_point ended, child_->WaitForEnd());
    LETHE_RETURN_IF_ERROR(WaitForOrphans(interruption_));
    const Clock::time_point released = Clock::now();
    const std::vector<MemoryReading> readings = sampler.Stop();
    if (!IsBack(kind, before.*kind))
      return absl::DeadlineExceededError("no process is left, but its guest's memory is not back");

    EndTimes times;
    times.exit = Seconds(ended - asked);
    times.released = Seconds(released - asked);
    SetOwed(readings, kind, before.*kind, asked, times);
    if (!command_.events.empty()) {
      LETHE_ASSIGN_OR_RETURN(const std::vector<LifeEvent> events, ReadLifeEvents(command_.events));
      if (const LifeEvent* const stop = FindEvent(events, "power-off"))
        times.after_stop = Seconds(ended - TimeOf(*stop));
    }
    return times;
  }

  // Other processes' memory is their own affair; of memory files this benchmark has the most.
  bool IsBack(std::uint64_t MemoryReading::*kind, std::uint64_t before) const {
    const Clock::time_point deadline = Clock::now() + kPatienceForMemory;
    do {
      if (kind == &MemoryReading::anonymous) return true;
      if (ReadMemory().*kind <= before + size_ / 10) return true;
      poll(nullptr, 0, kLookMilliseconds);
    } while (Clock::now() < deadline);
    return false;
  }

  void SetOwed(const std::vector<MemoryReading>& readings, std::uint64_t MemoryReading::*kind,
               std::uint64_t before, Clock::time_point asked, EndTimes& times) const {
    const auto whole = static_cast<double>(size_);
    for (const MemoryReading& reading : readings) {
      const double held = static_cast<double>(reading.*kind) - static_cast<double>(before);
      times.owed.push_back({Seconds(reading.when - asked), std::clamp(held, 0.0, whole)});
    }
    // Of ordinary memory the whole host's is known, in which this does not show clearly.
    if (kind == &MemoryReading::anonymous && command_.events.empty()) return;
    // From the last moment when (almost) nothing was back to the first when (almost) all was.
    const auto first =
        std::find_if(times.owed.rbegin(), times.owed.rend(), [&](const Point& point) {
          return point.value > 0.98 * whole;
        }).base();
    const auto last = std::find_if(first, times.owed.end(),
                                   [&](const Point& point) { return point.value < 0.02 * whole; });
    if (first == times.owed.begin() || last == times.owed.end()) return;
    const Point& from = *(first - 1);
    if (last->seconds > from.seconds)
      times.release_rate = (from.value - last->value) / (last->seconds - from.seconds);
  }

  const GuestCommand& command_;
  const std::uint64_t size_;
  const Interruption& interruption_;
  const OnTouched& on_touched_;
  std::unique_ptr<ChildProcess> child_;
};

std::int64_t Nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// In a process of its own: nothing but system calls. How long it took, in nanoseconds; or -1.
std::int64_t TouchAndRelease(std::uint64_t size) {
  constexpr std::uint64_t kPage = 4096;
  const int file = memfd_create("lethe-bench", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, static_cast<off_t>(size)) != 0) return -1;
  void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) return -1;
  auto* const bytes = static_cast<volatile std::uint8_t*>(memory);
  for (std::uint64_t at = 0; at < size; at += kPage) bytes[at] = 1;
  const std::int64_t begin = Nanoseconds();
  munmap(memory, size);
  close(file);
  return Nanoseconds() - begin;
}

}  // namespace

absl::StatusOr<Round> RunGuest(const GuestCommand& command, std::uint64_t size,
                               const Interruption& interruption, const OnTouched& on_touched) {
  return Measurement(command, size, interruption, on_touched).Run();
}

absl::StatusOr<double> RunPlainRelease(std::uint64_t size, const Interruption& interruption) {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "cannot make a pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "cannot start a process");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const std::int64_t taken = TouchAndRelease(size);
    [[maybe_unused]] const ssize_t ignored = write(write_end.get(), &taken, sizeof(taken));
    _exit(0);
  }
  write_end.reset();
  std::array<pollfd, 2> waiting = {pollfd{read_end.get(), POLLIN, 0},
                                   pollfd{interruption.fd(), POLLIN, 0}};
  poll(waiting.data(), waiting.size(), -1);
  const bool interrupted = waiting[1].revents != 0;
  if (interrupted) kill(pid, SIGKILL);
  std::int64_t taken = -1;
  const ssize_t count = read(read_end.get(), &taken, sizeof(taken));
  waitpid(pid, nullptr, 0);
  if (interrupted) return absl::CancelledError("interrupted");
  if (count != sizeof(taken) || taken < 0)
    return absl::ResourceExhaustedError("cannot fill a memory file for comparison");
  return static_cast<double>(taken) / 1e9;
}

}  // namespace lethe::bench
