#include "emulated-host/kvm/virtual_machine.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "emulated-host/kvm/virtual_cpu.h"

namespace lethe::emulated {
namespace {

// With an Ultravisor, guests may ask to become protected ones.
CpuModel HostCpuModel(Host& host) {
  CpuModel model = host.options().cpu_model;
  if (host.offers_protection()) model.facilities.Set(kUnpack, true);
  return model;
}

std::uint64_t UltravisorFeaturesOf(Host& host) {
  return host.offers_protection() ? host.ultravisor().feature_words() : 0;
}

}  // namespace

VirtualMachine::VirtualMachine(Host& host)
    : host_(host),
      cpu_model_(HostCpuModel(host), UltravisorFeaturesOf(host)),
      slots_(host, host.options().highest_address),
      protection_(*this) {
  settings_.memory_limit = host.options().highest_address;
}

VirtualMachine::~VirtualMachine() {
  protection_.DestroyEverything();
  // CPUs go before the storage, the group and the gate that they refer to.
  for (auto& cpu : owned_cpus_) cpu.reset();
}

int VirtualMachine::CreateCpu(std::uint64_t address, VirtualCpu*& cpu) {
  if (address >= kMaxCpus) return -EINVAL;
  if (cpu_count_ >= kMaxCpus) return -EINVAL;
  if (cpus_[address] != nullptr) return -EEXIST;
  if (cpu_count_ == 0) {
    effective_model_ = cpu_model_.Effective();
    effective_model_.intercept_operation = true;
  }
  auto created =
      std::make_unique<VirtualCpu>(*this, static_cast<std::uint16_t>(address), effective_model_);
  if (!created->ok()) return -ENOMEM;
  if (const int error = protection_.AdoptCpu(*created); error != 0) return error;
  cpu = created.get();
  owned_cpus_[address] = std::move(created);
  cpus_[address] = cpu;
  ++cpu_count_;
  return 0;
}

VirtualCpu* VirtualMachine::FindCpu(std::uint64_t address) const {
  return address < kMaxCpus ? cpus_[address].load() : nullptr;
}

std::vector<VirtualCpu*> VirtualMachine::cpus() const {
  std::vector<VirtualCpu*> all;
  if (cpu_count_ == 0) return all;
  for (const auto& cpu : cpus_) {
    if (VirtualCpu* const present = cpu.load(); present != nullptr) all.push_back(present);
  }
  return all;
}

int VirtualMachine::SetMemoryRegion(const abi::kvm_userspace_memory_region& region) {
  const std::lock_guard lock(lock_);
  bool changed = false;
  if (const int error = slots_.Set(region, protection_.active(), changed); error != 0) return error;
  if ((region.flags & abi::KVM_MEM_LOG_DIRTY_PAGES) == 0) settings_.migration_mode = false;
  if (!changed) return 0;
  gate_.RunAlone(
      [this] {
        for (VirtualCpu* cpu : cpus()) cpu->CallOut();
      },
      [this] {
        storage_.Replace(slots_.Storage(*this));
        group_.PurgeStopped();
      });
  slots_.Settle();
  return 0;
}

bool VirtualMachine::FindPage(std::uint64_t absolute, HostRegion*& region, std::size_t& page) {
  const PageFrame frame = storage_.Find(absolute);
  if (frame.bytes == nullptr) return false;
  region = host_.memory().FindByBytes(frame.bytes);
  if (region == nullptr) return false;
  page = static_cast<std::size_t>(frame.bytes - region->bytes()) / kPageSize;
  return true;
}

bool VirtualMachine::MakeAccessible(std::uint64_t absolute, std::uint64_t size) {
  const std::uint64_t end = absolute + size;
  for (std::uint64_t at = absolute & kPageMask; at < end; at += kPageSize) {
    HostRegion* region = nullptr;
    std::size_t page = 0;
    if (!FindPage(at, region, page)) return false;
    if (!host_.offers_protection()) continue;
    const PageState state(region->states()[page].load(std::memory_order_acquire));
    if (state.Admits(kNoConfiguration)) continue;
    if (!host_.ultravisor().MakeAccessible(*region, page)) return false;
  }
  return true;
}

bool VirtualMachine::ReadAbsolute(std::uint64_t absolute, absl::Span<std::uint8_t> to) {
  if (!MakeAccessible(absolute, to.size())) return false;
  while (!to.empty()) {
    const std::size_t offset = absolute % kPageSize;
    const std::size_t length = std::min<std::size_t>(to.size(), kPageSize - offset);
    std::memcpy(to.data(), storage_.Find(absolute).bytes + offset, length);
    absolute += length;
    to.remove_prefix(length);
  }
  return true;
}

bool VirtualMachine::WriteAbsolute(std::uint64_t absolute, absl::Span<const std::uint8_t> from) {
  if (!MakeAccessible(absolute, from.size())) return false;
  while (!from.empty()) {
    const std::size_t offset = absolute % kPageSize;
    const std::size_t length = std::min<std::size_t>(from.size(), kPageSize - offset);
    const PageFrame frame = storage_.Find(absolute);
    std::memcpy(frame.bytes + offset, from.data(), length);
    if (frame.code->load() != 0) PurgePage(absolute & kPageMask);
    absolute += length;
    from.remove_prefix(length);
  }
  return true;
}

int VirtualMachine::InjectFloating(const abi::kvm_s390_irq& irq) {
  if (const int error = floating_.Inject(irq); error != 0) return error;
  group_.NoteOutsideStores();  // a device has ended its work
  NotifyCpus();
  return 0;
}

void VirtualMachine::NotifyCpus() {
  for (VirtualCpu* cpu : cpus()) cpu->Notify();
}

void VirtualMachine::PurgePage(std::uint64_t absolute) { group_.PurgePage(absolute); }

}  // namespace lethe::emulated
