#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_ULTRAVISOR_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_ULTRAVISOR_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "emulated-host/storage/guest_storage.h"
#include "emulated-host/storage/page_state.h"
#include "emulated-host/ultravisor/breakable_lock.h"
#include "emulated-host/ultravisor/host_mapping.h"
#include "emulated-host/ultravisor/uvc.h"
#include "emulated-host/ultravisor/uvc_faults.h"
#include "image/cryptography.h"
#include "image/host_key.h"

namespace lethe::emulated {

class Cpu;
class SecureConfiguration;
class SecureCpu;

// What differs between machines, and what tests switch.
struct UltravisorFeatures {
  bool destroy_fast = true;    // call 0x0102 is installed (installed-calls bit 23)
  bool misc = true;            // feature bit 0: import takes over a foreign shared page
  bool devices_bound = false;  // destroy fast fails with rc 0x104
  bool cpus_stick = false;     // destroying a CPU fails
  bool old_firmware = false;   // destroying a page that is not secure is refused (0x107, 0x0d)
  std::uint32_t max_configurations = 1023;
  std::uint16_t max_cpu_id = 247;
};

// The firmware that owns secure memory: the only one that knows secure configurations, their keys
// and who owns which page. Its calls (UVCs) are methods; each answers {cc, rc, rrc} as the machine
// does, counts, and takes the time set with SetCost().
//
// Pages are named by host region and page number where the machine's call takes a host absolute
// address, and by guest absolute address where it takes a guest address.
//
// Safe for concurrent use. No method waits for anything but page locks, which are held for
// microseconds (plus the time of PagePurger::PurgePage).
class Ultravisor {
 public:
  // `host_key` must outlive the Ultravisor.
  explicit Ultravisor(const HostKey& host_key, UltravisorFeatures features = {});
  ~Ultravisor();

  // --- configuration ---------------------------------------------------------------------------
  struct CreatedConfiguration {
    UvcResult result;
    // Null unless result.ok(), or result.rc has kMustDestroy: then it is to be destroyed.
    std::shared_ptr<SecureConfiguration> configuration;
  };
  // Also conceals `mapping` (its regions that `storage` shows). `storage` and `mapping` must stay
  // valid until the configuration has been destroyed; the regions of all slots of `storage` are in
  // `mapping`.
  CreatedConfiguration CreateConfiguration(GuestStorage& storage, HostMapping& mapping);
  // 0x0101. Refused with kInvalidState while secure CPUs exist. Its pages stay secure until
  // DestroyPage or ConvertFromSecure.
  UvcResult DestroyConfiguration(SecureConfiguration& configuration);
  // 0x0102: the same, at once and without looking at memory; kInvalidCommand if not installed.
  UvcResult DestroyConfigurationFast(SecureConfiguration& configuration);

  UvcResult SetParameters(SecureConfiguration& configuration,
                          absl::Span<const std::uint8_t> header);
  UvcResult Unpack(SecureConfiguration& configuration, std::uint64_t absolute,
                   std::array<std::uint64_t, 2> tweak);
  UvcResult Verify(SecureConfiguration& configuration);
  UvcResult PrepareReset(SecureConfiguration& configuration);
  UvcResult UnshareAll(SecureConfiguration& configuration);

  // --- CPUs ------------------------------------------------------------------------------------
  struct CreatedCpu {
    UvcResult result;
    std::unique_ptr<SecureCpu> cpu;  // null unless result.ok(); give it to DestroyCpu
  };
  // `cpu` (not inside Run) becomes a CPU of the configuration, in the stopped state. It must
  // outlive the SecureCpu.
  CreatedCpu CreateCpu(const std::shared_ptr<SecureConfiguration>& configuration, Cpu& cpu);
  // The CPU becomes an ordinary one, cleared. `cpu` is null afterwards (unless refused).
  UvcResult DestroyCpu(std::unique_ptr<SecureCpu>& cpu);
  UvcResult CpuReset(SecureCpu& cpu);
  UvcResult CpuInitialReset(SecureCpu& cpu);
  UvcResult CpuClearReset(SecureCpu& cpu);
  // 1 operating, 2 stopped, 3 check stop, 5 operating after load.
  UvcResult SetCpuState(SecureCpu& cpu, std::uint8_t state);

  // --- pages -----------------------------------------------------------------------------------
  // 0x0200, import. A page that the configuration never had reads as zeros. kPageNotPresent: no
  // storage there. Refused with kInvalidState: another configuration's secure page (kForeignPage:
  // destroy it first; without the feature `misc` its shared pages, too: export them first), or its
  // content is not what was exported, or it was destroyed (kPageIntegrity).
  UvcResult ConvertToSecure(SecureConfiguration& configuration, std::uint64_t absolute);
  // 0x0201, export: encrypted with the owner's key; a shared page stays as it is and is shared
  // again when its owner imports it. Done as well for a page that is not secure.
  UvcResult ConvertFromSecure(HostRegion& region, std::size_t page);
  // 0x0202: zero and not secure. Refused (kOwnerHasCpus) as long as the owner has CPUs. Done as
  // well for a page that is not secure, except by old firmware. Allocates nothing and takes no lock
  // but the page's.
  UvcResult DestroyPage(HostRegion& region, std::size_t page);
  // 0x0341: for host access to a shared page. Refused unless shared.
  UvcResult PinShared(HostRegion& region, std::size_t page);
  // 0x0342.
  UvcResult UnpinShared(SecureConfiguration& configuration, std::uint64_t absolute);

