#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_ULTRAVISOR_MODEL_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_ULTRAVISOR_MODEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "emulated-host/storage/page_state.h"
#include "emulated-host/ultravisor/uvc.h"

namespace lethe::emulated {

// For tests: what the Ultravisor's calls are to answer and to do, in the plainest form that says
// it: no cryptography, no locks, no memory. Two machines of a few pages, each with room for two
// guests that use the same memory. A page's content is a number; what may be known of it stands in
// contents().
//
// Written from docs/ultravisor.md, not from the implementation.
class UltravisorModel {
 public:
  static constexpr std::size_t kMachines = 2;
  static constexpr std::size_t kGuests = 4;  // guest g is of machine g / 2
  static constexpr std::size_t kPages = 8;   // of a machine; page kPages is behind its storage
  static constexpr std::size_t kCpus = 2;    // of a guest: addresses 0 and 1; 2 is too large
  static constexpr std::size_t kImagePages = 2;
  static constexpr std::size_t kWrongTweak = kImagePages;
  static constexpr std::uint32_t kLimit = 3;  // configurations at a time

  enum class Phase : std::uint8_t { kNone, kCreated, kParametersSet, kVerified, kEnded };
  enum class Header : std::uint8_t { kGood, kWrongTag, kWrongHost, kWrongVersion };
  enum class CpuState : std::uint8_t { kAbsent, kStopped, kOperating, kCheckStopped };

  using ContentNumber = std::uint32_t;
  struct Content {
    enum class Kind : std::uint8_t {
      kFill,    // `value`, repeated
      kImage,   // page `value` of the image, as the host stores it
      kCipher,  // an exported page; `plain` is what is in it
      kNoise,   // nobody knows
    };
    Kind kind = Kind::kFill;
    std::uint64_t value = 0;
    ContentNumber plain = 0;
  };
  static constexpr ContentNumber kZeros = 0;
  // What the pages of the image are when the right key and tweak open them.
  static std::uint64_t ImageFill(std::size_t page) { return 0x1a6e'0000'0000'0001 + page; }

  struct Page {
    PageKind kind = PageKind::kNonSecure;
    std::optional<std::size_t> owner;  // the guest's number of life, not of its place
    ContentNumber content = kZeros;
  };

  // `misc`, `fast`: features of the machine.
  UltravisorModel(bool misc, bool fast);

  const Page& page(std::size_t machine, std::size_t number) const {
    return pages_[machine][number];
  }
  const Content& content(ContentNumber number) const { return contents_[number]; }
  Phase phase(std::size_t guest) const { return guests_[guest].phase; }
  // Distinguishes the guests that were in one place, one after the other.
  std::size_t life(std::size_t guest) const { return guests_[guest].life; }
  bool has_cpu(std::size_t guest, std::size_t cpu) const {
    return guests_[guest].cpus[cpu].state != CpuState::kAbsent;
  }
  std::size_t unpacked(std::size_t guest) const { return guests_[guest].unpacked.size(); }
  // May a CPU of the guest use the page as it is now?
  bool Admits(std::size_t guest, std::size_t page) const;
  std::size_t configurations() const;

  // --- the host's and the guests' own doing ------------------------------------------------------
  // The next call of this kind does nothing and answers so.
  void Inject(Uvc call, UvcResult result) { faults_[call].push_back(result); }
  // New content; only where the page admits it.
  void Fill(std::size_t machine, std::size_t page, std::uint64_t value);
  void PlaceImage(std::size_t machine, std::size_t page, std::size_t image_page);
  void Disturb(std::size_t machine, std::size_t page);  // one word
  void Copy(std::size_t machine, std::size_t page, ContentNumber content);

  // --- calls -------------------------------------------------------------------------------------
  // Only while the guest's place is free or its configuration ended.
  UvcResult Create(std::size_t guest);
  UvcResult Destroy(std::size_t guest, bool fast);
  UvcResult SetParameters(std::size_t guest, Header header);
  UvcResult Unpack(std::size_t guest, std::size_t page, std::size_t tweak);
  UvcResult Verify(std::size_t guest);
  UvcResult PrepareReset(std::size_t guest);
  UvcResult UnshareAll(std::size_t guest);
  // `cpu` is not there yet, or too large.
  UvcResult CreateCpu(std::size_t guest, std::size_t cpu);
  // The CPU is there.
  UvcResult DestroyCpu(std::size_t guest, std::size_t cpu);
  UvcResult ResetCpu(std::size_t guest, std::size_t cpu, Uvc call);
  UvcResult SetCpuState(std::size_t guest, std::size_t cpu, std::uint8_t state);
  UvcResult Import(std::size_t guest, std::size_t page);
  UvcResult Export(std::size_t machine, std::size_t page);
  UvcResult DestroyPage(std::size_t machine, std::size_t page);
  UvcResult Pin(std::size_t machine, std::size_t page);
  UvcResult Unpin(std::size_t guest, std::size_t page);
  UvcResult Share(std::size_t guest, std::size_t page);
  UvcResult Unshare(std::size_t guest, std::size_t page);

 private:
  struct Cpu {
    CpuState state = CpuState::kAbsent;
    bool reset_due = false;
  };
  struct Unpacked {
    std::size_t page;
    std::size_t tweak;
    ContentNumber content;
  };
  // What a configuration remembers of a page.
  struct Memory {
    bool had = false;
    std::optional<ContentNumber> exported;
    bool shared_outside = false;
  };
  struct Guest {
    Phase phase = Phase::kNone;
    std::size_t life = 0;
    std::array<Cpu, kCpus> cpus;
    std::array<Memory, kPages> memory;
    std::vector<Unpacked> unpacked;
    bool shares = false;
    bool starts_from_zero = false;
  };

  std::optional<UvcResult> Fault(Uvc call);
  Page& PageOf(std::size_t guest, std::size_t page) { return pages_[guest / 2][page]; }
  bool Owns(std::size_t guest, const Page& page) const;
  bool HasCpus(const Guest& guest) const;
  // The guest, alive, whose life has this number.
  std::optional<std::size_t> FindLife(std::size_t life) const;
  ContentNumber Make(Content content);
  UvcResult Take(std::size_t guest, std::size_t page);

  const bool misc_;
  const bool fast_;
  std::size_t lives_ = 0;
  std::array<std::array<Page, kPages>, kMachines> pages_;
  std::array<Guest, kGuests> guests_;
  std::vector<Content> contents_;
  std::map<Uvc, std::vector<UvcResult>> faults_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_ULTRAVISOR_MODEL_H_
