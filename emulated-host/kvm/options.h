#ifndef LETHE_EMULATED_HOST_KVM_OPTIONS_H_
#define LETHE_EMULATED_HOST_KVM_OPTIONS_H_

#include <cstdint>
#include <functional>

#include "base/log.h"
#include "emulated-host/cpu/cpu_model.h"

namespace lethe::emulated {

class Ultravisor;

// The emulated host, as its operator set it up.
struct EmulatedKernelOptions {
  // What the host's CPUs offer; a guest gets this or less.
  CpuModel cpu_model = CpuModel::Default();

  // The firmware of the host; nullptr: a host that cannot run protected guests. Outlives the
  // kernel.
  Ultravisor* ultravisor = nullptr;

  // The parameter async_destroy of the kvm module.
  bool asynchronous_destroy = true;

  // Guest absolute addresses end here.
  std::uint64_t highest_address = std::uint64_t{16} << 40;

  // What happens to a vCPU thread whose guest page the Ultravisor refuses to import. Default: the
  // thread gets SIGSEGV, as from the kernel.
  std::function<void()> on_refused_import;

  // Has a fatal signal reached the process? Asked by commands that only such a signal ends early.
  // Empty: never.
  std::function<bool()> fatal_signal_pending;

  // Told of each descriptor that the kernel is about to hand out. Empty: nobody wants to know.
  std::function<void(int fd)> on_descriptor;

  Log log = Log::Silent();
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_OPTIONS_H_
