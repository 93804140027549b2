#ifndef LETHE_TESTS_CONFORMANCE_HOST_H_
#define LETHE_TESTS_CONFORMANCE_HOST_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "accel/kvm-s390/kernel.h"

namespace lethe::conformance {

// The kernel that the statements of this program are tried on. There is one for the whole run:
// GoogleTest makes its fixtures without arguments, so this is where they find it.
class Host {
 public:
  // `name` is "emulated" or "linux". Once, before the first test. Fails if a machine cannot be made
  // there; the message says why.
  static absl::Status Choose(absl::string_view name);
  // The chosen one.
  static Host& Get();

  kvm::Kernel& kernel() { return *kernel_; }
  const std::string& name() const { return name_; }

 private:
  Host(absl::string_view name, std::unique_ptr<kvm::Kernel> kernel)
      : name_(name), kernel_(std::move(kernel)) {}
  static std::unique_ptr<Host>& Chosen();
  absl::Status TryMachine();

  std::string name_;
  std::unique_ptr<kvm::Kernel> kernel_;
};

}  // namespace lethe::conformance

#endif  // LETHE_TESTS_CONFORMANCE_HOST_H_
