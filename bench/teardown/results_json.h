#ifndef LETHE_BENCH_TEARDOWN_RESULTS_JSON_H_
#define LETHE_BENCH_TEARDOWN_RESULTS_JSON_H_

#include <string>

#include "absl/strings/string_view.h"
#include "bench/teardown/results.h"

namespace lethe::bench {

// All that was measured, every round; times in seconds, sizes in bytes. Curves are thinned out.
std::string ToJson(const Results& results, absl::string_view version);

// At most `limit` points of a series, its ends among them.
Series Thinned(const Series& series, std::size_t limit);

}  // namespace lethe::bench

#endif  // LETHE_BENCH_TEARDOWN_RESULTS_JSON_H_
