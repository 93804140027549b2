#ifndef LETHE_BASE_STATUS_MATCHERS_H_
#define LETHE_BASE_STATUS_MATCHERS_H_

#include <gmock/gmock.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lethe {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

// EXPECT_THAT(Open(path), IsOk());
MATCHER(IsOk, "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

// EXPECT_THAT(Open(path), FailsWith(HasSubstr("no such file")));
MATCHER_P(FailsWith, message, "is an error whose message matches") {
  if (StatusOf(arg).ok()) return false;
  return ::testing::ExplainMatchResult(message, std::string(StatusOf(arg).message()),
                                       result_listener);
}

}  // namespace lethe

#endif  // LETHE_BASE_STATUS_MATCHERS_H_
