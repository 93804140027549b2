#ifndef LETHE_TESTS_DIFFERENTIAL_ORACLE_PROCESS_H_
#define LETHE_TESTS_DIFFERENTIAL_ORACLE_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "tests/differential/generator.h"
#include "tests/differential/record.h"

namespace lethe::differential {

// The oracle program under an emulator, at the other end of two pipes.
class OracleProcess {
 public:
  // `command`: the program and its arguments.
  static absl::StatusOr<OracleProcess> Start(const std::vector<std::string>& command,
                                             const std::vector<Sample>& samples);
  OracleProcess(OracleProcess&&) = default;
  ~OracleProcess();

  // At most kMaxBatch cases. The answers may be fetched later: the oracle works meanwhile.
  absl::Status Send(const std::vector<Case>& cases);
  absl::StatusOr<std::vector<Result>> Receive(std::size_t count);

 private:
  OracleProcess(UniqueFd to, UniqueFd from, pid_t child)
      : to_(std::move(to)), from_(std::move(from)), child_(child) {}

  UniqueFd to_;
  UniqueFd from_;
  pid_t child_;
};

}  // namespace lethe::differential

#endif  // LETHE_TESTS_DIFFERENTIAL_ORACLE_PROCESS_H_
