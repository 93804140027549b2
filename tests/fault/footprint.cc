#include "tests/fault/footprint.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "absl/strings/str_cat.h"

// There under AddressSanitizer only: memory that nobody refers to any more.
extern "C" int __lsan_do_recoverable_leak_check() __attribute__((weak));

namespace lethe::fault {
namespace {

constexpr auto kMoment = std::chrono::seconds(2);

unsigned EntriesOf(const char* directory) {
  const std::filesystem::directory_iterator entries(directory);
  return static_cast<unsigned>(std::distance(begin(entries), end(entries)));
}

unsigned SharedMappings() {
  std::ifstream maps("/proc/self/maps");
  unsigned count = 0;
  for (std::string line; std::getline(maps, line);) {
    const std::size_t rights = line.find(' ') + 1;  // behind the range: "rw-s"
    if (rights + 3 < line.size() && line[rights + 3] == 's') ++count;
  }
  return count;
}

bool HasLeaks() {
  return __lsan_do_recoverable_leak_check != nullptr && __lsan_do_recoverable_leak_check() != 0;
}

std::string More(unsigned before, unsigned now, const char* what) {
  return now > before ? absl::StrCat(now - before, " ", what, "; ") : "";
}

}  // namespace

Footprint Footprint::Take() {
  return {EntriesOf("/proc/self/fd"), EntriesOf("/proc/self/task"), SharedMappings()};
}

std::string Footprint::LeftSince(const Footprint& before) {
  Footprint now = Take();
  const auto deadline = std::chrono::steady_clock::now() + kMoment;
  while (now.threads > before.threads && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    now = Take();
  }
  return absl::StrCat(More(before.descriptors, now.descriptors, "descriptors"),
                      More(before.threads, now.threads, "threads"),
                      More(before.mappings, now.mappings, "mappings"),
                      HasLeaks() ? "memory that nobody refers to; " : "");
}

}  // namespace lethe::fault
