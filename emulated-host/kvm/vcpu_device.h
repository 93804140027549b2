#ifndef LETHE_EMULATED_HOST_KVM_VCPU_DEVICE_H_
#define LETHE_EMULATED_HOST_KVM_VCPU_DEVICE_H_

#include <memory>
#include <utility>

#include "base/unique_fd.h"
#include "emulated-host/kvm/kernel_file.h"
#include "emulated-host/kvm/virtual_cpu.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {

// The descriptor of a CPU.
class VcpuDevice final : public KernelFile {
 public:
  VcpuDevice(std::shared_ptr<VirtualMachine> machine, VirtualCpu& cpu)
      : machine_(std::move(machine)), cpu_(cpu) {}

  // A descriptor for it, which maps the run page.
  static UniqueFd MakeDescriptor(const VirtualCpu& cpu);

  int Ioctl(unsigned long request, std::uintptr_t argument) override;
  void Kick(pthread_t thread) override { cpu_.Kick(thread); }
  std::size_t map_size() const override { return kPageSize; }

 private:
  friend struct VcpuDeviceTable;
  // These do not wait for a KVM_RUN.
  int Interrupt(std::uintptr_t argument);
  int InjectInterruption(std::uintptr_t argument);

  int Run(std::uintptr_t argument);
  int Fault(std::uintptr_t address);
  int GetRegisters(std::uintptr_t argument);
  int SetRegisters(std::uintptr_t argument);
  int GetSystemRegisters(std::uintptr_t argument);
  int SetSystemRegisters(std::uintptr_t argument);
  int Translate(std::uintptr_t argument);
  int SetSignalMask(std::uintptr_t argument);
  int GetFloatingPoint(std::uintptr_t argument);
  int SetFloatingPoint(std::uintptr_t argument);
  int StoreStatus(std::uintptr_t where);
  int SetInitialPsw(std::uintptr_t argument);
  int NormalReset(std::uintptr_t);
  int InitialReset(std::uintptr_t);
  int ClearReset(std::uintptr_t);
  int GetState(std::uintptr_t);
  int SetState(std::uintptr_t argument);
  int SetGuestDebug(std::uintptr_t argument);
  int EnableCapability(std::uintptr_t argument);
  int GetOneRegister(std::uintptr_t argument);
  int SetOneRegister(std::uintptr_t argument);
  int MemoryOperation(std::uintptr_t argument);
  int SetInterruptionState(std::uintptr_t argument);
  int GetInterruptionState(std::uintptr_t argument);
  int ProtectedCommand(std::uintptr_t argument);

  const std::shared_ptr<VirtualMachine> machine_;
  VirtualCpu& cpu_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_VCPU_DEVICE_H_
