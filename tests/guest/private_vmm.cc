// What a VMM on a real host is to the kernel's memory management: a process that keeps a guest in
// private memory and has a reaper. The guest never runs, and cleaning it never ends.
//
//   private_vmm LEDGER NAME MEBIBYTES
//
// prints the reaper's process id when all of the memory is touched, and ends with its standard
// input.

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "base/status_macros.h"
#include "base/system_call.h"
#include "base/uuid.h"
#include "pv/ledger/ledger.h"
#include "pv/reaper/reaper.h"

namespace lethe {
namespace {

class EndlessSurvivor final : public kvm::Survivor {
 public:
  Needs needs() const override { return {{}, {SYS_ppoll}}; }
  int Command(abi::kvm_pv_cmd&) override {
    while (true) SystemCall(SYS_ppoll);  // no descriptor, no timeout
  }
  void Close() override {}
};

absl::Status Run(const char* directory, const char* name, std::uint64_t size) {
  LETHE_ASSIGN_OR_RETURN(const auto ledger, Ledger::Open(directory));
  LETHE_ASSIGN_OR_RETURN(LedgerEntry entry, ledger->AddEntry({name, RandomUuid(), size}));
  void* const memory =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return absl::ErrnoToStatus(errno, "mmap");
  std::memset(memory, 1, size);

  ReaperOptions options;
  options.name = name;
  options.survivor = std::make_unique<EndlessSurvivor>();
  options.memory = absl::MakeSpan(static_cast<std::uint8_t*>(memory), size);
  options.descriptors = {entry.fd()};
  options.record = &entry.record();
  options.totals = ledger->totals();
  LETHE_ASSIGN_OR_RETURN(const auto reaper, Reaper::Start(std::move(options)));
  EnterState(entry.record(), LedgerState::kRunning, LedgerNow());
  std::cout << reaper->pid() << std::endl;
  std::cin.get();
  EnterDying(entry.record(), size / kLedgerPageBytes, LedgerStrategy::kBulk, LedgerNow());
  entry.HandOver();
  _exit(0);
}

}  // namespace
}  // namespace lethe

int main(int argc, char** argv) {
  std::uint64_t mebibytes = 0;
  if (argc != 4 || !absl::SimpleAtoi(argv[3], &mebibytes)) {
    std::cerr << "usage: private_vmm LEDGER NAME MEBIBYTES\n";
    return 2;
  }
  const absl::Status status = lethe::Run(argv[1], argv[2], mebibytes << 20);
  std::cerr << status << "\n";
  return 1;
}
