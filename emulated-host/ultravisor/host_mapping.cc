#include "emulated-host/ultravisor/host_mapping.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/status_macros.h"

namespace lethe::emulated {
namespace {

// How many pages one fault puts into the client's page table at most: clients tend to go on with
// the next page.
constexpr std::size_t kFaultAround = 64;

struct Watcher {
  UniqueFd descriptor;
  Concealment concealment = Concealment::kNone;
};

bool Agree(const UniqueFd& descriptor) {
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_MISSING_SHMEM;
  return descriptor && ioctl(descriptor.get(), UFFDIO_API, &api) == 0;
}

UniqueFd OpenBySystemCall(int flags) {
  return UniqueFd(static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | flags)));
}

UniqueFd OpenByDevice() {
  const UniqueFd device(open("/dev/userfaultfd", O_RDWR | O_CLOEXEC));
  if (!device) return UniqueFd();
  return UniqueFd(ioctl(device.get(), USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK));
}

// The best that this process may have.
Watcher OpenWatcher() {
  Watcher watcher{OpenBySystemCall(0), Concealment::kComplete};
  if (Agree(watcher.descriptor)) return watcher;
  watcher.descriptor = OpenByDevice();
  if (Agree(watcher.descriptor)) return watcher;
  watcher = {OpenBySystemCall(UFFD_USER_MODE_ONLY), Concealment::kUserMode};
  if (Agree(watcher.descriptor)) return watcher;
  return {};
}

std::uintptr_t AddressOf(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

}  // namespace

Concealment AvailableConcealment() { return OpenWatcher().concealment; }

HostMapping::HostMapping(Export make_accessible) : make_accessible_(std::move(make_accessible)) {}

HostMapping::~HostMapping() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  const std::uint64_t one = 1;
  LETHE_CHECK(write(wake_.get(), &one, sizeof(one)) == sizeof(one));
  thread_.join();
}

absl::StatusOr<HostRegion*> HostMapping::Add(void* client, std::size_t size) {
  const std::lock_guard lock(mutex_);
  const std::uintptr_t start = AddressOf(client);
  for (const auto& region : regions_) {
    const std::uintptr_t other = AddressOf(region->client());
    if (other <= start && start + size <= other + region->size()) return region.get();
    if (other < start + size && start < other + region->size()) {
      return absl::InvalidArgumentError(
          absl::StrFormat("memory at %p (%u bytes) overlaps memory given earlier at %p (%u bytes)",
                          client, size, region->client(), region->size()));
    }
  }
  LETHE_ASSIGN_OR_RETURN(std::unique_ptr<HostRegion> region, HostRegion::Make(client, size));
  regions_.push_back(std::move(region));
  return regions_.back().get();
}

void HostMapping::Remove(void* client, std::size_t size) {
  const std::lock_guard lock(mutex_);
  const std::uintptr_t start = AddressOf(client);
  std::erase_if(regions_, [&](const std::shared_ptr<HostRegion>& region) {
    const std::uintptr_t other = AddressOf(region->client());
    if (other < start || other + region->size() > start + size) return false;
    if (region->watched()) {
      // Whoever waits for a page is woken by this and finds ordinary memory.
      uffdio_range range{other, region->size()};
      ioctl(userfault_.get(), UFFDIO_UNREGISTER, &range);
    }
    return true;
  });
}

void HostMapping::Conceal(absl::Span<HostRegion* const> regions, bool anew) {
  const std::lock_guard lock(mutex_);
  if (!started_) Start();
  if (!userfault_) return;
  for (HostRegion* const region : regions) {
    const bool watched = region->watched();
    if (!watched) Watch(*region);
    if (region->watched() && (anew || !watched)) ConcealRegion(*region);
  }
}

void HostMapping::Start() {
  started_ = true;
  Watcher watcher = OpenWatcher();
  concealment_ = watcher.concealment;
  if (!watcher.descriptor) return;
  wake_.reset(eventfd(0, EFD_CLOEXEC));
  if (!wake_) {  // no descriptor left
    concealment_ = Concealment::kNone;
    return;
  }
  userfault_ = std::move(watcher.descriptor);
  // Signals are for the client's threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::jthread([this](const std::stop_token& stop) { Serve(stop); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void HostMapping::Watch(HostRegion& region) {
  if (!region.concealable()) return;
  uffdio_register request{};
  request.range = {AddressOf(region.client()), region.size()};
  request.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR;
  region.watched_ = ioctl(userfault_.get(), UFFDIO_REGISTER, &request) == 0;
}

// Marks go before mappings: a fault in between marks and maps again, and the worst that can come of
// it is a mark without a mapping. Nobody makes pages secure meanwhile (see Conceal()).
void HostMapping::ConcealRegion(HostRegion& region) {
  const std::size_t pages = region.pages();
  std::size_t run = 0;  // first page of the run of chunks to be dropped
  const auto drop = [&](std::size_t end) {
    if (end > run) {
      madvise(region.client() + (run << 12), (end - run) << 12, MADV_DONTNEED);
    }
  };
  for (std::size_t first = 0; first < pages; first += HostRegion::kChunkPages) {
    const std::size_t end = std::min(first + HostRegion::kChunkPages, pages);
    if (region.chunk_exposed_[first / HostRegion::kChunkPages].exchange(false)) {
      for (std::size_t page = first; page < end; ++page) {
        if ((region.states()[page].load(std::memory_order_relaxed) & PageState::kExposed) != 0) {
          region.states()[page].fetch_and(~PageState::kExposed);
        }
      }
    } else {
      drop(first);
      run = end;
    }
  }
  drop(pages);
}

