#include "accel/kvm-s390/fault_injecting_survivor.h"

namespace lethe::kvm {

bool FaultInjectingSurvivor::Strikes(std::uint32_t command) {
  if (fault_.occurrence == 0 || command != fault_.command) return false;
  ++seen_;
  return seen_ == fault_.occurrence || (fault_.sticks && seen_ > fault_.occurrence);
}

int FaultInjectingSurvivor::Command(abi::kvm_pv_cmd& command) {
  const std::uint32_t number = command.cmd;
  const bool strikes = Strikes(number);
  int result = 0;
  if (!strikes || fault_.made_first) result = wrapped_->Command(command);
  if (strikes) {
    result = -fault_.error;
    command.rc = fault_.rc;
    command.rrc = fault_.rrc;
    journal_.struck.store(journal_.struck.load() + 1);
  }
  const std::uint32_t n = journal_.count.load();
  if (n < SurvivorJournal::kRoom) journal_.entries[n] = {number, result};
  journal_.count.store(n + 1);
  return result;
}

void FaultInjectingSurvivor::Close() {
  wrapped_->Close();
  journal_.closed.store(true);
}

}  // namespace lethe::kvm
