#ifndef LETHE_TESTS_CONFORMANCE_MACHINE_H_
#define LETHE_TESTS_CONFORMANCE_MACHINE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/kernel.h"
#include "base/big_endian.h"
#include "tests/conformance/shared_memory.h"

namespace lethe::conformance {

// A program that uses KVM through the seam, on the kernel that was chosen for this run. One
// machine, its memory in slot 0 from guest address 0 on, as many CPUs as the test makes. Results
// are those of the calls: a value or a negated errno value.
class Machine {
 public:
  static constexpr std::uint64_t kPageSize = 4096;
  static constexpr std::uint64_t kSegmentSize = 1 << 20;
  static constexpr std::size_t kMemorySize = 2 * kSegmentSize;
  static constexpr std::uint64_t kProgramAt = 0x10000;
  // Of PSWs: supervisor state, 64-bit addressing, nothing enabled.
  static constexpr std::uint64_t kSupervisor = 0x0000'0001'8000'0000;
  static constexpr std::uint64_t kDisabledWait = kSupervisor | 0x0002'0000'0000'0000;

  struct Vcpu {
    int fd = -1;
    abi::kvm_run* run = nullptr;
  };

  explicit Machine(std::size_t memory_size = kMemorySize);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Lets go of the machine's own descriptor, or of its CPUs' and devices' as well; /dev/kvm and the
  // memory stay.
  void CloseMachine();
  void CloseAll();

  kvm::Kernel& kernel() { return kernel_; }
  SharedMemory& memory() { return memory_; }
  int system() const { return system_; }
  int vm() const { return vm_; }

  // --- calls -----------------------------------------------------------------------------------
  int Call(int fd, unsigned long request, std::uint64_t value = 0) {
    return kernel_.Ioctl(fd, request, static_cast<std::uintptr_t>(value));
  }
  template <typename T>
  int Pass(int fd, unsigned long request, T& argument) {
    return kernel_.Ioctl(fd, request, reinterpret_cast<std::uintptr_t>(&argument));
  }
  int SetSlot(std::uint32_t slot, std::uint64_t absolute, std::uint64_t size, std::uint64_t user,
              std::uint32_t flags = 0);
  int EnableCapability(int fd, std::uint32_t capability, std::uint64_t argument = 0);
  // KVM_CHECK_EXTENSION of the machine.
  int Extension(unsigned capability) { return Call(vm_, abi::KVM_CHECK_EXTENSION, capability); }
  // An address that no program has memory at.
  static constexpr std::uint64_t kNowhere = 0;
  // KVM_{SET,GET,HAS}_DEVICE_ATTR of a VM or device.
  int SetAttribute(int fd, std::uint32_t group, std::uint64_t attribute, const void* data = nullptr,
                   std::uint32_t flags = 0);
  int GetAttribute(int fd, std::uint32_t group, std::uint64_t attribute, void* data,
                   std::uint32_t flags = 0);
  int HasAttribute(int fd, std::uint32_t group, std::uint64_t attribute);
  template <typename T>
  int SetValue(int fd, std::uint32_t group, std::uint64_t attribute, const T& value) {
    return SetAttribute(fd, group, attribute, &value);
  }
  // The floating interrupt controller's descriptor, which ends with the machine's.
  int CreateFlic();
  // What `request` answers in a process that was forked off and does not share our memory.
  int CallInChild(int fd, unsigned long request, std::uint64_t value = 0);
  // Does KVM let guests on this host have the facility?
  bool OffersFacility(unsigned number);
  // Will the guest's CPUs have it, as things stand?
  bool ProcessorHas(unsigned facility);

  // --- CPUs ------------------------------------------------------------------------------------
  // The reference stays valid. KVM creates CPUs in the stopped state.
  Vcpu& AddCpu(std::uint64_t address = 0);
  static void SetPsw(Vcpu& cpu, std::uint64_t mask, std::uint64_t address = kProgramAt) {
    cpu.run->psw_mask = mask;
    cpu.run->psw_addr = address;
  }
  static void SetControl(Vcpu& cpu, int number, std::uint64_t value) {
    cpu.run->s.regs.crs[number] = value;
    cpu.run->kvm_dirty_regs |= abi::KVM_SYNC_CRS;
  }
  // A CPU that executes `bytes` when it runs next.
  Vcpu& AddCpuWith(std::initializer_list<std::uint8_t> bytes) {
    Program(bytes);
    Vcpu& cpu = AddCpu();
    SetPsw(cpu, kSupervisor);
    return cpu;
  }
  // Sets a general register before the next run.
  static void SetGeneral(Vcpu& cpu, int number, std::uint64_t value) {
    cpu.run->s.regs.gprs[number] = value;
    cpu.run->kvm_dirty_regs |= abi::KVM_SYNC_GPRS;
  }
  int Run(Vcpu& cpu) { return Call(cpu.fd, abi::KVM_RUN); }
  int SetState(Vcpu& cpu, std::uint32_t state) {
    abi::kvm_mp_state argument{state};
    return Pass(cpu.fd, abi::KVM_SET_MP_STATE, argument);
  }

  // --- guest storage, as the VMM sees it --------------------------------------------------------
  // Instruction bytes from `absolute` on.
  void Program(std::initializer_list<std::uint8_t> bytes, std::uint64_t absolute = kProgramAt) {
    std::copy(bytes.begin(), bytes.end(), memory_.bytes() + absolute);
  }
  template <typename T>
  void Store(std::uint64_t absolute, T value) {
    StoreBigEndian(memory_.bytes() + absolute, value);
  }
  template <typename T>
  T Load(std::uint64_t absolute) {
    return LoadBigEndian<T>(memory_.bytes() + absolute);
  }
  // The new PSW of an interruption class, at `location` (0x1d0 for program interruptions).
  void SetNewPsw(std::uint64_t location, std::uint64_t mask, std::uint64_t address) {
    Store(location, mask);
    Store(location + 8, address);
  }

 private:
  static constexpr std::size_t kRunSize = 4096;

  kvm::Kernel& kernel_;
  SharedMemory memory_;
  int system_ = -1;
  int vm_ = -1;
  int flic_ = -1;
  std::vector<Vcpu> cpus_;
};

// The fixture of all statements.
class MachineTest : public ::testing::Test, protected Machine {
 protected:
  using Machine::Run;  // GoogleTest has one as well
};

}  // namespace lethe::conformance

#endif  // LETHE_TESTS_CONFORMANCE_MACHINE_H_
