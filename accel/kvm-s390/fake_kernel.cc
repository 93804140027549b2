#include "accel/kvm-s390/fake_kernel.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "accel/kvm-s390/pv_command.h"

namespace lethe::kvm {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::uint16_t kExecuted = 1;
constexpr std::uint16_t kInvalidState = 3;
constexpr std::uint64_t kTwoGiB = std::uint64_t{1} << 31;

void Executed(abi::kvm_pv_cmd& command, std::uint16_t rrc = 0) {
  command.rc = kExecuted;
  command.rrc = rrc;
}

// The Ultravisor refuses; what KVM returns then.
int Refused(abi::kvm_pv_cmd& command) {
  command.rc = kInvalidState;
  command.rrc = 0;
  return -EINVAL;
}

}  // namespace

struct FakeKernel::VcpuState {
  unsigned cpu_address = 0;
  bool secure = false;
  std::uint32_t mp_state = abi::KVM_MP_STATE_STOPPED;
  alignas(kPage) std::uint8_t run_area[kPage] = {};
  std::uint8_t sida[kPage] = {};
  std::uint64_t registers[16] = {};
  // KVM_RUN waits here for Kick.
  std::mutex kick_mutex;
  std::condition_variable kicked;
  bool kick = false;

  abi::kvm_run& run() { return *reinterpret_cast<abi::kvm_run*>(run_area); }
};

FakeKernel::FakeKernel() {
  for (unsigned capability :
       {abi::KVM_CAP_S390_PSW, abi::KVM_CAP_IMMEDIATE_EXIT, abi::KVM_CAP_S390_VCPU_RESETS,
        abi::KVM_CAP_S390_INJECT_IRQ, abi::KVM_CAP_S390_IRQ_STATE, abi::KVM_CAP_S390_IRQCHIP,
        abi::KVM_CAP_IRQFD, abi::KVM_CAP_IOEVENTFD, abi::KVM_CAP_S390_CSS_SUPPORT,
        abi::KVM_CAP_S390_USER_SIGP, abi::KVM_CAP_S390_USER_STSI, abi::KVM_CAP_S390_PROTECTED,
        abi::KVM_CAP_S390_PROTECTED_ASYNC_DISABLE})
    capabilities[capability] = 1;
  capabilities[abi::KVM_CAP_S390_MEM_OP] = 65536;
  capabilities[abi::KVM_CAP_S390_MEM_OP_EXTENSION] = 3;
  capabilities[abi::KVM_CAP_MAX_VCPUS] = 248;
  capabilities[abi::KVM_CAP_MAX_VCPU_ID] = 248;
  capabilities[abi::KVM_CAP_NR_VCPUS] = 4;
  capabilities[abi::KVM_CAP_NR_MEMSLOTS] = 32767;
}

FakeKernel::~FakeKernel() = default;

void FakeKernel::On(unsigned long request, Handler handler) {
  std::lock_guard lock(mutex_);
  handlers_[request] = std::move(handler);
}

std::vector<std::string> FakeKernel::Trace() const {
  std::lock_guard lock(mutex_);
  return trace_;
}

void FakeKernel::ClearTrace() {
  std::lock_guard lock(mutex_);
  trace_.clear();
}

int FakeKernel::open_descriptors() const {
  std::lock_guard lock(mutex_);
  return static_cast<int>(descriptors_.size());
}

int FakeKernel::mappings() const {
  std::lock_guard lock(mutex_);
  return static_cast<int>(mappings_.size());
}

bool FakeKernel::is_protected() const {
  std::lock_guard lock(mutex_);
  return stage_ != Stage::kNone;
}

int FakeKernel::secure_configurations() const {
  std::lock_guard lock(mutex_);
  return (stage_ != Stage::kNone ? 1 : 0) + (set_aside_ ? 1 : 0) + being_cleaned_;
}

void FakeKernel::Note(std::string what) { trace_.push_back(std::move(what)); }

int FakeKernel::NewDescriptor() {
  descriptors_.insert(next_descriptor_);
  return next_descriptor_++;
}

