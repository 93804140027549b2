#include "emulated-host/kvm/host.h"

#include <signal.h>

#include <utility>

namespace lethe::emulated {
namespace {

EmulatedKernelOptions Completed(EmulatedKernelOptions options) {
  if (!options.on_refused_import) {
    options.on_refused_import = [] { pthread_kill(pthread_self(), SIGSEGV); };
  }
  return options;
}

}  // namespace

Host::Host(EmulatedKernelOptions options)
    : options_(Completed(std::move(options))),
      memory_([this](HostRegion& region, std::size_t page) {
        return !offers_protection() || ultravisor().MakeAccessible(region, page);
      }),
      descriptors_(options_.on_descriptor) {}

void Host::RemoveConfiguration() {
  const std::lock_guard lock(regions_mutex_);
  --configurations_;
  ForgetUnusedRegions();
}

absl::StatusOr<HostRegion*> Host::UseRegion(void* client, std::size_t size) {
  const std::lock_guard lock(regions_mutex_);
  absl::StatusOr<HostRegion*> region = memory_.Add(client, size);
  if (region.ok()) ++uses_[*region];
  return region;
}

void Host::ReleaseRegion(HostRegion* region) {
  const std::lock_guard lock(regions_mutex_);
  --uses_[region];
  ForgetUnusedRegions();
}

void Host::ForgetUnusedRegions() {
  if (configurations_ != 0) return;
  for (auto use = uses_.begin(); use != uses_.end();) {
    if (use->second != 0) {
      ++use;
      continue;
    }
    memory_.Remove(use->first->client(), use->first->size());
    use = uses_.erase(use);
  }
}

}  // namespace lethe::emulated