  // What a kernel does before it touches guest memory for its client, or lets an ordinary guest
  // touch it: pin if shared, else export. False if neither was possible.
  bool MakeAccessible(HostRegion& region, std::size_t page);

  // --- calls of guests (SecureCpu makes them when a guest's CPU does) --------------------------
  // 0x1000. The page becomes the configuration's own first, as if imported.
  UvcResult Share(SecureConfiguration& configuration, std::uint64_t absolute);
  // 0x1001. Busy: the host has pinned the page. Done as well for a page that is not shared.
  UvcResult Unshare(SecureConfiguration& configuration, std::uint64_t absolute);
  // 0x0001 as a guest sees it.
  UvcResult QueryAsGuest(absl::Span<std::uint8_t> block);

  // --- information -----------------------------------------------------------------------------
  // 0x0001 as the host sees it: 0x120 bytes, big endian, header included; shorter blocks (at least
  // 0xa8) get kMoreData.
  UvcResult Query(absl::Span<std::uint8_t> block);
  std::array<std::uint64_t, 4> installed_calls() const;  // INFO's words, bit 0 leftmost
  std::uint64_t feature_words() const;
  const UltravisorFeatures& features() const { return features_; }
  // What the query block says of every Ultravisor of this kind.
  static constexpr std::uint64_t kHighestAddress = (std::uint64_t{1} << 46) - 1;  // of a guest
  static constexpr std::uint64_t kCpuStorage = 1568;  // bytes donated for each secure CPU
  // Not while calls are made.
  void set_features(const UltravisorFeatures& features) { features_ = features; }
  const UvcCounters& counters() const { return counters_; }
  // Configurations that have not been destroyed.
  std::size_t configurations() const;

  // The time every call takes (busy, as on the machine), for all calls or for one kind.
  void SetCost(std::chrono::nanoseconds cost);
  void SetCost(Uvc call, std::chrono::nanoseconds cost);

  // Lets a call fail (or be busy) when its time comes; see UvcFault.
  void Inject(const UvcFault& fault) { faults_.Add(fault); }
  UvcFaults& faults() { return faults_; }

  // --- after the end of all users --------------------------------------------------------------
  // For a process that goes on in this memory after all threads that could be inside the Ultravisor
  // or run a CPU were killed: makes what they had locked usable again (a page that one of them was
  // making secure is secure), and nobody is asked any more to forget about pages of the regions.
  void BreakLocks(absl::Span<HostRegion* const> regions);
  // 0x0121, 0x0101 and 0x0102 for such a process, by number: take no lock, allocate and free
  // nothing. To destroy again what was destroyed already, by a thread that was killed before it
  // could note it, is no error.
  UvcResult DestroyCpu(ConfigurationId id);  // one of them
  UvcResult DestroyConfiguration(ConfigurationId id);
  UvcResult DestroyConfigurationFast(ConfigurationId id);
  std::uint32_t CpusOf(ConfigurationId id) const { return numbers_[id].cpus; }

 private:
  friend class SecureCpu;

  // What is known of a configuration number without a lock: how many secure CPUs it has, and how
  // many pages name it as owner. It is given out again only when both are 0.
  struct Number {
    std::atomic<std::uint32_t> cpus{0};
    std::atomic<std::uint64_t> pages{0};
    std::shared_ptr<SecureConfiguration> configuration;  // guarded by lock_
  };
  static constexpr std::size_t kNumbers = 4096;

  // Counts, spends the cost; not ok: what the call is to fail with.
  [[nodiscard]] UvcResult Enter(Uvc call);
  [[nodiscard]] UvcResult EnterDestroyFast();
  ConfigurationId FindFreeNumber() const;
  std::shared_ptr<SecureConfiguration> FindOwner(ConfigurationId id) const;
  UvcResult End(SecureConfiguration& configuration);
  UvcResult End(ConfigurationId id);
  UvcResult Reset(SecureCpu& cpu, Uvc call);
  UvcResult LoadPsw(SecureCpu& cpu);
  UvcResult QueryInto(absl::Span<std::uint8_t> block, bool guest);

  // The page is locked; `state` becomes what it is to be released with.
  UvcResult Own(SecureConfiguration& configuration, HostRegion& region, std::size_t page,
                PageState& state);
  void SetOwner(PageState& state, PageKind kind, ConfigurationId owner);
  static void Hide(const HostRegion& region, std::size_t page, PageState& state);
  static void Show(SecureConfiguration& configuration, HostRegion& region, std::size_t page,
                   PageState& state);

  const HostKey& host_key_;
  UltravisorFeatures features_;
  UvcCounters counters_;
  UvcFaults faults_;
  std::array<std::atomic<std::int64_t>, kUvcNumberLimit> costs_{};

  const std::unique_ptr<Number[]> numbers_;
  // For pages whose configuration is gone: what the host gets is nobody's plain text.
  const std::unique_ptr<AesGcm> leftover_cipher_;
  std::atomic<std::uint64_t> leftover_exports_{0};
  mutable BreakableLock lock_;
  ConfigurationId last_number_ = kNoConfiguration;  // guarded by lock_
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_ULTRAVISOR_H_
