#include "emulated-host/cpu/decimal_edit.h"

#include "emulated-host/cpu/decimal_number.h"

namespace lethe::emulated {
namespace {

constexpr std::uint8_t kDigitSelector = 0x20;
constexpr std::uint8_t kSignificanceStarter = 0x21;
constexpr std::uint8_t kFieldSeparator = 0x22;

class Editor {
 public:
  Editor(absl::Span<std::uint8_t> pattern, EditSource& source)
      : pattern_(pattern), source_(source), fill_(pattern[0]) {}

  EditResult Run() {
    for (std::size_t i = 0; i < pattern_.size() && result_.valid; ++i) {
      switch (pattern_[i]) {
        case kDigitSelector:
        case kSignificanceStarter:
          PutDigit(i);
          break;
        case kFieldSeparator:
          pattern_[i] = fill_;
          significance_ = false;
          nonzero_ = false;
          break;
        default:
          if (!significance_) pattern_[i] = fill_;
      }
    }
    result_.condition_code = !nonzero_ ? 0 : significance_ ? 1 : 2;
    return result_;
  }

 private:
  void PutDigit(std::size_t i) {
    const bool starter = pattern_[i] == kSignificanceStarter;
    bool plus = false;
    const unsigned digit = NextDigit(&plus);
    if (!result_.valid) return;
    if (digit != 0) {
      nonzero_ = true;
      if (!significance_) result_.first_significant = i;
    }
    const bool significant = significance_ || digit != 0;
    pattern_[i] = significant ? static_cast<std::uint8_t>(0xf0 | digit) : fill_;
    significance_ = (significant || starter) && !plus;
  }

  // `plus`: a plus sign stands behind the digit; it ends significance. A minus sign does nothing.
  unsigned NextDigit(bool* plus) {
    if (right_digit_) {
      const unsigned digit = *right_digit_;
      right_digit_.reset();
      return digit;
    }
    const std::uint8_t byte = source_.NextByte();
    const unsigned right = byte & 0xf;
    if (!IsDecimalDigit(byte >> 4)) result_.valid = false;
    if (IsDecimalDigit(right)) {
      right_digit_ = right;
    } else {
      *plus = !IsMinus(right);
    }
    return byte >> 4;
  }

  absl::Span<std::uint8_t> pattern_;
  EditSource& source_;
  const std::uint8_t fill_;
  bool significance_ = false;
  bool nonzero_ = false;  // in the field that the last digit belongs to
  std::optional<unsigned> right_digit_;
  EditResult result_;
};

}  // namespace

EditResult Edit(absl::Span<std::uint8_t> pattern, EditSource& source) {
  return Editor(pattern, source).Run();
}

}  // namespace lethe::emulated
