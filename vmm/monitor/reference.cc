#include "vmm/monitor/reference.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lethe::vmm {
namespace {

std::string ArgumentText(const ArgumentRow& row) {
  std::string type(ArgumentTypeName(row.type));
  if (!row.choices.empty()) type = absl::StrJoin(row.choices, " or ");
  return absl::StrCat("`", row.name, "` (", type, row.optional ? ", optional" : "",
                      "): ", row.help);
}

std::string ArgumentsText(const MonitorCommand& command) {
  return absl::StrJoin(command.arguments, "; ", [](std::string* out, const ArgumentRow& row) {
    absl::StrAppend(out, ArgumentText(row));
  });
}

std::string StatesText(RunStateSet states) {
  if (states == RunStateSet::All()) return "always";
  std::vector<absl::string_view> names;
  for (const RunState state : kRunStates)
    if (states.Contains(state)) names.push_back(RunStateName(state));
  return absl::StrJoin(names, ", ");
}

}  // namespace

std::string CommandReference(absl::Span<const MonitorCommand> commands) {
  std::string text =
      "| command | what it does | arguments | returns | when |\n|---|---|---|---|---|\n";
  for (const MonitorCommand& command : commands)
    absl::StrAppend(&text, "| `", command.name, "` | ", command.help, " | ", ArgumentsText(command),
                    " | ", command.result, " | ", StatesText(command.states), " |\n");
  return text;
}

}  // namespace lethe::vmm
