#ifndef LETHE_TESTS_FAULT_LIFE_H_
#define LETHE_TESTS_FAULT_LIFE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "accel/kvm-s390/fault_injecting_kernel.h"
#include "emulated-host/ultravisor/uvc.h"
#include "emulated-host/ultravisor/uvc_faults.h"
#include "image/host_key.h"
#include "pv/destroy_policy.h"
#include "pv/ledger/ledger_record.h"
#include "pv/pressure_level.h"
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

// How a guest is run, and how its process gets rid of it.
struct LifeKind {
  const char* name;
  bool is_protected;
  DestroyMode reboot;
  DestroyMode shutdown;
  bool reaper = false;  // the end is left to it, if it can be
  PressureLevel pressure = PressureLevel::kNone;
};

// What outlives the process in which a guest is run. In memory shared with it.
struct Remains {
  LedgerRecord record{};
  kvm::SurvivorJournal journal{};
};

// What was seen of one life.
struct LifeResult {
  Ending ending = Ending::kWrong;
  unsigned struck = 0;  // how often the fault did
  bool left_to_reaper = false;
  std::string text = {};  // what the guest or the VMM said; of kWrong, what is wrong

  std::string Serialize() const;
  static LifeResult Parse(const std::string& text);
};

// What goes wrong in a life: a call of the kernel, or one that the kernel makes of the Ultravisor.
struct Trouble {
  std::optional<kvm::Fault> fault = {};
  std::optional<emulated::UvcFault> uvc_fault = {};

  // What the Ultravisor does not end, nobody can.
  bool leaves_configurations() const {
    return uvc_fault && (uvc_fault->call == emulated::Uvc::kDestroyCpu ||
                         uvc_fault->call == emulated::Uvc::kDestroyConfiguration);
  }
};

// What was called in a life.
struct LifeRecord {
  std::vector<kvm::KernelCall> calls = {};
  std::map<emulated::Uvc, std::uint64_t> uvcs = {};

  std::string Serialize() const;
  static LifeRecord Parse(const std::string& text);
};

// Runs the guest from its creation to its end, with one reboot, on an emulated host of its own, in
// `trouble`. Checks that nothing of it is left, but for what is left to a reaper: then the process
// is to end at once. In a process with one thread. `record`, if not null, receives what was called.
LifeResult Live(const LifeKind& kind, const GuestFiles& files, const HostKey& key,
                const Trouble& trouble, Remains& remains, LifeRecord* record);

}  // namespace lethe::fault

#endif  // LETHE_TESTS_FAULT_LIFE_H_
