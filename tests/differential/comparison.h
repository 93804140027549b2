#ifndef LETHE_TESTS_DIFFERENTIAL_COMPARISON_H_
#define LETHE_TESTS_DIFFERENTIAL_COMPARISON_H_

#include <string>

#include "absl/strings/string_view.h"
#include "tests/differential/record.h"
#include "tests/differential/subject.h"

namespace lethe::differential {

// Does everything agree that a program can see? As Differences(...).empty(), but fast.
bool Agree(const SubjectResult& ours, const Result& theirs);

// What differs, for people; empty if nothing does.
std::string Differences(const SubjectResult& ours, const Result& theirs);

// Where the oracle is known to deviate from the architecture: why; empty if it is not.
// `before`: what the case begins with.
absl::string_view KnownDeviation(const Sample& sample, const State& before,
                                 const SubjectResult& ours, const Result& theirs);

std::string Describe(const Case& request);

}  // namespace lethe::differential

#endif  // LETHE_TESTS_DIFFERENTIAL_COMPARISON_H_
