#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_HOST_MAPPING_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_HOST_MAPPING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
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
// Ultravisor's knowledge of each of its pages. Lives until its HostMapping does: the state of
// a page belongs to the memory, not to the memory slot that currently shows it.
class HostRegion {
 public:
  ~HostRegion();
  HostRegion(const HostRegion&) = delete;
  HostRegion& operator=(const HostRegion&) = delete;

  std::uint8_t* client() const { return client_; }  // the VMM's address
  std::size_t size() const { return size_; }
  std::size_t pages() const { return size_ >> 12; }
  std::uint8_t* bytes() const { return bytes_; }  // the emulated machine's own mapping
  std::atomic<std::uint32_t>* states() const { return states_; }
  // Can secure pages be put out of the client's reach? Not for private memory: there bytes() is
  // client().
  bool concealable() const { return bytes_ != client_; }

  // Where the machine's memory slots show the region, and who must forget about its pages. Set by
  // the KVM layer whenever a slot comes to show the region, with all CPUs out of guest execution;
  // `purger` and `code` (GuestStorage's decoded-instruction marks; both may be null) must outlive
  // the region or be replaced.
  void Attach(std::uint64_t absolute, PagePurger* purger, std::atomic<std::uint8_t>* code);
  std::uint64_t absolute() const { return absolute_.load(std::memory_order_acquire); }
  std::uint64_t AbsoluteOf(std::size_t page) const { return absolute() + (page << 12); }

  // Is the page backed by memory right now (what a walk over page tables would find)?
  // For `count` pages from `first`; result[i] != 0 says yes.
  void FindPresent(std::size_t first, std::size_t count, unsigned char* result) const;

  // Takes the lock bit of the page's state, waiting as long as somebody else has it; the word as it
  // was (unlocked). Release() stores a new, unlocked word.
  PageState Lock(std::size_t page) const;
  void Release(std::size_t page, PageState state) const;
  // Purges the page from all CPUs, always or only if somebody decoded instructions of it.
  void Purge(std::size_t page) const;
  void PurgeCode(std::size_t page) const;

 private:
  friend class HostMapping;
  HostRegion() = default;

  std::uint8_t* client_ = nullptr;
  std::uint8_t* bytes_ = nullptr;
  std::size_t size_ = 0;
  std::atomic<std::uint32_t>* states_ = nullptr;
  std::atomic<std::uint64_t> absolute_{0};
  std::atomic<PagePurger*> purger_{nullptr};
  std::atomic<std::atomic<std::uint8_t>*> code_{nullptr};
  // Per 512 pages: may some of them be exposed?
  std::unique_ptr<std::atomic<bool>[]> exposed_;
  bool watched_ = false;  // registered with userfaultfd
};

// How accesses of the client to secure pages are caught (`lethe check` prints it).
enum class Concealment : std::uint8_t {
  kComplete,  // user and kernel accesses (needs CAP_SYS_PTRACE, or access to /dev/userfaultfd)
  kUserMode,  // the client's own accesses; system calls that name such an address fail (EFAULT)
  kNone,      // no userfaultfd on this host: the client can read what it should not
};
// What this host allows this process.
Concealment AvailableConcealment();

// All memory of one client, and the thread that plays the secure-storage-access exception: a client
// that touches a page that is not in its page table waits until the page has been made accessible
// (exported, if it was secure). Safe for concurrent use.
class HostMapping {
 public:
  // Makes the page accessible to the host, on the fault thread, without any lock held: when it
  // returns the page is not secure (or could not be exported: it then stays out of reach and the
  // client gets SIGBUS). The Ultravisor provides it.
  using Export = std::function<bool(HostRegion& region, std::size_t page)>;

  explicit HostMapping(Export make_accessible);
  ~HostMapping();

  // The region for `size` bytes mapped at `client`; the one made earlier for the same range (or one
  // that contains it: compare client()), if there is one. `size` and `client` are multiples of
  // 4096. InvalidArgument: not mapped readable and writable.
  absl::StatusOr<HostRegion*> Add(void* client, std::size_t size);
  // Forgets all regions inside the range (their mappings are going away or have gone).
  void Remove(void* client, std::size_t size);

  // Starts watching (at the first ENABLE; idempotent) and drops the client's mapping of all pages.
  // From then on a page that is not marked `exposed` is not in the client's page table.
  void Conceal();
  Concealment concealment() const { return concealment_; }

  // Drops the client's mapping of a page that is locked by the caller. The caller clears `exposed`.
  void Drop(HostRegion& region, std::size_t page);
  // Puts the page, locked by the caller and not secure, into the client's page table: done ahead
  // for shared pages where kernel accesses cannot be caught.
  void Expose(HostRegion& region, std::size_t page);

  // The region that holds the emulated machine's `bytes`, or null.
  HostRegion* FindByBytes(const std::uint8_t* bytes) const;
  // All regions, in the order they were added. The pointers stay valid until Remove().
  std::vector<HostRegion*> regions() const;

 private:
  void Serve(std::stop_token stop);
  void Resolve(std::uint64_t address);
  void ConcealRegion(HostRegion& region);
  bool Watch(HostRegion& region);
  std::size_t Continue(HostRegion& region, std::size_t page, std::size_t count);
  HostRegion* FindByClient(const std::uint8_t* address) const;

  const Export make_accessible_;
  mutable std::mutex mutex_;  // guards regions_ and starting
  std::vector<std::unique_ptr<HostRegion>> regions_;
  std::atomic<Concealment> concealment_{Concealment::kNone};
  UniqueFd userfault_;
  UniqueFd wake_;
  std::jthread thread_;  // last: ends first
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_HOST_MAPPING_H_
