#ifndef LETHE_TESTS_FAULT_LIFE_H_
#define LETHE_TESTS_FAULT_LIFE_H_

#include <string>
#include <vector>

#include "accel/kvm-s390/fault_injecting_kernel.h"
#include "image/host_key.h"
#include "pv/destroy_policy.h"
#include "tests/fault/guest_files.h"

namespace lethe::fault {

// What a fault may come to.
enum class Ending {
  kGoesOn,    // the guest does what it would have done, and ends as it would have
  kAnswered,  // the guest is told no as the architecture has it, and ends itself
  kError,     // the VMM ends the guest with one clear line
  kWrong,     // anything else
};
const char* EndingName(Ending ending);

// How a guest is run.
struct LifeKind {
  const char* name;
  bool is_protected;
  DestroyMode destroy;
};

// What was seen of one life.
struct LifeResult {
  Ending ending = Ending::kWrong;
  unsigned struck = 0;    // how often the fault did
  std::string text = {};  // what the guest or the VMM said; of kWrong, what is wrong

  std::string Serialize() const;
  static LifeResult Parse(const std::string& text);
};

// Runs the guest from its creation to its end, with one reboot, on an emulated host of its own,
// while `fault` strikes. Checks that nothing of it is left. In a process with one thread.
LifeResult Live(const LifeKind& kind, const GuestFiles& files, const HostKey& key,
                const kvm::Fault& fault);

// The calls of a life without faults, in their order. Empty: it did not go well, and `error` says
// why.
std::vector<kvm::KernelCall> RecordLife(const LifeKind& kind, const GuestFiles& files,
                                        const HostKey& key, std::string& error);

}  // namespace lethe::fault

#endif  // LETHE_TESTS_FAULT_LIFE_H_
