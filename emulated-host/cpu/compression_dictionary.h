#ifndef LETHE_EMULATED_HOST_CPU_COMPRESSION_DICTIONARY_H_
#define LETHE_EMULATED_HOST_CPU_COMPRESSION_DICTIONARY_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace lethe::emulated {

// The entries of the dictionaries of COMPRESSION CALL, eight bytes each (Enterprise Systems
// Architecture/390 Data Compression, "Dictionary Entries").
using DictionaryEntry = std::array<std::uint8_t, 8>;

// A character entry of a compression dictionary.
class CompressionEntry {
 public:
  explicit CompressionEntry(const DictionaryEntry& bytes) : bytes_(bytes) {}

  bool IsValid() const;
  std::uint32_t first_child() const {
    return static_cast<std::uint32_t>((bytes_[1] & 0x1f) << 8 | bytes_[2]);
  }
  bool HasSiblings() const { return child_count() + (is_double() ? 1 : 0) == 6; }
  // Characters that follow the one that led to this entry.
  absl::Span<const std::uint8_t> extension() const {
    return absl::MakeConstSpan(bytes_).subspan(3, extension_length());
  }
  // The characters that lead to the children inside of this entry.
  absl::Span<const std::uint8_t> children() const {
    const std::size_t count = child_count() - (HasSiblings() ? 1 : 0);
    return absl::MakeConstSpan(bytes_).subspan(3 + extension_length(), count);
  }
  // Must the entry of a child be looked at (it may have an extension or children)?
  bool ExaminesChild(std::size_t number) const { return (bytes_[0] & 0x10 >> number) != 0; }
  // The same for the siblings that a first sibling descriptor has no room for.
  bool ExaminesLateSibling(std::size_t number) const { return (bytes_[1] & 0x80 >> number) != 0; }

 private:
  std::size_t child_count() const { return bytes_[0] >> 5; }
  bool is_double() const { return child_count() > 1 && (bytes_[1] & 0x20) != 0; }
  std::size_t extension_length() const {
    return child_count() <= 1 ? bytes_[1] >> 5 : is_double() ? 1 : 0;
  }

  DictionaryEntry bytes_;
};

// A sibling descriptor: more children of one entry. In format 1 its right half is in the expansion
// dictionary.
class SiblingDescriptor {
 public:
  static SiblingDescriptor Format0(const DictionaryEntry& bytes);
  static SiblingDescriptor Format1(const DictionaryEntry& left, const DictionaryEntry& right);

  absl::Span<const std::uint8_t> siblings() const {
    return absl::MakeConstSpan(characters_).first(count_);
  }
  bool HasMore() const { return has_more_; }
  // `parent`: the entry with the remaining bits if this is its first descriptor, else nullptr.
  bool ExaminesSibling(std::size_t number, const CompressionEntry* parent) const;

 private:
  std::array<std::uint8_t, 14> characters_{};
  std::size_t count_ = 0;
  std::size_t own_bits_ = 0;   // how many siblings have an examine bit here
  std::uint32_t examine_ = 0;  // theirs, from bit 0 (leftmost) on
  bool has_more_ = false;
};

// A character entry of an expansion dictionary.
class ExpansionEntry {
 public:
  explicit ExpansionEntry(const DictionaryEntry& bytes) : bytes_(bytes) {}

  bool IsValid() const;
  bool IsPreceded() const { return partial_length() != 0; }
  std::uint32_t predecessor() const {
    return static_cast<std::uint32_t>((bytes_[0] & 0x1f) << 8 | bytes_[1]);
  }
  std::size_t offset() const { return IsPreceded() ? bytes_[7] : 0; }
  absl::Span<const std::uint8_t> characters() const {
    return IsPreceded() ? absl::MakeConstSpan(bytes_).subspan(2, partial_length())
                        : absl::MakeConstSpan(bytes_).subspan(1, bytes_[0] & 7);
  }

 private:
  std::size_t partial_length() const { return bytes_[0] >> 5; }

  DictionaryEntry bytes_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_COMPRESSION_DICTIONARY_H_
