#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_SECURE_CONFIGURATION_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_SECURE_CONFIGURATION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "emulated-host/cpu/registers.h"
#include "emulated-host/storage/guest_storage.h"
#include "emulated-host/storage/page_state.h"
#include "emulated-host/ultravisor/breakable_lock.h"
#include "emulated-host/ultravisor/export_records.h"
#include "emulated-host/ultravisor/host_mapping.h"
#include "image/cryptography.h"
#include "image/unseal.h"

namespace lethe::emulated {

class SecureCpu;

// A secure configuration: what the Ultravisor keeps of one protected guest. Its life:
//
//   created -> parameters set -> verified -> ended
//
// Pages can be unpacked between the second and the third; CPUs run in the third. Storage that it
// owns may outlive it (the page states name its number). Only the Ultravisor changes it.
class SecureConfiguration {
 public:
  enum class Phase : std::uint8_t { kCreated, kParametersSet, kVerified, kEnded };

  SecureConfiguration(ConfigurationId id, const GuestStorage& storage, HostMapping& mapping);
  ~SecureConfiguration();

  ConfigurationId id() const { return id_; }
  Phase phase() const { return phase_.load(std::memory_order_acquire); }
  bool DumpAllowed() const;

 private:
  friend class Ultravisor;
  friend class SecureCpu;

  // A memory slot, as it was when the configuration was made: slots do not change while it lives.
  struct View {
    std::uint64_t absolute = 0;
    std::uint64_t size = 0;
    HostRegion* region = nullptr;
    std::size_t first_page = 0;              // of the region
    std::shared_ptr<ExportRecords> records;  // of the region
  };
  struct Place {
    const View* view = nullptr;  // null: no storage there
    std::size_t page = 0;        // of the region
    HostRegion& region() const { return *view->region; }
  };
  Place Find(std::uint64_t absolute) const;
  // The first slot that shows the page, which is one of its regions'.
  const View& ViewOf(const HostRegion& region, std::size_t page) const;
  ExportRecords& RecordsOf(const HostRegion& region, std::size_t page) const {
    return *ViewOf(region, page).records;
  }
  static std::uint64_t AbsoluteOf(const View& view, std::size_t page) {
    return view.absolute + ((page - view.first_page) * kPageSize);
  }

  // To the next phase; what has ended meanwhile stays so.
  void Advance(Phase next) {
    Phase before = phase();
    while (before != Phase::kEnded && !phase_.compare_exchange_weak(before, next)) {
    }
  }

  // Content of a page, on the way out and in. The page is locked. False: it is not what this
  // configuration left there.
  void Seal(HostRegion& region, std::size_t page);
  [[nodiscard]] bool Open(HostRegion& region, std::size_t page);

  const ConfigurationId id_;
  HostMapping& mapping_;
  std::vector<View> views_;
  std::atomic<Phase> phase_{Phase::kCreated};

  std::unique_ptr<AesGcm> page_cipher_;
  std::atomic<std::uint64_t> exports_{0};

  BreakableLock lock_;  // guards what follows
  std::optional<OpenedHeader> header_;
  std::unique_ptr<AesXts> component_cipher_;
  RunningSha512 page_digest_;
  RunningSha512 address_digest_;
  RunningSha512 tweak_digest_;
  std::uint64_t unpacked_ = 0;
  std::vector<SecureCpu*> cpus_;

  std::atomic<bool> shares_{false};           // pages may be shared
  std::atomic<bool> start_from_zero_{false};  // a reset was prepared: PSW from absolute 0
  std::atomic<std::uint32_t> service_block_{
      0};  // address of the SCCB of an outstanding service call
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_SECURE_CONFIGURATION_H_
