#include "cli/emulate_options.h"

#include "cli/option_values.h"

namespace lethe {

void AddEmulate(CLI::App& app, EmulateOptions& emulate) {
  CLI::App& command = *app.add_subcommand(
      "emulate",
      "Run another program that uses KVM (QEMU, say) with the emulated host as /dev/kvm");
  AddEmulatedHostOptions(command, emulate.host);
  AddChoice<std::string>(
      command, "--log", emulate.log,
      {{"error", "error"}, {"warning", "warning"}, {"info", "info"}, {"debug", "debug"}},
      "What the emulated host writes to standard error (error)");
  command
      .add_option("--library", emulate.library,
                  "The emulated host for the program's machine (liblethe-kvm.so beside Lethe)")
      ->type_name("FILE");
  command
      .add_option("--sysroot", emulate.sysroot,
                  "Where the libraries of an s390x program are, which qemu-s390x-static then runs")
      ->type_name("DIRECTORY");
  command.add_option("command", emulate.command, "After --: the program and its arguments")
      ->type_name("-- PROGRAM ARGUMENT")
      ->required();
}

}  // namespace lethe