void HostMapping::Drop(const HostRegion& region, std::size_t page) {
  if (region.watched()) madvise(region.client() + (page << 12), 4096, MADV_DONTNEED);
}

void HostMapping::Expose(HostRegion& region, std::size_t page) {
  if (!region.watched()) return;
  region.chunk_exposed_[page / HostRegion::kChunkPages] = true;
  PutInto(region, page, 1);
}

HostRegion* HostMapping::FindByBytes(const std::uint8_t* bytes) const {
  const std::lock_guard lock(mutex_);
  for (const auto& region : regions_) {
    if (AddressOf(bytes) - AddressOf(region->bytes()) < region->size()) return region.get();
  }
  return nullptr;
}

std::shared_ptr<HostRegion> HostMapping::FindByClient(std::uintptr_t address) const {
  const std::lock_guard lock(mutex_);
  for (const auto& region : regions_) {
    if (address - AddressOf(region->client()) < region->size()) return region;
  }
  return nullptr;
}

std::vector<HostRegion*> HostMapping::regions() const {
  const std::lock_guard lock(mutex_);
  std::vector<HostRegion*> result;
  for (const auto& region : regions_) result.push_back(region.get());
  return result;
}

std::vector<std::shared_ptr<HostRegion>> HostMapping::Share() const {
  const std::lock_guard lock(mutex_);
  return regions_;
}

void HostMapping::Serve(const std::stop_token& stop) {
  std::array<pollfd, 2> watched = {{{userfault_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
  std::array<uffd_msg, 16> messages;
  while (!stop.stop_requested()) {
    if (poll(watched.data(), watched.size(), -1) < 0) continue;
    const ssize_t size = read(userfault_.get(), messages.data(), sizeof(messages));
    for (ssize_t i = 0; i < size / static_cast<ssize_t>(sizeof(uffd_msg)); ++i) {
      if (messages[i].event == UFFD_EVENT_PAGEFAULT) {
        Resolve(messages[i].arg.pagefault.address & ~std::uintptr_t{4095});
      }
    }
  }
}

// A secure page is exported first. Its neighbours go along if nothing needs to be done for them.
void HostMapping::Resolve(std::uintptr_t address) {
  const std::shared_ptr<HostRegion> region = FindByClient(address);
  if (region == nullptr) return;  // removed meanwhile: the waiting thread was woken by that
  const std::size_t page = (address - AddressOf(region->client())) >> 12;
  PageState state = region->Lock(page);
  while (state.kind() == PageKind::kSecure) {
    region->Release(page, state);
    make_accessible_(*region, page);
    state = region->Lock(page);
  }
  const std::size_t count = 1 + LockNeighbours(*region, page);
  region->chunk_exposed_[page / HostRegion::kChunkPages] = true;
  PutInto(*region, page, count);
  for (std::size_t i = page; i < page + count; ++i) {
    const PageState locked(region->states()[i].load(std::memory_order_relaxed));
    region->Release(i, PageState(locked.word() | PageState::kExposed));
  }
}

// Locks pages behind `page`, in its chunk, that are accessible and not in the client's page table.
std::size_t HostMapping::LockNeighbours(HostRegion& region, std::size_t page) const {
  const std::size_t chunk_end = (page / HostRegion::kChunkPages + 1) * HostRegion::kChunkPages;
  const std::size_t end = std::min({page + kFaultAround, chunk_end, region.pages()});
  std::size_t next = page + 1;
  for (PageState state; next < end && region.TryLock(next, state); ++next) {
    if (state.kind() == PageKind::kSecure || state.exposed()) {
      region.Release(next, state);
      break;
    }
  }
  return next - page - 1;
}

// Maps as many of the pages as there are; the first one in any case. Wakes who waits for them.
void HostMapping::PutInto(HostRegion& region, std::size_t page, std::size_t count) {
  uffdio_continue request{};
  for (;;) {
    request.range = {AddressOf(region.client()) + (page << 12), count << 12};
    request.mapped = 0;
    if (ioctl(userfault_.get(), UFFDIO_CONTINUE, &request) == 0 || request.mapped > 0) return;
    if (request.mapped == -EFAULT) {
      // No page there yet: our own mapping makes one.
      if (madvise(region.bytes(page), 4096, MADV_POPULATE_WRITE) != 0) break;
    } else if (request.mapped != -EAGAIN) {
      break;
    }
  }
  // It is mapped already, or cannot be: who waits tries again.
  uffdio_range first{AddressOf(region.client()) + (page << 12), 4096};
  ioctl(userfault_.get(), UFFDIO_WAKE, &first);
}

}  // namespace lethe::emulated
