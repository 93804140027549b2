#ifndef LETHE_BENCH_TEARDOWN_SAMPLE_RESULTS_H_
#define LETHE_BENCH_TEARDOWN_SAMPLE_RESULTS_H_

#include "bench/teardown/results.h"

namespace lethe::bench {

// Results as a measurement has them, for tests: two sizes, two modes, QEMU, one note.
inline Results SampleResults() {
  constexpr std::uint64_t kGibibyte = std::uint64_t{1} << 30;
  Results results;
  results.notes = {"16 GiB is left out: <too & large>"};
  for (const std::uint64_t size : {4 * kGibibyte, 8 * kGibibyte}) {
    const double unit = static_cast<double>(size) / (4.0 * kGibibyte);
    results.plain.push_back({size, {0.5 * unit}});
    for (const char* const mode : {"lazy", "sync"}) {
      const bool lazy = mode[0] == 'l';
      for (const double factor : {1.0, 1.2, 1.1}) {
        RebootTimes reboot;
        reboot.command = lazy ? "prepare" : "disable";
        reboot.destroy = factor * (lazy ? 0.7 : 1.5 * unit);
        reboot.own = 0.001;
        reboot.pause = reboot.destroy + reboot.own;
        reboot.is_protected = reboot.pause + 0.002;
        reboot.first_output = reboot.pause + 0.003;
        reboot.uvcs = 524291;
        if (lazy) reboot.clean_begin = reboot.pause + 0.01;
        if (lazy) reboot.clean_end = reboot.pause + unit;
        reboot.progress = {{reboot.first_output, 0}, {3, 1e9}, {4, 4e9}};
        EndTimes end;
        end.exit = lazy ? 0.012 : 2 * unit;
        end.after_stop = end.exit - 0.001;
        end.released = 2 * unit;
        end.release_rate = 7.5e9;
        end.owed = {{-0.001, 4.0 * kGibibyte}, {1.5, 4.0 * kGibibyte}, {2, 0}};
        const Subject subject{"lethe", mode, size, std::chrono::microseconds(1)};
        if (Find(results, subject) == nullptr) results.rows.push_back({subject, {}});
        results.rows.back().rounds.push_back({1, reboot, end});
      }
    }
    Round qemu;
    qemu.end.exit = qemu.end.released = 0.6 * unit;
    qemu.end.release_rate = 8e9;
    results.rows.push_back({{"qemu", "exit", size, {}}, {qemu}});
    results.rows.push_back({{"qemu", "async-teardown", size, {}}, {}});  // left out
  }
  return results;
}

}  // namespace lethe::bench

#endif  // LETHE_BENCH_TEARDOWN_SAMPLE_RESULTS_H_
