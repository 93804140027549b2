#ifndef LETHE_CLI_CLIENT_PROGRAM_H_
#define LETHE_CLI_CLIENT_PROGRAM_H_

#include <string>

#include "absl/status/statusor.h"

namespace lethe {

// A program that `lethe emulate` is to run.
struct ClientProgram {
  std::string path;
  bool foreign = false;  // for s390x, which this machine is not: an emulator runs it
};

// The program that a shell would run for `name`; a path that does not exist is also looked for
// below `sysroot` (unless that is empty). NotFound, PermissionDenied; FailedPrecondition: it is
// made for a machine that neither this one nor the emulator is.
absl::StatusOr<ClientProgram> FindClientProgram(const std::string& name,
                                                const std::string& sysroot);

}  // namespace lethe

#endif  // LETHE_CLI_CLIENT_PROGRAM_H_
