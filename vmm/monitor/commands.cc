#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "vmm/monitor/command.h"

namespace lethe::vmm {
namespace {

using Result = absl::StatusOr<Json>;

Result ReturnNothing(const absl::Status& status) {
  if (!status.ok()) return status;
  return Json::object();
}

// --- the protocol

Result QmpCapabilities(CommandContext&, const Json& arguments) {
  const auto enable = arguments.find("enable");
  if (enable != arguments.end() && !enable->empty())
    return absl::InvalidArgumentError(
        absl::StrCat("Capability ", enable->front().get<std::string>(), " not available"));
  return Json::object();
}

Result QueryCommands(CommandContext& context, const Json&) {
  Json names = Json::array();
  for (const MonitorCommand& command : context.commands)
    names.push_back({{"name", std::string(command.name)}});
  return names;
}

Result QueryVersion(CommandContext& context, const Json&) { return VersionOf(context.package); }

// --- the machine

Result QueryStatus(CommandContext& context, const Json&) {
  const RunState state = context.machine.run_state();
  return Json{{"status", std::string(RunStateName(state))},
              {"running", state == RunState::kRunning}};
}

Result QueryName(CommandContext& context, const Json&) {
  return Json{{"name", context.machine.name()}};
}

Result QueryUuid(CommandContext& context, const Json&) {
  return Json{{"UUID", context.machine.uuid()}};
}

Result Stop(CommandContext& context, const Json&) { return ReturnNothing(context.machine.Pause()); }

Result Cont(CommandContext& context, const Json&) {
  return ReturnNothing(context.machine.Continue());
}

Result SystemReset(CommandContext& context, const Json&) {
  return ReturnNothing(context.machine.Reset(Cause::kMonitorReset));
}

Result SystemPowerdown(CommandContext& context, const Json&) {
  return ReturnNothing(context.machine.RequestPowerDown());
}

Result Quit(CommandContext& context, const Json&) {
  context.machine.End(Cause::kMonitorQuit);
  return Json::object();
}

// --- the teardown of protected guests

absl::StatusOr<TeardownControl*> TeardownOf(const CommandContext& context) {
  if (context.teardown == nullptr)
    return absl::FailedPreconditionError(
        "There is no protected guest whose teardown could be asked about");
  return context.teardown;
}

Json ToJson(const DestroyPolicy& policy) {
  return {{"reboot", std::string(DestroyModeName(policy.reboot))},
          {"shutdown", std::string(DestroyModeName(policy.shutdown))}};
}

Json ToJson(const DestroyDecision& decision) {
  return {{"kind", std::string(TeardownKindName(decision.kind()))},
          {"strategy", std::string(decision.strategy_name())},
          {"lazy", decision.lazy},
          {"reasons", decision.reasons}};
}

// Leaves `mode` as it is if there is no such argument.
void Take(const Json& arguments, const char* name, DestroyMode& mode) {
  const auto found = arguments.find(name);
  if (found == arguments.end()) return;
  const std::optional<DestroyMode> given = ParseDestroyMode(found->get_ref<const std::string&>());
  LETHE_CHECK(given.has_value());  // the row lists the modes
  mode = *given;
}

Result QueryDestroyPolicy(CommandContext& context, const Json&) {
  LETHE_ASSIGN_OR_RETURN(TeardownControl* const teardown, TeardownOf(context));
  return ToJson(teardown->policy());
}

Result SetDestroyPolicy(CommandContext& context, const Json& arguments) {
  LETHE_ASSIGN_OR_RETURN(TeardownControl* const teardown, TeardownOf(context));
  DestroyPolicy policy = teardown->policy();
  Take(arguments, "reboot", policy.reboot);
  Take(arguments, "shutdown", policy.shutdown);
  teardown->SetPolicy(policy);
  return Json::object();
}

Result QueryTeardown(CommandContext& context, const Json&) {
  LETHE_ASSIGN_OR_RETURN(TeardownControl* const teardown, TeardownOf(context));
  const TeardownStatus status = teardown->status();
  Json result = {{"protected", status.is_protected},
                 {"waiting", status.waiting},
                 {"cleaning", status.cleaning},
                 {"pressure", std::string(PressureLevelName(status.pressure))},
                 {"reaper-alive", status.reaper.has_value()}};
  if (status.reaper) result["reaper-pid"] = *status.reaper;
  if (status.pages_owed) result["pages-owed"] = *status.pages_owed;
  result["decisions"] = Json::array();
  for (const DestroyDecision& decision : status.decisions)
    result["decisions"].push_back(ToJson(decision));
  return result;
}

// --- the table

constexpr RunStateSet kAlways = RunStateSet::All();
constexpr RunStateSet kWhileAlive{RunState::kPrelaunch, RunState::kRunning, RunState::kPaused};
constexpr RunStateSet kWithGuest{RunState::kRunning, RunState::kPaused};

constexpr std::array<absl::string_view, 3> kDestroyModes{"auto", "lazy", "sync"};

constexpr std::array<ArgumentRow, 1> kCapabilityArguments{
    {{"enable", ArgumentType::kStringList, true, "capabilities to use; none is offered"}}};
constexpr std::array<ArgumentRow, 2> kPolicyArguments{{
    {"reboot", ArgumentType::kString, true, "when the guest reboots", kDestroyModes},
    {"shutdown", ArgumentType::kString, true, "when it ends for good", kDestroyModes},
}};

constexpr std::array<MonitorCommand, 14> kCommands{{
    {"cont", {}, "", kWhileAlive, "Lets a stopped guest go on.", &Cont},
    {"qmp_capabilities", kCapabilityArguments, "", kAlways,
     "Ends the negotiation. Has to be the first command of a connection.", &QmpCapabilities},
    {"query-commands", {}, "list of name", kAlways, "Lists the commands.", &QueryCommands},
    {"query-name", {}, "name", kAlways, "Says the guest's name.", &QueryName},
    {"query-status",
     {},
     "status, running",
     kAlways,
     "Says what the guest is doing: prelaunch, running, paused, shutdown, guest-panicked or "
     "internal-error.",
     &QueryStatus},
    {"query-uuid", {}, "UUID", kAlways, "Says the guest's UUID.", &QueryUuid},
    {"query-version",
     {},
     "qemu (major, minor, micro), package",
     kAlways,
     "Says the version of QEMU whose protocol is spoken, and of Lethe.",
     &QueryVersion},
    {"quit", {}, "", kAlways, "Ends the guest as by pulling the plug, and the program.", &Quit},
    {"stop",
     {},
     "",
     kWhileAlive,
     "Takes the CPUs out of the guest. Its clock runs on, its requests wait. Returns when no CPU "
     "runs any more.",
     &Stop},
    {"system_powerdown",
     {},
     "",
     kWithGuest,
     "Asks the guest to shut down (signal quiesce). An error if it does not listen.",
     &SystemPowerdown},
    {"system_reset",
     {},
     "",
     kWithGuest,
     "Resets the machine and loads it anew, as if the guest had asked for a reboot. A stopped "
     "guest stays stopped.",
     &SystemReset},
    {"x-lethe-query-destroy-policy",
     {},
     "reboot, shutdown",
     kAlways,
     "Says when a protected guest's memory is destroyed: auto, lazy or sync.",
     &QueryDestroyPolicy},
    {"x-lethe-query-teardown",
     {},
     "protected, waiting, cleaning, pressure, reaper-alive, reaper-pid (if alive), pages-owed (of "
     "4 KiB, as counted when earlier lives ended; if known), decisions (list of kind, strategy, "
     "lazy, reasons)",
     kAlways,
     "Says how far earlier lives of the guest are cleaned, and what was decided for the last "
     "reboot and shutdown.",
     &QueryTeardown},
    {"x-lethe-set-destroy-policy", kPolicyArguments, "", kWhileAlive,
     "Changes the policy from the next teardown on; what is not given stays as it is.",
     &SetDestroyPolicy},
}};

}  // namespace

absl::Span<const MonitorCommand> MonitorCommands() { return kCommands; }

}  // namespace lethe::vmm
