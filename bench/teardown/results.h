#ifndef LETHE_BENCH_TEARDOWN_RESULTS_H_
#define LETHE_BENCH_TEARDOWN_RESULTS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lethe::bench {

// Times in seconds, from the moment that each member names.

struct Point {
  double seconds = 0;
  double value = 0;
};
using Series = std::vector<Point>;

// A reboot that the guest asked for, counted from the event "reset-request".
struct RebootTimes {
  std::string command;      // "prepare", or "disable": destroyed in the foreground
  double pause = 0;         // until the event "guest-restarted"
  double destroy = 0;       // of the pause: in the kernel and the Ultravisor, in `command`
  double own = 0;           // of the pause: all the rest, which is the VMM
  double is_protected = 0;  // until the new guest is in protected mode
  double first_output = 0;  // until the new guest's first line on its console
  std::uint64_t uvcs = 0;   // Ultravisor calls in the pause; 0: the host does not tell
  // Cleaning in the background, if there was any.
  std::optional<double> clean_begin;
  std::optional<double> clean_end;
  Series progress;  // bytes that the new guest has worked through
};

// A power-off, counted from the command to the guest to power itself off.
struct EndTimes {
  double exit = 0;                   // until waitpid() returned
  std::optional<double> after_stop;  // the part of it after the event "power-off"
  double released = 0;               // until no process is left that has the memory
  double release_rate = 0;           // bytes per second, while memory came back
  Series owed;                       // bytes that had not come back
};

struct Round {
  double touch = 0;  // for writing to every page, first time
  std::optional<RebootTimes> reboot;
  EndTimes end;
};

// Who was measured.
struct Subject {
  std::string vmm;                       // "lethe", "qemu"
  std::string mode;                      // "lazy", "sync"; QEMU: "exit", "async-teardown"
  std::uint64_t size = 0;                // guest memory in bytes
  std::chrono::nanoseconds uvc_cost{0};  // lethe only
};

struct Row {
  Subject subject;
  std::vector<Round> rounds;
};

// What unmapping and closing a touched memory file of that size takes.
struct PlainRelease {
  std::uint64_t size = 0;
  std::vector<double> seconds;
};

struct Results {
  std::vector<Row> rows;
  std::vector<PlainRelease> plain;
  std::vector<std::string> notes;  // what was left out, and why
};

double Median(std::vector<double> values);  // 0 for none

// The median over the rounds of what `value` says of one.
template <typename Value>
double MedianOf(const Row& row, Value value) {
  std::vector<double> values;
  for (const Round& round : row.rounds) values.push_back(value(round));
  return Median(std::move(values));
}

const Row* Find(const Results& results, const Subject& subject);  // null: was not measured
const PlainRelease* FindPlain(const Results& results, std::uint64_t size);
double PlainRate(const PlainRelease& plain);  // bytes per second

}  // namespace lethe::bench

#endif  // LETHE_BENCH_TEARDOWN_RESULTS_H_
