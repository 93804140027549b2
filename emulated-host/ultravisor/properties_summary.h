#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_PROPERTIES_SUMMARY_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_PROPERTIES_SUMMARY_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "base/check.h"

namespace lethe::emulated {

// For tests of the Ultravisor's properties: what they amount to, printed when all have run.
struct PropertiesSummary {
  std::uint64_t model_steps = 0;
  std::size_t codes_known = 0;
  std::size_t codes_produced = 0;
  std::uint64_t looks = 0;  // by somebody for a secret that is not his

  static PropertiesSummary& Of() {
    static PropertiesSummary summary;
    return summary;
  }
};

// The number that the environment variable `name` holds.
inline std::uint64_t NumberFromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return otherwise;
  std::uint64_t number = 0;
  LETHE_CHECK(absl::SimpleAtoi(text, &number));
  return number;
}

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_PROPERTIES_SUMMARY_H_