int FakeKernel::Open(const char*, int) {
  std::lock_guard lock(mutex_);
  return NewDescriptor();
}

int FakeKernel::Ioctl(int fd, unsigned long request, std::uintptr_t argument) {
  std::unique_lock lock(mutex_);
  if (!descriptors_.contains(fd)) return -EBADF;
  if (auto handler = handlers_.find(request); handler != handlers_.end()) {
    Handler call = handler->second;
    lock.unlock();
    return call(fd, argument);
  }
  switch (request) {
    case abi::KVM_GET_API_VERSION:
      return abi::KVM_API_VERSION;
    case abi::KVM_CHECK_EXTENSION: {
      auto found = capabilities.find(static_cast<unsigned>(argument));
      return found == capabilities.end() ? 0 : found->second;
    }
    case abi::KVM_GET_VCPU_MMAP_SIZE:
      return kPage;
    case abi::KVM_CREATE_VM:
      return NewDescriptor();
    case abi::KVM_CREATE_VCPU:
      return CreateVcpu(static_cast<unsigned>(argument));
    case abi::KVM_CREATE_DEVICE:
      reinterpret_cast<abi::kvm_create_device*>(argument)->fd =
          static_cast<std::uint32_t>(NewDescriptor());
      return 0;
    case abi::KVM_SET_DEVICE_ATTR:
      return SetAttribute(*reinterpret_cast<const abi::kvm_device_attr*>(argument));
    case abi::KVM_RUN:
      lock.unlock();
      return Run(fd);
    case abi::KVM_S390_PV_COMMAND:
      lock.unlock();
      return PvCommand(*reinterpret_cast<abi::kvm_pv_cmd*>(argument));
    default:
      break;
  }
  if (auto vcpu = vcpus_.find(fd); vcpu != vcpus_.end())
    return VcpuRequest(*vcpu->second, request, argument);
  return 0;
}

int FakeKernel::CreateVcpu(unsigned cpu_address) {
  for (const auto& [fd, vcpu] : vcpus_)
    if (vcpu->cpu_address == cpu_address) return -EEXIST;
  auto vcpu = std::make_unique<VcpuState>();
  vcpu->cpu_address = cpu_address;
  const int fd = NewDescriptor();
  vcpus_.emplace(fd, std::move(vcpu));
  return fd;
}

int FakeKernel::SetAttribute(const abi::kvm_device_attr& attribute) {
  if (attribute.group == abi::KVM_S390_VM_MEM_CTRL &&
      attribute.attr == abi::KVM_S390_VM_MEM_LIMIT_SIZE)
    memory_limit_ = *reinterpret_cast<const std::uint64_t*>(attribute.addr);
  return 0;
}

int FakeKernel::Run(int fd) {
  VcpuState* vcpu;
  {
    std::lock_guard lock(mutex_);
    vcpu = vcpus_.at(fd).get();
  }
  if (std::atomic_ref(vcpu->run().immediate_exit).load() != 0) return -EINTR;
  if (on_run) return on_run(vcpu->cpu_address, vcpu->run());
  std::unique_lock lock(vcpu->kick_mutex);
  vcpu->kicked.wait(lock, [vcpu] { return vcpu->kick; });
  vcpu->kick = false;
  return -EINTR;
}

int FakeKernel::Kick(int vcpu_fd, pthread_t) {
  VcpuState* vcpu;
  {
    std::lock_guard lock(mutex_);
    vcpu = vcpus_.at(vcpu_fd).get();
  }
  {
    std::lock_guard lock(vcpu->kick_mutex);
    vcpu->kick = true;
  }
  vcpu->kicked.notify_all();
  return 0;
}

int FakeKernel::PvCommand(abi::kvm_pv_cmd& command) {
  if (command.flags != 0) return -EINVAL;
  if (command.cmd == abi::KVM_PV_ASYNC_CLEANUP_PERFORM) return Perform(command);
  std::lock_guard lock(mutex_);
  return PvCommandLocked(command);
}

