#include "bench/teardown/memory_reading.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace lethe::bench {
namespace {

constexpr std::chrono::milliseconds kInterval{2};

// The value of a line "Name:   123 kB".
std::uint64_t BytesOf(absl::string_view content, absl::string_view name) {
  const std::size_t at = content.find(name);
  if (at == absl::string_view::npos) return 0;
  std::uint64_t kibibytes = 0;
  absl::string_view rest = content.substr(at + name.size());
  rest = rest.substr(0, rest.find(" kB"));
  return absl::SimpleAtoi(rest, &kibibytes) ? kibibytes << 10 : 0;
}

}  // namespace

MemoryReading ReadMemory() {
  MemoryReading reading;
  std::array<char, 4096> buffer;
  const UniqueFd file(open("/proc/meminfo", O_RDONLY | O_CLOEXEC));
  const ssize_t count = file ? read(file.get(), buffer.data(), buffer.size()) : 0;
  reading.when = Clock::now();
  if (count <= 0) return reading;
  const absl::string_view content(buffer.data(), static_cast<std::size_t>(count));
  reading.available = BytesOf(content, "MemAvailable:");
  reading.shared = BytesOf(content, "Shmem:");
  reading.anonymous = BytesOf(content, "AnonPages:");
  return reading;
}

MemorySampler::MemorySampler() : thread_([this] { Run(); }) {}

std::vector<MemoryReading> MemorySampler::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_all();
  if (thread_.joinable()) thread_.join();
  return std::move(readings_);
}

void MemorySampler::Run() {
  std::unique_lock lock(mutex_);
  Clock::time_point next = Clock::now();
  while (!stop_) {
    readings_.push_back(ReadMemory());
    next = std::max(next + kInterval, Clock::now());
    stopped_.wait_until(lock, next, [this] { return stop_; });
  }
}

}  // namespace lethe::bench
