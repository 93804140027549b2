#ifndef LETHE_ACCEL_KVM_S390_FAULT_INJECTING_SURVIVOR_H_
#define LETHE_ACCEL_KVM_S390_FAULT_INJECTING_SURVIVOR_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "accel/kvm-s390/survivor.h"

namespace lethe::kvm {

// What a survivor was asked to do. In shared memory, for those who come after its process.
struct SurvivorJournal {
  static constexpr std::size_t kRoom = 16;
  struct Entry {
    std::uint32_t command;
    std::int32_t result;
  };

  std::array<Entry, kRoom> entries{};  // the first ones
  std::atomic<std::uint32_t> count{0};
  std::atomic<std::uint32_t> struck{0};
  std::atomic<bool> closed{false};
};

// Which answer of the survivor is replaced.
struct SurvivorFault {
  std::uint32_t command = 0;
  unsigned occurrence = 1;  // from 1 on
  bool sticks = false;
  bool made_first = false;
  int error = 0;  // errno value; 0: success, without anything done
  std::uint16_t rc = 0;
  std::uint16_t rrc = 0;
};

// Passes calls through to another survivor and makes one fail, by the rules of survivors: no lock,
// no allocation.
class FaultInjectingSurvivor final : public Survivor {
 public:
  // `journal` outlives the calls; with `fault.occurrence` 0 nothing fails.
  FaultInjectingSurvivor(std::unique_ptr<Survivor> wrapped, const SurvivorFault& fault,
                         SurvivorJournal& journal)
      : wrapped_(std::move(wrapped)), fault_(fault), journal_(journal) {}

  Needs needs() const override { return wrapped_->needs(); }
  int Command(abi::kvm_pv_cmd& command) override;
  void Close() override;

 private:
  bool Strikes(std::uint32_t command);

  const std::unique_ptr<Survivor> wrapped_;
  const SurvivorFault fault_;
  SurvivorJournal& journal_;
  unsigned seen_ = 0;
};

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_FAULT_INJECTING_SURVIVOR_H_
