#include "pv/host_memory.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "pv/kernel_file.h"

namespace lethe {
namespace {

// "MemAvailable:    1234 kB"
std::optional<std::uint64_t> KibibytesOf(absl::string_view line, absl::string_view name) {
  if (!absl::ConsumePrefix(&line, name)) return std::nullopt;
  absl::string_view number = absl::StripSuffix(line, "kB");
  std::uint64_t value;
  if (!absl::SimpleAtoi(number, &value)) return std::nullopt;
  return value * 1024;
}

// "some avg10=1.23 avg60=..."
std::optional<double> AverageOf(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, "some avg10=")) return std::nullopt;
  double value;
  if (!absl::SimpleAtod(line.substr(0, line.find(' ')), &value)) return std::nullopt;
  return value;
}

}  // namespace

HostMemory ParseHostMemory(absl::string_view meminfo, absl::string_view pressure) {
  HostMemory memory;
  for (absl::string_view line : absl::StrSplit(meminfo, '\n')) {
    if (auto value = KibibytesOf(line, "MemTotal:")) memory.total_bytes = value;
    if (auto value = KibibytesOf(line, "MemAvailable:")) memory.available_bytes = value;
  }
  for (absl::string_view line : absl::StrSplit(pressure, '\n'))
    if (auto value = AverageOf(line)) memory.pressure = value;
  return memory;
}

HostMemory ReadHostMemory(const std::string& proc) {
  return ParseHostMemory(ReadKernelFile(proc + "/meminfo"),
                         ReadKernelFile(proc + "/pressure/memory"));
}

std::optional<std::uint64_t> ReadResidentMemory(const std::string& proc) {
  std::optional<std::uint64_t> resident;
  for (absl::string_view line : absl::StrSplit(ReadKernelFile(proc + "/self/status"), '\n')) {
    for (absl::string_view name : {"RssAnon:", "RssShmem:"})
      if (auto value = KibibytesOf(line, name)) resident = resident.value_or(0) + *value;
  }
  return resident;
}

}  // namespace lethe
