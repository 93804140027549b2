#include "pv/host_memory.h"

#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace lethe {
namespace {

// Files of procfs have no size, and one that is missing is as good as an empty one.
std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

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
  return ParseHostMemory(ReadAll(proc + "/meminfo"), ReadAll(proc + "/pressure/memory"));
}

}  // namespace lethe
