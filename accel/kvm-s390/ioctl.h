#ifndef LETHE_ACCEL_KVM_S390_IOCTL_H_
#define LETHE_ACCEL_KVM_S390_IOCTL_H_

#include <cerrno>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "accel/kvm-s390/descriptor.h"

namespace lethe::kvm {

// The argument is a plain value (or absent: zero) instead of a pointer to a structure.
struct ByValue {};

// One ioctl with the type of its argument; a call with another structure does not compile.
template <typename Argument>
struct IoctlRequest {
  unsigned long number;
  absl::string_view name;  // what error messages say
};

// The result, or the negated errno value. An interrupted call is repeated: no request but KVM_RUN
// (which does not come this way) gives up because of a signal that a caller would want to see.
inline int IssueRaw(const Descriptor& descriptor, unsigned long request, std::uintptr_t argument) {
  int result;
  do {
    result = descriptor.kernel().Ioctl(descriptor.get(), request, argument);
  } while (result == -EINTR);
  return result;
}

inline absl::StatusOr<int> ResultOrStatus(int result, absl::string_view name) {
  if (result < 0) return absl::ErrnoToStatus(-result, name);
  return result;
}

template <typename Argument>
absl::StatusOr<int> Issue(const Descriptor& descriptor, IoctlRequest<Argument> request,
                          Argument& argument) {
  return ResultOrStatus(
      IssueRaw(descriptor, request.number, reinterpret_cast<std::uintptr_t>(&argument)),
      request.name);
}

inline absl::StatusOr<int> Issue(const Descriptor& descriptor, IoctlRequest<ByValue> request,
                                 std::uintptr_t argument = 0) {
  return ResultOrStatus(IssueRaw(descriptor, request.number, argument), request.name);
}

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_IOCTL_H_
