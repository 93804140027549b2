#include "accel/kvm-s390/attribute.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace lethe::kvm {
namespace {

abi::kvm_device_attr Describe(std::uint32_t group, std::uint64_t attribute, const void* data) {
  return {.flags = 0,
          .group = group,
          .attr = attribute,
          .addr = reinterpret_cast<std::uintptr_t>(data)};
}

absl::Status WithNames(absl::Status status, std::uint32_t group, std::uint64_t attribute) {
  return Annotate(std::move(status), absl::StrCat("group ", group, " attribute ", attribute));
}

}  // namespace

absl::Status SetAttribute(const Descriptor& descriptor, std::uint32_t group,
                          std::uint64_t attribute, const void* data) {
  abi::kvm_device_attr argument = Describe(group, attribute, data);
  return WithNames(Issue(descriptor, kSetAttribute, argument).status(), group, attribute);
}

absl::StatusOr<int> GetAttribute(const Descriptor& descriptor, std::uint32_t group,
                                 std::uint64_t attribute, void* data) {
  abi::kvm_device_attr argument = Describe(group, attribute, data);
  absl::StatusOr<int> result = Issue(descriptor, kGetAttribute, argument);
  if (!result.ok()) return WithNames(result.status(), group, attribute);
  return result;
}

bool HasAttribute(const Descriptor& descriptor, std::uint32_t group, std::uint64_t attribute) {
  abi::kvm_device_attr argument = Describe(group, attribute, nullptr);
  return Issue(descriptor, kHasAttribute, argument).ok();
}

}  // namespace lethe::kvm
