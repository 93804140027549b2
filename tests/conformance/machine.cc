#include "tests/conformance/machine.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "base/check.h"
#include "tests/conformance/host.h"

namespace lethe::conformance {
namespace {

bool HasBit(const std::uint64_t* list, unsigned number) {
  return (list[number / 64] >> (63 - number % 64) & 1) != 0;
}

}  // namespace

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

void Machine::CloseMachine() {
  if (vm_ >= 0) kernel_.Close(vm_);
  vm_ = -1;
}

void Machine::CloseAll() {
  for (const Vcpu& cpu : cpus_) {
    kernel_.Unmap(cpu.run, kRunSize);
    if (cpu.fd >= 0) kernel_.Close(cpu.fd);
  }
  cpus_.clear();
  if (flic_ >= 0) kernel_.Close(flic_);
  flic_ = -1;
  CloseMachine();
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

int Machine::CreateFlic() {
  abi::kvm_create_device wanted{abi::KVM_DEV_TYPE_FLIC, 0, 0};
  LETHE_CHECK(Pass(vm_, abi::KVM_CREATE_DEVICE, wanted) == 0);
  flic_ = static_cast<int>(wanted.fd);
  return flic_;
}

int Machine::CallInChild(int fd, unsigned long request, std::uint64_t value) {
  const pid_t child = fork();
  LETHE_CHECK(child >= 0);
  if (child == 0) _exit(-Call(fd, request, value) & 0xff);
  int status = 0;
  LETHE_CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
  return -WEXITSTATUS(status);
}

bool Machine::OffersFacility(unsigned number) {
  const auto host = std::make_unique<abi::kvm_s390_vm_cpu_machine>();
  LETHE_CHECK(
      GetAttribute(vm_, abi::KVM_S390_VM_CPU_MODEL, abi::KVM_S390_VM_CPU_MACHINE, host.get()) == 0);
  return HasBit(host->fac_mask, number) && HasBit(host->fac_list, number);
}

bool Machine::ProcessorHas(unsigned facility) {
  const auto processor = std::make_unique<abi::kvm_s390_vm_cpu_processor>();
  LETHE_CHECK(GetAttribute(vm_, abi::KVM_S390_VM_CPU_MODEL, abi::KVM_S390_VM_CPU_PROCESSOR,
                           processor.get()) == 0);
  return HasBit(processor->fac_list, facility);
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
