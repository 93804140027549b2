#ifndef LETHE_TESTS_DIFFERENTIAL_ORACLE_PROCESS_H_
#define LETHE_TESTS_DIFFERENTIAL_ORACLE_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "tests/differential/generator.h"
#include "tests/differential/record.h"

namespace lethe::differential {

// The oracle program under an emulator: two pipes and memory in common.
class OracleProcess {
 public:
  // `command`: the program and its arguments.
  static absl::StatusOr<std::unique_ptr<OracleProcess>> Start(
      const std::vector<std::string>& command, const std::vector<Sample>& samples);
  OracleProcess(const OracleProcess&) = delete;
  OracleProcess& operator=(const OracleProcess&) = delete;
  ~OracleProcess();

  // Each batch of the exchange belongs to the caller before Send and after Receive. They are
  // executed in the order in which they are sent, while the caller does something else.
  Exchange::Slot& slot(std::uint32_t number) { return exchange_->slots[number]; }
  absl::Status Send(std::uint32_t number, std::uint32_t count);
  absl::Status Receive(std::uint32_t number);

 private:
  OracleProcess() = default;
  absl::Status MapExchange();

  UniqueFd memory_;
  Exchange* exchange_ = nullptr;
  UniqueFd to_;
  UniqueFd from_;
  pid_t child_ = -1;
};

}  // namespace lethe::differential

#endif  // LETHE_TESTS_DIFFERENTIAL_ORACLE_PROCESS_H_
