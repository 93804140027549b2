#include "cli/host_options.h"

#include "cli/option_values.h"
#include "cli/quantity.h"

namespace lethe {

void AddHostOptions(CLI::App& command, HostOptions& host) {
  AddChoice<Accelerator>(command, "--accel", host.accelerator,
                         {{"auto", Accelerator::kAuto},
                          {"kvm", Accelerator::kKvm},
                          {"emulated", Accelerator::kEmulated}},
                         "Host to run on: the machine's KVM, or the emulated IBM Z host (auto: "
                         "KVM on s390x, else emulated)");
  AddEmulatedHostOptions(command, host);
}

void AddEmulatedHostOptions(CLI::App& command, HostOptions& host) {
  AddParsed(command, "--uvc-cost", host.uvc_cost, ParseDuration,
            "Emulated host: time that each Ultravisor call takes (0)")
      ->type_name("TIME");
  AddParsed(command, "--uvc-export-cost", host.export_cost, ParseDuration,
            "Emulated host: time that the export of a page takes (as --uvc-cost)")
      ->type_name("TIME");
  AddChoice<bool>(command, "--uv-destroy-fast", host.destroy_fast, {{"on", true}, {"off", false}},
                  "Emulated host: the Ultravisor call that ends a configuration at once (on)");
  AddChoice<bool>(command, "--async-destroy", host.asynchronous_destroy,
                  {{"on", true}, {"off", false}},
                  "Emulated host: the kvm module's parameter async_destroy (on)");
  command
      .add_option(
          "--host-key", host.host_key,
          "Emulated host: private host key (made on first use, in the user's data directory)")
      ->type_name("FILE");
}

}  // namespace lethe
