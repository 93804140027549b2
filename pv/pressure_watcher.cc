#include "pv/pressure_watcher.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lethe {
namespace {

using Kind = PressureTrigger::Kind;
using std::chrono::steady_clock;

// The present counters; no value: the group is gone. Reading also makes the file "not ready".
std::optional<MemoryEvents> ReadEvents(int fd) {
  char text[512];
  const ssize_t size = ::pread(fd, text, sizeof(text), 0);
  if (size < 0) return std::nullopt;
  return ParseMemoryEvents({text, static_cast<std::size_t>(size)});
}

timespec TimespecOf(std::chrono::nanoseconds duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  return {static_cast<time_t>(seconds.count()), static_cast<long>((duration - seconds).count())};
}

}  // namespace

absl::StatusOr<std::unique_ptr<PressureWatcher>> PressureWatcher::Start(PressureTriggers triggers,
                                                                        Options options,
                                                                        const Log& log) {
  if (!triggers.missing.empty())
    log.Info(absl::StrCat(triggers.triggers.empty() ? "memory pressure is not watched: "
                                                    : "memory pressure is watched in part: ",
                          absl::StrJoin(triggers.missing, ", ")));
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return absl::ErrnoToStatus(errno, "watching memory pressure: eventfd");
  std::unique_ptr<PressureWatcher> watcher(
      new PressureWatcher(std::move(triggers), std::move(options), log, std::move(stop)));
  try {
    if (!watcher->sources_.empty())
      watcher->thread_ = std::thread([raw = watcher.get()] { raw->Run(); });
  } catch (const std::system_error& error) {
    return absl::ErrnoToStatus(error.code().value(), "watching memory pressure: thread");
  }
  return watcher;
}

PressureWatcher::PressureWatcher(PressureTriggers triggers, Options options, const Log& log,
                                 UniqueFd stop)
    : options_(std::move(options)), log_(log), stop_(std::move(stop)), gauge_(options_.hold) {
  for (PressureTrigger& trigger : triggers.triggers) {
    Source source{std::move(trigger)};
    if (source.trigger.kind == Kind::kEvents)
      source.last = ReadEvents(source.trigger.fd.get()).value_or(MemoryEvents());
    sources_.push_back(std::move(source));
  }
}

PressureWatcher::~PressureWatcher() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof(one));
  thread_.join();
}

std::optional<PressureLevel> PressureWatcher::Ask(Source& source, short ready) {
  switch (source.trigger.kind) {
    case Kind::kStall:
      // Of a group that was removed a trigger is ready for ever, in both ways.
      if ((ready & (POLLERR | POLLNVAL)) != 0 || (ready & POLLPRI) == 0) return std::nullopt;
      return source.trigger.level;
    case Kind::kEventFd: {
      std::uint64_t count;
      if (::read(source.trigger.fd.get(), &count, sizeof(count)) < 0) return std::nullopt;
      return source.trigger.level;
    }
    case Kind::kEvents: {
      if ((ready & POLLNVAL) != 0) return std::nullopt;
      const std::optional<MemoryEvents> now = ReadEvents(source.trigger.fd.get());
      if (!now) return std::nullopt;
      return LevelOf(std::exchange(source.last, *now), *now);
    }
  }
  return std::nullopt;
}

void PressureWatcher::Publish(PressureLevel level) {
  if (std::exchange(level_, level) == level) return;
  options_.on_change(level);
}

void PressureWatcher::Run() {
  pthread_setname_np(pthread_self(), "pressure");
  for (;;) {
    std::vector<pollfd> polled = {{stop_.get(), POLLIN, 0}};
    for (const Source& source : sources_)
      polled.push_back({source.trigger.fd.get(), source.trigger.poll_events(), 0});

    const std::optional<PressureGauge::Time> change = gauge_.NextChange(steady_clock::now());
    timespec timeout{};
    if (change)
      timeout = TimespecOf(std::max(std::chrono::nanoseconds(0),
                                    std::chrono::nanoseconds(*change - steady_clock::now())));
    const int ready = ::ppoll(polled.data(), polled.size(), change ? &timeout : nullptr, nullptr);
    if (ready < 0 && errno != EINTR) return log_.Warning("memory pressure is no longer watched");
    if (ready > 0 && polled[0].revents != 0) return;

    for (std::size_t i = sources_.size(); ready > 0 && i-- > 0;) {
      if (polled[i + 1].revents == 0) continue;
      const std::optional<PressureLevel> level = Ask(sources_[i], polled[i + 1].revents);
      if (level) {
        gauge_.Signal(*level, steady_clock::now());
        continue;
      }
      log_.Info(absl::StrCat(sources_[i].trigger.name, " tells of memory pressure no longer"));
      sources_.erase(sources_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    Publish(gauge_.Level(steady_clock::now()));
  }
}

}  // namespace lethe
