#ifndef LETHE_CLI_BENCH_OPTIONS_H_
#define LETHE_CLI_BENCH_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace lethe {

// Options of `lethe bench teardown`.
struct BenchTeardownOptions {
  std::vector<std::uint64_t> sizes = {std::uint64_t{4} << 30, std::uint64_t{8} << 30,
                                      std::uint64_t{16} << 30};
  std::vector<std::chrono::nanoseconds> costs = {std::chrono::nanoseconds(0),
                                                 std::chrono::microseconds(1)};
  std::vector<std::string> modes = {"lazy", "sync"};
  int rounds = 1;
  std::string qemu = "qemu-system-s390x";  // off: not measured
  std::string program;                     // empty: this one
  std::string host_key_document;           // empty: the emulated host
  std::string json;                        // files; empty: none
  std::string svg;
};

// Adds the command `bench` with its one benchmark.
void AddBench(CLI::App& app, BenchTeardownOptions& teardown);

}  // namespace lethe

#endif  // LETHE_CLI_BENCH_OPTIONS_H_
