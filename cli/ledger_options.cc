#include "cli/ledger_options.h"

#include <CLI/CLI.hpp>

#include "cli/option_values.h"
#include "cli/quantity.h"

namespace lethe {
namespace {

void AddLedger(CLI::App& command, std::string& ledger) {
  command
      .add_option("--ledger", ledger,
                  "Directory of the ledger (root: /run/lethe; else lethe in the user's runtime "
                  "directory)")
      ->type_name("DIR");
}

void AddGuest(CLI::App& command, std::string& guest) {
  command.add_option("guest", guest, "Name, UUID (or its beginning) or process id of the guest")
      ->type_name("GUEST")
      ->required();
}

}  // namespace

void AddPs(CLI::App& app, PsOptions& ps) {
  CLI::App* command =
      app.add_subcommand("ps", "List running guests, and stopped ones that owe memory");
  command->add_flag("-a,--all", ps.all, "Also those that ended in the last ten minutes");
  command->add_flag("--json", ps.json, "For programs: an array of objects");
  AddLedger(*command, ps.ledger);
}

void AddStatus(CLI::App& app, StatusOptions& status) {
  CLI::App* command = app.add_subcommand("status", "Say everything the ledger knows of a guest");
  AddGuest(*command, status.guest);
  command->add_flag("--json", status.json, "For programs: an object");
  AddLedger(*command, status.ledger);
}

void AddWait(CLI::App& app, WaitOptions& wait) {
  CLI::App* command =
      app.add_subcommand("wait", "Wait until a guest has stopped, or its memory is back");
  AddGuest(*command, wait.guest);
  command->add_flag("--stopped", wait.stopped, "Wait until the guest has stopped");
  command->add_flag("--released", wait.released, "Wait until all of its memory is released");
  command
      ->add_option_function<std::string>(
          "--timeout",
          [&wait](const std::string& text) {
            const auto timeout = ParseDuration(text);
            if (!timeout.ok())
              throw CLI::ValidationError("--timeout", std::string(timeout.status().message()));
            wait.timeout = *timeout;
          },
          "Give up after this time, with exit status 1 (no limit)")
      ->type_name("TIME");
  AddLedger(*command, wait.ledger);
}

void AddMetrics(CLI::App& app, MetricsOptions& metrics) {
  CLI::App* command =
      app.add_subcommand("metrics", "Write the ledger's numbers in Prometheus text format");
  command
      ->add_option("-o,--output", metrics.output,
                   "File to replace, whole at any moment (standard output)")
      ->type_name("FILE");
  AddLedger(*command, metrics.ledger);
}

std::optional<std::string> WhatIsWrong(const WaitOptions& wait) {
  if (wait.stopped == wait.released) return "say what to wait for: either --stopped or --released";
  return std::nullopt;
}

}  // namespace lethe
