#ifndef LETHE_CLI_VERSION_H_
#define LETHE_CLI_VERSION_H_

#include "absl/strings/string_view.h"

namespace lethe {

inline constexpr absl::string_view kVersion = LETHE_VERSION;  // from meson.build

}  // namespace lethe

#endif  // LETHE_CLI_VERSION_H_
