#ifndef LETHE_PV_IPL_PARAMETER_BLOCK_H_
#define LETHE_PV_IPL_PARAMETER_BLOCK_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/types/span.h"
#include "base/file.h"
#include "image/ipl_parameters.h"

namespace lethe {

// Return codes of DIAGNOSE 308, in register R1+1.
enum class IplCode : std::uint64_t {
  kGood = 0x0001,
  kNoConfiguration = 0x0102,
  kInvalidBlock = 0x0402,
  kNoProtectedConfiguration = 0x0902,
  kInvalidForProtection = 0x0a02,
};

// The IPL parameter blocks that a guest has left with us: the ordinary one (DIAGNOSE 308 subcodes 5
// and 6) and the one for protection (8 and 9), two separate places. They survive resets. Not safe
// for concurrent use.
//
// Blocks come from the guest: `block` is a copy of the page at the guest's address that nobody
// changes. A refused block leaves the previous one in place.
class IplParameterBlocks {
 public:
  // Absolute storage of the guest ends at `storage_size` (bytes).
  explicit IplParameterBlocks(std::uint64_t storage_size) : storage_size_(storage_size) {}

  IplCode SetOrdinary(absl::Span<const std::uint8_t> block);
  // Checks everything about the block, and that header and components lie in guest storage.
  IplCode SetProtected(absl::Span<const std::uint8_t> block);
  // Why the last refused block was refused, for a log.
  const std::string& refusal() const { return refusal_; }

  // The block as the guest gave it, to be stored at the guest's address; nullptr: none
  // (kNoConfiguration).
  const Bytes* ordinary() const { return ordinary_ ? &*ordinary_ : nullptr; }
  const Bytes* protected_block() const { return protected_ ? &protected_->block : nullptr; }
  // What the block for protection says; nullptr: none (kNoProtectedConfiguration).
  const IplParameters* protected_parameters() const {
    return protected_ ? &protected_->parameters : nullptr;
  }

 private:
  struct Protected {
    Bytes block;
    IplParameters parameters;
  };

  IplCode Refuse(std::string why);

  std::uint64_t storage_size_;
  std::optional<Bytes> ordinary_;
  std::optional<Protected> protected_;
  std::string refusal_;
};

}  // namespace lethe

#endif  // LETHE_PV_IPL_PARAMETER_BLOCK_H_
