#ifndef LETHE_VMM_MONITOR_COMMAND_H_
#define LETHE_VMM_MONITOR_COMMAND_H_

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vmm/machine_control.h"
#include "vmm/monitor/teardown_control.h"
#include "vmm/run_state.h"

namespace lethe::vmm {

using Json = nlohmann::ordered_json;

enum class ArgumentType { kString, kBoolean, kInteger, kStringList };

struct ArgumentRow {
  absl::string_view name;
  ArgumentType type;
  bool optional;
  absl::string_view help;
  absl::Span<const absl::string_view> choices = {};  // of a string; none: any
};

class RunStateSet {
 public:
  constexpr RunStateSet(std::initializer_list<RunState> states) {
    for (const RunState state : states) bits_ |= Bit(state);
  }
  static constexpr RunStateSet All() {
    RunStateSet all{};
    for (const RunState state : kRunStates) all.bits_ |= Bit(state);
    return all;
  }
  constexpr bool Contains(RunState state) const { return (bits_ & Bit(state)) != 0; }
  constexpr bool operator==(const RunStateSet&) const = default;

 private:
  static constexpr std::uint32_t Bit(RunState state) {
    return std::uint32_t{1} << static_cast<unsigned>(state);
  }
  std::uint32_t bits_ = 0;
};

struct MonitorCommand;

// What handlers work on.
struct CommandContext {
  MachineControl& machine;
  TeardownControl* teardown;  // null: there is nothing to ask (any more)
  std::string package;        // what calls itself QEMU here, with its version
  absl::Span<const MonitorCommand> commands;
};

// Runs a command whose arguments have been checked against its row. The result is what goes under
// "return"; an error is told to the client, kNotFound as class DeviceNotFound.
using CommandHandler = absl::StatusOr<Json> (*)(CommandContext& context, const Json& arguments);

// One command of the monitor. Everything that has to know commands reads it from here: dispatch,
// checks of arguments and state, query-commands, the reference in docs/.
struct MonitorCommand {
  absl::string_view name;
  absl::Span<const ArgumentRow> arguments;
  absl::string_view result;  // for the reference: members of what is returned; empty: nothing
  RunStateSet states;        // in which it is legal
  absl::string_view help;
  CommandHandler handler;
};

// All commands, by name. qmp_capabilities is one of them; its handler only checks, that it ends the
// negotiation is the session's part.
absl::Span<const MonitorCommand> MonitorCommands();

// Null: there is no such command.
const MonitorCommand* FindCommand(absl::Span<const MonitorCommand> commands,
                                  absl::string_view name);

// What is wrong with the arguments, in QEMU's words. `arguments` is an object.
absl::Status CheckArguments(const MonitorCommand& command, const Json& arguments);

// Whether the command may be carried out now.
absl::Status CheckState(const MonitorCommand& command, RunState state);

// "string", "boolean", ...: as in QEMU's messages.
absl::string_view ArgumentTypeName(ArgumentType type);

// Version that Lethe claims towards clients that ask whether QEMU is new enough.
inline constexpr int kClaimedQemuVersion[] = {10, 0, 0};
// {"qemu": {"major", "minor", "micro"}, "package"}, of the greeting and query-version.
Json VersionOf(const std::string& package);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MONITOR_COMMAND_H_
