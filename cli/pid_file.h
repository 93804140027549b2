#ifndef LETHE_CLI_PID_FILE_H_
#define LETHE_CLI_PID_FILE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace lethe {

// `--pidfile`: a file with the number of this process, locked (flock) while it runs and removed at
// its end.
class PidFile {
 public:
  // FailedPrecondition: the file belongs to a process that runs.
  static absl::StatusOr<std::unique_ptr<PidFile>> Write(const std::string& path);
  ~PidFile();

 private:
  PidFile(std::string path, UniqueFd file) : path_(std::move(path)), file_(std::move(file)) {}
  const std::string path_;
  UniqueFd file_;
};

}  // namespace lethe

#endif  // LETHE_CLI_PID_FILE_H_