int FakeKernel::PvCommandLocked(abi::kvm_pv_cmd& command) {
  const bool is_protected = stage_ != Stage::kNone;
  switch (command.cmd) {
    case abi::KVM_PV_ENABLE:
      return is_protected ? -EINVAL : Enable(command);
    case abi::KVM_PV_DISABLE:
      return is_protected ? Disable(command) : -EINVAL;
    case abi::KVM_PV_ASYNC_CLEANUP_PREPARE:
      return is_protected ? Prepare(command) : -EINVAL;
    default:
      break;
  }
  if (!is_protected) return -EINVAL;
  switch (command.cmd) {
    case abi::KVM_PV_SET_SEC_PARMS: {
      const auto& parameters = *reinterpret_cast<const abi::kvm_s390_pv_sec_parm*>(command.data);
      Note(absl::StrCat("pv set-parameters ", parameters.length));
      if (parameters.length > abi::KVM_PV_SEC_PARM_MAX_LENGTH) return -EINVAL;
      if (parameters.length == 0) return -ENOMEM;
      if (stage_ != Stage::kCreated) return Refused(command);
      stage_ = Stage::kHeaderSet;
      break;
    }
    case abi::KVM_PV_UNPACK: {
      const auto& unpack = *reinterpret_cast<const abi::kvm_s390_pv_unp*>(command.data);
      Note(absl::StrFormat("pv unpack %#x %#x %#x", unpack.addr, unpack.size, unpack.tweak));
      if (unpack.addr % kPage != 0 || unpack.size % kPage != 0 || unpack.size == 0) return -EINVAL;
      if (stage_ != Stage::kHeaderSet) return Refused(command);
      break;
    }
    case abi::KVM_PV_VERIFY:
      Note("pv verify");
      if (stage_ != Stage::kHeaderSet) return Refused(command);
      stage_ = Stage::kVerified;
      break;
    case abi::KVM_PV_UNSHARE_ALL:
      Note("pv unshare-all");
      break;
    case abi::KVM_PV_PREP_RESET:
      Note("pv prepare-reset");
      break;
    default:
      return -ENOTTY;
  }
  Executed(command);
  return 0;
}

int FakeKernel::Enable(abi::kvm_pv_cmd& command) {
  Note("pv enable");
  stage_ = Stage::kCreated;
  for (auto& [fd, vcpu] : vcpus_) vcpu->secure = true;
  Executed(command);
  return 0;
}

int FakeKernel::Disable(abi::kvm_pv_cmd& command) {
  Note(set_aside_ ? "pv disable with set-aside" : "pv disable");
  for (auto& [fd, vcpu] : vcpus_) vcpu->secure = false;
  stage_ = Stage::kNone;
  set_aside_ = false;
  Executed(command);
  return 0;
}

int FakeKernel::Prepare(abi::kvm_pv_cmd& command) {
  // The CPUs go first, whatever follows.
  for (auto& [fd, vcpu] : vcpus_) vcpu->secure = false;
  if (capabilities[abi::KVM_CAP_S390_PROTECTED_ASYNC_DISABLE] == 0 || set_aside_ ||
      memory_limit_ <= kTwoGiB) {
    Note("pv prepare refused");
    return -EINVAL;
  }
  Note("pv prepare");
  stage_ = Stage::kNone;
  set_aside_ = true;
  Executed(command, 42);
  return 0;
}

int FakeKernel::Perform(abi::kvm_pv_cmd& command) {
  if (before_perform) before_perform();
  {
    std::lock_guard lock(mutex_);
    if (!set_aside_) {
      Note("pv perform nothing");
      return -EINVAL;
    }
    set_aside_ = false;
    ++being_cleaned_;
    Note("pv perform");
  }
  if (during_perform) during_perform();
  std::lock_guard lock(mutex_);
  --being_cleaned_;
  Executed(command);
  return 0;
}

