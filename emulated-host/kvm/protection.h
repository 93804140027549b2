#ifndef LETHE_EMULATED_HOST_KVM_PROTECTION_H_
#define LETHE_EMULATED_HOST_KVM_PROTECTION_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "emulated-host/cpu/cpu_host.h"
#include "emulated-host/kvm/configuration_table.h"
#include "emulated-host/ultravisor/ultravisor.h"

namespace lethe::emulated {

class VirtualCpu;
class VirtualMachine;

// The secure configurations of one virtual machine. At most one is active (the machine is then
// "protected": its handle is not zero), at most one is set aside for asynchronous destruction:
//
//   ACTIVE ---SetAside---> SET ASIDE ---CleanUp begins---> IN TEARDOWN ---done---> gone
//     |                        |                               |
//     |                        |                          fatal signal --> LEFT OVER
//     +------------------------+------ Disable, end of the machine ------------+----> gone
//
// A CPU is protected if it is a secure CPU itself; after a SetAside that failed half-way the
// machine is protected and its CPUs are not.
//
// Functions return 0 or a negated errno value, and leave in `codes` what the last Ultravisor call
// answered (nothing, if none was made).
class Protection {
 public:
  struct Codes {
    std::uint16_t rc = 0;
    std::uint16_t rrc = 0;
  };

  explicit Protection(VirtualMachine& machine);
  ~Protection();

  bool active() const { return table_->active() != kNoConfiguration; }  // from any thread
  // For who comes after the threads of this process.
  std::shared_ptr<ConfigurationTable> table() const { return table_; }

  // Under the machine's lock. These wait for CPUs that are in KVM_RUN.
  int Enable(Codes& codes);
  int Disable(Codes& codes);
  int SetAside(Codes& codes);

  // Under the machine's lock.
  int SetParameters(absl::Span<const std::uint8_t> header, Codes& codes);
  int Unpack(std::uint64_t absolute, std::uint64_t size, std::uint64_t tweak, Codes& codes);
  int Verify(Codes& codes);
  int PrepareReset(Codes& codes);
  int UnshareAll(Codes& codes);

  // Destroys the memory of what was set aside, then its configuration. Takes the machine's lock
  // only to take it over: may run beside everything else, and more than once.
  int CleanUp(Codes& codes);

  // A CPU made for a protected machine becomes a secure one. Under the machine's lock.
  int AdoptCpu(VirtualCpu& cpu);

  // A CPU ran into a page that does not admit it. 0: try again.
  int ResolveFault(VirtualCpu& cpu, std::uint64_t absolute, SecureFault fault);

  // The machine ends.
  void DestroyEverything();

 private:
  Ultravisor& ultravisor();
  // 0, or `error` if the call was refused.
  static int Answer(const UvcResult& result, int error, Codes& codes);
  int CreateCpus(Codes& codes);
  int CreateCpu(VirtualCpu& cpu, Codes& codes);
  int DestroyCpus(Codes& codes);
  bool DestroyCpu(VirtualCpu& cpu, Codes& codes);
  void EndProtection();
  // Destroys all configurations that nobody cleans, then all memory.
  int CleanUpAll(Codes& codes);
  // `configuration` is null if it was destroyed fast.
  bool Destroy(SecureConfiguration* configuration, Codes& codes);
  // False: a fatal signal came.
  bool DestroyAllPages(bool interruptible);
  int Import(VirtualCpu& cpu, HostRegion& region, std::size_t page, std::uint64_t absolute);

  VirtualMachine& machine_;
  const std::shared_ptr<ConfigurationTable> table_;
  // Guarded by the machine's lock.
  std::shared_ptr<SecureConfiguration> configuration_;  // the active one
  // What the Ultravisor refused to let go of stays its own for ever.
  std::vector<std::unique_ptr<SecureCpu>> leaked_cpus_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_PROTECTION_H_
