#ifndef LETHE_EMULATED_HOST_CPU_DISPATCHABLE_UNIT_H_
#define LETHE_EMULATED_HOST_CPU_DISPATCHABLE_UNIT_H_

#include <cstdint>

#include "emulated-host/cpu/cpu.h"

namespace lethe::emulated {

// The dispatchable-unit control table, 64 bytes of real storage that control register 2 designates
// (Principles of Operation, "Subspace-Group Tables" and the instructions that use it).
class DispatchableUnit {
 public:
  // Byte offsets of the words.
  static constexpr std::uint64_t kBaseAste = 0;
  static constexpr std::uint64_t kSubspaceAste = 4;  // and kSubspaceActive
  static constexpr std::uint64_t kSubspaceSequence = 12;
  static constexpr std::uint64_t kAuthority = 20;
  static constexpr std::uint64_t kReturnAddress = 32;  // 8 bytes
  static constexpr std::uint64_t kTrapControl = 44;

  static constexpr std::uint32_t kAsteOrigin = 0x7fff'ffc0;
  static constexpr std::uint32_t kSubspaceActive = 0x8000'0000;

  explicit DispatchableUnit(Cpu& cpu) : cpu_(cpu), real_(cpu.cr(2) & kAsteOrigin) {}

  template <typename T = std::uint32_t>
  T Load(std::uint64_t offset) const {
    return cpu_.LoadAbsolute<T>(cpu_.AbsoluteOf(real_ + offset));
  }
  template <typename T = std::uint32_t>
  void Store(std::uint64_t offset, T value) const {
    cpu_.StoreAbsolute<T>(cpu_.AbsoluteOf(real_ + offset), value);
  }
  // Low-address protection holds for stores into the table; key-controlled protection does not.
  void RequireStores() const;

 private:
  Cpu& cpu_;
  std::uint64_t real_;
};

// The space that an ASN-second-table entry stands for when it becomes the primary or secondary one:
// the base space of the dispatchable unit's subspace group is replaced by the subspace that is
// active in it ("Subspace-Replacement Operations").
struct SubspaceReplacement {
  ProgramCode exception = ProgramCode::kNone;  // ASTE-validity or ASTE-sequence
  std::uint64_t asce = 0;
};
SubspaceReplacement ReplaceBySubspace(Cpu& cpu, std::uint64_t aste_origin, std::uint64_t asce);

// A subspace's space with the event controls of the space that was there.
std::uint64_t WithEventControlsOf(std::uint64_t subspace, std::uint64_t before);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_DISPATCHABLE_UNIT_H_