int FakeKernel::VcpuRequest(VcpuState& vcpu, unsigned long request, std::uintptr_t argument) {
  const std::string cpu = absl::StrCat("cpu ", vcpu.cpu_address, " ");
  switch (request) {
    case abi::KVM_S390_NORMAL_RESET:
      Note(cpu + "normal-reset");
      return 0;
    case abi::KVM_S390_INITIAL_RESET:
      Note(cpu + "initial-reset");
      return 0;
    case abi::KVM_S390_CLEAR_RESET:
      Note(cpu + "clear-reset");
      return 0;
    case abi::KVM_GET_MP_STATE:
      return static_cast<int>(vcpu.mp_state);
    case abi::KVM_SET_MP_STATE:
      return SetState(vcpu, reinterpret_cast<const abi::kvm_mp_state*>(argument)->mp_state);
    case abi::KVM_S390_MEM_OP: {
      const auto& operation = *reinterpret_cast<const abi::kvm_s390_mem_op*>(argument);
      if (operation.op != abi::KVM_S390_MEMOP_SIDA_READ &&
          operation.op != abi::KVM_S390_MEMOP_SIDA_WRITE)
        return vcpu.secure ? -EINVAL : 0;
      if (operation.flags != 0 || operation.size == 0) return -EINVAL;
      if (std::uint64_t{operation.size} + operation.sida_offset > kPage) return -E2BIG;
      if (!vcpu.secure) return -EINVAL;
      auto* buffer = reinterpret_cast<std::uint8_t*>(operation.buf);
      std::uint8_t* sida = vcpu.sida + operation.sida_offset;
      if (operation.op == abi::KVM_S390_MEMOP_SIDA_READ)
        std::copy(sida, sida + operation.size, buffer);
      else
        std::copy(buffer, buffer + operation.size, sida);
      return 0;
    }
    case abi::KVM_SET_ONE_REG:
    case abi::KVM_GET_ONE_REG: {
      const auto& one = *reinterpret_cast<const abi::kvm_one_reg*>(argument);
      const unsigned index = one.id & 0xf;
      if (vcpu.secure || index == 0 || index > 9) return -EINVAL;
      const std::size_t width = one.id == abi::KVM_REG_S390_TODPR ? 4 : 8;
      auto* user = reinterpret_cast<std::uint8_t*>(one.addr);
      auto* kept = reinterpret_cast<std::uint8_t*>(&vcpu.registers[index]);
      if (request == abi::KVM_SET_ONE_REG)
        std::copy(user, user + width, kept);
      else
        std::copy(kept, kept + width, user);
      return 0;
    }
    default:
      return 0;
  }
}

int FakeKernel::SetState(VcpuState& vcpu, std::uint32_t state) {
  const std::string cpu = absl::StrCat("cpu ", vcpu.cpu_address, " ");
  switch (state) {
    case abi::KVM_MP_STATE_STOPPED:
      Note(cpu + "stopped");
      vcpu.mp_state = state;
      return 0;
    case abi::KVM_MP_STATE_OPERATING:
      Note(cpu + "operating");
      vcpu.mp_state = state;
      return 0;
    case abi::KVM_MP_STATE_LOAD:
      if (!vcpu.secure) return -ENXIO;
      Note(cpu + "load");  // does not end the stopped state
      return 0;
    default:
      return -ENXIO;
  }
}

std::intptr_t FakeKernel::Map(int fd, std::size_t length) {
  std::lock_guard lock(mutex_);
  auto vcpu = vcpus_.find(fd);
  if (vcpu == vcpus_.end() || length != kPage) return -EINVAL;
  mappings_.insert(vcpu->second->run_area);
  return reinterpret_cast<std::intptr_t>(vcpu->second->run_area);
}

int FakeKernel::Unmap(void* address, std::size_t) {
  std::lock_guard lock(mutex_);
  return mappings_.erase(address) == 1 ? 0 : -EINVAL;
}

int FakeKernel::Poll(pollfd*, std::size_t, int) { return 0; }

int FakeKernel::Close(int fd) {
  std::lock_guard lock(mutex_);
  vcpus_.erase(fd);
  return descriptors_.erase(fd) == 1 ? 0 : -EBADF;
}

}  // namespace lethe::kvm
