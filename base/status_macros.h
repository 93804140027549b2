#ifndef LETHE_BASE_STATUS_MACROS_H_
#define LETHE_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#define LETHE_RETURN_IF_ERROR(expression)                                                  \
  do {                                                                                     \
    if (absl::Status lethe_status = (expression); !lethe_status.ok()) return lethe_status; \
  } while (false)

#define LETHE_ASSIGN_OR_RETURN(target, expression) \
  LETHE_ASSIGN_OR_RETURN_(LETHE_CONCAT_(lethe_status_or_, __LINE__), target, expression)
#define LETHE_ASSIGN_OR_RETURN_(temporary, target, expression) \
  auto temporary = (expression);                               \
  if (!temporary.ok()) return std::move(temporary).status();   \
  target = std::move(temporary).value()
#define LETHE_CONCAT_(a, b) LETHE_CONCAT_INNER_(a, b)
#define LETHE_CONCAT_INNER_(a, b) a##b

namespace lethe {

// "context: what went wrong", keeping the code. An OK status stays OK.
inline absl::Status Annotate(absl::Status status, absl::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(context, ": ", status.message()));
}

}  // namespace lethe

#endif  // LETHE_BASE_STATUS_MACROS_H_
