#include "tests/conformance/machine.h"

#include <fcntl.h>

#include <memory>

#include "base/check.h"
#include "tests/conformance/host.h"

namespace lethe::conformance {

Machine::Machine(std::size_t memory_size) : kernel_(Host::Get().kernel()), memory_(memory_size) {
  system_ = kernel_.Open("/dev/kvm", O_RDWR | O_CLOEXEC);
  LETHE_CHECK(system_ >= 0);
  vm_ = Call(system_, abi::KVM_CREATE_VM);
  LETHE_CHECK(vm_ >= 0);
  LETHE_CHECK(SetSlot(0, 0, memory_.size(), memory_.address()) == 0);
}

Machine::~Machine() {
  CloseAll();
  kernel_.Close(system_);
}

void Machine::CloseAll() {
  for (const Vcpu& cpu : cpus_) {
    kernel_.Unmap(cpu.run, kRunSize);
    kernel_.Close(cpu.fd);
  }
  cpus_.clear();
  if (vm_ >= 0) kernel_.Close(vm_);
  vm_ = -1;
}

int Machine::SetSlot(std::uint32_t slot, std::uint64_t absolute, std::uint64_t size,
                     std::uint64_t user, std::uint32_t flags) {
  abi::kvm_userspace_memory_region region{slot, flags, absolute, size, user};
  return Pass(vm_, abi::KVM_SET_USER_MEMORY_REGION, region);
}

int Machine::EnableCapability(int fd, std::uint32_t capability, std::uint64_t argument) {
  abi::kvm_enable_cap wanted{};
  wanted.cap = capability;
  wanted.args[0] = argument;
  return Pass(fd, abi::KVM_ENABLE_CAP, wanted);
}

int Machine::SetAttribute(int fd, std::uint32_t group, std::uint64_t attribute, const void* data,
                          std::uint32_t flags) {
  abi::kvm_device_attr wanted{flags, group, attribute, reinterpret_cast<std::uintptr_t>(data)};
  return Pass(fd, abi::KVM_SET_DEVICE_ATTR, wanted);
}

int Machine::GetAttribute(int fd, std::uint32_t group, std::uint64_t attribute, void* data,
                          std::uint32_t flags) {
  abi::kvm_device_attr wanted{flags, group, attribute, reinterpret_cast<std::uintptr_t>(data)};
  return Pass(fd, abi::KVM_GET_DEVICE_ATTR, wanted);
}

int Machine::HasAttribute(int fd, std::uint32_t group, std::uint64_t attribute) {
  abi::kvm_device_attr wanted{0, group, attribute, 0};
  return Pass(fd, abi::KVM_HAS_DEVICE_ATTR, wanted);
}

bool Machine::OffersFacility(unsigned number) {
  const auto host = std::make_unique<abi::kvm_s390_vm_cpu_machine>();
  LETHE_CHECK(
      GetAttribute(vm_, abi::KVM_S390_VM_CPU_MODEL, abi::KVM_S390_VM_CPU_MACHINE, host.get()) == 0);
  const std::uint64_t bit = std::uint64_t{1} << (63 - number % 64);
  return (host->fac_mask[number / 64] & host->fac_list[number / 64] & bit) != 0;
}

Machine::Vcpu& Machine::AddCpu(std::uint64_t address) {
  constexpr std::size_t kMostCpus = 256;
  cpus_.reserve(kMostCpus);  // references stay valid
  LETHE_CHECK(cpus_.size() < kMostCpus);
  Vcpu cpu;
  cpu.fd = Call(vm_, abi::KVM_CREATE_VCPU, address);
  LETHE_CHECK(cpu.fd >= 0);
  const std::intptr_t run = kernel_.Map(cpu.fd, kRunSize);
  LETHE_CHECK(run > 0 || run < -4095);
  cpu.run = reinterpret_cast<abi::kvm_run*>(run);
  cpus_.push_back(cpu);
  return cpus_.back();
}

}  // namespace lethe::conformance
