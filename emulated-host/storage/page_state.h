#ifndef LETHE_EMULATED_HOST_STORAGE_PAGE_STATE_H_
#define LETHE_EMULATED_HOST_STORAGE_PAGE_STATE_H_

#include <atomic>
#include <cstdint>

namespace lethe::emulated {

// Number of a secure configuration; 0 names none (an ordinary guest, the host).
using ConfigurationId = std::uint16_t;
inline constexpr ConfigurationId kNoConfiguration = 0;

enum class PageKind : std::uint8_t {
  kNonSecure = 0,     // anybody on the host may access it
  kSecure = 1,        // only CPUs of the owner
  kShared = 2,        // CPUs of the owner and the host
  kPinnedShared = 3,  // shared, and the host holds it so
};

// What the Ultravisor knows of one 4 KiB page of host memory, in one word, so that a CPU can check
// it with a single load when it fills its translation buffer.
//
//   bits 0-15 owner, 16-17 kind, 18 exposed, 19 locked
//
// `exposed`: the VMM's own mapping of the page may be present (it is dropped before the page
// becomes secure). `locked`: one thread changes the page; all others wait, CPUs included.
class PageState {
 public:
  static constexpr std::uint32_t kOwnerMask = 0xffff;
  static constexpr std::uint32_t kKindShift = 16;
  static constexpr std::uint32_t kKindMask = 3u << kKindShift;
  static constexpr std::uint32_t kExposed = 1u << 18;
  static constexpr std::uint32_t kLocked = 1u << 19;

  constexpr PageState() = default;
  constexpr explicit PageState(std::uint32_t word) : word_(word) {}
  constexpr PageState(PageKind kind, ConfigurationId owner, bool exposed)
      : word_(owner | (static_cast<std::uint32_t>(kind) << kKindShift) | (exposed ? kExposed : 0)) {
  }

  constexpr std::uint32_t word() const { return word_; }
  constexpr ConfigurationId owner() const { return static_cast<ConfigurationId>(word_); }
  constexpr PageKind kind() const {
    return static_cast<PageKind>((word_ & kKindMask) >> kKindShift);
  }
  constexpr bool shared() const {
    return kind() == PageKind::kShared || kind() == PageKind::kPinnedShared;
  }
  constexpr bool exposed() const { return (word_ & kExposed) != 0; }
  constexpr bool locked() const { return (word_ & kLocked) != 0; }

  // May a CPU that runs for `configuration` (or for an ordinary guest) access the page right now?
  constexpr bool Admits(ConfigurationId configuration) const {
    if (locked()) return false;
    if (configuration == kNoConfiguration) return kind() != PageKind::kSecure;
    return kind() != PageKind::kNonSecure && owner() == configuration;
  }

 private:
  std::uint32_t word_ = 0;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_STORAGE_PAGE_STATE_H_
