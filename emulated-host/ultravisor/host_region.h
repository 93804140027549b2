#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_HOST_REGION_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_HOST_REGION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "emulated-host/storage/page_state.h"

namespace lethe::emulated {

// The CPUs that may hold a translation of, or decoded instructions from, a page.
class PagePurger {
 public:
  virtual ~PagePurger() = default;

  // When this returns, no CPU of the machine uses an earlier translation of the page at guest
  // absolute address `absolute`, nor instructions decoded from it. Called with the page locked, so
  // CPUs that run into it meanwhile wait (in CpuHost::ResolveSecureFault, where purges do not wait
  // for them). Must not take locks under which anybody touches guest memory.
  virtual void PurgePage(std::uint64_t absolute) = 0;
};

// Host memory that a client (the VMM) gave to a virtual machine: one mapped range, with the
// Ultravisor's knowledge of each of its pages. Lives until its HostMapping does or is told to
// forget it: the state of a page belongs to the memory, not to the memory slot that shows it.
// Safe for concurrent use.
class HostRegion {
 public:
  static constexpr std::size_t kChunkPages = 512;

  // Maps `size` bytes at `client` a second time, if the memory is shared; private memory is used
  // where it is. InvalidArgument: nothing is mapped there.
  static absl::StatusOr<std::unique_ptr<HostRegion>> Make(void* client, std::size_t size);
  ~HostRegion();
  HostRegion(const HostRegion&) = delete;
  HostRegion& operator=(const HostRegion&) = delete;

  std::uint8_t* client() const { return client_; }  // the VMM's address
  std::size_t size() const { return size_; }
  std::size_t pages() const { return size_ >> 12; }
  std::uint8_t* bytes() const { return bytes_; }  // the emulated machine's own mapping
  std::uint8_t* bytes(std::size_t page) const { return bytes_ + (page << 12); }
  std::atomic<std::uint32_t>* states() const { return states_; }
  // Can secure pages be put out of the client's reach? Not for private memory: there bytes() is
  // client().
  bool concealable() const { return bytes_ != client_; }
  // Are they? (userfaultfd reports accesses of the client.)
  bool watched() const { return watched_.load(std::memory_order_acquire); }

  // A memory slot that shows pages of the region, and who must forget about them.
  struct View {
    std::size_t first_page = 0;
    std::size_t pages = 0;
    std::uint64_t absolute = 0;  // of the first page
    PagePurger* purger = nullptr;
    std::atomic<std::uint8_t>* code = nullptr;  // GuestStorage's decoded-instruction marks
  };
  // By the KVM layer, while no CPU of the machine executes. A slot is known by its `code`: one that
  // is shown again has moved. `purger` and `code` are not used any more once Hide() has returned.
  void Show(const View& view);
  void Hide(const std::atomic<std::uint8_t>* code);
  // For who goes on without the threads that may have been killed inside of any function here.
  // Nothing is purged any more.
  void ForgetViews();

  // Is the page backed by memory right now (what a walk over page tables would find)?
  // For `count` pages from `first`; the lowest bit of result[i] says yes. Pages that have an owner
  // are present: those that our host swapped out are not swapped out on the machine.
  void FindPresent(std::size_t first, std::size_t count, unsigned char* result) const;

  // Takes the lock bit of the page's state, waiting as long as somebody else has it; the word as it
  // was (unlocked). Release() stores a new, unlocked word.
  PageState Lock(std::size_t page) const;
  // The same without waiting; false: somebody has it.
  bool TryLock(std::size_t page, PageState& state) const;
  void Release(std::size_t page, PageState state) const;
  // What a locked page is about to be released with. From now on this is what the page is if the
  // thread that has the lock gets killed (Ultravisor::BreakLocks).
  void Foretell(std::size_t page, PageState state) const;
  // Purges the page from all CPUs that may see it, always or only from those of machines where
  // somebody decoded instructions of it.
  void Purge(std::size_t page) const;
  void PurgeCode(std::size_t page) const;

 private:
  friend class HostMapping;
  HostRegion() = default;
  using Views = std::vector<View>;

  void Publish(std::unique_ptr<const Views> views);
  template <typename Which>
  void PurgeViews(std::size_t page, Which&& which) const;

  std::uint8_t* client_ = nullptr;
  std::uint8_t* bytes_ = nullptr;
  std::size_t size_ = 0;
  std::atomic<std::uint32_t>* states_ = nullptr;
  // A list that is published does not change, so who purges waits for nobody: that may be a thread
  // of the lowest priority, and one that runs a CPU. Who replaces the list waits for them.
  std::mutex views_mutex_;  // guards views_
  std::unique_ptr<const Views> views_ = std::make_unique<const Views>();
  std::atomic<const Views*> published_{views_.get()};
  mutable std::atomic<unsigned> purging_{0};  // who may use a list
  std::atomic<bool> forgotten_{false};
  std::atomic<bool> watched_{false};
  // Per chunk: may some of its pages be in the client's page table?
  std::unique_ptr<std::atomic<bool>[]> chunk_exposed_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_HOST_REGION_H_
