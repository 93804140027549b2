#include "cli/command_line.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cli/version.h"

namespace lethe {
namespace {

void AddRun(CLI::App& app, RunOptions& run) {
  AddRunOptions(*app.add_subcommand("run", "Run a guest until it powers off"), run);
}

void AddSeal(CLI::App& app, SealOptions& seal) {
  CLI::App* command = app.add_subcommand("seal", "Make a protected image for one or more hosts");
  command->add_option("-k,--kernel", seal.kernel, "Linux kernel")->type_name("FILE")->required();
  command->add_option("-i,--initrd", seal.initrd, "Initial RAM disk")->type_name("FILE");
  command->add_option("-a,--append", seal.append, "Kernel command line")->type_name("TEXT");
  command
      ->add_option("-d,--host-key-document", seal.host_key_documents,
                   "Host key document (X.509) of each host that may run the image; default: the "
                   "emulated host's of this user")
      ->type_name("FILE");
  command->add_option("-o,--output", seal.output, "Image to write")->type_name("FILE")->required();
}

void AddCheck(CLI::App& app, CheckOptions& check) {
  CLI::App* command =
      app.add_subcommand("check", "Say what this host can do and what Lethe will use");
  AddHostOptions(*command, check.host);
}

std::string OneLine(const std::string& message) {
  return absl::StrReplaceAll(message, {{"\n", " "}});
}

ParsedCommandLine UsageError(const CLI::App& app, const std::string& message) {
  ParsedCommandLine result;
  result.status = ExitStatus::kUsage;
  std::string who = "lethe";
  for (const CLI::App* command : app.get_subcommands())
    who = absl::StrCat("lethe ", command->get_name());
  result.error = absl::StrCat(who, ": ", OneLine(message), " (see ", who, " --help)");
  return result;
}

}  // namespace

ParsedCommandLine ParseCommandLine(const std::vector<std::string>& arguments) {
  CLI::App app(
      "Lethe runs IBM Z guests, protected ones (Secure Execution) above all, and lets them "
      "reboot in\nmilliseconds while their memory is destroyed in the background.",
      "lethe");
  app.set_version_flag("--version", absl::StrCat("lethe ", kVersion));
  app.require_subcommand(0, 1);
  app.get_formatter()->column_width(34);
  RunOptions run;
  SealOptions seal;
  CheckOptions check;
  PsOptions ps;
  StatusOptions status;
  WaitOptions wait;
  MetricsOptions metrics;
  BenchTeardownOptions teardown;
  AddRun(app, run);
  AddSeal(app, seal);
  AddCheck(app, check);
  AddPs(app, ps);
  AddStatus(app, status);
  AddWait(app, wait);
  AddMetrics(app, metrics);
  AddBench(app, teardown);
  EmulateOptions emulate;
  AddEmulate(app, emulate);

  // CLI11 takes its arguments in reverse order.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  ParsedCommandLine result;
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::CallForVersion& version) {
    result.output = absl::StrCat(version.what(), "\n");
    return result;
  } catch (const CLI::CallForHelp&) {
    // Of the innermost command that was named; each is called by the names around it.
    const CLI::App* asked = &app;
    std::string around;
    while (!asked->get_subcommands().empty()) {
      absl::StrAppend(&around, around.empty() ? "" : " ", asked->get_name());
      asked = asked->get_subcommands().front();
    }
    result.output = asked->help(around);
    return result;
  } catch (const CLI::Error& error) {
    return UsageError(app, error.what());
  }
  if (app.got_subcommand("run")) {
    if (auto wrong = WhatIsWrong(run)) return UsageError(app, *wrong);
    result.command = run;
  } else if (app.got_subcommand("seal")) {
    result.command = seal;
  } else if (app.got_subcommand("check")) {
    result.command = check;
  } else if (app.got_subcommand("ps")) {
    result.command = ps;
  } else if (app.got_subcommand("status")) {
    result.command = status;
  } else if (app.got_subcommand("wait")) {
    if (auto wrong = WhatIsWrong(wait)) return UsageError(app, *wrong);
    result.command = wait;
  } else if (app.got_subcommand("metrics")) {
    result.command = metrics;
  } else if (app.got_subcommand("bench")) {
    result.command = teardown;
  } else if (app.got_subcommand("emulate")) {
    result.command = emulate;
  } else {
    return UsageError(
        app, "a command is needed: run, seal, check, ps, status, wait, metrics, bench or emulate");
  }
  return result;
}

}  // namespace lethe
