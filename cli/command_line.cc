#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cli/quantity.h"
#include "cli/version.h"

namespace lethe {
namespace {

// Turns a parse function of ours into an option's conversion, with its message as the error.
template <typename T, typename Parse>
CLI::Option* AddParsed(CLI::App& app, const std::string& name, T& target, Parse parse,
                       const std::string& help) {
  return app.add_option_function<std::string>(
      name,
      [&target, parse, name](const std::string& text) {
        auto value = parse(text);
        if (!value.ok()) throw CLI::ValidationError(name, std::string(value.status().message()));
        target = *value;
      },
      help);
}

template <typename T>
CLI::Option* AddChoice(CLI::App& app, const std::string& name, T& target,
                       const std::map<std::string, T>& choices, const std::string& help) {
  std::string accepted;
  for (const auto& [word, value] : choices)
    absl::StrAppend(&accepted, accepted.empty() ? "" : "|", word);
  return app
      .add_option_function<std::string>(
          name,
          [&target, choices, name, accepted](const std::string& text) {
            const auto found = choices.find(text);
            if (found == choices.end())
              throw CLI::ValidationError(
                  name, absl::StrCat("'", text, "' is not known; write one of ", accepted));
            target = found->second;
          },
          help)
      ->type_name(accepted);
}

void AddHostOptions(CLI::App& app, HostOptions& host) {
  AddChoice<Accelerator>(app, "--accel", host.accelerator,
                         {{"auto", Accelerator::kAuto},
                          {"kvm", Accelerator::kKvm},
                          {"emulated", Accelerator::kEmulated}},
                         "Host to run on: the machine's KVM, or the emulated IBM Z host (auto: "
                         "KVM on s390x, else emulated)");
  AddParsed(app, "--uvc-cost", host.uvc_cost, ParseDuration,
            "Emulated host: time that each Ultravisor call takes (0)")
      ->type_name("TIME");
  app.add_option(
         "--host-key", host.host_key,
         "Emulated host: private host key (made on first use, in the user's data directory)")
      ->type_name("FILE");
}

void AddRun(CLI::App& app, RunOptions& run) {
  CLI::App* command = app.add_subcommand("run", "Run a guest until it powers off");
  command->add_option("-k,--kernel", run.kernel, "Linux kernel or ELF program to start")
      ->type_name("FILE");
  command->add_option("-i,--initrd", run.initrd, "Initial RAM disk")->type_name("FILE");
  command->add_option("-a,--append", run.append, "Kernel command line")->type_name("TEXT");
  command->add_option("-p,--image", run.image, "Protected image to start (see lethe seal)")
      ->type_name("FILE");
  AddParsed(*command, "-m,--memory", run.memory, ParseMemorySize, "Guest memory (1G)")
      ->type_name("SIZE");
  command->add_option("-c,--cpus", run.cpus, "Guest CPUs (1)")->type_name("COUNT");
  AddChoice<DestroyMode>(
      *command, "--destroy", run.destroy,
      {{"auto", DestroyMode::kAuto}, {"lazy", DestroyMode::kLazy}, {"sync", DestroyMode::kSync}},
      "How a protected guest's memory is destroyed when it reboots (auto)");
  command
      ->add_option("--console", run.console,
                   "Where the guest's console is: stdio (Ctrl-A x ends the guest), none, "
                   "file:PATH (output only)")
      ->type_name("stdio|none|file:PATH");
  command
      ->add_option("--events", run.events,
                   "Write life-cycle events to FILE, one JSON object a line")
      ->type_name("FILE");
  AddChoice<LogLevel>(*command, "--log", run.log_level,
                      {{"error", LogLevel::kError},
                       {"warning", LogLevel::kWarning},
                       {"info", LogLevel::kInfo},
                       {"debug", LogLevel::kDebug}},
                      "What to report on standard error (info)");
  AddHostOptions(*command, run.host);
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

std::optional<std::string> WhatIsWrong(const RunOptions& run) {
  if (run.kernel.empty() && run.image.empty()) return "nothing to run; give --kernel or --image";
  if (!run.kernel.empty() && !run.image.empty()) return "--kernel and --image exclude each other";
  if (!run.image.empty() && (!run.initrd.empty() || !run.append.empty()))
    return "--initrd and --append are part of a protected image; give them to lethe seal";
  if (run.cpus < 1 || run.cpus > 248)
    return absl::StrCat("--cpus: ", run.cpus, " is out of range; 1 to 248 are accepted");
  if (run.console != "stdio" && run.console != "none" && run.console.rfind("file:", 0) != 0)
    return absl::StrCat("--console: '", run.console,
                        "' is not known; write stdio, none or file:PATH");
  if (run.console == "file:") return "--console: file: needs a path";
  return std::nullopt;
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
  AddRun(app, run);
  AddSeal(app, seal);
  AddCheck(app, check);

  // CLI11 takes its arguments in reverse order.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  ParsedCommandLine result;
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::CallForVersion& version) {
    result.output = absl::StrCat(version.what(), "\n");
    return result;
  } catch (const CLI::CallForHelp&) {
    const auto commands = app.get_subcommands();
    result.output = commands.empty() ? app.help() : commands.front()->help();
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
  } else {
    return UsageError(app, "a command is needed: run, seal or check");
  }
  return result;
}

}  // namespace lethe
