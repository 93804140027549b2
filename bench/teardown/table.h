#ifndef LETHE_BENCH_TEARDOWN_TABLE_H_
#define LETHE_BENCH_TEARDOWN_TABLE_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "bench/teardown/results.h"

namespace lethe::bench {

// What was measured as text for people: medians, and what they are of each other.
std::string ToTable(const Results& results);

// "12 ms", "6.1 s", "850 us": two or three digits.
std::string SecondsText(double seconds);
// "4 GiB", "256 MiB".
std::string SizeText(std::uint64_t bytes);
// "0", "1 us".
std::string CostText(std::chrono::nanoseconds cost);
// "Lethe, lazy", "QEMU", "QEMU, async-teardown".
std::string SubjectText(const Subject& subject);

}  // namespace lethe::bench

#endif  // LETHE_BENCH_TEARDOWN_TABLE_H_
