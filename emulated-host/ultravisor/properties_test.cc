#include <gtest/gtest.h>

#include <cstdio>

#include "emulated-host/ultravisor/properties_summary.h"

// The main program of the tests of the Ultravisor's properties.
int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  const auto& summary = lethe::emulated::PropertiesSummary::Of();
  std::printf(
      "Ultravisor: %llu steps of the model, %zu of %zu return codes produced, "
      "%llu looks for others' secrets\n",
      static_cast<unsigned long long>(summary.model_steps), summary.codes_produced,
      summary.codes_known, static_cast<unsigned long long>(summary.looks));
  return result;
}
