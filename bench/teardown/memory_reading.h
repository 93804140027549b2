#ifndef LETHE_BENCH_TEARDOWN_MEMORY_READING_H_
#define LETHE_BENCH_TEARDOWN_MEMORY_READING_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "bench/teardown/child_process.h"

namespace lethe::bench {

// What /proc/meminfo says, in bytes.
struct MemoryReading {
  Clock::time_point when;
  std::uint64_t available = 0;
  // Guests' memory is one or the other, which is told by what grew.
  std::uint64_t shared = 0;
  std::uint64_t anonymous = 0;
};

MemoryReading ReadMemory();

// Reads every two milliseconds, in a thread, from its making to Stop().
class MemorySampler {
 public:
  MemorySampler();
  ~MemorySampler() { Stop(); }
  std::vector<MemoryReading> Stop();

 private:
  void Run();

  std::mutex mutex_;  // guards stop_
  std::condition_variable stopped_;
  bool stop_ = false;
  std::vector<MemoryReading> readings_;  // the thread's until it is joined
  std::thread thread_;
};

}  // namespace lethe::bench

#endif  // LETHE_BENCH_TEARDOWN_MEMORY_READING_H_
