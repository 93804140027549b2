#include "vmm/monitor/command.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace lethe::vmm {
namespace {

bool HasType(const Json& value, ArgumentType type) {
  switch (type) {
    case ArgumentType::kString:
      return value.is_string();
    case ArgumentType::kBoolean:
      return value.is_boolean();
    case ArgumentType::kInteger:
      return value.is_number_integer();
    case ArgumentType::kStringList:
      return value.is_array() && std::all_of(value.begin(), value.end(),
                                             [](const Json& item) { return item.is_string(); });
  }
  return false;
}

absl::Status CheckArgument(const ArgumentRow& row, const Json& value) {
  if (!HasType(value, row.type))
    return absl::InvalidArgumentError(absl::StrCat("Invalid parameter type for '", row.name,
                                                   "', expected: ", ArgumentTypeName(row.type)));
  if (row.choices.empty()) return absl::OkStatus();
  const auto& word = value.get_ref<const std::string&>();
  if (std::find(row.choices.begin(), row.choices.end(), word) == row.choices.end())
    return absl::InvalidArgumentError(
        absl::StrCat("Parameter '", row.name, "' does not accept value '", word, "'"));
  return absl::OkStatus();
}

}  // namespace

const MonitorCommand* FindCommand(absl::Span<const MonitorCommand> commands,
                                  absl::string_view name) {
  for (const MonitorCommand& command : commands)
    if (command.name == name) return &command;
  return nullptr;
}

absl::Status CheckArguments(const MonitorCommand& command, const Json& arguments) {
  for (const ArgumentRow& row : command.arguments) {
    const auto found = arguments.find(row.name);
    if (found != arguments.end()) {
      if (absl::Status status = CheckArgument(row, *found); !status.ok()) return status;
    } else if (!row.optional) {
      return absl::InvalidArgumentError(absl::StrCat("Parameter '", row.name, "' is missing"));
    }
  }
  for (const auto& item : arguments.items()) {
    const auto known = [&](const ArgumentRow& row) { return row.name == item.key(); };
    if (std::none_of(command.arguments.begin(), command.arguments.end(), known))
      return absl::InvalidArgumentError(absl::StrCat("Parameter '", item.key(), "' is unexpected"));
  }
  return absl::OkStatus();
}

absl::Status CheckState(const MonitorCommand& command, RunState state) {
  if (command.states.Contains(state)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "The command ", command.name, " is not possible in state '", RunStateName(state), "'"));
}

absl::string_view ArgumentTypeName(ArgumentType type) {
  switch (type) {
    case ArgumentType::kString:
      return "string";
    case ArgumentType::kBoolean:
      return "boolean";
    case ArgumentType::kInteger:
      return "integer";
    case ArgumentType::kStringList:
      return "array of strings";
  }
  return "";
}

Json VersionOf(const std::string& package) {
  return {{"qemu",
           {{"major", kClaimedQemuVersion[0]},
            {"minor", kClaimedQemuVersion[1]},
            {"micro", kClaimedQemuVersion[2]}}},
          {"package", package}};
}

}  // namespace lethe::vmm
