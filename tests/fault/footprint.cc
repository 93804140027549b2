#include "tests/fault/footprint.h"

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "absl/strings/str_cat.h"

namespace lethe::fault {
namespace {

constexpr std::uint64_t kLarge = std::uint64_t{1} << 30;
constexpr auto kMoment = std::chrono::seconds(2);

unsigned EntriesOf(const char* directory) {
  const std::filesystem::directory_iterator entries(directory);
  return static_cast<unsigned>(std::distance(begin(entries), end(entries)));
}

unsigned LargeOrSharedMappings() {
  std::ifstream maps("/proc/self/maps");
  unsigned count = 0;
  for (std::string line; std::getline(maps, line);) {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    char rights[5] = {};
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s", &begin, &end, rights) != 3)
      continue;
    if (rights[3] == 's' || end - begin >= kLarge) ++count;
  }
  return count;
}

std::string More(unsigned before, unsigned now, const char* what) {
  return now > before ? absl::StrCat(now - before, " ", what, "; ") : "";
}

}  // namespace

Footprint Footprint::Take() {
  return {EntriesOf("/proc/self/fd"), EntriesOf("/proc/self/task"), LargeOrSharedMappings()};
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
                      More(before.mappings, now.mappings, "mappings"));
}

}  // namespace lethe::fault
