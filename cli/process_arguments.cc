#include "cli/process_arguments.h"

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace lethe {
namespace {

// Fields arg_start and arg_end of proc(5) stat, counted from the one after the name in parentheses.
constexpr std::size_t kStart = 48 - 3;
constexpr std::size_t kEnd = 49 - 3;

}  // namespace

absl::Span<char> ProcessArguments() {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t name_end = text.rfind(") ");
  if (name_end == std::string::npos) return {};
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(text).substr(name_end + 2), ' ');
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  if (fields.size() <= kEnd || !absl::SimpleAtoi(fields[kStart], &start) ||
      !absl::SimpleAtoi(fields[kEnd], &end) || start == 0 || end <= start)
    return {};
  return absl::MakeSpan(reinterpret_cast<char*>(start), end - start);
}

}  // namespace lethe
