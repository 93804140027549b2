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
      adapters_([this](const abi::kvm_s390_irq& irq) { return InjectFloating(irq); }),
      slots_(host, host.options().highest_address),
      protection_(*this),
      lines_([this](const InterruptLines::Target& target) { SetIndicators(target); }) {
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
  MemorySlots::Changed changed;
  if (const int error = slots_.Set(region, protection_.active(), changed); error != 0) return error;
  if (changed.ends_migration) settings_.migration_mode = false;
  if (!changed.storage) return 0;
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

int VirtualMachine::TakeDirtyLog(std::uint32_t slot, std::vector<std::uint8_t>& bitmap) {
  const std::lock_guard lock(lock_);
  if (const int error = slots_.CheckDirtyLog(slot); error != 0) return error;
  // CPUs note a store when they take the page into their translation buffers.
  gate_.RunAlone(
      [this] {
        for (VirtualCpu* cpu : cpus()) cpu->CallOut();
      },
      [&] {
        bitmap = slots_.TakeDirtyLog(slot);
        group_.PurgeStopped();
      });
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

void VirtualMachine::NoteStored(const PageFrame& frame, std::uint64_t absolute) {
  frame.key->fetch_or(kLoggedStore, std::memory_order_relaxed);
  if (frame.code->load() != 0) PurgePage(absolute & kPageMask);
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
    NoteStored(frame, absolute);
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

int VirtualMachine::RouteLines(absl::Span<const abi::kvm_irq_routing_entry> entries) {
  {
    const std::lock_guard lock(lock_);
    for (const abi::kvm_irq_routing_entry& entry : entries) {
      if (entry.type != abi::KVM_IRQ_ROUTING_S390_ADAPTER) continue;
      const InterruptLines::Target& target = entry.u.adapter;
      for (const std::uint64_t address : {target.ind_addr, target.summary_addr}) {
        if (storage_.Find(address).bytes == nullptr) return -EFAULT;
      }
    }
  }
  return lines_.Route(entries);
}

// Was the bit set before? nullopt: there is no such storage.
std::optional<bool> VirtualMachine::SetIndicator(std::uint64_t absolute, std::uint64_t bit,
                                                 bool swap) {
  // Bits are counted from the right in the eight-byte words of big-endian storage, or from the
  // left.
  const std::uint64_t in_page = absolute % kPageSize * 8 + bit;
  const std::uint64_t byte = swap ? in_page / 8 : in_page / 8 ^ 7;
  const auto mask = static_cast<std::uint8_t>(swap ? 0x80 >> in_page % 8 : 1 << in_page % 8);
  const std::uint64_t at = (absolute & kPageMask) + byte;
  if (!MakeAccessible(at, 1)) return std::nullopt;
  const PageFrame frame = storage_.Find(at);
  const std::uint8_t before =
      std::atomic_ref<std::uint8_t>(frame.bytes[at % kPageSize]).fetch_or(mask);
  NoteStored(frame, at);
  return (before & mask) != 0;
}

void VirtualMachine::SetIndicators(const InterruptLines::Target& target) {
  const std::optional<InterruptAdapters::Adapter> adapter = adapters_.Find(target.adapter_id);
  if (!adapter) return;
  const bool swap = adapter->description.swap != 0;
  gate_.Enter();
  const bool there = MakeAccessible(target.ind_addr, 1) && MakeAccessible(target.summary_addr, 1);
  std::optional<bool> summary;
  if (there && SetIndicator(target.ind_addr, target.ind_offset, swap).has_value()) {
    summary = SetIndicator(target.summary_addr, target.summary_offset, swap);
  }
  gate_.Leave();
  if (summary == false && !adapter->masked) {
    adapters_.Interrupt(target.adapter_id, settings_.interrupt_suppression);
  }
}

void VirtualMachine::NotifyCpus() {
  for (VirtualCpu* cpu : cpus()) cpu->Notify();
}

void VirtualMachine::PurgePage(std::uint64_t absolute) { group_.PurgePage(absolute); }

}  // namespace lethe::emulated
