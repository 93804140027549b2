#ifndef LETHE_PRELOAD_SETTINGS_H_
#define LETHE_PRELOAD_SETTINGS_H_

#include <chrono>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "base/log.h"

namespace lethe::preload {

// The emulated host as the environment describes it, which `lethe emulate` fills from its options.
// Each variable is optional:
//
//   LETHE_EMULATE_HOST_KEY        private key file; default: the user's own
//   LETHE_EMULATE_UVC_COST        nanoseconds that each Ultravisor call takes; default 0
//   LETHE_EMULATE_EXPORT_COST     of those that encrypt a page; 0 (default): as the others
//   LETHE_EMULATE_DESTROY_FAST    0 or 1 (default): the Ultravisor's destroy fast
//   LETHE_EMULATE_ASYNC_DESTROY   0 or 1 (default): the parameter async_destroy of the kvm module
//   LETHE_EMULATE_LOG             error (default), warning, info, debug
struct Settings {
  std::string host_key;
  std::chrono::nanoseconds uvc_cost{0};
  std::chrono::nanoseconds export_cost{0};
  bool destroy_fast = true;
  bool asynchronous_destroy = true;
  LogLevel log_level = LogLevel::kError;
};

// The value of a variable, or null: std::getenv.
using Environment = std::function<const char*(const char* name)>;

// InvalidArgument: what is wrong with which variable.
absl::StatusOr<Settings> ReadSettings(const Environment& environment);

}  // namespace lethe::preload

#endif  // LETHE_PRELOAD_SETTINGS_H_
