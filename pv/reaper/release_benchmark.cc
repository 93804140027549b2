// How fast the reaper releases memory, beside the plain way: munmap(2) of private memory, munmap(2)
// and close(2) of a memory file. A line of JSON per kind of memory and chunk size.
//
//   release_benchmark [MEBIBYTES [ROUNDS]]      default: 1024, 3 (of which the best counts)

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <new>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "pv/reaper/reaper.h"

namespace lethe {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// A VM without anything secure: the kernel's answers to a guest that is not protected.
class OrdinaryVm final : public kvm::Survivor {
 public:
  int Command(abi::kvm_pv_cmd&) override { return -EINVAL; }
  void Close() override {}
};

struct GuestMemory {
  std::uint8_t* base;
  int file;
};

GuestMemory MakeTouched(std::uint64_t size, bool memory_file) {
  const int file = memory_file ? memfd_create("guest", MFD_CLOEXEC) : -1;
  if (memory_file && ftruncate(file, static_cast<off_t>(size)) != 0) std::abort();
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                    memory_file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, file, 0);
  if (base == MAP_FAILED) std::abort();
  std::memset(base, 1, size);
  return {static_cast<std::uint8_t*>(base), file};
}

// Pages per second.
double PlainRate(std::uint64_t size, bool memory_file) {
  const GuestMemory memory = MakeTouched(size, memory_file);
  const auto begun = std::chrono::steady_clock::now();
  munmap(memory.base, size);
  if (memory.file >= 0) close(memory.file);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  return static_cast<double>(size) / kLedgerPageBytes / took.count();
}

double ReaperRate(std::uint64_t size, bool memory_file, std::uint64_t chunk) {
  void* shared = mmap(nullptr, sizeof(LedgerRecord), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) std::abort();
  auto* record = new (shared) LedgerRecord{};
  if (fork() == 0) {
    const GuestMemory memory = MakeTouched(size, memory_file);
    ReaperOptions options;
    options.name = "benchmark";
    options.survivor = std::make_unique<OrdinaryVm>();
    options.memory = absl::MakeSpan(memory.base, size);
    options.memory_fd = memory.file;
    options.chunk_size = chunk;
    options.priority = ReaperPriority::kNormal;  // the work is compared, not the scheduling
    options.record = record;
    const auto reaper = Reaper::Start(std::move(options));
    if (!reaper.ok()) std::fprintf(stderr, "%s\n", reaper.status().ToString().c_str());
    _exit(0);
  }
  while (wait(nullptr) > 0) {  // the reaper as well: this process adopts it
  }
  const bool whole = record->returned_pages == size / kLedgerPageBytes;
  const double rate = whole ? static_cast<double>(record->pages_per_second) : 0;
  munmap(shared, sizeof(LedgerRecord));
  return rate;
}

void Compare(std::uint64_t size, bool memory_file, int rounds) {
  constexpr std::uint64_t kChunks[] = {16 * kMiB, 64 * kMiB, 256 * kMiB};
  double plain = 0;
  double reaper[std::size(kChunks)] = {};
  for (int round = 0; round < rounds; ++round) {  // in turns: the machine has its moods
    plain = std::max(plain, PlainRate(size, memory_file));
    for (std::size_t i = 0; i < std::size(kChunks); ++i)
      reaper[i] = std::max(reaper[i], ReaperRate(size, memory_file, kChunks[i]));
  }
  for (std::size_t i = 0; i < std::size(kChunks); ++i)
    std::printf(
        "{\"memory\":\"%s\",\"mebibytes\":%llu,\"chunk_mebibytes\":%llu,"
        "\"plain_pages_per_second\":%.0f,\"reaper_pages_per_second\":%.0f,\"ratio\":%.3f}\n",
        memory_file ? "file" : "private", static_cast<unsigned long long>(size / kMiB),
        static_cast<unsigned long long>(kChunks[i] / kMiB), plain, reaper[i], reaper[i] / plain);
}

}  // namespace
}  // namespace lethe

int main(int argc, char** argv) {
  const std::uint64_t mebibytes = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1024;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 3;
  if (mebibytes == 0 || rounds <= 0) {
    std::fprintf(stderr, "usage: %s [MEBIBYTES [ROUNDS]]\n", argv[0]);
    return 2;
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (const bool memory_file : {false, true})
    lethe::Compare(mebibytes * lethe::kMiB, memory_file, rounds);
}
