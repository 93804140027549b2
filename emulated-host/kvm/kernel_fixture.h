#ifndef LETHE_EMULATED_HOST_KVM_KERNEL_FIXTURE_H_
#define LETHE_EMULATED_HOST_KVM_KERNEL_FIXTURE_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "accel/kvm-s390/abi.h"
#include "base/big_endian.h"
#include "base/check.h"
#include "base/unique_fd.h"
#include "emulated-host/cpu/registers.h"
#include "emulated-host/kvm/emulated_kernel.h"

namespace lethe::emulated {

// For tests: shared memory of the user, on a segment boundary.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t size) : size_(size) {
    constexpr std::size_t kSegment = 1 << 20;
    const UniqueFd fd(memfd_create("guest", MFD_CLOEXEC));
    LETHE_CHECK(fd && ftruncate(fd.get(), static_cast<off_t>(size)) == 0);
    void* space = mmap(nullptr, size + kSegment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(space);
    const std::uintptr_t aligned = (begin + kSegment - 1) & ~(kSegment - 1);
    void* bytes = mmap(reinterpret_cast<void*>(aligned), size, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_FIXED, fd.get(), 0);
    LETHE_CHECK(bytes != MAP_FAILED);
    bytes_ = static_cast<std::uint8_t*>(bytes);
  }
  ~SharedMemory() { munmap(bytes_, size_); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  std::uint8_t* bytes() const { return bytes_; }
  std::size_t size() const { return size_; }
  std::uint64_t address() const { return reinterpret_cast<std::uintptr_t>(bytes_); }

 private:
  std::uint8_t* bytes_;
  std::size_t size_;
};

// For tests: a program that uses KVM through the seam. One machine, its memory in slot 0 from guest
// address 0 on, as many CPUs as the test makes.
class KernelUser {
 public:
  static constexpr std::uint64_t kSupervisor = Psw::kExtendedAddressing | Psw::kBasicAddressing;
  static constexpr std::uint64_t kDisabledWait = kSupervisor | Psw::kWait;
  static constexpr std::uint64_t kProgramAt = 0x10000;

  struct Vcpu {
    int fd = -1;
    abi::kvm_run* run = nullptr;
  };

  explicit KernelUser(EmulatedKernelOptions options = {}, std::size_t memory_size = 4 << 20)
      : kernel_(std::move(options)), memory_(memory_size) {
    system_ = kernel_.Open("/dev/kvm", O_RDWR | O_CLOEXEC);
    vm_ = kernel_.Ioctl(system_, abi::KVM_CREATE_VM, 0);
    LETHE_CHECK(system_ >= 0 && vm_ >= 0);
    LETHE_CHECK(SetSlot(0, 0, memory_.size(), memory_.address()) == 0);
  }
  ~KernelUser() {
    CloseAll();
    kernel_.Close(system_);
  }

  // Lets go of the machine.
  void CloseAll() {
    for (const Vcpu& cpu : cpus_) {
      kernel_.Unmap(cpu.run, 4096);
      kernel_.Close(cpu.fd);
    }
    cpus_.clear();
    if (vm_ >= 0) kernel_.Close(vm_);
    vm_ = -1;
  }

  EmulatedKernel& kernel() { return kernel_; }
  SharedMemory& memory() { return memory_; }
  int system() const { return system_; }
  int vm() const { return vm_; }

  int Call(int fd, unsigned long request, std::uintptr_t value = 0) {
    return kernel_.Ioctl(fd, request, value);
  }
  template <typename T>
  int Pass(int fd, unsigned long request, T& argument) {
    return kernel_.Ioctl(fd, request, reinterpret_cast<std::uintptr_t>(&argument));
  }

  int SetSlot(std::uint32_t slot, std::uint64_t absolute, std::uint64_t size, std::uint64_t user,
              std::uint32_t flags = 0) {
    abi::kvm_userspace_memory_region region{slot, flags, absolute, size, user};
    return Pass(vm_, abi::KVM_SET_USER_MEMORY_REGION, region);
  }
  int EnableCapability(int fd, std::uint32_t capability) {
    abi::kvm_enable_cap wanted{};
    wanted.cap = capability;
    return Pass(fd, abi::KVM_ENABLE_CAP, wanted);
  }

  Vcpu& AddCpu(std::uint64_t address = 0) {
    Vcpu cpu;
    cpu.fd = Call(vm_, abi::KVM_CREATE_VCPU, address);
    LETHE_CHECK(cpu.fd >= 0);
    cpu.run = reinterpret_cast<abi::kvm_run*>(kernel_.Map(cpu.fd, 4096));
    cpus_.reserve(8);  // references stay valid
    cpus_.push_back(cpu);
    return cpus_.back();
  }

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
  void SetNewPsw(std::uint64_t location, std::uint64_t mask, std::uint64_t address) {
    Store(location, mask);
    Store(location + 8, address);
  }

  static void SetPsw(Vcpu& cpu, std::uint64_t mask, std::uint64_t address = kProgramAt) {
    cpu.run->psw_mask = mask;
    cpu.run->psw_addr = address;
  }
  static void SetControl(Vcpu& cpu, int number, std::uint64_t value) {
    cpu.run->s.regs.crs[number] = value;
    cpu.run->kvm_dirty_regs |= abi::KVM_SYNC_CRS;
  }
  int Run(Vcpu& cpu) { return Call(cpu.fd, abi::KVM_RUN); }
  int SetState(Vcpu& cpu, std::uint32_t state) {
    abi::kvm_mp_state argument{state};
    return Pass(cpu.fd, abi::KVM_SET_MP_STATE, argument);
  }

 private:
  EmulatedKernel kernel_;
  SharedMemory memory_;
  int system_ = -1;
  int vm_ = -1;
  std::vector<Vcpu> cpus_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_KERNEL_FIXTURE_H_
