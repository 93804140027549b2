#ifndef LETHE_EMULATED_HOST_KVM_KERNEL_FILE_H_
#define LETHE_EMULATED_HOST_KVM_KERNEL_FILE_H_

#include <pthread.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "accel/kvm-s390/kernel.h"

namespace lethe::emulated {

// What stands behind a descriptor of the emulated kernel. Called from any thread, also
// concurrently.
class KernelFile {
 public:
  virtual ~KernelFile() = default;

  // The result of the system call, or a negated errno value.
  virtual int Ioctl(unsigned long request, std::uintptr_t argument) = 0;

  // Makes `thread` leave the KVM_RUN that it is in, if it is in one.
  virtual void Kick(pthread_t) {}

  // How many bytes of the descriptor can be mapped.
  virtual std::size_t map_size() const { return 0; }

  // See kvm::Kernel; `fd` is the descriptor, and `copy` stands for the copy of it that the process
  // has which uses the survivor. nullptr: nothing of it needs to survive.
  // NOLINTBEGIN(performance-unnecessary-value-param): those who override it keep both
  virtual std::unique_ptr<kvm::Survivor> MakeSurvivor([[maybe_unused]] int fd,
                                                      std::vector<kvm::RunArea>,
                                                      std::shared_ptr<const void>) {
    return nullptr;
  }
  // NOLINTEND(performance-unnecessary-value-param)
};

// One row of a device's ioctl table.
template <typename Device>
struct IoctlRow {
  unsigned long number;
  absl::string_view name;
  int (Device::*handler)(std::uintptr_t argument);
};

// The row for `request`; nullptr if the table has none. The kernel looks at 32 bits only: C
// libraries differ in the sign of the request.
template <typename Device, std::size_t size>
const IoctlRow<Device>* FindIoctl(const IoctlRow<Device> (&table)[size], unsigned long request) {
  const auto number = static_cast<std::uint32_t>(request);
  for (const IoctlRow<Device>& row : table) {
    if (row.number == number) return &row;
  }
  return nullptr;
}

// Calls the row for `request`; `unknown` when the table has none.
template <typename Device, std::size_t size>
int DispatchIoctl(const IoctlRow<Device> (&table)[size], Device& device, unsigned long request,
                  std::uintptr_t argument, int unknown = -ENOTTY) {
  const IoctlRow<Device>* const row = FindIoctl(table, request);
  return row != nullptr ? (device.*row->handler)(argument) : unknown;
}

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_KERNEL_FILE_H_
