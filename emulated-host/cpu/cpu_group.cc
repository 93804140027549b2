#include "emulated-host/cpu/cpu_group.h"

#include "base/check.h"
#include "emulated-host/cpu/code_cache.h"
#include "emulated-host/cpu/cpu.h"

namespace lethe::emulated {

CpuGroup::CpuGroup()
    : timers_(clock_, [](std::uintptr_t cpu) { reinterpret_cast<Cpu*>(cpu)->TimerDue(); }) {}

CpuGroup::~CpuGroup() = default;

void CpuGroup::Add(Cpu& cpu) {
  std::unique_lock<std::mutex> lock(mutex_);
  members_[&cpu];
}

void CpuGroup::Remove(Cpu& cpu) {
  timers_.Set(reinterpret_cast<std::uintptr_t>(&cpu), TimerThread::kNever);
  std::unique_lock<std::mutex> lock(mutex_);
  members_.erase(&cpu);
}

void CpuGroup::Enter(Cpu& cpu) {
  std::unique_lock<std::mutex> lock(mutex_);
  Member& member = members_[&cpu];
  LETHE_CHECK(!member.inside);
  member.inside = true;
  if (member.Waiting()) ServeLocked(cpu, member);
}

void CpuGroup::Leave(Cpu& cpu) {
  std::unique_lock<std::mutex> lock(mutex_);
  members_[&cpu].inside = false;
  changed_.notify_all();
}

void CpuGroup::Serve(Cpu& cpu) {
  std::unique_lock<std::mutex> lock(mutex_);
  ServeLocked(cpu, members_[&cpu]);
}

void CpuGroup::ServeLocked(Cpu& cpu, Member& member) {
  if (member.purge) {
    cpu.ClearTranslations();
    cpu.LookForOutsideStores();
  }
  for (const StoredRange& range : member.stored) cpu.code_->Stored(range.absolute, range.length);
  for (const std::uint64_t page : member.dropped) cpu.ForgetCode(page);
  member.purge = false;
  member.stored.clear();
  member.dropped.clear();
  changed_.notify_all();
}

bool CpuGroup::Pending(const Cpu* self) const {
  for (const auto& [cpu, member] : members_) {
    if (cpu != self && member.inside && member.Waiting()) return true;
  }
  return false;
}

template <typename Request>
void CpuGroup::Broadcast(Cpu* self, bool wait, Request request) {
  std::unique_lock<std::mutex> lock(mutex_);
  for (auto& [cpu, member] : members_) {
    if (cpu == self) continue;
    request(member);
    cpu->RaiseAttention(Cpu::kGroupRequest);
  }
  // Somebody who waits for others as well may have to serve this request.
  changed_.notify_all();
  while (wait && Pending(self)) {
    if (self != nullptr && members_[self].Waiting()) {
      ServeLocked(*self, members_[self]);
    } else {
      changed_.wait(lock);
    }
  }
}

void CpuGroup::PurgeAll(Cpu& self) {
  self.ClearTranslations();
  Broadcast(&self, true, [](Member& member) { member.purge = true; });
}

void CpuGroup::PurgeAll() {
  NoteOutsideStores();
  Broadcast(nullptr, true, [](Member& member) { member.purge = true; });
}

// One page costs the CPUs hardly less than everything: they know pages by logical address.
void CpuGroup::PurgePage(std::uint64_t) { PurgeAll(); }

void CpuGroup::WatchPage(Cpu& self, std::uint64_t absolute_page) {
  self.WatchStores(absolute_page);
  Broadcast(&self, true, [](Member& member) { member.purge = true; });
}

void CpuGroup::CodeStored(Cpu& self, std::uint64_t absolute, std::size_t length) {
  Broadcast(&self, false, [&](Member& member) {
    // A CPU that does not run for long verifies all its code when it is told to purge.
    constexpr std::size_t kMostStored = 256;
    if (member.stored.size() < kMostStored) {
      member.stored.push_back({absolute, length});
    } else {
      NoteOutsideStores();
      member.purge = true;
    }
  });
}

void CpuGroup::DropCode(Cpu& self, std::uint64_t absolute_page) {
  self.ForgetCode(absolute_page);
  Broadcast(&self, true, [&](Member& member) { member.dropped.push_back(absolute_page); });
}

void CpuGroup::SetEpoch(std::uint64_t epoch) {
  epoch_.store(epoch, std::memory_order_relaxed);
  std::unique_lock<std::mutex> lock(mutex_);
  // Their clock comparators have to be looked at anew.
  for (auto& [cpu, member] : members_) cpu->TimerDue();
}

std::uint64_t CpuGroup::UniqueTod(const Cpu& cpu) { return unique_.Next(cpu.Tod()); }

}  // namespace lethe::emulated
