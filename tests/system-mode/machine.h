#ifndef LETHE_TESTS_SYSTEM_MODE_MACHINE_H_
#define LETHE_TESTS_SYSTEM_MODE_MACHINE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/system-mode/image.h"
#include "tests/system-mode/record.h"

namespace lethe::system_mode {

// Something that runs the oracle on an image.
class Machine {
 public:
  virtual ~Machine() = default;
  virtual std::string name() const = 0;
  // PURGE ALB, access registers and what belongs to them.
  virtual bool has_access_lists() const = 0;
  // Key-controlled protection.
  virtual bool has_storage_keys() const { return true; }
  // One result for each case. NotFound: this machine is not installed.
  virtual absl::StatusOr<std::vector<MachineResult>> Run(const Image& image) = 0;
};

std::unique_ptr<Machine> MakeOwnMachine();
// `directory`: for files; emptied by the caller.
std::unique_ptr<Machine> MakeQemu(std::string program, std::string directory);
std::unique_ptr<Machine> MakeHercules(std::string program, std::string directory);

}  // namespace lethe::system_mode

#endif  // LETHE_TESTS_SYSTEM_MODE_MACHINE_H_
