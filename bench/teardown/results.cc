#include "bench/teardown/results.h"

#include <algorithm>

namespace lethe::bench {

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  if (values.size() % 2 != 0) return values[middle];
  return (values[middle - 1] + values[middle]) / 2;
}

const Row* Find(const Results& results, const Subject& subject) {
  for (const Row& row : results.rows) {
    const Subject& other = row.subject;
    if (other.vmm == subject.vmm && other.mode == subject.mode && other.size == subject.size &&
        other.uvc_cost == subject.uvc_cost && !row.rounds.empty())
      return &row;
  }
  return nullptr;
}

const PlainRelease* FindPlain(const Results& results, std::uint64_t size) {
  for (const PlainRelease& plain : results.plain)
    if (plain.size == size && !plain.seconds.empty()) return &plain;
  return nullptr;
}

double PlainRate(const PlainRelease& plain) {
  const double seconds = Median(plain.seconds);
  return seconds > 0 ? static_cast<double>(plain.size) / seconds : 0;
}

}  // namespace lethe::bench
