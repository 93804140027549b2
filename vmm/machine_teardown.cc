#include "vmm/machine_teardown.h"

namespace lethe::vmm {

DestroyPolicy MachineTeardown::policy() const { return machine_.protection()->policy(); }

void MachineTeardown::SetPolicy(const DestroyPolicy& policy) {
  machine_.protection()->SetPolicy(policy);
}

TeardownStatus MachineTeardown::status() const {
  Protection& protection = *machine_.protection();
  const Zombies zombies = protection.cleaner().zombies();
  TeardownStatus status;
  status.is_protected = protection.is_protected();
  status.waiting = zombies.waiting + zombies.left;
  status.cleaning = zombies.cleaning;
  status.pages_owed = zombies.pages;
  status.pressure = protection.pressure();
  if (machine_.shutdown().reaper_alive()) status.reaper = machine_.shutdown().reaper_pid();
  for (const TeardownKind kind : {TeardownKind::kReboot, TeardownKind::kShutdown})
    if (auto decision = protection.last_decision(kind))
      status.decisions.push_back(*std::move(decision));
  return status;
}

}  // namespace lethe::vmm
