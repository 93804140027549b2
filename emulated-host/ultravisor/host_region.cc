#include "emulated-host/ultravisor/host_region.h"

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "base/check.h"

namespace lethe::emulated {
namespace {

constexpr int kSpins = 64;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Zero until touched, and costs memory only then.
void* MapZeros(std::size_t size) {
  void* const zeros = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return zeros == MAP_FAILED ? nullptr : zeros;
}

bool IsMapped(void* address) {
  unsigned char present;
  return mincore(address, 4096, &present) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HostRegion>> HostRegion::Make(void* client, std::size_t size) {
  auto* const start = static_cast<std::uint8_t*>(client);
  if (size == 0 || !IsMapped(start) || !IsMapped(start + size - 4096)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("no memory is mapped at %p (%u bytes)", client, size));
  }
  std::unique_ptr<HostRegion> region(new HostRegion);
  region->client_ = start;
  region->bytes_ = start;
  region->size_ = size;
  void* const states = MapZeros(region->pages() * sizeof(std::atomic<std::uint32_t>));
  if (states == nullptr) return absl::ResourceExhaustedError("no memory for page states");
  region->states_ = static_cast<std::atomic<std::uint32_t>*>(states);
  const std::size_t chunks = (region->pages() + kChunkPages - 1) / kChunkPages;
  region->chunk_exposed_ = std::make_unique<std::atomic<bool>[]>(chunks);
  for (std::size_t i = 0; i < chunks; ++i) region->chunk_exposed_[i] = true;
  // Old size 0: a second mapping of the same pages. Only shared memory allows it.
  void* const alias = mremap(start, 0, size, MREMAP_MAYMOVE);
  if (alias != MAP_FAILED) {
    region->bytes_ = static_cast<std::uint8_t*>(alias);
    madvise(alias, size, MADV_DONTDUMP);
  }
  return region;
}

HostRegion::~HostRegion() {
  if (concealable() && bytes_ != nullptr) munmap(bytes_, size_);
  if (states_ != nullptr) munmap(states_, pages() * sizeof(std::atomic<std::uint32_t>));
}

void HostRegion::Show(const View& view) {
  LETHE_CHECK(view.first_page + view.pages <= pages());
  if (forgotten_) return;
  const std::lock_guard lock(views_mutex_);
  auto views = std::make_unique<Views>(*views_);
  const auto known = std::find_if(views->begin(), views->end(),
                                  [&](const View& other) { return other.code == view.code; });
  if (known != views->end()) {
    *known = view;
  } else {
    views->push_back(view);
  }
  Publish(std::move(views));
}

void HostRegion::Hide(const std::atomic<std::uint8_t>* code) {
  if (forgotten_) return;
  const std::lock_guard lock(views_mutex_);
  auto views = std::make_unique<Views>(*views_);
  std::erase_if(*views, [code](const View& view) { return view.code == code; });
  Publish(std::move(views));
}

// Who begins to purge from now on finds the new list: once nobody purges, nobody has the old one.
void HostRegion::Publish(std::unique_ptr<const Views> views) {
  published_ = views.get();
  while (purging_ != 0) sched_yield();
  views_ = std::move(views);
}

void HostRegion::ForgetViews() {
  forgotten_ = true;  // who was purging may never end
}

void HostRegion::FindPresent(std::size_t first, std::size_t count, unsigned char* result) const {
  LETHE_CHECK(first + count <= pages());
  if (mincore(bytes(first), count << 12, result) != 0) std::memset(result, 1, count);
  for (std::size_t i = 0; i < count; ++i) {
    const PageState state(states_[first + i].load(std::memory_order_relaxed));
    if (state.owner() != kNoConfiguration) result[i] |= 1;
  }
}

bool HostRegion::TryLock(std::size_t page, PageState& state) const {
  std::uint32_t word = states_[page].load(std::memory_order_relaxed);
  if ((word & PageState::kLocked) != 0 ||
      !states_[page].compare_exchange_strong(word, word | PageState::kLocked,
                                             std::memory_order_acquire)) {
    return false;
  }
  state = PageState(word);
  return true;
}

PageState HostRegion::Lock(std::size_t page) const {
  PageState state;
  for (int spins = 0; !TryLock(page, state); ++spins) {
    if (spins < kSpins) {
      Pause();
    } else {
      sched_yield();
    }
  }
  return state;
}

void HostRegion::Release(std::size_t page, PageState state) const {
  states_[page].store(state.word() & ~PageState::kLocked, std::memory_order_release);
}

void HostRegion::Foretell(std::size_t page, PageState state) const {
  states_[page].store(state.word() | PageState::kLocked, std::memory_order_relaxed);
  // What the thread does to the page comes after this, for whoever looks when it is dead.
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

template <typename Which>
void HostRegion::PurgeViews(std::size_t page, Which&& which) const {
  if (forgotten_) return;
  ++purging_;
  for (const View& view : *published_.load()) {
    const std::size_t at = page - view.first_page;  // wraps for those before
    if (at < view.pages && which(view, at)) view.purger->PurgePage(view.absolute + (at << 12));
  }
  --purging_;
}

void HostRegion::Purge(std::size_t page) const {
  PurgeViews(page, [](const View&, std::size_t) { return true; });
}

void HostRegion::PurgeCode(std::size_t page) const {
  PurgeViews(page, [](const View& view, std::size_t at) {
    return view.code[at].load(std::memory_order_acquire) != 0;
  });
}

}  // namespace lethe::emulated
