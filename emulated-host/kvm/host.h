#ifndef LETHE_EMULATED_HOST_KVM_HOST_H_
#define LETHE_EMULATED_HOST_KVM_HOST_H_

#include <atomic>
#include <map>
#include <mutex>

#include "absl/status/statusor.h"
#include "emulated-host/kvm/descriptor_table.h"
#include "emulated-host/kvm/options.h"
#include "emulated-host/ultravisor/host_mapping.h"
#include "emulated-host/ultravisor/ultravisor.h"

namespace lethe::emulated {

// What all virtual machines of one emulated kernel share: the options, the descriptors, and the
// memory of the one process above the seam. Safe for concurrent use.
class Host {
 public:
  explicit Host(EmulatedKernelOptions options);

  const EmulatedKernelOptions& options() const { return options_; }
  const Log& log() const { return options_.log; }
  DescriptorTable& descriptors() { return descriptors_; }
  HostMapping& memory() { return memory_; }
  // Only when offers_protection() says so.
  Ultravisor& ultravisor() { return *options_.ultravisor; }
  bool offers_protection() const { return options_.ultravisor != nullptr; }

  // Secure configurations of this process: active, set aside, in teardown, left over.
  void AddConfiguration() { ++configurations_; }
  void RemoveConfiguration();
  int configurations() const { return configurations_; }

  // The region for memory that a slot shows, counted; ReleaseRegion() takes the count back. A
  // region that no slot shows is forgotten as soon as there is no configuration that may own its
  // pages.
  absl::StatusOr<HostRegion*> UseRegion(void* client, std::size_t size);
  void ReleaseRegion(HostRegion* region);

 private:
  void ForgetUnusedRegions();

  const EmulatedKernelOptions options_;
  std::atomic<int> configurations_{0};
  HostMapping memory_;
  std::mutex regions_mutex_;
  std::map<HostRegion*, int> uses_;
  DescriptorTable descriptors_;  // last: the machines behind it go first
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_HOST_H_
