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
#include "absl/types/span.h"
#include "base/unique_fd.h"
#include "emulated-host/ultravisor/host_region.h"

namespace lethe::emulated {

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
//
// The means are a second mapping of the client's shared memory (HostRegion::bytes) and userfaultfd:
// the client's mapping of a page is dropped before the page becomes secure, and what then finds no
// page there is reported to the thread instead of being resolved by the kernel.
class HostMapping {
 public:
  // Makes a secure page accessible to the host. Called on the fault thread, without any lock; done
  // again if the page is secure once more. The Ultravisor provides it.
  using Export = std::function<void(HostRegion& region, std::size_t page)>;

  explicit HostMapping(Export make_accessible);
  ~HostMapping();

  // The region for `size` bytes mapped at `client`, or the one made earlier that contains the range
  // (compare client()). `size` and `client` are multiples of 4096. InvalidArgument: nothing is
  // mapped there, or an earlier region contains a part of the range only.
  absl::StatusOr<HostRegion*> Add(void* client, std::size_t size);
  // Forgets all regions inside the range (their mappings are going away or have gone).
  void Remove(void* client, std::size_t size);

  // Watches these regions from now on (the first call starts the fault thread), and drops the
  // client's mapping of all pages of those that were not watched yet: a page of a watched region
  // that is not marked `exposed` is not in the client's page table. With `anew` also that of
  // watched ones, which saves dropping their pages one by one; only while no configuration can make
  // pages of the regions secure.
  void Conceal(absl::Span<HostRegion* const> regions, bool anew);
  Concealment concealment() const { return concealment_; }

  // Drops the client's mapping of a page that is locked by the caller, who clears `exposed`.
  static void Drop(const HostRegion& region, std::size_t page);
  // Puts the page, locked by the caller (who sets `exposed`) and not secure, into the client's page
  // table: done ahead for shared pages where kernel accesses cannot be caught.
  void Expose(HostRegion& region, std::size_t page);

  // The region that holds the emulated machine's `bytes`, or null.
  HostRegion* FindByBytes(const std::uint8_t* bytes) const;
  // All regions, in the order they were added. The pointers stay valid until Remove().
  std::vector<HostRegion*> regions() const;
  // The same for one who may need them longer.
  std::vector<std::shared_ptr<HostRegion>> Share() const;

 private:
  void Start();
  void Serve(const std::stop_token& stop);
  void Resolve(std::uintptr_t address);
  void Watch(HostRegion& region);
  static void ConcealRegion(HostRegion& region);
  std::size_t LockNeighbours(HostRegion& region, std::size_t page) const;
  void PutInto(HostRegion& region, std::size_t page, std::size_t count);
  std::shared_ptr<HostRegion> FindByClient(std::uintptr_t address) const;

  const Export make_accessible_;
  mutable std::mutex mutex_;  // guards regions_ and starting
  std::vector<std::shared_ptr<HostRegion>> regions_;
  std::atomic<Concealment> concealment_{Concealment::kNone};
  bool started_ = false;
  UniqueFd userfault_;
  UniqueFd wake_;
  std::jthread thread_;  // last: ends first
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_HOST_MAPPING_H_
