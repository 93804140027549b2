#ifndef LETHE_ACCEL_KVM_S390_ATTRIBUTE_H_
#define LETHE_ACCEL_KVM_S390_ATTRIBUTE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/ioctl.h"

namespace lethe::kvm {

// Attributes of a VM or a device: KVM_SET/GET/HAS_DEVICE_ATTR.
inline constexpr IoctlRequest<abi::kvm_device_attr> kSetAttribute{abi::KVM_SET_DEVICE_ATTR,
                                                                  "KVM_SET_DEVICE_ATTR"};
inline constexpr IoctlRequest<abi::kvm_device_attr> kGetAttribute{abi::KVM_GET_DEVICE_ATTR,
                                                                  "KVM_GET_DEVICE_ATTR"};
inline constexpr IoctlRequest<abi::kvm_device_attr> kHasAttribute{abi::KVM_HAS_DEVICE_ATTR,
                                                                  "KVM_HAS_DEVICE_ATTR"};

// `data` is what the attribute's address points to; it may be null where the group has no data.
absl::Status SetAttribute(const Descriptor& descriptor, std::uint32_t group,
                          std::uint64_t attribute, const void* data);
// The ioctl's result (GET_ALL_IRQS returns a count).
absl::StatusOr<int> GetAttribute(const Descriptor& descriptor, std::uint32_t group,
                                 std::uint64_t attribute, void* data);
bool HasAttribute(const Descriptor& descriptor, std::uint32_t group, std::uint64_t attribute);

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_ATTRIBUTE_H_
