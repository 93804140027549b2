#include "emulated-host/cpu/compression_dictionary.h"

#include <algorithm>

namespace lethe::emulated {

bool CompressionEntry::IsValid() const {
  constexpr std::size_t kMostExtension = 4;
  if (child_count() == 7 || (child_count() == 6 && is_double())) return false;
  return extension_length() <= kMostExtension;
}

SiblingDescriptor SiblingDescriptor::Format0(const DictionaryEntry& bytes) {
  constexpr std::size_t kMost = 7;
  SiblingDescriptor descriptor;
  descriptor.count_ = bytes[0] >> 5;
  descriptor.has_more_ = descriptor.count_ == 0;
  if (descriptor.has_more_) descriptor.count_ = kMost;
  descriptor.own_bits_ = 5;
  descriptor.examine_ = std::uint32_t{bytes[0]} << (24 + 3);
  std::copy(bytes.begin() + 1, bytes.end(), descriptor.characters_.begin());
  return descriptor;
}

SiblingDescriptor SiblingDescriptor::Format1(const DictionaryEntry& left,
                                             const DictionaryEntry& right) {
  constexpr std::size_t kMore = 15;
  SiblingDescriptor descriptor;
  descriptor.count_ = left[0] >> 4;
  descriptor.has_more_ = descriptor.count_ == kMore;
  if (descriptor.has_more_) descriptor.count_ = kMore - 1;
  descriptor.own_bits_ = 12;
  descriptor.examine_ = std::uint32_t{left[0]} << (24 + 4) | std::uint32_t{left[1]} << 20;
  const auto middle = std::copy(left.begin() + 2, left.end(), descriptor.characters_.begin());
  std::copy(right.begin(), right.end(), middle);
  return descriptor;
}

bool SiblingDescriptor::ExaminesSibling(std::size_t number, const CompressionEntry* parent) const {
  if (number < own_bits_) return (examine_ & 0x8000'0000 >> number) != 0;
  return parent == nullptr || parent->ExaminesLateSibling(number - own_bits_);
}

bool ExpansionEntry::IsValid() const {
  constexpr std::uint8_t kReserved = 0x18;
  constexpr std::size_t kMostPartial = 5;
  if (IsPreceded()) return partial_length() <= kMostPartial;
  return (bytes_[0] & kReserved) == 0 && (bytes_[0] & 7) != 0;
}

}  // namespace lethe::emulated
