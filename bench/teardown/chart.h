#ifndef LETHE_BENCH_TEARDOWN_CHART_H_
#define LETHE_BENCH_TEARDOWN_CHART_H_

#include <string>

#include "bench/teardown/results.h"

namespace lethe::bench {

// What was measured as a picture (SVG): pause of a reboot and time of a power-off against the
// guest's size, and for the largest guest the memory owed over time and the new guest's progress.
std::string ToChart(const Results& results);

}  // namespace lethe::bench

#endif  // LETHE_BENCH_TEARDOWN_CHART_H_
