#ifndef LETHE_VMM_OUTCOME_H_
#define LETHE_VMM_OUTCOME_H_

#include <cstdint>
#include <string>

#include "accel/kvm-s390/vcpu.h"

namespace lethe::vmm {

using kvm::Psw;

// How a machine's life ended, other than by a failure of the host (which is a Status).
struct Outcome {
  enum class Kind {
    kPoweredOff,  // the last operating CPU stopped
    kCrashed,     // the last operating CPU can never go on: disabled wait, interruption loop
    kEnded,       // someone outside ended it
  };
  Kind kind = Kind::kPoweredOff;
  // Of a crash: CPU address, its PSW, and what it was ("disabled wait").
  unsigned cpu = 0;
  Psw psw;
  std::string reason;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_OUTCOME_H_
